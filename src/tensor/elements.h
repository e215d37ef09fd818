/* SPDX-License-Identifier: MIT
 *
 * The elements of a plain tensor in row-major order, piece by piece, whatever its strides: for what
 * leaves the library (files). Not for arithmetic: kernels take strides.
 *
 *     tern__elements elements = tern__elements_of(tensor);
 *     uint8_t scratch[4096];
 *     size_t bytes;
 *     for (const void *p; (p = tern__elements_next(&elements, scratch, sizeof scratch, &bytes));)
 *         ... bytes at p ...
 */
#ifndef TERN__ELEMENTS_H
#define TERN__ELEMENTS_H

#include "tensor/tensor.h"

typedef struct tern__elements {
    const tern_tensor *tensor;
    const uint8_t *at;            /* the next element */
    int64_t left;                 /* elements not yet given */
    int64_t index[TERN_MAX_RANK]; /* of the next element */
    size_t size;                  /* bytes of an element */
    bool is_contiguous;
} tern__elements;

tern__elements tern__elements_of(const tern_tensor *tensor);

/* The next whole elements, at most `capacity` bytes (at least one element): where they lie, if they
 * do so one behind the other, else copied into `scratch`. NULL at the end. */
const void *tern__elements_next(tern__elements *elements, void *scratch, size_t capacity,
                                size_t *bytes);

#endif
