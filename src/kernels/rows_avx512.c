/* SPDX-License-Identifier: MIT
 * Family `rows` for AVX-512. The 64 partial results of the reduction rule are four registers:
 * partial j is lane j % 16 of register j / 16, so a step takes 64 numbers and the rule's tree adds
 * registers, then halves of one. In the last step lanes beyond the row keep their partials. */
#include <math.h>
#include <string.h>

#include <immintrin.h>

#include "kernels/lanes_avx512.h"

#include "kernels/exp.h"
#include "kernels/rows.h"

enum { LANES = 16, REGISTERS = 4, STEP = LANES * REGISTERS };

/* The lanes that have one of the `left` > 0 numbers. */
static inline __mmask16 lanes_left(int64_t left) {
    return (__mmask16)((1u << (left < LANES ? left : LANES)) - 1);
}

static inline void clear(__m512 partial[REGISTERS]) {
    for (int k = 0; k < REGISTERS; k++)
        partial[k] = _mm512_setzero_ps();
}

static inline float fold(const __m512 partial[REGISTERS]) {
    __m512 all =
        _mm512_add_ps(_mm512_add_ps(partial[0], partial[2]), _mm512_add_ps(partial[1], partial[3]));
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static float sum(const float *x, int64_t n) {
    __m512 partial[REGISTERS];
    clear(partial);
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < REGISTERS; k++)
            partial[k] = _mm512_add_ps(partial[k], _mm512_loadu_ps(x + i + k * LANES));
    for (int k = 0; k < REGISTERS && i + k * LANES < n; k++) {
        __mmask16 lanes = lanes_left(n - i - k * LANES);
        __m512 value = _mm512_maskz_loadu_ps(lanes, x + i + k * LANES);
        partial[k] = _mm512_mask_add_ps(partial[k], lanes, partial[k], value);
    }
    return fold(partial);
}

static float dot(const float *x, const float *y, int64_t n) {
    __m512 partial[REGISTERS];
    clear(partial);
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < REGISTERS; k++) {
            __m512 a = _mm512_loadu_ps(x + i + k * LANES);
            __m512 b = _mm512_loadu_ps(y + i + k * LANES);
            partial[k] = _mm512_fmadd_ps(a, b, partial[k]);
        }
    for (int k = 0; k < REGISTERS && i + k * LANES < n; k++) {
        __mmask16 lanes = lanes_left(n - i - k * LANES);
        __m512 a = _mm512_maskz_loadu_ps(lanes, x + i + k * LANES);
        __m512 b = _mm512_maskz_loadu_ps(lanes, y + i + k * LANES);
        partial[k] = _mm512_mask3_fmadd_ps(a, b, partial[k], lanes);
    }
    return fold(partial);
}

/* range: the larger number, +0 above -0, but a NaN loses; NaNs are watched apart. */
static float max(const float *x, int64_t n) {
    enum { LARGER = 1, SIGN_OF_RESULT = 4 };
    const __m512 lowest = _mm512_set1_ps(-INFINITY);
    __m512 largest[2] = {lowest, lowest};
    __mmask16 nan = 0;
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        __m512 a = _mm512_loadu_ps(x + i), b = _mm512_loadu_ps(x + i + LANES);
        largest[0] = _mm512_range_ps(largest[0], a, LARGER | SIGN_OF_RESULT);
        largest[1] = _mm512_range_ps(largest[1], b, LARGER | SIGN_OF_RESULT);
        nan |= _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
    }
    for (; i < n; i += LANES) {
        __m512 a = _mm512_mask_loadu_ps(lowest, lanes_left(n - i), x + i);
        largest[0] = _mm512_range_ps(largest[0], a, LARGER | SIGN_OF_RESULT);
        nan |= _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
    }
    if (nan != 0)
        return NAN;
    __m512 all = _mm512_range_ps(largest[0], largest[1], LARGER | SIGN_OF_RESULT);
    __m256 eight = _mm256_range_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1),
                                   LARGER | SIGN_OF_RESULT);
    __m128 four = _mm_range_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1),
                               LARGER | SIGN_OF_RESULT);
    four = _mm_range_ps(four, _mm_movehl_ps(four, four), LARGER | SIGN_OF_RESULT);
    four = _mm_range_ps(four, _mm_movehdup_ps(four), LARGER | SIGN_OF_RESULT);
    return _mm_cvtss_f32(four);
}

static void rms_norm(const float *x, const float *weight, float epsilon, float *out, int64_t n) {
    __m512 r = _mm512_set1_ps(1 / sqrtf(dot(x, x, n) / (float)n + epsilon));
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_left(n - i);
        __m512 value = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), r);
        value = _mm512_mul_ps(value, _mm512_maskz_loadu_ps(lanes, weight + i));
        _mm512_mask_storeu_ps(out + i, lanes, value);
    }
}

static void softmax(const float *x, float *out, int64_t n) {
    __m512 largest = _mm512_set1_ps(max(x, n));
    __m512 partial[REGISTERS];
    clear(partial);
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < REGISTERS; k++) {
            __m512 value = _mm512_sub_ps(_mm512_loadu_ps(x + i + k * LANES), largest);
            value = (__m512)s_exp((sf)value);
            _mm512_storeu_ps(out + i + k * LANES, value);
            partial[k] = _mm512_add_ps(partial[k], value);
        }
    for (int k = 0; k < REGISTERS && i + k * LANES < n; k++) {
        __mmask16 lanes = lanes_left(n - i - k * LANES);
        __m512 value = _mm512_maskz_loadu_ps(lanes, x + i + k * LANES);
        value = (__m512)s_exp((sf)_mm512_sub_ps(value, largest));
        _mm512_mask_storeu_ps(out + i + k * LANES, lanes, value);
        partial[k] = _mm512_mask_add_ps(partial[k], lanes, partial[k], value);
    }
    __m512 r = _mm512_set1_ps(1 / fold(partial));
    for (i = 0; i < n; i += LANES) {
        __mmask16 lanes = lanes_left(n - i);
        __m512 value = _mm512_maskz_loadu_ps(lanes, out + i);
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_mul_ps(value, r));
    }
}

static float quantize(const float *x, int64_t n, int8_t *q, int64_t padded, int32_t *total) {
    __m512i largest = _mm512_setzero_si512();
    for (int64_t i = 0; i < n; i += LANES) {
        __m512i bits = _mm512_maskz_loadu_epi32(lanes_left(n - i), x + i);
        bits = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
        largest = _mm512_max_epi32(largest, bits);
    }
    float s = tern__quantize_scale((uint32_t)_mm512_reduce_max_epi32(largest));

    /* Nothing for s = NaN or 0. Finite x lie within +-127 by the choice of s. */
    int64_t end = s > 0 ? n : 0;
    __m512 scale = _mm512_set1_ps(s);
    __m512i sums = _mm512_setzero_si512();
    for (int64_t i = 0; i < end; i += LANES) {
        __mmask16 lanes = lanes_left(end - i);
        __m512 value = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), scale);
        __m512i whole = _mm512_cvtps_epi32(value);
        _mm512_mask_cvtepi32_storeu_epi8(q + i, lanes, whole);
        sums = _mm512_add_epi32(sums, whole);
    }
    memset(q + end, 0, (size_t)(padded - end));
    *total = _mm512_reduce_add_epi32(sums);
    return s;
}

const tern__rows_kernel tern__rows_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .sum = sum,
    .dot = dot,
    .max = max,
    .rms_norm = rms_norm,
    .softmax = softmax,
    .quantize = quantize,
};
