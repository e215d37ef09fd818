/* SPDX-License-Identifier: MIT
 * hot_paths PATH CALLS [MODEL]: makes what one hot path needs, then calls it CALLS times;
 * hot_paths --list names them all. tools/check_instructions runs it under callgrind with two
 * numbers of calls: the difference is what the calls alone execute.
 *
 * One thread, kernels of AVX2 (callgrind knows no later ones), weights at 2 bits, a clock that
 * stands still and random bytes that are not: so each count is the same in every run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/tern.h>

#include "base/os.h"

typedef struct fixture {
    tern_context *context;
    tern_tensor *a, *b, *c;
    tern_model *model;
    tern_session *session;
    tern_sampler *sampler;
    float *logits; /* (V) */
} fixture;

typedef struct hot_path {
    const char *name;
    tern_status (*prepare)(fixture *f, const char *model); /* NULL: nothing */
    tern_status (*call)(fixture *f);
} hot_path;

/* -- tensors -----------------------------------------------------------------------------------*/

static tern_status tensor_create(fixture *f) {
    tern_tensor *tensor = NULL;
    tern_status status = tern_tensor_empty(f->context, TERN_F32, TERN_SHAPE(4, 16), &tensor);
    tern_tensor_release(tensor);
    return status;
}

static tern_status prepare_vectors(fixture *f, const char *model) {
    (void)model;
    tern_tensor **all[] = {&f->a, &f->b, &f->c};
    tern_status status = TERN_OK;
    for (int i = 0; i < 3 && status == TERN_OK; i++)
        status = tern_tensor_randn(f->context, TERN_F32, TERN_SHAPE(1024), (uint64_t)i, all[i]);
    return status;
}

static tern_status add_into(fixture *f) {
    return tern_add_into(f->a, f->b, f->c);
}

static tern_status prepare_squares(fixture *f, const char *model) {
    (void)model;
    tern_tensor **all[] = {&f->a, &f->b, &f->c};
    tern_status status = TERN_OK;
    for (int i = 0; i < 3 && status == TERN_OK; i++)
        status = tern_tensor_randn(f->context, TERN_F32, TERN_SHAPE(64, 64), (uint64_t)i, all[i]);
    return status;
}

static tern_status view(fixture *f) {
    tern_tensor *slice = NULL;
    tern_status status = tern_tensor_slice(f->a, 0, 8, 40, 1, &slice);
    tern_tensor_release(slice);
    return status;
}

static tern_status matmul_into(fixture *f) {
    return tern_matmul_into(f->a, f->b, f->c);
}

static tern_status scope(fixture *f) {
    tern_scope_begin(f->context);
    tern_scope_end(f->context);
    return TERN_OK;
}

static tern_status prepare_trits(fixture *f, const char *model) {
    (void)model;
    return tern_tensor_randint(f->context, TERN_I8, TERN_SHAPE(256, 256), -1, 2, 1, &f->a);
}

static tern_status pack(fixture *f) {
    tern_tensor *packed = NULL;
    tern_status status = tern_tensor_pack(f->a, &packed);
    tern_tensor_release(packed);
    return status;
}

/* -- models ------------------------------------------------------------------------------------*/

enum { PROMPT = 32 };

static const char sentence[] =
    "Once upon a time, there was a little fox who lived at the edge of a big, dark wood.";

static tern_status prepare_model(fixture *f, const char *path) {
    const tern_model_options options = {
        .storage = TERN_STORAGE_2_BIT, .head = TERN_HEAD_FULL, .cache_directory = ""};
    return tern_model_load(f->context, path, &options, &f->model);
}

/* A session behind a prompt, with the logits of its last token. */
static tern_status prepare_session(fixture *f, const char *path) {
    int32_t ids[PROMPT];
    tern_status status = prepare_model(f, path);
    if (status != TERN_OK)
        return status;
    int64_t vocabulary = tern_model_describe(f->model).vocabulary;
    for (int i = 0; i < PROMPT; i++)
        ids[i] = (int32_t)((i * 97 + 1) % vocabulary);
    f->logits = calloc((size_t)vocabulary, sizeof *f->logits);
    if (f->logits == NULL)
        return TERN_E_MEMORY;
    status = tern_session_create(f->context, f->model, NULL, &f->session);
    if (status == TERN_OK)
        status = tern_session_eval(f->session, ids, PROMPT, TERN_LOGITS_LAST, f->logits);
    return status;
}

/* Always the same token at the same place. */
static tern_status token(fixture *f) {
    const int32_t id = 7;
    tern_status status = tern_session_truncate(f->session, PROMPT);
    if (status == TERN_OK)
        status = tern_session_eval(f->session, &id, 1, TERN_LOGITS_LAST, f->logits);
    return status;
}

static tern_status prepare_sampler(fixture *f, const char *path) {
    tern_status status = prepare_session(f, path);
    if (status == TERN_OK)
        status = tern_sampler_create(NULL, tern_model_describe(f->model).vocabulary, &f->sampler);
    return status;
}

static tern_status sampler_next(fixture *f) {
    int32_t id;
    return tern_sampler_next(f->sampler, f->logits, &id);
}

static tern_status encode(fixture *f) {
    int32_t ids[sizeof sentence];
    size_t count;
    return tern_tokenizer_encode(tern_model_tokenizer(f->model), sentence, sizeof sentence - 1,
                                 TERN_ENCODE_BOS, ids, sizeof sentence, &count);
}

/* -- the program -------------------------------------------------------------------------------*/

static const hot_path paths[] = {
    {"tensor_create", NULL, tensor_create},
    {"add_into_1ki", prepare_vectors, add_into},
    {"view", prepare_squares, view},
    {"scope", NULL, scope},
    {"matmul_into_64", prepare_squares, matmul_into},
    {"story_token", prepare_session, token},
    {"sampler_next", prepare_sampler, sampler_next},
    {"pack_256", prepare_trits, pack},
    {"encode_sentence", prepare_model, encode},
    {0},
};

static uint64_t still_clock(void) {
    return UINT64_C(1000000000);
}

static int known_bytes(void *bytes, size_t count) {
    memset(bytes, 0x5a, count);
    return 0;
}

/* Some calls come before those that are counted, so that pools and caches are warm. */
static tern_status repeat(const hot_path *path, const char *model, long long calls) {
    enum { WARM_UP = 4 };
    const tern_options options = {.threads = 1, .cpu = "avx2"};
    fixture f = {0};
    tern_status status = tern_context_create(&options, &f.context);
    if (status == TERN_OK && path->prepare != NULL)
        status = path->prepare(&f, model);
    for (long long i = 0; i < WARM_UP + calls && status == TERN_OK; i++)
        status = path->call(&f);
    tern_sampler_destroy(f.sampler);
    tern_session_destroy(f.session);
    tern_model_release(f.model);
    free(f.logits);
    tern_tensor_release(f.a);
    tern_tensor_release(f.b);
    tern_tensor_release(f.c);
    tern_context_destroy(f.context);
    return status;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (const hot_path *path = paths; path->name != NULL; path++)
            puts(path->name);
        return 0;
    }
    const hot_path *path = paths;
    while (argc > 1 && path->name != NULL && strcmp(path->name, argv[1]) != 0)
        path++;
    if (argc < 3 || argc > 4 || path->name == NULL || atoll(argv[2]) < 0) {
        fprintf(stderr, "usage: hot_paths PATH CALLS [MODEL], hot_paths --list\n");
        return 2;
    }
    tern__os_table table = tern__os_default;
    table.clock_ns = still_clock;
    table.random = known_bytes;
    tern__os_set(&table);
    const char *model = argc > 3 ? argv[3] : "models/tern-story-i2_s.gguf";
    tern_status status = repeat(path, model, atoll(argv[2]));
    if (status != TERN_OK)
        fprintf(stderr, "hot_paths: %s: %s\n", path->name, tern_last_error());
    return status == TERN_OK ? 0 : 1;
}
