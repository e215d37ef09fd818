/* SPDX-License-Identifier: MIT
 *
 * Let L be the product that tern_linear gives, a chain of K fma in F32. The screen has for each row
 * integers q and a scale a; v = a q, E >= ||w - v||, W >= ||w||. x is cut into two planes of
 * integers, X = rint(x 2^p) = 256 hi + lo, |X| <= 32639, and y = X / 2^p with d = ||x - y||. Then
 * A = v . y = (256 sum(q hi) + sum(q lo)) a / 2^p comes from exact integer sums, and
 *
 *     L - A = (L - w . x) + (w - v) . y + w . (x - y)
 *     |L - A| <= g W ||x|| + t + E (||x|| + d) + W d =: e          (Cauchy and Schwarz)
 *
 * with g = K u / (1 - K u), u = 2^-24, the bound of a chain (Higham, Accuracy and Stability of
 * Numerical Algorithms, section 3.1: K fma have K roundings), and t for its denormal results, each
 * of which is off by 2^-150: t = K 2^-150 (1 + u)^K < 2^-131 for K <= 2^18. It holds as long as no
 * step overflows, for which W ||x|| < 2^127 is enough, since the partial results of a chain are
 * within (1 + g) W ||x|| + t.
 *
 * A and e are computed in double. The sums are exact, a / 2^p is exact, so A has one rounding:
 * 2^-53 |A| <= 2^-53 (W + E) (||x|| + d). e has fewer than 16 roundings, and A +- e one more of
 * 2^-53 (|A| + e). All of it is below 2^-48 W ||x|| + 2^-40 e, by which e is made larger; norms of
 * x are sums of at most 2^18 squares in double and made larger by 2^-30.
 *
 * So L lies in [A - e, A + e].
 */
#include "device/cpu/head.h"

#include <math.h>
#include <string.h>

#include "base/half.h"

enum { PLANE_LIMIT = 32639 }; /* 256 * 127 + 127 */

/* 2^p for -1022 <= p <= 1023. */
static double power_of_two(int p) {
    uint64_t bits = (uint64_t)(1023 + p) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The largest p for which m * 2^p, m > 0, fits the planes. */
static int plane_exponent(float m) {
    double wide = m;
    uint64_t bits;
    memcpy(&bits, &wide, sizeof bits);
    int p = 14 - ((int)(bits >> 52) - 1023);
    return wide * power_of_two(p) > PLANE_LIMIT ? p - 1 : p;
}

bool tern__planes_split(const tern__cpu_device *cpu, const tern__packed *screen, const float *x,
                        tern__planes *s) {
    int64_t n = screen->columns;
    float m = tern__f32_from_bits((uint32_t)cpu->quantize->largest(x, n));
    if (!isfinite(m))
        return false;
    int p = m > 0 ? plane_exponent(m) : 0;
    double scale = power_of_two(p), squares = 0, errors = 0;
    int8_t *hi = s->q, *lo = s->q + s->q_stride;
    memset(s->q, 0, 2 * (size_t)s->q_stride);
    s->sums[0] = s->sums[1] = 0;
    for (int64_t i = 0; i < n; i++) {
        double scaled = (double)x[i] * scale, rounded = rint(scaled);
        int whole = (int)rounded, low = ((whole + 128) & 255) - 128;
        hi[i] = (int8_t)((whole - low) / 256);
        lo[i] = (int8_t)low;
        s->sums[0] += hi[i];
        s->sums[1] += low;
        squares += (double)x[i] * (double)x[i];
        errors += (scaled - rounded) * (scaled - rounded);
    }
    s->unit = power_of_two(-p);
    double norm = sqrt(squares) * (1 + 0x1p-30), distance = sqrt(errors) * s->unit * (1 + 0x1p-30);
    double chain = (double)n * 0x1p-24 / (1 - (double)n * 0x1p-24) * (1 + 0x1p-30);
    s->by_error = (1 + 0x1p-40) * (norm + distance);
    s->by_norm = (1 + 0x1p-40) * (distance + (chain + 0x1p-48) * norm);
    s->least = 0x1p-131;
    return (double)screen->largest_norm * norm < 0x1p127;
}

void tern__planes_bounds(const tern__planes *planes, const tern__packed *screen,
                         const int32_t *sums, int64_t first, int64_t count, double *below,
                         double *above) {
    const int32_t *hi = sums + first, *lo = hi + screen->rows;
    const float *scale = tern__packed_scales(screen, 0) + first;
    const float *norm = tern__packed_scales(screen, 1 + TERN__FACT_NORM) + first;
    const float *error = tern__packed_scales(screen, 1 + TERN__FACT_ERROR) + first;
    for (int64_t i = 0; i < count; i++) {
        double a = (256.0 * hi[i] + lo[i]) * ((double)scale[i] * planes->unit);
        double e =
            (double)error[i] * planes->by_error + (double)norm[i] * planes->by_norm + planes->least;
        below[i] = a - e;
        above[i] = a + e;
    }
}
