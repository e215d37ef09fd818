/* SPDX-License-Identifier: MIT
 * F16 and BF16 as uint16_t. Widening is exact; narrowing rounds to nearest even (IEEE 754).
 * NaN stays NaN (quiet). These are the specification of the converting kernels. */
#ifndef TERN__HALF_H
#define TERN__HALF_H

#include <stdint.h>
#include <string.h>

#include "base/inline.h"

TERN__INLINE float tern__f32_from_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

TERN__INLINE uint32_t tern__f32_bits(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

TERN__INLINE float tern__f32_from_f16(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00u) /* infinity, NaN */
        return tern__f32_from_bits(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 |
                                   (magnitude > 0x7c00u ? 0x400000u : 0u));
    if (magnitude < 0x0400u) { /* zero, denormal: exact as an integer times 2^-24 */
        float value = (float)magnitude * 0x1p-24f;
        return tern__f32_from_bits(sign | tern__f32_bits(value));
    }
    return tern__f32_from_bits(sign | ((magnitude << 13) + 0x38000000u));
}

TERN__INLINE uint16_t tern__f16_from_f32(float f) {
    uint32_t bits = tern__f32_bits(f);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x477ff000u) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) { /* below 2^-14: the sum's last bit is worth 2^-24 */
        float sum = tern__f32_from_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (tern__f32_bits(sum) - 0x3f000000u));
    }
    uint32_t odd = magnitude >> 13 & 1u;
    return (uint16_t)(sign | (magnitude - 0x38000000u + 0xfffu + odd) >> 13);
}

TERN__INLINE float tern__f32_from_bf16(uint16_t h) {
    return tern__f32_from_bits((uint32_t)h << 16);
}

TERN__INLINE uint16_t tern__bf16_from_f32(float f) {
    uint32_t bits = tern__f32_bits(f);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* Rounded to odd: a narrower type rounded from this is rounded from x once. */
TERN__INLINE float tern__odd_f32_from_f64(double x) {
    float f = (float)x;
    if ((double)f == x || x != x)
        return f;
    double magnitude = x < 0 ? -x : x, rounded = f < 0 ? -(double)f : (double)f;
    return tern__f32_from_bits((tern__f32_bits(f) - (rounded > magnitude)) | 1u);
}

#endif
