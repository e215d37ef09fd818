/* SPDX-License-Identifier: MIT
 * The loops of the family `conv` over vectors. A variant is a file that defines
 *
 *     vector, LANES            a register of floats
 *     POSITIONS, VECTORS       a tile: so many chains of vectors stay in registers
 *     load, store, zero, spread, fused(x, y, c)
 *     lanes, between(lo, hi)   a set of lanes: those from lo to before hi
 *     take(x, step, set)       the lanes of the set, x[lane * step] each
 *     put(x, step, set, v)
 *     fused_in(set, x, y, c)   c in the other lanes
 *
 * and then includes this. Tiles have their channels in the lanes, lines their elements. */
#ifndef TERN__CONV_LOOPS_H
#define TERN__CONV_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/conv.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { PANEL = LANES * VECTORS, LINE_ROWS = 4 };
_Static_assert(PANEL <= (int)TERN__CONV_PANEL_MAX, "PANEL");
_Static_assert((int)POSITIONS <= (int)TERN__CONV_POSITIONS_MAX, "POSITIONS");

/* One instance for each number of positions, so that the chains stay in registers, and one for
 * adjacent positions. */
ALWAYS_INLINE void sum_taps(const tern__conv_tile *t, float sums[][PANEL], const int64_t *places,
                            bool is_adjacent, int positions) {
    vector c[POSITIONS][VECTORS];
    for (int p = 0; p < positions; p++)
        for (int h = 0; h < VECTORS; h++)
            c[p][h] = load(sums[p] + h * LANES);
    const float *x = is_adjacent ? t->x + places[0] : t->x;
    const tern__conv_tap *tap = t->taps, *end = tap + t->tap_count;
    for (; tap < end; tap++) {
        const float *from = x + tap->x, *weights = t->panel + tap->weight * PANEL;
        vector w[VECTORS];
        for (int h = 0; h < VECTORS; h++)
            w[h] = load(weights + h * LANES);
        for (int p = 0; p < positions; p++) {
            vector value = spread(from[is_adjacent ? p : places[p]]);
            for (int h = 0; h < VECTORS; h++)
                c[p][h] = fused(value, w[h], c[p][h]);
        }
    }
    for (int p = 0; p < positions; p++)
        for (int h = 0; h < VECTORS; h++)
            store(sums[p] + h * LANES, c[p][h]);
}

ALWAYS_INLINE void sum_some(const tern__conv_tile *t, float sums[][PANEL], int first,
                            int positions) {
    if (t->is_adjacent)
        sum_taps(t, sums + first, t->x_places + first, true, positions);
    else
        sum_taps(t, sums + first, t->x_places + first, false, positions);
}

static void tile(const tern__conv_tile *t) {
    float sums[POSITIONS][PANEL] __attribute__((aligned(64))) = {{0}};
    if (!t->is_first)
        for (int j = 0; j < t->channels; j++)
            for (int p = 0; p < t->positions; p++)
                sums[p][j] = t->out[j * t->channel_stride + t->out_places[p]];
    int p = 0;
    if (t->positions == POSITIONS)
        sum_some(t, sums, 0, p = POSITIONS);
    for (; p + 4 <= t->positions; p += 4)
        sum_some(t, sums, p, 4);
    for (; p + 2 <= t->positions; p += 2)
        sum_some(t, sums, p, 2);
    for (; p < t->positions; p++)
        sum_some(t, sums, p, 1);
    for (int j = 0; j < t->channels; j++) {
        float *out = t->out + j * t->channel_stride;
        if (t->bias != NULL)
            for (p = 0; p < t->positions; p++)
                out[t->out_places[p]] = sums[p][j] + t->bias[j];
        else
            for (p = 0; p < t->positions; p++)
                out[t->out_places[p]] = sums[p][j];
    }
}

static int64_t clamped(int64_t lane) {
    return lane < 0 ? 0 : lane > LANES ? LANES : lane;
}

/* A register's width of elements; the lanes of each tap are the same in all rows and channels. */
typedef struct part {
    const tern__conv_line *l;
    const float *x, *weights, *bias;
    float *out;
    lanes all;
    const lanes *sets; /* (taps) */
} part;

ALWAYS_INLINE void sum_rows(const part *p, int64_t row, int rows) {
    const tern__conv_line *l = p->l;
    const float *x = p->x + row * l->x_row;
    float *out = p->out + row * l->out_row;
    vector c[LINE_ROWS];
    for (int i = 0; i < rows; i++)
        c[i] = l->is_first ? zero() : take(out + i * l->out_row, l->out_step, p->all);
    for (int64_t k = 0; k < l->tap_count; k++) {
        const float *from = x + l->taps[k].x;
        vector weight = spread(p->weights[l->taps[k].weight]);
        for (int i = 0; i < rows; i++)
            c[i] = fused_in(p->sets[k], take(from + i * l->x_row, l->x_step, p->sets[k]), weight,
                            c[i]);
    }
    for (int i = 0; i < rows; i++) {
        if (p->bias != NULL)
            c[i] = c[i] + spread(*p->bias);
        put(out + i * l->out_row, l->out_step, p->all, c[i]);
    }
}

static void sum_channel(const part *p) {
    int64_t row = 0;
    for (; row + LINE_ROWS <= p->l->rows; row += LINE_ROWS)
        sum_rows(p, row, LINE_ROWS);
    for (; row < p->l->rows; row++)
        sum_rows(p, row, 1);
}

static void sum_part(const tern__conv_line *l, int64_t begin) {
    lanes sets[TERN__CONV_TAPS];
    for (int64_t k = 0; k < l->tap_count; k++) {
        int64_t end = l->taps[k].end < l->n ? l->taps[k].end : l->n;
        sets[k] = between(clamped(l->taps[k].begin - begin), clamped(end - begin));
    }
    for (int64_t channel = 0; channel < l->channels; channel++)
        sum_channel(&(part){.l = l,
                            .x = l->x + channel * l->x_channel + begin * l->x_step,
                            .weights = l->weights + channel * l->weight_channel,
                            .bias = l->bias != NULL ? l->bias + channel * l->bias_channel : NULL,
                            .out = l->out + channel * l->out_channel + begin * l->out_step,
                            .all = between(0, clamped(l->n - begin)),
                            .sets = sets});
}

static void line(const tern__conv_line *l) {
    for (int64_t begin = 0; begin < l->n; begin += LANES)
        sum_part(l, begin);
}

#endif
