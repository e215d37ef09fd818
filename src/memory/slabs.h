/* SPDX-License-Identifier: MIT
 *
 * Slabs: page runs cut into equal blocks of one size class (< TERN__SLAB_CLASSES). Which blocks are
 * free is written in the arena's free_bits, not in the blocks. A slab with free blocks hangs in the
 * list of its class; one whose last block comes back is given back as a run. Not thread safe: the
 * pool's lock guards it.
 *
 * The pages of a slab: the fewest, two at least, that waste at most 1/32 of the run at its end and
 * hold four blocks, or 16 KiB (at most 64 blocks a page, and the word of a page covers them).
 *
 * Of the page infos of a slab the first is as runs.h says; `next` of the second holds the number of
 * blocks that were ever taken from the slab (blocks are taken lowest first, so it is those below).
 */
#ifndef TERN__SLABS_H
#define TERN__SLABS_H

#include "memory/runs.h"
#include "memory/size_class.h"

typedef struct tern__slabs {
    tern__runs *runs;
    uint32_t partial[TERN__SLAB_CLASSES];    /* ids of slabs with free blocks */
    int64_t live_blocks[TERN__SLAB_CLASSES]; /* blocks taken and not given back */
    int64_t slab_count[TERN__SLAB_CLASSES];
    uint16_t pages[TERN__SLAB_CLASSES];  /* of one slab */
    uint16_t blocks[TERN__SLAB_CLASSES]; /* in one slab */
} tern__slabs;

void tern__slabs_init(tern__slabs *slabs, tern__runs *runs);

/* Takes up to `count` blocks; returns how many there were (fewer only when there is no memory).
 * *fresh: how many of them are cut for the first time from their slab. */
int tern__slabs_take(tern__slabs *slabs, int size_class, void **blocks, int count, int *fresh);
void tern__slabs_give(tern__slabs *slabs, void *const *blocks, int count);

/* The block that holds an address inside a slab (arena and first page of tern__runs_find): its
 * start, or NULL for the waste at the end of the slab. *is_free: the block is free. */
void *tern__slab_block(const tern__arena *arena, size_t first_page, const void *address,
                       bool *is_free);

/* Walks all slabs and lists. False and a complaint in `text` when they contradict each other or the
 * figures above. */
bool tern__slabs_verify(const tern__slabs *slabs, char *text, size_t text_size);

#endif
