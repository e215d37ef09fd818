/* SPDX-License-Identifier: MIT
 * Family `conv` for AVX-512: tiles of 12 positions and 32 channels. */
#include <immintrin.h>

typedef __m512 vector;
typedef __mmask16 lanes;
enum { LANES = 16, VECTORS = 2, POSITIONS = 12 };

static inline vector load(const float *x) {
    return _mm512_loadu_ps(x);
}

static inline void store(float *x, vector v) {
    _mm512_storeu_ps(x, v);
}

static inline vector zero(void) {
    return _mm512_setzero_ps();
}

static inline vector spread(float x) {
    return _mm512_set1_ps(x);
}

static inline vector fused(vector x, vector y, vector c) {
    return _mm512_fmadd_ps(x, y, c);
}

static inline lanes between(int64_t lo, int64_t hi) {
    return (lanes)((hi > lo ? (1u << hi) - 1 : 0) & ~((1u << lo) - 1));
}

static inline __m512i places(int64_t step) {
    __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)step));
}

static inline vector take(const float *x, int64_t step, lanes set) {
    if (step == 1)
        return _mm512_maskz_loadu_ps(set, x);
    return _mm512_mask_i32gather_ps(zero(), set, places(step), x, sizeof *x);
}

static inline void put(float *x, int64_t step, lanes set, vector v) {
    if (step == 1)
        _mm512_mask_storeu_ps(x, set, v);
    else
        _mm512_mask_i32scatter_ps(x, set, places(step), v, sizeof *x);
}

static inline vector fused_in(lanes set, vector x, vector y, vector c) {
    return _mm512_mask3_fmadd_ps(x, y, c, set);
}

#include "kernels/conv_loops.h"

const tern__conv_kernel tern__conv_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .positions = POSITIONS,
    .panel = PANEL,
    .tile = tile,
    .line = line,
};
