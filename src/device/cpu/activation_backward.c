/* SPDX-License-Identifier: MIT */
#include "device/cpu/activation_backward.h"

#include <math.h>

/* A chunk of the hub's type. */
typedef union chunk {
    float f32[TERN__CHUNK];
    double f64[TERN__CHUNK];
} chunk;

/* out = the map's expression of a (any stride) and b (contiguous), p and q. */
typedef struct map_call {
    int code;
    const void *a;
    int64_t a_stride;
    const void *b;
    double p, q;
} map_call;

static void map(const tern__step_args *args, map_call call, void *out) {
    const tern__map_kernel *kernel = args->cpu->map;
    tern__map_args map = {.in = {call.a, call.b},
                          .stride = {call.a_stride, 1},
                          .out = out,
                          .n = args->map.n,
                          .p = call.p,
                          .q = call.q};
    (args->hub == TERN__HUB_F32 ? kernel->f32 : kernel->f64)[call.code](&map);
}

static void function(const tern__step_args *args, int code, const void *x, int64_t stride,
                     void *out) {
    if (args->hub == TERN__HUB_F32)
        args->cpu->functions->f32[code](x, stride, out, args->map.n);
    else
        args->cpu->functions->f64[code](x, stride, out, args->map.n);
}

/* The result: grad * slope */
static void multiply(const tern__step_args *args, const chunk *slope) {
    map(args, (map_call){TERN__MAP_MUL, args->map.in[0], args->map.stride[0], slope, 0, 0},
        args->map.out);
}

/* s (1 + z (1 - s)) with s = sigmoid(z): the slope of z sigmoid(z); `z` is overwritten. */
static void swish_slope(const tern__step_args *args, chunk *z, chunk *sigmoid) {
    chunk rest;
    map(args, (map_call){TERN__MAP_AFFINE, sigmoid, 1, NULL, -1, 1}, &rest);
    map(args, (map_call){TERN__MAP_MUL, z, 1, &rest, 0, 0}, &rest);
    map(args, (map_call){TERN__MAP_AFFINE, &rest, 1, NULL, 1, 1}, &rest);
    map(args, (map_call){TERN__MAP_MUL, sigmoid, 1, &rest, 0, 0}, z);
}

/* x, kept within what changes the slope, so that infinities give its limits. */
static void bounded(const tern__step_args *args, double bound, chunk *x) {
    map(args, (map_call){TERN__MAP_CLIP, args->map.in[1], args->map.stride[1], NULL, -bound, bound},
        x);
}

void tern__step_silu_backward(const tern__step_args *args) {
    chunk x, sigmoid;
    bounded(args, 1000, &x);
    function(args, TERN__FUNCTION_SIGMOID, &x, 1, &sigmoid);
    swish_slope(args, &x, &sigmoid);
    multiply(args, &x);
}

void tern__step_softplus_backward(const tern__step_args *args) {
    chunk sigmoid;
    function(args, TERN__FUNCTION_SIGMOID, args->map.in[1], args->map.stride[1], &sigmoid);
    multiply(args, &sigmoid);
}

/* out = x == 0 or so small that gelu(x) / x has lost digits ? 1/2 : gelu(x) / x, the normal
 * distribution function without cancellation. */
static void distribution(const tern__step_args *args, const chunk *x, chunk *out) {
    function(args, TERN__FUNCTION_GELU, x, 1, out);
    map(args, (map_call){TERN__MAP_DIV, out, 1, x, 0, 0}, out);
    for (int64_t i = 0; i < args->map.n; i++)
        if (args->hub == TERN__HUB_F32)
            out->f32[i] = fabsf(x->f32[i]) < 0x1p-30f ? 0.5f : out->f32[i];
        else
            out->f64[i] = fabs(x->f64[i]) < 0x1p-60 ? 0.5 : out->f64[i];
}

/* P(x) + x p(x) with the normal distribution's P and its density p = exp(-x^2 / 2) / sqrt(2 pi) */
void tern__step_gelu_backward(const tern__step_args *args) {
    chunk x, slope, density;
    bounded(args, 40, &x);
    distribution(args, &x, &slope);
    map(args, (map_call){TERN__MAP_MUL, &x, 1, &x, 0, 0}, &density);
    map(args, (map_call){TERN__MAP_SCALE, &density, 1, NULL, -0.5, 0}, &density);
    function(args, TERN__FUNCTION_EXP, &density, 1, &density);
    map(args, (map_call){TERN__MAP_MUL, &x, 1, &density, 0, 0}, &density);
    map(args, (map_call){TERN__MAP_ADD_SCALED, &slope, 1, &density, 0x1.9884533d43651p-2, 0},
        &slope);
    multiply(args, &slope);
}

/* x sigmoid(z) with z = x (b + a x^2): s + x s (1 - s) (b + 3 a x^2) */
void tern__step_gelu_tanh_backward(const tern__step_args *args) {
    const double b = 0x1.9884533d43651p+0, a = 0x1.2444f2a4d8b4bp-4;
    chunk x, square, z, sigmoid, rest;
    bounded(args, 40, &x);
    map(args, (map_call){TERN__MAP_MUL, &x, 1, &x, 0, 0}, &square);
    map(args, (map_call){TERN__MAP_AFFINE, &square, 1, NULL, a, b}, &z);
    map(args, (map_call){TERN__MAP_MUL, &x, 1, &z, 0, 0}, &z);
    function(args, TERN__FUNCTION_SIGMOID, &z, 1, &sigmoid);
    map(args, (map_call){TERN__MAP_AFFINE, &square, 1, NULL, 3 * a, b}, &z);
    map(args, (map_call){TERN__MAP_MUL, &x, 1, &z, 0, 0}, &z);
    map(args, (map_call){TERN__MAP_AFFINE, &sigmoid, 1, NULL, -1, 1}, &rest);
    map(args, (map_call){TERN__MAP_MUL, &z, 1, &rest, 0, 0}, &z);
    map(args, (map_call){TERN__MAP_AFFINE, &z, 1, NULL, 1, 1}, &z);
    map(args, (map_call){TERN__MAP_MUL, &sigmoid, 1, &z, 0, 0}, &z);
    multiply(args, &z);
}
