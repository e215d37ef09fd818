/* SPDX-License-Identifier: MIT
 *
 * Family `int4`, AVX2: vpmaddubsw multiplies unsigned codes with signed activations and adds
 * pairs of products to int16; four bytes of a row lie in one 32-bit lane.
 *
 * Bounds, int16: a pair adds at least 2 * 15 * -128 = -3840; CHUNK = 8 pairs, or STEP / 4 of them,
 * make -30720. int32: 15 * 128 * K < 2^29 at K = 2^18. Exact in any order. */
#include <immintrin.h>

enum {
    OFFSET = 8,
    UNIT = 8,
    HALF = 32,
    PLANES = 2,
    PRODUCTS = PLANES,
    CLASSES = 1,
    STREAM = 2,
    STEP = 32,
    DEPTH = 256,
    CHUNK = 8,
    WIDTH = 1,
};

#include "kernels/packed_maddubs.h"

typedef struct cursor {
    __m256i v;
} cursor;

static inline cursor begin(const uint8_t *half) {
    return (cursor){_mm256_load_si256((const __m256i *)half)};
}

static inline __m256i plane(cursor *at, int p) {
    return _mm256_and_si256(_mm256_srli_epi16(at->v, 4 * p), _mm256_set1_epi8(0x0f));
}

static inline __m256i product(cursor *at, int p) {
    return plane(at, p);
}

static inline int place(int p) {
    return p;
}

static inline int class(int p) {
    (void)p;
    return 0;
}

static inline __m256i join(const sums class[CLASSES]) {
    return widen(class[0]);
}

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
