/* SPDX-License-Identifier: MIT
 * Target T1a: F32 matrix products on one thread. Ours takes turns with the BLAS libraries that are
 * there, and with the faster of two plain loops, which does some rows of the result: its time is
 * counted up to all of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tern/ops.h>

#include "base/cpu.h"
#include "base/os.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/blas.h"
#include "bench/matmul_baseline.h"
#include "bench/rows.h"

enum { ROUNDS = 11, QUICK_ROUNDS = 5, PLAIN_ROWS = 32, LIBRARIES = TERN__BLAS_COUNT };

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

static double gflops(int n, double seconds) {
    return 2.0 * n * n * n / seconds * 1e-9;
}

/* Against the faster of the plain loops. */
static tern_status show_plain(const tern__table *table, state *s, bool is_avx512) {
    char what[48];
    snprintf(what, sizeof what, "F32 matmul %d against plain loops", s->n);
    tern_bench_row row = tern__row("T1a", what, "x");
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
    row.samples = best.samples;
    row.median = best.ratio * factor;
    row.p5 = best.ratio_low * factor;
    row.p95 = best.ratio_high * factor;
    row.is_least = true;
    row.floor = is_avx512 ? 15 : 8;
    row.goal = is_avx512 ? 30 : 15;
    snprintf(row.detail, sizeof row.detail,
             "%.1f GFLOP/s; %s, the faster loop, %.2f GFLOP/s over %d rows%s",
             gflops(s->n, best.side[0].median), name, gflops(s->n, best.side[1].median * factor),
             PLAIN_ROWS, best.is_noisy ? "; noisy" : "");
    tern__row_show(table, &row);
    return TERN_OK;
}

/* Against one library. */
static tern_status show_library(const tern__table *table, state *s, tern__blas *l) {
    char what[48];
    snprintf(what, sizeof what, "F32 matmul %d against %s", s->n, l->name);
    tern_bench_row row = tern__row("T1a", what, "x");
    row.is_least = true;
    row.goal = 1;
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
    row.samples = r.samples;
    row.median = r.ratio;
    row.p5 = r.ratio_low;
    row.p95 = r.ratio_high;
    snprintf(row.detail, sizeof row.detail, "%.1f GFLOP/s, %s %.1f GFLOP/s%s",
             gflops(s->n, r.side[0].median), l->name, gflops(s->n, r.side[1].median),
             r.is_noisy ? "; noisy" : "");
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

static tern_status show_size(const tern__table *table, tern_context *context, int n,
                             tern__blas *libraries, bool is_avx512) {
    state s = {.context = context, .n = n};
    tern_shape shape = {2, {n, n}};
    tern_status status;
    TERN__TRY(tern_tensor_randn(context, TERN_F32, shape, 1, &s.a));
    TERN__TRY(tern_tensor_randn(context, TERN_F32, shape, 2, &s.b));
    TERN__TRY(tern_tensor_empty(context, TERN_F32, shape, &s.c));
    s.plain = tern__os()->pages_map((size_t)n * (size_t)n * sizeof(float));
    if (s.plain == NULL)
        TERN__TRY(tern__fail(TERN_E_MEMORY, "bench: no memory for a matrix of %d", n));
    TERN__TRY(show_plain(table, &s, is_avx512));
    for (int i = 0; i < LIBRARIES; i++)
        TERN__TRY(show_library(table, &s, &libraries[i]));
done:
    close_state(&s);
    return status;
}

tern_status tern_bench_matmul(const tern_bench_table_options *options, tern_bench_row_fn visit,
                              void *user) {
    static const int sizes[] = {512, 1024, 2048};
    tern__table table;
    tern_context *context = NULL;
    tern__blas libraries[LIBRARIES] = {0};
    uint32_t features = 0;
    tern_status status = tern__table_open(&table, options, ROUNDS, QUICK_ROUNDS, visit, user);
    if (status != TERN_OK)
        return status;
    TERN__TRY(tern__cpu_level(table.options.cpu, &features));
    TERN__TRY(
        tern_context_create(&(tern_options){.threads = 1, .cpu = table.options.cpu}, &context));
    tern__blas_open(libraries, table.options.versus);
    for (int i = 0; i < (table.options.is_quick ? 1 : 3); i++)
        TERN__TRY(
            show_size(&table, context, sizes[i], libraries, (features & TERN__CPU_AVX512) != 0));
done:
    tern__blas_close(libraries);
    tern_context_destroy(context);
    return status;
}
