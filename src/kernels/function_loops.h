/* SPDX-License-Identifier: MIT
 * The loops of the family `functions` over the lanes that were included before: whole steps of
 * DOUBLES elements, the last ones through a padded step. */
#ifndef TERN__FUNCTION_LOOPS_H
#define TERN__FUNCTION_LOOPS_H

#include "kernels/function_math.h"
#include "kernels/function_single.h"
#include "kernels/functions.h"

/* `count` elements, 1 in the lanes that have none. */
V_INLINE sf s_take(const float *x, int64_t stride, int64_t count) {
    sf lanes = {0};
    if (count == SINGLES && stride == 1) {
        memcpy(&lanes, x, sizeof lanes);
        return lanes;
    }
    for (int i = 0; i < SINGLES; i++)
        lanes[i] = i < count ? x[i * stride] : 1;
    return lanes;
}

V_INLINE vd v_take(const double *x, int64_t stride, int64_t count) {
    vd lanes = {0};
    if (count == DOUBLES && stride == 1) {
        memcpy(&lanes, x, sizeof lanes);
        return lanes;
    }
    for (int i = 0; i < DOUBLES; i++)
        lanes[i] = i < count ? x[i * stride] : 1;
    return lanes;
}

V_INLINE void s_put(float *out, int64_t count, sf y) {
    if (count == SINGLES)
        memcpy(out, &y, sizeof y);
    else
        memcpy(out, &y, (size_t)count * sizeof *out);
}

V_INLINE void v_put(double *out, int64_t count, vd y) {
    if (count == DOUBLES)
        memcpy(out, &y, sizeof y);
    else
        memcpy(out, &y, (size_t)count * sizeof *out);
}

V_INLINE void s_map(sf (*f)(sf), const float *x, int64_t stride, float *out, int64_t n) {
    int64_t i = 0;
    for (; i + SINGLES <= n; i += SINGLES)
        s_put(out + i, SINGLES, f(s_take(x + i * stride, stride, SINGLES)));
    if (i < n)
        s_put(out + i, n - i, f(s_take(x + i * stride, stride, n - i)));
}

V_INLINE void v_map(vd (*f)(vd), const double *x, int64_t stride, double *out, int64_t n) {
    int64_t i = 0;
    for (; i + DOUBLES <= n; i += DOUBLES)
        v_put(out + i, DOUBLES, f(v_take(x + i * stride, stride, DOUBLES)));
    if (i < n)
        v_put(out + i, n - i, f(v_take(x + i * stride, stride, n - i)));
}

V_INLINE void s_map2(vd (*f)(vd, vd), const float *x, int64_t x_stride, const float *y,
                     int64_t y_stride, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += SINGLES) {
        int64_t count = n - i < SINGLES ? n - i : SINGLES;
        sf a = s_take(x + i * x_stride, x_stride, count);
        s_put(out + i, count, s_by_doubles2(f, a, s_take(y + i * y_stride, y_stride, count)));
    }
}

V_INLINE void v_map2(vd (*f)(vd, vd), const double *x, int64_t x_stride, const double *y,
                     int64_t y_stride, double *out, int64_t n) {
    for (int64_t i = 0; i < n; i += DOUBLES) {
        int64_t count = n - i < DOUBLES ? n - i : DOUBLES;
        vd a = v_take(x + i * x_stride, x_stride, count);
        v_put(out + i, count, f(a, v_take(y + i * y_stride, y_stride, count)));
    }
}

#define V_DEFINE(symbol, name)                                                                     \
    static void name##_f32(const float *x, int64_t stride, float *out, int64_t n) {                \
        s_map(s_##name, x, stride, out, n);                                                        \
    }                                                                                              \
    static void name##_f64(const double *x, int64_t stride, double *out, int64_t n) {              \
        v_map(f_##name, x, stride, out, n);                                                        \
    }
TERN__UNARY_FUNCTIONS(V_DEFINE)
#undef V_DEFINE

static void atan2_f32(const float *y, int64_t y_stride, const float *x, int64_t x_stride,
                      float *out, int64_t n) {
    s_map2(f_atan2, y, y_stride, x, x_stride, out, n);
}

static void atan2_f64(const double *y, int64_t y_stride, const double *x, int64_t x_stride,
                      double *out, int64_t n) {
    v_map2(f_atan2, y, y_stride, x, x_stride, out, n);
}

static void pow_f32(const float *x, int64_t x_stride, const float *y, int64_t y_stride, float *out,
                    int64_t n) {
    s_map2(f_pow, x, x_stride, y, y_stride, out, n);
}

static void pow_f64(const double *x, int64_t x_stride, const double *y, int64_t y_stride,
                    double *out, int64_t n) {
    v_map2(f_pow, x, x_stride, y, y_stride, out, n);
}

#define V_ROW_F32(symbol, name) [TERN__FUNCTION_##symbol] = name##_f32,
#define V_ROW_F64(symbol, name) [TERN__FUNCTION_##symbol] = name##_f64,

/* The functions of a variant's struct, behind its facts. */
#define V_FUNCTIONS                                                                                \
    .f32 = {TERN__UNARY_FUNCTIONS(V_ROW_F32)}, .f64 = {TERN__UNARY_FUNCTIONS(V_ROW_F64)},          \
    .atan2_f32 = atan2_f32, .atan2_f64 = atan2_f64, .pow_f32 = pow_f32, .pow_f64 = pow_f64

#endif
