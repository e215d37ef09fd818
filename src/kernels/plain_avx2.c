/* SPDX-License-Identifier: MIT
 * Family `plain` for AVX2. */
#include "kernels/plain_loops.h"

const tern__plain_kernel tern__plain_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    PLAIN_FUNCTIONS,
};
