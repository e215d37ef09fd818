/* SPDX-License-Identifier: MIT
 * The measuring harness on a clock that the test drives, its statistics on known samples, and a
 * short run of every registered benchmark. */
#include "support.h"

#include <math.h>

#include <tern/bench.h>

#include "base/os.h"
#include "bench/statistics.h"

/* -- statistics --------------------------------------------------------------------------------*/

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void test_sort(void **state) {
    (void)state;
    test_random random = {.seed = 3};
    double x[500], y[500];
    for (int n = 0; n <= 500; n = n < 20 ? n + 1 : n * 5 / 3) {
        for (int i = 0; i < n; i++)
            x[i] = y[i] = (double)test_random_range(&random, -n, n);
        tern__sort_samples(x, n);
        qsort(y, (size_t)n, sizeof *y, compare_doubles);
        test_same_bytes(x, y, (size_t)n * sizeof *x, "sorted samples");
    }
}

static void test_quantiles(void **state) {
    (void)state;
    const double five[] = {1, 2, 4, 8, 16}, two[] = {10, 20}, one[] = {7};
    const struct {
        const double *x;
        int n;
        double q, expected;
    } rows[] = {
        {five, 5, 0, 1},      {five, 5, 0.5, 4},     {five, 5, 1, 16},  {five, 5, 0.25, 2},
        {five, 5, 0.05, 1.2}, {five, 5, 0.95, 14.4}, {two, 2, 0.5, 15}, {two, 2, 0.25, 12.5},
        {one, 1, 0, 7},       {one, 1, 0.5, 7},      {one, 1, 1, 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double got = tern__sample_quantile(rows[i].x, rows[i].n, rows[i].q);
        if (fabs(got - rows[i].expected) > 1e-12)
            fail_msg("row %zu: %g, expected %g", i, got, rows[i].expected);
    }
}

enum { PAIRS = 41 };

/* The interval of median(b) / median(a). */
static void bootstrap(const double *a, const double *b, uint64_t seed, double *low, double *high) {
    double scratch[2 * (PAIRS + 2 * TERN__BOOTSTRAP_ROUNDS)];
    const double *samples[] = {a, b};
    tern__interval medians[2], ratios[2];
    assert_int_equal(sizeof scratch / sizeof *scratch, tern__bootstrap_room(2, PAIRS));
    tern__bootstrap(&(tern__rounds){samples, 2, PAIRS}, seed, scratch, medians, ratios);
    *low = ratios[1].low;
    *high = ratios[1].high;
}

static void test_bootstrap(void **state) {
    (void)state;
    test_random random = {.seed = 5};
    double a[PAIRS], b[PAIRS], low, high, low_again, high_again;
    for (int i = 0; i < PAIRS; i++) {
        a[i] = 1 + 0.01 * (double)test_random_range(&random, 0, 100);
        b[i] = 3;
    }
    /* Known ratio of the medians, and an interval around it that is no wider than the samples. */
    double sorted[PAIRS];
    memcpy(sorted, a, sizeof a);
    tern__sort_samples(sorted, PAIRS);
    double ratio = 3 / tern__sample_quantile(sorted, PAIRS, 0.5);
    bootstrap(a, b, 1, &low, &high);
    assert_true(1.5 < low && low < ratio && ratio < high && high < 3);
    bootstrap(a, b, 1, &low_again, &high_again);
    assert_true(low == low_again && high == high_again);

    /* Pairs stay together: however the machine drifts, b is twice a. */
    for (int i = 0; i < PAIRS; i++)
        b[i] = 2 * a[i];
    bootstrap(a, b, 1, &low, &high);
    assert_true(low == 2 && high == 2);
}

/* The interval holds the true ratio about 95 times in 100. */
static void test_bootstrap_coverage(void **state) {
    (void)state;
    enum { TRIALS = 200 };
    test_random random = {.seed = 9};
    int held = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        double a[PAIRS], b[PAIRS], low, high;
        float noise[2 * PAIRS];
        test_random_normal(&random, noise, 2 * PAIRS);
        for (int i = 0; i < PAIRS; i++) {
            a[i] = 10 + (double)noise[2 * i];
            b[i] = 15 + (double)noise[2 * i + 1];
        }
        bootstrap(a, b, (uint64_t)trial, &low, &high);
        held += low <= 1.5 && 1.5 <= high;
    }
    if (held < TRIALS * 88 / 100 || held > TRIALS * 995 / 1000)
        fail_msg("the interval held the ratio %d times of %d, seed %llu", held, TRIALS,
                 (unsigned long long)random.seed);
}

/* Of four sides: the interval of each median and of each ratio over the first, from the same draws;
 * what two sides have in common cancels. */
static void test_bootstrap_sides(void **state) {
    (void)state;
    test_random random = {.seed = 15};
    double x[4][PAIRS], scratch[4 * (PAIRS + 2 * TERN__BOOTSTRAP_ROUNDS)];
    const double *samples[] = {x[0], x[1], x[2], x[3]};
    tern__interval medians[4], ratios[4], alone;
    for (int i = 0; i < PAIRS; i++) {
        x[0][i] = 10 + 0.01 * (double)test_random_range(&random, 0, 100);
        x[1][i] = 3 * x[0][i];
        x[2][i] = 7;
        x[3][i] = 20 + 0.01 * (double)test_random_range(&random, 0, 100);
    }
    tern__bootstrap(&(tern__rounds){samples, 4, PAIRS}, 1, scratch, medians, ratios);
    assert_true(10 <= medians[0].low && medians[0].low < medians[0].high && medians[0].high <= 11);
    assert_true(fabs(medians[1].low - 3 * medians[0].low) < 1e-12);
    assert_true(fabs(ratios[1].low - 3) < 1e-12 && fabs(ratios[1].high - 3) < 1e-12);
    assert_true(medians[2].low == 7 && medians[2].high == 7);
    assert_true(fabs(ratios[2].high - 7 / medians[0].low) < 1e-12);
    assert_true(1.8 < ratios[3].low && ratios[3].low < ratios[3].high && ratios[3].high < 2.1);
    tern__bootstrap(&(tern__rounds){samples, 1, PAIRS}, 1, scratch, &alone, NULL);
    assert_true(alone.low == medians[0].low && alone.high == medians[0].high);
}

/* -- the harness on a clock of its own ---------------------------------------------------------*/

static uint64_t fake_ns;
static uint64_t fake_clock(void) {
    return fake_ns;
}

/* What the fake case does and what the harness did to it. */
static struct fake {
    uint64_t cost[TERN_BENCH_SIDES]; /* ns a call */
    uint64_t first_cost;             /* added to the first run of each side: a cold start */
    uint64_t jitter;                 /* each run costs up to this many percent more */
    tern_status setup_status, check_status, run_status;
    int setups, checks, runs[TERN_BENCH_SIDES], teardowns;
    char order[512];                     /* 'A' and 'B' by run */
    double spent[TERN_BENCH_SIDES][128]; /* seconds a call, by run of the side */
    test_random random;
} fake;

static tern_status fake_setup(const tern_bench_case *self, const tern_bench_options *options,
                              void **state, double *work) {
    assert_non_null(options);
    fake.setups++;
    *state = (void *)(uintptr_t)self->parameter;
    *work = 8;
    return fake.setup_status;
}

static tern_status fake_check(void *state) {
    assert_ptr_equal(state, &fake);
    assert_int_equal(fake.runs[0] + fake.runs[1], 0);
    fake.checks++;
    return fake.check_status;
}

static tern_status fake_run(void *state, int side, int64_t calls) {
    assert_ptr_equal(state, &fake);
    assert_int_equal(fake.checks, 1);
    size_t length = strlen(fake.order);
    if (length + 1 < sizeof fake.order)
        fake.order[length] = (char)('A' + side);
    uint64_t cost = fake.cost[side] * (uint64_t)calls;
    if (fake.jitter > 0)
        cost += cost * (uint64_t)test_random_range(&fake.random, 0, 1000 * (int64_t)fake.jitter) /
                100000;
    if (fake.runs[side] == 0)
        cost += fake.first_cost;
    fake.spent[side][fake.runs[side]++ % 128] = (double)cost * 1e-9 / (double)calls;
    fake_ns += cost;
    return fake.run_status;
}

static void fake_teardown(void *state) {
    assert_ptr_equal(state, &fake);
    fake.teardowns++;
}

static tern_bench_case fake_case = {
    .name = "fake",
    .summary = "advances a clock",
    .unit = "call",
    .side = {"a", "b"},
    .parameter = &fake,
    .setup = fake_setup,
    .check = fake_check,
    .run = fake_run,
    .teardown = fake_teardown,
};

static int install_clock(void **state) {
    (void)state;
    static tern__os_table table;
    table = tern__os_default;
    table.clock_ns = fake_clock;
    tern__os_set(&table);
    fake = (struct fake){.cost = {1000, 3000}, .random = {.seed = 6}};
    fake_case.side[1] = "b";
    return 0;
}

static int restore_clock(void **state) {
    (void)state;
    tern__os_set(NULL);
    return 0;
}

static void assert_near(double got, double expected) {
    if (fabs(got - expected) > 1e-9 * fabs(expected))
        fail_msg("%.12g, expected %.12g", got, expected);
}

static void test_harness(void **state) {
    (void)state;
    tern_bench_options options = {.samples = 6, .sample_seconds = 0.002};
    tern_bench_result result;
    test_ok(tern_bench_run(&fake_case, &options, &result));
    assert_int_equal(result.samples, 6);
    assert_int_equal(result.sides, 2);
    assert_near(result.work, 8);
    for (int side = 0; side < 2; side++) {
        double cost = (double)fake.cost[side] * 1e-9;
        assert_near(result.side[side].median, cost);
        assert_near(result.side[side].p5, cost);
        assert_near(result.side[side].p95, cost);
        /* Long enough, and not much longer than needed. */
        assert_true((double)result.side[side].calls * cost >= 0.002);
        assert_true((double)result.side[side].calls * cost <= 0.002 * 2.5);
    }
    assert_near(result.ratio, 3);
    assert_near(result.ratio_low, 3);
    assert_near(result.ratio_high, 3);
    assert_near(result.ratios[1], 3);
    assert_near(result.ratios_p5[1], 3);
    assert_near(result.ratios_p95[1], 3);
    assert_near(result.side[1].low, 3e-6);
    assert_near(result.side[1].high, 3e-6);
    assert_false(result.is_noisy);
    assert_int_equal(fake.setups, 1);
    assert_int_equal(fake.checks, 1);
    assert_int_equal(fake.teardowns, 1);
    /* After calibration the sides take turns, and so does who begins. */
    size_t length = strlen(fake.order);
    assert_true(length > 12);
    assert_string_equal(fake.order + length - 12, "ABBAABBAABBA");
}

static void test_defaults_and_one_side(void **state) {
    (void)state;
    fake_case.side[1] = NULL;
    tern_bench_result result;
    test_ok(tern_bench_run(&fake_case, NULL, &result));
    assert_int_equal(result.samples, 21);
    assert_int_equal(result.sides, 1);
    assert_true((double)result.side[0].calls * 1e-6 >= 0.01);
    assert_int_equal(fake.runs[1], 0);
    assert_true(result.ratio == 0 && result.ratio_low == 0 && result.ratio_high == 0);
}

/* The cold start is in the warm-up, never in a sample; a call that lasts long is not repeated. */
static void test_cold_start(void **state) {
    (void)state;
    fake.first_cost = 50000000;
    fake.cost[0] = 20000000;
    tern_bench_options options = {.samples = 5, .sample_seconds = 0.01};
    tern_bench_result result;
    test_ok(tern_bench_run(&fake_case, &options, &result));
    assert_int_equal(result.side[0].calls, 1);
    assert_near(result.side[0].p95, 0.02);
    assert_near(result.side[1].p95, 3e-6);
    assert_false(result.is_noisy);
}

static void test_noise(void **state) {
    (void)state;
    fake.jitter = 5;
    tern_bench_options options = {.samples = 41, .sample_seconds = 0.001};
    tern_bench_result result;
    test_ok(tern_bench_run(&fake_case, &options, &result));
    assert_false(result.is_noisy);
    assert_true(result.ratio_low < result.ratio_high);
    assert_true(result.ratio_low > 2.8 && result.ratio_high < 3.2);
    assert_true(result.side[0].p5 < result.side[0].median);
    assert_true(result.side[0].median < result.side[0].p95);

    fake = (struct fake){.cost = {1000, 3000}, .jitter = 100, .random = {.seed = 6}};
    test_ok(tern_bench_run(&fake_case, &options, &result));
    assert_true(result.is_noisy);
    /* Wider instead of wrong: as far as the rounds differ. */
    for (int side = 0; side < 2; side++) {
        const tern_bench_side *s = &result.side[side];
        assert_true(s->low <= s->p5 && s->p95 <= s->high);
    }
    assert_true(result.ratio_low <= result.ratios_p5[1]);
    assert_true(result.ratios_p95[1] <= result.ratio_high);
    assert_true(result.ratio_high / result.ratio_low > 1.5);
}

/* The quantiles and intervals are those of what the last runs took, round by round. */
static void test_figures(void **state) {
    (void)state;
    enum { SAMPLES = 41 };
    fake.jitter = 5;
    tern_bench_options options = {.samples = SAMPLES, .sample_seconds = 0.001};
    tern_bench_result result;
    test_ok(tern_bench_run(&fake_case, &options, &result));
    assert_false(result.is_noisy);
    double x[3][SAMPLES], scratch[2 * (SAMPLES + 2 * TERN__BOOTSTRAP_ROUNDS)];
    const double *rounds[] = {x[0], x[1]};
    tern__interval medians[2], ratios[2];
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < SAMPLES; i++)
            x[side][i] = fake.spent[side][(fake.runs[side] - SAMPLES + i) % 128];
    for (int i = 0; i < SAMPLES; i++)
        x[2][i] = x[1][i] / x[0][i];
    tern__bootstrap(&(tern__rounds){rounds, 2, SAMPLES}, 1, scratch, medians, ratios);
    for (int i = 0; i < 3; i++)
        tern__sort_samples(x[i], SAMPLES);
    for (int side = 0; side < 2; side++) {
        const tern_bench_side *s = &result.side[side];
        assert_near(s->median, x[side][20]);
        assert_near(s->p5, x[side][2]);
        assert_near(s->p95, x[side][38]);
        assert_near(s->low, medians[side].low);
        assert_near(s->high, medians[side].high);
    }
    assert_near(result.ratio, x[1][20] / x[0][20]);
    assert_near(result.ratios_p5[1], x[2][2]);
    assert_near(result.ratios_p95[1], x[2][38]);
    assert_near(result.ratio_low, ratios[1].low);
    assert_near(result.ratio_high, ratios[1].high);
}

/* Where the middle of the samples spans more than a quarter of the median, they are noisy. */
static void test_spread(void **state) {
    (void)state;
    for (int jitter = 20; jitter <= 45; jitter += 25) {
        install_clock(NULL);
        fake.jitter = (uint64_t)jitter;
        tern_bench_options options = {.samples = 100, .sample_seconds = 0.001};
        tern_bench_result result;
        test_ok(tern_bench_run(&fake_case, &options, &result));
        const tern_bench_side *s = &result.side[0];
        assert_true((s->p95 - s->p5 > 0.25 * s->median) == (jitter == 45));
        assert_true(s->p95 - s->p5 < 0.45 * s->median);
        assert_int_equal(result.is_noisy, jitter == 45);
    }
}

static void test_dead_clock(void **state) {
    (void)state;
    fake.cost[0] = 0;
    tern_bench_result result;
    test_status(tern_bench_run(&fake_case, NULL, &result), TERN_E_INTERNAL);
    assert_int_equal(result.samples, 0);
    assert_int_equal(fake.teardowns, 1);
}

static void *no_memory(size_t bytes) {
    (void)bytes;
    return NULL;
}

static void test_failures(void **state) {
    (void)state;
    tern_bench_result result;
    fake.setup_status = TERN_E_MEMORY;
    test_status(tern_bench_run(&fake_case, NULL, &result), TERN_E_MEMORY);
    assert_int_equal(fake.checks + fake.teardowns, 0);

    install_clock(NULL);
    fake.check_status = TERN_E_INTERNAL;
    test_status(tern_bench_run(&fake_case, NULL, &result), TERN_E_INTERNAL);
    assert_int_equal(fake.runs[0], 0);
    assert_int_equal(fake.teardowns, 1);

    install_clock(NULL);
    fake.run_status = TERN_E_LIMIT;
    test_status(tern_bench_run(&fake_case, NULL, &result), TERN_E_LIMIT);
    assert_int_equal(fake.runs[0], 1);
    assert_int_equal(fake.teardowns, 1);

    install_clock(NULL);
    tern__os_table table = *tern__os();
    table.alloc = no_memory;
    tern__os_set(&table);
    tern_status status = tern_bench_run(&fake_case, NULL, &result);
    tern__os_set(NULL);
    test_status(status, TERN_E_MEMORY);
    assert_int_equal(fake.teardowns, 1);

    test_status(tern_bench_run(NULL, NULL, &result), TERN_E_ARGUMENT);
    test_status(tern_bench_run(&fake_case, NULL, NULL), TERN_E_ARGUMENT);
    tern_bench_options options = {.samples = -1};
    test_status(tern_bench_run(&fake_case, &options, &result), TERN_E_ARGUMENT);
    options.samples = TERN_BENCH_MAX_SAMPLES + 1;
    test_status(tern_bench_run(&fake_case, &options, &result), TERN_E_ARGUMENT);
}

/* -- what is registered ------------------------------------------------------------------------*/

static void test_registered(void **state) {
    (void)state;
    assert_true(tern_bench_count() > 0);
    assert_null(tern_bench_at(-1));
    assert_null(tern_bench_at(tern_bench_count()));
    assert_null(tern_bench_find("no such benchmark"));
    for (int64_t i = 0; i < tern_bench_count(); i++) {
        const tern_bench_case *bench = tern_bench_at(i);
        assert_ptr_equal(tern_bench_find(bench->name), bench);
        assert_non_null(bench->check);
        assert_true(strlen(bench->name) <= 16 && strlen(bench->summary) > 10);
        tern_bench_options options = {.threads = 2, .samples = 1, .sample_seconds = 1e-9};
        tern_bench_result result;
        test_ok(tern_bench_run(bench, &options, &result));
        assert_true(result.work > 0);
        for (int side = 0; side < result.sides; side++)
            assert_true(result.side[side].median > 0);
    }
    tern_bench_options options = {.cpu = "no such level"};
    tern_bench_result result;
    test_status(tern_bench_run(tern_bench_find("ternary_linear"), &options, &result),
                TERN_E_ARGUMENT);
}

static void test_model(void **state) {
    (void)state;
    tern_context *context;
    tern_model *model;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    test_ok(tern_model_random(context, "tiny", 1, NULL, &model));
    tern_bench_model_options options = {.prompt_tokens = 20, .generated_tokens = 3, .samples = 2};
    tern_bench_model_result result;
    test_ok(tern_bench_model(context, model, &options, &result));
    assert_int_equal(result.prompt.samples, 2);
    assert_int_equal(result.generation.samples, 2);
    assert_near(result.prompt.work, 20);
    assert_near(result.generation.work, 3);
    assert_true(result.prompt.side[0].median > 0 && result.generation.side[0].median > 0);
    assert_int_equal(result.prompt.side[0].calls, 1);
    assert_true(result.cache_bytes > 0 && result.resident_bytes > result.cache_bytes);

    size_t cache_bytes = result.cache_bytes;
    options.cache_type = TERN_F16;
    test_ok(tern_bench_model(context, model, &options, &result));
    assert_true(result.cache_bytes < cache_bytes && 2 * result.cache_bytes >= cache_bytes);
    options.cache_type = TERN_I8;
    test_ok(tern_bench_model(context, model, &options, &result));
    assert_true(result.cache_bytes < cache_bytes / 2 && 4 * result.cache_bytes >= cache_bytes);
    options.cache_type = TERN_F32;

    options.prompt_tokens = 0;
    test_ok(tern_bench_model(context, model, &options, &result));
    assert_int_equal(result.prompt.samples, 0);
    options.best = 3;
    test_ok(tern_bench_model(context, model, &options, &result));
    assert_int_equal(result.generation.samples, 2);

    const tern_bench_model_options bad[] = {
        {0, 0, 1, TERN_F32, 0},  {-1, 5, 1, TERN_F32, 0},        {5, -1, 1, TERN_F32, 0},
        {5, 5, -1, TERN_F32, 0}, {INT64_MAX, 5, 1, TERN_F32, 0}, {5, 5, 1, TERN_I16, 0},
        {5, 5, 1, TERN_F32, -1}, {5, 5, 1, TERN_F32, 516}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        test_status(tern_bench_model(context, model, &bad[i], &result), TERN_E_ARGUMENT);
    test_status(tern_bench_model(context, NULL, NULL, &result), TERN_E_ARGUMENT);
    tern_model_release(model);
    tern_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_bootstrap_coverage),
        cmocka_unit_test(test_bootstrap_sides),
        cmocka_unit_test_setup_teardown(test_harness, install_clock, restore_clock),
        cmocka_unit_test_setup_teardown(test_defaults_and_one_side, install_clock, restore_clock),
        cmocka_unit_test_setup_teardown(test_cold_start, install_clock, restore_clock),
        cmocka_unit_test_setup_teardown(test_noise, install_clock, restore_clock),
        cmocka_unit_test_setup_teardown(test_figures, install_clock, restore_clock),
        cmocka_unit_test_setup_teardown(test_spread, install_clock, restore_clock),
        cmocka_unit_test_setup_teardown(test_dead_clock, install_clock, restore_clock),
        cmocka_unit_test_setup_teardown(test_failures, install_clock, restore_clock),
        cmocka_unit_test(test_registered),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
