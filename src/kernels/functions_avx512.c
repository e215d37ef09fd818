/* SPDX-License-Identifier: MIT
 * Family `functions` for AVX-512. */
#include "kernels/lanes_avx512.h"

#include "kernels/function_loops.h"

const tern__functions_kernel tern__functions_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    V_FUNCTIONS,
};
