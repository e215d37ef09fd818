/* SPDX-License-Identifier: MIT
 * What the tests of linear algebra share: a context with guard zones, skipping where there is no
 * LAPACK, tensors as matrices of doubles. */
#ifndef TERN_TEST_LINALG_FIXTURE_H
#define TERN_TEST_LINALG_FIXTURE_H

#include <tern/linalg.h>

#include "context_fixture.h"
#include "ops/lapack.h"

static inline void no_event(void *user, const tern_memory_event *event) {
    (void)user;
    fail_msg("memory event: %s", event->text);
}

/* Guard zones lie around all that LAPACK writes. */
static inline int open_guarded(void **state) {
    (void)state;
    tern_options options = {.threads = 1, .tracking = TERN_TRACK_FULL, .on_memory_event = no_event};
    return tern_context_create(&options, &context) != TERN_OK;
}

/* Prints why and skips where the machine has no LAPACK. */
static inline void need_lapack(void) {
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

static inline matrix make(int64_t batch, int64_t rows, int64_t columns) {
    matrix m = {batch, rows, columns, calloc((size_t)(batch * rows * columns) + 1, sizeof(double))};
    assert_true(m.v != NULL && kept.count < 65536);
    kept.blocks[kept.count++] = m.v;
    return m;
}

static inline int end_test(void **state) {
    while (kept.count > 0)
        free(kept.blocks[--kept.count]);
    return end_scope(state);
}

static inline double element(const tern_tensor *t, int64_t at) {
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
static inline matrix read_as(const tern_tensor *t, int rank) {
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

static inline matrix values_of(const tern_tensor *t) {
    return read_as(t, 2);
}

static inline tern_tensor *from_doubles(tern_dtype dtype, tern_shape shape, const double *v) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_empty(context, dtype, shape, &t));
    for (int64_t i = 0; i < tern_tensor_count(t); i++)
        if (dtype == TERN_F64)
            ((double *)tern_tensor_data(t))[i] = v[i];
        else
            ((float *)tern_tensor_data(t))[i] = (float)v[i];
    return t;
}

static inline double number(tern_tensor *t) {
    matrix m = read_as(t, 0);
    assert_int_equal(m.batch, 1);
    return m.v[0];
}

static inline void check_shape(const tern_tensor *x, tern_shape expected) {
    assert_int_equal(tern_tensor_rank(x), expected.rank);
    assert_true(tern_tensor_is_contiguous(x));
    for (int i = 0; i < expected.rank; i++)
        assert_int_equal(tern_tensor_dim(x, i), expected.dims[i]);
}

#endif
