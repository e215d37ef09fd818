/* SPDX-License-Identifier: MIT
 *
 * Strided operands of one shape in kernels: axes are merged on the host where all operands allow
 * it, and a thread finds the places of its element by its number in row-major order.
 */
#ifndef TERN__WALK_CUDA_H
#define TERN__WALK_CUDA_H

#include "device/cuda/cuda.h"

enum { CUDA_WALK_OPERANDS = 4 };

typedef struct cuda_walk {
    int rank, operands;
    bool is_flat;  /* every operand is contiguous: element i lies at i */
    int64_t count; /* elements */
    int64_t dims[TERN_MAX_RANK];
    int64_t strides[CUDA_WALK_OPERANDS][TERN_MAX_RANK];
} cuda_walk;

/* An empty walk over a shape. */
static inline cuda_walk cuda_walk_open(int rank, const int64_t *dims) {
    cuda_walk walk = {};
    walk.rank = rank;
    walk.count = 1;
    for (int i = 0; i < rank; i++) {
        walk.dims[i] = dims[i];
        walk.count *= dims[i];
    }
    return walk;
}

/* The next operand, with strides for each axis of the walk. */
static inline void cuda_walk_add(cuda_walk *walk, const int64_t *strides) {
    for (int i = 0; i < walk->rank; i++)
        walk->strides[walk->operands][i] = walk->dims[i] == 1 ? 0 : strides[i];
    walk->operands++;
}

/* The next operand, broadcast to the shape of the walk. */
static inline void cuda_walk_broadcast(cuda_walk *walk, const tern__operand *x) {
    int64_t strides[TERN_MAX_RANK] = {0};
    int before = walk->rank - x->rank;
    for (int i = 0; i < x->rank; i++)
        strides[before + i] = x->dims[i] == 1 ? 0 : x->strides[i];
    cuda_walk_add(walk, strides);
}

static inline void cuda_walk_drop(cuda_walk *walk, int axis) {
    walk->rank--;
    for (int i = axis; i < walk->rank; i++) {
        walk->dims[i] = walk->dims[i + 1];
        for (int o = 0; o < walk->operands; o++)
            walk->strides[o][i] = walk->strides[o][i + 1];
    }
}

/* Drops axes of length 1 and merges neighbours. */
static inline void cuda_walk_merge(cuda_walk *walk) {
    for (int i = walk->rank - 1; i >= 0; i--)
        if (walk->dims[i] == 1)
            cuda_walk_drop(walk, i);
    for (int i = walk->rank - 2; i >= 0; i--) {
        bool can_merge = true;
        for (int o = 0; o < walk->operands; o++)
            can_merge &= walk->strides[o][i] == walk->strides[o][i + 1] * walk->dims[i + 1];
        if (can_merge) {
            walk->dims[i + 1] *= walk->dims[i];
            cuda_walk_drop(walk, i);
        }
    }
    walk->is_flat = walk->rank <= 1;
    for (int o = 0; o < walk->operands && walk->rank == 1; o++)
        walk->is_flat &= walk->strides[o][0] == 1;
}

/* The places of element `index`, in elements, of the first N operands. */
template <int N>
static __device__ __forceinline__ void cuda_walk_at(const cuda_walk &walk, int64_t index,
                                                    int64_t (&at)[N]) {
    for (int o = 0; o < N; o++)
        at[o] = walk.is_flat ? index : 0;
    if (walk.is_flat)
        return;
    for (int i = walk.rank - 1; i > 0; i--) {
        int64_t dim = walk.dims[i], rest;
        if ((uint64_t)(index | dim) >> 32 == 0)
            rest = (uint32_t)index / (uint32_t)dim;
        else
            rest = index / dim;
        int64_t place = index - rest * dim;
        index = rest;
        for (int o = 0; o < N; o++)
            at[o] += place * walk.strides[o][i];
    }
    for (int o = 0; o < N; o++)
        at[o] += index * walk.strides[o][0];
}

/* The elements of a thread of a one-dimensional grid. */
#define CUDA_EACH(index, count)                                                                    \
    for (int64_t index = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; index < (count);          \
         index += (int64_t)gridDim.x * blockDim.x)

#endif
