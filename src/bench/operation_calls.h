/* SPDX-License-Identifier: MIT
 * One call of each row of the table of operations, for what walks that table. */
#ifndef TERN__OPERATION_CALLS_H
#define TERN__OPERATION_CALLS_H

#include "bench/operation_inputs.h"

enum { TERN__CALL_RESULTS = 4 };

typedef struct tern__op_caller {
    const char *name;  /* of the row */
    bool is_laid;      /* what it reads has the layout of the operands */
    bool has_contents; /* its results can be looked at */
    /* `out` has room for TERN__CALL_RESULTS; what is not made there stays as it is. */
    tern_status (*call)(tern_context *context, const tern__operands *in, tern_tensor **out);
} tern__op_caller;

int tern__op_caller_count(void);
const tern__op_caller *tern__op_caller_at(int index);
const tern__op_caller *tern__op_caller_find(const char *name); /* NULL: there is none */

/* Calls once; `out` holds the results, or NULL throughout after a failure. */
tern_status tern__op_call_once(const tern__op_caller *caller, tern_context *context,
                               const tern__operands *in, tern_tensor **out);
void tern__op_results_release(tern_tensor **out);

/* Floating-point (or trit) operations of the call on operands of this side; NaN where bytes say
 * more. */
double tern__op_caller_flops(const tern__op_caller *caller, int64_t side);

#endif
