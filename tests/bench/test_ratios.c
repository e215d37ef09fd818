/* SPDX-License-Identifier: MIT
 * No row of a table is a constant: on a clock by which each side takes a given time, what the side
 * of the row takes twice as long changes every timed row by exactly 2, and every ratio. */
#include "support.h"

#include <math.h>
#include <time.h>

#include <tern/ops.h>

#include "base/cpu.h"
#include "bench/cost_clock.h"
#include "bench/table_fixture.h"
#include "kernels/packed.h"

/* Sides behind the first are slower than the first at twice its cost: the limit that a row is a
 * share of stays the same. All are longer than any sample must be: one call each. */
enum { FIRST_NS = 16000000, OTHER_NS = 70000000 };

static table base, doubled;

static void run_at(const tern_bench_table *kind, const char *only, uint64_t first_ns, table *t) {
    tern__os_table os = cost_os();
    tern_bench_table_options options = {.threads = 1, .samples = 1, .is_quick = true, .only = only};
    for (int side = 0; side < COST_SIDES; side++)
        cost_ns[side] = side == 0 ? first_ns : OTHER_NS + (uint64_t)side * 1000000;
    memset(t, 0, sizeof *t);
    tern__os_set(&os);
    tern_status status = kind->run(&options, collect, t);
    tern__os_set(NULL);
    test_status_at((int)status, TERN_OK, kind->name, __FILE__, __LINE__);
}

static bool is_time(const tern_bench_row *row) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(row->unit, units[i]) == 0)
            return true;
    return false;
}

/* What a row with this figure has at twice the cost of its side: times double, rates halve, ratios
 * have the first side either way. */
static void check_figure(const tern_bench_row *a, double x, double y, const char *name) {
    bool is_right = isnan(x)      ? isnan(y)
                    : a->is_ratio ? y == 2 * x || 2 * y == x
                    : is_time(a)  ? y == 2 * x
                                  : 2 * y == x;
    if (!is_right)
        fail_msg("%s %s: %s is %.17g %s, and %.17g where its side takes twice as long", a->id,
                 a->what, name, x, a->unit, y);
}

/* Returns how many rows were timed. */
static int compare_runs(const char *name) {
    int timed = 0;
    assert_int_equal(base.count, doubled.count);
    for (int i = 0; i < base.count; i++) {
        const tern_bench_row *a = &base.rows[i], *b = &doubled.rows[i];
        assert_string_equal(a->id, b->id);
        assert_string_equal(base.what[i], doubled.what[i]);
        assert_int_equal(a->samples, b->samples);
        if (isnan(a->low)) { /* a count, or not measured: it depends on no clock */
            assert_true(a->samples <= 1);
            assert_true(a->median == b->median || (isnan(a->median) && isnan(b->median)));
            continue;
        }
        check_figure(a, a->median, b->median, "median");
        check_figure(a, a->low, b->low, "low");
        check_figure(a, a->high, b->high, "high");
        check_figure(a, a->p5, b->p5, "p5");
        check_figure(a, a->p95, b->p95, "p95");
        assert_true(a->low <= a->median && a->median <= a->high);
        if (!isnan(a->operations))
            assert_true(a->operations == 2 * b->operations && a->bytes == 2 * b->bytes);
        timed++;
    }
    print_message("%s: %d rows, %d timed\n", name, base.count, timed);
    return timed;
}

/* A list has the rows of the run, in its order, with the same bounds. */
static void check_list(const tern_bench_table *kind, const char *only) {
    static table list;
    tern_bench_table_options options = {
        .threads = 1, .samples = 1, .is_quick = true, .only = only, .is_listing = true};
    memset(&list, 0, sizeof list);
    test_ok(kind->run(&options, collect, &list));
    for (int i = 0; i < list.count && i < base.count; i++) {
        const tern_bench_row *a = &list.rows[i], *b = &base.rows[i];
        if (strcmp(a->id, b->id) != 0 || strcmp(list.what[i], base.what[i]) != 0)
            fail_msg("%s: row %d is %s '%s' of the list, %s '%s' of the run", kind->name, i, a->id,
                     list.what[i], b->id, base.what[i]);
        if (strcmp(a->unit, b->unit) != 0 || a->is_least != b->is_least ||
            a->is_ratio != b->is_ratio ||
            !(a->floor == b->floor || (isnan(a->floor) && isnan(b->floor))) ||
            !(a->goal == b->goal || isnan(a->goal)))
            fail_msg("%s: '%s' is listed as another row", kind->name, list.what[i]);
    }
    assert_int_equal(list.count, base.count);
}

/* Every third operation: all of them have rows of one kind. */
static const char *some_operations(void) {
    static char names[4096];
    size_t length = 0;
    for (int i = 0; i < tern_op_count(); i += 3)
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
                                   length > 0 ? "," : "", tern_op_at(i)->name);
    assert_true(length < sizeof names);
    return names;
}

/* Of one table, or of those of its rows that `only` names: at least so many depend on the clock,
 * wherever this runs. */
static void check_table(const char *name, const char *only, int least) {
    const tern_bench_table *kind = tern_bench_table_find(name);
    assert_non_null(kind);
    run_at(kind, only, FIRST_NS, &base);
    check_list(kind, only);
    run_at(kind, only, 2 * FIRST_NS, &doubled);
    int timed = compare_runs(name);
    if (timed < least)
        fail_msg("%s: %d timed rows, at least %d were expected", name, timed, least);
}

static void test_no_row_is_constant(void **state) {
    (void)state;
    if (TEST_IS_SANITIZED)
        test_skip("figures of tables that other tests run: not under sanitizers");
    const tern__packed_kernel *best = TERN__PICK(tern__trits4_family, tern__cpu()->features);
    const bool is_fast = best->variant.needs != 0;
    const bool vectors = (tern__cpu()->features & (TERN__CPU_AVX2 | TERN__CPU_NEON)) != 0;
    const struct {
        const char *name;
        int least;
        const char *only; /* NULL: all */
    } tables[] = {{"memory", 12, NULL},
                  {"elementwise", vectors ? 25 : 0, NULL},
                  {"matmul", 1, NULL},
                  {"zero-copy", 0, NULL},
                  {"operations", 150, some_operations()},
                  {"roofline", 3, NULL},
                  {"kernels", is_fast ? 20 : 6, NULL},
                  {"models", 0, NULL},   /* of the tiny shape: told, not judged */
                  {"devices", 0, NULL}}; /* where there is none: the reason */
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        check_table(tables[i].name, tables[i].only, tables[i].least);
    assert_int_equal(tern_bench_table_count(), sizeof tables / sizeof *tables);
}

static uint64_t processor_time(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static double median_at(double factor) {
    tern__os_table os = slowed_os(processor_time, 0, factor);
    tern_bench_table_options options = {
        .threads = 1, .samples = 5, .is_quick = true, .only = "T1a"};
    memset(&base, 0, sizeof base);
    tern__os_set(&os);
    tern_status status = tern_bench_matmul(&options, collect, &base);
    tern__os_set(NULL);
    test_ok(status);
    return row_of(&base, "F32 matmul 512 against plain loops")->median;
}

/* Time that passes is seen, too: of the processor's, which other programs take nothing from. */
static void test_time_that_passes(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("one thread: not under the thread sanitizer");
    double fast = median_at(1), slow = median_at(4);
    if (!(fast / slow > 2 && fast / slow < 8))
        fail_msg("%g, and %g with a side that takes four times as long", fast, slow);
}

int main(void) {
    setenv("TERN_PLUGIN_PATH", "/nowhere", 1); /* no accelerator */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_no_row_is_constant, restore_os),
        cmocka_unit_test_teardown(test_time_that_passes, restore_os),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
