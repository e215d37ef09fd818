/* SPDX-License-Identifier: MIT
 *
 * Family `trits4`, AVX2: vpmaddubsw multiplies unsigned codes with signed activations and adds
 * pairs of products to int16; four bytes of a row lie in one 32-bit lane.
 *
 * Lines are those of packed_lines.h. Lines used as they come leave planes 1 and 3 times 4, which
 * saves two shifts of three; they have sums of their own, shifted right when joined (exact).
 *
 * Bounds, int16: a pair adds at least 2 * 2 * -128 = -512 and at most 508. DEPTH / 4 = 64 pairs
 * make -32768 .. 32512. With the factor 4, 16 pairs (2 planes of STEP / 16 lines) make the same.
 * int32: 2 * 128 * K = 2^26 at K = 2^18, and as much for the sum of q. Exact in any order.
 *
 * Measured, one thread, K = 2560. A Xeon of family 6 model 207: N = 1 from L2 20 GB/s of packed
 * bytes, from memory 86 % of the best plain reader; N = 512 by products 115 to 122 Gproducts/s, by
 * tables (trits_tables_avx2.h) 160 to 165. An AMD Zen 4: N = 1 from L2 30 GB/s, from memory 92 to
 * 98 % of 29 GB/s; N = 512 by products 163 Gproducts/s, by tables not measured. */
#include <immintrin.h>

#include "kernels/packed_lines.h"

enum {
    OFFSET = 1,
    UNIT = TERN__TRITS4_UNIT,
    HALF = 32,
    WOVEN = 1,
    PLANES = 4,
    PRODUCTS = PLANES,
    CLASSES = 2,
    SHIFT = 2,
    STREAM = 2, /* at N = 3 lines as they come are no faster than unpacked ones */
    STEP = 128,
    DEPTH = 256,
    TILE = 6,
    GROUP = 1,
    WIDTH = 1,
};

#include "kernels/packed_maddubs_avx2.h"

#include "kernels/packed_bytes_avx2.h"

static inline __m256i plane(cursor *at, int p) {
    return codes_of(at, p, 2);
}

static inline __m256i product(cursor *at, int p) {
    const __m256i v = _mm256_srli_epi16(at->v, p / 2 * 4);
    return _mm256_and_si256(v, _mm256_set1_epi8(p % 2 == 0 ? 0x03 : 0x0c));
}

static inline int class(int p) {
    return p % 2;
}

#include "kernels/packed_two_sums_avx2.h"

#include "kernels/packed_avx2.h"

#include "kernels/trits_tables_avx2.h"

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__trits4_pack_lines(codes, k, ROWS, panel);
}

const tern__packed_kernel tern__trits4_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .packing = TERN__PACKING_TRITS4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .q_bytes = TABLES_Q_BYTES,
    .panels_least = PANELS_LEAST,
    .panels_at_once = ROWS_AT_ONCE / ROWS,
    .scratch_bytes = sizeof(tables_scratch),
    .pack = pack,
    .run = run_many,
};
