/* SPDX-License-Identifier: MIT
 *
 * The lines of family `int4` for packed_avx512.h: those of packed_lines.h with 32 rows.
 *
 * Bound: sums grow by at most 15 * 128 for each code, which is below 2^29 at K = 2^18. A class for
 * the upper codes, which lie times 16, would not fit. */
#ifndef TERN__INT4_AVX512_H
#define TERN__INT4_AVX512_H

#include <immintrin.h>

#include "kernels/packed_lines.h"

enum { UNIT = TERN__INT4_UNIT, OFFSET = 8, CLASSES = 1 };

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__int4_pack_lines(codes, k, 32, panel);
}

static inline int plane_class(int p, int classes) {
    (void)p, (void)classes;
    return 0;
}

static inline int class_shift(int s, int classes) {
    (void)s, (void)classes;
    return 0;
}

__attribute__((always_inline)) static inline void split(const uint8_t *line, const int classes,
                                                        __m512i plane[2]) {
    (void)classes;
    const __m512i v = _mm512_load_si512(line), low = _mm512_set1_epi8(0x0f);
    plane[0] = _mm512_and_si512(v, low);
    plane[1] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
}

#endif
