/* SPDX-License-Identifier: MIT */
#include "kernels/tiles_amx.h"

#include "support.h"

enum { TILES = 8, SIDE = 16, ROW_BYTES = 64 };

/* The registers of the one thread that tests kernels. */
static bool are_configured;
static tern__tiles shape;
static uint8_t data[TILES][SIDE][ROW_BYTES];

static void expect_tile(int tile) {
    if (!are_configured)
        fail_msg("tile %d is used without a configuration", tile);
    if (tile < 0 || tile >= TILES || shape.rows[tile] == 0)
        fail_msg("tile %d is not configured", tile);
}

void tern__tiles_configure(const tern__tiles *tiles) {
    assert_false(are_configured);
    assert_int_equal(tiles->palette, 1);
    assert_int_equal(tiles->start_row, 0);
    for (size_t i = 0; i < sizeof tiles->reserved; i++)
        assert_int_equal(tiles->reserved[i], 0);
    for (int tile = 0; tile < 16; tile++) {
        assert_true(tiles->rows[tile] <= (tile < TILES ? SIDE : 0));
        assert_true(tiles->row_bytes[tile] <= (tile < TILES ? ROW_BYTES : 0));
        assert_true((tiles->rows[tile] == 0) == (tiles->row_bytes[tile] == 0));
    }
    shape = *tiles;
    memset(data, 0, sizeof data);
    are_configured = true;
}

void tern__tiles_release(void) {
    assert_true(are_configured);
    are_configured = false;
}

bool test_tiles_are_released(void) {
    return !are_configured;
}

void tern__tile_load(int tile, const void *from, int64_t stride) {
    expect_tile(tile);
    memset(data[tile], 0, sizeof data[tile]);
    for (int row = 0; row < shape.rows[tile]; row++)
        memcpy(data[tile][row], (const uint8_t *)from + row * stride, shape.row_bytes[tile]);
}

void tern__tile_store(int tile, void *to, int64_t stride) {
    expect_tile(tile);
    for (int row = 0; row < shape.rows[tile]; row++)
        memcpy((uint8_t *)to + row * stride, data[tile][row], shape.row_bytes[tile]);
}

void tern__tile_zero(int tile) {
    expect_tile(tile);
    memset(data[tile], 0, sizeof data[tile]);
}

/* Four products of bytes, those of a signed, added to a sum modulo 2^32. */
static void add_products(uint8_t *sum, const uint8_t *a, const uint8_t *b, bool is_b_signed) {
    static const uint8_t zeros[4];
    if (memcmp(a, zeros, sizeof zeros) == 0)
        return;
    uint32_t total;
    memcpy(&total, sum, sizeof total);
    for (int i = 0; i < 4; i++)
        total += (uint32_t)((int8_t)a[i] * (is_b_signed ? (int8_t)b[i] : b[i]));
    memcpy(sum, &total, sizeof total);
}

static void multiply(int sums, int a, int b, bool is_b_signed) {
    expect_tile(sums);
    expect_tile(a);
    expect_tile(b);
    if (sums == a || sums == b || a == b)
        fail_msg("a product of tiles %d, %d, %d: they must differ", sums, a, b);
    if (shape.rows[sums] != shape.rows[a] || shape.row_bytes[sums] != shape.row_bytes[b] ||
        shape.row_bytes[a] != 4 * shape.rows[b] || shape.row_bytes[b] % 4 != 0)
        fail_msg("a product of tiles %d, %d, %d: their shapes do not fit", sums, a, b);
    for (int row = 0; row < shape.rows[sums]; row++)
        for (int g = 0; g < shape.rows[b]; g++)
            for (int column = 0; column < shape.row_bytes[b]; column += 4)
                add_products(&data[sums][row][column], &data[a][row][4 * g], &data[b][g][column],
                             is_b_signed);
}

void tern__tile_product(int sums, int a, int b) {
    multiply(sums, a, b, false);
}

void tern__tile_product_signed(int sums, int a, int b) {
    multiply(sums, a, b, true);
}
