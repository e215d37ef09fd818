/* SPDX-License-Identifier: MIT
 * The loops of the family `plain`. A variant is a file that includes this: the compiler makes
 * vector code for the instruction set that the file's suffix allows. */
#ifndef TERN__PLAIN_LOOPS_H
#define TERN__PLAIN_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/half.h"
#include "kernels/plain.h"

/* -- single values -----------------------------------------------------------------------------*/

/* Truncated into [least, most], which are integers; `beyond` is most + 1 as a double. */
static inline int64_t integer_of(double x, int64_t least, int64_t most, double beyond) {
    if (!(x == x))
        return 0;
    return x >= beyond ? most : x <= (double)least ? least : (int64_t)x;
}

#define FLOAT_TO_INTEGER(type, least, most, beyond)                                                \
    static inline type type##_of_float(double x) {                                                 \
        return (type)integer_of(x, least, most, beyond);                                           \
    }
FLOAT_TO_INTEGER(int8_t, INT8_MIN, INT8_MAX, 0x1p7)
FLOAT_TO_INTEGER(uint8_t, 0, UINT8_MAX, 0x1p8)
FLOAT_TO_INTEGER(int16_t, INT16_MIN, INT16_MAX, 0x1p15)
FLOAT_TO_INTEGER(int32_t, INT32_MIN, INT32_MAX, 0x1p31)
FLOAT_TO_INTEGER(int64_t, INT64_MIN, INT64_MAX, 0x1p63)

/* How a value of the group is read as a number (`v`), and how a number x of type `hub` becomes a
 * value of `type`. */
#define READ_float(v)   (v)
#define READ_integer(v) (v)
#define READ_bool(v)    ((v) != 0)
#define READ_f16(v)     tern__f32_from_f16(v)
#define READ_bf16(v)    tern__f32_from_bf16(v)

#define WRITE_float_float(type, x)     ((type)(x))
#define WRITE_float_integer(type, x)   type##_of_float(x)
#define WRITE_float_bool(type, x)      ((x) != 0)
#define WRITE_float_f16(type, x)       tern__f16_from_f32(x)
#define WRITE_float_bf16(type, x)      tern__bf16_from_f32(x)
#define WRITE_double_float(type, x)    ((type)(x))
#define WRITE_double_integer(type, x)  type##_of_float(x)
#define WRITE_double_bool(type, x)     ((x) != 0)
#define WRITE_double_f16(type, x)      tern__f16_from_f32(tern__odd_f32_from_f64(x))
#define WRITE_double_bf16(type, x)     tern__bf16_from_f32(tern__odd_f32_from_f64(x))
#define WRITE_int64_t_float(type, x)   ((type)(x))
#define WRITE_int64_t_integer(type, x) ((type)(x))
#define WRITE_int64_t_bool(type, x)    ((x) != 0)
#define WRITE_int64_t_f16(type, x)     tern__f16_from_f32((float)(x))
#define WRITE_int64_t_bf16(type, x)    tern__bf16_from_f32((float)(x))

/* A float read as I64. */
#define HUB_float(value)  ((float)(value))
#define HUB_double(value) ((double)(value))
#define HUB_int64_t(value)                                                                         \
    _Generic((value), float                                                                        \
             : int64_t_of_float((double)(value)), double                                           \
             : int64_t_of_float((double)(value)), default                                          \
             : (int64_t)(value))

/* -- loops -------------------------------------------------------------------------------------*/

#define DEFINE_PLAIN(function, from_type, to_type, expression)                                     \
    static void function(const void *from, int64_t from_stride, void *to, int64_t to_stride,       \
                         int64_t n) {                                                              \
        const from_type *x = from;                                                                 \
        to_type *out = to;                                                                         \
        if (from_stride == 1 && to_stride == 1)                                                    \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const from_type v = x[i];                                                          \
                out[i] = (to_type)(expression);                                                    \
            }                                                                                      \
        else                                                                                       \
            _Pragma("GCC unroll 4") for (int64_t i = 0; i < n; i++) {                              \
                const from_type v = x[i * from_stride];                                            \
                out[i * to_stride] = (to_type)(expression);                                        \
            }                                                                                      \
    }

#define DEFINE_TYPE(symbol, type, group)                                                           \
    DEFINE_PLAIN(load_f32_##symbol, type, float, HUB_float(READ_##group(v)))                       \
    DEFINE_PLAIN(load_f64_##symbol, type, double, HUB_double(READ_##group(v)))                     \
    DEFINE_PLAIN(load_i64_##symbol, type, int64_t, HUB_int64_t(READ_##group(v)))                   \
    DEFINE_PLAIN(store_f32_##symbol, float, type, WRITE_float_##group(type, v))                    \
    DEFINE_PLAIN(store_f64_##symbol, double, type, WRITE_double_##group(type, v))                  \
    DEFINE_PLAIN(store_i64_##symbol, int64_t, type, WRITE_int64_t_##group(type, v))
TERN__PLAIN_TYPES(DEFINE_TYPE)
DEFINE_PLAIN(copy_1, uint8_t, uint8_t, v)
DEFINE_PLAIN(copy_2, uint16_t, uint16_t, v)
DEFINE_PLAIN(copy_4, uint32_t, uint32_t, v)
DEFINE_PLAIN(copy_8, uint64_t, uint64_t, v)

#define DEFINE_BLOCK(function, type, copy)                                                         \
    static void function(const tern__plain_block *b) {                                             \
        for (int64_t run = 0; run < b->runs; run++)                                                \
            copy((const type *)b->from + run * b->from_run, b->from_step,                          \
                 (type *)b->to + run * b->to_run, b->to_step, b->n);                               \
    }
DEFINE_BLOCK(block_1, uint8_t, copy_1)
DEFINE_BLOCK(block_2, uint16_t, copy_2)
DEFINE_BLOCK(block_4, uint32_t, copy_4)
DEFINE_BLOCK(block_8, uint64_t, copy_8)

#define ROW_LOAD_F32(symbol, type, group)  [TERN__PLAIN_##symbol] = load_f32_##symbol,
#define ROW_LOAD_F64(symbol, type, group)  [TERN__PLAIN_##symbol] = load_f64_##symbol,
#define ROW_LOAD_I64(symbol, type, group)  [TERN__PLAIN_##symbol] = load_i64_##symbol,
#define ROW_STORE_F32(symbol, type, group) [TERN__PLAIN_##symbol] = store_f32_##symbol,
#define ROW_STORE_F64(symbol, type, group) [TERN__PLAIN_##symbol] = store_f64_##symbol,
#define ROW_STORE_I64(symbol, type, group) [TERN__PLAIN_##symbol] = store_i64_##symbol,

/* The functions of a variant's struct, behind its facts. */
#define PLAIN_FUNCTIONS                                                                            \
    .load_f32 = {TERN__PLAIN_TYPES(ROW_LOAD_F32)},                                                 \
    .store_f32 = {TERN__PLAIN_TYPES(ROW_STORE_F32)},                                               \
    .load_f64 = {TERN__PLAIN_TYPES(ROW_LOAD_F64)},                                                 \
    .store_f64 = {TERN__PLAIN_TYPES(ROW_STORE_F64)},                                               \
    .load_i64 = {TERN__PLAIN_TYPES(ROW_LOAD_I64)},                                                 \
    .store_i64 = {TERN__PLAIN_TYPES(ROW_STORE_I64)}, .copy = {copy_1, copy_2, copy_4, copy_8},     \
    .copy_block = {block_1, block_2, block_4, block_8}

#endif
