/* SPDX-License-Identifier: MIT
 * Family `conv` for AVX2: tiles of 6 positions and 16 channels. */
#include <immintrin.h>

typedef __m256 vector;
typedef __m256i lanes;
enum { LANES = 8, VECTORS = 2, POSITIONS = 6 };

static inline vector load(const float *x) {
    return _mm256_loadu_ps(x);
}

static inline void store(float *x, vector v) {
    _mm256_storeu_ps(x, v);
}

static inline vector zero(void) {
    return _mm256_setzero_ps();
}

static inline vector spread(float x) {
    return _mm256_set1_ps(x);
}

static inline vector fused(vector x, vector y, vector c) {
    return _mm256_fmadd_ps(x, y, c);
}

static inline __m256i lane_numbers(void) {
    return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
}

static inline lanes between(int64_t lo, int64_t hi) {
    return _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)lo), lane_numbers()),
                               _mm256_cmpgt_epi32(_mm256_set1_epi32((int)hi), lane_numbers()));
}

static inline vector take(const float *x, int64_t step, lanes set) {
    if (step == 1)
        return _mm256_maskload_ps(x, set);
    __m256i places = _mm256_mullo_epi32(lane_numbers(), _mm256_set1_epi32((int)step));
    return _mm256_mask_i32gather_ps(zero(), x, places, _mm256_castsi256_ps(set), sizeof *x);
}

static inline void put(float *x, int64_t step, lanes set, vector v) {
    if (step == 1) {
        _mm256_maskstore_ps(x, set, v);
        return;
    }
    float values[LANES];
    store(values, v);
    int chosen = _mm256_movemask_ps(_mm256_castsi256_ps(set));
    for (int lane = 0; lane < LANES; lane++)
        if (chosen >> lane & 1)
            x[lane * step] = values[lane];
}

static inline vector fused_in(lanes set, vector x, vector y, vector c) {
    return _mm256_blendv_ps(c, fused(x, y, c), _mm256_castsi256_ps(set));
}

#include "kernels/conv_loops.h"

const tern__conv_kernel tern__conv_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .positions = POSITIONS,
    .panel = PANEL,
    .tile = tile,
    .line = line,
};
