/* SPDX-License-Identifier: MIT
 * DLPack: the tensor's own shape, strides and bytes, in the structures that others read, and theirs
 * as a tensor. */
#include <tern/dlpack.h>
#include <tern/interchange.h>

#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

_Static_assert(sizeof(DLTensor) == 48 && sizeof(DLManagedTensor) == 64 &&
                   sizeof(DLManagedTensorVersioned) == 80,
               "the layout of DLPack's C ABI");

enum { MAJOR_VERSION = 1, MINOR_VERSION = 0 };

/* Bits and lanes follow from the type's size. */
static const struct {
    tern_dtype dtype;
    uint8_t code;
} codes[] = {
    {TERN_F32, kDLFloat}, {TERN_F16, kDLFloat}, {TERN_BF16, kDLBfloat}, {TERN_F64, kDLFloat},
    {TERN_I8, kDLInt},    {TERN_U8, kDLUInt},   {TERN_I16, kDLInt},     {TERN_I32, kDLInt},
    {TERN_I64, kDLInt},   {TERN_BOOL, kDLBool},
};
enum { CODES = sizeof codes / sizeof codes[0] };

static int bits_of(tern_dtype dtype) {
    return 8 * tern__dtype(dtype)->block_bytes;
}

/* -- export ------------------------------------------------------------------------------------*/

/* What a consumer holds: the structure it sees, the reference, shape and strides. */
typedef struct exported {
    union {
        DLManagedTensorVersioned managed;
        DLManagedTensor old;
    };
    tern_tensor *tensor;
    int64_t dims[]; /* shape, then strides */
} exported;

static void end_export(exported *out) {
    tern_tensor_release(out->tensor);
    tern__os()->free(out);
}

static void delete_managed(DLManagedTensorVersioned *managed) {
    end_export(managed->manager_ctx);
}

static void delete_old(DLManagedTensor *managed) {
    end_export(managed->manager_ctx);
}

static tern_status begin_export(tern_tensor *tensor, exported **out, DLTensor *facts) {
    tern_dtype dtype = (tern_dtype)tensor->dtype;
    int row = 0;
    while (row < CODES && codes[row].dtype != dtype)
        row++;
    if (row == CODES)
        return tern__fail(TERN_E_DTYPE, "dlpack: there is no type for %s", tern_dtype_name(dtype));
    if (tensor->context->memory != NULL)
        return tern__fail(TERN_E_UNSUPPORTED, "dlpack: the tensor lies in the memory of a device; "
                                              "tern_tensor_to brings it to the CPU");
    size_t dims = 2 * (size_t)tensor->rank * sizeof(int64_t);
    exported *made = tern__os()->alloc(sizeof *made + dims);
    if (made == NULL)
        return tern__fail(TERN_E_MEMORY, "dlpack: no memory to export a tensor");
    memcpy(made->dims, tensor->dims, dims);
    made->tensor = tern_tensor_retain(tensor);
    *facts = (DLTensor){.data = tern_tensor_count(tensor) > 0 ? tensor->data : NULL,
                        .device = {.device_type = kDLCPU},
                        .ndim = tensor->rank,
                        .dtype = {codes[row].code, (uint8_t)bits_of(dtype), 1},
                        .shape = made->dims,
                        .strides = made->dims + tensor->rank};
    *out = made;
    return TERN_OK;
}

tern_status tern_tensor_to_dlpack(tern_tensor *tensor, DLManagedTensorVersioned **managed) {
    *managed = NULL;
    exported *out;
    DLTensor facts;
    tern_status status = begin_export(tensor, &out, &facts);
    if (status != TERN_OK)
        return status;
    out->managed = (DLManagedTensorVersioned){
        .version = {MAJOR_VERSION, MINOR_VERSION},
        .manager_ctx = out,
        .deleter = delete_managed,
        .flags = tern__tensor_is_borrowed(tensor) ? DLPACK_FLAG_BITMASK_READ_ONLY : 0,
        .dl_tensor = facts};
    *managed = &out->managed;
    return TERN_OK;
}

tern_status tern_tensor_to_dlpack_old(tern_tensor *tensor, DLManagedTensor **managed) {
    *managed = NULL;
    if (tern__tensor_is_borrowed(tensor))
        return tern__fail(TERN_E_ARGUMENT, "dlpack: the tensor's bytes are borrowed, and the form "
                                           "before version 1 cannot say read-only");
    exported *out;
    DLTensor facts;
    tern_status status = begin_export(tensor, &out, &facts);
    if (status != TERN_OK)
        return status;
    out->old = (DLManagedTensor){.dl_tensor = facts, .manager_ctx = out, .deleter = delete_old};
    *managed = &out->old;
    return TERN_OK;
}

/* -- import ------------------------------------------------------------------------------------*/

/* What the tensor calls in the end. */
typedef struct imported {
    DLManagedTensorVersioned *managed; /* NULL: not ours */
    DLManagedTensor *old;
} imported;

static void end_import(void *user) {
    imported in = *(imported *)user;
    tern__os()->free(user);
    if (in.managed != NULL && in.managed->deleter != NULL)
        in.managed->deleter(in.managed);
    if (in.old != NULL && in.old->deleter != NULL)
        in.old->deleter(in.old);
}

/* The elements between the lowest and the highest that are reached, and the first one's place among
 * them. */
typedef struct span {
    int64_t count, first;
} span;

static tern_status read_dtype(const DLTensor *from, tern_dtype *dtype) {
    DLDataType type = from->dtype;
    if (type.lanes != 1)
        return tern__fail(TERN_E_DTYPE, "dlpack: elements of %u lanes", type.lanes);
    for (int i = 0; i < CODES; i++) {
        *dtype = codes[i].dtype;
        if (codes[i].code == type.code && bits_of(*dtype) == type.bits)
            return TERN_OK;
    }
    return tern__fail(TERN_E_DTYPE, "dlpack: no data type has code %u and %u bits", type.code,
                      type.bits);
}

static tern_status read_shape(const DLTensor *from, tern_shape *shape, int64_t *strides,
                              int64_t *count) {
    if (from->ndim < 0 || from->ndim > TERN_MAX_RANK)
        return tern__fail(TERN_E_SHAPE, "dlpack: rank %d is not in 0..%d", from->ndim,
                          TERN_MAX_RANK);
    if (from->ndim > 0 && from->shape == NULL)
        return tern__fail(TERN_E_ARGUMENT, "dlpack: the shape is NULL");
    shape->rank = from->ndim;
    *count = 1;
    bool fits = true;
    for (int i = shape->rank - 1; i >= 0; i--) {
        int64_t dim = shape->dims[i] = from->shape[i];
        if (dim < 0)
            return tern__fail(TERN_E_SHAPE, "dlpack: dimension %d is negative: %lld", i,
                              (long long)dim);
        strides[i] = from->strides != NULL ? from->strides[i] : *count;
        fits = fits && tern__mul_i64(*count, dim, count);
    }
    return fits ? TERN_OK : tern__fail(TERN_E_SHAPE, "dlpack: the shape has too many elements");
}

static tern_status measure(const tern_shape *shape, const int64_t *strides, int64_t size,
                           span *reach) {
    int64_t below = 0, above = 0, step;
    bool fits = true;
    for (int i = 0; i < shape->rank && fits; i++) {
        fits = tern__mul_i64(shape->dims[i] - 1, strides[i], &step) &&
               !__builtin_add_overflow(step < 0 ? below : above, step, step < 0 ? &below : &above);
    }
    fits = fits && !__builtin_sub_overflow(above, below, &reach->count) &&
           reach->count < INT64_MAX / size;
    if (!fits)
        return tern__fail(TERN_E_SHAPE, "dlpack: the strides reach too far");
    reach->count++;
    reach->first = -below;
    return TERN_OK;
}

static tern_status check_place(const DLTensor *from, tern_dtype dtype, int64_t count) {
    DLDeviceType type = from->device.device_type;
    if (type != kDLCPU && type != kDLCUDAHost && type != kDLROCMHost)
        return tern__fail(TERN_E_UNSUPPORTED,
                          "dlpack: the data lies on device %d:%d, not in the "
                          "host's memory",
                          (int)type, from->device.device_id);
    if (from->data == NULL && count > 0)
        return tern__fail(TERN_E_ARGUMENT, "dlpack: the data is NULL");
    uintptr_t address = (uintptr_t)from->data + from->byte_offset;
    if (address % (size_t)tern__dtype(dtype)->block_bytes != 0)
        return tern__fail(TERN_E_UNSUPPORTED, "dlpack: the data is not aligned to its elements");
    return TERN_OK;
}

/* The strides of a contiguous tensor; those of axes of length 1 do not matter. */
static bool is_row_major(const tern_shape *shape, const int64_t *strides) {
    int64_t step = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        if (shape->dims[i] != 1 && strides[i] != step)
            return false;
        step *= shape->dims[i];
    }
    return true;
}

/* What lies in rows is one tensor, so that a leak of it is told with its shape; else an owner of
 * everything that is reached, and a view of it. Takes `in`. */
static tern_status adopt(tern_context *context, const DLTensor *from, imported *in,
                         tern_tensor **out) {
    static const double nothing = 0; /* what an empty tensor points to */
    const tern__tensor_callback callback = {end_import, in};
    tern_dtype dtype = TERN_F32;
    tern_shape shape = {0};
    int64_t strides[TERN_MAX_RANK], count = 0;
    tern_tensor *owner = NULL;
    span reach = {0};
    tern_status status;
    if (context->memory != NULL)
        TERN__TRY(tern__fail(TERN_E_UNSUPPORTED, "dlpack: the context computes in the memory of a "
                                                 "device; take the data into one of the CPU"));
    TERN__TRY(read_dtype(from, &dtype));
    TERN__TRY(read_shape(from, &shape, strides, &count));
    TERN__TRY(check_place(from, dtype, count));
    uint8_t *first = (uint8_t *)from->data + from->byte_offset;
    if (count == 0 || is_row_major(&shape, strides)) {
        status =
            tern__tensor_adopt(context, dtype, &shape, count == 0 ? (const void *)&nothing : first,
                               &callback, "from_dlpack", out);
        goto done;
    }
    int64_t size = tern__dtype(dtype)->block_bytes;
    TERN__TRY(measure(&shape, strides, size, &reach));
    TERN__TRY(tern__tensor_adopt(context, dtype, &TERN_SHAPE(reach.count),
                                 first - reach.first * size, &callback, "from_dlpack", &owner));
    status = tern__tensor_view(owner, &(tern__view_layout){shape.rank, shape.dims, strides, first},
                               "from_dlpack", out);
done:
    if (status != TERN_OK) {
        *in = (imported){NULL, NULL}; /* stays the caller's */
        if (owner == NULL)
            end_import(in);
    }
    tern_tensor_release(owner);
    return status;
}

static tern_status from_dlpack(tern_context *context, const DLTensor *from, imported given,
                               tern_tensor **out) {
    *out = NULL;
    imported *in = tern__os()->alloc(sizeof *in);
    if (in == NULL)
        return tern__fail(TERN_E_MEMORY, "dlpack: no memory to import a tensor");
    *in = given;
    return adopt(context, from, in, out);
}

tern_status tern_tensor_from_dlpack(tern_context *context, DLManagedTensorVersioned *managed,
                                    tern_tensor **out) {
    *out = NULL;
    if (managed->version.major != MAJOR_VERSION)
        return tern__fail(TERN_E_UNSUPPORTED, "dlpack: version %u.%u, known is %d",
                          managed->version.major, managed->version.minor, MAJOR_VERSION);
    return from_dlpack(context, &managed->dl_tensor, (imported){managed, NULL}, out);
}

tern_status tern_tensor_from_dlpack_old(tern_context *context, DLManagedTensor *managed,
                                        tern_tensor **out) {
    return from_dlpack(context, &managed->dl_tensor, (imported){NULL, managed}, out);
}
