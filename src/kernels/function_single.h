/* SPDX-License-Identifier: MIT
 *
 * The functions that have a definition of their own in F32, over lanes (lanes.h), as
 * function_math.h has those in double. What a step rounds away and the result would show is carried
 * along as a second number (`low`), so that the last step rounds alone, nearly: the errors of the
 * results are in docs/numerics.md. Polynomials are minimax; the largest relative error that one
 * leaves in its function is given beside it.
 */
#ifndef TERN__FUNCTION_SINGLE_H
#define TERN__FUNCTION_SINGLE_H

#include "kernels/exp.h"
#include "kernels/function_math.h"

/* (a + a_low) / (b + b_low) as the result + *low. */
V_INLINE sf s_quotient(sf a, sf a_low, sf b, sf b_low, sf *low) {
    sf inverse = 1 / b, q = a * inverse;
    *low = s_fma(-q, b_low, s_fma(-q, b, a) + a_low) * inverse;
    return q;
}

/* -- exponentials and logarithms ---------------------------------------------------------------*/

/* 2^n (r + small) + (2^n - 1), at half its size: 2^128 does not exist. */
V_INLINE sf s_expm1(sf x) {
    sf n, small, r = s_exp_reduce(s_clamp(x, -30, 89), &n, &small);
    sf half = s_power_of_two(s_integer(n - 1)), base = half - 0.5f;
    sf y = s_fma(half, r, base), low = s_fma(half, r, base - y) + (half - base - 0.5f);
    y = 2 * (y + s_fma(half, small, low));
    return s_select(s_abs(x) < 0x1p-25f, x, y); /* keeps -0 and denormals */
}

/* x = 2^k (1 + f) with 1 + f in [2/3, 4/3); log(1 + f) = f + f^2 (f p(f) - 1/2). */
V_INLINE sf s_log(sf x) {
    /* 2^-27.6 */
    static const float p[] = {
        -0.5f,          0x1.555506p-2f,  -0x1.fffefp-3f, 0x1.99d02ep-3f,  -0x1.559dc6p-3f,
        0x1.1ed768p-3f, -0x1.f311fep-4f, 0x1.1e66aep-3f, -0x1.080628p-3f,
    };
    si is_tiny = x < 0x1p-126f;
    sf scaled = s_select(is_tiny, x * 0x1p24f, x);
    si exponent = (si)((su)scaled - (su)s_all(0x1.555556p-1f)) >> 23;
    sf f = (sf)((su)scaled - ((su)exponent << 23)) - 1;
    sf k = __builtin_convertvector(exponent, sf) - s_where(is_tiny, s_all(24));
    sf whole = k * 0x1.62e4p-1f, sum = whole + f; /* ln 2 in 15 bits: exact times k */
    sf low = s_fma(k, s_all(0x1.7f7d1cp-20f), f - (sum - whole));
    sf y = sum + s_fma(f * f, s_poly(f, p, 9), low);
    y = s_select(x == INFINITY, x, y);
    y = s_select(x == 0, s_all(-INFINITY), y);
    return s_select(x >= 0, y, s_all(NAN));
}

/* max(x, 0) + log(1 + e), e = e^-|x|; log(1 + e) = e - 5/16 e^2 + e^2 p(e), of which the last term
 * is small everywhere. */
V_INLINE sf s_softplus(sf x) {
    /* 2^-27.5 */
    static const float p[] = {
        -0x1.7fffa6p-3f, 0x1.554dfp-2f,   -0x1.ff26e2p-3f, 0x1.935cap-3f,   -0x1.3a7a82p-3f,
        0x1.b579c2p-4f,  -0x1.d86322p-5f, 0x1.4b0838p-6f,  -0x1.b2f58cp-9f,
    };
    sf n, e_low, power = s_exp_core(s_at_least(-s_abs(x), -104), &n, &e_low);
    sf e = s_scale(power, n), square = e * e, square_low = s_fma(e, e, -square);
    sf most = s_fma(s_all(-0.3125f), square, e);
    sf low = s_fma(s_all(-0.3125f), square, e - most);
    low = s_fma(s_all(-0.3125f), square_low, low);
    /* The slope is 1 / (1 + e), nearly. */
    low = s_fma(s_fma(s_all(-0.75f), most, s_all(1)), s_scale(e_low, n), low);
    low = s_fma(square, s_poly(e, p, 9), low);
    sf positive = s_select(x < 0, s_all(0), x);
    sf sum = positive + most, rest = sum - positive; /* either may be the larger one */
    low += (positive - (sum - rest)) + (most - rest);
    return s_select(x > 20, x, sum + low);
}

/* -- sigmoids ----------------------------------------------------------------------------------*/

/* With e = 2^n (power + power_low) <= 1, the quotients e / (1 + e) where is_below and 1 / (1 + e)
 * elsewhere, to be scaled by 2^*n. */
V_INLINE sf s_logistic(si is_below, sf power, sf power_low, sf *n, sf *low) {
    sf e = s_scale(power, *n), one = 1 + e;
    sf one_low = e - (one - 1) + s_scale(power_low, *n);
    *n = s_where(is_below, *n);
    return s_quotient(s_select(is_below, power, s_all(1)), s_where(is_below, power_low), one,
                      one_low, low);
}

V_INLINE sf s_sigmoid(sf x) {
    sf n, low, power = s_exp_core(s_at_least(-s_abs(x), -104), &n, &low);
    sf y = s_logistic(x < 0, power, low, &n, &low);
    return s_scale(y + low, n);
}

/* |x| = n ln 2 / 2 + r, tanh(r) = r + small = t: tanh |x| = (a + b t) / (b + a t) with b = 2^n + 1
 * and a = b - 2; all that matters of b is 2 / b, so it may be rounded. The lean of n keeps a + b r
 * above a / 2, and the difference there exact. */
V_INLINE sf s_tanh(sf x) {
    static const float p[] = {-0x1.55554ep-2f, 0x1.1105a4p-3f, -0x1.afe1cep-5f}; /* 2^-31 */
    sf n, rest, r = s_split(s_at_most(s_abs(x), 9.02f), 0.5f, 0.02f, &n, &rest);
    sf z = r * r, small = s_fma(r * z, s_poly(z, p, 3), rest), t = r + small;
    sf b = s_power_of_two(s_integer(n)) + 1, a = b - 2;
    sf above = s_fma(b, r, a), above_low = s_fma(b, small, s_fma(b, r, a - above));
    sf below = s_fma(a, t, b), below_low = s_fma(a, t, b - below);
    sf low, y = s_quotient(above, above_low, below, below_low, &low);
    return s_copysign(y + low, x);
}

/* As f_gelu_tanh: x sigmoid(z), z = x (b + a x^2); b is rounded to 2^-20 so that b - w is exact. */
V_INLINE sf s_gelu_tanh(sf x) {
    const float b = 0x1.98845p+0f, b_low = 0x1.9ea1b2p-23f;
    const float a = 0x1.2444f2p-4f, a_low = 0x1.49b16ap-29f;
    sf t = s_clamp(x, -12, 12), q = t * t, q_low = s_fma(t, t, -q);
    sf w = s_fma(q, s_all(a), s_all(b));
    sf w_low = s_fma(q, s_all(a), b - w) + s_fma(q, s_all(a_low), s_all(b_low));
    w_low = s_fma(q_low, s_all(a), w_low);
    sf size = s_abs(t), z = size * w, z_low = s_fma(size, w_low, s_fma(size, w, -z));
    sf n, low, power = s_exp_core(-z, &n, &low);
    low = s_fma(-power, z_low, low);
    sf y = s_logistic(x < 0, power, low, &n, &low);
    y = s_scale(s_fma(t, y, t * low), n);
    return s_select((x > 12) | (x == 0), x, y);
}

/* -- the error function ------------------------------------------------------------------------*/

V_INLINE sf s_erf(sf x) {
    /* erf(x) / x - 1 in x^2 for |x| < 1: 2^-29.3 */
    static const float near[] = {
        0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2cf8p-4f,  -0x1.b7f912p-6f,
        0x1.5405cp-8f,  -0x1.a3f74p-11f, 0x1.496b5cp-14f,
    };
    /* g = -log(1 - erf(x)), g / x for 1 <= x <= 4: 2^-31.2 */
    static const float far[] = {
        0x1.20f21cp+0f, 0x1.451acp-1f,    0x1.b4595ep-4f,  -0x1.89603ap-6f,
        0x1.ec7a7ep-9f, -0x1.6f92fap-12f, 0x1.d4525cp-17f,
    };
    sf a = s_at_most(s_abs(x), 4), p = s_poly(a, far, 7), g = a * p, g_low = s_fma(a, p, -g);
    sf n, low, power = s_exp_core(-g, &n, &low);
    sf large = 1 - s_scale(power + s_fma(-power, g_low, low), n);
    sf small = s_fma(x, s_poly(x * x, near, 7), x);
    return s_select(a < 1, small, s_copysign(large, x));
}

/* x P(x) with P the normal distribution. For t = |x|, P(-t) = e^(-t^2 / 2) r(t), and (t + 5/4) r(t)
 * is smooth in u = (t - 4) / (t + 4) (Shepherd and Laframboise 1981). */
V_INLINE sf s_gelu(sf x) {
    /* 2^-27.2 */
    static const float c[] = {
        -0x1.1d4ad8p-3f, 0x1.716a4cp-5f,   0x1.5dc136p-7f,  -0x1.9124b8p-6f,  0x1.030d34p-6f,
        -0x1.3eff3cp-8f, -0x1.f46144p-14f, 0x1.5081e2p-11f, -0x1.be18e2p-14f, -0x1.62eee6p-14f,
    };
    const float c0 = 0x1.fb8d36p-2f;
    si is_below = x < 0;
    sf bounded = s_clamp(x, -15, 15), t = s_abs(bounded), square = t * t;
    sf n, e_low, e = s_exp_core(-0.5f * square, &n, &e_low);
    e_low = s_fma(e, -0.5f * s_fma(t, t, -square), e_low);
    /* w = 1 / (t + 5/4) and u = 1 - 8 / (t + 4) from one division */
    sf d = t + 1.25f, d_low = t - (d - 1.25f), f = t + 4, f_low = t - (f - 4);
    sf inverse = 1 / (d * f), w = f * inverse, v = d * inverse;
    sf w_low = w * s_fma(-w, d_low, s_fma(-w, d, s_all(1)));
    sf v_low = s_fma(-v, f_low, s_fma(-v, f, s_all(1)));
    sf u = s_fma(-8 * v, v_low, s_fma(s_all(-8), v, s_all(1)));
    sf c1 = s_poly(u, c, 10), s = s_fma(u, c1, s_all(c0)), s_low = s_fma(u, c1, c0 - s);
    sf r = s * w, r_low = s_fma(s, w, -r) + s_fma(s, w_low, s_low * w);
    sf p = e * r, p_low = s_fma(e, r, -p) + s_fma(e, r_low, e_low * r);
    /* P(x) = 1 - P(-x) */
    sf tail = s_scale(p, n), above = 1 - tail;
    sf above_low = 1 - above - tail - s_scale(p_low, n);
    p = s_select(is_below, p, above);
    p_low = s_select(is_below, p_low, above_low);
    sf y = s_scale(s_fma(bounded, p, bounded * p_low), s_where(is_below, n));
    return s_select((x > 15) | (x == 0), x, y);
}

/* -- trigonometric -----------------------------------------------------------------------------*/

/* Above, x - n pi/2 is found with integers, lane by lane. */
#define S_TRIG_LIMIT 0x1p17f

/* x = n pi/2 + r + *rest, |r| <= pi/4 (about), *n integral, right modulo 4. */
V_INLINE sf s_reduce(sf x, sf *rest, si *n) {
    sf shifted = s_fma(x, s_all(0x1.45f306p-1f), s_all(S_MAGIC)), whole = shifted - S_MAGIC;
    *n = (si)shifted;
    sf high = s_fma(-whole, s_all(0x1.921fb6p+0f), x); /* exact */
    sf p = whole * -0x1.777a5cp-25f, p_low = s_fma(whole, s_all(-0x1.777a5cp-25f), -p);
    sf r = high - p, back = high - r; /* high or p may be the larger one */
    *rest = (high - (r + back)) + (back - p) - p_low;
    *rest = s_fma(-whole, s_all(-0x1.ee59dap-50f), *rest);
    si is_large = s_abs(x) > S_TRIG_LIMIT;
    for (int i = 0; s_any(is_large) && i < SINGLES; i++)
        if (is_large[i]) {
            double quarter = 0, y = isinf(x[i]) ? NAN : reduce_large((double)x[i], &quarter);
            r[i] = (float)y;
            (*rest)[i] = (float)(y - (double)r[i]);
            (*n)[i] = (int)quarter;
        }
    return r;
}

/* sin(x + turns pi/2) */
V_INLINE sf s_sine(sf x, uint32_t turns) {
    static const float sine[] = {-0x1.555544p-3f, 0x1.1106bcp-7f, -0x1.991696p-13f};   /* 2^-27.9 */
    static const float cosine[] = {0x1.55554ap-5f, -0x1.6c0c0ap-10f, 0x1.99d9a8p-16f}; /* 2^-32.6 */
    si n;
    sf rest, r = s_reduce(x, &rest, &n);
    n = (si)((su)n + turns);
    sf z = r * r, s = r + s_fma(r * z, s_poly(z, sine, 3), rest);
    sf one = s_fma(s_all(-0.5f), z, s_all(1)), low = s_fma(s_all(-0.5f), z, 1 - one);
    low = s_fma(-r, rest, s_fma(s_all(-0.5f), s_fma(r, r, -z), low));
    sf c = one + s_fma(z * z, s_poly(z, cosine, 3), low);
    return (sf)((si)s_select(-(n & 1), c, s) ^ (si)((su)(n & 2) << 30));
}

V_INLINE sf s_sin(sf x) {
    return s_select(s_abs(x) < 0x1p-13f, x, s_sine(x, 0)); /* keeps -0 */
}

V_INLINE sf s_cos(sf x) {
    return s_sine(x, 1);
}

/* -- the others, by their definition in double -------------------------------------------------*/

V_INLINE sf s_log1p(sf x) {
    return s_by_doubles(f_log1p, x);
}

V_INLINE sf s_log2(sf x) {
    return s_by_doubles(f_log2, x);
}

V_INLINE sf s_tan(sf x) {
    return s_by_doubles(f_tan, x);
}

V_INLINE sf s_asin(sf x) {
    return s_by_doubles(f_asin, x);
}

V_INLINE sf s_acos(sf x) {
    return s_by_doubles(f_acos, x);
}

V_INLINE sf s_atan(sf x) {
    return s_by_doubles(f_atan, x);
}

V_INLINE sf s_sinh(sf x) {
    return s_by_doubles(f_sinh, x);
}

V_INLINE sf s_cosh(sf x) {
    return s_by_doubles(f_cosh, x);
}

#endif
