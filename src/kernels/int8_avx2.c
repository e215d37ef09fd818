/* SPDX-License-Identifier: MIT
 *
 * Family `int8`, AVX2: unsigned codes and activations are widened to int16, of which vpmaddwd adds
 * pairs of products to int32, exactly: vpmaddubsw would saturate.
 *
 * Line of 4 k: byte 4 * row + b = code of k = 4 * line + {0, 2, 1, 3}[b], so that the even bytes
 * are two neighbours in k and the odd ones the next two.
 *
 * Bound: a pair adds at most 2 * 255 * 128 < 2^31; sums wrap modulo 2^32 and are exact again with
 * 128 times the sum of q taken off.
 *
 * Measured on an AMD Zen 4, one thread, K = 2560: N = 1 from L2 53 GB/s of packed bytes, from
 * memory 74 to 82 % of the read bandwidth (29 GB/s); N = 512 78 Gproducts/s. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum {
    OFFSET = 128,
    UNIT = 4,
    HALF = 32,
    WOVEN = 1,
    PLANES = 2,
    PRODUCTS = PLANES,
    CLASSES = 1,
    STREAM = 2,
    STEP = 256,
    DEPTH = 256,
    TILE = 6,
    GROUP = 1,
    WIDTH = 2,
};

typedef int32_t sums __attribute__((vector_size(32)));

static inline sums dot(sums sum, const __m256i codes[GROUP], const __m256i x[GROUP]) {
    return (sums)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16(codes[0], x[0]));
}

static inline __m256i widen(sums sum) {
    return (__m256i)sum;
}

#include "kernels/packed_bytes_avx2.h"

static inline __m256i plane(cursor *at, int p) {
    return p == 0 ? _mm256_and_si256(at->v, _mm256_set1_epi16(0x00ff))
                  : _mm256_srli_epi16(at->v, 8);
}

#include "kernels/packed_one_sum_avx2.h"

#include "kernels/packed_avx2.h"

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    for (int64_t i = 0; i < k; i += UNIT)
        for (int64_t row = 0; row < ROWS; row++, panel += 4) {
            const uint8_t *four = codes + row * k + i;
            panel[0] = four[0];
            panel[1] = four[2];
            panel[2] = four[1];
            panel[3] = four[3];
        }
}

const tern__packed_kernel tern__int8_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .packing = TERN__PACKING_INT8,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
