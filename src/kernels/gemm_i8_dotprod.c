/* SPDX-License-Identifier: MIT
 * Family `gemm_i8` for Arm with the dot product of signed bytes, which adds four products to an
 * int32, modulo 2^32.
 *
 * Strip: rows of bytes. Panel: groups of 4 k, in each 16 columns of 4 bytes. Steps that fill up a
 * group are 0. run() keeps up to 6 x 16 sums in 24 registers.
 */
#include <arm_neon.h>
#include <stddef.h>

#include "kernels/gemm.h"

typedef int32_t number, unit;
typedef int32x4_t vector;
typedef int8x16_t units;
enum { LANES = 4, VECTORS = 4, ROWS = 6, GROUP = 4 };

static inline vector zero(void) {
    return vdupq_n_s32(0);
}

static inline vector load(const int32_t *x) {
    return vld1q_s32(x);
}

static inline void store(int32_t *x, vector value) {
    vst1q_s32(x, value);
}

static inline units load_units(const int32_t *x) {
    return vreinterpretq_s8_s32(vld1q_s32(x));
}

static inline units spread(int32_t x) {
    return vreinterpretq_s8_s32(vdupq_n_s32(x));
}

static inline vector fused(units x, units y, vector c) {
    return vdotq_s32(c, x, y);
}

static inline vector corrected(vector c, const int32_t *tail) {
    (void)tail;
    return c;
}

#include "kernels/gemm_tiles.h"

static void pack_a(const void *a, int64_t line_stride, int64_t step, int64_t lines, int64_t length,
                   void *dst, int64_t dst_stride) {
    for (int64_t x = 0; x < lines; x++) {
        const int8_t *restrict from = (const int8_t *)a + x * line_stride;
        int8_t *restrict to = (int8_t *)dst + x * dst_stride;
        for (int64_t y = 0; y < length; y++)
            to[y] = from[y * step];
        for (int64_t y = length; y % GROUP != 0; y++)
            to[y] = 0;
    }
}

static void pack_b(const void *from, int64_t k_stride, int64_t j_stride, int64_t depth, int columns,
                   void *to) {
    const int8_t *b = from;
    int8_t *dst = to;
    int64_t padded = (depth + GROUP - 1) / GROUP * GROUP;
    for (int64_t k = 0; k < padded; k++)
        for (int j = 0; j < PANEL; j++)
            dst[k / GROUP * GROUP * PANEL + j * GROUP + k % GROUP] =
                k < depth && j < columns ? b[k * k_stride + j * j_stride] : 0;
}

const tern__gemm_kernel tern__gemm_i8_dotprod = {
    .variant = {.name = "dotprod", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = GROUP,
    .a_size = sizeof(int8_t),
    .b_size = sizeof(int8_t),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .run = run,
};
