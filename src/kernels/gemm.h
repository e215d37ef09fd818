/* SPDX-License-Identifier: MIT
 *
 * Family `gemm`: the inner parts of the float matrix product a (M, K) x b (K, N). The driver in
 * device/cpu cuts b into panels of `panel` columns and K into depths, packs a panel into scratch
 * (k-major, F32) and lets run() continue every element's chain of fused multiply-adds:
 *
 *     out[i][j] = fma(a[i][k], b[k][j], out[i][j]) for k in order, from +0
 *
 * Order and rounding are the same for any M, N, blocking and variant. Lanes are columns of b.
 */
#ifndef TERN__GEMM_H
#define TERN__GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu.h"

typedef struct tern__gemm_kernel {
    tern__variant variant;
    int panel; /* columns of a panel */
    int rows;  /* most rows of a that run() takes */

    /* dst[k * panel + j] = b[k * k_stride + j * j_stride] for k < depth, j < columns <= panel; 0
     * for columns <= j < panel. Fast where either stride is 1. dst is 64-byte aligned. */
    void (*pack_f32)(const float *b, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                     float *dst);
    void (*pack_f16)(const uint16_t *b, int64_t k_stride, int64_t j_stride, int64_t depth,
                     int columns, float *dst);

    /* rows (1..kernel rows) x columns (1..panel) elements. With is_first the chain starts at +0
     * and out need not be initialised; else it continues from out. Element a[i][k] lies at
     * a[i * a_stride + k * a_k_stride]. Only columns `< columns` of out are touched. */
    void (*run)(const float *a, int64_t a_stride, int64_t a_k_stride, int rows, const float *panel,
                int64_t depth, float *out, int64_t out_stride, int columns, bool is_first);

    /* pack_f16 and run for one row of a (contiguous) against columns stored one behind the other
     * (k_stride 1), in one go and without scratch; the same bits. NULL where the variant has
     * none. */
    void (*gemv_f16)(const float *a, const uint16_t *b, int64_t j_stride, int64_t depth, float *out,
                     int columns, bool is_first);
} tern__gemm_kernel;

extern const tern__gemm_kernel *const tern__gemm_family[];

#define TERN__GEMM_PANEL_MAX 64

#endif
