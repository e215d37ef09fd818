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

#include "base/status.h"

/* x (T, D) by weight, as heads (T, count, K). */
static tern_status project_heads(tern_tensor *x, tern_tensor *weight, int64_t head_size,
                                 tern_tensor **out) {
    tern_tensor *flat = NULL;
    tern_status status = tern_linear(x, weight, &flat);
    if (status != TERN_OK)
        return status;
    int64_t tokens = tern_tensor_dim(x, 0);
    return tern_tensor_reshape(flat, (tern_shape){3, {tokens, -1, head_size}}, out);
}

/* Puts rows (T, H_kv, K) at `position` of one layer of a cache (L, H_kv, S, K) and gives the
 * layer's positions 0..position+T as (H_kv, position + T, K). */
static tern_status remember(tern_tensor *cache, int64_t layer, int64_t position, tern_tensor *rows,
                            tern_tensor **seen) {
    int64_t end = position + tern_tensor_dim(rows, 0);
    tern_tensor *all = NULL, *fresh = NULL, *turned = NULL;
    tern_status status;
    TERN__TRY(tern_tensor_select(cache, 0, layer, &all));
    TERN__TRY(tern_tensor_slice(all, 1, position, end, 1, &fresh));
    TERN__TRY(tern_tensor_transpose(rows, 0, 1, &turned));
    TERN__TRY(tern_copy(turned, fresh));
    TERN__TRY(tern_tensor_slice(all, 1, 0, end, 1, seen));
done:
    return status;
}

static tern_status attention(const tern_model *model, const tern__cache *cache, int64_t index,
                             int64_t position, tern_tensor *x, tern_tensor **out) {
    const tern__layer *w = &model->layers[index];
    int64_t head_size = model->info.head_size;
    tern_tensor *h, *q, *k, *v, *keys, *values, *mixed, *normed, *projected;
    tern_status status;
    TERN__TRY(tern_rms_norm(x, w->attn_norm, model->norm_epsilon, &h));
    TERN__TRY(project_heads(h, w->attn_q, head_size, &q));
    TERN__TRY(project_heads(h, w->attn_k, head_size, &k));
    TERN__TRY(project_heads(h, w->attn_v, head_size, &v));
    TERN__TRY(tern_rope(q, cache->rope_table, position, &q));
    TERN__TRY(tern_rope(k, cache->rope_table, position, &k));
    TERN__TRY(remember(cache->keys, index, position, k, &keys));
    TERN__TRY(remember(cache->values, index, position, v, &values));
    TERN__TRY(tern_attention(q, keys, values, model->attention_scale, &mixed));
    TERN__TRY(tern_rms_norm(mixed, w->attn_sub_norm, model->norm_epsilon, &normed));
    TERN__TRY(tern_linear(normed, w->attn_output, &projected));
    TERN__TRY(tern_add(x, projected, out));
done:
    return status;
}

static tern_status feed_forward(const tern_model *model, int64_t index, tern_tensor *x,
                                tern_tensor **out) {
    const tern__layer *w = &model->layers[index];
    tern_tensor *h, *gate, *up, *inner, *normed, *down;
    tern_status status;
    TERN__TRY(tern_rms_norm(x, w->ffn_norm, model->norm_epsilon, &h));
    TERN__TRY(tern_linear(h, w->ffn_gate, &gate));
    TERN__TRY(tern_relu2(gate, &gate));
    TERN__TRY(tern_linear(h, w->ffn_up, &up));
    TERN__TRY(tern_mul(gate, up, &inner));
    TERN__TRY(tern_rms_norm(inner, w->ffn_sub_norm, model->norm_epsilon, &normed));
    TERN__TRY(tern_linear(normed, w->ffn_down, &down));
    TERN__TRY(tern_add(x, down, out));
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
    tern_status status = tern_embedding(model->embedding, ids, &x);
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
