/* SPDX-License-Identifier: MIT
 * Family `rows` in plain C: the specification of the other variants. */
#include <math.h>

#include "kernels/exp.h"
#include "kernels/rows.h"

enum { PARTIALS = 64 };

static float fold(float partial[PARTIALS]) {
    for (int s = PARTIALS / 2; s > 0; s /= 2)
        for (int j = 0; j < s; j++)
            partial[j] += partial[j + s];
    return partial[0];
}

static float sum(const float *x, int64_t n) {
    float partial[PARTIALS] = {0};
    for (int64_t i = 0; i < n; i++)
        partial[i % PARTIALS] += x[i];
    return fold(partial);
}

static float dot(const float *x, const float *y, int64_t n) {
    float partial[PARTIALS] = {0};
    for (int64_t i = 0; i < n; i++)
        partial[i % PARTIALS] = fmaf(x[i], y[i], partial[i % PARTIALS]);
    return fold(partial);
}

static float larger(float a, float b) {
    if (isnan(a) || isnan(b))
        return NAN;
    if (a == b)
        return signbit(a) ? b : a;
    return a > b ? a : b;
}

static float max(const float *x, int64_t n) {
    float largest = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        largest = larger(largest, x[i]);
    return largest;
}

static void rms_norm(const float *x, const float *weight, float epsilon, float *out, int64_t n) {
    float r = 1 / sqrtf(dot(x, x, n) / (float)n + epsilon);
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] * r * weight[i];
}

static void softmax(const float *x, float *out, int64_t n) {
    float largest = max(x, n);
    for (int64_t i = 0; i < n; i++)
        out[i] = s_exp((sf){x[i] - largest})[0];
    float r = 1 / sum(out, n);
    for (int64_t i = 0; i < n; i++)
        out[i] *= r;
}

static float quantize(const float *x, int64_t n, int8_t *q, int64_t padded, int32_t *total) {
    uint32_t largest = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t magnitude = tern__f32_bits(x[i]) & 0x7fffffffu;
        largest = magnitude > largest ? magnitude : largest;
    }
    float s = tern__quantize_scale(largest);

    *total = 0;
    for (int64_t i = 0; i < padded; i++) {
        /* Finite x lie within +-127 by the choice of s; s is NaN or 0 for the others. */
        q[i] = i < n && s > 0 ? (int8_t)rintf(x[i] * s) : 0;
        *total += q[i];
    }
    return s;
}

const tern__rows_kernel tern__rows_scalar = {
    .variant = {.name = "scalar"},
    .sum = sum,
    .dot = dot,
    .max = max,
    .rms_norm = rms_norm,
    .softmax = softmax,
    .quantize = quantize,
};
