/* SPDX-License-Identifier: MIT
 * Loading and running under failure: every call to the operating system failing at each index, and
 * damaged model files that are not only parsed but run. */
#include <sys/resource.h>

#include <tern/tern.h>

#include "memory_file.h"

enum { TOKENS = 4 };

static uint8_t *model_bytes;
static size_t model_size;

static int read_model(void **state) {
    (void)state;
    char path[512];
    model_bytes = (uint8_t *)test_read_file(
        test_path("models/tern-story-i2_s.gguf", path, sizeof path), &model_size);
    return 0;
}

static int free_model(void **state) {
    (void)state;
    free(model_bytes);
    return 0;
}

/* Load, open a session, evaluate a prompt and TOKENS tokens; the last logits in `logits`. */
static tern_status load_and_run(float *logits) {
    tern_context *context = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    int32_t ids[16];
    size_t count = 0;
    tern_status status = tern_context_create(&(tern_options){.threads = 1}, &context);
    if (status == TERN_OK)
        status = tern_model_load(context, "served from memory", NULL, &model);
    if (status == TERN_OK)
        status = tern_session_create(context, model, NULL, &session);
    if (status == TERN_OK)
        status = tern_tokenizer_encode(tern_model_tokenizer(model), "Once upon", 9, TERN_ENCODE_BOS,
                                       ids, 16, &count);
    if (status == TERN_OK)
        status = tern_session_eval(session, ids, (int64_t)count, TERN_LOGITS_LAST, logits);
    for (int i = 0; i < TOKENS && status == TERN_OK; i++) {
        int32_t token = 300 + i;
        status = tern_session_eval(session, &token, 1, TERN_LOGITS_LAST, logits);
    }
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(context);
    return status;
}

static void check_typed(tern_status status) {
    if (status == TERN_OK || status == TERN_E_INTERNAL || tern_last_error()[0] == '\0')
        fail_msg("status %s: \"%s\"", tern_status_name(status), tern_last_error());
}

/* Every allocation, mapping and file call fails once, at each index in turn. */
static void every_call_fails(void **state) {
    (void)state;
    static float expected[4096], logits[4096];
    memory_file_install();
    memory_file_serve(model_bytes, model_size);
    test_ok(load_and_run(expected));
    int64_t calls = memory_file.calls;
    memory_file_check_empty();
    printf("%lld calls to the operating system\n", (long long)calls);
    assert_true(calls > 20);
    for (int64_t i = 0; i < calls; i++) {
        memory_file_serve(model_bytes, model_size);
        memory_file.fail_at = i;
        tern_status status = load_and_run(logits);
        if (status != TERN_OK) /* some failures are made good by trying again */
            check_typed(status);
        memory_file_check_empty();
    }
    memory_file_serve(model_bytes, model_size);
    test_ok(load_and_run(logits));
    test_same_floats(logits, expected, 4096, "logits after the failures");
    memory_file_remove();
}

/* The same inside one context: every allocation of the pool refused by a limit. */
static void every_limit(void **state) {
    (void)state;
    static float logits[4096];
    memory_file_install();
    int refused = 0;
    for (size_t limit = 1000; limit < 6000000; limit += limit / 16) {
        memory_file_serve(model_bytes, model_size);
        tern_context *context = NULL;
        tern_model *model = NULL;
        tern_session *session = NULL;
        const int32_t ids[] = {4093, 1130, 619};
        test_ok(tern_context_create(&(tern_options){.threads = 1, .max_bytes = limit}, &context));
        tern_status status = tern_model_load(context, "served", NULL, &model);
        if (status == TERN_OK)
            status = tern_session_create(context, model, NULL, &session);
        if (status == TERN_OK)
            status = tern_session_eval(session, ids, 3, TERN_LOGITS_LAST, logits);
        refused += status == TERN_E_LIMIT;
        assert_true(status == TERN_OK || status == TERN_E_LIMIT);
        if (session != NULL && status != TERN_OK)
            assert_int_equal(tern_session_position(session), 0);
        tern_session_destroy(session);
        tern_model_release(model);
        assert_int_equal(tern_context_memory(context).live_bytes, 0);
        tern_context_destroy(context);
        memory_file_check_empty();
    }
    assert_in_range(refused, 20, 1000);
    memory_file_remove();
}

static size_t header_bytes(void) {
    tern_file *file = NULL;
    memory_file_serve(model_bytes, model_size);
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
    static float logits[4096];
    test_random random = {.seed = 41};
    int accepted = 0;
    memory_file_install();
    size_t header = header_bytes();
    long before = peak_kib();
    for (int i = 0; i < 1000; i += TEST_THINNING) {
        size_t last = i % 4 == 0 ? model_size - 1 : i % 2 == 0 ? 2000 : header - 1;
        size_t at = (size_t)test_random_range(&random, 0, (int64_t)last);
        uint8_t old = model_bytes[at];
        model_bytes[at] ^= (uint8_t)test_random_range(&random, 1, 255);
        memory_file_serve(model_bytes, model_size);
        tern_status status = load_and_run(logits);
        if (status == TERN_OK)
            accepted++;
        else
            check_typed(status);
        memory_file_check_empty();
        model_bytes[at] = old;
    }
    printf("%d of %d damaged files still run; peak memory grew by %ld KiB\n", accepted,
           1000 / TEST_THINNING, peak_kib() - before);
    assert_in_range(accepted, 1, 999);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(peak_kib() - before < (long)(model_size / 1024) + 64 * 1024);
#endif
    memory_file_remove();
}

static void truncated_files_run(void **state) {
    (void)state;
    static float logits[4096];
    test_random random = {.seed = 42};
    memory_file_install();
    for (int i = 0; i < 200; i += TEST_THINNING) {
        memory_file_serve(model_bytes,
                          (size_t)test_random_range(&random, 0, (int64_t)model_size - 1));
        check_typed(load_and_run(logits));
        memory_file_check_empty();
    }
    memory_file_remove();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails),
        cmocka_unit_test(every_limit),
        cmocka_unit_test(damaged_files_run),
        cmocka_unit_test(truncated_files_run),
    };
    return cmocka_run_group_tests(tests, read_model, free_model);
}
