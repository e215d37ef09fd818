/* SPDX-License-Identifier: MIT
 * Every call of a LAPACK routine, with its workspace and what its `info` means. */
#include "base/checked.h"
#include "base/status.h"
#include "ops/linalg.h"

/* LAPACK's integers; dimensions are checked where a call begins. */
static int32_t as_int(int64_t n) {
    return (int32_t)n;
}

/* The distance of columns is at least 1. */
static int32_t as_step(int64_t n) {
    return (int32_t)tern__max_i64(n, 1);
}

static const tern__lapack *routines(const tern__linalg *l) {
    return &l->lapack[l->dtype == TERN_F64 ? TERN__LAPACK_F64 : TERN__LAPACK_F32];
}

/* -- workspace ---------------------------------------------------------------------------------*/

/* Makes *work at least `count` elements long. */
static tern_status grow(tern__linalg *l, tern_dtype dtype, int64_t count, tern_tensor **work) {
    if (*work != NULL && (*work)->dims[0] >= count)
        return TERN_OK;
    tern_tensor_release(*work);
    *work = NULL;
    return tern__tensor_empty(l->context, dtype, &(tern_shape){1, {tern__max_i64(count, 1)}}, l->op,
                              work);
}

/* From the answer to a query of workspace: a float rounds large numbers, so one more step of it is
 * asked for. */
static tern_status grow_as_asked(tern__linalg *l, const void *answer, int32_t *lwork) {
    double asked = tern__linalg_get(l, answer, 0) * (1 + tern__linalg_epsilon(l));
    if (!(asked < INT32_MAX - 1))
        return tern__fail(TERN_E_LIMIT,
                          "%s: LAPACK's workspace for (%lld, %lld) has no 32-bit size", l->op,
                          (long long)l->rows, (long long)l->columns);
    *lwork = (int32_t)asked + 1;
    return grow(l, l->dtype, *lwork, &l->work);
}

static void *data_of(const tern_tensor *work) {
    return work != NULL ? work->data : NULL;
}

static const int32_t query = -1;

/* -- findings ----------------------------------------------------------------------------------*/

/* `info` of a routine that can find nothing. */
static tern_status check_info(const tern__linalg *l, const char *routine, int32_t info) {
    if (info >= 0)
        return TERN_OK;
    return tern__fail(TERN_E_INTERNAL, "%s: LAPACK's %s rejects its argument %d", l->op, routine,
                      (int)-info);
}

static tern_status check_converged(const tern__linalg *l, const char *routine, int32_t info) {
    if (info <= 0)
        return check_info(l, routine, info);
    return tern__fail(TERN_E_LIMIT, "%s: matrix %lld: no convergence", l->op, (long long)l->index);
}

/* -- routines ----------------------------------------------------------------------------------*/

tern_status tern__lapack_solve(tern__linalg *l, int64_t n, int64_t columns, void *a,
                               int32_t *pivots, void *b) {
    int32_t size = as_int(n), count = as_int(columns), step = as_step(n), info = 0;
    if (n == 0)
        return TERN_OK;
    routines(l)->gesv(&size, &count, a, &step, pivots, b, &step, &info);
    if (info <= 0)
        return check_info(l, "gesv", info);
    return tern__fail(TERN_E_ARGUMENT, "%s: matrix %lld is singular: pivot %d is 0", l->op,
                      (long long)l->index, (int)info - 1);
}

tern_status tern__lapack_lu(tern__linalg *l, int64_t m, int64_t n, void *a, int32_t *pivots) {
    int32_t rows = as_int(m), columns = as_int(n), step = as_step(m), info = 0;
    if (m == 0 || n == 0)
        return TERN_OK;
    routines(l)->getrf(&rows, &columns, a, &step, pivots, &info);
    return check_info(l, "getrf", info);
}

tern_status tern__lapack_cholesky(tern__linalg *l, int64_t n, void *a) {
    int32_t size = as_int(n), step = as_step(n), info = 0;
    if (n == 0)
        return TERN_OK;
    routines(l)->potrf("L", &size, a, &step, &info, 1);
    if (info <= 0)
        return check_info(l, "potrf", info);
    return tern__fail(TERN_E_ARGUMENT, "%s: matrix %lld is not positive definite: pivot %d", l->op,
                      (long long)l->index, (int)info - 1);
}

tern_status tern__lapack_qr(tern__linalg *l, int64_t m, int64_t n, void *a, void *tau) {
    int32_t rows = as_int(m), columns = as_int(n), step = as_step(m), lwork, info = 0;
    if (m == 0 || n == 0)
        return TERN_OK;
    double answer[1] = {0};
    routines(l)->geqrf(&rows, &columns, a, &step, tau, answer, &query, &info);
    tern_status status = grow_as_asked(l, answer, &lwork);
    if (status != TERN_OK)
        return status;
    routines(l)->geqrf(&rows, &columns, a, &step, tau, data_of(l->work), &lwork, &info);
    return check_info(l, "geqrf", info);
}

tern_status tern__lapack_q(tern__linalg *l, int64_t m, int64_t n, int64_t k, void *a,
                           const void *tau) {
    int32_t rows = as_int(m), columns = as_int(n), reflectors = as_int(k), step = as_step(m), lwork;
    int32_t info = 0;
    if (m == 0 || n == 0)
        return TERN_OK;
    double answer[1] = {0};
    routines(l)->orgqr(&rows, &columns, &reflectors, a, &step, tau, answer, &query, &info);
    tern_status status = grow_as_asked(l, answer, &lwork);
    if (status != TERN_OK)
        return status;
    routines(l)->orgqr(&rows, &columns, &reflectors, a, &step, tau, data_of(l->work), &lwork,
                       &info);
    return check_info(l, "orgqr", info);
}

/* Without singular values the full u and vt are identities. */
static void svd_of_nothing(const tern__linalg *l, char job, int64_t m, int64_t n, void *u,
                           void *vt) {
    if (job == 'A') {
        tern__linalg_identity(l, u, m, m);
        tern__linalg_identity(l, vt, n, n);
    }
}

tern_status tern__lapack_svd(tern__linalg *l, char job, int64_t m, int64_t n, void *a, void *u,
                             void *s, void *vt) {
    int64_t k = tern__min_i64(m, n);
    int32_t rows = as_int(m), columns = as_int(n), step = as_step(m), lwork, info = 0;
    int32_t vt_step = as_step(job == 'A' ? n : k);
    if (k == 0) {
        svd_of_nothing(l, job, m, n, u, vt);
        return TERN_OK;
    }
    tern_status status = tern__linalg_finite(l, a, m, n);
    if (status == TERN_OK)
        status = grow(l, TERN_I32, 8 * k, &l->integers);
    if (status != TERN_OK)
        return status;
    double answer[1] = {0};
    int32_t *iwork = data_of(l->integers);
    routines(l)->gesdd(&job, &rows, &columns, a, &step, s, u, &step, vt, &vt_step, answer, &query,
                       iwork, &info, 1);
    status = grow_as_asked(l, answer, &lwork);
    if (status != TERN_OK)
        return status;
    routines(l)->gesdd(&job, &rows, &columns, a, &step, s, u, &step, vt, &vt_step, data_of(l->work),
                       &lwork, iwork, &info, 1);
    return check_converged(l, "gesdd", info);
}

tern_status tern__lapack_eigh(tern__linalg *l, bool has_vectors, int64_t n, void *a, void *w) {
    int32_t size = as_int(n), step = as_step(n), lwork, liwork = 1, info = 0;
    const char *job = has_vectors ? "V" : "N";
    if (n == 0)
        return TERN_OK;
    tern_status status = tern__linalg_finite(l, a, n, n);
    if (status != TERN_OK)
        return status;
    double answer[1] = {0};
    routines(l)->syevd(job, "L", &size, a, &step, w, answer, &query, &liwork, &query, &info, 1, 1);
    status = grow_as_asked(l, answer, &lwork);
    if (status == TERN_OK)
        status = grow(l, TERN_I32, liwork, &l->integers);
    if (status != TERN_OK)
        return status;
    routines(l)->syevd(job, "L", &size, a, &step, w, data_of(l->work), &lwork, data_of(l->integers),
                       &liwork, &info, 1, 1);
    return check_converged(l, "syevd", info);
}

tern_status tern__lapack_eig(tern__linalg *l, int64_t n, void *a, void *w_real, void *w_imag,
                             void *v) {
    int32_t size = as_int(n), step = as_step(n), lwork, info = 0;
    const char *job = v != NULL ? "V" : "N";
    if (n == 0)
        return TERN_OK;
    tern_status status = tern__linalg_finite(l, a, n, n);
    if (status != TERN_OK)
        return status;
    double answer[1] = {0};
    routines(l)->geev("N", job, &size, a, &step, w_real, w_imag, NULL, &step, v, &step, answer,
                      &query, &info, 1, 1);
    status = grow_as_asked(l, answer, &lwork);
    if (status != TERN_OK)
        return status;
    routines(l)->geev("N", job, &size, a, &step, w_real, w_imag, NULL, &step, v, &step,
                      data_of(l->work), &lwork, &info, 1, 1);
    return check_converged(l, "geev", info);
}

tern_status tern__lapack_least(tern__linalg *l, int64_t m, int64_t n, int64_t columns, void *a,
                               void *b, double rcond, void *s, int32_t *rank) {
    int32_t rows = as_int(m), size = as_int(n), count = as_int(columns), step = as_step(m);
    int32_t b_step = as_step(tern__max_i64(m, n)), lwork, liwork = 1, info = 0;
    double answer[1] = {0}, threshold[1];
    tern__linalg_put(l, threshold, 0, rcond);
    routines(l)->gelsd(&rows, &size, &count, a, &step, b, &b_step, s, threshold, rank, answer,
                       &query, &liwork, &info);
    tern_status status = grow_as_asked(l, answer, &lwork);
    if (status == TERN_OK)
        status = grow(l, TERN_I32, liwork, &l->integers);
    if (status != TERN_OK)
        return status;
    routines(l)->gelsd(&rows, &size, &count, a, &step, b, &b_step, s, threshold, rank,
                       data_of(l->work), &lwork, data_of(l->integers), &info);
    return check_converged(l, "gelsd", info);
}

void tern__lapack_product(tern__linalg *l, int64_t m, int64_t n, int64_t k, double alpha,
                          const void *a, const void *b, int64_t b_step, double beta, void *c) {
    int32_t rows = as_int(m), columns = as_int(n), inner = as_int(k), step = as_step(m);
    int32_t right_step = as_step(b_step);
    double factors[2];
    tern__linalg_put(l, &factors[0], 0, alpha);
    tern__linalg_put(l, &factors[1], 0, beta);
    routines(l)->gemm("N", "N", &rows, &columns, &inner, &factors[0], a, &step, b, &right_step,
                      &factors[1], c, &step, 1, 1);
}
