/* SPDX-License-Identifier: MIT
 * Family `convert` in plain C: the specification of the other variants. */
#include <math.h>

#include "base/half.h"
#include "kernels/convert.h"

static void f32_from_f16(const uint16_t *x, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = tern__f32_from_f16(x[i]);
}

static void f16_from_f32(const float *x, uint16_t *out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = tern__f16_from_f32(x[i]);
}

static void f32_from_bf16(const uint16_t *x, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = tern__f32_from_bf16(x[i]);
}

static void bf16_from_f32(const float *x, uint16_t *out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = tern__bf16_from_f32(x[i]);
}

static void f32_from_q8_0(const uint8_t *x, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *block = x + i / 32 * 34;
        float d = tern__f32_from_f16((uint16_t)(block[0] | block[1] << 8));
        out[i] = d * (float)(int8_t)block[2 + i % 32];
    }
}

static float i8_scale(const float *x, int64_t n) {
    float largest = 1e-5f;
    for (int64_t i = 0; i < n; i++)
        if (fabsf(x[i]) > largest || isnan(x[i]))
            largest = fabsf(x[i]); /* a NaN stays: nothing is larger */
    return largest / 127;
}

static void i8_from_f32(const float *x, float scale, int8_t *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float v = rintf(x[i] / scale);
        out[i] = (int8_t)(isnan(v) ? 0 : v > 127 ? 127 : v < -127 ? -127 : v);
    }
}

const tern__convert_kernel tern__convert_scalar = {
    .variant = {.name = "scalar"},
    .f32_from_f16 = f32_from_f16,
    .f16_from_f32 = f16_from_f32,
    .f32_from_bf16 = f32_from_bf16,
    .bf16_from_f32 = bf16_from_f32,
    .f32_from_q8_0 = f32_from_q8_0,
    .i8_scale = i8_scale,
    .i8_from_f32 = i8_from_f32,
};
