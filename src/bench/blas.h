/* SPDX-License-Identifier: MIT
 * F32 matrix products of other libraries, found at run time and kept to one thread. */
#ifndef TERN__BLAS_H
#define TERN__BLAS_H

#include <stdbool.h>
#include <stdint.h>

#include <tern/bench.h>

#include "base/library.h"

enum { TERN__BLAS_COUNT = 2 }; /* OpenBLAS, oneDNN */

/* c (m, n) = a (m, k) times b (k, n) or, `is_transposed`, the transpose of b (n, k). */
typedef struct tern__blas_call {
    bool is_transposed;
    int m, n, k;
    const float *a, *b;
    float *c;
} tern__blas_call;

typedef struct tern__blas tern__blas;
struct tern__blas {
    const char *name;
    const char *files[3];
    const char *symbol, *threads_symbol, *core_symbol;
    void (*multiply)(const tern__blas *self, const tern__blas_call *call);
    tern__library *handle;
    void (*function)(void); /* NULL: not there, `why` says it */
    const char *core;       /* the processor that it has kernels for; "" where it does not tell */
    char why[160];
};

/* By `versus` and `peers` of the options. Those that are not asked for are not opened, and none is
 * for a list. */
void tern__blas_open(tern__blas libraries[TERN__BLAS_COUNT],
                     const tern_bench_table_options *options);
void tern__blas_close(tern__blas libraries[TERN__BLAS_COUNT]);

#endif
