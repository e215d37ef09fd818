/* SPDX-License-Identifier: MIT
 * Targets T3 and T5 as one table. */
#include "bench/memory_bench.h"

#include "base/status.h"

enum { ROUNDS = 31, QUICK_ROUNDS = 11 };

const char *tern_bench_memory_tunable(void) {
    return tern__peers_need_restart() ? TERN__PEERS_TUNABLE : NULL;
}

/* Sizes first: glibc moves its thresholds with what was freed before, and is fastest afresh. */
static tern_status run(tern__table *table, void *user) {
    tern__memory_bench *bench = user;
    bench->table = *table;
    tern_status status = TERN_OK;
    if (tern__is_asked_for(table, "T3")) {
        TERN__TRY(tern__memory_sizes(bench));
        TERN__TRY(tern__memory_speed(bench));
    }
    TERN__TRY(tern__memory_space(bench));
    TERN__TRY(tern__memory_safety(bench));
done:
    return status;
}

static const tern__table_kind kind = {
    .names = "T3,T5a,T5b,T5c,T5d,T5e", .rounds = ROUNDS, .quick_rounds = QUICK_ROUNDS, .run = run};

/* Allocators ask how many processors there are when they are opened: before threads are pinned. */
tern_status tern_bench_memory(const tern_bench_table_options *options, tern_bench_row_fn visit,
                              void *user) {
    tern__memory_bench bench = {0};
    if (options == NULL || !options->is_listing)
        tern__peers_find(bench.peers, options);
    return tern__table_run(&kind, options, visit, user, &bench);
}
