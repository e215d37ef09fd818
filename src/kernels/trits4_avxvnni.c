/* SPDX-License-Identifier: MIT
 *
 * Family `trits4`, AVX-VNNI. Lines are those of packed_lines.h. Lines used as they come leave every
 * plane where it lies in its byte, at one column; each has sums of its own, which carry the factor
 * 4^p, shifted right when joined (exact).
 *
 * Bound: the sums of the highest plane grow by at most 2 * 64 * 128 for each of K / 4 codes, which
 * is 2^30 at K = 2^18. Exact in any order. */
#include <immintrin.h>
#include <stdint.h>

#include "kernels/packed_lines.h"

enum {
    OFFSET = 1,
    UNIT = TERN__TRITS4_UNIT,
    HALF = 32,
    PLANES = 4,
    PRODUCTS = PLANES,
    CLASSES = 4,
    STREAM = 1,
    STEP = 1 << 18,
    DEPTH = 512,
    TILE = 6,
    GROUP = 1,
    WIDTH = 1,
};

#include "kernels/packed_avxvnni.h"

typedef struct cursor {
    __m256i v;
} cursor;

static inline cursor begin(const uint8_t *half) {
    return (cursor){_mm256_load_si256((const __m256i *)half)};
}

static inline __m256i plane(cursor *at, int p) {
    return _mm256_and_si256(_mm256_srli_epi16(at->v, 2 * p), _mm256_set1_epi8(0x03));
}

static inline __m256i product(cursor *at, int p) {
    return _mm256_and_si256(at->v, _mm256_set1_epi8((char)(0x03 << 2 * p)));
}

static inline int place(int p) {
    return p;
}

static inline int class(int p) {
    return p;
}

static inline __m256i join(const sums class[CLASSES]) {
    __m256i total = widen(class[0]);
    total = _mm256_add_epi32(total, _mm256_srai_epi32(widen(class[1]), 2));
    total = _mm256_add_epi32(total, _mm256_srai_epi32(widen(class[2]), 4));
    return _mm256_add_epi32(total, _mm256_srai_epi32(widen(class[3]), 6));
}

#include "kernels/packed_avx2.h"

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__trits4_pack_lines(codes, k, ROWS, panel);
}

const tern__packed_kernel tern__trits4_avxvnni = {
    .variant = {.name = "avx_vnni", .needs = AVXVNNI_NEEDS},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
