/* SPDX-License-Identifier: MIT
 * What all operations share: checks of operands, the way from a call to its result, counting. */
#ifndef TERN__CALL_H
#define TERN__CALL_H

#include "base/status.h"
#include "device/device.h"
#include "tensor/dtype.h"
#include "tensor/reach.h"

/* Where a result goes: a fresh tensor for *fresh, or `into`, which the caller has. */
typedef struct tern__target {
    tern_tensor **fresh;
    tern_tensor *into;
} tern__target;

#define TERN__FRESH(out) (*(out) = NULL, (tern__target){.fresh = (out)})
#define TERN__INTO(out)  ((tern__target){.into = (out)})

/* Makes the result (or checks the destination), runs the device's row unless there is no element,
 * counts the call, hands the result out. `call` has everything but the result. A destination that
 * the row cannot write to, or that overlaps an operand in another way than element by element, is
 * reached through a temporary tensor and the call counted as a copy. */
tern_status tern__call(tern__op_call *call, tern_dtype dtype, const tern_shape *shape,
                       tern__target target);

/* A result on its way to the target. tern__call does all of it for an operation that is one row
 * and has its operands in the call. Others open a result, write to call->out, and close it:
 *
 *     tern__result r = {.call = &call, .target = target, .sources = tensors, .count = count};
 *     tern_status status = tern__result_open(&r, dtype, &shape);
 *     if (status == TERN_OK)
 *         status = tern__result_close(&r, write(&call));
 */
typedef struct tern__result {
    tern__op_call *call; /* which operation; tern__result_open sets call->out */
    tern__target target;
    tern_tensor *const *sources; /* what is read while the result is written */
    int count;
    bool is_in_place, needs_detour; /* set by tern__result_open */
} tern__result;

/* Makes call->out: a fresh tensor, the destination, or a temporary tensor for it. */
tern_status tern__result_open(tern__result *result, tern_dtype dtype, const tern_shape *shape);

/* `status` says whether call->out was written. Brings it to the target and counts the call, or
 * releases what was made. Returns the status of both. */
tern_status tern__result_close(tern__result *result, tern_status status);
/* The same for the results of one call, which are counted once, with the sources of the first. */
tern_status tern__results_close(tern__result *results, int count, tern_status status);

/* The checks of tern__result_open of a destination that the caller gave. */
tern_status tern__check_destination(const tern__op_call *call, const tern_tensor *to,
                                    tern_dtype dtype, const tern_shape *shape);

/* Bytes between the first and the last element of one are of the other too. */
bool tern__overlaps(const tern_tensor *a, const tern_tensor *b);

/* Element by element the same memory. */
bool tern__same_view(const tern_tensor *a, const tern_tensor *b);

/* Runs the device's row as it is, without a result of its own and without counting. */
tern_status tern__call_row(const tern__op_call *call);

/* TERN_E_DTYPE unless the type of `t` is in the set. `operand`: "x", "the weight". */
tern_status tern__check_dtype(tern__op op, const char *operand, const tern_tensor *t,
                              uint64_t allowed);

/* TERN_E_SHAPE: "op: shapes (2, 3) and (4,) do not fit". */
tern_status tern__shapes_differ(tern__op op, const tern_tensor *a, const tern_tensor *b);

/* A contiguous tensor with the elements of x: x itself, or a copy, whose bytes are added to
 * call->staged_bytes. Release it with tern__drop. Nothing is written for x itself, no count of
 * references either: it may be a weight that many threads use. */
tern_status tern__as_contiguous(tern_tensor *x, tern__op_call *call, tern_tensor **out);
/* The same for what reads x row by row: its last axis is contiguous, or short enough for a device
 * to gather. x has an axis. */
tern_status tern__as_rows(tern_tensor *x, tern__op_call *call, tern_tensor **out);
/* Such a copy in any case, cast to a plain type. */
tern_status tern__stage(tern_tensor *x, tern_dtype dtype, tern__op_call *call, tern_tensor **out);
void tern__drop(const tern_tensor *x, tern_tensor *contiguous);

/* The type the operands of call (those that are not NULL) are promoted to, into call->type;
 * TERN_E_DTYPE when the table does not list it. Then the type of the result by the table's rule
 * (not GIVEN or PACKED). */
tern_status tern__promote_operands(tern__op_call *call, tern_dtype *result);

/* Both shapes are the same. */
bool tern__same_shape(const tern_tensor *a, const tern_tensor *b);

/* Copies x, broadcast and cast, into `to` (any strides, distinct elements); not counted. */
tern_status tern__transfer(tern_tensor *x, tern_tensor *to);

/* Bytes of the elements, as they are counted. */
int64_t tern__count_bytes(const tern_tensor *t);

#endif
