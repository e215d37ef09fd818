/* SPDX-License-Identifier: MIT
 * Family `quantize` for AVX2. */
#include "kernels/quantize_loops.h"

const tern__quantize_kernel tern__quantize_avx2 = {
    .variant = {.name = "avx2", .needs = TERN__CPU_AVX2},
    QUANTIZE_FUNCTIONS,
};
