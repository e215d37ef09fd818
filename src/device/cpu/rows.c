/* SPDX-License-Identifier: MIT
 * Ops on contiguous rows: rotary embedding, embedding lookup. */
#include "base/checked.h"
#include "device/cpu/cpu.h"
#include "tensor/dtype.h"

const float *tern__cpu_row(const tern_tensor *x, int64_t index, float *room) {
    const int last = x->rank - 1;
    const float *row = x->data;
    for (int i = last - 1; i >= 0; i--) {
        row += index % x->dims[i] * tern__strides(x)[i];
        index /= x->dims[i];
    }
    const int64_t stride = tern__strides(x)[last];
    if (stride == 1)
        return row;
    for (int64_t i = 0; i < x->dims[last]; i++)
        room[i] = row[i * stride];
    return room;
}

typedef struct rows_job {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    int64_t n; /* elements of a row */
} rows_job;

static tern_status run_rows(tern__device *device, const tern__op_call *call, int64_t n,
                            tern__job_fn fn) {
    rows_job job = {tern__cpu_of(device), call, n};
    int64_t rows = tern_tensor_count(call->out) / n;
    tern__team_run(job.cpu->team, rows, tern__max_i64(1, TERN__CPU_GRAIN / 4 / n), fn, &job);
    return TERN_OK;
}

static void do_rope(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const rows_job *job = argument;
    const float *x = job->call->in[0]->data, *table = job->call->in[1]->data;
    float *out = job->call->out->data;
    int64_t heads = tern__dim_back(job->call->out, 2), half = job->n / 2;
    for (int64_t row = begin; row < end; row++) {
        const float *cosine = table + (job->call->position + row / heads) * job->n;
        job->cpu->elementwise->rope(x + row * job->n, cosine, cosine + half, out + row * job->n,
                                    half);
    }
}

tern_status tern__cpu_rope(tern__device *device, const tern__op_call *call) {
    return run_rows(device, call, tern__dim_back(call->out, 1), do_rope);
}

static void do_embedding(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const rows_job *job = argument;
    const tern_tensor *table = job->call->in[0], *ids = job->call->in[1];
    const tern__dtype_info *info = tern__dtype((tern_dtype)table->dtype);
    int64_t row_bytes = job->n / info->block_elements * info->block_bytes;
    float *out = job->call->out->data;
    for (int64_t row = begin; row < end; row++) {
        int64_t id = ids->dtype == TERN_I32 ? ((const int32_t *)ids->data)[row]
                                            : ((const int64_t *)ids->data)[row];
        tern__cpu_widen(job->cpu, (tern_dtype)table->dtype,
                        (const uint8_t *)table->data + id * row_bytes, 1, out + row * job->n,
                        job->n);
    }
}

tern_status tern__cpu_embedding(tern__device *device, const tern__op_call *call) {
    return run_rows(device, call, tern__dim_back(call->out, 1), do_embedding);
}
