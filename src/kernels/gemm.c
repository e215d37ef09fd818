/* SPDX-License-Identifier: MIT */
#include "kernels/gemm.h"

#include <stddef.h>

extern const tern__gemm_kernel tern__gemm_scalar, tern__gemm_f64_scalar, tern__gemm_i8_scalar,
    tern__gemm_bf16_scalar;
#if defined(TERN_SCALAR_ONLY)
#elif defined(__x86_64__)
extern const tern__gemm_kernel tern__gemm_avx512, tern__gemm_avx2, tern__gemm_f64_avx512,
    tern__gemm_f64_avx2, tern__gemm_i8_avx512vnni, tern__gemm_i8_avx2, tern__gemm_bf16_avx512bf16;
#elif defined(__aarch64__)
extern const tern__gemm_kernel tern__gemm_neon, tern__gemm_f64_neon, tern__gemm_i8_dotprod;
#endif

const tern__gemm_kernel *const tern__gemm_family[] = {
#if defined(TERN_SCALAR_ONLY)
#elif defined(__x86_64__)
    &tern__gemm_avx512,
    &tern__gemm_avx2,
#elif defined(__aarch64__)
    &tern__gemm_neon,
#endif
    &tern__gemm_scalar,
    NULL,
};

const tern__gemm_kernel *const tern__gemm_f64_family[] = {
#if defined(TERN_SCALAR_ONLY)
#elif defined(__x86_64__)
    &tern__gemm_f64_avx512,
    &tern__gemm_f64_avx2,
#elif defined(__aarch64__)
    &tern__gemm_f64_neon,
#endif
    &tern__gemm_f64_scalar,
    NULL,
};

const tern__gemm_kernel *const tern__gemm_i8_family[] = {
#if defined(TERN_SCALAR_ONLY)
#elif defined(__x86_64__)
    &tern__gemm_i8_avx512vnni,
    &tern__gemm_i8_avx2,
#elif defined(__aarch64__)
    &tern__gemm_i8_dotprod,
#endif
    &tern__gemm_i8_scalar,
    NULL,
};

const tern__gemm_kernel *const tern__gemm_bf16_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__gemm_bf16_avx512bf16,
#endif
    &tern__gemm_bf16_scalar,
    NULL,
};
