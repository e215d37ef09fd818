/* SPDX-License-Identifier: MIT
 *
 * BitNet's W1.58A8 product: y = (sum of trit * q) * weight scale / s, with q and s from quantising
 * each row of x (rows.h). The integer sums are exact, so threads may cut them anyhow. */
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/packed.h"

enum { CACHE_LINE = 64 };

static const tern__note linear_note = {.op = "ternary_linear", .rank = -1};

/* Quantised rows of x, and what the epilogue needs of each. */
typedef struct activations {
    int8_t *q; /* (N, q_stride) */
    int64_t q_stride;
    int32_t *q_sum;     /* (N): of the whole row */
    int32_t *block_sum; /* (scale_blocks, N) */
    float *factor;      /* (N): scale / s, or 1 / s with block scales */
} activations;

typedef struct product_job {
    const tern__cpu_device *cpu;
    const tern__packed *weight;
    const float *x; /* (N, columns) */
    int64_t n;
    activations act;
    float *out;         /* (N, rows) */
    int32_t *block_out; /* (N, rows): integers of one block; NULL without block scales */
} product_job;

static void do_quantize(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const product_job *job = argument;
    const tern__packed *w = job->weight;
    for (int64_t row = begin; row < end; row++) {
        int8_t *q = job->act.q + row * job->act.q_stride;
        float s = job->cpu->rows->quantize(job->x + row * w->columns, w->columns, q,
                                           job->act.q_stride, &job->act.q_sum[row]);
        job->act.factor[row] = (w->scale_blocks > 0 ? 1.0f : w->scale) / s;
        for (int64_t block = 0; block < w->scale_blocks; block++) {
            int32_t sum = 0;
            for (int64_t i = 0; i < w->block_columns; i++)
                sum += q[block * w->block_columns + i];
            job->act.block_sum[block * job->n + row] = sum;
        }
    }
}

/* One scale: integers straight into the result's memory, turned to floats there. */
static void do_panels(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const product_job *job = argument;
    const tern__packed *w = job->weight;
    int32_t *sums = (int32_t *)(void *)job->out;
    tern__packed_args args = {
        .packed = tern__packed_panels(w),
        .k = w->k,
        .k_begin = 0,
        .k_end = w->k,
        .m = w->rows,
        .q = job->act.q,
        .q_stride = job->act.q_stride,
        .q_sum = job->act.q_sum,
        .n = job->n,
        .out = sums,
        .out_stride = w->rows,
    };
    w->kernel->run(&args, begin, end);
    int64_t first = begin * w->kernel->panel_rows;
    int64_t last = tern__min_i64(end * w->kernel->panel_rows, w->rows);
    for (int64_t n = 0; n < job->n; n++)
        job->cpu->elementwise->from_i32(sums + n * w->rows + first, job->act.factor[n],
                                        job->out + n * w->rows + first, last - first);
}

/* Block scales: y = fma(sum of block, scale of block, y), block after block, then times 1 / s. */
static void do_block_panels(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const product_job *job = argument;
    const tern__packed *w = job->weight;
    int64_t first = begin * w->kernel->panel_rows;
    int64_t count = tern__min_i64(end * w->kernel->panel_rows, w->rows) - first;
    for (int64_t n = 0; n < job->n; n++)
        memset(job->out + n * w->rows + first, 0, (size_t)count * sizeof(float));
    for (int64_t block = 0; block < w->scale_blocks; block++) {
        tern__packed_args args = {
            .packed = tern__packed_panels(w),
            .k = w->k,
            .k_begin = block * w->block_columns,
            .k_end = block + 1 < w->scale_blocks ? (block + 1) * w->block_columns : w->k,
            .m = w->rows,
            .q = job->act.q,
            .q_stride = job->act.q_stride,
            .q_sum = job->act.block_sum + block * job->n,
            .n = job->n,
            .out = job->block_out,
            .out_stride = w->rows,
        };
        w->kernel->run(&args, begin, end);
        for (int64_t n = 0; n < job->n; n++)
            job->cpu->elementwise->accumulate_i32(job->block_out + n * w->rows + first,
                                                  tern__packed_scales(w, block) + first,
                                                  job->out + n * w->rows + first, count);
    }
    for (int64_t n = 0; n < job->n; n++) {
        float *y = job->out + n * w->rows + first;
        for (int64_t i = 0; i < count; i++)
            y[i] *= job->act.factor[n];
    }
}

/* Offsets in the one block of scratch that holds the activations and, with block scales, the
 * integer results. */
typedef struct scratch_plan {
    size_t q_sum, factor, block_sum, block_out, bytes;
} scratch_plan;

static scratch_plan plan_scratch(const tern__packed *w, int64_t rows, int64_t q_stride) {
    size_t n = (size_t)rows, blocks = (size_t)w->scale_blocks;
    scratch_plan plan = {.q_sum = n * (size_t)q_stride}; /* q first: a multiple of 64 */
    plan.factor = plan.q_sum + n * sizeof(int32_t);
    plan.block_sum = plan.factor + n * sizeof(float);
    plan.block_out = plan.block_sum + n * blocks * sizeof(int32_t);
    plan.bytes = plan.block_out + (blocks > 0 ? n * (size_t)w->rows * sizeof(int32_t) : 0);
    return plan;
}

tern_status tern__cpu_packed_linear(tern__device *device, const tern__op_call *call) {
    tern__cpu_device *cpu = tern__cpu_of(device);
    const tern__packed *w = tern__packed_of(call->in[1]);
    tern_status status = tern__cpu_check_packed(device, call->in[1]);
    if (status != TERN_OK)
        return status;
    product_job job = {.cpu = cpu,
                       .weight = w,
                       .x = call->in[0]->data,
                       .n = tern_tensor_count(call->out) / w->rows,
                       .out = call->out->data};
    job.act.q_stride = tern__round_up_i64(w->k, CACHE_LINE);
    tern__pool *pool = call->context->pool;
    scratch_plan plan = plan_scratch(w, job.n, job.act.q_stride);
    void *scratch = NULL;
    status = tern__pool_alloc(pool, plan.bytes, TERN__BLOCK_DATA, &linear_note, &scratch);
    if (status != TERN_OK)
        return status;
    uint8_t *base = scratch;
    job.act.q = (int8_t *)base;
    job.act.q_sum = (int32_t *)(void *)(base + plan.q_sum);
    job.act.factor = (float *)(void *)(base + plan.factor);
    job.act.block_sum = (int32_t *)(void *)(base + plan.block_sum);
    job.block_out = (int32_t *)(void *)(base + plan.block_out);
    tern__team_run(cpu->team, job.n, 1, do_quantize, &job);
    /* A piece of work streams about 32 KiB of weights, or one panel, and writes whole cache lines.
     */
    int64_t panel_bytes = tern__max_i64(1, tern__packed_panel_bytes(w->kernel, w->k));
    int64_t line_panels = tern__max_i64(1, CACHE_LINE / 4 / w->kernel->panel_rows);
    int64_t grain = tern__round_up_i64(tern__max_i64(1, (32 << 10) / panel_bytes), line_panels);
    tern__team_run(cpu->team, w->panels, grain, w->scale_blocks > 0 ? do_block_panels : do_panels,
                   &job);
    tern__pool_free(pool, scratch, plan.bytes, TERN__BLOCK_DATA);
    return TERN_OK;
}
