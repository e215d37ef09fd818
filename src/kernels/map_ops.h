/* SPDX-License-Identifier: MIT
 *
 * The element-wise operations that are one expression each, by the type they are computed in. An
 * expression is made of correctly rounded operations (those of <tgmath.h> follow the type), so
 * every variant gives the same bits; a, b, c are the operands, p and q two numbers of the call.
 * Minimum and maximum are those of IEEE 754-2019: NaN wins, -0 is below +0.
 *
 * F16 and BF16 are computed in F32 and rounded again (for + - * / and sqrt that is the correctly
 * rounded half: 24 >= 2 * 11 + 2 bits); I8 to I32 and U8 in I64 and wrapped, or in the type itself:
 * every expression below widens before it could matter.
 */
#ifndef TERN__MAP_OPS_H
#define TERN__MAP_OPS_H

/* X(symbol, name, expression); float and double. */
#define TERN__MAP_FLOAT1(X)                                                                        \
    X(NEG, neg, -a)                                                                                \
    X(ABS, abs, fabs(a))                                                                           \
    X(SIGN, sign, a > 0 ? 1 : a < 0 ? -1 : a == 0 ? 0 : a)                                         \
    X(SQRT, sqrt, sqrt(a))                                                                         \
    X(RSQRT, rsqrt, 1 / sqrt(a))                                                                   \
    X(RECIPROCAL, reciprocal, 1 / a)                                                               \
    X(SQUARE, square, a *a)                                                                        \
    X(FLOOR, floor, floor(a))                                                                      \
    X(CEIL, ceil, ceil(a))                                                                         \
    X(TRUNC, trunc, trunc(a))                                                                      \
    X(ROUND, round, rint(a))                                                                       \
    X(RELU, relu, a < 0 ? 0 : a)                                                                   \
    X(RELU2, relu2, a < 0 ? 0 : a * a)                                                             \
    X(LEAKY_RELU, leaky_relu, a < 0 ? a * p : a)                                                   \
    X(SCALE, scale, a *p)                                                                          \
    X(AFFINE, affine, fma(a, p, q))                                                                \
    X(CLIP, clip, a<p ? p : a> q ? q : a)

#define TERN__MAP_FLOAT2(X)                                                                        \
    X(ADD, add, a + b)                                                                             \
    X(SUB, sub, a - b)                                                                             \
    X(MUL, mul, a *b)                                                                              \
    X(ADD_SCALED, add_scaled, fma(b, p, a))                                                        \
    X(RELU_BACKWARD, relu_backward, b > 0 ? a : b != b ? b : 0)                                    \
    X(RELU2_BACKWARD, relu2_backward, b > 0 ? a * (b + b) : b != b ? b : 0)                        \
    X(LEAKY_RELU_BACKWARD, leaky_relu_backward, b > 0 ? a : b != b ? b : a * p)                    \
    X(SIGMOID_BACKWARD, sigmoid_backward, a *(b * (1 - b)))                                        \
    X(TANH_BACKWARD, tanh_backward, a *fma(-b, b, 1))                                              \
    X(DIV, div, a / b)                                                                             \
    X(FLOOR_DIV, floor_div, floor_quotient(a, b))                                                  \
    X(MOD, mod, floor_remainder(a, b))                                                             \
    X(MINIMUM, minimum, smaller(a, b))                                                             \
    X(MAXIMUM, maximum, larger(a, b))

#define TERN__MAP_FLOAT3(X) X(FMA, fma, fma(a, b, c))

/* Integers, wrapping; p and q are int64_t. */
#define TERN__MAP_INTEGER1(X)                                                                      \
    X(NEG, neg, wrap(0 - (uint64_t)a))                                                             \
    X(ABS, abs, a > 0 ? a : wrap(0 - (uint64_t)a))                                                 \
    X(SIGN, sign, a > 0 ? 1 : a == 0 ? 0 : -1)                                                     \
    X(SQUARE, square, wrap((uint64_t)a *(uint64_t)a))                                              \
    X(RELU, relu, a > 0 ? a : 0)                                                                   \
    X(RELU2, relu2, a > 0 ? wrap((uint64_t)a * (uint64_t)a) : 0)                                   \
    X(ROUND, round, a)                                                                             \
    X(FLOOR, floor, a)                                                                             \
    X(CEIL, ceil, a)                                                                               \
    X(TRUNC, trunc, a)                                                                             \
    X(SCALE, scale, wrap((uint64_t)a *(uint64_t)p))                                                \
    X(AFFINE, affine, wrap((uint64_t)a *(uint64_t)p + (uint64_t)q))                                \
    X(CLIP, clip, a<p ? p : a> q ? q : a)                                                          \
    X(BIT_NOT, bit_not, ~a)

#define TERN__MAP_INTEGER2(X)                                                                      \
    X(ADD, add, wrap((uint64_t)a + (uint64_t)b))                                                   \
    X(ADD_SCALED, add_scaled, wrap((uint64_t)a + (uint64_t)b * (uint64_t)p))                       \
    X(SUB, sub, wrap((uint64_t)a - (uint64_t)b))                                                   \
    X(MUL, mul, wrap((uint64_t)a *(uint64_t)b))                                                    \
    X(FLOOR_DIV, floor_div, integer_quotient(a, b))                                                \
    X(MOD, mod, integer_remainder(a, b))                                                           \
    X(MINIMUM, minimum, a < b ? a : b)                                                             \
    X(MAXIMUM, maximum, a > b ? a : b)                                                             \
    X(POW, pow, integer_power(a, b))                                                               \
    X(BIT_AND, bit_and, a &b)                                                                      \
    X(BIT_OR, bit_or, a | b)                                                                       \
    X(BIT_XOR, bit_xor, a ^ b)                                                                     \
    X(SHIFT_LEFT, shift_left, shifted_left(a, b))                                                  \
    X(SHIFT_RIGHT, shift_right, shifted_right(a, b))

#define TERN__MAP_INTEGER3(X) X(FMA, fma, wrap((uint64_t)a *(uint64_t)b + (uint64_t)c))

/* Any type to 0 or 1. */
#define TERN__MAP_COMPARE2(X)                                                                      \
    X(EQUAL, equal, a == b)                                                                        \
    X(NOT_EQUAL, not_equal, a != b)                                                                \
    X(LESS, less, a < b)                                                                           \
    X(LESS_EQUAL, less_equal, a <= b)                                                              \
    X(GREATER, greater, a > b)                                                                     \
    X(GREATER_EQUAL, greater_equal, a >= b)                                                        \
    X(LOGICAL_AND, logical_and, (a != 0) & (b != 0))                                               \
    X(LOGICAL_OR, logical_or, (a != 0) | (b != 0))                                                 \
    X(LOGICAL_XOR, logical_xor, (a != 0) ^ (b != 0))

/* p and q are the relative and the absolute tolerance; b - b is 0 where b is finite. */
#define TERN__MAP_FLOAT_TEST2(X)                                                                   \
    X(ISCLOSE, isclose, (a == b) | ((fabs(a - b) <= q + p * fabs(b)) & (b - b == 0)))              \
    X(ISCLOSE_NAN, isclose_nan,                                                                    \
      (a == b) | ((fabs(a - b) <= q + p * fabs(b)) & (b - b == 0)) | ((a != a) & (b != b)))

#define TERN__MAP_COMPARE1(X) X(LOGICAL_NOT, logical_not, a == 0)

/* Float types only. */
#define TERN__MAP_FLOAT_TEST1(X)                                                                   \
    X(ISNAN, isnan, a != a)                                                                        \
    X(ISINF, isinf, fabs(a) == INFINITY)                                                           \
    X(ISFINITE, isfinite, fabs(a) < INFINITY)

#endif
