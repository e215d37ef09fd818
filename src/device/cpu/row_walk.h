/* SPDX-License-Identifier: MIT
 *
 * Rows along one axis of the operands of a call, and what is done with them in portions: elements
 * of the type that is computed in are read and written where they lie, others go through scratch of
 * a portion. Sums follow the reduction rule for any length (docs/numerics.md).
 */
#ifndef TERN__ROW_WALK_H
#define TERN__ROW_WALK_H

#include "device/cpu/elementwise.h"
#include "kernels/reduce.h"

enum {
    TERN__PORTION = 1024,                /* elements; a whole number of them is a block */
    TERN__ROW_SLOTS = 1 + TERN__OPERANDS /* the result first */
};

/* Scratch of a portion, for the wider type. */
typedef struct tern__portion {
    double elements[TERN__PORTION];
} tern__portion;

typedef struct tern__row_operand {
    uint8_t *data;
    tern_dtype dtype;
    int64_t size;   /* bytes of an element */
    int64_t stride; /* along the row, in elements */
    int64_t strides[TERN_MAX_RANK];
} tern__row_operand;

typedef struct tern__rows {
    const tern__cpu_device *cpu;
    const tern__op_call *call;
    const tern__reduce_type *reduce;
    tern__hub hub;
    int64_t size;  /* bytes of an element of the hub's type */
    int64_t n;     /* elements of a row */
    int64_t count; /* rows */
    int rank;      /* axes that the rows are counted by */
    int64_t dims[TERN_MAX_RANK];
    tern__row_operand slots[TERN__ROW_SLOTS];
    void *user;
} tern__rows;

/* Rows of `shape` along `axis`; call->type is computed in. */
tern__rows tern__rows_open(tern__device *device, const tern__op_call *call, const tern_shape *shape,
                           int axis);
/* The rows of t, broadcast to the shape, are those of the slot. */
void tern__rows_add(tern__rows *rows, int slot, const tern_tensor *t, const tern_shape *shape,
                    int axis);
/* Calls fn, whose argument is `rows`, for pieces of the rows. */
void tern__rows_run(const tern__rows *rows, tern__job_fn fn);

/* One row of an operand. */
typedef struct tern__row {
    uint8_t *data;
    int64_t stride; /* bytes */
    int64_t step;   /* the same in elements */
    tern_dtype dtype;
    bool is_direct; /* contiguous elements of the hub's type */
} tern__row;

tern__row tern__row_at(const tern__rows *rows, int slot, int64_t index);

/* A row of elements of the hub's type that lie at `data`. */
static inline tern__row tern__row_of(const tern__rows *rows, void *data) {
    return (tern__row){data, rows->size, 1, tern__hub_type(rows->hub), true};
}

/* Gathers the row into `room` of that many bytes, when it is not direct and fits. */
void tern__row_stage(const tern__rows *rows, tern__row *row, void *room, size_t bytes);

/* n <= TERN__PORTION elements from element i on, where they lie or in the scratch. */
const void *tern__row_read(const tern__rows *rows, const tern__row *row, int64_t i, int64_t n,
                           tern__portion *scratch);
/* Where to write such elements; then tern__row_put brings them to their place. */
void *tern__row_room(const tern__row *row, int64_t i, tern__portion *scratch);
void tern__row_put(const tern__rows *rows, const tern__row *row, int64_t i, int64_t n,
                   const void *elements);

/* -- numbers of a row --------------------------------------------------------------------------*/

/* A number of the hub's type is kept as a double. The results of + - * / and sqrt are correctly
 * rounded in F32 when those in double are rounded to it: 53 >= 2 * 24 + 2 bits. */
static inline double tern__rounded(const tern__rows *rows, double x) {
    return rows->hub == TERN__HUB_F32 ? (double)(float)x : x;
}

typedef union tern__number {
    float f32;
    double f64;
} tern__number;

static inline tern__number tern__number_of(const tern__rows *rows, double x) {
    return rows->hub == TERN__HUB_F32 ? (tern__number){.f32 = (float)x} : (tern__number){.f64 = x};
}

double tern__row_log(const tern__rows *rows, double x);

/* -- portions ----------------------------------------------------------------------------------*/

/* out = the map's expression of contiguous a and b; in place allowed. */
void tern__row_map(const tern__rows *rows, int code, const void *a, const void *b, double p,
                   void *out, int64_t n);
/* The same with one number in place of b. */
void tern__row_map_number(const tern__rows *rows, int code, const void *a, double b, void *out,
                          int64_t n);
void tern__row_exp(const tern__rows *rows, const void *x, void *out, int64_t n);

/* -- reductions --------------------------------------------------------------------------------*/

enum { TERN__FOLD_LEVELS = 3 }; /* 2^48 elements */

typedef union tern__partials {
    float f32[TERN__PARTIALS];
    double f64[TERN__PARTIALS];
} tern__partials;

/* A running reduction: level 0 has the partial results of a block of elements, the levels above
 * those of blocks of results of the level below. */
typedef struct tern__fold {
    const tern__rows *rows;
    int reduction, gathers;
    int64_t counts[TERN__FOLD_LEVELS];
    tern__partials partials[TERN__FOLD_LEVELS]; /* those of a level with elements */
    tern__partials waiting[TERN__FOLD_LEVELS];  /* results that are no whole step yet */
} tern__fold;

/* TERN__REDUCE_SUM, MAX, DEVIATIONS or EXPONENTIALS; SUM for tern__fold_dot. */
void tern__fold_begin(tern__fold *fold, const tern__rows *rows, int reduction);
/* The next n elements: a portion, fewer at the end only. */
void tern__fold_step(tern__fold *fold, const void *x, int64_t n, double number);
void tern__fold_dot(tern__fold *fold, const void *x, const void *y, int64_t n);
double tern__fold_end(tern__fold *fold);

/* Of n elements of a row. */
double tern__row_reduce(const tern__rows *rows, const tern__row *x, int64_t n, int reduction,
                        double number);
double tern__row_dot(const tern__rows *rows, const tern__row *x, const tern__row *y, int64_t n);

#endif
