/* SPDX-License-Identifier: MIT
 * Family `plain`: its variants, best first. */
#include "kernels/plain.h"

#include <stddef.h>

extern const tern__plain_kernel tern__plain_avx512;
extern const tern__plain_kernel tern__plain_avx2;
extern const tern__plain_kernel tern__plain_neon;
extern const tern__plain_kernel tern__plain_scalar;

const tern__plain_kernel *const tern__plain_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__plain_avx512, &tern__plain_avx2,
#endif
#if defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__plain_neon,
#endif
    &tern__plain_scalar, NULL,
};
