/* SPDX-License-Identifier: MIT
 * Family `gemm` for AVX2 with FMA and F16C.
 *
 *     out[i][j] = fma(a[i][k], b[k][j], out[i][j]), k in order; lanes are the columns j
 *
 * Panel: k-major rows of 16 floats, 64-byte aligned. run() keeps up to 6 x 16 chains in 12
 * registers.
 *
 * Row-major F16 weights (k_stride 1) come as columns of b. Tiles of 32 columns x 32 k, a cache line
 * a column, are transposed in registers, 16 columns x 8 k at a time, and stored k-major as halves;
 * what reads them converts on the way. A panel takes half of a tile. Tiles that b does not fill are
 * transposed from a copy completed with zeros, so that nothing beyond b is read; only the true
 * steps enter a chain. No step depends on a tile's edge: the same bits as the scalar twin.
 *
 * Measured on an Emerald Rapids core at 3.0 GHz, weights in L2: gemv_f16 21 GB/s of weights,
 * pack_f16 and run of one row 14 GB/s. run with 6 rows, on a Zen 4 core: 116 GFLOP/s.
 */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include "base/half.h"
#include "kernels/gemm.h"

typedef float number;
typedef __m256 vector;
enum { LANES = 8, VECTORS = 2, ROWS = 6, STEPS = 16 };

static inline vector zero(void) {
    return _mm256_setzero_ps();
}

static inline vector load(const float *x) {
    return _mm256_loadu_ps(x);
}

static inline void store(float *x, vector value) {
    _mm256_storeu_ps(x, value);
}

static inline vector spread(float x) {
    return _mm256_set1_ps(x);
}

static inline vector fused(vector x, vector y, vector c) {
    return _mm256_fmadd_ps(x, y, c);
}

/* 8 columns of 8 k. */
static inline void transpose_8x8(const float *b, int64_t j_stride, float *dst) {
    __m256 part[4][2]; /* [k % 4][j / 4]: half k / 4 holds 4 columns */
    for (int g = 0; g < 2; g++) {
        __m256 x[4], pair[4];
        for (int j = 0; j < 4; j++)
            x[j] = _mm256_loadu_ps(b + (4 * g + j) * j_stride);
        for (int i = 0; i < 2; i++) {
            pair[i] = _mm256_unpacklo_ps(x[2 * i], x[2 * i + 1]);
            pair[2 + i] = _mm256_unpackhi_ps(x[2 * i], x[2 * i + 1]);
        }
        for (int i = 0; i < 2; i++) {
            __m256d low = _mm256_castps_pd(pair[2 * i]), high = _mm256_castps_pd(pair[2 * i + 1]);
            part[2 * i][g] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
            part[2 * i + 1][g] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
        }
    }
    for (int k = 0; k < 4; k++) {
        float *to = dst + k * LANES * VECTORS;
        store(to, _mm256_permute2f128_ps(part[k][0], part[k][1], 0x20));
        store(to + 4 * LANES * VECTORS, _mm256_permute2f128_ps(part[k][0], part[k][1], 0x31));
    }
}

/* 16 k: whole cache lines of few columns at a time, which could all be one set of the cache. */
static inline void transpose(const float *b, int64_t j_stride, float *dst) {
    for (int h = 0; h < VECTORS; h++)
        for (int k = 0; k < STEPS; k += 8)
            transpose_8x8(b + h * LANES * j_stride + k, j_stride,
                          dst + k * LANES * VECTORS + h * LANES);
}

#include "kernels/gemm_loops.h"

enum {
    TILE_K = 32,
    TILE_J = 32, /* columns of gemv_f16: as many chains as hide the latency of a step */
};

typedef struct tile {
    _Alignas(64) uint16_t row[TILE_K][TILE_J];
} tile;

static inline __m256 load_halves(const uint16_t *x) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)x));
}

/* 16 columns of 8 halves to half of 8 rows of a tile. */
static inline void transpose_16x8(const uint16_t *b, int64_t j_stride, uint16_t *dst) {
    __m256i x[8], pair[8], quad[8];
    for (int j = 0; j < 8; j++) {
        __m128i low = _mm_loadu_si128((const __m128i *)(b + j * j_stride));
        __m128i high = _mm_loadu_si128((const __m128i *)(b + (j + 8) * j_stride));
        x[j] = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    }
    for (int i = 0; i < 4; i++) {
        pair[2 * i] = _mm256_unpacklo_epi16(x[2 * i], x[2 * i + 1]);
        pair[2 * i + 1] = _mm256_unpackhi_epi16(x[2 * i], x[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        quad[4 * i] = _mm256_unpacklo_epi32(pair[4 * i], pair[4 * i + 2]);
        quad[4 * i + 1] = _mm256_unpackhi_epi32(pair[4 * i], pair[4 * i + 2]);
        quad[4 * i + 2] = _mm256_unpacklo_epi32(pair[4 * i + 1], pair[4 * i + 3]);
        quad[4 * i + 3] = _mm256_unpackhi_epi32(pair[4 * i + 1], pair[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        __m256i even = _mm256_unpacklo_epi64(quad[i], quad[4 + i]);
        __m256i odd = _mm256_unpackhi_epi64(quad[i], quad[4 + i]);
        _mm256_store_si256((__m256i *)(dst + 2 * i * TILE_J), even);
        _mm256_store_si256((__m256i *)(dst + (2 * i + 1) * TILE_J), odd);
    }
}

ALWAYS_INLINE void transpose_tile(const uint16_t *b, int64_t j_stride, int width, tile *t) {
    for (int j = 0; j < width; j += 16)
        for (int k = 0; k < TILE_K; k += 8)
            transpose_16x8(b + j * j_stride + k, j_stride, t->row[k] + j);
}

/* While a tile's columns are used, those behind them come to L2 (as in gemm_avx512.c; 2560 halves a
 * column, 128256 columns, Zen 4: 18 and 24 to 35 GB/s on 1 and 2 threads; fetching two lines ahead
 * in each column 9.5 and 10 to 17).
 *
 * The first `width` columns of a tile, a multiple of 16, from b's first `columns` columns and
 * `depth` steps, which may be fewer or more than it holds. */
ALWAYS_INLINE void load_tile(const uint16_t *b, int64_t j_stride, int64_t depth, int columns,
                             int width, tile *t) {
    if (depth >= TILE_K && columns == width) {
        for (int j = 0; j < width; j++)
            _mm_prefetch((const char *)(b + (width + j) * j_stride), _MM_HINT_T1);
        transpose_tile(b, j_stride, width, t);
        return;
    }
    uint16_t edge[TILE_J][TILE_K] = {{0}};
    size_t steps = depth < TILE_K ? (size_t)depth : TILE_K;
    for (int j = 0; j < columns; j++)
        memcpy(edge[j], b + j * j_stride, steps * sizeof edge[j][0]);
    transpose_tile(edge[0], TILE_K, width, t);
}

static void pack_f16(const uint16_t *b, int64_t k_stride, int64_t j_stride, int64_t depth,
                     int columns, float *dst) {
    if (k_stride == 1) {
        tile t;
        for (int64_t k = 0; k < depth; k++) {
            if (k % TILE_K == 0)
                load_tile(b + k, j_stride, depth - k, columns, PANEL, &t);
            for (int j = 0; j < PANEL; j += 8)
                _mm256_store_ps(dst + k * PANEL + j, load_halves(t.row[k % TILE_K] + j));
        }
    } else if (j_stride == 1 && columns == PANEL) {
        for (int64_t k = 0; k < depth; k++)
            for (int j = 0; j < PANEL; j += 8)
                _mm256_store_ps(dst + k * PANEL + j, load_halves(b + k * k_stride + j));
    } else {
        for (int64_t k = 0; k < depth; k++)
            for (int j = 0; j < PANEL; j++)
                dst[k * PANEL + j] =
                    j < columns ? tern__f32_from_f16(b[k * k_stride + j * j_stride]) : 0.0f;
    }
}

/* All bits set in the lanes below n. */
static inline __m256i lanes_below(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __m256 chain_begin(const float *out, __m256i mask, bool is_first) {
    return is_first ? _mm256_setzero_ps() : _mm256_maskload_ps(out, mask);
}

ALWAYS_INLINE void chain_steps(const tile *t, int64_t steps, const float *a, __m256 c[4]) {
    for (int64_t i = 0; i < steps; i++) {
        __m256 x = _mm256_set1_ps(a[i]);
        for (int h = 0; h < 4; h++)
            c[h] = _mm256_fmadd_ps(x, load_halves(t->row[i] + 8 * h), c[h]);
    }
}

static void gemv_f16(const float *a, const uint16_t *b, int64_t j_stride, int64_t depth, float *out,
                     int columns, bool is_first) {
    __m256i mask[4];
    __m256 c[4];
    for (int h = 0; h < 4; h++) {
        mask[h] = lanes_below(columns - 8 * h);
        c[h] = chain_begin(out + 8 * h, mask[h], is_first);
    }
    tile t;
    for (int64_t k = 0; k < depth; k += TILE_K) {
        load_tile(b + k, j_stride, depth - k, columns, TILE_J, &t);
        chain_steps(&t, depth - k < TILE_K ? depth - k : TILE_K, a + k, c);
    }
    for (int h = 0; h < 4; h++)
        _mm256_maskstore_ps(out + 8 * h, mask[h], c[h]);
}

const tern__gemm_kernel tern__gemm_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    .rows = ROWS,
    .panel = PANEL,
    .k_unit = 1,
    .a_size = sizeof(float),
    .b_size = sizeof(float),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .pack_b_f16 = pack_f16,
    .run = run,
    .gemv_columns = TILE_J,
    .gemv_f16 = gemv_f16,
};
