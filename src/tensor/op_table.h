/* SPDX-License-Identifier: MIT
 *
 * The one table of operations. The ops layer checks and promotes by it, devices fill a row for each
 * operation that they have, statistics count by it, tests and benchmarks walk it, docs/OPS.md is
 * printed from it (tern help --ops).
 */
#ifndef TERN__OP_TABLE_H
#define TERN__OP_TABLE_H

#include <tern/ops.h>

/* Sets of data types. */
#define TERN__BIT(dtype) (UINT64_C(1) << (dtype))
#define TERN__SINGLE     TERN__BIT(TERN_F32)
#define TERN__REALS      (TERN__BIT(TERN_F32) | TERN__BIT(TERN_F64))
#define TERN__HALVES     (TERN__BIT(TERN_F16) | TERN__BIT(TERN_BF16))
#define TERN__FLOATS     (TERN__REALS | TERN__HALVES)
#define TERN__INTEGERS                                                                             \
    (TERN__BIT(TERN_I8) | TERN__BIT(TERN_U8) | TERN__BIT(TERN_I16) | TERN__BIT(TERN_I32) |         \
     TERN__BIT(TERN_I64))
#define TERN__BITS     (TERN__INTEGERS | TERN__BIT(TERN_BOOL))
#define TERN__NUMBERS  (TERN__FLOATS | TERN__INTEGERS)
#define TERN__PLAIN    (TERN__NUMBERS | TERN__BIT(TERN_BOOL))
#define TERN__TRITS    (TERN__BIT(TERN_I2_S) | TERN__BIT(TERN_TQ1_0) | TERN__BIT(TERN_TQ2_0))
#define TERN__ROWS     (TERN__SINGLE | TERN__HALVES | TERN__BIT(TERN_Q8_0))
#define TERN__ANY      (TERN__PLAIN | TERN__TRITS | TERN__BIT(TERN_Q8_0))
#define TERN__PRODUCTS (TERN__FLOATS | TERN__BIT(TERN_I8))

/* X(symbol, text): the data type of a result. */
#define TERN__RESULT_MAP(X)                                                                        \
    X(SAME, "promoted")                                                                            \
    X(FLOAT, "smallest float type")                                                                \
    X(DIVIDE, "float; integers: f64")                                                              \
    X(SUM, "promoted; integers and bool: i64")                                                     \
    X(MEAN, "float; integers and bool: f64")                                                       \
    X(PRODUCT, "promoted; i8: i32")                                                                \
    X(BOOL, "bool")                                                                                \
    X(I64, "i64")                                                                                  \
    X(F32, "f32")                                                                                  \
    X(I8, "i8")                                                                                    \
    X(FIRST, "that of the first")                                                                  \
    X(GIVEN, "given")                                                                              \
    X(PACKED, "ternary")                                                                           \
    X(QUANTIZED, "quantized")

typedef enum tern__result_rule {
#define TERN__RESULT_ENUM(symbol, text) TERN__RESULT_##symbol,
    TERN__RESULT_MAP(TERN__RESULT_ENUM)
#undef TERN__RESULT_ENUM
} tern__result_rule;

/* Where an operation may write. */
typedef enum tern__writes {
    TERN__WRITES_FRESH,    /* contiguous memory that no operand has */
    TERN__WRITES_STRIDED,  /* any strides; memory that no operand has */
    TERN__WRITES_ANYWHERE, /* any strides, also over an operand with the same elements */
    TERN__WRITES_NOTHING,  /* there is no into form: views, several results, copies */
} tern__writes;

/* X(symbol, name, arity, dtypes, result, shape, class, family, writes, gradient) */
#define TERN__OP_MAP(X)                                                                            \
    TERN__OP_CREATION(X)                                                                           \
    TERN__OP_VIEWS(X)                                                                              \
    TERN__OP_COPIES(X)                                                                             \
    TERN__OP_ARITHMETIC(X)                                                                         \
    TERN__OP_LOGIC(X)                                                                              \
    TERN__OP_ACTIVATIONS(X)                                                                        \
    TERN__OP_REDUCTIONS(X)                                                                         \
    TERN__OP_NORMS(X)                                                                              \
    TERN__OP_PRODUCTS(X)                                                                           \
    TERN__OP_MODELS(X)                                                                             \
    TERN__OP_INDEXING(X)                                                                           \
    TERN__OP_JOINING(X)                                                                            \
    TERN__OP_SORTING(X)                                                                            \
    TERN__OP_LINALG(X)

#define TERN__OP_CREATION(X)                                                                       \
    X(EMPTY, "empty", 0, TERN__PLAIN, GIVEN, "given", COMPUTE, "", NOTHING, "")                    \
    X(ZEROS, "zeros", 0, TERN__PLAIN, GIVEN, "given", COMPUTE, "", NOTHING, "")                    \
    X(ONES, "ones", 0, TERN__PLAIN, GIVEN, "given", COMPUTE, "", NOTHING, "")                      \
    X(FULL, "full", 0, TERN__PLAIN, GIVEN, "given", COMPUTE, "", NOTHING, "")                      \
    X(ARANGE, "arange", 0, TERN__PLAIN, GIVEN, "given", COMPUTE, "", NOTHING, "")                  \
    X(LINSPACE, "linspace", 0, TERN__PLAIN, GIVEN, "given", COMPUTE, "", NOTHING, "")              \
    X(EYE, "eye", 0, TERN__PLAIN, GIVEN, "given", COMPUTE, "", NOTHING, "")                        \
    X(RAND, "rand", 0, TERN__FLOATS, GIVEN, "given", COMPUTE, "", NOTHING, "")                     \
    X(RANDN, "randn", 0, TERN__FLOATS, GIVEN, "given", COMPUTE, "", NOTHING, "")                   \
    X(RANDINT, "randint", 0, TERN__INTEGERS, GIVEN, "given", COMPUTE, "", NOTHING, "")             \
    X(BERNOULLI, "bernoulli", 0, TERN__PLAIN, GIVEN, "given", COMPUTE, "", NOTHING, "")            \
    X(FROM_DATA, "from_data", 0, TERN__ANY, GIVEN, "given", MOVE, "", NOTHING, "")                 \
    X(BORROW, "borrow", 0, TERN__ANY, GIVEN, "given", VIEW, "", NOTHING, "")

#define TERN__OP_VIEWS(X)                                                                          \
    X(RESHAPE, "reshape", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                    \
    X(FLATTEN, "flatten", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                    \
    X(MOVE_AXIS, "move_axis", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                \
    X(PERMUTE, "permute", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                    \
    X(TRANSPOSE, "transpose", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                \
    X(SLICE, "slice", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                        \
    X(SELECT, "select", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                      \
    X(BROADCAST, "broadcast", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                \
    X(SQUEEZE, "squeeze", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                    \
    X(UNSQUEEZE, "unsqueeze", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                \
    X(FLIP, "flip", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                          \
    X(DIAGONAL, "diagonal", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                  \
    X(UNFOLD, "unfold", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                      \
    X(VIEW_AS, "view_as", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                    \
    X(CHUNK, "chunk", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")                        \
    X(SPLIT, "split", 1, TERN__PLAIN, FIRST, "view", VIEW, "", NOTHING, "")

#define TERN__OP_COPIES(X)                                                                         \
    X(CONTIGUOUS, "contiguous", 1, TERN__PLAIN, FIRST, "x", COPY, "convert", NOTHING, "g")         \
    X(CLONE, "clone", 1, TERN__PLAIN, FIRST, "x", COPY, "convert", NOTHING, "g")                   \
    X(CAST, "cast", 1, TERN__ANY, GIVEN, "x", COMPUTE, "convert", NOTHING, "g")                    \
    X(COPY, "copy", 1, TERN__PLAIN, GIVEN, "x", COPY, "convert", NOTHING, "g")

#define TERN__OP_ARITHMETIC(X)                                                                     \
    X(ADD, "add", 2, TERN__NUMBERS, SAME, "broadcast", COMPUTE, "map", ANYWHERE, "g, g")           \
    X(SUB, "sub", 2, TERN__NUMBERS, SAME, "broadcast", COMPUTE, "map", ANYWHERE, "g, -g")          \
    X(MUL, "mul", 2, TERN__NUMBERS, SAME, "broadcast", COMPUTE, "map", ANYWHERE, "g b, g a")       \
    X(DIV, "div", 2, TERN__FLOATS, DIVIDE, "broadcast", COMPUTE, "map", ANYWHERE,                  \
      "g / b, -g y / b")                                                                           \
    X(FLOOR_DIV, "floor_div", 2, TERN__NUMBERS, SAME, "broadcast", COMPUTE, "map", ANYWHERE, "")   \
    X(MOD, "mod", 2, TERN__NUMBERS, SAME, "broadcast", COMPUTE, "map", ANYWHERE,                   \
      "g, -g floor(a / b)")                                                                        \
    X(POW, "pow", 2, TERN__NUMBERS, SAME, "broadcast", COMPUTE, "functions", ANYWHERE,             \
      "g b a^(b - 1), g y log(a)")                                                                 \
    X(ATAN2, "atan2", 2, TERN__FLOATS, FLOAT, "broadcast", COMPUTE, "functions", ANYWHERE,         \
      "g b / (a^2 + b^2), -g a / (a^2 + b^2)")                                                     \
    X(MINIMUM, "minimum", 2, TERN__PLAIN, SAME, "broadcast", COMPUTE, "map", ANYWHERE,             \
      "g where y = a, else 0; likewise b")                                                         \
    X(MAXIMUM, "maximum", 2, TERN__PLAIN, SAME, "broadcast", COMPUTE, "map", ANYWHERE,             \
      "g where y = a, else 0; likewise b")                                                         \
    X(NEG, "neg", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "-g")                     \
    X(ABS, "abs", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "g sign(x)")              \
    X(SIGN, "sign", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "0")                    \
    X(SQUARE, "square", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "2 g x")            \
    X(SQRT, "sqrt", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "map", ANYWHERE, "g / (2 y)")            \
    X(RSQRT, "rsqrt", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "map", ANYWHERE, "-g y^3 / 2")         \
    X(RECIPROCAL, "reciprocal", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "map", ANYWHERE, "-g y^2")   \
    X(EXP, "exp", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g y")              \
    X(EXPM1, "expm1", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g (y + 1)")    \
    X(LOG, "log", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g / x")            \
    X(LOG1P, "log1p", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g / (1 + x)")  \
    X(LOG2, "log2", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g / (x log 2)")  \
    X(SIN, "sin", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g cos(x)")         \
    X(COS, "cos", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "-g sin(x)")        \
    X(TAN, "tan", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g (1 + y^2)")      \
    X(ASIN, "asin", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE,                   \
      "g / sqrt(1 - x^2)")                                                                         \
    X(ACOS, "acos", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE,                   \
      "-g / sqrt(1 - x^2)")                                                                        \
    X(ATAN, "atan", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g / (1 + x^2)")  \
    X(SINH, "sinh", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g cosh(x)")      \
    X(COSH, "cosh", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE, "g sinh(x)")      \
    X(TANH, "tanh", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE,                   \
      "tanh_backward(g, y)")                                                                       \
    X(ERF, "erf", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE,                     \
      "g 2 / sqrt(pi) exp(-x^2)")                                                                  \
    X(ROUND, "round", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "0")                  \
    X(FLOOR, "floor", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "0")                  \
    X(CEIL, "ceil", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "0")                    \
    X(TRUNC, "trunc", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "0")                  \
    X(FMA, "fma", 3, TERN__NUMBERS, SAME, "broadcast", COMPUTE, "map", ANYWHERE, "g b, g a, g")    \
    X(SCALE, "scale", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "g factor")           \
    X(AFFINE, "affine", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "g factor")         \
    X(ADD_SCALED, "add_scaled", 2, TERN__NUMBERS, SAME, "broadcast", COMPUTE, "map", ANYWHERE,     \
      "g, g factor")                                                                               \
    X(CLIP, "clip", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE,                         \
      "g where low <= x <= high")

#define TERN__OP_LOGIC(X)                                                                          \
    X(BIT_AND, "bit_and", 2, TERN__BITS, SAME, "broadcast", COMPUTE, "map", ANYWHERE, "")          \
    X(BIT_OR, "bit_or", 2, TERN__BITS, SAME, "broadcast", COMPUTE, "map", ANYWHERE, "")            \
    X(BIT_XOR, "bit_xor", 2, TERN__BITS, SAME, "broadcast", COMPUTE, "map", ANYWHERE, "")          \
    X(BIT_NOT, "bit_not", 1, TERN__BITS, SAME, "x", COMPUTE, "map", ANYWHERE, "")                  \
    X(SHIFT_LEFT, "shift_left", 2, TERN__INTEGERS, SAME, "broadcast", COMPUTE, "map", ANYWHERE,    \
      "")                                                                                          \
    X(SHIFT_RIGHT, "shift_right", 2, TERN__INTEGERS, SAME, "broadcast", COMPUTE, "map", ANYWHERE,  \
      "")                                                                                          \
    X(EQUAL, "equal", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, "")             \
    X(NOT_EQUAL, "not_equal", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, "")     \
    X(LESS, "less", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, "")               \
    X(LESS_EQUAL, "less_equal", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, "")   \
    X(GREATER, "greater", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, "")         \
    X(GREATER_EQUAL, "greater_equal", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, \
      "")                                                                                          \
    X(LOGICAL_AND, "logical_and", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, "") \
    X(LOGICAL_OR, "logical_or", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, "")   \
    X(LOGICAL_XOR, "logical_xor", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, "") \
    X(LOGICAL_NOT, "logical_not", 1, TERN__PLAIN, BOOL, "x", COMPUTE, "map", ANYWHERE, "")         \
    X(ISNAN, "isnan", 1, TERN__PLAIN, BOOL, "x", COMPUTE, "map", ANYWHERE, "")                     \
    X(ISINF, "isinf", 1, TERN__PLAIN, BOOL, "x", COMPUTE, "map", ANYWHERE, "")                     \
    X(ISFINITE, "isfinite", 1, TERN__PLAIN, BOOL, "x", COMPUTE, "map", ANYWHERE, "")               \
    X(ISCLOSE, "isclose", 2, TERN__PLAIN, BOOL, "broadcast", COMPUTE, "map", ANYWHERE, "")         \
    X(WHERE, "where", 3, TERN__PLAIN, SAME, "broadcast", COMPUTE, "map", ANYWHERE,                 \
      "0, g where c, g where not c")

#define TERN__OP_ACTIVATIONS(X)                                                                    \
    X(RELU, "relu", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE, "relu_backward(g, x)")  \
    X(RELU2, "relu2", 1, TERN__NUMBERS, SAME, "x", COMPUTE, "map", ANYWHERE,                       \
      "relu2_backward(g, x)")                                                                      \
    X(SIGMOID, "sigmoid", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE,             \
      "sigmoid_backward(g, y)")                                                                    \
    X(SILU, "silu", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE,                   \
      "silu_backward(g, x)")                                                                       \
    X(GELU, "gelu", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE,                   \
      "gelu_backward(g, x)")                                                                       \
    X(GELU_TANH, "gelu_tanh", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE,         \
      "gelu_tanh_backward(g, x)")                                                                  \
    X(SOFTPLUS, "softplus", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "functions", ANYWHERE,           \
      "softplus_backward(g, x)")                                                                   \
    X(LEAKY_RELU, "leaky_relu", 1, TERN__FLOATS, SAME, "x", COMPUTE, "map", ANYWHERE,              \
      "leaky_relu_backward(g, x)")                                                                 \
    X(BIAS_ACTIVATION, "bias_activation", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE,             \
      "map, functions", ANYWHERE, "of the two steps")                                              \
    X(DROPOUT, "dropout", 1, TERN__FLOATS, SAME, "x", COMPUTE, "map", FRESH,                       \
      "dropout(g, probability, seed)")                                                             \
    X(RELU_BACKWARD, "relu_backward", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE, "map",          \
      ANYWHERE, "")                                                                                \
    X(RELU2_BACKWARD, "relu2_backward", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE, "map",        \
      ANYWHERE, "")                                                                                \
    X(LEAKY_RELU_BACKWARD, "leaky_relu_backward", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE,     \
      "map", ANYWHERE, "")                                                                         \
    X(SIGMOID_BACKWARD, "sigmoid_backward", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE, "map",    \
      ANYWHERE, "")                                                                                \
    X(TANH_BACKWARD, "tanh_backward", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE, "map",          \
      ANYWHERE, "")                                                                                \
    X(SILU_BACKWARD, "silu_backward", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE,                 \
      "map, functions", ANYWHERE, "")                                                              \
    X(GELU_BACKWARD, "gelu_backward", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE,                 \
      "map, functions", ANYWHERE, "")                                                              \
    X(GELU_TANH_BACKWARD, "gelu_tanh_backward", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE,       \
      "map, functions", ANYWHERE, "")                                                              \
    X(SOFTPLUS_BACKWARD, "softplus_backward", 2, TERN__FLOATS, SAME, "broadcast", COMPUTE,         \
      "map, functions", ANYWHERE, "")

#define TERN__OP_REDUCTIONS(X)                                                                     \
    X(SUM, "sum", 1, TERN__PLAIN, SUM, "reduced", COMPUTE, "reduce", STRIDED, "g")                 \
    X(PROD, "prod", 1, TERN__PLAIN, SUM, "reduced", COMPUTE, "reduce", STRIDED, "g y / x")         \
    X(MEAN, "mean", 1, TERN__PLAIN, MEAN, "reduced", COMPUTE, "reduce", STRIDED, "g / n")          \
    X(MIN, "min", 1, TERN__PLAIN, SAME, "reduced", COMPUTE, "reduce", STRIDED, "g where x = y")    \
    X(MAX, "max", 1, TERN__PLAIN, SAME, "reduced", COMPUTE, "reduce", STRIDED, "g where x = y")    \
    X(ANY, "any", 1, TERN__PLAIN, BOOL, "reduced", COMPUTE, "reduce", STRIDED, "")                 \
    X(ALL, "all", 1, TERN__PLAIN, BOOL, "reduced", COMPUTE, "reduce", STRIDED, "")                 \
    X(COUNT_NONZERO, "count_nonzero", 1, TERN__PLAIN, I64, "reduced", COMPUTE, "reduce", STRIDED,  \
      "")                                                                                          \
    X(LOGSUMEXP, "logsumexp", 1, TERN__FLOATS, FLOAT, "reduced", COMPUTE, "reduce", STRIDED,       \
      "g softmax(x)")                                                                              \
    X(VAR, "var", 1, TERN__PLAIN, MEAN, "reduced", COMPUTE, "reduce", STRIDED,                     \
      "2 g (x - mean) / (n - ddof)")                                                               \
    X(STD, "std", 1, TERN__PLAIN, MEAN, "reduced", COMPUTE, "reduce", STRIDED,                     \
      "g (x - mean) / ((n - ddof) y)")                                                             \
    X(NORM, "norm", 1, TERN__PLAIN, MEAN, "reduced", COMPUTE, "reduce", STRIDED,                   \
      "g x |x|^(p - 2) / y^(p - 1)")                                                               \
    X(MEDIAN, "median", 1, TERN__PLAIN, MEAN, "reduced", COPY, "reduce", STRIDED, "")              \
    X(QUANTILE, "quantile", 1, TERN__PLAIN, MEAN, "reduced", COPY, "reduce", STRIDED, "")          \
    X(ARGMIN, "argmin", 1, TERN__PLAIN, I64, "reduced", COMPUTE, "reduce", STRIDED, "")            \
    X(ARGMAX, "argmax", 1, TERN__PLAIN, I64, "reduced", COMPUTE, "reduce", STRIDED, "")            \
    X(CUMSUM, "cumsum", 1, TERN__PLAIN, SUM, "x", COMPUTE, "reduce", STRIDED,                      \
      "flip(cumsum(flip(g)))")                                                                     \
    X(CUMPROD, "cumprod", 1, TERN__PLAIN, SUM, "x", COMPUTE, "reduce", STRIDED, "")                \
    X(DOT, "dot", 2, TERN__NUMBERS, SUM, "rank 0", COMPUTE, "reduce", STRIDED, "g b, g a")

#define TERN__OP_NORMS(X)                                                                          \
    X(SOFTMAX, "softmax", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "rows, reduce", ANYWHERE,          \
      "softmax_backward(g, y)")                                                                    \
    X(SOFTMAX_CAUSAL, "softmax_causal", 1, TERN__SINGLE, SAME, "x", COMPUTE, "rows", ANYWHERE,     \
      "softmax_backward(g, y)")                                                                    \
    X(LOG_SOFTMAX, "log_softmax", 1, TERN__FLOATS, FLOAT, "x", COMPUTE, "reduce", ANYWHERE,        \
      "log_softmax_backward(g, y)")                                                                \
    X(SOFTMAX_BACKWARD, "softmax_backward", 2, TERN__FLOATS, SAME, "x", COMPUTE, "reduce",         \
      ANYWHERE, "")                                                                                \
    X(LOG_SOFTMAX_BACKWARD, "log_softmax_backward", 2, TERN__FLOATS, SAME, "x", COMPUTE, "reduce", \
      ANYWHERE, "")                                                                                \
    X(RMS_NORM, "rms_norm", 2, TERN__REALS, SAME, "x", COMPUTE, "rows, reduce", ANYWHERE,          \
      "rms_norm_backward(g, x, weight)")                                                           \
    X(LAYER_NORM, "layer_norm", 3, TERN__REALS, SAME, "x", COMPUTE, "reduce", ANYWHERE,            \
      "layer_norm_backward(g, x, weight)")                                                         \
    X(RMS_NORM_BACKWARD, "rms_norm_backward", 3, TERN__REALS, SAME, "x and the weight", COMPUTE,   \
      "reduce", NOTHING, "")                                                                       \
    X(LAYER_NORM_BACKWARD, "layer_norm_backward", 3, TERN__REALS, SAME, "x and the weight",        \
      COMPUTE, "reduce", NOTHING, "")                                                              \
    X(CROSS_ENTROPY, "cross_entropy", 2, TERN__REALS, FIRST, "rank 0", COMPUTE, "reduce", STRIDED, \
      "cross_entropy_backward(g, logits, targets)")                                                \
    X(CROSS_ENTROPY_BACKWARD, "cross_entropy_backward", 3, TERN__REALS, FIRST, "logits", COMPUTE,  \
      "reduce", ANYWHERE, "")

#define TERN__OP_PRODUCTS(X)                                                                       \
    X(MATMUL, "matmul", 2, TERN__PRODUCTS, PRODUCT, "matmul", COMPUTE, "gemm", STRIDED,            \
      "matmul(g, b^T), matmul(a^T, g)")                                                            \
    X(MATMUL_WITH, "matmul_with", 2, TERN__SINGLE, SAME, "matmul", COMPUTE, "gemm", STRIDED,       \
      "as matmul")                                                                                 \
    X(OUTER, "outer", 2, TERN__NUMBERS, SAME, "(M), (N): (M, N)", COMPUTE, "map", ANYWHERE,        \
      "matmul(g, b), matmul(a, g)")                                                                \
    X(LINEAR, "linear", 2, TERN__ROWS, F32, "(..., K), (N, K): (..., N)", COMPUTE, "gemm", FRESH,  \
      "matmul(g, w), matmul(g^T, x)")                                                              \
    X(TERNARY_LINEAR, "ternary_linear", 2, TERN__SINGLE, F32, "(..., K), (N, K): (..., N)",        \
      COMPUTE, "trits4, trits5", FRESH, "straight-through")                                        \
    X(NORM_LINEAR, "norm_linear", -1, TERN__SINGLE, F32,                                           \
      "(..., K), (K), (N, K), ...: (..., N), ...", COMPUTE, "rows, trits4, trits5", FRESH,         \
      "of the two steps")                                                                          \
    X(NORM_LINEAR_ADD, "norm_linear_add", 4, TERN__SINGLE, F32,                                    \
      "(..., K), (K), (N, K), (..., N): (..., N)", COMPUTE, "rows, trits4, trits5", FRESH,         \
      "of the three steps")                                                                        \
    X(NORM_GLU, "norm_glu", 4, TERN__SINGLE, F32, "(..., K), (K), (N, K), (N, K): (..., N)",       \
      COMPUTE, "rows, trits4, trits5", FRESH, "of the steps")                                      \
    X(QUANTIZED_LINEAR, "quantized_linear", 2, TERN__SINGLE, F32, "(..., K), (N, K): (..., N)",    \
      COMPUTE, "int8, int4", FRESH, "")                                                            \
    X(LINEAR_TOPK, "linear_topk", 2, TERN__ROWS, F32, "(..., K), (N, K): (..., k)", COMPUTE,       \
      "int8, gemm", NOTHING, "")                                                                   \
    X(EINSUM, "einsum", 2, TERN__FLOATS, SAME, "by the subscripts", COMPUTE, "gemm", STRIDED,      \
      "einsum")                                                                                    \
    X(CONV1D, "conv1d", 3, TERN__SINGLE, SAME, "(B, C, T), (O, C/g, K): (B, O, T')", COMPUTE,      \
      "conv", STRIDED, "")                                                                         \
    X(CONV2D, "conv2d", 3, TERN__SINGLE, SAME, "(B, C, H, W), (O, C/g, R, S): (B, O, H', W')",     \
      COMPUTE, "conv", STRIDED, "")

#define TERN__OP_MODELS(X)                                                                         \
    X(ROPE, "rope", 2, TERN__SINGLE, F32, "x", COMPUTE, "elementwise", FRESH, "rope(g) with -sin") \
    X(ROPE_TABLE, "rope_table", 0, TERN__SINGLE, F32, "given", COMPUTE, "", NOTHING, "")           \
    X(EMBEDDING, "embedding", 2, TERN__ROWS, F32, "(V, D), ids: ids with D", MOVE, "convert",      \
      FRESH, "scatter_add")                                                                        \
    X(ATTENTION, "attention", 3, TERN__SINGLE, F32, "(T, H, K): (T, H K)", COMPUTE, "attention",   \
      FRESH, "")                                                                                   \
    X(ATTENTION_INT8, "attention_int8", 4, TERN__SINGLE, F32, "(T, H, K): (T, H K)", COMPUTE,      \
      "attention", FRESH, "")                                                                      \
    X(QUANTIZE_SCALE, "quantize_scale", 1, TERN__SINGLE, F32, "(..., K): (...)", COMPUTE,          \
      "convert", STRIDED, "")                                                                      \
    X(QUANTIZE, "quantize", 2, TERN__SINGLE, I8, "x", COMPUTE, "convert", FRESH,                   \
      "straight-through")                                                                          \
    X(PACK, "pack", 1, TERN__TRITS | TERN__BIT(TERN_I8), PACKED, "x", MOVE, "trits4, trits5",      \
      NOTHING, "")                                                                                 \
    X(PACK_INT, "pack_int", 1, TERN__ROWS, QUANTIZED, "x", MOVE, "quantize", NOTHING, "")          \
    X(PACK_RANDOM, "pack_random", 0, TERN__BIT(TERN_TERNARY), PACKED, "given", MOVE,               \
      "trits4, trits5", NOTHING, "")

#define TERN__OP_INDEXING(X)                                                                       \
    X(GATHER, "gather", 2, TERN__PLAIN, FIRST, "index", MOVE, "", STRIDED, "scatter_add")          \
    X(SCATTER, "scatter", 3, TERN__PLAIN, FIRST, "x", MOVE, "", STRIDED, "gather")                 \
    X(SCATTER_ADD, "scatter_add", 3, TERN__NUMBERS, FIRST, "x", MOVE, "", STRIDED, "g, gather(g)") \
    X(INDEX_SELECT, "index_select", 2, TERN__PLAIN, FIRST, "x with the axis as long as the index", \
      MOVE, "", STRIDED, "scatter_add")                                                            \
    X(TAKE, "take", 2, TERN__PLAIN, FIRST, "index", MOVE, "", STRIDED, "scatter_add")              \
    X(PUT, "put", 3, TERN__PLAIN, FIRST, "x", MOVE, "", STRIDED, "")                               \
    X(MASKED_SELECT, "masked_select", 2, TERN__PLAIN, FIRST, "vector", MOVE, "", FRESH, "put")     \
    X(MASKED_FILL, "masked_fill", 2, TERN__PLAIN, FIRST, "x", COMPUTE, "map", ANYWHERE,            \
      "masked_fill(g, mask, 0)")                                                                   \
    X(NONZERO, "nonzero", 1, TERN__PLAIN, I64, "(count, rank)", COMPUTE, "", FRESH, "")            \
    X(ONE_HOT, "one_hot", 1, TERN__INTEGERS, GIVEN, "(...): (..., classes)", COMPUTE, "", FRESH,   \
      "")                                                                                          \
    X(SEARCHSORTED, "searchsorted", 2, TERN__PLAIN, I64, "values", COMPUTE, "", STRIDED, "")

#define TERN__OP_JOINING(X)                                                                        \
    X(CONCAT, "concat", -1, TERN__PLAIN, SAME, "sum along the axis", MOVE, "convert", STRIDED,     \
      "slices of g")                                                                               \
    X(STACK, "stack", -1, TERN__PLAIN, SAME, "a new axis", MOVE, "convert", STRIDED,               \
      "selects of g")                                                                              \
    X(PAD, "pad", 1, TERN__PLAIN, FIRST, "by the arguments", MOVE, "convert", STRIDED,             \
      "slice of g")                                                                                \
    X(TILE, "tile", 1, TERN__PLAIN, FIRST, "by the arguments", MOVE, "convert", STRIDED, "sum")    \
    X(REPEAT, "repeat", 1, TERN__PLAIN, FIRST, "by the arguments", MOVE, "convert", STRIDED,       \
      "sum")                                                                                       \
    X(ROLL, "roll", 1, TERN__PLAIN, FIRST, "by the arguments", MOVE, "convert", FRESH,             \
      "roll(g, -shift)")

#define TERN__OP_SORTING(X)                                                                        \
    X(SORT, "sort", 1, TERN__PLAIN, FIRST, "x", MOVE, "", ANYWHERE, "scatter by argsort")          \
    X(ARGSORT, "argsort", 1, TERN__PLAIN, I64, "x", COMPUTE, "", STRIDED, "")                      \
    X(TOPK, "topk", 1, TERN__PLAIN, FIRST, "k along the axis", MOVE, "", NOTHING,                  \
      "scatter by indices")                                                                        \
    X(UNIQUE, "unique", 1, TERN__PLAIN, FIRST, "vector", MOVE, "", NOTHING, "")

#define TERN__OP_LINALG(X)                                                                         \
    X(SOLVE, "solve", 2, TERN__REALS, FIRST, "(..., N, N), (..., N, R): (..., N, R)", COPY,        \
      "LAPACK", NOTHING, "solve(a^T, g), -that y^T")                                               \
    X(INV, "inv", 1, TERN__REALS, FIRST, "x", COPY, "LAPACK", NOTHING, "-y^T g y^T")               \
    X(DET, "det", 1, TERN__REALS, FIRST, "batch", COPY, "LAPACK", NOTHING, "g y inv(x)^T")         \
    X(SLOGDET, "slogdet", 1, TERN__REALS, FIRST, "batch, twice", COPY, "LAPACK", NOTHING, "")      \
    X(LSTSQ, "lstsq", 2, TERN__REALS, FIRST, "(..., M, N), (..., M, R): (..., N, R)", COPY,        \
      "LAPACK", NOTHING, "")                                                                       \
    X(PINV, "pinv", 1, TERN__REALS, FIRST, "(..., N, M)", COPY, "LAPACK", NOTHING, "")             \
    X(LU, "lu", 1, TERN__REALS, FIRST, "p, l, u", COPY, "LAPACK", NOTHING, "")                     \
    X(QR, "qr", 1, TERN__REALS, FIRST, "q, r", COPY, "LAPACK", NOTHING, "")                        \
    X(CHOLESKY, "cholesky", 1, TERN__REALS, FIRST, "x", COPY, "LAPACK", NOTHING, "")               \
    X(SVD, "svd", 1, TERN__REALS, FIRST, "u, s, vt", COPY, "LAPACK", NOTHING, "")                  \
    X(EIGH, "eigh", 1, TERN__REALS, FIRST, "w, v", COPY, "LAPACK", NOTHING, "")                    \
    X(EIG, "eig", 1, TERN__REALS, FIRST, "w, v as real and imaginary parts", COPY, "LAPACK",       \
      NOTHING, "")                                                                                 \
    X(MATRIX_RANK, "matrix_rank", 1, TERN__REALS, I64, "batch", COPY, "LAPACK", NOTHING, "")       \
    X(COND, "cond", 1, TERN__REALS, FIRST, "batch", COPY, "LAPACK", NOTHING, "")                   \
    X(MATRIX_NORM, "matrix_norm", 1, TERN__REALS, FIRST, "batch", COPY, "LAPACK", NOTHING, "")     \
    X(EXPM, "expm", 1, TERN__REALS, FIRST, "x", COPY, "LAPACK", NOTHING, "")

typedef enum tern__op {
#define TERN__OP_ENUM(symbol, ...) TERN__OP_##symbol,
    TERN__OP_MAP(TERN__OP_ENUM)
#undef TERN__OP_ENUM
        TERN__OP_COUNT
} tern__op;

typedef struct tern__op_row {
    tern_op_info info;
    tern__result_rule result;
    tern__writes writes;
} tern__op_row;

extern const tern__op_row tern__op_rows[TERN__OP_COUNT];

/* Creation and views compute nothing. */
static inline bool tern__op_computes(tern__op op) {
    return op > TERN__OP_VIEW_AS && op != TERN__OP_CHUNK && op != TERN__OP_SPLIT;
}

static inline const char *tern__op_name(tern__op op) {
    return tern__op_rows[op].info.name;
}

/* -- promotion ---------------------------------------------------------------------------------*/

/* NumPy 2's result type of two plain types (docs/numerics.md). */
tern_dtype tern__promote(tern_dtype a, tern_dtype b);

/* The smallest float type that holds a plain type: itself when it is one. */
tern_dtype tern__float_for(tern_dtype dtype);

/* -- statistics --------------------------------------------------------------------------------*/

/* Counts one call. `bytes`: see tern_op_stats. Any thread. */
void tern__count(tern_context *context, tern__op op, tern_op_class op_class, int64_t bytes);
void tern__count_packed(tern_context *context, int64_t bytes);

/* One row of LINEAR_TOPK with a screen. `candidates`: how many products were computed in F32;
 * `is_full`: all, since the screen did not help. */
void tern__count_screen(tern_context *context, int64_t candidates, bool is_full);

#endif
