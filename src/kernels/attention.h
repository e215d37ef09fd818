/* SPDX-License-Identifier: MIT
 *
 * Family `attention`: the two products of attention over a cache of F32, F16 or I8, for the query
 * rows of a group that share one key/value head, at one or several consecutive positions.
 *
 * Query row r of queries * group is row g = r % group of query i = r / group; it sees the positions
 * t < length + i (causal). Each row's result is defined by itself: sharing and order of the rows,
 * blocks of positions and lanes change nothing.
 */
#ifndef TERN__ATTENTION_H
#define TERN__ATTENTION_H

#include <stdint.h>

#include "base/cpu.h"

typedef enum tern__attention_type {
    TERN__ATTENTION_F32,
    TERN__ATTENTION_F16,
    TERN__ATTENTION_I8, /* with a scale for each position */
} tern__attention_type;

/* One key/value head and the query rows that share it. All strides are in elements. */
typedef struct tern__attention_args {
    const float *x; /* (queries, group): query rows for scores, probabilities for mix */
    int64_t x_query_stride, x_stride;
    int queries, group;        /* any numbers >= 1 */
    tern__attention_type type; /* of `rows` */
    const void *rows;          /* (length + queries - 1, row_stride): keys, or values for mix */
    int64_t row_stride;
    const float *row_scales; /* (length + queries - 1), of I8 */
    int64_t length;          /* positions that query 0 sees */
    int64_t head_size;
    float scale; /* scores only */
    float *out;  /* (queries, group): length + i scores, or a mixed row of head_size */
    int64_t out_query_stride, out_stride;
} tern__attention_args;

typedef struct tern__attention_kernel {
    tern__variant variant;
    /* out[r][t] = dot(x[r], rows[t]) * scale, of I8 (dot(x[r], rows[t]) * row_scales[t]) * scale;
     * the dot by the reduction rule of kernels/rows.h over head_size elements. */
    void (*scores)(const tern__attention_args *args);
    /* out[r][d] = fma(p, rows[t][d], out[r][d]) for t in order, from +0; d < head_size. p is
     * x[r][t], of I8 x[r][t] * row_scales[t], rounded. */
    void (*mix)(const tern__attention_args *args);
} tern__attention_kernel;

extern const tern__attention_kernel *const tern__attention_family[];

#endif
