/* SPDX-License-Identifier: MIT
 * Family `gemm_i8` for AVX2, in int16: two products at a time, |a b + a' b'| <= 2 * 2^14, are added
 * in int32 without saturation.
 *
 * Strip: rows of int16. Panel: groups of 2 k, in each 16 columns of 2 int16. Steps that fill up a
 * group are 0. run() keeps up to 6 x 16 sums in 12 registers.
 */
#include <immintrin.h>
#include <stddef.h>

#include "kernels/gemm.h"

typedef int32_t number, unit;
typedef __m256i vector, units;
enum { LANES = 8, VECTORS = 2, ROWS = 6, GROUP = 2 };

static inline vector zero(void) {
    return _mm256_setzero_si256();
}

static inline vector load(const int32_t *x) {
    return _mm256_loadu_si256((const __m256i *)x);
}

static inline void store(int32_t *x, vector value) {
    _mm256_storeu_si256((__m256i *)x, value);
}

static inline units load_units(const int32_t *x) {
    return _mm256_loadu_si256((const __m256i *)x);
}

static inline units spread(int32_t x) {
    return _mm256_set1_epi32(x);
}

static inline vector fused(units x, units y, vector c) {
    return _mm256_add_epi32(c, _mm256_madd_epi16(x, y));
}

static inline vector corrected(vector c, const int32_t *tail) {
    (void)tail;
    return c;
}

#include "kernels/gemm_tiles.h"

static void pack_a(const void *a, int64_t line_stride, int64_t step, int64_t lines, int64_t length,
                   void *dst, int64_t dst_stride) {
    for (int64_t x = 0; x < lines; x++) {
        const int8_t *restrict from = (const int8_t *)a + x * line_stride;
        int16_t *restrict to = (int16_t *)dst + x * dst_stride;
        if (step == 1)
            for (int64_t y = 0; y < length; y++)
                to[y] = from[y];
        else
            for (int64_t y = 0; y < length; y++)
                to[y] = from[y * step];
        if (length % GROUP != 0)
            to[length] = 0;
    }
}

/* 2 k of 16 columns that lie side by side. */
static inline void interleave(const int8_t *b, int64_t k_stride, int16_t *dst) {
    __m256i even = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)b));
    __m256i odd = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + k_stride)));
    __m256i low = _mm256_unpacklo_epi16(even, odd); /* columns 0-3, 8-11 */
    __m256i high = _mm256_unpackhi_epi16(even, odd);
    _mm256_store_si256((__m256i *)dst, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_store_si256((__m256i *)(dst + 16), _mm256_permute2x128_si256(low, high, 0x31));
}

static void pack_b(const void *from, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                   void *to) {
    const int8_t *b = from;
    int16_t *dst = to;
    int64_t k = 0;
    if (columns == PANEL && j_stride == 1)
        for (; k + GROUP <= depth; k += GROUP)
            interleave(b + k * k_stride, k_stride, dst + k * PANEL);
    if (columns == PANEL)
        for (; k + GROUP <= depth; k += GROUP)
            for (int j = 0; j < PANEL; j++) {
                dst[k * PANEL + j * GROUP] = b[k * k_stride + j * j_stride];
                dst[k * PANEL + j * GROUP + 1] = b[(k + 1) * k_stride + j * j_stride];
            }
    for (; k < (depth + 1) / GROUP * GROUP; k++)
        for (int j = 0; j < PANEL; j++)
            dst[k / GROUP * GROUP * PANEL + j * GROUP + k % GROUP] =
                k < depth && j < columns ? b[k * k_stride + j * j_stride] : 0;
}

const tern__gemm_kernel tern__gemm_i8_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = GROUP,
    .a_size = sizeof(int16_t),
    .b_size = sizeof(int16_t),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
