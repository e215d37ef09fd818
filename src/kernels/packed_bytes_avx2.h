/* SPDX-License-Identifier: MIT
 * Half lines of packed_avx2.h that are one vector, whose bytes hold their codes one above the
 * other. */
#ifndef TERN__PACKED_BYTES_AVX2_H
#define TERN__PACKED_BYTES_AVX2_H

#include <immintrin.h>
#include <stdint.h>

typedef struct cursor {
    __m256i v;
} cursor;

static inline cursor begin(const uint8_t *line, int half) {
    return (cursor){_mm256_load_si256((const __m256i *)line + half)};
}

/* The p-th code of `bits` bits of every byte. */
static inline __m256i codes_of(const cursor *at, int p, int bits) {
    return _mm256_and_si256(_mm256_srli_epi16(at->v, bits * p),
                            _mm256_set1_epi8((char)((1 << bits) - 1)));
}

#endif
