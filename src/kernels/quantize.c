/* SPDX-License-Identifier: MIT
 * Family `quantize`: its variants, best first. */
#include "kernels/quantize.h"

#include <stddef.h>

extern const tern__quantize_kernel tern__quantize_avx512;
extern const tern__quantize_kernel tern__quantize_avx2;
extern const tern__quantize_kernel tern__quantize_neon;
extern const tern__quantize_kernel tern__quantize_scalar;

const tern__quantize_kernel *const tern__quantize_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__quantize_avx512, &tern__quantize_avx2,
#endif
#if defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__quantize_neon,
#endif
    &tern__quantize_scalar, NULL,
};
