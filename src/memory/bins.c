/* SPDX-License-Identifier: MIT */
#include "memory/bins.h"

#include <assert.h>
#include <string.h>

#include "base/os.h"

_Static_assert(sizeof(tern__bin) == 64, "a bin is a cache line");

/* A refill brings at most so many bytes, so that a rarely used class binds little. */
#define REFILL_BYTES ((size_t)64 << 10)
/* Up to so many bytes a bin holds from the start. */
#define START_BYTES ((size_t)4 << 10)

static uint32_t first_capacity(int size_class) {
    size_t fits = START_BYTES / tern__class_room(size_class);
    return (uint32_t)(fits < TERN__BIN_START ? fits : TERN__BIN_START);
}

static void set_capacity(tern__bins *bins, int size_class, uint32_t capacity) {
    tern__bin *bin = &bins->bins[size_class];
    size_t room = tern__class_room(size_class);
    bins->grown_bytes += capacity * room;
    bins->grown_bytes -= bin->capacity * room;
    bin->capacity = capacity;
}

void tern__bins_init(tern__bins *bins, tern__slabs *slabs) {
    memset(bins, 0, sizeof *bins);
    bins->slabs = slabs;
    for (int c = 0; c < TERN__CLASSES; c++) {
        tern__bin *bin = &bins->bins[c];
        bin->slots = bins->start[c];
        bin->length = TERN__BIN_START;
        bin->capacity = first_capacity(c);
    }
}

void tern__bins_deinit(tern__bins *bins) {
    for (int c = 0; c < TERN__CLASSES; c++) {
        assert(TERN__GET(bins->bins[c].count) == 0);
        if (bins->bins[c].slots != bins->start[c])
            tern__os()->free(bins->bins[c].slots);
    }
}

/* False when there is no memory. */
static bool lengthen(tern__bins *bins, int size_class, uint32_t length) {
    tern__bin *bin = &bins->bins[size_class];
    void **slots = tern__os()->alloc(length * sizeof *slots);
    if (slots == NULL)
        return false;
    memcpy(slots, bin->slots, TERN__GET(bin->count) * sizeof *slots);
    size_t before = 0;
    if (bin->slots != bins->start[size_class]) {
        before = bin->length * sizeof *slots;
        tern__os()->free(bin->slots);
    }
    TERN__SET(bins->slots_bytes, TERN__GET(bins->slots_bytes) - before + length * sizeof *slots);
    bin->slots = slots;
    bin->length = length;
    return true;
}

bool tern__bin_grow(tern__bins *bins, int size_class, size_t bound) {
    tern__bin *bin = &bins->bins[size_class];
    size_t room = tern__class_room(size_class), most = TERN__BIN_BYTES / room;
    size_t left = bound > bins->grown_bytes ? (bound - bins->grown_bytes) / room : 0;
    size_t capacity = bin->capacity == 0 ? 1 : (size_t)bin->capacity * 2;
    if (capacity > bin->capacity + left)
        capacity = bin->capacity + left;
    if (capacity > most)
        capacity = most;
    if (capacity > TERN__BIN_MAX)
        capacity = TERN__BIN_MAX;
    if (!bin->is_wanted || capacity <= bin->capacity)
        return false;
    if (capacity > bin->length && !lengthen(bins, size_class, (uint32_t)capacity))
        return false;
    set_capacity(bins, size_class, (uint32_t)capacity);
    return true;
}

int tern__stock_take(tern__slabs *slabs, int size_class, void **blocks, int count, int *fresh) {
    if (size_class < TERN__SLAB_CLASSES)
        return tern__slabs_take(slabs, size_class, blocks, count, fresh);
    *fresh = 0;
    for (int i = 0; i < count; i++) {
        bool is_reused;
        blocks[i] = tern__runs_take(slabs->runs, tern__class_room(size_class), &is_reused);
        if (blocks[i] == NULL)
            return i;
        *fresh += !is_reused;
    }
    return count;
}

void tern__stock_give(tern__slabs *slabs, int size_class, void *const *blocks, int count) {
    if (size_class < TERN__SLAB_CLASSES)
        tern__slabs_give(slabs, blocks, count);
    else
        for (int i = 0; i < count; i++)
            tern__runs_give(slabs->runs, blocks[i], tern__class_room(size_class));
}

bool tern__stock_would_exceed(tern__slabs *slabs, int size_class, size_t most) {
    if (size_class >= TERN__SLAB_CLASSES)
        return tern__runs_would_exceed(slabs->runs, tern__class_room(size_class) / TERN__PAGE,
                                       most);
    return slabs->partial[size_class] == TERN__NO_PAGE &&
           tern__runs_would_exceed(slabs->runs, slabs->pages[size_class], most);
}

bool tern__bin_refill(tern__bins *bins, int size_class) {
    tern__bin *bin = &bins->bins[size_class];
    assert(TERN__GET(bin->count) == 0);
    size_t wanted = bin->capacity / 2, most = REFILL_BYTES / tern__class_room(size_class);
    wanted = wanted < most ? wanted : most;
    int fresh = 0;
    int count = tern__stock_take(bins->slabs, size_class, bin->slots, wanted != 0 ? (int)wanted : 1,
                                 &fresh);
    bin->is_wanted = bin->was_empty = true;
    TERN__SET(bin->moved, TERN__GET(bin->moved) + (uint64_t)count);
    TERN__SET(bin->count, (uint32_t)count);
    TERN__SET(bin->low, (uint32_t)count);
    TERN__SET(bin->fresh, (uint32_t)fresh);
    TERN__SET(bin->cut, TERN__GET(bin->cut) + (uint64_t)fresh);
    return count != 0;
}

void tern__bin_flush(tern__bins *bins, int size_class, uint32_t count) {
    tern__bin *bin = &bins->bins[size_class];
    uint32_t held = TERN__GET(bin->count), low = TERN__GET(bin->low), fresh = TERN__GET(bin->fresh);
    assert(count <= held);
    tern__stock_give(bins->slabs, size_class, bin->slots, (int)count);
    memmove(bin->slots, bin->slots + count, (held - count) * sizeof *bin->slots);
    fresh = fresh < low ? fresh : low;
    uint32_t fresh_gone = fresh < count ? fresh : count; /* they were never used here */
    TERN__SET(bin->cut, TERN__GET(bin->cut) - fresh_gone);
    TERN__SET(bin->fresh, fresh - fresh_gone);
    TERN__SET(bin->low, low > count ? low - count : 0);
    TERN__SET(bin->moved, TERN__GET(bin->moved) - count);
    TERN__SET(bin->count, held - count);
}

void tern__bins_flush(tern__bins *bins) {
    for (int c = 0; c < TERN__CLASSES; c++)
        if (TERN__GET(bins->bins[c].count) != 0)
            tern__bin_flush(bins, c, TERN__GET(bins->bins[c].count));
}

static void shrink_bin(tern__bins *bins, int size_class) {
    tern__bin *bin = &bins->bins[size_class];
    uint32_t calls = (uint32_t)(TERN__GET(bin->allocs) + tern__bin_frees(bin));
    uint32_t low = TERN__GET(bin->low);
    uint32_t first = first_capacity(size_class), needless = bin->was_empty ? 0 : low;
    if (needless != 0)
        tern__bin_flush(bins, size_class, needless);
    uint32_t capacity = calls == bin->calls_seen ? 0 : bin->capacity - needless;
    if (capacity < first)
        capacity = first;
    if (capacity < bin->capacity && TERN__GET(bin->count) <= capacity)
        set_capacity(bins, size_class, capacity);
    low = TERN__GET(bin->low);
    if (TERN__GET(bin->fresh) > low)
        TERN__SET(bin->fresh, low);
    TERN__SET(bin->low, TERN__GET(bin->count));
    bin->calls_seen = calls;
    bin->was_empty = bin->is_wanted = false;
}

void tern__bins_shrink(tern__bins *bins) {
    for (int c = 0; c < TERN__CLASSES; c++)
        shrink_bin(bins, c);
}
