/* SPDX-License-Identifier: MIT
 * Family `map`: its variants, best first. */
#include "kernels/map.h"

#include <stddef.h>

extern const tern__map_kernel tern__map_avx512;
extern const tern__map_kernel tern__map_avx2;
extern const tern__map_kernel tern__map_neon;
extern const tern__map_kernel tern__map_scalar;

const tern__map_kernel *const tern__map_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__map_avx512, &tern__map_avx2,
#endif
#if defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__map_neon,
#endif
    &tern__map_scalar, NULL,
};
