/* SPDX-License-Identifier: MIT
 *
 * run() of packed weights on AMX int8 for 1 to 16 columns: one pass over the weights, for numbers
 * of columns with which vpdpbusd takes longer than reading them. Tiles have as many rows as there
 * are columns:
 *
 *     tiles 0, 1    sums of rows 0..15 and 16..31 of a panel
 *     tile 4        activations, 64 k of each column
 *     tiles 6, 7    codes of 64 k, rows 0..15 and 16..31
 *
 * A batch is as many lines as make whole tiles of 64 k. Batches are unpacked to bytes into a ring
 * that stays in L1, some ahead of the one that is multiplied, across the ends of panels: a tile
 * load has to wait for what was stored shortly before. Lines and tile instructions alternate, so
 * that both are among what the processor looks ahead to.
 *
 * Few tiles are named because a Xeon (family 6 model 207), presumably when its other hyperthread
 * has tiles too, takes 2.2 times as long for the same products with two sets of sums, activations
 * and codes in turn; else the two sets gain nothing.
 *
 * Measured there, one thread, trits4, K = 2560: from L2 with 1 and 8 columns 22.8 and 19.6 GB/s of
 * packed weights; with a ring of two batches 13.0 and 12.0, with all lines of a batch before its
 * products 18.4 and 16.2; stores alone allow 40. From memory, as a share of the best plain reader,
 * 4, 8 and 16 columns at 0.74, 0.66 and 0.53 while it reads 20 GB/s, 0.86, 0.72 and 0.56 while it
 * reads 14; vpdpbusd is at 0.70 and 0.41, the tiles of packed_amx.h at 0.30 with 16. Lines
 * prefetched to L1 instead of L2 take 4 % more time. trits5, whose batch is five tiles: 0.57, 0.52
 * and 0.40 against 0.55, 0.32 and 0.31. int4 with 8: 0.90 against 0.77. */
#ifndef TERN__PACKED_FEW_AMX_H
#define TERN__PACKED_FEW_AMX_H

#include "kernels/packed_avx512.h"
#include "kernels/tiles_amx.h"

enum {
    FEW_LEAST = PLANES == 1 ? 11 : 4, /* columns for which this is faster than vpdpbusd */
    FEW_MOST = TERN__PACKED_FEW,
    FEW_K = 64, /* of a tile */
    BATCH_TILES = FEW_K % UNIT == 0 ? 1 : 5,
    BATCH_K = BATCH_TILES * FEW_K,
    BATCH_LINES = BATCH_K / UNIT,
    TILE_GROUPS = FEW_K / 4,
    RING = BATCH_TILES == 1 ? 4 : 2,
    SHARES = 4,  /* of the lines of a tile, between which tile instructions stand */
    NEAR = 2048, /* bytes ahead, to L1 */
};

_Static_assert(BATCH_K % UNIT == 0, "whole lines");

typedef group few_ring[RING][BATCH_TILES * TILE_GROUPS];

/* Where a batch comes from and lies. Nothing here has an address that outlives a call, so that it
 * stays in registers across tile loads. */
typedef struct batch {
    int64_t panel;
    int64_t left; /* k from here to the end of the panel's range; 0 behind the last panel */
    const uint8_t *line;
    int64_t slot; /* of the ring */
} batch;

static inline batch first_batch(const tern__packed_args *args, int64_t panel, int64_t panel_end,
                                int64_t slot) {
    const int64_t left = panel < panel_end ? args->k_end - args->k_begin : 0;
    return (batch){panel, left, line_at(args, panel, args->k_begin), slot};
}

ALWAYS_INLINE void advance(const tern__packed_args *args, int64_t panel_end, batch *b) {
    b->slot = (b->slot + 1) % RING;
    b->line += BATCH_LINES * LINE;
    b->left -= BATCH_K;
    if (b->left <= 0)
        *b = first_batch(args, b->panel + 1, panel_end, b->slot);
}

ALWAYS_INLINE void unpack_line(const uint8_t *line, group *codes) {
    __m512i plane_low[PLANES], plane_high[PLANES];
    /* What has tiles prefetches within pages. */
    const char *far = (const char *)tern__packed_in_pages(line, LINE);
    const char *near = (const char *)line + NEAR;
    _mm_prefetch(far, _MM_HINT_T1);
    _mm_prefetch(far + 64, _MM_HINT_T1);
    _mm_prefetch(near, _MM_HINT_T0);
    _mm_prefetch(near + 64, _MM_HINT_T0);
    split(line, 1, plane_low);
    split(line + 64, 1, plane_high);
    for (int p = 0; p < PLANES; p++) {
        codes[p][0] = plane_low[p];
        codes[p][1] = plane_high[p];
    }
}

/* One of SHARES * BATCH_TILES shares of a batch, zeros where there are no more lines. */
ALWAYS_INLINE void unpack_share(few_ring ring, const batch *b, const int share) {
    const int begin = share * BATCH_LINES / (SHARES * BATCH_TILES);
    const int end = (share + 1) * BATCH_LINES / (SHARES * BATCH_TILES);
    group *codes = ring[b->slot];
    if (end * UNIT <= b->left) {
        for (int i = begin; i < end; i++)
            unpack_line(b->line + i * LINE, codes + i * PLANES);
        return;
    }
    for (int i = begin; i < end; i++)
        if (i * UNIT < b->left)
            unpack_line(b->line + i * LINE, codes + i * PLANES);
        else
            memset(codes + i * PLANES, 0, PLANES * sizeof *codes);
}

/* Adds the products of a tile of codes, while share `share` of `to` and those behind are unpacked.
 */
ALWAYS_INLINE void multiply_tile(const group *codes, const int8_t *q, int64_t q_stride,
                                 few_ring ring, const batch *to, const int share) {
    tern__tile_load(6, codes[0], sizeof(group));
    unpack_share(ring, to, share);
    tern__tile_load(4, q, q_stride);
    tern__tile_product(0, 4, 6);
    unpack_share(ring, to, share + 1);
    tern__tile_load(7, codes[0] + 1, sizeof(group));
    unpack_share(ring, to, share + 2);
    tern__tile_product(1, 4, 7);
    unpack_share(ring, to, share + 3);
}

/* The sums of a panel to where they belong, not those of rows beyond the weight. */
static inline void store_few(const tern__packed_args *args, int64_t panel) {
    int32_t sums[FEW_MOST][ROWS];
    tern__tile_store(0, sums[0], sizeof sums[0]);
    tern__tile_store(1, sums[0] + ROWS / 2, sizeof sums[0]);
    for (int64_t c = 0; c < args->n; c++)
        store_rows(args->out + c * args->out_stride + panel * ROWS, row_mask(args, panel),
                   load_low(sums[c], ~0u), load_high(sums[c], ~0u));
}

/* The activations of k that do not fill a tile, then zeros. */
static inline void pad_last(const tern__packed_args *args, int8_t last[FEW_MOST][FEW_K]) {
    const int64_t rest = (args->k_end - args->k_begin) % FEW_K;
    const __mmask64 mask = (UINT64_C(1) << rest) - 1;
    for (int64_t c = 0; c < args->n; c++) {
        const int8_t *q = args->q + c * args->q_stride + args->k_end - rest;
        _mm512_storeu_si512(last[c], _mm512_maskz_loadu_epi8(mask, q));
    }
}

static inline void configure_few(int64_t columns) {
    tern__tiles tiles = {.palette = 1};
    static const uint8_t column_tiles[] = {0, 1, 4}, code_tiles[] = {6, 7};
    for (size_t i = 0; i < sizeof column_tiles; i++) {
        tiles.row_bytes[column_tiles[i]] = 64;
        tiles.rows[column_tiles[i]] = (uint8_t)columns;
    }
    for (size_t i = 0; i < sizeof code_tiles; i++) {
        tiles.row_bytes[code_tiles[i]] = 64;
        tiles.rows[code_tiles[i]] = TILE_GROUPS;
    }
    tern__tiles_configure(&tiles);
}

/* All k of a panel whose first batches are in the ring from slot *slot on. Where the k of a batch
 * end, its codes are zero. */
ALWAYS_INLINE void multiply_panel(const tern__packed_args *args, int64_t panel_end, few_ring ring,
                                  int8_t last[FEW_MOST][FEW_K], int64_t *slot, batch *to) {
    const int8_t *q = args->q + args->k_begin;
    const int64_t q_stride = args->q_stride;
    for (int64_t left = args->k_end - args->k_begin; left > 0; left -= BATCH_K) {
        for (int tile = 0; tile < BATCH_TILES; tile++, q += FEW_K) {
            const bool is_full = left - tile * FEW_K >= FEW_K;
            multiply_tile(ring[*slot] + tile * TILE_GROUPS, is_full ? q : last[0],
                          is_full ? q_stride : FEW_K, ring, to, SHARES * tile);
        }
        *slot = (*slot + 1) % RING;
        advance(args, panel_end, to);
    }
}

static void run_few(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    few_ring ring;
    int8_t last[FEW_MOST][FEW_K];
    __m512i start[FEW_MOST];
    pad_last(args, last);
    for (int64_t c = 0; c < args->n; c++)
        start[c] = first_sums(args->q_sum[c]);
    batch to = first_batch(args, panel_begin, panel_end, 0);
    for (int i = 0; i < RING - 1; i++, advance(args, panel_end, &to))
        for (int share = 0; share < SHARES * BATCH_TILES; share++)
            unpack_share(ring, &to, share);
    configure_few(args->n);
    int64_t slot = 0;
    for (int64_t panel = panel_begin; panel < panel_end; panel++) {
        tern__tile_load(0, start, sizeof start[0]);
        tern__tile_load(1, start, sizeof start[0]);
        multiply_panel(args, panel_end, ring, last, &slot, &to);
        store_few(args, panel);
    }
    tern__tiles_release();
}

#endif
