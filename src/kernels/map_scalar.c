/* SPDX-License-Identifier: MIT
 * Family `map` in plain C: the specification of the other variants. */
#include "kernels/map_loops.h"

const tern__map_kernel tern__map_scalar = {
    .variant = {.name = "scalar"},
    MAP_FUNCTIONS,
};
