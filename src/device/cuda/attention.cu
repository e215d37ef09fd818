/* SPDX-License-Identifier: MIT
 * The rows of attention, and the softmax between its two products. */
#include "device/cuda/attention.h"
#include "device/cuda/lanes_cuda.h"
#include "kernels/exp.h"

/* Bytes of scores at a time, when one query needs no more. */
#if !defined(TERN_CUDA_PORTION)
#define TERN_CUDA_PORTION (64 << 20)
#endif

enum {
    WARP = 32,
    SHORT_THREADS = 128, /* of a block for rows of up to SHORT positions; >= PARTIALS */
    SHORT = 512,
    THREADS = 512,
    PARTIALS = 64,
    ROOM_LEAST = 1024, /* positions that there is scratch for, a power of two, so that steps of a
                          session ask for the same block again and again */
    ROWS_MAX = 32768,  /* of a head at a time: less than a grid may have */
};

/* -- softmax -----------------------------------------------------------------------------------*/

/* NaN wins; which zero does not matter to what is made of it. */
static __device__ __forceinline__ float larger(float a, float b) {
    return a != a || a > b ? a : b;
}

static __device__ __forceinline__ float warp_largest(float x) {
#pragma unroll
    for (int s = WARP / 2; s > 0; s /= 2)
        x = larger(x, __shfl_xor_sync(0xffffffffu, x, s));
    return x;
}

/* The largest x of all threads. */
static __device__ float block_largest(float x) {
    __shared__ float of_warps[WARP];
    const int lane = (int)threadIdx.x % WARP, warp = (int)threadIdx.x / WARP;
    x = warp_largest(x);
    if (lane == 0)
        of_warps[warp] = x;
    __syncthreads();
    return warp_largest(of_warps[lane % (int)(blockDim.x / WARP)]);
}

/* The sum of a row by 64 partial results. */
static __device__ float block_sum(const float *x, int64_t n) {
    __shared__ float partials[PARTIALS], sum;
    const int t = (int)threadIdx.x;
    if (t < PARTIALS) {
        float partial = 0;
#pragma unroll 8
        for (int64_t i = t; i < n; i += PARTIALS)
            partial += x[i];
        partials[t] = partial;
    }
    __syncthreads();
    if (t < WARP) {
        float x = partials[t] + partials[t + WARP];
#pragma unroll
        for (int s = WARP / 2; s > 0; s /= 2)
            x += __shfl_down_sync(0xffffffffu, x, (unsigned)s);
        if (t == 0)
            sum = x;
    }
    __syncthreads();
    return sum;
}

/* A block for each row of scores: e = exp(x - m), then e * (1 / sum(e)), of I8 times the scale of
 * the value. */
static __global__ void __launch_bounds__(THREADS) soften(cuda_attention a) {
    const int64_t head = blockIdx.y, row = blockIdx.x, n = attention_length(a, row);
    float *x = attention_scores(a, head, row), largest = -INFINITY;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
        largest = larger(largest, x[i]);
    largest = block_largest(largest);
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
        x[i] = s_exp(sf{x[i] - largest})[0];
    __syncthreads();
    const float r = 1 / block_sum(x, n);
    const float *scales = a.value_scales != NULL ? a.value_scales + head * a.scale_head : NULL;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
        float p = x[i] * r;
        x[i] = scales != NULL ? p * scales[i] : p;
    }
}

/* -- the row -----------------------------------------------------------------------------------*/

static cuda_attention attention_of(const tern__device_call *call) {
    const tern__operand *q = &call->in[0], *keys = &call->in[1], *values = &call->in[2];
    cuda_attention a = {};
    a.q = (const float *)q->data;
    a.keys = keys->data;
    a.values = values->data;
    a.key_head = keys->strides[0];
    a.key_position = keys->strides[1];
    a.value_head = values->strides[0];
    a.value_position = values->strides[1];
    a.out = (float *)call->out[0].data;
    a.heads = q->dims[1];
    a.kv_heads = keys->dims[0];
    a.group = a.heads / a.kv_heads;
    a.head_size = q->dims[2];
    a.scale = (float)call->number;
    a.type = keys->dtype;
    if (call->op == TERN__OP_ATTENTION_INT8) {
        const tern__operand *scales = &call->in[3];
        a.key_scales = (const float *)scales->data;
        a.value_scales = a.key_scales + scales->strides[0];
        a.scale_head = scales->strides[1];
    }
    a.room = ROOM_LEAST;
    while (a.room < keys->dims[1])
        a.room *= 2;
    return a;
}

/* `queries` queries from query `first` on. */
static tern_status attend(cuda_device *d, cuda_attention a, int64_t first, int64_t queries) {
    const int64_t step = a.heads * a.head_size;
    a.q += first * step;
    a.out += first * step;
    a.first += first;
    a.seen = a.first + queries - 1;
    a.rows = queries * a.group;
    tern_status status = cuda_attention_scores(d, &a);
    if (status == TERN_OK)
        status = cuda_check(d,
                            TERN_LAUNCH(soften, dim3((unsigned)a.rows, (unsigned)a.kv_heads),
                                        a.seen <= SHORT ? SHORT_THREADS : THREADS, 0, d->stream, a),
                            "attention");
    return status == TERN_OK ? cuda_attention_mix(d, &a) : status;
}

tern_status cuda_attend(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    cuda_attention a = attention_of(call);
    const int64_t queries = call->in[0].dims[0];
    if (a.kv_heads > UINT16_MAX || a.group > ROWS_MAX || a.room > INT32_MAX)
        return cuda_decline();
    const int64_t query_bytes = a.heads * a.room * (int64_t)sizeof(float);
    int64_t portion = TERN_CUDA_PORTION / query_bytes;
    portion = portion < 1 ? 1 : portion > ROWS_MAX / a.group ? ROWS_MAX / a.group : portion;
    portion = portion < queries ? portion : queries;
    void *scores = NULL;
    tern_status status = cuda_scratch(d, (size_t)(portion * query_bytes), &scores);
    a.scores = (float *)scores;
    a.first = call->in[1].dims[1] - queries + 1;
    for (int64_t first = 0; status == TERN_OK && first < queries; first += portion)
        status = attend(d, a, first, portion < queries - first ? portion : queries - first);
    return status;
}
