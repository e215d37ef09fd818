/* SPDX-License-Identifier: MIT
 * int8 for the Arm variants: a byte is the weight itself, signed, so that nothing is left to be
 * taken off. */
#ifndef TERN__INT8_NEON_H
#define TERN__INT8_NEON_H

#include <arm_neon.h>

enum { PLANES = 1, OFFSET = 0 };

typedef struct cursor {
    int8x16_t v;
} cursor;

static inline cursor begin(const uint8_t *bytes) {
    return (cursor){vreinterpretq_s8_u8(vld1q_u8(bytes))};
}

static inline int8x16_t plane(cursor *at, int p) {
    (void)p;
    return at->v;
}

static inline int encode(const uint8_t codes[PLANES]) {
    return codes[0] ^ 0x80;
}

#endif
