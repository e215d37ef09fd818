/* SPDX-License-Identifier: MIT
 *
 * All transcendental functions: those of function_exp.h and function_trig.h, and here the error
 * function, what is made of it, and powers.
 */
#ifndef TERN__FUNCTION_MATH_H
#define TERN__FUNCTION_MATH_H

#include "kernels/function_trig.h"

/* -- the error function ------------------------------------------------------------------------*/

/* erf(x) / x for |x| <= 1/2 */
V_INLINE vd v_erf_ratio(vd x) {
    /* 2^-56 */
    static const double c[] = {
        0x1.20dd750429b6dp+0,  -0x1.812746b0379b4p-2,  0x1.ce2f21a03d7d9p-4,
        -0x1.b82ce30f291fdp-6, 0x1.565bcbf854bfbp-8,   -0x1.c02d4f4607141p-11,
        0x1.f98dace8138eep-14, -0x1.f22458d16a63fp-17, 0x1.8b46e196ddb44p-20,
    };
    return v_poly(x * x, c, 9);
}

/* erfc(t) for t >= 0.45 with t^2 = square + lost, of which the result depends most: (1 + 2 t)
 * e^(t^2) erfc(t) is smooth in (t - 3.75) / (t + 3.75) (Shepherd and Laframboise 1981). */
V_INLINE vd v_erfc_positive(vd t, vd square, vd lost) {
    /* 2^-52.8 for t <= 30 */
    static const double c[] = {
        0x1.3ccda0b5d5dc2p+0,   -0x1.1f367683f899ap-3, 0x1.d5f2948159dafp-9,
        0x1.510169d095b5ep-4,   -0x1.bda9309a293d5p-4, 0x1.7a14188ab6117p-4,
        -0x1.e0d0fa6dc0eabp-5,  0x1.d0b003767cb95p-6,  -0x1.3f603c45db4f4p-7,
        0x1.cc3a124975478p-10,  0x1.33fb3a362c546p-12, -0x1.303ff8a5880acp-12,
        0x1.b1406a713122fp-15,  0x1.779dd292ff3b6p-16, -0x1.7fd1dc14637cdp-17,
        -0x1.07d9c3fee0ee2p-20, 0x1.d2e1ad2bfd599p-20, -0x1.7db4cffee8299p-25,
        -0x1.0332cff32756bp-22, 0x1.c632aada269ebp-27, 0x1.abd7bed73f1d2p-26,
    };
    t = v_clamp(t, 0, 30); /* beyond, e^-900 is 0 */
    vd u = (t - 3.75) / (t + 3.75);
    vd scaled = v_poly(u, c, 21) / v_fma(v_all(2), t, v_all(1));
    return f_exp(-square) * v_fma(-lost, scaled, scaled); /* e^-lost = 1 - lost */
}

V_INLINE vd f_erf(vd x) {
    vd a = v_clamp(v_abs(x), 0, 30), square = a * a;
    vd far = v_copysign(1 - v_erfc_positive(a, square, v_fma(a, a, -square)), x);
    return v_select(a < 0.5, x * v_erf_ratio(x), far);
}

/* x/2 (1 + erf(x / sqrt 2)) */
V_INLINE vd f_gelu(vd x) {
    vd t = x * 0x1.6a09e667f3bcdp-1, a = v_abs(t);
    vd b = v_clamp(x, -50, 50), square = b * b;
    vd tail = 0.5 * v_erfc_positive(a, 0.5 * square, 0.5 * v_fma(b, b, -square));
    vd far = v_select(x < 0, tail, 1 - tail);
    vd near = v_fma(v_all(0.5) * t, v_erf_ratio(t), v_all(0.5));
    vd y = x * v_select(a < 0.5, near, far);
    return v_select(x == -INFINITY, v_all(-0.0), y);
}

/* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x sigmoid(z), z = x (b + a x^2). For large
 * negative z what is rounded away of it would show, so it is carried along. */
V_INLINE vd f_gelu_tanh(vd x) {
    const double b = 0x1.9884533d43651p+0, b_low = -0x1.cbc0d30ebfd15p-54;
    const double a = 0x1.2444f2a4d8b4bp-4, a_low = -0x1.6c843a29d1c70p-61;
    vd bounded = v_clamp(x, -50, 50), q = bounded * bounded;
    vd q_low = v_fma(bounded, bounded, -q);
    vd t = q * a, t_low = v_fma(q, v_all(a), -t) + v_fma(q, v_all(a_low), q_low * a);
    vd w = t + b, back = w - t;
    vd w_low = (t - (w - back)) + (b - back) + (t_low + b_low);
    vd z = bounded * w, z_low = v_fma(bounded, w, -z) + bounded * w_low;
    vd e = f_exp(-v_abs(z));
    e = e - e * v_copysign(z_low, (vd)((vl)z_low ^ ((vl)z & INT64_MIN)));
    vd y = x * (v_select(z < 0, e, v_all(1)) / (1 + e));
    return v_select(x == -INFINITY, v_all(-0.0), y);
}

V_INLINE vd f_silu(vd x) {
    return x * f_sigmoid(x);
}

/* -- powers ------------------------------------------------------------------------------------*/

/* log x as the result + *low, good to 2^-64, for finite x > 0: k ln 2 + 2 s (1 + z c), where
 * s = f / (2 + f), z = s^2, and c = 1/3 + z q(z). */
V_INLINE vd v_log_in_two(vd x, vd *low) {
    /* 2^-59 of q */
    static const double q[] = {
        0x1.999999999999ap-3, 0x1.2492492492523p-3, 0x1.c71c71c6ea39dp-4, 0x1.745d177ae81eap-4,
        0x1.3b1395b2fdc90p-4, 0x1.1118cdf1c5544p-4, 0x1.df7b9e062242fp-5, 0x1.e039c3cc5a682p-5,
    };
    const double third = 0x1.5555555555555p-2, third_low = 0x1.5555555555555p-56;
    vd k, f = v_log_split(x, &k), d = 2 + f, d_low = f - (d - 2), inverse = 1 / d;
    vd s = f * inverse, s_low = v_fma(-s, d_low, v_fma(-s, d, f)) * inverse;
    vd z = s * s, z_low = v_fma(s, s, -z) + 2 * s * s_low;
    vd small = z * v_poly(z, q, 8), c = third + small, c_low = small - (c - third) + third_low;
    vd t = z * c, t_low = v_fma(z, c, -t) + v_fma(z, c_low, z_low * c);
    vd first = 2 * s, u = first * t,
       u_low = v_fma(first, t, -u) + v_fma(first, t_low, 2 * s_low * t);
    vd log = first + u, log_low = u - (log - first) + (u_low + 2 * s_low);
    vd whole = k * LN2_HIGH, sum = whole + log; /* exact; k = 0 or |whole| > |log| */
    *low = log - (sum - whole) + v_fma(k, v_all(LN2_LOW), log_low);
    return sum;
}

/* C11 F.10.4.4. */
V_INLINE vd f_pow(vd x, vd y) {
    vd log_low, log = v_log_in_two(v_abs(x), &log_low), n;
    vd product = v_clamp(y * log, -800, 800);
    vd product_low = v_fma(y, log_low, v_fma(y, log, -product));
    vd e = v_exp_core(product, &n);
    e = v_fma(v_select(v_abs(product) < 800, product_low, v_all(0)), 1 + e, e);
    vd power = v_scale(1 + e, n);
    /* x^y for x = 0 and infinity; 0 and infinity change places for negative y. */
    vl is_edge = (x == 0) | (v_abs(x) == INFINITY);
    vl gives_zero = (x == 0) ^ (y < 0);
    power = v_select(is_edge, v_select(gives_zero, v_all(0), v_all(INFINITY)), power);
    /* y infinite: |x| against 1. */
    vl grows = (v_abs(x) > 1) ^ (y < 0);
    power = v_select(v_abs(y) == INFINITY, v_select(grows, v_all(INFINITY), v_all(0)), power);
    power = v_select((v_abs(y) == INFINITY) & (v_abs(x) == 1), v_all(1), power);
    vl is_integer = (v_rint(y) == y) & (v_abs(y) != INFINITY);
    vd halved = 0.5 * y;
    vl is_odd = is_integer & (v_rint(halved) != halved);
    vl is_negative = (vl)x < 0;
    vl has_no_power =
        is_negative & (x != 0) & (v_abs(x) != INFINITY) & ~is_integer & (v_abs(y) != INFINITY);
    power = v_select(has_no_power, v_all(NAN), power);
    power = v_select(is_negative & is_odd, -power, power);
    power = v_select((x != x) | (y != y), v_all(NAN), power);
    return v_select((y == 0) | (x == 1), v_all(1), power);
}

#endif
