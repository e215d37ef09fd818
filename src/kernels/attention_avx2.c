/* SPDX-License-Identifier: MIT
 * Family `attention` for AVX2 with FMA and F16C.
 *
 *     scores: out[g][t] = dot(q[g], key[t]) * scale, by the reduction rule (kernels/rows.h)
 *     mix:    out[g][d] = fma(p[g][t], values[t][d], out[g][d]), t in order from +0
 *
 * scores: lanes are the 64 partial results, eight registers; one query row at a time, as a second
 * conversion costs no more than a second load. Additions (s = 32, 16, 8) leave one register a
 * position; the levels 4, 2, 1 are done for 8 positions together. In the last head_size % 64
 * elements only the partial results that take one are changed (adding a product of zeros could turn
 * -0 into +0).
 *
 * mix: lanes are d, in blocks of 32, then 8, then the rest; two rows share a conversion; positions
 * in runs of 64, so that a run's rows are in cache for the next block.
 *
 * Same bits as the scalar twin.
 */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include "kernels/attention.h"

enum {
    GROUP = 2,     /* rows that share a conversion in mix() */
    POSITIONS = 8, /* positions whose partial results are added together */
    RUN = 64,      /* positions that mix() takes per block of lanes */
};

/* All bits set in the lanes below n. */
static inline __m256i lanes_below(int64_t n) {
    int lanes = n < 8 ? (int)n : 8;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __m256 load_halves(const uint16_t *x) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)x));
}

/* The first n of 8 halves, then zeros: whole pairs by a masked load, an odd one beside them. */
static inline __m256 load_halves_below(const uint16_t *x, int64_t n) {
    if (n >= 8)
        return load_halves(x);
    const __m128i pair = _mm_setr_epi32(0, 1, 2, 3), half = _mm_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7);
    __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32((int)(n / 2)), pair);
    __m128i v = _mm_maskload_epi32((const int *)(const void *)x, mask);
    if (n % 2 == 1) {
        __m128i at = _mm_cmpeq_epi16(_mm_set1_epi16((short)(n - 1)), half);
        v = _mm_or_si128(v, _mm_and_si128(_mm_set1_epi16((short)x[n - 1]), at));
    }
    return _mm256_cvtph_ps(v);
}

/* A step of the first n of 8 partial results. */
static inline __m256 fma_below(const float *x, const uint16_t *k, int64_t n, __m256 c) {
    __m256i mask = lanes_below(n);
    __m256 sum = _mm256_fmadd_ps(_mm256_maskload_ps(x, mask), load_halves_below(k, n), c);
    return _mm256_blendv_ps(c, sum, _mm256_castsi256_ps(mask));
}

/* One query row against one key row: the 8 partial results that the levels s = 32, 16, 8 leave. */
static inline __m256 key_partials(const float *q, const uint16_t *key, int64_t head_size) {
    __m256 c[8];
    for (int h = 0; h < 8; h++)
        c[h] = _mm256_setzero_ps();
    int64_t i = 0;
    for (; i + 64 <= head_size; i += 64)
        for (int h = 0; h < 8; h++)
            c[h] =
                _mm256_fmadd_ps(_mm256_loadu_ps(q + i + 8 * h), load_halves(key + i + 8 * h), c[h]);
    const int64_t rest = head_size - i;
    for (int h = 0; h < 8 && rest > 0; h++) {
        const float *x = q + i + 8 * h;
        const uint16_t *k = key + i + 8 * h;
        if (rest >= 8 * h + 8)
            c[h] = _mm256_fmadd_ps(_mm256_loadu_ps(x), load_halves(k), c[h]);
        else if (rest > 8 * h)
            c[h] = fma_below(x, k, rest - 8 * h, c[h]);
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

static void scores(const float *q, int64_t q_stride, int group, const uint16_t *keys,
                   int64_t key_stride, int64_t length, int64_t head_size, float scale, float *out,
                   int64_t out_stride) {
    __m256 sums[POSITIONS];
    for (int i = 0; i < POSITIONS; i++)
        sums[i] = _mm256_setzero_ps();
    for (int64_t t = 0; t < length; t += POSITIONS) {
        int count = length - t < POSITIONS ? (int)(length - t) : POSITIONS;
        for (int g = 0; g < group; g++) {
            for (int i = 0; i < count; i++)
                sums[i] = key_partials(q + g * q_stride, keys + (t + i) * key_stride, head_size);
            _mm256_maskstore_ps(out + g * out_stride + t, lanes_below(count),
                                _mm256_mul_ps(add_levels(sums), _mm256_set1_ps(scale)));
        }
    }
}

/* Continues the chains of `group` rows x `lanes` (32, or up to 8) over `length` positions. */
static inline __attribute__((always_inline)) void
mix_block(const float *p, int64_t p_stride, int group, const uint16_t *values, int64_t value_stride,
          int64_t length, int64_t lanes, float *out, int64_t out_stride) {
    const int registers = lanes == 32 ? 4 : 1;
    const __m256i mask = lanes_below(lanes);
    __m256 c[GROUP][4];
    for (int g = 0; g < group; g++)
        for (int h = 0; h < registers; h++)
            c[g][h] = _mm256_maskload_ps(out + g * out_stride + 8 * h, mask);
    for (int64_t t = 0; t < length; t++)
        for (int h = 0; h < registers; h++) {
            __m256 v = load_halves_below(values + t * value_stride + 8 * h, lanes);
            for (int g = 0; g < group; g++)
                c[g][h] = _mm256_fmadd_ps(_mm256_set1_ps(p[g * p_stride + t]), v, c[g][h]);
        }
    for (int g = 0; g < group; g++)
        for (int h = 0; h < registers; h++)
            _mm256_maskstore_ps(out + g * out_stride + 8 * h, mask, c[g][h]);
}

static inline __attribute__((always_inline)) void
mix_group(const float *p, int64_t p_stride, int group, const uint16_t *values, int64_t value_stride,
          int64_t length, int64_t head_size, float *out, int64_t out_stride) {
    for (int g = 0; g < group; g++)
        memset(out + g * out_stride, 0, (size_t)head_size * sizeof *out);
    for (int64_t t = 0; t < length; t += RUN) {
        int64_t count = length - t < RUN ? length - t : RUN, d = 0;
        const float *x = p + t;
        const uint16_t *v = values + t * value_stride;
        for (; d + 32 <= head_size; d += 32)
            mix_block(x, p_stride, group, v + d, value_stride, count, 32, out + d, out_stride);
        for (; d + 8 <= head_size; d += 8)
            mix_block(x, p_stride, group, v + d, value_stride, count, 8, out + d, out_stride);
        if (d < head_size)
            mix_block(x, p_stride, group, v + d, value_stride, count, head_size - d, out + d,
                      out_stride);
    }
}

static void mix(const float *p, int64_t p_stride, int group, const uint16_t *values,
                int64_t value_stride, int64_t length, int64_t head_size, float *out,
                int64_t out_stride) {
    int g = 0;
    for (; g + 2 <= group; g += 2)
        mix_group(p + g * p_stride, p_stride, 2, values, value_stride, length, head_size,
                  out + g * out_stride, out_stride);
    if (g < group)
        mix_group(p + g * p_stride, p_stride, 1, values, value_stride, length, head_size,
                  out + g * out_stride, out_stride);
}

const tern__attention_kernel tern__attention_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .scores = scores,
    .mix = mix,
};
