/* SPDX-License-Identifier: MIT
 *
 * A pool beside a shadow that counts for itself: random lives of blocks at any tracking level, by
 * the owner and by other threads.
 *
 *     shadow_begin(TERN_TRACK_SITES, 0, seed);
 *     operate(250); others_release(); all_at_once(); move_away();
 *     ... compare the pool's figures with `s` ...
 */
#ifndef TERN_TEST_POOL_SHADOW_H
#define TERN_TEST_POOL_SHADOW_H

#include <pthread.h>

#include "memory/counted_source.h"
#include "memory/pool_state.h"

#define KIB   ((size_t)1 << 10)
#define MIB   ((size_t)1 << 20)
#define GUARD ((size_t)64)

enum {
    BLOCKS = 1500,
    CLASSES = TERN__CLASSES + 1, /* the last one: everything larger */
    SITES = 9,                   /* 0..3 make tensors, 4..7 other blocks, 8 tensors that go early */
    THREADS = 3,
};

/* -- the shadow --------------------------------------------------------------------------------*/

typedef struct block {
    void *address;
    size_t bytes;
    unsigned kind;
    int site;
    uint64_t serial; /* of its allocation */
} block;

typedef struct shadow {
    tern__pool *pool;
    tern_tracking tracking;
    size_t max_bytes;
    test_random random;
    block blocks[BLOCKS];
    int count;
    size_t live_bytes, room_bytes;
    size_t peak_low, peak_high; /* they differ after threads ran at the same time */
    int64_t tensors, peak_tensors_low, peak_tensors_high;
    uint64_t allocations, releases, remote_releases;
    int64_t live_blocks[CLASSES];
    uint64_t calls[CLASSES];
    bool knows_serials; /* only one thread has ever allocated at a time */
    uint64_t lifetimes[TERN_MEMORY_LIFETIMES];
    uint64_t refused; /* by the limit */
} shadow;

static shadow s;

static inline void event_is_wrong(void *user, const tern_memory_event *event) {
    (void)user;
    fail_msg("memory event: %s", event->text);
}

static inline void shadow_begin(tern_tracking tracking, size_t max_bytes, uint64_t seed) {
    ground_begin();
    memset(&s, 0, sizeof s);
    s.tracking = tracking;
    s.max_bytes = max_bytes;
    s.random.seed = seed;
    s.knows_serials = true;
    test_ok(tern__pool_create(&(tern__pool_options){.source = &ground_source,
                                                    .max_bytes = max_bytes,
                                                    .tracking = tracking,
                                                    .on_event = event_is_wrong},
                              &s.pool));
}

/* The rooms of the classes, as they are described: steps of 16 from 64 up to 256, of 32 up to 512,
 * then eight per doubling up to 4 MiB. */
static size_t class_rooms[CLASSES];

static inline int list_rooms(void **state) {
    (void)state;
    int count = 0;
    for (size_t room = 64; room <= 4 * MIB;) {
        class_rooms[count++] = room;
        size_t step = 16;
        if (room >= 512)
            for (step = 64; 16 * step <= room;)
                step *= 2;
        else if (room >= 256)
            step = 32;
        room += step;
    }
    return count != TERN__CLASSES;
}

/* The class of a block and the bytes it takes. */
static inline int class_of(const block *b, size_t *room) {
    size_t bytes = b->bytes;
    if (s.tracking == TERN_TRACK_FULL)
        bytes = (bytes + 2 * GUARD + 63) / 64 * 64;
    else if (b->kind & TERN__BLOCK_DATA)
        bytes = (bytes + 63) / 64 * 64;
    for (int i = 0; i < TERN__CLASSES; i++)
        if (bytes <= class_rooms[i]) {
            *room = class_rooms[i];
            return i;
        }
    *room = (bytes + TERN__PAGE - 1) / TERN__PAGE * TERN__PAGE;
    return TERN__CLASSES;
}

static inline void note_peaks(size_t live_bytes_high, int64_t tensors_high) {
    s.peak_low = s.live_bytes > s.peak_low ? s.live_bytes : s.peak_low;
    s.peak_high = live_bytes_high > s.peak_high ? live_bytes_high : s.peak_high;
    s.peak_tensors_low = s.tensors > s.peak_tensors_low ? s.tensors : s.peak_tensors_low;
    s.peak_tensors_high = tensors_high > s.peak_tensors_high ? tensors_high : s.peak_tensors_high;
}

static inline void count_in(const block *b) {
    size_t room;
    int index = class_of(b, &room);
    s.live_bytes += b->bytes;
    s.room_bytes += room;
    s.tensors += b->kind & TERN__BLOCK_TENSOR ? 1 : 0;
    s.live_blocks[index]++;
    s.calls[index]++;
    s.allocations++;
    s.blocks[s.count++] = *b;
}

static inline void count_out(int index, bool is_remote) {
    block b = s.blocks[index];
    size_t room;
    s.live_blocks[class_of(&b, &room)]--;
    s.live_bytes -= b.bytes;
    s.room_bytes -= room;
    s.tensors -= b.kind & TERN__BLOCK_TENSOR ? 1 : 0;
    s.releases++;
    s.remote_releases += is_remote;
    int k = 0;
    for (uint64_t further = s.allocations - b.serial; further > 1; further /= 2)
        k++;
    s.lifetimes[k]++;
    s.blocks[index] = s.blocks[--s.count];
}

/* -- operations --------------------------------------------------------------------------------*/

/* Writes to every page, so that the system has to hold it. */
static inline void touch(const block *b) {
    for (size_t at = 0; at < b->bytes; at += TERN__PAGE)
        ((volatile char *)b->address)[at] = 1;
    if (b->bytes > 0)
        ((volatile char *)b->address)[b->bytes - 1] = 1;
}

static inline size_t random_bytes(test_random *random) {
    static const int64_t top[] = {256, 256, 512, 2048, 2048, 16384, 65536, 262144};
    if (test_random_range(random, 0, 150) == 0)
        return (size_t)test_random_range(random, 1 << 20, 6 << 20);
    return (size_t)test_random_range(random, 0, top[test_random_range(random, 0, 7)]);
}

static inline block random_block(test_random *random) {
    block b = {.bytes = random_bytes(random), .site = (int)test_random_range(random, 0, SITES - 1)};
    b.kind = test_random_range(random, 0, 1) == 0 ? TERN__BLOCK_HEADER : TERN__BLOCK_DATA;
    if (b.site < 4 || b.site == 8)
        b.kind |= TERN__BLOCK_TENSOR;
    return b;
}

static inline tern_status take(block *b) {
    static const char *const ops[SITES] = {"o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8"};
    tern__note note = {.op = ops[b->site], .dtype = "u8", .rank = 0};
    tern_site_set("shadow.c", b->site, "shadow_call");
    tern_status status = tern__pool_alloc(s.pool, b->bytes, b->kind, &note, &b->address);
    if (status == TERN_OK)
        touch(b);
    return status;
}

static inline void allocate(void) {
    block b = random_block(&s.random);
    if (s.count == BLOCKS)
        return;
    if (s.max_bytes != 0 && s.live_bytes + b.bytes > s.max_bytes) {
        test_status(take(&b), TERN_E_LIMIT);
        s.refused++;
        return;
    }
    test_ok(take(&b));
    b.serial = s.allocations + 1;
    count_in(&b);
    note_peaks(s.live_bytes, s.tensors);
}

static inline void release(int index) {
    block b = s.blocks[index];
    count_out(index, false);
    tern__pool_free(s.pool, b.address, b.bytes, b.kind);
}

static inline void let_tensor_go(void) {
    block *b = &s.blocks[test_random_range(&s.random, 0, s.count - 1)];
    if (b->site != 8 || !(b->kind & TERN__BLOCK_TENSOR))
        return;
    tern__pool_tensor_gone(s.pool);
    b->kind &= ~(unsigned)TERN__BLOCK_TENSOR;
    s.tensors--;
}

/* Allocations and releases with a drift upwards or downwards. */
static inline void operate(int count) {
    int64_t growth = test_random_range(&s.random, 30, 70);
    for (int i = 0; i < count; i++) {
        int64_t dice = test_random_range(&s.random, 0, 999);
        if (dice < 20 && s.count > 0)
            let_tensor_go();
        else if (dice < 22)
            tern__pool_trim(s.pool);
        else if (dice < 24)
            tern__pool_tick(s.pool);
        else if (dice % 100 < growth || s.count == 0)
            allocate();
        else
            release((int)test_random_range(&s.random, 0, s.count - 1));
    }
}

/* -- other threads -----------------------------------------------------------------------------*/

typedef struct helper {
    pthread_t thread;
    test_random random;
    block given[BLOCKS]; /* to release */
    int given_count;
    block made[100]; /* fresh ones */
    int made_count, failures;
} helper;

static helper helpers[THREADS];

static inline void *help(void *argument) {
    helper *h = argument;
    for (int i = 0; i < h->given_count || i < h->made_count; i++) {
        if (i < h->made_count) {
            h->made[i] = random_block(&h->random);
            h->failures += take(&h->made[i]) != TERN_OK;
        }
        if (i < h->given_count)
            tern__pool_free(s.pool, h->given[i].address, h->given[i].bytes, h->given[i].kind);
    }
    return NULL;
}

/* Hands random blocks over, counted out already. */
static inline void prepare_helper(helper *h, int given, int made) {
    h->random = (test_random){.seed = test_random_u32(&s.random)};
    h->made_count = made;
    h->failures = 0;
    h->given_count = 0;
    while (h->given_count < given && s.count > 0) {
        int index = (int)test_random_range(&s.random, 0, s.count - 1);
        h->given[h->given_count++] = s.blocks[index];
        count_out(index, true);
    }
}

static inline void start_helper(helper *h) {
    assert_int_equal(pthread_create(&h->thread, NULL, help, h), 0);
}

static inline void join_helper(helper *h) {
    pthread_join(h->thread, NULL);
    assert_int_equal(h->failures, 0);
}

/* One thread after the other: everything stays exact. */
static inline void others_release(void) {
    for (int i = 0; i < THREADS; i++) {
        prepare_helper(&helpers[i], (int)test_random_range(&s.random, 0, 400), 0);
        start_helper(&helpers[i]);
        join_helper(&helpers[i]);
    }
}

/* All at once, this thread too. */
static inline void all_at_once(void) {
    size_t live_bytes = s.live_bytes;
    int64_t tensors = s.tensors;
    s.knows_serials = false;
    for (int i = 0; i < THREADS; i++)
        prepare_helper(&helpers[i], 300, s.count < BLOCKS - 1000 ? 100 : 0);
    for (int i = 0; i < THREADS; i++)
        start_helper(&helpers[i]);
    uint64_t before = s.allocations;
    size_t most = s.live_bytes;
    for (int i = 0; i < 300; i++) {
        allocate();
        most = s.live_bytes > most ? s.live_bytes : most;
        if (s.count > 0 && i % 3 == 0)
            release(0);
    }
    size_t made = most;
    for (int i = 0; i < THREADS; i++) {
        join_helper(&helpers[i]);
        for (int k = 0; k < helpers[i].made_count; k++) {
            count_in(&helpers[i].made[k]);
            made += helpers[i].made[k].bytes;
        }
    }
    note_peaks(live_bytes + made, tensors + (int64_t)(s.allocations - before));
}

static inline void *operate_elsewhere(void *unused) {
    (void)unused;
    tern__pool_adopt(s.pool);
    operate(300);
    return NULL;
}

/* The pool moves to another thread and back. */
static inline void move_away(void) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, operate_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    tern__pool_adopt(s.pool);
}

#endif
