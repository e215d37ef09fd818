/* SPDX-License-Identifier: MIT
 * The tables of limits and of kernels: their rows, floors and goals, and what they say where a unit
 * or memory is missing. On one thread and a clock that ticks, as threads look at the clock too. */
#include "bench/table_fixture.h"

#include <time.h>

#include "base/cpu.h"
#include "bench/limits.h"
#include "bench/rows.h"
#include "bench/weights.h"

enum { SMALL = 64 << 20 };

static void *small_pages(size_t bytes) {
    return bytes < SMALL ? tern__os_default.pages_map(bytes) : NULL;
}

typedef tern_status table_fn(const tern_bench_table_options *options, tern_bench_row_fn visit,
                             void *user);

static void run_table(table *t, table_fn *run, const char *level, const char *only,
                      bool is_short_of_memory) {
    tern__os_table os = ticking_os();
    if (is_short_of_memory)
        os.pages_map = small_pages;
    tern_bench_table_options options = {
        .threads = 1, .cpu = level, .samples = 2, .is_quick = true, .only = only};
    memset(t, 0, sizeof *t);
    tern__os_set(&os);
    tern_status status = run(&options, collect, t);
    tern__os_set(NULL);
    test_ok(status);
}

/* Rows whose words begin so. */
static int count_rows(const table *t, const char *id, const char *begin) {
    int count = 0;
    for (int i = 0; i < t->count; i++)
        count += strcmp(t->rows[i].id, id) == 0 && strncmp(t->what[i], begin, strlen(begin)) == 0;
    return count;
}

/* Measured, or it says why not. */
static void check_settled(const tern_bench_row *row, const char *reason) {
    if (isnan(row->median)) {
        assert_int_equal(row->verdict, TERN_BENCH_NOT_MEASURED);
        if (strstr(row->detail, reason) == NULL)
            fail_msg("%s: '%s' is without '%s'", row->what, row->detail, reason);
        return;
    }
    assert_true(row->median > 0 && row->samples == 2);
    assert_int_not_equal(row->verdict, TERN_BENCH_NOT_MEASURED);
}

/* -- roofline ----------------------------------------------------------------------------------*/

static void test_roofline(void **state) {
    (void)state;
    static table t;
    run_table(&t, tern_bench_roofline, NULL, NULL, true);
    assert_int_equal(count_rows(&t, "ROOF", "read, L1 ("), 1);
    assert_int_equal(count_rows(&t, "ROOF", "read, L2 ("), 1);
    assert_int_equal(count_rows(&t, "ROOF", "read, L3 ("), 1);
    assert_int_equal(count_rows(&t, "ROOF", "read, memory ("), 1);
    int peaks = 0;
    for (int k = 0; tern__peaks_family[k] != NULL; k++)
        for (int i = 0; i < TERN__PEAKS && tern__peaks_family[k]->peaks[i].name != NULL; i++) {
            const tern__peaks_kernel *kernel = tern__peaks_family[k];
            char what[64];
            snprintf(what, sizeof what, "%s, 1 thread", kernel->peaks[i].name);
            const tern_bench_row *row = row_of(&t, what);
            bool is_here = (kernel->variant.needs & ~tern__cpu()->features) == 0;
            check_settled(row, "lacks");
            assert_int_equal(!isnan(row->median), is_here);
            peaks++;
        }
    assert_int_equal(t.count, 4 + peaks);
    for (int i = 0; i < t.count; i++) {
        if (strstr(t.what[i], "read, memory") != NULL)
            assert_true(isnan(t.rows[i].median));
        const bool is_large =
            strstr(t.what[i], "memory") != NULL ||
            (strstr(t.what[i], "L3") != NULL && tern__cpu()->cache_l3 / 2 >= SMALL);
        if (strncmp(t.what[i], "read, ", 6) == 0)
            check_settled(&t.rows[i], is_large ? "no memory" : "caches");
        assert_true(isnan(t.rows[i].floor) && isnan(t.rows[i].goal));
    }
    test_status(tern_bench_roofline(NULL, NULL, NULL), TERN_E_ARGUMENT);
}

static void test_roofline_of_level(void **state) {
    (void)state;
    static table t;
    run_table(&t, tern_bench_roofline, "scalar", NULL, true);
    for (int i = 4; i < t.count; i++) {
        assert_true(isnan(t.rows[i].median));
        assert_non_null(strstr(t.rows[i].detail, "lacks"));
    }
}

/* Threads: each number of them up to all. */
static void test_roofline_threads(void **state) {
    (void)state;
    static table t;
    tern__os_table os = tern__os_default;
    os.pages_map = small_pages;
    tern_bench_table_options options = {.threads = 3, .samples = 1, .is_quick = true};
    tern__os_set(&os);
    tern_status status = tern_bench_roofline(&options, collect, &t);
    tern__os_set(NULL);
    test_ok(status);
    assert_int_equal(count_rows(&t, "ROOF", "read, "), 3 * 4);
    int three = 0;
    for (int i = 0; i < t.count; i++)
        three += strstr(t.what[i], ", 3 threads") != NULL;
    assert_true(three >= 4);
}

/* -- kernels -----------------------------------------------------------------------------------*/

static const char *const family_names[TERN__PACKING_COUNT] = {
#define FAMILY_NAME(symbol, family, ...) #family,
    TERN__PACKINGS(FAMILY_NAME)
#undef FAMILY_NAME
};

/* Every family and variant has rows: ten of those that this machine runs, one of plain ones and of
 * those that it does not. */
static void check_families(const table *t, bool is_short_of_memory) {
    int rows = 0;
    for (int p = 0; p < TERN__PACKING_COUNT; p++)
        for (int k = 0; tern__packed_families[p][k] != NULL; k++) {
            const tern__packed_kernel *kernel = tern__packed_families[p][k];
            char begin[64];
            bool is_here = (kernel->variant.needs & ~tern__cpu()->features) == 0;
            bool is_plain = kernel->variant.needs == 0;
            snprintf(begin, sizeof begin, "%s %s%s", family_names[p], kernel->variant.name,
                     is_here ? "," : "");
            int count = count_rows(t, "KERN", begin);
            if (count != (is_here && !is_plain ? 10 : 1))
                fail_msg("'%s' has %d rows", begin, count);
            rows += count;
        }
    assert_int_equal(count_rows(t, "KERN", ""), rows);
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].id, "KERN") == 0)
            check_settled(&t->rows[i], is_short_of_memory ? "" : "lacks");
}

static void test_families(void **state) {
    (void)state;
    static table t;
    run_table(&t, tern_bench_kernels, NULL, "trits5,trits4,int4,int8", false);
    check_families(&t, false);
    if (TEST_THINNING > 1)
        test_skip("without memory: one thread's work, not under the thread sanitizer");
    run_table(&t, tern_bench_kernels, NULL, "int8,trits4,int4,trits5", true);
    check_families(&t, true);
    run_table(&t, tern_bench_kernels, "scalar", "int4", true);
    for (int i = 0; i < t.count; i++)
        check_settled(&t.rows[i], "lacks");
}

static void check_target(const tern_bench_row *row, double floor, double goal, bool is_least) {
    if (row->floor != floor || row->goal != goal || row->is_least != is_least)
        fail_msg("%s %s: floor %g, goal %g, expected %g and %g", row->id, row->what, row->floor,
                 row->goal, floor, goal);
    tern_bench_row copy = *row;
    copy.median = floor;
    tern__row_judge(&copy);
    assert_int_equal(copy.verdict, TERN_BENCH_PASS);
    copy.median = is_least ? nextafter(floor, 0) : nextafter(floor, INFINITY);
    tern__row_judge(&copy);
    assert_int_equal(copy.verdict, TERN_BENCH_FAIL);
    copy.median = goal;
    tern__row_judge(&copy);
    assert_true(copy.is_goal_met);
}

static void check_targets(const table *t) {
    static const struct {
        const char *id, *words;
        double floor, goal;
        bool is_least;
    } targets[] = {
        {"K1", "of the read rate", 75, 90, true},
        {"K3", "1.6 bits against 2", 1, 1.2, true},
        {"K4", "of its peak", 50, 80, true},
        {"K5", "of its peak", 50, 80, true},
        {"K5", ", avx2, against I2_S", 1.4, 1.7, true},
        {"K5", ", avx_vnni, against I2_S", 1.6, 2.2, true},
        {"K6", "N = 4 against 1", 1.3, 1.1, false},
        {"K6", "N = 8 against 1", 1.8, 1.25, false},
    };
    for (int i = 0; i < t->count; i++) {
        const tern_bench_row *row = &t->rows[i];
        bool is_known = strcmp(row->id, "T1b") == 0;
        for (size_t k = 0; k < sizeof targets / sizeof *targets; k++) {
            if (strcmp(targets[k].id, row->id) != 0 || strstr(row->what, targets[k].words) == NULL)
                continue;
            is_known = true;
            if (!isnan(row->floor)) /* units without a target have none */
                check_target(row, targets[k].floor, targets[k].goal, targets[k].is_least);
        }
        if (!is_known)
            fail_msg("%s %s", row->id, row->what);
    }
}

static void test_targets(void **state) {
    (void)state;
    static table t;
    for (int is_short = 0; is_short < 2; is_short++) {
        run_table(&t, tern_bench_kernels, NULL, "K1,K3,K4,K5,K6,T1b", is_short);
        check_targets(&t);
        for (int i = 0; i < t.count; i++) {
            bool is_streamed = strcmp(t.rows[i].id, "K1") == 0 || strcmp(t.rows[i].id, "K3") == 0 ||
                               strcmp(t.rows[i].id, "K6") == 0;
            assert_false(is_short && is_streamed && !isnan(t.rows[i].median));
            check_settled(&t.rows[i], "");
        }
        assert_int_equal(count_rows(&t, "K1", ""), 1);
        assert_int_equal(count_rows(&t, "K3", ""), 1);
        assert_true(count_rows(&t, "K4", "") >= 1 && count_rows(&t, "K5", "") >= 1);
        assert_int_equal(count_rows(&t, "T1b", ""), 2);
    }
}

/* By a clock on which both sides take a tick, the sides have read different bytes: each figure is
 * said of its own side. */
static void test_storage_sides(void **state) {
    (void)state;
    static table t;
    run_table(&t, tern_bench_kernels, NULL, "K3", false);
    assert_int_equal(t.count, 1);
    uint32_t features;
    test_ok(tern__cpu_level(NULL, &features));
    const tern__packed_kernel *kernels[2] = {TERN__PICK(tern__trits5_family, features),
                                             TERN__PICK(tern__trits4_family, features)};
    char expected[2][32];
    for (int side = 0; side < 2; side++) {
        const tern__packed_kernel *kernel = kernels[side];
        const int64_t k = (2560 + kernel->k_unit - 1) / kernel->k_unit * kernel->k_unit;
        const int64_t bytes = 2560 / kernel->panel_rows * tern__packed_panel_bytes(kernel, k);
        snprintf(expected[side], sizeof expected[side], ", %.2f GB/s", (double)bytes / TICK_NS);
    }
    const char *first = strstr(t.rows[0].detail, expected[0]);
    const char *second = strstr(t.rows[0].detail, expected[1]);
    if (first == NULL || second == NULL || first > second)
        fail_msg("'%s', expected '%s' and '%s'", t.rows[0].detail, expected[0], expected[1]);
}

static uint64_t processor_time(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* More columns take more of the processor's time, whatever else it does: with AVX2 eight take
 * several times that of one. */
static void test_batch_sides(void **state) {
    (void)state;
    if (TEST_IS_SANITIZED || (tern__cpu()->features & TERN__CPU_AVX2) == 0)
        test_skip("products are too slow, or there is no avx2");
    static table t;
    tern__os_table os = tern__os_default;
    os.clock_ns = processor_time;
    tern_bench_table_options options = {
        .threads = 1, .cpu = "avx2", .samples = 3, .is_quick = true, .only = "K6"};
    memset(&t, 0, sizeof t);
    tern__os_set(&os);
    tern_status status = tern_bench_kernels(&options, collect, &t);
    tern__os_set(NULL);
    test_ok(status);
    int count = 0;
    for (int i = 0; i < t.count; i++)
        if (strncmp(t.what[i], "avx2, streamed, N = 8 ", 22) == 0) {
            assert_true(t.rows[i].median > 1.5);
            count++;
        }
    assert_int_equal(count, 1);
}

/* Floors of T1b by the unit that multiplies. */
static void test_against_f32(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("one thread's arithmetic: not under the thread sanitizer");
    static const struct {
        const char *level;
        uint32_t needs;
        double floor, goal;
    } levels[] = {{"avx2", TERN__CPU_AVX2, 2, 3}, {"avx512", TERN__CPU_AVX512_VNNI, 3, 4}};
    static table t;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if ((levels[i].needs & ~tern__cpu()->features) != 0)
            continue;
        run_table(&t, tern_bench_kernels, levels[i].level, "T1b", false);
        assert_int_equal(t.count, 2);
        for (int row = 0; row < t.count; row++)
            check_target(&t.rows[row], levels[i].floor, levels[i].goal, true);
        assert_non_null(strstr(t.rows[0].detail, "quantising included"));
    }
    /* Measured by the plain kernels: a minute under sanitizers, which have them in other tests. */
    memset(&t, 0, sizeof t);
    tern_bench_table_options options = {.threads = 1,
                                        .cpu = "scalar",
                                        .samples = 2,
                                        .is_quick = true,
                                        .only = "T1b",
                                        .is_listing = TEST_IS_SANITIZED};
    tern__os_table os = ticking_os();
    tern__os_set(&os);
    tern_status status = tern_bench_kernels(&options, collect, &t);
    tern__os_set(NULL);
    test_ok(status);
    assert_true(t.count == 2 && isnan(t.rows[0].floor));
}

/* One and all threads, on the real clock. */
static void test_decode_threads(void **state) {
    (void)state;
    static table t;
    tern_bench_table_options options = {.threads = 2, .samples = 1, .is_quick = true, .only = "K1"};
    test_ok(tern_bench_kernels(&options, collect, &t));
    assert_int_equal(t.count, 2);
    assert_non_null(strstr(t.what[0], ", 1 thread,"));
    assert_non_null(strstr(t.what[1], ", 2 threads,"));
}

static void test_refusals(void **state) {
    (void)state;
    static table t;
    test_status(tern_bench_kernels(NULL, NULL, NULL), TERN_E_ARGUMENT);
    static const char *const wrong[] = {"K8", "trits", "trits4,", "", "K1,int16"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tern_bench_table_options options = {.only = wrong[i]};
        test_status(tern_bench_kernels(&options, collect, &t), TERN_E_ARGUMENT);
    }
    tern_bench_table_options options = {.cpu = "no such level"};
    test_status(tern_bench_kernels(&options, collect, &t), TERN_E_ARGUMENT);
    test_status(tern_bench_roofline(&options, collect, &t), TERN_E_ARGUMENT);
    assert_int_equal(t.count, 0);
}

/* -- what they stand on ------------------------------------------------------------------------*/

static void silent_run(const tern__packed_args *args, int64_t begin, int64_t end) {
    (void)args;
    (void)begin;
    (void)end;
}

static tern_status check_kernel(const tern__packed_kernel *kernel, int64_t columns, int64_t n) {
    tern__weights w;
    tern__team *team;
    test_ok(tern__team_create(2, &team));
    test_ok(tern__weights_open(kernel, 37, columns, n, 2, 1, &w));
    tern_status status = tern__weights_check(&w, team, n);
    tern__weights_close(&w);
    tern__team_destroy(team);
    return status;
}

/* Whatever the width, the plain kernels are right, and one that does nothing is found out. */
static void test_products_are_checked(void **state) {
    (void)state;
    for (int p = 0; p < TERN__PACKING_COUNT; p++)
        for (int k = 0; tern__packed_families[p][k] != NULL; k++) {
            const tern__packed_kernel *kernel = tern__packed_families[p][k];
            if ((kernel->variant.needs & ~tern__cpu()->features) != 0)
                continue;
            test_ok(check_kernel(kernel, 256, 5));
            test_ok(check_kernel(kernel, 333, 5));
            /* Activations cut into 32 and 18 columns, rows into single panels. */
            tern__packed_kernel cut = *kernel, silent = *kernel;
            cut.q_bytes = 1 << 14;
            cut.panels_at_once = 1;
            test_ok(check_kernel(&cut, 256, 50));
            silent.run = silent_run;
            test_status(check_kernel(&silent, 256, 5), TERN_E_INTERNAL);
        }
}

static uint64_t wrong_peak(const uint8_t *a, const int8_t *b, int64_t iterations) {
    (void)a;
    (void)b;
    (void)iterations;
    return 0;
}

static void test_limits(void **state) {
    (void)state;
    tern__team *team;
    tern__limit limit;
    test_ok(tern__team_create(2, &team));
    const tern__peak lazy = {.name = "lazy", .width = 64, .sums = 1, .bits = 64, .run = wrong_peak};
    test_status(tern__limit_peak_rate(team, &lazy, 1, &limit), TERN_E_INTERNAL);
    test_ok(tern__limit_read_bandwidth(team, 0, 1 << 20, 2, &limit));
    assert_true(limit.rate > 0);
    assert_int_equal(limit.times.samples, 2);
    test_status(tern__limit_dot_rate(team, 0, 1, &limit), TERN_E_UNSUPPORTED);
    const tern__peak *peak = tern__limit_dot(tern__cpu()->features);
    if (peak != NULL) {
        test_ok(tern__limit_dot_rate(team, tern__cpu()->features, 2, &limit));
        assert_string_equal(limit.name, peak->name);
    }
    tern__team_destroy(team);
}

/* What a limit counts, on a clock by which every call takes TICK_NS: a part that a cache holds is
 * read over and over, memory once; products are those of all threads. */
static void test_limits_count(void **state) {
    (void)state;
    const int64_t l3 = tern__limit_caches().l3;
    tern__team *one, *two;
    tern__limit limit;
    test_ok(tern__team_create(1, &one));
    test_ok(tern__team_create(2, &two));
    assert_int_equal(tern__limit_memory_set(1), 4 * l3);
    assert_int_equal(tern__limit_memory_set(4 * l3 + 1), 4 * l3 + 1);
    tern__os_table os = ticking_os();
    tern__os_set(&os);
    test_ok(tern__limit_read_bandwidth(one, 0, 1 << 20, 1, &limit));
    tern__os_set(NULL);
    assert_true(fabs(limit.rate * TICK_NS * 1e-9 - (32 << 20)) < 1);
    for (int k = 0; tern__peaks_family[k] != NULL; k++)
        for (int i = 0; i < TERN__PEAKS && tern__peaks_family[k]->peaks[i].name != NULL; i++) {
            const tern__peak *peak = &tern__peaks_family[k]->peaks[i];
            tern__peak_job alone = tern__limit_peak_job(one, peak);
            tern__peak_job both = tern__limit_peak_job(two, peak);
            double products = tern__limit_peak_products(&alone);
            assert_true(products >= 1e8 && tern__limit_peak_products(&both) == 2 * products);
        }
    tern__team_destroy(two);
    tern__team_destroy(one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_roofline, restore_os),
        cmocka_unit_test_teardown(test_roofline_of_level, restore_os),
        cmocka_unit_test_teardown(test_roofline_threads, restore_os),
        cmocka_unit_test_teardown(test_families, restore_os),
        cmocka_unit_test_teardown(test_targets, restore_os),
        cmocka_unit_test_teardown(test_storage_sides, restore_os),
        cmocka_unit_test_teardown(test_batch_sides, restore_os),
        cmocka_unit_test_teardown(test_against_f32, restore_os),
        cmocka_unit_test(test_decode_threads),
        cmocka_unit_test_teardown(test_refusals, restore_os),
        cmocka_unit_test(test_products_are_checked),
        cmocka_unit_test(test_limits),
        cmocka_unit_test_teardown(test_limits_count, restore_os),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
