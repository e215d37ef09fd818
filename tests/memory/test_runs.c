/* SPDX-License-Identifier: MIT */
#include "runs_fixture.h"

/* -- random use against a shadow ---------------------------------------------------------------*/

typedef struct shadow_run {
    char *data;
    size_t bytes;
    uint64_t tag;
} shadow_run;

enum { SHADOW_RUNS = 300 };

typedef struct shadow {
    tern__runs *runs;
    test_random random;
    shadow_run live[SHADOW_RUNS];
    int count;
    uint64_t tags, now;
    size_t visited_bytes, peak; /* the most live bytes when clean pages were taken */
    int visited, paid, unpaid;
    bool has_drop, has_singles;
} shadow;

/* The pages of a run that carry its tag: all of a short one. */
static bool is_tagged(size_t page, size_t pages) {
    return page < 40 || page + 40 >= pages || page % 61 == 0;
}

static void write_tags(const shadow_run *run) {
    for (size_t page = 0; page < (run->bytes + 4095) / 4096; page++)
        if (is_tagged(page, (run->bytes + 4095) / 4096))
            memcpy(run->data + PAGES(page), &run->tag, sizeof run->tag);
}

static void check_tags(const shadow_run *run) {
    for (size_t page = 0; page < (run->bytes + 4095) / 4096; page++)
        if (is_tagged(page, (run->bytes + 4095) / 4096) &&
            memcmp(run->data + PAGES(page), &run->tag, sizeof run->tag) != 0)
            fail_msg("page %zu of %zu bytes was overwritten", page, run->bytes);
}

static size_t draw_bytes(shadow *s) {
    switch (test_random_range(&s->random, 0, s->has_singles ? 99 : 97)) {
    case 99:
    case 98:
        return ARENA + (size_t)test_random_range(&s->random, 1, 4096 * 6000);
    case 97:
        return (size_t)test_random_range(&s->random, (int64_t)ARENA / 2, (int64_t)ARENA);
    case 96:
    case 95:
    case 94:
        return (size_t)test_random_range(&s->random, 0, 4096 * 3000);
    default: {
        int64_t most = test_random_range(&s->random, 0, 2);
        return (size_t)test_random_range(&s->random, 0, 4096 * (most == 0 ? 4 : 20 + 200 * most));
    }
    }
}

/* The policy, seen from outside. `run` was taken with `bytes`. */
static void check_policy(shadow *s, const char *run, size_t bytes, bool is_reused,
                         tern__runs_figures before, tern__runs_figures after) {
    const fake_mapping *mapping = fake_mapping_of(run);
    bool is_single = bytes > ARENA;
    size_t rounded = bytes == 0 ? TERN__PAGE : (bytes + 4095) / 4096 * 4096;
    size_t room = is_single ? mapping->bytes : rounded;
    assert_int_equal(mapping->is_single, is_single);
    assert_int_equal(after.live_bytes, before.live_bytes + room);
    assert_int_equal(fake_memory_of(run, room), is_reused ? room / 4096 : 0);
    if (is_reused) {
        assert_true(room - rounded <= (is_single ? room / 8 : 0));
        assert_int_equal(after.dirty_bytes, before.dirty_bytes - room);
        assert_int_equal(after.mapped_bytes, before.mapped_bytes);
        return;
    }
    s->peak = after.live_bytes > s->peak ? after.live_bytes : s->peak;
    if (s->has_drop) { /* single arenas go as a whole */
        size_t paid = price(after.live_bytes, before.dirty_bytes, s->peak);
        size_t rest = before.dirty_bytes - paid;
        s->paid += paid != 0;
        s->unpaid += paid == 0 && rest != 0;
        assert_true(s->has_singles && paid != 0 ? after.dirty_bytes <= rest
                                                : after.dirty_bytes == rest);
    }
    if (!s->has_singles) /* in bins of their own size runs may be too short */
        assert_true(before.largest_dirty < rounded + rounded / 8 + TERN__PAGE);
}

static void step_take(shadow *s) {
    size_t bytes = draw_bytes(s);
    tern__runs_figures before = tern__runs_figures_get(s->runs);
    bool is_reused = true;
    char *data = tern__runs_take(s->runs, bytes, &is_reused);
    if (data == NULL) { /* a limit, and rightly so */
        assert_true(fake.limit != 0 && before.live_bytes + bytes > fake.limit / 8);
        return;
    }
    if (fake.limit == 0)
        check_policy(s, data, bytes, is_reused, before, tern__runs_figures_get(s->runs));
    shadow_run run = {data, bytes == 0 ? 1 : bytes, ++s->tags};
    fake_set_memory(data, bytes > ARENA ? fake_mapping_of(data)->bytes : run.bytes, true);
    write_tags(&run);
    s->live[s->count++] = run;
}

static void step_give(shadow *s) {
    int i = (int)test_random_range(&s->random, 0, s->count - 1);
    check_tags(&s->live[i]);
    tern__runs_give(s->runs, s->live[i].data, s->live[i].bytes);
    s->live[i] = s->live[--s->count];
}

static void step_back(shadow *s) {
    tern__runs_figures before = tern__runs_figures_get(s->runs);
    size_t goal = 0, done = 0;
    int64_t what = test_random_range(&s->random, 0, 9);
    if (what < 6) {
        goal = (size_t)test_random_range(&s->random, 0, 4096 * 500);
        done = tern__runs_purge(s->runs, goal);
        if (s->has_drop) {
            size_t most =
                before.dirty_bytes < goal ? before.dirty_bytes : (goal + 4095) / 4096 * 4096;
            assert_true(s->has_singles ? done >= most : done == most);
        }
    } else if (what < 9) {
        done = tern__runs_decay(s->runs);
    } else {
        done = tern__runs_trim(s->runs);
        if (s->has_drop)
            assert_int_equal(done, before.dirty_bytes);
        if (s->count == 0)
            assert_int_equal(fake.count, 0);
    }
    assert_int_equal(tern__runs_figures_get(s->runs).dirty_bytes, before.dirty_bytes - done);
}

static void visit(void *user, const tern__arena *arena, size_t first_page) {
    shadow *s = user;
    s->visited++;
    s->visited_bytes += tern__run_bytes(arena, first_page);
    assert_int_equal(arena->info[first_page].state, TERN__PAGE_RUN);
}

/* The books behind the last page that is said to be touched are all zero. */
static void check_touched(const tern__runs *runs) {
    for (int i = 0; i < fake.count; i++) {
        tern__arena *arena;
        size_t page;
        assert_true(tern__runs_find(runs, fake.mappings[i].base, &arena, &page));
        static const tern__page_info zero;
        for (page = arena->touched_pages; !arena->is_single && page < arena->bytes / 4096; page++)
            if (memcmp(&arena->info[page], &zero, sizeof zero) != 0 || arena->free_bits[page] != 0)
                fail_msg("page %zu was written", page);
    }
}

static void random_use(const tern__source *source, uint64_t seed, size_t limit, bool has_singles) {
    static shadow s;
    s = (shadow){.runs = create(source),
                 .random = {seed, 0},
                 .has_drop = source->drop != NULL,
                 .has_singles = has_singles};
    fake.limit = limit;
    int most = 20;
    for (int step = 0; step < 2500 / (TEST_IS_SANITIZED ? 5 : 1); step++) {
        if (step % 200 == 0) /* few and many live runs in turn */
            most = (int)test_random_range(&s.random, 0, 5) * SHADOW_RUNS / 5;
        if (step % 7 == 0)
            tern__runs_set_time(s.runs, s.now += TERN__DECAY_NS / 20);
        int64_t what = test_random_range(&s.random, 0, 99);
        if (what < 5)
            step_back(&s);
        else if (s.count > 0 && (s.count >= most || what < 45))
            step_give(&s);
        else if (s.count < SHADOW_RUNS)
            step_take(&s);
        tern__runs_figures figures = check(s.runs);
        if (s.has_drop && limit == 0)
            assert_true(figures.live_bytes + figures.dirty_bytes <= allowed_bytes(s.peak));
        if (s.has_drop || limit == 0)
            assert_int_equal(fake_committed_bytes(), figures.live_bytes + figures.dirty_bytes);
        if (step % 50 == 0) {
            check_touched(s.runs);
            s.visited = 0, s.visited_bytes = 0;
            tern__runs_walk(s.runs, visit, &s);
            assert_int_equal(s.visited, s.count);
            assert_int_equal(s.visited_bytes, figures.live_bytes);
        }
    }
    if (s.has_drop && limit == 0) /* both happened */
        assert_true(s.paid > 0 && s.unpaid > 0);
    while (s.count > 0)
        step_give(&s);
    assert_int_equal(check(s.runs).live_bytes, 0);
    tern__runs_trim(s.runs);
    assert_int_equal(check(s.runs).mapped_bytes, 0);
    tern__runs_destroy(s.runs);
    assert_int_equal(fake.maps, fake.unmaps);
}

static void random_use_with_drop(void **state) {
    (void)state;
    random_use(&fake_dropping, 1, 0, false);
    random_use(&fake_dropping, 2, 0, true);
}

static void random_use_without_drop(void **state) {
    (void)state;
    random_use(&fake_holding, 3, 0, false);
    random_use(&fake_holding, 4, 0, true);
}

static void random_use_with_little_memory(void **state) {
    (void)state;
    random_use(&fake_dropping, 5, 90 * MIB + 4096 * 77, true);
    random_use(&fake_holding, 6, 90 * MIB + 4096 * 77, true);
    random_use(&fake_dropping, 7, 8 * MIB, false);
}

enum { FLOW_RUNS = 12 };

/* Takes, gives, and what else needs memory; counts the takes that failed. */
static int run_flow(const tern__source *source) {
    static const size_t sizes[FLOW_RUNS] = {1,        PAGES(7),     ARENA,         PAGES(300),
                                            ARENA,    ARENA + 1,    PAGES(16000),  2 * ARENA,
                                            PAGES(9), PAGES(12000), ARENA + 70000, PAGES(13000)};
    shadow_run live[FLOW_RUNS] = {{0}};
    tern__runs *runs = tern__runs_create(source);
    if (runs == NULL)
        return 1;
    int failures = 0;
    for (int i = 0; i < FLOW_RUNS; i++) {
        bool is_reused;
        live[i] = (shadow_run){tern__runs_take(runs, sizes[i], &is_reused), sizes[i], 77u + i};
        failures += live[i].data == NULL;
        if (live[i].data != NULL)
            write_tags(&live[i]);
        if (i % 3 == 2 && live[i - 1].data != NULL) {
            check_tags(&live[i - 1]);
            tern__runs_give(runs, live[i - 1].data, sizes[i - 1]);
            live[i - 1].data = NULL;
        }
        check(runs);
    }
    fake.fail_at = 0; /* now there is memory again: the same calls succeed */
    for (int i = 0; i < FLOW_RUNS; i++) {
        bool is_reused;
        if (live[i].data == NULL)
            live[i].data = tern__runs_take(runs, sizes[i], &is_reused);
        else
            check_tags(&live[i]);
        assert_non_null(live[i].data);
    }
    check(runs);
    tern__runs_destroy(runs);
    return failures;
}

static void every_call_may_fail(void **state) {
    (void)state;
    const tern__source *sources[] = {&fake_dropping, &fake_holding};
    for (int i = 0; i < 2; i++) {
        fake_begin(state);
        assert_int_equal(run_flow(sources[i]), 0);
        int64_t calls = fake.calls;
        assert_in_range(calls, 20, 200);
        for (int64_t k = 1; k <= calls; k++)
            for (int fails_on = 0; fails_on < 2; fails_on++) {
                fake_begin(state);
                fake.fail_at = k;
                fake.fails_on = fails_on;
                int failures = run_flow(sources[i]);
                assert_true(fails_on == 0 || failures > 0 || k > calls / 2);
                assert_true(fails_on == 1 || failures <= 1);
                assert_int_equal(fake_end(state), 0);
            }
    }
}

static void any_size(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    for (int k = 0; k <= 40; k++)
        for (int more = -1; more <= 1; more++) {
            size_t bytes = ((size_t)1 << k) + (size_t)more;
            bool is_reused;
            volatile char *run = tern__runs_take(runs, bytes, &is_reused);
            assert_non_null(run);
            run[0] = 1;
            run[bytes > 0 ? bytes - 1 : 0] = 2;
            tern__arena *arena, *middle;
            size_t page, other, room;
            assert_true(tern__runs_find(runs, (char *)run, &arena, &page));
            assert_true(tern__runs_find(runs, (char *)run + bytes / 2, &middle, &other));
            assert_ptr_equal(middle, arena);
            room = tern__run_bytes(arena, page);
            assert_true(room >= bytes && room - bytes <= TERN__PAGE + bytes / 7);
            assert_true(arena->is_single || room - bytes <= TERN__PAGE);
            tern__runs_give(runs, (char *)run, bytes);
            check(runs);
        }
    for (size_t bytes = SIZE_MAX; bytes >= (size_t)1 << 60; bytes = bytes / 2 + 1) {
        refuse(runs, bytes);
        refuse(runs, bytes - 4096);
        if (bytes == (size_t)1 << 60)
            break;
    }
    tern__runs_destroy(runs);
}

/* -- ids, addresses, books ---------------------------------------------------------------------*/

static void every_page_is_found(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    tern__arena *arena;
    size_t page, other;
    assert_false(tern__runs_find(runs, state, &arena, &page));
    enum { COUNT = 40 };
    char *runs_of[COUNT];
    for (int i = 0; i < COUNT; i++) /* more than the tables begin with */
        runs_of[i] = take(runs, i % 5 == 4 ? ARENA + PAGES(3) : ARENA, false);
    uint8_t seen[COUNT] = {0};
    for (int i = 0; i < COUNT; i++) {
        size_t bytes = i % 5 == 4 ? ARENA + PAGES(3) : ARENA;
        assert_true(tern__runs_find(runs, runs_of[i], &arena, &page));
        tern__arena *first = arena;
        assert_ptr_equal(arena->base, runs_of[i]);
        assert_int_equal(arena->bytes, bytes);
        assert_true(arena->slot < COUNT && seen[arena->slot]++ == 0);
        for (size_t p = 0; p < bytes / TERN__PAGE; p++) {
            assert_true(tern__runs_find(runs, runs_of[i] + PAGES(p) + p % 4096, &arena, &page));
            assert_true(arena == first && page == (i % 5 == 4 ? 0 : p));
            uint32_t id = (uint32_t)(arena->slot * TERN__ARENA_PAGES + page);
            assert_ptr_equal(tern__runs_arena_of(runs, id, &other), arena);
            assert_int_equal(other, page);
        }
        if (fake_mapping_of(runs_of[i] + bytes) == NULL)
            assert_false(tern__runs_find(runs, runs_of[i] + bytes, &arena, &page));
        assert_true(tern__runs_find(runs, runs_of[i] + bytes - 1, &arena, &page));
    }
    uint32_t slots = 0;
    for (int i = 3; i < COUNT; i += 4) { /* slots are used again */
        assert_true(tern__runs_find(runs, runs_of[i], &arena, &page));
        slots += arena->slot;
        tern__runs_give(runs, runs_of[i], arena->bytes);
    }
    (void)tern__runs_trim(runs);
    assert_int_equal(fake.count, COUNT - COUNT / 4);
    for (int i = 3; i < COUNT; i += 4) {
        runs_of[i] = take(runs, ARENA, false);
        assert_true(tern__runs_find(runs, runs_of[i], &arena, &page));
        slots -= arena->slot;
    }
    assert_int_equal(slots, 0);
    check(runs);
    tern__runs_destroy(runs);
}

static void slabs_come_back_as_runs(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    tern__arena *arena;
    size_t page;
    char *before = take(runs, 1, false), *slab = take(runs, PAGES(6), false);
    (void)take(runs, 1, false);
    assert_true(tern__runs_find(runs, slab, &arena, &page));
    arena->info[page].state = TERN__PAGE_SLAB;
    for (uint16_t i = 1; i < 6; i++) {
        arena->info[page + i].state = TERN__PAGE_SLAB_REST;
        arena->info[page + i].number = i;
    }
    check(runs);
    tern__runs_give(runs, slab, PAGES(6));
    tern__runs_give(runs, before, 1);
    assert_int_equal(check(runs).largest_dirty, PAGES(7));
    tern__runs_destroy(runs);
}

static void books_are_counted(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    assert_int_equal(check(runs).bookkeeping_bytes, 4096);
    char *run = take(runs, PAGES(100), false);
    assert_int_equal(check(runs).bookkeeping_bytes, 3 * 4096);
    (void)take(runs, PAGES(412), false); /* infos of 20 bytes, words of 8: of 513 pages */
    assert_int_equal(check(runs).bookkeeping_bytes, 4096 + 3 * 4096 + 2 * 4096);
    (void)take(runs, 3 * ARENA, false);
    assert_int_equal(check(runs).bookkeeping_bytes, 4096 + 3 * 4096 + 2 * 4096);
    (void)take(runs, ARENA, false);
    assert_int_equal(check(runs).bookkeeping_bytes, 4096 + (3 + 2 + 80 + 32) * 4096);
    tern__runs_give(runs, run, PAGES(100));
    tern__runs_destroy(runs);
}

/* Every lie is told by the audit, and none remains once it is taken back. */
#define EXPECT_LIE(place, value)                                                                   \
    do {                                                                                           \
        __typeof__(place) truth = (place);                                                         \
        (place) = (value);                                                                         \
        text[0] = '\0';                                                                            \
        if (tern__runs_verify(runs, NULL, text, sizeof text))                                      \
            fail_msg("not noticed: " #place " = " #value);                                         \
        assert_true(text[0] != '\0');                                                              \
        (place) = truth;                                                                           \
        check(runs);                                                                               \
    } while (0)

static void the_audit_finds_lies(void **state) {
    (void)state;
    char text[200];
    tern__runs *runs = create(&fake_dropping);
    char *run[5];
    take_apart(runs, run, (const int[]){4, 4, 4, 2, 6}, 5);
    tern__runs_give(runs, run[0], PAGES(4));
    tern__runs_set_time(runs, 50);
    tern__runs_give(runs, run[1], PAGES(4));
    tern__runs_set_time(runs, 100);
    tern__runs_give(runs, run[2], PAGES(4));
    tern__arena *arena;
    size_t page;
    assert_true(tern__runs_find(runs, run[0], &arena, &page));
    tern__page_info *info = arena->info;
    uint32_t id = (uint32_t)(arena->slot * TERN__ARENA_PAGES);
    check(runs);
    EXPECT_LIE(info[0].state, TERN__PAGE_CLEAN);
    EXPECT_LIE(info[0].state, TERN__PAGE_RUN);
    EXPECT_LIE(info[0].state, TERN__PAGE_NONE);
    EXPECT_LIE(info[0].pages, 3);
    EXPECT_LIE(info[0].pages, 0);
    EXPECT_LIE(info[3].pages, 3);
    EXPECT_LIE(info[3].state, TERN__PAGE_NONE);
    EXPECT_LIE(info[2].state, TERN__PAGE_SLAB_REST);
    EXPECT_LIE(info[5].next, TERN__NO_PAGE);
    EXPECT_LIE(info[5].next, id + 5);
    EXPECT_LIE(info[5].previous, TERN__NO_PAGE);
    EXPECT_LIE(info[10].previous, id + 15);
    EXPECT_LIE(info[0].next, id + 3);
    EXPECT_LIE(info[5].older, TERN__NO_PAGE);
    EXPECT_LIE(info[5].younger, TERN__NO_PAGE);
    EXPECT_LIE(info[0].younger, id + 10);
    EXPECT_LIE(info[10].younger, id);
    EXPECT_LIE(arena->free_bits[5], 101);
    EXPECT_LIE(arena->free_bits[10], 49);
    EXPECT_LIE(arena->free_bits[0], 51);
    EXPECT_LIE(info[4].state, TERN__PAGE_DIRTY);
    EXPECT_LIE(info[15].state, TERN__PAGE_CLEAN);
    EXPECT_LIE(info[15].pages, 1);
    EXPECT_LIE(info[18].state, TERN__PAGE_SLAB);
    EXPECT_LIE(arena->used_pages, 0);
    EXPECT_LIE(arena->touched_pages, 5);
    EXPECT_LIE(arena->bytes, ARENA - 4096);
    EXPECT_LIE(arena->slot, 1);
    tern__runs_destroy(runs);
}

/* -- the host's pages --------------------------------------------------------------------------*/

static int host_drops, host_huges;

static void host_drop(void *pages, size_t bytes) {
    host_drops++;
    fake.dropped_bytes += bytes;
    tern__os_default.pages_drop(pages, bytes);
}

static void host_huge(void *pages, size_t bytes) {
    host_huges++;
    tern__os_default.pages_huge(pages, bytes);
}

static void host_pages_come_through_the_table(void **state) {
    (void)state;
    tern__os_table table = *tern__os();
    table.pages_drop = host_drop;
    table.pages_huge = host_huge;
    tern__os_set(&table);
    assert_true(tern__host_source.is_host);
    assert_string_equal(tern__host_source.name, "host");
    tern__runs *runs = create(&tern__host_source);
    bool is_reused;
    uint64_t before = tern__os_resident_bytes();
    char *run = tern__runs_take(runs, 24 * MIB, &is_reused);
    assert_non_null(run);
    assert_int_equal(host_huges, 1);
    assert_int_equal(fake.books, 6); /* runs, 2 tables, an arena, its books, its pages */
    memset(run, 1, 24 * MIB);
    tern__runs_give(runs, run, 24 * MIB);
    uint64_t between = tern__os_resident_bytes();
    assert_int_equal(tern__runs_purge(runs, SIZE_MAX), 24 * MIB);
    uint64_t after = tern__os_resident_bytes();
    assert_int_equal(host_drops, 1);
    assert_int_equal(fake.dropped_bytes, 24 * MIB);
#if defined(__linux__)
    assert_true(before == 0 || (between - before >= 20 * MIB && between - after >= 20 * MIB));
#else
    (void)before, (void)between, (void)after;
#endif
    assert_ptr_equal(tern__runs_take(runs, 1, &is_reused), run);
    assert_false(is_reused);
    tern__runs_destroy(runs);
    assert_int_equal(fake.books, 0);
}

static void nothing_is_destroyed(void **state) {
    (void)state;
    tern__runs_destroy(NULL);
    tern__runs *runs = create(&fake_dropping);
    assert_int_equal(tern__runs_purge(runs, SIZE_MAX), 0);
    assert_int_equal(tern__runs_decay(runs), 0);
    assert_int_equal(tern__runs_trim(runs), 0);
    assert_int_equal(check(runs).largest_dirty, 0);
    tern__runs_destroy(runs);
    fake.fail_at = fake.calls + 1;
    assert_null(tern__runs_create(&fake_dropping));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUNS_TEST(random_use_with_drop),
        RUNS_TEST(random_use_without_drop),
        RUNS_TEST(random_use_with_little_memory),
        RUNS_TEST(every_call_may_fail),
        RUNS_TEST(any_size),
        RUNS_TEST(every_page_is_found),
        RUNS_TEST(slabs_come_back_as_runs),
        RUNS_TEST(books_are_counted),
        RUNS_TEST(the_audit_finds_lies),
        RUNS_TEST(host_pages_come_through_the_table),
        RUNS_TEST(nothing_is_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
