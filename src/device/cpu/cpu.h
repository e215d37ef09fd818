/* SPDX-License-Identifier: MIT
 * The CPU as a device: the one place where threads meet kernels. */
#ifndef TERN__CPU_DEVICE_H
#define TERN__CPU_DEVICE_H

#include "base/threads.h"
#include "device/device.h"
#include "kernels/attention.h"
#include "kernels/conv.h"
#include "kernels/convert.h"
#include "kernels/elementwise.h"
#include "kernels/functions.h"
#include "kernels/gemm.h"
#include "kernels/map.h"
#include "kernels/packed.h"
#include "kernels/plain.h"
#include "kernels/quantize.h"
#include "kernels/reduce.h"
#include "kernels/rows.h"

/* X(family): a member of the device and the array of kernels it is picked from; the families of
 * packed weights come on top. */
/* clang-format off */
#define TERN__CPU_FAMILIES(X) \
    X(elementwise) X(map) X(functions) X(plain) X(reduce) X(rows) X(quantize) X(convert) X(gemm) \
    X(gemm_f64) X(gemm_i8) X(gemm_bf16) X(conv) X(attention)
/* clang-format on */

typedef struct tern__cpu_device {
    tern__device base; /* first: a tern__device is one of these */
    tern__team *team;
    uint32_t features; /* what TERN_CPU or the options allow */
    uint8_t *scratch;  /* TERN__LANE_SCRATCH bytes per thread of the team */
    size_t scratch_bytes;
    const tern__elementwise_kernel *elementwise;
    const tern__map_kernel *map;
    const tern__functions_kernel *functions;
    const tern__plain_kernel *plain;
    const tern__reduce_kernel *reduce;
    const tern__rows_kernel *rows;
    const tern__quantize_kernel *quantize;
    const tern__convert_kernel *convert;
    const tern__gemm_kernel *gemm, *gemm_f64, *gemm_i8, *gemm_bf16;
    const tern__conv_kernel *conv;
    const tern__attention_kernel *attention;
    const tern__packed_kernel *packed[TERN__PACKING_COUNT];
} tern__cpu_device;

/* Fixed scratch of one thread, for packing panels inside a kernel call: twice a second-level
 * cache and more. 64-byte aligned. What no call touches takes no memory. */
#define TERN__LANE_SCRATCH ((size_t)2496 << 10)

static inline void *tern__lane_scratch(const tern__cpu_device *cpu, int lane) {
    return cpu->scratch + (size_t)lane * TERN__LANE_SCRATCH;
}

static inline tern__cpu_device *tern__cpu_of(tern__device *device) {
    return (tern__cpu_device *)device;
}

/* Elements worth a piece of work for another thread. */
#define TERN__CPU_GRAIN 16384

/* Op rows, one file per kind. */
tern_status tern__cpu_elementwise(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_copy(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_reduce(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_arg_extreme(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_scan(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_quantile(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_dot(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_gather(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_scatter(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_pick(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_one_hot(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_search(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_roll(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_sort(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_topk(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_unique(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_rms_norm(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_softmax(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_softmax_backward(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_layer_norm(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_norm_backward(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_cross_entropy(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_cross_entropy_backward(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_einsum(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_conv(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_rope(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_embedding(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_matmul(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_linear(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_packed_linear(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_norm_linear(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_norm_linear_add(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_norm_glu(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_linear_topk(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_attention(tern__device *device, const tern__op_call *call);
tern_status tern__cpu_quantize(tern__device *device, const tern__op_call *call);

tern_status tern__cpu_pack(tern__device *device, tern_context *context,
                           const tern__code_source *source, tern_tensor **out);

void tern__cpu_choose_storage(tern__device *device, size_t bytes, const char *directory,
                              tern__storage_choice *choice);

tern_status tern__cpu_pack_int(tern__device *device, tern_tensor *weight, int bits,
                               tern_tensor **out);

tern_status tern__cpu_check_packed(const tern__device *device, const tern_tensor *weight);

/* Row `index` of x (..., n), F32 and of any strides, as contiguous elements: where it lies, or
 * gathered into `room`. */
const float *tern__cpu_row(const tern_tensor *x, int64_t index, float *room);

/* Widens n elements of a float type, `stride` elements apart (1 for Q8_0), to F32. */
void tern__cpu_widen(const tern__cpu_device *cpu, tern_dtype dtype, const void *from,
                     int64_t stride, float *out, int64_t n);

#endif
