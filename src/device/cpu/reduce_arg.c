/* SPDX-License-Identifier: MIT
 * Where the smallest or largest element of each row is: the value first, then the lowest index that
 * has it. A row is read once: the extreme of each portion by the kernel, and then the one portion
 * whose extreme was the first of the best again. Adjacent rows keep value and index side by side.
 */
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/reduce.h"

typedef struct arg_job {
    tern__reduce_source source;
    bool is_largest;
    int64_t blocks, width, pieces; /* of a row; of a piece; of the columns */
    uint8_t *values;               /* (outer, blocks, columns) of the hub's type */
    int64_t *indices;              /* likewise */
} arg_job;

/* Whether a comes before b, NaN before all. The first one of equals is kept. */
#define DEFINE_ARG(type, t)                                                                        \
    static bool is_better_##t(const void *a, const void *b, bool is_largest) {                     \
        const type x = *(const type *)a, y = *(const type *)b;                                     \
        if (x != x || y != y)                                                                      \
            return x != x && y == y;                                                               \
        return is_largest ? x > y : x < y;                                                         \
    }                                                                                              \
    /* The first element equal to the value, or n. */                                              \
    static int64_t find_##t(const void *elements, int64_t n, const void *value) {                  \
        const type *x = elements, v = *(const type *)value;                                        \
        int64_t i = 0;                                                                             \
        while (i < n && !(x[i] == v || (v != v && x[i] != x[i])))                                  \
            i++;                                                                                   \
        return i;                                                                                  \
    }
DEFINE_ARG(float, f32)
DEFINE_ARG(double, f64)
DEFINE_ARG(int64_t, i64)

static bool is_better(tern__hub hub, const void *a, const void *b, bool is_largest) {
    return hub == TERN__HUB_F32   ? is_better_f32(a, b, is_largest)
           : hub == TERN__HUB_F64 ? is_better_f64(a, b, is_largest)
                                  : is_better_i64(a, b, is_largest);
}

static int64_t find(tern__hub hub, const void *x, int64_t n, const void *value) {
    return hub == TERN__HUB_F32   ? find_f32(x, n, value)
           : hub == TERN__HUB_F64 ? find_f64(x, n, value)
                                  : find_i64(x, n, value);
}

/* -- one block ----------------------------------------------------------------------------------*/

/* The best value of `count` elements of a row and its index. */
static void arg_row(const arg_job *j, const tern__reduce_block *b, const uint8_t *row,
                    void *scratch, void *value, int64_t *index) {
    const tern__reduce_source *s = &j->source;
    tern__hub hub = s->plan->hub;
    tern__reduce_block portion = *b;
    portion.x = row;
    portion.columns = 1;
    int64_t best = b->first, end = b->first + b->count;
    for (int64_t i = b->first; i < end; i += TERN__REDUCE_PORTION) {
        double found;
        portion.first = i;
        portion.count = tern__min_i64(end - i, TERN__REDUCE_PORTION);
        tern__reduce_block_run(s, &portion, scratch, &found);
        if (i == b->first || is_better(hub, &found, value, j->is_largest)) {
            memcpy(value, &found, (size_t)s->size);
            best = i;
        }
    }
    tern__cursor cursor = tern__cursor_at(s->split, best);
    int64_t count, at;
    for (*index = best;; *index += count) {
        const void *x = tern__reduce_portion(s, row, &cursor, end - *index, &count, scratch);
        at = find(hub, x, count, value);
        if (at < count)
            break;
    }
    *index += at;
}

static void arg_columns(const arg_job *j, const tern__reduce_block *b, void *values,
                        int64_t *indices) {
    const tern__reduce_source *s = &j->source;
    double across[TERN__REDUCE_WIDTH], best[TERN__REDUCE_WIDTH];
    int64_t places[TERN__REDUCE_WIDTH] = {0};
    tern__reduce_rows rows = {
        .row_stride = s->split->strides[s->split->reduced - 1], .rows = 1, .n = b->columns};
    bool is_direct = s->is_direct && s->split->kept_strides[s->split->kept - 1] == 1;
    tern__reduce_start(s, b->reduction, best, (b->columns + 15) / 16 * 16);
    tern__cursor cursor = tern__cursor_at(s->split, b->first);
    for (int64_t i = 0; i < b->count; i += rows.rows) {
        const uint8_t *x = b->x + cursor.offset * s->split->size;
        rows.x = tern__reduce_across(s, x, b->columns, across);
        if (is_direct)
            rows.rows = tern__min_i64(tern__cursor_run(&cursor), b->count - i);
        (j->is_largest ? s->kernel->largest : s->kernel->smallest)(best, places, &rows, i);
        tern__cursor_move(&cursor, rows.rows);
    }
    memcpy(values, best, (size_t)(b->columns * s->size));
    for (int64_t i = 0; i < b->columns; i++)
        indices[i] =
            b->first + (s->size == 4 ? ((const int32_t *)(const void *)places)[i] : places[i]);
}

/* Indices are (outer, block, piece). */
static void do_pieces(void *argument, int64_t begin, int64_t end, int lane) {
    const arg_job *j = argument;
    const tern__reduce_source *s = &j->source;
    const tern__split *split = s->split;
    int64_t stride = split->kept_strides[split->kept - 1];
    void *scratch = tern__lane_scratch(s->cpu, lane);
    for (int64_t at = begin; at < end; at++) {
        int64_t first = at % j->pieces * j->width, row = at / j->pieces;
        tern__reduce_block b = {.columns = tern__min_i64(j->width, split->columns - first),
                                .reduction = s->plan->passes[0].reduction};
        int64_t x = tern__split_at(split, row / j->blocks).x + first * stride;
        b.x = split->data + x * split->size;
        b.first = row % j->blocks * TERN__REDUCE_BLOCK;
        b.count = tern__min_i64(split->n - b.first, TERN__REDUCE_BLOCK);
        int64_t to = row * split->columns + first;
        if (split->is_columns)
            arg_columns(j, &b, j->values + to * s->size, j->indices + to);
        else
            for (int64_t i = 0; i < b.columns; i++)
                arg_row(j, &b, b.x + i * stride * split->size, scratch,
                        j->values + (to + i) * s->size, j->indices + to + i);
    }
}

/* The first of the best blocks of each row. */
static void gather(const arg_job *j, const tern_tensor *out) {
    const tern__split *split = j->source.split;
    int64_t *to = out->data, size = j->source.size;
    for (int64_t outer = 0; outer < split->outer; outer++) {
        int64_t place = tern__split_at(split, outer).out;
        for (int64_t i = 0; i < split->columns; i++) {
            int64_t best = outer * j->blocks * split->columns + i;
            for (int64_t block = 1; block < j->blocks; block++) {
                int64_t at = (outer * j->blocks + block) * split->columns + i;
                if (is_better(j->source.plan->hub, j->values + at * size, j->values + best * size,
                              j->is_largest))
                    best = at;
            }
            to[place + i * split->out_strides[split->kept - 1]] = j->indices[best];
        }
    }
}

tern_status tern__cpu_arg_extreme(tern__device *device, const tern__op_call *call) {
    const tern__cpu_device *cpu = tern__cpu_of(device);
    bool is_largest = call->op == TERN__OP_ARGMAX;
    tern__split split;
    tern__split_axes(&split, call->in[0], call->axes, call->out);
    tern__split_prefer_columns(&split);
    tern__reduce_plan plan = {
        .hub = tern__hub_of(split.dtype),
        .count = 1,
        .passes = {{.reduction = is_largest ? TERN__REDUCE_MAX : TERN__REDUCE_MIN}}};
    arg_job j = {.source = tern__reduce_open(cpu, &split, &plan), .is_largest = is_largest};
    j.blocks = tern__reduce_blocks(split.n);
    j.width = tern__reduce_width(&j.source, j.blocks);
    j.pieces = (split.columns - 1) / j.width + 1;
    tern_shape shape = {3, {split.outer, j.blocks, split.columns}};
    tern_tensor *values = NULL, *indices = NULL;
    tern_status status;
    TERN__TRY(tern__tensor_empty(call->context, tern__hub_type(plan.hub), &shape, "arg", &values));
    TERN__TRY(tern__tensor_empty(call->context, TERN_I64, &shape, "arg", &indices));
    j.values = values->data;
    j.indices = indices->data;
    int64_t elements = tern__min_i64(split.n, TERN__REDUCE_BLOCK);
    elements *= tern__min_i64(j.width, split.columns);
    tern__team_run(cpu->team, split.outer * j.blocks * j.pieces,
                   tern__max_i64(1, TERN__CPU_GRAIN / elements), do_pieces, &j);
    gather(&j, call->out);
done:
    tern_tensor_release(indices);
    tern_tensor_release(values);
    return status;
}
