/* SPDX-License-Identifier: MIT
 * Targets T5a to T5c: what the pool takes beyond what was asked for. Committed bytes are those of
 * pages that are or were in use, and those that the pool keeps its books in. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/philox.h"
#include "base/realmath.h"
#include "base/status.h"
#include "bench/memory_bench.h"
#include "bench/memory_trace.h"
#include "tensor/tensor.h"

/* -- T5a: a model ------------------------------------------------------------------------------*/

enum { PROMPT_TOKENS = 20, TOKENS = 100, CONTEXT_TOKENS = 256 };

/* Bytes after so many tokens, in MiB. */
typedef struct course {
    int64_t count;
    double tokens[TOKENS + 1], committed[TOKENS + 1], asked[TOKENS + 1], resident[TOKENS + 1];
} course;

static void note(course *c, tern_context *context, int tokens) {
    const double mib = 1.0 / (1 << 20);
    c->tokens[c->count] = tokens;
    c->committed[c->count] = mib * (double)tern__pool_committed(context->pool);
    c->asked[c->count] = mib * (double)tern_context_memory(context).live_bytes;
    c->resident[c->count] = mib * (double)tern__os_resident_bytes();
    c->count++;
}

static tern_status eval_tokens(tern_context *context, tern_session *session, int64_t vocabulary,
                               course *c) {
    int32_t tokens[PROMPT_TOKENS];
    for (int i = 0; i < PROMPT_TOKENS; i++)
        tokens[i] = (int32_t)(tern__philox(7, (uint64_t)i).word[0] % (uint64_t)vocabulary);
    tern_status status = TERN_OK;
    float *logits = tern__os()->alloc((size_t)vocabulary * sizeof *logits);
    if (logits == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for logits");
    note(c, context, 0);
    TERN__TRY(tern_session_eval(session, tokens, PROMPT_TOKENS, TERN_LOGITS_LAST, logits));
    note(c, context, PROMPT_TOKENS);
    for (int i = PROMPT_TOKENS; i < TOKENS; i++) {
        TERN__TRY(
            tern_session_eval(session, &tokens[i % PROMPT_TOKENS], 1, TERN_LOGITS_LAST, logits));
        note(c, context, i + 1);
    }
done:
    tern__os()->free(logits);
    return status;
}

static tern_status measure_model(tern__memory_bench *bench, const char *shape, course *c) {
    tern_context *context = NULL;
    tern_model *model = NULL;
    tern_session *session = NULL;
    tern_status status = TERN_OK;
    TERN__TRY(tern_context_create(&(tern_options){.device = "cpu",
                                                  .threads = bench->table.options.threads,
                                                  .cpu = bench->table.options.cpu},
                                  &context));
    TERN__TRY(tern_model_random(context, shape, 1, NULL, &model));
    tern_session_options options = {.context_length = CONTEXT_TOKENS};
    TERN__TRY(tern_session_create(context, model, &options, &session));
    TERN__TRY(eval_tokens(context, session, tern_model_describe(model).vocabulary, c));
done:
    tern_session_destroy(session);
    tern_model_release(model);
    tern_context_destroy(context);
    return status;
}

static void add_course(tern_bench_row *row, const char *name, const course *c, const double *y) {
    tern__row_series(row, &(tern_bench_series){.name = name,
                                               .x_unit = "tokens",
                                               .y_unit = "MiB",
                                               .count = c->count,
                                               .x = c->tokens,
                                               .y = y});
}

/* In a quick run the target is about another model: told, not judged. */
static tern_status show_model(tern__memory_bench *bench) {
    bool is_quick = bench->table.options.is_quick;
    const char *shape = is_quick ? "tiny" : "2b4t";
    char what[64];
    course c = {0};
    snprintf(what, sizeof what, "committed but not asked for: %s, %d tokens", shape, TOKENS);
    tern_bench_row row = tern__row("T5a", what, "%");
    row.floor = 10;
    row.goal = 2;
    if (tern__row_listed(&bench->table, &row))
        return TERN_OK;
    tern_status status = measure_model(bench, shape, &c);
    if (status != TERN_OK)
        return tern__row_failed(&bench->table, &row, status);
    double committed = c.committed[c.count - 1], asked = c.asked[c.count - 1];
    double share = 100 * (committed - asked) / asked;
    int length = snprintf(row.detail, sizeof row.detail, "%.1f MiB committed, %.1f MiB asked for",
                          committed, asked);
    if (is_quick)
        snprintf(row.detail + length, sizeof row.detail - (size_t)length,
                 ": %.2f %%, not judged: quick takes the tiny shape", share);
    else
        tern__row_count(&row, share);
    add_course(&row, "committed", &c, c.committed);
    add_course(&row, "asked for", &c, c.asked);
    if (c.resident[0] > 0) /* the system tells */
        add_course(&row, "resident", &c, c.resident);
    tern__row_show(&bench->table, &row);
    return TERN_OK;
}

/* -- T5b: bookkeeping of a tensor --------------------------------------------------------------*/

enum { COUNTED = 10000, TENSOR_BYTES = 4096 };

/* All that the pool commits for COUNTED tensors of 4 KiB, less the 4 KiB, for one of them. */
static tern_status count_rank(tern__memory_bench *bench, int rank, tern_tensor **tensors,
                              double *bytes) {
    tern_context *context;
    tern_options options = {.device = "cpu", .threads = 1, .cpu = bench->table.options.cpu};
    tern_status status = tern_context_create(&options, &context);
    if (status != TERN_OK)
        return status;
    /* 4^5 elements; at rank 0 there is one only. */
    tern_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dims[i] = i < 4 ? 4 : 1;
    if (rank > 0)
        shape.dims[rank - 1] = TENSOR_BYTES / 4 >> 2 * (rank - 1 < 4 ? rank - 1 : 4);
    size_t data = rank > 0 ? TENSOR_BYTES : sizeof(float);
    size_t before = tern__pool_committed(context->pool);
    int made = 0;
    while (made < COUNTED && status == TERN_OK) {
        status = tern_tensor_empty(context, TERN_F32, shape, &tensors[made]);
        made += status == TERN_OK;
    }
    if (status == TERN_OK && tern_tensor_bytes(tensors[0]) != data)
        status = tern__fail(TERN_E_INTERNAL, "bench: a tensor of rank %d has %zu bytes", rank,
                            tern_tensor_bytes(tensors[0]));
    size_t after = tern__pool_committed(context->pool);
    *bytes = (double)(after - before) / COUNTED - (double)data;
    while (made > 0)
        tern_tensor_release(tensors[--made]);
    tern_context_destroy(context);
    return status;
}

/* Counted in a row of all ranks first..last; judged by the worst. */
static void show_ranks(tern__memory_bench *bench, const double *bytes, int first, int last,
                       tern_bench_row *row) {
    size_t length = 0;
    double worst = bytes[first];
    for (int rank = first; rank <= last; rank++) {
        worst = bytes[rank] > worst ? bytes[rank] : worst;
        length += (size_t)snprintf(row->detail + length, sizeof row->detail - length,
                                   "%srank %d: %.1f", rank > first ? ", " : "", rank, bytes[rank]);
    }
    tern__row_count(row, worst);
    tern__row_show(&bench->table, row);
}

static tern_status count_ranks(tern__memory_bench *bench, double bytes[TERN_MAX_RANK + 1]) {
    tern_status status = TERN_OK;
    tern_tensor **tensors = tern__os()->alloc(COUNTED * sizeof *tensors);
    if (tensors == NULL)
        status = tern__fail(TERN_E_MEMORY, "bench: no memory for %d tensors", COUNTED);
    for (int rank = 0; rank <= TERN_MAX_RANK && status == TERN_OK; rank++)
        status = count_rank(bench, rank, tensors, &bytes[rank]);
    tern__os()->free(tensors);
    return status;
}

static tern_status show_bookkeeping(tern__memory_bench *bench) {
    double bytes[TERN_MAX_RANK + 1];
    tern_bench_row low = tern__row("T5b", "bookkeeping of a 4 KiB tensor, rank 0 to 4", "B");
    tern_bench_row high = tern__row("T5b", "bookkeeping of a 4 KiB tensor, rank 5 to 8", "B");
    low.goal = 128;
    high.goal = 256;
    low.floor = high.floor = 0.05 * TENSOR_BYTES;
    if (tern__row_listed(&bench->table, &low) && tern__row_listed(&bench->table, &high))
        return TERN_OK;
    tern_status status = count_ranks(bench, bytes);
    if (status != TERN_OK) {
        tern_status shown = tern__row_failed(&bench->table, &low, status);
        return shown == TERN_OK ? tern__row_failed(&bench->table, &high, status) : shown;
    }
    show_ranks(bench, bytes, 0, 4, &low);
    show_ranks(bench, bytes, 5, TERN_MAX_RANK, &high);
    return TERN_OK;
}

/* -- T5c: fragmentation ------------------------------------------------------------------------*/

static tern_status show_trace(tern__memory_bench *bench, const tern__trace *trace) {
    char what[64];
    tern__trace_peaks peaks;
    snprintf(what, sizeof what, "committed / live, trace %s", trace->name);
    tern_bench_row row = tern__row("T5c", what, "x");
    row.floor = 1.25;
    row.goal = 1.10;
    if (tern__row_listed(&bench->table, &row))
        return TERN_OK;
    tern_status status = tern__trace_replay(trace, &peaks);
    if (status != TERN_OK)
        return tern__row_failed(&bench->table, &row, status);
    tern__row_count(&row, (double)peaks.peak_committed / (double)peaks.peak_live);
    snprintf(row.detail, sizeof row.detail, "peaks %.1f and %.1f KiB, %lld events",
             (double)peaks.peak_committed / 1024, (double)peaks.peak_live / 1024,
             (long long)peaks.events);
    tern__row_show(&bench->table, &row);
    return TERN_OK;
}

enum { PLACES = 16384, OPERATIONS = 1000000, QUICK_OPERATIONS = 100000 };

typedef struct place {
    void *block;
    size_t bytes;
    unsigned kind;
} place;

/* Each operation looks at a random place: what lies there goes, else a block of 16 B to 1 MiB (log-
 * uniform) comes, so about half of the places are taken. */
static tern_status operate(tern__pool *pool, place *places, int64_t count) {
    double octaves = tern__log(65536.0);
    for (int64_t i = 0; i < count; i++) {
        tern__philox_block draw = tern__philox(5, (uint64_t)i);
        place *p = &places[draw.word[0] % PLACES];
        if (p->block != NULL) {
            tern__pool_free(pool, p->block, p->bytes, p->kind);
            p->block = NULL;
            continue;
        }
        double uniform = (double)tern__uniform_f32(draw.word[1]);
        p->bytes = (size_t)(16 * tern__exp(octaves * uniform));
        p->kind = draw.word[2] % 2 != 0 ? TERN__BLOCK_DATA : TERN__BLOCK_HEADER;
        tern_status status = tern__pool_alloc(pool, p->bytes, p->kind, NULL, &p->block);
        if (status != TERN_OK)
            return status;
    }
    return TERN_OK;
}

static tern_status show_random(tern__memory_bench *bench) {
    int64_t count = bench->table.options.is_quick ? QUICK_OPERATIONS : OPERATIONS;
    char what[64];
    snprintf(what, sizeof what, "committed / live, %lld random operations", (long long)count);
    tern_bench_row row = tern__row("T5c", what, "x");
    row.floor = 2.0;
    row.goal = 1.5;
    if (tern__row_listed(&bench->table, &row))
        return TERN_OK;
    tern__pool *pool = NULL;
    tern_status status = TERN_OK;
    place *places = tern__os()->alloc(PLACES * sizeof *places);
    if (places == NULL)
        TERN__TRY(tern__fail(TERN_E_MEMORY, "bench: no memory for %d places", PLACES));
    TERN__TRY(tern__pool_create(&(tern__pool_options){0}, &pool));
    TERN__TRY(operate(pool, places, count));
    double committed = (double)tern__pool_committed(pool);
    double live = (double)tern__pool_stats(pool).live_bytes;
    tern__row_count(&row, committed / live);
    snprintf(row.detail, sizeof row.detail, "%.1f MiB committed, %.1f MiB live",
             committed / 1048576, live / 1048576);
done:
    for (int i = 0; i < PLACES && places != NULL && pool != NULL; i++)
        if (places[i].block != NULL)
            tern__pool_free(pool, places[i].block, places[i].bytes, places[i].kind);
    tern__pool_destroy(pool);
    tern__os()->free(places);
    if (status != TERN_OK)
        return tern__row_failed(&bench->table, &row, status);
    tern__row_show(&bench->table, &row);
    return TERN_OK;
}

static tern_status show_fragmentation(tern__memory_bench *bench) {
    tern_status status = TERN_OK;
    for (const tern__trace *trace = tern__traces; trace->name != NULL && status == TERN_OK; trace++)
        status = show_trace(bench, trace);
    return status == TERN_OK ? show_random(bench) : status;
}

tern_status tern__memory_space(tern__memory_bench *bench) {
    tern_status status = TERN_OK;
    if (tern__is_asked_for(&bench->table, "T5a"))
        status = show_model(bench);
    if (tern__is_asked_for(&bench->table, "T5b") && status == TERN_OK)
        status = show_bookkeeping(bench);
    if (tern__is_asked_for(&bench->table, "T5c") && status == TERN_OK)
        status = show_fragmentation(bench);
    return status;
}
