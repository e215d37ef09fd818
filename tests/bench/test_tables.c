/* SPDX-License-Identifier: MIT
 * Tables of targets T1a, T2 and T4: their rows, with floors and goals by instruction set, on a
 * clock that ticks; and what they say where a library, a unit or memory is missing. */
#include "bench/table_fixture.h"

#include "base/cpu.h"
#include "bench/blas.h"
#include "bench/rows.h"

static const char *const levels[] = {"avx512", "avx2", "neon", "scalar"};
enum { LEVELS = sizeof levels / sizeof *levels };

static bool has_level(const char *name) {
    uint32_t features;
    return tern__cpu_level(name, &features) == TERN_OK;
}

static bool is_same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

/* A row with this floor and goal, the least that there may be, which is judged by them when no
 * other program was at work. */
static void check_bounds(const tern_bench_row *row, double floor, double goal) {
    if (!is_same(row->floor, floor) || !is_same(row->goal, goal) || !row->is_least)
        fail_msg("%s: floor %g, goal %g, expected %g and %g", row->what, row->floor, row->goal,
                 floor, goal);
    assert_true(isnan(row->goal_p99));
    tern_bench_row copy = *row;
    copy.load = NAN;
    copy.is_noisy = false;
    if (!isnan(floor)) {
        copy.median = floor;
        tern__row_judge(&copy);
        assert_int_equal(copy.verdict, TERN_BENCH_PASS);
        copy.median = nextafter(floor, 0);
        tern__row_judge(&copy);
        assert_int_equal(copy.verdict, TERN_BENCH_FAIL);
        assert_false(copy.is_goal_met);
    }
    if (!isnan(goal)) {
        copy.median = goal;
        tern__row_judge(&copy);
        assert_true(copy.is_goal_met && copy.verdict != TERN_BENCH_FAIL);
    }
    copy.median = NAN;
    tern__row_judge(&copy);
    assert_int_equal(copy.verdict, TERN_BENCH_NOT_MEASURED);
}

/* Every reading of the clock is a tick later, so that each side takes as long as the other. */
static void check_measured(const tern_bench_row *row, double median, const char *detail) {
    if (fabs(row->median - median) > 1e-9 * median)
        fail_msg("%s: %.12g, expected %g", row->what, row->median, median);
    assert_int_equal(row->samples, 2);
    assert_int_equal(row->verdict, isnan(row->floor)      ? TERN_BENCH_NO_TARGET
                                   : median >= row->floor ? TERN_BENCH_PASS
                                                          : TERN_BENCH_FAIL);
    if (strstr(row->detail, detail) == NULL)
        fail_msg("%s: '%s' is without '%s'", row->what, row->detail, detail);
}

static void check_missing(const tern_bench_row *row, const char *reason) {
    assert_int_equal(row->verdict, TERN_BENCH_NOT_MEASURED);
    assert_true(isnan(row->median) && !row->is_goal_met);
    if (strstr(row->detail, reason) == NULL)
        fail_msg("%s: '%s' is without '%s'", row->what, row->detail, reason);
}

/* -- T2 ----------------------------------------------------------------------------------------*/

/* No room for the largest working set, which would take seconds to fill. */
static void *small_pages(size_t bytes) {
    return bytes < (size_t)64 << 20 ? tern__os_default.pages_map(bytes) : NULL;
}

static const struct {
    const char *level;
    double floor[3], goal[3]; /* arithmetic, functions, division */
} elementwise_bounds[] = {
    {"avx512", {5, 5, 3}, {8, 12, 4}},
    {"avx2", {3, 4, 1.8}, {NAN, NAN, NAN}},
    {"neon", {2, 3, 1.5}, {NAN, NAN, NAN}},
};

static void check_elementwise(const table *t, size_t level) {
    static const struct {
        const char *name;
        int kind;
        bool is_streamed;
    } rows[] = {{"add", 0, true},   {"sub", 0, true},  {"mul", 0, true},      {"max", 0, true},
                {"relu", 0, true},  {"exp", 1, false}, {"tanh", 1, false},    {"silu", 1, false},
                {"gelu", 1, false}, {"sum", 1, true},  {"softmax", 1, false}, {"div", 2, false},
                {"sqrt", 2, false}};
    const char *name = elementwise_bounds[level].level;
    char what[64];
    int count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(what, sizeof what, "%s, 2 Ki, %s", rows[i].name, name);
        const tern_bench_row *row = row_of(t, what);
        check_measured(row, 1, "ns an element, the baseline ");
        check_bounds(row, elementwise_bounds[level].floor[rows[i].kind],
                     elementwise_bounds[level].goal[rows[i].kind]);
        count++;
        if (!rows[i].is_streamed)
            continue;
        snprintf(what, sizeof what, "%s, 64 Ki, %s, of the bandwidth", rows[i].name, name);
        check_measured(row_of(t, what), 100, "of as many bytes");
        check_bounds(row_of(t, what), NAN, 90);
        snprintf(what, sizeof what, "%s, 16 Mi, %s, of the bandwidth", rows[i].name, name);
        check_missing(row_of(t, what), "no memory for ");
        count += 2;
    }
    assert_int_equal(t->count, count);
    for (int i = 0; i < t->count; i++)
        assert_string_equal(t->rows[i].id, "T2");
}

static void test_elementwise(void **state) {
    (void)state;
    static table t;
    tern__os_table os = ticking_os();
    os.pages_map = small_pages;
    for (size_t i = 0; i < sizeof elementwise_bounds / sizeof *elementwise_bounds; i++) {
        const char *level = elementwise_bounds[i].level;
        if (!has_level(level))
            continue;
        tern_bench_table_options options = {.cpu = level, .samples = 2, .is_quick = true};
        memset(&t, 0, sizeof t);
        tern__os_set(&os);
        tern_status status = tern_bench_elementwise(&options, collect, &t);
        tern__os_set(NULL);
        test_ok(status);
        check_elementwise(&t, i);
    }
    t.count = 0;
    tern_bench_table_options options = {.cpu = "scalar"};
    test_ok(tern_bench_elementwise(&options, collect, &t));
    assert_int_equal(t.count, 13 + 2 * 6);
    for (int i = 0; i < t.count; i++)
        check_missing(&t.rows[i], "no vector instructions");
    t.count = 0;
    options.cpu = "no such level";
    test_status(tern_bench_elementwise(&options, collect, &t), TERN_E_ARGUMENT);
    test_status(tern_bench_elementwise(NULL, NULL, NULL), TERN_E_ARGUMENT);
    assert_int_equal(t.count, 0);
}

/* -- T1a ---------------------------------------------------------------------------------------*/

static void run_matmul(table *t, const char *level, const char *versus) {
    memset(t, 0, sizeof *t);
    tern__os_table os = ticking_os();
    tern__os_set(&os);
    tern_bench_table_options options = {
        .cpu = level, .samples = 2, .is_quick = true, .versus = versus, .only = "T1a"};
    tern_status status = tern_bench_matmul(&options, collect, t);
    tern__os_set(NULL);
    test_ok(status);
    assert_int_equal(t->count, 3);
    for (int i = 0; i < t->count; i++)
        assert_string_equal(t->rows[i].id, "T1a");
}

static void test_matmul(void **state) {
    (void)state;
    static table t;
    for (int i = 0; i < LEVELS; i++) {
        bool is_avx512 = strcmp(levels[i], "avx512") == 0, is_avx2 = strcmp(levels[i], "avx2") == 0;
        if (!has_level(levels[i]))
            continue;
        run_matmul(&t, levels[i], "/nonexistent.so");
        const tern_bench_row *plain = row_of(&t, "F32 matmul 512 against plain loops");
        check_measured(plain, 512.0 / 32, "the faster loop"); /* the loop does 32 rows of 512 */
        check_bounds(plain,
                     is_avx512 ? 15
                     : is_avx2 ? 8
                               : (double)NAN,
                     is_avx512 ? 30
                     : is_avx2 ? 15
                               : (double)NAN);
        const char *const libraries[] = {"openblas", "dnnl"};
        for (int l = 0; l < 2; l++) {
            char what[64];
            snprintf(what, sizeof what, "F32 matmul 512 against %s", libraries[l]);
            check_missing(row_of(&t, what), "/nonexistent.so");
            check_bounds(row_of(&t, what), NAN, 1);
        }
    }
    test_status(tern_bench_matmul(NULL, NULL, NULL), TERN_E_ARGUMENT);
}

/* The one library that is asked for is measured, or it is said why not; the other is not. */
static void test_matmul_library(void **state) {
    (void)state;
    static table t;
    run_matmul(&t, NULL, "openblas");
    check_missing(row_of(&t, "F32 matmul 512 against dnnl"), "not asked for");
    const tern_bench_row *row = row_of(&t, "F32 matmul 512 against openblas");
    if (row->verdict == TERN_BENCH_NOT_MEASURED)
        check_missing(row, "openblas: ");
    else
        check_measured(row, 1, "GFLOP/s, openblas ");
    run_matmul(&t, NULL, "libc.so.6/"); /* a path that is no library */
    check_missing(row_of(&t, "F32 matmul 512 against openblas"), "openblas: ");
}

/* A path for one of them is taken in place of the search; the other is searched for as ever. */
static void test_matmul_peers(void **state) {
    (void)state;
    tern__blas found[TERN__BLAS_COUNT], given[TERN__BLAS_COUNT];
    const tern_bench_peer_path paths[] = {{"jemalloc", "/no"}, {"openblas", "/nonexistent.so"}};
    tern_bench_table_options options = {0};
    tern__blas_open(found, &options);
    options.peers = paths;
    options.peer_count = 2;
    tern__blas_open(given, &options);
    assert_null(given[0].function);
    assert_non_null(strstr(given[0].why, "/nonexistent.so"));
    assert_int_equal(given[1].function == NULL, found[1].function == NULL);
    tern__blas_close(given);
    options.is_listing = true;
    tern__blas_open(given, &options); /* opens nothing */
    assert_true(given[0].handle == NULL && given[1].handle == NULL);
    tern__blas_close(found);
}

/* -- T4 ----------------------------------------------------------------------------------------*/

static void check_rates(const table *t, const char *activity, double goal) {
    static const char *const counted[] = {"calls", "calls, without views", "bytes"};
    for (int i = 0; i < 3; i++) {
        char what[64];
        snprintf(what, sizeof what, "zero copy: %s, %s", activity, counted[i]);
        const tern_bench_row *row = row_of(t, what);
        check_bounds(row, i < 2 ? 80 : NAN, i < 2 ? goal : 99);
        assert_int_equal(row->samples, 1);
        if (row->median > 100 || !row->is_goal_met || row->verdict == TERN_BENCH_FAIL)
            fail_msg("%s: %g %%, %s", what, row->median, row->detail);
    }
}

/* Series are kept with the row: what they hold is looked at while it is shown. */
typedef struct classes {
    table rows;
    int shown;           /* rows with series */
    double calls, views; /* of all operations */
    char detail[TERN_BENCH_DETAIL];
} classes;

static void collect_classes(void *user, const tern_bench_row *row) {
    static const char *const names[] = {"view", "in place", "compute", "copy", "moves data"};
    classes *c = user;
    collect(&c->rows, row);
    if (row->series_count == 0)
        return;
    assert_string_equal(row->what, "zero copy: operations, calls");
    assert_int_equal(row->series_count, 5);
    for (int i = 0; i < 5; i++) {
        const tern_bench_series *series = &row->series[i];
        assert_string_equal(series->name, names[i]);
        assert_string_equal(series->y_unit, "calls");
        assert_true(series->count > 150);
        for (int64_t k = 0; k < series->count; k++) {
            assert_true(series->x[k] == (double)k && series->y[k] >= 0);
            assert_true(strlen(series->label[k]) > 1);
            c->calls += i < 4 ? series->y[k] : 0;
            c->views += i == 0 ? series->y[k] : 0;
        }
    }
    snprintf(c->detail, sizeof c->detail, "%s", row->detail);
    c->shown++;
}

/* Operation by operation they are the calls that the row counts. */
static void test_zero_copy_series(void **state) {
    (void)state;
    static classes c;
    char expected[64];
    tern_bench_table_options options = {.threads = 1, .is_quick = true, .only = "T4"};
    test_ok(tern_bench_zero_copy(&options, collect_classes, &c));
    assert_int_equal(c.shown, 1);
    snprintf(expected, sizeof expected, "%.0f calls, ", c.calls);
    assert_ptr_equal(strstr(c.detail, expected), c.detail);
    snprintf(expected, sizeof expected, ", %.0f views;", c.views);
    assert_non_null(strstr(c.detail, expected));
}

/* Counts do not depend on time: the goals are met wherever this runs. */
static void test_zero_copy(void **state) {
    (void)state;
    static table t;
    tern_bench_table_options options = {.threads = 2, .is_quick = true};
    test_ok(tern_bench_zero_copy(&options, collect, &t));
    check_rates(&t, "operations", 95);
    check_rates(&t, "prompt of 128", 95);
    check_rates(&t, "decode", 100);
    const tern_bench_row *all = row_of(&t, "zero copy: all operations, copies too, calls");
    check_bounds(all, NAN, NAN);
    assert_true(all->median < row_of(&t, "zero copy: operations, calls")->median);
    assert_ptr_equal(strstr(all->detail, "copied: clone "), all->detail);
    check_missing(row_of(&t, "zero copy: training step"), "not built");
    check_bounds(row_of(&t, "zero copy: training step"), 80, 95);
    assert_int_equal(t.count, 3 * 3 + 2);
    for (int i = 0; i < t.count; i++)
        assert_string_equal(t.rows[i].id, "T4");
}

/* -- what is missing ---------------------------------------------------------------------------*/

/* main names a LAPACK that does not exist. */
static void test_without_lapack(void **state) {
    (void)state;
    static table t;
    tern__os_table os = ticking_os();
    tern__os_set(&os);
    tern_bench_table_options options = {.samples = 2, .only = "svd,eigh"};
    tern_status status = tern_bench_operations(&options, collect, &t);
    tern__os_set(NULL);
    test_ok(status);
    assert_int_equal(t.count, 4);
    for (int i = 0; i < t.count; i++)
        check_missing(&t.rows[i], "TERN_LAPACK names /nonexistent.so");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise),    cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_matmul_library), cmocka_unit_test(test_matmul_peers),
        cmocka_unit_test(test_zero_copy),      cmocka_unit_test(test_zero_copy_series),
        cmocka_unit_test(test_without_lapack),
    };
    setenv("TERN_LAPACK", "/nonexistent.so", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
