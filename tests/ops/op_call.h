/* SPDX-License-Identifier: MIT
 * One call of a case: what a caller of op_callers.h gets, and parts of calls. */
#ifndef TERN_TEST_OP_CALL_H
#define TERN_TEST_OP_CALL_H

#include "op_cases.h"

typedef struct op_call {
    const op_case *c;
    tern_context *context;
    tern_tensor *in[OP_TENSORS]; /* NULL where the case has none */
    tern_tensor *out[OP_TENSORS];
    tern_tensor *into;
} op_call;

typedef tern_status (*op_caller)(op_call *k);

/* -- parts of calls ----------------------------------------------------------------------------*/

#define OP_FORMS(name, ...)                                                                        \
    (k->into != NULL ? tern_##name##_into(__VA_ARGS__, k->into)                                    \
                     : tern_##name(__VA_ARGS__, &k->out[0]))

#define OP_CALLER(name) static tern_status call_##name(op_call *k)

/* The integers from `at` on. */
static inline tern_shape op_shape(const op_call *k, int at) {
    tern_shape shape = {.rank = k->c->integer_count - at};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = k->c->integers[at + i];
    return shape;
}

/* A count, -1 for all, then so many axes. */
static inline tern_axes op_axes(const op_call *k, int at) {
    tern_axes axes = {.count = (int)k->c->integers[at]};
    for (int i = 0; i < axes.count; i++)
        axes.axis[i] = (int)k->c->integers[at + 1 + i];
    return axes;
}

static inline int op_int(const op_call *k, int at) {
    return (int)k->c->integers[at];
}

static inline tern_dtype op_dtype(const op_call *k, int at) {
    return (tern_dtype)k->c->integers[at];
}

#endif
