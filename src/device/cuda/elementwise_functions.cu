/* SPDX-License-Identifier: MIT
 *
 * Transcendental functions of one operand.
 */
#include "device/cuda/elementwise.h"
#include "device/cuda/functions_cuda.h"

namespace {

#define FUNCTION_CASE(symbol, name)                                                                \
    case TERN__OP_##symbol:                                                                        \
        return cuda_##name(x);

template <typename H> __device__ H apply(tern__op op, H x) {
    switch (op) {
        TERN__UNARY_FUNCTIONS(FUNCTION_CASE)
    default:
        return x;
    }
}

template <typename H>
__global__ void __launch_bounds__(CUDA_ELEMENT_THREADS) function_kernel(cuda_elements call) {
    CUDA_EACH(i, call.walk.count) {
        int64_t at[2];
        cuda_walk_at(call.walk, i, at);
        H x = cuda_load<H>(call.in[0], call.in_type[0], at[1]);
        cuda_store<H>(call.out, call.out_type, at[0], apply<H>(call.op, x));
    }
}

} // namespace

cudaError_t cuda_function_launch(const cuda_device *device, const cuda_elements &elements,
                                 tern_dtype hub, unsigned blocks) {
    if (hub == TERN_F32)
        return TERN_LAUNCH(function_kernel<float>, blocks, CUDA_ELEMENT_THREADS, 0, device->stream,
                           elements);
    return TERN_LAUNCH(function_kernel<double>, blocks, CUDA_ELEMENT_THREADS, 0, device->stream,
                       elements);
}
