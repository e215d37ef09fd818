/* SPDX-License-Identifier: MIT
 * Family `map` for AVX2. */
#include "kernels/map_loops.h"

const tern__map_kernel tern__map_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    MAP_FUNCTIONS,
};
