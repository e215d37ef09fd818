/* SPDX-License-Identifier: MIT
 * Family `attention` for AVX2 with FMA and F16C.
 *
 *     scores: out[r][t] = dot(x[r], rows[t]) * scale, by the reduction rule (kernels/rows.h)
 *     mix:    out[r][d] = fma(x[r][t], rows[t][d], out[r][d]), t in order from +0
 *
 * Tiles and panels of query rows are those of attention_tiles.h.
 *
 * scores: 2 rows x 2 positions. Lanes are 8 of the 64 partial results; the eight such parts of a
 * row come one after another, so that 4 sums are fed by 4 loads. Additions (s = 32, 16, 8) leave
 * one register a position; the levels 4, 2, 1 are done for 8 positions together. In the last
 * head_size % 64 elements only the partial results that take one are changed (adding a product of
 * zeros could turn -0 into +0). Scores of a tile's later row that the first one does not see are
 * not stored.
 *
 * mix: 2 rows x 32 lanes d.
 *
 * Same bits as the scalar twin.
 */
#include <immintrin.h>

enum {
    GROUP = 2,     /* query rows of a tile */
    PANEL = 16,    /* tiles of a panel */
    STRIP = 32,    /* lanes d that mix() takes at a time */
    POSITIONS = 8, /* positions whose partial results are added together */
};

#include "kernels/attention_tiles.h"

/* -- loads -------------------------------------------------------------------------------------*/

/* All bits set in the lanes below n. */
static inline __m256i lanes_below(int64_t n) {
    int lanes = n < 8 ? (int)n : 8;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE __m256 widen(tern__attention_type type, const char *from) {
    if (type == TERN__ATTENTION_F16)
        return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)from));
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from)));
}

/* 8 elements of the rows from `at` on. */
INLINE __m256 load(const tern__attention_args *a, tern__attention_type type, int64_t at) {
    if (type == TERN__ATTENTION_F32)
        return _mm256_loadu_ps((const float *)a->rows + at);
    return widen(type, (const char *)a->rows + at * size_of(type));
}

/* The first n > 0 of them, then zeros. Of F32 also all 8 by a masked load, which a compiler does
 * not turn into an operand of each fma: that would load it once a query row. */
INLINE __m256 load_below(const tern__attention_args *a, tern__attention_type type, int64_t at,
                         int64_t n) {
    if (type == TERN__ATTENTION_F32)
        return _mm256_maskload_ps((const float *)a->rows + at, lanes_below(n));
    if (n >= 8)
        return load(a, type, at);
    char some[16] = {0};
    memcpy(some, (const char *)a->rows + at * size_of(type), (size_t)(n * size_of(type)));
    return widen(type, some);
}

/* -- scores ------------------------------------------------------------------------------------*/

/* A step of the first n of 8 partial results. */
static inline __m256 fma_below(const float *x, __m256 k, int64_t n, __m256 c) {
    __m256i mask = lanes_below(n);
    __m256 sum = _mm256_fmadd_ps(_mm256_maskload_ps(x, mask), k, c);
    return _mm256_blendv_ps(c, sum, _mm256_castsi256_ps(mask));
}

/* Partial results 8 part .. 8 part + 7 of n rows against the key rows t, t + 1, ... */
INLINE void dot_part(const tern__attention_args *a, tern__attention_type type, const tile *rows,
                     int n, int64_t t, int positions, int part, __m256 c[GROUP][2]) {
    for (int g = 0; g < n; g++)
        for (int p = 0; p < positions; p++)
            c[g][p] = _mm256_setzero_ps();
    int64_t i = 8 * part;
    for (; i + 8 <= a->head_size; i += 64)
        for (int p = 0; p < positions; p++) {
            __m256 k = load(a, type, (t + p) * a->row_stride + i);
            for (int g = 0; g < n; g++)
                c[g][p] = _mm256_fmadd_ps(_mm256_loadu_ps(rows->x[g] + i), k, c[g][p]);
        }
    const int64_t rest = a->head_size - i;
    for (int p = 0; p < positions && rest > 0; p++) {
        __m256 k = load_below(a, type, (t + p) * a->row_stride + i, rest);
        for (int g = 0; g < n; g++)
            c[g][p] = fma_below(rows->x[g] + i, k, rest, c[g][p]);
    }
}

/* The sum of the parts `part` and part + step. */
INLINE void add_parts(const tern__attention_args *a, tern__attention_type type, const tile *rows,
                      int n, int64_t t, int positions, int part, __m256 c[GROUP][2]) {
    __m256 other[GROUP][2];
    dot_part(a, type, rows, n, t, positions, part, c);
    dot_part(a, type, rows, n, t, positions, part + 4, other);
    for (int g = 0; g < n; g++)
        for (int p = 0; p < positions; p++)
            c[g][p] = _mm256_add_ps(c[g][p], other[g][p]);
}

/* What the levels s = 32, 16, 8 leave of the key rows t, t + 1, ..., which are the positions
 * `slot`, slot + 1, ... of the block. */
INLINE void dot_rows(const tern__attention_args *a, tern__attention_type type, const tile *rows,
                     int n, int64_t t, int positions, int slot, __m256 sums[GROUP][POSITIONS]) {
    __m256 c[4][GROUP][2];
    for (int part = 0; part < 4; part++)
        add_parts(a, type, rows, n, t, positions, part, c[part]);
    for (int g = 0; g < n; g++)
        for (int p = 0; p < positions; p++)
            sums[g][slot + p] = _mm256_add_ps(_mm256_add_ps(c[0][g][p], c[2][g][p]),
                                              _mm256_add_ps(c[1][g][p], c[3][g][p]));
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

/* Scores of n rows for up to 8 positions from t on. */
INLINE void score_tile(const tern__attention_args *a, tern__attention_type type, const tile *rows,
                       int n, int64_t t, bool is_first, __m256 sums[GROUP][POSITIONS]) {
    int count = last_length(rows) - t < POSITIONS ? (int)(last_length(rows) - t) : POSITIONS;
    int i = 0;
    for (; i + 2 <= count; i += 2) {
        if (is_first) {
            fetch(a, type, (t + i + AHEAD) * a->row_stride, a->head_size);
            fetch(a, type, (t + i + 1 + AHEAD) * a->row_stride, a->head_size);
        }
        dot_rows(a, type, rows, n, t + i, 2, i, sums);
    }
    if (i < count)
        dot_rows(a, type, rows, n, t + i, 1, i, sums), i++;
    for (; i < POSITIONS; i++)
        for (int g = 0; g < n; g++)
            sums[g][i] = _mm256_setzero_ps();
    for (int g = 0; g < n; g++) {
        if (rows->length[g] <= t)
            continue;
        __m256i mask = lanes_below(rows->length[g] - t);
        __m256 all = add_levels(sums[g]);
        if (type == TERN__ATTENTION_I8)
            all = _mm256_mul_ps(all, _mm256_maskload_ps(a->row_scales + t, mask));
        _mm256_maskstore_ps(rows->out[g] + t, mask, _mm256_mul_ps(all, _mm256_set1_ps(a->scale)));
    }
}

INLINE void score_panel(const tern__attention_args *a, tern__attention_type type, const panel *p,
                        __m256 sums[GROUP][POSITIONS]) {
    const int64_t end = last_length(&p->tiles[p->count - 1]);
    for (int64_t t = 0; t < end; t += POSITIONS)
        for (int i = 0; i < p->count; i++) {
            const tile *rows = &p->tiles[i];
            if (t >= last_length(rows))
                continue;
            if (rows->count == 1)
                score_tile(a, type, rows, 1, t, i == 0, sums);
            else
                score_tile(a, type, rows, GROUP, t, i == 0, sums);
        }
}

static void scores(const tern__attention_args *args) {
    const tern__attention_args a = *args;
    __m256 sums[GROUP][POSITIONS];
    panel p;
    for (int i = 0, g = 0; i < a.queries;) {
        take_panel(&a, &i, &g, &p);
        if (a.type == TERN__ATTENTION_F16)
            score_panel(&a, TERN__ATTENTION_F16, &p, sums);
        else if (a.type == TERN__ATTENTION_I8)
            score_panel(&a, TERN__ATTENTION_I8, &p, sums);
        else
            score_panel(&a, TERN__ATTENTION_F32, &p, sums);
    }
}

/* -- mix ---------------------------------------------------------------------------------------*/

/* Continues the chains of n rows for 8 * registers lanes from d on; x[g][i] multiplies position
 * begin + i. One register may be the last, with fewer lanes. */
INLINE void mix_lanes(const tern__attention_args *a, tern__attention_type type, int n,
                      int registers, strip s, const float *const x[GROUP],
                      float *const out[GROUP]) {
    const int64_t lanes = registers == 1 ? a->head_size - s.d : 8;
    const __m256i mask = lanes_below(lanes);
    __m256 c[GROUP][STRIP / 8];
    for (int g = 0; g < n; g++)
        for (int h = 0; h < registers; h++)
            c[g][h] = _mm256_maskload_ps(out[g] + s.d + 8 * h, mask);
    for (int64_t t = s.begin; t < s.end; t++) {
        const int64_t at = t * a->row_stride + s.d;
        if (s.is_first)
            fetch(a, type, at + AHEAD * a->row_stride, registers == 1 ? lanes : 8 * registers);
        for (int h = 0; h < registers; h++) {
            __m256 v = load_below(a, type, at + 8 * h, lanes);
            for (int g = 0; g < n; g++)
                c[g][h] = _mm256_fmadd_ps(_mm256_set1_ps(x[g][t - s.begin]), v, c[g][h]);
        }
    }
    for (int g = 0; g < n; g++)
        for (int h = 0; h < registers; h++)
            _mm256_maskstore_ps(out[g] + s.d + 8 * h, mask, c[g][h]);
}

INLINE void mix_rows(const tern__attention_args *a, tern__attention_type type, int n, strip s,
                     const float *const x[GROUP], float *const out[GROUP]) {
    if (s.d + STRIP <= a->head_size)
        mix_lanes(a, type, n, STRIP / 8, s, x, out);
    else
        for (; s.d < a->head_size; s.d += 8)
            mix_lanes(a, type, n, 1, s, x, out);
}

INLINE void weigh(const tern__attention_args *a, const float *x, int64_t t, int64_t end,
                  float to[RUN]) {
    for (int64_t i = t; i < end; i++)
        to[i - t] = x[i] * a->row_scales[i];
}

INLINE void mix_strip(const tern__attention_args *a, tern__attention_type type, const panel *p,
                      strip s) {
    for (int i = 0; i < p->count; i++) {
        const tile *rows = &p->tiles[i];
        s.is_first = i == 0;
        if (rows->count == 1)
            mix_tile(a, type, rows, 1, s);
        else
            mix_tile(a, type, rows, GROUP, s);
    }
}

const tern__attention_kernel tern__attention_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .scores = scores,
    .mix = mix,
};
