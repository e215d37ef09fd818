/* SPDX-License-Identifier: MIT
 * Least squares. */
#include <math.h>

#include "base/checked.h"
#include "base/status.h"
#include "ops/linalg.h"

/* What one call has in hand. Places of results are -1 for those that nobody wants. */
typedef struct least {
    tern__matrices b;
    double rcond;
    int64_t tall; /* max(M, N): columns of x and b are as far apart */
    int residuals, rank, singular;
    void *matrix, *columns, *values, *rest;
} least;

static tern_status make_results(tern__linalg *l, least *problem, bool is_vector, tern_tensor **x,
                                tern_tensor **residuals, tern_tensor **rank,
                                tern_tensor **singular) {
    int64_t count = problem->b.columns;
    tern_status status;
    problem->residuals = problem->rank = problem->singular = -1;
    TERN__TRY(tern__linalg_result(l, is_vector ? 1 : 2, l->columns, count, x));
    if (residuals != NULL) {
        problem->residuals = l->result_count;
        TERN__TRY(tern__linalg_result(l, is_vector ? 0 : 1, count, 0, residuals));
    }
    if (rank != NULL) {
        problem->rank = l->result_count;
        TERN__TRY(tern__linalg_integers(l, 0, 0, rank));
    }
    if (singular != NULL) {
        problem->singular = l->result_count;
        TERN__TRY(tern__linalg_result(l, 1, l->smaller, 0, singular));
    }
done:
    return status;
}

/* At least one column, as LAPACK wants: an empty b gets one of zeros. */
static tern_status make_scratch(tern__linalg *l, least *problem) {
    int64_t count = tern__max_i64(problem->b.columns, 1);
    tern_status status;
    TERN__TRY(tern__linalg_scratch(l, l->rows, l->columns, &problem->matrix));
    TERN__TRY(tern__linalg_scratch(l, problem->tall, count, &problem->columns));
    TERN__TRY(tern__linalg_scratch(l, l->smaller, 1, &problem->values));
    if (problem->residuals >= 0)
        TERN__TRY(tern__linalg_scratch(l, l->rows, count, &problem->rest));
done:
    return status;
}

/* rest = b - a x, and the squared length of each column. */
static void put_residuals(tern__linalg *l, const least *problem) {
    void *to = tern__linalg_place(l, problem->residuals);
    tern__linalg_load(l, &problem->b, problem->rest, l->rows);
    if (l->smaller > 0 && problem->b.columns > 0) {
        tern__linalg_load(l, &l->a, problem->matrix, l->rows);
        tern__lapack_product(l, l->rows, problem->b.columns, l->columns, -1, problem->matrix,
                             problem->columns, problem->tall, 1, problem->rest);
    }
    for (int64_t j = 0; j < problem->b.columns; j++) {
        double sum = 0;
        for (int64_t i = 0; i < l->rows; i++) {
            double x = tern__linalg_get(l, problem->rest, j * l->rows + i);
            sum = fma(x, x, sum);
        }
        tern__linalg_put(l, to, j, sum);
    }
}

static tern_status solve_one(tern__linalg *l, const least *problem) {
    int64_t count = tern__max_i64(problem->b.columns, 1);
    int32_t rank = 0;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < problem->tall * count; i++)
        tern__linalg_put(l, problem->columns, i, 0);
    if (l->smaller > 0) {
        tern__linalg_load(l, &l->a, problem->matrix, l->rows);
        tern__linalg_load(l, &problem->b, problem->columns, problem->tall);
        TERN__TRY(tern__linalg_finite(l, problem->matrix, l->rows, l->columns));
        TERN__TRY(tern__linalg_finite(l, problem->columns, problem->tall, count));
        TERN__TRY(tern__lapack_least(l, l->rows, l->columns, count, problem->matrix,
                                     problem->columns, problem->rcond, problem->values, &rank));
    }
    tern__linalg_store(l, problem->columns, problem->tall, 0);
    if (problem->rank >= 0)
        *(int64_t *)tern__linalg_place(l, problem->rank) = rank;
    if (problem->singular >= 0)
        tern__linalg_store(l, problem->values, l->smaller, problem->singular);
    if (problem->residuals >= 0)
        put_residuals(l, problem);
done:
    return status;
}

tern_status tern_lstsq(tern_tensor *a, tern_tensor *b, double rcond, tern_tensor **x,
                       tern_tensor **residuals, tern_tensor **rank, tern_tensor **singular) {
    tern_tensor **outs[] = {x, residuals, rank, singular};
    for (int i = 0; i < 4; i++)
        if (outs[i] != NULL)
            *outs[i] = NULL;
    tern__linalg l;
    least problem = {.rcond = rcond};
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_LSTSQ, a, false));
    TERN__TRY(tern__linalg_right(&l, b, &problem.b));
    if (isnan(rcond))
        TERN__TRY(tern__fail(TERN_E_ARGUMENT, "lstsq: rcond is not a number"));
    if (rcond < 0)
        problem.rcond = (double)tern__max_i64(l.rows, l.columns) * tern__linalg_epsilon(&l);
    problem.tall = tern__max_i64(l.rows, l.columns);
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(make_results(&l, &problem, b->rank == 1, x, residuals, rank, singular));
    TERN__TRY(make_scratch(&l, &problem));
    for (; l.index < l.count; l.index++)
        TERN__TRY(solve_one(&l, &problem));
done:
    return tern__linalg_finish(&l, status);
}
