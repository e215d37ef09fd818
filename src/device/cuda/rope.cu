/* SPDX-License-Identifier: MIT
 * Rotary embedding: pairs (a, b) = (x[i], x[i + K/2]) by the angles of the row's position. */
#include "device/cuda/cuda.h"

enum { THREADS = 256 };

typedef struct rope_args {
    const float *x;     /* (T, H, K) */
    const float *table; /* (T, 2, K/2): cosines and sines, of the first row's position on */
    float *out;
    int64_t pairs, heads;
    int64_t half; /* K/2 */
} rope_args;

static __global__ void __launch_bounds__(THREADS) rotate(rope_args o) {
    int64_t pair = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (pair >= o.pairs)
        return;
    int64_t row = pair / o.half, i = pair % o.half, at = row * 2 * o.half + i;
    const float *cosine = o.table + row / o.heads * 2 * o.half + i, *sine = cosine + o.half;
    float a = o.x[at], b = o.x[at + o.half];
    o.out[at] = fmaf(-b, *sine, a * *cosine);
    o.out[at + o.half] = fmaf(a, *sine, b * *cosine);
}

tern_status cuda_rope(void *device, const tern__device_call *call) {
    cuda_device *d = cuda_of(device);
    const tern__operand *x = &call->in[0];
    rope_args o = {(const float *)x->data,
                   (const float *)call->in[1].data + call->position * x->dims[2],
                   (float *)call->out[0].data,
                   x->dims[0] * x->dims[1] * x->dims[2] / 2,
                   x->dims[1],
                   x->dims[2] / 2};
    int64_t blocks = (o.pairs + THREADS - 1) / THREADS;
    if (blocks > INT32_MAX)
        return cuda_decline();
    return cuda_check(d, TERN_LAUNCH(rotate, (unsigned)blocks, THREADS, 0, d->stream, o), "rope");
}
