/* SPDX-License-Identifier: MIT
 * Packed weights to time kernels with: copies of one random matrix, one behind the other, that
 * fill a working set, and random activations. Everyone who reads them goes on where the last one
 * stopped, so that what is read was last read a whole round ago. */
#ifndef TERN__WEIGHTS_H
#define TERN__WEIGHTS_H

#include <stdbool.h>

#include "base/threads.h"
#include "bench/limits.h"
#include "kernels/packed.h"

typedef struct tern__weights {
    const tern__packed_kernel *kernel;
    int64_t rows, columns;
    int64_t k, panels;
    int64_t matrix_bytes; /* of packed weights */
    int64_t stride;       /* from copy to copy: a multiple of TERN__READ_UNIT */
    int64_t copies, next;
    int64_t most_n;
    int64_t q_stride;
    uint8_t *pages;
    size_t bytes;
    int8_t *q;      /* (most_n, q_stride) */
    int32_t *q_sum; /* (most_n) */
    int32_t *out;   /* (most_n, rows) */
    uint8_t *lanes; /* (threads, lane_bytes): what the kernel wants, sums of a piece */
    int64_t lane_bytes;
    uint8_t *tables; /* (threads, table_bytes): the number of a product, then its tables */
    int64_t table_bytes, products;
    size_t scratch_bytes;
    void *scratch; /* holds these five */
} tern__weights;

/* As many copies as make `least_bytes`, at least one; up to `most_n` columns and `threads`. */
tern_status tern__weights_open(const tern__packed_kernel *kernel, int64_t rows, int64_t columns,
                               int64_t most_n, int threads, int64_t least_bytes,
                               tern__weights *weights);
void tern__weights_close(tern__weights *weights);

/* The codes (k) of one row, 0 behind the columns. */
void tern__weights_row(const tern__weights *weights, int64_t row, uint8_t *codes);

/* The product of the next copy, or of the first alone, with n columns; cut as the device cuts it.
 */
void tern__weights_multiply(tern__weights *weights, tern__team *team, int64_t n, bool is_hot);

/* Products of some rows and columns against a plain loop, all of them against nothing: they were
 * filled with something else before. */
tern_status tern__weights_check(tern__weights *weights, tern__team *team, int64_t n);

/* Reads `bytes` from the next copy on; the sum is in the job. `job` needs team and reader. */
void tern__weights_read(tern__weights *weights, tern__read_job *job, int64_t bytes);

#endif
