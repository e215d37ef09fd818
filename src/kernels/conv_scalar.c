/* SPDX-License-Identifier: MIT
 * Family `conv` in plain C: the specification of the other variants. */
#include <math.h>

#include "kernels/conv.h"

enum { POSITIONS = 4, PANEL = 8 };

static void tile(const tern__conv_tile *t) {
    for (int p = 0; p < t->positions; p++)
        for (int j = 0; j < t->channels; j++) {
            float *out = t->out + t->out_places[p] + j * t->channel_stride;
            float sum = t->is_first ? 0 : *out;
            for (int64_t k = 0; k < t->tap_count; k++)
                sum = fmaf(t->x[t->x_places[p] + t->taps[k].x],
                           t->panel[t->taps[k].weight * PANEL + j], sum);
            *out = t->bias != NULL ? sum + t->bias[j] : sum;
        }
}

static float element(const tern__conv_line *l, int64_t channel, int64_t row, int64_t p, float sum) {
    const float *x = l->x + channel * l->x_channel + row * l->x_row + p * l->x_step;
    const float *weights = l->weights + channel * l->weight_channel;
    for (int64_t k = 0; k < l->tap_count; k++)
        if (p >= l->taps[k].begin && p < l->taps[k].end)
            sum = fmaf(x[l->taps[k].x], weights[l->taps[k].weight], sum);
    return l->bias != NULL ? sum + l->bias[channel * l->bias_channel] : sum;
}

static void line(const tern__conv_line *l) {
    for (int64_t channel = 0; channel < l->channels; channel++)
        for (int64_t row = 0; row < l->rows; row++)
            for (int64_t p = 0; p < l->n; p++) {
                float *out = l->out + channel * l->out_channel + row * l->out_row + p * l->out_step;
                *out = element(l, channel, row, p, l->is_first ? 0 : *out);
            }
}

const tern__conv_kernel tern__conv_scalar = {
    .variant = {.name = "scalar"},
    .positions = POSITIONS,
    .panel = PANEL,
    .tile = tile,
    .line = line,
};
