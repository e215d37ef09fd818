/* SPDX-License-Identifier: MIT
 * Family `gemm_i8` for AVX-512 with VNNI, whose instruction multiplies unsigned by signed bytes:
 *
 *     sum of a b = sum of (a + 128) b - 128 sum of b
 *
 * Strip: rows of bytes a + 128. Panel: groups of 4 k, in each 32 columns of 4 bytes; behind them
 * the 32 sums of columns in int32. Steps that fill up a group are 0 in the panel. Sums wrap; every
 * step is modulo 2^32, so that the result is what gemm.h says of the true sum. run() keeps up to
 * 12 x 32 sums in 24 registers.
 */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include "kernels/gemm.h"

typedef int32_t number, unit;
typedef __m512i vector, units;
enum { LANES = 16, VECTORS = 2, ROWS = 12, GROUP = 4 };

static inline vector zero(void) {
    return _mm512_setzero_si512();
}

static inline vector load(const int32_t *x) {
    return _mm512_loadu_si512(x);
}

static inline void store(int32_t *x, vector value) {
    _mm512_storeu_si512(x, value);
}

static inline units load_units(const int32_t *x) {
    return _mm512_loadu_si512(x);
}

static inline units spread(int32_t x) {
    return _mm512_set1_epi32(x);
}

static inline vector fused(units x, units y, vector c) {
    return _mm512_dpbusd_epi32(c, x, y);
}

static inline vector corrected(vector c, const int32_t *tail) {
    return _mm512_sub_epi32(c, _mm512_slli_epi32(_mm512_loadu_si512(tail), 7));
}

#include "kernels/gemm_tiles.h"

static void pack_a(const void *a, int64_t line_stride, int64_t step, int64_t lines, int64_t length,
                   void *dst, int64_t dst_stride) {
    for (int64_t x = 0; x < lines; x++) {
        const uint8_t *restrict from = (const uint8_t *)a + x * line_stride;
        uint8_t *restrict to = (uint8_t *)dst + x * dst_stride;
        if (step == 1)
            for (int64_t y = 0; y < length; y++)
                to[y] = from[y] ^ 0x80;
        else
            for (int64_t y = 0; y < length; y++)
                to[y] = from[y * step] ^ 0x80;
        for (int64_t y = length; y % GROUP != 0; y++)
            to[y] = 0x80;
    }
}

/* 4 k of 32 columns that lie side by side. */
static inline void interleave(const int8_t *b, int64_t k_stride, int8_t *dst) {
    __m256i row[4];
    for (int k = 0; k < 4; k++)
        row[k] = _mm256_loadu_si256((const __m256i *)(b + k * k_stride));
    __m256i low01 = _mm256_unpacklo_epi8(row[0], row[1]);
    __m256i high01 = _mm256_unpackhi_epi8(row[0], row[1]);
    __m256i low23 = _mm256_unpacklo_epi8(row[2], row[3]);
    __m256i high23 = _mm256_unpackhi_epi8(row[2], row[3]);
    const __m256i quarter[4] = {
        /* columns 0-3 and 16-19, 4-7 and 20-23, ... */
        _mm256_unpacklo_epi16(low01, low23),
        _mm256_unpackhi_epi16(low01, low23),
        _mm256_unpacklo_epi16(high01, high23),
        _mm256_unpackhi_epi16(high01, high23),
    };
    for (int q = 0; q < 4; q++) {
        _mm_store_si128((__m128i *)(dst + 16 * q), _mm256_castsi256_si128(quarter[q]));
        _mm_store_si128((__m128i *)(dst + 64 + 16 * q), _mm256_extracti128_si256(quarter[q], 1));
    }
}

static void sum_columns(const int8_t *panel, int64_t groups, int32_t *tail) {
    __m512i sum[VECTORS] = {zero(), zero()};
    for (int64_t g = 0; g < groups; g++)
        for (int h = 0; h < VECTORS; h++)
            sum[h] = _mm512_dpbusd_epi32(sum[h], _mm512_set1_epi8(1),
                                         _mm512_load_si512(panel + (g * VECTORS + h) * 64));
    for (int h = 0; h < VECTORS; h++)
        _mm512_store_si512(tail + h * LANES, sum[h]);
}

static void pack_b(const void *from, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                   void *to) {
    const int8_t *b = from;
    int8_t *dst = to;
    int64_t k = 0, groups = (depth + GROUP - 1) / GROUP;
    if (columns == PANEL && j_stride == 1)
        for (; k + GROUP <= depth; k += GROUP)
            interleave(b + k * k_stride, k_stride, dst + k * PANEL);
    if (columns == PANEL && k_stride == 1)
        for (; k + GROUP <= depth; k += GROUP)
            for (int j = 0; j < PANEL; j++)
                memcpy(dst + k * PANEL + j * GROUP, b + j * j_stride + k, GROUP);
    for (; k < groups * GROUP; k++)
        for (int j = 0; j < PANEL; j++)
            dst[k / GROUP * GROUP * PANEL + j * GROUP + k % GROUP] =
                k < depth && j < columns ? b[k * k_stride + j * j_stride] : 0;
    sum_columns(dst, groups, (int32_t *)(void *)(dst + groups * GROUP * PANEL));
}

const tern__gemm_kernel tern__gemm_i8_avx512vnni = {
    .variant = {.name = "avx512_vnni",
                .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512 | TERN__CPU_AVX512_VNNI},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = GROUP,
    .a_size = sizeof(int8_t),
    .b_size = sizeof(int8_t),
    .b_tail = PANEL * sizeof(int32_t),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
