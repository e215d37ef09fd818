/* SPDX-License-Identifier: MIT
 * Rows of F32 as int8 with a scale each: QUANTIZE_SCALE makes the scales, QUANTIZE the integers. */
#include "base/checked.h"
#include "device/cpu/cpu.h"

typedef struct quantize_job {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    int64_t n; /* elements of a row */
} quantize_job;

/* Element `index` of a tensor of scales, in row-major order, whatever its strides. */
static float *scale_at(const tern_tensor *scales, int64_t index) {
    int64_t at = 0;
    for (int i = scales->rank - 1; i >= 0; i--) {
        at += index % scales->dims[i] * tern__strides(scales)[i];
        index /= scales->dims[i];
    }
    return (float *)scales->data + at;
}

static void do_quantize(void *argument, int64_t begin, int64_t end, int lane) {
    const quantize_job *j = argument;
    const tern__op_call *call = j->call;
    const tern__convert_kernel *convert = j->cpu->convert;
    float *room = tern__lane_scratch(j->cpu, lane);
    for (int64_t row = begin; row < end; row++) {
        const float *x = tern__cpu_row(call->in[0], row, room);
        if (call->op == TERN__OP_QUANTIZE_SCALE)
            *scale_at(call->out, row) = convert->i8_scale(x, j->n);
        else
            convert->i8_from_f32(x, *scale_at(call->in[1], row),
                                 (int8_t *)call->out->data + row * j->n, j->n);
    }
}

tern_status tern__cpu_quantize(tern__device *device, const tern__op_call *call) {
    quantize_job job = {tern__cpu_of(device), call, tern__dim_back(call->in[0], 1)};
    const tern_tensor *of_rows = call->op == TERN__OP_QUANTIZE ? call->in[1] : call->out;
    tern__team_run(job.cpu->team, tern_tensor_count(of_rows),
                   tern__max_i64(1, TERN__CPU_GRAIN / tern__max_i64(job.n, 1)), do_quantize, &job);
    return TERN_OK;
}
