/* SPDX-License-Identifier: MIT
 * Family `elementwise` for AVX2: 8 numbers a step, the last ones under a mask. take() reads an
 * operand of any stride. */
#include <immintrin.h>

#include "kernels/lanes_avx2.h"

#include "kernels/elementwise.h"
#include "kernels/exp.h"

/* The drivers below take an operation and must be specialised for it. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { LANES = 8 };

typedef __m256 unary_operation(__m256 x);
typedef __m256 binary_operation(__m256 a, __m256 b);

static inline int64_t lanes_left(int64_t left) {
    return left < LANES ? left : LANES;
}

/* The first `count` lanes, 0 <= count <= 8. */
static inline __m256i first_lanes(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __m256i take_i32(const int32_t *x, int64_t count) {
    return count == LANES ? _mm256_loadu_si256((const __m256i *)x)
                          : _mm256_maskload_epi32((const int *)x, first_lanes(count));
}

/* x[0], x[s], x[2 s], ... */
static inline __m256 spread(const float *x, int64_t s) {
    return _mm256_setr_ps(x[0], x[s], x[2 * s], x[3 * s], x[4 * s], x[5 * s], x[6 * s], x[7 * s]);
}

/* x[0], x[stride], ... in the first `count` lanes; `count` >= 1. */
static inline __m256 take(const float *x, int64_t stride, int64_t count) {
    if (stride == 1)
        return count == LANES ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, first_lanes(count));
    if (stride == 0)
        return _mm256_set1_ps(*x);
    if (count == LANES)
        return spread(x, stride);
    float lanes[LANES] = {0};
    for (int64_t i = 0; i < count; i++)
        lanes[i] = x[i * stride];
    return _mm256_loadu_ps(lanes);
}

static inline void put(float *out, int64_t count, __m256 y) {
    if (count == LANES)
        _mm256_storeu_ps(out, y);
    else
        _mm256_maskstore_ps(out, first_lanes(count), y);
}

ALWAYS_INLINE void unary(unary_operation *operation, const float *x, int64_t stride, float *out,
                         int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        put(out + i, LANES, operation(take(x + i * stride, stride, LANES)));
    if (i < n)
        put(out + i, n - i, operation(take(x + i * stride, stride, n - i)));
}

ALWAYS_INLINE void binary(binary_operation *operation, const float *a, int64_t a_stride,
                          const float *b, int64_t b_stride, float *out, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        put(out + i, LANES,
            operation(take(a + i * a_stride, a_stride, LANES),
                      take(b + i * b_stride, b_stride, LANES)));
    if (i < n)
        put(out + i, n - i,
            operation(take(a + i * a_stride, a_stride, n - i),
                      take(b + i * b_stride, b_stride, n - i)));
}

ALWAYS_INLINE __m256 add_lanes(__m256 a, __m256 b) {
    return _mm256_add_ps(a, b);
}

ALWAYS_INLINE __m256 mul_lanes(__m256 a, __m256 b) {
    return _mm256_mul_ps(a, b);
}

ALWAYS_INLINE __m256 relu2_lanes(__m256 x) {
    __m256 r = _mm256_max_ps(_mm256_setzero_ps(), x); /* 0 > x ? 0 : x */
    return _mm256_mul_ps(r, r);
}

ALWAYS_INLINE __m256 silu_lanes(__m256 x) {
    return (__m256)s_silu((sf)x);
}

static void add(const float *a, int64_t a_stride, const float *b, int64_t b_stride, float *out,
                int64_t n) {
    binary(add_lanes, a, a_stride, b, b_stride, out, n);
}

static void mul(const float *a, int64_t a_stride, const float *b, int64_t b_stride, float *out,
                int64_t n) {
    binary(mul_lanes, a, a_stride, b, b_stride, out, n);
}

static void scale(const float *x, int64_t x_stride, float factor, float *out, int64_t n) {
    binary(mul_lanes, x, x_stride, &factor, 0, out, n);
}

static void relu2(const float *x, int64_t x_stride, float *out, int64_t n) {
    unary(relu2_lanes, x, x_stride, out, n);
}

static void silu(const float *x, int64_t x_stride, float *out, int64_t n) {
    unary(silu_lanes, x, x_stride, out, n);
}

static void rope(const float *x, const float *cosine, const float *sine, float *out, int64_t half) {
    for (int64_t i = 0; i < half; i += LANES) {
        int64_t count = lanes_left(half - i);
        __m256 first = take(x + i, 1, count);
        __m256 second = take(x + i + half, 1, count);
        __m256 c = take(cosine + i, 1, count);
        __m256 s = take(sine + i, 1, count);
        put(out + i, count, _mm256_fnmadd_ps(second, s, _mm256_mul_ps(first, c)));
        put(out + i + half, count, _mm256_fmadd_ps(first, s, _mm256_mul_ps(second, c)));
    }
}

static void from_i32(const int32_t *x, float factor, float *out, int64_t n) {
    __m256 factors = _mm256_set1_ps(factor);
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t count = lanes_left(n - i);
        __m256i whole = take_i32(x + i, count);
        put(out + i, count, _mm256_mul_ps(_mm256_cvtepi32_ps(whole), factors));
    }
}

static void accumulate_i32(const int32_t *x, const float *factors, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t count = lanes_left(n - i);
        __m256i whole = take_i32(x + i, count);
        __m256 factor = take(factors + i, 1, count);
        __m256 before = take(out + i, 1, count);
        put(out + i, count, _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole), factor, before));
    }
}

const tern__elementwise_kernel tern__elementwise_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .add = add,
    .mul = mul,
    .scale = scale,
    .relu2 = relu2,
    .silu = silu,
    .rope = rope,
    .from_i32 = from_i32,
    .accumulate_i32 = accumulate_i32,
};
