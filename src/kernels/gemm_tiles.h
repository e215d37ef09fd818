/* SPDX-License-Identifier: MIT
 * run() of the families `gemm*`. A variant is a file that defines
 *
 *     number, vector      the element of the result, and a register of LANES of them
 *     unit, units         GROUP elements of an operand that lie together, LANES of those
 *
 *     LANES, VECTORS      a panel has LANES * VECTORS columns
 *
 *     ROWS                of a full tile; its ROWS * VECTORS chains stay in registers
 *
 *     load, store, zero   of vectors
 *
 *     load_units, spread  LANES units; one unit in all lanes
 *
 *     fused(x, y, c)      c and the products of the units x and y
 *
 *     corrected(c, tail)  c, given what lies behind a panel
 *
 * and then includes this. Edges go through a tile of their own, so that no step depends on them.
 */
#ifndef TERN__GEMM_TILES_H
#define TERN__GEMM_TILES_H

#include <stdint.h>

#include "kernels/gemm.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { PANEL = LANES * VECTORS, LONG = 64 };

/* One instance per number of rows, so that the chains stay in registers. */
ALWAYS_INLINE void run_rows(const tern__gemm_tile *tile, const unit *a, number *out,
                            int64_t out_stride, int rows) {
    const unit *b = tile->b;
    const int64_t a_stride = tile->a_stride / GROUP, a_step = tile->a_k_stride;
    const int64_t b_step = tile->b_k_stride, steps = (tile->depth + GROUP - 1) / GROUP;
    vector c[ROWS][VECTORS];
    units y[VECTORS];
    for (int i = 0; i < rows; i++)
        for (int h = 0; h < VECTORS; h++) {
            c[i][h] = tile->is_first ? zero() : load(out + i * out_stride + h * LANES);
            c[i][h] = corrected(c[i][h], b + steps * b_step + h * LANES);
        }
    if (steps >= LONG) /* else the next tile comes too soon */
        for (int i = 0; i < rows; i++)
            for (int h = 0; h < VECTORS; h++)
                __builtin_prefetch(out + i * out_stride + PANEL + h * LANES, 1);
    for (int64_t k = 0; k < steps; k++) {
        for (int h = 0; h < VECTORS; h++)
            y[h] = load_units(b + h * LANES);
        for (int i = 0; i < rows; i++) {
            units x = spread(a[i * a_stride]);
            for (int h = 0; h < VECTORS; h++)
                c[i][h] = fused(x, y[h], c[i][h]);
        }
        a += a_step;
        b += b_step;
    }
    for (int i = 0; i < rows; i++)
        for (int h = 0; h < VECTORS; h++)
            store(out + i * out_stride + h * LANES, c[i][h]);
}

/* Whole panels into rows of contiguous elements. */
static void run_whole(const tern__gemm_tile *tile, number *out, int64_t out_stride) {
    const unit *a = tile->a;
    for (int rows = tile->rows, taken; rows > 0; rows -= taken) {
        if (rows >= ROWS)
            run_rows(tile, a, out, out_stride, taken = ROWS);
        else if (ROWS > 8 && rows >= 8)
            run_rows(tile, a, out, out_stride, taken = ROWS > 8 ? 8 : 1);
        else if (rows >= 4)
            run_rows(tile, a, out, out_stride, taken = 4);
        else if (rows >= 2)
            run_rows(tile, a, out, out_stride, taken = 2);
        else
            run_rows(tile, a, out, out_stride, taken = 1);
        a += taken * (tile->a_stride / GROUP);
        out += taken * out_stride;
    }
}

static void run(const tern__gemm_tile *tile) {
    number *out = tile->out;
    if (tile->columns == PANEL && tile->out_j_stride == 1) {
        run_whole(tile, out, tile->out_stride);
        return;
    }
    number edge[ROWS][PANEL];
    if (!tile->is_first)
        for (int i = 0; i < tile->rows; i++)
            for (int j = 0; j < PANEL; j++)
                edge[i][j] = j < tile->columns ? out[i * tile->out_stride + j * tile->out_j_stride]
                                               : (number)0;
    run_whole(tile, edge[0], PANEL);
    for (int i = 0; i < tile->rows; i++)
        for (int j = 0; j < tile->columns; j++)
            out[i * tile->out_stride + j * tile->out_j_stride] = edge[i][j];
}

#endif
