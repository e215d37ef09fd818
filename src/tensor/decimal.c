/* SPDX-License-Identifier: MIT
 *
 * The digits come from the C library, which rounds exactly: "%.*e" with more and more digits, until
 * they read back as the number. Its decimal point depends on the locale, so only the digits are
 * looked at, and what is read back is text that the same library wrote.
 */
#include "tensor/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"

enum {
    MOST_DIGITS = 17, /* tell any double from its neighbours */
    SHORT_BYTES = 64,
    LONG_BYTES = 700, /* any double with 330 places */
};

/* Whether the number that `text` says is nearest to `value` among the numbers of the type. */
static bool reads_as(const char *text, double value, tern_dtype dtype) {
    switch (dtype) {
    case TERN_F32:
        return strtof(text, NULL) == (float)value;
    case TERN_F16: /* a decimal of five digits and a midpoint of halves: no double rounding */
        return tern__f16_from_f32(strtof(text, NULL)) == tern__f16_from_f32((float)value);
    case TERN_BF16:
        return tern__bf16_from_f32(strtof(text, NULL)) == tern__bf16_from_f32((float)value);
    default:
        return strtod(text, NULL) == value;
    }
}

/* The digits of a "%e" or "%f" text whose first one has `point` of them before the point. */
static void take_digits(const char *text, int point, tern__decimal *out) {
    out->point = point;
    out->count = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9')
            continue;
        if (out->count == 0 && *text == '0') { /* a zero in front: 0.00123 */
            out->point--;
            continue;
        }
        if (out->count < (int)sizeof out->digits)
            out->digits[out->count++] = (uint8_t)(*text - '0');
    }
    while (out->count > 0 && out->digits[out->count - 1] == 0)
        out->count--;
    if (out->count == 0)
        out->point = 0;
}

static int exponent_of(const char *text) {
    return atoi(strchr(text, 'e') + 1);
}

/* The last digit of "d.ddde+xx" one up; false for a 9, which no shortest form needs. */
static bool step_up(char *text) {
    char *last = strchr(text, 'e') - 1;
    if (*last == '9')
        return false;
    ++*last;
    return true;
}

/* Below a power of two the numbers lie twice as close as above it: there the nearest decimal with
 * so many digits may belong to the neighbour below while the next one up still is this number's. */
tern__decimal tern__decimal_shortest(double value, tern_dtype dtype) {
    tern__decimal out = {.is_negative = signbit(value) != 0};
    double magnitude = fabs(value);
    char text[SHORT_BYTES] = "0";
    if (magnitude == 0)
        return out;
    for (int digits = 1; digits <= MOST_DIGITS; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, magnitude);
        if (reads_as(text, magnitude, dtype))
            break;
        if (digits < MOST_DIGITS && step_up(text) && reads_as(text, magnitude, dtype))
            break;
    }
    take_digits(text, exponent_of(text) + 1, &out);
    return out;
}

tern__decimal tern__decimal_rounded(double value, bool is_scientific, int places) {
    tern__decimal out = {.is_negative = signbit(value) != 0};
    char text[LONG_BYTES];
    snprintf(text, sizeof text, is_scientific ? "%.*e" : "%.*f", places, fabs(value));
    take_digits(text, is_scientific ? exponent_of(text) + 1 : (int)strspn(text, "0123456789"),
                &out);
    return out;
}
