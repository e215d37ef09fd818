/* SPDX-License-Identifier: MIT
 * Family `functions` for AVX2. */
#include "kernels/lanes_avx2.h"

#include "kernels/function_loops.h"

const tern__functions_kernel tern__functions_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    V_FUNCTIONS,
};
