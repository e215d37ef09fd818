/* SPDX-License-Identifier: MIT
 *
 * The lines of family `int4` for packed_avx512.h: 8 k of each of 32 rows,
 *
 *     byte 4 * row + b = code of k = 8 * line + b, 16 times that of k + 4     b = 0..3
 *
 * Bound: sums grow by at most 15 * 128 for each code, which is below 2^29 at K = 2^18. A class for
 * the upper codes, which lie times 16, would not fit. */
#ifndef TERN__INT4_AVX512_H
#define TERN__INT4_AVX512_H

#include <string.h>

#include <immintrin.h>

#include "kernels/packed.h"

enum { UNIT = 8, OFFSET = 8, CLASSES = 1 };

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    for (int64_t i = 0; i < k; i += UNIT)
        for (int64_t row = 0; row < 32; row++, panel += 4) {
            uint32_t plane[2];
            memcpy(plane, codes + row * k + i, sizeof plane);
            const uint32_t word = plane[0] | plane[1] << 4;
            memcpy(panel, &word, sizeof word);
        }
}

static inline int plane_class(int p, int classes) {
    (void)p;
    return classes - 1;
}

static inline int class_shift(int s, int classes) {
    (void)classes;
    return s;
}

__attribute__((always_inline)) static inline void split(const uint8_t *line, const int classes,
                                                        __m512i plane[2]) {
    (void)classes;
    const __m512i v = _mm512_load_si512(line), low = _mm512_set1_epi8(0x0f);
    plane[0] = _mm512_and_si512(v, low);
    plane[1] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
}

#endif
