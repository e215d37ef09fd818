/* SPDX-License-Identifier: MIT
 * The loops of the family `functions` over the lanes that were included before: whole steps of
 * LANES elements, the last ones through a padded step. */
#ifndef TERN__FUNCTION_LOOPS_H
#define TERN__FUNCTION_LOOPS_H

#include <string.h>

#include "kernels/function_math.h"
#include "kernels/functions.h"

typedef vd v_unary(vd x);
typedef vd v_binary(vd x, vd y);

/* `count` elements, 1 in the lanes that have none. */
V_INLINE vd v_take_f32(const float *x, int64_t stride, int64_t count) {
    vf lanes = {0};
    if (count == LANES && stride == 1) {
        memcpy(&lanes, x, sizeof lanes);
        return v_widen(lanes);
    }
    for (int i = 0; i < LANES; i++)
        lanes[i] = i < count ? x[i * stride] : 1;
    return v_widen(lanes);
}

V_INLINE vd v_take_f64(const double *x, int64_t stride, int64_t count) {
    vd lanes = {0};
    if (count == LANES && stride == 1) {
        memcpy(&lanes, x, sizeof lanes);
        return lanes;
    }
    for (int i = 0; i < LANES; i++)
        lanes[i] = i < count ? x[i * stride] : 1;
    return lanes;
}

V_INLINE void v_put_f32(float *out, int64_t count, vd y) {
    vf lanes = v_narrow(y);
    if (count == LANES)
        memcpy(out, &lanes, sizeof lanes);
    else
        memcpy(out, &lanes, (size_t)count * sizeof *out);
}

V_INLINE void v_put_f64(double *out, int64_t count, vd y) {
    if (count == LANES)
        memcpy(out, &y, sizeof y);
    else
        memcpy(out, &y, (size_t)count * sizeof *out);
}

V_INLINE void v_map_f32(v_unary *f, const float *x, int64_t stride, float *out, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_put_f32(out + i, LANES, f(v_take_f32(x + i * stride, stride, LANES)));
    if (i < n)
        v_put_f32(out + i, n - i, f(v_take_f32(x + i * stride, stride, n - i)));
}

V_INLINE void v_map_f64(v_unary *f, const double *x, int64_t stride, double *out, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_put_f64(out + i, LANES, f(v_take_f64(x + i * stride, stride, LANES)));
    if (i < n)
        v_put_f64(out + i, n - i, f(v_take_f64(x + i * stride, stride, n - i)));
}

V_INLINE void v_map2_f32(v_binary *f, const float *x, int64_t x_stride, const float *y,
                         int64_t y_stride, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t count = n - i < LANES ? n - i : LANES;
        v_put_f32(out + i, count,
                  f(v_take_f32(x + i * x_stride, x_stride, count),
                    v_take_f32(y + i * y_stride, y_stride, count)));
    }
}

V_INLINE void v_map2_f64(v_binary *f, const double *x, int64_t x_stride, const double *y,
                         int64_t y_stride, double *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t count = n - i < LANES ? n - i : LANES;
        v_put_f64(out + i, count,
                  f(v_take_f64(x + i * x_stride, x_stride, count),
                    v_take_f64(y + i * y_stride, y_stride, count)));
    }
}

#define V_DEFINE(symbol, name)                                                                     \
    static void name##_f32(const float *x, int64_t stride, float *out, int64_t n) {                \
        v_map_f32(f_##name, x, stride, out, n);                                                    \
    }                                                                                              \
    static void name##_f64(const double *x, int64_t stride, double *out, int64_t n) {              \
        v_map_f64(f_##name, x, stride, out, n);                                                    \
    }
TERN__UNARY_FUNCTIONS(V_DEFINE)
#undef V_DEFINE

static void atan2_f32(const float *y, int64_t y_stride, const float *x, int64_t x_stride,
                      float *out, int64_t n) {
    v_map2_f32(f_atan2, y, y_stride, x, x_stride, out, n);
}

static void atan2_f64(const double *y, int64_t y_stride, const double *x, int64_t x_stride,
                      double *out, int64_t n) {
    v_map2_f64(f_atan2, y, y_stride, x, x_stride, out, n);
}

static void pow_f32(const float *x, int64_t x_stride, const float *y, int64_t y_stride, float *out,
                    int64_t n) {
    v_map2_f32(f_pow, x, x_stride, y, y_stride, out, n);
}

#define V_ROW_F32(symbol, name) [TERN__FUNCTION_##symbol] = name##_f32,
#define V_ROW_F64(symbol, name) [TERN__FUNCTION_##symbol] = name##_f64,

/* The functions of a variant's struct, behind its facts. */
#define V_FUNCTIONS                                                                                \
    .f32 = {TERN__UNARY_FUNCTIONS(V_ROW_F32)}, .f64 = {TERN__UNARY_FUNCTIONS(V_ROW_F64)},          \
    .atan2_f32 = atan2_f32, .atan2_f64 = atan2_f64, .pow_f32 = pow_f32

#endif
