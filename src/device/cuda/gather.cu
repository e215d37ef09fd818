/* SPDX-License-Identifier: MIT
 *
 * Reading at places that an index names, and one-hot vectors. Every index is checked first, which
 * waits for the device; where one is outside, the CPU is left to say so.
 */
#include "device/cuda/plain_cuda.h"
#include "device/cuda/rows_table.h"
#include "device/cuda/walk_cuda.h"

namespace {

enum { THREADS = 256 };

struct index_call {
    cuda_walk walk;  /* the result, x, the index; for one-hot vectors x is not there: the index */
    cuda_walk whole; /* of x, where the index counts its elements */
    void *out;
    const void *x, *index;
    int out_type, index_type, size;
    int64_t length, stride; /* of the axis that is indexed */
    int *is_outside;
};

/* In [-length, length)? Over the index alone. */
__global__ void __launch_bounds__(THREADS) check_kernel(index_call c) {
    CUDA_EACH(i, c.walk.count) {
        int64_t at[1];
        cuda_walk_at(c.walk, i, at);
        int64_t index = cuda_load<int64_t>(c.index, c.index_type, at[0]);
        if ((uint64_t)index + (uint64_t)c.length >= 2 * (uint64_t)c.length)
            *c.is_outside = 1;
    }
}

__device__ __forceinline__ int64_t read_index(const index_call &c, int64_t at) {
    int64_t index = cuda_load<int64_t>(c.index, c.index_type, at);
    return index < 0 ? index + c.length : index;
}

__global__ void __launch_bounds__(THREADS) gather_kernel(index_call c) {
    CUDA_EACH(i, c.walk.count) {
        int64_t at[3], place[1] = {0};
        cuda_walk_at(c.walk, i, at);
        int64_t index = read_index(c, at[2]);
        if (c.whole.operands > 0)
            cuda_walk_at(c.whole, index, place);
        else
            place[0] = index * c.stride;
        int64_t from = at[1] + place[0];
        switch (c.size) {
        case 1:
            ((uint8_t *)c.out)[at[0]] = ((const uint8_t *)c.x)[from];
            break;
        case 2:
            ((uint16_t *)c.out)[at[0]] = ((const uint16_t *)c.x)[from];
            break;
        case 4:
            ((uint32_t *)c.out)[at[0]] = ((const uint32_t *)c.x)[from];
            break;
        default:
            ((uint64_t *)c.out)[at[0]] = ((const uint64_t *)c.x)[from];
        }
    }
}

/* The result is contiguous, its last axis the classes. */
__global__ void __launch_bounds__(THREADS) one_hot_kernel(index_call c) {
    CUDA_EACH(i, c.walk.count) {
        int64_t at[2];
        cuda_walk_at(c.walk, i, at);
        cuda_store<int64_t>(c.out, c.out_type, at[0], i % c.length == read_index(c, at[1]));
    }
}

/* TERN_E_UNSUPPORTED when an index is outside. */
tern_status check_indices(cuda_device *device, const tern__operand *index, index_call c) {
    int is_outside = 0;
    void *flag = NULL;
    c.walk = cuda_walk_open(index->rank, index->dims);
    cuda_walk_add(&c.walk, index->strides);
    cuda_walk_merge(&c.walk);
    if (c.walk.count == 0)
        return TERN_OK;
    tern_status status = cuda_scratch(device, sizeof is_outside, &flag);
    if (status == TERN_OK)
        status = cuda_flush(device);
    if (status != TERN_OK)
        return status;
    c.is_outside = (int *)flag;
    unsigned blocks = cuda_blocks(c.walk.count, THREADS, 1 << 16);
    cudaError_t error = cudaMemsetAsync(flag, 0, sizeof is_outside, device->stream);
    if (error == cudaSuccess)
        error = TERN_LAUNCH(check_kernel, blocks, THREADS, 0, device->stream, c);
    if (error == cudaSuccess)
        error = cudaMemcpyAsync(&is_outside, flag, sizeof is_outside, cudaMemcpyDeviceToHost,
                                device->stream);
    if (error == cudaSuccess)
        error = cudaStreamSynchronize(device->stream);
    status = cuda_check(device, error, "checking an index");
    return status == TERN_OK && is_outside ? cuda_decline() : status;
}

void add_index(index_call *c, const tern__operand *index) {
    c->index = index->data;
    c->index_type = index->dtype;
}

/* The walk over the result: x stands still along the indexed axis, and everywhere where the index
 * counts all of its elements. */
void open_gather(index_call *c, const tern__device_call *call) {
    const tern__operand *x = &call->in[0], *index = &call->in[1], *out = &call->out[0];
    int64_t from[TERN_MAX_RANK] = {0}, places[TERN_MAX_RANK] = {0};
    c->walk = cuda_walk_open(out->rank, out->dims);
    cuda_walk_add(&c->walk, out->strides);
    for (int i = 0; i < out->rank && call->op != TERN__OP_TAKE; i++)
        from[i] = i == call->axis || x->dims[i] == 1 ? 0 : x->strides[i];
    cuda_walk_add(&c->walk, from);
    if (call->op == TERN__OP_INDEX_SELECT) {
        places[call->axis] = index->strides[0];
        cuda_walk_add(&c->walk, places);
    } else {
        cuda_walk_broadcast(&c->walk, index);
    }
    cuda_walk_merge(&c->walk);
}

} // namespace

tern_status cuda_gather(void *handle, const tern__device_call *call) {
    cuda_device *device = cuda_of(handle);
    const tern__operand *x = &call->in[0];
    index_call c = {};
    c.out = call->out[0].data;
    c.x = x->data;
    c.size = cuda_size(x->dtype);
    add_index(&c, &call->in[1]);
    if (call->op == TERN__OP_TAKE) {
        c.whole = cuda_walk_open(x->rank, x->dims);
        cuda_walk_add(&c.whole, x->strides);
        c.length = c.whole.count;
        cuda_walk_merge(&c.whole);
    } else {
        c.length = x->dims[call->axis];
        c.stride = x->strides[call->axis];
    }
    tern_status status = check_indices(device, &call->in[1], c);
    if (status != TERN_OK)
        return status;
    open_gather(&c, call);
    if (c.walk.count == 0)
        return TERN_OK;
    unsigned blocks = cuda_blocks(c.walk.count, THREADS * 2, 1 << 20);
    return cuda_check(device, TERN_LAUNCH(gather_kernel, blocks, THREADS, 0, device->stream, c),
                      "gather");
}

tern_status cuda_one_hot(void *handle, const tern__device_call *call) {
    cuda_device *device = cuda_of(handle);
    const tern__operand *ids = &call->in[0], *out = &call->out[0];
    index_call c = {};
    c.out = out->data;
    c.out_type = out->dtype;
    c.length = out->dims[out->rank - 1];
    add_index(&c, ids);
    tern_status status = check_indices(device, ids, c);
    if (status != TERN_OK)
        return status;
    int64_t strides[TERN_MAX_RANK] = {0};
    for (int i = 0; i < ids->rank; i++)
        strides[i] = ids->strides[i];
    c.walk = cuda_walk_open(out->rank, out->dims);
    cuda_walk_add(&c.walk, out->strides);
    cuda_walk_add(&c.walk, strides);
    cuda_walk_merge(&c.walk);
    if (c.walk.count == 0)
        return TERN_OK;
    unsigned blocks = cuda_blocks(c.walk.count, THREADS * 2, 1 << 20);
    return cuda_check(device, TERN_LAUNCH(one_hot_kernel, blocks, THREADS, 0, device->stream, c),
                      "one_hot");
}
