/* SPDX-License-Identifier: MIT */
#include "device/cpu/blocks.h"

#include "base/checked.h"

enum {
    SHORT_ROW = 16, /* elements that a kernel's call does in the time that it takes to begin */
    NARROW = 8,     /* columns below which columns make better runs than rows */
    NEAR = 4,       /* elements this far apart share a cache line with others */
    LINE = 64,      /* bytes of a cache line */
};

static void move_axis(tern__walk *w, int from, int to) {
    int direction = from < to ? 1 : -1;
    int64_t dim = w->dims[from];
    for (int i = from; i != to; i += direction)
        w->dims[i] = w->dims[i + direction];
    w->dims[to] = dim;
    for (int o = 0; o < w->operands; o++) {
        int64_t stride = w->strides[o][from];
        for (int i = from; i != to; i += direction)
            w->strides[o][i] = w->strides[o][i + direction];
        w->strides[o][to] = stride;
    }
}

/* Most operands step farther along axis b than along the axis a before it. Where one of them is
 * short the result alone decides: its memory would be passed over too often. */
static bool is_swapped(const tern__walk *w, int a, int b, bool in_order) {
    int64_t result = tern__abs_i64(w->strides[0][b]) - tern__abs_i64(w->strides[0][a]);
    if (in_order || w->dims[a] <= SHORT_ROW || w->dims[b] <= SHORT_ROW)
        return result > 0;
    int votes = 0;
    for (int o = 0; o < w->operands; o++) {
        int64_t farther = tern__abs_i64(w->strides[o][b]) - tern__abs_i64(w->strides[o][a]);
        votes += (farther > 0) - (farther < 0);
    }
    return votes > 0 || (votes == 0 && result > 0);
}

/* By insertion: mostly they are in order already. */
static void sort_axes(tern__walk *w, bool in_order) {
    for (int i = 1; i < w->rank; i++) {
        int to = i;
        while (to > 0 && is_swapped(w, to - 1, i, in_order))
            to--;
        if (to != i)
            move_axis(w, i, to);
    }
}

static void read_strides(tern__walk *w, int operand, const tern_tensor *t) {
    int missing = w->rank - t->rank;
    for (int i = 0; i < w->rank; i++)
        w->strides[operand][i] =
            i < missing || t->dims[i - missing] == 1 ? 0 : tern__strides(t)[i - missing];
}

void tern__blocks_open(tern__blocks *b, tern__device *device, const tern__op_call *call,
                       int operands, bool in_order) {
    tern__walk *w = &b->walk;
    b->cpu = tern__cpu_of(device);
    b->call = call;
    b->in_order = in_order;
    w->rank = call->out->rank;
    w->operands = operands;
    for (int i = 0; i < w->rank; i++)
        w->dims[i] = call->out->dims[i];
    for (int o = 0; o < operands; o++)
        read_strides(w, o, o == 0 ? call->out : call->in[o - 1]);
    sort_axes(w, in_order);
    tern__walk_merge(w);
    if (w->rank > 1)
        return;
    w->rank = 2;
    w->dims[1] = w->dims[0];
    w->dims[0] = 1;
    for (int o = 0; o < operands; o++) {
        w->strides[o][1] = w->strides[o][0];
        w->strides[o][0] = 0;
    }
}

bool tern__blocks_are_short(const tern__blocks *b) {
    const tern__walk *w = &b->walk;
    return w->dims[w->rank - 2] > 1 && w->dims[w->rank - 1] <= SHORT_ROW;
}

/* Columns that a panel may have, INT64_MAX where no operand jumps along the last axis. `axis`: that
 * along which it lies closest. */
static int64_t panel_width(const tern__blocks *b, int *axis) {
    const tern__walk *w = &b->walk;
    int last = w->rank - 1;
    int64_t width = INT64_MAX;
    for (int o = 0; o < w->operands; o++) {
        int64_t step = tern__abs_i64(w->strides[o][last]), least = step;
        for (int i = 0; i < last && least > NEAR; i++) {
            int64_t stride = tern__abs_i64(w->strides[o][i]);
            if (stride > 0 && stride < least && w->dims[i] > 1) {
                least = stride;
                *axis = i;
            }
        }
        if (least < step)
            width = tern__max_i64(tern__cpu()->cache_l2, 256 << 10) / 4 / LINE;
    }
    return width;
}

/* Divisions are avoided where there is one block: they cost as much as a small operation. */
static int64_t parts(int64_t count, int64_t part) {
    return part == count ? 1 : count / part + (count % part != 0);
}

/* Rows of n elements that make up no more than `most`. */
static int64_t fitting(int64_t rows, int64_t n, int64_t most) {
    return rows == 1 ? 1 : tern__min_i64(rows, most / n);
}

void tern__blocks_cut(tern__blocks *b, int64_t most) {
    tern__walk *w = &b->walk;
    int axis = w->rank - 2;
    int64_t width = b->in_order ? INT64_MAX : panel_width(b, &axis);
    b->is_paneled = width < INT64_MAX;
    if (axis != w->rank - 2)
        move_axis(w, axis, w->rank - 2);
    int64_t rows = w->dims[w->rank - 2], n = w->dims[w->rank - 1];
    b->n = tern__min_i64(n, tern__min_i64(width, most));
    b->rows = b->n == n || b->n == width ? fitting(rows, b->n, most) : 1;
    b->in_rows = parts(rows, b->rows);
    b->in_n = parts(n, b->n);
}

void tern__blocks_run(const tern__blocks *b, tern__job_fn fn, void *argument) {
    int64_t count = b->in_rows * b->in_n;
    for (int i = 0; i + 2 < b->walk.rank; i++)
        count *= b->walk.dims[i];
    int64_t grain = count == 1 ? 1 : tern__max_i64(1, TERN__CPU_GRAIN / (b->rows * b->n));
    tern__team_run(b->cpu->team, count, grain, fn, argument);
}

void tern__blocks_at(const tern__blocks *b, int64_t index, tern__block *block) {
    const tern__walk *w = &b->walk;
    int64_t row = 0, column = 0, rest = 0;
    if (index > 0) {
        int64_t inner = b->is_paneled ? b->in_rows : b->in_n;
        int64_t outer = b->is_paneled ? b->in_n : b->in_rows;
        int64_t first = index % inner, second = index / inner % outer;
        row = (b->is_paneled ? first : second) * b->rows;
        column = (b->is_paneled ? second : first) * b->n;
        rest = index / inner / outer;
    }
    block->n = tern__min_i64(b->n, w->dims[w->rank - 1] - column);
    block->rows = tern__min_i64(b->rows, w->dims[w->rank - 2] - row);
    for (int o = 0; o < w->operands; o++)
        block->at[o] = row * tern__block_row_step(b, o) + column * tern__block_step(b, o);
    for (int i = w->rank - 3; i >= 0 && rest > 0; i--) {
        int64_t position = rest % w->dims[i];
        rest /= w->dims[i];
        for (int o = 0; o < w->operands; o++)
            block->at[o] += position * w->strides[o][i];
    }
}

void tern__block_move(const tern__cpu_device *cpu, tern__plain_fn fn, const tern__place *from,
                      const tern__place *to, int64_t rows, int64_t n) {
    bool by_columns =
        n <= NARROW ? rows > n : tern__abs_i64(from->row_step) < tern__abs_i64(from->step);
    tern__plain_block b = {from->data,   to->data, from->row_step, from->step,
                           to->row_step, to->step, rows,           n};
    if (by_columns)
        b = (tern__plain_block){from->data, to->data,     from->step, from->row_step,
                                to->step,   to->row_step, n,          rows};
    if (fn == NULL) {
        cpu->plain->copy_block[tern__size_index(from->size)](&b);
        return;
    }
    for (int64_t run = 0; run < b.runs; run++)
        fn((const uint8_t *)b.from + run * b.from_run * from->size, b.from_step,
           (uint8_t *)b.to + run * b.to_run * to->size, b.to_step, b.n);
}
