/* SPDX-License-Identifier: MIT
 * Family `gemm_f64`, the specification: one fused multiply-add per element and step, k in order. */
#include <math.h>
#include <stddef.h>

#include "kernels/gemm.h"

enum { PANEL = 8, ROWS = 4 };

static void pack_a(const void *a, int64_t line_stride, int64_t step, int64_t lines, int64_t length,
                   void *dst, int64_t dst_stride) {
    for (int64_t x = 0; x < lines; x++)
        for (int64_t y = 0; y < length; y++)
            ((double *)dst)[x * dst_stride + y] = ((const double *)a)[x * line_stride + y * step];
}

static void pack_b(const void *b, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                   void *dst) {
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < PANEL; j++)
            ((double *)dst)[k * PANEL + j] =
                j < columns ? ((const double *)b)[k * k_stride + j * j_stride] : 0.0;
}

static void run(const tern__gemm_tile *tile) {
    const double *a = tile->a, *b = tile->b;
    for (int64_t i = 0; i < tile->rows; i++)
        for (int64_t j = 0; j < tile->columns; j++) {
            double *out = (double *)tile->out + i * tile->out_stride + j * tile->out_j_stride;
            double chain = tile->is_first ? 0.0 : *out;
            for (int64_t k = 0; k < tile->depth; k++)
                chain = fma(a[i * tile->a_stride + k * tile->a_k_stride],
                            b[k * tile->b_k_stride + j], chain);
            *out = chain;
        }
}

const tern__gemm_kernel tern__gemm_f64_scalar = {
    .variant = {.name = "scalar", .needs = 0},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = 1,
    .a_size = sizeof(double),
    .b_size = sizeof(double),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
