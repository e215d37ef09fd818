/* SPDX-License-Identifier: MIT
 * Family `peaks`, AMX: products of tiles of bytes, u8 x s8.
 *
 * Tiles 0..3 are 2 x 2 sums (16, 16) of int32, tiles 4 and 5 hold a, 6 and 7 b. A tile of a is 16
 * rows of the 64 operands; one of b is 16 rows of 4 operands each, repeated for 16 columns. So
 * every one of the 4 * 256 sums adds the 64 products in each iteration. `fed` loads the four
 * operand tiles from the first cache before each four products, as a matrix product must.
 *
 * What the thread's tiles held is lost. */
#include <stdbool.h>
#include <string.h>

#include "kernels/peaks.h"
#include "kernels/tiles_amx.h"

enum { ROWS = 16, ROW_BYTES = 64, TILE = ROWS * ROW_BYTES, SUM_TILES = 4 };

static const tern__tiles all_tiles = {
    .palette = 1,
    .row_bytes = {ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES,
                  ROW_BYTES},
    .rows = {ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS},
};

static inline void fill(const uint8_t *a, const int8_t *b, uint8_t *tiles) {
    for (int row = 0; row < ROWS; row++) {
        uint8_t *to_a = tiles + row * ROW_BYTES, *to_b = to_a + 2 * TILE;
        memcpy(to_a, a, ROW_BYTES);
        for (int column = 0; column < ROW_BYTES / 4; column++)
            memcpy(to_b + 4 * column, b + 4 * row, 4);
    }
    memcpy(tiles + TILE, tiles, TILE);
    memcpy(tiles + 3 * TILE, tiles + 2 * TILE, TILE);
}

static inline void load_operands(const uint8_t *tiles) {
    tern__tile_load(4, tiles, ROW_BYTES);
    tern__tile_load(6, tiles + 2 * TILE, ROW_BYTES);
    tern__tile_load(7, tiles + 3 * TILE, ROW_BYTES);
    tern__tile_load(5, tiles + TILE, ROW_BYTES);
}

static inline void multiply(void) {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
}

__attribute__((always_inline)) static inline uint64_t run(const uint8_t *a, const int8_t *b,
                                                          int64_t iterations, const bool is_fed) {
    _Alignas(64) uint8_t tiles[4 * TILE];
    _Alignas(64) int32_t sums[SUM_TILES][ROWS * ROW_BYTES / 4];
    fill(a, b, tiles);
    tern__tiles_configure(&all_tiles);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    load_operands(tiles);
    for (int64_t i = 0; i < iterations; i++) {
        if (is_fed)
            load_operands(tiles);
        multiply();
    }
    tern__tile_store(0, sums[0], ROW_BYTES);
    tern__tile_store(1, sums[1], ROW_BYTES);
    tern__tile_store(2, sums[2], ROW_BYTES);
    tern__tile_store(3, sums[3], ROW_BYTES);
    tern__tiles_release();
    uint32_t total = 0;
    for (int t = 0; t < SUM_TILES; t++)
        for (int i = 0; i < ROWS * ROW_BYTES / 4; i++)
            total += (uint32_t)sums[t][i];
    return total;
}

static uint64_t run_held(const uint8_t *a, const int8_t *b, int64_t iterations) {
    return run(a, b, iterations, false);
}

static uint64_t run_fed(const uint8_t *a, const int8_t *b, int64_t iterations) {
    return run(a, b, iterations, true);
}

const tern__peaks_kernel tern__peaks_amx = {
    .variant = {.name = "amx",
                .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512 | TERN__CPU_AVX512_VNNI |
                         TERN__CPU_AVX512_VBMI | TERN__CPU_AMX_INT8},
    .peaks = {{.name = "tdpbusd, tiles held",
               .kind = TERN__PEAK_DOT,
               .width = ROW_BYTES,
               .sums = SUM_TILES * ROWS * 16,
               .bits = 32,
               .run = run_held},
              {.name = "tdpbusd, 4 tile loads for 4 products",
               .kind = TERN__PEAK_FED,
               .width = ROW_BYTES,
               .sums = SUM_TILES * ROWS * 16,
               .bits = 32,
               .run = run_fed}},
};
