/* SPDX-License-Identifier: MIT
 *
 * A norm and what follows it. Where the weights are packed and the device has the row it is one
 * pass; else the operations that it is made of, which are its definition. */
#include "ops/call.h"

/* -- checks ------------------------------------------------------------------------------------*/

static tern_status check_norm(const tern__op_call *call, const tern_tensor *norm) {
    const tern_tensor *x = call->in[0];
    tern_status status = tern__check_dtype(call->op, "x", x, TERN__SINGLE);
    if (status == TERN_OK && norm != NULL)
        status = tern__check_dtype(call->op, "the norm", norm, TERN__SINGLE);
    if (status != TERN_OK)
        return status;
    if (!(call->number >= 0))
        return tern__fail(TERN_E_ARGUMENT, "%s: epsilon %g", tern__op_name(call->op), call->number);
    if (x->rank < 1)
        return tern__fail(TERN_E_SHAPE, "%s: x is (), not (..., K)", tern__op_name(call->op));
    if (norm != NULL && (norm->rank != 1 || norm->dims[0] != tern__dim_back(x, 1)))
        return tern__shapes_differ(call->op, x, norm);
    return TERN_OK;
}

static tern_status check_weight(const tern__op_call *call, const tern_tensor *weight) {
    tern_status status =
        tern__check_dtype(call->op, "the weight", weight,
                          TERN__ROWS | TERN__BIT(TERN_TERNARY) | TERN__BIT(TERN_QUANTIZED));
    if (status != TERN_OK)
        return status;
    if (weight->rank != 2 || tern__dim_back(call->in[0], 1) != weight->dims[1])
        return tern__shapes_differ(call->op, call->in[0], weight);
    return TERN_OK;
}

/* (..., N) for x (..., K) and a weight (N, K) */
static tern_shape result_shape(const tern_tensor *x, const tern_tensor *weight) {
    tern_shape shape = tern_tensor_shape(x);
    shape.dims[shape.rank - 1] = weight->dims[0];
    return shape;
}

/* The device's row takes the call as it is: see device.h. */
static bool is_one_pass(const tern__op_call *call, const tern_tensor *norm,
                        tern_tensor *const *weights, int count) {
    const tern_tensor *x = call->in[0];
    bool fits = x->context->device->ops[call->op] != NULL && tern_tensor_is_contiguous(x) &&
                norm != NULL && tern_tensor_is_contiguous(norm) &&
                tern__dim_back(x, 1) <= TERN__NORM_MAX;
    for (int i = 0; fits && i < count; i++)
        fits = weights[i]->dtype == TERN_TERNARY || weights[i]->dtype == TERN_QUANTIZED;
    return fits;
}

/* -- norm_linear -------------------------------------------------------------------------------*/

static tern_status fresh_steps(const tern__op_call *call, const tern__projections *to,
                               tern_tensor **fresh) {
    tern_tensor *h = NULL;
    tern_status status;
    TERN__TRY(tern_rms_norm(call->in[0], call->in[1], call->number, &h));
    for (int i = 0; i < to->count; i++)
        TERN__TRY(tern_linear(h, to->weights[i], &fresh[i]));
done:
    tern_tensor_release(h);
    for (int i = 0; status != TERN_OK && i < to->count; i++) {
        tern_tensor_release(fresh[i]);
        fresh[i] = NULL;
    }
    return status;
}

/* Results go where `into` says; before the first is written all destinations are checked, and when
 * one of them lies over a weight that is read later, all results are made fresh. */
static tern_status into_steps(const tern__op_call *call, const tern__projections *to,
                              tern_tensor *const *into) {
    tern_tensor *h = NULL, *fresh[TERN__PROJECTIONS] = {NULL};
    bool is_direct = true;
    tern_status status;
    for (int i = 0; i < to->count; i++) {
        tern_shape shape = result_shape(call->in[0], to->weights[i]);
        TERN__TRY(tern__check_destination(call, into[i], TERN_F32, &shape));
        for (int later = i + 1; later < to->count; later++)
            is_direct = is_direct && !tern__overlaps(to->weights[later], into[i]);
    }
    if (is_direct) {
        TERN__TRY(tern_rms_norm(call->in[0], call->in[1], call->number, &h));
        for (int i = 0; i < to->count; i++)
            TERN__TRY(tern_linear_into(h, to->weights[i], into[i]));
    } else {
        TERN__TRY(fresh_steps(call, to, fresh));
        for (int i = 0; i < to->count; i++)
            TERN__TRY(tern_copy(fresh[i], into[i]));
    }
done:
    for (int i = 0; i < to->count; i++)
        tern_tensor_release(fresh[i]);
    tern_tensor_release(h);
    return status;
}

static tern_status linear_pass(tern__op_call *call, tern__projections *to, tern_tensor *const *into,
                               tern_tensor **fresh) {
    /* What is read, then the destinations: each one keeps clear of those before it. */
    tern_tensor *sources[2 + 2 * TERN__PROJECTIONS] = {call->in[0], call->in[1]};
    tern__op_call calls[TERN__PROJECTIONS];
    tern__result results[TERN__PROJECTIONS];
    int count = 2, opened = 0;
    tern_status status = TERN_OK;
    for (int i = 0; i < to->count; i++)
        sources[count++] = to->weights[i];
    bool is_empty = true;
    while (status == TERN_OK && opened < to->count) {
        int i = opened;
        tern_shape shape = result_shape(call->in[0], to->weights[i]);
        calls[i] = *call;
        results[i] = (tern__result){
            .call = &calls[i],
            .target = {into != NULL ? NULL : &fresh[i], into != NULL ? into[i] : NULL},
            .sources = sources,
            .count = count + (into != NULL ? i : 0)};
        status = tern__result_open(&results[i], TERN_F32, &shape);
        if (status != TERN_OK)
            break;
        to->outs[i] = sources[count + i] = calls[i].out;
        is_empty = is_empty && tern__count_bytes(calls[i].out) == 0;
        opened++;
    }
    if (status == TERN_OK && !is_empty) {
        calls[0].detail = to;
        status = tern__call_row(&calls[0]);
    }
    return tern__results_close(results, opened, status);
}

static tern_status norm_linear(tern_tensor *x, tern_tensor *norm, double epsilon,
                               tern_tensor *const *weights, int count, tern_tensor *const *into,
                               tern_tensor **fresh) {
    tern__op_call call = {.op = TERN__OP_NORM_LINEAR, .in = {x, norm}, .number = epsilon};
    tern__projections to = {.count = count, .weights = weights};
    if (count < 1 || count > TERN__PROJECTIONS)
        return tern__fail(TERN_E_ARGUMENT, "norm_linear: %d weights are not in 1..%d", count,
                          TERN__PROJECTIONS);
    for (int i = 0; fresh != NULL && i < count; i++)
        fresh[i] = NULL;
    tern_status status = check_norm(&call, norm);
    for (int i = 0; status == TERN_OK && i < count; i++)
        status = check_weight(&call, weights[i]);
    if (status != TERN_OK)
        return status;
    if (!is_one_pass(&call, norm, weights, count))
        return into != NULL ? into_steps(&call, &to, into) : fresh_steps(&call, &to, fresh);
    return linear_pass(&call, &to, into, fresh);
}

tern_status tern_norm_linear(tern_tensor *x, tern_tensor *norm, double epsilon,
                             tern_tensor *const *weights, int count, tern_tensor **outs) {
    return norm_linear(x, norm, epsilon, weights, count, NULL, outs);
}

tern_status tern_norm_linear_into(tern_tensor *x, tern_tensor *norm, double epsilon,
                                  tern_tensor *const *weights, int count,
                                  tern_tensor *const *outs) {
    return norm_linear(x, norm, epsilon, weights, count, outs, NULL);
}

/* -- norm_linear_add ---------------------------------------------------------------------------*/

static tern_status add_steps(const tern__op_call *call, tern_tensor *norm, tern_tensor *weight,
                             tern_tensor *residual, tern__target target) {
    tern_tensor *h = NULL, *y = NULL;
    tern_status status;
    TERN__TRY(tern_rms_norm(call->in[0], norm, call->number, &h));
    TERN__TRY(tern_linear(h, weight, &y));
    TERN__TRY(target.into != NULL ? tern_add_into(residual, y, target.into)
                                  : tern_add(residual, y, target.fresh));
done:
    tern_tensor_release(y);
    tern_tensor_release(h);
    return status;
}

static tern_status norm_linear_add(tern_tensor *x, tern_tensor *norm, double epsilon,
                                   tern_tensor *weight, tern_tensor *residual,
                                   tern__target target) {
    tern__op_call call = {
        .op = TERN__OP_NORM_LINEAR_ADD, .in = {x, norm, weight, residual}, .number = epsilon};
    tern_status status = check_norm(&call, norm);
    if (status == TERN_OK)
        status = check_weight(&call, weight);
    if (status == TERN_OK)
        status = tern__check_dtype(call.op, "the residual", residual, TERN__SINGLE);
    if (status != TERN_OK)
        return status;
    tern_shape shape = result_shape(x, weight), have = tern_tensor_shape(residual);
    bool fits = have.rank == shape.rank;
    for (int i = 0; fits && i < shape.rank; i++)
        fits = have.dims[i] == shape.dims[i];
    if (!fits)
        return tern__shapes_differ(call.op, weight, residual);
    if (!is_one_pass(&call, norm, &weight, 1) || !tern_tensor_is_contiguous(residual))
        return add_steps(&call, norm, weight, residual, target);
    return tern__call(&call, TERN_F32, &shape, target);
}

tern_status tern_norm_linear_add(tern_tensor *x, tern_tensor *norm, double epsilon,
                                 tern_tensor *weight, tern_tensor *residual, tern_tensor **out) {
    return norm_linear_add(x, norm, epsilon, weight, residual, TERN__FRESH(out));
}

tern_status tern_norm_linear_add_into(tern_tensor *x, tern_tensor *norm, double epsilon,
                                      tern_tensor *weight, tern_tensor *residual,
                                      tern_tensor *out) {
    return norm_linear_add(x, norm, epsilon, weight, residual, TERN__INTO(out));
}

/* -- norm_glu ----------------------------------------------------------------------------------*/

static tern_status activate(tern_tensor *x, tern_activation activation) {
    static tern_status (*const steps[])(tern_tensor * x, tern_tensor * out) = {
        [TERN_ACTIVATION_RELU] = tern_relu_into,
        [TERN_ACTIVATION_RELU2] = tern_relu2_into,
        [TERN_ACTIVATION_SIGMOID] = tern_sigmoid_into,
        [TERN_ACTIVATION_SILU] = tern_silu_into,
        [TERN_ACTIVATION_GELU] = tern_gelu_into,
        [TERN_ACTIVATION_GELU_TANH] = tern_gelu_tanh_into,
        [TERN_ACTIVATION_TANH] = tern_tanh_into,
    };
    return activation == TERN_ACTIVATION_NONE ? TERN_OK : steps[activation](x, x);
}

static tern_status glu_steps(const tern__op_call *call, tern_tensor *norm, tern_tensor *gate,
                             tern_tensor *up, tern__target target) {
    tern_tensor *h = NULL, *y = NULL, *z = NULL;
    tern_status status;
    TERN__TRY(tern_rms_norm(call->in[0], norm, call->number, &h));
    TERN__TRY(tern_linear(h, gate, &y));
    TERN__TRY(activate(y, (tern_activation)call->choice));
    TERN__TRY(tern_linear(h, up, &z));
    TERN__TRY(target.into != NULL ? tern_mul_into(y, z, target.into)
                                  : tern_mul(y, z, target.fresh));
done:
    tern_tensor_release(z);
    tern_tensor_release(y);
    tern_tensor_release(h);
    return status;
}

static tern_status norm_glu(tern_tensor *x, tern_tensor *norm, double epsilon, tern_tensor *gate,
                            tern_tensor *up, tern_activation activation, tern__target target) {
    tern__op_call call = {.op = TERN__OP_NORM_GLU,
                          .in = {x, norm, gate, up},
                          .number = epsilon,
                          .choice = (int)activation};
    if ((unsigned)activation > TERN_ACTIVATION_TANH)
        return tern__fail(TERN_E_ARGUMENT, "norm_glu: no activation %d", (int)activation);
    tern_status status = check_norm(&call, norm);
    if (status == TERN_OK)
        status = check_weight(&call, gate);
    if (status == TERN_OK)
        status = check_weight(&call, up);
    if (status != TERN_OK)
        return status;
    if (gate->dims[0] != up->dims[0])
        return tern__shapes_differ(call.op, gate, up);
    if (!is_one_pass(&call, norm, &call.in[2], 2))
        return glu_steps(&call, norm, gate, up, target);
    tern_shape shape = result_shape(x, gate);
    return tern__call(&call, TERN_F32, &shape, target);
}

tern_status tern_norm_glu(tern_tensor *x, tern_tensor *norm, double epsilon, tern_tensor *gate,
                          tern_tensor *up, tern_activation activation, tern_tensor **out) {
    return norm_glu(x, norm, epsilon, gate, up, activation, TERN__FRESH(out));
}

tern_status tern_norm_glu_into(tern_tensor *x, tern_tensor *norm, double epsilon, tern_tensor *gate,
                               tern_tensor *up, tern_activation activation, tern_tensor *out) {
    return norm_glu(x, norm, epsilon, gate, up, activation, TERN__INTO(out));
}
