/* SPDX-License-Identifier: MIT
 *
 * Scores of attention. A dot has 64 partial results, partial j of the elements j, j + 64, ...,
 * which are added as a tree over j + 32, 16, 8, 4, 2, 1. A thread goes through that tree from leaf
 * to leaf for two rows and two positions at a time, on four neighbouring leaves at once:
 *
 *     d = c(0) + c(4),  dot = (d.0 + d.2) + (d.1 + d.3)
 *     c(g) = ((p(g) + p(g+32)) + (p(g+16) + p(g+48))) + ((p(g+8) + p(g+40)) + (p(g+24) + p(g+56)))
 *
 * Query rows and keys lie in shared memory as F32, a row on K + 4 numbers, so that eight threads
 * read 16 bytes of their keys at once. Heads of other sizes than multiples of 4 and long ones have
 * a warp for each score. Not measured on a GPU.
 */
#include "device/cuda/attention.h"

enum {
    WARP = 32,
    WARPS = 8, /* of a block of the kernel for odd heads */
    GAP = 4,
    SHARED_MAX = 48 << 10,
};

static __device__ __forceinline__ cuda_quad operator+(const cuda_quad &a, const cuda_quad &b) {
    return {{a.x[0] + b.x[0], a.x[1] + b.x[1], a.x[2] + b.x[2], a.x[3] + b.x[3]}};
}

static __device__ __forceinline__ cuda_quad fused(const cuda_quad &a, const cuda_quad &b,
                                                  const cuda_quad &c) {
    return {{fmaf(a.x[0], b.x[0], c.x[0]), fmaf(a.x[1], b.x[1], c.x[1]),
             fmaf(a.x[2], b.x[2], c.x[2]), fmaf(a.x[3], b.x[3], c.x[3])}};
}

/* Of two rows and two positions. */
struct score_quads {
    cuda_quad of[2][2];
};

static __device__ __forceinline__ score_quads operator+(const score_quads &a,
                                                        const score_quads &b) {
    return {{{a.of[0][0] + b.of[0][0], a.of[0][1] + b.of[0][1]},
             {a.of[1][0] + b.of[1][0], a.of[1][1] + b.of[1][1]}}};
}

/* The lines that a thread reads. */
typedef struct lines {
    const float *q[2], *key[2];
    int n; /* numbers of a line */
} lines;

/* The partial results j .. j + 3. */
static __device__ __forceinline__ score_quads leaf(const lines &l, int j) {
    score_quads p = {};
    for (int i = j; i < l.n; i += 64) {
        const cuda_quad q0 = *(const cuda_quad *)(l.q[0] + i),
                        q1 = *(const cuda_quad *)(l.q[1] + i);
        const cuda_quad k0 = *(const cuda_quad *)(l.key[0] + i),
                        k1 = *(const cuda_quad *)(l.key[1] + i);
        p.of[0][0] = fused(q0, k0, p.of[0][0]);
        p.of[0][1] = fused(q0, k1, p.of[0][1]);
        p.of[1][0] = fused(q1, k0, p.of[1][0]);
        p.of[1][1] = fused(q1, k1, p.of[1][1]);
    }
    return p;
}

/* The partial results g .. g + 3 once those 32, 16 and 8 behind them are added. */
static __device__ __forceinline__ score_quads branch(const lines &l, int g) {
    score_quads a = leaf(l, g) + leaf(l, g + 32);
    score_quads b = leaf(l, g + 16) + leaf(l, g + 48);
    score_quads c = a + b;
    a = leaf(l, g + 8) + leaf(l, g + 40);
    b = leaf(l, g + 24) + leaf(l, g + 56);
    return c + (a + b);
}

/* Brings `count` lines of `head_size` elements, `step` elements apart, to shared memory. */
template <typename element>
static __device__ void bring(const element *from, int64_t step, int64_t head_size, int count,
                             float *to) {
    struct __align__(4 * sizeof(element)) four_elements {
        element x[4];
    };
    const int quarter = (int)head_size / 4, pitch = (int)head_size + GAP;
#pragma unroll 4
    for (int i = (int)threadIdx.x; i < count * quarter; i += (int)blockDim.x) {
        int line = i / quarter, at = i % quarter * 4;
        four_elements x = *(const four_elements *)(from + line * step + at);
        cuda_quad wide = {
            {cuda_widen(x.x[0]), cuda_widen(x.x[1]), cuda_widen(x.x[2]), cuda_widen(x.x[3])}};
        *(cuda_quad *)(to + line * pitch + at) = wide;
    }
}

static __device__ void write_score(const cuda_attention &a, int64_t head, int64_t row, int64_t t,
                                   float dot) {
    if (row >= a.rows || t >= attention_length(a, row))
        return;
    if (a.key_scales != NULL)
        dot *= a.key_scales[head * a.scale_head + t];
    attention_scores(a, head, row)[t] = dot * a.scale;
}

/* Q rows and P positions by Q P / 4 threads: a warp has 8 position pairs x 4 row pairs. */
template <typename element, int Q, int P>
static __global__ void __launch_bounds__(Q *P / 4) score_tiles(cuda_attention a) {
    TERN_DYNAMIC_SHARED(float, shared);
    const int64_t head = blockIdx.z, row = (int64_t)blockIdx.y * Q, t = (int64_t)blockIdx.x * P;
    const int pitch = (int)a.head_size + GAP;
    const int rows = (int)min((int64_t)Q, a.rows - row), count = (int)min((int64_t)P, a.seen - t);
    if (t >= attention_length(a, row + rows - 1))
        return;
    for (int i = 0; i < rows; i++)
        bring(a.q + attention_place(a, head, row + i), 0, a.head_size, 1, shared + i * pitch);
    bring((const element *)a.keys + head * a.key_head + t * a.key_position, a.key_position,
          a.head_size, count, shared + Q * pitch);
    __syncthreads();
    const int lane = (int)threadIdx.x % WARP, warp = (int)threadIdx.x / WARP;
    const int p = lane % 8 + 8 * (warp % (P / 16)), r = lane / 8 + 4 * (warp / (P / 16));
    lines l = {{}, {}, (int)a.head_size};
    for (int i = 0; i < 2; i++) {
        l.q[i] = shared + min(r + i * Q / 2, rows - 1) * pitch;
        l.key[i] = shared + (Q + min(p + i * P / 2, count - 1)) * pitch;
    }
    score_quads d = branch(l, 0);
    d = d + branch(l, 4);
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const float *x = d.of[i][j].x;
            write_score(a, head, row + r + i * Q / 2, t + p + j * P / 2,
                        (x[0] + x[2]) + (x[1] + x[3]));
        }
}

/* A warp for each score; lane j has the partial results j and j + 32. */
template <typename element>
static __global__ void __launch_bounds__(WARP *WARPS) score_warps(cuda_attention a) {
    const int64_t head = blockIdx.z, row = blockIdx.y;
    const int64_t t = (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
    const int lane = (int)threadIdx.x % WARP;
    if (t >= attention_length(a, row))
        return;
    const float *q = a.q + attention_place(a, head, row);
    const element *key = (const element *)a.keys + head * a.key_head + t * a.key_position;
    float low = 0, high = 0;
    for (int64_t i = lane; i < a.head_size; i += 2 * WARP) {
        low = fmaf(q[i], cuda_widen(key[i]), low);
        if (i + WARP < a.head_size)
            high = fmaf(q[i + WARP], cuda_widen(key[i + WARP]), high);
    }
    float sum = low + high;
#pragma unroll
    for (int s = WARP / 2; s > 0; s /= 2)
        sum += __shfl_down_sync(0xffffffffu, sum, (unsigned)s);
    if (lane == 0)
        write_score(a, head, row, t, sum);
}

/* -- the choice --------------------------------------------------------------------------------*/

static unsigned div_up(int64_t n, int64_t unit) {
    return (unsigned)((n + unit - 1) / unit);
}

static size_t shared_bytes(const cuda_attention *a, int lines) {
    return (size_t)(a->head_size + GAP) * (size_t)lines * sizeof(float);
}

template <typename element, int Q, int P>
static tern_status run_tiles(cuda_device *d, const cuda_attention *a) {
    dim3 grid(div_up(a->seen, P), div_up(a->rows, Q), (unsigned)a->kv_heads);
    return cuda_check(d,
                      TERN_LAUNCH((score_tiles<element, Q, P>), grid, Q * P / 4,
                                  shared_bytes(a, Q + P), d->stream, *a),
                      "attention");
}

template <typename element> static tern_status run_scores(cuda_device *d, const cuda_attention *a) {
    const int64_t four = 4 * sizeof(element);
    bool fits = a->head_size % 4 == 0 && a->key_head % 4 == 0 && a->key_position % 4 == 0 &&
                (uintptr_t)a->keys % (uint64_t)four == 0 && (uintptr_t)a->q % 16 == 0 &&
                shared_bytes(a, 8 + 64) <= SHARED_MAX;
    if (!fits)
        return cuda_check(
            d,
            TERN_LAUNCH(score_warps<element>,
                        dim3(div_up(a->seen, WARPS), (unsigned)a->rows, (unsigned)a->kv_heads),
                        WARP * WARPS, 0, d->stream, *a),
            "attention");
    return a->rows <= 8 ? run_tiles<element, 8, 64>(d, a) : run_tiles<element, 32, 32>(d, a);
}

tern_status cuda_attention_scores(cuda_device *d, const cuda_attention *a) {
    if (a->type == TERN_F16)
        return run_scores<cuda_f16>(d, a);
    if (a->type == TERN_I8)
        return run_scores<int8_t>(d, a);
    return run_scores<float>(d, a);
}
