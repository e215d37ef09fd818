/* SPDX-License-Identifier: MIT
 * Making packed weights: rows of codes, some panels at a time on every thread. */
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/packed.h"

enum { CACHE_LINE = 64 };

typedef struct pack_job {
    const tern__code_source *source;
    tern__packed *target;
    uint8_t *codes; /* one panel of codes a thread */
    size_t codes_bytes;
    float *scales; /* (panel_rows, scale_blocks + facts) a thread */
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

static void store_scales(const tern__packed *p, int64_t panel, int64_t count, const float *scales) {
    int64_t blocks = p->scale_blocks + p->facts;
    for (int64_t block = 0; block < blocks; block++) {
        float *to =
            (float *)(uintptr_t)tern__packed_scales(p, block) + panel * p->kernel->panel_rows;
        for (int64_t row = 0; row < p->kernel->panel_rows; row++)
            to[row] = row < count ? scales[row * blocks + block] : 0;
    }
}

static void do_pack(void *argument, int64_t begin, int64_t end, int lane) {
    pack_job *job = argument;
    tern__packed *p = job->target;
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
                            panel * tern__packed_panel_bytes(p->kernel, p->k));
        store_scales(p, panel, count, scales);
    }
}

static const tern__note pack_note = {.op = "pack", .rank = -1};

static tern_status run_pack(tern__cpu_device *cpu, tern_context *context,
                            const tern__code_source *source, tern__packed *target) {
    size_t threads = (size_t)tern__team_size(cpu->team);
    pack_job job = {.source = source, .target = target};
    atomic_init(&job.status, TERN_OK);
    size_t panel_rows = (size_t)target->kernel->panel_rows;
    job.codes_bytes = (panel_rows * (size_t)target->k + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    job.scale_count = panel_rows * (size_t)(target->scale_blocks + target->facts);
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
                           const tern__code_source *source, tern_tensor **out) {
    *out = NULL;
    tern__cpu_device *cpu = tern__cpu_of(device);
    const tern__packed_kernel *kernel = cpu->packed[source->packing];
    int64_t k_max = tern__packings[source->packing].k_max;
    if (source->columns > k_max)
        return tern__fail(TERN_E_LIMIT, "pack: %lld columns, at most %lld",
                          (long long)source->columns, (long long)k_max);
    tern__packed plan = {.kernel = kernel,
                         .rows = source->rows,
                         .columns = source->columns,
                         .k = tern__round_up_i64(source->columns, kernel->k_unit),
                         .panels = source->rows / kernel->panel_rows +
                                   (source->rows % kernel->panel_rows != 0),
                         .scale = source->scale,
                         .facts = source->facts};
    plan.panels_offset = (sizeof plan + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    if (source->facts > 0) {
        plan.block_columns = source->columns;
        plan.scale_blocks = 1;
    } else if (source->block_columns > 0) {
        plan.block_columns = source->block_columns;
        plan.scale_blocks = source->columns / source->block_columns;
    }
    size_t panel_bytes = 0, scale_bytes = 0, total = 0;
    if (!tern__mul_size((size_t)plan.panels, (size_t)tern__packed_panel_bytes(kernel, plan.k),
                        &panel_bytes) ||
        !tern__add_size(panel_bytes, plan.panels_offset + CACHE_LINE - 1, &plan.scales_offset) ||
        !tern__mul_size((size_t)((plan.scale_blocks + plan.facts) * kernel->panel_rows) *
                            sizeof(float),
                        (size_t)plan.panels, &scale_bytes) ||
        !tern__add_size(plan.scales_offset, scale_bytes, &total))
        return tern__fail(TERN_E_SHAPE, "pack: (%lld, %lld) is too large", (long long)source->rows,
                          (long long)source->columns);
    plan.scales_offset -= plan.scales_offset % CACHE_LINE;
    total = plan.scales_offset + scale_bytes;
    tern_tensor *weight = NULL;
    tern_dtype dtype =
        tern__packings[source->packing].code_count > 3 ? TERN_QUANTIZED : TERN_TERNARY;
    tern_shape shape = {2, {source->rows, source->columns}};
    tern_status status = tern__tensor_opaque(context, dtype, &shape, total, source->op, &weight);
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

tern_status tern__cpu_check_packed(const tern__device *device, const tern_tensor *weight) {
    const tern__device *packed_by = weight->context->device;
    if (weight->dtype == TERN_TERNARY && packed_by->packs_itself)
        return tern__fail(TERN_E_ARGUMENT, "the weights are packed for device %s, this is the CPU",
                          packed_by->name);
    const tern__packed_kernel *theirs = tern__packed_of(weight)->kernel;
    const tern__packed_kernel *ours = ((const tern__cpu_device *)device)->packed[theirs->packing];
    if (theirs != ours)
        return tern__fail(TERN_E_ARGUMENT,
                          "the weights are packed for kernel %s, this context uses %s",
                          theirs->variant.name, ours->variant.name);
    return TERN_OK;
}
