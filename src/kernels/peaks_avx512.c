/* SPDX-License-Identifier: MIT
 * Family `peaks`, AVX-512: readers and F32 multiply-adds. 16 sums: two units with a latency of 4
 * cycles or 5 need 10. */
#include <immintrin.h>
#include <string.h>

#include "kernels/peaks.h"

typedef __m512i words;

static inline words words_zero(void) {
    return _mm512_setzero_si512();
}

static inline words words_load(const uint8_t *from) {
    return _mm512_load_si512(from);
}

static inline words words_plus(words x, words y) {
    return _mm512_add_epi64(x, y);
}

static inline uint64_t words_total(words x) {
    uint64_t lanes[8], total = 0;
    memcpy(lanes, &x, sizeof lanes);
    for (int i = 0; i < 8; i++)
        total += lanes[i];
    return total;
}

#include "kernels/peaks_readers.h"

enum { SUMS = 16, LANES = 16 };

/* Sums that begin alike would be one to the compiler. */
static inline __m512 opaque(__m512 x) {
    __asm__ volatile("" : "+v"(x));
    return x;
}

static uint64_t run_fma(const uint8_t *a, const int8_t *b, int64_t iterations) {
    const __m512 x = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)a)));
    const __m512 y = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)b)));
    __m512 sum[SUMS];
    for (int s = 0; s < SUMS; s++)
        sum[s] = opaque(_mm512_setzero_ps());
    for (int64_t i = 0; i < iterations; i++)
        for (int s = 0; s < SUMS; s++)
            sum[s] = _mm512_fmadd_ps(x, y, sum[s]);
    __m512i total = words_zero();
    for (int s = 0; s < SUMS; s++) {
        const __m512i lanes = _mm512_cvtps_epi32(sum[s]);
        total = words_plus(total, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(lanes)));
        total = words_plus(total, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(lanes, 1)));
    }
    return words_total(total);
}

const tern__peaks_kernel tern__peaks_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .readers = PEAKS_READERS,
    .peaks = {{.name = "F32 FMA, 512 bits",
               .kind = TERN__PEAK_FMA,
               .width = LANES,
               .sums = SUMS,
               .bits = 64,
               .run = run_fma}},
};
