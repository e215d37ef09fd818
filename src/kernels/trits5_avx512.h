/* SPDX-License-Identifier: MIT
 *
 * The lines of family `trits5` for packed_avx512.h: five trits in a byte, of k, k + 4, ... k + 16,
 *
 *     byte 4 * row + b = code of the trits of k = 20 * line + 4 * p + b     b = 0..3, p = 0..4
 *
 * What matters is how fast bytes become digits. Two table look-ups of six bits (vpermb) do it: the
 * lower six bits of a byte give the digits 0 and 1, the upper six the digits 2 and 3, and each of
 * the two a word of two bits whose exclusive or is digit 4:
 *
 *     lower_digits[byte % 64] = d0 + 4 * d1 + 16 * s      d4 = s ^ s'
 *     upper_digits[byte / 4]  = d2 + 4 * d3 + 16 * s'
 *
 * That all 243 groups of five trits have a byte is a property of these tables, which were searched
 * by simulated annealing on the number of groups without one; pack() inverts them. Half a line
 * takes 8 instructions and 5 products. Numbers in base 3 cost more: x = ceil(256 v / 243) and its
 * successors 3 x mod 256 take two products and two additions a plane, by 256 d = 3 x - x'; one
 * product and five other instructions when d is what two averages leave of 3 x / 4.
 *
 * Measured on a Zen 4, one thread: from L2 31.6 GB/s of packed bytes, the two products of base 3
 * 23.2, a look-up of four digits with exceptions for the rest 27.6. From memory N = 1 takes 0.83
 * times as long as trits4, with the two products 1.05 times; where two threads share the memory,
 * all are bound by it and take 0.8 times as long.
 *
 * Bound: the sums of class 2 grow by at most 2 * 16 * 128 for each of K / 5 codes, those of class 1
 * by 2 * 4 * 128 for 2 K / 5: below 2^28 at K = 2^18. */
#ifndef TERN__TRITS5_AVX512_H
#define TERN__TRITS5_AVX512_H

#include <string.h>

#include <immintrin.h>

#include "kernels/packed.h"

enum { UNIT = 20, OFFSET = 1, CLASSES = 3 };

static const uint8_t lower_digits[64] = {
    0x01, 0x0a, 0x08, 0x04, 0x25, 0x29, 0x26, 0x22, 0x21, 0x24, 0x2a, 0x28, 0x26, 0x15, 0x22, 0x19,
    0x0a, 0x04, 0x01, 0x08, 0x16, 0x19, 0x15, 0x12, 0x34, 0x38, 0x3a, 0x31, 0x25, 0x22, 0x26, 0x29,
    0x0a, 0x01, 0x21, 0x04, 0x08, 0x10, 0x20, 0x30, 0x16, 0x15, 0x19, 0x12, 0x18, 0x14, 0x1a, 0x30,
    0x10, 0x08, 0x25, 0x20, 0x22, 0x26, 0x39, 0x35, 0x00, 0x26, 0x29, 0x22, 0x14, 0x1a, 0x18, 0x11,
};
static const uint8_t upper_digits[64] = {
    0x2a, 0x22, 0x35, 0x30, 0x0a, 0x39, 0x24, 0x08, 0x01, 0x30, 0x14, 0x32, 0x04, 0x35, 0x04, 0x19,
    0x20, 0x05, 0x39, 0x31, 0x28, 0x02, 0x26, 0x21, 0x04, 0x05, 0x0a, 0x31, 0x02, 0x29, 0x06, 0x10,
    0x26, 0x28, 0x31, 0x00, 0x29, 0x04, 0x22, 0x38, 0x02, 0x39, 0x16, 0x11, 0x06, 0x25, 0x11, 0x00,
    0x18, 0x2a, 0x28, 0x01, 0x24, 0x10, 0x36, 0x36, 0x05, 0x38, 0x32, 0x35, 0x0a, 0x39, 0x0a, 0x0a,
};

/* The byte of every number of five digits in base 3, the first digit lowest. */
static void find_bytes(uint8_t bytes[243]) {
    for (int byte = 0; byte < 256; byte++) {
        const int lower = lower_digits[byte % 64], upper = upper_digits[byte / 4];
        const int last = (lower ^ upper) >> 4;
        const int first = (lower & 3) + 3 * (lower >> 2 & 3);
        const int middle = (upper & 3) + 3 * (upper >> 2 & 3);
        if (last < 3)
            bytes[first + 9 * middle + 81 * last] = (uint8_t)byte;
    }
}

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    uint8_t bytes[243];
    find_bytes(bytes);
    for (int64_t i = 0; i < k; i += UNIT)
        for (int64_t row = 0; row < 32; row++)
            for (int b = 0; b < 4; b++) {
                const uint8_t *d = codes + row * k + i + b;
                *panel++ = bytes[d[0] + 3 * d[4] + 9 * d[8] + 27 * d[12] + 81 * d[16]];
            }
}

/* Of three classes that of planes 0 and 2, of 1 and 3, of 4. */
static inline int plane_class(int p, int classes) {
    return classes == 1 ? 0 : p == 4 ? 2 : p % 2;
}

static inline int class_shift(int s, int classes) {
    (void)classes;
    return 2 * s;
}

__attribute__((always_inline)) static inline void split(const uint8_t *line, const int classes,
                                                        __m512i plane[5]) {
    const __m512i low = _mm512_set1_epi8(0x03), high = _mm512_set1_epi8(0x0c);
    const __m512i v = _mm512_load_si512(line);
    const __m512i lower = _mm512_permutexvar_epi8(v, _mm512_loadu_si512(lower_digits));
    const __m512i upper =
        _mm512_permutexvar_epi8(_mm512_srli_epi16(v, 2), _mm512_loadu_si512(upper_digits));
    plane[0] = _mm512_and_si512(lower, low);
    plane[2] = _mm512_and_si512(upper, low);
    if (classes == 3) {
        plane[1] = _mm512_and_si512(lower, high);
        plane[3] = _mm512_and_si512(upper, high);
        /* (lower ^ upper) & mask */
        plane[4] = _mm512_ternarylogic_epi32(lower, upper, _mm512_set1_epi8(0x30), 0x28);
    } else {
        plane[1] = _mm512_and_si512(_mm512_srli_epi16(lower, 2), low);
        plane[3] = _mm512_and_si512(_mm512_srli_epi16(upper, 2), low);
        const __m512i last = _mm512_xor_si512(lower, upper);
        plane[4] = _mm512_and_si512(_mm512_srli_epi16(last, 4), low);
    }
}

#endif
