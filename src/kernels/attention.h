/* SPDX-License-Identifier: MIT
 *
 * Family `attention`: the two products of attention over an F16 or F32 cache, for a group of query
 * rows that share one key/value head and see the same positions.
 */
#ifndef TERN__ATTENTION_H
#define TERN__ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu.h"

/* One key/value head and the query rows that share it. */
typedef struct tern__attention_args {
    const float *x; /* (group, x_stride): query rows for scores, probabilities for mix */
    int64_t x_stride;
    int group;          /* rows that share the head; any number >= 1 */
    bool is_f16;        /* the type of `rows`: F16, else F32 */
    const void *rows;   /* (length, row_stride): keys for scores, values for mix */
    int64_t row_stride; /* elements, as all strides */
    int64_t length;     /* positions */
    int64_t head_size;
    float scale; /* scores only */
    float *out;  /* (group, out_stride): scores (length each) or mixed rows (head_size) */
    int64_t out_stride;
} tern__attention_args;

typedef struct tern__attention_kernel {
    tern__variant variant;
    /* out[g][t] = dot(x[g], rows[t]) * scale for t < length; the dot by the reduction rule of
     * kernels/rows.h over head_size elements. */
    void (*scores)(const tern__attention_args *args);
    /* out[g][d] = fma(x[g][t], rows[t][d], out[g][d]) for t in order, from +0; d < head_size. */
    void (*mix)(const tern__attention_args *args);
} tern__attention_kernel;

extern const tern__attention_kernel *const tern__attention_family[];

#endif
