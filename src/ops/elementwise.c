/* SPDX-License-Identifier: MIT
 * Operations element by element: broadcast, promoted, computed by the device in the promoted type.
 */
#include <math.h>

#include "ops/call.h"

static tern_status broadcast_shape(const tern__op_call *call, tern_shape *shape) {
    *shape = tern_tensor_shape(call->in[0]);
    for (int i = 1; i < TERN__OPERANDS && call->in[i] != NULL; i++) {
        tern_status status = tern__shape_join(tern__op_name(call->op), shape, call->in[i], shape);
        if (status != TERN_OK)
            return status;
    }
    return TERN_OK;
}

static tern_status elementwise(tern__op_call call, tern__target target) {
    tern_dtype dtype;
    tern_shape shape;
    tern_status status = tern__promote_operands(&call, &dtype);
    if (status == TERN_OK)
        status = broadcast_shape(&call, &shape);
    return status == TERN_OK ? tern__call(&call, dtype, &shape, target) : status;
}

/* -- by the number of operands -----------------------------------------------------------------*/

#define FORMS1(SYMBOL, name)                                                                       \
    tern_status tern_##name(tern_tensor *x, tern_tensor **out) {                                   \
        return elementwise((tern__op_call){.op = TERN__OP_##SYMBOL, .in = {x}}, TERN__FRESH(out)); \
    }                                                                                              \
    tern_status tern_##name##_into(tern_tensor *x, tern_tensor *out) {                             \
        return elementwise((tern__op_call){.op = TERN__OP_##SYMBOL, .in = {x}}, TERN__INTO(out));  \
    }

#define FORMS2(SYMBOL, name)                                                                       \
    tern_status tern_##name(tern_tensor *a, tern_tensor *b, tern_tensor **out) {                   \
        return elementwise((tern__op_call){.op = TERN__OP_##SYMBOL, .in = {a, b}},                 \
                           TERN__FRESH(out));                                                      \
    }                                                                                              \
    tern_status tern_##name##_into(tern_tensor *a, tern_tensor *b, tern_tensor *out) {             \
        return elementwise((tern__op_call){.op = TERN__OP_##SYMBOL, .in = {a, b}},                 \
                           TERN__INTO(out));                                                       \
    }

FORMS1(NEG, neg)
FORMS1(ABS, abs)
FORMS1(SIGN, sign)
FORMS1(SQUARE, square)
FORMS1(SQRT, sqrt)
FORMS1(RSQRT, rsqrt)
FORMS1(RECIPROCAL, reciprocal)
FORMS1(EXP, exp)
FORMS1(EXPM1, expm1)
FORMS1(LOG, log)
FORMS1(LOG1P, log1p)
FORMS1(LOG2, log2)
FORMS1(SIN, sin)
FORMS1(COS, cos)
FORMS1(TAN, tan)
FORMS1(ASIN, asin)
FORMS1(ACOS, acos)
FORMS1(ATAN, atan)
FORMS1(SINH, sinh)
FORMS1(COSH, cosh)
FORMS1(TANH, tanh)
FORMS1(ERF, erf)
FORMS1(ROUND, round)
FORMS1(FLOOR, floor)
FORMS1(CEIL, ceil)
FORMS1(TRUNC, trunc)
FORMS1(BIT_NOT, bit_not)
FORMS1(LOGICAL_NOT, logical_not)
FORMS1(ISNAN, isnan)
FORMS1(ISINF, isinf)
FORMS1(ISFINITE, isfinite)
FORMS1(RELU, relu)
FORMS1(RELU2, relu2)
FORMS1(SIGMOID, sigmoid)
FORMS1(SILU, silu)
FORMS1(GELU, gelu)
FORMS1(GELU_TANH, gelu_tanh)
FORMS1(SOFTPLUS, softplus)

FORMS2(ADD, add)
FORMS2(SUB, sub)
FORMS2(MUL, mul)
FORMS2(DIV, div)
FORMS2(FLOOR_DIV, floor_div)
FORMS2(MOD, mod)
FORMS2(POW, pow)
FORMS2(ATAN2, atan2)
FORMS2(MINIMUM, minimum)
FORMS2(MAXIMUM, maximum)
FORMS2(BIT_AND, bit_and)
FORMS2(BIT_OR, bit_or)
FORMS2(BIT_XOR, bit_xor)
FORMS2(SHIFT_LEFT, shift_left)
FORMS2(SHIFT_RIGHT, shift_right)
FORMS2(EQUAL, equal)
FORMS2(NOT_EQUAL, not_equal)
FORMS2(LESS, less)
FORMS2(LESS_EQUAL, less_equal)
FORMS2(GREATER, greater)
FORMS2(GREATER_EQUAL, greater_equal)
FORMS2(LOGICAL_AND, logical_and)
FORMS2(LOGICAL_OR, logical_or)
FORMS2(LOGICAL_XOR, logical_xor)

/* -- with numbers ------------------------------------------------------------------------------*/

static tern_status with_number(tern__op op, tern_tensor *x, double number, double other,
                               tern__target target) {
    return elementwise(
        (tern__op_call){.op = op, .in = {x}, .number = number, .other_number = other}, target);
}

tern_status tern_scale(tern_tensor *x, double factor, tern_tensor **out) {
    return with_number(TERN__OP_SCALE, x, factor, 0, TERN__FRESH(out));
}

tern_status tern_scale_into(tern_tensor *x, double factor, tern_tensor *out) {
    return with_number(TERN__OP_SCALE, x, factor, 0, TERN__INTO(out));
}

tern_status tern_affine(tern_tensor *x, double factor, double offset, tern_tensor **out) {
    return with_number(TERN__OP_AFFINE, x, factor, offset, TERN__FRESH(out));
}

tern_status tern_affine_into(tern_tensor *x, double factor, double offset, tern_tensor *out) {
    return with_number(TERN__OP_AFFINE, x, factor, offset, TERN__INTO(out));
}

tern_status tern_leaky_relu(tern_tensor *x, double slope, tern_tensor **out) {
    return with_number(TERN__OP_LEAKY_RELU, x, slope, 0, TERN__FRESH(out));
}

tern_status tern_leaky_relu_into(tern_tensor *x, double slope, tern_tensor *out) {
    return with_number(TERN__OP_LEAKY_RELU, x, slope, 0, TERN__INTO(out));
}

/* The nearest number that an integer type has, or nearly: bounds beyond I64 are cut by the kernel.
 */
static double in_range(tern_dtype dtype, double number) {
    const tern__dtype_info *info = tern__dtype(dtype);
    if (info->is_float)
        return number;
    double least = dtype == TERN_U8 ? 0 : -ldexp(1, 8 * info->block_bytes - 1);
    double most = dtype == TERN_U8 ? 255 : -least - 1;
    return number < least ? least : number > most ? most : number;
}

static tern_status clip(tern_tensor *x, double low, double high, tern__target target) {
    if (!(low <= high))
        return tern__fail(TERN_E_ARGUMENT, "clip: from %g to %g", low, high);
    if (tern__dtype_is_plain((tern_dtype)x->dtype)) {
        low = in_range((tern_dtype)x->dtype, low);
        high = in_range((tern_dtype)x->dtype, high);
    }
    return with_number(TERN__OP_CLIP, x, low, high, target);
}

tern_status tern_clip(tern_tensor *x, double low, double high, tern_tensor **out) {
    return clip(x, low, high, TERN__FRESH(out));
}

tern_status tern_clip_into(tern_tensor *x, double low, double high, tern_tensor *out) {
    return clip(x, low, high, TERN__INTO(out));
}

static tern_status add_scaled(tern_tensor *a, tern_tensor *b, double factor, tern__target target) {
    return elementwise((tern__op_call){.op = TERN__OP_ADD_SCALED, .in = {a, b}, .number = factor},
                       target);
}

tern_status tern_add_scaled(tern_tensor *a, tern_tensor *b, double factor, tern_tensor **out) {
    return add_scaled(a, b, factor, TERN__FRESH(out));
}

tern_status tern_add_scaled_into(tern_tensor *a, tern_tensor *b, double factor, tern_tensor *out) {
    return add_scaled(a, b, factor, TERN__INTO(out));
}

/* -- three operands ----------------------------------------------------------------------------*/

static tern_status fused(tern_tensor *a, tern_tensor *b, tern_tensor *c, tern__target target) {
    return elementwise((tern__op_call){.op = TERN__OP_FMA, .in = {a, b, c}}, target);
}

tern_status tern_fma(tern_tensor *a, tern_tensor *b, tern_tensor *c, tern_tensor **out) {
    return fused(a, b, c, TERN__FRESH(out));
}

tern_status tern_fma_into(tern_tensor *a, tern_tensor *b, tern_tensor *c, tern_tensor *out) {
    return fused(a, b, c, TERN__INTO(out));
}

/* The condition comes last in the call: it does not take part in the promotion. */
static tern_status where(tern_tensor *condition, tern_tensor *a, tern_tensor *b,
                         tern__target target) {
    tern__op_call call = {.op = TERN__OP_WHERE, .in = {a, b}};
    tern_dtype dtype;
    tern_shape shape;
    tern_status status =
        tern__check_dtype(call.op, "the condition", condition, TERN__BIT(TERN_BOOL));
    if (status == TERN_OK)
        status = tern__promote_operands(&call, &dtype);
    call.in[2] = condition;
    if (status == TERN_OK)
        status = broadcast_shape(&call, &shape);
    return status == TERN_OK ? tern__call(&call, dtype, &shape, target) : status;
}

tern_status tern_where(tern_tensor *condition, tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    return where(condition, a, b, TERN__FRESH(out));
}

tern_status tern_where_into(tern_tensor *condition, tern_tensor *a, tern_tensor *b,
                            tern_tensor *out) {
    return where(condition, a, b, TERN__INTO(out));
}

static tern_status masked_fill(tern_tensor *x, tern_tensor *mask, double value,
                               tern__target target) {
    tern__op_call call = {.op = TERN__OP_MASKED_FILL, .in = {x}, .number = value};
    tern_dtype dtype;
    tern_shape shape, joined;
    tern_status status = tern__check_dtype(call.op, "the mask", mask, TERN__BIT(TERN_BOOL));
    if (status == TERN_OK)
        status = tern__promote_operands(&call, &dtype);
    call.in[1] = mask;
    shape = tern_tensor_shape(x);
    if (status == TERN_OK)
        status = broadcast_shape(&call, &joined);
    if (status != TERN_OK)
        return status;
    for (int i = 0; i < joined.rank; i++)
        if (joined.rank != shape.rank || joined.dims[i] != shape.dims[i])
            return tern__shapes_differ(call.op, x, mask);
    return tern__call(&call, dtype, &shape, target);
}

tern_status tern_masked_fill(tern_tensor *x, tern_tensor *mask, double value, tern_tensor **out) {
    return masked_fill(x, mask, value, TERN__FRESH(out));
}

tern_status tern_masked_fill_into(tern_tensor *x, tern_tensor *mask, double value,
                                  tern_tensor *out) {
    return masked_fill(x, mask, value, TERN__INTO(out));
}

/* -- fused, and the backward forms -------------------------------------------------------------*/

static tern_status bias_activation(tern_tensor *x, tern_tensor *bias, tern_activation activation,
                                   tern__target target) {
    if ((unsigned)activation > TERN_ACTIVATION_TANH)
        return tern__fail(TERN_E_ARGUMENT, "bias_activation: no activation %d", (int)activation);
    return elementwise(
        (tern__op_call){.op = TERN__OP_BIAS_ACTIVATION, .in = {x, bias}, .choice = (int)activation},
        target);
}

tern_status tern_bias_activation(tern_tensor *x, tern_tensor *bias, tern_activation activation,
                                 tern_tensor **out) {
    return bias_activation(x, bias, activation, TERN__FRESH(out));
}

tern_status tern_bias_activation_into(tern_tensor *x, tern_tensor *bias, tern_activation activation,
                                      tern_tensor *out) {
    return bias_activation(x, bias, activation, TERN__INTO(out));
}

static tern_status dropout(tern_tensor *x, double probability, uint64_t seed, tern__target target) {
    if (!(probability >= 0 && probability < 1))
        return tern__fail(TERN_E_ARGUMENT, "dropout: probability %g is not in [0, 1)", probability);
    return elementwise(
        (tern__op_call){
            .op = TERN__OP_DROPOUT, .in = {x}, .number = probability, .position = (int64_t)seed},
        target);
}

tern_status tern_dropout(tern_tensor *x, double probability, uint64_t seed, tern_tensor **out) {
    return dropout(x, probability, seed, TERN__FRESH(out));
}

tern_status tern_dropout_into(tern_tensor *x, double probability, uint64_t seed, tern_tensor *out) {
    return dropout(x, probability, seed, TERN__INTO(out));
}

FORMS2(RELU_BACKWARD, relu_backward)
FORMS2(RELU2_BACKWARD, relu2_backward)
FORMS2(SIGMOID_BACKWARD, sigmoid_backward)
FORMS2(TANH_BACKWARD, tanh_backward)
FORMS2(SILU_BACKWARD, silu_backward)
FORMS2(GELU_BACKWARD, gelu_backward)
FORMS2(GELU_TANH_BACKWARD, gelu_tanh_backward)
FORMS2(SOFTPLUS_BACKWARD, softplus_backward)

static tern_status leaky_backward(tern_tensor *grad, tern_tensor *x, double slope,
                                  tern__target target) {
    return elementwise(
        (tern__op_call){.op = TERN__OP_LEAKY_RELU_BACKWARD, .in = {grad, x}, .number = slope},
        target);
}

tern_status tern_leaky_relu_backward(tern_tensor *grad, tern_tensor *x, double slope,
                                     tern_tensor **out) {
    return leaky_backward(grad, x, slope, TERN__FRESH(out));
}

tern_status tern_leaky_relu_backward_into(tern_tensor *grad, tern_tensor *x, double slope,
                                          tern_tensor *out) {
    return leaky_backward(grad, x, slope, TERN__INTO(out));
}

/* Integers are compared as F64. */
static tern_status isclose(tern_tensor *a, tern_tensor *b, double relative, double absolute,
                           bool equal_nan, tern__target target) {
    tern__op_call call = {.op = TERN__OP_ISCLOSE,
                          .in = {a, b},
                          .number = relative,
                          .other_number = absolute,
                          .choice = equal_nan};
    tern_dtype dtype;
    tern_shape shape;
    if (!(relative >= 0 && absolute >= 0))
        return tern__fail(TERN_E_ARGUMENT, "isclose: tolerances %g and %g", relative, absolute);
    tern_status status = tern__promote_operands(&call, &dtype);
    if (status == TERN_OK)
        status = broadcast_shape(&call, &shape);
    if (status != TERN_OK)
        return status;
    if (!tern__dtype(call.type)->is_float)
        call.type = TERN_F64;
    return tern__call(&call, dtype, &shape, target);
}

tern_status tern_isclose(tern_tensor *a, tern_tensor *b, double relative, double absolute,
                         bool equal_nan, tern_tensor **out) {
    return isclose(a, b, relative, absolute, equal_nan, TERN__FRESH(out));
}

tern_status tern_isclose_into(tern_tensor *a, tern_tensor *b, double relative, double absolute,
                              bool equal_nan, tern_tensor *out) {
    return isclose(a, b, relative, absolute, equal_nan, TERN__INTO(out));
}

/* -- whole tensors compared --------------------------------------------------------------------*/

/* All flags are set. Takes the flags. */
static tern_status read_all(tern_status status, tern_tensor *flags, bool *result) {
    tern_tensor *all = NULL;
    uint8_t flag = 0;
    if (status == TERN_OK)
        status = tern_all(flags, TERN_ALL_AXES, false, &all);
    if (status == TERN_OK)
        status = tern__tensor_fetch(all, 0, &flag, sizeof flag);
    *result = flag != 0;
    tern_tensor_release(all);
    tern_tensor_release(flags);
    return status;
}

tern_status tern_array_equal(tern_tensor *a, tern_tensor *b, bool *result) {
    tern_tensor *flags = NULL;
    *result = false;
    if (!tern__same_shape(a, b))
        return TERN_OK;
    tern_status status = tern_equal(a, b, &flags);
    return read_all(status, flags, result);
}

tern_status tern_allclose(tern_tensor *a, tern_tensor *b, double relative, double absolute,
                          bool equal_nan, bool *result) {
    tern_tensor *flags = NULL;
    *result = false;
    tern_status status = tern_isclose(a, b, relative, absolute, equal_nan, &flags);
    return read_all(status, flags, result);
}
