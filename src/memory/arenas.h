/* SPDX-License-Identifier: MIT
 * The arenas of page runs: address space mapped from a source, its books, and the way from an
 * address or a page id to them. Knows nothing of free and used. */
#ifndef TERN__ARENAS_H
#define TERN__ARENAS_H

#include "memory/runs.h"

/* Both tables have `capacity` elements. Invariants: `sorted` holds the `count` arenas by rising
 * base; slots[i] is NULL or the arena with slot i; slots from `count` on may be in use. */
typedef struct tern__arenas {
    const tern__source *source;
    tern__arena **sorted, **slots;
    size_t count, capacity;
    size_t mapped_bytes;
    size_t small_bytes; /* of the tables and arena structures */
    size_t book_bytes;  /* of infos and free bits up to the last page touched, whole pages */
    uint64_t system_calls;
} tern__arenas;

/* Usual arenas only: pages and their books. */
static inline size_t tern__arena_pages(const tern__arena *arena) {
    return arena->bytes / TERN__PAGE;
}

static inline tern__arena *tern__arena_at(const tern__arenas *arenas, uint32_t page_id) {
    return arenas->slots[page_id / TERN__ARENA_PAGES];
}

static inline tern__page_info *tern__arena_info(const tern__arenas *arenas, uint32_t page_id) {
    return &tern__arena_at(arenas, page_id)->info[page_id % TERN__ARENA_PAGES];
}

static inline uint32_t tern__page_id(const tern__arena *arena, size_t page) {
    return (uint32_t)(arena->slot * TERN__ARENA_PAGES + page);
}

/* Maps `bytes`, whole pages, and makes zeroed books. NULL when there is no memory; nothing has
 * changed then. */
tern__arena *tern__arena_create(tern__arenas *arenas, size_t bytes, bool is_single);
void tern__arena_destroy(tern__arenas *arenas, tern__arena *arena);
/* All arenas and the tables. */
void tern__arenas_deinit(tern__arenas *arenas);

/* The arena that holds an address, NULL: none. */
tern__arena *tern__arena_find(const tern__arenas *arenas, const void *address);

/* The books of the pages before `end` are written from now on. */
void tern__arena_touch(tern__arenas *arenas, tern__arena *arena, size_t end);
/* Bytes committed for the books of `arena`, as counted in book_bytes. */
size_t tern__arena_book_bytes(const tern__arena *arena);

/* False and a complaint when the tables contradict themselves. */
bool tern__arenas_verify(const tern__arenas *arenas, char *text, size_t text_size);

#endif
