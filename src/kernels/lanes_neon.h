/* SPDX-License-Identifier: MIT
 * Lanes (lanes_scalar.h) for NEON: two doubles, four singles. */
#ifndef TERN__LANES_NEON_H
#define TERN__LANES_NEON_H

#if defined(__aarch64__)

#include <stdbool.h>
#include <stdint.h>

#include <arm_neon.h>

#define TERN__HAS_LANES
enum { DOUBLES = 2, SINGLES = 4 };

typedef double vd __attribute__((vector_size(16)));
typedef int64_t vl __attribute__((vector_size(16)));
typedef uint64_t vu __attribute__((vector_size(16)));
typedef float vf __attribute__((vector_size(8)));

typedef float sf __attribute__((vector_size(16)));
typedef int32_t si __attribute__((vector_size(16)));
typedef uint32_t su __attribute__((vector_size(16)));

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

static inline bool v_any(vl mask) {
    return (mask[0] | mask[1]) != 0;
}

static inline sf s_fma(sf a, sf b, sf c) {
    return (sf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

static inline sf s_at_least(sf x, float low) {
    return (sf)vmaxq_f32((float32x4_t)x, vdupq_n_f32(low));
}

static inline sf s_at_most(sf x, float high) {
    return (sf)vminq_f32((float32x4_t)x, vdupq_n_f32(high));
}

static inline bool s_any(si mask) {
    return vmaxvq_u32((uint32x4_t)mask) != 0;
}

#endif
#endif
