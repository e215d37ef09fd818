/* SPDX-License-Identifier: MIT
 * The axes of an operand split into those that a reduction (or a scan, or a selection) goes over
 * and those that it keeps: each result is made of one row of elements, in row-major order of the
 * reduced axes. Adjacent axes are merged where strides allow it. */
#ifndef TERN__SPLIT_H
#define TERN__SPLIT_H

#include "device/cpu/cpu.h"

typedef struct tern__split {
    const uint8_t *data; /* the operand */
    tern_dtype dtype;
    int64_t size;      /* bytes of an element */
    int kept, reduced; /* numbers of axes, at least 1 each */
    int64_t kept_dims[TERN_MAX_RANK], kept_strides[TERN_MAX_RANK];
    int64_t out_strides[TERN_MAX_RANK];                  /* of the kept axes in the result */
    int64_t dims[TERN_MAX_RANK], strides[TERN_MAX_RANK]; /* of the reduced ones */
    int64_t outer;   /* kept elements without the last kept axis */
    int64_t columns; /* of the last kept axis */
    int64_t n;       /* elements of a row */
    bool is_columns; /* better done for many results at a time, along the last kept axis */
} tern__split;

/* `axes` is a set. The result has the kept axes, with or without the others at length 1 between
 * them. */
void tern__split_axes(tern__split *split, const tern_tensor *x, unsigned axes,
                      const tern_tensor *out);

/* For results that do not depend on the order of the elements: puts the reduced axes into the order
 * of memory. */
void tern__split_any_order(tern__split *split);

/* Looks for a kept axis along which memory is closer together than along the rows, moves it to the
 * end and sets is_columns. */
void tern__split_prefer_columns(tern__split *split);

/* Elements from the beginning of the operand and of the result to those of index `outer` of the
 * kept axes before the last. */
typedef struct tern__split_place {
    int64_t x, out;
} tern__split_place;
tern__split_place tern__split_at(const tern__split *split, int64_t outer);

/* A walk along a row. */
typedef struct tern__cursor {
    const tern__split *split;
    int64_t offset; /* elements from the beginning of the row */
    int64_t index[TERN_MAX_RANK];
} tern__cursor;

tern__cursor tern__cursor_at(const tern__split *split, int64_t element);

/* Elements up to the end of the last axis, `strides[reduced - 1]` apart. */
static inline int64_t tern__cursor_run(const tern__cursor *cursor) {
    int last = cursor->split->reduced - 1;
    return cursor->split->dims[last] - cursor->index[last];
}

/* Goes on by `count` elements, no more than the run. */
void tern__cursor_move(tern__cursor *cursor, int64_t count);

#endif
