/* SPDX-License-Identifier: MIT
 * Order statistics of samples and the bootstrap of Efron (1979) for medians and their ratios. */
#ifndef TERN__STATISTICS_H
#define TERN__STATISTICS_H

#include <stdint.h>

enum { TERN__BOOTSTRAP_ROUNDS = 2000 };

void tern__sort_samples(double *x, int64_t n); /* ascending; NaN is not allowed */

/* The quantile 0 <= q <= 1 of sorted[n], n >= 1: linear between the two nearest samples (type 7
 * of Hyndman and Fan 1996, the default of NumPy). */
double tern__sample_quantile(const double *sorted, int64_t n, double q);

typedef struct tern__interval {
    double low, high;
} tern__interval;

/* Samples of sides that took turns: samples[side][i] of all sides were taken one after the other.
 */
typedef struct tern__rounds {
    const double *const *samples;
    int sides;
    int64_t n;
} tern__rounds;

/* Of `rounds`: room for its bootstrap, in numbers. */
static inline int64_t tern__bootstrap_room(int sides, int64_t n) {
    return sides * (n + 2 * TERN__BOOTSTRAP_ROUNDS);
}

/* 2.5 % and 97.5 % quantiles of median(s*), and of median(s*) / median(first*) for the sides behind
 * the first, where s* are n of the side's samples drawn with replacement. What was taken in one
 * round is kept together, because neighbours in time share the state of the machine. `ratios` may
 * be NULL; ratios[0] is not written. */
void tern__bootstrap(const tern__rounds *rounds, uint64_t seed, double *scratch,
                     tern__interval *medians, tern__interval *ratios);

#endif
