/* SPDX-License-Identifier: MIT
 * Order statistics of samples and the bootstrap of Efron (1979) for the ratio of two medians. */
#ifndef TERN__STATISTICS_H
#define TERN__STATISTICS_H

#include <stdint.h>

enum { TERN__BOOTSTRAP_ROUNDS = 2000 };

void tern__sort_samples(double *x, int64_t n); /* ascending; NaN is not allowed */

/* The quantile 0 <= q <= 1 of sorted[n], n >= 1: linear between the two nearest samples (type 7
 * of Hyndman and Fan 1996, the default of NumPy). */
double tern__sample_quantile(const double *sorted, int64_t n, double q);

/* 2.5 % and 97.5 % quantiles of median(b*) / median(a*), where a* and b* are n of the pairs
 * (a[i], b[i]) drawn with replacement. Pairs are kept together because neighbours in time share
 * the state of the machine. `scratch` holds 2 * n + TERN__BOOTSTRAP_ROUNDS numbers. */
void tern__bootstrap_ratio(const double *a, const double *b, int64_t n, uint64_t seed,
                           double *scratch, double *low, double *high);

#endif
