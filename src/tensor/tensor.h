/* SPDX-License-Identifier: MIT
 * The structure behind tern_tensor and tern_context. Layers above read the fields; only the files
 * of this folder write them after creation. */
#ifndef TERN__TENSOR_H
#define TERN__TENSOR_H

#include <stdatomic.h>

#include <tern/tensor.h>

#include "base/status.h"
#include "memory/pool.h"
#include "tensor/dtype.h"
#include "tensor/op_table.h"
#include "tensor/scope.h"

/* Calls and bytes by class; [0] counts those of the pool's owner, [1] those of other threads. */
typedef struct tern__op_counts {
    atomic_llong calls[TERN_CLASSES][2];
    atomic_llong bytes[TERN_CLASSES][2];
} tern__op_counts;

/* The memory of a device that the host cannot reach: where the bytes of tensors come from, and how
 * they are brought there and back. Both calls return when the host's bytes are free again or
 * there; the status is the device's. */
typedef struct tern__device_memory {
    tern__source source;
    tern_status (*write)(void *user, void *to, const void *from_host, size_t bytes);
    tern_status (*read)(void *user, void *to_host, const void *from, size_t bytes);
    void *user;
} tern__device_memory;

/* What tensors of one context share. `references` counts the handle, the models and the sessions;
 * when it is 0 the pool is abandoned, and whoever gives its last block back frees the context. */
struct tern_context {
    atomic_long references;
    tern__pool *pool;
    bool is_plain;       /* no notes are kept and the pool is not abandoned */
    bool reports_leaks;  /* as events; else a message says how much is left */
    bool is_poisoning;   /* the pool overwrites what is released: level FULL */
    size_t inline_below; /* data of fewer bytes lie in the block of their header */
    size_t pair_below;   /* of fewer bytes: the bins may have both blocks */
    /* NULL: the host reaches all data. Else `pool` has the headers alone, data_pool the data. */
    const tern__device_memory *memory;
    tern__pool *data_pool;
    tern_context *host; /* of a device that is no CPU: a CPU context for what the device lacks */
    tern__scopes scopes;
    struct tern__device *device; /* closed when the context is freed */
    void (*device_close)(struct tern__device *device);
    tern_context *next, *previous; /* all contexts, newest first */
    char description[384];
    atomic_llong packed_bytes[2];
    atomic_llong screens[3][2]; /* tern__count_screen */
    tern__op_counts counts[TERN__OP_COUNT];
};

enum {
    TERN__TENSOR_VIEW = 1,     /* the bytes are those of another tensor, the owner */
    TERN__TENSOR_INLINE = 2,   /* the bytes follow in the same block, at tern__inline_offset */
    TERN__TENSOR_BORROWED = 4, /* the bytes are somebody else's and never written */
    TERN__TENSOR_RELEASE = 8,  /* borrowed, with a tern__tensor_callback at the end */
    TERN__TENSOR_DEVICE = 16,  /* an owner whose bytes come from the context's data_pool */
    TERN__TENSOR_SIZED = 32,   /* an owner whose number of bytes is written, as its shape does not
                                  tell it: block and opaque types, no elements, borrowed */
};

/* A tensor is an owner of bytes or a view of an owner; a view of a view refers to the owner.
 *
 * Invariants: every element that shape and strides reach lies inside the owner's bytes. A stride
 * may be 0 or negative, so that `data` need not be the lowest address; the windows of an unfolded
 * axis overlap although their strides are not 0. Block types (block_elements > 1) and opaque ones
 * are contiguous, at least rank 1. The block of an owner lives as long as it has holders: all its
 * handles together are one, each view is one.
 *
 * What most tensors can do without lies behind the strides: the owner of a view, the bytes of an
 * owner that is SIZED, the callback of one that is borrowed (tern__header_bytes). Any other owner
 * is contiguous and has elements, so that the first dimension times its stride is their number; at
 * rank 0 there is a dimension of 1 in place of the first of both, which no one else looks at.
 *
 * A pool may overwrite the first 16 bytes of a block that was released, no more of it; `references`
 * stays 0 and `context` what it was until the block is used again, so that a second release can be
 * noticed. (Level FULL overwrites all of it: 0x7ff57ff5 is no number of references either.) */
struct tern_tensor {
    void *data;           /* the first element */
    atomic_int holders;   /* of an owner */
    uint32_t scope_index; /* place on the context's stack of scopes; 0: the caller's */
    tern_context *context;
    atomic_int references; /* handles */
    uint8_t dtype;
    uint8_t rank;
    uint8_t flags;
    uint8_t size_class; /* of the block with the data, when the bins may have it */
    int64_t dims[];     /* rank dimensions, then rank strides in elements */
};

_Static_assert(offsetof(tern_tensor, dims) == 32, "96 bytes at rank 4");
_Static_assert(offsetof(tern_tensor, context) >= 16, "stays readable after release");

/* What a borrowed tensor calls when its last holder goes. */
typedef struct tern__tensor_callback {
    void (*release)(void *user);
    void *user;
} tern__tensor_callback;

/* Of a tensor with these flags. */
static inline size_t tern__header_bytes(size_t rank, unsigned flags) {
    size_t axis = 2 * sizeof(int64_t), dims = sizeof(tern_tensor) + rank * axis;
    if (flags & TERN__TENSOR_VIEW)
        return dims + sizeof(tern_tensor *);
    if (flags & TERN__TENSOR_SIZED)
        return dims + sizeof(size_t) +
               (flags & TERN__TENSOR_RELEASE ? sizeof(tern__tensor_callback) : 0);
    return sizeof(tern_tensor) + (rank + (rank == 0)) * axis;
}

/* The size class of a header without flags. */
static inline size_t tern__header_class(size_t rank) {
    return rank > 2 ? rank - 2 : 0;
}

/* What lies behind the strides. */
static inline void *tern__tail(const tern_tensor *t) {
    return (int64_t *)(uintptr_t)t->dims + 2 * (size_t)t->rank;
}

/* Where a view keeps its owner. */
static inline tern_tensor **tern__view_base(const tern_tensor *view) {
    return tern__tail(view);
}

/* Of the data in a block that holds them behind a header of so many bytes. */
static inline size_t tern__inline_offset(size_t header) {
    return (header + 63) & ~(size_t)63;
}

/* It was released, in a context of level FULL: all of it is poison. Functions that take a tensor
 * from the user look before they read more of it. */
static inline bool tern__tensor_is_poison(const tern_tensor *t) {
    return t->rank > TERN_MAX_RANK;
}

/* The owner of the bytes: the tensor itself or what it is a view of. */
static inline const tern_tensor *tern__tensor_owner(const tern_tensor *t) {
    return t->flags & TERN__TENSOR_VIEW ? *tern__view_base(t) : t;
}

/* Of an owner that is not SIZED. */
static inline size_t tern__shape_bytes(const tern_tensor *owner) {
    size_t count = (size_t)owner->dims[0] * (size_t)owner->dims[owner->rank];
    return count * (size_t)tern__dtypes[owner->dtype].block_bytes;
}

static inline size_t tern__owner_bytes(const tern_tensor *owner) {
    if (owner->flags & TERN__TENSOR_SIZED)
        return *(const size_t *)tern__tail(owner);
    return tern__shape_bytes(owner);
}

static inline bool tern__tensor_is_borrowed(const tern_tensor *t) {
    return tern__tensor_owner(t)->flags & TERN__TENSOR_BORROWED;
}

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

/* tern_context.inline_below of a context with this tracking level. */
size_t tern__inline_below(tern_tracking tracking);

/* A context without a device: used by tern_context_create in the ops layer, which adds one.
 * `memory` is kept and has to outlive the context; NULL for the memory of the host. */
tern_status tern__context_create(const tern_options *options, const tern__device_memory *memory,
                                 tern_context **context);
/* The context itself where the host reaches its data, else that of the CPU behind it. */
static inline tern_context *tern__context_near(tern_context *c) {
    return c->memory == NULL ? c : c->host;
}
void tern__context_retain(tern_context *context);
void tern__context_release(tern_context *context);
/* tern__pool_tick of what the context has. */
void tern__context_tick(tern_context *context);

/* A handle that was released before is released or retained again: reports it to its context, or
 * to the log when that cannot be told any more. */
void tern__context_report_double(const tern_context *maybe, const tern_tensor *tensor);

/* tern_tensor_empty by the name of the operation that makes the tensor: static storage, for leak
 * reports. So `op` everywhere below. */
tern_status tern__tensor_empty(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                               const char *op, tern_tensor **out);

/* A tensor of `bytes` opaque bytes (dtype TERNARY or QUANTIZED), shape as given. */
tern_status tern__tensor_opaque(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                                size_t bytes, const char *op, tern_tensor **out);

/* Borrows like tern_tensor_borrow; the callback, when there is one, is called when the last holder
 * goes. On failure nothing is called. */
tern_status tern__tensor_adopt(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                               const void *data, const tern__tensor_callback *callback,
                               const char *op, tern_tensor **out);

/* The dimensions of a view, strides in elements, and its first element. */
typedef struct tern__view_layout {
    int rank;
    const int64_t *dims, *strides;
    void *data;
} tern__view_layout;

/* A view: a new header on the tensor's bytes. The caller has made sure that it stays inside. */
tern_status tern__tensor_view(tern_tensor *tensor, const tern__view_layout *layout, const char *op,
                              tern_tensor **out);
/* The same with elements of another plain type. */
tern_status tern__tensor_view_as(tern_tensor *tensor, tern_dtype dtype,
                                 const tern__view_layout *layout, const char *op,
                                 tern_tensor **out);

/* Writes "(2, 3)" for the dims into `text`; returns text. */
#define TERN__SHAPE_TEXT 192
char *tern__shape_text(int rank, const int64_t *dims, char text[TERN__SHAPE_TEXT]);

/* Turns a negative axis into one from the front; TERN_E_ARGUMENT outside. */
tern_status tern__check_axis(tern__op op, int rank, int *axis);
/* The axes as bits of `set`; TERN_E_ARGUMENT for one that is not there or stands twice. */
tern_status tern__check_axes(tern__op op, int rank, const tern_axes *axes, unsigned *set);

/* NumPy broadcasting of a shape with that of a tensor; TERN_E_SHAPE names `op` and both shapes.
 * `out` may be `shape`. */
tern_status tern__shape_join(const char *op, const tern_shape *shape, const tern_tensor *t,
                             tern_shape *out);

/* Strides (in elements) with which `t` is read as if it had `shape`, broadcast. The shapes fit. */
void tern__broadcast_strides(const tern_tensor *t, const tern_shape *shape,
                             int64_t strides[TERN_MAX_RANK]);

#endif
