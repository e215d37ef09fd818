/* SPDX-License-Identifier: MIT
 * Lanes (lanes_scalar.h) for AVX2: four doubles, eight singles. */
#ifndef TERN__LANES_AVX2_H
#define TERN__LANES_AVX2_H

#if defined(__AVX2__)

#include <stdbool.h>
#include <stdint.h>

#include <immintrin.h>

#define TERN__HAS_LANES
enum { DOUBLES = 4, SINGLES = 8 };

typedef double vd __attribute__((vector_size(32)));
typedef int64_t vl __attribute__((vector_size(32)));
typedef uint64_t vu __attribute__((vector_size(32)));
typedef float vf __attribute__((vector_size(16)));

typedef float sf __attribute__((vector_size(32)));
typedef int32_t si __attribute__((vector_size(32)));
typedef uint32_t su __attribute__((vector_size(32)));

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

static inline bool v_any(vl mask) {
    return _mm256_movemask_pd((__m256d)mask) != 0;
}

static inline sf s_fma(sf a, sf b, sf c) {
    return (sf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

/* A NaN comes through as the second operand. */
static inline sf s_at_least(sf x, float low) {
    return (sf)_mm256_max_ps(_mm256_set1_ps(low), (__m256)x);
}

static inline sf s_at_most(sf x, float high) {
    return (sf)_mm256_min_ps(_mm256_set1_ps(high), (__m256)x);
}

static inline bool s_any(si mask) {
    return _mm256_movemask_ps((__m256)mask) != 0;
}

#endif
#endif
