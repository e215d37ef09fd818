/* SPDX-License-Identifier: MIT
 *
 * SipHash-1-3 (Aumasson and Bernstein 2012): one round per 8 bytes, three at the end. With a random
 * key no file can be made whose strings collide, so that tables of them are built in linear time.
 */
#ifndef TERN__SIPHASH_H
#define TERN__SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct tern__siphash_key {
    uint64_t word[2];
} tern__siphash_key;

static inline uint64_t tern__siphash_rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static inline void tern__siphash_round(uint64_t v[4]) {
    v[0] += v[1], v[2] += v[3];
    v[1] = tern__siphash_rotate(v[1], 13) ^ v[0], v[3] = tern__siphash_rotate(v[3], 16) ^ v[2];
    v[0] = tern__siphash_rotate(v[0], 32);
    v[2] += v[1], v[0] += v[3];
    v[1] = tern__siphash_rotate(v[1], 17) ^ v[2], v[3] = tern__siphash_rotate(v[3], 21) ^ v[0];
    v[2] = tern__siphash_rotate(v[2], 32);
}

static inline void tern__siphash_word(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    tern__siphash_round(v);
    v[0] ^= word;
}

/* The last word holds the bytes left over and the count in its top byte. */
static inline uint64_t tern__siphash(const tern__siphash_key *key, const void *bytes,
                                     size_t count) {
    const uint8_t *at = bytes;
    uint64_t k0 = key->word[0], k1 = key->word[1];
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     k1 ^ 0x7465646279746573u};
    uint64_t word, last = (uint64_t)count << 56;
    for (; count >= 8; count -= 8, at += 8) {
        memcpy(&word, at, 8);
        tern__siphash_word(v, word);
    }
    if (count >= 4) { /* two words that may overlap */
        uint32_t low, high;
        memcpy(&low, at, 4);
        memcpy(&high, at + count - 4, 4);
        last |= low | (uint64_t)high << 8 * (count - 4);
    } else if (count > 0) {
        last |= at[0] | (uint64_t)at[count / 2] << 8 * (count / 2) |
                (uint64_t)at[count - 1] << 8 * (count - 1);
    }
    tern__siphash_word(v, last);
    v[2] ^= 0xff;
    for (int round = 0; round < 3; round++)
        tern__siphash_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
