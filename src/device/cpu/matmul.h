/* SPDX-License-Identifier: MIT
 *
 * Matrix products on the CPU: one driver for all types and layouts. Who calls it has checked shapes
 * and types and made the result; operands are read where they lie, by any strides.
 */
#ifndef TERN__CPU_MATMUL_H
#define TERN__CPU_MATMUL_H

#include "device/cpu/cpu.h"

/* All strides in elements; they may be 0 (repeated) or negative. */
typedef struct tern__operand {
    const void *data; /* the element 0, 0 of the first matrix */
    tern_dtype dtype;
    int64_t stride;   /* from row to row of a, from column to column of b */
    int64_t k_stride; /* of a block type: 1, and the other strides are whole blocks */
    int64_t batch_strides[TERN_MAX_RANK];
} tern__operand;

/* out[...][i][j] = sum over k of a[...][i][k] * b[...][k][j], for every index of the batch.
 *
 * a, b: F32, F16, BF16, Q8_0 in any mixture -> F32; F64 -> F64; I8 -> I32 (exact for K < 2^17,
 * modulo 2^32 beyond). Per element one chain over k in order (docs/numerics.md). Out must not
 * overlap a or b, nor itself. */
typedef struct tern__product {
    tern__operand a, b;
    int64_t m, n, k; /* any may be 0 */
    void *out;
    int64_t out_i_stride, out_j_stride;
    int batch_rank;
    int64_t batch_dims[TERN_MAX_RANK];
    int64_t out_batch_strides[TERN_MAX_RANK];
    bool accumulates; /* chains begin at what out holds; else at +0 */
    bool is_bf16;     /* operands are rounded to BF16: fast, outside the contract of equal bits */
} tern__product;

/* *packed_bytes (NULL is fine): what was packed into the scratch of the threads.
 * TERN_E_UNSUPPORTED for is_bf16 where there is no unit, TERN_E_DTYPE for other types. */
tern_status tern__cpu_multiply(tern__cpu_device *cpu, const tern__product *product,
                               int64_t *packed_bytes);

#endif
