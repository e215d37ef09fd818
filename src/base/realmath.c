/* SPDX-License-Identifier: MIT
 *
 * Each function reduces its argument to a small interval and sums a Taylor series there; what the
 * reduction rounds away is carried along as a second number where it would show. Constants with
 * _HI are cut short so that their product with the integer beside them is exact. */
#include "base/realmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2_HI 0x1.62e42fefa3800p-1 /* 42 bits: exact times any exponent */
#define LN2_LO 0x1.ef35793c76730p-45

/* pi/2 to 142 bits */
#define HALF_PI_HI  0x1.921fb54400000p+0 /* 31 bits: exact times 2^22 */
#define HALF_PI_MID 0x1.0b4611a626331p-34
#define HALF_PI_LO  0x1.1701b839a2520p-88

static double double_from_bits(uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t double_bits(double d) {
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

/* 2^k for -1022 <= k <= 1023 */
static double power_of_two(int k) {
    return double_from_bits((uint64_t)(1023 + k) << 52);
}

/* c[0] + z (c[1] + z (c[2] + ...)) */
static double polynomial(double z, const double *c, int n) {
    double sum = c[n - 1];
    for (int i = n - 2; i >= 0; i--)
        sum = fma(sum, z, c[i]);
    return sum;
}

/* exp(x + low) for |low| far below 1: x = k ln 2 + r with |r| <= ln 2 / 2, so the result is
 * 2^k exp(r), and exp(r) = 1 + (r + r^2 (1/2 + r/6 + ...)). */
static double exp_of_sum(double x, double low) {
    static const double series[] = {
        1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,      1.0 / 720,       1.0 / 5040,
        1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
    };
    if (x > 710)
        return INFINITY;
    if (x < -746)
        return 0;
    double k = rint(x * 0x1.71547652b82fep+0); /* 1 / ln 2 */
    double r = fma(-k, LN2_LO, fma(-k, LN2_HI, x)) + low;
    double e = 1 + fma(r * r, polynomial(r, series, 12), r);
    int half = (int)k / 2; /* two factors: k may lie outside the normal exponents */
    return e * power_of_two(half) * power_of_two((int)k - half);
}

double tern__exp(double x) {
    return isnan(x) ? x : exp_of_sum(x, 0);
}

/* log(x) for finite x > 0 as the sum of the result and *low, to 58 bits. With x = m 2^e and
 * m between sqrt(1/2) and sqrt(2), log x = e ln 2 + 2 atanh(s) for s = (m - 1) / (m + 1). */
static double log_in_two(double x, double *low) {
    static const double series[] = {
        2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
        2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21,
    };
    int exponent = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        exponent = -54;
    }
    uint64_t bits = double_bits(x);
    exponent += (int)(bits >> 52) - 1023;
    double m = double_from_bits((bits & 0xfffffffffffff) | (uint64_t)1023 << 52);
    if (m > 0x1.6a09e667f3bcdp+0) { /* sqrt(2) */
        m *= 0.5;
        exponent++;
    }
    double f = m - 1; /* exact */
    double sum = 2 + f, sum_low = f - (sum - 2);
    double s = f / sum;
    double s_low = (fma(-s, sum, f) - s * sum_low) / sum;
    double z = s * s;
    double higher = s * (z * polynomial(z, series, 10));
    /* The derivative of 2 atanh is 2 / (1 - z), close to 2 + 2z. */
    double tail = fma(2 * s_low, z, 2 * s_low) + higher;

    double whole = exponent * LN2_HI; /* exact; zero, or larger than 2s */
    double high = whole + 2 * s;
    double rest = 2 * s - (high - whole) + fma(exponent, LN2_LO, tail);
    double result = high + rest;
    *low = rest - (result - high);
    return result;
}

double tern__log(double x) {
    if (x == 0)
        return -INFINITY;
    if (!(x > 0))
        return NAN;
    double low;
    return isinf(x) ? x : log_in_two(x, &low);
}

double tern__pow(double x, double y) {
    if (isnan(x) || isnan(y) || x < 0)
        return NAN;
    if (y == 0 || x == 1)
        return 1;
    if (x == 0 || isinf(x))
        return (x == 0) == (y > 0) ? 0 : INFINITY;
    double low;
    double high = log_in_two(x, &low);
    double product = y * high;
    if (fabs(product) > 800)
        return product > 0 ? INFINITY : 0;
    return exp_of_sum(product, fma(y, high, -product) + y * low);
}

/* x - k pi/2 as the sum of the result and *low; |k| <= 2^22. Near a multiple of pi/2 the terms
 * cancel down to 2^-60: the error left is below 2^-114. */
static double reduce_quarter(double x, double k, double *low) {
    double a = fma(-k, HALF_PI_HI, x); /* exact */
    double b = k * HALF_PI_MID;
    double b_low = fma(k, HALF_PI_MID, -b);
    double r = a - b;
    double back = r - a;
    double r_low = (a - (r - back)) - (b + back); /* what the subtraction rounded away */
    double rest = (r_low - b_low) - k * HALF_PI_LO;
    double result = r + rest;
    *low = rest - (result - r);
    return result;
}

void tern__sincos(double x, double *sine, double *cosine) {
    static const double sine_series[] = {
        -1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
        -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000,
    };
    static const double cosine_series[] = {
        1.0 / 24,        -1.0 / 720,         1.0 / 40320,          -1.0 / 3628800,
        1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000,
    };
    if (!(fabs(x) <= 0x1p22)) {
        *sine = *cosine = NAN;
        return;
    }
    if (fabs(x) < 0x1p-27) { /* keeps the sign of zero */
        *sine = x;
        *cosine = 1;
        return;
    }
    double k = rint(x * 0x1.45f306dc9c883p-1); /* 2 / pi */
    double low, r = reduce_quarter(x, k, &low);
    double z = r * r, half = 0.5 * z;
    double s = r + fma(r * z, polynomial(z, sine_series, 8), low * (1 - half));
    double one_less = 1 - half; /* what it rounds away goes into the second sum */
    double c = one_less +
               ((1 - one_less - half) + fma(z * z, polynomial(z, cosine_series, 7), -(r * low)));
    int quarter = (int)k & 3;
    double first = (quarter & 1) != 0 ? c : s, second = (quarter & 1) != 0 ? s : c;
    *sine = quarter >= 2 ? -first : first;
    *cosine = quarter == 1 || quarter == 2 ? -second : second;
}
