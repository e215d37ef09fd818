/* SPDX-License-Identifier: MIT
 * The life of contexts, and scopes. A context lives as long as its handle, any storage and any
 * tensor: releasing in any order is fine. */
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "tensor/tensor.h"

tern_status tern__context_create(size_t max_bytes, tern_context **out) {
    *out = NULL;
    tern_context *context = tern__os()->alloc(sizeof *context);
    if (context == NULL)
        return tern__fail(TERN_E_MEMORY, "context: no memory for %zu bytes", sizeof *context);
    tern_status status = tern__pool_create(max_bytes, &context->pool);
    if (status != TERN_OK) {
        tern__os()->free(context);
        return status;
    }
    atomic_init(&context->references, 1);
    atomic_init(&context->live_tensors, 0);
    *out = context;
    return TERN_OK;
}

void tern__context_retain(tern_context *context) {
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
}

void tern__context_release(tern_context *context) {
    if (atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
        return;
    if (context->device != NULL)
        context->device_close(context->device);
    tern__pool_destroy(context->pool);
    tern__os()->free(context);
}

void tern_context_destroy(tern_context *context) {
    if (context == NULL)
        return;
    while (context->scope_depth > 0)
        tern_scope_end(context);
    tern__context_release(context);
}

tern_memory_stats tern_context_memory(const tern_context *context) {
    tern__pool_stats pool = tern__pool_stats_get(context->pool);
    return (tern_memory_stats){
        .live_bytes = pool.live_bytes,
        .peak_bytes = pool.peak_bytes,
        .mapped_bytes = pool.mapped_bytes,
        .live_tensors = atomic_load_explicit(&context->live_tensors, memory_order_relaxed),
    };
}

void tern_scope_begin(tern_context *context) {
    context->scope_depth++;
}

void tern_scope_end(tern_context *context) {
    if (context->scope_depth == 0)
        return;
    while (context->scope_top != NULL && context->scope_top->scope_depth == context->scope_depth)
        tern_tensor_release(tern_tensor_keep(context->scope_top));
    context->scope_depth--;
}

const char *tern_context_describe(const tern_context *context) {
    return context->description;
}
