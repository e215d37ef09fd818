/* SPDX-License-Identifier: MIT
 *
 * run() of the AVX2 and AVX-VNNI variants of packed weights. A panel is 16 rows, a row has a 32-bit
 * lane of two vectors; panels are cut into lines of UNIT k, and a line into two halves of HALF
 * bytes, rows 0..7 and 8..15. The lines of WOVEN panels lie in turns.
 *   N <= STREAM: bound by memory; lines are used as they come.
 *   N > STREAM: bound by arithmetic; DEPTH k of a panel are unpacked once to vectors of codes (in
 *     L1) and used for all columns, at most TILE of them at a time. The columns are cut into blocks
 *     whose activations stay in L2.
 *
 * With N = 1 and up to four codes a byte, lines come to L2 from several pages in turn where the
 * processor prefetches within pages (packed_lines.h). One thread of a Xeon (family 6 model 207), as
 * a share of its best plain reader: trits4 AVX2 0.86, linear 0.73; AVX-VNNI 0.88, linear 0.82; in
 * pages to L1 0.84 both. int4 0.93 and 0.98, linear 0.84 and 0.90. On two threads trits4 with AVX2
 * 0.76 to 0.84, linear 0.64 to 0.78; while other programs run it gains nothing. With N = 2, which
 * is bound by arithmetic, finding the line costs up to a tenth.
 *
 * A variant is a file that defines
 *
 *     sums                  vector of running sums: int16 or int32
 *
 *     dot(sum, codes, x)    sum and the products of GROUP vectors of codes with GROUP x, four bytes
 *                           of activations in all lanes (with WIDTH 2: two int16)
 *
 *     widen(sum)            eight int32
 *
 *     cursor,               half a line about to be unpacked: rows 0..7 or 8..15
 *     begin(line, half)
 *
 *     plane(cursor, p)      its codes that meet the p-th four bytes of activations, p = 0, 1, ...
 *                           PLANES - 1 in order
 *
 *     product(cursor, p)    what the p-th product of a streamed half line multiplies, p = 0, 1, ...
 *                           PRODUCTS - 1 in order
 *
 *     place(p), class(p)    with which four bytes, and to which of CLASSES sums it is added
 *
 *     join(class)           the int32 that the sums of all classes are worth
 *
 *     STEP                  k after which streamed sums are joined, a multiple of UNIT
 *
 *     DEPTH, TILE           k unpacked at a time, a multiple of UNIT, for that many columns
 *
 *     WIDTH                 bytes of an activation where it is multiplied
 *
 *     OFFSET                of the codes
 *
 * and then includes this. */
#ifndef TERN__PACKED_AVX2_H
#define TERN__PACKED_AVX2_H

#include <immintrin.h>
#include <stdbool.h>

#include "kernels/packed_lines.h"

enum {
    ROWS = 16,
    LINE = 2 * HALF,
    BLOCK_BYTES = 128 * 1024, /* activations of a block of columns, and what it never goes below: */
    BLOCK_COLUMNS = 4 * TILE,
    CACHE_LINE = 64,
    NEAR = 2048, /* prefetch distances in bytes, to L1 and to L2 */
    FAR = 16384,
    IS_BOUND_BY_MEMORY = UNIT * ROWS <= 4 * LINE, /* with N = 1 */
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

ALWAYS_INLINE __m256i broadcast(const int8_t *x) {
    return _mm256_set1_epi32(tern__packed_four(x));
}

ALWAYS_INLINE const uint8_t *line_at(const tern__packed_args *args, int64_t panel, int64_t k) {
    const int64_t line = (panel / WOVEN * args->k + k) / UNIT * WOVEN + panel % WOVEN;
    return args->packed + line * LINE;
}

ALWAYS_INLINE void prefetch(const uint8_t *line, const bool in_pages) {
    const uint8_t *far = in_pages ? tern__packed_in_pages(line, LINE) : line + FAR;
    for (int i = 0; i < LINE; i += CACHE_LINE) {
        _mm_prefetch((const char *)line + NEAR + i, _MM_HINT_T0);
        _mm_prefetch((const char *)far + i, _MM_HINT_T1);
    }
}

/* The last panel's rows of out, fewer than ROWS. */
__attribute__((noinline)) static void load_some(const int32_t *out, int64_t rows, __m256i half[2]) {
    int32_t copy[ROWS] = {0};
    memcpy(copy, out, (size_t)rows * sizeof *copy);
    half[0] = _mm256_loadu_si256((const __m256i *)copy);
    half[1] = _mm256_loadu_si256((const __m256i *)(copy + 8));
}

__attribute__((noinline)) static void store_some(int32_t *out, int64_t rows, __m256i low,
                                                 __m256i high) {
    int32_t copy[ROWS];
    _mm256_storeu_si256((__m256i *)copy, low);
    _mm256_storeu_si256((__m256i *)(copy + 8), high);
    memcpy(out, copy, (size_t)rows * sizeof *copy);
}

/* A panel's rows of out, of which the weight has `rows`, as two halves. */
ALWAYS_INLINE void load_rows(const int32_t *out, int64_t rows, __m256i half[2]) {
    if (rows < ROWS) {
        load_some(out, rows, half);
        return;
    }
    half[0] = _mm256_loadu_si256((const __m256i *)out);
    half[1] = _mm256_loadu_si256((const __m256i *)(out + 8));
}

ALWAYS_INLINE void store_rows(int32_t *out, int64_t rows, const __m256i half[2]) {
    if (rows < ROWS) {
        store_some(out, rows, half[0], half[1]);
        return;
    }
    _mm256_storeu_si256((__m256i *)out, half[0]);
    _mm256_storeu_si256((__m256i *)(out + 8), half[1]);
}

/* What the offset of the codes adds to each sum, taken off. Modulo 2^32. */
ALWAYS_INLINE __m256i start(int32_t q_sum) {
    return _mm256_set1_epi32((int32_t)(0u - (uint32_t)OFFSET * (uint32_t)q_sum));
}

/* -- Few columns -------------------------------------------------------------------------------*/

/* STEP k or less, all columns: totals (columns, 2) of the two halves of a panel. */
ALWAYS_INLINE void stream_lines(const uint8_t *line, int64_t lines, const int8_t *x,
                                int64_t x_stride, __m256i (*total)[2], const int columns,
                                const bool in_pages) {
    sums sum[STREAM][2][CLASSES];
    for (int c = 0; c < columns; c++)
        for (int s = 0; s < CLASSES; s++)
            sum[c][0][s] = sum[c][1][s] = (sums){0};
    for (int64_t u = 0; u < lines; u++, line += WOVEN * LINE, x += UNIT * WIDTH) {
        prefetch(line, in_pages);
        for (int half = 0; half < 2; half++) {
            cursor at = begin(line, half);
#pragma GCC unroll 16
            for (int p = 0; p < PRODUCTS; p += GROUP) {
                __m256i codes[GROUP], four[GROUP];
                for (int g = 0; g < GROUP; g++)
                    codes[g] = product(&at, p + g);
                for (int c = 0; c < columns; c++) {
                    for (int g = 0; g < GROUP; g++)
                        four[g] = broadcast(x + c * x_stride + 4 * place(p + g));
                    sum[c][half][class(p)] = dot(sum[c][half][class(p)], codes, four);
                }
            }
        }
    }
    for (int c = 0; c < columns; c++)
        for (int half = 0; half < 2; half++)
            total[c][half] = _mm256_add_epi32(total[c][half], join(sum[c][half]));
}

/* Activations as int16. */
ALWAYS_INLINE const int8_t *widened(const int8_t *q, int64_t q_stride, int64_t columns,
                                    int64_t count, int16_t *wide, int64_t wide_stride) {
    for (int64_t c = 0; c < columns; c++)
        for (int64_t i = 0; i < count; i++)
            wide[c * wide_stride + i] = q[c * q_stride + i];
    return (const int8_t *)wide;
}

ALWAYS_INLINE void stream(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end,
                          const int columns, const bool in_pages) {
    for (int64_t panel = panel_begin; panel < panel_end; panel++) {
        __m256i total[STREAM][2];
        for (int c = 0; c < columns; c++)
            total[c][0] = total[c][1] = start(args->q_sum[c]);
        for (int64_t k = args->k_begin; k < args->k_end; k += STEP) {
            const int64_t count = smaller(STEP, args->k_end - k);
            int16_t wide[WIDTH == 2 ? STREAM * STEP : 1];
            const int8_t *x = args->q + k;
            int64_t x_stride = args->q_stride;
            if (WIDTH == 2) {
                x = widened(x, x_stride, columns, count, wide, STEP);
                x_stride = STEP * WIDTH;
            }
            stream_lines(line_at(args, panel, k), count / UNIT, x, x_stride, total, columns,
                         in_pages);
        }
        for (int c = 0; c < columns; c++)
            store_rows(args->out + c * args->out_stride + panel * ROWS, args->m - panel * ROWS,
                       total[c]);
    }
}

/* -- Many columns ------------------------------------------------------------------------------*/

/* DEPTH k of a panel or less as codes, and the columns they meet. */
typedef struct tile_args {
    const __m256i (*codes)[2]; /* (planes, 2): rows 0..7 and 8..15 */
    int64_t planes;            /* a multiple of GROUP */
    const int8_t *x;           /* (columns, x_stride) bytes of activations of these k */
    int64_t x_stride;
    const int32_t *q_sum; /* (columns) */
    int32_t *out;         /* (columns, out_stride) from the first row of the panel on */
    int64_t out_stride;
    int64_t rows;
    bool is_first; /* sums begin with the correction for the offset, else with what out holds */
} tile_args;

static void unpack(const uint8_t *line, int64_t units, __m256i (*codes)[2]) {
    for (int64_t u = 0; u < units; u++, line += WOVEN * LINE, codes += PLANES) {
        prefetch(line, false);
        for (int half = 0; half < 2; half++) {
            cursor at = begin(line, half);
#pragma GCC unroll 16
            for (int p = 0; p < PLANES; p++)
                codes[p][half] = plane(&at, p);
        }
    }
}

ALWAYS_INLINE void multiply(const tile_args *tile, const int columns) {
    const int8_t *x = tile->x;
    const int64_t x_stride = tile->x_stride;
    sums low[TILE], high[TILE];
    for (int c = 0; c < columns; c++)
        low[c] = high[c] = (sums){0};
    for (int64_t p = 0; p < tile->planes; p += GROUP, x += 4 * GROUP) {
        __m256i codes_low[GROUP], codes_high[GROUP];
        for (int g = 0; g < GROUP; g++) {
            codes_low[g] = tile->codes[p + g][0];
            codes_high[g] = tile->codes[p + g][1];
        }
        for (int c = 0; c < columns; c++) {
            __m256i four[GROUP];
            for (int g = 0; g < GROUP; g++)
                four[g] = broadcast(x + c * x_stride + 4 * g);
            low[c] = dot(low[c], codes_low, four);
            high[c] = dot(high[c], codes_high, four);
            /* Else gcc 12 keeps a sum in memory: 117 Gproducts/s of trits4 instead of 163. */
            __asm__("" : "+x"(low[c]), "+x"(high[c]));
        }
    }
#pragma GCC unroll 6
    for (int c = 0; c < columns; c++) {
        int32_t *out = tile->out + c * tile->out_stride;
        __m256i total[2];
        total[0] = total[1] = start(tile->q_sum[c]);
        if (!tile->is_first)
            load_rows(out, tile->rows, total);
        total[0] = _mm256_add_epi32(total[0], widen(low[c]));
        total[1] = _mm256_add_epi32(total[1], widen(high[c]));
        store_rows(out, tile->rows, total);
    }
}

static void run_multiply(const tile_args *tile, int64_t columns) {
    switch (columns) {
    case 1:
        multiply(tile, 1);
        break;
    case 2:
        multiply(tile, 2);
        break;
    case 3:
        multiply(tile, 3);
        break;
    case 4:
        multiply(tile, 4);
        break;
    case 5:
        multiply(tile, TILE < 5 ? TILE : 5);
        break;
    case 6:
        multiply(tile, TILE < 6 ? TILE : 6);
        break;
    }
}

/* One panel, columns [begin, end), in tiles of equal width but the last. */
static void run_panel(const tern__packed_args *args, int64_t panel, int64_t begin, int64_t end) {
    __m256i codes[DEPTH * WIDTH / 4][2];
    int16_t wide[WIDTH == 2 ? TILE * DEPTH : 1];
    const int64_t tiles = (end - begin + TILE - 1) / TILE;
    const int64_t width = (end - begin + tiles - 1) / tiles;
    int64_t k = args->k_begin;
    do {
        const int64_t depth = smaller(DEPTH, args->k_end - k);
        unpack(line_at(args, panel, k), depth / UNIT, codes);
        for (int64_t n = begin; n < end; n += width) {
            const int64_t columns = smaller(width, end - n);
            tile_args tile = {
                .codes = (const __m256i(*)[2])codes,
                .planes = depth * WIDTH / 4,
                .x = args->q + n * args->q_stride + k,
                .x_stride = args->q_stride,
                .q_sum = args->q_sum + n,
                .out = args->out + n * args->out_stride + panel * ROWS,
                .out_stride = args->out_stride,
                .rows = args->m - panel * ROWS,
                .is_first = k == args->k_begin,
            };
            if (WIDTH == 2) {
                tile.x = widened(tile.x, tile.x_stride, columns, depth, wide, DEPTH);
                tile.x_stride = DEPTH * WIDTH;
            }
            run_multiply(&tile, columns);
        }
        k += DEPTH;
    } while (k < args->k_end);
}

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    if (args->n == 1) {
        if (IS_BOUND_BY_MEMORY && args->prefetches_within_pages)
            stream(args, panel_begin, panel_end, 1, true);
        else
            stream(args, panel_begin, panel_end, 1, false);
        return;
    }
    if (args->n == 2 && STREAM >= 2) {
        stream(args, panel_begin, panel_end, 2, false);
        return;
    }
    const int64_t fitting = BLOCK_BYTES / (args->k_end - args->k_begin + 1) / TILE * TILE;
    const int64_t block = fitting < BLOCK_COLUMNS ? BLOCK_COLUMNS : fitting;
    for (int64_t n = 0; n < args->n; n += block)
        for (int64_t panel = panel_begin; panel < panel_end; panel++)
            run_panel(args, panel, n, smaller(n + block, args->n));
}

#endif
