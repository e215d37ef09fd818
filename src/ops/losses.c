/* SPDX-License-Identifier: MIT
 * Losses. */
#include "ops/call.h"

static int64_t target_at(const tern_tensor *targets, int64_t i) {
    const void *data = targets->data;
    int64_t at = i * tern__strides(targets)[0];
    switch ((tern_dtype)targets->dtype) {
    case TERN_I8:
        return ((const int8_t *)data)[at];
    case TERN_U8:
        return ((const uint8_t *)data)[at];
    case TERN_I16:
        return ((const int16_t *)data)[at];
    case TERN_I32:
        return ((const int32_t *)data)[at];
    default:
        return ((const int64_t *)data)[at];
    }
}

/* Logits (N, V) and one target in 0..V-1 for each row. */
static tern_status check(tern__op op, const tern_tensor *logits, const tern_tensor *targets) {
    tern_status status = tern__check_dtype(op, "logits", logits, TERN__REALS);
    if (status == TERN_OK)
        status = tern__check_dtype(op, "targets", targets, TERN__INTEGERS);
    if (status != TERN_OK)
        return status;
    if (logits->rank != 2 || targets->rank != 1 || targets->dims[0] != logits->dims[0])
        return tern__shapes_differ(op, logits, targets);
    tern_tensor *twin;
    status = tern__host_twin(targets, &twin);
    for (int64_t i = 0; status == TERN_OK && i < targets->dims[0]; i++) {
        int64_t target = target_at(twin, i);
        if (target < 0 || target >= logits->dims[1])
            status = tern__fail(TERN_E_ARGUMENT, "%s: target %lld at %lld is not in 0..%lld",
                                tern__op_name(op), (long long)target, (long long)i,
                                (long long)logits->dims[1] - 1);
    }
    tern_tensor_release(twin);
    return status;
}

static tern_status cross_entropy(tern_tensor *logits, tern_tensor *targets, tern__target target) {
    tern__op_call call = {
        .op = TERN__OP_CROSS_ENTROPY, .in = {logits, targets}, .type = (tern_dtype)logits->dtype};
    tern_shape shape = {.rank = 0};
    tern_status status = check(call.op, logits, targets);
    return status == TERN_OK ? tern__call(&call, call.type, &shape, target) : status;
}

tern_status tern_cross_entropy(tern_tensor *logits, tern_tensor *targets, tern_tensor **out) {
    return cross_entropy(logits, targets, TERN__FRESH(out));
}

tern_status tern_cross_entropy_into(tern_tensor *logits, tern_tensor *targets, tern_tensor *out) {
    return cross_entropy(logits, targets, TERN__INTO(out));
}

static tern_status cross_entropy_backward(tern_tensor *grad, tern_tensor *logits,
                                          tern_tensor *targets, tern__target target) {
    tern__op_call call = {.op = TERN__OP_CROSS_ENTROPY_BACKWARD,
                          .in = {logits, targets, grad},
                          .type = (tern_dtype)logits->dtype};
    tern_shape shape = tern_tensor_shape(logits);
    tern_status status = tern__check_dtype(call.op, "the gradient", grad, TERN__REALS);
    if (status == TERN_OK)
        status = check(call.op, logits, targets);
    if (status != TERN_OK)
        return status;
    if (grad->rank != 0)
        return tern__shapes_differ(call.op, grad, logits);
    return tern__call(&call, call.type, &shape, target);
}

tern_status tern_cross_entropy_backward(tern_tensor *grad, tern_tensor *logits,
                                        tern_tensor *targets, tern_tensor **out) {
    return cross_entropy_backward(grad, logits, targets, TERN__FRESH(out));
}

tern_status tern_cross_entropy_backward_into(tern_tensor *grad, tern_tensor *logits,
                                             tern_tensor *targets, tern_tensor *out) {
    return cross_entropy_backward(grad, logits, targets, TERN__INTO(out));
}
