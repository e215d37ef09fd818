/* SPDX-License-Identifier: MIT
 * Rows and reports with figures of the test's choice. */
#ifndef TERN_TEST_REPORT_FIXTURE_H
#define TERN_TEST_REPORT_FIXTURE_H

#include "support.h"

#include <math.h>

#include "bench/rows.h"
#include "validate/report.h"

/* A time with its interval, of 21 samples; the floor is 100, the goal 20. */
static inline tern_bench_row timed_row(const char *what, double median, double low, double high) {
    tern_bench_row row = tern__row("T3", what, "ns");
    row.samples = 21;
    row.median = median;
    row.low = low;
    row.high = high;
    row.p5 = low - 1;
    row.p95 = high + 1;
    row.p99 = high + 2;
    row.floor = 100;
    row.goal = 20;
    tern__row_judge(&row);
    return row;
}

static inline tern_bench_row counted_row(const char *what, double count) {
    tern_bench_row row = tern__row("T5d", what, "");
    tern__row_count(&row, count);
    row.floor = row.goal = 0;
    tern__row_judge(&row);
    return row;
}

/* With the facts that reports of one machine have in common. */
static inline tern_report *new_report(const char *fingerprint) {
    tern_report *report;
    test_ok(tern__report_create(&report));
    test_ok(tern__report_add_fact(report, "machine", "processor", "Testium 9"));
    test_ok(tern__report_add_fact(report, "machine", "fingerprint", "%s", fingerprint));
    test_ok(tern__report_add_fact(report, "run", "threads", "2"));
    test_ok(tern__report_add_fact(report, "run", "quick", "no"));
    return report;
}

static inline tern_report_row *add_row(tern_report *report, const tern_bench_row *row) {
    tern_report_row *added;
    test_ok(tern__report_add_row(report, row, &added));
    return added;
}

static inline const tern_report_row *find_row(const tern_report *report, const char *id,
                                              const char *what) {
    const tern_report_row *row = tern__report_find(report, id, what);
    if (row == NULL)
        fail_msg("there is no row %s %s", id, what);
    return row;
}

#endif
