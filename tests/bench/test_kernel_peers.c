/* SPDX-License-Identifier: MIT
 * Targets K2 and K5: the rows beside other programs' kernels, with a library that has them and is
 * slow, on a clock by which each side takes a given time. */
#include "bench/cost_clock.h"

#include "base/cpu.h"
#include "base/library.h"

enum { ROWS = 5 }; /* one shape, two storages, two kernels, and TL2 */

static table rows;

static void run_only(const char *only, const char *ggml, const char *bitnet, uint64_t other_ns) {
    const tern_bench_peer_path paths[] = {{"ggml", ggml}, {"bitnet", bitnet}};
    tern_bench_table_options options = {.threads = 1,
                                        .samples = 1,
                                        .is_quick = true,
                                        .only = only,
                                        .peers = paths,
                                        .peer_count = 2};
    tern__os_table os = cost_os();
    cost_ns[0] = 20000000;
    cost_ns[1] = other_ns;
    memset(&rows, 0, sizeof rows);
    tern__os_set(&os);
    tern_status status = tern_bench_kernels(&options, collect, &rows);
    tern__os_set(NULL);
    test_ok(status);
}

static void run_with(const char *ggml, const char *bitnet, uint64_t other_ns) {
    run_only("K2", ggml, bitnet, other_ns);
    assert_int_equal(rows.count, ROWS);
}

static void check_missing(int index, const char *words) {
    const tern_bench_row *row = &rows.rows[index];
    assert_int_equal(row->verdict, TERN_BENCH_NOT_MEASURED);
    assert_true(isnan(row->median));
    if (strstr(row->detail, words) == NULL)
        fail_msg("%s: '%s' is without '%s'", row->what, row->detail, words);
}

/* A number in the library. */
static int *number(const char *name) {
    char why[64];
    tern__library *library = tern__library_open(TEST_FAKE_DOTS, why, sizeof why);
    assert_non_null(library);
    int *pointer = tern__library_symbol(library, name);
    assert_non_null(pointer);
    tern__library_close(library);
    return pointer;
}

/* What other tests run on several threads is here about figures. */
static void skip_when_slow(void) {
    if (TEST_THINNING > 1)
        test_skip("figures: not under the thread sanitizer");
}

static void test_ratios(void **state) {
    (void)state;
    skip_when_slow();
    static const char *const what[ROWS] = {
        "2560 x 2560, 2-bit, against I2_S", "2560 x 2560, 1.6-bit, against I2_S",
        "2560 x 2560, 2-bit, against TQ2_0", "2560 x 2560, 1.6-bit, against TQ2_0", "against TL2"};
    static const double floors[ROWS] = {1.3, 1.3, 1.8, 1.8, 1}, goals[ROWS] = {2, 2, 2.8, 2.8, 1.4};
    *number("fake_starts") = *number("fake_calls") = 0;
    run_with(TEST_FAKE_DOTS, TEST_FAKE_DOTS, 34000000);
    assert_int_equal(*number("fake_starts"), 1);
    assert_true(*number("fake_calls") >= 4 * 3 * 2560); /* checked, warmed up, timed */
    for (int i = 0; i < ROWS; i++) {
        const tern_bench_row *row = &rows.rows[i];
        assert_string_equal(rows.what[i], what[i]);
        assert_true(row->floor == floors[i] && row->goal == goals[i]);
        assert_true(row->is_least && row->is_ratio);
        if (i == ROWS - 1)
            break;
        assert_true(fabs(row->median - 1.7) < 1e-12);
        assert_int_equal(row->verdict, i < 2 ? TERN_BENCH_PASS : TERN_BENCH_FAIL);
        assert_false(row->is_goal_met);
        assert_true(row->operations == 2.0 * 2560 * 2560 / 0.02);
        assert_non_null(strstr(row->detail, i < 2 ? "; I2_S: 3.4e+04 us, " : "; TQ2_0: 3.4e+04"));
    }
    check_missing(ROWS - 1, "bitnet.cpp generates its code");
    run_with(TEST_FAKE_DOTS, TEST_FAKE_DOTS, 60000000);
    assert_int_equal(rows.rows[2].verdict, TERN_BENCH_PASS);
    assert_true(rows.rows[0].is_goal_met && rows.rows[2].is_goal_met);
}

/* Nothing is timed that computes something else. */
static void test_wrong_sums(void **state) {
    (void)state;
    skip_when_slow();
    *number("fake_error") = 1;
    run_with(TEST_FAKE_DOTS, TEST_FAKE_DOTS, 60000000);
    *number("fake_error") = 0;
    for (int i = 0; i < ROWS - 1; i++)
        check_missing(i, i < 2 ? "ggml_vec_dot_i2_i8_s: the sum of row "
                               : "ggml_vec_dot_tq2_0_q8_K: the sum of row ");
}

static void test_missing_libraries(void **state) {
    (void)state;
    skip_when_slow();
    run_with(NULL, NULL, 60000000);
    for (int i = 0; i < ROWS - 1; i++)
        check_missing(i, i < 2 ? "needs --peer bitnet=PATH" : "needs --peer ggml=PATH");
    run_with("/nowhere/libggml.so", "libm.so.6", 60000000);
    for (int i = 0; i < ROWS - 1; i++)
        check_missing(i, i < 2 ? "libm.so.6 has no ggml_vec_dot_i2_i8_s" : "/nowhere/libggml.so");
}

/* A row of K5 for each variant whose unit has a target; of 64 tokens, all sums are compared. */
static void check_prompts(const char *detail, double median) {
    static const struct {
        const char *what;
        uint32_t needs;
        double floor, goal;
    } expected[] = {{"640 x 2560, 64 tokens, avx_vnni, against I2_S", TERN__CPU_AVX_VNNI, 1.6, 2.2},
                    {"640 x 2560, 64 tokens, avx2, against I2_S", TERN__CPU_AVX2, 1.4, 1.7}};
    int count = 0;
    for (int i = 0; i < rows.count; i++)
        count += strstr(rows.what[i], "against") != NULL;
#if defined(__x86_64__)
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) {
        const tern_bench_row *row = row_of(&rows, expected[i].what);
        assert_true(row->floor == expected[i].floor && row->goal == expected[i].goal);
        bool is_here = (expected[i].needs & ~tern__cpu()->features) == 0;
        assert_non_null(strstr(row->detail, is_here ? detail : "lacks"));
        if (is_here && !isnan(median))
            assert_true(fabs(row->median - median) < 1e-12);
        else
            assert_true(isnan(row->median));
    }
#else
    (void)expected, (void)detail, (void)median;
    assert_int_equal(count, 0);
#endif
}

static void test_prompts(void **state) {
    (void)state;
    skip_when_slow();
    run_only("K5", NULL, TEST_FAKE_DOTS, 30000000);
    check_prompts("; I2_S: 3e+04 us, ", 1.5);
    *number("fake_error") = 1;
    run_only("K5", NULL, TEST_FAKE_DOTS, 30000000);
    *number("fake_error") = 0;
    check_prompts("ggml_vec_dot_i2_i8_s: the sum of row ", NAN);
    run_only("K5", NULL, NULL, 30000000);
    check_prompts("needs --peer bitnet=PATH", NAN);
}

static void *no_pages(size_t bytes) {
    return bytes < 1 << 20 ? tern__os_default.pages_map(bytes) : NULL;
}

static void test_no_memory(void **state) {
    (void)state;
    skip_when_slow();
    const tern_bench_peer_path path = {"ggml", TEST_FAKE_DOTS};
    tern_bench_table_options options = {
        .threads = 1, .is_quick = true, .only = "K2", .peers = &path, .peer_count = 1};
    tern__os_table os = cost_os();
    os.pages_map = no_pages;
    memset(&rows, 0, sizeof rows);
    tern__os_set(&os);
    tern_status status = tern_bench_kernels(&options, collect, &rows);
    tern__os_set(NULL);
    test_ok(status);
    check_missing(2, "no memory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_ratios, restore_os),
        cmocka_unit_test_teardown(test_wrong_sums, restore_os),
        cmocka_unit_test_teardown(test_prompts, restore_os),
        cmocka_unit_test_teardown(test_missing_libraries, restore_os),
        cmocka_unit_test_teardown(test_no_memory, restore_os),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
