/* SPDX-License-Identifier: MIT
 * The figures of a pool against a shadow that counts for itself: random lives of blocks at every
 * tracking level, released by the owner, by other threads one after the other and at the same time,
 * with pages from a source that counts and looks which of them the system really holds. */
#include <math.h>

#include "memory/pool_shadow.h"

/* -- comparing ---------------------------------------------------------------------------------*/

#define SAME(got, expected)                                                                        \
    do {                                                                                           \
        if ((got) != (expected))                                                                   \
            fail_msg("%s is %lld, expected %lld (level %d, seed %llu, after %llu calls)", #got,    \
                     (long long)(got), (long long)(expected), (int)s.tracking,                     \
                     (unsigned long long)s.random.seed, (unsigned long long)s.allocations);        \
    } while (0)

static void check_stats(const tern_memory_stats *stats) {
    SAME(stats->live_bytes, s.live_bytes);
    SAME(stats->live_tensors, s.tensors);
    SAME(stats->mapped_bytes, ground.mapped_bytes);
    if (s.peak_low == s.peak_high)
        SAME(stats->peak_bytes, s.peak_low);
    assert_in_range(stats->peak_bytes, s.peak_low, s.peak_high);
    if (s.peak_tensors_low == s.peak_tensors_high)
        SAME(stats->peak_tensors, s.peak_tensors_low);
    assert_in_range(stats->peak_tensors, s.peak_tensors_low, s.peak_tensors_high);
}

static void check_classes(const tern_memory_figures *f) {
    SAME(f->class_count, CLASSES);
    for (int i = 0; i < CLASSES; i++) {
        const tern_memory_class *c = &f->classes[i];
        SAME(c->room, i < TERN__CLASSES ? class_rooms[i] : 0);
        SAME(c->live_blocks, s.live_blocks[i]);
        SAME(c->calls, s.calls[i]);
        assert_true(c->reused <= c->calls);
    }
}

static void check_lifetimes(const tern_memory_figures *f) {
    uint64_t sum = 0;
    for (int k = 0; k < TERN_MEMORY_LIFETIMES; k++) {
        if (s.tracking == TERN_TRACK_COUNTS)
            SAME(f->lifetimes[k], 0);
        else if (s.knows_serials)
            SAME(f->lifetimes[k], s.lifetimes[k]);
        sum += f->lifetimes[k];
    }
    SAME(sum, s.tracking == TERN_TRACK_COUNTS ? 0 : s.releases);
}

/* What the pages of all mappings are used for, looked up page by page. */
typedef struct page_walk {
    size_t used_bytes, dirty_bytes, largest_dirty, clean_bytes;
    size_t slab_bytes, large_bytes; /* of those in use; large: in a mapping of their own */
    int64_t free_blocks[CLASSES];   /* in slabs and bins */
} page_walk;

static void walk_slab(page_walk *w, const tern__arena *arena, size_t page) {
    const tern__page_info *info = &arena->info[page];
    for (size_t p = page; p < page + info->pages; p++)
        w->free_blocks[info->size_class] += __builtin_popcountll(arena->free_bits[p]);
}

static void walk_run(page_walk *w, const tern__arena *arena, size_t page) {
    size_t bytes = tern__run_bytes(arena, page);
    switch (arena->info[page].state) {
    case TERN__PAGE_CLEAN:
        w->clean_bytes += bytes;
        break;
    case TERN__PAGE_DIRTY:
        w->dirty_bytes += bytes;
        w->largest_dirty = bytes > w->largest_dirty ? bytes : w->largest_dirty;
        break;
    case TERN__PAGE_SLAB:
        walk_slab(w, arena, page);
        w->slab_bytes += bytes;
        w->used_bytes += bytes;
        break;
    case TERN__PAGE_RUN:
        w->large_bytes += arena->is_single ? bytes : 0;
        w->used_bytes += bytes;
        break;
    default:
        fail_msg("no run begins at page %zu", page);
    }
}

static page_walk walk_pages(void) {
    page_walk w = {0};
    for (int i = 0; i < ground.count; i++) {
        tern__arena *arena = NULL;
        size_t page = 1;
        assert_true(tern__runs_find(s.pool->runs, ground.mapping[i].pages, &arena, &page));
        SAME(page, 0);
        SAME(arena->bytes, ground.mapping[i].bytes);
        for (size_t at = 0; at < arena->bytes; at += tern__run_bytes(arena, at / TERN__PAGE))
            walk_run(&w, arena, at / TERN__PAGE);
    }
    for (int c = 0; c < TERN__CLASSES; c++)
        w.free_blocks[c] += TERN__GET(s.pool->bins.bins[c].count);
    return w;
}

static void check_pages(const tern_memory_figures *f) {
    page_walk w = walk_pages();
    size_t free_bytes = w.dirty_bytes;
    for (int c = 0; c < CLASSES; c++) {
        SAME(f->classes[c].free_blocks, w.free_blocks[c]);
        free_bytes += (size_t)w.free_blocks[c] * f->classes[c].room;
    }
    SAME(f->free_bytes, free_bytes);
    SAME(f->largest_free_run, w.largest_dirty);
    SAME(f->stats.committed_bytes, w.used_bytes + w.dirty_bytes);
    SAME(f->stats.mapped_bytes, w.used_bytes + w.dirty_bytes + w.clean_bytes);
    /* And what the system says about them. */
    assert_true(ground_resident_bytes() <= f->stats.committed_bytes);
    assert_true(f->room_bytes + f->free_bytes <= f->stats.committed_bytes);
    /* What is left are the ends of slabs, and of mappings that serve a smaller block. */
    if (s.tracking != TERN_TRACK_FULL)
        assert_true(f->stats.committed_bytes - f->room_bytes - f->free_bytes <=
                    w.slab_bytes / 64 + w.large_bytes / 8);
    /* Some of the books are counted in whole pages. */
    assert_in_range(f->bookkeeping_bytes, sizeof *s.pool, ground.book_bytes + TERN__PAGE);
}

static void check_fractions(const tern_memory_figures *f) {
    double internal = s.room_bytes > 0 ? 1 - (double)s.live_bytes / (double)s.room_bytes : 0;
    double external =
        f->free_bytes > 0 ? 1 - (double)f->largest_free_run / (double)f->free_bytes : 0;
    assert_true(fabs(f->internal_fragmentation - internal) < 1e-12);
    assert_true(fabs(f->external_fragmentation - external) < 1e-12);
}

static void check_figures(const tern_memory_figures *f) {
    check_stats(&f->stats);
    SAME(f->tracking, s.tracking);
    SAME(f->max_bytes, s.max_bytes);
    SAME(f->live_blocks, s.count);
    SAME(f->room_bytes, s.room_bytes);
    SAME(f->allocations, s.allocations);
    SAME(f->releases, s.releases);
    SAME(f->remote_releases, s.remote_releases);
    /* The pages of records are not counted. */
    if (s.tracking == TERN_TRACK_COUNTS)
        SAME(f->system_calls, ground.source_calls + ground.book_calls);
    assert_in_range(f->system_calls, ground.source_calls, ground.source_calls + ground.book_calls);
    check_classes(f);
    check_lifetimes(f);
    check_fractions(f);
    check_pages(f);
}

typedef struct site_sums {
    size_t bytes[SITES], last;
    int64_t count[SITES];
} site_sums;

static void add_site(void *user, const tern_memory_event *event) {
    site_sums *sums = user;
    int site = event->made.line;
    assert_string_equal(event->made.file, "shadow.c");
    assert_string_equal(event->made.call, "shadow_call");
    assert_in_range(site, 0, SITES - 1);
    SAME(event->op[1] - '0', site);
    assert_true(event->bytes <= sums->last);
    sums->last = event->bytes;
    SAME(sums->count[site], 0); /* once each */
    sums->bytes[site] = event->bytes;
    sums->count[site] = event->count;
}

static void check_sites(void) {
    site_sums sums = {.last = SIZE_MAX};
    size_t bytes[SITES] = {0};
    int64_t count[SITES] = {0};
    for (int i = 0; i < s.count; i++) {
        bytes[s.blocks[i].site] += s.blocks[i].bytes;
        count[s.blocks[i].site]++;
    }
    test_ok(tern__pool_sites(s.pool, add_site, &sums));
    for (int i = 0; i < SITES; i++) {
        SAME(sums.bytes[i], s.tracking == TERN_TRACK_COUNTS ? 0 : bytes[i]);
        if (i != 8)
            SAME(sums.count[i], s.tracking == TERN_TRACK_COUNTS ? 0 : count[i]);
    }
}

static void check(void) {
    static tern_memory_figures figures, walked;
    char text[512] = "";
    tern__pool_figures(s.pool, &figures);
    check_figures(&figures);
    if (!tern__pool_verify(s.pool, &walked, text, sizeof text))
        fail_msg("%s (level %d, seed %llu)", text, (int)s.tracking,
                 (unsigned long long)s.random.seed);
    assert_true(walked.locks >= figures.locks);
    walked.locks = figures.locks;
    test_same_bytes(&walked, &figures, sizeof figures, "walked figures");
    tern_memory_stats stats = tern__pool_stats(s.pool);
    check_stats(&stats);
    SAME(stats.committed_bytes, figures.stats.committed_bytes);
    check_sites();
}

static void end(void) {
    while (s.count > 0)
        release((int)test_random_range(&s.random, 0, s.count - 1));
    check();
    if (s.tracking != TERN_TRACK_FULL) {
        tern__pool_trim(s.pool);
        check();
        SAME(tern__pool_stats(s.pool).committed_bytes, 0);
        SAME(ground_resident_bytes(), 0);
    }
    tern__pool_destroy(s.pool);
    ground_end();
}

/* -- tests -------------------------------------------------------------------------------------*/

enum { BATCHES = TEST_IS_SANITIZED ? 12 : 30 };

static void one_thread(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            shadow_begin((tern_tracking)level, 0, seed);
            check();
            for (int batch = 0; batch < BATCHES; batch++) {
                operate(250);
                check();
            }
            end();
        }
}

static void released_by_others(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        shadow_begin((tern_tracking)level, 0, 11);
        for (int batch = 0; batch < BATCHES / 2; batch++) {
            operate(800);
            others_release();
            check();
        }
        assert_true(s.remote_releases > 100);
        end();
    }
}

static void at_the_same_time(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        shadow_begin((tern_tracking)level, 0, 21);
        for (int batch = 0; batch < BATCHES / 2; batch++) {
            operate(500);
            all_at_once();
            check();
        }
        end();
    }
}

static void owned_by_others(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        shadow_begin((tern_tracking)level, 0, 31);
        for (int batch = 0; batch < BATCHES / 2; batch++) {
            operate(100);
            move_away();
            check();
        }
        SAME(s.remote_releases, 0);
        end();
    }
}

/* The limit is exact, and a refusal changes nothing that is counted. */
static void limited(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        shadow_begin((tern_tracking)level, 2 * MIB, 41);
        for (int batch = 0; batch < BATCHES / 2; batch++) {
            operate(250);
            check();
        }
        assert_true(s.refused > 5);
        end();
    }
}

/* Blocks beyond an arena, whose mappings are used again by smaller ones. */
static void larger_than_an_arena(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_SITES; level++) {
        shadow_begin((tern_tracking)level, 0, 45);
        for (int i = 0; i < 12; i++) {
            block b = {
                .bytes = (size_t)(78 - i % 5) * MIB + 1, .kind = TERN__BLOCK_DATA, .site = 5};
            tern__note note = {.op = "o5", .rank = -1};
            tern_site_set("shadow.c", 5, "shadow_call");
            test_ok(tern__pool_alloc(s.pool, b.bytes, b.kind, &note, &b.address));
            b.serial = s.allocations + 1;
            count_in(&b);
            note_peaks(s.live_bytes, s.tensors);
            check();
            if (i % 3 != 0)
                release(s.count - 1);
            check();
        }
        end();
    }
}

static uint64_t reused_of(size_t bytes) {
    static tern_memory_figures f;
    size_t room;
    tern__pool_figures(s.pool, &f);
    return f.classes[class_of(&(block){.bytes = bytes, .kind = TERN__BLOCK_DATA}, &room)].reused;
}

/* A peak that lets the bins hold what the test releases. */
static void raise_peak(size_t bytes) {
    void *large;
    test_ok(tern__pool_alloc(s.pool, bytes, TERN__BLOCK_DATA, NULL, &large));
    tern__pool_free(s.pool, large, bytes, TERN__BLOCK_DATA);
    tern__pool_trim(s.pool);
}

/* What is new is not called reused, and what was there before is. */
static void reuse(void **state) {
    (void)state;
    static const size_t sizes[] = {64, 1000, 5000, 30000, 100000, 1000000, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        enum { COUNT = 12 };
        void *blocks[COUNT];
        shadow_begin(TERN_TRACK_COUNTS, 0, 51);
        raise_peak(256 * MIB);
        for (int round = 0; round < 4; round++) {
            for (int k = 0; k < COUNT; k++)
                test_ok(tern__pool_alloc(s.pool, sizes[i], TERN__BLOCK_DATA, NULL, &blocks[k]));
            SAME(reused_of(sizes[i]), (uint64_t)(round * COUNT));
            for (int k = 0; k < COUNT; k++)
                tern__pool_free(s.pool, blocks[k], sizes[i], TERN__BLOCK_DATA);
        }
        tern__pool_trim(s.pool); /* gives the memory back: nothing is old any more */
        test_ok(tern__pool_alloc(s.pool, sizes[i], TERN__BLOCK_DATA, NULL, &blocks[0]));
        SAME(reused_of(sizes[i]), (uint64_t)(3 * COUNT));
        tern__pool_free(s.pool, blocks[0], sizes[i], TERN__BLOCK_DATA);
        tern__pool_destroy(s.pool);
        ground_end();
    }
}

/* Repeating what was done before takes no lock and no call to the system. */
static void steady_state(void **state) {
    (void)state;
    static tern_memory_figures before, after;
    enum { LIVE = 200, STEPS = 50 };
    shadow_begin(TERN_TRACK_COUNTS, 0, 61);
    raise_peak(512 * MIB);
    for (int step = 0; step < STEPS; step++) {
        test_random sizes = {.seed = 7};
        void *blocks[LIVE];
        size_t bytes[LIVE];
        for (int i = 0; i < LIVE; i++) {
            bytes[i] = random_bytes(&sizes) % (256 * KIB);
            test_ok(tern__pool_alloc(s.pool, bytes[i], TERN__BLOCK_DATA, NULL, &blocks[i]));
        }
        for (int i = 0; i < LIVE; i++)
            tern__pool_free(s.pool, blocks[i], bytes[i], TERN__BLOCK_DATA);
        if (step == STEPS / 2)
            tern__pool_figures(s.pool, &before);
    }
    tern__pool_figures(s.pool, &after);
    SAME(after.locks, before.locks);
    SAME(after.system_calls, before.system_calls);
    SAME(after.system_calls, ground.source_calls + ground.book_calls);
    SAME(after.allocations, (uint64_t)(STEPS * LIVE + 1));
    tern__pool_destroy(s.pool);
    ground_end();
}

/* Of `count` allocations and as many releases of a size that the pool has enough of. */
static uint64_t locks_of(int count, void *(*body)(void *)) {
    static tern_memory_figures before, after;
    tern__pool_figures(s.pool, &before);
    pthread_t thread;
    if (body != NULL && pthread_create(&thread, NULL, body, &count) == 0)
        pthread_join(thread, NULL);
    for (int i = 0; i < count && body == NULL; i++) {
        void *got;
        test_ok(tern__pool_alloc(s.pool, 100, TERN__BLOCK_DATA, NULL, &got));
        tern__pool_free(s.pool, got, 100, TERN__BLOCK_DATA);
    }
    tern__pool_figures(s.pool, &after);
    return after.locks - before.locks;
}

static void *work_elsewhere(void *argument) {
    for (int i = 0; i < *(int *)argument; i++) {
        void *got = NULL;
        (void)tern__pool_alloc(s.pool, 100, TERN__BLOCK_DATA, NULL, &got);
        tern__pool_free(s.pool, got, 100, TERN__BLOCK_DATA);
    }
    return NULL;
}

/* The owner takes none for what it has; others take one to allocate, and none to release while the
 * remote stack has room. With records every call takes one. */
static void locks(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_SITES; level++) {
        bool is_tracked = level != TERN_TRACK_COUNTS;
        shadow_begin((tern_tracking)level, 0, 81);
        (void)locks_of(10, NULL);
        SAME(locks_of(100, NULL), is_tracked ? 200 : 0);
        SAME(locks_of(100, work_elsewhere), is_tracked ? 200 : 100);
        SAME(locks_of(0, NULL), 0); /* looking is not counted */
        tern__pool_destroy(s.pool);
        ground_end();
    }
}

/* Block i lives for i further allocations. */
static void lifetimes(void **state) {
    (void)state;
    static tern_memory_figures f;
    shadow_begin(TERN_TRACK_SITES, 0, 71);
    void *kept, *other;
    for (int further = 0; further <= 70; further++) {
        test_ok(tern__pool_alloc(s.pool, 100, TERN__BLOCK_DATA, NULL, &kept));
        for (int i = 0; i < further; i++) {
            test_ok(tern__pool_alloc(s.pool, 10, TERN__BLOCK_HEADER, NULL, &other));
            tern__pool_free(s.pool, other, 10, TERN__BLOCK_HEADER); /* further: 0 */
        }
        tern__pool_free(s.pool, kept, 100, TERN__BLOCK_DATA);
    }
    tern__pool_figures(s.pool, &f);
    static const uint64_t expected[] = {2 + 70 * 71 / 2, 2, 4, 8, 16, 32, 7};
    for (int k = 0; k < TERN_MEMORY_LIFETIMES; k++)
        SAME(f.lifetimes[k], k < 7 ? expected[k] : 0);
    tern__pool_destroy(s.pool);
    ground_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread),
        cmocka_unit_test(released_by_others),
        cmocka_unit_test(at_the_same_time),
        cmocka_unit_test(owned_by_others),
        cmocka_unit_test(limited),
        cmocka_unit_test(larger_than_an_arena),
        cmocka_unit_test(reuse),
        cmocka_unit_test(steady_state),
        cmocka_unit_test(locks),
        cmocka_unit_test(lifetimes),
    };
    return cmocka_run_group_tests(tests, list_rooms, NULL);
}
