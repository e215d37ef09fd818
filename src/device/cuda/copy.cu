/* SPDX-License-Identifier: MIT
 *
 * Copies and casts between the plain types, from and to any strides. Block types are left to the
 * CPU.
 */
#include "device/cuda/plain_cuda.h"
#include "device/cuda/rows_table.h"
#include "device/cuda/walk_cuda.h"

namespace {

enum { THREADS = 256 };

struct copy_call {
    cuda_walk walk; /* to, from */
    void *to;
    const void *from;
    int to_type, from_type;
};

template <typename H> __global__ void __launch_bounds__(THREADS) cast_kernel(copy_call c) {
    CUDA_EACH(i, c.walk.count) {
        int64_t at[2];
        cuda_walk_at(c.walk, i, at);
        cuda_store<H>(c.to, c.to_type, at[0], cuda_load<H>(c.from, c.from_type, at[1]));
    }
}

template <typename T> __global__ void __launch_bounds__(THREADS) copy_kernel(copy_call c) {
    CUDA_EACH(i, c.walk.count) {
        int64_t at[2];
        cuda_walk_at(c.walk, i, at);
        ((T *)c.to)[at[0]] = ((const T *)c.from)[at[1]];
    }
}

/* The type through which the numbers go, so that they are rounded once; F32 does not hold I32. */
tern_dtype hub_between(int from, int to) {
    if (from == TERN_F64 || to == TERN_F64 || (from == TERN_I32 && to == TERN_BF16))
        return TERN_F64;
    bool is_whole = cuda_hub(from) == TERN_I64 && (cuda_hub(to) == TERN_I64 || to == TERN_F32);
    return is_whole ? TERN_I64 : TERN_F32;
}

cudaError_t run_cast(const cuda_device *device, const copy_call &c, unsigned blocks) {
    switch (hub_between(c.from_type, c.to_type)) {
    case TERN_F64:
        return TERN_LAUNCH(cast_kernel<double>, blocks, THREADS, 0, device->stream, c);
    case TERN_I64:
        return TERN_LAUNCH(cast_kernel<int64_t>, blocks, THREADS, 0, device->stream, c);
    default:
        return TERN_LAUNCH(cast_kernel<float>, blocks, THREADS, 0, device->stream, c);
    }
}

cudaError_t run_copy(const cuda_device *device, const copy_call &c, unsigned blocks) {
    int size = cuda_size(c.to_type);
    if (c.walk.is_flat)
        return cudaMemcpyAsync(c.to, c.from, (size_t)(c.walk.count * size),
                               cudaMemcpyDeviceToDevice, device->stream);
    switch (size) {
    case 1:
        return TERN_LAUNCH(copy_kernel<uint8_t>, blocks, THREADS, 0, device->stream, c);
    case 2:
        return TERN_LAUNCH(copy_kernel<uint16_t>, blocks, THREADS, 0, device->stream, c);
    case 4:
        return TERN_LAUNCH(copy_kernel<uint32_t>, blocks, THREADS, 0, device->stream, c);
    default:
        return TERN_LAUNCH(copy_kernel<uint64_t>, blocks, THREADS, 0, device->stream, c);
    }
}

} // namespace

tern_status cuda_copy(void *handle, const tern__device_call *call) {
    cuda_device *device = cuda_of(handle);
    const tern__operand *from = &call->in[0], *to = &call->out[0];
    if (!cuda_is_plain(from->dtype) || !cuda_is_plain(to->dtype))
        return cuda_decline();
    copy_call c = {};
    c.walk = cuda_walk_open(to->rank, to->dims);
    cuda_walk_add(&c.walk, to->strides);
    cuda_walk_broadcast(&c.walk, from);
    cuda_walk_merge(&c.walk);
    c.to = to->data;
    c.from = from->data;
    c.to_type = to->dtype;
    c.from_type = from->dtype;
    if (c.walk.count == 0)
        return TERN_OK;
    unsigned blocks = cuda_blocks(c.walk.count, THREADS * 4, 1 << 20);
    cudaError_t error =
        from->dtype == to->dtype ? run_copy(device, c, blocks) : run_cast(device, c, blocks);
    return cuda_check(device, error, "copy");
}
