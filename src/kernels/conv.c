/* SPDX-License-Identifier: MIT
 * Family `conv`: its variants, best first. */
#include "kernels/conv.h"

#include <stddef.h>

extern const tern__conv_kernel tern__conv_avx512;
extern const tern__conv_kernel tern__conv_avx2;
extern const tern__conv_kernel tern__conv_neon;
extern const tern__conv_kernel tern__conv_scalar;

const tern__conv_kernel *const tern__conv_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__conv_avx512,
    &tern__conv_avx2,
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__conv_neon,
#endif
    &tern__conv_scalar,
    NULL,
};
