/* SPDX-License-Identifier: MIT
 * The scopes of a context: a stack of the tensors that they own, with a mark where each begins. */
#ifndef TERN__SCOPE_H
#define TERN__SCOPE_H

#include <tern/tensor.h>

enum { TERN__SCOPE_FIRST = 64 };

/* Invariant: entries[0] is a mark that belongs to no scope, so a stack always ends. entries[i] for
 * 0 < i < count is a mark, a tensor whose scope_index is i, or NULL: it left the scope early. The
 * topmost entry is not NULL. The stack is empty (count 1) when no scope is open. */
typedef struct tern__scopes {
    tern_tensor **entries; /* `first`, or memory of the OS table */
    uint32_t count, capacity;
    uint32_t holes;  /* entries that are NULL */
    uint32_t marked; /* scopes that have a mark */
    int64_t merged;  /* inner scopes without one, since the stack could not grow: what is made in
                        them belongs to the innermost that has one */
    tern_tensor *first[TERN__SCOPE_FIRST];
} tern__scopes;

void tern__scopes_init(tern__scopes *scopes);
void tern__scopes_deinit(tern__scopes *scopes);

/* The innermost scope owns the tensor from now on. TERN_E_MEMORY when the stack cannot grow.
 * For an open scope only. */
tern_status tern__scope_push(tern__scopes *scopes, tern_tensor *tensor);

/* Takes a tensor that a scope owns out of it. */
void tern__scope_remove(tern__scopes *scopes, tern_tensor *tensor);

#endif
