/* SPDX-License-Identifier: MIT
 * In place of src/kernels/tiles_amx.h: the same names as functions that do what the manual says of
 * the instructions and fail the test when the processor would refuse them. */
#ifndef TERN_TEST_TILES_AMX_H
#define TERN_TEST_TILES_AMX_H

#include <stdbool.h>
#include <stdint.h>

#include <immintrin.h>

typedef struct tern__tiles {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tern__tiles;

void tern__tiles_configure(const tern__tiles *tiles);
void tern__tiles_release(void);
void tern__tile_load(int tile, const void *from, int64_t stride);
void tern__tile_store(int tile, void *to, int64_t stride);
void tern__tile_zero(int tile);
void tern__tile_product(int sums, int a, int b);
void tern__tile_product_signed(int sums, int a, int b);

bool test_tiles_are_released(void);

#endif
