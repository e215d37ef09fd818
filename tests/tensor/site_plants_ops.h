/* SPDX-License-Identifier: MIT
 * Leaks of the operations of <tern/ops.h>. */
#ifndef TERN_TEST_SITE_PLANTS_OPS_H
#define TERN_TEST_SITE_PLANTS_OPS_H

#include "tensor/site_plants.h"

static void plant_copies(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    PLANT_VIEW(tern_contiguous, "contiguous", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_clone, "clone", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_cast, "cast", (x, TERN_BF16, out), LEAF("bf16", 2, 3));
}

static void plant_functions(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    PLANT(tern_neg, "neg", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_abs, "abs", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_sign, "sign", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_square, "square", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_sqrt, "sqrt", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_rsqrt, "rsqrt", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_reciprocal, "reciprocal", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_exp, "exp", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_expm1, "expm1", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_log, "log", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_log1p, "log1p", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_log2, "log2", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_sin, "sin", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_cos, "cos", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_tan, "tan", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_asin, "asin", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_acos, "acos", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_atan, "atan", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_sinh, "sinh", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_cosh, "cosh", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_tanh, "tanh", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_erf, "erf", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_round, "round", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_floor, "floor", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_ceil, "ceil", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_trunc, "trunc", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_relu, "relu", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_relu2, "relu2", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_sigmoid, "sigmoid", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_silu, "silu", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_gelu, "gelu", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_gelu_tanh, "gelu_tanh", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_softplus, "softplus", (x, out), LEAF("f32", 2, 3));
}

static void plant_arithmetic(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    PLANT(tern_add, "add", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_sub, "sub", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_mul, "mul", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_div, "div", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_floor_div, "floor_div", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_mod, "mod", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_pow, "pow", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_atan2, "atan2", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_minimum, "minimum", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_maximum, "maximum", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_fma, "fma", (x, x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_scale, "scale", (x, 2, out), LEAF("f32", 2, 3));
    PLANT(tern_affine, "affine", (x, 2, 1, out), LEAF("f32", 2, 3));
    PLANT(tern_add_scaled, "add_scaled", (x, x, 2, out), LEAF("f32", 2, 3));
    PLANT(tern_clip, "clip", (x, 0, 1, out), LEAF("f32", 2, 3));
    PLANT(tern_leaky_relu, "leaky_relu", (x, 0.1, out), LEAF("f32", 2, 3));
    PLANT(tern_bias_activation, "bias_activation", (x, x, TERN_ACTIVATION_RELU, out),
          LEAF("f32", 2, 3));
    PLANT(tern_dropout, "dropout", (x, 0.5, 1, out), LEAF("f32", 2, 3));
    PLANT(tern_relu_backward, "relu_backward", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_relu2_backward, "relu2_backward", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_silu_backward, "silu_backward", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_gelu_backward, "gelu_backward", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_gelu_tanh_backward, "gelu_tanh_backward", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_softplus_backward, "softplus_backward", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_sigmoid_backward, "sigmoid_backward", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_tanh_backward, "tanh_backward", (x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_leaky_relu_backward, "leaky_relu_backward", (x, x, 0.1, out), LEAF("f32", 2, 3));
}

static void plant_logic(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    tern_tensor *n = whole(g, TERN_I32, TERN_SHAPE(2, 3)),
                *b = whole(g, TERN_BOOL, TERN_SHAPE(2, 3));
    PLANT(tern_bit_and, "bit_and", (n, n, out), LEAF("i32", 2, 3));
    PLANT(tern_bit_or, "bit_or", (n, n, out), LEAF("i32", 2, 3));
    PLANT(tern_bit_xor, "bit_xor", (n, n, out), LEAF("i32", 2, 3));
    PLANT(tern_shift_left, "shift_left", (n, n, out), LEAF("i32", 2, 3));
    PLANT(tern_shift_right, "shift_right", (n, n, out), LEAF("i32", 2, 3));
    PLANT(tern_bit_not, "bit_not", (n, out), LEAF("i32", 2, 3));
    PLANT(tern_equal, "equal", (x, x, out), LEAF("bool", 2, 3));
    PLANT(tern_not_equal, "not_equal", (x, x, out), LEAF("bool", 2, 3));
    PLANT(tern_less, "less", (x, x, out), LEAF("bool", 2, 3));
    PLANT(tern_less_equal, "less_equal", (x, x, out), LEAF("bool", 2, 3));
    PLANT(tern_greater, "greater", (x, x, out), LEAF("bool", 2, 3));
    PLANT(tern_greater_equal, "greater_equal", (x, x, out), LEAF("bool", 2, 3));
    PLANT(tern_logical_and, "logical_and", (x, x, out), LEAF("bool", 2, 3));
    PLANT(tern_logical_or, "logical_or", (x, x, out), LEAF("bool", 2, 3));
    PLANT(tern_logical_xor, "logical_xor", (x, x, out), LEAF("bool", 2, 3));
    PLANT(tern_logical_not, "logical_not", (x, out), LEAF("bool", 2, 3));
    PLANT(tern_isnan, "isnan", (x, out), LEAF("bool", 2, 3));
    PLANT(tern_isinf, "isinf", (x, out), LEAF("bool", 2, 3));
    PLANT(tern_isfinite, "isfinite", (x, out), LEAF("bool", 2, 3));
    PLANT(tern_where, "where", (b, x, x, out), LEAF("f32", 2, 3));
    PLANT(tern_isclose, "isclose", (x, x, 0, 0, false, out), LEAF("bool", 2, 3));
}

static void plant_reductions(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    PLANT(tern_sum, "sum", (x, TERN_AXES(1), false, out), LEAF("f32", 2));
    PLANT(tern_prod, "prod", (x, TERN_AXES(1), false, out), LEAF("f32", 2));
    PLANT(tern_mean, "mean", (x, TERN_AXES(1), false, out), LEAF("f32", 2));
    PLANT(tern_min, "min", (x, TERN_AXES(1), false, out), LEAF("f32", 2));
    PLANT(tern_max, "max", (x, TERN_AXES(1), false, out), LEAF("f32", 2));
    PLANT(tern_logsumexp, "logsumexp", (x, TERN_AXES(1), false, out), LEAF("f32", 2));
    PLANT(tern_median, "median", (x, TERN_AXES(1), false, out), LEAF("f32", 2));
    PLANT(tern_any, "any", (x, TERN_AXES(1), false, out), LEAF("bool", 2));
    PLANT(tern_all, "all", (x, TERN_AXES(1), false, out), LEAF("bool", 2));
    PLANT(tern_count_nonzero, "count_nonzero", (x, TERN_AXES(1), false, out), LEAF("i64", 2));
    PLANT(tern_var, "var", (x, TERN_AXES(1), 1, false, out), LEAF("f32", 2));
    PLANT(tern_std, "std", (x, TERN_AXES(1), 1, false, out), LEAF("f32", 2));
    PLANT(tern_norm, "norm", (x, 2, TERN_AXES(1), false, out), LEAF("f32", 2));
    PLANT(tern_quantile, "quantile", (x, 0.5, TERN_AXES(1), false, out), LEAF("f32", 2));
    PLANT(tern_argmin, "argmin", (x, 1, false, out), LEAF("i64", 2));
    PLANT(tern_argmax, "argmax", (x, 1, false, out), LEAF("i64", 2));
    PLANT(tern_cumsum, "cumsum", (x, 1, out), LEAF("f32", 2, 3));
    PLANT(tern_cumprod, "cumprod", (x, 1, out), LEAF("f32", 2, 3));
}

static void plant_norms(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    tern_tensor *w = normal(g, TERN_SHAPE(3)), *ids = whole(g, TERN_I64, TERN_SHAPE(2));
    tern_tensor *one = normal(g, TERN_SHAPE());
    PLANT(tern_softmax, "softmax", (x, -1, out), LEAF("f32", 2, 3));
    PLANT(tern_softmax_causal, "softmax_causal", (x, out), LEAF("f32", 2, 3));
    PLANT(tern_log_softmax, "log_softmax", (x, -1, out), LEAF("f32", 2, 3));
    PLANT(tern_softmax_backward, "softmax_backward", (x, x, -1, out), LEAF("f32", 2, 3));
    PLANT(tern_log_softmax_backward, "log_softmax_backward", (x, x, -1, out), LEAF("f32", 2, 3));
    PLANT(tern_rms_norm, "rms_norm", (x, w, 1e-5, out), LEAF("f32", 2, 3));
    PLANT(tern_layer_norm, "layer_norm", (x, w, w, 1e-5, out), LEAF("f32", 2, 3));
    PLANT(tern_rms_norm_backward, "rms_norm_backward", (x, x, w, 1e-5, out, out + 1),
          LEAF("f32", 2, 3), LEAF("f32", 3));
    PLANT(tern_layer_norm_backward, "layer_norm_backward", (x, x, w, 1e-5, out, out + 1, out + 2),
          LEAF("f32", 2, 3), LEAF("f32", 3), LEAF("f32", 3));
    PLANT(tern_cross_entropy, "cross_entropy", (x, ids, out), LEAF0("f32"));
    PLANT(tern_cross_entropy_backward, "cross_entropy_backward", (one, x, ids, out),
          LEAF("f32", 2, 3));
}

static void plant_products(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    tern_tensor *v = normal(g, TERN_SHAPE(9)), *a = normal(g, TERN_SHAPE(2, 9)),
                *b = normal(g, TERN_SHAPE(9, 3));
    tern_tensor *signal = normal(g, TERN_SHAPE(1, 2, 9)), *taps = normal(g, TERN_SHAPE(3, 2, 4));
    tern_tensor *image = normal(g, TERN_SHAPE(1, 2, 5, 6)),
                *kernel = normal(g, TERN_SHAPE(4, 2, 3, 3));
    PLANT(tern_matmul, "matmul", (a, b, out), LEAF("f32", 2, 3));
    PLANT(tern_matmul_with, "matmul", (a, b, TERN_PRECISION_DEFAULT, out), LEAF("f32", 2, 3));
    PLANT(tern_dot, "dot", (v, v, out), LEAF0("f32"));
    PLANT(tern_outer, "outer", (v, v, out), LEAF("f32", 9, 9));
    PLANT(tern_linear, "linear", (x, x, out), LEAF("f32", 2, 2));
    tern_tensor *const pair[2] = {x, x}, *norm = normal(g, TERN_SHAPE(3)),
                       *residual = normal(g, TERN_SHAPE(2, 2));
    PLANT(tern_norm_linear, "linear", (x, norm, 1e-5, pair, 2, out), LEAF("f32", 2, 2),
          LEAF("f32", 2, 2));
    PLANT(tern_norm_linear_add, "add", (x, norm, 1e-5, x, residual, out), LEAF("f32", 2, 2));
    PLANT(tern_norm_glu, "mul", (x, norm, 1e-5, x, x, TERN_ACTIVATION_SILU, out),
          LEAF("f32", 2, 2));
    PLANT(tern_linear_topk, "linear_topk", (x, x, NULL, 1, out, out + 1), LEAF("f32", 2, 1),
          LEAF("i64", 2, 1));
    PLANT(tern_einsum, "einsum", ("ij,jk->ik", a, b, out), LEAF("f32", 2, 3));
    PLANT(tern_conv1d, "conv1d", (signal, taps, NULL, NULL, out), LEAF("f32", 1, 3, 6));
    PLANT(tern_conv2d, "conv2d", (image, kernel, NULL, NULL, out), LEAF("f32", 1, 4, 3, 4));
}

static void plant_models(garden *g) {
    static uint8_t blocks[2 * 66];
    tern_context *c = g->context;
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3, 4)), *table = NULL, *weight = NULL, **out = g->out;
    tern_tensor *rows = normal(g, TERN_SHAPE(7, 3)), *ids = whole(g, TERN_I32, TERN_SHAPE(2));
    tern_tensor *q = normal(g, TERN_SHAPE(2, 1, 3)), *keys = normal(g, TERN_SHAPE(1, 4, 3));
    test_ok(tern_rope_table(c, 5, 4, 10000, &table));
    test_ok(tern_tensor_borrow(c, TERN_TQ2_0, TERN_SHAPE(2, 256), blocks, &weight));
    PLANT(tern_rope, "rope", (x, table, 1, out), LEAF("f32", 2, 3, 4));
    PLANT(tern_rope_table, "rope_table", (c, 5, 4, 10000, out), LEAF("f32", 5, 2, 2));
    PLANT(tern_embedding, "embedding", (rows, ids, out), LEAF("f32", 2, 3));
    PLANT(tern_attention, "attention", (q, keys, keys, 1, out), LEAF("f32", 2, 3));
    tern_tensor *packed = NULL, *y = normal(g, TERN_SHAPE(2, 8)), *norm = normal(g, TERN_SHAPE(8));
    tern_tensor *residual = normal(g, TERN_SHAPE(2, 5));
    test_ok(tern_tensor_pack_random(c, 5, 8, 1, 1, &packed));
    tern_tensor *const three[3] = {packed, packed, packed};
    PLANT(tern_norm_linear, "norm_linear", (y, norm, 1e-5, three, 3, out), LEAF("f32", 2, 5),
          LEAF("f32", 2, 5), LEAF("f32", 2, 5));
    PLANT(tern_norm_linear_add, "norm_linear_add", (y, norm, 1e-5, packed, residual, out),
          LEAF("f32", 2, 5));
    PLANT(tern_norm_glu, "norm_glu", (y, norm, 1e-5, packed, packed, TERN_ACTIVATION_RELU2, out),
          LEAF("f32", 2, 5));
    tern_tensor *bytes = whole(g, TERN_I8, TERN_SHAPE(1, 4, 3));
    tern_tensor *scales = normal(g, TERN_SHAPE(2, 1, 4)), *factors = normal(g, TERN_SHAPE(7));
    PLANT(tern_attention_int8, "attention_int8", (q, bytes, bytes, scales, 1, out),
          LEAF("f32", 2, 3));
    PLANT(tern_quantize_scale, "quantize_scale", (rows, out), LEAF("f32", 7));
    PLANT(tern_quantize, "quantize", (rows, factors, out), LEAF("i8", 7, 3));
    PLANT(tern_tensor_pack, "pack", (weight, out), LEAF("ternary", 2, 256));
    PLANT(tern_tensor_pack_random, "pack_random", (c, 20, 300, 1, 1, out),
          LEAF("ternary", 20, 300));
    PLANT(tern_tensor_pack_int, "pack_int", (rows, 8, out), LEAF("quantized", 7, 3));
}

static void plant_indexing(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    tern_tensor *n = whole(g, TERN_I64, TERN_SHAPE(2, 3)),
                *places = whole(g, TERN_I64, TERN_SHAPE(4));
    tern_tensor *mask = ones(g, TERN_BOOL, TERN_SHAPE(2, 3)), *sorted = normal(g, TERN_SHAPE(1));
    PLANT(tern_gather, "gather", (x, 1, n, out), LEAF("f32", 2, 3));
    PLANT(tern_scatter, "scatter", (x, 1, n, x, out), LEAF("f32", 2, 3));
    PLANT(tern_scatter_add, "scatter_add", (x, 1, n, x, out), LEAF("f32", 2, 3));
    PLANT(tern_index_select, "index_select", (x, 1, places, out), LEAF("f32", 2, 4));
    PLANT(tern_take, "take", (x, places, out), LEAF("f32", 4));
    PLANT(tern_put, "put", (x, places, sorted, out), LEAF("f32", 2, 3));
    PLANT(tern_masked_select, "masked_select", (x, mask, out), LEAF("f32", 6));
    PLANT(tern_masked_fill, "masked_fill", (x, mask, 1, out), LEAF("f32", 2, 3));
    PLANT(tern_nonzero, "nonzero", (mask, out), LEAF("i64", 6, 2));
    PLANT(tern_one_hot, "one_hot", (places, 3, TERN_F16, out), LEAF("f16", 4, 3));
    PLANT(tern_searchsorted, "searchsorted", (sorted, x, false, out), LEAF("i64", 2, 3));
}

static void plant_joining(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    tern_tensor *const pair[] = {x, x};
    const int64_t lengths[] = {2, 1}, edges[] = {1, 0};
    PLANT(tern_concat, "concat", (pair, 2, 0, out), LEAF("f32", 4, 3));
    PLANT(tern_stack, "stack", (pair, 2, 0, out), LEAF("f32", 2, 2, 3));
    PLANT_VIEW(tern_chunk, "chunk", (x, 2, 1, out), LEAF("f32", 2, 2), LEAF("f32", 2, 1));
    PLANT_VIEW(tern_split, "split", (x, lengths, 2, 1, out), LEAF("f32", 2, 2), LEAF("f32", 2, 1));
    PLANT(tern_pad, "pad", (x, edges, edges, TERN_PAD_CONSTANT, 0, out), LEAF("f32", 4, 3));
    PLANT(tern_tile, "tile", (x, TERN_SHAPE(2, 1), out), LEAF("f32", 4, 3));
    PLANT(tern_repeat, "repeat", (x, 2, 0, out), LEAF("f32", 4, 3));
    PLANT(tern_roll, "roll", (x, 1, 0, out), LEAF("f32", 2, 3));
}

static void plant_sorting(garden *g) {
    tern_tensor *x = normal(g, TERN_SHAPE(2, 3)), **out = g->out;
    tern_tensor *n = whole(g, TERN_I32, TERN_SHAPE(2, 30));
    PLANT(tern_sort, "sort", (x, 1, false, out), LEAF("f32", 2, 3));
    PLANT(tern_argsort, "argsort", (x, 1, false, out), LEAF("i64", 2, 3));
    PLANT(tern_topk, "topk", (x, 2, 1, true, out, out + 1), LEAF("f32", 2, 2), LEAF("i64", 2, 2));
    PLANT(tern_unique, "unique", (n, out, out + 1, out + 2), LEAF("i32", 3), LEAF("i64", 2, 30),
          LEAF("i64", 3));
}

#endif
