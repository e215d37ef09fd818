/* SPDX-License-Identifier: MIT
 * Tracking levels SITES and FULL: every call under the lock, the bins shared by all threads, a
 * record for each block (track.h). */
#include "memory/pool_state.h"

static void *take_raw(tern__pool *pool, int c, size_t raw_bytes) {
    if (c == TERN__CLASSES)
        return tern__large_take(pool, raw_bytes);
    tern__bin *bin = &pool->bins.bins[c];
    if (TERN__GET(bin->count) == 0) {
        tern__pool_spare(pool, c, raw_bytes);
        if (!tern__bin_refill(&pool->bins, c))
            return NULL;
    }
    return tern__bin_pop(bin, TERN__GET(bin->count));
}

static void give_raw(tern__pool *pool, int c, void *raw, size_t raw_bytes) {
    if (c == TERN__CLASSES) {
        tern__mark_free(pool, raw, tern__whole_pages(raw_bytes));
        tern__large_give(pool, raw, raw_bytes);
        return;
    }
    tern__bin *bin = &pool->bins.bins[c];
    tern__mark_free(pool, raw, tern__class_room(c));
    if (TERN__GET(bin->count) >= bin->capacity &&
        !tern__bin_grow(&pool->bins, c, tern__bins_bound(pool))) {
        if (bin->capacity == 0) {
            tern__stock_give(&pool->slabs, c, &raw, 1);
            TERN__SET(bin->moved, TERN__GET(bin->moved) - 1);
            return;
        }
        uint32_t half = (TERN__GET(bin->count) + 1) / 2;
        tern__bin_flush(&pool->bins, c, half);
        bin->is_wanted = false;
    }
    tern__bin_push(bin, TERN__GET(bin->count), raw);
}

/* As if the block had never been taken. */
static void untake_raw(tern__pool *pool, int c, void *raw, size_t raw_bytes) {
    give_raw(pool, c, raw, raw_bytes);
    if (c == TERN__CLASSES) {
        pool->other[c].allocs--;
        pool->other[c].frees--;
    } else {
        tern__bin *bin = &pool->bins.bins[c];
        TERN__SET(bin->allocs, TERN__GET(bin->allocs) - 1);
    }
}

static void *open_block(tern__pool *pool, size_t bytes, unsigned kind, const tern__note *note) {
    size_t raw_bytes;
    if (!tern__track_room(pool->track, bytes, &raw_bytes))
        return NULL;
    int c = tern__pool_class(raw_bytes, kind);
    void *raw = take_raw(pool, c, raw_bytes);
    if (raw == NULL)
        return NULL;
    tern__mark_used(pool, raw, raw_bytes,
                    c == TERN__CLASSES ? tern__whole_pages(raw_bytes) : tern__class_room(c));
    void *block = tern__track_open(pool->track, raw, bytes, kind, note);
    if (block == NULL)
        untake_raw(pool, c, raw, raw_bytes);
    return block;
}

tern__outcome tern__tracked_alloc(tern__pool *pool, size_t bytes, unsigned kind,
                                  const tern__note *note, void **block) {
    tern__outcome outcome = TERN__OVER_LIMIT;
    *block = NULL;
    tern__pool_lock(pool);
    if (tern__pool_fits(pool, bytes)) {
        *block = open_block(pool, bytes, kind, note);
        outcome = *block != NULL ? TERN__DONE : TERN__NO_MEMORY;
    }
    if (outcome == TERN__DONE)
        tern__owner_count_in(pool, bytes, kind);
    tern__pool_unlock(pool);
    return outcome;
}

/* -- release -----------------------------------------------------------------------------------*/

/* A release may find something about the block, and about blocks that leave the queue. */
enum { FINDINGS = 4 };

static void hold(tern__pool *pool, size_t bytes, unsigned kind) {
    size_t raw_bytes = 0;
    (void)tern__track_room(pool->track, bytes, &raw_bytes); /* as when it was made */
    int c = tern__pool_class(raw_bytes, kind);
    pool->held[c]++;
    if (c == TERN__CLASSES)
        pool->held_large_room += tern__whole_pages(raw_bytes);
}

static void give_evicted(tern__pool *pool, const tern__raw *freed) {
    int c = tern__pool_class(freed->raw_bytes, freed->kind);
    pool->held[c]--;
    if (c == TERN__CLASSES)
        pool->held_large_room -= tern__whole_pages(freed->raw_bytes);
    give_raw(pool, c, freed->raw, freed->raw_bytes);
}

/* Takes blocks out of the queue until there is none to take or `findings` is full. */
static int evict(tern__pool *pool, bool is_emptying, tern__finding *findings, int count) {
    tern__raw freed;
    while (count < FINDINGS) {
        findings[count].exists = false;
        if (!tern__track_evict(pool->track, is_emptying, &freed, &findings[count]))
            break;
        if (freed.raw != NULL)
            give_evicted(pool, &freed);
        count += findings[count].exists;
    }
    return count;
}

void tern__tracked_evict(tern__pool *pool) {
    tern__finding findings[FINDINGS];
    int count;
    do {
        tern__pool_lock(pool);
        tern__reporter reporter = tern__pool_reporter(pool);
        count = evict(pool, true, findings, 0);
        tern__pool_unlock(pool);
        for (int i = 0; i < count; i++)
            tern__report(&reporter, &findings[i]);
    } while (count == FINDINGS);
}

/* What is accepted has the size and the kind that were told. */
static bool close_block(tern__pool *pool, void *block, size_t bytes, unsigned kind,
                        tern__finding *finding) {
    tern__raw freed;
    if (!tern__track_close(pool->track, block, bytes, kind, NULL, &freed, finding))
        return false;
    tern__owner_count_out(pool, bytes, kind);
    pool->other_remote += TERN__GET(pool->home) != tern__thread_id();
    if (freed.raw == NULL)
        hold(pool, bytes, kind);
    else
        give_raw(pool, tern__pool_class(freed.raw_bytes, freed.kind), freed.raw, freed.raw_bytes);
    return true;
}

void tern__tracked_free(tern__pool *pool, void *block, size_t bytes, unsigned kind) {
    tern__finding findings[FINDINGS];
    findings[0].exists = false;
    tern__pool_lock(pool);
    tern__reporter reporter = tern__pool_reporter(pool);
    bool is_freed = close_block(pool, block, bytes, kind, &findings[0]);
    int count = findings[0].exists;
    if (pool->tracking == TERN_TRACK_FULL)
        count = evict(pool, false, findings, count);
    bool is_last = is_freed && pool->is_abandoned && --pool->left == 0;
    tern__pool_unlock(pool);
    for (int i = 0; i < count; i++) {
        if (findings[i].kind == TERN_MEMORY_FOREIGN_POINTER)
            tern__register_search(pool, &findings[i]);
        tern__report(&reporter, &findings[i]);
    }
    if (is_last)
        tern__pool_end(pool);
}

/* -- looking for damage ------------------------------------------------------------------------*/

bool tern__pool_keeps_notes(const tern__pool *pool) {
    return pool->track != NULL;
}

int64_t tern__pool_check(tern__pool *pool) {
    int64_t found = 0;
    size_t cursor = 0;
    if (pool->tracking != TERN_TRACK_FULL)
        return 0;
    for (;; found++) {
        tern__finding finding = {.exists = false};
        tern__pool_lock(pool);
        tern__reporter reporter = tern__pool_reporter(pool);
        bool is_more = tern__track_check(pool->track, &cursor, &finding);
        tern__pool_unlock(pool);
        if (!is_more)
            return found;
        tern__report(&reporter, &finding);
    }
}

void tern__pool_report_double(tern__pool *pool, const void *address) {
    tern__finding finding = {.exists = false};
    tern__pool_lock(pool);
    tern__reporter reporter = tern__pool_reporter(pool);
    const tern__record *live =
        pool->track != NULL ? tern__track_lookup(pool->track, address) : NULL;
    if (pool->track != NULL && live == NULL) {
        /* Nothing is alive there, so this is refused, and tells what was there. */
        tern__raw freed;
        (void)tern__track_close(pool->track, (void *)(uintptr_t)address, 0, TERN__BLOCK_HEADER,
                                NULL, &freed, &finding);
    }
    tern__pool_unlock(pool);
    if (!finding.exists || finding.kind != TERN_MEMORY_DOUBLE_RELEASE)
        finding = (tern__finding){.record = {.rank = -1}, .found = tern__site_current()};
    finding.exists = true;
    finding.kind = TERN_MEMORY_DOUBLE_RELEASE;
    finding.address = address;
    tern__report(&reporter, &finding);
}
