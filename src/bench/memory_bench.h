/* SPDX-License-Identifier: MIT
 * What the parts of `tern bench memory` share: options, peers, and rows that are judged the same
 * way. */
#ifndef TERN__MEMORY_BENCH_H
#define TERN__MEMORY_BENCH_H

#include <tern/bench.h>

#include "bench/memory_peers.h"

typedef struct tern__memory_bench {
    tern_bench_memory_options options; /* defaults filled in */
    tern_bench_row_fn visit;
    void *user;
    tern__peer peers[TERN__PEERS];
} tern__memory_bench;

/* A row without figures: every number is NaN, nothing is measured yet. */
tern_bench_row tern__row(const char *id, const char *what, const char *unit);

/* A count: one sample, no spread. */
void tern__row_count(tern_bench_row *row, double value);
/* Quantiles of `n` >= 1 samples, which are sorted in place. */
void tern__row_samples(tern_bench_row *row, double *samples, int64_t n);
/* Adds what else did the same work. */
void tern__row_peer(tern_bench_row *row, const char *name, double median, double p99);
void tern__row_peer_missing(tern_bench_row *row, const tern__peer *peer);

/* Judges the row by its numbers; a median that is NaN is NOT MEASURED. */
void tern__row_judge(tern_bench_row *row);
void tern__row_show(const tern__memory_bench *bench, tern_bench_row *row); /* judges first */

/* A measurement ended with `status`: what is short on this machine becomes a row NOT MEASURED with
 * the last error as its reason, and TERN_OK; anything else is returned. */
tern_status tern__row_failed(const tern__memory_bench *bench, tern_bench_row *row,
                             tern_status status);

/* The parts: T3 by size (memory_sizes.c), T3 over a live set (memory_speed.c), T5a to T5c
 * (memory_space.c), T5d and T5e (memory_safety.c). */
tern_status tern__memory_sizes(const tern__memory_bench *bench);
tern_status tern__memory_speed(const tern__memory_bench *bench);
tern_status tern__memory_space(const tern__memory_bench *bench);
tern_status tern__memory_safety(const tern__memory_bench *bench);

#endif
