/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdbool.h>

#include "memory/slabs.h"
#include "memory/source.h"

/* -- size classes ------------------------------------------------------------------------------*/

static void rooms_rise_and_fit(void **state) {
    (void)state;
    size_t below = 0;
    for (int c = 0; c < TERN__CLASSES; c++) {
        size_t room = tern__class_room(c);
        assert_true(room > below && room % 16 == 0);
        assert_int_equal(tern__class_of(room), c);
        assert_int_equal(tern__class_of(below + 1), c);
        below = room;
    }
    assert_int_equal(tern__class_room(0), 64);
    assert_int_equal(tern__class_room(TERN__CLASSES - 1), TERN__CLASS_MAX);
    assert_int_equal(tern__class_of(0), 0);
    assert_int_equal(tern__class_aligned(0, 64), 0);
    assert_true(tern__class_room(TERN__SLAB_CLASSES - 1) < 32 << 10);
    for (int c = TERN__SLAB_CLASSES; c < TERN__CLASSES; c++)
        assert_true(tern__class_room(c) >= 32 << 10 && tern__class_room(c) % TERN__PAGE == 0);
}

static void little_is_wasted(void **state) {
    (void)state;
    for (size_t bytes = 1; bytes <= TERN__CLASS_MAX; bytes += bytes < 100000 ? 1 : 977) {
        size_t room = tern__class_room(tern__class_of(bytes));
        assert_true(room >= bytes);
        if (bytes > 128)
            assert_true((room - bytes) * 8 < bytes);
        size_t aligned = tern__class_room(tern__class_aligned(bytes, 64));
        assert_true(aligned >= bytes && aligned % 64 == 0);
        assert_true(aligned - bytes < 64 || (aligned - bytes) * 8 < bytes);
    }
}

/* -- slabs -------------------------------------------------------------------------------------*/

typedef struct books {
    tern__runs *runs;
    tern__slabs slabs;
} books;

static void open_books(books *b) {
    b->runs = tern__runs_create(&tern__host_source);
    assert_non_null(b->runs);
    tern__slabs_init(&b->slabs, b->runs);
}

static void check_books(const books *b) {
    char text[200] = "";
    tern__runs_figures figures;
    if (!tern__slabs_verify(&b->slabs, text, sizeof text) ||
        !tern__runs_verify(b->runs, &figures, text, sizeof text))
        fail_msg("%s", text);
}

static size_t live_bytes(const books *b) {
    return tern__runs_figures_get(b->runs).live_bytes;
}

/* Bytes for a slab of blocks of `room`: it wastes at most 1/32, and is no smaller than need be. */
static bool is_fit(size_t bytes, size_t room) {
    return bytes >= 2 * TERN__PAGE && bytes >= room && bytes % room * 32 <= bytes &&
           (bytes / room >= 4 || bytes >= 16 << 10);
}

static void slabs_waste_little(void **state) {
    (void)state;
    books b;
    open_books(&b);
    for (int c = 0; c < TERN__SLAB_CLASSES; c++) {
        size_t room = tern__class_room(c), bytes = b.slabs.pages[c] * TERN__PAGE;
        assert_int_equal(b.slabs.blocks[c], bytes / room);
        assert_true(is_fit(bytes, room) && b.slabs.pages[c] <= 64);
        for (size_t less = 2 * TERN__PAGE; less < bytes; less += TERN__PAGE)
            assert_false(is_fit(less, room)); /* the fewest pages */
        assert_true(b.slabs.blocks[c] <= 64 * b.slabs.pages[c]);
    }
    tern__runs_destroy(b.runs);
}

static int compare_pointers(const void *a, const void *b) {
    uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
    return (x > y) - (x < y);
}

/* Three slabs and a half of every class: blocks apart, aligned, all fresh; given back in another
 * order they leave nothing behind. */
static void every_class_is_cut(void **state) {
    (void)state;
    static void *blocks[4096];
    books b;
    open_books(&b);
    for (int c = 0; c < TERN__SLAB_CLASSES; c++) {
        size_t room = tern__class_room(c);
        int per_slab = b.slabs.blocks[c], count = per_slab * 7 / 2, fresh = -1;
        assert_int_equal(tern__slabs_take(&b.slabs, c, blocks, count, &fresh), count);
        assert_int_equal(fresh, count);
        check_books(&b);
        assert_int_equal(b.slabs.live_blocks[c], count);
        assert_int_equal(live_bytes(&b),
                         (size_t)(per_slab == 1 ? 3 : 4) * b.slabs.pages[c] * TERN__PAGE);
        for (int i = 0; i < count; i++)
            memset(blocks[i], 0xEE, room);
        check_books(&b); /* the books are not in the blocks */
        qsort(blocks, (size_t)count, sizeof *blocks, compare_pointers);
        for (int i = 0; i < count; i++) {
            assert_int_equal((uintptr_t)blocks[i] % (room % 64 == 0 ? 64 : 16), 0);
            assert_true(i == 0 || (char *)blocks[i] - (char *)blocks[i - 1] >= (ptrdiff_t)room);
        }
        for (int step = 0; step < 3; step++) /* each third block, then the others */
            for (int i = step; i < count; i += 3)
                tern__slabs_give(&b.slabs, &blocks[i], 1);
        check_books(&b);
        assert_int_equal(live_bytes(&b), 0);
        assert_int_equal(b.slabs.slab_count[c], 0);
    }
    tern__runs_destroy(b.runs);
}

static void a_block_is_fresh_once(void **state) {
    (void)state;
    books b;
    void *blocks[20], *again[20];
    int fresh = -1, c = tern__class_aligned(1000, 64);
    open_books(&b);
    assert_int_equal(tern__slabs_take(&b.slabs, c, blocks, 10, &fresh), 10);
    assert_int_equal(fresh, 10);
    tern__slabs_give(&b.slabs, blocks + 2, 4);
    check_books(&b);
    assert_int_equal(tern__slabs_take(&b.slabs, c, again, 6, &fresh), 6);
    assert_int_equal(fresh, 2);
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(again[i], blocks[2 + i]); /* lowest first */
    check_books(&b);
    tern__runs_destroy(b.runs);
}

static void addresses_find_their_block(void **state) {
    (void)state;
    books b;
    open_books(&b);
    const size_t sizes[] = {64, 80, 1152, 20000};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        int c = tern__class_of(sizes[k]), fresh;
        size_t room = tern__class_room(c);
        void *block;
        assert_int_equal(tern__slabs_take(&b.slabs, c, &block, 1, &fresh), 1);
        tern__arena *arena;
        size_t page;
        assert_true(tern__runs_find(b.runs, block, &arena, &page));
        assert_int_equal(arena->info[page].state, TERN__PAGE_SLAB);
        for (size_t i = 0; i < b.slabs.blocks[c]; i++) {
            bool is_free = i == 0;
            char *begin = (char *)block + i * room;
            assert_ptr_equal(tern__slab_block(arena, page, begin, &is_free), begin);
            assert_int_equal(is_free, i != 0);
            assert_ptr_equal(tern__slab_block(arena, page, begin + room - 1, &is_free), begin);
        }
        size_t used = b.slabs.blocks[c] * room, bytes = b.slabs.pages[c] * TERN__PAGE;
        bool is_free;
        if (used < bytes)
            assert_null(tern__slab_block(arena, page, (char *)block + used, &is_free));
        tern__slabs_give(&b.slabs, &block, 1);
    }
    tern__runs_destroy(b.runs);
}

static void random_takes_and_gives(void **state) {
    (void)state;
    enum { MOST = 3000 };
    static void *blocks[MOST];
    static int classes[MOST];
    test_random random = {.seed = 5};
    books b;
    open_books(&b);
    int count = 0;
    for (int step = 0; step < 20000 / TEST_THINNING; step++) {
        if (count < MOST - 40 && test_random_range(&random, 0, 99) < 52) {
            int c = (int)test_random_range(&random, 0, 9) * 7, fresh;
            int n = (int)test_random_range(&random, 1, 8);
            assert_int_equal(tern__slabs_take(&b.slabs, c, blocks + count, n, &fresh), n);
            for (int i = 0; i < n; i++, count++) {
                classes[count] = c;
                *(int *)blocks[count] = step;
            }
        } else {
            for (int n = 0; n < 4 && count > 0; n++) {
                int i = (int)test_random_range(&random, 0, count - 1);
                tern__slabs_give(&b.slabs, &blocks[i], 1);
                blocks[i] = blocks[--count];
                classes[i] = classes[count];
            }
        }
        if (step % 500 == 0)
            check_books(&b);
    }
    int64_t live = 0;
    for (int c = 0; c < TERN__SLAB_CLASSES; c++)
        live += b.slabs.live_blocks[c];
    assert_int_equal(live, count);
    for (int i = 0; i < count; i++)
        for (int k = i + 1; k < count; k += 17)
            assert_ptr_not_equal(blocks[i], blocks[k]);
    tern__slabs_give(&b.slabs, blocks, count);
    check_books(&b);
    assert_int_equal(live_bytes(&b), 0);
    tern__runs_destroy(b.runs);
}

/* A source with memory for one arena only. */
static bool is_exhausted;

static void *map_once(void *user, size_t bytes) {
    (void)user;
    if (is_exhausted || bytes > 1 << 20)
        return NULL;
    is_exhausted = true;
    return tern__host_source.map(tern__host_source.user, bytes);
}

static void unmap(void *user, void *pages, size_t bytes) {
    (void)user;
    tern__host_source.unmap(tern__host_source.user, pages, bytes);
}

static void the_source_runs_dry(void **state) {
    (void)state;
    static void *blocks[20000];
    const tern__source source = {.name = "poor", .is_host = true, .map = map_once, .unmap = unmap};
    books b;
    int fresh, c = tern__class_aligned(256, 64);
    is_exhausted = false;
    b.runs = tern__runs_create(&source);
    assert_non_null(b.runs);
    tern__slabs_init(&b.slabs, b.runs);
    int count = tern__slabs_take(&b.slabs, c, blocks, 20000, &fresh);
    assert_in_range(count, 64, 4096); /* of at most 1 MiB */
    assert_int_equal(fresh, count);
    assert_int_equal(tern__slabs_take(&b.slabs, c, blocks + count, 1, &fresh), 0);
    assert_int_equal(fresh, 0);
    check_books(&b);
    tern__slabs_give(&b.slabs, blocks + 7, 1);
    assert_int_equal(tern__slabs_take(&b.slabs, c, blocks + 7, 3, &fresh), 1);
    tern__slabs_give(&b.slabs, blocks, count);
    check_books(&b);
    tern__runs_destroy(b.runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rooms_rise_and_fit),     cmocka_unit_test(little_is_wasted),
        cmocka_unit_test(slabs_waste_little),     cmocka_unit_test(every_class_is_cut),
        cmocka_unit_test(a_block_is_fresh_once),  cmocka_unit_test(addresses_find_their_block),
        cmocka_unit_test(random_takes_and_gives), cmocka_unit_test(the_source_runs_dry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
