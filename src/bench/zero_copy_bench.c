/* SPDX-License-Identifier: MIT
 * Target T4: what share of calls and bytes is not copied (tern_stats_get): while a random model
 * reads a prompt of 512 (a quick run: 128) and decodes, and over all operations on contiguous,
 * transposed, stepped and broadcast operands. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tern/model.h>
#include <tern/ops.h>

#include "base/os.h"
#include "base/status.h"
#include "bench/operation_calls.h"
#include "bench/rows.h"

enum { PROMPT_TOKENS = 512, QUICK_PROMPT_TOKENS = 128, TOKENS = 16, SIDE = 64 };
enum { OPERATIONS_MAX = 320 };

/* -- rows --------------------------------------------------------------------------------------*/

/* What was counted; of a list, nothing. */
typedef struct counted {
    tern_stats stats;
    const char *note;             /* at the end of the detail */
    const tern_context *by_class; /* of calls operation by operation; NULL: not shown */
} counted;

/* Calls of one class by operation: x counts the operations that were called at all. */
typedef struct class_series {
    int64_t count;
    double x[OPERATIONS_MAX], y[TERN_CLASSES][OPERATIONS_MAX];
    const char *label[OPERATIONS_MAX];
} class_series;

static void count_classes(const tern_context *context, class_series *series) {
    series->count = 0;
    for (int op = 0; op < tern_op_count() && series->count < OPERATIONS_MAX; op++) {
        tern_op_stats stats;
        int64_t calls = 0, at = series->count;
        tern_stats_op(context, op, &stats);
        for (int i = 0; i < TERN_CLASSES; i++) {
            series->y[i][at] = (double)stats.calls[i];
            calls += stats.calls[i];
        }
        series->x[at] = (double)at;
        series->label[at] = tern_op_at(op)->name;
        series->count += calls > 0;
    }
}

static void add_classes(tern_bench_row *row, const class_series *series) {
    static const char *const names[TERN_CLASSES] = {[TERN_CLASS_VIEW] = "view",
                                                    [TERN_CLASS_IN_PLACE] = "in place",
                                                    [TERN_CLASS_COMPUTE] = "compute",
                                                    [TERN_CLASS_COPY] = "copy",
                                                    [TERN_CLASS_MOVE] = "moves data"};
    for (int i = 0; i < TERN_CLASSES; i++)
        tern__row_series(row, &(tern_bench_series){.name = names[i],
                                                   .x_unit = "operation",
                                                   .y_unit = "calls",
                                                   .count = series->count,
                                                   .x = series->x,
                                                   .y = series->y[i],
                                                   .label = series->label});
}

static void describe(const counted *c, tern_bench_row *row) {
    const tern_stats *stats = &c->stats;
    int64_t calls = 0;
    for (int i = 0; i < TERN_CLASS_MOVE; i++)
        calls += stats->total.calls[i];
    snprintf(row->detail, sizeof row->detail,
             "%lld calls, %lld of them copies, %lld views; apart: %lld that move data; "
             "%.3f MB of %.1f copied%s",
             (long long)calls, (long long)stats->total.calls[TERN_CLASS_COPY],
             (long long)stats->total.calls[TERN_CLASS_VIEW],
             (long long)stats->total.calls[TERN_CLASS_MOVE],
             (double)stats->total.bytes[TERN_CLASS_COPY] * 1e-6,
             (double)(stats->total.bytes[TERN_CLASS_IN_PLACE] +
                      stats->total.bytes[TERN_CLASS_COMPUTE] +
                      stats->total.bytes[TERN_CLASS_COPY]) *
                 1e-6,
             c->note);
}

/* Calls and bytes of one activity, with and without views. */
static void show_rates(tern__table *table, const char *activity, double goal, const counted *c) {
    const struct {
        const char *what;
        double rate, floor, goal;
    } rates[] = {
        {"calls", c->stats.zero_copy_rate, 80, goal},
        {"calls, without views", c->stats.zero_copy_no_views, 80, goal},
        {"bytes", c->stats.zero_copy_byte_rate, NAN, 99},
    };
    class_series series;
    for (int i = 0; i < 3; i++) {
        char what[64];
        snprintf(what, sizeof what, "zero copy: %s, %s", activity, rates[i].what);
        tern_bench_row row = tern__row("T4", what, "%");
        row.is_least = true;
        row.floor = rates[i].floor;
        row.goal = rates[i].goal;
        if (tern__row_listed(table, &row))
            continue;
        tern__row_count(&row, 100 * rates[i].rate);
        describe(c, &row);
        if (i == 0 && c->by_class != NULL) {
            count_classes(c->by_class, &series);
            add_classes(&row, &series);
        }
        tern__row_show(table, &row);
    }
}

/* -- a model -----------------------------------------------------------------------------------*/

/* The tiny model of a quick run has a short context. */
static int prompt_tokens(tern__table *table) {
    return table->options.is_quick ? QUICK_PROMPT_TOKENS : PROMPT_TOKENS;
}

static void show_prompt(tern__table *table, const counted *c) {
    char prompt[32];
    snprintf(prompt, sizeof prompt, "prompt of %d", prompt_tokens(table));
    show_rates(table, prompt, 95, c);
}

static void show_decode(tern__table *table, const counted *c) {
    show_rates(table, "decode", 100, c);
}

static tern_status count_model(tern__table *table, tern_context *context, tern_session *session,
                               int64_t vocabulary) {
    int32_t tokens[PROMPT_TOKENS];
    int count = prompt_tokens(table);
    counted c = {.note = ""};
    for (int i = 0; i < count; i++)
        tokens[i] = (int32_t)((i * 7919LL) % vocabulary);
    float *logits = tern__os()->alloc((size_t)vocabulary * sizeof *logits);
    if (logits == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for logits");
    tern_status status;
    tern_stats_reset(context);
    TERN__TRY(tern_session_eval(session, tokens, count, TERN_LOGITS_LAST, logits));
    tern_stats_get(context, &c.stats);
    show_prompt(table, &c);
    tern_stats_reset(context);
    for (int i = 0; i < TOKENS; i++)
        TERN__TRY(tern_session_eval(session, &tokens[i], 1, TERN_LOGITS_LAST, logits));
    tern_stats_get(context, &c.stats);
    show_decode(table, &c);
done:
    tern__os()->free(logits);
    return status;
}

static tern_status show_model(tern__table *table, tern_context *context) {
    tern_model *model = NULL;
    tern_session *session = NULL;
    tern_status status;
    TERN__TRY(
        tern_model_random(context, table->options.is_quick ? "tiny" : "2b4t", 1, NULL, &model));
    tern_session_options options = {.context_length = prompt_tokens(table) + TOKENS};
    TERN__TRY(tern_session_create(context, model, &options, &session));
    TERN__TRY(count_model(table, context, session, tern_model_describe(model).vocabulary));
done:
    tern_session_destroy(session);
    tern_model_release(model);
    return status;
}

/* -- a mix of operations -----------------------------------------------------------------------*/

typedef struct mix {
    tern_context *context;
    tern__operands in[TERN__OPERAND_LAYOUTS];
} mix;

static tern_status make_mix(tern_context *context, mix *m) {
    *m = (mix){.context = context};
    tern_status status = TERN_OK;
    for (int i = 0; i < TERN__OPERAND_LAYOUTS && status == TERN_OK; i++)
        status = tern__operands_make(context, SIDE, (tern__operand_layout)i, &m->in[i]);
    return status;
}

/* What this machine cannot do is left out. */
static tern_status count_call(mix *m, const tern__op_caller *caller, int layout) {
    tern_tensor *out[TERN__CALL_RESULTS];
    tern_status status = tern__op_call_once(caller, m->context, &m->in[layout], out);
    if (status == TERN_OK)
        tern__op_results_release(out);
    return status == TERN_E_UNSUPPORTED ? TERN_OK : status;
}

/* Every operation whose class is COPY, or every other one: with operands in each layout, or once
 * where they have only one. */
static tern_status run_mix(mix *m, bool copies) {
    tern_status status = TERN_OK;
    for (int op = 0; op < tern_op_count(); op++) {
        const tern__op_caller *caller = tern__op_caller_find(tern_op_at(op)->name);
        if ((tern_op_at(op)->op_class == TERN_CLASS_COPY) != copies || caller == NULL)
            continue;
        int layouts = caller->is_laid ? TERN__OPERAND_LAYOUTS : 1;
        for (int i = 0; i < layouts && status == TERN_OK; i++)
            status = count_call(m, caller, i);
    }
    return status;
}

/* "; copied: rope 3, pack 2": how many calls of what were counted as copies. */
static void list_copies(const tern_context *context, char *text, size_t size) {
    size_t length = 0;
    text[0] = '\0';
    for (int op = 0; op < tern_op_count() && length < size; op++) {
        tern_op_stats stats;
        tern_stats_op(context, op, &stats);
        if (stats.calls[TERN_CLASS_COPY] > 0)
            length += (size_t)snprintf(text + length, size - length, "%s%s %lld",
                                       length == 0 ? "; copied: " : ", ", tern_op_at(op)->name,
                                       (long long)stats.calls[TERN_CLASS_COPY]);
    }
}

/* With the operations that are copies by their own definition; not judged. */
static tern_status show_definitions(tern__table *table, mix *m) {
    tern_bench_row row = tern__row("T4", "zero copy: all operations, copies too, calls", "%");
    tern_stats stats;
    row.is_least = true;
    if (tern__row_listed(table, &row))
        return TERN_OK;
    tern_status status = run_mix(m, true);
    if (status != TERN_OK)
        return status;
    tern_stats_get(m->context, &stats);
    tern__row_count(&row, 100 * stats.zero_copy_rate);
    char copies[sizeof row.detail];
    list_copies(m->context, copies, sizeof copies);
    snprintf(row.detail, sizeof row.detail, "%s", copies + strspn(copies, "; "));
    tern__row_show(table, &row);
    return TERN_OK;
}

static tern_status show_mix(tern__table *table, tern_context *context) {
    mix m;
    char copies[128];
    counted c = {.note = copies, .by_class = context};
    tern_status status;
    TERN__TRY(make_mix(context, &m));
    tern_stats_reset(context);
    TERN__TRY(run_mix(&m, false));
    tern_stats_get(context, &c.stats);
    list_copies(context, copies, sizeof copies);
    show_rates(table, "operations", 95, &c);
    TERN__TRY(show_definitions(table, &m));
done:
    for (int i = 0; i < TERN__OPERAND_LAYOUTS; i++)
        tern__operands_release(&m.in[i]);
    return status;
}

/* -- the table ---------------------------------------------------------------------------------*/

static tern_status list_all(tern__table *table) {
    const counted nothing = {.note = ""};
    show_rates(table, "operations", 95, &nothing);
    tern_status status = show_definitions(table, NULL);
    show_prompt(table, &nothing);
    show_decode(table, &nothing);
    return status;
}

static tern_status count_all(tern__table *table) {
    tern_context *context = NULL;
    tern_status status;
    TERN__TRY(tern_context_create(&(tern_options){.device = "cpu",
                                                  .threads = table->options.threads,
                                                  .cpu = table->options.cpu},
                                  &context));
    TERN__TRY(show_mix(table, context));
    TERN__TRY(show_model(table, context));
done:
    tern_context_destroy(context);
    return status;
}

static void show_training(tern__table *table) {
    tern_bench_row row = tern__row("T4", "zero copy: training step", "%");
    row.is_least = true;
    row.floor = 80;
    row.goal = 95;
    if (tern__row_listed(table, &row))
        return;
    snprintf(row.detail, sizeof row.detail, "not built");
    tern__row_show(table, &row);
}

static tern_status run(tern__table *table, void *user) {
    (void)user;
    tern_bench_row row = tern__row("T4", "zero copy", "%");
    tern_status status = table->options.is_listing ? list_all(table) : count_all(table);
    if (status != TERN_OK)
        return tern__row_failed(table, &row, status);
    show_training(table);
    return TERN_OK;
}

static const tern__table_kind kind = {.names = "T4", .rounds = 1, .quick_rounds = 1, .run = run};

tern_status tern_bench_zero_copy(const tern_bench_table_options *options, tern_bench_row_fn visit,
                                 void *user) {
    return tern__table_run(&kind, options, visit, user, NULL);
}
