/* SPDX-License-Identifier: MIT */
#include "kernels/gemm.h"

extern const tern__gemm_kernel tern__gemm_scalar;
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
extern const tern__gemm_kernel tern__gemm_avx512;
extern const tern__gemm_kernel tern__gemm_avx2;
#endif

const tern__gemm_kernel *const tern__gemm_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__gemm_avx512,
    &tern__gemm_avx2,
#endif
    &tern__gemm_scalar,
    NULL,
};
