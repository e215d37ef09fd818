/* SPDX-License-Identifier: MIT
 * Walking the variants of a kernel family (base/cpu.h) that this machine runs:
 *
 *     const tern__rows_kernel *twin = test_scalar_twin(tern__rows_family);
 *     const tern__rows_kernel *kernel;
 *     for (int at = 0; (kernel = test_next_variant(tern__rows_family, "rows", &at)) != NULL;)
 *         compare(kernel, twin);
 */
#ifndef TERN_TEST_VARIANTS_H
#define TERN_TEST_VARIANTS_H

#include <stdio.h>

#include "base/cpu.h"

/* The last variant of a family: the specification of the others. */
#define test_scalar_twin(family) test_scalar_twin_of((const void *const *)(family))

/* The next variant from index *at on that this machine runs, the scalar twin left out; NULL at the
 * end. A variant that cannot run here is printed as skipped, once per program. */
#define test_next_variant(family, name, at)                                                        \
    test_next_variant_of((const void *const *)(family), (name), (at))

static inline const void *test_scalar_twin_of(const void *const *family) {
    while (family[1] != NULL)
        family++;
    return *family;
}

static inline void test_report_skipped(const char *family, const tern__variant *variant) {
    static const tern__variant *reported[64];
    size_t i = 0;
    while (i < 63 && reported[i] != NULL && reported[i] != variant)
        i++;
    if (reported[i] == variant)
        return;
    reported[i] = variant;
    char lacking[256];
    tern__cpu_describe(variant->needs & ~tern__cpu()->features, lacking, sizeof lacking);
    printf("SKIPPED: %s/%s: this CPU lacks %s\n", family, variant->name, lacking);
}

static inline const void *test_next_variant_of(const void *const *family, const char *name,
                                               int *at) {
    while (family[*at + 1] != NULL) {
        const tern__variant *variant = family[(*at)++];
        if ((variant->needs & ~tern__cpu()->features) == 0)
            return variant;
        test_report_skipped(name, variant);
    }
    return NULL;
}

#endif
