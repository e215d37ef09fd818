/* SPDX-License-Identifier: MIT
 * Random tensors: element i is made from block i / 4 of Philox, whatever else is drawn. */
#include <math.h>

#include "base/philox.h"
#include "base/realmath.h"
#include "base/status.h"
#include "tensor/tensor.h"

/* A kind of random numbers. */
typedef struct distribution {
    const char *op;
    void (*block)(const tern__philox_block *block, float values[4]);
} distribution;

static void uniform_block(const tern__philox_block *block, float values[4]) {
    for (int i = 0; i < 4; i++)
        values[i] = tern__uniform_f32(block->word[i]);
}

/* Box and Muller 1958: two uniform numbers give two normal ones. */
static void normal_block(const tern__philox_block *block, float values[4]) {
    for (int i = 0; i < 4; i += 2) {
        double u = (block->word[i] + 0.5) * 0x1p-32;
        double angle = block->word[i + 1] * (0x1p-32 * 6.283185307179586477);
        double radius = sqrt(-2 * tern__log(u)), sine, cosine;
        tern__sincos(angle, &sine, &cosine);
        values[i] = (float)(radius * cosine);
        values[i + 1] = (float)(radius * sine);
    }
}

static tern_status create_random(tern_context *context, tern_dtype dtype, tern_shape shape,
                                 uint64_t seed, const distribution *kind, tern_tensor **out) {
    *out = NULL;
    if (dtype != TERN_F32)
        return tern__fail(TERN_E_DTYPE, "random numbers are f32, not %s", tern_dtype_name(dtype));
    tern_status status = tern__tensor_empty(context, dtype, &shape, kind->op, out);
    if (status != TERN_OK)
        return status;
    float *data = (*out)->data, values[4];
    int64_t count = tern_tensor_count(*out);
    for (int64_t i = 0; i < count; i++) {
        if (i % 4 == 0) {
            tern__philox_block block = tern__philox(seed, (uint64_t)i / 4);
            kind->block(&block, values);
        }
        data[i] = values[i % 4];
    }
    return TERN_OK;
}

tern_status tern_tensor_randn(tern_context *context, tern_dtype dtype, tern_shape shape,
                              uint64_t seed, tern_tensor **out) {
    static const distribution normal = {"randn", normal_block};
    return create_random(context, dtype, shape, seed, &normal, out);
}

tern_status tern_tensor_rand(tern_context *context, tern_dtype dtype, tern_shape shape,
                             uint64_t seed, tern_tensor **out) {
    static const distribution uniform = {"rand", uniform_block};
    return create_random(context, dtype, shape, seed, &uniform, out);
}
