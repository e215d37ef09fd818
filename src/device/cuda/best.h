/* SPDX-License-Identifier: MIT
 *
 * The k largest numbers of long rows, in the order of tern_topk: the largest first, NaN the largest
 * of all, the lowest place first among equals (-0 equals +0).
 */
#ifndef TERN__CUDA_BEST_H
#define TERN__CUDA_BEST_H

#include "device/cuda/cuda.h"

enum { CUDA_BEST_MAX = 1024 }; /* of k */

typedef struct cuda_best {
    const float *x;   /* (rows, n) */
    int64_t rows;     /* at most 65535 */
    int64_t n, k;     /* 1 <= k <= n < 2^32 */
    float *values;    /* (rows, k) */
    int64_t *indices; /* (rows, k); NULL: not wanted */
} cuda_best;

/* The scratch that it needs, aligned to 8. */
size_t cuda_best_bytes(const cuda_best *best);
tern_status cuda_pick_best(cuda_device *d, const cuda_best *best, void *scratch);

#endif
