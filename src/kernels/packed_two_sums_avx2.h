/* SPDX-License-Identifier: MIT
 * Of packed_avx2.h: products of codes where they lie in their bytes, of which the second sum holds
 * those that are 2^SHIFT times too large. A variant defines sums, widen and SHIFT and then includes
 * this. */
#ifndef TERN__PACKED_TWO_SUMS_AVX2_H
#define TERN__PACKED_TWO_SUMS_AVX2_H

static inline int place(int p) {
    return p;
}

static inline __m256i join(const sums class[CLASSES]) {
    return _mm256_add_epi32(widen(class[0]), _mm256_srai_epi32(widen(class[1]), SHIFT));
}

#endif
