/* SPDX-License-Identifier: MIT
 * Family `reduce` for AVX-512. */
#include <immintrin.h>

#include "kernels/lanes_avx512.h"

#include "kernels/exp.h"
#include "kernels/function_exp.h"

static inline __mmask16 first_of_16(int64_t count) {
    return (__mmask16)(count < 16 ? (1u << count) - 1 : 0xffff);
}

static inline __mmask8 first_of_8(int64_t count) {
    return (__mmask8)(count < 8 ? (1u << count) - 1 : 0xff);
}

static inline sf s_take(const float *x, int64_t count) {
    return (sf)_mm512_maskz_loadu_ps(first_of_16(count), x);
}

static inline vd d_take(const double *x, int64_t count) {
    return (vd)_mm512_maskz_loadu_pd(first_of_8(count), x);
}

static inline vu u_take(const uint64_t *x, int64_t count) {
    return (vu)_mm512_maskz_loadu_epi64(first_of_8(count), x);
}

static inline void s_put(float *x, int64_t count, sf v) {
    _mm512_mask_storeu_ps(x, first_of_16(count), (__m512)v);
}

static inline void d_put(double *x, int64_t count, vd v) {
    _mm512_mask_storeu_pd(x, first_of_8(count), (__m512d)v);
}

static inline void u_put(uint64_t *x, int64_t count, vu v) {
    _mm512_mask_storeu_epi64(x, first_of_8(count), (__m512i)v);
}

/* Elements j + s in place of j for j < s: 8, 4, 2, 1 lanes of a vector with 2 s elements left. */
static inline sf s_down(sf v, int s) {
    __m512 x = (__m512)v;
    return (sf)(s == 8   ? _mm512_shuffle_f32x4(x, x, _MM_SHUFFLE(1, 0, 3, 2))
                : s == 4 ? _mm512_shuffle_f32x4(x, x, _MM_SHUFFLE(2, 3, 0, 1))
                : s == 2 ? _mm512_permute_ps(x, _MM_SHUFFLE(1, 0, 3, 2))
                         : _mm512_permute_ps(x, _MM_SHUFFLE(2, 3, 0, 1)));
}

static inline vd d_down(vd v, int s) {
    __m512d x = (__m512d)v;
    return (vd)(s == 4   ? _mm512_shuffle_f64x2(x, x, _MM_SHUFFLE(1, 0, 3, 2))
                : s == 2 ? _mm512_shuffle_f64x2(x, x, _MM_SHUFFLE(2, 3, 0, 1))
                         : _mm512_permute_pd(x, 0x55));
}

static inline vu u_down(vu v, int s) {
    return (vu)d_down((vd)v, s);
}

/* range: the sign of zeros is right, but a NaN loses. */
enum { SMALLER_OF_BOTH = 4, LARGER_OF_BOTH = 5 };

static inline sf s_smaller_number(sf a, sf b) {
    return (sf)_mm512_range_ps((__m512)a, (__m512)b, SMALLER_OF_BOTH);
}

static inline sf s_larger_number(sf a, sf b) {
    return (sf)_mm512_range_ps((__m512)a, (__m512)b, LARGER_OF_BOTH);
}

static inline vd d_smaller_number(vd a, vd b) {
    return (vd)_mm512_range_pd((__m512d)a, (__m512d)b, SMALLER_OF_BOTH);
}

static inline vd d_larger_number(vd a, vd b) {
    return (vd)_mm512_range_pd((__m512d)a, (__m512d)b, LARGER_OF_BOTH);
}

static inline sf s_or_nan(sf chosen, sf a, sf b) {
    __mmask16 nan = _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_UNORD_Q);
    return (sf)_mm512_mask_add_ps((__m512)chosen, nan, (__m512)a, (__m512)b);
}

static inline vd d_or_nan(vd chosen, vd a, vd b) {
    __mmask8 nan = _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_UNORD_Q);
    return (vd)_mm512_mask_add_pd((__m512d)chosen, nan, (__m512d)a, (__m512d)b);
}

#define s_smaller(a, b) s_or_nan(s_smaller_number(a, b), a, b)
#define s_larger(a, b)  s_or_nan(s_larger_number(a, b), a, b)
#define d_smaller(a, b) d_or_nan(d_smaller_number(a, b), a, b)
#define d_larger(a, b)  d_or_nan(d_larger_number(a, b), a, b)

typedef uint32_t s_nans, d_nans;
enum { s_NO_NANS, d_NO_NANS = 0 };

static inline s_nans s_watch(s_nans nans, sf a, sf b) {
    return nans | _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_UNORD_Q);
}

static inline d_nans d_watch(d_nans nans, vd a, vd b) {
    return nans | _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_UNORD_Q);
}

#define s_any_nan(nans) ((nans) != 0)
#define d_any_nan(nans) ((nans) != 0)

static inline vu u_smaller(vu a, vu b) {
    return (vu)_mm512_min_epi64((__m512i)a, (__m512i)b);
}

static inline vu u_larger(vu a, vu b) {
    return (vu)_mm512_max_epi64((__m512i)a, (__m512i)b);
}

#include "kernels/reduce_loops.h"

const tern__reduce_kernel tern__reduce_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    TERN__REDUCE_FUNCTIONS,
};
