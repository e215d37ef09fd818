/* SPDX-License-Identifier: MIT
 * Systems of equations and what the triangular factorisations give. */
#include <math.h>

#include "base/checked.h"
#include "base/realmath.h"
#include "base/status.h"
#include "ops/linalg.h"

/* -- solve, inv ---------------------------------------------------------------------------------*/

tern_status tern_solve(tern_tensor *a, tern_tensor *b, tern_tensor **out) {
    *out = NULL;
    tern__linalg l;
    tern__matrices right;
    void *matrix, *columns, *pivots;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_SOLVE, a, true));
    TERN__TRY(tern__linalg_right(&l, b, &right));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, b->rank == 1 ? 1 : 2, l.rows, right.columns, out));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.rows, &matrix));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, right.columns, &columns));
    TERN__TRY(tern__linalg_scratch_of(&l, TERN_I32, l.rows, 1, &pivots));
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, matrix, l.rows);
        tern__linalg_load(&l, &right, columns, l.rows);
        TERN__TRY(tern__lapack_solve(&l, l.rows, right.columns, matrix, pivots, columns));
        tern__linalg_store(&l, columns, l.rows, 0);
    }
done:
    return tern__linalg_finish(&l, status);
}

tern_status tern_inv(tern_tensor *a, tern_tensor **out) {
    *out = NULL;
    tern__linalg l;
    void *matrix, *inverse, *pivots;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_INV, a, true));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, 2, l.rows, l.rows, out));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.rows, &matrix));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.rows, &inverse));
    TERN__TRY(tern__linalg_scratch_of(&l, TERN_I32, l.rows, 1, &pivots));
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, matrix, l.rows);
        tern__linalg_identity(&l, inverse, l.rows, l.rows);
        TERN__TRY(tern__lapack_solve(&l, l.rows, l.rows, matrix, pivots, inverse));
        tern__linalg_store(&l, inverse, l.rows, 0);
    }
done:
    return tern__linalg_finish(&l, status);
}

/* -- determinants ------------------------------------------------------------------------------*/

/* fraction * 2^exponent, which no product of a diagonal can leave; fraction is 0, not finite, or of
 * magnitude 0.5..1. */
typedef struct determinant {
    double fraction;
    int64_t exponent;
} determinant;

/* From the LU factors: the product of the diagonal, negated for every exchange of rows. */
static determinant determinant_of(const tern__linalg *l, const void *matrix,
                                  const int32_t *pivots) {
    determinant d = {1, 0};
    for (int64_t i = 0; i < l->rows; i++) {
        int exponent = 0;
        double element = tern__linalg_get(l, matrix, i * l->rows + i);
        d.fraction = frexp(d.fraction * element, &exponent);
        d.exponent += exponent;
        if (pivots[i] != i + 1)
            d.fraction = -d.fraction;
    }
    d.fraction += 0.0; /* a zero is +0 */
    return d;
}

/* Both results are made before the first matrix is looked at; `log_abs` NULL: the determinant. */
static tern_status determinants(tern__op op, tern_tensor *a, tern_tensor **first,
                                tern_tensor **log_abs) {
    static const double log_of_2 = 0x1.62e42fefa39efp-1;
    tern__linalg l;
    void *matrix, *pivots;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, op, a, true));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, 0, 0, 0, first));
    if (log_abs != NULL)
        TERN__TRY(tern__linalg_result(&l, 0, 0, 0, log_abs));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.rows, &matrix));
    TERN__TRY(tern__linalg_scratch_of(&l, TERN_I32, l.rows, 1, &pivots));
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, matrix, l.rows);
        TERN__TRY(tern__lapack_lu(&l, l.rows, l.rows, matrix, pivots));
        determinant d = determinant_of(&l, matrix, pivots);
        double f = d.fraction;
        if (log_abs == NULL) {
            int64_t exponent = tern__max_i64(-10000, tern__min_i64(d.exponent, 10000));
            tern__linalg_put(&l, tern__linalg_place(&l, 0), 0, ldexp(f, (int)exponent));
            continue;
        }
        tern__linalg_put(&l, tern__linalg_place(&l, 0), 0, f > 0 ? 1 : f < 0 ? -1 : f);
        tern__linalg_put(&l, tern__linalg_place(&l, 1), 0,
                         fma((double)d.exponent, log_of_2, tern__log(fabs(f))));
    }
done:
    return tern__linalg_finish(&l, status);
}

tern_status tern_det(tern_tensor *a, tern_tensor **out) {
    *out = NULL;
    return determinants(TERN__OP_DET, a, out, NULL);
}

tern_status tern_slogdet(tern_tensor *a, tern_tensor **sign, tern_tensor **log_abs) {
    *sign = *log_abs = NULL;
    return determinants(TERN__OP_SLOGDET, a, sign, log_abs);
}

/* -- triangular factors -------------------------------------------------------------------------*/

/* Keeps what lies on one side of the diagonal of a column-major matrix. */
static void keep_upper(const tern__linalg *l, void *matrix, int64_t rows, int64_t columns) {
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = j + 1; i < rows; i++)
            tern__linalg_put(l, matrix, j * rows + i, 0);
}

static void keep_lower(const tern__linalg *l, void *matrix, int64_t rows, int64_t columns) {
    for (int64_t j = 1; j < columns; j++)
        for (int64_t i = 0; i < j && i < rows; i++)
            tern__linalg_put(l, matrix, j * rows + i, 0);
}

/* The order of rows after all exchanges. */
static void permutation_of(const tern__linalg *l, const int32_t *pivots, int64_t *order) {
    for (int64_t i = 0; i < l->rows; i++)
        order[i] = i;
    for (int64_t i = 0; i < l->smaller; i++) {
        int64_t other = order[pivots[i] - 1];
        order[pivots[i] - 1] = order[i];
        order[i] = other;
    }
}

tern_status tern_lu(tern_tensor *a, tern_tensor **p, tern_tensor **l_out, tern_tensor **u) {
    *p = *l_out = *u = NULL;
    tern__linalg l;
    void *matrix, *lower, *pivots;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_LU, a, false));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_integers(&l, 1, l.rows, p));
    TERN__TRY(tern__linalg_result(&l, 2, l.rows, l.smaller, l_out));
    TERN__TRY(tern__linalg_result(&l, 2, l.smaller, l.columns, u));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.columns, &matrix));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.smaller, &lower));
    TERN__TRY(tern__linalg_scratch_of(&l, TERN_I32, l.smaller, 1, &pivots));
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, matrix, l.rows);
        TERN__TRY(tern__lapack_lu(&l, l.rows, l.columns, matrix, pivots));
        permutation_of(&l, pivots, tern__linalg_place(&l, 0));
        for (int64_t i = 0; i < l.rows * l.smaller; i++)
            tern__linalg_put(&l, lower, i, tern__linalg_get(&l, matrix, i));
        keep_lower(&l, lower, l.rows, l.smaller);
        for (int64_t i = 0; i < l.smaller; i++)
            tern__linalg_put(&l, lower, i * l.rows + i, 1);
        keep_upper(&l, matrix, l.rows, l.columns);
        tern__linalg_store(&l, lower, l.rows, 1);
        tern__linalg_store(&l, matrix, l.rows, 2);
    }
done:
    return tern__linalg_finish(&l, status);
}

tern_status tern_cholesky(tern_tensor *a, tern_tensor **out) {
    *out = NULL;
    tern__linalg l;
    void *matrix;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_CHOLESKY, a, true));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, 2, l.rows, l.rows, out));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.rows, &matrix));
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, matrix, l.rows);
        TERN__TRY(tern__lapack_cholesky(&l, l.rows, matrix));
        keep_lower(&l, matrix, l.rows, l.rows);
        tern__linalg_store(&l, matrix, l.rows, 0);
    }
done:
    return tern__linalg_finish(&l, status);
}

/* -- orthogonal factors -------------------------------------------------------------------------*/

/* The reflectors fill the first columns of q; what is wanted beyond them is made from nothing. */
static tern_status factor_qr(tern__linalg *l, int64_t width, void *matrix, void *tau, void *q) {
    tern__linalg_load(l, &l->a, matrix, l->rows);
    tern_status status = tern__lapack_qr(l, l->rows, l->columns, matrix, tau);
    if (status != TERN_OK)
        return status;
    tern__linalg_identity(l, q, l->rows, width);
    for (int64_t i = 0; i < l->rows * l->smaller; i++)
        tern__linalg_put(l, q, i, tern__linalg_get(l, matrix, i));
    status = tern__lapack_q(l, l->rows, width, l->smaller, q, tau);
    keep_upper(l, matrix, l->rows, l->columns);
    return status;
}

tern_status tern_qr(tern_tensor *a, bool reduced, tern_tensor **q_out, tern_tensor **r) {
    *q_out = *r = NULL;
    tern__linalg l;
    void *matrix, *tau, *q;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_QR, a, false));
    TERN__TRY(tern__linalg_open(&l));
    int64_t width = reduced ? l.smaller : l.rows;
    TERN__TRY(tern__linalg_result(&l, 2, l.rows, width, q_out));
    TERN__TRY(tern__linalg_result(&l, 2, width, l.columns, r));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, l.columns, &matrix));
    TERN__TRY(tern__linalg_scratch(&l, l.smaller, 1, &tau));
    TERN__TRY(tern__linalg_scratch(&l, l.rows, width, &q));
    for (; l.index < l.count; l.index++) {
        TERN__TRY(factor_qr(&l, width, matrix, tau, q));
        tern__linalg_store(&l, q, l.rows, 0);
        tern__linalg_store(&l, matrix, l.rows, 1);
    }
done:
    return tern__linalg_finish(&l, status);
}
