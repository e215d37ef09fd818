/* SPDX-License-Identifier: MIT
 *
 * Softmax and norms of rows along any axis: a group of 64 threads has a row, which it reads as
 * often as it needs it.
 */
#include "device/cuda/partials.h"
#include "device/cuda/plain_cuda.h"
#include "device/cuda/rows_table.h"
#include "device/cuda/walk_cuda.h"
#include "device/norm_call.h"

namespace {

struct side {
    void *data;
    int type;
    int64_t stride; /* along the row */
};

struct norm_call {
    cuda_walk rows; /* the result, x and the other operand with rows */
    side out, x, y, weight, bias;
    int64_t n;
    int64_t causal; /* rows of a matrix whose row i is cut behind n - causal + i; 0: no row is */
    tern__op op;
    double epsilon;
};

/* A row; of groups that have none, one without elements, with which they go along through the
 * barriers of the others. */
struct place {
    int64_t to, from, other; /* the first elements */
    int64_t length;          /* elements that exist */
    int64_t width;           /* elements that are written */
};

template <typename H> __device__ __forceinline__ H read(const side &s, int64_t at, int64_t i) {
    return cuda_load<H>(s.data, s.type, at + i * s.stride);
}

template <typename H>
__device__ __forceinline__ void write(const side &s, int64_t at, int64_t i, H value) {
    cuda_store<H>(s.data, s.type, at + i * s.stride, value);
}

/* step(p, i) for the elements of a row of `length`, by the reduction rule; `longest` is the same
 * for all groups of the block. */
template <typename H, typename F>
__device__ __forceinline__ H reduce_row(int gathers, int64_t length, int64_t longest, F step) {
    H all = cuda_start<H>(gathers), first = all;
    for (int64_t begin = 0, block = 0; begin == 0 || begin < longest;
         begin += TERN__REDUCE_BLOCK, block++) {
        int64_t end = begin + TERN__REDUCE_BLOCK < length ? begin + TERN__REDUCE_BLOCK : length;
        H p = cuda_start<H>(gathers);
        for (int64_t i = begin + threadIdx.x; i < end; i += TERN__PARTIALS)
            p = step(p, i);
        p = cuda_fold(gathers, p);
        if (block == 0)
            first = p;
        if (begin < length && block % TERN__PARTIALS == threadIdx.x)
            all = cuda_gather(gathers, all, p);
    }
    if (longest <= TERN__REDUCE_BLOCK)
        return first;
    all = cuda_fold(gathers, all);
    return length <= TERN__REDUCE_BLOCK ? first : all;
}

template <typename H> __device__ void softmax_row(const norm_call &c, const place &row) {
    H largest = reduce_row<H>(TERN__REDUCE_MAX, row.length, c.n, [&](H p, int64_t i) {
        return cuda_larger(p, read<H>(c.x, row.from, i));
    });
    H sum = reduce_row<H>(TERN__REDUCE_SUM, row.length, c.n, [&](H p, int64_t i) {
        return p + cuda_exp(read<H>(c.x, row.from, i) - largest);
    });
    bool is_log = c.op == TERN__OP_LOG_SOFTMAX;
    H factor = is_log ? cuda_log(sum) : 1 / sum;
    for (int64_t i = threadIdx.x; i < row.length; i += TERN__PARTIALS) {
        H x = read<H>(c.x, row.from, i) - largest;
        write<H>(c.out, row.to, i, is_log ? x - factor : cuda_exp(x) * factor);
    }
    for (int64_t i = row.length + threadIdx.x; i < row.width; i += TERN__PARTIALS)
        write<H>(c.out, row.to, i, (H)0);
}

__device__ __forceinline__ float inverse_root(float x) {
    return 1 / sqrtf(x);
}

__device__ __forceinline__ double inverse_root(double x) {
    return 1 / sqrt(x);
}

template <typename H> __device__ void rms_norm_row(const norm_call &c, const place &row) {
    H squares = reduce_row<H>(TERN__REDUCE_SUM, row.length, c.n, [&](H p, int64_t i) {
        H x = read<H>(c.x, row.from, i);
        return cuda_fused(x, x, p);
    });
    H factor = inverse_root(squares / (H)c.n + (H)c.epsilon);
    for (int64_t i = threadIdx.x; i < row.length; i += TERN__PARTIALS) {
        H value = read<H>(c.x, row.from, i) * factor;
        if (c.weight.data != NULL)
            value *= read<H>(c.weight, 0, i);
        write<H>(c.out, row.to, i, value);
    }
}

template <typename H> __device__ void layer_norm_row(const norm_call &c, const place &row) {
    H sum = reduce_row<H>(TERN__REDUCE_SUM, row.length, c.n,
                          [&](H p, int64_t i) { return p + read<H>(c.x, row.from, i); });
    H mean = sum / (H)c.n;
    H deviations = reduce_row<H>(TERN__REDUCE_SUM, row.length, c.n, [&](H p, int64_t i) {
        H d = read<H>(c.x, row.from, i) - mean;
        return cuda_fused(d, d, p);
    });
    H factor = inverse_root(deviations / (H)c.n + (H)c.epsilon);
    for (int64_t i = threadIdx.x; i < row.length; i += TERN__PARTIALS) {
        H value = (read<H>(c.x, row.from, i) - mean) * factor;
        if (c.weight.data != NULL)
            value *= read<H>(c.weight, 0, i);
        if (c.bias.data != NULL)
            value += read<H>(c.bias, 0, i);
        write<H>(c.out, row.to, i, value);
    }
}

/* (g - dot(g, y)) * y, or of the logarithm fma(exp(y), -sum(g), g) */
template <typename H> __device__ void softmax_backward_row(const norm_call &c, const place &row) {
    bool is_log = c.op == TERN__OP_LOG_SOFTMAX_BACKWARD;
    H sum = reduce_row<H>(TERN__REDUCE_SUM, row.length, c.n, [&](H p, int64_t i) {
        H g = read<H>(c.x, row.from, i);
        return is_log ? p + g : cuda_fused(g, read<H>(c.y, row.other, i), p);
    });
    for (int64_t i = threadIdx.x; i < row.length; i += TERN__PARTIALS) {
        H g = read<H>(c.x, row.from, i), y = read<H>(c.y, row.other, i);
        write<H>(c.out, row.to, i, is_log ? cuda_fused(cuda_exp(y), -sum, g) : (g - sum) * y);
    }
}

template <typename H> __global__ void __launch_bounds__(CUDA_ROW_THREADS) norm_kernel(norm_call c) {
    for (int64_t base = (int64_t)blockIdx.x * CUDA_ROW_GROUPS; base < c.rows.count;
         base += (int64_t)gridDim.x * CUDA_ROW_GROUPS) {
        int64_t index = base + threadIdx.y, at[3];
        place row = {0, 0, 0, 0, 0};
        if (index < c.rows.count) {
            cuda_walk_at(c.rows, index, at);
            row = {at[0], at[1], at[2], c.n, c.n};
            if (c.causal > 0)
                row.length = c.n - c.causal + index % c.causal + 1;
        }
        if (c.op == TERN__OP_RMS_NORM)
            rms_norm_row<H>(c, row);
        else if (c.op == TERN__OP_LAYER_NORM)
            layer_norm_row<H>(c, row);
        else if (c.y.data != NULL)
            softmax_backward_row<H>(c, row);
        else
            softmax_row<H>(c, row);
    }
}

side side_of(const tern__operand *x, int axis) {
    return {x->data, x->dtype, x->strides[axis]};
}

/* All rows along the call's axis of x and the result. */
norm_call describe(const tern__device_call *call) {
    const tern__operand *x = &call->in[0], *out = &call->out[0];
    bool is_backward =
        call->op == TERN__OP_SOFTMAX_BACKWARD || call->op == TERN__OP_LOG_SOFTMAX_BACKWARD;
    const tern__operand *y = &call->in[is_backward ? 1 : 0];
    int64_t dims[TERN_MAX_RANK], from[TERN_MAX_RANK], other[TERN_MAX_RANK], to[TERN_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < out->rank; i++) {
        if (i == call->axis)
            continue;
        dims[rank] = out->dims[i];
        from[rank] = x->strides[i];
        other[rank] = y->strides[i];
        to[rank++] = out->strides[i];
    }
    norm_call c = {};
    c.rows = cuda_walk_open(rank, dims);
    cuda_walk_add(&c.rows, to);
    cuda_walk_add(&c.rows, from);
    cuda_walk_add(&c.rows, other);
    cuda_walk_merge(&c.rows);
    c.out = side_of(out, call->axis);
    c.x = side_of(x, call->axis);
    if (is_backward)
        c.y = side_of(y, call->axis);
    c.n = out->dims[call->axis];
    c.op = call->op;
    c.epsilon = call->number;
    if (call->op == TERN__OP_SOFTMAX_CAUSAL)
        c.causal = out->dims[out->rank - 2];
    return c;
}

/* The weight or the bias, a vector along the row. */
side vector_of(const tern__operand *x) {
    return side_of(x, x->rank - 1);
}

tern_status run(cuda_device *device, const norm_call &call, const char *what) {
    if (call.rows.count == 0 || call.n == 0)
        return TERN_OK;
    unsigned grid = cuda_blocks(call.rows.count, CUDA_ROW_GROUPS, 1 << 20);
    dim3 block(TERN__PARTIALS, CUDA_ROW_GROUPS);
    cudaError_t error = cuda_hub(call.out.type) == TERN_F64
                            ? TERN_LAUNCH(norm_kernel<double>, grid, block, 0, device->stream, call)
                            : TERN_LAUNCH(norm_kernel<float>, grid, block, 0, device->stream, call);
    return cuda_check(device, error, what);
}

} // namespace

tern_status cuda_softmax(void *device, const tern__device_call *call) {
    return run(cuda_of(device), describe(call), "softmax");
}

tern_status cuda_rms_norm(void *device, const tern__device_call *call) {
    norm_call c = describe(call);
    if (call->in_count > 1)
        c.weight = vector_of(&call->in[1]);
    return run(cuda_of(device), c, "rms_norm");
}

tern_status cuda_layer_norm(void *device, const tern__device_call *call) {
    norm_call c = describe(call);
    int next = 1;
    if (call->choice & TERN__HAS_WEIGHT)
        c.weight = vector_of(&call->in[next++]);
    if (call->choice & TERN__HAS_BIAS)
        c.bias = vector_of(&call->in[next]);
    return run(cuda_of(device), c, "layer_norm");
}
