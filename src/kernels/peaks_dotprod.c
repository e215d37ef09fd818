/* SPDX-License-Identifier: MIT
 * Family `peaks`, Arm with sdot. */
#include <arm_neon.h>

#include "kernels/peaks.h"

enum { SUMS = 16 };

/* Sums that begin alike would be one to the compiler. */
#define OPAQUE(x) __asm__ volatile("" : "+w"(x))

static uint64_t run_dot(const uint8_t *a, const int8_t *b, int64_t iterations) {
    const int8x16_t x = vreinterpretq_s8_u8(vld1q_u8(a)), y = vld1q_s8(b);
    int32x4_t sum[SUMS];
    for (int s = 0; s < SUMS; s++) {
        sum[s] = vdupq_n_s32(0);
        OPAQUE(sum[s]);
    }
    for (int64_t i = 0; i < iterations; i++)
        for (int s = 0; s < SUMS; s++)
            sum[s] = vdotq_s32(sum[s], x, y);
    int64_t total = 0;
    for (int s = 0; s < SUMS; s++)
        total += vaddlvq_s32(sum[s]);
    return (uint64_t)total;
}

const tern__peaks_kernel tern__peaks_dotprod = {
    .variant = {.name = "dotprod", .needs = TERN__CPU_NEON | TERN__CPU_DOTPROD},
    .peaks = {{.name = "sdot, 128 bits",
               .kind = TERN__PEAK_DOT,
               .width = 16,
               .sums = SUMS,
               .bits = 64,
               .run = run_dot}},
};
