/* SPDX-License-Identifier: MIT
 *
 * BitNet's W1.58A8 product: y = (sum of trit * q) * weight scale / s, with q and s from quantising
 * each row of x (rows.h). The integer sums are exact, so threads may cut them anyhow.
 *
 * A packed weight (dtype TERNARY) is a header, the panels of the kernel that made it, and for
 * weights with one scale per 256 columns those scales, block by block.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/cpu.h"

enum { SCALE_BLOCK = 256, CACHE_LINE = 64 };

typedef struct packed {
    const tern__ternary_kernel *kernel;
    int64_t rows, columns;
    int64_t k; /* columns padded to the kernel's unit */
    int64_t panels;
    int64_t scale_blocks; /* 0: one scale */
    float scale;
    size_t panels_offset; /* from the header, a multiple of 64 */
    size_t scales_offset; /* F32 (scale_blocks, panels * panel_rows) */
} packed;

static const packed *packed_of(const tern_tensor *weight) {
    return weight->data;
}

static const uint8_t *panels_of(const packed *p) {
    return (const uint8_t *)p + p->panels_offset;
}

static const float *scales_of(const packed *p, int64_t block) {
    return (const float *)((const uint8_t *)p + p->scales_offset) +
           block * p->panels * p->kernel->panel_rows;
}

/* -- packing -----------------------------------------------------------------------------------*/

typedef struct pack_job {
    const tern__trit_source *source;
    packed *target;
    uint8_t *codes; /* one panel of codes a thread */
    size_t codes_bytes;
    float *scales; /* (panel_rows, scale_blocks) a thread */
    size_t scale_count;
    atomic_int status; /* the first failure */
    char detail[512];
} pack_job;

static void fail_pack(pack_job *job, tern_status status) {
    int expected = TERN_OK;
    /* The detail is this thread's: the winner hands it to the caller's thread. */
    if (atomic_compare_exchange_strong(&job->status, &expected, (int)status))
        memcpy(job->detail, tern_last_error(), strnlen(tern_last_error(), 511) + 1);
}

static void store_scales(const packed *p, int64_t panel, int64_t count, const float *scales) {
    for (int64_t block = 0; block < p->scale_blocks; block++) {
        float *to = (float *)(uintptr_t)scales_of(p, block) + panel * p->kernel->panel_rows;
        for (int64_t row = 0; row < p->kernel->panel_rows; row++)
            to[row] = row < count ? scales[row * p->scale_blocks + block] : 0;
    }
}

static void do_pack(void *argument, int64_t begin, int64_t end, int lane) {
    pack_job *job = argument;
    packed *p = job->target;
    int64_t rows = p->kernel->panel_rows;
    uint8_t *codes = job->codes + (size_t)lane * job->codes_bytes;
    float *scales = job->scales + (size_t)lane * job->scale_count;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t count = tern__min_i64(rows, p->rows - panel * rows);
        if (atomic_load_explicit(&job->status, memory_order_relaxed) != TERN_OK)
            return;
        tern_status status = job->source->rows_fn(job->source, panel * rows, count, p->k, codes,
                                                  p->scale_blocks > 0 ? scales : NULL);
        if (status != TERN_OK) {
            fail_pack(job, status);
            return;
        }
        memset(codes + count * p->k, 0, (size_t)((rows - count) * p->k));
        p->kernel->pack(codes, p->k,
                        (uint8_t *)p + p->panels_offset +
                            panel * tern__ternary_panel_bytes(p->kernel, p->k));
        store_scales(p, panel, count, scales);
    }
}

static const tern__note pack_note = {.op = "pack", .rank = -1};
static const tern__note linear_note = {.op = "ternary_linear", .rank = -1};

static tern_status run_pack(tern__cpu_device *cpu, tern_context *context,
                            const tern__trit_source *source, packed *target) {
    size_t threads = (size_t)tern__team_size(cpu->team);
    pack_job job = {.source = source, .target = target};
    atomic_init(&job.status, TERN_OK);
    size_t panel_rows = (size_t)target->kernel->panel_rows;
    job.codes_bytes = (panel_rows * (size_t)target->k + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    job.scale_count = panel_rows * (size_t)target->scale_blocks;
    size_t codes_bytes = threads * job.codes_bytes;
    size_t scales_bytes = threads * job.scale_count * sizeof(float);
    void *codes = NULL, *scales = NULL;
    tern_status status;
    TERN__TRY(tern__pool_alloc(context->pool, codes_bytes, TERN__BLOCK_DATA, &pack_note, &codes));
    TERN__TRY(tern__pool_alloc(context->pool, scales_bytes, TERN__BLOCK_DATA, &pack_note, &scales));
    job.codes = codes;
    job.scales = scales;
    tern__team_run(cpu->team, target->panels, 4, do_pack, &job);
    status = (tern_status)atomic_load(&job.status);
    if (status != TERN_OK)
        tern__fail(status, "%s", job.detail);
done:
    tern__pool_free(context->pool, scales, scales_bytes, TERN__BLOCK_DATA);
    tern__pool_free(context->pool, codes, codes_bytes, TERN__BLOCK_DATA);
    return status;
}

tern_status tern__cpu_pack(tern__device *device, tern_context *context,
                           const tern__trit_source *source, tern_tensor **out) {
    *out = NULL;
    tern__cpu_device *cpu = tern__cpu_of(device);
    const tern__ternary_kernel *kernel = cpu->ternary;
    if (source->columns > TERN__TERNARY_K_MAX)
        return tern__fail(TERN_E_LIMIT, "pack: %lld columns, at most %d",
                          (long long)source->columns, TERN__TERNARY_K_MAX);
    packed plan = {.kernel = kernel,
                   .rows = source->rows,
                   .columns = source->columns,
                   .k = tern__round_up_i64(source->columns, kernel->k_unit),
                   .panels =
                       source->rows / kernel->panel_rows + (source->rows % kernel->panel_rows != 0),
                   .scale = source->scale};
    plan.panels_offset = (sizeof plan + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    if (source->has_block_scales)
        plan.scale_blocks = source->columns / SCALE_BLOCK;
    size_t panel_bytes = 0, scale_bytes = 0, total = 0;
    if (!tern__mul_size((size_t)plan.panels, (size_t)tern__ternary_panel_bytes(kernel, plan.k),
                        &panel_bytes) ||
        !tern__add_size(panel_bytes, plan.panels_offset, &plan.scales_offset) ||
        !tern__mul_size((size_t)(plan.scale_blocks * kernel->panel_rows) * sizeof(float),
                        (size_t)plan.panels, &scale_bytes) ||
        !tern__add_size(plan.scales_offset, scale_bytes, &total))
        return tern__fail(TERN_E_SHAPE, "pack: (%lld, %lld) is too large", (long long)source->rows,
                          (long long)source->columns);
    tern_tensor *weight = NULL;
    tern_status status = tern__tensor_opaque(
        context, &(tern_shape){2, {source->rows, source->columns}}, total, source->op, &weight);
    if (status != TERN_OK)
        return status;
    memcpy(weight->data, &plan, sizeof plan);
    status = run_pack(cpu, context, source, weight->data);
    if (status != TERN_OK) {
        tern_tensor_release(weight);
        return status;
    }
    *out = weight;
    return TERN_OK;
}

/* -- the product -------------------------------------------------------------------------------*/

/* Quantised rows of x, and what the epilogue needs of each. */
typedef struct activations {
    int8_t *q; /* (N, q_stride) */
    int64_t q_stride;
    int32_t *q_sum;     /* (N): of the whole row */
    int32_t *block_sum; /* (scale_blocks, N) */
    float *factor;      /* (N): scale / s, or 1 / s with block scales */
} activations;

typedef struct ternary_job {
    const tern__cpu_device *cpu;
    const packed *weight;
    const float *x; /* (N, columns) */
    int64_t n;
    activations act;
    float *out;         /* (N, rows) */
    int32_t *block_out; /* (N, rows): integers of one block; NULL without block scales */
} ternary_job;

static void do_quantize(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const ternary_job *job = argument;
    const packed *w = job->weight;
    for (int64_t row = begin; row < end; row++) {
        int8_t *q = job->act.q + row * job->act.q_stride;
        float s = job->cpu->rows->quantize(job->x + row * w->columns, w->columns, q,
                                           job->act.q_stride, &job->act.q_sum[row]);
        job->act.factor[row] = (w->scale_blocks > 0 ? 1.0f : w->scale) / s;
        for (int64_t block = 0; block < w->scale_blocks; block++) {
            int32_t sum = 0;
            for (int i = 0; i < SCALE_BLOCK; i++)
                sum += q[block * SCALE_BLOCK + i];
            job->act.block_sum[block * job->n + row] = sum;
        }
    }
}

/* One scale: integers straight into the result's memory, turned to floats there. */
static void do_panels(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const ternary_job *job = argument;
    const packed *w = job->weight;
    int32_t *sums = (int32_t *)(void *)job->out;
    tern__ternary_args args = {
        .packed = panels_of(w),
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
    const ternary_job *job = argument;
    const packed *w = job->weight;
    int64_t first = begin * w->kernel->panel_rows;
    int64_t count = tern__min_i64(end * w->kernel->panel_rows, w->rows) - first;
    for (int64_t n = 0; n < job->n; n++)
        memset(job->out + n * w->rows + first, 0, (size_t)count * sizeof(float));
    for (int64_t block = 0; block < w->scale_blocks; block++) {
        tern__ternary_args args = {
            .packed = panels_of(w),
            .k = w->k,
            .k_begin = block * SCALE_BLOCK,
            .k_end = (block + 1) * SCALE_BLOCK,
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
                                                  scales_of(w, block) + first,
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

static scratch_plan plan_scratch(const packed *w, int64_t rows, int64_t q_stride) {
    size_t n = (size_t)rows, blocks = (size_t)w->scale_blocks;
    scratch_plan plan = {.q_sum = n * (size_t)q_stride}; /* q first: a multiple of 64 */
    plan.factor = plan.q_sum + n * sizeof(int32_t);
    plan.block_sum = plan.factor + n * sizeof(float);
    plan.block_out = plan.block_sum + n * blocks * sizeof(int32_t);
    plan.bytes = plan.block_out + (blocks > 0 ? n * (size_t)w->rows * sizeof(int32_t) : 0);
    return plan;
}

tern_status tern__cpu_check_packed(const tern__device *device, const tern_tensor *weight) {
    const tern__ternary_kernel *ours = ((const tern__cpu_device *)device)->ternary;
    const tern__ternary_kernel *theirs = packed_of(weight)->kernel;
    if (theirs != ours)
        return tern__fail(TERN_E_ARGUMENT,
                          "the weights are packed for kernel %s, this context uses %s",
                          theirs->variant.name, ours->variant.name);
    return TERN_OK;
}

tern_status tern__cpu_ternary_linear(tern__device *device, const tern__op_call *call) {
    tern__cpu_device *cpu = tern__cpu_of(device);
    const packed *w = packed_of(call->in[1]);
    tern_status status = tern__cpu_check_packed(device, call->in[1]);
    if (status != TERN_OK)
        return status;
    ternary_job job = {.cpu = cpu,
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
    int64_t panel_bytes = tern__max_i64(1, tern__ternary_panel_bytes(w->kernel, w->k));
    int64_t line_panels = tern__max_i64(1, CACHE_LINE / 4 / w->kernel->panel_rows);
    int64_t grain = tern__round_up_i64(tern__max_i64(1, (32 << 10) / panel_bytes), line_panels);
    tern__team_run(cpu->team, w->panels, grain, w->scale_blocks > 0 ? do_block_panels : do_panels,
                   &job);
    tern__pool_free(pool, scratch, plan.bytes, TERN__BLOCK_DATA);
    return TERN_OK;
}
