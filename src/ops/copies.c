/* SPDX-License-Identifier: MIT
 * Copies, casts, and reading single elements. */
#include "ops/call.h"

static const uint64_t blocks = TERN__TRITS | TERN__BIT(TERN_Q8_0);

tern_status tern_copy(tern_tensor *x, tern_tensor *destination) {
    tern__op_call call = {.op = TERN__OP_COPY, .context = x->context, .in = {x}};
    tern_shape shape = tern_tensor_shape(destination), joined;
    tern_status status = tern__check_dtype(call.op, "the source", x, TERN__PLAIN);
    if (status == TERN_OK)
        status = tern__check_dtype(call.op, "the destination", destination, TERN__PLAIN);
    if (status == TERN_OK)
        status = tern__shape_join("copy", &shape, x, &joined);
    if (status != TERN_OK)
        return status;
    for (int i = 0; i < joined.rank; i++)
        if (joined.rank != shape.rank || joined.dims[i] != shape.dims[i])
            return tern__shapes_differ(call.op, x, destination);
    if (x->dtype != destination->dtype)
        call.op = TERN__OP_CAST;
    return tern__call(&call, (tern_dtype)destination->dtype, &shape, TERN__INTO(destination));
}

static tern_status cast(tern_tensor *x, tern_dtype dtype, tern__target target) {
    tern__op_call call = {.op = x->dtype == dtype ? TERN__OP_CLONE : TERN__OP_CAST, .in = {x}};
    tern_shape shape = tern_tensor_shape(x);
    tern_status status = tern__check_dtype(TERN__OP_CAST, "x", x, TERN__PLAIN | blocks);
    if (status != TERN_OK)
        return status;
    uint64_t allowed = blocks >> x->dtype & 1 ? TERN__FLOATS : TERN__PLAIN;
    if ((unsigned)dtype >= TERN__DTYPES || !(allowed >> dtype & 1))
        return tern__fail(TERN_E_DTYPE, "cast: from %s to %s",
                          tern_dtype_name((tern_dtype)x->dtype), tern_dtype_name(dtype));
    return tern__call(&call, dtype, &shape, target);
}

tern_status tern_cast(tern_tensor *x, tern_dtype dtype, tern_tensor **out) {
    return cast(x, dtype, TERN__FRESH(out));
}

tern_status tern_clone(tern_tensor *x, tern_tensor **out) {
    *out = NULL;
    tern_status status = tern__check_dtype(TERN__OP_CLONE, "x", x, TERN__PLAIN);
    return status == TERN_OK ? tern_cast(x, (tern_dtype)x->dtype, out) : status;
}

tern_status tern_contiguous(tern_tensor *x, tern_tensor **out) {
    *out = NULL;
    if (tern__tensor_is_poison(x) || !tern_tensor_is_contiguous(x))
        return tern_clone(x, out);
    tern_status status = tern__tensor_view(
        x, &(tern__view_layout){x->rank, tern__dims(x), tern__strides(x), x->data}, "contiguous",
        out);
    if (status == TERN_OK)
        tern__count(x->context, TERN__OP_CONTIGUOUS, TERN_CLASS_VIEW, 0);
    return status;
}

tern_status tern_item(tern_tensor *x, double *value) {
    *value = 0;
    tern_status status = tern__check_dtype(TERN__OP_CAST, "x", x, TERN__PLAIN);
    if (status != TERN_OK)
        return status;
    if (tern_tensor_count(x) != 1) {
        char text[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE, "item: %s is not one element",
                          tern__shape_text(x->rank, x->dims, text));
    }
    tern_tensor *wide = NULL;
    status = tern__tensor_empty(x->context, TERN_F64, &(tern_shape){.rank = 0}, "item", &wide);
    if (status == TERN_OK)
        status = tern__call_row(
            &(tern__op_call){.op = TERN__OP_CAST, .context = x->context, .in = {x}, .out = wide});
    if (status == TERN_OK)
        status = tern__tensor_fetch(wide, 0, value, sizeof *value);
    tern_tensor_release(wide);
    return status;
}
