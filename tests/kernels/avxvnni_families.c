/* SPDX-License-Identifier: MIT
 * Families of packed weights with one variant beside the scalar one: that of AVX-VNNI, compiled for
 * AVX-512 (kernels/packed_avxvnni.h). test_packed.c walks them as test_packed_avxvnni. */
#include "kernels/packed.h"

#define FAMILY(symbol, family, ...)                                                                \
    extern const tern__packed_kernel test_##family##_avxvnni, tern__##family##_scalar;             \
    static const tern__packed_kernel *const family##_family[] = {                                  \
        &test_##family##_avxvnni,                                                                  \
        &tern__##family##_scalar,                                                                  \
        NULL,                                                                                      \
    };
TERN__PACKINGS(FAMILY)
#undef FAMILY

const tern__packed_kernel *const *const tern__packed_families[TERN__PACKING_COUNT] = {
#define FAMILY_ROW(symbol, family, ...) family##_family,
    TERN__PACKINGS(FAMILY_ROW)
#undef FAMILY_ROW
};
