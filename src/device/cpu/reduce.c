/* SPDX-License-Identifier: MIT
 * Reductions over any axes. A piece of work makes up to TERN__REDUCE_WIDTH results along the last
 * kept axis, or one block of them: the results of the blocks of rows longer than
 * TERN__REDUCE_BLOCK lie in a tensor (outer, blocks, columns), which is reduced in turn. How the
 * work is cut changes no bit. */
#include "device/cpu/reduce.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "device/cpu/indexing.h"
#include "tensor/dtype.h"

/* -- what is done with results ------------------------------------------------------------------*/

#define DEFINE_THEN(type, t, root)                                                                 \
    static void then_##t(const tern__reduce_source *s, const tern__reduce_pass *pass, type *r,     \
                         const type *m, int64_t n) {                                               \
        const type number = (type)pass->number;                                                    \
        switch (pass->then) {                                                                      \
        case TERN__THEN_DIVIDE:                                                                    \
            for (int64_t i = 0; i < n; i++)                                                        \
                r[i] /= number;                                                                    \
            break;                                                                                 \
        case TERN__THEN_DIVIDE_ROOT:                                                               \
            for (int64_t i = 0; i < n; i++)                                                        \
                r[i] = root(r[i] / number);                                                        \
            break;                                                                                 \
        case TERN__THEN_FINITE:                                                                    \
            for (int64_t i = 0; i < n; i++)                                                        \
                r[i] = isinf(r[i]) ? 0 : r[i];                                                     \
            break;                                                                                 \
        case TERN__THEN_LOG:                                                                       \
            s->cpu->functions->t[TERN__FUNCTION_LOG](r, 1, r, n);                                  \
            for (int64_t i = 0; i < n; i++)                                                        \
                r[i] += m[i];                                                                      \
            break;                                                                                 \
        default:                                                                                   \
            break;                                                                                 \
        }                                                                                          \
    }
DEFINE_THEN(float, f32, sqrtf)
DEFINE_THEN(double, f64, sqrt)

static void then_i64(const tern__reduce_pass *pass, int64_t *r, int64_t n) {
    if (pass->then == TERN__THEN_ANY)
        for (int64_t i = 0; i < n; i++)
            r[i] = r[i] != 0;
    else if (pass->then == TERN__THEN_ALL)
        for (int64_t i = 0; i < n; i++)
            r[i] = r[i] == (int64_t)pass->number;
}

static void then(const tern__reduce_source *s, const tern__reduce_pass *pass, void *results,
                 const void *numbers, int64_t n) {
    if (pass->then == TERN__THEN_POWER)
        tern__reduce_raise(s, results, pass->number, n);
    else if (s->plan->hub == TERN__HUB_F32)
        then_f32(s, pass, results, numbers, n);
    else if (s->plan->hub == TERN__HUB_F64)
        then_f64(s, pass, results, numbers, n);
    else
        then_i64(pass, results, n);
}

/* -- pieces of work -----------------------------------------------------------------------------*/

typedef struct reduce_job {
    tern__reduce_source source;
    const uint8_t *numbers;        /* (outer, columns), or NULL */
    int64_t blocks, width, pieces; /* of a row; of a piece; of the columns */
    uint8_t *partial;              /* (outer, blocks, columns) of the hub's type, or NULL: `out` */
    uint8_t *staging;              /* a block for each thread, or NULL */
    const tern_tensor *out;
} reduce_job;

static void put(const reduce_job *j, int64_t row, int64_t first, int64_t n, const void *results) {
    const tern__split *split = j->source.split;
    int64_t size = j->source.size;
    if (j->partial != NULL) {
        memcpy(j->partial + (row * split->columns + first) * size, results, (size_t)(n * size));
        return;
    }
    int64_t stride = split->out_strides[split->kept - 1];
    int64_t at = tern__split_at(split, row).out + first * stride;
    tern__cpu_store(j->source.cpu, j->source.plan->hub, results, (tern_dtype)j->out->dtype,
                    tern__element(j->out, at), stride, n);
}

/* Indices are (outer, block, piece). */
static void do_pieces(void *argument, int64_t begin, int64_t end, int lane) {
    const reduce_job *j = argument;
    const tern__reduce_source *s = &j->source;
    const tern__split *split = s->split;
    double results[TERN__REDUCE_WIDTH], numbers[TERN__REDUCE_WIDTH];
    for (int64_t index = begin; index < end; index++) {
        int64_t first = index % j->pieces * j->width, row = index / j->pieces;
        int64_t outer = row / j->blocks, n = tern__min_i64(j->width, split->columns - first);
        int64_t x = tern__split_at(split, outer).x + first * split->kept_strides[split->kept - 1];
        tern__reduce_block b = {.x = split->data + x * split->size, .columns = n};
        b.first = row % j->blocks * TERN__REDUCE_BLOCK;
        b.count = tern__min_i64(split->n - b.first, TERN__REDUCE_BLOCK);
        if (j->staging != NULL)
            b.staging = j->staging + lane * TERN__REDUCE_BLOCK * s->size;
        if (j->numbers != NULL) {
            const uint8_t *from = j->numbers + (outer * split->columns + first) * s->size;
            b.numbers = memcpy(numbers, from, (size_t)(n * s->size));
        }
        for (int p = 0; p < s->plan->count; p++) {
            b.reduction = s->plan->passes[p].reduction;
            tern__reduce_block_run(s, &b, tern__lane_scratch(s->cpu, lane), results);
            then(s, &s->plan->passes[p], results, numbers, n);
            b.numbers = memcpy(numbers, results, (size_t)(n * s->size));
        }
        put(j, row, first, n, results);
    }
}

static tern_status run_job(reduce_job *j, tern_context *context) {
    const tern__split *split = j->source.split;
    tern_tensor *staging = NULL;
    if (tern__reduce_is_turned(&j->source)) {
        tern_shape shape = {2, {tern__team_size(j->source.cpu->team), TERN__REDUCE_BLOCK}};
        tern_status status = tern__tensor_empty(context, tern__hub_type(j->source.plan->hub),
                                                &shape, "reduce", &staging);
        if (status != TERN_OK)
            return status;
        j->staging = staging->data;
    }
    j->width = tern__reduce_width(&j->source, j->blocks);
    j->pieces = (split->columns - 1) / j->width + 1;
    int64_t elements = tern__min_i64(split->n, TERN__REDUCE_BLOCK);
    elements = tern__max_i64(elements * tern__min_i64(j->width, split->columns), 1);
    tern__team_run(j->source.cpu->team, split->outer * j->blocks * j->pieces,
                   tern__max_i64(1, TERN__CPU_GRAIN / elements), do_pieces, j);
    tern_tensor_release(staging);
    return TERN_OK;
}

/* -- rows of many blocks ------------------------------------------------------------------------*/

typedef struct reduce_run {
    const tern__cpu_device *cpu;
    const tern__split *split;
    const tern__reduce_plan *plan;
    tern_context *context;
} reduce_run;

static tern_status run(const reduce_run *r, const tern_tensor *numbers, const tern_tensor *out);

/* A tensor (outer, rows, columns) seen as the rows that remain to be reduced. */
static tern__split split_partial(const tern__split *split, const tern_tensor *partial) {
    tern__split s = *split;
    int64_t stride = partial->dims[1] * split->columns;
    s.data = partial->data;
    s.dtype = (tern_dtype)partial->dtype;
    s.size = tern__dtype(s.dtype)->block_bytes;
    s.n = s.dims[0] = partial->dims[1];
    s.reduced = 1;
    s.strides[0] = split->columns;
    for (int i = s.kept - 2; i >= 0; i--) {
        s.kept_strides[i] = stride;
        stride *= s.kept_dims[i];
    }
    s.kept_strides[s.kept - 1] = 1;
    return s;
}

static tern_status make_tensor(const reduce_run *r, int64_t rows, tern_tensor **out) {
    tern_shape shape = {3, {r->split->outer, rows, r->split->columns}};
    return tern__tensor_empty(r->context, tern__hub_type(r->plan->hub), &shape, "reduce", out);
}

/* One pass over rows of many blocks: the blocks, then what they gave. The results go to `out`, or
 * where that is NULL to a fresh tensor (outer, 1, columns). */
static tern_status run_pass(const reduce_run *r, const tern__reduce_pass *pass,
                            const tern_tensor *numbers, const tern_tensor *out,
                            tern_tensor **fresh) {
    tern_tensor *partial = NULL;
    tern__reduce_plan plan = *r->plan;
    plan.count = 1;
    plan.passes[0] = (tern__reduce_pass){.reduction = pass->reduction};
    int64_t blocks = tern__reduce_blocks(r->split->n);
    tern_status status = make_tensor(r, blocks, &partial);
    if (status == TERN_OK && fresh != NULL)
        status = make_tensor(r, 1, fresh);
    if (status == TERN_OK)
        status = run_job(&(reduce_job){.source = tern__reduce_open(r->cpu, r->split, &plan),
                                       .numbers = numbers != NULL ? numbers->data : NULL,
                                       .blocks = blocks,
                                       .partial = partial->data},
                         r->context);
    if (status == TERN_OK) {
        tern__split rest = split_partial(r->split, partial);
        if (fresh != NULL)
            memcpy(rest.out_strides, split_partial(r->split, *fresh).kept_strides,
                   sizeof rest.out_strides);
        plan.first = TERN__FIRST_NOTHING;
        plan.passes[0] =
            (tern__reduce_pass){tern__reduce_gathers(pass->reduction), pass->then, pass->number};
        reduce_run next = {r->cpu, &rest, &plan, r->context};
        status = run(&next, numbers, fresh != NULL ? *fresh : out);
    }
    tern_tensor_release(partial);
    return status;
}

static tern_status run(const reduce_run *r, const tern_tensor *numbers, const tern_tensor *out) {
    if (tern__reduce_blocks(r->split->n) == 1)
        return run_job(&(reduce_job){.source = tern__reduce_open(r->cpu, r->split, r->plan),
                                     .numbers = numbers != NULL ? numbers->data : NULL,
                                     .blocks = 1,
                                     .out = out},
                       r->context);
    if (r->plan->count == 1)
        return run_pass(r, &r->plan->passes[0], numbers, out, NULL);
    tern_tensor *first = NULL;
    tern_status status = run_pass(r, &r->plan->passes[0], NULL, NULL, &first);
    if (status == TERN_OK)
        status = run_pass(r, &r->plan->passes[1], first, out, NULL);
    tern_tensor_release(first);
    return status;
}

tern_status tern__reduce_run(const tern__cpu_device *cpu, const tern__split *split,
                             const tern__reduce_plan *plan, tern_context *context,
                             const tern_tensor *out) {
    return run(&(reduce_run){cpu, split, plan, context}, NULL, out);
}

/* -- rows of the device -------------------------------------------------------------------------*/

/* Numbers of rows as a plan has them. */
static tern__reduce_plan plan_moments(const tern__op_call *call, int64_t n) {
    double left = (double)tern__max_i64(n - call->choice, 0);
    bool is_root = call->op == TERN__OP_STD;
    return (tern__reduce_plan){
        .count = 2,
        .passes = {
            {TERN__REDUCE_SUM, TERN__THEN_DIVIDE, (double)n},
            {TERN__REDUCE_DEVIATIONS, is_root ? TERN__THEN_DIVIDE_ROOT : TERN__THEN_DIVIDE, left}}};
}

/* (sum |x|^p)^(1/p) and its limits. */
static tern__reduce_plan plan_norm(double p) {
    if (p == 1)
        return (tern__reduce_plan){.count = 1, .passes = {{.reduction = TERN__REDUCE_MAGNITUDES}}};
    if (p == 2)
        return (tern__reduce_plan){.count = 1,
                                   .passes = {{TERN__REDUCE_SQUARES, TERN__THEN_DIVIDE_ROOT, 1}}};
    if (isinf(p))
        return (tern__reduce_plan){.count = 1,
                                   .passes = {{.reduction = p > 0 ? TERN__REDUCE_LARGEST_MAGNITUDE
                                                                  : TERN__REDUCE_LEAST_MAGNITUDE}}};
    if (p == 0)
        return (tern__reduce_plan){
            .first = TERN__FIRST_NONZERO, .count = 1, .passes = {{.reduction = TERN__REDUCE_SUM}}};
    return (tern__reduce_plan){.first = TERN__FIRST_POWER,
                               .exponent = p,
                               .count = 1,
                               .passes = {{TERN__REDUCE_SUM, TERN__THEN_POWER, 1 / p}}};
}

static tern__reduce_plan plan_for(const tern__op_call *call, int64_t n) {
    tern__reduce_plan counted = {.first = TERN__FIRST_NONZERO, .count = 1};
    switch (call->op) {
    case TERN__OP_PROD:
        return (tern__reduce_plan){.count = 1, .passes = {{.reduction = TERN__REDUCE_PROD}}};
    case TERN__OP_MIN:
        return (tern__reduce_plan){.count = 1, .passes = {{.reduction = TERN__REDUCE_MIN}}};
    case TERN__OP_MAX:
        return (tern__reduce_plan){.count = 1, .passes = {{.reduction = TERN__REDUCE_MAX}}};
    case TERN__OP_MEAN:
        return (tern__reduce_plan){.count = 1,
                                   .passes = {{TERN__REDUCE_SUM, TERN__THEN_DIVIDE, (double)n}}};
    case TERN__OP_VAR:
    case TERN__OP_STD:
        return plan_moments(call, n);
    case TERN__OP_NORM:
        return plan_norm(call->number);
    case TERN__OP_LOGSUMEXP:
        return (tern__reduce_plan){.count = 2,
                                   .passes = {{TERN__REDUCE_MAX, TERN__THEN_FINITE, 0},
                                              {TERN__REDUCE_EXPONENTIALS, TERN__THEN_LOG, 0}}};
    case TERN__OP_ANY:
        counted.passes[0].then = TERN__THEN_ANY;
        return counted;
    case TERN__OP_ALL:
        counted.passes[0] = (tern__reduce_pass){TERN__REDUCE_SUM, TERN__THEN_ALL, (double)n};
        return counted;
    case TERN__OP_COUNT_NONZERO:
        return counted;
    default:
        return (tern__reduce_plan){.count = 1, .passes = {{.reduction = TERN__REDUCE_SUM}}};
    }
}

tern_status tern__cpu_reduce(tern__device *device, const tern__op_call *call) {
    const tern__cpu_device *cpu = tern__cpu_of(device);
    tern__split split;
    tern__split_axes(&split, call->in[0], call->axes, call->out);
    tern__reduce_plan plan = plan_for(call, split.n);
    tern_dtype result = (tern_dtype)call->out->dtype;
    plan.hub = plan.first == TERN__FIRST_NONZERO ? TERN__HUB_I64 : tern__hub_of(result);
    if (plan.count == 1 && (plan.hub == TERN__HUB_I64 ||
                            tern__reduce_gathers(plan.passes[0].reduction) >= TERN__REDUCE_MIN))
        tern__split_any_order(&split);
    tern__split_prefer_columns(&split);
    return tern__reduce_run(cpu, &split, &plan, call->context, call->out);
}
