/* SPDX-License-Identifier: MIT
 *
 * Few columns of ternary weights with AVX2: sums of three products are looked up instead of
 * multiplied. Three trits t0, t1, t2 are a number n = t0 + 3 * t1 + 9 * t2 in -13 .. 13; its
 * magnitude picks one of the sums that three activations make, vpsignb gives the sum the sign of n.
 * Lanes are rows, so that one vpshufb looks up 32 numbers. Look-ups with such lanes: "T-MAC: CPU
 * Renaissance via Table Lookup for Low-Bit LLM Deployment on Edge" (2024); signs beside magnitudes:
 * TL2 of bitnet.cpp. Here all sums are exact.
 *
 * Lines are those of a variant: UNITS units of GROUPS numbers of 16 rows. The tables of a line are
 * LINE_TABLES vectors: entry |n| + 1 of lane u of vector g is the high part of the sum v of group g
 * of unit u, of vector GROUPS + g the low part: v = 31 * high + low.
 *
 * Bounds. |v| <= 3 * 128 = 384, high is the integer nearest to v / 31 (vpmulhrsw by 1057 = 32768 /
 * 31 is: v / 31 is at least 1 / 62 away from a half, the factor's error makes 384 * 0.03 / 32768),
 * so |high| <= 12 and |low| <= 15. int8: the 8 groups of a line add 96 and 120 at most. int16: 31 *
 * high + low of the sums is again a sum of products, of 24 k: |.| <= 3072; LINES_ADDED of them
 * 30720. int32: packed.h.
 *
 * A line's 768 weights take 69 vector operations (16 vpshufb, 16 vpsignb, 14 vpaddb; 17 for
 * indices and signs; 6 to widen), those of trits4_avx2.c 78: 33 weights a cycle with three vector
 * ports and 29. On a Xeon of family 6 model 207 that is what one thread reaches from L2 while its
 * processor is not shared (33 and 28); the tables of K = 2560 take 1.4 us. With lines of 16 rows at
 * a time tables are read twice as often: from memory with two threads up to a tenth slower at K =
 * 6912, whose tables are 74 KB.
 *
 * A variant defines GROUPS, UNITS, LINE_VECTORS, load_line() and index_of(), and includes this
 * behind packed_avx2.h. */
#ifndef TERN__PACKED_LOOKUPS_AVX2_H
#define TERN__PACKED_LOOKUPS_AVX2_H

#include "kernels/packed_avx2.h"

enum {
    BASE = 31,         /* of the two parts */
    RECIPROCAL = 1057, /* of BASE, for vpmulhrsw */
    LINES_ADDED = 10,  /* added in int16 */
    LINE_TABLES = 2 * GROUPS,
    WOVEN_BYTES = WOVEN * LINE, /* used at a time, with the same tables */
    FETCH_LINES = 52,           /* of a block that is fetched from */
    TURNS = 4,                  /* places, about a page apart */
};

_Static_assert(LINES_ADDED *GROUPS * 3 * 128 < 32768, "int16");
_Static_assert(WOVEN_BYTES % CACHE_LINE == 0 && FETCH_LINES % TURNS == 0, "whole cache lines");
_Static_assert(UNITS == 2 && GROUPS == 8, "lanes of tables");

/* -- Tables ------------------------------------------------------------------------------------*/

/* The eight activations of one trit of the groups of both units, as int16. */
ALWAYS_INLINE __m256i trit_of_groups(const int8_t *q) {
    const __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)q);
    const __m128i second = _mm_loadl_epi64((const __m128i *)(const void *)(q + 3 * GROUPS));
    return _mm256_cvtepi8_epi16(_mm_unpacklo_epi64(first, second));
}

/* Of each lane: the high parts of 8 sums, then the low ones. */
ALWAYS_INLINE __m256i in_parts(__m256i v) {
    const __m256i high = _mm256_mulhrs_epi16(v, _mm256_set1_epi16(RECIPROCAL));
    const __m256i back = _mm256_mullo_epi16(high, _mm256_set1_epi16(BASE));
    return _mm256_packs_epi16(high, _mm256_sub_epi16(v, back));
}

/* (entries, parts of groups) to (parts of groups, entries) in both lanes. */
ALWAYS_INLINE void transpose_tables(__m256i a[16]) {
    __m256i b[16];
    /* Each round is a perfect shuffle of the rows; four of them turn rows into columns. */
#pragma GCC unroll 4
    for (int round = 0; round < 4; round++) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            b[2 * i] = _mm256_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm256_unpackhi_epi8(a[i], a[i + 8]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            a[i] = b[i];
    }
}

static void tabulate(const int8_t *q, int64_t k, void *tables) {
    __m256i *table = tables;
    for (int64_t i = 0; i < k; i += UNIT, q += UNIT, table += LINE_TABLES) {
        const __m256i a = trit_of_groups(q);
        const __m256i b = trit_of_groups(q + GROUPS);
        const __m256i c = trit_of_groups(q + 2 * GROUPS);
        const __m256i sum = _mm256_add_epi16(b, a), difference = _mm256_sub_epi16(b, a);
        __m256i entry[16] = {
            _mm256_setzero_si256(),
            _mm256_setzero_si256(),
            in_parts(a),
            in_parts(difference),
            in_parts(b),
            in_parts(sum),
            in_parts(_mm256_sub_epi16(c, sum)),
            in_parts(_mm256_sub_epi16(c, b)),
            in_parts(_mm256_sub_epi16(c, difference)),
            in_parts(_mm256_sub_epi16(c, a)),
            in_parts(c),
            in_parts(_mm256_add_epi16(c, a)),
            in_parts(_mm256_add_epi16(c, difference)),
            in_parts(_mm256_add_epi16(c, b)),
            in_parts(_mm256_add_epi16(c, sum)),
            _mm256_setzero_si256(),
        };
        transpose_tables(entry);
#pragma GCC unroll 16
        for (int t = 0; t < LINE_TABLES; t++)
            _mm256_store_si256(table + t, entry[t]);
    }
}

/* -- Sums --------------------------------------------------------------------------------------*/

/* sum (2): int16 of rows 0..7 and 8..15 of both units. */
ALWAYS_INLINE void add_line(const uint8_t *line, const __m256i *table, __m256i sum[2]) {
    __m256i w[LINE_VECTORS], sign = _mm256_setzero_si256();
    __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
    load_line(line, w);
#pragma GCC unroll 8
    for (int g = 0; g < GROUPS; g++) {
        const __m256i index = index_of(w, g);
        sign = g % 4 == 0 ? w[g / 4] : _mm256_add_epi8(sign, sign);
        const __m256i h = _mm256_shuffle_epi8(_mm256_load_si256(table + g), index);
        const __m256i l = _mm256_shuffle_epi8(_mm256_load_si256(table + GROUPS + g), index);
        high = _mm256_add_epi8(high, _mm256_sign_epi8(h, sign));
        low = _mm256_add_epi8(low, _mm256_sign_epi8(l, sign));
    }
    const __m256i factors = _mm256_set1_epi16(BASE << 8 | 1);
    const __m256i parts[2] = {_mm256_unpacklo_epi8(low, high), _mm256_unpackhi_epi8(low, high)};
    for (int half = 0; half < 2; half++)
        sum[half] = _mm256_add_epi16(sum[half], _mm256_maddubs_epi16(factors, parts[half]));
}

/* Fetches lines ahead, as many as are used at a time: to L2 from TURNS places of the block behind
 * this one in turn, where the processor prefetches within pages (packed_lines.h). The lines
 * are the at-th of their block. */
ALWAYS_INLINE void prefetch_lines(const uint8_t *lines, int64_t at, const bool in_pages) {
    const int64_t place = FETCH_LINES - at + at % TURNS * (FETCH_LINES / TURNS) + at / TURNS;
    const uint8_t *far = lines + (in_pages ? place * WOVEN_BYTES : FAR);
    for (int i = 0; i < WOVEN_BYTES; i += CACHE_LINE) {
        _mm_prefetch((const char *)lines + NEAR + i, _MM_HINT_T0);
        _mm_prefetch((const char *)far + i, _MM_HINT_T1);
    }
}

ALWAYS_INLINE __m256i both_units(__m256i sum) {
    return _mm256_add_epi32(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(sum)),
                            _mm256_cvtepi16_epi32(_mm256_extracti128_si256(sum, 1)));
}

/* WOVEN panels from `panel` on and one column. */
ALWAYS_INLINE void add_panels(const tern__packed_args *args, int64_t panel, int64_t column,
                              const bool in_pages) {
    const __m256i *table = args->tables;
    table += (column * args->k + args->k_begin) / UNIT * LINE_TABLES;
    const uint8_t *line = line_at(args, panel, args->k_begin);
    int64_t at = (line - args->packed) / WOVEN_BYTES % FETCH_LINES;
    __m256i total[WOVEN][2] = {{_mm256_setzero_si256()}};
    for (int64_t left = (args->k_end - args->k_begin) / UNIT; left > 0; left -= LINES_ADDED) {
        __m256i sum[WOVEN][2] = {{_mm256_setzero_si256()}};
        const int64_t lines = smaller(left, LINES_ADDED);
        for (int64_t i = 0; i < lines; i++, line += WOVEN_BYTES, table += LINE_TABLES) {
            prefetch_lines(line, at, in_pages);
            at = at == FETCH_LINES - 1 ? 0 : at + 1;
            for (int w = 0; w < WOVEN; w++)
                add_line(line + w * LINE, table, sum[w]);
        }
        for (int w = 0; w < WOVEN; w++)
            for (int half = 0; half < 2; half++)
                total[w][half] = _mm256_add_epi32(total[w][half], both_units(sum[w][half]));
    }
    for (int64_t w = 0, row = panel * ROWS; w < WOVEN && row < args->m; w++, row += ROWS)
        store_rows(args->out + column * args->out_stride + row, args->m - row, total[w]);
}

/* All columns have tables; after the first one a panel lies in a cache. */
static void run_lookups(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    for (int64_t panel = panel_begin; panel < panel_end; panel += WOVEN)
        for (int64_t column = 0; column < args->n; column++) {
            if (args->prefetches_within_pages)
                add_panels(args, panel, column, true);
            else
                add_panels(args, panel, column, false);
        }
}

#endif
