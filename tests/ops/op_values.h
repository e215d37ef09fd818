/* SPDX-License-Identifier: MIT
 * Operands and results of tests of operations as numbers in double, and the same call at every
 * kernel level and number of threads. Include context_fixture.h before. */
#ifndef TERN_TEST_OP_VALUES_H
#define TERN_TEST_OP_VALUES_H

#include <math.h>

#include <tern/ops.h>

#include "base/cpu.h"

/* Normal numbers of a type; the open scope owns them. */
static inline tern_tensor *numbers_of(tern_dtype dtype, tern_shape shape, uint64_t seed) {
    tern_tensor *x = normal(shape, seed), *t = NULL;
    test_ok(tern_cast(x, dtype, &t));
    return t;
}

static inline tern_tensor *doubles_of(tern_shape shape, const double *data) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_from_data(context, TERN_F64, shape, data, &t));
    return t;
}

static inline tern_tensor *integers_of(tern_shape shape, const int64_t *data) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_from_data(context, TERN_I64, shape, data, &t));
    return t;
}

static inline tern_tensor *turned(tern_tensor *x, int axis0, int axis1) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_transpose(x, axis0, axis1, &t));
    return t;
}

/* Every second element of the last axis of a larger tensor, then of the others. */
static inline tern_tensor *stepped(tern_dtype dtype, tern_shape shape, uint64_t seed) {
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] *= 2;
    tern_tensor *t = numbers_of(dtype, shape, seed);
    for (int i = 0; i < shape.rank; i++)
        test_ok(tern_tensor_slice(t, i, 0, INT64_MAX, 2, &t));
    return t;
}

/* The elements in row-major order; the open scope owns them. */
static inline double *values_of(tern_tensor *t) {
    tern_tensor *wide = NULL;
    test_ok(tern_cast(t, TERN_F64, &wide));
    return tern_tensor_data(wide);
}

/* |got - expected| <= tolerance * max(1, |expected|) for every element. */
static inline void check_values(tern_tensor *got, const double *expected, double tolerance,
                                const char *what) {
    const double *values = values_of(got);
    for (int64_t i = 0; i < tern_tensor_count(got); i++) {
        double scale = fabs(expected[i]) > 1 ? fabs(expected[i]) : 1;
        bool is_same = isnan(expected[i]) ? isnan(values[i]) : values[i] == expected[i];
        if (!is_same && !(fabs(values[i] - expected[i]) <= tolerance * scale))
            fail_msg("%s: element %lld is %.17g, expected %.17g", what, (long long)i, values[i],
                     expected[i]);
    }
}

static inline double tolerance_of(tern_dtype dtype) {
    return dtype == TERN_F64 ? 1e-13 : dtype == TERN_F32 ? 4e-6 : dtype == TERN_F16 ? 2e-3 : 2e-2;
}

/* Both are contiguous. */
static inline void check_same_bits(const tern_tensor *got, const tern_tensor *expected,
                                   const char *what) {
    assert_int_equal(tern_tensor_dtype(got), tern_tensor_dtype(expected));
    assert_int_equal(tern_tensor_bytes(got), tern_tensor_bytes(expected));
    test_same_bytes(tern_tensor_data(got), tern_tensor_data(expected), tern_tensor_bytes(got),
                    what);
}

/* `make` writes its results, contiguous, at most `capacity` bytes, and returns how many. */
typedef size_t results_fn(uint8_t *results);

static inline size_t put_result(uint8_t *results, tern_tensor *t) {
    tern_tensor *whole = NULL;
    test_ok(tern_contiguous(t, &whole));
    memcpy(results, tern_tensor_data(whole), tern_tensor_bytes(whole));
    return tern_tensor_bytes(whole);
}

static inline size_t make_results(results_fn *make, const char *level, int threads,
                                  uint8_t *results) {
    tern_context *outer = context;
    test_ok(tern_context_create(&(tern_options){.threads = threads, .cpu = level}, &context));
    tern_scope_begin(context);
    size_t bytes = make(results);
    tern_scope_end(context);
    tern_context_destroy(context);
    context = outer;
    return bytes;
}

/* The bits of one thread of plain C, from all levels and 1 to 8 threads. */
static inline void check_everywhere(results_fn *make, size_t capacity) {
    static const char *const levels[] = {"scalar", "avx2", "avx512", "neon", NULL};
    uint8_t *expected = malloc(capacity), *got = malloc(capacity);
    size_t bytes = make_results(make, "scalar", 1, expected);
    for (int i = 0; i < 5; i++) {
        uint32_t features;
        if (tern__cpu_level(levels[i], &features) != TERN_OK)
            continue;
        for (int threads = 1; threads <= 8; threads++) {
            char what[64];
            snprintf(what, sizeof what, "level %s, %d threads",
                     levels[i] != NULL ? levels[i] : "native", threads);
            assert_int_equal(make_results(make, levels[i], threads, got), bytes);
            test_same_bytes(got, expected, bytes, what);
        }
    }
    free(expected);
    free(got);
}

#endif
