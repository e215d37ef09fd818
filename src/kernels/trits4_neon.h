/* SPDX-License-Identifier: MIT
 * Trits at four a byte for the Arm variants: bits 2p and 2p + 1 of a byte hold its p-th code. */
#ifndef TERN__TRITS4_NEON_H
#define TERN__TRITS4_NEON_H

#include <arm_neon.h>

enum { PLANES = 4, OFFSET = 1 };

typedef struct cursor {
    uint8x16_t v;
} cursor;

static inline cursor begin(const uint8_t *bytes) {
    return (cursor){vld1q_u8(bytes)};
}

static inline int8x16_t plane(cursor *at, int p) {
    (void)p;
    const int8x16_t codes = vreinterpretq_s8_u8(vandq_u8(at->v, vdupq_n_u8(3)));
    at->v = vshrq_n_u8(at->v, 2);
    return codes;
}

static inline int encode(const uint8_t codes[PLANES]) {
    return codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6;
}

#endif
