/* SPDX-License-Identifier: MIT
 * Family `gemm_f64` for AVX-512.
 *
 *     out[i][j] = fma(a[i][k], b[k][j], out[i][j]), k in order; lanes are the columns j
 *
 * Panel: k-major rows of 16 numbers, 64-byte aligned. run() keeps up to 12 x 16 chains in 24
 * registers; of the other eight two hold b and one a number of a.
 */
#include <immintrin.h>
#include <stddef.h>

#include "kernels/gemm.h"

typedef double number;
typedef __m512d vector;
enum { LANES = 8, VECTORS = 2, ROWS = 12, STEPS = 8 };

static inline vector zero(void) {
    return _mm512_setzero_pd();
}

static inline vector load(const double *x) {
    return _mm512_loadu_pd(x);
}

static inline void store(double *x, vector value) {
    _mm512_storeu_pd(x, value);
}

static inline vector spread(double x) {
    return _mm512_set1_pd(x);
}

static inline vector fused(vector x, vector y, vector c) {
    return _mm512_fmadd_pd(x, y, c);
}

/* 8 columns of 8 k, each a cache line that is read once: 2 x 2 numbers in each quarter of a
 * register, then 4 x 4 quarters. */
static inline void transpose_half(const double *b, int64_t j_stride, double *dst) {
    __m512d part[2][4]; /* [k % 2][j / 2]: quarter k / 2 holds 2 columns */
    for (int g = 0; g < 4; g++) {
        __m512d x = _mm512_loadu_pd(b + 2 * g * j_stride);
        __m512d y = _mm512_loadu_pd(b + (2 * g + 1) * j_stride);
        part[0][g] = _mm512_unpacklo_pd(x, y);
        part[1][g] = _mm512_unpackhi_pd(x, y);
    }
    for (int k = 0; k < 2; k++) {
        const __m512d *p = part[k];
        double *to = dst + k * LANES * VECTORS;
        __m512d even[2] = {_mm512_shuffle_f64x2(p[0], p[1], 0x88),
                           _mm512_shuffle_f64x2(p[2], p[3], 0x88)};
        __m512d odd[2] = {_mm512_shuffle_f64x2(p[0], p[1], 0xdd),
                          _mm512_shuffle_f64x2(p[2], p[3], 0xdd)};
        store(to, _mm512_shuffle_f64x2(even[0], even[1], 0x88));
        store(to + 2 * LANES * VECTORS, _mm512_shuffle_f64x2(odd[0], odd[1], 0x88));
        store(to + 4 * LANES * VECTORS, _mm512_shuffle_f64x2(even[0], even[1], 0xdd));
        store(to + 6 * LANES * VECTORS, _mm512_shuffle_f64x2(odd[0], odd[1], 0xdd));
    }
}

static inline void transpose(const double *b, int64_t j_stride, double *dst) {
    transpose_half(b, j_stride, dst);
    transpose_half(b + LANES * j_stride, j_stride, dst + LANES);
}

#include "kernels/gemm_loops.h"

const tern__gemm_kernel tern__gemm_f64_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = 1,
    .a_size = sizeof(double),
    .b_size = sizeof(double),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
