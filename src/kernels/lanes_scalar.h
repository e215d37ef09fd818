/* SPDX-License-Identifier: MIT
 *
 * Lanes: the handful of vector operations that function_math.h is written in. Each lanes_<isa>.h
 * defines the same names with its own number of lanes; arithmetic, comparisons and shifts are the
 * operators of GCC's vector types, element by element. This one has a single lane and makes the
 * functions the plain C that they specify.
 */
#ifndef TERN__LANES_SCALAR_H
#define TERN__LANES_SCALAR_H

#include <math.h>
#include <stdint.h>

#define TERN__HAS_LANES
enum { LANES = 1 };

typedef double vd __attribute__((vector_size(8)));
typedef int64_t vl __attribute__((vector_size(8)));
typedef uint64_t vu __attribute__((vector_size(8)));
typedef float vf __attribute__((vector_size(4)));

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

#endif
