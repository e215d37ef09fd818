/* SPDX-License-Identifier: MIT
 * Family `gemm_f64` for NEON.
 *
 *     out[i][j] = fma(a[i][k], b[k][j], out[i][j]), k in order; lanes are the columns j
 *
 * Panel: k-major rows of 8 numbers. run() keeps up to 6 x 8 chains in 24 registers; of the other
 * eight four hold b and one a number of a.
 */
#include <arm_neon.h>
#include <stddef.h>

#include "kernels/gemm.h"

typedef double number;
typedef float64x2_t vector;
enum { LANES = 2, VECTORS = 4, ROWS = 6, STEPS = 2 };

static inline vector zero(void) {
    return vdupq_n_f64(0);
}

static inline vector load(const double *x) {
    return vld1q_f64(x);
}

static inline void store(double *x, vector value) {
    vst1q_f64(x, value);
}

static inline vector spread(double x) {
    return vdupq_n_f64(x);
}

static inline vector fused(vector x, vector y, vector c) {
    return vfmaq_f64(c, x, y);
}

/* 2 k of 2 columns at a time. */
static inline void transpose(const double *b, int64_t j_stride, double *dst) {
    for (int j = 0; j < LANES * VECTORS; j += 2) {
        float64x2_t x = vld1q_f64(b + j * j_stride), y = vld1q_f64(b + (j + 1) * j_stride);
        vst1q_f64(dst + j, vzip1q_f64(x, y));
        vst1q_f64(dst + LANES * VECTORS + j, vzip2q_f64(x, y));
    }
}

#include "kernels/gemm_loops.h"

const tern__gemm_kernel tern__gemm_f64_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = 1,
    .a_size = sizeof(double),
    .b_size = sizeof(double),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
