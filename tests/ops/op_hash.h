/* SPDX-License-Identifier: MIT
 * One number for each family of operations: FNV-1a over the bits of what a fixed list of calls
 * gives, any NaN counting as one. The operands are large enough to be shared by threads, have
 * tails, strides and special values, and every type that is computed in. tests/ops/op_hashes.txt
 * holds the values that every machine must give. */
#ifndef TERN_TEST_OP_HASH_H
#define TERN_TEST_OP_HASH_H

#include <math.h>
#include <string.h>

#include <tern/tern.h>

/* -- operands ----------------------------------------------------------------------------------*/

typedef struct op_operands {
    tern_context *context;
    tern_tensor *f, *g, *turned, *stepped, *row, *positive, *odd; /* F32 (67, 131); row (131) */
    tern_tensor *d, *e;                                           /* F64 (67, 131) */
    tern_tensor *h, *b;                                           /* F16, BF16 (67, 131) */
    tern_tensor *i8, *u8, *i32, *i64, *flags;                     /* (67, 131) */
    tern_tensor *large;                                           /* F32 (200 003) */
    tern_tensor *batch, *other;                                   /* F32 (3, 33, 70), (3, 70, 45) */
    tern_tensor *image, *filter, *deep;  /* (2, 8, 19, 17), (12, 8, 3, 3), (8, 1, 3, 3) */
    tern_tensor *heads, *table, *keys;   /* (9, 6, 16), rope table, (2, 40, 16) */
    tern_tensor *ids, *logits, *targets; /* (20) I64 below 67; (20, 131); (20) */
    tern_tensor *grad;                   /* rank 0 */
    tern_tensor *trits;                  /* packed (50, 131) */
} op_operands;

static const float op_odd_values[] = {0.0f,      -0.0f,     1.0f,       -1.0f,     INFINITY,
                                      -INFINITY, NAN,       1e-40f,     -1e-40f,   3.4e38f,
                                      -3.4e38f,  0.5f,      -2.5f,      88.7f,     -103.9f,
                                      1e20f,     1.17e-38f, 16777216.f, 1048576.f, 3.14159265f};

#define OP_TRY(call)                                                                               \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != TERN_OK)                                                                     \
            return status;                                                                         \
    } while (0)

static inline tern_status op_operands_float(op_operands *o) {
    tern_context *c = o->context;
    tern_tensor *wide;
    tern_status status;
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(67, 131), 1, &o->f));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(67, 131), 2, &o->g));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(131, 67), 3, &wide));
    OP_TRY(tern_tensor_transpose(wide, 0, 1, &o->turned));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(67, 393), 4, &wide));
    OP_TRY(tern_tensor_slice(wide, 1, 0, INT64_MAX, 3, &o->stepped));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(131), 5, &o->row));
    OP_TRY(tern_tensor_rand(c, TERN_F32, TERN_SHAPE(67, 131), 6, &o->positive));
    OP_TRY(tern_affine(o->f, 40, 0, &o->odd));
    float *odd = tern_tensor_data(o->odd);
    for (size_t i = 0; i < sizeof op_odd_values / sizeof *op_odd_values; i++)
        odd[131 * i + 7 * i] = op_odd_values[i];
    OP_TRY(tern_tensor_randn(c, TERN_F64, TERN_SHAPE(67, 131), 7, &o->d));
    OP_TRY(tern_cast(o->odd, TERN_F64, &o->e));
    OP_TRY(tern_tensor_randn(c, TERN_F16, TERN_SHAPE(67, 131), 8, &o->h));
    OP_TRY(tern_cast(o->odd, TERN_BF16, &o->b));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(200003), 9, &o->large));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(3, 33, 70), 10, &o->batch));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(3, 70, 45), 11, &o->other));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(2, 8, 19, 17), 12, &o->image));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(12, 8, 3, 3), 13, &o->filter));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(8, 1, 3, 3), 14, &o->deep));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(9, 6, 16), 15, &o->heads));
    OP_TRY(tern_rope_table(c, 40, 16, 10000, &o->table));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(2, 40, 16), 16, &o->keys));
    OP_TRY(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(20, 131), 17, &o->logits));
    return tern_tensor_full(c, TERN_F32, TERN_SHAPE(), 0.75, &o->grad);
}

static inline tern_status op_operands_make(op_operands *o) {
    tern_context *c = o->context;
    tern_tensor *matrix;
    tern_status status;
    OP_TRY(op_operands_float(o));
    OP_TRY(tern_tensor_randint(c, TERN_I8, TERN_SHAPE(67, 131), -128, 128, 20, &o->i8));
    OP_TRY(tern_tensor_randint(c, TERN_U8, TERN_SHAPE(67, 131), 0, 256, 21, &o->u8));
    OP_TRY(tern_tensor_randint(c, TERN_I32, TERN_SHAPE(67, 131), -40, 41, 22, &o->i32));
    OP_TRY(
        tern_tensor_randint(c, TERN_I64, TERN_SHAPE(67, 131), INT64_MIN, INT64_MAX, 23, &o->i64));
    OP_TRY(tern_tensor_bernoulli(c, TERN_BOOL, TERN_SHAPE(67, 131), 0.4, 24, &o->flags));
    OP_TRY(tern_tensor_randint(c, TERN_I64, TERN_SHAPE(20), 0, 67, 25, &o->ids));
    OP_TRY(tern_tensor_randint(c, TERN_I64, TERN_SHAPE(20), 0, 131, 26, &o->targets));
    OP_TRY(tern_tensor_randint(c, TERN_I8, TERN_SHAPE(50, 131), -1, 2, 27, &matrix));
    return tern_tensor_pack(matrix, &o->trits);
}

/* -- hashing -----------------------------------------------------------------------------------*/

static inline uint64_t op_hash_bytes(uint64_t hash, const void *data, size_t bytes) {
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

/* The bits of all elements in order; every NaN as the same. */
static inline tern_status op_hash_tensor(tern_tensor *t, uint64_t *hash) {
    tern_tensor *flat = NULL, *nan = NULL, *clean = NULL;
    tern_status status = tern_contiguous(t, &flat);
    if (status == TERN_OK)
        status = tern_isnan(flat, &nan);
    if (status == TERN_OK)
        status = tern_masked_fill(flat, nan, 1234, &clean);
    if (status == TERN_OK)
        *hash = op_hash_bytes(*hash, tern_tensor_data(clean), tern_tensor_bytes(clean));
    tern_tensor_release(clean);
    tern_tensor_release(nan);
    tern_tensor_release(flat);
    return status;
}

/* -- the calls ---------------------------------------------------------------------------------*/

static inline tern_tensor *op_transposed(tern_tensor *t) {
    tern_tensor *turned = NULL;
    tern_tensor_transpose(t, 0, 1, &turned); /* the open scope owns it */
    return turned;
}

static inline const tern_conv_options *op_depthwise(void) {
    static tern_conv_options options;
    options = tern_conv_options_default();
    options.groups = 8;
    options.padding[0] = options.padding[1] = 1;
    options.stride[1] = 2;
    return &options;
}

/* X(family, call with o and out) */
#define OP_HASH_ELEMENTS(X)                                                                        \
    X(arithmetic, tern_add(o->f, o->turned, out))                                                  \
    X(arithmetic, tern_sub(o->stepped, o->odd, out))                                               \
    X(arithmetic, tern_mul(o->h, o->b, out))                                                       \
    X(arithmetic, tern_mul(o->e, o->row, out))                                                     \
    X(arithmetic, tern_div(o->odd, o->f, out))                                                     \
    X(arithmetic, tern_div(o->i32, o->u8, out))                                                    \
    X(arithmetic, tern_floor_div(o->odd, o->g, out))                                               \
    X(arithmetic, tern_mod(o->e, o->d, out))                                                       \
    X(arithmetic, tern_mod(o->i64, o->i32, out))                                                   \
    X(arithmetic, tern_add(o->i8, o->u8, out))                                                     \
    X(arithmetic, tern_minimum(o->odd, o->turned, out))                                            \
    X(arithmetic, tern_maximum(o->b, o->h, out))                                                   \
    X(arithmetic, tern_fma(o->f, o->row, o->odd, out))                                             \
    X(arithmetic, tern_affine(o->h, 1.5, -0.25, out))                                              \
    X(arithmetic, tern_add_scaled(o->d, o->f, 0.3, out))                                           \
    X(arithmetic, tern_clip(o->odd, -2, 3, out))                                                   \
    X(arithmetic, tern_sqrt(o->odd, out))                                                          \
    X(arithmetic, tern_rsqrt(o->positive, out))                                                    \
    X(arithmetic, tern_round(o->odd, out))                                                         \
    X(arithmetic, tern_cast(o->e, TERN_F16, out))                                                  \
    X(arithmetic, tern_cast(o->odd, TERN_I8, out))                                                 \
    X(arithmetic, tern_cast(o->i64, TERN_BF16, out))                                               \
    X(logic, tern_bit_xor(o->i64, o->u8, out))                                                     \
    X(logic, tern_shift_right(o->i64, o->i32, out))                                                \
    X(logic, tern_less(o->odd, o->f, out))                                                         \
    X(logic, tern_equal(o->i8, o->u8, out))                                                        \
    X(logic, tern_logical_xor(o->flags, o->i32, out))                                              \
    X(logic, tern_isfinite(o->odd, out))                                                           \
    X(logic, tern_isclose(o->f, o->g, 0.1, 0.2, true, out))                                        \
    X(logic, tern_where(o->flags, o->odd, o->d, out))                                              \
    X(functions, tern_exp(o->odd, out))                                                            \
    X(functions, tern_exp(o->e, out))                                                              \
    X(functions, tern_expm1(o->odd, out))                                                          \
    X(functions, tern_log(o->odd, out))                                                            \
    X(functions, tern_log(o->e, out))                                                              \
    X(functions, tern_log1p(o->odd, out))                                                          \
    X(functions, tern_log2(o->positive, out))                                                      \
    X(functions, tern_sin(o->odd, out))                                                            \
    X(functions, tern_cos(o->e, out))                                                              \
    X(functions, tern_tan(o->odd, out))                                                            \
    X(functions, tern_asin(o->positive, out))                                                      \
    X(functions, tern_acos(o->f, out))                                                             \
    X(functions, tern_atan(o->odd, out))                                                           \
    X(functions, tern_sinh(o->odd, out))                                                           \
    X(functions, tern_cosh(o->f, out))                                                             \
    X(functions, tern_tanh(o->odd, out))                                                           \
    X(functions, tern_erf(o->odd, out))                                                            \
    X(functions, tern_pow(o->positive, o->odd, out))                                               \
    X(functions, tern_pow(o->e, o->d, out))                                                        \
    X(functions, tern_atan2(o->odd, o->turned, out))                                               \
    X(activations, tern_sigmoid(o->odd, out))                                                      \
    X(activations, tern_silu(o->odd, out))                                                         \
    X(activations, tern_silu(o->e, out))                                                           \
    X(activations, tern_gelu(o->odd, out))                                                         \
    X(activations, tern_gelu_tanh(o->odd, out))                                                    \
    X(activations, tern_softplus(o->odd, out))                                                     \
    X(activations, tern_relu2(o->odd, out))                                                        \
    X(activations, tern_leaky_relu(o->b, 0.01, out))                                               \
    X(activations, tern_bias_activation(o->f, o->row, TERN_ACTIVATION_GELU, out))                  \
    X(activations, tern_dropout(o->turned, 0.3, 99, out))                                          \
    X(activations, tern_silu_backward(o->f, o->odd, out))                                          \
    X(activations, tern_gelu_backward(o->f, o->odd, out))                                          \
    X(activations, tern_gelu_tanh_backward(o->d, o->e, out))                                       \
    X(activations, tern_softplus_backward(o->f, o->g, out))                                        \
    X(activations, tern_tanh_backward(o->f, o->g, out))

#define OP_HASH_ROWS(X)                                                                            \
    X(reductions, tern_sum(o->large, TERN_ALL_AXES, false, out))                                   \
    X(reductions, tern_sum(o->f, TERN_AXES(0), false, out))                                        \
    X(reductions, tern_sum(o->turned, TERN_AXES(1), true, out))                                    \
    X(reductions, tern_sum(o->h, TERN_ALL_AXES, false, out))                                       \
    X(reductions, tern_prod(o->positive, TERN_AXES(1), false, out))                                \
    X(reductions, tern_mean(o->e, TERN_AXES(0), false, out))                                       \
    X(reductions, tern_mean(o->i8, TERN_AXES(1), false, out))                                      \
    X(reductions, tern_var(o->stepped, TERN_AXES(1), 1, false, out))                               \
    X(reductions, tern_std(o->d, TERN_ALL_AXES, 0, false, out))                                    \
    X(reductions, tern_min(o->f, TERN_AXES(0), false, out))                                        \
    X(reductions, tern_max(o->odd, TERN_AXES(1), false, out))                                      \
    X(reductions, tern_argmax(o->turned, 0, false, out))                                           \
    X(reductions, tern_argmin(o->large, TERN_FLAT, false, out))                                    \
    X(reductions, tern_norm(o->large, 2, TERN_ALL_AXES, false, out))                               \
    X(reductions, tern_norm(o->f, 3, TERN_AXES(1), false, out))                                    \
    X(reductions, tern_logsumexp(o->f, TERN_AXES(1), false, out))                                  \
    X(reductions, tern_median(o->turned, TERN_AXES(0), false, out))                                \
    X(reductions, tern_quantile(o->d, 0.3, TERN_AXES(1), false, out))                              \
    X(reductions, tern_cumsum(o->f, 0, out))                                                       \
    X(reductions, tern_cumprod(o->positive, 1, out))                                               \
    X(reductions, tern_count_nonzero(o->i32, TERN_AXES(1), false, out))                            \
    X(reductions, tern_dot(o->large, o->large, out))                                               \
    X(norms, tern_softmax(o->f, 1, out))                                                           \
    X(norms, tern_softmax(o->turned, 0, out))                                                      \
    X(norms, tern_softmax(o->d, 1, out))                                                           \
    X(norms, tern_log_softmax(o->stepped, 1, out))                                                 \
    X(norms, tern_softmax_causal(o->f, out))                                                       \
    X(norms, tern_rms_norm(o->f, o->row, 1e-5, out))                                               \
    X(norms, tern_layer_norm(o->g, o->row, o->row, 1e-5, out))                                     \
    X(norms, tern_softmax_backward(o->f, o->positive, 1, out))                                     \
    X(norms, tern_cross_entropy(o->logits, o->targets, out))                                       \
    X(norms, tern_cross_entropy_backward(o->grad, o->logits, o->targets, out))                     \
    X(products, tern_matmul(o->batch, o->other, out))                                              \
    X(products, tern_matmul(o->f, o->row, out))                                                    \
    X(products, tern_matmul(o->turned, op_transposed(o->g), out))                                  \
    X(products, tern_matmul(o->h, op_transposed(o->b), out))                                       \
    X(products, tern_matmul(o->d, op_transposed(o->e), out))                                       \
    X(products, tern_matmul(o->i8, op_transposed(o->i8), out))                                     \
    X(products, tern_outer(o->row, o->row, out))                                                   \
    X(products, tern_linear(o->f, o->g, out))                                                      \
    X(products, tern_linear(o->turned, o->trits, out))                                             \
    X(products, tern_einsum("bij,bjk->ikb", o->batch, o->other, out))                              \
    X(convolutions, tern_conv2d(o->image, o->filter, NULL, NULL, out))                             \
    X(convolutions, tern_conv2d(o->image, o->deep, NULL, op_depthwise(), out))                     \
    X(models, tern_rope(o->heads, o->table, 3, out))                                               \
    X(models, tern_attention(o->heads, o->keys, o->keys, 0.25, out))                               \
    X(models, tern_embedding(o->f, o->ids, out))                                                   \
    X(indexing, tern_index_select(o->turned, 0, o->ids, out))                                      \
    X(indexing, tern_take(o->stepped, o->ids, out))                                                \
    X(indexing, tern_masked_select(o->odd, o->flags, out))                                         \
    X(indexing, tern_nonzero(o->flags, out))                                                       \
    X(indexing, tern_one_hot(o->ids, 67, TERN_F16, out))                                           \
    X(joining, tern_concat((tern_tensor *const[]){o->f, o->h, o->stepped}, 3, 0, out))             \
    X(joining, tern_tile(o->row, TERN_SHAPE(3, 2), out))                                           \
    X(joining, tern_roll(o->turned, 5, 1, out))                                                    \
    X(sorting, tern_sort(o->odd, 1, false, out))                                                   \
    X(sorting, tern_argsort(o->i8, 0, true, out))                                                  \
    X(sorting, tern_sort(o->large, 0, true, out))

/* X(family) */
#define OP_HASH_FAMILIES(X)                                                                        \
    X(arithmetic)                                                                                  \
    X(logic)                                                                                       \
    X(functions)                                                                                   \
    X(activations)                                                                                 \
    X(reductions)                                                                                  \
    X(norms)                                                                                       \
    X(products)                                                                                    \
    X(convolutions)                                                                                \
    X(models)                                                                                      \
    X(indexing)                                                                                    \
    X(joining)                                                                                     \
    X(sorting)

enum {
#define OP_HASH_ENUM(family) OP_HASH_##family,
    OP_HASH_FAMILIES(OP_HASH_ENUM)
#undef OP_HASH_ENUM
        OP_HASHES
};

static const char *const op_hash_names[OP_HASHES] = {
#define OP_HASH_NAME(family) #family,
    OP_HASH_FAMILIES(OP_HASH_NAME)
#undef OP_HASH_NAME
};

static inline tern_status op_hash_elements(const op_operands *o, uint64_t hashes[OP_HASHES]) {
    tern_tensor *result = NULL, **out = &result;
    tern_status status;
#define OP_HASH_RUN(family, call)                                                                  \
    OP_TRY(call);                                                                                  \
    OP_TRY(op_hash_tensor(result, &hashes[OP_HASH_##family]));
    OP_HASH_ELEMENTS(OP_HASH_RUN)
    return TERN_OK;
}

static inline tern_status op_hash_rows(const op_operands *o, uint64_t hashes[OP_HASHES]) {
    tern_tensor *result = NULL, **out = &result;
    tern_status status;
    OP_HASH_ROWS(OP_HASH_RUN)
#undef OP_HASH_RUN
    return TERN_OK;
}

static inline tern_status op_hashes(tern_context *context, uint64_t hashes[OP_HASHES]) {
    op_operands o = {.context = context};
    for (int i = 0; i < OP_HASHES; i++)
        hashes[i] = 0xcbf29ce484222325u;
    tern_scope_begin(context);
    tern_status status = op_operands_make(&o);
    if (status == TERN_OK)
        status = op_hash_elements(&o, hashes);
    if (status == TERN_OK)
        status = op_hash_rows(&o, hashes);
    tern_scope_end(context);
    return status;
}

#endif
