/* SPDX-License-Identifier: MIT
 * What a pool commits beyond its peak: the budget of a small one. */
#include "memory/pool_fixture.h"

#include "memory/size_class.h"

enum { BLOCKS = 192 };

/* A run class whose blocks only bins hold. */
#define BLOCK ((size_t)96 << 10)
#define WIDE  ((size_t)160 << 10)

static void use_class(tern__pool *pool, size_t room) {
    for (int turn = 0; turn < 3; turn++) {
        void *a = new_block(pool, room, DATA), *b = new_block(pool, room, DATA);
        tern__pool_free(pool, a, room, DATA);
        tern__pool_free(pool, b, room, DATA);
    }
}

/* Bins hold wide blocks then, and small ones, each of which pins a slab of its own. */
static void fill_bins(tern__pool *pool) {
    use_class(pool, WIDE);
    for (size_t room = 64; room <= 8 * KIB; room += room < KIB ? 64 : KIB)
        use_class(pool, room);
}

static int64_t free_wide(tern__pool *pool) {
    return verified(pool).classes[tern__class_aligned(WIDE, 64)].free_blocks;
}

static size_t budget(const tern_memory_stats *stats) {
    size_t spare = stats->peak_bytes / 5;
    return stats->peak_bytes + (spare > 512 * KIB ? spare : 512 * KIB);
}

/* While the peak grows what lies idle in bins is given back before more is committed. */
static void bins_serve_before_pages(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_SITES; level++) {
        tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
        fill_bins(pool);
        assert_true(free_wide(pool) > 0);
        size_t count = 64;
        for (size_t i = 0; i < count; i++) {
            blocks[i] = new_block(pool, BLOCK, DATA);
            tern_memory_stats stats = tern__pool_stats(pool);
            assert_true(stats.committed_bytes <= budget(&stats));
        }
        assert_int_equal(free_wide(pool), 0);
        for (size_t i = 0; i < count; i++)
            tern__pool_free(pool, blocks[i], BLOCK, DATA);
        tern__pool_destroy(pool);
    }
}

/* A large pool's bins are bound by its peak: they keep what they have. */
static void bins_of_large_pools_keep_their_blocks(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    tern__pool *pool = plain_pool();
    raise_bins_bound(pool, MIB);
    fill_bins(pool);
    int64_t held = free_wide(pool);
    assert_true(held > 0);
    size_t peak = tern__pool_stats(pool).peak_bytes;
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = new_block(pool, BLOCK, DATA);
    assert_true(tern__pool_stats(pool).peak_bytes > peak);
    assert_int_equal(free_wide(pool), held);
    for (int i = 0; i < BLOCKS; i++)
        tern__pool_free(pool, blocks[i], BLOCK, DATA);
    tern__pool_destroy(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(bins_serve_before_pages),
        POOL_TEST(bins_of_large_pools_keep_their_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
