/* SPDX-License-Identifier: MIT
 * How reports are compared: bounds of the grades, intervals, figures that are no positive numbers,
 * other machines, and what simulated runs are graded. */
#include "validate/row_fixture.h"

#include "bench/statistics.h"
#include "validate/merge.h"

/* Grades a figure against one before, both with intervals of +-`width` of themselves. */
static tern_report_row compare(double before, double now, double width, bool is_least) {
    tern_bench_row rows[2] = {
        timed_row("a", before, before * (1 - width), before * (1 + width)),
        timed_row("a", now, now * (1 - width), now * (1 + width)),
    };
    tern_report_row both[2] = {{.row = rows[0]}, {.row = rows[1]}};
    both[0].row.is_least = both[1].row.is_least = is_least;
    tern__row_compare(&both[1], &both[0]);
    return both[1];
}

static void bounds(void **state) {
    (void)state;
    static const struct {
        double percent; /* of the cost */
        tern_grade grade;
    } cases[] = {
        {0, TERN_GRADE_SAME},        {4.99, TERN_GRADE_SAME},    {5, TERN_GRADE_MINOR},
        {14.99, TERN_GRADE_MINOR},   {15, TERN_GRADE_MODERATE},  {20, TERN_GRADE_MODERATE},
        {29.9, TERN_GRADE_MODERATE}, {30, TERN_GRADE_MAJOR},     {49.9, TERN_GRADE_MAJOR},
        {50, TERN_GRADE_CRITICAL},   {900, TERN_GRADE_CRITICAL}, {-4.99, TERN_GRADE_SAME},
        {-5, TERN_GRADE_BETTER},     {-60, TERN_GRADE_BETTER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int is_least = 0; is_least < 2; is_least++) {
            double factor = 1 + cases[i].percent / 100;
            double before = 7.3, now = is_least ? before / factor : before * factor;
            tern_report_row row = compare(before, now, 1e-6, is_least);
            if (row.grade != cases[i].grade)
                fail_msg("%g %% is graded %s, not %s", cases[i].percent, tern_grade_name(row.grade),
                         tern_grade_name(cases[i].grade));
            assert_true(fabs(row.change - cases[i].percent) < 1e-9 * (1 + fabs(row.change)));
            assert_true(row.baseline == before);
        }
}

/* However far the medians are apart, intervals that meet say that nothing is known. */
static void intervals(void **state) {
    (void)state;
    tern_bench_row before = timed_row("a", 10, 9, 11), now = timed_row("a", 20, 11, 30);
    tern_report_row old = {.row = before}, row = {.row = now};
    tern__row_compare(&row, &old);
    assert_int_equal(row.grade, TERN_GRADE_SAME);
    assert_true(row.change == 100 && row.baseline_low == 9 && row.baseline_high == 11);
    row.row.low = nextafter(11, 12);
    tern__row_compare(&row, &old);
    assert_int_equal(row.grade, TERN_GRADE_CRITICAL);
    /* The other way round: faster. */
    tern__row_compare(&old, &row);
    assert_int_equal(old.grade, TERN_GRADE_BETTER);
    old.row.high = row.row.low;
    tern__row_compare(&old, &row);
    assert_int_equal(old.grade, TERN_GRADE_SAME);
}

static tern_report_row compare_counts(double before, double now, bool is_least) {
    tern_report_row old = {.row = counted_row("a", before)}, row = {.row = counted_row("a", now)};
    old.row.is_least = row.row.is_least = is_least;
    tern__row_compare(&row, &old);
    return row;
}

/* Counts have no interval: each difference is one. What is no quotient is no NaN in a file. */
static void counts(void **state) {
    (void)state;
    tern_report_row row = compare_counts(0, 0, false);
    assert_true(row.grade == TERN_GRADE_SAME && row.change == 0);
    row = compare_counts(0, 3, false);
    assert_true(row.grade == TERN_GRADE_CRITICAL && isinf(row.change) && row.change > 0);
    row = compare_counts(3, 0, false);
    assert_true(row.grade == TERN_GRADE_BETTER && row.change == -100);
    row = compare_counts(100, 0, true);
    assert_true(row.grade == TERN_GRADE_CRITICAL && row.change == 100);
    row = compare_counts(0, 100, true);
    assert_true(row.grade == TERN_GRADE_BETTER && isinf(row.change) && row.change < 0);
    row = compare_counts(-2, -1, false);
    assert_true(row.grade == TERN_GRADE_CRITICAL && row.change == 50);
    row = compare_counts(208, 213, false);
    assert_int_equal(row.grade, TERN_GRADE_SAME);
    row = compare_counts(208, 225, false);
    assert_int_equal(row.grade, TERN_GRADE_MINOR);
}

static void without_figures(void **state) {
    (void)state;
    tern_report_row none = {.row = tern__row("T3", "a", "ns")};
    tern_report_row row = {.row = timed_row("a", 10, 9, 11)};
    tern__row_compare(&row, &none);
    assert_true(row.grade == TERN_GRADE_NONE && isnan(row.baseline) && isnan(row.change));
    tern__row_compare(&row, NULL);
    assert_true(row.grade == TERN_GRADE_NONE && isnan(row.baseline));
    tern__row_compare(&none, &row);
    assert_true(none.grade == TERN_GRADE_NONE && none.baseline == 10 && isnan(none.change));
    /* A row that has come to mean something else. */
    tern_report_row other = row;
    other.row.unit = "us";
    tern__row_compare(&row, &other);
    assert_int_equal(row.grade, TERN_GRADE_NONE);
    other = row;
    other.row.is_least = true;
    tern__row_compare(&row, &other);
    assert_int_equal(row.grade, TERN_GRADE_NONE);
}

static void names(void **state) {
    (void)state;
    static const char *const expected[] = {"",         "same",  "better",  "minor",
                                           "moderate", "major", "critical"};
    for (int grade = TERN_GRADE_NONE; grade <= TERN_GRADE_CRITICAL; grade++)
        assert_string_equal(tern_grade_name((tern_grade)grade), expected[grade]);
}

static void reports(void **state) {
    (void)state;
    tern_report *report = new_report("abc"), *baseline = new_report("abc");
    tern_bench_row fast = timed_row("a", 10, 9.9, 10.1), slow = timed_row("a", 14, 13.9, 14.1);
    tern_bench_row only_now = timed_row("b", 1, 1, 1);
    add_row(report, &slow);
    add_row(report, &only_now);
    add_row(baseline, &fast);
    test_ok(tern_report_compare(report, baseline));
    assert_int_equal(report->rows[0].grade, TERN_GRADE_MAJOR);
    assert_int_equal(report->rows[1].grade, TERN_GRADE_NONE);
    assert_int_equal(tern_report_grades(report, TERN_GRADE_MAJOR), 1);
    test_ok(tern_report_compare(report, report)); /* replaces the grades */
    assert_int_equal(tern_report_grades(report, TERN_GRADE_SAME), 2);
    test_status(tern_report_compare(NULL, baseline), TERN_E_ARGUMENT);
    test_status(tern_report_compare(report, NULL), TERN_E_ARGUMENT);
    tern_report_destroy(report);
    tern_report_destroy(baseline);
}

static void expect_refusal(const tern_report *report, const tern_report *other, const char *words) {
    test_status(tern__report_check_same(report, other, "it"), TERN_E_ARGUMENT);
    if (strstr(tern_last_error(), words) == NULL)
        fail_msg("'%s' does not say '%s'", tern_last_error(), words);
}

/* Figures of another machine, or of other settings, are no baseline. */
static void other_machines(void **state) {
    (void)state;
    tern_report *here = new_report("abc"), *there = new_report("def"), *level = new_report("abc");
    expect_refusal(here, there, "def (Testium 9), not abc (Testium 9)");
    test_ok(tern__report_add_fact(level, "run", "level", "avx2"));
    expect_refusal(here, level, "with level avx2, not unknown");
    test_ok(tern__report_add_fact(here, "run", "level", "avx2"));
    test_ok(tern__report_check_same(here, level, "it"));
    test_ok(tern__report_add_fact(level, "run", "model", "large.gguf"));
    expect_refusal(here, level, "with model large.gguf, not unknown");
    test_ok(tern__report_add_fact(here, "run", "model", "small.gguf"));
    expect_refusal(here, level, "with model large.gguf, not small.gguf");
    tern_report_destroy(here);
    tern_report_destroy(there);
    tern_report_destroy(level);
}

/* -- simulated runs ----------------------------------------------------------------------------*/

enum { RUNS = 200, PASSES = 3, SAMPLES = 21 };

/* One pass: samples with 2 % of normal noise, and passes that differ by 1 %. */
static tern_bench_row simulated_pass(double cost, uint64_t seed) {
    static double scratch[SAMPLES + 2 * TERN__BOOTSTRAP_ROUNDS];
    test_random random = {seed, 0};
    float noise[SAMPLES + 1];
    double samples[SAMPLES];
    tern__interval interval;
    test_random_normal(&random, noise, SAMPLES + 1);
    for (int i = 0; i < SAMPLES; i++)
        samples[i] = cost * (1 + 0.02 * (double)noise[i]) * (1 + 0.01 * (double)noise[SAMPLES]);
    tern__bootstrap(&(tern__rounds){(const double *const[]){samples}, 1, SAMPLES}, 1, scratch,
                    &interval, NULL);
    tern_bench_row row = tern__row("T3", "a", "ns");
    tern__row_samples(&row, samples, SAMPLES);
    row.low = interval.low;
    row.high = interval.high;
    return row;
}

static tern_report_row simulated_run(double cost, uint64_t seed) {
    tern_report_row passes[PASSES], merged;
    const tern_report_row *rows[PASSES];
    for (int i = 0; i < PASSES; i++) {
        passes[i] = (tern_report_row){.row = simulated_pass(cost, PASSES * seed + (uint64_t)i),
                                      .passes = 1};
        rows[i] = &passes[i];
    }
    tern__rows_merge(rows, PASSES, &merged);
    return merged;
}

/* A slowdown of 20 % is moderate in each run; no change is never worse than minor; and two runs of
 * the same agree in 19 of 20. */
static void simulated(void **state) {
    (void)state;
    int differing = 0;
    for (uint64_t run = 0; run < RUNS; run++) {
        tern_report_row before = simulated_run(50, 3 * run), same = simulated_run(50, 3 * run + 1);
        tern_report_row slow = simulated_run(60, 3 * run + 2);
        tern__row_compare(&slow, &before);
        if (slow.grade != TERN_GRADE_MODERATE)
            fail_msg("run %d: %+.1f %% is %s: %g .. %g before, %g .. %g now", (int)run, slow.change,
                     tern_grade_name(slow.grade), before.row.low, before.row.high, slow.row.low,
                     slow.row.high);
        tern__row_compare(&same, &before);
        assert_true(same.grade <= TERN_GRADE_MINOR);
        differing += same.row.low > before.row.high || before.row.low > same.row.high;
    }
    assert_true(differing <= RUNS / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds),          cmocka_unit_test(intervals), cmocka_unit_test(counts),
        cmocka_unit_test(without_figures), cmocka_unit_test(names),     cmocka_unit_test(reports),
        cmocka_unit_test(other_machines),  cmocka_unit_test(simulated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
