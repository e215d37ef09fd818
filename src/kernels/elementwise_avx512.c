/* SPDX-License-Identifier: MIT
 * Family `elementwise` for AVX-512: 16 numbers a step, the last ones under a mask. take() reads an
 * operand of any stride. */
#include <immintrin.h>

#include "kernels/lanes_avx512.h"

#include "kernels/elementwise.h"
#include "kernels/exp.h"

/* The drivers below take an operation and must be specialised for it. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

typedef __m512 unary_operation(__m512 x);
typedef __m512 binary_operation(__m512 a, __m512 b);

static inline int64_t lanes_left(int64_t left) {
    return left < LANES ? left : LANES;
}

/* The first `count` lanes, 0 <= count <= 16. */
static inline __mmask16 first_lanes(int64_t count) {
    return (__mmask16)((1u << count) - 1);
}

/* x[0], x[s], x[2 s], ... */
static inline __m512 spread(const float *x, int64_t s) {
    return _mm512_setr_ps(x[0], x[s], x[2 * s], x[3 * s], x[4 * s], x[5 * s], x[6 * s], x[7 * s],
                          x[8 * s], x[9 * s], x[10 * s], x[11 * s], x[12 * s], x[13 * s], x[14 * s],
                          x[15 * s]);
}

/* x[0], x[stride], ... in the first `count` lanes; `count` >= 1. */
static inline __m512 take(const float *x, int64_t stride, int64_t count) {
    if (stride == 1)
        return count == LANES ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(first_lanes(count), x);
    if (stride == 0)
        return _mm512_set1_ps(*x);
    if (count == LANES)
        return spread(x, stride);
    float lanes[LANES] = {0};
    for (int64_t i = 0; i < count; i++)
        lanes[i] = x[i * stride];
    return _mm512_loadu_ps(lanes);
}

static inline void put(float *out, int64_t count, __m512 y) {
    if (count == LANES)
        _mm512_storeu_ps(out, y);
    else
        _mm512_mask_storeu_ps(out, first_lanes(count), y);
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

ALWAYS_INLINE __m512 add_lanes(__m512 a, __m512 b) {
    return _mm512_add_ps(a, b);
}

ALWAYS_INLINE __m512 mul_lanes(__m512 a, __m512 b) {
    return _mm512_mul_ps(a, b);
}

ALWAYS_INLINE __m512 relu2_lanes(__m512 x) {
    __m512 r = _mm512_max_ps(_mm512_setzero_ps(), x); /* 0 > x ? 0 : x */
    return _mm512_mul_ps(r, r);
}

ALWAYS_INLINE __m512 silu_lanes(__m512 x) {
    return (__m512)s_silu((sf)x);
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
        __mmask16 lanes = first_lanes(lanes_left(half - i));
        __m512 first = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512 second = _mm512_maskz_loadu_ps(lanes, x + i + half);
        __m512 c = _mm512_maskz_loadu_ps(lanes, cosine + i);
        __m512 s = _mm512_maskz_loadu_ps(lanes, sine + i);
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_fnmadd_ps(second, s, _mm512_mul_ps(first, c)));
        _mm512_mask_storeu_ps(out + i + half, lanes,
                              _mm512_fmadd_ps(first, s, _mm512_mul_ps(second, c)));
    }
}

static void from_i32(const int32_t *x, float factor, float *out, int64_t n) {
    __m512 factors = _mm512_set1_ps(factor);
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = first_lanes(lanes_left(n - i));
        __m512 value = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, x + i));
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_mul_ps(value, factors));
    }
}

static void accumulate_i32(const int32_t *x, const float *factors, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = first_lanes(lanes_left(n - i));
        __m512 value = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, x + i));
        __m512 factor = _mm512_maskz_loadu_ps(lanes, factors + i);
        __m512 before = _mm512_maskz_loadu_ps(lanes, out + i);
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_fmadd_ps(value, factor, before));
    }
}

const tern__elementwise_kernel tern__elementwise_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .add = add,
    .mul = mul,
    .scale = scale,
    .relu2 = relu2,
    .silu = silu,
    .rope = rope,
    .from_i32 = from_i32,
    .accumulate_i32 = accumulate_i32,
};
