/* SPDX-License-Identifier: MIT
 * Targets K1, K3, K4, K5 and K6. The matrices are those of the 2B4T shape; streamed ones are read
 * from a working set that no cache holds. */
#include <math.h>
#include <stdio.h>

#include "base/cpu.h"
#include "base/status.h"
#include "bench/kernel_rows.h"

#define STREAM_BYTES (INT64_C(256) << 20)

/* Units whose rate K5 is a share of, and those that K6 is for. */
enum {
    PEAK_UNITS = TERN__CPU_AVX512_VNNI | TERN__CPU_DOTPROD | TERN__CPU_I8MM | TERN__CPU_AMX_INT8,
    BATCH_UNITS = PEAK_UNITS | TERN__CPU_AVX_VNNI,
};

static int64_t stream_bytes(const tern__kernel_table *t) {
    return tern__limit_memory_set(t->table.options.is_quick ? 1 : STREAM_BYTES);
}

static int shapes_of(const tern__kernel_table *t) {
    return t->table.options.is_quick ? 1 : TERN__KERNEL_SHAPES;
}

static bool is_asked_for(const tern__kernel_table *t, const char *id) {
    return tern__is_asked_for(&t->table, id);
}

static bool is_allowed(const tern__kernel_table *t, const tern__packed_kernel *kernel) {
    return (kernel->variant.needs & ~t->features) == 0;
}

static void set_target(tern_bench_row *row, double floor, double goal, bool is_least) {
    row->floor = floor;
    row->goal = goal;
    row->is_least = is_least;
    row->is_ratio = true;
}

/* Room for streaming; a list needs none. Where there is no memory every row says so. */
static tern_status open_streamed(const tern__kernel_table *t, const tern__packed_kernel *kernel,
                                 const tern__kernel_shape *shape, int64_t most_n,
                                 tern__weights *w) {
    *w = (tern__weights){0};
    if (t->table.options.is_listing)
        return TERN_OK;
    tern_status status = tern__weights_open(kernel, shape->rows, shape->columns, most_n,
                                            t->table.options.threads, stream_bytes(t), w);
    return status == TERN_E_MEMORY ? TERN_OK : status;
}

/* -- K1 ----------------------------------------------------------------------------------------*/

static tern_status show_decode(tern__kernel_table *t, tern__weights *w,
                               const tern__kernel_shape *shape, tern__team *team,
                               const tern__packed_kernel *kernel) {
    char what[64];
    int threads = tern__team_size(team);
    snprintf(what, sizeof what, "%lld x %lld, %s, %d thread%s, of the read rate",
             (long long)shape->rows, (long long)shape->columns, kernel->variant.name, threads,
             threads > 1 ? "s" : "");
    tern_bench_row row = tern__row("K1", what, "%");
    set_target(&row, 75, 90, true);
    if (tern__row_listed(&t->table, &row))
        return TERN_OK;
    tern__contest c = {.team = team, .side = {{w, 1, false}}, .rival = TERN__RIVAL_READ};
    tern__contest_result r;
    tern_status status =
        w->pages == NULL ? TERN_E_MEMORY : tern__contest_run(&c, t->table.options.samples, &r);
    if (status != TERN_OK)
        return tern__row_failed(&t->table, &row, status);
    tern__contest_share(&r, &row);
    tern__row_show(&t->table, &row);
    return TERN_OK;
}

static tern_status show_decodes(tern__kernel_table *t) {
    const tern__packed_kernel *kernel = TERN__PICK(tern__trits4_family, t->features);
    tern__team *const teams[] = {t->one, t->all};
    tern_status status = TERN_OK;
    for (int i = 0; i < shapes_of(t) && status == TERN_OK; i++) {
        const tern__kernel_shape *shape = &tern__kernel_shapes[i];
        tern__weights w;
        status = open_streamed(t, kernel, shape, 1, &w);
        for (int team = 0; team < (t->table.options.threads > 1 ? 2 : 1); team++)
            if (status == TERN_OK)
                status = show_decode(t, &w, shape, teams[team], kernel);
        tern__weights_close(&w);
    }
    return status;
}

/* -- K3 ----------------------------------------------------------------------------------------*/

/* Time of 2-bit weights over that of 1.6-bit ones. */
static tern_status show_storage(tern__kernel_table *t, const tern__kernel_shape *shape) {
    char what[64];
    int threads = t->table.options.threads;
    snprintf(what, sizeof what, "%lld x %lld, 1.6 bits against 2, %d thread%s",
             (long long)shape->rows, (long long)shape->columns, threads, threads > 1 ? "s" : "");
    tern_bench_row row = tern__row("K3", what, "x");
    set_target(&row, 1, 1.2, true);
    if (tern__row_listed(&t->table, &row))
        return TERN_OK;
    tern__weights five = {0}, four = {0};
    tern__contest_result r;
    tern_status status;
    TERN__TRY(tern__weights_open(TERN__PICK(tern__trits5_family, t->features), shape->rows,
                                 shape->columns, 1, threads, stream_bytes(t), &five));
    TERN__TRY(tern__weights_open(TERN__PICK(tern__trits4_family, t->features), shape->rows,
                                 shape->columns, 1, threads, stream_bytes(t), &four));
    tern__contest c = {.team = t->all, .side = {{&five, 1, false}, {&four, 1, false}}};
    TERN__TRY(tern__contest_run(&c, t->table.options.samples, &r));
    tern__row_ratio(&row, &r.times, 1, 1);
    tern__contest_work(&r, &row);
    const tern_bench_side *side = r.times.side;
    snprintf(row.detail, sizeof row.detail, "%s: %.3g us, %.2f GB/s; %s: %.3g us, %.2f GB/s",
             five.kernel->variant.name, side[0].median * 1e6, r.bytes / side[0].median * 1e-9,
             four.kernel->variant.name, side[1].median * 1e6,
             (double)four.matrix_bytes / side[1].median * 1e-9);
    tern__row_show(&t->table, &row);
done:
    tern__weights_close(&five);
    tern__weights_close(&four);
    return status == TERN_OK ? status : tern__row_failed(&t->table, &row, status);
}

/* -- K4, K5 ------------------------------------------------------------------------------------*/

static tern_status show_prefill(tern__kernel_table *t, const char *id,
                                const tern__kernel_shape *shape,
                                const tern__packed_kernel *kernel) {
    char what[64];
    const int tokens = tern__kernel_tokens(t);
    bool has_target = (kernel->variant.needs & PEAK_UNITS) != 0;
    snprintf(what, sizeof what, "%lld x %lld, %d tokens, %s, of its peak", (long long)shape->rows,
             (long long)shape->columns, tokens, kernel->variant.name);
    tern_bench_row row = tern__row(id, what, "%");
    set_target(&row, has_target ? 50 : NAN, has_target ? 80 : NAN, true);
    if (tern__row_listed(&t->table, &row))
        return TERN_OK;
    if (!is_allowed(t, kernel)) {
        tern__kernel_lacking(t, &row, &kernel->variant);
        return TERN_OK;
    }
    tern__weights w;
    tern_status status = tern__weights_open(kernel, shape->rows, shape->columns, tokens, 1, 1, &w);
    if (status != TERN_OK)
        return tern__row_failed(&t->table, &row, status);
    tern__contest c = {.team = t->one,
                       .side = {{&w, tokens, true}},
                       .rival = TERN__RIVAL_PEAK,
                       .peak = tern__limit_dot(kernel->variant.needs)};
    tern__contest_result r;
    status = tern__contest_run(&c, t->table.options.samples, &r);
    tern__weights_close(&w);
    if (status != TERN_OK)
        return tern__row_failed(&t->table, &row, status);
    tern__contest_share(&r, &row);
    tern__row_show(&t->table, &row);
    return TERN_OK;
}

/* Variants with AMX are K4, others K5; where no variant uses AMX that is said once. */
static tern_status show_prefills(tern__kernel_table *t, const char *id, bool is_amx) {
    static const tern__kernel_shape quick_shape = {640, 2560};
    const tern__packed_kernel *const *kernel = tern__trits4_family;
    bool is_quick = t->table.options.is_quick;
    tern_status status = TERN_OK;
    int count = 0;
    for (; *kernel != NULL; kernel++) {
        uint32_t needs = (*kernel)->variant.needs;
        if (needs == 0 || ((needs & TERN__CPU_AMX_INT8) != 0) != is_amx)
            continue;
        for (int i = 0; i < shapes_of(t) && status == TERN_OK; i++, count++)
            status =
                show_prefill(t, id, is_quick ? &quick_shape : &tern__kernel_shapes[i], *kernel);
    }
    if (count == 0) {
        tern_bench_row row = tern__row(id, "prompts, of its peak", "%");
        set_target(&row, 50, 80, true);
        if (tern__row_listed(&t->table, &row))
            return status;
        snprintf(row.detail, sizeof row.detail, "not built: trits4 has no such variant");
        tern__row_show(&t->table, &row);
    }
    return status;
}

/* -- K6 ----------------------------------------------------------------------------------------*/

/* Another variant is better here and would run in its place: what this one makes of small batches
 * is shown, and judged at the level where it is the best. */
static bool is_passed_over(const tern__kernel_table *t, const tern__packed_kernel *kernel) {
    return is_allowed(t, kernel) && kernel != TERN__PICK(tern__trits4_family, t->features);
}

static tern_status show_batch(tern__kernel_table *t, const tern__packed_kernel *kernel,
                              tern__weights *w, int64_t n) {
    char what[64];
    int threads = t->table.options.threads;
    bool has_target = (kernel->variant.needs & BATCH_UNITS) != 0 && !is_passed_over(t, kernel);
    snprintf(what, sizeof what, "%s, streamed, N = %lld against 1, %d thread%s",
             kernel->variant.name, (long long)n, threads, threads > 1 ? "s" : "");
    tern_bench_row row = tern__row("K6", what, "x");
    set_target(&row, NAN, NAN, false);
    if (has_target)
        set_target(&row, n == 4 ? 1.3 : 1.8, n == 4 ? 1.1 : 1.25, false);
    if (tern__row_listed(&t->table, &row))
        return TERN_OK;
    if (!is_allowed(t, kernel)) {
        tern__kernel_lacking(t, &row, &kernel->variant);
        return TERN_OK;
    }
    tern__contest c = {.team = t->all, .side = {{w, 1, false}, {w, n, false}}};
    tern__contest_result r;
    tern_status status =
        w->pages == NULL ? TERN_E_MEMORY : tern__contest_run(&c, t->table.options.samples, &r);
    if (status != TERN_OK)
        return tern__row_failed(&t->table, &row, status);
    tern__row_ratio(&row, &r.times, 1, 1);
    snprintf(row.detail, sizeof row.detail, "%lld x %lld: %.3g us and %.3g us", (long long)w->rows,
             (long long)w->columns, r.times.side[0].median * 1e6, r.times.side[1].median * 1e6);
    tern__row_show(&t->table, &row);
    return TERN_OK;
}

static tern_status show_batches(tern__kernel_table *t) {
    const tern__kernel_shape *shape = &tern__kernel_shapes[t->table.options.is_quick ? 0 : 1];
    const tern__packed_kernel *const *kernel = tern__trits4_family;
    tern_status status = TERN_OK;
    for (; *kernel != NULL && status == TERN_OK; kernel++) {
        tern__weights w = {0};
        if ((*kernel)->variant.needs == 0)
            continue;
        if (is_allowed(t, *kernel))
            status = open_streamed(t, *kernel, shape, 8, &w);
        if (status == TERN_OK)
            status = show_batch(t, *kernel, &w, 4);
        if (status == TERN_OK)
            status = show_batch(t, *kernel, &w, 8);
        tern__weights_close(&w);
    }
    return status;
}

tern_status tern__kernel_targets(tern__kernel_table *t) {
    tern_status status = TERN_OK;
    if (is_asked_for(t, "K1"))
        status = show_decodes(t);
    for (int i = 0; i < shapes_of(t) && is_asked_for(t, "K3") && status == TERN_OK; i++)
        status = show_storage(t, &tern__kernel_shapes[i]);
    if (is_asked_for(t, "K4") && status == TERN_OK)
        status = show_prefills(t, "K4", true);
    if (is_asked_for(t, "K5") && status == TERN_OK)
        status = show_prefills(t, "K5", false);
    if (is_asked_for(t, "K5") && status == TERN_OK)
        status = tern__kernel_prompt_peers(t);
    if (is_asked_for(t, "K6") && status == TERN_OK)
        status = show_batches(t);
    return status;
}
