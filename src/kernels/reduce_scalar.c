/* SPDX-License-Identifier: MIT
 * Family `reduce` in plain C: the specification of the other variants. */
#include <tgmath.h>

#include "kernels/exp.h"
#include "kernels/function_exp.h"
#include "kernels/reduce.h"

static inline float exp_f32(float x) {
    return s_exp((sf){x})[0];
}

static inline double exp_f64(double x) {
    return f_exp((vd){x})[0];
}

/* NaN wins, -0 is below +0. */
#define DEFINE_CHOICES(type, t)                                                                    \
    static type smaller_##t(type a, type b) {                                                      \
        if (a == b)                                                                                \
            return signbit(a) ? a : b;                                                             \
        return a < b ? a : a > b ? b : a + b;                                                      \
    }                                                                                              \
    static type larger_##t(type a, type b) {                                                       \
        if (a == b)                                                                                \
            return signbit(a) ? b : a;                                                             \
        return a > b ? a : a < b ? b : a + b;                                                      \
    }
DEFINE_CHOICES(float, f32)
DEFINE_CHOICES(double, f64)

#define DEFINE_STEP(type, name, expression)                                                        \
    static void name##_step(void *partials, const void *elements, int64_t n, const void *number) { \
        type *partial = partials, q = number != NULL ? *(const type *)number : 0;                  \
        (void)q;                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            type x = ((const type *)elements)[i], p = partial[i % TERN__PARTIALS];                 \
            partial[i % TERN__PARTIALS] = expression;                                              \
        }                                                                                          \
    }                                                                                              \
    static void name##_columns(void *partials, int64_t width, const tern__reduce_rows *rows) {     \
        const type *numbers = rows->numbers;                                                       \
        for (int64_t row = 0; row < rows->rows; row++)                                             \
            for (int64_t i = 0; i < rows->n; i++) {                                                \
                type p = ((type *)partials)[row * width + i];                                      \
                const type *from = (const type *)rows->x + row * rows->row_stride + i;             \
                type q = numbers != NULL ? numbers[i] : 0;                                         \
                (void)q;                                                                           \
                if (rows->start != NULL)                                                           \
                    p = *(const type *)rows->start;                                                \
                for (int64_t d = 0; d < rows->depth; d++) {                                        \
                    type x = from[d * TERN__PARTIALS * rows->row_stride];                          \
                    p = expression;                                                                \
                }                                                                                  \
                ((type *)partials)[row * width + i] = p;                                           \
            }                                                                                      \
    }

#define DEFINE_FINISH(type, name, expression)                                                      \
    static void name##_finish(void *partials) {                                                    \
        type *partial = partials;                                                                  \
        for (int s = TERN__PARTIALS / 2; s > 0; s /= 2)                                            \
            for (int j = 0; j < s; j++) {                                                          \
                type p = partial[j], x = partial[j + s];                                           \
                partial[j] = expression;                                                           \
            }                                                                                      \
    }

#define DEFINE_DOT(type, name, expression)                                                         \
    static void name(void *partials, const void *a, const void *b, int64_t n) {                    \
        type *partial = partials;                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                          \
            type x = ((const type *)a)[i], y = ((const type *)b)[i];                               \
            type p = partial[i % TERN__PARTIALS];                                                  \
            partial[i % TERN__PARTIALS] = expression;                                              \
        }                                                                                          \
    }

#define FMA(a, b, c) fma(a, b, c)
#define ABS(a)       fabs(a)
#define EXP(a)       _Generic((a), float : exp_f32, default : exp_f64)(a)

#define STEP_F32(symbol, name, expression) DEFINE_STEP(float, name##_f32, expression)
#define EXTREME_F32(symbol, name, choose, of_what)                                                 \
    DEFINE_STEP(float, name##_f32, choose##_f32(p, of_what))
TERN__REDUCE_FLOATS(STEP_F32)
TERN__REDUCE_EXTREMES(EXTREME_F32)
DEFINE_FINISH(float, sum_f32, p + x)
DEFINE_FINISH(float, prod_f32, p *x)
DEFINE_FINISH(float, min_f32, smaller_f32(p, x))
DEFINE_FINISH(float, max_f32, larger_f32(p, x))
DEFINE_DOT(float, dot_f32, FMA(x, y, p))

#define STEP_F64(symbol, name, expression) DEFINE_STEP(double, name##_f64, expression)
#define EXTREME_F64(symbol, name, choose, of_what)                                                 \
    DEFINE_STEP(double, name##_f64, choose##_f64(p, of_what))
TERN__REDUCE_FLOATS(STEP_F64)
TERN__REDUCE_EXTREMES(EXTREME_F64)
DEFINE_FINISH(double, sum_f64, p + x)
DEFINE_FINISH(double, prod_f64, p *x)
DEFINE_FINISH(double, min_f64, smaller_f64(p, x))
DEFINE_FINISH(double, max_f64, larger_f64(p, x))
DEFINE_DOT(double, dot_f64, FMA(x, y, p))

#define SMALLER(a, b) ((int64_t)(a) < (int64_t)(b) ? (a) : (b))
#define LARGER(a, b)  ((int64_t)(a) > (int64_t)(b) ? (a) : (b))

#define STEP_I64(symbol, name, expression)                                                         \
    DEFINE_STEP(uint64_t, name##_i64, expression)                                                  \
    DEFINE_FINISH(uint64_t, name##_i64, expression)
TERN__REDUCE_INTEGERS(STEP_I64)
DEFINE_DOT(uint64_t, dot_i64, p + x * y)

#define DEFINE_PLACES(type, index, name, is_better)                                                \
    static void name(void *values, void *places, const tern__reduce_rows *rows, int64_t first) {   \
        for (int64_t row = 0; row < rows->rows; row++)                                             \
            for (int64_t i = 0; i < rows->n; i++) {                                                \
                const type x = ((const type *)rows->x)[row * rows->row_stride + i];                \
                const type v = ((const type *)values)[i];                                          \
                if (v == v && (is_better || x != x)) {                                             \
                    ((type *)values)[i] = x;                                                       \
                    ((index *)places)[i] = (index)(first + row);                                   \
                }                                                                                  \
            }                                                                                      \
    }
DEFINE_PLACES(float, int32_t, smallest_f32, x < v)
DEFINE_PLACES(float, int32_t, largest_f32, x > v)
DEFINE_PLACES(double, int64_t, smallest_f64, x < v)
DEFINE_PLACES(double, int64_t, largest_f64, x > v)
DEFINE_PLACES(int64_t, int64_t, smallest_i64, x < v)
DEFINE_PLACES(int64_t, int64_t, largest_i64, x > v)

#define DEFINE_COUNT(type)                                                                         \
    static int64_t count_##type(const void *elements, int64_t n, uint64_t mask) {                  \
        const type *x = elements;                                                                  \
        int64_t count = 0;                                                                         \
        for (int64_t i = 0; i < n; i++)                                                            \
            count += (x[i] & mask) != 0;                                                           \
        return count;                                                                              \
    }
DEFINE_COUNT(uint8_t)
DEFINE_COUNT(uint16_t)
DEFINE_COUNT(uint32_t)
DEFINE_COUNT(uint64_t)

const tern__reduce_kernel tern__reduce_scalar = {
    .variant = {.name = "scalar"},
    TERN__REDUCE_FUNCTIONS,
};
