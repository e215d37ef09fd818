/* SPDX-License-Identifier: MIT
 *
 * What kernels need beyond CUDA C++ itself, in a form that the emulation of the tests
 * (tests/device/cuda_emulation) has as well: the launch, dynamic shared memory, tensor cores and
 * asynchronous copies.
 *
 *   struct scale_call { float *out; const float *in; int64_t count; };
 *
 *   static __global__ void __launch_bounds__(256) scale_kernel(scale_call call) { ... }
 *
 *   cudaError_t e = TERN_LAUNCH(scale_kernel, grid, 256, 0, device->stream, call);
 *
 * A kernel of a template goes into parentheses: TERN_LAUNCH((scale_kernel<T, 4>), ...).
 */
#ifndef TERN__CUDA_LAUNCH_H
#define TERN__CUDA_LAUNCH_H

#include <cuda_runtime.h>
#include <stdint.h>

#if defined(__CUDACC__)

template <typename A>
static inline cudaError_t tern_launch(void (*kernel)(A), dim3 grid, dim3 block, size_t shared_bytes,
                                      cudaStream_t stream, const A &call) {
    kernel<<<grid, block, shared_bytes, stream>>>(call);
    return cudaGetLastError();
}

/* Aligned to 128 bytes; as many as the launch gave. */
#define TERN_DYNAMIC_SHARED(type, name)                                                            \
    extern __shared__ __align__(128) unsigned char tern_dynamic_shared[];                          \
    type *name = reinterpret_cast<type *>(tern_dynamic_shared)

/* What came with compute capability 8.0: the host looks at the device before it launches a kernel
 * that multiplies so; copies are ordinary ones before. */
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
/* mma.sync.m16n8k32: d (16, 8) += a (16, 32) b (32, 8), exact sums in int32. */
static __device__ __forceinline__ void tern_mma_s8(int32_t d[4], const uint32_t a[4],
                                                   const uint32_t b[2]) {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* 16 bytes, both places aligned to that. */
static __device__ __forceinline__ void tern_copy_async16(void *shared, const void *global) {
    unsigned to = (unsigned)__cvta_generic_to_shared(shared);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(global) : "memory");
}

/* The copies since the last commit are a group. */
static __device__ __forceinline__ void tern_copy_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Until at most the last N groups of this thread are under way. */
template <int N> static __device__ __forceinline__ void tern_copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}
#else
static __device__ __forceinline__ void tern_mma_s8(int32_t *, const uint32_t *, const uint32_t *) {
    __trap();
}

static __device__ __forceinline__ void tern_copy_async16(void *shared, const void *global) {
    *(uint4 *)shared = *(const uint4 *)global;
}

static __device__ __forceinline__ void tern_copy_commit() {}

template <int N> static __device__ __forceinline__ void tern_copy_wait() {}
#endif

#else
#include "emulation_launch.h"
#endif

#define TERN_LAUNCH(kernel, grid, block, shared_bytes, stream, call)                               \
    tern_launch((kernel), dim3(grid), dim3(block), (shared_bytes), (stream), (call))

#endif
