/* SPDX-License-Identifier: MIT
 * Softmax and norms against plain loops in double, over types, axes and strides; literals; the same
 * bits everywhere; the forms that write; errors. */
#define FIXTURE_THREADS 3
#include "context_fixture.h"

#include "ops/op_values.h"
#include "tensor/tensor.h"

/* -- references --------------------------------------------------------------------------------*/

/* Rows of n elements, `step` apart. */
static void reference_softmax(const double *x, double *y, int64_t n, int64_t step, bool is_log) {
    double largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        largest = x[i * step] > largest ? x[i * step] : largest;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i * step] - largest);
    for (int64_t i = 0; i < n; i++)
        y[i * step] = is_log ? x[i * step] - largest - log(sum) : exp(x[i * step] - largest) / sum;
}

static void reference_backward(const double *g, const double *y, double *out, int64_t n,
                               int64_t step, bool is_log) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += is_log ? g[i * step] : g[i * step] * y[i * step];
    for (int64_t i = 0; i < n; i++)
        out[i * step] =
            is_log ? g[i * step] - exp(y[i * step]) * sum : (g[i * step] - sum) * y[i * step];
}

/* x (outer, n, inner), the function along the middle. */
static void along_axis(tern_tensor *x, tern_tensor *other, int axis, bool is_log, double *out) {
    int64_t outer = 1, inner = 1, n = tern_tensor_dim(x, axis);
    for (int i = 0; i < axis; i++)
        outer *= tern_tensor_dim(x, i);
    for (int i = axis + 1; i < tern_tensor_rank(x); i++)
        inner *= tern_tensor_dim(x, i);
    const double *values = values_of(x), *others = other != NULL ? values_of(other) : NULL;
    for (int64_t i = 0; i < outer; i++)
        for (int64_t j = 0; j < inner; j++) {
            int64_t at = i * n * inner + j;
            if (others == NULL)
                reference_softmax(values + at, out + at, n, inner, is_log);
            else
                reference_backward(values + at, others + at, out + at, n, inner, is_log);
        }
}

/* -- softmax -----------------------------------------------------------------------------------*/

static const tern_dtype float_types[] = {TERN_F32, TERN_F64, TERN_F16, TERN_BF16};

static void check_softmax(tern_tensor *x, int axis, const char *what) {
    tern_dtype dtype = tern_tensor_dtype(x);
    double *expected = malloc((size_t)tern_tensor_count(x) * sizeof *expected);
    tern_tensor *y = NULL, *grad = NULL, *out = NULL;
    for (int is_log = 0; is_log <= 1; is_log++) {
        test_ok(is_log ? tern_log_softmax(x, axis, &y) : tern_softmax(x, axis, &y));
        along_axis(x, NULL, axis, is_log, expected);
        check_values(y, expected, tolerance_of(dtype), what);
        assert_int_equal(tern_tensor_dtype(y), dtype);
        grad = numbers_of(dtype, tern_tensor_shape(x), 77);
        test_ok(is_log ? tern_log_softmax_backward(grad, y, axis, &out)
                       : tern_softmax_backward(grad, y, axis, &out));
        along_axis(grad, y, axis, is_log, expected);
        check_values(out, expected, 10 * tolerance_of(dtype), what);
    }
    free(expected);
}

static void softmaxes(void **state) {
    (void)state;
    for (size_t t = 0; t < 4; t++)
        for (int axis = 0; axis < 3; axis++) {
            char what[64];
            snprintf(what, sizeof what, "%s, axis %d", tern_dtype_name(float_types[t]), axis);
            check_softmax(numbers_of(float_types[t], TERN_SHAPE(3, 70, 5), 1), axis, what);
            check_softmax(stepped(float_types[t], TERN_SHAPE(3, 70, 5), 2), axis, what);
            check_softmax(turned(numbers_of(float_types[t], TERN_SHAPE(5, 2, 131), 3), 0, 2), axis,
                          what);
        }
}

/* Longer than the lane's scratch, and than a block of the reduction rule. */
static void long_rows(void **state) {
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        check_softmax(numbers_of(float_types[t], TERN_SHAPE(2, 70001), 4), 1, "long");
        check_softmax(numbers_of(float_types[t], TERN_SHAPE(20011, 2), 5), 0, "long, strided");
        check_softmax(numbers_of(float_types[t], TERN_SHAPE(200003, 2), 6), 0, "longer, strided");
    }
}

/* Rows longer than a block have the sum of blocks: that of tern_sum and tern_dot. */
static void check_blocks(uint64_t seed) {
    tern_tensor *x = normal(TERN_SHAPE(140000), seed), *w = normal(TERN_SHAPE(140000), seed + 1);
    tern_tensor *part = NULL, *expected = NULL, *y = NULL;
    test_ok(tern_max(x, TERN_ALL_AXES, false, &part));
    test_ok(tern_sub(x, part, &expected));
    test_ok(tern_exp(expected, &expected));
    test_ok(tern_sum(expected, TERN_ALL_AXES, false, &part));
    test_ok(tern_reciprocal(part, &part));
    test_ok(tern_mul(expected, part, &expected));
    test_ok(tern_softmax(x, 0, &y));
    check_same_bits(y, expected, "softmax");
    test_ok(tern_dot(x, x, &part));
    float mean = *(const float *)tern_tensor_data(part) / 140000.0F + 0.5F;
    test_ok(tern_scale(x, (double)(1 / sqrtf(mean)), &expected));
    test_ok(tern_mul(expected, w, &expected));
    test_ok(tern_rms_norm(x, w, 0.5, &y));
    check_same_bits(y, expected, "rms_norm");
}

static void blocks_as_in_sums(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed < 120; seed++)
        check_blocks(seed);
}

/* 65 blocks: one more than are gathered at a time. */
static void many_blocks(void **state) {
    (void)state;
    const int64_t n = 65 * 65536;
    tern_tensor *x = NULL, *y = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(n), &x));
    test_ok(tern_softmax(x, 0, &y));
    assert_true(*(const float *)tern_tensor_data(y) == 1.0F / (float)n);
}

/* A strided row has the bits of the same row in one piece, also where the rule has blocks. */
static void strides_change_nothing(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 63, 1024, 9000, 65536, 65537, 140000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t t = 0; t < 2; t++) {
            tern_tensor *x = numbers_of(float_types[t], TERN_SHAPE(2, lengths[i]), 7), *y = NULL;
            tern_tensor *columns = NULL, *z = NULL;
            test_ok(tern_clone(turned(x, 0, 1), &columns));
            test_ok(tern_softmax(x, 1, &y));
            test_ok(tern_softmax(columns, 0, &z));
            test_ok(tern_clone(turned(z, 0, 1), &z));
            check_same_bits(z, y, "softmax");
            test_ok(tern_log_softmax(x, 1, &y));
            test_ok(tern_log_softmax(columns, 0, &z));
            test_ok(tern_clone(turned(z, 0, 1), &z));
            check_same_bits(z, y, "log_softmax");
        }
}

static void literals(void **state) {
    (void)state;
    const double rows[] = {0, 0, -INFINITY, -INFINITY, NAN, 1, 1000, 1000, INFINITY, 0};
    const double halves[] = {0.5, 0.5, NAN, NAN, NAN, NAN, 0.5, 0.5, NAN, NAN};
    const double logs[] = {-log(2), -log(2), NAN, NAN, NAN, NAN, -log(2), -log(2), NAN, NAN};
    tern_tensor *x = doubles_of(TERN_SHAPE(5, 2), rows), *y = NULL;
    test_ok(tern_softmax(x, -1, &y));
    check_values(y, halves, 0, "softmax");
    test_ok(tern_log_softmax(x, 1, &y));
    check_values(y, logs, 1e-16, "log_softmax");
    const double low[] = {-1000, -1000}, same[] = {0.5, 0.5}, log_same[] = {-log(2), -log(2)};
    test_ok(tern_softmax(doubles_of(TERN_SHAPE(2), low), 0, &y));
    check_values(y, same, 0, "softmax of low numbers");
    test_ok(tern_log_softmax(doubles_of(TERN_SHAPE(2), low), 0, &y));
    check_values(y, log_same, 1e-16, "log_softmax of low numbers");
    tern_tensor *columns = NULL, *halves_of = NULL, *all = NULL;
    test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(2, 40), -1000, &columns));
    test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(2, 40), 0.5, &halves_of));
    test_ok(tern_softmax(columns, 0, &all));
    check_same_bits(all, halves_of, "softmax of low columns");
    const int64_t integers[] = {3, 3};
    test_ok(tern_softmax(integers_of(TERN_SHAPE(2), integers), 0, &y));
    assert_int_equal(tern_tensor_dtype(y), TERN_F64);
    check_values(y, halves, 0, "softmax of integers");
    test_ok(tern_softmax(numbers_of(TERN_F32, TERN_SHAPE(3, 0), 1), 0, &y));
    assert_int_equal(tern_tensor_count(y), 0);
    const double pair[] = {3, -3, 3, 3}, weight[] = {1, 2, 3, 4}, bias[] = {0, 0, 1, 1};
    x = doubles_of(TERN_SHAPE(4), pair);
    tern_tensor *w = doubles_of(TERN_SHAPE(4), weight), *b = doubles_of(TERN_SHAPE(4), bias);
    test_ok(tern_rms_norm(x, w, 0, &y));
    check_values(y, (const double[]){1, -2, 3, 4}, 0, "rms_norm");
    const double four[] = {1, 3, 1, 3};
    test_ok(tern_layer_norm(doubles_of(TERN_SHAPE(4), four), w, b, 3, &y));
    check_values(y, (const double[]){-0.5, 1, -0.5, 3}, 0, "layer_norm");
    test_ok(tern_layer_norm(doubles_of(TERN_SHAPE(4), four), NULL, b, 0, &y));
    check_values(y, (const double[]){-1, 1, 0, 2}, 0, "layer_norm without weight");
    test_ok(tern_layer_norm(doubles_of(TERN_SHAPE(4), four), NULL, NULL, 0, &y));
    check_values(y, (const double[]){-1, 1, -1, 1}, 0, "layer_norm alone");
}

static void causal(void **state) {
    (void)state;
    tern_tensor *x = turned(normal(TERN_SHAPE(2, 9, 5), 8), 1, 2), *y = NULL; /* (2, 5, 9) */
    double expected[90] = {0};
    const double *values = values_of(x);
    for (int row = 0; row < 10; row++)
        reference_softmax(values + row * 9, expected + row * 9, 5 + row % 5, 1, false);
    test_ok(tern_softmax_causal(x, &y));
    check_values(y, expected, 1e-6, "causal");
    test_ok(tern_softmax_causal_into(x, x));
    check_values(x, expected, 1e-6, "causal, in place");
}

/* -- norms -------------------------------------------------------------------------------------*/

/* Both norms of rows (..., D). */
static void reference_norm(const double *x, const double *weight, const double *bias, bool is_layer,
                           double epsilon, double *y, int64_t rows, int64_t n) {
    for (int64_t row = 0; row < rows; row++, x += n, y += n) {
        double mean = 0, squares = 0;
        for (int64_t i = 0; is_layer && i < n; i++)
            mean += x[i] / (double)n;
        for (int64_t i = 0; i < n; i++)
            squares += (x[i] - mean) * (x[i] - mean) / (double)n;
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) / sqrt(squares + epsilon) * (weight != NULL ? weight[i] : 1) +
                   (bias != NULL ? bias[i] : 0);
    }
}

static void check_norms(tern_tensor *x, tern_tensor *weight, tern_tensor *bias, tern_dtype result) {
    int64_t n = tern_tensor_dim(x, -1), count = tern_tensor_count(x);
    double *expected = malloc((size_t)count * sizeof *expected);
    const double *values = values_of(x), *factors = values_of(weight), *terms = values_of(bias);
    tern_tensor *y = NULL;
    reference_norm(values, factors, NULL, false, 1e-5, expected, count / n, n);
    test_ok(tern_rms_norm(x, weight, 1e-5, &y));
    assert_int_equal(tern_tensor_dtype(y), result);
    check_values(y, expected, tolerance_of(result), "rms_norm");
    for (int has = 0; has < 4; has++) {
        reference_norm(values, has & 1 ? factors : NULL, has & 2 ? terms : NULL, true, 1e-5,
                       expected, count / n, n);
        test_ok(tern_layer_norm(x, has & 1 ? weight : NULL, has & 2 ? bias : NULL, 1e-5, &y));
        check_values(y, expected, tolerance_of(tern_tensor_dtype(y)), "layer_norm");
    }
    free(expected);
}

static void norms(void **state) {
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        tern_dtype dtype = float_types[t];
        tern_tensor *weight = numbers_of(dtype, TERN_SHAPE(70), 10);
        tern_tensor *bias = numbers_of(dtype, TERN_SHAPE(70), 11);
        check_norms(numbers_of(dtype, TERN_SHAPE(3, 5, 70), 12), weight, bias, dtype);
        check_norms(turned(numbers_of(dtype, TERN_SHAPE(70, 9), 13), 0, 1),
                    stepped(dtype, TERN_SHAPE(70), 14), bias, dtype);
        check_norms(stepped(dtype, TERN_SHAPE(4, 70), 15), weight,
                    stepped(dtype, TERN_SHAPE(70), 16), dtype);
        check_norms(numbers_of(dtype, TERN_SHAPE(2, 70001), 17),
                    numbers_of(dtype, TERN_SHAPE(70001), 18),
                    numbers_of(dtype, TERN_SHAPE(70001), 19), dtype);
    }
    check_norms(numbers_of(TERN_F32, TERN_SHAPE(3, 70), 12),
                numbers_of(TERN_F64, TERN_SHAPE(70), 10), numbers_of(TERN_F32, TERN_SHAPE(70), 11),
                TERN_F64);
}

/* -- into --------------------------------------------------------------------------------------*/

static void writes_where_it_should(void **state) {
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        tern_dtype dtype = float_types[t];
        tern_tensor *x = numbers_of(dtype, TERN_SHAPE(6, 70), 20), *y = NULL, *copy = NULL;
        tern_tensor *weight = numbers_of(dtype, TERN_SHAPE(70), 21);
        tern_tensor *strided = stepped(dtype, TERN_SHAPE(6, 70), 22);
        test_ok(tern_softmax(x, 0, &y));
        test_ok(tern_softmax_into(x, 0, strided));
        test_ok(tern_clone(strided, &copy));
        check_same_bits(copy, y, "softmax into strides");
        test_ok(tern_clone(x, &copy));
        test_ok(tern_softmax_into(copy, 0, copy));
        check_same_bits(copy, y, "softmax in place");
        test_ok(tern_log_softmax(x, 1, &y));
        test_ok(tern_log_softmax_into(x, 1, strided));
        test_ok(tern_clone(strided, &copy));
        check_same_bits(copy, y, "log_softmax into strides");
        test_ok(tern_layer_norm(x, weight, NULL, 0.1, &y));
        test_ok(tern_layer_norm_into(x, weight, NULL, 0.1, strided));
        test_ok(tern_clone(strided, &copy));
        check_same_bits(copy, y, "layer_norm into strides");
        test_ok(tern_rms_norm(x, weight, 0.1, &y));
        test_ok(tern_clone(x, &copy));
        test_ok(tern_rms_norm_into(copy, weight, 0.1, copy));
        check_same_bits(copy, y, "rms_norm in place");
        tern_tensor *grad = numbers_of(dtype, TERN_SHAPE(6, 70), 23);
        test_ok(tern_softmax_backward(grad, x, 1, &y));
        test_ok(tern_clone(x, &copy));
        test_ok(tern_softmax_backward_into(grad, copy, 1, copy));
        check_same_bits(copy, y, "softmax_backward in place");
        test_ok(tern_log_softmax_backward(grad, x, 0, &y));
        test_ok(tern_log_softmax_backward_into(grad, x, 0, grad));
        check_same_bits(grad, y, "log_softmax_backward in place");
    }
}

/* Every way of a row adds the same epsilon: that of the data type, here half a unit in the last
 * place away from the number given. */
static void epsilon_has_the_type(void **state) {
    (void)state;
    tern_tensor *x = numbers_of(TERN_F32, TERN_SHAPE(200, 5), 24), *y = NULL, *copy = NULL;
    tern_tensor *weight = numbers_of(TERN_F32, TERN_SHAPE(5), 25), *strided = NULL;
    test_ok(tern_scale_into(x, 1e-3, x));
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(200, 10), &strided));
    test_ok(tern_tensor_slice(strided, 1, 0, INT64_MAX, 2, &strided));
    test_ok(tern_rms_norm(x, weight, 1e-5, &y));
    test_ok(tern_rms_norm_into(x, weight, 1e-5, strided));
    test_ok(tern_clone(strided, &copy));
    check_same_bits(copy, y, "rms_norm into strides");
}

/* -- everywhere --------------------------------------------------------------------------------*/

static size_t make_all(uint8_t *results) {
    size_t bytes = 0;
    for (size_t t = 0; t < 4; t++) {
        tern_dtype dtype = float_types[t];
        tern_tensor *x = numbers_of(dtype, TERN_SHAPE(7, 300, 3), 30), *y = NULL, *z = NULL;
        tern_tensor *parts[3] = {0};
        for (int axis = 0; axis < 3; axis++) {
            test_ok(tern_softmax(x, axis, &y));
            bytes += put_result(results + bytes, y);
            test_ok(tern_softmax_backward(x, y, axis, &y));
            bytes += put_result(results + bytes, y);
            test_ok(tern_log_softmax(x, axis, &y));
            bytes += put_result(results + bytes, y);
            test_ok(tern_log_softmax_backward(x, y, axis, &y));
            bytes += put_result(results + bytes, y);
        }
        if (t >= 2)
            continue;
        x = turned(x, 1, 2);
        z = numbers_of(dtype, TERN_SHAPE(7, 3, 300), 31);
        tern_tensor *weight = numbers_of(dtype, TERN_SHAPE(300), 32);
        test_ok(tern_layer_norm(x, weight, weight, 1e-5, &y));
        bytes += put_result(results + bytes, y);
        test_ok(tern_rms_norm(x, weight, 1e-5, &y));
        bytes += put_result(results + bytes, y);
        test_ok(tern_layer_norm_backward(z, x, weight, 1e-5, &parts[0], &parts[1], &parts[2]));
        for (int i = 0; i < 3; i++)
            bytes += put_result(results + bytes, parts[i]);
        test_ok(tern_rms_norm_backward(z, x, weight, 1e-5, &parts[0], &parts[1]));
        for (int i = 0; i < 2; i++)
            bytes += put_result(results + bytes, parts[i]);
    }
    return bytes;
}

static void same_bits_everywhere(void **state) {
    (void)state;
    check_everywhere(make_all, 2 << 20);
}

/* -- errors ------------------------------------------------------------------------------------*/

static void refusals(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(4, 3), 40), *row = normal(TERN_SHAPE(3), 41), *y = NULL;
    tern_tensor *half = numbers_of(TERN_F16, TERN_SHAPE(4, 3), 42), *other = NULL;
    test_status(tern_softmax(x, 2, &y), TERN_E_ARGUMENT);
    test_status(tern_softmax(x, -3, &y), TERN_E_ARGUMENT);
    test_status(tern_softmax_causal(x, &y), TERN_E_SHAPE);
    assert_non_null(strstr(tern_last_error(), "(4, 3)"));
    test_status(tern_softmax_causal(half, &y), TERN_E_SHAPE);
    test_status(tern_softmax_causal(turned(half, 0, 1), &y), TERN_E_DTYPE);
    test_status(tern_softmax_backward(x, row, 0, &y), TERN_E_SHAPE);
    test_status(tern_softmax_into(x, 0, half), TERN_E_DTYPE);
    test_status(tern_softmax_into(x, 0, row), TERN_E_SHAPE);
    test_status(tern_rms_norm(x, x, 0, &y), TERN_E_SHAPE);
    test_ok(tern_rms_norm(half, row, 0, &y));
    assert_int_equal(tern_tensor_dtype(y), TERN_F32);
    test_status(tern_rms_norm(half, half, 0, &y), TERN_E_DTYPE);
    test_status(tern_rms_norm(x, row, -1, &y), TERN_E_ARGUMENT);
    test_status(tern_rms_norm(x, row, NAN, &y), TERN_E_ARGUMENT);
    assert_null(y);
    test_status(tern_layer_norm(x, row, x, 0, &y), TERN_E_SHAPE);
    assert_non_null(strstr(tern_last_error(), "(4, 3)"));
    test_status(tern_layer_norm_backward(row, x, row, 0, &y, &other, NULL), TERN_E_SHAPE);
    test_status(tern_rms_norm_backward(x, x, x, 0, &y, &other), TERN_E_SHAPE);
    assert_true(y == NULL && other == NULL);
    tern_tensor *scalar = normal(TERN_SHAPE(), 43);
    test_status(tern_softmax(scalar, 0, &y), TERN_E_ARGUMENT);
    test_status(tern_layer_norm(scalar, NULL, NULL, 0, &y), TERN_E_SHAPE);
}

/* What is read where it lies is no copy. */
static void counts(void **state) {
    (void)state;
    tern_tensor *x = turned(normal(TERN_SHAPE(6, 40), 50), 0, 1), *y = NULL;
    tern_stats_reset(context);
    test_ok(tern_softmax(x, 1, &y));
    test_ok(tern_softmax_into(x, 1, x));
    tern_op_stats stats;
    tern_stats_op(context, TERN__OP_SOFTMAX, &stats);
    assert_int_equal(stats.calls[TERN_CLASS_COMPUTE], 1);
    assert_int_equal(stats.calls[TERN_CLASS_IN_PLACE], 1);
    assert_int_equal(stats.calls[TERN_CLASS_COPY], 0);
    assert_int_equal(stats.bytes[TERN_CLASS_COMPUTE], 2 * 240 * 4);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(literals),
        TEST(softmaxes),
        TEST(long_rows),
        TEST(blocks_as_in_sums),
        TEST(many_blocks),
        TEST(strides_change_nothing),
        TEST(causal),
        TEST(norms),
        TEST(writes_where_it_should),
        TEST(epsilon_has_the_type),
        TEST(same_bits_everywhere),
        TEST(refusals),
        TEST(counts),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
