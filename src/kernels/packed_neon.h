/* SPDX-License-Identifier: MIT
 *
 * run() of packed weights on Arm NEON without dot products: smlal adds products of bytes to int16
 * lanes, sadalp adds neighbouring pairs of those to int32 lanes every DEPTH k. Panels of 4 rows,
 * lines of 16 bytes (packed_lines_neon.h). A line is unpacked once for TILE columns; each byte of a
 * plane has an int16 lane of its own, to which DEPTH / 4 products are added: a variant defines
 * DEPTH, a multiple of UNIT, and proves that they fit. Sums are integers, hence exact in any order.
 */
#ifndef TERN__PACKED_NEON_H
#define TERN__PACKED_NEON_H

enum { ROWS = 4, SPAN = 4, TILE = 4 };

#include "kernels/packed_lines_neon.h"

/* The sums of one panel and columns [n, n + columns) over DEPTH k or less, added to total: lanes 2r
 * and 2r + 1 of a column's 8 make row r. */
ALWAYS_INLINE void add_depth(const tern__packed_args *args, int64_t panel, int64_t n,
                             int64_t k_begin, int32x4_t (*total)[2], const int columns) {
    const int64_t k_end = k_begin + DEPTH < args->k_end ? k_begin + DEPTH : args->k_end;
    const uint8_t *line = line_at(args, panel, k_begin);
    int16x8_t low[TILE], high[TILE];
    for (int c = 0; c < columns; c++)
        low[c] = high[c] = vdupq_n_s16(0);
    for (int64_t k = k_begin; k < k_end; k += UNIT, line += LINE) {
        cursor at = begin(line);
        for (int p = 0; p < PLANES; p++) {
            const int8x16_t codes = plane(&at, p);
            for (int c = 0; c < columns; c++) {
                const int8x16_t q = broadcast(args->q + (n + c) * args->q_stride + k + SPAN * p);
                low[c] = vmlal_s8(low[c], vget_low_s8(codes), vget_low_s8(q));
                high[c] = vmlal_high_s8(high[c], codes, q);
            }
        }
    }
    for (int c = 0; c < columns; c++) {
        total[c][0] = vpadalq_s16(total[c][0], low[c]);
        total[c][1] = vpadalq_s16(total[c][1], high[c]);
    }
}

ALWAYS_INLINE void tile(const tern__packed_args *args, int64_t panel, int64_t n,
                        const int columns) {
    int32x4_t total[TILE][2];
    for (int c = 0; c < columns; c++)
        total[c][0] = total[c][1] = vdupq_n_s32(0);
    for (int64_t k = args->k_begin; k < args->k_end; k += DEPTH)
        add_depth(args, panel, n, k, total, columns);
    for (int c = 0; c < columns; c++) {
        int32_t sums[ROWS];
        vst1q_s32(sums,
                  vaddq_s32(vpaddq_s32(total[c][0], total[c][1]), vdupq_n_s32(start(args, n + c))));
        store_rows(args, panel, n + c, sums);
    }
}

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    for (int64_t panel = panel_begin; panel < panel_end; panel++) {
        int64_t n = 0;
        for (; n + TILE <= args->n; n += TILE)
            tile(args, panel, n, TILE);
        for (; n < args->n; n++)
            tile(args, panel, n, 1);
    }
}

#endif
