/* SPDX-License-Identifier: MIT
 *
 * Trits at five a byte for the Arm variants. A byte holds the fraction x_0 = ceil(256 * v / 243),
 * where v has its five trits as digits in base 3, the first the highest, less 128 as a signed
 * number X_0. With x_{p+1} = 3 * x_p mod 256 trit p is d_p = floor(3 * x_p / 256), which counts how
 * many of 86 and 171 x_p reaches; X_{p+1} = 3 * X_p modulo 256, as 3 * 128 and 128 are the same.
 * Planes are the weights d_p - 1, so that nothing is left to be taken off. */
#ifndef TERN__TRITS5_NEON_H
#define TERN__TRITS5_NEON_H

#include <arm_neon.h>

enum { PLANES = 5, OFFSET = 0 };

typedef struct cursor {
    int8x16_t x;
} cursor;

static inline cursor begin(const uint8_t *bytes) {
    return (cursor){vreinterpretq_s8_u8(vld1q_u8(bytes))};
}

static inline int8x16_t plane(cursor *at, int p) {
    (void)p;
    const uint8x16_t is_1_or_2 = vcgtq_s8(at->x, vdupq_n_s8(85 - 128));
    const uint8x16_t is_2 = vcgtq_s8(at->x, vdupq_n_s8(170 - 128));
    at->x = vmulq_s8(at->x, vdupq_n_s8(3));
    const int8x16_t below = vsubq_s8(vdupq_n_s8(-1), vreinterpretq_s8_u8(is_1_or_2));
    return vsubq_s8(below, vreinterpretq_s8_u8(is_2));
}

static inline int encode(const uint8_t codes[PLANES]) {
    int value = 0;
    for (int p = 0; p < PLANES; p++)
        value = 3 * value + codes[p];
    return (256 * value + 242) / 243 ^ 0x80;
}

#endif
