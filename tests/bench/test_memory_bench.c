/* SPDX-License-Identifier: MIT
 * The parts of `tern bench memory`: the trace format and its replay, the workload of target T3 on
 * allocators that count and that err, how rows are judged, planted leaks, and the table as a
 * whole. */
#include "cli/child.h"

#include <math.h>

#include <tern/bench.h>

#include "base/os.h"
#include "bench/memory_bench.h"
#include "bench/memory_calls.h"
#include "bench/memory_churn.h"
#include "bench/memory_trace.h"
#include "bench/operation_calls.h"
#include "bench/table_fixture.h"

/* -- traces ------------------------------------------------------------------------------------*/

/* The bytes that data/traces/README.md describes. */
static void test_trace_bytes(void **state) {
    (void)state;
    unsigned char bytes[64];
    size_t size = 0;
    const tern__trace_event events[] = {
        {.kind = TERN__BLOCK_DATA | TERN__BLOCK_TENSOR, .bytes = 5},
        {.kind = TERN__BLOCK_HEADER, .bytes = 1000},
        {.is_release = true, .newer = 0},
        {.is_release = true, .kind = TERN__BLOCK_TENSOR, .newer = 300},
    };
    const unsigned char expected[] = {
        'T', 'E',  'R',  'N',  'T',  'R',  'C',
        '1', 0x2E, 0xC0, 0x3E, 0x01, 0xB3, 300 >> 5}; /* 0x4B3 = 9<<7|0x33 */
    for (size_t i = 0; i < 4; i++)
        assert_true(tern__trace_append(bytes, sizeof bytes, &size, &events[i]));
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(bytes, expected, size);
}

static void test_trace_round_trip(void **state) {
    (void)state;
    enum { EVENTS = 2000 };
    static unsigned char bytes[EVENTS * 9 + 8];
    tern__trace_event events[EVENTS];
    test_random random = {.seed = 21};
    size_t size = 0;
    for (int i = 0; i < EVENTS; i++) {
        int bits = (int)test_random_range(&random, 0, 59);
        int64_t value = test_random_range(&random, 0, (INT64_C(1) << bits) - 1);
        events[i] = (tern__trace_event){.is_release = test_random_u32(&random) % 2 != 0};
        if (events[i].is_release) {
            events[i].kind = test_random_u32(&random) & TERN__BLOCK_TENSOR;
            events[i].newer = value;
        } else {
            events[i].kind = test_random_u32(&random) & 3;
            events[i].bytes = (size_t)value;
        }
        assert_true(tern__trace_append(bytes, sizeof bytes, &size, &events[i]));
    }
    tern__trace trace = {"random", bytes, size};
    size_t position = 0;
    for (int i = 0; i <= EVENTS; i++) {
        tern__trace_event event;
        bool is_end;
        test_ok(tern__trace_next(&trace, &position, &event, &is_end));
        assert_int_equal(is_end, i == EVENTS);
        if (is_end)
            break;
        if (event.is_release != events[i].is_release || event.kind != events[i].kind ||
            event.bytes != events[i].bytes || event.newer != events[i].newer)
            fail_msg("event %d differs", i);
    }
    assert_int_equal(position, size);
}

static void test_trace_room(void **state) {
    (void)state;
    unsigned char bytes[32];
    memset(bytes, 0x77, sizeof bytes);
    size_t size = 0;
    tern__trace_event one = {.bytes = 1}, two = {.bytes = 100}, huge = {.bytes = (size_t)1 << 60};
    assert_false(tern__trace_append(bytes, 8, &size, &one)); /* the magic fits, the event not */
    assert_int_equal(size, 0);
    assert_true(tern__trace_append(bytes, 9, &size, &one));
    assert_false(tern__trace_append(bytes, 10, &size, &two));
    assert_int_equal(size, 9);
    assert_int_equal(bytes[9], 0x77);
    assert_true(tern__trace_append(bytes, 11, &size, &two));
    assert_false(tern__trace_append(bytes, sizeof bytes, &size, &huge));
    assert_int_equal(size, 11);
}

static void test_trace_malformed(void **state) {
    (void)state;
    const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"", 0},
        {"TERNTRC", 7},
        {"TERNTRC2", 8},
        {"TERNTRC1\x80", 9},                                      /* cut inside a number */
        {"TERNTRC1\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 18}, /* a number too long */
        {"TERNTRC1\x01", 9},                                      /* releases what is not there */
        {"TERNTRC1\x0A\x05", 10},                                 /* the second of one block */
        {"TERNTRC1\x0A", 9},                                      /* leaves a block alive */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern__trace trace = {"bad", (const unsigned char *)rows[i].bytes, rows[i].size};
        tern__trace_peaks peaks;
        tern_status status = tern__trace_replay(&trace, &peaks);
        if (status != TERN_E_FORMAT)
            fail_msg("row %zu: status %d", i, status);
        assert_non_null(strstr(tern_last_error(), "trace bad: "));
    }
}

/* Two blocks; the older one, a tensor with a view's header, goes as a plain block. */
static void test_replay(void **state) {
    (void)state;
    unsigned char bytes[64];
    size_t size = 0;
    const tern__trace_event events[] = {
        {.kind = TERN__BLOCK_DATA | TERN__BLOCK_TENSOR, .bytes = 100000},
        {.kind = TERN__BLOCK_HEADER | TERN__BLOCK_TENSOR, .bytes = 72},
        {.is_release = true, .kind = TERN__BLOCK_HEADER, .newer = 1},
        {.kind = TERN__BLOCK_DATA, .bytes = 50000},
        {.is_release = true, .newer = 0},
        {.is_release = true, .kind = TERN__BLOCK_TENSOR, .newer = 0},
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        assert_true(tern__trace_append(bytes, sizeof bytes, &size, &events[i]));
    tern__trace trace = {"two", bytes, size};
    tern__trace_peaks peaks;
    test_ok(tern__trace_replay(&trace, &peaks));
    assert_int_equal(peaks.events, 6);
    assert_int_equal(peaks.peak_live, 100072);
    assert_true(peaks.peak_committed >= peaks.peak_live);
    assert_true(peaks.peak_committed < 8 * peaks.peak_live);
}

static void *no_memory(size_t bytes) {
    (void)bytes;
    return NULL;
}

static void test_replay_without_memory(void **state) {
    (void)state;
    tern__os_table os = *tern__os();
    tern__trace_peaks peaks;
    os.alloc = no_memory;
    tern__os_set(&os);
    tern_status status = tern__trace_replay(&tern__traces[0], &peaks);
    tern__os_set(NULL);
    test_status(status, TERN_E_MEMORY);
    os = *tern__os();
    os.pages_map = no_memory;
    tern__os_set(&os);
    status = tern__trace_replay(&tern__traces[0], &peaks);
    tern__os_set(NULL);
    test_status(status, TERN_E_MEMORY);
}

static void test_recorded_traces(void **state) {
    (void)state;
    const char *const names[] = {"decode", "prompt", "ops"};
    for (int i = 0; i < 3; i++) {
        const tern__trace *trace = &tern__traces[i];
        assert_string_equal(trace->name, names[i]);
        char path[512], name[64];
        size_t size;
        snprintf(name, sizeof name, "data/traces/%s.trace", names[i]);
        char *file = test_read_file(test_path(name, path, sizeof path), &size);
        assert_int_equal(trace->size, size);
        assert_memory_equal(trace->bytes, file, size);
        free(file);
        assert_true(size <= TERN__TRACE_MAX_BYTES);
        tern__trace_peaks peaks;
        test_ok(tern__trace_replay(trace, &peaks));
        assert_true(peaks.events > 300);
        assert_true(peaks.peak_live > 500000);
        assert_true(peaks.peak_committed >= peaks.peak_live);
    }
    assert_null(tern__traces[3].name);
}

/* -- the workload ------------------------------------------------------------------------------*/

static size_t plan_bytes(const tern__churn_plan *plan, int shape) {
    size_t bytes = 4;
    for (int i = 0; i < plan->shape[shape].rank; i++)
        bytes *= (size_t)plan->shape[shape].dims[i];
    return bytes;
}

static void test_plan_shapes(void **state) {
    (void)state;
    tern__churn_plan *plan;
    int octaves[16] = {0}, ranks[5] = {0};
    test_ok(tern__churn_plan_create(1, 100, 1, &plan));
    for (int i = 0; i < TERN__CHURN_SHAPES; i++) {
        size_t bytes = plan->bytes[i];
        assert_int_equal(bytes, plan_bytes(plan, i));
        assert_in_range(bytes, TERN__CHURN_SMALLEST, TERN__CHURN_LARGEST);
        assert_in_range(plan->shape[i].rank, 1, 4);
        ranks[plan->shape[i].rank]++;
        int octave = 0;
        while (octave < 15 && bytes >= (size_t)32 << octave)
            octave++;
        octaves[octave]++;
    }
    /* 256 draws, 64 for each four octaves and for each rank: 5 standard deviations. */
    for (int i = 0; i < 16; i += 4)
        assert_in_range(octaves[i] + octaves[i + 1] + octaves[i + 2] + octaves[i + 3], 29, 99);
    for (int i = 1; i < 5; i++)
        assert_in_range(ranks[i], 29, 99);
    tern__churn_plan_destroy(plan);
}

static void test_plan_places(void **state) {
    (void)state;
    enum { LIVE = 1000, BATCHES = 2000 };
    tern__churn_plan *plan, *again, *other;
    test_ok(tern__churn_plan_create(5, LIVE, BATCHES, &plan));
    test_ok(tern__churn_plan_create(5, LIVE, BATCHES, &again));
    test_ok(tern__churn_plan_create(6, LIVE, BATCHES, &other));
    int drawn[LIVE] = {0};
    int64_t shapes[2] = {0};
    for (int b = 0; b < BATCHES; b++) {
        bool seen[LIVE] = {false};
        for (int i = 0; i < TERN__CHURN_BATCH; i++) {
            int place = plan->places[b * TERN__CHURN_BATCH + i];
            assert_true(place < LIVE && !seen[place]);
            seen[place] = true;
            drawn[place]++;
            int shape = plan->shapes[b * TERN__CHURN_BATCH + i];
            assert_true(shape < TERN__CHURN_SHAPES);
            shapes[shape < TERN__CHURN_SHAPES / 2]++;
        }
    }
    /* 128 a place, 11 standard deviation. */
    for (int i = 0; i < LIVE; i++)
        assert_in_range(drawn[i], 128 - 60, 128 + 60);
    int64_t half = (int64_t)BATCHES * TERN__CHURN_BATCH / 2;
    assert_true(llabs(shapes[0] - half) < half / 50);
    size_t bytes = (size_t)BATCHES * TERN__CHURN_BATCH * sizeof *plan->places;
    assert_memory_equal(plan->places, again->places, bytes);
    assert_memory_equal(plan->shapes, again->shapes, bytes);
    assert_true(memcmp(plan->places, other->places, bytes) != 0);
    tern__churn_plan_destroy(plan);
    tern__churn_plan_destroy(again);
    tern__churn_plan_destroy(other);
    tern__churn_plan_destroy(NULL);
}

/* An allocator that counts, can run dry, and can hand out one block twice. */
static struct counting {
    int64_t allocations, releases, left; /* left < 0: for ever */
    size_t bytes;
    void *twice;
    bool hands_out_twice;
} counting;

static void *counting_allocate(size_t bytes) {
    if (counting.left == 0)
        return NULL;
    counting.left--;
    counting.allocations++;
    counting.bytes += bytes;
    if (counting.hands_out_twice && counting.allocations % 50 == 0 && counting.twice != NULL)
        return counting.twice;
    void *block = malloc(counting.hands_out_twice ? TERN__CHURN_LARGEST : bytes);
    counting.twice = block;
    return block;
}

static void counting_release(void *block) {
    counting.releases += block != NULL;
    if (!counting.hands_out_twice)
        free(block);
}

static const tern__peer counting_peer = {
    .name = "counting", .allocate = counting_allocate, .release = counting_release};
static const tern__churn_side counting_side = {.name = "counting", .peer = &counting_peer};

enum { SMALL_LIVE = 200, SMALL_BATCHES = 30 };

static tern__churn_plan *small_plan(void) {
    tern__churn_plan *plan;
    counting = (struct counting){.left = -1};
    test_ok(tern__churn_plan_create(2, SMALL_LIVE, SMALL_BATCHES, &plan));
    return plan;
}

static void test_churn_counts(void **state) {
    (void)state;
    tern__churn_plan *plan = small_plan();
    tern__churn churn;
    uint64_t stamps[SMALL_BATCHES + 11] = {0};
    size_t expected = 0;
    test_ok(tern__churn_open(plan, &counting_side, &churn));
    assert_int_equal(counting.allocations, SMALL_LIVE);
    test_ok(tern__churn_check(&churn));
    for (int i = 0; i < SMALL_LIVE; i++)
        expected += plan->bytes[i];
    test_ok(tern__churn_run(&churn, SMALL_BATCHES + 10, stamps)); /* round the plan's end */
    for (int b = 0; b < SMALL_BATCHES + 10; b++) {
        assert_true(stamps[b] > 0 && stamps[b] <= stamps[b + 1]);
        for (int i = 0; i < TERN__CHURN_BATCH; i++)
            expected += plan->bytes[plan->shapes[b % SMALL_BATCHES * TERN__CHURN_BATCH + i]];
    }
    int64_t changed = (SMALL_BATCHES + 10) * TERN__CHURN_BATCH;
    assert_int_equal(counting.allocations, SMALL_LIVE + changed);
    assert_int_equal(counting.releases, changed);
    assert_int_equal(counting.bytes, expected);
    test_ok(tern__churn_close(&churn));
    assert_int_equal(counting.releases, SMALL_LIVE + changed);
    test_ok(tern__churn_close(&churn)); /* closed already */
    tern__churn_plan_destroy(plan);
}

static void test_churn_overlap(void **state) {
    (void)state;
    tern__churn_plan *plan = small_plan();
    tern__churn churn;
    counting.hands_out_twice = true;
    test_ok(tern__churn_open(plan, &counting_side, &churn));
    test_status(tern__churn_check(&churn), TERN_E_INTERNAL);
    void *blocks[SMALL_LIVE];
    memcpy(blocks, churn.live, sizeof blocks);
    test_ok(tern__churn_close(&churn));
    for (int i = 0; i < SMALL_LIVE; i++) {
        for (int j = 0; j < i; j++)
            if (blocks[j] == blocks[i])
                blocks[i] = NULL;
        free(blocks[i]);
    }
    tern__churn_plan_destroy(plan);
}

/* As much as is left: maps are counted. */
static int64_t maps_left;
static void *map_some(size_t bytes) {
    return maps_left-- > 0 ? tern__os_default.pages_map(bytes) : NULL;
}

static void test_churn_short_of_memory(void **state) {
    (void)state;
    tern__churn_plan *plan = small_plan();
    tern__churn churn;
    uint64_t stamps[4];
    counting.left = SMALL_LIVE - 1;
    test_status(tern__churn_open(plan, &counting_side, &churn), TERN_E_MEMORY);
    assert_int_equal(counting.releases, SMALL_LIVE - 1);

    counting = (struct counting){.left = SMALL_LIVE + TERN__CHURN_BATCH + 5};
    test_ok(tern__churn_open(plan, &counting_side, &churn));
    test_status(tern__churn_run(&churn, 3, stamps), TERN_E_MEMORY);
    test_ok(tern__churn_close(&churn));
    assert_int_equal(counting.releases, counting.allocations);

    counting = (struct counting){.left = -1};
    tern__os_table os = *tern__os();
    os.alloc = no_memory;
    tern__os_set(&os);
    tern_status opened = tern__churn_open(plan, &counting_side, &churn);
    tern__churn_plan *other;
    tern_status planned = tern__churn_plan_create(2, SMALL_LIVE, 1, &other);
    tern__os_set(NULL);
    test_status(opened, TERN_E_MEMORY);
    test_status(planned, TERN_E_MEMORY);
    assert_null(other);

    static const tern__churn_side tensors = {.name = "tern"};
    os = *tern__os();
    os.pages_map = map_some;
    tern__os_set(&os);
    tern_context *context;
    maps_left = INT64_MAX;
    tern_status created = tern_context_create(&(tern_options){.threads = 1}, &context);
    tern_context_destroy(context);
    maps_left = INT64_MAX - maps_left; /* enough for a context, and not for tensors */
    opened = tern__churn_open(plan, &tensors, &churn);
    tern__os_set(NULL);
    test_ok(created);
    test_status(opened, TERN_E_MEMORY);
    assert_null(churn.live);
    tern__churn_plan_destroy(plan);
}

static void test_churn_of_tensors(void **state) {
    (void)state;
    tern__churn_plan *plan = small_plan();
    tern__churn churn;
    uint64_t stamps[SMALL_BATCHES + 1];
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_SITES; level++) {
        tern__churn_side side = {.name = "tern", .tracking = (tern_tracking)level};
        test_ok(tern__churn_open(plan, &side, &churn));
        test_ok(tern__churn_check(&churn));
        assert_int_equal(tern_context_memory(churn.context).live_tensors, SMALL_LIVE);
        test_ok(tern__churn_run(&churn, SMALL_BATCHES, stamps));
        assert_int_equal(tern_context_memory(churn.context).live_tensors, SMALL_LIVE);
        for (int i = 0; i < TERN__CHURN_BATCH; i++) {
            int64_t last = (SMALL_BATCHES - 1) * TERN__CHURN_BATCH + i;
            tern_tensor *tensor = churn.live[plan->places[last]];
            assert_int_equal(tern_tensor_bytes(tensor), plan->bytes[plan->shapes[last]]);
        }
        /* Taken by hand, as the two threads do it. */
        void *taken[TERN__CHURN_BATCH];
        tern__churn_take(&churn, taken);
        test_ok(tern__churn_refill(&churn));
        assert_int_equal(tern_context_memory(churn.context).live_tensors,
                         SMALL_LIVE + TERN__CHURN_BATCH);
        tern__churn_release(&side, taken);
        assert_int_equal(tern_context_memory(churn.context).live_tensors, SMALL_LIVE);
        /* One that is not in the set any more is noticed. */
        tern_tensor *lost = churn.live[3];
        churn.live[3] = NULL;
        test_status(tern__churn_close(&churn), TERN_E_INTERNAL);
        tern_tensor_release(lost);
    }
    tern__churn_plan_destroy(plan);
}

/* -- rows --------------------------------------------------------------------------------------*/

static int rows_shown;
static tern_bench_row last_row;
static void keep_row(void *user, const tern_bench_row *row) {
    assert_ptr_equal(user, &rows_shown);
    rows_shown++;
    last_row = *row;
}

static void test_judge(void **state) {
    (void)state;
    const struct {
        double median, p99, floor, goal, goal_p99;
        bool is_least;
        tern_bench_verdict verdict;
        bool is_goal_met;
    } rows[] = {
        {NAN, NAN, 100, 20, NAN, false, TERN_BENCH_NOT_MEASURED, false},
        {50, 70, 100, 20, NAN, false, TERN_BENCH_PASS, false},
        {20, 70, 100, 20, NAN, false, TERN_BENCH_PASS, true},
        {20, 70, 100, 20, 60, false, TERN_BENCH_PASS, false},
        {20, 60, 100, 20, 60, false, TERN_BENCH_PASS, true},
        {101, 110, 100, NAN, NAN, false, TERN_BENCH_FAIL, false},
        {100, 110, 100, NAN, NAN, false, TERN_BENCH_PASS, false},
        {5, NAN, NAN, 6, NAN, false, TERN_BENCH_NO_TARGET, true},
        {7, NAN, NAN, 6, NAN, false, TERN_BENCH_NO_TARGET, false},
        {7, NAN, NAN, NAN, NAN, false, TERN_BENCH_NO_TARGET, false},
        {99, NAN, 100, 100, NAN, true, TERN_BENCH_FAIL, false},
        {100, NAN, 100, 100, NAN, true, TERN_BENCH_PASS, true},
        {0, NAN, 0, 0, NAN, false, TERN_BENCH_PASS, true},
        {1, NAN, 0, 0, NAN, false, TERN_BENCH_FAIL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_bench_row row = tern__row("T0", "a row", "ns");
        row.median = rows[i].median;
        row.p99 = rows[i].p99;
        row.floor = rows[i].floor;
        row.goal = rows[i].goal;
        row.goal_p99 = rows[i].goal_p99;
        row.is_least = rows[i].is_least;
        tern__row_judge(&row);
        if (row.verdict != rows[i].verdict || row.is_goal_met != rows[i].is_goal_met)
            fail_msg("row %zu: %s, goal %d", i, tern_bench_verdict_name(row.verdict),
                     row.is_goal_met);
    }
    assert_string_equal(tern_bench_verdict_name(TERN_BENCH_PASS), "PASS");
    assert_string_equal(tern_bench_verdict_name(TERN_BENCH_NOT_MEASURED), "NOT MEASURED");
    assert_string_equal(tern_bench_verdict_name((tern_bench_verdict)9), "?");
}

static void test_row_samples(void **state) {
    (void)state;
    double samples[101];
    for (int i = 0; i < 101; i++)
        samples[i] = (double)(i * 37 % 101);
    tern_bench_row row = tern__row("T0", "a row", "ns");
    tern__row_samples(&row, samples, 101);
    assert_int_equal(row.samples, 101);
    assert_true(row.median == 50 && row.p5 == 5 && row.p95 == 95 && row.p99 == 99);
    for (int i = 0; i < 6; i++)
        tern__row_peer(&row, "x", i, NAN);
    assert_int_equal(row.peer_count, TERN_BENCH_PEERS);
}

static void test_row_failed(void **state) {
    (void)state;
    tern__memory_bench bench = {.table = {.visit = keep_row, .user = &rows_shown}};
    tern_bench_row row = tern__row("T0", "a row", "ns");
    row.floor = 1;
    row.median = 0.5;
    rows_shown = 0;
    tern__churn_plan *plan;
    tern__os_table os = *tern__os();
    os.alloc = no_memory;
    tern__os_set(&os);
    tern_status status = tern__churn_plan_create(1, 100, 1, &plan);
    tern__os_set(NULL);
    test_ok(tern__row_failed(&bench.table, &row, status));
    assert_int_equal(rows_shown, 1);
    assert_int_equal(last_row.verdict, TERN_BENCH_NOT_MEASURED);
    assert_true(isnan(last_row.median));
    assert_non_null(strstr(last_row.detail, "no memory for a plan"));
    test_ok(tern__row_failed(&bench.table, &row, TERN_E_LIMIT));
    test_status(tern__row_failed(&bench.table, &row, TERN_E_INTERNAL), TERN_E_INTERNAL);
    assert_int_equal(rows_shown, 2);
}

/* -- three sides in the harness ----------------------------------------------------------------*/

static char sides_order[64];
static tern_status sides_run(void *state, int side, int64_t calls) {
    uint64_t *clock = state;
    size_t length = strlen(sides_order);
    if (length + 1 < sizeof sides_order)
        sides_order[length] = (char)('A' + side);
    *clock += (uint64_t)(side + 1) * 1000 * (uint64_t)calls;
    return TERN_OK;
}

static uint64_t sides_clock_ns;
static uint64_t sides_clock(void) {
    return sides_clock_ns;
}

static tern_status sides_setup(const tern_bench_case *self, const tern_bench_options *options,
                               void **state, double *work) {
    (void)self, (void)options;
    *state = &sides_clock_ns;
    *work = 1;
    return TERN_OK;
}

static void sides_teardown(void *state) {
    (void)state;
}

static void test_many_sides(void **state) {
    (void)state;
    tern_bench_case bench = {.name = "sides",
                             .summary = "advances a clock",
                             .unit = "call",
                             .side = {"a", "b", "c", "d"},
                             .setup = sides_setup,
                             .run = sides_run,
                             .teardown = sides_teardown};
    tern__os_table os = *tern__os();
    os.clock_ns = sides_clock;
    tern_bench_result result;
    tern_bench_options options = {.samples = 4, .sample_seconds = 1e-6};
    for (int sides = 4; sides >= 3; sides--) {
        bench.side[3] = sides == 4 ? "d" : NULL;
        memset(sides_order, 0, sizeof sides_order);
        tern__os_set(&os);
        tern_status status = tern_bench_run(&bench, &options, &result);
        tern__os_set(NULL);
        test_ok(status);
        assert_int_equal(result.sides, sides);
        for (int i = 0; i < sides; i++)
            assert_true(fabs(result.side[i].median - 1e-6 * (i + 1)) < 1e-12);
        assert_true(result.ratio == 0 && result.ratio_low == 0);
        const char *expected = sides == 4 ? "ABCDBCDACDABDABC" : "ABCBCACABABC";
        assert_string_equal(sides_order + strlen(sides_order) - strlen(expected), expected);
    }
}

/* -- calls that make tensors -------------------------------------------------------------------*/

static void test_op_mix(void **state) {
    (void)state;
    tern_context *context;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    test_ok(tern__op_mix(context, 8, TEST_IS_SANITIZED ? 3 : 12));
    tern_memory_stats stats = tern_context_memory(context);
    assert_int_equal(stats.live_tensors, 0);
    assert_int_equal(stats.live_bytes, 0);
    assert_true(stats.peak_tensors >= tern__creating_call_count() - 8);
    tern_context_destroy(context);

    test_ok(tern_context_create(&(tern_options){.threads = 1, .max_bytes = 100000}, &context));
    test_status(tern__op_mix(context, 8, 50), TERN_E_LIMIT);
    assert_int_equal(tern_context_memory(context).live_tensors, 0);
    tern_context_destroy(context);
}

static void test_planted_leaks(void **state) {
    (void)state;
    tern__leaks leaks;
    test_ok(tern__plant_leaks(NULL, &leaks));
    /* All of them; but copy makes nothing, and some need a library or a unit. */
    int places = tern__creating_call_count() + tern__op_caller_count();
    assert_in_range(leaks.planted, places - 18, places - 1);
    assert_int_equal(leaks.found, leaks.planted);
    assert_int_equal(leaks.wrong, 0);
    test_status(tern__plant_leaks("no such level", &leaks), TERN_E_ARGUMENT);
    assert_int_equal(leaks.planted, 0);
}

static bool is_planted(const char *name) {
    static const char tensor[] = "tern_tensor_", any[] = "tern_";
    for (int i = 0; i < tern__creating_call_count(); i++)
        if (strcmp(tern__creating_calls[i].name, name) == 0)
            return true;
    size_t prefix = strncmp(name, tensor, sizeof tensor - 1) == 0 ? sizeof tensor : sizeof any;
    return tern__op_caller_find(name + prefix - 1) != NULL;
}

/* Every call of tensor.h and ops.h that makes a tensor is planted: <tern/sites.h> lists them. */
static void test_calls_are_complete(void **state) {
    (void)state;
    static const char *const parts[] = {"#if defined(TERN_SITES_TENSOR)",
                                        "#if defined(TERN_SITES_OPS)"};
    char path[512];
    char *text = test_read_file(test_path("include/tern/sites.h", path, sizeof path), NULL);
    int count = 0;
    for (int part = 0; part < 2; part++) {
        char *begin = strstr(text, parts[part]);
        assert_non_null(begin);
        const char *end = strstr(strstr(begin, "/* These make tensors. */") + 2, "/* This ");
        const char *other = strstr(begin, "/* These release");
        if (end == NULL || (other != NULL && other < end))
            end = other;
        assert_non_null(end);
        for (char *line = begin; (line = strstr(line, "#define ")) != NULL && line < end; line++) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(line + 8, "("), line + 8);
            if (!is_planted(name))
                fail_msg("%s is not planted", name);
            count++;
        }
    }
    assert_true(count > 150);
    free(text);
}

/* -- the table ---------------------------------------------------------------------------------*/

static void check_row(const tern_bench_row *row) {
    bool is_speed = strcmp(row->id, "T3") == 0;
    assert_true(strlen(row->what) <= 45);
    if (strncmp(row->id, "T5a", 3) == 0) { /* a tiny model is not what the target is about */
        assert_int_equal(row->verdict, TERN_BENCH_NOT_MEASURED);
        assert_non_null(strstr(row->detail, "%, not judged"));
        return;
    }
    bool is_doubtful = strstr(row->detail, " is no verdict") != NULL;
    if (row->verdict == TERN_BENCH_NOT_MEASURED && !is_doubtful)
        fail_msg("%s %s: %s", row->id, row->what, row->detail);
    assert_true(is_speed ? row->median > 0 : row->median >= 0);
    if (is_speed)
        assert_true(row->samples >= 1 && row->p5 <= row->median && row->median <= row->p95 &&
                    row->low <= row->median && row->median <= row->high);
    if (is_speed && strstr(row->what, "sites") == NULL)
        assert_int_equal(row->peer_count, TERN__PEERS);
    for (int i = 0; i < row->peer_count; i++)
        assert_true((row->peer[i].reason == NULL) == (row->peer[i].median > 0));
    /* What does not depend on how fast or busy the machine is. */
    if (strcmp(row->id, "T5d") == 0 || strcmp(row->id, "T5e") == 0)
        if (row->verdict != TERN_BENCH_PASS || !row->is_goal_met)
            fail_msg("%s %s: %s", row->id, row->what, row->detail);
    if (strcmp(row->id, "T5b") == 0)
        assert_true(row->median > 16 && row->median < 4096);
    if (strcmp(row->id, "T5c") == 0)
        assert_true(row->median >= 1 && row->median < 100);
}

static void test_table(void **state) {
    (void)state;
    static table t;
    tern_bench_table_options options = {.threads = 2, .samples = 1, .is_quick = true};
    test_ok(tern_bench_memory(&options, collect, &t));
    const char *const ids[] = {"T3", "T5a", "T5b", "T5c", "T5d", "T5e"};
    const int counts[] = {12, 1, 2, 4, 2, 2};
    for (size_t k = 0; k < sizeof ids / sizeof *ids; k++) {
        int count = 0;
        for (int i = 0; i < t.count; i++)
            count += strcmp(t.rows[i].id, ids[k]) == 0;
        if (count != counts[k])
            fail_msg("%s has %d rows", ids[k], count);
    }
    for (int i = 0; i < t.count; i++)
        check_row(&t.rows[i]);
}

/* -- parts of the table on machines that are short of something --------------------------------*/

static tern__memory_bench part_of_table(table *t) {
    memset(t, 0, sizeof *t);
    return (tern__memory_bench){.table = {.options = {.threads = 2, .samples = 3, .is_quick = true},
                                          .visit = collect,
                                          .user = t},
                                .peers = {{.name = "glibc", .why = "not here"},
                                          {.name = "jemalloc", .why = "not here"},
                                          {.name = "mimalloc", .why = "not here"}}};
}

static void test_parts_without_memory(void **state) {
    (void)state;
    static table t;
    tern__memory_bench bench = part_of_table(&t);
    tern__os_table os = *tern__os();
    os.pages_map = no_memory;
    tern__os_set(&os);
    tern_status sizes = tern__memory_sizes(&bench), speed = tern__memory_speed(&bench);
    tern_status space = tern__memory_space(&bench), safety = tern__memory_safety(&bench);
    tern__os_set(NULL);
    test_ok(sizes);
    test_ok(speed);
    test_ok(space);
    test_ok(safety);
    assert_int_equal(t.count, 8 + 4 + 1 + 2 + 4 + 2 + 2);
    for (int i = 0; i < t.count - 1; i++) {
        const tern_bench_row *row = &t.rows[i];
        if (row->verdict != TERN_BENCH_NOT_MEASURED || strstr(row->detail, "memory") == NULL)
            fail_msg("%s %s: %s", row->id, row->what, row->detail);
    }
    /* Below its limit a pool refuses nothing, whatever the reason. */
    assert_int_equal(t.rows[t.count - 1].verdict, TERN_BENCH_FAIL);
    assert_true(t.rows[t.count - 1].median < 50);
}

/* A system that refuses large ranges to the pool and then has them after all. */
static int range_calls, range_tries;
static void *moody_map(size_t bytes) {
    if (bytes >= (size_t)256 << 20 && range_calls++ % (range_tries + 1) < range_tries)
        return NULL;
    return tern__os_default.pages_map(bytes);
}

static void test_refused_though_left(void **state) {
    (void)state;
    static table t;
    tern__memory_bench bench = part_of_table(&t);
    tern__os_table os = *tern__os();
    os.pages_map = moody_map;
    tern__os_set(&os);
    range_calls = 0;
    range_tries = INT32_MAX - 1;
    tern_context *context;
    tern_tensor *tensor;
    tern_status created = tern_context_create(&(tern_options){.threads = 1}, &context);
    tern_status refused =
        tern_tensor_empty(context, TERN_U8, TERN_SHAPE(INT64_C(512) << 20), &tensor);
    tern_context_destroy(context);
    range_tries = range_calls; /* how often the pool asks before it gives up */
    range_calls = 0;
    tern_status safety = tern__memory_safety(&bench);
    tern__os_set(NULL);
    test_ok(created);
    assert_int_equal(refused, TERN_E_MEMORY);
    test_ok(safety);
    const tern_bench_row *row = &t.rows[t.count - 2];
    assert_string_equal(row->id, "T5e");
    assert_int_equal(row->verdict, TERN_BENCH_FAIL);
    assert_true(row->median > 50 && row->median < 100);
}

/* Allocators of known speed: one at once, one after a while. */
enum { RING_BLOCKS = 64 };
static void *ring_blocks[RING_BLOCKS];
static unsigned ring_next;

static void *fast_allocate(size_t bytes) {
    (void)bytes;
    return ring_blocks[ring_next++ % RING_BLOCKS];
}

static void *slow_allocate(size_t bytes) {
    for (volatile int i = 0; i < 20000; i++)
        ;
    return fast_allocate(bytes);
}

static void no_release(void *block) {
    (void)block;
}

/* A histogram holds all batches, a course goes on to the last token. */
static void check_series(void *user, const tern_bench_row *row) {
    int *shown = user;
    for (int i = 0; i < row->series_count; i++) {
        const tern_bench_series *series = &row->series[i];
        double sum = 0;
        for (int64_t k = 0; k < series->count; k++) {
            assert_true(k == 0 || series->x[k] > series->x[k - 1]);
            assert_true(series->y[k] >= 0);
            sum += series->y[k];
        }
        if (strcmp(row->id, "T3") == 0) {
            assert_string_equal(series->x_unit, "ns");
            assert_true(fabs(sum - 100) < 1e-6);
            shown[0]++;
        } else {
            assert_string_equal(series->y_unit, "MiB");
            assert_true(series->x[0] == 0 && series->x[series->count - 1] == 100);
            assert_true(series->y[series->count - 1] > 0);
            shown[1]++;
        }
    }
    if (strcmp(row->what, "created and released, owner thread") == 0) {
        int here = 1;
        for (int i = 0; i < row->peer_count; i++)
            here += row->peer[i].reason == NULL;
        assert_int_equal(row->series_count, here);
        assert_string_equal(row->series[0].name, "tern");
    }
}

static void test_series(void **state) {
    (void)state;
    int shown[2] = {0};
    tern_bench_table_options options = {
        .threads = 1, .samples = 1, .is_quick = true, .only = "T3,T5a"};
    test_ok(tern_bench_memory(&options, check_series, shown));
    assert_true(shown[0] >= 3);
    assert_int_equal(shown[1], 3);
}

static void test_peers_of_sizes(void **state) {
    (void)state;
    static table t;
    tern__memory_bench bench = part_of_table(&t);
    for (int i = 0; i < RING_BLOCKS; i++)
        ring_blocks[i] = malloc(1 << 20);
    bench.peers[TERN__PEER_GLIBC] =
        (tern__peer){.name = "glibc", .allocate = slow_allocate, .release = no_release};
    bench.peers[TERN__PEER_MIMALLOC] =
        (tern__peer){.name = "mimalloc", .allocate = fast_allocate, .release = no_release};
    test_ok(tern__memory_sizes(&bench));
    for (int i = 0; i < RING_BLOCKS; i++)
        free(ring_blocks[i]);
    assert_int_equal(t.count, 8);
    for (int i = 0; i < t.count; i++) {
        const tern_bench_row *row = &t.rows[i];
        assert_int_equal(row->peer_count, 3);
        assert_string_equal(row->peer[1].reason, "not here");
        assert_true(row->peer[0].median > row->peer[2].median);
        assert_true(row->peer[0].median > 1000);
        bool is_large = strstr(row->what, "64 KiB") != NULL, is_largest = strstr(row->what, "MiB");
        if (is_large) /* faster than glibc and jemalloc, which is not here */
            assert_true(row->goal == row->peer[0].median);
        if (is_largest) /* than all */
            assert_true(row->goal == row->peer[2].median);
        assert_int_equal(!is_large && !is_largest, isnan(row->goal));
        assert_int_equal(row->verdict, TERN_BENCH_NO_TARGET);
        assert_int_equal(is_large || is_largest, strstr(row->detail, "without jemalloc") != NULL);
    }
}

/* One that hands the same block out twice ends the measurement. */
static void *same_allocate(size_t bytes) {
    (void)bytes;
    return ring_blocks[0];
}

static void test_wrong_peer(void **state) {
    (void)state;
    static table t;
    tern__memory_bench bench = part_of_table(&t);
    ring_blocks[0] = malloc(1 << 20);
    bench.peers[TERN__PEER_JEMALLOC] =
        (tern__peer){.name = "jemalloc", .allocate = same_allocate, .release = no_release};
    test_status(tern__memory_sizes(&bench), TERN_E_INTERNAL);
    test_status(tern__memory_speed(&bench), TERN_E_INTERNAL);
    assert_non_null(strstr(tern_last_error(), "jemalloc: byte "));
    free(ring_blocks[0]);
    assert_int_equal(t.count, 0);
}

static void test_table_arguments(void **state) {
    (void)state;
    const tern_bench_table_options bad[] = {
        {.threads = -1}, {.threads = 1025}, {.samples = -1}, {.samples = 100001}, {.cpu = "z80"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        test_status(tern_bench_memory(&bad[i], keep_row, &rows_shown), TERN_E_ARGUMENT);
    test_status(tern_bench_memory(NULL, NULL, NULL), TERN_E_ARGUMENT);
    const char *tunable = tern_bench_memory_tunable();
    assert_true(tunable == NULL || strncmp(tunable, "glibc.rtld.", 11) == 0);
}

/* An allocator that is not installed is named, with the reason. */
static void test_peers(void **state) {
    (void)state;
    tern__peer peers[TERN__PEERS];
    tern__peers_find(peers, NULL);
    for (int i = 0; i < TERN__PEERS; i++) {
        assert_true((peers[i].allocate == NULL) == (peers[i].why[0] != '\0'));
        if (peers[i].allocate == NULL)
            continue;
        char *block = peers[i].allocate(100000);
        assert_non_null(block);
        memset(block, 7, 100000);
        peers[i].release(block);
    }
    assert_string_equal(peers[TERN__PEER_JEMALLOC].name, "jemalloc");
    const tern_bench_peer_path paths[] = {{"mimalloc", "/nonexistent.so"}, {"openblas", "x.so"}};
    tern_bench_table_options options = {.peers = paths, .peer_count = 2};
    tern__peer given[TERN__PEERS];
    tern__peers_find(given, &options);
    assert_null(given[TERN__PEER_MIMALLOC].allocate);
    assert_non_null(strstr(given[TERN__PEER_MIMALLOC].why, "/nonexistent.so"));
    assert_true(given[TERN__PEER_GLIBC].allocate == peers[TERN__PEER_GLIBC].allocate);
}

static void test_command(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("the table runs in test_table: not once more under the thread sanitizer");
    child_result r = child_run("bench", "memory", "--quick", "-r", "1", "-t", "2");
    child_expect(&r, r.status == 0 && strncmp(r.out, "id   what ", 10) == 0);
    child_expect(&r, strstr(r.out, "\nT3   64 KiB touched ") != NULL);
    child_expect(&r, strstr(r.out, "\n       glibc ") != NULL);
    child_expect(&r, strstr(r.out, "\nT3   2 threads, 2 contexts ") != NULL);
    child_expect(&r, strstr(r.out, "\nT5e  1 B to 1 ") != NULL);
    child_expect(&r, strstr(r.out, ">= 100") != NULL);
    child_expect(&r, strstr(r.out, " NOT MEASURED\n") != NULL); /* T5a */
    child_expect(&r, strstr(r.out, "static TLS") == NULL);      /* it has started anew */
    child_free(&r);
    r = child_run("bench", "memory", "--quick", "-r", "1", "-t", "1", "--json");
    child_expect(&r, r.status == 0 && strncmp(r.out, "[\n{\"target\": \"T3\", ", 19) == 0);
    child_expect(&r, strcmp(r.out + r.out_bytes - 5, "]}\n]\n") == 0);
    child_expect(&r, strstr(r.out + 1, "[\n") == NULL && strstr(r.out, "}\n{") == NULL);
    child_expect(&r, strstr(r.out, "nan") == NULL && strstr(r.out, "\"median\": null") != NULL);
    child_free(&r);
}

static void test_command_misuse(void **state) {
    (void)state;
    child_result r = child_run("bench", "memory", "-t", "1,2");
    child_expect(&r, r.status == 2 && strstr(r.err, "one number of threads") != NULL);
    child_free(&r);
    r = child_run("bench", "memory", "team_run");
    child_expect(&r, r.status == 2 && strstr(r.err, "give either") != NULL);
    child_free(&r);
    r = child_run("bench", "team_run", "--quick");
    child_expect(&r, r.status == 2 &&
                         strstr(r.err, "--quick, --vs and --only are for tables only") != NULL);
    child_free(&r);
    r = child_run("bench", "memoryy");
    child_expect(&r, r.status == 1 && strstr(r.err, "did you mean 'memory'?") != NULL);
    child_free(&r);
    r = child_run("bench", "--list");
    child_expect(&r, r.status == 0 && strstr(r.out, "\nmemory ") != NULL);
    child_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace_bytes),
        cmocka_unit_test(test_trace_round_trip),
        cmocka_unit_test(test_trace_room),
        cmocka_unit_test(test_trace_malformed),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_replay_without_memory),
        cmocka_unit_test(test_recorded_traces),
        cmocka_unit_test(test_plan_shapes),
        cmocka_unit_test(test_plan_places),
        cmocka_unit_test(test_churn_counts),
        cmocka_unit_test(test_churn_overlap),
        cmocka_unit_test(test_churn_short_of_memory),
        cmocka_unit_test(test_churn_of_tensors),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_row_samples),
        cmocka_unit_test(test_row_failed),
        cmocka_unit_test(test_many_sides),
        cmocka_unit_test(test_op_mix),
        cmocka_unit_test(test_planted_leaks),
        cmocka_unit_test(test_calls_are_complete),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_parts_without_memory),
        cmocka_unit_test(test_refused_though_left),
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_peers_of_sizes),
        cmocka_unit_test(test_wrong_peer),
        cmocka_unit_test(test_table_arguments),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_command_misuse),
    };
    return cmocka_run_group_tests(tests, child_clean_environment, NULL);
}
