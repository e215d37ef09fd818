/* SPDX-License-Identifier: MIT
 *
 * Callers of linear algebra for op_callers.h. Factors whose signs and order are free are multiplied
 * again: then there is one result to expect.
 */
#ifndef TERN_TEST_OP_LINALG_CALLERS_H
#define TERN_TEST_OP_LINALG_CALLERS_H

#include <tern/linalg.h>

#include "op_call.h"

OP_CALLER(solve) {
    return tern_solve(k->in[0], k->in[1], &k->out[0]);
}

OP_CALLER(inv) {
    return tern_inv(k->in[0], &k->out[0]);
}

OP_CALLER(det) {
    return tern_det(k->in[0], &k->out[0]);
}

OP_CALLER(slogdet) {
    return tern_slogdet(k->in[0], &k->out[0], &k->out[1]);
}

OP_CALLER(lstsq) {
    return tern_lstsq(k->in[0], k->in[1], k->c->numbers[0], &k->out[0], NULL, NULL, NULL);
}

OP_CALLER(pinv) {
    return tern_pinv(k->in[0], k->c->numbers[0], &k->out[0]);
}

OP_CALLER(cholesky) {
    return tern_cholesky(k->in[0], &k->out[0]);
}

OP_CALLER(matrix_rank) {
    return tern_matrix_rank(k->in[0], k->c->numbers[0], &k->out[0]);
}

OP_CALLER(cond) {
    return tern_cond(k->in[0], &k->out[0]);
}

OP_CALLER(matrix_norm) {
    return tern_matrix_norm(k->in[0], (tern_matrix_norm_kind)k->c->integers[0], &k->out[0]);
}

OP_CALLER(expm) {
    return tern_expm(k->in[0], &k->out[0]);
}

/* -- factors -----------------------------------------------------------------------------------*/

/* Tensors on the way to a result belong to the scope around the call. */
static inline tern_tensor *op_product(tern_tensor *a, tern_tensor *b) {
    tern_tensor *y = NULL;
    test_ok(tern_matmul(a, b, &y));
    return y;
}

static inline tern_tensor *op_turned(tern_tensor *a) {
    tern_tensor *y = NULL;
    test_ok(tern_tensor_transpose(a, 0, 1, &y));
    return y;
}

static inline tern_tensor *op_times(tern_tensor *a, tern_tensor *b) {
    tern_tensor *y = NULL;
    test_ok(tern_mul(a, b, &y));
    return y;
}

static inline tern_tensor *op_less(tern_tensor *a, tern_tensor *b) {
    tern_tensor *y = NULL;
    test_ok(tern_sub(a, b, &y));
    return y;
}

/* Takes what the call keeps out of its scope. */
static inline tern_status op_end(op_call *k, tern_status status) {
    for (int i = 0; i < OP_TENSORS; i++)
        if (k->out[i] != NULL)
            tern_tensor_keep(k->out[i]);
    tern_scope_end(k->context);
    return status;
}

/* l u, its rows put back. */
OP_CALLER(lu) {
    tern_tensor *p = NULL, *l = NULL, *u = NULL, *places = NULL;
    tern_scope_begin(k->context);
    tern_status status = tern_lu(k->in[0], &p, &l, &u);
    if (status == TERN_OK) {
        test_ok(tern_argsort(p, 0, false, &places));
        test_ok(tern_index_select(op_product(l, u), 0, places, &k->out[0]));
    }
    return op_end(k, status);
}

/* q r and q^T q. */
OP_CALLER(qr) {
    tern_tensor *q = NULL, *r = NULL;
    tern_scope_begin(k->context);
    tern_status status = tern_qr(k->in[0], op_int(k, 0) != 0, &q, &r);
    if (status == TERN_OK) {
        k->out[0] = op_product(q, r);
        k->out[1] = op_product(op_turned(q), q);
    }
    return op_end(k, status);
}

/* u diag(s) vt, and s. */
OP_CALLER(svd) {
    tern_tensor *u = NULL, *s = NULL, *vt = NULL;
    tern_scope_begin(k->context);
    tern_status status = tern_svd(k->in[0], op_int(k, 0) != 0, &u, &s, &vt);
    if (status == TERN_OK) {
        k->out[0] = op_product(op_times(u, s), vt);
        k->out[1] = s;
    }
    return op_end(k, status);
}

/* w, and v diag(w) v^T. */
OP_CALLER(eigh) {
    tern_tensor *w = NULL, *v = NULL;
    tern_scope_begin(k->context);
    tern_status status = tern_eigh(k->in[0], &w, &v);
    if (status == TERN_OK) {
        k->out[0] = w;
        k->out[1] = op_product(op_times(v, w), op_turned(v));
    }
    return op_end(k, status);
}

/* The real parts of w in order, and both parts of a v - v w. */
OP_CALLER(eig) {
    tern_tensor *w = NULL, *wi = NULL, *v = NULL, *vi = NULL;
    tern_scope_begin(k->context);
    tern_status status = tern_eig(k->in[0], &w, &wi, &v, &vi);
    if (status == TERN_OK) {
        test_ok(tern_sort(w, 0, false, &k->out[0]));
        tern_tensor *real = op_less(op_times(v, w), op_times(vi, wi)), *imaginary = NULL;
        test_ok(tern_add(op_times(v, wi), op_times(vi, w), &imaginary));
        k->out[1] = op_less(op_product(k->in[0], v), real);
        k->out[2] = op_less(op_product(k->in[0], vi), imaginary);
    }
    return op_end(k, status);
}

/* X(name) */
/* clang-format off */
#define OP_LINALG(X) \
    X(solve) X(inv) X(det) X(slogdet) X(lstsq) X(pinv) X(cholesky) X(matrix_rank) X(cond) \
    X(matrix_norm) X(expm) X(lu) X(qr) X(svd) X(eigh) X(eig)
/* clang-format on */

#endif
