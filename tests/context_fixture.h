/* SPDX-License-Identifier: MIT
 * One context for a test program, and scopes or leak checks around its tests. The program defines
 * FIXTURE_THREADS before it includes this. */
#ifndef TERN_TEST_CONTEXT_FIXTURE_H
#define TERN_TEST_CONTEXT_FIXTURE_H

#include <tern/tensor.h>

#include "support.h"

static tern_context *context;

static inline int open_context(void **state) {
    (void)state;
    return tern_context_create(&(tern_options){.threads = FIXTURE_THREADS}, &context) != TERN_OK;
}

static inline int close_context(void **state) {
    (void)state;
    tern_context_destroy(context);
    return 0;
}

static inline int begin_scope(void **state) {
    (void)state;
    tern_scope_begin(context);
    return 0;
}

static inline int end_scope(void **state) {
    (void)state;
    tern_scope_end(context);
    return tern_context_memory(context).live_tensors != 0;
}

/* Every test ends with nothing alive. */
static inline int nothing_alive(void **state) {
    (void)state;
    tern_memory_stats stats = tern_context_memory(context);
    return stats.live_tensors != 0 || stats.live_bytes != 0;
}

/* Normal numbers, owned by the caller or the open scope. */
static inline tern_tensor *normal(tern_shape shape, uint64_t seed) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_randn(context, TERN_F32, shape, seed, &t));
    return t;
}

#endif
