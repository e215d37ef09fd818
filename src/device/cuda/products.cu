/* SPDX-License-Identifier: MIT
 * The rows of matrix products: from operands to the driver of product.h. */
#include "device/cuda/product.h"

/* The axis `back` from the last one. */
static int64_t dim_back(const tern__operand *t, int back) {
    return t->dims[t->rank - back];
}

static int64_t stride_back(const tern__operand *t, int back) {
    return t->strides[t->rank - back];
}

/* Strides of the leading axes of an operand, broadcast to those of the result. */
static void batch_strides(const tern__operand *t, int batch_rank, int64_t *strides) {
    int lead = t->rank > 2 ? t->rank - 2 : 0;
    for (int back = 1; back <= batch_rank; back++) {
        int axis = lead - back;
        strides[batch_rank - back] = axis >= 0 && t->dims[axis] != 1 ? t->strides[axis] : 0;
    }
}

cuda_product cuda_product_of(const tern__device_call *call) {
    const tern__operand *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
    bool a_is_vector = a->rank == 1, b_is_vector = b->rank == 1;
    cuda_product p = {};
    p.a.data = a->data;
    p.a.dtype = a->dtype;
    p.a.stride = a_is_vector ? 0 : stride_back(a, 2);
    p.a.k_stride = stride_back(a, 1);
    p.b.data = b->data;
    p.b.dtype = b->dtype;
    p.b.stride = b_is_vector ? 0 : stride_back(b, 1);
    p.b.k_stride = stride_back(b, b_is_vector ? 1 : 2);
    p.m = a_is_vector ? 1 : dim_back(a, 2);
    p.n = b_is_vector ? 1 : dim_back(b, 1);
    p.k = dim_back(a, 1);
    p.out = out->data;
    p.out_dtype = out->dtype;
    p.batch_rank = out->rank - !a_is_vector - !b_is_vector;
    p.matrices = 1;
    for (int i = 0; i < p.batch_rank; i++) {
        p.batch_dims[i] = out->dims[i];
        p.out_batch_strides[i] = out->strides[i];
        p.matrices *= out->dims[i];
    }
    p.out_i_stride = a_is_vector ? 0 : out->strides[p.batch_rank];
    p.out_j_stride = b_is_vector ? 0 : out->strides[out->rank - 1];
    batch_strides(a, p.batch_rank, p.a.batch_strides);
    batch_strides(b, p.batch_rank, p.b.batch_strides);
    return p;
}

void cuda_merge_batch(cuda_product *p) {
    int kept = 0;
    for (int axis = 0; axis < p->batch_rank; axis++) {
        if (p->batch_dims[axis] == 1)
            continue;
        p->batch_dims[kept] = p->batch_dims[axis];
        p->a.batch_strides[kept] = p->a.batch_strides[axis];
        p->b.batch_strides[kept] = p->b.batch_strides[axis];
        p->out_batch_strides[kept++] = p->out_batch_strides[axis];
    }
    for (; kept > 0; kept--) {
        int last = kept - 1;
        int64_t a = p->a.batch_strides[last], out = p->out_batch_strides[last];
        if (p->m == 1) {
            p->a.stride = a;
            p->out_i_stride = out;
        }
        if (p->b.batch_strides[last] != 0 || a != p->m * p->a.stride ||
            out != p->m * p->out_i_stride)
            break;
        p->m *= p->batch_dims[last];
        p->matrices /= p->batch_dims[last];
    }
    p->batch_rank = kept;
}

tern_status cuda_matmul(void *device, const tern__device_call *call) {
    cuda_product p = cuda_product_of(call);
    if (p.m == 0 || p.n == 0 || p.matrices == 0)
        return TERN_OK;
    cuda_merge_batch(&p);
    return cuda_multiply(cuda_of(device), &p);
}

tern_status cuda_linear_rows(cuda_device *d, const tern__device_call *call, int64_t first,
                             int64_t rows, float *out) {
    const tern__operand *x = &call->in[0], *table = &call->in[1];
    cuda_product p = {};
    p.k = table->dims[1];
    p.m = rows;
    p.n = table->dims[0];
    p.matrices = 1;
    p.a.data = (const float *)x->data + first * p.k;
    p.a.dtype = TERN_F32;
    p.a.stride = p.k;
    p.a.k_stride = 1;
    p.b.data = table->data;
    p.b.dtype = table->dtype;
    p.b.stride = table->strides[0];
    p.b.k_stride = table->strides[1];
    p.out = out;
    p.out_dtype = TERN_F32;
    p.out_i_stride = p.n;
    p.out_j_stride = 1;
    return cuda_multiply(d, &p);
}

/* Rows of x and of the result are contiguous. */
tern_status cuda_linear(void *device, const tern__device_call *call) {
    int64_t rows = 1;
    for (int i = 0; i + 1 < call->in[0].rank; i++)
        rows *= call->in[0].dims[i];
    if (rows == 0 || call->in[1].dims[0] == 0)
        return TERN_OK;
    return cuda_linear_rows(cuda_of(device), call, 0, rows, (float *)call->out[0].data);
}
