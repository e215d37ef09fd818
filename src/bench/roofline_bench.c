/* SPDX-License-Identifier: MIT
 * The limits of this machine as a table: read bandwidth by working set and threads, and the peaks
 * of its arithmetic units. Nothing is judged. */
#include <math.h>
#include <stdio.h>

#include "base/cpu.h"
#include "base/status.h"
#include "bench/limits.h"

enum { ROUNDS = 15, QUICK_ROUNDS = 5 };
#define MEMORY_BYTES (INT64_C(512) << 20)

static const char row_id[] = "ROOF";

static tern_bench_row row_of(const char *what, const char *unit) {
    tern_bench_row row = tern__row(row_id, what, unit);
    row.is_least = true;
    return row;
}

/* Shows the limit, `factor` units for one of its own; or why there is none. */
static tern_status show_limit(tern__table *table, tern_bench_row *row, tern_status status,
                              const tern__limit *limit, double factor) {
    if (status != TERN_OK)
        return tern__row_failed(table, row, status);
    tern__row_rate(row, &limit->times, limit->side, factor * limit->times.work);
    if (row->detail[0] == '\0')
        snprintf(row->detail, sizeof row->detail, "%s", limit->name);
    tern__row_show(table, row);
    return TERN_OK;
}

/* -- read bandwidth ----------------------------------------------------------------------------*/

typedef struct working_set {
    const char *name;
    int64_t bytes; /* of each thread, or of all */
    bool is_per_thread;
    int64_t more_than; /* of each thread: what its own caches hold */
} working_set;

static void describe_bytes(int64_t bytes, char *text, size_t size) {
    bool is_mib = bytes >= 1 << 20;
    snprintf(text, size, "%.4g %s", (double)bytes / (is_mib ? 1 << 20 : 1 << 10),
             is_mib ? "MiB" : "KiB");
}

static tern_status show_read(tern__table *table, const working_set *set, tern__team *team,
                             uint32_t features) {
    int threads = tern__team_size(team);
    char what[96], size[32];
    describe_bytes(set->bytes, size, sizeof size);
    snprintf(what, sizeof what, "read, %s (%s%s), %d thread%s", set->name, size,
             set->is_per_thread ? " each" : "", threads, threads > 1 ? "s" : "");
    tern_bench_row row = row_of(what, "GB/s");
    if (tern__row_listed(table, &row))
        return TERN_OK;
    int64_t bytes = set->bytes * (set->is_per_thread ? threads : 1);
    if (bytes / threads <= set->more_than) {
        snprintf(row.detail, sizeof row.detail,
                 "the %d threads hold this much in caches of their own", threads);
        tern__row_show(table, &row);
        return TERN_OK;
    }
    tern__limit limit;
    tern_status status =
        tern__limit_read_bandwidth(team, features, bytes, table->options.samples, &limit);
    return show_limit(table, &row, status, &limit, 1e-9);
}

static tern_status show_reads(tern__table *table, tern__team *team, uint32_t features) {
    tern__caches caches = tern__limit_caches();
    const working_set sets[] = {
        {"L1", caches.l1 / 2, true, 0},
        {"L2", caches.l2 / 2, true, 0},
        {"L3", caches.l3 / 2, false, caches.l2},
        {"memory", tern__limit_memory_set(MEMORY_BYTES), false, 0},
    };
    tern_status status = TERN_OK;
    for (size_t i = 0; i < sizeof sets / sizeof *sets && status == TERN_OK; i++)
        status = show_read(table, &sets[i], team, features);
    return status;
}

/* 1, 2, 4, ... and all threads. */
static tern_status show_all_reads(tern__table *table, uint32_t features) {
    int most = table->options.threads;
    for (int threads = 1;; threads = 2 * threads < most ? 2 * threads : most) {
        tern__team *team;
        tern_status status = tern__team_create(threads, &team);
        if (status != TERN_OK)
            return status;
        status = show_reads(table, team, features);
        tern__team_destroy(team);
        if (status != TERN_OK || threads == most)
            return status;
    }
}

/* -- arithmetic --------------------------------------------------------------------------------*/

static tern_status show_peak(tern__table *table, const tern__variant *variant,
                             const tern__peak *peak, uint32_t features, tern__team *team) {
    int threads = tern__team_size(team);
    char what[64], lacking[128];
    snprintf(what, sizeof what, "%s, %d thread%s", peak->name, threads, threads > 1 ? "s" : "");
    tern_bench_row row = row_of(what, peak->kind == TERN__PEAK_FMA ? "GFLOP/s" : "GOP/s");
    if (tern__row_listed(table, &row))
        return TERN_OK;
    if ((variant->needs & ~features) != 0) {
        tern__cpu_describe(variant->needs & ~features, lacking, sizeof lacking);
        snprintf(row.detail, sizeof row.detail, "this machine, or the level asked for, lacks %s",
                 lacking);
        tern__row_show(table, &row);
        return TERN_OK;
    }
    tern__limit limit;
    tern_status status = tern__limit_peak_rate(team, peak, table->options.samples, &limit);
    if (status == TERN_OK)
        snprintf(row.detail, sizeof row.detail, "a multiply-add is two operations");
    return show_limit(table, &row, status, &limit, 2e-9);
}

static tern_status show_peaks(tern__table *table, uint32_t features, int threads) {
    tern__team *team;
    tern_status status = tern__team_create(threads, &team);
    if (status != TERN_OK)
        return status;
    for (int k = 0; tern__peaks_family[k] != NULL; k++) {
        const tern__peaks_kernel *kernel = tern__peaks_family[k];
        for (int i = 0; i < TERN__PEAKS && kernel->peaks[i].name != NULL; i++)
            TERN__TRY(show_peak(table, &kernel->variant, &kernel->peaks[i], features, team));
    }
done:
    tern__team_destroy(team);
    return status;
}

static tern_status run(tern__table *table, void *state) {
    (void)state;
    uint32_t features;
    tern_status status;
    TERN__TRY(tern__cpu_level(table->options.cpu, &features));
    TERN__TRY(show_all_reads(table, features));
    TERN__TRY(show_peaks(table, features, 1));
    if (table->options.threads > 1)
        TERN__TRY(show_peaks(table, features, table->options.threads));
done:
    return status;
}

static const tern__table_kind kind = {
    .names = "ROOF", .rounds = ROUNDS, .quick_rounds = QUICK_ROUNDS, .run = run};

tern_status tern_bench_roofline(const tern_bench_table_options *options, tern_bench_row_fn visit,
                                void *user) {
    return tern__table_run(&kind, options, visit, user, NULL);
}
