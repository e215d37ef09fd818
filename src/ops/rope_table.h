/* SPDX-License-Identifier: MIT
 * Filling a rotary table row by row, for holders that need its first rows only. */
#ifndef TERN__ROPE_TABLE_H
#define TERN__ROPE_TABLE_H

#include <tern/tensor.h>

/* Checks the numbers that tern_rope_table takes and makes its table (P, 2, K/2), not yet filled. */
tern_status tern__rope_table_empty(tern_context *context, int64_t positions, int64_t head_size,
                                   double theta, tern_tensor **out);

/* Fills the rows [begin, end). */
tern_status tern__rope_table_fill(tern_tensor *table, double theta, int64_t begin, int64_t end);

#endif
