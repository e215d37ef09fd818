/* SPDX-License-Identifier: MIT
 * What calls of norms have beside their operands. */
#ifndef TERN__NORM_CALL_H
#define TERN__NORM_CALL_H

#include <tern/tensor.h>

/* Set in call->choice of LAYER_NORM and of the backward forms: the operands that may be left out.
 * Those that are there follow one another behind x, the weight first. */
enum { TERN__HAS_WEIGHT = 1, TERN__HAS_BIAS = 2 };

/* call->detail of the backward forms, whose operands are the gradient, x and perhaps the weight:
 * contiguous tensors of the call's type for the results, NULL for those that nobody wants. */
typedef struct tern__norm_gradients {
    tern_tensor *x;             /* (..., D) */
    tern_tensor *weight, *bias; /* (D) */
} tern__norm_gradients;

#endif
