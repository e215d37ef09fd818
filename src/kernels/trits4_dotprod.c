/* SPDX-License-Identifier: MIT
 *
 * Family `trits4`, Arm dot products: sdot adds four products of bytes to each of 4 int32 lanes;
 * lanes are rows of the weight, and a lane of four activations is chosen by index.
 *
 * Panels of 8 rows, lines of 32 bytes (packed_lines.h).
 * A line is unpacked once for TILE columns. Bound: 2 * 128 * K = 2^26 at K = 2^18. Sums are
 * integers, hence exact in any order. */
#include <arm_neon.h>

#include "kernels/packed_lines.h"

enum {
    ROWS = 8,
    UNIT = TERN__TRITS4_UNIT,
    LINE = ROWS * UNIT / 4,
    TILE = 8,
};

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__trits4_pack_lines(codes, k, ROWS, panel);
}

static inline void split(const uint8_t *line, int8x16_t plane[4]) {
    const uint8x16_t v = vld1q_u8(line), mask = vdupq_n_u8(3);
    plane[0] = vreinterpretq_s8_u8(vandq_u8(v, mask));
    plane[1] = vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(v, 2), mask));
    plane[2] = vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(v, 4), mask));
    plane[3] = vreinterpretq_s8_u8(vshrq_n_u8(v, 6));
}

static inline int32x4_t dot(int32x4_t sum, const int8x16_t plane[4], int8x16_t q) {
    sum = vdotq_laneq_s32(sum, plane[0], q, 0);
    sum = vdotq_laneq_s32(sum, plane[1], q, 1);
    sum = vdotq_laneq_s32(sum, plane[2], q, 2);
    return vdotq_laneq_s32(sum, plane[3], q, 3);
}

/* Columns [n, n + columns) of one panel. */
__attribute__((always_inline)) static inline void tile(const tern__packed_args *args, int64_t panel,
                                                       int64_t n, const int columns) {
    const uint8_t *line = tern__trits4_line(args, ROWS, panel, args->k_begin);
    int32x4_t low[TILE], high[TILE];
    for (int c = 0; c < columns; c++)
        low[c] = high[c] = vdupq_n_s32(-args->q_sum[n + c]);
    for (int64_t k = args->k_begin; k < args->k_end; k += UNIT, line += LINE) {
        int8x16_t plane_low[4], plane_high[4];
        split(line, plane_low);
        split(line + LINE / 2, plane_high);
        for (int c = 0; c < columns; c++) {
            const int8x16_t q = vld1q_s8(args->q + (n + c) * args->q_stride + k);
            low[c] = dot(low[c], plane_low, q);
            high[c] = dot(high[c], plane_high, q);
        }
    }
    const int64_t rows = args->m - panel * ROWS;
    for (int c = 0; c < columns; c++) {
        int32_t sums[ROWS];
        vst1q_s32(sums, low[c]);
        vst1q_s32(sums + ROWS / 2, high[c]);
        memcpy(args->out + (n + c) * args->out_stride + panel * ROWS, sums,
               (size_t)(rows < ROWS ? rows : ROWS) * sizeof *sums);
    }
}

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    for (int64_t panel = panel_begin; panel < panel_end; panel++) {
        int64_t n = 0;
        for (; n + TILE <= args->n; n += TILE)
            tile(args, panel, n, TILE);
        for (; n + 4 <= args->n; n += 4)
            tile(args, panel, n, 4);
        for (; n < args->n; n++)
            tile(args, panel, n, 1);
    }
}

const tern__packed_kernel tern__trits4_dotprod = {
    .variant = {.name = "dotprod", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
