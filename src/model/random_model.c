/* SPDX-License-Identifier: MIT
 * Models of well-known shapes with random weights, for measuring speed without a download. */
#include <tern/ops.h>

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/philox.h"
#include "base/status.h"
#include "model/model.h"
#include "ops/pack.h"
#include "tensor/reach.h"

typedef struct named_shape {
    const char *name;
    bool is_tied;
    int64_t layers, width, heads, kv_heads, head_size, ffn_width, vocabulary, context_length;
} named_shape;

/* Published configurations of BitNet-b1.58-2B-4T, bitnet_b1_58-large, bitnet_b1_58-3B and
 * Llama3-8B-1.58; "tiny" is ours, for tests. */
static const named_shape shapes[] = {
    {"2b4t", true, 30, 2560, 20, 5, 128, 6912, 128256, 4096},
    {"0.7b", true, 24, 1536, 16, 16, 96, 4096, 32002, 2048},
    {"3b", true, 26, 3200, 32, 32, 100, 8640, 32002, 2048},
    {"8b", false, 32, 4096, 32, 8, 128, 14336, 128256, 8192},
    {"tiny", true, 2, 128, 4, 2, 32, 384, 515, 256},
};

static const named_shape *find_shape(const char *name) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

/* F16 numbers of random sign in [2^-5, 2^-4): the scale of trained embeddings, never zero. */
static tern_status random_table(tern_model *model, uint64_t seed, tern_tensor **out) {
    tern_shape shape = {2, {model->info.vocabulary, model->info.width}};
    tern_status status = tern__tensor_empty(model->context, TERN_F16, &shape, "model_random", out);
    if (status != TERN_OK)
        return status;
    tern_tensor_keep(*out);
    uint16_t *data = tern__fill_begin(out);
    if (data == NULL)
        return TERN_E_MEMORY;
    int64_t count = tern_tensor_count(*out);
    for (int64_t i = 0; i < count; i += 8) {
        tern__philox_block block = tern__philox(seed, (uint64_t)i);
        for (int64_t j = 0; j < 8 && i + j < count; j++)
            data[i + j] = (uint16_t)((block.word[j / 2] >> (j % 2 * 16) & 0x83ffu) | 0x2800u);
    }
    status = tern__fill_end(out, data, TERN_OK);
    if (status != TERN_OK)
        return status;
    model->info.weight_bytes += tern_tensor_bytes(*out);
    model->info.parameters += (uint64_t)count;
    return TERN_OK;
}

static tern_status ones(tern_context *context, int64_t length, tern_tensor **out) {
    tern_status status = tern_tensor_ones(context, TERN_F32, TERN_SHAPE(length), out);
    tern_tensor_keep(*out);
    return status;
}

static tern_status random_layer(tern_model *model, int64_t index, uint64_t seed) {
    tern__layer_slot slots[TERN__LAYER_SLOTS];
    tern__layer_slots(&model->info, slots);
    for (int s = 0; s < TERN__LAYER_SLOTS; s++) {
        tern_tensor **to = tern__layer_tensor(&model->layers[index], &slots[s]);
        tern_status status;
        if (slots[s].rows == 0) {
            status = ones(model->context, slots[s].columns, to);
        } else {
            status = tern__pack_random(
                model->context, model->storage.packing, slots[s].rows, slots[s].columns, 0.02f,
                seed + (uint64_t)(index * TERN__LAYER_SLOTS + s) * 0x9E3779B97F4A7C15u, to);
            if (status == TERN_OK) {
                model->info.weight_bytes += tern_tensor_bytes(tern_tensor_keep(*to));
                model->info.parameters += (uint64_t)(slots[s].rows * slots[s].columns);
            }
        }
        if (status != TERN_OK)
            return status;
    }
    return TERN_OK;
}

static tern_status fill(tern_model *model, bool is_tied, uint64_t seed,
                        const tern_model_options *options) {
    tern_status status;
    TERN__TRY(tern__model_choose_storage(model, options));
    TERN__TRY(random_table(model, ~seed, &model->embedding));
    if (is_tied)
        model->output = tern_tensor_retain(model->embedding);
    else
        TERN__TRY(random_table(model, ~seed - 1, &model->output));
    TERN__TRY(tern__model_make_head(model, options));
    TERN__TRY(ones(model->context, model->info.width, &model->output_norm));
    for (int64_t i = 0; i < model->info.layers; i++) {
        TERN__TRY(random_layer(model, i, seed));
        if (options != NULL && options->progress != NULL)
            options->progress(options->progress_user, (double)(i + 1) / (double)model->info.layers);
    }
done:
    return status;
}

tern_status tern_model_random(tern_context *context, const char *shape, uint64_t seed,
                              const tern_model_options *options, tern_model **out) {
    *out = NULL;
    uint64_t start = tern__os()->clock_ns();
    const named_shape *s = find_shape(shape);
    if (s == NULL)
        return tern__fail(TERN_E_ARGUMENT,
                          "no model shape \"%s\" (known: 2b4t, 0.7b, 3b, 8b, tiny)", shape);
    tern_model_info info = {.architecture = "bitnet-b1.58",
                            .layers = s->layers,
                            .width = s->width,
                            .heads = s->heads,
                            .kv_heads = s->kv_heads,
                            .head_size = s->head_size,
                            .ffn_width = s->ffn_width,
                            .vocabulary = s->vocabulary,
                            .context_length = s->context_length};
    tern_model *model = NULL;
    tern_status status = tern__model_create(context, &info, &model);
    if (status != TERN_OK)
        return status;
    snprintf(model->name, sizeof model->name, "random %s", s->name);
    model->norm_epsilon = 1e-5f;
    model->rope_theta = 500000;
    status = fill(model, s->is_tied, seed, options);
    tern_memory_trim(context); /* the scratch of packing */
    if (status != TERN_OK) {
        tern_model_release(model);
        return status;
    }
    model->info.load_seconds = (double)(tern__os()->clock_ns() - start) * 1e-9;
    *out = model;
    return TERN_OK;
}
