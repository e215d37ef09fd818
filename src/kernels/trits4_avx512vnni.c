/* SPDX-License-Identifier: MIT
 *
 * Family `trits4`, AVX-512 VNNI: vpdpbusd multiplies unsigned codes with signed activations and
 * adds four products to each of 16 int32 lanes; lanes are rows of the weight.
 *
 * Panels of 32 rows, lines of 128 bytes; planes are those of packed_lines.h.
 *   N <= 8: bound by memory; lines are used as they come. To save shifts a plane may stay where it
 *     lies in its byte: `classes` tells how many different positions are left, and each has sums of
 *     its own that carry the factor 4^p, taken off at the end by an exact shift.
 *   N > 8: bound by arithmetic; DEPTH k of a panel are unpacked once to bytes (16 KiB, in L1) and
 *     used for all columns, at most TILE of them (24 sums in registers) at a time. The columns are
 *     cut into blocks whose activations stay in L2.
 *
 * Bound: the sums of the highest plane grow by at most 2 * 64 * 128 for each of K / 4 codes, which
 * is 2^30 at K = 2^18. Sums are integers, hence exact in any order.
 *
 * Measured on a Xeon of family 6 model 207, one thread: N = 1 from L2 47 GB/s of packed bytes, from
 * memory 93 to 95 % of the read bandwidth (54 % without prefetch, 78 % with the near one alone; two
 * or four panels at once are no faster); N = 512 80 to 92 % of the rate of vpdpbusd alone. */
#include <immintrin.h>
#include <stdbool.h>

#include "kernels/packed_lines.h"

enum {
    ROWS = 32,
    UNIT = TERN__TRITS4_UNIT,
    LINE = ROWS * UNIT / 4,
    STREAM = 8, /* most columns that use lines as they come */
    TILE = 12,
    DEPTH = 512,
    BLOCK_BYTES = 512 * 1024, /* activations of a block of columns, and what it never goes below: */
    BLOCK_COLUMNS = 4 * TILE,
    NEAR = 2048, /* prefetch distances in bytes, to L1 and to L2 */
    FAR = 16384,
};

/* Sums are kept in this type and not in __m512i: it is the one that the product returns, and
 * gcc 12 copies and spills every accumulator in loops that convert between the two. */
typedef int32_t i32x16 __attribute__((vector_size(64)));

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__trits4_pack_lines(codes, k, ROWS, panel);
}

/* One bit for each row of the panel that the weight has. */
static inline uint32_t row_mask(const tern__packed_args *args, int64_t panel) {
    int64_t rows = args->m - panel * ROWS;
    return rows >= ROWS ? 0xffffffffu : (1u << rows) - 1;
}

static inline void store_rows(int32_t *out, uint32_t mask, i32x16 low, i32x16 high) {
    _mm512_mask_storeu_epi32(out, (__mmask16)mask, (__m512i)low);
    _mm512_mask_storeu_epi32(out + 16, (__mmask16)(mask >> 16), (__m512i)high);
}

static inline __m512i broadcast(const int8_t *q) {
    return _mm512_set1_epi32(tern__packed_four(q));
}

static inline i32x16 dot(i32x16 sum, __m512i codes, __m512i q) {
    return (i32x16)_mm512_dpbusd_epi32((__m512i)sum, codes, q);
}

/* Plane p times 4^s, s = p with 4 classes, s = p / 2 * 2 with 2, s = 0 with 1. */
__attribute__((always_inline)) static inline void split(const uint8_t *line, const int classes,
                                                        __m512i plane[4]) {
    const __m512i low = _mm512_set1_epi8(0x03), high = _mm512_set1_epi8(0x30);
    const __m512i v = _mm512_load_si512(line);
    plane[0] = _mm512_and_si512(v, low);
    if (classes == 4) {
        plane[1] = _mm512_and_si512(v, _mm512_set1_epi8(0x0c));
        plane[2] = _mm512_and_si512(v, high);
        plane[3] = _mm512_and_si512(v, _mm512_set1_epi8((char)0xc0));
    } else if (classes == 2) {
        const __m512i w = _mm512_srli_epi16(v, 2);
        plane[1] = _mm512_and_si512(w, low);
        plane[2] = _mm512_and_si512(v, high);
        plane[3] = _mm512_and_si512(w, high);
    } else {
        plane[1] = _mm512_and_si512(_mm512_srli_epi16(v, 2), low);
        plane[2] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
        plane[3] = _mm512_and_si512(_mm512_srli_epi16(v, 6), low);
    }
}

/* The sum over the classes of one accumulator, plus `start`. */
static inline i32x16 join(const i32x16 sum[4], int classes, int32_t start) {
    __m512i total = _mm512_set1_epi32(start);
    for (int s = 0; s < classes; s++) {
        __m128i shift = _mm_cvtsi32_si128(8 / classes * s);
        total = _mm512_add_epi32(total, _mm512_sra_epi32((__m512i)sum[s], shift));
    }
    return (i32x16)total;
}

__attribute__((always_inline)) static inline void stream(const tern__packed_args *args,
                                                         int64_t panel_begin, int64_t panel_end,
                                                         const int columns, const int classes) {
    for (int64_t panel = panel_begin; panel < panel_end; panel++) {
        const uint8_t *line = tern__trits4_line(args, ROWS, panel, args->k_begin);
        i32x16 low[STREAM][4], high[STREAM][4];
        for (int c = 0; c < columns; c++)
            for (int s = 0; s < classes; s++)
                low[c][s] = high[c][s] = (i32x16){0};
        for (int64_t k = args->k_begin; k < args->k_end; k += UNIT, line += LINE) {
            _mm_prefetch((const char *)line + NEAR, _MM_HINT_T0);
            _mm_prefetch((const char *)line + NEAR + 64, _MM_HINT_T0);
            _mm_prefetch((const char *)line + FAR, _MM_HINT_T1);
            _mm_prefetch((const char *)line + FAR + 64, _MM_HINT_T1);
            __m512i plane_low[4], plane_high[4];
            split(line, classes, plane_low);
            split(line + 64, classes, plane_high);
            for (int p = 0; p < 4; p++)
                for (int c = 0; c < columns; c++) {
                    const __m512i q = broadcast(args->q + c * args->q_stride + k + 4 * p);
                    const int s = p * classes / 4;
                    low[c][s] = dot(low[c][s], plane_low[p], q);
                    high[c][s] = dot(high[c][s], plane_high[p], q);
                }
        }
        for (int c = 0; c < columns; c++)
            store_rows(args->out + c * args->out_stride + panel * ROWS, row_mask(args, panel),
                       join(low[c], classes, -args->q_sum[c]),
                       join(high[c], classes, -args->q_sum[c]));
    }
}

/* As many classes as leave all sums in registers. */
static void run_stream(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    switch (args->n) {
    case 1:
        stream(args, panel_begin, panel_end, 1, 4);
        break;
    case 2:
        stream(args, panel_begin, panel_end, 2, 4);
        break;
    case 3:
        stream(args, panel_begin, panel_end, 3, 2);
        break;
    case 4:
        stream(args, panel_begin, panel_end, 4, 2);
        break;
    case 5:
        stream(args, panel_begin, panel_end, 5, 2);
        break;
    case 6:
        stream(args, panel_begin, panel_end, 6, 2);
        break;
    case 7:
        stream(args, panel_begin, panel_end, 7, 1);
        break;
    case 8:
        stream(args, panel_begin, panel_end, 8, 1);
        break;
    }
}

/* DEPTH k of a panel as bytes, and the columns they meet. */
typedef struct tile_args {
    const __m512i (*codes)[2]; /* (groups, 2): rows 0..15 and 16..31 of 4 k each */
    int64_t groups;
    const int8_t *q; /* (N, q_stride) from the first of these k on */
    int64_t q_stride;
    const int32_t *q_sum;
    int32_t *out; /* (N, out_stride) from the first row of the panel on */
    int64_t out_stride;
    uint32_t mask;
    bool is_first; /* sums begin with -q_sum, else with what out holds */
} tile_args;

static void unpack(const uint8_t *line, int64_t units, __m512i (*codes)[2]) {
    for (int64_t u = 0; u < units; u++, line += LINE, codes += 4) {
        /* The next DEPTH of the same panel arrives while this one is multiplied. */
        _mm_prefetch((const char *)line + DEPTH / UNIT * LINE, _MM_HINT_T1);
        _mm_prefetch((const char *)line + DEPTH / UNIT * LINE + 64, _MM_HINT_T1);
        __m512i plane_low[4], plane_high[4];
        split(line, 1, plane_low);
        split(line + 64, 1, plane_high);
        for (int p = 0; p < 4; p++) {
            codes[p][0] = plane_low[p];
            codes[p][1] = plane_high[p];
        }
    }
}

/* Columns [begin, end), a multiple of `columns`. */
__attribute__((always_inline)) static inline void multiply(const tile_args *tile, int64_t begin,
                                                           int64_t end, const int columns) {
    const uint32_t mask = tile->mask;
    for (int64_t n = begin; n < end; n += columns) {
        const int8_t *q = tile->q + n * tile->q_stride;
        int32_t *out = tile->out + n * tile->out_stride;
        i32x16 low[TILE], high[TILE];
        for (int c = 0; c < columns; c++) {
            const int32_t *row = out + c * tile->out_stride;
            low[c] = high[c] = (i32x16)_mm512_set1_epi32(-tile->q_sum[n + c]);
            if (!tile->is_first) {
                low[c] = (i32x16)_mm512_maskz_loadu_epi32((__mmask16)mask, row);
                high[c] = (i32x16)_mm512_maskz_loadu_epi32((__mmask16)(mask >> 16), row + 16);
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
    case 1:
        multiply(tile, begin, end, 1);
        break;
    case 2:
        multiply(tile, begin, end, 2);
        break;
    case 3:
        multiply(tile, begin, end, 3);
        break;
    case 4:
        multiply(tile, begin, end, 4);
        break;
    case 5:
        multiply(tile, begin, end, 5);
        break;
    case 6:
        multiply(tile, begin, end, 6);
        break;
    case 7:
        multiply(tile, begin, end, 7);
        break;
    case 8:
        multiply(tile, begin, end, 8);
        break;
    case 9:
        multiply(tile, begin, end, 9);
        break;
    case 10:
        multiply(tile, begin, end, 10);
        break;
    case 11:
        multiply(tile, begin, end, 11);
        break;
    case 12:
        multiply(tile, begin, end, 12);
        break;
    }
}

static inline int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* One panel, columns [begin, end), in tiles of equal width but the last. */
static void run_panel(const tern__packed_args *args, int64_t panel, int64_t begin, int64_t end) {
    __m512i codes[DEPTH / 4][2];
    const int64_t tiles = (end - begin + TILE - 1) / TILE;
    const int64_t width = (end - begin + tiles - 1) / tiles;
    const int64_t last = begin + (end - begin) / width * width;
    int64_t k = args->k_begin;
    do {
        const int64_t depth = smaller(DEPTH, args->k_end - k);
        unpack(tern__trits4_line(args, ROWS, panel, k), depth / UNIT, codes);
        const tile_args tile = {
            .codes = (const __m512i(*)[2])codes,
            .groups = depth / 4,
            .q = args->q + k,
            .q_stride = args->q_stride,
            .q_sum = args->q_sum,
            .out = args->out + panel * ROWS,
            .out_stride = args->out_stride,
            .mask = row_mask(args, panel),
            .is_first = k == args->k_begin,
        };
        run_multiply(&tile, begin, last, width);
        run_multiply(&tile, last, end, end - last);
        k += DEPTH;
    } while (k < args->k_end);
}

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    if (args->n <= STREAM) {
        run_stream(args, panel_begin, panel_end);
        return;
    }
    const int64_t fitting = BLOCK_BYTES / (args->k_end - args->k_begin + 1) / TILE * TILE;
    const int64_t block = fitting < BLOCK_COLUMNS ? BLOCK_COLUMNS : fitting;
    for (int64_t n = 0; n < args->n; n += block)
        for (int64_t panel = panel_begin; panel < panel_end; panel++)
            run_panel(args, panel, n, smaller(n + block, args->n));
}

const tern__packed_kernel tern__trits4_avx512vnni = {
    .variant = {.name = "avx512_vnni",
                .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512 | TERN__CPU_AVX512_VNNI},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
