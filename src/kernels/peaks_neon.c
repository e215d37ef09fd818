/* SPDX-License-Identifier: MIT
 * Family `peaks`, Arm NEON: readers, F32 multiply-adds, and smlal, which adds products of bytes to
 * 16 bits that wrap. 16 sums: four units with a latency of 4 cycles. */
#include <arm_neon.h>

#include "kernels/peaks.h"

typedef uint64x2_t words;

static inline words words_zero(void) {
    return vdupq_n_u64(0);
}

static inline words words_load(const uint8_t *from) {
    return vreinterpretq_u64_u8(vld1q_u8(from));
}

static inline words words_plus(words x, words y) {
    return vaddq_u64(x, y);
}

static inline uint64_t words_total(words x) {
    return vgetq_lane_u64(x, 0) + vgetq_lane_u64(x, 1);
}

#include "kernels/peaks_readers.h"

enum { SUMS = 16, FMA_LANES = 4, DOT_LANES = 8 };

/* Sums that begin alike would be one to the compiler, and products that do not change would leave
 * the loop. */
#define OPAQUE(x) __asm__ volatile("" : "+w"(x))

static uint64_t run_fma(const uint8_t *a, const int8_t *b, int64_t iterations) {
    float x_lanes[FMA_LANES], y_lanes[FMA_LANES];
    for (int i = 0; i < FMA_LANES; i++) {
        x_lanes[i] = a[i];
        y_lanes[i] = b[i];
    }
    const float32x4_t x = vld1q_f32(x_lanes), y = vld1q_f32(y_lanes);
    float32x4_t sum[SUMS];
    for (int s = 0; s < SUMS; s++) {
        sum[s] = vdupq_n_f32(0);
        OPAQUE(sum[s]);
    }
    for (int64_t i = 0; i < iterations; i++)
        for (int s = 0; s < SUMS; s++)
            sum[s] = vfmaq_f32(sum[s], x, y);
    int64_t total = 0;
    for (int s = 0; s < SUMS; s++)
        total += vaddlvq_s32(vcvtq_s32_f32(sum[s]));
    return (uint64_t)total;
}

static uint64_t run_dot(const uint8_t *a, const int8_t *b, int64_t iterations) {
    int8x8_t x = vreinterpret_s8_u8(vld1_u8(a));
    const int8x8_t y = vld1_s8(b);
    int16x8_t sum[SUMS];
    for (int s = 0; s < SUMS; s++) {
        sum[s] = vdupq_n_s16(0);
        OPAQUE(sum[s]);
    }
    for (int64_t i = 0; i < iterations; i++)
        for (int s = 0; s < SUMS; s++) {
            OPAQUE(x);
            sum[s] = vmlal_s8(sum[s], x, y);
        }
    int64_t total = 0;
    for (int s = 0; s < SUMS; s++)
        total += vaddlvq_s16(sum[s]);
    return (uint64_t)total;
}

const tern__peaks_kernel tern__peaks_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    .readers = PEAKS_READERS,
    .peaks = {{.name = "F32 FMA, 128 bits",
               .kind = TERN__PEAK_FMA,
               .width = FMA_LANES,
               .sums = SUMS,
               .bits = 64,
               .run = run_fma},
              {.name = "smlal, 128 bits",
               .kind = TERN__PEAK_DOT,
               .width = DOT_LANES,
               .sums = SUMS,
               .bits = 16,
               .run = run_dot}},
};
