/* SPDX-License-Identifier: MIT
 *
 * What tracking levels SITES and FULL know: a record per live block in a hash table keyed by its
 * address, kept apart from the blocks. At FULL a block is surrounded by guard zones, filled with
 * poison when it is released, and held back in a queue before its memory may be used again:
 *
 *     raw: | guard, 64 bytes | the block, `bytes` | guard, 64 bytes and up to the end of the room |
 *
 * The first 16 bytes of the front guard are the block's header: its size and a check value made of
 * address and size (HEADER_SMASH when they are wrong, UNDERRUN when other bytes of the front guard
 * are). The other guard bytes depend on their address. Poison is NaN in every float type. The last
 * 4 096 blocks that went are remembered, so that a second release of one names its sites as long as
 * its memory was not used again. Blocks that the CPU cannot reach have no guards and are not held
 * back: level FULL is SITES for them.
 *
 * Not thread safe: the pool's lock guards it. Nothing here calls back: findings are returned and
 * the pool reports them once its lock is released. Damage is mended when it is found, so that it is
 * found once.
 */
#ifndef TERN__TRACK_H
#define TERN__TRACK_H

#include "memory/pool.h"

/* A block that was allocated. */
typedef struct tern__record {
    void *block; /* NULL: no record */
    size_t bytes;
    uint64_t serial; /* number of the allocation, modulo 2^40 */
    const char *op, *dtype;
    tern_site made;
    uint8_t kind;
    int8_t rank;     /* -1: no shape */
    int64_t dims[8]; /* (rank) */
} tern__record;

/* A finding: what it is and the record it is about, copied. `record.block` is NULL when nothing is
 * known of the address. */
typedef struct tern__finding {
    bool exists;
    tern_memory_event_kind kind;
    const void *address; /* the one that was given, or the block that is damaged */
    tern__record record;
    tern_site released; /* where the block was released before */
    tern_site found;
} tern__finding;

typedef struct tern__track tern__track;

/* NULL when there is no memory. `level` is SITES or FULL; is_host: the blocks can be written. */
tern__track *tern__track_create(tern_tracking level, bool is_host);
void tern__track_destroy(tern__track *track);

/* Bytes of raw memory that a block of `bytes` needs: `bytes` themselves, or with guards a multiple
 * of 64; false on overflow. Raw memory with guards is aligned to 16 at least. */
bool tern__track_room(const tern__track *track, size_t bytes, size_t *raw_bytes);

/* Takes `raw`, of tern__track_room, into the books with the thread's current site. NULL when there
 * is no memory for the record: the caller gives `raw` back. */
void *tern__track_open(tern__track *track, void *raw, size_t bytes, unsigned kind,
                       const tern__note *note);

/* What a release frees. Raw memory in the sense of tern__track_open. */
typedef struct tern__raw {
    void *raw; /* NULL: nothing */
    size_t raw_bytes;
    unsigned kind; /* as told at release; of a block that was held back, without BLOCK_TENSOR */
} tern__raw;

/* A release. Returns false when it is refused: nothing is freed and the finding says why
 * (DOUBLE_RELEASE, INTERIOR_POINTER, FOREIGN_POINTER, or WRONG_SIZE: the size or the kind HEADER or
 * DATA differs). Else true and *closed, which may be NULL, is its record; the finding may
 * still tell of damage (HEADER_SMASH, UNDERRUN or OVERRUN; a second one is found at eviction, like
 * WRITE_AFTER_RELEASE). At SITES *freed is the block. At FULL the block is poisoned and held back,
 * and blocks that leave the queue must be freed: call tern__track_evict until it returns false. */
bool tern__track_close(tern__track *track, void *block, size_t bytes, unsigned kind,
                       tern__record *closed, tern__raw *freed, tern__finding *finding);

/* Takes the oldest held block out when more than the limit are held (1 024 blocks or 64 MiB), or in
 * any case with `is_emptying`. False: there is none to take. A damaged block stays: true with a
 * finding and no freed->raw; the next call goes on with it. */
bool tern__track_evict(tern__track *track, bool is_emptying, tern__raw *freed,
                       tern__finding *finding);

/* Looks at all guard zones and held blocks; each damage is found once. Start with *cursor = 0 and
 * call until it returns false. */
bool tern__track_check(tern__track *track, size_t *cursor, tern__finding *finding);

/* The record of the live block at or around `address`, guards included; NULL: none. Slow. The
 * record is a copy, valid until the next call of this or tern__track_next. */
const tern__record *tern__track_lookup(const tern__track *track, const void *address);

/* Live records, in no order: start with *cursor = 0, until NULL. */
const tern__record *tern__track_next(const tern__track *track, size_t *cursor);

int64_t tern__track_live(const tern__track *track);
const uint64_t *tern__track_lifetimes(const tern__track *track); /* (TERN_MEMORY_LIFETIMES) */
size_t tern__track_bookkeeping(const tern__track *track);        /* bytes used for all of this */

/* The thread's current site, as tern_site_set left it. */
tern_site tern__site_current(void);

/* Writes the finding as one line; what is unknown is left out, and of long paths only the end is
 * shown:
 *
 *     overrun: 64 bytes at 0x7f00 made by tern_add (x.c:12, add f32 (2, 3)), released by
 *     tern_tensor_release (y.c:7), found by tern_memory_check (z.c:9)
 *     leak: 3 times, 72 bytes, one at 0x7f00 made by tern_add (x.c:12, add f32 (2, 3))
 */
#define TERN__FINDING_TEXT 512
void tern__finding_text(const tern_memory_event *event, char text[TERN__FINDING_TEXT]);

#endif
