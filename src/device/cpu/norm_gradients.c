/* SPDX-License-Identifier: MIT
 *
 * Gradients of rms_norm and layer_norm (docs/numerics.md has the formulas). Rows are taken one by
 * one for the gradient of x, which leaves mean and factor of each row in a table; then columns, a
 * tile at a time, for those of weight and bias: sums over the rows in their order, by the
 * reduction rule.
 */
#include <string.h>

#include "base/checked.h"
#include "base/status.h"
#include "device/cpu/norms.h"
#include "device/norm_call.h"

enum { COLUMNS = 128 }; /* of a tile, whose partial results take a lane's scratch */
_Static_assert(sizeof(double) * TERN__PARTIALS * COLUMNS <= TERN__LANE_SCRATCH, "they fit");

/* Slots of the rows. */
enum { GRAD_X, GRAD, X, WEIGHT };

typedef struct row_numbers {
    double mean, factor;
} row_numbers;

typedef struct gradients_job {
    tern__rows rows; /* first: what tern__rows_run hands on */
    bool is_layer, has_weight, has_grad_x;
    row_numbers *numbers; /* (rows) */
    bool is_bias;         /* the sums are the gradient of the bias */
    uint8_t *sums;        /* (blocks, D) of the hub's type */
    int64_t blocks, tiles;
    uint8_t *out; /* (D) */
} gradients_job;

/* v = (x - mean) * factor, without the mean for rms_norm */
static void normalise(const gradients_job *j, const row_numbers *numbers, const void *x, void *v,
                      int64_t n) {
    if (j->is_layer) {
        tern__row_map_number(&j->rows, TERN__MAP_SUB, x, numbers->mean, v, n);
        x = v;
    }
    tern__row_map(&j->rows, TERN__MAP_SCALE, x, NULL, numbers->factor, v, n);
}

/* -- of x --------------------------------------------------------------------------------------*/

typedef struct row_view {
    tern__row grad, x, weight;
    row_numbers numbers;
} row_view;

/* t = grad * weight and v for elements [i, i + n) */
static void read_portion(const gradients_job *j, const row_view *row, int64_t i, int64_t n,
                         tern__portion *t, tern__portion *v) {
    const tern__rows *r = &j->rows;
    tern__portion factors;
    normalise(j, &row->numbers, tern__row_read(r, &row->x, i, n, v), v, n);
    const void *grad = tern__row_read(r, &row->grad, i, n, t);
    if (j->has_weight)
        tern__row_map(r, TERN__MAP_MUL, grad, tern__row_read(r, &row->weight, i, n, &factors), 0, t,
                      n);
    else
        memmove(t, grad, (size_t)(n * r->size));
}

/* (t - sum(t) / n - v * (dot(t, v) / n)) * factor, without the sum for rms_norm */
static void write_grad_x(const gradients_job *j, const row_view *row, const tern__row *out) {
    const tern__rows *r = &j->rows;
    tern__portion t, v;
    tern__fold sum, dot;
    tern__fold_begin(&sum, r, TERN__REDUCE_SUM);
    tern__fold_begin(&dot, r, TERN__REDUCE_SUM);
    for (int64_t i = 0; i < r->n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, r->n - i);
        read_portion(j, row, i, count, &t, &v);
        tern__fold_step(&sum, &t, count, 0);
        tern__fold_dot(&dot, &t, &v, count);
    }
    double n = tern__rounded(r, (double)r->n);
    double sum_part = tern__rounded(r, tern__fold_end(&sum) / n);
    double dot_part = tern__rounded(r, tern__fold_end(&dot) / n);
    for (int64_t i = 0; i < r->n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, r->n - i);
        read_portion(j, row, i, count, &t, &v);
        if (j->is_layer)
            tern__row_map_number(r, TERN__MAP_SUB, &t, sum_part, &t, count);
        tern__row_map(r, TERN__MAP_ADD_SCALED, &t, &v, -dot_part, &t, count);
        void *to = tern__row_room(out, i, &v);
        tern__row_map(r, TERN__MAP_SCALE, &t, NULL, row->numbers.factor, to, count);
        tern__row_put(r, out, i, count, to);
    }
}

static void do_rows(void *argument, int64_t begin, int64_t end, int lane) {
    const gradients_job *j = argument;
    const tern__rows *r = &j->rows;
    row_view row = {0};
    if (j->has_weight)
        row.weight = tern__row_at(r, WEIGHT, 0);
    for (int64_t index = begin; index < end; index++) {
        row.x = tern__row_at(r, X, index);
        tern__norm_stage(r, &row.x, lane, 0);
        double epsilon = r->call->number;
        row.numbers.factor = j->is_layer
                                 ? tern__norm_of_deviations(r, &row.x, epsilon, &row.numbers.mean)
                                 : tern__norm_of_squares(r, &row.x, epsilon);
        j->numbers[index] = row.numbers;
        if (!j->has_grad_x)
            continue;
        row.grad = tern__row_at(r, GRAD, index);
        tern__norm_stage(r, &row.grad, lane, 1);
        tern__row out = tern__row_at(r, GRAD_X, index);
        write_grad_x(j, &row, &out);
    }
}

/* -- of weight and bias ------------------------------------------------------------------------*/

/* grad * v, or grad, of one row. */
static const void *product_of(const gradients_job *j, int64_t index, int64_t first, int64_t n,
                              tern__portion scratch[2]) {
    const tern__rows *r = &j->rows;
    tern__row grad = tern__row_at(r, GRAD, index);
    const void *g = tern__row_read(r, &grad, first, n, &scratch[0]);
    if (j->is_bias)
        return g;
    tern__row x = tern__row_at(r, X, index);
    normalise(j, &j->numbers[index], tern__row_read(r, &x, first, n, &scratch[1]), &scratch[1], n);
    tern__row_map(r, TERN__MAP_MUL, g, &scratch[1], 0, &scratch[1], n);
    return &scratch[1];
}

/* Indices are (block, tile). */
static void do_tiles(void *argument, int64_t begin, int64_t end, int lane) {
    const gradients_job *j = argument;
    const tern__rows *r = &j->rows;
    uint8_t *partials = tern__lane_scratch(r->cpu, lane);
    int64_t line = COLUMNS * r->size;
    tern__portion scratch[2];
    for (int64_t index = begin; index < end; index++) {
        int64_t block = index / j->tiles, first = index % j->tiles * COLUMNS;
        int64_t n = tern__min_i64(COLUMNS, r->n - first);
        int64_t row = block * TERN__REDUCE_BLOCK;
        int64_t last = tern__min_i64(row + TERN__REDUCE_BLOCK, r->count);
        memset(partials, 0, (size_t)(TERN__PARTIALS * line));
        for (int64_t i = 0; row < last; i++, row++) {
            const void *product = product_of(j, row, first, n, scratch);
            r->reduce->columns[TERN__REDUCE_SUM](
                partials + i % TERN__PARTIALS * line, COLUMNS,
                &(tern__reduce_rows){.x = product, .row_stride = n, .rows = 1, .depth = 1, .n = n});
        }
        for (int s = TERN__PARTIALS / 2; s > 0; s /= 2)
            for (int k = 0; k < s; k++)
                tern__row_map(r, TERN__MAP_ADD, partials + k * line, partials + (k + s) * line, 0,
                              partials + k * line, n);
        memcpy(j->sums + (block * r->n + first) * r->size, partials, (size_t)(n * r->size));
    }
}

/* Sums of blocks by the same rule. */
static void do_columns(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    const gradients_job *j = argument;
    const tern__rows *r = &j->rows;
    tern__row out = tern__row_of(r, j->out);
    tern__row column = {.stride = r->n * r->size, .step = r->n, .dtype = r->call->type};
    for (int64_t i = begin; i < end; i++) {
        column.data = j->sums + i * r->size;
        double sum = tern__row_reduce(r, &column, j->blocks, TERN__REDUCE_SUM, 0);
        tern__number number = tern__number_of(r, sum);
        memcpy(out.data + i * r->size, &number, (size_t)r->size);
    }
}

static void sum_rows(gradients_job *j, tern_tensor *out, bool is_bias, uint8_t *sums) {
    tern__team *team = j->rows.cpu->team;
    j->is_bias = is_bias;
    j->out = out->data;
    j->sums = j->blocks > 1 ? sums : j->out;
    int64_t work = COLUMNS * tern__max_i64(1, tern__min_i64(j->rows.count, TERN__REDUCE_BLOCK));
    tern__team_run(team, j->blocks * j->tiles, tern__max_i64(1, TERN__CPU_GRAIN / work), do_tiles,
                   j);
    if (j->blocks > 1)
        tern__team_run(team, j->rows.n, tern__max_i64(1, TERN__CPU_GRAIN / j->blocks), do_columns,
                       j);
}

/* -- the call ----------------------------------------------------------------------------------*/

static gradients_job open_job(tern__device *device, const tern__op_call *call) {
    const tern__norm_gradients *out = call->detail;
    tern_shape shape = tern_tensor_shape(call->in[1]);
    int axis = shape.rank - 1;
    gradients_job j = {.rows = tern__rows_open(device, call, &shape, axis),
                       .is_layer = call->op == TERN__OP_LAYER_NORM_BACKWARD,
                       .has_weight = call->in[2] != NULL,
                       .has_grad_x = out->x != NULL};
    tern__rows_add(&j.rows, GRAD, call->in[0], &shape, axis);
    tern__rows_add(&j.rows, X, call->in[1], &shape, axis);
    if (j.has_weight)
        tern__rows_add(&j.rows, WEIGHT, call->in[2], &shape, axis);
    if (j.has_grad_x)
        tern__rows_add(&j.rows, GRAD_X, out->x, &shape, axis);
    j.tiles = (j.rows.n + COLUMNS - 1) / COLUMNS;
    j.blocks = tern__max_i64(1, (j.rows.count + TERN__REDUCE_BLOCK - 1) / TERN__REDUCE_BLOCK);
    return j;
}

tern_status tern__cpu_norm_backward(tern__device *device, const tern__op_call *call) {
    const tern__norm_gradients *out = call->detail;
    gradients_job j = open_job(device, call);
    int64_t sums = j.blocks > 1 ? j.blocks * j.rows.n * (int64_t)sizeof(double) : 0;
    size_t bytes = (size_t)(tern__max_i64(1, j.rows.count) * (int64_t)sizeof(row_numbers) + sums);
    static const tern__note note = {.op = "norm_backward", .rank = -1};
    void *block = NULL;
    tern_status status =
        tern__pool_alloc(call->context->pool, bytes, TERN__BLOCK_DATA, &note, &block);
    if (status != TERN_OK)
        return status;
    j.numbers = block;
    uint8_t *room = (uint8_t *)block + bytes - sums;
    tern__rows_run(&j.rows, do_rows);
    if (out->weight != NULL)
        sum_rows(&j, out->weight, false, room);
    if (out->bias != NULL)
        sum_rows(&j, out->bias, true, room);
    tern__pool_free(call->context->pool, block, bytes, TERN__BLOCK_DATA);
    return TERN_OK;
}
