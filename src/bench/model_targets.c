/* SPDX-License-Identifier: MIT
 * The table of models: targets M1 to M6. A random model of the 2B4T shape or a file is made once
 * and used by one thread and by all. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/os.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/model_rows.h"

enum { ROUNDS = 5, QUICK_ROUNDS = 2, FIRST_TOKENS = 16, RESIDENT_TOKENS = 16 };

const char *const tern__model_work_ids[TERN__WORKS] = {"M1a", "M1b", "M2"};

tern_context *tern__model_context(const tern__model_table *t) {
    return t->context[t->team_count - 1];
}

double tern__model_products(const tern_model_info *m) {
    double heads = (double)(m->heads * m->head_size), kv = (double)(m->kv_heads * m->head_size);
    double attention = (double)m->width * (2 * heads + 2 * kv);
    return (double)m->layers * (attention + 3 * (double)m->width * (double)m->ffn_width);
}

/* -- rows --------------------------------------------------------------------------------------*/

void tern__model_row_show(const tern__model_table *t, tern_bench_row *row) {
    if (!t->is_judged && !isnan(row->median))
        tern__row_tell(row, "the target is about the 2B4T shape");
    tern__row_show(t->table, row);
}

bool tern__model_row_missing(const tern__model_table *t, tern_bench_row *row) {
    if (t->model != NULL)
        return false;
    snprintf(row->detail, sizeof row->detail, "%s", t->why);
    tern__row_show(t->table, row);
    return true;
}

static bool is_about_file(tern_status status) {
    return status == TERN_E_NOT_FOUND || status == TERN_E_IO || status == TERN_E_FORMAT;
}

tern_status tern__model_row_failed(const tern__model_table *t, tern_bench_row *row,
                                   tern_status status) {
    return tern__row_failed(t->table, row, is_about_file(status) ? TERN_E_UNSUPPORTED : status);
}

/* -- the model ---------------------------------------------------------------------------------*/

static bool is_2b4t(const tern_model_info *m) {
    return m->layers == 30 && m->width == 2560 && m->heads == 20 && m->kv_heads == 5 &&
           m->head_size == 128 && m->ffn_width == 6912 && m->vocabulary == 128256;
}

static tern_status make_model(tern__model_table *t) {
    const tern_bench_table_options *o = &t->table->options;
    tern_model_options options = {.head = o->is_quick ? TERN_HEAD_SCREENED : TERN_HEAD_AUTO};
    tern_status status = TERN_OK;
    for (int i = t->team_count - 1; i >= 0 && status == TERN_OK; i--) {
        tern_options team = {.device = "cpu", .threads = t->threads[i], .cpu = o->cpu};
        status = tern_context_create(&team, &t->context[i]);
    }
    if (status == TERN_OK)
        status = o->model != NULL
                     ? tern_model_load(tern__model_context(t), o->model, &options, &t->model)
                     : tern_model_random(tern__model_context(t), t->shape, 1, &options, &t->model);
    return status;
}

/* What the largest tensors between two layers take for one token: x, its norm, queries, keys,
 * values, the attention's result, gate and up; then the logits. */
static double activation_bytes(const tern_model_info *m) {
    double values = 2 * (double)m->width + 2 * (double)(m->heads * m->head_size) +
                    2 * (double)(m->kv_heads * m->head_size) + 2 * (double)m->ffn_width +
                    (double)m->vocabulary;
    return values * sizeof(float);
}

/* Generates with and without the screen, so that all that the model needs has been touched. */
static tern_status generate_both(tern__model_table *t, size_t *cache_bytes) {
    tern__model_run run;
    tern_bench_model_options options = {.generated_tokens = RESIDENT_TOKENS};
    tern_status status = tern__model_run_open(tern__model_context(t), t->model, &options, &run);
    if (status != TERN_OK)
        return status;
    *cache_bytes = tern_session_cache_bytes(run.session);
    status = tern__model_run_generate(&run);
    run.best = 1;
    if (status == TERN_OK)
        status = tern__model_run_generate(&run);
    t->resident = (double)tern__os_resident_bytes() - t->resident;
    tern__model_run_close(&run);
    return status;
}

static tern_status open_model(tern__model_table *t) {
    size_t cache = 0;
    t->resident = (double)tern__os_resident_bytes();
    tern_status status = make_model(t);
    if (status == TERN_OK)
        status = generate_both(t, &cache);
    if (status != TERN_OK) {
        tern_model_release(t->model);
        t->model = NULL;
        snprintf(t->why, sizeof t->why, "%s", tern_last_error());
        bool is_here = status != TERN_E_MEMORY && status != TERN_E_LIMIT &&
                       status != TERN_E_UNSUPPORTED && !is_about_file(status);
        return is_here ? status : TERN_OK;
    }
    t->info = tern_model_describe(t->model);
    t->is_judged = is_2b4t(&t->info);
    double weights = (double)t->info.weight_bytes, activations = activation_bytes(&t->info);
    t->paper = weights + (double)cache + activations;
    snprintf(t->parts, sizeof t->parts,
             "weights and head %.1f, keys and values %.1f, "
             "activations %.1f MiB",
             weights / 1048576, (double)cache / 1048576, activations / 1048576);
    return TERN_OK;
}

static void close_model(tern__model_table *t) {
    tern_model_release(t->model);
    t->model = NULL;
    for (int i = 0; i < t->team_count; i++) {
        tern_context_destroy(t->context[i]);
        t->context[i] = NULL;
    }
}

/* -- M3 ----------------------------------------------------------------------------------------*/

static void show_resident(const tern__model_table *t) {
    tern_bench_row row = tern__row("M3", "resident memory while generating, over paper", "x");
    row.floor = 1.10;
    row.goal = 1.02;
    if (tern__row_listed(t->table, &row) || tern__model_row_missing(t, &row))
        return;
    if (tern__os_resident_bytes() == 0) {
        snprintf(row.detail, sizeof row.detail, "this system does not tell resident memory");
        tern__row_show(t->table, &row);
        return;
    }
    tern__row_count(&row, t->resident / t->paper);
    snprintf(row.detail, sizeof row.detail,
             "%.1f MiB more than before the load; paper %.1f MiB: %s", t->resident / 1048576,
             t->paper / 1048576, t->parts);
    tern__model_row_show(t, &row);
}

/* -- M4 ----------------------------------------------------------------------------------------*/

typedef struct first_token {
    const char *path;
    tern_options context;
    double load_seconds; /* of the last call */
    int32_t token;
    bool is_2b4t;
} first_token;

static int32_t largest(const float *logits, int64_t count) {
    int64_t at = 0;
    for (int64_t i = 1; i < count; i++)
        at = logits[i] > logits[at] ? i : at;
    return (int32_t)at;
}

static tern_status make_first_token(first_token *f) {
    tern_context *context = NULL;
    tern_model *model = NULL;
    tern__model_run run = {0};
    tern_bench_model_options options = {.prompt_tokens = FIRST_TOKENS};
    tern_status status;
    TERN__TRY(tern_context_create(&f->context, &context));
    TERN__TRY(tern_model_load(context, f->path, NULL, &model));
    TERN__TRY(tern__model_run_open(context, model, &options, &run));
    TERN__TRY(tern__model_run_prompt(&run));
    tern_model_info info = tern_model_describe(model);
    int32_t token = largest(run.logits, run.vocabulary);
    if (f->token >= 0 && token != f->token)
        TERN__TRY(tern__fail(TERN_E_INTERNAL, "bench: the first token is %d and then %d", f->token,
                             token));
    f->token = token;
    f->load_seconds = info.load_seconds;
    f->is_2b4t = is_2b4t(&info);
done:
    tern__model_run_close(&run);
    tern_model_release(model);
    tern_context_destroy(context);
    return status;
}

static tern_status run_first_token(void *state, int side, int64_t calls) {
    (void)side;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++)
        status = make_first_token(state);
    return status;
}

static tern_status show_first_token(tern__model_table *t) {
    static const tern_bench_case bench = {
        .name = "first token", .side = {"tern"}, .run = run_first_token};
    const tern_bench_table_options *o = &t->table->options;
    tern_bench_row row = tern__row("M4", "load to first token, prompt of 16 tokens", "s");
    row.floor = 1.0;
    row.goal = 0.5;
    if (tern__row_listed(t->table, &row))
        return TERN_OK;
    first_token f = {.path = o->model != NULL ? o->model : tern__model_story_path(t),
                     .context = {.device = "cpu", .threads = o->threads, .cpu = o->cpu},
                     .token = -1};
    if (f.path == NULL) {
        snprintf(row.detail, sizeof row.detail, "needs a file of the 2B4T shape: --model FILE");
        tern__row_show(t->table, &row);
        return TERN_OK;
    }
    tern_bench_options options = {.samples = o->samples, .sample_seconds = 1e-9};
    tern_bench_result result;
    tern_status status = tern__bench_measure(&bench, &f, 1, &options, &result);
    if (status != TERN_OK)
        return tern__model_row_failed(t, &row, status);
    tern__row_time(&row, &result, 0, 1);
    snprintf(row.detail, sizeof row.detail,
             "%s, warm page cache, in a running process; of it %.3g s to open, check and pack",
             strrchr(f.path, '/') != NULL ? strrchr(f.path, '/') + 1 : f.path, f.load_seconds);
    t->is_judged = f.is_2b4t;
    tern__model_row_show(t, &row);
    return TERN_OK;
}

/* -- the table ---------------------------------------------------------------------------------*/

static bool needs_model(const tern__table *table) {
    bool is_asked = tern__is_asked_for(table, "M3");
    for (int work = 0; work < TERN__WORKS; work++)
        is_asked = is_asked || tern__is_asked_for(table, tern__model_work_ids[work]);
    return is_asked && !table->options.is_listing;
}

static tern_status show_all(tern__model_table *t) {
    const char *program = tern__peer_path(&t->table->options, "llama-bench");
    tern_status status = TERN_OK;
    if (needs_model(t->table))
        TERN__TRY(open_model(t));
    TERN__TRY(program != NULL ? tern__model_beside_peer(t, program) : tern__model_speeds(t));
    if (tern__is_asked_for(t->table, "M3"))
        show_resident(t);
    close_model(t);
    if (tern__is_asked_for(t->table, "M4"))
        TERN__TRY(show_first_token(t));
    TERN__TRY(tern__model_story(t));
done:
    return status;
}

static tern_status run_table(tern__table *table, void *state) {
    (void)state;
    tern__model_table t = {
        .table = table, .shape = table->options.is_quick ? "tiny" : "2b4t", .team_count = 1};
    tern_status status = tern__cpu_level(table->options.cpu, &t.features);
    if (status != TERN_OK)
        return status;
    t.threads[0] = 1;
    if (table->options.threads > 1)
        t.threads[t.team_count++] = table->options.threads;
    status = show_all(&t);
    close_model(&t);
    return status;
}

tern_status tern_bench_models(const tern_bench_table_options *options, tern_bench_row_fn visit,
                              void *user) {
    static const tern__table_kind kind = {.names = "M1a,M1b,M2,M3,M4,M5,M6",
                                          .rounds = ROUNDS,
                                          .quick_rounds = QUICK_ROUNDS,
                                          .run = run_table};
    return tern__table_run(&kind, options, visit, user, NULL);
}
