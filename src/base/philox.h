/* SPDX-License-Identifier: MIT
 * Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC11, section 3.3):
 * the one random generator. Key = seed, counter = position: the same numbers on any thread count
 * and device. */
#ifndef TERN__PHILOX_H
#define TERN__PHILOX_H

#include <stdint.h>

#include "base/inline.h"

typedef struct tern__philox_block {
    uint32_t word[4];
} tern__philox_block;

TERN__INLINE tern__philox_block tern__philox(uint64_t seed, uint64_t position) {
    uint32_t c0 = (uint32_t)position, c1 = (uint32_t)(position >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    tern__philox_block block = {{c0, c1, c2, c3}};
    return block;
}

/* Uniform in [0, 1): the upper 24 bits. */
TERN__INLINE float tern__uniform_f32(uint32_t word) {
    return (float)(word >> 8) * 0x1p-24f;
}

#endif
