/* SPDX-License-Identifier: MIT
 *
 * run() of packed weights on AVX-512 VNNI: vpdpbusd multiplies unsigned codes with signed
 * activations and adds four products to each of 16 int32 lanes; lanes are rows of the weight.
 *
 * A panel is 32 rows, cut into lines of 128 bytes with UNIT k of each row, so that reading panels
 * is one linear stream. Four bytes of a line belong to a row; out of them come UNIT / 4 planes, the
 * codes of four k as the bytes of the row's lane. A packing is a header that defines
 *
 *     UNIT, OFFSET    k of a line; code = weight + OFFSET
 *
 *     split           the planes of half a line, plane p times 2^class_shift(class of p)
 *
 *     CLASSES         most classes that split knows; it also knows CLASSES / 2, CLASSES / 4, ... 1
 *
 *     plane_class     of a plane, when there are so many classes
 *
 *     class_shift     of a class; of class 0 it is 0
 *
 * and is included before this.
 *   N <= TILE: lines are used as they come. A plane that stays where it lies in its byte saves a
 *     shift and costs sums of its own, its class; the factor is taken off at the end, exactly.
 *   N > TILE: DEPTH k of a panel are unpacked once to bytes (in L1; packings of one plane are used
 *     in place) and used for all columns, at most TILE of them (24 sums in registers) at a time.
 *     The columns are cut into blocks whose activations stay in L2.
 *
 * Prefetches of streamed lines depend on the processor. One, 8 KiB ahead, is on a Zen 4 as good as
 * none, where two, 2 KiB and 16 KiB ahead, cost a quarter of the bandwidth. Several panels at once,
 * and several pieces of a row, lose to one stream there. A Xeon's prefetchers follow one stream in
 * each page of 4 KiB and do not cross pages: one linear stream gets less than four through
 * different pages (packed_lines.h). One thread of a Xeon (family 6 model 207) reading trits4, as a
 * share of its best plain reader: no prefetch 0.49, 8 KiB ahead 0.71 to 0.76, 2 KiB and 16 KiB
 * ahead 0.83, in 2 pages 0.90, in 4 pages 0.96, in 8 pages 0.94; to L2 instead of L1 0.93. trits5,
 * int4 and int8 and two threads are alike.
 *
 * Measured on a Zen 4, one thread, weights from memory, K = 2560: N = 1 reads at 87 to 93 % of the
 * best of several plain readers (29 of 31 GB/s) whatever the packing. N = 4 and 8 take 2.1 and 4.0
 * times as long for trits4 (vpdpbusd, one a cycle, allows no less than 1.9 and 3.9), 2.5 and 4.9
 * for trits5, 1.2 and 2.1 for int4, 1.0 and 1.4 for int8. N = 512: 82 to 86 % of the rate of
 * vpdpbusd alone; with DEPTH halved 71 to 81 %, with results prefetched no more. On the Xeon N =
 * 512 of trits4 was at 80 to 92 %. */
#ifndef TERN__PACKED_AVX512_H
#define TERN__PACKED_AVX512_H

#include <stdbool.h>

#include "kernels/packed_lines.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    ROWS = 32,
    LINE = 128,
    PLANES = UNIT / 4,
    TILE = 12,
    DEPTH = 512 / UNIT * UNIT == 512 ? 512 : 640, /* a multiple of UNIT and of 64 */
    L2_BYTES = 512 * 1024,                        /* of the activations of a block of columns */
    AHEAD = 8192, /* bytes between a line and the one that is prefetched, not in pages */
};

_Static_assert(DEPTH % UNIT == 0, "whole lines");

/* Sums are kept in this type and not in __m512i: it is the one that the product returns, and
 * gcc 12 copies and spills every accumulator in loops that convert between the two. */
typedef int32_t i32x16 __attribute__((vector_size(64)));

/* The codes of four k, rows 0..15 and 16..31. */
typedef __m512i group[2];

static inline int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline const uint8_t *line_at(const tern__packed_args *args, int64_t panel, int64_t k) {
    return args->packed + (panel * args->k + k) / UNIT * LINE;
}

/* One bit for each row of the panel that the weight has. */
static inline uint32_t row_mask(const tern__packed_args *args, int64_t panel) {
    int64_t rows = args->m - panel * ROWS;
    return rows >= ROWS ? 0xffffffffu : (1u << rows) - 1;
}

static inline i32x16 load_low(const int32_t *row, uint32_t mask) {
    return (i32x16)_mm512_maskz_loadu_epi32((__mmask16)mask, row);
}

static inline i32x16 load_high(const int32_t *row, uint32_t mask) {
    return (i32x16)_mm512_maskz_loadu_epi32((__mmask16)(mask >> 16), row + 16);
}

static inline void store_rows(int32_t *row, uint32_t mask, i32x16 low, i32x16 high) {
    _mm512_mask_storeu_epi32(row, (__mmask16)mask, (__m512i)low);
    _mm512_mask_storeu_epi32(row + 16, (__mmask16)(mask >> 16), (__m512i)high);
}

/* What a sum begins with: the offset is in every code. */
static inline __m512i first_sums(int32_t q_sum) {
    return _mm512_set1_epi32((int32_t)(0u - (uint32_t)OFFSET * (uint32_t)q_sum));
}

ALWAYS_INLINE __m512i broadcast(const int8_t *q) {
    return _mm512_set1_epi32(tern__packed_four(q));
}

ALWAYS_INLINE i32x16 dot(i32x16 sum, __m512i codes, __m512i q) {
    return (i32x16)_mm512_dpbusd_epi32((__m512i)sum, codes, q);
}

/* As many classes as leave all sums in registers. */
static inline int classes_of(int columns) {
    int classes = CLASSES;
    while (classes > 1 && classes * columns > TILE)
        classes /= 2;
    return classes;
}

/* The sum over the classes of one accumulator, plus `start`. */
ALWAYS_INLINE i32x16 join(const i32x16 sum[CLASSES], const int classes, __m512i start) {
    for (int s = 0; s < classes; s++) {
        const __m128i shift = _mm_cvtsi32_si128(class_shift(s, classes));
        start = _mm512_add_epi32(start, _mm512_sra_epi32((__m512i)sum[s], shift));
    }
    return (i32x16)start;
}

ALWAYS_INLINE void stream(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end,
                          const int columns, const bool in_pages) {
    const int classes = classes_of(columns);
    for (int64_t panel = panel_begin; panel < panel_end; panel++) {
        const uint8_t *line = line_at(args, panel, args->k_begin);
        i32x16 low[TILE][CLASSES], high[TILE][CLASSES];
        for (int c = 0; c < columns; c++)
            for (int s = 0; s < classes; s++)
                low[c][s] = high[c][s] = (i32x16){0};
        for (int64_t k = args->k_begin; k < args->k_end; k += UNIT, line += LINE) {
            const uint8_t *ahead = in_pages ? tern__packed_in_pages(line, LINE) : line + AHEAD;
            _mm_prefetch((const char *)ahead, _MM_HINT_T0);
            _mm_prefetch((const char *)ahead + 64, _MM_HINT_T0);
            __m512i plane_low[PLANES], plane_high[PLANES];
            split(line, classes, plane_low);
            split(line + 64, classes, plane_high);
            for (int p = 0; p < PLANES; p++)
                for (int c = 0; c < columns; c++) {
                    const __m512i q = broadcast(args->q + c * args->q_stride + k + 4 * p);
                    const int s = plane_class(p, classes);
                    low[c][s] = dot(low[c][s], plane_low[p], q);
                    high[c][s] = dot(high[c][s], plane_high[p], q);
                }
        }
        for (int c = 0; c < columns; c++) {
            const __m512i start = first_sums(args->q_sum[c]);
            store_rows(args->out + c * args->out_stride + panel * ROWS, row_mask(args, panel),
                       join(low[c], classes, start), join(high[c], classes, start));
        }
    }
}

#define EACH_WIDTH(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)

static void run_stream(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    switch (args->n) {
#define STREAM_CASE(columns)                                                                       \
    case columns:                                                                                  \
        if (args->prefetches_within_pages)                                                         \
            stream(args, panel_begin, panel_end, columns, true);                                   \
        else                                                                                       \
            stream(args, panel_begin, panel_end, columns, false);                                  \
        break;
        EACH_WIDTH(STREAM_CASE)
#undef STREAM_CASE
    }
}

/* At most DEPTH k of a panel as bytes, and the columns they meet. */
typedef struct tile_args {
    const group *codes;
    int64_t groups;  /* of 4 k each */
    const int8_t *q; /* (N, q_stride) from the first of these k on */
    int64_t q_stride;
    const int32_t *q_sum;
    int32_t *out; /* (N, out_stride) from the first row of the panel on */
    int64_t out_stride;
    uint32_t mask;
    bool is_first; /* sums begin with first_sums, else with what out holds */
} tile_args;

static const group *unpack(const uint8_t *line, int64_t units, group *codes) {
    if (PLANES == 1)
        return (const group *)(const void *)line;
    for (int64_t u = 0; u < units; u++, line += LINE) {
        /* The next DEPTH of the same panel arrives while this one is multiplied. */
        _mm_prefetch((const char *)line + DEPTH / UNIT * LINE, _MM_HINT_T1);
        _mm_prefetch((const char *)line + DEPTH / UNIT * LINE + 64, _MM_HINT_T1);
        __m512i plane_low[PLANES], plane_high[PLANES];
        split(line, 1, plane_low);
        split(line + 64, 1, plane_high);
        for (int p = 0; p < PLANES; p++) {
            codes[u * PLANES + p][0] = plane_low[p];
            codes[u * PLANES + p][1] = plane_high[p];
        }
    }
    return (const group *)codes;
}

/* Columns [begin, end), a multiple of `columns`. */
ALWAYS_INLINE void multiply(const tile_args *tile, int64_t begin, int64_t end, const int columns) {
    const uint32_t mask = tile->mask;
    for (int64_t n = begin; n < end; n += columns) {
        const int8_t *q = tile->q + n * tile->q_stride;
        int32_t *out = tile->out + n * tile->out_stride;
        i32x16 low[TILE], high[TILE];
        for (int c = 0; c < columns; c++) {
            low[c] = high[c] = (i32x16)first_sums(tile->q_sum[n + c]);
            if (!tile->is_first) {
                low[c] = load_low(out + c * tile->out_stride, mask);
                high[c] = load_high(out + c * tile->out_stride, mask);
            }
        }
        for (int64_t g = 0; g < tile->groups; g++) {
            const __m512i codes_low = tile->codes[g][0], codes_high = tile->codes[g][1];
            for (int c = 0; c < columns; c++) {
                const __m512i x = broadcast(q + c * tile->q_stride + 4 * g);
                low[c] = dot(low[c], codes_low, x);
                high[c] = dot(high[c], codes_high, x);
            }
        }
        for (int c = 0; c < columns; c++)
            store_rows(out + c * tile->out_stride, mask, low[c], high[c]);
    }
}

static void run_multiply(const tile_args *tile, int64_t begin, int64_t end, int64_t columns) {
    switch (columns) {
#define MULTIPLY_CASE(columns)                                                                     \
    case columns:                                                                                  \
        multiply(tile, begin, end, columns);                                                       \
        break;
        EACH_WIDTH(MULTIPLY_CASE)
#undef MULTIPLY_CASE
    }
}

/* Columns [begin, end) of one tile, at most TILE at a time and all times of equal width but the
 * last. */
static inline void multiply_columns(const tile_args *tile, int64_t begin, int64_t end) {
    const int64_t times = (end - begin + TILE - 1) / TILE;
    const int64_t width = (end - begin + times - 1) / times;
    const int64_t last = begin + (end - begin) / width * width;
    run_multiply(tile, begin, last, width);
    run_multiply(tile, last, end, end - last);
}

/* Columns [begin, end) of one panel. */
ALWAYS_INLINE void run_panel(const tern__packed_args *args, int64_t panel, int64_t begin,
                             int64_t end) {
    group codes[PLANES == 1 ? 1 : DEPTH / 4];
    int64_t k = args->k_begin;
    do {
        const int64_t depth = smaller(DEPTH, args->k_end - k);
        const tile_args tile = {
            .codes = unpack(line_at(args, panel, k), depth / UNIT, codes),
            .groups = depth / 4,
            .q = args->q + k,
            .q_stride = args->q_stride,
            .q_sum = args->q_sum,
            .out = args->out + panel * ROWS,
            .out_stride = args->out_stride,
            .mask = row_mask(args, panel),
            .is_first = k == args->k_begin,
        };
        multiply_columns(&tile, begin, end);
        k += DEPTH;
    } while (k < args->k_end);
}

/* All columns of the panels, in blocks of whole tiles, of 4 at least. */
static inline void run_blocks(const tern__packed_args *args, int64_t panel_begin,
                              int64_t panel_end) {
    const int64_t fitting = L2_BYTES / (args->k_end - args->k_begin + 1) / TILE;
    const int64_t block = (fitting < 4 ? 4 : fitting) * TILE;
    for (int64_t n = 0; n < args->n; n += block)
        for (int64_t panel = panel_begin; panel < panel_end; panel++)
            run_panel(args, panel, n, smaller(n + block, args->n));
}

static inline void run_vnni(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    if (args->n <= TILE)
        run_stream(args, panel_begin, panel_end);
    else
        run_blocks(args, panel_begin, panel_end);
}

#endif
