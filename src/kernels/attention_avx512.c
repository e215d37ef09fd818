/* SPDX-License-Identifier: MIT
 * Family `attention` for AVX-512.
 *
 *     scores: out[r][t] = dot(x[r], rows[t]) * scale, by the reduction rule (kernels/rows.h)
 *     mix:    out[r][d] = fma(x[r][t], rows[t][d], out[r][d]), t in order from +0
 *
 * Tiles and panels of query rows are those of attention_tiles.h.
 *
 * scores of a panel of many rows: attention_queries_avx512.h.
 *
 * scores of others: 4 rows x 2 positions. Lanes are 16 of the 64 partial results; the four such
 * parts of a row come one after another, so that 8 sums are fed by 6 loads. Two additions (s = 32,
 * 16) leave one register a position; the levels 8, 4, 2, 1 are done for 16 positions together, so
 * that no lane is wasted. In the last head_size % 64 elements only the partial results that take
 * one are changed (adding a product of zeros could turn -0 into +0). Scores of a tile's later rows
 * that an earlier row does not see are not stored.
 *
 * mix: 4 rows x 64 lanes d.
 *
 * Same bits as the scalar twin.
 */
#include <immintrin.h>

enum {
    GROUP = 4,      /* query rows of a tile */
    PANEL = 8,      /* tiles of a panel */
    STRIP = 64,     /* lanes d that mix() takes at a time */
    POSITIONS = 16, /* positions whose partial results are added together */
};

#include "kernels/attention_tiles.h"

/* -- loads -------------------------------------------------------------------------------------*/

/* The first n of 16 lanes; all for n >= 16, none for n <= 0. */
static inline __mmask16 lanes_below(int64_t n) {
    unsigned lanes = n >= 16 ? 16 : n <= 0 ? 0 : (unsigned)n;
    return (__mmask16)((1u << lanes) - 1);
}

/* 16 elements of the rows from `at` on. */
INLINE __m512 load(const tern__attention_args *a, tern__attention_type type, int64_t at) {
    const char *from = (const char *)a->rows + at * size_of(type);
    if (type == TERN__ATTENTION_F16)
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)from));
    if (type == TERN__ATTENTION_I8)
        return _mm512_cvtepi32_ps(
            _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from)));
    return _mm512_loadu_ps(from);
}

/* Those of the mask, the others 0. */
INLINE __m512 load_masked(const tern__attention_args *a, tern__attention_type type, int64_t at,
                          __mmask16 mask) {
    const char *from = (const char *)a->rows + at * size_of(type);
    if (type == TERN__ATTENTION_F16)
        return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from));
    if (type == TERN__ATTENTION_I8)
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, from)));
    return _mm512_maskz_loadu_ps(mask, from);
}

#include "kernels/attention_queries_avx512.h"

/* -- scores ------------------------------------------------------------------------------------*/

/* The 16 partial results that the levels s = 32 and s = 16 leave, of 16 positions. */
typedef struct partials {
    _Alignas(64) float at[POSITIONS][16];
} partials;

/* Partial results 16 part .. 16 part + 15 of n rows against the key rows t, t + 1, ... */
INLINE void dot_part(const tern__attention_args *a, tern__attention_type type, const tile *rows,
                     int n, int64_t t, int positions, int part, __m512 c[GROUP][2]) {
    for (int g = 0; g < n; g++)
        for (int p = 0; p < positions; p++)
            c[g][p] = _mm512_setzero_ps();
    int64_t i = 16 * part;
    for (; i + 16 <= a->head_size; i += 64) {
        __m512 k[2];
        for (int p = 0; p < positions; p++)
            k[p] = load(a, type, (t + p) * a->row_stride + i);
        for (int g = 0; g < n; g++) {
            __m512 q = _mm512_loadu_ps(rows->x[g] + i);
            for (int p = 0; p < positions; p++)
                c[g][p] = _mm512_fmadd_ps(q, k[p], c[g][p]);
        }
    }
    if (i < a->head_size) {
        __mmask16 mask = lanes_below(a->head_size - i);
        for (int p = 0; p < positions; p++) {
            __m512 k = load_masked(a, type, (t + p) * a->row_stride + i, mask);
            for (int g = 0; g < n; g++) {
                __m512 q = _mm512_maskz_loadu_ps(mask, rows->x[g] + i);
                c[g][p] = _mm512_mask3_fmadd_ps(q, k, c[g][p], mask);
            }
        }
    }
}

/* Sums for the positions `slot`, slot + 1, ... of the block: the key rows t, t + 1, ... */
INLINE void dot_rows(const tern__attention_args *a, tern__attention_type type, const tile *rows,
                     int n, int64_t t, int positions, int slot, partials sums[GROUP]) {
    __m512 even[GROUP][2], odd[GROUP][2], c[GROUP][2];
    dot_part(a, type, rows, n, t, positions, 0, even);
    dot_part(a, type, rows, n, t, positions, 2, c);
    for (int g = 0; g < n; g++)
        for (int p = 0; p < positions; p++)
            even[g][p] = _mm512_add_ps(even[g][p], c[g][p]);
    dot_part(a, type, rows, n, t, positions, 1, odd);
    dot_part(a, type, rows, n, t, positions, 3, c);
    for (int g = 0; g < n; g++)
        for (int p = 0; p < positions; p++) {
            odd[g][p] = _mm512_add_ps(odd[g][p], c[g][p]);
            _mm512_store_ps(sums[g].at[slot + p], _mm512_add_ps(even[g][p], odd[g][p]));
        }
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

/* Scores of n rows for up to 16 positions from t on. */
INLINE void score_tile(const tern__attention_args *a, tern__attention_type type, const tile *rows,
                       int n, int64_t t, bool is_first, partials sums[GROUP]) {
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
            _mm512_store_ps(sums[g].at[i], _mm512_setzero_ps());
    for (int g = 0; g < n; g++) {
        __mmask16 mask = lanes_below(rows->length[g] - t);
        __m512 all = add_levels(&sums[g]);
        if (type == TERN__ATTENTION_I8)
            all = _mm512_mul_ps(all, _mm512_maskz_loadu_ps(mask, a->row_scales + t));
        _mm512_mask_storeu_ps(rows->out[g] + t, mask, _mm512_mul_ps(all, _mm512_set1_ps(a->scale)));
    }
}

INLINE void score_panel(const tern__attention_args *a, tern__attention_type type, const panel *p,
                        partials sums[GROUP]) {
    const int64_t end = last_length(&p->tiles[p->count - 1]);
    for (int64_t t = 0; t < end; t += POSITIONS)
        for (int i = 0; i < p->count; i++) {
            const tile *rows = &p->tiles[i];
            if (t >= last_length(rows))
                continue;
            switch (rows->count) {
            case 1:
                score_tile(a, type, rows, 1, t, i == 0, sums);
                break;
            case 2:
                score_tile(a, type, rows, 2, t, i == 0, sums);
                break;
            case 3:
                score_tile(a, type, rows, 3, t, i == 0, sums);
                break;
            default:
                score_tile(a, type, rows, GROUP, t, i == 0, sums);
            }
        }
}

static void scores(const tern__attention_args *args) {
    const tern__attention_args a = *args;
    partials sums[GROUP];
    panel p;
    for (int i = 0, g = 0; i < a.queries;) {
        take_panel(&a, &i, &g, &p);
        const int rows = GROUP * (p.count - 1) + p.tiles[p.count - 1].count;
        if (is_wide(&a, rows))
            score_queries(&a, &p, rows);
        else if (a.type == TERN__ATTENTION_F16)
            score_panel(&a, TERN__ATTENTION_F16, &p, sums);
        else if (a.type == TERN__ATTENTION_I8)
            score_panel(&a, TERN__ATTENTION_I8, &p, sums);
        else
            score_panel(&a, TERN__ATTENTION_F32, &p, sums);
    }
}

/* -- mix ---------------------------------------------------------------------------------------*/

/* Masks are for the strip that is not whole: a masked load takes an issue slot of a multiply-add.
 */
INLINE void mix_positions(const tern__attention_args *a, tern__attention_type type, int n, strip s,
                          bool is_whole, const __mmask16 mask[STRIP / 16],
                          const float *const x[GROUP], __m512 c[GROUP][STRIP / 16]) {
    const int64_t lanes = is_whole ? STRIP : a->head_size - s.d;
    for (int64_t t = s.begin; t < s.end; t++) {
        const int64_t at = t * a->row_stride + s.d;
        if (s.is_first)
            fetch(a, type, at + AHEAD * a->row_stride, lanes);
        for (int h = 0; h < STRIP / 16; h++) {
            __m512 v =
                is_whole ? load(a, type, at + 16 * h) : load_masked(a, type, at + 16 * h, mask[h]);
            for (int g = 0; g < n; g++)
                c[g][h] = _mm512_fmadd_ps(_mm512_set1_ps(x[g][t - s.begin]), v, c[g][h]);
        }
    }
}

INLINE void mix_rows(const tern__attention_args *a, tern__attention_type type, int n, strip s,
                     const float *const x[GROUP], float *const out[GROUP]) {
    const int64_t lanes = a->head_size - s.d;
    __mmask16 mask[STRIP / 16];
    __m512 c[GROUP][STRIP / 16];
    for (int h = 0; h < STRIP / 16; h++)
        mask[h] = lanes_below(lanes - 16 * h);
    for (int g = 0; g < n; g++)
        for (int h = 0; h < STRIP / 16; h++)
            c[g][h] = _mm512_maskz_loadu_ps(mask[h], out[g] + s.d + 16 * h);
    if (lanes >= STRIP)
        mix_positions(a, type, n, s, true, mask, x, c);
    else
        mix_positions(a, type, n, s, false, mask, x, c);
    for (int g = 0; g < n; g++)
        for (int h = 0; h < STRIP / 16; h++)
            _mm512_mask_storeu_ps(out[g] + s.d + 16 * h, mask[h], c[g][h]);
}

INLINE void weigh(const tern__attention_args *a, const float *x, int64_t t, int64_t end,
                  float to[RUN]) {
    for (int64_t i = t; i < end; i += 16) {
        __mmask16 mask = lanes_below(end - i);
        __m512 p = _mm512_maskz_loadu_ps(mask, x + i);
        p = _mm512_mul_ps(p, _mm512_maskz_loadu_ps(mask, a->row_scales + i));
        _mm512_mask_storeu_ps(to + (i - t), mask, p);
    }
}

INLINE void mix_strip(const tern__attention_args *a, tern__attention_type type, const panel *p,
                      strip s) {
    for (int i = 0; i < p->count; i++) {
        const tile *rows = &p->tiles[i];
        s.is_first = i == 0;
        switch (rows->count) {
        case 1:
            mix_tile(a, type, rows, 1, s);
            break;
        case 2:
            mix_tile(a, type, rows, 2, s);
            break;
        case 3:
            mix_tile(a, type, rows, 3, s);
            break;
        default:
            mix_tile(a, type, rows, GROUP, s);
        }
    }
}

const tern__attention_kernel tern__attention_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .scores = scores,
    .mix = mix,
};
