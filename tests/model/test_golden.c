/* SPDX-License-Identifier: MIT
 * The story model against an independent float64 program: logits, greedy continuations and the
 * likelihood of held-out text, for both storage types of the same weights and both cache types. */
#include <math.h>

#include <tern/tern.h>

#include "golden_file.h"

enum { VOCABULARY = 4096, STEPS = 48 };

/* A step whose best two logits are closer than this in the reference may fall the other way by one
 * int8 rounding. */
static const double FLIP_GAP = 0.05;

static const char golden[] = "tests/data/story-golden.txt", heldout[] = "data/story-heldout.txt";

typedef struct fixture {
    tern_context *context;
    tern_model *model;
    tern_session *session;
    char *text;
} fixture;

static fixture open_fixture(const char *model, const char *vectors, tern_dtype cache_type) {
    char path[512];
    fixture f = {0};
    test_ok(tern_context_create(NULL, &f.context));
    test_ok(tern_model_load(f.context, test_path(model, path, sizeof path), NULL, &f.model));
    test_ok(tern_session_create(f.context, f.model,
                                &(tern_session_options){.cache_type = cache_type}, &f.session));
    f.text = test_read_file(test_path(vectors, path, sizeof path), NULL);
    return f;
}

static void close_fixture(fixture *f) {
    free(f->text);
    tern_session_destroy(f->session);
    tern_model_release(f->model);
    tern_context_destroy(f->context);
}

static int64_t to_ids(const golden_line *line, int32_t *ids) {
    for (int64_t i = 0; i < line->count; i++)
        ids[i] = (int32_t)line->values[i];
    return line->count;
}

static int32_t best(const float *logits) {
    int32_t at = 0;
    for (int32_t i = 1; i < VOCABULARY; i++)
        if (logits[i] > logits[at])
            at = i;
    return at;
}

/* Largest distance from the reference, as a share of the largest logit. */
static double distance(const float *logits, const golden_line *expected) {
    double most = 0, scale = 0;
    for (int64_t i = 0; i < expected->count; i++) {
        double error = fabs((double)logits[i] - expected->values[i]);
        assert_false(isnan(error));
        most = error > most ? error : most;
        scale = fabs(expected->values[i]) > scale ? fabs(expected->values[i]) : scale;
    }
    return most / scale;
}

/* Generates greedily from `logits`; the number of tokens until the first that differs. */
static int64_t agreeing_steps(fixture *f, float *logits, const int32_t *expected) {
    for (int64_t step = 0; step < STEPS; step++) {
        int32_t token = best(logits);
        if (token != expected[step])
            return step;
        test_ok(tern_session_eval(f->session, &token, 1, TERN_LOGITS_LAST, logits));
    }
    return STEPS;
}

static void check_prompts(const char *model, double logit_tolerance) {
    static golden_line line, logits_line;
    static float logits[VOCABULARY];
    int32_t ids[512], greedy[STEPS];
    fixture f = open_fixture(model, golden, TERN_F32);
    const char *text = f.text;
    int prompts = 0, flips = 0;
    int64_t agreed = 0;
    while (golden_next(&text, &line)) {
        if (strcmp(line.name, "prompt") == 0) {
            int64_t count = to_ids(&line, ids);
            test_ok(tern_session_truncate(f.session, 0));
            test_ok(tern_session_eval(f.session, ids, count, TERN_LOGITS_LAST, logits));
        } else if (strcmp(line.name, "logits") == 0) {
            logits_line = line;
            double error = distance(logits, &logits_line);
            printf("%s: prompt %d: largest logit error %.2e of the largest logit\n", model, prompts,
                   error);
            assert_true(error < logit_tolerance);
        } else if (strcmp(line.name, "greedy") == 0) {
            assert_int_equal(to_ids(&line, greedy), STEPS);
            agreed = agreeing_steps(&f, logits, greedy);
        } else if (strcmp(line.name, "gaps") == 0) {
            printf("%s: prompt %d: %lld of %d tokens agree\n", model, prompts, (long long)agreed,
                   STEPS);
            if (agreed < STEPS) {
                assert_true(line.values[agreed] < FLIP_GAP);
                flips++;
            }
            prompts++;
        }
    }
    assert_int_equal(prompts, 3);
    assert_true(flips <= 1);
    close_fixture(&f);
}

/* -log softmax of each next token, in double. */
static double likelihood(const float *logits, int32_t next) {
    double most = logits[0], sum = 0;
    for (int32_t i = 1; i < VOCABULARY; i++)
        most = logits[i] > most ? logits[i] : most;
    for (int32_t i = 0; i < VOCABULARY; i++)
        sum += exp(logits[i] - most);
    return log(sum) + most - logits[next];
}

static void check_likelihood(const char *model, tern_dtype cache_type, double tolerance) {
    static golden_line line;
    int32_t ids[512];
    int64_t count = 0, tokens = 0;
    double ours = 0, reference = 0;
    fixture f = open_fixture(model, heldout, cache_type);
    float *logits = malloc(512 * VOCABULARY * sizeof *logits);
    assert_non_null(logits);
    const char *text = f.text;
    while (golden_next(&text, &line)) {
        if (strcmp(line.name, "window") == 0) {
            count = to_ids(&line, ids);
            test_ok(tern_session_truncate(f.session, 0));
            test_ok(tern_session_eval(f.session, ids, count, TERN_LOGITS_ALL, logits));
        } else if (strcmp(line.name, "nll") == 0) {
            assert_int_equal(line.count, count - 1);
            for (int64_t i = 0; i < line.count; i++) {
                ours += likelihood(logits + i * VOCABULARY, ids[i + 1]);
                reference += line.values[i];
            }
            tokens += line.count;
        }
    }
    ours /= (double)tokens;
    reference /= (double)tokens;
    printf("%s, %s cache: mean NLL %.6f, reference %.6f over %lld tokens: %+.4f %%\n", model,
           tern_dtype_name(cache_type), ours, reference, (long long)tokens,
           100 * (ours / reference - 1));
    assert_int_equal(tokens, 2040);
    assert_true(fabs(ours / reference - 1) < tolerance);
    free(logits);
    close_fixture(&f);
}

static void i2_s_prompts(void **state) {
    (void)state;
    check_prompts("models/tern-story-i2_s.gguf", 0.02);
}

static void tq2_0_prompts(void **state) {
    (void)state;
    check_prompts("tests/data/tern-story-tq2_0.gguf", 0.02);
}

static void i2_s_likelihood(void **state) {
    (void)state;
    check_likelihood("models/tern-story-i2_s.gguf", TERN_F32, 0.001);
}

static void tq2_0_likelihood(void **state) {
    (void)state;
    check_likelihood("tests/data/tern-story-tq2_0.gguf", TERN_F32, 0.001);
}

static void f16_cache_likelihood(void **state) {
    (void)state;
    check_likelihood("models/tern-story-i2_s.gguf", TERN_F16, 0.001);
}

static void i8_cache_likelihood(void **state) {
    (void)state;
    check_likelihood("models/tern-story-i2_s.gguf", TERN_I8, 0.003);
}

/* F32 is the default and takes twice the memory of F16, I8 with its scales little more than a
 * quarter; there is no other type. */
static void cache_types(void **state) {
    (void)state;
    fixture f = open_fixture("models/tern-story-i2_s.gguf", golden, TERN_F16);
    size_t bytes = tern_session_cache_bytes(f.session);
    tern_session_destroy(f.session);
    test_ok(tern_session_create(f.context, f.model, NULL, &f.session));
    assert_int_equal(tern_session_cache_bytes(f.session), 2 * bytes);
    tern_session_destroy(f.session);
    tern_session_options small = {.cache_type = TERN_I8};
    test_ok(tern_session_create(f.context, f.model, &small, &f.session));
    int64_t head_size = tern_model_describe(f.model).head_size;
    assert_int_equal(tern_session_cache_bytes(f.session),
                     bytes / 2 + bytes / (size_t)(2 * head_size) * sizeof(float));
    tern_session_destroy(f.session);
    tern_session_options wrong = {.cache_type = TERN_BF16};
    test_status(tern_session_create(f.context, f.model, &wrong, &f.session), TERN_E_ARGUMENT);
    assert_non_null(strstr(tern_last_error(), "bf16"));
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(i2_s_prompts),         cmocka_unit_test(tq2_0_prompts),
        cmocka_unit_test(i2_s_likelihood),      cmocka_unit_test(tq2_0_likelihood),
        cmocka_unit_test(f16_cache_likelihood), cmocka_unit_test(i8_cache_likelihood),
        cmocka_unit_test(cache_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
