/* SPDX-License-Identifier: MIT
 * Cross entropy: literals, plain loops in double, strides and types, the same bits everywhere. */
#define FIXTURE_THREADS 2
#include "context_fixture.h"

#include "ops/op_values.h"

/* Also the gradient, when `gradient` is given. */
static double reference(const double *x, const int64_t *targets, int64_t rows, int64_t n,
                        double *gradient) {
    double loss = 0;
    for (int64_t row = 0; row < rows; row++, x += n) {
        double largest = -INFINITY, sum = 0;
        for (int64_t i = 0; i < n; i++)
            largest = x[i] > largest ? x[i] : largest;
        for (int64_t i = 0; i < n; i++)
            sum += exp(x[i] - largest);
        loss += (largest + log(sum) - x[targets[row]]) / (double)rows;
        for (int64_t i = 0; gradient != NULL && i < n; i++)
            gradient[row * n + i] =
                (exp(x[i] - largest) / sum - (i == targets[row] ? 1 : 0)) / (double)rows;
    }
    return loss;
}

static void check(tern_tensor *logits, tern_tensor *targets) {
    int64_t rows = tern_tensor_dim(logits, 0), n = tern_tensor_dim(logits, 1);
    tern_dtype dtype = tern_tensor_dtype(logits);
    double *gradient = malloc((size_t)(rows * n) * sizeof *gradient);
    int64_t *ids = malloc((size_t)rows * sizeof *ids);
    const double *wanted = values_of(targets);
    for (int64_t i = 0; i < rows; i++)
        ids[i] = (int64_t)wanted[i];
    double loss = reference(values_of(logits), ids, rows, n, gradient);
    tern_tensor *y = NULL, *one = NULL;
    test_ok(tern_cross_entropy(logits, targets, &y));
    assert_int_equal(tern_tensor_rank(y), 0);
    assert_int_equal(tern_tensor_dtype(y), dtype);
    check_values(y, &loss, tolerance_of(dtype), "cross_entropy");
    const double factor = -3;
    for (int64_t i = 0; i < rows * n; i++)
        gradient[i] *= factor;
    one = doubles_of(TERN_SHAPE(), &factor);
    test_ok(tern_cross_entropy_backward(one, logits, targets, &y));
    assert_int_equal(tern_tensor_dtype(y), dtype);
    check_values(y, gradient, tolerance_of(dtype), "cross_entropy_backward");
    free(gradient);
    free(ids);
}

static tern_tensor *ids_of(int64_t rows, int64_t classes, tern_dtype dtype) {
    int64_t ids[512];
    for (int64_t i = 0; i < rows; i++)
        ids[i] = i * 7919 % classes;
    tern_tensor *t = NULL;
    test_ok(tern_cast(integers_of(TERN_SHAPE(rows), ids), dtype, &t));
    return t;
}

static void losses(void **state) {
    (void)state;
    static const tern_dtype integers[] = {TERN_I64, TERN_I32, TERN_I16, TERN_I8, TERN_U8};
    for (int t = 0; t < 2; t++) {
        tern_dtype dtype = t == 0 ? TERN_F32 : TERN_F64;
        for (int i = 0; i < 5; i++)
            check(numbers_of(dtype, TERN_SHAPE(13, 101), 1), ids_of(13, 101, integers[i]));
        check(numbers_of(dtype, TERN_SHAPE(300, 10), 2), ids_of(300, 10, TERN_I32));
        check(turned(numbers_of(dtype, TERN_SHAPE(101, 9), 3), 0, 1), ids_of(9, 101, TERN_I64));
        check(stepped(dtype, TERN_SHAPE(9, 33), 4), ids_of(9, 33, TERN_I64));
        check(numbers_of(dtype, TERN_SHAPE(2, 70001), 5), ids_of(2, 70001, TERN_I64));
        tern_tensor *ids = NULL;
        test_ok(tern_tensor_slice(ids_of(18, 33, TERN_I16), 0, 0, INT64_MAX, 2, &ids));
        check(numbers_of(dtype, TERN_SHAPE(9, 33), 6), ids);
    }
}

static void literals(void **state) {
    (void)state;
    const double rows[] = {0, 0, 0, 0, 1000, 0, 0, 0};
    const int64_t targets[] = {3, 0};
    tern_tensor *x = doubles_of(TERN_SHAPE(2, 4), rows), *ids = integers_of(TERN_SHAPE(2), targets);
    tern_tensor *y = NULL, *gradient = NULL;
    const double expected = log(4) / 2, two = 2;
    test_ok(tern_cross_entropy(x, ids, &y));
    check_values(y, &expected, 1e-16, "cross_entropy");
    test_ok(tern_cross_entropy_backward(doubles_of(TERN_SHAPE(), &two), x, ids, &gradient));
    check_values(gradient, (const double[]){0.25, 0.25, 0.25, -0.75, 0, 0, 0, 0}, 0, "backward");
    test_ok(tern_cross_entropy_backward_into(doubles_of(TERN_SHAPE(), &two), x, ids, x));
    check_same_bits(x, gradient, "in place");
    test_ok(tern_cross_entropy_into(gradient, ids, y));
    tern_tensor *none = NULL, *no_ids = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(0, 4), &none));
    test_ok(tern_tensor_zeros(context, TERN_I32, TERN_SHAPE(0), &no_ids));
    test_ok(tern_cross_entropy(none, no_ids, &y));
    const double nan = NAN;
    check_values(y, &nan, 0, "the mean of nothing");
}

static size_t make_all(uint8_t *results) {
    size_t bytes = 0;
    for (int t = 0; t < 2; t++) {
        tern_tensor *x = numbers_of(t == 0 ? TERN_F32 : TERN_F64, TERN_SHAPE(150, 321), 7);
        tern_tensor *ids = ids_of(150, 321, TERN_I32), *y = NULL;
        test_ok(tern_cross_entropy(x, ids, &y));
        bytes += put_result(results + bytes, y);
        test_ok(tern_cross_entropy_backward(y, x, ids, &y));
        bytes += put_result(results + bytes, y);
    }
    return bytes;
}

/* Targets beyond the largest I8. */
static void targets_of_bytes(void **state) {
    (void)state;
    const uint8_t targets[] = {200, 128};
    tern_tensor *logits = normal(TERN_SHAPE(2, 256), 3), *bytes = NULL, *wide = NULL, *got = NULL;
    tern_tensor *expected = NULL;
    test_ok(tern_tensor_from_data(context, TERN_U8, TERN_SHAPE(2), targets, &bytes));
    test_ok(tern_cast(bytes, TERN_I64, &wide));
    test_ok(tern_cross_entropy(logits, bytes, &got));
    test_ok(tern_cross_entropy(logits, wide, &expected));
    check_same_bits(got, expected, "targets of type u8");
}

static void same_bits_everywhere(void **state) {
    (void)state;
    check_everywhere(make_all, 1 << 20);
}

static void refusals(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(2, 4), 8), *y = NULL;
    static const int64_t bad[][2] = {{0, 4}, {-1, 0}, {0, INT64_MAX}};
    for (int i = 0; i < 3; i++) {
        test_status(tern_cross_entropy(x, integers_of(TERN_SHAPE(2), bad[i]), &y), TERN_E_ARGUMENT);
        assert_null(y);
    }
    const int64_t good[] = {0, 3};
    tern_tensor *ids = integers_of(TERN_SHAPE(2), good);
    test_status(tern_cross_entropy(x, x, &y), TERN_E_DTYPE);
    test_status(tern_cross_entropy(ids, ids, &y), TERN_E_DTYPE);
    test_status(tern_cross_entropy(turned(x, 0, 1), ids, &y), TERN_E_SHAPE);
    assert_non_null(strstr(tern_last_error(), "(4, 2)"));
    test_status(tern_cross_entropy_backward(x, x, ids, &y), TERN_E_SHAPE);
    test_status(tern_cross_entropy_backward(ids, x, ids, &y), TERN_E_DTYPE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(literals), TEST(losses), TEST(targets_of_bytes), TEST(same_bits_everywhere),
        TEST(refusals),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
