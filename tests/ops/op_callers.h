/* SPDX-License-Identifier: MIT
 *
 * From the name of an operation to its call: operands, integers and numbers of a case in the order
 * that tests/data/README.md gives for the operation. A call with `into` is that of the _into form.
 */
#ifndef TERN_TEST_OP_CALLERS_H
#define TERN_TEST_OP_CALLERS_H

#include "op_linalg_callers.h"
#include "op_lists.h"

/* -- element by element ------------------------------------------------------------------------*/

#define OP_CALL_UNARY(name)                                                                        \
    OP_CALLER(name) {                                                                              \
        return OP_FORMS(name, k->in[0]);                                                           \
    }
#define OP_CALL_BINARY(name)                                                                       \
    OP_CALLER(name) {                                                                              \
        return OP_FORMS(name, k->in[0], k->in[1]);                                                 \
    }
#define OP_CALL_TERNARY(name)                                                                      \
    OP_CALLER(name) {                                                                              \
        return OP_FORMS(name, k->in[0], k->in[1], k->in[2]);                                       \
    }
#define OP_CALL_REDUCTION(name)                                                                    \
    OP_CALLER(name) {                                                                              \
        return OP_FORMS(name, k->in[0], op_axes(k, 1), op_int(k, 0) != 0);                         \
    }
#define OP_CALL_ALONG(name)                                                                        \
    OP_CALLER(name) {                                                                              \
        return OP_FORMS(name, k->in[0], op_int(k, 0));                                             \
    }

OP_UNARY(OP_CALL_UNARY)
OP_SINGLE(OP_CALL_UNARY)
OP_BINARY(OP_CALL_BINARY)
OP_PAIR(OP_CALL_BINARY)
OP_TERNARY(OP_CALL_TERNARY)
OP_REDUCTION(OP_CALL_REDUCTION)
OP_ALONG(OP_CALL_ALONG)

OP_CALLER(scale) {
    return OP_FORMS(scale, k->in[0], k->c->numbers[0]);
}

OP_CALLER(leaky_relu) {
    return OP_FORMS(leaky_relu, k->in[0], k->c->numbers[0]);
}

OP_CALLER(leaky_relu_backward) {
    return OP_FORMS(leaky_relu_backward, k->in[0], k->in[1], k->c->numbers[0]);
}

OP_CALLER(affine) {
    return OP_FORMS(affine, k->in[0], k->c->numbers[0], k->c->numbers[1]);
}

OP_CALLER(clip) {
    return OP_FORMS(clip, k->in[0], k->c->numbers[0], k->c->numbers[1]);
}

OP_CALLER(add_scaled) {
    return OP_FORMS(add_scaled, k->in[0], k->in[1], k->c->numbers[0]);
}

OP_CALLER(bias_activation) {
    return OP_FORMS(bias_activation, k->in[0], k->in[1], (tern_activation)op_int(k, 0));
}

OP_CALLER(dropout) {
    return OP_FORMS(dropout, k->in[0], k->c->numbers[0], (uint64_t)k->c->integers[0]);
}

OP_CALLER(masked_fill) {
    return OP_FORMS(masked_fill, k->in[0], k->in[1], k->c->numbers[0]);
}

OP_CALLER(isclose) {
    return OP_FORMS(isclose, k->in[0], k->in[1], k->c->numbers[0], k->c->numbers[1],
                    op_int(k, 0) != 0);
}

/* A truth value as a tensor. */
static inline tern_status op_truth(op_call *k, tern_status status, bool truth) {
    tern_shape none = {.rank = 0};
    return status == TERN_OK ? tern_tensor_full(k->context, TERN_BOOL, none, truth, &k->out[0])
                             : status;
}

OP_CALLER(allclose) {
    bool truth;
    tern_status status = tern_allclose(k->in[0], k->in[1], k->c->numbers[0], k->c->numbers[1],
                                       op_int(k, 0) != 0, &truth);
    return op_truth(k, status, truth);
}

OP_CALLER(array_equal) {
    bool truth;
    tern_status status = tern_array_equal(k->in[0], k->in[1], &truth);
    return op_truth(k, status, truth);
}

/* -- creation and views ------------------------------------------------------------------------*/

OP_CALLER(empty) {
    return tern_tensor_empty(k->context, op_dtype(k, 0), op_shape(k, 1), &k->out[0]);
}

OP_CALLER(zeros) {
    return tern_tensor_zeros(k->context, op_dtype(k, 0), op_shape(k, 1), &k->out[0]);
}

OP_CALLER(ones) {
    return tern_tensor_ones(k->context, op_dtype(k, 0), op_shape(k, 1), &k->out[0]);
}

OP_CALLER(full) {
    return tern_tensor_full(k->context, op_dtype(k, 0), op_shape(k, 1), k->c->numbers[0],
                            &k->out[0]);
}

OP_CALLER(arange) {
    return tern_tensor_arange(k->context, op_dtype(k, 0), k->c->numbers[0], k->c->numbers[1],
                              k->c->numbers[2], &k->out[0]);
}

OP_CALLER(linspace) {
    return tern_tensor_linspace(k->context, op_dtype(k, 0), k->c->numbers[0], k->c->numbers[1],
                                k->c->integers[1], &k->out[0]);
}

OP_CALLER(eye) {
    return tern_tensor_eye(k->context, op_dtype(k, 0), k->c->integers[1], k->c->integers[2],
                           k->c->integers[3], &k->out[0]);
}

OP_CALLER(rand) {
    return tern_tensor_rand(k->context, op_dtype(k, 0), op_shape(k, 2), (uint64_t)k->c->integers[1],
                            &k->out[0]);
}

OP_CALLER(randn) {
    return tern_tensor_randn(k->context, op_dtype(k, 0), op_shape(k, 2),
                             (uint64_t)k->c->integers[1], &k->out[0]);
}

OP_CALLER(randint) {
    return tern_tensor_randint(k->context, op_dtype(k, 0), op_shape(k, 4), k->c->integers[2],
                               k->c->integers[3], (uint64_t)k->c->integers[1], &k->out[0]);
}

OP_CALLER(bernoulli) {
    return tern_tensor_bernoulli(k->context, op_dtype(k, 0), op_shape(k, 2), k->c->numbers[0],
                                 (uint64_t)k->c->integers[1], &k->out[0]);
}

OP_CALLER(from_data) {
    return tern_tensor_from_data(k->context, tern_tensor_dtype(k->in[0]),
                                 tern_tensor_shape(k->in[0]), tern_tensor_data(k->in[0]),
                                 &k->out[0]);
}

OP_CALLER(borrow) {
    return tern_tensor_borrow(k->context, tern_tensor_dtype(k->in[0]), tern_tensor_shape(k->in[0]),
                              tern_tensor_data(k->in[0]), &k->out[0]);
}

OP_CALLER(reshape) {
    return tern_tensor_reshape(k->in[0], op_shape(k, 0), &k->out[0]);
}

OP_CALLER(permute) {
    int axes[TERN_MAX_RANK] = {0};
    for (int i = 0; i < k->c->integer_count; i++)
        axes[i] = op_int(k, i);
    return tern_tensor_permute(k->in[0], axes, &k->out[0]);
}

OP_CALLER(transpose) {
    return tern_tensor_transpose(k->in[0], op_int(k, 0), op_int(k, 1), &k->out[0]);
}

OP_CALLER(move_axis) {
    return tern_tensor_move_axis(k->in[0], op_int(k, 0), op_int(k, 1), &k->out[0]);
}

OP_CALLER(flatten) {
    return tern_tensor_flatten(k->in[0], op_int(k, 0), op_int(k, 1), &k->out[0]);
}

OP_CALLER(slice) {
    return tern_tensor_slice(k->in[0], op_int(k, 0), k->c->integers[1], k->c->integers[2],
                             k->c->integers[3], &k->out[0]);
}

OP_CALLER(select) {
    return tern_tensor_select(k->in[0], op_int(k, 0), k->c->integers[1], &k->out[0]);
}

OP_CALLER(broadcast) {
    return tern_tensor_broadcast(k->in[0], op_shape(k, 0), &k->out[0]);
}

OP_CALLER(squeeze) {
    return tern_tensor_squeeze(k->in[0], op_axes(k, 0), &k->out[0]);
}

OP_CALLER(unsqueeze) {
    return tern_tensor_unsqueeze(k->in[0], op_int(k, 0), &k->out[0]);
}

OP_CALLER(flip) {
    return tern_tensor_flip(k->in[0], op_axes(k, 0), &k->out[0]);
}

OP_CALLER(diagonal) {
    return tern_tensor_diagonal(k->in[0], k->c->integers[0], op_int(k, 1), op_int(k, 2),
                                &k->out[0]);
}

OP_CALLER(unfold) {
    return tern_tensor_unfold(k->in[0], op_int(k, 0), k->c->integers[1], k->c->integers[2],
                              &k->out[0]);
}

OP_CALLER(view_as) {
    return tern_tensor_view_as(k->in[0], op_dtype(k, 0), &k->out[0]);
}

OP_CALLER(chunk) {
    return tern_chunk(k->in[0], op_int(k, 0), op_int(k, 1), k->out);
}

OP_CALLER(split) {
    return tern_split(k->in[0], k->c->integers + 1, k->c->integer_count - 1, op_int(k, 0), k->out);
}

/* -- copies: without a form _into, tern_copy is it ---------------------------------------------*/

OP_CALLER(contiguous) {
    return k->into != NULL ? tern_copy(k->in[0], k->into) : tern_contiguous(k->in[0], &k->out[0]);
}

OP_CALLER(clone) {
    return k->into != NULL ? tern_copy(k->in[0], k->into) : tern_clone(k->in[0], &k->out[0]);
}

OP_CALLER(cast) {
    if (k->into == NULL)
        return tern_cast(k->in[0], op_dtype(k, 0), &k->out[0]);
    if (tern__dtype_is_plain(tern_tensor_dtype(k->in[0])))
        return tern_copy(k->in[0], k->into);
    tern_tensor *wide = NULL;
    test_ok(tern_cast(k->in[0], op_dtype(k, 0), &wide));
    tern_status status = tern_copy(wide, k->into);
    tern_tensor_release(wide);
    return status;
}

OP_CALLER(copy) {
    if (k->into != NULL)
        return tern_copy(k->in[0], k->into);
    test_ok(tern_tensor_empty(k->context, op_dtype(k, 0), op_shape(k, 1), &k->out[0]));
    tern_status status = tern_copy(k->in[0], k->out[0]);
    if (status != TERN_OK) {
        tern_tensor_release(k->out[0]);
        k->out[0] = NULL;
    }
    return status;
}

OP_CALLER(item) {
    double value;
    tern_shape none = {.rank = 0};
    tern_status status = tern_item(k->in[0], &value);
    return status == TERN_OK ? tern_tensor_full(k->context, TERN_F64, none, value, &k->out[0])
                             : status;
}

/* -- reductions --------------------------------------------------------------------------------*/

OP_CALLER(var) {
    return OP_FORMS(var, k->in[0], op_axes(k, 2), op_int(k, 1), op_int(k, 0) != 0);
}

OP_CALLER(std) {
    return OP_FORMS(std, k->in[0], op_axes(k, 2), op_int(k, 1), op_int(k, 0) != 0);
}

OP_CALLER(norm) {
    return OP_FORMS(norm, k->in[0], k->c->numbers[0], op_axes(k, 1), op_int(k, 0) != 0);
}

OP_CALLER(quantile) {
    return OP_FORMS(quantile, k->in[0], k->c->numbers[0], op_axes(k, 1), op_int(k, 0) != 0);
}

OP_CALLER(argmin) {
    return OP_FORMS(argmin, k->in[0], op_int(k, 1), op_int(k, 0) != 0);
}

OP_CALLER(argmax) {
    return OP_FORMS(argmax, k->in[0], op_int(k, 1), op_int(k, 0) != 0);
}

/* -- norms -------------------------------------------------------------------------------------*/

OP_CALLER(softmax_backward) {
    return OP_FORMS(softmax_backward, k->in[0], k->in[1], op_int(k, 0));
}

OP_CALLER(log_softmax_backward) {
    return OP_FORMS(log_softmax_backward, k->in[0], k->in[1], op_int(k, 0));
}

OP_CALLER(rms_norm) {
    return OP_FORMS(rms_norm, k->in[0], k->in[1], k->c->numbers[0]);
}

OP_CALLER(layer_norm) {
    return OP_FORMS(layer_norm, k->in[0], k->in[1], k->in[2], k->c->numbers[0]);
}

/* Of the results that bits of the first integer ask for. */
static inline tern_tensor **op_wanted(op_call *k, int bit) {
    int mask = op_int(k, 0), before = 0;
    for (int i = 0; i < bit; i++)
        before += mask >> i & 1;
    return mask >> bit & 1 ? &k->out[before] : NULL;
}

OP_CALLER(rms_norm_backward) {
    return tern_rms_norm_backward(k->in[0], k->in[1], k->in[2], k->c->numbers[0], op_wanted(k, 0),
                                  op_wanted(k, 1));
}

OP_CALLER(layer_norm_backward) {
    return tern_layer_norm_backward(k->in[0], k->in[1], k->in[2], k->c->numbers[0], op_wanted(k, 0),
                                    op_wanted(k, 1), op_wanted(k, 2));
}

/* -- products and models -----------------------------------------------------------------------*/

OP_CALLER(matmul_with) {
    return OP_FORMS(matmul_with, k->in[0], k->in[1], (tern_precision)op_int(k, 0));
}

OP_CALLER(einsum) {
    return OP_FORMS(einsum, k->c->text, k->in[0], k->in[1]);
}

/* `axes` numbers each of stride, padding and dilation, then the groups; none: no options. */
static inline const tern_conv_options *op_convolution(const op_call *k, int axes,
                                                      tern_conv_options *options) {
    if (k->c->integer_count == 0)
        return NULL;
    *options = tern_conv_options_default();
    for (int i = 0; i < axes; i++) {
        options->stride[i] = k->c->integers[i];
        options->padding[i] = k->c->integers[axes + i];
        options->dilation[i] = k->c->integers[2 * axes + i];
    }
    options->groups = k->c->integers[3 * axes];
    return options;
}

OP_CALLER(conv1d) {
    tern_conv_options options;
    return OP_FORMS(conv1d, k->in[0], k->in[1], k->in[2], op_convolution(k, 1, &options));
}

OP_CALLER(conv2d) {
    tern_conv_options options;
    return OP_FORMS(conv2d, k->in[0], k->in[1], k->in[2], op_convolution(k, 2, &options));
}

OP_CALLER(ternary_linear) {
    tern_tensor *packed = NULL;
    test_ok(tern_tensor_pack(k->in[1], &packed));
    tern_status status = OP_FORMS(linear, k->in[0], packed);
    tern_tensor_release(packed);
    return status;
}

/* A weight as operations take it: packed where it is stored as trits. What was released
 * stays what it is, for the operation to refuse. */
static inline tern_status op_pack(tern_tensor *t, tern_tensor **weight) {
    tern_dtype dtype = tern_tensor_dtype(t);
    tern_tensor *packed = NULL;
    tern_status status = TERN_OK;
    if (dtype == TERN_I2_S || dtype == TERN_TQ1_0 || dtype == TERN_TQ2_0)
        status = tern_tensor_pack(t, &packed);
    *weight = packed != NULL ? packed : t;
    return status == TERN_E_ARGUMENT ? TERN_OK : status;
}

static inline void op_drop(tern_tensor *t, tern_tensor *weight) {
    if (weight != t)
        tern_tensor_release(weight);
}

OP_CALLER(norm_linear) {
    tern_tensor *weights[OP_TENSORS];
    int count = k->c->input_count - 2;
    tern_status status = TERN_OK;
    for (int i = 0; i < count; i++) {
        tern_status packed = op_pack(k->in[2 + i], &weights[i]);
        status = status == TERN_OK ? packed : status;
    }
    if (status == TERN_OK && k->into != NULL)
        status = tern_norm_linear_into(k->in[0], k->in[1], k->c->numbers[0], weights, count,
                                       (tern_tensor *const[]){k->into});
    else if (status == TERN_OK)
        status = tern_norm_linear(k->in[0], k->in[1], k->c->numbers[0], weights, count, k->out);
    for (int i = 0; i < count; i++)
        op_drop(k->in[2 + i], weights[i]);
    return status;
}

OP_CALLER(norm_linear_add) {
    tern_tensor *weight;
    tern_status status = op_pack(k->in[2], &weight);
    if (status == TERN_OK)
        status = OP_FORMS(norm_linear_add, k->in[0], k->in[1], k->c->numbers[0], weight, k->in[3]);
    op_drop(k->in[2], weight);
    return status;
}

OP_CALLER(norm_glu) {
    tern_tensor *gate, *up;
    tern_status status = op_pack(k->in[2], &gate), packed = op_pack(k->in[3], &up);
    status = status == TERN_OK ? packed : status;
    if (status == TERN_OK)
        status = OP_FORMS(norm_glu, k->in[0], k->in[1], k->c->numbers[0], gate, up,
                          (tern_activation)op_int(k, 0));
    op_drop(k->in[3], up);
    op_drop(k->in[2], gate);
    return status;
}

/* What was packed is seen through a product with 127 on the diagonal. */
OP_CALLER(pack) {
    tern_tensor *packed = NULL, *eye = NULL;
    tern_status status = tern_tensor_pack(k->in[0], &packed);
    if (status != TERN_OK)
        return status;
    int64_t columns = tern_tensor_dim(packed, 1);
    test_ok(tern_tensor_eye(k->context, TERN_F32, columns, columns, 0, &eye));
    test_ok(tern_scale_into(eye, 127, eye));
    status = tern_linear(eye, packed, &k->out[0]);
    tern_tensor_release(eye);
    tern_tensor_release(packed);
    return status;
}

/* As pack. Integers: bits. */
OP_CALLER(pack_int) {
    tern_tensor *packed = NULL, *eye = NULL;
    tern_status status = tern_tensor_pack_int(k->in[0], op_int(k, 0), &packed);
    if (status != TERN_OK)
        return status;
    int64_t columns = tern_tensor_dim(packed, 1);
    test_ok(tern_tensor_eye(k->context, TERN_F32, columns, columns, 0, &eye));
    test_ok(tern_scale_into(eye, 127, eye));
    status = tern_linear(eye, packed, &k->out[0]);
    tern_tensor_release(eye);
    tern_tensor_release(packed);
    return status;
}

OP_CALLER(quantized_linear) {
    tern_tensor *packed = NULL;
    tern_status status = tern_tensor_pack_int(k->in[1], op_int(k, 0), &packed);
    if (status == TERN_OK)
        status = OP_FORMS(linear, k->in[0], packed);
    tern_tensor_release(packed);
    return status;
}

/* Integers: k, bits of the screen or 0. */
OP_CALLER(linear_topk) {
    tern_tensor *screen = NULL;
    tern_status status = TERN_OK;
    if (op_int(k, 1) > 0)
        status = tern_tensor_pack_int(k->in[1], op_int(k, 1), &screen);
    if (status == TERN_OK)
        status =
            tern_linear_topk(k->in[0], k->in[1], screen, k->c->integers[0], &k->out[0], &k->out[1]);
    tern_tensor_release(screen);
    return status;
}

OP_CALLER(pack_random) {
    return tern_tensor_pack_random(k->context, k->c->integers[0], k->c->integers[1],
                                   (float)k->c->numbers[0], (uint64_t)k->c->integers[2],
                                   &k->out[0]);
}

OP_CALLER(rope) {
    return OP_FORMS(rope, k->in[0], k->in[1], k->c->integers[0]);
}

OP_CALLER(rope_table) {
    return tern_rope_table(k->context, k->c->integers[0], k->c->integers[1], k->c->numbers[0],
                           &k->out[0]);
}

OP_CALLER(attention) {
    return OP_FORMS(attention, k->in[0], k->in[1], k->in[2], k->c->numbers[0]);
}

OP_CALLER(attention_int8) {
    return OP_FORMS(attention_int8, k->in[0], k->in[1], k->in[2], k->in[3], k->c->numbers[0]);
}

/* -- indexing, joining, sorting ----------------------------------------------------------------*/

OP_CALLER(gather) {
    return OP_FORMS(gather, k->in[0], op_int(k, 0), k->in[1]);
}

OP_CALLER(scatter) {
    return OP_FORMS(scatter, k->in[0], op_int(k, 0), k->in[1], k->in[2]);
}

OP_CALLER(scatter_add) {
    return OP_FORMS(scatter_add, k->in[0], op_int(k, 0), k->in[1], k->in[2]);
}

OP_CALLER(index_select) {
    return OP_FORMS(index_select, k->in[0], op_int(k, 0), k->in[1]);
}

OP_CALLER(one_hot) {
    return OP_FORMS(one_hot, k->in[0], k->c->integers[0], op_dtype(k, 1));
}

OP_CALLER(searchsorted) {
    return OP_FORMS(searchsorted, k->in[0], k->in[1], op_int(k, 0) != 0);
}

OP_CALLER(concat) {
    return OP_FORMS(concat, k->in, k->c->input_count, op_int(k, 0));
}

OP_CALLER(stack) {
    return OP_FORMS(stack, k->in, k->c->input_count, op_int(k, 0));
}

OP_CALLER(pad) {
    const int64_t *before = k->c->integers + 1, *after = before + tern_tensor_rank(k->in[0]);
    return OP_FORMS(pad, k->in[0], before, after, (tern_pad_mode)op_int(k, 0), k->c->numbers[0]);
}

OP_CALLER(tile) {
    return OP_FORMS(tile, k->in[0], op_shape(k, 0));
}

OP_CALLER(repeat) {
    return OP_FORMS(repeat, k->in[0], k->c->integers[0], op_int(k, 1));
}

OP_CALLER(roll) {
    return OP_FORMS(roll, k->in[0], k->c->integers[0], op_int(k, 1));
}

OP_CALLER(sort) {
    return OP_FORMS(sort, k->in[0], op_int(k, 0), op_int(k, 1) != 0);
}

OP_CALLER(argsort) {
    return OP_FORMS(argsort, k->in[0], op_int(k, 0), op_int(k, 1) != 0);
}

OP_CALLER(topk) {
    return tern_topk(k->in[0], k->c->integers[0], op_int(k, 1), op_int(k, 2) != 0, &k->out[0],
                     &k->out[1]);
}

OP_CALLER(unique) {
    return tern_unique(k->in[0], &k->out[0], &k->out[1], &k->out[2]);
}

/* -- the table ---------------------------------------------------------------------------------*/

/* X(name): those with a caller of their own. */
/* clang-format off */
#define OP_OTHERS(X) \
    X(scale) X(leaky_relu) X(leaky_relu_backward) X(affine) X(clip) X(add_scaled) \
    X(bias_activation) X(dropout) X(masked_fill) X(isclose) X(allclose) X(array_equal) X(empty) \
    X(zeros) X(ones) X(full) X(arange) X(linspace) X(eye) X(rand) X(randn) X(randint) \
    X(bernoulli) X(from_data) X(borrow) X(reshape) X(permute) X(transpose) X(move_axis) \
    X(flatten) X(slice) X(select) X(broadcast) X(squeeze) X(unsqueeze) X(flip) X(diagonal) \
    X(unfold) X(view_as) X(chunk) X(split) X(contiguous) X(clone) X(cast) X(copy) X(item) X(var) \
    X(std) X(norm) X(quantile) X(argmin) X(argmax) X(softmax_backward) X(log_softmax_backward) \
    X(rms_norm) X(layer_norm) X(rms_norm_backward) X(layer_norm_backward) X(matmul_with) \
    X(einsum) X(conv1d) X(conv2d) X(ternary_linear) X(norm_linear) X(norm_linear_add) \
    X(norm_glu) X(pack) X(pack_random) X(pack_int) X(quantized_linear) X(linear_topk) \
    X(rope) X(rope_table) X(attention) X(attention_int8) X(gather) X(scatter) X(scatter_add) \
    X(index_select) X(one_hot) X(searchsorted) X(concat) X(stack) X(pad) X(tile) X(repeat) \
    X(roll) X(sort) X(argsort) X(topk) X(unique)
/* clang-format on */

#define OP_ENTRY(name) {#name, call_##name},

static const struct op_entry {
    const char *name;
    op_caller call;
} op_entries[] = {OP_UNARY(OP_ENTRY) OP_SINGLE(OP_ENTRY) OP_PAIR(OP_ENTRY) OP_BINARY(OP_ENTRY)
                      OP_TERNARY(OP_ENTRY) OP_REDUCTION(OP_ENTRY) OP_ALONG(OP_ENTRY)
                          OP_OTHERS(OP_ENTRY) OP_LINALG(OP_ENTRY)};

/* Fails the test for an operation without a caller. */
static inline op_caller op_find_caller(const char *name) {
    for (size_t i = 0; i < sizeof op_entries / sizeof op_entries[0]; i++)
        if (strcmp(op_entries[i].name, name) == 0)
            return op_entries[i].call;
    fail_msg("no caller of %s", name);
    return NULL;
}

#endif
