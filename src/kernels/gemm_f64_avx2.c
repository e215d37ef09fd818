/* SPDX-License-Identifier: MIT
 * Family `gemm_f64` for AVX2 with FMA.
 *
 *     out[i][j] = fma(a[i][k], b[k][j], out[i][j]), k in order; lanes are the columns j
 *
 * Panel: k-major rows of 8 numbers, 64-byte aligned. run() keeps up to 6 x 8 chains in 12
 * registers.
 */
#include <immintrin.h>
#include <stddef.h>

#include "kernels/gemm.h"

typedef double number;
typedef __m256d vector;
enum { LANES = 4, VECTORS = 2, ROWS = 6, STEPS = 2 };

static inline vector zero(void) {
    return _mm256_setzero_pd();
}

static inline vector load(const double *x) {
    return _mm256_loadu_pd(x);
}

static inline void store(double *x, vector value) {
    _mm256_storeu_pd(x, value);
}

static inline vector spread(double x) {
    return _mm256_set1_pd(x);
}

static inline vector fused(vector x, vector y, vector c) {
    return _mm256_fmadd_pd(x, y, c);
}

/* 2 k of 4 columns: the even columns, the odd ones, interleaved. */
static inline void transpose_half(const double *b, int64_t j_stride, double *dst) {
    __m256d x[2];
    for (int j = 0; j < 2; j++)
        x[j] = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(b + j * j_stride)),
                                    _mm_loadu_pd(b + (j + 2) * j_stride), 1);
    _mm256_store_pd(dst, _mm256_unpacklo_pd(x[0], x[1]));
    _mm256_store_pd(dst + LANES * VECTORS, _mm256_unpackhi_pd(x[0], x[1]));
}

static inline void transpose(const double *b, int64_t j_stride, double *dst) {
    transpose_half(b, j_stride, dst);
    transpose_half(b + LANES * j_stride, j_stride, dst + LANES);
}

#include "kernels/gemm_loops.h"

const tern__gemm_kernel tern__gemm_f64_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = 1,
    .a_size = sizeof(double),
    .b_size = sizeof(double),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
