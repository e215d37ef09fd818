/* SPDX-License-Identifier: MIT
 * Names of operations by the form of their calls. */
#ifndef TERN_TEST_OP_LISTS_H
#define TERN_TEST_OP_LISTS_H

/* clang-format off */
/* X(name): of one tensor, element by element. */
#define OP_UNARY(X) \
    X(neg) X(abs) X(sign) X(square) X(sqrt) X(rsqrt) X(reciprocal) X(exp) X(expm1) X(log) \
    X(log1p) X(log2) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh) X(erf) \
    X(round) X(floor) X(ceil) X(trunc) X(bit_not) X(logical_not) X(isnan) X(isinf) X(isfinite) \
    X(relu) X(relu2) X(sigmoid) X(silu) X(gelu) X(gelu_tanh) X(softplus)

/* Of two, broadcast. */
#define OP_BINARY(X) \
    X(add) X(sub) X(mul) X(div) X(floor_div) X(mod) X(pow) X(atan2) X(minimum) X(maximum) \
    X(bit_and) X(bit_or) X(bit_xor) X(shift_left) X(shift_right) X(equal) X(not_equal) X(less) \
    X(less_equal) X(greater) X(greater_equal) X(logical_and) X(logical_or) X(logical_xor) \
    X(relu_backward) X(relu2_backward) X(silu_backward) X(gelu_backward) X(gelu_tanh_backward) \
    X(softplus_backward) X(sigmoid_backward) X(tanh_backward)

/* Of two, of one and of three in other ways. */
#define OP_PAIR(X) \
    X(cross_entropy) X(matmul) X(dot) X(outer) X(linear) X(embedding) X(take) X(masked_select) \
    X(quantize)
#define OP_SINGLE(X) \
    X(softmax_causal) X(nonzero) X(quantize_scale)
#define OP_TERNARY(X) \
    X(fma) X(where) X(put) X(cross_entropy_backward)

/* Integers: keepdims, axes. */
#define OP_REDUCTION(X) \
    X(sum) X(prod) X(mean) X(min) X(max) X(any) X(all) X(count_nonzero) X(logsumexp) X(median)

/* Integers: the axis. */
#define OP_ALONG(X) \
    X(cumsum) X(cumprod) X(softmax) X(log_softmax)
/* clang-format on */

#endif
