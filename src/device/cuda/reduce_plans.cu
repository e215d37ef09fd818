/* SPDX-License-Identifier: MIT
 *
 * The rows of reductions: what each of them is in passes (as device/cpu/reduce.c), and the inner
 * product of two vectors.
 */
#include <math.h>

#include "device/cuda/partials.h"
#include "device/cuda/reduce.h"
#include "device/cuda/rows_table.h"

namespace {

cuda_reduce_plan one_pass(int reduction, cuda_reduce_then then, double number) {
    cuda_reduce_plan plan = {};
    plan.count = 1;
    plan.passes[0] = {reduction, then, number};
    return plan;
}

cuda_reduce_plan two_passes(cuda_reduce_pass first, cuda_reduce_pass second) {
    cuda_reduce_plan plan = {};
    plan.count = 2;
    plan.passes[0] = first;
    plan.passes[1] = second;
    return plan;
}

cuda_reduce_plan counted(cuda_reduce_then then, double number) {
    cuda_reduce_plan plan = one_pass(TERN__REDUCE_SUM, then, number);
    plan.first = CUDA_FIRST_NONZERO;
    return plan;
}

cuda_reduce_plan plan_moments(const tern__device_call *call, int64_t n) {
    double left = (double)(n > call->choice ? n - call->choice : 0);
    bool is_root = call->op == TERN__OP_STD;
    return two_passes(
        {TERN__REDUCE_SUM, CUDA_THEN_DIVIDE, (double)n},
        {TERN__REDUCE_DEVIATIONS, is_root ? CUDA_THEN_DIVIDE_ROOT : CUDA_THEN_DIVIDE, left});
}

/* (sum |x|^p)^(1/p) and its limits. */
cuda_reduce_plan plan_norm(double p) {
    if (p == 1)
        return one_pass(TERN__REDUCE_MAGNITUDES, CUDA_THEN_NOTHING, 0);
    if (p == 2)
        return one_pass(TERN__REDUCE_SQUARES, CUDA_THEN_DIVIDE_ROOT, 1);
    if (isinf(p))
        return one_pass(p > 0 ? TERN__REDUCE_LARGEST_MAGNITUDE : TERN__REDUCE_LEAST_MAGNITUDE,
                        CUDA_THEN_NOTHING, 0);
    if (p == 0)
        return counted(CUDA_THEN_NOTHING, 0);
    cuda_reduce_plan plan = one_pass(TERN__REDUCE_SUM, CUDA_THEN_POWER, 1 / p);
    plan.first = CUDA_FIRST_POWER;
    plan.exponent = p;
    return plan;
}

cuda_reduce_plan plan_for(const tern__device_call *call, int64_t n) {
    switch (call->op) {
    case TERN__OP_PROD:
        return one_pass(TERN__REDUCE_PROD, CUDA_THEN_NOTHING, 0);
    case TERN__OP_MIN:
        return one_pass(TERN__REDUCE_MIN, CUDA_THEN_NOTHING, 0);
    case TERN__OP_MAX:
        return one_pass(TERN__REDUCE_MAX, CUDA_THEN_NOTHING, 0);
    case TERN__OP_MEAN:
        return one_pass(TERN__REDUCE_SUM, CUDA_THEN_DIVIDE, (double)n);
    case TERN__OP_VAR:
    case TERN__OP_STD:
        return plan_moments(call, n);
    case TERN__OP_NORM:
        return plan_norm(call->number);
    case TERN__OP_LOGSUMEXP:
        return two_passes({TERN__REDUCE_MAX, CUDA_THEN_FINITE, 0},
                          {TERN__REDUCE_EXPONENTIALS, CUDA_THEN_LOG, 0});
    case TERN__OP_ANY:
        return counted(CUDA_THEN_ANY, 0);
    case TERN__OP_ALL:
        return counted(CUDA_THEN_ALL, (double)n);
    case TERN__OP_COUNT_NONZERO:
        return counted(CUDA_THEN_NOTHING, 0);
    default:
        return one_pass(TERN__REDUCE_SUM, CUDA_THEN_NOTHING, 0);
    }
}

/* -- the inner product -------------------------------------------------------------------------*/

struct dot_call {
    const void *x, *y;
    int x_type, y_type;
    int64_t x_stride, y_stride, n, blocks;
    void *partial; /* one of each block */
};

template <typename H> __global__ void __launch_bounds__(CUDA_ROW_THREADS) dot_kernel(dot_call c) {
    for (int64_t base = (int64_t)blockIdx.x * CUDA_ROW_GROUPS; base < c.blocks;
         base += (int64_t)gridDim.x * CUDA_ROW_GROUPS) {
        int64_t first = (base + threadIdx.y) * TERN__REDUCE_BLOCK;
        int64_t end = first + TERN__REDUCE_BLOCK < c.n ? first + TERN__REDUCE_BLOCK : c.n;
        H p = 0;
        for (int64_t i = first + threadIdx.x; i < end; i += TERN__PARTIALS)
            p = cuda_fused(cuda_load<H>(c.x, c.x_type, i * c.x_stride),
                           cuda_load<H>(c.y, c.y_type, i * c.y_stride), p);
        p = cuda_fold(TERN__REDUCE_SUM, p);
        if (threadIdx.x == 0 && base + threadIdx.y < c.blocks)
            ((H *)c.partial)[base + threadIdx.y] = p;
    }
}

cudaError_t launch_dot(const cuda_device *device, tern_dtype hub, const dot_call &call) {
    unsigned grid = cuda_blocks(call.blocks, CUDA_ROW_GROUPS, 1 << 20);
    dim3 block(TERN__PARTIALS, CUDA_ROW_GROUPS);
    if (hub == TERN_F32)
        return TERN_LAUNCH(dot_kernel<float>, grid, block, 0, device->stream, call);
    if (hub == TERN_F64)
        return TERN_LAUNCH(dot_kernel<double>, grid, block, 0, device->stream, call);
    return TERN_LAUNCH(dot_kernel<int64_t>, grid, block, 0, device->stream, call);
}

} // namespace

tern_status cuda_reduce(void *handle, const tern__device_call *call) {
    const tern__operand *out = &call->out[0];
    cuda_rows rows = cuda_split(&call->in[0], call->axes, out);
    cuda_reduce_plan plan = plan_for(call, rows.reduced.count);
    plan.hub = plan.first == CUDA_FIRST_NONZERO ? TERN_I64 : cuda_hub(out->dtype);
    return cuda_reduce_run(cuda_of(handle), &rows, &plan, out);
}

/* The results of blocks are summed in turn; a sum of one of them is itself. */
tern_status cuda_dot(void *handle, const tern__device_call *call) {
    cuda_device *device = cuda_of(handle);
    const tern__operand *x = &call->in[0], *y = &call->in[1], *out = &call->out[0];
    tern_dtype hub = cuda_hub(out->dtype);
    dot_call c = {};
    c.x = x->data;
    c.y = y->data;
    c.x_type = x->dtype;
    c.y_type = y->dtype;
    c.x_stride = x->strides[0];
    c.y_stride = y->strides[0];
    c.n = x->dims[0];
    c.blocks = cuda_reduce_blocks(c.n);
    if (c.blocks > TERN__REDUCE_BLOCK)
        return cuda_decline();
    tern_status status = cuda_scratch(device, (size_t)c.blocks * 8, &c.partial);
    if (status == TERN_OK)
        status = cuda_check(device, launch_dot(device, hub, c), "dot");
    if (status != TERN_OK)
        return status;
    tern__operand partial = {};
    partial.data = c.partial;
    partial.rank = 1;
    partial.dtype = hub;
    partial.dims[0] = c.blocks;
    partial.strides[0] = 1;
    cuda_rows rows = cuda_split(&partial, 1, out);
    cuda_reduce_plan plan = one_pass(TERN__REDUCE_SUM, CUDA_THEN_NOTHING, 0);
    plan.hub = hub;
    return cuda_reduce_run(device, &rows, &plan, out);
}
