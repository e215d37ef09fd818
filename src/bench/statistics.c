/* SPDX-License-Identifier: MIT */
#include "bench/statistics.h"

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

void tern__bootstrap_ratio(const double *a, const double *b, int64_t n, uint64_t seed,
                           double *scratch, double *low, double *high) {
    double *a_drawn = scratch, *b_drawn = scratch + n, *ratios = scratch + 2 * n;
    uint64_t position = 0;
    for (int64_t round = 0; round < TERN__BOOTSTRAP_ROUNDS; round++) {
        for (int64_t i = 0; i < n; i++, position++) {
            uint32_t word = tern__philox(seed, position / 4).word[position % 4];
            int64_t pair = (int64_t)((uint64_t)word * (uint64_t)n >> 32);
            a_drawn[i] = a[pair];
            b_drawn[i] = b[pair];
        }
        tern__sort_samples(a_drawn, n);
        tern__sort_samples(b_drawn, n);
        ratios[round] =
            tern__sample_quantile(b_drawn, n, 0.5) / tern__sample_quantile(a_drawn, n, 0.5);
    }
    tern__sort_samples(ratios, TERN__BOOTSTRAP_ROUNDS);
    *low = tern__sample_quantile(ratios, TERN__BOOTSTRAP_ROUNDS, 0.025);
    *high = tern__sample_quantile(ratios, TERN__BOOTSTRAP_ROUNDS, 0.975);
}
