/* SPDX-License-Identifier: MIT
 *
 * Softmax and its gradient along an axis across which memory is closer together than along it: a
 * tile of adjacent rows is done at a time, element i of all of them before element i + 1. Row j of
 * a table of partial results in the lane's scratch belongs to the elements j, j + 64, ..., so the
 * bits are those of the rows one by one.
 */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "device/cpu/norms.h"

enum { WIDTH = 128 }; /* rows of a tile */
_Static_assert(sizeof(double) * TERN__PARTIALS * WIDTH <= TERN__LANE_SCRATCH, "the table fits");

/* One number of the hub's type for each row of a tile. */
typedef union line {
    float f32[WIDTH];
    double f64[WIDTH];
} line;

/* A tile: `columns` adjacent rows. */
typedef struct tile {
    const tern__rows *r;
    uint8_t *data[TERN__ROW_SLOTS]; /* element 0 of the first row */
    int64_t columns;
    uint8_t *table; /* (64, WIDTH) */
} tile;

static int64_t step_across(const tern__rows *r, int slot) {
    return r->slots[slot].strides[r->rank - 1];
}

bool tern__softmax_prefers_columns(const tern__rows *r) {
    const tern__row_operand *x = &r->slots[1];
    return r->rank > 0 && r->n > 1 && r->n <= TERN__REDUCE_BLOCK && r->dims[r->rank - 1] > 1 &&
           tern__abs_i64(step_across(r, 1)) < tern__abs_i64(x->stride);
}

static bool is_direct(const tern__rows *r, int slot) {
    return r->slots[slot].dtype == tern__hub_type(r->hub) && step_across(r, slot) == 1;
}

static uint8_t *place(const tile *t, int slot, int64_t i) {
    const tern__row_operand *operand = &t->r->slots[slot];
    return t->data[slot] + i * operand->stride * operand->size;
}

/* Element i of the rows. */
static const void *read_line(const tile *t, int slot, int64_t i, line *scratch) {
    const uint8_t *from = place(t, slot, i);
    if (is_direct(t->r, slot))
        return from;
    tern__cpu_load(t->r->cpu, t->r->slots[slot].dtype, from, step_across(t->r, slot), t->r->hub,
                   scratch, t->columns);
    return scratch;
}

static void write_line(const tile *t, int64_t i, const void *from) {
    uint8_t *to = place(t, 0, i);
    if (is_direct(t->r, 0))
        memcpy(to, from, (size_t)(t->columns * t->r->size));
    else
        tern__cpu_store(t->r->cpu, t->r->hub, from, t->r->slots[0].dtype, to, step_across(t->r, 0),
                        t->columns);
}

/* out = the map's expression of lines. */
static void map(const tile *t, int code, const void *a, const void *b, void *out) {
    tern__row_map(t->r, code, a, b, 0, out, t->columns);
}

/* -- reductions --------------------------------------------------------------------------------*/

static void find_largest(const tile *t, line *largest) {
    line scratch;
    memcpy(largest, read_line(t, 1, 0, &scratch), (size_t)(t->columns * t->r->size));
    for (int64_t i = 1; i < t->r->n; i++)
        map(t, TERN__MAP_MAXIMUM, largest, read_line(t, 1, i, &scratch), largest);
}

static void clear_table(const tile *t) {
    memset(t->table, 0, (size_t)(TERN__PARTIALS * WIDTH * t->r->size));
}

static void *table_row(const tile *t, int64_t i) {
    return t->table + i % TERN__PARTIALS * WIDTH * t->r->size;
}

static void fold_table(const tile *t, line *sums) {
    for (int s = TERN__PARTIALS / 2; s > 0; s /= 2)
        for (int k = 0; k < s; k++)
            map(t, TERN__MAP_ADD, table_row(t, k), table_row(t, k + s), table_row(t, k));
    memcpy(sums, t->table, (size_t)(t->columns * t->r->size));
}

/* Adds the elements [i, i + rows * depth) of the rows to as many partial results as the kernel
 * takes rows. */
static void add_elements(const tile *t, int reduction, const line *numbers, int64_t i, int64_t rows,
                         int64_t depth) {
    line scratch;
    const tern__reduce_rows elements = {.x = read_line(t, 1, i, &scratch),
                                        .row_stride = t->r->slots[1].stride,
                                        .rows = rows,
                                        .depth = depth,
                                        .n = t->columns,
                                        .numbers = numbers};
    t->r->reduce->columns[reduction](table_row(t, i), WIDTH, &elements);
}

/* TERN__REDUCE_SUM or EXPONENTIALS of the first operand. */
static void sum_up(const tile *t, int reduction, const line *numbers, line *sums) {
    int64_t i = 0, n = t->r->n, whole = n / TERN__PARTIALS;
    clear_table(t);
    if (is_direct(t->r, 1)) {
        if (whole > 0)
            add_elements(t, reduction, numbers, 0, TERN__PARTIALS, whole);
        if (n % TERN__PARTIALS > 0)
            add_elements(t, reduction, numbers, whole * TERN__PARTIALS, n % TERN__PARTIALS, 1);
        i = n;
    }
    for (; i < n; i++)
        add_elements(t, reduction, numbers, i, 1, 1);
    fold_table(t, sums);
}

/* Of both operands. */
static void dot(const tile *t, line *sums) {
    line scratch[2];
    const tern__map_kernel *kernel = t->r->cpu->map;
    tern__map_fn fused = (t->r->hub == TERN__HUB_F32 ? kernel->f32 : kernel->f64)[TERN__MAP_FMA];
    clear_table(t);
    for (int64_t i = 0; i < t->r->n; i++) {
        void *partial = table_row(t, i);
        fused(&(tern__map_args){
            .in = {read_line(t, 1, i, &scratch[0]), read_line(t, 2, i, &scratch[1]), partial},
            .stride = {1, 1, 1},
            .out = partial,
            .n = t->columns});
    }
    fold_table(t, sums);
}

/* -- tiles -------------------------------------------------------------------------------------*/

/* exp(x - m) * (1 / sum), or x - m - log(sum) */
static void softmax_tile(const tile *t) {
    const tern__rows *r = t->r;
    bool is_log = r->call->op == TERN__OP_LOG_SOFTMAX;
    line largest, sums, scratch, value;
    memset(&largest, 0, sizeof largest);
    find_largest(t, &largest);
    sum_up(t, TERN__REDUCE_EXPONENTIALS, &largest, &sums);
    if (is_log && r->hub == TERN__HUB_F32)
        r->cpu->functions->f32[TERN__FUNCTION_LOG](sums.f32, 1, sums.f32, t->columns);
    else if (is_log)
        r->cpu->functions->f64[TERN__FUNCTION_LOG](sums.f64, 1, sums.f64, t->columns);
    else
        map(t, TERN__MAP_RECIPROCAL, &sums, NULL, &sums);
    for (int64_t i = 0; i < r->n; i++) {
        map(t, TERN__MAP_SUB, read_line(t, 1, i, &scratch), &largest, &value);
        if (!is_log)
            tern__row_exp(r, &value, &value, t->columns);
        map(t, is_log ? TERN__MAP_SUB : TERN__MAP_MUL, &value, &sums, &value);
        write_line(t, i, &value);
    }
}

/* (g - dot(g, y)) * y, or g - exp(y) * sum(g) */
static void backward_tile(const tile *t) {
    const tern__rows *r = t->r;
    bool is_log = r->call->op == TERN__OP_LOG_SOFTMAX_BACKWARD;
    const tern__map_kernel *kernel = r->cpu->map;
    tern__map_fn fused = (r->hub == TERN__HUB_F32 ? kernel->f32 : kernel->f64)[TERN__MAP_FMA];
    line sums, scratch[2], value;
    if (is_log) {
        sum_up(t, TERN__REDUCE_SUM, NULL, &sums);
        map(t, TERN__MAP_NEG, &sums, NULL, &sums);
    } else {
        dot(t, &sums);
    }
    for (int64_t i = 0; i < r->n; i++) {
        const void *g = read_line(t, 1, i, &scratch[0]), *y = read_line(t, 2, i, &scratch[1]);
        if (is_log) {
            tern__row_exp(r, y, &value, t->columns);
            fused(&(tern__map_args){
                .in = {&value, &sums, g}, .stride = {1, 1, 1}, .out = &value, .n = t->columns});
        } else {
            map(t, TERN__MAP_SUB, g, &sums, &value);
            map(t, TERN__MAP_MUL, &value, y, &value);
        }
        write_line(t, i, &value);
    }
}

/* Indices are (row / columns, tile). */
static void do_tiles(void *argument, int64_t begin, int64_t end, int lane) {
    const tern__rows *r = argument;
    int64_t columns = r->dims[r->rank - 1], tiles = (columns - 1) / WIDTH + 1;
    bool is_backward = r->slots[2].data != NULL;
    for (int64_t index = begin; index < end; index++) {
        int64_t first = index % tiles * WIDTH;
        tile t = {.r = r,
                  .columns = tern__min_i64(WIDTH, columns - first),
                  .table = tern__lane_scratch(r->cpu, lane)};
        for (int slot = 0; slot < (is_backward ? 3 : 2); slot++)
            t.data[slot] = tern__row_at(r, slot, index / tiles * columns + first).data;
        if (is_backward)
            backward_tile(&t);
        else
            softmax_tile(&t);
    }
}

void tern__softmax_columns(const tern__rows *r) {
    int64_t columns = r->dims[r->rank - 1];
    int64_t work = r->n * tern__min_i64(columns, WIDTH);
    tern__team_run(r->cpu->team, r->count / columns * ((columns - 1) / WIDTH + 1),
                   tern__max_i64(1, TERN__CPU_GRAIN / 4 / work), do_tiles, (void *)(uintptr_t)r);
}
