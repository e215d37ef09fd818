/* SPDX-License-Identifier: MIT */
#include "kernels/packed.h"

extern const tern__packed_kernel tern__trits4_scalar, tern__trits5_scalar, tern__int4_scalar,
    tern__int8_scalar;
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
extern const tern__packed_kernel tern__trits4_avx512vnni;
extern const tern__packed_kernel tern__trits4_avx2, tern__trits5_avx2, tern__int4_avx2,
    tern__int8_avx2;
#if !defined(TERN_LACKS_AVXVNNI)
extern const tern__packed_kernel tern__trits4_avxvnni, tern__trits5_avxvnni, tern__int4_avxvnni,
    tern__int8_avxvnni;
#endif
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
extern const tern__packed_kernel tern__trits4_i8mm, tern__trits5_i8mm, tern__int4_i8mm,
    tern__int8_i8mm;
extern const tern__packed_kernel tern__trits4_dotprod, tern__trits5_dotprod, tern__int4_dotprod,
    tern__int8_dotprod;
extern const tern__packed_kernel tern__trits4_neon, tern__trits5_neon, tern__int4_neon,
    tern__int8_neon;
#endif

const tern__packing_info tern__packings[TERN__PACKING_COUNT] = {
#define PACKING_ROW(symbol, family, name, codes, bytes, offset, count, k_max)                      \
    {name, codes, bytes, offset, count, k_max},
    TERN__PACKINGS(PACKING_ROW)
#undef PACKING_ROW
};

const tern__packed_kernel *const tern__trits4_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
    &tern__trits4_avx512vnni,
#if !defined(TERN_LACKS_AVXVNNI)
    &tern__trits4_avxvnni,
#endif
    &tern__trits4_avx2,
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__trits4_i8mm,   &tern__trits4_dotprod,
    &tern__trits4_neon,
#endif
    &tern__trits4_scalar,     NULL,
};

const tern__packed_kernel *const tern__trits5_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
#if !defined(TERN_LACKS_AVXVNNI)
    &tern__trits5_avxvnni,
#endif
    &tern__trits5_avx2,
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__trits5_i8mm,   &tern__trits5_dotprod,
    &tern__trits5_neon,
#endif
    &tern__trits5_scalar,
    NULL,
};

const tern__packed_kernel *const tern__int4_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
#if !defined(TERN_LACKS_AVXVNNI)
    &tern__int4_avxvnni,
#endif
    &tern__int4_avx2,
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__int4_i8mm,   &tern__int4_dotprod,
    &tern__int4_neon,
#endif
    &tern__int4_scalar,
    NULL,
};

const tern__packed_kernel *const tern__int8_family[] = {
#if defined(__x86_64__) && !defined(TERN_SCALAR_ONLY)
#if !defined(TERN_LACKS_AVXVNNI)
    &tern__int8_avxvnni,
#endif
    &tern__int8_avx2,
#elif defined(__aarch64__) && !defined(TERN_SCALAR_ONLY)
    &tern__int8_i8mm,   &tern__int8_dotprod,
    &tern__int8_neon,
#endif
    &tern__int8_scalar,
    NULL,
};

const tern__packed_kernel *const *const tern__packed_families[TERN__PACKING_COUNT] = {
#define FAMILY_ROW(symbol, family, ...) tern__##family##_family,
    TERN__PACKINGS(FAMILY_ROW)
#undef FAMILY_ROW
};
