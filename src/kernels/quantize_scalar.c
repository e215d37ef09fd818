/* SPDX-License-Identifier: MIT
 * Family `quantize` in plain C: the specification of the other variants. */
#include "kernels/quantize_loops.h"

const tern__quantize_kernel tern__quantize_scalar = {
    .variant = {.name = "scalar"},
    QUANTIZE_FUNCTIONS,
};
