/* SPDX-License-Identifier: MIT
 * Family `convert`: its variants, best first. */
#include "kernels/convert.h"

#include <stddef.h>

extern const tern__convert_kernel tern__convert_avx512;
extern const tern__convert_kernel tern__convert_avx2;
extern const tern__convert_kernel tern__convert_scalar;

const tern__convert_kernel *const tern__convert_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__convert_avx512,
    &tern__convert_avx2,
#endif
    &tern__convert_scalar,
    NULL,
};
