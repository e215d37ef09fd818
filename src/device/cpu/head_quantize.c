/* SPDX-License-Identifier: MIT
 * Quantised weights: the rows of a float matrix as integers of 8 or 4 bits with one scale each,
 * packed for the integer kernels, and the norms that screening needs (head_screen.c). */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/half.h"
#include "base/status.h"
#include "device/cpu/packed.h"
#include "tensor/dtype.h"

/* Elements that are widened at once: a multiple of 64 and of every block. Longer rows are widened
 * twice, for their scale and for their codes. */
enum { PORTION = 4096 };

static const float LEAST = 0x1p-100f; /* of m in quantize.h */

typedef struct quantize_user {
    const tern__cpu_device *cpu;
    const tern_tensor *weight;
    int limit; /* largest weight */
} quantize_user;

static void widen(const quantize_user *u, int64_t row, int64_t begin, int64_t n, float *out) {
    const tern_tensor *w = u->weight;
    const tern__dtype_info *info = tern__dtype((tern_dtype)w->dtype);
    int64_t step = tern__strides(w)[1];
    int64_t at = row * tern__strides(w)[0] + begin * step;
    tern__cpu_widen(u->cpu, (tern_dtype)w->dtype,
                    (const uint8_t *)w->data + at / info->block_elements * info->block_bytes, step,
                    out, n);
}

/* A norm from F32 partial sums of squares, rounded up. A sum of n <= 2^18 squares by the reduction
 * rule has n / 64 + 6 roundings, each of relative size 2^-24 or, among denormals, of 2^-150: the
 * root is short by less than a factor 1 + 2^-12.9 and by less than sqrt(2^18 2^-150) = 2^-66. The
 * errors that are squared are rounded themselves, which a factor 1 + 2^-23 covers; so does rounding
 * the result to F32. */
static float norm_above(const tern__cpu_device *cpu, float *partials) {
    cpu->reduce->f32.finish[TERN__REDUCE_SUM](partials);
    return (float)(sqrt((double)partials[0]) * (1 + 0x1p-12) + 0x1p-64);
}

static void quantize_row(const quantize_user *u, int offset, int64_t row, int64_t columns,
                         uint8_t *codes, float *scale, float *facts) {
    float wide[PORTION];
    tern__quantize_sums sums = {{0}, {0}};
    int32_t most = 0;
    for (int64_t i = 0; i < columns; i += PORTION) {
        int64_t n = tern__min_i64(PORTION, columns - i);
        widen(u, row, i, n, wide);
        int32_t largest = u->cpu->quantize->largest(wide, n);
        most = largest > most ? largest : most;
    }
    float m = tern__f32_from_bits((uint32_t)most);
    if (!isfinite(m)) {
        memset(codes, offset, (size_t)columns);
        *scale = NAN;
        facts[TERN__FACT_NORM] = facts[TERN__FACT_ERROR] = INFINITY;
        return;
    }
    m = m > LEAST ? m : LEAST;
    float limit = (float)u->limit, s = limit / m;
    *scale = m / limit;
    for (int64_t i = 0; i < columns; i += PORTION) {
        int64_t n = tern__min_i64(PORTION, columns - i);
        if (columns > PORTION)
            widen(u, row, i, n, wide);
        u->cpu->quantize->codes(wide, n, s, *scale, offset, codes + i, &sums);
    }
    facts[TERN__FACT_NORM] = norm_above(u->cpu, sums.squares);
    facts[TERN__FACT_ERROR] = norm_above(u->cpu, sums.errors);
}

static tern_status quantize_rows(const tern__code_source *source, int64_t first, int64_t count,
                                 int64_t padded, uint8_t *codes, float *scales) {
    int offset = tern__packings[source->packing].offset;
    for (int64_t row = 0; row < count; row++) {
        uint8_t *to = codes + row * padded;
        float *numbers = scales + row * (1 + TERN__FACTS);
        quantize_row(source->user, offset, first + row, source->columns, to, numbers, numbers + 1);
        memset(to + source->columns, 0, (size_t)(padded - source->columns));
    }
    return TERN_OK;
}

tern_status tern__cpu_pack_int(tern__device *device, tern_tensor *weight, int bits,
                               tern_tensor **out) {
    quantize_user user = {tern__cpu_of(device), weight, bits == 8 ? 127 : 7};
    tern__code_source source = {.op = "pack_int",
                                .rows = weight->dims[0],
                                .columns = weight->dims[1],
                                .packing = bits == 8 ? TERN__PACKING_INT8 : TERN__PACKING_INT4,
                                .facts = TERN__FACTS,
                                .rows_fn = quantize_rows,
                                .user = &user};
    tern_status status = tern__cpu_pack(device, weight->context, &source, out);
    if (status != TERN_OK)
        return status;
    tern__packed *p = (*out)->data;
    const float *norms = tern__packed_scales(p, p->scale_blocks + TERN__FACT_NORM);
    for (int64_t row = 0; row < p->rows; row++)
        p->largest_norm = fmaxf(p->largest_norm, norms[row]);
    return TERN_OK;
}
