/* SPDX-License-Identifier: MIT
 * Family `convert` for AVX-512: 16 numbers a step, the last ones under a mask. */
#include <immintrin.h>

#include "base/half.h"
#include "kernels/convert.h"

enum { LANES = 16 };

static inline __mmask16 lanes_left(int64_t left) {
    return (__mmask16)((1u << (left < LANES ? left : LANES)) - 1);
}

static void f32_from_f16(const uint16_t *x, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_left(n - i);
        __m256i half = _mm256_maskz_loadu_epi16(lanes, x + i);
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_cvtph_ps(half));
    }
}

static void f16_from_f32(const float *x, uint16_t *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_left(n - i);
        __m512 value = _mm512_maskz_loadu_ps(lanes, x + i);
        __m256i half = _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm256_mask_storeu_epi16(out + i, lanes, half);
    }
}

static void f32_from_bf16(const uint16_t *x, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_left(n - i);
        __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, x + i));
        _mm512_mask_storeu_epi32(out + i, lanes, _mm512_slli_epi32(wide, 16));
    }
}

/* tern__bf16_from_f32 in lanes: add just below half of the last place kept, one more when that
 * place is odd. */
static void bf16_from_f32(const float *x, uint16_t *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_left(n - i);
        __m512 value = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512i bits = _mm512_castps_si512(value);
        __m512i high = _mm512_srli_epi32(bits, 16);
        __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
        __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        __m512i rounded = _mm512_srli_epi32(sum, 16);
        __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
        rounded = _mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40));
        _mm512_mask_cvtepi32_storeu_epi16(out + i, lanes, rounded);
    }
}

static void f32_from_q8_0(const uint8_t *x, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += 2 * LANES, x += 34) {
        __m512 d = _mm512_set1_ps(tern__f32_from_f16((uint16_t)(x[0] | x[1] << 8)));
        for (int64_t j = 0; j < 2 * LANES; j += LANES) {
            __m128i q = _mm_loadu_si128((const __m128i *)(x + 2 + j));
            __m512 value = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q));
            _mm512_storeu_ps(out + i + j, _mm512_mul_ps(d, value));
        }
    }
}

static float i8_scale(const float *x, int64_t n) {
    __m512i largest = _mm512_setzero_si512();
    for (int64_t i = 0; i < n; i += LANES) {
        __m512i bits = _mm512_maskz_loadu_epi32(lanes_left(n - i), x + i);
        bits = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
        largest = _mm512_max_epi32(largest, bits);
    }
    return tern__i8_scale_of((uint32_t)_mm512_reduce_max_epi32(largest));
}

static void i8_from_f32(const float *x, float scale, int8_t *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_left(n - i);
        __m512 v = _mm512_div_ps(_mm512_maskz_loadu_ps(lanes, x + i), _mm512_set1_ps(scale));
        v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v);
        v = _mm512_min_ps(_mm512_max_ps(v, _mm512_set1_ps(-127)), _mm512_set1_ps(127));
        _mm512_mask_cvtepi32_storeu_epi8(out + i, lanes, _mm512_cvtps_epi32(v));
    }
}

const tern__convert_kernel tern__convert_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .f32_from_f16 = f32_from_f16,
    .f16_from_f32 = f16_from_f32,
    .f32_from_bf16 = f32_from_bf16,
    .bf16_from_f32 = bf16_from_f32,
    .f32_from_q8_0 = f32_from_q8_0,
    .i8_scale = i8_scale,
    .i8_from_f32 = i8_from_f32,
};
