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
enum { LANES = 8, VECTORS = 2, ROWS = 12, STEPS = 2 };

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

/* 2 k of 8 columns: the even columns, the odd ones, interleaved. */
static inline void transpose_half(const double *b, int64_t j_stride, double *dst) {
    __m512d x[2];
    for (int j = 0; j < 2; j++) {
        x[j] = _mm512_castpd128_pd512(_mm_loadu_pd(b + j * j_stride));
        x[j] = _mm512_insertf64x2(x[j], _mm_loadu_pd(b + (j + 2) * j_stride), 1);
        x[j] = _mm512_insertf64x2(x[j], _mm_loadu_pd(b + (j + 4) * j_stride), 2);
        x[j] = _mm512_insertf64x2(x[j], _mm_loadu_pd(b + (j + 6) * j_stride), 3);
    }
    _mm512_store_pd(dst, _mm512_unpacklo_pd(x[0], x[1]));
    _mm512_store_pd(dst + LANES * VECTORS, _mm512_unpackhi_pd(x[0], x[1]));
}

static inline void transpose(const double *b, int64_t j_stride, double *dst) {
    transpose_half(b, j_stride, dst);
    transpose_half(b + LANES * j_stride, j_stride, dst + LANES);
}

#include "kernels/gemm_loops.h"

const tern__gemm_kernel tern__gemm_f64_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX512},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = 1,
    .a_size = sizeof(double),
    .b_size = sizeof(double),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
