/* SPDX-License-Identifier: MIT
 * Family `gemm` for AVX-512.
 *
 *     out[i][j] = fma(a[i][k], b[k][j], out[i][j]), k in order; lanes are the columns j
 *
 * Panel: k-major rows of 32 floats, 64-byte aligned. run() keeps up to 12 x 32 chains in 24
 * registers; of the other eight two hold b and one a number of a.
 *
 * Row-major F16 weights (k_stride 1) come as columns of b. Tiles of 16 columns x 32 k, a cache line
 * a column, are transposed in registers and stored as halves; what reads them converts on the way.
 * A tile's rows lie in the order the shuffles give:
 *
 *     tile | k 0 | k 8 | k 16 | k 24 | k 1 | k 9 | ... | k 31 |   each 16 columns, 32 bytes
 *
 * Tiles that b does not fill are transposed from a copy completed with zeros, so that nothing
 * beyond b is read; only the true steps enter a chain. No step depends on a tile's edge: the same
 * bits as the scalar twin.
 *
 * Measured on an Emerald Rapids core at 3.0 GHz, weights in L2: gemv_f16 24 GB/s of weights (from
 * memory 90 % of what plain reading gives), pack_f16 and run of one row 17 GB/s at depth 128, where
 * the panel takes 16 KiB, and less beyond. run with 12 rows, on a Zen 4 core: 113 GFLOP/s.
 */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include "base/half.h"
#include "kernels/gemm.h"

typedef float number;
typedef __m512 vector;
enum { LANES = 16, VECTORS = 2, ROWS = 12, STEPS = 16 };

static inline vector zero(void) {
    return _mm512_setzero_ps();
}

static inline vector load(const float *x) {
    return _mm512_loadu_ps(x);
}

static inline void store(float *x, vector value) {
    _mm512_storeu_ps(x, value);
}

static inline vector spread(float x) {
    return _mm512_set1_ps(x);
}

static inline vector fused(vector x, vector y, vector c) {
    return _mm512_fmadd_ps(x, y, c);
}

/* 16 columns of 16 k, each a cache line that is read once: 4 x 4 numbers in each quarter of a
 * register, then 4 x 4 quarters. */
static inline void transpose_half(const float *b, int64_t j_stride, float *dst) {
    __m512 part[4][4]; /* [k % 4][j / 4]: quarter k / 4 holds 4 columns */
    for (int g = 0; g < 4; g++) {
        __m512 x[4], pair[4];
        for (int j = 0; j < 4; j++)
            x[j] = _mm512_loadu_ps(b + (4 * g + j) * j_stride);
        for (int i = 0; i < 2; i++) {
            pair[i] = _mm512_unpacklo_ps(x[2 * i], x[2 * i + 1]);
            pair[2 + i] = _mm512_unpackhi_ps(x[2 * i], x[2 * i + 1]);
        }
        for (int i = 0; i < 2; i++) {
            __m512d low = _mm512_castps_pd(pair[2 * i]), high = _mm512_castps_pd(pair[2 * i + 1]);
            part[2 * i][g] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            part[2 * i + 1][g] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    }
    for (int k = 0; k < 4; k++) {
        const __m512 *p = part[k];
        float *to = dst + k * LANES * VECTORS;
        __m512 even[2] = {_mm512_shuffle_f32x4(p[0], p[1], 0x88),
                          _mm512_shuffle_f32x4(p[2], p[3], 0x88)};
        __m512 odd[2] = {_mm512_shuffle_f32x4(p[0], p[1], 0xdd),
                         _mm512_shuffle_f32x4(p[2], p[3], 0xdd)};
        store(to, _mm512_shuffle_f32x4(even[0], even[1], 0x88));
        store(to + 4 * LANES * VECTORS, _mm512_shuffle_f32x4(odd[0], odd[1], 0x88));
        store(to + 8 * LANES * VECTORS, _mm512_shuffle_f32x4(even[0], even[1], 0xdd));
        store(to + 12 * LANES * VECTORS, _mm512_shuffle_f32x4(odd[0], odd[1], 0xdd));
    }
}

static inline void transpose(const float *b, int64_t j_stride, float *dst) {
    transpose_half(b, j_stride, dst);
    transpose_half(b + LANES * j_stride, j_stride, dst + LANES);
}

#include "kernels/gemm_loops.h"

enum {
    TILE_K = 32,
    TILE_J = 16,
};

typedef struct tile {
    _Alignas(64) uint16_t row[TILE_K][TILE_J];
} tile;

/* Step 8 * octet + i, widened. */
static inline __m512 tile_load(const tile *t, int octet, int i) {
    return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)t->row[4 * i + octet]));
}

/* Lane by lane an 8 x 8 transposition: half i of x[j] becomes half j of out[i]. */
static inline void transpose_lanes(const __m512i *x, __m512i *out) {
    __m512i pair[8], quad[8];
    for (int i = 0; i < 4; i++) {
        pair[2 * i] = _mm512_unpacklo_epi16(x[2 * i], x[2 * i + 1]);
        pair[2 * i + 1] = _mm512_unpackhi_epi16(x[2 * i], x[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        quad[4 * i] = _mm512_unpacklo_epi32(pair[4 * i], pair[4 * i + 2]);
        quad[4 * i + 1] = _mm512_unpackhi_epi32(pair[4 * i], pair[4 * i + 2]);
        quad[4 * i + 2] = _mm512_unpacklo_epi32(pair[4 * i + 1], pair[4 * i + 3]);
        quad[4 * i + 3] = _mm512_unpackhi_epi32(pair[4 * i + 1], pair[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        out[2 * i] = _mm512_unpacklo_epi64(quad[i], quad[4 + i]);
        out[2 * i + 1] = _mm512_unpackhi_epi64(quad[i], quad[4 + i]);
    }
}

/* 16 columns of 32 halves. */
static inline void transpose_tile(const uint16_t *b, int64_t j_stride, tile *t) {
    /* Lanes 0, 1 and lanes 2, 3 of two registers, interleaved. */
    const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    __m512i x[16], y[16];
    for (int j = 0; j < 16; j++)
        x[j] = _mm512_loadu_si512(b + j * j_stride);
    transpose_lanes(x, y);
    transpose_lanes(x + 8, y + 8);
    for (int i = 0; i < 8; i++) {
        _mm512_store_si512(t->row[4 * i], _mm512_permutex2var_epi64(y[i], low, y[8 + i]));
        _mm512_store_si512(t->row[4 * i + 2], _mm512_permutex2var_epi64(y[i], high, y[8 + i]));
    }
}

/* While a panel is used, the next one comes to L2: the columns of a panel are too many streams for
 * the processor to fetch by itself, and lie in too few sets of L1 to be fetched there early (2560
 * halves a column, 128256 columns, Zen 4: 22 and 31 GB/s on 1 and 2 threads; fetching only two
 * lines ahead in each column 12 and 17).
 *
 * The tile of b's first `columns` columns and `depth` steps, which may be fewer or more than it
 * holds. */
static inline void load_tile(const uint16_t *b, int64_t j_stride, int64_t depth, int columns,
                             tile *t) {
    if (depth >= TILE_K && columns >= TILE_J) {
        for (int j = 0; j < TILE_J; j++) {
            _mm_prefetch((const char *)(b + (PANEL + j) * j_stride), _MM_HINT_T1);
            _mm_prefetch((const char *)(b + j * j_stride + TILE_K), _MM_HINT_T0);
        }
        transpose_tile(b, j_stride, t);
        return;
    }
    uint16_t edge[TILE_J][TILE_K] = {{0}};
    size_t steps = depth < TILE_K ? (size_t)depth : TILE_K;
    for (int j = 0; j < columns && j < TILE_J; j++)
        memcpy(edge[j], b + j * j_stride, steps * sizeof edge[j][0]);
    transpose_tile(edge[0], TILE_K, t);
}

static inline void load_tiles(const uint16_t *b, int64_t j_stride, int64_t depth, int columns,
                              tile t[2]) {
    load_tile(b, j_stride, depth, columns, &t[0]);
    if (columns > TILE_J)
        load_tile(b + TILE_J * j_stride, j_stride, depth, columns - TILE_J, &t[1]);
    else
        memset(&t[1], 0, sizeof t[1]);
}

static inline __mmask16 lanes_below(int n) {
    return (__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
}

/* Columns k-major in b already (j_stride 1). */
static void pack_f16_rows(const uint16_t *b, int64_t k_stride, int64_t depth, int columns,
                          float *dst) {
    __mmask16 mask[2] = {lanes_below(columns), lanes_below(columns - 16)};
    for (int64_t k = 0; k < depth; k++)
        for (int h = 0; h < 2; h++) {
            __m256i x = _mm256_maskz_loadu_epi16(mask[h], b + k * k_stride + 16 * h);
            _mm512_store_ps(dst + k * PANEL + 16 * h, _mm512_cvtph_ps(x));
        }
}

static inline __attribute__((always_inline)) void store_octet(const tile t[2], int octet, int steps,
                                                              float *dst) {
    for (int i = 0; i < steps; i++) {
        _mm512_store_ps(dst + i * PANEL, tile_load(&t[0], octet, i));
        _mm512_store_ps(dst + i * PANEL + 16, tile_load(&t[1], octet, i));
    }
}

static void pack_f16_columns(const uint16_t *b, int64_t j_stride, int64_t depth, int columns,
                             float *dst) {
    tile t[2];
    for (int64_t k = 0; k < depth; k += 8) {
        int octet = (int)(k % TILE_K / 8);
        if (octet == 0)
            load_tiles(b + k, j_stride, depth - k, columns, t);
        if (depth - k >= 8)
            store_octet(t, octet, 8, dst + k * PANEL);
        else
            store_octet(t, octet, (int)(depth - k), dst + k * PANEL);
    }
}

static void pack_f16(const uint16_t *b, int64_t k_stride, int64_t j_stride, int64_t depth,
                     int columns, float *dst) {
    if (k_stride == 1) {
        pack_f16_columns(b, j_stride, depth, columns, dst);
        return;
    }
    if (j_stride == 1) {
        pack_f16_rows(b, k_stride, depth, columns, dst);
        return;
    }
    for (int64_t k = 0; k < depth; k++)
        for (int j = 0; j < PANEL; j++)
            dst[k * PANEL + j] =
                j < columns ? tern__f32_from_f16(b[k * k_stride + j * j_stride]) : 0.0f;
}

static inline __m512 chain_begin(const float *out, __mmask16 mask, bool is_first) {
    return is_first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, out);
}

static inline __attribute__((always_inline)) void chain_octet(const tile t[2], int octet, int steps,
                                                              const float *a, __m512 c[2]) {
    for (int i = 0; i < steps; i++) {
        __m512 x = _mm512_set1_ps(a[i]);
        c[0] = _mm512_fmadd_ps(x, tile_load(&t[0], octet, i), c[0]);
        c[1] = _mm512_fmadd_ps(x, tile_load(&t[1], octet, i), c[1]);
    }
}

static void gemv_f16(const float *a, const uint16_t *b, int64_t j_stride, int64_t depth, float *out,
                     int columns, bool is_first) {
    const __mmask16 mask[2] = {lanes_below(columns), lanes_below(columns - 16)};
    __m512 c[2] = {chain_begin(out, mask[0], is_first), chain_begin(out + 16, mask[1], is_first)};
    tile t[2];
    for (int64_t k = 0; k < depth; k += 8) {
        int octet = (int)(k % TILE_K / 8);
        if (octet == 0)
            load_tiles(b + k, j_stride, depth - k, columns, t);
        if (depth - k >= 8)
            chain_octet(t, octet, 8, a + k, c);
        else
            chain_octet(t, octet, (int)(depth - k), a + k, c);
    }
    _mm512_mask_storeu_ps(out, mask[0], c[0]);
    _mm512_mask_storeu_ps(out + 16, mask[1], c[1]);
}

const tern__gemm_kernel tern__gemm_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = 1,
    .a_size = sizeof(float),
    .b_size = sizeof(float),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .pack_b_f16 = pack_f16,
    .run = run,
    .gemv_columns = PANEL,
    .gemv_f16 = gemv_f16,
};
