/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/threads.h"

static const int sizes[] = {1, 2, 3, 8};
enum { SIZES = sizeof sizes / sizeof sizes[0], LANES = 8 };

static void sleep_us(int64_t microseconds) {
    struct timespec time = {0, (long)microseconds * 1000};
    nanosleep(&time, NULL);
}

/* Counts visits of every index; notes broken promises. */
typedef struct coverage {
    int64_t count, grain;
    int size;
    atomic_int *visits;
    atomic_bool is_in[LANES];
    atomic_int errors;
} coverage;

static void visit(void *argument, int64_t begin, int64_t end, int lane) {
    coverage *c = argument;
    bool is_fine = begin >= 0 && begin < end && end <= c->count && begin % c->grain == 0 &&
                   (end - begin == c->grain || end == c->count) && end - begin <= c->grain &&
                   lane >= 0 && lane < c->size;
    if (!is_fine || atomic_exchange(&c->is_in[lane], true)) {
        atomic_fetch_add(&c->errors, 1);
        return;
    }
    for (int64_t i = begin; i < end; i++)
        atomic_fetch_add_explicit(&c->visits[i], 1, memory_order_relaxed);
    atomic_store(&c->is_in[lane], false);
}

static void check_coverage(tern__team *team, int64_t count, int64_t grain) {
    coverage c = {.count = count, .grain = grain, .size = tern__team_size(team)};
    c.visits = calloc((size_t)count + 1, sizeof *c.visits);
    assert_non_null(c.visits);
    tern__team_run(team, count, grain, visit, &c);
    for (int64_t i = 0; i < count; i++)
        if (c.visits[i] != 1)
            fail_msg("index %lld of %lld, grain %lld, %d threads: %d visits", (long long)i,
                     (long long)count, (long long)grain, c.size, c.visits[i]);
    if (c.errors != 0)
        fail_msg("count %lld, grain %lld, %d threads: %d bad pieces", (long long)count,
                 (long long)grain, c.size, c.errors);
    free(c.visits);
}

static tern__team *new_team(int size) {
    tern__team *team = NULL;
    test_ok(tern__team_create(size, &team));
    assert_int_equal(tern__team_size(team), size);
    return team;
}

static void every_index_once(void **state) {
    (void)state;
    const int64_t counts[] = {0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 1000, 4097};
    const int64_t grains[] = {1, 2, 3, 8, 64, 1000, 5000, INT64_MAX};
    for (int s = 0; s < SIZES; s++) {
        tern__team *team = new_team(sizes[s]);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
            for (size_t k = 0; k < sizeof grains / sizeof grains[0]; k++)
                check_coverage(team, counts[i], grains[k]);
        tern__team_destroy(team);
    }
}

static void add_length(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    atomic_fetch_add((_Atomic uint64_t *)argument, (uint64_t)(end - begin));
}

static void counts_up_to_the_largest(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        tern__team *team = new_team(sizes[s]);
        _Atomic uint64_t sum = 0;
        tern__team_run(team, INT64_MAX, INT64_MAX / 5, add_length, &sum);
        assert_true(sum == INT64_MAX);
        tern__team_destroy(team);
    }
}

/* A piece that ends only when all pieces of the job are being run: needs every thread. */
typedef struct meeting {
    int size;
    atomic_int arrived;
    atomic_uint lanes;
} meeting;

static void meet(void *argument, int64_t begin, int64_t end, int lane) {
    (void)begin;
    (void)end;
    meeting *m = argument;
    atomic_fetch_or(&m->lanes, 1u << lane);
    atomic_fetch_add(&m->arrived, 1);
    while (atomic_load(&m->arrived) < m->size)
        sched_yield();
}

/* With pauses in which the workers fall asleep, half asleep, or not: a lost wake-up hangs here. */
static void no_wake_up_is_lost(void **state) {
    (void)state;
    test_random random = {.seed = 3};
    for (int s = 0; s < SIZES; s++) {
        tern__team *team = new_team(sizes[s]);
        uint64_t end = tern__os()->clock_ns() + 600000000;
        while (tern__os()->clock_ns() < end) {
            meeting m = {.size = sizes[s]};
            tern__team_run(team, sizes[s], 1, meet, &m);
            assert_int_equal(m.arrived, sizes[s]);
            assert_int_equal(m.lanes, (1u << sizes[s]) - 1); /* each thread has its own lane */
            int64_t pause = test_random_range(&random, -100, 150);
            if (pause > 0)
                sleep_us(pause);
        }
        tern__team_destroy(team);
    }
}

static void sleep_in_piece(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const uint8_t *microseconds = argument;
    for (int64_t i = begin; i < end; i++)
        if (microseconds[i] >= 128)
            sleep_us(microseconds[i]);
}

/* Pieces of uneven length, so that the caller is now first, now last, and sleeps at times. */
static void no_end_is_lost(void **state) {
    (void)state;
    test_random random = {.seed = 4};
    for (int s = 0; s < SIZES; s++) {
        tern__team *team = new_team(sizes[s]);
        uint64_t end = tern__os()->clock_ns() + 400000000;
        while (tern__os()->clock_ns() < end) {
            uint8_t microseconds[16];
            for (size_t i = 0; i < sizeof microseconds; i++)
                microseconds[i] = (uint8_t)test_random_u32(&random);
            tern__team_run(team, sizeof microseconds, 1, sleep_in_piece, microseconds);
            check_coverage(team, test_random_range(&random, 0, 40), 3);
        }
        tern__team_destroy(team);
    }
}

typedef struct nest {
    tern__team *team;
    atomic_int inner[64];
    atomic_int errors;
    int outer_lane[8];
} nest;

static void inner_job(void *argument, int64_t begin, int64_t end, int lane) {
    nest *n = ((void **)argument)[0];
    int64_t outer = (int64_t)(intptr_t)((void **)argument)[1];
    if (lane != n->outer_lane[outer])
        atomic_fetch_add(&n->errors, 1);
    for (int64_t i = begin; i < end; i++)
        atomic_fetch_add(&n->inner[outer * 8 + i], 1);
}

static void outer_job(void *argument, int64_t begin, int64_t end, int lane) {
    nest *n = argument;
    for (int64_t i = begin; i < end; i++) {
        n->outer_lane[i] = lane;
        void *pair[] = {n, (void *)(intptr_t)i};
        tern__team_run(n->team, 8, 3, inner_job, pair);
    }
}

static void a_job_inside_a_job_runs_on_its_thread(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        tern__team *team = new_team(sizes[s]);
        for (int repeat = 0; repeat < 200; repeat++) {
            nest n = {.team = team};
            tern__team_run(team, 8, 1, outer_job, &n);
            for (int i = 0; i < 64; i++)
                assert_int_equal(n.inner[i], 1);
            assert_int_equal(n.errors, 0);
        }
        tern__team_destroy(team);
    }
}

typedef struct caller {
    tern__team *team;
    int64_t runs;
    bool failed;
} caller;

static void count_index(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    for (int64_t i = begin; i < end; i++)
        atomic_fetch_add_explicit((atomic_int *)argument + i, 1, memory_order_relaxed);
}

static void call_often(void *argument) {
    caller *c = argument;
    for (int64_t run = 0; run < c->runs; run++) {
        atomic_int visits[100] = {0};
        tern__team_run(c->team, 100, 7, count_index, visits);
        for (int i = 0; i < 100; i++)
            if (visits[i] != 1)
                c->failed = true;
    }
}

static void several_callers_at_once(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        tern__team *team = new_team(sizes[s]);
        caller callers[4];
        tern__os_thread threads[4];
        for (int i = 0; i < 4; i++) {
            callers[i] = (caller){team, 2000, false};
            assert_int_equal(tern__os()->thread_start(&threads[i], call_often, &callers[i]), 0);
        }
        for (int i = 0; i < 4; i++) {
            tern__os()->thread_join(threads[i]);
            assert_false(callers[i].failed);
        }
        tern__team_destroy(team);
    }
}

/* The processor's mode word with flush-to-zero (and denormals-are-zero) set. */
#if defined(__x86_64__)
static uint64_t mode_get(void) {
    return __builtin_ia32_stmxcsr() & ~0x3fu; /* without the flags of past exceptions */
}
static void mode_set(uint64_t mode) {
    __builtin_ia32_ldmxcsr((unsigned)mode);
}
enum { FLUSHES = 0x8040 };
#elif defined(__aarch64__)
static uint64_t mode_get(void) {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static void mode_set(uint64_t mode) {
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}
enum { FLUSHES = 1 << 24 };
#else
static uint64_t mode_get(void) {
    return 0;
}
static void mode_set(uint64_t mode) {
    (void)mode;
}
enum { FLUSHES = 0 };
#endif

/* Bit 0: denormal results vanish, 1: denormal operands vanish, 2: rounding is not to nearest. */
static unsigned mode_defects(void) {
    volatile float smallest = FLT_MIN, denormal = FLT_MIN / 4, one = 1, small = 0x1p-26f;
    volatile float half = smallest * 0.5f, scaled = denormal * 0x1p20f, up = one + small,
                   down = one - small;
    return (half == 0 ? 1u : 0) | (scaled == 0 ? 2u : 0) | (up != 1 || down != 1 ? 4u : 0);
}

static void note_defects(void *argument, int64_t begin, int64_t end, int lane) {
    (void)begin;
    (void)end;
    (void)lane;
    atomic_fetch_or((atomic_uint *)argument, mode_defects());
    sleep_us(20); /* lets the other threads have pieces too */
}

static void the_callers_float_mode_stays_outside(void **state) {
    (void)state;
    const uint64_t plain = mode_get();
    assert_int_equal(mode_defects(), 0);
    const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (int s = 0; s < SIZES; s++)
        for (size_t r = 0; r < 4; r++) {
            fesetround(roundings[r]);
            uint64_t mode = mode_get() | FLUSHES;
            mode_set(mode);
            unsigned outside = mode_defects();
            tern__team *team = NULL; /* its threads inherit the mode */
            tern_status status = tern__team_create(sizes[s], &team);
            atomic_uint defects = 0;
            if (status == TERN_OK) {
                tern__team_run(team, 1, 1, note_defects, &defects);
                tern__team_run(team, 32, 1, note_defects, &defects);
            }
            uint64_t after = mode_get();
            fesetround(FE_TONEAREST);
            mode_set(plain);
            test_ok(status);
            tern__team_destroy(team);
            assert_int_equal(after, mode);
            assert_int_equal(defects, 0);
            /* The test sees what it sets, where it can set it. */
            if (FLUSHES != 0)
                assert_int_equal(outside, r == 0 ? 3 : 7);
        }
}

static void bad_sizes_are_refused(void **state) {
    (void)state;
    const int bad[] = {0, -1, TERN__TEAM_MAX + 1};
    for (size_t i = 0; i < 3; i++) {
        tern__team *team = (tern__team *)&bad;
        test_status(tern__team_create(bad[i], &team), TERN_E_ARGUMENT);
        assert_null(team);
    }
    tern__team_destroy(NULL);
}

/* Allocation fails, or the thread number `starts_left`. */
static int starts_left, joins, allocations;
static bool allocation_fails;

static int limited_start(tern__os_thread *thread, void (*body)(void *), void *argument) {
    if (starts_left-- == 0)
        return EAGAIN;
    return tern__os_default.thread_start(thread, body, argument);
}

static void counted_join(tern__os_thread thread) {
    joins++;
    tern__os_default.thread_join(thread);
}

static void *counted_alloc(size_t bytes) {
    if (allocation_fails)
        return NULL;
    allocations++;
    return tern__os_default.alloc(bytes);
}

static void counted_free(void *pointer) {
    allocations--;
    tern__os_default.free(pointer);
}

static void failures_of_the_system_leave_nothing(void **state) {
    (void)state;
    tern__os_table table = tern__os_default;
    table.thread_start = limited_start;
    table.thread_join = counted_join;
    table.alloc = counted_alloc;
    table.free = counted_free;
    tern__os_set(&table);
    tern_status statuses[8];
    tern__team *teams[8];
    int joined[8];
    allocations = 0;
    for (int i = 0; i < 8; i++) { /* a team of 8 starts 7: the last try succeeds */
        starts_left = i;
        joins = 0;
        teams[i] = (tern__team *)&table;
        statuses[i] = tern__team_create(8, &teams[i]);
        joined[i] = joins;
        if (i == 7)
            tern__team_destroy(teams[i]);
    }
    allocation_fails = true;
    tern__team *none = (tern__team *)&table;
    tern_status no_memory = tern__team_create(2, &none);
    tern__os_set(NULL);

    for (int i = 0; i < 7; i++) {
        assert_int_equal(statuses[i], TERN_E_LIMIT);
        assert_null(teams[i]);
        assert_int_equal(joined[i], i);
    }
    test_ok(statuses[7]);
    assert_int_equal(joins, 7);
    assert_int_equal(no_memory, TERN_E_MEMORY);
    assert_null(none);
    assert_int_equal(allocations, 0);
}

int main(void) {
    alarm(300); /* a lost wake-up shows as a hang */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_once),
        cmocka_unit_test(counts_up_to_the_largest),
        cmocka_unit_test(no_wake_up_is_lost),
        cmocka_unit_test(no_end_is_lost),
        cmocka_unit_test(a_job_inside_a_job_runs_on_its_thread),
        cmocka_unit_test(several_callers_at_once),
        cmocka_unit_test(the_callers_float_mode_stays_outside),
        cmocka_unit_test(bad_sizes_are_refused),
        cmocka_unit_test(failures_of_the_system_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
