/* SPDX-License-Identifier: MIT
 *
 * One pass over packed weights: rows of x are normalised if asked for, quantised once, and
 * multiplied by up to three weights. Two phases: rows (of a single one on the caller), then pieces
 * of the weights, each finished while its sums are in the cache. */
#ifndef TERN__PACKED_PASS_H
#define TERN__PACKED_PASS_H

#include "device/cpu/packed.h"

typedef struct tern__packed_part {
    const tern__packed *weight;
    float *out; /* (N, rows); of the second part of a gated pass NULL */
} tern__packed_part;

typedef struct tern__packed_pass {
    const tern__op_call *call; /* activation: its choice */
    const tern_tensor *x;      /* N rows of K */
    const float *norm; /* (K); NULL: x is quantised as it is. Then K <= TERN__REDUCE_BLOCK */
    float epsilon;
    int64_t n, k;
    int part_count;
    tern__packed_part parts[TERN__PROJECTIONS];
    const float *residual; /* (N, rows): added to the one part; NULL: none */
    bool is_gated;         /* the first part is activated and multiplied by the second */
} tern__packed_pass;

/* The weights are of this device's kernels. TERN_E_MEMORY for the scratch. */
tern_status tern__packed_pass_run(tern__device *device, const tern__packed_pass *pass);

#endif
