/* SPDX-License-Identifier: MIT
 * Rows of targets: how they are filled and judged. */
#include "bench/rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "bench/statistics.h"

enum { MAX_THREADS = 1024 };

tern_status tern__table_open(tern__table *table, const tern_bench_table_options *options,
                             int rounds, int quick_rounds, tern_bench_row_fn visit, void *user) {
    if (visit == NULL)
        return tern__fail(TERN_E_ARGUMENT, "bench: the visit pointer is NULL");
    *table = (tern__table){.visit = visit, .user = user};
    tern_bench_table_options *o = &table->options;
    if (options != NULL)
        *o = *options;
    if (o->threads < 0 || o->threads > MAX_THREADS || o->samples < 0 ||
        o->samples > TERN_BENCH_MAX_SAMPLES)
        return tern__fail(TERN_E_ARGUMENT, "bench: %d threads, %d rounds", o->threads, o->samples);
    if (o->threads == 0)
        o->threads = tern__os_cpu_count() > 0 ? tern__os_cpu_count() : 1;
    if (o->samples == 0)
        o->samples = o->is_quick ? quick_rounds : rounds;
    return TERN_OK;
}

bool tern__is_listed(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == '\0' || at[length] == ','))
            return true;
    }
    return list == NULL;
}

const char *tern_bench_verdict_name(tern_bench_verdict verdict) {
    switch (verdict) {
    case TERN_BENCH_PASS:
        return "PASS";
    case TERN_BENCH_FAIL:
        return "FAIL";
    case TERN_BENCH_NOT_MEASURED:
        return "NOT MEASURED";
    case TERN_BENCH_NO_TARGET:
        return "-";
    }
    return "?";
}

tern_bench_row tern__row(const char *id, const char *what, const char *unit) {
    return (tern_bench_row){.id = id,
                            .what = what,
                            .unit = unit,
                            .median = NAN,
                            .p5 = NAN,
                            .p95 = NAN,
                            .p99 = NAN,
                            .low = NAN,
                            .high = NAN,
                            .load = NAN,
                            .operations = NAN,
                            .bytes = NAN,
                            .floor = NAN,
                            .goal = NAN,
                            .goal_p99 = NAN,
                            .verdict = TERN_BENCH_NOT_MEASURED};
}

void tern__row_count(tern_bench_row *row, double value) {
    row->samples = 1;
    row->median = value;
}

void tern__row_samples(tern_bench_row *row, double *samples, int64_t n) {
    tern__sort_samples(samples, n);
    row->samples = n;
    row->median = tern__sample_quantile(samples, n, 0.5);
    row->p5 = tern__sample_quantile(samples, n, 0.05);
    row->p95 = tern__sample_quantile(samples, n, 0.95);
    row->p99 = tern__sample_quantile(samples, n, 0.99);
}

void tern__row_peer(tern_bench_row *row, const char *name, double median, double p99) {
    if (row->peer_count < TERN_BENCH_PEERS)
        row->peer[row->peer_count++] = (tern_bench_peer){name, median, p99, NULL};
}

void tern__row_peer_missing(tern_bench_row *row, const char *name, const char *reason) {
    if (row->peer_count < TERN_BENCH_PEERS)
        row->peer[row->peer_count++] = (tern_bench_peer){name, NAN, NAN, reason};
}

/* A bound that does not exist is met. */
static bool meets(double value, double bound, bool is_least) {
    return isnan(bound) || (is_least ? value >= bound : value <= bound);
}

void tern__row_judge(tern_bench_row *row) {
    bool has_floor = !isnan(row->floor);
    bool has_goal = !isnan(row->goal) || !isnan(row->goal_p99);
    if (isnan(row->median)) {
        row->verdict = TERN_BENCH_NOT_MEASURED;
        row->is_goal_met = false;
        return;
    }
    row->is_goal_met = has_goal && meets(row->median, row->goal, row->is_least) &&
                       meets(row->p99, row->goal_p99, row->is_least);
    bool is_met = meets(row->median, row->floor, row->is_least);
    row->verdict = !has_floor ? TERN_BENCH_NO_TARGET : is_met ? TERN_BENCH_PASS : TERN_BENCH_FAIL;
}

void tern__row_show(const tern__table *table, tern_bench_row *row) {
    tern__row_judge(row);
    table->visit(table->user, row);
}

tern_status tern__row_failed(const tern__table *table, tern_bench_row *row, tern_status status) {
    if (status != TERN_E_MEMORY && status != TERN_E_LIMIT && status != TERN_E_UNSUPPORTED)
        return status;
    row->median = NAN;
    snprintf(row->detail, sizeof row->detail, "%s", tern_last_error());
    tern__row_show(table, row);
    return TERN_OK;
}
