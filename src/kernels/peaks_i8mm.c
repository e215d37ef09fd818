/* SPDX-License-Identifier: MIT
 * Family `peaks`, Arm with smmla: each instruction makes 2 x 2 sums of 8 products. Both rows are
 * the first 8 of a, both columns the first 8 of b. */
#include <arm_neon.h>

#include "kernels/peaks.h"

enum { CHAINS = 16 };

/* Sums that begin alike would be one to the compiler. */
#define OPAQUE(x) __asm__ volatile("" : "+w"(x))

static uint64_t run_dot(const uint8_t *a, const int8_t *b, int64_t iterations) {
    const int8x8_t row = vreinterpret_s8_u8(vld1_u8(a)), column = vld1_s8(b);
    const int8x16_t x = vcombine_s8(row, row), y = vcombine_s8(column, column);
    int32x4_t sum[CHAINS];
    for (int c = 0; c < CHAINS; c++) {
        sum[c] = vdupq_n_s32(0);
        OPAQUE(sum[c]);
    }
    for (int64_t i = 0; i < iterations; i++)
        for (int c = 0; c < CHAINS; c++)
            sum[c] = vmmlaq_s32(sum[c], x, y);
    int64_t total = 0;
    for (int c = 0; c < CHAINS; c++)
        total += vaddlvq_s32(sum[c]);
    return (uint64_t)total;
}

const tern__peaks_kernel tern__peaks_i8mm = {
    .variant = {.name = "i8mm", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD | TERN__CPU_I8MM},
    .peaks = {{.name = "smmla, 128 bits",
               .kind = TERN__PEAK_DOT,
               .width = 8,
               .sums = 4 * CHAINS,
               .bits = 64,
               .run = run_dot}},
};
