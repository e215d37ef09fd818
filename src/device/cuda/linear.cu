/* SPDX-License-Identifier: MIT
 *
 * A few rows x (T, K) against a long table (N, K), the product of an output head: the table comes
 * from memory once, and its speed is what counts. A thread has the chains of one row of the table
 * with all rows of x; the table comes through shared memory, so that what is read lies together:
 *
 *     stage:  ROWS x 128 bytes of the table, a row on PITCH bytes     T x as many numbers of x
 *
 * Two stages take turns, one is read while the other one is computed with. A pitch of 9 times 16
 * bytes lets eight threads read 16 bytes of their rows at once. Not measured on a GPU.
 */
#include "device/cuda/product.h"
#include "device/cuda/widen.h"

enum {
    ROWS = 128, /* of the table, and threads of a block */
    CHUNK = 16, /* bytes of a copy */
    CHUNKS = 8, /* of a row in a stage */
    PITCH = CHUNK * (CHUNKS + 1),
    FEW_MAX = 16, /* rows of x */
};

typedef struct few_args {
    const uint8_t *table;
    int64_t row_bytes, rows, k; /* k: a multiple of 8 */
    const float *x;
    int64_t x_stride;
    int count; /* rows of x */
    float *out;
    int64_t out_x_stride, out_row_stride;
} few_args;

/* A stage: the table, then x. `element`: of the table. */
template <typename element, int T> struct few_stage {
    enum {
        STEPS = CHUNK * CHUNKS / (int)sizeof(element),
        IN_CHUNK = CHUNK / (int)sizeof(element),
        X_CHUNKS = STEPS / 4, /* of a row of x */
    };
    __align__(16) uint8_t table[ROWS * PITCH];
    __align__(16) float x[T][STEPS];
};

/* Asks for the steps from k on. Rows that there are not are the last ones once more. */
template <typename element, int T>
static __device__ __forceinline__ void ask(const few_args &a, int64_t first, int64_t k,
                                           few_stage<element, T> *to) {
    typedef few_stage<element, T> stage;
    const int t = (int)threadIdx.x;
    const int chunks = (int)min((int64_t)CHUNKS, (a.k - k) / stage::IN_CHUNK);
#pragma unroll
    for (int i = 0; i < CHUNKS; i++) {
        int line = i * (ROWS / CHUNKS) + t / CHUNKS, chunk = t % CHUNKS;
        int64_t row = min(first + line, a.rows - 1);
        if (chunk < chunks)
            tern_copy_async16(to->table + line * PITCH + chunk * CHUNK,
                              a.table + row * a.row_bytes + k * (int)sizeof(element) +
                                  chunk * CHUNK);
    }
    const int x_chunks = chunks * stage::IN_CHUNK / 4;
    for (int i = t; i < T * stage::X_CHUNKS; i += ROWS) {
        int row = min(i / stage::X_CHUNKS, a.count - 1), chunk = i % stage::X_CHUNKS;
        if (chunk < x_chunks)
            tern_copy_async16(&to->x[i / stage::X_CHUNKS][4 * chunk],
                              a.x + row * a.x_stride + k + 4 * chunk);
    }
}

template <typename element> struct __align__(16) few_chunk {
    element x[CHUNK / sizeof(element)];
};

struct __align__(16) few_quad {
    float x[4];
};

/* Continues the chains over one chunk of the thread's row: steps k.. of the stage. */
template <typename element, int T>
static __device__ __forceinline__ void run_chunk(const few_stage<element, T> *s, int chunk,
                                                 float (&chain)[T]) {
    constexpr int IN_CHUNK = CHUNK / (int)sizeof(element);
    const few_chunk<element> w =
        *(const few_chunk<element> *)(s->table + threadIdx.x * PITCH + chunk * CHUNK);
#pragma unroll
    for (int i = 0; i < IN_CHUNK; i += 4) {
#pragma unroll
        for (int t = 0; t < T; t++) {
            const few_quad x = *(const few_quad *)&s->x[t][chunk * IN_CHUNK + i];
#pragma unroll
            for (int j = 0; j < 4; j++)
                chain[t] = fmaf(x.x[j], cuda_widen(w.x[i + j]), chain[t]);
        }
    }
}

template <typename element, int T>
static __global__ void __launch_bounds__(ROWS) multiply_few(few_args a) {
    typedef few_stage<element, T> stage;
    __shared__ stage stages[2];
    const int64_t first = (int64_t)blockIdx.x * ROWS, row = first + threadIdx.x;
    float chain[T] = {};
    ask(a, first, 0, &stages[0]);
    tern_copy_commit();
    int turn = 0;
    for (int64_t k = 0; k < a.k; k += stage::STEPS, turn ^= 1) {
        if (k + stage::STEPS < a.k)
            ask(a, first, k + stage::STEPS, &stages[turn ^ 1]);
        tern_copy_commit();
        tern_copy_wait<1>();
        __syncthreads();
        if (a.k - k >= stage::STEPS) {
#pragma unroll
            for (int c = 0; c < CHUNKS; c++)
                run_chunk(&stages[turn], c, chain);
        } else {
            for (int c = 0; c < (a.k - k) / stage::IN_CHUNK; c++)
                run_chunk(&stages[turn], c, chain);
        }
        __syncthreads();
    }
    tern_copy_wait<0>();
    if (row < a.rows)
#pragma unroll
        for (int t = 0; t < T; t++)
            if (t < a.count)
                a.out[t * a.out_x_stride + row * a.out_row_stride] = chain[t];
}

template <typename element> static tern_status run_few(cuda_device *d, const few_args &a) {
    unsigned blocks = (unsigned)((a.rows + ROWS - 1) / ROWS);
    if (a.count == 1)
        return cuda_check(d, TERN_LAUNCH((multiply_few<element, 1>), blocks, ROWS, 0, d->stream, a),
                          "linear");
    if (a.count <= 4)
        return cuda_check(d, TERN_LAUNCH((multiply_few<element, 4>), blocks, ROWS, 0, d->stream, a),
                          "linear");
    return cuda_check(
        d, TERN_LAUNCH((multiply_few<element, FEW_MAX>), blocks, ROWS, 0, d->stream, a), "linear");
}

static bool is_aligned(const void *data, int64_t row_bytes) {
    return (uintptr_t)data % CHUNK == 0 && row_bytes % CHUNK == 0;
}

tern_status cuda_multiply_few(cuda_device *d, const cuda_product *p, bool *is_done) {
    int size = p->b.dtype == TERN_F32 ? 4 : 2;
    bool is_table = p->b.dtype == TERN_F32 || p->b.dtype == TERN_F16 || p->b.dtype == TERN_BF16;
    few_args a = {(const uint8_t *)p->b.data,
                  p->b.stride * size,
                  p->n,
                  p->k,
                  (const float *)p->a.data,
                  p->a.stride,
                  (int)p->m,
                  (float *)p->out,
                  p->out_i_stride,
                  p->out_j_stride};
    *is_done = is_table && p->a.dtype == TERN_F32 && p->out_dtype == TERN_F32 && p->matrices == 1 &&
               p->m <= FEW_MAX && p->n >= ROWS && p->n < INT32_MAX && p->k >= CHUNK &&
               p->k % 8 == 0 && p->a.k_stride == 1 && p->b.k_stride == 1 &&
               is_aligned(a.table, a.row_bytes) &&
               is_aligned(a.x, p->m > 1 ? a.x_stride * (int64_t)sizeof(float) : 0);
    if (!*is_done)
        return TERN_OK;
    if (p->b.dtype == TERN_F16)
        return run_few<cuda_f16>(d, a);
    if (p->b.dtype == TERN_BF16)
        return run_few<cuda_bf16>(d, a);
    return run_few<float>(d, a);
}
