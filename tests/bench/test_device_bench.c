/* SPDX-License-Identifier: MIT
 * Rows about devices: why there are none, and what is told of a device that is no accelerator. The
 * plug-in toy stands in for one. */
#include "support.h"

#include <dlfcn.h>
#include <math.h>
#include <unistd.h>

#include "bench/cost_clock.h"
#include "bench/device_list.h"

enum { FIRST_NS = 16000000, OTHER_NS = 70000000 };

static table rows, doubled;

static char folder[] = "/tmp/tern-test-XXXXXX";

/* The toy alone: another plug-in for tests may say that it is an accelerator. */
static int make_folder(void **state) {
    char path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tern_toy.so", folder);
    return symlink(TERN_TEST_PLUGINS "/tern_toy.so", path);
}

static int remove_folder(void **state) {
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "%s/tern_toy.so", folder);
    return unlink(path) == 0 ? rmdir(folder) : -1;
}

static int with_toy(void **state) {
    (void)state;
    return setenv("TERN_PLUGIN_PATH", folder, 1);
}

static int without_plugins(void **state) {
    (void)state;
    return setenv("TERN_PLUGIN_PATH", "/nowhere", 1);
}

static int without_memory(void **state) {
    setenv("TERN_TOY_MEMORY", "65536", 1);
    return with_toy(state);
}

static int with_memory(void **state) {
    (void)state;
    return unsetenv("TERN_TOY_MEMORY");
}

static tern_bench_table_options quick(const char *device, const char *only) {
    return (tern_bench_table_options){
        .threads = 1, .samples = 1, .is_quick = true, .device = device, .only = only};
}

static uint64_t (*clock_of_run)(void) = cost_clock;

/* On a clock by which the first side takes this time. */
static tern_status run_at(uint64_t first_ns, const char *name,
                          const tern_bench_table_options *options, table *t) {
    tern__os_table os = cost_os();
    for (int side = 0; side < COST_SIDES; side++)
        cost_ns[side] = side == 0 ? first_ns : OTHER_NS + (uint64_t)side * 1000000;
    os.clock_ns = clock_of_run;
    memset(t, 0, sizeof *t);
    tern__os_set(&os);
    tern_status status = tern_bench_table_find(name)->run(options, collect, t);
    tern__os_set(NULL);
    return status;
}

static void check_missing(const tern_bench_row *row, const char *words) {
    assert_int_equal(row->verdict, TERN_BENCH_NOT_MEASURED);
    assert_true(isnan(row->median) && row->samples == 0);
    if (strstr(row->detail, words) == NULL)
        fail_msg("%s %s: '%s' is without '%s'", row->id, row->what, row->detail, words);
}

static void check_all_missing(const char *name, const tern_bench_table_options *options, int count,
                              const char *words) {
    test_ok(run_at(FIRST_NS, name, options, &rows));
    assert_int_equal(rows.count, count);
    for (int i = 0; i < count; i++)
        check_missing(&rows.rows[i], words);
}

/* -- what is missing ---------------------------------------------------------------------------*/

static void test_none(void **state) {
    (void)state;
    static const char why[] =
        "cuda: absent (no plug-in tern_cuda.so); mlx: absent (no plug-in tern_mlx.so)";
    tern_bench_table_options options = quick(NULL, NULL);
    check_all_missing("devices", &options, 8, why);
    assert_string_equal(rows.what[0], "copy of 1 MiB on an accelerator");
    options = quick(NULL, "T1c");
    check_all_missing("matmul", &options, 1, why);
    assert_true(rows.rows[0].floor == 15 && rows.rows[0].goal == 40);
    options = quick("mlx", "T1c");
    check_all_missing("matmul", &options, 1, "mlx: absent (no plug-in tern_mlx.so)");
    options = quick("toy", "T1c");
    test_status(run_at(FIRST_NS, "matmul", &options, &rows), TERN_E_NOT_FOUND);
}

static void test_no_accelerator(void **state) {
    (void)state;
    tern_bench_table_options options = quick(NULL, "T1c");
    check_all_missing("matmul", &options, 1, "; toy is no accelerator");
}

/* The time of the processor is not that of an accelerator which leaves the work to it. */
static void test_idle_accelerator(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("products of 1024 rows: not under the thread sanitizer");
    setenv("TERN_TOY_FACTS", "accelerator", 1);
    tern_bench_table_options options = quick(NULL, "T1c");
    check_all_missing("matmul", &options, 2, "toy leaves matmul to the processor");
    options = quick(NULL, NULL);
    test_ok(run_at(FIRST_NS, "devices", &options, &rows));
    unsetenv("TERN_TOY_FACTS");
    assert_int_equal(rows.count, 8);
    check_missing(row_of(&rows, "copy of 1 MiB on toy"), "toy leaves copy to the processor");
    for (int i = 2; i < 6; i++)
        check_missing(&rows.rows[i], "toy leaves ternary_linear to the processor");
    assert_int_equal(rows.rows[6].verdict, TERN_BENCH_NO_TARGET);
    assert_non_null(strstr(rows.rows[6].detail, "; the processor did a part"));
}

static void test_little_memory(void **state) {
    (void)state;
    tern_bench_table_options options = quick("toy", NULL);
    check_all_missing("devices", &options, 8, "memory");
    options = quick("toy", "T1c");
    check_all_missing("matmul", &options, 2, "");
}

/* -- rows --------------------------------------------------------------------------------------*/

static void test_lists(void **state) {
    (void)state;
    tern_bench_table_options options = quick("toy", NULL);
    options.is_listing = true;
    test_ok(tern_bench_devices(&options, collect, memset(&rows, 0, sizeof rows)));
    assert_int_equal(rows.count, 8);
    options.is_quick = false;
    test_ok(tern_bench_devices(&options, collect, memset(&rows, 0, sizeof rows)));
    assert_int_equal(rows.count, 1 + 3 + 3 * (6 + 1) + 2);
    row_of(&rows, "F32 matmul 4096 on toy");
    row_of(&rows, "ternary 6912 x 2560, 4096 tokens on toy");
    row_of(&rows, "ternary 2560 x 6912, 1 token on toy: of copies");
    row_of(&rows, "pp4096, 2b4t, on toy");
    for (int i = 0; i < rows.count; i++) {
        assert_string_equal(rows.rows[i].id, "DEV");
        assert_true(isnan(rows.rows[i].floor) && isnan(rows.rows[i].goal));
    }
}

/* The figure of a row that tells it, to three digits. */
static double told(const tern_bench_row *row) {
    char *rest;
    double figure = strtod(row->detail, &rest);
    check_missing(row, ", not judged: toy is no accelerator");
    assert_ptr_not_equal(rest, row->detail);
    return figure;
}

/* What takes twice as long has half of the rate and of the ratio. */
static void check_figures(const char *name, const char *only, int count) {
    tern_bench_table_options options = quick("toy", only);
    test_ok(run_at(FIRST_NS, name, &options, &rows));
    test_ok(run_at(2 * FIRST_NS, name, &options, &doubled));
    assert_int_equal(rows.count, count);
    for (int i = 0; i < count; i++) {
        double factor = told(&rows.rows[i]) / told(&doubled.rows[i]);
        double expected = strcmp(rows.rows[i].unit, "us") == 0 ? 0.5 : 2;
        if (fabs(factor / expected - 1) > 0.01)
            fail_msg("%s: %s and %s", rows.what[i], rows.rows[i].detail, doubled.rows[i].detail);
    }
}

static void test_figures(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("figures: not under the thread sanitizer");
    check_figures("devices", NULL, 8);
    check_figures("matmul", "T1c", 2);
    assert_string_equal(rows.what[0], "F32 matmul 64 on toy against plain loops");
    assert_string_equal(rows.what[1], "F32 matmul 64 on toy against all threads");
    assert_true(rows.rows[0].floor == 15 && rows.rows[0].goal == 40);
    assert_true(isnan(rows.rows[1].floor) && rows.rows[1].goal == 1);
}

/* -- a device that multiplies ------------------------------------------------------------------*/

static int *pending; /* what nobody has waited for */
static int unfinished_samples;

static uint64_t watched_clock(void) {
    if (tern__bench_side() >= 0 && tern__bench_is_end() && rows.count < 2)
        unfinished_samples += *pending != 0;
    return cost_clock();
}

static int with_multiplier(void **state) {
    static const char path[] = TERN_TEST_PLUGINS "/multiplier";
    tern_device_info info;
    (void)state;
    setenv("TERN_PLUGIN_PATH", path, 1);
    test_ok(tern_device_find("multiplier", &info));
    void *library = dlopen(info.path, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    pending = (int *)dlsym(library, "multiplier_pending");
    return pending == NULL;
}

/* Work is done when a sample ends, and a rate is work by time. */
static void test_rates(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("figures: not under the thread sanitizer");
    tern_bench_table_options options = quick("multiplier", NULL);
    clock_of_run = watched_clock;
    test_ok(run_at(FIRST_NS, "devices", &options, &rows));
    clock_of_run = cost_clock;
    assert_int_equal(unfinished_samples, 0);
    const double seconds = 1e-9 * FIRST_NS;
    const double rates[] = {2e-9 * (1 << 20) / seconds, 2e-9 * 64 * 64 * 64 / seconds};
    for (int i = 0; i < 2; i++)
        if (fabs(rows.rows[i].median / rates[i] - 1) > 1e-3)
            fail_msg("%s: %g, not %g", rows.what[i], rows.rows[i].median, rates[i]);
}

/* A wrong product has no time. */
static void test_wrong_products(void **state) {
    (void)state;
    tern_bench_table_options options = quick("multiplier", NULL);
    setenv("TERN_MULTIPLIER", "wrong", 1);
    tern_status status = run_at(FIRST_NS, "devices", &options, &rows);
    unsetenv("TERN_MULTIPLIER");
    test_status(status, TERN_E_INTERNAL);
    assert_non_null(strstr(tern_last_error(), "bench: element 4095 is "));
}

/* -- results -----------------------------------------------------------------------------------*/

static tern_status compare(const float *got, const float *expected, double tolerance) {
    tern_context *context = NULL;
    tern_tensor *a = NULL, *b = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    test_ok(tern_tensor_from_data(context, TERN_F32, TERN_SHAPE(2), got, &a));
    test_ok(tern_tensor_from_data(context, TERN_F32, TERN_SHAPE(2), expected, &b));
    tern_status status = tern__device_compare(a, b, tolerance);
    tern_tensor_release(a);
    tern_tensor_release(b);
    tern_context_destroy(context);
    return status;
}

/* Without a tolerance every bit counts; with one the largest magnitude is its measure. */
static void test_comparison(void **state) {
    (void)state;
    const float expected[] = {0, -1000}, near[] = {0.5f, -1000}, negative[] = {-0.0f, -1000};
    const float nan[] = {NAN, -1000}, zeros[] = {0, 0};
    test_ok(compare(expected, expected, 0));
    test_status(compare(negative, expected, 0), TERN_E_INTERNAL);
    test_status(compare(near, expected, 0), TERN_E_INTERNAL);
    test_status(compare(near, expected, 4e-4), TERN_E_INTERNAL);
    test_ok(compare(near, expected, 6e-4));
    test_ok(compare(negative, expected, 1e-6));
    test_status(compare(nan, expected, 1), TERN_E_INTERNAL);
    test_status(compare(zeros, zeros, 0), TERN_E_INTERNAL);
}

/* The story on a device has the hash that it has everywhere. */
static void test_hash(void **state) {
    (void)state;
    if (TEST_IS_SANITIZED)
        test_skip("the hash of the story on a device: not under sanitizers");
    static char story[512];
    tern_bench_table_options options = quick("toy", "M6");
    options.story = test_path("models/tern-story-i2_s.gguf", story, sizeof story);
    memset(&rows, 0, sizeof rows);
    test_ok(tern_bench_models(&options, collect, &rows));
    const tern_bench_row *row = row_of(&rows, "hash on devices: runs that differ");
    assert_true(row->median == 0 && row->samples == 1 && row->is_goal_met);
    assert_string_equal(row->detail, "toy: 9ea1ccc9592fd74f");
    check_missing(row_of(&rows, "hash over MPI ranks: runs that differ"), "not built");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_none, without_plugins),
        cmocka_unit_test_setup(test_no_accelerator, with_toy),
        cmocka_unit_test_setup_teardown(test_idle_accelerator, with_toy, restore_os),
        cmocka_unit_test_setup_teardown(test_little_memory, without_memory, with_memory),
        cmocka_unit_test_setup(test_lists, with_toy),
        cmocka_unit_test_setup_teardown(test_figures, with_toy, restore_os),
        cmocka_unit_test_setup_teardown(test_rates, with_multiplier, restore_os),
        cmocka_unit_test_setup_teardown(test_wrong_products, with_multiplier, restore_os),
        cmocka_unit_test(test_comparison),
        cmocka_unit_test_setup(test_hash, with_toy),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
