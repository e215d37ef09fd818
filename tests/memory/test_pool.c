/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/os.h"
#include "memory/pool.h"

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

static const size_t KIB = 1 << 10, MIB = 1 << 20;

/* An OS table that counts pages and can refuse: the map call number `refuse_at`, or all from it
 * on. */
static struct {
    tern__os_table table;
    int64_t maps, unmaps, allocations;
    size_t mapped_bytes, huge_bytes;
    int64_t refuse_at; /* -1 for never */
    bool refuses_from_then_on;
} os;

static void *counted_map(size_t bytes) {
    int64_t call = os.maps++;
    if (os.refuse_at >= 0 &&
        (call == os.refuse_at || (os.refuses_from_then_on && call > os.refuse_at)))
        return NULL;
    void *pages = tern__os_default.pages_map(bytes);
    if (pages != NULL)
        os.mapped_bytes += bytes;
    return pages;
}

static void counted_unmap(void *pages, size_t bytes) {
    os.unmaps++;
    os.mapped_bytes -= bytes;
    tern__os_default.pages_unmap(pages, bytes);
}

static void counted_huge(void *pages, size_t bytes) {
    os.huge_bytes += bytes;
    tern__os_default.pages_huge(pages, bytes);
}

static void *counted_alloc(size_t bytes) {
    os.allocations++;
    return tern__os_default.alloc(bytes);
}

static void counted_free(void *pointer) {
    os.allocations--;
    tern__os_default.free(pointer);
}

static int set_up(void **state) {
    (void)state;
    memset(&os, 0, sizeof os);
    os.table = tern__os_default;
    os.table.pages_map = counted_map;
    os.table.pages_unmap = counted_unmap;
    os.table.pages_huge = counted_huge;
    os.table.alloc = counted_alloc;
    os.table.free = counted_free;
    os.refuse_at = -1;
    tern__os_set(&os.table);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tern__os_set(NULL);
    return os.mapped_bytes == 0 && os.allocations == 0 ? 0 : -1; /* nothing leaks */
}

static tern__pool *new_pool(size_t max_bytes) {
    tern__pool *pool = NULL;
    test_ok(tern__pool_create(max_bytes, &pool));
    return pool;
}

static void *new_block(tern__pool *pool, size_t bytes) {
    void *block = NULL;
    test_ok(tern__pool_alloc(pool, bytes, &block));
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % 64, 0);
    return block;
}

/* -- A pool beside a list of what should be in it
 * ------------------------------------------------*/

typedef struct shadow_block {
    uint8_t *data;
    size_t bytes;
    uint8_t fill;
} shadow_block;

enum { SHADOW_MAX = 400 };

typedef struct shadow {
    tern__pool *pool;
    shadow_block blocks[SHADOW_MAX];
    int count;
    size_t live_bytes, peak_bytes;
    test_random random;
} shadow;

/* All magnitudes up to 4 MiB alike, and often a size at or beside a power of two. */
static size_t random_bytes(test_random *random) {
    size_t top = (size_t)1 << test_random_range(random, 0, 22);
    if (test_random_range(random, 0, 3) == 0)
        return top + (size_t)test_random_range(random, -1, 1);
    return (size_t)test_random_range(random, (int64_t)top / 2, (int64_t)top);
}

/* Large blocks: the ends are enough. */
static void fill(const shadow_block *block) {
    size_t part = block->bytes < 4 * KIB ? block->bytes : 4 * KIB;
    memset(block->data, block->fill, part);
    memset(block->data + block->bytes - part, block->fill, part);
}

static void check_fill(const shadow *s, const shadow_block *block) {
    size_t part = block->bytes < 4 * KIB ? block->bytes : 4 * KIB;
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

static void check_stats(const shadow *s) {
    tern__pool_stats stats = tern__pool_stats_get(s->pool);
    assert_int_equal(stats.live_blocks, s->count);
    assert_int_equal(stats.live_bytes, s->live_bytes);
    assert_int_equal(stats.peak_bytes, s->peak_bytes);
    assert_int_equal(stats.mapped_bytes, os.mapped_bytes);
    assert_true(stats.mapped_bytes >= stats.live_bytes);
}

/* False when there was no memory. */
static bool shadow_add(shadow *s, size_t bytes) {
    shadow_block block = {.bytes = bytes, .fill = (uint8_t)test_random_u32(&s->random)};
    void *data = s;
    tern_status status = tern__pool_alloc(s->pool, bytes, &data);
    if (status != TERN_OK) {
        test_status(status, TERN_E_MEMORY);
        assert_null(data);
        return false;
    }
    block.data = data;
    assert_int_equal((uintptr_t)data % 64, 0);
    check_apart(s, &block);
    fill(&block);
    s->blocks[s->count++] = block;
    s->live_bytes += bytes;
    if (s->live_bytes > s->peak_bytes)
        s->peak_bytes = s->live_bytes;
    return true;
}

static void shadow_remove(shadow *s, int index) {
    shadow_block block = s->blocks[index];
    check_fill(s, &block);
    tern__pool_free(s->pool, block.data, block.bytes);
    s->blocks[index] = s->blocks[--s->count];
    s->live_bytes -= block.bytes;
}

static void shadow_remove_all(shadow *s) {
    while (s->count > 0)
        shadow_remove(s, s->count - 1);
}

static void random_operations(void **state) {
    (void)state;
    static shadow s;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        s = (shadow){.pool = new_pool(0), .random = {.seed = seed}};
        for (int step = 0; step < 15000; step++) {
            /* Waves: now growing, now shrinking. */
            int64_t odds = step / 1000 % 2 == 0 ? 60 : 40;
            if (s.count == 0 ||
                (s.count < SHADOW_MAX && test_random_range(&s.random, 0, 99) < odds))
                assert_true(shadow_add(&s, random_bytes(&s.random)));
            else
                shadow_remove(&s, (int)test_random_range(&s.random, 0, s.count - 1));
            check_stats(&s);
        }
        shadow_remove_all(&s);
        check_stats(&s);
        tern__pool_destroy(s.pool);
        assert_int_equal(os.mapped_bytes, 0);
    }
}

static void every_small_size(void **state) {
    (void)state;
    static shadow s;
    s = (shadow){.pool = new_pool(0), .random = {.seed = 9}};
    for (size_t bytes = 0; bytes <= 5000; bytes++) {
        assert_true(shadow_add(&s, bytes));
        if (s.count == SHADOW_MAX)
            shadow_remove_all(&s);
    }
    shadow_remove_all(&s);
    tern__pool_destroy(s.pool);
}

/* -- How much is mapped, and how often
 * ------------------------------------------------------------*/

static void a_small_pool_maps_little(void **state) {
    (void)state;
    tern__pool *pool = new_pool(0);
    assert_int_equal(os.maps, 0);
    void *block = new_block(pool, 100);
    assert_int_equal(os.maps, 1);
    assert_true(os.mapped_bytes <= 256 * KIB);
    tern__pool_free(pool, block, 100);
    tern__pool_destroy(pool);
}

/* Blocks of one size beside each other: at most 12.5 % (here 0 to 1/8) over what was asked, plus
 * the part of the last chunk that is not used yet; few calls. */
static void many_blocks_map_seldom_and_tightly(void **state) {
    (void)state;
    static void *blocks[41000];
    const size_t sizes[] = {1025, 1100, 1152, 5000, 70000, 600000};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        tern__pool *pool = new_pool(0);
        int64_t maps_before = os.maps;
        size_t count = 40 * MIB / sizes[k];
        for (size_t i = 0; i < count; i++)
            blocks[i] = new_block(pool, sizes[k]);
        assert_in_range(os.maps - maps_before, 1, 12);
        assert_true(os.mapped_bytes <= count * sizes[k] / 8 * 9 + 17 * MIB);
        for (size_t i = 0; i < count; i++)
            tern__pool_free(pool, blocks[i], sizes[k]);
        /* A second round finds all it needs. */
        maps_before = os.maps;
        for (size_t i = 0; i < count; i++)
            blocks[i] = new_block(pool, sizes[k]);
        assert_int_equal(os.maps, maps_before);
        for (size_t i = 0; i < count; i++)
            tern__pool_free(pool, blocks[i], sizes[k]);
        tern__pool_destroy(pool);
    }
}

/* The rest of a chunk that is too short for the next block serves smaller ones. */
static void the_rest_of_a_chunk_is_used(void **state) {
    (void)state;
    tern__pool *pool = new_pool(0);
    void *first = new_block(pool, 160 * KIB);  /* of 256 KiB */
    void *second = new_block(pool, 160 * KIB); /* needs another chunk */
    assert_int_equal(os.maps, 2);
    void *third = new_block(pool, 88 * KIB);
    void *fourth = new_block(pool, 7 * KIB);
    assert_int_equal(os.maps, 2);
    uint8_t *begin = first;
    assert_in_range((uint8_t *)third - begin, 160 * KIB, 256 * KIB);
    tern__pool_free(pool, first, 160 * KIB);
    tern__pool_free(pool, second, 160 * KIB);
    tern__pool_free(pool, third, 88 * KIB);
    tern__pool_free(pool, fourth, 7 * KIB);
    tern__pool_destroy(pool);
}

static void large_blocks_are_kept_for_reuse(void **state) {
    (void)state;
    tern__pool *pool = new_pool(0);
    size_t bytes = 5 * MIB + 1;
    void *block = new_block(pool, bytes);
    assert_in_range(os.mapped_bytes, bytes, bytes + bytes / 8);
    assert_true(os.huge_bytes >= bytes);
    int64_t maps = os.maps;
    for (int i = 0; i < 100; i++) {
        tern__pool_free(pool, block, bytes);
        block = new_block(pool, bytes + (size_t)i * 64); /* nearly the same size */
        tern__pool_free(pool, block, bytes + (size_t)i * 64);
        block = new_block(pool, bytes);
    }
    assert_int_equal(os.maps, maps);
    tern__pool_free(pool, block, bytes);

    /* A block of another size does not get it. */
    void *smaller = new_block(pool, 3 * MIB);
    assert_int_equal(os.maps, maps + 1);
    assert_true(tern__pool_stats_get(pool).mapped_bytes > 8 * MIB);
    tern__pool_free(pool, smaller, 3 * MIB);
    tern__pool_destroy(pool);
}

static void few_large_blocks_are_kept(void **state) {
    (void)state;
    tern__pool *pool = new_pool(0);
    const size_t sizes[] = {1 * MIB + 1, 4 * MIB, 20 * MIB, 63 * MIB, 65 * MIB, 300 * MIB};
    void *blocks[30];
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        for (int i = 0; i < 30; i++)
            blocks[i] = new_block(pool, sizes[k]);
        for (int i = 0; i < 30; i++)
            tern__pool_free(pool, blocks[i], sizes[k]);
        assert_int_equal(tern__pool_stats_get(pool).live_bytes, 0);
        assert_true(os.mapped_bytes <= 64 * MIB);
        assert_true(sizes[k] > 60 * MIB || os.mapped_bytes > 0);
    }
    tern__pool_destroy(pool);
}

/* -- What cannot be had
 * ---------------------------------------------------------------------------*/

static void the_limit_is_exact(void **state) {
    (void)state;
    tern__pool *pool = new_pool(1000000);
    void *first = new_block(pool, 600000), *second = new_block(pool, 400000);
    void *third = &pool;
    int64_t maps = os.maps;
    test_status(tern__pool_alloc(pool, 1, &third), TERN_E_LIMIT);
    assert_null(third);
    test_status(tern__pool_alloc(pool, 100 * MIB, &third), TERN_E_LIMIT);
    assert_int_equal(os.maps, maps);
    void *empty = new_block(pool, 0);
    tern__pool_free(pool, second, 400000);
    test_status(tern__pool_alloc(pool, 400001, &third), TERN_E_LIMIT);
    second = new_block(pool, 400000);
    tern__pool_stats stats = tern__pool_stats_get(pool);
    assert_int_equal(stats.live_bytes, 1000000);
    assert_int_equal(stats.peak_bytes, 1000000);
    assert_int_equal(stats.live_blocks, 3);
    tern__pool_free(pool, empty, 0);
    tern__pool_free(pool, first, 600000);
    tern__pool_free(pool, second, 400000);
    tern__pool_free(pool, NULL, 5);
    tern__pool_destroy(pool);
    tern__pool_destroy(NULL);
}

static void impossible_sizes_are_refused(void **state) {
    (void)state;
    tern__pool *pool = new_pool(0);
    for (size_t k = 0; k < 200; k++) {
        void *block = &pool;
        test_status(tern__pool_alloc(pool, SIZE_MAX - k, &block), TERN_E_MEMORY);
        assert_null(block);
        test_status(tern__pool_alloc(pool, SIZE_MAX / 2 - k, &block), TERN_E_MEMORY);
    }
    assert_int_equal(tern__pool_stats_get(pool).mapped_bytes, 0);
    tern__pool_destroy(pool);
}

static void kept_blocks_go_first_when_memory_is_short(void **state) {
    (void)state;
    tern__pool *pool = new_pool(0);
    void *large = new_block(pool, 8 * MIB);
    tern__pool_free(pool, large, 8 * MIB);
    os.refuse_at = os.maps; /* the next call only */
    void *other = new_block(pool, 3 * MIB);
    assert_int_equal(os.mapped_bytes, 3 * MIB);
    tern__pool_free(pool, other, 3 * MIB);
    os.refuse_at = os.maps;
    void *small = new_block(pool, 100); /* a chunk needs memory as well */
    assert_true(os.mapped_bytes <= 256 * KIB);
    tern__pool_free(pool, small, 100);
    tern__pool_destroy(pool);
}

/* A large chunk is a wish: when it cannot be had, a small one does. */
static void a_smaller_chunk_does(void **state) {
    (void)state;
    enum { BYTES = 200000, COUNT = 100 };
    void *blocks[COUNT];
    tern__pool *pool = new_pool(0);
    int count = 0;
    while (os.mapped_bytes < 4 * MIB)
        blocks[count++] = new_block(pool, BYTES);
    size_t before = os.mapped_bytes;
    os.refuse_at = os.maps;
    while (os.mapped_bytes == before && count < COUNT) /* until the newest chunk is used up */
        blocks[count++] = new_block(pool, BYTES);
    assert_int_equal(os.mapped_bytes - before, 256 * KIB);
    while (count > 0)
        tern__pool_free(pool, blocks[--count], BYTES);
    tern__pool_destroy(pool);
}

/* A fixed workload; the number of blocks that could not be had. */
static int workload(shadow *s) {
    int refused = 0;
    for (int step = 0; step < 600; step++) {
        if (s->count == 0 || test_random_range(&s->random, 0, 99) < 65)
            refused += !shadow_add(s, random_bytes(&s->random));
        else
            shadow_remove(s, (int)test_random_range(&s->random, 0, s->count - 1));
        check_stats(s);
    }
    shadow_remove_all(s);
    check_stats(s);
    return refused;
}

static void the_system_fails_at_every_call(void **state) {
    (void)state;
    static shadow s;
    const test_random random = {.seed = 21};
    s = (shadow){.pool = new_pool(0), .random = random};
    assert_int_equal(workload(&s), 0);
    tern__pool_destroy(s.pool);
    const int64_t calls = os.maps;
    assert_in_range(calls, 20, 400);

    for (int mode = 0; mode < 2; mode++)
        for (int64_t k = 0; k < calls; k++) {
            s = (shadow){.pool = new_pool(0), .random = random};
            os.maps = 0;
            os.refuse_at = k;
            os.refuses_from_then_on = mode == 1;
            int refused = workload(&s);
            assert_true(mode == 0 || refused > 0);
            /* Afterwards the same pool serves. */
            os.refuse_at = -1;
            assert_true(shadow_add(&s, 3 * MIB) && shadow_add(&s, 300000));
            shadow_remove_all(&s);
            tern__pool_destroy(s.pool);
            assert_int_equal(os.mapped_bytes, 0);
        }
}

/* -- Several threads
 * ------------------------------------------------------------------------------*/

enum { THREADS = 4, SLOTS = 64 };

/* Blocks travel between threads through the slots; the first bytes hold the size. */
typedef struct traffic {
    tern__pool *pool;
    _Atomic(size_t *) slots[SLOTS];
    atomic_int errors;
} traffic;

typedef struct driver {
    traffic *traffic;
    uint64_t seed;
} driver;

static void take_away(traffic *t, size_t *block) {
    if (block == NULL)
        return;
    size_t bytes = block[0];
    if (block[bytes / sizeof(size_t) - 1] != bytes)
        atomic_fetch_add(&t->errors, 1);
    tern__pool_free(t->pool, block, bytes);
}

static void drive(void *argument) {
    driver *d = argument;
    traffic *t = d->traffic;
    test_random random = {.seed = d->seed};
    for (int step = 0; step < 10000; step++) {
        size_t bytes = (random_bytes(&random) / 4 + 16) / 16 * 16;
        void *block = NULL;
        if (tern__pool_alloc(t->pool, bytes, &block) != TERN_OK) {
            atomic_fetch_add(&t->errors, 1);
            continue;
        }
        size_t *words = block;
        words[bytes / sizeof(size_t) - 1] = bytes;
        words[0] = bytes;
        int64_t slot = test_random_range(&random, 0, SLOTS - 1);
        take_away(t, atomic_exchange(&t->slots[slot], words));
        if (step % 100 == 0 && tern__pool_stats_get(t->pool).live_blocks > SLOTS + THREADS)
            atomic_fetch_add(&t->errors, 1);
    }
}

static void threads_share_a_pool(void **state) {
    (void)state;
    tern__os_set(NULL); /* the counting table is for one thread */
    static traffic t;
    t.pool = new_pool(0);
    driver drivers[THREADS];
    tern__os_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        drivers[i] = (driver){&t, 100 + (uint64_t)i};
        assert_int_equal(tern__os()->thread_start(&threads[i], drive, &drivers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        tern__os()->thread_join(threads[i]);
    for (int i = 0; i < SLOTS; i++)
        take_away(&t, t.slots[i]);
    assert_int_equal(t.errors, 0);
    tern__pool_stats stats = tern__pool_stats_get(t.pool);
    assert_int_equal(stats.live_blocks, 0);
    assert_int_equal(stats.live_bytes, 0);
    tern__pool_destroy(t.pool);
}

static void free_memory_is_poisoned(void **state) {
    (void)state;
#if defined(HAS_ASAN)
    tern__pool *pool = new_pool(0);
    const size_t sizes[] = {1, 63, 100, 5000, 3 * MIB - 7};
    for (int round = 0; round < 2; round++) /* fresh memory, then used memory */
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char *block = new_block(pool, sizes[i]);
            assert_null(__asan_region_is_poisoned(block, sizes[i]));
            assert_true(__asan_address_is_poisoned(block + sizes[i]));
            tern__pool_free(pool, block, sizes[i]);
            assert_true(__asan_address_is_poisoned(block));
            assert_true(__asan_address_is_poisoned(block + sizes[i] - 1));
        }
    char *empty = new_block(pool, 0);
    assert_true(__asan_address_is_poisoned(empty));
    tern__pool_free(pool, empty, 0);
    tern__pool_destroy(pool);
#else
    test_skip("this build has no AddressSanitizer");
#endif
}

#define POOL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(random_operations),
        POOL_TEST(every_small_size),
        POOL_TEST(a_small_pool_maps_little),
        POOL_TEST(many_blocks_map_seldom_and_tightly),
        POOL_TEST(the_rest_of_a_chunk_is_used),
        POOL_TEST(large_blocks_are_kept_for_reuse),
        POOL_TEST(few_large_blocks_are_kept),
        POOL_TEST(the_limit_is_exact),
        POOL_TEST(impossible_sizes_are_refused),
        POOL_TEST(kept_blocks_go_first_when_memory_is_short),
        POOL_TEST(a_smaller_chunk_does),
        POOL_TEST(the_system_fails_at_every_call),
        POOL_TEST(free_memory_is_poisoned),
        POOL_TEST(threads_share_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
