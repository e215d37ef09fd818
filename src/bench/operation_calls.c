/* SPDX-License-Identifier: MIT */
#include "bench/operation_calls.h"

#include <math.h>
#include <string.h>

#include <tern/linalg.h>
#include <tern/ops.h>

/* X(name, call): `in` are the operands, `c` the context, `out` the results. Numbers of the call are
 * ordinary ones; reductions go along the last axis. */
#define CREATION_CALLS(X)                                                                          \
    X(zeros, tern_tensor_zeros(c, TERN_F32, matrix(in), out))                                      \
    X(ones, tern_tensor_ones(c, TERN_F32, matrix(in), out))                                        \
    X(full, tern_tensor_full(c, TERN_F32, matrix(in), 0.5, out))                                   \
    X(arange, tern_tensor_arange(c, TERN_F32, 0, elements(in), 1, out))                            \
    X(linspace, tern_tensor_linspace(c, TERN_F32, 0, 1, (int64_t)elements(in), out))               \
    X(eye, tern_tensor_eye(c, TERN_F32, side(in), side(in), 0, out))                               \
    X(rand, tern_tensor_rand(c, TERN_F32, matrix(in), 1, out))                                     \
    X(randn, tern_tensor_randn(c, TERN_F32, matrix(in), 1, out))                                   \
    X(randint, tern_tensor_randint(c, TERN_I32, matrix(in), -9, 9, 1, out))                        \
    X(bernoulli, tern_tensor_bernoulli(c, TERN_BOOL, matrix(in), 0.5, 1, out))                     \
    X(from_data, tern_tensor_from_data(c, TERN_F32, matrix(in), tern_tensor_data(in->plain), out)) \
    X(borrow, tern_tensor_borrow(c, TERN_F32, matrix(in), tern_tensor_data(in->plain), out))

#define VIEW_CALLS(X)                                                                              \
    X(reshape, tern_tensor_reshape(in->a, TERN_SHAPE(side(in) / 2, 2, side(in)), out))             \
    X(flatten, tern_tensor_flatten(in->thin, 0, 1, out))                                           \
    X(move_axis, tern_tensor_move_axis(in->a, 0, 1, out))                                          \
    X(permute, tern_tensor_permute(in->a, (const int[]){1, 0}, out))                               \
    X(transpose, tern_tensor_transpose(in->a, 0, 1, out))                                          \
    X(slice, tern_tensor_slice(in->a, 1, 0, INT64_MAX, 2, out))                                    \
    X(select, tern_tensor_select(in->a, 0, 1, out))                                                \
    X(broadcast, tern_tensor_broadcast(in->a, TERN_SHAPE(2, side(in), side(in)), out))             \
    X(squeeze, tern_tensor_squeeze(in->thin, TERN_AXES(1), out))                                   \
    X(unsqueeze, tern_tensor_unsqueeze(in->a, 0, out))                                             \
    X(flip, tern_tensor_flip(in->a, TERN_AXES(1), out))                                            \
    X(diagonal, tern_tensor_diagonal(in->a, 1, 0, 1, out))                                         \
    X(unfold, tern_tensor_unfold(in->a, 1, 4, 2, out))                                             \
    X(view_as, tern_tensor_view_as(in->a, TERN_I32, out))                                          \
    X(chunk, tern_chunk(in->a, 2, 0, out))                                                         \
    X(split, tern_split(in->a, (const int64_t[]){1, side(in) - 1}, 2, 0, out))                     \
    X(contiguous, tern_contiguous(in->a, out))                                                     \
    X(clone, tern_clone(in->a, out))                                                               \
    X(cast, tern_cast(in->a, TERN_F16, out))                                                       \
    X(copy, (*out = tern_tensor_retain(in->room), tern_copy(in->a, in->room)))

/* X(name, operands) and X(name, operand): tern_NAME(..., out). */
#define BINARY_CALLS(X)                                                                            \
    X(add, in->a, in->b)                                                                           \
    X(sub, in->a, in->b)                                                                           \
    X(mul, in->a, in->b)                                                                           \
    X(div, in->a, in->near)                                                                        \
    X(floor_div, in->a, in->near)                                                                  \
    X(mod, in->a, in->near)                                                                        \
    X(pow, in->near, in->a)                                                                        \
    X(atan2, in->a, in->b)                                                                         \
    X(minimum, in->a, in->b)                                                                       \
    X(maximum, in->a, in->b)                                                                       \
    X(bit_and, in->whole, in->few)                                                                 \
    X(bit_or, in->whole, in->few)                                                                  \
    X(bit_xor, in->whole, in->few)                                                                 \
    X(shift_left, in->whole, in->few)                                                              \
    X(shift_right, in->whole, in->few)                                                             \
    X(equal, in->a, in->b)                                                                         \
    X(not_equal, in->a, in->b)                                                                     \
    X(less, in->a, in->b)                                                                          \
    X(less_equal, in->a, in->b)                                                                    \
    X(greater, in->a, in->b)                                                                       \
    X(greater_equal, in->a, in->b)                                                                 \
    X(logical_and, in->mask, in->a)                                                                \
    X(logical_or, in->mask, in->a)                                                                 \
    X(logical_xor, in->mask, in->a)                                                                \
    X(relu_backward, in->a, in->b)                                                                 \
    X(relu2_backward, in->a, in->b)                                                                \
    X(sigmoid_backward, in->a, in->share)                                                          \
    X(tanh_backward, in->a, in->share)                                                             \
    X(silu_backward, in->a, in->b)                                                                 \
    X(gelu_backward, in->a, in->b)                                                                 \
    X(gelu_tanh_backward, in->a, in->b)                                                            \
    X(softplus_backward, in->a, in->b)                                                             \
    X(matmul, in->a, in->b)                                                                        \
    X(take, in->a, in->index)                                                                      \
    X(masked_select, in->a, in->mask)                                                              \
    X(cross_entropy, in->a, in->ids)                                                               \
    X(linear, in->a, in->b)

#define UNARY_CALLS(X)                                                                             \
    X(neg, in->a)                                                                                  \
    X(abs, in->a)                                                                                  \
    X(sign, in->a)                                                                                 \
    X(square, in->a)                                                                               \
    X(sqrt, in->near)                                                                              \
    X(rsqrt, in->near)                                                                             \
    X(reciprocal, in->near)                                                                        \
    X(exp, in->a)                                                                                  \
    X(expm1, in->a)                                                                                \
    X(log, in->near)                                                                               \
    X(log1p, in->near)                                                                             \
    X(log2, in->near)                                                                              \
    X(sin, in->a)                                                                                  \
    X(cos, in->a)                                                                                  \
    X(tan, in->a)                                                                                  \
    X(asin, in->share)                                                                             \
    X(acos, in->share)                                                                             \
    X(atan, in->a)                                                                                 \
    X(sinh, in->a)                                                                                 \
    X(cosh, in->a)                                                                                 \
    X(tanh, in->a)                                                                                 \
    X(erf, in->a)                                                                                  \
    X(round, in->a)                                                                                \
    X(floor, in->a)                                                                                \
    X(ceil, in->a)                                                                                 \
    X(trunc, in->a)                                                                                \
    X(bit_not, in->whole)                                                                          \
    X(logical_not, in->mask)                                                                       \
    X(isnan, in->a)                                                                                \
    X(isinf, in->a)                                                                                \
    X(isfinite, in->a)                                                                             \
    X(relu, in->a)                                                                                 \
    X(relu2, in->a)                                                                                \
    X(sigmoid, in->a)                                                                              \
    X(silu, in->a)                                                                                 \
    X(gelu, in->a)                                                                                 \
    X(gelu_tanh, in->a)                                                                            \
    X(softplus, in->a)                                                                             \
    X(softmax_causal, in->a)                                                                       \
    X(nonzero, in->mask)

/* X(name, operand): tern_NAME(operand, last axis, false, out). */
#define REDUCTION_CALLS(X)                                                                         \
    X(sum, in->a)                                                                                  \
    X(prod, in->near)                                                                              \
    X(mean, in->a)                                                                                 \
    X(min, in->a)                                                                                  \
    X(max, in->a)                                                                                  \
    X(any, in->mask)                                                                               \
    X(all, in->mask)                                                                               \
    X(count_nonzero, in->mask)                                                                     \
    X(logsumexp, in->a)                                                                            \
    X(median, in->a)

/* X(name, call) */
#define NUMBER_CALLS(X)                                                                            \
    X(fma, tern_fma(in->a, in->b, in->c, out))                                                     \
    X(scale, tern_scale(in->a, 0.5, out))                                                          \
    X(affine, tern_affine(in->a, 0.5, 1, out))                                                     \
    X(add_scaled, tern_add_scaled(in->a, in->b, 0.5, out))                                         \
    X(clip, tern_clip(in->a, -1, 1, out))                                                          \
    X(isclose, tern_isclose(in->a, in->b, 1e-5, 1e-8, false, out))                                 \
    X(where, tern_where(in->mask, in->a, in->b, out))                                              \
    X(leaky_relu, tern_leaky_relu(in->a, 0.01, out))                                               \
    X(bias_activation, tern_bias_activation(in->a, in->row, TERN_ACTIVATION_GELU, out))            \
    X(dropout, tern_dropout(in->a, 0.5, 1, out))                                                   \
    X(leaky_relu_backward, tern_leaky_relu_backward(in->a, in->b, 0.01, out))                      \
    X(var, tern_var(in->a, TERN_AXES(1), 1, false, out))                                           \
    X(std, tern_std(in->a, TERN_AXES(1), 1, false, out))                                           \
    X(norm, tern_norm(in->a, 2, TERN_AXES(1), false, out))                                         \
    X(quantile, tern_quantile(in->a, 0.25, TERN_AXES(1), false, out))                              \
    X(argmin, tern_argmin(in->a, 1, false, out))                                                   \
    X(argmax, tern_argmax(in->a, 1, false, out))                                                   \
    X(cumsum, tern_cumsum(in->a, 1, out))                                                          \
    X(cumprod, tern_cumprod(in->near, 1, out))                                                     \
    X(softmax, tern_softmax(in->a, 1, out))                                                        \
    X(log_softmax, tern_log_softmax(in->a, 1, out))                                                \
    X(softmax_backward, tern_softmax_backward(in->a, in->share, 1, out))                           \
    X(log_softmax_backward, tern_log_softmax_backward(in->a, in->b, 1, out))                       \
    X(rms_norm, tern_rms_norm(in->a, in->row, 1e-5, out))                                          \
    X(layer_norm, tern_layer_norm(in->a, in->row, in->row, 1e-5, out))                             \
    X(rms_norm_backward, tern_rms_norm_backward(in->a, in->b, in->row, 1e-5, out, out + 1))        \
    X(layer_norm_backward,                                                                         \
      tern_layer_norm_backward(in->a, in->b, in->row, 1e-5, out, out + 1, out + 2))                \
    X(cross_entropy_backward, tern_cross_entropy_backward(in->one, in->a, in->ids, out))           \
    X(matmul_with, tern_matmul_with(in->a, in->b, TERN_PRECISION_BF16, out))                       \
    X(ternary_linear, tern_linear(in->a, in->packed, out))                                         \
    X(quantized_linear, tern_linear(in->a, in->screen, out))                                       \
    X(linear_topk, tern_linear_topk(in->row, in->plain, in->screen, 1, out, out + 1))              \
    X(pack_int, tern_tensor_pack_int(in->a, 8, out))                                               \
    X(einsum, tern_einsum("ij,kj->ik", in->a, in->b, out))                                         \
    X(conv1d, tern_conv1d(in->sequence, in->taps, NULL, NULL, out))                                \
    X(conv2d, tern_conv2d(in->image, in->filter, NULL, NULL, out))                                 \
    X(rope, tern_rope(in->heads, in->angles, 0, out))                                              \
    X(attention, tern_attention(in->queries, in->keys, in->values, 0.18, out))                     \
    X(attention_int8,                                                                              \
      tern_attention_int8(in->queries, in->bytes, in->bytes, in->scales, 0.18, out))               \
    X(quantize_scale, tern_quantize_scale(in->a, out))                                             \
    X(quantize, tern_quantize(in->a, in->row, out))                                                \
    X(pack, tern_tensor_pack(in->trits, out))

#define MOVING_CALLS(X)                                                                            \
    X(gather, tern_gather(in->a, 1, in->index, out))                                               \
    X(scatter, tern_scatter(in->a, 1, in->index, in->b, out))                                      \
    X(scatter_add, tern_scatter_add(in->a, 1, in->index, in->b, out))                              \
    X(index_select, tern_index_select(in->a, 0, in->ids, out))                                     \
    X(put, tern_put(in->a, in->index, in->b, out))                                                 \
    X(masked_fill, tern_masked_fill(in->a, in->mask, 0, out))                                      \
    X(searchsorted, tern_searchsorted(in->sorted, in->a, false, out))                              \
    X(concat, tern_concat((tern_tensor *const[]){in->a, in->b}, 2, 0, out))                        \
    X(stack, tern_stack((tern_tensor *const[]){in->a, in->b}, 2, 0, out))                          \
    X(pad, tern_pad(in->a, (const int64_t[]){1, 1}, (const int64_t[]){1, 1}, TERN_PAD_CONSTANT, 0, \
                    out))                                                                          \
    X(tile, tern_tile(in->a, TERN_SHAPE(2, 1), out))                                               \
    X(repeat, tern_repeat(in->a, 2, 1, out))                                                       \
    X(roll, tern_roll(in->a, 1, 1, out))                                                           \
    X(sort, tern_sort(in->a, 1, false, out))                                                       \
    X(argsort, tern_argsort(in->a, 1, false, out))                                                 \
    X(topk, tern_topk(in->a, 8, 1, true, out, out + 1))                                            \
    X(unique, tern_unique(in->whole, out, out + 1, out + 2))

/* Operands of these are contiguous whatever the layout. */
#define PLAIN_CALLS(X)                                                                             \
    X(dot, tern_dot(in->flat, in->flat2, out))                                                     \
    X(outer, tern_outer(in->row, in->row, out))                                                    \
    X(rope_table, tern_rope_table(c, side(in), 32, 10000, out))                                    \
    X(embedding, tern_embedding(in->plain, in->ids, out))                                          \
    X(norm_linear,                                                                                 \
      tern_norm_linear(in->plain, in->row, 1e-5,                                                   \
                       (tern_tensor *const[]){in->packed, in->packed, in->packed}, 3, out))        \
    X(norm_linear_add, tern_norm_linear_add(in->plain, in->row, 1e-5, in->packed, in->room, out))  \
    X(norm_glu,                                                                                    \
      tern_norm_glu(in->plain, in->row, 1e-5, in->packed, in->packed, TERN_ACTIVATION_RELU2, out)) \
    X(pack_random, tern_tensor_pack_random(c, side(in), side(in), 0.5f, 1, out))                   \
    X(one_hot, tern_one_hot(in->ids, side(in), TERN_F32, out))                                     \
    X(solve, tern_solve(in->definite, in->matrix, out))                                            \
    X(inv, tern_inv(in->definite, out))                                                            \
    X(det, tern_det(in->matrix, out))                                                              \
    X(slogdet, tern_slogdet(in->matrix, out, out + 1))                                             \
    X(lstsq, tern_lstsq(in->definite, in->matrix, -1, out, out + 1, out + 2, out + 3))             \
    X(pinv, tern_pinv(in->matrix, -1, out))                                                        \
    X(lu, tern_lu(in->matrix, out, out + 1, out + 2))                                              \
    X(qr, tern_qr(in->matrix, true, out, out + 1))                                                 \
    X(cholesky, tern_cholesky(in->definite, out))                                                  \
    X(svd, tern_svd(in->matrix, false, out, out + 1, out + 2))                                     \
    X(eigh, tern_eigh(in->definite, out, out + 1))                                                 \
    X(eig, tern_eig(in->matrix, out, out + 1, out + 2, out + 3))                                   \
    X(matrix_rank, tern_matrix_rank(in->definite, -1, out))                                        \
    X(cond, tern_cond(in->definite, out))                                                          \
    X(matrix_norm, tern_matrix_norm(in->matrix, TERN_MATRIX_TWO, out))                             \
    X(expm, tern_expm(in->matrix, out))

static int64_t side(const tern__operands *in) {
    return tern_tensor_dim(in->plain, 0);
}

static double elements(const tern__operands *in) {
    return (double)tern_tensor_count(in->plain);
}

static tern_shape matrix(const tern__operands *in) {
    return tern_tensor_shape(in->plain);
}

#define DEFINE(name, expression)                                                                   \
    static tern_status call_##name(tern_context *c, const tern__operands *in, tern_tensor **out) { \
        (void)c;                                                                                   \
        return expression;                                                                         \
    }
#define DEFINE_BINARY(name, x, y) DEFINE(name, tern_##name(x, y, out))
#define DEFINE_UNARY(name, x)     DEFINE(name, tern_##name(x, out))
#define DEFINE_REDUCTION(name, x) DEFINE(name, tern_##name(x, TERN_AXES(1), false, out))
DEFINE(empty, tern_tensor_empty(c, TERN_F32, matrix(in), out))
CREATION_CALLS(DEFINE)
VIEW_CALLS(DEFINE)
BINARY_CALLS(DEFINE_BINARY)
UNARY_CALLS(DEFINE_UNARY)
REDUCTION_CALLS(DEFINE_REDUCTION)
NUMBER_CALLS(DEFINE)
MOVING_CALLS(DEFINE)
PLAIN_CALLS(DEFINE)

#define LAID_ROW(name, ...)  {#name, true, true, call_##name},
#define PLAIN_ROW(name, ...) {#name, false, true, call_##name},
static const tern__op_caller callers[] = {
    {"empty", false, false, call_empty},
    CREATION_CALLS(PLAIN_ROW) VIEW_CALLS(LAID_ROW) BINARY_CALLS(LAID_ROW) UNARY_CALLS(LAID_ROW)
        REDUCTION_CALLS(LAID_ROW) NUMBER_CALLS(LAID_ROW) MOVING_CALLS(LAID_ROW)
            PLAIN_CALLS(PLAIN_ROW)};
enum { CALLERS = sizeof callers / sizeof *callers };

int tern__op_caller_count(void) {
    return CALLERS;
}

const tern__op_caller *tern__op_caller_at(int index) {
    return index >= 0 && index < CALLERS ? &callers[index] : NULL;
}

const tern__op_caller *tern__op_caller_find(const char *name) {
    for (int i = 0; i < CALLERS; i++)
        if (strcmp(callers[i].name, name) == 0)
            return &callers[i];
    return NULL;
}

void tern__op_results_release(tern_tensor **out) {
    for (int i = 0; i < TERN__CALL_RESULTS; i++) {
        tern_tensor_release(out[i]);
        out[i] = NULL;
    }
}

tern_status tern__op_call_once(const tern__op_caller *caller, tern_context *context,
                               const tern__operands *in, tern_tensor **out) {
    memset(out, 0, TERN__CALL_RESULTS * sizeof *out);
    tern_status status = caller->call(context, in, out);
    if (status != TERN_OK)
        tern__op_results_release(out);
    return status;
}

double tern__op_caller_flops(const tern__op_caller *caller, int64_t side) {
    static const char *const products[] = {"matmul",         "matmul_with",      "linear",
                                           "ternary_linear", "quantized_linear", "einsum"};
    static const struct {
        const char *name;
        int products;
    } fused[] = {{"norm_linear", 3}, {"norm_linear_add", 1}, {"norm_glu", 2}};
    double s = (double)side, t = s / 8;
    for (size_t i = 0; i < sizeof fused / sizeof *fused; i++)
        if (strcmp(caller->name, fused[i].name) == 0)
            return fused[i].products * 2 * s * s * s;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        if (strcmp(caller->name, products[i]) == 0)
            return 2 * s * s * s;
    if (strcmp(caller->name, "conv1d") == 0)
        return 2 * (8 * 4 * 3) * (s / 4) * (s - 2);
    if (strcmp(caller->name, "conv2d") == 0)
        return 2 * (8 * 4 * 9) * (s / 4 - 2) * (s - 2);
    if (strncmp(caller->name, "attention", 9) == 0) /* query i of t sees s - t + i + 1 positions */
        return 4 * s * t * (s - t + (t + 1) / 2);
    return NAN;
}
