/* SPDX-License-Identifier: MIT
 * Target T1b: the ternary product of 512 tokens, quantising included, against the F32 product of
 * the same shape by our own kernel and by OpenBLAS, one thread. */
#include <math.h>
#include <stdio.h>

#include <tern/ops.h>

#include "base/cpu.h"
#include "base/status.h"
#include "bench/blas.h"
#include "bench/kernel_rows.h"

/* Floors and goals by the unit that multiplies. */
static const struct {
    uint32_t needs;
    double floor, goal;
} units[] = {
    {TERN__CPU_AMX_INT8, 10, 20},
    {TERN__CPU_AVX512_VNNI, 3, 4},
    {TERN__CPU_AVX2, 2, 3},
};

typedef struct state {
    tern_context *context;
    tern_tensor *x;      /* (tokens, K) */
    tern_tensor *trits;  /* (M, K), packed */
    tern_tensor *floats; /* (M, K): the same numbers */
    tern_tensor *y, *z;  /* (tokens, M): results of the two */
    int tokens, rows, columns;
    const tern__blas *blas; /* NULL: our own */
} state;

static float *floats_of(tern_tensor *tensor) {
    return (float *)tern_tensor_data(tensor);
}

static tern_status run_side(void *user, int side, int64_t calls) {
    state *s = user;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++) {
        if (side == 0)
            status = tern_linear_into(s->x, s->trits, s->y);
        else if (s->blas == NULL)
            status = tern_linear_into(s->x, s->floats, s->z);
        else
            s->blas->multiply(s->blas, &(tern__blas_call){.is_transposed = true,
                                                          .m = s->tokens,
                                                          .n = s->rows,
                                                          .k = s->columns,
                                                          .a = floats_of(s->x),
                                                          .b = floats_of(s->floats),
                                                          .c = floats_of(s->z)});
    }
    return status;
}

/* Activations of variance 1 are rounded to steps of at most 6 / 127, with errors of a 12th of its
 * square; two thirds of the trits are not 0. Eight standard deviations. */
static tern_status check_sides(void *user) {
    state *s = user;
    tern_status status = run_side(s, 0, 1);
    if (status == TERN_OK)
        status = run_side(s, 1, 1);
    const float *y = floats_of(s->y), *z = floats_of(s->z);
    double bound = 8 * (6.0 / 127) * sqrt(s->columns * (2.0 / 3) / 12);
    for (int64_t i = 0; i < (int64_t)s->tokens * s->rows && status == TERN_OK; i++)
        if (!(fabs((double)y[i] - (double)z[i]) <= bound))
            status = tern__fail(TERN_E_INTERNAL, "bench: element %lld is %g with trits, %g in F32",
                                (long long)i, (double)y[i], (double)z[i]);
    return status;
}

static void close_state(state *s) {
    tern_tensor *const all[] = {s->x, s->trits, s->floats, s->y, s->z};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tern_tensor_release(all[i]);
}

static tern_status open_state(state *s) {
    tern_tensor *codes = NULL;
    tern_shape result = TERN_SHAPE(s->tokens, s->rows);
    tern_status status;
    TERN__TRY(tern_tensor_randn(s->context, TERN_F32, TERN_SHAPE(s->tokens, s->columns), 1, &s->x));
    TERN__TRY(tern_tensor_randint(s->context, TERN_I8, TERN_SHAPE(s->rows, s->columns), -1, 2, 2,
                                  &codes));
    TERN__TRY(tern_tensor_pack(codes, &s->trits));
    TERN__TRY(tern_cast(codes, TERN_F32, &s->floats));
    TERN__TRY(tern_tensor_empty(s->context, TERN_F32, result, &s->y));
    TERN__TRY(tern_tensor_empty(s->context, TERN_F32, result, &s->z));
done:
    tern_tensor_release(codes);
    return status;
}

static double gops(const state *s, double seconds) {
    return 2e-9 * s->tokens * s->rows * s->columns / seconds;
}

static tern_status show_against(tern__kernel_table *t, state *s, const tern__blas *blas) {
    char what[64];
    const tern__packed_kernel *kernel = TERN__PICK(tern__trits4_family, t->features);
    const char *name = blas != NULL ? blas->name : "our F32";
    snprintf(what, sizeof what, "%d x %d, %d tokens, %s, against %s", s->rows, s->columns,
             s->tokens, kernel->variant.name, name);
    tern_bench_row row = tern__row("T1b", what, "x");
    row.is_least = row.is_ratio = true;
    for (size_t i = 0; i < sizeof units / sizeof *units && isnan(row.floor); i++)
        if ((kernel->variant.needs & units[i].needs) != 0) {
            row.floor = units[i].floor;
            row.goal = units[i].goal;
        }
    if (tern__row_listed(&t->table, &row))
        return TERN_OK;
    if (blas != NULL && blas->function == NULL) {
        snprintf(row.detail, sizeof row.detail, "%s: %s", blas->name, blas->why);
        tern__row_show(&t->table, &row);
        return TERN_OK;
    }
    s->blas = blas;
    const tern_bench_case bench = {
        .name = "T1b", .side = {"ternary", name}, .check = check_sides, .run = run_side};
    tern_bench_options options = {.samples = t->table.options.samples, .sample_seconds = 1e-2};
    tern_bench_result r;
    tern_status status = tern__bench_measure(&bench, s, 1, &options, &r);
    if (status != TERN_OK)
        return tern__row_failed(&t->table, &row, status);
    tern__row_ratio(&row, &r, 1, 1);
    snprintf(row.detail, sizeof row.detail, "%.1f GOP/s, quantising included; %s%s%s %.1f GFLOP/s",
             gops(s, r.side[0].median), name, blas != NULL && blas->core[0] != '\0' ? " for " : "",
             blas != NULL ? blas->core : "", gops(s, r.side[1].median));
    tern__row_show(&t->table, &row);
    return TERN_OK;
}

static tern_status show_shape(tern__kernel_table *t, tern_context *context,
                              const tern__kernel_shape *shape, const tern__blas *blas) {
    state s = {.context = context,
               .tokens = tern__kernel_tokens(t),
               .rows = (int)shape->rows,
               .columns = (int)shape->columns};
    tern_status status = t->table.options.is_listing ? TERN_OK : open_state(&s);
    if (status == TERN_OK)
        status = show_against(t, &s, NULL);
    if (status == TERN_OK)
        status = show_against(t, &s, blas);
    close_state(&s);
    return status;
}

tern_status tern__kernel_against_f32(tern__kernel_table *t) {
    static const tern__kernel_shape quick_shape = {640, 2560};
    const tern_bench_table_options *o = &t->table.options;
    tern__blas libraries[TERN__BLAS_COUNT];
    tern_context *context = NULL;
    tern_status status = TERN_OK;
    if (!tern__is_asked_for(&t->table, "T1b"))
        return TERN_OK;
    if (!o->is_listing)
        status = tern_context_create(&(tern_options){.device = "cpu", .threads = 1, .cpu = o->cpu},
                                     &context);
    if (status != TERN_OK)
        return status;
    tern__blas_open(libraries, o);
    for (int i = 0; i < (o->is_quick ? 1 : TERN__KERNEL_SHAPES) && status == TERN_OK; i++)
        status = show_shape(t, context, o->is_quick ? &quick_shape : &tern__kernel_shapes[i],
                            &libraries[0]);
    tern__blas_close(libraries);
    tern_context_destroy(context);
    return status;
}
