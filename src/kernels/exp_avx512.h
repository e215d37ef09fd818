/* SPDX-License-Identifier: MIT
 * tern__exp_f32 (exp.h) for 16 numbers at once, the same bits: scalef multiplies by 2^n with one
 * rounding. For files compiled for AVX-512. */
#ifndef TERN__EXP_AVX512_H
#define TERN__EXP_AVX512_H

#if defined(__AVX512F__)

#include <immintrin.h>

#include "kernels/exp.h"

static inline __m512 tern__exp_avx512(__m512 x) {
    /* A NaN comes through min and max as their second operand. */
    x = _mm512_max_ps(_mm512_set1_ps(TERN__EXP_LOWEST), x);
    x = _mm512_min_ps(_mm512_set1_ps(TERN__EXP_HIGHEST), x);

    __m512 round = _mm512_set1_ps(TERN__EXP_ROUND);
    __m512 low = _mm512_set1_ps(TERN__EXP_LN2_LOW);
    __m512 n = _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(TERN__EXP_LOG2E), round), round);
    __m512 high = _mm512_fnmadd_ps(n, _mm512_set1_ps(TERN__EXP_LN2_HIGH), x);
    __m512 r = _mm512_fnmadd_ps(n, low, high);
    __m512 rest = _mm512_fnmadd_ps(n, low, _mm512_sub_ps(high, r));

    __m512 q = _mm512_set1_ps(TERN__EXP_Q5);
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(TERN__EXP_Q4));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(TERN__EXP_Q3));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(TERN__EXP_Q2));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(TERN__EXP_Q1));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(TERN__EXP_Q0));

    __m512 unit = _mm512_set1_ps(1.0f);
    __m512 one = _mm512_add_ps(unit, r);
    __m512 lost = _mm512_sub_ps(r, _mm512_sub_ps(one, unit));
    __m512 small = _mm512_add_ps(_mm512_fmadd_ps(_mm512_mul_ps(r, r), q, rest), lost);
    return _mm512_scalef_ps(_mm512_add_ps(one, small), n);
}

#endif
#endif
