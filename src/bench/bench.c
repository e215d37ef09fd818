/* SPDX-License-Identifier: MIT */
#include "bench/bench.h"

#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"
#include "bench/statistics.h"

enum { DEFAULT_SAMPLES = 21 };
static const double DEFAULT_SAMPLE_SECONDS = 0.01;
/* A spread that a median of 21 samples still settles to some percent. */
static const double NOISY_SPREAD = 0.25;
/* More calls than this in one sample mean that the clock stands still. */
static const int64_t MAX_CALLS = INT64_C(1) << 40;
static const uint64_t BOOTSTRAP_SEED = 1;

static const tern_bench_case *const registered[] = {
    &tern__bench_team_run,    &tern__bench_tensor_create,  &tern__bench_tensor_sites,
    &tern__bench_memory_read, &tern__bench_ternary_decode, &tern__bench_ternary_prefill,
    &tern__bench_matmul_f16,
};

int64_t tern_bench_count(void) {
    return (int64_t)(sizeof registered / sizeof *registered);
}

const tern_bench_case *tern_bench_at(int64_t index) {
    return index >= 0 && index < tern_bench_count() ? registered[index] : NULL;
}

const tern_bench_case *tern_bench_find(const char *name) {
    for (int64_t i = 0; i < tern_bench_count(); i++)
        if (strcmp(registered[i]->name, name) == 0)
            return registered[i];
    return NULL;
}

static tern_status time_calls(const tern_bench_case *bench, void *state, int side, int64_t calls,
                              double *seconds) {
    uint64_t begin = tern__os()->clock_ns();
    tern_status status = bench->run(state, side, calls);
    uint64_t end = tern__os()->clock_ns();
    *seconds = (double)(end - begin) * 1e-9;
    return status;
}

/* Finds how many calls last at least `least` seconds; its runs are the warm-up. Aims a little
 * above, because the first runs are slow and would leave the count too small. */
static tern_status calibrate(const tern_bench_case *bench, void *state, int side, double least,
                             int64_t *calls) {
    for (*calls = 1; *calls <= MAX_CALLS;) {
        double seconds;
        tern_status status = time_calls(bench, state, side, *calls, &seconds);
        if (status != TERN_OK || seconds >= least)
            return status;
        double factor = seconds > 0 ? 1.2 * least / seconds : 16;
        factor = factor < 2 ? 2 : factor > 16 ? 16 : factor;
        *calls = (int64_t)((double)*calls * factor);
    }
    return tern__fail(TERN_E_INTERNAL, "bench: %s: the clock does not advance", bench->name);
}

/* One sample of each side; which goes first changes from round to round, so that neither always
 * finds the caches and the clock frequency that the other left. */
static tern_status sample_round(const tern_bench_case *bench, void *state, int round,
                                const tern_bench_result *result, double *const *samples) {
    for (int turn = 0; turn < result->sides; turn++) {
        int side = (turn + round) % result->sides;
        int64_t calls = result->side[side].calls;
        double seconds;
        tern_status status = time_calls(bench, state, side, calls, &seconds);
        if (status != TERN_OK)
            return status;
        samples[side][round] = seconds / (double)calls;
    }
    return TERN_OK;
}

static void sum_up(tern_bench_result *result, double *const *samples, double *scratch) {
    int64_t n = result->samples;
    if (result->sides == 2)
        tern__bootstrap_ratio(samples[0], samples[1], n, BOOTSTRAP_SEED, scratch,
                              &result->ratio_low, &result->ratio_high);
    for (int i = 0; i < result->sides; i++) {
        tern_bench_side *side = &result->side[i];
        tern__sort_samples(samples[i], n);
        side->median = tern__sample_quantile(samples[i], n, 0.5);
        side->p5 = tern__sample_quantile(samples[i], n, 0.05);
        side->p95 = tern__sample_quantile(samples[i], n, 0.95);
        if (side->p95 - side->p5 > NOISY_SPREAD * side->median)
            result->is_noisy = true;
    }
    if (result->sides == 2)
        result->ratio = result->side[1].median / result->side[0].median;
}

tern_status tern__bench_measure(const tern_bench_case *bench, void *state, double work,
                                const tern_bench_options *options, tern_bench_result *result) {
    *result = (tern_bench_result){
        .samples = options->samples > 0 ? options->samples : DEFAULT_SAMPLES,
        .work = work,
    };
    while (result->sides < TERN_BENCH_SIDES && bench->side[result->sides] != NULL)
        result->sides++;
    double least = options->sample_seconds > 0 ? options->sample_seconds : DEFAULT_SAMPLE_SECONDS;
    size_t n = (size_t)result->samples;
    double *block =
        tern__os()->alloc(((TERN_BENCH_SIDES + 2) * n + TERN__BOOTSTRAP_ROUNDS) * sizeof *block);
    if (block == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for %zu samples", n);
    double *samples[TERN_BENCH_SIDES];
    for (int side = 0; side < TERN_BENCH_SIDES; side++)
        samples[side] = block + (size_t)side * n;

    tern_status status = TERN_OK;
    if (bench->check != NULL)
        TERN__TRY(bench->check(state));
    for (int side = 0; side < result->sides; side++)
        TERN__TRY(calibrate(bench, state, side, least, &result->side[side].calls));
    for (int round = 0; round < result->samples; round++)
        TERN__TRY(sample_round(bench, state, round, result, samples));
    sum_up(result, samples, block + TERN_BENCH_SIDES * n);
done:
    tern__os()->free(block);
    if (status != TERN_OK)
        *result = (tern_bench_result){0};
    return status;
}

tern_status tern_bench_run(const tern_bench_case *bench, const tern_bench_options *options,
                           tern_bench_result *result) {
    static const tern_bench_options defaults = {0};
    if (bench == NULL || result == NULL)
        return tern__fail(TERN_E_ARGUMENT, "bench: the %s pointer is NULL",
                          bench == NULL ? "case" : "result");
    if (options == NULL)
        options = &defaults;
    *result = (tern_bench_result){0};
    if (options->samples < 0 || options->samples > TERN_BENCH_MAX_SAMPLES)
        return tern__fail(TERN_E_ARGUMENT, "bench: %d samples, allowed are 1..%d", options->samples,
                          TERN_BENCH_MAX_SAMPLES);
    void *state = NULL;
    double work = 0;
    tern_status status = bench->setup(bench, options, &state, &work);
    if (status != TERN_OK)
        return status;
    status = tern__bench_measure(bench, state, work, options, result);
    bench->teardown(state);
    return status;
}
