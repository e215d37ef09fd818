/* SPDX-License-Identifier: MIT
 *
 * Family `functions`: transcendental functions, element by element. The operands have any stride
 * (in elements; 0 repeats one), results are contiguous and may be the same memory as a contiguous
 * operand. function_math.h is the definition in double. F32 has its own, in F32, where that is fast
 * and good to one ulp (function_single.h); the others go through double and are rounded once, so
 * that the result is the nearest number but for ties closer than 2^-20 ulp or so.
 */
#ifndef TERN__FUNCTIONS_H
#define TERN__FUNCTIONS_H

#include <stdint.h>

#include "base/cpu.h"

/* X(symbol, name) */
#define TERN__UNARY_FUNCTIONS(X)                                                                   \
    X(EXP, exp)                                                                                    \
    X(EXPM1, expm1)                                                                                \
    X(LOG, log)                                                                                    \
    X(LOG1P, log1p)                                                                                \
    X(LOG2, log2)                                                                                  \
    X(SIN, sin)                                                                                    \
    X(COS, cos)                                                                                    \
    X(TAN, tan)                                                                                    \
    X(ASIN, asin)                                                                                  \
    X(ACOS, acos)                                                                                  \
    X(ATAN, atan)                                                                                  \
    X(SINH, sinh)                                                                                  \
    X(COSH, cosh)                                                                                  \
    X(TANH, tanh)                                                                                  \
    X(ERF, erf)                                                                                    \
    X(SIGMOID, sigmoid)                                                                            \
    X(SILU, silu)                                                                                  \
    X(SOFTPLUS, softplus)                                                                          \
    X(GELU, gelu)                                                                                  \
    X(GELU_TANH, gelu_tanh)

enum {
#define TERN__FUNCTION_ENUM(symbol, name) TERN__FUNCTION_##symbol,
    TERN__UNARY_FUNCTIONS(TERN__FUNCTION_ENUM)
#undef TERN__FUNCTION_ENUM
        TERN__FUNCTIONS
};

typedef void (*tern__function_f32)(const float *x, int64_t stride, float *out, int64_t n);
typedef void (*tern__function_f64)(const double *x, int64_t stride, double *out, int64_t n);

typedef struct tern__functions_kernel {
    tern__variant variant;
    tern__function_f32 f32[TERN__FUNCTIONS];
    tern__function_f64 f64[TERN__FUNCTIONS];
    void (*atan2_f32)(const float *y, int64_t y_stride, const float *x, int64_t x_stride,
                      float *out, int64_t n);
    void (*atan2_f64)(const double *y, int64_t y_stride, const double *x, int64_t x_stride,
                      double *out, int64_t n);
    void (*pow_f32)(const float *x, int64_t x_stride, const float *y, int64_t y_stride, float *out,
                    int64_t n);
    void (*pow_f64)(const double *x, int64_t x_stride, const double *y, int64_t y_stride,
                    double *out, int64_t n);
} tern__functions_kernel;

extern const tern__functions_kernel *const tern__functions_family[];

#endif
