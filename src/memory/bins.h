/* SPDX-License-Identifier: MIT
 *
 * The owner's bins: for each size class a stack of the addresses of free blocks. Only the owner of
 * the pool (at tracking levels SITES and FULL: the holder of its lock) changes a bin; whoever
 * counts may read the atomic fields at any time, so the owner writes them with plain stores
 * (relaxed), never with a read-modify-write instruction.
 *
 * A bin starts with room for a few blocks, for none when they are large, and grows while refills
 * show that what is released now is wanted again. What all bins together may hold beyond that first
 * room is bounded by a share of the pool's peak (tern__bins_bound).
 */
#ifndef TERN__BINS_H
#define TERN__BINS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/size_class.h"
#include "memory/slabs.h"

#define TERN__GET(field)        atomic_load_explicit(&(field), memory_order_relaxed)
#define TERN__SET(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

enum {
    TERN__BIN_START = 8, /* slots of each bin inside the pool's structure */
    TERN__BIN_MAX = 512  /* the most slots of a bin */
};
#define TERN__BIN_BYTES ((size_t)8 << 20) /* the most bytes of blocks in one bin */

/* 64 bytes, a cache line. */
typedef struct tern__bin {
    void **slots;           /* (length) the first `count` are blocks, the last one is the next */
    _Atomic uint32_t count; /* <= capacity between calls */
    _Atomic uint32_t low;   /* smallest count since the last refill or tick */
    _Atomic uint32_t fresh; /* of the lowest blocks, so many were never handed out; the number of
                               them still there is min(fresh, low) */
    uint32_t capacity;      /* <= length */
    uint32_t length;
    uint32_t calls_seen;     /* calls at the last tick, cut off */
    bool is_wanted;          /* refilled since the last flush or tick */
    bool was_empty;          /* refilled since the last tick */
    _Atomic uint64_t allocs; /* blocks handed out */
    _Atomic uint64_t moved;  /* blocks that refills brought less those that flushes took */
    _Atomic uint64_t cut;    /* refilled with blocks that were never used before */
} tern__bin;

typedef struct tern__bins {
    tern__bin bins[TERN__CLASSES];
    tern__slabs *slabs;
    size_t grown_bytes;         /* capacities beyond the first ones, times rooms */
    _Atomic size_t slots_bytes; /* allocated for slots */
    void *start[TERN__CLASSES][TERN__BIN_START];
} tern__bins;

void tern__bins_init(tern__bins *bins, tern__slabs *slabs);
void tern__bins_deinit(tern__bins *bins); /* all are empty */

/* The block on top; the bin is not empty. */
static inline void *tern__bin_pop(tern__bin *bin, uint32_t count) {
    uint32_t low = TERN__GET(bin->low);
    void *block = bin->slots[--count];
    TERN__SET(bin->count, count);
    TERN__SET(bin->low, count < low ? count : low);
    TERN__SET(bin->allocs, TERN__GET(bin->allocs) + 1);
    return block;
}

/* The bin is not full. */
static inline void tern__bin_push(tern__bin *bin, uint32_t count, void *block) {
    bin->slots[count] = block;
    TERN__SET(bin->count, count + 1);
}

/* Blocks taken back: what came less what went, so that a release need not count. */
static inline uint64_t tern__bin_frees(tern__bin *bin) {
    return TERN__GET(bin->allocs) + TERN__GET(bin->count) - TERN__GET(bin->moved);
}

/* Allocations served by a block that had been used before. */
static inline uint64_t tern__bin_reused(tern__bin *bin) {
    uint32_t low = TERN__GET(bin->low), fresh = TERN__GET(bin->fresh);
    uint64_t allocs = TERN__GET(bin->allocs);
    uint64_t first_uses = TERN__GET(bin->cut) - (fresh < low ? fresh : low);
    return first_uses < allocs ? allocs - first_uses : 0;
}

/* Makes a full bin larger, when it is wanted and less than `bound` bytes are bound in bins. Needs
 * no lock. False: it stays as it is. */
bool tern__bin_grow(tern__bins *bins, int size_class, size_t bound);

/* The rest is for the holder of the pool's lock. */

/* Blocks of a class straight from slabs or runs, and back. */
int tern__stock_take(tern__slabs *slabs, int size_class, void **blocks, int count, int *fresh);
void tern__stock_give(tern__slabs *slabs, int size_class, void *const *blocks, int count);
/* Whether the next block of a class needs clean pages, as tern__runs_would_exceed. */
bool tern__stock_would_exceed(tern__slabs *slabs, int size_class, size_t most);

/* Fills an empty bin with some blocks, at least one; false when there is no memory. */
bool tern__bin_refill(tern__bins *bins, int size_class);
/* Gives the `count` blocks back that lay longest in the bin. */
void tern__bin_flush(tern__bins *bins, int size_class, uint32_t count);
void tern__bins_flush(tern__bins *bins); /* all */
/* Gives back what was not needed since the last call. */
void tern__bins_shrink(tern__bins *bins);

#endif
