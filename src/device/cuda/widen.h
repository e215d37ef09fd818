/* SPDX-License-Identifier: MIT
 *
 * Elements of tables and caches as F32. Each type of element has a struct or is a number, so that
 * a kernel for all of them is a template over the type.
 */
#ifndef TERN__CUDA_WIDEN_H
#define TERN__CUDA_WIDEN_H

#include "base/half.h"
#include "device/cuda/cuda.h"

#if defined(__CUDACC__)
/* One instruction for what base/half.h has a few of; the same numbers. */
static __device__ __forceinline__ float cuda_f32_from_f16(uint16_t h) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h));
    return x;
}
#else
static inline float cuda_f32_from_f16(uint16_t h) {
    return tern__f32_from_f16(h);
}
#endif

typedef struct cuda_f16 {
    uint16_t bits;
} cuda_f16;

typedef struct cuda_bf16 {
    uint16_t bits;
} cuda_bf16;

static __device__ __forceinline__ float cuda_widen(float x) {
    return x;
}

static __device__ __forceinline__ float cuda_widen(cuda_f16 x) {
    return cuda_f32_from_f16(x.bits);
}

static __device__ __forceinline__ float cuda_widen(cuda_bf16 x) {
    return tern__f32_from_bf16(x.bits);
}

static __device__ __forceinline__ float cuda_widen(int8_t x) {
    return (float)x;
}

enum { CUDA_Q8_0_COLUMNS = 32, CUDA_Q8_0_BYTES = 34 };

/* Element `at` of rows of Q8_0: blocks of an F16 scale and 32 numbers. */
static __device__ __forceinline__ float cuda_q8_0_at(const void *data, int64_t at) {
    const uint8_t *block = (const uint8_t *)data + at / CUDA_Q8_0_COLUMNS * CUDA_Q8_0_BYTES;
    float scale = cuda_f32_from_f16(*(const uint16_t *)block);
    return scale * (float)(int8_t)block[2 + at % CUDA_Q8_0_COLUMNS];
}

/* Element `at` of a float type. */
static __device__ __forceinline__ float cuda_float_at(const void *data, int dtype, int64_t at) {
    switch (dtype) {
    case TERN_F16:
        return cuda_widen(((const cuda_f16 *)data)[at]);
    case TERN_BF16:
        return cuda_widen(((const cuda_bf16 *)data)[at]);
    case TERN_Q8_0:
        return cuda_q8_0_at(data, at);
    default:
        return ((const float *)data)[at];
    }
}

#endif
