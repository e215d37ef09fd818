/* SPDX-License-Identifier: MIT
 *
 * Rows as int8 with a scale each: QUANTIZE_SCALE, QUANTIZE, and the activations of ternary
 * products, normalised first where the operation says so. A block makes a row.
 *
 * The activations of one token, by design and not measured: 10 to 28 KB are read once into shared
 * memory, 5 to 14 loads of a thread all under way; 64 threads then make the partial sums of the
 * norm's rule from there, 40 to 108 fma in a row, which is 0.2 to 0.4 us and the longest part
 * beside the launch.
 */
#include "device/cuda/ternary.h"

enum { THREADS = 512, WARPS = THREADS / 32, PARTIALS = 64, NORM_MAX = 65536 };

/* Of a block without dynamic shared memory beyond what every launch may have. */
enum { STAGED_MAX = (48 << 10) / sizeof(float) - 256 };

/* Element `index` in row-major order of the outermost `rank` axes. */
static __device__ inline int64_t place_of(const tern__operand &t, int rank, int64_t index) {
    int64_t at = 0;
    for (int i = rank - 1; i >= 0 && index > 0; i--) {
        at += index % t.dims[i] * t.strides[i];
        index /= t.dims[i];
    }
    return at;
}

/* Bits of a magnitude: as integers a NaN lies above infinity, the rest in the order of values. */
static __device__ inline uint32_t magnitude_bits(float x) {
    return __float_as_uint(x) & 0x7fffffffu;
}

/* The largest of the block's numbers, in every thread. */
static __device__ inline uint32_t largest_of_block(uint32_t x) {
    __shared__ uint32_t of_warp[WARPS];
    const int warps = (int)blockDim.x / 32;
    for (int by = 16; by > 0; by /= 2)
        x = max(x, __shfl_xor_sync(~0u, x, by));
    if (threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = x;
    __syncthreads();
    for (int i = 0; i < warps; i++)
        x = max(x, of_warp[i]);
    return x;
}

/* -- activations -------------------------------------------------------------------------------*/

/* A row as its block sees it. */
struct activation_row {
    const float *x;
    int64_t step;
    const float *norm; /* NULL: none */
    float r;           /* of the norm */
};

static __device__ inline float value_at(const activation_row &row, int i) {
    const float x = row.x[i * row.step];
    return row.norm != nullptr ? x * row.r * row.norm[i] : x;
}

/* 1 / sqrt(x . x / n + epsilon) by the reduction rule, in every thread. */
static __device__ inline float inverse_root(const activation_row &row, int n, float epsilon) {
    __shared__ float partial[PARTIALS], result;
    const int thread = (int)threadIdx.x;
    if (thread < PARTIALS) {
        float sum = 0;
#pragma unroll 8
        for (int i = thread; i < n; i += PARTIALS) {
            const float x = row.x[i * row.step];
            sum = fmaf(x, x, sum);
        }
        partial[thread] = sum;
    }
    __syncthreads();
    if (thread < 32) {
        float sum = partial[thread] + partial[thread + 32];
        for (int by = 16; by > 0; by /= 2)
            sum += __shfl_down_sync(~0u, sum, by);
        if (thread == 0)
            result = 1 / sqrtf(sum / (float)n + epsilon);
    }
    __syncthreads();
    return result;
}

static __global__ void __launch_bounds__(THREADS) quantize_activations(ternary_activations job) {
    TERN_DYNAMIC_SHARED(float, staged);
    const int thread = (int)threadIdx.x;
    activation_row row = {(const float *)job.x.data +
                              place_of(job.x, job.x.rank - 1, (int64_t)blockIdx.x),
                          job.x.strides[job.x.rank - 1], job.norm, 0};
    if (job.columns <= STAGED_MAX) {
#pragma unroll 8
        for (int i = thread; i < job.columns; i += THREADS)
            staged[i] = row.x[i * row.step];
        __syncthreads();
        row.x = staged;
        row.step = 1;
    }
    if (row.norm != nullptr)
        row.r = inverse_root(row, job.columns, job.epsilon);
    uint32_t largest = __float_as_uint(1e-5f);
    for (int i = thread; i < job.columns; i += THREADS)
        largest = max(largest, magnitude_bits(value_at(row, i)));
    const float s = 127.0f / __uint_as_float(largest_of_block(largest));
    if (thread == 0)
        job.s[blockIdx.x] = s;
    /* s is NaN or 0 where a number is not finite. */
    int8_t *q = job.q + (int64_t)blockIdx.x * job.padded;
    for (int i = 4 * thread; i < job.padded; i += 4 * THREADS) {
        uint32_t four = 0;
        for (int j = 0; j < 4 && i + j < job.columns && s > 0; j++)
            four |= ((uint32_t)(int)rintf(value_at(row, i + j) * s) & 255u) << 8 * j;
        *(uint32_t *)(q + i) = four;
    }
}

tern_status cuda_ternary_quantize(cuda_device *d, const ternary_activations *job) {
    if (job->n > INT32_MAX || (job->norm != NULL && job->columns > NORM_MAX))
        return TERN_E_UNSUPPORTED;
    size_t shared = job->columns <= STAGED_MAX ? (size_t)job->columns * sizeof(float) : 0;
    return cuda_check(
        d, TERN_LAUNCH(quantize_activations, (unsigned)job->n, THREADS, shared, d->stream, *job),
        "activations");
}

/* -- rows of a cache ---------------------------------------------------------------------------*/

enum { ROW_THREADS = 128 };

/* x (..., K); the scales (...). */
struct rows_job {
    tern__operand x, scales;
    int8_t *out; /* (..., K) */
};

static __device__ inline const float *row_of(const rows_job &job) {
    return (const float *)job.x.data + place_of(job.x, job.x.rank - 1, (int64_t)blockIdx.x);
}

static __device__ inline float *scale_of(const rows_job &job) {
    return (float *)job.scales.data + place_of(job.scales, job.scales.rank, (int64_t)blockIdx.x);
}

static __global__ void __launch_bounds__(ROW_THREADS) make_scales(rows_job job) {
    const int64_t n = job.x.dims[job.x.rank - 1], step = job.x.strides[job.x.rank - 1];
    const float *x = row_of(job);
    uint32_t largest = __float_as_uint(1e-5f);
    for (int64_t i = threadIdx.x; i < n; i += ROW_THREADS)
        largest = max(largest, magnitude_bits(x[i * step]));
    largest = largest_of_block(largest);
    if (threadIdx.x == 0)
        *scale_of(job) = __uint_as_float(largest) / 127;
}

static __global__ void __launch_bounds__(ROW_THREADS) quantize_rows(rows_job job) {
    const int64_t n = job.x.dims[job.x.rank - 1], step = job.x.strides[job.x.rank - 1];
    const float *x = row_of(job), scale = *scale_of(job);
    int8_t *out = job.out + (int64_t)blockIdx.x * n;
    for (int64_t i = threadIdx.x; i < n; i += ROW_THREADS) {
        const float v = rintf(x[i * step] / scale);
        out[i] = (int8_t)(v != v ? 0 : v > 127 ? 127 : v < -127 ? -127 : (int)v);
    }
}

/* Rows of x that there are; -1: too many for a grid. */
static int64_t count_rows(const tern__operand *x) {
    int64_t count = 1;
    for (int i = 0; i < x->rank - 1; i++)
        count *= x->dims[i];
    return count <= INT32_MAX ? count : -1;
}

tern_status cuda_quantize_scale(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    int64_t rows = count_rows(&call->in[0]);
    if (rows < 0)
        return cuda_decline();
    if (rows == 0)
        return TERN_OK;
    rows_job job = {call->in[0], call->out[0], NULL};
    return cuda_check(d, TERN_LAUNCH(make_scales, (unsigned)rows, ROW_THREADS, 0, d->stream, job),
                      "quantize_scale");
}

tern_status cuda_quantize(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    int64_t rows = count_rows(&call->in[0]);
    if (rows < 0)
        return cuda_decline();
    if (rows == 0)
        return TERN_OK;
    rows_job job = {call->in[0], call->in[1], (int8_t *)call->out[0].data};
    return cuda_check(d, TERN_LAUNCH(quantize_rows, (unsigned)rows, ROW_THREADS, 0, d->stream, job),
                      "quantize");
}
