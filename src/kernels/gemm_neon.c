/* SPDX-License-Identifier: MIT
 * Family `gemm` for NEON.
 *
 *     out[i][j] = fma(a[i][k], b[k][j], out[i][j]), k in order; lanes are the columns j
 *
 * Panel: k-major rows of 16 floats. run() keeps up to 6 x 16 chains in 24 registers; of the other
 * eight four hold b and one a number of a.
 */
#include <arm_neon.h>
#include <stddef.h>

#include "kernels/gemm.h"

typedef float number;
typedef float32x4_t vector;
enum { LANES = 4, VECTORS = 4, ROWS = 6, STEPS = 4 };

static inline vector zero(void) {
    return vdupq_n_f32(0);
}

static inline vector load(const float *x) {
    return vld1q_f32(x);
}

static inline void store(float *x, vector value) {
    vst1q_f32(x, value);
}

static inline vector spread(float x) {
    return vdupq_n_f32(x);
}

static inline vector fused(vector x, vector y, vector c) {
    return vfmaq_f32(c, x, y);
}

/* 4 k of 4 columns at a time. */
static inline void transpose(const float *b, int64_t j_stride, float *dst) {
    for (int j = 0; j < LANES * VECTORS; j += 4) {
        float32x4_t x[4];
        for (int c = 0; c < 4; c++)
            x[c] = vld1q_f32(b + (j + c) * j_stride);
        float32x4x2_t low = vzipq_f32(x[0], x[2]), high = vzipq_f32(x[1], x[3]);
        for (int half = 0; half < 2; half++) {
            float32x4x2_t rows = vzipq_f32(low.val[half], high.val[half]);
            vst1q_f32(dst + 2 * half * LANES * VECTORS + j, rows.val[0]);
            vst1q_f32(dst + (2 * half + 1) * LANES * VECTORS + j, rows.val[1]);
        }
    }
}

#include "kernels/gemm_loops.h"

const tern__gemm_kernel tern__gemm_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = 1,
    .a_size = sizeof(float),
    .b_size = sizeof(float),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
