/* SPDX-License-Identifier: MIT
 *
 * Family `conv`: the inner parts of convolutions. What an element sums up is a list of taps in its
 * order; a tap is an offset from the element's place in x and a row of weights:
 *
 *     out[p] = fma(x[p * x_step + tap.x], weight[tap.weight], out[p]) for the taps in order
 *
 * from +0, or from what `out` holds; then + bias when there is one. Taps that do not exist for an
 * element (they lie in the padding) are left out: tile() is called for elements that have the same
 * ones, line() is told for which elements of a row each tap exists.
 */
#ifndef TERN__CONV_H
#define TERN__CONV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu.h"

enum {
    TERN__CONV_TAPS = 256,        /* most taps of a call */
    TERN__CONV_PANEL_MAX = 32,    /* most channels of a tile */
    TERN__CONV_POSITIONS_MAX = 16 /* most positions of a tile */
};

typedef struct tern__conv_tap {
    int64_t x;          /* elements from that of the output element */
    int64_t weight;     /* row of the panel, element of a line's weights */
    int64_t begin, end; /* line(): elements of a row that have it */
} tern__conv_tap;

/* `positions` output elements of `channels` channels. */
typedef struct tern__conv_tile {
    const float *x;
    const int64_t *x_places; /* (positions) elements from x */
    bool is_adjacent;        /* they follow one another */
    const tern__conv_tap *taps;
    int64_t tap_count;
    const float *panel; /* (rows of weights, kernel's panel), 64-byte aligned */
    float *out;
    const int64_t *out_places; /* (positions) elements from out */
    int64_t channel_stride;
    int positions, channels;
    bool is_first;     /* the chains start at +0, out need not be initialised */
    const float *bias; /* (channels), or NULL */
} tern__conv_tile;

/* `rows` rows of n output elements in each of some channels, which have the same taps. */
typedef struct tern__conv_line {
    const float *x;
    int64_t x_step, x_row; /* |x_step| <= 2^24 */
    const tern__conv_tap *taps;
    int64_t tap_count;
    const float *weights;
    float *out;
    int64_t out_step, out_row;
    int64_t n, rows, channels;
    int64_t x_channel, weight_channel, out_channel, bias_channel; /* from channel to channel */
    bool is_first;
    const float *bias; /* that of the first channel, or NULL */
} tern__conv_line;

typedef struct tern__conv_kernel {
    tern__variant variant;
    int positions; /* most of a tile */
    int panel;     /* most channels of a tile */
    void (*tile)(const tern__conv_tile *tile);
    void (*line)(const tern__conv_line *line);
} tern__conv_kernel;

extern const tern__conv_kernel *const tern__conv_family[];

#endif
