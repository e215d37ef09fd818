/* SPDX-License-Identifier: MIT
 *
 * Family `trits4`, Arm NEON without dot products: smlal adds products of bytes to int16 lanes,
 * sadalp adds neighbouring pairs of those to int32 lanes.
 *
 * Panels of 4 rows, lines of 16 bytes (packed_lines.h).
 * A line is unpacked once for TILE columns. Each byte of a plane has an int16 lane of its own.
 * Bounds, int16: DEPTH / 4 = 64 products between 2 * -128 and 2 * 127 make -16384 .. 16256. int32:
 * 2 * 128 * K = 2^26 at K = 2^18. Sums are integers, hence exact in any order. */
#include <arm_neon.h>

#include "kernels/packed_lines.h"

enum {
    ROWS = 4,
    UNIT = TERN__TRITS4_UNIT,
    LINE = ROWS * UNIT / 4,
    TILE = 4,
    DEPTH = 256,
};

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__trits4_pack_lines(codes, k, ROWS, panel);
}

static inline int8x16_t broadcast(const int8_t *q) {
    return vreinterpretq_s8_s32(vdupq_n_s32(tern__packed_four(q)));
}

static inline void split(const uint8_t *line, int8x16_t plane[4]) {
    const uint8x16_t v = vld1q_u8(line), mask = vdupq_n_u8(3);
    plane[0] = vreinterpretq_s8_u8(vandq_u8(v, mask));
    plane[1] = vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(v, 2), mask));
    plane[2] = vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(v, 4), mask));
    plane[3] = vreinterpretq_s8_u8(vshrq_n_u8(v, 6));
}

/* The sums of one panel and columns [n, n + columns) over DEPTH k or less, added to total: lanes 2r
 * and 2r + 1 of a column's 8 make row r. */
__attribute__((always_inline)) static inline void add_depth(const tern__packed_args *args,
                                                            int64_t panel, int64_t n,
                                                            int64_t k_begin, int32x4_t (*total)[2],
                                                            const int columns) {
    const int64_t k_end = k_begin + DEPTH < args->k_end ? k_begin + DEPTH : args->k_end;
    const uint8_t *line = tern__trits4_line(args, ROWS, panel, k_begin);
    int16x8_t low[TILE], high[TILE];
    for (int c = 0; c < columns; c++)
        low[c] = high[c] = vdupq_n_s16(0);
    for (int64_t k = k_begin; k < k_end; k += UNIT, line += LINE) {
        int8x16_t plane[4];
        split(line, plane);
        for (int c = 0; c < columns; c++)
            for (int p = 0; p < 4; p++) {
                const int8x16_t q = broadcast(args->q + (n + c) * args->q_stride + k + 4 * p);
                low[c] = vmlal_s8(low[c], vget_low_s8(plane[p]), vget_low_s8(q));
                high[c] = vmlal_high_s8(high[c], plane[p], q);
            }
    }
    for (int c = 0; c < columns; c++) {
        total[c][0] = vpadalq_s16(total[c][0], low[c]);
        total[c][1] = vpadalq_s16(total[c][1], high[c]);
    }
}

__attribute__((always_inline)) static inline void tile(const tern__packed_args *args, int64_t panel,
                                                       int64_t n, const int columns) {
    int32x4_t total[TILE][2];
    for (int c = 0; c < columns; c++)
        total[c][0] = total[c][1] = vdupq_n_s32(0);
    for (int64_t k = args->k_begin; k < args->k_end; k += DEPTH)
        add_depth(args, panel, n, k, total, columns);
    const int64_t rows = args->m - panel * ROWS;
    for (int c = 0; c < columns; c++) {
        int32_t sums[ROWS];
        vst1q_s32(sums,
                  vsubq_s32(vpaddq_s32(total[c][0], total[c][1]), vdupq_n_s32(args->q_sum[n + c])));
        memcpy(args->out + (n + c) * args->out_stride + panel * ROWS, sums,
               (size_t)(rows < ROWS ? rows : ROWS) * sizeof *sums);
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

const tern__packed_kernel tern__trits4_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
