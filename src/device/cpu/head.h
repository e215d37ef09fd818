/* SPDX-License-Identifier: MIT
 *
 * Bounds of the products of a row x (K) with the rows of a table (V, K) from the table's quantised
 * copy, its screen: head_bounds.c has the theorem, head_screen.c what it is for. */
#ifndef TERN__CPU_HEAD_H
#define TERN__CPU_HEAD_H

#include "device/cpu/packed.h"

/* x cut into two planes of int8, and what makes a bound of the norms of a row: the product is
 * within error * by_error + norm * by_norm + least of what the planes give. */
typedef struct tern__planes {
    int8_t *q;        /* (2, q_stride), the caller's: high, low */
    int64_t q_stride; /* >= the screen's padded columns */
    int32_t sums[2];  /* of the planes */
    double unit;      /* 2^-p: x ~ (256 high + low) * unit */
    double by_error, by_norm, least;
} tern__planes;

/* Fills all but the first two members. False when there is no bound: a number of x or of the table
 * is not finite, or a chain may overflow. */
bool tern__planes_split(const tern__cpu_device *cpu, const tern__packed *screen, const float *x,
                        tern__planes *planes);

/* Of the rows [first, first + count), whose integer sums with both planes lie in sums (2, V):
 * below[i] <= the product with row first + i, a chain of F32, <= above[i]. */
void tern__planes_bounds(const tern__planes *planes, const tern__packed *screen,
                         const int32_t *sums, int64_t first, int64_t count, double *below,
                         double *above);

#endif
