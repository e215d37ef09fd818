/* SPDX-License-Identifier: MIT
 * Decimal digits of floating-point numbers, for printing: exact, whatever the locale. */
#ifndef TERN__DECIMAL_H
#define TERN__DECIMAL_H

#include <tern/tensor.h>

/* A finite number's magnitude: 0.d1 d2 d3 ... times ten to the power `point`; no zeros at the end,
 * no digit at all for zero. */
typedef struct tern__decimal {
    bool is_negative; /* the sign bit */
    int point;
    int count;
    uint8_t digits[20];
} tern__decimal;

/* The fewest digits that only this number of type `dtype` (F64, F32, F16, BF16) is nearest to, and
 * among those the nearest to it: at most 17. */
tern__decimal tern__decimal_shortest(double value, tern_dtype dtype);

/* The exact value rounded to `places` places behind the point, or with `is_scientific` behind the
 * first digit; a tie to the even digit. At most 20 digits in all. */
tern__decimal tern__decimal_rounded(double value, bool is_scientific, int places);

#endif
