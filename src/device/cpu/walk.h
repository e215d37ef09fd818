/* SPDX-License-Identifier: MIT
 * Walking over strided operands of one shape. */
#ifndef TERN__WALK_H
#define TERN__WALK_H

#include "device/cpu/cpu.h"

enum { TERN__WALK_OPERANDS = 1 + TERN__OPERANDS }; /* the result first */

/* Adjacent axes are merged where every operand allows it. The last axis is the run that a kernel
 * gets; the others are counted by a row number. */
typedef struct tern__walk {
    int rank; /* >= 1 */
    int operands;
    int64_t dims[TERN_MAX_RANK];
    int64_t strides[TERN__WALK_OPERANDS][TERN_MAX_RANK]; /* in elements */
} tern__walk;

/* Tensors broadcast to one shape; axes are merged. */
void tern__walk_open(tern__walk *walk, const tern_shape *shape, int operands,
                     const tern_tensor *const *tensors);

/* Merges the axes of a walk whose dimensions and strides are set. */
void tern__walk_merge(tern__walk *walk);

/* Product of all dimensions but the last. */
int64_t tern__walk_rows(const tern__walk *walk);

/* Element offset of each operand at the beginning of row `row`. */
void tern__walk_offsets(const tern__walk *walk, int64_t row, int64_t offsets[TERN__WALK_OPERANDS]);

/* Does n elements along the last axis, beginning at these element offsets; `position` of them come
 * before in row-major order. */
typedef void (*tern__range_fn)(void *user, const int64_t offsets[TERN__WALK_OPERANDS],
                               int64_t position, int64_t n);

/* Runs over the elements [begin, end) in row-major order. */
void tern__walk_range(const tern__walk *walk, int64_t begin, int64_t end, tern__range_fn run,
                      void *user);

#endif
