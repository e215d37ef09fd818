/* SPDX-License-Identifier: MIT */
#include "bench/bench.h"

#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"
#include "bench/noise.h"
#include "bench/statistics.h"

enum { DEFAULT_SAMPLES = 21 };
static const double DEFAULT_SAMPLE_SECONDS = 0.01;
/* More calls than this in one sample mean that the clock stands still. */
static const int64_t MAX_CALLS = INT64_C(1) << 40;
static const uint64_t BOOTSTRAP_SEED = 1;

static const tern_bench_case *const registered[] = {
    &tern__bench_team_run,    &tern__bench_tensor_create,  &tern__bench_tensor_sites,
    &tern__bench_memory_read, &tern__bench_ternary_decode, &tern__bench_ternary_prefill,
    &tern__bench_matmul_f16,  &tern__bench_matmul_f64,     &tern__bench_matmul_i8,
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

/* -- the clock ---------------------------------------------------------------------------------*/

static _Thread_local int reading_side = -1;
static _Thread_local bool reading_is_end;

int tern__bench_side(void) {
    return reading_side;
}

bool tern__bench_is_end(void) {
    return reading_is_end;
}

uint64_t tern__bench_clock(int side, bool is_end) {
    reading_side = side;
    reading_is_end = is_end;
    uint64_t now = tern__os()->clock_ns();
    reading_side = -1;
    reading_is_end = false;
    return now;
}

/* -- samples -----------------------------------------------------------------------------------*/

static tern_status time_calls(const tern_bench_case *bench, void *state, int side, int64_t calls,
                              double *seconds) {
    uint64_t begin = tern__bench_clock(side, false);
    tern_status status = bench->run(state, side, calls);
    uint64_t end = tern__bench_clock(side, true);
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

/* -- summing up --------------------------------------------------------------------------------*/

/* Memory of one measurement. */
typedef struct sample_room {
    double *block;
    double *samples[TERN_BENCH_SIDES]; /* (rounds) seconds a call */
    double *loops;                     /* (rounds + 1) */
    double *scratch;
} sample_room;

static tern_status make_room(const tern_bench_result *result, sample_room *room) {
    int64_t n = result->samples;
    int64_t numbers = (TERN_BENCH_SIDES + 1) * n + 1 + tern__bootstrap_room(result->sides, n);
    room->block = tern__os()->alloc((size_t)numbers * sizeof *room->block);
    if (room->block == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for %lld samples", (long long)n);
    for (int side = 0; side < TERN_BENCH_SIDES; side++)
        room->samples[side] = room->block + side * n;
    room->loops = room->block + TERN_BENCH_SIDES * n;
    room->scratch = room->loops + n + 1;
    return TERN_OK;
}

/* Ratios round by round. */
static void sum_up_pairs(tern_bench_result *result, const sample_room *room, int side) {
    int64_t n = result->samples;
    double *pairs = room->scratch;
    for (int64_t i = 0; i < n; i++)
        pairs[i] = room->samples[side][i] / room->samples[0][i];
    tern__sort_samples(pairs, n);
    result->ratios_p5[side] = tern__sample_quantile(pairs, n, 0.05);
    result->ratios_p95[side] = tern__sample_quantile(pairs, n, 0.95);
}

static void sum_up_side(tern_bench_side *side, double *samples, int64_t n) {
    tern__sort_samples(samples, n);
    side->median = tern__sample_quantile(samples, n, 0.5);
    side->p5 = tern__sample_quantile(samples, n, 0.05);
    side->p95 = tern__sample_quantile(samples, n, 0.95);
}

static void widen(double *low, double *high, double p5, double p95) {
    *low = p5 < *low ? p5 : *low;
    *high = p95 > *high ? p95 : *high;
}

static void sum_up(tern_bench_result *result, const sample_room *room) {
    const int64_t n = result->samples;
    tern__interval medians[TERN_BENCH_SIDES], ratios[TERN_BENCH_SIDES] = {{0}};
    tern__rounds rounds = {(const double *const *)room->samples, result->sides, n};
    for (int i = 1; i < result->sides; i++)
        sum_up_pairs(result, room, i);
    tern__bootstrap(&rounds, BOOTSTRAP_SEED, room->scratch, medians, ratios);
    result->is_noisy = tern__noise_is_slowed(room->loops, n + 1, tern__noise_fastest());
    for (int i = 0; i < result->sides; i++) {
        tern_bench_side *side = &result->side[i];
        sum_up_side(side, room->samples[i], n);
        side->low = medians[i].low;
        side->high = medians[i].high;
        if (side->p95 - side->p5 > TERN__NOISY_SPREAD * side->median)
            result->is_noisy = true;
    }
    for (int i = 0; i < result->sides; i++) {
        tern_bench_side *side = &result->side[i];
        result->ratios[i] = i > 0 ? side->median / result->side[0].median : 0;
        result->ratios_low[i] = ratios[i].low;
        result->ratios_high[i] = ratios[i].high;
        if (!result->is_noisy)
            continue;
        widen(&side->low, &side->high, side->p5, side->p95);
        widen(&result->ratios_low[i], &result->ratios_high[i], result->ratios_p5[i],
              result->ratios_p95[i]);
    }
    if (result->sides == 2) {
        result->ratio = result->ratios[1];
        result->ratio_low = result->ratios_low[1];
        result->ratio_high = result->ratios_high[1];
    }
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
    sample_room room = {0};
    tern_status status;
    TERN__TRY(make_room(result, &room));
    if (bench->check != NULL)
        TERN__TRY(bench->check(state));
    for (int side = 0; side < result->sides; side++)
        TERN__TRY(calibrate(bench, state, side, least, &result->side[side].calls));
    room.loops[0] = tern__noise_loop();
    for (int round = 0; round < result->samples; round++) {
        TERN__TRY(sample_round(bench, state, round, result, room.samples));
        room.loops[round + 1] = tern__noise_loop();
    }
    sum_up(result, &room);
done:
    tern__os()->free(room.block);
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
