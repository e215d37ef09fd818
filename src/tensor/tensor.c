/* SPDX-License-Identifier: MIT
 * Tensors: creation, reference counting, views. */
#include "tensor/tensor.h"

#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"
#include "tensor/dtype.h"

static size_t header_bytes(int rank) {
    return sizeof(tern_tensor) + 2 * (size_t)rank * sizeof(int64_t);
}

/* -- storage -----------------------------------------------------------------------------------*/

static tern_status storage_create(tern_context *context, size_t bytes, const void *borrowed,
                                  tern__storage **out) {
    void *block = NULL;
    tern_status status = tern__pool_alloc(context->pool, sizeof(tern__storage), &block);
    if (status != TERN_OK)
        return status;
    tern__storage *storage = block;
    *storage = (tern__storage){.context = context, .bytes = bytes};
    atomic_init(&storage->references, 1);
    if (borrowed != NULL) {
        storage->is_borrowed = true;
        storage->data = (void *)(uintptr_t)borrowed; /* never written: is_borrowed says so */
    } else {
        status = tern__pool_alloc(context->pool, bytes, &storage->data);
        if (status != TERN_OK) {
            tern__pool_free(context->pool, storage, sizeof *storage);
            return status;
        }
    }
    tern__context_retain(context);
    *out = storage;
    return TERN_OK;
}

static void storage_release(tern__storage *storage) {
    if (atomic_fetch_sub_explicit(&storage->references, 1, memory_order_acq_rel) != 1)
        return;
    tern_context *context = storage->context;
    if (!storage->is_borrowed)
        tern__pool_free(context->pool, storage->data, storage->bytes);
    else if (storage->release != NULL)
        storage->release(storage->release_user);
    tern__pool_free(context->pool, storage, sizeof *storage);
    tern__context_release(context);
}

/* -- tensor headers ----------------------------------------------------------------------------*/

static void scope_push(tern_tensor *tensor) {
    tern_context *context = tensor->context;
    tensor->scope_depth = context->scope_depth;
    tensor->scope_next = NULL;
    tensor->scope_previous = NULL;
    if (context->scope_depth == 0)
        return;
    tensor->scope_next = context->scope_top;
    if (context->scope_top != NULL)
        context->scope_top->scope_previous = tensor;
    context->scope_top = tensor;
}

static void scope_remove(tern_tensor *tensor) {
    if (tensor->scope_depth == 0)
        return;
    if (tensor->scope_previous != NULL)
        tensor->scope_previous->scope_next = tensor->scope_next;
    else
        tensor->context->scope_top = tensor->scope_next;
    if (tensor->scope_next != NULL)
        tensor->scope_next->scope_previous = tensor->scope_previous;
    tensor->scope_depth = 0;
}

/* A header on `storage`, which gains a reference on success. dims hold shape then strides. */
static tern_status header_create(tern__storage *storage, tern_dtype dtype, int rank,
                                 const int64_t *dims, const int64_t *strides, void *data,
                                 tern_tensor **out) {
    tern_context *context = storage->context;
    void *block = NULL;
    tern_status status = tern__pool_alloc(context->pool, header_bytes(rank), &block);
    if (status != TERN_OK)
        return status;
    tern_tensor *tensor = block;
    *tensor = (tern_tensor){.dtype = (uint8_t)dtype,
                            .rank = (uint8_t)rank,
                            .context = context,
                            .storage = storage,
                            .data = data};
    atomic_init(&tensor->references, 1);
    memcpy(tensor->dims, dims, (size_t)rank * sizeof *dims);
    memcpy(tensor->dims + rank, strides, (size_t)rank * sizeof *strides);
    atomic_fetch_add_explicit(&storage->references, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&context->live_tensors, 1, memory_order_relaxed);
    tern__context_retain(context);
    scope_push(tensor);
    *out = tensor;
    return TERN_OK;
}

/* Row-major strides; false when the number of elements overflows. */
static bool strides_of(const tern_shape *shape, int64_t strides[TERN_MAX_RANK]) {
    int64_t count = 1;
    bool is_empty = false;
    for (int i = shape->rank - 1; i >= 0; i--) {
        strides[i] = count;
        is_empty |= shape->dims[i] == 0;
        if (!tern__mul_i64(count, shape->dims[i] == 0 ? 1 : shape->dims[i], &count))
            return false;
    }
    return is_empty || count <= INT64_MAX / 8;
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

/* Fresh storage of `bytes` (or `borrowed`) and one contiguous tensor on it. */
static tern_status create(tern_context *context, tern_dtype dtype, const tern_shape *shape,
                          size_t bytes, const void *borrowed, tern_tensor **out) {
    int64_t strides[TERN_MAX_RANK];
    if (!strides_of(shape, strides)) {
        char text[TERN__SHAPE_TEXT];
        return tern__fail(TERN_E_SHAPE, "shape %s has too many elements",
                          tern__shape_text(shape->rank, shape->dims, text));
    }
    tern__storage *storage = NULL;
    tern_status status = storage_create(context, bytes, borrowed, &storage);
    if (status != TERN_OK)
        return status;
    status = header_create(storage, dtype, shape->rank, shape->dims, strides, storage->data, out);
    storage_release(storage); /* the header holds it now */
    return status;
}

/* Bytes of a contiguous tensor of this shape. */
static tern_status bytes_of(tern_dtype dtype, const tern_shape *shape, size_t *bytes) {
    tern_status status = check_shape(shape);
    if (status != TERN_OK)
        return status;
    int64_t rows = 1, columns = shape->rank > 0 ? shape->dims[shape->rank - 1] : 1;
    for (int i = 0; i + 1 < shape->rank; i++)
        if (!tern__mul_i64(rows, shape->dims[i], &rows)) {
            char text[TERN__SHAPE_TEXT];
            return tern__fail(TERN_E_SHAPE, "shape %s has too many elements",
                              tern__shape_text(shape->rank, shape->dims, text));
        }
    return tern__dtype_bytes(dtype, rows, columns, bytes);
}

tern_status tern_tensor_empty(tern_context *context, tern_dtype dtype, tern_shape shape,
                              tern_tensor **out) {
    *out = NULL;
    size_t bytes = 0;
    tern_status status = bytes_of(dtype, &shape, &bytes);
    return status == TERN_OK ? create(context, dtype, &shape, bytes, NULL, out) : status;
}

tern_status tern__tensor_opaque(tern_context *context, tern_shape shape, size_t bytes,
                                tern_tensor **out) {
    *out = NULL;
    return create(context, TERN_TERNARY, &shape, bytes, NULL, out);
}

tern_status tern_tensor_zeros(tern_context *context, tern_dtype dtype, tern_shape shape,
                              tern_tensor **out) {
    tern_status status = tern_tensor_empty(context, dtype, shape, out);
    if (status == TERN_OK)
        memset((*out)->data, 0, (*out)->storage->bytes);
    return status;
}

tern_status tern_tensor_from_data(tern_context *context, tern_dtype dtype, tern_shape shape,
                                  const void *data, tern_tensor **out) {
    tern_status status = tern_tensor_empty(context, dtype, shape, out);
    if (status == TERN_OK && (*out)->storage->bytes > 0)
        memcpy((*out)->data, data, (*out)->storage->bytes);
    return status;
}

tern_status tern__tensor_adopt(tern_context *context, tern_dtype dtype, tern_shape shape,
                               const void *data, void (*release)(void *), void *user,
                               tern_tensor **out) {
    *out = NULL;
    size_t bytes = 0;
    tern_status status = bytes_of(dtype, &shape, &bytes);
    if (status == TERN_OK && data == NULL)
        status = tern__fail(TERN_E_ARGUMENT, "borrowed data is NULL");
    if (status == TERN_OK)
        status = create(context, dtype, &shape, bytes, data, out);
    if (status == TERN_OK) {
        (*out)->storage->release = release;
        (*out)->storage->release_user = user;
    }
    return status;
}

tern_status tern_tensor_borrow(tern_context *context, tern_dtype dtype, tern_shape shape,
                               const void *data, tern_tensor **out) {
    return tern__tensor_adopt(context, dtype, shape, data, NULL, NULL, out);
}

tern_status tern__tensor_view(const tern_tensor *tensor, int rank, const int64_t *dims,
                              const int64_t *strides, void *data, tern_tensor **out) {
    return header_create(tensor->storage, (tern_dtype)tensor->dtype, rank, dims, strides, data,
                         out);
}

tern_tensor *tern_tensor_retain(tern_tensor *tensor) {
    if (tensor != NULL)
        atomic_fetch_add_explicit(&tensor->references, 1, memory_order_relaxed);
    return tensor;
}

void tern_tensor_release(tern_tensor *tensor) {
    if (tensor == NULL ||
        atomic_fetch_sub_explicit(&tensor->references, 1, memory_order_acq_rel) != 1)
        return;
    tern_context *context = tensor->context;
    scope_remove(tensor);
    storage_release(tensor->storage);
    tern__pool_free(context->pool, tensor, header_bytes(tensor->rank));
    atomic_fetch_sub_explicit(&context->live_tensors, 1, memory_order_relaxed);
    tern__context_release(context);
}

tern_tensor *tern_tensor_keep(tern_tensor *tensor) {
    if (tensor != NULL)
        scope_remove(tensor);
    return tensor;
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
    tern_shape shape = {.rank = tensor->rank};
    memcpy(shape.dims, tensor->dims, tensor->rank * sizeof(int64_t));
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
    if (info->block_elements != 1) /* block types are never cut: the storage is theirs */
        return tensor->storage->bytes;
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
    return tensor->dtype == TERN_TERNARY ? NULL : tensor->data;
}
