/* SPDX-License-Identifier: MIT
 *
 * Ternary products with few rows of activations: y (N, M) = x W^T. A block makes a panel of 16 rows
 * of W for 8 or 16 columns of y; its eight warps take the chunks of K by turns, and their integer
 * sums are added at the end, which is exact. So a matrix of 2560 rows has 1280 warps under way, and
 * each byte of it is read once for all columns of the block.
 *
 * A single row of activations is quantised by each block for itself, in shared memory, where all
 * blocks are on the card at once: no second launch, and the first weights are on their way
 * meanwhile.
 *
 * By design, not measured: the time is that of reading the weights, a quarter byte each. A warp has
 * 4 loads of 512 bytes under way before it needs the first; the 1.6 MB of 2560 x 2560 are all asked
 * for at once on 132 processors. For 16 bytes of weights a lane executes 12 shifts, 16 ands and 4
 * mma (8 columns), and loads 32 bytes of activations, which the blocks of a processor share in its
 * L1: about 2.5 instructions for a byte of weights, where an H200 (4.8 TB/s, 132 processors, 128
 * lanes at 1.8 GHz) has time for six. Tensor cores are right for a single column too: dp4a would
 * need 16 instructions in place of the 4. A block that quantises reads K floats again, from L2, 10
 * or 28 KB beside its 10 or 28 KB of weights, and takes about as long for it as a launch does.
 */
#include "device/cuda/activations_cuda.h"
#include "device/cuda/ternary_cuda.h"

enum {
    WARPS = 8,
    THREADS = 32 * WARPS,
    TILE_COLUMNS = 8, /* of y in one mma */
    /* Between columns of sums in shared memory: lanes (g, t) write to t * 40 + g, all banks
     * different. */
    STRIDE = 20,
    GRID_MOST = 65535,       /* blocks along y */
    SHARED_MOST = 47 << 10,  /* dynamic, of any launch, beside 1 KB that has names */
    BLOCKS_OF_PROCESSOR = 4, /* that are there at once: 64 registers a thread at most */
};

struct gemv_call {
    ternary_product product;
    ternary_activations rows; /* where the block quantises */
    int q_offset;             /* in shared memory, of what it makes */
};

/* The sums of a tile of y, as mma lays them over the lanes: rows lane / 4 and, from [2] on,
 * lane / 4 + 8; columns 2 (lane % 4) and the next. */
template <int PANELS, int TILES> struct gemv_sums { int32_t at[PANELS][TILES][4]; };

/* Where a lane reads. */
template <int PANELS> struct gemv_source {
    const uint4 *trits[PANELS]; /* of the panels' first tiles, the lane's words */
    const int8_t *q;            /* the lane's part of the first column's first chunk */
    int64_t q_stride;
    int columns; /* of y from the first one on, at least 1 */
};

/* Some chunks first, first + step, ... of those below `end`. */
struct gemv_chunks {
    int first, step, end;
};

/* -- by tensor cores ---------------------------------------------------------------------------*/

/* Weights of the next chunks, on their way. */
template <int PANELS, int TILES> struct gemv_ahead {
    static constexpr int COUNT = PANELS * TILES == 1 ? 4 : 2;
    uint4 trits[COUNT][PANELS];
};

template <int PANELS, int TILES>
static __device__ inline void load_ahead(const gemv_source<PANELS> &from, gemv_chunks chunks,
                                         gemv_ahead<PANELS, TILES> &ahead) {
#pragma unroll
    for (int i = 0; i < ahead.COUNT; i++) {
        const int at = chunks.first + i * chunks.step;
        for (int panel = 0; panel < PANELS; panel++)
            ahead.trits[i][panel] =
                at < chunks.end ? __ldg(from.trits[panel] + at * 32) : make_uint4(0, 0, 0, 0);
    }
}

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

/* The chunks, the first of which are in `ahead`. Columns that y does not have repeat the last one.
 */
template <int PANELS, int TILES>
static __device__ inline void multiply_tensor(const gemv_source<PANELS> &from, gemv_chunks chunks,
                                              gemv_ahead<PANELS, TILES> &ahead,
                                              gemv_sums<PANELS, TILES> &sums) {
    constexpr int COUNT = gemv_ahead<PANELS, TILES>::COUNT;
    const uint4 *q[TILES];
    for (int tile = 0; tile < TILES; tile++) {
        int column = min(tile * TILE_COLUMNS + (int)threadIdx.x % 32 / 4, from.columns - 1);
        q[tile] = (const uint4 *)(from.q + column * from.q_stride);
    }
    while (chunks.first < chunks.end) {
        uint4 lower[COUNT][TILES], upper[COUNT][TILES];
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const int at = min(chunks.first + i * chunks.step, chunks.end - 1);
            for (int tile = 0; tile < TILES; tile++) {
                lower[i][tile] = q[tile][at * 8];
                upper[i][tile] = q[tile][at * 8 + 1];
            }
        }
#pragma unroll
        for (int i = 0; i < COUNT; i++) /* weights behind the end are 0 */
            for (int panel = 0; panel < PANELS; panel++)
                for (int tile = 0; tile < TILES; tile++)
                    multiply_tile(ahead.trits[i][panel], lower[i][tile], upper[i][tile],
                                  sums.at[panel][tile]);
        chunks.first += COUNT * chunks.step;
        load_ahead<PANELS, TILES>(from, chunks, ahead);
    }
}

/* -- by dot products of four bytes -------------------------------------------------------------*/

/* For a GPU whose tensor cores have no such mma. A lane sums for two rows and all columns over its
 * part of K; then the four lanes of a row are added. */
template <int PANELS>
static __device__ inline void multiply_dot(const gemv_source<PANELS> &from, gemv_chunks chunks,
                                           gemv_sums<PANELS, 1> &sums) {
    int32_t all[PANELS][2][TILE_COLUMNS] = {};
    for (int chunk = chunks.first; chunk < chunks.end; chunk += chunks.step) {
        uint4 trits[PANELS];
        for (int panel = 0; panel < PANELS; panel++)
            trits[panel] = __ldg(from.trits[panel] + chunk * 32);
#pragma unroll
        for (int column = 0; column < TILE_COLUMNS; column++) {
            if (column >= from.columns)
                break;
            const uint4 *q = (const uint4 *)(from.q + column * from.q_stride) + chunk * 8;
            const uint4 parts[2] = {q[0], q[1]};
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

/* -- a block -----------------------------------------------------------------------------------*/

/* Sums of a warp in shared memory: (PANELS, columns, STRIDE). */
template <int PANELS, int TILES>
static __device__ inline void store_sums(const gemv_sums<PANELS, TILES> &sums, int32_t *shared) {
    const int row = threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
    for (int panel = 0; panel < PANELS; panel++)
        for (int tile = 0; tile < TILES; tile++)
            for (int i = 0; i < 4; i++)
                shared[((panel * TILES + tile) * TILE_COLUMNS + column + i % 2) * STRIDE + row +
                       8 * (i / 2)] = sums.at[panel][tile][i];
}

/* The element of the result that a thread ends with. */
struct gemv_element {
    int row, column; /* of the block's */
    int64_t m, n;
    bool exists;
};

/* A kernel's choices: panels of W (2: the gated parts), tiles of columns, how it multiplies, block
 * scales, and whether it quantises the one row of activations. */
template <int PANELS_, int TILES_, bool HAS_TENSOR_, bool HAS_BLOCKS_, bool HAS_ROW_>
struct gemv_choice {
    static constexpr int PANELS = PANELS_, TILES = TILES_, COLUMNS = TILES * TILE_COLUMNS;
    static constexpr bool HAS_TENSOR = HAS_TENSOR_, HAS_BLOCKS = HAS_BLOCKS_, HAS_ROW = HAS_ROW_;
    static constexpr int SUMS = PANELS * COLUMNS * STRIDE; /* of a warp, in shared memory */
    typedef gemv_source<PANELS> source;
    typedef gemv_ahead<PANELS, TILES> weights_ahead;
};

template <typename C>
static __device__ inline void multiply(const typename C::source &from, gemv_chunks chunks,
                                       typename C::weights_ahead &ahead, int32_t *shared) {
    gemv_sums<C::PANELS, C::TILES> sums = {};
    if constexpr (C::HAS_TENSOR)
        multiply_tensor<C::PANELS, C::TILES>(from, chunks, ahead, sums);
    else
        multiply_dot<C::PANELS>(from, chunks, sums);
    store_sums<C::PANELS, C::TILES>(sums, shared);
}

/* y: all warps' sums. */
template <typename C>
static __device__ inline void collect(const gemv_element &mine, const int32_t *shared,
                                      float y[C::PANELS]) {
    for (int panel = 0; panel < C::PANELS; panel++) {
        int32_t sum = 0;
        for (int warp = 0; warp < WARPS; warp++)
            sum += shared[warp * C::SUMS + (panel * C::COLUMNS + mine.column) * STRIDE + mine.row];
        y[panel] = float_of_sum(sum);
    }
}

/* y: the chain over blocks of 256 columns. Eight blocks at once, a warp each. */
template <typename C>
static __device__ inline void
multiply_blocks(const ternary_product &p, int part, const typename C::source &from,
                const gemv_element &mine, int32_t *shared, float y[C::PANELS]) {
    const int blocks = p.chunks / 2, warp = (int)threadIdx.x / 32;
    for (int block = 0; block < blocks; block += WARPS) {
        const int count = min(blocks - block, (int)WARPS);
        const gemv_chunks chunks = {2 * (block + warp), 1, 2 * (block + warp) + 2};
        if (warp < count) {
            typename C::weights_ahead ahead;
            if constexpr (C::HAS_TENSOR)
                load_ahead<C::PANELS, C::TILES>(from, chunks, ahead);
            multiply<C>(from, chunks, ahead, shared + warp * C::SUMS);
        }
        __syncthreads();
        for (int i = 0; mine.exists && i < count; i++)
            for (int panel = 0; panel < C::PANELS; panel++) {
                const ternary_weight &w = p.parts[part + panel].weight;
                const float scale =
                    w.block_scales[(int64_t)(block + i) * w.panels * TERNARY_PANEL + mine.m];
                const int32_t sum =
                    shared[i * C::SUMS + (panel * C::COLUMNS + mine.column) * STRIDE + mine.row];
                y[panel] = fmaf(float_of_sum(sum), scale, y[panel]);
            }
        __syncthreads();
    }
}

template <typename C>
static __device__ inline typename C::source
source_of(const ternary_product &p, const ternary_place &place, int64_t first_column) {
    const int lane = (int)threadIdx.x % 32;
    typename C::source from;
    for (int i = 0; i < C::PANELS; i++)
        from.trits[i] =
            p.parts[place.part + i].weight.tiles + (int64_t)place.panel * p.chunks * 32 + lane;
    from.q_stride = (int64_t)p.chunks * TERNARY_CHUNK;
    from.q = p.q + first_column * from.q_stride + lane % 4 * 32;
    from.columns = (int)min(p.n - first_column, (int64_t)C::COLUMNS);
    return from;
}

/* A block: one panel of a part, or of both gated parts. */
template <typename C> static __global__ void __launch_bounds__(THREADS) gemv(gemv_call call) {
    TERN_DYNAMIC_SHARED(int32_t, shared); /* (WARPS, SUMS); the row while it is quantised */
    const ternary_product &p = call.product;
    const ternary_place place = place_of(p, (int)blockIdx.x, 1);
    const int64_t first_column = (int64_t)blockIdx.y * C::COLUMNS;
    const int warp = (int)threadIdx.x / 32, thread = (int)threadIdx.x;
    typename C::source from = source_of<C>(p, place, first_column);
    typename C::weights_ahead ahead;
    const gemv_chunks chunks = {warp, WARPS, p.chunks};
    if constexpr (C::HAS_TENSOR && !C::HAS_BLOCKS)
        load_ahead<C::PANELS, C::TILES>(from, chunks, ahead);
    float s = 0;
    if constexpr (C::HAS_ROW) {
        int8_t *q = (int8_t *)shared + call.q_offset;
        s = quantize_row<THREADS, true>(call.rows, 0, (float *)shared, q);
        from.q = q + thread % 4 * 32;
        __syncthreads();
    }
    const int row = thread % TERNARY_PANEL, column = thread / TERNARY_PANEL;
    const int64_t m = (int64_t)place.panel * TERNARY_PANEL + row, n = first_column + column;
    const bool exists = column < from.columns && m < p.parts[place.part].weight.rows;
    const gemv_element mine = {row, column, m, n, exists};
    float y[C::PANELS] = {};
    if constexpr (C::HAS_BLOCKS) {
        multiply_blocks<C>(p, place.part, from, mine, shared, y);
    } else {
        multiply<C>(from, chunks, ahead, shared + warp * C::SUMS);
        __syncthreads();
    }
    if (!exists)
        return;
    if constexpr (!C::HAS_BLOCKS)
        collect<C>(mine, shared, y);
    if constexpr (!C::HAS_ROW)
        s = p.s[n];
    for (int panel = 0; panel < C::PANELS; panel++)
        y[panel] *= factor_of(p.parts[place.part + panel].weight, s);
    const int64_t at = n * p.parts[place.part].weight.rows + m;
    if constexpr (C::PANELS == 2)
        finish_gated(p, at, y[0], y[1]);
    else
        finish(p, p.parts[place.part].out, at, y[0]);
}

/* -- launches ----------------------------------------------------------------------------------*/

typedef void (*gemv_kernel)(gemv_call);

template <int TILES, bool HAS_TENSOR, bool HAS_ROW>
static gemv_kernel kernel_of(const ternary_product *p) {
    const bool has_blocks = p->parts[0].weight.block_scales != nullptr;
    if (p->is_gated)
        return has_blocks ? gemv<gemv_choice<2, TILES, HAS_TENSOR, true, HAS_ROW>>
                          : gemv<gemv_choice<2, TILES, HAS_TENSOR, false, HAS_ROW>>;
    return has_blocks ? gemv<gemv_choice<1, TILES, HAS_TENSOR, true, HAS_ROW>>
                      : gemv<gemv_choice<1, TILES, HAS_TENSOR, false, HAS_ROW>>;
}

/* Of the sums in shared memory. */
static size_t sums_bytes(const ternary_product *p, int columns) {
    return sizeof(int32_t) * WARPS * STRIDE * (size_t)(columns * (p->is_gated ? 2 : 1));
}

tern_status cuda_ternary_gemv(cuda_device *d, const ternary_product *p) {
    const bool has_tensor = d->sm >= CUDA_TENSOR_SM, is_wide = has_tensor && p->n > TILE_COLUMNS;
    gemv_kernel kernel = !has_tensor ? kernel_of<1, false, false>(p)
                         : is_wide   ? kernel_of<2, true, false>(p)
                                     : kernel_of<1, true, false>(p);
    int columns = is_wide ? 2 * TILE_COLUMNS : TILE_COLUMNS;
    int64_t groups = all_groups(p, 1), across = (p->n + columns - 1) / columns;
    if (groups == 0)
        return TERN_OK;
    if (groups > INT32_MAX || across > GRID_MOST)
        return cuda_decline();
    gemv_call call = {*p, {}, 0};
    dim3 grid((unsigned)groups, (unsigned)across);
    return cuda_check(d,
                      TERN_LAUNCH(kernel, grid, THREADS, sums_bytes(p, columns), d->stream, call),
                      "ternary gemv");
}

/* Where the row's int8 begin, behind its floats and the sums, which have the same place. */
static size_t q_offset(const ternary_product *p) {
    size_t floats = (size_t)p->columns * sizeof(float), sums = sums_bytes(p, TILE_COLUMNS);
    return ((floats > sums ? floats : sums) + 15) / 16 * 16;
}

bool cuda_ternary_is_one_launch(const cuda_device *d, const ternary_product *p) {
    return p->n == 1 && d->sm >= CUDA_TENSOR_SM &&
           all_groups(p, 1) <= (int64_t)BLOCKS_OF_PROCESSOR * d->processors &&
           q_offset(p) + (size_t)p->chunks * TERNARY_CHUNK <= SHARED_MOST;
}

tern_status cuda_ternary_one_launch(cuda_device *d, const ternary_product *p,
                                    const ternary_activations *rows) {
    int64_t groups = all_groups(p, 1);
    if (groups == 0)
        return TERN_OK;
    gemv_call call = {*p, *rows, (int)q_offset(p)};
    size_t shared = q_offset(p) + (size_t)p->chunks * TERNARY_CHUNK;
    return cuda_check(d,
                      TERN_LAUNCH((kernel_of<1, true, true>(p)), (unsigned)groups, THREADS, shared,
                                  d->stream, call),
                      "ternary gemv of a row");
}
