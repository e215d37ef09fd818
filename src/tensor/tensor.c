/* SPDX-License-Identifier: MIT
 * Tensors: creation, reference counting, views.
 *
 * Creating and releasing is the path that every operation takes, so it does the least: one pass
 * over the dimensions, one block for a small tensor, no atomic read-modify-write on what only the
 * caller has. Whatever is seldom (errors, block types, notes, scopes, second releases) stands apart
 * in functions of its own.
 */
#include "tensor/tensor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"
#include "memory/pool_fast.h"
#include "tensor/dtype.h"
#include "tensor/reach.h"

#define SELDOM __attribute__((cold, noinline))

/* Data up to here lie in the block of their header: it saves the second block, but the offset to
 * the next multiple of 64 is wasted. At 1 KiB that is at most 8 % of the block. */
enum { INLINE_MAX = 1024 };

size_t tern__inline_below(tern_tracking tracking) {
    /* Guard zones lie around blocks: between header and data there would be none. */
    return tracking == TERN_TRACK_FULL ? 0 : INLINE_MAX + 1;
}

/* -- sizes -------------------------------------------------------------------------------------*/

/* Bytes of a contiguous tensor with elements. False: this simple way does not tell (block types,
 * unknown types, dimensions of 0, impossible shapes). */
static inline bool measure(tern_dtype dtype, const tern_shape *shape, size_t *bytes) {
    if ((unsigned)dtype >= TERN__DTYPES || (unsigned)shape->rank > TERN_MAX_RANK)
        return false;
    const tern__dtype_info *info = &tern__dtypes[dtype];
    int64_t count = info->block_bytes, signs = 0;
    bool is_odd = info->block_elements != 1;
    for (int i = 0; i < shape->rank; i++) {
        signs |= shape->dims[i];
        is_odd |= __builtin_mul_overflow(count, shape->dims[i], &count);
    }
    *bytes = (size_t)count;
    return !is_odd && signs >= 0 && count > 0;
}

static tern_status too_many(const tern_shape *shape) {
    char text[TERN__SHAPE_TEXT];
    return tern__fail(TERN_E_SHAPE, "shape %s has too many elements",
                      tern__shape_text(shape->rank, shape->dims, text));
}

static tern_status check_shape(const tern_shape *shape) {
    if (shape->rank < 0 || shape->rank > TERN_MAX_RANK)
        return tern__fail(TERN_E_SHAPE, "rank %d is not in 0..%d", shape->rank, TERN_MAX_RANK);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0)
            return tern__fail(TERN_E_SHAPE, "dimension %d is negative: %lld", i,
                              (long long)shape->dims[i]);
    return TERN_OK;
}

/* The strides must exist, whatever the number of bytes: a dimension of 0 counts as 1 in them. */
static tern_status check_strides(const tern_shape *shape) {
    int64_t count = 1;
    bool is_empty = false;
    for (int i = shape->rank - 1; i >= 0; i--) {
        is_empty |= shape->dims[i] == 0;
        if (!tern__mul_i64(count, shape->dims[i] == 0 ? 1 : shape->dims[i], &count))
            return too_many(shape);
    }
    return is_empty || count <= INT64_MAX / 8 ? TERN_OK : too_many(shape);
}

/* What `measure` leaves: every type, every error. */
static tern_status measure_any(tern_dtype dtype, const tern_shape *shape, size_t *bytes) {
    tern_status status = check_shape(shape);
    if (status != TERN_OK)
        return status;
    int64_t rows = 1, columns = shape->rank > 0 ? shape->dims[shape->rank - 1] : 1;
    for (int i = 0; i + 1 < shape->rank; i++)
        if (!tern__mul_i64(rows, shape->dims[i], &rows))
            return too_many(shape);
    status = tern__dtype_bytes(dtype, rows, columns, bytes);
    return status == TERN_OK ? check_strides(shape) : status;
}

/* The same, the error told with the name of the operation. */
static SELDOM tern_status measure_for(const char *op, tern_dtype dtype, const tern_shape *shape,
                                      size_t *bytes) {
    tern_status status = measure_any(dtype, shape, bytes);
    if (status == TERN_OK)
        return status;
    char detail[2 * TERN__SHAPE_TEXT];
    snprintf(detail, sizeof detail, "%s", tern_last_error());
    return tern__fail(status, "%s: %s", op, detail);
}

/* -- creation ----------------------------------------------------------------------------------*/

/* Shape and row-major strides, which do not overflow. `is_empty`: a dimension may be 0. */
static inline void put_shape(tern_tensor *tensor, const tern_shape *shape, bool is_empty) {
    int64_t step = 1;
    int rank = shape->rank;
    tensor->dims[0] = 1; /* of rank 0 */
    for (int i = rank; i-- > 0;) {
        int64_t dim = shape->dims[i];
        tensor->dims[i] = dim;
        tensor->dims[rank + i] = step;
        step *= is_empty && dim == 0 ? 1 : dim;
    }
}

/* Everything but dims and what the flags bring along. */
static inline tern_tensor *put_header(void *block, tern_context *context, tern_dtype dtype,
                                      int rank, unsigned flags) {
    tern_tensor *tensor = block;
    tensor->context = context;
    atomic_init(&tensor->references, 1);
    atomic_init(&tensor->holders, 1);
    tensor->scope_index = 0;
    tensor->dtype = (uint8_t)dtype;
    tensor->rank = (uint8_t)rank;
    tensor->flags = (uint8_t)flags;
    return tensor;
}

/* Whoever has only tensors of a context, not itself, can release them and no more. */
static SELDOM tern_status check_open(const tern_context *context, const char *op) {
    if (atomic_load_explicit(&context->references, memory_order_relaxed) == 0)
        return tern__fail(TERN_E_ARGUMENT, "%s: the context was destroyed", op);
    return TERN_OK;
}

/* Hands a finished tensor to the open scope; releases it when that cannot take it. */
static __attribute__((noinline)) tern_status join_scope(tern_tensor *tensor, tern_tensor **out) {
    tern_status status = tern__scope_push(&tensor->context->scopes, tensor);
    if (status != TERN_OK)
        tern_tensor_release(tensor);
    else
        *out = tensor;
    return status;
}

static inline tern_status hand_out(tern_tensor *tensor, tern_tensor **out) {
    if (tensor->context->scopes.marked > 0)
        return join_scope(tensor, out);
    *out = tensor;
    return TERN_OK;
}

/* What the owner's bins do not give at once: header (of so many bytes) and data, or one block with
 * both. */
static __attribute__((noinline)) tern_status take_blocks(tern_context *context, tern_dtype dtype,
                                                         const tern_shape *shape, size_t header,
                                                         size_t bytes, const char *op,
                                                         void *blocks[2]) {
    const tern__note note = {op, tern_dtype_name(dtype), shape->rank, shape->dims};
    const tern__note *told = context->is_plain ? NULL : &note;
    tern_status status = check_open(context, op);
    if (status != TERN_OK)
        return status;
    if (bytes < context->inline_below)
        return tern__pool_alloc(context->pool, tern__inline_offset(header) + bytes,
                                TERN__BLOCK_DATA | TERN__BLOCK_TENSOR, told, &blocks[0]);
    status = tern__pool_alloc(context->pool, header, TERN__BLOCK_HEADER | TERN__BLOCK_TENSOR, told,
                              &blocks[0]);
    if (status != TERN_OK)
        return status;
    status = tern__pool_alloc(context->memory != NULL ? context->data_pool : context->pool, bytes,
                              TERN__BLOCK_DATA, told, &blocks[1]);
    if (status != TERN_OK)
        tern__pool_free(context->pool, blocks[0], header, TERN__BLOCK_HEADER | TERN__BLOCK_TENSOR);
    return status;
}

/* A tensor that owns fresh bytes: as many as its shape tells. */
static inline tern_status create(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                                 size_t bytes, const char *op, tern_tensor **out) {
    size_t rank = (size_t)shape->rank, size_class = 0;
    bool is_inline = bytes < context->inline_below, is_served = false;
    unsigned flags = is_inline ? TERN__TENSOR_INLINE : 0;
    size_t header = tern__header_bytes(rank, 0), offset = tern__inline_offset(header);
    void *blocks[2];
    if (is_inline) {
        size_class = (size_t)tern__class_aligned(offset + bytes, 64);
        is_served = tern__pool_take_one(context->pool, size_class, offset + bytes, &blocks[0]);
    } else if (bytes < context->pair_below) {
        size_class = (size_t)tern__class_aligned(bytes, 64);
        is_served = tern__pool_take_two(context->pool, tern__header_class(rank), size_class, header,
                                        bytes, blocks);
    }
    if (TERN__UNLIKELY(!is_served)) {
        tern_status status = take_blocks(context, dtype, shape, header, bytes, op, blocks);
        if (status != TERN_OK)
            return status;
        if (context->memory != NULL)
            flags = TERN__TENSOR_DEVICE;
    }
    tern_tensor *tensor = put_header(blocks[0], context, dtype, shape->rank, flags);
    tensor->data = is_inline ? (char *)blocks[0] + offset : blocks[1];
    tensor->size_class = (uint8_t)size_class;
    put_shape(tensor, shape, false);
    return hand_out(tensor, out);
}

/* A tensor that owns fresh bytes: as many as are told. */
static __attribute__((noinline)) tern_status create_sized(tern_context *context, tern_dtype dtype,
                                                          const tern_shape *shape, size_t bytes,
                                                          const char *op, tern_tensor **out) {
    unsigned flags = TERN__TENSOR_SIZED;
    if (bytes < context->inline_below)
        flags |= TERN__TENSOR_INLINE;
    if (context->memory != NULL)
        flags |= TERN__TENSOR_DEVICE;
    size_t header = tern__header_bytes((size_t)shape->rank, flags);
    void *blocks[2];
    tern_status status = take_blocks(context, dtype, shape, header, bytes, op, blocks);
    if (status != TERN_OK)
        return status;
    tern_tensor *tensor = put_header(blocks[0], context, dtype, shape->rank, flags);
    bool is_inline = (flags & TERN__TENSOR_INLINE) != 0;
    tensor->data = is_inline ? (char *)blocks[0] + tern__inline_offset(header) : blocks[1];
    put_shape(tensor, shape, true);
    *(size_t *)tern__tail(tensor) = bytes;
    return hand_out(tensor, out);
}

static inline tern_status create_empty(tern_context *context, tern_dtype dtype,
                                       const tern_shape *shape, const char *op, tern_tensor **out) {
    *out = NULL;
    size_t bytes;
    if (TERN__UNLIKELY(!measure(dtype, shape, &bytes))) {
        tern_status status = measure_for(op, dtype, shape, &bytes);
        return status == TERN_OK ? create_sized(context, dtype, shape, bytes, op, out) : status;
    }
    return create(context, dtype, shape, bytes, op, out);
}

tern_status tern_tensor_empty(tern_context *context, tern_dtype dtype, tern_shape shape,
                              tern_tensor **out) {
    return create_empty(context, dtype, &shape, "empty", out);
}

tern_status tern__tensor_empty(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                               const char *op, tern_tensor **out) {
    return create_empty(context, dtype, shape, op, out);
}

tern_status tern__tensor_opaque(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                                size_t bytes, const char *op, tern_tensor **out) {
    *out = NULL;
    tern_status status = check_strides(shape);
    return status == TERN_OK ? create_sized(context, dtype, shape, bytes, op, out) : status;
}

tern_status tern_tensor_zeros(tern_context *context, tern_dtype dtype, tern_shape shape,
                              tern_tensor **out) {
    tern_status status = tern__tensor_empty(context, dtype, &shape, "zeros", out);
    return status == TERN_OK ? tern__fill_zeros(out) : status;
}

/* All bytes of a fresh tensor, which is released when they cannot be brought there. */
static tern_status put_data(const void *data, tern_tensor **out) {
    tern_status status = tern__tensor_write(*out, 0, data, tern__owner_bytes(*out));
    if (status != TERN_OK) {
        tern_tensor_release(*out);
        *out = NULL;
    }
    return status;
}

tern_status tern_tensor_from_data(tern_context *context, tern_dtype dtype, tern_shape shape,
                                  const void *data, tern_tensor **out) {
    tern_status status = tern__tensor_empty(context, dtype, &shape, "from_data", out);
    return status == TERN_OK ? put_data(data, out) : status;
}

/* Where a borrowed tensor's callback lies: behind its bytes. */
static inline tern__tensor_callback *callback_of(tern_tensor *tensor) {
    return (tern__tensor_callback *)(void *)((size_t *)tern__tail(tensor) + 1);
}

/* A device with memory of its own borrows nothing: it has a copy, and the lender is free. */
static tern_status bring(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                         const void *data, const tern__tensor_callback *callback, const char *op,
                         tern_tensor **out) {
    tern_status status = tern__tensor_empty(context, dtype, shape, op, out);
    if (status == TERN_OK)
        status = put_data(data, out);
    if (status == TERN_OK && callback != NULL && callback->release != NULL)
        callback->release(callback->user);
    return status;
}

tern_status tern__tensor_adopt(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                               const void *data, const tern__tensor_callback *callback,
                               const char *op, tern_tensor **out) {
    *out = NULL;
    size_t bytes;
    tern_status status = measure_for(op, dtype, shape, &bytes);
    if (status == TERN_OK && data == NULL)
        status = tern__fail(TERN_E_ARGUMENT, "%s: the data is NULL", op);
    if (status != TERN_OK)
        return status;
    status = check_open(context, op);
    if (status != TERN_OK)
        return status;
    if (context->memory != NULL)
        return bring(context, dtype, shape, data, callback, op, out);
    unsigned flags =
        TERN__TENSOR_BORROWED | TERN__TENSOR_SIZED | (callback != NULL ? TERN__TENSOR_RELEASE : 0);
    tern__note note = {op, tern_dtype_name(dtype), shape->rank, shape->dims};
    void *block = NULL;
    status = tern__pool_alloc(context->pool, tern__header_bytes((size_t)shape->rank, flags),
                              TERN__BLOCK_HEADER | TERN__BLOCK_TENSOR, &note, &block);
    if (status != TERN_OK)
        return status;
    tern_tensor *tensor = put_header(block, context, dtype, shape->rank, flags);
    tensor->data = (void *)(uintptr_t)data; /* never written: the flag says so */
    put_shape(tensor, shape, true);
    *(size_t *)tern__tail(tensor) = bytes;
    if (callback != NULL)
        *callback_of(tensor) = (tern__tensor_callback){NULL, NULL};
    status = hand_out(tensor, out);
    if (status == TERN_OK && callback != NULL)
        *callback_of(tensor) = *callback;
    return status;
}

tern_status tern_tensor_borrow(tern_context *context, tern_dtype dtype, tern_shape shape,
                               const void *data, tern_tensor **out) {
    return tern__tensor_adopt(context, dtype, &shape, data, NULL, "borrow", out);
}

/* One holder more for the owner of `tensor`'s bytes. When the only handle there is leads to the
 * only holder, nobody else can reach the count. */
static inline void hold(tern_tensor *owner, tern_tensor *tensor) {
    if (atomic_load_explicit(&tensor->references, memory_order_acquire) == 1 &&
        atomic_load_explicit(&owner->holders, memory_order_acquire) == 1)
        atomic_store_explicit(&owner->holders, 2, memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&owner->holders, 1, memory_order_relaxed);
}

tern_status tern__tensor_view(tern_tensor *tensor, const tern__view_layout *layout, const char *op,
                              tern_tensor **out) {
    return tern__tensor_view_as(tensor, (tern_dtype)tensor->dtype, layout, op, out);
}

tern_status tern__tensor_view_as(tern_tensor *tensor, tern_dtype dtype,
                                 const tern__view_layout *layout, const char *op,
                                 tern_tensor **out) {
    tern_context *context = tensor->context;
    int rank = layout->rank;
    tern__note note;
    const tern__note *told = NULL;
    tern_status status;
    if (TERN__UNLIKELY(!context->is_plain)) {
        note = (tern__note){op, tern_dtype_name(dtype), rank, layout->dims};
        told = &note;
        status = check_open(context, op);
        if (status != TERN_OK)
            return status;
    }
    void *block = NULL;
    status = tern__pool_alloc(context->pool, tern__header_bytes((size_t)rank, TERN__TENSOR_VIEW),
                              TERN__BLOCK_HEADER | TERN__BLOCK_TENSOR, told, &block);
    if (TERN__UNLIKELY(status != TERN_OK))
        return status;
    tern_tensor *view = put_header(block, context, dtype, rank, TERN__TENSOR_VIEW);
    view->data = layout->data;
    tern_tensor *owner = tensor->flags & TERN__TENSOR_VIEW ? *tern__view_base(tensor) : tensor;
    *tern__view_base(view) = owner;
    for (int i = 0; i < rank; i++) {
        view->dims[i] = layout->dims[i];
        view->dims[rank + i] = layout->strides[i];
    }
    hold(owner, tensor);
    return hand_out(view, out);
}

/* -- references --------------------------------------------------------------------------------*/

/* A number of references that no live tensor has: 0 after release, or other bytes since then. */
static inline bool is_impossible(int references) {
    return (unsigned)references - 1u >= 1u << 30;
}

/* May look at a tensor that was released: its block is still mapped or used again, whatever a
 * sanitizer thinks of it. */
__attribute__((no_sanitize_address)) static inline int peek_references(const tern_tensor *tensor) {
    return atomic_load_explicit(&tensor->references, memory_order_acquire);
}

__attribute__((no_sanitize_address)) static SELDOM void report_double(const tern_tensor *tensor) {
    tern__context_report_double(tensor->context, tensor);
}

tern_tensor *tern_tensor_retain(tern_tensor *tensor) {
    if (tensor == NULL)
        return NULL;
    if (TERN__UNLIKELY(is_impossible(peek_references(tensor))))
        report_double(tensor);
    else
        atomic_fetch_add_explicit(&tensor->references, 1, memory_order_relaxed);
    return tensor;
}

/* What the owner's bins do not take at once. The last block goes last: with it the context may
 * go. */
static __attribute__((noinline)) void give_blocks(tern__pool *pool, tern_tensor *owner,
                                                  unsigned flag) {
    size_t header = tern__header_bytes(owner->rank, owner->flags);
    size_t bytes = tern__owner_bytes(owner);
    if (owner->flags & TERN__TENSOR_INLINE) {
        tern__pool_free(pool, owner, tern__inline_offset(header) + bytes, TERN__BLOCK_DATA | flag);
        return;
    }
    if (owner->flags & TERN__TENSOR_RELEASE) {
        const tern__tensor_callback *callback = callback_of(owner);
        if (callback->release != NULL)
            callback->release(callback->user);
    } else if (!(owner->flags & TERN__TENSOR_BORROWED)) {
        tern__pool *data = owner->flags & TERN__TENSOR_DEVICE ? owner->context->data_pool : pool;
        tern__pool_free(data, owner->data, bytes, TERN__BLOCK_DATA);
    }
    tern__pool_free(pool, owner, header, TERN__BLOCK_HEADER | flag);
}

/* Gives the blocks of an owner back. `flag`: TERN__BLOCK_TENSOR while it still counts as one. */
static inline void free_owner(tern__pool *pool, tern_tensor *owner, unsigned flag) {
    int64_t tensors = flag != 0;
    size_t rank = owner->rank, size_class = owner->size_class;
    bool is_done = false;
    if (owner->flags <= TERN__TENSOR_INLINE) { /* an owner has not the flag VIEW */
        size_t header = tern__header_bytes(rank, 0), bytes = tern__shape_bytes(owner);
        if (owner->flags != 0)
            is_done = tern__pool_give_one(pool, size_class, tern__inline_offset(header) + bytes,
                                          tensors, owner);
        else if (bytes <= TERN__CLASS_MAX)
            is_done =
                tern__pool_give_two(pool, tern__header_class(rank), size_class, header + bytes,
                                    tensors, (void *const[2]){owner, owner->data});
    }
    if (TERN__UNLIKELY(!is_done))
        give_blocks(pool, owner, flag);
}

/* True when the caller's was the last holder. */
static inline bool drop_holder(tern_tensor *owner) {
    return atomic_load_explicit(&owner->holders, memory_order_acquire) == 1 ||
           atomic_fetch_sub_explicit(&owner->holders, 1, memory_order_acq_rel) == 1;
}

/* The last handle of an owner goes while views are alive: it is no tensor any more, its block stays
 * until the last view goes. */
static SELDOM void leave_to_views(tern__pool *pool, tern_tensor *owner) {
    tern__pool_tensor_gone(pool);
    if (drop_holder(owner))
        free_owner(pool, owner, 0);
}

static void free_view(tern__pool *pool, tern_tensor *view) {
    tern_tensor *owner = *tern__view_base(view);
    tern__pool_free(pool, view, tern__header_bytes(view->rank, TERN__TENSOR_VIEW),
                    TERN__BLOCK_HEADER | TERN__BLOCK_TENSOR);
    if (drop_holder(owner))
        free_owner(pool, owner, 0);
}

/* One of several handles; true when the others went meanwhile. */
static SELDOM bool drop_reference(tern_tensor *tensor, int references) {
    if (is_impossible(references)) {
        report_double(tensor);
        return false;
    }
    return atomic_fetch_sub_explicit(&tensor->references, 1, memory_order_acq_rel) == 1;
}

void tern_tensor_release(tern_tensor *tensor) {
    if (tensor == NULL)
        return;
    int references = peek_references(tensor);
    /* Who has the only handle shares the count with nobody. */
    if (TERN__UNLIKELY(references != 1) && !drop_reference(tensor, references))
        return;
    tern_context *context = tensor->context;
    tern__pool *pool = context->pool;
    if (tensor->scope_index != 0)
        tern__scope_remove(&context->scopes, tensor);
    atomic_store_explicit(&tensor->references, 0, memory_order_relaxed);
    if (tensor->flags & TERN__TENSOR_VIEW)
        free_view(pool, tensor);
    else if (TERN__UNLIKELY(atomic_load_explicit(&tensor->holders, memory_order_acquire) != 1))
        leave_to_views(pool, tensor);
    else
        free_owner(pool, tensor, TERN__BLOCK_TENSOR);
}

/* -- looking -----------------------------------------------------------------------------------*/

tern_dtype tern_tensor_dtype(const tern_tensor *tensor) {
    return (tern_dtype)tensor->dtype;
}

int tern_tensor_rank(const tern_tensor *tensor) {
    return tensor->rank;
}

int64_t tern_tensor_dim(const tern_tensor *tensor, int axis) {
    axis += axis < 0 ? tensor->rank : 0;
    return axis >= 0 && axis < tensor->rank ? tensor->dims[axis] : 0;
}

int64_t tern_tensor_stride(const tern_tensor *tensor, int axis) {
    axis += axis < 0 ? tensor->rank : 0;
    return axis >= 0 && axis < tensor->rank ? tern__strides(tensor)[axis] : 0;
}

tern_shape tern_tensor_shape(const tern_tensor *tensor) {
    tern_shape shape = {.rank = tern__tensor_is_poison(tensor) ? 0 : tensor->rank};
    memcpy(shape.dims, tensor->dims, (size_t)shape.rank * sizeof(int64_t));
    return shape;
}

int64_t tern_tensor_count(const tern_tensor *tensor) {
    int64_t count = 1;
    for (int i = 0; i < tensor->rank; i++)
        count *= tensor->dims[i];
    return count;
}

size_t tern_tensor_bytes(const tern_tensor *tensor) {
    const tern__dtype_info *info = tern__dtype((tern_dtype)tensor->dtype);
    if (info->block_elements != 1) /* block types are never cut: all bytes are theirs */
        return tern__owner_bytes(tern__tensor_owner(tensor));
    return (size_t)tern_tensor_count(tensor) * (size_t)info->block_bytes;
}

bool tern_tensor_is_contiguous(const tern_tensor *tensor) {
    int64_t expected = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->dims[i] != 1 && tern__strides(tensor)[i] != expected)
            return tensor->dims[i] == 0 || tern_tensor_count(tensor) == 0;
        expected *= tensor->dims[i];
    }
    return true;
}

void *tern_tensor_data(const tern_tensor *tensor) {
    bool is_opaque = tensor->dtype == TERN_TERNARY || tensor->dtype == TERN_QUANTIZED;
    if (is_opaque || tern__tensor_is_poison(tensor) || tensor->context->memory != NULL)
        return NULL;
    return tensor->data;
}
