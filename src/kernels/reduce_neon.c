/* SPDX-License-Identifier: MIT
 * Family `reduce` for NEON, whose minimum and maximum are those of IEEE 754-2019. */
#include <string.h>

#include <arm_neon.h>

#include "kernels/lanes_neon.h"

#include "kernels/exp.h"
#include "kernels/function_exp.h"

#define DEFINE_PARTS(type, t, V)                                                                   \
    static inline V t##_take(const type *x, int64_t count) {                                       \
        const int64_t lanes = sizeof(V) / sizeof *x;                                               \
        V v = {0};                                                                                 \
        if (count >= lanes)                                                                        \
            memcpy(&v, x, sizeof v);                                                               \
        else                                                                                       \
            for (int64_t i = 0; i < count; i++)                                                    \
                v[i] = x[i];                                                                       \
        return v;                                                                                  \
    }                                                                                              \
    static inline void t##_put(type *x, int64_t count, V v) {                                      \
        const int64_t lanes = sizeof(V) / sizeof *x;                                               \
        for (int64_t i = 0; i < lanes && i < count; i++)                                           \
            x[i] = v[i];                                                                           \
    }
DEFINE_PARTS(float, s, sf)
DEFINE_PARTS(double, d, vd)
DEFINE_PARTS(uint64_t, u, vu)

/* Elements j + s in place of j for j < s. */
static inline sf s_down(sf v, int s) {
    float32x4_t x = (float32x4_t)v;
    return (sf)(s == 2 ? vextq_f32(x, x, 2) : vextq_f32(x, x, 1));
}

static inline vd d_down(vd v, int s) {
    (void)s;
    return (vd){v[1], v[0]};
}

static inline vu u_down(vu v, int s) {
    (void)s;
    return (vu){v[1], v[0]};
}

static inline sf s_smaller(sf a, sf b) {
    return (sf)vminq_f32((float32x4_t)a, (float32x4_t)b);
}

static inline sf s_larger(sf a, sf b) {
    return (sf)vmaxq_f32((float32x4_t)a, (float32x4_t)b);
}

static inline vd d_smaller(vd a, vd b) {
    return (vd)vminq_f64((float64x2_t)a, (float64x2_t)b);
}

static inline vd d_larger(vd a, vd b) {
    return (vd)vmaxq_f64((float64x2_t)a, (float64x2_t)b);
}

#define s_smaller_number(a, b) s_smaller(a, b)
#define s_larger_number(a, b)  s_larger(a, b)
#define d_smaller_number(a, b) d_smaller(a, b)
#define d_larger_number(a, b)  d_larger(a, b)

/* Nothing to watch for. */
typedef int s_nans, d_nans;
enum { s_NO_NANS, d_NO_NANS = 0 };

static inline s_nans s_watch(s_nans nans, sf a, sf b) {
    (void)a, (void)b;
    return nans;
}

static inline d_nans d_watch(d_nans nans, vd a, vd b) {
    (void)a, (void)b;
    return nans;
}

#define s_any_nan(nans) ((nans) != 0)
#define d_any_nan(nans) ((nans) != 0)

static inline vu u_smaller(vu a, vu b) {
    vu is_first = (vu)((vl)a < (vl)b);
    return (is_first & a) | (~is_first & b);
}

static inline vu u_larger(vu a, vu b) {
    vu is_first = (vu)((vl)a > (vl)b);
    return (is_first & a) | (~is_first & b);
}

#include "kernels/reduce_loops.h"

const tern__reduce_kernel tern__reduce_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    TERN__REDUCE_FUNCTIONS,
};
