/* SPDX-License-Identifier: MIT */
#include "kernels/attention.h"

extern const tern__attention_kernel tern__attention_scalar;
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
extern const tern__attention_kernel tern__attention_avx512;
extern const tern__attention_kernel tern__attention_avx2;
#endif

const tern__attention_kernel *const tern__attention_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__attention_avx512,
    &tern__attention_avx2,
#endif
    &tern__attention_scalar,
    NULL,
};
