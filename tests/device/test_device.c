/* SPDX-License-Identifier: MIT
 * Contexts on a device whose memory the host cannot reach: every way to bytes goes by the device,
 * or this program dies. */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <tern/tern.h>

#include "device/choices.h"
#include "tensor/tensor.h"

typedef struct place {
    tern_context *cpu, *toy;
} place;

static int open_contexts(void **state) {
    static place p;
    tern_options options = tern_options_default();
    options.threads = 2;
    options.device = "cpu";
    test_ok(tern_context_create(&options, &p.cpu));
    options.device = "toy";
    test_ok(tern_context_create(&options, &p.toy));
    *state = &p;
    return 0;
}

static int close_contexts(void **state) {
    place *p = *state;
    assert_int_equal(tern_context_memory(p->toy).live_tensors, 0);
    tern_context_destroy(p->toy);
    tern_context_destroy(p->cpu);
    return 0;
}

/* Both hold the same elements. */
static void check_same(tern_tensor *a, tern_tensor *b) {
    size_t bytes = tern_tensor_bytes(a);
    assert_int_equal(bytes, tern_tensor_bytes(b));
    uint8_t *x = malloc(bytes + 1), *y = malloc(bytes + 1);
    test_ok(tern_tensor_read(a, x, bytes));
    test_ok(tern_tensor_read(b, y, bytes));
    assert_memory_equal(x, y, bytes);
    free(y);
    free(x);
}

static void test_there_and_back(void **state) {
    place *p = *state;
    tern_tensor *x, *there, *turned, *back, *same;
    test_ok(tern_tensor_randn(p->cpu, TERN_F32, TERN_SHAPE(5, 700), 1, &x));
    test_ok(tern_tensor_to(x, p->toy, &there));
    assert_null(tern_tensor_data(there));
    assert_string_equal(tern_context_device(p->toy), "toy");
    check_same(x, there);
    test_ok(tern_tensor_transpose(there, 0, 1, &turned));
    test_ok(tern_tensor_to(turned, p->cpu, &back));
    assert_int_equal(tern_tensor_dim(back, 0), 700);
    check_same(turned, back);
    test_ok(tern_tensor_to(x, p->cpu, &same));
    assert_ptr_equal(tern_tensor_data(same), tern_tensor_data(x));
    tern_tensor *all[] = {x, there, turned, back, same};
    for (int i = 0; i < 5; i++)
        tern_tensor_release(all[i]);
}

/* Native, declined and left to the CPU: the same bits, and counted. */
static void test_operations(void **state) {
    place *p = *state;
    tern_tensor *t[2][8];
    for (int i = 0; i < 2; i++) {
        tern_context *context = i == 0 ? p->cpu : p->toy;
        test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(70, 90), 1, &t[i][0]));
        test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(70, 90), 2, &t[i][1]));
        test_ok(tern_add(t[i][0], t[i][1], &t[i][2]));
        test_ok(tern_tensor_transpose(t[i][1], 0, 1, &t[i][3]));
        test_ok(tern_matmul(t[i][0], t[i][3], &t[i][4]));
        test_ok(tern_mul(t[i][3], t[i][3], &t[i][5]));
        test_ok(tern_topk(t[i][2], 3, 1, true, &t[i][6], &t[i][7]));
    }
    for (int j = 0; j < 8; j++)
        check_same(t[0][j], t[1][j]);
    tern_context_op_info info;
    bool has_add = false, has_mul = false, has_solve = false;
    for (int i = 0; tern_context_op(p->toy, i, &info); i++) {
        if (strcmp(info.name, "add") == 0)
            has_add = info.place == TERN_PLACE_NATIVE && info.native_calls == 1;
        if (strcmp(info.name, "mul") == 0)
            has_mul = info.fallback_calls == 1;
        if (strcmp(info.name, "solve") == 0)
            has_solve = info.place == TERN_PLACE_ABSENT;
    }
    assert_true(has_add && has_mul && has_solve);
    tern_tensor *mixed;
    test_status(tern_add(t[0][0], t[1][0], &mixed), TERN_E_ARGUMENT);
    assert_non_null(strstr(tern_last_error(), "on device cpu with a tensor that is on toy"));
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 8; j++)
            tern_tensor_release(t[i][j]);
}

/* A whole model: all but three operations by the CPU, and the same logits. */
static void test_model(void **state) {
    place *p = *state;
    static float logits[2][515];
    const int32_t tokens[] = {1, 5, 9, 200, 7};
    for (int i = 0; i < 2; i++) {
        tern_context *context = i == 0 ? p->cpu : p->toy;
        tern_model *model;
        tern_session *session;
        test_ok(tern_model_random(context, "tiny", 3, NULL, &model));
        tern_session *far = NULL;
        test_status(tern_session_create(i == 0 ? p->toy : p->cpu, model, NULL, &far),
                    TERN_E_ARGUMENT);
        assert_null(far);
        if (i == 1)
            assert_string_equal(tern_model_describe(model).head_reason,
                                "device toy makes all logits");
        test_ok(tern_session_create(context, model, NULL, &session));
        test_ok(tern_session_eval(session, tokens, 4, TERN_LOGITS_NONE, NULL));
        test_ok(tern_session_eval(session, tokens + 4, 1, TERN_LOGITS_LAST, logits[i]));
        tern_session_destroy(session);
        tern_model_release(model);
    }
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    assert_true(logits[0][0] != 0);
}

static void *use_from_thread(void *argument) {
    tern_context *context = argument;
    tern_tensor *x;
    tern_context_adopt(context);
    for (int i = 0; i < 10; i++) {
        test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(64), &x));
        tern_tensor_release(x);
    }
    return NULL;
}

/* Limits and figures are those of the data, which are on the device. */
static void test_memory(void **state) {
    (void)state;
    enum { MIB = 1 << 20 };
    tern_options options = {.threads = 1, .device = "toy", .max_bytes = 96 * MIB};
    tern_context *context;
    tern_tensor *x, *y;
    tern_memory_figures figures;
    pthread_t thread;
    test_ok(tern_context_create(&options, &context));
    test_ok(tern_tensor_empty(context, TERN_F32, TERN_SHAPE(3), &x));
    tern_tensor_release(x);
    tern_memory_stats before = tern_context_memory(context);
    test_ok(tern_tensor_empty(context, TERN_U8, TERN_SHAPE(64 * MIB), &x));
    test_status(tern_tensor_empty(context, TERN_U8, TERN_SHAPE(64 * MIB), &y), TERN_E_LIMIT);
    tern_memory_stats stats = tern_context_memory(context);
    assert_true(stats.live_bytes >= 64 * MIB && stats.peak_bytes >= 64 * MIB);
    assert_true(stats.mapped_bytes >= before.mapped_bytes + 64 * MIB);
    assert_true(stats.committed_bytes >= before.committed_bytes + 64 * MIB);
    assert_true(stats.live_tensors == 1);
    tern_memory_figures_get(context, &figures);
    assert_true(figures.live_blocks == 1 && figures.stats.live_bytes == 64 * MIB);
    tern_tensor_release(x);
    assert_true(tern_memory_trim(context) >= 64 * MIB);
    assert_int_equal(pthread_create(&thread, NULL, use_from_thread, context), 0);
    pthread_join(thread, NULL);
    tern_memory_figures_get(context, &figures);
    assert_int_equal(figures.remote_releases, 0);
    tern_context_adopt(context);
    tern_context_destroy(context);
}

static void count_release(void *user) {
    ++*(int *)user;
}

/* A device with memory of its own has a copy at once: the lender is free. */
static void test_lender(void **state) {
    place *p = *state;
    static const float data[] = {1, 2, 3};
    float values[3];
    int releases = 0;
    tern_tensor *x;
    const tern__tensor_callback callback = {count_release, &releases};
    test_ok(tern__tensor_adopt(p->toy, TERN_F32, &TERN_SHAPE(3), data, &callback, "borrow", &x));
    assert_int_equal(releases, 1);
    test_ok(tern_tensor_read(x, values, sizeof values));
    assert_memory_equal(values, data, sizeof data);
    tern_tensor_release(x);
    assert_int_equal(releases, 1);
}

/* At level FULL what was released goes nowhere. */
static void test_released(void **state) {
    place *p = *state;
    tern_context *context;
    tern_tensor *x, *y;
    if (TEST_IS_SANITIZED)
        test_skip("the address sanitizer stops at the first look at a released tensor");
    test_ok(tern_context_create(
        &(tern_options){.threads = 1, .device = "cpu", .tracking = TERN_TRACK_FULL}, &context));
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(3), &x));
    tern_tensor_release(x);
    test_status(tern_tensor_to(x, p->toy, &y), TERN_E_ARGUMENT);
    assert_null(y);
    assert_string_equal(tern_last_error(), "to: the tensor was released");
    tern_context_destroy(context);
}

/* "auto" takes an accelerator that keeps the bits when its product is the faster one. The toy
 * leaves products to the CPU and is none of them, unless a file of earlier measurements says so. */
static void test_auto(void **state) {
    (void)state;
    char directory[64], path[96];
    tern_device_choice choice;
    tern_options options = {.threads = 2, .device = "auto", .cache_directory = ""};
    tern_context *context;
    test_ok(tern_device_choose(&options, &choice));
    assert_string_equal(choice.name, "cpu");
    assert_string_equal(choice.reason, "no accelerator that keeps the bits");
    setenv("TERN_TOY_FACTS", "accelerator", 1);
    snprintf(directory, sizeof directory, "/tmp/tern-test-%d", (int)getpid());
    options.cache_directory = directory;
    test_ok(tern_device_choose(&options, &choice));
    assert_string_equal(choice.name, "cpu");
    assert_string_equal(choice.reason, "device toy leaves products to the CPU");
    assert_true(tern__choice_write(directory, "matmul toy toy for tests best 2", 900000));
    test_ok(tern_device_choose(&options, &choice));
    assert_string_equal(choice.name, "toy");
    assert_ptr_equal(strstr(choice.reason, "F32 matmul at 900000 GFLOP/s, the CPU at "),
                     choice.reason);
    test_ok(tern_context_create(&options, &context));
    assert_string_equal(tern_context_device(context), "toy");
    tern_context_destroy(context);
    setenv("TERN_TOY_MEMORY", "4000000000000000000", 1); /* it does not open */
    test_ok(tern_context_create(&options, &context));
    assert_string_equal(tern_context_device(context), "cpu");
    tern_context_destroy(context);
    unsetenv("TERN_TOY_MEMORY");
    assert_true(tern__choice_write(directory, "matmul toy toy for tests best 2", 1));
    test_ok(tern_device_choose(&options, &choice));
    assert_string_equal(choice.name, "cpu");
    assert_non_null(strstr(choice.reason, ", toy at 1"));
    unsetenv("TERN_TOY_FACTS");
    snprintf(path, sizeof path, "%s/choices", directory);
    remove(path);
    remove(directory);
}

/* A device that leaves products to the CPU has no speed of its own. */
static void test_speed(void **state) {
    (void)state;
    double flops = 1;
    tern_options options = {.threads = 2, .device = "toy"};
    test_status(tern_device_speed(&options, 128, &flops), TERN_E_UNSUPPORTED);
    assert_string_equal(tern_last_error(), "device toy leaves products to the CPU");
    assert_true(flops == 0);
    options.device = "cpu";
    test_ok(tern_device_speed(&options, 128, &flops));
    assert_true(flops > 0);
    test_status(tern_device_speed(&options, 0, &flops), TERN_E_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_operations),
        cmocka_unit_test(test_model),          cmocka_unit_test(test_memory),
        cmocka_unit_test(test_lender),         cmocka_unit_test(test_released),
        cmocka_unit_test(test_auto),           cmocka_unit_test(test_speed),
    };
    setenv("TERN_PLUGIN_PATH", TERN_TEST_PLUGINS, 1);
    return cmocka_run_group_tests(tests, open_contexts, close_contexts);
}
