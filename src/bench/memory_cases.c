/* SPDX-License-Identifier: MIT
 * The workload of target T3 as single benchmarks: a call is one batch. */
#include "base/os.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/memory_churn.h"

enum { PLAN_BATCHES = 2048, STEP = 256 };
static const uint64_t PLAN_SEED = 11;

typedef struct churn_state {
    tern__churn_plan *plan;
    tern__churn_side side;
    tern__churn churn;
    uint64_t stamps[STEP + 1];
} churn_state;

static void churn_teardown(void *state) {
    churn_state *s = state;
    tern__churn_close(&s->churn);
    tern__churn_plan_destroy(s->plan);
    tern__os()->free(s);
}

static tern_status churn_setup(const tern_bench_case *self, const tern_bench_options *options,
                               void **state, double *work) {
    churn_state *s = tern__os()->alloc(sizeof *s);
    if (s == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for %s", self->name);
    tern_status status = TERN_OK;
    s->side = (tern__churn_side){.name = self->name,
                                 .tracking = *(const tern_tracking *)self->parameter,
                                 .cpu = options->cpu,
                                 .number = -1};
    TERN__TRY(tern__churn_plan_create(PLAN_SEED, TERN__CHURN_LIVE, PLAN_BATCHES, &s->plan));
    TERN__TRY(tern__churn_open(s->plan, &s->side, &s->churn));
    *work = TERN__CHURN_BATCH;
    *state = s;
    return TERN_OK;
done:
    churn_teardown(s);
    return status;
}

static tern_status churn_check(void *state) {
    churn_state *s = state;
    tern_status status = tern__churn_check(&s->churn);
    if (status == TERN_OK && tern_context_memory(s->churn.context).live_tensors != s->plan->live)
        status = tern__fail(TERN_E_INTERNAL, "bench: %s: the context counts other tensors",
                            s->side.name);
    return status;
}

static tern_status churn_run(void *state, int side, int64_t calls) {
    (void)side;
    churn_state *s = state;
    tern_status status = TERN_OK;
    for (int64_t done = 0; done < calls && status == TERN_OK; done += STEP)
        status = tern__churn_run(&s->churn, calls - done < STEP ? calls - done : STEP, s->stamps);
    return status;
}

static const tern_tracking counts = TERN_TRACK_COUNTS, sites = TERN_TRACK_SITES;

const tern_bench_case tern__bench_tensor_create = {
    .name = "tensor_create",
    .summary = "creates and releases 64 tensors of 16 B to 1 MiB, random ones of 10 000 alive",
    .unit = "tensor",
    .side = {"tern"},
    .parameter = &counts,
    .setup = churn_setup,
    .check = churn_check,
    .run = churn_run,
    .teardown = churn_teardown,
};

const tern_bench_case tern__bench_tensor_sites = {
    .name = "tensor_sites",
    .summary = "the same, with the site of every tensor on record (level sites)",
    .unit = "tensor",
    .side = {"tern"},
    .parameter = &sites,
    .setup = churn_setup,
    .check = churn_check,
    .run = churn_run,
    .teardown = churn_teardown,
};
