/* SPDX-License-Identifier: MIT
 * Family `attention` for AVX-512.
 *
 *     scores: out[g][t] = dot(q[g], key[t]) * scale, by the reduction rule (kernels/rows.h)
 *     mix:    out[g][d] = fma(p[g][t], values[t][d], out[g][d]), t in order from +0
 *
 * Up to 4 query rows share the conversion of a key or value row; more go in passes of 4.
 *
 * scores: lanes are the 64 partial results, four registers a query row. Two additions (s = 32, 16)
 * leave one register a position; the levels 8, 4, 2, 1 are done for 16 positions together, so that
 * no lane is wasted. In the last head_size % 64 elements only the partial results that take one are
 * changed (adding a product of zeros could turn -0 into +0).
 *
 * mix: lanes are d, in blocks of 64; positions in runs of 64, so that a run's rows are in cache for
 * the next block.
 *
 * Same bits as the scalar twin.
 */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include "kernels/attention.h"

enum {
    GROUP = 4,      /* query rows that share a conversion */
    POSITIONS = 16, /* positions whose partial results are added together */
    RUN = 64,       /* positions that mix() takes per block of lanes */
};

typedef struct lane_masks {
    __mmask16 at[4];
} lane_masks;

/* The first n of 64 lanes; all for n >= 64. */
static inline lane_masks lanes_below(int64_t n) {
    uint64_t bits = n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
    return (lane_masks){{(__mmask16)bits, (__mmask16)(bits >> 16), (__mmask16)(bits >> 32),
                         (__mmask16)(bits >> 48)}};
}

static inline __m512 load_halves(const uint16_t *x) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)x));
}

static inline __m512 load_halves_masked(const uint16_t *x, __mmask16 mask) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x));
}

/* The 16 partial results that the levels s = 32 and s = 16 leave, of 16 positions. */
typedef struct partials {
    _Alignas(64) float at[POSITIONS][16];
} partials;

/* One key row against `group` query rows. */
static inline __attribute__((always_inline)) void key_partials(const float *q, int64_t q_stride,
                                                               int group, const uint16_t *key,
                                                               int64_t head_size, int position,
                                                               partials sums[GROUP]) {
    __m512 c[GROUP][4];
    for (int g = 0; g < group; g++)
        for (int h = 0; h < 4; h++)
            c[g][h] = _mm512_setzero_ps();
    int64_t i = 0;
    for (; i + 64 <= head_size; i += 64)
        for (int h = 0; h < 4; h++) {
            __m512 k = load_halves(key + i + 16 * h);
            for (int g = 0; g < group; g++) {
                __m512 x = _mm512_loadu_ps(q + g * q_stride + i + 16 * h);
                c[g][h] = _mm512_fmadd_ps(x, k, c[g][h]);
            }
        }
    if (i < head_size) {
        const lane_masks mask = lanes_below(head_size - i);
        for (int h = 0; h < 4; h++) {
            __m512 k = load_halves_masked(key + i + 16 * h, mask.at[h]);
            for (int g = 0; g < group; g++) {
                __m512 x = _mm512_maskz_loadu_ps(mask.at[h], q + g * q_stride + i + 16 * h);
                c[g][h] = _mm512_mask3_fmadd_ps(x, k, c[g][h], mask.at[h]);
            }
        }
    }
    for (int g = 0; g < group; g++)
        _mm512_store_ps(sums[g].at[position], _mm512_add_ps(_mm512_add_ps(c[g][0], c[g][2]),
                                                            _mm512_add_ps(c[g][1], c[g][3])));
}

/* Level s = 8 of two positions: 8 partial results each, a's first. */
static inline __m512 level_8(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}

/* Level s = 4: a 128-bit lane of 4 partial results for each of four positions. */
static inline __m512 level_4(__m512 ab, __m512 cd) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
}

static inline __m512 level_2(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
}

static inline __m512 level_1(__m512 ab, __m512 cd) {
    return _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x88), _mm512_shuffle_ps(ab, cd, 0xdd));
}

/* The sums of 16 positions, in order: element e of lane l comes from position 4 * l + e. */
static inline __m512 add_levels(const partials *sums) {
    __m512 lanes[4];
    for (int e = 0; e < 4; e++) {
        __m512 ab = level_8(_mm512_load_ps(sums->at[e]), _mm512_load_ps(sums->at[e + 4]));
        __m512 cd = level_8(_mm512_load_ps(sums->at[e + 8]), _mm512_load_ps(sums->at[e + 12]));
        lanes[e] = level_4(ab, cd);
    }
    return level_1(level_2(lanes[0], lanes[1]), level_2(lanes[2], lanes[3]));
}

/* One instance per group size, so that the partial results stay in registers. */
static inline __attribute__((always_inline)) void
score_group(const float *q, int64_t q_stride, int group, const uint16_t *keys, int64_t key_stride,
            int64_t length, int64_t head_size, float scale, float *out, int64_t out_stride) {
    partials sums[GROUP];
    memset(sums, 0, sizeof sums);
    for (int64_t t = 0; t < length; t += POSITIONS) {
        int count = length - t < POSITIONS ? (int)(length - t) : POSITIONS;
        for (int i = 0; i < count; i++)
            key_partials(q, q_stride, group, keys + (t + i) * key_stride, head_size, i, sums);
        for (int g = 0; g < group; g++)
            _mm512_mask_storeu_ps(out + g * out_stride + t, lanes_below(count).at[0],
                                  _mm512_mul_ps(add_levels(&sums[g]), _mm512_set1_ps(scale)));
    }
}

static void scores(const float *q, int64_t q_stride, int group, const uint16_t *keys,
                   int64_t key_stride, int64_t length, int64_t head_size, float scale, float *out,
                   int64_t out_stride) {
    for (int g = 0; g < group; g += GROUP) {
        const float *x = q + g * q_stride;
        float *to = out + g * out_stride;
        switch (group - g) {
        case 1:
            score_group(x, q_stride, 1, keys, key_stride, length, head_size, scale, to, out_stride);
            break;
        case 2:
            score_group(x, q_stride, 2, keys, key_stride, length, head_size, scale, to, out_stride);
            break;
        case 3:
            score_group(x, q_stride, 3, keys, key_stride, length, head_size, scale, to, out_stride);
            break;
        default:
            score_group(x, q_stride, 4, keys, key_stride, length, head_size, scale, to, out_stride);
        }
    }
}

/* Continues the chains of `group` rows x (up to) 64 lanes over `length` positions. */
static inline __attribute__((always_inline)) void
mix_block(const float *p, int64_t p_stride, int group, const uint16_t *values, int64_t value_stride,
          int64_t length, lane_masks mask, float *out, int64_t out_stride) {
    __m512 c[GROUP][4];
    for (int g = 0; g < group; g++)
        for (int h = 0; h < 4; h++)
            c[g][h] = _mm512_maskz_loadu_ps(mask.at[h], out + g * out_stride + 16 * h);
    for (int64_t t = 0; t < length; t++)
        for (int h = 0; h < 4; h++) {
            __m512 v = load_halves_masked(values + t * value_stride + 16 * h, mask.at[h]);
            for (int g = 0; g < group; g++)
                c[g][h] = _mm512_fmadd_ps(_mm512_set1_ps(p[g * p_stride + t]), v, c[g][h]);
        }
    for (int g = 0; g < group; g++)
        for (int h = 0; h < 4; h++)
            _mm512_mask_storeu_ps(out + g * out_stride + 16 * h, mask.at[h], c[g][h]);
}

static inline __attribute__((always_inline)) void
mix_group(const float *p, int64_t p_stride, int group, const uint16_t *values, int64_t value_stride,
          int64_t length, int64_t head_size, float *out, int64_t out_stride) {
    for (int g = 0; g < group; g++)
        memset(out + g * out_stride, 0, (size_t)head_size * sizeof *out);
    for (int64_t t = 0; t < length; t += RUN) {
        int64_t count = length - t < RUN ? length - t : RUN;
        for (int64_t d = 0; d < head_size; d += 64)
            mix_block(p + t, p_stride, group, values + t * value_stride + d, value_stride, count,
                      lanes_below(head_size - d), out + d, out_stride);
    }
}

static void mix(const float *p, int64_t p_stride, int group, const uint16_t *values,
                int64_t value_stride, int64_t length, int64_t head_size, float *out,
                int64_t out_stride) {
    for (int g = 0; g < group; g += GROUP) {
        const float *x = p + g * p_stride;
        float *to = out + g * out_stride;
        switch (group - g) {
        case 1:
            mix_group(x, p_stride, 1, values, value_stride, length, head_size, to, out_stride);
            break;
        case 2:
            mix_group(x, p_stride, 2, values, value_stride, length, head_size, to, out_stride);
            break;
        case 3:
            mix_group(x, p_stride, 3, values, value_stride, length, head_size, to, out_stride);
            break;
        default:
            mix_group(x, p_stride, 4, values, value_stride, length, head_size, to, out_stride);
        }
    }
}

const tern__attention_kernel tern__attention_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX512},
    .scores = scores,
    .mix = mix,
};
