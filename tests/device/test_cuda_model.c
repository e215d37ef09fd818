/* SPDX-License-Identifier: MIT
 * Whole models on the CUDA plug-in, in the emulation: prompts and single tokens give the CPU's
 * logits to the last bit, nothing that a token needs goes back to the CPU, and graphs of launches
 * change nothing. */
#include "cuda_pairs.h"

enum { PROMPT = 17, STEPS = 2 };

typedef struct run {
    const char *device;
    const char *graphs; /* of TERN_CUDA_GRAPHS */
    const char *path;   /* NULL: a random tiny model */
    tern_dtype cache;
} run;

/* No operation of the context went to the CPU. */
static void check_native(const tern_context *context) {
    tern_context_op_info info;
    for (int i = 0; tern_context_op(context, i, &info); i++)
        if (info.fallback_calls != 0)
            fail_msg("%s went to the CPU %lld times", info.name, (long long)info.fallback_calls);
}

/* The logits of the last token of a prompt, then of single tokens; behind them the four largest of
 * another token, then their ids. */
static float *logits_of(const run *r, int64_t *count) {
    tern_options options = tern_options_default();
    tern_context *context;
    tern_model *model;
    tern_session *session;
    options.threads = 1;
    options.device = r->device;
    setenv("TERN_CUDA_GRAPHS", r->graphs, 1);
    test_ok(tern_context_create(&options, &context));
    if (r->path == NULL)
        test_ok(tern_model_random(context, "tiny", 5, NULL, &model));
    else
        test_ok(tern_model_load(context, r->path, NULL, &model));
    const tern_session_options wanted = {.context_length = 64, .cache_type = r->cache};
    test_ok(tern_session_create(context, model, &wanted, &session));
    int64_t vocabulary = tern_model_describe(model).vocabulary;
    float *logits = calloc((size_t)((1 + STEPS) * vocabulary) + 16, sizeof *logits);
    int32_t tokens[PROMPT + STEPS], ids[4];
    for (int i = 0; i < PROMPT + STEPS; i++)
        tokens[i] = (int32_t)((i * 37 + 5) % vocabulary);
    test_ok(tern_session_eval(session, tokens, PROMPT, TERN_LOGITS_LAST, logits));
    for (int i = 0; i < STEPS; i++)
        test_ok(tern_session_eval(session, tokens + PROMPT + i, 1, TERN_LOGITS_LAST,
                                  logits + (1 + i) * vocabulary));
    *count = (1 + STEPS) * vocabulary;
    test_ok(tern_session_eval_best(session, tokens, 1, 4, ids, logits + *count));
    for (int i = 0; i < 4; i++)
        logits[*count + 4 + i] = (float)ids[i];
    *count += 8;
    if (strcmp(r->device, "cpu") != 0)
        check_native(context);
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(context);
    return logits;
}

/* `others`: 2, with and without graphs, or 1. */
static void compare(const char *path, tern_dtype cache, int others) {
    if (TEST_THINNING > 1)
        test_skip("one thread's work: not under the thread sanitizer");
    const run runs[] = {
        {"cpu", "1", path, cache}, {"cudaemu", "1", path, cache}, {"cudaemu", "0", path, cache}};
    int64_t expected_count, count;
    float *expected = logits_of(&runs[0], &expected_count);
    for (int i = 1; i <= others; i++) {
        float *logits = logits_of(&runs[i], &count);
        assert_int_equal(count, expected_count);
        test_same_floats(logits, expected, count, i == 1 ? "with graphs" : "without graphs");
        free(logits);
    }
    free(expected);
}

static void test_tiny(void **state) {
    (void)state;
    compare(NULL, TERN_F32, 2);
    compare(NULL, TERN_F16, 1);
    compare(NULL, TERN_I8, 1);
}

static void test_story(void **state) {
    (void)state;
    char path[512];
    compare(test_path("models/tern-story-i2_s.gguf", path, sizeof path), TERN_F32, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_story),
    };
    setenv("TERN_PLUGIN_PATH", TERN_TEST_PLUGINS, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
