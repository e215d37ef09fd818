/* SPDX-License-Identifier: MIT
 * Reports for tests, and what their writers write, in memory. */
#ifndef TERN_TEST_REPORT_FIXTURE_H
#define TERN_TEST_REPORT_FIXTURE_H

#include <math.h>

#include <tern/validate.h>

#include "memory_file.h"
#include "validate/report.h"

/* What every writer must escape: it closes all there is to close. */
#define HOSTILE "a|b`<script>alert(1)</script>\"'>&amp;\\ *x* _y_ [z](w)\n\x01\xff"

typedef tern_status (*report_writer)(const tern_report *, const char *);

/* A row without figures; of the unit "x". */
static inline tern_bench_row report_row(const char *id, const char *what) {
    tern_bench_row row = {.id = id,
                          .what = what,
                          .unit = "x",
                          .verdict = TERN_BENCH_NOT_MEASURED,
                          .median = NAN,
                          .p5 = NAN,
                          .p95 = NAN,
                          .p99 = NAN,
                          .low = NAN,
                          .high = NAN,
                          .floor = NAN,
                          .goal = NAN,
                          .goal_p99 = NAN,
                          .load = NAN,
                          .operations = NAN,
                          .bytes = NAN};
    return row;
}

/* With an interval around the median; it passes its floor, if there is one. */
static inline tern_bench_row report_measured(const char *id, const char *what, double median) {
    tern_bench_row row = report_row(id, what);
    row.samples = 21;
    row.median = median;
    row.low = 0.98 * median;
    row.high = 1.02 * median;
    row.p5 = 0.9 * median;
    row.p95 = 1.1 * median;
    row.is_least = true;
    row.verdict = TERN_BENCH_NO_TARGET;
    return row;
}

static inline void report_add(tern_report *report, const tern_bench_row *row) {
    test_ok(tern__report_add_row(report, row, NULL));
}

/* A few rows with everything that a row can have, and hostile words. */
static inline tern_report *report_small(void) {
    static const double x[] = {1, 2, 4, 8}, y[] = {0.5, NAN, 20, 3};
    static const char *const labels[] = {"add", HOSTILE, "", "sum"};
    tern_report *report;
    tern_report_row *added;
    test_ok(tern__report_create(&report));
    test_ok(tern__report_add_fact(report, "machine", "processor", "%s", HOSTILE));
    test_ok(tern__report_add_fact(report, "run", "threads", "2"));
    tern_bench_row row = report_measured("T3", "created and released", 41.5);
    row.unit = "ns";
    row.is_least = false;
    row.floor = 100;
    row.goal = 20;
    row.goal_p99 = 100;
    row.p99 = 88;
    row.verdict = TERN_BENCH_PASS;
    row.is_noisy = true;
    row.load = 0.25;
    row.peer_count = 2;
    row.peer[0] = (tern_bench_peer){"glibc", 335.03125, 922.5, NULL};
    row.peer[1] = (tern_bench_peer){HOSTILE, NAN, NAN, HOSTILE};
    row.series_count = 2;
    row.series[0] = (tern_bench_series){"tern", "ns", "% of batches", 4, x, y, NULL};
    row.series[1] = (tern_bench_series){HOSTILE, HOSTILE, HOSTILE, 4, x, y, labels};
    snprintf(row.detail, sizeof row.detail, "%s", HOSTILE);
    test_ok(tern__report_add_row(report, &row, &added));
    added->passes = 3;
    added->baseline = 40;
    added->baseline_low = 39;
    added->baseline_high = 40.5;
    added->change = 3.75;
    added->grade = TERN_GRADE_SAME;
    row = report_row("K1", HOSTILE);
    row.unit = HOSTILE;
    row.is_ratio = true;
    row.floor = 75;
    report_add(report, &row);
    row = report_measured("KERN", "trits4 avx2, N = 4, hot, 1 thread", 12.5);
    row.unit = "GB/s";
    row.operations = 4e11;
    row.bytes = 1.25e10;
    report_add(report, &row);
    row = report_measured("ROOF", "F32 FMA, 256 bits, 1 thread", 500);
    row.unit = "GFLOP/s";
    report_add(report, &row);
    row = report_measured("T2", "add, 2 Ki, avx2", 9);
    row.floor = 10;
    row.verdict = TERN_BENCH_FAIL;
    report_add(report, &row);
    test_ok(tern__report_add_item(report, HOSTILE, HOSTILE, TERN_BENCH_FAIL));
    return report;
}

static inline tern_report *report_sample(void) {
    char path[512];
    tern_report *report;
    test_path("tests/data/validate/sample.json", path, sizeof path);
    test_ok(tern_report_read(path, &report));
    return report;
}

/* What the writer writes, with a NUL behind it; free it. */
static inline char *report_text(report_writer write, const tern_report *report, size_t *bytes) {
    memory_file_install();
    memory_file_serve(NULL, 0);
    test_ok(write(report, "any"));
    *bytes = memory_file.published_size;
    char *text = malloc(*bytes + 1);
    assert_non_null(text);
    memcpy(text, memory_file.published, *bytes);
    text[*bytes] = '\0';
    memory_file_check_empty();
    memory_file_remove();
    return text;
}

/* Every call of the writer to the system fails in turn: a typed error and no file. */
static inline void report_failures(report_writer write, const tern_report *report) {
    memory_file_install();
    memory_file_serve(NULL, 0);
    test_ok(write(report, "any"));
    int64_t calls = memory_file.calls;
    assert_true(calls > 5);
    for (int64_t i = 0; i < calls; i++) {
        memory_file_serve(NULL, 0);
        memory_file.fail_at = i;
        tern_status status = write(report, "any");
        if (status != TERN_E_MEMORY && status != TERN_E_IO)
            fail_msg("call %lld fails: %s", (long long)i, tern_status_name(status));
        assert_null(memory_file.published);
        assert_null(memory_file.draft);
        memory_file_check_empty();
    }
    memory_file_remove();
}

static inline int report_occurrences(const char *text, const char *words) {
    int count = 0;
    for (const char *at = text; (at = strstr(at, words)) != NULL; at += strlen(words))
        count++;
    return count;
}

/* Numbers that do not exist have no digits, in no language. */
static inline void report_has_no_nan(const char *text) {
    static const char *const words[] = {"nan", "NaN", "-inf", "=inf", " inf", "'inf", "(null)"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *at = strstr(text, words[i]);
        if (at != NULL)
            fail_msg("\"%s\" in: %.80s", words[i], at > text + 30 ? at - 30 : text);
    }
}

#endif
