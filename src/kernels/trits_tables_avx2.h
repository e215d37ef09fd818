/* SPDX-License-Identifier: MIT
 *
 * Many columns of ternary weights with AVX2: products are looked up instead of multiplied. A byte
 * of the lines of `trits4` (packed_lines.h) is four trits of a row, one of 81; the 81 sums that
 * they can make of four activations of COLUMNS columns are a table in L1, an entry one vector of
 * int16. A row adds the entry that its byte names: one vpaddw from memory is 64 products, for which
 * packed_avx2.h needs two vpmaddubsw, two vpaddw and a part of two broadcasts. Vectors of tokens in
 * such tables: "Vec-LUT: Vector Table Lookup for Parallel Ultra-Low-Bit LLM Inference on Edge
 * Devices" (2025); the idea is that of Arlazarov, Dinic, Kronrod and Faradzev (1970).
 *
 * For COLUMNS columns and STEP_K k, the eight bytes of a row in two lines, tables are made and all
 * rows add their entries to sums of int16, which are read from L2 and go back there; every SLAB k
 * these join sums of int32, which are written to `out` when all k are done. Making the tables takes
 * as long as some 350 rows gain by them. Weights that are packed otherwise are recoded to such
 * lines first, a slab at a time for BLOCKS blocks of columns.
 *
 * Bounds, int16: an entry is in [-4 * 128, 4 * 128], the SLAB / 4 <= 56 of a slab in [-28672,
 * 28672]. int32: 128 * K = 2^25 at K = 2^18. Exact in any order.
 *
 * Tables. A byte is c0 + 4 * c1 + 16 * c2 + 64 * c3 with codes 0, 1, 2; its entry is in line `byte`
 * of its table, of 256 lines of which 81 are used. A line has two entries: those of the same byte
 * of either line of codes. Lines of a cache meet in 64 sets, so a table uses 27 sets three times;
 * table b begins b * APART lines behind a multiple of 64, which leaves at most nine lines to a set.
 *
 * Measured on a Xeon of family 6 model 207 at 3.0 GHz, one thread, 2560 x 2560 and 512 columns, in
 * turns with packed_avx2.h, while the core is not shared: trits4 160 to 165 Gproducts/s against
 * 122, trits5 136 against 115, of which 12 % is recoding. 512 rows and 48 columns: 1.15 and 1.08
 * times. Of the time of trits4 80 % are additions, 8 % tables, 7 % sums of int32; a row takes 7
 * cycles for STEP_K, 36 operations. Offsets of entries that were made before, in tables without
 * gaps, are no faster; two vectors of columns in an entry and half of the tables 7 % slower: sums
 * are twice the traffic with L2. ROWS_AT_ONCE 1280: 4 %, 640: 14 % slower. Both entries of a line
 * made together: the same.
 *
 * A variant includes this behind packed_avx2.h, of which it uses unpack(), lines and rows. */
#ifndef TERN__TRITS_TABLES_AVX2_H
#define TERN__TRITS_TABLES_AVX2_H

#include "kernels/packed_avx2.h"

enum {
    COLUMNS = 16,       /* of a block */
    COLUMNS_LEAST = 12, /* from so many on the last ones make a block */
    DIGITS = 4,         /* trits of a byte */
    BYTES = 4,          /* of a row in a line */
    CODES_K = DIGITS * BYTES,
    CODES_LINE = ROWS * BYTES,
    STEP_LINES = 2,
    STEP_K = STEP_LINES * CODES_K,
    IS_RECODED = UNIT != TERN__TRITS4_UNIT,
    BLOCKS = IS_RECODED ? 3 : 1, /* for which a slab is recoded */
    SLAB = IS_RECODED ? 192 : 224,
    TABLE_LINES = 256, /* and 64 between its end and the next one's beginning */
    APART = 13,
    ROWS_AT_ONCE = IS_RECODED ? 1280 : 2560,
    PANELS_LEAST = 32,        /* whose rows gain more than the tables take */
    TABLES_Q_BYTES = 1 << 17, /* 48 columns of K = 2560: there is nothing to gain by more */
};

typedef struct tables_scratch {
    __m256i lines[BYTES][TABLE_LINES + 64][STEP_LINES];
    __m256i x[STEP_K]; /* activations of the columns */
    __m256i added[ROWS_AT_ONCE];
    __m256i totals[BLOCKS][ROWS_AT_ONCE][2];
    __m256i recoded[IS_RECODED ? ROWS_AT_ONCE * SLAB / DIGITS / 32 : 1];
} tables_scratch;

_Static_assert(sizeof(tables_scratch) <= TERN__PACKED_SCRATCH, "what callers have");
_Static_assert((BYTES - 1) * APART <= 64, "tables end before the next one begins");
_Static_assert(SLAB % STEP_K == 0 && SLAB % UNIT == 0, "whole steps and lines");

/* Rows of some panels, at most ROWS_AT_ONCE, and at most COLUMNS columns. */
typedef struct sweep {
    const tern__packed_args *args;
    int64_t panel, panels;
    int64_t n, columns;
} sweep;

/* Lines of `trits4`: a panel's one behind the other, panels apart. */
typedef struct code_lines {
    const uint8_t *first;
    int64_t apart;
} code_lines;

/* Those of the k [k, end), at most SLAB. */
static code_lines lines_of(const sweep *s, int64_t k, int64_t end, tables_scratch *scratch) {
    if (!IS_RECODED)
        return (code_lines){line_at(s->args, s->panel, k), s->args->k / CODES_K * CODES_LINE};
    __m256i codes[SLAB / 4][2], *to = scratch->recoded;
    const int64_t lines = (end - k) / CODES_K;
    for (int64_t i = 0; i < s->panels; i++) {
        unpack(line_at(s->args, s->panel + i, k), (end - k) / UNIT, codes);
        for (int64_t line = 0; line < lines; line++)
            for (int half = 0; half < 2; half++, to++) {
                *to = codes[4 * line + 3][half];
                for (int p = 2; p >= 0; p--)
                    *to = _mm256_or_si256(_mm256_slli_epi16(*to, 2), codes[4 * line + p][half]);
            }
    }
    return (code_lines){(const uint8_t *)scratch->recoded, lines * CODES_LINE};
}

/* Of CODES_K k: rows of activations to a vector for each k. Columns that are not there are 0. */
static void load_activations(const sweep *s, int64_t k, __m256i *x) {
    const int8_t *q = s->args->q + s->n * s->args->q_stride + k;
    __m128i a[COLUMNS], b[COLUMNS];
    for (int64_t c = 0; c < COLUMNS; c++)
        a[c] = c < s->columns ? _mm_loadu_si128((const __m128i *)(q + c * s->args->q_stride))
                              : _mm_setzero_si128();
    /* A round is a perfect shuffle of all bytes; four of them transpose. */
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < COLUMNS / 2; i++) {
            b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + COLUMNS / 2]);
            b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + COLUMNS / 2]);
        }
        memcpy(a, b, sizeof a);
    }
    for (int i = 0; i < CODES_K; i++)
        x[i] = _mm256_cvtepi8_epi16(a[i]);
}

/* Of the byte `b` of a row in `lines` lines: line c0 + 4 * c1 + 16 * c2 + 64 * c3 gets the sum of
 * (c_p - 1) * x[4 * p + b]. */
ALWAYS_INLINE void make_table(tables_scratch *scratch, int b, const int lines) {
    __m256i(*table)[STEP_LINES] = scratch->lines[b] + b * APART;
    for (int line = 0; line < lines; line++) {
        const __m256i *x = scratch->x + line * CODES_K + b;
        const __m256i x0 = x[0], x1 = x[4], x2 = x[8], x3 = x[12];
        __m256i sum3 = _mm256_add_epi16(_mm256_add_epi16(x0, x1), _mm256_add_epi16(x2, x3));
        sum3 = _mm256_sub_epi16(_mm256_setzero_si256(), sum3);
        for (int c3 = 0; c3 < 3; c3++, sum3 = _mm256_add_epi16(sum3, x3)) {
            __m256i sum2 = sum3;
            for (int c2 = 0; c2 < 3; c2++, sum2 = _mm256_add_epi16(sum2, x2)) {
                __m256i sum1 = sum2;
                for (int c1 = 0; c1 < 3; c1++, sum1 = _mm256_add_epi16(sum1, x1)) {
                    __m256i(*to)[STEP_LINES] = table + 64 * c3 + 16 * c2 + 4 * c1;
                    const __m256i next = _mm256_add_epi16(sum1, x0);
                    to[0][line] = sum1;
                    to[1][line] = next;
                    to[2][line] = _mm256_add_epi16(next, x0);
                }
            }
        }
    }
}

/* The sum of the entries that four bytes of a row name: `tables` is that of the first one. */
ALWAYS_INLINE __m256i entries(const __m256i (*tables)[STEP_LINES], const uint8_t *bytes) {
    enum { LINE_BITS = 6, BYTE_BITS = 8, MASK = 0xff << LINE_BITS };
    const size_t next = (TABLE_LINES + 64 + APART) * sizeof *tables;
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    __asm__("" : "+r"(word)); /* else gcc 12 reads it once more for each of them */
    __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int b = 0; b < BYTES; b++) {
        const int down = (BYTE_BITS * b + 32 - LINE_BITS) % 32;
        const size_t offset = (word >> down | word << (32 - down)) & MASK;
        const uint8_t *entry = (const uint8_t *)tables + b * next + offset;
        sum = _mm256_add_epi16(sum, *(const __m256i *)(const void *)entry);
    }
    return sum;
}

/* The bytes of all rows in `lines` lines. */
ALWAYS_INLINE void add_entries(const sweep *s, code_lines from, tables_scratch *scratch,
                               const int lines, const bool is_first) {
    enum { AHEAD = 4 }; /* panels */
    const uint8_t *line = from.first;
    __m256i *to = scratch->added;
    for (int64_t i = 0; i < s->panels; i++, line += from.apart, to += ROWS) {
        for (int l = 0; l < lines; l++)
            _mm_prefetch((const char *)line + AHEAD * from.apart + l * CODES_LINE, _MM_HINT_T0);
#pragma GCC unroll 2
        for (int row = 0; row < ROWS; row++) {
            __m256i sum = is_first ? _mm256_setzero_si256() : to[row];
            for (int l = 0; l < lines; l++)
                sum = _mm256_add_epi16(
                    sum, entries((const __m256i(*)[STEP_LINES])(scratch->lines[0][0] + l),
                                 line + l * CODES_LINE + BYTES * row));
            to[row] = sum;
        }
    }
}

ALWAYS_INLINE void run_step(const sweep *s, int64_t k, code_lines from, tables_scratch *scratch,
                            const int lines, const bool is_first) {
    for (int l = 0; l < lines; l++)
        load_activations(s, k + l * CODES_K, scratch->x + l * CODES_K);
    for (int b = 0; b < BYTES; b++)
        make_table(scratch, b, lines);
    add_entries(s, from, scratch, lines, is_first);
}

static void run_slab(const sweep *s, int64_t begin, int64_t end, code_lines from,
                     tables_scratch *scratch) {
    for (int64_t k = begin; k < end; k += STEP_K, from.first += STEP_LINES * CODES_LINE) {
        if (end - k < STEP_K)
            run_step(s, k, from, scratch, 1, k == begin);
        else if (k == begin)
            run_step(s, k, from, scratch, STEP_LINES, true);
        else
            run_step(s, k, from, scratch, STEP_LINES, false);
    }
}

static void join_sums(const sweep *s, const __m256i *sum, __m256i (*total)[2], bool is_first) {
    for (int64_t row = 0; row < s->panels * ROWS; row++) {
        const __m128i half[2] = {_mm256_castsi256_si128(sum[row]),
                                 _mm256_extracti128_si256(sum[row], 1)};
        for (int i = 0; i < 2; i++) {
            const __m256i before = is_first ? _mm256_setzero_si256() : total[row][i];
            total[row][i] = _mm256_add_epi32(before, _mm256_cvtepi16_epi32(half[i]));
        }
    }
}

/* 8 rows of 8 columns. */
ALWAYS_INLINE void transpose(const __m256i (*totals)[2], int half, __m256i t[8]) {
    __m256i a[8], b[8];
    for (int i = 0; i < 8; i++)
        t[i] = totals[i][half];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_epi32(t[i], t[i + 1]);
        a[i + 1] = _mm256_unpackhi_epi32(t[i], t[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + 2 * j] = _mm256_unpacklo_epi64(a[i + j], a[i + j + 2]);
            b[i + 2 * j + 1] = _mm256_unpackhi_epi64(a[i + j], a[i + j + 2]);
        }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
        t[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    }
}

static void store_totals(const sweep *s, const __m256i (*totals)[2]) {
    const tern__packed_args *args = s->args;
    for (int64_t i = 0; i < s->panels; i++, totals += ROWS)
        for (int half = 0; half < 2; half++) {
            const int64_t row = (s->panel + i) * ROWS, first = 8 * half;
            __m256i low[8], high[8];
            transpose(totals, half, low);
            transpose(totals + 8, half, high);
            for (int64_t c = 0; c < smaller(8, s->columns - first); c++)
                store_rows(args->out + (s->n + first + c) * args->out_stride + row, args->m - row,
                           (const __m256i[2]){low[c], high[c]});
        }
}

/* All columns of s->args, a few blocks at a time. */
static void run_rows(sweep s, tables_scratch *scratch) {
    const tern__packed_args *args = s.args;
    for (int64_t first = 0; first < args->n; first += BLOCKS * COLUMNS) {
        const int64_t behind = smaller(first + BLOCKS * COLUMNS, args->n);
        for (int64_t k = args->k_begin; k < args->k_end; k += SLAB) {
            const int64_t end = smaller(k + SLAB, args->k_end);
            const code_lines from = lines_of(&s, k, end, scratch);
            for (s.n = first; s.n < behind; s.n += COLUMNS) {
                s.columns = smaller(COLUMNS, behind - s.n);
                run_slab(&s, k, end, from, scratch);
                join_sums(&s, scratch->added, scratch->totals[(s.n - first) / COLUMNS],
                          k == args->k_begin);
            }
        }
        for (s.n = first; s.n < behind; s.n += COLUMNS) {
            s.columns = smaller(COLUMNS, behind - s.n);
            store_totals(&s, (const __m256i(*)[2])scratch->totals[(s.n - first) / COLUMNS]);
        }
    }
}

/* Panels of ROWS rows in equal parts. */
static void run_tables(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    const int64_t panels = panel_end - panel_begin, most = ROWS_AT_ONCE / ROWS;
    const int64_t parts = (panels + most - 1) / most;
    for (int64_t part = 0; part < parts; part++) {
        sweep s = {.args = args, .panel = panel_begin + panels * part / parts};
        s.panels = panel_begin + panels * (part + 1) / parts - s.panel;
        run_rows(s, args->scratch);
    }
}

/* The columns that are worth it by tables, others by run(). */
static void run_many(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    int64_t columns = args->n / COLUMNS * COLUMNS;
    if (args->n - columns >= COLUMNS_LEAST)
        columns = args->n;
    if (panel_end - panel_begin < PANELS_LEAST || args->k_begin == args->k_end)
        columns = 0;
    tern__packed_args some = *args;
    some.n = columns;
    run_tables(&some, panel_begin, panel_end);
    if (columns < args->n) {
        some.n = args->n - columns;
        some.q += columns * some.q_stride;
        some.q_sum += columns;
        some.out += columns * some.out_stride;
        run(&some, panel_begin, panel_end);
    }
}

#endif
