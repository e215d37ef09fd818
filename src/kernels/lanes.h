/* SPDX-License-Identifier: MIT
 *
 * What is made of the operations of a lanes_<isa>.h that was included before (else of one lane):
 * the pieces that functions over lanes are written in. `v_` goes with doubles, `s_` with singles;
 * the same steps on every number of lanes, so the same bits.
 */
#ifndef TERN__LANES_H
#define TERN__LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if !defined(TERN__HAS_LANES)
#include "kernels/lanes_scalar.h"
#endif

/* For the processor; lanes of a device bring their own. */
#if !defined(V_INLINE)
#define V_INLINE   static inline __attribute__((always_inline))
#define V_FUNCTION static inline
#endif

/* -- doubles -----------------------------------------------------------------------------------*/

#if !defined(TERN__HAS_ALL)
/* x in every lane; subtracting +0 keeps the sign of zero. */
V_INLINE vd v_all(double x) {
    return x - (vd){0};
}

V_INLINE sf s_all(float x) {
    return x - (sf){0};
}
#endif

/* mask (all bits or none) ? a : b */
V_INLINE vd v_select(vl mask, vd a, vd b) {
    return (vd)((mask & (vl)a) | (~mask & (vl)b));
}

V_INLINE vd v_abs(vd x) {
    return (vd)((vl)x & INT64_MAX);
}

/* The magnitude of x with the sign of y. */
V_INLINE vd v_copysign(vd x, vd y) {
    return (vd)(((vl)x & INT64_MAX) | ((vl)y & INT64_MIN));
}

/* NaN stays NaN. */
V_INLINE vd v_clamp(vd x, double low, double high) {
    x = v_select(x < low, v_all(low), x);
    return v_select(x > high, v_all(high), x);
}

/* c[0] + x (c[1] + x (c[2] + ...)); n is a constant. */
V_INLINE vd v_poly(vd x, const double *c, int n) {
    vd sum = v_all(c[n - 1]);
    for (int i = n - 2; i >= 0; i--)
        sum = v_fma(sum, x, v_all(c[i]));
    return sum;
}

/* 1.5 * 2^52: an integral double added to it is an integer in the low bits. */
#define V_MAGIC 0x1.8p52

V_INLINE vl v_integer(vd n) {
    return (vl)((vu)(n + V_MAGIC) - (vu)v_all(V_MAGIC));
}

/* 2^k for -1022 <= k <= 1023 */
V_INLINE vd v_power_of_two(vl k) {
    return (vd)(((vu)k + 1023) << 52);
}

/* -- singles -----------------------------------------------------------------------------------*/

V_INLINE sf s_select(si mask, sf a, sf b) {
    return (sf)((mask & (si)a) | (~mask & (si)b));
}

/* mask ? a : 0 */
V_INLINE sf s_where(si mask, sf a) {
    return (sf)(mask & (si)a);
}

V_INLINE sf s_abs(sf x) {
    return (sf)((si)x & INT32_MAX);
}

V_INLINE sf s_copysign(sf x, sf y) {
    return (sf)(((si)x & INT32_MAX) | ((si)y & INT32_MIN));
}

V_INLINE sf s_clamp(sf x, float low, float high) {
    return s_at_most(s_at_least(x, low), high);
}

V_INLINE sf s_poly(sf x, const float *c, int n) {
    sf sum = s_all(c[n - 1]);
    for (int i = n - 2; i >= 0; i--)
        sum = s_fma(sum, x, s_all(c[i]));
    return sum;
}

/* 1.5 * 2^23: adding it rounds to an integer, which the low bits of the sum then hold. */
#define S_MAGIC 0x1.8p23f

V_INLINE su s_integer(sf n) {
    return (su)(n + S_MAGIC) - (su)s_all(S_MAGIC);
}

/* 2^k for -126 <= k <= 127 */
V_INLINE sf s_power_of_two(su k) {
    return (sf)((k + 127) << 23);
}

#if !defined(TERN__HAS_SCALE)
/* x 2^n, rounded once, for normal x about 1 and integral n, |n| <= 252: the first of two factors is
 * exact. */
V_INLINE sf s_scale(sf x, sf n) {
    su k = s_integer(n), half = (su)((si)k >> 1);
    return x * s_power_of_two(half) * s_power_of_two(k - half);
}
#endif

/* A function of doubles on singles, rounded once. */
V_INLINE sf s_by_doubles(vd (*f)(vd), sf x) {
    vf part[SINGLES / DOUBLES];
    memcpy(part, &x, sizeof x);
    for (int i = 0; i < SINGLES / DOUBLES; i++)
        part[i] = v_narrow(f(v_widen(part[i])));
    memcpy(&x, part, sizeof x);
    return x;
}

V_INLINE sf s_by_doubles2(vd (*f)(vd, vd), sf x, sf y) {
    vf a[SINGLES / DOUBLES], b[SINGLES / DOUBLES];
    memcpy(a, &x, sizeof x);
    memcpy(b, &y, sizeof y);
    for (int i = 0; i < SINGLES / DOUBLES; i++)
        a[i] = v_narrow(f(v_widen(a[i]), v_widen(b[i])));
    memcpy(&x, a, sizeof x);
    return x;
}

#endif
