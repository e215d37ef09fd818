/* SPDX-License-Identifier: MIT
 * Matrix products. */
#include "ops/call.h"

/* x (..., K): the device sees its rows as a matrix. */
static tern_status linear(tern_tensor *x, tern_tensor *weight, tern__target target) {
    bool is_packed = weight->dtype == TERN_TERNARY;
    tern__op_call call = {.op = is_packed ? TERN__OP_TERNARY_LINEAR : TERN__OP_LINEAR,
                          .in = {x, weight}};
    tern_shape shape = tern_tensor_shape(x);
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__SINGLE);
    if (status == TERN_OK && !is_packed)
        status = tern__check_dtype(call.op, "the weight", weight, TERN__ROWS);
    if (status != TERN_OK)
        return status;
    if (x->rank < 1 || weight->rank != 2 || tern__dim_back(x, 1) != weight->dims[1])
        return tern__shapes_differ(call.op, x, weight);
    shape.dims[shape.rank - 1] = weight->dims[0];
    tern_tensor *rows = NULL;
    TERN__TRY(tern__as_contiguous(x, &call, &rows));
    call.in[0] = rows;
    TERN__TRY(tern__call(&call, TERN_F32, &shape, target));
done:
    tern__drop(x, rows);
    return status;
}

tern_status tern_linear(tern_tensor *x, tern_tensor *weight, tern_tensor **out) {
    return linear(x, weight, TERN__FRESH(out));
}

tern_status tern_linear_into(tern_tensor *x, tern_tensor *weight, tern_tensor *out) {
    return linear(x, weight, TERN__INTO(out));
}

/* -- matmul ------------------------------------------------------------------------------------*/

static tern_status matmul(tern_tensor *a, tern_tensor *b, tern__target target) {
    tern__op_call call = {.op = TERN__OP_MATMUL, .in = {a, b}};
    tern_status status = tern__check_dtype(call.op, "a", a, TERN__SINGLE);
    if (status == TERN_OK)
        status = tern__check_dtype(call.op, "b", b, TERN__SINGLE | TERN__HALVES);
    if (status != TERN_OK)
        return status;
    if (a->rank != 2 || b->rank != 2 || a->dims[1] != b->dims[0])
        return tern__shapes_differ(call.op, a, b);
    tern_shape shape = {2, {a->dims[0], b->dims[1]}};
    return tern__call(&call, TERN_F32, &shape, target);
}

tern_status tern_matmul(tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    return matmul(a, b, TERN__FRESH(out));
}

tern_status tern_matmul_into(tern_tensor *a, tern_tensor *b, tern_tensor *out) {
    return matmul(a, b, TERN__INTO(out));
}
