/* SPDX-License-Identifier: MIT
 *
 * Families `gemm` (F32), `gemm_f64`, `gemm_i8` and `gemm_bf16`: the inner parts of the matrix
 * product a (M, K) x b (K, N). The driver in device/cpu cuts the result into tiles of up to `rows`
 * x `panel` elements and K into depths. Columns of b are packed into panels, rows of a into strips,
 * and run() continues every element's chain:
 *
 *     gemm, gemm_f64: out[i][j] = fma(a[i][k], b[k][j], out[i][j]) for k in order, from +0
 *     gemm_i8:        out[i][j] = out[i][j] + a[i][k] * b[k][j] in int32, modulo 2^32
 *     gemm_bf16:      as gemm with operands rounded to BF16, in the order of the unit
 *
 * For the first three, order and rounding are the same for any M, N, blocking and variant. An int32
 * sum is exact for K < 2^17: |sum| <= 2^14 K < 2^31; beyond, all variants still agree, since
 * addition modulo 2^32 may be done in any order. gemm_bf16 is outside the contract of equal bits
 * (gemm_bf16_scalar.c). Lanes are columns of b.
 */
#ifndef TERN__GEMM_H
#define TERN__GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu.h"

/* One call of run(): rows (1..kernel rows) x columns (1..panel) elements over `depth` steps. */
typedef struct tern__gemm_tile {
    /* A strip, or a itself where k_unit is 1: a[i][k] at a + i * a_stride + k * a_k_stride. A strip
     * of a kernel with a larger k_unit has a_k_stride 1 and is filled up to whole units. */
    const void *a;
    int64_t a_stride, a_k_stride; /* elements */
    /* A panel; or b itself where k_unit is 1 and columns == panel: then b[k][j] lies at b + k *
     * b_k_stride + j. */
    const void *b;
    int64_t b_k_stride; /* `panel` for a panel */
    int64_t depth;
    void *out; /* out[i][j] at out + i * out_stride + j * out_j_stride */
    int64_t out_stride, out_j_stride;
    int rows, columns;
    bool is_first; /* the chains start at +0, out need not be initialised */
} tern__gemm_tile;

typedef struct tern__gemm_kernel {
    tern__variant variant;
    int rows;   /* most rows of a tile */
    int panel;  /* most columns of a tile */
    int k_unit; /* steps that lie together in a packed operand; a multiple of 32 is one of it */
    int a_size; /* bytes of an element in a strip */
    int b_size; /* bytes of an element in a panel */
    int b_tail; /* bytes behind the panel_depth * panel elements of a panel */

    /* dst[x * dst_stride + y] = a[x * line_stride + y * step] for x < lines, y < length: rows of a,
     * or, where k_unit is 1, steps of k. Lines are filled up to whole units; dst_stride has room
     * for that. */
    void (*pack_a)(const void *a, int64_t line_stride, int64_t step, int64_t lines, int64_t length,
                   void *dst, int64_t dst_stride);
    /* A panel of b[k * k_stride + j * j_stride] for k < depth, j < columns <= panel; 0 for the
     * other columns and for steps up to whole units. Fast where either stride is 1. dst is 64-byte
     * aligned. With k_unit 1 the layout is dst[k * panel + j]. */
    void (*pack_b)(const void *b, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                   void *dst);
    /* The same for columns in F16; NULL where the variant has none. */
    void (*pack_b_f16)(const uint16_t *b, int64_t k_stride, int64_t j_stride, int64_t depth,
                       int columns, float *dst);

    void (*run)(const tern__gemm_tile *tile);

    /* pack_b_f16 and run for one row of a (contiguous) against columns stored one behind the other
     * (k_stride 1), up to gemv_columns, in one go and without scratch; the same bits. NULL where
     * the variant has none. */
    int gemv_columns;
    void (*gemv_f16)(const float *a, const uint16_t *b, int64_t j_stride, int64_t depth, float *out,
                     int columns, bool is_first);
} tern__gemm_kernel;

extern const tern__gemm_kernel *const tern__gemm_family[];
extern const tern__gemm_kernel *const tern__gemm_f64_family[];
extern const tern__gemm_kernel *const tern__gemm_i8_family[];
/* The last variant, plain C, is the specification for tests: a device does without. */
extern const tern__gemm_kernel *const tern__gemm_bf16_family[];

#define TERN__GEMM_PANEL_MAX 32
#define TERN__GEMM_ROWS_MAX  16

/* Steps that a packed operand of `depth` steps has room for. */
static inline int64_t tern__gemm_padded(const tern__gemm_kernel *kernel, int64_t depth) {
    return (depth + kernel->k_unit - 1) / kernel->k_unit * kernel->k_unit;
}

#endif
