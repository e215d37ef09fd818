/* SPDX-License-Identifier: MIT
 * Ops that go element by element, over any strides. */
#include "device/cpu/walk.h"

/* The result of an op is fresh and contiguous: its runs have stride 1 (or one element). */
static float *result(const tern__walk_job *j, const int64_t *offsets) {
    return (float *)j->call->out->data + offsets[0];
}

static const float *operand(const tern__walk_job *j, const int64_t *offsets, int index) {
    return (const float *)j->call->in[index]->data + offsets[index + 1];
}

static void run_add(const tern__walk_job *j, const int64_t *at, int64_t n) {
    j->cpu->elementwise->add(operand(j, at, 0), tern__walk_step(j, 1), operand(j, at, 1),
                             tern__walk_step(j, 2), result(j, at), n);
}

static void run_mul(const tern__walk_job *j, const int64_t *at, int64_t n) {
    j->cpu->elementwise->mul(operand(j, at, 0), tern__walk_step(j, 1), operand(j, at, 1),
                             tern__walk_step(j, 2), result(j, at), n);
}

static void run_scale(const tern__walk_job *j, const int64_t *at, int64_t n) {
    j->cpu->elementwise->scale(operand(j, at, 0), tern__walk_step(j, 1), j->call->number,
                               result(j, at), n);
}

static void run_relu2(const tern__walk_job *j, const int64_t *at, int64_t n) {
    j->cpu->elementwise->relu2(operand(j, at, 0), tern__walk_step(j, 1), result(j, at), n);
}

static void run_silu(const tern__walk_job *j, const int64_t *at, int64_t n) {
    j->cpu->elementwise->silu(operand(j, at, 0), tern__walk_step(j, 1), result(j, at), n);
}

tern_status tern__cpu_add(tern__device *device, const tern__op_call *call) {
    tern__walk_call(device, call, 3, run_add);
    return TERN_OK;
}

tern_status tern__cpu_mul(tern__device *device, const tern__op_call *call) {
    tern__walk_call(device, call, 3, run_mul);
    return TERN_OK;
}

tern_status tern__cpu_scale(tern__device *device, const tern__op_call *call) {
    tern__walk_call(device, call, 2, run_scale);
    return TERN_OK;
}

tern_status tern__cpu_relu2(tern__device *device, const tern__op_call *call) {
    tern__walk_call(device, call, 2, run_relu2);
    return TERN_OK;
}

tern_status tern__cpu_silu(tern__device *device, const tern__op_call *call) {
    tern__walk_call(device, call, 2, run_silu);
    return TERN_OK;
}
