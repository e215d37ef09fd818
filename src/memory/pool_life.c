/* SPDX-License-Identifier: MIT
 * Making, owning, abandoning and ending a pool. */
#include <assert.h>
#include <stdatomic.h>

#include "base/os.h"
#include "base/status.h"
#include "memory/pool_state.h"

enum { CACHE_LINE = 64 };

static _Atomic int64_t pools_alive;

int64_t tern__pools_alive(void) {
    return atomic_load_explicit(&pools_alive, memory_order_relaxed);
}

#if defined(TERN__POISONS)
static void *map_pages(void *user, size_t bytes) {
    const tern__source *source = ((tern__pool *)user)->real_source;
    return source->map(source->user, bytes);
}

/* Whoever gets these addresses next may use them. */
static void unmap_pages(void *user, void *pages, size_t bytes) {
    const tern__source *source = ((tern__pool *)user)->real_source;
    if (source->is_host)
        TERN__UNPOISON(pages, bytes);
    source->unmap(source->user, pages, bytes);
}

static void drop_pages(void *user, void *pages, size_t bytes) {
    const tern__source *source = ((tern__pool *)user)->real_source;
    source->drop(source->user, pages, bytes);
}

static void huge_pages(void *user, void *pages, size_t bytes) {
    const tern__source *source = ((tern__pool *)user)->real_source;
    source->huge(source->user, pages, bytes);
}
#endif

static void set_source(tern__pool *pool, const tern__source *source) {
    pool->real_source = source;
    pool->source = *source;
    pool->is_host = source->is_host;
#if defined(TERN__POISONS)
    pool->source.user = pool;
    pool->source.map = map_pages;
    pool->source.unmap = unmap_pages;
    pool->source.drop = source->drop != NULL ? drop_pages : NULL;
    pool->source.huge = source->huge != NULL ? huge_pages : NULL;
#endif
}

static void free_structure(tern__pool *pool) {
    tern__track_destroy(pool->track);
    tern__runs_destroy(pool->runs);
    tern__lock_deinit(&pool->lock);
    tern__os()->free(pool->allocation);
}

static void set_options(tern__pool *pool, const tern__pool_options *options) {
    pool->max_bytes = options->max_bytes;
    pool->limit = options->max_bytes != 0 && options->max_bytes < INT64_MAX
                      ? (int64_t)options->max_bytes
                      : INT64_MAX;
    pool->tracking = options->tracking;
    pool->on_event = options->on_event;
    pool->on_pressure = options->on_pressure;
    pool->user = options->user;
    set_source(pool, options->source != NULL ? options->source : &tern__host_source);
}

tern_status tern__pool_create(const tern__pool_options *options, tern__pool **pool_out) {
    *pool_out = NULL;
    if ((unsigned)options->tracking > TERN_TRACK_FULL)
        return tern__fail(TERN_E_ARGUMENT, "memory: there is no tracking level %d",
                          (int)options->tracking);
    void *allocation = tern__os()->alloc(sizeof(tern__pool) + CACHE_LINE);
    if (allocation == NULL)
        return tern__fail(TERN_E_MEMORY, "memory: no memory for a pool");
    tern__pool *pool =
        (tern__pool *)(((uintptr_t)allocation + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
    pool->allocation = allocation;
    tern__lock_init(&pool->lock);
    set_options(pool, options);
    bool is_tracked = options->tracking != TERN_TRACK_COUNTS;
    pool->runs = tern__runs_create(&pool->source);
    if (is_tracked)
        pool->track = tern__track_create(options->tracking, pool->is_host);
    if (pool->runs == NULL || (is_tracked && pool->track == NULL)) {
        free_structure(pool);
        return tern__fail(TERN_E_MEMORY, "memory: no memory for the books of a pool");
    }
    tern__slabs_init(&pool->slabs, pool->runs);
    tern__bins_init(&pool->bins, &pool->slabs);
    pool->last_tick[0] = pool->last_tick[1] = tern__os()->clock_ns();
    tern__runs_set_time(pool->runs, pool->last_tick[0]);
    tern__pool_adopt(pool);
    if (is_tracked)
        tern__register_add(pool);
    atomic_fetch_add_explicit(&pools_alive, 1, memory_order_relaxed);
    *pool_out = pool;
    return TERN_OK;
}

/* The owner may take the fast path unless every call must be seen. */
static void set_owner(tern__pool *pool, uint64_t thread) {
    bool is_fast = pool->track == NULL && pool->trace == NULL;
    TERN__SET(pool->home, thread);
    TERN__SET(pool->owner, is_fast ? thread : TERN__NO_OWNER);
}

void tern__pool_adopt(tern__pool *pool) {
    set_owner(pool, tern__thread_id());
}

void tern__pool_disown(tern__pool *pool) {
    if (TERN__GET(pool->home) != tern__thread_id())
        return;
    tern__pool_lock(pool);
    set_owner(pool, TERN__NO_OWNER);
    tern__bins_flush(&pool->bins);
    tern__pool_unlock(pool);
}

void tern__pool_trace(tern__pool *pool, tern__pool_trace_fn trace, void *user) {
    pool->trace = trace;
    pool->trace_user = user;
    set_owner(pool, TERN__GET(pool->home));
}

/* Every block is back. */
static void end(tern__pool *pool) {
    if (pool->track != NULL) {
        tern__register_remove(pool);
        tern__tracked_evict(pool);
    }
    tern__lock_acquire(&pool->lock);
    tern__bins_flush(&pool->bins);
    tern__lock_release(&pool->lock);
    tern__bins_deinit(&pool->bins);
    free_structure(pool);
    atomic_fetch_sub_explicit(&pools_alive, 1, memory_order_relaxed);
}

void tern__pool_destroy(tern__pool *pool) {
    if (pool == NULL)
        return;
    tern__lock_acquire(&pool->lock);
    tern__other_drain(pool);
    tern__lock_release(&pool->lock);
    assert(tern__pool_live_blocks(pool) == 0);
    end(pool);
}

void tern__pool_end(tern__pool *pool) {
    void (*on_empty)(void *user) = pool->on_empty;
    void *user = pool->empty_user;
    end(pool);
    if (on_empty != NULL)
        on_empty(user);
}

void tern__pool_abandon(tern__pool *pool, void (*on_empty)(void *user), void *user) {
    if (pool == NULL)
        return;
    tern__pool_lock(pool);
    set_owner(pool, TERN__NO_OWNER);
    tern__other_give_nodes(pool, tern__remote_close(&pool->remote));
    tern__bins_flush(&pool->bins);
    pool->on_empty = on_empty;
    pool->empty_user = user;
    pool->is_abandoned = true;
    pool->left = tern__pool_live_blocks(pool);
    bool is_empty = pool->left == 0;
    tern__pool_unlock(pool);
    if (is_empty)
        tern__pool_end(pool);
}
