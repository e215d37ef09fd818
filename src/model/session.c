/* SPDX-License-Identifier: MIT
 * A session: one conversation's cache and its position. */
#include <math.h>
#include <string.h>

#include <tern/model.h>
#include <tern/ops.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"
#include "device/device.h"
#include "model/decoder.h"
#include "ops/rope_table.h"
#include "tensor/reach.h"

enum {
    BATCH_DEFAULT = 256, /* tokens evaluated at once */
    LOGIT_ROWS = 16,     /* rows of logits made at once */
    ROPE_ROWS = 64,      /* rows of the rotary table filled at once */
};

struct tern_session {
    tern_context *context; /* retained */
    tern_model *model;     /* retained */
    tern__cache cache;
    int64_t capacity; /* positions */
    int64_t batch;
    int64_t position;
    int64_t rope_rows; /* rows of the rotary table that are filled: a long context costs nothing
                          before it is used */
};

static tern_status create_cache(tern_session *s, tern_dtype type) {
    const tern_model_info *m = &s->model->info;
    tern_shape shape = {4, {m->layers, s->capacity, m->kv_heads, m->head_size}};
    tern_status status;
    TERN__TRY(tern__tensor_empty(s->context, type, &shape, "cache", &s->cache.keys));
    tern_tensor_keep(s->cache.keys);
    TERN__TRY(tern__tensor_empty(s->context, type, &shape, "cache", &s->cache.values));
    tern_tensor_keep(s->cache.values);
    if (type == TERN_I8) {
        shape = (tern_shape){4, {m->layers, 2, m->kv_heads, s->capacity}};
        TERN__TRY(tern__tensor_empty(s->context, TERN_F32, &shape, "cache", &s->cache.scales));
        tern_tensor_keep(s->cache.scales);
    }
    TERN__TRY(tern__rope_table_empty(s->context, s->capacity, m->head_size, s->model->rope_theta,
                                     &s->cache.rope_table));
    tern_tensor_keep(s->cache.rope_table);
done:
    return status;
}

/* The model may be another context's where both reach its bytes. Matrices of one model may differ
 * in their packing: see tern__pack. */
static tern_status check_kernels(const tern_context *context, const tern_model *model) {
    const tern__device *device = context->device;
    if (context->memory != model->context->memory)
        return tern__fail(TERN_E_ARGUMENT,
                          "session: the model lies in the memory of another context's device, %s",
                          tern_context_device(model->context));
    tern__layer_slot slots[TERN__LAYER_SLOTS];
    tern__layer_slots(&model->info, slots);
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < model->info.layers; i++)
        for (int s = 0; s < TERN__LAYER_SLOTS && status == TERN_OK; s++)
            if (slots[s].rows > 0)
                status =
                    device->check_packed(device, *tern__layer_tensor(&model->layers[i], &slots[s]));
    if (status == TERN_OK && model->screen != NULL)
        status = device->check_packed(device, model->screen);
    if (status == TERN_OK && model->output->dtype == TERN_QUANTIZED)
        status = device->check_packed(device, model->output);
    return status;
}

tern_status tern_session_create(tern_context *context, tern_model *model,
                                const tern_session_options *options, tern_session **out) {
    *out = NULL;
    tern_session_options chosen = options != NULL ? *options : (tern_session_options){0};
    if (chosen.context_length == 0)
        chosen.context_length = model->info.context_length;
    if (chosen.batch == 0)
        chosen.batch = BATCH_DEFAULT;
    if (chosen.context_length < 1 || chosen.context_length > model->info.context_length)
        return tern__fail(TERN_E_ARGUMENT, "session: a context of %lld is not in 1..%lld",
                          (long long)chosen.context_length, (long long)model->info.context_length);
    if (chosen.batch < 1)
        return tern__fail(TERN_E_ARGUMENT, "session: a batch of %lld", (long long)chosen.batch);
    if (chosen.cache_type != TERN_F32 && chosen.cache_type != TERN_F16 &&
        chosen.cache_type != TERN_I8)
        return tern__fail(TERN_E_ARGUMENT, "session: a cache of %s is none of f32, f16 and i8",
                          tern_dtype_name(chosen.cache_type));
    tern_status status = check_kernels(context, model);
    if (status != TERN_OK)
        return status;
    tern_session *s = tern__os()->alloc(sizeof *s);
    if (s == NULL)
        return tern__fail(TERN_E_MEMORY, "session: no memory");
    s->context = context;
    s->model = model;
    s->capacity = chosen.context_length;
    s->batch = chosen.batch;
    tern__context_retain(context);
    atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
    status = create_cache(s, chosen.cache_type);
    if (status != TERN_OK) {
        tern_session_destroy(s);
        return status;
    }
    *out = s;
    return TERN_OK;
}

void tern_session_destroy(tern_session *session) {
    if (session == NULL)
        return;
    tern_tensor_release(session->cache.rope_table);
    tern_tensor_release(session->cache.scales);
    tern_tensor_release(session->cache.values);
    tern_tensor_release(session->cache.keys);
    tern_model_release(session->model);
    tern__context_release(session->context);
    tern__os()->free(session);
}

int64_t tern_session_position(const tern_session *session) {
    return session->position;
}

int64_t tern_session_capacity(const tern_session *session) {
    return session->capacity;
}

size_t tern_session_cache_bytes(const tern_session *session) {
    const tern__cache *cache = &session->cache;
    size_t scales = cache->scales != NULL ? tern_tensor_bytes(cache->scales) : 0;
    return tern_tensor_bytes(cache->keys) + tern_tensor_bytes(cache->values) + scales;
}

tern_status tern_session_truncate(tern_session *session, int64_t position) {
    if (position < 0 || position > session->position)
        return tern__fail(TERN_E_ARGUMENT, "session: position %lld is not in 0..%lld",
                          (long long)position, (long long)session->position);
    session->position = position;
    return TERN_OK;
}

/* Logits of the rows [begin, end) of x into the caller's memory, a few rows at a time. */
static tern_status write_logits(tern_session *s, tern_tensor *x, int64_t begin, int64_t end,
                                float *logits) {
    int64_t vocabulary = s->model->info.vocabulary;
    tern_status status = TERN_OK;
    for (int64_t row = begin; row < end && status == TERN_OK; row += LOGIT_ROWS) {
        int64_t last = tern__min_i64(row + LOGIT_ROWS, end);
        tern_tensor *rows = NULL, *result = NULL;
        status = tern_tensor_slice(x, 0, row, last, 1, &rows);
        if (status == TERN_OK)
            status = tern__decoder_logits(s->model, rows, &result);
        if (status == TERN_OK)
            status = tern__tensor_fetch(result, 0, logits + (row - begin) * vocabulary,
                                        tern_tensor_bytes(result));
        tern_tensor_release(result);
        tern_tensor_release(rows);
    }
    return status;
}

/* Makes the rotary table reach to `end`. */
static tern_status extend_rope(tern_session *s, int64_t end) {
    if (end <= s->rope_rows)
        return TERN_OK;
    end = tern__min_i64(tern__round_up_i64(end, ROPE_ROWS), s->capacity);
    tern_status status =
        tern__rope_table_fill(s->cache.rope_table, s->model->rope_theta, s->rope_rows, end);
    if (status == TERN_OK)
        s->rope_rows = end;
    return status;
}

/* What a call wants of its tokens: logits of all (count, V), of the last (V), none, or with k > 0
 * the k largest logits of the last, and their ids. */
typedef struct wanted {
    tern_logits which;
    float *logits;
    int64_t k;
    int32_t *ids;
} wanted;

/* tern_topk takes NaN for the largest, but nobody who draws a token does: all logits with -infinity
 * in its place. */
static tern_status best_without_nan(tern_session *s, tern_tensor *x, int64_t k,
                                    tern_tensor **logits, tern_tensor **ids) {
    tern_tensor *all = NULL, *mask = NULL;
    tern_status status;
    TERN__TRY(tern__decoder_logits(s->model, x, &all));
    TERN__TRY(tern_isnan(all, &mask));
    TERN__TRY(tern_masked_fill_into(all, mask, -INFINITY, all));
    TERN__TRY(tern_topk(all, k, 1, true, logits, ids));
done:
    tern_tensor_release(mask);
    tern_tensor_release(all);
    return status;
}

/* The k largest logits of the last row of x. */
static tern_status write_best(tern_session *s, tern_tensor *x, const wanted *w) {
    tern_tensor *last = NULL, *logits = NULL, *ids = NULL, *twin = NULL;
    int64_t rows = tern_tensor_dim(x, 0);
    tern_status status;
    TERN__TRY(tern_tensor_slice(x, 0, rows - 1, rows, 1, &last));
    TERN__TRY(tern__decoder_best(s->model, last, w->k, &logits, &ids));
    TERN__TRY(tern__tensor_fetch(logits, 0, w->logits, (size_t)w->k * sizeof *w->logits));
    if (isnan(w->logits[0])) {
        tern_tensor_release(ids);
        tern_tensor_release(logits);
        ids = logits = NULL;
        TERN__TRY(best_without_nan(s, last, w->k, &logits, &ids));
        TERN__TRY(tern__tensor_fetch(logits, 0, w->logits, (size_t)w->k * sizeof *w->logits));
    }
    TERN__TRY(tern__host_twin(ids, &twin));
    for (int64_t i = 0; i < w->k; i++)
        w->ids[i] = (int32_t)((const int64_t *)twin->data)[i];
done:
    tern_tensor_release(twin);
    tern_tensor_release(ids);
    tern_tensor_release(logits);
    tern_tensor_release(last);
    return status;
}

/* `count` tokens at the session's position, which moves on. */
static tern_status eval_batch(tern_session *s, const int32_t *tokens, int64_t count,
                              const wanted *w) {
    tern_tensor *ids = NULL, *x = NULL;
    tern_status status;
    TERN__TRY(extend_rope(s, s->position + count));
    TERN__TRY(tern_tensor_borrow(s->context, TERN_I32, TERN_SHAPE(count), tokens, &ids));
    TERN__TRY(tern__decoder_forward(s->model, &s->cache, s->context, ids, s->position, &x));
    if (w->k > 0)
        TERN__TRY(write_best(s, x, w));
    else if (w->which != TERN_LOGITS_NONE)
        TERN__TRY(
            write_logits(s, x, w->which == TERN_LOGITS_ALL ? 0 : count - 1, count, w->logits));
    s->position += count;
done:
    tern_tensor_release(x);
    tern_tensor_release(ids);
    return status;
}

static tern_status check_tokens(const tern_session *s, const int32_t *tokens, int64_t count) {
    if (count < 1)
        return tern__fail(TERN_E_ARGUMENT, "eval: %lld tokens", (long long)count);
    if (count > s->capacity - s->position)
        return tern__fail(TERN_E_LIMIT,
                          "eval: %lld tokens behind %lld do not fit a context of %lld",
                          (long long)count, (long long)s->position, (long long)s->capacity);
    for (int64_t i = 0; i < count; i++)
        if (tokens[i] < 0 || tokens[i] >= s->model->info.vocabulary)
            return tern__fail(TERN_E_ARGUMENT, "eval: token %d at %lld is not in 0..%lld",
                              tokens[i], (long long)i, (long long)s->model->info.vocabulary - 1);
    return TERN_OK;
}

/* Batch after batch; only the last one makes what the last token is wanted for. */
static tern_status eval(tern_session *session, const int32_t *tokens, int64_t count,
                        const wanted *w) {
    tern_status status = TERN_OK;
    int64_t start = session->position;
    for (int64_t done = 0; status == TERN_OK && done < count; done += session->batch) {
        int64_t part = tern__min_i64(session->batch, count - done);
        wanted of_part = *w;
        if (w->which == TERN_LOGITS_ALL)
            of_part.logits += done * session->model->info.vocabulary;
        else if (done + part < count)
            of_part = (wanted){.which = TERN_LOGITS_NONE};
        status = eval_batch(session, tokens + done, part, &of_part);
    }
    if (status != TERN_OK)
        session->position = start;
    tern__context_tick(session->context);
    return status;
}

tern_status tern_session_eval(tern_session *session, const int32_t *tokens, int64_t count,
                              tern_logits which, float *logits) {
    tern_status status = check_tokens(session, tokens, count);
    if (status == TERN_OK && which != TERN_LOGITS_NONE && logits == NULL)
        status = tern__fail(TERN_E_ARGUMENT, "eval: logits is NULL");
    if (status != TERN_OK)
        return status;
    return eval(session, tokens, count, &(wanted){.which = which, .logits = logits});
}

tern_status tern_session_eval_best(tern_session *session, const int32_t *tokens, int64_t count,
                                   int64_t k, int32_t *ids, float *logits) {
    tern_status status = check_tokens(session, tokens, count);
    if (status == TERN_OK && (ids == NULL || logits == NULL))
        status = tern__fail(TERN_E_ARGUMENT, "eval: %s is NULL", ids == NULL ? "ids" : "logits");
    if (status == TERN_OK && (k < 1 || k > session->model->info.vocabulary))
        status = tern__fail(TERN_E_ARGUMENT, "eval: the best %lld of %lld logits", (long long)k,
                            (long long)session->model->info.vocabulary);
    if (status != TERN_OK)
        return status;
    return eval(session, tokens, count,
                &(wanted){.which = TERN_LOGITS_LAST, .logits = logits, .k = k, .ids = ids});
}
