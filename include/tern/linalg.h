/* SPDX-License-Identifier: MIT
 *
 * Linear algebra: systems, factorisations, eigenvalues, norms.
 *
 *     tern_tensor *q = NULL, *r = NULL;
 *     if (tern_qr(a, true, &q, &r) != TERN_OK)
 *         fprintf(stderr, "%s\n", tern_last_error());
 *
 * The work is done by the LAPACK that the machine has: OpenBLAS, the reference LAPACK or Apple's
 * Accelerate, opened at the first use; the environment variable TERN_LAPACK names another library
 * (32-bit integers, Fortran names with an underscore). Without one every function but the simple
 * norms is TERN_E_UNSUPPORTED.
 *
 * These functions are outside the promise of equal bits: results depend on that library and on the
 * processor. They do not depend on the number of threads: OpenBLAS works with one while a function
 * of this header runs anywhere in the process, and has its own number back afterwards.
 *
 * Operands are F32 or F64 matrices (..., M, N) of any strides, all operands of a call of one type;
 * leading axes are a batch, and those of two operands broadcast. Results are fresh and contiguous.
 * After a failure all results are NULL. K = min(M, N) below.
 *
 * Errors: TERN_E_DTYPE; TERN_E_SHAPE for what is not square where it must be, with the shape;
 * TERN_E_ARGUMENT for a matrix that is singular (with the pivot) or not positive definite, or has
 * elements that are not finite where an iteration would not end well (all that needs singular
 * values or eigenvalues, and tern_expm); TERN_E_LIMIT when an iteration does not converge or a
 * size is beyond 32 bits; TERN_E_UNSUPPORTED; TERN_E_MEMORY.
 */
#ifndef TERN_LINALG_H
#define TERN_LINALG_H

#include <tern/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- systems -----------------------------------------------------------------------------------*/

/* x with a x = b: a (..., N, N), b (..., N, R); or b (N), a vector for every matrix: (..., N). */
TERN_API tern_status tern_solve(tern_tensor *a, tern_tensor *b, tern_tensor **out);
TERN_API tern_status tern_inv(tern_tensor *a, tern_tensor **out);
/* (...), 0 for singular matrices, 1 for 0 x 0. */
TERN_API tern_status tern_det(tern_tensor *a, tern_tensor **out);
/* det = sign * exp(log_abs); singular: 0 and -infinity. */
TERN_API tern_status tern_slogdet(tern_tensor *a, tern_tensor **sign, tern_tensor **log_abs);
/* x (..., N, R) of least length among those that make the length of b - a x least: a (..., M, N),
 * b (..., M, R); or b (M): x (..., N). Singular values up to rcond times the largest count as 0;
 * rcond < 0: max(M, N) epsilon. Each of the others may be NULL: residuals (..., R), or (...) for a
 * vector, the squared lengths of b - a x; rank (...) I64; singular (..., K), descending. */
TERN_API tern_status tern_lstsq(tern_tensor *a, tern_tensor *b, double rcond, tern_tensor **x,
                                tern_tensor **residuals, tern_tensor **rank,
                                tern_tensor **singular);
/* (..., N, M) by singular values; rcond as in tern_lstsq. */
TERN_API tern_status tern_pinv(tern_tensor *a, double rcond, tern_tensor **out);

/* -- factorisations ----------------------------------------------------------------------------*/

/* Row i of l u is row p[i] of a: p (..., M) I64, l (..., M, K) with ones in its diagonal,
 * u (..., K, N). Singular matrices have one too. */
TERN_API tern_status tern_lu(tern_tensor *a, tern_tensor **p, tern_tensor **l, tern_tensor **u);
/* a = q r: q (..., M, K) and r (..., K, N) when reduced, else (..., M, M) and (..., M, N). */
TERN_API tern_status tern_qr(tern_tensor *a, bool reduced, tern_tensor **q, tern_tensor **r);
/* The lower l with l l^T = a. The upper triangle of a is not read. */
TERN_API tern_status tern_cholesky(tern_tensor *a, tern_tensor **out);
/* a = u diag(s) vt: s (..., K) descending, u (..., M, K) and vt (..., K, N); when full, u
 * (..., M, M) and vt (..., N, N). u and vt may both be NULL. */
TERN_API tern_status tern_svd(tern_tensor *a, bool full, tern_tensor **u, tern_tensor **s,
                              tern_tensor **vt);
/* Of symmetric matrices: eigenvalues w (..., N) ascending, eigenvectors in the columns of v
 * (..., N, N). The upper triangle of a is not read. v may be NULL. */
TERN_API tern_status tern_eigh(tern_tensor *a, tern_tensor **w, tern_tensor **v);
/* Eigenvalues (..., N) of any order, and eigenvectors of length 1 in columns (..., N, N), as real
 * and imaginary parts. Both parts of v may be NULL. */
TERN_API tern_status tern_eig(tern_tensor *a, tern_tensor **w_real, tern_tensor **w_imag,
                              tern_tensor **v_real, tern_tensor **v_imag);

/* -- numbers and functions of matrices ----------------------------------------------------------*/

/* (...) I64: singular values above `tol`; tol < 0: max(M, N) epsilon times the largest. */
TERN_API tern_status tern_matrix_rank(tern_tensor *a, double tol, tern_tensor **out);
/* (...): the largest singular value over the least, infinity for 0. TERN_E_SHAPE when K is 0. */
TERN_API tern_status tern_cond(tern_tensor *a, tern_tensor **out);

typedef enum tern_matrix_norm_kind {
    TERN_MATRIX_FRO = 0,     /* square root of the sum of squares */
    TERN_MATRIX_NUC = 1,     /* sum of singular values */
    TERN_MATRIX_ONE = 2,     /* largest sum of magnitudes of a column */
    TERN_MATRIX_ONE_MIN = 3, /* least one */
    TERN_MATRIX_TWO = 4,     /* largest singular value */
    TERN_MATRIX_TWO_MIN = 5, /* least one */
    TERN_MATRIX_INF = 6,     /* largest sum of magnitudes of a row */
    TERN_MATRIX_INF_MIN = 7, /* least one */
} tern_matrix_norm_kind;

/* (...). A NaN gives NaN where no singular values are needed. Of matrices without elements: 0;
 * TERN_E_SHAPE for the least of no numbers. */
TERN_API tern_status tern_matrix_norm(tern_tensor *a, tern_matrix_norm_kind kind,
                                      tern_tensor **out);
/* The exponential of square matrices, by scaling and squaring with Pade approximants (Higham 2005,
 * algorithm 2.3). F32 is worked out in F64. */
TERN_API tern_status tern_expm(tern_tensor *a, tern_tensor **out);

#ifdef __cplusplus
}
#endif

#ifndef TERN_NO_SITES
#define TERN_SITES_LINALG
#include <tern/sites.h>
#endif
#endif
