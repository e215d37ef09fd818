/* SPDX-License-Identifier: MIT
 * Family `gemm_i8`, the specification: exact sums of products, modulo 2^32. */
#include <stddef.h>

#include "kernels/gemm.h"

enum { PANEL = 16, ROWS = 4 };

static void pack_a(const void *a, int64_t line_stride, int64_t step, int64_t lines, int64_t length,
                   void *dst, int64_t dst_stride) {
    for (int64_t x = 0; x < lines; x++)
        for (int64_t y = 0; y < length; y++)
            ((int8_t *)dst)[x * dst_stride + y] = ((const int8_t *)a)[x * line_stride + y * step];
}

static void pack_b(const void *b, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                   void *dst) {
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < PANEL; j++)
            ((int8_t *)dst)[k * PANEL + j] =
                j < columns ? ((const int8_t *)b)[k * k_stride + j * j_stride] : 0;
}

static void run(const tern__gemm_tile *tile) {
    const int8_t *a = tile->a, *b = tile->b;
    for (int64_t i = 0; i < tile->rows; i++)
        for (int64_t j = 0; j < tile->columns; j++) {
            int32_t *out = (int32_t *)tile->out + i * tile->out_stride + j * tile->out_j_stride;
            uint32_t sum = tile->is_first ? 0 : (uint32_t)*out;
            for (int64_t k = 0; k < tile->depth; k++)
                sum += (uint32_t)(a[i * tile->a_stride + k * tile->a_k_stride] *
                                  b[k * tile->b_k_stride + j]);
            *out = (int32_t)sum;
        }
}

const tern__gemm_kernel tern__gemm_i8_scalar = {
    .variant = {.name = "scalar", .needs = 0},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = 1,
    .a_size = sizeof(int8_t),
    .b_size = sizeof(int8_t),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
