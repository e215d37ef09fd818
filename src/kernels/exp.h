/* SPDX-License-Identifier: MIT
 *
 * The F32 exponential; this scalar function is the specification, exp_avx2.h and exp_avx512.h give
 * the same bits.
 *
 *   exp(x) = 2^n e^r,  n = x / ln 2 rounded, r = x - n ln 2, |r| <= 0.3466
 *   e^r    = 1 + r + r^2 q(r), q of degree 5 (minimax for the relative error, below 2^-31)
 *
 * r is carried as r + rest and 1 + r as one + lost, so that little more than the last addition
 * rounds. The factor 2^n is applied in two steps of which only the second can round, and that only
 * into a denormal or to infinity.
 *
 * Largest error over all 2^32 inputs, against a double exponential: 0.660 ulp, 0.765 ulp where the
 * result is denormal; 99.88 % of the results between 0 and infinity are the nearest number.
 * exp(NaN) = NaN, exp(-inf) = +0, exp(+inf) = +inf, exp(+-0) = 1.
 */
#ifndef TERN__EXP_H
#define TERN__EXP_H

#include <math.h>
#include <stdint.h>

#include "base/half.h"

/* Beyond these the result is +0 or infinity whatever x is; within them |n| <= 150. */
#define TERN__EXP_LOWEST  (-104.0f)
#define TERN__EXP_HIGHEST 89.0f

#define TERN__EXP_LOG2E 0x1.715476p+0f
/* ln 2 = high + low; x - n * high is exact in one fma. */
#define TERN__EXP_LN2_HIGH 0x1.62e43p-1f
#define TERN__EXP_LN2_LOW  -0x1.05c61p-29f
/* 1.5 * 2^23: adding it rounds to an integer, which the low bits of the sum then hold. */
#define TERN__EXP_ROUND 0x1.8p+23f

#define TERN__EXP_Q0 0x1p-1f
#define TERN__EXP_Q1 0x1.55553cp-3f
#define TERN__EXP_Q2 0x1.5554f2p-5f
#define TERN__EXP_Q3 0x1.113734p-7f
#define TERN__EXP_Q4 0x1.6d40d6p-10f
#define TERN__EXP_Q5 0x1.6b563cp-13f

/* 2^n for -126 <= n <= 127. */
static inline float tern__exp_power(int32_t n) {
    return tern__f32_from_bits((uint32_t)(n + 127) << 23);
}

static inline float tern__exp_f32(float x) {
    if (x != x)
        return x;
    x = x < TERN__EXP_LOWEST ? TERN__EXP_LOWEST : x;
    x = x > TERN__EXP_HIGHEST ? TERN__EXP_HIGHEST : x;

    float n = fmaf(x, TERN__EXP_LOG2E, TERN__EXP_ROUND) - TERN__EXP_ROUND;
    float high = fmaf(n, -TERN__EXP_LN2_HIGH, x);
    float r = fmaf(n, -TERN__EXP_LN2_LOW, high);
    float rest = fmaf(n, -TERN__EXP_LN2_LOW, high - r);

    float q = TERN__EXP_Q5;
    q = fmaf(q, r, TERN__EXP_Q4);
    q = fmaf(q, r, TERN__EXP_Q3);
    q = fmaf(q, r, TERN__EXP_Q2);
    q = fmaf(q, r, TERN__EXP_Q1);
    q = fmaf(q, r, TERN__EXP_Q0);

    float one = 1.0f + r;
    float lost = r - (one - 1.0f);
    float power = one + (fmaf(r * r, q, rest) + lost);

    int32_t half = (int32_t)n >> 1;
    return power * tern__exp_power(half) * tern__exp_power((int32_t)n - half);
}

#endif
