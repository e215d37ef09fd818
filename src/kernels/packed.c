/* SPDX-License-Identifier: MIT
 * The variants of each family, best first. `wide` is the AVX-512 one, whose needs differ. */
#include "kernels/packed.h"

#if defined(TERN_SCALAR_ONLY)
#define VARIANTS(X, family, wide)
#elif defined(__x86_64__)
#define VARIANTS(X, family, wide) X(family, amx) X(family, wide) X(family, avxvnni) X(family, avx2)
#elif defined(__aarch64__)
#define VARIANTS(X, family, wide) X(family, i8mm) X(family, dotprod) X(family, neon)
#else
#define VARIANTS(X, family, wide)
#endif

#define DECLARE(family, isa) extern const tern__packed_kernel tern__##family##_##isa;
#define LIST(family, isa)    &tern__##family##_##isa,
#define FAMILY(family, wide)                                                                       \
    VARIANTS(DECLARE, family, wide)                                                                \
    extern const tern__packed_kernel tern__##family##_scalar;                                      \
    const tern__packed_kernel *const tern__##family##_family[] = {                                 \
        VARIANTS(LIST, family, wide) & tern__##family##_scalar, NULL};

FAMILY(trits4, avx512vnni)
FAMILY(trits5, avx512vbmi)
FAMILY(int4, avx512vnni)
FAMILY(int8, avx512vnni)

const tern__packing_info tern__packings[TERN__PACKING_COUNT] = {
#define PACKING_ROW(symbol, family, name, codes, bytes, offset, count, k_max)                      \
    {name, codes, bytes, offset, count, k_max},
    TERN__PACKINGS(PACKING_ROW)
#undef PACKING_ROW
};

const tern__packed_kernel *const *const tern__packed_families[TERN__PACKING_COUNT] = {
#define FAMILY_ROW(symbol, family, ...) tern__##family##_family,
    TERN__PACKINGS(FAMILY_ROW)
#undef FAMILY_ROW
};
