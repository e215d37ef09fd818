/* SPDX-License-Identifier: MIT
 * Family `reduce` for AVX2. */
#include <immintrin.h>

#include "kernels/lanes_avx2.h"

#include "kernels/exp.h"
#include "kernels/function_exp.h"

/* All bits of the first `count` lanes of 8, of 4. */
static inline __m256i first_of_8(int64_t count) {
    __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count < 8 ? (int)count : 8), lanes);
}

static inline __m256i first_of_4(int64_t count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}

static inline sf s_take(const float *x, int64_t count) {
    return count >= 8 ? (sf)_mm256_loadu_ps(x) : (sf)_mm256_maskload_ps(x, first_of_8(count));
}

static inline vd d_take(const double *x, int64_t count) {
    return count >= 4 ? (vd)_mm256_loadu_pd(x) : (vd)_mm256_maskload_pd(x, first_of_4(count));
}

static inline vu u_take(const uint64_t *x, int64_t count) {
    return (vu)d_take((const double *)x, count);
}

static inline void s_put(float *x, int64_t count, sf v) {
    _mm256_maskstore_ps(x, first_of_8(count), (__m256)v);
}

static inline void d_put(double *x, int64_t count, vd v) {
    _mm256_maskstore_pd(x, first_of_4(count), (__m256d)v);
}

static inline void u_put(uint64_t *x, int64_t count, vu v) {
    d_put((double *)x, count, (vd)v);
}

/* Elements j + s in place of j for j < s. */
static inline sf s_down(sf v, int s) {
    __m256 x = (__m256)v;
    return (sf)(s == 4   ? _mm256_permute2f128_ps(x, x, 1)
                : s == 2 ? _mm256_permute_ps(x, _MM_SHUFFLE(1, 0, 3, 2))
                         : _mm256_permute_ps(x, _MM_SHUFFLE(2, 3, 0, 1)));
}

static inline vd d_down(vd v, int s) {
    __m256d x = (__m256d)v;
    return (vd)(s == 2 ? _mm256_permute2f128_pd(x, x, 1) : _mm256_permute_pd(x, 5));
}

static inline vu u_down(vu v, int s) {
    return (vu)d_down((vd)v, s);
}

/* min and max give their second operand for two zeros: taken both ways, the signs are joined. */
static inline sf s_smaller_number(sf a, sf b) {
    __m256 x = (__m256)a, y = (__m256)b;
    return (sf)_mm256_or_ps(_mm256_min_ps(x, y), _mm256_min_ps(y, x));
}

static inline sf s_larger_number(sf a, sf b) {
    __m256 x = (__m256)a, y = (__m256)b;
    return (sf)_mm256_and_ps(_mm256_max_ps(x, y), _mm256_max_ps(y, x));
}

static inline vd d_smaller_number(vd a, vd b) {
    __m256d x = (__m256d)a, y = (__m256d)b;
    return (vd)_mm256_or_pd(_mm256_min_pd(x, y), _mm256_min_pd(y, x));
}

static inline vd d_larger_number(vd a, vd b) {
    __m256d x = (__m256d)a, y = (__m256d)b;
    return (vd)_mm256_and_pd(_mm256_max_pd(x, y), _mm256_max_pd(y, x));
}

static inline sf s_or_nan(sf chosen, sf a, sf b) {
    __m256 nan = _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_UNORD_Q);
    return (sf)_mm256_blendv_ps((__m256)chosen, (__m256)(a + b), nan);
}

static inline vd d_or_nan(vd chosen, vd a, vd b) {
    __m256d nan = _mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_UNORD_Q);
    return (vd)_mm256_blendv_pd((__m256d)chosen, (__m256d)(a + b), nan);
}

#define s_smaller(a, b) s_or_nan(s_smaller_number(a, b), a, b)
#define s_larger(a, b)  s_or_nan(s_larger_number(a, b), a, b)
#define d_smaller(a, b) d_or_nan(d_smaller_number(a, b), a, b)
#define d_larger(a, b)  d_or_nan(d_larger_number(a, b), a, b)

typedef __m256 s_nans;
typedef __m256d d_nans;
#define s_NO_NANS _mm256_setzero_ps()
#define d_NO_NANS _mm256_setzero_pd()

static inline s_nans s_watch(s_nans nans, sf a, sf b) {
    return _mm256_or_ps(nans, _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_UNORD_Q));
}

static inline d_nans d_watch(d_nans nans, vd a, vd b) {
    return _mm256_or_pd(nans, _mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_UNORD_Q));
}

#define s_any_nan(nans) (_mm256_movemask_ps(nans) != 0)
#define d_any_nan(nans) (_mm256_movemask_pd(nans) != 0)

static inline vu u_smaller(vu a, vu b) {
    __m256i x = (__m256i)a, y = (__m256i)b;
    return (vu)_mm256_blendv_epi8(x, y, _mm256_cmpgt_epi64(x, y));
}

static inline vu u_larger(vu a, vu b) {
    __m256i x = (__m256i)a, y = (__m256i)b;
    return (vu)_mm256_blendv_epi8(y, x, _mm256_cmpgt_epi64(x, y));
}

#include "kernels/reduce_loops.h"

const tern__reduce_kernel tern__reduce_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    TERN__REDUCE_FUNCTIONS,
};
