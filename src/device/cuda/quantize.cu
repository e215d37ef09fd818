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
#include "device/cuda/activations_cuda.h"

enum { THREADS = 512, ROW_THREADS = 128, NORM_MAX = 65536 };

/* Floats of shared memory that every launch may have, beside that of the block's sums. */
enum { STAGED_MAX = (48 << 10) / sizeof(float) - 256 };

/* -- activations -------------------------------------------------------------------------------*/

template <bool IS_STAGED>
static __global__ void __launch_bounds__(THREADS) quantize_activations(ternary_activations job) {
    TERN_DYNAMIC_SHARED(float, staged);
    const int64_t row = (int64_t)blockIdx.x;
    const float s = quantize_row<THREADS, IS_STAGED>(job, row, staged, job.q + row * job.padded);
    if (threadIdx.x == 0)
        job.s[row] = s;
}

tern_status cuda_ternary_quantize(cuda_device *d, const ternary_activations *job) {
    if (job->n > INT32_MAX || (job->norm != NULL && job->columns > NORM_MAX))
        return cuda_decline();
    bool is_staged = job->columns <= STAGED_MAX;
    size_t shared = is_staged ? (size_t)job->columns * sizeof(float) : 0;
    void (*kernel)(ternary_activations) =
        is_staged ? quantize_activations<true> : quantize_activations<false>;
    return cuda_check(d, TERN_LAUNCH(kernel, (unsigned)job->n, THREADS, shared, d->stream, *job),
                      "activations");
}

/* -- rows of a cache ---------------------------------------------------------------------------*/

/* x (..., K); the scales (...). */
struct rows_job {
    tern__operand x, scales;
    int8_t *out; /* (..., K) */
};

static __device__ inline const float *row_of(const rows_job &job) {
    return (const float *)job.x.data + element_of(job.x, job.x.rank - 1, (int64_t)blockIdx.x);
}

static __device__ inline float *scale_of(const rows_job &job) {
    return (float *)job.scales.data + element_of(job.scales, job.scales.rank, (int64_t)blockIdx.x);
}

static __global__ void __launch_bounds__(ROW_THREADS) make_scales(rows_job job) {
    const int64_t n = job.x.dims[job.x.rank - 1], step = job.x.strides[job.x.rank - 1];
    const float *x = row_of(job);
    uint32_t largest = __float_as_uint(1e-5f);
    for (int64_t i = threadIdx.x; i < n; i += ROW_THREADS)
        largest = max(largest, magnitude_bits(x[i * step]));
    largest = largest_of_block<ROW_THREADS>(largest);
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
