/* SPDX-License-Identifier: MIT
 *
 * Many columns of family `trits4` with AVX2: products are looked up instead of multiplied. A byte
 * of packed weights is four trits of a row, one of 81; the 81 sums that they can make of four
 * activations of COLUMNS columns are a table in L1, an entry one vector of int16. A row adds the
 * entry that its byte names: one vpaddw from memory is 64 products, for which packed_avx2.h needs
 * two vpmaddubsw, two vpaddw and a part of two broadcasts. Vectors of tokens in such tables:
 * "Vec-LUT: Vector Table Lookup for Parallel Ultra-Low-Bit LLM Inference on Edge Devices" (2025);
 * the idea is that of Arlazarov, Dinic, Kronrod and Faradzev (1970).
 *
 * For COLUMNS columns and STEP_K k, the eight bytes of a row in two lines, tables are made and all
 * rows add their entries to sums of int16, which are read from L2 and go back there; every SLAB k
 * these join sums of int32, which are written to `out` when all k are done. Making the tables takes
 * as long as some 350 rows gain by them.
 *
 * Bounds, int16: an entry is in [-4 * 128, 4 * 128], the SLAB / 4 = 56 of a slab in [-28672,
 * 28672]. int32: 128 * K = 2^25 at K = 2^18. Exact in any order.
 *
 * Tables. A byte is c0 + 4 * c1 + 16 * c2 + 64 * c3 with codes 0, 1, 2; its entry is in line `byte`
 * of its table, of 256 lines of which 81 are used. A line has two entries: those of the same byte
 * of either line of packed weights. Lines of a cache meet in 64 sets, so a table uses 27 sets three
 * times; table b begins b * APART lines behind a multiple of 64, which leaves at most nine lines to
 * a set.
 *
 * Measured on a Xeon of family 6 model 207 at 3.0 GHz, one thread, 2560 x 2560 and 512 columns, in
 * turns with packed_avx2.h: 160 to 165 Gproducts/s against 122, 1.3 times; 512 rows and 48 columns
 * 1.15 times. Of the time 80 % are additions, 8 % tables, 7 % sums of int32; a row takes 7 cycles
 * for STEP_K, 36 operations. Offsets of entries that were made before, in tables without gaps, are
 * no faster; two vectors of columns in an entry and half of the tables 7 % slower: sums are twice
 * the traffic with L2. ROWS_AT_ONCE 1280: 4 %, 640: 14 % slower. Both entries of a line made
 * together: the same. */
#ifndef TERN__TRITS4_TABLES_AVX2_H
#define TERN__TRITS4_TABLES_AVX2_H

#include "kernels/packed_avx2.h"

enum {
    COLUMNS = 16,       /* of a block */
    COLUMNS_LEAST = 12, /* from so many on the last ones make a block */
    DIGITS = 4,         /* trits of a byte */
    BYTES = 4,          /* of a row in a line */
    STEP_LINES = 2,
    STEP_K = STEP_LINES * UNIT,
    SLAB = 7 * STEP_K,
    LINES = 256, /* of a table, and those between its beginning and the next one's */
    APART = 13,
    ROWS_AT_ONCE = 2560,
    PANELS_LEAST = 32,        /* whose rows gain more than the tables take */
    TABLES_Q_BYTES = 1 << 17, /* 48 columns of K = 2560: there is nothing to gain by more */
};

typedef struct tables_scratch {
    __m256i lines[BYTES][LINES + 64][STEP_LINES];
    __m256i x[STEP_K]; /* activations of the columns */
    __m256i sums[ROWS_AT_ONCE];
    __m256i totals[ROWS_AT_ONCE][2];
} tables_scratch;

_Static_assert(sizeof(tables_scratch) <= TERN__PACKED_SCRATCH, "what callers have");
_Static_assert((BYTES - 1) * APART <= 64, "tables end in their lines");

/* Rows of some panels, at most ROWS_AT_ONCE, and at most COLUMNS columns. */
typedef struct sweep {
    const tern__packed_args *args;
    int64_t panel, panels;
    int64_t n, columns;
} sweep;

/* Of 16 k: rows of activations to a vector for each k. What is not there is 0. */
static void load_activations(const sweep *s, int64_t k, __m256i *x) {
    const int64_t there = smaller(UNIT, s->args->k_end - k);
    __m128i a[COLUMNS], b[COLUMNS];
    for (int64_t c = 0; c < COLUMNS; c++)
        a[c] = there <= 0 || c >= s->columns
                   ? _mm_setzero_si128()
                   : _mm_loadu_si128(
                         (const __m128i *)(s->args->q + (s->n + c) * s->args->q_stride + k));
    /* A round is a perfect shuffle of all bytes; four of them transpose. */
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < COLUMNS / 2; i++) {
            b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + COLUMNS / 2]);
            b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + COLUMNS / 2]);
        }
        memcpy(a, b, sizeof a);
    }
    for (int i = 0; i < UNIT; i++)
        x[i] = _mm256_cvtepi8_epi16(a[i]);
}

/* Of the byte `b` of a row in `lines` lines: line c0 + 4 * c1 + 16 * c2 + 64 * c3 gets the sum of
 * (c_p - 1) * x[4 * p + b]. */
ALWAYS_INLINE void make_table(tables_scratch *scratch, int b, const int lines) {
    __m256i(*table)[STEP_LINES] = scratch->lines[b] + b * APART;
    for (int line = 0; line < lines; line++) {
        const __m256i *x = scratch->x + line * UNIT + b;
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
    const size_t next = (LINES + 64 + APART) * sizeof *tables;
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

/* The bytes of all rows in `lines` lines from k on. */
ALWAYS_INLINE void add_entries(const sweep *s, int64_t k, tables_scratch *scratch, const int lines,
                               const bool is_first) {
    const int64_t panel_bytes = s->args->k / UNIT * LINE;
    const uint8_t *line = line_at(s->args, s->panel, k);
    __m256i *into = scratch->sums;
    for (int64_t i = 0; i < s->panels; i++, line += panel_bytes, into += ROWS) {
        for (int l = 0; l < lines; l++)
            _mm_prefetch((const char *)line + 4 * panel_bytes + l * LINE, _MM_HINT_T0);
#pragma GCC unroll 2
        for (int row = 0; row < ROWS; row++) {
            __m256i sum = is_first ? _mm256_setzero_si256() : into[row];
            for (int l = 0; l < lines; l++)
                sum = _mm256_add_epi16(
                    sum, entries((const __m256i(*)[STEP_LINES])(scratch->lines[0][0] + l),
                                 line + l * LINE + BYTES * row));
            into[row] = sum;
        }
    }
}

ALWAYS_INLINE void run_step(const sweep *s, int64_t k, tables_scratch *scratch, const int lines,
                            const bool is_first) {
    for (int l = 0; l < lines; l++)
        load_activations(s, k + l * UNIT, scratch->x + l * UNIT);
    for (int b = 0; b < BYTES; b++)
        make_table(scratch, b, lines);
    add_entries(s, k, scratch, lines, is_first);
}

static void join_sums(const sweep *s, tables_scratch *scratch, bool is_first) {
    for (int64_t row = 0; row < s->panels * ROWS; row++) {
        const __m256i sum = scratch->sums[row];
        const __m128i half[2] = {_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1)};
        for (int i = 0; i < 2; i++) {
            __m256i *total = &scratch->totals[row][i];
            const __m256i before = is_first ? _mm256_setzero_si256() : *total;
            *total = _mm256_add_epi32(before, _mm256_cvtepi16_epi32(half[i]));
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

static void store_totals(const sweep *s, const tables_scratch *scratch) {
    const tern__packed_args *args = s->args;
    for (int64_t i = 0; i < s->panels; i++)
        for (int half = 0; half < 2; half++) {
            const __m256i(*totals)[2] = scratch->totals + i * ROWS;
            const int64_t row = (s->panel + i) * ROWS, first = 8 * half;
            __m256i low[8], high[8];
            transpose(totals, half, low);
            transpose(totals + 8, half, high);
            for (int64_t c = 0; c < smaller(8, s->columns - first); c++)
                store_rows(args->out + (s->n + first + c) * args->out_stride + row, args->m - row,
                           (const __m256i[2]){low[c], high[c]});
        }
}

static void run_sweep(const sweep *s, tables_scratch *scratch) {
    const tern__packed_args *args = s->args;
    for (int64_t slab = args->k_begin; slab < args->k_end; slab += SLAB) {
        const int64_t end = smaller(slab + SLAB, args->k_end);
        for (int64_t k = slab; k < end; k += STEP_K) {
            if (end - k < STEP_K)
                run_step(s, k, scratch, 1, k == slab);
            else if (k == slab)
                run_step(s, k, scratch, STEP_LINES, true);
            else
                run_step(s, k, scratch, STEP_LINES, false);
        }
        join_sums(s, scratch, slab == args->k_begin);
    }
    store_totals(s, scratch);
}

/* The panels in equal parts. */
static void run_tables(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    const int64_t panels = panel_end - panel_begin, most = ROWS_AT_ONCE / ROWS;
    const int64_t parts = (panels + most - 1) / most;
    for (int64_t part = 0; part < parts; part++) {
        sweep s = {.args = args, .panel = panel_begin + panels * part / parts};
        s.panels = panel_begin + panels * (part + 1) / parts - s.panel;
        for (; s.n < args->n; s.n += COLUMNS) {
            s.columns = smaller(COLUMNS, args->n - s.n);
            run_sweep(&s, args->scratch);
        }
    }
}

static void run_trits4(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
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
