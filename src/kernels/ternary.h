/* SPDX-License-Identifier: MIT
 *
 * Family `ternary`: integer products of packed ternary weights and int8 activations.
 *
 * A weight (M, K) of codes 0, 1, 2 (trit + 1) is cut into panels of panel_rows rows; K is padded
 * to a multiple of k_unit with code 0, M to whole panels. A panel is panel_rows * K / 4 bytes (2
 * bits a weight); pack() and run() of one variant agree on the order inside, nobody else looks.
 *
 * run() computes sums[n][m] = sum over k in [k_begin, k_end) of (code[m][k] - 1) * q[n][k] as
 * sum(code * q) - sum(q), exactly: |sum(code * q)| <= 2 * 128 * K stays in int32 for K < 2^23.
 * Variants may put a tighter bound on what they accumulate; all take K <= TERN__TERNARY_K_MAX.
 */
#ifndef TERN__TERNARY_H
#define TERN__TERNARY_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

#define TERN__TERNARY_K_MAX (1 << 18)

typedef struct tern__ternary_args {
    const uint8_t *packed;  /* panels one behind the other, the first 64-byte aligned */
    int64_t k;              /* padded K */
    int64_t k_begin, k_end; /* multiples of k_unit inside [0, k] */
    int64_t m;              /* rows of the weight; nothing is written for rows beyond */
    const int8_t *q;        /* (N, q_stride) activations, 0 beyond the true K up to padded K */
    int64_t q_stride;       /* >= k */
    const int32_t *q_sum;   /* (N) sum of q over [k_begin, k_end) */
    int64_t n;              /* N >= 1: any number */
    int32_t *out;           /* (N, out_stride) */
    int64_t out_stride;     /* >= m */
} tern__ternary_args;

typedef struct tern__ternary_kernel {
    tern__variant variant;
    int panel_rows;
    int k_unit; /* divides 256 */
    /* codes (panel_rows, k), k padded -> one panel where it will lie. */
    void (*pack)(const uint8_t *codes, int64_t k, uint8_t *panel);
    /* The rows of the panels [panel_begin, panel_end), all N columns. */
    void (*run)(const tern__ternary_args *args, int64_t panel_begin, int64_t panel_end);
} tern__ternary_kernel;

extern const tern__ternary_kernel *const tern__ternary_family[];

static inline int64_t tern__ternary_panel_bytes(const tern__ternary_kernel *kernel, int64_t k) {
    return kernel->panel_rows * k / 4;
}

#endif
