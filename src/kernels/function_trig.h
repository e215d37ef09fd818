/* SPDX-License-Identifier: MIT
 *
 * Trigonometric functions and their inverses, as function_exp.h has the exponential ones.
 */
#ifndef TERN__FUNCTION_TRIG_H
#define TERN__FUNCTION_TRIG_H

#include "kernels/function_exp.h"

/* -- trigonometric -----------------------------------------------------------------------------*/

/* Above, x - n pi/2 is found with integers, lane by lane. */
#define TRIG_LIMIT 0x1p20

/* x - n pi/2 for one large finite x and n modulo 4 (Payne and Hanek 1983): the 192 bits of 2/pi
 * that matter times the 53-bit integer of x. */
V_FUNCTION double reduce_large(double x, double *n) {
    /* 64 zeros, then the bits of 2/pi: bit i (from 0) is worth 2^(63 - i). */
    static const uint64_t two_over_pi[] = {
        0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041,
        0xfe5163abdebbc561, 0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e,
        0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b,
        0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
        0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
        0xf0cfbc209af4361d,
    };
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 2047) - 1075; /* x = +-mantissa 2^exponent, >= -32 */
    uint64_t mantissa = (bits & 0xfffffffffffff) | (uint64_t)1 << 52;
    /* Bits worth 4 or more times the mantissa's unit are whole turns. The 192 behind them: */
    int first = 64 + exponent - 2, shift = first % 64;
    const uint64_t *words = two_over_pi + first / 64;
    uint64_t w[3];
    for (int i = 0; i < 3; i++)
        w[i] = shift == 0 ? words[i] : words[i] << shift | words[i + 1] >> (64 - shift);
    /* mantissa * w modulo 2^192: two bits of n, then the fraction. */
    unsigned __int128 low = (unsigned __int128)mantissa * w[2];
    unsigned __int128 middle = (unsigned __int128)mantissa * w[1] + (uint64_t)(low >> 64);
    uint64_t second = (uint64_t)middle, high = mantissa * w[0] + (uint64_t)(middle >> 64);
    uint64_t quarter = high >> 62, fraction = high << 2 | second >> 62;
    uint64_t below = second << 2 | (uint64_t)low >> 62;
    bool is_above_half = fraction >> 63 != 0; /* then n is the next one and r below zero */
    if (is_above_half) {
        quarter++;
        below = ~below + 1;
        fraction = ~fraction + (below == 0);
    }
    double r = fma((double)fraction, 0x1p-64, (double)below * 0x1p-128) * 0x1.921fb54442d18p+0;
    *n = (double)((x < 0 ? 4 - quarter : quarter) & 3);
    return is_above_half != (x < 0) ? -r : r;
}

/* x = n pi/2 + r, |r| <= pi/4 (about), n integral, right modulo 4. */
V_INLINE vd v_reduce(vd x, vd *n) {
    *n = v_rint(x * 0x1.45f306dc9c883p-1);
    vd r = v_fma(-*n, v_all(0x1.921fb54442d18p+0), x);
    r = v_fma(-*n, v_all(0x1.1a62633145c07p-54), r);
    vl is_large = v_abs(x) > TRIG_LIMIT;
    for (int i = 0; v_any(is_large) && i < DOUBLES; i++)
        if (is_large[i]) {
            double quarter = 0;
            r[i] = isinf(x[i]) ? NAN : reduce_large(x[i], &quarter);
            (*n)[i] = quarter;
        }
    return r;
}

V_INLINE vd v_sin_core(vd r) {
    /* 2^-52.2 of a correction */
    static const double c[] = {
        -0x1.5555555555555p-3, 0x1.1111111110babp-7,   -0x1.a01a019e820aep-13,
        0x1.71de37946ed6dp-19, -0x1.ae6008d114485p-26, 0x1.5e0a4fc16be59p-33,
    };
    vd z = r * r;
    return v_fma(r * z, v_poly(z, c, 6), r);
}

V_INLINE vd v_cos_core(vd r) {
    /* 2^-54 */
    static const double c[] = {
        0x1.5555555555555p-5,   -0x1.6c16c16c16963p-10, 0x1.a01a019f4ddfdp-16,
        -0x1.27e4fa16cc2d1p-22, 0x1.1eeb67d026ec6p-29,  -0x1.907cd8ff5ede7p-37,
    };
    vd z = r * r, one = v_fma(v_all(-0.5), z, v_all(1));
    vd lost = v_fma(v_all(-0.5), z, 1 - one);
    return one + v_fma(z * z, v_poly(z, c, 6), lost);
}

/* sin(x + turns pi/2) */
V_INLINE vd v_sine(vd x, int64_t turns) {
    vd n, r = v_reduce(x, &n);
    vl quarter = (vl)((vu)v_integer(n) + (uint64_t)turns);
    vd y = v_select(-(quarter & 1), v_cos_core(r), v_sin_core(r));
    return (vd)((vl)y ^ (vl)((vu)(quarter & 2) << 62));
}

V_INLINE vd f_sin(vd x) {
    return v_select(v_abs(x) < 0x1p-30, x, v_sine(x, 0));
}

V_INLINE vd f_cos(vd x) {
    return v_sine(x, 1);
}

V_INLINE vd f_tan(vd x) {
    vd n, r = v_reduce(x, &n);
    vl is_odd = -(v_integer(n) & 1);
    vd s = v_sin_core(r), c = v_cos_core(r);
    vd y = v_select(is_odd, -c, s) / v_select(is_odd, s, c);
    return v_select(v_abs(x) < 0x1p-30, x, y);
}

/* -- inverse trigonometric ---------------------------------------------------------------------*/

#define PI_HALF     0x1.921fb54442d18p+0
#define PI_HALF_LOW 0x1.1a62633145c07p-54

/* atan of a >= 0 as base + y with |t| <= tan(pi/8). */
V_INLINE vd v_atan_positive(vd a) {
    /* 2^-52.7 of a correction */
    static const double c[] = {
        -0x1.5555555555555p-2, 0x1.999999999934ap-3, -0x1.24924924360cbp-3, 0x1.c71c7185314cbp-4,
        -0x1.745d0b26b83e7p-4, 0x1.3b1262d95579ep-4, -0x1.10fa75382537fp-4, 0x1.dfe61e80903d2p-5,
        -0x1.a098bb6ba4941p-5, 0x1.41603647c7a7cp-5, -0x1.3a2b7a07caea9p-6,
    };
    vl is_middle = a > 0x1.a827999fcef34p-2, is_large = a > 0x1.3504f333f9de6p+1;
    vd t = v_select(is_middle, a - 1, a) / v_select(is_middle, a + 1, v_all(1));
    t = v_select(is_large, -1 / a, t);
    vd base = v_select(is_middle, v_all(PI_HALF / 2), v_all(0));
    base = v_select(is_large, v_all(PI_HALF), base);
    vd low = v_select(is_middle, v_all(PI_HALF_LOW / 2), v_all(0));
    low = v_select(is_large, v_all(PI_HALF_LOW), low);
    vd z = t * t;
    return base + (t + v_fma(t * z, v_poly(z, c, 11), low));
}

V_INLINE vd f_atan(vd x) {
    return v_copysign(v_atan_positive(v_abs(x)), x);
}

/* Quadrants as in C11 F.10.1.4. */
V_INLINE vd f_atan2(vd y, vd x) {
    vd a = v_abs(y), b = v_abs(x);
    vl both_infinite = (a == INFINITY) & (b == INFINITY), both_zero = (a == 0) & (b == 0);
    vd ratio = v_select(both_infinite, v_all(1), v_select(both_zero, v_all(0), a / b));
    vd angle = v_atan_positive(ratio);
    vl is_left = (vl)x < 0; /* the sign bit */
    angle = v_select(is_left, 2 * PI_HALF - (angle - 2 * PI_HALF_LOW), angle);
    return v_copysign(v_select((x != x) | (y != y), v_all(NAN), angle), y);
}

/* asin(t) - t for |t| <= 1/2 */
V_INLINE vd v_asin_rest(vd t) {
    /* 2^-52.9 of a correction */
    static const double c[] = {
        0x1.5555555555556p-3, 0x1.3333333332ec4p-4, 0x1.6db6db6e3292ep-5, 0x1.f1c71c1d4aa0dp-6,
        0x1.6e8bb1d89492bp-6, 0x1.1c4d343fa57f6p-6, 0x1.c9cf3759fd8ffp-7, 0x1.78246f32d075cp-7,
        0x1.524ea8b3aad31p-7, 0x1.653a8f8cfd43cp-8, 0x1.1d661531b222ep-6, -0x1.e7a24f548c99fp-7,
        0x1.d78189767524ep-6,
    };
    vd z = t * t;
    return t * z * v_poly(z, c, 13);
}

/* sqrt((1 - a) / 2) as root + *low. */
V_INLINE vd v_half_angle(vd a, vd *low) {
    vd square = 0.5 * (1 - a), root = v_sqrt(square);
    *low = v_fma(-root, root, square) / v_select(root == 0, v_all(1), 2 * root);
    return root;
}

V_INLINE vd f_asin(vd x) {
    vd a = v_abs(x), low, root = v_half_angle(a, &low);
    vd near = a + v_asin_rest(a);
    vd far = PI_HALF - (2 * (root + (v_asin_rest(root) + low)) - PI_HALF_LOW);
    vd y = v_select(a <= 0.5, near, far);
    return v_copysign(v_select(a <= 1, y, v_all(NAN)), x);
}

V_INLINE vd f_acos(vd x) {
    vd a = v_abs(x), low, root = v_half_angle(a, &low);
    vd near = PI_HALF - (x + (v_asin_rest(x) - PI_HALF_LOW));
    vd far = 2 * (root + (v_asin_rest(root) + low));
    far = v_select(x < 0, 2 * PI_HALF - (far - 2 * PI_HALF_LOW), far);
    vd y = v_select(a <= 0.5, near, far);
    return v_select(a <= 1, y, v_all(NAN));
}

#endif
