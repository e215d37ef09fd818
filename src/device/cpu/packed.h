/* SPDX-License-Identifier: MIT
 *
 * A packed weight (dtypes TERNARY and QUANTIZED): a header, the panels of the kernel that made it,
 * and unless one scale is for all, the scales, block by block of columns, and facts of the rows. */
#ifndef TERN__CPU_PACKED_H
#define TERN__CPU_PACKED_H

#include "device/cpu/cpu.h"

typedef struct tern__packed {
    const tern__packed_kernel *kernel;
    int64_t rows, columns;
    int64_t k; /* columns padded to the kernel's unit */
    int64_t panels;
    int64_t scale_blocks; /* 0: one scale */
    int64_t block_columns;
    float scale;
    int64_t facts;        /* of each row, behind its scales */
    float largest_norm;   /* QUANTIZED: the largest TERN__FACT_NORM */
    size_t panels_offset; /* from the header, a multiple of 64 */
    size_t scales_offset; /* the same; F32 (scale_blocks + facts, panels * panel_rows) */
} tern__packed;

/* Facts of a row of a QUANTIZED weight, Euclidean norms rounded up; infinite for a row with a NaN
 * or an infinity. */
enum {
    TERN__FACT_NORM,  /* of the row */
    TERN__FACT_ERROR, /* of the row less what its codes stand for */
    TERN__FACTS
};

static inline const tern__packed *tern__packed_of(const tern_tensor *weight) {
    return weight->data;
}

static inline const uint8_t *tern__packed_panels(const tern__packed *p) {
    return (const uint8_t *)p + p->panels_offset;
}

/* Facts are blocks too: scale_blocks + TERN__FACT_NORM and on. */
static inline const float *tern__packed_scales(const tern__packed *p, int64_t block) {
    return (const float *)((const uint8_t *)p + p->scales_offset) +
           block * p->panels * p->kernel->panel_rows;
}

#endif
