/* SPDX-License-Identifier: MIT
 *
 * Matrix products of any strides. A block computes a tile of LINES x LINES elements, a thread EACH
 * x EACH of them in registers; STEPS steps of k at a time go through shared memory, the next ones
 * being read meanwhile. Steps behind K do not exist: fma(0, 0, c) would turn -0 into +0.
 *
 * Results with few rows or columns have a thread for each element instead. Not measured on a GPU.
 */
#include "device/cuda/product.h"
#include "device/cuda/widen.h"

enum {
    THREADS = 256,
    SIDE = 16,      /* threads along a side of a tile */
    STEPS = 8,      /* of k in shared memory */
    PLAIN_MAX = 16, /* rows or columns that are too few for tiles */
};

/* -- the arithmetic of the three types ---------------------------------------------------------*/

static __device__ __forceinline__ float step(float a, float b, float c) {
    return fmaf(a, b, c);
}

static __device__ __forceinline__ double step(double a, double b, double c) {
    return fma(a, b, c);
}

static __device__ __forceinline__ int32_t step(int32_t a, int32_t b, int32_t c) {
    return (int32_t)((uint32_t)c + (uint32_t)a * (uint32_t)b);
}

static __device__ __forceinline__ void write_at(const cuda_product &p, int64_t at, float sum) {
    if (p.out_dtype == TERN_F16)
        ((uint16_t *)p.out)[at] = tern__f16_from_f32(sum);
    else if (p.out_dtype == TERN_BF16)
        ((uint16_t *)p.out)[at] = tern__bf16_from_f32(sum);
    else
        ((float *)p.out)[at] = sum;
}

static __device__ __forceinline__ void write_at(const cuda_product &p, int64_t at, double sum) {
    ((double *)p.out)[at] = sum;
}

static __device__ __forceinline__ void write_at(const cuda_product &p, int64_t at, int32_t sum) {
    ((int32_t *)p.out)[at] = sum;
}

/* An element as what is computed in. */
template <typename element> static __device__ __forceinline__ float number_of(element x) {
    return cuda_widen(x);
}

static __device__ __forceinline__ double number_of(double x) {
    return x;
}

static __device__ __forceinline__ int32_t number_of(int8_t x) {
    return x;
}

/* -- reading -----------------------------------------------------------------------------------*/

/* What a thread reads of STEPS steps: its numbers lie `line_step` lines and `k_step` steps apart.
 */
typedef struct share {
    int64_t offset; /* of its first number, in elements */
    int64_t lines;  /* that there are from its first line on; <= 0: none */
    int line, k;    /* in the tile */
    int line_step, k_step;
} share;

/* Of a tile's lines: threads that follow one another read what does in memory. */
template <int LINES>
static __device__ share share_of(const cuda_matrices &m, int64_t begin, int64_t first,
                                 int64_t lines) {
    const int t = (int)threadIdx.x;
    bool is_along_k = m.k_stride == 1 || m.k_stride == -1;
    share s;
    s.line = is_along_k ? t / STEPS : t % LINES;
    s.k = is_along_k ? t % STEPS : t / LINES;
    s.line_step = is_along_k ? THREADS / STEPS : 0;
    s.k_step = is_along_k ? 0 : THREADS / LINES;
    s.lines = lines - first - s.line;
    s.offset = begin + (first + s.line) * m.stride + s.k * m.k_stride;
    return s;
}

/* Element `at` of a matrix of some type, as what is computed in. */
template <typename element> struct reader {
    const element *data;
    __device__ __forceinline__ auto operator()(int64_t at) const {
        return number_of(data[at]);
    }
};

struct q8_0_reader {
    const void *data;
    __device__ __forceinline__ float operator()(int64_t at) const {
        return cuda_q8_0_at(data, at);
    }
};

/* `depth`: steps that there are from the first one on. */
template <typename sum, typename from, int COUNT>
static __device__ __forceinline__ void fetch_by(const from &read, const cuda_matrices &m,
                                                const share &s, int64_t depth, sum (&to)[COUNT]) {
    int64_t apart = s.line_step * m.stride + s.k_step * m.k_stride;
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        bool is_there = i * s.line_step < s.lines && s.k + i * s.k_step < depth;
        to[i] = is_there ? read(s.offset + i * apart) : 0;
    }
}

template <int COUNT>
static __device__ __forceinline__ void fetch(const cuda_matrices &m, const share &s, int64_t depth,
                                             float (&to)[COUNT]) {
    if (m.dtype == TERN_F32)
        fetch_by(reader<float>{(const float *)m.data}, m, s, depth, to);
    else if (m.dtype == TERN_F16)
        fetch_by(reader<cuda_f16>{(const cuda_f16 *)m.data}, m, s, depth, to);
    else if (m.dtype == TERN_BF16)
        fetch_by(reader<cuda_bf16>{(const cuda_bf16 *)m.data}, m, s, depth, to);
    else
        fetch_by(q8_0_reader{m.data}, m, s, depth, to);
}

template <int COUNT>
static __device__ __forceinline__ void fetch(const cuda_matrices &m, const share &s, int64_t depth,
                                             double (&to)[COUNT]) {
    fetch_by(reader<double>{(const double *)m.data}, m, s, depth, to);
}

template <int COUNT>
static __device__ __forceinline__ void fetch(const cuda_matrices &m, const share &s, int64_t depth,
                                             int32_t (&to)[COUNT]) {
    fetch_by(reader<int8_t>{(const int8_t *)m.data}, m, s, depth, to);
}

/* -- an element for each thread ----------------------------------------------------------------*/

template <typename sum>
static __global__ void __launch_bounds__(THREADS) multiply_plain(cuda_product p) {
    int64_t index = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (index >= p.matrices * p.m * p.n)
        return;
    int64_t j = index % p.n, i = index / p.n % p.m;
    cuda_place at = cuda_place_of(p, index / p.n / p.m);
    share a = {at.a + i * p.a.stride, 1, 0, 0, 0, 1}, b = {at.b + j * p.b.stride, 1, 0, 0, 0, 1};
    sum chain = 0, x[STEPS], y[STEPS];
    for (int64_t k = 0; k < p.k; k += STEPS) {
        fetch(p.a, a, p.k - k, x);
        fetch(p.b, b, p.k - k, y);
        a.offset += STEPS * p.a.k_stride;
        b.offset += STEPS * p.b.k_stride;
#pragma unroll
        for (int s = 0; s < STEPS; s++)
            if (k + s < p.k)
                chain = step(x[s], y[s], chain);
    }
    write_at(p, at.out + i * p.out_i_stride + j * p.out_j_stride, chain);
}

/* -- tiles -------------------------------------------------------------------------------------*/

/* The lines of thread `t` of SIDE: groups of 4 that lie side by side. */
static __device__ __forceinline__ int line_of(int t, int i) {
    return i / 4 * (4 * SIDE) + 4 * t + i % 4;
}

template <typename sum> struct __align__(16) four {
    sum x[4];
};

template <typename sum, int EACH>
static __device__ __forceinline__ void take(const sum *steps, int t, sum (&to)[EACH]) {
#pragma unroll
    for (int i = 0; i < EACH; i += 4)
        *(four<sum> *)&to[i] = *(const four<sum> *)&steps[line_of(t, i)];
}

/* The place of a block in the result. */
typedef struct tile_place {
    cuda_place at;
    int64_t i, j;
} tile_place;

template <int LINES> static __device__ tile_place place_of_tile(const cuda_product &p) {
    int64_t row_tiles = (p.m + LINES - 1) / LINES, column_tiles = (p.n + LINES - 1) / LINES;
    int64_t tile = blockIdx.x / row_tiles;
    tile_place to;
    to.i = blockIdx.x % row_tiles * LINES;
    to.j = tile % column_tiles * LINES;
    to.at = cuda_place_of(p, tile / column_tiles);
    return to;
}

/* Continues the chains of a thread over `count` steps in shared memory. */
template <typename sum, int EACH, int PITCH>
static __device__ __forceinline__ void run_steps(const sum (&a)[STEPS][PITCH],
                                                 const sum (&b)[STEPS][PITCH], int64_t count,
                                                 sum (&c)[EACH][EACH]) {
    const int row = (int)threadIdx.x / SIDE, column = (int)threadIdx.x % SIDE;
    __align__(16) sum x[EACH], y[EACH];
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
        if (s >= count)
            break;
        take(a[s], row, x);
        take(b[s], column, y);
#pragma unroll
        for (int i = 0; i < EACH; i++)
#pragma unroll
            for (int j = 0; j < EACH; j++)
                c[i][j] = step(x[i], y[j], c[i][j]);
    }
}

template <typename sum, int EACH>
static __device__ __forceinline__ void write_tile(const cuda_product &p, const tile_place &to,
                                                  const sum (&c)[EACH][EACH]) {
    const int row = (int)threadIdx.x / SIDE, column = (int)threadIdx.x % SIDE;
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            int64_t at_i = to.i + line_of(row, i), at_j = to.j + line_of(column, j);
            if (at_i < p.m && at_j < p.n)
                write_at(p, to.at.out + at_i * p.out_i_stride + at_j * p.out_j_stride, c[i][j]);
        }
}

template <typename sum, int EACH>
static __global__ void __launch_bounds__(THREADS, 2) multiply_tiles(cuda_product p) {
    constexpr int LINES = SIDE * EACH, PITCH = LINES + 4, COUNT = LINES * STEPS / THREADS;
    __shared__ __align__(16) sum as[2][STEPS][PITCH], bs[2][STEPS][PITCH];
    const tile_place to = place_of_tile<LINES>(p);
    share a = share_of<LINES>(p.a, to.at.a, to.i, p.m);
    share b = share_of<LINES>(p.b, to.at.b, to.j, p.n);
    sum c[EACH][EACH] = {}, next_a[COUNT], next_b[COUNT];
    fetch(p.a, a, p.k, next_a);
    fetch(p.b, b, p.k, next_b);
    for (int64_t k = 0; k < p.k; k += STEPS) {
        const int half = (int)(k / STEPS % 2);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            as[half][a.k + i * a.k_step][a.line + i * a.line_step] = next_a[i];
            bs[half][b.k + i * b.k_step][b.line + i * b.line_step] = next_b[i];
        }
        __syncthreads();
        a.offset += STEPS * p.a.k_stride;
        b.offset += STEPS * p.b.k_stride;
        fetch(p.a, a, p.k - k - STEPS, next_a);
        fetch(p.b, b, p.k - k - STEPS, next_b);
        run_steps(as[half], bs[half], p.k - k, c);
    }
    write_tile(p, to, c);
}

/* -- the choice --------------------------------------------------------------------------------*/

static int64_t div_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit;
}

/* Blocks of tiles; as a float number, since it may not overflow. */
static double tiles_of(const cuda_product *p, int64_t lines) {
    return (double)p->matrices * (double)div_up(p->m, lines) * (double)div_up(p->n, lines);
}

template <typename sum, int EACH>
static tern_status run_tiles(cuda_device *d, const cuda_product *p) {
    double blocks = tiles_of(p, SIDE * EACH);
    if (blocks > INT32_MAX)
        return cuda_decline();
    return cuda_check(
        d, TERN_LAUNCH((multiply_tiles<sum, EACH>), (unsigned)blocks, THREADS, 0, d->stream, *p),
        "matmul");
}

template <typename sum> static tern_status run_plain(cuda_device *d, const cuda_product *p) {
    double blocks = (double)p->matrices * (double)p->m * (double)p->n / THREADS;
    if (blocks >= INT32_MAX)
        return cuda_decline();
    return cuda_check(d,
                      TERN_LAUNCH(multiply_plain<sum>,
                                  (unsigned)div_up(p->matrices * p->m * p->n, THREADS), THREADS, 0,
                                  d->stream, *p),
                      "matmul");
}

/* out^T = b^T a^T, which has the same chains: columns are rows then. */
static cuda_product transposed(const cuda_product *p) {
    cuda_product other = *p;
    other.a = p->b;
    other.b = p->a;
    other.m = p->n;
    other.n = p->m;
    other.out_i_stride = p->out_j_stride;
    other.out_j_stride = p->out_i_stride;
    return other;
}

tern_status cuda_multiply(cuda_device *d, const cuda_product *p) {
    bool is_done = false;
    cuda_product other = transposed(p);
    tern_status status = cuda_multiply_few(d, p, &is_done);
    if (!is_done)
        status = cuda_multiply_few(d, &other, &is_done);
    if (is_done)
        return status;
    const bool is_plain = p->m < PLAIN_MAX || p->n < PLAIN_MAX;
    /* Small tiles where large ones would leave processors without work. */
    const bool has_many = tiles_of(p, 8 * SIDE) >= 2 * d->processors;
    if (p->out_dtype == TERN_F64)
        return is_plain ? run_plain<double>(d, p) : run_tiles<double, 4>(d, p);
    if (p->out_dtype == TERN_I32 && cuda_fits_i8(d, p))
        return cuda_multiply_i8(d, p);
    if (p->out_dtype == TERN_I32)
        return is_plain ? run_plain<int32_t>(d, p) : run_tiles<int32_t, 4>(d, p);
    if (is_plain)
        return run_plain<float>(d, p);
    return has_many ? run_tiles<float, 8>(d, p) : run_tiles<float, 4>(d, p);
}
