/* SPDX-License-Identifier: MIT
 * Linear algebra: what comes out is put together again and compared with what went in, in double;
 * small cases with known results; what is refused. */
#include <float.h>
#include <math.h>
#include <pthread.h>

#include <tern/linalg.h>

#define FIXTURE_THREADS 1
#include "base/library.h"
#include "context_fixture.h"
#include "ops/lapack.h"

static void no_event(void *user, const tern_memory_event *event) {
    (void)user;
    fail_msg("memory event: %s", event->text);
}

/* Guard zones lie around all that LAPACK writes. */
static int open_guarded(void **state) {
    (void)state;
    tern_options options = {.threads = 1, .tracking = TERN_TRACK_FULL, .on_memory_event = no_event};
    return tern_context_create(&options, &context) != TERN_OK;
}

/* Prints why and skips where the machine has no LAPACK. */
static void need_lapack(void) {
    const tern__lapack *lapack;
    if (tern__lapack_enter("test", &lapack) != TERN_OK)
        test_skip("%s", tern_last_error());
    tern__lapack_leave();
}

/* -- matrices in double -------------------------------------------------------------------------*/

/* A batch, row-major; kept until the test ends. */
typedef struct matrix {
    int64_t batch, rows, columns;
    double *v;
} matrix;

static struct {
    double *blocks[65536];
    int count;
} kept;

static matrix make(int64_t batch, int64_t rows, int64_t columns) {
    matrix m = {batch, rows, columns, calloc((size_t)(batch * rows * columns) + 1, sizeof(double))};
    assert_true(m.v != NULL && kept.count < 65536);
    kept.blocks[kept.count++] = m.v;
    return m;
}

static int end_test(void **state) {
    while (kept.count > 0)
        free(kept.blocks[--kept.count]);
    return end_scope(state);
}

static double element(const tern_tensor *t, int64_t at) {
    const void *data = tern_tensor_data(t);
    switch ((int)tern_tensor_dtype(t)) {
    case TERN_F32:
        return (double)((const float *)data)[at];
    case TERN_F64:
        return ((const double *)data)[at];
    default:
        return (double)((const int64_t *)data)[at];
    }
}

/* Elements of a tensor with any strides; its last `rank` axes are the matrix, a column or a number.
 */
static matrix read_as(const tern_tensor *t, int rank) {
    assert_non_null(t);
    tern_shape shape = tern_tensor_shape(t);
    int64_t rows = rank > 0 ? shape.dims[shape.rank - rank] : 1;
    int64_t columns = rank > 1 ? shape.dims[shape.rank - 1] : 1, batch = 1;
    for (int i = 0; i < shape.rank - rank; i++)
        batch *= shape.dims[i];
    matrix m = make(batch, rows, columns);
    for (int64_t i = 0; i < tern_tensor_count(t); i++) {
        int64_t at = 0, rest = i;
        for (int axis = shape.rank - 1; axis >= 0; axis--) {
            at += rest % shape.dims[axis] * tern_tensor_stride(t, axis);
            rest /= shape.dims[axis];
        }
        m.v[i] = element(t, at);
    }
    return m;
}

static matrix read(const tern_tensor *t) {
    return read_as(t, 2);
}

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

static tern_tensor *from_doubles(tern_dtype dtype, tern_shape shape, const double *v) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_empty(context, dtype, shape, &t));
    for (int64_t i = 0; i < tern_tensor_count(t); i++)
        if (dtype == TERN_F64)
            ((double *)tern_tensor_data(t))[i] = v[i];
        else
            ((float *)tern_tensor_data(t))[i] = (float)v[i];
    return t;
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

static void check_shape(const tern_tensor *x, tern_shape expected) {
    assert_int_equal(tern_tensor_rank(x), expected.rank);
    assert_true(tern_tensor_is_contiguous(x));
    for (int i = 0; i < expected.rank; i++)
        assert_int_equal(tern_tensor_dim(x, i), expected.dims[i]);
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
    double size = length(read(a)) * length(read(x));
    check_small(plus(times(read(a), read(x)), -1, read(b)), t->scale * size, t, "a x - b");
    test_ok(tern_inv(a, &inverse));
    size = length(read(a)) * length(read(inverse));
    check_small(plus(times(read(a), read(inverse)), -1, identity(t->batch, t->n)), t->scale * size,
                t, "a inv(a) - 1");
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
    matrix m = read(a), d = read_as(det, 0), s = read_as(sign, 0), logs = read_as(log_abs, 0);
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
    matrix difference = plus(times(read(a), read(x)), -1, read(b));
    double size = length(read(a)) * (length(read(a)) * length(read(x)) + length(read(b)));
    if (t->m >= t->n)
        check_small(times(turned(read(a)), difference), t->scale * size, t, "a^T (a x - b)");
    else
        check_small(difference, t->scale * length(read(a)) * length(read(x)), t, "a x - b");
    matrix squares = read_as(rest, 1), values = read_as(s, 1);
    double sum = 0;
    for (int64_t i = 0; i < 3 * t->batch; i++)
        sum += squares.v[i];
    assert_true(fabs(sqrt(sum) - length(difference)) <= t->scale * (length(read(b)) + size));
    matrix ranks = read_as(rank, 0);
    for (int64_t i = 0; i < t->batch; i++)
        assert_int_equal((int)ranks.v[i], values.rows);
    test_ok(tern_pinv(a, -1, &p));
    check_shape(p, shape_of(t, t->n, t->m));
    double least = values.v[0];
    for (int64_t i = 0; i < values.batch * values.rows; i++)
        least = values.v[i] < least ? values.v[i] : least;
    double condition = length(read(a)) / least;
    check_small(plus(times(read(p), read(b)), -1, read(x)),
                t->scale * condition * condition * length(read(p)) * length(read(b)), t,
                "pinv(a) b - x");
    matrix projection = times(read(p), read(a));
    check_small(plus(projection, -1, turned(projection)), t->scale * condition, t, "pinv(a) a");
    check_small(plus(times(read(a), projection), -1, read(a)),
                t->scale * condition * length(read(a)), t, "a pinv(a) a - a");
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
    matrix order = read_as(p, 1), from = read(a), sorted = make(t->batch, t->m, t->n);
    for (int64_t i = 0; i < t->batch * t->m; i++)
        for (int64_t j = 0; j < t->n; j++)
            sorted.v[i * t->n + j] = from.v[(i / t->m * t->m + (int64_t)order.v[i]) * t->n + j];
    matrix lower = read(l), upper = read(u);
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
        check_small(plus(times(read(q), read(r)), -1, read(a)), t->scale * length(read(a)), t,
                    "q r - a");
        check_orthogonal(read(q), t, "q^T q - 1");
        matrix upper = read(r);
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
    matrix b = read(operand(t, t->n, t->n));
    matrix c = plus(times(b, turned(b)), 1, identity(t->batch, t->n));
    return from_doubles(t->dtype, shape_of(t, t->n, t->n), c.v);
}

static void try_cholesky(trial *t) {
    tern_tensor *a = definite(t), *l;
    test_ok(tern_cholesky(a, &l));
    matrix lower = read(l);
    check_small(plus(times(lower, turned(lower)), -1, read(a)), t->scale * length(read(a)), t,
                "l l^T - a");
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
        check_orthogonal(read(u), t, "u^T u - 1");
        check_orthogonal(turned(read(vt)), t, "v^T v - 1");
        tern_tensor *left, *right;
        test_ok(tern_tensor_slice(u, t->lead + 1, 0, k, 1, &left));
        test_ok(tern_tensor_slice(vt, t->lead, 0, k, 1, &right));
        check_small(plus(times(scaled(read(left), read_as(s, 1)), read(right)), -1, read(a)),
                    t->scale * length(read(a)), t, "u s vt - a");
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
    check_small(plus(times(read(a), read(v)), -1, scaled(read(v), values)),
                t->scale * length(read(a)), t, "a v - v w");
    check_orthogonal(read(v), t, "v^T v - 1");
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
    matrix values = read_as(w, 1), others = read_as(wi, 1), real = read(v), imag = read(vi);
    double bound = t->scale * length(read(a)) * sqrt((double)t->n);
    check_small(
        plus(times(read(a), real), -1, plus(scaled(real, values), -1, scaled(imag, others))), bound,
        t, "real part of a v - v w");
    check_small(plus(times(read(a), imag), -1, plus(scaled(real, others), 1, scaled(imag, values))),
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

static double number(tern_tensor *t) {
    matrix m = read_as(t, 0);
    assert_int_equal(m.batch, 1);
    return m.v[0];
}

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
    matrix m = read(a), values = read_as(s, 1);
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
    matrix b = read(operand(t, t->n, t->n));
    matrix c = plus(b, 1, turned(b));
    double wanted = sizes[test_random_range(&t->random, 0, 7)] / length(c);
    for (int64_t i = 0; i < t->batch * t->n * t->n; i++)
        c.v[i] *= wanted;
    tern_tensor *a = from_doubles(t->dtype, shape_of(t, t->n, t->n), c.v), *got, *w, *v;
    tern_tensor *wide = from_doubles(TERN_F64, shape_of(t, t->n, t->n), read(a).v);
    test_ok(tern_expm(a, &got));
    test_ok(tern_eigh(wide, &w, &v));
    matrix values = read_as(w, 1);
    for (int64_t i = 0; i < values.batch * values.rows; i++)
        values.v[i] = exp(values.v[i]);
    matrix expected = times(scaled(read(v), values), turned(read(v)));
    check_small(plus(read(got), -1, expected), 2 * t->scale * length(expected), t, "exp");
}

static void exponentials(void **state) {
    (void)state;
    for_trials(try_expm);
}

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

static void literals(void **state) {
    (void)state;
    need_lapack();
    check_literals(TERN_F32);
    check_literals(TERN_F64);
    check_deficient(TERN_F32);
    check_deficient(TERN_F64);
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
    void *address = tern__library_symbol(library, "openblas_get_num_threads");
    memcpy(&threads, &address, sizeof threads);
    assert_non_null(address);
    int before = threads();
    tern_tensor *x;
    test_ok(tern_inv(square(TERN_F32, 1, DOUBLES(2)), &x));
    assert_int_equal(threads(), before);
    test_status(tern_inv(square(TERN_F32, 1, DOUBLES(0)), &x), TERN_E_ARGUMENT);
    assert_int_equal(threads(), before);
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
        TEST(solves),       TEST(determinants), TEST(least_squares),
        TEST(lu),           TEST(qr),           TEST(cholesky),
        TEST(svd),          TEST(eigh),         TEST(eig),
        TEST(norms),        TEST(exponentials), TEST(literals),
        TEST(ranges),       TEST(empty),        TEST(refusals),
        TEST(bad_matrices), TEST(no_library),   TEST(threads_come_back),
        TEST(side_by_side),
    };
    return cmocka_run_group_tests(tests, open_guarded, close_context);
}
