/* SPDX-License-Identifier: MIT
 * The structure behind tern_tensor and tern_context. Layers above read the fields; only tensor.c
 * and context.c write them after creation. */
#ifndef TERN__TENSOR_H
#define TERN__TENSOR_H

#include <stdatomic.h>

#include <tern/tensor.h>

#include "memory/pool.h"

/* What tensors of one context share. Lives until the context handle and all tensors are gone:
 * `references` counts the handle and every storage and tensor. */
struct tern_context {
    atomic_long references;
    atomic_long live_tensors;
    tern__pool *pool;
    struct tern__device *device; /* closed when the last reference goes */
    void (*device_close)(struct tern__device *device);
    tern_tensor *scope_top; /* newest tensor that a scope owns, linked by scope_next */
    int scope_depth;
    char description[384];
};

/* The bytes that views share. */
typedef struct tern__storage {
    atomic_int references;
    bool is_borrowed;
    tern_context *context;
    void *data;
    size_t bytes;
    void (*release)(void *user); /* called when a borrowed storage goes; may be NULL */
    void *release_user;
} tern__storage;

/* Invariant: every element that shape and strides reach lies inside the storage. Block types
 * (block_elements > 1) and TERNARY are contiguous, at least rank 1. */
struct tern_tensor {
    atomic_int references;
    uint8_t dtype;
    uint8_t rank;
    int scope_depth; /* 0: the caller's; else the depth of the owning scope */
    tern_context *context;
    tern__storage *storage;
    void *data;
    tern_tensor *scope_next, *scope_previous;
    int64_t dims[]; /* rank dimensions, then rank strides in elements */
};

static inline const int64_t *tern__dims(const tern_tensor *t) {
    return t->dims;
}

static inline const int64_t *tern__strides(const tern_tensor *t) {
    return t->dims + t->rank;
}

/* The dimension/stride of the axis counted from the end: tern__dim_back(t, 1) is the last. */
static inline int64_t tern__dim_back(const tern_tensor *t, int back) {
    return t->dims[t->rank - back];
}

static inline int64_t tern__stride_back(const tern_tensor *t, int back) {
    return t->dims[2 * t->rank - back];
}

/* A context without a device: used by tern_context_create in the ops layer, which adds one. */
tern_status tern__context_create(size_t max_bytes, tern_context **context);
void tern__context_retain(tern_context *context);
void tern__context_release(tern_context *context);

/* A tensor of `bytes` opaque bytes (dtype TERNARY), shape as given. */
tern_status tern__tensor_opaque(tern_context *context, tern_shape shape, size_t bytes,
                                tern_tensor **out);

/* Borrows like tern_tensor_borrow; `release(user)` is called when the last view goes. On failure
 * nothing is called. */
tern_status tern__tensor_adopt(tern_context *context, tern_dtype dtype, tern_shape shape,
                               const void *data, void (*release)(void *), void *user,
                               tern_tensor **out);

/* A view: a new header on the tensor's storage; `data` is its first element. The caller has made
 * sure that it stays inside. */
tern_status tern__tensor_view(const tern_tensor *tensor, int rank, const int64_t *dims,
                              const int64_t *strides, void *data, tern_tensor **out);

/* Writes "(2, 3)" for the dims into `text`; returns text. */
#define TERN__SHAPE_TEXT 192
char *tern__shape_text(int rank, const int64_t *dims, char text[TERN__SHAPE_TEXT]);

/* NumPy broadcasting of two shapes; TERN_E_SHAPE names `op` and both shapes. */
tern_status tern__shape_broadcast(const char *op, const tern_tensor *a, const tern_tensor *b,
                                  tern_shape *out);

/* Strides (in elements) with which `t` is read as if it had `shape`, broadcast. The shapes fit. */
void tern__broadcast_strides(const tern_tensor *t, const tern_shape *shape,
                             int64_t strides[TERN_MAX_RANK]);

#endif
