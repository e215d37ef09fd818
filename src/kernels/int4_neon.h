/* SPDX-License-Identifier: MIT
 * int4 for the Arm variants: the low half of a byte holds its first code. */
#ifndef TERN__INT4_NEON_H
#define TERN__INT4_NEON_H

#include <arm_neon.h>

enum { PLANES = 2, OFFSET = 8 };

typedef struct cursor {
    uint8x16_t v;
} cursor;

static inline cursor begin(const uint8_t *bytes) {
    return (cursor){vld1q_u8(bytes)};
}

static inline int8x16_t plane(cursor *at, int p) {
    const uint8x16_t codes = p == 0 ? vandq_u8(at->v, vdupq_n_u8(15)) : vshrq_n_u8(at->v, 4);
    return vreinterpretq_s8_u8(codes);
}

static inline int encode(const uint8_t codes[PLANES]) {
    return codes[0] | codes[1] << 4;
}

#endif
