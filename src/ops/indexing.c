/* SPDX-License-Identifier: MIT
 * Operations that read or write at places which tensors name. The device's rows check the indices
 * before they write. */
#include "ops/call.h"

#define INDICES (TERN__BIT(TERN_I32) | TERN__BIT(TERN_I64))

/* -- shared ------------------------------------------------------------------------------------*/

/* Types by the table; every operand but the index has that of the first. */
static tern_status check_operands(const tern__op_call *call) {
    uint64_t allowed = tern__op_rows[call->op].info.dtypes;
    tern_status status = tern__check_dtype(call->op, "x", call->in[0], allowed);
    if (status == TERN_OK)
        status = tern__check_dtype(call->op, "the index", call->in[1], INDICES);
    if (status == TERN_OK && call->in[2] != NULL && call->in[2]->dtype != call->in[0]->dtype)
        status = tern__fail(TERN_E_DTYPE, "%s: %s into %s", tern__op_name(call->op),
                            tern_dtype_name((tern_dtype)call->in[2]->dtype),
                            tern_dtype_name((tern_dtype)call->in[0]->dtype));
    return status;
}

/* As tern__call, but without elements in the result indices are still checked. */
static tern_status run_row(tern__op_call *call, tern_dtype dtype, const tern_shape *shape,
                           tern__target target) {
    tern__result r = {.call = call, .target = target, .sources = call->in};
    while (call->in[r.count] != NULL)
        r.count++;
    tern_status status = tern__result_open(&r, dtype, shape);
    return status == TERN_OK ? tern__result_close(&r, tern__call_row(call)) : status;
}

static tern_status fail_shape(const tern__op_call *call, int operand, const char *what) {
    char text[TERN__SHAPE_TEXT];
    const tern_tensor *t = call->in[operand];
    return tern__fail(TERN_E_SHAPE, "%s: %s, not %s", tern__op_name(call->op), what,
                      tern__shape_text(t->rank, t->dims, text));
}

/* TERN_E_SHAPE unless t broadcasts to the shape. */
static tern_status check_broadcast(tern__op op, const tern_tensor *t, const tern_shape *shape) {
    tern_shape joined;
    tern_status status = tern__shape_join(tern__op_name(op), shape, t, &joined);
    bool is_same = status != TERN_OK || joined.rank == shape->rank;
    for (int i = 0; status == TERN_OK && is_same && i < shape->rank; i++)
        is_same = joined.dims[i] == shape->dims[i];
    if (is_same)
        return status;
    char text_t[TERN__SHAPE_TEXT], text[TERN__SHAPE_TEXT];
    return tern__fail(TERN_E_SHAPE, "%s: %s does not broadcast to %s", tern__op_name(op),
                      tern__shape_text(t->rank, t->dims, text_t),
                      tern__shape_text(shape->rank, shape->dims, text));
}

/* -- reading -----------------------------------------------------------------------------------*/

static tern_status gather(tern_tensor *x, int axis, tern_tensor *index, tern__target target) {
    tern__op_call call = {.op = TERN__OP_GATHER, .is_picked = true, .in = {x, index}, .axis = axis};
    tern_status status = check_operands(&call);
    if (status == TERN_OK && x->rank != index->rank)
        status = tern__shapes_differ(call.op, x, index);
    if (status == TERN_OK)
        status = tern__check_axis(call.op, x->rank, &call.axis);
    if (status != TERN_OK)
        return status;
    tern_shape shape = tern_tensor_shape(x);
    for (int i = 0; i < x->rank; i++) {
        bool fits = x->dims[i] == index->dims[i] || x->dims[i] == 1 || index->dims[i] == 1;
        if (i == call.axis || (fits && x->dims[i] == 1))
            shape.dims[i] = index->dims[i];
        else if (!fits)
            return tern__shapes_differ(call.op, x, index);
    }
    return run_row(&call, (tern_dtype)x->dtype, &shape, target);
}

tern_status tern_gather(tern_tensor *x, int axis, tern_tensor *index, tern_tensor **out) {
    return gather(x, axis, index, TERN__FRESH(out));
}

tern_status tern_gather_into(tern_tensor *x, int axis, tern_tensor *index, tern_tensor *out) {
    return gather(x, axis, index, TERN__INTO(out));
}

static tern_status index_select(tern_tensor *x, int axis, tern_tensor *index, tern__target target) {
    tern__op_call call = {
        .op = TERN__OP_INDEX_SELECT, .is_picked = true, .in = {x, index}, .axis = axis};
    tern_status status = check_operands(&call);
    if (status == TERN_OK && index->rank != 1)
        status = fail_shape(&call, 1, "the index must be a vector");
    if (status == TERN_OK)
        status = tern__check_axis(call.op, x->rank, &call.axis);
    if (status != TERN_OK)
        return status;
    tern_shape shape = tern_tensor_shape(x);
    shape.dims[call.axis] = index->dims[0];
    return run_row(&call, (tern_dtype)x->dtype, &shape, target);
}

tern_status tern_index_select(tern_tensor *x, int axis, tern_tensor *index, tern_tensor **out) {
    return index_select(x, axis, index, TERN__FRESH(out));
}

tern_status tern_index_select_into(tern_tensor *x, int axis, tern_tensor *index, tern_tensor *out) {
    return index_select(x, axis, index, TERN__INTO(out));
}

static tern_status take(tern_tensor *x, tern_tensor *index, tern__target target) {
    tern__op_call call = {.op = TERN__OP_TAKE, .is_picked = true, .in = {x, index}};
    tern_status status = check_operands(&call);
    tern_shape shape = tern_tensor_shape(index);
    return status == TERN_OK ? run_row(&call, (tern_dtype)x->dtype, &shape, target) : status;
}

tern_status tern_take(tern_tensor *x, tern_tensor *index, tern_tensor **out) {
    return take(x, index, TERN__FRESH(out));
}

tern_status tern_take_into(tern_tensor *x, tern_tensor *index, tern_tensor *out) {
    return take(x, index, TERN__INTO(out));
}

/* -- writing -----------------------------------------------------------------------------------*/

/* In place when the destination is x itself: the row then copies nothing. */
static tern_status write_at(tern__op_call *call, tern__target target) {
    tern_tensor *x = call->in[0];
    tern_shape shape = tern_tensor_shape(x);
    bool is_in_place = target.into != NULL && tern__same_view(x, target.into);
    tern__result r = {.call = call,
                      .target = target,
                      .sources = call->in + is_in_place,
                      .count = 3 - is_in_place};
    tern_status status = tern__result_open(&r, (tern_dtype)x->dtype, &shape);
    return status == TERN_OK ? tern__result_close(&r, tern__call_row(call)) : status;
}

static tern_status scatter(tern__op op, int axis, tern_tensor *const *operands,
                           tern__target target) {
    tern_tensor *x = operands[0], *index = operands[1];
    tern__op_call call = {.op = op, .in = {x, index, operands[2]}, .axis = axis};
    tern_status status = check_operands(&call);
    if (status == TERN_OK && x->rank != index->rank)
        status = tern__shapes_differ(op, x, index);
    if (status == TERN_OK)
        status = tern__check_axis(op, x->rank, &call.axis);
    if (status != TERN_OK)
        return status;
    tern_shape walked = tern_tensor_shape(x);
    walked.dims[call.axis] = index->dims[call.axis];
    status = check_broadcast(op, index, &walked);
    if (status == TERN_OK)
        status = check_broadcast(op, operands[2], &walked);
    return status == TERN_OK ? write_at(&call, target) : status;
}

#define SCATTER_FORMS(SYMBOL, name)                                                                \
    tern_status tern_##name(tern_tensor *x, int axis, tern_tensor *index, tern_tensor *source,     \
                            tern_tensor **out) {                                                   \
        return scatter(TERN__OP_##SYMBOL, axis, (tern_tensor *const[]){x, index, source},          \
                       TERN__FRESH(out));                                                          \
    }                                                                                              \
    tern_status tern_##name##_into(tern_tensor *x, int axis, tern_tensor *index,                   \
                                   tern_tensor *source, tern_tensor *out) {                        \
        return scatter(TERN__OP_##SYMBOL, axis, (tern_tensor *const[]){x, index, source},          \
                       TERN__INTO(out));                                                           \
    }

SCATTER_FORMS(SCATTER, scatter)
SCATTER_FORMS(SCATTER_ADD, scatter_add)

static tern_status put(tern_tensor *x, tern_tensor *index, tern_tensor *values,
                       tern__target target) {
    tern__op_call call = {.op = TERN__OP_PUT, .in = {x, index, values}};
    tern_status status = check_operands(&call);
    tern_shape shape = tern_tensor_shape(index);
    if (status == TERN_OK)
        status = check_broadcast(call.op, values, &shape);
    return status == TERN_OK ? write_at(&call, target) : status;
}

tern_status tern_put(tern_tensor *x, tern_tensor *index, tern_tensor *values, tern_tensor **out) {
    return put(x, index, values, TERN__FRESH(out));
}

tern_status tern_put_into(tern_tensor *x, tern_tensor *index, tern_tensor *values,
                          tern_tensor *out) {
    return put(x, index, values, TERN__INTO(out));
}

/* -- what is set -------------------------------------------------------------------------------*/

/* Counts what is set among `count` elements, then writes the result: `shape` has room for the
 * number of them in its first dimension. */
static tern_status pick(tern__op_call *call, int64_t count, tern_dtype dtype, tern_shape shape,
                        tern__target target) {
    tern_tensor *blocks = NULL;
    int64_t block_count = count / TERN__PICK_BLOCK + (count % TERN__PICK_BLOCK != 0);
    tern_status status;
    call->context = call->in[0]->context;
    TERN__TRY(tern__tensor_empty(call->context, TERN_I64, &TERN_SHAPE(block_count + 1),
                                 tern__op_name(call->op), &blocks));
    call->out = blocks;
    TERN__TRY(tern__call_row(call));
    TERN__TRY(tern__tensor_fetch(blocks, (size_t)block_count * sizeof(int64_t), &shape.dims[0],
                                 sizeof(int64_t)));
    call->detail = &(tern__picks){blocks};
    TERN__TRY(tern__call(call, dtype, &shape, target));
done:
    tern_tensor_release(blocks);
    return status;
}

static tern_status masked_select(tern_tensor *x, tern_tensor *mask, tern__target target) {
    tern__op_call call = {.op = TERN__OP_MASKED_SELECT, .is_picked = true, .in = {x, mask}};
    tern_shape shape = tern_tensor_shape(x);
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__PLAIN);
    if (status == TERN_OK)
        status = tern__check_dtype(call.op, "the mask", mask, TERN__BIT(TERN_BOOL));
    if (status == TERN_OK)
        status = tern__shape_join(tern__op_name(call.op), &shape, mask, &shape);
    if (status != TERN_OK)
        return status;
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++)
        if (__builtin_mul_overflow(count, shape.dims[i], &count))
            return tern__shapes_differ(call.op, x, mask);
    return pick(&call, count, (tern_dtype)x->dtype, TERN_SHAPE(0), target);
}

tern_status tern_masked_select(tern_tensor *x, tern_tensor *mask, tern_tensor **out) {
    return masked_select(x, mask, TERN__FRESH(out));
}

tern_status tern_masked_select_into(tern_tensor *x, tern_tensor *mask, tern_tensor *out) {
    return masked_select(x, mask, TERN__INTO(out));
}

static tern_status nonzero(tern_tensor *x, tern__target target) {
    tern__op_call call = {.op = TERN__OP_NONZERO, .in = {x}};
    tern_status status = tern__check_dtype(call.op, "x", x, TERN__PLAIN);
    if (status != TERN_OK)
        return status;
    return pick(&call, tern_tensor_count(x), TERN_I64, TERN_SHAPE(0, x->rank), target);
}

tern_status tern_nonzero(tern_tensor *x, tern_tensor **out) {
    return nonzero(x, TERN__FRESH(out));
}

tern_status tern_nonzero_into(tern_tensor *x, tern_tensor *out) {
    return nonzero(x, TERN__INTO(out));
}

/* -- one-hot, searching ------------------------------------------------------------------------*/

static tern_status one_hot(tern_tensor *ids, int64_t classes, tern_dtype dtype,
                           tern__target target) {
    tern__op_call call = {.op = TERN__OP_ONE_HOT, .in = {ids}};
    tern_shape shape = tern_tensor_shape(ids);
    tern_status status = tern__check_dtype(call.op, "the tensor of ids", ids, TERN__INTEGERS);
    if (status != TERN_OK)
        return status;
    if (!tern__dtype_is_plain(dtype))
        return tern__fail(TERN_E_DTYPE, "one_hot: no result of type %s", tern_dtype_name(dtype));
    if (classes < 0)
        return tern__fail(TERN_E_ARGUMENT, "one_hot: %lld classes", (long long)classes);
    if (shape.rank == TERN_MAX_RANK)
        return fail_shape(&call, 0, "the ids must have a rank below 8");
    shape.dims[shape.rank++] = classes;
    return run_row(&call, dtype, &shape, target);
}

tern_status tern_one_hot(tern_tensor *ids, int64_t classes, tern_dtype dtype, tern_tensor **out) {
    return one_hot(ids, classes, dtype, TERN__FRESH(out));
}

tern_status tern_one_hot_into(tern_tensor *ids, int64_t classes, tern_dtype dtype,
                              tern_tensor *out) {
    return one_hot(ids, classes, dtype, TERN__INTO(out));
}

static tern_status searchsorted(tern_tensor *sorted, tern_tensor *values, bool right,
                                tern__target target) {
    tern__op_call call = {.op = TERN__OP_SEARCHSORTED, .in = {values, sorted}, .choice = right};
    tern_dtype dtype;
    tern_shape shape = tern_tensor_shape(values);
    tern_status status = tern__promote_operands(&call, &dtype);
    if (status == TERN_OK && sorted->rank != 1)
        status = fail_shape(&call, 1, "what is searched must be a vector");
    return status == TERN_OK ? tern__call(&call, dtype, &shape, target) : status;
}

tern_status tern_searchsorted(tern_tensor *sorted, tern_tensor *values, bool right,
                              tern_tensor **out) {
    return searchsorted(sorted, values, right, TERN__FRESH(out));
}

tern_status tern_searchsorted_into(tern_tensor *sorted, tern_tensor *values, bool right,
                                   tern_tensor *out) {
    return searchsorted(sorted, values, right, TERN__INTO(out));
}
