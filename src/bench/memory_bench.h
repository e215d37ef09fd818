/* SPDX-License-Identifier: MIT
 * What the parts of `tern bench memory` share. */
#ifndef TERN__MEMORY_BENCH_H
#define TERN__MEMORY_BENCH_H

#include <tern/bench.h>

#include "bench/memory_peers.h"
#include "bench/rows.h"

typedef struct tern__memory_bench {
    tern__table table;
    tern__peer peers[TERN__PEERS];
} tern__memory_bench;

/* The parts: T3 by size (memory_sizes.c), T3 over a live set (memory_speed.c), T5a to T5c
 * (memory_space.c), T5d and T5e (memory_safety.c). */
tern_status tern__memory_sizes(tern__memory_bench *bench);
tern_status tern__memory_speed(tern__memory_bench *bench);
tern_status tern__memory_space(tern__memory_bench *bench);
tern_status tern__memory_safety(tern__memory_bench *bench);

#endif
