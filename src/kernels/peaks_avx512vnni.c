/* SPDX-License-Identifier: MIT
 * Family `peaks`, AVX-512 VNNI: vpdpbusd in registers of 512 and of 256 bits. */
#include <immintrin.h>
#include <string.h>

#include "kernels/peaks.h"

enum { SUMS = 16 };

/* Sums are kept in these types: gcc 12 copies accumulators in loops that convert between them and
 * __m512i. */
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef int32_t i32x8 __attribute__((vector_size(32)));

/* Sums that begin alike would be one to the compiler. */
#define OPAQUE(x) __asm__ volatile("" : "+v"(x))

/* The sum of `count` lanes, modulo 2^32. */
static inline uint64_t total_of(const void *sums, int count) {
    uint32_t total = 0, lane;
    for (int i = 0; i < count; i++) {
        memcpy(&lane, (const uint8_t *)sums + (size_t)i * sizeof lane, sizeof lane);
        total += lane;
    }
    return total;
}

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
    return total_of(sum, SUMS * 16);
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
    return total_of(sum, SUMS * 8);
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
