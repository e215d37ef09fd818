/* SPDX-License-Identifier: MIT
 *
 * Lanes (kernels/lanes_scalar.h) for the threads of a GPU: one lane each, as classes, since CUDA
 * C++ has no vector types of GCC's. A cast between them that lanes.h writes keeps the bits; masks
 * are all ones or zero.
 */
#ifndef TERN__LANES_CUDA_H
#define TERN__LANES_CUDA_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "device/cuda/launch.h"

#define TERN__HAS_LANES
enum { DOUBLES = 1, SINGLES = 1 };

#define V_INLINE   static __device__ __forceinline__
#define V_FUNCTION static __device__

template <typename To, typename From> V_INLINE To cuda_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "bits of the same size");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}

/* One lane of type T; I is the integer type of masks. The kinds of lanes differ by T alone. */
template <typename T, typename I> struct cuda_lane {
    T value;

    cuda_lane() = default;
    __device__ __forceinline__ cuda_lane(T value) : value(value) {}
    template <typename U>
    explicit __device__ __forceinline__ cuda_lane(cuda_lane<U, I> other)
        : value(cuda_bits<T>(other.value)) {}
    __device__ __forceinline__ T &operator[](int) {
        return value;
    }
    __device__ __forceinline__ cuda_lane operator-() const {
        return cuda_lane((T)-value);
    }
    __device__ __forceinline__ cuda_lane operator~() const {
        return cuda_lane((T)~value);
    }
    __device__ __forceinline__ cuda_lane &operator+=(cuda_lane other) {
        value += other.value;
        return *this;
    }
    __device__ __forceinline__ cuda_lane operator<<(int by) const {
        return cuda_lane((T)(value << by));
    }
    __device__ __forceinline__ cuda_lane operator>>(int by) const {
        return cuda_lane((T)(value >> by));
    }

#define CUDA_LANE_OPERATOR(symbol)                                                                 \
    friend __device__ __forceinline__ cuda_lane operator symbol(cuda_lane a, cuda_lane b) {        \
        return cuda_lane((T)(a.value symbol b.value));                                             \
    }
    CUDA_LANE_OPERATOR(+)
    CUDA_LANE_OPERATOR(-)
    CUDA_LANE_OPERATOR(*)
    CUDA_LANE_OPERATOR(/)
    CUDA_LANE_OPERATOR(&)
    CUDA_LANE_OPERATOR(|)
    CUDA_LANE_OPERATOR(^)
#undef CUDA_LANE_OPERATOR

#define CUDA_LANE_COMPARISON(symbol)                                                               \
    friend __device__ __forceinline__ cuda_lane<I, I> operator symbol(cuda_lane a, cuda_lane b) {  \
        return cuda_lane<I, I>(a.value symbol b.value ? (I)-1 : (I)0);                             \
    }
    CUDA_LANE_COMPARISON(<)
    CUDA_LANE_COMPARISON(<=)
    CUDA_LANE_COMPARISON(>)
    CUDA_LANE_COMPARISON(>=)
    CUDA_LANE_COMPARISON(==)
    CUDA_LANE_COMPARISON(!=)
#undef CUDA_LANE_COMPARISON
};

typedef cuda_lane<double, int64_t> vd;
typedef cuda_lane<int64_t, int64_t> vl;
typedef cuda_lane<uint64_t, int64_t> vu;
typedef cuda_lane<float, int32_t> vf;

typedef cuda_lane<float, int32_t> sf;
typedef cuda_lane<int32_t, int32_t> si;
typedef cuda_lane<uint32_t, int32_t> su;

#define TERN__HAS_ALL
V_INLINE vd v_all(double x) {
    return vd(x);
}

V_INLINE sf s_all(float x) {
    return sf(x);
}

V_INLINE vd v_fma(vd a, vd b, vd c) {
    return vd(fma(a.value, b.value, c.value));
}

V_INLINE vd v_rint(vd x) {
    return vd(rint(x.value));
}

V_INLINE vd v_sqrt(vd x) {
    return vd(sqrt(x.value));
}

V_INLINE vd v_widen(vf x) {
    return vd((double)x.value);
}

V_INLINE vf v_narrow(vd x) {
    return vf((float)x.value);
}

V_INLINE bool v_any(vl mask) {
    return mask.value != 0;
}

V_INLINE sf s_fma(sf a, sf b, sf c) {
    return sf(fmaf(a.value, b.value, c.value));
}

V_INLINE sf s_at_least(sf x, float low) {
    return sf(x.value < low ? low : x.value);
}

V_INLINE sf s_at_most(sf x, float high) {
    return sf(x.value > high ? high : x.value);
}

V_INLINE bool s_any(si mask) {
    return mask.value != 0;
}

/* What lanes.h converts by value. */
V_INLINE sf cuda_converted(si x) {
    return sf((float)x.value);
}
#define __builtin_convertvector(x, type) cuda_converted(x)

#include "kernels/function_math.h"
#include "kernels/function_single.h"

#endif
