/* SPDX-License-Identifier: MIT */
#include "ops/call.h"

#define SELDOM __attribute__((cold, noinline))

/* -- checks ------------------------------------------------------------------------------------*/

tern_status tern__check_dtype(tern__op op, const char *operand, const tern_tensor *t,
                              uint64_t allowed) {
    if (TERN__UNLIKELY(tern__tensor_is_poison(t)))
        return tern__fail(TERN_E_ARGUMENT, "%s: %s was released", tern__op_name(op), operand);
    if (allowed >> t->dtype & 1)
        return TERN_OK;
    return tern__fail(TERN_E_DTYPE, "%s: %s is %s", tern__op_name(op), operand,
                      tern_dtype_name((tern_dtype)t->dtype));
}

tern_status tern__shapes_differ(tern__op op, const tern_tensor *a, const tern_tensor *b) {
    char text_a[TERN__SHAPE_TEXT], text_b[TERN__SHAPE_TEXT];
    return tern__fail(TERN_E_SHAPE, "%s: shapes %s and %s do not fit", tern__op_name(op),
                      tern__shape_text(a->rank, a->dims, text_a),
                      tern__shape_text(b->rank, b->dims, text_b));
}

bool tern__same_shape(const tern_tensor *a, const tern_tensor *b) {
    bool is_same = a->rank == b->rank;
    for (int i = 0; is_same && i < a->rank; i++)
        is_same = a->dims[i] == b->dims[i];
    return is_same;
}

static tern_dtype result_type(tern__result_rule rule, const tern__op_call *call) {
    tern_dtype type = call->type;
    bool is_float = tern__dtype(type)->is_float;
    switch (rule) {
    case TERN__RESULT_FLOAT:
        return tern__float_for(type);
    case TERN__RESULT_DIVIDE:
    case TERN__RESULT_MEAN:
        return is_float ? type : TERN_F64;
    case TERN__RESULT_SUM:
        return is_float ? type : TERN_I64;
    case TERN__RESULT_PRODUCT:
        return is_float ? type : TERN_I32;
    case TERN__RESULT_BOOL:
        return TERN_BOOL;
    case TERN__RESULT_I64:
        return TERN_I64;
    case TERN__RESULT_F32:
        return TERN_F32;
    case TERN__RESULT_FIRST:
        return (tern_dtype)call->in[0]->dtype;
    default:
        return type;
    }
}

tern_status tern__promote_operands(tern__op_call *call, tern_dtype *result) {
    const tern__op_row *row = &tern__op_rows[call->op];
    for (int i = 0; i < TERN__OPERANDS && call->in[i] != NULL; i++) {
        tern_dtype dtype = (tern_dtype)call->in[i]->dtype;
        if (TERN__UNLIKELY(tern__tensor_is_poison(call->in[i])))
            return tern__fail(TERN_E_ARGUMENT, "%s: operand %d was released", row->info.name, i);
        if (!tern__dtype_is_plain(dtype))
            return tern__fail(TERN_E_DTYPE, "%s: operand %d is %s", row->info.name, i,
                              tern_dtype_name(dtype));
        call->type = i == 0 ? dtype : tern__promote(call->type, dtype);
    }
    /* A float function computes integers in the float type that holds them. */
    if (row->result == TERN__RESULT_FLOAT)
        call->type = tern__float_for(call->type);
    else if (row->result == TERN__RESULT_DIVIDE)
        call->type = result_type(row->result, call);
    if (!(row->info.dtypes >> call->type & 1))
        return tern__fail(TERN_E_DTYPE, "%s: not for %s", row->info.name,
                          tern_dtype_name(call->type));
    *result = result_type(row->result, call);
    return TERN_OK;
}

/* -- overlap -----------------------------------------------------------------------------------*/

bool tern__overlaps(const tern_tensor *a, const tern_tensor *b) {
    tern__span x = tern__tensor_span(a), y = tern__tensor_span(b);
    bool is_empty = x.begin == x.end || y.begin == y.end;
    return !is_empty && x.begin < y.end && y.begin < x.end;
}

bool tern__same_view(const tern_tensor *a, const tern_tensor *b) {
    bool is_same = a->data == b->data && a->dtype == b->dtype && tern__same_shape(a, b);
    for (int i = 0; is_same && i < a->rank; i++)
        is_same = a->dims[i] <= 1 || tern__strides(a)[i] == tern__strides(b)[i];
    return is_same;
}

/* Two elements of a tensor share memory, or it is not easy to see that they do not: its axes, the
 * longest step first, must step over all that the others reach. */
static bool has_shared_elements(const tern_tensor *t) {
    int64_t steps[TERN_MAX_RANK], reaches[TERN_MAX_RANK], within = 0;
    int count = 0;
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] <= 1)
            continue;
        int64_t step = tern__strides(t)[i] < 0 ? -tern__strides(t)[i] : tern__strides(t)[i];
        int at = count++;
        for (; at > 0 && steps[at - 1] > step; at--) {
            steps[at] = steps[at - 1];
            reaches[at] = reaches[at - 1];
        }
        steps[at] = step;
        reaches[at] = step * (t->dims[i] - 1);
    }
    for (int i = 0; i < count; i++) {
        if (steps[i] <= within)
            return true;
        within += reaches[i];
    }
    return false;
}

tern_status tern__check_destination(const tern__op_call *call, const tern_tensor *to,
                                    tern_dtype dtype, const tern_shape *shape) {
    const char *name = tern__op_name(call->op);
    if (TERN__UNLIKELY(tern__tensor_is_poison(to)))
        return tern__fail(TERN_E_ARGUMENT, "%s: the destination was released", name);
    if (to->dtype != dtype)
        return tern__fail(TERN_E_DTYPE, "%s: the destination is %s, the result %s", name,
                          tern_dtype_name((tern_dtype)to->dtype), tern_dtype_name(dtype));
    bool fits = to->rank == shape->rank;
    for (int i = 0; fits && i < shape->rank; i++)
        fits = to->dims[i] == shape->dims[i];
    if (!fits) {
        char have[TERN__SHAPE_TEXT], want[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE, "%s: the destination is %s, the result %s", name,
                          tern__shape_text(to->rank, to->dims, have),
                          tern__shape_text(shape->rank, shape->dims, want));
    }
    if (tern__tensor_is_borrowed(to))
        return tern__fail(TERN_E_ARGUMENT, "%s: the destination is borrowed memory", name);
    if (tern_tensor_count(to) > 0 && has_shared_elements(to))
        return tern__fail(TERN_E_ARGUMENT, "%s: elements of the destination share memory", name);
    return TERN_OK;
}

/* -- running -----------------------------------------------------------------------------------*/

/* An owner has its bytes ready, a view has to multiply. */
int64_t tern__count_bytes(const tern_tensor *t) {
    return (int64_t)(t->flags & TERN__TENSOR_VIEW ? tern_tensor_bytes(t) : tern__owner_bytes(t));
}

/* Operands of a device with memory of its own lie there, those of other contexts do not. */
static SELDOM tern_status misplaced(const tern__op_call *call, const tern_tensor *t) {
    return tern__fail(
        TERN_E_ARGUMENT,
        "%s: on device %s with a tensor that is on %s: tern_tensor_to brings it there",
        tern__op_name(call->op), call->context->device->name, t->context->device->name);
}

tern_status tern__call_row(const tern__op_call *call) {
    tern__device *device = call->context->device;
    const tern__device_memory *memory = call->context->memory;
    for (int i = 0; i < TERN__OPERANDS && call->in[i] != NULL; i++)
        if (TERN__UNLIKELY(call->in[i]->context->memory != memory))
            return misplaced(call, call->in[i]);
    if (TERN__UNLIKELY(call->out != NULL && call->out->context->memory != memory))
        return misplaced(call, call->out);
    if (device->ops[call->op] == NULL)
        return tern__fail(TERN_E_UNSUPPORTED, "%s: device %s does not have it",
                          tern__op_name(call->op), device->name);
    return device->ops[call->op](device, call);
}

tern_status tern__transfer(tern_tensor *x, tern_tensor *to) {
    if (tern_tensor_count(to) == 0)
        return TERN_OK;
    return tern__call_row(
        &(tern__op_call){.op = TERN__OP_COPY, .context = to->context, .in = {x}, .out = to});
}

static void find_route(tern__result *r) {
    const tern_tensor *to = r->target.into;
    tern__writes writes = tern__op_rows[r->call->op].writes;
    r->needs_detour = writes == TERN__WRITES_FRESH && !tern_tensor_is_contiguous(to);
    for (int i = 0; i < r->count; i++) {
        if (!tern__overlaps(r->sources[i], to))
            continue;
        if (writes == TERN__WRITES_ANYWHERE && tern__same_view(r->sources[i], to))
            r->is_in_place = true;
        else
            r->needs_detour = true;
    }
}

/* Bytes that are read of a source. */
static int64_t read_bytes(const tern__result *r, int i) {
    int64_t bytes = tern__count_bytes(r->sources[i]);
    if (!r->call->is_picked || i > 0 || bytes == 0)
        return bytes;
    double of_one = (double)bytes / (double)tern_tensor_count(r->sources[0]); /* exact */
    return (int64_t)(of_one * (double)tern_tensor_count(r->call->out));
}

/* Of class COPY: the bytes that were moved; else all that was read and written. */
static void count_results(const tern__result *results, int count) {
    const tern__result *r = &results[0];
    const tern__op_call *call = r->call;
    tern_op_class op_class = tern__op_rows[call->op].info.op_class;
    int64_t bytes = call->staged_bytes;
    bool needs_detour = false;
    for (int i = 0; i < count; i++)
        needs_detour = needs_detour || results[i].needs_detour;
    if (op_class != TERN_CLASS_MOVE && (needs_detour || bytes > 0))
        op_class = TERN_CLASS_COPY;
    else if (op_class == TERN_CLASS_COMPUTE && r->is_in_place)
        op_class = TERN_CLASS_IN_PLACE;
    bool is_copy = op_class == TERN_CLASS_COPY;
    bool is_all = !is_copy || (bytes == 0 && !needs_detour);
    if (!is_copy)
        for (int i = 0; i < r->count; i++)
            bytes += read_bytes(r, i);
    for (int i = 0; i < count; i++)
        if (is_all || results[i].needs_detour)
            bytes += tern__count_bytes(results[i].call->out);
    tern__count(call->context, call->op, op_class, bytes);
}

tern_status tern__result_open(tern__result *r, tern_dtype dtype, const tern_shape *shape) {
    tern__op_call *call = r->call;
    if (call->context == NULL)
        call->context = r->sources[0]->context;
    call->out = r->target.into;
    r->is_in_place = r->needs_detour = false;
    if (r->target.into != NULL) {
        tern_status status = tern__check_destination(call, r->target.into, dtype, shape);
        if (status != TERN_OK)
            return status;
        find_route(r);
        if (!r->needs_detour)
            return TERN_OK;
    }
    return tern__tensor_empty(call->context, dtype, shape, tern__op_name(call->op), &call->out);
}

tern_status tern__results_close(tern__result *results, int count, tern_status status) {
    for (int i = 0; i < count && status == TERN_OK; i++)
        if (results[i].needs_detour)
            status = tern__transfer(results[i].call->out, results[i].target.into);
    if (status == TERN_OK)
        count_results(results, count);
    for (int i = 0; i < count; i++) {
        tern_tensor *out = results[i].call->out;
        if (status == TERN_OK && results[i].target.fresh != NULL)
            *results[i].target.fresh = out;
        else if (out != results[i].target.into)
            tern_tensor_release(out);
    }
    return status;
}

tern_status tern__result_close(tern__result *r, tern_status status) {
    return tern__results_close(r, 1, status);
}

tern_status tern__call(tern__op_call *call, tern_dtype dtype, const tern_shape *shape,
                       tern__target target) {
    tern__result r = {.call = call, .target = target, .sources = call->in};
    while (r.count < TERN__OPERANDS && call->in[r.count] != NULL)
        r.count++;
    tern_status status = tern__result_open(&r, dtype, shape);
    if (status != TERN_OK)
        return status;
    if (tern__count_bytes(call->out) > 0)
        status = tern__call_row(call);
    return tern__result_close(&r, status);
}

/* -- copies of operands ------------------------------------------------------------------------*/

tern_status tern__as_contiguous(tern_tensor *x, tern__op_call *call, tern_tensor **out) {
    *out = x;
    if (tern_tensor_is_contiguous(x))
        return TERN_OK;
    return tern__stage(x, (tern_dtype)x->dtype, call, out);
}

tern_status tern__as_rows(tern_tensor *x, tern__op_call *call, tern_tensor **out) {
    int64_t last = x->rank - 1, n = x->dims[last];
    *out = x;
    if (tern__strides(x)[last] == 1 || n <= TERN__GATHER_MAX)
        return TERN_OK;
    return tern__stage(x, (tern_dtype)x->dtype, call, out);
}

tern_status tern__stage(tern_tensor *x, tern_dtype dtype, tern__op_call *call, tern_tensor **out) {
    tern_shape shape = tern_tensor_shape(x);
    tern_tensor *copy = NULL;
    *out = NULL;
    tern_status status =
        tern__tensor_empty(x->context, dtype, &shape, tern__op_name(call->op), &copy);
    if (status == TERN_OK)
        status = tern__transfer(x, copy);
    if (status != TERN_OK) {
        tern_tensor_release(copy);
        return status;
    }
    call->staged_bytes += tern__count_bytes(copy);
    *out = copy;
    return TERN_OK;
}

void tern__drop(const tern_tensor *x, tern_tensor *contiguous) {
    if (contiguous != x)
        tern_tensor_release(contiguous);
}
