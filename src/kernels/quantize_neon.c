/* SPDX-License-Identifier: MIT
 * Family `quantize` for NEON. */
#include "kernels/quantize_loops.h"

const tern__quantize_kernel tern__quantize_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    QUANTIZE_FUNCTIONS,
};
