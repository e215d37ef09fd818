/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "support.h"

#include "kernels/attention.h"
#include "kernels/inputs.h"
#include "kernels/variants.h"

enum { GROUP_MAX = 8 };

static const tern__attention_kernel *twin(void) {
    return test_scalar_twin(tern__attention_family);
}

/* A buffer of n elements whose last byte lies right before the guard page. */
static test_guarded guarded_to_end(int64_t n, size_t size) {
    size_t bytes = (size_t)n * size;
    return test_guarded_new(bytes, (64 - bytes % 64) % 64);
}

static void fill_halves(test_random *random, int input, uint16_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float value;
        test_fill(random, input, &value, 1);
        x[i] = input == TEST_BITS ? (uint16_t)tern__f32_bits(value) : tern__f16_from_f32(value);
    }
}

/* ---- the specification against literal vectors ---- */

/* The score of one query against one key of ones. */
static float score_of_ones(const float *q, int64_t n, float scale) {
    uint16_t key[256];
    float out = NAN;
    for (int64_t i = 0; i < n; i++)
        key[i] = 0x3c00;
    twin()->scores(q, n, 1, key, n, 1, n, scale, &out, 1);
    return out;
}

static void scalar_scores(void **state) {
    (void)state;
    const float q[] = {1, 2, 3, -1, 0, 0.5f}; /* (2, 3) */
    const uint16_t keys[] = {0x3c00, 0x4000, 0xc200, 0, 0xbc00, 0x0002, 0x3800, 0, 0x7c00};
    float out[8] = {7, 7, 7, 7, 7, 7, 7, 7}; /* (2, 3) with stride 4 */
    twin()->scores(q, 3, 2, keys, 3, 3, 3, 2, out, 4);
    const float expected[] = {-8, -4 + 0x3p-22f, INFINITY, 7, -5, 0x1p-23f, INFINITY, 7};
    test_same_floats(out, expected, 8, "scores");
}

static void scalar_reduction(void **state) {
    (void)state;
    float q[256] = {0}, out;
    /* Partial results 0 and 32 meet before 1 joins: no digit is lost. */
    q[0] = 0x1p24f, q[1] = 1, q[32] = -0x1p24f;
    test_same_floats(&(float){score_of_ones(q, 128, 1)}, &(float){1}, 1, "s = 32 first");
    /* 0 meets 2 and 1 meets 3 before the pairs meet. */
    memset(q, 0, sizeof q);
    q[0] = 0x1p24f, q[1] = 1, q[2] = -0x1p24f, q[3] = 2;
    test_same_floats(&(float){score_of_ones(q, 80, 1)}, &(float){3}, 1, "s = 2 before s = 1");
    /* 0 and 64 are one partial result, in which 1 drowns before -2^24 comes at 128. */
    memset(q, 0, sizeof q);
    q[0] = 0x1p24f, q[64] = 1, q[128] = -0x1p24f;
    test_same_floats(&(float){score_of_ones(q, 192, 1)}, &(float){0}, 1, "chain in order");
    /* A product is not rounded before it is added: (1 + 2^-14) (1 + 2^-10) has 25 digits. */
    memset(q, 0, sizeof q);
    uint16_t key[65] = {0x3c00};
    key[64] = 0x3c01;
    q[0] = -(1 + 0x1p-10f + 0x1p-14f), q[64] = 1 + 0x1p-14f;
    twin()->scores(q, 65, 1, key, 65, 1, 65, 1, &out, 1);
    test_same_floats(&out, &(float){0x1p-24f}, 1, "fused");
    /* The scale multiplies the rounded sum. */
    q[0] = 0x1p24f, q[1] = 1, q[64] = 0;
    test_same_floats(&(float){score_of_ones(q, 2, 0x1p-24f)}, &(float){1}, 1, "scale last");
}

static void scalar_mix(void **state) {
    (void)state;
    const float p[] = {0.5f, 2, -1, 0x1p24f, 1, -0x1p24f}; /* (2, 3) */
    const uint16_t values[] = {0x3c00, 0x4000, 0, 0x8000, 0x3c00, 0, 0x3c00, 0x3c00, 0x3c00, 0};
    float out[6] = {7, 7, 7, 7, 7, 7}; /* (2, 2) with stride 3 */
    twin()->mix(p, 3, 2, values, 4, 3, 2, out, 3);
    /* Rows 0, 4, 8 of values: (1, 2), (1, 0), (1, 0); 1 drowns in 2^24 as t goes in order. */
    const float expected[] = {1.5f, 1, 7, 0, 0x1p25f, 7};
    test_same_floats(out, expected, 6, "mix");
    twin()->mix(p, 3, 1, values, 4, 0, 2, out, 3);
    test_same_floats(out, (float[]){0, 0, 7}, 3, "mix of nothing");
}

static void scalar_against_exact(void **state) {
    (void)state;
    test_random random = {.seed = 81};
    enum { LENGTH = 40, HEAD = 100 };
    float q[HEAD], p[LENGTH], scores[LENGTH], mix[HEAD];
    uint16_t rows[LENGTH * HEAD];
    test_random_normal(&random, q, HEAD);
    test_random_normal(&random, p, LENGTH);
    fill_halves(&random, TEST_NORMAL, rows, LENGTH * HEAD);
    twin()->scores(q, 0, 1, rows, HEAD, LENGTH, HEAD, 0.25f, scores, 0);
    twin()->mix(p, 0, 1, rows, HEAD, LENGTH, HEAD, mix, 0);
    for (int t = 0; t < LENGTH; t++) {
        long double exact = 0, magnitude = 0;
        for (int d = 0; d < HEAD; d++) {
            long double product = (long double)q[d] * tern__f32_from_f16(rows[t * HEAD + d]) / 4;
            exact += product;
            magnitude += fabsl(product);
        }
        /* Two steps of a partial result and six levels, each rounded once (scaling is exact). */
        assert_true(fabsl(scores[t] - exact) <= 8.1L * 0x1p-24L * magnitude);
    }
    for (int d = 0; d < HEAD; d++) {
        long double exact = 0, magnitude = 0;
        for (int t = 0; t < LENGTH; t++) {
            long double product = (long double)p[t] * tern__f32_from_f16(rows[t * HEAD + d]);
            exact += product;
            magnitude += fabsl(product);
        }
        assert_true(fabsl(mix[d] - exact) <= (LENGTH + 0.1L) * 0x1p-24L * magnitude);
    }
}

/* ---- every variant against the specification ---- */

typedef struct sizes {
    int group, input;
    int64_t length, head_size;
} sizes;

static void describe(char *what, size_t size, const char *function, const char *variant, sizes s,
                     const test_random *random) {
    snprintf(what, size, "%s %s: group %d length %d head size %d input %d, seed %d at %d", variant,
             function, s.group, (int)s.length, (int)s.head_size, s.input, (int)random->seed,
             (int)random->position);
}

/* Rows of a cache: (length, head_size) halves, `stride` apart, nothing readable behind. */
static test_guarded cache_rows(test_random *random, sizes s, int64_t stride) {
    int64_t count = s.length == 0 ? 0 : (s.length - 1) * stride + s.head_size;
    test_guarded rows = guarded_to_end(count, sizeof(uint16_t));
    fill_halves(random, s.input, (uint16_t *)rows.data, count);
    return rows;
}

/* `group` rows of `width` floats, `stride` apart. */
static test_guarded float_rows(test_random *random, sizes s, int64_t width, int64_t stride) {
    int64_t count = width == 0 ? 0 : (s.group - 1) * stride + width;
    test_guarded rows = guarded_to_end(count, sizeof(float));
    if (random != NULL)
        test_fill(random, s.input, (float *)rows.data, count);
    return rows;
}

static void check_scores(const tern__attention_kernel *kernel, test_random *random, sizes s) {
    char what[200];
    describe(what, sizeof what, "scores", kernel->variant.name, s, random);
    int64_t q_stride = s.head_size + test_random_range(random, 0, 5);
    int64_t key_stride = s.head_size + test_random_range(random, 0, 5);
    int64_t out_stride = s.length + test_random_range(random, 0, 5);
    test_guarded q = float_rows(random, s, s.head_size, q_stride);
    test_guarded keys = cache_rows(random, s, key_stride);
    test_guarded got = float_rows(NULL, s, s.length, out_stride);
    test_guarded expected = float_rows(NULL, s, s.length, out_stride);
    float scale = 0.088388346f;

    twin()->scores((const float *)q.data, q_stride, s.group, (const uint16_t *)keys.data,
                   key_stride, s.length, s.head_size, scale, (float *)expected.data, out_stride);
    kernel->scores((const float *)q.data, q_stride, s.group, (const uint16_t *)keys.data,
                   key_stride, s.length, s.head_size, scale, (float *)got.data, out_stride);
    test_same_floats((const float *)got.data, (const float *)expected.data,
                     (int64_t)(got.bytes / sizeof(float)), what);
    test_guarded_check(&got);
    test_guarded_free(&expected);
    test_guarded_free(&got);
    test_guarded_free(&keys);
    test_guarded_free(&q);
}

static void check_mix(const tern__attention_kernel *kernel, test_random *random, sizes s) {
    char what[200];
    describe(what, sizeof what, "mix", kernel->variant.name, s, random);
    int64_t p_stride = s.length + test_random_range(random, 0, 5);
    int64_t value_stride = s.head_size + test_random_range(random, 0, 5);
    int64_t out_stride = s.head_size + test_random_range(random, 0, 5);
    test_guarded p = float_rows(random, s, s.length, p_stride);
    test_guarded values = cache_rows(random, s, value_stride);
    test_guarded got = float_rows(NULL, s, s.head_size, out_stride);
    test_guarded expected = float_rows(NULL, s, s.head_size, out_stride);

    twin()->mix((const float *)p.data, p_stride, s.group, (const uint16_t *)values.data,
                value_stride, s.length, s.head_size, (float *)expected.data, out_stride);
    kernel->mix((const float *)p.data, p_stride, s.group, (const uint16_t *)values.data,
                value_stride, s.length, s.head_size, (float *)got.data, out_stride);
    test_same_floats((const float *)got.data, (const float *)expected.data,
                     (int64_t)(got.bytes / sizeof(float)), what);
    test_guarded_check(&got);
    test_guarded_free(&expected);
    test_guarded_free(&got);
    test_guarded_free(&values);
    test_guarded_free(&p);
}

static void variants_all_sizes(void **state) {
    (void)state;
    static const int64_t lengths[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 64, 65, 130};
    static const int64_t head_sizes[] = {1,  2,  3,  7,  8,  9,   15,  16,  17,  31,  32,  33,
                                         63, 64, 65, 80, 96, 100, 127, 128, 129, 191, 192, 256};
    test_random random = {.seed = 82};
    const tern__attention_kernel *kernel;
    int turn = 0;
    for (int at = 0; (kernel = test_next_variant(tern__attention_family, "attention", &at));)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (size_t h = 0; h < sizeof head_sizes / sizeof *head_sizes; h++)
                for (int group = 1; group <= GROUP_MAX; group++, turn++) {
                    sizes s = {group, turn % TEST_INPUTS, lengths[l], head_sizes[h]};
                    check_scores(kernel, &random, s);
                    check_mix(kernel, &random, s);
                }
}

/* Products that underflow leave -0, which a product of padding zeros would turn into +0. */
static void variants_keep_signed_zeros(void **state) {
    (void)state;
    float q[256], expected, got;
    uint16_t key[256];
    for (int i = 0; i < 256; i++) {
        q[i] = -0x1p-140f;
        key[i] = 0x0001; /* 2^-24 */
    }
    const tern__attention_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__attention_family, "attention", &at));)
        for (int64_t n = 1; n <= 256; n++) {
            twin()->scores(q, n, 1, key, n, 1, n, 1, &expected, 1);
            assert_int_equal(signbit(expected) != 0, n >= 64);
            kernel->scores(q, n, 1, key, n, 1, n, 1, &got, 1);
            test_same_floats(&got, &expected, 1, kernel->variant.name);
            twin()->mix(q, n, 1, key, 1, n, 1, &expected, 1);
            kernel->mix(q, n, 1, key, 1, n, 1, &got, 1);
            assert_true(signbit(expected));
            test_same_floats(&got, &expected, 1, kernel->variant.name);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_scores),      cmocka_unit_test(scalar_reduction),
        cmocka_unit_test(scalar_mix),         cmocka_unit_test(scalar_against_exact),
        cmocka_unit_test(variants_all_sizes), cmocka_unit_test(variants_keep_signed_zeros),
    };
    return cmocka_run_group_tests_name("attention", tests, NULL, NULL);
}
