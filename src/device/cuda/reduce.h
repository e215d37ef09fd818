/* SPDX-License-Identifier: MIT
 *
 * Reductions of any axes: the axes of an operand split into those that are kept and those that are
 * reduced, and the passes over the rows (device/cpu/reduce.h says what they are).
 */
#ifndef TERN__REDUCE_CUDA_H
#define TERN__REDUCE_CUDA_H

#include "device/cuda/plain_cuda.h"
#include "device/cuda/walk_cuda.h"
#include "kernels/reduce.h"

typedef enum cuda_reduce_first {
    CUDA_FIRST_NOTHING,
    CUDA_FIRST_NONZERO, /* x != 0 */
    CUDA_FIRST_POWER,   /* |x|^exponent */
} cuda_reduce_first;

/* What is done with the result r; m is the number of its row. */
typedef enum cuda_reduce_then {
    CUDA_THEN_NOTHING,
    CUDA_THEN_DIVIDE,      /* r / number */
    CUDA_THEN_DIVIDE_ROOT, /* sqrt(r / number) */
    CUDA_THEN_POWER,       /* r^number */
    CUDA_THEN_FINITE,      /* r, or 0 when it is infinite */
    CUDA_THEN_LOG,         /* m + log(r) */
    CUDA_THEN_ANY,         /* r != 0 */
    CUDA_THEN_ALL,         /* r == number */
} cuda_reduce_then;

typedef struct cuda_reduce_pass {
    int reduction; /* TERN__REDUCE_... */
    cuda_reduce_then then;
    double number;
} cuda_reduce_pass;

/* One or two passes; the results of the first are the numbers of the second. */
typedef struct cuda_reduce_plan {
    tern_dtype hub; /* what is computed in */
    cuda_reduce_first first;
    double exponent;
    int count;
    cuda_reduce_pass passes[2];
} cuda_reduce_plan;

/* Rows of elements: kept has the result's strides and then the operand's. */
typedef struct cuda_rows {
    const void *x;
    int type;
    cuda_walk kept, reduced;
} cuda_rows;

/* The axes of x that are in the set are the row, in row-major order. `out` has the kept axes, with
 * or without the others at length 1 between them. */
cuda_rows cuda_split(const tern__operand *x, unsigned axes, const tern__operand *out);

tern_status cuda_reduce_run(cuda_device *device, const cuda_rows *rows,
                            const cuda_reduce_plan *plan, const tern__operand *out);

static inline int64_t cuda_reduce_blocks(int64_t n) {
    return n > TERN__REDUCE_BLOCK ? (n - 1) / TERN__REDUCE_BLOCK + 1 : 1;
}

#endif
