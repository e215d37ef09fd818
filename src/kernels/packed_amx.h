/* SPDX-License-Identifier: MIT
 *
 * run() of packed weights on AMX int8, for what packed_avx512.h makes of a panel: bytes, 4 k of 16
 * rows in 64 of them. 16 of these groups, 128 bytes apart, are a tile of weights (64 k, 16 rows of
 * the weight); 16 columns of activations as they lie, a strip, 64 k each, are the other operand. A
 * block is up to three strips and the 32 rows of a panel, six tiles of sums:
 *
 *     tiles 0 1    strip 0       tile 6    activations of a strip
 *           2 3    strip 1            7    weights of rows 0..15 or of rows 16..31
 *           4 5    strip 2
 *
 * and six products take seven loads of tiles. Weights are unpacked to signed bytes, CHUNK k of a
 * panel at once, for all columns; sums are carried in tiles over all of them. While a chunk is
 * multiplied the next one is unpacked, a line or more for each 64 k. Up to FEW_MOST columns
 * products are those of packed_few_amx.h, below FEW_LEAST those of packed_avx512.h; lines are the
 * same.
 *
 * What bounds this is the second cache. Tile loads from the first one keep the unit busy (98 % of
 * its rate with 2 x 2 and with 3 x 2 tiles), but the first cache does not hold what they load: 5
 * KiB of operands for six products, 96 cycles, come from the second, which gives about 40 bytes a
 * cycle and takes 64 in four to five cycles. So blocks walk the k of a chunk backwards and forwards
 * in turns; what was used last is still in the first cache. Measured on a Xeon (family 6 model
 * 207), operands alone, as a share of what products fed from the first cache reach, K = 2560: 2 x 2
 * tiles 69 %, in turns 73 %; 3 x 2 tiles 73 %, in turns 76 %. Chunks of 512 k whose weights stay in
 * the first cache, with sums carried through the second: 72 % without unpacking; each 64 k unpacked
 * for one block just before its products: 71 %. Prefetches of operands help only where one of the
 * two is in the first cache anyway. Rows of activations an even number of cache lines apart meet in
 * few sets: 63 % against 74. Sums that go straight to a large result: 65 %, as it displaces
 * operands; so they go to a block that the caller keeps in the cache. Whole products of 512 columns
 * 59 to 62 %; without unpacking, whose stores go to the second cache, 66 %. While the other
 * hyperthread of the core uses tiles as well, all of this and the limit itself are at a half to a
 * quarter.
 *
 * Bound: code - OFFSET fits int8 whatever the packing, so that a product is at most 2^14 and a sum
 * 2^30 at k_max; q_sum is not used.
 *
 * Every tile has 16 rows of 64 bytes. The last strip is the last 16 columns, whether another has
 * some of them too: both are in one block, begin with the same sums and end with the same. Sums of
 * rows that are not to be written go to a copy. */
#ifndef TERN__PACKED_AMX_H
#define TERN__PACKED_AMX_H

#include "kernels/packed_avx512.h"
#include "kernels/packed_few_amx.h"
#include "kernels/tiles_amx.h"

enum {
    SIDE = 16, /* of a tile: rows, and groups of 4 k */
    STRIPS = 3,
    STEP = 4 * SIDE, /* k of a tile */
    /* A multiple of UNIT and of STEP. 1280 is slower by 3 to 6 %, 640 by 13 to 15: sums are carried
     * through memory more often. */
    CHUNK = 2560,
    FETCHED = 2048, /* bytes between a line that is unpacked and the one that is prefetched */
    /* Half of a second cache of 2 MiB, of which the other thread of the core has a share, and which
     * has two chunks and the sums of a call too. 512 columns of K = 2560 at once: 52 % without
     * unpacking, 256: 66 %, 128: 61 %. */
    Q_BYTES = 1 << 20,
    PANELS_AT_ONCE = 4, /* only the first one is not unpacked while another is multiplied */
};

_Static_assert(CHUNK % UNIT == 0 && CHUNK % STEP == 0, "whole lines and tiles");
_Static_assert(FEW_MOST >= SIDE - 1, "strips of SIDE columns");

/* args->scratch: this chunk and the next one. */
typedef group chunk_weights[CHUNK / 4];
enum { TILE_SCRATCH = 2 * sizeof(chunk_weights) };
_Static_assert(TILE_SCRATCH <= TERN__PACKED_SCRATCH, "what callers have");

static const tern__tiles all_tiles = {
    .palette = 1,
    .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
    .rows = {SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE},
};

/* At most CHUNK k of a panel as signed bytes, and the columns they meet. */
typedef struct chunk_args {
    const group *weights;
    int64_t steps;   /* of 64 k */
    int64_t rest;    /* k beyond them; behind these, up to 64, weights are zero */
    const int8_t *q; /* (n, q_stride) from the first of these k on */
    int64_t q_stride;
    int64_t n;    /* at least SIDE */
    int32_t *out; /* (n, out_stride) from the first row of the panel on */
    int64_t out_stride;
    uint32_t mask;
    bool is_first; /* sums begin with 0, else with what out holds */
} chunk_args;

/* A strip as the tiles see it. */
typedef struct strip {
    const int8_t *q;
    int64_t q_stride;
    int32_t *sums;
    int64_t sums_stride;
} strip;

/* What is still to be unpacked of the next chunk, while this one is multiplied. */
typedef struct feed {
    const uint8_t *line;
    group *weights;
    int64_t lines;
} feed;

ALWAYS_INLINE void unpack_signed(feed *f) {
    const __m512i offset = _mm512_set1_epi8((char)OFFSET);
    __m512i plane_low[PLANES], plane_high[PLANES];
    _mm_prefetch((const char *)f->line + FETCHED, _MM_HINT_T0);
    _mm_prefetch((const char *)f->line + FETCHED + 64, _MM_HINT_T0);
    split(f->line, 1, plane_low);
    split(f->line + 64, 1, plane_high);
    for (int p = 0; p < PLANES; p++) {
        f->weights[p][0] = _mm512_sub_epi8(plane_low[p], offset);
        f->weights[p][1] = _mm512_sub_epi8(plane_high[p], offset);
    }
    f->line += LINE;
    f->weights += PLANES;
    f->lines--;
}

/* Sums of the block between `strip` and the tiles. */
#define EACH_SUMS(strips, move)                                                                    \
    do {                                                                                           \
        move(0, s[0].sums, s[0].sums_stride);                                                      \
        move(1, s[0].sums + SIDE, s[0].sums_stride);                                               \
        if (strips > 1) {                                                                          \
            move(2, s[1].sums, s[1].sums_stride);                                                  \
            move(3, s[1].sums + SIDE, s[1].sums_stride);                                           \
        }                                                                                          \
        if (strips > 2) {                                                                          \
            move(4, s[2].sums, s[2].sums_stride);                                                  \
            move(5, s[2].sums + SIDE, s[2].sums_stride);                                           \
        }                                                                                          \
    } while (0)

#define ZERO_SUMS(tile, sums, stride)  tern__tile_zero(tile)
#define LOAD_SUMS(tile, sums, stride)  tern__tile_load(tile, sums, (stride)*4)
#define STORE_SUMS(tile, sums, stride) tern__tile_store(tile, sums, (stride)*4)

/* 64 k from k = at on. */
ALWAYS_INLINE void multiply_step(const strip *s, int64_t at, const group *weights,
                                 const int strips) {
    const void *low = weights[0], *high = weights[0] + 1;
    const int64_t apart = sizeof(group);
    tern__tile_load(7, low, apart);
    tern__tile_load(6, s[0].q + at, s[0].q_stride);
    tern__tile_product_signed(0, 6, 7);
    if (strips > 1) {
        tern__tile_load(6, s[1].q + at, s[1].q_stride);
        tern__tile_product_signed(2, 6, 7);
    }
    if (strips > 2) {
        tern__tile_load(6, s[2].q + at, s[2].q_stride);
        tern__tile_product_signed(4, 6, 7);
    }
    tern__tile_load(7, high, apart);
    if (strips > 2) {
        tern__tile_product_signed(5, 6, 7);
        tern__tile_load(6, s[1].q + at, s[1].q_stride);
    }
    if (strips > 1) {
        tern__tile_product_signed(3, 6, 7);
        tern__tile_load(6, s[0].q + at, s[0].q_stride);
    }
    tern__tile_product_signed(1, 6, 7);
}

ALWAYS_INLINE void multiply_strips(const chunk_args *chunk, const strip s[STRIPS],
                                   const strip rest[STRIPS], bool is_backward, feed *next,
                                   int64_t lines, const int strips) {
    if (chunk->is_first)
        EACH_SUMS(strips, ZERO_SUMS);
    else
        EACH_SUMS(strips, LOAD_SUMS);
    for (int64_t i = 0; i < chunk->steps; i++) {
        const int64_t step = is_backward ? chunk->steps - 1 - i : i;
        for (int64_t j = 0; j < lines && next->lines > 0; j++)
            unpack_signed(next);
        multiply_step(s, step * STEP, chunk->weights + step * SIDE, strips);
    }
    if (chunk->rest > 0)
        multiply_step(rest, 0, chunk->weights + chunk->steps * SIDE, strips);
    EACH_SUMS(strips, STORE_SUMS);
}

/* A copy of k activations of a strip, fewer than 64, with zeros behind them. */
static void pad(const int8_t *q, int64_t stride, int64_t k, int8_t to[SIDE][STEP]) {
    const __mmask64 mask = (UINT64_C(1) << k) - 1;
    for (int64_t c = 0; c < SIDE; c++)
        _mm512_storeu_si512(to[c], _mm512_maskz_loadu_epi8(mask, q + c * stride));
}

/* Between the sums of a strip and a copy: the rows of the panel that there are. */
static void copy_sums(const int32_t *from, int64_t from_stride, int32_t *to, int64_t to_stride,
                      uint32_t mask) {
    for (int64_t c = 0; c < SIDE; c++)
        store_rows(to + c * to_stride, mask, load_low(from + c * from_stride, mask),
                   load_high(from + c * from_stride, mask));
}

/* The block of the columns from n on. */
ALWAYS_INLINE void multiply_block(const chunk_args *chunk, int64_t n, bool is_backward, feed *next,
                                  int64_t lines, const int strips) {
    int8_t padded[STRIPS][SIDE][STEP];
    int32_t copy[STRIPS][SIDE][ROWS];
    strip s[STRIPS], rest[STRIPS];
    int32_t *out[STRIPS];
    for (int i = 0; i < strips; i++) {
        const int64_t column = smaller(n + i * SIDE, chunk->n - SIDE);
        out[i] = chunk->out + column * chunk->out_stride;
        s[i] = (strip){chunk->q + column * chunk->q_stride, chunk->q_stride, out[i],
                       chunk->out_stride};
        if (chunk->mask != 0xffffffffu) {
            s[i].sums = copy[i][0];
            s[i].sums_stride = ROWS;
            if (!chunk->is_first)
                copy_sums(out[i], chunk->out_stride, copy[i][0], ROWS, chunk->mask);
        }
        if (chunk->rest > 0) {
            pad(s[i].q + chunk->steps * STEP, s[i].q_stride, chunk->rest, padded[i]);
            rest[i] = (strip){.q = padded[i][0], .q_stride = STEP};
        }
    }
    multiply_strips(chunk, s, rest, is_backward, next, lines, strips);
    for (int i = 0; i < strips; i++)
        if (s[i].sums != out[i])
            copy_sums(copy[i][0], ROWS, out[i], chunk->out_stride, chunk->mask);
}

/* Blocks of three strips; four are two of two, so that the last two strips share a block. The next
 * chunk is unpacked meanwhile. */
static void multiply_chunk(const chunk_args *chunk, feed *next) {
    int64_t strips = (chunk->n + SIDE - 1) / SIDE;
    const int64_t steps = chunk->steps * ((strips + STRIPS - 1) / STRIPS) + 1;
    const int64_t lines = (next->lines + steps - 1) / steps;
    bool is_backward = true; /* the last weights were unpacked just before */
    for (int64_t n = 0; strips > 0; is_backward = !is_backward) {
        const int64_t width = strips == 4 ? 2 : smaller(strips, STRIPS);
        if (width == 3)
            multiply_block(chunk, n, is_backward, next, lines, 3);
        else if (width == 2)
            multiply_block(chunk, n, is_backward, next, lines, 2);
        else
            multiply_block(chunk, n, is_backward, next, lines, 1);
        n += width * SIDE;
        strips -= width;
    }
    while (next->lines > 0)
        unpack_signed(next);
}

/* Where a chunk is. They are numbered over the k of a panel, then over panels. */
typedef struct place {
    int64_t panel, k, depth;
} place;

static place place_of(const tern__packed_args *args, int64_t chunks, int64_t panel_begin,
                      int64_t i) {
    const int64_t k = args->k_begin + i % chunks * CHUNK;
    return (place){panel_begin + i / chunks, k, smaller(CHUNK, args->k_end - k)};
}

/* All lines of a chunk; behind them zeros up to whole steps. */
static feed feed_of(const tern__packed_args *args, place at, group *weights) {
    for (int64_t g = at.depth / 4; g % SIDE != 0; g++)
        weights[g][0] = weights[g][1] = _mm512_setzero_si512();
    return (feed){line_at(args, at.panel, at.k), weights, at.depth / UNIT};
}

static void multiply_panels(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    chunk_weights *weights = args->scratch;
    const int64_t chunks =
        args->k_end > args->k_begin ? (args->k_end - args->k_begin + CHUNK - 1) / CHUNK : 1;
    const int64_t count = chunks * (panel_end - panel_begin);
    if (count == 0)
        return;
    place at = place_of(args, chunks, panel_begin, 0);
    feed next = feed_of(args, at, weights[0]);
    while (next.lines > 0)
        unpack_signed(&next);
    for (int64_t i = 0; i < count; i++) {
        const chunk_args chunk = {
            .weights = (const group *)weights[i % 2],
            .steps = at.depth / STEP,
            .rest = at.depth % STEP,
            .q = args->q + at.k,
            .q_stride = args->q_stride,
            .n = args->n,
            .out = args->out + at.panel * ROWS,
            .out_stride = args->out_stride,
            .mask = row_mask(args, at.panel),
            .is_first = at.k == args->k_begin,
        };
        if (i + 1 < count) {
            at = place_of(args, chunks, panel_begin, i + 1);
            next = feed_of(args, at, weights[(i + 1) % 2]);
        }
        multiply_chunk(&chunk, &next);
    }
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
    multiply_panels(args, panel_begin, panel_end);
    tern__tiles_release();
}

#endif
