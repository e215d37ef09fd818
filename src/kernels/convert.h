/* SPDX-License-Identifier: MIT
 * Family `convert`: rows between F32 and the stored types, as base/half.h defines them. Contiguous;
 * n elements, for Q8_0 a multiple of 32 (blocks: F16 scale d, then 32 int8; value = d * q). */
#ifndef TERN__CONVERT_H
#define TERN__CONVERT_H

#include <stdint.h>

#include "base/cpu.h"
#include "base/half.h"

typedef struct tern__convert_kernel {
    tern__variant variant;
    void (*f32_from_f16)(const uint16_t *x, float *out, int64_t n);
    void (*f16_from_f32)(const float *x, uint16_t *out, int64_t n);
    void (*f32_from_bf16)(const uint16_t *x, float *out, int64_t n);
    void (*bf16_from_f32)(const float *x, uint16_t *out, int64_t n);
    void (*f32_from_q8_0)(const uint8_t *x, float *out, int64_t n);
    /* Int8 with one scale for a row: the scale is max(max |x[i]|, 1e-5) / 127, NaN when one x is,
     * and out[i] = rint(x[i] / scale), ties to even, clamped to -127..127, 0 for NaN. */
    float (*i8_scale)(const float *x, int64_t n);
    void (*i8_from_f32)(const float *x, float scale, int8_t *out, int64_t n);
} tern__convert_kernel;

/* For the variants: the scale from the largest bit pattern of |x|. As integers a NaN lies above
 * infinity and the rest are in the order of their values, so one maximum does it all. */
static inline float tern__i8_scale_of(uint32_t largest) {
    uint32_t least = tern__f32_bits(1e-5f);
    return tern__f32_from_bits(largest > least ? largest : least) / 127;
}

extern const tern__convert_kernel *const tern__convert_family[];

#endif
