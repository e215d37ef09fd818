/* SPDX-License-Identifier: MIT
 * The loops of the family `map`. A variant is a file that includes this: the compiler makes vector
 * code for the instruction set that the file's suffix allows. Each operation has a loop for
 * contiguous operands, for one that is repeated, and for any strides. */
#ifndef TERN__MAP_LOOPS_H
#define TERN__MAP_LOOPS_H

#include <stdint.h>
#include <tgmath.h>

#include "base/half.h"
#include "kernels/map.h"

/* -- the words of map_ops.h --------------------------------------------------------------------*/

/* a - b floor(a / b), with the sign of b, exact but for the one addition; NaN for b = 0. As NumPy:
 * fmod is exact, and its result is moved by b when the signs differ. */
static inline double floor_remainder_f64(double a, double b) {
    double r = fmod(a, b);
    return r == 0 ? copysign(0.0, b) : (r < 0) != (b < 0) ? r + b : r;
}

static inline float floor_remainder_f32(float a, float b) {
    float r = fmodf(a, b);
    return r == 0 ? copysignf(0.0f, b) : (r < 0) != (b < 0) ? r + b : r;
}

#define floor_remainder(a, b)                                                                      \
    _Generic((a), float : floor_remainder_f32, default : floor_remainder_f64)(a, b)

/* floor(a / b) as NumPy has it: from the exact remainder, so that a = quotient b + remainder. */
static inline double floor_quotient_f64(double a, double b) {
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

static inline float floor_quotient_f32(float a, float b) {
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

#define floor_quotient(a, b)                                                                       \
    _Generic((a), float : floor_quotient_f32, default : floor_quotient_f64)(a, b)

static inline uint64_t bits_f64(double a) {
    uint64_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}

static inline double from_bits_f64(uint64_t bits) {
    double a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

/* Of two numbers both selections are the same one, of zeros that differ both, and of a NaN at least
 * one is the NaN. `or` keeps a NaN and gives -0 of both zeros. A selection is one instruction, as
 * it takes the second operand unless the comparison holds. */
static inline float smaller_f32(float a, float b) {
    float x = a < b ? a : b, y = b < a ? b : a;
    return tern__f32_from_bits(tern__f32_bits(x) | tern__f32_bits(y));
}

static inline double smaller_f64(double a, double b) {
    double x = a < b ? a : b, y = b < a ? b : a;
    return from_bits_f64(bits_f64(x) | bits_f64(y));
}

/* The same, without the sign where only one has it: +0 of both zeros. */
static inline float larger_f32(float a, float b) {
    float x = a > b ? a : b, y = b > a ? b : a;
    uint32_t u = tern__f32_bits(x), v = tern__f32_bits(y);
    return tern__f32_from_bits((u | v) & ~((u ^ v) & UINT32_C(0x80000000)));
}

static inline double larger_f64(double a, double b) {
    double x = a > b ? a : b, y = b > a ? b : a;
    uint64_t u = bits_f64(x), v = bits_f64(y);
    return from_bits_f64((u | v) & ~((u ^ v) & UINT64_C(0x8000000000000000)));
}

#define smaller(a, b) _Generic((a), float : smaller_f32, default : smaller_f64)(a, b)
#define larger(a, b)  _Generic((a), float : larger_f32, default : larger_f64)(a, b)

/* Two's complement. */
static inline int64_t wrap(uint64_t a) {
    return (int64_t)a;
}

/* Rounds down; by 0: 0, as NumPy. */
static inline int64_t integer_quotient(int64_t a, int64_t b) {
    if (b == 0)
        return 0;
    if (b == -1)
        return wrap(0 - (uint64_t)a);
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* The sign of b; modulo 0: 0. */
static inline int64_t integer_remainder(int64_t a, int64_t b) {
    if (b == 0 || b == -1)
        return 0;
    int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* By squaring, wrapping. Negative powers are the integer part: 0, or +-1 of +-1; of 0: 0. */
static inline int64_t integer_power(int64_t a, int64_t b) {
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    uint64_t power = 1, base = (uint64_t)a;
    for (; b > 0; b >>= 1, base *= base)
        power *= b & 1 ? base : 1;
    return wrap(power);
}

/* By 64 and more: nothing is left but the sign. Negative counts count as 64. */
static inline int64_t shifted_left(int64_t a, int64_t b) {
    return b >= 0 && b < 64 ? wrap((uint64_t)a << b) : 0;
}

static inline int64_t shifted_right(int64_t a, int64_t b) {
    return a >> (b >= 0 && b < 64 ? b : 63);
}

/* A number of the call in the type that is computed in; integers are cut off and kept in range. */
static inline int64_t whole(double p) {
    return p != p ? 0 : p >= 0x1p63 ? INT64_MAX : p < -0x1p63 ? INT64_MIN : (int64_t)p;
}

#define NUMBER_TYPE_float      float
#define NUMBER_TYPE_double     double
#define NUMBER_TYPE_int64_t    int64_t
#define NUMBER_TYPE_int32_t    int64_t
#define NUMBER_TYPE_int16_t    int64_t
#define NUMBER_TYPE_int8_t     int64_t
#define NUMBER_TYPE_uint8_t    int64_t
#define NUMBER_float(number)   ((float)(number))
#define NUMBER_double(number)  (number)
#define NUMBER_int64_t(number) whole(number)
#define NUMBER_int32_t(number) whole(number)
#define NUMBER_int16_t(number) whole(number)
#define NUMBER_int8_t(number)  whole(number)
#define NUMBER_uint8_t(number) whole(number)

/* -- loops -------------------------------------------------------------------------------------*/

#define DEFINE_MAP1(type, result, function, expression)                                            \
    static void function(const tern__map_args *args) {                                             \
        const NUMBER_TYPE_##type p = NUMBER_##type(args->p), q = NUMBER_##type(args->q);           \
        const type *x = args->in[0];                                                               \
        const int64_t n = args->n, stride = args->stride[0];                                       \
        result *out = args->out;                                                                   \
        (void)p, (void)q;                                                                          \
        if (stride == 1)                                                                           \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type a = x[i];                                                               \
                out[i] = (result)(expression);                                                     \
            }                                                                                      \
        else                                                                                       \
            _Pragma("GCC unroll 2") for (int64_t i = 0; i < n; i++) {                              \
                const type a = x[i * stride];                                                      \
                out[i] = (result)(expression);                                                     \
            }                                                                                      \
    }

#define DEFINE_MAP2(type, result, function, expression)                                            \
    static void function(const tern__map_args *args) {                                             \
        const NUMBER_TYPE_##type p = NUMBER_##type(args->p), q = NUMBER_##type(args->q);           \
        const type *x = args->in[0], *y = args->in[1];                                             \
        const int64_t n = args->n, s = args->stride[0], t = args->stride[1];                       \
        result *out = args->out;                                                                   \
        (void)p, (void)q;                                                                          \
        if (s == 1 && t == 1)                                                                      \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type a = x[i], b = y[i];                                                     \
                out[i] = (result)(expression);                                                     \
            }                                                                                      \
        else if (s == 1 && t == 0 && n > 0) {                                                      \
            const type b = y[0];                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type a = x[i];                                                               \
                out[i] = (result)(expression);                                                     \
            }                                                                                      \
        } else if (s == 0 && t == 1 && n > 0) {                                                    \
            const type a = x[0];                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type b = y[i];                                                               \
                out[i] = (result)(expression);                                                     \
            }                                                                                      \
        } else                                                                                     \
            _Pragma("GCC unroll 2") for (int64_t i = 0; i < n; i++) {                              \
                const type a = x[i * s], b = y[i * t];                                             \
                out[i] = (result)(expression);                                                     \
            }                                                                                      \
    }

#define DEFINE_MAP3(type, result, function, expression)                                            \
    static void function(const tern__map_args *args) {                                             \
        const type *x = args->in[0], *y = args->in[1], *z = args->in[2];                           \
        const int64_t n = args->n, s = args->stride[0], t = args->stride[1], u = args->stride[2];  \
        result *out = args->out;                                                                   \
        if (s == 1 && t == 1 && u == 1)                                                            \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type a = x[i], b = y[i], c = z[i];                                           \
                out[i] = (result)(expression);                                                     \
            }                                                                                      \
        else                                                                                       \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type a = x[i * s], b = y[i * t], c = z[i * u];                               \
                out[i] = (result)(expression);                                                     \
            }                                                                                      \
    }

/* For the type that TYPE names at the time. */
#define PASTE(a, b)                     a##_##b
#define NAMED(name, type)               PASTE(name, type)
#define MAP1_OF(type, ...)              DEFINE_MAP1(type, __VA_ARGS__)
#define MAP2_OF(type, ...)              DEFINE_MAP2(type, __VA_ARGS__)
#define MAP3_OF(type, ...)              DEFINE_MAP3(type, __VA_ARGS__)
#define LOOP1(symbol, name, expression) MAP1_OF(TYPE, TYPE, NAMED(name, TYPE), expression)
#define LOOP2(symbol, name, expression) MAP2_OF(TYPE, TYPE, NAMED(name, TYPE), expression)
#define LOOP3(symbol, name, expression) MAP3_OF(TYPE, TYPE, NAMED(name, TYPE), expression)
#define BYTE1(symbol, name, expression) MAP1_OF(TYPE, uint8_t, NAMED(name, TYPE), expression)
#define BYTE2(symbol, name, expression) MAP2_OF(TYPE, uint8_t, NAMED(name, TYPE), expression)
#define ROW(symbol, name, expression)   [TERN__MAP_##symbol] = NAMED(name, TYPE),

#define FLOAT_LOOPS                                                                                \
    TERN__MAP_FLOAT1(LOOP1)                                                                        \
    TERN__MAP_FLOAT2(LOOP2)                                                                        \
    TERN__MAP_FLOAT3(LOOP3)                                                                        \
    TERN__MAP_COMPARE1(BYTE1)                                                                      \
    TERN__MAP_COMPARE2(BYTE2)                                                                      \
    TERN__MAP_FLOAT_TEST1(BYTE1)                                                                   \
    TERN__MAP_FLOAT_TEST2(BYTE2)                                                                   \
    static const tern__map_fn NAMED(functions, TYPE)[TERN__MAP_COUNT] = {                          \
        TERN__MAP_FLOAT1(ROW) TERN__MAP_FLOAT2(ROW) TERN__MAP_FLOAT3(ROW) TERN__MAP_COMPARE1(ROW)  \
            TERN__MAP_COMPARE2(ROW) TERN__MAP_FLOAT_TEST1(ROW) TERN__MAP_FLOAT_TEST2(ROW)};

#define INTEGER_LOOPS                                                                              \
    TERN__MAP_INTEGER1(LOOP1)                                                                      \
    TERN__MAP_INTEGER2(LOOP2)                                                                      \
    TERN__MAP_INTEGER3(LOOP3)                                                                      \
    TERN__MAP_COMPARE1(BYTE1)                                                                      \
    TERN__MAP_COMPARE2(BYTE2)                                                                      \
    static const tern__map_fn NAMED(functions, TYPE)[TERN__MAP_COUNT] = {                          \
        TERN__MAP_INTEGER1(ROW) TERN__MAP_INTEGER2(ROW) TERN__MAP_INTEGER3(ROW)                    \
            TERN__MAP_COMPARE1(ROW) TERN__MAP_COMPARE2(ROW)};

#define TYPE float
FLOAT_LOOPS
#undef TYPE
#define TYPE double
FLOAT_LOOPS
#undef TYPE
#define TYPE int64_t
INTEGER_LOOPS
#undef TYPE
#define TYPE int32_t
INTEGER_LOOPS
#undef TYPE
#define TYPE int16_t
INTEGER_LOOPS
#undef TYPE
#define TYPE int8_t
INTEGER_LOOPS
#undef TYPE
#define TYPE uint8_t
INTEGER_LOOPS
#undef TYPE

#define DEFINE_WHERE(type)                                                                         \
    static void where_##type(const tern__map_args *args) {                                         \
        const uint8_t *condition = args->in[0];                                                    \
        const type *x = args->in[1], *y = args->in[2];                                             \
        const int64_t n = args->n, s = args->stride[0], t = args->stride[1], u = args->stride[2];  \
        type *out = args->out;                                                                     \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const type a = x[i * t], b = y[i * u];                                                 \
            out[i] = condition[i * s] != 0 ? a : b;                                                \
        }                                                                                          \
    }
DEFINE_WHERE(uint8_t)
DEFINE_WHERE(uint16_t)
DEFINE_WHERE(uint32_t)
DEFINE_WHERE(uint64_t)

/* The functions of a variant's struct, behind its facts. */
#define MAP_FUNCTIONS                                                                              \
    .f32 = functions_float, .f64 = functions_double, .i64 = functions_int64_t,                     \
    .i32 = functions_int32_t, .i16 = functions_int16_t, .i8 = functions_int8_t,                    \
    .u8 = functions_uint8_t,                                                                       \
    .where = {where_uint8_t, where_uint16_t, where_uint32_t, where_uint64_t}

#endif
