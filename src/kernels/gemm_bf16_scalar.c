/* SPDX-License-Identifier: MIT
 * Family `gemm_bf16`, as its unit is described: operands rounded to BF16 (to nearest even), K in
 * pairs, in each the odd step before the even one, products and sums rounded to F32 together. Units
 * take denormal numbers for zero, which this does not: that, and how a unit rounds inside a pair,
 * is why the family is outside the contract of equal bits. Where no operand, product or sum is
 * denormal, results differ by at most 2^-23 a step, relative to the sum of magnitudes. */
#include <math.h>
#include <stddef.h>

#include "base/half.h"
#include "kernels/gemm.h"

enum { PANEL = 16, ROWS = 4, GROUP = 2 };

static void pack_a(const void *a, int64_t line_stride, int64_t step, int64_t lines, int64_t length,
                   void *dst, int64_t dst_stride) {
    for (int64_t x = 0; x < lines; x++)
        for (int64_t y = 0; y < length + length % GROUP; y++)
            ((uint16_t *)dst)[x * dst_stride + y] =
                y < length ? tern__bf16_from_f32(((const float *)a)[x * line_stride + y * step])
                           : 0;
}

static void pack_b(const void *b, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                   void *dst) {
    for (int64_t k = 0; k < depth + depth % GROUP; k++)
        for (int64_t j = 0; j < PANEL; j++)
            ((uint16_t *)dst)[k * PANEL + j] =
                k < depth && j < columns
                    ? tern__bf16_from_f32(((const float *)b)[k * k_stride + j * j_stride])
                    : 0;
}

static float step(const tern__gemm_tile *tile, int64_t i, int64_t j, int64_t k, float chain) {
    const uint16_t *a = tile->a, *b = tile->b;
    return fmaf(tern__f32_from_bf16(a[i * tile->a_stride + k]),
                tern__f32_from_bf16(b[k * PANEL + j]), chain);
}

static void run(const tern__gemm_tile *tile) {
    for (int64_t i = 0; i < tile->rows; i++)
        for (int64_t j = 0; j < tile->columns; j++) {
            float *out = (float *)tile->out + i * tile->out_stride + j * tile->out_j_stride;
            float chain = tile->is_first ? 0.0f : *out;
            for (int64_t k = 0; k < tile->depth; k += GROUP)
                chain = step(tile, i, j, k, step(tile, i, j, k + 1, chain));
            *out = chain;
        }
}

const tern__gemm_kernel tern__gemm_bf16_scalar = {
    .variant = {.name = "scalar", .needs = 0},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = GROUP,
    .a_size = sizeof(uint16_t),
    .b_size = sizeof(uint16_t),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
