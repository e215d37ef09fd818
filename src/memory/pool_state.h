/* SPDX-License-Identifier: MIT
 *
 * The inside of a pool, for the files pool*.c.
 *
 * Who writes what. "owner" fields: the owner alone, with plain (relaxed) stores; at tracking levels
 * SITES and FULL there is no owner and the lock guards them. "other" fields: under the lock. Live
 * bytes are owner_live + other_live (each may be negative: a block made by one side may be released
 * by the other), and so on.
 *
 * Peak and limit cost the owner one comparison: invariant while no call of others is under way:
 * threshold <= min(peak, limit) - other_live. Whoever raises other_live sets the threshold to the
 * lowest value afterwards, and the owner, when it finds itself above the threshold, computes it
 * anew from other_live and looks at other_live once more (both sequentially consistent).
 */
#ifndef TERN__POOL_STATE_H
#define TERN__POOL_STATE_H

#include "base/threads.h"
#include "memory/bins.h"
#include "memory/poison.h"
#include "memory/pool.h"
#include "memory/remote.h"
#include "memory/track.h"

#define TERN__NO_OWNER UINT64_MAX

/* Calls of threads that do not own the pool, and of large blocks. */
typedef struct tern__calls {
    uint64_t allocs, frees, reused;
} tern__calls;

struct tern__pool {
    /* The owner's first line: all that the fast path needs besides a bin. */
    _Atomic uint64_t owner; /* thread that may take the fast path, or NO_OWNER */
    _Atomic int64_t owner_live, threshold;
    _Atomic int64_t owner_tensors, tensor_threshold;
    _Atomic bool is_counting; /* the owner has taken the remote stack and not yet counted it out */
    _Atomic uint64_t home; /* thread that owns the pool, whatever its path; NO_OWNER: abandoned */
    tern__track *track;    /* NULL at level COUNTS */
    void *allocation;      /* what to free: this structure lies inside, on a cache line */
    tern__bins bins;
    _Atomic uint64_t owner_remote; /* releases that came by the remote stack */

    char apart_1[128];
    tern__remote remote;
    char apart_2[128];

    tern__lock lock;
    uint64_t locks; /* times taken, figures apart */
    tern__runs *runs;
    tern__slabs slabs;
    _Atomic int64_t other_live, other_tensors;
    _Atomic int64_t peak, peak_tensors;
    tern__calls other[TERN__CLASSES + 1]; /* the last: blocks > TERN__CLASS_MAX, of all threads */
    size_t large_room;                    /* bytes of these, in whole pages */
    size_t large_runs;                    /* bytes of their runs, which may be longer */
    int64_t held[TERN__CLASSES + 1];      /* level FULL: released and held back */
    size_t held_large_room;
    uint64_t other_remote;
    uint64_t last_tick[2]; /* ns; of the owner, of other threads */
    uint64_t slow_calls;   /* of the owner */

    /* Never changes after create. */
    int64_t limit; /* INT64_MAX: none */
    size_t max_bytes;
    tern_tracking tracking;
    bool is_host;
    tern__source source;
    const tern__source *real_source;
    tern_memory_event_fn on_event;
    tern_memory_pressure_fn on_pressure;
    void *user;

    tern__pool_trace_fn trace;
    void *trace_user;

    /* Life. Under the lock. */
    bool is_abandoned;
    int64_t left; /* abandoned: blocks still alive */
    void (*on_empty)(void *user);
    void *empty_user;

    tern__pool *next_tracked; /* the register of tracked pools */
};

typedef enum tern__side { TERN__SIDE_OWNER, TERN__SIDE_OTHER, TERN__SIDE_TRACKED } tern__side;

static inline tern__side tern__pool_side_of(const tern__pool *pool) {
    if (pool->track != NULL)
        return TERN__SIDE_TRACKED;
    return TERN__GET(((tern__pool *)pool)->home) == tern__thread_id() ? TERN__SIDE_OWNER
                                                                      : TERN__SIDE_OTHER;
}

static inline void tern__pool_lock(tern__pool *pool) {
    tern__lock_acquire(&pool->lock);
    pool->locks++;
}

static inline void tern__pool_unlock(tern__pool *pool) {
    tern__lock_release(&pool->lock);
}

/* The class of a block, TERN__CLASSES for one beyond. */
static inline int tern__pool_class(size_t bytes, unsigned kind) {
    if (bytes > TERN__CLASS_MAX)
        return TERN__CLASSES;
    return tern__class_aligned(bytes, (kind & TERN__BLOCK_DATA) != 0 ? 64 : 16);
}

/* Another thread than the owner may see one half older than the other. */
static inline int64_t tern__pool_live(tern__pool *pool) {
    int64_t live = TERN__GET(pool->owner_live) + TERN__GET(pool->other_live);
    return live > 0 ? live : 0;
}

static inline bool tern__pool_fits(tern__pool *pool, size_t bytes) {
    return (int64_t)bytes <= pool->limit - tern__pool_live(pool);
}

static inline int64_t tern__is_tensor(unsigned kind) {
    return (kind & TERN__BLOCK_TENSOR) != 0;
}

static inline size_t tern__whole_pages(size_t bytes) {
    return (bytes + TERN__PAGE - 1) & ~(TERN__PAGE - 1);
}

/* What all bins of the owner together may bind in a small program, and how large its peak is. */
#define TERN__BINS_LEAST ((int64_t)512 << 10)
#define TERN__BINS_SMALL ((int64_t)8 << 20)

/* The same at any peak: an eighth of it, beyond what a small program has. */
static inline size_t tern__bins_bound(tern__pool *pool) {
    int64_t share = (TERN__GET(pool->peak) - TERN__BINS_SMALL) / 8;
    return (size_t)(share > TERN__BINS_LEAST ? share : TERN__BINS_LEAST);
}

/* Before a refill commits more for a block of so many bytes, the bins give all back. SIZE_MAX: they
 * do not, as their bound follows the peak. A fifth: with an eighth, pages given back for one step
 * of a program are committed again in the next (docs/memory.md). */
static inline size_t tern__pool_budget(tern__pool *pool, size_t bytes) {
    int64_t peak = TERN__GET(pool->peak), live = tern__pool_live(pool) + (int64_t)bytes;
    if (tern__bins_bound(pool) > (size_t)TERN__BINS_LEAST)
        return SIZE_MAX;
    peak = peak > live ? peak : live;
    return (size_t)(peak + (peak / 5 > TERN__BINS_LEAST ? peak / 5 : TERN__BINS_LEAST));
}

/* Marks what of a block's room may be used, from now on or no longer. */
static inline void tern__mark_used(const tern__pool *pool, void *block, size_t bytes, size_t room) {
    if (pool->is_host) {
        TERN__POISON(block, room);
        TERN__UNPOISON(block, bytes);
    }
    (void)block, (void)bytes, (void)room, (void)pool;
}

static inline void tern__mark_free(const tern__pool *pool, void *block, size_t room) {
    if (pool->is_host)
        TERN__POISON(block, room);
    (void)block, (void)room, (void)pool;
}

/* -- pool.c ------------------------------------------------------------------------------------*/

/* Owner (or tracked, under the lock): counts a block in, out. */
void tern__owner_count_in(tern__pool *pool, size_t bytes, unsigned kind);
void tern__owner_count_out(tern__pool *pool, size_t bytes, unsigned kind);

/* Owner, without the lock: the remote stack's blocks go to the bins. */
void tern__owner_drain(tern__pool *pool);
/* The same under the lock, by any thread: they go to slabs and runs. */
void tern__other_drain(tern__pool *pool);
void tern__other_give_nodes(tern__pool *pool, tern__remote_node *node);

/* Empties the bins when a block of so many bytes would take the pool beyond its budget. The owner's
 * call, or tracked; the lock is held. */
void tern__pool_spare(tern__pool *pool, int size_class, size_t bytes);
/* A large block; the lock is held. NULL: no memory. */
void *tern__large_take(tern__pool *pool, size_t bytes);
void tern__large_give(tern__pool *pool, void *block, size_t bytes);

/* Frees an abandoned pool whose last block came back. No lock is held. */
void tern__pool_end(tern__pool *pool);

int64_t tern__pool_live_blocks(tern__pool *pool);

/* -- pool_tracked.c: levels SITES and FULL -----------------------------------------------------*/

typedef enum tern__outcome {
    TERN__DONE,
    TERN__NO_MEMORY,
    TERN__OVER_LIMIT,
} tern__outcome;

tern__outcome tern__tracked_alloc(tern__pool *pool, size_t bytes, unsigned kind,
                                  const tern__note *note, void **block);
void tern__tracked_free(tern__pool *pool, void *block, size_t bytes, unsigned kind);
/* Gives back all that is held back (level FULL). */
void tern__tracked_evict(tern__pool *pool);

/* -- pool_events.c -----------------------------------------------------------------------------*/

/* Where findings go. A copy, for use after the pool's lock is released. */
typedef struct tern__reporter {
    tern_memory_event_fn on_event; /* NULL: the log */
    void *user;
} tern__reporter;

/* The lock is held. */
tern__reporter tern__pool_reporter(const tern__pool *pool);
/* No lock is held. */
void tern__report(const tern__reporter *reporter, const tern__finding *finding);
void tern__report_event(const tern__reporter *reporter, tern_memory_event *event);

/* The register of tracked pools. */
void tern__register_add(tern__pool *pool);
void tern__register_remove(tern__pool *pool);
/* Makes FOREIGN_POINTER to WRONG_POOL when `address` is a live block of another pool. */
void tern__register_search(const tern__pool *besides, tern__finding *finding);

#endif
