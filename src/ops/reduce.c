/* SPDX-License-Identifier: MIT
 * Reductions, running results and order statistics: axes and shapes are checked here. */
#include <math.h>

#include "ops/call.h"

/* -- axes ---------------------------------------------------------------------------------------*/

/* One axis, or TERN_FLAT for all. */
static tern_axes one_axis(int axis) {
    return axis == TERN_FLAT ? TERN_ALL_AXES : (tern_axes){1, {axis}};
}

static tern_shape reduced_shape(const tern_tensor *x, unsigned axes, bool keepdims) {
    tern_shape shape = {0};
    for (int i = 0; i < x->rank; i++)
        if (!(axes >> i & 1))
            shape.dims[shape.rank++] = x->dims[i];
        else if (keepdims)
            shape.dims[shape.rank++] = 1;
    return shape;
}

/* TERN_E_SHAPE where the result of no elements is not defined. */
static tern_status check_elements(const tern__op_call *call) {
    const tern_tensor *x = call->in[0];
    char text[TERN__SHAPE_TEXT];
    for (int i = 0; i < x->rank; i++)
        if ((call->axes >> i & 1) && x->dims[i] == 0)
            return tern__fail(TERN_E_SHAPE, "%s: of no elements, x is %s", tern__op_name(call->op),
                              tern__shape_text(x->rank, x->dims, text));
    return TERN_OK;
}

static tern_status reduce(tern__op_call call, tern_axes axes, bool keepdims, tern__target target) {
    tern_dtype dtype;
    tern_status status = tern__promote_operands(&call, &dtype);
    if (status == TERN_OK)
        status = tern__check_axes(call.op, call.in[0]->rank, &axes, &call.axes);
    bool needs_elements = call.op == TERN__OP_MIN || call.op == TERN__OP_MAX ||
                          call.op == TERN__OP_ARGMIN || call.op == TERN__OP_ARGMAX ||
                          call.op == TERN__OP_MEDIAN || call.op == TERN__OP_QUANTILE ||
                          (call.op == TERN__OP_NORM && isinf(call.number));
    if (status == TERN_OK && needs_elements)
        status = check_elements(&call);
    if (status != TERN_OK)
        return status;
    tern_shape shape = reduced_shape(call.in[0], call.axes, keepdims);
    if (call.op == TERN__OP_MEDIAN || call.op == TERN__OP_QUANTILE)
        call.staged_bytes = tern__count_bytes(call.in[0]); /* a copy is put in order */
    return tern__call(&call, dtype, &shape, target);
}

/* -- over axes ----------------------------------------------------------------------------------*/

#define FORMS(SYMBOL, name)                                                                        \
    tern_status tern_##name(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out) {    \
        return reduce((tern__op_call){.op = TERN__OP_##SYMBOL, .in = {x}}, axes, keepdims,         \
                      TERN__FRESH(out));                                                           \
    }                                                                                              \
    tern_status tern_##name##_into(tern_tensor *x, tern_axes axes, bool keepdims,                  \
                                   tern_tensor *out) {                                             \
        return reduce((tern__op_call){.op = TERN__OP_##SYMBOL, .in = {x}}, axes, keepdims,         \
                      TERN__INTO(out));                                                            \
    }

FORMS(SUM, sum)
FORMS(PROD, prod)
FORMS(MEAN, mean)
FORMS(MIN, min)
FORMS(MAX, max)
FORMS(ANY, any)
FORMS(ALL, all)
FORMS(COUNT_NONZERO, count_nonzero)
FORMS(LOGSUMEXP, logsumexp)
FORMS(MEDIAN, median)

#define FORMS_DDOF(SYMBOL, name)                                                                   \
    tern_status tern_##name(tern_tensor *x, tern_axes axes, int ddof, bool keepdims,               \
                            tern_tensor **out) {                                                   \
        return reduce((tern__op_call){.op = TERN__OP_##SYMBOL, .in = {x}, .choice = ddof}, axes,   \
                      keepdims, TERN__FRESH(out));                                                 \
    }                                                                                              \
    tern_status tern_##name##_into(tern_tensor *x, tern_axes axes, int ddof, bool keepdims,        \
                                   tern_tensor *out) {                                             \
        return reduce((tern__op_call){.op = TERN__OP_##SYMBOL, .in = {x}, .choice = ddof}, axes,   \
                      keepdims, TERN__INTO(out));                                                  \
    }

FORMS_DDOF(VAR, var)
FORMS_DDOF(STD, std)

static tern_status norm(tern_tensor *x, double p, tern_axes axes, bool keepdims,
                        tern__target target) {
    if (isnan(p))
        return tern__fail(TERN_E_ARGUMENT, "norm: p is NaN");
    return reduce((tern__op_call){.op = TERN__OP_NORM, .in = {x}, .number = p}, axes, keepdims,
                  target);
}

tern_status tern_norm(tern_tensor *x, double p, tern_axes axes, bool keepdims, tern_tensor **out) {
    return norm(x, p, axes, keepdims, TERN__FRESH(out));
}

tern_status tern_norm_into(tern_tensor *x, double p, tern_axes axes, bool keepdims,
                           tern_tensor *out) {
    return norm(x, p, axes, keepdims, TERN__INTO(out));
}

static tern_status quantile(tern_tensor *x, double q, tern_axes axes, bool keepdims,
                            tern__target target) {
    if (!(q >= 0 && q <= 1))
        return tern__fail(TERN_E_ARGUMENT, "quantile: q is %g, not in 0..1", q);
    return reduce((tern__op_call){.op = TERN__OP_QUANTILE, .in = {x}, .number = q}, axes, keepdims,
                  target);
}

tern_status tern_quantile(tern_tensor *x, double q, tern_axes axes, bool keepdims,
                          tern_tensor **out) {
    return quantile(x, q, axes, keepdims, TERN__FRESH(out));
}

tern_status tern_quantile_into(tern_tensor *x, double q, tern_axes axes, bool keepdims,
                               tern_tensor *out) {
    return quantile(x, q, axes, keepdims, TERN__INTO(out));
}

/* -- over one axis or all -----------------------------------------------------------------------*/

static tern_status find_extreme(tern__op op, tern_tensor *x, int axis, bool keepdims,
                                tern__target target) {
    return reduce((tern__op_call){.op = op, .in = {x}}, one_axis(axis), keepdims, target);
}

tern_status tern_argmin(tern_tensor *x, int axis, bool keepdims, tern_tensor **out) {
    return find_extreme(TERN__OP_ARGMIN, x, axis, keepdims, TERN__FRESH(out));
}

tern_status tern_argmin_into(tern_tensor *x, int axis, bool keepdims, tern_tensor *out) {
    return find_extreme(TERN__OP_ARGMIN, x, axis, keepdims, TERN__INTO(out));
}

tern_status tern_argmax(tern_tensor *x, int axis, bool keepdims, tern_tensor **out) {
    return find_extreme(TERN__OP_ARGMAX, x, axis, keepdims, TERN__FRESH(out));
}

tern_status tern_argmax_into(tern_tensor *x, int axis, bool keepdims, tern_tensor *out) {
    return find_extreme(TERN__OP_ARGMAX, x, axis, keepdims, TERN__INTO(out));
}

/* Along one axis a tensor like x, along all of them a vector. */
static tern_status scan(tern__op op, tern_tensor *x, int axis, tern__target target) {
    tern__op_call call = {.op = op, .in = {x}};
    tern_axes axes = one_axis(axis);
    tern_dtype dtype;
    tern_status status = tern__promote_operands(&call, &dtype);
    if (status == TERN_OK)
        status = tern__check_axes(op, x->rank, &axes, &call.axes);
    if (status != TERN_OK)
        return status;
    tern_shape shape = tern_tensor_shape(x);
    if (axis == TERN_FLAT)
        shape = (tern_shape){1, {tern_tensor_count(x)}};
    else
        call.axis = axis < 0 ? axis + x->rank : axis;
    return tern__call(&call, dtype, &shape, target);
}

tern_status tern_cumsum(tern_tensor *x, int axis, tern_tensor **out) {
    return scan(TERN__OP_CUMSUM, x, axis, TERN__FRESH(out));
}

tern_status tern_cumsum_into(tern_tensor *x, int axis, tern_tensor *out) {
    return scan(TERN__OP_CUMSUM, x, axis, TERN__INTO(out));
}

tern_status tern_cumprod(tern_tensor *x, int axis, tern_tensor **out) {
    return scan(TERN__OP_CUMPROD, x, axis, TERN__FRESH(out));
}

tern_status tern_cumprod_into(tern_tensor *x, int axis, tern_tensor *out) {
    return scan(TERN__OP_CUMPROD, x, axis, TERN__INTO(out));
}

/* -- of two vectors -----------------------------------------------------------------------------*/

static tern_status dot(tern_tensor *a, tern_tensor *b, tern__target target) {
    tern__op_call call = {.op = TERN__OP_DOT, .in = {a, b}};
    tern_dtype dtype;
    tern_status status = tern__promote_operands(&call, &dtype);
    if (status != TERN_OK)
        return status;
    if (a->rank != 1 || b->rank != 1 || a->dims[0] != b->dims[0])
        return tern__shapes_differ(TERN__OP_DOT, a, b);
    return tern__call(&call, dtype, &(tern_shape){0}, target);
}

tern_status tern_dot(tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    return dot(a, b, TERN__FRESH(out));
}

tern_status tern_dot_into(tern_tensor *a, tern_tensor *b, tern_tensor *out) {
    return dot(a, b, TERN__INTO(out));
}
