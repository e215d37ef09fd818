/* SPDX-License-Identifier: MIT
 * The checklist of the report that this project began with, line by line. Its lines were promises
 * about other machines too: what this one cannot show is NOT MEASURED. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "validate/report.h"

enum { FOUND_BYTES = 900, IDS = 6 };

typedef struct line {
    const char *text;
    const char *ids[IDS];  /* whose rows decide */
    const char *others[2]; /* whose rows are told as well */
    bool is_one_machine;   /* no single machine can show it: rows can only disprove it */
    const char *device;    /* whose rows show it, by a word in them; NULL: all do */
} line;

static const line lines[] = {
    {"MLX on Apple Silicon: matrix products 15 to 40 times as fast",
     {"T1c"},
     {"T1a"},
     false,
     " on mlx "},
    {"SIMD: element-wise operations 5 to 15 times as fast", {"T2"}, {NULL}, false, NULL},
    {"A tensor is created in less than 100 ns", {"T3"}, {NULL}, false, NULL},
    {"80 % of the operations copy nothing", {"T4"}, {NULL}, false, NULL},
    {"Memory efficiency", {"T5a", "T5b", "T5c", "T5d", "T5e"}, {NULL}, false, NULL},
    {"Cross-platform: the same results everywhere", {"K7", "M6"}, {NULL}, true, NULL},
};

static void add_text(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_text(char *text, const char *format, ...) {
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, FOUND_BYTES - used, format, arguments);
    va_end(arguments);
}

/* What a target's rows with a floor found, in the unit of the first that was measured. */
typedef struct finding {
    int rows, passed, measured;
    double least, most;
    const char *unit, *reason; /* why the first was not measured, with a floor or without */
} finding;

static finding look_at(const tern_report *report, const char *id) {
    finding f = {.least = NAN, .most = NAN};
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        bool is_measured = row->verdict != TERN_BENCH_NOT_MEASURED;
        if (strcmp(row->id, id) != 0)
            continue;
        if (!is_measured && f.reason == NULL)
            f.reason = row->detail;
        if (isnan(row->floor) && row->verdict != TERN_BENCH_FAIL)
            continue;
        f.rows++;
        f.passed += row->verdict == TERN_BENCH_PASS;
        f.measured += is_measured;
        if (!is_measured || isnan(row->median))
            continue;
        if (f.unit == NULL)
            f.unit = row->unit;
        if (strcmp(f.unit, row->unit) != 0)
            continue;
        f.least = fmin(f.least, row->median);
        f.most = fmax(f.most, row->median);
    }
    return f;
}

/* "T2: 12 of 15 rows pass, 5.6 to 21.3 x" */
static void tell(const tern_report *report, const char *id, char *text) {
    finding f = look_at(report, id);
    add_text(text, "%s%s: ", text[0] != '\0' ? "; " : "", id);
    if (f.measured == 0) {
        add_text(text, "%s%s%s", f.reason != NULL ? "not measured (" : "not a part of this run",
                 f.reason != NULL ? f.reason : "", f.reason != NULL ? ")" : "");
        return;
    }
    add_text(text, "%d of %d rows pass", f.passed, f.rows);
    if (f.unit == NULL)
        return;
    add_text(text, ", %.3g", f.least);
    if (f.most != f.least)
        add_text(text, " to %.3g", f.most);
    add_text(text, "%s%s", f.unit[0] != '\0' ? " " : "", f.unit);
}

/* What another device measured says nothing about a line. */
static bool is_of_another(const tern_report *report, const line *l) {
    bool is_measured = false;
    for (int64_t i = 0; i < report->row_count && l->device != NULL; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (strcmp(row->id, l->ids[0]) != 0 || row->verdict == TERN_BENCH_NOT_MEASURED)
            continue;
        if (strstr(row->what, l->device) != NULL)
            return false;
        is_measured = true;
    }
    return is_measured;
}

/* One failure fails the line; it passes when all of its targets do, in a run that was not ended. */
static tern_bench_verdict verdict_of(const tern_report *report, const line *l) {
    bool is_failed = false, is_passed = tern_report_fact_value(report, "ended")[0] == '\0';
    for (int i = 0; i < IDS && l->ids[i] != NULL; i++) {
        tern_bench_verdict verdict = tern_report_verdict(report, l->ids[i]);
        is_failed = is_failed || verdict == TERN_BENCH_FAIL;
        is_passed = is_passed && verdict == TERN_BENCH_PASS;
    }
    if (is_of_another(report, l))
        return TERN_BENCH_NOT_MEASURED;
    return is_failed                         ? TERN_BENCH_FAIL
           : is_passed && !l->is_one_machine ? TERN_BENCH_PASS
                                             : TERN_BENCH_NOT_MEASURED;
}

tern_status tern__report_add_checklist(tern_report *report) {
    tern_status status = TERN_OK;
    for (size_t i = 0; i < sizeof lines / sizeof *lines && status == TERN_OK; i++) {
        const line *l = &lines[i];
        char found[FOUND_BYTES] = "";
        for (int j = 0; j < IDS && l->ids[j] != NULL; j++)
            tell(report, l->ids[j], found);
        for (int j = 0; j < 2 && l->others[j] != NULL; j++)
            tell(report, l->others[j], found);
        if (is_of_another(report, l))
            add_text(found, "; these rows are of another device");
        if (l->is_one_machine)
            add_text(found, "; this machine is one platform, and says nothing of others");
        status = tern__report_add_item(report, l->text, found, verdict_of(report, l));
    }
    return status;
}
