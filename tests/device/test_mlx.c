/* SPDX-License-Identifier: MIT
 * The life of the plug-in over MLX, and what it does when memory is short. Its results are the
 * business of test_conformance.c. */
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tern/tern.h>

#include "device_fixture.h"

static tern_context *open_mlx(void) {
    tern_options options = tern_options_default();
    tern_context *context = NULL;
    options.threads = 1;
    options.device = "mlx";
    test_ok(tern_context_create(&options, &context));
    return context;
}

static void need_mlx(void) {
    tern_device_info info;
    if (tern_device_find("mlx", &info) != TERN_OK)
        test_skip("no device mlx: %s", tern_last_error());
    if (!info.is_there)
        test_skip("device mlx: %s", info.reason);
}

/* exp(1) on the device; whether it is right. */
static bool computes(tern_context *context) {
    tern_tensor *x = NULL, *y = NULL;
    double value = 0;
    test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(1), 1, &x));
    test_ok(tern_exp(x, &y));
    test_ok(tern_item(y, &value));
    tern_tensor_release(y);
    tern_tensor_release(x);
    return value > 2.718281 && value < 2.718283;
}

static void cycle(int times) {
    for (int i = 0; i < times; i++) {
        tern_context *context = open_mlx();
        assert_true(computes(context));
        tern_context_destroy(context);
    }
}

/* Pages of this process: of the address space, or in memory. */
static long pages(bool in_memory) {
    long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        test_skip("no /proc/self/statm");
    assert_int_equal(fscanf(file, "%ld %ld", &all, &resident), 2);
    fclose(file);
    return in_memory ? resident : all;
}

static void many_cycles_leak_nothing(void **state) {
    (void)state;
    need_mlx();
    int times = TEST_IS_SANITIZED ? 500 : 10000;
    cycle(200);
    long before = pages(true);
    cycle(times);
    /* The address sanitizer keeps what is freed for a while. */
    if (!TEST_IS_SANITIZED)
        assert_in_range(pages(true), 0, before + 256);
}

/* The fused operations are made of steps, all of which it has. */
static void places_of_fused_operations(void **state) {
    (void)state;
    need_mlx();
    tern_context *context = open_mlx();
    tern_context_op_info info;
    int found = 0;
    for (int i = 0; tern_context_op(context, i, &info); i++)
        if (strncmp(info.name, "norm_linear", 11) == 0 || strcmp(info.name, "norm_glu") == 0)
            found += info.place == TERN_PLACE_NATIVE;
    assert_int_equal(found, 3);
    tern_context_destroy(context);
}

static void *run_thread(void *argument) {
    (void)argument;
    cycle(25);
    return NULL;
}

static void threads_have_devices_of_their_own(void **state) {
    (void)state;
    need_mlx();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

typedef tern_status (*into_fn)(tern_tensor *x, tern_tensor *out);

static tern_status sort_into(tern_tensor *x, tern_tensor *out) {
    return tern_sort_into(x, 0, true, out);
}

static tern_status softmax_into(tern_tensor *x, tern_tensor *out) {
    return tern_softmax_into(x, 0, out);
}

/* The destination is there; what MLX needs on the way is not. */
static void without_memory_there_is_a_status(void **state) {
    (void)state;
    need_mlx();
    if (TEST_IS_SANITIZED)
        test_skip("sanitizers need all of the address space");
    const into_fn calls[] = {tern_exp_into, tern_sin_into, sort_into, softmax_into};
    tern_context *context = open_mlx();
    tern_tensor *x = NULL, *out = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(8 << 20), &x));
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(8 << 20), &out));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct rlimit old, tight;
        assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
        tight = old;
        tight.rlim_cur = (rlim_t)pages(false) * (rlim_t)sysconf(_SC_PAGESIZE) + (8 << 20);
        assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
        tern_status status = calls[i](x, out);
        assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
        test_status(status, TERN_E_MEMORY);
        test_ok(calls[i](x, out));
        assert_true(computes(context));
    }
    tern_tensor_release(out);
    tern_tensor_release(x);
    tern_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_there_is_a_status),
        cmocka_unit_test(places_of_fused_operations),
        cmocka_unit_test(many_cycles_leak_nothing),
        cmocka_unit_test(threads_have_devices_of_their_own),
    };
    use_plugins();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
