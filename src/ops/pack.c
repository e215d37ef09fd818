/* SPDX-License-Identifier: MIT
 * Where the trits of packed weights come from: the storage types of model files, or random ones. */
#include "ops/pack.h"

#include <tern/ops.h>

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/philox.h"
#include "base/status.h"
#include "kernels/trits.h"
#include "tensor/dtype.h"
#include "tensor/reach.h"

enum { BLOCK = 256 };

/* The one non-zero value among the block scales, if there is one. */
typedef struct scale_scan {
    bool is_uniform;
    float scale; /* 0 when all are 0 */
} scale_scan;

/* Offset of the F16 scale inside a block of TQ1_0 or TQ2_0: it comes last. */
static size_t scale_offset(tern_dtype dtype) {
    return (size_t)tern__dtype(dtype)->block_bytes - sizeof(uint16_t);
}

static tern_status scan_scales(const tern_tensor *weight, scale_scan *scan) {
    const tern__dtype_info *info = tern__dtype((tern_dtype)weight->dtype);
    int64_t blocks = weight->dims[0] * (weight->dims[1] / BLOCK);
    const uint8_t *at = (const uint8_t *)weight->data + scale_offset((tern_dtype)weight->dtype);
    *scan = (scale_scan){.is_uniform = true};
    for (int64_t b = 0; b < blocks; b++, at += info->block_bytes) {
        uint16_t half;
        memcpy(&half, at, sizeof half);
        float scale = tern__f32_from_f16(half);
        if (!isfinite(scale))
            return tern__fail(TERN_E_FORMAT, "pack: the scale of %s block %lld is not finite",
                              info->name, (long long)b);
        if (scan->scale == 0)
            scan->scale = scale;
        else if (scale != 0 && scale != scan->scale)
            scan->is_uniform = false;
    }
    return TERN_OK;
}

static tern_status i2_s_rows(const tern__code_source *source, int64_t first, int64_t count,
                             int64_t padded, uint8_t *codes, float *scales) {
    (void)scales;
    const tern_tensor *weight = source->user;
    int64_t columns = source->columns;
    for (int64_t row = 0; row < count; row++) {
        uint8_t *to = codes + row * padded;
        if (!tern__trits_i2_s(weight->data, (first + row) * columns, columns, to))
            return tern__fail(TERN_E_FORMAT, "pack: row %lld has an i2_s code that is no trit",
                              (long long)(first + row));
        memset(to + columns, 0, (size_t)(padded - columns));
    }
    return TERN_OK;
}

static tern_status tq_rows(const tern__code_source *source, int64_t first, int64_t count,
                           int64_t padded, uint8_t *codes, float *scales) {
    const tern_tensor *weight = source->user;
    const tern__dtype_info *info = tern__dtype((tern_dtype)weight->dtype);
    int64_t blocks = source->columns / BLOCK;
    float unused[64];
    for (int64_t row = 0; row < count; row++) {
        const uint8_t *data =
            (const uint8_t *)weight->data + (first + row) * blocks * info->block_bytes;
        uint8_t *to = codes + row * padded;
        for (int64_t b = 0; b < blocks; b += 64) {
            int64_t part = blocks - b < 64 ? blocks - b : 64;
            float *part_scales = scales != NULL ? scales + row * blocks + b : unused;
            const uint8_t *from = data + b * info->block_bytes;
            bool is_valid = weight->dtype == TERN_TQ1_0
                                ? tern__trits_tq1_0(from, part, to + b * BLOCK, part_scales)
                                : tern__trits_tq2_0(from, part, to + b * BLOCK, part_scales);
            if (!is_valid)
                return tern__fail(TERN_E_FORMAT, "pack: row %lld has a %s code that is no trit",
                                  (long long)(first + row), info->name);
        }
        memset(to + source->columns, 0, (size_t)(padded - source->columns));
    }
    return TERN_OK;
}

/* Trits as they are, -1, 0, +1, with any strides. */
static tern_status i8_rows(const tern__code_source *source, int64_t first, int64_t count,
                           int64_t padded, uint8_t *codes, float *scales) {
    (void)scales;
    const tern_tensor *weight = source->user;
    int64_t step = tern__strides(weight)[1];
    for (int64_t row = 0; row < count; row++) {
        const int8_t *from =
            (const int8_t *)weight->data + (first + row) * tern__strides(weight)[0];
        uint8_t *to = codes + row * padded;
        for (int64_t i = 0; i < source->columns; i++) {
            int trit = from[i * step];
            if (trit < -1 || trit > 1)
                return tern__fail(TERN_E_FORMAT, "pack: %d at (%lld, %lld) is no trit", trit,
                                  (long long)(first + row), (long long)i);
            to[i] = (uint8_t)(trit + 1);
        }
        memset(to + source->columns, 0, (size_t)(padded - source->columns));
    }
    return TERN_OK;
}

tern_status tern__pack(tern_context *context, tern_tensor *weight, tern__packing packing,
                       tern_tensor **out) {
    *out = NULL;
    bool is_storage = tern__dtype((tern_dtype)weight->dtype)->is_ternary;
    if (weight->dtype == TERN_TERNARY || (!is_storage && weight->dtype != TERN_I8))
        return tern__fail(TERN_E_DTYPE, "pack: %s is no ternary storage type",
                          tern_dtype_name((tern_dtype)weight->dtype));
    if (weight->rank != 2) {
        char text[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE, "pack: %s is no matrix",
                          tern__shape_text(weight->rank, weight->dims, text));
    }
    tern__code_source source = {.op = "pack",
                                .rows = weight->dims[0],
                                .columns = weight->dims[1],
                                .packing = packing,
                                .user = weight};
    if (weight->dtype == TERN_I8) {
        source.scale = 1;
        source.rows_fn = i8_rows;
    } else if (weight->dtype == TERN_I2_S) {
        const uint8_t *tail = (const uint8_t *)weight->data + weight->dims[0] * weight->dims[1] / 4;
        memcpy(&source.scale, tail, sizeof source.scale);
        source.rows_fn = i2_s_rows;
        if (!isfinite(source.scale))
            return tern__fail(TERN_E_FORMAT, "pack: the i2_s scale is not finite");
    } else {
        scale_scan scan;
        tern_status status = scan_scales(weight, &scan);
        if (status != TERN_OK)
            return status;
        source.scale = scan.scale;
        if (!scan.is_uniform) {
            source.block_columns = BLOCK;
            source.packing = TERN__PACKING_TRITS4;
        }
        source.rows_fn = tq_rows;
    }
    tern_status status = context->device->pack(context->device, context, &source, out);
    if (status == TERN_OK)
        tern__count(context, TERN__OP_PACK, TERN_CLASS_MOVE,
                    (int64_t)(tern_tensor_bytes(weight) + tern_tensor_bytes(*out)));
    return status;
}

tern_status tern_tensor_pack(tern_tensor *weight, tern_tensor **out) {
    tern_tensor *twin = NULL;
    *out = NULL;
    if (tern__tensor_is_poison(weight))
        return tern__fail(TERN_E_ARGUMENT, "pack: the weight was released");
    tern_status status = tern__host_twin(weight, &twin);
    if (status == TERN_OK)
        status = tern__pack(weight->context, twin, TERN__PACKING_TRITS4, out);
    tern_tensor_release(twin);
    return status;
}

/* -- random matrices ---------------------------------------------------------------------------*/

/* Five trits from a byte: 243 of 256 values, the rest folded back (at most 0.8 % off even). A block
 * of Philox gives 80 codes; row r takes the blocks r * 2^24 and on. */
enum { BYTE_TRITS = 5, DRAW = 16 * BYTE_TRITS };

typedef struct random_source {
    uint64_t seed;
    uint8_t trits[256][8]; /* five codes, then padding so that a copy is one store */
} random_source;

static void fill_trits(random_source *random) {
    for (int byte = 0; byte < 256; byte++)
        for (int i = 0, value = byte; i < 8; i++, value /= 3)
            random->trits[byte][i] = (uint8_t)(i < BYTE_TRITS ? value % 3 : 0);
}

static tern_status random_rows(const tern__code_source *source, int64_t first, int64_t count,
                               int64_t padded, uint8_t *codes, float *scales) {
    (void)scales;
    const random_source *random = source->user;
    for (int64_t row = 0; row < count; row++) {
        uint8_t *to = codes + row * padded, draw[DRAW + 3];
        uint64_t position = (uint64_t)(first + row) << 24;
        for (int64_t i = 0; i < source->columns; i += DRAW, position++) {
            tern__philox_block block = tern__philox(random->seed, position);
            for (int byte = 0; byte < 16; byte++) {
                uint32_t value = block.word[byte / 4] >> (byte % 4 * 8) & 0xffu;
                memcpy(draw + byte * BYTE_TRITS, random->trits[value], 8);
            }
            int64_t rest = source->columns - i;
            memcpy(to + i, draw, (size_t)(rest < DRAW ? rest : DRAW));
        }
        memset(to + source->columns, 0, (size_t)(padded - source->columns));
    }
    return TERN_OK;
}

tern_status tern__pack_random(tern_context *context, tern__packing packing, int64_t rows,
                              int64_t columns, float scale, uint64_t seed, tern_tensor **out) {
    *out = NULL;
    if (rows < 0 || columns < 0)
        return tern__fail(TERN_E_SHAPE, "pack_random: shape (%lld, %lld) is negative",
                          (long long)rows, (long long)columns);
    random_source random = {.seed = seed};
    fill_trits(&random);
    tern__code_source source = {.op = "pack_random",
                                .rows = rows,
                                .columns = columns,
                                .packing = packing,
                                .scale = scale,
                                .rows_fn = random_rows,
                                .user = &random};
    return context->device->pack(context->device, context, &source, out);
}

tern_status tern_tensor_pack_random(tern_context *context, int64_t rows, int64_t columns,
                                    float scale, uint64_t seed, tern_tensor **out) {
    return tern__pack_random(context, TERN__PACKING_TRITS4, rows, columns, scale, seed, out);
}
