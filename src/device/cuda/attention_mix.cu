/* SPDX-License-Identifier: MIT
 *
 * The mix of attention: a chain over the positions in order for each row and lane, which no cut may
 * divide. Few rows, as when a model speaks, have a thread for each chain, and what the chains need
 * is brought to shared memory several stages ahead, a stage being
 *
 *     TIMES positions x LANES lanes of values, as they are      ROWS x TIMES probabilities
 *
 * Many rows have tiles of 64 rows x 64 lanes, a thread 4 x 4 of them in registers. The chain of a
 * row ends at the last position that it sees. Not measured on a GPU.
 */
#include "device/cuda/attention.h"

enum {
    ROWS = 8, /* of a block of stream() */
    LANES = 16,
    TIMES = 64, /* positions of a stage */
    STAGES = 6,
    CHUNK = 16, /* bytes of a copy */
    STREAM_ROWS_MAX = 64,
};

/* -- few rows ----------------------------------------------------------------------------------*/

template <typename element> struct mix_stage {
    __align__(16) element values[TIMES][LANES];
    __align__(16) float weights[ROWS][TIMES];
};

/* Asks for the positions from t on. Positions and rows that there are not are the last ones once
 * more; of the weights behind a row's length something, which nobody uses. */
template <typename element>
static __device__ __forceinline__ void ask(const cuda_attention &a, int64_t row, int64_t t,
                                           mix_stage<element> *to) {
    constexpr int IN_CHUNK = CHUNK / (int)sizeof(element), CHUNKS = LANES / IN_CHUNK;
    const int64_t head = blockIdx.z, lane = (int64_t)blockIdx.x * LANES;
    const element *values = (const element *)a.values + head * a.value_head + lane;
    for (int i = (int)threadIdx.x; i < TIMES * CHUNKS; i += ROWS * LANES) {
        int64_t position = min(t + i / CHUNKS, a.seen - 1);
        int at = i % CHUNKS * IN_CHUNK;
        tern_copy_async16(&to->values[i / CHUNKS][at], values + position * a.value_position + at);
    }
    for (int i = (int)threadIdx.x; i < ROWS * TIMES / 4; i += ROWS * LANES) {
        int r = i / (TIMES / 4), at = i % (TIMES / 4) * 4;
        int64_t from = min(row + r, a.rows - 1);
        tern_copy_async16(&to->weights[r][at], attention_scores(a, head, from) + t + at);
    }
}

template <typename element>
static __global__ void __launch_bounds__(ROWS *LANES) stream(cuda_attention a) {
    __shared__ mix_stage<element> stages[STAGES];
    const int r = (int)threadIdx.x / LANES, lane = (int)threadIdx.x % LANES;
    const int64_t row = (int64_t)blockIdx.y * ROWS;
    const int64_t own = min(row + r, a.rows - 1), length = attention_length(a, own);
    const int64_t end = attention_length(a, min(row + ROWS, a.rows) - 1);
    for (int s = 0; s < STAGES - 1; s++) {
        if (s * TIMES < end)
            ask(a, row, s * TIMES, &stages[s]);
        tern_copy_commit();
    }
    float chain = 0;
    int turn = 0;
    for (int64_t t = 0; t < end; t += TIMES) {
        tern_copy_wait<STAGES - 2>();
        __syncthreads();
        /* The stage that the last turn was done with. */
        if (t + (STAGES - 1) * TIMES < end)
            ask(a, row, t + (STAGES - 1) * TIMES, &stages[(turn + STAGES - 1) % STAGES]);
        tern_copy_commit();
        const mix_stage<element> *s = &stages[turn];
        if (length - t >= TIMES) {
#pragma unroll
            for (int i = 0; i < TIMES; i += 4) {
                const cuda_quad w = *(const cuda_quad *)&s->weights[r][i];
#pragma unroll
                for (int j = 0; j < 4; j++)
                    chain = fmaf(w.x[j], cuda_widen(s->values[i + j][lane]), chain);
            }
        } else {
            for (int i = 0; i < length - t; i++)
                chain = fmaf(s->weights[r][i], cuda_widen(s->values[i][lane]), chain);
        }
        turn = (turn + 1) % STAGES;
    }
    tern_copy_wait<0>();
    if (row + r < a.rows)
        a.out[attention_place(a, blockIdx.z, own) + (int64_t)blockIdx.x * LANES + lane] = chain;
}

/* -- many rows ---------------------------------------------------------------------------------*/

enum {
    SIDE = 16, /* threads along a side */
    EACH = 4,
    TILE = SIDE * EACH,
    STEPS = 16, /* positions in shared memory */
    PITCH = TILE + 4,
    COUNT = TILE * STEPS / (SIDE * SIDE),
};

/* What a thread brings of STEPS positions: weights of rows, values of lanes. */
typedef struct bringing {
    int64_t head, row, lane; /* first ones of the block */
    float weights[COUNT], values[COUNT];
} bringing;

template <typename element>
static __device__ __forceinline__ void fetch(const cuda_attention &a, int64_t t, bringing *b) {
    const int thread = (int)threadIdx.x;
    const element *values = (const element *)a.values + b->head * a.value_head;
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        int64_t row = b->row + thread / STEPS + i * (SIDE * SIDE / STEPS);
        int64_t at = t + thread % STEPS;
        bool is_there = row < a.rows && at < attention_length(a, row);
        b->weights[i] = is_there ? attention_scores(a, b->head, row)[at] : 0.0f;
        int64_t lane = b->lane + thread % TILE;
        at = t + thread / TILE + i * (SIDE * SIDE / TILE);
        is_there = lane < a.head_size && at < a.seen;
        b->values[i] = is_there ? cuda_widen(values[at * a.value_position + lane]) : 0.0f;
    }
}

/* What the rows of a thread see; the first one sees the fewest positions. */
typedef struct tile_rows {
    int64_t length[EACH];
} tile_rows;

/* Continues the chains of a thread over the STEPS positions from t on. */
static __device__ __forceinline__ void mix_steps(const float (&weights)[STEPS][PITCH],
                                                 const float (&values)[STEPS][PITCH],
                                                 const tile_rows &rows, int64_t t,
                                                 float (&c)[EACH][EACH]) {
    const int row = (int)threadIdx.x / SIDE * EACH, lane = (int)threadIdx.x % SIDE * EACH;
    const bool is_whole = t + STEPS <= rows.length[0];
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
        const cuda_quad w = *(const cuda_quad *)&weights[s][row];
        const cuda_quad v = *(const cuda_quad *)&values[s][lane];
#pragma unroll
        for (int i = 0; i < EACH; i++)
            if (is_whole || t + s < rows.length[i])
#pragma unroll
                for (int j = 0; j < EACH; j++)
                    c[i][j] = fmaf(w.x[i], v.x[j], c[i][j]);
    }
}

static __device__ __forceinline__ void write_tile(const cuda_attention &a, const bringing &b,
                                                  const float (&c)[EACH][EACH]) {
    const int64_t row = b.row + threadIdx.x / SIDE * EACH;
    const int64_t lane = b.lane + threadIdx.x % SIDE * EACH;
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int j = 0; j < EACH; j++)
            if (row + i < a.rows && lane + j < a.head_size)
                a.out[attention_place(a, b.head, row + i) + lane + j] = c[i][j];
}

template <typename element>
static __global__ void __launch_bounds__(SIDE *SIDE) mix_tiles(cuda_attention a) {
    __shared__ __align__(16) float weights[2][STEPS][PITCH], values[2][STEPS][PITCH];
    const int thread = (int)threadIdx.x;
    bringing b = {blockIdx.z, (int64_t)blockIdx.y * TILE, (int64_t)blockIdx.x * TILE, {}, {}};
    const int64_t end = attention_length(a, min(b.row + TILE, a.rows) - 1);
    tile_rows rows;
    float c[EACH][EACH] = {};
#pragma unroll
    for (int i = 0; i < EACH; i++)
        rows.length[i] = attention_length(a, b.row + thread / SIDE * EACH + i);
    fetch<element>(a, 0, &b);
    for (int64_t t = 0; t < end; t += STEPS) {
        const int half = (int)(t / STEPS % 2);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            int at = i * (SIDE * SIDE / STEPS);
            weights[half][thread % STEPS][thread / STEPS + at] = b.weights[i];
            values[half][thread / TILE + i * (SIDE * SIDE / TILE)][thread % TILE] = b.values[i];
        }
        __syncthreads();
        fetch<element>(a, t + STEPS, &b);
        mix_steps(weights[half], values[half], rows, t, c);
    }
    write_tile(a, b, c);
}

/* -- the choice --------------------------------------------------------------------------------*/

static unsigned div_up(int64_t n, int64_t unit) {
    return (unsigned)((n + unit - 1) / unit);
}

template <typename element> static tern_status run_mix(cuda_device *d, const cuda_attention *a) {
    const int64_t in_chunk = CHUNK / sizeof(element);
    bool is_aligned = (uintptr_t)a->values % CHUNK == 0 && a->value_head % in_chunk == 0 &&
                      a->value_position % in_chunk == 0 && a->head_size % LANES == 0;
    unsigned heads = (unsigned)a->kv_heads;
    if (is_aligned && a->rows <= STREAM_ROWS_MAX)
        return cuda_check(
            d,
            TERN_LAUNCH(stream<element>,
                        dim3(div_up(a->head_size, LANES), div_up(a->rows, ROWS), heads),
                        ROWS * LANES, 0, d->stream, *a),
            "attention");
    return cuda_check(d,
                      TERN_LAUNCH(mix_tiles<element>,
                                  dim3(div_up(a->head_size, TILE), div_up(a->rows, TILE), heads),
                                  SIDE * SIDE, 0, d->stream, *a),
                      "attention");
}

tern_status cuda_attention_mix(cuda_device *d, const cuda_attention *a) {
    if (a->type == TERN_F16)
        return run_mix<cuda_f16>(d, a);
    if (a->type == TERN_I8)
        return run_mix<int8_t>(d, a);
    return run_mix<float>(d, a);
}
