/* SPDX-License-Identifier: MIT
 *
 * Grouped-query attention on the GPU (Ainslie et al. 2023, section 2), in three steps that pass
 * scores through scratch memory: scores, softmax of each row, mix. The query rows that share a
 * key/value head are numbered: row r is row g = r % group of query i = r / group, and sees the
 * positions t < first + i. Every score, row and lane is defined by itself (docs/numerics.md).
 */
#ifndef TERN__CUDA_ATTENTION_H
#define TERN__CUDA_ATTENTION_H

#include "device/cuda/widen.h"

typedef struct cuda_attention {
    const float *q;     /* (T, H, K) */
    const void *keys;   /* (H_kv, S, K) by the strides of a head and a position, elements */
    const void *values; /* the same */
    int64_t key_head, key_position, value_head, value_position;
    const float *key_scales; /* (H_kv, S) of I8, else NULL */
    const float *value_scales;
    int64_t scale_head; /* stride from head to head */
    float *scores;      /* (H_kv, rows, room) */
    float *out;         /* (T, H, K) */
    int64_t heads, kv_heads, group, head_size;
    int64_t rows;  /* T * group */
    int64_t first; /* positions that query 0 sees */
    int64_t seen;  /* S: those that the last query sees */
    int64_t room;  /* floats of a row of scores: a power of two, 1024 or more */
    float scale;
    int type; /* of keys and values */
} cuda_attention;

/* Four neighbours in shared memory. */
struct __align__(16) cuda_quad {
    float x[4];
};

static __device__ __forceinline__ int64_t attention_length(const cuda_attention &a, int64_t row) {
    return a.first + row / a.group;
}

/* Where the query row, and the result, of a row of a head begin. */
static __device__ __forceinline__ int64_t attention_place(const cuda_attention &a, int64_t head,
                                                          int64_t row) {
    return (row / a.group * a.heads + head * a.group + row % a.group) * a.head_size;
}

static __device__ __forceinline__ float *attention_scores(const cuda_attention &a, int64_t head,
                                                          int64_t row) {
    return a.scores + (head * a.rows + row) * a.room;
}

/* scores[r][t] = dot(q[r], key[t]) * scale; of I8 (dot * key_scales[t]) * scale. */
tern_status cuda_attention_scores(cuda_device *d, const cuda_attention *a);

/* out[r][i] = fma(scores[r][t], value[t][i], out[r][i]) for t in order, from +0. */
tern_status cuda_attention_mix(cuda_device *d, const cuda_attention *a);

#endif
