/* SPDX-License-Identifier: MIT
 *
 * Matrix products on the GPU: every element is one chain c = fma(a[k], b[k], c) over k in order,
 * from +0 (docs/numerics.md), so each of them belongs to one thread from beginning to end.
 */
#ifndef TERN__CUDA_PRODUCT_H
#define TERN__CUDA_PRODUCT_H

#include "device/cuda/cuda.h"

/* Lines are rows of a, columns of b. All strides in elements; they may be 0 or negative. */
typedef struct cuda_matrices {
    const void *data; /* the element 0, 0 of the first matrix */
    int dtype;
    int64_t stride;   /* from line to line */
    int64_t k_stride; /* of Q8_0: 1, and the other strides are whole blocks */
    int64_t batch_strides[TERN_MAX_RANK];
} cuda_matrices;

/* out[...][i][j] = sum over k of a[...][i][k] * b[...][k][j], for every index of the batch.
 *
 * a, b: F32, F16, BF16, Q8_0 in any mixture -> F32, F16, BF16 (rounded once); F64 -> F64;
 * I8 -> I32, modulo 2^32. */
typedef struct cuda_product {
    cuda_matrices a, b;
    int64_t m, n, k; /* m, n >= 1 */
    void *out;
    int out_dtype;
    int64_t out_i_stride, out_j_stride;
    int batch_rank;
    int64_t matrices; /* of the batch, >= 1 */
    int64_t batch_dims[TERN_MAX_RANK];
    int64_t out_batch_strides[TERN_MAX_RANK];
} cuda_product;

/* Where a matrix of the batch begins, in elements. */
typedef struct cuda_place {
    int64_t a, b, out;
} cuda_place;

static __device__ __forceinline__ cuda_place cuda_place_of(const cuda_product &p, int64_t index) {
    cuda_place at = {0, 0, 0};
    for (int axis = p.batch_rank - 1; axis >= 0; axis--) {
        int64_t along = index % p.batch_dims[axis];
        index /= p.batch_dims[axis];
        at.a += along * p.a.batch_strides[axis];
        at.b += along * p.b.batch_strides[axis];
        at.out += along * p.out_batch_strides[axis];
    }
    return at;
}

tern_status cuda_multiply(cuda_device *d, const cuda_product *p);

/* I8 on tensor cores, where they do that: lines of both operands that are contiguous and aligned
 * to 16 bytes. */
bool cuda_fits_i8(const cuda_device *d, const cuda_product *p);
tern_status cuda_multiply_i8(cuda_device *d, const cuda_product *p);

/* A few rows of a, contiguous F32, against many lines of b that lie one behind the other: *is_done
 * tells whether that is what p is. */
tern_status cuda_multiply_few(cuda_device *d, const cuda_product *p, bool *is_done);

/* LINEAR of x (T, K) and a table (N, K): products of `rows` rows of x from `first` on, to `out`
 * (rows, N). */
tern_status cuda_linear_rows(cuda_device *d, const tern__device_call *call, int64_t first,
                             int64_t rows, float *out);

/* Shapes and strides of MATMUL; vectors are matrices of one row or column. */
cuda_product cuda_product_of(const tern__device_call *call);

/* Axes of length 1 go; an axis along which b repeats and a and out go on becomes more rows. */
void cuda_merge_batch(cuda_product *p);

/* The rows of products.cu, cublas.cu, best.cu, rope.cu and attention.cu. */
tern_status cuda_matmul(void *device, const tern__device_call *call);
tern_status cuda_matmul_with(void *device, const tern__device_call *call);
tern_status cuda_linear(void *device, const tern__device_call *call);
tern_status cuda_linear_topk(void *device, const tern__device_call *call);
tern_status cuda_rope(void *device, const tern__device_call *call);
tern_status cuda_attend(void *device, const tern__device_call *call);

/* What results of MATMUL_WITH may differ by from those of the CPU, which rounds its operands in the
 * same way and sums in another order: 2 K 2^-23 sum |a b| of the bound in docs/numerics.md, where
 * sum |a b| is some sqrt(K) times the largest result: 2^-7 holds for K up to 2^11 whatever the
 * numbers, and for random numbers far beyond. */
#define CUDA_BF16_TOLERANCE 0x1p-7
void cuda_cublas_close(cuda_device *d);

#endif
