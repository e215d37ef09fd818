/* SPDX-License-Identifier: MIT
 * Family `gemm_bf16` for AVX512-BF16: an instruction adds two products to an F32.
 *
 * Strip: rows of BF16. Panel: groups of 2 k, in each 32 columns of 2 BF16. Steps that fill up a
 * group are 0. run() keeps up to 12 x 32 chains in 24 registers.
 */
#include <immintrin.h>
#include <stddef.h>

#include "base/half.h"
#include "kernels/gemm.h"

typedef float number;
typedef int32_t unit;
typedef __m512 vector;
typedef __m512i units;
enum { LANES = 16, VECTORS = 2, ROWS = 12, GROUP = 2 };

static inline vector zero(void) {
    return _mm512_setzero_ps();
}

static inline vector load(const float *x) {
    return _mm512_loadu_ps(x);
}

static inline void store(float *x, vector value) {
    _mm512_storeu_ps(x, value);
}

static inline units load_units(const int32_t *x) {
    return _mm512_loadu_si512(x);
}

static inline units spread(int32_t x) {
    return _mm512_set1_epi32(x);
}

static inline vector fused(units x, units y, vector c) {
    return _mm512_dpbf16_ps(c, (__m512bh)x, (__m512bh)y);
}

static inline vector corrected(vector c, const int32_t *tail) {
    (void)tail;
    return c;
}

#include "kernels/gemm_tiles.h"

/* Up to 16 floats as BF16, 0 for those beyond. */
static inline __m256i rounded(const float *x, int64_t count) {
    __mmask16 mask = (__mmask16)(count >= LANES ? 0xffff : (1 << count) - 1);
    return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x));
}

static void pack_a(const void *a, int64_t line_stride, int64_t step, int64_t lines, int64_t length,
                   void *dst, int64_t dst_stride) {
    for (int64_t x = 0; x < lines; x++) {
        const float *from = (const float *)a + x * line_stride;
        uint16_t *to = (uint16_t *)dst + x * dst_stride;
        int64_t y = 0;
        if (step == 1)
            for (; y + LANES <= length; y += LANES)
                _mm256_storeu_si256((__m256i *)(to + y), rounded(from + y, LANES));
        for (; y < length; y++)
            to[y] = tern__bf16_from_f32(from[y * step]);
        if (length % GROUP != 0)
            to[length] = 0;
    }
}

/* 2 k of `columns` columns that lie side by side; without the second step where is_odd. */
static inline void interleave(const float *b, int64_t k_stride, int columns, bool is_odd,
                              int32_t *dst) {
    for (int h = 0; h < VECTORS; h++) {
        int64_t count = columns > h * LANES ? columns - h * LANES : 0;
        __m512i even = _mm512_cvtepu16_epi32(rounded(b + h * LANES, count));
        __m512i odd = _mm512_cvtepu16_epi32(rounded(b + k_stride + h * LANES, is_odd ? 0 : count));
        _mm512_store_si512(dst + h * LANES, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
    }
}

/* Up to 16 k of one column, a unit every PANEL. */
static inline void scatter(const float *b, int64_t count, int32_t *dst) {
    _Alignas(32) int32_t pair[LANES / GROUP];
    _mm256_store_si256((__m256i *)pair, rounded(b, count));
    for (int64_t g = 0; g < (count + 1) / GROUP; g++)
        dst[g * PANEL] = pair[g];
}

static void pack_b(const void *from, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                   void *to) {
    const float *b = from;
    if (j_stride == 1) {
        for (int64_t k = 0; k < depth; k += GROUP)
            interleave(b + k * k_stride, k_stride, columns, k + 1 == depth,
                       (int32_t *)to + k / GROUP * PANEL);
        return;
    }
    for (int64_t k = 0; k < depth; k += LANES) {
        int64_t count = depth - k < LANES ? depth - k : LANES;
        for (int j = 0; j < PANEL; j++) {
            float column[LANES] = {0};
            for (int64_t x = 0; x < count && j < columns; x++)
                column[x] = b[(k + x) * k_stride + j * j_stride];
            scatter(column, count, (int32_t *)to + k / GROUP * PANEL + j);
        }
    }
}

const tern__gemm_kernel tern__gemm_bf16_avx512bf16 = {
    .variant = {.name = "avx512_bf16",
                .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512 | TERN__CPU_AVX512_BF16},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = GROUP,
    .a_size = sizeof(uint16_t),
    .b_size = sizeof(uint16_t),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
