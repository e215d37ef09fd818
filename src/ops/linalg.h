/* SPDX-License-Identifier: MIT
 *
 * What the functions of <tern/linalg.h> share: a call checks its operands, makes results, walks the
 * batch with column-major copies in memory of the context, and ends in tern__linalg_finish:
 *
 *     tern__linalg l;
 *     tern_status status;
 *     TERN__TRY(tern__linalg_begin(&l, TERN__OP_INV, a, true));
 *     TERN__TRY(tern__linalg_open(&l));
 *     TERN__TRY(tern__linalg_result(&l, 2, n, n, out));
 *     ...
 *     done:
 *         return tern__linalg_finish(&l, status);
 */
#ifndef TERN__LINALG_H
#define TERN__LINALG_H

#include <tern/linalg.h>

#include "ops/lapack.h"
#include "tensor/tensor.h"

enum { TERN__LINALG_SCRATCH = 16, TERN__LINALG_RESULTS = 4 };

/* One operand as a batch of matrices that are read where they lie; strides in elements. */
typedef struct tern__matrices {
    const tern_tensor *tensor;
    int64_t rows, columns, row_stride, column_stride;
    int lead; /* leading axes; they broadcast to the call's */
} tern__matrices;

typedef struct tern__linalg {
    tern__op id;
    const char *op; /* its name */
    tern_context *context;
    tern_dtype dtype;           /* F32 or F64 */
    const tern__lapack *lapack; /* both precisions; NULL before tern__linalg_open */
    tern__matrices a;
    int64_t rows, columns, smaller; /* of a */
    tern_shape lead;                /* the batch */
    int64_t count;                  /* matrices in it; 0 while no result has an element */
    int64_t bytes;                  /* of the operands, which are copied */
    int64_t index;                  /* the one in hand, for messages */
    tern_tensor *scratch[TERN__LINALG_SCRATCH];
    int scratches;
    struct {
        tern_tensor *tensor, **out;
    } results[TERN__LINALG_RESULTS];
    int result_count;
    /* Workspace of the routines: the largest that was asked for so far. */
    tern_tensor *work, *integers;
} tern__linalg;

/* Starts a call on `a`; finish is due whatever comes back. */
tern_status tern__linalg_begin(tern__linalg *l, tern__op id, tern_tensor *a, bool is_square);
/* A second operand with as many rows as a: its leading axes join the batch. Rank 1: a vector, one
 * column. */
tern_status tern__linalg_right(tern__linalg *l, tern_tensor *b, tern__matrices *right);
/* From here on LAPACK may be called. */
tern_status tern__linalg_open(tern__linalg *l);

/* A result: the batch's axes and `rank` (0..2) more. */
tern_status tern__linalg_result(tern__linalg *l, int rank, int64_t dim0, int64_t dim1,
                                tern_tensor **out);
tern_status tern__linalg_integers(tern__linalg *l, int rank, int64_t dim0, tern_tensor **out);

/* Memory for a column-major matrix of the call's type, gone at the end. */
tern_status tern__linalg_scratch(tern__linalg *l, int64_t rows, int64_t columns, void **data);
tern_status tern__linalg_scratch_of(tern__linalg *l, tern_dtype dtype, int64_t rows,
                                    int64_t columns, void **data);

/* Releases the scratch memory; hands the results out, or releases them when status is a failure.
 * Returns status. The one place through which every call ends. */
tern_status tern__linalg_finish(tern__linalg *l, tern_status status);

/* -- moving elements ---------------------------------------------------------------------------*/

/* Matrix l->index of the operand to a column-major one with columns `step` apart. */
void tern__linalg_load(const tern__linalg *l, const tern__matrices *from, void *to, int64_t step);
/* Makes the column-major matrix the one of the result at l->index; a result of rank 1 more than the
 * batch takes one column. */
void tern__linalg_store(const tern__linalg *l, const void *from, int64_t step, int result);
/* The elements of result `result` that belong to matrix l->index. */
void *tern__linalg_place(const tern__linalg *l, int result);

/* Puts ones into the diagonal and zeros elsewhere. */
void tern__linalg_identity(const tern__linalg *l, void *matrix, int64_t rows, int64_t columns);

double tern__linalg_get(const tern__linalg *l, const void *data, int64_t i);
void tern__linalg_put(const tern__linalg *l, void *data, int64_t i, double value);
/* The distance from 1 to the next larger number. */
double tern__linalg_epsilon(const tern__linalg *l);

/* TERN_E_ARGUMENT when the matrix (rows, columns) of the batch's index has an element that is not
 * finite. */
tern_status tern__linalg_finite(const tern__linalg *l, const void *matrix, int64_t rows,
                                int64_t columns);

/* -- LAPACK, one matrix at a time ---------------------------------------------------------------
 * Column-major, columns as far apart as they are long unless said otherwise. Dimensions of 0 are
 * fine: nothing is called. What was `a` is used up. */

/* b (n, columns) becomes the solution; pivots has n elements. */
tern_status tern__lapack_solve(tern__linalg *l, int64_t n, int64_t columns, void *a,
                               int32_t *pivots, void *b);
/* a (m, n) becomes l and u, pivots min(m, n) numbers from 1 on. */
tern_status tern__lapack_lu(tern__linalg *l, int64_t m, int64_t n, void *a, int32_t *pivots);
/* The lower triangle of a (n, n) becomes the factor. */
tern_status tern__lapack_cholesky(tern__linalg *l, int64_t n, void *a);
/* a (m, n) becomes r above reflectors; tau: min(m, n). */
tern_status tern__lapack_qr(tern__linalg *l, int64_t m, int64_t n, void *a, void *tau);
/* The first k columns of a (m, n), n <= m, are reflectors; a becomes q. */
tern_status tern__lapack_q(tern__linalg *l, int64_t m, int64_t n, int64_t k, void *a,
                           const void *tau);
/* job: 'A' all of u (m, m) and vt (n, n), 'S' k columns and rows of them, 'N' s alone. */
tern_status tern__lapack_svd(tern__linalg *l, char job, int64_t m, int64_t n, void *a, void *u,
                             void *s, void *vt);
/* a (n, n) becomes the eigenvectors when they are wanted. */
tern_status tern__lapack_eigh(tern__linalg *l, bool has_vectors, int64_t n, void *a, void *w);
/* v (n, n): NULL, or for a pair of complex eigenvalues a column with the real and one with the
 * imaginary part. */
tern_status tern__lapack_eig(tern__linalg *l, int64_t n, void *a, void *w_real, void *w_imag,
                             void *v);
/* b (max(m, n), columns) becomes x in its first n rows; columns >= 1. */
tern_status tern__lapack_least(tern__linalg *l, int64_t m, int64_t n, int64_t columns, void *a,
                               void *b, double rcond, void *s, int32_t *rank);
/* c (m, n) = alpha a (m, k) b (k, n) + beta c; columns of b are `b_step` apart. */
void tern__lapack_product(tern__linalg *l, int64_t m, int64_t n, int64_t k, double alpha,
                          const void *a, const void *b, int64_t b_step, double beta, void *c);

#endif
