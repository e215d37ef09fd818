/* SPDX-License-Identifier: MIT
 * Matrices in all layouts that strides can describe, with a guard page right behind them. */
#ifndef TERN_TEST_LAYOUTS_H
#define TERN_TEST_LAYOUTS_H

#include "support.h"

enum { TEST_LAYOUTS = 5, TEST_OUT_LAYOUTS = 4 };

/* Kinds: 0 and 1 contiguous one way or the other, 2 with gaps, 3 backwards, 4 outer repeated. */
typedef struct test_layout {
    test_guarded buffer;
    uint8_t *origin;      /* element 0, 0 */
    int64_t outer, inner; /* strides in elements */
} test_layout;

static inline test_layout test_lay_out(test_random *random, int kind, int64_t outer, int64_t inner,
                                       size_t size) {
    int64_t gap = test_random_range(random, 0, 5);
    test_layout l = {.outer = (int64_t[]){inner + gap, 1, 2 * inner + gap, -inner - gap, 0}[kind],
                     .inner = (int64_t[]){1, outer + gap, 2, kind % 2 ? -1 : 1, 1}[kind]};
    int64_t last = (outer > 0 && inner > 0)
                       ? (outer - 1) * llabs(l.outer) + (inner - 1) * llabs(l.inner) + 1
                       : 0;
    size_t bytes = (size_t)last * size;
    l.buffer = test_guarded_new(bytes, (64 - bytes % 64) % 64);
    l.origin = l.buffer.data + (kind == 3 && last > 0 ? (size_t)(last - 1) * size : 0);
    return l;
}

#endif
