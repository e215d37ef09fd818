/* SPDX-License-Identifier: MIT
 *
 * Family `attention` for AVX-512: scores of a panel of many query rows, which are the lanes.
 *
 *     queries (head_size, ROWS): element k of all rows of the panel, made once a panel
 *     sums:   2 registers of rows x 4 positions are the accumulators of one partial result; the
 *             rule's tree adds partial results, never lanes, so that nothing is shuffled
 *     scores: (16 positions, ROWS), transposed at last, 16 x 16 at a time
 *
 * No instruction moves elements between lanes, of which the last levels of the tree take one in
 * seven where lanes are elements of a key. Keys of F16 and I8 become F32 once a panel. Elements
 * that a key does not have are no step of a partial result. Lanes without a row and positions that
 * a row does not see hold anything, and are not stored.
 *
 * 32 rows of 2B4T over a cache of F32, up to 512 positions, one thread of an Emerald Rapids Xeon,
 * gcc 12: 82 GFLOP/s of 170; with elements of a key in lanes 60. (Additions are a third of it.) 24
 * rows 1.2 times as fast; 16 rows in a register of their own are no gain. On a Zen it is not
 * measured.
 *
 * To be included by attention_avx512.c behind what it shares with the other walk. */
#ifndef TERN__ATTENTION_QUERIES_AVX512_H
#define TERN__ATTENTION_QUERIES_AVX512_H

enum {
    LANES = 16,
    ROWS = GROUP * PANEL,
    REGISTERS = ROWS / LANES,
    ROWS_MIN = 24,  /* from so many on the kernel is the faster one */
    AT_ONCE = 4,    /* positions of a step */
    HEAD_MAX = 256, /* elements of a key that there is room for */
};

/* Room for a panel. */
typedef struct query_panel {
    _Alignas(64) float queries[HEAD_MAX][ROWS];
    _Alignas(64) float keys[POSITIONS][HEAD_MAX]; /* of F16 and I8 */
    _Alignas(64) float scores[POSITIONS][ROWS];
    const float *key[POSITIONS];
} query_panel;

/* Lane j of x[i] becomes lane i of x[j]. */
INLINE void transpose(__m512 x[LANES]) {
    __m512 y[LANES];
    for (int i = 0; i < LANES; i += 2) {
        y[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4)
        for (int h = 0; h < 2; h++) {
            x[i + 2 * h] = _mm512_shuffle_ps(y[i + h], y[i + h + 2], 0x44);
            x[i + 2 * h + 1] = _mm512_shuffle_ps(y[i + h], y[i + h + 2], 0xee);
        }
    /* x[4 a + b] has in its 128-bit lane l the columns 4 l + b of the rows 4 a .. 4 a + 3. */
    for (int b = 0; b < 4; b++)
        for (int a = 0; a < 2; a++) {
            y[4 * b + 2 * a] = _mm512_shuffle_f32x4(x[8 * a + b], x[8 * a + 4 + b], 0x88);
            y[4 * b + 2 * a + 1] = _mm512_shuffle_f32x4(x[8 * a + b], x[8 * a + 4 + b], 0xdd);
        }
    for (int b = 0; b < 4; b++)
        for (int h = 0; h < 2; h++) {
            x[4 * h + b] = _mm512_shuffle_f32x4(y[4 * b + h], y[4 * b + 2 + h], 0x88);
            x[8 + 4 * h + b] = _mm512_shuffle_f32x4(y[4 * b + h], y[4 * b + 2 + h], 0xdd);
        }
}

/* The row of the panel with this index; the last one for those behind it. */
static inline const tile *tile_of(const panel *p, int row, int *g) {
    const tile *rows = &p->tiles[row / GROUP < p->count ? row / GROUP : p->count - 1];
    *g = row / GROUP < p->count && row % GROUP < rows->count ? row % GROUP : rows->count - 1;
    return rows;
}

static void lay_queries(const tern__attention_args *a, const panel *p, query_panel *to) {
    for (int row = 0; row < ROWS; row += LANES) {
        const float *from[LANES];
        for (int i = 0; i < LANES; i++) {
            int g;
            const tile *of = tile_of(p, row + i, &g);
            from[i] = of->x[g];
        }
        for (int64_t k = 0; k < a->head_size; k += LANES) {
            __mmask16 mask = lanes_below(a->head_size - k);
            __m512 x[LANES];
            for (int i = 0; i < LANES; i++)
                x[i] = _mm512_maskz_loadu_ps(mask, from[i] + k);
            transpose(x);
            for (int i = 0; i < LANES && k + i < a->head_size; i++)
                _mm512_store_ps(to->queries[k + i] + row, x[i]);
        }
    }
}

/* The keys of `count` positions from t on; the last one again up to a whole step. */
INLINE void take_keys(const tern__attention_args *a, tern__attention_type type, int64_t t,
                      int count, query_panel *to) {
    for (int i = 0; i < POSITIONS; i++) {
        const int64_t at = (t + (i < count ? i : count - 1)) * a->row_stride;
        fetch(a, type, at + AHEAD * a->row_stride, a->head_size);
        if (type == TERN__ATTENTION_F32) {
            to->key[i] = (const float *)a->rows + at;
            continue;
        }
        for (int64_t k = 0; k < a->head_size; k += LANES)
            _mm512_store_ps(to->keys[i] + k,
                            load_masked(a, type, at + k, lanes_below(a->head_size - k)));
        to->key[i] = to->keys[i];
    }
}

/* Partial result i of all rows for AT_ONCE keys. */
INLINE void partial(const query_panel *p, const float *const key[AT_ONCE], int64_t head_size,
                    int64_t i, __m512 c[REGISTERS][AT_ONCE]) {
    for (int r = 0; r < REGISTERS; r++)
        for (int j = 0; j < AT_ONCE; j++)
            c[r][j] = _mm512_setzero_ps();
    for (int64_t k = i; k < head_size; k += 64) {
        __m512 q[REGISTERS];
        for (int r = 0; r < REGISTERS; r++)
            q[r] = _mm512_load_ps(p->queries[k] + r * LANES);
        for (int j = 0; j < AT_ONCE; j++) {
            __m512 element = _mm512_set1_ps(key[j][k]);
            for (int r = 0; r < REGISTERS; r++)
                c[r][j] = _mm512_fmadd_ps(q[r], element, c[r][j]);
        }
    }
}

INLINE void add(__m512 to[REGISTERS][AT_ONCE], __m512 c[REGISTERS][AT_ONCE]) {
    for (int r = 0; r < REGISTERS; r++)
        for (int j = 0; j < AT_ONCE; j++)
            to[r][j] = _mm512_add_ps(to[r][j], c[r][j]);
}

/* What the levels s = 32 and s = 16 leave in place of partial result i < 16. */
INLINE void four_partials(const query_panel *p, const float *const key[AT_ONCE], int64_t head_size,
                          int64_t i, __m512 c[REGISTERS][AT_ONCE]) {
    __m512 d[REGISTERS][AT_ONCE], e[REGISTERS][AT_ONCE];
    partial(p, key, head_size, i, c);
    partial(p, key, head_size, i + 32, d);
    add(c, d);
    partial(p, key, head_size, i + 16, d);
    partial(p, key, head_size, i + 48, e);
    add(d, e);
    add(c, d);
}

/* The sums of AT_ONCE positions. */
INLINE void score_step(query_panel *p, int position, int64_t head_size) {
    __m512 left[8][REGISTERS][AT_ONCE];
    for (int i = 0; i < 16; i++) {
        __m512 c[REGISTERS][AT_ONCE];
        four_partials(p, p->key + position, head_size, i, c);
        if (i >= 8)
            add(c, left[i - 8]);
        for (int r = 0; r < REGISTERS; r++)
            for (int j = 0; j < AT_ONCE; j++)
                left[i % 8][r][j] = c[r][j];
    }
    for (int r = 0; r < REGISTERS; r++)
        for (int j = 0; j < AT_ONCE; j++) {
            __m512 c[8];
            for (int i = 0; i < 8; i++)
                c[i] = left[i][r][j];
            for (int s = 4; s >= 1; s /= 2)
                for (int i = 0; i < s; i++)
                    c[i] = _mm512_add_ps(c[i], c[i + s]);
            _mm512_store_ps(p->scores[position + j] + r * LANES, c[0]);
        }
}

/* Scales the sums of 16 rows from `row` on and hands out those that their rows see. */
static void give_scores(const tern__attention_args *a, const panel *of, const query_panel *p,
                        int row, int rows, int64_t t) {
    __m512 x[LANES];
    for (int i = 0; i < LANES; i++)
        x[i] = _mm512_load_ps(p->scores[i] + row);
    transpose(x);
    for (int i = 0; i < LANES && row + i < rows; i++) {
        int g;
        const tile *to = tile_of(of, row + i, &g);
        __mmask16 mask = lanes_below(to->length[g] - t);
        if (a->type == TERN__ATTENTION_I8)
            x[i] = _mm512_mul_ps(x[i], _mm512_maskz_loadu_ps(mask, a->row_scales + t));
        x[i] = _mm512_mul_ps(x[i], _mm512_set1_ps(a->scale));
        _mm512_mask_storeu_ps(to->out[g] + t, mask, x[i]);
    }
}

static bool is_wide(const tern__attention_args *a, int rows) {
    return rows >= ROWS_MIN && a->head_size <= HEAD_MAX;
}

/* The sums of `count` positions. A head size that many models have is a constant, which leaves no
 * loop in a partial result: 1.17 times as fast, with clang 14 1.09 times. */
static void score_block(query_panel *p, int count, int64_t head_size) {
    enum { USUAL = 128 };
    for (int i = 0; i < count; i += AT_ONCE)
        if (head_size == USUAL)
            score_step(p, i, USUAL);
        else
            score_step(p, i, head_size);
}

static void score_queries(const tern__attention_args *a, const panel *of, int rows) {
    query_panel p;
    const int64_t end = last_length(&of->tiles[of->count - 1]);
    lay_queries(a, of, &p);
    for (int64_t t = 0; t < end; t += POSITIONS) {
        int count = end - t < POSITIONS ? (int)(end - t) : POSITIONS;
        if (a->type == TERN__ATTENTION_F16)
            take_keys(a, TERN__ATTENTION_F16, t, count, &p);
        else if (a->type == TERN__ATTENTION_I8)
            take_keys(a, TERN__ATTENTION_I8, t, count, &p);
        else
            take_keys(a, TERN__ATTENTION_F32, t, count, &p);
        score_block(&p, count, a->head_size);
        for (int row = 0; row < ROWS; row += LANES)
            give_scores(a, of, &p, row, rows, t);
    }
}

#endif
