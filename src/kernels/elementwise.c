/* SPDX-License-Identifier: MIT
 * Family `elementwise`: its variants, best first. */
#include "kernels/elementwise.h"

#include <stddef.h>

extern const tern__elementwise_kernel tern__elementwise_avx512;
extern const tern__elementwise_kernel tern__elementwise_avx2;
extern const tern__elementwise_kernel tern__elementwise_scalar;

const tern__elementwise_kernel *const tern__elementwise_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__elementwise_avx512,
    &tern__elementwise_avx2,
#endif
    &tern__elementwise_scalar,
    NULL,
};
