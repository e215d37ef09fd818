/* SPDX-License-Identifier: MIT
 * tern__exp_f32 (exp.h) for 8 numbers at once, the same bits. For files compiled for AVX2. */
#ifndef TERN__EXP_AVX2_H
#define TERN__EXP_AVX2_H

#if defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>

#include "kernels/exp.h"

static inline __m256 tern__exp_power_avx2(__m256i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

static inline __m256 tern__exp_avx2(__m256 x) {
    /* A NaN comes through min and max as their second operand. */
    x = _mm256_max_ps(_mm256_set1_ps(TERN__EXP_LOWEST), x);
    x = _mm256_min_ps(_mm256_set1_ps(TERN__EXP_HIGHEST), x);

    __m256 round = _mm256_set1_ps(TERN__EXP_ROUND);
    __m256 low = _mm256_set1_ps(TERN__EXP_LN2_LOW);
    __m256 shifted = _mm256_fmadd_ps(x, _mm256_set1_ps(TERN__EXP_LOG2E), round);
    __m256 n = _mm256_sub_ps(shifted, round);
    __m256 high = _mm256_fnmadd_ps(n, _mm256_set1_ps(TERN__EXP_LN2_HIGH), x);
    __m256 r = _mm256_fnmadd_ps(n, low, high);
    __m256 rest = _mm256_fnmadd_ps(n, low, _mm256_sub_ps(high, r));

    __m256 q = _mm256_set1_ps(TERN__EXP_Q5);
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(TERN__EXP_Q4));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(TERN__EXP_Q3));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(TERN__EXP_Q2));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(TERN__EXP_Q1));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(TERN__EXP_Q0));

    __m256 unit = _mm256_set1_ps(1.0f);
    __m256 one = _mm256_add_ps(unit, r);
    __m256 lost = _mm256_sub_ps(r, _mm256_sub_ps(one, unit));
    __m256 small = _mm256_add_ps(_mm256_fmadd_ps(_mm256_mul_ps(r, r), q, rest), lost);
    __m256 power = _mm256_add_ps(one, small);

    __m256i whole = _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_castps_si256(round));
    __m256i half = _mm256_srai_epi32(whole, 1);
    power = _mm256_mul_ps(power, tern__exp_power_avx2(half));
    return _mm256_mul_ps(power, tern__exp_power_avx2(_mm256_sub_epi32(whole, half)));
}

#endif
#endif
