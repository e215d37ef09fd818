/* SPDX-License-Identifier: MIT
 * Family `peaks`, AVX-512 VNNI: vpdpbusd in registers of 512 and of 256 bits. */
#include <immintrin.h>

#include "kernels/peaks.h"

enum { SUMS = 16 };

/* Sums are kept in these types: gcc 12 copies accumulators in loops that convert between them and
 * __m512i. */
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef int32_t i32x8 __attribute__((vector_size(32)));

/* Sums that begin alike would be one to the compiler. */
#define OPAQUE(x) __asm__ volatile("" : "+v"(x))

static uint64_t run_512(const uint8_t *a, const int8_t *b, int64_t iterations) {
    const __m512i x = _mm512_loadu_si512(a), y = _mm512_loadu_si512(b);
    i32x16 sum[SUMS];
    for (int s = 0; s < SUMS; s++) {
        sum[s] = (i32x16){0};
        OPAQUE(sum[s]);
    }
    for (int64_t i = 0; i < iterations; i++)
        for (int s = 0; s < SUMS; s++)
            sum[s] = (i32x16)_mm512_dpbusd_epi32((__m512i)sum[s], x, y);
    for (int s = 1; s < SUMS; s++)
        sum[0] += sum[s];
    return (uint32_t)_mm512_reduce_add_epi32((__m512i)sum[0]);
}

static uint64_t run_256(const uint8_t *a, const int8_t *b, int64_t iterations) {
    const __m256i x = _mm256_loadu_si256((const __m256i *)a);
    const __m256i y = _mm256_loadu_si256((const __m256i *)b);
    i32x8 sum[SUMS];
    for (int s = 0; s < SUMS; s++) {
        sum[s] = (i32x8){0};
        OPAQUE(sum[s]);
    }
    for (int64_t i = 0; i < iterations; i++)
        for (int s = 0; s < SUMS; s++)
            sum[s] = (i32x8)_mm256_dpbusd_epi32((__m256i)sum[s], x, y);
    for (int s = 1; s < SUMS; s++)
        sum[0] += sum[s];
    return (uint32_t)_mm512_reduce_add_epi32(_mm512_zextsi256_si512((__m256i)sum[0]));
}

const tern__peaks_kernel tern__peaks_avx512vnni = {
    .variant = {.name = "avx512_vnni",
                .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512 | TERN__CPU_AVX512_VNNI},
    .peaks = {{.name = "vpdpbusd, 512 bits",
               .kind = TERN__PEAK_DOT,
               .width = 64,
               .sums = SUMS,
               .bits = 32,
               .run = run_512},
              {.name = "vpdpbusd, 256 bits",
               .kind = TERN__PEAK_DOT,
               .width = 32,
               .sums = SUMS,
               .bits = 32,
               .run = run_256}},
};
