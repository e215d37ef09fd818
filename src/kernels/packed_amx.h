/* SPDX-License-Identifier: MIT
 *
 * run() of packed weights on AMX int8, for what packed_avx512.h makes of a panel: bytes, 4 k of 16
 * rows in 64 of them. 16 of these groups, 128 bytes apart, are a tile of codes (64 k, 16 rows of
 * the weight); 16 columns of activations as they lie, 64 k each, are the other operand. A block is
 * 32 columns and the 32 rows of a panel, four tiles of sums:
 *
 *     tiles 0 1    columns 0..15     tile 4    activations of columns 0..15, 5 of the others
 *           2 3    columns 16..31    tile 6    codes of rows 0..15, 7 of the others
 *
 * Every tile has 16 rows of 64 bytes. Where columns, rows or k end within one, copies padded with
 * zeros stand in: nothing is read or written beyond what there is. Up to FEW_MOST columns products
 * are those of packed_few_amx.h, below FEW_LEAST those of packed_avx512.h; lines are the same. */
#ifndef TERN__PACKED_AMX_H
#define TERN__PACKED_AMX_H

#define STREAM_PAGES 4 /* what has tiles is such a Xeon */
#include "kernels/packed_avx512.h"
#include "kernels/packed_few_amx.h"
#include "kernels/tiles_amx.h"

enum {
    SIDE = 16, /* of a tile: rows, and groups of 4 k */
    BLOCK = 2 * SIDE,
};

static const tern__tiles all_tiles = {
    .palette = 1,
    .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
    .rows = {SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE},
};

/* 64 k of 16 columns, of which `columns` and `k` are there, zero elsewhere. */
static void pad_activations(int8_t to[SIDE][64], const int8_t *q, int64_t stride, int64_t columns,
                            int64_t k) {
    const __mmask64 mask = k >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << k) - 1;
    for (int64_t c = 0; c < SIDE; c++)
        _mm512_storeu_si512(to[c], c < columns ? _mm512_maskz_loadu_epi8(mask, q + c * stride)
                                               : _mm512_setzero_si512());
}

/* What the sums of `columns` columns begin with, into `sums`; columns beyond are left as they are,
 * their activations are zero. */
static void begin_sums(const tile_args *tile, int64_t n, int64_t columns, int32_t *sums,
                       int64_t stride) {
    for (int64_t c = 0; c < columns; c++) {
        const int32_t *out = tile->out + (n + c) * tile->out_stride;
        i32x16 low = (i32x16)first_sums(tile->q_sum[n + c]), high = low;
        if (!tile->is_first) {
            low = load_low(out, tile->mask);
            high = load_high(out, tile->mask);
        }
        store_rows(sums + c * stride, 0xffffffffu, low, high);
    }
}

/* The columns [n, n + columns), at most 16 * halves. `last` stands in for the last groups, when
 * they are fewer than 16. */
ALWAYS_INLINE void multiply_block(const tile_args *tile, const group *last, int64_t n,
                                  int64_t columns, const int halves) {
    int32_t edge[BLOCK][ROWS];
    int8_t padded[BLOCK][64];
    const bool is_full = columns == halves * SIDE, is_whole = is_full && tile->mask == 0xffffffffu;
    int32_t *sums = is_whole ? tile->out + n * tile->out_stride : edge[0];
    const int64_t row = is_whole ? tile->out_stride : ROWS, row_bytes = row * 4;
    if (!is_whole || tile->is_first)
        begin_sums(tile, n, columns, sums, row);
    tern__tile_load(0, sums, row_bytes);
    tern__tile_load(1, sums + SIDE, row_bytes);
    if (halves == 2) {
        tern__tile_load(2, sums + SIDE * row, row_bytes);
        tern__tile_load(3, sums + SIDE * row + SIDE, row_bytes);
    }
    for (int64_t g = 0; g < tile->groups; g += SIDE) {
        const int64_t left = tile->groups - g;
        const group *codes = left < SIDE ? last : tile->codes + g;
        const int8_t *q = tile->q + n * tile->q_stride + 4 * g;
        int64_t q_stride = tile->q_stride;
        if (!is_full || left < SIDE) {
            for (int h = 0; h < halves; h++)
                pad_activations(padded + h * SIDE, q + h * SIDE * q_stride, q_stride,
                                columns - h * SIDE, 4 * left);
            q = padded[0];
            q_stride = 64;
        }
        tern__tile_load(6, codes[0], sizeof(group));
        tern__tile_load(7, codes[0] + 1, sizeof(group));
        tern__tile_load(4, q, q_stride);
        tern__tile_product(0, 4, 6);
        tern__tile_product(1, 4, 7);
        if (halves == 2) {
            tern__tile_load(5, q + SIDE * q_stride, q_stride);
            tern__tile_product(2, 5, 6);
            tern__tile_product(3, 5, 7);
        }
    }
    tern__tile_store(0, sums, row_bytes);
    tern__tile_store(1, sums + SIDE, row_bytes);
    if (halves == 2) {
        tern__tile_store(2, sums + SIDE * row, row_bytes);
        tern__tile_store(3, sums + SIDE * row + SIDE, row_bytes);
    }
    for (int64_t c = 0; !is_whole && c < columns; c++)
        store_rows(tile->out + (n + c) * tile->out_stride, tile->mask, load_low(edge[c], ~0u),
                   load_high(edge[c], ~0u));
}

static void multiply_tiles(const tile_args *tile, int64_t begin, int64_t end) {
    group last[SIDE];
    const int64_t rest = tile->groups % SIDE;
    for (int64_t g = 0; rest != 0 && g < SIDE; g++)
        for (int h = 0; h < 2; h++)
            last[g][h] =
                g < rest ? tile->codes[tile->groups - rest + g][h] : _mm512_setzero_si512();
    for (int64_t n = begin; n < end; n += BLOCK)
        if (end - n > SIDE)
            multiply_block(tile, (const group *)last, n, smaller(BLOCK, end - n), 2);
        else
            multiply_block(tile, (const group *)last, n, end - n, 1);
}

static inline void run_tiles(const tern__packed_args *args, int64_t panel_begin,
                             int64_t panel_end) {
    if (args->n < FEW_LEAST) {
        run_vnni(args, panel_begin, panel_end);
        return;
    }
    if (args->n <= FEW_MOST) {
        run_few(args, panel_begin, panel_end);
        return;
    }
    tern__tiles_configure(&all_tiles);
    run_blocks(args, panel_begin, panel_end, BLOCK, multiply_tiles);
    tern__tiles_release();
}

#endif
