/* SPDX-License-Identifier: MIT
 * Family `functions` in plain C: the specification of the other variants. */
#include "kernels/lanes_scalar.h"

#include "kernels/function_loops.h"

const tern__functions_kernel tern__functions_scalar = {
    .variant = {.name = "scalar"},
    V_FUNCTIONS,
};
