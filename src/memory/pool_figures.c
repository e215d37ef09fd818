/* SPDX-License-Identifier: MIT
 * What a pool knows about itself. */
#include <stdio.h>
#include <string.h>

#include "memory/pool_state.h"

_Static_assert(TERN__CLASSES + 1 <= TERN_MEMORY_CLASSES, "figures have room for every class");

static size_t not_negative(int64_t value) {
    return value > 0 ? (size_t)value : 0;
}

/* Takes the lock, after the remote stack was taken by whoever may. Not counted. */
static void lock_drained(tern__pool *pool) {
    tern__side side = tern__pool_side_of(pool);
    if (side == TERN__SIDE_OWNER)
        tern__owner_drain(pool);
    tern__lock_acquire(&pool->lock);
    if (side == TERN__SIDE_OTHER)
        tern__other_drain(pool);
}

static tern_memory_stats stats_locked(tern__pool *pool, const tern__runs_figures *runs) {
    return (tern_memory_stats){
        .live_bytes = (size_t)tern__pool_live(pool),
        .peak_bytes = (size_t)TERN__GET(pool->peak),
        .committed_bytes = runs->live_bytes + runs->dirty_bytes,
        .mapped_bytes = runs->mapped_bytes,
        .live_tensors =
            (int64_t)not_negative(TERN__GET(pool->owner_tensors) + TERN__GET(pool->other_tensors)),
        .peak_tensors = TERN__GET(pool->peak_tensors),
    };
}

tern_memory_stats tern__pool_stats(tern__pool *pool) {
    lock_drained(pool);
    tern__runs_figures runs = tern__runs_figures_get(pool->runs);
    tern_memory_stats stats = stats_locked(pool, &runs);
    tern__lock_release(&pool->lock);
    return stats;
}

/* One class, and its part of the sums. */
static void add_class(tern__pool *pool, int c, tern_memory_figures *figures) {
    tern__bin *bin = &pool->bins.bins[c];
    const tern__calls *other = &pool->other[c];
    tern_memory_class *entry = &figures->classes[c];
    size_t room = tern__class_room(c);
    uint64_t allocs = TERN__GET(bin->allocs) + other->allocs;
    uint64_t frees = tern__bin_frees(bin) + other->frees + (uint64_t)pool->held[c];
    entry->room = room;
    entry->calls = allocs;
    entry->reused = tern__bin_reused(bin) + other->reused;
    entry->live_blocks = (int64_t)not_negative((int64_t)(allocs - frees));
    entry->free_blocks = TERN__GET(bin->count);
    if (c < TERN__SLAB_CLASSES)
        entry->free_blocks +=
            pool->slabs.slab_count[c] * pool->slabs.blocks[c] - pool->slabs.live_blocks[c];
    figures->allocations += allocs;
    figures->releases += frees;
    figures->live_blocks += entry->live_blocks;
    figures->room_bytes += (size_t)entry->live_blocks * room;
    figures->free_bytes += (size_t)entry->free_blocks * room;
}

static void add_large(tern__pool *pool, tern_memory_figures *figures) {
    const tern__calls *large = &pool->other[TERN__CLASSES];
    tern_memory_class *entry = &figures->classes[TERN__CLASSES];
    uint64_t frees = large->frees + (uint64_t)pool->held[TERN__CLASSES];
    entry->calls = large->allocs;
    entry->reused = large->reused;
    entry->live_blocks = (int64_t)(large->allocs - frees);
    figures->allocations += large->allocs;
    figures->releases += frees;
    figures->live_blocks += entry->live_blocks;
    figures->room_bytes += pool->large_room - pool->held_large_room;
}

static void fill(tern__pool *pool, const tern__runs_figures *runs, tern_memory_figures *figures) {
    *figures = (tern_memory_figures){
        .tracking = pool->tracking,
        .stats = stats_locked(pool, runs),
        .max_bytes = pool->max_bytes,
        .free_bytes = runs->dirty_bytes,
        .largest_free_run = runs->largest_dirty,
        .bookkeeping_bytes =
            runs->bookkeeping_bytes + sizeof *pool + TERN__GET(pool->bins.slots_bytes),
        .remote_releases = TERN__GET(pool->owner_remote) + pool->other_remote,
        .locks = pool->locks,
        .system_calls = runs->system_calls,
        .class_count = TERN__CLASSES + 1,
    };
    for (int c = 0; c < TERN__CLASSES; c++)
        add_class(pool, c, figures);
    add_large(pool, figures);
    if (figures->room_bytes != 0)
        figures->internal_fragmentation =
            1 - (double)figures->stats.live_bytes / (double)figures->room_bytes;
    if (figures->free_bytes != 0)
        figures->external_fragmentation =
            1 - (double)figures->largest_free_run / (double)figures->free_bytes;
    if (pool->track != NULL) {
        figures->bookkeeping_bytes += tern__track_bookkeeping(pool->track);
        memcpy(figures->lifetimes, tern__track_lifetimes(pool->track), sizeof figures->lifetimes);
    }
}

void tern__pool_figures(tern__pool *pool, tern_memory_figures *figures) {
    char complaint[128];
    tern__runs_figures runs;
    lock_drained(pool);
    (void)tern__runs_verify(pool->runs, &runs, complaint, sizeof complaint);
    fill(pool, &runs, figures);
    tern__lock_release(&pool->lock);
}

/* -- verify ------------------------------------------------------------------------------------*/

typedef struct complaint {
    char *text;
    size_t size;
} complaint;

static bool complain(const complaint *to, const char *what, int size_class) {
    snprintf(to->text, to->size, "pool: %s (class %d)", what, size_class);
    return false;
}

/* Each block of a bin is a block of its class that the lower layers believe in use, and is there
 * once. */
static bool verify_bin(tern__pool *pool, int c, const complaint *to) {
    tern__bin *bin = &pool->bins.bins[c];
    uint32_t count = TERN__GET(bin->count);
    if (count > bin->length || TERN__GET(bin->low) > count)
        return complain(to, "a bin's count is wrong", c);
    for (uint32_t i = 0; i < count; i++) {
        tern__arena *arena;
        size_t page;
        void *block = bin->slots[i];
        for (uint32_t k = 0; k < i; k++)
            if (bin->slots[k] == block)
                return complain(to, "a block is in a bin twice", c);
        if (!tern__runs_find(pool->runs, block, &arena, &page))
            return complain(to, "a bin holds a foreign block", c);
        if (arena->info[page].state == TERN__PAGE_SLAB_REST)
            page -= arena->info[page].number;
        const tern__page_info *info = &arena->info[page];
        bool is_free = true;
        if (c >= TERN__SLAB_CLASSES)
            is_free = info->state != TERN__PAGE_RUN ||
                      tern__run_bytes(arena, page) != tern__class_room(c) ||
                      block != arena->base + page * TERN__PAGE;
        else if (info->state != TERN__PAGE_SLAB || info->size_class != c ||
                 tern__slab_block(arena, page, block, &is_free) != block)
            is_free = true;
        if (is_free)
            return complain(to, "a bin holds what is no block of its class in use", c);
    }
    return true;
}

/* What the pool believes to have taken is what the lower layers believe to have given. */
static bool verify_sums(tern__pool *pool, const tern_memory_figures *figures,
                        const tern__runs_figures *runs, const complaint *to) {
    size_t run_bytes = pool->large_runs;
    for (int c = 0; c < TERN__CLASSES; c++) {
        int64_t taken =
            figures->classes[c].live_blocks + TERN__GET(pool->bins.bins[c].count) + pool->held[c];
        if (c >= TERN__SLAB_CLASSES) {
            run_bytes += (size_t)taken * tern__class_room(c);
        } else {
            run_bytes += (size_t)pool->slabs.slab_count[c] * pool->slabs.pages[c] * TERN__PAGE;
            if (taken != pool->slabs.live_blocks[c])
                return complain(to, "blocks were lost or found", c);
        }
        if (figures->classes[c].reused > figures->classes[c].calls)
            return complain(to, "more blocks reused than allocated", c);
    }
    if (run_bytes != runs->live_bytes)
        return complain(to, "the runs in use are not those of the blocks", -1);
    return true;
}

static bool verify_live(tern__pool *pool, const tern_memory_figures *figures, const complaint *to) {
    const tern_memory_stats *stats = &figures->stats;
    if (stats->live_bytes > figures->room_bytes || stats->live_bytes > stats->peak_bytes ||
        stats->live_tensors > stats->peak_tensors || stats->live_tensors > figures->live_blocks ||
        stats->committed_bytes > stats->mapped_bytes || figures->free_bytes > stats->mapped_bytes ||
        figures->largest_free_run > figures->free_bytes)
        return complain(to, "the figures contradict each other", -1);
    if (pool->track == NULL)
        return true;
    size_t cursor = 0, bytes = 0;
    int64_t blocks = 0;
    const tern__record *record;
    while ((record = tern__track_next(pool->track, &cursor)) != NULL) {
        bytes += record->bytes;
        blocks++;
    }
    if (bytes != stats->live_bytes || blocks != figures->live_blocks ||
        blocks != tern__track_live(pool->track))
        return complain(to, "the records are not those of the live blocks", -1);
    return true;
}

bool tern__pool_verify(tern__pool *pool, tern_memory_figures *figures, char *text,
                       size_t text_size) {
    complaint to = {text, text_size};
    tern__runs_figures runs;
    lock_drained(pool);
    bool is_whole = tern__runs_verify(pool->runs, &runs, text, text_size) &&
                    tern__slabs_verify(&pool->slabs, text, text_size);
    fill(pool, &runs, figures);
    for (int c = 0; c < TERN__CLASSES && is_whole; c++)
        is_whole = verify_bin(pool, c, &to);
    is_whole =
        is_whole && verify_sums(pool, figures, &runs, &to) && verify_live(pool, figures, &to);
    tern__lock_release(&pool->lock);
    return is_whole;
}
