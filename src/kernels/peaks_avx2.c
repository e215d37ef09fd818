/* SPDX-License-Identifier: MIT
 * Family `peaks`, AVX2: readers, F32 multiply-adds, and the pair of vpmaddubsw and vpaddw, whose
 * sums of 16 bits wrap. */
#include <immintrin.h>
#include <string.h>

#include "kernels/peaks.h"

typedef __m256i words;

static inline words words_zero(void) {
    return _mm256_setzero_si256();
}

static inline words words_load(const uint8_t *from) {
    return _mm256_load_si256((const __m256i *)from);
}

static inline words words_plus(words x, words y) {
    return _mm256_add_epi64(x, y);
}

static inline uint64_t words_total(words x) {
    uint64_t lanes[4];
    memcpy(lanes, &x, sizeof lanes);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

#include "kernels/peaks_readers.h"

enum { FMA_SUMS = 12, DOT_SUMS = 8, LANES = 8 };

/* Sums that begin alike would be one to the compiler, and products that do not change would leave
 * the loop. */
#define OPAQUE(x) __asm__ volatile("" : "+x"(x))

static uint64_t run_fma(const uint8_t *a, const int8_t *b, int64_t iterations) {
    const __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)a)));
    const __m256 y = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)b)));
    __m256 sum[FMA_SUMS];
    for (int s = 0; s < FMA_SUMS; s++) {
        sum[s] = _mm256_setzero_ps();
        OPAQUE(sum[s]);
    }
    for (int64_t i = 0; i < iterations; i++)
        for (int s = 0; s < FMA_SUMS; s++)
            sum[s] = _mm256_fmadd_ps(x, y, sum[s]);
    int64_t total = 0;
    for (int s = 0; s < FMA_SUMS; s++) {
        float lanes[LANES];
        _mm256_storeu_ps(lanes, sum[s]);
        for (int i = 0; i < LANES; i++)
            total += (int64_t)lanes[i];
    }
    return (uint64_t)total;
}

static uint64_t run_dot(const uint8_t *a, const int8_t *b, int64_t iterations) {
    __m256i x = _mm256_loadu_si256((const __m256i *)a);
    const __m256i y = _mm256_loadu_si256((const __m256i *)b);
    __m256i sum[DOT_SUMS];
    for (int s = 0; s < DOT_SUMS; s++) {
        sum[s] = words_zero();
        OPAQUE(sum[s]);
    }
    for (int64_t i = 0; i < iterations; i++)
        for (int s = 0; s < DOT_SUMS; s++) {
            OPAQUE(x);
            sum[s] = _mm256_add_epi16(sum[s], _mm256_maddubs_epi16(x, y));
        }
    uint16_t lanes[2 * LANES], total = 0;
    for (int s = 1; s < DOT_SUMS; s++)
        sum[0] = _mm256_add_epi16(sum[0], sum[s]);
    memcpy(lanes, &sum[0], sizeof lanes);
    for (int i = 0; i < 2 * LANES; i++)
        total = (uint16_t)(total + lanes[i]);
    return total;
}

const tern__peaks_kernel tern__peaks_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .readers = PEAKS_READERS,
    .peaks = {{.name = "F32 FMA, 256 bits",
               .kind = TERN__PEAK_FMA,
               .width = LANES,
               .sums = FMA_SUMS,
               .bits = 64,
               .run = run_fma},
              {.name = "vpmaddubsw + vpaddw, 256 bits",
               .kind = TERN__PEAK_DOT,
               .width = 32,
               .sums = DOT_SUMS,
               .bits = 16,
               .run = run_dot}},
};
