/* SPDX-License-Identifier: MIT
 * Linear algebra: small cases with known results, what is refused, several users at once. */
#include <math.h>
#include <pthread.h>

#define FIXTURE_THREADS 1
#include "base/library.h"
#include "linalg_fixture.h"
#include "tensor/op_table.h"

/* -- small cases -------------------------------------------------------------------------------*/

#define DOUBLES(...) ((const double[]){__VA_ARGS__})

static tern_tensor *square(tern_dtype dtype, int64_t n, const double *v) {
    return from_doubles(dtype, TERN_SHAPE(n, n), v);
}

static void expect_at(tern_tensor *t, int rank, const double *expected, int64_t count, int line) {
    matrix m = read_as(t, rank);
    assert_int_equal(m.batch * m.rows * m.columns, count);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(m.v[i] - expected[i]) <= 1e-6 || m.v[i] == expected[i]))
            fail_msg("line %d: element %lld is %.9g, expected %.9g", line, (long long)i, m.v[i],
                     expected[i]);
}

#define EXPECT(t, rank, ...)                                                                       \
    expect_at(t, rank, DOUBLES(__VA_ARGS__), (int64_t)(sizeof DOUBLES(__VA_ARGS__) / 8), __LINE__)

static void check_literals(tern_dtype dtype) {
    tern_tensor *x, *y, *z, *u;
    tern_tensor *a = square(dtype, 2, DOUBLES(1, 2, 3, 4));
    test_ok(tern_solve(a, from_doubles(dtype, TERN_SHAPE(2), DOUBLES(5, 11)), &x));
    EXPECT(x, 1, 1, 2);
    assert_int_equal(tern_tensor_dtype(x), dtype);
    test_ok(tern_inv(a, &x));
    EXPECT(x, 2, -2, 1, 1.5, -0.5);
    test_ok(tern_det(a, &x));
    EXPECT(x, 0, -2);
    test_ok(tern_slogdet(a, &x, &y));
    EXPECT(x, 0, -1);
    EXPECT(y, 0, 0.69314718056);
    test_ok(tern_lu(a, &x, &y, &z));
    EXPECT(x, 1, 1, 0);
    EXPECT(y, 2, 1, 0, 1.0 / 3, 1);
    EXPECT(z, 2, 3, 4, 0, 2.0 / 3);
    test_ok(tern_cholesky(square(dtype, 2, DOUBLES(4, 99, 2, 5)), &x));
    EXPECT(x, 2, 2, 0, 1, 2);
    test_ok(tern_eigh(square(dtype, 2, DOUBLES(2, 99, 1, 2)), &x, NULL));
    EXPECT(x, 1, 1, 3);
    test_ok(tern_eig(square(dtype, 2, DOUBLES(0, -2, 2, 0)), &x, &y, &z, &u));
    EXPECT(x, 1, 0, 0);
    EXPECT(y, 1, 2, -2);
    test_ok(tern_matrix_norm(a, TERN_MATRIX_ONE, &x));
    EXPECT(x, 0, 6);
    test_ok(tern_expm(square(dtype, 2, DOUBLES(0, 1, 0, 0)), &x));
    EXPECT(x, 2, 1, 1, 0, 1);
    for (double angle = 0.01; angle < 100; angle *= 2.5) {
        test_ok(tern_expm(square(dtype, 2, DOUBLES(0, -angle, angle, 0)), &x));
        if (dtype == TERN_F64)
            EXPECT(x, 2, cos(angle), -sin(angle), sin(angle), cos(angle));
    }
}

/* Rank 1, from a and b whose leading axes broadcast: least squares has the shortest solution. */
static void check_deficient(tern_dtype dtype) {
    tern_tensor *x, *rest, *rank, *s;
    tern_tensor *a = square(dtype, 2, DOUBLES(1, 1, 1, 1));
    tern_tensor *b = from_doubles(dtype, TERN_SHAPE(2, 2, 1), DOUBLES(2, 2, 1, 3));
    test_ok(tern_lstsq(a, b, -1, &x, &rest, &rank, &s));
    EXPECT(x, 2, 1, 1, 1, 1);
    EXPECT(rest, 1, 0, 2);
    EXPECT(rank, 0, 1, 1);
    EXPECT(s, 1, 2, 0, 2, 0);
    test_ok(tern_lstsq(a, from_doubles(dtype, TERN_SHAPE(2), DOUBLES(1, 3)), -1, &x, &rest, NULL,
                       NULL));
    EXPECT(x, 1, 1, 1);
    EXPECT(rest, 0, 2);
    test_ok(tern_pinv(a, -1, &x));
    EXPECT(x, 2, 0.25, 0.25, 0.25, 0.25);
    test_ok(tern_matrix_rank(a, -1, &x));
    EXPECT(x, 0, 1);
    test_ok(tern_det(a, &x));
    EXPECT(x, 0, 0);
    test_ok(tern_slogdet(a, &x, &rest));
    EXPECT(x, 0, 0);
    EXPECT(rest, 0, -INFINITY);
    test_ok(tern_cond(square(dtype, 2, DOUBLES(3, 0, 0, 0)), &x));
    EXPECT(x, 0, INFINITY);
    test_ok(tern_solve(square(dtype, 2, DOUBLES(2, 0, 0, 4)), b, &x));
    EXPECT(x, 2, 1, 0.5, 0.5, 0.75);
}

/* a (2, 1, 1, 1) and b (1, 3, 1, 1): each axis of one matrix serves all of the other's. */
static void check_broadcast(tern_dtype dtype) {
    tern_tensor *x, *rank;
    tern_tensor *a = from_doubles(dtype, TERN_SHAPE(2, 1, 1, 1), DOUBLES(1, 2));
    tern_tensor *b = from_doubles(dtype, TERN_SHAPE(1, 3, 1, 1), DOUBLES(2, 4, 6));
    tern_op_stats stats;
    tern_stats_reset(context);
    test_ok(tern_solve(a, b, &x));
    tern_stats_op(context, TERN__OP_SOLVE, &stats);
    assert_int_equal(stats.bytes[TERN_CLASS_COPY], tern_tensor_bytes(a) + tern_tensor_bytes(b));
    check_shape(x, TERN_SHAPE(2, 3, 1, 1));
    EXPECT(x, 2, 2, 4, 6, 1, 2, 3);
    test_ok(tern_lstsq(a, b, -1, &x, NULL, &rank, NULL));
    EXPECT(x, 2, 2, 4, 6, 1, 2, 3);
    EXPECT(rank, 0, 1, 1, 1, 1, 1, 1);
}

static void literals(void **state) {
    (void)state;
    need_lapack();
    check_literals(TERN_F32);
    check_literals(TERN_F64);
    check_deficient(TERN_F32);
    check_deficient(TERN_F64);
    check_broadcast(TERN_F32);
    check_broadcast(TERN_F64);
}

/* Determinants beyond the range on the way, and norms whose squares are. */
static void ranges(void **state) {
    (void)state;
    need_lapack();
    tern_tensor *x, *y;
    double large[16] = {0};
    for (int i = 0; i < 4; i++)
        large[5 * i] = i < 2 ? 1e300 : 1e-300;
    test_ok(tern_det(square(TERN_F64, 4, large), &x));
    assert_true(fabs(number(x) - 1) < 1e-12);
    large[0] = large[5] = 1e-300;
    test_ok(tern_det(square(TERN_F64, 4, large), &x));
    assert_true(number(x) == 0);
    test_ok(tern_slogdet(square(TERN_F64, 4, large), &x, &y));
    assert_true(number(x) == 1 && fabs(number(y) + 1200 * log(10)) < 1e-9);
    test_ok(
        tern_matrix_norm(square(TERN_F64, 2, DOUBLES(3e300, 0, 0, 4e300)), TERN_MATRIX_FRO, &x));
    assert_true(fabs(number(x) / 5e300 - 1) < 1e-15);
    test_ok(tern_matrix_norm(square(TERN_F64, 1, DOUBLES(NAN)), TERN_MATRIX_FRO, &x));
    assert_true(isnan(number(x)));
    test_ok(tern_matrix_norm(square(TERN_F64, 2, DOUBLES(1, NAN, 5, 1)), TERN_MATRIX_INF_MIN, &x));
    assert_true(isnan(number(x)));
    test_ok(tern_matrix_norm(square(TERN_F64, 1, DOUBLES(-INFINITY)), TERN_MATRIX_FRO, &x));
    assert_true(isinf(number(x)));
}

static void check_empty_square(tern_dtype dtype) {
    tern_tensor *x, *y, *z, *u, *a = from_doubles(dtype, TERN_SHAPE(0, 0), NULL);
    test_ok(tern_det(a, &x));
    EXPECT(x, 0, 1);
    test_ok(tern_slogdet(a, &x, &y));
    EXPECT(x, 0, 1);
    EXPECT(y, 0, 0);
    test_ok(tern_inv(a, &x));
    check_shape(x, TERN_SHAPE(0, 0));
    test_ok(tern_cholesky(a, &x));
    check_shape(x, TERN_SHAPE(0, 0));
    test_ok(tern_expm(a, &x));
    check_shape(x, TERN_SHAPE(0, 0));
    test_ok(tern_eigh(a, &x, &y));
    check_shape(x, TERN_SHAPE(0));
    test_ok(tern_eig(a, &x, &y, &z, &u));
    check_shape(u, TERN_SHAPE(0, 0));
    test_ok(tern_solve(a, from_doubles(dtype, TERN_SHAPE(0, 3), NULL), &x));
    check_shape(x, TERN_SHAPE(0, 3));
    test_ok(tern_inv(from_doubles(dtype, TERN_SHAPE(0, 3, 3), NULL), &x));
    check_shape(x, TERN_SHAPE(0, 3, 3));
    test_ok(tern_inv(from_doubles(dtype, TERN_SHAPE(INT64_C(1) << 40, 0, 0), NULL), &x));
    check_shape(x, TERN_SHAPE(INT64_C(1) << 40, 0, 0));
    test_ok(tern_solve(square(dtype, 2, DOUBLES(1, 0, 0, 1)),
                       from_doubles(dtype, TERN_SHAPE(2, 0), NULL), &x));
    check_shape(x, TERN_SHAPE(2, 0));
}

static void check_empty_tall(tern_dtype dtype) {
    tern_tensor *x, *y, *z, *u, *a = from_doubles(dtype, TERN_SHAPE(2, 0), NULL), *flat = NULL;
    test_ok(tern_tensor_transpose(a, 0, 1, &flat));
    test_ok(tern_svd(a, true, &x, &y, &z));
    EXPECT(x, 2, 1, 0, 0, 1);
    check_shape(y, TERN_SHAPE(0));
    check_shape(z, TERN_SHAPE(0, 0));
    test_ok(tern_svd(flat, true, &x, &y, &z));
    EXPECT(z, 2, 1, 0, 0, 1);
    test_ok(tern_qr(a, false, &x, &y));
    EXPECT(x, 2, 1, 0, 0, 1);
    check_shape(y, TERN_SHAPE(2, 0));
    test_ok(tern_qr(a, true, &x, &y));
    check_shape(x, TERN_SHAPE(2, 0));
    test_ok(tern_lu(a, &x, &y, &z));
    EXPECT(x, 1, 0, 1);
    check_shape(z, TERN_SHAPE(0, 0));
    test_ok(tern_pinv(a, -1, &x));
    check_shape(x, TERN_SHAPE(0, 2));
    test_ok(tern_matrix_rank(a, -1, &x));
    EXPECT(x, 0, 0);
    test_ok(tern_lstsq(a, from_doubles(dtype, TERN_SHAPE(2), DOUBLES(3, 4)), -1, &x, &y, &z, &u));
    check_shape(x, TERN_SHAPE(0));
    EXPECT(y, 0, 25);
    EXPECT(z, 0, 0);
    test_ok(tern_lstsq(flat, from_doubles(dtype, TERN_SHAPE(0, 1), NULL), -1, &x, &y, &z, &u));
    EXPECT(x, 2, 0, 0);
    test_ok(tern_lstsq(square(dtype, 2, DOUBLES(2, 0, 0, 1)),
                       from_doubles(dtype, TERN_SHAPE(2, 0), NULL), -1, &x, &y, &z, &u));
    check_shape(x, TERN_SHAPE(2, 0));
    EXPECT(z, 0, 2);
    EXPECT(u, 1, 2, 1);
    for (int kind = 0; kind < 8; kind++) {
        bool is_least = kind == TERN_MATRIX_ONE_MIN || kind == TERN_MATRIX_TWO_MIN;
        test_status(tern_matrix_norm(a, (tern_matrix_norm_kind)kind, &x),
                    is_least ? TERN_E_SHAPE : TERN_OK);
        if (!is_least)
            EXPECT(x, 0, 0);
    }
}

static void empty(void **state) {
    (void)state;
    need_lapack();
    check_empty_square(TERN_F32);
    check_empty_square(TERN_F64);
    check_empty_tall(TERN_F32);
    check_empty_tall(TERN_F64);
}

/* -- what is refused ---------------------------------------------------------------------------*/

static char junk_place;
static tern_tensor *const junk = (tern_tensor *)(void *)&junk_place; /* never followed */

#define REFUSED(call, code, text)                                                                  \
    do {                                                                                           \
        y = z = u = x = junk;                                                                      \
        test_status(call, code);                                                                   \
        assert_non_null(strstr(tern_last_error(), text));                                          \
        assert_null(x);                                                                            \
        assert_true((y == NULL || y == junk) && (z == NULL || z == junk));                         \
        assert_true(u == NULL || u == junk);                                                       \
    } while (0)

static void refusals(void **state) {
    (void)state;
    tern_tensor *x, *y, *z, *u, *half = NULL,
                                *row = from_doubles(TERN_F64, TERN_SHAPE(3), DOUBLES(1, 2, 3));
    tern_tensor *wide = from_doubles(TERN_F64, TERN_SHAPE(2, 3), DOUBLES(1, 2, 3, 4, 5, 6));
    tern_tensor *a = square(TERN_F64, 2, DOUBLES(1, 2, 3, 4));
    test_ok(tern_tensor_zeros(context, TERN_F16, TERN_SHAPE(2, 2), &half));
    REFUSED(tern_inv(wide, &x), TERN_E_SHAPE, "inv: (2, 3) is not square");
    REFUSED(tern_det(wide, &x), TERN_E_SHAPE, "(2, 3)");
    REFUSED(tern_slogdet(wide, &x, &y), TERN_E_SHAPE, "(2, 3)");
    REFUSED(tern_cholesky(wide, &x), TERN_E_SHAPE, "(2, 3)");
    REFUSED(tern_eigh(wide, &x, &y), TERN_E_SHAPE, "(2, 3)");
    REFUSED(tern_eig(wide, &x, &y, &z, &u), TERN_E_SHAPE, "(2, 3)");
    REFUSED(tern_expm(wide, &x), TERN_E_SHAPE, "(2, 3)");
    REFUSED(tern_solve(wide, a, &x), TERN_E_SHAPE, "(2, 3)");
    REFUSED(tern_solve(a, row, &x), TERN_E_SHAPE, "shapes (2, 2) and (3,)");
    REFUSED(tern_lstsq(wide, row, -1, &x, NULL, NULL, NULL), TERN_E_SHAPE, "(2, 3) and (3,)");
    REFUSED(tern_svd(row, true, &x, &y, &z), TERN_E_SHAPE, "(3,)");
    REFUSED(tern_lu(half, &x, &y, &z), TERN_E_DTYPE, "lu: f16");
    REFUSED(tern_qr(half, true, &x, &y), TERN_E_DTYPE, "qr: f16");
    REFUSED(tern_pinv(half, -1, &x), TERN_E_DTYPE, "f16");
    REFUSED(tern_solve(a, square(TERN_F32, 2, DOUBLES(1, 0, 0, 1)), &x), TERN_E_DTYPE, "f32");
    REFUSED(tern_svd(a, true, &x, &y, NULL), TERN_E_ARGUMENT, "vt");
    REFUSED(tern_eig(a, &x, &y, NULL, &z), TERN_E_ARGUMENT, "v is NULL");
    REFUSED(tern_matrix_norm(a, (tern_matrix_norm_kind)8, &x), TERN_E_ARGUMENT, "norm 8");
    REFUSED(tern_pinv(a, NAN, &x), TERN_E_ARGUMENT, "rcond");
    REFUSED(tern_matrix_rank(a, NAN, &x), TERN_E_ARGUMENT, "tol");
    REFUSED(tern_lstsq(a, a, NAN, &x, &y, &z, &u), TERN_E_ARGUMENT, "rcond");
    REFUSED(tern_cond(from_doubles(TERN_F32, TERN_SHAPE(3, 0), NULL), &x), TERN_E_SHAPE, "(3, 0)");
    tern_tensor *huge = NULL, *one = square(TERN_F64, 1, DOUBLES(1));
    test_ok(tern_tensor_broadcast(one, TERN_SHAPE(1, INT64_C(1) << 31), &huge));
    REFUSED(tern_svd(huge, false, &x, &y, &z), TERN_E_LIMIT, "2147483648");
}

/* The second matrix of a batch of good ones. */
static void bad_matrices(void **state) {
    (void)state;
    need_lapack();
    tern_tensor *x, *y, *z, *u;
    tern_tensor *singular =
        from_doubles(TERN_F64, TERN_SHAPE(2, 2, 2), DOUBLES(1, 0, 0, 1, 1, 2, 2, 4));
    REFUSED(tern_inv(singular, &x), TERN_E_ARGUMENT, "inv: matrix 1 is singular: pivot 1 is 0");
    REFUSED(tern_solve(singular, singular, &x), TERN_E_ARGUMENT, "matrix 1 is singular: pivot 1");
    REFUSED(tern_cholesky(singular, &x), TERN_E_ARGUMENT, "matrix 1 is not positive definite");
    for (int i = 0; i < 2; i++) {
        double bad = i == 0 ? NAN : INFINITY;
        tern_tensor *a = square(TERN_F32, 2, DOUBLES(1, 2, bad, 4));
        REFUSED(tern_svd(a, true, &x, &y, &z), TERN_E_ARGUMENT, "element (1, 0) of matrix 0");
        REFUSED(tern_svd(a, true, NULL, &x, NULL), TERN_E_ARGUMENT, "not finite");
        REFUSED(tern_eig(a, &x, &y, &z, &u), TERN_E_ARGUMENT, "not finite");
        REFUSED(tern_eigh(a, &x, &y), TERN_E_ARGUMENT, "not finite");
        REFUSED(tern_pinv(a, -1, &x), TERN_E_ARGUMENT, "not finite");
        REFUSED(tern_cond(a, &x), TERN_E_ARGUMENT, "not finite");
        REFUSED(tern_matrix_rank(a, -1, &x), TERN_E_ARGUMENT, "not finite");
        REFUSED(tern_matrix_norm(a, TERN_MATRIX_TWO, &x), TERN_E_ARGUMENT, "not finite");
        REFUSED(tern_expm(a, &x), TERN_E_ARGUMENT, "not finite");
        REFUSED(tern_lstsq(a, a, -1, &x, &y, &z, &u), TERN_E_ARGUMENT, "not finite");
        test_ok(tern_det(a, &x));
        assert_false(isfinite(number(x)));
    }
}

static void no_library(void **state) {
    (void)state;
    tern_tensor *x, *y, *z, *u, *a = square(TERN_F64, 2, DOUBLES(3, 0, 0, 4));
    char *given = getenv("TERN_LAPACK"), *before = given != NULL ? strdup(given) : NULL;
    tern__lapack_forget();
    setenv("TERN_LAPACK", "/nonexistent/liblapack.so", 1);
    REFUSED(tern_svd(a, true, &x, &y, &z), TERN_E_UNSUPPORTED, "/nonexistent/liblapack.so");
    REFUSED(tern_eig(a, &x, &y, &z, &u), TERN_E_UNSUPPORTED, "TERN_LAPACK");
    test_ok(tern_matrix_norm(a, TERN_MATRIX_FRO, &x));
    EXPECT(x, 0, 5);
    setenv("TERN_LAPACK", "libc.so.6", 1); /* a library that is none of LAPACK */
    REFUSED(tern_inv(a, &x), TERN_E_UNSUPPORTED, "TERN_LAPACK");
    if (before != NULL)
        setenv("TERN_LAPACK", before, 1);
    else
        unsetenv("TERN_LAPACK");
    free(before);
}

/* OpenBLAS has its number of threads back afterwards, also after a failure. */
static void threads_come_back(void **state) {
    (void)state;
    need_lapack();
    char why[256];
    tern__library *library = tern__library_open("libopenblas.so.0", why, sizeof why);
    if (library == NULL)
        test_skip("there is no OpenBLAS: %s", why);
    int (*threads)(void);
    void (*set_threads)(int);
    void *address = tern__library_symbol(library, "openblas_get_num_threads");
    void *set_address = tern__library_symbol(library, "openblas_set_num_threads");
    memcpy(&threads, &address, sizeof threads);
    memcpy(&set_threads, &set_address, sizeof set_threads);
    assert_true(address != NULL && set_address != NULL);
    int before = threads();
    set_threads(2);
    int wanted = threads(); /* 1 where it was built without threads */
    tern_tensor *x;
    test_ok(tern_inv(square(TERN_F32, 1, DOUBLES(2)), &x));
    assert_int_equal(threads(), wanted);
    test_status(tern_inv(square(TERN_F32, 1, DOUBLES(0)), &x), TERN_E_ARGUMENT);
    assert_int_equal(threads(), wanted);
    set_threads(before);
    tern__library_close(library);
}

/* -- side by side -------------------------------------------------------------------------------*/

/* One user of the library: a context of its own, the same work again and again. */
typedef struct neighbour {
    pthread_t thread;
    tern_status status;
    double results[30];
} neighbour;

static tern_status work_once(tern_context *own, double *result) {
    tern_tensor *a = NULL, *s = NULL, *x = NULL;
    tern_scope_begin(own);
    tern_status status = tern_tensor_randn(own, TERN_F32, TERN_SHAPE(40, 40), 5, &a);
    if (status == TERN_OK)
        status = tern_svd(a, false, NULL, &s, NULL);
    if (status == TERN_OK)
        status = tern_inv(a, &x);
    if (status == TERN_OK)
        *result = element(s, 39) + element(x, 1599);
    tern_scope_end(own);
    return status;
}

static void *work_alone(void *argument) {
    neighbour *n = argument;
    tern_context *own = NULL;
    n->status = tern_context_create(&(tern_options){.threads = 1}, &own);
    for (int i = 0; i < 30 && n->status == TERN_OK; i++)
        n->status = work_once(own, &n->results[i]);
    tern_context_destroy(own);
    return NULL;
}

static void side_by_side(void **state) {
    (void)state;
    need_lapack();
    neighbour all[4] = {0};
    double expected;
    test_ok(work_once(context, &expected));
    tern__lapack_forget(); /* all of them want to open it */
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&all[i].thread, NULL, work_alone, &all[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(all[i].thread, NULL);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(all[i].status, TERN_OK);
        for (int k = 0; k < 30; k++)
            assert_true(all[i].results[k] == expected);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_test)
    const struct CMUnitTest tests[] = {
        TEST(literals),          TEST(ranges),       TEST(empty),
        TEST(refusals),          TEST(bad_matrices), TEST(no_library),
        TEST(threads_come_back), TEST(side_by_side),
    };
    return cmocka_run_group_tests(tests, open_guarded, close_context);
}
