/* SPDX-License-Identifier: MIT
 * Family `plain` for NEON. */
#include "kernels/plain_loops.h"

const tern__plain_kernel tern__plain_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    PLAIN_FUNCTIONS,
};
