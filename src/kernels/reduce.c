/* SPDX-License-Identifier: MIT
 * Family `reduce`: its variants, best first. */
#include "kernels/reduce.h"

#include <stddef.h>

extern const tern__reduce_kernel tern__reduce_avx512;
extern const tern__reduce_kernel tern__reduce_avx2;
extern const tern__reduce_kernel tern__reduce_neon;
extern const tern__reduce_kernel tern__reduce_scalar;

const tern__reduce_kernel *const tern__reduce_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__reduce_avx512, &tern__reduce_avx2,
#endif
#if defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__reduce_neon,
#endif
    &tern__reduce_scalar, NULL,
};
