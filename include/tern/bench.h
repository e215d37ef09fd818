/* SPDX-License-Identifier: MIT
 *
 * Measuring: the one harness behind every figure that Tern states about speed.
 *
 * A benchmark is a struct of facts and functions. The harness checks its result first, finds how
 * many calls make a sample long enough to time, then takes samples of its two sides in turns (most
 * machines drift more than the sides differ) and reports median, 5th and 95th percentile, and the
 * ratio of the two medians with a bootstrap interval.
 *
 *     tern_bench_result result;
 *     const tern_bench_case *bench = tern_bench_find("team_run");
 *     if (tern_bench_run(bench, NULL, &result) == TERN_OK)
 *         printf("%g ns\n", result.side[0].median * 1e9);
 */
#ifndef TERN_BENCH_H
#define TERN_BENCH_H

#include <tern/base.h>
#include <tern/model.h>
#include <tern/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_bench_options {
    int threads;           /* as in tern_options */
    const char *cpu;       /* kernel level of the first side, as in tern_options */
    int samples;           /* of each side; 0: 21 */
    double sample_seconds; /* least duration of one sample; 0: 0.01 */
} tern_bench_options;

#define TERN_BENCH_SIDES       2
#define TERN_BENCH_MAX_SAMPLES 100000

typedef struct tern_bench_case tern_bench_case;
struct tern_bench_case {
    const char *name;                   /* "ternary_linear" */
    const char *summary;                /* one line: what a call does, with its sizes */
    const char *unit;                   /* of the work that is counted: "B", "mac", "tok", "call" */
    const char *side[TERN_BENCH_SIDES]; /* the second is what the first is compared with, or NULL */
    const void *parameter;              /* for the functions below */

    /* Makes the state and tells how many units of work one call does. On failure it leaves
     * nothing behind. */
    tern_status (*setup)(const tern_bench_case *self, const tern_bench_options *options,
                         void **state, double *work);
    /* Fails when a side computes something wrong. */
    tern_status (*check)(void *state);
    /* Does the work `calls` times on one side, in a way that no compiler can leave out. */
    tern_status (*run)(void *state, int side, int64_t calls);
    void (*teardown)(void *state);
};

typedef struct tern_bench_side {
    int64_t calls;          /* timed together as one sample */
    double median, p5, p95; /* seconds a call */
} tern_bench_side;

typedef struct tern_bench_result {
    int samples;
    int sides;
    double work; /* units in one call */
    tern_bench_side side[TERN_BENCH_SIDES];
    /* Median of the second side over that of the first: above 1 the first is faster. The interval
     * holds 95 % of 2 000 bootstrap medians. 0 when there is one side. */
    double ratio, ratio_low, ratio_high;
    bool is_noisy; /* a side's p5..p95 is wider than a quarter of its median */
} tern_bench_result;

/* The registered benchmarks. */
TERN_API int64_t tern_bench_count(void);
TERN_API const tern_bench_case *tern_bench_at(int64_t index);
TERN_API const tern_bench_case *tern_bench_find(const char *name); /* NULL: there is none */

/* Runs a registered benchmark or one of the caller's own. `options` may be NULL. */
TERN_API tern_status tern_bench_run(const tern_bench_case *bench, const tern_bench_options *options,
                                    tern_bench_result *result);

/* -- whole models, counted as llama-bench does -------------------------------------------------*/

typedef struct tern_bench_model_options {
    int64_t prompt_tokens;    /* evaluated at once in an empty cache ("pp512"); 0: leave out */
    int64_t generated_tokens; /* evaluated one by one from an empty cache ("tg128"), logits each
                                 time; 0: leave out */
    int samples;              /* 0: 5, after one warm-up */
    tern_dtype cache_type;    /* as in tern_session_options */
} tern_bench_model_options;

/* 512, 128, 5. */
TERN_API tern_bench_model_options tern_bench_model_options_default(void);

typedef struct tern_bench_model_result {
    /* One call is the whole prompt or the whole generation, `work` its tokens; samples is 0 for
     * what was left out. */
    tern_bench_result prompt, generation;
    size_t cache_bytes;
    uint64_t resident_bytes; /* of the process, after the measurement */
} tern_bench_model_result;

/* Checks first that a batch of tokens and the same tokens one by one give the same bits. */
TERN_API tern_status tern_bench_model(tern_context *context, tern_model *model,
                                      const tern_bench_model_options *options,
                                      tern_bench_model_result *result);

#ifdef __cplusplus
}
#endif
#endif
