/* SPDX-License-Identifier: MIT
 *
 * The operations of kernels/map_ops.h, choices between operands, and dropout.
 */
#include "base/philox.h"
#include "device/cuda/elementwise.h"
#include "kernels/map_ops.h"
#include "kernels/map_words.h"

namespace {

/* What the expressions of map_ops.h call, in a type. A sum with a whole number is in double, as
 * <tgmath.h> has it. */
#define DEFINE_WORDS(name, T, suffix, type)                                                        \
    struct name {                                                                                  \
        static __device__ __forceinline__ T fabs(T a) {                                            \
            return ::fabs##suffix(a);                                                              \
        }                                                                                          \
        static __device__ __forceinline__ T sqrt(T a) {                                            \
            return ::sqrt##suffix(a);                                                              \
        }                                                                                          \
        static __device__ __forceinline__ T floor(T a) {                                           \
            return ::floor##suffix(a);                                                             \
        }                                                                                          \
        static __device__ __forceinline__ T ceil(T a) {                                            \
            return ::ceil##suffix(a);                                                              \
        }                                                                                          \
        static __device__ __forceinline__ T trunc(T a) {                                           \
            return ::trunc##suffix(a);                                                             \
        }                                                                                          \
        static __device__ __forceinline__ T rint(T a) {                                            \
            return ::rint##suffix(a);                                                              \
        }                                                                                          \
        static __device__ __forceinline__ T fma(T a, T b, T c) {                                   \
            return ::fma##suffix(a, b, c);                                                         \
        }                                                                                          \
        static __device__ __forceinline__ double fma(T a, T b, int c) {                            \
            return ::fma((double)a, (double)b, (double)c);                                         \
        }                                                                                          \
        static __device__ __forceinline__ T floor_quotient(T a, T b) {                             \
            return floor_quotient_##type(a, b);                                                    \
        }                                                                                          \
        static __device__ __forceinline__ T floor_remainder(T a, T b) {                            \
            return floor_remainder_##type(a, b);                                                   \
        }                                                                                          \
        static __device__ __forceinline__ T smaller(T a, T b) {                                    \
            return smaller_##type(a, b);                                                           \
        }                                                                                          \
        static __device__ __forceinline__ T larger(T a, T b) {                                     \
            return larger_##type(a, b);                                                            \
        }                                                                                          \
        static __device__ T apply(const cuda_elements &call, T a, T b, T c);                       \
    };
DEFINE_WORDS(map_f32, float, f, f32)
DEFINE_WORDS(map_f64, double, , f64)
#undef DEFINE_WORDS

struct map_i64 {
    static __device__ int64_t apply(const cuda_elements &call, int64_t a, int64_t b, int64_t c);
};

#define MAP_CASE(symbol, name, expression)                                                         \
    case TERN__OP_##symbol:                                                                        \
        return (T)(expression);

/* OUTER is a product, BIAS_ACTIVATION and its kind are elsewhere. */
#define DEFINE_FLOAT_APPLY(map, type)                                                              \
    __device__ type map::apply(const cuda_elements &call, type a, type b, type c) {                \
        typedef type T;                                                                            \
        const T p = (T)call.p, q = (T)call.q;                                                      \
        switch (call.op) {                                                                         \
            TERN__MAP_FLOAT1(MAP_CASE)                                                             \
            TERN__MAP_FLOAT2(MAP_CASE)                                                             \
            TERN__MAP_FLOAT3(MAP_CASE)                                                             \
            TERN__MAP_COMPARE1(MAP_CASE)                                                           \
            TERN__MAP_COMPARE2(MAP_CASE)                                                           \
            TERN__MAP_FLOAT_TEST1(MAP_CASE)                                                        \
        case TERN__OP_OUTER:                                                                       \
            return a * b;                                                                          \
        case TERN__OP_ISCLOSE: {                                                                   \
            bool is_close = (a == b) | ((fabs(a - b) <= q + p * fabs(b)) & (b - b == 0));          \
            return (T)(is_close | (call.equal_nan & (a != a) & (b != b)));                         \
        }                                                                                          \
        default:                                                                                   \
            return a;                                                                              \
        }                                                                                          \
    }
DEFINE_FLOAT_APPLY(map_f32, float)
DEFINE_FLOAT_APPLY(map_f64, double)
#undef DEFINE_FLOAT_APPLY

__device__ int64_t map_i64::apply(const cuda_elements &call, int64_t a, int64_t b, int64_t c) {
    typedef int64_t T;
    const T p = whole(call.p), q = whole(call.q);
    if (call.op == TERN__OP_BIT_NOT && call.type == TERN_BOOL)
        return a == 0;
    switch (call.op) {
        TERN__MAP_INTEGER1(MAP_CASE)
        TERN__MAP_INTEGER2(MAP_CASE)
        TERN__MAP_INTEGER3(MAP_CASE)
        TERN__MAP_COMPARE1(MAP_CASE)
        TERN__MAP_COMPARE2(MAP_CASE)
    case TERN__OP_OUTER:
        return wrap((uint64_t)a * (uint64_t)b);
    case TERN__OP_ISFINITE:
        return 1;
    case TERN__OP_ISNAN:
    case TERN__OP_ISINF:
        return 0;
    default:
        return a;
    }
}

template <typename H, typename Map>
__global__ void __launch_bounds__(CUDA_ELEMENT_THREADS) map_kernel(cuda_elements call) {
    CUDA_ELEMENT_LOOP(H, call, r = Map::apply(call, a, b, c))
}

/* WHERE: c ? a : b; MASKED_FILL: b ? the number, rounded to the type once : a */
template <typename H>
__global__ void __launch_bounds__(CUDA_ELEMENT_THREADS) choose_kernel(cuda_elements call) {
    H value = 0;
    if (call.op == TERN__OP_MASKED_FILL) {
        uint64_t room;
        cuda_store<double>(&room, call.type, 0, call.p);
        value = cuda_load<H>(&room, call.type, 0);
    }
    CUDA_ELEMENT_LOOP(H, call, {
        if (call.op == TERN__OP_MASKED_FILL)
            r = b != 0 ? value : a;
        else
            r = c != 0 ? a : b;
    })
}

/* Element i of the result, which is contiguous, is kept when word i % 4 of block i / 4 of Philox,
 * as a number in [0, 1), is not below the probability. */
template <typename H>
__global__ void __launch_bounds__(CUDA_ELEMENT_THREADS) dropout_kernel(cuda_elements call) {
    const H factor = (H)(1 / (1 - call.p));
    CUDA_ELEMENT_LOOP(H, call, {
        tern__philox_block block = tern__philox(call.seed, (uint64_t)at[0] / 4);
        bool is_kept = block.word[at[0] % 4] * 0x1p-32 >= call.p;
        r = is_kept ? a * factor : (H)0;
        (void)b;
        (void)c;
    })
}

#define LAUNCH(kernel)                                                                             \
    TERN_LAUNCH((kernel), blocks, CUDA_ELEMENT_THREADS, 0, device->stream, elements)

} // namespace

cudaError_t cuda_map_launch(const cuda_device *device, const cuda_elements &elements,
                            tern_dtype hub, unsigned blocks) {
    bool is_choice = elements.op == TERN__OP_WHERE || elements.op == TERN__OP_MASKED_FILL;
    if (is_choice)
        return hub == TERN_F32   ? LAUNCH(choose_kernel<float>)
               : hub == TERN_F64 ? LAUNCH(choose_kernel<double>)
                                 : LAUNCH(choose_kernel<int64_t>);
    if (elements.op == TERN__OP_DROPOUT)
        return hub == TERN_F32 ? LAUNCH(dropout_kernel<float>) : LAUNCH(dropout_kernel<double>);
    if (hub == TERN_F32)
        return LAUNCH((map_kernel<float, map_f32>));
    if (hub == TERN_F64)
        return LAUNCH((map_kernel<double, map_f64>));
    return LAUNCH((map_kernel<int64_t, map_i64>));
}
