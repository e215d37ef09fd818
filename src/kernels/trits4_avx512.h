/* SPDX-License-Identifier: MIT
 *
 * The lines of family `trits4` for packed_avx512.h: those of packed_lines.h with 32 rows.
 *
 * Bound: the sums of the highest class grow by at most 2 * 64 * 128 for each of K / 4 codes, which
 * is 2^30 at K = 2^18. */
#ifndef TERN__TRITS4_AVX512_H
#define TERN__TRITS4_AVX512_H

#include <immintrin.h>

#include "kernels/packed_lines.h"

enum { UNIT = TERN__TRITS4_UNIT, OFFSET = 1, CLASSES = 4 };

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__trits4_pack_lines(codes, k, 32, panel);
}

/* Planes 0 to 3 in that order, equally many in each class. */
static inline int plane_class(int p, int classes) {
    return p * classes / 4;
}

static inline int class_shift(int s, int classes) {
    return 8 / classes * s;
}

__attribute__((always_inline)) static inline void split(const uint8_t *line, const int classes,
                                                        __m512i plane[4]) {
    const __m512i low = _mm512_set1_epi8(0x03), high = _mm512_set1_epi8(0x30);
    const __m512i v = _mm512_load_si512(line);
    plane[0] = _mm512_and_si512(v, low);
    if (classes == 4) {
        plane[1] = _mm512_and_si512(v, _mm512_set1_epi8(0x0c));
        plane[2] = _mm512_and_si512(v, high);
        plane[3] = _mm512_and_si512(v, _mm512_set1_epi8((char)0xc0));
    } else if (classes == 2) {
        const __m512i w = _mm512_srli_epi16(v, 2);
        plane[1] = _mm512_and_si512(w, low);
        plane[2] = _mm512_and_si512(v, high);
        plane[3] = _mm512_and_si512(w, high);
    } else {
        plane[1] = _mm512_and_si512(_mm512_srli_epi16(v, 2), low);
        plane[2] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
        plane[3] = _mm512_and_si512(_mm512_srli_epi16(v, 6), low);
    }
}

#endif
