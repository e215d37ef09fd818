/* SPDX-License-Identifier: MIT
 *
 * Family `trits5`, AVX2: three trits are a number whose bits need no arithmetic to come apart, 24
 * trits in 5 bytes (1.67 bits a trit; five in a byte are 1.6). Few columns are looked up in tables
 * of their activations (packed_lookups_avx2.h), more are unpacked and multiplied by vpmaddubsw.
 *
 * A panel is 32 rows, the lines of rows 0..15 and of rows 16..31 lie in turns. A line of 160 bytes
 * holds 48 k of 16 rows, two units of 24, in five vectors w. Byte 16 * u + row
 * of all five is of unit u, k = 48 * line + 24 * u + ...: eight groups g of three trits t0, t1, t2
 * at g, 8 + g and 16 + g, each group a number n = t0 + 3 * t1 + 9 * t2 in -13 .. 13. Of each byte
 *
 *     w0:         bits 0..3 index of group 0, bits 7..4 signs of groups 0..3
 *     w1:         bits 0..3 index of group 1, bits 7..4 signs of groups 4..7
 *     w2, w3, w4: bits 0..3 index of group 2, 4, 6, bits 4..7 index of group 3, 5, 7
 *
 * with index |n| + 1 and sign n < 0. No index is 0: so w0 and w1, doubled up to three times, have a
 * sign on top and are 0 in no byte, as vpsignb wants it.
 *
 * Bounds of sums of products: those of trits4_avx2.c; DEPTH / 4 = 60 pairs, and 12 planes of STEP /
 * 48 lines as many, make -30720 in int16.
 *
 * Measured on a Xeon of family 6 model 207, K = 2560, one thread, from L2, in billion products a
 * second: N = 1 to 4 with tables 88, without 28, 46, 58 and 67; trits4 76 to 98. Unpacked N = 6 85,
 * N = 8 92, N = 64 117. Ten trits as a fraction of 16 bits, taken out two at a time by 16-bit
 * multiplications, made 38, 54, 70 and 79, for N = 8 103, for N = 64 123. From memory with two
 * threads: docs/measuring.md, K3. */
#include <immintrin.h>
#include <stdlib.h>

enum {
    OFFSET = 1,
    UNIT = 48,
    HALF = 80,
    WOVEN = 2,
    PLANES = 12,
    PRODUCTS = PLANES,
    CLASSES = 1,
    STREAM = 1, /* without tables */
    STEP = 240,
    DEPTH = 240,
    TILE = 6,
    GROUP = 1,
    WIDTH = 1,
    UNITS = 2, /* of a line, and of a unit: */
    UNIT_K = 24,
    GROUPS = 8,
    TRITS = 3, /* of a group */
    LINE_VECTORS = 5,
    TABLE_COLUMNS = 4, /* more of them gain less than every thread takes for its tables */
};

#include "kernels/packed_maddubs_avx2.h"

static inline void load_line(const uint8_t *line, __m256i w[LINE_VECTORS]) {
    for (int i = 0; i < LINE_VECTORS; i++)
        w[i] = _mm256_load_si256((const __m256i *)line + i);
}

/* Of group g of all rows. */
static inline __m256i index_of(const __m256i w[LINE_VECTORS], int g) {
    __m256i index = w[g < 2 ? g : 1 + g / 2];
    if (g > 2 && g % 2 == 1)
        index = _mm256_srli_epi16(index, 4);
    return _mm256_and_si256(index, _mm256_set1_epi8(15));
}

/* -- Unpacking ---------------------------------------------------------------------------------*/

/* Byte 4 * row + b, row 0..7 of the half: group 4 * i + b of unit u, its index and, in bit 7, its
 * sign. */
typedef struct cursor {
    __m256i numbers[UNITS][GROUPS / 4];
} cursor;

static inline cursor begin(const uint8_t *line, int half) {
    __m256i w[LINE_VECTORS], number[GROUPS];
    cursor at;
    load_line(line, w);
    for (int g = 0; g < GROUPS; g++) {
        const __m256i sign = _mm256_slli_epi16(w[g / 4], g % 4);
        number[g] = _mm256_or_si256(index_of(w, g), _mm256_and_si256(sign, _mm256_set1_epi8(-128)));
    }
    for (int i = 0; i < GROUPS / 4; i++) {
        const __m256i *from = number + 4 * i;
        __m256i pair[2];
        for (int j = 0; j < 2; j++)
            pair[j] = half == 0 ? _mm256_unpacklo_epi8(from[2 * j], from[2 * j + 1])
                                : _mm256_unpackhi_epi8(from[2 * j], from[2 * j + 1]);
        const __m256i low = _mm256_unpacklo_epi16(pair[0], pair[1]); /* rows 0..3 of both units */
        const __m256i high = _mm256_unpackhi_epi16(pair[0], pair[1]);
        at.numbers[0][i] = _mm256_permute2x128_si256(low, high, 0x20);
        at.numbers[1][i] = _mm256_permute2x128_si256(low, high, 0x31);
    }
    return at;
}

/* Plane p % 6 of a unit is trit p % 6 / 2 of four groups. */
static inline __m256i plane(cursor *at, int p) {
    static const int8_t trits[TRITS][16] = {
        /* of n = 0 .. 13, from index 1 on */
        {0, 0, 1, -1, 0, 1, -1, 0, 1, -1, 0, 1, -1, 0, 1},
        {0, 0, 0, 1, 1, 1, -1, -1, -1, 0, 0, 0, 1, 1, 1},
        {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    };
    const int planes = PLANES / UNITS;
    const __m256i number = at->numbers[p / planes][p % 2];
    const __m128i values = _mm_loadu_si128((const __m128i *)trits[p % planes / 2]);
    const __m256i index = _mm256_and_si256(number, _mm256_set1_epi8(15));
    const __m256i trit = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(values), index);
    return _mm256_add_epi8(_mm256_sign_epi8(trit, number), _mm256_set1_epi8(OFFSET));
}

#include "kernels/packed_one_sum_avx2.h"

#include "kernels/packed_avx2.h"

#include "kernels/packed_lookups_avx2.h"

#include "kernels/trits_tables_avx2.h"

/* -- Packing -----------------------------------------------------------------------------------*/

/* Of the group whose trits are the codes 0, 8 and 16. */
static int number_of(const uint8_t *codes) {
    return codes[0] + 3 * codes[GROUPS] + 9 * codes[2 * GROUPS] - 13;
}

/* A unit of one row: byte i of w to w[32 * i]. */
static void pack_unit(const uint8_t *codes, uint8_t *w) {
    int index[GROUPS], signs[2] = {0, 0};
    for (int g = 0; g < GROUPS; g++) {
        const int n = number_of(codes + g);
        index[g] = abs(n) + 1;
        signs[g / 4] |= (n < 0) << (7 - g % 4);
    }
    for (int i = 0; i < 2; i++)
        w[32 * i] = (uint8_t)(index[i] | signs[i]);
    for (int i = 2; i < LINE_VECTORS; i++)
        w[32 * i] = (uint8_t)(index[2 * i - 2] | index[2 * i - 1] << 4);
}

static void pack(const uint8_t *codes, int64_t k, uint8_t *panel) {
    for (int64_t i = 0; i < k; i += UNIT)
        for (int w = 0; w < WOVEN; w++, panel += LINE)
            for (int64_t row = 0; row < ROWS; row++)
                for (int64_t u = 0; u < UNITS; u++)
                    pack_unit(codes + (w * ROWS + row) * k + i + u * UNIT_K,
                              panel + u * ROWS + row);
}

/* Both want panels of ROWS rows. */
static void run_woven(const tern__packed_args *args, int64_t panel_begin, int64_t panel_end) {
    const int64_t begin = WOVEN * panel_begin;
    const int64_t end = smaller(WOVEN * panel_end, (args->m + ROWS - 1) / ROWS);
    if (args->tables != NULL)
        run_lookups(args, begin, end);
    else
        run_many(args, begin, end);
}

const tern__packed_kernel tern__trits5_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .packing = TERN__PACKING_TRITS5,
    .panel_rows = WOVEN * ROWS,
    .k_unit = UNIT,
    .unit_bytes = LINE / ROWS,
    .q_bytes = TABLES_Q_BYTES,
    .panels_least = PANELS_LEAST / WOVEN,
    .panels_at_once = ROWS_AT_ONCE / (WOVEN * ROWS),
    .scratch_bytes = sizeof(tables_scratch),
    .table_columns = TABLE_COLUMNS,
    .table_bytes = LINE_TABLES * sizeof(__m256i),
    .tabulate = tabulate,
    .pack = pack,
    .run = run_woven,
};
