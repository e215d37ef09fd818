/* SPDX-License-Identifier: MIT
 * What the expressions of map_ops.h are made of beside <math.h>, for each type. */
#ifndef TERN__MAP_WORDS_H
#define TERN__MAP_WORDS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/half.h"

/* a - b floor(a / b), with the sign of b, exact but for the one addition; NaN for b = 0. As NumPy:
 * fmod is exact, and its result is moved by b when the signs differ. */
TERN__INLINE double floor_remainder_f64(double a, double b) {
    double r = fmod(a, b);
    return r == 0 ? copysign(0.0, b) : (r < 0) != (b < 0) ? r + b : r;
}

TERN__INLINE float floor_remainder_f32(float a, float b) {
    float r = fmodf(a, b);
    return r == 0 ? copysignf(0.0f, b) : (r < 0) != (b < 0) ? r + b : r;
}

/* floor(a / b) as NumPy has it: from the exact remainder, so that a = quotient b + remainder. */
TERN__INLINE double floor_quotient_f64(double a, double b) {
    if (b == 0)
        return a / b;
    double r = fmod(a, b), quotient = (a - r) / b;
    if (r != 0 && (r < 0) != (b < 0))
        quotient -= 1;
    if (quotient == 0)
        return copysign(0.0, a / b);
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
}

TERN__INLINE float floor_quotient_f32(float a, float b) {
    if (b == 0)
        return a / b;
    float r = fmodf(a, b), quotient = (a - r) / b;
    if (r != 0 && (r < 0) != (b < 0))
        quotient -= 1;
    if (quotient == 0)
        return copysignf(0.0f, a / b);
    float whole = floorf(quotient);
    return quotient - whole > 0.5f ? whole + 1 : whole;
}

TERN__INLINE uint64_t bits_f64(double a) {
    uint64_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}

TERN__INLINE double from_bits_f64(uint64_t bits) {
    double a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

/* Of two numbers both selections are the same one, of zeros that differ both, and of a NaN at least
 * one is the NaN. `or` keeps a NaN and gives -0 of both zeros. A selection is one instruction, as
 * it takes the second operand unless the comparison holds. */
TERN__INLINE float smaller_f32(float a, float b) {
    float x = a < b ? a : b, y = b < a ? b : a;
    return tern__f32_from_bits(tern__f32_bits(x) | tern__f32_bits(y));
}

TERN__INLINE double smaller_f64(double a, double b) {
    double x = a < b ? a : b, y = b < a ? b : a;
    return from_bits_f64(bits_f64(x) | bits_f64(y));
}

/* The same, without the sign where only one has it: +0 of both zeros. */
TERN__INLINE float larger_f32(float a, float b) {
    float x = a > b ? a : b, y = b > a ? b : a;
    uint32_t u = tern__f32_bits(x), v = tern__f32_bits(y);
    return tern__f32_from_bits((u | v) & ~((u ^ v) & UINT32_C(0x80000000)));
}

TERN__INLINE double larger_f64(double a, double b) {
    double x = a > b ? a : b, y = b > a ? b : a;
    uint64_t u = bits_f64(x), v = bits_f64(y);
    return from_bits_f64((u | v) & ~((u ^ v) & UINT64_C(0x8000000000000000)));
}

/* Two's complement. */
TERN__INLINE int64_t wrap(uint64_t a) {
    return (int64_t)a;
}

/* Rounds down; by 0: 0, as NumPy. */
TERN__INLINE int64_t integer_quotient(int64_t a, int64_t b) {
    if (b == 0)
        return 0;
    if (b == -1)
        return wrap(0 - (uint64_t)a);
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* The sign of b; modulo 0: 0. */
TERN__INLINE int64_t integer_remainder(int64_t a, int64_t b) {
    if (b == 0 || b == -1)
        return 0;
    int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* By squaring, wrapping. Negative powers are the integer part: 0, or +-1 of +-1; of 0: 0. */
TERN__INLINE int64_t integer_power(int64_t a, int64_t b) {
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    uint64_t power = 1, base = (uint64_t)a;
    for (; b > 0; b >>= 1, base *= base)
        power *= b & 1 ? base : 1;
    return wrap(power);
}

/* By 64 and more: nothing is left but the sign. Negative counts count as 64. */
TERN__INLINE int64_t shifted_left(int64_t a, int64_t b) {
    return b >= 0 && b < 64 ? wrap((uint64_t)a << b) : 0;
}

TERN__INLINE int64_t shifted_right(int64_t a, int64_t b) {
    return a >> (b >= 0 && b < 64 ? b : 63);
}

/* A number of the call in the type that is computed in; integers are cut off and kept in range. */
TERN__INLINE int64_t whole(double p) {
    return p != p ? 0 : p >= 0x1p63 ? INT64_MAX : p < -0x1p63 ? INT64_MIN : (int64_t)p;
}

#endif
