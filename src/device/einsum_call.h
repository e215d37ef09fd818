/* SPDX-License-Identifier: MIT
 * What a call of EINSUM has beside its operands. */
#ifndef TERN__EINSUM_CALL_H
#define TERN__EINSUM_CALL_H

#include "tensor/tensor.h"

/* One letter: an axis of the result or one that is summed over. Strides of the operands in
 * elements; 0 where the operand does not have the letter, which is as if it were repeated. */
typedef struct tern__einsum_letter {
    int64_t size;
    int64_t strides[2];
    bool is_in[2];
} tern__einsum_letter;

/* call->detail: the letters of the result in their order, then those that are summed over, the
 * last one fastest. Operands have a type that the product takes for call->type. */
typedef struct tern__einsum {
    int kept, count;
    tern__einsum_letter letters[2 * TERN_MAX_RANK];
} tern__einsum;

#endif
