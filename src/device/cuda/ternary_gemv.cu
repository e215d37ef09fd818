/* SPDX-License-Identifier: MIT
 *
 * Ternary products with few rows of activations: y (N, M) = x W^T. A block makes a panel of 16 rows
 * of W for 8 or 16 columns of y; its eight warps take the chunks of K by turns, and their integer
 * sums are added at the end, which is exact. So a matrix of 2560 rows has 1280 warps under way, and
 * each byte of it is read once for all columns of the block.
 *
 * By design, not measured: the time is that of reading the weights, a quarter byte each. A warp has
 * 4 loads of 512 bytes under way before it needs the first; the 1.6 MB of 2560 x 2560 are all asked
 * for at once on 132 processors. For 16 bytes of weights a lane executes 16 shifts, 16 ands and 4
 * mma (8 columns), and loads 32 bytes of activations, which the blocks of a processor share in its
 * L1: about 2.5 instructions for a byte of weights, where an H200 (4.8 TB/s, 132 processors, 128
 * lanes at 1.8 GHz) has time for six. Tensor cores are right for a single column too: dp4a would
 * need 16 instructions in place of the 4.
 */
#include "device/cuda/ternary_device.h"

enum {
    WARPS = 8,
    THREADS = 32 * WARPS,
    TILE_COLUMNS = 8, /* of y in one mma */
    /* Between columns of sums in shared memory: lanes (g, t) write to t * 40 + g, all banks
     * different. */
    STRIDE = 20,
    GRID_MOST = 65535, /* blocks along y */
};

/* The sums of a tile of y, as mma lays them over the lanes: rows lane / 4 and, from [2] on,
 * lane / 4 + 8; columns 2 (lane % 4) and the next. */
template <int PANELS, int TILES> struct gemv_sums { int32_t at[PANELS][TILES][4]; };

/* sums (16 rows, 8 columns of y) += a tile of W times activations; the lane's 16 bytes of the tile
 * and 32 of a column. */
static __device__ inline void multiply_tile(uint4 trits, uint4 lower, uint4 upper,
                                            int32_t sums[4]) {
#pragma unroll
    for (int field = 0; field < 4; field++) {
        const uint4 q = field < 2 ? lower : upper;
        const uint32_t a[4] = {trits_of(trits.x, field), trits_of(trits.y, field),
                               trits_of(trits.z, field), trits_of(trits.w, field)};
        const uint32_t b[2] = {field % 2 == 0 ? q.x : q.z, field % 2 == 0 ? q.y : q.w};
        tern_mma_s8(sums, a, b);
    }
}

/* Where a lane reads. */
template <int PANELS> struct gemv_source {
    const uint4 *trits[PANELS]; /* of the panels' first tiles, the lane's words */
    const int8_t *q;            /* the lane's part of the first column's first chunk */
    int64_t q_stride;
    int columns; /* of y from the first one on, at least 1 */
};

/* The chunks first, first + step, ... below `end`, by tensor cores. Columns that y does not have
 * repeat the last one. */
template <int PANELS, int TILES>
static __device__ inline void multiply_tensor(const gemv_source<PANELS> &from, int first, int step,
                                              int end, gemv_sums<PANELS, TILES> &sums) {
    constexpr int AHEAD = PANELS * TILES == 1 ? 4 : 2; /* chunks that are loaded at once */
    const uint4 zero = make_uint4(0, 0, 0, 0);
    const uint4 *q[TILES];
    for (int tile = 0; tile < TILES; tile++) {
        int column = min(tile * TILE_COLUMNS + (int)threadIdx.x % 32 / 4, from.columns - 1);
        q[tile] = (const uint4 *)(from.q + column * from.q_stride);
    }
    for (int chunk = first; chunk < end; chunk += AHEAD * step) {
        uint4 trits[AHEAD][PANELS], lower[AHEAD][TILES], upper[AHEAD][TILES];
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            int at = chunk + i * step;
            bool is_there = at < end;
            for (int panel = 0; panel < PANELS; panel++)
                trits[i][panel] = is_there ? __ldg(from.trits[panel] + at * 32) : zero;
            for (int tile = 0; tile < TILES; tile++) {
                lower[i][tile] = is_there ? __ldg(q[tile] + at * 8) : zero;
                upper[i][tile] = is_there ? __ldg(q[tile] + at * 8 + 1) : zero;
            }
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            if (chunk + i * step >= end)
                break;
            for (int panel = 0; panel < PANELS; panel++)
                for (int tile = 0; tile < TILES; tile++)
                    multiply_tile(trits[i][panel], lower[i][tile], upper[i][tile],
                                  sums.at[panel][tile]);
        }
    }
}

/* The same by dot products of four bytes, for a GPU whose tensor cores have no such mma. A lane
 * sums for two rows and all columns over its part of K; then the four lanes of a row are added. */
template <int PANELS>
static __device__ inline void multiply_dot(const gemv_source<PANELS> &from, int first, int step,
                                           int end, gemv_sums<PANELS, 1> &sums) {
    int32_t all[PANELS][2][TILE_COLUMNS] = {};
    for (int chunk = first; chunk < end; chunk += step) {
        uint4 trits[PANELS];
        for (int panel = 0; panel < PANELS; panel++)
            trits[panel] = __ldg(from.trits[panel] + chunk * 32);
#pragma unroll
        for (int column = 0; column < TILE_COLUMNS; column++) {
            if (column >= from.columns)
                break;
            const uint4 *q = (const uint4 *)(from.q + column * from.q_stride) + chunk * 8;
            const uint4 parts[2] = {__ldg(q), __ldg(q + 1)};
            for (int panel = 0; panel < PANELS; panel++)
                for (int i = 0; i < 16; i++) { /* word i % 4, field i / 4 */
                    uint32_t w = trits_of(word_of(trits[panel], i % 4), i / 4);
                    uint32_t x = word_of(parts[i / 8], i / 4 % 2 * 2 + i % 4 / 2);
                    int32_t &sum = all[panel][i % 2][column];
                    sum = __dp4a((int)w, (int)x, sum);
                }
        }
    }
    for (int panel = 0; panel < PANELS; panel++)
        for (int row = 0; row < 2; row++)
            for (int column = 0; column < TILE_COLUMNS; column++) {
                int32_t sum = all[panel][row][column];
                sum += __shfl_xor_sync(~0u, sum, 1);
                sum += __shfl_xor_sync(~0u, sum, 2);
                if ((int)threadIdx.x % 4 == column / 2)
                    sums.at[panel][0][2 * row + column % 2] = sum;
            }
}

/* Sums of a warp's chunks to shared memory: (PANELS, columns, STRIDE). */
template <int PANELS, int TILES, bool HAS_TENSOR>
static __device__ inline void multiply_chunks(const gemv_source<PANELS> &from, int first, int step,
                                              int end, int32_t *shared) {
    gemv_sums<PANELS, TILES> sums = {};
    if constexpr (HAS_TENSOR)
        multiply_tensor<PANELS, TILES>(from, first, step, end, sums);
    else
        multiply_dot<PANELS>(from, first, step, end, sums);
    int row = threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
    for (int panel = 0; panel < PANELS; panel++)
        for (int tile = 0; tile < TILES; tile++)
            for (int i = 0; i < 4; i++)
                shared[((panel * TILES + tile) * TILE_COLUMNS + column + i % 2) * STRIDE + row +
                       8 * (i / 2)] = sums.at[panel][tile][i];
}

/* A block: one panel of a part, or of both gated parts. */
template <int PANELS, int TILES, bool HAS_TENSOR, bool HAS_BLOCKS>
static __global__ void __launch_bounds__(THREADS) gemv(ternary_product p) {
    constexpr int COLUMNS = TILES * TILE_COLUMNS;
    __shared__ int32_t shared[WARPS][PANELS * COLUMNS * STRIDE];
    const ternary_place place = place_of(p, (int)blockIdx.x, 1);
    const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    const int64_t first_column = (int64_t)blockIdx.y * COLUMNS;
    const int64_t q_stride = (int64_t)p.chunks * TERNARY_CHUNK;
    gemv_source<PANELS> from;
    for (int i = 0; i < PANELS; i++)
        from.trits[i] =
            p.parts[place.part + i].weight.tiles + (int64_t)place.panel * p.chunks * 32 + lane;
    from.q = p.q + first_column * q_stride + lane % 4 * 32;
    from.q_stride = q_stride;
    from.columns = (int)min(p.n - first_column, (int64_t)COLUMNS);

    /* The element of the result that this thread ends with. */
    const int row = (int)threadIdx.x % TERNARY_PANEL, column = (int)threadIdx.x / TERNARY_PANEL;
    const int64_t m = (int64_t)place.panel * TERNARY_PANEL + row, n = first_column + column;
    const bool is_mine = column < from.columns && m < p.parts[place.part].weight.rows;
    float y[PANELS] = {};
    if constexpr (HAS_BLOCKS) {
        const int blocks = p.chunks / 2;
        for (int block = 0; block < blocks; block += WARPS) {
            const int count = min(blocks - block, (int)WARPS);
            if (warp < count)
                multiply_chunks<PANELS, TILES, HAS_TENSOR>(from, 2 * (block + warp), 1,
                                                           2 * (block + warp) + 2, shared[warp]);
            __syncthreads();
            for (int i = 0; is_mine && i < count; i++)
                for (int panel = 0; panel < PANELS; panel++) {
                    const ternary_weight &w = p.parts[place.part + panel].weight;
                    const int32_t sum = shared[i][(panel * COLUMNS + column) * STRIDE + row];
                    const float scale =
                        w.block_scales[(int64_t)(block + i) * w.panels * TERNARY_PANEL + m];
                    y[panel] = fmaf(float_of_sum(sum), scale, y[panel]);
                }
            __syncthreads();
        }
    } else {
        multiply_chunks<PANELS, TILES, HAS_TENSOR>(from, warp, WARPS, p.chunks, shared[warp]);
        __syncthreads();
        for (int panel = 0; is_mine && panel < PANELS; panel++) {
            int32_t sum = 0;
            for (int i = 0; i < WARPS; i++)
                sum += shared[i][(panel * COLUMNS + column) * STRIDE + row];
            y[panel] = float_of_sum(sum);
        }
    }
    if (!is_mine)
        return;
    for (int panel = 0; panel < PANELS; panel++)
        y[panel] *= factor_of(p.parts[place.part + panel].weight, p.s[n]);
    const int64_t at = n * p.parts[place.part].weight.rows + m;
    if constexpr (PANELS == 2)
        finish_gated(p, at, y[0], y[1]);
    else
        finish(p, p.parts[place.part].out, at, y[0]);
}

typedef void (*gemv_kernel)(ternary_product);

/* By gated, 16 columns, block scales. */
static const gemv_kernel tensor_kernels[2][2][2] = {
    {{gemv<1, 1, true, false>, gemv<1, 1, true, true>},
     {gemv<1, 2, true, false>, gemv<1, 2, true, true>}},
    {{gemv<2, 1, true, false>, gemv<2, 1, true, true>},
     {gemv<2, 2, true, false>, gemv<2, 2, true, true>}},
};

static const gemv_kernel dot_kernels[2][2] = {
    {gemv<1, 1, false, false>, gemv<1, 1, false, true>},
    {gemv<2, 1, false, false>, gemv<2, 1, false, true>},
};

tern_status cuda_ternary_gemv(cuda_device *d, const ternary_product *p) {
    bool has_blocks = p->parts[0].weight.block_scales != NULL;
    bool is_wide = d->sm >= TERNARY_TENSOR_SM && p->n > TILE_COLUMNS;
    gemv_kernel kernel = d->sm >= TERNARY_TENSOR_SM
                             ? tensor_kernels[p->is_gated][is_wide][has_blocks]
                             : dot_kernels[p->is_gated][has_blocks];
    int columns = is_wide ? 2 * TILE_COLUMNS : TILE_COLUMNS;
    int64_t groups = all_groups(p, 1), across = (p->n + columns - 1) / columns;
    if (groups == 0)
        return TERN_OK;
    if (groups > INT32_MAX || across > GRID_MOST)
        return TERN_E_UNSUPPORTED;
    dim3 grid((unsigned)groups, (unsigned)across);
    return cuda_check(d, TERN_LAUNCH(kernel, grid, THREADS, 0, d->stream, *p), "ternary gemv");
}
