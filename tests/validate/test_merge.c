/* SPDX-License-Identifier: MIT
 * Passes as one row, and reports as one report. */
#include "validate/row_fixture.h"

#include "validate/merge.h"

enum { MAX_PARTS = 4 };

static tern_report_row merge(const tern_bench_row *rows, int count) {
    tern_report_row parts[MAX_PARTS], merged;
    const tern_report_row *pointers[MAX_PARTS];
    for (int i = 0; i < count; i++) {
        parts[i] = (tern_report_row){.row = rows[i], .passes = isnan(rows[i].median) ? 0 : 1};
        pointers[i] = &parts[i];
    }
    tern__rows_merge(pointers, count, &merged);
    return merged;
}

static void medians(void **state) {
    (void)state;
    tern_bench_row rows[3] = {timed_row("a", 12, 11, 13), timed_row("a", 10, 9, 10.5),
                              timed_row("a", 11, 10, 12)};
    rows[0].load = 0.03125;
    rows[1].load = 0.0625;
    rows[2].operations = 5;
    tern_report_row m = merge(rows, 3);
    assert_true(m.row.median == 11 && m.row.samples == 63 && m.passes == 3);
    /* All intervals, and the medians with a quarter of their range on each side. */
    assert_true(m.row.low == 9 && m.row.high == 13);
    rows[0].high = 12;
    rows[1].low = 10;
    m = merge(rows, 3);
    assert_true(m.row.low == 9.5 && m.row.high == 12.5);
    assert_true(m.row.p5 == 8 && m.row.p95 == 14 && m.row.p99 == 15);
    assert_true(m.row.load == 0.046875 && m.row.operations == 5 && isnan(m.row.bytes));
    assert_int_equal(m.row.verdict, TERN_BENCH_PASS);
    assert_true(m.row.is_goal_met && isnan(m.baseline) && m.grade == TERN_GRADE_NONE);
    /* Of an even number: the mean of the middle ones. */
    m = merge(rows, 2);
    assert_true(m.row.median == 11 && m.passes == 2);
    m = merge(rows, 1);
    assert_true(m.row.median == 12 && m.row.low == 11 && m.row.samples == 21);
    assert_true(fabs(m.row.high - 12.12) < 1e-12); /* a hundredth at least */
    /* Samples without an interval are no count: nothing of them is the worst. */
    for (int i = 0; i < 3; i++) {
        rows[i] = timed_row("a", 10 + i * i, NAN, NAN);
        rows[i].p5 = 9;
        rows[i].p95 = 20;
    }
    m = merge(rows, 3);
    assert_true(m.row.median == 11 && m.row.samples == 63);
    /* What cannot be negative has no interval that is. */
    rows[0] = timed_row("a", 9, 9, 9);
    rows[1] = timed_row("a", 1, 1, 1);
    assert_true(merge(rows, 2).row.low == 0);
}

/* It is judged by what all passes found together. */
static void judging(void **state) {
    (void)state;
    tern_bench_row rows[3] = {timed_row("a", 120, 119, 121), timed_row("a", 90, 89, 91),
                              timed_row("a", 99, 98, 101)};
    assert_int_equal(merge(rows, 1).row.verdict, TERN_BENCH_FAIL);
    assert_int_equal(merge(rows, 3).row.verdict, TERN_BENCH_PASS);
    rows[1].median = 130;
    assert_int_equal(merge(rows, 3).row.verdict, TERN_BENCH_FAIL);
    for (int i = 0; i < 3; i++)
        rows[i].floor = NAN;
    tern_report_row m = merge(rows, 3);
    assert_true(m.row.verdict == TERN_BENCH_NO_TARGET && !m.row.is_goal_met);
}

static void quiet_passes(void **state) {
    (void)state;
    tern_bench_row rows[3] = {timed_row("a", 50, 49, 51), timed_row("a", 90, 60, 140),
                              timed_row("a", 120, 70, 150)};
    rows[1].is_noisy = rows[2].is_noisy = true;
    tern_report_row m = merge(rows, 3);
    assert_true(m.row.median == 50 && m.row.high == 51 && m.row.samples == 21 && !m.row.is_noisy);
    assert_int_equal(m.passes, 3);
    assert_non_null(strstr(m.row.detail, "2 of 3 passes were noisy and do not count"));
    /* None was quiet: all count. The floor of 100 lies in the interval, and later beyond it. */
    rows[0].is_noisy = true;
    m = merge(rows, 3);
    assert_true(m.row.median == 90 && m.row.low == 30 + 2.5 && m.row.high == 150);
    assert_true(m.row.is_noisy && m.row.verdict == TERN_BENCH_NOT_MEASURED);
    rows[1].high = rows[2].high = 99;
    rows[2].median = rows[1].median = 60;
    m = merge(rows, 3);
    assert_true(m.row.is_noisy && m.row.verdict == TERN_BENCH_PASS);
}

/* A floor that is missed in noise is no failure, whatever the interval: also when the row is merged
 * anew, and whether or not the newest pass said so by itself. */
static void noisy_failures(void **state) {
    (void)state;
    tern_bench_row rows[2] = {timed_row("a", 150, 140, 160), timed_row("a", 160, 150, 170)};
    for (int i = 0; i < 2; i++) {
        rows[i].is_noisy = true;
        snprintf(rows[i].detail, sizeof rows[i].detail, "of 64 tensors");
        tern__row_judge(&rows[i]);
    }
    tern_report_row m = merge(rows, 2);
    assert_true(m.row.verdict == TERN_BENCH_NOT_MEASURED && !m.row.is_goal_met);
    assert_true(m.row.median == 155 && m.row.is_noisy);
    assert_non_null(strstr(m.row.detail, "busy"));
    assert_non_null(strstr(m.row.detail, "; of 64 tensors"));
    tern_report_row again = merge(&m.row, 1);
    assert_int_equal(again.row.verdict, TERN_BENCH_NOT_MEASURED);
    assert_string_equal(again.row.detail, m.row.detail);
    /* Other programs were at work, and the harness has said so of the passes. */
    for (int i = 0; i < 2; i++) {
        rows[i].load = 1;
        tern__row_judge(&rows[i]);
        assert_non_null(strstr(rows[i].detail, "no verdict"));
    }
    m = merge(rows, 2);
    assert_int_equal(m.row.verdict, TERN_BENCH_NOT_MEASURED);
    assert_non_null(strstr(m.row.detail, "155 ns is no verdict; of 64 tensors"));
    assert_null(strstr(m.row.detail, "160 ns"));
    /* Together the passes meet the floor: what was said of one of them is gone. */
    for (int i = 0; i < 2; i++) {
        rows[i].median = 30;
        rows[i].low = 20;
        rows[i].high = 40;
    }
    m = merge(rows, 2);
    assert_int_equal(m.row.verdict, TERN_BENCH_PASS);
    assert_string_equal(m.row.detail, "of 64 tensors");
}

static void counts(void **state) {
    (void)state;
    tern_bench_row rows[3] = {counted_row("a", 0), counted_row("a", 0), counted_row("a", 0)};
    tern_report_row m = merge(rows, 3);
    assert_true(m.row.median == 0 && m.row.samples == 1 && m.passes == 3 && isnan(m.row.low));
    assert_true(m.row.verdict == TERN_BENCH_PASS && m.row.detail[0] == '\0');
    rows[1] = counted_row("a", 2);
    m = merge(rows, 3);
    assert_true(m.row.median == 2 && m.row.verdict == TERN_BENCH_FAIL);
    assert_non_null(strstr(m.row.detail, "the passes differ: 0 to 2"));
    for (int i = 0; i < 3; i++)
        rows[i].is_least = true;
    assert_true(merge(rows, 3).row.median == 0);
}

static void missing_passes(void **state) {
    (void)state;
    tern_bench_row none = tern__row("T3", "a", "ns");
    snprintf(none.detail, sizeof none.detail, "there was no memory");
    tern_bench_row rows[3] = {none, timed_row("a", 10, 9, 11), none};
    tern_report_row m = merge(rows, 3);
    assert_true(m.row.median == 10 && m.passes == 1 && m.row.verdict == TERN_BENCH_PASS);
    rows[1] = none;
    m = merge(rows, 3);
    assert_true(isnan(m.row.median) && m.passes == 0);
    assert_int_equal(m.row.verdict, TERN_BENCH_NOT_MEASURED);
    assert_string_equal(m.row.detail, "there was no memory");
}

static void peers_and_series(void **state) {
    (void)state;
    const double x[] = {1, 2}, y[] = {3, 4};
    tern_bench_row rows[3] = {timed_row("a", 10, 9, 11), timed_row("a", 11, 10, 12),
                              timed_row("a", 12, 11, 13)};
    for (int i = 0; i < 3; i++) {
        tern__row_peer(&rows[i], "glibc", 40 + 10 * i, 90);
        rows[i].goal = 40 + 10 * i;
        rows[i].series_count = 1;
        rows[i].series[0] = (tern_bench_series){.name = i == 1 ? "quiet" : "noisy",
                                                .x_unit = "",
                                                .y_unit = "",
                                                .x = x,
                                                .y = y,
                                                .count = 2};
        rows[i].is_noisy = i == 2;
    }
    tern__row_peer_missing(&rows[0], "jemalloc", "it is not installed");
    tern__row_peer(&rows[1], "jemalloc", 20, NAN);
    tern_report_row m = merge(rows, 3);
    assert_int_equal(m.row.peer_count, 2);
    /* Of the quiet passes the best one of the peer, which is the goal. */
    assert_true(m.row.peer[0].median == 40 && m.row.peer[0].p99 == 90);
    assert_true(m.row.goal == 40);
    assert_string_equal(m.row.peer[1].name, "jemalloc");
    assert_true(m.row.peer[1].median == 20 && m.row.peer[1].reason == NULL);
    assert_string_equal(m.row.series[0].name, "quiet");
    for (int i = 0; i < 3; i++)
        rows[i].is_least = true;
    m = merge(rows, 3);
    assert_true(m.row.peer[0].median == 50 && m.row.goal == 50);
    m = merge(rows, 1);
    assert_string_equal(m.row.peer[1].reason, "it is not installed");
}

/* -- reports -----------------------------------------------------------------------------------*/

static void reports(void **state) {
    (void)state;
    tern_report *parts[2], *merged;
    for (int i = 0; i < 2; i++) {
        parts[i] = new_report("abc");
        test_ok(tern__report_add_fact(parts[i], "run", "passes", "%d", i + 1));
        test_ok(tern__report_add_fact(parts[i], "run", "seconds", "%d.5", i + 1));
        tern_bench_row kernel = tern__row("KERN", "k", "GB/s"),
                       both = timed_row("both", 10 + i, 9, 12);
        tern_bench_row own = counted_row(i == 0 ? "first" : "second", 0);
        add_row(parts[i], &kernel);
        add_row(parts[i], &own);
        add_row(parts[i], &both)->passes = i + 1;
    }
    test_ok(tern_report_merge((const tern_report *const *)parts, 2, &merged));
    assert_int_equal(tern_report_row_count(merged), 4);
    const tern_report_row *both = tern_report_row_at(merged, 0);
    assert_string_equal(both->row.what, "both"); /* T3, T5d, T5d, KERN */
    assert_true(both->row.median == 10.5 && both->passes == 3);
    assert_string_equal(tern_report_row_at(merged, 1)->row.what, "first");
    assert_string_equal(tern_report_row_at(merged, 2)->row.what, "second");
    assert_string_equal(tern_report_row_at(merged, 3)->row.id, "KERN");
    assert_string_equal(tern_report_fact_value(merged, "passes"), "3");
    assert_string_equal(tern_report_fact_value(merged, "seconds"), "4.0");
    assert_string_equal(tern_report_fact_value(merged, "processor"), "Testium 9");
    assert_int_equal(tern_report_item_count(merged), 6);
    tern_report_destroy(merged);

    /* Of one report all is kept, the comparison too. */
    test_ok(tern_report_compare(parts[0], parts[0]));
    test_ok(tern_report_merge((const tern_report *const *)parts, 1, &merged));
    assert_int_equal(tern_report_row_count(merged), 3);
    assert_int_equal(tern_report_grades(merged, TERN_GRADE_SAME), 2);
    assert_true(find_row(merged, "T3", "both")->baseline == 10);
    tern_report_destroy(merged);
    /* Of more it says nothing about the figures that they are now. */
    test_ok(tern_report_compare(parts[1], parts[0]));
    test_ok(tern_report_merge((const tern_report *const *)parts, 2, &merged));
    both = find_row(merged, "T3", "both");
    assert_true(both->grade == TERN_GRADE_NONE && isnan(both->baseline) && isnan(both->change));
    tern_report_destroy(merged);
    tern_report_destroy(parts[0]);
    tern_report_destroy(parts[1]);
}

static void wrong_reports(void **state) {
    (void)state;
    tern_report *here = new_report("abc"), *there = new_report("def"), *merged = here;
    const tern_report *pair[2] = {here, there};
    test_status(tern_report_merge(pair, 2, &merged), TERN_E_ARGUMENT);
    assert_null(merged);
    assert_non_null(strstr(tern_last_error(), "another machine"));
    pair[1] = NULL;
    test_status(tern_report_merge(pair, 2, &merged), TERN_E_ARGUMENT);
    test_status(tern_report_merge(pair, 0, &merged), TERN_E_ARGUMENT);
    test_status(tern_report_merge(pair, TERN__MAX_PASSES + 1, &merged), TERN_E_ARGUMENT);
    test_status(tern_report_merge(NULL, 1, &merged), TERN_E_ARGUMENT);
    test_status(tern_report_merge(pair, 1, NULL), TERN_E_ARGUMENT);
    tern_report_destroy(here);
    tern_report_destroy(there);
}

/* -- the checklist -----------------------------------------------------------------------------*/

static const tern_report_item *item_of(const tern_report *report, const char *word) {
    for (int i = 0; i < tern_report_item_count(report); i++)
        if (strstr(tern_report_item_at(report, i)->text, word) != NULL)
            return tern_report_item_at(report, i);
    fail_msg("no item '%s'", word);
    return NULL;
}

static tern_bench_row ratio_row(const char *id, const char *what, double median, double floor) {
    tern_bench_row row = tern__row(id, what, "x");
    row.samples = 21;
    row.median = row.low = row.high = median;
    row.floor = floor;
    row.is_least = true;
    tern__row_judge(&row);
    return row;
}

static void checklist(void **state) {
    (void)state;
    tern_report *report = new_report("abc");
    tern_bench_row rows[] = {
        ratio_row("T1a", "a", 30, 15), ratio_row("T1a", "no floor", 99, NAN),
        ratio_row("T2", "a", 9, 5),    ratio_row("T2", "b", 4, 5),
        timed_row("a", 13, 12, 14),    ratio_row("T4", "a", 97, 80),
        ratio_row("T5a", "a", 1, 0.5), counted_row("a", 0),
        tern__row("T1c", "a", "x"),    ratio_row("K7", "a", 0, 0),
        ratio_row("T4", "b", 9, 5),
    };
    rows[10].unit = "times"; /* in another unit than the one before */
    snprintf(rows[8].detail, sizeof rows[8].detail, "no accelerator");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        add_row(report, &rows[i]);
    test_ok(tern__report_add_checklist(report));
    assert_int_equal(tern_report_item_count(report), 6);
    const tern_report_item *item = item_of(report, "Apple");
    assert_int_equal(item->verdict, TERN_BENCH_NOT_MEASURED);
    assert_string_equal(item->found,
                        "T1c: not measured (no accelerator); T1a: 1 of 1 rows pass, 30 x");
    item = item_of(report, "SIMD");
    assert_int_equal(item->verdict, TERN_BENCH_FAIL);
    assert_string_equal(item->found, "T2: 1 of 2 rows pass, 4 to 9 x");
    item = item_of(report, "100 ns");
    assert_int_equal(item->verdict, TERN_BENCH_PASS);
    assert_string_equal(item->found, "T3: 1 of 1 rows pass, 13 ns");
    item = item_of(report, "80 %");
    assert_int_equal(item->verdict, TERN_BENCH_PASS);
    assert_string_equal(item->found, "T4: 2 of 2 rows pass, 97 x");
    item = item_of(report, "Memory"); /* of five targets two */
    assert_int_equal(item->verdict, TERN_BENCH_NOT_MEASURED);
    assert_non_null(strstr(item->found, "T5b: not a part of this run"));
    assert_non_null(strstr(item->found, "T5d: 1 of 1 rows pass, 0"));
    /* One machine can only disprove it. */
    assert_int_equal(item_of(report, "Cross")->verdict, TERN_BENCH_NOT_MEASURED);
    tern_report_destroy(report);

    report = new_report("abc");
    rows[0] = ratio_row("M6", "a", 0, 1);
    add_row(report, &rows[0]);
    rows[0] = tern__row("T4", "the table ended", ""); /* a failure that has no floor */
    rows[0].verdict = TERN_BENCH_FAIL;
    add_row(report, &rows[0]);
    test_ok(tern__report_add_checklist(report));
    assert_int_equal(item_of(report, "Cross")->verdict, TERN_BENCH_FAIL);
    assert_int_equal(item_of(report, "SIMD")->verdict, TERN_BENCH_NOT_MEASURED);
    assert_string_equal(item_of(report, "80 %")->found, "T4: 0 of 1 rows pass");
    tern_report_destroy(report);
}

/* A line about one device: the rows of another neither pass nor fail it. */
static void checklist_of_devices(void **state) {
    (void)state;
    static const struct {
        const char *what;
        double x;
        tern_bench_verdict verdict;
    } cases[] = {{"F32 matmul 1024 on mlx against plain loops", 20, TERN_BENCH_PASS},
                 {"F32 matmul 1024 on mlx against plain loops", 10, TERN_BENCH_FAIL},
                 {"F32 matmul 1024 on cuda against plain loops", 20, TERN_BENCH_NOT_MEASURED},
                 {"F32 matmul 1024 on cuda against plain loops", 10, TERN_BENCH_NOT_MEASURED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_report *report = new_report("abc");
        tern_bench_row row = ratio_row("T1c", cases[i].what, cases[i].x, 15);
        add_row(report, &row);
        test_ok(tern__report_add_checklist(report));
        const tern_report_item *item = item_of(report, "Apple");
        assert_int_equal(item->verdict, cases[i].verdict);
        bool is_told = strstr(item->found, "another device") != NULL;
        assert_int_equal(is_told, cases[i].verdict == TERN_BENCH_NOT_MEASURED);
        tern_report_destroy(report);
    }
}

/* All targets of a line have passed: that counts, unless the run was ended before the rest. */
static void checklist_of_all(void **state) {
    (void)state;
    static const char *const ids[] = {"T5a", "T5b", "T5c", "T5d", "T5e"};
    for (int is_ended = 0; is_ended < 2; is_ended++) {
        tern_report *report = new_report("abc");
        for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
            tern_bench_row row = ratio_row(ids[i], "a", 2, 1);
            add_row(report, &row);
        }
        if (is_ended)
            test_ok(tern__report_add_fact(report, "run", "ended", "before its end"));
        test_ok(tern__report_add_checklist(report));
        assert_int_equal(item_of(report, "Memory")->verdict,
                         is_ended ? TERN_BENCH_NOT_MEASURED : TERN_BENCH_PASS);
        tern_report_destroy(report);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians),
        cmocka_unit_test(judging),
        cmocka_unit_test(quiet_passes),
        cmocka_unit_test(noisy_failures),
        cmocka_unit_test(counts),
        cmocka_unit_test(missing_passes),
        cmocka_unit_test(peers_and_series),
        cmocka_unit_test(reports),
        cmocka_unit_test(wrong_reports),
        cmocka_unit_test(checklist),
        cmocka_unit_test(checklist_of_devices),
        cmocka_unit_test(checklist_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
