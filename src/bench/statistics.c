/* SPDX-License-Identifier: MIT */
#include "bench/statistics.h"

#include <stddef.h>

#include "base/philox.h"

/* Shell sort with the gaps of Knuth (1, 4, 13, ...): short, no memory, fast for some thousands. */
void tern__sort_samples(double *x, int64_t n) {
    int64_t gap = 1;
    while (gap < n / 3)
        gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3) {
        for (int64_t i = gap; i < n; i++) {
            double value = x[i];
            int64_t j = i;
            for (; j >= gap && x[j - gap] > value; j -= gap)
                x[j] = x[j - gap];
            x[j] = value;
        }
    }
}

double tern__sample_quantile(const double *sorted, int64_t n, double q) {
    double position = q * (double)(n - 1);
    int64_t below = (int64_t)position;
    if (below >= n - 1)
        return sorted[n - 1];
    double part = position - (double)below;
    return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

/* Draws `n` rounds with replacement and puts the samples of each side together. */
static void draw_rounds(const tern__rounds *r, uint64_t seed, uint64_t position, double *drawn) {
    tern__philox_block block = tern__philox(seed, position / 4);
    for (int64_t i = 0; i < r->n; i++, position++) {
        if (position % 4 == 0)
            block = tern__philox(seed, position / 4);
        int64_t round = (int64_t)((uint64_t)block.word[position % 4] * (uint64_t)r->n >> 32);
        for (int side = 0; side < r->sides; side++)
            drawn[side * r->n + i] = r->samples[side][round];
    }
}

static tern__interval middle(double *x) {
    tern__sort_samples(x, TERN__BOOTSTRAP_ROUNDS);
    return (tern__interval){tern__sample_quantile(x, TERN__BOOTSTRAP_ROUNDS, 0.025),
                            tern__sample_quantile(x, TERN__BOOTSTRAP_ROUNDS, 0.975)};
}

void tern__bootstrap(const tern__rounds *r, uint64_t seed, double *scratch, tern__interval *medians,
                     tern__interval *ratios) {
    const int64_t draws = TERN__BOOTSTRAP_ROUNDS;
    double *drawn = scratch, *median = scratch + r->sides * r->n;
    double *ratio = median + r->sides * draws;
    for (int64_t draw = 0; draw < draws; draw++) {
        draw_rounds(r, seed, (uint64_t)(draw * r->n), drawn);
        for (int side = 0; side < r->sides; side++) {
            double *x = drawn + side * r->n;
            tern__sort_samples(x, r->n);
            median[side * draws + draw] = tern__sample_quantile(x, r->n, 0.5);
            ratio[side * draws + draw] = median[side * draws + draw] / median[draw];
        }
    }
    for (int side = 0; side < r->sides; side++) {
        medians[side] = middle(median + side * draws);
        if (side > 0 && ratios != NULL)
            ratios[side] = middle(ratio + side * draws);
    }
}
