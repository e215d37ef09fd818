/* SPDX-License-Identifier: MIT
 *
 * Family `trits5`, AVX-VNNI. A line of 64 bytes holds 20 k of 16 rows. Byte 4 * row + b holds the
 * five trits of k = 20 * line + 4 * p + b, p = 0..4, as the fraction x_0 = ceil(256 * v / 243),
 * where v has trit p = 0 as its highest digit. With x_{p+1} = 3 * x_p mod 256 trit p is
 * d_p = (3 * x_p - x_{p+1}) / 256.
 *
 * Lines used as they come never form a trit: 256 times the sum of d_p * q_p is 3 A - B with A the
 * sum of x_p * q_p and B that of x_{p+1} * q_p, and vpdpbusd takes both as they are.
 * Unpacking counts how many of 86 and 171 x_p reaches: d_p = floor(3 * x_p / 256).
 *
 * Bounds: A and B are at most 255 * 128 * STEP < 2^30; 3 A may wrap modulo 2^32, and 3 A - B is
 * exact as 256 times the sum, at most 256 * 2 * 128 * STEP, is less than 2^31.
 *
 * Measured with AVX-512's encoding of the instruction on an AMD Zen 4, one thread, K = 2560: N = 1
 * from L2 19.6 GB/s of packed bytes (11.8 with one sum for A and one for B: a chain), from memory
 * 67 % of the read bandwidth (29 GB/s), 0.8 of the trits of trits4; N = 512 188 to 199 Gproducts/s.
 */
#include <immintrin.h>
#include <stdint.h>

enum {
    OFFSET = 1,
    UNIT = 20,
    HALF = 32,
    WOVEN = 1,
    PLANES = 5,
    PRODUCTS = 2 * PLANES,
    CLASSES = 6, /* of A and of B three each: shorter chains */
    STREAM = 1,
    STEP = 1600 * UNIT,
    DEPTH = 500,
    TILE = 6,
    GROUP = 1,
    WIDTH = 1,
};

_Static_assert(STEP < 32768, "3 A - B fits int32");

#include "kernels/packed_avxvnni.h"

typedef struct cursor {
    __m256i x;
} cursor;

static inline cursor begin(const uint8_t *line, int half) {
    return (cursor){_mm256_load_si256((const __m256i *)line + half)};
}

static inline __m256i times_3(__m256i x) {
    return _mm256_add_epi8(x, _mm256_add_epi8(x, x));
}

static inline __m256i plane(cursor *at, int p) {
    (void)p;
    const __m256i x = _mm256_xor_si256(at->x, _mm256_set1_epi8(-128)); /* x - 128, signed */
    const __m256i is_1_or_2 = _mm256_cmpgt_epi8(x, _mm256_set1_epi8(85 - 128));
    const __m256i is_2 = _mm256_cmpgt_epi8(x, _mm256_set1_epi8(170 - 128));
    at->x = times_3(at->x);
    return _mm256_abs_epi8(_mm256_add_epi8(is_1_or_2, is_2));
}

/* x_0 for A, x_1 for B, x_1 for A, ... x_5 for B. */
static inline __m256i product(cursor *at, int p) {
    if (p % 2 == 1)
        at->x = times_3(at->x);
    return at->x;
}

static inline int place(int p) {
    return p / 2;
}

static inline int class(int p) {
    return p % CLASSES;
}

static inline __m256i join(const sums class[CLASSES]) {
    const __m256i a = widen(class[0] + class[2] + class[4]);
    const __m256i b = widen(class[1] + class[3] + class[5]);
    const __m256i triple = _mm256_add_epi32(a, _mm256_add_epi32(a, a));
    return _mm256_srai_epi32(_mm256_sub_epi32(triple, b), 8);
}

#include "kernels/packed_avx2.h"

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    for (int64_t i = 0; i < k; i += UNIT)
        for (int64_t row = 0; row < ROWS; row++)
            for (int64_t b = 0; b < 4; b++) {
                const uint8_t *code = codes + row * k + i + b;
                int value = 0;
                for (int p = 0; p < PLANES; p++)
                    value = 3 * value + code[4 * p];
                *panel++ = (uint8_t)((256 * value + 242) / 243);
            }
}

const tern__packed_kernel tern__trits5_avxvnni = {
    .variant = {.name = "avx_vnni", .needs = AVXVNNI_NEEDS},
    .packing = TERN__PACKING_TRITS5,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
