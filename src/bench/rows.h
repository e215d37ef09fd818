/* SPDX-License-Identifier: MIT
 * What tables of targets share: how they are opened, and rows that are filled and judged the same
 * way.
 *
 *     static tern_status show_sum(tern__table *table) {
 *         tern_bench_row row = tern__row("T0", "a sum", "ns");
 *         row.floor = 100;
 *         if (tern__row_listed(table, &row))
 *             return TERN_OK;
 *         ... tern__bench_measure(..., &result) ...
 *         tern__row_time(&row, &result, 0, 1e9);
 *         tern__row_show(table, &row);
 *         return TERN_OK;
 *     }
 */
#ifndef TERN__BENCH_ROWS_H
#define TERN__BENCH_ROWS_H

#include <tern/bench.h>

#include "bench/noise.h"

enum { TERN__WINDOWS = 8 };

typedef struct tern__table {
    tern_bench_table_options options; /* defaults filled in */
    tern_bench_row_fn visit;
    void *user;
    /* Begun at the ends of the last rows; [begun % WINDOWS] is the newest. */
    tern__noise_window window[TERN__WINDOWS];
    int64_t begun, oldest;
} tern__table;

/* Checks the options, which may be NULL; `rounds` and `quick_rounds` are the table's own. */
tern_status tern__table_open(tern__table *table, const tern_bench_table_options *options,
                             int rounds, int quick_rounds, tern_bench_row_fn visit, void *user);

/* What is constant about a table. */
typedef struct tern__table_kind {
    const char *names; /* that `only` may have, commas between */
    int rounds, quick_rounds;
    tern_status (*run)(tern__table *table, void *state);
} tern__table_kind;

/* Opens, checks `only` and `cpu`, and runs with the calling thread and new teams pinned; they are
 * not when it returns, whatever happens. */
tern_status tern__table_run(const tern__table_kind *kind, const tern_bench_table_options *options,
                            tern_bench_row_fn visit, void *user, void *state);

/* What was going on so far is not of the next row: after programs that the table has started. */
void tern__table_rest(tern__table *table);

/* Whether a list of names with commas between has this one; NULL has all. */
bool tern__is_listed(const char *list, const char *name);
bool tern__is_asked_for(const tern__table *table, const char *id); /* by `only` */

/* What the options name for a peer; NULL: nothing. */
const char *tern__peer_path(const tern_bench_table_options *options, const char *name);

/* Every word of `list` (NULL: none) is one of `names`; else TERN_E_ARGUMENT, which tells these. */
tern_status tern__check_names(const char *list, const char *names);

/* -- rows --------------------------------------------------------------------------------------*/

/* A row without figures: every number is NaN, nothing is measured yet. */
tern_bench_row tern__row(const char *id, const char *what, const char *unit);

/* True when rows are to be listed only: then this one has been shown. It must have all that does
 * not depend on a measurement. True as well, and nothing is shown, when the visitor has ended the
 * table. */
bool tern__row_listed(tern__table *table, tern_bench_row *row);

/* A count: one sample, no spread. */
void tern__row_count(tern_bench_row *row, double value);
/* Quantiles of `n` >= 1 samples, which are sorted in place. */
void tern__row_samples(tern_bench_row *row, double *samples, int64_t n);

/* From what the harness measured: the time of a side, in units of which a second has so many; its
 * rate, `work` units a call; `factor` times the ratio of a side over the first. The last two are at
 * best large. */
void tern__row_time(tern_bench_row *row, const tern_bench_result *result, int side, double units);
void tern__row_rate(tern_bench_row *row, const tern_bench_result *result, int side, double work);
void tern__row_ratio(tern_bench_row *row, const tern_bench_result *result, int side, double factor);
/* What a call of the first side does, for its place in a roofline. */
void tern__row_work(tern_bench_row *row, const tern_bench_result *result, double operations,
                    double bytes);

/* Adds what else did the same work, or why it did not. The strings are kept. */
void tern__row_peer(tern_bench_row *row, const char *name, double median, double p99);
void tern__row_peer_missing(tern_bench_row *row, const char *name, const char *reason);
/* Adds numbers, which are kept by the caller while the row is shown. */
void tern__row_series(tern_bench_row *row, const tern_bench_series *series);

/* "12.3 x, not judged: WHY; ..." in the detail, and no figure: the row will be NOT MEASURED. */
void tern__row_tell(tern_bench_row *row, const char *why);

/* Judges the row by its numbers; a median that is NaN is NOT MEASURED. So is a noisy row whose
 * interval has the floor inside, or which misses it where other programs were at work: then the
 * detail begins with the reason. A count is judged in any case. */
void tern__row_judge(tern_bench_row *row);
/* Tells how busy other programs were since the row before, unless the row knows it, and judges. */
void tern__row_show(tern__table *table, tern_bench_row *row);

/* A measurement ended with `status`: what is short or missing on this machine becomes a row NOT
 * MEASURED with the last error as its reason, and TERN_OK; anything else is returned. */
tern_status tern__row_failed(tern__table *table, tern_bench_row *row, tern_status status);

#endif
