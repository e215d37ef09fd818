/* SPDX-License-Identifier: MIT
 * Every variant of the families of packed weights, by number of columns: one matrix again and
 * again on one thread, as a share of the rate of the variant's instructions; and a working set that
 * no cache holds on all threads, as a share of the read bandwidth. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"
#include "bench/kernel_rows.h"

enum { ROUNDS = 11, QUICK_ROUNDS = 3, TOKENS = 512, QUICK_TOKENS = 64, READ_BYTES = 16 << 20 };
#define STREAM_BYTES (INT64_C(256) << 20)

const tern__kernel_shape tern__kernel_shapes[TERN__KERNEL_SHAPES] = {
    {2560, 2560}, {6912, 2560}, {2560, 6912}};

const char *const tern__packing_names[TERN__PACKING_COUNT] = {
#define PACKING_NAME(symbol, family, ...) #family,
    TERN__PACKINGS(PACKING_NAME)
#undef PACKING_NAME
};

int tern__kernel_tokens(const tern__kernel_table *t) {
    return t->table.options.is_quick ? QUICK_TOKENS : TOKENS;
}

/* -- contests ----------------------------------------------------------------------------------*/

typedef struct contest_state {
    const tern__contest *contest;
    tern__read_job read;
    const tern__reader *readers;
    tern__peak_job peak;
} contest_state;

static tern_status run_side(void *user, int side, int64_t calls) {
    contest_state *s = user;
    const tern__contest *c = s->contest;
    const tern__kernel_side *product =
        side == 0 || c->rival == TERN__RIVAL_KERNEL ? &c->side[side] : NULL;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++) {
        if (product != NULL) {
            tern__weights_multiply(product->weights, c->team, product->n, product->is_hot);
        } else if (c->rival == TERN__RIVAL_READ) {
            s->read.reader = &s->readers[side - 1];
            tern__weights_read(c->side[0].weights, &s->read, READ_BYTES);
        } else {
            status = tern__limit_peak_run(&s->peak);
        }
    }
    return status;
}

static tern_status check_sides(void *user) {
    const tern__contest *c = ((contest_state *)user)->contest;
    tern_status status = tern__weights_check(c->side[0].weights, c->team, c->side[0].n);
    if (status == TERN_OK && c->rival == TERN__RIVAL_KERNEL)
        status = tern__weights_check(c->side[1].weights, c->team, c->side[1].n);
    return status;
}

/* How much the rivals read or multiplied in one call, and the best rate of them. */
static void set_limit(const contest_state *s, tern__contest_result *r) {
    const tern__weights *w = s->contest->side[0].weights;
    bool is_read = s->contest->rival == TERN__RIVAL_READ;
    r->work = is_read ? (double)(tern__max_i64(1, READ_BYTES / w->stride) * w->stride)
                      : tern__limit_peak_products(&s->peak);
    r->best = 1;
    for (int side = 2; side < r->times.sides; side++)
        if (r->times.side[side].median < r->times.side[r->best].median)
            r->best = side;
    r->limit = r->work / r->times.side[r->best].median;
    r->reached = is_read ? s->readers[r->best - 1].name : s->contest->peak->name;
}

tern_status tern__contest_run(const tern__contest *c, int rounds, tern__contest_result *r) {
    contest_state s = {.contest = c, .read = {.team = c->team}};
    tern_bench_case bench = {
        .name = "kernel", .side = {"product", "other"}, .check = check_sides, .run = run_side};
    if (c->rival == TERN__RIVAL_READ) {
        s.readers = tern__limit_readers(tern__cpu()->features);
        for (int i = 0; i < TERN__READERS; i++)
            bench.side[1 + i] = s.readers[i].name;
    } else if (c->rival == TERN__RIVAL_PEAK) {
        s.peak = tern__limit_peak_job(c->team, c->peak);
    }
    tern_bench_options options = {
        .samples = rounds, .sample_seconds = c->sample_seconds > 0 ? c->sample_seconds : 5e-3};
    const tern__weights *w = c->side[0].weights;
    double n = (double)c->side[0].n;
    *r = (tern__contest_result){.limit = NAN,
                                .reached = "",
                                .bytes = (double)w->matrix_bytes,
                                .products = (double)w->rows * (double)w->columns * n,
                                .moved = (double)w->matrix_bytes +
                                         n * (double)(w->columns + 4 + 4 * w->rows)};
    tern__limit_settle(c->team);
    tern_status status = tern__bench_measure(&bench, &s, 1, &options, &r->times);
    if (status == TERN_OK && c->rival != TERN__RIVAL_KERNEL)
        set_limit(&s, r);
    return status;
}

/* Of products a second when the limit is a peak, else of bytes. */
static double work_of(const tern__contest_result *r) {
    return r->times.sides == 2 ? r->products : r->bytes;
}

/* "30.1 GB/s of packed weights, 240 GOP/s, 54 us; one stream: 33.2 GB/s" */
static void describe(const tern__contest_result *r, char *text, size_t size) {
    bool is_peak = r->times.sides == 2;
    double seconds = r->times.side[0].median;
    snprintf(text, size, "%.2f GB/s of packed weights, %.1f GOP/s, %.3g us; %s: %.1f %s",
             r->bytes / seconds * 1e-9, 2 * r->products / seconds * 1e-9, seconds * 1e6, r->reached,
             r->limit * (is_peak ? 2e-9 : 1e-9), is_peak ? "GOP/s" : "GB/s");
}

void tern__contest_work(const tern__contest_result *r, tern_bench_row *row) {
    tern__row_work(row, &r->times, 2 * r->products, r->moved);
}

void tern__contest_share(const tern__contest_result *r, tern_bench_row *row) {
    tern__row_ratio(row, &r->times, r->best, 100 * work_of(r) / r->work);
    tern__contest_work(r, row);
    describe(r, row->detail, sizeof row->detail);
}

void tern__kernel_lacking(tern__kernel_table *t, tern_bench_row *row,
                          const tern__variant *variant) {
    char lacking[128];
    tern__cpu_describe(variant->needs & ~t->features, lacking, sizeof lacking);
    snprintf(row->detail, sizeof row->detail, "this machine, or the level asked for, lacks %s",
             lacking);
    tern__row_show(&t->table, row);
}

/* -- every variant -----------------------------------------------------------------------------*/

/* What is timed in one row. */
typedef struct variant_row {
    const tern__packed_kernel *kernel;
    int64_t n;
    bool is_hot;
} variant_row;

/* The rival of the row: a limit, or for plain C the kernel itself. */
static tern__contest contest_of(const tern__kernel_table *t, const variant_row *v,
                                tern__weights *w) {
    tern__contest c = {.team = v->is_hot ? t->one : t->all,
                       .side = {{w, v->n, v->is_hot}},
                       .peak = tern__limit_dot(v->kernel->variant.needs)};
    c.sample_seconds = t->table.options.is_quick ? 1e-3 : 0;
    c.rival = !v->is_hot && v->n < tern__kernel_tokens(t) ? TERN__RIVAL_READ : TERN__RIVAL_PEAK;
    if (c.rival == TERN__RIVAL_PEAK && c.peak == NULL) {
        c.rival = TERN__RIVAL_KERNEL;
        c.side[1] = c.side[0];
    }
    return c;
}

/* The row's figure is the rate of packed bytes, or of operations where many columns share them. */
static tern_status show_variant_row(tern__kernel_table *t, const variant_row *v, tern__weights *w) {
    bool is_batch = v->n >= tern__kernel_tokens(t);
    tern__contest c = contest_of(t, v, w);
    int threads = tern__team_size(c.team);
    char what[64];
    snprintf(what, sizeof what, "%s %s, N = %lld, %s, %d thread%s",
             tern__packing_names[v->kernel->packing], v->kernel->variant.name, (long long)v->n,
             v->is_hot ? "hot" : "streamed", threads, threads > 1 ? "s" : "");
    tern_bench_row row = tern__row("KERN", what, is_batch ? "GOP/s" : "GB/s");
    row.is_least = true;
    if (tern__row_listed(&t->table, &row))
        return TERN_OK;
    tern__contest_result r;
    tern_status status =
        w->pages == NULL ? TERN_E_MEMORY : tern__contest_run(&c, t->table.options.samples, &r);
    if (status != TERN_OK)
        return tern__row_failed(&t->table, &row, status);
    tern__row_rate(&row, &r.times, 0, 1e-9 * (is_batch ? 2 * r.products : r.bytes));
    tern__contest_work(&r, &row);
    if (isnan(r.limit)) {
        snprintf(row.detail, sizeof row.detail, "%.1f GOP/s, no limit to compare with",
                 row.operations * 1e-9);
    } else {
        double share = 100 * work_of(&r) / r.work * r.times.ratios[r.best];
        int length = snprintf(row.detail, sizeof row.detail, "%.1f %% of the limit; ", share);
        describe(&r, row.detail + length, sizeof row.detail - (size_t)length);
    }
    tern__row_show(&t->table, &row);
    return TERN_OK;
}

static tern_status open_weights(const tern__kernel_table *t, const tern__packed_kernel *kernel,
                                tern__weights *w) {
    bool is_quick = t->table.options.is_quick, is_plain = kernel->variant.needs == 0;
    *w = (tern__weights){0};
    if (t->table.options.is_listing)
        return TERN_OK;
    int64_t bytes = is_plain ? 1 : tern__limit_memory_set(is_quick ? 1 : STREAM_BYTES);
    tern_status status = tern__weights_open(kernel, is_quick ? 640 : 2560, 2560,
                                            is_plain ? 1 : tern__kernel_tokens(t),
                                            t->table.options.threads, bytes, w);
    return status == TERN_E_MEMORY ? TERN_OK : status; /* each row says so */
}

static tern_status show_variant(tern__kernel_table *t, const tern__packed_kernel *kernel) {
    const int64_t columns[] = {1, 4, 8, 16, tern__kernel_tokens(t)};
    bool is_plain = kernel->variant.needs == 0;
    char what[64];
    snprintf(what, sizeof what, "%s %s", tern__packing_names[kernel->packing],
             kernel->variant.name);
    tern_bench_row row = tern__row("KERN", what, "GB/s");
    row.is_least = true;
    if ((kernel->variant.needs & ~t->features) != 0) {
        if (!tern__row_listed(&t->table, &row))
            tern__kernel_lacking(t, &row, &kernel->variant);
        return TERN_OK;
    }
    tern__weights w;
    tern_status status = open_weights(t, kernel, &w);
    for (int hot = 1; hot >= (is_plain ? 1 : 0); hot--)
        for (size_t i = 0; i < (is_plain ? 1 : sizeof columns / sizeof *columns); i++)
            if (status == TERN_OK)
                status = show_variant_row(t, &(variant_row){kernel, columns[i], hot}, &w);
    tern__weights_close(&w);
    return status;
}

static tern_status show_families(tern__kernel_table *t) {
    tern_status status = TERN_OK;
    for (int p = 0; p < TERN__PACKING_COUNT; p++) {
        const tern__packed_kernel *const *kernel = tern__packed_families[p];
        if (!tern__is_asked_for(&t->table, tern__packing_names[p]) &&
            !tern__is_asked_for(&t->table, "KERN"))
            continue;
        for (; *kernel != NULL && status == TERN_OK; kernel++)
            status = show_variant(t, *kernel);
    }
    return status;
}

static tern_status run(tern__table *table, void *user) {
    (void)user;
    tern__kernel_table t = {.table = *table};
    tern_status status;
    TERN__TRY(tern__cpu_level(table->options.cpu, &t.features));
    TERN__TRY(tern__team_create(1, &t.one));
    TERN__TRY(tern__team_create(table->options.threads, &t.all));
    TERN__TRY(tern__kernel_targets(&t));
    TERN__TRY(tern__kernel_against_f32(&t));
    if (tern__is_asked_for(table, "K2"))
        TERN__TRY(tern__kernel_peers(&t));
    if (tern__is_asked_for(table, "K7"))
        TERN__TRY(tern__kernel_twins(&t));
    TERN__TRY(show_families(&t));
done:
    tern__team_destroy(t.all);
    tern__team_destroy(t.one);
    return status;
}

static const tern__table_kind kind = {
    .names = TERN__KERNEL_NAMES, .rounds = ROUNDS, .quick_rounds = QUICK_ROUNDS, .run = run};

tern_status tern_bench_kernels(const tern_bench_table_options *options, tern_bench_row_fn visit,
                               void *user) {
    return tern__table_run(&kind, options, visit, user, NULL);
}
