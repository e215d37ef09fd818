/* SPDX-License-Identifier: MIT
 * Family `peaks`, AVX-VNNI: vpdpbusd in its VEX form, for processors without AVX-512. */
#include <immintrin.h>
#include <string.h>

#include "kernels/peaks.h"

enum { SUMS = 12 };

/* See peaks_avx512vnni.c. */
typedef int32_t i32x8 __attribute__((vector_size(32)));
#define OPAQUE(x) __asm__ volatile("" : "+x"(x))

static uint64_t run_dot(const uint8_t *a, const int8_t *b, int64_t iterations) {
    const __m256i x = _mm256_loadu_si256((const __m256i *)a);
    const __m256i y = _mm256_loadu_si256((const __m256i *)b);
    i32x8 sum[SUMS];
    for (int s = 0; s < SUMS; s++) {
        sum[s] = (i32x8){0};
        OPAQUE(sum[s]);
    }
    for (int64_t i = 0; i < iterations; i++)
        for (int s = 0; s < SUMS; s++)
            sum[s] = (i32x8)_mm256_dpbusd_avx_epi32((__m256i)sum[s], x, y);
    uint32_t lanes[SUMS * 8], total = 0;
    memcpy(lanes, sum, sizeof lanes);
    for (int i = 0; i < SUMS * 8; i++)
        total += lanes[i];
    return total;
}

const tern__peaks_kernel tern__peaks_avxvnni = {
    .variant = {.name = "avx_vnni", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX_VNNI},
    .peaks = {{.name = "vpdpbusd (VEX), 256 bits",
               .kind = TERN__PEAK_DOT,
               .width = 32,
               .sums = SUMS,
               .bits = 32,
               .run = run_dot}},
};
