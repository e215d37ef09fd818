/* SPDX-License-Identifier: MIT
 * Convolutions against the definition written out here: the same chain of fused multiply-adds, so
 * the same bits, over shapes, strides, padding, dilation and groups, at every kernel level and
 * number of threads. */
#define FIXTURE_THREADS 3
#include "context_fixture.h"

#include "ops/op_values.h"
#include "tensor/tensor.h"

typedef struct conv_case {
    int64_t batch, channels, height, width; /* channels: of a group */
    int64_t outputs, rows, columns;         /* outputs: of a group */
    int64_t stride[2], padding[2], dilation[2], groups;
} conv_case;

static const conv_case cases[] = {
    {1, 1, 1, 1, 1, 1, 1, {1, 1}, {0, 0}, {1, 1}, 1},
    {2, 3, 5, 7, 4, 3, 3, {1, 1}, {0, 0}, {1, 1}, 1},
    {2, 3, 9, 8, 33, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},
    {1, 5, 14, 14, 64, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},
    {1, 32, 14, 15, 17, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1}, /* more taps than a block has */
    {3, 2, 11, 13, 10, 3, 2, {2, 3}, {2, 1}, {1, 1}, 1},
    {1, 4, 20, 40, 9, 3, 5, {1, 1}, {4, 6}, {3, 2}, 1},
    {2, 1, 14, 14, 1, 3, 3, {1, 1}, {1, 1}, {1, 1}, 6}, /* depthwise */
    {1, 1, 17, 37, 2, 5, 3, {2, 2}, {2, 1}, {1, 1}, 5},
    {1, 1, 9, 70, 1, 20, 17, {1, 1}, {11, 3}, {1, 1}, 2}, /* more taps than a block has */
    {2, 3, 8, 9, 8, 3, 3, {1, 1}, {1, 1}, {1, 1}, 4},
    {1, 6, 10, 3, 12, 1, 1, {1, 1}, {0, 0}, {1, 1}, 1},
    {1, 2, 3, 3, 3, 3, 3, {1, 1}, {5, 5}, {1, 1}, 1}, /* elements without any tap */
    {1, 2, 3, 4, 40, 2, 3, {7, 2}, {6, 9}, {2, 3}, 1},
    {0, 2, 4, 4, 3, 2, 2, {1, 1}, {0, 0}, {1, 1}, 1},
    {2, 0, 4, 4, 3, 2, 2, {1, 1}, {0, 0}, {1, 1}, 1}, /* the bias alone */
};
enum { CASES = sizeof cases / sizeof *cases };

static const float *element(const tern_tensor *t, int64_t a, int64_t b, int64_t c, int64_t d) {
    const int64_t *strides = tern__strides(t);
    return (const float *)tern_tensor_data(t) + a * strides[0] + b * strides[1] + c * strides[2] +
           d * strides[3];
}

static float reference(const conv_case *k, const tern_tensor *x, const tern_tensor *weight,
                       const float *bias, const int64_t at[4]) {
    float sum = 0;
    for (int64_t c = 0; c < k->channels; c++)
        for (int64_t r = 0; r < k->rows; r++)
            for (int64_t s = 0; s < k->columns; s++) {
                int64_t y = at[2] * k->stride[0] - k->padding[0] + r * k->dilation[0];
                int64_t z = at[3] * k->stride[1] - k->padding[1] + s * k->dilation[1];
                int64_t channel = at[1] / k->outputs * k->channels + c;
                if (y >= 0 && y < k->height && z >= 0 && z < k->width)
                    sum = fmaf(*element(x, at[0], channel, y, z), *element(weight, at[1], c, r, s),
                               sum);
            }
    return bias != NULL ? sum + bias[at[1]] : sum;
}

static void check_result(const conv_case *k, const tern_tensor *x, const tern_tensor *weight,
                         const float *bias, const tern_tensor *y, const char *what) {
    tern_shape shape = tern_tensor_shape(y);
    assert_int_equal(shape.dims[0], k->batch);
    assert_int_equal(shape.dims[1], k->outputs * k->groups);
    for (int64_t i = 0; i < tern_tensor_count(y); i++) {
        int64_t at[4], rest = i;
        for (int axis = 3; axis >= 0; axis--) {
            at[axis] = rest % shape.dims[axis];
            rest /= shape.dims[axis];
        }
        float expected = reference(k, x, weight, bias, at);
        test_same_floats(element(y, at[0], at[1], at[2], at[3]), &expected, 1, what);
    }
}

static tern_conv_options options_of(const conv_case *k) {
    tern_conv_options o = tern_conv_options_default();
    o.groups = k->groups;
    memcpy(o.stride, k->stride, sizeof o.stride);
    memcpy(o.padding, k->padding, sizeof o.padding);
    memcpy(o.dilation, k->dilation, sizeof o.dilation);
    return o;
}

static void check_case(const conv_case *k, int number) {
    char what[32];
    snprintf(what, sizeof what, "case %d", number);
    tern_scope_begin(context);
    tern_conv_options o = options_of(k);
    tern_shape shape = TERN_SHAPE(k->batch, k->channels * k->groups, k->height, k->width);
    tern_shape weights = TERN_SHAPE(k->outputs * k->groups, k->channels, k->rows, k->columns);
    tern_tensor *x = normal(shape, 1), *weight = normal(weights, 2), *y = NULL, *z = NULL;
    tern_tensor *bias = normal(TERN_SHAPE(k->outputs * k->groups), 3);
    test_ok(tern_conv2d(x, weight, NULL, &o, &y));
    check_result(k, x, weight, NULL, y, what);
    test_ok(tern_conv2d(x, weight, bias, &o, &y));
    check_result(k, x, weight, tern_tensor_data(bias), y, what);
    /* Strides everywhere. */
    x = stepped(TERN_F32, shape, 4), weight = stepped(TERN_F32, weights, 5);
    test_ok(tern_conv2d(x, weight, bias, &o, &y));
    check_result(k, x, weight, tern_tensor_data(bias), y, what);
    z = stepped(TERN_F32, tern_tensor_shape(y), 6);
    test_ok(tern_conv2d_into(x, weight, bias, &o, z));
    check_result(k, x, weight, tern_tensor_data(bias), z, what);
    shape = TERN_SHAPE(k->width, k->channels * k->groups, k->height, k->batch);
    x = turned(normal(shape, 7), 0, 3);
    test_ok(tern_conv2d(x, weight, NULL, &o, &y));
    check_result(k, x, weight, NULL, y, what);
    tern_scope_end(context);
}

static void against_the_definition(void **state) {
    (void)state;
    static const char *const levels[] = {"scalar", "avx2", "avx512", "neon", NULL};
    tern_context *outer = context;
    for (int i = 0; i < 5; i++) {
        uint32_t features;
        if (tern__cpu_level(levels[i], &features) != TERN_OK)
            continue;
        for (int threads = 1; threads <= 8; threads += i == 4 ? 1 : 3) {
            test_ok(tern_context_create(&(tern_options){.threads = threads, .cpu = levels[i]},
                                        &context));
            for (int number = 0; number < CASES; number++)
                check_case(&cases[number], number);
            tern_context_destroy(context);
        }
    }
    context = outer;
}

/* conv1d is conv2d with one row. */
static void one_side(void **state) {
    (void)state;
    for (int number = 0; number < CASES; number++) {
        conv_case k = cases[number];
        k.height = k.rows = k.stride[0] = k.dilation[0] = 1;
        k.padding[0] = 0;
        tern_conv_options flat = options_of(&k), o = tern_conv_options_default();
        o.stride[0] = k.stride[1], o.padding[0] = k.padding[1], o.dilation[0] = k.dilation[1];
        o.stride[1] = -1; /* not looked at */
        o.groups = k.groups;
        int64_t outputs = k.outputs * k.groups;
        tern_shape shape = TERN_SHAPE(k.batch, k.channels * k.groups, k.width);
        tern_tensor *x = normal(shape, 1), *weight = NULL, *bias = normal(TERN_SHAPE(outputs), 2);
        tern_tensor *image = NULL, *filter = NULL, *y = NULL, *z = NULL;
        weight = normal(TERN_SHAPE(outputs, k.channels, k.columns), 3);
        test_ok(tern_tensor_reshape(x, TERN_SHAPE(k.batch, shape.dims[1], 1, k.width), &image));
        test_ok(
            tern_tensor_reshape(weight, TERN_SHAPE(outputs, k.channels, 1, k.columns), &filter));
        test_ok(tern_conv1d(x, weight, bias, &o, &y));
        test_ok(tern_conv2d(image, filter, bias, &flat, &z));
        check_same_bits(y, z, "conv1d");
        assert_int_equal(tern_tensor_rank(y), 3);
        test_ok(tern_conv1d_into(x, weight, bias, &o, y));
        check_same_bits(y, z, "conv1d_into");
    }
}

static void literals(void **state) {
    (void)state;
    const double x[] = {1, 2, 3, 4}, w[] = {10, 1}, b[] = {0.5};
    tern_tensor *in = NULL, *weight = NULL, *bias = NULL, *y = NULL;
    test_ok(tern_cast(doubles_of(TERN_SHAPE(1, 1, 4), x), TERN_F32, &in));
    test_ok(tern_cast(doubles_of(TERN_SHAPE(1, 1, 2), w), TERN_F32, &weight));
    test_ok(tern_cast(doubles_of(TERN_SHAPE(1), b), TERN_F32, &bias));
    test_ok(tern_conv1d(in, weight, NULL, NULL, &y)); /* not turned round */
    check_values(y, (const double[]){12, 23, 34}, 0, "conv1d");
    tern_conv_options o = tern_conv_options_default();
    o.padding[0] = 1, o.stride[0] = 2;
    test_ok(tern_conv1d(in, weight, bias, &o, &y));
    check_values(y, (const double[]){1.5, 23.5, 40.5}, 0, "padding and stride");
}

/* Taps in the padding do not exist: no infinity times zero. */
static void padding_is_nothing(void **state) {
    (void)state;
    const double w[] = {INFINITY, 1, NAN}, x[] = {2};
    tern_tensor *in = NULL, *weight = NULL, *y = NULL;
    test_ok(tern_cast(doubles_of(TERN_SHAPE(1, 1, 1), x), TERN_F32, &in));
    test_ok(tern_cast(doubles_of(TERN_SHAPE(1, 1, 3), w), TERN_F32, &weight));
    tern_conv_options o = tern_conv_options_default();
    o.padding[0] = 1;
    test_ok(tern_conv1d(in, weight, NULL, &o, &y));
    check_values(y, x, 0, "one element");
}

static void refusals(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(2, 4, 6, 6), 1), *weight = normal(TERN_SHAPE(3, 4, 3, 3), 2);
    tern_tensor *bias = normal(TERN_SHAPE(3), 3), *y = NULL;
    tern_tensor *half = numbers_of(TERN_F16, TERN_SHAPE(3), 4);
    tern_conv_options o = tern_conv_options_default();
    test_status(tern_conv2d(x, weight, half, &o, &y), TERN_E_DTYPE);
    test_status(tern_conv2d(x, weight, normal(TERN_SHAPE(4), 5), &o, &y), TERN_E_SHAPE);
    test_status(tern_conv1d(x, weight, bias, &o, &y), TERN_E_SHAPE);
    assert_non_null(strstr(tern_last_error(), "(2, 4, 6, 6)"));
    assert_non_null(strstr(tern_last_error(), "(3, 4, 3, 3)"));
    test_status(tern_conv2d(x, turned(weight, 0, 1), bias, &o, &y), TERN_E_SHAPE);
    const tern_conv_options bad[] = {
        {{0, 1}, {0, 0}, {1, 1}, 1},         {{1, 1}, {0, -1}, {1, 1}, 1},
        {{1, 1}, {0, 0}, {1, 0}, 1},         {{1, 1}, {0, 0}, {1, 1}, 0},
        {{1, 1}, {0, 0}, {3, 1}, 1},         {{1, 1}, {0, 0}, {1, 1}, 2},
        {{1, 1}, {INT64_MAX, 0}, {1, 1}, 1}, {{1, 1}, {0, 0}, {1, INT64_MAX}, 1},
        {{1, 1}, {0, 0}, {1, 1}, INT64_MAX},
    };
    for (int i = 0; i < 9; i++) {
        tern_status expected = i < 4 ? TERN_E_ARGUMENT : TERN_E_SHAPE;
        test_status(tern_conv2d(x, weight, bias, &bad[i], &y), expected);
        assert_null(y);
    }
    test_ok(tern_conv2d(x, weight, bias, NULL, &y));
    test_status(tern_conv2d_into(x, weight, bias, NULL, x), TERN_E_SHAPE);
    tern_tensor *square = normal(TERN_SHAPE(4, 4, 1, 1), 6), *copy = NULL;
    test_ok(tern_conv2d(x, square, NULL, NULL, &y));
    test_ok(tern_clone(x, &copy));
    test_ok(tern_conv2d_into(copy, square, NULL, NULL, copy)); /* by a detour */
    check_same_bits(copy, y, "over x");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(literals), TEST(padding_is_nothing), TEST(against_the_definition),
        TEST(one_side), TEST(refusals),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
