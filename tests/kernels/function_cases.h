/* SPDX-License-Identifier: MIT
 * The functions of the family `functions` by other means, the system's, and how far ours may be
 * away, as docs/numerics.md states it. */
#ifndef TERN_TEST_FUNCTION_CASES_H
#define TERN_TEST_FUNCTION_CASES_H

#include <math.h>
#include <stdbool.h>

#include "kernels/functions.h"

static double ref_sigmoid(double x) {
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

/* Below -88.72 e^-x is no F32 number, and the result -0. */
static double ref_silu(double x) {
    return x < -0x1.62e430p+6 && x > -1e300 ? -0.0 : x / (1 + exp(-x));
}

static double ref_softplus(double x) {
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

/* For |x| beyond these bounds x times 1/2, 1 or 0 is nearer than a double shows. */
static double gelu_limit(double x) {
    return fabs(x) < 1e-20 ? x / 2 : x > 40 ? x : -0.0;
}

static double ref_gelu(double x) {
    if (fabs(x) < 1e-20 || fabs(x) > 40)
        return gelu_limit(x);
    /* In double the rounding of erfc's argument would show. */
    return (double)((long double)x / 2 * erfcl(x * -0.707106781186547524401L));
}

static double ref_gelu_tanh(double x) {
    if (fabs(x) < 1e-20 || fabs(x) > 40)
        return gelu_limit(x);
    long double z = 1.59576912160573071176L * (x + 0.044715L * x * x * x);
    return (double)(x / (1 + expl(-z)));
}

/* Largest errors in units of the last place; F32 over all numbers, F64 for arguments of moderate
 * size. */
static const struct {
    const char *name;
    double (*reference)(double x);
    double max_f32, max_f64;
} function_case[TERN__FUNCTIONS] = {
    [TERN__FUNCTION_EXP] = {"exp", exp, 0.77, 1},
    [TERN__FUNCTION_EXPM1] = {"expm1", expm1, 0.95, 2},
    [TERN__FUNCTION_LOG] = {"log", log, 0.9, 1},
    [TERN__FUNCTION_LOG1P] = {"log1p", log1p, 0.50001, 1},
    [TERN__FUNCTION_LOG2] = {"log2", log2, 0.50001, 1},
    [TERN__FUNCTION_SIN] = {"sin", sin, 0.9, 3},
    [TERN__FUNCTION_COS] = {"cos", cos, 0.9, 3},
    [TERN__FUNCTION_TAN] = {"tan", tan, 0.50001, 4},
    [TERN__FUNCTION_ASIN] = {"asin", asin, 0.50001, 2},
    [TERN__FUNCTION_ACOS] = {"acos", acos, 0.50001, 2},
    [TERN__FUNCTION_ATAN] = {"atan", atan, 0.50001, 1},
    [TERN__FUNCTION_SINH] = {"sinh", sinh, 0.50001, 3},
    [TERN__FUNCTION_COSH] = {"cosh", cosh, 0.50001, 2},
    [TERN__FUNCTION_TANH] = {"tanh", tanh, 0.7, 3},
    [TERN__FUNCTION_ERF] = {"erf", erf, 1, 2},
    [TERN__FUNCTION_SIGMOID] = {"sigmoid", ref_sigmoid, 0.8, 3},
    [TERN__FUNCTION_SILU] = {"silu", ref_silu, 2.5, 4},
    [TERN__FUNCTION_SOFTPLUS] = {"softplus", ref_softplus, 1, 2},
    [TERN__FUNCTION_GELU] = {"gelu", ref_gelu, 1, 8},
    [TERN__FUNCTION_GELU_TANH] = {"gelu_tanh", ref_gelu_tanh, 0.85, 8},
};

/* |got - want| in units of the last place of a number of `digits` bits and this least exponent. */
static double error_ulp(double got, double want, int digits, int lowest) {
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (got == want)
        return !signbit(got) == !signbit(want) ? 0 : INFINITY;
    int exponent;
    frexp(want, &exponent);
    int unit = exponent - digits;
    return ldexp(fabs(got - want), -(unit > lowest ? unit : lowest));
}

static double error_f32(float got, double want) {
    if (isinf((float)want)) /* rounds to infinity: the nearest number by definition */
        return isinf(got) && (got > 0) == (want > 0) ? 0 : INFINITY;
    return error_ulp((double)got, want, 24, -149);
}

#endif
