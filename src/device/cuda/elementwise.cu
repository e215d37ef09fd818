/* SPDX-License-Identifier: MIT
 *
 * The row of all operations element by element: which kernel, in which type, with which numbers.
 */
#include "device/cuda/elementwise.h"
#include "device/cuda/rows_table.h"
#include "kernels/functions.h"
#include "kernels/map_ops.h"

namespace {

enum kind { MAP, FUNCTION, PAIR };

#define FUNCTION_CASE(symbol, ...) case TERN__OP_##symbol:
#define IS_ONE_OF(list)                                                                            \
    switch (op) {                                                                                  \
        list(FUNCTION_CASE) return true;                                                           \
    default:                                                                                       \
        return false;                                                                              \
    }

bool is_function(tern__op op) {
    IS_ONE_OF(TERN__UNARY_FUNCTIONS)
}

bool is_float_map(tern__op op){
#define ALL(X) TERN__MAP_FLOAT1(X) TERN__MAP_FLOAT2(X) TERN__MAP_FLOAT3(X)
    IS_ONE_OF(ALL)
#undef ALL
}

kind kind_of(tern__op op, tern_dtype hub) {
    switch (op) {
    case TERN__OP_POW:
        return hub == TERN_I64 ? MAP : PAIR;
    case TERN__OP_ATAN2:
    case TERN__OP_BIAS_ACTIVATION:
    case TERN__OP_SILU_BACKWARD:
    case TERN__OP_SOFTPLUS_BACKWARD:
    case TERN__OP_GELU_BACKWARD:
    case TERN__OP_GELU_TANH_BACKWARD:
        return PAIR;
    default:
        return is_function(op) ? FUNCTION : MAP;
    }
}

/* A number of the call in the type of a half float; wider ones round it in the kernel. */
double rounded(const tern__device_call *call, double number) {
    if (!is_float_map(call->op))
        return number;
    if (call->type == TERN_F16)
        return tern__f32_from_f16(tern__f16_from_f32(tern__odd_f32_from_f64(number)));
    if (call->type == TERN_BF16)
        return tern__f32_from_bf16(tern__bf16_from_f32(tern__odd_f32_from_f64(number)));
    return number;
}

cuda_elements describe(const tern__device_call *call) {
    cuda_elements e = {};
    const tern__operand *out = &call->out[0];
    e.walk = cuda_walk_open(out->rank, out->dims);
    cuda_walk_add(&e.walk, out->strides);
    for (int i = 0; i < call->in_count; i++) {
        cuda_walk_broadcast(&e.walk, &call->in[i]);
        e.in[i] = call->in[i].data;
        e.in_type[i] = call->in[i].dtype;
    }
    cuda_walk_merge(&e.walk);
    e.out = out->data;
    e.out_type = out->dtype;
    e.op = call->op;
    e.type = call->type;
    e.activation = call->choice;
    e.equal_nan = call->choice != 0;
    e.p = rounded(call, call->number);
    e.q = rounded(call, call->other_number);
    e.seed = (uint64_t)call->position;
    return e;
}

} // namespace

tern_status cuda_elementwise(void *handle, const tern__device_call *call) {
    cuda_device *device = cuda_of(handle);
    if (call->in_count > 3 || !cuda_is_plain(call->type))
        return cuda_decline();
    cuda_elements elements = describe(call);
    if (elements.walk.count == 0)
        return TERN_OK;
    tern_dtype hub = cuda_hub(call->type);
    unsigned blocks = cuda_blocks(elements.walk.count, CUDA_ELEMENT_THREADS * 4, 1 << 20);
    cudaError_t error = cudaSuccess;
    switch (kind_of(call->op, hub)) {
    case MAP:
        error = cuda_map_launch(device, elements, hub, blocks);
        break;
    case FUNCTION:
        error = cuda_function_launch(device, elements, hub, blocks);
        break;
    case PAIR:
        error = cuda_pair_launch(device, elements, hub, blocks);
        break;
    }
    return cuda_check(device, error, "an operation element by element");
}
