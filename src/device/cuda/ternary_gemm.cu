/* SPDX-License-Identifier: MIT
 *
 * Ternary products with many rows of activations, on tensor cores. A block makes 128 rows of W (8
 * panels; when gated, 4 of each matrix) by 64 or 128 columns of y. Its eight warps lie 4 by 2 over
 * that: a warp has two panels and half of the columns. Chunk by chunk of 128 columns of W the
 * activations come through shared memory, two buffers filled by asynchronous copies; weights go
 * from memory straight into registers, one chunk ahead, and are unpacked there.
 *
 * By design, not measured: a chunk of 128 columns of y is 64 mma, 16 loads of 16 bytes from shared
 * memory and 56 instructions of unpacking for a warp, so that the tensor cores have the most to do
 * (at about 2 cycles of a processor for an mma, 1024 cycles a chunk; shared memory 512). Rows of
 * activations lie 144 bytes apart: the eight lanes that load together then touch all banks.
 */
#include "device/cuda/ternary_cuda.h"

enum {
    WARPS = 8,
    THREADS = 32 * WARPS,
    WARPS_DOWN = 4, /* over rows of W */
    PANELS = 2,     /* of a warp */
    BLOCK_PANELS = WARPS_DOWN * PANELS,
    TILE_COLUMNS = 8,
    Q_STRIDE = TERNARY_CHUNK + 16, /* bytes between rows of activations in shared memory */
    GRID_MOST = 65535,
};

/* What a warp multiplies: its panels, each of its own part or two of one. */
struct gemm_panels {
    const uint4 *trits[PANELS];  /* the lane's words of the panel's first tile */
    const float *scales[PANELS]; /* of the lane's first row, where there are block scales */
    int64_t scale_stride[PANELS];
    int64_t row[PANELS]; /* the panel's first; may lie behind the last one */
    int part[PANELS];
};

static __device__ inline gemm_panels panels_of(const ternary_product &p, int warp_down, int lane) {
    gemm_panels own = {};
    const int group = p.is_gated ? WARPS_DOWN : (int)BLOCK_PANELS;
    const ternary_place place = place_of(p, (int)blockIdx.x, group);
    for (int i = 0; i < PANELS; i++) {
        int panel = place.panel + (p.is_gated ? warp_down : PANELS * warp_down + i);
        own.part[i] = p.is_gated ? i : place.part;
        own.row[i] = (int64_t)panel * TERNARY_PANEL;
        const ternary_weight &w = p.parts[own.part[i]].weight;
        panel = min(panel, w.panels - 1); /* behind the last one: read, but not stored */
        own.trits[i] = w.tiles + (int64_t)panel * p.chunks * 32 + lane;
        if (w.block_scales != nullptr)
            own.scales[i] = w.block_scales + (int64_t)panel * TERNARY_PANEL + lane / 4;
        own.scale_stride[i] = (int64_t)w.panels * TERNARY_PANEL;
    }
    return own;
}

/* Asks for a chunk of `columns` rows of activations; those behind the last one repeat it. */
static __device__ inline void stage(const ternary_product &p, int64_t first, int columns, int chunk,
                                    uint8_t *to) {
    constexpr int PIECES = TERNARY_CHUNK / 16;
    for (int i = (int)threadIdx.x; i < columns * PIECES; i += THREADS) {
        const int64_t n = min(first + i / PIECES, p.n - 1);
        tern_copy_async16(to + i / PIECES * Q_STRIDE + i % PIECES * 16,
                          p.q + (n * p.chunks + chunk) * TERNARY_CHUNK + i % PIECES * 16);
    }
    tern_copy_commit();
}

/* sums += a chunk; `q`: the warp's first row of activations in shared memory. */
template <int TILES>
static __device__ inline void multiply_chunk(const uint4 trits[PANELS], const uint8_t *q, int lane,
                                             int32_t sums[PANELS][TILES][4]) {
    q += lane / 4 * Q_STRIDE + lane % 4 * 32;
#pragma unroll
    for (int half = 0; half < 2; half++) { /* two of the four steps of 32 columns */
        uint32_t a[PANELS][2][4];
        for (int panel = 0; panel < PANELS; panel++)
            for (int i = 0; i < 8; i++)
                a[panel][i / 4][i % 4] = trits_of(word_of(trits[panel], i % 4), 2 * half + i / 4);
#pragma unroll
        for (int tile = 0; tile < TILES; tile++) {
            const uint4 four = *(const uint4 *)(q + tile * TILE_COLUMNS * Q_STRIDE + half * 16);
            const uint32_t b[2][2] = {{four.x, four.y}, {four.z, four.w}};
            for (int panel = 0; panel < PANELS; panel++)
                for (int step = 0; step < 2; step++)
                    tern_mma_s8(sums[panel][tile], a[panel][step], b[step]);
        }
    }
}

/* The end of a block of 256 columns: sums into the chains, and zero again. */
template <int TILES>
static __device__ inline void close_block(const gemm_panels &own, int block,
                                          int32_t sums[PANELS][TILES][4],
                                          float y[PANELS][TILES][4]) {
    for (int panel = 0; panel < PANELS; panel++) {
        const float *scales = own.scales[panel] + block * own.scale_stride[panel];
        const float scale[2] = {scales[0], scales[8]};
        for (int tile = 0; tile < TILES; tile++)
            for (int i = 0; i < 4; i++) {
                y[panel][tile][i] =
                    fmaf(float_of_sum(sums[panel][tile][i]), scale[i / 2], y[panel][tile][i]);
                sums[panel][tile][i] = 0;
            }
    }
}

/* y[panel][i] of the lane's rows and columns of a tile, i as mma numbers them; n: its first column.
 */
static __device__ inline void finish_tile(const ternary_product &p, const gemm_panels &own,
                                          int lane, int64_t n, const float y[PANELS][4]) {
    const int64_t rows = p.parts[own.part[0]].weight.rows;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        if (n + i >= p.n)
            return;
        const float s = p.s[n + i];
        const float factor[PANELS] = {factor_of(p.parts[own.part[0]].weight, s),
                                      factor_of(p.parts[own.part[1]].weight, s)};
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = lane / 4 + 8 * half;
            const float pair[PANELS] = {y[0][2 * half + i] * factor[0],
                                        y[1][2 * half + i] * factor[1]};
            const int64_t at = (n + i) * rows + row;
            if (p.is_gated && own.row[0] + row < rows)
                finish_gated(p, at + own.row[0], pair[0], pair[1]);
            for (int panel = 0; !p.is_gated && panel < PANELS; panel++)
                if (own.row[panel] + row < rows)
                    finish(p, p.parts[own.part[0]].out, at + own.row[panel], pair[panel]);
        }
    }
}

/* TILES: tiles of 8 columns of a warp; the block has twice as many. */
template <int TILES, bool HAS_BLOCKS>
static __global__ void __launch_bounds__(THREADS) gemm(ternary_product p) {
    constexpr int COLUMNS = 2 * TILES * TILE_COLUMNS;
    __shared__ __align__(16) uint8_t shared[2][COLUMNS * Q_STRIDE];
    const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    const int64_t first = (int64_t)blockIdx.y * COLUMNS;
    const int warp_column = warp / WARPS_DOWN * TILES * TILE_COLUMNS;
    const gemm_panels own = panels_of(p, warp % WARPS_DOWN, lane);
    int32_t sums[PANELS][TILES][4] = {};
    float y[PANELS][HAS_BLOCKS ? TILES : 1][4] = {};
    uint4 next[PANELS] = {};
    if (p.chunks > 0)
        stage(p, first, COLUMNS, 0, shared[0]);
    for (int i = 0; p.chunks > 0 && i < PANELS; i++)
        next[i] = __ldg(own.trits[i]);
    for (int chunk = 0; chunk < p.chunks; chunk++) {
        const uint4 trits[PANELS] = {next[0], next[1]};
        if (chunk + 1 < p.chunks) {
            stage(p, first, COLUMNS, chunk + 1, shared[(chunk + 1) % 2]);
            for (int i = 0; i < PANELS; i++)
                next[i] = __ldg(own.trits[i] + (chunk + 1) * 32);
            tern_copy_wait<1>();
        } else {
            tern_copy_wait<0>();
        }
        __syncthreads();
        multiply_chunk<TILES>(trits, shared[chunk % 2] + warp_column * Q_STRIDE, lane, sums);
        __syncthreads(); /* the buffer may be filled again */
        if constexpr (HAS_BLOCKS)
            if (chunk % 2 != 0)
                close_block<TILES>(own, chunk / 2, sums, y);
    }
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
        float pair[PANELS][4];
        for (int panel = 0; panel < PANELS; panel++)
            for (int i = 0; i < 4; i++)
                pair[panel][i] = HAS_BLOCKS ? y[panel][HAS_BLOCKS ? tile : 0][i]
                                            : float_of_sum(sums[panel][tile][i]);
        const int64_t n = first + warp_column + tile * TILE_COLUMNS + lane % 4 * 2;
        finish_tile(p, own, lane, n, pair);
    }
}

/* The wide blocks do more for each load, the others fill the card sooner. */
tern_status cuda_ternary_gemm(cuda_device *d, const ternary_product *p) {
    enum { NARROW = 64, WIDE = 128 };
    bool has_blocks = p->parts[0].weight.block_scales != NULL;
    int64_t groups = all_groups(p, p->is_gated ? (int)WARPS_DOWN : (int)BLOCK_PANELS);
    bool is_wide =
        !has_blocks && p->n > NARROW && groups * ((p->n + WIDE - 1) / WIDE) >= d->processors;
    int64_t across = is_wide ? (p->n + WIDE - 1) / WIDE : (p->n + NARROW - 1) / NARROW;
    if (groups == 0)
        return TERN_OK;
    if (groups > INT32_MAX || across > GRID_MOST)
        return cuda_decline();
    void (*kernel)(ternary_product) = has_blocks ? gemm<4, true>
                                      : is_wide  ? gemm<8, false>
                                                 : gemm<4, false>;
    dim3 grid((unsigned)groups, (unsigned)across);
    return cuda_check(d, TERN_LAUNCH(kernel, grid, THREADS, 0, d->stream, *p), "ternary gemm");
}

/* With few columns a block of 128 rows leaves most of the card idle; the other kernel cuts K. */
tern_status cuda_ternary_multiply(cuda_device *d, const ternary_product *p) {
    enum { FEW = 16, SOME = 64 };
    int64_t blocks = all_groups(p, p->is_gated ? (int)WARPS_DOWN : (int)BLOCK_PANELS);
    bool is_gemv =
        d->sm < CUDA_TENSOR_SM || p->n <= FEW || (p->n <= SOME && 2 * blocks < d->processors);
    return is_gemv ? cuda_ternary_gemv(d, p) : cuda_ternary_gemm(d, p);
}
