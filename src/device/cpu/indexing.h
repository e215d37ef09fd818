/* SPDX-License-Identifier: MIT
 * Elements of tensors by their places. */
#ifndef TERN__INDEXING_H
#define TERN__INDEXING_H

#include "tensor/dtype.h"
#include "tensor/tensor.h"

/* The element of a plain tensor at an offset in elements. */
static inline void *tern__element(const tern_tensor *t, int64_t offset) {
    return (uint8_t *)t->data + offset * tern__dtype((tern_dtype)t->dtype)->block_bytes;
}

/* Copies n elements of a plain tensor, those at + offsets[k] from the first one on, to `to`. */
void tern__read_at(const tern_tensor *t, int64_t at, const int64_t *offsets, void *to, int64_t n);

#endif
