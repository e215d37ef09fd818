/* SPDX-License-Identifier: MIT
 * Loading a model from a GGUF file: read the hyper-parameters, check every tensor's name, type and
 * shape, pack the ternary matrices and drop the file's pages behind them. The embedding stays in
 * the mapping. */
#include <tern/ops.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "format/gguf.h"
#include "model/model.h"
#include "ops/pack.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

/* Architectures that this decoder computes: sub-norms, ReLU squared gate, NEOX rotary halves. */
static const char *const architectures[] = {"bitnet-b1.58", "bitnet-25"};

/* Weights are kept: a scope that the caller may have open does not own them. */
typedef struct loader {
    tern_context *context;
    tern_file *file;
    tern_model *model;
    const tern_model_options *options;
    uint64_t bytes_done, bytes_total;
    bool *is_used; /* for every tensor of the file */
} loader;

/* -- hyper-parameters --------------------------------------------------------------------------*/

static tern_status find_architecture(const tern_file *file, const char **out) {
    tern__gguf_string text;
    tern_status status = tern__gguf_text(file, "general.architecture", &text, NULL);
    if (status != TERN_OK)
        return status;
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (text.length == strlen(architectures[i]) &&
            memcmp(text.bytes, architectures[i], text.length) == 0) {
            *out = architectures[i];
            return TERN_OK;
        }
    return tern__fail(TERN_E_UNSUPPORTED,
                      "architecture \"%.*s\" is not supported (known: bitnet-b1.58, bitnet-25)",
                      (int)(text.length < 64 ? text.length : 64), text.bytes);
}

/* Reads A.key; keeps *out when the key is absent and `found` is given. */
static tern_status read_count(const loader *l, const char *architecture, const char *key,
                              int64_t *out, bool *found) {
    char name[128];
    uint64_t value = 0;
    bool is_there = true;
    snprintf(name, sizeof name, "%s.%s", architecture, key);
    tern_status status = tern__gguf_u64(l->file, name, &value, found != NULL ? &is_there : NULL);
    if (found != NULL)
        *found = is_there;
    if (status == TERN_OK && is_there)
        *out = value > INT64_MAX ? INT64_MAX : (int64_t)value;
    return status;
}

static tern_status read_number(const loader *l, const char *architecture, const char *key,
                               double lowest, double highest, double *out) {
    char name[128];
    snprintf(name, sizeof name, "%s.%s", architecture, key);
    tern_status status = tern__gguf_f64(l->file, name, out, NULL);
    if (status == TERN_OK && !(*out >= lowest && *out <= highest))
        return tern__fail(TERN_E_FORMAT, "model: %s is %g, not in %g..%g", name, *out, lowest,
                          highest);
    return status;
}

/* Stretched positions are not what this decoder computes. */
static tern_status check_rope_scaling(const loader *l, const char *architecture) {
    char name[128];
    tern__gguf_string type;
    bool found = false;
    snprintf(name, sizeof name, "%s.rope.scaling.type", architecture);
    tern_status status = tern__gguf_text(l->file, name, &type, &found);
    if (status == TERN_OK && found && !(type.length == 4 && memcmp(type.bytes, "none", 4) == 0))
        return tern__fail(TERN_E_UNSUPPORTED, "model: %s is \"%.*s\"", name,
                          (int)(type.length < 64 ? type.length : 64), type.bytes);
    return status;
}

/* The vocabulary is what the embedding says; the key, where present, has to agree. */
static tern_status read_vocabulary(const loader *l, const char *architecture, tern_model_info *m) {
    const tern__gguf_tensor *embedding = tern__gguf_find(l->file, "token_embd.weight");
    if (embedding == NULL || embedding->shape.rank != 2)
        return tern__fail(TERN_E_FORMAT, "model: token_embd.weight is missing or no matrix");
    m->vocabulary = embedding->shape.dims[0];
    int64_t stated = m->vocabulary;
    bool found;
    tern_status status = read_count(l, architecture, "vocab_size", &stated, &found);
    if (status == TERN_OK && stated != m->vocabulary)
        return tern__fail(TERN_E_FORMAT,
                          "model: vocab_size is %lld, token_embd.weight has %lld rows",
                          (long long)stated, (long long)m->vocabulary);
    return status;
}

static tern_status read_info(const loader *l, const char *architecture, tern_model_info *m) {
    tern_status status;
    bool found;
    TERN__TRY(read_count(l, architecture, "block_count", &m->layers, NULL));
    TERN__TRY(read_count(l, architecture, "context_length", &m->context_length, NULL));
    TERN__TRY(read_count(l, architecture, "embedding_length", &m->width, NULL));
    TERN__TRY(read_count(l, architecture, "feed_forward_length", &m->ffn_width, NULL));
    TERN__TRY(read_count(l, architecture, "attention.head_count", &m->heads, NULL));
    m->kv_heads = m->heads;
    TERN__TRY(read_count(l, architecture, "attention.head_count_kv", &m->kv_heads, &found));
    m->head_size = m->heads > 0 ? m->width / m->heads : 0;
    TERN__TRY(read_count(l, architecture, "attention.key_length", &m->head_size, &found));
    TERN__TRY(read_vocabulary(l, architecture, m));
    TERN__TRY(tern__model_check(m));
    int64_t rotated = m->head_size;
    TERN__TRY(read_count(l, architecture, "rope.dimension_count", &rotated, &found));
    if (rotated != m->head_size)
        return tern__fail(TERN_E_UNSUPPORTED, "model: rope.dimension_count %lld of head size %lld",
                          (long long)rotated, (long long)m->head_size);
    TERN__TRY(check_rope_scaling(l, architecture));
    if (m->layers > tern_file_tensor_count(l->file))
        return tern__fail(TERN_E_FORMAT, "model: %lld layers in a file of %lld tensors",
                          (long long)m->layers, (long long)tern_file_tensor_count(l->file));
done:
    return status;
}

/* -- tensors -----------------------------------------------------------------------------------*/

static void report_progress(loader *l, uint64_t bytes) {
    l->bytes_done += bytes;
    if (l->options != NULL && l->options->progress != NULL && l->bytes_total > 0)
        l->options->progress(l->options->progress_user,
                             (double)l->bytes_done / (double)l->bytes_total);
}

/* A tensor of a known type and of this shape; rows 0 means a vector. */
static tern_status find_tensor(const loader *l, const char *name, int64_t rows, int64_t columns,
                               const tern__gguf_tensor **out) {
    const tern__gguf_tensor *t = tern__gguf_find(l->file, name);
    if (t == NULL)
        return tern__fail(TERN_E_FORMAT, "model: tensor \"%s\" is missing", name);
    if (!t->is_known)
        return tern__fail(TERN_E_UNSUPPORTED, "model: tensor \"%s\" has type %u, which is unknown",
                          name, t->type);
    tern_shape expected = rows == 0 ? (tern_shape){1, {columns}} : (tern_shape){2, {rows, columns}};
    bool fits = t->shape.rank == expected.rank;
    for (int i = 0; fits && i < expected.rank; i++)
        fits = t->shape.dims[i] == expected.dims[i];
    if (!fits) {
        char have[TERN__SHAPE_TEXT], want[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_FORMAT, "model: tensor \"%s\" is %s, expected %s", name,
                          tern__shape_text(t->shape.rank, t->shape.dims, have),
                          tern__shape_text(expected.rank, expected.dims, want));
    }
    l->is_used[t - tern__gguf_at(l->file, 0)] = true;
    *out = t;
    return TERN_OK;
}

/* A tensor that this decoder would leave out (a bias, an adapter) changes what the model computes.
 */
static tern_status check_all_used(const loader *l) {
    for (int64_t i = 0; i < tern_file_tensor_count(l->file); i++)
        if (!l->is_used[i])
            return tern__fail(TERN_E_UNSUPPORTED,
                              "model: tensor \"%s\" is none of this architecture's",
                              tern__gguf_at(l->file, i)->name.bytes);
    return TERN_OK;
}

/* Once more, when all is packed: a page that is read maps its neighbours too, which belong to
 * matrices that were dropped before. 50 MiB of a model of the 2B4T shape. */
static void drop_packed(const loader *l) {
    for (int64_t i = 0; i < tern_file_tensor_count(l->file); i++)
        if (tern__dtype(tern__gguf_at(l->file, i)->dtype)->is_ternary)
            tern__gguf_drop(l->file, tern__gguf_at(l->file, i));
}

static tern_status load_norm(loader *l, const char *name, int64_t length, tern_tensor **out) {
    const tern__gguf_tensor *t = NULL;
    tern_tensor *borrowed = NULL;
    tern_status status;
    TERN__TRY(find_tensor(l, name, 0, length, &t));
    TERN__TRY(tern_tensor_borrow(l->context, t->dtype, t->shape, t->data, &borrowed));
    TERN__TRY(tern_cast(borrowed, TERN_F32, out));
    tern_tensor_keep(*out);
    report_progress(l, t->bytes);
done:
    tern_tensor_release(borrowed);
    return status;
}

/* Prefixes the detail of a failed packing with the tensor's name. */
static tern_status name_failure(tern_status status, const char *name) {
    char detail[256];
    snprintf(detail, sizeof detail, "%s", tern_last_error());
    return tern__fail(status, "model: tensor \"%s\": %s", name, detail);
}

static tern_status load_matrix(loader *l, const char *name, int64_t rows, int64_t columns,
                               tern_tensor **out) {
    const tern__gguf_tensor *t = NULL;
    tern_tensor *borrowed = NULL;
    tern_status status;
    TERN__TRY(find_tensor(l, name, rows, columns, &t));
    if (!tern__dtype(t->dtype)->is_ternary)
        return tern__fail(TERN_E_UNSUPPORTED, "model: tensor \"%s\" is %s, expected a ternary type",
                          name, tern_dtype_name(t->dtype));
    TERN__TRY(
        tern_tensor_borrow(tern__context_near(l->context), t->dtype, t->shape, t->data, &borrowed));
    status = tern__pack(l->context, borrowed, l->model->storage.packing, out);
    if (status != TERN_OK) {
        status = name_failure(status, name);
        goto done;
    }
    tern_tensor_keep(*out);
    tern__gguf_drop(l->file, t);
    l->model->info.weight_bytes += tern_tensor_bytes(*out);
    l->model->info.parameters += (uint64_t)rows * (uint64_t)columns;
    report_progress(l, t->bytes);
done:
    tern_tensor_release(borrowed);
    return status;
}

static void release_file(void *file) {
    tern__gguf_release(file);
}

/* A (V, D) table of floats, left where it lies in the file. */
static tern_status load_table(loader *l, const char *name, tern_tensor **out) {
    const tern__gguf_tensor *t = NULL;
    const tern_model_info *m = &l->model->info;
    tern_status status = find_tensor(l, name, m->vocabulary, m->width, &t);
    if (status != TERN_OK)
        return status;
    if (tern__dtype(t->dtype)->is_ternary)
        return tern__fail(TERN_E_UNSUPPORTED, "model: tensor \"%s\" is %s, expected floats", name,
                          tern_dtype_name(t->dtype));
    tern__gguf_retain(l->file);
    status = tern__tensor_adopt(l->context, t->dtype, &t->shape, t->data,
                                &(tern__tensor_callback){release_file, l->file}, "model_load", out);
    if (status != TERN_OK) {
        tern__gguf_release(l->file);
        return status;
    }
    tern_tensor_keep(*out);
    l->model->info.weight_bytes += t->bytes;
    l->model->info.parameters += (uint64_t)m->vocabulary * (uint64_t)m->width;
    report_progress(l, t->bytes);
    return TERN_OK;
}

static tern_status load_layer(loader *l, int64_t index, const tern__layer_slot *slots) {
    for (int s = 0; s < TERN__LAYER_SLOTS; s++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%lld.%s.weight", (long long)index, slots[s].name);
        tern_tensor **to = tern__layer_tensor(&l->model->layers[index], &slots[s]);
        tern_status status = slots[s].rows == 0
                                 ? load_norm(l, name, slots[s].columns, to)
                                 : load_matrix(l, name, slots[s].rows, slots[s].columns, to);
        if (status != TERN_OK)
            return status;
    }
    return TERN_OK;
}

static tern_status load_tensors(loader *l) {
    tern_model *model = l->model;
    tern__layer_slot slots[TERN__LAYER_SLOTS];
    tern__layer_slots(&model->info, slots);
    tern_status status;
    TERN__TRY(load_table(l, "token_embd.weight", &model->embedding));
    for (int64_t i = 0; i < model->info.layers; i++)
        TERN__TRY(load_layer(l, i, slots));
    TERN__TRY(load_norm(l, "output_norm.weight", model->info.width, &model->output_norm));
    if (tern__gguf_find(l->file, "output.weight") != NULL)
        TERN__TRY(load_table(l, "output.weight", &model->output));
    else
        model->output = tern_tensor_retain(model->embedding);
    TERN__TRY(check_all_used(l));
    drop_packed(l);
    TERN__TRY(tern__model_make_head(model, l->options));
    const tern__gguf_tensor *table = tern__gguf_find(l->file, "output.weight");
    if (table != NULL && model->output->dtype == TERN_QUANTIZED)
        tern__gguf_drop(l->file, table);
done:
    return status;
}

/* -- the whole ---------------------------------------------------------------------------------*/

static void copy_name(tern_model *model, const tern_file *file) {
    tern__gguf_string name;
    bool found = false;
    if (tern__gguf_text(file, "general.name", &name, &found) == TERN_OK && found)
        snprintf(model->name, sizeof model->name, "%.*s",
                 (int)(name.length < sizeof model->name ? name.length : sizeof model->name - 1),
                 name.bytes);
}

static tern_status load_file(loader *l) {
    tern_model_info info = {0};
    double epsilon = 0;
    tern_status status;
    TERN__TRY(find_architecture(l->file, &info.architecture));
    TERN__TRY(read_info(l, info.architecture, &info));
    TERN__TRY(tern__model_create(l->context, &info, &l->model));
    copy_name(l->model, l->file);
    TERN__TRY(tern__model_choose_storage(l->model, l->options));
    TERN__TRY(
        read_number(l, info.architecture, "attention.layer_norm_rms_epsilon", 0, 1, &epsilon));
    l->model->norm_epsilon = (float)epsilon;
    TERN__TRY(read_number(l, info.architecture, "rope.freq_base", 1, 1e15, &l->model->rope_theta));
    TERN__TRY(tern_tokenizer_from_file(l->file, &l->model->tokenizer));
    if (tern_tokenizer_size(l->model->tokenizer) != l->model->info.vocabulary)
        return tern__fail(TERN_E_FORMAT, "model: %d tokens, but token_embd.weight has %lld rows",
                          tern_tokenizer_size(l->model->tokenizer),
                          (long long)l->model->info.vocabulary);
    int64_t tensors = tern_file_tensor_count(l->file);
    for (int64_t i = 0; i < tensors; i++)
        l->bytes_total += tern__gguf_at(l->file, i)->bytes;
    l->is_used = tern__os()->alloc((size_t)tensors * sizeof *l->is_used);
    if (l->is_used == NULL)
        return tern__fail(TERN_E_MEMORY, "model: no memory for %lld tensors", (long long)tensors);
    TERN__TRY(load_tensors(l));
done:
    return status;
}

tern_status tern_model_load(tern_context *context, const char *path,
                            const tern_model_options *options, tern_model **out) {
    *out = NULL;
    uint64_t start = tern__os()->clock_ns();
    loader l = {.context = context, .options = options};
    tern_status status = tern_file_open(path, &l.file);
    if (status != TERN_OK)
        return status;
    status = load_file(&l);
    tern__os()->free(l.is_used);
    tern_file_close(l.file);
    tern_memory_trim(context); /* the scratch of packing */
    if (status != TERN_OK) {
        tern_model_release(l.model);
        return status;
    }
    l.model->info.load_seconds = (double)(tern__os()->clock_ns() - start) * 1e-9;
    tern__message(TERN_LOG_INFO, "model: %s loaded in %.1f ms, %llu bytes of weights", path,
                  l.model->info.load_seconds * 1e3, (unsigned long long)l.model->info.weight_bytes);
    *out = l.model;
    return TERN_OK;
}
