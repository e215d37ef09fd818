/* SPDX-License-Identifier: MIT
 * Family `functions` for NEON. */
#include "kernels/lanes_neon.h"

#include "kernels/function_loops.h"

const tern__functions_kernel tern__functions_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    V_FUNCTIONS,
};
