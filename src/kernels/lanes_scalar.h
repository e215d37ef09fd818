/* SPDX-License-Identifier: MIT
 *
 * Lanes: the handful of vector operations that the functions are written in. Each lanes_<isa>.h
 * defines the same names with its own numbers of lanes: DOUBLES doubles (vd; vl and vu are their
 * bits, vf as many floats), SINGLES floats in a whole register (sf; si and su are their bits).
 * Arithmetic, comparisons and shifts are the operators of GCC's vector types, element by element.
 * This one has a single lane and makes the functions the plain C that they specify.
 */
#ifndef TERN__LANES_SCALAR_H
#define TERN__LANES_SCALAR_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define TERN__HAS_LANES
enum { DOUBLES = 1, SINGLES = 1 };

typedef double vd __attribute__((vector_size(8)));
typedef int64_t vl __attribute__((vector_size(8)));
typedef uint64_t vu __attribute__((vector_size(8)));
typedef float vf __attribute__((vector_size(4)));

typedef float sf __attribute__((vector_size(4)));
typedef int32_t si __attribute__((vector_size(4)));
typedef uint32_t su __attribute__((vector_size(4)));

static inline vd v_fma(vd a, vd b, vd c) {
    return (vd){fma(a[0], b[0], c[0])};
}

/* To the nearest integer, ties to even. */
static inline vd v_rint(vd x) {
    return (vd){rint(x[0])};
}

static inline vd v_sqrt(vd x) {
    return (vd){sqrt(x[0])};
}

static inline vd v_widen(vf x) {
    return (vd){x[0]};
}

/* Rounds to nearest even. */
static inline vf v_narrow(vd x) {
    return (vf){(float)x[0]};
}

/* Does any lane of a comparison's result hold? */
static inline bool v_any(vl mask) {
    return mask[0] != 0;
}

static inline sf s_fma(sf a, sf b, sf c) {
    return (sf){fmaf(a[0], b[0], c[0])};
}

/* The larger of x and low; NaN stays NaN. */
static inline sf s_at_least(sf x, float low) {
    return (sf){x[0] < low ? low : x[0]};
}

static inline sf s_at_most(sf x, float high) {
    return (sf){x[0] > high ? high : x[0]};
}

static inline bool s_any(si mask) {
    return mask[0] != 0;
}

#endif
