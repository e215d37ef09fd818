/* SPDX-License-Identifier: MIT
 *
 * The k largest products of a row x (K) with the rows w of a table (V, K), exactly, from a pass
 * over the table's 8-bit copy and a few rows of the table itself.
 *
 * Every product L has bounds, below <= L <= above (head_bounds.c). Let T be the k-th largest of all
 * lower bounds. At least k rows have L >= T, hence the k-th largest L is at least T, and every row
 * whose L is not less than that one has above >= L >= T: the rows with above >= T, the candidates,
 * have among them the k largest and all that equal the last of these. Their L are computed by the
 * same chains as tern_linear's, and the best k of them, the lowest place first among equals, are
 * the result, bit for bit.
 *
 * The full table is read instead where a number is not finite, where W ||x|| is too large, and
 * where more than V / 8 rows are candidates. Candidates of 128 256 random normal rows, K = 2560,
 * measured: see docs/numerics.md.
 */
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/head.h"
#include "device/cpu/matmul.h"
#include "tensor/dtype.h"
#include "tensor/op_table.h"

enum {
    CACHE_LINE = 64,
    ROWS_MAX = 64,     /* bounds made at once */
    GATHER_ROWS = 256, /* candidates computed at once */
};

static const tern__note screen_note = {.op = "linear_topk", .rank = -1};

/* One row of x against the screen. Arrays lie in one block of scratch. */
typedef struct screening {
    const tern__cpu_device *cpu;
    const tern__packed *screen;
    int64_t k;
    tern__planes planes;
    int32_t *sums;       /* (2, V) */
    double *above;       /* (V) */
    double *heaps;       /* (lanes, k): the largest lower bounds that a lane has met */
    int64_t *held;       /* (lanes) */
    int64_t *candidates; /* (most) */
    int64_t most, count;
} screening;

/* -- the pass ----------------------------------------------------------------------------------*/

/* Keeps the `size` largest values, the least of them at the root. */
static void offer(double *heap, int64_t *held, int64_t size, double value) {
    int64_t at;
    if (*held < size) {
        for (at = (*held)++; at > 0 && heap[(at - 1) / 2] > value; at = (at - 1) / 2)
            heap[at] = heap[(at - 1) / 2];
    } else if (value > heap[0]) {
        at = 0;
        for (int64_t child; (child = 2 * at + 1) < size; at = child) {
            if (child + 1 < size && heap[child + 1] < heap[child])
                child++;
            if (value <= heap[child])
                break;
            heap[at] = heap[child];
        }
    } else {
        return;
    }
    heap[at] = value;
}

static void do_screen(void *argument, int64_t begin, int64_t end, int lane) {
    screening *s = argument;
    const tern__packed *w = s->screen;
    tern__packed_args args = {
        .packed = tern__packed_panels(w),
        .k = w->k,
        .k_end = w->k,
        .m = w->rows,
        .q = s->planes.q,
        .q_stride = s->planes.q_stride,
        .q_sum = s->planes.sums,
        .n = 2,
        .out = s->sums,
        .out_stride = w->rows,
        .scratch = tern__lane_scratch(s->cpu, lane),
        .prefetches_within_pages = tern__cpu()->prefetches_within_pages,
    };
    w->kernel->run(&args, begin, end);
    int64_t last = tern__min_i64(end * w->kernel->panel_rows, w->rows);
    double below[ROWS_MAX], *heap = s->heaps + lane * s->k;
    for (int64_t row = begin * w->kernel->panel_rows; row < last; row += ROWS_MAX) {
        int64_t count = tern__min_i64(ROWS_MAX, last - row);
        tern__planes_bounds(&s->planes, w, s->sums, row, count, below, s->above + row);
        for (int64_t i = 0; i < count; i++)
            if (s->held[lane] < s->k || below[i] > heap[0])
                offer(heap, &s->held[lane], s->k, below[i]);
    }
}

/* The candidates, by place; false when they are too many. */
static bool find_candidates(screening *s) {
    for (int lane = 1; lane < tern__team_size(s->cpu->team); lane++)
        for (int64_t i = 0; i < s->held[lane]; i++)
            offer(s->heaps, &s->held[0], s->k, s->heaps[lane * s->k + i]);
    double threshold = s->heaps[0];
    s->count = 0;
    for (int64_t row = 0; row < s->screen->rows; row++) {
        if (s->above[row] < threshold)
            continue;
        if (s->count == s->most)
            return false;
        s->candidates[s->count++] = row;
    }
    return true;
}

static bool screen_row(screening *s, const float *x) {
    if (!tern__planes_split(s->cpu, s->screen, x, &s->planes))
        return false;
    memset(s->held, 0, (size_t)tern__team_size(s->cpu->team) * sizeof *s->held);
    int64_t grain = tern__packed_grain(s->screen->kernel, s->screen->k, s->screen->panels,
                                       tern__team_size(s->cpu->team));
    tern__team_run(s->cpu->team, s->screen->panels, grain, do_screen, s);
    return find_candidates(s);
}

/* -- exact products of the candidates ----------------------------------------------------------*/

typedef struct gather_job {
    const screening *s;
    const tern_tensor *table;
    int64_t first;
    bool is_wide; /* rows are gathered as F32: theirs are not contiguous */
    uint8_t *rows;
    int64_t row_bytes;
} gather_job;

static void do_gather(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const gather_job *job = argument;
    const tern_tensor *t = job->table;
    const tern__dtype_info *info = tern__dtype((tern_dtype)t->dtype);
    for (int64_t i = begin; i < end; i++) {
        int64_t at = job->s->candidates[job->first + i] * tern__strides(t)[0];
        const uint8_t *from =
            (const uint8_t *)t->data + at / info->block_elements * info->block_bytes;
        uint8_t *to = job->rows + i * job->row_bytes;
        if (job->is_wide)
            tern__cpu_widen(job->s->cpu, (tern_dtype)t->dtype, from, tern__strides(t)[1],
                            (float *)(void *)to, t->dims[1]);
        else
            memcpy(to, from, (size_t)job->row_bytes);
    }
}

/* out[i] = the product of x and candidate i, by the chain of tern_linear. */
static tern_status multiply_candidates(const screening *s, const tern__op_call *call,
                                       const float *x, float *out) {
    const tern_tensor *table = call->in[1];
    const tern__dtype_info *info = tern__dtype((tern_dtype)table->dtype);
    int64_t columns = table->dims[1];
    gather_job job = {.s = s, .table = table, .is_wide = tern__strides(table)[1] != 1};
    job.row_bytes = job.is_wide ? columns * (int64_t)sizeof(float)
                                : columns / info->block_elements * info->block_bytes;
    size_t bytes = (size_t)(tern__min_i64(GATHER_ROWS, s->count) * job.row_bytes);
    void *rows = NULL;
    tern_status status =
        tern__pool_alloc(call->context->pool, bytes, TERN__BLOCK_DATA, &screen_note, &rows);
    if (status != TERN_OK)
        return status;
    job.rows = rows;
    for (; status == TERN_OK && job.first < s->count; job.first += GATHER_ROWS) {
        int64_t count = tern__min_i64(GATHER_ROWS, s->count - job.first);
        tern__team_run(s->cpu->team, count, 8, do_gather, &job);
        tern__product p = {
            .a = {x, TERN_F32, columns, 1, {0}},
            .b = {rows, job.is_wide ? TERN_F32 : (tern_dtype)table->dtype, columns, 1, {0}},
            .m = 1,
            .n = count,
            .k = columns,
            .out = out + job.first,
            .out_i_stride = count,
            .out_j_stride = 1,
        };
        status = tern__cpu_multiply(tern__cpu_of(call->context->device), &p, NULL);
    }
    tern__pool_free(call->context->pool, rows, bytes, TERN__BLOCK_DATA);
    return status;
}

/* The best k of the candidates into row `row` of the results. */
static tern_status rank_candidates(const screening *s, const tern__op_call *call, int64_t row) {
    const tern__linear_topk *parts = call->detail;
    tern_tensor *products = NULL, *values = NULL, *places = NULL;
    tern_context *context = call->context;
    const float *x = (const float *)call->in[0]->data + row * s->screen->columns;
    tern_status status;
    TERN__TRY(
        tern__tensor_empty(context, TERN_F32, &TERN_SHAPE(s->count), "linear_topk", &products));
    TERN__TRY(tern__tensor_empty(context, TERN_F32, &TERN_SHAPE(s->k), "linear_topk", &values));
    TERN__TRY(tern__tensor_empty(context, TERN_I64, &TERN_SHAPE(s->k), "linear_topk", &places));
    TERN__TRY(multiply_candidates(s, call, x, products->data));
    tern__op_call best = {.op = TERN__OP_TOPK,
                          .context = context,
                          .in = {products},
                          .out = values,
                          .choice = true,
                          .detail = &(tern__topk){places}};
    TERN__TRY(tern__cpu_topk(context->device, &best));
    memcpy((float *)call->out->data + row * s->k, values->data, (size_t)s->k * sizeof(float));
    int64_t *indices = (int64_t *)parts->indices->data + row * s->k;
    for (int64_t i = 0; i < s->k; i++)
        indices[i] = s->candidates[((const int64_t *)places->data)[i]];
done:
    tern_tensor_release(places);
    tern_tensor_release(values);
    tern_tensor_release(products);
    return status;
}

/* -- the row of the operation ------------------------------------------------------------------*/

/* All products, then the best of each row. */
static tern_status rank_all(tern__device *device, const tern__op_call *call) {
    const tern__linear_topk *parts = call->detail;
    tern_tensor *table = call->in[1], *products = NULL;
    tern_shape shape = tern_tensor_shape(call->out);
    int axis = shape.rank - 1;
    shape.dims[axis] = table->dims[0];
    tern_status status =
        tern__tensor_empty(call->context, TERN_F32, &shape, "linear_topk", &products);
    if (status != TERN_OK)
        return status;
    tern__op_call linear = {
        .op = call->op, .context = call->context, .in = {call->in[0], table}, .out = products};
    status = table->dtype == TERN_QUANTIZED ? tern__cpu_packed_linear(device, &linear)
                                            : tern__cpu_linear(device, &linear);
    tern__op_call best = {.op = TERN__OP_TOPK,
                          .context = call->context,
                          .in = {products},
                          .out = call->out,
                          .axis = axis,
                          .choice = true,
                          .detail = &(tern__topk){parts->indices}};
    if (status == TERN_OK)
        status = tern__cpu_topk(device, &best);
    tern_tensor_release(products);
    return status;
}

/* Bytes of the arrays of `s`; with `base` they get their places there. */
static size_t place_arrays(screening *s, uint8_t *base) {
    size_t lanes = (size_t)tern__team_size(s->cpu->team), rows = (size_t)s->screen->rows;
    const struct {
        void *member; /* address of the pointer */
        size_t bytes;
    } arrays[] = {
        {&s->planes.q, 2 * (size_t)s->planes.q_stride},
        {&s->sums, 2 * rows * sizeof *s->sums},
        {&s->above, rows * sizeof *s->above},
        {&s->heaps, lanes * (size_t)s->k * sizeof *s->heaps},
        {&s->held, lanes * sizeof *s->held},
        {&s->candidates, (size_t)s->most * sizeof *s->candidates},
    };
    size_t total = 0;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (base != NULL) {
            void *at = base + total;
            memcpy(arrays[i].member, &at, sizeof at);
        }
        total += (arrays[i].bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    }
    return total;
}

/* Row after row; *is_done is false when one of them needs all products. */
static tern_status rank_screened(const tern__op_call *call, screening *s, bool *is_done) {
    size_t bytes = place_arrays(s, NULL);
    void *scratch = NULL;
    tern_status status =
        tern__pool_alloc(call->context->pool, bytes, TERN__BLOCK_DATA, &screen_note, &scratch);
    if (status != TERN_OK)
        return status;
    place_arrays(s, scratch);
    int64_t rows = tern_tensor_count(call->out) / s->k;
    *is_done = true;
    for (int64_t row = 0; status == TERN_OK && *is_done && row < rows; row++) {
        *is_done = screen_row(s, (const float *)call->in[0]->data + row * s->screen->columns);
        if (*is_done)
            status = rank_candidates(s, call, row);
        tern__count_screen(call->context, *is_done ? s->count : s->screen->rows, !*is_done);
    }
    tern__pool_free(call->context->pool, scratch, bytes, TERN__BLOCK_DATA);
    return status;
}

tern_status tern__cpu_linear_topk(tern__device *device, const tern__op_call *call) {
    const tern_tensor *screen = call->in[2] != NULL ? call->in[2] : call->in[1];
    bool is_done = false;
    if (screen->dtype == TERN_QUANTIZED) {
        tern_status status = tern__cpu_check_packed(device, screen);
        if (status != TERN_OK)
            return status;
    }
    if (call->in[2] == NULL)
        return rank_all(device, call);
    screening s = {.cpu = tern__cpu_of(device),
                   .screen = tern__packed_of(screen),
                   .k = tern__dim_back(call->out, 1)};
    s.most = tern__max_i64(s.screen->rows / 8, 1);
    s.planes.q_stride = tern__packed_q_stride(s.screen->k);
    if (s.k <= s.most) {
        tern_status status = rank_screened(call, &s, &is_done);
        if (status != TERN_OK || is_done)
            return status;
    }
    return rank_all(device, call);
}
