/* SPDX-License-Identifier: MIT
 * Softmax and norms: functions of rows along an axis. */
#include "device/norm_call.h"
#include "ops/call.h"

static tern_status shape_fails(tern__op op, const char *operand, const tern_tensor *t,
                               const char *rule) {
    char text[TERN__SHAPE_TEXT];
    return tern__fail(TERN_E_SHAPE, "%s: %s is %s, not %s", tern__op_name(op), operand,
                      tern__shape_text(t->rank, t->dims, text), rule);
}

/* -- softmax -----------------------------------------------------------------------------------*/

static tern_status softmax(tern__op op, tern_tensor *x, int axis, tern__target target) {
    tern__op_call call = {.op = op, .in = {x}, .axis = axis};
    tern_dtype dtype;
    tern_shape shape = tern_tensor_shape(x);
    tern_status status = tern__promote_operands(&call, &dtype);
    if (status == TERN_OK)
        status = tern__check_axis(op, x->rank, &call.axis);
    return status == TERN_OK ? tern__call(&call, dtype, &shape, target) : status;
}

tern_status tern_softmax(tern_tensor *x, int axis, tern_tensor **out) {
    return softmax(TERN__OP_SOFTMAX, x, axis, TERN__FRESH(out));
}

tern_status tern_softmax_into(tern_tensor *x, int axis, tern_tensor *out) {
    return softmax(TERN__OP_SOFTMAX, x, axis, TERN__INTO(out));
}

tern_status tern_log_softmax(tern_tensor *x, int axis, tern_tensor **out) {
    return softmax(TERN__OP_LOG_SOFTMAX, x, axis, TERN__FRESH(out));
}

tern_status tern_log_softmax_into(tern_tensor *x, int axis, tern_tensor *out) {
    return softmax(TERN__OP_LOG_SOFTMAX, x, axis, TERN__INTO(out));
}

static tern_status softmax_causal(tern_tensor *x, tern__target target) {
    tern__op op = TERN__OP_SOFTMAX_CAUSAL;
    if (x->rank < 2 || tern__dim_back(x, 2) > tern__dim_back(x, 1))
        return shape_fails(op, "x", x, "(..., T, S) with T <= S");
    return softmax(op, x, -1, target);
}

tern_status tern_softmax_causal(tern_tensor *x, tern_tensor **out) {
    return softmax_causal(x, TERN__FRESH(out));
}

tern_status tern_softmax_causal_into(tern_tensor *x, tern_tensor *out) {
    return softmax_causal(x, TERN__INTO(out));
}

static tern_status softmax_backward(tern__op op, tern_tensor *grad, tern_tensor *y, int axis,
                                    tern__target target) {
    tern__op_call call = {.op = op, .in = {grad, y}, .axis = axis};
    tern_dtype dtype;
    tern_shape shape = tern_tensor_shape(y);
    tern_status status = tern__promote_operands(&call, &dtype);
    if (status == TERN_OK)
        status = tern__check_axis(op, y->rank, &call.axis);
    if (status != TERN_OK)
        return status;
    if (!tern__same_shape(grad, y))
        return tern__shapes_differ(op, grad, y);
    return tern__call(&call, dtype, &shape, target);
}

tern_status tern_softmax_backward(tern_tensor *grad, tern_tensor *y, int axis, tern_tensor **out) {
    return softmax_backward(TERN__OP_SOFTMAX_BACKWARD, grad, y, axis, TERN__FRESH(out));
}

tern_status tern_softmax_backward_into(tern_tensor *grad, tern_tensor *y, int axis,
                                       tern_tensor *out) {
    return softmax_backward(TERN__OP_SOFTMAX_BACKWARD, grad, y, axis, TERN__INTO(out));
}

tern_status tern_log_softmax_backward(tern_tensor *grad, tern_tensor *y, int axis,
                                      tern_tensor **out) {
    return softmax_backward(TERN__OP_LOG_SOFTMAX_BACKWARD, grad, y, axis, TERN__FRESH(out));
}

tern_status tern_log_softmax_backward_into(tern_tensor *grad, tern_tensor *y, int axis,
                                           tern_tensor *out) {
    return softmax_backward(TERN__OP_LOG_SOFTMAX_BACKWARD, grad, y, axis, TERN__INTO(out));
}

/* -- norms -------------------------------------------------------------------------------------*/

/* A vector (D), when there is one, for x (..., D). */
static tern_status check_factors(tern__op op, const tern_tensor *x, const tern_tensor *factors) {
    if (x->rank < 1)
        return shape_fails(op, "x", x, "(..., D)");
    if (factors != NULL && (factors->rank != 1 || factors->dims[0] != tern__dim_back(x, 1)))
        return tern__shapes_differ(op, x, factors);
    return TERN_OK;
}

/* Promotes, checks the epsilon. */
static tern_status prepare(tern__op_call *call, tern_dtype *dtype) {
    if (!(call->number >= 0))
        return tern__fail(TERN_E_ARGUMENT, "%s: epsilon %g", tern__op_name(call->op), call->number);
    return tern__promote_operands(call, dtype);
}

static tern_status norm(tern__op_call call, tern_tensor *weight, tern_tensor *bias,
                        tern__target target) {
    tern_tensor *x = call.in[0];
    tern_shape shape = tern_tensor_shape(x);
    tern_dtype dtype;
    int count = 1;
    call.axis = x->rank - 1;
    call.choice = (weight != NULL ? TERN__HAS_WEIGHT : 0) | (bias != NULL ? TERN__HAS_BIAS : 0);
    if (weight != NULL)
        call.in[count++] = weight;
    if (bias != NULL)
        call.in[count] = bias;
    tern_status status = prepare(&call, &dtype);
    if (status == TERN_OK)
        status = check_factors(call.op, x, weight);
    if (status == TERN_OK)
        status = check_factors(call.op, x, bias);
    return status == TERN_OK ? tern__call(&call, dtype, &shape, target) : status;
}

static tern_status rms_norm(tern_tensor *x, tern_tensor *weight, double epsilon,
                            tern__target target) {
    return norm((tern__op_call){.op = TERN__OP_RMS_NORM, .in = {x}, .number = epsilon}, weight,
                NULL, target);
}

tern_status tern_rms_norm(tern_tensor *x, tern_tensor *weight, double epsilon, tern_tensor **out) {
    return rms_norm(x, weight, epsilon, TERN__FRESH(out));
}

tern_status tern_rms_norm_into(tern_tensor *x, tern_tensor *weight, double epsilon,
                               tern_tensor *out) {
    return rms_norm(x, weight, epsilon, TERN__INTO(out));
}

static tern_status layer_norm(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                              double epsilon, tern__target target) {
    return norm((tern__op_call){.op = TERN__OP_LAYER_NORM, .in = {x}, .number = epsilon}, weight,
                bias, target);
}

tern_status tern_layer_norm(tern_tensor *x, tern_tensor *weight, tern_tensor *bias, double epsilon,
                            tern_tensor **out) {
    return layer_norm(x, weight, bias, epsilon, TERN__FRESH(out));
}

tern_status tern_layer_norm_into(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                                 double epsilon, tern_tensor *out) {
    return layer_norm(x, weight, bias, epsilon, TERN__INTO(out));
}

/* -- norms, backward ---------------------------------------------------------------------------*/

/* Makes the results that the caller wants. */
static tern_status make_results(tern__op_call *call, tern_dtype dtype, tern__norm_gradients *made,
                                const bool wants[3]) {
    const tern_tensor *x = call->in[1];
    tern_shape shape = tern_tensor_shape(x), row = {1, {tern__dim_back(x, 1)}};
    tern_tensor **results[] = {&made->x, &made->weight, &made->bias};
    tern_status status = TERN_OK;
    for (int i = 0; i < 3 && status == TERN_OK; i++)
        if (wants[i])
            status = tern__tensor_empty(call->context, dtype, i == 0 ? &shape : &row,
                                        tern__op_name(call->op), results[i]);
    return status;
}

static int64_t bytes_of(const tern_tensor *t) {
    return t != NULL ? tern__count_bytes(t) : 0;
}

static tern_status norm_backward(tern__op_call call, tern_tensor **grad_x,
                                 tern_tensor **grad_weight, tern_tensor **grad_bias) {
    tern_tensor **results[] = {grad_x, grad_weight, grad_bias};
    tern_tensor *grad = call.in[0], *x = call.in[1], *weight = call.in[2];
    const bool wants[] = {grad_x != NULL, grad_weight != NULL, grad_bias != NULL};
    tern__norm_gradients made = {0};
    tern_dtype dtype;
    for (int i = 0; i < 3; i++)
        if (wants[i])
            *results[i] = NULL;
    tern_status status;
    TERN__TRY(prepare(&call, &dtype));
    TERN__TRY(check_factors(call.op, x, weight));
    if (!tern__same_shape(grad, x))
        return tern__shapes_differ(call.op, grad, x);
    call.context = x->context;
    call.detail = &made;
    TERN__TRY(make_results(&call, dtype, &made, wants));
    if (tern__dim_back(x, 1) > 0)
        TERN__TRY(tern__call_row(&call));
    tern__count(call.context, call.op, TERN_CLASS_COMPUTE,
                bytes_of(grad) + bytes_of(x) + bytes_of(weight) + bytes_of(made.x) +
                    bytes_of(made.weight) + bytes_of(made.bias));
done:
    for (int i = 0; i < 3; i++) {
        tern_tensor *result = i == 0 ? made.x : i == 1 ? made.weight : made.bias;
        if (status != TERN_OK)
            tern_tensor_release(result);
        else if (wants[i])
            *results[i] = result;
    }
    return status;
}

tern_status tern_rms_norm_backward(tern_tensor *grad, tern_tensor *x, tern_tensor *weight,
                                   double epsilon, tern_tensor **grad_x,
                                   tern_tensor **grad_weight) {
    return norm_backward((tern__op_call){.op = TERN__OP_RMS_NORM_BACKWARD,
                                         .in = {grad, x, weight},
                                         .number = epsilon},
                         grad_x, grad_weight, NULL);
}

tern_status tern_layer_norm_backward(tern_tensor *grad, tern_tensor *x, tern_tensor *weight,
                                     double epsilon, tern_tensor **grad_x,
                                     tern_tensor **grad_weight, tern_tensor **grad_bias) {
    return norm_backward((tern__op_call){.op = TERN__OP_LAYER_NORM_BACKWARD,
                                         .in = {grad, x, weight},
                                         .number = epsilon},
                         grad_x, grad_weight, grad_bias);
}
