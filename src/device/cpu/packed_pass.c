/* SPDX-License-Identifier: MIT
 *
 * BitNet's W1.58A8 product: y = (sum of trit * q) * weight scale / s, with q and s from quantising
 * each row of x (rows.h). The integer sums are exact, so threads may cut them anyhow.
 *
 * The weights of a pass are cut into pieces of whole panels, numbered one weight behind the other,
 * and every thread walks a range of its own from front to back, so that it reads one long stream;
 * whoever is done takes pieces from the ranges of the others. Measured on Zen 4 with 2 threads and
 * the shapes of 2b4t, weights from memory: 28 to 31 GB/s, against 24 when both threads take pieces
 * from one counter. A few columns take little time for a piece, so theirs are longer: with 1 thread
 * 26 GB/s in pieces of 256 KiB, 24 in pieces of 32. Many columns are cut as the kernel wants them:
 * all pieces of the first ones come before those of the next. Sums are made in a block that stays
 * in the cache and reach the result's memory as floats. */
#include "device/cpu/packed_pass.h"

#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/elementwise.h"

enum {
    CACHE_LINE = 64,
    APART = 128,            /* bytes between what two threads write */
    PIECE_BYTES = 32 << 10, /* of weights, for more than TERN__PACKED_FEW tokens */
    PIECES = 4,             /* for each thread at least, before those that a kernel wants */
    PIECE_ROWS = 4096,      /* at most, where columns are few */
    ROWS_GRAIN = 4096,      /* elements of x worth a piece of work */
};

/* Scratch of a lane: two blocks of (tokens, rows of a piece), then what the kernel wants. */
#define BLOCK_BYTES    ((TERN__LANE_SCRATCH - TERN__PACKED_SCRATCH) / 2)
#define BLOCK_ELEMENTS ((int64_t)(BLOCK_BYTES / sizeof(float)))

_Static_assert((int)TERN__NORM_MAX <= (int)TERN__REDUCE_BLOCK &&
                   TERN__NORM_MAX <= BLOCK_BYTES / sizeof(float) &&
                   TERN__GATHER_MAX <= BLOCK_BYTES / sizeof(float),
               "a row that is normalised is one block of the reduction rule; all rows fit");

/* What a thread has before it: pieces [next, end). */
typedef struct range {
    _Atomic int64_t next;
    int64_t end;
    char apart[APART - 2 * sizeof(int64_t)];
} range;

/* What the epilogue of one weight needs of each row of x. */
typedef struct part_scales {
    float *factor;      /* (N): scale / s, or 1 / s with block scales */
    int32_t *block_sum; /* (scale_blocks, N) */
} part_scales;

typedef struct pass_job {
    const tern__packed_pass *pass;
    const tern__cpu_device *cpu;
    int8_t *q; /* (N, q_stride) */
    int64_t q_stride;
    int32_t *q_sum; /* (N): of the whole row */
    part_scales scales[TERN__PROJECTIONS];
    uint8_t *tables[TERN__PROJECTIONS];         /* (ranges, N); NULL: the kernel wants none */
    int streams;                                /* parts that are cut: of a gated pass one */
    int64_t piece_rows[TERN__PROJECTIONS];      /* of a piece, a multiple of the panels' rows */
    int64_t first_piece[TERN__PROJECTIONS + 1]; /* for the same tokens */
    int64_t tokens;                             /* multiplied by all rows before the next ones */
    range *ranges;
    int range_count;
} pass_job;

/* -- rows --------------------------------------------------------------------------------------*/

static void sum_blocks(const tern__packed *w, const int8_t *q, int32_t *sums, int64_t stride) {
    for (int64_t block = 0; block < w->scale_blocks; block++) {
        int32_t sum = 0;
        for (int64_t i = 0; i < w->block_columns; i++)
            sum += q[block * w->block_columns + i];
        sums[block * stride] = sum;
    }
}

static void do_rows(void *argument, int64_t begin, int64_t end, int lane) {
    const pass_job *job = argument;
    const tern__packed_pass *pass = job->pass;
    float *normed = tern__lane_scratch(job->cpu, lane), *gathered = normed + BLOCK_ELEMENTS;
    for (int64_t row = begin; row < end; row++) {
        const float *x = tern__cpu_row(pass->x, row, gathered);
        int8_t *q = job->q + row * job->q_stride;
        if (pass->norm != NULL) {
            job->cpu->rows->rms_norm(x, pass->norm, pass->epsilon, normed, pass->k);
            x = normed;
        }
        float s = job->cpu->rows->quantize(x, pass->k, q, job->q_stride, &job->q_sum[row]);
        for (int i = 0; i < pass->part_count; i++) {
            const tern__packed *w = pass->parts[i].weight;
            job->scales[i].factor[row] = (w->scale_blocks > 0 ? 1.0f : w->scale) / s;
            sum_blocks(w, q, job->scales[i].block_sum + row, pass->n);
        }
    }
}

/* -- pieces ------------------------------------------------------------------------------------*/

/* Rows of a weight, tokens: the part of a result that is made at once. */
typedef struct block {
    int64_t row, rows;
    int64_t token, tokens;
} block;

static int32_t *sums_of(uint8_t *scratch) {
    return (int32_t *)(void *)(scratch + BLOCK_BYTES);
}

/* Integer sums (tokens, rows) over the columns [begin, end) to the second block of `scratch`. The
 * kernel gets the panels from the block's first one on, as if the weight began there. */
static void run_kernel(const pass_job *job, int part, const block *b, int64_t begin, int64_t end,
                       const int32_t *q_sum, uint8_t *scratch) {
    const tern__packed *w = job->pass->parts[part].weight;
    int64_t panel_rows = w->kernel->panel_rows;
    const uint8_t *tables = job->tables[part];
    tern__packed_args args = {
        .packed = tern__packed_panels(w) +
                  b->row / panel_rows * tern__packed_panel_bytes(w->kernel, w->k),
        .k = w->k,
        .k_begin = begin,
        .k_end = end,
        .m = b->rows,
        .q = job->q + b->token * job->q_stride,
        .q_stride = job->q_stride,
        .q_sum = q_sum + b->token,
        .n = b->tokens,
        .out = sums_of(scratch),
        .out_stride = b->rows,
        .scratch = scratch + 2 * BLOCK_BYTES,
        .tables =
            tables != NULL ? tables + tern__packed_table_bytes(w->kernel, w->k, b->token) : NULL,
        .prefetches_within_pages = tern__cpu()->prefetches_within_pages,
    };
    w->kernel->run(&args, 0, (b->rows + panel_rows - 1) / panel_rows);
}

/* One scale. */
static void multiply_plain(const pass_job *job, int part, const block *b, float *y, int64_t stride,
                           uint8_t *scratch) {
    const float *factor = job->scales[part].factor + b->token;
    const int32_t *sums = sums_of(scratch);
    run_kernel(job, part, b, 0, job->pass->parts[part].weight->k, job->q_sum, scratch);
    for (int64_t n = 0; n < b->tokens; n++)
        job->cpu->elementwise->from_i32(sums + n * b->rows, factor[n], y + n * stride, b->rows);
}

/* Block scales: y = fma(sum of block, scale of block, y), block after block, then times 1 / s. */
static void multiply_blocks(const pass_job *job, int part, const block *b, float *y, int64_t stride,
                            uint8_t *scratch) {
    const tern__packed *w = job->pass->parts[part].weight;
    const part_scales *scales = &job->scales[part];
    const int32_t *sums = sums_of(scratch);
    for (int64_t n = 0; n < b->tokens; n++)
        memset(y + n * stride, 0, (size_t)b->rows * sizeof *y);
    for (int64_t i = 0; i < w->scale_blocks; i++) {
        int64_t end = i + 1 < w->scale_blocks ? (i + 1) * w->block_columns : w->k;
        run_kernel(job, part, b, i * w->block_columns, end, scales->block_sum + i * job->pass->n,
                   scratch);
        for (int64_t n = 0; n < b->tokens; n++)
            job->cpu->elementwise->accumulate_i32(
                sums + n * b->rows, tern__packed_scales(w, i) + b->row, y + n * stride, b->rows);
    }
    for (int64_t n = 0; n < b->tokens; n++)
        for (int64_t i = 0; i < b->rows; i++)
            y[n * stride + i] *= scales->factor[b->token + n];
}

/* y (tokens, stride) of the block. */
static void multiply(const pass_job *job, int part, const block *b, float *y, int64_t stride,
                     uint8_t *scratch) {
    if (job->pass->parts[part].weight->scale_blocks > 0)
        multiply_blocks(job, part, b, y, stride, scratch);
    else
        multiply_plain(job, part, b, y, stride, scratch);
}

/* y = y (op) z, contiguous rows. */
static void combine(const pass_job *job, int code, float *y, const float *z, int64_t count) {
    job->cpu->map->f32[code](
        &(tern__map_args){.in = {y, z}, .stride = {1, 1}, .out = y, .n = count});
}

/* y = activation(y) * z */
static void gate(const pass_job *job, float *y, const float *z, int64_t count) {
    tern__cpu_activate(&(tern__step_args){.cpu = job->cpu,
                                          .call = job->pass->call,
                                          .hub = TERN__HUB_F32,
                                          .type = TERN_F32,
                                          .map = {.out = y, .n = count}});
    combine(job, TERN__MAP_MUL, y, z, count);
}

static void finish_block(const pass_job *job, int part, const block *b, uint8_t *scratch) {
    const tern__packed_pass *pass = job->pass;
    int64_t stride = pass->parts[part].weight->rows;
    float *y = pass->parts[part].out + b->token * stride + b->row;
    float *other = (float *)(void *)scratch;
    multiply(job, part, b, y, stride, scratch);
    if (pass->is_gated)
        multiply(job, 1, b, other, b->rows, scratch);
    for (int64_t n = 0; n < b->tokens; n++) {
        if (pass->is_gated)
            gate(job, y + n * stride, other + n * b->rows, b->rows);
        else if (pass->residual != NULL)
            combine(job, TERN__MAP_ADD, y + n * stride,
                    pass->residual + (b->token + n) * stride + b->row, b->rows);
    }
}

static void do_piece(const pass_job *job, int64_t piece, int lane) {
    const int64_t of_tokens = job->first_piece[job->streams];
    int64_t token = piece / of_tokens * job->tokens;
    const int64_t end = tern__min_i64(token + job->tokens, job->pass->n);
    piece %= of_tokens;
    int part = 0;
    while (piece >= job->first_piece[part + 1])
        part++;
    int64_t rows = job->piece_rows[part];
    block b = {.row = (piece - job->first_piece[part]) * rows};
    b.rows = tern__min_i64(rows, job->pass->parts[part].weight->rows - b.row);
    const int64_t at_once = BLOCK_ELEMENTS / rows;
    for (; token < end; token += at_once) {
        b.token = token;
        b.tokens = tern__min_i64(at_once, end - token);
        finish_block(job, part, &b, tern__lane_scratch(job->cpu, lane));
    }
}

/* The first part whose tables are those of this one. */
static int first_with_tables(const pass_job *job, int part) {
    int first = 0;
    while (job->pass->parts[first].weight->kernel != job->pass->parts[part].weight->kernel)
        first++;
    return first;
}

static size_t tables_bytes(const pass_job *job, int part) {
    const tern__packed *w = job->pass->parts[part].weight;
    return tern__packed_table_bytes(w->kernel, w->k, job->pass->n);
}

/* The job as one range has it, with tables of its own: to read what another processor has just
 * written takes longer than to make it. */
static void make_tables(const pass_job *job, int64_t index, pass_job *own) {
    for (int i = 0; i < job->pass->part_count; i++) {
        const tern__packed *w = job->pass->parts[i].weight;
        if (job->tables[i] == NULL)
            continue;
        own->tables[i] = job->tables[i] + (size_t)index * tables_bytes(job, i);
        if (first_with_tables(job, i) == i)
            tern__packed_tabulate(w->kernel, job->q, job->q_stride, w->k, job->pass->n,
                                  own->tables[i]);
    }
}

static void do_ranges(void *argument, int64_t begin, int64_t end, int lane) {
    const pass_job *job = argument;
    pass_job own = *job;
    bool has_tables = false;
    (void)end;
    for (int i = 0; i < job->range_count; i++) {
        range *r = &job->ranges[(begin + i) % job->range_count];
        for (;;) {
            int64_t piece = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
            if (piece >= r->end)
                break;
            if (!has_tables)
                make_tables(job, begin, &own);
            has_tables = true;
            do_piece(&own, piece, lane);
        }
    }
}

/* -- the pass ----------------------------------------------------------------------------------*/

/* `row_bytes` of each of `rows` rows are read. */
static int64_t piece_bytes(const pass_job *job, int64_t rows, int64_t row_bytes) {
    if (job->pass->n > TERN__PACKED_FEW)
        return PIECE_BYTES;
    return tern__packed_piece(rows * row_bytes, tern__team_size(job->cpu->team));
}

/* Into how many equal parts `all` rows are cut for a kernel that wants `least` of them: for as many
 * pieces as threads share well, if that leaves enough rows, else for one piece a thread at least.
 */
static int64_t parts_of_rows(int64_t all, int64_t least, int64_t groups, int threads) {
    int64_t parts = (PIECES * threads + groups - 1) / groups, most = tern__max_i64(1, all / least);
    if (parts > most && most * groups >= threads)
        for (parts = most; parts > 1 && parts * groups % threads != 0;)
            parts--;
    while (parts < most && parts * groups % threads != 0 && parts * groups < 2 * PIECES * threads)
        parts++;
    return parts;
}

/* Of more than a few tokens, for a kernel that tells what it wants. */
static int64_t rows_for_many(const pass_job *job, const tern__packed_kernel *kernel, int64_t all) {
    const int threads = tern__team_size(job->cpu->team);
    const int64_t most = (int64_t)kernel->panels_at_once * kernel->panel_rows;
    const int64_t least = (int64_t)kernel->panels_least * kernel->panel_rows;
    if (least == 0)
        return tern__min_i64(most, all * job->pass->n / (PIECES * threads * job->tokens));
    int64_t parts =
        parts_of_rows(all, least, (job->pass->n + job->tokens - 1) / job->tokens, threads);
    parts = tern__max_i64(parts, (all + most - 1) / most);
    return (all + parts - 1) / parts;
}

/* Rows of a piece: whole panels and whole cache lines of results. */
static int64_t rows_of_piece(const pass_job *job, int part) {
    const tern__packed_pass *pass = job->pass;
    int last = pass->is_gated ? 1 : part;
    int64_t bytes = 0, unit = CACHE_LINE / (int64_t)sizeof(float);
    for (int i = part; i <= last; i++) {
        const tern__packed *w = pass->parts[i].weight;
        int64_t step = unit;
        while (unit % w->kernel->panel_rows != 0)
            unit += step;
        bytes += tern__packed_panel_bytes(w->kernel, w->k) / w->kernel->panel_rows;
    }
    bytes = tern__max_i64(bytes, 1);
    int64_t all = pass->parts[part].weight->rows;
    const tern__packed_kernel *kernel = pass->parts[part].weight->kernel;
    if (pass->n > TERN__PACKED_FEW && kernel->panels_at_once > 0)
        return (tern__max_i64(rows_for_many(job, kernel, all), 1) + unit - 1) / unit * unit;
    int64_t rows = tern__min_i64(piece_bytes(job, all, bytes) / bytes, PIECE_ROWS);
    return tern__max_i64(rows / unit, 1) * unit;
}

static int64_t pieces_of(const pass_job *job) {
    return job->first_piece[job->streams] * ((job->pass->n + job->tokens - 1) / job->tokens);
}

static void cut_pieces(pass_job *job) {
    const tern__packed_pass *pass = job->pass;
    job->tokens = tern__max_i64(pass->n, 1);
    for (int i = 0; i < pass->part_count; i++)
        job->tokens = tern__min_i64(job->tokens, tern__packed_columns(pass->parts[i].weight->kernel,
                                                                      job->q_stride, pass->n));
    job->streams = pass->is_gated ? 1 : pass->part_count;
    for (int i = 0; i < job->streams; i++) {
        int64_t rows = rows_of_piece(job, i);
        job->piece_rows[i] = rows;
        job->first_piece[i + 1] =
            job->first_piece[i] + (pass->parts[i].weight->rows + rows - 1) / rows;
    }
    job->range_count = (int)tern__min_i64(tern__team_size(job->cpu->team), pieces_of(job));
}

/* The next `bytes` of a block of memory, from *at on; NULL while the block is only measured. */
static void *carve(uint8_t *base, size_t *at, size_t bytes) {
    void *from = base != NULL ? base + *at : NULL;
    *at += (bytes + APART - 1) / APART * APART;
    return from;
}

/* Lays the scratch of the pass out from `base` on and returns its bytes. */
static size_t lay_out(pass_job *job, uint8_t *base) {
    size_t at = 0, n = (size_t)job->pass->n;
    job->q = carve(base, &at, n * (size_t)job->q_stride);
    job->q_sum = carve(base, &at, n * sizeof *job->q_sum);
    for (int i = 0; i < job->pass->part_count; i++) {
        size_t blocks = (size_t)job->pass->parts[i].weight->scale_blocks;
        job->scales[i].factor = carve(base, &at, n * sizeof(float));
        job->scales[i].block_sum = carve(base, &at, n * blocks * sizeof(int32_t));
        int first = first_with_tables(job, i);
        if (first < i)
            job->tables[i] = job->tables[first];
        else if (tables_bytes(job, i) > 0)
            job->tables[i] = carve(base, &at, (size_t)job->range_count * tables_bytes(job, i));
    }
    job->ranges = carve(base, &at, (size_t)job->range_count * sizeof *job->ranges);
    return at;
}

static void share_pieces(pass_job *job) {
    int64_t pieces = pieces_of(job), count = job->range_count;
    for (int64_t i = 0; i < count; i++) {
        atomic_init(&job->ranges[i].next, pieces * i / count);
        job->ranges[i].end = pieces * (i + 1) / count;
    }
    tern__team_run(job->cpu->team, count, 1, do_ranges, job);
}

tern_status tern__packed_pass_run(tern__device *device, const tern__packed_pass *pass) {
    pass_job job = {.pass = pass, .cpu = tern__cpu_of(device)};
    for (int i = 0; i < pass->part_count; i++)
        job.q_stride = tern__max_i64(job.q_stride, pass->parts[i].weight->k);
    job.q_stride = tern__packed_q_stride(job.q_stride);
    cut_pieces(&job);
    tern__pool *pool = pass->call->context->pool;
    tern__note note = {.op = tern__op_rows[pass->call->op].info.name, .rank = -1};
    void *scratch = NULL;
    size_t bytes = lay_out(&job, NULL);
    tern_status status = tern__pool_alloc(pool, bytes, TERN__BLOCK_DATA, &note, &scratch);
    if (status != TERN_OK)
        return status;
    lay_out(&job, scratch);
    tern__team_run(job.cpu->team, pass->n, tern__max_i64(1, ROWS_GRAIN / tern__max_i64(pass->k, 1)),
                   do_rows, &job);
    share_pieces(&job);
    tern__pool_free(pool, scratch, bytes, TERN__BLOCK_DATA);
    return TERN_OK;
}
