/* SPDX-License-Identifier: MIT
 *
 * What runs.c knows of page runs, for it and its audit.
 *
 * Free runs of a state hang in bins by length: 1 to 15 pages exactly, then eight bins per doubling
 * (Masmano et al., TLSF: a new dynamic memory allocator for real-time systems, 2004), a bit per bin
 * that is in use. Free single arenas have a bin behind the others. The age list holds every dirty
 * run that can be given back, oldest first.
 *
 * Invariants (tern__runs_verify checks them): no two free neighbours have the same state; every
 * page that is neither the first of a run, nor the last of a free run, nor in a slab has the state
 * NONE, so a look at the pages before and behind a run tells whether they are free.
 */
#ifndef TERN__RUNS_STATE_H
#define TERN__RUNS_STATE_H

#include "memory/arenas.h"

enum {
    TERN__SINGLE_BIN = 97, /* behind the bin of TERN__ARENA_PAGES, 8 * (14 - 2) */
    TERN__RUN_BINS,
    TERN__RUN_BIN_WORDS = (TERN__RUN_BINS + 63) / 64,
};

/* The bins of one state. */
typedef struct tern__run_bins {
    uint32_t heads[TERN__RUN_BINS];
    uint64_t in_use[TERN__RUN_BIN_WORDS];
} tern__run_bins;

struct tern__runs {
    tern__arenas arenas;
    tern__run_bins clean, dirty;
    uint32_t oldest, youngest;
    uint64_t now;
    size_t live_bytes, dirty_bytes;
    size_t peak_bytes; /* the most live bytes when clean pages were taken */
};

/* Some pages of an arena in a row. */
typedef struct tern__span {
    tern__arena *arena;
    size_t first, pages;
} tern__span;

static inline uint32_t tern__span_id(tern__span run) {
    return tern__page_id(run.arena, run.first);
}

static inline tern__page_info *tern__info_at(const tern__runs *runs, uint32_t id) {
    return tern__arena_info(&runs->arenas, id);
}

/* The run that begins with this page. */
static inline tern__span tern__span_at(const tern__runs *runs, uint32_t id) {
    tern__arena *arena = tern__arena_at(&runs->arenas, id);
    size_t first = id % TERN__ARENA_PAGES;
    return (tern__span){arena, first, tern__run_bytes(arena, first) / TERN__PAGE};
}

static inline bool tern__runs_has_drop(const tern__runs *runs) {
    return runs->arenas.source->drop != NULL;
}

/* The bin in which a run of that length hangs. */
static inline int tern__run_bin(size_t pages) {
    if (pages > TERN__ARENA_PAGES)
        return TERN__SINGLE_BIN;
    if (pages < 16)
        return (int)pages;
    int e = 63 - __builtin_clzll((unsigned long long)pages);
    return 8 * (e - 2) + (int)((pages >> (e - 3)) & 7);
}

/* Whether a dirty run can be given back, and so has an age. */
static inline bool tern__span_has_age(const tern__runs *runs, tern__span run) {
    return tern__runs_has_drop(runs) || run.pages == tern__arena_pages(run.arena);
}

/* Whether the last page of a free run tells its length too: not when nothing can follow. */
static inline bool tern__span_has_tail(tern__span run) {
    return run.pages > 1 && !run.arena->is_single &&
           run.first + run.pages < tern__arena_pages(run.arena);
}

/* The free neighbour behind a run, of the same state; of 0 pages when there is none. */
static inline tern__span tern__span_right(tern__span run, tern__page_state state) {
    const tern__page_info *info = run.arena->info;
    size_t end = run.first + run.pages;
    if (end == tern__arena_pages(run.arena) || info[end].state != state)
        return (tern__span){run.arena, end, 0};
    return (tern__span){run.arena, end, info[end].pages};
}

static inline size_t tern__runs_book_bytes(const tern__runs *runs) {
    size_t small = sizeof *runs + runs->arenas.small_bytes;
    return ((small + TERN__PAGE - 1) & ~(TERN__PAGE - 1)) + runs->arenas.book_bytes;
}

#endif
