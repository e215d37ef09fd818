/* SPDX-License-Identifier: MIT
 * Norms and softmax: functions of rows. */
#include "ops/call.h"

static tern_status rms_norm(tern_tensor *x, tern_tensor *weight, double epsilon,
                            tern__target target) {
    tern__op_call call = {.op = TERN__OP_RMS_NORM, .number = epsilon};
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__SINGLE);
    if (status == TERN_OK)
        status = tern__check_dtype(call.op, "the weight", weight, TERN__SINGLE);
    if (status != TERN_OK)
        return status;
    if (x->rank < 1 || weight->rank != 1 || weight->dims[0] != tern__dim_back(x, 1))
        return tern__shapes_differ(call.op, x, weight);
    tern_shape shape = tern_tensor_shape(x);
    tern_tensor *rows = NULL, *factors = NULL;
    TERN__TRY(tern__as_contiguous(x, &call, &rows));
    TERN__TRY(tern__as_contiguous(weight, &call, &factors));
    call.in[0] = rows;
    call.in[1] = factors;
    TERN__TRY(tern__call(&call, TERN_F32, &shape, target));
done:
    tern__drop(weight, factors);
    tern__drop(x, rows);
    return status;
}

tern_status tern_rms_norm(tern_tensor *x, tern_tensor *weight, double epsilon, tern_tensor **out) {
    return rms_norm(x, weight, epsilon, TERN__FRESH(out));
}

tern_status tern_rms_norm_into(tern_tensor *x, tern_tensor *weight, double epsilon,
                               tern_tensor *out) {
    return rms_norm(x, weight, epsilon, TERN__INTO(out));
}

static tern_status softmax(tern_tensor *x, bool is_causal, tern__target target) {
    tern__op_call call = {.op = is_causal ? TERN__OP_SOFTMAX_CAUSAL : TERN__OP_SOFTMAX};
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__SINGLE);
    if (status != TERN_OK)
        return status;
    if (x->rank < (is_causal ? 2 : 1) ||
        (is_causal && tern__dim_back(x, 2) > tern__dim_back(x, 1))) {
        char text[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE, "softmax: x is %s%s",
                          tern__shape_text(x->rank, x->dims, text),
                          is_causal ? ", causal rows need (..., T, S) with T <= S" : "");
    }
    tern_shape shape = tern_tensor_shape(x);
    tern_tensor *rows = NULL;
    TERN__TRY(tern__as_contiguous(x, &call, &rows));
    call.in[0] = rows;
    TERN__TRY(tern__call(&call, TERN_F32, &shape, target));
done:
    tern__drop(x, rows);
    return status;
}

tern_status tern_softmax(tern_tensor *x, int axis, tern_tensor **out) {
    *out = NULL;
    tern_status status = tern__check_axis(TERN__OP_SOFTMAX, x->rank, &axis);
    if (status != TERN_OK)
        return status;
    return softmax(x, false, TERN__FRESH(out));
}

tern_status tern_softmax_causal(tern_tensor *x, tern_tensor **out) {
    return softmax(x, true, TERN__FRESH(out));
}
