/* SPDX-License-Identifier: MIT
 *
 * Family `trits5`, AVX2: digits in base 3 are taken out two at a time by 16-bit multiplications,
 * vpmaddubsw multiplies them with activations and adds pairs of products to int16.
 *
 * A line of 128 bytes holds 40 k of 16 rows. A word of 16 bits holds the ten trits of
 * k = 40 * line + 4 * p + b, p = 0..9, as the fraction W = ceil(2^16 * V / 3^10), where V has trit
 * p = 0 as its highest digit. As 2^16 > 3^10, floor(3^j * W / 2^16) = floor(V / 3^(10 - j)) for
 * every j <= 10: the high word of 9 * W is the first two trits as a number 0..8, the low word the
 * fraction that is left. Pairs of two vectors of words are packed to bytes, of which vpshufb makes
 * the first trit and the second one.
 *
 * Half h of a line is the rows 8 * h ...: word 8 * (r / 4) + 4 * (r % 2) + b of its vector
 * (r / 2) % 2 is that of row r, 0..7, so that packing brings (r, b) to byte 4 * r + b.
 *
 * Bounds: those of trits4_avx2.c; DEPTH / 4 = 60 pairs, and 10 planes of STEP / 40 lines as many,
 * make -30720 in int16.
 *
 * Measured on an AMD Zen 4, one thread, K = 2560: N = 1 from L2 11.5 GB/s of packed bytes, 57
 * billion trits a second, bound by arithmetic: half the rate of trits4 from memory, 0.7 with two
 * threads. Powers of 9 instead of a chain of them, shifts and additions for some of the
 * multiplications, or chains kept apart by half a line are no faster. N = 512: 161 Gproducts/s. */
#include <immintrin.h>

enum {
    OFFSET = 1,
    UNIT = 40,
    HALF = 64,
    PLANES = 10,
    PRODUCTS = PLANES,
    CLASSES = 1,
    STREAM = 2,
    STEP = 240,
    DEPTH = 240,
    TILE = 6,
    GROUP = 1,
    WIDTH = 1,
};

#include "kernels/packed_maddubs_avx2.h"

typedef struct cursor {
    __m256i a, b; /* fractions */
    __m256i pair; /* of trits */
} cursor;

static inline cursor begin(const uint8_t *half) {
    cursor at;
    at.a = _mm256_load_si256((const __m256i *)half);
    at.b = _mm256_load_si256((const __m256i *)half + 1);
    return at;
}

static inline __m256i plane(cursor *at, int p) {
    const __m256i nine = _mm256_set1_epi16(9);
    if (p % 2 == 1) {
        const __m128i second = _mm_setr_epi8(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0);
        return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(second), at->pair);
    }
    const __m128i first = _mm_setr_epi8(0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0);
    at->pair =
        _mm256_packus_epi16(_mm256_mulhi_epu16(at->a, nine), _mm256_mulhi_epu16(at->b, nine));
    at->a = _mm256_mullo_epi16(at->a, nine);
    at->b = _mm256_mullo_epi16(at->b, nine);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(first), at->pair);
}

#include "kernels/packed_one_sum_avx2.h"

#include "kernels/packed_avx2.h"

static uint16_t fraction(const uint8_t *codes) {
    uint32_t value = 0;
    for (int p = 0; p < PLANES; p++)
        value = 3 * value + codes[4 * p];
    return (uint16_t)(((value << 16) + 59048) / 59049);
}

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    for (int64_t i = 0; i < k; i += UNIT, panel += LINE)
        for (int64_t row = 0; row < ROWS; row++)
            for (int64_t b = 0; b < 4; b++) {
                const int64_t r = row % 8;
                const int64_t word = 8 * (r / 4) + 4 * (r % 2) + b;
                const uint16_t w = fraction(codes + row * k + i + b);
                memcpy(panel + row / 8 * HALF + r / 2 % 2 * 32 + 2 * word, &w, sizeof w);
            }
}

const tern__packed_kernel tern__trits5_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .packing = TERN__PACKING_TRITS5,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
