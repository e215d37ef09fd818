/* SPDX-License-Identifier: MIT
 * Scopes. A tensor that leaves early leaves a hole; holes on top go at once, the others when the
 * stack is full and at least a quarter of it is holes, so that a loop in a scope needs no more
 * entries than four times what it keeps alive. */
#include "tensor/scope.h"

#include <assert.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "tensor/tensor.h"

#define MARK ((tern_tensor *)(uintptr_t)1)

void tern__scopes_init(tern__scopes *scopes) {
    scopes->entries = scopes->first;
    scopes->first[0] = MARK;
    scopes->count = 1;
    scopes->capacity = TERN__SCOPE_FIRST;
}

void tern__scopes_deinit(tern__scopes *scopes) {
    if (scopes->entries != scopes->first)
        tern__os()->free(scopes->entries);
}

static void close_holes(tern__scopes *scopes) {
    uint32_t to = 1;
    for (uint32_t from = 1; from < scopes->count; from++) {
        tern_tensor *entry = scopes->entries[from];
        if (entry == NULL)
            continue;
        if (entry != MARK)
            entry->scope_index = to;
        scopes->entries[to++] = entry;
    }
    scopes->count = to;
    scopes->holes = 0;
}

/* Room for one entry more. */
static bool make_room(tern__scopes *scopes) {
    if (scopes->count < scopes->capacity)
        return true;
    if (scopes->holes >= scopes->count / 4) {
        close_holes(scopes);
        return true;
    }
    if (scopes->capacity > UINT32_MAX / 2)
        return false;
    tern_tensor **entries = tern__os()->alloc(2 * (size_t)scopes->capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    memcpy(entries, scopes->entries, scopes->count * sizeof *entries);
    tern__scopes_deinit(scopes);
    scopes->entries = entries;
    scopes->capacity *= 2;
    return true;
}

tern_status tern__scope_push(tern__scopes *scopes, tern_tensor *tensor) {
    assert(scopes->marked > 0);
    if (!make_room(scopes))
        return tern__fail(TERN_E_MEMORY, "scope: no memory for more than %u tensors",
                          scopes->count);
    tensor->scope_index = scopes->count;
    scopes->entries[scopes->count++] = tensor;
    return TERN_OK;
}

static void pop_holes(tern__scopes *scopes) {
    while (scopes->entries[scopes->count - 1] == NULL) {
        scopes->count--;
        scopes->holes--;
    }
}

void tern__scope_remove(tern__scopes *scopes, tern_tensor *tensor) {
    assert(scopes->entries[tensor->scope_index] == tensor);
    scopes->entries[tensor->scope_index] = NULL;
    scopes->holes++;
    tensor->scope_index = 0;
    pop_holes(scopes);
}

/* The outermost scope always gets its mark: the stack is empty then. */
void tern_scope_begin(tern_context *context) {
    tern__scopes *scopes = &context->scopes;
    if (scopes->merged > 0 || !make_room(scopes)) {
        scopes->merged++;
        return;
    }
    scopes->entries[scopes->count++] = MARK;
    scopes->marked++;
}

void tern_scope_end(tern_context *context) {
    tern__scopes *scopes = &context->scopes;
    if (scopes->merged > 0) {
        scopes->merged--;
        return;
    }
    if (scopes->marked == 0)
        return;
    tern_tensor *top;
    while ((top = scopes->entries[scopes->count - 1]) != MARK) {
        tern__scope_remove(scopes, top);
        tern_tensor_release(top);
    }
    scopes->count--;
    scopes->marked--;
    pop_holes(scopes);
}

tern_tensor *tern_tensor_keep(tern_tensor *tensor) {
    if (tensor != NULL && tensor->scope_index != 0)
        tern__scope_remove(&tensor->context->scopes, tensor);
    return tensor;
}
