/* SPDX-License-Identifier: MIT
 * Targets M1a, M1b and M2 beside llama-bench: both programs take turns with the same work, the
 * other one counts its own time, as it loads its model each time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/cpu.h"
#include "base/os.h"
#include "base/status.h"
#include "base/threads.h"
#include "bench/bench.h"
#include "bench/llama_bench.h"
#include "bench/model_rows.h"
#include "bench/noise.h"
#include "bench/statistics.h"

enum { PROMPT = 512, GENERATED = 128, QUICK_PROMPT = 64, QUICK_GENERATED = 16, CHECKED = 8 };
static const uint64_t BOOTSTRAP_SEED = 1;

typedef struct match {
    const tern__model_table *table;
    tern__model_work work;
    int64_t tokens;
    tern__model_run run;
    tern__llama_job job;
    tern__llama_result peer; /* the last */
    double load;             /* by others while Tern had its turns, the most; NaN */
} match;

/* -- rounds ------------------------------------------------------------------------------------*/

static tern_status time_tern(match *m, double *seconds) {
    tern__noise_window window;
    tern__noise_begin(&window);
    uint64_t begin = tern__bench_clock(0, false);
    tern_status status = m->work == TERN__WORK_PROMPT ? tern__model_run_prompt(&m->run)
                                                      : tern__model_run_generate(&m->run);
    *seconds = (double)(tern__bench_clock(0, true) - begin) * 1e-9;
    double load = tern__noise_end(&window);
    m->load = isnan(m->load) || load > m->load ? load : m->load;
    return status;
}

static tern_status time_peer(match *m, double *seconds) {
    tern__threads_pin(false); /* or the program would stay where this thread is */
    tern_status status = tern__llama_bench(&m->job, &m->peer);
    tern__threads_pin(true);
    double parameters = (double)m->table->info.parameters;
    if (status != TERN_OK)
        return status;
    if (fabs(m->peer.parameters - parameters) > 0.01 * parameters)
        return tern__fail(TERN_E_UNSUPPORTED, "its model has %.4g parameters, Tern's %.4g",
                          m->peer.parameters, parameters);
    *seconds = (double)m->tokens / m->peer.rate;
    return TERN_OK;
}

/* Which goes first changes from round to round. */
static tern_status take_turns(match *m, int rounds, double *const samples[2]) {
    tern_status status = tern__model_run_check(&m->run, CHECKED);
    if (status == TERN_OK)
        status = time_tern(m, &samples[0][0]); /* a warm-up, as the other one does */
    for (int i = 0; i < 2 * rounds && status == TERN_OK; i++) {
        bool is_peer = (i + i / 2) % 2 != 0;
        status = (is_peer ? time_peer : time_tern)(m, &samples[is_peer][i / 2]);
    }
    return status;
}

static void sum_up(double *const samples[2], int n, double *scratch, tern_bench_row *row) {
    const double *const sides[2] = {samples[0], samples[1]};
    tern__rounds rounds = {sides, 2, n};
    tern__interval medians[2], ratios[2];
    tern__bootstrap(&rounds, BOOTSTRAP_SEED, scratch, medians, ratios);
    double *pairs = scratch;
    for (int i = 0; i < n; i++)
        pairs[i] = samples[1][i] / samples[0][i];
    tern__row_samples(row, pairs, n);
    row->p99 = NAN;
    for (int side = 0; side < 2; side++)
        tern__sort_samples(samples[side], n);
    row->median =
        tern__sample_quantile(samples[1], n, 0.5) / tern__sample_quantile(samples[0], n, 0.5);
    row->low = ratios[1].low;
    row->high = ratios[1].high;
    row->is_noisy = row->p95 - row->p5 > TERN__NOISY_SPREAD * row->median;
    if (row->is_noisy) { /* as the harness has it */
        row->low = row->p5 < row->low ? row->p5 : row->low;
        row->high = row->p95 > row->high ? row->p95 : row->high;
    }
}

static tern_status measure(match *m, int rounds, tern_bench_row *row) {
    int64_t numbers = 2 * rounds + tern__bootstrap_room(2, rounds);
    double *room = tern__os()->alloc((size_t)numbers * sizeof *room);
    if (room == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for %d rounds", rounds);
    double *const samples[2] = {room, room + rounds};
    tern_status status = take_turns(m, rounds, samples);
    if (status == TERN_OK) {
        sum_up(samples, rounds, room + 2 * rounds, row);
        row->load = m->load;
        double ours = tern__sample_quantile(samples[0], rounds, 0.5);
        double theirs = tern__sample_quantile(samples[1], rounds, 0.5);
        snprintf(row->detail, sizeof row->detail,
                 "%.4g tok/s, weights of %s bits; llama-bench %s, %s: %.4g tok/s",
                 (double)m->tokens / ours,
                 m->table->info.storage == TERN_STORAGE_1_6_BIT ? "1.6" : "2", m->peer.build,
                 m->peer.model, (double)m->tokens / theirs);
    }
    tern__os()->free(room);
    return status;
}

/* -- rows --------------------------------------------------------------------------------------*/

static void set_target(const tern__model_table *t, tern__model_work work, tern_bench_row *row) {
    static const struct {
        uint32_t unit;
        double floor, goal;
    } prompts[] = {{TERN__CPU_AMX_INT8, 8, 20},
                   {TERN__CPU_AVX512_VNNI, 3, 5},
                   {TERN__CPU_AVX_VNNI, 3, 5},
                   {TERN__CPU_AVX2, 1.8, 2.8}};
    row->is_least = row->is_ratio = true;
    if (work != TERN__WORK_PROMPT) {
        row->floor = work == TERN__WORK_ALL_LOGITS ? 1.5 : 1.8;
        row->goal = work == TERN__WORK_ALL_LOGITS ? 1.8 : 2.5;
        return;
    }
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++)
        if ((t->features & prompts[i].unit) != 0) {
            row->floor = prompts[i].floor;
            row->goal = prompts[i].goal;
            return;
        }
}

/* A file of its own, of another architecture or with another head; else the one of Tern. */
static const char *peer_model(const tern__model_table *t, tern__model_work work) {
    const tern_bench_table_options *o = &t->table->options;
    const char *best = tern__peer_path(o, "llama-model-best");
    const char *model = tern__peer_path(o, "llama-model");
    if (work == TERN__WORK_BEST_LOGIT && best != NULL)
        return best;
    return model != NULL ? model : o->model;
}

static tern_status run_match(match *m, int team, tern_bench_row *row) {
    const tern__model_table *t = m->table;
    bool is_prompt = m->work == TERN__WORK_PROMPT;
    tern_bench_model_options options = {.prompt_tokens = is_prompt ? m->tokens : 0,
                                        .generated_tokens = is_prompt ? 0 : m->tokens,
                                        .best = m->work == TERN__WORK_BEST_LOGIT};
    tern_status status = tern__model_run_open(t->context[team], t->model, &options, &m->run);
    if (status != TERN_OK)
        return status;
    m->job.prompt_tokens = options.prompt_tokens;
    m->job.generated_tokens = options.generated_tokens;
    m->job.threads = t->threads[team];
    status = measure(m, (t->table->options.samples + 2) / 2, row);
    tern__model_run_close(&m->run);
    return status;
}

static tern_status show_match(const tern__model_table *t, tern__model_work work, int team,
                              const char *program) {
    char what[80];
    bool is_prompt = work == TERN__WORK_PROMPT, is_quick = t->table->options.is_quick;
    int64_t tokens =
        is_prompt ? (is_quick ? QUICK_PROMPT : PROMPT) : (is_quick ? QUICK_GENERATED : GENERATED);
    snprintf(what, sizeof what, "%s%lld%s, %d thread%s, against llama-bench",
             is_prompt ? "pp" : "tg", (long long)tokens,
             work == TERN__WORK_BEST_LOGIT ? ", screened" : "", t->threads[team],
             t->threads[team] > 1 ? "s" : "");
    tern_bench_row row = tern__row(tern__model_work_ids[work], what, "x");
    set_target(t, work, &row);
    if (tern__row_listed(t->table, &row) || tern__model_row_missing(t, &row))
        return TERN_OK;
    match m = {.table = t, .work = work, .tokens = tokens, .load = NAN};
    m.job = (tern__llama_job){.program = program, .model = peer_model(t, work)};
    tern_status status =
        m.job.model != NULL
            ? run_match(&m, team, &row)
            : tern__fail(TERN_E_UNSUPPORTED, "llama-bench needs a file of the same shape: --model "
                                             "FILE or --peer llama-model=FILE");
    tern__table_rest(t->table);
    if (status != TERN_OK)
        return tern__model_row_failed(t, &row, status);
    tern__model_row_show(t, &row);
    return TERN_OK;
}

tern_status tern__model_beside_peer(const tern__model_table *t, const char *program) {
    tern_status status = TERN_OK;
    for (int work = 0; work < TERN__WORKS; work++)
        for (int team = 0; team < t->team_count && status == TERN_OK; team++)
            if (tern__is_asked_for(t->table, tern__model_work_ids[work]))
                status = show_match(t, (tern__model_work)work, team, program);
    return status;
}
