/* SPDX-License-Identifier: MIT
 *
 * Products of I8 on tensor cores: sums in I32 modulo 2^32, which may be added in any order. A block
 * has LINES x LINES sums, a warp 64 x 32 of them as 4 x 4 tiles of 16 x 8. STEPS bytes of each line
 * go through shared memory, in two stages that take turns; a line lies on PITCH bytes, so that the
 * words that a warp reads for a tile are in different banks. Behind K there are zeros. Not measured
 * on a GPU.
 */
#include "device/cuda/product.h"

enum {
    THREADS = 256,
    WARP = 32,
    LINES = 128,
    STEPS = 64,
    CHUNK = 16, /* bytes of a copy */
    CHUNKS = STEPS / CHUNK,
    PITCH = STEPS + CHUNK,
    MMA_STEPS = 32,   /* of one operation of the tensor cores */
    ROW_TILES = 4,    /* of 16 rows, of a warp */
    COLUMN_TILES = 4, /* of 8 columns */
    LEAST = 16,       /* rows and columns */
};

typedef struct i8_stage {
    __align__(16) int8_t a[LINES][PITCH], b[LINES][PITCH];
} i8_stage;

/* Lines that there are not are the last one once more: nobody uses what becomes of them. */
static __device__ __forceinline__ void ask(const int8_t *from, int64_t stride, int64_t lines,
                                           int64_t depth, int8_t (&to)[LINES][PITCH]) {
#pragma unroll
    for (int i = 0; i < LINES * CHUNKS / THREADS; i++) {
        const int index = i * THREADS + (int)threadIdx.x;
        const int line = index / CHUNKS, at = index % CHUNKS * CHUNK;
        if (at < depth)
            tern_copy_async16(&to[line][at], from + min((int64_t)line, lines - 1) * stride + at);
        else
            *(int4 *)&to[line][at] = int4{0, 0, 0, 0};
    }
}

static __device__ __forceinline__ uint32_t word_at(const int8_t *line, int at) {
    return *(const uint32_t *)(line + at);
}

/* What a warp adds to its sums from one stage. */
static __device__ __forceinline__ void run_stage(const i8_stage &s, int row, int column,
                                                 int32_t (&sums)[ROW_TILES][COLUMN_TILES][4]) {
    const int lane = (int)threadIdx.x % WARP, line = lane / 4, word = lane % 4 * 4;
#pragma unroll
    for (int k = word; k < STEPS; k += MMA_STEPS) {
        uint32_t b[COLUMN_TILES][2];
#pragma unroll
        for (int j = 0; j < COLUMN_TILES; j++) {
            b[j][0] = word_at(s.b[column + 8 * j + line], k);
            b[j][1] = word_at(s.b[column + 8 * j + line], k + 16);
        }
#pragma unroll
        for (int i = 0; i < ROW_TILES; i++) {
            const int8_t *upper = s.a[row + 16 * i + line], *lower = s.a[row + 16 * i + 8 + line];
            const uint32_t a[4] = {word_at(upper, k), word_at(lower, k), word_at(upper, k + 16),
                                   word_at(lower, k + 16)};
#pragma unroll
            for (int j = 0; j < COLUMN_TILES; j++)
                tern_mma_s8(sums[i][j], a, b[j]);
        }
    }
}

static __device__ __forceinline__ void
write_sums(const cuda_product &p, int64_t out, int64_t row, int64_t column,
           const int32_t (&sums)[ROW_TILES][COLUMN_TILES][4]) {
    const int lane = (int)threadIdx.x % WARP;
#pragma unroll
    for (int i = 0; i < ROW_TILES; i++)
#pragma unroll
        for (int j = 0; j < COLUMN_TILES; j++)
#pragma unroll
            for (int r = 0; r < 4; r++) {
                int64_t at_i = row + 16 * i + lane / 4 + r / 2 * 8;
                int64_t at_j = column + 8 * j + lane % 4 * 2 + r % 2;
                if (at_i < p.m && at_j < p.n)
                    ((int32_t *)p.out)[out + at_i * p.out_i_stride + at_j * p.out_j_stride] =
                        sums[i][j][r];
            }
}

static __global__ void __launch_bounds__(THREADS) multiply_i8(cuda_product p) {
    __shared__ i8_stage stages[2];
    const int64_t row_tiles = (p.m + LINES - 1) / LINES, column_tiles = (p.n + LINES - 1) / LINES;
    const int64_t i = blockIdx.x % row_tiles * LINES, tile = blockIdx.x / row_tiles;
    const int64_t j = tile % column_tiles * LINES;
    const cuda_place at = cuda_place_of(p, tile / column_tiles);
    const int8_t *a = (const int8_t *)p.a.data + at.a + i * p.a.stride;
    const int8_t *b = (const int8_t *)p.b.data + at.b + j * p.b.stride;
    const int warp = (int)threadIdx.x / WARP, row = warp % 2 * 64, column = warp / 2 * 32;
    int32_t sums[ROW_TILES][COLUMN_TILES][4] = {};
    ask(a, p.a.stride, p.m - i, p.k, stages[0].a);
    ask(b, p.b.stride, p.n - j, p.k, stages[0].b);
    tern_copy_commit();
    for (int64_t k = 0; k < p.k; k += STEPS) {
        const int turn = (int)(k / STEPS % 2);
        if (k + STEPS < p.k) {
            ask(a + k + STEPS, p.a.stride, p.m - i, p.k - k - STEPS, stages[turn ^ 1].a);
            ask(b + k + STEPS, p.b.stride, p.n - j, p.k - k - STEPS, stages[turn ^ 1].b);
        }
        tern_copy_commit();
        tern_copy_wait<1>();
        __syncthreads();
        run_stage(stages[turn], row, column, sums);
        __syncthreads();
    }
    tern_copy_wait<0>();
    write_sums(p, at.out, i + row, j + column, sums);
}

static double blocks_of(const cuda_product *p) {
    int64_t row_tiles = (p->m + LINES - 1) / LINES, column_tiles = (p->n + LINES - 1) / LINES;
    return (double)p->matrices * (double)row_tiles * (double)column_tiles;
}

static bool is_aligned(const cuda_product *p, const cuda_matrices *m) {
    bool fits = m->k_stride == 1 && m->stride % CHUNK == 0 && (uintptr_t)m->data % CHUNK == 0;
    for (int axis = 0; axis < p->batch_rank; axis++)
        fits = fits && m->batch_strides[axis] % CHUNK == 0;
    return fits;
}

bool cuda_fits_i8(const cuda_device *d, const cuda_product *p) {
    return d->sm >= CUDA_TENSOR_SM && p->m >= LEAST && p->n >= LEAST && p->k >= CHUNK &&
           p->k % CHUNK == 0 && is_aligned(p, &p->a) && is_aligned(p, &p->b) &&
           blocks_of(p) <= INT32_MAX;
}

tern_status cuda_multiply_i8(cuda_device *d, const cuda_product *p) {
    return cuda_check(
        d, TERN_LAUNCH(multiply_i8, (unsigned)blocks_of(p), THREADS, 0, d->stream, *p), "matmul");
}
