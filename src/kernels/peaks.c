/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "kernels/peaks.h"

extern const tern__peaks_kernel tern__peaks_scalar;
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
extern const tern__peaks_kernel tern__peaks_amx;
extern const tern__peaks_kernel tern__peaks_avx512vnni;
extern const tern__peaks_kernel tern__peaks_avx512;
extern const tern__peaks_kernel tern__peaks_avxvnni;
extern const tern__peaks_kernel tern__peaks_avx2;
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
extern const tern__peaks_kernel tern__peaks_i8mm;
extern const tern__peaks_kernel tern__peaks_dotprod;
extern const tern__peaks_kernel tern__peaks_neon;
#endif

const tern__peaks_kernel *const tern__peaks_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__peaks_amx,    &tern__peaks_avx512vnni,
    &tern__peaks_avx512, &tern__peaks_avxvnni,
    &tern__peaks_avx2,
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__peaks_i8mm,   &tern__peaks_dotprod,
    &tern__peaks_neon,
#endif
    &tern__peaks_scalar, NULL,
};
