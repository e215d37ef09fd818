/* SPDX-License-Identifier: MIT
 * Loading and running while memory runs out: every workflow of the model layer with every call to
 * the operating system failing, and with every limit; and damaged model files that are not only
 * parsed but run. */
#include <sys/resource.h>

#include "failure_sweep.h"
#include "model/model.h"
#include "tiny_model.h"

/* -- files -------------------------------------------------------------------------------------*/

static uint8_t *story_bytes;
static size_t story_size;

static const tiny_shape *const shapes[] = {&tiny_grouped, &tiny_twelve, &tiny_plain};
static gguf_builder tiny[3]; /* files of these shapes */

static int open_files(void **state) {
    (void)state;
    char path[512];
    story_bytes = (uint8_t *)test_read_file(
        test_path("models/tern-story-i2_s.gguf", path, sizeof path), &story_size);
    for (int i = 0; i < 3; i++)
        tiny[i] = tiny_file(shapes[i], NULL);
    memory_file_install();
    return 0;
}

static int close_files(void **state) {
    (void)state;
    memory_file_remove();
    for (int i = 0; i < 3; i++)
        gguf_free(&tiny[i]);
    free(story_bytes);
    return 0;
}

/* -- parts of workflows ------------------------------------------------------------------------*/

enum { TOKENS = 20, STORY_VOCABULARY = 4096 };

/* Of the tiny models. */
static const int32_t ids[TOKENS] = {256, 104, 101, 108, 108, 111, 32, 119, 111, 114,
                                    108, 100, 33,  10,  0,   255, 7,  99,  98,  97};

static void prepare_nothing(sweep_fixture *f) {
    (void)f;
}

static void prepare_file(sweep_fixture *f) {
    test_ok(tern_file_open("served", &f->file));
}

static void prepare_tokenizer(sweep_fixture *f) {
    prepare_file(f);
    test_ok(tern_tokenizer_from_file(f->file, &f->tokenizer));
}

/* A tokenizer that got no memory for machine code interprets its pattern. */
static void prepare_interpreted(sweep_fixture *f) {
    prepare_file(f);
    memory_file.fail_count = 1;
    for (int64_t k = 0; f->tokenizer == NULL; k++) {
        int64_t failures = memory_file.failures;
        memory_file.fail_at = memory_file.calls + k;
        tern_status status = tern_tokenizer_from_file(f->file, &f->tokenizer);
        sweep_lift();
        if (status != TERN_OK)
            sweep_check_typed(f->flow, status, false);
        assert_true(memory_file.failures > failures);
    }
}

static void prepare_model(sweep_fixture *f) {
    sweep_make_context(f);
    test_ok(tern_model_load(f->context, "served", NULL, &f->model));
}

/* Batches of 7: a prompt of TOKENS takes three. Five tokens are in the cache. */
static void prepare_session(sweep_fixture *f) {
    prepare_model(f);
    tern_session_options options = {.batch = 7, .context_length = 64};
    options.cache_type = (tern_dtype[]){TERN_F32, TERN_F16, TERN_I8}[f->flow->row];
    test_ok(tern_session_create(f->context, f->model, &options, &f->session));
    test_ok(tern_session_eval(f->session, ids, 5, TERN_LOGITS_NONE, NULL));
}

/* Row 0: with a screen; row 1: the table in 8 bits. */
static void prepare_screened(sweep_fixture *f) {
    sweep_make_context(f);
    tern_model_options options = {.head = f->flow->row == 0 ? TERN_HEAD_SCREENED : TERN_HEAD_INT8};
    test_ok(tern_model_load(f->context, "served", &options, &f->model));
    test_ok(tern_session_create(f->context, f->model, &(tern_session_options){.context_length = 64},
                                &f->session));
    test_ok(tern_session_eval(f->session, ids, 5, TERN_LOGITS_NONE, NULL));
}

/* All logits are NaN: those that are wanted are found a second time. */
static void prepare_nan(sweep_fixture *f) {
    prepare_screened(f);
    *(float *)f->model->output_norm->data = NAN;
}

static void prepare_draw(sweep_fixture *f) {
    prepare_session(f);
    tern_sampler_options options = tern_sampler_options_default();
    options.repeat_penalty = 1.1f;
    test_ok(tern_sampler_create(&options, TINY_VOCABULARY, &f->sampler));
    for (int i = 0; i < 5; i++)
        tern_sampler_accept(f->sampler, ids[i]);
}

static void dispose(sweep_fixture *f) {
    tern_sampler_destroy(f->sampler);
    tern_session_destroy(f->session);
    tern_model_release(f->model);
    tern_tokenizer_destroy(f->tokenizer);
    tern_file_close(f->file);
}

/* A handle that a failed call left is none. */
static tern_status check_handle(const sweep_fixture *f, tern_status status, const void *handle) {
    if ((status == TERN_OK) != (handle != NULL))
        fail_msg("%s: status %s, handle %p", f->flow->name, tern_status_name(status), handle);
    return status;
}

#define NO_HANDLE(f) ((void *)(f)) /* a value that a call has to overwrite */

/* -- calls -------------------------------------------------------------------------------------*/

static tern_status call_open(sweep_fixture *f) {
    f->file = NO_HANDLE(f);
    tern_status status = tern_file_open("served", &f->file);
    return check_handle(f, status, f->file);
}

static tern_status call_tokenizer(sweep_fixture *f) {
    f->tokenizer = NO_HANDLE(f);
    tern_status status = tern_tokenizer_from_file(f->file, &f->tokenizer);
    return check_handle(f, status, f->tokenizer);
}

/* Words, two long pieces and a special token, into a row of ids. */
static tern_status encode(sweep_fixture *f, unsigned flags) {
    static char text[2000];
    int32_t out[2 * sizeof text];
    size_t count = 0;
    memset(text, 'a', sizeof text);
    memcpy(text, "Once upon a time <|eot_id|>", 27);
    text[400] = ' ';
    tern_status status = tern_tokenizer_encode(f->tokenizer, text, sizeof text, flags, out,
                                               sizeof out / sizeof *out, &count);
    if (status == TERN_OK)
        sweep_put(&f->result, out, count * sizeof *out);
    return status;
}

static tern_status call_encode(sweep_fixture *f) {
    return encode(f, f->flow->row == 0 ? 0 : TERN_ENCODE_BOS | TERN_ENCODE_SPECIAL);
}

static tern_status call_load(sweep_fixture *f) {
    f->model = NO_HANDLE(f);
    tern_status status = tern_model_load(f->context, "served", NULL, &f->model);
    return check_handle(f, status, f->model);
}

static tern_status call_load_in_scope(sweep_fixture *f) {
    tern_scope_begin(f->context);
    tern_status status = call_load(f);
    tern_scope_end(f->context);
    return status;
}

static tern_status call_random_model(sweep_fixture *f) {
    f->model = NO_HANDLE(f);
    tern_status status = tern_model_random(f->context, "tiny", 5, NULL, &f->model);
    return check_handle(f, status, f->model);
}

static tern_status call_session(sweep_fixture *f) {
    f->session = NO_HANDLE(f);
    tern_status status = tern_session_create(f->context, f->model, NULL, &f->session);
    return check_handle(f, status, f->session);
}

static tern_status call_prompt(sweep_fixture *f) {
    static float logits[TOKENS * TINY_VOCABULARY];
    tern_status status = tern_session_eval(f->session, ids, TOKENS, TERN_LOGITS_ALL, logits);
    if (status == TERN_OK)
        sweep_put(&f->result, logits, sizeof logits);
    return status;
}

/* The logits of a token and a token drawn from them. */
static tern_status call_token(sweep_fixture *f) {
    float logits[TINY_VOCABULARY];
    int32_t token = -1;
    tern_status status = tern_session_eval(f->session, ids, 1, TERN_LOGITS_LAST, logits);
    if (status == TERN_OK)
        status = tern_sampler_next(f->sampler, logits, &token);
    if (status == TERN_OK) {
        sweep_put(&f->result, logits, sizeof logits);
        sweep_put_number(&f->result, token);
    }
    return status;
}

/* The best logits of a token, from a screened head. */
static tern_status call_best(sweep_fixture *f) {
    int32_t best[4];
    float logits[4];
    tern_status status = tern_session_eval_best(f->session, ids, 1, 4, best, logits);
    if (status == TERN_OK) {
        sweep_put(&f->result, best, sizeof best);
        sweep_put(&f->result, logits, sizeof logits);
    }
    return status;
}

static tern_status call_load_head(sweep_fixture *f) {
    static const tern_head heads[] = {TERN_HEAD_SCREENED, TERN_HEAD_INT8, TERN_HEAD_INT4};
    f->model = NO_HANDLE(f);
    tern_status status = tern_model_load(
        f->context, "served", &(tern_model_options){.head = heads[f->flow->row]}, &f->model);
    return check_handle(f, status, f->model);
}

static tern_status call_sampler(sweep_fixture *f) {
    f->sampler = NO_HANDLE(f);
    tern_status status = tern_sampler_create(NULL, TINY_VOCABULARY, &f->sampler);
    return check_handle(f, status, f->sampler);
}

/* Everything from a context to the last token of a generation. */
static tern_status load_and_run(float *logits) {
    tern_context *context = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    int32_t tokens[16];
    size_t count = 0;
    tern_status status = tern_context_create(&(tern_options){.threads = 1}, &context);
    if (status == TERN_OK)
        status = tern_model_load(context, "served", NULL, &model);
    if (status == TERN_OK)
        status = tern_session_create(context, model, NULL, &session);
    if (status == TERN_OK)
        status = tern_tokenizer_encode(tern_model_tokenizer(model), "Once upon", 9, TERN_ENCODE_BOS,
                                       tokens, 16, &count);
    if (status == TERN_OK)
        status = tern_session_eval(session, tokens, (int64_t)count, TERN_LOGITS_LAST, logits);
    for (int i = 0; i < 4 && status == TERN_OK; i++) {
        int32_t token = 300 + i;
        status = tern_session_eval(session, &token, 1, TERN_LOGITS_LAST, logits);
    }
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(context);
    return status;
}

static tern_status call_everything(sweep_fixture *f) {
    static float logits[STORY_VOCABULARY];
    tern_status status = load_and_run(logits);
    if (status == TERN_OK)
        sweep_put(&f->result, logits, sizeof logits);
    return status;
}

/* -- what can be seen --------------------------------------------------------------------------*/

static void look_at_result(sweep_fixture *f, sweep_view *view) {
    (void)f, (void)view;
}

static void look_at_file(sweep_fixture *f, sweep_view *view) {
    if (f->file == NULL)
        return;
    for (int64_t i = 0; i < tern_file_key_count(f->file); i++) {
        char value[64];
        const char *key = tern_file_key(f->file, i, value, sizeof value);
        sweep_put(view, key, strlen(key));
        sweep_put(view, value, strlen(value));
    }
    sweep_put_number(view, tern_file_tensor_count(f->file));
}

static void look_at_tokenizer(sweep_fixture *f, sweep_view *view) {
    look_at_file(f, view);
    if (f->tokenizer == NULL)
        return;
    sweep_put_number(view, tern_tokenizer_size(f->tokenizer));
    test_ok(encode(f, TERN_ENCODE_BOS));
    sweep_put(view, f->result.bytes, f->result.count);
    sweep_clear(&f->result);
}

/* The logits of `session` behind three more tokens, which it forgets. */
static void look_at_logits(tern_session *session, int64_t vocabulary, sweep_view *view) {
    int64_t position = tern_session_position(session);
    float *logits = malloc((size_t)vocabulary * sizeof *logits);
    assert_non_null(logits);
    test_ok(tern_session_eval(session, ids, 3, TERN_LOGITS_LAST, logits));
    sweep_put(view, logits, (size_t)vocabulary * sizeof *logits);
    test_ok(tern_session_truncate(session, position));
    free(logits);
}

static void look_at_model(sweep_fixture *f, sweep_view *view) {
    if (f->model == NULL)
        return;
    tern_session *session = NULL;
    tern_model_info info = tern_model_describe(f->model);
    sweep_put(view, info.name, strlen(info.name));
    sweep_put_number(view, (int64_t)info.parameters);
    sweep_put_number(view, (int64_t)info.weight_bytes);
    test_ok(tern_session_create(f->context, f->model, NULL, &session));
    look_at_logits(session, info.vocabulary, view);
    tern_session_destroy(session);
}

/* The session itself goes on only after a success. Before the call it may not: the context may be
 * full. */
static void look_at_session(sweep_fixture *f, sweep_view *view) {
    if (f->session == NULL)
        return;
    sweep_put_number(view, tern_session_position(f->session));
    sweep_put_number(view, tern_session_capacity(f->session));
    sweep_put_number(view, (int64_t)tern_session_cache_bytes(f->session));
    if (f->ballast_count == 0 && f->result.count > 0)
        look_at_logits(f->session, TINY_VOCABULARY, view);
}

static void look_at_new_session(sweep_fixture *f, sweep_view *view) {
    look_at_session(f, view);
    if (f->session != NULL)
        look_at_logits(f->session, TINY_VOCABULARY, view);
}

static void look_at_sampler(sweep_fixture *f, sweep_view *view) {
    float logits[TINY_VOCABULARY];
    test_random random = {.seed = 9};
    test_random_normal(&random, logits, TINY_VOCABULARY);
    for (int i = 0; f->sampler != NULL && i < 10; i++) {
        int32_t token;
        test_ok(tern_sampler_next(f->sampler, logits, &token));
        sweep_put_number(view, token);
    }
}

/* -- sweeps ------------------------------------------------------------------------------------*/

enum { STORY = 3 }; /* the file behind the tiny ones */

typedef struct workflow {
    sweep_flow flow;
    int file;
    unsigned flags;
    int least;      /* failures there are at least */
    bool is_strict; /* no failure can be made good */
} workflow;

static const workflow workflows[] = {
    {.flow = {"open a file", prepare_nothing, call_open, look_at_file, dispose, 0},
     .flags = SWEEP_OWN_CONTEXT,
     .least = 20,
     .is_strict = true},
    {.flow = {"read a tokenizer", prepare_file, call_tokenizer, look_at_tokenizer, dispose, 0},
     .flags = SWEEP_OWN_CONTEXT,
     .least = 50},
    {.flow = {"encode", prepare_tokenizer, call_encode, look_at_result, dispose, 0},
     .file = STORY,
     .flags = SWEEP_OWN_CONTEXT,
     .least = 10,
     .is_strict = true},
    {.flow = {"encode specials", prepare_tokenizer, call_encode, look_at_result, dispose, 1},
     .file = STORY,
     .flags = SWEEP_OWN_CONTEXT,
     .least = 10,
     .is_strict = true},
    {.flow = {"encode, interpreted", prepare_interpreted, call_encode, look_at_result, dispose, 1},
     .file = STORY,
     .flags = SWEEP_OWN_CONTEXT,
     .least = 10,
     .is_strict = true},
    {.flow = {"load", sweep_make_context, call_load, look_at_model, dispose, 0}, .least = 200},
    {.flow = {"load types", sweep_make_context, call_load, look_at_model, dispose, 0},
     .file = 1,
     .least = 200},
    {.flow = {"load in a scope", sweep_make_context, call_load_in_scope, look_at_model, dispose, 0},
     .file = 2,
     .least = 200},
    {.flow = {"random model", sweep_make_context, call_random_model, look_at_model, dispose, 0},
     .least = 40},
    {.flow = {"session", prepare_model, call_session, look_at_new_session, dispose, 0},
     .least = 10},
    {.flow = {"prompt", prepare_session, call_prompt, look_at_session, dispose, 0}, .least = 25},
    {.flow = {"prompt, f16", prepare_session, call_prompt, look_at_session, dispose, 1},
     .least = 25},
    {.flow = {"prompt, i8", prepare_session, call_prompt, look_at_session, dispose, 2},
     .least = 25},
    {.flow = {"prompt, block scales", prepare_session, call_prompt, look_at_session, dispose, 0},
     .file = 1,
     .least = 25},
    {.flow = {"token", prepare_draw, call_token, look_at_session, dispose, 0}, .least = 10},
    {.flow = {"best", prepare_screened, call_best, look_at_session, dispose, 0}, .least = 10},
    {.flow = {"best of 8 bits", prepare_screened, call_best, look_at_session, dispose, 1},
     .file = 1,
     .least = 10},
    {.flow = {"best of NaN", prepare_nan, call_best, look_at_session, dispose, 0}, .least = 20},
    {.flow = {"load screened", sweep_make_context, call_load_head, look_at_model, dispose, 0},
     .least = 200},
    {.flow = {"load 8 bits", sweep_make_context, call_load_head, look_at_model, dispose, 1},
     .file = 1,
     .least = 200},
    {.flow = {"load 4 bits", sweep_make_context, call_load_head, look_at_model, dispose, 2},
     .file = 2,
     .least = 200},
    {.flow = {"sampler", prepare_nothing, call_sampler, look_at_sampler, dispose, 0},
     .flags = SWEEP_OWN_CONTEXT,
     .least = 1,
     .is_strict = true},
    {.flow = {"everything", prepare_nothing, call_everything, look_at_result, dispose, 0},
     .file = STORY,
     .flags = SWEEP_OWN_CONTEXT | SWEEP_BRIEFLY,
     .least = 60},
};

static void sweep_workflows(const tern_options *options, unsigned flags) {
    for (size_t i = 0; i < sizeof workflows / sizeof *workflows; i++) {
        const workflow *w = &workflows[i];
        if (w->file == STORY)
            memory_file_serve(story_bytes, story_size);
        else
            memory_file_serve(tiny[w->file].bytes, tiny[w->file].length);
        sweep_counts counts = sweep_flow_all(&w->flow, options, w->flags | flags);
        sweep_print(w->flow.name, &counts);
        if (w->is_strict && counts.made_good > 0)
            fail_msg("%s: a failure went unnoticed", w->flow.name);
        if (flags == 0 && counts.failures + counts.met + counts.limits < w->least)
            fail_msg("%s failed less than %d times", w->flow.name, w->least);
    }
}

static void every_workflow(void **state) {
    (void)state;
    sweep_workflows(&(tern_options){.threads = 1}, 0);
}

static void every_workflow_tracked(void **state) {
    (void)state;
    sweep_workflows(&(tern_options){.threads = 1, .tracking = TERN_TRACK_FULL}, SWEEP_BRIEFLY);
}

/* -- damaged files -----------------------------------------------------------------------------*/

static void check_typed(tern_status status) {
    if (status == TERN_OK || status == TERN_E_INTERNAL || tern_last_error()[0] == '\0')
        fail_msg("status %s: \"%s\"", tern_status_name(status), tern_last_error());
}

static size_t header_bytes(void) {
    tern_file *file = NULL;
    memory_file_serve(story_bytes, story_size);
    test_ok(tern_file_open("served", &file));
    size_t header = (size_t)tern_file_tensor_at(file, 0).offset;
    tern_file_close(file);
    return header;
}

static long peak_kib(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 1 000 files with one damaged byte, most of them in the header, loaded and run. */
static void damaged_files_run(void **state) {
    (void)state;
    static float logits[STORY_VOCABULARY];
    test_random random = {.seed = 41};
    int accepted = 0;
    size_t header = header_bytes();
    long before = peak_kib();
    for (int i = 0; i < 1000; i += TEST_THINNING) {
        size_t last = i % 4 == 0 ? story_size - 1 : i % 2 == 0 ? 2000 : header - 1;
        size_t at = (size_t)test_random_range(&random, 0, (int64_t)last);
        uint8_t old = story_bytes[at];
        story_bytes[at] ^= (uint8_t)test_random_range(&random, 1, 255);
        memory_file_serve(story_bytes, story_size);
        tern_status status = load_and_run(logits);
        if (status == TERN_OK)
            accepted++;
        else
            check_typed(status);
        memory_file_check_empty();
        story_bytes[at] = old;
    }
    printf("%d of %d damaged files still run; peak memory grew by %ld KiB\n", accepted,
           1000 / TEST_THINNING, peak_kib() - before);
    assert_in_range(accepted, 1, 999);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(peak_kib() - before < (long)(story_size / 1024) + 64 * 1024);
#endif
}

static void truncated_files_run(void **state) {
    (void)state;
    static float logits[STORY_VOCABULARY];
    test_random random = {.seed = 42};
    for (int i = 0; i < 200; i += TEST_THINNING) {
        memory_file_serve(story_bytes,
                          (size_t)test_random_range(&random, 0, (int64_t)story_size - 1));
        check_typed(load_and_run(logits));
        memory_file_check_empty();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_workflow),
        cmocka_unit_test(every_workflow_tracked),
        cmocka_unit_test(damaged_files_run),
        cmocka_unit_test(truncated_files_run),
    };
    return cmocka_run_group_tests(tests, open_files, close_files);
}
