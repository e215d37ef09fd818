/* SPDX-License-Identifier: MIT
 * Family `quantize` for AVX-512. */
#include "kernels/quantize_loops.h"

const tern__quantize_kernel tern__quantize_avx512 = {
    .variant = {.name = "avx512", .needs = TERN__CPU_AVX2 | TERN__CPU_AVX512},
    QUANTIZE_FUNCTIONS,
};
