/* SPDX-License-Identifier: MIT
 * Element-wise operations: every variant has the bits of the scalar one, and that one does what the
 * operation's name says, by other means and by literal values. */
#include <math.h>

#include "support.h"

#include "kernels/inputs.h"
#include "kernels/map.h"
#include "kernels/variants.h"

enum { F32, F64, I64, I32, I16, I8, U8, TYPES };

static const size_t sizes[TYPES] = {4, 8, 8, 4, 2, 1, 1};

#define NAME(symbol, name, expression) [TERN__MAP_##symbol] = #name,
static const char *const names[TERN__MAP_COUNT] = {
    TERN__MAP_FLOAT1(NAME) TERN__MAP_FLOAT2(NAME) TERN__MAP_FLOAT3(NAME) TERN__MAP_COMPARE1(NAME)
        TERN__MAP_COMPARE2(NAME) TERN__MAP_FLOAT_TEST1(NAME)
            TERN__MAP_FLOAT_TEST2(NAME)[TERN__MAP_BIT_NOT] = "bit_not",
    [TERN__MAP_POW] = "pow",
    [TERN__MAP_BIT_AND] = "bit_and",
    [TERN__MAP_BIT_OR] = "bit_or",
    [TERN__MAP_BIT_XOR] = "bit_xor",
    [TERN__MAP_SHIFT_LEFT] = "shift_left",
    [TERN__MAP_SHIFT_RIGHT] = "shift_right",
};

static const tern__map_kernel *twin(void) {
    return test_scalar_twin(tern__map_family);
}

static tern__map_fn function_of(const tern__map_kernel *kernel, int type, int op) {
    const tern__map_fn *const lists[TYPES] = {kernel->f32, kernel->f64, kernel->i64, kernel->i32,
                                              kernel->i16, kernel->i8,  kernel->u8};
    return lists[type][op];
}

static bool gives_bytes(int op) {
    return op >= TERN__MAP_EQUAL;
}

/* -- every variant ------------------------------------------------------------------------------*/

/* Any bits, and small whole numbers so that equal ones meet and shifts stay within a word. */
static void fill(test_random *random, int type, int kind, void *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = (uint64_t)test_random_u32(random) << 32 | test_random_u32(random);
        int64_t small = test_random_range(random, -4, 4);
        double real = (double)small * 0.75;
        float narrow = kind == 0 ? tern__f32_from_bits((uint32_t)bits) : (float)real;
        if (type >= I64 && kind == 1)
            bits = (uint64_t)small;
        else if (type == F64 && kind == 1)
            memcpy(&bits, &real, sizeof bits);
        else if (type == F32)
            memcpy(&bits, &narrow, sizeof narrow);
        memcpy((uint8_t *)x + (size_t)i * sizes[type], &bits, sizes[type]);
    }
}

static bool same(int type, int op, const uint8_t *got, const uint8_t *expected) {
    if (gives_bytes(op))
        return *got == *expected;
    if (type == F32) {
        float g, e;
        memcpy(&g, got, 4), memcpy(&e, expected, 4);
        return (isnan(g) && isnan(e)) || memcmp(got, expected, 4) == 0;
    }
    if (type >= I64)
        return memcmp(got, expected, sizes[type]) == 0;
    double g, e;
    memcpy(&g, got, 8), memcpy(&e, expected, 8);
    return (isnan(g) && isnan(e)) || memcmp(got, expected, 8) == 0;
}

static void check_case(test_random *random, int type, int op, int64_t n, const int64_t *stride,
                       int kind) {
    tern__map_fn expected_fn = function_of(twin(), type, op);
    size_t size = sizes[type], out_size = gives_bytes(op) ? 1 : size;
    test_guarded in[3];
    tern__map_args args = {.n = n, .p = -0.5, .q = 1.5};
    for (int i = 0; i < 3; i++) {
        int64_t step = stride[i] < 0 ? -stride[i] : stride[i];
        size_t span = n == 0 ? 0 : (size_t)((n - 1) * step + 1);
        in[i] = test_guarded_new(span * size, size * (size_t)test_random_range(random, 0, 7));
        fill(random, type, kind, in[i].data, (int64_t)span);
        args.in[i] = in[i].data + (stride[i] < 0 && n > 0 ? (span - 1) * size : 0);
        args.stride[i] = stride[i];
    }
    uint8_t *expected = malloc((size_t)n * out_size + 1);
    args.out = expected;
    expected_fn(&args);
    const tern__map_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__map_family, "map", &at)) != NULL;) {
        test_guarded out = test_guarded_new((size_t)n * out_size, out_size);
        args.out = out.data;
        function_of(kernel, type, op)(&args);
        for (int64_t i = 0; i < n; i++)
            if (!same(type, op, out.data + (size_t)i * out_size, expected + (size_t)i * out_size))
                fail_msg("%s %s type %d n %lld strides %lld %lld: element %lld differs",
                         kernel->variant.name, names[op], type, (long long)n, (long long)stride[0],
                         (long long)stride[1], (long long)i);
        test_guarded_check(&out);
        test_guarded_free(&out);
    }
    for (int i = 0; i < 3; i++)
        test_guarded_free(&in[i]);
    free(expected);
}

static void variants_have_the_bits_of_the_twin(void **state) {
    (void)state;
    static const int64_t strides[][3] = {{1, 1, 1}, {1, 0, 1}, {0, 1, 1}, {2, 1, 3}, {-1, 2, 0}};
    static const int64_t lengths[] = {0, 1, 3, 16, 31, 64, 257};
    test_random random = {.seed = 21};
    int cases = 0;
    for (int op = 0; op < TERN__MAP_COUNT; op++)
        for (int type = 0; type < TYPES; type++)
            for (int kind = 0; kind < 2; kind++)
                for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
                    for (size_t s = 0; s < sizeof strides / sizeof *strides; s++)
                        if (function_of(twin(), type, op) != NULL) {
                            check_case(&random, type, op, lengths[l], strides[s], kind);
                            cases++;
                        }
    assert_true(cases > 5000);
}

/* Results over an operand, contiguous, by every variant. */
static void check_in_place(test_random *random, int type, int op, int operand) {
    enum { COUNT = 67 };
    uint64_t in[3][COUNT], expected[COUNT], got[COUNT];
    const tern__map_kernel *kernel;
    size_t bytes = COUNT * sizes[type];
    for (int i = 0; i < 3; i++)
        fill(random, type, 1, in[i], COUNT);
    tern__map_args args = {{in[0], in[1], in[2]}, {1, 1, 1}, expected, COUNT, -0.5, 1.5};
    function_of(twin(), type, op)(&args);
    for (int at = 0; (kernel = test_next_variant(tern__map_family, "map", &at)) != NULL;) {
        memcpy(got, in[operand], bytes);
        args.in[operand] = got;
        args.out = got;
        function_of(kernel, type, op)(&args);
        for (size_t i = 0; i < COUNT; i++)
            if (!same(type, op, (uint8_t *)got + i * sizes[type],
                      (uint8_t *)expected + i * sizes[type]))
                fail_msg("%s %s type %d over operand %d: element %zu differs", kernel->variant.name,
                         names[op], type, operand, i);
    }
}

static void results_may_replace_an_operand(void **state) {
    (void)state;
    test_random random = {.seed = 23};
    for (int op = 0; op < TERN__MAP_COUNT; op++)
        for (int type = 0; type < TYPES; type++)
            for (int operand = 0; operand < 3; operand++)
                if (function_of(twin(), type, op) != NULL && (!gives_bytes(op) || type == U8))
                    check_in_place(&random, type, op, operand);
}

static void widen(int type, const void *from, int64_t *to, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        to[i] = type == I32   ? ((const int32_t *)from)[i]
                : type == I16 ? ((const int16_t *)from)[i]
                : type == I8  ? ((const int8_t *)from)[i]
                              : ((const uint8_t *)from)[i];
}

/* The lowest bytes of what I64 gives. */
static void check_narrow(test_random *random, int type, int op, int kind) {
    enum { COUNT = 257 };
    static int32_t in[3][COUNT], got[COUNT];
    static int64_t wide[3][COUNT], expected[COUNT];
    tern__map_args args = {.out = got, .n = COUNT, .p = -3.75, .q = 300.5};
    tern__map_args wide_args = {.out = expected, .n = COUNT, .p = -3.75, .q = 300.5};
    for (int i = 0; i < 3; i++) {
        fill(random, type, kind, in[i], COUNT);
        widen(type, in[i], wide[i], COUNT);
        args.in[i] = in[i];
        wide_args.in[i] = wide[i];
        args.stride[i] = wide_args.stride[i] = 1;
    }
    twin()->i64[op](&wide_args);
    function_of(twin(), type, op)(&args);
    size_t size = gives_bytes(op) ? 1 : sizes[type], wide_size = gives_bytes(op) ? 1 : 8;
    for (size_t i = 0; i < COUNT; i++)
        if (memcmp((uint8_t *)got + i * size, (uint8_t *)expected + i * wide_size, size) != 0)
            fail_msg("%s type %d: element %zu is not that of I64", names[op], type, i);
}

static void narrow_integers_are_those_of_i64(void **state) {
    (void)state;
    test_random random = {.seed = 24};
    for (int op = 0; op < TERN__MAP_COUNT; op++)
        for (int type = I32; type < TYPES; type++) {
            assert_true((twin()->i64[op] != NULL) == (function_of(twin(), type, op) != NULL));
            for (int kind = 0; kind < 2 && twin()->i64[op] != NULL; kind++)
                check_narrow(&random, type, op, kind);
        }
}

static void every_operation_has_a_type(void **state) {
    (void)state;
    const tern__map_kernel *kernel;
    for (int op = 0; op < TERN__MAP_COUNT; op++) {
        bool is_float = twin()->f32[op] != NULL;
        assert_true(is_float == (twin()->f64[op] != NULL));
        assert_true(is_float || twin()->i64[op] != NULL);
        for (int at = 0; (kernel = test_next_variant(tern__map_family, "map", &at)) != NULL;)
            for (int type = 0; type < TYPES; type++)
                assert_true((function_of(kernel, type, op) != NULL) ==
                            (function_of(twin(), type, op) != NULL));
    }
}

/* -- literal values ----------------------------------------------------------------------------*/

typedef struct float_row {
    int op;
    double a, b, c, expected; /* p and q are b and c for operations of one operand */
} float_row;

static const float_row float_rows[] = {
    {TERN__MAP_NEG, 0.0, 0, 0, -0.0},
    {TERN__MAP_ABS, -2.5, 0, 0, 2.5},
    {TERN__MAP_SIGN, -3, 0, 0, -1},
    {TERN__MAP_SIGN, 7, 0, 0, 1},
    {TERN__MAP_SIGN, -0.0, 0, 0, 0},
    {TERN__MAP_SIGN, NAN, 0, 0, NAN},
    {TERN__MAP_SQRT, 6.25, 0, 0, 2.5},
    {TERN__MAP_SQRT, -1, 0, 0, NAN},
    {TERN__MAP_RSQRT, 16, 0, 0, 0.25},
    {TERN__MAP_RECIPROCAL, -8, 0, 0, -0.125},
    {TERN__MAP_SQUARE, -1.5, 0, 0, 2.25},
    {TERN__MAP_FLOOR, -1.25, 0, 0, -2},
    {TERN__MAP_CEIL, -0.25, 0, 0, -0.0},
    {TERN__MAP_TRUNC, -1.75, 0, 0, -1},
    {TERN__MAP_ROUND, 2.5, 0, 0, 2},
    {TERN__MAP_ROUND, -3.5, 0, 0, -4},
    {TERN__MAP_RELU, -3, 0, 0, 0},
    {TERN__MAP_RELU, 3, 0, 0, 3},
    {TERN__MAP_RELU, NAN, 0, 0, NAN},
    {TERN__MAP_RELU2, -3, 0, 0, 0},
    {TERN__MAP_RELU2, 3, 0, 0, 9},
    {TERN__MAP_RELU2, NAN, 0, 0, NAN},
    {TERN__MAP_LEAKY_RELU, -4, 0.25, 0, -1},
    {TERN__MAP_LEAKY_RELU, 4, 0.25, 0, 4},
    {TERN__MAP_SCALE, 3, -0.5, 0, -1.5},
    {TERN__MAP_AFFINE, 3, 2, -0.5, 5.5},
    {TERN__MAP_AFFINE, 0x1.000002p0, 0x1.000002p0, -0x1.000004p0, 0x1p-46},
    {TERN__MAP_ADD_SCALED, 5, -0.5, 0, 5.25}, /* p is b here, too */
    {TERN__MAP_RELU_BACKWARD, 3, 0.5, 0, 3},
    {TERN__MAP_RELU_BACKWARD, 3, 0, 0, 0},
    {TERN__MAP_RELU_BACKWARD, 3, -2, 0, 0},
    {TERN__MAP_RELU_BACKWARD, 3, NAN, 0, NAN},
    {TERN__MAP_RELU2_BACKWARD, 3, 0.5, 0, 3},
    {TERN__MAP_RELU2_BACKWARD, 3, -2, 0, 0},
    {TERN__MAP_RELU2_BACKWARD, 3, NAN, 0, NAN},
    {TERN__MAP_LEAKY_RELU_BACKWARD, 3, 0.5, 0, 3},
    {TERN__MAP_LEAKY_RELU_BACKWARD, 3, -0.5, 0, -1.5}, /* times p */
    {TERN__MAP_LEAKY_RELU_BACKWARD, 3, NAN, 0, NAN},
    {TERN__MAP_SIGMOID_BACKWARD, 4, 0.25, 0, 0.75},
    {TERN__MAP_TANH_BACKWARD, 4, 0.5, 0, 3},
    {TERN__MAP_CLIP, 3, -0.5, 1.5, 1.5},
    {TERN__MAP_CLIP, -3, -0.5, 1.5, -0.5},
    {TERN__MAP_CLIP, NAN, -0.5, 1.5, NAN},
    {TERN__MAP_ADD, 1.5, 2, 0, 3.5},
    {TERN__MAP_SUB, 1.5, 2, 0, -0.5},
    {TERN__MAP_MUL, 1.5, -2, 0, -3},
    {TERN__MAP_DIV, 1, 0, 0, INFINITY},
    {TERN__MAP_DIV, 3, 4, 0, 0.75},
    {TERN__MAP_FLOOR_DIV, -7, 2, 0, -4},
    {TERN__MAP_FLOOR_DIV, 7, -2, 0, -4},
    {TERN__MAP_FLOOR_DIV, 7, 2, 0, 3},
    {TERN__MAP_FLOOR_DIV, -1, INFINITY, 0, -1},
    {TERN__MAP_FLOOR_DIV, 1, -0.0, 0, -INFINITY},
    {TERN__MAP_FLOOR_DIV, -0.0, 3, 0, -0.0},
    {TERN__MAP_MOD, -7, 3, 0, 2},
    {TERN__MAP_MOD, 7, -3, 0, -2},
    {TERN__MAP_MOD, 6, -3, 0, -0.0},
    {TERN__MAP_MOD, 5, 0, 0, NAN},
    {TERN__MAP_MINIMUM, 0.0, -0.0, 0, -0.0},
    {TERN__MAP_MINIMUM, -0.0, 0.0, 0, -0.0},
    {TERN__MAP_MINIMUM, NAN, 1, 0, NAN},
    {TERN__MAP_MINIMUM, 1, NAN, 0, NAN},
    {TERN__MAP_MINIMUM, 2, 1, 0, 1},
    {TERN__MAP_MAXIMUM, -0.0, 0.0, 0, 0.0},
    {TERN__MAP_MAXIMUM, 0.0, -0.0, 0, 0.0},
    {TERN__MAP_MAXIMUM, NAN, 1, 0, NAN},
    {TERN__MAP_MAXIMUM, 2, 1, 0, 2},
    {TERN__MAP_FMA, 0x1.000002p0, 0x1.000002p0, -0x1.000004p0, 0x1p-46},
    {TERN__MAP_EQUAL, NAN, NAN, 0, 0},
    {TERN__MAP_EQUAL, 0.0, -0.0, 0, 1},
    {TERN__MAP_NOT_EQUAL, NAN, NAN, 0, 1},
    {TERN__MAP_LESS, 1, 2, 0, 1},
    {TERN__MAP_LESS, 2, 2, 0, 0},
    {TERN__MAP_LESS_EQUAL, 2, 2, 0, 1},
    {TERN__MAP_GREATER, 3, 2, 0, 1},
    {TERN__MAP_GREATER, 2, 2, 0, 0},
    {TERN__MAP_GREATER_EQUAL, 2, 2, 0, 1},
    {TERN__MAP_LOGICAL_AND, 2, 0, 0, 0},
    {TERN__MAP_LOGICAL_AND, 2, -1, 0, 1},
    {TERN__MAP_LOGICAL_OR, 0, 0, 0, 0},
    {TERN__MAP_LOGICAL_OR, 2, 0, 0, 1},
    {TERN__MAP_LOGICAL_XOR, 2, 3, 0, 0},
    {TERN__MAP_LOGICAL_XOR, 2, 0, 0, 1},
    {TERN__MAP_LOGICAL_NOT, -0.0, 0, 0, 1},
    {TERN__MAP_LOGICAL_NOT, NAN, 0, 0, 0},
    {TERN__MAP_ISCLOSE, 1, 2, 0.25, 1}, /* |1 - 2| <= q + p 2, p is 2 and q 0.25 */
    {TERN__MAP_ISCLOSE, 1, -0.25, 0.5, 0},
    {TERN__MAP_ISCLOSE, INFINITY, INFINITY, 0, 1},
    {TERN__MAP_ISCLOSE, 1, INFINITY, 0, 0},
    {TERN__MAP_ISCLOSE, -INFINITY, INFINITY, 0, 0},
    {TERN__MAP_ISCLOSE, NAN, NAN, 0, 0},
    {TERN__MAP_ISCLOSE_NAN, NAN, NAN, 0, 1},
    {TERN__MAP_ISCLOSE_NAN, NAN, 1, 0, 0},
    {TERN__MAP_ISCLOSE_NAN, 2, 2, 0, 1},
    {TERN__MAP_ISNAN, NAN, 0, 0, 1},
    {TERN__MAP_ISNAN, INFINITY, 0, 0, 0},
    {TERN__MAP_ISINF, -INFINITY, 0, 0, 1},
    {TERN__MAP_ISINF, 3, 0, 0, 0},
    {TERN__MAP_ISFINITE, 3, 0, 0, 1},
    {TERN__MAP_ISFINITE, NAN, 0, 0, 0},
    {TERN__MAP_ISFINITE, -INFINITY, 0, 0, 0},
};

static void floats_do_what_they_say(void **state) {
    (void)state;
    bool is_covered[TERN__MAP_COUNT] = {false};
    for (size_t i = 0; i < sizeof float_rows / sizeof *float_rows; i++) {
        const float_row *row = &float_rows[i];
        is_covered[row->op] = true;
        double in64[3] = {row->a, row->b, row->c}, out64 = 99;
        float in32[3] = {(float)row->a, (float)row->b, (float)row->c}, out32 = 99;
        tern__map_args args = {
            {&in64[0], &in64[1], &in64[2]}, {1, 1, 1}, &out64, 1, row->b, row->c};
        twin()->f64[row->op](&args);
        uint8_t byte;
        memcpy(&byte, &out64, 1);
        double got = gives_bytes(row->op) ? byte : out64;
        tern__map_args narrow = {
            {&in32[0], &in32[1], &in32[2]}, {1, 1, 1}, &out32, 1, row->b, row->c};
        twin()->f32[row->op](&narrow);
        memcpy(&byte, &out32, 1);
        double got32 = gives_bytes(row->op) ? byte : (double)out32;
        bool is_same = isnan(row->expected) ? isnan(got) && isnan(got32)
                                            : memcmp(&got, &row->expected, 8) == 0 &&
                                                  memcmp(&got32, &row->expected, 8) == 0;
        if (!is_same)
            fail_msg("%s(%g, %g, %g) = %a and %a, not %a", names[row->op], row->a, row->b, row->c,
                     got, got32, row->expected);
    }
    for (int op = 0; op < TERN__MAP_COUNT; op++)
        if (twin()->f32[op] != NULL && !is_covered[op])
            fail_msg("no literal value for %s", names[op]);
}

typedef struct integer_row {
    int op;
    int64_t a, b, expected; /* c is b - 4, p and q are b and b + 3 */
} integer_row;

static const integer_row integer_rows[] = {
    {TERN__MAP_NEG, INT64_MIN, 0, INT64_MIN},
    {TERN__MAP_NEG, 5, 0, -5},
    {TERN__MAP_ABS, -5, 0, 5},
    {TERN__MAP_SIGN, -5, 0, -1},
    {TERN__MAP_SIGN, 0, 0, 0},
    {TERN__MAP_SQUARE, -5, 0, 25},
    {TERN__MAP_RELU, -5, 0, 0},
    {TERN__MAP_RELU, 5, 0, 5},
    {TERN__MAP_RELU2, -5, 0, 0},
    {TERN__MAP_RELU2, 5, 0, 25},
    {TERN__MAP_ROUND, -5, 0, -5},
    {TERN__MAP_FLOOR, -5, 0, -5},
    {TERN__MAP_CEIL, INT64_MAX, 0, INT64_MAX},
    {TERN__MAP_TRUNC, INT64_MIN, 0, INT64_MIN},
    {TERN__MAP_SCALE, 5, -3, -15},
    {TERN__MAP_AFFINE, 5, 1, 9},
    {TERN__MAP_CLIP, -5, -3, -3},
    {TERN__MAP_CLIP, 5, -3, 0},
    {TERN__MAP_BIT_NOT, 5, 0, -6},
    {TERN__MAP_ADD_SCALED, 5, 3, 14}, /* p is b, too */
    {TERN__MAP_FMA, 5, 3, 14},        /* c is b - 4 */
    {TERN__MAP_ADD, INT64_MAX, 1, INT64_MIN},
    {TERN__MAP_SUB, INT64_MIN, 1, INT64_MAX},
    {TERN__MAP_MUL, INT64_C(1) << 62, 4, 0},
    {TERN__MAP_FLOOR_DIV, -7, 2, -4},
    {TERN__MAP_FLOOR_DIV, 7, -2, -4},
    {TERN__MAP_FLOOR_DIV, -6, 2, -3},
    {TERN__MAP_FLOOR_DIV, 7, 0, 0},
    {TERN__MAP_FLOOR_DIV, INT64_MIN, -1, INT64_MIN},
    {TERN__MAP_MOD, -7, 3, 2},
    {TERN__MAP_MOD, 7, -3, -2},
    {TERN__MAP_MOD, -6, 3, 0},
    {TERN__MAP_MOD, 7, 0, 0},
    {TERN__MAP_MOD, INT64_MIN, -1, 0},
    {TERN__MAP_MINIMUM, -7, 3, -7},
    {TERN__MAP_MAXIMUM, -7, 3, 3},
    {TERN__MAP_POW, 3, 4, 81},
    {TERN__MAP_POW, -2, 63, INT64_MIN},
    {TERN__MAP_POW, 7, 0, 1},
    {TERN__MAP_POW, 2, -1, 0},
    {TERN__MAP_POW, -1, -3, -1},
    {TERN__MAP_POW, -1, -2, 1},
    {TERN__MAP_POW, 1, -5, 1},
    {TERN__MAP_BIT_AND, 12, 10, 8},
    {TERN__MAP_BIT_OR, 12, 10, 14},
    {TERN__MAP_BIT_XOR, 12, 10, 6},
    {TERN__MAP_SHIFT_LEFT, 3, 4, 48},
    {TERN__MAP_SHIFT_LEFT, 3, 64, 0},
    {TERN__MAP_SHIFT_LEFT, 3, -1, 0},
    {TERN__MAP_SHIFT_RIGHT, -16, 2, -4},
    {TERN__MAP_SHIFT_RIGHT, -16, 64, -1},
    {TERN__MAP_SHIFT_RIGHT, 16, -1, 0},
    {TERN__MAP_EQUAL, 3, 3, 1},
    {TERN__MAP_NOT_EQUAL, 3, 3, 0},
    {TERN__MAP_LESS, 2, 3, 1},
    {TERN__MAP_LESS_EQUAL, 3, 3, 1},
    {TERN__MAP_GREATER, 3, 3, 0},
    {TERN__MAP_GREATER_EQUAL, 3, 3, 1},
    {TERN__MAP_LOGICAL_AND, 2, 4, 1},
    {TERN__MAP_LOGICAL_OR, 0, 4, 1},
    {TERN__MAP_LOGICAL_XOR, 2, 4, 0},
    {TERN__MAP_LOGICAL_NOT, 2, 0, 0},
};

static void integers_do_what_they_say(void **state) {
    (void)state;
    bool is_covered[TERN__MAP_COUNT] = {false};
    for (size_t i = 0; i < sizeof integer_rows / sizeof *integer_rows; i++) {
        const integer_row *row = &integer_rows[i];
        is_covered[row->op] = true;
        int64_t out = 99, c = row->b - 4;
        tern__map_args args = {{&row->a, &row->b, &c}, {1, 1, 1},         &out, 1,
                               (double)row->b,         (double)row->b + 3};
        twin()->i64[row->op](&args);
        uint8_t byte;
        memcpy(&byte, &out, 1);
        int64_t got = gives_bytes(row->op) ? byte : out;
        if (got != row->expected)
            fail_msg("%s(%lld, %lld) = %lld, not %lld", names[row->op], (long long)row->a,
                     (long long)row->b, (long long)got, (long long)row->expected);
    }
    for (int op = 0; op < TERN__MAP_COUNT; op++)
        if (twin()->i64[op] != NULL && !is_covered[op])
            fail_msg("no literal value for %s", names[op]);
}

static void where_chooses(void **state) {
    (void)state;
    uint8_t condition[67], a[67 * 8], b[67 * 8], out[67 * 8], expected[67 * 8];
    test_random random = {.seed = 22};
    for (int i = 0; i < 67; i++)
        condition[i] = (uint8_t)test_random_range(&random, 0, 2);
    for (int i = 0; i < 67 * 8; i++)
        a[i] = (uint8_t)(i % 251), b[i] = (uint8_t)(i % 241 + 3);
    const tern__map_kernel *kernel = TERN__PICK(tern__map_family, tern__cpu()->features);
    for (int log = 0; log < 4; log++) {
        size_t size = (size_t)1 << log;
        for (size_t i = 0; i < 67; i++)
            memcpy(expected + i * size, condition[i] != 0 ? a : b + i * size, size);
        memset(out, 0xA5, sizeof out);
        tern__map_args args = {{condition, a, b}, {1, 0, 1}, out, 67, 0, 0};
        kernel->where[log](&args);
        test_same_bytes(out, expected, 67 * size, "where");
        memset(out, 0xA5, sizeof out);
        twin()->where[log](&args);
        test_same_bytes(out, expected, 67 * size, "where, scalar");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_has_a_type),
        cmocka_unit_test(floats_do_what_they_say),
        cmocka_unit_test(integers_do_what_they_say),
        cmocka_unit_test(where_chooses),
        cmocka_unit_test(narrow_integers_are_those_of_i64),
        cmocka_unit_test(results_may_replace_an_operand),
        cmocka_unit_test(variants_have_the_bits_of_the_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
