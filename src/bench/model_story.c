/* SPDX-License-Identifier: MIT
 * Targets M5 and M6: that the story model computes what it must, near the float64 reference and to
 * the last bit, whatever computes it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/cpu.h"
#include "base/os.h"
#include "base/status.h"
#include "bench/device_list.h"
#include "bench/model_rows.h"
#include "bench/story.h"

enum { CHUNK = 64, BEST = 40 };

const char *tern__model_story_path(const tern__model_table *t) {
    const tern_bench_table_options *o = &t->table->options;
    return o->story != NULL ? o->story : o->model;
}

/* A model with a session, in a context of its own or in another one's. */
typedef struct story {
    tern_context *context; /* its own; NULL */
    tern_model *model;
    tern_session *session;
} story;

static void close_story(story *s) {
    tern_session_destroy(s->session);
    tern_model_release(s->model);
    tern_context_destroy(s->context);
    *s = (story){0};
}

static tern_status open_story_on(const tern_options *of_context, const char *path,
                                 const tern_model_options *options, story *s) {
    tern_status status;
    *s = (story){0};
    TERN__TRY(tern_context_create(of_context, &s->context));
    TERN__TRY(tern_model_load(s->context, path, options, &s->model));
    TERN__TRY(tern__story_check(s->model));
    TERN__TRY(tern_session_create(s->context, s->model, NULL, &s->session));
done:
    if (status != TERN_OK)
        close_story(s);
    return status;
}

static tern_status open_story(const char *path, const char *level, int threads,
                              const tern_model_options *options, story *s) {
    tern_options processor = {.device = "cpu", .threads = threads, .cpu = level};
    return open_story_on(&processor, path, options, s);
}

/* Shows the row as NOT MEASURED where there is no model at all. */
static bool is_missing(const tern__model_table *t, tern_bench_row *row) {
    if (tern__model_story_path(t) != NULL)
        return false;
    snprintf(row->detail, sizeof row->detail,
             "needs the story model that comes along, tern-story-i2_s.gguf");
    tern__row_show(t->table, row);
    return true;
}

/* -- M5 ----------------------------------------------------------------------------------------*/

static tern_status show_likelihood(const tern__model_table *t) {
    const tern_bench_table_options *o = &t->table->options;
    tern_bench_row row = tern__row("M5", "mean NLL of held-out text against float64", "%");
    row.floor = 0.1;
    row.goal = 0.02;
    if (tern__row_listed(t->table, &row) || is_missing(t, &row))
        return TERN_OK;
    story s;
    double mean = 0;
    int64_t tokens = 0;
    tern_status status = open_story(tern__model_story_path(t), o->cpu, o->threads, NULL, &s);
    if (status == TERN_OK)
        status = tern__story_nll(s.model, s.session, &mean, &tokens);
    close_story(&s);
    if (status != TERN_OK)
        return tern__model_row_failed(t, &row, status);
    double percent = 100 * (mean / tern__story_mean_nll - 1);
    tern__row_count(&row, fabs(percent));
    snprintf(row.detail, sizeof row.detail, "%.6f, reference %.6f over %lld tokens: %+.4f %%", mean,
             tern__story_mean_nll, (long long)tokens, percent);
    tern__row_show(t->table, &row);
    return TERN_OK;
}

/* -- M6: one hash ------------------------------------------------------------------------------*/

typedef struct hashes {
    const tern__model_table *table;
    int count, differing;
    char levels[96], first[96]; /* that were tried; the first configuration that differs */
} hashes;

static void add_text(char *text, size_t size, const char *more) {
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "", more);
}

/* One configuration more, in the session or, with a batch, in one of its own. */
static tern_status try_hash(hashes *h, const story *s, const char *level, int64_t chunk,
                            int64_t batch, tern_context *context) {
    uint64_t hash = 0;
    tern_session *session = NULL;
    tern_session_options options = {.batch = batch};
    tern_status status = tern_session_create(context, s->model, &options, &session);
    if (status == TERN_OK)
        status = tern__story_hash(s->model, session, chunk, &hash);
    tern_session_destroy(session);
    if (status != TERN_OK)
        return status;
    h->count++;
    if (hash != TERN__STORY_HASH && h->differing++ == 0)
        snprintf(h->first, sizeof h->first,
                 "; level %s, %s bits, %d threads, chunks of %lld: %016llx", level,
                 tern_model_describe(s->model).storage == TERN_STORAGE_1_6_BIT ? "1.6" : "2",
                 tern_context_threads(context), (long long)chunk, (unsigned long long)hash);
    return TERN_OK;
}

/* Both storages of weights at one level, on all threads. The plain level takes seconds: only where
 * there is time, and once. */
static tern_status hash_level(hashes *h, const char *level) {
    const tern_bench_table_options *o = &h->table->table->options;
    bool is_plain = strcmp(level, "scalar") == 0;
    tern_status status = TERN_OK;
    add_text(h->levels, sizeof h->levels, level);
    for (int i = 0; i < (is_plain ? 1 : 2) && status == TERN_OK; i++) {
        tern_model_options options = {.storage =
                                          i == 0 ? TERN_STORAGE_2_BIT : TERN_STORAGE_1_6_BIT};
        story s;
        status = open_story(tern__model_story_path(h->table), level, o->threads, &options, &s);
        if (status == TERN_OK)
            status = try_hash(h, &s, level, CHUNK, 0, s.context);
        close_story(&s);
    }
    return status;
}

static tern_status hash_levels(hashes *h) {
    uint32_t features;
    tern_status status = TERN_OK;
    const char *level;
    for (int i = 0; (level = tern__cpu_level_name(i)) != NULL && status == TERN_OK; i++) {
        bool is_here = tern__cpu_level(level, &features) == TERN_OK &&
                       (features & ~h->table->features) == 0 && strcmp(level, "native") != 0;
        bool is_slow = strcmp(level, "scalar") == 0 && h->table->table->options.is_quick;
        if (is_here && !is_slow)
            status = hash_level(h, level);
    }
    return status;
}

/* 1, 2, 3, 4, 6, 8, 12, ... and all threads, with one model; then pieces of the text and batches.
 */
static tern_status hash_cuts(hashes *h) {
    static const int64_t chunks[] = {1, 7, TERN__STORY_TOKENS}, batches[] = {1, 16};
    const tern_bench_table_options *o = &h->table->table->options;
    const char *level = o->cpu != NULL && o->cpu[0] != '\0' ? o->cpu : "native";
    story s;
    tern_status status = open_story(tern__model_story_path(h->table), o->cpu, o->threads, NULL, &s);
    for (int threads = 1; threads < o->threads && status == TERN_OK;
         threads = threads < 3        ? threads + 1
                   : threads % 3 == 0 ? threads / 3 * 4
                                      : threads / 2 * 3) {
        tern_context *context = NULL;
        status = tern_context_create(
            &(tern_options){.device = "cpu", .threads = threads, .cpu = o->cpu}, &context);
        if (status == TERN_OK)
            status = try_hash(h, &s, level, CHUNK, 0, context);
        tern_context_destroy(context);
    }
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks && status == TERN_OK; i++)
        status = try_hash(h, &s, level, chunks[i], 0, s.context);
    for (size_t i = 0; i < sizeof batches / sizeof *batches && status == TERN_OK; i++)
        status = try_hash(h, &s, level, TERN__STORY_TOKENS, batches[i], s.context);
    close_story(&s);
    return status;
}

static tern_status show_hash(const tern__model_table *t) {
    tern_bench_row row = tern__row("M6", "hash of all logits: runs that differ", "");
    row.floor = row.goal = 0;
    if (tern__row_listed(t->table, &row) || is_missing(t, &row))
        return TERN_OK;
    hashes h = {.table = t};
    tern_status status = hash_levels(&h);
    if (status == TERN_OK)
        status = hash_cuts(&h);
    if (status != TERN_OK)
        return tern__model_row_failed(t, &row, status);
    tern__row_count(&row, h.differing);
    snprintf(
        row.detail, sizeof row.detail,
        "%d runs with threads, batches, chunks, storage and levels (%s) of their own: %016llx%s",
        h.count, h.levels, (unsigned long long)TERN__STORY_HASH, h.first);
    tern__row_show(t->table, &row);
    return TERN_OK;
}

/* -- M6: the screened head ---------------------------------------------------------------------*/

/* The next of the largest logits behind `last`: the lowest id first among equals; -1 when there is
 * none, as all the rest are NaN. */
static int32_t next_best(const float *logits, int64_t vocabulary, float last, int32_t last_id) {
    int32_t best = -1;
    for (int32_t i = 0; i < vocabulary; i++) {
        bool is_behind = logits[i] < last || (logits[i] == last && i > last_id);
        if (is_behind && (best < 0 || logits[i] > logits[best]))
            best = i;
    }
    return best;
}

/* Ids and logits of the screened head that are not those of all logits. */
static int64_t count_wrong(const float *all, int64_t vocabulary, const int32_t *ids,
                           const float *logits) {
    int64_t wrong = 0;
    float last = INFINITY;
    int32_t last_id = -1;
    for (int i = 0; i < BEST; i++) {
        last_id = next_best(all, vocabulary, last, last_id);
        if (last_id < 0)
            return wrong + BEST - i;
        last = all[last_id];
        wrong += ids[i] != last_id || memcmp(&logits[i], &last, sizeof last) != 0;
    }
    return wrong;
}

/* The text, then greedy tokens: each by a session with all logits and by one with the screen. */
static tern_status compare_heads(const story *full, const story *screened, int64_t *wrong) {
    int64_t vocabulary = tern_model_describe(full->model).vocabulary, count = 0;
    int32_t tokens[TERN__STORY_TOKENS], ids[BEST];
    float best[BEST], *all = tern__os()->alloc((size_t)vocabulary * sizeof *all);
    tern_status status;
    if (all == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for logits");
    TERN__TRY(tern__story_encode(full->model, tokens, &count));
    for (int step = 0; step <= TERN__STORY_STEPS; step++, count = 1, tokens[0] = ids[0]) {
        TERN__TRY(tern_session_eval(full->session, tokens, count, TERN_LOGITS_LAST, all));
        TERN__TRY(tern_session_eval_best(screened->session, tokens, count, BEST, ids, best));
        *wrong += count_wrong(all, vocabulary, ids, best);
    }
done:
    tern__os()->free(all);
    return status;
}

static tern_status show_screen(const tern__model_table *t) {
    const tern_bench_table_options *o = &t->table->options;
    const char *path = tern__model_story_path(t);
    tern_bench_row row = tern__row("M6", "screened head: values that differ", "");
    row.floor = row.goal = 0;
    if (tern__row_listed(t->table, &row) || is_missing(t, &row))
        return TERN_OK;
    story full = {0}, screened = {0};
    int64_t wrong = 0;
    tern_status status;
    TERN__TRY(
        open_story(path, o->cpu, o->threads, &(tern_model_options){.head = TERN_HEAD_FULL}, &full));
    TERN__TRY(open_story(path, o->cpu, o->threads,
                         &(tern_model_options){.head = TERN_HEAD_SCREENED}, &screened));
    TERN__TRY(compare_heads(&full, &screened, &wrong));
    tern__row_count(&row, (double)wrong);
    snprintf(row.detail, sizeof row.detail, "the %d largest of %d steps against all logits", BEST,
             TERN__STORY_STEPS + 1);
    tern__row_show(t->table, &row);
done:
    close_story(&screened);
    close_story(&full);
    return status == TERN_OK ? status : tern__model_row_failed(t, &row, status);
}

/* -- M6: elsewhere -----------------------------------------------------------------------------*/

static tern_status hash_on_device(hashes *h, const tern_device_info *device) {
    const tern__model_table *t = h->table;
    tern_options options = {
        .device = device->name, .threads = t->table->options.threads, .cpu = t->table->options.cpu};
    story s;
    add_text(h->levels, sizeof h->levels, device->name);
    tern_status status = open_story_on(&options, tern__model_story_path(t), NULL, &s);
    if (status == TERN_OK)
        status = try_hash(h, &s, device->name, CHUNK, 0, s.context);
    close_story(&s);
    return status;
}

static tern_status show_devices(const tern__model_table *t) {
    tern_bench_row row = tern__row("M6", "hash on devices: runs that differ", "");
    tern__device_list list;
    row.goal = 0;
    if (tern__row_listed(t->table, &row) || is_missing(t, &row))
        return TERN_OK;
    hashes h = {.table = t};
    tern_status status = tern__device_list_find(&t->table->options, &list);
    for (int i = 0; i < list.count && status == TERN_OK; i++)
        if (list.info[i].keeps_bits)
            status = hash_on_device(&h, &list.info[i]);
    if (status != TERN_OK)
        return tern__model_row_failed(t, &row, status);
    if (h.count > 0)
        tern__row_count(&row, h.differing);
    if (h.count > 0)
        snprintf(row.detail, sizeof row.detail, "%s: %016llx%s", h.levels,
                 (unsigned long long)TERN__STORY_HASH, h.first);
    else
        snprintf(row.detail, sizeof row.detail, "%s",
                 list.count > 0 ? "the devices do not keep the bits" : list.why);
    tern__row_show(t->table, &row);
    return TERN_OK;
}

static void show_ranks(const tern__model_table *t) {
    tern_bench_row row = tern__row("M6", "hash over MPI ranks: runs that differ", "");
    row.goal = 0;
    if (tern__row_listed(t->table, &row))
        return;
    snprintf(row.detail, sizeof row.detail, "not built: a model runs in one process");
    tern__row_show(t->table, &row);
}

tern_status tern__model_story(const tern__model_table *t) {
    tern_status status = TERN_OK;
    if (tern__is_asked_for(t->table, "M5"))
        status = show_likelihood(t);
    if (!tern__is_asked_for(t->table, "M6") || status != TERN_OK)
        return status;
    status = show_hash(t);
    if (status == TERN_OK)
        status = show_screen(t);
    if (status == TERN_OK)
        status = show_devices(t);
    if (status == TERN_OK)
        show_ranks(t);
    return status;
}
