/* SPDX-License-Identifier: MIT */
#include "device/cpu/row_walk.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/dtype.h"

_Static_assert(TERN__REDUCE_BLOCK % TERN__PORTION == 0, "blocks end with portions");

/* -- rows --------------------------------------------------------------------------------------*/

tern__rows tern__rows_open(tern__device *device, const tern__op_call *call, const tern_shape *shape,
                           int axis) {
    tern__rows rows = {.cpu = tern__cpu_of(device), .call = call, .hub = tern__hub_of(call->type)};
    bool is_single = rows.hub == TERN__HUB_F32;
    rows.reduce = is_single ? &rows.cpu->reduce->f32 : &rows.cpu->reduce->f64;
    rows.size = is_single ? (int64_t)sizeof(float) : (int64_t)sizeof(double);
    rows.n = shape->dims[axis];
    rows.count = 1;
    for (int i = 0; i < shape->rank; i++)
        if (i != axis) {
            rows.dims[rows.rank++] = shape->dims[i];
            rows.count *= shape->dims[i];
        }
    return rows;
}

void tern__rows_add(tern__rows *rows, int slot, const tern_tensor *t, const tern_shape *shape,
                    int axis) {
    int64_t strides[TERN_MAX_RANK];
    tern__broadcast_strides(t, shape, strides);
    tern__row_operand *operand = &rows->slots[slot];
    operand->data = t->data;
    operand->dtype = (tern_dtype)t->dtype;
    operand->size = tern__dtype(operand->dtype)->block_bytes;
    operand->stride = strides[axis];
    for (int i = 0, at = 0; i < shape->rank; i++)
        if (i != axis)
            operand->strides[at++] = strides[i];
}

void tern__rows_run(const tern__rows *rows, tern__job_fn fn) {
    int64_t grain = TERN__CPU_GRAIN / 4 / tern__max_i64(rows->n, 1);
    tern__team_run(rows->cpu->team, rows->count, tern__max_i64(grain, 1), fn,
                   (void *)(uintptr_t)rows);
}

tern__row tern__row_at(const tern__rows *rows, int slot, int64_t index) {
    const tern__row_operand *operand = &rows->slots[slot];
    int64_t offset = 0;
    for (int i = rows->rank - 1; i >= 0; i--) {
        offset += index % rows->dims[i] * operand->strides[i];
        index /= rows->dims[i];
    }
    bool is_hub = operand->dtype == tern__hub_type(rows->hub);
    return (tern__row){.data = operand->data + offset * operand->size,
                       .stride = operand->stride * operand->size,
                       .step = operand->stride,
                       .dtype = operand->dtype,
                       .is_direct = is_hub && (operand->stride == 1 || rows->n == 1)};
}

void tern__row_stage(const tern__rows *rows, tern__row *row, void *room, size_t bytes) {
    if (row->is_direct || (size_t)rows->n > bytes / (size_t)rows->size)
        return;
    tern__cpu_load(rows->cpu, row->dtype, row->data, row->step, rows->hub, room, rows->n);
    *row = tern__row_of(rows, room);
}

const void *tern__row_read(const tern__rows *rows, const tern__row *row, int64_t i, int64_t n,
                           tern__portion *scratch) {
    const uint8_t *from = row->data + i * row->stride;
    if (row->is_direct)
        return from;
    tern__cpu_load(rows->cpu, row->dtype, from, row->step, rows->hub, scratch, n);
    return scratch;
}

void *tern__row_room(const tern__row *row, int64_t i, tern__portion *scratch) {
    return row->is_direct ? (void *)(row->data + i * row->stride) : (void *)scratch;
}

void tern__row_put(const tern__rows *rows, const tern__row *row, int64_t i, int64_t n,
                   const void *elements) {
    if (!row->is_direct)
        tern__cpu_store(rows->cpu, rows->hub, elements, row->dtype, row->data + i * row->stride,
                        row->step, n);
}

/* -- portions ----------------------------------------------------------------------------------*/

static void run_map(const tern__rows *rows, int code, const tern__map_args *args) {
    const tern__map_kernel *map = rows->cpu->map;
    (rows->hub == TERN__HUB_F32 ? map->f32[code] : map->f64[code])(args);
}

void tern__row_map(const tern__rows *rows, int code, const void *a, const void *b, double p,
                   void *out, int64_t n) {
    run_map(rows, code,
            &(tern__map_args){.in = {a, b}, .stride = {1, 1}, .out = out, .n = n, .p = p});
}

void tern__row_map_number(const tern__rows *rows, int code, const void *a, double b, void *out,
                          int64_t n) {
    tern__number number = tern__number_of(rows, b);
    run_map(rows, code,
            &(tern__map_args){.in = {a, &number}, .stride = {1, 0}, .out = out, .n = n});
}

void tern__row_exp(const tern__rows *rows, const void *x, void *out, int64_t n) {
    if (rows->hub == TERN__HUB_F32)
        rows->cpu->functions->f32[TERN__FUNCTION_EXP](x, 1, out, n);
    else
        rows->cpu->functions->f64[TERN__FUNCTION_EXP](x, 1, out, n);
}

double tern__row_log(const tern__rows *rows, double x) {
    tern__number number = tern__number_of(rows, x);
    if (rows->hub == TERN__HUB_F64) {
        rows->cpu->functions->f64[TERN__FUNCTION_LOG](&number.f64, 1, &number.f64, 1);
        return number.f64;
    }
    rows->cpu->functions->f32[TERN__FUNCTION_LOG](&number.f32, 1, &number.f32, 1);
    return number.f32;
}

/* -- reductions --------------------------------------------------------------------------------*/

/* A level before its first element. */
static void clear_level(tern__fold *fold, int level) {
    double first = fold->gathers == TERN__REDUCE_MAX ? (double)-INFINITY : 0;
    tern__partials *partials = &fold->partials[level];
    fold->counts[level] = 0;
    for (int j = 0; j < TERN__PARTIALS; j++)
        if (fold->rows->hub == TERN__HUB_F32)
            partials->f32[j] = (float)first;
        else
            partials->f64[j] = first;
}

void tern__fold_begin(tern__fold *fold, const tern__rows *rows, int reduction) {
    fold->rows = rows;
    fold->reduction = reduction;
    fold->gathers = tern__reduce_gathers(reduction);
    memset(fold->counts, 0, sizeof fold->counts);
    clear_level(fold, 0);
}

static double close_level(tern__fold *fold, int level) {
    const tern__reduce_type *reduce = fold->rows->reduce;
    tern__partials *partials = &fold->partials[level];
    int64_t rest = level > 0 ? fold->counts[level] % TERN__PARTIALS : 0;
    if (rest > 0)
        reduce->step[fold->gathers](partials, &fold->waiting[level], rest, NULL);
    reduce->finish[fold->gathers](partials);
    return fold->rows->hub == TERN__HUB_F32 ? (double)partials->f32[0] : partials->f64[0];
}

/* Gives a level one more result of the level below. */
static void push(tern__fold *fold, int level, double result) {
    if (fold->counts[level] == TERN__REDUCE_BLOCK && level + 1 < TERN__FOLD_LEVELS) {
        push(fold, level + 1, close_level(fold, level));
        fold->counts[level] = 0;
    }
    if (fold->counts[level] == 0)
        clear_level(fold, level);
    int64_t at = fold->counts[level]++ % TERN__PARTIALS;
    if (fold->rows->hub == TERN__HUB_F32)
        fold->waiting[level].f32[at] = (float)result;
    else
        fold->waiting[level].f64[at] = result;
    if (at == TERN__PARTIALS - 1)
        fold->rows->reduce->step[fold->gathers](&fold->partials[level], &fold->waiting[level],
                                                TERN__PARTIALS, NULL);
}

static void make_room(tern__fold *fold, int64_t n) {
    if (fold->counts[0] == TERN__REDUCE_BLOCK) {
        push(fold, 1, close_level(fold, 0));
        clear_level(fold, 0);
    }
    fold->counts[0] += n;
}

void tern__fold_step(tern__fold *fold, const void *x, int64_t n, double number) {
    tern__number q = tern__number_of(fold->rows, number);
    make_room(fold, n);
    fold->rows->reduce->step[fold->reduction](&fold->partials[0], x, n, &q);
}

void tern__fold_dot(tern__fold *fold, const void *x, const void *y, int64_t n) {
    make_room(fold, n);
    fold->rows->reduce->dot(&fold->partials[0], x, y, n);
}

double tern__fold_end(tern__fold *fold) {
    double result = close_level(fold, 0);
    for (int level = 1; level < TERN__FOLD_LEVELS && fold->counts[level] > 0; level++) {
        push(fold, level, result);
        result = close_level(fold, level);
    }
    return result;
}

double tern__row_reduce(const tern__rows *rows, const tern__row *x, int64_t n, int reduction,
                        double number) {
    tern__fold fold;
    tern__portion scratch;
    tern__fold_begin(&fold, rows, reduction);
    for (int64_t i = 0; i < n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, n - i);
        tern__fold_step(&fold, tern__row_read(rows, x, i, count, &scratch), count, number);
    }
    return tern__fold_end(&fold);
}

double tern__row_dot(const tern__rows *rows, const tern__row *x, const tern__row *y, int64_t n) {
    tern__fold fold;
    tern__portion scratch[2];
    tern__fold_begin(&fold, rows, TERN__REDUCE_SUM);
    for (int64_t i = 0; i < n; i += TERN__PORTION) {
        int64_t count = tern__min_i64(TERN__PORTION, n - i);
        const void *a = tern__row_read(rows, x, i, count, &scratch[0]);
        tern__fold_dot(&fold, a, tern__row_read(rows, y, i, count, &scratch[1]), count);
    }
    return tern__fold_end(&fold);
}
