/* SPDX-License-Identifier: MIT
 *
 * Family `reduce`: the reduction rule (docs/numerics.md) in F32, F64 and I64.
 *
 * 64 partial results, partial j taking the elements j, j + 64, j + 128, ... in that order, each by
 * the step of its reduction (reduce_ops.h); then partial[j] = partial[j] (+) partial[j + s] for
 * s = 32, 16, 8, 4, 2, 1, where (+) is the step of what gathers partial results. Whoever calls
 * holds the partials, so a row may come in portions; all but the last of them of a multiple of 64
 * elements. A row of at most TERN__REDUCE_BLOCK elements is reduced so; the results of the blocks
 * of a longer one are reduced by the same rule. Integers wrap, so their order does not matter; nor
 * does that of a minimum or maximum.
 *
 * The same over columns: partials (64, width), row j of them takes the rows j, j + 64, ... of x.
 */
#ifndef TERN__REDUCE_H
#define TERN__REDUCE_H

#include <stdint.h>

#include "base/cpu.h"
#include "base/inline.h"
#include "kernels/reduce_ops.h"

enum { TERN__PARTIALS = 64, TERN__REDUCE_BLOCK = 65536 };

/* The first four gather the partial results of all: see tern__reduce_gathers. */
enum {
    TERN__REDUCE_SUM,
    TERN__REDUCE_PROD,
    TERN__REDUCE_MIN,
    TERN__REDUCE_MAX,
    TERN__REDUCE_GATHERS,
    TERN__REDUCE_SQUARES = TERN__REDUCE_GATHERS,
    TERN__REDUCE_MAGNITUDES,
    TERN__REDUCE_DEVIATIONS,
    TERN__REDUCE_EXPONENTIALS,
    TERN__REDUCE_LEAST_MAGNITUDE,
    TERN__REDUCE_LARGEST_MAGNITUDE,
    TERN__REDUCE_COUNT
};

/* `number` is one of the type (the mean, the maximum), for reductions that have one. A minimum or
 * maximum may have its NaN in another partial than here. */
typedef void (*tern__reduce_step)(void *partials, const void *x, int64_t n, const void *number);

/* Leaves the result in partials[0]. */
typedef void (*tern__reduce_finish)(void *partials);

/* Row r < rows <= 64 of the partials takes the rows r, r + 64, ... of x, `depth` of them,
 * row_stride elements apart, n columns of each. width >= n is a multiple of 16, and so many numbers
 * are readable at `numbers`; columns of the partials from n on are undefined. */
typedef struct tern__reduce_rows {
    const void *x;
    int64_t row_stride, rows, depth, n;
    const void *start;   /* one number that the partials begin with, or NULL: they go on */
    const void *numbers; /* one for each column, or NULL */
} tern__reduce_rows;
typedef void (*tern__reduce_columns)(void *partials, int64_t width, const tern__reduce_rows *rows);

/* Where the smallest or largest of each column is: values[i] and places[i], an integer as wide, go
 * on with the rows of x (depth 1), whose places are `first`, first + 1, ... Values begin with what
 * a minimum or maximum begins with and places with that of the first row; n is rounded up to a
 * multiple of 16 in both. A value is replaced by better ones only, or by the first NaN. */
typedef void (*tern__reduce_places)(void *values, void *places, const tern__reduce_rows *rows,
                                    int64_t first);

/* fma(x, y, partial); I64: wrapping. */
typedef void (*tern__reduce_dot)(void *partials, const void *x, const void *y, int64_t n);

/* NULL: the reduction does not exist in the type (I64 has the first four). */
typedef struct tern__reduce_type {
    tern__reduce_step step[TERN__REDUCE_COUNT];
    tern__reduce_columns columns[TERN__REDUCE_COUNT];
    tern__reduce_finish finish[TERN__REDUCE_GATHERS];
    tern__reduce_dot dot;
    tern__reduce_places smallest, largest;
} tern__reduce_type;

/* How many of n contiguous elements, the bits that the mask leaves of them, are not 0; for
 * elements of 1, 2, 4 and 8 bytes. */
typedef int64_t (*tern__reduce_count)(const void *x, int64_t n, uint64_t mask);

typedef struct tern__reduce_kernel {
    tern__variant variant;
    tern__reduce_type f32, f64, i64;
    tern__reduce_count count[4];
} tern__reduce_kernel;

extern const tern__reduce_kernel *const tern__reduce_family[];

/* What gathers the partial results of a reduction. */
TERN__INLINE int tern__reduce_gathers(int reduction) {
    switch (reduction) {
    case TERN__REDUCE_PROD:
        return TERN__REDUCE_PROD;
    case TERN__REDUCE_MIN:
    case TERN__REDUCE_LEAST_MAGNITUDE:
        return TERN__REDUCE_MIN;
    case TERN__REDUCE_MAX:
    case TERN__REDUCE_LARGEST_MAGNITUDE:
        return TERN__REDUCE_MAX;
    default:
        return TERN__REDUCE_SUM;
    }
}

#endif
