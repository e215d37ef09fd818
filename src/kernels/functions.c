/* SPDX-License-Identifier: MIT
 * Family `functions`: its variants, best first. */
#include "kernels/functions.h"

#include <stddef.h>

extern const tern__functions_kernel tern__functions_avx512;
extern const tern__functions_kernel tern__functions_avx2;
extern const tern__functions_kernel tern__functions_neon;
extern const tern__functions_kernel tern__functions_scalar;

const tern__functions_kernel *const tern__functions_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__functions_avx512, &tern__functions_avx2,
#endif
#if defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__functions_neon,
#endif
    &tern__functions_scalar, NULL,
};
