/* SPDX-License-Identifier: MIT
 *
 * The structures of DLPack 1 (https://dmlc.github.io/dlpack), for programs that do not have its own
 * header: the same names, types and layout. Where <dlpack/dlpack.h> was included before, nothing is
 * declared here; after this header, leave it out.
 *
 *     struct DLManagedTensorVersioned *managed = NULL;
 *     if (tern_tensor_to_dlpack(tensor, &managed) == TERN_OK) {
 *         const float *first = managed->dl_tensor.data;
 *         ...
 *         managed->deleter(managed);
 *     }
 */
#ifndef TERN_DLPACK_H
#define TERN_DLPACK_H

#include <tern/base.h>

#if !defined(DLPACK_MAJOR_VERSION) && !defined(DLPACK_VERSION)

#ifdef __cplusplus
extern "C" {
#endif

typedef struct DLPackVersion {
    uint32_t major, minor;
} DLPackVersion;

typedef enum DLDeviceType {
    kDLCPU = 1,
    kDLCUDA = 2,
    kDLCUDAHost = 3, /* pinned memory of the host */
    kDLROCM = 10,
    kDLROCMHost = 11,
    kDLCUDAManaged = 13,
} DLDeviceType;

typedef struct DLDevice {
    DLDeviceType device_type;
    int32_t device_id;
} DLDevice;

typedef enum DLDataTypeCode {
    kDLInt = 0,
    kDLUInt = 1,
    kDLFloat = 2,
    kDLBfloat = 4,
    kDLComplex = 5,
    kDLBool = 6,
} DLDataTypeCode;

typedef struct DLDataType {
    uint8_t code, bits; /* of DLDataTypeCode; of one lane */
    uint16_t lanes;
} DLDataType;

typedef struct DLTensor {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape;
    int64_t *strides; /* in elements; NULL: row-major */
    uint64_t byte_offset;
} DLTensor;

/* The form before version 1. */
typedef struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;

typedef struct DLManagedTensorVersioned {
    DLPackVersion version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;

#define DLPACK_FLAG_BITMASK_READ_ONLY (UINT64_C(1) << 0)

#ifdef __cplusplus
}
#endif
#endif
#endif
