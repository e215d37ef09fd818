/* SPDX-License-Identifier: MIT
 * Every row of the table of operations, timed as a user calls it: checks, the result's memory, the
 * kernel, and the result's release; one thread. Element-wise operations and reductions are timed on
 * transposed operands too. Nothing here is judged. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tern/ops.h>

#include "base/status.h"
#include "bench/bench.h"
#include "bench/operation_calls.h"
#include "bench/rows.h"

enum { ROUNDS = 11, QUICK_ROUNDS = 3, SMALL_SIDE = 32, LARGE_SIDE = 1024 };

typedef struct timing {
    tern_context *context;
    const tern__operands *in;
    const tern__op_caller *caller;
    int op;             /* row of the table */
    tern_op_class kind; /* how the call was counted */
    int64_t bytes;      /* that it read and wrote, 0: it is not counted */
} timing;

static tern_status run_calls(void *user, int side, int64_t calls) {
    timing *t = user;
    (void)side;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++) {
        tern_tensor *out[TERN__CALL_RESULTS];
        status = tern__op_call_once(t->caller, t->context, t->in, out);
        if (status == TERN_OK)
            tern__op_results_release(out);
    }
    return status;
}

/* -- looking at results ------------------------------------------------------------------------*/

/* Every number is finite, and the second result is the first. */
static tern_status compare(const timing *t, tern_tensor *first, tern_tensor *second) {
    tern_tensor *finite = NULL, *all = NULL;
    bool is_equal = false;
    double is_finite = 0;
    tern_status status;
    TERN__TRY(tern_array_equal(first, second, &is_equal));
    TERN__TRY(tern_isfinite(first, &finite));
    TERN__TRY(tern_all(finite, TERN_ALL_AXES, false, &all));
    TERN__TRY(tern_item(all, &is_finite));
    if (is_finite == 0 || !is_equal)
        status = tern__fail(TERN_E_INTERNAL, "bench: %s: %s", t->caller->name,
                            is_finite == 0 ? "a result is not finite"
                                           : "another result the second time");
done:
    tern_tensor_release(finite);
    tern_tensor_release(all);
    return status;
}

/* Calls twice, looks at the results, and notes how the second call was counted. */
static tern_status check_call(void *user) {
    timing *t = user;
    tern_tensor *first[TERN__CALL_RESULTS] = {NULL}, *second[TERN__CALL_RESULTS] = {NULL};
    tern_op_stats stats;
    tern_status status;
    TERN__TRY(tern__op_call_once(t->caller, t->context, t->in, first));
    tern_stats_reset(t->context);
    TERN__TRY(tern__op_call_once(t->caller, t->context, t->in, second));
    tern_stats_op(t->context, t->op, &stats);
    for (int i = 0; i < TERN_CLASSES; i++)
        if (stats.calls[i] > 0) {
            t->kind = (tern_op_class)i;
            t->bytes = stats.bytes[i];
        }
    for (int i = 0; i < TERN__CALL_RESULTS && t->caller->has_contents; i++)
        if (first[i] != NULL && tern_tensor_data(first[i]) != NULL)
            TERN__TRY(compare(t, first[i], second[i]));
done:
    tern__op_results_release(first);
    tern__op_results_release(second);
    return status;
}

/* -- rows --------------------------------------------------------------------------------------*/

static void describe(const timing *t, int64_t side, const tern_bench_result *r,
                     tern_bench_row *row) {
    double seconds = r->side[0].median, flops = tern__op_caller_flops(t->caller, side);
    bool is_staged =
        tern_op_at(t->op)->op_class == TERN_CLASS_COMPUTE && t->kind == TERN_CLASS_COPY;
    if (!isnan(flops))
        snprintf(row->detail, sizeof row->detail, "%.2f GFLOP/s%s", flops / seconds * 1e-9,
                 is_staged ? "; an operand was copied" : "");
    else if (t->bytes > 0)
        snprintf(row->detail, sizeof row->detail, "%.2f GB/s: %.1f KiB %s%s",
                 (double)t->bytes / seconds * 1e-9, (double)t->bytes / 1024,
                 t->kind == TERN_CLASS_COPY ? "moved" : "read and written",
                 is_staged ? "; an operand was copied" : "");
    else if (t->kind == TERN_CLASS_VIEW)
        snprintf(row->detail, sizeof row->detail, "a view: no byte moves");
}

static tern_status show_call(tern__table *table, timing *t, int64_t side,
                             tern__operand_layout layout) {
    char what[64];
    snprintf(what, sizeof what, "%s, 1 %s%s%s", t->caller->name, side == SMALL_SIDE ? "Ki" : "Mi",
             layout == TERN__LAID_CONTIGUOUS ? "" : ", ",
             layout == TERN__LAID_CONTIGUOUS ? "" : tern__operand_layout_name(layout));
    tern_bench_row row = tern__row("OPS", what, "ns");
    if (tern__row_listed(table, &row))
        return TERN_OK;
    const tern_bench_case bench = {
        .name = t->caller->name, .side = {"call"}, .check = check_call, .run = run_calls};
    tern_bench_options options = {.samples = table->options.samples, .sample_seconds = 1e-3};
    tern_bench_result r;
    tern_status status = tern__bench_measure(&bench, t, 1, &options, &r);
    if (status != TERN_OK)
        return tern__row_failed(table, &row, status);
    tern__row_time(&row, &r, 0, 1e9);
    describe(t, side, &r, &row);
    tern__row_show(table, &row);
    return TERN_OK;
}

/* Element by element, or a reduction. */
static bool is_of_elements(const tern_op_info *info) {
    return strstr(info->family, "map") != NULL || strstr(info->family, "functions") != NULL ||
           strstr(info->family, "reduce") != NULL;
}

static bool is_asked_for(const tern__table *table, const char *name) {
    return tern__is_asked_for(table, name) || tern__is_asked_for(table, "OPS");
}

static tern_status show_layout(tern__table *table, tern_context *context, int64_t side,
                               tern__operand_layout layout) {
    tern__operands in = {0};
    tern_status status = TERN_OK;
    if (!table->options.is_listing)
        TERN__TRY(tern__operands_make(context, side, layout, &in));
    for (int i = 0; i < tern_op_count(); i++) {
        const tern_op_info *info = tern_op_at(i);
        timing t = {.context = context,
                    .in = &in,
                    .caller = tern__op_caller_find(info->name),
                    .op = i,
                    .kind = info->op_class};
        bool has_layout = layout == TERN__LAID_CONTIGUOUS ||
                          (t.caller != NULL && t.caller->is_laid && is_of_elements(info));
        if (t.caller != NULL && has_layout && is_asked_for(table, info->name))
            TERN__TRY(show_call(table, &t, side, layout));
    }
done:
    tern__operands_release(&in);
    return status;
}

static tern_status run(tern__table *table, void *user) {
    (void)user;
    static const int64_t sides[] = {SMALL_SIDE, LARGE_SIDE};
    tern_context *context = NULL;
    tern_status status = TERN_OK;
    if (!table->options.is_listing)
        TERN__TRY(tern_context_create(
            &(tern_options){.device = "cpu", .threads = 1, .cpu = table->options.cpu}, &context));
    for (int layout = TERN__LAID_CONTIGUOUS; layout <= TERN__LAID_TRANSPOSED; layout++)
        for (int i = 0; i < 2; i++)
            TERN__TRY(show_layout(table, context, sides[i], (tern__operand_layout)layout));
done:
    tern_context_destroy(context);
    return status;
}

tern_status tern_bench_operations(const tern_bench_table_options *options, tern_bench_row_fn visit,
                                  void *user) {
    char names[8192] = "OPS";
    size_t length = strlen(names);
    for (int i = 0; i < tern_op_count() && length < sizeof names; i++)
        length +=
            (size_t)snprintf(names + length, sizeof names - length, ",%s", tern_op_at(i)->name);
    const tern__table_kind kind = {
        .names = names, .rounds = ROUNDS, .quick_rounds = QUICK_ROUNDS, .run = run};
    return tern__table_run(&kind, options, visit, user, NULL);
}
