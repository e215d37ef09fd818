/* SPDX-License-Identifier: MIT
 * Getting at the bytes of tensors, wherever they lie. What works on `data` itself works on memory
 * that the host reaches; everything else goes through here. */
#ifndef TERN__REACH_H
#define TERN__REACH_H

#include "tensor/tensor.h"

/* `bytes` of them, `offset` bytes behind the first element. */
tern_status tern__tensor_write(tern_tensor *tensor, size_t offset, const void *from, size_t bytes);
tern_status tern__tensor_fetch(const tern_tensor *tensor, size_t offset, void *to, size_t bytes);

/* Room for all bytes of a fresh tensor: where they lie, or memory of the host that fill_end brings
 * there. NULL: there is none; the tensor is released then and *out NULL. */
void *tern__fill_begin(tern_tensor **out);
/* `status` says whether the room was filled. Releases the tensor when it is not, and sets *out to
 * NULL. */
tern_status tern__fill_end(tern_tensor **out, void *room, tern_status status);
tern_status tern__fill_zeros(tern_tensor **out);

/* The lowest byte that a tensor reaches and the first one behind: of a plain tensor with elements
 * what its strides reach, else all. */
typedef struct tern__span {
    uint8_t *begin, *end;
} tern__span;
tern__span tern__tensor_span(const tern_tensor *tensor);

/* The tensor itself, with a reference more, when the host reaches it. Else the same elements with
 * the same strides in the context's host context. */
tern_status tern__host_twin(const tern_tensor *tensor, tern_tensor **twin);
/* Everything that the tensor reaches is made what its twin has, the bytes between elements too. */
tern_status tern__host_twin_return(const tern_tensor *twin, tern_tensor *tensor);

#endif
