/* SPDX-License-Identifier: MIT
 * Family `map` for AVX-512. */
#include "kernels/map_loops.h"

const tern__map_kernel tern__map_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    MAP_FUNCTIONS,
};
