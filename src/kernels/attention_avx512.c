/* SPDX-License-Identifier: MIT
 * Family `attention` for AVX-512.
 *
 *     scores: out[g][t] = dot(x[g], rows[t]) * scale, by the reduction rule (kernels/rows.h)
 *     mix:    out[g][d] = fma(x[g][t], rows[t][d], out[g][d]), t in order from +0
 *
 * Up to 4 query rows share the load (of F16 the conversion) of a key or value row; more go in
 * passes of 4. Each number of rows and each type has its own instance, so that the partial results
 * stay in registers: `group` and `is_f16` are constants in the functions that take them.
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
    GROUP = 4,      /* query rows that share a load */
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

/* 16 elements of the rows from `at` on. */
static inline __m512 load(const tern__attention_args *a, bool is_f16, int64_t at) {
    if (is_f16)
        return _mm512_cvtph_ps(
            _mm256_loadu_si256((const __m256i *)((const uint16_t *)a->rows + at)));
    return _mm512_loadu_ps((const float *)a->rows + at);
}

static inline __m512 load_masked(const tern__attention_args *a, bool is_f16, int64_t at,
                                 __mmask16 mask) {
    if (is_f16)
        return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, (const uint16_t *)a->rows + at));
    return _mm512_maskz_loadu_ps(mask, (const float *)a->rows + at);
}

/* The 16 partial results that the levels s = 32 and s = 16 leave, of 16 positions. */
typedef struct partials {
    _Alignas(64) float at[POSITIONS][16];
} partials;

/* The key row t, which is position `position` of sums, against `group` query rows. */
static inline __attribute__((always_inline)) void key_partials(const tern__attention_args *a,
                                                               int group, bool is_f16, int64_t t,
                                                               int position, partials sums[GROUP]) {
    const int64_t key = t * a->row_stride;
    __m512 c[GROUP][4];
    for (int g = 0; g < group; g++)
        for (int h = 0; h < 4; h++)
            c[g][h] = _mm512_setzero_ps();
    int64_t i = 0;
    for (; i + 64 <= a->head_size; i += 64)
        for (int h = 0; h < 4; h++) {
            __m512 k = load(a, is_f16, key + i + 16 * h);
            for (int g = 0; g < group; g++) {
                __m512 q = _mm512_loadu_ps(a->x + g * a->x_stride + i + 16 * h);
                c[g][h] = _mm512_fmadd_ps(q, k, c[g][h]);
            }
        }
    if (i < a->head_size) {
        const lane_masks mask = lanes_below(a->head_size - i);
        for (int h = 0; h < 4; h++) {
            __m512 k = load_masked(a, is_f16, key + i + 16 * h, mask.at[h]);
            for (int g = 0; g < group; g++) {
                const float *x = a->x + g * a->x_stride + i + 16 * h;
                __m512 q = _mm512_maskz_loadu_ps(mask.at[h], x);
                c[g][h] = _mm512_mask3_fmadd_ps(q, k, c[g][h], mask.at[h]);
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

static inline __attribute__((always_inline)) void score_typed(const tern__attention_args *a,
                                                              int group, bool is_f16) {
    partials sums[GROUP];
    memset(sums, 0, sizeof sums);
    for (int64_t t = 0; t < a->length; t += POSITIONS) {
        int count = a->length - t < POSITIONS ? (int)(a->length - t) : POSITIONS;
        for (int i = 0; i < count; i++)
            key_partials(a, group, is_f16, t + i, i, sums);
        for (int g = 0; g < group; g++)
            _mm512_mask_storeu_ps(a->out + g * a->out_stride + t, lanes_below(count).at[0],
                                  _mm512_mul_ps(add_levels(&sums[g]), _mm512_set1_ps(a->scale)));
    }
}

static inline __attribute__((always_inline)) void score_group(const tern__attention_args *a,
                                                              int group) {
    if (a->is_f16)
        score_typed(a, group, true);
    else
        score_typed(a, group, false);
}

/* Goes on to the rows behind the first GROUP. */
static inline void next_group(tern__attention_args *a) {
    a->x += GROUP * a->x_stride;
    a->out += GROUP * a->out_stride;
    a->group -= GROUP;
}

static void scores(const tern__attention_args *args) {
    for (tern__attention_args a = *args; a.group > 0; next_group(&a)) {
        switch (a.group) {
        case 1:
            score_group(&a, 1);
            break;
        case 2:
            score_group(&a, 2);
            break;
        case 3:
            score_group(&a, 3);
            break;
        default:
            score_group(&a, GROUP);
        }
    }
}

/* Continues the chains of `group` rows x (up to) 64 lanes from d on over a run from t on. */
static inline __attribute__((always_inline)) void
mix_block(const tern__attention_args *a, int group, bool is_f16, int64_t t, int64_t d) {
    const lane_masks mask = lanes_below(a->head_size - d);
    const int64_t end = a->length - t < RUN ? a->length : t + RUN;
    __m512 c[GROUP][4];
    for (int g = 0; g < group; g++)
        for (int h = 0; h < 4; h++)
            c[g][h] = _mm512_maskz_loadu_ps(mask.at[h], a->out + g * a->out_stride + d + 16 * h);
    for (; t < end; t++)
        for (int h = 0; h < 4; h++) {
            __m512 v = load_masked(a, is_f16, t * a->row_stride + d + 16 * h, mask.at[h]);
            for (int g = 0; g < group; g++)
                c[g][h] = _mm512_fmadd_ps(_mm512_set1_ps(a->x[g * a->x_stride + t]), v, c[g][h]);
        }
    for (int g = 0; g < group; g++)
        for (int h = 0; h < 4; h++)
            _mm512_mask_storeu_ps(a->out + g * a->out_stride + d + 16 * h, mask.at[h], c[g][h]);
}

static inline __attribute__((always_inline)) void mix_typed(const tern__attention_args *a,
                                                            int group, bool is_f16) {
    for (int g = 0; g < group; g++)
        memset(a->out + g * a->out_stride, 0, (size_t)a->head_size * sizeof *a->out);
    for (int64_t t = 0; t < a->length; t += RUN)
        for (int64_t d = 0; d < a->head_size; d += 64)
            mix_block(a, group, is_f16, t, d);
}

static inline __attribute__((always_inline)) void mix_group(const tern__attention_args *a,
                                                            int group) {
    if (a->is_f16)
        mix_typed(a, group, true);
    else
        mix_typed(a, group, false);
}

static void mix(const tern__attention_args *args) {
    for (tern__attention_args a = *args; a.group > 0; next_group(&a)) {
        switch (a.group) {
        case 1:
            mix_group(&a, 1);
            break;
        case 2:
            mix_group(&a, 2);
            break;
        case 3:
            mix_group(&a, 3);
            break;
        default:
            mix_group(&a, GROUP);
        }
    }
}

const tern__attention_kernel tern__attention_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .scores = scores,
    .mix = mix,
};
