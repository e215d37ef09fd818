/* SPDX-License-Identifier: MIT
 *
 * Family `trits4`, AVX2: vpmaddubsw multiplies unsigned codes with signed activations and adds
 * pairs of products to int16; four bytes of a row lie in one 32-bit lane.
 *
 * Panels of 16 rows, lines of 64 bytes; planes are those of packed_lines.h. Products are added in
 * int16 and widened to int32 every DEPTH k or less.
 *   N <= 2: lines are used as they come. Planes 1 and 3 keep a factor of 4, which saves two shifts
 *     of three; they have sums of their own, shifted right when widened (exact).
 *   N > 2: DEPTH k of a panel are unpacked once to bytes (4 KiB, in L1) and used for all columns,
 *     at most TILE of them at a time. The columns are cut into blocks whose activations stay in L2.
 *
 * Bounds, int16: a pair adds at least 2 * 2 * -128 = -512 and at most 508. DEPTH / 4 = 64 pairs
 * make -32768 .. 32512. With the factor 4, 16 pairs (2 planes of STREAM_LINES lines) make the same.
 * int32: 2 * 128 * K = 2^26 at K = 2^18, and as much for the sum of q. Exact in any order.
 *
 * Measured on a Xeon of family 6 model 207, one thread: N = 1 from L2 20 GB/s of packed bytes, from
 * memory 90 % of the read bandwidth; N = 512 115 to 120 Gproducts/s. At N = 3 lines as they come
 * are no faster than unpacked ones, at N = 2 twice as fast. */
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/packed_lines.h"

enum {
    ROWS = 16,
    UNIT = TERN__TRITS4_UNIT,
    LINE = ROWS * UNIT / 4,
    STREAM = 2, /* most columns that use lines as they come */
    STREAM_LINES = 8,
    TILE = 6,
    DEPTH = 256,
    BLOCK_BYTES = 128 * 1024, /* activations of a block of columns, and what it never goes below: */
    BLOCK_COLUMNS = 4 * TILE,
    NEAR = 2048, /* prefetch distances in bytes, to L1 and to L2 */
    FAR = 16384,
};

/* Sums are kept in this type and not in __m256i: it is the one that the addition returns, and
 * gcc 12 copies and spills every accumulator in loops that convert between the two. */
typedef int16_t i16x16 __attribute__((vector_size(32)));

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__trits4_pack_lines(codes, k, ROWS, panel);
}

static inline int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline __m256i broadcast(const int8_t *q) {
    return _mm256_set1_epi32(tern__packed_four(q));
}

static inline i16x16 dot(i16x16 sum, __m256i codes, __m256i q) {
    return (i16x16)_mm256_add_epi16((__m256i)sum, _mm256_maddubs_epi16(codes, q));
}

static inline __m256i widen(i16x16 sum) {
    return _mm256_madd_epi16((__m256i)sum, _mm256_set1_epi16(1));
}

/* A panel's rows of out, of which the weight has `rows`, as two halves. */
static inline void load_rows(const int32_t *out, int64_t rows, __m256i half[2]) {
    int32_t copy[ROWS] = {0};
    if (rows < ROWS) {
        memcpy(copy, out, (size_t)rows * sizeof *copy);
        out = copy;
    }
    half[0] = _mm256_loadu_si256((const __m256i *)out);
    half[1] = _mm256_loadu_si256((const __m256i *)(out + 8));
}

static inline void store_rows(int32_t *out, int64_t rows, const __m256i half[2]) {
    int32_t copy[ROWS];
    int32_t *target = rows < ROWS ? copy : out;
    _mm256_storeu_si256((__m256i *)target, half[0]);
    _mm256_storeu_si256((__m256i *)(target + 8), half[1]);
    if (rows < ROWS)
        memcpy(out, copy, (size_t)rows * sizeof *copy);
}

/* STREAM_LINES lines or less, all columns: totals (columns, 2) of the two halves of a panel. */
__attribute__((always_inline)) static inline void stream_lines(const uint8_t *line, int64_t lines,
                                                               const int8_t *q, int64_t q_stride,
                                                               __m256i (*total)[2],
                                                               const int columns) {
    const __m256i mask_1 = _mm256_set1_epi8(0x03), mask_4 = _mm256_set1_epi8(0x0c);
    i16x16 sum_1[STREAM][2], sum_4[STREAM][2];
    for (int c = 0; c < columns; c++)
        sum_1[c][0] = sum_1[c][1] = sum_4[c][0] = sum_4[c][1] = (i16x16){0};
    for (int64_t u = 0; u < lines; u++, line += LINE, q += UNIT) {
        _mm_prefetch((const char *)line + NEAR, _MM_HINT_T0);
        _mm_prefetch((const char *)line + FAR, _MM_HINT_T1);
        for (int half = 0; half < 2; half++) {
            const __m256i v = _mm256_load_si256((const __m256i *)line + half);
            const __m256i w = _mm256_srli_epi16(v, 4);
            const __m256i v_1 = _mm256_and_si256(v, mask_1), v_4 = _mm256_and_si256(v, mask_4);
            const __m256i w_1 = _mm256_and_si256(w, mask_1), w_4 = _mm256_and_si256(w, mask_4);
            for (int c = 0; c < columns; c++) {
                const int8_t *x = q + c * q_stride;
                sum_1[c][half] = dot(sum_1[c][half], v_1, broadcast(x));
                sum_4[c][half] = dot(sum_4[c][half], v_4, broadcast(x + 4));
                sum_1[c][half] = dot(sum_1[c][half], w_1, broadcast(x + 8));
                sum_4[c][half] = dot(sum_4[c][half], w_4, broadcast(x + 12));
            }
        }
    }
    for (int c = 0; c < columns; c++)
        for (int half = 0; half < 2; half++) {
            const __m256i plain = widen(sum_1[c][half]), times_4 = widen(sum_4[c][half]);
            total[c][half] = _mm256_add_epi32(
                total[c][half], _mm256_add_epi32(plain, _mm256_srai_epi32(times_4, 2)));
        }
}

__attribute__((always_inline)) static inline void
stream(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end, const int columns) {
    const int64_t step = STREAM_LINES * UNIT;
    for (int64_t panel = panel_begin; panel < panel_end; panel++) {
        __m256i total[STREAM][2];
        for (int c = 0; c < columns; c++)
            total[c][0] = total[c][1] = _mm256_set1_epi32(-args->q_sum[c]);
        for (int64_t k = args->k_begin; k < args->k_end; k += step)
            stream_lines(tern__trits4_line(args, ROWS, panel, k),
                         smaller(step, args->k_end - k) / UNIT, args->q + k, args->q_stride, total,
                         columns);
        for (int c = 0; c < columns; c++)
            store_rows(args->out + c * args->out_stride + panel * ROWS, args->m - panel * ROWS,
                       total[c]);
    }
}

/* DEPTH k of a panel as bytes, and the columns they meet. */
typedef struct tile_args {
    const __m256i (*codes)[2]; /* (groups, 2): rows 0..7 and 8..15 of 4 k each */
    int64_t groups;
    const int8_t *q; /* (N, q_stride) from the first of these k on */
    int64_t q_stride;
    const int32_t *q_sum;
    int32_t *out; /* (N, out_stride) from the first row of the panel on */
    int64_t out_stride;
    int64_t rows;
    bool is_first; /* sums begin with -q_sum, else with what out holds */
} tile_args;

static void unpack(const uint8_t *line, int64_t units, __m256i (*codes)[2]) {
    const __m256i mask = _mm256_set1_epi8(0x03);
    for (int64_t u = 0; u < units; u++, line += LINE, codes += 4) {
        _mm_prefetch((const char *)line + NEAR, _MM_HINT_T0);
        _mm_prefetch((const char *)line + FAR, _MM_HINT_T1);
        for (int half = 0; half < 2; half++) {
            const __m256i v = _mm256_load_si256((const __m256i *)line + half);
            codes[0][half] = _mm256_and_si256(v, mask);
            codes[1][half] = _mm256_and_si256(_mm256_srli_epi16(v, 2), mask);
            codes[2][half] = _mm256_and_si256(_mm256_srli_epi16(v, 4), mask);
            codes[3][half] = _mm256_and_si256(_mm256_srli_epi16(v, 6), mask);
        }
    }
}

/* Columns [begin, end), a multiple of `columns`. */
__attribute__((always_inline)) static inline void multiply(const tile_args *tile, int64_t begin,
                                                           int64_t end, const int columns) {
    for (int64_t n = begin; n < end; n += columns) {
        const int8_t *q = tile->q + n * tile->q_stride;
        i16x16 low[TILE], high[TILE];
        for (int c = 0; c < columns; c++)
            low[c] = high[c] = (i16x16){0};
        for (int64_t g = 0; g < tile->groups; g++) {
            const __m256i codes_low = tile->codes[g][0], codes_high = tile->codes[g][1];
            for (int c = 0; c < columns; c++) {
                const __m256i x = broadcast(q + c * tile->q_stride + 4 * g);
                low[c] = dot(low[c], codes_low, x);
                high[c] = dot(high[c], codes_high, x);
            }
        }
        for (int c = 0; c < columns; c++) {
            int32_t *out = tile->out + (n + c) * tile->out_stride;
            __m256i total[2];
            total[0] = total[1] = _mm256_set1_epi32(-tile->q_sum[n + c]);
            if (!tile->is_first)
                load_rows(out, tile->rows, total);
            total[0] = _mm256_add_epi32(total[0], widen(low[c]));
            total[1] = _mm256_add_epi32(total[1], widen(high[c]));
            store_rows(out, tile->rows, total);
        }
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
    }
}

/* One panel, columns [begin, end), in tiles of equal width but the last. */
static void run_panel(const tern__packed_args *args, int64_t panel, int64_t begin, int64_t end) {
    __m256i codes[DEPTH / 4][2];
    const int64_t tiles = (end - begin + TILE - 1) / TILE;
    const int64_t width = (end - begin + tiles - 1) / tiles;
    const int64_t last = begin + (end - begin) / width * width;
    int64_t k = args->k_begin;
    do {
        const int64_t depth = smaller(DEPTH, args->k_end - k);
        unpack(tern__trits4_line(args, ROWS, panel, k), depth / UNIT, codes);
        const tile_args tile = {
            .codes = (const __m256i(*)[2])codes,
            .groups = depth / 4,
            .q = args->q + k,
            .q_stride = args->q_stride,
            .q_sum = args->q_sum,
            .out = args->out + panel * ROWS,
            .out_stride = args->out_stride,
            .rows = args->m - panel * ROWS,
            .is_first = k == args->k_begin,
        };
        run_multiply(&tile, begin, last, width);
        run_multiply(&tile, last, end, end - last);
        k += DEPTH;
    } while (k < args->k_end);
}

static void run(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    if (args->n == 1) {
        stream(args, panel_begin, panel_end, 1);
        return;
    }
    if (args->n == 2) {
        stream(args, panel_begin, panel_end, 2);
        return;
    }
    const int64_t fitting = BLOCK_BYTES / (args->k_end - args->k_begin + 1) / TILE * TILE;
    const int64_t block = fitting < BLOCK_COLUMNS ? BLOCK_COLUMNS : fitting;
    for (int64_t n = 0; n < args->n; n += block)
        for (int64_t panel = panel_begin; panel < panel_end; panel++)
            run_panel(args, panel, n, smaller(n + block, args->n));
}

const tern__packed_kernel tern__trits4_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
