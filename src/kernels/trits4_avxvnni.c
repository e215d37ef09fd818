/* SPDX-License-Identifier: MIT
 *
 * Family `trits4`, AVX-VNNI. Lines are those of packed_lines.h. Lines used as they come leave
 * planes 2 and 3 times 16, which saves two shifts of three; they have sums of their own, shifted
 * right when joined (exact).
 *
 * Bounds: 2 * 16 * 128 for each of K / 2 codes is 2^29 at K = 2^18. Exact in any order.
 *
 * Measured with AVX-512's encoding of the instruction on an AMD Zen 4, one thread, K = 2560: N = 1
 * from L2 29 GB/s of packed bytes, from memory 98 % of the read bandwidth (29 GB/s), N = 2 83 %;
 * N = 512 204 to 210 Gproducts/s. */
#include <immintrin.h>
#include <stdint.h>

#include "kernels/packed_lines.h"

enum {
    OFFSET = 1,
    UNIT = TERN__TRITS4_UNIT,
    HALF = 32,
    WOVEN = 1,
    PLANES = 4,
    PRODUCTS = PLANES,
    CLASSES = 2,
    SHIFT = 4,
    STREAM = 2,
    STEP = 1 << 18,
    DEPTH = 512,
    TILE = 6,
    GROUP = 1,
    WIDTH = 1,
};

#include "kernels/packed_avxvnni.h"

#include "kernels/packed_bytes_avx2.h"

static inline __m256i plane(cursor *at, int p) {
    return codes_of(at, p, 2);
}

static inline __m256i product(cursor *at, int p) {
    const __m256i v = p % 2 == 0 ? at->v : _mm256_srli_epi16(at->v, 2);
    return _mm256_and_si256(v, _mm256_set1_epi8(p < 2 ? 0x03 : 0x30));
}

static inline int class(int p) {
    return p / 2;
}

#include "kernels/packed_two_sums_avx2.h"

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
