/* SPDX-License-Identifier: MIT
 *
 * The rows of the plug-in that are not about packed weights or products.
 */
#ifndef TERN__CUDA_ROWS_TABLE_H
#define TERN__CUDA_ROWS_TABLE_H

#include "device/plugin.h"

/* X(name): tern_status cuda_NAME(void *device, const tern__device_call *call) */
#define CUDA_BASIC_ROWS(X)                                                                         \
    X(copy)                                                                                        \
    X(elementwise)                                                                                 \
    X(reduce)                                                                                      \
    X(arg_extreme)                                                                                 \
    X(dot)                                                                                         \
    X(softmax)                                                                                     \
    X(rms_norm)                                                                                    \
    X(layer_norm)                                                                                  \
    X(embedding)                                                                                   \
    X(topk)                                                                                        \
    X(gather)                                                                                      \
    X(one_hot)

#define CUDA_DECLARE_ROW(name) tern_status cuda_##name(void *device, const tern__device_call *call);
CUDA_BASIC_ROWS(CUDA_DECLARE_ROW)
#undef CUDA_DECLARE_ROW

#endif
