/* SPDX-License-Identifier: MIT
 * What is made of a machine that is not quiet: other programs as a simulated system counts them, a
 * loop that becomes slower, wider intervals, and verdicts that are not given. */
#include "support.h"

#include <math.h>

#include <tern/bench.h>

#include "base/os.h"
#include "bench/bench.h"
#include "bench/noise.h"
#include "bench/rows.h"

/* -- a simulated system ------------------------------------------------------------------------*/

static struct machine {
    uint64_t now, process; /* ns */
    double own, others;    /* processors that are kept busy */
    double busy, idle;     /* seconds, of the processor that is allowed */
    bool stands_still;
    int missing;      /* errno of the file */
    const char *text; /* in place of the counters */
} machine;

static uint64_t machine_clock(void) {
    return machine.now;
}

static uint64_t machine_process(void) {
    return machine.process;
}

static void pass(double seconds) {
    machine.now += (uint64_t)(seconds * 1e9);
    machine.process += (uint64_t)(seconds * machine.own * 1e9);
    machine.busy += seconds * (machine.own + machine.others);
    machine.idle += seconds * (2 - machine.own - machine.others);
}

/* One that this process may use: they have other numbers where its choice is limited. */
static int allowed_cpu(void) {
    int cpu = 0;
    while (!tern__os_cpu_allowed(cpu))
        cpu++;
    return cpu;
}

/* Of a processor that this process may not use, what others do there does not matter. */
static int machine_text(const char *path, char *text, size_t size) {
    assert_string_equal(path, "/proc/stat");
    if (machine.missing != 0)
        return machine.missing;
    if (machine.text != NULL) {
        snprintf(text, size, "%s", machine.text);
        return 0;
    }
    double busy = machine.stands_still ? 0 : machine.busy;
    double idle = machine.stands_still ? 0 : machine.idle;
    unsigned long long part = (unsigned long long)(busy * 100 / 6);
    unsigned long long last = (unsigned long long)(busy * 100) - 5 * part;
    snprintf(text, size,
             "cpu  999999 0 0 0 0 0 0 0 0 0\n"
             "cpu%d %llu %llu %llu %llu %llu %llu %llu %llu 77 0\n"
             "cpu99999 %llu 0 0 0 0 0 0 0 0 0\n"
             "intr 1 2 3\n",
             allowed_cpu(), part, part, part, (unsigned long long)(idle * 60),
             (unsigned long long)(idle * 40), part, part, last, /* it waits for a disk, too */
             (unsigned long long)(machine.now / 1000));
    return 0;
}

static int install(void **state) {
    (void)state;
    static tern__os_table os;
    os = tern__os_default;
    os.clock_ns = machine_clock;
    os.process_ns = machine_process;
    os.file_text = machine_text;
    tern__os_set(&os);
    machine = (struct machine){.now = 1000, .busy = 1234.5, .idle = 77};
    return 0;
}

static int restore(void **state) {
    (void)state;
    tern__os_set(NULL);
    return 0;
}

/* -- windows -----------------------------------------------------------------------------------*/

static double load_after(double seconds) {
    tern__noise_window window;
    tern__noise_begin(&window);
    pass(seconds);
    return tern__noise_end(&window);
}

static void assert_load(double load, double expected) {
    if (!(fabs(load - expected) <= 0.025)) /* the counters have steps */
        fail_msg("a load of %g, expected %g", load, expected);
}

static void test_load(void **state) {
    (void)state;
    assert_load(load_after(1), 0);
    machine.own = 1.9;
    assert_load(load_after(1), 0);
    assert_load(load_after(7.3), 0);
    machine.own = 1;
    machine.others = 0.98;
    assert_load(load_after(2), 0.98);
    machine.own = 0;
    machine.others = 0.25;
    assert_load(load_after(4), 0.25);
    /* More of its own time than the system has counted is no load. */
    machine.others = -0.5;
    machine.own = 1;
    assert_load(load_after(1), 0);
}

static void test_window_stays_open(void **state) {
    (void)state;
    tern__noise_window window;
    tern__noise_begin(&window);
    machine.others = 1;
    pass(1);
    assert_load(tern__noise_end(&window), 1);
    machine.others = 0;
    pass(1);
    assert_load(tern__noise_end(&window), 0.5);
    assert_true(fabs(tern__noise_seconds(&window) - 2) < 1e-6);
}

static void test_nobody_tells(void **state) {
    (void)state;
    static const char *const garbage[] = {
        "",
        "cpu",
        "cpu0",
        "\n\n\ncpu\ncpu\n",
        "cpux 1 2 3 4 5 6 7 8\n",
        "intr 5\nctxt 7\n",
        "cpu  1 2 3 4 5 6 7 8 9 10\n",
        "cpu99999 1 2 3 4 5 6 7 8 9 10\n" /* none that is allowed: nothing moves */};
    machine.others = 1;
    assert_true(isnan(load_after(0.049)));
    assert_load(load_after(0.4), 1);
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        machine.text = garbage[i];
        if (!isnan(load_after(1)))
            fail_msg("'%s' tells a load", garbage[i]);
    }
    char line[64];
    snprintf(line, sizeof line, "cpu%d 1 2 3 4 5 6\n", allowed_cpu()); /* cut short */
    machine.text = line;
    assert_true(isnan(load_after(1)));
    machine.text = NULL;
    machine.missing = 2;
    assert_true(isnan(load_after(1)));
    machine.missing = 0;
    machine.stands_still = true;
    assert_true(isnan(load_after(1)));
    /* What ends or begins meanwhile is not told either. */
    machine.stands_still = false;
    tern__noise_window window;
    tern__noise_begin(&window);
    pass(1);
    machine.text = "";
    assert_true(isnan(tern__noise_end(&window)));
    tern__noise_begin(&window);
    machine.text = NULL;
    pass(1);
    assert_true(isnan(tern__noise_end(&window)));
}

/* -- rows of a table ---------------------------------------------------------------------------*/

static tern_bench_row seen;
static int seen_count;

static void keep(void *user, const tern_bench_row *row) {
    (void)user;
    seen = *row;
    seen_count++;
}

static void show_after(tern__table *table, double seconds, double median) {
    tern_bench_row row = tern__row("T0", "a share", "%");
    row.samples = 11;
    row.median = median;
    row.low = median - 1;
    row.high = median + 1;
    row.floor = 75;
    row.is_least = true;
    pass(seconds);
    tern__row_show(table, &row);
}

static void test_rows_tell_the_load(void **state) {
    (void)state;
    tern__table table;
    test_ok(tern__table_open(&table, NULL, 3, 3, keep, NULL));
    machine.own = 1;
    show_after(&table, 0.1, 61.2); /* too short to say anything */
    assert_true(isnan(seen.load));
    assert_int_equal(seen.verdict, TERN_BENCH_FAIL);
    show_after(&table, 0.3, 61.2);
    assert_load(seen.load, 0);
    assert_false(seen.is_noisy);
    assert_int_equal(seen.verdict, TERN_BENCH_FAIL);
    machine.others = 0.98;
    show_after(&table, 1, 61.2);
    assert_load(seen.load, 0.98);
    assert_true(seen.is_noisy);
    assert_int_equal(seen.verdict, TERN_BENCH_NOT_MEASURED);
    assert_ptr_equal(strstr(seen.detail, "noisy: other programs used 0.9"), seen.detail);
    assert_non_null(strstr(seen.detail, " of a processor; 61.2 % is no verdict"));
    /* A short row is told by those before it; what meets the floor with its whole interval
     * does so in noise too. */
    show_after(&table, 0.01, 80);
    assert_load(seen.load, 0.98);
    assert_true(seen.is_noisy);
    assert_int_equal(seen.verdict, TERN_BENCH_PASS);
    machine.others = 0;
    show_after(&table, 0.5, 61.2);
    assert_load(seen.load, 0);
    assert_int_equal(seen.verdict, TERN_BENCH_FAIL);
    /* What the table's own programs did is not of the next row. */
    machine.others = 1;
    pass(3);
    tern__table_rest(&table);
    machine.others = 0;
    show_after(&table, 0.1, 61.2);
    assert_true(isnan(seen.load));
    show_after(&table, 0.3, 61.2);
    assert_load(seen.load, 0);
}

/* -- figures -----------------------------------------------------------------------------------*/

static void expect_row(const tern_bench_row *row, const double figures[5], bool is_ratio) {
    const double got[] = {row->low, row->p5, row->median, row->p95, row->high};
    for (int i = 0; i < 5; i++)
        if (fabs(got[i] - figures[i]) > 1e-12 * figures[i])
            fail_msg("%s: figure %d is %.17g, not %g", row->what, i, got[i], figures[i]);
    assert_int_equal(row->samples, 11);
    assert_int_equal(row->is_ratio, is_ratio);
    assert_true(row->is_noisy);
}

/* What a row takes from a result: nothing is swapped but where a rate is 1 over a time, and the
 * noise comes along. */
static void test_rows_of_results(void **state) {
    (void)state;
    tern_bench_result r = {.samples = 11,
                           .sides = 2,
                           .is_noisy = true,
                           .ratios = {0, 0.5},
                           .ratios_p5 = {0, 0.25},
                           .ratios_p95 = {0, 0.75},
                           .ratios_low = {0, 0.375},
                           .ratios_high = {0, 0.625}};
    r.side[0].median = 8;
    r.side[1] =
        (tern_bench_side){.calls = 3, .median = 4, .p5 = 2, .p95 = 8, .low = 3.2, .high = 5};
    tern_bench_row row = tern__row("T0", "time", "ns");
    tern__row_time(&row, &r, 1, 10);
    expect_row(&row, (const double[]){32, 20, 40, 80, 50}, false);
    row = tern__row("T0", "rate", "GB/s");
    tern__row_rate(&row, &r, 1, 16);
    expect_row(&row, (const double[]){3.2, 2, 4, 8, 5}, false);
    assert_true(row.is_least);
    row = tern__row("T0", "ratio", "x");
    tern__row_ratio(&row, &r, 1, 100);
    expect_row(&row, (const double[]){37.5, 25, 50, 75, 62.5}, true);
    tern__row_work(&row, &r, 80, 16);
    assert_true(row.operations == 10 && row.bytes == 2); /* of the first side */

    double samples[101];
    for (int i = 0; i < 101; i++)
        samples[i] = (i * 37) % 101;
    row = tern__row("T0", "samples", "ns");
    tern__row_samples(&row, samples, 101);
    assert_true(row.samples == 101 && row.median == 50);
    assert_true(row.p5 == 5 && row.p95 == 95 && fabs(row.p99 - 99) < 1e-9);
}

/* A goal of two parts is met when both are. */
static void test_goals(void **state) {
    (void)state;
    tern_bench_row row = tern__row("T0", "a row", "ns");
    row.samples = 11;
    row.median = row.low = row.high = 20;
    row.p99 = 100;
    row.goal = 20;
    row.goal_p99 = 100;
    tern__row_judge(&row);
    assert_true(row.is_goal_met);
    row.p99 = 101;
    tern__row_judge(&row);
    assert_false(row.is_goal_met);
    row.goal_p99 = NAN;
    tern__row_judge(&row);
    assert_true(row.is_goal_met);
    row.goal = NAN;
    tern__row_judge(&row);
    assert_false(row.is_goal_met); /* there is none */
}

/* -- verdicts ----------------------------------------------------------------------------------*/

static void test_verdicts(void **state) {
    (void)state;
    static const struct {
        double median, low, high, floor, load;
        bool is_least, is_noisy;
        int samples;
        tern_bench_verdict verdict;
    } rows[] = {
        /* Quiet: by the median. */
        {70, 60, 80, 75, 0, true, false, 11, TERN_BENCH_FAIL},
        {76, 60, 80, 75, 0, true, false, 11, TERN_BENCH_PASS},
        /* Noisy: by the whole interval. */
        {70, 60, 80, 75, 0, true, true, 11, TERN_BENCH_NOT_MEASURED},
        {70, 60, 75, 75, 0, true, true, 11, TERN_BENCH_NOT_MEASURED},
        {70, 60, 74, 75, 0, true, true, 11, TERN_BENCH_FAIL},
        {76, 60, 80, 75, 0, true, true, 11, TERN_BENCH_NOT_MEASURED},
        {78, 75, 80, 75, 0, true, true, 11, TERN_BENCH_PASS},
        {110, 90, 120, 100, 0, false, true, 11, TERN_BENCH_NOT_MEASURED},
        {110, 101, 120, 100, 0, false, true, 11, TERN_BENCH_FAIL},
        {90, 80, 120, 100, 0, false, true, 11, TERN_BENCH_NOT_MEASURED},
        {90, 80, 100, 100, 0, false, true, 11, TERN_BENCH_PASS},
        {110, 101, 120, 100, NAN, false, true, 11, TERN_BENCH_FAIL},
        /* Other programs: never a failure. */
        {70, 60, 74, 75, 0.11, true, true, 11, TERN_BENCH_NOT_MEASURED},
        {70, 60, 74, 75, 0.11, true, false, 11, TERN_BENCH_NOT_MEASURED},
        {70, 60, 74, 75, 0.10, true, false, 11, TERN_BENCH_FAIL},
        {110, 101, 120, 100, 1.5, false, true, 11, TERN_BENCH_NOT_MEASURED},
        {76, 60, 80, 75, 1.5, true, true, 11, TERN_BENCH_NOT_MEASURED},
        {78, 76, 80, 75, 1.5, true, true, 11, TERN_BENCH_PASS},
        /* A count is what it is; a single time is not a count. */
        {1, NAN, NAN, 0, 1.5, false, false, 1, TERN_BENCH_FAIL},
        {1, NAN, NAN, 0, 1.5, false, true, 1, TERN_BENCH_FAIL},
        {110, 110, 110, 100, 1.5, false, true, 1, TERN_BENCH_NOT_MEASURED},
        /* Nothing to judge by. */
        {70, 60, 80, NAN, 1.5, true, true, 11, TERN_BENCH_NO_TARGET},
        {NAN, NAN, NAN, 75, 1.5, true, false, 0, TERN_BENCH_NOT_MEASURED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_bench_row row = tern__row("T0", "a row", "x");
        row.median = rows[i].median;
        row.low = rows[i].low;
        row.high = rows[i].high;
        row.floor = rows[i].floor;
        row.load = rows[i].load;
        row.is_least = rows[i].is_least;
        row.is_noisy = rows[i].is_noisy;
        row.samples = rows[i].samples;
        snprintf(row.detail, sizeof row.detail, "as it was");
        for (int again = 0; again < 2; again++) {
            tern__row_judge(&row);
            bool explains = strncmp(row.detail, "noisy: ", 7) == 0;
            if (row.verdict != rows[i].verdict ||
                explains != (row.verdict == TERN_BENCH_NOT_MEASURED && !isnan(row.median)))
                fail_msg("row %zu: %s, '%s'", i, tern_bench_verdict_name(row.verdict), row.detail);
            assert_non_null(strstr(row.detail, "as it was"));
            assert_ptr_equal(strstr(row.detail, "noisy: "), explains ? row.detail : NULL);
        }
    }
}

/* In noise a goal too is met only by the whole interval. */
static void test_goals_in_noise(void **state) {
    (void)state;
    for (int is_noisy = 0; is_noisy < 2; is_noisy++)
        for (int is_least = 0; is_least < 2; is_least++) {
            tern_bench_row row = tern__row("T0", "a row", "x");
            row.samples = 11;
            row.median = 50;
            row.low = 40;
            row.high = 60;
            row.is_least = is_least;
            row.is_noisy = is_noisy;
            row.floor = is_least ? 30 : 70;
            row.goal = is_least ? 45 : 55;
            tern__row_judge(&row);
            assert_int_equal(row.verdict, TERN_BENCH_PASS);
            assert_int_equal(row.is_goal_met, !is_noisy);
            row.goal = is_least ? 40 : 60;
            tern__row_judge(&row);
            assert_true(row.is_goal_met);
        }
}

/* The reason comes first: a long detail is cut behind it. */
static void test_long_detail(void **state) {
    (void)state;
    tern_bench_row row = tern__row("T0", "a row", "ns");
    memset(row.detail, 'x', sizeof row.detail - 1);
    row.samples = 5;
    row.median = 200;
    row.low = 50;
    row.high = 300;
    row.floor = 100;
    row.is_noisy = true;
    tern__row_judge(&row);
    assert_int_equal(row.verdict, TERN_BENCH_NOT_MEASURED);
    assert_ptr_equal(strstr(row.detail, "noisy: 50 .. 300 ns; 200 ns is no verdict; xxx"),
                     row.detail);
    assert_int_equal(strlen(row.detail), sizeof row.detail - 1);
}

/* -- the loop ----------------------------------------------------------------------------------*/

static void test_slowed(void **state) {
    (void)state;
    static const struct {
        double loops[10];
        bool is_slowed;
    } rows[] = {
        {{20, 20, 20, 20, 20, 20, 20, 20, 20, 20}, false},
        {{21, 22, 20, 21, 22, 20, 21, 22, 20, 21}, false}, /* median 5 % slower */
        {{22, 22, 22, 22, 22, 22, 22, 22, 22, 22}, false}, /* 10 % */
        {{23, 22, 23, 23, 23, 23, 23, 20, 20, 20}, true},  /* 15 % */
        {{20, 90, 20, 20, 90, 20, 20, 20, 20, 20}, false}, /* a fifth of them is disturbed */
        {{20, 90, 20, 20, 90, 26, 20, 20, 20, 20}, true},  /* more than that */
        {{20, 90, 20, 20, 90, 25, 20, 20, 20, 20}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double loops[10];
        memcpy(loops, rows[i].loops, sizeof loops);
        if (tern__noise_is_slowed(loops, 10, 20) != rows[i].is_slowed)
            fail_msg("row %zu", i);
    }
    double one = 20;
    assert_false(tern__noise_is_slowed(&one, 1, 20));
    one = 26;
    assert_true(tern__noise_is_slowed(&one, 1, 20));
}

/* A clock that goes on between samples, where the loop runs, by what the test says. */
static uint64_t loop_ns, loop_now;
static int loop_jitter; /* each third reading is so many percent longer */

static uint64_t loop_clock(void) {
    static int readings;
    if (tern__bench_side() < 0)
        loop_now += loop_ns + (readings++ % 6 < 2 ? loop_ns * (uint64_t)loop_jitter / 100 : 0);
    else if (tern__bench_is_end())
        loop_now += 10000000 + (uint64_t)tern__bench_side() * 10000000;
    return loop_now;
}

static tern_status no_work(void *state, int side, int64_t calls) {
    (void)state, (void)side, (void)calls;
    return TERN_OK;
}

static tern_bench_result measure_fake(void) {
    static const tern_bench_case bench = {.name = "fake", .side = {"a", "b"}, .run = no_work};
    tern_bench_options options = {.samples = 30, .sample_seconds = 1e-3};
    tern_bench_result result;
    test_ok(tern__bench_measure(&bench, NULL, 1, &options, &result));
    assert_true(fabs(result.ratio - 2) < 1e-12);
    return result;
}

static void test_loop_becomes_slower(void **state) {
    (void)state;
    tern__os_table os = tern__os_default;
    os.clock_ns = loop_clock;
    tern__os_set(&os);
    loop_now = 1;
    loop_ns = 20000;
    loop_jitter = 0;
    assert_false(measure_fake().is_noisy);
    loop_ns = 21000;
    assert_false(measure_fake().is_noisy);
    loop_ns = 23000; /* against the fastest so far */
    assert_true(measure_fake().is_noisy);
    loop_ns = 20000;
    assert_false(measure_fake().is_noisy);
    loop_jitter = 40; /* a third of the loops */
    assert_true(measure_fake().is_noisy);
    loop_jitter = 0;
    loop_ns = 15000; /* faster than ever: from now on that is what is compared with */
    assert_false(measure_fake().is_noisy);
    loop_ns = 20000;
    assert_true(measure_fake().is_noisy);
    assert_true(tern__noise_fastest() == 15000);
    /* By another clock everything begins anew. */
    os.clock_ns = machine_clock;
    tern__os_set(&os);
    tern__noise_loop();
    assert_true(tern__noise_fastest() == 0);
}

/* On the real clock it is neither optimised away nor long. */
static void test_loop_takes_time(void **state) {
    (void)state;
    double fastest = tern__noise_loop();
    for (int i = 0; i < 50; i++)
        fastest = fmin(fastest, tern__noise_loop());
    assert_true(fastest == tern__noise_fastest());
    assert_true(fastest > 3000 && fastest < (TEST_IS_SANITIZED ? 5e6 : 5e5));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_load, install, restore),
        cmocka_unit_test_setup_teardown(test_window_stays_open, install, restore),
        cmocka_unit_test_setup_teardown(test_nobody_tells, install, restore),
        cmocka_unit_test_setup_teardown(test_rows_tell_the_load, install, restore),
        cmocka_unit_test(test_rows_of_results),
        cmocka_unit_test(test_goals),
        cmocka_unit_test(test_goals_in_noise),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_long_detail),
        cmocka_unit_test(test_slowed),
        cmocka_unit_test_teardown(test_loop_becomes_slower, restore),
        cmocka_unit_test(test_loop_takes_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
