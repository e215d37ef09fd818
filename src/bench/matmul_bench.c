/* SPDX-License-Identifier: MIT
 * Target T1a: F32 matrix products on one thread. Ours takes turns with the BLAS libraries that are
 * there, and with the faster of two plain loops, which does some rows of the result: its time is
 * counted up to all of them. Target T1c: the same on accelerators, in turns with the plain loops
 * and with all threads of the processor. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tern/ops.h>

#include "base/cpu.h"
#include "base/os.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/blas.h"
#include "bench/device_list.h"
#include "bench/matmul_baseline.h"
#include "bench/rows.h"

enum {
    ROUNDS = 11,
    QUICK_ROUNDS = 5,
    PLAIN_ROWS = 32,
    SMALL = 64, /* an order for devices that are tried only */
    LIBRARIES = TERN__BLAS_COUNT,
};

/* -- one size ----------------------------------------------------------------------------------*/

typedef struct state {
    tern_context *context;
    tern_tensor *a, *b, *c;
    float *plain; /* (n, n): results of the others */
    int n;
    tern__blas *libraries[LIBRARIES]; /* those that are sides, behind ours */
} state;

enum { OURS, FIRST_LIBRARY };

static const float *floats(const tern_tensor *t) {
    return tern_tensor_data(t);
}

static tern_status run_side(void *user, int side, int64_t calls) {
    state *s = user;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++) {
        if (side == OURS) {
            status = tern_matmul_into(s->a, s->b, s->c);
        } else {
            const tern__blas *l = s->libraries[side - FIRST_LIBRARY];
            l->multiply(l, &(tern__blas_call){.m = s->n,
                                              .n = s->n,
                                              .k = s->n,
                                              .a = floats(s->a),
                                              .b = floats(s->b),
                                              .c = s->plain});
        }
    }
    return status;
}

/* |error| <= n epsilon sum |a b|, with a bound on the sum for numbers of variance 1. */
static tern_status check_libraries(void *user) {
    state *s = user;
    tern_status status = run_side(s, OURS, 1);
    double bound = 4.0 * s->n * 0x1p-23 * sqrt((double)s->n);
    for (int l = 0; l < LIBRARIES && s->libraries[l] != NULL && status == TERN_OK; l++) {
        status = run_side(s, FIRST_LIBRARY + l, 1);
        for (int64_t i = 0; i < (int64_t)s->n * s->n; i++)
            if (!(fabs((double)s->plain[i] - floats(s->c)[i]) <= bound))
                return tern__fail(TERN_E_INTERNAL, "bench: matmul: %s gives %g, we %g",
                                  s->libraries[l]->name, s->plain[i], floats(s->c)[i]);
    }
    return status;
}

typedef struct plain_state {
    state *s;
    void (*loop)(const float *a, const float *b, float *c, int64_t rows, int64_t k, int64_t n);
} plain_state;

static tern_status run_plain(void *user, int side, int64_t calls) {
    plain_state *p = user;
    if (side == OURS)
        return run_side(p->s, OURS, calls);
    for (int64_t i = 0; i < calls; i++)
        p->loop(floats(p->s->a), floats(p->s->b), p->s->plain, PLAIN_ROWS, p->s->n, p->s->n);
    return TERN_OK;
}

/* The loops have the order of ours: the same bits. */
static tern_status check_plain(void *user) {
    plain_state *p = user;
    tern_status status = run_plain(p, OURS, 1);
    if (status != TERN_OK)
        return status;
    run_plain(p, OURS + 1, 1);
    if (memcmp(p->s->plain, floats(p->s->c), PLAIN_ROWS * (size_t)p->s->n * sizeof(float)) != 0)
        return tern__fail(TERN_E_INTERNAL, "bench: matmul: other bits than the plain loop");
    return TERN_OK;
}

/* -- rows --------------------------------------------------------------------------------------*/

static double flop(int n) {
    return 2.0 * n * n * n;
}

/* Two matrices read, one written. */
static double bytes_moved(int n) {
    return 3.0 * n * n * sizeof(float);
}

static double gflops(int n, double seconds) {
    return flop(n) / seconds * 1e-9;
}

/* Against the faster of the plain loops; for other instruction sets there is no target. */
static tern_status show_plain(tern__table *table, state *s, uint32_t features) {
    char what[48];
    snprintf(what, sizeof what, "F32 matmul %d against plain loops", s->n);
    tern_bench_row row = tern__row("T1a", what, "x");
    row.is_least = row.is_ratio = true;
    if ((features & (TERN__CPU_AVX512 | TERN__CPU_AVX2)) != 0) {
        row.floor = (features & TERN__CPU_AVX512) != 0 ? 15 : 8;
        row.goal = (features & TERN__CPU_AVX512) != 0 ? 30 : 15;
    }
    if (tern__row_listed(table, &row))
        return TERN_OK;
    tern_bench_options options = {.samples = table->options.samples, .sample_seconds = 1e-3};
    tern_bench_result best = {0};
    const char *name = "";
    for (int i = 0; i < 2; i++) {
        plain_state p = {s, i == 0 ? tern__matmul_ijk : tern__matmul_ikj};
        const tern_bench_case bench = {.name = "matmul_plain",
                                       .side = {"tern", i == 0 ? "ijk" : "ikj"},
                                       .check = check_plain,
                                       .run = run_plain};
        tern_bench_result r;
        tern_status status = tern__bench_measure(&bench, &p, 1, &options, &r);
        if (status != TERN_OK)
            return tern__row_failed(table, &row, status);
        if (i == 0 || r.side[1].median < best.side[1].median) {
            best = r;
            name = bench.side[1];
        }
    }
    double factor = (double)s->n / PLAIN_ROWS;
    tern__row_ratio(&row, &best, 1, factor);
    tern__row_work(&row, &best, flop(s->n), bytes_moved(s->n));
    snprintf(row.detail, sizeof row.detail,
             "%.1f GFLOP/s; %s, the faster loop, %.2f GFLOP/s over %d rows",
             gflops(s->n, best.side[0].median), name, gflops(s->n, best.side[1].median * factor),
             PLAIN_ROWS);
    tern__row_show(table, &row);
    return TERN_OK;
}

/* Against one library. */
static tern_status show_library(tern__table *table, state *s, tern__blas *l) {
    char what[48];
    snprintf(what, sizeof what, "F32 matmul %d against %s", s->n, l->name);
    tern_bench_row row = tern__row("T1a", what, "x");
    row.is_least = row.is_ratio = true;
    row.goal = 1;
    if (tern__row_listed(table, &row))
        return TERN_OK;
    if (l->function == NULL) {
        snprintf(row.detail, sizeof row.detail, "%s: %s", l->name, l->why);
        tern__row_show(table, &row);
        return TERN_OK;
    }
    s->libraries[0] = l;
    const tern_bench_case bench = {
        .name = "matmul", .side = {"tern", l->name}, .check = check_libraries, .run = run_side};
    tern_bench_options options = {.samples = table->options.samples, .sample_seconds = 1e-2};
    tern_bench_result r;
    tern_status status = tern__bench_measure(&bench, s, 1, &options, &r);
    s->libraries[0] = NULL;
    if (status != TERN_OK)
        return tern__row_failed(table, &row, status);
    tern__row_ratio(&row, &r, 1, 1);
    tern__row_work(&row, &r, flop(s->n), bytes_moved(s->n));
    snprintf(row.detail, sizeof row.detail, "%.1f GFLOP/s, %s%s%s %.1f GFLOP/s",
             gflops(s->n, r.side[0].median), l->name, l->core[0] != '\0' ? " for " : "", l->core,
             gflops(s->n, r.side[1].median));
    tern__row_show(table, &row);
    return TERN_OK;
}

static void close_state(state *s) {
    tern_tensor_release(s->a);
    tern_tensor_release(s->b);
    tern_tensor_release(s->c);
    if (s->plain != NULL)
        tern__os()->pages_unmap(s->plain, (size_t)s->n * (size_t)s->n * sizeof(float));
}

static tern_status open_state(state *s) {
    tern_shape shape = {2, {s->n, s->n}};
    tern_status status;
    TERN__TRY(tern_tensor_randn(s->context, TERN_F32, shape, 1, &s->a));
    TERN__TRY(tern_tensor_randn(s->context, TERN_F32, shape, 2, &s->b));
    TERN__TRY(tern_tensor_empty(s->context, TERN_F32, shape, &s->c));
    s->plain = tern__os()->pages_map((size_t)s->n * (size_t)s->n * sizeof(float));
    if (s->plain == NULL)
        status = tern__fail(TERN_E_MEMORY, "bench: no memory for a matrix of %d", s->n);
done:
    return status;
}

static tern_status show_size(tern__table *table, tern_context *context, int n,
                             tern__blas *libraries, uint32_t features) {
    state s = {.context = context, .n = n};
    tern_status status = TERN_OK;
    if (!table->options.is_listing)
        TERN__TRY(open_state(&s));
    TERN__TRY(show_plain(table, &s, features));
    for (int i = 0; i < LIBRARIES; i++)
        TERN__TRY(show_library(table, &s, &libraries[i]));
done:
    close_state(&s);
    return status;
}

static tern_status show_sizes(tern__table *table) {
    static const int sizes[] = {512, 1024, 2048};
    tern_context *context = NULL;
    tern__blas libraries[LIBRARIES] = {0};
    uint32_t features = 0;
    tern_status status;
    TERN__TRY(tern__cpu_level(table->options.cpu, &features));
    if (!table->options.is_listing)
        TERN__TRY(tern_context_create(
            &(tern_options){.device = "cpu", .threads = 1, .cpu = table->options.cpu}, &context));
    tern__blas_open(libraries, &table->options);
    for (int i = 0; i < (table->options.is_quick ? 1 : 3); i++)
        TERN__TRY(show_size(table, context, sizes[i], libraries, features));
done:
    tern__blas_close(libraries);
    tern_context_destroy(context);
    return status;
}

/* -- T1c ---------------------------------------------------------------------------------------*/

typedef struct rivals {
    const tern_device_info *device;
    tern_context *there, *here;
    tern_tensor *a, *b, *c;                /* (n, n) each, on the device */
    tern_tensor *a_here, *b_here, *c_here; /* the same on the processor */
    float *plain;                          /* (PLAIN_ROWS, n) */
    int n;
} rivals;

enum { DEVICE, PROCESSOR, LOOP_IJK, LOOP_IKJ, RIVALS };

/* Every product of the device is waited for. */
static tern_status run_rival(void *user, int side, int64_t calls) {
    rivals *r = user;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++) {
        if (side == DEVICE) {
            TERN__TRY(tern_matmul_into(r->a, r->b, r->c));
            TERN__TRY(tern_context_wait(r->there));
        } else if (side == PROCESSOR) {
            TERN__TRY(tern_matmul_into(r->a_here, r->b_here, r->c_here));
        } else {
            (side == LOOP_IJK ? tern__matmul_ijk : tern__matmul_ikj)(
                floats(r->a_here), floats(r->b_here), r->plain, PLAIN_ROWS, r->n, r->n);
        }
    }
done:
    return status;
}

static tern_status check_rivals(void *user) {
    rivals *r = user;
    int64_t before = tern__device_fallbacks(r->there, "matmul");
    tern_status status = TERN_OK;
    for (int side = 0; side < RIVALS; side++) {
        TERN__TRY(run_rival(r, side, 1));
        if (side > PROCESSOR &&
            memcmp(r->plain, floats(r->c_here), PLAIN_ROWS * (size_t)r->n * sizeof(float)) != 0)
            TERN__TRY(tern__fail(TERN_E_INTERNAL, "bench: matmul: other bits than the plain loop"));
    }
    TERN__TRY(tern__device_check_own(r->device, r->there, "matmul", before));
    TERN__TRY(tern__device_compare(r->c, r->c_here, tern__device_tolerance(r->there, "matmul")));
done:
    return status;
}

static void close_rivals(rivals *r) {
    tern_tensor *const tensors[] = {r->a, r->b, r->c, r->a_here, r->b_here, r->c_here};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        tern_tensor_release(tensors[i]);
    if (r->plain != NULL)
        tern__os()->free(r->plain);
    tern_context_destroy(r->there);
    tern_context_destroy(r->here);
}

static tern_status open_rivals(const tern__table *table, rivals *r) {
    tern_shape shape = {2, {r->n, r->n}};
    tern_status status;
    TERN__TRY(tern__device_context(table, NULL, &r->here));
    TERN__TRY(tern__device_context(table, r->device, &r->there));
    TERN__TRY(tern_tensor_randn(r->here, TERN_F32, shape, 1, &r->a_here));
    TERN__TRY(tern_tensor_randn(r->here, TERN_F32, shape, 2, &r->b_here));
    TERN__TRY(tern_tensor_empty(r->here, TERN_F32, shape, &r->c_here));
    TERN__TRY(tern_tensor_to(r->a_here, r->there, &r->a));
    TERN__TRY(tern_tensor_to(r->b_here, r->there, &r->b));
    TERN__TRY(tern_tensor_empty(r->there, TERN_F32, shape, &r->c));
    r->plain = tern__os()->alloc(PLAIN_ROWS * (size_t)r->n * sizeof(float));
    if (r->plain == NULL)
        status = tern__fail(TERN_E_MEMORY, "bench: no memory for a matrix of %d", r->n);
done:
    return status;
}

static tern_status measure_rivals(const tern__table *table, rivals *r, tern_bench_result *result) {
    static const tern_bench_case bench = {.name = "matmul",
                                          .side = {"device", "processor", "ijk", "ikj"},
                                          .check = check_rivals,
                                          .run = run_rival};
    tern_bench_options options = {.samples = table->options.samples, .sample_seconds = 1e-3};
    tern_status status = open_rivals(table, r);
    if (status == TERN_OK)
        status = tern__bench_measure(&bench, r, 1, &options, result);
    close_rivals(r);
    return status;
}

/* The same times twice: against the faster plain loop, and against all threads. */
typedef struct rival_rows {
    char what[2][64];
    tern_bench_row row[2];
} rival_rows;

static void make_rival_rows(rival_rows *rows, const char *device, int n) {
    static const char *const others[] = {"plain loops", "all threads"};
    for (int i = 0; i < 2; i++) {
        snprintf(rows->what[i], sizeof rows->what[i], "F32 matmul %d on %s against %s", n, device,
                 others[i]);
        rows->row[i] = tern__row("T1c", rows->what[i], "x");
        rows->row[i].is_least = rows->row[i].is_ratio = true;
        rows->row[i].floor = i == 0 ? 15 : NAN;
        rows->row[i].goal = i == 0 ? 40 : 1;
    }
}

static void fill_rival_rows(rival_rows *rows, const tern_bench_result *result, int n, int threads) {
    int loop = result->side[LOOP_IKJ].median < result->side[LOOP_IJK].median ? LOOP_IKJ : LOOP_IJK;
    double factor = (double)n / PLAIN_ROWS, speed = gflops(n, result->side[DEVICE].median);
    tern__row_ratio(&rows->row[0], result, loop, factor);
    tern__row_ratio(&rows->row[1], result, PROCESSOR, 1);
    snprintf(rows->row[0].detail, sizeof rows->row[0].detail,
             "%.1f GFLOP/s; %s, the faster loop, %.2f GFLOP/s over %d rows", speed,
             loop == LOOP_IKJ ? "ikj" : "ijk", gflops(n, result->side[loop].median * factor),
             PLAIN_ROWS);
    snprintf(rows->row[1].detail, sizeof rows->row[1].detail,
             "%.1f GFLOP/s; %d thread%s of the processor %.1f GFLOP/s", speed, threads,
             threads > 1 ? "s" : "", gflops(n, result->side[PROCESSOR].median));
}

static tern_status show_rivals(tern__table *table, const tern_device_info *device, int n) {
    rivals r = {.device = device, .n = n};
    rival_rows rows;
    tern_bench_result result;
    bool is_listed = false;
    make_rival_rows(&rows, device->name, n);
    for (int i = 0; i < 2; i++)
        is_listed = tern__row_listed(table, &rows.row[i]) || is_listed;
    if (is_listed)
        return TERN_OK;
    tern_status failure = measure_rivals(table, &r, &result), status = TERN_OK;
    if (failure == TERN_OK)
        fill_rival_rows(&rows, &result, n, table->options.threads);
    for (int i = 0; i < 2 && status == TERN_OK; i++)
        if (failure == TERN_OK)
            tern__device_row_show(table, device, &rows.row[i]);
        else
            status = tern__row_failed(table, &rows.row[i], failure);
    return status;
}

/* What is no accelerator is slow, and not judged: once, and small where it must be quick. */
static tern_status show_accelerators(tern__table *table) {
    static const int sizes[] = {1024, 2048, 4096};
    tern__device_list list;
    tern_status status = tern__device_list_find(&table->options, &list);
    for (int i = 0; i < list.count && status == TERN_OK; i++) {
        const tern_device_info *device = &list.info[i];
        int count = table->options.is_quick || !device->is_accelerator ? 1 : 3;
        bool is_small = table->options.is_quick && !device->is_accelerator;
        for (int size = 0; size < count && status == TERN_OK; size++)
            status = show_rivals(table, device, is_small ? SMALL : sizes[size]);
    }
    if (list.count > 0 || status != TERN_OK)
        return status;
    tern_bench_row row = tern__row("T1c", "matmul on an accelerator", "x");
    row.floor = 15;
    row.goal = 40;
    row.is_least = row.is_ratio = true;
    if (!tern__row_listed(table, &row))
        tern__device_row_missing(table, &list, &row);
    return TERN_OK;
}

static tern_status run(tern__table *table, void *user) {
    (void)user;
    tern_status status = tern__is_asked_for(table, "T1a") ? show_sizes(table) : TERN_OK;
    if (status == TERN_OK && tern__is_asked_for(table, "T1c"))
        status = show_accelerators(table);
    return status;
}

static const tern__table_kind kind = {
    .names = "T1a,T1c", .rounds = ROUNDS, .quick_rounds = QUICK_ROUNDS, .run = run};

tern_status tern_bench_matmul(const tern_bench_table_options *options, tern_bench_row_fn visit,
                              void *user) {
    return tern__table_run(&kind, options, visit, user, NULL);
}
