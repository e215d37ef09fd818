/* SPDX-License-Identifier: MIT
 * Targets M1a, M1b and M2 without another program: generation takes turns with plain reads of
 * memory, prompts with the products of bytes that the processor can do, and the row is the share
 * that the model reaches of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/cpu.h"
#include "base/os.h"
#include "base/philox.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/model_rows.h"

enum {
    GENERATED = 16,
    PROMPT = 512,
    PROMPT_OF_ONE = 256, /* on one thread: a whole batch, in half of the time */
    QUICK_PROMPT = 64,
    CHECKED = 8,
    PIECE = 1 << 20,
    HUGE_PAGE = 2 << 20,
    PEAK_CALLS = 50, /* of about a third of a millisecond */
};
#define READ_SET (INT64_C(256) << 20)

typedef struct speed {
    const tern__model_table *table;
    tern__model_run run;
    tern__team *team; /* of the limit: as many threads as the model's */
    tern__model_work work;
    const tern__reader *readers;
    tern__read_job read;
    size_t read_bytes;
    int64_t read_calls; /* in one call of a side */
    tern__peak_job peak;
    int64_t peak_calls;
} speed;

static tern_status run_side(void *user, int side, int64_t calls) {
    speed *s = user;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++) {
        if (side == 0) {
            status = s->work == TERN__WORK_PROMPT ? tern__model_run_prompt(&s->run)
                                                  : tern__model_run_generate(&s->run);
        } else if (s->work == TERN__WORK_PROMPT) {
            for (int64_t call = 0; call < s->peak_calls && status == TERN_OK; call++)
                status = tern__limit_peak_run(&s->peak);
        } else {
            s->read.reader = &s->readers[side - 1];
            for (int64_t call = 0; call < s->read_calls; call++)
                tern__limit_read(&s->read);
        }
    }
    return status;
}

static tern_status check_run(void *user) {
    speed *s = user;
    return tern__model_run_check(&s->run, CHECKED);
}

/* -- work --------------------------------------------------------------------------------------*/

/* What a generation must read: the weights and the head or its screen for each token, and the keys
 * and values of all tokens up to it. */
static double generated_bytes(const speed *s) {
    const tern_model_info *m = &s->table->info;
    double n = (double)s->run.generated_tokens;
    double position = (double)tern_session_cache_bytes(s->run.session) /
                      (double)tern_session_capacity(s->run.session);
    double weights = (double)(s->run.best > 0 ? m->best_bytes : m->token_bytes);
    return n * weights + position * n * (n + 1) / 2;
}

static double prompt_products(const speed *s) {
    return (double)s->run.prompt_tokens * tern__model_products(&s->table->info);
}

static void fill_random(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    for (int64_t at = begin; at < end; at += (int64_t)sizeof(tern__philox_block)) {
        tern__philox_block block = tern__philox(3, (uint64_t)at / sizeof block);
        memcpy((uint8_t *)argument + at, &block, sizeof block);
    }
}

/* Reads about a quarter of what a generation reads, each way of reading. */
static tern_status open_reads(speed *s) {
    bool is_quick = s->table->table->options.is_quick;
    int64_t bytes = tern__limit_memory_set(is_quick ? 1 : READ_SET);
    bytes = tern__round_up_i64(bytes, PIECE);
    void *pages = tern__limit_pages((size_t)bytes);
    if (pages == NULL)
        return TERN_E_MEMORY;
    tern__team_run(s->team, bytes, HUGE_PAGE, fill_random, pages);
    s->read_bytes = (size_t)bytes;
    s->read = (tern__read_job){
        .team = s->team, .data = pages, .bytes = bytes, .piece = PIECE, .repeats = 1};
    s->readers = tern__limit_readers(tern__cpu()->features);
    s->read_calls = tern__max_i64(1, (int64_t)(generated_bytes(s) / 4 / (double)bytes));
    return TERN_OK;
}

static tern_status open_peak(speed *s) {
    const tern__peak *peak = tern__limit_dot(s->table->features);
    if (peak == NULL)
        return tern__fail(TERN_E_UNSUPPORTED, "no unit for products of bytes at this level");
    s->peak = tern__limit_peak_job(s->team, peak);
    s->peak_calls = s->table->table->options.is_quick ? 1 : PEAK_CALLS;
    return TERN_OK;
}

static void close_speed(speed *s) {
    if (s->read_bytes > 0)
        tern__os()->pages_unmap((void *)(uintptr_t)s->read.data, s->read_bytes);
    tern__model_run_close(&s->run);
    tern__team_destroy(s->team);
}

static int64_t prompt_tokens(const tern__model_table *t, int team) {
    if (t->table->options.is_quick)
        return QUICK_PROMPT;
    return t->threads[team] == 1 ? PROMPT_OF_ONE : PROMPT;
}

static tern_status open_speed(speed *s, int team) {
    const tern__model_table *t = s->table;
    bool is_prompt = s->work == TERN__WORK_PROMPT;
    tern_bench_model_options options = {
        .prompt_tokens = is_prompt ? prompt_tokens(t, team) : 0,
        .generated_tokens = is_prompt ? 0 : GENERATED,
        .best = s->work == TERN__WORK_BEST_LOGIT,
    };
    tern_status status = tern__model_run_open(t->context[team], t->model, &options, &s->run);
    if (status == TERN_OK)
        status = tern__team_create(t->threads[team], &s->team);
    if (status == TERN_OK)
        status = is_prompt ? open_peak(s) : open_reads(s);
    return status;
}

/* -- rows --------------------------------------------------------------------------------------*/

/* Work of a call of each side: bytes, or products. */
static double work_of(const speed *s, int side) {
    bool is_prompt = s->work == TERN__WORK_PROMPT;
    if (side == 0)
        return is_prompt ? prompt_products(s) : generated_bytes(s);
    return is_prompt ? (double)s->peak_calls * tern__limit_peak_products(&s->peak)
                     : (double)s->read_calls * (double)s->read.bytes;
}

/* The fastest of the sides behind the first. */
static int limit_side(const tern_bench_result *r) {
    int best = 1;
    for (int side = 2; side < r->sides; side++)
        best = r->side[side].median < r->side[best].median ? side : best;
    return best;
}

/* "37.9 tok/s, 28.3 GB/s; four streams: 33.1 GB/s; a share of ..." */
static void describe(const speed *s, const tern_bench_result *r, int side, tern_bench_row *row) {
    bool is_prompt = s->work == TERN__WORK_PROMPT;
    double scale = is_prompt ? 2e-9 : 1e-9, seconds = r->side[0].median;
    double tokens = (double)(is_prompt ? s->run.prompt_tokens : s->run.generated_tokens);
    const char *unit = is_prompt ? "GOP/s" : "GB/s";
    snprintf(row->detail, sizeof row->detail,
             "%.4g tok/s, %.1f %s, weights of %s bits; %s: %.1f %s; a share of that rate, not a "
             "ratio to another program",
             tokens / seconds, scale * work_of(s, 0) / seconds, unit,
             s->table->info.storage == TERN_STORAGE_1_6_BIT ? "1.6" : "2",
             is_prompt ? s->peak.peak->name : s->readers[side - 1].name,
             scale * work_of(s, side) / r->side[side].median, unit);
}

static tern_status measure(speed *s, tern_bench_row *row) {
    tern_bench_case bench = {
        .name = "model", .side = {"tern", "peak"}, .check = check_run, .run = run_side};
    int samples = s->table->table->options.samples;
    bool is_prompt = s->work == TERN__WORK_PROMPT;
    tern_bench_options options = {.samples = is_prompt ? (samples + 2) / 2 : samples};
    tern_bench_result r;
    for (int i = 0; i < TERN__READERS && !is_prompt; i++)
        bench.side[1 + i] = s->readers[i].name;
    tern__limit_settle(s->team);
    tern_status status = tern__bench_measure(&bench, s, 1, &options, &r);
    if (status != TERN_OK)
        return status;
    int side = limit_side(&r);
    tern__row_ratio(row, &r, side, 100 * work_of(s, 0) / work_of(s, side));
    describe(s, &r, side, row);
    return TERN_OK;
}

static tern_status show_speed(const tern__model_table *t, tern__model_work work, int team) {
    char what[96], threads[24];
    bool is_prompt = work == TERN__WORK_PROMPT;
    snprintf(threads, sizeof threads, "%d thread%s", t->threads[team],
             t->threads[team] > 1 ? "s" : "");
    if (is_prompt)
        snprintf(what, sizeof what, "pp%lld, %s, of the peak", (long long)prompt_tokens(t, team),
                 threads);
    else
        snprintf(what, sizeof what, "tg%d, %s, %s, of the read rate", GENERATED,
                 work == TERN__WORK_BEST_LOGIT ? "screened" : "all logits", threads);
    tern_bench_row row = tern__row(tern__model_work_ids[work], what, "%");
    row.floor = is_prompt ? 50 : 75;
    row.goal = is_prompt ? 80 : 90;
    row.is_least = row.is_ratio = true;
    if (tern__row_listed(t->table, &row) || tern__model_row_missing(t, &row))
        return TERN_OK;
    if (work == TERN__WORK_BEST_LOGIT && t->info.head != TERN_HEAD_SCREENED) {
        snprintf(row.detail, sizeof row.detail, "the head has no screen: %s", t->info.head_reason);
        tern__row_show(t->table, &row);
        return TERN_OK;
    }
    speed s = {.table = t, .work = work};
    tern_status status = open_speed(&s, team);
    if (status == TERN_OK)
        status = measure(&s, &row);
    close_speed(&s);
    if (status != TERN_OK)
        return tern__model_row_failed(t, &row, status);
    tern__model_row_show(t, &row);
    return TERN_OK;
}

tern_status tern__model_speeds(const tern__model_table *t) {
    tern_status status = TERN_OK;
    for (int work = 0; work < TERN__WORKS; work++)
        for (int team = 0; team < t->team_count && status == TERN_OK; team++)
            if (tern__is_asked_for(t->table, tern__model_work_ids[work]))
                status = show_speed(t, (tern__model_work)work, team);
    return status;
}
