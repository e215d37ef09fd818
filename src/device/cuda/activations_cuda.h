/* SPDX-License-Identifier: MIT
 * A row of activations by one block: normalised if asked for, then quantised as docs/numerics.md
 * has it under "Ternary products". */
#ifndef TERN__ACTIVATIONS_CUDA_H
#define TERN__ACTIVATIONS_CUDA_H

#include "device/cuda/ternary.h"

enum { ACTIVATION_PARTIALS = 64 };

/* Element `index` in row-major order of the outermost `rank` axes. */
static __device__ inline int64_t element_of(const tern__operand &t, int rank, int64_t index) {
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
template <int THREADS> static __device__ inline uint32_t largest_of_block(uint32_t x) {
    __shared__ uint32_t of_warp[THREADS / 32];
    for (int by = 16; by > 0; by /= 2)
        x = max(x, __shfl_xor_sync(~0u, x, by));
    if (threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = x;
    __syncthreads();
    for (int i = 0; i < THREADS / 32; i++)
        x = max(x, of_warp[i]);
    return x;
}

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
    __shared__ float partial[ACTIVATION_PARTIALS], result;
    const int thread = (int)threadIdx.x;
    if (thread < ACTIVATION_PARTIALS) {
        float sum = 0;
#pragma unroll 8
        for (int i = thread; i < n; i += ACTIVATION_PARTIALS) {
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

/* The row's floats to shared memory, eight loads of a thread under way. */
template <int THREADS>
static __device__ inline void stage_row(const activation_row &row, int n, float *staged) {
    enum { AHEAD = 8 };
    for (int first = (int)threadIdx.x; first < n; first += AHEAD * THREADS) {
        float x[AHEAD];
#pragma unroll
        for (int i = 0; i < AHEAD; i++)
            x[i] = row.x[min(first + i * THREADS, n - 1) * row.step];
#pragma unroll
        for (int i = 0; i < AHEAD; i++)
            if (first + i * THREADS < n)
                staged[first + i * THREADS] = x[i];
    }
    __syncthreads();
}

/* Row `index` to q (padded); returns s to every thread. IS_STAGED: in shared memory `staged` there
 * is room for the row's floats; else they are read from where they lie, three times. The threads do
 * not wait for one another at the end. */
template <int THREADS, bool IS_STAGED>
static __device__ inline float quantize_row(const ternary_activations &job, int64_t index,
                                            float *staged, int8_t *q) {
    const int thread = (int)threadIdx.x, last = job.x.rank - 1;
    activation_row row = {(const float *)job.x.data + element_of(job.x, last, index),
                          job.x.strides[last], job.norm, 0};
    if constexpr (IS_STAGED) {
        stage_row<THREADS>(row, job.columns, staged);
        row.x = staged;
        row.step = 1;
    }
    if (row.norm != nullptr)
        row.r = inverse_root(row, job.columns, job.epsilon);
    uint32_t largest = __float_as_uint(1e-5f);
#pragma unroll 4
    for (int i = thread; i < job.columns; i += THREADS)
        largest = max(largest, magnitude_bits(value_at(row, i)));
    const float s = 127.0f / __uint_as_float(largest_of_block<THREADS>(largest));
    /* s is NaN or 0 where a number is not finite. */
    for (int i = 4 * thread; i < job.padded; i += 4 * THREADS) {
        uint32_t four = 0;
        for (int j = 0; j < 4 && i + j < job.columns && s > 0; j++)
            four |= ((uint32_t)(int)rintf(value_at(row, i + j) * s) & 255u) << 8 * j;
        *(uint32_t *)(q + i) = four;
    }
    return s;
}

#endif
