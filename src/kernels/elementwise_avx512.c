/* SPDX-License-Identifier: MIT
 * Family `elementwise` for AVX-512: 16 numbers a step, the last ones under a mask. */
#include <immintrin.h>

#include "kernels/elementwise.h"

enum { LANES = 16 };

static inline int64_t lanes_left(int64_t left) {
    return left < LANES ? left : LANES;
}

/* The first `count` lanes, 0 <= count <= 16. */
static inline __mmask16 first_lanes(int64_t count) {
    return (__mmask16)((1u << count) - 1);
}

static void rope(const float *x, const float *cosine, const float *sine, float *out, int64_t half) {
    for (int64_t i = 0; i < half; i += LANES) {
        __mmask16 lanes = first_lanes(lanes_left(half - i));
        __m512 first = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512 second = _mm512_maskz_loadu_ps(lanes, x + i + half);
        __m512 c = _mm512_maskz_loadu_ps(lanes, cosine + i);
        __m512 s = _mm512_maskz_loadu_ps(lanes, sine + i);
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_fnmadd_ps(second, s, _mm512_mul_ps(first, c)));
        _mm512_mask_storeu_ps(out + i + half, lanes,
                              _mm512_fmadd_ps(first, s, _mm512_mul_ps(second, c)));
    }
}

static void from_i32(const int32_t *x, float factor, float *out, int64_t n) {
    __m512 factors = _mm512_set1_ps(factor);
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = first_lanes(lanes_left(n - i));
        __m512 value = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, x + i));
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_mul_ps(value, factors));
    }
}

static void accumulate_i32(const int32_t *x, const float *factors, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = first_lanes(lanes_left(n - i));
        __m512 value = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, x + i));
        __m512 factor = _mm512_maskz_loadu_ps(lanes, factors + i);
        __m512 before = _mm512_maskz_loadu_ps(lanes, out + i);
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_fmadd_ps(value, factor, before));
    }
}

const tern__elementwise_kernel tern__elementwise_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .rope = rope,
    .from_i32 = from_i32,
    .accumulate_i32 = accumulate_i32,
};
