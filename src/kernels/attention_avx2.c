/* SPDX-License-Identifier: MIT
 * Family `attention` for AVX2 with FMA and F16C.
 *
 *     scores: out[g][t] = dot(x[g], rows[t]) * scale, by the reduction rule (kernels/rows.h)
 *     mix:    out[g][d] = fma(x[g][t], rows[t][d], out[g][d]), t in order from +0
 *
 * `group` and `is_f16` are constants in the functions that take them: each has its own instance.
 *
 * scores: lanes are the 64 partial results, eight registers; one query row at a time, as a second
 * load or conversion costs no more than the query's. Additions (s = 32, 16, 8) leave one register a
 * position; the levels 4, 2, 1 are done for 8 positions together. In the last head_size % 64
 * elements only the partial results that take one are changed (adding a product of zeros could turn
 * -0 into +0).
 *
 * mix: lanes are d, in blocks of 32, then of up to 8; two rows share a load; positions in
 * runs of 64, so that a run's rows are in cache for the next block.
 *
 * Same bits as the scalar twin.
 */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include "kernels/attention.h"

enum {
    GROUP = 2,     /* rows that share a load in mix() */
    POSITIONS = 8, /* positions whose partial results are added together */
    RUN = 64,      /* positions that mix() takes per block of lanes */
};

/* All bits set in the lanes below n. */
static inline __m256i lanes_below(int64_t n) {
    int lanes = n < 8 ? (int)n : 8;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The first n of the elements 0..7 of halves, then zeros: whole pairs by a masked load, an odd one
 * beside them. */
static inline __m256 load_halves_below(const uint16_t *x, int64_t n) {
    const __m128i pair = _mm_setr_epi32(0, 1, 2, 3), half = _mm_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7);
    __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32((int)(n / 2)), pair);
    __m128i v = _mm_maskload_epi32((const int *)(const void *)x, mask);
    if (n % 2 == 1) {
        __m128i at = _mm_cmpeq_epi16(_mm_set1_epi16((short)(n - 1)), half);
        v = _mm_or_si128(v, _mm_and_si128(_mm_set1_epi16((short)x[n - 1]), at));
    }
    return _mm256_cvtph_ps(v);
}

/* 8 elements of the rows from `at` on. */
static inline __m256 load(const tern__attention_args *a, bool is_f16, int64_t at) {
    if (is_f16)
        return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)((const uint16_t *)a->rows + at)));
    return _mm256_loadu_ps((const float *)a->rows + at);
}

/* The first n of them, then zeros. Of F32 also all 8 by a masked load, which a compiler does not
 * turn into an operand of each fma: that would load it once a query row. */
static inline __m256 load_below(const tern__attention_args *a, bool is_f16, int64_t at, int64_t n) {
    if (is_f16)
        return n >= 8 ? load(a, is_f16, at) : load_halves_below((const uint16_t *)a->rows + at, n);
    return _mm256_maskload_ps((const float *)a->rows + at, lanes_below(n));
}

/* A step of the first n of 8 partial results. */
static inline __m256 fma_below(const float *x, __m256 k, int64_t n, __m256 c) {
    __m256i mask = lanes_below(n);
    __m256 sum = _mm256_fmadd_ps(_mm256_maskload_ps(x, mask), k, c);
    return _mm256_blendv_ps(c, sum, _mm256_castsi256_ps(mask));
}

/* The query row q against the key row at `key`: the 8 partial results that the levels s = 32, 16, 8
 * leave. */
static inline __attribute__((always_inline)) __m256
key_partials(const tern__attention_args *a, bool is_f16, const float *q, int64_t key) {
    __m256 c[8];
    for (int h = 0; h < 8; h++)
        c[h] = _mm256_setzero_ps();
    int64_t i = 0;
    for (; i + 64 <= a->head_size; i += 64)
        for (int h = 0; h < 8; h++)
            c[h] = _mm256_fmadd_ps(_mm256_loadu_ps(q + i + 8 * h), load(a, is_f16, key + i + 8 * h),
                                   c[h]);
    const int64_t rest = a->head_size - i;
    for (int h = 0; h < 8 && rest > 0; h++) {
        const float *x = q + i + 8 * h;
        if (rest >= 8 * h + 8)
            c[h] = _mm256_fmadd_ps(_mm256_loadu_ps(x), load(a, is_f16, key + i + 8 * h), c[h]);
        else if (rest > 8 * h)
            c[h] = fma_below(x, load_below(a, is_f16, key + i + 8 * h, rest - 8 * h), rest - 8 * h,
                             c[h]);
    }
    for (int h = 0; h < 4; h++)
        c[h] = _mm256_add_ps(c[h], c[h + 4]);
    return _mm256_add_ps(_mm256_add_ps(c[0], c[2]), _mm256_add_ps(c[1], c[3]));
}

/* Level s = 4 of two positions: a 128-bit lane of 4 partial results for each. */
static inline __m256 level_4(__m256 a, __m256 b) {
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

static inline __m256 level_2(__m256 a, __m256 b) {
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xee));
}

static inline __m256 level_1(__m256 ab, __m256 cd) {
    return _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x88), _mm256_shuffle_ps(ab, cd, 0xdd));
}

/* The sums of 8 positions, in order: element e of lane l comes from position 4 * l + e. */
static inline __m256 add_levels(const __m256 sums[POSITIONS]) {
    __m256 lanes[4];
    for (int e = 0; e < 4; e++)
        lanes[e] = level_4(sums[e], sums[e + 4]);
    return level_1(level_2(lanes[0], lanes[1]), level_2(lanes[2], lanes[3]));
}

static inline __attribute__((always_inline)) void score_typed(const tern__attention_args *a,
                                                              bool is_f16) {
    __m256 sums[POSITIONS];
    for (int i = 0; i < POSITIONS; i++)
        sums[i] = _mm256_setzero_ps();
    for (int64_t t = 0; t < a->length; t += POSITIONS) {
        int count = a->length - t < POSITIONS ? (int)(a->length - t) : POSITIONS;
        for (int g = 0; g < a->group; g++) {
            for (int i = 0; i < count; i++)
                sums[i] = key_partials(a, is_f16, a->x + g * a->x_stride, (t + i) * a->row_stride);
            _mm256_maskstore_ps(a->out + g * a->out_stride + t, lanes_below(count),
                                _mm256_mul_ps(add_levels(sums), _mm256_set1_ps(a->scale)));
        }
    }
}

static void scores(const tern__attention_args *args) {
    const tern__attention_args a = *args;
    if (a.is_f16)
        score_typed(&a, true);
    else
        score_typed(&a, false);
}

/* Continues the chains of `group` rows x 8 * registers lanes from d on over a run from t on. One
 * register may be the last, with fewer lanes. */
static inline __attribute__((always_inline)) void mix_block(const tern__attention_args *a,
                                                            int group, bool is_f16, int registers,
                                                            int64_t t, int64_t d) {
    const int64_t lanes = registers == 1 ? a->head_size - d : 8;
    const __m256i mask = lanes_below(lanes);
    const int64_t end = a->length - t < RUN ? a->length : t + RUN;
    __m256 c[GROUP][4];
    for (int g = 0; g < group; g++)
        for (int h = 0; h < registers; h++)
            c[g][h] = _mm256_maskload_ps(a->out + g * a->out_stride + d + 8 * h, mask);
    for (; t < end; t++)
        for (int h = 0; h < registers; h++) {
            __m256 v = load_below(a, is_f16, t * a->row_stride + d + 8 * h, lanes);
            for (int g = 0; g < group; g++)
                c[g][h] = _mm256_fmadd_ps(_mm256_set1_ps(a->x[g * a->x_stride + t]), v, c[g][h]);
        }
    for (int g = 0; g < group; g++)
        for (int h = 0; h < registers; h++)
            _mm256_maskstore_ps(a->out + g * a->out_stride + d + 8 * h, mask, c[g][h]);
}

static inline __attribute__((always_inline)) void mix_typed(const tern__attention_args *a,
                                                            int group, bool is_f16) {
    for (int g = 0; g < group; g++)
        memset(a->out + g * a->out_stride, 0, (size_t)a->head_size * sizeof *a->out);
    for (int64_t t = 0; t < a->length; t += RUN) {
        int64_t d = 0;
        for (; d + 32 <= a->head_size; d += 32)
            mix_block(a, group, is_f16, 4, t, d);
        for (; d < a->head_size; d += 8)
            mix_block(a, group, is_f16, 1, t, d);
    }
}

static inline __attribute__((always_inline)) void mix_group(const tern__attention_args *a,
                                                            int group) {
    if (a->is_f16)
        mix_typed(a, group, true);
    else
        mix_typed(a, group, false);
}

static void mix(const tern__attention_args *args) {
    tern__attention_args a = *args;
    for (; a.group >= GROUP; a.group -= GROUP) {
        mix_group(&a, GROUP);
        a.x += GROUP * a.x_stride;
        a.out += GROUP * a.out_stride;
    }
    if (a.group > 0)
        mix_group(&a, 1);
}

const tern__attention_kernel tern__attention_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .scores = scores,
    .mix = mix,
};
