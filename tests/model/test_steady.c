/* SPDX-License-Identifier: MIT
 * The plan for repeated steps: from the second decode step on nothing is asked of the operating
 * system, the pool takes no lock, and memory does not grow. */
#include <tern/tern.h>

#include "base/os.h"
#include "support.h"

enum { WARM_STEPS = 1, STEPS = TEST_THINNING > 1 ? 30 : 150, PROMPT = 5 };

/* What the program asks of the operating system while `is_counting`, and a clock that stands still
 * for the thread that runs the test: time alone gives nothing back. */
static struct {
    int64_t calls;
    bool is_counting;
} system_calls;
static _Thread_local uint64_t still_time; /* 0: the clock goes */

static void count_call(void) {
    system_calls.calls += system_calls.is_counting;
}

static void *counted_alloc(size_t bytes) {
    count_call();
    return tern__os_default.alloc(bytes);
}

static void counted_free(void *pointer) {
    count_call();
    tern__os_default.free(pointer);
}

static void *counted_map(size_t bytes) {
    count_call();
    return tern__os_default.pages_map(bytes);
}

static void counted_unmap(void *pages, size_t bytes) {
    count_call();
    tern__os_default.pages_unmap(pages, bytes);
}

static void counted_huge(void *pages, size_t bytes) {
    count_call();
    tern__os_default.pages_huge(pages, bytes);
}

static uint64_t still_clock(void) {
    return still_time != 0 ? still_time : tern__os_default.clock_ns();
}

static int install_table(void **state) {
    (void)state;
    static tern__os_table table;
    table = tern__os_default;
    table.alloc = counted_alloc;
    table.free = counted_free;
    table.pages_map = counted_map;
    table.pages_unmap = counted_unmap;
    table.pages_huge = counted_huge;
    table.clock_ns = still_clock;
    tern__os_set(&table);
    still_time = UINT64_C(1000000000);
    return 0;
}

static int remove_table(void **state) {
    (void)state;
    tern__os_set(NULL);
    still_time = 0;
    return 0;
}

static tern_model *load(tern_context *context, const char *what) {
    tern_model *model = NULL;
    char path[512];
    if (strcmp(what, "story") == 0)
        test_ok(tern_model_load(
            context, test_path("models/tern-story-i2_s.gguf", path, sizeof path), NULL, &model));
    else
        test_ok(tern_model_random(context, what, 3, NULL, &model));
    return model;
}

/* What a look at the figures costs by itself. */
static uint64_t locks_of_a_look(tern_context *context) {
    static tern_memory_figures first, second;
    tern_memory_figures_get(context, &first);
    tern_memory_figures_get(context, &second);
    return second.locks - first.locks;
}

static void check_steady(const char *what, int threads, tern_dtype cache_type) {
    static float logits[4096];
    static tern_memory_figures before, after;
    tern_context *context = NULL;
    tern_session *session = NULL;
    const int32_t prompt[PROMPT] = {1, 7, 300, 12, 5};
    test_ok(tern_context_create(&(tern_options){.threads = threads}, &context));
    tern_model *model = load(context, what);
    assert_in_range(tern_model_describe(model).vocabulary, 301, 4096);
    test_ok(tern_session_create(context, model, &(tern_session_options){.cache_type = cache_type},
                                &session));
    test_ok(tern_session_eval(session, prompt, PROMPT, TERN_LOGITS_LAST, logits));
    for (int i = 0; i < WARM_STEPS; i++)
        test_ok(tern_session_eval(session, &prompt[i], 1, TERN_LOGITS_LAST, logits));
    uint64_t look = locks_of_a_look(context);
    tern_memory_figures_get(context, &before);
    system_calls.calls = 0;
    system_calls.is_counting = true;
    for (int32_t i = 0; i < STEPS; i++)
        test_ok(tern_session_eval(session, &i, 1, TERN_LOGITS_LAST, logits));
    system_calls.is_counting = false;
    tern_memory_figures_get(context, &after);
    assert_true(after.allocations > before.allocations); /* it did something */
    assert_int_equal(after.system_calls - before.system_calls, 0);
    assert_int_equal(system_calls.calls, 0);
    assert_int_equal(after.locks - before.locks, look);
    assert_int_equal(after.stats.mapped_bytes, before.stats.mapped_bytes);
    assert_int_equal(after.stats.live_bytes, before.stats.live_bytes);
    assert_int_equal(after.stats.live_tensors, before.stats.live_tensors);
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(context);
}

static void check_all(const char *what) {
    for (int threads = 1; threads <= 2; threads++) {
        check_steady(what, threads, TERN_F32);
        check_steady(what, threads, TERN_F16);
        check_steady(what, threads, TERN_I8);
    }
}

static void story_model(void **state) {
    (void)state;
    check_all("story");
}

static void tiny_model(void **state) {
    (void)state;
    check_all("tiny");
}

/* Loading gives back what it needed on the way: there is nothing left to trim. */
static void loading_leaves_nothing(void **state) {
    (void)state;
    const char *const models[] = {"story", "tiny"};
    for (int i = 0; i < 2; i++) {
        tern_context *context = NULL;
        test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
        tern_model *model = load(context, models[i]);
        assert_int_equal(tern_memory_trim(context), 0);
        tern_model_release(model);
        tern_context_destroy(context);
    }
}

/* What a session does not need any more goes back to the system while it goes on, after a while. */
static void idle_memory_goes_back(void **state) {
    (void)state;
    static float logits[4096];
    enum { IDLE = 8 << 20 };
    const uint64_t second = UINT64_C(1000000000);
    tern_context *context = NULL;
    tern_session *session = NULL;
    tern_tensor *large = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    tern_model *model = load(context, "tiny");
    test_ok(tern_session_create(context, model, NULL, &session));
    size_t before = tern_context_memory(context).committed_bytes;
    test_ok(tern_tensor_zeros(context, TERN_U8, TERN_SHAPE(IDLE), &large));
    tern_tensor_release(large);
    assert_true(tern_context_memory(context).committed_bytes >= before + IDLE);
    for (int32_t i = 0; i < 40; i++) {
        still_time += second;
        test_ok(tern_session_eval(session, &i, 1, TERN_LOGITS_LAST, logits));
    }
    assert_true(tern_context_memory(context).committed_bytes < before + IDLE / 2);
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(story_model),
        cmocka_unit_test(tiny_model),
        cmocka_unit_test(loading_leaves_nothing),
        cmocka_unit_test(idle_memory_goes_back),
    };
    return cmocka_run_group_tests(tests, install_table, remove_table);
}
