/* SPDX-License-Identifier: MIT
 * What tables of targets share: options, and rows that are judged the same way. */
#ifndef TERN__BENCH_ROWS_H
#define TERN__BENCH_ROWS_H

#include <tern/bench.h>

typedef struct tern__table {
    tern_bench_table_options options; /* defaults filled in */
    tern_bench_row_fn visit;
    void *user;
} tern__table;

/* Checks the options, which may be NULL; `rounds` and `quick_rounds` are the table's own. */
tern_status tern__table_open(tern__table *table, const tern_bench_table_options *options,
                             int rounds, int quick_rounds, tern_bench_row_fn visit, void *user);

/* Whether a list of names with commas between has this one; NULL has all. */
bool tern__is_listed(const char *list, const char *name);

/* A row without figures: every number is NaN, nothing is measured yet. */
tern_bench_row tern__row(const char *id, const char *what, const char *unit);

/* A count: one sample, no spread. */
void tern__row_count(tern_bench_row *row, double value);
/* Quantiles of `n` >= 1 samples, which are sorted in place. */
void tern__row_samples(tern_bench_row *row, double *samples, int64_t n);
/* Adds what else did the same work, or why it did not. The strings are kept. */
void tern__row_peer(tern_bench_row *row, const char *name, double median, double p99);
void tern__row_peer_missing(tern_bench_row *row, const char *name, const char *reason);

/* Judges the row by its numbers; a median that is NaN is NOT MEASURED. */
void tern__row_judge(tern_bench_row *row);
void tern__row_show(const tern__table *table, tern_bench_row *row); /* judges first */

/* A measurement ended with `status`: what is short or missing on this machine becomes a row NOT
 * MEASURED with the last error as its reason, and TERN_OK; anything else is returned. */
tern_status tern__row_failed(const tern__table *table, tern_bench_row *row, tern_status status);

#endif
