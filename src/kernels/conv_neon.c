/* SPDX-License-Identifier: MIT
 * Family `conv` for NEON: tiles of 8 positions and 8 channels. */
#include <arm_neon.h>
#include <stdint.h>

typedef float32x4_t vector;
typedef struct lanes {
    int lo, hi;
} lanes;
enum { LANES = 4, VECTORS = 2, POSITIONS = 8 };

static inline vector load(const float *x) {
    return vld1q_f32(x);
}

static inline void store(float *x, vector v) {
    vst1q_f32(x, v);
}

static inline vector zero(void) {
    return vdupq_n_f32(0);
}

static inline vector spread(float x) {
    return vdupq_n_f32(x);
}

static inline vector fused(vector x, vector y, vector c) {
    return vfmaq_f32(c, x, y);
}

static inline lanes between(int64_t lo, int64_t hi) {
    return (lanes){(int)lo, (int)hi};
}

static inline vector take(const float *x, int64_t step, lanes set) {
    if (step == 1 && set.lo == 0 && set.hi == LANES)
        return load(x);
    float values[LANES] = {0};
    for (int lane = set.lo; lane < set.hi; lane++)
        values[lane] = x[lane * step];
    return load(values);
}

static inline void put(float *x, int64_t step, lanes set, vector v) {
    float values[LANES];
    store(values, v);
    for (int lane = set.lo; lane < set.hi; lane++)
        x[lane * step] = values[lane];
}

static inline vector fused_in(lanes set, vector x, vector y, vector c) {
    if (set.lo == 0 && set.hi == LANES)
        return fused(x, y, c);
    float sums[LANES], all[LANES];
    store(sums, c);
    store(all, fused(x, y, c));
    for (int lane = set.lo; lane < set.hi; lane++)
        sums[lane] = all[lane];
    return load(sums);
}

#include "kernels/conv_loops.h"

const tern__conv_kernel tern__conv_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    .positions = POSITIONS,
    .panel = PANEL,
    .tile = tile,
    .line = line,
};
