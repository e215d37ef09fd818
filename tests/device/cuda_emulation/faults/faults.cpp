/* SPDX-License-Identifier: MIT
 *
 * Kernels with mistakes that the emulation must find, for test_cuda_emulation.c.
 */
#include <stdlib.h>

#include "device/cuda/launch.h"

namespace {

struct fault_call {
    int32_t *out;
    int fault;
};

__global__ void fault_kernel(fault_call c) {
    TERN_DYNAMIC_SHARED(int32_t, shared);
    int t = (int)threadIdx.x;
    if (c.fault == 0 && t == 5)
        return;
    if (c.fault == 1 && t >= 32)
        __syncthreads();
    else
        __syncthreads();
    if (c.fault == 2 && t < 3)
        __syncwarp();
    if (c.fault == 3)
        shared[64 + t] = 1;
    shared[t] = t;
    if (c.fault == 4)
        tern_copy_async16(shared, c.out);
    __syncthreads();
    c.out[t] = shared[63 - t];
}

} // namespace

/* Makes the mistake `fault`; returns when nothing was found, with the number of wrong results. */
extern "C" __attribute__((visibility("default"))) int emulation_fault(int fault) {
    int32_t results[64], wrong = 0;
    void *memory = nullptr;
    if (cudaMalloc(&memory, sizeof results) != cudaSuccess)
        return -1;
    fault_call call = {(int32_t *)memory, fault};
    if (TERN_LAUNCH(fault_kernel, 1, 64, 64 * sizeof(int32_t), nullptr, call) != cudaSuccess)
        return -1;
    if (fault == 5)
        return call.out[0]; /* memory of the device */
    if (cudaMemcpy(results, memory, sizeof results, cudaMemcpyDeviceToHost) != cudaSuccess)
        return -1;
    for (int i = 0; i < 64; i++)
        wrong += results[i] != 63 - i;
    cudaFree(memory);
    return wrong;
}

/* What a GPU refuses with an error: 1, refused with the right one. */
extern "C" __attribute__((visibility("default"))) int emulation_refuses(int what) {
    fault_call call = {nullptr, -1};
    cudaStream_t stream;
    cudaGraph_t graph = nullptr;
    void *memory = nullptr;
    cudaError_t error = cudaStreamCreate(&stream);
    switch (what) {
    case 0: /* more shared memory than was asked for by an attribute */
        error = TERN_LAUNCH(fault_kernel, 1, 64, 64 << 10, stream, call);
        break;
    case 1:
        error = TERN_LAUNCH(fault_kernel, 1, 2048, 0, stream, call);
        break;
    case 2: /* a copy from the device whose source is memory of the host */
        error = cudaMemcpy(&call, &stream, 8, cudaMemcpyDeviceToHost);
        break;
    case 3: /* memory while a graph is captured */
        cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed);
        cudaMalloc(&memory, 64);
        error = cudaStreamEndCapture(stream, &graph);
        break;
    default: /* more memory than there is */
        error = cudaMalloc(&memory, (size_t)1 << 60);
    }
    cudaGetLastError();
    cudaStreamDestroy(stream);
    return error != cudaSuccess;
}
