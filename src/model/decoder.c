/* SPDX-License-Identifier: MIT
 *
 * The BitNet b1.58 decoder (Ma et al. 2025, "BitNet b1.58 2B4T Technical Report", section 2):
 *
 *   h = norm(x)                         q, k, v = W_q h, W_k h, W_v h, q and k rotated
 *   x = x + W_o subnorm(attention(q, k, v))
 *   h = norm(x)
 *   x = x + W_down subnorm(relu(W_gate h)^2 * (W_up h))
 *
 * Every W is ternary with int8 activations; norms are RMS norms. Written once for prompts and
 * single tokens.
 */
#include "model/decoder.h"

#include <tern/ops.h>

#include "base/status.h"
#include "ops/embedding.h"
#include "tensor/tensor.h"

/* x (T, count * K) as heads (T, count, K). */
static tern_status split_heads(const tern_model *model, tern_tensor *x, tern_tensor **out) {
    return tern_tensor_reshape(
        x, (tern_shape){3, {tern_tensor_dim(x, 0), -1, model->info.head_size}}, out);
}

/* Positions [begin, end) of one layer of a cache (L, S, H_kv, K): (end - begin, H_kv, K). */
static tern_status cache_part(tern_tensor *cache, int64_t layer, int64_t begin, int64_t end,
                              tern_tensor **out) {
    tern_tensor *all = NULL;
    *out = NULL;
    tern_status status = tern_tensor_select(cache, 0, layer, &all);
    return status == TERN_OK ? tern_tensor_slice(all, 0, begin, end, 1, out) : status;
}

/* What there is of one layer up to `end`, by heads: (H_kv, end, K). */
static tern_status cache_seen(tern_tensor *cache, int64_t layer, int64_t end, tern_tensor **out) {
    tern_tensor *rows = NULL;
    *out = NULL;
    tern_status status = cache_part(cache, layer, 0, end, &rows);
    return status == TERN_OK ? tern_tensor_transpose(rows, 0, 1, out) : status;
}

/* The scales of one layer of an I8 cache, (2, H_kv, S); of other types NULL. */
static tern_status cache_scales(const tern__cache *cache, int64_t layer, tern_tensor **out) {
    *out = NULL;
    return cache->scales != NULL ? tern_tensor_select(cache->scales, 0, layer, out) : TERN_OK;
}

/* Rounds x (T, H_kv, K) to `rows` of the cache, which are those from `position` on; `scales` as
 * above, where those of keys are 0, those of values 1. */
static tern_status keep_rounded(tern_tensor *x, tern_tensor *scales, int64_t which,
                                int64_t position, tern_tensor *rows) {
    if (scales == NULL)
        return tern_copy(x, rows);
    tern_tensor *own;
    tern_status status;
    TERN__TRY(tern_tensor_select(scales, 0, which, &own));
    TERN__TRY(tern_tensor_slice(own, 1, position, position + tern_tensor_dim(x, 0), 1, &own));
    TERN__TRY(tern_tensor_transpose(own, 0, 1, &own));
    TERN__TRY(tern_quantize_scale_into(x, own));
    TERN__TRY(tern_quantize_into(x, own, rows));
done:
    return status;
}

/* Queries, keys and values of norm(x) in one pass; the values go to `values` unless it is NULL. */
static tern_status project(const tern_model *model, const tern__layer *w, tern_tensor *x,
                           tern_tensor *values, tern_tensor *made[3]) {
    tern_tensor *const weights[3] = {w->attn_q, w->attn_k, w->attn_v};
    tern_status status = TERN_OK;
    if (values == NULL)
        return tern_norm_linear(x, w->attn_norm, model->norm_epsilon, weights, 3, made);
    made[2] = values;
    for (int i = 0; i < 2 && status == TERN_OK; i++) {
        tern_shape shape = {2, {tern_tensor_dim(x, 0), tern_tensor_dim(weights[i], 0)}};
        status = tern_tensor_empty(x->context, TERN_F32, shape, &made[i]);
    }
    if (status == TERN_OK)
        status = tern_norm_linear_into(x, w->attn_norm, model->norm_epsilon, weights, 3, made);
    return status;
}

/* The keys and values of x (T, D) go to `position` of the layer, the queries (T, H, K) to *q. An
 * F32 cache takes keys and values where they are made. */
static tern_status remember(const tern_model *model, const tern__cache *cache, int64_t index,
                            int64_t position, tern_tensor *x, tern_tensor **q) {
    int64_t tokens = tern_tensor_dim(x, 0), end = position + tokens;
    bool is_single = tern_tensor_dtype(cache->keys) == TERN_F32;
    tern_tensor *made[3], *k, *v, *keys, *values, *scales, *flat = NULL;
    tern_status status;
    TERN__TRY(cache_part(cache->keys, index, position, end, &keys));
    TERN__TRY(cache_part(cache->values, index, position, end, &values));
    if (is_single)
        TERN__TRY(tern_tensor_reshape(values, (tern_shape){2, {tokens, -1}}, &flat));
    TERN__TRY(project(model, &model->layers[index], x, flat, made));
    TERN__TRY(split_heads(model, made[0], q));
    TERN__TRY(split_heads(model, made[1], &k));
    TERN__TRY(tern_rope(*q, cache->rope_table, position, q));
    if (is_single) {
        TERN__TRY(tern_rope_into(k, cache->rope_table, position, keys));
    } else {
        TERN__TRY(split_heads(model, made[2], &v));
        TERN__TRY(tern_rope(k, cache->rope_table, position, &k));
        TERN__TRY(cache_scales(cache, index, &scales));
        TERN__TRY(keep_rounded(k, scales, 0, position, keys));
        TERN__TRY(keep_rounded(v, scales, 1, position, values));
    }
done:
    return status;
}

/* q (T, H, K) over what the layer has up to `end`. */
static tern_status recall(const tern_model *model, const tern__cache *cache, int64_t index,
                          int64_t end, tern_tensor *q, tern_tensor **out) {
    tern_tensor *keys, *values, *scales;
    tern_status status;
    TERN__TRY(cache_seen(cache->keys, index, end, &keys));
    TERN__TRY(cache_seen(cache->values, index, end, &values));
    TERN__TRY(cache_scales(cache, index, &scales));
    if (scales == NULL) {
        TERN__TRY(tern_attention(q, keys, values, model->attention_scale, out));
    } else {
        TERN__TRY(tern_tensor_slice(scales, 2, 0, end, 1, &scales));
        TERN__TRY(tern_attention_int8(q, keys, values, scales, model->attention_scale, out));
    }
done:
    return status;
}

static tern_status attention(const tern_model *model, const tern__cache *cache, int64_t index,
                             int64_t position, tern_tensor *x, tern_tensor **out) {
    const tern__layer *w = &model->layers[index];
    int64_t end = position + tern_tensor_dim(x, 0);
    tern_tensor *q, *mixed;
    tern_status status;
    TERN__TRY(remember(model, cache, index, position, x, &q));
    TERN__TRY(recall(model, cache, index, end, q, &mixed));
    TERN__TRY(
        tern_norm_linear_add(mixed, w->attn_sub_norm, model->norm_epsilon, w->attn_output, x, out));
done:
    return status;
}

static tern_status feed_forward(const tern_model *model, int64_t index, tern_tensor *x,
                                tern_tensor **out) {
    const tern__layer *w = &model->layers[index];
    tern_tensor *inner;
    tern_status status;
    TERN__TRY(tern_norm_glu(x, w->ffn_norm, model->norm_epsilon, w->ffn_gate, w->ffn_up,
                            TERN_ACTIVATION_RELU2, &inner));
    TERN__TRY(
        tern_norm_linear_add(inner, w->ffn_sub_norm, model->norm_epsilon, w->ffn_down, x, out));
done:
    return status;
}

/* One layer. What it makes on the way goes when its scope ends; the result is kept. */
static tern_status run_layer(const tern_model *model, const tern__cache *cache, int64_t index,
                             int64_t position, tern_context *context, tern_tensor *x,
                             tern_tensor **out) {
    tern_tensor *attended = NULL;
    *out = NULL;
    tern_scope_begin(context);
    tern_status status = attention(model, cache, index, position, x, &attended);
    tern_tensor_keep(attended);
    tern_scope_end(context);
    tern_scope_begin(context);
    if (status == TERN_OK)
        status = feed_forward(model, index, attended, out);
    tern_tensor_keep(*out);
    tern_scope_end(context);
    tern_tensor_release(attended);
    return status;
}

tern_status tern__decoder_forward(const tern_model *model, const tern__cache *cache,
                                  tern_context *context, tern_tensor *ids, int64_t position,
                                  tern_tensor **out) {
    tern_tensor *x = NULL;
    *out = NULL;
    tern_status status = tern__embedding(model->embedding, ids, &x);
    for (int64_t i = 0; status == TERN_OK && i < model->info.layers; i++) {
        tern_tensor *next = NULL;
        status = run_layer(model, cache, i, position, context, x, &next);
        tern_tensor_release(x);
        x = next;
    }
    *out = x;
    return status;
}

tern_status tern__decoder_logits(const tern_model *model, tern_tensor *x, tern_tensor **out) {
    tern_tensor *normed = NULL;
    *out = NULL;
    tern_status status = tern_rms_norm(x, model->output_norm, model->norm_epsilon, &normed);
    if (status == TERN_OK)
        status = tern_linear(normed, model->output, out);
    tern_tensor_release(normed);
    return status;
}

tern_status tern__decoder_best(const tern_model *model, tern_tensor *x, int64_t k,
                               tern_tensor **logits, tern_tensor **ids) {
    tern_tensor *normed = NULL;
    *logits = *ids = NULL;
    tern_status status = tern_rms_norm(x, model->output_norm, model->norm_epsilon, &normed);
    if (status == TERN_OK)
        status = tern_linear_topk(normed, model->output, model->screen, k, logits, ids);
    tern_tensor_release(normed);
    return status;
}
