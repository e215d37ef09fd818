/* SPDX-License-Identifier: MIT
 *
 * run() of packed weights on Arm matrix products of bytes: smmla adds the products of 2 rows with 2
 * columns over 8 k to 4 int32 lanes, modulo 2^32. Panels of 8 rows, which are 4 pairs, lines of 64
 * bytes (packed_lines_neon.h). A line is unpacked once for TILE columns; one column is multiplied
 * twice, in no more instructions than dot products would take. Sums are integers, hence exact in
 * any order. */
#ifndef TERN__PACKED_I8MM_H
#define TERN__PACKED_I8MM_H

enum { ROWS = 8, SPAN = 8, PAIRS = ROWS / 2, TILE = 8 };

#include "kernels/packed_lines_neon.h"

static inline int8x16_t two_columns(const int8_t *first, const int8_t *second) {
    return vcombine_s8(vld1_s8(first), vld1_s8(second));
}

/* Columns [n, n + 2 * pairs), of which those beyond the last one are the last one. */
ALWAYS_INLINE void tile(const tern__packed_args *args, int64_t panel, int64_t n, const int pairs) {
    const uint8_t *line = line_at(args, panel, args->k_begin);
    const int8_t *q[TILE];
    int32x4_t sum[PAIRS][TILE / 2];
    for (int c = 0; c < 2 * pairs; c++)
        q[c] = args->q + (n + c < args->n ? n + c : args->n - 1) * args->q_stride;
    for (int r = 0; r < PAIRS; r++)
        for (int c = 0; c < pairs; c++)
            sum[r][c] = vdupq_n_s32(0);
    for (int64_t k = args->k_begin; k < args->k_end; k += UNIT, line += LINE) {
        cursor at[PAIRS];
        for (int r = 0; r < PAIRS; r++)
            at[r] = begin(line + 16 * r);
        for (int p = 0; p < PLANES; p++) {
            int8x16_t codes[PAIRS];
            for (int r = 0; r < PAIRS; r++)
                codes[r] = plane(&at[r], p);
            for (int c = 0; c < pairs; c++) {
                const int64_t from = k + SPAN * p;
                const int8x16_t two = two_columns(q[2 * c] + from, q[2 * c + 1] + from);
                for (int r = 0; r < PAIRS; r++)
                    sum[r][c] = vmmlaq_s32(sum[r][c], codes[r], two);
            }
        }
    }
    for (int c = 0; c < 2 * pairs && n + c < args->n; c++) {
        int32_t sums[ROWS];
        for (int r = 0; r < PAIRS; r++) {
            int32_t four[4]; /* (2 rows, 2 columns) */
            vst1q_s32(four, vaddq_s32(sum[r][c / 2], vdupq_n_s32(start(args, n + c))));
            sums[2 * r] = four[c % 2];
            sums[2 * r + 1] = four[2 + c % 2];
        }
        store_rows(args, panel, n + c, sums);
    }
}

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    for (int64_t panel = panel_begin; panel < panel_end; panel++) {
        int64_t n = 0;
        for (; n + TILE <= args->n; n += TILE)
            tile(args, panel, n, TILE / 2);
        for (; n < args->n; n += 2)
            tile(args, panel, n, 1);
    }
}

#endif
