/* SPDX-License-Identifier: MIT
 * Singular values, eigenvalues, and what follows from them. */
#include <math.h>

#include "base/checked.h"
#include "base/status.h"
#include "ops/linalg.h"

/* -- singular values ----------------------------------------------------------------------------*/

tern_status tern_svd(tern_tensor *a, bool full, tern_tensor **u_out, tern_tensor **s_out,
                     tern_tensor **vt_out) {
    bool has_vectors = u_out != NULL && vt_out != NULL;
    *s_out = NULL;
    if (u_out != NULL)
        *u_out = NULL;
    if (vt_out != NULL)
        *vt_out = NULL;
    if (!has_vectors && u_out != vt_out)
        return tern__fail(TERN_E_ARGUMENT, "svd: only one of u and vt is NULL");
    tern__linalg l;
    void *matrix, *u = NULL, *s, *vt = NULL;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_SVD, a, false));
    TERN__TRY(tern__linalg_open(&l));
    int64_t left = full ? l.rows : l.smaller, right = full ? l.columns : l.smaller;
    char job = !has_vectors ? 'N' : full ? 'A' : 'S';
    TERN__TRY(tern__linalg_result(&l, 1, l.smaller, 0, s_out));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.columns, &matrix));
    TERN__TRY(tern__linalg_scratch(&l, l.smaller, 1, &s));
    if (has_vectors) {
        TERN__TRY(tern__linalg_result(&l, 2, l.rows, left, u_out));
        TERN__TRY(tern__linalg_result(&l, 2, right, l.columns, vt_out));
        TERN__TRY(tern__linalg_scratch(&l, l.rows, left, &u));
        TERN__TRY(tern__linalg_scratch(&l, right, l.columns, &vt));
    }
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, matrix, l.rows);
        TERN__TRY(tern__lapack_svd(&l, job, l.rows, l.columns, matrix, u, s, vt));
        tern__linalg_store(&l, s, l.smaller, 0);
        if (has_vectors) {
            tern__linalg_store(&l, u, l.rows, 1);
            tern__linalg_store(&l, vt, right, 2);
        }
    }
done:
    return tern__linalg_finish(&l, status);
}

/* What a number per matrix is made of: its singular values, descending, into place 0. */
typedef void (*number_fn)(const tern__linalg *l, const void *s, double number);

static tern_status number_of_values(tern__linalg *l, number_fn fn, double number) {
    void *matrix, *s;
    tern_status status;
    TERN__TRY(tern__linalg_scratch(l, l->rows, l->columns, &matrix));
    TERN__TRY(tern__linalg_scratch(l, l->smaller, 1, &s));
    for (; l->index < l->count; l->index++) {
        tern__linalg_load(l, &l->a, matrix, l->rows);
        TERN__TRY(tern__lapack_svd(l, 'N', l->rows, l->columns, matrix, NULL, s, NULL));
        fn(l, s, number);
    }
done:
    return status;
}

/* max(M, N) epsilon. */
static double default_rcond(const tern__linalg *l) {
    return (double)tern__max_i64(l->rows, l->columns) * tern__linalg_epsilon(l);
}

static void count_rank(const tern__linalg *l, const void *s, double tol) {
    int64_t *rank = tern__linalg_place(l, 0);
    if (tol < 0 && l->smaller > 0)
        tol = tern__linalg_get(l, s, 0) * default_rcond(l);
    *rank = 0;
    for (int64_t i = 0; i < l->smaller; i++)
        *rank += tern__linalg_get(l, s, i) > tol;
}

tern_status tern_matrix_rank(tern_tensor *a, double tol, tern_tensor **out) {
    *out = NULL;
    tern__linalg l;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_MATRIX_RANK, a, false));
    if (isnan(tol))
        TERN__TRY(tern__fail(TERN_E_ARGUMENT, "matrix_rank: tol is not a number"));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_integers(&l, 0, 0, out));
    TERN__TRY(number_of_values(&l, count_rank, tol));
done:
    return tern__linalg_finish(&l, status);
}

static void put_condition(const tern__linalg *l, const void *s, double unused) {
    (void)unused;
    double largest = tern__linalg_get(l, s, 0), least = tern__linalg_get(l, s, l->smaller - 1);
    tern__linalg_put(l, tern__linalg_place(l, 0), 0, least > 0 ? largest / least : INFINITY);
}

tern_status tern_cond(tern_tensor *a, tern_tensor **out) {
    *out = NULL;
    tern__linalg l;
    char text[TERN__SHAPE_TEXT];
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_COND, a, false));
    if (l.smaller == 0)
        TERN__TRY(tern__fail(TERN_E_SHAPE, "cond: %s has no singular value",
                             tern__shape_text(a->rank, a->dims, text)));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, 0, 0, 0, out));
    TERN__TRY(number_of_values(&l, put_condition, 0));
done:
    return tern__linalg_finish(&l, status);
}

/* -- norms -------------------------------------------------------------------------------------*/

static void put_value_sum(const tern__linalg *l, const void *s, double unused) {
    (void)unused;
    double sum = 0;
    for (int64_t i = 0; i < l->smaller; i++)
        sum += tern__linalg_get(l, s, i);
    tern__linalg_put(l, tern__linalg_place(l, 0), 0, sum);
}

static void put_largest(const tern__linalg *l, const void *s, double unused) {
    (void)unused;
    tern__linalg_put(l, tern__linalg_place(l, 0), 0,
                     l->smaller > 0 ? tern__linalg_get(l, s, 0) : 0);
}

static void put_least(const tern__linalg *l, const void *s, double unused) {
    (void)unused;
    tern__linalg_put(l, tern__linalg_place(l, 0), 0, tern__linalg_get(l, s, l->smaller - 1));
}

/* Scaled by a power of two, so that no square leaves the range. */
static double frobenius(const tern__linalg *l, const void *matrix) {
    double largest = 0, sum = 0;
    int exponent = 0;
    for (int64_t i = 0; i < l->rows * l->columns; i++) {
        double x = fabs(tern__linalg_get(l, matrix, i));
        if (isnan(x))
            return x;
        largest = x > largest ? x : largest;
    }
    if (largest == 0 || isinf(largest))
        return largest;
    (void)frexp(largest, &exponent);
    for (int64_t i = 0; i < l->rows * l->columns; i++) {
        double x = ldexp(tern__linalg_get(l, matrix, i), -exponent);
        sum = fma(x, x, sum);
    }
    return ldexp(sqrt(sum), exponent);
}

/* The largest or the least sum of magnitudes over lines whose elements are `step` apart; any NaN
 * wins. */
static double line_norm(const tern__linalg *l, const void *matrix, bool by_rows, bool is_least) {
    int64_t lines = by_rows ? l->rows : l->columns, length = by_rows ? l->columns : l->rows;
    int64_t step = by_rows ? l->rows : 1, next = by_rows ? 1 : l->rows;
    double best = is_least ? INFINITY : 0;
    for (int64_t i = 0; i < lines; i++) {
        double sum = 0;
        for (int64_t k = 0; k < length; k++)
            sum += fabs(tern__linalg_get(l, matrix, i * next + k * step));
        if (isnan(sum))
            return sum;
        if (is_least ? sum < best : sum > best)
            best = sum;
    }
    return best;
}

/* Norms that need no LAPACK. */
static tern_status simple_norm(tern__linalg *l, tern_matrix_norm_kind kind) {
    bool by_rows = kind == TERN_MATRIX_INF || kind == TERN_MATRIX_INF_MIN;
    bool is_least = kind == TERN_MATRIX_ONE_MIN || kind == TERN_MATRIX_INF_MIN;
    void *matrix;
    tern_status status = tern__linalg_scratch(l, l->rows, l->columns, &matrix);
    for (; status == TERN_OK && l->index < l->count; l->index++) {
        tern__linalg_load(l, &l->a, matrix, l->rows);
        tern__linalg_put(l, tern__linalg_place(l, 0), 0,
                         kind == TERN_MATRIX_FRO ? frobenius(l, matrix)
                                                 : line_norm(l, matrix, by_rows, is_least));
    }
    return status;
}

/* The least of no numbers is none. */
static tern_status check_least(const tern__linalg *l, tern_matrix_norm_kind kind) {
    int64_t numbers = kind == TERN_MATRIX_ONE_MIN   ? l->columns
                      : kind == TERN_MATRIX_TWO_MIN ? l->smaller
                      : kind == TERN_MATRIX_INF_MIN ? l->rows
                                                    : 1;
    char text[TERN__SHAPE_TEXT];
    if (numbers > 0)
        return TERN_OK;
    return tern__fail(TERN_E_SHAPE, "matrix_norm: the least of nothing in %s",
                      tern__shape_text(l->a.tensor->rank, l->a.tensor->dims, text));
}

tern_status tern_matrix_norm(tern_tensor *a, tern_matrix_norm_kind kind, tern_tensor **out) {
    *out = NULL;
    tern__linalg l;
    tern_status status;
    number_fn fn = kind == TERN_MATRIX_NUC       ? put_value_sum
                   : kind == TERN_MATRIX_TWO     ? put_largest
                   : kind == TERN_MATRIX_TWO_MIN ? put_least
                                                 : NULL;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_MATRIX_NORM, a, false));
    if ((unsigned)kind > TERN_MATRIX_INF_MIN)
        TERN__TRY(tern__fail(TERN_E_ARGUMENT, "matrix_norm: there is no norm %d", (int)kind));
    TERN__TRY(check_least(&l, kind));
    if (fn != NULL)
        TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, 0, 0, 0, out));
    TERN__TRY(fn != NULL ? number_of_values(&l, fn, 0) : simple_norm(&l, kind));
done:
    return tern__linalg_finish(&l, status);
}

/* -- pseudo-inverse -----------------------------------------------------------------------------*/

/* Columns of u over their singular values; those that count as 0 are cleared. */
static void divide_columns(const tern__linalg *l, void *u, const void *s, double rcond) {
    double least = l->smaller > 0 ? tern__linalg_get(l, s, 0) * rcond : 0;
    for (int64_t j = 0; j < l->smaller; j++) {
        double value = tern__linalg_get(l, s, j), factor = value > least ? 1 / value : 0;
        for (int64_t i = j * l->rows; i < (j + 1) * l->rows; i++)
            tern__linalg_put(l, u, i, tern__linalg_get(l, u, i) * factor);
    }
}

tern_status tern_pinv(tern_tensor *a, double rcond, tern_tensor **out) {
    *out = NULL;
    tern__linalg l;
    void *matrix, *u, *s, *vt;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_PINV, a, false));
    if (isnan(rcond))
        TERN__TRY(tern__fail(TERN_E_ARGUMENT, "pinv: rcond is not a number"));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, 2, l.columns, l.rows, out));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.columns, &matrix));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.smaller, &u));
    TERN__TRY(tern__linalg_scratch(&l, l.smaller, 1, &s));
    TERN__TRY(tern__linalg_scratch(&l, l.smaller, l.columns, &vt));
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, matrix, l.rows);
        TERN__TRY(tern__lapack_svd(&l, 'S', l.rows, l.columns, matrix, u, s, vt));
        divide_columns(&l, u, s, rcond < 0 ? default_rcond(&l) : rcond);
        /* The column-major product u vt is the row-major transpose that the result is. */
        tern__lapack_product(&l, l.rows, l.columns, l.smaller, 1, u, vt, l.smaller, 0,
                             tern__linalg_place(&l, 0));
    }
done:
    return tern__linalg_finish(&l, status);
}

/* -- eigenvalues -------------------------------------------------------------------------------*/

tern_status tern_eigh(tern_tensor *a, tern_tensor **w_out, tern_tensor **v) {
    *w_out = NULL;
    if (v != NULL)
        *v = NULL;
    tern__linalg l;
    void *matrix, *w;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_EIGH, a, true));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, 1, l.rows, 0, w_out));
    if (v != NULL)
        TERN__TRY(tern__linalg_result(&l, 2, l.rows, l.rows, v));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.rows, &matrix));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, 1, &w));
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, matrix, l.rows);
        TERN__TRY(tern__lapack_eigh(&l, v != NULL, l.rows, matrix, w));
        tern__linalg_store(&l, w, l.rows, 0);
        if (v != NULL)
            tern__linalg_store(&l, matrix, l.rows, 1);
    }
done:
    return tern__linalg_finish(&l, status);
}

/* LAPACK packs the vectors of a conjugate pair into two columns, x and y for x + iy and x - iy:
 * they become real and imaginary parts of their own. */
static void unpack_pairs(const tern__linalg *l, const void *w_imag, void *real, void *imag) {
    int64_t n = l->rows;
    for (int64_t j = 0; j < n; j++) {
        bool is_pair = tern__linalg_get(l, w_imag, j) != 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t at = j * n + i;
            double y = is_pair ? tern__linalg_get(l, real, at + n) : 0;
            tern__linalg_put(l, imag, at, y);
            if (is_pair) {
                tern__linalg_put(l, imag, at + n, -y);
                tern__linalg_put(l, real, at + n, tern__linalg_get(l, real, at));
            }
        }
        j += is_pair;
    }
}

tern_status tern_eig(tern_tensor *a, tern_tensor **w_real, tern_tensor **w_imag,
                     tern_tensor **v_real, tern_tensor **v_imag) {
    bool has_vectors = v_real != NULL && v_imag != NULL;
    *w_real = *w_imag = NULL;
    if (v_real != NULL)
        *v_real = NULL;
    if (v_imag != NULL)
        *v_imag = NULL;
    if (!has_vectors && v_real != v_imag)
        return tern__fail(TERN_E_ARGUMENT, "eig: only one of the parts of v is NULL");
    tern__linalg l;
    void *matrix, *real, *imag, *vectors = NULL, *other = NULL;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_EIG, a, true));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, 1, l.rows, 0, w_real));
    TERN__TRY(tern__linalg_result(&l, 1, l.rows, 0, w_imag));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.rows, &matrix));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, 1, &real));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, 1, &imag));
    if (has_vectors) {
        TERN__TRY(tern__linalg_result(&l, 2, l.rows, l.rows, v_real));
        TERN__TRY(tern__linalg_result(&l, 2, l.rows, l.rows, v_imag));
        TERN__TRY(tern__linalg_scratch(&l, l.rows, l.rows, &vectors));
        TERN__TRY(tern__linalg_scratch(&l, l.rows, l.rows, &other));
    }
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, matrix, l.rows);
        TERN__TRY(tern__lapack_eig(&l, l.rows, matrix, real, imag, vectors));
        tern__linalg_store(&l, real, l.rows, 0);
        tern__linalg_store(&l, imag, l.rows, 1);
        if (has_vectors) {
            unpack_pairs(&l, imag, vectors, other);
            tern__linalg_store(&l, vectors, l.rows, 2);
            tern__linalg_store(&l, other, l.rows, 3);
        }
    }
done:
    return tern__linalg_finish(&l, status);
}
