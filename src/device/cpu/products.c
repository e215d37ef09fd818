/* SPDX-License-Identifier: MIT
 * The rows of matrix products: from tensors to the driver of matmul.h. */
#include "base/checked.h"
#include "device/cpu/elementwise.h"
#include "device/cpu/matmul.h"
#include "tensor/dtype.h"

/* Strides of the leading axes of an operand, broadcast to those of the result. */
static void batch_strides(const tern_tensor *t, const tern__product *p, int64_t *strides) {
    int lead = t->rank > 2 ? t->rank - 2 : 0;
    for (int back = 1; back <= p->batch_rank; back++) {
        int axis = lead - back;
        strides[p->batch_rank - back] =
            axis >= 0 && t->dims[axis] != 1 ? tern__strides(t)[axis] : 0;
    }
}

/* Shapes and strides; vectors are matrices of one row or column. The result goes to `out`. */
static tern__product product_of(const tern__op_call *call) {
    const tern_tensor *a = call->in[0], *b = call->in[1], *out = call->out;
    bool a_is_vector = a->rank == 1, b_is_vector = b->rank == 1;
    const int64_t *dims = tern__dims(out), *strides = tern__strides(out);
    tern__product p = {
        .a = {.data = a->data, .dtype = (tern_dtype)a->dtype},
        .b = {.data = b->data, .dtype = (tern_dtype)b->dtype},
        .m = a_is_vector ? 1 : tern__dim_back(a, 2),
        .n = b_is_vector ? 1 : tern__dim_back(b, 1),
        .k = tern__dim_back(a, 1),
        .out = out->data,
        .batch_rank = out->rank - !a_is_vector - !b_is_vector,
        .is_bf16 = call->choice == TERN_PRECISION_BF16,
    };
    p.a.stride = a_is_vector ? 0 : tern__stride_back(a, 2);
    p.a.k_stride = tern__stride_back(a, 1);
    p.b.stride = b_is_vector ? 0 : tern__stride_back(b, 1);
    p.b.k_stride = tern__stride_back(b, b_is_vector ? 1 : 2);
    for (int i = 0; i < p.batch_rank; i++) {
        p.batch_dims[i] = dims[i];
        p.out_batch_strides[i] = strides[i];
    }
    p.out_i_stride = a_is_vector ? 0 : strides[p.batch_rank];
    p.out_j_stride = b_is_vector ? 0 : strides[out->rank - 1];
    batch_strides(a, &p, p.a.batch_strides);
    batch_strides(b, &p, p.b.batch_strides);
    return p;
}

static tern_status multiply(tern__device *device, const tern__op_call *call,
                            const tern__product *p) {
    int64_t packed = 0;
    tern_status status = tern__cpu_multiply(tern__cpu_of(device), p, &packed);
    tern__count_packed(call->context, packed);
    return status;
}

/* Half results: chains are carried in F32 and rounded once. */
static tern_status multiply_halves(tern__device *device, const tern__op_call *call) {
    tern__op_call single = *call;
    tern_shape shape = tern_tensor_shape(call->out);
    tern_status status =
        tern__tensor_empty(call->context, TERN_F32, &shape, tern__op_name(call->op), &single.out);
    if (status != TERN_OK)
        return status;
    tern__product p = product_of(&single);
    status = multiply(device, call, &p);
    if (status == TERN_OK)
        status = tern__cpu_copy(device, &(tern__op_call){.op = TERN__OP_CAST,
                                                         .context = call->context,
                                                         .in = {single.out},
                                                         .out = call->out});
    tern_tensor_release(single.out);
    return status;
}

tern_status tern__cpu_matmul(tern__device *device, const tern__op_call *call) {
    if (call->out->dtype == TERN_F16 || call->out->dtype == TERN_BF16)
        return multiply_halves(device, call);
    tern__product p = product_of(call);
    return multiply(device, call, &p);
}

/* Rows of x and of the result are contiguous. */
tern_status tern__cpu_linear(tern__device *device, const tern__op_call *call) {
    const tern_tensor *x = call->in[0], *weight = call->in[1], *out = call->out;
    const int64_t *strides = tern__strides(weight), n = weight->dims[0], k = weight->dims[1];
    tern__product p = {
        .a = {x->data, (tern_dtype)x->dtype, k, 1, {0}},
        .b = {weight->data, (tern_dtype)weight->dtype, strides[0], strides[1], {0}},
        .m = tern_tensor_count(out) / n,
        .n = n,
        .k = k,
        .out = out->data,
        .out_i_stride = n,
        .out_j_stride = 1,
    };
    return multiply(device, call, &p);
}
