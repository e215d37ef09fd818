/* SPDX-License-Identifier: MIT
 * The loops of the families `gemm` and `gemm_f64`: what gemm_tiles.h asks for where a unit is one
 * number, and packing. A variant is a file that defines number, vector, LANES, VECTORS, ROWS, load,
 * store, zero, fused, and
 *
 *     spread(x)                     one number in all lanes
 *     STEPS                         k of a block of transpose()
 *     transpose(b, j_stride, dst)   dst[k * PANEL + j] = b[j * j_stride + k], k < STEPS, j < PANEL
 *
 * and then includes this. */
#ifndef TERN__GEMM_LOOPS_H
#define TERN__GEMM_LOOPS_H

#include <string.h>

typedef number unit;
typedef vector units;
enum { GROUP = 1 };

static inline units load_units(const unit *x) {
    return load(x);
}

static inline vector corrected(vector c, const unit *tail) {
    (void)tail;
    return c;
}

#include "kernels/gemm_tiles.h"

static void pack_a(const void *a, int64_t line_stride, int64_t step, int64_t lines, int64_t length,
                   void *dst, int64_t dst_stride) {
    for (int64_t x = 0; x < lines; x++) {
        const number *restrict from = (const number *)a + x * line_stride;
        number *restrict to = (number *)dst + x * dst_stride;
        if (step == 1 && length == ROWS)
            memcpy(to, from, ROWS * sizeof *to);
        else if (step == 1)
            for (int64_t y = 0; y < length; y++)
                to[y] = from[y];
        else
            for (int64_t y = 0; y < length; y++)
                to[y] = from[y * step];
    }
}

static void pack_b(const void *from, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                   void *to) {
    const number *b = from;
    number *dst = to;
    int64_t k = 0;
    if (columns == PANEL && j_stride == 1)
        for (; k < depth; k++)
            for (int h = 0; h < VECTORS; h++) {
                __builtin_prefetch(b + (k + 8) * k_stride + h * LANES);
                store(dst + k * PANEL + h * LANES, load(b + k * k_stride + h * LANES));
            }
    if (columns == PANEL && k_stride == 1)
        for (; k + STEPS <= depth; k += STEPS)
            transpose(b + k, j_stride, dst + k * PANEL);
    for (; k < depth; k++)
        for (int j = 0; j < PANEL; j++)
            dst[k * PANEL + j] = j < columns ? b[k * k_stride + j * j_stride] : (number)0;
}

#endif
