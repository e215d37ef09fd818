/* SPDX-License-Identifier: MIT
 * Family `plain` for AVX-512. */
#include "kernels/plain_loops.h"

const tern__plain_kernel tern__plain_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    PLAIN_FUNCTIONS,
};
