/* SPDX-License-Identifier: MIT
 *
 * Family `int4`, AVX-VNNI. Lines of 64 bytes with 8 k of 16 rows (packed_lines.h). Lines used as
 * they come leave the high halves of bytes where they are; they have sums of their own, 16 times
 * too large, shifted right when joined (exact).
 *
 * Bounds: 16 * 15 * 128 for each of STEP / 2 codes is less than 2^31; 15 * 128 * K < 2^29 at
 * K = 2^18. Exact in any order.
 *
 * Measured with AVX-512's encoding of the instruction on an AMD Zen 4, one thread, K = 2560: N = 1
 * from L2 57 GB/s of packed bytes, from memory 78 % of the read bandwidth (29 GB/s); N = 512 199 to
 * 208 Gproducts/s. */
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
    CLASSES = 2,
    SHIFT = 4,
    STREAM = 2,
    STEP = 1 << 17,
    DEPTH = 512,
    TILE = 6,
    GROUP = 1,
    WIDTH = 1,
};

#include "kernels/packed_avxvnni.h"

#include "kernels/packed_bytes_avx2.h"

static inline __m256i plane(cursor *at, int p) {
    return codes_of(at, p, 4);
}

static inline __m256i product(cursor *at, int p) {
    return _mm256_and_si256(at->v, _mm256_set1_epi8((char)(0x0f << 4 * p)));
}

static inline int class(int p) {
    return p;
}

#include "kernels/packed_two_sums_avx2.h"

#include "kernels/packed_avx2.h"

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__int4_pack_lines(codes, k, ROWS, panel);
}

const tern__packed_kernel tern__int4_avxvnni = {
    .variant = {.name = "avx_vnni", .needs = AVXVNNI_NEEDS},
    .packing = TERN__PACKING_INT4,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
