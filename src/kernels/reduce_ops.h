/* SPDX-License-Identifier: MIT
 *
 * The steps of the reductions: p is the partial result, x the element, q the number of the row.
 * FMA, ABS and EXP are what the type has; exp is that of exp.h in F32 and of function_exp.h in F64.
 *
 * Minimum and maximum are those of IEEE 754-2019: NaN wins, -0 is below +0. They start from the
 * infinities (I64: the outermost numbers), a product from 1, everything else from +0.
 */
#ifndef TERN__REDUCE_OPS_H
#define TERN__REDUCE_OPS_H

/* X(symbol, name, step): F32 and F64. */
#define TERN__REDUCE_FLOATS(X)                                                                     \
    X(SUM, sum, p + x)                                                                             \
    X(PROD, prod, p *x)                                                                            \
    X(SQUARES, squares, FMA(x, x, p))                                                              \
    X(MAGNITUDES, magnitudes, p + ABS(x))                                                          \
    X(DEVIATIONS, deviations, FMA(x - q, x - q, p))                                                \
    X(EXPONENTIALS, exponentials, p + EXP(x - q))

/* X(symbol, name, smaller or larger, of what): F32 and F64. */
#define TERN__REDUCE_EXTREMES(X)                                                                   \
    X(MIN, min, smaller, x)                                                                        \
    X(MAX, max, larger, x)                                                                         \
    X(LEAST_MAGNITUDE, least_magnitude, smaller, ABS(x))                                           \
    X(LARGEST_MAGNITUDE, largest_magnitude, larger, ABS(x))

/* X(symbol, name, step): I64, as unsigned numbers but for the last two. */
#define TERN__REDUCE_INTEGERS(X)                                                                   \
    X(SUM, sum, p + x)                                                                             \
    X(PROD, prod, p *x)                                                                            \
    X(MIN, min, SMALLER(p, x))                                                                     \
    X(MAX, max, LARGER(p, x))

/* The functions of a variant's struct, behind its facts: name_type_step and so on. */
#define TERN__STEP_F32(symbol, name, ...)    [TERN__REDUCE_##symbol] = name##_f32_step,
#define TERN__STEP_F64(symbol, name, ...)    [TERN__REDUCE_##symbol] = name##_f64_step,
#define TERN__STEP_I64(symbol, name, ...)    [TERN__REDUCE_##symbol] = name##_i64_step,
#define TERN__COLUMNS_F32(symbol, name, ...) [TERN__REDUCE_##symbol] = name##_f32_columns,
#define TERN__COLUMNS_F64(symbol, name, ...) [TERN__REDUCE_##symbol] = name##_f64_columns,
#define TERN__COLUMNS_I64(symbol, name, ...) [TERN__REDUCE_##symbol] = name##_i64_columns,
#define TERN__FINISH(type)                                                                         \
    .finish = {sum_##type##_finish, prod_##type##_finish, min_##type##_finish,                     \
               max_##type##_finish},                                                               \
    .dot = dot_##type, .smallest = smallest_##type, .largest = largest_##type
#define TERN__REDUCE_FUNCTIONS                                                                     \
    .f32 = {.step = {TERN__REDUCE_FLOATS(TERN__STEP_F32) TERN__REDUCE_EXTREMES(TERN__STEP_F32)},   \
            .columns = {TERN__REDUCE_FLOATS(TERN__COLUMNS_F32)                                     \
                            TERN__REDUCE_EXTREMES(TERN__COLUMNS_F32)},                             \
            TERN__FINISH(f32)},                                                                    \
    .f64 = {.step = {TERN__REDUCE_FLOATS(TERN__STEP_F64) TERN__REDUCE_EXTREMES(TERN__STEP_F64)},   \
            .columns = {TERN__REDUCE_FLOATS(TERN__COLUMNS_F64)                                     \
                            TERN__REDUCE_EXTREMES(TERN__COLUMNS_F64)},                             \
            TERN__FINISH(f64)},                                                                    \
    .i64 = {.step = {TERN__REDUCE_INTEGERS(TERN__STEP_I64)},                                       \
            .columns = {TERN__REDUCE_INTEGERS(TERN__COLUMNS_I64)},                                 \
            TERN__FINISH(i64)},                                                                    \
    .count = {count_uint8_t, count_uint16_t, count_uint32_t, count_uint64_t}

#endif
