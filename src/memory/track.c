/* SPDX-License-Identifier: MIT
 *
 * A record has two halves in parallel arrays, in chunks that never move: an entry with what every
 * release looks at, and an origin that only findings look at. A record is named by its index (0:
 * none). It is free (in the list free_records, linked through `serial`), live, held (FULL:
 * released, its memory not yet) or closed (its memory is free; only remembered). Held and closed
 * records stand in rings in order of release, each with the site of the release.
 *
 * The table holds the live and the held ones: buckets of seven slots, a bucket a cache line. A
 * record stands in its home or, when that is full, in the first bucket behind with room; `passed`
 * counts who went past, so that a search ends where nobody did. Seven hashes are compared at once
 * without a branch: among 10 000 blocks a mispredicted branch costs more than the comparisons, and
 * a look at memory outside the second cache costs more than both; hence the small entries.
 */
#include "memory/track.h"

#include <assert.h>
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "memory/guard.h"

enum {
    STATE_GONE = 0, /* free or closed */
    STATE_LIVE = 1,
    STATE_HELD = 2,

    CHUNK_RECORDS = 1024,
    CHUNKS = 1 << 18, /* the limit: 2^28 records, which are 32 GiB */
    FIRST_BUCKETS = 128,
    BUCKET_SLOTS = 7,
    BUCKET_LOAD = 5, /* records per bucket, at most, on average */
    ALL_USED = (1 << BUCKET_SLOTS) - 1,
    CLOSED = 4096,
    HELD = 1024,
    HELD_RING = 2 * HELD /* a power of two, and more than are held before the next eviction */
};

static const size_t HELD_BYTES = (size_t)64 << 20;
static const uint64_t SERIAL_MASK = (UINT64_C(1) << 40) - 1;

typedef struct entry {
    void *block;
    size_t bytes;
    uint32_t serial; /* low bits */
    uint8_t serial_high;
    uint8_t state;
    uint8_t kind;
    int8_t rank;
} entry;

typedef struct origin {
    const char *op, *dtype;
    tern_site made;
    int64_t dims[8];
} origin;

typedef struct chunk {
    entry entries[CHUNK_RECORDS];
    origin origins[CHUNK_RECORDS];
} chunk;

/* One cache line of the table. */
typedef struct bucket {
    uint32_t hash[BUCKET_SLOTS];
    uint32_t index[BUCKET_SLOTS];
    uint32_t used;   /* bit i: slot i holds a record */
    uint32_t passed; /* records with a home at or before this bucket that stand behind it */
} bucket;

typedef struct slot {
    bucket *place; /* NULL: none */
    int i;
    uint32_t index; /* of the record */
} slot;

typedef struct gone {
    tern_site released;
    uint32_t index;
} gone;

struct tern__track {
    bucket *buckets; /* (1 << bucket_bits) */
    int bucket_bits;
    bool is_guarded;
    uint32_t filled;       /* slots in use */
    uint32_t record_end;   /* records with a smaller index were in use already */
    uint32_t free_records; /* index of the first */
    uint64_t serial;
    int64_t live;
    size_t mapped_bytes;
    size_t held_bytes;             /* raw */
    uint32_t held_begin, held_end; /* held[i % HELD_RING] for begin <= i < end */
    uint32_t closed_begin, closed_end;
    tern__record *view; /* what lookup and next return: &view_room */
    tern__record view_room;
    uint64_t lifetimes[TERN_MEMORY_LIFETIMES];
    gone held[HELD_RING];
    gone closed[CLOSED];
    chunk *chunks[CHUNKS]; /* of record i: chunks[i / CHUNK_RECORDS]; pages committed when used */
};

/* -- records -----------------------------------------------------------------------------------*/

static inline int log2_floor(uint64_t x) {
    return 63 - __builtin_clzll(x);
}

static inline entry *entry_at(const tern__track *track, uint32_t index) {
    return &track->chunks[index / CHUNK_RECORDS]->entries[index % CHUNK_RECORDS];
}

static inline origin *origin_at(const tern__track *track, uint32_t index) {
    return &track->chunks[index / CHUNK_RECORDS]->origins[index % CHUNK_RECORDS];
}

static tern__record record_of(const tern__track *track, uint32_t index) {
    const entry *e = entry_at(track, index);
    const origin *from = origin_at(track, index);
    tern__record record = {.block = e->block,
                           .bytes = e->bytes,
                           .serial = (uint64_t)e->serial_high << 32 | e->serial,
                           .op = from->op,
                           .dtype = from->dtype,
                           .made = from->made,
                           .kind = e->kind,
                           .rank = e->rank};
    for (int i = 0; i < e->rank; i++)
        record.dims[i] = from->dims[i];
    return record;
}

static void *map(tern__track *track, size_t bytes) {
    void *pages = tern__os()->pages_map(bytes);
    if (pages != NULL)
        track->mapped_bytes += bytes;
    return pages;
}

static void unmap(tern__track *track, void *pages, size_t bytes) {
    tern__os()->pages_unmap(pages, bytes);
    track->mapped_bytes -= bytes;
}

static void give_record(tern__track *track, uint32_t index) {
    entry *e = entry_at(track, index);
    e->block = NULL;
    e->serial = track->free_records;
    track->free_records = index;
}

/* A record for use. As long as records close as often as others open, it is the one that closed
 * first, which nothing touches in between. 0: no memory. */
static uint32_t take_record(tern__track *track) {
    if (track->closed_end - track->closed_begin == CLOSED) {
        uint32_t index = track->closed[track->closed_begin++ % CLOSED].index;
        uint32_t next = track->closed[track->closed_begin % CLOSED].index;
        __builtin_prefetch(entry_at(track, next), 1);
        __builtin_prefetch(origin_at(track, next), 1);
        return index;
    }
    uint32_t index = track->free_records;
    if (index != 0) {
        track->free_records = entry_at(track, index)->serial;
        return index;
    }
    index = track->record_end;
    if (index / CHUNK_RECORDS == CHUNKS)
        return 0;
    chunk **place = &track->chunks[index / CHUNK_RECORDS];
    if (*place == NULL && (*place = map(track, sizeof **place)) == NULL)
        return 0;
    track->record_end++;
    return index;
}

/* Remembers a record whose block is gone. */
static void remember(tern__track *track, uint32_t index, tern_site released) {
    if (track->closed_end - track->closed_begin == CLOSED)
        give_record(track, track->closed[track->closed_begin++ % CLOSED].index);
    entry_at(track, index)->state = STATE_GONE;
    track->closed[track->closed_end++ % CLOSED] = (gone){released, index};
}

/* -- table -------------------------------------------------------------------------------------*/

/* Blocks are aligned to 16. */
static inline uint32_t hash_address(const void *address) {
    return (uint32_t)((((uintptr_t)address >> 4) * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static inline uint32_t home_of(const tern__track *track, uint32_t hash) {
    return hash >> (32 - track->bucket_bits);
}

static inline uint32_t bucket_mask(const tern__track *track) {
    return (UINT32_C(1) << track->bucket_bits) - 1;
}

static inline void insert_slot(tern__track *track, uint32_t hash, uint32_t index) {
    uint32_t b = home_of(track, hash);
    while (track->buckets[b].used == ALL_USED) {
        track->buckets[b].passed++;
        b = (b + 1) & bucket_mask(track);
    }
    bucket *place = &track->buckets[b];
    int i = __builtin_ctz(~place->used);
    place->used |= 1u << i;
    place->hash[i] = hash;
    place->index[i] = index;
}

/* Bit i is set when slot i is in use with this hash. No branch: which slot it is cannot be
 * predicted. */
static inline uint32_t match_slots(const bucket *place, uint32_t hash) {
    uint32_t match = 0;
    for (int i = 0; i < BUCKET_SLOTS; i++)
        match |= (uint32_t)(place->hash[i] == hash) << i;
    return match & place->used;
}

/* Where the record of `block` stands. */
static inline slot find_slot(const tern__track *track, const void *block) {
    uint32_t hash = hash_address(block);
    for (uint32_t b = home_of(track, hash);; b = (b + 1) & bucket_mask(track)) {
        bucket *place = &track->buckets[b];
        for (uint32_t match = match_slots(place, hash); match != 0; match &= match - 1) {
            int i = __builtin_ctz(match);
            if (entry_at(track, place->index[i])->block == block)
                return (slot){place, i, place->index[i]};
        }
        if (place->passed == 0)
            return (slot){NULL, 0, 0};
    }
}

static inline void remove_slot(tern__track *track, slot found) {
    uint32_t b = home_of(track, found.place->hash[found.i]);
    for (; &track->buckets[b] != found.place; b = (b + 1) & bucket_mask(track))
        track->buckets[b].passed--;
    found.place->used &= ~(1u << found.i);
    track->filled--;
}

static bool double_buckets(tern__track *track) {
    size_t old_count = (size_t)1 << track->bucket_bits;
    bucket *old = track->buckets;
    bucket *buckets = track->bucket_bits < 29 ? map(track, 2 * old_count * sizeof *old) : NULL;
    if (buckets == NULL)
        return false;
    track->buckets = buckets;
    track->bucket_bits++;
    for (size_t b = 0; b < old_count; b++)
        for (uint32_t used = old[b].used; used != 0; used &= used - 1) {
            int i = __builtin_ctz(used);
            insert_slot(track, old[b].hash[i], old[b].index[i]);
        }
    unmap(track, old, old_count * sizeof *old);
    return true;
}

/* -- findings ----------------------------------------------------------------------------------*/

static const tern_site NOWHERE = {NULL, 0, NULL};

/* Where a held block was released; nowhere for others. */
static tern_site released_at(const tern__track *track, uint32_t index) {
    for (uint32_t i = track->held_begin; i != track->held_end; i++)
        if (track->held[i % HELD_RING].index == index)
            return track->held[i % HELD_RING].released;
    return NOWHERE;
}

/* `index` 0: nothing is known. */
static void find(const tern__track *track, tern_memory_event_kind kind, const void *address,
                 uint32_t index, tern_site released, tern__finding *finding) {
    memset(finding, 0, sizeof *finding);
    finding->exists = true;
    finding->kind = kind;
    finding->address = address;
    finding->record.rank = -1;
    if (index != 0)
        finding->record = record_of(track, index);
    finding->released = released;
    finding->found = tern__site_current();
}

static inline bool is_present(const entry *e) {
    return e->state == STATE_LIVE || e->state == STATE_HELD;
}

/* The live or held record whose raw memory holds `address`; 0: none. */
static uint32_t find_around(const tern__track *track, const void *address) {
    for (uint32_t i = 1; i < track->record_end; i++) {
        const entry *e = entry_at(track, i);
        uintptr_t raw = (uintptr_t)e->block - (track->is_guarded ? TERN__GUARD : 0);
        size_t raw_bytes = 0;
        if (is_present(e) && tern__track_room(track, e->bytes, &raw_bytes) &&
            (uintptr_t)address - raw < raw_bytes)
            return i;
    }
    return 0;
}

/* A release of an address that no live or held block has. Memory in use says more than what it was
 * before. */
static void find_stray(const tern__track *track, const void *address, tern__finding *finding) {
    uint32_t around = find_around(track, address);
    if (around != 0) {
        find(track, TERN_MEMORY_INTERIOR_POINTER, address, around, released_at(track, around),
             finding);
        return;
    }
    for (uint32_t i = track->closed_end; i-- != track->closed_begin;) {
        const gone *g = &track->closed[i % CLOSED];
        if (entry_at(track, g->index)->block == address) {
            find(track, TERN_MEMORY_DOUBLE_RELEASE, address, g->index, g->released, finding);
            return;
        }
    }
    find(track, TERN_MEMORY_FOREIGN_POINTER, address, 0, NOWHERE, finding);
}

/* In the guards or, of a held block, in its poison. */
static bool find_damage(const tern__track *track, uint32_t index, tern__finding *finding) {
    const entry *e = entry_at(track, index);
    tern_memory_event_kind kind;
    if (!tern__guard_mend(e->block, e->bytes, e->state == STATE_HELD, &kind))
        return false;
    find(track, kind, e->block, index, released_at(track, index), finding);
    return true;
}

/* -- interface ---------------------------------------------------------------------------------*/

tern__track *tern__track_create(tern_tracking level, bool is_host) {
    assert(level == TERN_TRACK_SITES || level == TERN_TRACK_FULL);
    tern__track *track = tern__os()->pages_map(sizeof *track);
    if (track == NULL)
        return NULL;
    track->mapped_bytes = offsetof(tern__track, chunks);
    track->is_guarded = level == TERN_TRACK_FULL && is_host;
    track->record_end = 1;
    track->view = &track->view_room;
    track->bucket_bits = log2_floor(FIRST_BUCKETS);
    track->buckets = map(track, FIRST_BUCKETS * sizeof *track->buckets);
    if (track->buckets == NULL) {
        tern__os()->pages_unmap(track, sizeof *track);
        return NULL;
    }
    return track;
}

void tern__track_destroy(tern__track *track) {
    if (track == NULL)
        return;
    for (int c = 0; c < CHUNKS && track->chunks[c] != NULL; c++)
        unmap(track, track->chunks[c], sizeof(chunk));
    unmap(track, track->buckets, sizeof *track->buckets << track->bucket_bits);
    tern__os()->pages_unmap(track, sizeof *track);
}

bool tern__track_room(const tern__track *track, size_t bytes, size_t *raw_bytes) {
    if (track->is_guarded)
        return tern__guard_room(bytes, raw_bytes);
    *raw_bytes = bytes;
    return true;
}

static void write_record(tern__track *track, uint32_t index, void *block, size_t bytes,
                         unsigned kind, const tern__note *note) {
    static const tern__note unknown = {NULL, NULL, -1, NULL};
    if (note == NULL)
        note = &unknown;
    assert(note->rank >= -1 && note->rank <= 8);
    uint64_t serial = ++track->serial;
    *entry_at(track, index) = (entry){.block = block,
                                      .bytes = bytes,
                                      .serial = (uint32_t)serial,
                                      .serial_high = (uint8_t)(serial >> 32),
                                      .state = STATE_LIVE,
                                      .kind = (uint8_t)kind,
                                      .rank = (int8_t)note->rank};
    origin *from = origin_at(track, index);
    from->op = note->op;
    from->dtype = note->dtype;
    from->made = tern__site_current();
    for (int i = 0; i < note->rank; i++)
        from->dims[i] = note->dims[i];
}

void *tern__track_open(tern__track *track, void *raw, size_t bytes, unsigned kind,
                       const tern__note *note) {
    if (track->filled >= (uint32_t)BUCKET_LOAD << track->bucket_bits && !double_buckets(track))
        return NULL;
    uint32_t index = take_record(track);
    if (index == 0)
        return NULL;
    void *block = track->is_guarded ? (uint8_t *)raw + TERN__GUARD : raw;
    assert((uintptr_t)block % 16 == 0 && find_slot(track, block).place == NULL);
    insert_slot(track, hash_address(block), index);
    track->filled++;
    track->live++;
    write_record(track, index, block, bytes, kind, note);
    if (track->is_guarded)
        tern__guard_write(block, bytes);
    return block;
}

static void count_lifetime(tern__track *track, const entry *e) {
    uint64_t serial = (uint64_t)e->serial_high << 32 | e->serial;
    uint64_t further = (track->serial - serial) & SERIAL_MASK;
    track->lifetimes[log2_floor(further | 1)]++;
}

/* Level FULL: the block leaves the user's hands and waits. */
static void hold(tern__track *track, uint32_t index) {
    assert(track->held_end - track->held_begin < HELD_RING);
    entry *e = entry_at(track, index);
    size_t raw_bytes = 0;
    tern__track_room(track, e->bytes, &raw_bytes);
    tern__guard_poison(e->block, e->bytes);
    e->state = STATE_HELD;
    track->held[track->held_end++ % HELD_RING] = (gone){tern__site_current(), index};
    track->held_bytes += raw_bytes;
}

bool tern__track_close(tern__track *track, void *block, size_t bytes, unsigned kind,
                       tern__record *closed, tern__raw *freed, tern__finding *finding) {
    finding->exists = false;
    *freed = (tern__raw){NULL, 0, kind};
    slot place = find_slot(track, block);
    if (place.place == NULL) {
        find_stray(track, block, finding);
        return false;
    }
    uint32_t index = place.index;
    entry *e = entry_at(track, index);
    if (e->state == STATE_HELD) {
        find(track, TERN_MEMORY_DOUBLE_RELEASE, block, index, released_at(track, index), finding);
        return false;
    }
    if (e->bytes != bytes || ((e->kind ^ kind) & TERN__BLOCK_DATA) != 0) {
        find(track, TERN_MEMORY_WRONG_SIZE, block, index, NOWHERE, finding);
        return false;
    }
    count_lifetime(track, e);
    track->live--;
    if (closed != NULL)
        *closed = record_of(track, index);
    if (track->is_guarded) {
        find_damage(track, index, finding);
        hold(track, index);
        return true;
    }
    *freed = (tern__raw){block, bytes, kind};
    remove_slot(track, place);
    remember(track, index, tern__site_current());
    return true;
}

bool tern__track_evict(tern__track *track, bool is_emptying, tern__raw *freed,
                       tern__finding *finding) {
    finding->exists = false;
    *freed = (tern__raw){NULL, 0, 0};
    uint32_t count = track->held_end - track->held_begin;
    if (count == 0 || (!is_emptying && count <= HELD && track->held_bytes <= HELD_BYTES))
        return false;
    const gone *oldest = &track->held[track->held_begin % HELD_RING];
    if (find_damage(track, oldest->index, finding))
        return true;
    const entry *e = entry_at(track, oldest->index);
    freed->raw = (uint8_t *)e->block - TERN__GUARD;
    freed->kind = e->kind & ~(unsigned)TERN__BLOCK_TENSOR;
    tern__track_room(track, e->bytes, &freed->raw_bytes);
    track->held_bytes -= freed->raw_bytes;
    track->held_begin++;
    remove_slot(track, find_slot(track, e->block));
    remember(track, oldest->index, oldest->released);
    return true;
}

bool tern__track_check(tern__track *track, size_t *cursor, tern__finding *finding) {
    finding->exists = false;
    if (!track->is_guarded)
        return false;
    for (; *cursor + 1 < track->record_end; ++*cursor) {
        uint32_t index = (uint32_t)*cursor + 1;
        if (is_present(entry_at(track, index)) && find_damage(track, index, finding))
            return true;
    }
    return false;
}

static const tern__record *view(const tern__track *track, uint32_t index) {
    *track->view = record_of(track, index);
    return track->view;
}

const tern__record *tern__track_lookup(const tern__track *track, const void *address) {
    slot place = find_slot(track, address);
    uint32_t index = place.place != NULL ? place.index : find_around(track, address);
    return index != 0 && entry_at(track, index)->state == STATE_LIVE ? view(track, index) : NULL;
}

const tern__record *tern__track_next(const tern__track *track, size_t *cursor) {
    while (*cursor + 1 < track->record_end) {
        ++*cursor;
        if (entry_at(track, (uint32_t)*cursor)->state == STATE_LIVE)
            return view(track, (uint32_t)*cursor);
    }
    return NULL;
}

int64_t tern__track_live(const tern__track *track) {
    return track->live;
}

const uint64_t *tern__track_lifetimes(const tern__track *track) {
    return track->lifetimes;
}

size_t tern__track_bookkeeping(const tern__track *track) {
    return track->mapped_bytes;
}
