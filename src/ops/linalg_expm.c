/* SPDX-License-Identifier: MIT
 * The matrix exponential (Higham 2005, "The Scaling and Squaring Method for the Matrix Exponential
 * Revisited", algorithm 2.3): the [m/m] Pade approximant is (-U + V)^-1 (U + V) with U the odd and
 * V the even part of one polynomial. All of it in F64, column-major, n x n. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "ops/linalg.h"

/* Table 2.3 of the paper: the largest norm at which a degree is as good as F64, and the
 * coefficients of its polynomial (2.6), lowest power first. */
typedef struct pade {
    int degree;
    double largest_norm;
    double coefficients[14];
} pade;

static const pade approximants[] = {
    {3, 1.495585217958292e-2, {120, 60, 12, 1}},
    {5, 2.539398330063230e-1, {30240, 15120, 3360, 420, 30, 1}},
    {7, 9.504178996162932e-1, {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1}},
    {9,
     2.097847961257068,
     {17643225600.0, 8821612800.0, 2075673600.0, 302702400.0, 30270240.0, 2162160.0, 110880.0,
      3960.0, 90.0, 1.0}},
    {13,
     5.371920351148152,
     {64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
      129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
      960960.0, 16380.0, 182.0, 1.0}},
};
enum { DEGREES = sizeof approximants / sizeof *approximants };

/* power[i], 1 <= i: A^(2i), as far as the degree needs them; power[0] is spare memory. */
typedef struct workspace {
    double *a, *power[5], *u, *v; /* (n, n) */
    int32_t *pivots;              /* (n) */
} workspace;

static tern_status make_workspace(tern__linalg *l, workspace *w) {
    double **all[] = {&w->a,        &w->power[0], &w->power[1], &w->power[2],
                      &w->power[3], &w->power[4], &w->u,        &w->v};
    void *data;
    tern_status status;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        TERN__TRY(tern__linalg_scratch_of(l, TERN_F64, l->rows, l->rows, &data));
        *all[i] = data;
    }
    TERN__TRY(tern__linalg_scratch_of(l, TERN_I32, l->rows, 1, &data));
    w->pivots = data;
done:
    return status;
}

static void multiply(tern__linalg *l, const double *a, const double *b, double *c) {
    tern__lapack_product(l, l->rows, l->rows, l->rows, 1, a, b, l->rows, 0, c);
}

static double norm_one(int64_t n, const double *a) {
    double largest = 0;
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += fabs(a[j * n + i]);
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

/* to = sum of factors[2 i] power[i] for i <= last, power[0] being the identity. */
static void combine(const workspace *w, int64_t n, const double *factors, int last, double *to) {
    memset(to, 0, (size_t)(n * n) * sizeof *to);
    for (int i = last; i >= 1; i--)
        for (int64_t k = 0; k < n * n; k++)
            to[k] = fma(factors[2 * i], w->power[i][k], to[k]);
    for (int64_t k = 0; k < n; k++)
        to[k * n + k] += factors[0];
}

/* u and v by even powers up to `degree` - 1. */
static void small_degree(tern__linalg *l, workspace *w, const pade *p) {
    combine(w, l->rows, p->coefficients + 1, p->degree / 2, w->power[0]);
    multiply(l, w->a, w->power[0], w->u);
    combine(w, l->rows, p->coefficients, p->degree / 2, w->v);
}

/* to = A^6 (f12 A^6 + f10 A^4 + f8 A^2) + f6 A^6 + f4 A^4 + f2 A^2 + f0 I; uses power[4]. */
static void split_at_six(tern__linalg *l, workspace *w, const double *factors, double *to) {
    const double high[] = {0, 0, factors[8], 0, factors[10], 0, factors[12]};
    combine(w, l->rows, high, 3, w->power[4]);
    combine(w, l->rows, factors, 3, to);
    tern__lapack_product(l, l->rows, l->rows, l->rows, 1, w->power[3], w->power[4], l->rows, 1, to);
}

static void degree_thirteen(tern__linalg *l, workspace *w, const pade *p) {
    split_at_six(l, w, p->coefficients + 1, w->power[0]);
    multiply(l, w->a, w->power[0], w->u);
    split_at_six(l, w, p->coefficients, w->v);
}

/* The first degree that is good enough; a larger norm is halved `squarings` times for the last. */
static const pade *choose(double norm, int *squarings) {
    const pade *last = &approximants[DEGREES - 1];
    *squarings = 0;
    for (const pade *p = approximants; p <= last; p++)
        if (norm <= p->largest_norm)
            return p;
    double fraction = frexp(norm / last->largest_norm, squarings);
    *squarings -= fraction == 0.5; /* an exact power of two */
    return last;
}

/* w->a becomes its exponential. */
static tern_status exponential(tern__linalg *l, workspace *w) {
    int64_t n = l->rows;
    int squarings;
    tern_status status = tern__linalg_finite(l, w->a, n, n);
    if (status != TERN_OK)
        return status;
    double norm = norm_one(n, w->a);
    if (isinf(norm))
        return tern__fail(TERN_E_LIMIT, "%s: the norm of matrix %lld has no finite value", l->op,
                          (long long)l->index);
    const pade *p = choose(norm, &squarings);
    for (int64_t k = 0; k < n * n; k++)
        w->a[k] = ldexp(w->a[k], -squarings);
    multiply(l, w->a, w->a, w->power[1]);
    for (int i = 2; i <= (p->degree == 13 ? 3 : p->degree / 2); i++)
        multiply(l, w->power[i - 1], w->power[1], w->power[i]);
    if (p->degree == 13)
        degree_thirteen(l, w, p);
    else
        small_degree(l, w, p);
    for (int64_t k = 0; k < n * n; k++) {
        w->a[k] = w->v[k] + w->u[k];
        w->v[k] -= w->u[k];
    }
    status = tern__lapack_solve(l, n, n, w->v, w->pivots, w->a);
    for (int i = 0; i < squarings && status == TERN_OK; i++) {
        multiply(l, w->a, w->a, w->u);
        memcpy(w->a, w->u, (size_t)(n * n) * sizeof *w->a);
    }
    return status;
}

/* Between the call's own type and F64, in place. */
static void widen(const tern__linalg *l, double *matrix) {
    for (int64_t i = l->rows * l->rows - 1; l->dtype == TERN_F32 && i >= 0; i--)
        matrix[i] = tern__linalg_get(l, matrix, i);
}

static void narrow(const tern__linalg *l, double *matrix) {
    for (int64_t i = 0; l->dtype == TERN_F32 && i < l->rows * l->rows; i++)
        tern__linalg_put(l, matrix, i, matrix[i]);
}

tern_status tern_expm(tern_tensor *a, tern_tensor **out) {
    *out = NULL;
    tern__linalg l;
    workspace w;
    tern_status status;
    TERN__TRY(tern__linalg_begin(&l, TERN__OP_EXPM, a, true));
    TERN__TRY(tern__linalg_open(&l));
    TERN__TRY(tern__linalg_result(&l, 2, l.rows, l.rows, out));
    TERN__TRY(make_workspace(&l, &w));
    for (; l.index < l.count; l.index++) {
        tern__linalg_load(&l, &l.a, w.a, l.rows);
        widen(&l, w.a);
        l.dtype = TERN_F64;
        TERN__TRY(exponential(&l, &w));
        l.dtype = (tern_dtype)a->dtype;
        narrow(&l, w.a);
        tern__linalg_store(&l, w.a, l.rows, 0);
    }
done:
    return tern__linalg_finish(&l, status);
}
