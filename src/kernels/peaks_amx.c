/* SPDX-License-Identifier: MIT
 * Family `peaks`, AMX: products of tiles of bytes, u8 x s8.
 *
 * Tiles 0..3 are 2 x 2 sums (16, 16) of int32, tiles 4 and 5 hold a, 6 and 7 b. A tile of a is 16
 * rows of the 64 operands; one of b is 16 rows of 4 operands each, repeated for 16 columns. So
 * every one of the 4 * 256 sums adds the 64 products in each iteration. `fed` loads the four
 * operand tiles from the first cache before each four products, as a matrix product must.
 *
 * The thread's tile configuration is saved and put back; what its tiles hold is lost. */
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/peaks.h"

enum { ROWS = 16, ROW_BYTES = 64, TILE = ROWS * ROW_BYTES, SUM_TILES = 4, TILES = 8 };

/* As ldtilecfg reads it. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* gcc 12 does not know that tile loads and the configuration reach memory. */
static inline void settle(const void *memory) {
    __asm__ volatile("" : : "r"(memory) : "memory");
}

static inline void load_config(const tile_config *config) {
    settle(config);
    _tile_loadconfig(config);
}

static inline void fill(const uint8_t *a, const int8_t *b, uint8_t *tiles) {
    for (int row = 0; row < ROWS; row++) {
        uint8_t *to_a = tiles + row * ROW_BYTES, *to_b = to_a + 2 * TILE;
        memcpy(to_a, a, ROW_BYTES);
        for (int column = 0; column < ROW_BYTES / 4; column++)
            memcpy(to_b + 4 * column, b + 4 * row, 4);
    }
    memcpy(tiles + TILE, tiles, TILE);
    memcpy(tiles + 3 * TILE, tiles + 2 * TILE, TILE);
    settle(tiles);
}

static inline void load_operands(const uint8_t *tiles) {
    _tile_loadd(4, tiles, ROW_BYTES);
    _tile_loadd(6, tiles + 2 * TILE, ROW_BYTES);
    _tile_loadd(7, tiles + 3 * TILE, ROW_BYTES);
    _tile_loadd(5, tiles + TILE, ROW_BYTES);
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
    _Alignas(64) tile_config before, ours = {.palette = 1};
    for (int i = 0; i < TILES; i++) {
        ours.row_bytes[i] = ROW_BYTES;
        ours.rows[i] = ROWS;
    }
    fill(a, b, tiles);
    _tile_storeconfig(&before);
    settle(&before);
    load_config(&ours);
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
    _tile_stored(0, sums[0], ROW_BYTES);
    _tile_stored(1, sums[1], ROW_BYTES);
    _tile_stored(2, sums[2], ROW_BYTES);
    _tile_stored(3, sums[3], ROW_BYTES);
    settle(sums);
    load_config(&before);
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
                .needs =
                    TERN__CPU_AVX2 | TERN__CPU_AVX512 | TERN__CPU_AVX512_VNNI | TERN__CPU_AMX_INT8},
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
