/* SPDX-License-Identifier: MIT
 * Benchmarks of matrix products through the public ops: the machine's best kernels against the
 * scalar ones, which must give the same bits. One matrix is used again and again, so it stays in
 * the caches that hold it. */
#include <tern/ops.h>

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/os.h"
#include "base/status.h"
#include "bench/bench.h"

typedef struct linear_shape {
    int64_t tokens, rows, columns; /* x (tokens, columns) times the transpose of (rows, columns) */
    tern_dtype dtype;
} linear_shape;

typedef struct linear_side {
    tern_context *context;
    tern_tensor *x, *weight;
} linear_side;

typedef struct linear_state {
    const tern_bench_case *bench;
    linear_side side[TERN_BENCH_SIDES];
    volatile float sink;
} linear_state;

enum { SEED_X = 1, SEED_WEIGHT = 2 };

static tern_status make_weight(tern_context *context, const linear_shape *shape,
                               tern_tensor **weight) {
    if (shape->dtype == TERN_TERNARY)
        return tern_tensor_pack_random(context, shape->rows, shape->columns, 0.5f, SEED_WEIGHT,
                                       weight);
    tern_tensor *wide = NULL;
    tern_status status = tern_tensor_rand(
        context, TERN_F32, TERN_SHAPE(shape->rows, shape->columns), SEED_WEIGHT, &wide);
    if (status == TERN_OK)
        status = tern_cast(wide, shape->dtype, weight);
    tern_tensor_release(wide);
    return status;
}

static tern_status make_side(linear_side *side, const linear_shape *shape,
                             const tern_options *options) {
    tern_status status = TERN_OK;
    TERN__TRY(tern_context_create(options, &side->context));
    TERN__TRY(tern_tensor_randn(side->context, TERN_F32, TERN_SHAPE(shape->tokens, shape->columns),
                                SEED_X, &side->x));
    TERN__TRY(make_weight(side->context, shape, &side->weight));
done:
    return status;
}

static void linear_teardown(void *state) {
    linear_state *s = state;
    for (int i = 0; i < TERN_BENCH_SIDES; i++) {
        tern_tensor_release(s->side[i].weight);
        tern_tensor_release(s->side[i].x);
        tern_context_destroy(s->side[i].context);
    }
    tern__os()->free(s);
}

static tern_status linear_setup(const tern_bench_case *self, const tern_bench_options *options,
                                void **state, double *work) {
    const linear_shape *shape = self->parameter;
    tern_status status = TERN_OK;
    linear_state *s = tern__os()->alloc(sizeof *s);
    if (s == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for %s", self->name);
    s->bench = self;
    tern_options best = {.device = "cpu", .threads = options->threads, .cpu = options->cpu};
    tern_options scalar = {.device = "cpu", .threads = options->threads, .cpu = "scalar"};
    TERN__TRY(make_side(&s->side[0], shape, &best));
    TERN__TRY(make_side(&s->side[1], shape, &scalar));
    *work = (double)shape->tokens * (double)shape->rows * (double)shape->columns;
    *state = s;
    return TERN_OK;
done:
    linear_teardown(s);
    return status;
}

static tern_status linear_run(void *state, int side, int64_t calls) {
    linear_state *s = state;
    for (int64_t i = 0; i < calls; i++) {
        tern_tensor *y;
        tern_status status = tern_linear(s->side[side].x, s->side[side].weight, &y);
        if (status != TERN_OK)
            return status;
        s->sink = *(const float *)tern_tensor_data(y);
        tern_tensor_release(y);
    }
    return TERN_OK;
}

/* The stated order of a float product, for the first row of x and `row` of the weight. */
static float dot_f16(const linear_side *side, int64_t columns, int64_t row) {
    const float *x = tern_tensor_data(side->x);
    const uint16_t *weight = (const uint16_t *)tern_tensor_data(side->weight) + row * columns;
    float sum = 0;
    for (int64_t k = 0; k < columns; k++)
        sum = fmaf(x[k], tern__f32_from_f16(weight[k]), sum);
    return sum;
}

/* Both sides give the same bits; F16 rows also equal the plain loop; results are not all zero. */
static tern_status linear_check(void *state) {
    linear_state *s = state;
    const linear_shape *shape = s->bench->parameter;
    tern_status status = TERN_OK;
    tern_tensor *best = NULL, *scalar = NULL;
    TERN__TRY(tern_linear(s->side[0].x, s->side[0].weight, &best));
    TERN__TRY(tern_linear(s->side[1].x, s->side[1].weight, &scalar));
    const float *y = tern_tensor_data(best);
    if (memcmp(y, tern_tensor_data(scalar), tern_tensor_bytes(best)) != 0)
        TERN__TRY(tern__fail(TERN_E_INTERNAL, "bench: %s: the two sides differ", s->bench->name));
    for (int64_t row = 0; row < 16; row++) {
        bool is_wrong = shape->dtype == TERN_F16
                            ? y[row] != dot_f16(&s->side[0], shape->columns, row)
                            : !(fabsf(y[row]) > 0 && fabsf(y[row]) < INFINITY);
        if (is_wrong)
            TERN__TRY(tern__fail(TERN_E_INTERNAL, "bench: %s: element %d is wrong: %g",
                                 s->bench->name, (int)row, (double)y[row]));
    }
done:
    tern_tensor_release(best);
    tern_tensor_release(scalar);
    return status;
}

/* A feed-forward matrix, a key matrix and a slice of the output head of a model of 2 billion
 * weights; small enough for the scalar side. */
static const linear_shape decode_shape = {1, 6912, 2560, TERN_TERNARY};
static const linear_shape prefill_shape = {16, 640, 2560, TERN_TERNARY};
static const linear_shape head_shape = {1, 2048, 2560, TERN_F16};

const tern_bench_case tern__bench_ternary_decode = {
    .name = "ternary_linear",
    .summary = "x (1, 2560) times a ternary matrix (6912, 2560)",
    .unit = "mac",
    .side = {"tern", "scalar"},
    .parameter = &decode_shape,
    .setup = linear_setup,
    .check = linear_check,
    .run = linear_run,
    .teardown = linear_teardown,
};

const tern_bench_case tern__bench_ternary_prefill = {
    .name = "ternary_batch",
    .summary = "x (16, 2560) times a ternary matrix (640, 2560)",
    .unit = "mac",
    .side = {"tern", "scalar"},
    .parameter = &prefill_shape,
    .setup = linear_setup,
    .check = linear_check,
    .run = linear_run,
    .teardown = linear_teardown,
};

const tern_bench_case tern__bench_matmul_f16 = {
    .name = "matmul_f16",
    .summary = "x (1, 2560) times an F16 matrix (2048, 2560)",
    .unit = "mac",
    .side = {"tern", "scalar"},
    .parameter = &head_shape,
    .setup = linear_setup,
    .check = linear_check,
    .run = linear_run,
    .teardown = linear_teardown,
};
