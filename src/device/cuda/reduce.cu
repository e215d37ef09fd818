/* SPDX-License-Identifier: MIT
 *
 * Reductions over any axes by the rule of docs/numerics.md: a group of 64 threads reduces a block
 * of at most 65 536 elements of a row; the results of the blocks of longer rows are rows again.
 */
#include "device/cuda/reduce.h"

#include "device/cuda/partials.h"
#include "device/cuda/rows_table.h"

namespace {

struct reduce_call {
    cuda_rows rows;
    int64_t blocks; /* of a row */
    cuda_reduce_first first;
    double exponent;
    cuda_reduce_pass pass;
    const void *numbers; /* of the rows, in the hub's type, or NULL */
    void *partial;       /* (rows, blocks) of the hub's type, or NULL: the last step of the pass */
    void *results;       /* (rows) of the hub's type, or NULL: `out` */
    void *out;
    int out_type;
};

__device__ __forceinline__ bool is_nonzero(const void *data, int type, int64_t at) {
    if (type == TERN_F32 || type == TERN_F64 || type == TERN_F16 || type == TERN_BF16)
        return cuda_load<double>(data, type, at) != 0;
    return cuda_load<int64_t>(data, type, at) != 0;
}

template <typename H> __device__ __forceinline__ H read(const reduce_call &c, int64_t at) {
    H x = cuda_load<H>(c.rows.x, c.rows.type, at);
    return c.first == CUDA_FIRST_POWER ? cuda_pow(x < 0    ? -x
                                                  : x == 0 ? (H)0
                                                           : x,
                                                  (H)c.exponent)
                                       : x;
}

template <> __device__ __forceinline__ int64_t read(const reduce_call &c, int64_t at) {
    if (c.first == CUDA_FIRST_NONZERO)
        return is_nonzero(c.rows.x, c.rows.type, at);
    return cuda_load<int64_t>(c.rows.x, c.rows.type, at);
}

/* The steps of kernels/reduce_ops.h. */
template <typename H> __device__ __forceinline__ H step(int reduction, H p, H x, H q) {
    switch (reduction) {
    case TERN__REDUCE_SUM:
        return p + x;
    case TERN__REDUCE_PROD:
        return p * x;
    case TERN__REDUCE_MIN:
        return cuda_smaller(p, x);
    case TERN__REDUCE_MAX:
        return cuda_larger(p, x);
    case TERN__REDUCE_SQUARES:
        return cuda_fused(x, x, p);
    case TERN__REDUCE_MAGNITUDES:
        return p + (x < 0 ? -x : x);
    case TERN__REDUCE_DEVIATIONS:
        return cuda_fused(x - q, x - q, p);
    case TERN__REDUCE_EXPONENTIALS:
        return p + cuda_exp(x - q);
    case TERN__REDUCE_LEAST_MAGNITUDE:
        return cuda_smaller(p, x < 0 ? -x : x == 0 ? (H)0 : x);
    default:
        return cuda_larger(p, x < 0 ? -x : x == 0 ? (H)0 : x);
    }
}

template <> __device__ __forceinline__ int64_t step(int reduction, int64_t p, int64_t x, int64_t) {
    return cuda_gather(reduction, p, x);
}

__device__ __forceinline__ float root(float x) {
    return sqrtf(x);
}

__device__ __forceinline__ double root(double x) {
    return sqrt(x);
}

template <typename H>
__device__ __forceinline__ H finish(const cuda_reduce_pass &pass, H r, H number_of_row) {
    switch (pass.then) {
    case CUDA_THEN_DIVIDE:
        return r / (H)pass.number;
    case CUDA_THEN_DIVIDE_ROOT:
        return root(r / (H)pass.number);
    case CUDA_THEN_POWER:
        return cuda_pow(r, (H)pass.number);
    case CUDA_THEN_FINITE:
        return r == (H)INFINITY || r == -(H)INFINITY ? (H)0 : r;
    case CUDA_THEN_LOG:
        return cuda_log(r) + number_of_row;
    default:
        return r;
    }
}

template <>
__device__ __forceinline__ int64_t finish(const cuda_reduce_pass &pass, int64_t r, int64_t) {
    if (pass.then == CUDA_THEN_ANY)
        return r != 0;
    return pass.then == CUDA_THEN_ALL ? r == (int64_t)pass.number : r;
}

/* The partial result of this thread of the block of the row that begins at x. */
template <typename H>
__device__ __forceinline__ H partial_of(const reduce_call &c, int64_t x, int64_t block, H number) {
    int64_t first = block * TERN__REDUCE_BLOCK, end = c.rows.reduced.count;
    if (end > first + TERN__REDUCE_BLOCK)
        end = first + TERN__REDUCE_BLOCK;
    H p = cuda_start<H>(tern__reduce_gathers(c.pass.reduction));
    for (int64_t i = first + threadIdx.x; i < end; i += TERN__PARTIALS) {
        int64_t at[1];
        cuda_walk_at(c.rows.reduced, i, at);
        p = step<H>(c.pass.reduction, p, read<H>(c, x + at[0]), number);
    }
    return p;
}

template <typename H>
__global__ void __launch_bounds__(CUDA_ROW_THREADS) reduce_kernel(reduce_call c) {
    int64_t items = c.rows.kept.count * c.blocks;
    int gathers = tern__reduce_gathers(c.pass.reduction);
    for (int64_t base = (int64_t)blockIdx.x * CUDA_ROW_GROUPS; base < items;
         base += (int64_t)gridDim.x * CUDA_ROW_GROUPS) {
        int64_t item = base + threadIdx.y, row = item / c.blocks, at[2] = {0, 0};
        H number = 0, p = 0;
        if (item < items) {
            cuda_walk_at(c.rows.kept, row, at);
            if (c.numbers != NULL)
                number = ((const H *)c.numbers)[row];
            p = partial_of<H>(c, at[1], item % c.blocks, number);
        }
        H r = cuda_fold(gathers, p);
        if (item >= items || threadIdx.x != 0)
            continue;
        if (c.partial != NULL)
            ((H *)c.partial)[item] = r;
        else if (c.results != NULL)
            ((H *)c.results)[row] = finish<H>(c.pass, r, number);
        else
            cuda_store<H>(c.out, c.out_type, at[0], finish<H>(c.pass, r, number));
    }
}

cudaError_t launch(const cuda_device *device, tern_dtype hub, const reduce_call &call) {
    int64_t items = call.rows.kept.count * call.blocks;
    unsigned grid = cuda_blocks(items, CUDA_ROW_GROUPS, 1 << 20);
    dim3 block(TERN__PARTIALS, CUDA_ROW_GROUPS);
    if (hub == TERN_F32)
        return TERN_LAUNCH(reduce_kernel<float>, grid, block, 0, device->stream, call);
    if (hub == TERN_F64)
        return TERN_LAUNCH(reduce_kernel<double>, grid, block, 0, device->stream, call);
    return TERN_LAUNCH(reduce_kernel<int64_t>, grid, block, 0, device->stream, call);
}

/* Results (rows, n) of blocks, one behind the other, as rows. */
cuda_rows rows_of_results(const cuda_rows &from, void *results, tern_dtype hub, int64_t n) {
    cuda_rows rows = from;
    rows.x = results;
    rows.type = hub;
    rows.reduced = cuda_walk_open(1, &n);
    int64_t one = 1, stride = n;
    cuda_walk_add(&rows.reduced, &one);
    cuda_walk_merge(&rows.reduced);
    for (int i = rows.kept.rank - 1; i >= 0; i--) {
        rows.kept.strides[1][i] = stride;
        stride *= rows.kept.dims[i];
    }
    rows.kept.is_flat = false;
    return rows;
}

/* A pass over the rows: their blocks, then the results of these, until one is left of each row.
 * `room` is for the results of blocks. */
cudaError_t run_pass(const cuda_device *device, tern_dtype hub, reduce_call call, uint8_t *room) {
    int64_t size = hub == TERN_F32 ? 4 : 8;
    void *results = call.results;
    for (;;) {
        call.blocks = cuda_reduce_blocks(call.rows.reduced.count);
        bool is_last = call.blocks == 1;
        call.partial = is_last ? NULL : room;
        call.results = is_last ? results : NULL;
        cudaError_t error = launch(device, hub, call);
        if (is_last || error != cudaSuccess)
            return error;
        call.rows = rows_of_results(call.rows, room, hub, call.blocks);
        call.first = CUDA_FIRST_NOTHING;
        call.pass.reduction = tern__reduce_gathers(call.pass.reduction);
        room += call.rows.kept.count * call.blocks * size;
    }
}

} // namespace

cuda_rows cuda_split(const tern__operand *x, unsigned axes, const tern__operand *out) {
    cuda_rows rows = {};
    int64_t kept[TERN_MAX_RANK], reduced[TERN_MAX_RANK], x_kept[TERN_MAX_RANK],
        x_reduced[TERN_MAX_RANK], to[TERN_MAX_RANK];
    int kept_rank = 0, reduced_rank = 0;
    bool keeps_dims = out->rank == x->rank;
    for (int i = 0, out_axis = 0; i < x->rank; i++) {
        bool is_reduced = axes >> i & 1;
        if (is_reduced) {
            reduced[reduced_rank] = x->dims[i];
            x_reduced[reduced_rank++] = x->strides[i];
        } else {
            kept[kept_rank] = x->dims[i];
            x_kept[kept_rank] = x->strides[i];
            to[kept_rank++] = out->strides[out_axis];
        }
        out_axis += keeps_dims || !is_reduced;
    }
    rows.x = x->data;
    rows.type = x->dtype;
    rows.kept = cuda_walk_open(kept_rank, kept);
    cuda_walk_add(&rows.kept, to);
    cuda_walk_add(&rows.kept, x_kept);
    cuda_walk_merge(&rows.kept);
    rows.reduced = cuda_walk_open(reduced_rank, reduced);
    cuda_walk_add(&rows.reduced, x_reduced);
    cuda_walk_merge(&rows.reduced);
    return rows;
}

tern_status cuda_reduce_run(cuda_device *device, const cuda_rows *rows,
                            const cuda_reduce_plan *plan, const tern__operand *out) {
    int64_t count = rows->kept.count, blocks = cuda_reduce_blocks(rows->reduced.count);
    if (count == 0)
        return TERN_OK;
    /* The results of the first pass, then those of blocks, of their blocks and so on. */
    void *scratch = NULL;
    size_t bytes = (size_t)count * (size_t)(blocks > 1 ? blocks + blocks / 1024 + 4 : 1) * 8;
    if (blocks > 1 || plan->count > 1) {
        tern_status status = cuda_scratch(device, bytes + 64, &scratch);
        if (status != TERN_OK)
            return status;
    }
    uint8_t *room = scratch != NULL ? (uint8_t *)scratch + count * 8 : NULL;
    cudaError_t error = cudaSuccess;
    reduce_call call = {};
    call.rows = *rows;
    call.first = plan->first;
    call.exponent = plan->exponent;
    call.out = out->data;
    call.out_type = out->dtype;
    for (int i = 0; i < plan->count && error == cudaSuccess; i++) {
        call.pass = plan->passes[i];
        call.numbers = i > 0 ? scratch : NULL;
        call.results = i + 1 < plan->count ? scratch : NULL;
        error = run_pass(device, plan->hub, call, room);
    }
    return cuda_check(device, error, "a reduction");
}
