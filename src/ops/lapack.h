/* SPDX-License-Identifier: MIT
 * The machine's LAPACK, opened at run time. The Fortran interface passes pointers only, so one
 * prototype serves both precisions; each character argument has its length behind the others. */
#ifndef TERN__LAPACK_H
#define TERN__LAPACK_H

#include <stddef.h>
#include <stdint.h>

#include <tern/base.h>

/* Matrices are column-major; `info` is 0, -i for an argument i that is wrong, or a finding. */
typedef struct tern__lapack {
    void (*gesv)(const int32_t *n, const int32_t *nrhs, void *a, const int32_t *lda, int32_t *ipiv,
                 void *b, const int32_t *ldb, int32_t *info);
    void (*getrf)(const int32_t *m, const int32_t *n, void *a, const int32_t *lda, int32_t *ipiv,
                  int32_t *info);
    void (*potrf)(const char *uplo, const int32_t *n, void *a, const int32_t *lda, int32_t *info,
                  size_t uplo_length);
    void (*geqrf)(const int32_t *m, const int32_t *n, void *a, const int32_t *lda, void *tau,
                  void *work, const int32_t *lwork, int32_t *info);
    void (*orgqr)(const int32_t *m, const int32_t *n, const int32_t *k, void *a, const int32_t *lda,
                  const void *tau, void *work, const int32_t *lwork, int32_t *info);
    void (*gesdd)(const char *jobz, const int32_t *m, const int32_t *n, void *a, const int32_t *lda,
                  void *s, void *u, const int32_t *ldu, void *vt, const int32_t *ldvt, void *work,
                  const int32_t *lwork, int32_t *iwork, int32_t *info, size_t jobz_length);
    void (*syevd)(const char *jobz, const char *uplo, const int32_t *n, void *a, const int32_t *lda,
                  void *w, void *work, const int32_t *lwork, int32_t *iwork, const int32_t *liwork,
                  int32_t *info, size_t jobz_length, size_t uplo_length);
    void (*geev)(const char *jobvl, const char *jobvr, const int32_t *n, void *a,
                 const int32_t *lda, void *wr, void *wi, void *vl, const int32_t *ldvl, void *vr,
                 const int32_t *ldvr, void *work, const int32_t *lwork, int32_t *info,
                 size_t jobvl_length, size_t jobvr_length);
    void (*gelsd)(const int32_t *m, const int32_t *n, const int32_t *nrhs, void *a,
                  const int32_t *lda, void *b, const int32_t *ldb, void *s, const void *rcond,
                  int32_t *rank, void *work, const int32_t *lwork, int32_t *iwork, int32_t *info);
    void (*gemm)(const char *transa, const char *transb, const int32_t *m, const int32_t *n,
                 const int32_t *k, const void *alpha, const void *a, const int32_t *lda,
                 const void *b, const int32_t *ldb, const void *beta, void *c, const int32_t *ldc,
                 size_t transa_length, size_t transb_length);
} tern__lapack;

enum { TERN__LAPACK_F32 = 0, TERN__LAPACK_F64 = 1 };

/* Opens LAPACK unless it is open already and keeps it to one thread until the matching leave: both
 * precisions in *lapack. Any thread. TERN_E_UNSUPPORTED, in the name of `op`, when there is none:
 * nothing is to be left then. */
tern_status tern__lapack_enter(const char *op, const tern__lapack **lapack);
void tern__lapack_leave(void);

/* The next enter opens anew. For tests, while nobody is inside. */
void tern__lapack_forget(void);

#endif
