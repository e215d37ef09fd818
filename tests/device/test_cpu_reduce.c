/* SPDX-License-Identifier: MIT
 * What the CPU's reductions may not change: the order of elements that numbers.md promises,
 * whatever their strides, and results of rows of many blocks wherever they go. */
#define FIXTURE_THREADS 3
#include "context_fixture.h"

#include "ops/op_values.h"

typedef tern_status (*reduce_fn)(tern_tensor *x, tern_axes axes, tern_tensor **out);

static tern_status sum(tern_tensor *x, tern_axes axes, tern_tensor **out) {
    return tern_sum(x, axes, false, out);
}

static tern_status prod(tern_tensor *x, tern_axes axes, tern_tensor **out) {
    return tern_prod(x, axes, false, out);
}

static tern_status std_of(tern_tensor *x, tern_axes axes, tern_tensor **out) {
    return tern_std(x, axes, 1, false, out);
}

static tern_status cubic_norm(tern_tensor *x, tern_axes axes, tern_tensor **out) {
    return tern_norm(x, 3, axes, false, out);
}

static tern_status logsumexp(tern_tensor *x, tern_axes axes, tern_tensor **out) {
    return tern_logsumexp(x, axes, false, out);
}

static const reduce_fn reductions[] = {sum, prod, std_of, cubic_norm, logsumexp};
enum { REDUCTIONS = sizeof reductions / sizeof reductions[0] };

/* A view gives the bits of its copy: the order is that of its own axes. */
static void check_view(tern_tensor *view, tern_axes axes, const char *what) {
    tern_tensor *copy = NULL, *got = NULL, *expected = NULL;
    test_ok(tern_clone(view, &copy));
    for (int i = 0; i < REDUCTIONS; i++) {
        test_ok(reductions[i](view, axes, &got));
        test_ok(reductions[i](copy, axes, &expected));
        check_same_bits(got, expected, what);
    }
}

static void order_of_elements(void **state) {
    (void)state;
    static const int orders[][3] = {{2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}};
    for (int t = 0; t < 2; t++)
        for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
            tern_tensor *view = NULL;
            test_ok(tern_tensor_permute(
                numbers_of(t == 0 ? TERN_F32 : TERN_F64, TERN_SHAPE(7, 12, 5), 1), orders[i],
                &view));
            check_view(view, TERN_ALL_AXES, "all axes");
            check_view(view, TERN_AXES(0, 1), "the first two");
            check_view(view, TERN_AXES(0, 2), "the outer two");
            test_ok(tern_tensor_flip(view, TERN_AXES(0, 2), &view));
            check_view(view, TERN_ALL_AXES, "backwards");
        }
}

/* -- rows of many blocks -----------------------------------------------------------------------*/

enum { ROWS = 65600 };

/* Results (A, B) of a tensor (ROWS, A, B), each as of its own row. */
static void check_rows(tern_tensor *x, reduce_fn reduce, tern_tensor *got) {
    tern_shape shape = tern_tensor_shape(got);
    for (int64_t a = 0; a < shape.dims[0]; a += 7)
        for (int64_t b = 0; b < shape.dims[1]; b++) {
            tern_tensor *row = NULL, *one = NULL, *expected = NULL;
            test_ok(tern_tensor_select(x, 1, a, &row));
            test_ok(tern_tensor_select(row, 1, b, &row));
            test_ok(tern_clone(row, &row));
            test_ok(reduce(row, TERN_ALL_AXES, &expected));
            test_ok(tern_tensor_select(got, 0, a, &one));
            test_ok(tern_tensor_select(one, 0, b, &one));
            check_same_bits(one, expected, "a row of many blocks");
        }
}

/* More columns than a piece of work takes: 300, each one element behind the one before. */
static void many_columns(void **state) {
    (void)state;
    tern_tensor *x = NULL, *y = NULL;
    test_ok(tern_tensor_unfold(normal(TERN_SHAPE(ROWS + 299), 2), 0, 300, 1, &x));
    test_ok(tern_tensor_unsqueeze(x, 2, &x));
    test_ok(tern_std(x, TERN_AXES(0), 1, false, &y));
    check_rows(x, std_of, y);
    test_ok(tern_logsumexp(x, TERN_AXES(0), false, &y));
    check_rows(x, logsumexp, y);
}

/* The kept axes lie in another order in memory than in the result, and the result has strides. */
static void turned_results(void **state) {
    (void)state;
    tern_tensor *x = turned(normal(TERN_SHAPE(ROWS, 2, 9), 3), 1, 2), *y = NULL;
    tern_tensor *strided = stepped(TERN_F32, TERN_SHAPE(9, 2), 4);
    for (int i = 0; i < REDUCTIONS; i++) {
        test_ok(reductions[i](x, TERN_AXES(0), &y));
        check_rows(x, reductions[i], y);
    }
    test_ok(tern_std_into(x, TERN_AXES(0), 1, false, strided));
    check_rows(x, std_of, strided);
    test_ok(tern_logsumexp_into(x, TERN_AXES(0), false, strided));
    check_rows(x, logsumexp, strided);
}

/* -- signs and infinities ----------------------------------------------------------------------*/

/* A running sum begins with its first element: -0 stays -0, along rows and across them. */
static void scans_keep_zeros(void **state) {
    (void)state;
    for (int t = 0; t < 2; t++)
        for (int axis = 0; axis < 2; axis++) {
            tern_tensor *x = NULL, *y = NULL;
            test_ok(tern_tensor_full(context, t == 0 ? TERN_F32 : TERN_F64, TERN_SHAPE(40, 40),
                                     -0.0, &x));
            test_ok(tern_cumsum(x, axis, &y));
            check_same_bits(y, x, "cumsum");
            test_ok(tern_cumsum(x, TERN_FLAT, &y));
            test_ok(tern_tensor_reshape(x, TERN_SHAPE(1600), &x));
            check_same_bits(y, x, "cumsum of all");
        }
}

/* Between two equal infinities lies no NaN. */
static void quantiles_of_infinities(void **state) {
    (void)state;
    const double rows[2][3] = {{INFINITY, INFINITY, INFINITY}, {-INFINITY, -INFINITY, -INFINITY}};
    tern_tensor *y = NULL;
    for (int i = 0; i < 2; i++) {
        test_ok(tern_quantile(doubles_of(TERN_SHAPE(3), rows[i]), 0.3, TERN_ALL_AXES, false, &y));
        check_values(y, rows[i], 0, "quantile of infinities");
        test_ok(tern_median(doubles_of(TERN_SHAPE(2), rows[i]), TERN_ALL_AXES, false, &y));
        check_values(y, rows[i], 0, "median of infinities");
    }
}

/* -- counting ----------------------------------------------------------------------------------*/

/* Counters are narrow inside: as many elements as overflow one, and twice that. */
static void counters(void **state) {
    (void)state;
    static const tern_dtype types[] = {TERN_U8, TERN_BOOL, TERN_F16, TERN_F32, TERN_I64};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int value = 0; value < 2; value++)
            for (int64_t rows = 250; rows <= 520; rows += 5) {
                tern_tensor *x = NULL, *y = NULL;
                double expected[40], whole = value ? (double)(64 * rows) : 0;
                for (int i = 0; i < 40; i++)
                    expected[i] = value ? (double)rows : 0;
                test_ok(tern_tensor_full(context, types[t], TERN_SHAPE(rows, 40), value, &x));
                test_ok(tern_count_nonzero(x, TERN_AXES(0), false, &y));
                check_values(y, expected, 0, "columns");
                test_ok(tern_tensor_full(context, types[t], TERN_SHAPE(64 * rows), value, &x));
                test_ok(tern_count_nonzero(x, TERN_ALL_AXES, false, &y));
                check_values(y, &whole, 0, "a row");
            }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(order_of_elements),       TEST(many_columns),
        TEST(turned_results),          TEST(scans_keep_zeros),
        TEST(quantiles_of_infinities), TEST(counters),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
