/* SPDX-License-Identifier: MIT
 * How a report differs from an earlier one of the same machine. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "validate/merge.h"
#include "validate/report.h"

/* Of the cost, in percent; what is computed of decimal figures falls short of them by rounding. */
static const double MINOR = 5, MODERATE = 15, MAJOR = 30, CRITICAL = 50, ROUNDING = 1e-9;

const char *tern_grade_name(tern_grade grade) {
    switch (grade) {
    case TERN_GRADE_NONE:
        return "";
    case TERN_GRADE_SAME:
        return "same";
    case TERN_GRADE_BETTER:
        return "better";
    case TERN_GRADE_MINOR:
        return "minor";
    case TERN_GRADE_MODERATE:
        return "moderate";
    case TERN_GRADE_MAJOR:
        return "major";
    case TERN_GRADE_CRITICAL:
        return "critical";
    }
    return "?";
}

/* The cost is the figure or, of what should be large, 1 over it. Where the one of both is not above
 * 0, a cost that is a quotient does not exist: then the difference counts, in parts of the figure
 * before. */
static double change_of(double before, double now, bool is_least) {
    double difference = is_least ? before - now : now - before;
    if (difference == 0)
        return 0;
    double whole = before > 0 && now > 0 && is_least ? now : fabs(before);
    return 100 * difference / whole; /* infinite when there was nothing before */
}

static tern_grade grade_of(double change) {
    change += change > 0 ? ROUNDING : -ROUNDING;
    return change >= CRITICAL   ? TERN_GRADE_CRITICAL
           : change >= MAJOR    ? TERN_GRADE_MAJOR
           : change >= MODERATE ? TERN_GRADE_MODERATE
           : change >= MINOR    ? TERN_GRADE_MINOR
           : change <= -MINOR   ? TERN_GRADE_BETTER
                                : TERN_GRADE_SAME;
}

/* Intervals that touch meet; a count is an interval of one point. */
static bool do_meet(double low, double high, double other_low, double other_high) {
    return low <= other_high && other_low <= high;
}

static double or_else(double value, double otherwise) {
    return isnan(value) ? otherwise : value;
}

void tern__row_compare(tern_report_row *row, const tern_report_row *baseline) {
    row->baseline = row->baseline_low = row->baseline_high = row->change = NAN;
    row->grade = TERN_GRADE_NONE;
    if (baseline == NULL || isnan(baseline->row.median) ||
        strcmp(row->row.unit, baseline->row.unit) != 0 ||
        row->row.is_least != baseline->row.is_least)
        return;
    const tern_bench_row *now = &row->row, *before = &baseline->row;
    row->baseline = before->median;
    row->baseline_low = before->low;
    row->baseline_high = before->high;
    if (isnan(now->median))
        return;
    row->change = change_of(before->median, now->median, now->is_least);
    bool is_same =
        do_meet(or_else(now->low, now->median), or_else(now->high, now->median),
                or_else(before->low, before->median), or_else(before->high, before->median));
    row->grade = is_same ? TERN_GRADE_SAME : grade_of(row->change);
}

tern_status tern__report_check_same(const tern_report *report, const tern_report *other,
                                    const char *other_name) {
    const char *here = tern_report_fact_value(report, "fingerprint");
    const char *there = tern_report_fact_value(other, "fingerprint");
    if (strcmp(here, there) != 0)
        return tern__fail(TERN_E_ARGUMENT,
                          "validate: %s is of another machine: %s (%s), not %s (%s)", other_name,
                          there, tern_report_fact_value(other, "processor"), here,
                          tern_report_fact_value(report, "processor"));
    static const char *const settings[] = {"level", "threads", "quick", "model"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        here = tern_report_fact_value(report, settings[i]);
        there = tern_report_fact_value(other, settings[i]);
        if (strcmp(here, there) != 0)
            return tern__fail(TERN_E_ARGUMENT, "validate: %s was made with %s %s, not %s",
                              other_name, settings[i], there[0] != '\0' ? there : "unknown",
                              here[0] != '\0' ? here : "unknown");
    }
    return TERN_OK;
}

tern_status tern_report_compare(tern_report *report, const tern_report *baseline) {
    if (report == NULL || baseline == NULL)
        return tern__fail(TERN_E_ARGUMENT, "validate: the pointer to the %s is NULL",
                          report == NULL ? "report" : "baseline");
    tern_status status = tern__report_check_same(report, baseline, "the baseline");
    for (int64_t i = 0; i < report->row_count && status == TERN_OK; i++) {
        tern_report_row *row = &report->rows[i];
        tern__row_compare(row, tern__report_find(baseline, row->row.id, row->row.what));
    }
    return status;
}
