/* SPDX-License-Identifier: MIT
 *
 * The lines of family `int8` for packed_avx512.h: those of packed_lines.h with 32 rows.
 *
 * Bound: sums grow by at most 255 * 128 for each code, which is below 2^31 at K = 2^16. */
#ifndef TERN__INT8_AVX512_H
#define TERN__INT8_AVX512_H

#include <immintrin.h>

#include "kernels/packed_lines.h"

enum { UNIT = TERN__INT8_UNIT, OFFSET = 128, CLASSES = 1 };

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    tern__int8_pack_lines(codes, k, 32, panel);
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
                                                        __m512i plane[1]) {
    (void)classes;
    plane[0] = _mm512_load_si512(line);
}

#endif
