/* SPDX-License-Identifier: MIT
 * Lanes (lanes_scalar.h) for NEON: two at a time. */
#ifndef TERN__LANES_NEON_H
#define TERN__LANES_NEON_H

#if defined(__aarch64__)

#include <stdint.h>

#include <arm_neon.h>

#define TERN__HAS_LANES
enum { LANES = 2 };

typedef double vd __attribute__((vector_size(16)));
typedef int64_t vl __attribute__((vector_size(16)));
typedef uint64_t vu __attribute__((vector_size(16)));
typedef float vf __attribute__((vector_size(8)));

static inline vd v_fma(vd a, vd b, vd c) {
    return (vd)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}

static inline vd v_rint(vd x) {
    return (vd)vrndnq_f64((float64x2_t)x);
}

static inline vd v_sqrt(vd x) {
    return (vd)vsqrtq_f64((float64x2_t)x);
}

static inline vd v_widen(vf x) {
    return (vd)vcvt_f64_f32((float32x2_t)x);
}

static inline vf v_narrow(vd x) {
    return (vf)vcvt_f32_f64((float64x2_t)x);
}

#endif
#endif
