/* SPDX-License-Identifier: MIT
 *
 * Every performance target, measured on this machine and judged: what `tern validate` shows.
 *
 *     tern_report *report;
 *     if (tern_validate(NULL, &report) == TERN_OK)
 *         tern_report_write_html(report, "report.html");
 *     tern_report_destroy(report);
 *
 * A report is made by measuring, by reading one that was saved, or by merging several; it can be
 * compared with another one, its baseline, and written as JSON, Markdown or one HTML page.
 */
#ifndef TERN_VALIDATE_H
#define TERN_VALIDATE_H

#include <tern/bench.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- targets -----------------------------------------------------------------------------------*/

/* Who asks for a target: the five of the seed report, ternary kernels, models. */
typedef enum tern_target_group {
    TERN_TARGET_SEED = 0,
    TERN_TARGET_TERNARY = 1,
    TERN_TARGET_MODEL = 2,
} tern_target_group;

typedef struct tern_target {
    const char *id;           /* "K1" */
    const char *title;        /* a few words: "decode, share of the read bandwidth" */
    const char *definition;   /* one or two sentences: what is measured and how */
    const char *floor, *goal; /* in words: "75 %" */
    tern_target_group group;
    const char *table; /* of `tern bench` that has its rows */
} tern_target;

TERN_API int tern_target_count(void);
TERN_API const tern_target *tern_target_at(int index);        /* NULL beyond */
TERN_API const tern_target *tern_target_find(const char *id); /* NULL: there is none */

/* -- reports -----------------------------------------------------------------------------------*/

/* How a figure differs from its baseline, by its cost: of rates and shares 1 over the figure. It
 * differs when the intervals do not meet; how much is told by the medians. */
typedef enum tern_grade {
    TERN_GRADE_NONE = 0,     /* there is no baseline of this row */
    TERN_GRADE_SAME = 1,     /* the intervals meet, or the cost grew by less than 5 % */
    TERN_GRADE_BETTER = 2,   /* the cost fell by 5 % or more */
    TERN_GRADE_MINOR = 3,    /* it grew by 5 % or more */
    TERN_GRADE_MODERATE = 4, /* 15 % */
    TERN_GRADE_MAJOR = 5,    /* 30 % */
    TERN_GRADE_CRITICAL = 6, /* 50 % */
} tern_grade;

TERN_API const char *tern_grade_name(tern_grade grade); /* "moderate"; "" for none */

/* A row, with strings and series that the report owns. */
typedef struct tern_report_row {
    tern_bench_row row;
    int passes;                                   /* over the targets that measured it */
    double baseline, baseline_low, baseline_high; /* NaN: none */
    double change;                                /* of the cost, in percent; NaN */
    tern_grade grade;
} tern_report_row;

/* Something about the machine, the build or the run: "memory", "23.5 GiB". */
typedef struct tern_report_fact {
    const char *group; /* "machine", "build", "run" */
    const char *name, *value;
} tern_report_fact;

/* A line of the seed report's own checklist, with what was found: `verdict` over its rows. */
typedef struct tern_report_item {
    const char *text, *found;
    tern_bench_verdict verdict;
} tern_report_item;

typedef struct tern_report tern_report;

TERN_API void tern_report_destroy(tern_report *report); /* NULL is fine */

/* What it holds; all pointers are valid as long as the report. Rows are in the order of the
 * targets; KERN, ROOF and OPS have no target and come last. */
TERN_API int64_t tern_report_row_count(const tern_report *report);
TERN_API const tern_report_row *tern_report_row_at(const tern_report *report, int64_t index);
TERN_API int tern_report_fact_count(const tern_report *report);
TERN_API const tern_report_fact *tern_report_fact_at(const tern_report *report, int index);
TERN_API int tern_report_item_count(const tern_report *report);
TERN_API const tern_report_item *tern_report_item_at(const tern_report *report, int index);
TERN_API const char *tern_report_fact_value(const tern_report *report,
                                            const char *name); /* or "" */

/* Rows with this verdict; rows with this grade. */
TERN_API int64_t tern_report_count(const tern_report *report, tern_bench_verdict verdict);
TERN_API int64_t tern_report_grades(const tern_report *report, tern_grade grade);

/* Over all rows of one target: FAIL if one fails; NOT MEASURED if one missed its floor in noise;
 * else PASS if one passes, else NOT MEASURED, or NO_TARGET when its rows have goals only. */
TERN_API tern_bench_verdict tern_report_verdict(const tern_report *report, const char *id);

/* The exact command that measures the row again. Written into `text`, cut at `size`. */
TERN_API void tern_report_command(const tern_report *report, const tern_report_row *row, char *text,
                                  size_t size);

/* -- measuring ---------------------------------------------------------------------------------*/

typedef struct tern_validate_progress {
    double fraction;              /* of the work, 0 to 1 */
    double seconds, seconds_left; /* so far; to go, estimated; NaN: not known yet */
    int pass, passes;             /* from 1 */
    const tern_bench_row *row;    /* measured just now; NULL: at the beginning of a table */
    const char *table;            /* that is being measured */
} tern_validate_progress;

typedef struct tern_validate_options {
    tern_bench_table_options table; /* of all tables: threads, cpu, quick, only, peers, model ...;
                                       `only` also takes the beginning of ids: "T1" */
    int passes;                     /* over all targets; 0: 3, quick 1 */
    const tern_report *baseline;    /* NULL: none */
    /* Called often; false ends the run after the row that is being measured: then the report has
     * the rows that are known, and says so. May be NULL. */
    bool (*progress)(void *user, const tern_validate_progress *progress);
    /* Called for each row when it is settled, in the last pass. May be NULL. */
    void (*row)(void *user, const tern_report_row *row);
    void *user;
} tern_validate_options;

/* Measures. `options` may be NULL. Every target has at least one row: NOT MEASURED, with the
 * reason, where it could not be measured. Rows of a pass that was noisy give way to those of quiet
 * passes; a row that missed its floor and was noisy in all of them is NOT MEASURED. */
TERN_API tern_status tern_validate(const tern_validate_options *options, tern_report **report);

/* Several reports of the same machine as one, like passes of one run: medians of the medians, the
 * widest interval. Rows that only some of them have are kept. */
TERN_API tern_status tern_report_merge(const tern_report *const *reports, int count,
                                       tern_report **merged);

/* Sets baselines, changes and grades of all rows. */
TERN_API tern_status tern_report_compare(tern_report *report, const tern_report *baseline);

/* Where the baseline of this machine is kept: $XDG_STATE_HOME/tern/baseline-FINGERPRINT.json, else
 * below ~/.local/state. TERN_E_NOT_FOUND without a home. */
TERN_API tern_status tern_report_baseline_path(const tern_report *report, char *path, size_t size);

/* -- files -------------------------------------------------------------------------------------*/

/* JSON, schema "tern-validate" version 1 (docs/measuring.md). TERN_E_FORMAT says what is wrong and
 * where. */
TERN_API tern_status tern_report_read(const char *path, tern_report **report);
TERN_API tern_status tern_report_write_json(const tern_report *report, const char *path);
TERN_API tern_status tern_report_write_markdown(const tern_report *report, const char *path);
/* One file that needs nothing else. */
TERN_API tern_status tern_report_write_html(const tern_report *report, const char *path);

#ifdef __cplusplus
}
#endif
#endif
