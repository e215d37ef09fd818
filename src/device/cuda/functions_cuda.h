/* SPDX-License-Identifier: MIT
 *
 * The functions of kernels/function_*.h for one number, by its type.
 */
#ifndef TERN__FUNCTIONS_CUDA_H
#define TERN__FUNCTIONS_CUDA_H

#include "device/cuda/lanes_cuda.h"
#include "kernels/functions.h"

#define CUDA_DEFINE_FUNCTION(symbol, name)                                                         \
    static __device__ __forceinline__ float cuda_##name(float x) {                                 \
        return s_##name(sf(x)).value;                                                              \
    }                                                                                              \
    static __device__ __forceinline__ double cuda_##name(double x) {                               \
        return f_##name(vd(x)).value;                                                              \
    }
TERN__UNARY_FUNCTIONS(CUDA_DEFINE_FUNCTION)
#undef CUDA_DEFINE_FUNCTION

static __device__ __forceinline__ double cuda_pow(double x, double y) {
    return f_pow(vd(x), vd(y)).value;
}

static __device__ __forceinline__ float cuda_pow(float x, float y) {
    return (float)cuda_pow((double)x, (double)y);
}

static __device__ __forceinline__ double cuda_atan2(double y, double x) {
    return f_atan2(vd(y), vd(x)).value;
}

static __device__ __forceinline__ float cuda_atan2(float y, float x) {
    return (float)cuda_atan2((double)y, (double)x);
}

#endif
