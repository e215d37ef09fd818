/* SPDX-License-Identifier: MIT
 * Random tensors: number i is made from block i / 4 of Philox, one word each, or from block i / 2,
 * 64 bits each, whatever else is drawn. */
#include <math.h>

#include "base/philox.h"
#include "base/realmath.h"
#include "base/status.h"
#include "tensor/dtype.h"
#include "tensor/element.h"

/* What is drawn. Each distribution reads what it needs. */
typedef struct draw {
    uint64_t seed;
    int bits;           /* of a uniform number: what the type holds below 1 */
    double probability; /* bernoulli */
    int64_t low;        /* randint */
    uint64_t range;     /* randint: how many numbers there are */
} draw;

/* Words 0 and 1 of the block, or 2 and 3, the low half first. */
static uint64_t wide_word(const tern__philox_block *block, int half) {
    return (uint64_t)block->word[2 * half + 1] << 32 | block->word[2 * half];
}

/* The 64 bits of number i, after those of i - 1 or when i is even. */
static uint64_t wide_next(uint64_t seed, int64_t i, tern__philox_block *block) {
    if (i % 2 == 0)
        *block = tern__philox(seed, (uint64_t)i / 2);
    return wide_word(block, (int)(i % 2));
}

/* The upper 53 bits: in [0, 1). */
static double wide_uniform(uint64_t word) {
    return (double)(word >> 11) * 0x1p-53;
}

/* -- floats ------------------------------------------------------------------------------------*/

/* The upper bits of a word, as many as the type has: nothing is rounded, not up to 1 either. */
static void uniform_numbers(const void *how, int64_t first, int64_t n, double *to) {
    const draw *d = how;
    tern__philox_block block = {{0}};
    double unit = 1.0 / (double)(UINT32_C(1) << d->bits);
    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            block = tern__philox(d->seed, (uint64_t)(first + i) / 4);
        to[i] = (block.word[i % 4] >> (32 - d->bits)) * unit;
    }
}

static void wide_uniform_numbers(const void *how, int64_t first, int64_t n, double *to) {
    const draw *d = how;
    tern__philox_block block = {{0}};
    for (int64_t i = 0; i < n; i++)
        to[i] = wide_uniform(wide_next(d->seed, first + i, &block));
}

/* Box and Muller 1958: two uniform numbers, the first of them not 0, give two normal ones. */
static void box_muller(double u, double v, double normal[2]) {
    double radius = sqrt(-2 * tern__log(u)), sine, cosine;
    tern__sincos(v * 6.283185307179586477, &sine, &cosine);
    normal[0] = radius * cosine;
    normal[1] = radius * sine;
}

static void normal_numbers(const void *how, int64_t first, int64_t n, double *to) {
    const draw *d = how;
    tern__philox_block block = {{0}};
    double pair[2];
    for (int64_t i = 0; i < n; i++) {
        int word = (int)(i % 4);
        if (word == 0)
            block = tern__philox(d->seed, (uint64_t)(first + i) / 4);
        if (word % 2 == 0)
            box_muller((block.word[word] + 0.5) * 0x1p-32, block.word[word + 1] * 0x1p-32, pair);
        to[i] = pair[word % 2];
    }
}

static void wide_normal_numbers(const void *how, int64_t first, int64_t n, double *to) {
    const draw *d = how;
    double pair[2];
    for (int64_t i = 0; i < n; i++) {
        if (i % 2 == 0) {
            tern__philox_block block = tern__philox(d->seed, (uint64_t)(first + i) / 2);
            box_muller(((double)(wide_word(&block, 0) >> 12) + 0.5) * 0x1p-52,
                       wide_uniform(wide_word(&block, 1)), pair);
        }
        to[i] = pair[i % 2];
    }
}

/* Bits of a uniform number from one word; 0: F64 takes two. */
static int uniform_bits(tern_dtype dtype) {
    return dtype == TERN_F32 ? 24 : dtype == TERN_F16 ? 11 : dtype == TERN_BF16 ? 8 : 0;
}

static tern_status create_floats(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                                 uint64_t seed, const char *op, tern__numbers_f64 narrow,
                                 tern__numbers_f64 wide, tern_tensor **out) {
    *out = NULL;
    if (!tern__dtype_is_plain(dtype) || !tern__dtype(dtype)->is_float)
        return tern__fail(TERN_E_DTYPE, "%s: random numbers are floats, not %s", op,
                          tern_dtype_name(dtype));
    tern_status status = tern__tensor_empty(context, dtype, shape, op, out);
    if (status == TERN_OK)
        status = tern__fill_f64(out, dtype == TERN_F64 ? wide : narrow,
                                &(draw){.seed = seed, .bits = uniform_bits(dtype)});
    return status;
}

tern_status tern_tensor_randn(tern_context *context, tern_dtype dtype, tern_shape shape,
                              uint64_t seed, tern_tensor **out) {
    return create_floats(context, dtype, &shape, seed, "randn", normal_numbers, wide_normal_numbers,
                         out);
}

tern_status tern_tensor_rand(tern_context *context, tern_dtype dtype, tern_shape shape,
                             uint64_t seed, tern_tensor **out) {
    return create_floats(context, dtype, &shape, seed, "rand", uniform_numbers,
                         wide_uniform_numbers, out);
}

/* -- whole numbers -----------------------------------------------------------------------------*/

/* The upper 64 bits of the product. */
static uint64_t multiply_high(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32); /* < 2^64: (2^32 - 1)^2 + 2^32 - 1 */
    uint64_t other = a0 * b1 + (uint32_t)middle;
    return a1 * b1 + (middle >> 32) + (other >> 32);
}

/* The 64 bits as a fraction of the range: numbers differ in probability by at most 2^-64. */
static void integer_numbers(const void *how, int64_t first, int64_t n, int64_t *to) {
    const draw *d = how;
    tern__philox_block block = {{0}};
    for (int64_t i = 0; i < n; i++)
        to[i] = (int64_t)((uint64_t)d->low +
                          multiply_high(wide_next(d->seed, first + i, &block), d->range));
}

tern_status tern_tensor_randint(tern_context *context, tern_dtype dtype, tern_shape shape,
                                int64_t low, int64_t high, uint64_t seed, tern_tensor **out) {
    *out = NULL;
    if (low >= high)
        return tern__fail(TERN_E_ARGUMENT, "randint: no number in [%lld, %lld)", (long long)low,
                          (long long)high);
    if (dtype == TERN_BOOL)
        return tern__fail(TERN_E_DTYPE, "randint: bool is for bernoulli");
    tern_status status = tern__element_check_i64("randint", dtype, low);
    if (status == TERN_OK)
        status = tern__element_check_i64("randint", dtype, high - 1);
    if (status == TERN_OK)
        status = tern__tensor_empty(context, dtype, &shape, "randint", out);
    if (status == TERN_OK)
        status = tern__fill_i64(
            out, integer_numbers,
            &(draw){.seed = seed, .low = low, .range = (uint64_t)high - (uint64_t)low});
    return status;
}

static void bernoulli_numbers(const void *how, int64_t first, int64_t n, double *to) {
    const draw *d = how;
    tern__philox_block block = {{0}};
    for (int64_t i = 0; i < n; i++)
        to[i] = wide_uniform(wide_next(d->seed, first + i, &block)) < d->probability;
}

tern_status tern_tensor_bernoulli(tern_context *context, tern_dtype dtype, tern_shape shape,
                                  double probability, uint64_t seed, tern_tensor **out) {
    *out = NULL;
    if (!(probability >= 0 && probability <= 1))
        return tern__fail(TERN_E_ARGUMENT, "bernoulli: a probability of %g", probability);
    tern_status status = tern__element_check("bernoulli", dtype, 1);
    if (status == TERN_OK)
        status = tern__tensor_empty(context, dtype, &shape, "bernoulli", out);
    if (status == TERN_OK)
        status = tern__fill_f64(out, bernoulli_numbers,
                                &(draw){.seed = seed, .probability = probability});
    return status;
}
