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

static size_t element_bytes(bool is_f16) {
    return is_f16 ? sizeof(uint16_t) : sizeof(float);
}

/* n elements of a cache of either type. */
static void fill_rows(test_random *random, int input, bool is_f16, void *rows, int64_t n) {
    if (!is_f16) {
        test_fill(random, input, rows, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float value;
        test_fill(random, input, &value, 1);
        ((uint16_t *)rows)[i] =
            input == TEST_BITS ? (uint16_t)tern__f32_bits(value) : tern__f16_from_f32(value);
    }
}

static float element(const void *rows, bool is_f16, int64_t at) {
    return is_f16 ? tern__f32_from_f16(((const uint16_t *)rows)[at]) : ((const float *)rows)[at];
}

/* ---- the specification against literal vectors ---- */

/* x, all of it exact in halves, as a cache of the type; good until the next call. */
static const void *cache_of(const float *x, int64_t n, bool is_f16) {
    static uint16_t halves[256];
    if (!is_f16)
        return x;
    for (int64_t i = 0; i < n; i++) {
        halves[i] = tern__f16_from_f32(x[i]);
        assert_true(tern__f32_from_f16(halves[i]) == x[i]);
    }
    return halves;
}

static void scalar_scores(void **state) {
    (void)state;
    const float q[] = {1, 2, 3, -1, 0, 0.5f}; /* (2, 3) */
    const float keys[] = {1, 2, -3, 0, -1, 0x1p-23f, 0.5f, 0, INFINITY};
    for (int is_f16 = 0; is_f16 < 2; is_f16++) {
        float out[8] = {7, 7, 7, 7, 7, 7, 7, 7}; /* (2, 3) with stride 4 */
        twin()->scores(&(tern__attention_args){q, 3, 2, is_f16, cache_of(keys, 9, is_f16), 3, 3, 3,
                                               2, out, 4});
        const float expected[] = {-8, -4 + 0x3p-22f, INFINITY, 7, -5, 0x1p-23f, INFINITY, 7};
        test_same_floats(out, expected, 8, is_f16 ? "F16 scores" : "F32 scores");
    }
}

/* The score of one query row against one key row. */
static float score(const float *q, const float *key, bool is_f16, int64_t n, float scale) {
    float out = NAN;
    twin()->scores(&(tern__attention_args){q, n, 1, is_f16, cache_of(key, n, is_f16), n, 1, n,
                                           scale, &out, 1});
    return out;
}

static void scalar_reduction(void **state) {
    (void)state;
    float ones[256];
    for (int i = 0; i < 256; i++)
        ones[i] = 1;
    for (int is_f16 = 0; is_f16 < 2; is_f16++) {
        /* Partial results 0 and 32 meet before 1 joins: no digit is lost. */
        float q[256] = {0};
        q[0] = 0x1p24f, q[1] = 1, q[32] = -0x1p24f;
        assert_float_equal(score(q, ones, is_f16, 128, 1), 1, 0);
        /* 0 meets 2 and 1 meets 3 before the pairs meet. */
        memset(q, 0, sizeof q);
        q[0] = 0x1p24f, q[1] = 1, q[2] = -0x1p24f, q[3] = 2;
        assert_float_equal(score(q, ones, is_f16, 80, 1), 3, 0);
        /* 0 and 64 are one partial result, in which 1 drowns before -2^24 comes at 128. */
        memset(q, 0, sizeof q);
        q[0] = 0x1p24f, q[64] = 1, q[128] = -0x1p24f;
        assert_float_equal(score(q, ones, is_f16, 192, 1), 0, 0);
        /* A product is not rounded before it is added: (1 + 2^-14) (1 + 2^-10) has 25 digits. */
        memset(q, 0, sizeof q);
        const float key[65] = {[0] = 1, [64] = 1 + 0x1p-10f};
        q[0] = -(1 + 0x1p-10f + 0x1p-14f), q[64] = 1 + 0x1p-14f;
        assert_float_equal(score(q, key, is_f16, 65, 1), 0x1p-24f, 0);
        /* The scale multiplies the rounded sum. */
        q[0] = 0x1p24f, q[1] = 1, q[64] = 0;
        assert_float_equal(score(q, ones, is_f16, 2, 0x1p-24f), 1, 0);
    }
}

static void scalar_mix(void **state) {
    (void)state;
    const float p[] = {0.5f, 2, -1, 0x1p24f, 1, -0x1p24f}; /* (2, 3) */
    const float values[] = {1, 2, 0, -0.0f, 1, 0, 1, 1, 1, 0};
    for (int is_f16 = 0; is_f16 < 2; is_f16++) {
        float out[6] = {7, 7, 7, 7, 7, 7}; /* (2, 2) with stride 3 */
        tern__attention_args args = {p, 3,   2,   is_f16, cache_of(values, 10, is_f16), 4, 3,
                                     2, NAN, out, 3};
        twin()->mix(&args);
        /* Rows 0, 4, 8 of values: (1, 2), (1, 0), (1, 0); 1 drowns in 2^24 as t goes in order. */
        const float expected[] = {1.5f, 1, 7, 0, 0x1p25f, 7};
        test_same_floats(out, expected, 6, "mix");
        args.group = 1, args.length = 0;
        twin()->mix(&args);
        test_same_floats(out, (float[]){0, 0, 7}, 3, "mix of nothing");
    }
}

enum { LENGTH = 40, HEAD = 100 };

static void check_exact(const float *q, const float *p, const void *rows, bool is_f16) {
    float scores[LENGTH], mixed[HEAD];
    tern__attention_args args = {q, 0, 1, is_f16, rows, HEAD, LENGTH, HEAD, 0.25f, scores, 0};
    twin()->scores(&args);
    args.x = p, args.out = mixed;
    twin()->mix(&args);
    for (int t = 0; t < LENGTH; t++) {
        long double exact = 0, magnitude = 0;
        for (int d = 0; d < HEAD; d++) {
            long double product = (long double)q[d] * element(rows, is_f16, t * HEAD + d) / 4;
            exact += product;
            magnitude += fabsl(product);
        }
        /* Two steps of a partial result and six levels, each rounded once (scaling is exact). */
        assert_true(fabsl(scores[t] - exact) <= 8.1L * 0x1p-24L * magnitude);
    }
    for (int d = 0; d < HEAD; d++) {
        long double exact = 0, magnitude = 0;
        for (int t = 0; t < LENGTH; t++) {
            long double product = (long double)p[t] * element(rows, is_f16, t * HEAD + d);
            exact += product;
            magnitude += fabsl(product);
        }
        assert_true(fabsl(mixed[d] - exact) <= (LENGTH + 0.1L) * 0x1p-24L * magnitude);
    }
}

static void scalar_against_exact(void **state) {
    (void)state;
    test_random random = {.seed = 81};
    static float q[HEAD], p[LENGTH], rows[LENGTH * HEAD]; /* F16 takes half of rows */
    for (int is_f16 = 0; is_f16 < 2; is_f16++) {
        test_random_normal(&random, q, HEAD);
        test_random_normal(&random, p, LENGTH);
        fill_rows(&random, TEST_NORMAL, is_f16, rows, LENGTH * HEAD);
        check_exact(q, p, rows, is_f16);
    }
}

/* ---- every variant against the specification ---- */

typedef struct sizes {
    int group, input;
    bool is_f16;
    int64_t length, head_size;
} sizes;

/* Rows of a cache: (length, head_size), `stride` apart, nothing readable behind. */
static test_guarded cache_rows(test_random *random, sizes s, int64_t stride) {
    int64_t count = s.length == 0 ? 0 : (s.length - 1) * stride + s.head_size;
    test_guarded rows = guarded_to_end(count, element_bytes(s.is_f16));
    fill_rows(random, s.input, s.is_f16, rows.data, count);
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

static void check(const tern__attention_kernel *kernel, test_random *random, sizes s, bool is_mix) {
    char what[200];
    snprintf(what, sizeof what,
             "%s %s of %s: group %d length %d head size %d input %d, seed %d at %d",
             kernel->variant.name, is_mix ? "mix" : "scores", s.is_f16 ? "F16" : "F32", s.group,
             (int)s.length, (int)s.head_size, s.input, (int)random->seed, (int)random->position);
    int64_t width_in = is_mix ? s.length : s.head_size,
            width_out = s.head_size + s.length - width_in;
    int64_t x_stride = width_in + test_random_range(random, 0, 5);
    int64_t row_stride = s.head_size + test_random_range(random, 0, 5);
    int64_t out_stride = width_out + test_random_range(random, 0, 5);
    test_guarded x = float_rows(random, s, width_in, x_stride);
    test_guarded rows = cache_rows(random, s, row_stride);
    test_guarded got = float_rows(NULL, s, width_out, out_stride);
    test_guarded expected = float_rows(NULL, s, width_out, out_stride);
    const tern__attention_args args = {
        .x = (const float *)x.data,
        .x_stride = x_stride,
        .group = s.group,
        .is_f16 = s.is_f16,
        .rows = rows.data,
        .row_stride = row_stride,
        .length = s.length,
        .head_size = s.head_size,
        .scale = 0.088388346f,
        .out = (float *)got.data,
        .out_stride = out_stride,
    };
    tern__attention_args twin_args = args;
    twin_args.out = (float *)expected.data;
    if (is_mix) {
        twin()->mix(&twin_args);
        kernel->mix(&args);
    } else {
        twin()->scores(&twin_args);
        kernel->scores(&args);
    }
    test_same_floats((const float *)got.data, (const float *)expected.data,
                     (int64_t)(got.bytes / sizeof(float)), what);
    test_guarded_check(&got);
    test_guarded_free(&expected);
    test_guarded_free(&got);
    test_guarded_free(&rows);
    test_guarded_free(&x);
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
                    if (turn % TEST_THINNING != 0)
                        continue;
                    sizes s = {.group = group,
                               .input = turn % TEST_INPUTS,
                               .length = lengths[l],
                               .head_size = head_sizes[h]};
                    for (int i = 0; i < 4; i++) {
                        s.is_f16 = i % 2;
                        check(kernel, &random, s, i / 2);
                    }
                }
}

/* Products that underflow leave -0, which a product of padding zeros would turn into +0. */
static void variants_keep_signed_zeros(void **state) {
    (void)state;
    float q[256], small[256], expected, got;
    for (int i = 0; i < 256; i++) {
        q[i] = -0x1p-140f;
        small[i] = 0x1p-24f;
    }
    const tern__attention_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__attention_family, "attention", &at));)
        for (int64_t n = 1; n <= 256; n++)
            for (int is_f16 = 0; is_f16 < 2; is_f16++) {
                tern__attention_args args = {
                    q, n, 1, is_f16, cache_of(small, n, is_f16), n, 1, n, 1, &expected, 1};
                twin()->scores(&args);
                assert_int_equal(signbit(expected) != 0, n >= 64);
                args.out = &got;
                kernel->scores(&args);
                test_same_floats(&got, &expected, 1, kernel->variant.name);
                args.row_stride = 1, args.length = n, args.head_size = 1;
                kernel->mix(&args);
                args.out = &expected;
                twin()->mix(&args);
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
