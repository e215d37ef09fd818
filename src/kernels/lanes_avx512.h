/* SPDX-License-Identifier: MIT
 * Lanes (lanes_scalar.h) for AVX-512: eight doubles, sixteen singles. */
#ifndef TERN__LANES_AVX512_H
#define TERN__LANES_AVX512_H

#if defined(__AVX512F__)

#include <stdbool.h>
#include <stdint.h>

#include <immintrin.h>

#define TERN__HAS_LANES
enum { DOUBLES = 8, SINGLES = 16 };

typedef double vd __attribute__((vector_size(64)));
typedef int64_t vl __attribute__((vector_size(64)));
typedef uint64_t vu __attribute__((vector_size(64)));
typedef float vf __attribute__((vector_size(32)));

typedef float sf __attribute__((vector_size(64)));
typedef int32_t si __attribute__((vector_size(64)));
typedef uint32_t su __attribute__((vector_size(64)));

static inline vd v_fma(vd a, vd b, vd c) {
    return (vd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}

static inline vd v_rint(vd x) {
    return (vd)_mm512_roundscale_pd((__m512d)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vd v_sqrt(vd x) {
    return (vd)_mm512_sqrt_pd((__m512d)x);
}

static inline vd v_widen(vf x) {
    return (vd)_mm512_cvtps_pd((__m256)x);
}

static inline vf v_narrow(vd x) {
    return (vf)_mm512_cvtpd_ps((__m512d)x);
}

static inline bool v_any(vl mask) {
    return _mm512_movepi64_mask((__m512i)mask) != 0;
}

static inline sf s_fma(sf a, sf b, sf c) {
    return (sf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

/* A NaN comes through as the second operand. */
static inline sf s_at_least(sf x, float low) {
    return (sf)_mm512_max_ps(_mm512_set1_ps(low), (__m512)x);
}

static inline sf s_at_most(sf x, float high) {
    return (sf)_mm512_min_ps(_mm512_set1_ps(high), (__m512)x);
}

static inline bool s_any(si mask) {
    return _mm512_movepi32_mask((__m512i)mask) != 0;
}

#define TERN__HAS_SCALE
static inline sf s_scale(sf x, sf n) {
    return (sf)_mm512_scalef_ps((__m512)x, (__m512)n);
}

#endif
#endif
