/* SPDX-License-Identifier: MIT
 * Operations element by element, whatever the operands' types, shapes and strides: against plain
 * loops over the elements, written here. */
#define FIXTURE_THREADS 2
#include "context_fixture.h"

#include <math.h>

#include <tern/ops.h>

#include "base/cpu.h"
#include "base/half.h"
#include "failure_sweep.h"
#include "tensor/tensor.h"

enum { TYPES = 10, ELEMENTS = 4096 };

static const size_t sizes[TYPES] = {4, 2, 2, 8, 1, 1, 2, 4, 8, 1};

static bool is_float(tern_dtype type) {
    return type <= TERN_F64;
}

/* -- numbers -----------------------------------------------------------------------------------*/

/* A number of any type: `real` for float types, `whole` for the others. */
typedef struct number {
    double real;
    int64_t whole;
} number;

static number read_number(tern_dtype type, const void *at) {
    uint64_t bits = 0;
    memcpy(&bits, at, sizes[type]);
    number n = {0, 0};
    switch (type) {
    case TERN_F32:
        n.real = tern__f32_from_bits((uint32_t)bits);
        break;
    case TERN_F16:
        n.real = tern__f32_from_f16((uint16_t)bits);
        break;
    case TERN_BF16:
        n.real = tern__f32_from_bf16((uint16_t)bits);
        break;
    case TERN_F64:
        memcpy(&n.real, &bits, 8);
        break;
    default:
        n.whole = type == TERN_I8    ? (int8_t)bits
                  : type == TERN_I16 ? (int16_t)bits
                  : type == TERN_I32 ? (int32_t)bits
                                     : (int64_t)bits;
    }
    return n;
}

/* The bits of a number that was computed in F32 (halves), F64 or I64. */
static uint64_t write_number(tern_dtype type, number n) {
    uint64_t bits = (uint64_t)n.whole;
    if (type == TERN_F32)
        return tern__f32_bits((float)n.real);
    if (type == TERN_F16)
        return tern__f16_from_f32((float)n.real);
    if (type == TERN_BF16)
        return tern__bf16_from_f32((float)n.real);
    if (type == TERN_F64)
        memcpy(&bits, &n.real, 8);
    return type == TERN_F64 || sizes[type] == 8 ? bits
                                                : bits & ((UINT64_C(1) << 8 * sizes[type]) - 1);
}

/* As an operand in a wider type. */
static number promoted(tern_dtype from, tern_dtype to, number n) {
    if (is_float(to) && !is_float(from))
        n.real = to == TERN_F64 ? (double)n.whole : (double)(float)n.whole;
    return n;
}

static bool same_bits(tern_dtype type, uint64_t got, uint64_t expected) {
    return got == expected || (is_float(type) && isnan(read_number(type, &got).real) &&
                               isnan(read_number(type, &expected).real));
}

/* -- tensors with odd strides ------------------------------------------------------------------*/

static int64_t offset_of(const tern_tensor *t, const tern_shape *shape, int64_t index) {
    int64_t offset = 0;
    for (int axis = shape->rank - 1; axis >= 0; axis--) {
        int64_t position = index % shape->dims[axis];
        int own = axis - (shape->rank - tern_tensor_rank(t));
        index /= shape->dims[axis];
        if (own >= 0 && tern_tensor_dim(t, own) > 1)
            offset += position * tern_tensor_stride(t, own);
    }
    return offset;
}

/* Element `index` in row-major order of `shape`, to which t is broadcast. */
static const void *element(const tern_tensor *t, const tern_shape *shape, int64_t index) {
    return (const uint8_t *)tern_tensor_data(t) +
           offset_of(t, shape, index) * (int64_t)sizes[tern_tensor_dtype(t)];
}

static int64_t count_of(const tern_shape *shape) {
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        count *= shape->dims[i];
    return count;
}

/* Small numbers of both signs, special ones, extremes. */
static tern_tensor *made(test_random *random, tern_dtype type, tern_shape shape) {
    static const double reals[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 1e-40, 65504, 3e38};
    static uint8_t data[ELEMENTS * 8];
    int64_t count = count_of(&shape);
    assert_in_range(count, 0, ELEMENTS);
    for (int64_t i = 0; i < count; i++) {
        number n = {(double)((float)test_random_range(random, -4000, 4000) * 0.0131f),
                    test_random_range(random, -300, 300)};
        if (test_random_range(random, 0, 9) == 0)
            n = (number){reals[test_random_range(random, 0, 7)],
                         INT64_MAX - test_random_range(random, 0, 1)};
        if (type == TERN_BOOL)
            n.whole &= 1;
        uint64_t bits = write_number(type, n);
        memcpy(data + (size_t)i * sizes[type], &bits, sizes[type]);
    }
    tern_tensor *t = NULL;
    test_ok(tern_tensor_from_data(context, type, shape, data, &t));
    return t;
}

/* A tensor of the shape as a view of a larger one: axes permuted, sliced with steps, turned round.
 * Owned by the open scope, like `*base`. */
static tern_tensor *with_odd_strides(test_random *random, tern_dtype type, tern_shape shape,
                                     tern_tensor **base) {
    int axes[TERN_MAX_RANK], back[TERN_MAX_RANK];
    int64_t steps[TERN_MAX_RANK];
    tern_shape outer = {.rank = shape.rank};
    for (int i = 0; i < shape.rank; i++)
        axes[i] = i;
    for (int i = shape.rank - 1; i > 0; i--) {
        int j = (int)test_random_range(random, 0, i), axis = axes[i];
        axes[i] = axes[j];
        axes[j] = axis;
    }
    int64_t room = ELEMENTS / (count_of(&shape) > 0 ? count_of(&shape) : 1);
    for (int i = 0; i < shape.rank; i++) {
        steps[i] = room >= 2 ? test_random_range(random, 1, 2) : 1;
        room /= steps[i];
        outer.dims[i] = shape.dims[axes[i]] * steps[i];
        back[axes[i]] = i;
    }
    tern_tensor *t = *base = made(random, type, outer);
    for (int i = 0; i < shape.rank; i++) {
        if (steps[i] > 1)
            test_ok(tern_tensor_slice(t, i, 0, INT64_MAX, steps[i], &t));
        if (shape.dims[axes[i]] > 0 && test_random_range(random, 0, 2) == 0)
            test_ok(tern_tensor_flip(t, TERN_AXES(i), &t));
    }
    if (shape.rank > 0)
        test_ok(tern_tensor_permute(t, back, &t));
    return t;
}

/* A shape that broadcasts to `shape`. */
static tern_shape narrower(test_random *random, const tern_shape *shape) {
    tern_shape part = {.rank = (int)test_random_range(random, 0, shape->rank)};
    if (test_random_range(random, 0, 1) == 0)
        part.rank = shape->rank;
    for (int i = 0; i < part.rank; i++)
        part.dims[i] =
            test_random_range(random, 0, 3) == 0 ? 1 : shape->dims[shape->rank - part.rank + i];
    return part;
}

static tern_shape random_shape(test_random *random) {
    static const int64_t longest[] = {1, 700, 40, 12, 7, 5, 4, 3, 2};
    tern_shape shape = {.rank = (int)test_random_range(random, 0, TERN_MAX_RANK)};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = test_random_range(random, test_random_range(random, 0, 29) == 0 ? 0 : 1,
                                          longest[shape.rank]);
    return shape;
}

/* -- promotion ---------------------------------------------------------------------------------*/

/* np.result_type of NumPy 2 (rows and columns in the order of tern_dtype). BF16 is not NumPy's:
 * with integers as F16 is, with F16 F32. */
static const char *const promotions[TYPES] = {
    /*         f32  f16  bf16 f64  i8   u8   i16  i32  i64  bool */
    /* f32  */ "f32 f32 f32 f64 f32 f32 f32 f64 f64 f32",
    /* f16  */ "f32 f16 f32 f64 f16 f16 f32 f64 f64 f16",
    /* bf16 */ "f32 f32 bf16 f64 bf16 bf16 f32 f64 f64 bf16",
    /* f64  */ "f64 f64 f64 f64 f64 f64 f64 f64 f64 f64",
    /* i8   */ "f32 f16 bf16 f64 i8 i16 i16 i32 i64 i8",
    /* u8   */ "f32 f16 bf16 f64 i16 u8 i16 i32 i64 u8",
    /* i16  */ "f32 f32 f32 f64 i16 i16 i16 i32 i64 i16",
    /* i32  */ "f64 f64 f64 f64 i32 i32 i32 i32 i64 i32",
    /* i64  */ "f64 f64 f64 f64 i64 i64 i64 i64 i64 i64",
    /* bool */ "f32 f16 bf16 f64 i8 u8 i16 i32 i64 bool",
};

static tern_dtype promotion_of(tern_dtype a, tern_dtype b) {
    char name[8] = "";
    const char *text = promotions[a];
    for (int skip = (int)b; skip > 0; skip--)
        text = strchr(text, ' ') + 1;
    for (int i = 0; text[i] != ' ' && text[i] != '\0'; i++)
        name[i] = text[i], name[i + 1] = '\0';
    for (int type = 0; type < TYPES; type++)
        if (strcmp(tern_dtype_name((tern_dtype)type), name) == 0)
            return (tern_dtype)type;
    fail_msg("no type %s", name);
    return TERN_F32;
}

static void types_are_promoted(void **state) {
    (void)state;
    test_random random = {.seed = 1};
    for (int a = 0; a < TYPES; a++)
        for (int b = 0; b < TYPES; b++) {
            tern_tensor *x = made(&random, (tern_dtype)a, TERN_SHAPE(3));
            tern_tensor *y = made(&random, (tern_dtype)b, TERN_SHAPE(3)), *out = NULL;
            test_ok(tern_maximum(x, y, &out));
            assert_string_equal(tern_dtype_name(tern_tensor_dtype(out)),
                                tern_dtype_name(promotion_of((tern_dtype)a, (tern_dtype)b)));
        }
}

/* -- two operands, any way ---------------------------------------------------------------------*/

typedef enum operation { ADD, SUB, MUL, MAXIMUM, LESS, EQUAL, OPERATIONS } operation;

typedef struct operation_row {
    const char *name;
    tern_status (*fresh)(tern_tensor *, tern_tensor *, tern_tensor **);
    tern_status (*into)(tern_tensor *, tern_tensor *, tern_tensor *);
} operation_row;

static const operation_row operations[OPERATIONS] = {
    {"add", tern_add, tern_add_into},    {"sub", tern_sub, tern_sub_into},
    {"mul", tern_mul, tern_mul_into},    {"maximum", tern_maximum, tern_maximum_into},
    {"less", tern_less, tern_less_into}, {"equal", tern_equal, tern_equal_into},
};

static double real_result(operation op, double a, double b, bool is_wide) {
    if (op == MAXIMUM)
        return isnan(a) || isnan(b) ? NAN : a == b ? (signbit(a) ? b : a) : a > b ? a : b;
    if (is_wide)
        return op == ADD ? a + b : op == SUB ? a - b : a * b;
    float x = (float)a, y = (float)b;
    return op == ADD ? x + y : op == SUB ? x - y : x * y;
}

static int64_t whole_result(operation op, int64_t a, int64_t b) {
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    return op == MAXIMUM ? (a > b ? a : b)
                         : (int64_t)(op == ADD   ? x + y
                                     : op == SUB ? x - y
                                                 : x * y);
}

/* The bits of one element of the result. */
static uint64_t expected_bits(operation op, tern_dtype type, number a, number b) {
    bool reals = is_float(type);
    if (op == LESS)
        return reals ? a.real < b.real : a.whole < b.whole;
    if (op == EQUAL)
        return reals ? a.real == b.real : a.whole == b.whole;
    if (!reals)
        return write_number(type, (number){0, whole_result(op, a.whole, b.whole)});
    return write_number(type, (number){real_result(op, a.real, b.real, type == TERN_F64), 0});
}

/* Every element of the result, before it is computed: destinations may overlap operands. */
static void expect(operation op, tern_dtype type, const tern_tensor *a, const tern_tensor *b,
                   const tern_shape *shape, uint64_t *expected) {
    int64_t count = count_of(shape);
    tern_dtype a_type = tern_tensor_dtype(a), b_type = tern_tensor_dtype(b);
    for (int64_t i = 0; i < count; i++)
        expected[i] = expected_bits(
            op, type, promoted(a_type, type, read_number(a_type, element(a, shape, i))),
            promoted(b_type, type, read_number(b_type, element(b, shape, i))));
}

static void check_result(const tern_tensor *out, const tern_shape *shape, const uint64_t *expected,
                         const char *what) {
    tern_dtype type = tern_tensor_dtype(out);
    int64_t count = count_of(shape);
    for (int64_t i = 0; i < count; i++) {
        uint64_t got = 0;
        memcpy(&got, element(out, shape, i), sizes[type]);
        if (!same_bits(type, got, expected[i]))
            fail_msg("%s: element %lld is %llx, expected %llx", what, (long long)i,
                     (unsigned long long)got, (unsigned long long)expected[i]);
    }
}

/* Bytes of the base that no element of the view has are those of before. */
static void check_canaries(const tern_tensor *base, const tern_tensor *view, const uint8_t *before,
                           const char *what) {
    tern_shape shape = tern_tensor_shape(view);
    size_t size = sizes[tern_tensor_dtype(view)];
    static bool is_written[ELEMENTS * 8];
    memset(is_written, 0, sizeof is_written);
    const uint8_t *start = tern_tensor_data(base);
    for (int64_t i = 0; i < count_of(&shape); i++) {
        const uint8_t *at = element(view, &shape, i);
        memset(is_written + (at - start), 1, size);
    }
    for (size_t i = 0; i < tern_tensor_bytes(base); i++)
        if (!is_written[i] && start[i] != before[i])
            fail_msg("%s: byte %zu beside the destination was written", what, i);
}

static void check_pair(test_random *random, int round) {
    static uint64_t expected[ELEMENTS];
    static uint8_t before[ELEMENTS * 8];
    uint64_t position = random->position;
    tern_shape shape = random_shape(random);
    operation op = (operation)test_random_range(random, 0, OPERATIONS - 1);
    int types = op <= MUL ? TYPES - 2 : TYPES - 1;
    tern_dtype a_type = (tern_dtype)test_random_range(random, 0, types);
    tern_dtype b_type = round % 2 == 0 ? a_type : (tern_dtype)test_random_range(random, 0, types);
    tern_dtype type = promotion_of(a_type, b_type), out_type = op >= LESS ? TERN_BOOL : type;
    tern_tensor *base = NULL, *out = NULL;
    tern_tensor *a = with_odd_strides(random, a_type, shape, &base);
    tern_tensor *b = with_odd_strides(random, b_type, narrower(random, &shape), &base);
    char what[200], text[TERN__SHAPE_TEXT];
    snprintf(what, sizeof what, "seed %llu at %llu: %s %s %s %s", (unsigned long long)random->seed,
             (unsigned long long)position, operations[op].name, tern_dtype_name(a_type),
             tern_dtype_name(b_type), tern__shape_text(shape.rank, shape.dims, text));
    bool is_swapped = op != SUB && op != LESS && round % 3 == 0;
    tern_tensor *first = is_swapped ? b : a, *second = is_swapped ? a : b;
    expect(op, type, first, second, &shape, expected);
    test_ok(operations[op].fresh(first, second, &out));
    assert_true(tern_tensor_is_contiguous(out) && tern_tensor_dtype(out) == out_type);
    check_result(out, &shape, expected, what);
    out = with_odd_strides(random, out_type, shape, &base);
    memcpy(before, tern_tensor_data(base), tern_tensor_bytes(base));
    test_ok(operations[op].into(first, second, out));
    check_result(out, &shape, expected, what);
    check_canaries(base, out, before, what);
    if (a_type == out_type) {
        test_ok(operations[op].into(first, second, a));
        check_result(a, &shape, expected, what);
    }
}

static void two_operands_in_any_layout(void **state) {
    (void)state;
    test_random random = {.seed = 2};
    for (int round = 0; round < 6000 / TEST_THINNING; round++) {
        tern_scope_begin(context);
        check_pair(&random, round);
        tern_scope_end(context);
    }
}

/* Large enough for several threads, panels and blocks of every kind. */
static void large_layouts(void **state) {
    (void)state;
    tern_tensor *x = NULL, *turned = NULL, *narrow = NULL, *out = NULL;
    tern_tensor *a = normal(TERN_SHAPE(700, 300), 3), *b = normal(TERN_SHAPE(300, 700), 4);
    test_ok(tern_tensor_transpose(b, 0, 1, &turned));
    const float *p = tern_tensor_data(a), *q = tern_tensor_data(b);
    test_ok(tern_add(a, turned, &out));
    for (int64_t i = 0; i < 700 * 300; i++)
        assert_true(((float *)tern_tensor_data(out))[i] == p[i] + q[i % 300 * 700 + i / 300]);
    test_ok(tern_tensor_empty(context, TERN_F32, TERN_SHAPE(300, 700), &x));
    test_ok(tern_tensor_transpose(x, 0, 1, &out));
    test_ok(tern_sub_into(a, turned, out));
    for (int64_t i = 0; i < 700 * 300; i++)
        assert_true(((float *)tern_tensor_data(x))[i % 300 * 700 + i / 300] ==
                    p[i] - q[i % 300 * 700 + i / 300]);
    tern_tensor *wide = normal(TERN_SHAPE(20, 9000), 5), *tall = normal(TERN_SHAPE(9000, 20), 6);
    const float *r = tern_tensor_data(wide), *s = tern_tensor_data(tall);
    test_ok(tern_tensor_transpose(tall, 0, 1, &turned));
    test_ok(tern_mul(wide, turned, &out)); /* several panels */
    for (int64_t i = 0; i < 20 * 9000; i++)
        assert_true(((float *)tern_tensor_data(out))[i] == r[i] * s[i % 9000 * 20 + i / 9000]);
    test_ok(tern_tensor_transpose(b, 0, 1, &turned));
    test_ok(tern_tensor_reshape(a, TERN_SHAPE(70000, 3), &a));
    test_ok(tern_tensor_slice(b, 0, 0, 1, 1, &narrow));
    test_ok(tern_tensor_slice(narrow, 1, 0, 3, 1, &narrow));
    test_ok(tern_mul(a, narrow, &out));
    for (int64_t i = 0; i < 70000 * 3; i++)
        assert_true(((float *)tern_tensor_data(out))[i] == p[i] * q[i % 3]);
    test_ok(tern_cast(turned, TERN_F64, &out));
    for (int64_t i = 0; i < 700 * 300; i++)
        assert_true(((double *)tern_tensor_data(out))[i] == (double)q[i % 300 * 700 + i / 300]);
    test_ok(tern_clone(turned, &out));
    for (int64_t i = 0; i < 700 * 300; i++)
        assert_true(((float *)tern_tensor_data(out))[i] == q[i % 300 * 700 + i / 300]);
}

/* -- overlap -----------------------------------------------------------------------------------*/

static tern_tensor *window(tern_tensor *line, test_random *random, int64_t n) {
    tern_tensor *t = NULL;
    int64_t step = test_random_range(random, 1, 2);
    int64_t begin = test_random_range(random, 0, tern_tensor_dim(line, 0) - n * step);
    test_ok(tern_tensor_slice(line, 0, begin, begin + n * step, step, &t));
    if (test_random_range(random, 0, 2) == 0)
        test_ok(tern_tensor_flip(t, TERN_AXES(0), &t));
    return t;
}

static void results_are_as_if_nothing_overlapped(void **state) {
    (void)state;
    static uint64_t expected[ELEMENTS];
    static const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_I32, TERN_U8, TERN_F64};
    test_random random = {.seed = 5};
    for (int round = 0; round < 4000 / TEST_THINNING; round++) {
        tern_scope_begin(context);
        int64_t n = test_random_range(&random, 1, 40);
        tern_dtype type = types[round % 5];
        tern_shape shape = TERN_SHAPE(n);
        tern_tensor *line = made(&random, type, TERN_SHAPE(100));
        tern_tensor *a = window(line, &random, n), *b = window(line, &random, n);
        tern_tensor *out = window(line, &random, n);
        operation op = (operation)(round % (MUL + 1));
        expect(op, type, a, b, &shape, expected);
        test_ok(operations[op].into(a, b, out));
        check_result(out, &shape, expected, "overlap");
        tern_scope_end(context);
    }
}

/* -- types of results --------------------------------------------------------------------------*/

static void halves_are_rounded_once(void **state) {
    (void)state;
    /* 2049 lies between 2048 and 2050; the number 1 + 2^-11 + 2^-40 above the middle of two F16. */
    const uint16_t a[] = {0x6800, 0x3c00}, b[] = {0x3c00, 0x6800};
    const double above = 1 + 0x1p-11 + 0x1p-40;
    tern_tensor *x = NULL, *y = NULL, *out = NULL;
    test_ok(tern_tensor_from_data(context, TERN_F16, TERN_SHAPE(2), a, &x));
    test_ok(tern_tensor_from_data(context, TERN_F16, TERN_SHAPE(2), b, &y));
    test_ok(tern_add(x, y, &out));
    assert_int_equal(((uint16_t *)tern_tensor_data(out))[0], 0x6800);
    const uint16_t one[] = {0x3c00};
    const uint8_t yes[] = {1};
    tern_tensor *mask = NULL;
    test_ok(tern_tensor_from_data(context, TERN_F16, TERN_SHAPE(1), one, &x));
    test_ok(tern_tensor_from_data(context, TERN_BOOL, TERN_SHAPE(1), yes, &mask));
    test_ok(tern_masked_fill(x, mask, above, &out));
    assert_int_equal(*(uint16_t *)tern_tensor_data(out), 0x3c01);
    test_ok(tern_scale(x, above, &out)); /* the factor is rounded to the type of x */
    assert_int_equal(*(uint16_t *)tern_tensor_data(out), 0x3c01);
}

static void truth_values_have_their_own_rules(void **state) {
    (void)state;
    const uint8_t a[] = {0, 0, 1, 1}, b[] = {0, 1, 0, 1};
    tern_tensor *x = NULL, *y = NULL, *out = NULL;
    test_ok(tern_tensor_from_data(context, TERN_BOOL, TERN_SHAPE(4), a, &x));
    test_ok(tern_tensor_from_data(context, TERN_BOOL, TERN_SHAPE(4), b, &y));
    test_status(tern_add(x, y, &out), TERN_E_DTYPE);
    test_status(tern_mul(x, y, &out), TERN_E_DTYPE);
    test_status(tern_neg(x, &out), TERN_E_DTYPE);
    test_status(tern_shift_left(x, y, &out), TERN_E_DTYPE);
    struct {
        tern_status (*run)(tern_tensor *, tern_tensor *, tern_tensor **);
        uint8_t expected[4];
    } rows[] = {{tern_maximum, {0, 1, 1, 1}}, {tern_minimum, {0, 0, 0, 1}},
                {tern_bit_and, {0, 0, 0, 1}}, {tern_bit_or, {0, 1, 1, 1}},
                {tern_bit_xor, {0, 1, 1, 0}}, {tern_logical_and, {0, 0, 0, 1}},
                {tern_less, {0, 1, 0, 0}},    {tern_equal, {1, 0, 0, 1}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_ok(rows[i].run(x, y, &out));
        assert_int_equal(tern_tensor_dtype(out), TERN_BOOL);
        test_same_bytes(tern_tensor_data(out), rows[i].expected, 4, "truth");
    }
    test_ok(tern_bit_not(y, &out));
    test_same_bytes(tern_tensor_data(out), (const uint8_t[]){1, 0, 1, 0}, 4, "not");
    test_ok(tern_isfinite(x, &out));
    test_same_bytes(tern_tensor_data(out), (const uint8_t[]){1, 1, 1, 1}, 4, "finite");
    test_ok(tern_isnan(x, &out));
    test_same_bytes(tern_tensor_data(out), (const uint8_t[4]){0}, 4, "nan");
}

/* Bits are chosen in every type, and promoted operands converted. */
static void choices_take_every_type(void **state) {
    (void)state;
    test_random random = {.seed = 6};
    for (int a = 0; a < TYPES; a++)
        for (int b = 0; b < TYPES; b++) {
            tern_dtype type = promotion_of((tern_dtype)a, (tern_dtype)b);
            tern_shape shape = TERN_SHAPE(5, 131);
            tern_tensor *base = NULL, *out = NULL, *filled = NULL;
            tern_tensor *x = with_odd_strides(&random, (tern_dtype)a, shape, &base);
            tern_tensor *y = with_odd_strides(&random, (tern_dtype)b, TERN_SHAPE(131), &base);
            tern_tensor *mask = with_odd_strides(&random, TERN_BOOL, TERN_SHAPE(5, 1), &base);
            test_ok(tern_where(mask, x, y, &out));
            test_ok(tern_masked_fill(x, mask, 1, &filled));
            assert_int_equal(tern_tensor_dtype(out), type);
            for (int64_t i = 0; i < 5 * 131; i++) {
                bool is_first = *(const uint8_t *)element(mask, &shape, i) != 0;
                tern_dtype from = (tern_dtype)(is_first ? a : b);
                number n =
                    promoted(from, type, read_number(from, element(is_first ? x : y, &shape, i)));
                uint64_t got = 0, got_filled = 0;
                memcpy(&got, element(out, &shape, i), sizes[type]);
                assert_true(same_bits(type, got, write_number(type, n)));
                n = is_first ? (number){1, 1} : read_number((tern_dtype)a, element(x, &shape, i));
                memcpy(&got_filled, element(filled, &shape, i), sizes[a]);
                assert_true(same_bits((tern_dtype)a, got_filled, write_number((tern_dtype)a, n)));
            }
        }
}

/* -- refusals ----------------------------------------------------------------------------------*/

static void refused(tern_status status, tern_status expected, const char *text, const char *other) {
    test_status(status, expected);
    assert_non_null(strstr(tern_last_error(), text));
    assert_non_null(strstr(tern_last_error(), other));
}

static void destinations_are_checked(void **state) {
    (void)state;
    static const float numbers[6] = {1, 2, 3, 4, 5, 6};
    tern_tensor *x = normal(TERN_SHAPE(2, 3), 7), *y = normal(TERN_SHAPE(4), 8), *out = NULL;
    tern_tensor *whole = NULL, *borrowed = NULL, *windows = NULL, *repeated = NULL;
    refused(tern_add(x, y, &out), TERN_E_SHAPE, "(2, 3)", "(4,)");
    assert_null(out);
    refused(tern_add_into(x, x, y), TERN_E_SHAPE, "(2, 3)", "(4,)");
    test_ok(tern_tensor_zeros(context, TERN_I32, TERN_SHAPE(2, 3), &whole));
    refused(tern_add_into(x, x, whole), TERN_E_DTYPE, "i32", "f32");
    test_ok(tern_tensor_borrow(context, TERN_F32, TERN_SHAPE(2, 3), numbers, &borrowed));
    refused(tern_add_into(x, x, borrowed), TERN_E_ARGUMENT, "add", "borrowed");
    assert_true(numbers[0] == 1);
    test_ok(tern_tensor_unfold(y, 0, 3, 1, &windows)); /* (2, 3), overlapping */
    refused(tern_add_into(x, x, windows), TERN_E_ARGUMENT, "add", "share");
    tern_tensor *row = normal(TERN_SHAPE(3), 9);
    test_ok(tern_tensor_broadcast(row, TERN_SHAPE(2, 3), &repeated));
    refused(tern_add_into(x, x, repeated), TERN_E_ARGUMENT, "add", "share");
    test_status(tern_bit_and(x, x, &out), TERN_E_DTYPE);
    test_status(tern_where(x, x, x, &out), TERN_E_DTYPE);
    test_status(tern_clip(x, 2, 1, &out), TERN_E_ARGUMENT);
    test_status(tern_clip(x, NAN, 1, &out), TERN_E_ARGUMENT);
    test_status(tern_dropout(x, 1, 0, &out), TERN_E_ARGUMENT);
    test_status(tern_isclose(x, x, -1, 0, false, &out), TERN_E_ARGUMENT);
}

static void nothing_and_single_elements(void **state) {
    (void)state;
    tern_tensor *none = NULL, *point = NULL, *out = NULL;
    double value = 0;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(0, 3), &none));
    test_ok(tern_add(none, none, &out));
    assert_int_equal(tern_tensor_count(out), 0);
    test_ok(tern_add_into(none, none, none));
    test_ok(tern_tensor_full(context, TERN_I16, (tern_shape){.rank = 0}, 20000, &point));
    test_ok(tern_add(point, point, &out));
    assert_int_equal(tern_tensor_rank(out), 0);
    test_ok(tern_item(out, &value));
    assert_true(value == 40000 - 65536);
    test_ok(tern_add(none, point, &out));
    assert_int_equal(tern_tensor_count(out), 0);
    assert_int_equal(tern_tensor_dtype(out), TERN_F32);
}

/* -- fused operations --------------------------------------------------------------------------*/

static void bias_and_activation_are_two_steps(void **state) {
    (void)state;
    tern_status (*const steps[])(tern_tensor *, tern_tensor **) = {
        NULL, tern_relu, tern_relu2, tern_sigmoid, tern_silu, tern_gelu, tern_gelu_tanh, tern_tanh};
    static const tern_dtype types[] = {TERN_F32, TERN_F64};
    test_random random = {.seed = 10};
    for (int activation = 0; activation <= TERN_ACTIVATION_TANH; activation++)
        for (int t = 0; t < 2; t++) {
            tern_tensor *base = NULL, *fused = NULL, *sum = NULL;
            tern_tensor *x = with_odd_strides(&random, types[t], TERN_SHAPE(3, 701), &base);
            tern_tensor *bias = made(&random, types[t], TERN_SHAPE(701));
            test_ok(tern_bias_activation(x, bias, (tern_activation)activation, &fused));
            test_ok(tern_add(x, bias, &sum));
            if (steps[activation] != NULL)
                test_ok(steps[activation](sum, &sum));
            for (int64_t i = 0; i < 3 * 701; i++) {
                uint64_t got = 0, expected = 0;
                size_t size = sizes[types[t]];
                memcpy(&got, (uint8_t *)tern_tensor_data(fused) + (size_t)i * size, size);
                memcpy(&expected, (uint8_t *)tern_tensor_data(sum) + (size_t)i * size, size);
                if (!same_bits(types[t], got, expected))
                    fail_msg("activation %d: element %lld differs", activation, (long long)i);
            }
        }
}

/* An element whose fraction is the probability stays; a large transposed operand is read in
 * panels, but counted in its own order. */
static void dropout_at_its_limits(void **state) {
    (void)state;
    const uint32_t word = tern__philox(77, 0).word[0];
    tern_tensor *x = normal(TERN_SHAPE(5000, 64), 21), *copy = NULL, *out = NULL, *again = NULL;
    test_ok(tern_dropout(x, word * 0x1p-32, 77, &out));
    assert_true(*(const float *)tern_tensor_data(out) != 0);
    test_ok(tern_dropout(x, (word + 1.0) * 0x1p-32, 77, &out));
    assert_true(*(const float *)tern_tensor_data(out) == 0);
    test_ok(tern_tensor_transpose(x, 0, 1, &x));
    test_ok(tern_clone(x, &copy));
    test_ok(tern_dropout(x, 0.25, 77, &out));
    test_ok(tern_dropout(copy, 0.25, 77, &again));
    test_same_bytes(tern_tensor_data(out), tern_tensor_data(again), tern_tensor_bytes(out),
                    "dropout of a transposed operand");
}

static void dropout_depends_on_seed_and_index(void **state) {
    (void)state;
    tern_tensor *x = NULL, *strided = NULL, *out = NULL, *again = NULL, *other = NULL;
    test_ok(tern_tensor_ones(context, TERN_F32, TERN_SHAPE(300, 400), &x));
    test_ok(tern_tensor_ones(context, TERN_F32, TERN_SHAPE(400, 600), &strided));
    test_ok(tern_tensor_slice(strided, 1, 0, INT64_MAX, 2, &strided));
    test_ok(tern_tensor_transpose(strided, 0, 1, &strided));
    test_ok(tern_dropout(x, 0.25, 77, &out));
    test_ok(tern_dropout(strided, 0.25, 77, &again));
    test_ok(tern_dropout(x, 0.25, 78, &other));
    const float *p = tern_tensor_data(out), *q = tern_tensor_data(again);
    const float *r = tern_tensor_data(other);
    int64_t zeros = 0, different = 0;
    for (int64_t i = 0; i < 120000; i++) {
        assert_true(p[i] == q[i] && (p[i] == 0 || p[i] == (float)(1 / 0.75)));
        zeros += p[i] == 0;
        different += p[i] != r[i];
    }
    assert_in_range(zeros, 30000 - 600, 30000 + 600); /* four standard deviations */
    assert_in_range(different, 45000 - 900, 45000 + 900);
    test_ok(tern_tensor_empty(context, TERN_F32, TERN_SHAPE(400, 300), &other));
    test_ok(tern_tensor_transpose(other, 0, 1, &other));
    test_ok(tern_dropout_into(x, 0.25, 77, other));
    tern_shape shape = TERN_SHAPE(300, 400);
    for (int64_t i = 0; i < 120000; i++)
        assert_true(*(const float *)element(other, &shape, i) == p[i]);
}

/* -- the same everywhere -----------------------------------------------------------------------*/

enum { LEVEL_BYTES = 5 * 60000 * 8 };

/* What a few calls give at a level and with so many threads. */
static size_t results_at(const char *level, int threads, uint8_t *results) {
    static const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_F64, TERN_I32, TERN_U8};
    tern_context *common = context;
    size_t bytes = 0;
    test_ok(tern_context_create(&(tern_options){.threads = threads, .cpu = level}, &context));
    tern_scope_begin(context);
    for (int t = 0; t < 5; t++) {
        tern_tensor *x = NULL, *y = NULL, *out = NULL;
        test_ok(tern_tensor_arange(context, TERN_F64, 0, 60000, 1, &x));
        test_ok(tern_mod(x, normal(TERN_SHAPE(60000), 3), &y));
        test_ok(tern_cast(x, types[t], &x));
        test_ok(tern_cast(y, types[t], &y));
        test_ok(tern_tensor_reshape(x, TERN_SHAPE(200, 300), &x));
        test_ok(tern_tensor_reshape(y, TERN_SHAPE(300, 200), &y));
        test_ok(tern_tensor_transpose(y, 0, 1, &y));
        test_ok(tern_sub(x, y, &out));
        test_ok(tern_fma(out, x, y, &out));
        if (is_float(types[t]))
            test_ok(tern_dropout(out, 0.5, 9, &out));
        memcpy(results + bytes, tern_tensor_data(out), tern_tensor_bytes(out));
        bytes += tern_tensor_bytes(out);
    }
    tern_scope_end(context);
    tern_context_destroy(context);
    context = common;
    return bytes;
}

static void levels_and_threads_change_nothing(void **state) {
    (void)state;
    static uint8_t expected[LEVEL_BYTES], got[LEVEL_BYTES];
    const char *levels[] = {"scalar", "avx2", "avx512", "neon", NULL};
    size_t bytes = results_at("scalar", 1, expected);
    for (int i = 0; i < 5; i++) {
        uint32_t features;
        if (tern__cpu_level(levels[i], &features) != TERN_OK)
            continue;
        for (int threads = 1; threads <= 8; threads++) {
            assert_int_equal(results_at(levels[i], threads, got), bytes);
            test_same_bytes(got, expected, bytes, levels[i] != NULL ? levels[i] : "native");
        }
    }
}

/* -- failures ----------------------------------------------------------------------------------*/

static void prepare(sweep_fixture *f) {
    sweep_make_context(f);
    test_ok(tern_tensor_randn(f->context, TERN_F32, TERN_SHAPE(40), 1, &f->in[0]));
    test_ok(tern_tensor_slice(f->in[0], 0, 0, 30, 1, &f->in[1]));
    test_ok(tern_tensor_slice(f->in[0], 0, 10, 40, 1, &f->in[2]));
    test_ok(tern_tensor_full(f->context, TERN_I16, TERN_SHAPE(30), 3, &f->in[3]));
    test_ok(tern_tensor_full(f->context, TERN_BOOL, TERN_SHAPE(30), 1, &f->in[4]));
}

static tern_status call_row(sweep_fixture *f) {
    tern_tensor **in = f->in;
    switch (f->flow->row) {
    case 0:
        return tern_add(in[1], in[3], &f->out);
    case 1:
        return tern_add_into(in[1], in[1], in[2]); /* by a detour */
    case 2:
        return tern_where(in[4], in[1], in[2], &f->out);
    case 3:
        return tern_dropout(in[1], 0.5, 3, &f->out);
    case 4:
        return tern_cast(in[1], TERN_F16, &f->out);
    default:
        return tern_less(in[1], in[2], &f->out);
    }
}

static void look(sweep_fixture *f, sweep_view *view) {
    sweep_put_tensor(view, f->in[0]);
    sweep_put_tensor(view, f->out);
}

static void dispose(sweep_fixture *f) {
    for (int i = 4; i >= 0; i--)
        tern_tensor_release(f->in[i]);
    tern_tensor_release(f->out);
}

static void memory_may_run_out(void **state) {
    (void)state;
    memory_file_install();
    memory_file_serve(NULL, 0);
    for (int row = 0; row < 6; row++) {
        sweep_flow flow = {"element by element", prepare, call_row, look, dispose, row};
        sweep_counts counts = sweep_flow_all(&flow, &(tern_options){.threads = 1}, 0);
        assert_true(counts.failures > 0);
    }
    memory_file_remove();
}

#define SCOPED(test) cmocka_unit_test_setup_teardown(test, begin_scope, end_scope)

int main(void) {
    const struct CMUnitTest tests[] = {
        SCOPED(types_are_promoted),
        SCOPED(two_operands_in_any_layout),
        SCOPED(large_layouts),
        SCOPED(results_are_as_if_nothing_overlapped),
        SCOPED(halves_are_rounded_once),
        SCOPED(truth_values_have_their_own_rules),
        SCOPED(choices_take_every_type),
        SCOPED(destinations_are_checked),
        SCOPED(nothing_and_single_elements),
        SCOPED(bias_and_activation_are_two_steps),
        SCOPED(dropout_at_its_limits),
        SCOPED(dropout_depends_on_seed_and_index),
        cmocka_unit_test(levels_and_threads_change_nothing),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
