/* SPDX-License-Identifier: MIT
 *
 * run() of packed weights on Arm dot products: sdot adds four products of bytes to each of 4 int32
 * lanes, modulo 2^32; lanes are rows of the weight. Panels of 8 rows, lines of 32 bytes
 * (packed_lines_neon.h). A line is unpacked once for TILE columns. Sums are integers, hence exact
 * in any order. */
#ifndef TERN__PACKED_DOTPROD_H
#define TERN__PACKED_DOTPROD_H

enum { ROWS = 8, SPAN = 4, TILE = 8 };

#include "kernels/packed_lines_neon.h"

/* Columns [n, n + columns) of one panel. */
ALWAYS_INLINE void tile(const tern__packed_args *args, int64_t panel, int64_t n,
                        const int columns) {
    const uint8_t *line = line_at(args, panel, args->k_begin);
    int32x4_t low[TILE], high[TILE];
    for (int c = 0; c < columns; c++)
        low[c] = high[c] = vdupq_n_s32(start(args, n + c));
    for (int64_t k = args->k_begin; k < args->k_end; k += UNIT, line += LINE) {
        cursor at_low = begin(line), at_high = begin(line + LINE / 2);
        for (int p = 0; p < PLANES; p++) {
            const int8x16_t codes_low = plane(&at_low, p), codes_high = plane(&at_high, p);
            for (int c = 0; c < columns; c++) {
                const int8x16_t q = broadcast(args->q + (n + c) * args->q_stride + k + SPAN * p);
                low[c] = vdotq_s32(low[c], codes_low, q);
                high[c] = vdotq_s32(high[c], codes_high, q);
            }
        }
    }
    for (int c = 0; c < columns; c++) {
        int32_t sums[ROWS];
        vst1q_s32(sums, low[c]);
        vst1q_s32(sums + ROWS / 2, high[c]);
        store_rows(args, panel, n + c, sums);
    }
}

/* All columns of one panel. */
static void run_panel(const tern__packed_args *args, int64_t panel) {
    int64_t n = 0;
    for (; n + TILE <= args->n; n += TILE)
        tile(args, panel, n, TILE);
    for (; n + 4 <= args->n; n += 4)
        tile(args, panel, n, 4);
    for (; n < args->n; n++)
        tile(args, panel, n, 1);
}

#endif
