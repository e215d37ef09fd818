/* SPDX-License-Identifier: MIT
 *
 * Page runs: the lower half of the pool. Arenas of address space, mapped from a source and cut into
 * runs of whole pages; free neighbours are merged. A free run is clean (never used since it was
 * mapped or given back: no memory behind it) or dirty (memory behind it). All books are kept apart
 * from the pages themselves. Not thread safe: the pool's lock guards it.
 *
 * Policy. A run is taken from the dirty bin of its own size, when one of its first few runs is long
 * enough, else from the smallest dirty bin whose runs all are, else from clean pages. Before memory
 * behind clean pages is committed, dirty runs are given back, oldest first, as far as runs in use
 * and dirty ones together would exceed the peak by more than 1/32 and 64 KiB. The peak is the most
 * bytes of runs in use when clean pages were taken, the new ones included; it never falls. A new
 * arena is mapped when the clean pages have no run that fits after that. Dirty runs that lay idle
 * for TERN__DECAY_NS are given back by tern__runs_decay. An arena that is wholly free is unmapped
 * by trim; one made for a single large run stays dirty for the next run of its size, or up to 12.5
 * % smaller, until it is the oldest that purge or decay gives back: it is unmapped then. When the
 * source refuses memory, everything free is given back before a take fails.
 *
 * Sources that cannot drop: free pages stay dirty, only arenas that are wholly dirty can be given
 * back, by unmapping them. Before a take fails clean pages are declared dirty, so that they merge.
 */
#ifndef TERN__RUNS_H
#define TERN__RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/source.h"

#define TERN__PAGE     ((size_t)4096)
#define TERN__DECAY_NS UINT64_C(10000000000)

/* Usual size of an arena, 2^14 pages. A larger request gets an arena of its own. When the source
 * has not that much, smaller ones are tried, down to what is needed. */
#define TERN__ARENA_PAGES ((size_t)1 << 14)

typedef enum tern__page_state {
    TERN__PAGE_NONE = 0, /* inside a run: nothing is said here */
    TERN__PAGE_CLEAN,    /* first (and last) page of a free run without memory behind it */
    TERN__PAGE_DIRTY,    /* the same with memory behind it */
    TERN__PAGE_RUN,      /* first page of a run in use */
    TERN__PAGE_SLAB,     /* first page of a run in use that slabs.h cut into blocks */
    TERN__PAGE_SLAB_REST /* a later page of such a run */
} tern__page_state;

/* What is known of a page. `pages` is that of the run, at its first page (free runs: also at the
 * last, unless that is the last of the arena). Free runs hang in bins by next/previous (ids of
 * first pages), slabs with free blocks in the list of their class. Dirty runs that can be given
 * back hang also in one list by age. */
typedef struct tern__page_info {
    uint32_t next, previous; /* TERN__NO_PAGE: none */
    union {
        uint32_t older;  /* DIRTY: the same */
        uint16_t number; /* SLAB: blocks in use; SLAB_REST: pages back to the first */
    };
    uint32_t younger; /* DIRTY: the same */
    uint16_t pages;   /* UINT16_MAX: that or more, see tern__run_bytes */
    uint8_t state;
    uint8_t size_class; /* SLAB */
} tern__page_info;

_Static_assert(sizeof(tern__page_info) == 20,
               "28 bytes of books for each page, free bits included");

#define TERN__NO_PAGE UINT32_MAX

/* `info` and `free_bits` have an element per page; in an arena made for one run only the first. */
typedef struct tern__arena {
    char *base;
    size_t bytes;
    tern__page_info *info;
    uint64_t *free_bits;  /* SLAB: bit i of word p: block 64 p + i of the slab is free, p pages
                             behind its first page. DIRTY: when it became free, ns */
    size_t used_pages;    /* of runs in use */
    size_t touched_pages; /* the books of the pages from here on were never written */
    uint32_t slot;        /* id of page p: slot * TERN__ARENA_PAGES + p */
    bool is_single;       /* made for one run */
} tern__arena;

/* Bytes of the run that begins at `first_page`. */
static inline size_t tern__run_bytes(const tern__arena *arena, size_t first_page) {
    return arena->is_single ? arena->bytes : arena->info[first_page].pages * TERN__PAGE;
}

typedef struct tern__runs_figures {
    size_t mapped_bytes;      /* of all arenas */
    size_t live_bytes;        /* of runs in use, slabs among them */
    size_t dirty_bytes;       /* of free runs with memory behind them */
    size_t largest_dirty;     /* the largest of these */
    size_t bookkeeping_bytes; /* committed for arenas and page infos, rounded up to pages: of the
                                 infos at most that much, as they count up to the last written */
    uint64_t system_calls;    /* map, unmap, drop, huge: of the source, and of the books' pages */
} tern__runs_figures;

typedef struct tern__runs tern__runs;

/* NULL when there is no memory for the books. `source` must outlive it. */
tern__runs *tern__runs_create(const tern__source *source);
/* Unmaps every arena, whatever is still in use. NULL is fine. */
void tern__runs_destroy(tern__runs *runs);

/* The time, for ages; the pool tells it now and then (monotonic ns; earlier than before is
 * ignored).
 */
void tern__runs_set_time(tern__runs *runs, uint64_t now_ns);

/* A run of `bytes` rounded up to pages, at least one, state RUN; its contents are undefined. NULL
 * when there is no memory, even after everything free has been given back. *is_reused: its pages
 * had memory behind them. */
void *tern__runs_take(tern__runs *runs, size_t bytes, bool *is_reused);
/* Whether taking `pages` <= TERN__ARENA_PAGES needs clean ones, and more than `most` bytes would be
 * committed then. */
bool tern__runs_would_exceed(tern__runs *runs, size_t pages, size_t most);
/* `bytes` as at take; the state RUN or SLAB. */
void tern__runs_give(tern__runs *runs, void *run, size_t bytes);

/* Gives back dirty runs, oldest first, until `goal` bytes are done; returns how many were. Of the
 * last run only what is still missing is given back, unless it has an arena of its own. */
size_t tern__runs_purge(tern__runs *runs, size_t goal);
/* The same for those idle for TERN__DECAY_NS. */
size_t tern__runs_decay(tern__runs *runs);
/* Gives back everything free, and unmaps wholly free arenas. Returns the committed bytes given
 * back. */
size_t tern__runs_trim(tern__runs *runs);

/* Finds the page of an address; false when no arena has it. For single-run arenas the page is 0. */
bool tern__runs_find(const tern__runs *runs, const void *address, tern__arena **arena,
                     size_t *page);
/* From an id back to the page. */
tern__arena *tern__runs_arena_of(const tern__runs *runs, uint32_t page_id, size_t *page);

/* Running figures. Cheap: `largest_dirty` is searched among the runs of the topmost bin in use, the
 * others are ready. */
tern__runs_figures tern__runs_figures_get(const tern__runs *runs);
/* The same recomputed from the arenas, page by page. False and a complaint in `text` when the books
 * contradict themselves: a wrong list, neighbours that should be merged, a figure that differs. */
bool tern__runs_verify(const tern__runs *runs, tern__runs_figures *figures, char *text,
                       size_t text_size);

/* Calls `visit` for every run that is not free, by rising address. It may change no run. */
typedef void (*tern__run_visit)(void *user, const tern__arena *arena, size_t first_page);
void tern__runs_walk(const tern__runs *runs, tern__run_visit visit, void *user);

#endif
