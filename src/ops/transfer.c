/* SPDX-License-Identifier: MIT
 * Tensors from one context to another, and out of the library. */
#include <string.h>

#include "ops/call.h"

/* -- reading -----------------------------------------------------------------------------------*/

tern_status tern_tensor_read(tern_tensor *tensor, void *data, size_t bytes) {
    tern_tensor *contiguous = NULL;
    tern_status status = tern__check_dtype(TERN__OP_COPY, "the source", tensor, TERN__ANY);
    if (status != TERN_OK)
        return status;
    if (bytes != tern_tensor_bytes(tensor))
        return tern__fail(TERN_E_ARGUMENT, "read: room for %zu bytes, the tensor has %zu", bytes,
                          tern_tensor_bytes(tensor));
    TERN__TRY(tern_context_wait(tensor->context));
    if (tern_tensor_is_contiguous(tensor))
        return tern__tensor_fetch(tensor, 0, data, bytes);
    TERN__TRY(tern_contiguous(tensor, &contiguous));
    status = tern__tensor_fetch(contiguous, 0, data, bytes);
done:
    tern_tensor_release(contiguous);
    return status;
}

/* -- from one context to another ---------------------------------------------------------------*/

/* Both reach the bytes: a tensor on them that holds a reference of the other one. */
static void let_go(void *tensor) {
    tern_tensor_release(tensor);
}

static tern_status share(tern_tensor *x, tern_context *context, tern_tensor **out) {
    tern_tensor *base = NULL;
    tern__span span = tern__tensor_span(x);
    tern_shape shape = tern_tensor_shape(x);
    const tern__tensor_callback callback = {let_go, x};
    tern_dtype dtype = (tern_dtype)x->dtype;
    tern_tensor_retain(x);
    bool is_whole = tern_tensor_is_contiguous(x) && span.end > span.begin;
    tern_status status =
        is_whole ? tern__tensor_adopt(context, dtype, &shape, x->data, &callback, "to", out)
                 : tern__tensor_adopt(context, TERN_U8, &TERN_SHAPE(span.end - span.begin),
                                      span.begin != NULL ? (void *)span.begin : (void *)x,
                                      &callback, "to", &base);
    if (status != TERN_OK) {
        tern_tensor_release(x);
        return status;
    }
    if (!is_whole) {
        tern__view_layout layout = {x->rank, tern__dims(x), tern__strides(x), x->data};
        status = tern__tensor_view_as(base, dtype, &layout, "to", out);
        tern_tensor_release(base);
    }
    return status;
}

/* The bytes of a contiguous tensor by way of the host. */
static tern_status carry(tern_tensor *x, tern_tensor *to) {
    size_t bytes = tern_tensor_bytes(x);
    if (x->context->memory == NULL)
        return tern__tensor_write(to, 0, x->data, bytes);
    if (to->context->memory == NULL)
        return tern__tensor_fetch(x, 0, to->data, bytes);
    tern_tensor *twin = NULL;
    tern_status status = tern__host_twin(x, &twin);
    if (status == TERN_OK)
        status = tern__tensor_write(to, 0, twin->data, bytes);
    tern_tensor_release(twin);
    return status;
}

static tern_status copy_over(tern_tensor *x, tern_context *context, tern_tensor **out) {
    tern_tensor *contiguous = NULL;
    tern_dtype dtype = (tern_dtype)x->dtype;
    tern_shape shape = tern_tensor_shape(x);
    tern_status status;
    if (tern__dtype_is_plain(dtype))
        TERN__TRY(tern_contiguous(x, &contiguous));
    else
        contiguous = tern_tensor_retain(x);
    TERN__TRY(dtype == TERN_TERNARY || dtype == TERN_QUANTIZED
                  ? tern__tensor_opaque(context, dtype, &shape, tern_tensor_bytes(x), "to", out)
                  : tern__tensor_empty(context, dtype, &shape, "to", out));
    status = carry(contiguous, *out);
    if (status == TERN_OK)
        tern__count(context, TERN__OP_COPY, TERN_CLASS_COPY, (int64_t)tern_tensor_bytes(x));
done:
    if (status != TERN_OK) {
        tern_tensor_release(*out);
        *out = NULL;
    }
    tern_tensor_release(contiguous);
    return status;
}

/* Packed weights are of use where they were packed for. */
static bool is_other_form(const tern_tensor *x, const tern_context *context) {
    const tern__device *from = x->context->device, *to = context->device;
    return x->dtype == TERN_TERNARY && (from->packs_itself || to->packs_itself) &&
           strcmp(from->name, to->name) != 0;
}

tern_status tern_tensor_to(tern_tensor *x, tern_context *context, tern_tensor **out) {
    *out = NULL;
    if (TERN__UNLIKELY(tern__tensor_is_poison(x)))
        return tern__fail(TERN_E_ARGUMENT, "to: the tensor was released");
    if (x->context == context)
        return tern__tensor_view(
            x, &(tern__view_layout){x->rank, tern__dims(x), tern__strides(x), x->data}, "to", out);
    if (is_other_form(x, context))
        return tern__fail(TERN_E_DTYPE, "to: the weights are packed for device %s, not for %s",
                          x->context->device->name, context->device->name);
    bool is_packed = x->dtype == TERN_TERNARY || x->dtype == TERN_QUANTIZED;
    if (x->context->memory == NULL && context->memory == NULL && !is_packed)
        return share(x, context, out);
    return copy_over(x, context, out);
}
