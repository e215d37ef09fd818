/* SPDX-License-Identifier: MIT
 *
 * The F32 exponential over lanes (lanes.h), and SiLU, which is made of it.
 *
 *   exp(x) = 2^n e^r,  n = x / ln 2 rounded, r = x - n ln 2, |r| <= 0.3466
 *   e^r    = 1 + r + r^2 q(r), q of degree 5 (minimax for the relative error, below 2^-31)
 *
 * r is carried as r + rest and 1 + r as one + lost, so that little more than the last addition
 * rounds. The factor 2^n rounds only into a denormal or to infinity.
 *
 * Largest error over all 2^32 inputs, against a double exponential: 0.660 ulp, 0.765 ulp where the
 * result is denormal; 99.88 % of the results between 0 and infinity are the nearest number.
 * exp(NaN) = NaN, exp(-inf) = +0, exp(+inf) = +inf, exp(+-0) = 1.
 */
#ifndef TERN__EXP_H
#define TERN__EXP_H

#include "kernels/lanes.h"

/* x = n (unit ln 2) + r + *rest, |r - lean| <= unit 0.3466; unit is 1 or 1/2, |x| <= 2^16. */
V_INLINE sf s_split(sf x, float unit, float lean, sf *n, sf *rest) {
    /* ln 2 = high + low; x - n high is exact in one fma. */
    const float high = 0x1.62e43p-1f * unit, low = -0x1.05c61p-29f * unit;
    *n = s_fma(x - lean, s_all(0x1.715476p+0f / unit), s_all(S_MAGIC)) - S_MAGIC;
    sf most = s_fma(*n, s_all(-high), x), r = s_fma(*n, s_all(-low), most);
    *rest = s_fma(*n, s_all(-low), most - r);
    return r;
}

/* e^x = 2^n (1 + r + *small), returns r. */
V_INLINE sf s_exp_reduce(sf x, sf *n, sf *small) {
    static const float q[] = {
        0x1p-1f, 0x1.55553cp-3f, 0x1.5554f2p-5f, 0x1.113734p-7f, 0x1.6d40d6p-10f, 0x1.6b563cp-13f,
    };
    sf rest, r = s_split(x, 1, 0, n, &rest);
    *small = s_fma(r * r, s_poly(r, q, 6), rest);
    return r;
}

/* e^x = 2^n (power + *low), returns the power. */
V_INLINE sf s_exp_core(sf x, sf *n, sf *low) {
    sf small, r = s_exp_reduce(x, n, &small);
    sf one = 1 + r;
    small += r - (one - 1);
    sf power = one + small;
    *low = small - (power - one);
    return power;
}

V_INLINE sf s_exp(sf x) {
    /* Beyond these bounds the result is +0 or infinity whatever x is. */
    sf n, low, power = s_exp_core(s_clamp(x, -104, 89), &n, &low);
    return s_scale(power, n);
}

/* -0 below -88.72, where exp(-x) is infinite. */
V_INLINE sf s_silu(sf x) {
    return x / (1 + s_exp(-x));
}

#endif
