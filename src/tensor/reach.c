/* SPDX-License-Identifier: MIT */
#include "tensor/reach.h"

#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "tensor/dtype.h"

tern_status tern__tensor_write(tern_tensor *tensor, size_t offset, const void *from, size_t bytes) {
    const tern__device_memory *memory = tensor->context->memory;
    if (bytes == 0)
        return TERN_OK;
    if (memory != NULL)
        return memory->write(memory->user, (uint8_t *)tensor->data + offset, from, bytes);
    memcpy((uint8_t *)tensor->data + offset, from, bytes);
    return TERN_OK;
}

tern_status tern__tensor_fetch(const tern_tensor *tensor, size_t offset, void *to, size_t bytes) {
    const tern__device_memory *memory = tensor->context->memory;
    if (bytes == 0)
        return TERN_OK;
    if (memory != NULL)
        return memory->read(memory->user, to, (const uint8_t *)tensor->data + offset, bytes);
    memcpy(to, (const uint8_t *)tensor->data + offset, bytes);
    return TERN_OK;
}

/* -- filling -----------------------------------------------------------------------------------*/

static void give_up(tern_tensor **out) {
    tern_tensor_release(*out);
    *out = NULL;
}

void *tern__fill_begin(tern_tensor **out) {
    if ((*out)->context->memory == NULL)
        return (*out)->data;
    void *room = tern__os()->alloc(tern__owner_bytes(*out) + 1);
    if (room == NULL) {
        tern__fail(TERN_E_MEMORY, "no memory for %zu bytes on their way to the device",
                   tern__owner_bytes(*out));
        give_up(out);
    }
    return room;
}

tern_status tern__fill_end(tern_tensor **out, void *room, tern_status status) {
    if (room == NULL)
        return TERN_E_MEMORY;
    if ((*out)->context->memory != NULL) {
        if (status == TERN_OK)
            status = tern__tensor_write(*out, 0, room, tern__owner_bytes(*out));
        tern__os()->free(room);
    }
    if (status != TERN_OK)
        give_up(out);
    return status;
}

tern_status tern__fill_zeros(tern_tensor **out) {
    void *room = tern__fill_begin(out);
    if (room != NULL)
        memset(room, 0, tern__owner_bytes(*out));
    return tern__fill_end(out, room, TERN_OK);
}

/* -- twins -------------------------------------------------------------------------------------*/

tern__span tern__tensor_span(const tern_tensor *t) {
    uint8_t *data = t->data;
    if (!tern__dtype_is_plain((tern_dtype)t->dtype))
        return (tern__span){data, data + tern_tensor_bytes(t)};
    int64_t size = tern__dtype((tern_dtype)t->dtype)->block_bytes, low = 0, high = 0;
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] == 0)
            return (tern__span){data, data};
        int64_t last = (t->dims[i] - 1) * tern__strides(t)[i];
        low += last < 0 ? last : 0;
        high += last > 0 ? last : 0;
    }
    return (tern__span){data + low * size, data + (high + 1) * size};
}

/* What is not plain is whole. */
static tern_status opaque_twin(const tern_tensor *t, tern_tensor **twin) {
    tern_shape shape = tern_tensor_shape(t);
    return tern__tensor_opaque(t->context->host, (tern_dtype)t->dtype, &shape, tern_tensor_bytes(t),
                               "to_host", twin);
}

static tern_status plain_twin(const tern_tensor *t, tern__span span, tern_tensor **twin) {
    tern_tensor *bytes = NULL;
    tern_shape shape = {1, {span.end - span.begin}};
    tern_status status = tern__tensor_empty(t->context->host, TERN_U8, &shape, "to_host", &bytes);
    if (status != TERN_OK)
        return status;
    tern__view_layout layout = {t->rank, tern__dims(t), tern__strides(t),
                                (uint8_t *)bytes->data + ((uint8_t *)t->data - span.begin)};
    status = tern__tensor_view_as(bytes, (tern_dtype)t->dtype, &layout, "to_host", twin);
    tern_tensor_release(bytes);
    return status;
}

tern_status tern__host_twin(const tern_tensor *t, tern_tensor **twin) {
    *twin = NULL;
    const tern__device_memory *memory = t->context->memory;
    if (memory == NULL) {
        *twin = tern_tensor_retain((tern_tensor *)(uintptr_t)t);
        return TERN_OK;
    }
    tern__span span = tern__tensor_span(t);
    tern_status status = tern__dtype_is_plain((tern_dtype)t->dtype) ? plain_twin(t, span, twin)
                                                                    : opaque_twin(t, twin);
    if (status == TERN_OK && span.end > span.begin)
        status = memory->read(memory->user, tern__tensor_span(*twin).begin, span.begin,
                              (size_t)(span.end - span.begin));
    if (status != TERN_OK) {
        tern_tensor_release(*twin);
        *twin = NULL;
    }
    return status;
}

tern_status tern__host_twin_return(const tern_tensor *twin, tern_tensor *t) {
    const tern__device_memory *memory = t->context->memory;
    tern__span span = tern__tensor_span(t);
    if (memory == NULL || span.end == span.begin)
        return TERN_OK;
    return memory->write(memory->user, span.begin, tern__tensor_span(twin).begin,
                         (size_t)(span.end - span.begin));
}
