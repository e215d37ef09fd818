/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "support.h"

#include "kernels/attention.h"
#include "kernels/inputs.h"
#include "kernels/variants.h"

enum { GROUP_MAX = 8, F32 = TERN__ATTENTION_F32, I8 = TERN__ATTENTION_I8, TYPES = 3 };

static const char *const type_names[TYPES] = {"F32", "F16", "I8"};

static const tern__attention_kernel *twin(void) {
    return test_scalar_twin(tern__attention_family);
}

/* A buffer of n elements whose last byte lies right before the guard page. */
static test_guarded guarded_to_end(int64_t n, size_t size) {
    size_t bytes = (size_t)n * size;
    return test_guarded_new(bytes, (64 - bytes % 64) % 64);
}

static size_t element_bytes(int type) {
    static const size_t bytes[TYPES] = {sizeof(float), sizeof(uint16_t), 1};
    return bytes[type];
}

/* n elements of a cache of any type. */
static void fill_rows(test_random *random, int input, int type, void *rows, int64_t n) {
    if (type == F32) {
        test_fill(random, input, rows, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float value;
        if (type == I8) {
            ((int8_t *)rows)[i] = (int8_t)test_random_range(random, -128, 127);
            continue;
        }
        test_fill(random, input, &value, 1);
        ((uint16_t *)rows)[i] =
            input == TEST_BITS ? (uint16_t)tern__f32_bits(value) : tern__f16_from_f32(value);
    }
}

static float element(const void *rows, int type, int64_t at) {
    if (type == I8)
        return ((const int8_t *)rows)[at];
    return type == F32 ? ((const float *)rows)[at]
                       : tern__f32_from_f16(((const uint16_t *)rows)[at]);
}

/* ---- the specification against literal vectors ---- */

static const float ones[512] = {[0 ... 511] = 1};

/* x, all of it exact in the type, as a cache; good until the next call. */
static const void *cache_of(const float *x, int64_t n, int type) {
    static uint16_t halves[256];
    static int8_t bytes[256];
    if (type == F32)
        return x;
    for (int64_t i = 0; i < n; i++) {
        if (type == I8)
            bytes[i] = (int8_t)x[i];
        else
            halves[i] = tern__f16_from_f32(x[i]);
        assert_true(element(type == I8 ? (void *)bytes : halves, type, i) == x[i]);
    }
    return type == I8 ? (void *)bytes : halves;
}

/* One query of `group` rows. */
static tern__attention_args args_of(const float *x, int64_t x_stride, int group, int type,
                                    const void *rows, int64_t row_stride, int64_t length,
                                    int64_t head_size, float *out, int64_t out_stride) {
    return (tern__attention_args){.x = x,
                                  .x_stride = x_stride,
                                  .queries = 1,
                                  .group = group,
                                  .type = (tern__attention_type)type,
                                  .rows = rows,
                                  .row_stride = row_stride,
                                  .row_scales = type == I8 ? ones : NULL,
                                  .length = length,
                                  .head_size = head_size,
                                  .scale = 1,
                                  .out = out,
                                  .out_stride = out_stride};
}

static void scalar_scores(void **state) {
    (void)state;
    const float q[] = {1, 2, 3, -1, 0, 0.5f}; /* (2, 3) */
    const float keys[] = {1, 2, -3, 0, -1, 0x1p-23f, 0.5f, 0, INFINITY};
    for (int type = 0; type < I8; type++) {
        float out[8] = {7, 7, 7, 7, 7, 7, 7, 7}; /* (2, 3) with stride 4 */
        tern__attention_args args =
            args_of(q, 3, 2, type, cache_of(keys, 9, type), 3, 3, 3, out, 4);
        args.scale = 2;
        twin()->scores(&args);
        const float expected[] = {-8, -4 + 0x3p-22f, INFINITY, 7, -5, 0x1p-23f, INFINITY, 7};
        test_same_floats(out, expected, 8, type_names[type]);
    }
}

/* (dot * row scale) * scale, and (p * row scale) * value with p * row scale rounded. */
static void scalar_scales(void **state) {
    (void)state;
    const int8_t rows[] = {1, -127, -128, 3}; /* (2, 2) */
    const float x[] = {1, 2, 0, 0x1p-100f};   /* (2, 2) */
    float row_scales[] = {0x1p100f, 0.5f}, out[4];
    tern__attention_args args = args_of(x, 2, 2, I8, rows, 2, 2, 2, out, 2);
    args.row_scales = row_scales, args.scale = 0x1p100f;
    twin()->scores(&args);
    test_same_floats(out, (float[]){-INFINITY, -61 * 0x1p100f, -127 * 0x1p100f, 1.5f}, 4, "scores");
    row_scales[0] = 0.25f, row_scales[1] = -2;
    twin()->mix(&args);
    test_same_floats(out, (float[]){512.25f, -43.75f, 0x1p-92f, -0x1.8p-98f}, 4, "mix");
    row_scales[0] = 0x1p-120f, row_scales[1] = NAN;
    twin()->mix(&args);
    test_same_floats(out, (float[]){NAN, NAN, NAN, NAN}, 4, "a scale that is no number");
    args.length = 1;
    twin()->mix(&args);
    test_same_floats(out, (float[]){0x1p-120f, -127 * 0x1p-120f, 0, 0}, 4, "the one before it");

    const float p[] = {1, 1 + 0x1p-23f};
    row_scales[0] = -(1 + 0x1p-22f), row_scales[1] = 1 + 0x1p-23f;
    args = args_of(p, 2, 1, I8, (const int8_t[]){1, 1}, 1, 2, 1, out, 1);
    args.row_scales = row_scales;
    twin()->mix(&args);
    assert_true(out[0] == 0);
}

/* Each query sees one position more than the one before it. */
static void scalar_queries(void **state) {
    (void)state;
    const float x[] = {1, 0, 2, 0, 4, 0}, rows[] = {1, 2, 3, 5}; /* (3, 1) and (4) */
    float out[12] = {[0 ... 11] = 7};
    tern__attention_args args = args_of(x, 1, 1, F32, rows, 1, 2, 1, out, 1);
    args.queries = 3, args.x_query_stride = 2, args.out_query_stride = 4;
    twin()->scores(&args);
    test_same_floats(out, (float[]){1, 2, 7, 7, 2, 4, 6, 7, 4, 8, 12, 20}, 12, "scores");
    args.x = ones, args.x_query_stride = 4;
    twin()->mix(&args);
    test_same_floats(out, (float[]){3, 2, 7, 7, 6, 4, 6, 7, 11, 8, 12, 20}, 12, "mix");
}

/* The score of one query row against one key row. */
static float score(const float *q, const float *key, int type, int64_t n, float scale) {
    float out = NAN;
    tern__attention_args args = args_of(q, n, 1, type, cache_of(key, n, type), n, 1, n, &out, 1);
    args.scale = scale;
    twin()->scores(&args);
    return out;
}

static void scalar_reduction(void **state) {
    (void)state;
    for (int type = 0; type < I8; type++) {
        /* Partial results 0 and 32 meet before 1 joins: no digit is lost. */
        float q[256] = {0};
        q[0] = 0x1p24f, q[1] = 1, q[32] = -0x1p24f;
        assert_float_equal(score(q, ones, type, 128, 1), 1, 0);
        /* 0 meets 2 and 1 meets 3 before the pairs meet. */
        memset(q, 0, sizeof q);
        q[0] = 0x1p24f, q[1] = 1, q[2] = -0x1p24f, q[3] = 2;
        assert_float_equal(score(q, ones, type, 80, 1), 3, 0);
        /* 0 and 64 are one partial result, in which 1 drowns before -2^24 comes at 128. */
        memset(q, 0, sizeof q);
        q[0] = 0x1p24f, q[64] = 1, q[128] = -0x1p24f;
        assert_float_equal(score(q, ones, type, 192, 1), 0, 0);
        /* A product is not rounded before it is added: (1 + 2^-14) (1 + 2^-10) has 25 digits. */
        memset(q, 0, sizeof q);
        const float key[65] = {[0] = 1, [64] = 1 + 0x1p-10f};
        q[0] = -(1 + 0x1p-10f + 0x1p-14f), q[64] = 1 + 0x1p-14f;
        assert_float_equal(score(q, key, type, 65, 1), 0x1p-24f, 0);
        /* The scale multiplies the rounded sum. */
        q[0] = 0x1p24f, q[1] = 1, q[64] = 0;
        assert_float_equal(score(q, ones, type, 2, 0x1p-24f), 1, 0);
    }
}

static void scalar_mix(void **state) {
    (void)state;
    const float p[] = {0.5f, 2, -1, 0x1p24f, 1, -0x1p24f}; /* (2, 3) */
    const float values[] = {1, 2, 0, -0.0f, 1, 0, 1, 1, 1, 0};
    for (int type = 0; type < I8; type++) {
        float out[6] = {7, 7, 7, 7, 7, 7}; /* (2, 2) with stride 3 */
        tern__attention_args args =
            args_of(p, 3, 2, type, cache_of(values, 10, type), 4, 3, 2, out, 3);
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

static void check_exact(const float *q, const float *p, const void *rows, int type) {
    float scores[LENGTH], mixed[HEAD];
    tern__attention_args args = args_of(q, 0, 1, type, rows, HEAD, LENGTH, HEAD, scores, 0);
    args.scale = 0.25f;
    twin()->scores(&args);
    args.x = p, args.out = mixed;
    twin()->mix(&args);
    for (int t = 0; t < LENGTH; t++) {
        long double exact = 0, magnitude = 0;
        for (int d = 0; d < HEAD; d++) {
            long double product = (long double)q[d] * element(rows, type, t * HEAD + d) / 4;
            exact += product;
            magnitude += fabsl(product);
        }
        /* Two steps of a partial result and six levels, each rounded once (scaling is exact). */
        assert_true(fabsl(scores[t] - exact) <= 8.1L * 0x1p-24L * magnitude);
    }
    for (int d = 0; d < HEAD; d++) {
        long double exact = 0, magnitude = 0;
        for (int t = 0; t < LENGTH; t++) {
            long double product = (long double)p[t] * element(rows, type, t * HEAD + d);
            exact += product;
            magnitude += fabsl(product);
        }
        assert_true(fabsl(mixed[d] - exact) <= (LENGTH + 0.1L) * 0x1p-24L * magnitude);
    }
}

static void scalar_against_exact(void **state) {
    (void)state;
    test_random random = {.seed = 81};
    static float q[HEAD], p[LENGTH], rows[LENGTH * HEAD]; /* narrow types take less */
    for (int type = 0; type < TYPES; type++) {
        test_random_normal(&random, q, HEAD);
        test_random_normal(&random, p, LENGTH);
        fill_rows(&random, TEST_NORMAL, type, rows, LENGTH * HEAD);
        check_exact(q, p, rows, type);
    }
}

/* ---- every variant against the specification ---- */

typedef struct sizes {
    int queries, group, input, type;
    int64_t length, head_size; /* positions that the first query sees */
    bool is_mix;
} sizes;

/* Rows of a cache: (length, head_size), `stride` apart, nothing readable behind. */
static test_guarded cache_rows(test_random *random, sizes s, int64_t stride) {
    int64_t length = s.length + s.queries - 1;
    int64_t count = length == 0 ? 0 : (length - 1) * stride + s.head_size;
    test_guarded rows = guarded_to_end(count, element_bytes(s.type));
    fill_rows(random, s.input, s.type, rows.data, count);
    return rows;
}

/* `queries` * `group` rows of at most `width` floats, `stride` apart: (queries, group, stride), the
 * last row cut at its end. */
static test_guarded float_rows(test_random *random, sizes s, int64_t width, int64_t stride) {
    int64_t count = width == 0 ? 0 : (s.queries * s.group - 1) * stride + width;
    test_guarded rows = guarded_to_end(count, sizeof(float));
    if (random != NULL)
        test_fill(random, s.input, (float *)rows.data, count);
    return rows;
}

static void run(const tern__attention_kernel *kernel, const tern__attention_args *args,
                bool is_mix) {
    if (is_mix)
        kernel->mix(args);
    else
        kernel->scores(args);
}

static void check(const tern__attention_kernel *kernel, test_random *random, sizes s) {
    char what[200];
    snprintf(what, sizeof what,
             "%s %s of %s: %d queries, group %d length %d head size %d input %d, seed %d at %d",
             kernel->variant.name, s.is_mix ? "mix" : "scores", type_names[s.type], s.queries,
             s.group, (int)s.length, (int)s.head_size, s.input, (int)random->seed,
             (int)random->position);
    int64_t length = s.length + s.queries - 1;
    int64_t width_in = s.is_mix ? length : s.head_size, width_out = s.head_size + length - width_in;
    int64_t x_stride = width_in + test_random_range(random, 0, 5);
    int64_t row_stride = s.head_size + test_random_range(random, 0, 5);
    int64_t out_stride = width_out + test_random_range(random, 0, 5);
    test_guarded x = float_rows(random, s, width_in, x_stride);
    test_guarded rows = cache_rows(random, s, row_stride);
    test_guarded scales = guarded_to_end(length, sizeof(float));
    test_fill(random, s.input, (float *)scales.data, length);
    test_guarded got = float_rows(NULL, s, width_out, out_stride);
    test_guarded expected = float_rows(NULL, s, width_out, out_stride);
    tern__attention_args args =
        args_of((const float *)x.data, x_stride, s.group, s.type, rows.data, row_stride, s.length,
                s.head_size, (float *)expected.data, out_stride);
    args.queries = s.queries;
    args.x_query_stride = s.group * x_stride, args.out_query_stride = s.group * out_stride;
    args.row_scales = (const float *)scales.data;
    args.scale = 0.088388346f;
    run(twin(), &args, s.is_mix);
    args.out = (float *)got.data;
    run(kernel, &args, s.is_mix);
    test_same_floats((const float *)got.data, (const float *)expected.data,
                     (int64_t)(got.bytes / sizeof(float)), what);
    test_guarded_check(&got);
    test_guarded_free(&expected);
    test_guarded_free(&got);
    test_guarded_free(&scales);
    test_guarded_free(&rows);
    test_guarded_free(&x);
}

static void check_types(const tern__attention_kernel *kernel, test_random *random, sizes s) {
    for (s.type = 0; s.type < TYPES; s.type++) {
        s.is_mix = false;
        check(kernel, random, s);
        s.is_mix = true;
        check(kernel, random, s);
    }
}

/* Of cases; sanitizers take half a minute for each second. A prime, so that all sizes have some. */
enum { THINNING = TEST_IS_SANITIZED ? 7 : 1 };

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
                for (int group = 1; group <= GROUP_MAX; group++, turn++)
                    if (turn % THINNING == 0)
                        check_types(kernel, &random,
                                    (sizes){.queries = 1,
                                            .group = group,
                                            .input = turn % TEST_INPUTS,
                                            .length = lengths[l],
                                            .head_size = head_sizes[h]});
}

/* Queries that see positions one after the other, across blocks of positions and tiles of rows. */
static void variants_all_queries(void **state) {
    (void)state;
    static const int queries[] = {2, 3, 5, 8, 17}, groups[] = {1, 2, 3, 4, 5, 8, 33};
    static const int64_t lengths[] = {1, 6, 14, 16, 57, 63, 64, 127};
    static const int64_t head_sizes[] = {1, 20, 33, 64, 80, 128, 200, 256, 257};
    enum { HEAD_SIZES = sizeof head_sizes / sizeof *head_sizes };
    test_random random = {.seed = 83};
    const tern__attention_kernel *kernel;
    int turn = 0;
    for (int at = 0; (kernel = test_next_variant(tern__attention_family, "attention", &at));)
        for (size_t q = 0; q < sizeof queries / sizeof *queries; q++)
            for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
                for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++, turn++)
                    if (turn % THINNING == 0)
                        check_types(kernel, &random,
                                    (sizes){.queries = queries[q],
                                            .group = groups[g],
                                            .input = turn % TEST_INPUTS,
                                            .length = lengths[l],
                                            .head_size = head_sizes[turn % HEAD_SIZES]});
}

/* What is written for a row does not depend on the others that it is computed with. */
static void rows_stand_alone(void **state) {
    (void)state;
    enum { QUERIES = 7, GROUP = 3, HEAD_SIZE = 40, FIRST = 61, ROWS = QUERIES * GROUP };
    static float q[ROWS * HEAD_SIZE], rows[(FIRST + QUERIES) * HEAD_SIZE];
    static float all[ROWS * (FIRST + QUERIES)], one[FIRST + QUERIES];
    test_random random = {.seed = 84};
    test_fill(&random, TEST_SPECIAL, q, ROWS * HEAD_SIZE);
    test_fill(&random, TEST_SPECIAL, rows, (FIRST + QUERIES) * HEAD_SIZE);
    for (const tern__attention_kernel *const *kernel = tern__attention_family; *kernel; kernel++) {
        if (((*kernel)->variant.needs & ~tern__cpu()->features) != 0)
            continue;
        tern__attention_args args = args_of(q, HEAD_SIZE, GROUP, F32, rows, HEAD_SIZE, FIRST,
                                            HEAD_SIZE, all, FIRST + QUERIES);
        args.queries = QUERIES, args.x_query_stride = GROUP * HEAD_SIZE;
        args.out_query_stride = GROUP * (FIRST + QUERIES);
        (*kernel)->scores(&args);
        for (int r = 0; r < ROWS; r++) {
            args = args_of(q + r * HEAD_SIZE, 0, 1, F32, rows, HEAD_SIZE, FIRST + r / GROUP,
                           HEAD_SIZE, one, 0);
            (*kernel)->scores(&args);
            test_same_floats(all + r * (FIRST + QUERIES), one, FIRST + r / GROUP,
                             (*kernel)->variant.name);
        }
    }
}

/* Products that underflow leave -0, which a product of padding zeros would turn into +0. */
static void variants_keep_signed_zeros(void **state) {
    (void)state;
    enum { ROWS = 32 };
    float q[256], small[256], expected, got, many[ROWS];
    for (int i = 0; i < 256; i++) {
        q[i] = -0x1p-140f;
        small[i] = 0x1p-24f;
    }
    const tern__attention_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__attention_family, "attention", &at));)
        for (int64_t n = 1; n <= 256; n++)
            for (int type = 0; type < I8; type++) {
                tern__attention_args args =
                    args_of(q, n, 1, type, cache_of(small, n, type), n, 1, n, &expected, 1);
                twin()->scores(&args);
                assert_int_equal(signbit(expected) != 0, n >= 64);
                args.out = &got;
                kernel->scores(&args);
                test_same_floats(&got, &expected, 1, kernel->variant.name);
                args.x_stride = 0, args.group = ROWS, args.out = many;
                kernel->scores(&args);
                for (int r = 0; r < ROWS; r++)
                    test_same_floats(&many[r], &expected, 1, kernel->variant.name);
                args.x_stride = n, args.group = 1, args.out = &got;
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
        cmocka_unit_test(scalar_scores),      cmocka_unit_test(scalar_scales),
        cmocka_unit_test(scalar_queries),     cmocka_unit_test(scalar_reduction),
        cmocka_unit_test(scalar_mix),         cmocka_unit_test(scalar_against_exact),
        cmocka_unit_test(variants_all_sizes), cmocka_unit_test(variants_all_queries),
        cmocka_unit_test(rows_stand_alone),   cmocka_unit_test(variants_keep_signed_zeros),
    };
    return cmocka_run_group_tests_name("attention", tests, NULL, NULL);
}
