/* SPDX-License-Identifier: MIT
 * Matrix products. */
#include "ops/call.h"

static tern__op linear_op(const tern_tensor *weight) {
    return weight->dtype == TERN_TERNARY     ? TERN__OP_TERNARY_LINEAR
           : weight->dtype == TERN_QUANTIZED ? TERN__OP_QUANTIZED_LINEAR
                                             : TERN__OP_LINEAR;
}

/* x (..., K): the device sees its rows as a matrix. */
static tern_status linear(tern_tensor *x, tern_tensor *weight, tern__target target) {
    tern__op_call call = {.op = linear_op(weight), .in = {x, weight}};
    tern_shape shape = tern_tensor_shape(x);
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__SINGLE);
    if (status == TERN_OK && call.op == TERN__OP_LINEAR)
        status = tern__check_dtype(call.op, "the weight", weight, TERN__ROWS);
    if (status != TERN_OK)
        return status;
    if (x->rank < 1 || weight->rank != 2 || tern__dim_back(x, 1) != weight->dims[1])
        return tern__shapes_differ(call.op, x, weight);
    shape.dims[shape.rank - 1] = weight->dims[0];
    tern_tensor *rows = NULL;
    TERN__TRY(call.op == TERN__OP_LINEAR ? tern__as_contiguous(x, &call, &rows)
                                         : tern__as_rows(x, &call, &rows));
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

/* The leading axes of an operand, those of matrices in a batch. */
static tern_shape batch_of(const tern_tensor *t) {
    tern_shape shape = tern_tensor_shape(t);
    shape.rank = shape.rank > 2 ? shape.rank - 2 : 0;
    return shape;
}

/* Broadcasts the leading axes; then M and N unless the operand is a vector. */
static tern_status product_shape(const tern__op_call *call, tern_shape *shape) {
    const tern_tensor *a = call->in[0], *b = call->in[1];
    if (a->rank < 1 || b->rank < 1 ||
        tern__dim_back(a, 1) != (b->rank > 1 ? tern__dim_back(b, 2) : b->dims[0]))
        return tern__shapes_differ(call->op, a, b);
    tern_shape x = batch_of(a), y = batch_of(b);
    *shape = (tern_shape){.rank = x.rank > y.rank ? x.rank : y.rank};
    for (int back = 1; back <= shape->rank; back++) {
        int64_t from_a = back <= x.rank ? x.dims[x.rank - back] : 1;
        int64_t from_b = back <= y.rank ? y.dims[y.rank - back] : 1;
        if (from_a != from_b && from_a != 1 && from_b != 1)
            return tern__shapes_differ(call->op, a, b);
        shape->dims[shape->rank - back] = from_a == 1 ? from_b : from_a;
    }
    if (a->rank > 1)
        shape->dims[shape->rank++] = tern__dim_back(a, 2);
    if (b->rank > 1)
        shape->dims[shape->rank++] = tern__dim_back(b, 1);
    return TERN_OK;
}

/* The driver reads floats beside F32 or halves, F64 beside F64, I8 beside I8; another operand is
 * cast first, which makes the call a copy. */
static tern_status readable(tern_tensor *x, tern__op_call *call, tern_tensor **out) {
    tern_dtype type = call->type;
    bool is_readable =
        x->dtype == type || (type != TERN_F64 && tern__dtype((tern_dtype)x->dtype)->is_float);
    *out = x;
    return is_readable ? TERN_OK : tern__stage(x, type, call, out);
}

static tern_status matmul(tern__op op, tern_tensor *a, tern_tensor *b, tern_precision precision,
                          tern__target target) {
    tern__op_call call = {.op = op, .in = {a, b}, .choice = (int)precision};
    tern_tensor *left = a, *right = b;
    tern_dtype dtype;
    tern_shape shape;
    tern_status status;
    TERN__TRY(tern__promote_operands(&call, &dtype));
    if (call.type == TERN_I8 && a->dtype != b->dtype) /* BOOL with I8 */
        TERN__TRY(
            tern__check_dtype(op, "an operand", a->dtype == TERN_I8 ? b : a, TERN__BIT(TERN_I8)));
    TERN__TRY(product_shape(&call, &shape));
    TERN__TRY(readable(a, &call, &left));
    TERN__TRY(readable(b, &call, &right));
    call.in[0] = left;
    call.in[1] = right;
    TERN__TRY(tern__call(&call, dtype, &shape, target));
done:
    tern__drop(a, left);
    tern__drop(b, right);
    return status;
}

tern_status tern_matmul(tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    return matmul(TERN__OP_MATMUL, a, b, TERN_PRECISION_DEFAULT, TERN__FRESH(out));
}

tern_status tern_matmul_into(tern_tensor *a, tern_tensor *b, tern_tensor *out) {
    return matmul(TERN__OP_MATMUL, a, b, TERN_PRECISION_DEFAULT, TERN__INTO(out));
}

static tern_status matmul_with(tern_tensor *a, tern_tensor *b, tern_precision precision,
                               tern__target target) {
    if (precision == TERN_PRECISION_DEFAULT)
        return matmul(TERN__OP_MATMUL, a, b, precision, target);
    if (precision != TERN_PRECISION_BF16)
        return tern__fail(TERN_E_ARGUMENT, "matmul_with: no precision %d", (int)precision);
    return matmul(TERN__OP_MATMUL_WITH, a, b, precision, target);
}

tern_status tern_matmul_with(tern_tensor *a, tern_tensor *b, tern_precision precision,
                             tern_tensor **out) {
    return matmul_with(a, b, precision, TERN__FRESH(out));
}

tern_status tern_matmul_with_into(tern_tensor *a, tern_tensor *b, tern_precision precision,
                                  tern_tensor *out) {
    return matmul_with(a, b, precision, TERN__INTO(out));
}

/* a (M) as (M, 1), broadcast with b (N). */
static tern_status outer(tern_tensor *a, tern_tensor *b, tern__target target) {
    if (a->rank != 1 || b->rank != 1)
        return tern__shapes_differ(TERN__OP_OUTER, a, b);
    int64_t dims[2] = {a->dims[0], 1}, strides[2] = {tern__strides(a)[0], 1};
    tern_shape shape = {2, {a->dims[0], b->dims[0]}};
    tern__op_call call = {.op = TERN__OP_OUTER, .in = {a, b}};
    tern_dtype dtype;
    tern_tensor *column = NULL;
    tern_status status;
    TERN__TRY(tern__promote_operands(&call, &dtype));
    TERN__TRY(
        tern__tensor_view(a, &(tern__view_layout){2, dims, strides, a->data}, "outer", &column));
    call.in[0] = column;
    TERN__TRY(tern__call(&call, dtype, &shape, target));
done:
    tern_tensor_release(column);
    return status;
}

tern_status tern_outer(tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    return outer(a, b, TERN__FRESH(out));
}

tern_status tern_outer_into(tern_tensor *a, tern_tensor *b, tern_tensor *out) {
    return outer(a, b, TERN__INTO(out));
}
