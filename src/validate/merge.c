/* SPDX-License-Identifier: MIT
 * Several measurements of the same row as one: passes of one run, or reports.
 *
 * The median is that of the medians. The interval holds all intervals, and the medians with a
 * quarter of their range more on either side. Its purpose is that two runs on the same machine
 * agree, which is to say that their intervals meet: of two times three medians that differ by
 * chance only, all of one run lie above all of the other in 2 of 20 orders (3! 3! / 6! each way).
 * If the intervals were no wider than the medians' range, 1 row in 10 would disagree; with the
 * quarters it is 1 in 30 for normal medians, and less where the passes' own intervals are wider
 * than a small part of what lies between passes. The margin is a hundredth of the figure at least:
 * so much depends on where a process happens to lie in memory, which no pass of it can tell. */
#include "validate/merge.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "bench/rows.h"
#include "validate/report.h"

enum { MAX_PARTS = TERN__MAX_PASSES };
static const double PLACE_SHARE = 0.01;

/* The rows that count, of those that were given. */
typedef struct parts {
    const tern_bench_row *row[MAX_PARTS];
    int count;
} parts;

static double median_of(double *values, int count) {
    for (int i = 1; i < count; i++)
        for (int j = i; j > 0 && values[j] < values[j - 1]; j--) {
            double swapped = values[j];
            values[j] = values[j - 1];
            values[j - 1] = swapped;
        }
    if (count == 0)
        return NAN;
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Of a field of all rows; NaN is left out. */
static void collect(const parts *p, size_t field, double *values, int *count) {
    *count = 0;
    for (int i = 0; i < p->count; i++) {
        double value;
        memcpy(&value, (const char *)p->row[i] + field, sizeof value);
        if (!isnan(value))
            values[(*count)++] = value;
    }
}

static double median_field(const parts *p, size_t field) {
    double values[MAX_PARTS];
    int count;
    collect(p, field, values, &count);
    return median_of(values, count);
}

static double extreme_of(double *values, int count, bool is_most) {
    double extreme = NAN;
    for (int i = 0; i < count; i++)
        extreme = is_most ? fmax(extreme, values[i]) : fmin(extreme, values[i]);
    return extreme;
}

static double extreme_field(const parts *p, size_t field, bool is_most) {
    double values[MAX_PARTS];
    int count;
    collect(p, field, values, &count);
    return extreme_of(values, count, is_most);
}

static double least_field(const parts *p, size_t field) {
    return extreme_field(p, field, false);
}

static double most_field(const parts *p, size_t field) {
    return extreme_field(p, field, true);
}

#define FIELD(name) offsetof(tern_bench_row, name)

/* Adds a sentence to the detail, if there is room for all of it. */
static void add_detail(tern_bench_row *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_detail(tern_bench_row *row, const char *format, ...) {
    char text[TERN_BENCH_DETAIL];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t used = strlen(row->detail);
    if (used + (size_t)length + 3 <= sizeof row->detail)
        snprintf(row->detail + used, sizeof row->detail - used, "%s%s", used > 0 ? "; " : "", text);
}

/* -- what a row is made of ---------------------------------------------------------------------*/

/* A count has no spread: all passes must agree, and where they do not the worst one stands. */
static void merge_counts(const parts *p, tern_bench_row *merged) {
    double least = least_field(p, FIELD(median)), most = most_field(p, FIELD(median));
    merged->median = merged->is_least ? least : most;
    if (least != most)
        add_detail(merged, "the passes differ: %g to %g", least, most);
}

static void merge_intervals(const parts *p, tern_bench_row *merged) {
    double least = least_field(p, FIELD(median)), most = most_field(p, FIELD(median));
    double margin = fmax((most - least) / 4, PLACE_SHARE * median_field(p, FIELD(median)));
    double low = least - margin;
    merged->median = median_field(p, FIELD(median));
    merged->low = fmin(least_field(p, FIELD(low)), least >= 0 ? fmax(low, 0) : low);
    merged->high = fmax(most_field(p, FIELD(high)), most + margin);
    merged->p5 = least_field(p, FIELD(p5));
    merged->p95 = most_field(p, FIELD(p95));
    merged->p99 = most_field(p, FIELD(p99));
}

/* By name, as a peer may be missing in one pass and not in the next. Others are credited with their
 * best pass: allocators with that in which the process was new. */
static void merge_peer(const parts *p, bool is_least, tern_bench_peer *peer) {
    double median[MAX_PARTS], p99[MAX_PARTS];
    int medians = 0, p99s = 0;
    for (int i = 0; i < p->count; i++)
        for (int j = 0; j < p->row[i]->peer_count; j++) {
            const tern_bench_peer *other = &p->row[i]->peer[j];
            if (strcmp(other->name, peer->name) != 0)
                continue;
            if (!isnan(other->median) && medians < MAX_PARTS)
                median[medians++] = other->median;
            if (!isnan(other->p99) && p99s < MAX_PARTS)
                p99[p99s++] = other->p99;
        }
    peer->median = extreme_of(median, medians, is_least);
    peer->p99 = extreme_of(p99, p99s, is_least);
    if (medians > 0)
        peer->reason = NULL;
}

static void merge_peers(const parts *p, tern_bench_row *merged) {
    for (int i = 0; i < p->count; i++)
        for (int j = 0; j < p->row[i]->peer_count; j++) {
            int k = 0;
            while (k < merged->peer_count &&
                   strcmp(merged->peer[k].name, p->row[i]->peer[j].name) != 0)
                k++;
            if (k == merged->peer_count && k < TERN_BENCH_PEERS)
                merged->peer[merged->peer_count++] = p->row[i]->peer[j];
        }
    for (int i = 0; i < merged->peer_count; i++)
        merge_peer(p, merged->is_least, &merged->peer[i]);
}

static const char busy[] = "the floor was missed, but the machine was busy all the time";

/* What was said of one pass, or of the passes before: the reason why it has no verdict. */
static void drop_reason(char *detail) {
    static const char *const ends[] = {busy, " is no verdict"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const char *found = strstr(detail, ends[i]);
        if (found == NULL)
            continue;
        found += strlen(ends[i]);
        found += strncmp(found, "; ", 2) == 0 ? 2 : 0;
        memmove(detail, found, strlen(found) + 1);
    }
}

/* A floor that was missed while the machine was busy says nothing about the machine. */
static void judge(tern_bench_row *merged) {
    char detail[TERN_BENCH_DETAIL];
    drop_reason(merged->detail);
    tern__row_judge(merged);
    if (merged->verdict != TERN_BENCH_FAIL || !merged->is_noisy)
        return;
    merged->verdict = TERN_BENCH_NOT_MEASURED;
    merged->is_goal_met = false;
    memcpy(detail, merged->detail, sizeof detail);
    snprintf(merged->detail, sizeof merged->detail, "%s%s%.*s", busy, detail[0] != '\0' ? "; " : "",
             (int)(sizeof detail - sizeof busy - 2), detail);
}

/* Those with figures; of them the quiet ones, if there are any. */
static parts choose(const tern_report_row *const *rows, int count, bool is_quiet) {
    parts p = {.count = 0};
    for (int i = count - 1; i >= 0 && p.count < MAX_PARTS; i--)
        if (!isnan(rows[i]->row.median) && (!is_quiet || !rows[i]->row.is_noisy))
            p.row[p.count++] = &rows[i]->row;
    return p; /* newest first */
}

void tern__rows_merge(const tern_report_row *const *rows, int count, tern_report_row *merged) {
    parts measured = choose(rows, count, false), quiet = choose(rows, count, true);
    const parts *p = quiet.count > 0 ? &quiet : &measured;
    *merged = *rows[count - 1];
    if (count > 1) {
        merged->baseline = merged->baseline_low = merged->baseline_high = merged->change = NAN;
        merged->grade = TERN_GRADE_NONE;
    }
    if (p->count == 0)
        return;
    tern_bench_row *row = &merged->row;
    *row = *p->row[0];
    row->samples = 0;
    merged->passes = 0;
    for (int i = 0; i < count; i++)
        merged->passes += rows[i]->passes;
    bool is_count = true;
    for (int i = 0; i < p->count; i++) {
        row->samples += p->row[i]->samples;
        is_count = is_count && isnan(p->row[i]->low) && p->row[i]->samples <= 1;
    }
    if (is_count) {
        row->samples = p->row[0]->samples;
        merge_counts(p, row);
    } else {
        merge_intervals(p, row);
    }
    /* A goal may be what a peer reached. */
    row->goal = row->is_least ? most_field(p, FIELD(goal)) : least_field(p, FIELD(goal));
    row->load = median_field(p, FIELD(load));
    row->operations = median_field(p, FIELD(operations));
    row->bytes = median_field(p, FIELD(bytes));
    merge_peers(p, row);
    if (p->count < measured.count)
        add_detail(row, "%d of %d passes were noisy and do not count", measured.count - p->count,
                   measured.count);
    judge(row);
}

/* -- reports -----------------------------------------------------------------------------------*/

/* Place in the list of targets; what is no target comes last. */
static int target_index(const char *id) {
    int index = 0;
    while (index < tern_target_count() && strcmp(tern_target_at(index)->id, id) != 0)
        index++;
    return index;
}

/* Insertion keeps the order of a target's rows; a report has some hundreds of them. */
void tern__report_order(tern_report *report) {
    for (int64_t i = 1; i < report->row_count; i++) {
        tern_report_row row = report->rows[i];
        int index = target_index(row.row.id);
        int64_t j = i;
        for (; j > 0 && target_index(report->rows[j - 1].row.id) > index; j--)
            report->rows[j] = report->rows[j - 1];
        report->rows[j] = row;
    }
}

tern_status tern__report_add_merged(tern_report *report, const tern_report_row *const *rows,
                                    int count, tern_report_row **added) {
    tern_report_row merged, *row = NULL;
    tern__rows_merge(rows, count, &merged);
    tern_status status = tern__report_add_row(report, &merged.row, &row);
    if (status == TERN_OK) {
        merged.row = row->row; /* with strings of the report */
        *row = merged;
    }
    if (added != NULL)
        *added = row;
    return status;
}

/* The rows of all reports from `first` on that have the key of one of its rows. */
static tern_status merge_key(const tern_report *const *reports, int first, int count,
                             const tern_bench_row *key, tern_report *merged) {
    const tern_report_row *rows[MAX_PARTS];
    int found = 0;
    for (int i = first; i < count && found < MAX_PARTS; i++) {
        const tern_report_row *row = tern__report_find(reports[i], key->id, key->what);
        if (row != NULL)
            rows[found++] = row;
    }
    return tern__report_add_merged(merged, rows, found, NULL);
}

static tern_status merge_facts(const tern_report *const *reports, int count, tern_report *merged) {
    tern_status status = TERN_OK;
    double seconds = 0;
    long passes = 0;
    for (int i = 0; i < count; i++) {
        seconds += strtod(tern_report_fact_value(reports[i], "seconds"), NULL);
        passes += strtol(tern_report_fact_value(reports[i], "passes"), NULL, 10);
    }
    for (int i = 0; i < reports[0]->fact_count; i++) {
        const tern_report_fact *fact = &reports[0]->facts[i];
        if (strcmp(fact->name, "seconds") == 0)
            TERN__TRY(tern__report_add_fact(merged, fact->group, fact->name, "%.1f", seconds));
        else if (strcmp(fact->name, "passes") == 0)
            TERN__TRY(tern__report_add_fact(merged, fact->group, fact->name, "%ld", passes));
        else
            TERN__TRY(tern__report_add_fact(merged, fact->group, fact->name, "%s", fact->value));
    }
done:
    return status;
}

tern_status tern_report_merge(const tern_report *const *reports, int count, tern_report **merged) {
    if (merged == NULL)
        return tern__fail(TERN_E_ARGUMENT, "validate: the pointer for the report is NULL");
    *merged = NULL;
    if (reports == NULL || count < 1 || count > MAX_PARTS)
        return tern__fail(TERN_E_ARGUMENT, "validate: %d reports to merge, allowed are 1..%d",
                          count, MAX_PARTS);
    tern_status status;
    for (int i = 0; i < count; i++)
        if (reports[i] == NULL)
            return tern__fail(TERN_E_ARGUMENT, "validate: report %d is NULL", i + 1);
    for (int i = 1; i < count; i++)
        TERN__TRY(tern__report_check_same(reports[0], reports[i], "another report"));
    TERN__TRY(tern__report_create(merged));
    TERN__TRY(merge_facts(reports, count, *merged));
    for (int i = 0; i < count; i++)
        for (int64_t j = 0; j < reports[i]->row_count; j++) {
            const tern_bench_row *key = &reports[i]->rows[j].row;
            if (tern__report_find(*merged, key->id, key->what) == NULL)
                TERN__TRY(merge_key(reports, i, count, key, *merged));
        }
    tern__report_order(*merged);
    TERN__TRY(tern__report_add_checklist(*merged));
done:
    if (status != TERN_OK) {
        tern_report_destroy(*merged);
        *merged = NULL;
    }
    return status;
}
