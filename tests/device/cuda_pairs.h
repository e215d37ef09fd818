/* SPDX-License-Identifier: MIT
 * Tensors in two contexts, one of the CPU and one of the emulated GPU: the same elements, the same
 * operations, the same bits. */
#ifndef TERN_TEST_CUDA_PAIRS_H
#define TERN_TEST_CUDA_PAIRS_H

#include "support.h"

#include <math.h>

#include <tern/tern.h>

typedef struct pair_contexts {
    tern_context *of[2]; /* cpu, cudaemu */
} pair_contexts;

typedef struct pair {
    tern_tensor *of[2];
} pair;

static inline void pair_open(pair_contexts *c) {
    tern_options options = tern_options_default();
    setenv("TERN_PLUGIN_PATH", TERN_TEST_PLUGINS, 1);
    options.threads = 1;
    options.device = "cpu";
    test_ok(tern_context_create(&options, &c->of[0]));
    options.device = "cudaemu";
    test_ok(tern_context_create(&options, &c->of[1]));
}

static inline void pair_close(pair_contexts *c) {
    assert_int_equal(tern_context_memory(c->of[1]).live_tensors, 0);
    tern_context_destroy(c->of[1]);
    tern_context_destroy(c->of[0]);
}

/* How often the operation went to the CPU, or with `native` did not. */
static inline int64_t pair_calls(const pair_contexts *c, const char *name, bool native) {
    tern_context_op_info info;
    for (int i = 0; tern_context_op(c->of[1], i, &info); i++)
        if (strcmp(info.name, name) == 0)
            return native ? info.native_calls : info.fallback_calls;
    fail_msg("no operation %s", name);
    return 0;
}

static inline void pair_drop(pair p) {
    for (int i = 0; i < 2; i++)
        tern_tensor_release(p.of[i]);
}

/* Takes over the reference on a tensor of the CPU. */
static inline pair pair_of(const pair_contexts *c, tern_tensor *x) {
    pair p = {{x, NULL}};
    test_ok(tern_tensor_to(x, c->of[1], &p.of[1]));
    return p;
}

/* Normal numbers; with `special` among them NaN, infinities, zeros and denormals, one of `special`
 * elements. */
static inline pair pair_numbers(const pair_contexts *c, tern_dtype dtype, tern_shape shape,
                                test_random *random, int special) {
    static const float odd[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e-40f, -1e-30f, 3e38f, 0.0f};
    tern_tensor *x, *cast;
    test_ok(tern_tensor_empty(c->of[0], TERN_F32, shape, &x));
    float *data = tern_tensor_data(x);
    int64_t count = tern_tensor_count(x);
    test_random_normal(random, data, count);
    for (int64_t i = 0; i < count; i++) {
        if (special > 0 && test_random_range(random, 1, special) == 1)
            data[i] = odd[test_random_range(random, 0, 7)];
        else if (dtype == TERN_I8)
            data[i] = (float)test_random_range(random, -128, 127);
    }
    test_ok(tern_cast(x, dtype, &cast));
    tern_tensor_release(x);
    return pair_of(c, cast);
}

static inline double pair_element(tern_dtype dtype, const void *data) {
    switch (dtype) {
    case TERN_F64:
        return *(const double *)data;
    case TERN_I32:
        return *(const int32_t *)data;
    case TERN_I64:
        return (double)*(const int64_t *)data;
    default:
        return *(const float *)data;
    }
}

/* Both hold the same elements, any NaN being any NaN; both are released. */
static inline void pair_check(pair p, const char *what) {
    tern_dtype dtype = tern_tensor_dtype(p.of[0]);
    size_t size = dtype == TERN_F64 || dtype == TERN_I64 ? 8 : 4;
    void *data[2];
    for (int i = 0; i < 2; i++) {
        tern_tensor *x = p.of[i];
        if (dtype == TERN_F16 || dtype == TERN_BF16)
            test_ok(tern_cast(p.of[i], TERN_F32, &x));
        data[i] = calloc((size_t)tern_tensor_count(x) + 1, size);
        test_ok(tern_tensor_read(x, data[i], tern_tensor_bytes(x)));
        if (x != p.of[i])
            tern_tensor_release(x);
    }
    int64_t count = tern_tensor_count(p.of[0]);
    for (int64_t i = 0; i < count; i++) {
        const void *a = (const char *)data[0] + i * (int64_t)size;
        const void *b = (const char *)data[1] + i * (int64_t)size;
        if (memcmp(a, b, size) == 0)
            continue;
        double x = pair_element(dtype, a), y = pair_element(dtype, b);
        if (!(isnan(x) && isnan(y)))
            fail_msg("%s: element %lld of %lld: cpu %.9g, cuda %.9g", what, (long long)i,
                     (long long)count, x, y);
    }
    free(data[1]);
    free(data[0]);
    pair_drop(p);
}

#endif
