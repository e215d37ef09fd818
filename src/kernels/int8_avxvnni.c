/* SPDX-License-Identifier: MIT
 *
 * Family `int8`, AVX-VNNI. A line of 64 bytes holds 4 k of 16 rows, byte 4 * row + b =
 * code of k = 4 * line + b.
 *
 * Sums wrap modulo 2^32 and are exact again with 128 times the sum of q taken off.
 *
 * Measured with AVX-512's encoding of the instruction on an AMD Zen 4, one thread, K = 2560: N = 1
 * from L2 58 GB/s of packed bytes, from memory 78 % of the read bandwidth (29 GB/s); N = 512 169 to
 * 199 Gproducts/s. */
#include <immintrin.h>
#include <stdint.h>

#include "kernels/packed_lines.h"

enum {
    OFFSET = 128,
    UNIT = TERN__INT8_UNIT,
    HALF = 32,
    WOVEN = 1,
    PLANES = 1,
    PRODUCTS = PLANES,
    CLASSES = 1,
    STREAM = 2,
    STEP = 1 << 16,
    DEPTH = 512,
    TILE = 6,
    GROUP = 1,
    WIDTH = 1,
};

#include "kernels/packed_avxvnni.h"

#include "kernels/packed_bytes_avx2.h"

static inline __m256i plane(cursor *at, int p) {
    (void)p;
    return at->v;
}

#include "kernels/packed_one_sum_avx2.h"

#include "kernels/packed_avx2.h"

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__int8_pack_lines(codes, k, ROWS, panel);
}

const tern__packed_kernel tern__int8_avxvnni = {
    .variant = {.name = "avx_vnni", .needs = AVXVNNI_NEEDS},
    .packing = TERN__PACKING_INT8,
    .panel_rows = ROWS,
    .k_unit = UNIT,
    .pack = pack,
    .run = run,
};
