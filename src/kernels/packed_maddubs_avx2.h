/* SPDX-License-Identifier: MIT
 * Sums of the AVX2 variants of packed weights whose codes are small: vpmaddubsw adds pairs of
 * products of unsigned codes and signed activations, which a variant proves to fit int16. */
#ifndef TERN__PACKED_MADDUBS_AVX2_H
#define TERN__PACKED_MADDUBS_AVX2_H

#include <immintrin.h>
#include <stdint.h>

/* Sums are kept in this type and not in __m256i: it is the one that the addition returns, and
 * gcc 12 copies and spills every accumulator in loops that convert between the two. */
typedef int16_t sums __attribute__((vector_size(32)));

static inline sums dot(sums sum, const __m256i codes[1], const __m256i x[1]) {
    return (sums)_mm256_add_epi16((__m256i)sum, _mm256_maddubs_epi16(codes[0], x[0]));
}

static inline __m256i widen(sums sum) {
    return _mm256_madd_epi16((__m256i)sum, _mm256_set1_epi16(1));
}

#endif
