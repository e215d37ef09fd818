/* SPDX-License-Identifier: MIT
 *
 * The memory of a context: one interface, two strategies (size classes up to 4 MiB, page runs
 * above), one owner.
 *
 *     owner thread ---- bins (a stack of addresses per class; no lock, no atomic instruction)
 *                         | refill / flush, many blocks at a time, under the lock
 *     other threads ----- slabs (classes < 32 KiB), page runs (from 32 KiB) -- source (pages)
 *          \ release ---- remote stack (lock-free) ---> taken by the owner's next refill
 *
 * The pool reads and writes nothing of the memory it manages, except the remote nodes in released
 * blocks and, at tracking level FULL, guard zones and poison.
 *
 * Owner: the creating thread until tern__pool_adopt. Its alloc and free go to the bins. When a bin
 * is empty it takes the remote stack, then refills from slabs or runs under the lock; a full bin
 * first grows (while refills of that class show that the blocks are wanted again), then flushes
 * half. Other threads allocate under the lock, and release to the remote stack or, when that is
 * full, closed or the pool's memory is no host memory, under the lock. At tracking levels SITES and
 * FULL every thread uses the bins under the lock.
 *
 * Life: destroy frees a pool whose blocks are all back. Abandon is for a pool whose user has gone:
 * the remote stack is closed, there is no owner any more, and whoever gives the last block back
 * frees the pool and calls `on_empty` (the caller itself, when nothing is live). Others may release
 * blocks meanwhile; the owner must not. From then on findings go to the log.
 *
 * Limit: the live bytes, counted as asked for, never exceed max_bytes (threads that do not own the
 * pool and allocate at the same time may each go beyond it by one block). When the limit refuses,
 * the remote stack is taken first; when the source refuses, everything free is given back, that of
 * all classes, and the allocation tried again. If that does not help, on_pressure is called once
 * and all of it tried once more; then the allocation fails and what exists stays valid.
 */
#ifndef TERN__POOL_H
#define TERN__POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tern/memory.h>

#include "memory/source.h"

typedef struct tern__pool tern__pool;

/* What a block is. Told again at release. */
typedef enum tern__block_kind {
    TERN__BLOCK_HEADER = 0, /* aligned to 16 */
    TERN__BLOCK_DATA = 1,   /* aligned to 64 */
    TERN__BLOCK_TENSOR = 2  /* flag: counts as one live tensor */
} tern__block_kind;

/* Who makes a block; kept at levels SITES and FULL only. The strings are static. */
typedef struct tern__note {
    const char *op;    /* "add" */
    const char *dtype; /* NULL: none */
    int rank;          /* -1: no shape */
    const int64_t *dims;
} tern__note;

typedef struct tern__pool_options {
    const tern__source *source; /* NULL: host pages */
    size_t max_bytes;           /* 0: none */
    tern_tracking tracking;
    tern_memory_event_fn on_event; /* NULL: findings go to the log */
    tern_memory_pressure_fn on_pressure;
    void *user;
} tern__pool_options;

/* TERN_E_ARGUMENT for an unknown tracking level, TERN_E_MEMORY. */
tern_status tern__pool_create(const tern__pool_options *options, tern__pool **pool);

/* Every block must be back, remote ones included. NULL is fine. */
void tern__pool_destroy(tern__pool *pool);

/* See "Life" above. NULL is fine. Reports nothing: see tern__pool_report_leaks. */
void tern__pool_abandon(tern__pool *pool, void (*on_empty)(void *user), void *user);

/* Pools of this process that have not ended: of contexts, and of destroyed contexts whose tensors
 * are alive. */
int64_t tern__pools_alive(void);

/* Every live block as LEAK events, one per site and op (level COUNTS, or when there is no memory to
 * sort them: one for all). Returns the sum of their counts: tensors, and blocks where no tensor was
 * made. */
int64_t tern__pool_report_leaks(tern__pool *pool);

/* Contents undefined; 0 bytes give a valid block. `note` may be NULL. TERN_E_MEMORY, TERN_E_LIMIT.
 * A block of kind HEADER is aligned to 16, of DATA to 64. */
tern_status tern__pool_alloc(tern__pool *pool, size_t bytes, unsigned kind, const tern__note *note,
                             void **block);
void tern__pool_free(tern__pool *pool, void *block, size_t bytes, unsigned kind); /* NULL is fine */

/* True when notes are kept, so that callers need not make them otherwise. */
bool tern__pool_keeps_notes(const tern__pool *pool);

/* A tensor whose block stays alive (its views need it) is released: counts it out. The block is
 * released later without the flag TENSOR. */
void tern__pool_tensor_gone(tern__pool *pool);

/* The library found out by itself that `address` was released before (a handle): reports it. */
void tern__pool_report_double(tern__pool *pool, const void *address);

/* The calling thread owns the pool from now on. No other thread may be using it. */
void tern__pool_adopt(tern__pool *pool);

/* When the calling thread is the owner: from now on nobody is. For a pool that will be abandoned,
 * by whichever thread, so that its former owner may still release blocks meanwhile. */
void tern__pool_disown(tern__pool *pool);

/* Tells that time passes: between steps. At most once in a second of the OS table's clock it gives
 * bins' blocks that were not needed since the last time back to slabs and runs (the owner's call;
 * others leave the bins alone), and pages that lay idle for TERN__DECAY_NS to the source. Slow
 * paths do it too, now and then. */
void tern__pool_tick(tern__pool *pool);
/* Gives everything free back (not what level FULL holds back; called by a thread that is not the
 * owner: not the bins either). Returns the committed bytes given back. */
size_t tern__pool_trim(tern__pool *pool);
/* Level FULL: looks for damage everywhere, reports it, returns how much there was. */
int64_t tern__pool_check(tern__pool *pool);

/* Stats, figures and verify take the lock without counting it in `locks`. */
tern_memory_stats tern__pool_stats(tern__pool *pool);
/* Walks all lists. */
void tern__pool_figures(tern__pool *pool, tern_memory_figures *figures);
/* The same, and false with a complaint in `text` when a running figure differs from the walked one
 * or the books contradict themselves. For tests. */
bool tern__pool_verify(tern__pool *pool, tern_memory_figures *figures, char *text,
                       size_t text_size);

/* Calls `visit` for what is alive, summed up by site and op, most bytes first (levels SITES, FULL;
 * nothing at COUNTS). `event` is filled as for a leak. TERN_E_MEMORY. No lock is held meanwhile. */
tern_status tern__pool_sites(tern__pool *pool, tern_memory_event_fn visit, void *user);

/* Records every allocation and release from now on; NULL ends it. For benchmarks; no other thread
 * may use the pool meanwhile. */
typedef void (*tern__pool_trace_fn)(void *user, const void *block, size_t bytes, unsigned kind,
                                    bool is_release);
void tern__pool_trace(tern__pool *pool, tern__pool_trace_fn trace, void *user);

#endif
