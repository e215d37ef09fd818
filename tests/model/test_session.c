/* SPDX-License-Identifier: MIT
 * Sessions: what may not change a bit (batches, chunks, truncation, threads, kernels, who else
 * uses the model), limits, failures, and lives in any order. */
#include <pthread.h>

#include "base/cpu.h"
#include "model/model.h"
#include "tiny_model.h"

enum { V = TINY_VOCABULARY, TOKENS = 530, SHORT = 40 };

static tern_context *context;
static tern_model *model;
static int32_t ids[TOKENS];
static float *expected; /* (TOKENS, V): all in one call, batches of 1 */

static tern_session *open_session(int64_t batch) {
    tern_session *session = NULL;
    test_ok(tern_session_create(context, model, &(tern_session_options){.batch = batch}, &session));
    return session;
}

static int open_model(void **state) {
    (void)state;
    test_random random = {.seed = 51};
    for (int i = 0; i < TOKENS; i++)
        ids[i] = (int32_t)test_random_range(&random, 0, V - 1);
    ids[3] = V - 1;
    ids[4] = 0;
    test_ok(tern_context_create(&(tern_options){.threads = 2}, &context));
    model = tiny_load(context, &tiny_grouped);
    expected = malloc(sizeof *expected * TOKENS * V);
    assert_non_null(expected);
    tern_session *session = open_session(1);
    test_ok(tern_session_eval(session, ids, TOKENS, TERN_LOGITS_ALL, expected));
    tern_session_destroy(session);
    return 0;
}

static int close_model(void **state) {
    (void)state;
    free(expected);
    tern_context_destroy(context);
    return 0;
}

/* The logits behind `position` tokens. */
static const float *behind(int64_t position) {
    return expected + (position - 1) * V;
}

/* -- the same bits -----------------------------------------------------------------------------*/

static void batches(void **state) {
    (void)state;
    const int64_t sizes[] = {0, 7, 255, 257, 530};
    float *all = malloc(sizeof *all * TOKENS * V), last[V];
    assert_non_null(all);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        tern_session *session = open_session(sizes[i]);
        test_ok(tern_session_eval(session, ids, TOKENS, TERN_LOGITS_ALL, all));
        assert_int_equal(tern_session_position(session), TOKENS);
        test_same_floats(all, expected, (int64_t)TOKENS * V, "all logits");
        test_ok(tern_session_truncate(session, 0));
        test_ok(tern_session_eval(session, ids, TOKENS, TERN_LOGITS_LAST, last));
        test_same_floats(last, behind(TOKENS), V, "the last logits");
        tern_session_destroy(session);
    }
    free(all);
}

/* A batch of its own decides the peak of memory. */
static void batch_bounds_memory(void **state) {
    (void)state;
    size_t peaks[2];
    for (int i = 0; i < 2; i++) {
        tern_context *own = NULL;
        tern_session *session = NULL;
        test_ok(tern_context_create(&(tern_options){.threads = 1}, &own));
        test_ok(tern_session_create(own, model, &(tern_session_options){.batch = i == 0 ? 4 : 256},
                                    &session));
        size_t before = tern_context_memory(own).live_bytes;
        test_ok(tern_session_eval(session, ids, TOKENS, TERN_LOGITS_NONE, NULL));
        peaks[i] = tern_context_memory(own).peak_bytes - before;
        assert_int_equal(tern_context_memory(own).live_bytes, before);
        tern_session_destroy(session);
        tern_context_destroy(own);
    }
    assert_true(peaks[0] < peaks[1] / 8);
}

static void calls_and_kinds(void **state) {
    (void)state;
    float logits[V], untouched[V];
    memset(untouched, 0x55, sizeof untouched);
    memcpy(logits, untouched, sizeof logits);
    tern_session *session = open_session(0);
    test_ok(tern_session_eval(session, ids, 300, TERN_LOGITS_NONE, logits));
    test_same_bytes(logits, untouched, sizeof logits, "logits that nobody asked for");
    test_ok(tern_session_eval(session, ids + 300, 1, TERN_LOGITS_ALL, logits));
    test_same_floats(logits, behind(301), V, "one token behind a prompt");
    test_ok(tern_session_eval(session, ids + 301, 19, TERN_LOGITS_NONE, NULL));
    test_ok(tern_session_eval(session, ids + 320, 3, TERN_LOGITS_LAST, logits));
    test_same_floats(logits, behind(323), V, "three tokens behind it");
    tern_session_destroy(session);
}

static void truncation(void **state) {
    (void)state;
    float logits[V];
    tern_session *session = open_session(16);
    test_ok(tern_session_eval(session, ids, 100, TERN_LOGITS_NONE, NULL));
    test_status(tern_session_truncate(session, 101), TERN_E_ARGUMENT);
    test_status(tern_session_truncate(session, -1), TERN_E_ARGUMENT);
    assert_int_equal(tern_session_position(session), 100);
    test_ok(tern_session_truncate(session, 100));
    test_ok(tern_session_truncate(session, 37));
    assert_int_equal(tern_session_position(session), 37);
    test_status(tern_session_truncate(session, 38), TERN_E_ARGUMENT);
    test_ok(tern_session_eval(session, ids + 400, 70, TERN_LOGITS_NONE, NULL)); /* another end */
    test_ok(tern_session_truncate(session, 37));
    test_ok(tern_session_eval(session, ids + 37, 70, TERN_LOGITS_LAST, logits));
    test_same_floats(logits, behind(107), V, "after a truncation");
    tern_session_destroy(session);
}

/* All logits of the first SHORT tokens with a context of these settings. */
static void run_short(const tiny_shape *shape, const char *level, int threads, float *logits) {
    tern_context *own = NULL;
    tern_session *session = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = threads, .cpu = level}, &own));
    tern_model *loaded = tiny_load(own, shape);
    test_ok(tern_session_create(own, loaded, NULL, &session));
    test_ok(tern_session_eval(session, ids, SHORT - 1, TERN_LOGITS_ALL, logits));
    test_ok(
        tern_session_eval(session, ids + SHORT - 1, 1, TERN_LOGITS_LAST, logits + (SHORT - 1) * V));
    tern_session_destroy(session);
    tern_model_release(loaded);
    tern_context_destroy(own);
}

static void levels_and_threads(void **state) {
    (void)state;
    static float scalar[SHORT * V], got[SHORT * V];
    const tiny_shape *shapes[] = {&tiny_grouped, &tiny_twelve, &tiny_plain};
    const char *levels[] = {"avx2", "avxvnni", "avx512", "neon", "dotprod", NULL};
    for (int s = 0; s < 3; s++) {
        run_short(shapes[s], "scalar", 1, scalar);
        run_short(shapes[s], "scalar", 4, got);
        test_same_floats(got, scalar, SHORT * V, "scalar, 4 threads");
        for (int i = 0; i < 6; i++) {
            uint32_t features;
            if (tern__cpu_level(levels[i], &features) != TERN_OK)
                continue;
            for (int threads = 1; threads <= 4; threads += 3) {
                run_short(shapes[s], levels[i], threads, got);
                test_same_floats(got, scalar, SHORT * V, levels[i] ? levels[i] : "native");
            }
        }
    }
}

/* -- types of the cache ------------------------------------------------------------------------*/

/* Keys and values are rounded before their first use: batches, chunks, truncation, threads and
 * kernels change nothing. */
static void rounded_caches(void **state) {
    (void)state;
    enum { COUNT = 300 };
    static float single[COUNT * V], got[COUNT * V];
    const tern_dtype types[] = {TERN_F16, TERN_I8};
    const char *levels[] = {"scalar", "avx2", "avx512", "neon", NULL};
    for (int type = 0; type < 2; type++) {
        tern_session_options options = {.batch = 1, .cache_type = types[type]};
        tern_session *session = NULL;
        test_ok(tern_session_create(context, model, &options, &session));
        test_ok(tern_session_eval(session, ids, COUNT, TERN_LOGITS_ALL, single));
        tern_session_destroy(session);
        assert_true(memcmp(single + V, behind(2), sizeof *single * V) != 0); /* it rounds */
        for (int i = 0; i < 5; i++) {
            tern_context *own = NULL;
            uint32_t features;
            if (tern__cpu_level(levels[i], &features) != TERN_OK)
                continue;
            test_ok(tern_context_create(&(tern_options){.threads = 1 + i, .cpu = levels[i]}, &own));
            tern_model *loaded = tiny_load(own, &tiny_grouped);
            options.batch = 20 + 61 * i;
            test_ok(tern_session_create(own, loaded, &options, &session));
            test_ok(tern_session_eval(session, ids + 100, 37, TERN_LOGITS_NONE, NULL));
            test_ok(tern_session_truncate(session, 0));
            test_ok(tern_session_eval(session, ids, 250, TERN_LOGITS_ALL, got));
            test_ok(tern_session_eval(session, ids + 300, 9, TERN_LOGITS_NONE, NULL));
            test_ok(tern_session_truncate(session, 250));
            test_ok(
                tern_session_eval(session, ids + 250, COUNT - 250, TERN_LOGITS_ALL, got + 250 * V));
            test_same_floats(got, single, COUNT * V, tern_dtype_name(types[type]));
            tern_session_destroy(session);
            tern_model_release(loaded);
            tern_context_destroy(own);
        }
    }
}

/* -- limits ------------------------------------------------------------------------------------*/

static void full_context(void **state) {
    (void)state;
    float logits[V];
    tern_session *session = NULL;
    test_ok(tern_session_create(context, model, &(tern_session_options){.context_length = 50},
                                &session));
    assert_int_equal(tern_session_capacity(session), 50);
    assert_int_equal(tern_session_cache_bytes(session), 2u * 2 * 3 * 50 * 20 * 4);
    test_status(tern_session_eval(session, ids, 51, TERN_LOGITS_LAST, logits), TERN_E_LIMIT);
    test_status(tern_session_eval(session, ids, INT64_MAX, TERN_LOGITS_LAST, logits), TERN_E_LIMIT);
    assert_int_equal(tern_session_position(session), 0);
    test_ok(tern_session_eval(session, ids, 30, TERN_LOGITS_NONE, NULL));
    test_status(tern_session_eval(session, ids + 30, 21, TERN_LOGITS_LAST, logits), TERN_E_LIMIT);
    assert_int_equal(tern_session_position(session), 30);
    test_ok(tern_session_eval(session, ids + 30, 20, TERN_LOGITS_LAST, logits));
    test_same_floats(logits, behind(50), V, "the last position");
    test_status(tern_session_eval(session, ids, 1, TERN_LOGITS_LAST, logits), TERN_E_LIMIT);
    assert_int_equal(tern_session_position(session), 50);
    tern_session_destroy(session);
}

static void wrong_calls(void **state) {
    (void)state;
    float logits[V];
    int32_t wrong[] = {0, V - 1, V, -1};
    tern_session *session = open_session(0);
    test_ok(tern_session_eval(session, wrong, 2, TERN_LOGITS_LAST, logits));
    test_status(tern_session_eval(session, wrong, 3, TERN_LOGITS_LAST, logits), TERN_E_ARGUMENT);
    assert_non_null(strstr(tern_last_error(), "eval: token 260 at 2"));
    test_status(tern_session_eval(session, wrong + 3, 1, TERN_LOGITS_NONE, NULL), TERN_E_ARGUMENT);
    assert_non_null(strstr(tern_last_error(), "eval: token -1 at 0"));
    test_status(tern_session_eval(session, wrong, 0, TERN_LOGITS_LAST, logits), TERN_E_ARGUMENT);
    test_status(tern_session_eval(session, wrong, -1, TERN_LOGITS_LAST, logits), TERN_E_ARGUMENT);
    test_status(tern_session_eval(session, wrong, 1, TERN_LOGITS_LAST, NULL), TERN_E_ARGUMENT);
    test_status(tern_session_eval(session, wrong, 1, TERN_LOGITS_ALL, NULL), TERN_E_ARGUMENT);
    assert_int_equal(tern_session_position(session), 2);
    tern_session_destroy(session);

    const tern_session_options options[] = {
        {.context_length = 601}, {.context_length = -1}, {.batch = -1}};
    for (int i = 0; i < 3; i++) {
        session = (tern_session *)&context; /* must become NULL */
        test_status(tern_session_create(context, model, &options[i], &session), TERN_E_ARGUMENT);
        assert_null(session);
    }
}

/* -- failures ----------------------------------------------------------------------------------*/

/* Evaluates `count` more tokens with `room` bytes left; a failure must leave no trace. */
static tern_status eval_with_room(tern_context *own, tern_session *session, size_t limit,
                                  size_t room, int64_t count, tern_logits which, float *logits) {
    tern_tensor *hog = NULL;
    size_t live = tern_context_memory(own).live_bytes;
    /* What a tensor costs beside its elements. */
    test_ok(tern_tensor_empty(own, TERN_U8, TERN_SHAPE(64), &hog));
    size_t overhead = tern_context_memory(own).live_bytes - live - 64;
    tern_tensor_release(hog);
    test_ok(tern_tensor_empty(own, TERN_U8, TERN_SHAPE((int64_t)(limit - live - overhead - room)),
                              &hog));
    size_t before = tern_context_memory(own).live_bytes;
    int64_t position = tern_session_position(session);
    tern_status status = tern_session_eval(session, ids + position, count, which, logits);
    assert_int_equal(tern_context_memory(own).live_bytes, before);
    if (status != TERN_OK) {
        test_status(status, TERN_E_LIMIT);
        assert_int_equal(tern_session_position(session), position);
    }
    tern_tensor_release(hog);
    return status;
}

/* The least room for `count` more tokens without logits. */
static size_t least_room(tern_context *own, tern_session *session, size_t limit, int64_t count) {
    int64_t position = tern_session_position(session);
    size_t low = 0, high = 1 << 20;
    while (high - low > 1) {
        size_t room = (low + high) / 2;
        if (eval_with_room(own, session, limit, room, count, TERN_LOGITS_NONE, NULL) == TERN_OK)
            high = room;
        else
            low = room;
        test_ok(tern_session_truncate(session, position));
    }
    return high;
}

/* Every batch asks for the same memory, however many positions lie before it: a room that fits the
 * first one fits all, and one byte less fails at once. */
static void one_room_for_all_batches(void **state) {
    (void)state;
    enum { FIRST = 5, REST = TOKENS - FIRST, BATCH = 4 };
    const size_t limit = 4 << 20;
    float logits[V];
    tern_context *own = NULL;
    tern_session *session = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1, .max_bytes = limit}, &own));
    test_ok(tern_session_create(own, model, &(tern_session_options){.batch = BATCH}, &session));
    test_ok(tern_session_eval(session, ids, FIRST, TERN_LOGITS_NONE, NULL));
    size_t room = least_room(own, session, limit, BATCH);
    test_status(eval_with_room(own, session, limit, room - 1, REST, TERN_LOGITS_LAST, logits),
                TERN_E_LIMIT);
    test_ok(eval_with_room(own, session, limit, room, REST, TERN_LOGITS_LAST, logits));
    test_same_floats(logits, behind(TOKENS), V, "logits after a failure");
    tern_session_destroy(session);
    tern_context_destroy(own);
}

/* A tensor of the model that does not fit: the call fails there, late in a layer or behind all. */
static void failure_at(tern_tensor **tensor, tern_logits which) {
    float *logits = malloc(sizeof *logits * SHORT * V);
    assert_non_null(logits);
    tern_tensor *right = *tensor;
    tern_session *session = open_session(16);
    test_ok(tern_session_eval(session, ids, 5, TERN_LOGITS_NONE, NULL));
    tern_memory_stats before = tern_context_memory(context);
    *tensor = model->output_norm; /* a vector */
    test_status(tern_session_eval(session, ids + 5, SHORT, which, logits), TERN_E_SHAPE);
    *tensor = right;
    assert_int_equal(tern_session_position(session), 5);
    assert_int_equal(tern_context_memory(context).live_tensors, before.live_tensors);
    assert_int_equal(tern_context_memory(context).live_bytes, before.live_bytes);
    test_ok(tern_session_eval(session, ids + 5, SHORT, TERN_LOGITS_ALL, logits));
    test_same_floats(logits, behind(6), SHORT * V, "after the failure");
    tern_session_destroy(session);
    free(logits);
}

static void failures_everywhere(void **state) {
    (void)state;
    failure_at(&model->output, TERN_LOGITS_ALL);
    failure_at(&model->output, TERN_LOGITS_LAST); /* in the last of three batches */
    for (int i = 0; i < 2; i++) {
        tern__layer *layer = &model->layers[i];
        tern_tensor **matrices[] = {&layer->attn_q,      &layer->attn_k,   &layer->attn_v,
                                    &layer->attn_output, &layer->ffn_gate, &layer->ffn_up,
                                    &layer->ffn_down};
        for (int m = 0; m < 7; m++)
            failure_at(matrices[m], TERN_LOGITS_NONE);
    }
}

/* -- sharing and lives -------------------------------------------------------------------------*/

typedef struct conversation {
    tern_model *model;
    tern_context *context;
    tern_session *session;
    pthread_t thread;
    bool is_equal;
} conversation;

/* A prompt in pieces and single tokens; compares with what the model gave alone. Ends the session
 * and the context on this thread. */
static void *talk(void *argument) {
    conversation *c = argument;
    float logits[V];
    c->is_equal = true;
    for (int round = 0; round < 3; round++) {
        c->is_equal &= tern_session_truncate(c->session, 0) == TERN_OK;
        for (int64_t at = 0, part; at < 60; at += part) {
            part = at < 40 ? 20 : 1;
            tern_status status =
                tern_session_eval(c->session, ids + at, part, TERN_LOGITS_LAST, logits);
            c->is_equal &=
                status == TERN_OK && memcmp(logits, behind(at + part), sizeof logits) == 0;
        }
    }
    tern_session_destroy(c->session);
    tern_context_destroy(c->context);
    return NULL;
}

/* Two contexts on two threads, one of them loaded the model; every handle of it is gone before. */
static void shared_model(void **state) {
    (void)state;
    conversation c[2] = {{0}};
    for (int i = 0; i < 2; i++)
        test_ok(tern_context_create(&(tern_options){.threads = 1 + i}, &c[i].context));
    tern_model *shared = tiny_load(c[0].context, &tiny_grouped);
    for (int i = 0; i < 2; i++)
        test_ok(tern_session_create(c[i].context, shared, &(tern_session_options){.batch = 16},
                                    &c[i].session));
    tern_model_release(shared);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&c[i].thread, NULL, talk, &c[i]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(c[i].thread, NULL), 0);
        assert_true(c[i].is_equal);
    }
}

/* Context, model, session: the handles go in every order, and the last takes everything along. */
static void lives(void **state) {
    (void)state;
    const char *orders[] = {"cms", "csm", "mcs", "msc", "scm", "smc"};
    gguf_builder gguf = tiny_file(&tiny_grouped, NULL);
    memory_file_install();
    for (int i = 0; i < 6; i++) {
        tern_context *own = NULL;
        tern_model *loaded = NULL;
        tern_session *session = NULL;
        float logits[V];
        memory_file_serve(gguf.bytes, gguf.length);
        test_ok(tern_context_create(&(tern_options){.threads = 1}, &own));
        test_ok(tern_model_load(own, "served", NULL, &loaded));
        test_ok(
            tern_session_create(own, loaded, i % 2 ? NULL : &(tern_session_options){0}, &session));
        for (const char *order = orders[i]; *order != '\0'; order++) {
            if (*order == 'c')
                tern_context_destroy(own);
            if (*order == 'm')
                tern_model_release(loaded);
            if (*order == 's') {
                test_ok(tern_session_eval(session, ids, 9, TERN_LOGITS_LAST, logits));
                test_same_floats(logits, behind(9), V, orders[i]);
                tern_session_destroy(session);
            }
        }
        memory_file_check_empty();
    }
    memory_file_remove();
    gguf_free(&gguf);
}

/* A scope of the caller owns neither models nor sessions, and nothing is left in it. */
static void inside_scopes(void **state) {
    (void)state;
    tern_context *own = NULL;
    tern_session *session = NULL;
    float logits[V];
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &own));
    tern_scope_begin(own);
    tern_model *loaded = tiny_load(own, &tiny_grouped);
    test_ok(tern_session_create(own, loaded, NULL, &session));
    int64_t tensors = tern_context_memory(own).live_tensors;
    test_ok(tern_session_eval(session, ids, 20, TERN_LOGITS_LAST, logits));
    assert_int_equal(tern_context_memory(own).live_tensors, tensors);
    tern_scope_end(own);
    assert_int_equal(tern_context_memory(own).live_tensors, tensors);
    test_ok(tern_session_eval(session, ids + 20, 1, TERN_LOGITS_LAST, logits));
    test_same_floats(logits, behind(21), V, "after the scope");
    tern_session_destroy(session);
    tern_model_release(loaded);
    assert_int_equal(tern_context_memory(own).live_tensors, 0);
    tern_context_destroy(own);
}

/* An element for each number, and in int8 a scale for each head of keys and of values. */
static void bytes_of_caches(void **state) {
    (void)state;
    static const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_I8};
    static const size_t bytes_of_head[] = {4 * 20, 2 * 20, 20 + 4};
    tern_model_info info = tern_model_describe(model);
    assert_int_equal(info.head_size, 20);
    for (int i = 0; i < 3; i++) {
        tern_session *session = NULL;
        tern_session_options options = {.context_length = 50, .cache_type = types[i]};
        test_ok(tern_session_create(context, model, &options, &session));
        assert_int_equal(tern_session_cache_bytes(session),
                         2 * (size_t)(info.layers * info.kv_heads * 50) * bytes_of_head[i]);
        tern_session_destroy(session);
    }
}

/* The last test, as what a group's teardown returns fails nothing. */
static void nothing_is_left(void **state) {
    (void)state;
    tern_model_release(model);
    assert_int_equal(tern_context_memory(context).live_tensors, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches),
        cmocka_unit_test(batch_bounds_memory),
        cmocka_unit_test(calls_and_kinds),
        cmocka_unit_test(truncation),
        cmocka_unit_test(rounded_caches),
        cmocka_unit_test(levels_and_threads),
        cmocka_unit_test(full_context),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(one_room_for_all_batches),
        cmocka_unit_test(failures_everywhere),
        cmocka_unit_test(shared_model),
        cmocka_unit_test(lives),
        cmocka_unit_test(inside_scopes),
        cmocka_unit_test(bytes_of_caches),
        cmocka_unit_test(nothing_is_left),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
