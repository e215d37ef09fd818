/* SPDX-License-Identifier: MIT
 * The pool on one thread, at level COUNTS unless said otherwise. */
#include "memory/pool_fixture.h"

#include "memory/size_class.h"
#include "memory/slabs.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#endif
#if defined(HAS_ASAN)
#include <sanitizer/asan_interface.h>
#endif

/* -- a pool beside a list of what should be in it ----------------------------------------------*/

typedef struct shadow_block {
    uint8_t *data;
    size_t bytes;
    unsigned kind;
    uint8_t fill;
} shadow_block;

enum { SHADOW_MAX = 600 };

typedef struct shadow {
    tern__pool *pool;
    shadow_block blocks[SHADOW_MAX];
    int count;
    size_t live_bytes, peak_bytes;
    int64_t tensors, peak_tensors;
    uint64_t allocations;
    test_random random;
} shadow;

/* All magnitudes up to 8 MiB alike, and often a size at or beside a power of two. */
static size_t random_bytes(test_random *random) {
    size_t top = (size_t)1 << test_random_range(random, 0, 23);
    if (test_random_range(random, 0, 3) == 0)
        return top + (size_t)test_random_range(random, -1, 1);
    return (size_t)test_random_range(random, (int64_t)top / 2, (int64_t)top);
}

/* Large blocks: the ends are enough. */
static size_t filled_part(const shadow_block *block) {
    return block->bytes < KIB ? block->bytes : KIB;
}

static void fill(const shadow_block *block) {
    size_t part = filled_part(block);
    memset(block->data, block->fill, part);
    memset(block->data + block->bytes - part, block->fill, part);
}

static void check_fill(const shadow *s, const shadow_block *block) {
    size_t part = filled_part(block);
    for (size_t i = 0; i < part; i++)
        if (block->data[i] != block->fill || block->data[block->bytes - 1 - i] != block->fill)
            fail_msg("a block of %zu bytes changed near %zu (seed %llu)", block->bytes, i,
                     (unsigned long long)s->random.seed);
}

static void check_apart(const shadow *s, const shadow_block *added) {
    for (int i = 0; i < s->count; i++) {
        const shadow_block *b = &s->blocks[i];
        /* An empty block has a place of its own too. */
        if (added->data < b->data + b->bytes + (b->bytes == 0) &&
            b->data < added->data + added->bytes + (added->bytes == 0))
            fail_msg("blocks of %zu and %zu bytes overlap (seed %llu)", added->bytes, b->bytes,
                     (unsigned long long)s->random.seed);
    }
}

/* False when there was no memory. */
static bool shadow_add(shadow *s, size_t bytes, unsigned kind) {
    shadow_block block = {NULL, bytes, kind, (uint8_t)test_random_u32(&s->random)};
    void *data = s;
    tern_status status = tern__pool_alloc(s->pool, bytes, kind, NULL, &data);
    if (status != TERN_OK) {
        test_status(status, TERN_E_MEMORY);
        assert_null(data);
        return false;
    }
    block.data = data;
    assert_int_equal((uintptr_t)data % ((kind & DATA) != 0 ? 64 : 16), 0);
    check_apart(s, &block);
    fill(&block);
    s->blocks[s->count++] = block;
    s->live_bytes += bytes;
    s->tensors += (kind & TENSOR) != 0;
    s->allocations++;
    if (s->live_bytes > s->peak_bytes)
        s->peak_bytes = s->live_bytes;
    if (s->tensors > s->peak_tensors)
        s->peak_tensors = s->tensors;
    return true;
}

static void shadow_remove(shadow *s, int index) {
    shadow_block block = s->blocks[index];
    check_fill(s, &block);
    tern__pool_free(s->pool, block.data, block.bytes, block.kind);
    s->blocks[index] = s->blocks[--s->count];
    s->live_bytes -= block.bytes;
    s->tensors -= (block.kind & TENSOR) != 0;
}

static void shadow_remove_all(shadow *s) {
    while (s->count > 0)
        shadow_remove(s, s->count - 1);
}

static void check_stats(const shadow *s) {
    tern_memory_stats stats = tern__pool_stats(s->pool);
    assert_int_equal(stats.live_bytes, s->live_bytes);
    assert_int_equal(stats.peak_bytes, s->peak_bytes);
    assert_int_equal(stats.live_tensors, s->tensors);
    assert_int_equal(stats.peak_tensors, s->peak_tensors);
    assert_true(stats.mapped_bytes >= stats.committed_bytes);
    assert_true(stats.committed_bytes >= stats.live_bytes);
}

static void check_figures(const shadow *s) {
    tern_memory_figures f = verified(s->pool);
    assert_int_equal(f.live_blocks, s->count);
    assert_int_equal(f.allocations, s->allocations);
    assert_int_equal(f.releases, s->allocations - (uint64_t)s->count);
    size_t room = 0;
    int64_t per_class[TERN__CLASSES + 1] = {0};
    for (int i = 0; i < s->count; i++) {
        bool is_guarded = f.tracking == TERN_TRACK_FULL;
        size_t raw = is_guarded ? (s->blocks[i].bytes + 2 * 64 + 63) / 64 * 64 : s->blocks[i].bytes;
        bool is_large = raw > TERN__CLASS_MAX, is_data = is_guarded || (s->blocks[i].kind & DATA);
        int c = is_large ? TERN__CLASSES : tern__class_aligned(raw, is_data ? 64 : 16);
        per_class[c]++;
        room += is_large ? (raw + TERN__PAGE - 1) / TERN__PAGE * TERN__PAGE : tern__class_room(c);
    }
    assert_int_equal(f.class_count, TERN__CLASSES + 1);
    for (int c = 0; c <= TERN__CLASSES; c++)
        assert_int_equal(f.classes[c].live_blocks, per_class[c]);
    if (s->live_bytes != 0) {
        double wasted = 1 - (double)s->live_bytes / (double)room;
        assert_true(f.internal_fragmentation > wasted - 1e-9);
        assert_true(f.internal_fragmentation < wasted + 1e-9);
    }
    assert_true(f.bookkeeping_bytes > 0 && f.remote_releases == 0);
}

static void do_random_operations(tern_tracking tracking, uint64_t seed, int steps) {
    static shadow s;
    s = (shadow){.pool = new_pool(&(tern__pool_options){.tracking = tracking}),
                 .random = {.seed = seed}};
    for (int step = 0; step < steps; step++) {
        /* Waves: now growing, now shrinking. */
        int64_t odds = step / 1000 % 2 == 0 ? 60 : 40;
        int64_t what = test_random_range(&s.random, 0, 9999);
        if (what < 5)
            tern__pool_trim(s.pool);
        else if (what < 20) {
            os.clock += UINT64_C(700000000);
            tern__pool_tick(s.pool);
        }
        if (s.count == 0 || (s.count < SHADOW_MAX && what % 100 < odds))
            assert_true(shadow_add(&s, random_bytes(&s.random),
                                   (unsigned)test_random_range(&s.random, 0, 3)));
        else
            shadow_remove(&s, (int)test_random_range(&s.random, 0, s.count - 1));
        check_stats(&s);
        if (step % 250 == 0)
            check_figures(&s);
    }
    shadow_remove_all(&s);
    check_stats(&s);
    check_figures(&s);
    tern__pool_destroy(s.pool);
    assert_int_equal(os.mapped, 0);
}

static void random_operations(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++)
        do_random_operations(TERN_TRACK_COUNTS, seed, 16000 / TEST_THINNING);
}

static void random_operations_tracked(void **state) {
    (void)state;
    do_random_operations(TERN_TRACK_SITES, 3, 6000 / TEST_THINNING);
    do_random_operations(TERN_TRACK_FULL, 4, 2000 / TEST_THINNING);
}

/* Both ends of every class and what lies beyond the last; used twice. */
static void every_class(void **state) {
    (void)state;
    static shadow s;
    s = (shadow){.pool = plain_pool(), .random = {.seed = 9}};
    for (int round = 0; round < 2; round++) {
        for (int c = 0; c < TERN__CLASSES; c++) {
            size_t room = tern__class_room(c);
            size_t smallest = c == 0 ? 0 : tern__class_room(c - 1) + 1;
            assert_true(shadow_add(&s, room, HEADER) && shadow_add(&s, smallest, HEADER));
            if (room % 64 == 0)
                assert_true(shadow_add(&s, room, DATA) && shadow_add(&s, room - 63, DATA));
        }
        assert_true(shadow_add(&s, TERN__CLASS_MAX + 1, DATA));
        assert_true(shadow_add(&s, 9 * MIB + 5, HEADER));
        check_figures(&s);
        shadow_remove_all(&s);
        check_figures(&s);
    }
    tern__pool_destroy(s.pool);
}

/* -- what costs what ---------------------------------------------------------------------------*/

/* A step of a program: the same blocks again and again. */
static void run_step(tern__pool *pool, size_t count) {
    static void *blocks[300];
    for (size_t i = 0; i < count; i++)
        blocks[i] = new_block(pool, 40 + i * i, i % 2 == 0 ? DATA : HEADER | TENSOR);
    for (size_t i = 0; i < count; i++)
        tern__pool_free(pool, blocks[i], 40 + i * i, i % 2 == 0 ? DATA : HEADER | TENSOR);
}

/* As long as the bins may hold its blocks: those of a small step always, of a large one when it is
 * a part of what was alive. */
static void a_repeated_step_is_free(void **state) {
    (void)state;
    for (int is_large = 0; is_large < 2; is_large++) {
        tern__pool *pool = plain_pool();
        size_t count = is_large ? 300 : 80;
        if (is_large)
            raise_bins_bound(pool, 32 * MIB);
        tern_memory_figures first = verified(pool);
        for (int step = 0; step < 3; step++)
            run_step(pool, count);
        long long calls = os.calls;
        tern_memory_figures before = verified(pool);
        assert_in_range(before.locks - first.locks, 1, 1000);
        for (int step = 0; step < 50; step++)
            run_step(pool, count);
        tern_memory_figures after = verified(pool);
        assert_int_equal(after.locks, before.locks);
        assert_int_equal(after.system_calls, before.system_calls);
        assert_int_equal(os.calls, calls);
        assert_int_equal(after.allocations - first.allocations, 53 * count);
        assert_int_equal(after.stats.peak_bytes, before.stats.peak_bytes);
        tern__pool_destroy(pool);
    }
}

/* Growing beyond the peak of before costs no lock either, while bins have blocks. */
static void a_new_peak_takes_no_lock(void **state) {
    (void)state;
    tern__pool *pool = plain_pool();
    void *blocks[40];
    for (int i = 0; i < 40; i++)
        blocks[i] = new_block(pool, 100, DATA | TENSOR);
    for (int i = 0; i < 40; i++)
        tern__pool_free(pool, blocks[i], 100, DATA | TENSOR);
    uint64_t locks = verified(pool).locks;
    for (int i = 0; i < 40; i++)
        blocks[i] = new_block(pool, 128, DATA | TENSOR);
    tern_memory_figures figures = verified(pool);
    assert_int_equal(figures.locks, locks);
    assert_int_equal(figures.stats.peak_bytes, 40 * 128);
    assert_int_equal(figures.stats.peak_tensors, 40);
    for (int i = 0; i < 40; i++)
        tern__pool_free(pool, blocks[i], 128, DATA | TENSOR);
    tern__pool_destroy(pool);
}

static void reuse_is_counted(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_SITES; level++) {
        const size_t sizes[] = {100, 5000, 40000, 5 * MIB};
        tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
        for (size_t k = 0; k < 4; k++) {
            int c = sizes[k] > TERN__CLASS_MAX ? TERN__CLASSES : tern__class_aligned(sizes[k], 64);
            void *a = new_block(pool, sizes[k], DATA), *b = new_block(pool, sizes[k], DATA);
            tern_memory_class entry = verified(pool).classes[c];
            assert_int_equal(entry.calls, 2);
            assert_int_equal(entry.reused, 0);
            assert_int_equal(entry.live_blocks, 2);
            tern__pool_free(pool, a, sizes[k], DATA);
            a = new_block(pool, sizes[k], DATA);
            entry = verified(pool).classes[c];
            assert_int_equal(entry.calls, 3);
            assert_int_equal(entry.reused, 1);
            tern__pool_free(pool, a, sizes[k], DATA);
            tern__pool_free(pool, b, sizes[k], DATA);
            if (c < TERN__SLAB_CLASSES)
                continue;
            for (int i = 0; i < 2; i++) { /* the bin gives its blocks back, their pages stay */
                os.clock += UINT64_C(1000000000);
                tern__pool_tick(pool);
            }
            a = new_block(pool, sizes[k], DATA);
            assert_int_equal(verified(pool).classes[c].reused, 2);
            tern__pool_free(pool, a, sizes[k], DATA);
        }
        tern__pool_destroy(pool);
    }
}

/* A bin never holds more than 512 blocks or 8 MiB, all bins not more than their bound. */
static void bins_are_bounded(void **state) {
    (void)state;
    static void *blocks[4000];
    tern__pool *pool = plain_pool();
    raise_bins_bound(pool, 64 * MIB);
    const size_t sizes[] = {64, 4096, 65536, 1 << 20};
    for (size_t k = 0; k < 4; k++) {
        size_t count = k == 3 ? 60 : 4000 >> k;
        for (size_t i = 0; i < count; i++)
            blocks[i] = new_block(pool, sizes[k], DATA);
        for (size_t i = 0; i < count; i++)
            tern__pool_free(pool, blocks[i], sizes[k], DATA);
        int c = tern__class_aligned(sizes[k], 64);
        tern_memory_figures figures = verified(pool);
        if (c >= TERN__SLAB_CLASSES) {
            /* The free blocks of a run class are in its bin, all others are free runs. */
            assert_in_range(figures.classes[c].free_blocks, 1, 512);
            assert_true((size_t)figures.classes[c].free_blocks * sizes[k] <= 8 * MIB);
        } else {
            /* A slab is given back when its last block is: what is left hangs on the bin. */
            assert_in_range(figures.classes[c].free_blocks, 1, 512 * 256);
            assert_true(figures.classes[c].free_blocks < (int64_t)count);
        }
    }
    tern__pool_destroy(pool);

    /* All bins of runs, whose free blocks are in bins only. */
    pool = plain_pool();
    size_t bytes = 0, first = first_bytes(pool);
    for (int c = TERN__SLAB_CLASSES; c < TERN__CLASSES; c++) {
        for (int i = 0; i < 20; i++)
            blocks[i] = new_block(pool, tern__class_room(c), DATA);
        for (int i = 0; i < 20; i++)
            tern__pool_free(pool, blocks[i], tern__class_room(c), DATA);
    }
    tern_memory_figures figures = verified(pool);
    for (int c = TERN__SLAB_CLASSES; c < TERN__CLASSES; c++)
        bytes += (size_t)figures.classes[c].free_blocks * tern__class_room(c);
    assert_in_range(bytes, tern__bins_bound(pool) / 2, tern__bins_bound(pool) + first);
    assert_true(tern__bins_bound(pool) < figures.stats.peak_bytes / 4);
    tern__pool_destroy(pool);
}

/* Blocks made long ago are no reason to keep many. */
static void bins_grow_when_wanted(void **state) {
    (void)state;
    static void *blocks[400];
    for (int is_old = 0; is_old < 2; is_old++) {
        tern__pool *pool = plain_pool();
        uint64_t half = (pool->bins.bins[tern__class_of(512)].capacity + 1) / 2;
        raise_bins_bound(pool, 4 * MIB);
        for (int i = 0; i < 400; i++)
            blocks[i] = new_block(pool, 512, DATA);
        if (is_old) {
            os.clock += UINT64_C(2000000000);
            tern__pool_tick(pool);
        }
        uint64_t locks = verified(pool).locks;
        for (int i = 0; i < 400; i++)
            tern__pool_free(pool, blocks[i], 512, DATA);
        locks = verified(pool).locks - locks;
        if (is_old)
            assert_in_range(locks, 360 / half, 440 / half);
        else
            assert_int_equal(locks, 0);
        tern__pool_destroy(pool);
    }
}

/* -- limits and refusals -----------------------------------------------------------------------*/

static void the_limit_is_exact(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        tern__pool *pool =
            new_pool(&(tern__pool_options){.max_bytes = 1000000, .tracking = (tern_tracking)level});
        void *first = new_block(pool, 600000, DATA), *second = new_block(pool, 400000, DATA);
        void *third = &pool;
        test_status(tern__pool_alloc(pool, 1, HEADER, NULL, &third), TERN_E_LIMIT);
        assert_null(third);
        assert_string_equal(tern_last_error(), "memory: 1 bytes more than the 1000000 in use "
                                               "exceed the limit of 1000000");
        long long mapped = os.mapped;
        test_status(tern__pool_alloc(pool, 100 * MIB, DATA, NULL, &third), TERN_E_LIMIT);
        assert_int_equal(os.mapped, mapped);
        void *empty = new_block(pool, 0, HEADER);
        for (int i = 0; i < 20; i++) { /* the second time by the fast path */
            tern__pool_free(pool, second, 400000, DATA);
            test_status(tern__pool_alloc(pool, 400001, DATA, NULL, &third), TERN_E_LIMIT);
            second = new_block(pool, 400000, DATA);
        }
        tern_memory_figures figures = verified(pool);
        assert_int_equal(figures.stats.live_bytes, 1000000);
        assert_int_equal(figures.stats.peak_bytes, 1000000);
        assert_int_equal(figures.max_bytes, 1000000);
        assert_int_equal(figures.live_blocks, 3);
        tern__pool_free(pool, empty, 0, HEADER);
        tern__pool_free(pool, first, 600000, DATA);
        tern__pool_free(pool, second, 400000, DATA);
        tern__pool_free(pool, NULL, 5, DATA);
        tern__pool_destroy(pool);
    }
    tern__pool_destroy(NULL);
}

static void impossible_sizes_are_refused(void **state) {
    (void)state;
    tern__pool *pool = plain_pool();
    for (size_t k = 0; k < 100; k++) {
        void *block = &pool;
        test_status(tern__pool_alloc(pool, SIZE_MAX - k, DATA, NULL, &block), TERN_E_MEMORY);
        assert_null(block);
        test_status(tern__pool_alloc(pool, SIZE_MAX / 2 - k, DATA, NULL, &block), TERN_E_MEMORY);
        assert_non_null(strstr(tern_last_error(), "cannot exist"));
        test_status(tern__pool_alloc(pool, SIZE_MAX / 8 - k, DATA, NULL, &block), TERN_E_MEMORY);
    }
    assert_int_equal(tern__pool_stats(pool).peak_bytes, 0);
    tern__pool *none = pool;
    test_status(tern__pool_create(&(tern__pool_options){.tracking = (tern_tracking)3}, &none),
                TERN_E_ARGUMENT);
    assert_null(none);
    tern__pool_destroy(pool);
}

/* -- pressure ----------------------------------------------------------------------------------*/

typedef struct cache {
    tern__pool *pool;
    void *block;
    size_t bytes;
    int calls;
    size_t asked;
} cache;

static void release_cache(void *user, size_t bytes) {
    cache *c = user;
    c->calls++;
    c->asked = bytes;
    void *none = c;
    /* Allocations from in here fail, small ones that a bin could serve too. */
    assert_int_not_equal(tern__pool_alloc(c->pool, 64, DATA, NULL, &none), TERN_OK);
    assert_null(none);
    assert_int_equal(c->calls, 1);
    tern__pool_free(c->pool, c->block, c->bytes, DATA);
    c->block = NULL;
}

static void pressure_releases_what_can_be_spared(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        cache c = {.bytes = 700000};
        c.pool = new_pool(&(tern__pool_options){.max_bytes = 1000000,
                                                .tracking = (tern_tracking)level,
                                                .on_pressure = release_cache,
                                                .user = &c});
        tern__pool_free(c.pool, new_block(c.pool, 64, DATA), 64, DATA); /* for the bin */
        c.block = new_block(c.pool, c.bytes, DATA);
        void *block = new_block(c.pool, 300001, DATA);
        assert_int_equal(c.calls, 1);
        assert_int_equal(c.asked, 300001);
        assert_null(c.block);
        /* Nothing left to release: one call, then the error. */
        c.calls = 0;
        void *none = &c;
        test_status(tern__pool_alloc(c.pool, 700000, DATA, NULL, &none), TERN_E_LIMIT);
        assert_null(none);
        assert_int_equal(c.calls, 1);
        void *small = new_block(c.pool, 64, DATA);
        assert_int_equal(c.calls, 1);
        tern__pool_free(c.pool, small, 64, DATA);
        tern__pool_free(c.pool, block, 300001, DATA);
        assert_int_equal(verified(c.pool).live_blocks, 0);
        tern__pool_destroy(c.pool);
    }
}

static void pressure_when_the_system_has_no_memory(void **state) {
    (void)state;
    cache c = {.bytes = 200 * MIB};
    c.pool = new_pool(&(tern__pool_options){.on_pressure = release_cache, .user = &c});
    os.most_mapped = (long long)(290 * MIB);
    c.block = new_block(c.pool, c.bytes, DATA);
    void *block = new_block(c.pool, 150 * MIB - 5, DATA);
    assert_int_equal(c.calls, 1);
    c.calls = 0;
    void *none = &c;
    test_status(tern__pool_alloc(c.pool, 150 * MIB, DATA, NULL, &none), TERN_E_MEMORY);
    assert_null(none);
    assert_int_equal(c.calls, 1);
    assert_non_null(strstr(tern_last_error(), "157286400 bytes"));
    assert_non_null(strstr(tern_last_error(), "157286395 in use"));
    assert_int_equal(tern__pool_stats(c.pool).peak_bytes, 200 * MIB);
    tern__pool_free(c.pool, block, 150 * MIB - 5, DATA);
    tern__pool_destroy(c.pool);
}

/* What lies in bins and slabs of other classes is given back before an allocation fails. */
static void free_blocks_serve_other_classes(void **state) {
    (void)state;
    static void *blocks[30];
    tern__pool *pool = plain_pool();
    for (int i = 0; i < 30; i++)
        blocks[i] = new_block(pool, 2 * MIB, DATA);
    for (int i = 0; i < 30; i++)
        tern__pool_free(pool, blocks[i], 2 * MIB, DATA);
    os.most_mapped = os.mapped + (long long)(4 * MIB);
    void *block = new_block(pool, 58 * MIB, DATA);
    tern__pool_free(pool, block, 58 * MIB, DATA);
    (void)verified(pool);
    tern__pool_destroy(pool);
}

/* -- the system fails --------------------------------------------------------------------------*/

static int workload(shadow *s) {
    int refused = 0;
    for (int step = 0; step < 120; step++) {
        size_t bytes = step % 9 == 0 ? 20 * MIB : random_bytes(&s->random) / 2;
        if (!shadow_add(s, bytes, step % 2 == 0 ? DATA : HEADER | TENSOR))
            refused++;
        if (step % 5 == 4 && s->count > 0)
            shadow_remove(s, (int)test_random_range(&s->random, 0, s->count - 1));
        if (step == 60)
            shadow_remove_all(s);
        check_stats(s);
    }
    return refused;
}

static void fails_at_every_call(tern_tracking tracking) {
    static shadow s;
    const test_random random = {.seed = 77};
    long long calls = 0, step = tracking == TERN_TRACK_FULL ? 3 : 1;
    for (int mode = 0; mode < 2; mode++)
        for (long long k = -1; k < calls; k += k < 0 ? 1 : step * TEST_THINNING) {
            os.calls = 0;
            os.refuse_at = k;
            os.refuses_from_then_on = mode == 1;
            tern__pool *pool = NULL;
            tern_status status =
                tern__pool_create(&(tern__pool_options){.tracking = tracking}, &pool);
            if (status != TERN_OK) {
                test_status(status, TERN_E_MEMORY);
                assert_null(pool);
                assert_true(k >= 0 && os.mapped == 0 && os.blocks == 0);
                continue;
            }
            s = (shadow){.pool = pool, .random = random};
            (void)workload(&s);
            if (k < 0)
                calls = os.calls;
            /* Afterwards the same pool serves. */
            os.refuse_at = -1;
            assert_true(shadow_add(&s, 3 * MIB, DATA) && shadow_add(&s, 300000, HEADER));
            check_figures(&s);
            shadow_remove_all(&s);
            tern__pool_destroy(pool);
            assert_int_equal(os.mapped, 0);
        }
    assert_in_range(calls, 10, 2000);
}

static void the_system_fails_at_every_call(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++)
        fails_at_every_call((tern_tracking)level);
}

/* A pool that never gets memory from some moment on fails, and does not lie about it. */
static void nothing_is_served_from_nothing(void **state) {
    (void)state;
    tern__pool *pool = plain_pool();
    os.refuse_at = os.calls;
    os.refuses_from_then_on = true;
    const size_t sizes[] = {0, 100, 5000, 50000, 5000000};
    for (size_t k = 0; k < 5; k++) {
        void *block = &pool;
        test_status(tern__pool_alloc(pool, sizes[k], DATA, NULL, &block), TERN_E_MEMORY);
        assert_null(block);
    }
    tern_memory_figures figures = verified(pool);
    assert_int_equal(figures.stats.peak_bytes, 0);
    assert_int_equal(figures.allocations, 0);
    os.refuse_at = -1;
    tern__pool_free(pool, new_block(pool, 100, DATA), 100, DATA);
    tern__pool_destroy(pool);
}

/* A block that could not be entered into the records was never allocated. */
static void no_record_no_block(void **state) {
    (void)state;
    int refusals = 0;
    for (int level = TERN_TRACK_SITES; level <= TERN_TRACK_FULL; level++)
        for (int k = 0; k < 8; k++) {
            tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
            os.refuse_at = os.calls + k;
            os.refuses_from_then_on = true;
            void *block = NULL;
            tern_status status = tern__pool_alloc(pool, 100, DATA, NULL, &block);
            os.refuse_at = -1;
            bool is_made = status == TERN_OK;
            refusals += !is_made;
            assert_int_equal(verified(pool).allocations, is_made);
            if (is_made)
                tern__pool_free(pool, block, 100, DATA);
            assert_int_equal(verified(pool).releases, is_made);
            tern__pool_destroy(pool);
        }
    assert_in_range(refusals, 4, 15);
}

/* -- care --------------------------------------------------------------------------------------*/

static int64_t free_blocks(tern__pool *pool, size_t bytes) {
    return verified(pool).classes[tern__class_aligned(bytes, 64)].free_blocks;
}

static void ticks_give_back_what_lies_idle(void **state) {
    (void)state;
    const uint64_t second = UINT64_C(1000000000);
    enum { COUNT = 8, BYTES = 1 << 20 };
    void *blocks[COUNT];
    tern__pool *pool = plain_pool();
    raise_bins_bound(pool, COUNT * (size_t)BYTES);
    for (int i = 0; i < COUNT; i++)
        blocks[i] = new_block(pool, BYTES, DATA);
    for (int i = 0; i < COUNT; i++)
        tern__pool_free(pool, blocks[i], BYTES, DATA);
    assert_int_equal(free_blocks(pool, BYTES), COUNT);
    uint64_t locks = verified(pool).locks;
    os.clock += second - 1;
    tern__pool_tick(pool); /* too early */
    assert_int_equal(verified(pool).locks, locks);
    os.clock += 1;
    tern__pool_tick(pool); /* the refills count as need */
    assert_int_equal(free_blocks(pool, BYTES), COUNT);
    /* Three of eight are needed between two ticks. */
    for (int step = 0; step < 2; step++) {
        for (int i = 0; i < 3; i++)
            blocks[i] = new_block(pool, BYTES, DATA);
        for (int i = 0; i < 3; i++)
            tern__pool_free(pool, blocks[i], BYTES, DATA);
        os.clock += second;
        tern__pool_tick(pool);
        assert_int_equal(free_blocks(pool, BYTES), 3);
    }
    /* Not used at all. */
    os.clock += second;
    tern__pool_tick(pool);
    assert_int_equal(free_blocks(pool, BYTES), 0);
    tern_memory_stats stats = tern__pool_stats(pool);
    assert_true(stats.committed_bytes >= COUNT * (size_t)BYTES);
    /* Then the pages decay. */
    os.clock += TERN__DECAY_NS - 3 * second;
    tern__pool_tick(pool);
    stats = tern__pool_stats(pool);
    assert_true(stats.committed_bytes > 0);
    os.clock += 4 * second;
    tern__pool_tick(pool);
    stats = tern__pool_stats(pool);
    assert_int_equal(stats.committed_bytes, 0);
    tern__pool_destroy(pool);
}

static void pass_seconds(tern__pool *pool, int count) {
    for (int i = 0; i < count; i++) {
        os.clock += UINT64_C(1000000000);
        tern__pool_tick(pool);
    }
}

/* Makes the bin of a class grow; all its blocks lie in it then. */
static void fill_bin(tern__pool *pool, size_t bytes, int count) {
    void *blocks[8];
    for (int i = 0; i < count; i++)
        blocks[i] = new_block(pool, bytes, DATA);
    for (int i = 0; i < count; i++)
        tern__pool_free(pool, blocks[i], bytes, DATA);
}

static void a_bin_that_was_empty_is_needed(void **state) {
    (void)state;
    tern__pool *pool = plain_pool();
    fill_bin(pool, 64, 1); /* a refill brings more */
    pass_seconds(pool, 1);
    uint64_t locks = verified(pool).locks;
    fill_bin(pool, 64, 4);
    assert_int_equal(verified(pool).locks, locks);
    tern__pool_destroy(pool);
}

/* What idle bins might hold is no longer kept free for them. */
static void idle_bins_make_room_for_others(void **state) {
    (void)state;
    tern__pool *pool = plain_pool();
    void *ones[8], *twos[4];
    raise_bins_bound(pool, 16 * MIB);
    fill_bin(pool, 1 * MIB, 8);
    fill_bin(pool, 2 * MIB, 4); /* 16 MiB: no bin can grow now */
    for (int i = 0; i < 8; i++)
        ones[i] = new_block(pool, 1 * MIB, DATA);
    for (int i = 0; i < 4; i++)
        twos[i] = new_block(pool, 2 * MIB, DATA);
    fill_bin(pool, 3 * MIB, 2);
    assert_int_equal(free_blocks(pool, 3 * MIB), 0);
    pass_seconds(pool, 2);
    fill_bin(pool, 3 * MIB, 2);
    assert_int_equal(free_blocks(pool, 3 * MIB), 2);
    for (int i = 0; i < 8; i++)
        tern__pool_free(pool, ones[i], 1 * MIB, DATA);
    for (int i = 0; i < 4; i++)
        tern__pool_free(pool, twos[i], 2 * MIB, DATA);
    tern__pool_destroy(pool);
}

/* The bound follows the peak; what lies in bins goes when it is not needed, whatever the bound. */
static void bins_follow_the_peak(void **state) {
    (void)state;
    const size_t sizes[] = {1 * MIB, 1280 * KIB, 1536 * KIB, 2 * MIB, 4 * MIB};
    const int counts[] = {8, 6, 5, 4, 2};
    for (size_t bound = 4 * MIB; bound <= 64 * MIB; bound *= 4) {
        tern__pool *pool = plain_pool();
        size_t bytes = 0, first = first_bytes(pool);
        raise_bins_bound(pool, bound);
        bound = tern__bins_bound(pool);
        for (int k = 0; k < 5; k++)
            fill_bin(pool, sizes[k], counts[k]);
        for (int k = 0; k < 5; k++)
            bytes += (size_t)free_blocks(pool, sizes[k]) * sizes[k];
        if (bound > 40 * MIB)
            assert_int_equal(bytes, 39 * MIB);
        else
            assert_in_range(bytes, bound / 4 * 3, bound + first);
        assert_int_equal(tern__bins_bound(pool), bound);
        pass_seconds(pool, 2);
        for (int k = 0; k < 5; k++)
            assert_int_equal(free_blocks(pool, sizes[k]), 0);
        tern__pool_destroy(pool);
        bound = bound / MIB * MIB;
    }
}

static void ticks_of_shared_bins_come_in_seconds(void **state) {
    (void)state;
    tern__pool *pool = new_pool(&(tern__pool_options){.tracking = TERN_TRACK_SITES});
    fill_bin(pool, 60000, 1);
    for (int i = 0; i < 5; i++)
        tern__pool_tick(pool);
    assert_int_equal(free_blocks(pool, 60000), 1);
    pass_seconds(pool, 2);
    assert_int_equal(free_blocks(pool, 60000), 0);
    tern__pool_destroy(pool);
}

/* A free arena of one run serves what is a little shorter. */
static void a_run_may_be_longer_than_needed(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
        tern__pool_free(pool, new_block(pool, 80 * MIB, DATA), 80 * MIB, DATA);
        void *block = new_block(pool, 78 * MIB - 192, DATA);
        size_t room = verified(pool).room_bytes;
        assert_in_range(room, 78 * MIB - 192, 78 * MIB);
        tern__pool_free(pool, block, 78 * MIB - 192, DATA);
        assert_int_equal(verified(pool).room_bytes, 0);
        tern__pool_destroy(pool);
    }
}

static void trim_gives_everything_back(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_SITES; level++) {
        tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
        run_step(pool, 300);
        void *kept = new_block(pool, 100, DATA);
        memset(kept, 7, 100);
        size_t committed = tern__pool_stats(pool).committed_bytes;
        size_t given = tern__pool_trim(pool);
        tern_memory_stats stats = tern__pool_stats(pool);
        assert_int_equal(stats.committed_bytes, committed - given);
        assert_in_range(stats.committed_bytes, 100, 64 * KIB);
        assert_int_equal(verified(pool).live_blocks, 1);
        for (int i = 0; i < 100; i++)
            assert_int_equal(((uint8_t *)kept)[i], 7);
        tern__pool_free(pool, kept, 100, DATA);
        tern__pool_trim(pool);
        stats = tern__pool_stats(pool);
        assert_int_equal(stats.committed_bytes, 0);
        assert_int_equal(stats.mapped_bytes, 0);
        run_step(pool, 100);
        tern__pool_destroy(pool);
    }
}

static void slow_calls_look_at_the_clock(void **state) {
    (void)state;
    tern__pool *pool = plain_pool();
    void *block = new_block(pool, 60000, DATA);
    tern__pool_free(pool, block, 60000, DATA);
    assert_int_equal(free_blocks(pool, 60000), 1);
    os.clock += UINT64_C(2000000000);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1100; i++) /* large blocks never take the fast path */
            tern__pool_free(pool, new_block(pool, 5 * MIB, DATA), 5 * MIB, DATA);
        os.clock += UINT64_C(2000000000);
    }
    assert_int_equal(free_blocks(pool, 60000), 0);
    tern__pool_destroy(pool);
}

/* -- sources, tracing, poison ------------------------------------------------------------------*/

typedef struct device {
    size_t mapped;
    char *next;
} device;

/* Addresses that nobody may touch. */
static void *device_map(void *user, size_t bytes) {
    device *d = user;
    void *pages = d->next;
    d->next += bytes;
    d->mapped += bytes;
    return pages;
}

static void device_unmap(void *user, void *pages, size_t bytes) {
    (void)pages;
    ((device *)user)->mapped -= bytes;
}

static void the_pool_touches_no_memory(void **state) {
    (void)state;
    device d = {.next = (char *)(uintptr_t)0x500000000000};
    const tern__source source = {
        .name = "device", .map = device_map, .unmap = device_unmap, .user = &d};
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        tern__pool *pool =
            new_pool(&(tern__pool_options){.source = &source, .tracking = (tern_tracking)level});
        for (int step = 0; step < 3; step++)
            run_step(pool, 200);
        void *large = new_block(pool, 100 * MIB, DATA);
        assert_true(d.mapped >= 100 * MIB);
        tern__pool_free(pool, large, 100 * MIB, DATA);
        os.clock += UINT64_C(2000000000);
        tern__pool_tick(pool);
        assert_int_equal(verified(pool).live_blocks, 0);
        tern__pool_trim(pool);
        tern__pool_destroy(pool);
        assert_int_equal(d.mapped, 0);
    }
}

typedef struct recording {
    int allocs, releases;
    const void *block;
    size_t bytes;
    unsigned kind;
} recording;

static void record(void *user, const void *block, size_t bytes, unsigned kind, bool is_release) {
    recording *r = user;
    r->allocs += !is_release;
    r->releases += is_release;
    r->block = block;
    r->bytes = bytes;
    r->kind = kind;
}

static void a_trace_sees_every_call(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_SITES; level++) {
        recording r = {0};
        tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
        run_step(pool, 50);
        tern__pool_trace(pool, record, &r);
        run_step(pool, 50);
        assert_int_equal(r.allocs, 50);
        assert_int_equal(r.releases, 50);
        void *block = new_block(pool, 77, DATA | TENSOR);
        assert_ptr_equal(r.block, block);
        assert_int_equal(r.bytes, 77);
        assert_int_equal(r.kind, DATA | TENSOR);
        tern__pool_trace(pool, NULL, NULL);
        tern__pool_free(pool, block, 77, DATA | TENSOR);
        assert_int_equal(r.releases, 50);
        uint64_t locks = verified(pool).locks;
        run_step(pool, 50);
        assert_int_equal(level != TERN_TRACK_COUNTS, verified(pool).locks != locks);
        assert_int_equal(verified(pool).allocations, 151);
        tern__pool_destroy(pool);
    }
}

static void tensors_may_go_before_their_blocks(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_SITES; level++) {
        tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
        void *block = new_block(pool, 200, DATA | TENSOR);
        tern__pool_tensor_gone(pool);
        tern_memory_stats stats = tern__pool_stats(pool);
        assert_int_equal(stats.live_tensors, 0);
        assert_int_equal(stats.live_bytes, 200);
        tern__pool_free(pool, block, 200, DATA);
        stats = tern__pool_stats(pool);
        assert_int_equal(stats.live_tensors, 0);
        assert_int_equal(stats.peak_tensors, 1);
        tern__pool_destroy(pool);
    }
}

static void free_memory_is_poisoned(void **state) {
    (void)state;
#if defined(HAS_ASAN)
    tern__pool *pool = plain_pool();
    const size_t sizes[] = {1, 63, 100, 5000, 3 * MIB - 7, 6 * MIB - 7};
    for (int round = 0; round < 2; round++) /* fresh memory, then used memory */
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char *block = new_block(pool, sizes[i], DATA);
            assert_null(__asan_region_is_poisoned(block, sizes[i]));
            assert_true(__asan_address_is_poisoned(block + sizes[i]));
            tern__pool_free(pool, block, sizes[i], DATA);
            assert_true(__asan_address_is_poisoned(block));
            assert_true(__asan_address_is_poisoned(block + sizes[i] - 1));
        }
    char *empty = new_block(pool, 0, DATA);
    assert_true(__asan_address_is_poisoned(empty));
    tern__pool_free(pool, empty, 0, DATA);
    tern__pool_destroy(pool);
    /* Whoever gets these addresses next may use them. */
    char *pages = tern__os()->pages_map(64 * MIB);
    assert_null(__asan_region_is_poisoned(pages, 64 * MIB));
    tern__os()->pages_unmap(pages, 64 * MIB);
#else
    test_skip("this build has no AddressSanitizer");
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(random_operations),
        POOL_TEST(random_operations_tracked),
        POOL_TEST(every_class),
        POOL_TEST(a_repeated_step_is_free),
        POOL_TEST(a_new_peak_takes_no_lock),
        POOL_TEST(reuse_is_counted),
        POOL_TEST(bins_are_bounded),
        POOL_TEST(bins_grow_when_wanted),
        POOL_TEST(the_limit_is_exact),
        POOL_TEST(impossible_sizes_are_refused),
        POOL_TEST(pressure_releases_what_can_be_spared),
        POOL_TEST(pressure_when_the_system_has_no_memory),
        POOL_TEST(free_blocks_serve_other_classes),
        POOL_TEST(the_system_fails_at_every_call),
        POOL_TEST(nothing_is_served_from_nothing),
        POOL_TEST(no_record_no_block),
        POOL_TEST(ticks_give_back_what_lies_idle),
        POOL_TEST(a_bin_that_was_empty_is_needed),
        POOL_TEST(idle_bins_make_room_for_others),
        POOL_TEST(bins_follow_the_peak),
        POOL_TEST(ticks_of_shared_bins_come_in_seconds),
        POOL_TEST(a_run_may_be_longer_than_needed),
        POOL_TEST(trim_gives_everything_back),
        POOL_TEST(slow_calls_look_at_the_clock),
        POOL_TEST(the_pool_touches_no_memory),
        POOL_TEST(a_trace_sees_every_call),
        POOL_TEST(tensors_may_go_before_their_blocks),
        POOL_TEST(free_memory_is_poisoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
