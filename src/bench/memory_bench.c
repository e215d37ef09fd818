/* SPDX-License-Identifier: MIT
 * Targets T3 and T5 as one table: rows, how they are judged, and their order. */
#include "bench/memory_bench.h"

#include <math.h>
#include <stdio.h>

#include "base/os.h"
#include "base/status.h"
#include "bench/statistics.h"

enum { ROUNDS = 31, QUICK_ROUNDS = 11, MAX_THREADS = 1024 };

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

void tern__row_peer_missing(tern_bench_row *row, const tern__peer *peer) {
    if (row->peer_count < TERN_BENCH_PEERS)
        row->peer[row->peer_count++] = (tern_bench_peer){peer->name, NAN, NAN, peer->why};
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

void tern__row_show(const tern__memory_bench *bench, tern_bench_row *row) {
    tern__row_judge(row);
    bench->visit(bench->user, row);
}

tern_status tern__row_failed(const tern__memory_bench *bench, tern_bench_row *row,
                             tern_status status) {
    if (status != TERN_E_MEMORY && status != TERN_E_LIMIT)
        return status;
    row->median = NAN;
    snprintf(row->detail, sizeof row->detail, "%s", tern_last_error());
    tern__row_show(bench, row);
    return TERN_OK;
}

const char *tern_bench_memory_tunable(void) {
    return tern__peers_need_restart() ? TERN__PEERS_TUNABLE : NULL;
}

tern_status tern_bench_memory(const tern_bench_memory_options *options, tern_bench_row_fn visit,
                              void *user) {
    static const tern_bench_memory_options defaults = {0};
    if (visit == NULL)
        return tern__fail(TERN_E_ARGUMENT, "bench: the visit pointer is NULL");
    tern__memory_bench bench = {
        .options = options != NULL ? *options : defaults, .visit = visit, .user = user};
    tern_bench_memory_options *o = &bench.options;
    if (o->threads < 0 || o->threads > MAX_THREADS || o->samples < 0 ||
        o->samples > TERN_BENCH_MAX_SAMPLES)
        return tern__fail(TERN_E_ARGUMENT, "bench: %d threads, %d rounds", o->threads, o->samples);
    if (o->threads == 0)
        o->threads = tern__os_cpu_count() > 0 ? tern__os_cpu_count() : 1;
    if (o->samples == 0)
        o->samples = o->is_quick ? QUICK_ROUNDS : ROUNDS;
    tern__peers_find(bench.peers);

    tern_status status = TERN_OK;
    /* Sizes first: glibc moves its thresholds with what was freed before, and is fastest afresh. */
    TERN__TRY(tern__memory_sizes(&bench));
    TERN__TRY(tern__memory_speed(&bench));
    TERN__TRY(tern__memory_space(&bench));
    TERN__TRY(tern__memory_safety(&bench));
done:
    return status;
}
