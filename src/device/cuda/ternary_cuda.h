/* SPDX-License-Identifier: MIT
 * What the kernels of ternary products share: fields of packed words, the end of a product. */
#ifndef TERN__TERNARY_CUDA_H
#define TERN__TERNARY_CUDA_H

#include "device/cuda/lanes_cuda.h"
#include "device/cuda/ternary.h"

/* Field `field` of a word: four int8 of 64 times the trits. */
static __device__ inline uint32_t trits_of(uint32_t word, int field) {
    return word << (6 - 2 * field) & 0xc0c0c0c0u;
}

static __device__ inline uint32_t word_of(uint4 words, int i) {
    return i == 0 ? words.x : i == 1 ? words.y : i == 2 ? words.z : words.w;
}

/* Sums are 64 times too large, exactly. */
static __device__ inline float float_of_sum(int32_t sum) {
    return (float)(sum / 64);
}

/* What a sum, or the chain over blocks, is multiplied by: w / s, or 1 / s. */
static __device__ inline float factor_of(const ternary_weight &w, float s) {
    return (w.block_scales != nullptr ? 1.0f : *w.scale) / s;
}

/* Not inlined: each kernel would have seven functions in it. */
static __device__ __noinline__ float activate(int activation, float x) {
    switch (activation) {
    case TERN_ACTIVATION_RELU:
        return x < 0 ? 0 : x;
    case TERN_ACTIVATION_RELU2:
        return x < 0 ? 0 : x * x;
    case TERN_ACTIVATION_SIGMOID:
        return s_sigmoid(sf{x})[0];
    case TERN_ACTIVATION_SILU:
        return s_silu(sf{x})[0];
    case TERN_ACTIVATION_GELU:
        return s_gelu(sf{x})[0];
    case TERN_ACTIVATION_GELU_TANH:
        return s_gelu_tanh(sf{x})[0];
    case TERN_ACTIVATION_TANH:
        return s_tanh(sf{x})[0];
    default:
        return x;
    }
}

/* y of the row and column `at` of a part's result. */
static __device__ inline void finish(const ternary_product &p, float *out, int64_t at, float y) {
    if (p.finish == TERNARY_ADD)
        y += p.residual[at];
    else if (p.finish == TERNARY_GATE)
        y = activate(p.activation, out[at]) * y;
    out[at] = y;
}

static __device__ inline void finish_gated(const ternary_product &p, int64_t at, float gate,
                                           float up) {
    p.parts[0].out[at] = activate(p.activation, gate) * up;
}

/* The block's part of the product: the parts are numbered through in groups of `panels`. */
struct ternary_place {
    int part;
    int panel; /* the first one, of that part */
};

static __host__ __device__ inline int groups_of(const ternary_weight &w, int panels) {
    return (w.panels + panels - 1) / panels;
}

static __device__ inline ternary_place place_of(const ternary_product &p, int group, int panels) {
    int part = 0, last = p.is_gated ? 0 : p.part_count - 1;
    while (part < last && group >= groups_of(p.parts[part].weight, panels)) {
        group -= groups_of(p.parts[part].weight, panels);
        part++;
    }
    return {part, group * panels};
}

/* Groups of all parts. */
static inline int64_t all_groups(const ternary_product *p, int panels) {
    int64_t groups = 0;
    for (int i = 0; i < (p->is_gated ? 1 : p->part_count); i++)
        groups += groups_of(p->parts[i].weight, panels);
    return groups;
}

#endif
