/* SPDX-License-Identifier: MIT
 * The loops of the family `reduce` over the vectors sf (F32), vd (F64) and vu (I64). A variant is a
 * file that defines for them (t: s, d, u) what follows, and then includes this.
 *
 *   t_take, t_put          the first `count` elements of a vector, or all; zeros beyond
 *   t_smaller, t_larger    of reduce_ops.h
 *   s_fma, d_fma, s_exp
 *   s_lesser, s_greater    the same for numbers, undefined for NaN; s_watch tells of two vectors
 *                          that there is a NaN, gathered in a s_nans (F64 likewise)
 *
 * The partials of a portion stay in registers: at most eight at a time, then the portion is read
 * again for the next ones, from the nearest cache. */
#ifndef TERN__REDUCE_LOOPS_H
#define TERN__REDUCE_LOOPS_H

#include <math.h>
#include <string.h>

#include "kernels/reduce.h"

enum { PORTION = 1024 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#define DEFINE_VECTOR(type, t, V)                                                                  \
    enum {                                                                                         \
        t##_LANES = sizeof(V) / sizeof(type),                                                      \
        t##_ALL = TERN__PARTIALS / t##_LANES,                                                      \
        t##_GROUP = t##_ALL < 8 ? t##_ALL : 8                                                      \
    };                                                                                             \
    static inline V t##_load(const type *x) {                                                      \
        V v;                                                                                       \
        memcpy(&v, x, sizeof v);                                                                   \
        return v;                                                                                  \
    }                                                                                              \
    static inline void t##_store(type *x, V v) {                                                   \
        memcpy(x, &v, sizeof v);                                                                   \
    }                                                                                              \
    static inline V t##_number(const void *number) {                                               \
        return (number != NULL ? *(const type *)number : 0) - (V){0};                              \
    }

DEFINE_VECTOR(float, s, sf)
DEFINE_VECTOR(double, d, vd)
DEFINE_VECTOR(uint64_t, u, vu)

/* What is left of a row behind whole steps: into the partials in memory. */
#define REST(type, t, V, expression)                                                               \
    for (int k = 0; k < t##_GROUP && i + k * t##_LANES < n; k++) {                                 \
        int64_t left = n - i - k * t##_LANES;                                                      \
        V x = t##_take(elements + i + k * t##_LANES, left);                                        \
        V p = t##_load(partials + k * t##_LANES);                                                  \
        t##_put(partials + k * t##_LANES, left, expression);                                       \
    }

/* Calls name_group for each group of partials and portion of the row. */
#define DEFINE_STEP(type, t, V, name)                                                              \
    static void name##_step(void *partials, const void *elements, int64_t n, const void *number) { \
        const int64_t portion = t##_GROUP < t##_ALL ? PORTION : n;                                 \
        const V q = t##_number(number);                                                            \
        for (int64_t i = 0; i < n; i += portion) {                                                 \
            const int64_t end = n - i < portion ? n - i : portion;                                 \
            for (int j = 0; j < TERN__PARTIALS; j += t##_GROUP * t##_LANES)                        \
                name##_group((type *)partials + j, (const type *)elements + i + j, end - j, q);    \
        }                                                                                          \
    }

/* A row of partial results takes up to four rows of x while it is at hand; the next ones are asked
 * for, since no hardware sees them coming across pages. */
#define DEFINE_COLUMNS(type, t, V, name, expression)                                               \
    ALWAYS_INLINE void name##_deep(type *partial, const type *from, int depth,                     \
                                   const tern__reduce_rows *rows, const void *start) {             \
        const int64_t next = TERN__PARTIALS * rows->row_stride, n = rows->n;                       \
        const type *numbers = rows->numbers;                                                       \
        const V first = t##_number(start);                                                         \
        V q = {0};                                                                                 \
        for (int64_t i = 0; i < n; i += t##_LANES) {                                               \
            V p = start != NULL ? first : t##_load(partial + i);                                   \
            if (numbers != NULL)                                                                   \
                q = t##_load(numbers + i);                                                         \
            for (int d = 0; d < depth; d++) {                                                      \
                const type *at = from + d * next + i;                                              \
                const V x = t##_take(at, n - i);                                                   \
                __builtin_prefetch(at + rows->row_stride);                                         \
                p = expression;                                                                    \
            }                                                                                      \
            t##_store(partial + i, p);                                                             \
        }                                                                                          \
        (void)q;                                                                                   \
    }                                                                                              \
    static void name##_columns(void *partials, int64_t width, const tern__reduce_rows *rows) {     \
        const int64_t stride = rows->row_stride, next = TERN__PARTIALS * stride;                   \
        for (int64_t row = 0; row < rows->rows; row++) {                                           \
            type *partial = (type *)partials + row * width;                                        \
            const type *from = (const type *)rows->x + row * stride;                               \
            const void *start = rows->start;                                                       \
            int64_t d = 0;                                                                         \
            for (; d + 4 <= rows->depth; d += 4, start = NULL)                                     \
                name##_deep(partial, from + d * next, 4, rows, start);                             \
            for (; d < rows->depth; d++, start = NULL)                                             \
                name##_deep(partial, from + d * next, 1, rows, start);                             \
        }                                                                                          \
    }

#define DEFINE_SUM(type, t, V, name, expression)                                                   \
    static inline void name##_group(type *partials, const type *elements, int64_t n, const V q) {  \
        V group[t##_GROUP];                                                                        \
        int64_t i = 0;                                                                             \
        for (int k = 0; k < t##_GROUP; k++)                                                        \
            group[k] = t##_load(partials + k * t##_LANES);                                         \
        for (; i + t##_GROUP * t##_LANES <= n; i += TERN__PARTIALS)                                \
            for (int k = 0; k < t##_GROUP; k++) {                                                  \
                const V x = t##_load(elements + i + k * t##_LANES), p = group[k];                  \
                group[k] = expression;                                                             \
            }                                                                                      \
        for (int k = 0; k < t##_GROUP; k++)                                                        \
            t##_store(partials + k * t##_LANES, group[k]);                                         \
        REST(type, t, V, expression)                                                               \
        (void)q;                                                                                   \
    }                                                                                              \
    DEFINE_STEP(type, t, V, name)                                                                  \
    DEFINE_COLUMNS(type, t, V, name, expression)

/* A NaN is noticed apart and then put among the partials, which keeps it. */
#define DEFINE_EXTREME(type, t, V, name, exact, fast, of_what)                                     \
    static inline void name##_group(type *partials, const type *elements, int64_t n, const V q) {  \
        V group[t##_GROUP];                                                                        \
        t##_nans nans = t##_NO_NANS;                                                               \
        int64_t i = 0;                                                                             \
        for (int k = 0; k < t##_GROUP; k++) {                                                      \
            group[k] = t##_load(partials + k * t##_LANES);                                         \
            nans = t##_watch(nans, group[k], group[k]);                                            \
        }                                                                                          \
        for (; i + t##_GROUP * t##_LANES <= n; i += TERN__PARTIALS)                                \
            for (int k = 0; k < t##_GROUP; k += 2) {                                               \
                V x = t##_load(elements + i + k * t##_LANES);                                      \
                V first = x;                                                                       \
                group[k] = t##_##fast(group[k], of_what);                                          \
                x = t##_load(elements + i + (k + 1) * t##_LANES);                                  \
                group[k + 1] = t##_##fast(group[k + 1], of_what);                                  \
                nans = t##_watch(nans, first, x);                                                  \
            }                                                                                      \
        for (int k = 0; k < t##_GROUP; k++)                                                        \
            t##_store(partials + k * t##_LANES, group[k]);                                         \
        if (t##_any_nan(nans))                                                                     \
            partials[0] = NAN;                                                                     \
        REST(type, t, V, t##_##exact(p, of_what))                                                  \
        (void)q;                                                                                   \
    }                                                                                              \
    DEFINE_STEP(type, t, V, name)                                                                  \
    DEFINE_COLUMNS(type, t, V, name, t##_##exact(p, of_what))

/* The tree: halves while they are whole vectors, then within one. */
#define DEFINE_FINISH(type, t, V, name, expression)                                                \
    static void name##_finish(void *partials) {                                                    \
        V all[t##_ALL];                                                                            \
        memcpy(all, partials, sizeof all);                                                         \
        for (int s = t##_ALL / 2; s > 0; s /= 2)                                                   \
            for (int k = 0; k < s; k++) {                                                          \
                const V p = all[k], x = all[k + s];                                                \
                all[k] = expression;                                                               \
            }                                                                                      \
        for (int s = t##_LANES / 2; s > 0; s /= 2) {                                               \
            const V p = all[0], x = t##_down(p, s);                                                \
            all[0] = expression;                                                                   \
        }                                                                                          \
        *(type *)partials = all[0][0];                                                             \
    }

#define DEFINE_DOT(type, t, V, name, expression)                                                   \
    static inline void name##_group(type *partials, const type *a, const type *b, int64_t n) {     \
        V group[t##_GROUP];                                                                        \
        int64_t i = 0;                                                                             \
        for (int k = 0; k < t##_GROUP; k++)                                                        \
            group[k] = t##_load(partials + k * t##_LANES);                                         \
        for (; i + t##_GROUP * t##_LANES <= n; i += TERN__PARTIALS)                                \
            for (int k = 0; k < t##_GROUP; k++) {                                                  \
                const V x = t##_load(a + i + k * t##_LANES), y = t##_load(b + i + k * t##_LANES);  \
                const V p = group[k];                                                              \
                group[k] = expression;                                                             \
            }                                                                                      \
        for (int k = 0; k < t##_GROUP; k++)                                                        \
            t##_store(partials + k * t##_LANES, group[k]);                                         \
        for (int k = 0; k < t##_GROUP && i + k * t##_LANES < n; k++) {                             \
            int64_t at = i + k * t##_LANES, left = n - at;                                         \
            V x = t##_take(a + at, left), y = t##_take(b + at, left);                              \
            V p = t##_load(partials + k * t##_LANES);                                              \
            t##_put(partials + k * t##_LANES, left, expression);                                   \
        }                                                                                          \
    }                                                                                              \
    static void name(void *partials, const void *a, const void *b, int64_t n) {                    \
        const int64_t portion = t##_GROUP < t##_ALL ? PORTION : n;                                 \
        for (int64_t i = 0; i < n; i += portion) {                                                 \
            const int64_t end = n - i < portion ? n - i : portion;                                 \
            for (int j = 0; j < TERN__PARTIALS; j += t##_GROUP * t##_LANES)                        \
                name##_group((type *)partials + j, (const type *)a + i + j,                        \
                             (const type *)b + i + j, end - j);                                    \
        }                                                                                          \
    }

#define FMA(a, b, c)                      s_fma(a, b, c)
#define ABS(a)                            s_abs(a)
#define EXP(a)                            s_exp(a)
#define SUM_F32(symbol, name, expression) DEFINE_SUM(float, s, sf, name##_f32, expression)
#define EXTREME_F32(symbol, name, choose, of_what)                                                 \
    DEFINE_EXTREME(float, s, sf, name##_f32, choose, choose##_number, of_what)
TERN__REDUCE_FLOATS(SUM_F32)
TERN__REDUCE_EXTREMES(EXTREME_F32)
DEFINE_FINISH(float, s, sf, sum_f32, p + x)
DEFINE_FINISH(float, s, sf, prod_f32, p *x)
DEFINE_FINISH(float, s, sf, min_f32, s_smaller(p, x))
DEFINE_FINISH(float, s, sf, max_f32, s_larger(p, x))
DEFINE_DOT(float, s, sf, dot_f32, s_fma(x, y, p))
#undef FMA
#undef ABS
#undef EXP

#define FMA(a, b, c)                      v_fma(a, b, c)
#define ABS(a)                            v_abs(a)
#define EXP(a)                            f_exp(a)
#define SUM_F64(symbol, name, expression) DEFINE_SUM(double, d, vd, name##_f64, expression)
#define EXTREME_F64(symbol, name, choose, of_what)                                                 \
    DEFINE_EXTREME(double, d, vd, name##_f64, choose, choose##_number, of_what)
TERN__REDUCE_FLOATS(SUM_F64)
TERN__REDUCE_EXTREMES(EXTREME_F64)
DEFINE_FINISH(double, d, vd, sum_f64, p + x)
DEFINE_FINISH(double, d, vd, prod_f64, p *x)
DEFINE_FINISH(double, d, vd, min_f64, d_smaller(p, x))
DEFINE_FINISH(double, d, vd, max_f64, d_larger(p, x))
DEFINE_DOT(double, d, vd, dot_f64, v_fma(x, y, p))

#define SMALLER(a, b) u_smaller(a, b)
#define LARGER(a, b)  u_larger(a, b)
#define SUM_I64(symbol, name, expression)                                                          \
    DEFINE_SUM(uint64_t, u, vu, name##_i64, expression)                                            \
    DEFINE_FINISH(uint64_t, u, vu, name##_i64, expression)
TERN__REDUCE_INTEGERS(SUM_I64)
DEFINE_DOT(uint64_t, u, vu, dot_i64, p + x * y)

/* I: as many integers as V has lanes; B: those that are compared. */
#define DEFINE_PLACES(type, t, V, I, B, name, is_better)                                           \
    static void name(void *values, void *places, const tern__reduce_rows *rows, int64_t first) {   \
        type *value = values, *place = places;                                                     \
        for (int64_t row = 0; row < rows->rows; row++) {                                           \
            const type *from = (const type *)rows->x + row * rows->row_stride;                     \
            const I here = (int)(first + row) - (I){0};                                            \
            for (int64_t i = 0; i < rows->n; i += t##_LANES) {                                     \
                const B x = (B)t##_take(from + i, rows->n - i), v = (B)t##_load(value + i);        \
                const I mask = (is_better | (x != x)) & (v == v);                                  \
                t##_store(value + i, (V)(((I)x & mask) | ((I)v & ~mask)));                         \
                t##_store(place + i, (V)((here & mask) | ((I)t##_load(place + i) & ~mask)));       \
                __builtin_prefetch(from + i + 4 * rows->row_stride);                               \
            }                                                                                      \
        }                                                                                          \
    }
DEFINE_PLACES(float, s, sf, si, sf, smallest_f32, (x < v))
DEFINE_PLACES(float, s, sf, si, sf, largest_f32, (x > v))
DEFINE_PLACES(double, d, vd, vl, vd, smallest_f64, (x < v))
DEFINE_PLACES(double, d, vd, vl, vd, largest_f64, (x > v))
DEFINE_PLACES(uint64_t, u, vu, vl, vl, smallest_i64, (x < v))
DEFINE_PLACES(uint64_t, u, vu, vl, vl, largest_i64, (x > v))

/* 64 counters as wide as an element, emptied before the narrowest overflow. */
#define DEFINE_COUNT(type)                                                                         \
    static int64_t count_##type(const void *elements, int64_t n, uint64_t mask) {                  \
        const type *x = elements, bits = (type)mask;                                               \
        int64_t count = 0, i = 0;                                                                  \
        while (i + TERN__PARTIALS <= n) {                                                          \
            type counters[TERN__PARTIALS] = {0};                                                   \
            for (int k = 0; k < 255 && i + TERN__PARTIALS <= n; k++, i += TERN__PARTIALS)          \
                for (int j = 0; j < TERN__PARTIALS; j++)                                           \
                    counters[j] = (type)(counters[j] + ((x[i + j] & bits) != 0));                  \
            for (int j = 0; j < TERN__PARTIALS; j++)                                               \
                count += (int64_t)counters[j];                                                     \
        }                                                                                          \
        for (; i < n; i++)                                                                         \
            count += (x[i] & bits) != 0;                                                           \
        return count;                                                                              \
    }
DEFINE_COUNT(uint8_t)
DEFINE_COUNT(uint16_t)
DEFINE_COUNT(uint32_t)
DEFINE_COUNT(uint64_t)

#endif
