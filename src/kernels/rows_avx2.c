/* SPDX-License-Identifier: MIT
 * Family `rows` for AVX2. The 64 partial results of the reduction rule are eight registers:
 * partial j is lane j % 8 of register j / 8, so a step takes 64 numbers and the rule's tree adds
 * registers, then halves of one. In the last step lanes beyond the row keep their partials. */
#include <math.h>
#include <string.h>

#include <immintrin.h>

#include "kernels/lanes_avx2.h"

#include "kernels/exp.h"
#include "kernels/rows.h"

enum { LANES = 8, REGISTERS = 8, STEP = LANES * REGISTERS };

/* The lanes that have one of the `left` > 0 numbers. */
static inline __m256i lanes_left(int64_t left) {
    left = left > LANES ? LANES : left;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)left),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __m256 choose(__m256 otherwise, __m256i lanes, __m256 chosen) {
    return _mm256_blendv_ps(otherwise, chosen, _mm256_castsi256_ps(lanes));
}

/* x[0..8), or the first `left` of them and `otherwise` in the lanes behind. */
static inline __m256 load_or(__m256 otherwise, const float *x, int64_t left) {
    if (left >= LANES)
        return _mm256_loadu_ps(x);
    __m256i lanes = lanes_left(left);
    return choose(otherwise, lanes, _mm256_maskload_ps(x, lanes));
}

static inline void clear(__m256 partial[REGISTERS]) {
    for (int k = 0; k < REGISTERS; k++)
        partial[k] = _mm256_setzero_ps();
}

static inline float fold(__m256 partial[REGISTERS]) {
    for (int s = REGISTERS / 2; s > 0; s /= 2)
        for (int k = 0; k < s; k++)
            partial[k] = _mm256_add_ps(partial[k], partial[k + s]);
    __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(partial[0]), _mm256_extractf128_ps(partial[0], 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static float sum(const float *x, int64_t n) {
    __m256 partial[REGISTERS];
    clear(partial);
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < REGISTERS; k++)
            partial[k] = _mm256_add_ps(partial[k], _mm256_loadu_ps(x + i + k * LANES));
    for (int k = 0; k < REGISTERS && i + k * LANES < n; k++) {
        __m256i lanes = lanes_left(n - i - k * LANES);
        __m256 value = _mm256_maskload_ps(x + i + k * LANES, lanes);
        partial[k] = choose(partial[k], lanes, _mm256_add_ps(partial[k], value));
    }
    return fold(partial);
}

static float dot(const float *x, const float *y, int64_t n) {
    __m256 partial[REGISTERS];
    clear(partial);
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < REGISTERS; k++) {
            __m256 a = _mm256_loadu_ps(x + i + k * LANES);
            __m256 b = _mm256_loadu_ps(y + i + k * LANES);
            partial[k] = _mm256_fmadd_ps(a, b, partial[k]);
        }
    for (int k = 0; k < REGISTERS && i + k * LANES < n; k++) {
        __m256i lanes = lanes_left(n - i - k * LANES);
        __m256 a = _mm256_maskload_ps(x + i + k * LANES, lanes);
        __m256 b = _mm256_maskload_ps(y + i + k * LANES, lanes);
        partial[k] = choose(partial[k], lanes, _mm256_fmadd_ps(a, b, partial[k]));
    }
    return fold(partial);
}

/* The larger number in lanes; of +0 and -0, where maxps gives its second operand, +0 by the and of
 * both orders. Garbage where one is NaN. */
static inline __m256 larger(__m256 a, __m256 b) {
    return _mm256_and_ps(_mm256_max_ps(a, b), _mm256_max_ps(b, a));
}

static float max(const float *x, int64_t n) {
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    __m256 largest[2] = {lowest, lowest};
    __m256 nan = _mm256_setzero_ps();
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + LANES);
        largest[0] = larger(largest[0], a);
        largest[1] = larger(largest[1], b);
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
    }
    for (; i < n; i += LANES) {
        __m256 a = load_or(lowest, x + i, n - i);
        largest[0] = larger(largest[0], a);
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
    }
    if (_mm256_movemask_ps(nan) != 0)
        return NAN;
    __m256 all = larger(largest[0], largest[1]);
    all = larger(all, _mm256_permute2f128_ps(all, all, 1));
    all = larger(all, _mm256_shuffle_ps(all, all, _MM_SHUFFLE(1, 0, 3, 2)));
    all = larger(all, _mm256_shuffle_ps(all, all, _MM_SHUFFLE(2, 3, 0, 1)));
    return _mm256_cvtss_f32(all);
}

static void rms_norm(const float *x, const float *weight, float epsilon, float *out, int64_t n) {
    float r = 1 / sqrtf(dot(x, x, n) / (float)n + epsilon);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 value = _mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(r));
        _mm256_storeu_ps(out + i, _mm256_mul_ps(value, _mm256_loadu_ps(weight + i)));
    }
    for (; i < n; i++)
        out[i] = x[i] * r * weight[i];
}

static void softmax(const float *x, float *out, int64_t n) {
    __m256 largest = _mm256_set1_ps(max(x, n));
    __m256 partial[REGISTERS];
    clear(partial);
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < REGISTERS; k++) {
            __m256 value = _mm256_sub_ps(_mm256_loadu_ps(x + i + k * LANES), largest);
            value = (__m256)s_exp((sf)value);
            _mm256_storeu_ps(out + i + k * LANES, value);
            partial[k] = _mm256_add_ps(partial[k], value);
        }
    for (int k = 0; k < REGISTERS && i + k * LANES < n; k++) {
        __m256i lanes = lanes_left(n - i - k * LANES);
        __m256 value = _mm256_sub_ps(_mm256_maskload_ps(x + i + k * LANES, lanes), largest);
        value = (__m256)s_exp((sf)value);
        _mm256_maskstore_ps(out + i + k * LANES, lanes, value);
        partial[k] = choose(partial[k], lanes, _mm256_add_ps(partial[k], value));
    }

    float r = 1 / fold(partial);
    for (i = 0; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_loadu_ps(out + i), _mm256_set1_ps(r)));
    for (; i < n; i++)
        out[i] *= r;
}

static inline uint32_t largest_magnitude(const float *x, int64_t n) {
    __m256i largest = _mm256_setzero_si256();
    for (int64_t i = 0; i < n; i += LANES) {
        __m256i bits = _mm256_castps_si256(load_or(_mm256_setzero_ps(), x + i, n - i));
        bits = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
        largest = _mm256_max_epi32(largest, bits);
    }
    __m128i four =
        _mm_max_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(2, 3, 0, 1)));
    return (uint32_t)_mm_cvtsi128_si32(four);
}

static float quantize(const float *x, int64_t n, int8_t *q, int64_t padded, int32_t *total) {
    float s = tern__quantize_scale(largest_magnitude(x, n));

    /* Nothing for s = NaN or 0. Finite x lie within +-127 by the choice of s. */
    int64_t end = s > 0 ? n : 0;
    __m256i sums = _mm256_setzero_si256();
    for (int64_t i = 0; i < end; i += LANES) {
        __m256 value = load_or(_mm256_setzero_ps(), x + i, end - i);
        __m256i whole = _mm256_cvtps_epi32(_mm256_mul_ps(value, _mm256_set1_ps(s)));
        sums = _mm256_add_epi32(sums, whole);
        __m128i narrow =
            _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
        narrow = _mm_packs_epi16(narrow, narrow);
        if (end - i >= LANES)
            _mm_storel_epi64((__m128i *)(q + i), narrow);
        else
            memcpy(q + i, &narrow, (size_t)(end - i));
    }
    memset(q + end, 0, (size_t)(padded - end));

    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(2, 3, 0, 1)));
    *total = _mm_cvtsi128_si32(four);
    return s;
}

const tern__rows_kernel tern__rows_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .sum = sum,
    .dot = dot,
    .max = max,
    .rms_norm = rms_norm,
    .softmax = softmax,
    .quantize = quantize,
};
