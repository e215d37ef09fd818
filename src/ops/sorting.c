/* SPDX-License-Identifier: MIT
 * Sorting, the largest, the different ones. */
#include "ops/call.h"

/* -- sort, argsort -----------------------------------------------------------------------------*/

static tern_status sort(tern__op op, tern_tensor *x, int axis, bool descending,
                        tern__target target) {
    tern__op_call call = {.op = op, .in = {x}, .axis = axis, .choice = descending};
    tern_dtype dtype = op == TERN__OP_ARGSORT ? TERN_I64 : (tern_dtype)x->dtype;
    tern_shape shape = tern_tensor_shape(x);
    tern_status status = tern__check_dtype(op, "x", x, TERN__PLAIN);
    if (status == TERN_OK && axis == TERN_FLAT) {
        shape = TERN_SHAPE(tern_tensor_count(x));
        call.axis = -1;
    } else if (status == TERN_OK) {
        status = tern__check_axis(op, x->rank, &call.axis);
    }
    return status == TERN_OK ? tern__call(&call, dtype, &shape, target) : status;
}

tern_status tern_sort(tern_tensor *x, int axis, bool descending, tern_tensor **out) {
    return sort(TERN__OP_SORT, x, axis, descending, TERN__FRESH(out));
}

tern_status tern_sort_into(tern_tensor *x, int axis, bool descending, tern_tensor *out) {
    return sort(TERN__OP_SORT, x, axis, descending, TERN__INTO(out));
}

tern_status tern_argsort(tern_tensor *x, int axis, bool descending, tern_tensor **out) {
    return sort(TERN__OP_ARGSORT, x, axis, descending, TERN__FRESH(out));
}

tern_status tern_argsort_into(tern_tensor *x, int axis, bool descending, tern_tensor *out) {
    return sort(TERN__OP_ARGSORT, x, axis, descending, TERN__INTO(out));
}

/* -- topk --------------------------------------------------------------------------------------*/

tern_status tern_topk(tern_tensor *x, int64_t k, int axis, bool largest, tern_tensor **values,
                      tern_tensor **indices) {
    tern__topk parts = {NULL};
    tern__op_call call = {.op = TERN__OP_TOPK,
                          .context = x->context,
                          .in = {x},
                          .axis = axis,
                          .choice = largest,
                          .detail = &parts};
    tern_shape shape = tern_tensor_shape(x);
    tern_status status;
    *values = NULL;
    if (indices != NULL)
        *indices = NULL;
    TERN__TRY(tern__check_dtype(call.op, "x", x, TERN__PLAIN));
    TERN__TRY(tern__check_axis(call.op, x->rank, &call.axis));
    if (k < 0 || k > x->dims[call.axis])
        return tern__fail(TERN_E_ARGUMENT, "topk: %lld of %lld elements", (long long)k,
                          (long long)x->dims[call.axis]);
    shape.dims[call.axis] = k;
    if (indices != NULL)
        TERN__TRY(tern__tensor_empty(x->context, TERN_I64, &shape, "topk", &parts.indices));
    tern__result r = {.call = &call, .target = {.fresh = values}, .sources = call.in, .count = 1};
    TERN__TRY(tern__result_open(&r, (tern_dtype)x->dtype, &shape));
    status = tern_tensor_count(call.out) > 0 ? tern__call_row(&call) : TERN_OK;
    TERN__TRY(tern__result_close(&r, status));
    if (indices != NULL)
        *indices = parts.indices;
    return TERN_OK;
done:
    tern_tensor_release(parts.indices);
    return status;
}

/* -- unique ------------------------------------------------------------------------------------*/

static tern_status make_places(tern_context *context, int64_t n, tern_tensor **out) {
    return tern__tensor_empty(context, TERN_I64, &TERN_SHAPE(n), "unique", out);
}

/* Sorts: fills order and groups. */
static tern_status find_groups(tern_tensor *x, tern__unique *parts) {
    tern__op_call call = {.op = TERN__OP_UNIQUE, .context = x->context, .in = {x}, .detail = parts};
    tern_status status = make_places(x->context, tern_tensor_count(x), &parts->order);
    if (status == TERN_OK)
        status = make_places(x->context, tern_tensor_count(x), &parts->groups);
    call.out = parts->groups;
    return status == TERN_OK && tern_tensor_count(x) > 0 ? tern__call_row(&call) : status;
}

/* Takes the values, and fills counts and inverse where they are wanted. */
static tern_status describe_groups(tern_tensor *x, tern__unique *parts, tern_tensor *values) {
    tern__op_call describe = {.op = TERN__OP_UNIQUE,
                              .context = x->context,
                              .in = {x},
                              .out = parts->firsts,
                              .detail = parts};
    tern__op_call take = {
        .op = TERN__OP_TAKE, .context = x->context, .in = {x, parts->firsts}, .out = values};
    if (tern_tensor_count(x) == 0)
        return TERN_OK;
    tern_status status = tern__call_row(&describe);
    return status == TERN_OK ? tern__call_row(&take) : status;
}

static tern_status count_groups(const tern__unique *parts, int64_t *count) {
    int64_t n = tern_tensor_count(parts->groups), last = -1;
    tern_status status = TERN_OK;
    if (n > 0)
        status =
            tern__tensor_fetch(parts->groups, (size_t)(n - 1) * sizeof last, &last, sizeof last);
    *count = last + 1;
    return status;
}

tern_status tern_unique(tern_tensor *x, tern_tensor **values, tern_tensor **inverse,
                        tern_tensor **counts) {
    tern__unique parts = {0};
    tern__op_call call = {.op = TERN__OP_UNIQUE, .context = x->context, .in = {x}};
    tern__result r = {.call = &call, .target = {.fresh = values}, .sources = call.in, .count = 1};
    tern_shape shape = tern_tensor_shape(x);
    tern_status status;
    *values = NULL;
    if (inverse != NULL)
        *inverse = NULL;
    if (counts != NULL)
        *counts = NULL;
    TERN__TRY(tern__check_dtype(call.op, "x", x, TERN__PLAIN));
    TERN__TRY(find_groups(x, &parts));
    int64_t count;
    TERN__TRY(count_groups(&parts, &count));
    TERN__TRY(make_places(x->context, count, &parts.firsts));
    if (inverse != NULL)
        TERN__TRY(tern__tensor_empty(x->context, TERN_I64, &shape, "unique", &parts.inverse));
    if (counts != NULL)
        TERN__TRY(make_places(x->context, count, &parts.counts));
    TERN__TRY(tern__result_open(&r, (tern_dtype)x->dtype, &TERN_SHAPE(count)));
    TERN__TRY(tern__result_close(&r, describe_groups(x, &parts, call.out)));
    if (inverse != NULL)
        *inverse = parts.inverse;
    if (counts != NULL)
        *counts = parts.counts;
done:
    if (status != TERN_OK) {
        tern_tensor_release(parts.inverse);
        tern_tensor_release(parts.counts);
    }
    tern_tensor_release(parts.firsts);
    tern_tensor_release(parts.groups);
    tern_tensor_release(parts.order);
    return status;
}
