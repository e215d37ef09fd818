/* SPDX-License-Identifier: MIT
 *
 * Operations on tensors.
 *
 *     tern_tensor *sum = NULL, *mean = NULL;
 *     if (tern_add(a, b, &sum) == TERN_OK &&             // a fresh tensor
 *         tern_add_into(a, b, a) == TERN_OK &&           // in place: a += b
 *         tern_mean(a, TERN_AXES(-1), true, &mean) == TERN_OK)
 *         ...
 *
 * Every operation has two forms. tern_NAME makes a fresh contiguous tensor, given by the last
 * parameter, NULL after a failure. tern_NAME_into writes into a tensor that the caller has, of
 * exactly the data type and shape that the result has; it may be a strided view, and it may overlap
 * the operands: the result is as if it did not. With the very same elements as an operand, an
 * element-wise operation is done in place; where a destination needs a detour through a temporary
 * tensor, that is counted as a copy (tern_stats). After a failure its contents are undefined only
 * for TERN_E_MEMORY and TERN_E_INTERNAL, else unchanged.
 *
 * Operands are read where they lie, whatever their strides. The order of the arithmetic is stated
 * in docs/numerics.md: results have the same bits on every thread count, kernel variant and
 * platform. docs/OPS.md lists each operation with its data types, shapes and gradient.
 *
 * Shapes broadcast as in NumPy. Data types are promoted as in NumPy 2; what the array API standard
 * leaves out (arithmetic on two BOOL) is TERN_E_DTYPE. BF16 goes with integers as F16 does, and
 * BF16 with F16 gives F32. Float functions of integers give the smallest float type that holds
 * them: I8, U8, BOOL: F16; I16: F32; I32, I64: F64. Integers wrap.
 *
 * Errors: TERN_E_DTYPE, TERN_E_SHAPE (both shapes in the detail), TERN_E_ARGUMENT for axes, indices
 * and numbers out of range, TERN_E_MEMORY, TERN_E_LIMIT.
 */
#ifndef TERN_OPS_H
#define TERN_OPS_H

#include <tern/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In place of an axis: of all elements in row-major order. */
#define TERN_FLAT (-1 - TERN_MAX_RANK)

/* -- copies and casts --------------------------------------------------------------------------*/

/* A view of x when it is contiguous, else a copy. */
TERN_API tern_status tern_contiguous(tern_tensor *x, tern_tensor **out);
/* A copy, contiguous. */
TERN_API tern_status tern_clone(tern_tensor *x, tern_tensor **out);
/* Between all plain types; from Q8_0, I2_S, TQ1_0, TQ2_0 to float types. Floats to integers are
 * truncated, NaN gives 0 and what lies outside the nearest value; to BOOL: x != 0. Integers to
 * narrower ones wrap. Narrowing of floats rounds to nearest even. The type that x has: a copy. */
TERN_API tern_status tern_cast(tern_tensor *x, tern_dtype dtype, tern_tensor **out);
/* Writes x, broadcast, into `destination`, cast as tern_cast does. */
TERN_API tern_status tern_copy(tern_tensor *x, tern_tensor *destination);
/* Reads the one element of x; an I64 beyond 2^53 is rounded. TERN_E_SHAPE when there are more or
 * none. */
TERN_API tern_status tern_item(tern_tensor *x, double *value);

/* -- arithmetic, element by element ----------------------------------------------------------*/

/* Numbers; integers wrap. */
TERN_API tern_status tern_add(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_add_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_sub(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_sub_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_mul(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_mul_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
/* True division: integers give F64. */
TERN_API tern_status tern_div(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_div_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
/* floor(a / b), and a - b floor(a / b) with the sign of b. Integers by 0: 0. */
TERN_API tern_status tern_floor_div(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_floor_div_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_mod(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_mod_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
/* Integers: by squaring, wrapping; a negative exponent gives 0, 1 or -1. */
TERN_API tern_status tern_pow(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_pow_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
/* The angle of the point (b, a). */
TERN_API tern_status tern_atan2(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_atan2_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
/* A NaN wins; -0 is below +0 (IEEE 754-2019). */
TERN_API tern_status tern_minimum(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_minimum_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_maximum(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_maximum_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_neg(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_neg_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_abs(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_abs_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_sign(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_sign_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_square(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_square_into(tern_tensor *x, tern_tensor *out);
/* Float functions. */
TERN_API tern_status tern_sqrt(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_sqrt_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_rsqrt(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_rsqrt_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_reciprocal(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_reciprocal_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_exp(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_exp_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_expm1(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_expm1_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_log(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_log_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_log1p(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_log1p_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_log2(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_log2_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_sin(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_sin_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_cos(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_cos_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_tan(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_tan_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_asin(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_asin_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_acos(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_acos_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_atan(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_atan_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_sinh(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_sinh_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_cosh(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_cosh_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_tanh(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_tanh_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_erf(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_erf_into(tern_tensor *x, tern_tensor *out);
/* To whole numbers, `round` with ties to even; integers stay. */
TERN_API tern_status tern_round(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_round_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_floor(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_floor_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_ceil(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_ceil_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_trunc(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_trunc_into(tern_tensor *x, tern_tensor *out);
/* a * b + c in one rounding (F16 and BF16: the F32 result, rounded again). Integers wrap. */
TERN_API tern_status tern_fma(tern_tensor *a, tern_tensor *b, tern_tensor *c, tern_tensor **out);
TERN_API tern_status tern_fma_into(tern_tensor *a, tern_tensor *b, tern_tensor *c,
                                   tern_tensor *out);
/* x * factor, the factor rounded to the type of x (integers: truncated). */
TERN_API tern_status tern_scale(tern_tensor *x, double factor, tern_tensor **out);
TERN_API tern_status tern_scale_into(tern_tensor *x, double factor, tern_tensor *out);
/* x * factor + offset, rounded as tern_fma. */
TERN_API tern_status tern_affine(tern_tensor *x, double factor, double offset, tern_tensor **out);
TERN_API tern_status tern_affine_into(tern_tensor *x, double factor, double offset,
                                      tern_tensor *out);
/* a + factor * b (axpy), rounded as tern_fma; the factor as in tern_scale. */
TERN_API tern_status tern_add_scaled(tern_tensor *a, tern_tensor *b, double factor,
                                     tern_tensor **out);
TERN_API tern_status tern_add_scaled_into(tern_tensor *a, tern_tensor *b, double factor,
                                          tern_tensor *out);
/* min(max(x, low), high); a NaN stays. Integers: the bounds are truncated, and those beyond the
 * type are its outermost numbers. TERN_E_ARGUMENT when low > high or one is NaN. */
TERN_API tern_status tern_clip(tern_tensor *x, double low, double high, tern_tensor **out);
TERN_API tern_status tern_clip_into(tern_tensor *x, double low, double high, tern_tensor *out);
/* -- bits, comparison, logic -----------------------------------------------------------------*/

/* Integers and BOOL. */
TERN_API tern_status tern_bit_and(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_bit_and_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_bit_or(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_bit_or_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_bit_xor(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_bit_xor_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_bit_not(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_bit_not_into(tern_tensor *x, tern_tensor *out);
/* Integers; by less than 0 or more than 63: 0, or -1 for a negative number to the right. */
TERN_API tern_status tern_shift_left(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_shift_left_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_shift_right(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_shift_right_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
/* BOOL results. */
TERN_API tern_status tern_equal(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_equal_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_not_equal(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_not_equal_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_less(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_less_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_less_equal(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_less_equal_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_greater(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_greater_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_greater_equal(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_greater_equal_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_logical_and(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_logical_and_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_logical_or(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_logical_or_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_logical_xor(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_logical_xor_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
TERN_API tern_status tern_logical_not(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_logical_not_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_isnan(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_isnan_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_isinf(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_isinf_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_isfinite(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_isfinite_into(tern_tensor *x, tern_tensor *out);
/* a where `condition` is not 0, else b; the condition is BOOL. */
TERN_API tern_status tern_where(tern_tensor *condition, tern_tensor *a, tern_tensor *b,
                                tern_tensor **out);
TERN_API tern_status tern_where_into(tern_tensor *condition, tern_tensor *a, tern_tensor *b,
                                     tern_tensor *out);
/* BOOL: |a - b| <= absolute + relative * |b|, infinities equal, and NaN with `equal_nan`. */
TERN_API tern_status tern_isclose(tern_tensor *a, tern_tensor *b, double relative, double absolute,
                                  bool equal_nan, tern_tensor **out);
TERN_API tern_status tern_isclose_into(tern_tensor *a, tern_tensor *b, double relative,
                                       double absolute, bool equal_nan, tern_tensor *out);
/* That everywhere; the shapes broadcast. */
TERN_API tern_status tern_allclose(tern_tensor *a, tern_tensor *b, double relative, double absolute,
                                   bool equal_nan, bool *result);
/* Same shape and equal elements; no NaN equals any. */
TERN_API tern_status tern_array_equal(tern_tensor *a, tern_tensor *b, bool *result);
/* -- activations -----------------------------------------------------------------------------*/

/* max(x, 0); its square; 1 / (1 + exp(-x)); x * sigmoid(x); x / 2 * (1 + erf(x / sqrt 2)) and its
 * tanh form (Hendrycks and Gimpel 2016); log(1 + exp(x)). */
TERN_API tern_status tern_relu(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_relu_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_relu2(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_relu2_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_sigmoid(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_sigmoid_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_silu(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_silu_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_gelu(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_gelu_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_gelu_tanh(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_gelu_tanh_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_softplus(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_softplus_into(tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_leaky_relu(tern_tensor *x, double slope, tern_tensor **out);
TERN_API tern_status tern_leaky_relu_into(tern_tensor *x, double slope, tern_tensor *out);
typedef enum tern_activation {
    TERN_ACTIVATION_NONE = 0,
    TERN_ACTIVATION_RELU,
    TERN_ACTIVATION_RELU2,
    TERN_ACTIVATION_SIGMOID,
    TERN_ACTIVATION_SILU,
    TERN_ACTIVATION_GELU,
    TERN_ACTIVATION_GELU_TANH,
    TERN_ACTIVATION_TANH,
} tern_activation;
/* activation(x + bias) in one pass; the bits of the two steps. */
TERN_API tern_status tern_bias_activation(tern_tensor *x, tern_tensor *bias,
                                          tern_activation activation, tern_tensor **out);
TERN_API tern_status tern_bias_activation_into(tern_tensor *x, tern_tensor *bias,
                                               tern_activation activation, tern_tensor *out);
/* 0 with this probability, else x / (1 - probability); element i depends on seed and i. */
TERN_API tern_status tern_dropout(tern_tensor *x, double probability, uint64_t seed,
                                  tern_tensor **out);
TERN_API tern_status tern_dropout_into(tern_tensor *x, double probability, uint64_t seed,
                                       tern_tensor *out);
/* Gradients with respect to x, from that of the result and x (sigmoid, tanh: from the result y). */
TERN_API tern_status tern_relu_backward(tern_tensor *grad, tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_relu_backward_into(tern_tensor *grad, tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_relu2_backward(tern_tensor *grad, tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_relu2_backward_into(tern_tensor *grad, tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_silu_backward(tern_tensor *grad, tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_silu_backward_into(tern_tensor *grad, tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_gelu_backward(tern_tensor *grad, tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_gelu_backward_into(tern_tensor *grad, tern_tensor *x, tern_tensor *out);
TERN_API tern_status tern_gelu_tanh_backward(tern_tensor *grad, tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_gelu_tanh_backward_into(tern_tensor *grad, tern_tensor *x,
                                                  tern_tensor *out);
TERN_API tern_status tern_softplus_backward(tern_tensor *grad, tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_softplus_backward_into(tern_tensor *grad, tern_tensor *x,
                                                 tern_tensor *out);
TERN_API tern_status tern_leaky_relu_backward(tern_tensor *grad, tern_tensor *x, double slope,
                                              tern_tensor **out);
TERN_API tern_status tern_leaky_relu_backward_into(tern_tensor *grad, tern_tensor *x, double slope,
                                                   tern_tensor *out);
TERN_API tern_status tern_sigmoid_backward(tern_tensor *grad, tern_tensor *y, tern_tensor **out);
TERN_API tern_status tern_sigmoid_backward_into(tern_tensor *grad, tern_tensor *y,
                                                tern_tensor *out);
TERN_API tern_status tern_tanh_backward(tern_tensor *grad, tern_tensor *y, tern_tensor **out);
TERN_API tern_status tern_tanh_backward_into(tern_tensor *grad, tern_tensor *y, tern_tensor *out);
/* -- reductions ------------------------------------------------------------------------------*/

/* Over `axes`, of all elements in the order of the reduction rule (docs/numerics.md). Sums and
 * products of integers and BOOL are I64, means F64. F16 and BF16 are reduced in F32 and rounded
 * once. Over no elements: sum 0, prod 1, any 0, all 1; min, max, argmin, argmax and median are
 * TERN_E_SHAPE, mean is NaN. */
TERN_API tern_status tern_sum(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_sum_into(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor *out);
TERN_API tern_status tern_prod(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_prod_into(tern_tensor *x, tern_axes axes, bool keepdims,
                                    tern_tensor *out);
TERN_API tern_status tern_mean(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_mean_into(tern_tensor *x, tern_axes axes, bool keepdims,
                                    tern_tensor *out);
TERN_API tern_status tern_min(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_min_into(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor *out);
TERN_API tern_status tern_max(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_max_into(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor *out);
TERN_API tern_status tern_any(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_any_into(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor *out);
TERN_API tern_status tern_all(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_all_into(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor *out);
TERN_API tern_status tern_count_nonzero(tern_tensor *x, tern_axes axes, bool keepdims,
                                        tern_tensor **out);
TERN_API tern_status tern_count_nonzero_into(tern_tensor *x, tern_axes axes, bool keepdims,
                                             tern_tensor *out);
TERN_API tern_status tern_logsumexp(tern_tensor *x, tern_axes axes, bool keepdims,
                                    tern_tensor **out);
TERN_API tern_status tern_logsumexp_into(tern_tensor *x, tern_axes axes, bool keepdims,
                                         tern_tensor *out);
TERN_API tern_status tern_median(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_median_into(tern_tensor *x, tern_axes axes, bool keepdims,
                                      tern_tensor *out);
/* Divided by n - ddof. */
TERN_API tern_status tern_var(tern_tensor *x, tern_axes axes, int ddof, bool keepdims,
                              tern_tensor **out);
TERN_API tern_status tern_var_into(tern_tensor *x, tern_axes axes, int ddof, bool keepdims,
                                   tern_tensor *out);
TERN_API tern_status tern_std(tern_tensor *x, tern_axes axes, int ddof, bool keepdims,
                              tern_tensor **out);
TERN_API tern_status tern_std_into(tern_tensor *x, tern_axes axes, int ddof, bool keepdims,
                                   tern_tensor *out);
/* (sum |x|^p)^(1/p); p = 0 counts, INFINITY and -INFINITY give the largest and smallest |x|. */
TERN_API tern_status tern_norm(tern_tensor *x, double p, tern_axes axes, bool keepdims,
                               tern_tensor **out);
TERN_API tern_status tern_norm_into(tern_tensor *x, double p, tern_axes axes, bool keepdims,
                                    tern_tensor *out);
/* q in 0..1, linear between neighbours; a NaN gives NaN. */
TERN_API tern_status tern_quantile(tern_tensor *x, double q, tern_axes axes, bool keepdims,
                                   tern_tensor **out);
TERN_API tern_status tern_quantile_into(tern_tensor *x, double q, tern_axes axes, bool keepdims,
                                        tern_tensor *out);
/* I64: the lowest index among equals, of the first NaN when there is one. axis may be TERN_FLAT. */
TERN_API tern_status tern_argmin(tern_tensor *x, int axis, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_argmin_into(tern_tensor *x, int axis, bool keepdims, tern_tensor *out);
TERN_API tern_status tern_argmax(tern_tensor *x, int axis, bool keepdims, tern_tensor **out);
TERN_API tern_status tern_argmax_into(tern_tensor *x, int axis, bool keepdims, tern_tensor *out);
/* Running results, in order. axis may be TERN_FLAT. */
TERN_API tern_status tern_cumsum(tern_tensor *x, int axis, tern_tensor **out);
TERN_API tern_status tern_cumsum_into(tern_tensor *x, int axis, tern_tensor *out);
TERN_API tern_status tern_cumprod(tern_tensor *x, int axis, tern_tensor **out);
TERN_API tern_status tern_cumprod_into(tern_tensor *x, int axis, tern_tensor *out);
/* -- norms and losses ------------------------------------------------------------------------*/

/* m = max, e = exp(x - m), e * (1 / sum(e)). */
TERN_API tern_status tern_softmax(tern_tensor *x, int axis, tern_tensor **out);
TERN_API tern_status tern_softmax_into(tern_tensor *x, int axis, tern_tensor *out);
/* x (..., T, S): row t of T has length S - T + t + 1; what lies beyond does not exist and its
 * result is 0. */
TERN_API tern_status tern_softmax_causal(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_softmax_causal_into(tern_tensor *x, tern_tensor *out);
/* x - m - log(sum(exp(x - m))). */
TERN_API tern_status tern_log_softmax(tern_tensor *x, int axis, tern_tensor **out);
TERN_API tern_status tern_log_softmax_into(tern_tensor *x, int axis, tern_tensor *out);
TERN_API tern_status tern_softmax_backward(tern_tensor *grad, tern_tensor *y, int axis,
                                           tern_tensor **out);
TERN_API tern_status tern_softmax_backward_into(tern_tensor *grad, tern_tensor *y, int axis,
                                                tern_tensor *out);
TERN_API tern_status tern_log_softmax_backward(tern_tensor *grad, tern_tensor *y, int axis,
                                               tern_tensor **out);
TERN_API tern_status tern_log_softmax_backward_into(tern_tensor *grad, tern_tensor *y, int axis,
                                                    tern_tensor *out);
/* x (..., D) times weight (D), which may be NULL, over sqrt(mean(x^2) + epsilon) of each row (Zhang
 * and Sennrich 2019, equation 4). F32, F64. */
TERN_API tern_status tern_rms_norm(tern_tensor *x, tern_tensor *weight, double epsilon,
                                   tern_tensor **out);
TERN_API tern_status tern_rms_norm_into(tern_tensor *x, tern_tensor *weight, double epsilon,
                                        tern_tensor *out);
/* (x - mean) / sqrt(var + epsilon) * weight + bias over the last axis (Ba et al. 2016); weight and
 * bias (D) may be NULL. */
TERN_API tern_status tern_layer_norm(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                                     double epsilon, tern_tensor **out);
TERN_API tern_status tern_layer_norm_into(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                                          double epsilon, tern_tensor *out);
/* Gradients of the norms; each out parameter may be NULL, as may a weight. */
TERN_API tern_status tern_rms_norm_backward(tern_tensor *grad, tern_tensor *x, tern_tensor *weight,
                                            double epsilon, tern_tensor **grad_x,
                                            tern_tensor **grad_weight);
TERN_API tern_status tern_layer_norm_backward(tern_tensor *grad, tern_tensor *x,
                                              tern_tensor *weight, double epsilon,
                                              tern_tensor **grad_x, tern_tensor **grad_weight,
                                              tern_tensor **grad_bias);
/* Mean over N of -log softmax(logits)[target]: logits (N, V), targets (N) integers in 0..V-1; rank
 * 0. */
TERN_API tern_status tern_cross_entropy(tern_tensor *logits, tern_tensor *targets,
                                        tern_tensor **out);
TERN_API tern_status tern_cross_entropy_into(tern_tensor *logits, tern_tensor *targets,
                                             tern_tensor *out);
/* grad: rank 0. */
TERN_API tern_status tern_cross_entropy_backward(tern_tensor *grad, tern_tensor *logits,
                                                 tern_tensor *targets, tern_tensor **out);
TERN_API tern_status tern_cross_entropy_backward_into(tern_tensor *grad, tern_tensor *logits,
                                                      tern_tensor *targets, tern_tensor *out);
/* -- matrix products -------------------------------------------------------------------------*/

/* (..., M, K) times (..., K, N), leading axes broadcast; 1-D operands as in NumPy. Transposed
 * operands are read in place. F32, F16 and BF16 (mixed: F32 results), F64, and I8 times I8 into
 * I32, exact for K < 2^17. Per element: k in order, one fma a step. */
TERN_API tern_status tern_matmul(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_matmul_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
/* Named precisions: faster, outside the contract of equal bits. */
typedef enum tern_precision {
    TERN_PRECISION_DEFAULT = 0,
    TERN_PRECISION_BF16 = 1, /* operands rounded to BF16, products summed in F32 in the order that
                                the unit has: relative error 2^-7 a product */
} tern_precision;
/* F32. TERN_E_UNSUPPORTED where the machine has no unit for it. */
TERN_API tern_status tern_matmul_with(tern_tensor *a, tern_tensor *b, tern_precision precision,
                                      tern_tensor **out);
TERN_API tern_status tern_matmul_with_into(tern_tensor *a, tern_tensor *b, tern_precision precision,
                                           tern_tensor *out);
/* Of two vectors, by the reduction rule; rank 0. */
TERN_API tern_status tern_dot(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_dot_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
/* (M) times (N): (M, N). */
TERN_API tern_status tern_outer(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_outer_into(tern_tensor *a, tern_tensor *b, tern_tensor *out);
/* x (..., K) times the transpose of weight (N, K): (..., N). A TERNARY weight is multiplied as
 * BitNet b1.58 does (W1.58A8): each row of x quantised to int8 by its largest magnitude, exact
 * integer products, scaled back; a QUANTIZED one in the same way, with a scale for each row. F32,
 * F16, BF16 and Q8_0 weights: as tern_matmul. */
TERN_API tern_status tern_linear(tern_tensor *x, tern_tensor *weight, tern_tensor **out);
TERN_API tern_status tern_linear_into(tern_tensor *x, tern_tensor *weight, tern_tensor *out);
/* Steps of a decoder in one call, with the bits of the operations that they are made of. On the CPU
 * packed weights (TERNARY, QUANTIZED) make them one pass: x (..., K), F32 and contiguous, is
 * normalised as by tern_rms_norm with `norm` (K) and quantised once, and every piece of the
 * products is finished while it is in the cache. With other weights, strides or devices, without a
 * norm (NULL) and for K > 65536 the operations are called and counted one by one. */
#define TERN_PROJECTIONS_MAX 3
/* outs[i] = linear(rms_norm(x, norm), weights[i]) for `count` weights (N_i, K), 1 to
 * TERN_PROJECTIONS_MAX; the into form writes the results in this order. */
TERN_API tern_status tern_norm_linear(tern_tensor *x, tern_tensor *norm, double epsilon,
                                      tern_tensor *const *weights, int count, tern_tensor **outs);
TERN_API tern_status tern_norm_linear_into(tern_tensor *x, tern_tensor *norm, double epsilon,
                                           tern_tensor *const *weights, int count,
                                           tern_tensor *const *outs);
/* residual (..., N) + linear(rms_norm(x, norm), weight). */
TERN_API tern_status tern_norm_linear_add(tern_tensor *x, tern_tensor *norm, double epsilon,
                                          tern_tensor *weight, tern_tensor *residual,
                                          tern_tensor **out);
TERN_API tern_status tern_norm_linear_add_into(tern_tensor *x, tern_tensor *norm, double epsilon,
                                               tern_tensor *weight, tern_tensor *residual,
                                               tern_tensor *out);
/* activation(linear(h, gate)) * linear(h, up) with h = rms_norm(x, norm): a gated linear unit
 * (Shazeer 2020). */
TERN_API tern_status tern_norm_glu(tern_tensor *x, tern_tensor *norm, double epsilon,
                                   tern_tensor *gate, tern_tensor *up, tern_activation activation,
                                   tern_tensor **out);
TERN_API tern_status tern_norm_glu_into(tern_tensor *x, tern_tensor *norm, double epsilon,
                                        tern_tensor *gate, tern_tensor *up,
                                        tern_activation activation, tern_tensor *out);
/* The k largest of tern_linear(x, table) in each row, (..., k), and where they are (I64): as
 * tern_topk gives them, to the last bit. `screen` is tern_tensor_pack_int(table, 8, ...), or NULL;
 * with it a pass over 8 bits and a proven bound of its error (docs/numerics.md) find the few rows
 * of the table that are read in full. 0 <= k <= N. */
TERN_API tern_status tern_linear_topk(tern_tensor *x, tern_tensor *table, tern_tensor *screen,
                                      int64_t k, tern_tensor **values, tern_tensor **indices);
/* Of two operands, "bij,bjk->bik": letters, blanks, and "->" with the letters of the result, which
 * without it are those that stand once, sorted. Summed by the rule of tern_matmul. */
TERN_API tern_status tern_einsum(const char *subscripts, tern_tensor *a, tern_tensor *b,
                                 tern_tensor **out);
TERN_API tern_status tern_einsum_into(const char *subscripts, tern_tensor *a, tern_tensor *b,
                                      tern_tensor *out);
/* Zero initialisation is not a valid one: see tern_conv_options_default. */
typedef struct tern_conv_options {
    int64_t stride[2], padding[2], dilation[2]; /* height, width; conv1d uses the first */
    int64_t groups;                             /* input channels for depthwise */
} tern_conv_options;

/* Strides 1, no padding, dilations 1, one group. */
TERN_API tern_conv_options tern_conv_options_default(void);

/* x (B, C, T), weight (O, C / groups, K), bias (O) or NULL: (B, O, T'). Cross-correlation; per
 * element channels, then taps in order, one fma a step from +0, then the bias. Taps in the padding
 * do not exist. `options` may be NULL. F32. */
TERN_API tern_status tern_conv1d(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                                 const tern_conv_options *options, tern_tensor **out);
TERN_API tern_status tern_conv1d_into(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                                      const tern_conv_options *options, tern_tensor *out);
/* x (B, C, H, W), weight (O, C / groups, R, S): (B, O, H', W'). */
TERN_API tern_status tern_conv2d(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                                 const tern_conv_options *options, tern_tensor **out);
TERN_API tern_status tern_conv2d_into(tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                                      const tern_conv_options *options, tern_tensor *out);
/* -- models ----------------------------------------------------------------------------------*/

/* Rotary embedding, NEOX halves (Su et al. 2021, equation 34; pairs i and i + K/2): x (T, H, K)
 * F32, row t at position `position + t` of `table` (P, 2, K/2), contiguous, from tern_rope_table.
 */
TERN_API tern_status tern_rope(tern_tensor *x, tern_tensor *table, int64_t position,
                               tern_tensor **out);
TERN_API tern_status tern_rope_into(tern_tensor *x, tern_tensor *table, int64_t position,
                                    tern_tensor *out);
/* cos and sin of p * theta^(-2i/K), p < positions: F32 (positions, 2, K/2). */
TERN_API tern_status tern_rope_table(tern_context *context, int64_t positions, int64_t head_size,
                                     double theta, tern_tensor **out);
/* Rows of `table` (V, D) (F32, F16, BF16, Q8_0; contiguous) as F32 (..., D). ids: I32 or I64.
 * TERN_E_ARGUMENT for an id outside 0..V-1. */
TERN_API tern_status tern_embedding(tern_tensor *table, tern_tensor *ids, tern_tensor **out);
TERN_API tern_status tern_embedding_into(tern_tensor *table, tern_tensor *ids, tern_tensor *out);
/* Grouped-query attention over a cache, causal: q (T, H, K) F32; keys and values (H_kv, S, K) F16
 * or F32, heads contiguous; query t sees positions 0..S-T+t. Result (T, H * K). scores = q.k *
 * scale. */
TERN_API tern_status tern_attention(tern_tensor *q, tern_tensor *keys, tern_tensor *values,
                                    double scale, tern_tensor **out);
TERN_API tern_status tern_attention_into(tern_tensor *q, tern_tensor *keys, tern_tensor *values,
                                         double scale, tern_tensor *out);
/* The same over an int8 cache: keys and values (H_kv, S, K) I8, scales (2, H_kv, S) F32 of keys
 * ([0]) and of values, each head's positions contiguous. scores = (q.k * key scale) * scale; values
 * are multiplied by probability * value scale. */
TERN_API tern_status tern_attention_int8(tern_tensor *q, tern_tensor *keys, tern_tensor *values,
                                         tern_tensor *scales, double scale, tern_tensor **out);
TERN_API tern_status tern_attention_int8_into(tern_tensor *q, tern_tensor *keys,
                                              tern_tensor *values, tern_tensor *scales,
                                              double scale, tern_tensor *out);
/* What the rows of x (..., K) F32 are divided by to become int8: max(max abs(x), 1e-5) / 127, F32
 * (...). NaN for a row with a NaN, infinite for one with an infinity. */
TERN_API tern_status tern_quantize_scale(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_quantize_scale_into(tern_tensor *x, tern_tensor *out);
/* x (..., K) F32 divided by scales (...) F32, rounded to nearest even and clamped to -127..127: I8.
 * What is no number becomes 0. */
TERN_API tern_status tern_quantize(tern_tensor *x, tern_tensor *scales, tern_tensor **out);
TERN_API tern_status tern_quantize_into(tern_tensor *x, tern_tensor *scales, tern_tensor *out);
/* Packs an I2_S, TQ1_0 or TQ2_0 matrix (N, K), or one of I8 numbers -1, 0, +1 (its scale is 1, any
 * strides), for the kernels of the context's device.
 * TERN_E_FORMAT for a code that is no trit or a scale that is not finite. */
TERN_API tern_status tern_tensor_pack(tern_tensor *weight, tern_tensor **out);
/* Quantises an F32, F16, BF16 or Q8_0 matrix (N, K), any strides, to `bits` 8 or 4 for the kernels
 * of its context's device: each row by its largest magnitude m (at least 2^-100) to integers
 * rint(x * (L / m)), L = 127 or 7, with the scale m / L. A row with a NaN or an infinity multiplies
 * to NaN. K <= 2^16, with 4 bits 2^18. */
TERN_API tern_status tern_tensor_pack_int(tern_tensor *weight, int bits, tern_tensor **out);
/* A packed matrix (N, K) of random trits (all three equally likely) and one scale, as
 * tern_tensor_pack would make it; row r of the matrix depends on seed and r only. */
TERN_API tern_status tern_tensor_pack_random(tern_context *context, int64_t rows, int64_t columns,
                                             float scale, uint64_t seed, tern_tensor **out);
/* -- indexing --------------------------------------------------------------------------------*/

/* Index tensors are I32 or I64, negative indices count from the end; the first one outside is named
 * with its place: TERN_E_ARGUMENT, nothing written. Data of any plain type; what is written into x
 * has the type of x. With x itself as the destination, scatter, scatter_add and put write those
 * elements only. */
/* out[..., i, ...] = x[..., index[..., i, ...], ...]: ranks equal, dimensions other than the axis
 * broadcast (NumPy's take_along_axis). */
TERN_API tern_status tern_gather(tern_tensor *x, int axis, tern_tensor *index, tern_tensor **out);
TERN_API tern_status tern_gather_into(tern_tensor *x, int axis, tern_tensor *index,
                                      tern_tensor *out);
/* A copy of x with out[..., index[..., i, ...], ...] = source[..., i, ...]; of equal indices the
 * last one in row-major order wins. The index has the rank of x and broadcasts to x along the other
 * axes; the source broadcasts to that shape. */
TERN_API tern_status tern_scatter(tern_tensor *x, int axis, tern_tensor *index, tern_tensor *source,
                                  tern_tensor **out);
TERN_API tern_status tern_scatter_into(tern_tensor *x, int axis, tern_tensor *index,
                                       tern_tensor *source, tern_tensor *out);
/* The same, added up in row-major order of the index, each sum rounded to the type. Numbers. */
TERN_API tern_status tern_scatter_add(tern_tensor *x, int axis, tern_tensor *index,
                                      tern_tensor *source, tern_tensor **out);
TERN_API tern_status tern_scatter_add_into(tern_tensor *x, int axis, tern_tensor *index,
                                           tern_tensor *source, tern_tensor *out);
/* Slices of one axis by an index vector: out has the length of the index along the axis. */
TERN_API tern_status tern_index_select(tern_tensor *x, int axis, tern_tensor *index,
                                       tern_tensor **out);
TERN_API tern_status tern_index_select_into(tern_tensor *x, int axis, tern_tensor *index,
                                            tern_tensor *out);
/* Elements of x, counted in row-major order, in the shape of the index. */
TERN_API tern_status tern_take(tern_tensor *x, tern_tensor *index, tern_tensor **out);
TERN_API tern_status tern_take_into(tern_tensor *x, tern_tensor *index, tern_tensor *out);
/* A copy of x with the elements at `index`, counted in row-major order, replaced by the values,
 * which broadcast to the index; the last of equal indices wins. */
TERN_API tern_status tern_put(tern_tensor *x, tern_tensor *index, tern_tensor *values,
                              tern_tensor **out);
TERN_API tern_status tern_put_into(tern_tensor *x, tern_tensor *index, tern_tensor *values,
                                   tern_tensor *out);
/* Elements where the BOOL mask is true, x and mask broadcast with each other: a vector in row-major
 * order. */
TERN_API tern_status tern_masked_select(tern_tensor *x, tern_tensor *mask, tern_tensor **out);
TERN_API tern_status tern_masked_select_into(tern_tensor *x, tern_tensor *mask, tern_tensor *out);
/* x with `value`, cast as tern_cast does, where the mask, broadcast to x, is true. */
TERN_API tern_status tern_masked_fill(tern_tensor *x, tern_tensor *mask, double value,
                                      tern_tensor **out);
TERN_API tern_status tern_masked_fill_into(tern_tensor *x, tern_tensor *mask, double value,
                                           tern_tensor *out);
/* I64 (count, rank): the places of elements that are not 0, in row-major order; NaN is not 0. */
TERN_API tern_status tern_nonzero(tern_tensor *x, tern_tensor **out);
TERN_API tern_status tern_nonzero_into(tern_tensor *x, tern_tensor *out);
/* (...) to (..., classes): 1 where the class is the id, else 0. Ids of any integer type, negative
 * ones count from the end. */
TERN_API tern_status tern_one_hot(tern_tensor *ids, int64_t classes, tern_dtype dtype,
                                  tern_tensor **out);
TERN_API tern_status tern_one_hot_into(tern_tensor *ids, int64_t classes, tern_dtype dtype,
                                       tern_tensor *out);
/* I64: where to insert each value in a vector that tern_sort has sorted, before (or with `right`
 * behind) equal ones. Compared in the promoted type in the order of tern_sort. The place of a value
 * in a vector that is not sorted is some number in 0..length. */
TERN_API tern_status tern_searchsorted(tern_tensor *sorted, tern_tensor *values, bool right,
                                       tern_tensor **out);
TERN_API tern_status tern_searchsorted_into(tern_tensor *sorted, tern_tensor *values, bool right,
                                            tern_tensor *out);
/* -- joining and rearranging -----------------------------------------------------------------*/

/* At least one tensor, along an axis, where their lengths may differ; `stack` along a new one, all
 * shapes equal. Types promoted. */
TERN_API tern_status tern_concat(tern_tensor *const *tensors, int count, int axis,
                                 tern_tensor **out);
TERN_API tern_status tern_concat_into(tern_tensor *const *tensors, int count, int axis,
                                      tern_tensor *out);
TERN_API tern_status tern_stack(tern_tensor *const *tensors, int count, int axis,
                                tern_tensor **out);
TERN_API tern_status tern_stack_into(tern_tensor *const *tensors, int count, int axis,
                                     tern_tensor *out);
/* Views of equal length along an axis (rounded up, so that the last ones may be shorter or empty),
 * or of given lengths that add up to it, into `out` of `count` handles. After a failure all of them
 * are NULL. */
TERN_API tern_status tern_chunk(tern_tensor *x, int count, int axis, tern_tensor **out);
TERN_API tern_status tern_split(tern_tensor *x, const int64_t *lengths, int count, int axis,
                                tern_tensor **out);
typedef enum tern_pad_mode {
    TERN_PAD_CONSTANT = 0,
    TERN_PAD_REFLECT = 1, /* about the edge, which is not repeated; again and again where the
                             padding is longer than x. One element is repeated */
    TERN_PAD_EDGE = 2,
} tern_pad_mode;
/* before and after: elements for each axis of x, >= 0. `value`, of mode CONSTANT, is cast as
 * tern_cast does. TERN_E_SHAPE where the other modes have no element to repeat. */
TERN_API tern_status tern_pad(tern_tensor *x, const int64_t *before, const int64_t *after,
                              tern_pad_mode mode, double value, tern_tensor **out);
TERN_API tern_status tern_pad_into(tern_tensor *x, const int64_t *before, const int64_t *after,
                                   tern_pad_mode mode, double value, tern_tensor *out);
/* The whole of x repeated, as NumPy: the shorter of both shapes gets dimensions of 1 in front. */
TERN_API tern_status tern_tile(tern_tensor *x, tern_shape repeats, tern_tensor **out);
TERN_API tern_status tern_tile_into(tern_tensor *x, tern_shape repeats, tern_tensor *out);
/* Each element repeated. axis may be TERN_FLAT: the result is a vector. */
TERN_API tern_status tern_repeat(tern_tensor *x, int64_t count, int axis, tern_tensor **out);
TERN_API tern_status tern_repeat_into(tern_tensor *x, int64_t count, int axis, tern_tensor *out);
/* Element i goes to i + shift, around the end. axis may be TERN_FLAT: all elements in row-major
 * order, the shape stays. */
TERN_API tern_status tern_roll(tern_tensor *x, int64_t shift, int axis, tern_tensor **out);
TERN_API tern_status tern_roll_into(tern_tensor *x, int64_t shift, int axis, tern_tensor *out);
/* -- sorting ---------------------------------------------------------------------------------*/

/* Stable in both directions: elements that compare equal keep their order, as the array API's
 * `stable` asks (NumPy has no descending sort; its reversed one turns equals round). NaN is the
 * largest and equals NaN: the last ones, the first ones in descending order. -0 equals +0. argsort:
 * I64. axis may be TERN_FLAT: the result is a vector. */
TERN_API tern_status tern_sort(tern_tensor *x, int axis, bool descending, tern_tensor **out);
TERN_API tern_status tern_sort_into(tern_tensor *x, int axis, bool descending, tern_tensor *out);
TERN_API tern_status tern_argsort(tern_tensor *x, int axis, bool descending, tern_tensor **out);
TERN_API tern_status tern_argsort_into(tern_tensor *x, int axis, bool descending, tern_tensor *out);
/* The k largest (or smallest) along an axis, 0 <= k <= length, best first, lowest index first among
 * equals; in the order of tern_sort, so that NaN is the largest. `indices` (I64) may be NULL. */
TERN_API tern_status tern_topk(tern_tensor *x, int64_t k, int axis, bool largest,
                               tern_tensor **values, tern_tensor **indices);
/* Different values in the order of tern_sort, of all elements: a vector. Of equal ones (-0 and +0;
 * all NaN) the first in row-major order stands for them. `inverse` (I64, the shape of x): which one
 * each element is; `counts` (I64): how often it occurs. Both may be NULL. */
TERN_API tern_status tern_unique(tern_tensor *x, tern_tensor **values, tern_tensor **inverse,
                                 tern_tensor **counts);

/* -- what there is, and what was done ----------------------------------------------------------*/

/* Each call is counted in exactly one class; calls that create tensors are not counted. */
typedef enum tern_op_class {
    TERN_CLASS_VIEW = 0,     /* the result shares storage */
    TERN_CLASS_IN_PLACE = 1, /* written into an operand's storage */
    TERN_CLASS_COMPUTE = 2,  /* new values, operands read where they lie */
    TERN_CLASS_COPY = 3,     /* bytes moved without being changed, also on the way to a result */
    TERN_CLASS_MOVE = 4,     /* operations whose purpose is to move data: listed apart */
    TERN_CLASSES = 5
} tern_op_class;

typedef struct tern_op_info {
    const char *name;   /* "add": tern_add, tern_add_into */
    int arity;          /* tensors it reads; -1: any number */
    uint64_t dtypes;    /* set (1 << dtype) of what its operands may be promoted to */
    const char *result; /* data type of the result, as a rule in words */
    const char *shape;  /* shape rule */
    tern_op_class op_class;
    const char *family;   /* of kernels; "" if none */
    const char *gradient; /* "" if there is none */
    bool has_into;
    bool is_in_place; /* tern_NAME_into may write over an operand */
} tern_op_info;

TERN_API int tern_op_count(void);
TERN_API const tern_op_info *tern_op_at(int index); /* NULL outside */

typedef struct tern_op_stats {
    int64_t calls[TERN_CLASSES];
    int64_t bytes[TERN_CLASSES]; /* read and written; of class COPY: those that were moved. Of what
                                    is picked from by indices, what is picked */
} tern_op_stats;

typedef struct tern_stats {
    tern_op_stats total;
    int64_t packed_bytes;       /* panels packed inside matrix products: not a copy */
    double zero_copy_rate;      /* 1 - copies / calls, without class MOVE; 1 when there are none */
    double zero_copy_no_views;  /* the same without class VIEW */
    double zero_copy_byte_rate; /* 1 - copied bytes / bytes, without class MOVE */
    int64_t screen_rows;        /* rows of x that tern_linear_topk has screened */
    int64_t screen_candidates;  /* products that were computed for them in full */
    int64_t screen_failures;    /* rows for which these were all there are */
} tern_stats;

/* Since the context was made or tern_stats_reset, a call of the thread that owns the context. */
TERN_API void tern_stats_get(const tern_context *context, tern_stats *stats);
TERN_API void tern_stats_op(const tern_context *context, int op, tern_op_stats *stats);
TERN_API void tern_stats_reset(tern_context *context);

#ifdef __cplusplus
}
#endif

#ifndef TERN_NO_SITES
#define TERN_SITES_OPS
#include <tern/sites.h>
#endif
#endif
