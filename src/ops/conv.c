/* SPDX-License-Identifier: MIT
 * Convolutions. */
#include "base/checked.h"
#include "ops/call.h"

tern_conv_options tern_conv_options_default(void) {
    return (tern_conv_options){.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
}

/* Whether the sides that the operation has are in order. */
static tern_status check_options(tern__op op, const tern_conv_options *o, int sides) {
    const char *name = tern__op_name(op);
    for (int i = 0; i < sides; i++)
        if (o->stride[i] < 1 || o->dilation[i] < 1 || o->padding[i] < 0)
            return tern__fail(TERN_E_ARGUMENT, "%s: stride %lld, padding %lld, dilation %lld", name,
                              (long long)o->stride[i], (long long)o->padding[i],
                              (long long)o->dilation[i]);
    if (o->groups < 1)
        return tern__fail(TERN_E_ARGUMENT, "%s: %lld groups", name, (long long)o->groups);
    return TERN_OK;
}

/* The length of the result along one side; false when the taps do not fit in, or for numbers that
 * no tensor has. */
static bool output_length(int64_t in, int64_t taps, const tern_conv_options *o, int side,
                          int64_t *out) {
    int64_t reach, length;
    if (taps < 1 || !tern__mul_i64(taps - 1, o->dilation[side], &reach) ||
        __builtin_add_overflow(in, o->padding[side], &length) ||
        __builtin_add_overflow(length, o->padding[side], &length) || length <= reach)
        return false;
    *out = (length - reach - 1) / o->stride[side] + 1;
    return true;
}

static tern_status output_shape(tern__op op, const tern_tensor *x, const tern_tensor *weight,
                                const tern_conv_options *o, tern_shape *shape) {
    int sides = op == TERN__OP_CONV1D ? 1 : 2;
    if (x->rank != sides + 2 || weight->rank != sides + 2)
        return tern__shapes_differ(op, x, weight);
    int64_t channels;
    if (!tern__mul_i64(weight->dims[1], o->groups, &channels) || channels != x->dims[1] ||
        weight->dims[0] % o->groups != 0)
        return tern__shapes_differ(op, x, weight);
    *shape = (tern_shape){sides + 2, {x->dims[0], weight->dims[0]}};
    for (int i = 0; i < sides; i++)
        if (!output_length(x->dims[i + 2], weight->dims[i + 2], o, i, &shape->dims[i + 2]))
            return tern__shapes_differ(op, x, weight);
    return TERN_OK;
}

static tern_status conv(tern__op_call call, const tern_conv_options *options, tern__target target) {
    const tern_conv_options chosen = options != NULL ? *options : tern_conv_options_default();
    static const char *const operands[] = {"x", "the weight", "the bias"};
    const tern_tensor *bias = call.in[2];
    tern_shape shape;
    call.detail = &chosen;
    for (int i = 0; i < 3; i++)
        if (call.in[i] != NULL) {
            tern_status status = tern__check_dtype(call.op, operands[i], call.in[i], TERN__SINGLE);
            if (status != TERN_OK)
                return status;
        }
    tern_status status = check_options(call.op, &chosen, call.op == TERN__OP_CONV1D ? 1 : 2);
    if (status == TERN_OK)
        status = output_shape(call.op, call.in[0], call.in[1], &chosen, &shape);
    if (status != TERN_OK)
        return status;
    if (bias != NULL && (bias->rank != 1 || bias->dims[0] != shape.dims[1]))
        return tern__shapes_differ(call.op, call.in[1], bias);
    return tern__call(&call, TERN_F32, &shape, target);
}

tern_status tern_conv1d(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                        const tern_conv_options *options, tern_tensor **out) {
    return conv((tern__op_call){.op = TERN__OP_CONV1D, .in = {x, weight, bias}}, options,
                TERN__FRESH(out));
}

tern_status tern_conv1d_into(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                             const tern_conv_options *options, tern_tensor *out) {
    return conv((tern__op_call){.op = TERN__OP_CONV1D, .in = {x, weight, bias}}, options,
                TERN__INTO(out));
}

tern_status tern_conv2d(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                        const tern_conv_options *options, tern_tensor **out) {
    return conv((tern__op_call){.op = TERN__OP_CONV2D, .in = {x, weight, bias}}, options,
                TERN__FRESH(out));
}

tern_status tern_conv2d_into(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                             const tern_conv_options *options, tern_tensor *out) {
    return conv((tern__op_call){.op = TERN__OP_CONV2D, .in = {x, weight, bias}}, options,
                TERN__INTO(out));
}
