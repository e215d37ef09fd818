/* SPDX-License-Identifier: MIT */
#include "bench/blas.h"

#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "bench/rows.h"

typedef void cblas_sgemm_fn(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                            const float *a, int lda, const float *b, int ldb, float beta, float *c,
                            int ldc);
typedef int dnnl_sgemm_fn(char trans_a, char trans_b, int64_t m, int64_t n, int64_t k, float alpha,
                          const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
                          float *c, int64_t ldc);

static void cblas_multiply(const tern__blas *self, const tern__blas_call *x) {
    enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };
    ((cblas_sgemm_fn *)self->function)(
        ROW_MAJOR, NO_TRANSPOSE, x->is_transposed ? TRANSPOSE : NO_TRANSPOSE, x->m, x->n, x->k, 1,
        x->a, x->k, x->b, x->is_transposed ? x->k : x->n, 0, x->c, x->n);
}

static void dnnl_multiply(const tern__blas *self, const tern__blas_call *x) {
    ((dnnl_sgemm_fn *)self->function)('N', x->is_transposed ? 'T' : 'N', x->m, x->n, x->k, 1, x->a,
                                      x->k, x->b, x->is_transposed ? x->k : x->n, 0, x->c, x->n);
}

static const tern__blas known[TERN__BLAS_COUNT] = {
    {.name = "openblas",
     .files = {"libopenblas.so.0", "libopenblas.so"},
     .symbol = "cblas_sgemm",
     .threads_symbol = "openblas_set_num_threads",
     .core_symbol = "openblas_get_corename",
     .multiply = cblas_multiply},
    {.name = "dnnl",
     .files = {"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"},
     .symbol = "dnnl_sgemm",
     .threads_symbol = "omp_set_num_threads",
     .multiply = dnnl_multiply},
};

/* The file is the one that the options name for this peer, or `versus` when that is a path, or the
 * first of those known that can be opened. */
/* What it runs by its own choice, or because OPENBLAS_CORETYPE says so, must not be less than our
 * level: these have no AVX-512. */
static bool is_below_level(const char *core, const char *level) {
    static const char *const cores[] = {"Prescott", "Core2",       "Penryn",     "Nehalem",
                                        "Atom",     "Sandybridge", "Haswell",    "Zen",
                                        "Bobcat",   "Bulldozer",   "Piledriver", "Excavator"};
    uint32_t features = 0;
    if (tern__cpu_level(level, &features) != TERN_OK || (features & TERN__CPU_AVX512) == 0)
        return false;
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
        if (strcmp(cores[i], core) == 0)
            return true;
    return false;
}

static void open_library(tern__blas *l, const tern_bench_table_options *options) {
    const char *versus = options->versus, *given = tern__peer_path(options, l->name);
    bool is_path = versus != NULL && strchr(versus, '/') != NULL;
    if (versus != NULL && !is_path && strcmp(versus, l->name) != 0) {
        snprintf(l->why, sizeof l->why, "not asked for");
        return;
    }
    given = is_path ? versus : given;
    if (given != NULL)
        l->handle = tern__library_open(given, l->why, sizeof l->why);
    for (int i = 0; i < 3 && given == NULL && l->handle == NULL; i++)
        if (l->files[i] != NULL)
            l->handle = tern__library_open(l->files[i], l->why, sizeof l->why);
    if (l->handle == NULL)
        return;
    l->function = tern__library_function(l->handle, l->symbol);
    if (l->function == NULL) {
        snprintf(l->why, sizeof l->why, "it has no %s", l->symbol);
        return;
    }
    void (*threads)(void) = tern__library_function(l->handle, l->threads_symbol);
    if (threads != NULL)
        ((void (*)(int))threads)(1);
    void (*core)(void) = tern__library_function(l->handle, l->core_symbol);
    if (core != NULL)
        l->core = ((char *(*)(void))core)();
    if (is_below_level(l->core, options->cpu)) {
        snprintf(l->why, sizeof l->why,
                 "it runs its kernels for %s, which have no AVX-512 (see OPENBLAS_CORETYPE)",
                 l->core);
        l->function = NULL;
    }
}

void tern__blas_open(tern__blas libraries[TERN__BLAS_COUNT],
                     const tern_bench_table_options *options) {
    memcpy(libraries, known, sizeof known);
    for (int i = 0; i < TERN__BLAS_COUNT; i++) {
        libraries[i].core = "";
        if (!options->is_listing)
            open_library(&libraries[i], options);
    }
}

void tern__blas_close(tern__blas libraries[TERN__BLAS_COUNT]) {
    for (int i = 0; i < TERN__BLAS_COUNT; i++)
        tern__library_close(libraries[i].handle);
}
