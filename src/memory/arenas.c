/* SPDX-License-Identifier: MIT */
#include "memory/arenas.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"

/* The last id is TERN__NO_PAGE, so its slot stays empty. */
#define SLOTS_MAX ((size_t)(UINT32_MAX / TERN__ARENA_PAGES))

/* The books of a single run are part of its structure. */
typedef struct single_arena {
    tern__arena arena;
    tern__page_info info;
    uint64_t free_bits;
} single_arena;

static size_t structure_bytes(bool is_single) {
    return is_single ? sizeof(single_arena) : sizeof(tern__arena);
}

/* The books are one mapping: the infos, whole pages, then the free bits. */
static size_t whole_pages(size_t bytes) {
    return (bytes + TERN__PAGE - 1) & ~(TERN__PAGE - 1);
}

static size_t info_bytes(size_t pages) {
    return whole_pages(pages * sizeof(tern__page_info));
}

static size_t free_bits_bytes(size_t pages) {
    return whole_pages(pages * sizeof(uint64_t));
}

size_t tern__arena_book_bytes(const tern__arena *arena) {
    if (arena->is_single)
        return 0;
    return info_bytes(arena->touched_pages) + free_bits_bytes(arena->touched_pages);
}

void tern__arena_touch(tern__arenas *arenas, tern__arena *arena, size_t end) {
    if (end <= arena->touched_pages)
        return;
    arenas->book_bytes -= tern__arena_book_bytes(arena);
    arena->touched_pages = end;
    arenas->book_bytes += tern__arena_book_bytes(arena);
}

/* Room for one more arena in the tables. */
static bool grow_tables(tern__arenas *arenas) {
    if (arenas->count < arenas->capacity)
        return true;
    size_t capacity = arenas->capacity == 0 ? 16 : 2 * arenas->capacity;
    if (capacity > SLOTS_MAX)
        capacity = SLOTS_MAX;
    if (capacity == arenas->capacity)
        return false;
    size_t old_bytes = arenas->capacity * sizeof(tern__arena *);
    tern__arena **sorted = tern__os()->alloc(capacity * sizeof *sorted);
    tern__arena **slots = tern__os()->alloc(capacity * sizeof *slots);
    if (sorted == NULL || slots == NULL) {
        tern__os()->free(sorted);
        tern__os()->free(slots);
        return false;
    }
    if (old_bytes > 0) {
        memcpy(sorted, arenas->sorted, old_bytes);
        memcpy(slots, arenas->slots, old_bytes);
    }
    tern__os()->free(arenas->sorted);
    tern__os()->free(arenas->slots);
    arenas->sorted = sorted;
    arenas->slots = slots;
    arenas->capacity = capacity;
    arenas->small_bytes += 2 * (capacity * sizeof *sorted - old_bytes);
    return true;
}

/* The structure with its books, of no address yet. */
static tern__arena *create_books(tern__arenas *arenas, size_t bytes, bool is_single) {
    tern__arena *arena = tern__os()->alloc(structure_bytes(is_single));
    if (arena == NULL)
        return NULL;
    arena->bytes = bytes;
    arena->is_single = is_single;
    if (is_single) {
        single_arena *single = (single_arena *)arena;
        arena->info = &single->info;
        arena->free_bits = &single->free_bits;
        return arena;
    }
    size_t pages = tern__arena_pages(arena);
    arenas->system_calls++;
    char *books = tern__os()->pages_map(info_bytes(pages) + free_bits_bytes(pages));
    if (books == NULL) {
        tern__os()->free(arena);
        return NULL;
    }
    arena->info = (tern__page_info *)(void *)books;
    arena->free_bits = (uint64_t *)(void *)(books + info_bytes(pages));
    return arena;
}

static void destroy_books(tern__arenas *arenas, tern__arena *arena) {
    if (!arena->is_single) {
        size_t pages = tern__arena_pages(arena);
        arenas->system_calls++;
        tern__os()->pages_unmap(arena->info, info_bytes(pages) + free_bits_bytes(pages));
    }
    tern__os()->free(arena);
}

/* How many arenas lie at or below an address. */
static size_t count_below(const tern__arenas *arenas, const void *address) {
    size_t low = 0, high = arenas->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((uintptr_t)arenas->sorted[middle]->base <= (uintptr_t)address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

tern__arena *tern__arena_find(const tern__arenas *arenas, const void *address) {
    size_t below = count_below(arenas, address);
    if (below == 0)
        return NULL;
    tern__arena *arena = arenas->sorted[below - 1];
    return (uintptr_t)address - (uintptr_t)arena->base < arena->bytes ? arena : NULL;
}

tern__arena *tern__arena_create(tern__arenas *arenas, size_t bytes, bool is_single) {
    assert(bytes > 0 && bytes % TERN__PAGE == 0);
    if (!grow_tables(arenas))
        return NULL;
    tern__arena *arena = create_books(arenas, bytes, is_single);
    if (arena == NULL)
        return NULL;
    arenas->system_calls++;
    arena->base = arenas->source->map(arenas->source->user, bytes);
    if (arena->base == NULL) {
        destroy_books(arenas, arena);
        return NULL;
    }
    assert((uintptr_t)arena->base % TERN__PAGE == 0);

    size_t slot = 0;
    while (arenas->slots[slot] != NULL)
        slot++;
    arena->slot = (uint32_t)slot;
    arenas->slots[slot] = arena;
    size_t place = count_below(arenas, arena->base);
    memmove(&arenas->sorted[place + 1], &arenas->sorted[place],
            (arenas->count - place) * sizeof *arenas->sorted);
    arenas->sorted[place] = arena;
    arenas->count++;
    arenas->mapped_bytes += bytes;
    arenas->small_bytes += structure_bytes(is_single);
    return arena;
}

void tern__arena_destroy(tern__arenas *arenas, tern__arena *arena) {
    size_t place = count_below(arenas, arena->base) - 1;
    assert(arenas->sorted[place] == arena);
    memmove(&arenas->sorted[place], &arenas->sorted[place + 1],
            (arenas->count - place - 1) * sizeof *arenas->sorted);
    arenas->slots[arena->slot] = NULL;
    arenas->count--;
    arenas->mapped_bytes -= arena->bytes;
    arenas->small_bytes -= structure_bytes(arena->is_single);
    arenas->book_bytes -= tern__arena_book_bytes(arena);
    arenas->system_calls++;
    arenas->source->unmap(arenas->source->user, arena->base, arena->bytes);
    destroy_books(arenas, arena);
}

void tern__arenas_deinit(tern__arenas *arenas) {
    while (arenas->count > 0)
        tern__arena_destroy(arenas, arenas->sorted[arenas->count - 1]);
    tern__os()->free(arenas->sorted);
    tern__os()->free(arenas->slots);
}

bool tern__arenas_verify(const tern__arenas *arenas, char *text, size_t text_size) {
    size_t mapped = 0, books = 0, small = 2 * arenas->capacity * sizeof(tern__arena *), slots = 0;
    for (size_t i = 0; i < arenas->count; i++) {
        const tern__arena *arena = arenas->sorted[i];
        if (arena->slot >= arenas->capacity || arenas->slots[arena->slot] != arena) {
            snprintf(text, text_size, "arena %zu: not in its slot %u", i, (unsigned)arena->slot);
            return false;
        }
        if (i > 0 && (uintptr_t)arena->base - (uintptr_t)arenas->sorted[i - 1]->base <
                         arenas->sorted[i - 1]->bytes) {
            snprintf(text, text_size, "arena %zu: begins inside the one before", i);
            return false;
        }
        mapped += arena->bytes;
        small += structure_bytes(arena->is_single);
        books += tern__arena_book_bytes(arena);
    }
    for (size_t i = 0; i < arenas->capacity; i++)
        slots += arenas->slots[i] != NULL;
    if (slots == arenas->count && mapped == arenas->mapped_bytes && small == arenas->small_bytes &&
        books == arenas->book_bytes)
        return true;
    snprintf(text, text_size, "arenas: %zu in slots, %zu in order; mapped %zu of %zu, books %zu",
             slots, arenas->count, arenas->mapped_bytes, mapped, arenas->book_bytes);
    return false;
}
