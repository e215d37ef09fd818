/* SPDX-License-Identifier: MIT
 * The way of a block: the owner's fast path, the slow paths, the remote stack, the limit. */
#include "memory/pool.h"

#include <assert.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "memory/pool_state.h"

#define NOINLINE __attribute__((noinline))

/* How often the owner's slow path looks at the clock. */
#define SLOW_CALLS_PER_TICK 1024

/* -- counting ----------------------------------------------------------------------------------*/

static void raise_peak(_Atomic int64_t *peak, int64_t value) {
    int64_t before = TERN__GET(*peak);
    while (before < value && !atomic_compare_exchange_weak_explicit(
                                 peak, &before, value, memory_order_relaxed, memory_order_relaxed))
        ;
}

/* Notes a peak, computes the threshold anew. See pool_state.h. */
static void settle(_Atomic int64_t *threshold, _Atomic int64_t *peak, int64_t own,
                   _Atomic int64_t *others, int64_t limit) {
    int64_t other;
    do {
        other = atomic_load(others);
        raise_peak(peak, own + other);
        int64_t most = TERN__GET(*peak);
        atomic_store(threshold, (most < limit ? most : limit) - other);
    } while (atomic_load(others) != other);
}

void tern__owner_count_in(tern__pool *pool, size_t bytes, unsigned kind) {
    if (TERN__GET(pool->owner_live) + (int64_t)bytes > TERN__GET(pool->threshold))
        tern__owner_drain(pool); /* else what others released would be part of the peak */
    int64_t live = TERN__GET(pool->owner_live) + (int64_t)bytes;
    int64_t tensors = TERN__GET(pool->owner_tensors) + tern__is_tensor(kind);
    TERN__SET(pool->owner_live, live);
    TERN__SET(pool->owner_tensors, tensors);
    if (live > TERN__GET(pool->threshold))
        settle(&pool->threshold, &pool->peak, live, &pool->other_live, pool->limit);
    if (tensors > TERN__GET(pool->tensor_threshold))
        settle(&pool->tensor_threshold, &pool->peak_tensors, tensors, &pool->other_tensors,
               INT64_MAX);
}

void tern__owner_count_out(tern__pool *pool, size_t bytes, unsigned kind) {
    TERN__SET(pool->owner_live, TERN__GET(pool->owner_live) - (int64_t)bytes);
    TERN__SET(pool->owner_tensors, TERN__GET(pool->owner_tensors) - tern__is_tensor(kind));
}

/* The lock is held. */
static void other_count_in(tern__pool *pool, size_t bytes, unsigned kind) {
    atomic_store(&pool->other_live, TERN__GET(pool->other_live) + (int64_t)bytes);
    atomic_store(&pool->threshold, INT64_MIN);
    raise_peak(&pool->peak, tern__pool_live(pool));
    if (tern__is_tensor(kind)) {
        atomic_store(&pool->other_tensors, TERN__GET(pool->other_tensors) + 1);
        atomic_store(&pool->tensor_threshold, INT64_MIN);
        raise_peak(&pool->peak_tensors,
                   TERN__GET(pool->owner_tensors) + TERN__GET(pool->other_tensors));
    }
}

static void other_count_out(tern__pool *pool, size_t bytes, unsigned kind) {
    atomic_store(&pool->other_live, TERN__GET(pool->other_live) - (int64_t)bytes);
    atomic_store(&pool->other_tensors, TERN__GET(pool->other_tensors) - tern__is_tensor(kind));
}

int64_t tern__pool_live_blocks(tern__pool *pool) {
    uint64_t live = 0;
    for (int c = 0; c < TERN__CLASSES; c++)
        live += TERN__GET(pool->bins.bins[c].moved) - TERN__GET(pool->bins.bins[c].count);
    for (int c = 0; c <= TERN__CLASSES; c++)
        live += pool->other[c].allocs - pool->other[c].frees - (uint64_t)pool->held[c];
    return (int64_t)live;
}

/* -- large blocks, and those of other threads: under the lock ----------------------------------*/

/* Bytes of its run, which may be longer than needed. */
static size_t run_bytes(const tern__pool *pool, const void *run) {
    tern__arena *arena;
    size_t page;
    bool is_found = tern__runs_find(pool->runs, run, &arena, &page);
    assert(is_found), (void)is_found;
    return tern__run_bytes(arena, page);
}

void *tern__large_take(tern__pool *pool, size_t bytes) {
    bool is_reused;
    void *block = tern__runs_take(pool->runs, bytes, &is_reused);
    if (block == NULL)
        return NULL;
    tern__calls *calls = &pool->other[TERN__CLASSES];
    calls->allocs++;
    calls->reused += is_reused;
    pool->large_room += tern__whole_pages(bytes);
    pool->large_runs += run_bytes(pool, block);
    return block;
}

void tern__large_give(tern__pool *pool, void *block, size_t bytes) {
    pool->large_room -= tern__whole_pages(bytes);
    pool->large_runs -= run_bytes(pool, block);
    pool->other[TERN__CLASSES].frees++;
    tern__runs_give(pool->runs, block, bytes);
}

static void other_give(tern__pool *pool, void *block, size_t bytes, unsigned kind) {
    int c = tern__pool_class(bytes, kind);
    if (c == TERN__CLASSES) {
        tern__mark_free(pool, block, tern__whole_pages(bytes));
        tern__large_give(pool, block, bytes);
    } else {
        tern__mark_free(pool, block, tern__class_room(c));
        tern__stock_give(&pool->slabs, c, &block, 1);
        pool->other[c].frees++;
    }
    pool->other_remote++;
    other_count_out(pool, bytes, kind);
}

/* Until the owner, who takes no lock meanwhile, has counted what it took from the stack. */
static void await_count(tern__pool *pool) {
    while (atomic_load(&pool->is_counting))
        ;
}

static tern__outcome other_alloc(tern__pool *pool, size_t bytes, unsigned kind, void **block_out) {
    int c = tern__pool_class(bytes, kind), fresh = 0;
    void *block = NULL;
    tern__pool_lock(pool);
    if (!tern__pool_fits(pool, bytes)) {
        await_count(pool);
        tern__other_drain(pool);
    }
    bool fits = tern__pool_fits(pool, bytes);
    if (fits && c == TERN__CLASSES) {
        block = tern__large_take(pool, bytes);
    } else if (fits && tern__stock_take(&pool->slabs, c, &block, 1, &fresh) == 1) {
        pool->other[c].allocs++;
        pool->other[c].reused += fresh == 0;
    } else {
        block = NULL;
    }
    if (block != NULL)
        other_count_in(pool, bytes, kind);
    tern__pool_unlock(pool);
    *block_out = block;
    return block != NULL ? TERN__DONE : fits ? TERN__NO_MEMORY : TERN__OVER_LIMIT;
}

/* -- the remote stack --------------------------------------------------------------------------*/

/* Room for 2 bits of kind; classes end far below 2^62 bytes. */
static uint64_t remote_code(size_t bytes, unsigned kind) {
    return (uint64_t)bytes << 2 | kind;
}

void tern__other_give_nodes(tern__pool *pool, tern__remote_node *node) {
    while (node != NULL) {
        tern__remote_node *next = node->next;
        uint64_t what = node->what;
        other_give(pool, node, (size_t)(what >> 2), (unsigned)(what & 3));
        node = next;
    }
}

void tern__other_drain(tern__pool *pool) {
    tern__other_give_nodes(pool, tern__remote_take(&pool->remote));
}

static void other_free(tern__pool *pool, void *block, size_t bytes, unsigned kind) {
    if (pool->is_host && bytes <= TERN__CLASS_MAX) {
        TERN__UNPOISON(block, sizeof(tern__remote_node));
        if (tern__remote_push(&pool->remote, block, remote_code(bytes, kind)))
            return;
    }
    tern__pool_lock(pool);
    tern__other_drain(pool);
    other_give(pool, block, bytes, kind);
    bool is_last = pool->is_abandoned && --pool->left == 0;
    tern__pool_unlock(pool);
    if (is_last)
        tern__pool_end(pool);
}

/* -- the owner ---------------------------------------------------------------------------------*/

/* A full bin: grows, or gives half back. False: it can hold nothing. */
static bool make_room(tern__pool *pool, int size_class) {
    tern__bin *bin = &pool->bins.bins[size_class];
    if (tern__bin_grow(&pool->bins, size_class, tern__bins_bound(pool)))
        return true;
    if (bin->capacity == 0)
        return false;
    tern__pool_lock(pool);
    tern__bin_flush(&pool->bins, size_class, (TERN__GET(bin->count) + 1) / 2);
    tern__pool_unlock(pool);
    bin->is_wanted = false;
    return true;
}

/* Takes a block back that is counted out already. */
static void owner_give(tern__pool *pool, void *block, size_t bytes, unsigned kind) {
    int c = tern__pool_class(bytes, kind);
    if (c == TERN__CLASSES) {
        tern__mark_free(pool, block, tern__whole_pages(bytes));
        tern__pool_lock(pool);
        tern__large_give(pool, block, bytes);
        tern__pool_unlock(pool);
        return;
    }
    tern__bin *bin = &pool->bins.bins[c];
    tern__mark_free(pool, block, tern__class_room(c));
    if (TERN__GET(bin->count) < bin->capacity || make_room(pool, c)) {
        tern__bin_push(bin, TERN__GET(bin->count), block);
    } else {
        tern__pool_lock(pool);
        tern__stock_give(&pool->slabs, c, &block, 1);
        tern__pool_unlock(pool);
        TERN__SET(bin->moved, TERN__GET(bin->moved) - 1);
    }
}

static void owner_free(tern__pool *pool, void *block, size_t bytes, unsigned kind) {
    tern__owner_count_out(pool, bytes, kind);
    owner_give(pool, block, bytes, kind);
}

/* What is on the way from the stack to the counters would count twice for a thread at the limit:
 * so all of it is counted out first, and such a thread waits for that (await_count). */
void tern__owner_drain(tern__pool *pool) {
    atomic_store(&pool->is_counting, true);
    tern__remote_node *first = tern__remote_take(&pool->remote);
    for (tern__remote_node *node = first; node != NULL; node = node->next)
        tern__owner_count_out(pool, (size_t)(node->what >> 2), (unsigned)(node->what & 3));
    atomic_store(&pool->is_counting, false);
    while (first != NULL) {
        tern__remote_node *next = first->next;
        uint64_t what = first->what;
        owner_give(pool, first, (size_t)(what >> 2), (unsigned)(what & 3));
        TERN__SET(pool->owner_remote, TERN__GET(pool->owner_remote) + 1);
        first = next;
    }
}

void tern__pool_spare(tern__pool *pool, int size_class, size_t bytes) {
    size_t budget = tern__pool_budget(pool, bytes);
    if (tern__stock_would_exceed(&pool->slabs, size_class, budget))
        tern__bins_flush(&pool->bins);
}

static bool owner_refill(tern__pool *pool, int size_class, size_t bytes) {
    tern__owner_drain(pool);
    if (TERN__GET(pool->bins.bins[size_class].count) != 0)
        return true;
    tern__pool_lock(pool);
    tern__pool_spare(pool, size_class, bytes);
    bool is_filled = tern__bin_refill(&pool->bins, size_class);
    tern__pool_unlock(pool);
    return is_filled;
}

static tern__outcome owner_alloc(tern__pool *pool, size_t bytes, unsigned kind, void **block_out) {
    if (!tern__pool_fits(pool, bytes)) {
        tern__owner_drain(pool);
        tern__pool_lock(pool); /* another thread may be counting what it took */
        tern__pool_unlock(pool);
        if (!tern__pool_fits(pool, bytes))
            return TERN__OVER_LIMIT;
    }
    int c = tern__pool_class(bytes, kind);
    void *block;
    size_t room;
    if (c == TERN__CLASSES) {
        tern__pool_lock(pool);
        block = tern__large_take(pool, bytes);
        tern__pool_unlock(pool);
        room = tern__whole_pages(bytes);
        if (block == NULL)
            return TERN__NO_MEMORY;
    } else {
        tern__bin *bin = &pool->bins.bins[c];
        if (TERN__GET(bin->count) == 0 && !owner_refill(pool, c, bytes))
            return TERN__NO_MEMORY;
        block = tern__bin_pop(bin, TERN__GET(bin->count));
        room = tern__class_room(c);
    }
    tern__mark_used(pool, block, bytes, room);
    tern__owner_count_in(pool, bytes, kind);
    *block_out = block;
    return TERN__DONE;
}

/* -- failure -----------------------------------------------------------------------------------*/

/* The pools whose on_pressure this thread is in: allocations from them fail at once. */
typedef struct pressure {
    const tern__pool *pool;
    const struct pressure *outer;
} pressure;

static _Thread_local const pressure *pressures;

static bool is_under_pressure(const tern__pool *pool) {
    for (const pressure *p = pressures; p != NULL; p = p->outer)
        if (p->pool == pool)
            return true;
    return false;
}

static void call_pressure(tern__pool *pool, size_t bytes) {
    pressure here = {pool, pressures};
    uint64_t gate = TERN__GET(pool->owner);
    bool is_own = gate == tern__thread_id();
    pressures = &here;
    if (is_own)
        TERN__SET(pool->owner, TERN__NO_OWNER); /* its allocations go the slow way and fail */
    pool->on_pressure(pool->user, bytes);
    if (is_own)
        TERN__SET(pool->owner, gate);
    pressures = here.outer;
}

/* Gives everything free back; returns the bytes. */
static size_t relieve(tern__pool *pool, tern__side side) {
    if (side == TERN__SIDE_OWNER)
        tern__owner_drain(pool);
    tern__pool_lock(pool);
    if (side == TERN__SIDE_OTHER)
        tern__other_drain(pool);
    else
        tern__bins_flush(&pool->bins);
    size_t bytes = tern__runs_trim(pool->runs);
    tern__pool_unlock(pool);
    return bytes;
}

static tern__outcome try_alloc(tern__pool *pool, tern__side side, size_t bytes, unsigned kind,
                               const tern__note *note, void **block) {
    if (side == TERN__SIDE_TRACKED)
        return tern__tracked_alloc(pool, bytes, kind, note, block);
    if (side == TERN__SIDE_OWNER)
        return owner_alloc(pool, bytes, kind, block);
    tern__outcome outcome = other_alloc(pool, bytes, kind, block);
    if (outcome == TERN__DONE) {
        int c = tern__pool_class(bytes, kind);
        tern__mark_used(pool, *block, bytes,
                        c == TERN__CLASSES ? tern__whole_pages(bytes) : tern__class_room(c));
    }
    return outcome;
}

static tern_status refuse(tern__pool *pool, tern__outcome outcome, size_t bytes) {
    int64_t live = tern__pool_live(pool);
    size_t in_use = live > 0 ? (size_t)live : 0;
    if (outcome == TERN__OVER_LIMIT)
        return tern__fail(TERN_E_LIMIT,
                          "memory: %zu bytes more than the %zu in use exceed the limit of %zu",
                          bytes, in_use, pool->max_bytes);
    if (pool->max_bytes == 0)
        return tern__fail(TERN_E_MEMORY, "memory: no %zu bytes more than the %zu in use (no limit)",
                          bytes, in_use);
    return tern__fail(TERN_E_MEMORY, "memory: no %zu bytes more than the %zu in use (limit %zu)",
                      bytes, in_use, pool->max_bytes);
}

NOINLINE static tern_status alloc_slow(tern__pool *pool, size_t bytes, unsigned kind,
                                       const tern__note *note, void **block) {
    *block = NULL;
    if (bytes > PTRDIFF_MAX / 2)
        return tern__fail(TERN_E_MEMORY, "memory: a block of %zu bytes cannot exist", bytes);
    tern__side side = tern__pool_side_of(pool);
    if (side == TERN__SIDE_OWNER && ++pool->slow_calls % SLOW_CALLS_PER_TICK == 0)
        tern__pool_tick(pool);
    if (is_under_pressure(pool))
        return refuse(pool, tern__pool_fits(pool, bytes) ? TERN__NO_MEMORY : TERN__OVER_LIMIT,
                      bytes);
    tern__outcome outcome;
    for (int pass = 0;; pass++) {
        outcome = try_alloc(pool, side, bytes, kind, note, block);
        if (outcome == TERN__NO_MEMORY) {
            if (side == TERN__SIDE_TRACKED)
                tern__tracked_evict(pool);
            relieve(pool, side);
            outcome = try_alloc(pool, side, bytes, kind, note, block);
        }
        if (outcome == TERN__DONE || pass == 1 || pool->on_pressure == NULL)
            break;
        call_pressure(pool, bytes);
    }
    if (outcome != TERN__DONE)
        return refuse(pool, outcome, bytes);
    if (pool->trace != NULL)
        pool->trace(pool->trace_user, *block, bytes, kind, false);
    return TERN_OK;
}

/* -- the way in --------------------------------------------------------------------------------*/

tern_status tern__pool_alloc(tern__pool *pool, size_t bytes, unsigned kind, const tern__note *note,
                             void **block) {
    if (TERN__GET(pool->owner) == tern__thread_number && bytes <= TERN__CLASS_MAX) {
        int c = tern__pool_class(bytes, kind);
        tern__bin *bin = &pool->bins.bins[c];
        uint32_t count = TERN__GET(bin->count);
        int64_t live = TERN__GET(pool->owner_live) + (int64_t)bytes;
        int64_t tensors = TERN__GET(pool->owner_tensors) + tern__is_tensor(kind);
        if (count != 0 && live <= TERN__GET(pool->threshold) &&
            tensors <= TERN__GET(pool->tensor_threshold)) {
            TERN__SET(pool->owner_live, live);
            TERN__SET(pool->owner_tensors, tensors);
            *block = tern__bin_pop(bin, count);
            tern__mark_used(pool, *block, bytes, tern__class_room(c));
            return TERN_OK;
        }
    }
    return alloc_slow(pool, bytes, kind, note, block);
}

NOINLINE static void free_slow(tern__pool *pool, void *block, size_t bytes, unsigned kind) {
    if (pool->trace != NULL)
        pool->trace(pool->trace_user, block, bytes, kind, true);
    switch (tern__pool_side_of(pool)) {
    case TERN__SIDE_OWNER:
        owner_free(pool, block, bytes, kind);
        break;
    case TERN__SIDE_OTHER:
        other_free(pool, block, bytes, kind);
        break;
    case TERN__SIDE_TRACKED:
        tern__tracked_free(pool, block, bytes, kind);
        break;
    }
}

void tern__pool_free(tern__pool *pool, void *block, size_t bytes, unsigned kind) {
    if (block == NULL)
        return;
    if (TERN__GET(pool->owner) == tern__thread_number && bytes <= TERN__CLASS_MAX) {
        int c = tern__pool_class(bytes, kind);
        tern__bin *bin = &pool->bins.bins[c];
        uint32_t count = TERN__GET(bin->count);
        if (count < bin->capacity) {
            tern__mark_free(pool, block, tern__class_room(c));
            tern__bin_push(bin, count, block);
            TERN__SET(pool->owner_live, TERN__GET(pool->owner_live) - (int64_t)bytes);
            TERN__SET(pool->owner_tensors, TERN__GET(pool->owner_tensors) - tern__is_tensor(kind));
            return;
        }
    }
    free_slow(pool, block, bytes, kind);
}

void tern__pool_tensor_gone(tern__pool *pool) {
    tern__side side = tern__pool_side_of(pool);
    if (side == TERN__SIDE_OWNER) {
        tern__owner_count_out(pool, 0, TERN__BLOCK_TENSOR);
        return;
    }
    tern__pool_lock(pool);
    if (side == TERN__SIDE_TRACKED)
        tern__owner_count_out(pool, 0, TERN__BLOCK_TENSOR);
    else
        other_count_out(pool, 0, TERN__BLOCK_TENSOR);
    tern__pool_unlock(pool);
}

/* -- care --------------------------------------------------------------------------------------*/

void tern__pool_tick(tern__pool *pool) {
    tern__side side = tern__pool_side_of(pool);
    uint64_t now = tern__os()->clock_ns();
    const uint64_t second = UINT64_C(1000000000);
    if (side == TERN__SIDE_OWNER) {
        if (now - pool->last_tick[0] < second)
            return;
        tern__owner_drain(pool);
    }
    tern__pool_lock(pool);
    uint64_t *last = &pool->last_tick[side == TERN__SIDE_OTHER];
    if (now - *last >= second) {
        *last = now;
        tern__runs_set_time(pool->runs, now);
        if (side != TERN__SIDE_OTHER)
            tern__bins_shrink(&pool->bins);
        tern__runs_decay(pool->runs);
    }
    tern__pool_unlock(pool);
}

size_t tern__pool_trim(tern__pool *pool) {
    return relieve(pool, tern__pool_side_of(pool));
}
