/* SPDX-License-Identifier: MIT
 *
 * Exponentials, logarithms and hyperbolic functions in double, over lanes (lanes.h).
 *
 * Each function reduces its argument to a small interval and sums a polynomial there (interpolated
 * at Chebyshev nodes; the largest relative error is given beside it). NaN in gives NaN out;
 * infinities, zeros and their signs as in C11 annex F. Errors of the results: docs/numerics.md.
 */
#ifndef TERN__FUNCTION_EXP_H
#define TERN__FUNCTION_EXP_H

#include "kernels/lanes.h"

/* -- exponentials ------------------------------------------------------------------------------*/

#define LN2_HIGH 0x1.62e42fefa3800p-1 /* 42 bits: exact times any exponent */
#define LN2_LOW  0x1.ef35793c76730p-45
#define LOG2_E   0x1.71547652b82fep+0

/* x = n ln 2 + r, |r| <= 0.3466; returns e^r - 1 = r + r^2 q(r). */
V_INLINE vd v_exp_core(vd x, vd *n) {
    /* 2^-51.9 */
    static const double q[] = {
        0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d63p-5,  0x1.11111111109b3p-7,
        0x1.6c16c1788bd90p-10, 0x1.a01a01a7c41d5p-13, 0x1.a019b90d2ae7ap-16, 0x1.71de0dae63bb3p-19,
        0x1.289185613a3d6p-22, 0x1.af38a9b0ec855p-26,
    };
    *n = v_rint(x * LOG2_E);
    vd high = v_fma(-*n, v_all(LN2_HIGH), x);
    vd r = v_fma(-*n, v_all(LN2_LOW), high);
    vd rest = v_fma(-*n, v_all(LN2_LOW), high - r);
    return r + v_fma(r * r, v_poly(r, q, 10), rest);
}

/* x 2^n, rounded once, for normal x about 1 and |n| <= 2000: the first of two factors is exact. */
V_INLINE vd v_scale(vd x, vd n) {
    vd half = v_rint(n * 0.5);
    return x * v_power_of_two(v_integer(half)) * v_power_of_two(v_integer(n - half));
}

V_INLINE vd f_exp(vd x) {
    vd n, e = v_exp_core(v_clamp(x, -746, 710), &n);
    return v_scale(1 + e, n);
}

V_INLINE vd f_expm1(vd x) {
    vd n, clamped = v_clamp(x, -60, 710);
    vd e = v_exp_core(clamped, &n);
    /* 2^n e + (2^n - 1), at half its size: 2^1024 does not exist. */
    vd scale = v_power_of_two(v_integer(n - 1));
    vd y = 2 * v_fma(scale, e, scale - 0.5);
    return v_select(v_abs(x) < 0x1p-54, x, y); /* keeps the sign of zero, and denormals */
}

/* -- logarithms --------------------------------------------------------------------------------*/

/* Splits x > 0 into 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); returns f. */
V_INLINE vd v_log_split(vd x, vd *k) {
    vl is_tiny = x < 0x1p-1022;
    x = v_select(is_tiny, x * 0x1p54, x);
    /* The exponent counted from sqrt(1/2), made positive for the shift. */
    vu offset = (vu)x - (vu)v_all(0x1.6a09e667f3bcdp-1) + ((uint64_t)2048 << 52);
    vl exponent = (vl)(offset >> 52) - 2048;
    *k = (vd)((vu)exponent + (vu)v_all(V_MAGIC)) - V_MAGIC - v_select(is_tiny, v_all(54), v_all(0));
    return (vd)((vu)x - ((vu)exponent << 52)) - 1;
}

/* log(1 + f) = f - low as in fdlibm: s = f / (2 + f), log(1 + f) = f - (f^2/2 - s (f^2/2 + s^2
 * g(s^2))). */
V_INLINE vd v_log_core(vd x, vd *k, vd *f) {
    /* 2^-50.9, of a term that is at most 1/100 of the whole */
    static const double g[] = {
        0x1.5555555555558p-1, 0x1.99999999952d7p-2, 0x1.2492492df281ap-2, 0x1.c71c62e3f11e6p-3,
        0x1.7462b51cb66b1p-3, 0x1.39fe51a7c18f9p-3, 0x1.2b5900de53b32p-3,
    };
    *f = v_log_split(x, k);
    vd half = 0.5 * *f * *f, s = *f / (2 + *f), z = s * s;
    return half - s * v_fma(z, v_poly(z, g, 7), half);
}

/* The results for zero, negative numbers, infinity and NaN. */
V_INLINE vd v_log_specials(vd x, vd y) {
    y = v_select(x == INFINITY, x, y);
    y = v_select(x == 0, v_all(-INFINITY), y);
    return v_select(x >= 0, y, v_all(NAN));
}

V_INLINE vd f_log(vd x) {
    vd k, f, low = v_log_core(x, &k, &f);
    vd y = v_fma(k, v_all(LN2_HIGH), f - (low - k * LN2_LOW));
    return v_log_specials(x, y);
}

V_INLINE vd f_log2(vd x) {
    vd k, f, low = v_log_core(x, &k, &f);
    vd log = f - low;
    vd lost = f - log - low; /* what the subtraction rounded away */
    vd product = log * LOG2_E;
    vd error = v_fma(log, v_all(LOG2_E), -product);
    error = v_fma(lost, v_all(LOG2_E), v_fma(log, v_all(0x1.777d0ffda0d24p-56), error));
    return v_log_specials(x, k + (product + error));
}

V_INLINE vd f_log1p(vd x) {
    vd u = 1 + x;
    vd k, f, low = v_log_core(u, &k, &f);
    vd lost = v_select(u > 2, 1 - (u - x), x - (u - 1)); /* u + lost = 1 + x */
    vd y = v_fma(k, v_all(LN2_HIGH), f - (low - v_fma(k, v_all(LN2_LOW), lost / u)));
    y = v_log_specials(u, y);
    return v_select(v_abs(x) < 0x1p-54, x, y);
}

/* -- hyperbolic --------------------------------------------------------------------------------*/

/* e^x / 2 for x > 700, where e^x may not exist. */
V_INLINE vd v_half_exp(vd x) {
    vd root = f_exp(0.5 * x);
    return 0.5 * root * root;
}

V_INLINE vd f_sinh(vd x) {
    vd a = v_abs(x), e = f_expm1(v_select(a > 700, v_all(0), a));
    vd y = 0.5 * (e + e / (e + 1));
    return v_copysign(v_select(a > 700, v_half_exp(a), y), x);
}

V_INLINE vd f_cosh(vd x) {
    vd a = v_abs(x), e = f_exp(v_select(a > 700, v_all(0), a));
    return v_select(a > 700, v_half_exp(a), v_fma(v_all(0.5), e, 0.5 / e));
}

V_INLINE vd f_tanh(vd x) {
    vd e = f_expm1(2 * v_clamp(v_abs(x), 0, 20));
    return v_copysign(e / (e + 2), x);
}

V_INLINE vd f_sigmoid(vd x) {
    vd e = f_exp(-v_abs(x)); /* no overflow */
    return v_select(x < 0, e, v_all(1)) / (1 + e);
}

V_INLINE vd f_softplus(vd x) {
    vd positive = v_select(x < 0, v_all(0), x);
    return positive + f_log1p(f_exp(-v_abs(x)));
}

#endif
