/* SPDX-License-Identifier: MIT
 * Linear algebra of random matrices: what comes out is put together again and compared with what
 * went in, in double. */
#include <float.h>
#include <math.h>

#define FIXTURE_THREADS 1
#include "linalg_fixture.h"

/* -- algebra in double --------------------------------------------------------------------------*/

/* a b, of equal batches. */
static matrix times(matrix a, matrix b) {
    matrix c = make(a.batch, a.rows, b.columns);
    assert_true(a.columns == b.rows && a.batch == b.batch);
    for (int64_t n = 0; n < a.batch; n++)
        for (int64_t i = 0; i < a.rows; i++)
            for (int64_t k = 0; k < a.columns; k++)
                for (int64_t j = 0; j < b.columns; j++)
                    c.v[(n * c.rows + i) * c.columns + j] += a.v[(n * a.rows + i) * a.columns + k] *
                                                             b.v[(n * b.rows + k) * b.columns + j];
    return c;
}

static matrix turned(matrix a) {
    matrix t = make(a.batch, a.columns, a.rows);
    for (int64_t n = 0; n < a.batch; n++)
        for (int64_t i = 0; i < a.rows; i++)
            for (int64_t j = 0; j < a.columns; j++)
                t.v[(n * a.columns + j) * a.rows + i] = a.v[(n * a.rows + i) * a.columns + j];
    return t;
}

static matrix identity(int64_t batch, int64_t n) {
    matrix m = make(batch, n, n);
    for (int64_t i = 0; i < batch * n; i++)
        m.v[i / n * n * n + i % n * (n + 1)] = 1;
    return m;
}

/* a with column j times s[j]; s (batch, columns, 1). */
static matrix scaled(matrix a, matrix s) {
    matrix m = make(a.batch, a.rows, a.columns);
    for (int64_t i = 0; i < a.batch * a.rows * a.columns; i++)
        m.v[i] = a.v[i] * s.v[i / (a.rows * a.columns) * a.columns + i % a.columns];
    return m;
}

/* a + factor b. */
static matrix plus(matrix a, double factor, matrix b) {
    matrix m = make(a.batch, a.rows, a.columns);
    assert_true(a.batch == b.batch && a.rows == b.rows && a.columns == b.columns);
    for (int64_t i = 0; i < a.batch * a.rows * a.columns; i++)
        m.v[i] = a.v[i] + factor * b.v[i];
    return m;
}

static double length(matrix a) {
    double sum = 0;
    for (int64_t i = 0; i < a.batch * a.rows * a.columns; i++)
        sum += a.v[i] * a.v[i];
    return sqrt(sum);
}

/* -- operands ----------------------------------------------------------------------------------*/

/* One random case; `scale` is what rounding of the whole case may be, relative. */
typedef struct trial {
    test_random random;
    tern_dtype dtype;
    int lead; /* leading axes */
    int64_t dims[2];
    int64_t batch, m, n;
    double scale;
} trial;

static void draw(trial *t) {
    t->lead = (int)test_random_range(&t->random, 0, 2);
    t->batch = 1;
    for (int i = 0; i < t->lead; i++)
        t->batch *= t->dims[i] = test_random_range(&t->random, 1, 3);
    t->m = test_random_range(&t->random, 1, 60);
    t->n = test_random_range(&t->random, 1, 60);
    t->scale = 20 * (double)(t->m + t->n) * (t->dtype == TERN_F64 ? DBL_EPSILON : FLT_EPSILON);
}

static tern_shape shape_of(const trial *t, int64_t rows, int64_t columns) {
    tern_shape shape = {t->lead + 2, {0}};
    for (int i = 0; i < t->lead; i++)
        shape.dims[i] = t->dims[i];
    shape.dims[t->lead] = rows;
    shape.dims[t->lead + 1] = columns;
    return shape;
}

static tern_tensor *fresh(trial *t, tern_shape shape) {
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++)
        count *= shape.dims[i];
    float *numbers = malloc((size_t)count * sizeof *numbers + 1);
    matrix wide = make(1, 1, count);
    test_random_normal(&t->random, numbers, count);
    for (int64_t i = 0; i < count; i++)
        wide.v[i] = (double)numbers[i] + (t->dtype == TERN_F64 ? 1e-9 * (double)(i % 7) : 0);
    free(numbers);
    return from_doubles(t->dtype, shape, wide.v);
}

/* Normal numbers in one of four layouts: contiguous, columns first, every second row and column of
 * a larger tensor, or the batch inside. */
static tern_tensor *operand(trial *t, int64_t rows, int64_t columns) {
    tern_tensor *x, *y = NULL, *z = NULL;
    tern_shape shape = shape_of(t, rows, columns);
    int last = shape.rank - 1;
    switch (test_random_range(&t->random, 0, 3)) {
    case 0:
        return fresh(t, shape);
    case 1:
        test_ok(tern_tensor_transpose(fresh(t, shape_of(t, columns, rows)), -1, -2, &y));
        return y;
    case 2:
        x = fresh(t, shape_of(t, 2 * rows, 2 * columns));
        test_ok(tern_tensor_slice(x, last, 1, INT64_MAX, 2, &y));
        test_ok(tern_tensor_slice(y, last - 1, 0, INT64_MAX, 2, &z));
        return z;
    default:
        shape.dims[last] = shape.dims[0];
        shape.dims[0] = columns;
        x = fresh(t, shape);
        test_ok(tern_tensor_transpose(x, 0, last, &y));
        return y;
    }
}

static void check_small(matrix difference, double bound, const trial *t, const char *what) {
    double distance = length(difference);
    if (!(distance <= bound))
        fail_msg("%s: %s, %lld of (%lld, %lld): %g, allowed %g; seed %llu", what,
                 tern_dtype_name(t->dtype), (long long)t->batch, (long long)t->m, (long long)t->n,
                 distance, bound, (unsigned long long)t->random.seed);
}

/* Many cases of either type, each in a scope of its own. */
static void for_trials(void (*fn)(trial *t)) {
    need_lapack();
    for (int i = 0; i < (TEST_IS_SANITIZED ? 20 : 60); i++) {
        trial t = {.random = {.seed = (uint64_t)i + 1}, .dtype = i % 2 ? TERN_F64 : TERN_F32};
        draw(&t);
        tern_scope_begin(context);
        fn(&t);
        tern_scope_end(context);
        while (kept.count > 0)
            free(kept.blocks[--kept.count]);
    }
}

/* -- systems -----------------------------------------------------------------------------------*/

static void try_solve(trial *t) {
    tern_tensor *a = operand(t, t->n, t->n), *b = operand(t, t->n, t->m), *x = NULL, *inverse;
    test_ok(tern_solve(a, b, &x));
    check_shape(x, shape_of(t, t->n, t->m));
    double size = length(values_of(a)) * length(values_of(x));
    check_small(plus(times(values_of(a), values_of(x)), -1, values_of(b)), t->scale * size, t,
                "a x - b");
    test_ok(tern_inv(a, &inverse));
    size = length(values_of(a)) * length(values_of(inverse));
    check_small(plus(times(values_of(a), values_of(inverse)), -1, identity(t->batch, t->n)),
                t->scale * size, t, "a inv(a) - 1");
}

static void solves(void **state) {
    (void)state;
    for_trials(try_solve);
}

/* Gaussian elimination with pivots; the logarithm of the magnitude, and the sign. */
static double eliminate(long double *a, int64_t n, double *sign) {
    double log_abs = 0;
    *sign = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        for (int64_t i = k; i < n; i++)
            pivot = fabsl(a[i * n + k]) > fabsl(a[pivot * n + k]) ? i : pivot;
        for (int64_t j = 0; j < n; j++) {
            long double x = a[k * n + j];
            a[k * n + j] = a[pivot * n + j];
            a[pivot * n + j] = x;
        }
        *sign *= (pivot != k ? -1 : 1) * (a[k * n + k] < 0 ? -1 : 1);
        log_abs += (double)logl(fabsl(a[k * n + k]));
        for (int64_t i = k + 1; i < n; i++) {
            long double factor = a[i * n + k] / a[k * n + k];
            for (int64_t j = k; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return log_abs;
}

static void try_determinants(trial *t) {
    tern_tensor *a = operand(t, t->n, t->n), *det, *sign, *log_abs, *condition;
    test_ok(tern_det(a, &det));
    test_ok(tern_slogdet(a, &sign, &log_abs));
    test_ok(tern_cond(a, &condition));
    assert_int_equal(tern_tensor_rank(det), t->lead);
    matrix m = values_of(a), d = read_as(det, 0), s = read_as(sign, 0), logs = read_as(log_abs, 0);
    long double *copy = malloc((size_t)(t->n * t->n) * sizeof *copy);
    for (int64_t i = 0; i < t->batch; i++) {
        double expected_sign, slack = t->scale * read_as(condition, 0).v[i];
        for (int64_t k = 0; k < t->n * t->n; k++)
            copy[k] = (long double)m.v[i * t->n * t->n + k];
        double expected = eliminate(copy, t->n, &expected_sign);
        if (slack > 0.1)
            continue;
        assert_true(s.v[i] == expected_sign);
        assert_true(fabs(logs.v[i] - expected) <= slack + t->scale * fabs(expected));
        bool is_small = expected < (t->dtype == TERN_F32 ? 80 : 700);
        if (is_small && fabs(d.v[i] / exp(expected) - expected_sign) > slack * (1 + fabs(expected)))
            fail_msg("determinant %g, expected %g", d.v[i], expected_sign * exp(expected));
    }
    free(copy);
}

static void determinants(void **state) {
    (void)state;
    for_trials(try_determinants);
}

static void try_least_squares(trial *t) {
    tern_tensor *a = operand(t, t->m, t->n), *b = operand(t, t->m, 3), *x, *rest, *rank, *s, *p;
    test_ok(tern_lstsq(a, b, -1, &x, &rest, &rank, &s));
    check_shape(x, shape_of(t, t->n, 3));
    matrix difference = plus(times(values_of(a), values_of(x)), -1, values_of(b));
    double size =
        length(values_of(a)) * (length(values_of(a)) * length(values_of(x)) + length(values_of(b)));
    if (t->m >= t->n)
        check_small(times(turned(values_of(a)), difference), t->scale * size, t, "a^T (a x - b)");
    else
        check_small(difference, t->scale * length(values_of(a)) * length(values_of(x)), t,
                    "a x - b");
    matrix squares = read_as(rest, 1), values = read_as(s, 1);
    double sum = 0;
    for (int64_t i = 0; i < 3 * t->batch; i++)
        sum += squares.v[i];
    assert_true(fabs(sqrt(sum) - length(difference)) <= t->scale * (length(values_of(b)) + size));
    matrix ranks = read_as(rank, 0);
    for (int64_t i = 0; i < t->batch; i++)
        assert_int_equal((int)ranks.v[i], values.rows);
    test_ok(tern_pinv(a, -1, &p));
    check_shape(p, shape_of(t, t->n, t->m));
    double least = values.v[0];
    for (int64_t i = 0; i < values.batch * values.rows; i++)
        least = values.v[i] < least ? values.v[i] : least;
    double condition = length(values_of(a)) / least;
    check_small(plus(times(values_of(p), values_of(b)), -1, values_of(x)),
                t->scale * condition * condition * length(values_of(p)) * length(values_of(b)), t,
                "pinv(a) b - x");
    matrix projection = times(values_of(p), values_of(a));
    check_small(plus(projection, -1, turned(projection)), t->scale * condition, t, "pinv(a) a");
    check_small(plus(times(values_of(a), projection), -1, values_of(a)),
                t->scale * condition * length(values_of(a)), t, "a pinv(a) a - a");
}

static void least_squares(void **state) {
    (void)state;
    for_trials(try_least_squares);
}

/* -- factorisations ----------------------------------------------------------------------------*/

static void try_lu(trial *t) {
    tern_tensor *a = operand(t, t->m, t->n), *p, *l, *u;
    test_ok(tern_lu(a, &p, &l, &u));
    int64_t k = t->m < t->n ? t->m : t->n;
    check_shape(l, shape_of(t, t->m, k));
    check_shape(u, shape_of(t, k, t->n));
    assert_int_equal(tern_tensor_dtype(p), TERN_I64);
    matrix order = read_as(p, 1), from = values_of(a), sorted = make(t->batch, t->m, t->n);
    for (int64_t i = 0; i < t->batch * t->m; i++)
        for (int64_t j = 0; j < t->n; j++)
            sorted.v[i * t->n + j] = from.v[(i / t->m * t->m + (int64_t)order.v[i]) * t->n + j];
    matrix lower = values_of(l), upper = values_of(u);
    check_small(plus(times(lower, upper), -1, sorted), t->scale * length(lower) * length(upper), t,
                "l u - p a");
    for (int64_t i = 0; i < t->batch * t->m * k; i++) {
        int64_t row = i / k % t->m, column = i % k;
        assert_true(row > column || lower.v[i] == (row == column ? 1 : 0));
        assert_true(fabs(lower.v[i]) <= 1);
    }
    for (int64_t i = 0; i < t->batch * k * t->n; i++)
        assert_true(i / t->n % k <= i % t->n || upper.v[i] == 0);
}

static void lu(void **state) {
    (void)state;
    for_trials(try_lu);
}

static void check_orthogonal(matrix q, const trial *t, const char *what) {
    check_small(plus(times(turned(q), q), -1, identity(q.batch, q.columns)),
                t->scale * sqrt((double)q.batch), t, what);
}

static void try_qr(trial *t) {
    tern_tensor *a = operand(t, t->m, t->n), *q, *r;
    for (int reduced = 0; reduced < 2; reduced++) {
        test_ok(tern_qr(a, reduced, &q, &r));
        int64_t width = reduced && t->n < t->m ? t->n : t->m;
        check_shape(q, shape_of(t, t->m, width));
        check_shape(r, shape_of(t, width, t->n));
        check_small(plus(times(values_of(q), values_of(r)), -1, values_of(a)),
                    t->scale * length(values_of(a)), t, "q r - a");
        check_orthogonal(values_of(q), t, "q^T q - 1");
        matrix upper = values_of(r);
        for (int64_t i = 0; i < t->batch * width * t->n; i++)
            assert_true(i / t->n % width <= i % t->n || upper.v[i] == 0);
    }
}

static void qr(void **state) {
    (void)state;
    for_trials(try_qr);
}

/* b b^T + 1 of a random b, in a layout of its own. */
static tern_tensor *definite(trial *t) {
    matrix b = values_of(operand(t, t->n, t->n));
    matrix c = plus(times(b, turned(b)), 1, identity(t->batch, t->n));
    return from_doubles(t->dtype, shape_of(t, t->n, t->n), c.v);
}

static void try_cholesky(trial *t) {
    tern_tensor *a = definite(t), *l;
    test_ok(tern_cholesky(a, &l));
    matrix lower = values_of(l);
    check_small(plus(times(lower, turned(lower)), -1, values_of(a)),
                t->scale * length(values_of(a)), t, "l l^T - a");
    for (int64_t i = 0; i < t->batch * t->n * t->n; i++)
        assert_true(i / t->n % t->n >= i % t->n || lower.v[i] == 0);
}

static void cholesky(void **state) {
    (void)state;
    for_trials(try_cholesky);
}

static void try_svd(trial *t) {
    tern_tensor *a = operand(t, t->m, t->n), *u, *s, *vt, *alone;
    int64_t k = t->m < t->n ? t->m : t->n;
    for (int full = 0; full < 2; full++) {
        test_ok(tern_svd(a, full, &u, &s, &vt));
        check_shape(u, shape_of(t, t->m, full ? t->m : k));
        check_shape(vt, shape_of(t, full ? t->n : k, t->n));
        check_orthogonal(values_of(u), t, "u^T u - 1");
        check_orthogonal(turned(values_of(vt)), t, "v^T v - 1");
        tern_tensor *left, *right;
        test_ok(tern_tensor_slice(u, t->lead + 1, 0, k, 1, &left));
        test_ok(tern_tensor_slice(vt, t->lead, 0, k, 1, &right));
        check_small(
            plus(times(scaled(values_of(left), read_as(s, 1)), values_of(right)), -1, values_of(a)),
            t->scale * length(values_of(a)), t, "u s vt - a");
    }
    test_ok(tern_svd(a, false, NULL, &alone, NULL));
    matrix values = read_as(alone, 1);
    check_small(plus(values, -1, read_as(s, 1)), t->scale * length(values), t, "s - s");
    for (int64_t i = 0; i < t->batch * k; i++)
        assert_true(values.v[i] >= 0 && (i % k == 0 || values.v[i] <= values.v[i - 1]));
}

static void svd(void **state) {
    (void)state;
    for_trials(try_svd);
}

static void try_eigh(trial *t) {
    tern_tensor *a = definite(t), *w, *v, *alone;
    test_ok(tern_eigh(a, &w, &v));
    matrix values = read_as(w, 1);
    check_small(plus(times(values_of(a), values_of(v)), -1, scaled(values_of(v), values)),
                t->scale * length(values_of(a)), t, "a v - v w");
    check_orthogonal(values_of(v), t, "v^T v - 1");
    test_ok(tern_eigh(a, &alone, NULL));
    check_small(plus(values, -1, read_as(alone, 1)), t->scale * length(values), t, "w - w");
    for (int64_t i = 0; i < t->batch * t->n; i++)
        assert_true(i % t->n == 0 || values.v[i] >= values.v[i - 1]);
}

static void eigh(void **state) {
    (void)state;
    for_trials(try_eigh);
}

static void try_eig(trial *t) {
    tern_tensor *a = operand(t, t->n, t->n), *w, *wi, *v, *vi, *w_alone, *wi_alone;
    test_ok(tern_eig(a, &w, &wi, &v, &vi));
    matrix values = read_as(w, 1), others = read_as(wi, 1), real = values_of(v),
           imag = values_of(vi);
    double bound = t->scale * length(values_of(a)) * sqrt((double)t->n);
    check_small(
        plus(times(values_of(a), real), -1, plus(scaled(real, values), -1, scaled(imag, others))),
        bound, t, "real part of a v - v w");
    check_small(
        plus(times(values_of(a), imag), -1, plus(scaled(real, others), 1, scaled(imag, values))),
        bound, t, "imaginary part of a v - v w");
    double size = length(real), other = length(imag);
    assert_true(fabs(size * size + other * other - (double)(t->batch * t->n)) <
                t->scale * (double)(t->batch * t->n));
    test_ok(tern_eig(a, &w_alone, &wi_alone, NULL, NULL));
    double sum = 0;
    matrix alone = read_as(w_alone, 1);
    for (int64_t i = 0; i < t->batch * t->n; i++)
        sum += alone.v[i] - values.v[i];
    assert_true(fabs(sum) <= bound);
}

static void eig(void **state) {
    (void)state;
    for_trials(try_eig);
}

/* -- numbers and functions of matrices ----------------------------------------------------------*/

static void check_close(double got, double expected, const trial *t, const char *what) {
    if (!(fabs(got - expected) <= t->scale * fabs(expected)))
        fail_msg("%s: %.17g, expected %.17g", what, got, expected);
}

static void try_norms(trial *t) {
    t->lead = 0;
    t->batch = 1;
    tern_tensor *a = operand(t, t->m, t->n), *s, *norm[8], *rank, *condition;
    for (int kind = 0; kind < 8; kind++)
        test_ok(tern_matrix_norm(a, (tern_matrix_norm_kind)kind, &norm[kind]));
    test_ok(tern_svd(a, false, NULL, &s, NULL));
    matrix m = values_of(a), values = read_as(s, 1);
    double sums[2][2] = {{0, INFINITY}, {0, INFINITY}}, total = 0;
    for (int by_rows = 0; by_rows < 2; by_rows++) {
        matrix lines = by_rows ? m : turned(m);
        for (int64_t i = 0; i < lines.rows; i++) {
            double sum = 0;
            for (int64_t j = 0; j < lines.columns; j++)
                sum += fabs(lines.v[i * lines.columns + j]);
            sums[by_rows][0] = fmax(sums[by_rows][0], sum);
            sums[by_rows][1] = fmin(sums[by_rows][1], sum);
        }
    }
    for (int64_t i = 0; i < values.rows; i++)
        total += values.v[i];
    double largest = values.v[0], least = values.v[values.rows - 1];
    check_close(number(norm[TERN_MATRIX_FRO]), length(m), t, "fro");
    check_close(number(norm[TERN_MATRIX_NUC]), total, t, "nuc");
    check_close(number(norm[TERN_MATRIX_ONE]), sums[0][0], t, "1");
    check_close(number(norm[TERN_MATRIX_ONE_MIN]), sums[0][1], t, "-1");
    check_close(number(norm[TERN_MATRIX_TWO]), largest, t, "2");
    check_close(number(norm[TERN_MATRIX_TWO_MIN]), least, t, "-2");
    check_close(number(norm[TERN_MATRIX_INF]), sums[1][0], t, "inf");
    check_close(number(norm[TERN_MATRIX_INF_MIN]), sums[1][1], t, "-inf");
    test_ok(tern_cond(a, &condition));
    check_close(number(condition), largest / least, t, "cond");
    test_ok(tern_matrix_rank(a, -1, &rank));
    assert_true(number(rank) == (double)values.rows);
    test_ok(tern_matrix_rank(a, (largest + least) / 2, &rank));
    assert_true(number(rank) < (double)values.rows || values.rows == 1);
}

static void norms(void **state) {
    (void)state;
    for_trials(try_norms);
}

/* Of symmetric matrices through their eigenvalues: norms below and above every bound of a degree.
 */
static void try_expm(trial *t) {
    static const double sizes[] = {1e-8, 0.01, 0.1, 0.6, 1.5, 4, 9, 30};
    matrix b = values_of(operand(t, t->n, t->n));
    matrix c = plus(b, 1, turned(b));
    double wanted = sizes[test_random_range(&t->random, 0, 7)] / length(c);
    for (int64_t i = 0; i < t->batch * t->n * t->n; i++)
        c.v[i] *= wanted;
    tern_tensor *a = from_doubles(t->dtype, shape_of(t, t->n, t->n), c.v), *got, *w, *v;
    tern_tensor *wide = from_doubles(TERN_F64, shape_of(t, t->n, t->n), values_of(a).v);
    test_ok(tern_expm(a, &got));
    test_ok(tern_eigh(wide, &w, &v));
    matrix values = read_as(w, 1);
    for (int64_t i = 0; i < values.batch * values.rows; i++)
        values.v[i] = exp(values.v[i]);
    matrix expected = times(scaled(values_of(v), values), turned(values_of(v)));
    check_small(plus(values_of(got), -1, expected), 2 * t->scale * length(expected), t, "exp");
}

static void exponentials(void **state) {
    (void)state;
    for_trials(try_expm);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_test)
    const struct CMUnitTest tests[] = {
        TEST(solves), TEST(determinants), TEST(least_squares), TEST(lu),
        TEST(qr),     TEST(cholesky),     TEST(svd),           TEST(eigh),
        TEST(eig),    TEST(norms),        TEST(exponentials),
    };
    return cmocka_run_group_tests(tests, open_guarded, close_context);
}
