/* SPDX-License-Identifier: MIT
 *
 * The k best elements of rows, the lowest index first among equals. Elements become unsigned keys
 * as device/cpu/order.h makes them, the best the smallest; with the index below the key no two are
 * equal. A block of threads finds the k-th smallest of these numbers digit by digit, from the
 * highest: it counts how many elements have each digit among those that agree with what is found so
 * far. Then it writes all elements up to that one down and puts each behind the ones before it.
 */
#include "device/cuda/best.h"
#include "device/cuda/plain_cuda.h"
#include "device/cuda/rows_table.h"
#include "device/cuda/walk_cuda.h"

namespace {

enum { DIGITS = 256, MOST = 1024 /* of k */ };
enum { MOST_THREADS = 512, SHORT_THREADS = 64, SHORT = 512, LONG = 8192 /* elements of a row */ };

struct order {
    int bytes;
    uint64_t sign, infinity, mask, flip;
};

struct topk_call {
    cuda_walk rows; /* values, indices, x */
    void *values;
    int64_t *indices; /* or NULL */
    const void *x;
    int64_t values_stride, indices_stride, x_stride;
    int64_t n;
    int k;
    order keys;
    int index_bytes; /* that hold every index */
};

struct item {
    uint64_t key;
    int64_t index;
};

__device__ __forceinline__ bool is_before(const item &a, const item &b) {
    return a.key < b.key || (a.key == b.key && a.index < b.index);
}

__device__ __forceinline__ uint64_t bits_at(const void *x, int bytes, int64_t i) {
    return bytes == 1   ? ((const uint8_t *)x)[i]
           : bytes == 2 ? ((const uint16_t *)x)[i]
           : bytes == 4 ? ((const uint32_t *)x)[i]
                        : ((const uint64_t *)x)[i];
}

/* Both zeros have one key, NaN the largest. */
__device__ __forceinline__ uint64_t key_at(const topk_call &c, int64_t at) {
    const order &o = c.keys;
    uint64_t bits = bits_at(c.x, o.bytes, at);
    if (o.infinity == 0)
        return bits ^ o.sign ^ o.flip;
    uint64_t magnitude = bits & ~o.sign;
    uint64_t key = bits & o.sign ? ~bits & o.mask : bits | o.sign;
    key = magnitude == 0 ? o.sign : key;
    return (magnitude > o.infinity ? o.mask : key) ^ o.flip;
}

/* Digit `place` of the number, 0 the lowest of the index. */
__device__ __forceinline__ unsigned digit_of(const topk_call &c, const item &x, int place) {
    if (place < c.index_bytes)
        return (unsigned)((uint64_t)x.index >> 8 * place) & 255u;
    return (unsigned)(x.key >> 8 * (place - c.index_bytes)) & 255u;
}

/* Whether x has the digits of `found` above `place`. */
__device__ __forceinline__ bool agrees(const topk_call &c, const item &x, const item &found,
                                       int place) {
    int of_key = place + 1 - c.index_bytes;
    if (of_key > 0)
        return of_key >= 8 || x.key >> 8 * of_key == found.key >> 8 * of_key;
    int of_index = place + 1;
    return x.key == found.key &&
           (of_index >= 8 || x.index >> 8 * of_index == found.index >> 8 * of_index);
}

/* The k-th smallest of the row at `from`. */
__device__ item find_last(const topk_call &c, int64_t from) {
    __shared__ unsigned counts[DIGITS];
    __shared__ unsigned chosen, before;
    int t = (int)threadIdx.x, threads = (int)blockDim.x;
    item found = {0, 0};
    unsigned wanted = (unsigned)c.k; /* the how manieth among those that agree */
    for (int place = c.keys.bytes + c.index_bytes - 1; place >= 0; place--) {
        for (int d = t; d < DIGITS; d += threads)
            counts[d] = 0;
        __syncthreads();
        for (int64_t i = t; i < c.n; i += threads) {
            item x = {key_at(c, from + i * c.x_stride), i};
            if (agrees(c, x, found, place))
                atomicAdd(&counts[digit_of(c, x, place)], 1u);
        }
        __syncthreads();
        if (t == 0) {
            unsigned sum = 0, d = 0;
            while (sum + counts[d] < wanted)
                sum += counts[d++];
            chosen = d;
            before = sum;
        }
        __syncthreads();
        wanted -= before;
        if (place < c.index_bytes)
            found.index |= (int64_t)chosen << 8 * place;
        else
            found.key |= (uint64_t)chosen << 8 * (place - c.index_bytes);
    }
    return found;
}

__device__ void put(const topk_call &c, const int64_t (&at)[3], int64_t place, int64_t index) {
    int64_t from = at[2] + index * c.x_stride, to = at[0] + place * c.values_stride;
    switch (c.keys.bytes) {
    case 1:
        ((uint8_t *)c.values)[to] = ((const uint8_t *)c.x)[from];
        break;
    case 2:
        ((uint16_t *)c.values)[to] = ((const uint16_t *)c.x)[from];
        break;
    case 4:
        ((uint32_t *)c.values)[to] = ((const uint32_t *)c.x)[from];
        break;
    default:
        ((uint64_t *)c.values)[to] = ((const uint64_t *)c.x)[from];
    }
    if (c.indices != NULL)
        c.indices[at[1] + place * c.indices_stride] = index;
}

__global__ void __launch_bounds__(MOST_THREADS) topk_kernel(topk_call c) {
    __shared__ item kept[MOST];
    __shared__ int count;
    int t = (int)threadIdx.x, threads = (int)blockDim.x;
    for (int64_t row = blockIdx.x; row < c.rows.count; row += gridDim.x) {
        int64_t at[3];
        cuda_walk_at(c.rows, row, at);
        item last = find_last(c, at[2]);
        if (t == 0)
            count = 0;
        __syncthreads();
        for (int64_t i = t; i < c.n; i += threads) {
            item x = {key_at(c, at[2] + i * c.x_stride), i};
            if (!is_before(last, x))
                kept[atomicAdd(&count, 1)] = x;
        }
        __syncthreads();
        for (int i = t; i < c.k; i += threads) {
            int place = 0;
            for (int other = 0; other < c.k; other++)
                place += is_before(kept[other], kept[i]);
            put(c, at, place, kept[i].index);
        }
        __syncthreads();
    }
}

order order_of(int dtype, bool descending) {
    order o = {};
    bool is_unsigned = dtype == TERN_U8 || dtype == TERN_BOOL;
    o.bytes = cuda_size(dtype);
    o.mask = UINT64_MAX >> (64 - 8 * o.bytes);
    o.sign = is_unsigned ? 0 : o.mask ^ o.mask >> 1;
    o.infinity = dtype == TERN_F32    ? 0x7f800000u
                 : dtype == TERN_F16  ? 0x7c00u
                 : dtype == TERN_BF16 ? 0x7f80u
                 : dtype == TERN_F64  ? UINT64_C(0x7ff0000000000000)
                                      : 0;
    o.flip = descending ? o.mask : 0;
    return o;
}

/* The rows of x and of the results, without the axis. */
cuda_walk open_rows(const tern__device_call *call) {
    const tern__operand *x = &call->in[0], *values = &call->out[0];
    const tern__operand *indices = &call->out[call->out_count > 1 ? 1 : 0];
    int64_t dims[TERN_MAX_RANK], strides[3][TERN_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < x->rank; i++) {
        if (i == call->axis)
            continue;
        dims[rank] = x->dims[i];
        strides[0][rank] = values->strides[i];
        strides[1][rank] = indices->strides[i];
        strides[2][rank++] = x->strides[i];
    }
    cuda_walk walk = cuda_walk_open(rank, dims);
    for (int o = 0; o < 3; o++)
        cuda_walk_add(&walk, strides[o]);
    cuda_walk_merge(&walk);
    return walk;
}

bool is_contiguous(const tern__operand *x) {
    int64_t step = 1;
    for (int i = x->rank - 1; i >= 0; step *= x->dims[i--])
        if (x->dims[i] != 1 && x->strides[i] != step)
            return false;
    return true;
}

/* Few long rows of F32: many blocks of threads for each. */
bool prefers_best(const tern__device_call *call, const topk_call &c) {
    bool is_plain = is_contiguous(&call->in[0]) && is_contiguous(&call->out[0]) &&
                    (c.indices == NULL || is_contiguous(&call->out[1]));
    return is_plain && call->in[0].dtype == TERN_F32 && call->choice &&
           call->axis == call->in[0].rank - 1 && c.n >= LONG && c.k <= CUDA_BEST_MAX &&
           c.rows.count <= 65535;
}

tern_status run_best(cuda_device *device, const topk_call &c) {
    cuda_best best = {};
    best.x = (const float *)c.x;
    best.rows = c.rows.count;
    best.n = c.n;
    best.k = c.k;
    best.values = (float *)c.values;
    best.indices = c.indices;
    void *scratch = NULL;
    tern_status status = cuda_scratch(device, cuda_best_bytes(&best), &scratch);
    return status == TERN_OK ? cuda_pick_best(device, &best, scratch) : status;
}

} // namespace

/* choice: the largest. */
tern_status cuda_topk(void *handle, const tern__device_call *call) {
    cuda_device *device = cuda_of(handle);
    const tern__operand *x = &call->in[0], *values = &call->out[0];
    bool has_indices = call->out_count > 1 && call->out[1].data != NULL;
    if (values->dims[call->axis] > MOST || x->dims[call->axis] > INT32_MAX)
        return cuda_decline();
    topk_call c = {};
    c.rows = open_rows(call);
    c.values = values->data;
    c.x = x->data;
    c.values_stride = values->strides[call->axis];
    c.x_stride = x->strides[call->axis];
    if (has_indices) {
        c.indices = (int64_t *)call->out[1].data;
        c.indices_stride = call->out[1].strides[call->axis];
    }
    c.n = x->dims[call->axis];
    c.k = (int)values->dims[call->axis];
    c.keys = order_of(x->dtype, call->choice);
    while (c.index_bytes < 4 && (c.n - 1) >> (8 * c.index_bytes) > 0)
        c.index_bytes++;
    if (c.rows.count == 0 || c.k == 0)
        return TERN_OK;
    if (prefers_best(call, c))
        return run_best(device, c);
    unsigned blocks = cuda_blocks(c.rows.count, 1, 1 << 20);
    unsigned threads = c.n <= SHORT ? SHORT_THREADS : MOST_THREADS;
    return cuda_check(device, TERN_LAUNCH(topk_kernel, blocks, threads, 0, device->stream, c),
                      "topk");
}
