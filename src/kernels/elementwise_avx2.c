/* SPDX-License-Identifier: MIT
 * Family `elementwise` for AVX2: 8 numbers a step, the last ones under a mask. */
#include <immintrin.h>

#include "kernels/elementwise.h"

enum { LANES = 8 };

static inline int64_t lanes_left(int64_t left) {
    return left < LANES ? left : LANES;
}

/* The first `count` lanes, 0 <= count <= 8. */
static inline __m256i first_lanes(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __m256i take_i32(const int32_t *x, int64_t count) {
    return count == LANES ? _mm256_loadu_si256((const __m256i *)x)
                          : _mm256_maskload_epi32((const int *)x, first_lanes(count));
}

static inline __m256 take(const float *x, int64_t count) {
    return count == LANES ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, first_lanes(count));
}

static inline void put(float *out, int64_t count, __m256 y) {
    if (count == LANES)
        _mm256_storeu_ps(out, y);
    else
        _mm256_maskstore_ps(out, first_lanes(count), y);
}

static void rope(const float *x, const float *cosine, const float *sine, float *out, int64_t half) {
    for (int64_t i = 0; i < half; i += LANES) {
        int64_t count = lanes_left(half - i);
        __m256 first = take(x + i, count);
        __m256 second = take(x + i + half, count);
        __m256 c = take(cosine + i, count);
        __m256 s = take(sine + i, count);
        put(out + i, count, _mm256_fnmadd_ps(second, s, _mm256_mul_ps(first, c)));
        put(out + i + half, count, _mm256_fmadd_ps(first, s, _mm256_mul_ps(second, c)));
    }
}

static void from_i32(const int32_t *x, float factor, float *out, int64_t n) {
    __m256 factors = _mm256_set1_ps(factor);
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t count = lanes_left(n - i);
        __m256i whole = take_i32(x + i, count);
        put(out + i, count, _mm256_mul_ps(_mm256_cvtepi32_ps(whole), factors));
    }
}

static void accumulate_i32(const int32_t *x, const float *factors, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t count = lanes_left(n - i);
        __m256i whole = take_i32(x + i, count);
        __m256 factor = take(factors + i, count);
        __m256 before = take(out + i, count);
        put(out + i, count, _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole), factor, before));
    }
}

const tern__elementwise_kernel tern__elementwise_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .rope = rope,
    .from_i32 = from_i32,
    .accumulate_i32 = accumulate_i32,
};
