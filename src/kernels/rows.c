/* SPDX-License-Identifier: MIT
 * Family `rows`: its variants, best first. */
#include "kernels/rows.h"

#include <stddef.h>

extern const tern__rows_kernel tern__rows_avx512;
extern const tern__rows_kernel tern__rows_avx2;
extern const tern__rows_kernel tern__rows_scalar;

const tern__rows_kernel *const tern__rows_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__rows_avx512,
    &tern__rows_avx2,
#endif
    &tern__rows_scalar,
    NULL,
};
