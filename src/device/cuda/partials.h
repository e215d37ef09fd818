/* SPDX-License-Identifier: MIT
 *
 * The reduction rule (kernels/reduce.h) for 64 threads: thread j has partial result j. A block has
 * CUDA_ROW_GROUPS such groups, which all go through the same barriers; each has a row of its own.
 */
#ifndef TERN__PARTIALS_CUDA_H
#define TERN__PARTIALS_CUDA_H

#include "device/cuda/functions_cuda.h"
#include "kernels/map_words.h"
#include "kernels/reduce.h"

enum { CUDA_ROW_GROUPS = 4, CUDA_ROW_THREADS = CUDA_ROW_GROUPS * TERN__PARTIALS };

static __device__ __forceinline__ float cuda_smaller(float a, float b) {
    return smaller_f32(a, b);
}

static __device__ __forceinline__ double cuda_smaller(double a, double b) {
    return smaller_f64(a, b);
}

static __device__ __forceinline__ int64_t cuda_smaller(int64_t a, int64_t b) {
    return b < a ? b : a;
}

static __device__ __forceinline__ float cuda_larger(float a, float b) {
    return larger_f32(a, b);
}

static __device__ __forceinline__ double cuda_larger(double a, double b) {
    return larger_f64(a, b);
}

static __device__ __forceinline__ int64_t cuda_larger(int64_t a, int64_t b) {
    return b > a ? b : a;
}

/* Integers wrap. */
static __device__ __forceinline__ float cuda_plus(float a, float b) {
    return a + b;
}

static __device__ __forceinline__ double cuda_plus(double a, double b) {
    return a + b;
}

static __device__ __forceinline__ int64_t cuda_plus(int64_t a, int64_t b) {
    return wrap((uint64_t)a + (uint64_t)b);
}

static __device__ __forceinline__ float cuda_times(float a, float b) {
    return a * b;
}

static __device__ __forceinline__ double cuda_times(double a, double b) {
    return a * b;
}

static __device__ __forceinline__ int64_t cuda_times(int64_t a, int64_t b) {
    return wrap((uint64_t)a * (uint64_t)b);
}

static __device__ __forceinline__ float cuda_fused(float a, float b, float c) {
    return fmaf(a, b, c);
}

static __device__ __forceinline__ double cuda_fused(double a, double b, double c) {
    return fma(a, b, c);
}

static __device__ __forceinline__ int64_t cuda_fused(int64_t a, int64_t b, int64_t c) {
    return cuda_plus(cuda_times(a, b), c);
}

/* What partial results begin with, by what gathers them. */
template <typename H> struct cuda_extremes {
    static __device__ __forceinline__ H largest() {
        return (H)INFINITY;
    }
    static __device__ __forceinline__ H smallest() {
        return (H)-INFINITY;
    }
};
template <> struct cuda_extremes<int64_t> {
    static __device__ __forceinline__ int64_t largest() {
        return INT64_MAX;
    }
    static __device__ __forceinline__ int64_t smallest() {
        return INT64_MIN;
    }
};

template <typename H> static __device__ __forceinline__ H cuda_start(int gathers) {
    return gathers == TERN__REDUCE_MIN   ? cuda_extremes<H>::largest()
           : gathers == TERN__REDUCE_MAX ? cuda_extremes<H>::smallest()
                                         : (H)(gathers == TERN__REDUCE_PROD);
}

template <typename H> static __device__ __forceinline__ H cuda_gather(int gathers, H p, H x) {
    return gathers == TERN__REDUCE_MIN    ? cuda_smaller(p, x)
           : gathers == TERN__REDUCE_MAX  ? cuda_larger(p, x)
           : gathers == TERN__REDUCE_PROD ? cuda_times(p, x)
                                          : cuda_plus(p, x);
}

/* The groups of a block of threads (64, CUDA_ROW_GROUPS): the result of each group's partials, in
 * all of its threads. */
template <typename H> static __device__ __forceinline__ H cuda_fold(int gathers, H p) {
    __shared__ H upper[CUDA_ROW_GROUPS][TERN__PARTIALS / 2];
    __shared__ H results[CUDA_ROW_GROUPS];
    int j = (int)threadIdx.x, group = (int)threadIdx.y;
    if (j >= TERN__PARTIALS / 2)
        upper[group][j - TERN__PARTIALS / 2] = p;
    __syncthreads();
    if (j < TERN__PARTIALS / 2)
        p = cuda_gather(gathers, p, upper[group][j]);
    for (int s = TERN__PARTIALS / 4; s > 0; s /= 2)
        p = cuda_gather(gathers, p, __shfl_down_sync(0xffffffffu, p, s));
    if (j == 0)
        results[group] = p;
    __syncthreads();
    return results[group];
}

#endif
