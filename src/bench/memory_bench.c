/* SPDX-License-Identifier: MIT
 * Targets T3 and T5 as one table. */
#include "bench/memory_bench.h"

#include <math.h>
#include <stdio.h>

#include "base/os.h"
#include "base/status.h"
#include "bench/statistics.h"

enum { ROUNDS = 31, QUICK_ROUNDS = 11 };

const char *tern_bench_memory_tunable(void) {
    return tern__peers_need_restart() ? TERN__PEERS_TUNABLE : NULL;
}

tern_status tern_bench_memory(const tern_bench_table_options *options, tern_bench_row_fn visit,
                              void *user) {
    tern__memory_bench bench;
    tern_status status = tern__table_open(&bench.table, options, ROUNDS, QUICK_ROUNDS, visit, user);
    if (status != TERN_OK)
        return status;
    tern__peers_find(bench.peers);

    /* Sizes first: glibc moves its thresholds with what was freed before, and is fastest afresh. */
    TERN__TRY(tern__memory_sizes(&bench));
    TERN__TRY(tern__memory_speed(&bench));
    TERN__TRY(tern__memory_space(&bench));
    TERN__TRY(tern__memory_safety(&bench));
done:
    return status;
}
