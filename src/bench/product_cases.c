/* SPDX-License-Identifier: MIT
 * Benchmarks of square matrix products in the data types that no table has a row for: the machine's
 * best kernel against the scalar one, which must give the same bits. */
#include <tern/ops.h>

#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "bench/bench.h"

enum { SIDE = 192 };

typedef struct product_side {
    tern_context *context;
    tern_tensor *a, *b, *c; /* (SIDE, SIDE) */
} product_side;

typedef struct product_state {
    const char *name;
    product_side side[2];
} product_state;

static tern_status make_operand(tern_context *context, tern_dtype dtype, uint64_t seed,
                                tern_tensor **out) {
    tern_shape shape = TERN_SHAPE(SIDE, SIDE);
    return dtype == TERN_I8 ? tern_tensor_randint(context, dtype, shape, -127, 128, seed, out)
                            : tern_tensor_randn(context, dtype, shape, seed, out);
}

static tern_status make_side(product_side *side, tern_dtype dtype, const tern_options *options) {
    tern_status status;
    TERN__TRY(tern_context_create(options, &side->context));
    TERN__TRY(make_operand(side->context, dtype, 1, &side->a));
    TERN__TRY(make_operand(side->context, dtype, 2, &side->b));
    TERN__TRY(tern_matmul(side->a, side->b, &side->c));
done:
    return status;
}

static void product_teardown(void *state) {
    product_state *s = state;
    for (int i = 0; i < 2; i++) {
        tern_tensor_release(s->side[i].a);
        tern_tensor_release(s->side[i].b);
        tern_tensor_release(s->side[i].c);
        tern_context_destroy(s->side[i].context);
    }
    tern__os()->free(s);
}

static tern_status product_setup(const tern_bench_case *self, const tern_bench_options *options,
                                 void **state, double *work) {
    const tern_dtype *dtype = self->parameter;
    tern_status status;
    product_state *s = tern__os()->alloc(sizeof *s);
    if (s == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for %s", self->name);
    s->name = self->name;
    TERN__TRY(make_side(
        &s->side[0], *dtype,
        &(tern_options){.device = "cpu", .threads = options->threads, .cpu = options->cpu}));
    TERN__TRY(
        make_side(&s->side[1], *dtype,
                  &(tern_options){.device = "cpu", .threads = options->threads, .cpu = "scalar"}));
    *work = (double)SIDE * SIDE * SIDE;
    *state = s;
    return TERN_OK;
done:
    product_teardown(s);
    return status;
}

static tern_status product_run(void *state, int side, int64_t calls) {
    product_side *s = &((product_state *)state)->side[side];
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++)
        status = tern_matmul_into(s->a, s->b, s->c);
    return status;
}

/* Both sides give the same bits, and not the same number everywhere. */
static tern_status product_check(void *state) {
    product_state *s = state;
    const char *best = tern_tensor_data(s->side[0].c);
    size_t bytes = tern_tensor_bytes(s->side[0].c), half = bytes / 2;
    if (memcmp(best, tern_tensor_data(s->side[1].c), bytes) != 0)
        return tern__fail(TERN_E_INTERNAL, "bench: %s: the two sides differ", s->name);
    if (memcmp(best, best + half, half) == 0)
        return tern__fail(TERN_E_INTERNAL, "bench: %s: all rows are the same", s->name);
    return TERN_OK;
}

static const tern_dtype wide = TERN_F64, narrow = TERN_I8;

const tern_bench_case tern__bench_matmul_f64 = {
    .name = "matmul_f64",
    .summary = "a product of two F64 matrices (192, 192)",
    .unit = "mac",
    .side = {"tern", "scalar"},
    .parameter = &wide,
    .setup = product_setup,
    .check = product_check,
    .run = product_run,
    .teardown = product_teardown,
};

const tern_bench_case tern__bench_matmul_i8 = {
    .name = "matmul_i8",
    .summary = "a product of two I8 matrices (192, 192), exact in I32",
    .unit = "mac",
    .side = {"tern", "scalar"},
    .parameter = &narrow,
    .setup = product_setup,
    .check = product_check,
    .run = product_run,
    .teardown = product_teardown,
};
