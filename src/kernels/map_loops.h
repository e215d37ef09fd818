/* SPDX-License-Identifier: MIT
 * The loops of the family `map`. A variant is a file that includes this: the compiler makes vector
 * code for the instruction set that the file's suffix allows. Each operation has a loop for
 * contiguous operands, for one that is repeated, and for any strides. */
#ifndef TERN__MAP_LOOPS_H
#define TERN__MAP_LOOPS_H

#include <stdint.h>
#include <tgmath.h>

#include "kernels/map.h"
#include "kernels/map_words.h"

/* -- the words of map_ops.h by type ------------------------------------------------------------*/

#define floor_remainder(a, b)                                                                      \
    _Generic((a), float : floor_remainder_f32, default : floor_remainder_f64)(a, b)
#define floor_quotient(a, b)                                                                       \
    _Generic((a), float : floor_quotient_f32, default : floor_quotient_f64)(a, b)
#define smaller(a, b) _Generic((a), float : smaller_f32, default : smaller_f64)(a, b)
#define larger(a, b)  _Generic((a), float : larger_f32, default : larger_f64)(a, b)

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
