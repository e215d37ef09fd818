/* SPDX-License-Identifier: MIT
 *
 * The room behind a block is a function of its size alone (room_of), so nothing is stored beside a
 * block and `free` finds the list from the size it is told.
 *
 * Invariants, under the lock: every byte of a chunk behind its header is in a live block, in a
 * block of a free list, or between `cut` and `cut_end` of the newest chunk. mapped_bytes counts the
 * chunks, the live large blocks and the kept ones.
 */
#include "memory/pool.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "base/threads.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#endif
#if defined(POISONS)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(begin, bytes)   ((void)(begin), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(begin, bytes) ((void)(begin), (void)(bytes))
#endif

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

#define UNIT      ((size_t)64) /* the smallest class, and the alignment of all blocks */
#define SMALL_MAX (1 * MIB)
#define HUGE_MIN  (2 * MIB) /* from here on huge pages are asked for */

/* The first chunk serves a small model; each further one doubles what is there, up to CHUNK_MAX.
 * Pages never written cost nothing. */
#define CHUNK_MIN (256 * KIB)
#define CHUNK_MAX (16 * MIB)

#define KEPT_MAX_BYTES (64 * MIB)

/* 64..512 in steps of 64, then eight per doubling up to SMALL_MAX. */
enum { CLASSES = 8 + 11 * 8, KEPT_MAX = 8 };

/* On top of a chunk, UNIT bytes. */
typedef struct chunk {
    struct chunk *next;
    size_t bytes;
} chunk;

typedef struct free_block {
    struct free_block *next;
} free_block;

typedef struct kept_block {
    void *block;
    size_t room;
} kept_block;

struct tern__pool {
    tern__lock lock;
    size_t max_bytes;
    tern__pool_stats stats;
    free_block *free_lists[CLASSES];
    chunk *chunks;
    size_t chunk_bytes;        /* of all chunks */
    char *cut, *cut_end;       /* what is left of the newest chunk */
    kept_block kept[KEPT_MAX]; /* free large blocks, oldest first */
    int kept_count;
    size_t kept_bytes;
};

/* The class step between the sizes (2^e, 2^(e+1)] is 2^(e-3), at least UNIT. */
static size_t step_of(size_t bytes) {
    int e = 63 - __builtin_clzll((unsigned long long)(bytes - 1) | 1);
    return e < 9 ? UNIT : (size_t)1 << (e - 3);
}

/* Bytes of the block that serves `bytes`, at most 12.5 % more above 512. */
static size_t room_of(size_t bytes) {
    if (bytes == 0)
        return UNIT;
    size_t step = step_of(bytes);
    return (bytes + step - 1) / step * step;
}

/* The class of a room <= SMALL_MAX. */
static int class_of(size_t room) {
    if (room <= 512)
        return (int)(room / UNIT) - 1;
    int e = 63 - __builtin_clzll((unsigned long long)(room - 1));
    return 8 * (e - 8) + (int)((room - 1 - ((size_t)1 << e)) >> (e - 3));
}

static void unmap(tern__pool *pool, void *pages, size_t bytes) {
    ASAN_UNPOISON_MEMORY_REGION(pages, bytes); /* whoever maps these addresses next may use them */
    tern__os()->pages_unmap(pages, bytes);
    pool->stats.mapped_bytes -= bytes;
}

/* Gives the oldest kept block back. */
static void release_oldest(tern__pool *pool) {
    kept_block oldest = pool->kept[0];
    pool->kept_count--;
    memmove(pool->kept, pool->kept + 1, (size_t)pool->kept_count * sizeof oldest);
    pool->kept_bytes -= oldest.room;
    unmap(pool, oldest.block, oldest.room);
}

static void release_kept(tern__pool *pool) {
    while (pool->kept_count > 0)
        release_oldest(pool);
}

/* Under memory pressure the kept blocks go first. */
static void *map(tern__pool *pool, size_t bytes) {
    void *pages = tern__os()->pages_map(bytes);
    if (pages == NULL && pool->kept_count > 0) {
        release_kept(pool);
        pages = tern__os()->pages_map(bytes);
    }
    if (pages != NULL)
        pool->stats.mapped_bytes += bytes;
    return pages;
}

static void push_free(tern__pool *pool, void *block, size_t room) {
    free_block **list = &pool->free_lists[class_of(room)];
    ASAN_UNPOISON_MEMORY_REGION(block, sizeof(free_block));
    *(free_block *)block = (free_block){*list};
    *list = block;
    ASAN_POISON_MEMORY_REGION(block, room);
}

static void keep_or_unmap(tern__pool *pool, void *block, size_t room) {
    if (room > KEPT_MAX_BYTES) {
        unmap(pool, block, room);
        return;
    }
    while (pool->kept_count == KEPT_MAX || pool->kept_bytes + room > KEPT_MAX_BYTES)
        release_oldest(pool);
    pool->kept[pool->kept_count++] = (kept_block){block, room};
    pool->kept_bytes += room;
    ASAN_POISON_MEMORY_REGION(block, room);
}

/* Puts what is left of the newest chunk on the free lists, largest block first. */
static void shelve_remainder(tern__pool *pool) {
    for (size_t left; (left = (size_t)(pool->cut_end - pool->cut)) > 0;) {
        size_t step = step_of(left);
        size_t room = left < SMALL_MAX ? left / step * step : SMALL_MAX;
        push_free(pool, pool->cut, room);
        pool->cut += room;
    }
}

/* Makes `cut` have at least `room` bytes. False when there is no memory. */
static bool add_chunk(tern__pool *pool, size_t room) {
    size_t least = CHUNK_MIN;
    while (least < room + UNIT)
        least *= 2;
    size_t bytes = pool->chunk_bytes < CHUNK_MAX ? pool->chunk_bytes : CHUNK_MAX;
    if (bytes < least)
        bytes = least;
    chunk *added = map(pool, bytes);
    if (added == NULL && bytes > least)
        added = map(pool, bytes = least);
    if (added == NULL)
        return false;
    shelve_remainder(pool);
    *added = (chunk){pool->chunks, bytes};
    pool->chunks = added;
    pool->chunk_bytes += bytes;
    pool->cut = (char *)added + UNIT;
    pool->cut_end = (char *)added + bytes;
    ASAN_POISON_MEMORY_REGION(pool->cut, bytes - UNIT);
    return true;
}

static void *take_small(tern__pool *pool, size_t room) {
    free_block **list = &pool->free_lists[class_of(room)];
    free_block *block = *list;
    if (block != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(block, sizeof *block);
        *list = block->next;
        ASAN_POISON_MEMORY_REGION(block, sizeof *block);
        return block;
    }
    if ((size_t)(pool->cut_end - pool->cut) < room && !add_chunk(pool, room))
        return NULL;
    char *cut = pool->cut;
    pool->cut += room;
    return cut;
}

static void *take_large(tern__pool *pool, size_t room) {
    for (int i = pool->kept_count - 1; i >= 0; i--) {
        if (pool->kept[i].room != room)
            continue;
        void *block = pool->kept[i].block;
        pool->kept_count--;
        pool->kept_bytes -= room;
        memmove(pool->kept + i, pool->kept + i + 1,
                (size_t)(pool->kept_count - i) * sizeof pool->kept[0]);
        return block;
    }
    void *block = map(pool, room);
    if (block != NULL && room >= HUGE_MIN)
        tern__os()->pages_huge(block, room);
    return block;
}

tern_status tern__pool_alloc(tern__pool *pool, size_t bytes, void **block_out) {
    *block_out = NULL;
    if (bytes > SIZE_MAX / 2)
        return tern__fail(TERN_E_MEMORY, "memory: a block of %zu bytes cannot exist", bytes);
    size_t room = room_of(bytes);
    tern__lock_acquire(&pool->lock);
    size_t live = pool->stats.live_bytes;
    bool is_allowed = pool->max_bytes == 0 || bytes <= pool->max_bytes - live;
    void *block = NULL;
    if (is_allowed)
        block = room <= SMALL_MAX ? take_small(pool, room) : take_large(pool, room);
    if (block != NULL) {
        pool->stats.live_bytes += bytes;
        pool->stats.live_blocks++;
        if (pool->stats.live_bytes > pool->stats.peak_bytes)
            pool->stats.peak_bytes = pool->stats.live_bytes;
        ASAN_POISON_MEMORY_REGION(block, room);
        ASAN_UNPOISON_MEMORY_REGION(block, bytes);
    }
    tern__lock_release(&pool->lock);

    if (!is_allowed)
        return tern__fail(TERN_E_LIMIT, "memory: %zu bytes more than the %zu in use exceed %zu",
                          bytes, live, pool->max_bytes);
    if (block == NULL)
        return tern__fail(TERN_E_MEMORY, "memory: no %zu bytes more than the %zu in use", bytes,
                          live);
    *block_out = block;
    return TERN_OK;
}

void tern__pool_free(tern__pool *pool, void *block, size_t bytes) {
    if (block == NULL)
        return;
    size_t room = room_of(bytes);
    tern__lock_acquire(&pool->lock);
    assert(pool->stats.live_blocks > 0 && pool->stats.live_bytes >= bytes);
    pool->stats.live_bytes -= bytes;
    pool->stats.live_blocks--;
    if (room <= SMALL_MAX)
        push_free(pool, block, room);
    else
        keep_or_unmap(pool, block, room);
    tern__lock_release(&pool->lock);
}

tern__pool_stats tern__pool_stats_get(tern__pool *pool) {
    tern__lock_acquire(&pool->lock);
    tern__pool_stats stats = pool->stats;
    tern__lock_release(&pool->lock);
    return stats;
}

tern_status tern__pool_create(size_t max_bytes, tern__pool **pool_out) {
    *pool_out = NULL;
    tern__pool *pool = tern__os()->alloc(sizeof *pool);
    if (pool == NULL)
        return tern__fail(TERN_E_MEMORY, "memory: no memory for a pool");
    tern__lock_init(&pool->lock);
    pool->max_bytes = max_bytes;
    *pool_out = pool;
    return TERN_OK;
}

void tern__pool_destroy(tern__pool *pool) {
    if (pool == NULL)
        return;
    assert(pool->stats.live_blocks == 0);
    release_kept(pool);
    while (pool->chunks != NULL) {
        chunk *first = pool->chunks;
        pool->chunks = first->next;
        unmap(pool, first, first->bytes);
    }
    tern__lock_deinit(&pool->lock);
    tern__os()->free(pool);
}
