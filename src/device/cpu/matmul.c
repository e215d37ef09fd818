/* SPDX-License-Identifier: MIT
 *
 * The driver of the families `gemm*`. The result is cut into pieces for the threads. A piece goes
 * over blocks of columns and, inside a block, over K in depths: a block of b is packed into panels
 * that come from the second- and third-level caches, then strips of a, which stay in the first, run
 * against all panels. Every element's chain goes over k in order, carried through the result
 * between depths, so that no cut changes a bit. Threads share nothing: each packs what its pieces
 * need.
 *
 * Short ways: few rows run against one panel at a time while it is in the first-level cache, or
 * against b itself where its rows are contiguous; a few columns become rows, by transposing all.
 */
#include "device/cpu/matmul.h"

#include <stdatomic.h>

#include "base/checked.h"
#include "base/status.h"
#include "tensor/dtype.h"

enum {
    LINE_BYTES = 2048,       /* of a line of a strip, at most: 512 floats */
    LINE_GAP = 64,           /* bytes between the lines of a strip, against cache conflicts */
    NARROW_BYTES = 16 << 10, /* a panel that is used at once: a third of a first-level cache */
    IN_PLACE_ROWS = 2,       /* with more of them, packing b pays */
    DEPTH_IN_PLACE = 64,     /* rows of b that are read in turns: a page each */
    GEMV_PIECES = 8,         /* of a thread, where the work is cut by columns alone */
    PIECE_WORK = 4 * TERN__CPU_GRAIN, /* multiply-adds that are worth another thread */
};

/* A lane's scratch: a strip, F32 copies of what has another type, then panels. */
enum {
    STRIP_BYTES = 64 << 10,
    WIDE_BYTES = 192 << 10,
    BLOCK_BYTES = 2 << 20,
};
_Static_assert(STRIP_BYTES + WIDE_BYTES + BLOCK_BYTES <= TERN__LANE_SCRATCH, "they fit");
_Static_assert(STRIP_BYTES >= TERN__GEMM_ROWS_MAX * (LINE_BYTES + LINE_GAP), "a strip fits");
_Static_assert(WIDE_BYTES >= TERN__GEMM_PANEL_MAX * LINE_BYTES / 2 * 4, "a widened panel fits");
_Static_assert(BLOCK_BYTES >= 2 * TERN__GEMM_PANEL_MAX * LINE_BYTES, "a panel fits");

typedef struct job {
    const tern__cpu_device *cpu;
    const tern__gemm_kernel *kernel;
    tern__product p;
    tern_dtype unit;      /* the type that the kernel packs */
    int out_size;         /* bytes of an element */
    int64_t depth;        /* K elements packed at once, a multiple of 32 */
    int64_t block;        /* columns packed at once, whole panels */
    int64_t tile_rows;    /* of a piece, whole strips */
    int64_t tile_columns; /* of a piece, whole panels */
    int64_t row_tiles, column_tiles;
    bool reads_a, reads_b; /* in place; of b the panels that are full */
    _Atomic int64_t packed_bytes;
} job;

/* One piece: rows [i_begin, i_end) x columns [j_begin, j_end) of one matrix of the batch. */
typedef struct piece {
    const job *job;
    const uint8_t *a, *b;
    uint8_t *out;
    int64_t i_begin, i_end, j_begin, j_end;
    uint8_t *strip, *wide, *panels;
    int64_t packed_bytes;
} piece;

/* -- packing -----------------------------------------------------------------------------------*/

static int64_t byte_offset(tern_dtype dtype, int64_t elements) {
    const tern__dtype_info *info = tern__dtype(dtype);
    return elements / info->block_elements * info->block_bytes;
}

/* `lines` rows of a or columns of b, depth elements each, to F32. */
static void widen_lines(const piece *w, const tern__operand *x, const uint8_t *from, int64_t lines,
                        int64_t depth) {
    for (int64_t line = 0; line < lines; line++)
        tern__cpu_widen(w->job->cpu, x->dtype, from + byte_offset(x->dtype, line * x->stride),
                        x->k_stride, (float *)(void *)w->wide + line * depth, depth);
}

static int64_t panel_bytes(const tern__gemm_kernel *kernel, int64_t depth) {
    return tern__round_up_i64(
        tern__gemm_padded(kernel, depth) * kernel->panel * kernel->b_size + kernel->b_tail, 64);
}

static void pack_panel(piece *w, int64_t j, int columns, int64_t k, int64_t depth, uint8_t *panel) {
    const job *o = w->job;
    const tern__operand *b = &o->p.b;
    const uint8_t *from = w->b + byte_offset(b->dtype, j * b->stride + k * b->k_stride);
    if (b->dtype == o->unit) {
        o->kernel->pack_b(from, b->k_stride, b->stride, depth, columns, panel);
    } else if (b->dtype == TERN_F16 && o->kernel->pack_b_f16 != NULL) {
        o->kernel->pack_b_f16((const void *)from, b->k_stride, b->stride, depth, columns,
                              (void *)panel);
    } else {
        widen_lines(w, b, from, columns, depth);
        o->kernel->pack_b(w->wide, 1, depth, depth, columns, panel);
    }
    w->packed_bytes += tern__gemm_padded(o->kernel, depth) * o->kernel->panel * o->kernel->b_size;
}

/* Rows of a as the tile wants them: in place, or in the strip, k-major where a is. */
static void take_rows(piece *w, int64_t i, int rows, int64_t k, int64_t depth,
                      tern__gemm_tile *tile) {
    const job *o = w->job;
    const tern__operand *a = &o->p.a;
    const uint8_t *from = w->a + byte_offset(a->dtype, i * a->stride + k * a->k_stride);
    if (o->reads_a) {
        tile->a = from;
        tile->a_stride = a->stride;
        tile->a_k_stride = a->k_stride;
        return;
    }
    int64_t padded = tern__gemm_padded(o->kernel, depth);
    bool is_k_major = a->dtype == o->unit && a->stride == 1 && o->kernel->k_unit == 1;
    tile->a = w->strip;
    tile->a_stride = is_k_major ? 1 : padded + LINE_GAP / o->kernel->a_size;
    tile->a_k_stride = is_k_major ? o->kernel->rows : 1;
    if (is_k_major) {
        o->kernel->pack_a(from, a->k_stride, 1, depth, rows, w->strip, o->kernel->rows);
    } else if (a->dtype == o->unit) {
        o->kernel->pack_a(from, a->stride, a->k_stride, rows, depth, w->strip, tile->a_stride);
    } else {
        widen_lines(w, a, from, rows, depth);
        o->kernel->pack_a(w->wide, depth, 1, rows, depth, w->strip, tile->a_stride);
    }
    w->packed_bytes += padded * rows * o->kernel->a_size;
}

/* -- one piece ---------------------------------------------------------------------------------*/

static bool is_in_place(const job *o, int columns) {
    return o->reads_b && columns == o->kernel->panel;
}

static int panel_columns(const job *o, int64_t j, int64_t j_end) {
    return (int)tern__min_i64(o->kernel->panel, j_end - j);
}

/* Asks for a part of the strip that comes next, so that packing it need not wait for memory. (gcc
 * would take a call of a function that only prefetches for one without effect.) */
static inline __attribute__((always_inline)) void
prefetch_rows(const piece *w, int64_t i, int64_t k, int64_t depth, int64_t part, int64_t parts) {
    const tern__operand *a = &w->job->p.a;
    int64_t rows = tern__min_i64(w->job->kernel->rows, w->i_end - i);
    if (w->job->reads_a || rows <= 0)
        return;
    bool is_k_major = a->stride == 1;
    int64_t lines = is_k_major ? depth : rows, length = is_k_major ? rows : depth;
    int64_t bytes = is_k_major || a->k_stride == 1 ? byte_offset(a->dtype, length) : 0;
    for (int64_t line = part * lines / parts; line < (part + 1) * lines / parts; line++) {
        int64_t at =
            is_k_major ? i + (k + line) * a->k_stride : (i + line) * a->stride + k * a->k_stride;
        const uint8_t *from = w->a + byte_offset(a->dtype, at);
        for (int64_t x = 0; x < bytes; x += 64)
            __builtin_prefetch(from + x, 0, 2);
    }
}

static void run_panels(const piece *w, int64_t i, int64_t j_begin, int64_t j_end, int64_t k,
                       tern__gemm_tile *tile) {
    const job *o = w->job;
    const tern__operand *b = &o->p.b;
    const uint8_t *panel = w->panels;
    int64_t step = panel_bytes(o->kernel, tile->depth);
    int64_t panels = (j_end - j_begin + o->kernel->panel - 1) / o->kernel->panel;
    for (int64_t j = j_begin; j < j_end; j += o->kernel->panel) {
        tile->columns = panel_columns(o, j, j_end);
        tile->out = w->out + (i * o->p.out_i_stride + j * o->p.out_j_stride) * o->out_size;
        if (is_in_place(o, tile->columns)) {
            tile->b = w->b + byte_offset(b->dtype, j + k * b->k_stride);
            tile->b_k_stride = b->k_stride;
        } else {
            tile->b = panel;
            tile->b_k_stride = o->kernel->panel;
            panel += step;
        }
        o->kernel->run(tile);
        prefetch_rows(w, i + o->kernel->rows, k, tile->depth, (j - j_begin) / o->kernel->panel,
                      panels);
    }
}

static void run_block(piece *w, int64_t j_begin, int64_t j_end, int64_t k, int64_t depth) {
    const job *o = w->job;
    uint8_t *panel = w->panels;
    for (int64_t j = j_begin; j < j_end; j += o->kernel->panel) {
        int columns = panel_columns(o, j, j_end);
        if (is_in_place(o, columns))
            continue;
        pack_panel(w, j, columns, k, depth, panel);
        panel += panel_bytes(o->kernel, depth);
    }
    tern__gemm_tile tile = {
        .depth = depth,
        .out_stride = o->p.out_i_stride,
        .out_j_stride = o->p.out_j_stride,
        .is_first = k == 0 && !o->p.accumulates,
    };
    for (int64_t i = w->i_begin; i < w->i_end; i += o->kernel->rows) {
        tile.rows = (int)tern__min_i64(o->kernel->rows, w->i_end - i);
        take_rows(w, i, tile.rows, k, depth, &tile);
        run_panels(w, i, j_begin, j_end, k, &tile);
    }
}

static void run_piece(piece *w) {
    const job *o = w->job;
    for (int64_t j = w->j_begin; j < w->j_end; j += o->block) {
        int64_t j_end = tern__min_i64(j + o->block, w->j_end), k = 0;
        do {
            int64_t depth = tern__min_i64(o->depth, o->p.k - k);
            run_block(w, j, j_end, k, depth);
            k += depth;
        } while (k < o->p.k);
    }
}

/* Moves the piece to matrix `index` of the batch. */
static void seek_matrix(piece *w, int64_t index) {
    const tern__product *p = &w->job->p;
    int64_t a = 0, b = 0, out = 0;
    for (int axis = p->batch_rank - 1; axis >= 0; axis--) {
        int64_t at = index % p->batch_dims[axis];
        index /= p->batch_dims[axis];
        a += at * p->a.batch_strides[axis];
        b += at * p->b.batch_strides[axis];
        out += at * p->out_batch_strides[axis];
    }
    w->a = (const uint8_t *)p->a.data + byte_offset(p->a.dtype, a);
    w->b = (const uint8_t *)p->b.data + byte_offset(p->b.dtype, b);
    w->out = (uint8_t *)p->out + out * w->job->out_size;
}

/* Index = (matrix * column tiles + column tile) * row tiles + row tile. */
static void do_pieces(void *argument, int64_t begin, int64_t end, int lane) {
    job *o = argument;
    uint8_t *scratch = tern__lane_scratch(o->cpu, lane);
    piece w = {.job = o,
               .strip = scratch,
               .wide = scratch + STRIP_BYTES,
               .panels = scratch + STRIP_BYTES + WIDE_BYTES};
    for (int64_t index = begin; index < end; index++) {
        int64_t tile = index / o->row_tiles;
        seek_matrix(&w, tile / o->column_tiles);
        w.i_begin = index % o->row_tiles * o->tile_rows;
        w.i_end = tern__min_i64(w.i_begin + o->tile_rows, o->p.m);
        w.j_begin = tile % o->column_tiles * o->tile_columns;
        w.j_end = tern__min_i64(w.j_begin + o->tile_columns, o->p.n);
        run_piece(&w);
    }
    atomic_fetch_add_explicit(&o->packed_bytes, w.packed_bytes, memory_order_relaxed);
}

/* -- the plan ----------------------------------------------------------------------------------*/

/* Axes of length 1 go; an axis along which b repeats and a and out go on becomes more rows. */
static void merge_batch(tern__product *p) {
    int kept = 0;
    for (int axis = 0; axis < p->batch_rank; axis++) {
        if (p->batch_dims[axis] == 1)
            continue;
        p->batch_dims[kept] = p->batch_dims[axis];
        p->a.batch_strides[kept] = p->a.batch_strides[axis];
        p->b.batch_strides[kept] = p->b.batch_strides[axis];
        p->out_batch_strides[kept++] = p->out_batch_strides[axis];
    }
    for (; kept > 0; kept--) {
        int last = kept - 1;
        int64_t a = p->a.batch_strides[last], out = p->out_batch_strides[last];
        if (p->m == 1) {
            p->a.stride = a;
            p->out_i_stride = out;
        }
        if (p->b.batch_strides[last] != 0 || a != p->m * p->a.stride ||
            out != p->m * p->out_i_stride)
            break;
        p->m *= p->batch_dims[last];
    }
    p->batch_rank = kept;
}

/* out^T = b^T a^T, which has the same chains: columns are rows then. */
static void transpose_product(tern__product *p) {
    tern__operand a = p->a;
    p->a = p->b;
    p->b = a;
    int64_t m = p->m, stride = p->out_i_stride;
    p->m = p->n;
    p->n = m;
    p->out_i_stride = p->out_j_stride;
    p->out_j_stride = stride;
}

/* Kernels store rows of contiguous columns best, and compute whole panels. */
static bool is_better_transposed(const tern__product *p, int panel) {
    if (p->out_j_stride != 1 && p->n > 1)
        return p->out_i_stride == 1 && p->m > 1;
    return p->n <= panel / 2 && p->m > p->n;
}

static bool is_float(tern_dtype dtype) {
    return dtype == TERN_F32 || dtype == TERN_F16 || dtype == TERN_BF16 || dtype == TERN_Q8_0;
}

static tern_status choose_kernel(job *o) {
    const tern__cpu_device *cpu = o->cpu;
    tern_dtype a = o->p.a.dtype, b = o->p.b.dtype;
    o->unit = TERN_F32;
    o->out_size = sizeof(float);
    if (is_float(a) && is_float(b)) {
        o->kernel = o->p.is_bf16 ? cpu->gemm_bf16 : cpu->gemm;
    } else if (a == TERN_F64 && b == TERN_F64 && !o->p.is_bf16) {
        o->kernel = cpu->gemm_f64;
        o->unit = TERN_F64;
        o->out_size = sizeof(double);
    } else if (a == TERN_I8 && b == TERN_I8 && !o->p.is_bf16) {
        o->kernel = cpu->gemm_i8;
        o->unit = TERN_I8;
    } else {
        return tern__fail(TERN_E_DTYPE, "matmul: no product of %s and %s%s", tern_dtype_name(a),
                          tern_dtype_name(b), o->p.is_bf16 ? " in bf16" : "");
    }
    if (o->kernel->variant.needs == 0 && o->p.is_bf16)
        return tern__fail(TERN_E_UNSUPPORTED, "matmul: this processor has no unit for bf16");
    return TERN_OK;
}

/* How much is packed at once. */
static void plan_blocks(job *o) {
    const tern__gemm_kernel *kernel = o->kernel;
    const tern__cpu_info *cpu = tern__cpu();
    const tern__product *p = &o->p;
    bool takes_plain = kernel->k_unit == 1;
    o->reads_b = takes_plain && p->m <= IN_PLACE_ROWS && p->b.dtype == o->unit && p->b.stride == 1;
    o->block = kernel->panel;
    if (o->reads_b) {
        o->depth = DEPTH_IN_PLACE;
        o->block = tern__round_up_i64(tern__max_i64(p->n, 1), kernel->panel);
    } else if (p->m <= 2 * kernel->rows) {
        o->depth = NARROW_BYTES / kernel->panel / kernel->b_size / 32 * 32;
    } else {
        int64_t first = cpu->cache_l1d > 0 ? cpu->cache_l1d : 32 << 10;
        int64_t second = cpu->cache_l2 > 0 ? cpu->cache_l2 : 512 << 10;
        int64_t line = tern__min_i64(first / 4 * 3 / kernel->rows, LINE_BYTES);
        o->depth = tern__max_i64(line / kernel->a_size / 32, 1) * 32;
        int64_t bytes = tern__min_i64(2 * second, BLOCK_BYTES);
        int64_t panels = bytes / panel_bytes(kernel, o->depth);
        o->block = tern__max_i64(panels, 1) * kernel->panel;
    }
    o->reads_a = takes_plain && p->a.dtype == o->unit && p->n <= 4 * kernel->panel;
}

/* Multiply-adds of a piece; as a float number, since it may not overflow. */
static double piece_work(const job *o) {
    return (double)tern__min_i64(o->tile_rows, o->p.m) *
           (double)tern__min_i64(o->tile_columns, o->p.n) * (double)tern__max_i64(o->p.k, 1);
}

/* Pieces for one call of a thread. */
static int64_t grain(double work) {
    return work >= PIECE_WORK ? 1 : (int64_t)(PIECE_WORK / work);
}

/* Cuts the result until there are enough pieces for the threads, each worth a call. */
static void plan_pieces(job *o, int64_t matrices) {
    const tern__gemm_kernel *kernel = o->kernel;
    int64_t threads = tern__team_size(o->cpu->team);
    o->tile_rows = tern__round_up_i64(tern__max_i64(o->p.m, 1), kernel->rows);
    o->tile_columns = tern__round_up_i64(tern__max_i64(o->p.n, 1), kernel->panel);
    o->row_tiles = o->column_tiles = 1;
    while (threads > 1) {
        o->row_tiles = (o->p.m + o->tile_rows - 1) / o->tile_rows;
        o->column_tiles = (o->p.n + o->tile_columns - 1) / o->tile_columns;
        bool cuts_rows = o->tile_rows > 4 * kernel->rows && o->tile_rows >= o->tile_columns;
        if (matrices * o->row_tiles * o->column_tiles >= 4 * threads ||
            piece_work(o) <= PIECE_WORK || (!cuts_rows && o->tile_columns <= kernel->panel))
            return;
        if (cuts_rows)
            o->tile_rows = tern__round_up_i64(o->tile_rows / 2, kernel->rows);
        else
            o->tile_columns = tern__round_up_i64(o->tile_columns / 2, kernel->panel);
    }
}

/* -- the short way of a decoder's output head --------------------------------------------------*/

/* One row of a against F16 columns that lie one behind the other. */
static bool is_gemv_f16(const job *o) {
    const tern__product *p = &o->p;
    return p->m == 1 && p->b.dtype == TERN_F16 && p->b.k_stride == 1 && p->a.dtype == TERN_F32 &&
           p->a.k_stride == 1 && (p->out_j_stride == 1 || p->n == 1) && p->batch_rank == 0 &&
           o->kernel->gemv_f16 != NULL;
}

/* Index = columns of one call: the whole of K in one go, without scratch. */
static void do_gemv_f16(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const job *o = argument;
    const tern__product *p = &o->p;
    const int64_t step = o->kernel->gemv_columns;
    for (int64_t j = begin * step; j < tern__min_i64(end * step, p->n); j += step)
        o->kernel->gemv_f16(p->a.data, (const uint16_t *)p->b.data + j * p->b.stride, p->b.stride,
                            p->k, (float *)p->out + j, (int)tern__min_i64(step, p->n - j),
                            !p->accumulates);
}

tern_status tern__cpu_multiply(tern__cpu_device *cpu, const tern__product *product,
                               int64_t *packed_bytes) {
    job o = {.cpu = cpu, .p = *product};
    tern__product *p = &o.p;
    if (packed_bytes != NULL)
        *packed_bytes = 0;
    tern_status status = choose_kernel(&o);
    if (status != TERN_OK)
        return status;
    int64_t matrices = 1;
    merge_batch(p);
    for (int axis = 0; axis < p->batch_rank; axis++)
        matrices *= p->batch_dims[axis];
    if (p->m == 0 || p->n == 0 || matrices == 0)
        return TERN_OK;
    if (is_better_transposed(p, o.kernel->panel))
        transpose_product(p);
    if (is_gemv_f16(&o)) {
        /* Long pieces: a kernel fetches ahead what lies behind its columns. */
        const int64_t step = o.kernel->gemv_columns, calls = (p->n + step - 1) / step;
        const int64_t least = grain((double)step * (double)tern__max_i64(p->k, 1));
        const int64_t share = calls / (GEMV_PIECES * tern__team_size(cpu->team));
        tern__team_run(cpu->team, calls, tern__max_i64(least, share), do_gemv_f16, &o);
        return TERN_OK;
    }
    plan_blocks(&o);
    plan_pieces(&o, matrices);
    tern__team_run(cpu->team, matrices * o.row_tiles * o.column_tiles, grain(piece_work(&o)),
                   do_pieces, &o);
    if (packed_bytes != NULL)
        *packed_bytes = o.packed_bytes;
    return TERN_OK;
}
