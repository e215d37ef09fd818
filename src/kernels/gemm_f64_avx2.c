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
enum { LANES = 4, VECTORS = 2, ROWS = 6, STEPS = 8 };

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

/* 4 columns of 4 k. */
static inline void transpose_4x4(const double *b, int64_t j_stride, double *dst) {
    __m256d part[2][2]; /* [k % 2][j / 2]: half k / 2 holds 2 columns */
    for (int g = 0; g < 2; g++) {
        __m256d x = _mm256_loadu_pd(b + 2 * g * j_stride);
        __m256d y = _mm256_loadu_pd(b + (2 * g + 1) * j_stride);
        part[0][g] = _mm256_unpacklo_pd(x, y);
        part[1][g] = _mm256_unpackhi_pd(x, y);
    }
    for (int k = 0; k < 2; k++) {
        double *to = dst + k * LANES * VECTORS;
        store(to, _mm256_permute2f128_pd(part[k][0], part[k][1], 0x20));
        store(to + 2 * LANES * VECTORS, _mm256_permute2f128_pd(part[k][0], part[k][1], 0x31));
    }
}

/* 8 k: whole cache lines of few columns at a time, which could all be one set of the cache. */
static inline void transpose(const double *b, int64_t j_stride, double *dst) {
    for (int h = 0; h < VECTORS; h++)
        for (int k = 0; k < STEPS; k += 4)
            transpose_4x4(b + h * LANES * j_stride + k, j_stride,
                          dst + k * LANES * VECTORS + h * LANES);
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
