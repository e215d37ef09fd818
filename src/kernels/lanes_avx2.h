/* SPDX-License-Identifier: MIT
 * Lanes (lanes_scalar.h) for AVX2: four at a time. */
#ifndef TERN__LANES_AVX2_H
#define TERN__LANES_AVX2_H

#if defined(__AVX2__)

#include <stdint.h>

#include <immintrin.h>

#define TERN__HAS_LANES
enum { LANES = 4 };

typedef double vd __attribute__((vector_size(32)));
typedef int64_t vl __attribute__((vector_size(32)));
typedef uint64_t vu __attribute__((vector_size(32)));
typedef float vf __attribute__((vector_size(16)));

static inline vd v_fma(vd a, vd b, vd c) {
    return (vd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}

static inline vd v_rint(vd x) {
    return (vd)_mm256_round_pd((__m256d)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vd v_sqrt(vd x) {
    return (vd)_mm256_sqrt_pd((__m256d)x);
}

static inline vd v_widen(vf x) {
    return (vd)_mm256_cvtps_pd((__m128)x);
}

static inline vf v_narrow(vd x) {
    return (vf)_mm256_cvtpd_ps((__m256d)x);
}

#endif
#endif
