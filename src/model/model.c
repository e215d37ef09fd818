/* SPDX-License-Identifier: MIT
 * What all models share: life, description, checks of the hyper-parameters. */
#include "model/model.h"

#include <math.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "tensor/tensor.h"

void tern__layer_slots(const tern_model_info *m, tern__layer_slot slots[TERN__LAYER_SLOTS]) {
    const tern__layer_slot rows[TERN__LAYER_SLOTS] = {
#define MATRIX_SLOT(member, name, rows, columns)                                                   \
    {offsetof(tern__layer, member), name, rows, columns},
#define NORM_SLOT(member, name, length) {offsetof(tern__layer, member), name, 0, length},
        TERN__LAYER_MATRICES(MATRIX_SLOT) TERN__LAYER_NORMS(NORM_SLOT)
#undef MATRIX_SLOT
#undef NORM_SLOT
    };
    memcpy(slots, rows, sizeof rows);
}

/* Bounds are generous against real models and keep every product of them inside int64. */
tern_status tern__model_check(const tern_model_info *m) {
    const struct {
        const char *name;
        int64_t value, highest;
    } ranges[] = {
        {"block_count", m->layers, 4096},         {"embedding_length", m->width, 1 << 18},
        {"attention.head_count", m->heads, 4096}, {"attention.head_count_kv", m->kv_heads, 4096},
        {"head size", m->head_size, 4096},        {"feed_forward_length", m->ffn_width, 1 << 18},
        {"vocab_size", m->vocabulary, 1 << 24},   {"context_length", m->context_length, 1 << 22},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].value < 1 || ranges[i].value > ranges[i].highest)
            return tern__fail(TERN_E_FORMAT, "model: %s is %lld, not in 1..%lld", ranges[i].name,
                              (long long)ranges[i].value, (long long)ranges[i].highest);
    if (m->heads % m->kv_heads != 0)
        return tern__fail(TERN_E_FORMAT, "model: %lld heads do not share %lld key/value heads",
                          (long long)m->heads, (long long)m->kv_heads);
    if (m->head_size % 2 != 0)
        return tern__fail(TERN_E_FORMAT, "model: head size %lld is odd", (long long)m->head_size);
    return TERN_OK;
}

tern_status tern__model_create(tern_context *context, const tern_model_info *info,
                               tern_model **out) {
    *out = NULL;
    tern_model *model = tern__os()->alloc(sizeof *model);
    tern__layer *layers = tern__os()->alloc((size_t)info->layers * sizeof *layers);
    if (model == NULL || layers == NULL) {
        tern__os()->free(layers);
        tern__os()->free(model);
        return tern__fail(TERN_E_MEMORY, "model: no memory for %lld layers",
                          (long long)info->layers);
    }
    atomic_init(&model->references, 1);
    model->context = context;
    tern__context_retain(context);
    model->info = *info;
    model->info.name = model->name;
    model->attention_scale = 1 / sqrtf((float)info->head_size);
    model->layers = layers;
    *out = model;
    return TERN_OK;
}

void tern_model_release(tern_model *model) {
    if (model == NULL ||
        atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1)
        return;
    tern__layer_slot slots[TERN__LAYER_SLOTS];
    tern__layer_slots(&model->info, slots);
    for (int64_t i = 0; i < model->info.layers; i++)
        for (int s = 0; s < TERN__LAYER_SLOTS; s++)
            tern_tensor_release(*tern__layer_tensor(&model->layers[i], &slots[s]));
    tern_tensor_release(model->screen);
    tern_tensor_release(model->output);
    tern_tensor_release(model->output_norm);
    tern_tensor_release(model->embedding);
    tern_tokenizer_destroy(model->tokenizer);
    tern__context_release(model->context);
    tern__os()->free(model->layers);
    tern__os()->free(model);
}

tern_model_info tern_model_describe(const tern_model *model) {
    tern_model_info info = model->info;
    bool is_tied = model->output == model->embedding;
    uint64_t screen = model->screen != NULL ? tern_tensor_bytes(model->screen) : 0;
    info.token_bytes =
        info.weight_bytes - screen - (is_tied ? 0 : tern_tensor_bytes(model->embedding));
    info.best_bytes = info.token_bytes;
    if (screen > 0)
        info.best_bytes += screen - tern_tensor_bytes(model->output);
    return info;
}

const tern_tokenizer *tern_model_tokenizer(const tern_model *model) {
    return model->tokenizer;
}
