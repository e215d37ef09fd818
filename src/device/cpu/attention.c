/* SPDX-License-Identifier: MIT
 *
 * Grouped-query attention over the cache (Ainslie et al. 2023, section 2). A query sees positions
 * 0..S-T+t; later ones do not exist for it.
 *
 * A piece of work is a block of query positions and one key/value head: all its query rows share
 * every key and value row that is read. When that makes too few pieces for the threads (a single
 * token has one for each head), the work is cut in three steps instead: scores by positions,
 * softmax by rows, and the mix, whose chains go over the positions in order, by lanes. Neither
 * changes a bit: every score, row and lane is defined by itself.
 */
#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/cpu.h"
#include "tensor/dtype.h"

enum {
    ROWS_MAX = 32,         /* query rows of a piece: their scores of 4096 positions take 512 KiB */
    QUERIES_MAX = 8,       /* query positions of a piece */
    POSITIONS_GRAIN = 256, /* positions of one query and head worth a piece of work */
    PIECES = 4,            /* a thread, so that all end at about the same time */
    WINDOW = 64,           /* positions whose heads are read one after the other */
    LINE = 64,             /* bytes of a row that no two pieces share */
};

typedef struct attention_job {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    int64_t queries, heads, kv_heads, group, head_size;
    int64_t first;         /* positions that query 0 sees */
    int64_t block, blocks; /* of queries, positions or lanes: how many a piece takes; how many */
    float *scores;         /* (threads, rows of a piece, score_stride), or (T, H, score_stride) */
    int64_t score_stride;
} attention_job;

static int64_t div_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit;
}

/* -- kernel calls ------------------------------------------------------------------------------*/

typedef enum cache_part { KEYS = 0, VALUES = 1 } cache_part;

/* One head of keys or values from `position` on, for one query. */
static tern__attention_args head_args(const attention_job *j, cache_part part, int64_t head,
                                      int64_t position) {
    const tern_tensor *cache = j->call->in[1 + part], *scales = j->call->in[3];
    const int64_t *strides = tern__strides(cache);
    tern__attention_args args = {.queries = 1,
                                 .group = (int)j->group,
                                 .row_stride = strides[1],
                                 .head_size = j->head_size,
                                 .scale = (float)j->call->number};
    args.rows = (const char *)cache->data + (head * strides[0] + position * strides[1]) *
                                                tern__dtype((tern_dtype)cache->dtype)->block_bytes;
    if (scales != NULL) {
        args.type = TERN__ATTENTION_I8;
        args.row_scales = (const float *)scales->data + part * tern__strides(scales)[0] +
                          head * tern__strides(scales)[1] + position;
    } else {
        args.type = cache->dtype == TERN_F16 ? TERN__ATTENTION_F16 : TERN__ATTENTION_F32;
    }
    return args;
}

/* The elements of query row `row` of T * H, and of the result. */
static const float *query_row(const attention_job *j, int64_t row) {
    return (const float *)j->call->in[0]->data + row * j->head_size;
}

static float *result_row(const attention_job *j, int64_t row) {
    return (float *)j->call->out->data + row * j->head_size;
}

/* -- whole pieces ------------------------------------------------------------------------------*/

/* `queries` positions from t on, for `rows` rows of a head's group from row g on. */
static void attend(const attention_job *j, int64_t t, int queries, int64_t head, int64_t g,
                   int rows, float *scores) {
    int64_t row = t * j->heads + head * j->group + g;
    tern__attention_args args = head_args(j, KEYS, head, 0);
    args.queries = queries, args.group = rows;
    args.length = j->first + t;
    args.x = query_row(j, row);
    args.x_query_stride = j->heads * j->head_size, args.x_stride = j->head_size;
    args.out = scores;
    args.out_query_stride = rows * j->score_stride, args.out_stride = j->score_stride;
    j->cpu->attention->scores(&args);
    for (int64_t i = 0; i < (int64_t)queries * rows; i++) {
        float *of_row = scores + i * j->score_stride;
        j->cpu->rows->softmax(of_row, of_row, args.length + i / rows);
    }
    tern__attention_args mix = head_args(j, VALUES, head, 0);
    mix.queries = queries, mix.group = rows;
    mix.length = args.length;
    mix.x = scores;
    mix.x_query_stride = args.out_query_stride, mix.x_stride = args.out_stride;
    mix.out = result_row(j, row);
    mix.out_query_stride = args.x_query_stride, mix.out_stride = args.x_stride;
    j->cpu->attention->mix(&mix);
}

/* Query positions of a piece. */
static int64_t fair_block(const attention_job *j) {
    int64_t pieces = PIECES * (int64_t)tern__team_size(j->cpu->team);
    int64_t fair = tern__min_i64(div_up(j->queries * j->kv_heads, pieces), j->queries);
    int64_t most = tern__min_i64(QUERIES_MAX, ROWS_MAX / tern__min_i64(j->group, ROWS_MAX));
    return tern__max_i64(1, tern__min_i64(fair, most));
}

/* Rows of scores that a piece of j->block queries needs at a time. */
static int64_t piece_rows(const attention_job *j) {
    return j->block * tern__min_i64(j->group, ROWS_MAX);
}

/* The last queries, which see most, come first. */
static void do_whole(void *argument, int64_t begin, int64_t end, int lane) {
    const attention_job *j = argument;
    float *scores = j->scores + lane * piece_rows(j) * j->score_stride;
    for (int64_t index = begin; index < end; index++) {
        int64_t t = (j->blocks - 1 - index % j->blocks) * j->block;
        int queries = (int)tern__min_i64(j->block, j->queries - t);
        for (int64_t g = 0; g < j->group; g += ROWS_MAX)
            attend(j, t, queries, index / j->blocks, g, (int)tern__min_i64(j->group - g, ROWS_MAX),
                   scores);
    }
}

static void run_whole(attention_job *j) {
    j->blocks = div_up(j->queries, j->block);
    int64_t grain = POSITIONS_GRAIN / (j->first * j->block);
    tern__team_run(j->cpu->team, j->blocks * j->kv_heads, tern__max_i64(1, grain), do_whole, j);
}

/* -- three steps -------------------------------------------------------------------------------*/

static void do_scores(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const attention_job *j = argument;
    for (int64_t index = begin; index < end; index++) {
        int64_t t = index / j->blocks, position = index % j->blocks * j->block;
        int64_t last = tern__min_i64(position + j->block, j->first + t);
        for (; position < last; position += WINDOW)
            for (int64_t head = 0; head < j->kv_heads; head++) {
                int64_t row = t * j->heads + head * j->group;
                tern__attention_args args = head_args(j, KEYS, head, position);
                args.length = tern__min_i64(WINDOW, last - position);
                args.x = query_row(j, row), args.x_stride = j->head_size;
                args.out = j->scores + row * j->score_stride + position;
                args.out_stride = j->score_stride;
                j->cpu->attention->scores(&args);
            }
    }
}

static void do_softmax(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const attention_job *j = argument;
    for (int64_t row = begin; row < end; row++) {
        float *scores = j->scores + row * j->score_stride;
        j->cpu->rows->softmax(scores, scores, j->first + row / j->heads);
    }
}

static void do_mix(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const attention_job *j = argument;
    for (int64_t index = begin; index < end; index++) {
        int64_t d = index % j->blocks * j->block, of_heads = index / j->blocks;
        int64_t t = of_heads / j->kv_heads, head = of_heads % j->kv_heads;
        int64_t row = t * j->heads + head * j->group;
        tern__attention_args args = head_args(j, VALUES, head, 0);
        args.rows = (const char *)args.rows +
                    d * tern__dtype((tern_dtype)j->call->in[2]->dtype)->block_bytes;
        args.head_size = tern__min_i64(j->block, j->head_size - d);
        args.length = j->first + t;
        args.x = j->scores + row * j->score_stride, args.x_stride = j->score_stride;
        args.out = result_row(j, row) + d, args.out_stride = j->head_size;
        j->cpu->attention->mix(&args);
    }
}

/* Cuts n into blocks of whole `unit`s, so that `others` * blocks are enough pieces. */
static void cut(attention_job *j, int64_t n, int64_t unit, int64_t others) {
    int64_t pieces = PIECES * (int64_t)tern__team_size(j->cpu->team);
    j->block = tern__round_up_i64(div_up(n, div_up(pieces, others)), unit);
    j->blocks = div_up(n, j->block);
}

static void run_steps(attention_job *j) {
    cut(j, j->first + j->queries - 1, WINDOW, j->queries);
    tern__team_run(j->cpu->team, j->queries * j->blocks, 1, do_scores, j);
    tern__team_run(j->cpu->team, j->queries * j->heads, 1, do_softmax, j);
    int64_t of_heads = j->queries * j->kv_heads;
    int64_t unit = LINE / tern__dtype((tern_dtype)j->call->in[2]->dtype)->block_bytes;
    cut(j, j->head_size, unit, of_heads);
    tern__team_run(j->cpu->team, of_heads * j->blocks, 1, do_mix, j);
}

/* -- the row -----------------------------------------------------------------------------------*/

/* Positions that there is scratch for: a power of two, so that steps of a session ask the pool for
 * the same block again and again. It takes at most 128 bytes a position and thread, the
 * cache itself kilobytes. */
static int64_t scratch_positions(int64_t positions) {
    int64_t room = 1024;
    while (room < positions)
        room *= 2;
    return room;
}

tern_status tern__cpu_attention(tern__device *device, const tern__op_call *call) {
    tern__cpu_device *cpu = tern__cpu_of(device);
    const tern_tensor *q = call->in[0], *keys = call->in[1];
    int64_t threads = tern__team_size(cpu->team), seen = keys->dims[1];
    attention_job job = {.cpu = cpu,
                         .call = call,
                         .queries = q->dims[0],
                         .heads = q->dims[1],
                         .kv_heads = keys->dims[0],
                         .group = q->dims[1] / keys->dims[0],
                         .head_size = q->dims[2],
                         .first = seen - q->dims[0] + 1,
                         .score_stride = scratch_positions(seen)};
    bool has_few_pieces = job.queries * job.kv_heads < PIECES * threads;
    job.block = fair_block(&job);
    int64_t rows = threads * piece_rows(&job);
    if (has_few_pieces)
        rows = tern__max_i64(rows, job.queries * job.heads);
    size_t row_bytes = 0, bytes = 0;
    if (!tern__mul_size((size_t)job.score_stride, sizeof(float), &row_bytes) ||
        !tern__mul_size(row_bytes, (size_t)tern__max_i64(rows, ROWS_MAX), &bytes))
        return tern__fail(TERN_E_SHAPE, "attention: %lld positions are too many", (long long)seen);
    bytes = row_bytes * (size_t)rows;
    void *block = NULL;
    static const tern__note note = {.op = "attention", .rank = -1};
    tern_status status =
        tern__pool_alloc(call->context->pool, bytes, TERN__BLOCK_DATA, &note, &block);
    if (status != TERN_OK)
        return status;
    job.scores = block;
    if (has_few_pieces && threads > 1 && seen >= POSITIONS_GRAIN)
        run_steps(&job);
    else
        run_whole(&job);
    tern__pool_free(call->context->pool, block, bytes, TERN__BLOCK_DATA);
    return TERN_OK;
}
