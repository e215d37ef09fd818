/* SPDX-License-Identifier: MIT
 *
 * Where the smallest or largest element of each row is, the lowest index among equals and the
 * first NaN before all: a block of threads reads a row, then compares what each of them found.
 */
#include "device/cuda/reduce.h"
#include "device/cuda/rows_table.h"

namespace {

enum { MOST_THREADS = 1024, SHORT_THREADS = 64, SHORT = 1024 }; /* of rows up to SHORT elements */

struct arg_call {
    cuda_rows rows;
    bool is_largest;
    int64_t *out;
};

template <typename H> struct found {
    H value;
    int64_t index; /* -1: nothing */
};

template <typename H>
__device__ __forceinline__ bool is_better(const found<H> &a, const found<H> &b, bool is_largest) {
    if (a.index < 0 || b.index < 0)
        return b.index < 0 && a.index >= 0;
    bool a_is_nan = a.value != a.value, b_is_nan = b.value != b.value;
    if (a_is_nan != b_is_nan)
        return a_is_nan;
    if (a_is_nan || a.value == b.value)
        return a.index < b.index;
    return is_largest ? a.value > b.value : a.value < b.value;
}

template <typename H> __global__ void __launch_bounds__(MOST_THREADS) arg_kernel(arg_call c) {
    __shared__ found<H> best[MOST_THREADS];
    int t = (int)threadIdx.x, threads = (int)blockDim.x;
    for (int64_t row = blockIdx.x; row < c.rows.kept.count; row += gridDim.x) {
        int64_t at[2], place[1];
        found<H> mine = {0, -1};
        cuda_walk_at(c.rows.kept, row, at);
        for (int64_t i = t; i < c.rows.reduced.count; i += threads) {
            cuda_walk_at(c.rows.reduced, i, place);
            found<H> next = {cuda_load<H>(c.rows.x, c.rows.type, at[1] + place[0]), i};
            if (is_better(next, mine, c.is_largest))
                mine = next;
        }
        best[t] = mine;
        __syncthreads();
        for (int s = threads / 2; s > 0; s /= 2) {
            if (t < s && is_better(best[t + s], best[t], c.is_largest))
                best[t] = best[t + s];
            __syncthreads();
        }
        if (t == 0)
            c.out[at[0]] = best[0].index;
        __syncthreads();
    }
}

} // namespace

tern_status cuda_arg_extreme(void *handle, const tern__device_call *call) {
    cuda_device *device = cuda_of(handle);
    arg_call c = {};
    c.rows = cuda_split(&call->in[0], call->axes, &call->out[0]);
    c.is_largest = call->op == TERN__OP_ARGMAX;
    c.out = (int64_t *)call->out[0].data;
    if (c.rows.kept.count == 0)
        return TERN_OK;
    unsigned blocks = cuda_blocks(c.rows.kept.count, 1, 1 << 20);
    unsigned threads = c.rows.reduced.count <= SHORT ? SHORT_THREADS : MOST_THREADS;
    tern_dtype hub = cuda_hub(c.rows.type);
    cudaError_t error =
        hub == TERN_F32   ? TERN_LAUNCH(arg_kernel<float>, blocks, threads, 0, device->stream, c)
        : hub == TERN_F64 ? TERN_LAUNCH(arg_kernel<double>, blocks, threads, 0, device->stream, c)
                          : TERN_LAUNCH(arg_kernel<int64_t>, blocks, threads, 0, device->stream, c);
    return cuda_check(device, error, "argmin, argmax");
}
