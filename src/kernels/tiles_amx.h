/* SPDX-License-Identifier: MIT
 *
 * The tile registers of AMX int8, as thin names over the instructions. Tile numbers are literals.
 * Tests build the kernels that include this against functions of the same names instead, which
 * check what they are given (tests/kernels/emulated). */
#ifndef TERN__TILES_AMX_H
#define TERN__TILES_AMX_H

#include <stdint.h>

#include <immintrin.h>

/* The operand of LDTILECFG. */
typedef struct tern__tiles {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16]; /* of a tile */
    uint8_t rows[16];
} tern__tiles;

_Static_assert(sizeof(tern__tiles) == 64, "the hardware's layout");

/* gcc 12 takes the instruction to read a pointer's bytes only, and drops what the caller stored. */
static inline void tern__tiles_configure(const tern__tiles *tiles) {
    __asm__ volatile("" ::"r"(tiles) : "memory");
    _tile_loadconfig(tiles);
}

static inline void tern__tiles_release(void) {
    _tile_release();
}

/* Rows `stride` bytes apart. The compiler does not know that the instruction reads memory. */
#define tern__tile_load(tile, from, stride)                                                        \
    do {                                                                                           \
        __asm__ volatile("" ::: "memory");                                                         \
        _tile_loadd(tile, from, stride);                                                           \
    } while (0)

#define tern__tile_store(tile, to, stride) _tile_stored(tile, to, stride)

#define tern__tile_zero(tile) _tile_zero(tile)

/* sums[m][n] += sum over k < 4 and g of a[m][4 g + k] * b[g][4 n + k]: a is signed, b unsigned. */
#define tern__tile_product(sums, a, b) _tile_dpbsud(sums, a, b)

/* The same, b signed. */
#define tern__tile_product_signed(sums, a, b) _tile_dpbssd(sums, a, b)

#endif
