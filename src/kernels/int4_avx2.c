/* SPDX-License-Identifier: MIT
 *
 * Family `int4`, AVX2: vpmaddubsw multiplies unsigned codes with signed activations and adds
 * pairs of products to int16; four bytes of a row lie in one 32-bit lane.
 *
 * Bounds: a pair adds at least 2 * 15 * -128 = -3840, two fit int16 and are added before they are
 * widened to int32: with more of them, sums of int16 would have to be widened every 32 k.
 * 15 * 128 * K < 2^29 at K = 2^18. Exact in any order.
 *
 * Measured on an AMD Zen 4, one thread, K = 2560: N = 1 from L2 44 GB/s of packed bytes, from
 * memory 76 to 90 % of the read bandwidth (29 GB/s); N = 512 124 Gproducts/s, with int16 sums
 * widened every 32 k 71 to 121. */
#include <immintrin.h>
#include <stdint.h>

#include "kernels/packed_lines.h"

enum {
    OFFSET = 8,
    UNIT = TERN__INT4_UNIT,
    HALF = 32,
    WOVEN = 1,
    PLANES = 2,
    PRODUCTS = PLANES,
    CLASSES = 1,
    STREAM = 2,
    STEP = 256,
    DEPTH = 256,
    TILE = 4,
    GROUP = 2,
    WIDTH = 1,
};

typedef int32_t sums __attribute__((vector_size(32)));

static inline sums dot(sums sum, const __m256i codes[GROUP], const __m256i x[GROUP]) {
    const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(codes[0], x[0]),
                                           _mm256_maddubs_epi16(codes[1], x[1]));
    return (sums)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline __m256i widen(sums sum) {
    return (__m256i)sum;
}

#include "kernels/packed_bytes_avx2.h"

static inline __m256i plane(cursor *at, int p) {
    return codes_of(at, p, 4);
}

#include "kernels/packed_one_sum_avx2.h"

#include "kernels/packed_avx2.h"

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__int4_pack_lines(codes, k, ROWS, panel);
}

const tern__packed_kernel tern__int4_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .packing = TERN__PACKING_INT4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
