/* SPDX-License-Identifier: MIT
 *
 * Functions of two operands: powers, arc tangents, activations of a sum, and the backward forms of
 * activations (device/cpu/activation_backward.c), step by step as they are defined.
 */
#include "device/cuda/elementwise.h"
#include "device/cuda/functions_cuda.h"

namespace {

__device__ __forceinline__ float fused(float a, float b, float c) {
    return fmaf(a, b, c);
}

__device__ __forceinline__ double fused(double a, double b, double c) {
    return fma(a, b, c);
}

template <typename H> __device__ H activate(int activation, H x) {
    switch (activation) {
    case TERN_ACTIVATION_RELU:
        return x < 0 ? 0 : x;
    case TERN_ACTIVATION_RELU2:
        return x < 0 ? 0 : x * x;
    case TERN_ACTIVATION_SIGMOID:
        return cuda_sigmoid(x);
    case TERN_ACTIVATION_SILU:
        return cuda_silu(x);
    case TERN_ACTIVATION_GELU:
        return cuda_gelu(x);
    case TERN_ACTIVATION_GELU_TANH:
        return cuda_gelu_tanh(x);
    case TERN_ACTIVATION_TANH:
        return cuda_tanh(x);
    default:
        return x;
    }
}

/* x, kept within what changes the slope, so that infinities give its limits. */
template <typename H> __device__ H bounded(H x, H bound) {
    return x < -bound ? -bound : x > bound ? bound : x;
}

/* s (1 + z (1 - s)) with s = sigmoid(z): the slope of z sigmoid(z). */
template <typename H> __device__ H swish_slope(H z, H sigmoid) {
    H rest = z * fused(sigmoid, (H)-1, (H)1);
    return sigmoid * fused(rest, (H)1, (H)1);
}

/* P(x) + x p(x) with the normal distribution's P and its density p. */
template <typename H> __device__ H gelu_slope(H x) {
    const H tiny = sizeof(H) == 4 ? (H)0x1p-30 : (H)0x1p-60;
    x = bounded(x, (H)40);
    H slope = cuda_gelu(x) / x;
    if ((x < 0 ? -x : x) < tiny)
        slope = (H)0.5;
    H density = x * cuda_exp(x * x * (H)-0.5);
    return fused(density, (H)0x1.9884533d43651p-2, slope);
}

/* x sigmoid(z) with z = x (b + a x^2): s + x s (1 - s) (b + 3 a x^2) */
template <typename H> __device__ H gelu_tanh_slope(H x) {
    const double b = 0x1.9884533d43651p+0, a = 0x1.2444f2a4d8b4bp-4;
    x = bounded(x, (H)40);
    H square = x * x, sigmoid = cuda_sigmoid(x * fused(square, (H)a, (H)b));
    H z = x * fused(square, (H)(3 * a), (H)b);
    return swish_slope(z, sigmoid);
}

template <typename H> __device__ H apply(const cuda_elements &call, H a, H b) {
    switch (call.op) {
    case TERN__OP_POW:
        return cuda_pow(a, b);
    case TERN__OP_ATAN2:
        return cuda_atan2(a, b);
    case TERN__OP_BIAS_ACTIVATION:
        return activate(call.activation, a + b);
    case TERN__OP_SILU_BACKWARD:
        b = bounded(b, (H)1000);
        return a * swish_slope(b, cuda_sigmoid(b));
    case TERN__OP_SOFTPLUS_BACKWARD:
        return a * cuda_sigmoid(b);
    case TERN__OP_GELU_BACKWARD:
        return a * gelu_slope(b);
    case TERN__OP_GELU_TANH_BACKWARD:
        return a * gelu_tanh_slope(b);
    default:
        return a;
    }
}

template <typename H>
__global__ void __launch_bounds__(CUDA_ELEMENT_THREADS) pair_kernel(cuda_elements call) {
    CUDA_EACH(i, call.walk.count) {
        int64_t at[3];
        cuda_walk_at(call.walk, i, at);
        H a = cuda_load<H>(call.in[0], call.in_type[0], at[1]);
        H b = cuda_load<H>(call.in[1], call.in_type[1], at[2]);
        cuda_store<H>(call.out, call.out_type, at[0], apply<H>(call, a, b));
    }
}

} // namespace

cudaError_t cuda_pair_launch(const cuda_device *device, const cuda_elements &elements,
                             tern_dtype hub, unsigned blocks) {
    if (hub == TERN_F32)
        return TERN_LAUNCH(pair_kernel<float>, blocks, CUDA_ELEMENT_THREADS, 0, device->stream,
                           elements);
    return TERN_LAUNCH(pair_kernel<double>, blocks, CUDA_ELEMENT_THREADS, 0, device->stream,
                       elements);
}
