/* SPDX-License-Identifier: MIT
 * Page runs: which memory is taken and given back, and what happens when there is none. */
#include "runs_fixture.h"

/* -- the policy --------------------------------------------------------------------------------*/

static void runs_begin_low_and_side_by_side(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    char *a = take(runs, 0, false), *b = take(runs, 1, false), *c = take(runs, PAGES(3), false);
    char *d = take(runs, PAGES(3) + 1, false), *e = take(runs, 4096, false);
    assert_ptr_equal(a, fake.mappings[0].base);
    assert_ptr_equal(b, a + PAGES(1));
    assert_ptr_equal(c, b + PAGES(1));
    assert_ptr_equal(d, c + PAGES(3));
    assert_ptr_equal(e, d + PAGES(4));
    assert_int_equal(fake.maps, 1);
    assert_int_equal(fake.mappings[0].bytes, ARENA);
    tern__runs_give(runs, d, PAGES(3) + 1);
    assert_ptr_equal(take(runs, 4096, true), d); /* dirty first, at its low end */
    assert_int_equal(check(runs).dirty_bytes, PAGES(3));
    tern__runs_destroy(runs);
}

static void expect_drop(int index, const char *begin, size_t bytes) {
    assert_true(index < fake.drop_count);
    assert_ptr_equal(fake.drops[index].begin, begin);
    assert_int_equal(fake.drops[index].bytes, bytes);
}

static void clean_pages_are_paid_for_oldest_first(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    char *run[4];
    take_apart(runs, run, (const int[]){300, 900, 500, 400}, 4);
    size_t peak = check(runs).live_bytes;
    tern__runs_give(runs, run[2], PAGES(500));
    tern__runs_give(runs, run[0], PAGES(300));
    tern__runs_give(runs, run[1], PAGES(900));
    tern__runs_figures before = check(runs);
    assert_int_equal(before.largest_dirty, PAGES(900));
    (void)take(runs, PAGES(1000), false); /* none is that long */
    tern__runs_figures after = check(runs);
    size_t paid = price(after.live_bytes, before.dirty_bytes, peak), part = paid - PAGES(800);
    assert_in_range(part, PAGES(1), PAGES(899));
    assert_int_equal(fake.drop_count, 3);
    expect_drop(0, run[2], PAGES(500));
    expect_drop(1, run[0], PAGES(300));
    expect_drop(2, run[1] + PAGES(900) - part, part);
    assert_int_equal(after.dirty_bytes, before.dirty_bytes - paid);
    assert_in_range(after.live_bytes + after.dirty_bytes, allowed_bytes(peak) - 4095,
                    allowed_bytes(peak));

    assert_ptr_equal(take(runs, PAGES(900) - part, true), run[1]);
    (void)take(runs, PAGES(500), false); /* nothing left to pay with: commitment grows */
    assert_int_equal(fake.drop_count, 3);
    assert_int_equal(check(runs).live_bytes, after.live_bytes + PAGES(1400) - part);
    assert_int_equal(fake.maps, 1);
    tern__runs_destroy(runs);
}

/* Fifty runs of 40 pages, apart and dirty, 3 200 pages in use before. Returns the oldest. */
static char *make_dirty(tern__runs *runs) {
    char *run[50];
    int pages[50];
    for (int i = 0; i < 50; i++)
        pages[i] = 40;
    take_apart(runs, run, pages, 50);
    (void)take(runs, PAGES(3200 - 2050), false);
    assert_int_equal(check(runs).live_bytes, PAGES(3200));
    for (int i = 49; i >= 0; i--)
        tern__runs_give(runs, run[i], PAGES(40));
    return run[49];
}

static void what_the_peak_allows_is_not_paid_for(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    char *oldest = make_dirty(runs);
    size_t spare = allowed_bytes(PAGES(3200)) - PAGES(3200);
    assert_true(spare > PAGES(40) && spare % TERN__PAGE == 0);
    (void)take(runs, spare, false);
    assert_int_equal(fake.drop_count, 0);
    (void)take(runs, PAGES(41), false); /* from now on each page costs one */
    assert_int_equal(fake.drop_count, 2);
    expect_drop(0, oldest, PAGES(40));
    assert_int_equal(fake.dropped_bytes, PAGES(41));
    tern__runs_figures figures = check(runs);
    assert_int_equal(figures.live_bytes + figures.dirty_bytes, allowed_bytes(PAGES(3200)));
    (void)take(runs, PAGES(5000), false); /* a new peak, itself and its share */
    figures = check(runs);
    assert_true(figures.live_bytes > PAGES(3200));
    assert_in_range(figures.live_bytes + figures.dirty_bytes,
                    allowed_bytes(figures.live_bytes) - 4095, allowed_bytes(figures.live_bytes));
    tern__runs_destroy(runs);
}

/* A peak counts for good, also when everything was given back since. */
static void the_peak_is_remembered(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    char *high = take(runs, PAGES(9000), false);
    tern__runs_give(runs, high, PAGES(9000));
    assert_int_equal(tern__runs_trim(runs), PAGES(9000));
    (void)make_dirty(runs);
    (void)take(runs, PAGES(5000), false);
    assert_int_equal(fake.drop_count, 0);
    size_t allowed = allowed_bytes(PAGES(9000));
    assert_int_not_equal(allowed % TERN__PAGE, 0);
    (void)take(runs, allowed + TERN__PAGE - PAGES(8200) - allowed % TERN__PAGE, false);
    assert_int_equal(fake.dropped_bytes, TERN__PAGE); /* for a part of a page */
    tern__runs_destroy(runs);
}

/* Single arenas are paid for, and pay, like other pages. */
static void single_arenas_cost_the_same(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    (void)make_dirty(runs);
    (void)take(runs, ARENA + PAGES(1), false);
    tern__runs_figures figures = check(runs);
    size_t paid = price(figures.live_bytes, PAGES(2000), figures.live_bytes);
    assert_in_range(paid, PAGES(1), PAGES(1999));
    assert_int_equal(fake.dropped_bytes, paid);
    assert_int_equal(figures.dirty_bytes, PAGES(2000) - paid);
    tern__runs_destroy(runs);
}

static void a_part_is_dropped_beside_clean_pages(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    char *run[3];
    take_apart(runs, run, (const int[]){6, 1, 1}, 3);
    char *six = run[0];
    tern__runs_give(runs, six, PAGES(6));
    assert_int_equal(tern__runs_purge(runs, 1), PAGES(1));
    expect_drop(0, six + PAGES(5), PAGES(1)); /* the last page, when neither side is clean */
    assert_int_equal(tern__runs_purge(runs, PAGES(2) - 1), PAGES(2));
    expect_drop(1, six + PAGES(3), PAGES(2));
    assert_ptr_equal(take(runs, PAGES(2), true), six);
    assert_int_equal(tern__runs_purge(runs, PAGES(9)), PAGES(1));
    tern__runs_give(runs, six, PAGES(2));
    assert_int_equal(tern__runs_trim(runs), PAGES(2));
    assert_ptr_equal(take(runs, PAGES(1), false), six); /* 6 clean pages, cut at the low end */
    char *five = take(runs, PAGES(5), false);
    assert_ptr_equal(five, six + PAGES(1));
    tern__runs_give(runs, six, PAGES(1));
    assert_int_equal(tern__runs_purge(runs, PAGES(1)), PAGES(1));
    tern__runs_give(runs, five, PAGES(5));
    fake.drop_count = 0;
    assert_int_equal(tern__runs_purge(runs, PAGES(2)), PAGES(2));
    expect_drop(0, five, PAGES(2)); /* the first ones: the pages before are clean */
    assert_ptr_equal(take(runs, PAGES(3), true), five + PAGES(2));
    assert_ptr_equal(take(runs, PAGES(3), false), six);
    check(runs);
    tern__runs_destroy(runs);
}

/* What is dirty and what is clean fit only together: dropping joins them. */
static void old_arenas_come_before_new_ones(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    char *half = take(runs, ARENA / 2, false);
    tern__runs_give(runs, half, ARENA / 2);
    size_t most = ARENA / 32 * 29;
    char *run = take(runs, most, false);
    tern__runs_figures figures = check(runs);
    assert_int_equal(figures.dirty_bytes, ARENA / 2 - price(most, ARENA / 2, most));
    assert_in_range(figures.dirty_bytes, PAGES(1), ARENA - most);
    assert_ptr_equal(run, half + figures.dirty_bytes);
    assert_int_equal(fake.maps, 1);
    tern__runs_destroy(runs);

    runs = create(&fake_dropping);
    run = take(runs, ARENA, false);
    tern__runs_give(runs, run, ARENA);
    assert_ptr_equal(take(runs, ARENA - 4095, true), run);
    assert_int_equal(fake.maps, 2); /* one for each */
    (void)take(runs, 1, false);
    assert_int_equal(fake.maps, 3);
    tern__runs_destroy(runs);
}

static void a_run_of_its_own_length_is_found(void **state) {
    (void)state;
    for (int pages = 1; pages < 3000; pages += 1 + pages / 7) {
        tern__runs *runs = create(&fake_dropping);
        char *run[3];
        take_apart(runs, run, (const int[]){1, pages, 1}, 3);
        tern__runs_give(runs, run[1], PAGES(pages));
        assert_ptr_equal(take(runs, PAGES(pages), true), run[1]);
        tern__runs_give(runs, run[1], PAGES(pages));
        (void)take(runs, PAGES(pages + 1), false); /* but not for more */
        check(runs);
        tern__runs_destroy(runs);
    }
}

static void ages_of_merged_runs(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    uint64_t second = 1000000000;
    char *run[5], *part[3];
    take_apart(runs, run, (const int[]){2, 9, 2, 9, 3}, 2);
    part[0] = take(runs, PAGES(5), false);
    part[1] = take(runs, PAGES(2), false);
    part[2] = take(runs, PAGES(4), false);
    (void)take(runs, 1, false);
    tern__runs_set_time(runs, second);
    tern__runs_give(runs, part[0], PAGES(5));
    tern__runs_set_time(runs, 2 * second);
    tern__runs_give(runs, run[0], PAGES(2));
    tern__runs_set_time(runs, 3 * second);
    tern__runs_give(runs, part[2], PAGES(4));
    tern__runs_set_time(runs, 4 * second);
    tern__runs_give(runs, part[1], PAGES(2)); /* 5 + 2 + 4 pages: of the age of the 5 */
    check(runs);
    tern__runs_set_time(runs, TERN__DECAY_NS + second - 1);
    assert_int_equal(tern__runs_decay(runs), 0);
    tern__runs_set_time(runs, TERN__DECAY_NS + second);
    assert_int_equal(tern__runs_decay(runs), PAGES(11));
    expect_drop(0, part[0], PAGES(11));
    assert_int_equal(tern__runs_decay(runs), 0);
    tern__runs_set_time(runs, TERN__DECAY_NS + 2 * second);
    tern__runs_set_time(runs, 5 * second); /* time does not go back */
    assert_int_equal(tern__runs_decay(runs), PAGES(2));

    char *whole = take(runs, PAGES(11), false);
    assert_ptr_equal(whole, part[0]);
    tern__runs_give(runs, whole, PAGES(11));
    tern__runs_set_time(runs, TERN__DECAY_NS + 4 * second);
    (void)take(runs, PAGES(2), true); /* the rest keeps its age */
    tern__runs_set_time(runs, 2 * TERN__DECAY_NS + 2 * second);
    assert_int_equal(tern__runs_decay(runs), PAGES(9));
    tern__runs_destroy(runs);
}

/* A small old neighbour makes a large young run no older. */
static void a_large_part_gives_the_age(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    char *left = take(runs, PAGES(2), false), *middle = take(runs, PAGES(5), false);
    char *right = take(runs, PAGES(9), false);
    (void)take(runs, 1, false);
    tern__runs_give(runs, left, PAGES(2));
    tern__runs_set_time(runs, 1000);
    tern__runs_give(runs, middle, PAGES(5));
    tern__runs_set_time(runs, TERN__DECAY_NS);
    assert_int_equal(tern__runs_decay(runs), 0);
    tern__runs_set_time(runs, TERN__DECAY_NS + 500);
    tern__runs_give(runs, right, PAGES(9)); /* 7 pages of age 1000 and 9 of now */
    check(runs);
    tern__runs_set_time(runs, TERN__DECAY_NS + 1000);
    assert_int_equal(tern__runs_decay(runs), 0);
    tern__runs_set_time(runs, 2 * TERN__DECAY_NS + 499);
    assert_int_equal(tern__runs_decay(runs), 0);
    char *again = take(runs, PAGES(4), true);
    assert_ptr_equal(again, left);
    tern__runs_give(runs, again, PAGES(4)); /* the 12 behind it are older and more */
    check(runs);
    tern__runs_set_time(runs, 2 * TERN__DECAY_NS + 500);
    assert_int_equal(tern__runs_decay(runs), PAGES(16));
    tern__runs_destroy(runs);
}

/* Both neighbours are longer than what comes back between them: the longest tells the age. */
static void the_longest_of_three_gives_the_age(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        tern__runs *runs = create(&fake_dropping);
        size_t lengths[2] = {PAGES(i == 0 ? 5 : 9), PAGES(i == 0 ? 9 : 5)};
        char *left = take(runs, lengths[0], false), *middle = take(runs, PAGES(3), false);
        char *right = take(runs, lengths[1], false);
        (void)take(runs, 1, false);
        tern__runs_set_time(runs, 100);
        tern__runs_give(runs, i == 0 ? left : right, PAGES(5));
        tern__runs_set_time(runs, 200);
        tern__runs_give(runs, i == 0 ? right : left, PAGES(9));
        tern__runs_give(runs, middle, PAGES(3));
        check(runs);
        tern__runs_set_time(runs, TERN__DECAY_NS + 199);
        assert_int_equal(tern__runs_decay(runs), 0);
        tern__runs_set_time(runs, TERN__DECAY_NS + 200);
        assert_int_equal(tern__runs_decay(runs), PAGES(17));
        tern__runs_destroy(runs);
    }
}

/* The last range for which huge pages were asked: the huge pages that hold the run, as far as its
 * mapping goes. */
static void expect_huge(const char *run, size_t bytes) {
    const fake_mapping *mapping = fake_mapping_of(run);
    uintptr_t first = (uintptr_t)mapping->base, last = first + mapping->bytes;
    uintptr_t begin = (uintptr_t)run / (2 * MIB) * (2 * MIB);
    uintptr_t end = ((uintptr_t)run + bytes + 2 * MIB - 1) / (2 * MIB) * (2 * MIB);
    assert_int_equal((uintptr_t)fake.last_huge.begin, begin < first ? first : begin);
    assert_int_equal((uintptr_t)fake.last_huge.begin + fake.last_huge.bytes,
                     end > last ? last : end);
}

static void huge_pages_for_long_clean_runs(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    (void)take(runs, MIB / 2 - 4096, false);
    assert_int_equal(fake.huge_count, 0);
    char *run = take(runs, MIB / 2 - 1, false);
    assert_int_equal(fake.huge_count, 1);
    expect_huge(run, MIB / 2);
    tern__runs_give(runs, run, MIB / 2 - 1);
    assert_ptr_equal(take(runs, MIB / 2, true), run);
    assert_int_equal(fake.huge_count, 1);
    run = take(runs, 5 * MIB, false);
    assert_int_equal(fake.huge_count, 2);
    expect_huge(run, 5 * MIB);
    char *single = take(runs, ARENA + 1, false);
    assert_int_equal(fake.huge_count, 3);
    expect_huge(single, ARENA + 4096);
    check(runs);
    tern__runs_destroy(runs);
}

static void single_arenas_are_kept_for_their_like(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    const size_t room = PAGES(8 * 2500); /* 80 000 KiB */
    char *run = take(runs, room, false);
    assert_int_equal(fake.mappings[0].bytes, room);
    tern__runs_give(runs, run, room);
    assert_int_equal(check(runs).largest_dirty, room);
    assert_ptr_equal(take(runs, PAGES(7 * 2500), true), run); /* 12.5 % smaller */
    assert_int_equal(check(runs).live_bytes, room);
    tern__runs_give(runs, run, PAGES(7 * 2500));
    assert_int_equal(fake.unmaps, 0);
    char *large = take(runs, room + 1, false); /* it pays for what is larger, as a whole */
    assert_int_equal(fake.unmaps, 1);
    tern__runs_give(runs, large, room + 1);
    char *less = take(runs, PAGES(7 * 2500), false); /* one page too small for its room */
    assert_int_equal(fake.unmaps, 2);
    tern__runs_give(runs, less, PAGES(7 * 2500));
    assert_int_equal(tern__runs_decay(runs), 0);
    tern__runs_set_time(runs, TERN__DECAY_NS);
    assert_int_equal(tern__runs_decay(runs), PAGES(7 * 2500));
    assert_int_equal(check(runs).mapped_bytes, 0);

    large = take(runs, room + PAGES(700), false);
    less = take(runs, room, false);
    tern__runs_give(runs, less, room);
    tern__runs_give(runs, large, room + PAGES(700));
    assert_ptr_equal(take(runs, room - PAGES(500), true), less); /* the best of two */
    tern__runs_give(runs, less, room);
    assert_ptr_equal(take(runs, room - PAGES(500), true), less); /* whichever came last */
    tern__runs_give(runs, less, room);
    (void)take(runs, 1, false);
    assert_int_equal(check(runs).dirty_bytes, 2 * room + PAGES(700)); /* below the peak */
    (void)take(runs, ARENA, false);
    assert_int_equal(check(runs).dirty_bytes, room); /* the older one paid, as a whole */
    assert_int_equal(tern__runs_purge(runs, 1), room);
    assert_int_equal(fake.drop_count, 0);
    check(runs);
    tern__runs_destroy(runs);
}

static void without_drop_pages_stay_dirty(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_holding);
    char *a = take(runs, PAGES(5), false), *b = take(runs, PAGES(6), false);
    char *single = take(runs, ARENA + 1, false);
    tern__runs_give(runs, a, PAGES(5));
    tern__runs_give(runs, single, ARENA + 1);
    assert_int_equal(check(runs).dirty_bytes, PAGES(5) + ARENA + 4096);
    (void)tern__runs_purge(runs, SIZE_MAX);
    assert_int_equal(check(runs).dirty_bytes, PAGES(5)); /* only the single arena could go */
    tern__runs_give(runs, b, PAGES(6));
    assert_int_equal(check(runs).largest_dirty, PAGES(11));
    assert_int_equal(tern__runs_purge(runs, SIZE_MAX), 0);
    assert_ptr_equal(take(runs, PAGES(11), true), a);
    tern__runs_give(runs, a, PAGES(11));
    assert_int_equal(tern__runs_trim(runs), PAGES(11));
    assert_int_equal(check(runs).mapped_bytes, 0);

    /* A wholly dirty arena can be given back, and is when it was idle. */
    a = take(runs, ARENA, false);
    b = take(runs, PAGES(3), false);
    tern__runs_give(runs, a, ARENA);
    tern__runs_set_time(runs, TERN__DECAY_NS - 1);
    assert_int_equal(tern__runs_decay(runs), 0);
    assert_ptr_equal(take(runs, PAGES(7), true), a);
    tern__runs_give(runs, a, PAGES(7));
    tern__runs_set_time(runs, 2 * TERN__DECAY_NS - 2);
    assert_int_equal(tern__runs_decay(runs), 0);
    tern__runs_set_time(runs, 2 * TERN__DECAY_NS - 1);
    assert_int_equal(tern__runs_decay(runs), ARENA);
    assert_int_equal(check(runs).mapped_bytes, ARENA);
    tern__runs_destroy(runs);
}

/* -- when memory runs out ----------------------------------------------------------------------*/

static void smaller_arenas_when_there_is_less(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    fake.limit = 41 * MIB;
    (void)take(runs, 3 * MIB, false); /* 64, 32 */
    assert_int_equal(fake.mapped, 32 * MIB);
    (void)take(runs, 29 * MIB, false);
    (void)take(runs, 3 * MIB, false); /* 64, 32, 16, 8 */
    assert_int_equal(fake.mapped, 40 * MIB);
    (void)take(runs, 5 * MIB, false);
    (void)take(runs, MIB, false); /* 64 .. 2, 1 */
    assert_int_equal(fake.mapped, 41 * MIB);
    refuse(runs, 1);
    assert_int_equal(check(runs).live_bytes, 41 * MIB);
    tern__runs_destroy(runs);
    runs = create(&fake_dropping);
    char *run = take(runs, 41 * MIB - 5000, false); /* 64, what is needed */
    tern__runs_give(runs, run, 41 * MIB - 5000);
    refuse(runs, 41 * MIB + 1);
    assert_int_equal(fake.mapped, 0); /* given back in the attempt */
    tern__runs_destroy(runs);
}

static void everything_free_is_given_back_first(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_dropping);
    char *run[3];
    take_apart(runs, run, (const int[]){4000, 4000, 2000}, 3);
    char *last = run[2] + PAGES(2000);
    fake.limit = fake.mapped;
    tern__runs_give(runs, run[0], PAGES(4000));
    tern__runs_give(runs, run[1], PAGES(4000));
    tern__runs_give(runs, run[2], PAGES(2000));
    tern__runs_give(runs, last, 1);
    /* The clean rest has 16 384 - 10 003; what pays is not beside it, but all of it is. */
    assert_ptr_equal(take(runs, PAGES(8000), false), run[2]);
    check(runs);
    tern__runs_destroy(runs);
}

static void an_arena_makes_room_for_a_single_one(void **state) {
    (void)state;
    const tern__source *sources[] = {&fake_dropping, &fake_holding};
    for (int i = 0; i < 2; i++) {
        tern__runs *runs = create(sources[i]);
        char *run = take(runs, PAGES(5), false);
        fake.limit = ARENA + 4096;
        refuse(runs, ARENA + 4096);
        tern__runs_give(runs, run, PAGES(5));
        run = take(runs, ARENA + 4096, false);
        assert_int_equal(fake.count, 1);
        refuse(runs, 1);
        tern__runs_give(runs, run, ARENA + 4096);
        (void)take(runs, 1, false);
        tern__runs_destroy(runs);
        fake.limit = 0;
    }
}

static void without_drop_clean_and_dirty_join_at_last(void **state) {
    (void)state;
    tern__runs *runs = create(&fake_holding);
    char *run = take(runs, PAGES(100), false), *next = take(runs, PAGES(1), false);
    fake.limit = fake.mapped;
    tern__runs_give(runs, next, 1);
    refuse(runs, ARENA - PAGES(99));
    assert_int_equal(check(runs).dirty_bytes, ARENA - PAGES(100));
    tern__runs_give(runs, run, PAGES(100));
    assert_ptr_equal(take(runs, ARENA, true), run);
    tern__runs_destroy(runs);

    fake.limit = ARENA;
    runs = create(&fake_holding);
    run = take(runs, 1, false);
    tern__runs_give(runs, run, 1);
    assert_ptr_equal(take(runs, ARENA, true), run); /* a page of it had memory */
    assert_int_equal(fake.huge_count, 0);           /* asked for clean runs only */
    check(runs);
    tern__runs_destroy(runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUNS_TEST(runs_begin_low_and_side_by_side),
        RUNS_TEST(clean_pages_are_paid_for_oldest_first),
        RUNS_TEST(what_the_peak_allows_is_not_paid_for),
        RUNS_TEST(the_peak_is_remembered),
        RUNS_TEST(single_arenas_cost_the_same),
        RUNS_TEST(a_part_is_dropped_beside_clean_pages),
        RUNS_TEST(old_arenas_come_before_new_ones),
        RUNS_TEST(a_run_of_its_own_length_is_found),
        RUNS_TEST(ages_of_merged_runs),
        RUNS_TEST(a_large_part_gives_the_age),
        RUNS_TEST(the_longest_of_three_gives_the_age),
        RUNS_TEST(huge_pages_for_long_clean_runs),
        RUNS_TEST(single_arenas_are_kept_for_their_like),
        RUNS_TEST(without_drop_pages_stay_dirty),
        RUNS_TEST(smaller_arenas_when_there_is_less),
        RUNS_TEST(everything_free_is_given_back_first),
        RUNS_TEST(an_arena_makes_room_for_a_single_one),
        RUNS_TEST(without_drop_clean_and_dirty_join_at_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
