/* SPDX-License-Identifier: MIT */
#include "kernels/ternary.h"

extern const tern__ternary_kernel tern__ternary_scalar;
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
extern const tern__ternary_kernel tern__ternary_avx512vnni;
extern const tern__ternary_kernel tern__ternary_avx2;
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
extern const tern__ternary_kernel tern__ternary_dotprod;
extern const tern__ternary_kernel tern__ternary_neon;
#endif

const tern__ternary_kernel *const tern__ternary_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__ternary_avx512vnni,
    &tern__ternary_avx2,
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__ternary_dotprod,
    &tern__ternary_neon,
#endif
    &tern__ternary_scalar,
    NULL,
};
