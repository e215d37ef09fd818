/* SPDX-License-Identifier: MIT
 * Family `gemm`, the specification: one fused multiply-add per element and step, k in order. */
#include <math.h>
#include <stddef.h>

#include "base/half.h"
#include "kernels/gemm.h"

enum { PANEL = 16, ROWS = 4 };

static void pack_f32(const float *b, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                     float *dst) {
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < PANEL; j++)
            dst[k * PANEL + j] = j < columns ? b[k * k_stride + j * j_stride] : 0.0f;
}

static void pack_f16(const uint16_t *b, int64_t k_stride, int64_t j_stride, int64_t depth,
                     int columns, float *dst) {
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < PANEL; j++)
            dst[k * PANEL + j] =
                j < columns ? tern__f32_from_f16(b[k * k_stride + j * j_stride]) : 0.0f;
}

static void run(const float *a, int64_t a_stride, int64_t a_k_stride, int rows, const float *panel,
                int64_t depth, float *out, int64_t out_stride, int columns, bool is_first) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float chain = is_first ? 0.0f : out[i * out_stride + j];
            for (int64_t k = 0; k < depth; k++)
                chain = fmaf(a[i * a_stride + k * a_k_stride], panel[k * PANEL + j], chain);
            out[i * out_stride + j] = chain;
        }
}

const tern__gemm_kernel tern__gemm_scalar = {
    .variant = {.name = "scalar", .needs = 0},
    .panel = PANEL,
    .rows = ROWS,
    .pack_f32 = pack_f32,
    .pack_f16 = pack_f16,
    .run = run,
};
