/* SPDX-License-Identifier: MIT
 * `tern run` says what the library says: every option of sampling, special tokens, the end of a
 * text and a prompt that fills its pieces, against the same steps taken here. */
#include "child.h"
#include "model/tiny_model.h"

enum { TEXT_BYTES = 8192 };

typedef struct generated {
    char text[TEXT_BYTES];
    size_t bytes;
    int tokens;
} generated;

static char tiny_path[] = "/tmp/tern-test-XXXXXX";

static int write_tiny(void **state) {
    (void)state;
    gguf_builder gguf = tiny_file(&tiny_grouped, NULL);
    int fd = mkstemp(tiny_path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, gguf.bytes, gguf.length), (ssize_t)gguf.length);
    close(fd);
    gguf_free(&gguf);
    return 0;
}

static int remove_tiny(void **state) {
    (void)state;
    return unlink(tiny_path);
}

/* Draws up to `count` tokens behind the ids. */
static void draw(const tern_tokenizer *tokenizer, tern_session *session, tern_sampler *sampler,
                 float *logits, int count, bool ignores_end, generated *out) {
    for (; out->tokens < count; out->tokens++) {
        int32_t token;
        const char *piece;
        size_t bytes;
        test_ok(tern_sampler_next(sampler, logits, &token));
        if (tern_tokenizer_is_end(tokenizer, token) && !ignores_end)
            return;
        test_ok(tern_tokenizer_piece(tokenizer, token, false, &piece, &bytes));
        assert_true(out->bytes + bytes < TEXT_BYTES);
        if (bytes > 0)
            memcpy(out->text + out->bytes, piece, bytes);
        out->bytes += bytes;
        if (out->tokens + 1 < count)
            test_ok(tern_session_eval(session, &token, 1, TERN_LOGITS_LAST, logits));
    }
}

static generated generate(const char *path, const char *prompt, unsigned flags,
                          const tern_sampler_options *options, int count, bool ignores_end) {
    generated out = {.bytes = strlen(prompt)};
    tern_context *context = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    tern_sampler *sampler = NULL;
    int32_t ids[1024];
    size_t tokens = 0;
    memcpy(out.text, prompt, out.bytes);
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    test_ok(tern_model_load(context, path, NULL, &model));
    const tern_tokenizer *tokenizer = tern_model_tokenizer(model);
    int64_t vocabulary = tern_model_describe(model).vocabulary;
    float *logits = malloc((size_t)vocabulary * sizeof *logits);
    assert_non_null(logits);
    test_ok(tern_tokenizer_encode(tokenizer, prompt, out.bytes, flags | TERN_ENCODE_BOS, ids, 1024,
                                  &tokens));
    test_ok(tern_session_create(context, model, NULL, &session));
    test_ok(tern_sampler_create(options, vocabulary, &sampler));
    for (size_t i = 0; i < tokens; i++)
        tern_sampler_accept(sampler, ids[i]);
    test_ok(tern_session_eval(session, ids, (int64_t)tokens, TERN_LOGITS_LAST, logits));
    draw(tokenizer, session, sampler, logits, count, ignores_end, &out);
    tern_sampler_destroy(sampler);
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(context);
    free(logits);
    out.text[out.bytes++] = '\n';
    return out;
}

/* Runs the program with `arguments` in front of the common ones and compares the bytes. */
static void check_run(const char *path, const char *prompt, const char *const *arguments,
                      unsigned flags, const tern_sampler_options *options, int count,
                      bool ignores_end) {
    const char *all[32] = {"run", path, "-q", "-p", prompt};
    char number[16];
    int used = 5;
    snprintf(number, sizeof number, "%d", count);
    all[used++] = "-n";
    all[used++] = number;
    while (*arguments != NULL)
        all[used++] = *arguments++;
    generated expected = generate(path, prompt, flags, options, count, ignores_end);
    child_result r = child_run_in(child_source_folder(), child_program(), "", all);
    if (r.status != 0 || r.out_bytes != expected.bytes ||
        memcmp(r.out, expected.text, expected.bytes) != 0)
        fail_msg("status %d, %zu bytes, expected %zu: %s\nexpected: %.*s\n%s", r.status,
                 r.out_bytes, expected.bytes, r.out, (int)expected.bytes, expected.text, r.err);
    child_free(&r);
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *story(void) {
    static char path[4096];
    return test_path("models/tern-story-i2_s.gguf", path, sizeof path);
}

/* Each option away from its default, alone, hot enough that it matters. */
static void sampling_options(void **state) {
    (void)state;
    const struct {
        const char *name, *value;
        tern_sampler_options options;
    } cases[] = {
        {"--top-k", "3", {2, 3, 0.95f, 0.05f, 1, 64, 9}},
        {"--top-k", "0", {2, 0, 0.95f, 0.05f, 1, 64, 9}},
        {"--top-p", "0.5", {2, 40, 0.5f, 0.05f, 1, 64, 9}},
        {"--min-p", "0.6", {2, 40, 0.95f, 0.6f, 1, 64, 9}},
        {"--min-p", "0", {2, 40, 0.95f, 0, 1, 64, 9}},
        {"--repeat-penalty", "3", {2, 40, 0.95f, 0.05f, 3, 64, 9}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_run(story(), "Once upon a time there was a little fox.",
                  ARGUMENTS("--temp", "2", "--seed", "9", cases[i].name, cases[i].value),
                  TERN_ENCODE_SPECIAL, &cases[i].options, 40, false);
    /* The penalty looks back into the prompt, as far as it is told. */
    check_run(story(), "Once upon a time there was a little fox.",
              ARGUMENTS("--temp", "0", "--repeat-penalty", "3", "--repeat-last", "5"),
              TERN_ENCODE_SPECIAL, &(tern_sampler_options){0, 40, 1, 0, 3, 5, 0}, 40, false);
    check_run(story(), "The fox saw the fox and the fox saw",
              ARGUMENTS("--temp", "0", "--repeat-penalty", "3"), TERN_ENCODE_SPECIAL,
              &(tern_sampler_options){0, 40, 1, 0, 3, 64, 0}, 1, false);
}

static void special_tokens(void **state) {
    (void)state;
    const tern_sampler_options greedy = {.repeat_penalty = 1, .top_p = 1};
    const char *prompt = "One<|eot_id|>two<|x|>";
    check_run(tiny_path, prompt, ARGUMENTS("--temp", "0", "--ignore-eos"), TERN_ENCODE_SPECIAL,
              &greedy, 20, true);
    check_run(tiny_path, prompt, ARGUMENTS("--temp", "0", "--ignore-eos", "--no-special"), 0,
              &greedy, 20, true);
}

/* A seed whose text ends before its length, and goes on when told so. */
static void end_of_text(void **state) {
    (void)state;
    tern_sampler_options options = tern_sampler_options_default();
    options.temperature = 4;
    options.top_k = 0, options.top_p = 1, options.min_p = 0;
    char seed[16];
    generated text = {.tokens = 300};
    for (options.seed = 0; text.tokens == 300 && options.seed < 50; options.seed++) {
        text = generate(tiny_path, "A", TERN_ENCODE_SPECIAL, &options, 300, false);
        if (text.tokens < 300)
            break;
    }
    assert_true(text.tokens < 300);
    snprintf(seed, sizeof seed, "%d", (int)options.seed);
    const char *const arguments[] = {"--temp",  "4", "--top-k", "0",  "--top-p", "1",
                                     "--min-p", "0", "--seed",  seed, NULL,      NULL};
    check_run(tiny_path, "A", arguments, TERN_ENCODE_SPECIAL, &options, 300, false);
    const char *const on[] = {"--temp",  "4", "--top-k", "0",  "--top-p",      "1",
                              "--min-p", "0", "--seed",  seed, "--ignore-eos", NULL};
    check_run(tiny_path, "A", on, TERN_ENCODE_SPECIAL, &options, 300, true);
}

/* The program evaluates prompts in pieces of 512: one less, exactly, one more. */
static void prompts_around_a_piece(void **state) {
    (void)state;
    const tern_sampler_options greedy = {.repeat_penalty = 1, .top_p = 1};
    for (int length = 510; length <= 512; length++) { /* and BOS */
        char prompt[520];
        test_random random = {.seed = 53};
        for (int i = 0; i < length; i++)
            prompt[i] = (char)test_random_range(&random, 'a', 'z');
        prompt[length] = '\0';
        check_run(tiny_path, prompt, ARGUMENTS("--temp", "0", "--ignore-eos"), TERN_ENCODE_SPECIAL,
                  &greedy, 20, true);
    }
}

/* A screened head tells the same story however tokens are chosen. */
static void screened_head(void **state) {
    (void)state;
    const struct {
        const char *name, *value;
        tern_sampler_options options;
    } cases[] = {
        {"--temp", "0", {0, 40, 0.95f, 0.05f, 1, 64, 9}},
        {"--temp", "2", {2, 40, 0.95f, 0.05f, 1, 64, 9}},
        {"--top-k", "1", {0.8f, 1, 0.95f, 0.05f, 1, 64, 9}},
        {"--top-k", "4095", {0.8f, 4095, 0.95f, 0.05f, 1, 64, 9}},
        {"--top-k", "4096", {0.8f, 4096, 0.95f, 0.05f, 1, 64, 9}},
        {"--top-k", "0", {0.8f, 0, 0.95f, 0.05f, 1, 64, 9}},
        {"--repeat-penalty", "2", {0.8f, 40, 0.95f, 0.05f, 2, 64, 9}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_run(story(), "Once upon a time",
                  ARGUMENTS("--head", "screened", "--seed", "9", cases[i].name, cases[i].value),
                  TERN_ENCODE_SPECIAL, &cases[i].options, 60, false);
}

static void explained(void **state) {
    (void)state;
    child_result r = child_run("run", story(), "-n", "5", "--explain", "--stats", "--head",
                               "screened", "--temp", "0");
    child_expect(&r, r.status == 0 && strstr(r.err, "kernels: elementwise ") != NULL);
    child_expect(&r, strstr(r.err, "head:    screened (asked for), the best 1 of 4096") != NULL);
    child_expect(&r, strstr(r.err, "cache:   f32 keys and values") != NULL);
    child_expect(&r, strstr(r.err, "screened head: 5 tokens, ") != NULL);
    child_free(&r);
    r = child_run("run", story(), "-n", "5", "--explain", "--top-k", "0");
    child_expect(&r, strstr(r.err, "head:    full (sampling with these options needs") != NULL);
    child_free(&r);
    r = child_run("run", story(), "-n", "5", "--explain", "--head", "int4");
    child_expect(&r, r.status == 0 && strstr(r.err, "head:    int4 (asked for)\n") != NULL);
    child_free(&r);
}

static void bench_with_heads(void **state) {
    (void)state;
    child_result r = child_run("bench", "--shape", "tiny", "-p", "4", "-n", "4", "-r", "1",
                               "--head", "screened");
    child_expect(&r, strstr(r.out, "head screened (tg: the largest logit only)") != NULL);
    child_free(&r);
    r = child_run("bench", "--shape", "tiny", "-p", "4", "-n", "4", "-r", "1", "--json");
    child_expect(&r, r.status == 0 && strstr(r.out, "\"head\": \"full\"") != NULL);
    child_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampling_options), cmocka_unit_test(special_tokens),
        cmocka_unit_test(end_of_text),      cmocka_unit_test(prompts_around_a_piece),
        cmocka_unit_test(screened_head),    cmocka_unit_test(explained),
        cmocka_unit_test(bench_with_heads),
    };
    return cmocka_run_group_tests(tests, write_tiny, remove_tiny);
}
