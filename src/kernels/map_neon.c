/* SPDX-License-Identifier: MIT
 * Family `map` for NEON. */
#include "kernels/map_loops.h"

const tern__map_kernel tern__map_neon = {
    .variant = {.name = "neon", .needs = TERN__CPU_NEON},
    MAP_FUNCTIONS,
};
