/* SPDX-License-Identifier: MIT
 * What the AVX-VNNI variants of packed weights have in common: vpdpbusd multiplies unsigned codes
 * with signed activations and adds four products to each of 8 int32 lanes, modulo 2^32. */
#ifndef TERN__PACKED_AVXVNNI_H
#define TERN__PACKED_AVXVNNI_H

#include <immintrin.h>
#include <stdint.h>

#include "kernels/packed.h"

/* Where the compiler may only use AVX-512's encoding of the same instruction, a variant says that
 * it needs that: so tests run it on machines that lack this one. */
#if defined(__AVXVNNI__)
#define AVXVNNI_NEEDS (TERN__CPU_AVX2 | TERN__CPU_AVX_VNNI)
#else
#define AVXVNNI_NEEDS (TERN__CPU_AVX2 | TERN__CPU_AVX512 | TERN__CPU_AVX512_VNNI)
#endif

/* Sums are kept in this type and not in __m256i: it is the one that the product returns, and
 * gcc 12 copies and spills every accumulator in loops that convert between the two. */
typedef int32_t sums __attribute__((vector_size(32)));

static inline sums dot(sums sum, const __m256i codes[1], const __m256i x[1]) {
    return (sums)_mm256_dpbusd_epi32((__m256i)sum, codes[0], x[0]);
}

static inline __m256i widen(sums sum) {
    return (__m256i)sum;
}

#endif
