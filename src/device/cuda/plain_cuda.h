/* SPDX-License-Identifier: MIT
 *
 * Elements of the plain types in kernels, as kernels/plain.h has them: read as the type that is
 * computed in (F32, F64 or I64, the `hub`) and written from it.
 */
#ifndef TERN__PLAIN_CUDA_H
#define TERN__PLAIN_CUDA_H

#include "base/half.h"
#include "device/cuda/cuda.h"

static inline bool cuda_is_plain(int dtype) {
    return dtype >= 0 && dtype < 64 && (TERN__PLAIN >> dtype & 1) != 0;
}

static inline bool cuda_is_float(int dtype) {
    return dtype == TERN_F32 || dtype == TERN_F16 || dtype == TERN_BF16 || dtype == TERN_F64;
}

/* Bytes of an element of a plain type. */
static inline int cuda_size(int dtype) {
    switch (dtype) {
    case TERN_F32:
    case TERN_I32:
        return 4;
    case TERN_F64:
    case TERN_I64:
        return 8;
    case TERN_F16:
    case TERN_BF16:
    case TERN_I16:
        return 2;
    default:
        return 1;
    }
}

/* The type that is computed in: F32, F64 or I64. */
static inline tern_dtype cuda_hub(int dtype) {
    return dtype == TERN_F64 ? TERN_F64 : cuda_is_float(dtype) ? TERN_F32 : TERN_I64;
}

/* Truncated into [least, most]; NaN gives 0. */
static __device__ __forceinline__ int64_t cuda_whole(double x, int64_t least, int64_t most,
                                                     double beyond) {
    if (!(x == x))
        return 0;
    return x >= beyond ? most : x <= (double)least ? least : (int64_t)x;
}

/* A number as the hub's type; only a float becomes a whole number by truncation. */
template <typename H> struct cuda_from {
    static __device__ __forceinline__ H real(double x) {
        return (H)x;
    }
};
template <> struct cuda_from<int64_t> {
    static __device__ __forceinline__ int64_t real(double x) {
        return cuda_whole(x, INT64_MIN, INT64_MAX, 0x1p63);
    }
};

template <typename H>
static __device__ __forceinline__ H cuda_load(const void *data, int dtype, int64_t at) {
    switch (dtype) {
    case TERN_F32:
        return cuda_from<H>::real(((const float *)data)[at]);
    case TERN_F64:
        return cuda_from<H>::real(((const double *)data)[at]);
    case TERN_F16:
        return cuda_from<H>::real(tern__f32_from_f16(((const uint16_t *)data)[at]));
    case TERN_BF16:
        return cuda_from<H>::real(tern__f32_from_bf16(((const uint16_t *)data)[at]));
    case TERN_I8:
        return (H)((const int8_t *)data)[at];
    case TERN_U8:
        return (H)((const uint8_t *)data)[at];
    case TERN_I16:
        return (H)((const int16_t *)data)[at];
    case TERN_I32:
        return (H)((const int32_t *)data)[at];
    case TERN_I64:
        return (H)((const int64_t *)data)[at];
    default:
        return (H)(((const uint8_t *)data)[at] != 0);
    }
}

/* How each type is made of the hub's. */
template <typename H> struct cuda_to {
    static __device__ __forceinline__ uint16_t f16(float x) {
        return tern__f16_from_f32(x);
    }
    static __device__ __forceinline__ uint16_t bf16(float x) {
        return tern__bf16_from_f32(x);
    }
    static __device__ __forceinline__ int64_t whole(double x, int64_t least, int64_t most,
                                                    double beyond) {
        return cuda_whole(x, least, most, beyond);
    }
};
template <> struct cuda_to<double> : cuda_to<float> {
    static __device__ __forceinline__ uint16_t f16(double x) {
        return tern__f16_from_f32(tern__odd_f32_from_f64(x));
    }
    static __device__ __forceinline__ uint16_t bf16(double x) {
        return tern__bf16_from_f32(tern__odd_f32_from_f64(x));
    }
};
template <> struct cuda_to<int64_t> : cuda_to<float> {
    static __device__ __forceinline__ uint16_t f16(int64_t x) {
        return tern__f16_from_f32((float)x);
    }
    static __device__ __forceinline__ uint16_t bf16(int64_t x) {
        return tern__bf16_from_f32((float)x);
    }
    static __device__ __forceinline__ int64_t whole(int64_t x, int64_t, int64_t, double) {
        return x; /* wraps */
    }
};

template <typename H>
static __device__ __forceinline__ void cuda_store(void *data, int dtype, int64_t at, H x) {
    switch (dtype) {
    case TERN_F32:
        ((float *)data)[at] = (float)x;
        break;
    case TERN_F64:
        ((double *)data)[at] = (double)x;
        break;
    case TERN_F16:
        ((uint16_t *)data)[at] = cuda_to<H>::f16(x);
        break;
    case TERN_BF16:
        ((uint16_t *)data)[at] = cuda_to<H>::bf16(x);
        break;
    case TERN_I8:
        ((int8_t *)data)[at] = (int8_t)cuda_to<H>::whole(x, INT8_MIN, INT8_MAX, 0x1p7);
        break;
    case TERN_U8:
        ((uint8_t *)data)[at] = (uint8_t)cuda_to<H>::whole(x, 0, UINT8_MAX, 0x1p8);
        break;
    case TERN_I16:
        ((int16_t *)data)[at] = (int16_t)cuda_to<H>::whole(x, INT16_MIN, INT16_MAX, 0x1p15);
        break;
    case TERN_I32:
        ((int32_t *)data)[at] = (int32_t)cuda_to<H>::whole(x, INT32_MIN, INT32_MAX, 0x1p31);
        break;
    case TERN_I64:
        ((int64_t *)data)[at] = cuda_to<H>::whole(x, INT64_MIN, INT64_MAX, 0x1p63);
        break;
    default:
        ((uint8_t *)data)[at] = x != 0;
        break;
    }
}

#endif
