/* SPDX-License-Identifier: MIT
 * Family `convert`: rows between F32 and the stored types, as base/half.h defines them. Contiguous;
 * n elements, for Q8_0 a multiple of 32 (blocks: F16 scale d, then 32 int8; value = d * q). */
#ifndef TERN__CONVERT_H
#define TERN__CONVERT_H

#include <stdint.h>

#include "base/cpu.h"

typedef struct tern__convert_kernel {
    tern__variant variant;
    void (*f32_from_f16)(const uint16_t *x, float *out, int64_t n);
    void (*f16_from_f32)(const float *x, uint16_t *out, int64_t n);
    void (*f32_from_bf16)(const uint16_t *x, float *out, int64_t n);
    void (*bf16_from_f32)(const float *x, uint16_t *out, int64_t n);
    void (*f32_from_q8_0)(const uint8_t *x, float *out, int64_t n);
} tern__convert_kernel;

extern const tern__convert_kernel *const tern__convert_family[];

#endif
