/* SPDX-License-Identifier: MIT
 * Lanes (lanes_scalar.h) for AVX-512: eight at a time. */
#ifndef TERN__LANES_AVX512_H
#define TERN__LANES_AVX512_H

#if defined(__AVX512F__)

#include <stdint.h>

#include <immintrin.h>

#define TERN__HAS_LANES
enum { LANES = 8 };

typedef double vd __attribute__((vector_size(64)));
typedef int64_t vl __attribute__((vector_size(64)));
typedef uint64_t vu __attribute__((vector_size(64)));
typedef float vf __attribute__((vector_size(32)));

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

#endif
#endif
