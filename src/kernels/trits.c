/* SPDX-License-Identifier: MIT
 * Decoders of ternary blocks. Codes of two bits are taken out of eight bytes at a time: that is
 * fast with any compiler (clang 14 does not vectorise the loop over bytes). */
#include <string.h>

#include "base/half.h"
#include "kernels/trits.h"

enum {
    BLOCK_CODES = 128,
    BLOCK_BYTES = 32,
    TQ_CODES = 256,
    TQ1_0_BYTES = 54,
    TQ2_0_BYTES = 66,
};

/* 32 bytes of 128 codes: code 32 * p + j lies in byte j, bits 2p and 2p + 1, or, where the first
 * codes are the high ones, bits 6 - 2p and 7 - 2p. False when a code is 3: both its bits are set.
 */
static inline bool block_128(const uint8_t *data, bool is_high_first, uint8_t *codes) {
    uint64_t threes = 0;
    for (int j = 0; j < BLOCK_BYTES; j += 8) {
        uint64_t bytes;
        memcpy(&bytes, data + j, sizeof bytes);
        threes |= bytes & bytes >> 1 & 0x5555555555555555u;
        for (int p = 0; p < 4; p++) {
            const uint64_t plane = bytes >> (is_high_first ? 6 - 2 * p : 2 * p);
            const uint64_t eight = plane & 0x0303030303030303u;
            memcpy(codes + BLOCK_BYTES * p + j, &eight, sizeof eight);
        }
    }
    return threes == 0;
}

bool tern__trits_i2_s(const uint8_t *data, int64_t first, int64_t count, uint8_t *codes) {
    bool is_valid = true;
    while (count > 0) {
        const uint8_t *block = data + first / BLOCK_CODES * BLOCK_BYTES;
        const int64_t skip = first % BLOCK_CODES;
        const int64_t left = BLOCK_CODES - skip;
        const int64_t taken = count < left ? count : left;
        if (taken == BLOCK_CODES) {
            is_valid &= block_128(block, true, codes);
        } else {
            for (int64_t i = 0; i < taken; i++) {
                const int64_t at = skip + i;
                codes[i] = block[at % BLOCK_BYTES] >> (6 - at / BLOCK_BYTES * 2) & 3;
                is_valid &= codes[i] != 3;
            }
        }
        first += taken;
        codes += taken;
        count -= taken;
    }
    return is_valid;
}

static float scale_at(const uint8_t *data) {
    return tern__f32_from_f16((uint16_t)(data[0] | data[1] << 8));
}

/* Trit t of a byte b that holds five of them in base 3, most significant first, as
 * ceil(256 * value / 243): the integer part of 3 * frac(b / 256 * 3^t). */
static inline uint8_t trit(uint8_t byte, uint8_t power) {
    return (uint8_t)((uint8_t)(byte * power) * 3 >> 8);
}

bool tern__trits_tq1_0(const uint8_t *data, int64_t blocks, uint8_t *codes, float *scales) {
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    for (int64_t b = 0; b < blocks; b++, data += TQ1_0_BYTES, codes += TQ_CODES) {
        scales[b] = scale_at(data + 52);
        if (scales[b] == 0) {
            memset(codes, 1, TQ_CODES);
            continue;
        }
        for (int t = 0; t < 5; t++) {
            for (int j = 0; j < 32; j++)
                codes[32 * t + j] = trit(data[j], powers[t]);
            for (int j = 0; j < 16; j++)
                codes[160 + 16 * t + j] = trit(data[32 + j], powers[t]);
        }
        for (int t = 0; t < 4; t++)
            for (int j = 0; j < 4; j++)
                codes[240 + 4 * t + j] = trit(data[48 + j], powers[t]);
    }
    return true;
}

bool tern__trits_tq2_0(const uint8_t *data, int64_t blocks, uint8_t *codes, float *scales) {
    bool is_valid = true;
    for (int64_t b = 0; b < blocks; b++, data += TQ2_0_BYTES, codes += TQ_CODES) {
        is_valid &= block_128(data, false, codes);
        is_valid &= block_128(data + BLOCK_BYTES, false, codes + BLOCK_CODES);
        scales[b] = scale_at(data + 64);
        if (scales[b] == 0)
            memset(codes, 1, TQ_CODES);
    }
    return is_valid;
}
