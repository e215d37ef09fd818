/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "support.h"

#include "kernels/gemm.h"
#include "kernels/inputs.h"
#include "kernels/variants.h"

static const int64_t depths[] = {0, 1, 2, 31, 32, 33, 100, 256, 511};
enum { DEPTHS = sizeof depths / sizeof *depths, GEMV_MAX = 64 };

static const tern__gemm_kernel *twin(void) {
    return test_scalar_twin(tern__gemm_family);
}

/* A buffer whose last byte lies right before the guard page. */
static test_guarded guarded_to_end(size_t bytes) {
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

static void scalar_packs(void **state) {
    (void)state;
    const int panel = twin()->panel;
    const float f32[] = {1, -2, 3, -0.0f, 5, INFINITY}; /* 2 k of 3 columns */
    const uint16_t f16[] = {0x3c00, 0xc000, 0x0001, 0x8000, 0x7bff, 0xfc00};
    const float wide[] = {1, -2, 0x1p-24f, -0.0f, 65504, -INFINITY};
    float dst[2 * TERN__GEMM_PANEL_MAX];
    for (int j_major = 0; j_major < 2; j_major++)
        for (int half = 0; half < 2; half++) {
            memset(dst, 0xA5, sizeof dst);
            int64_t k_stride = j_major ? 1 : 3, j_stride = j_major ? 2 : 1;
            if (half)
                twin()->pack_b_f16(f16, k_stride, j_stride, 2, 3, dst);
            else
                twin()->pack_b(f32, k_stride, j_stride, 2, 3, dst);
            for (int64_t k = 0; k < 2; k++)
                for (int64_t j = 0; j < panel; j++) {
                    int64_t at = j_major ? j * 2 + k : k * 3 + j;
                    float expected = j >= 3 ? 0.0f : half ? wide[at] : f32[at];
                    test_same_floats(&dst[k * panel + j], &expected, 1, "pack");
                }
        }
}

/* run() against a panel; out_stride 0: one row. */
static void run(const tern__gemm_kernel *kernel, const float *a, int64_t a_stride,
                int64_t a_k_stride, int rows, const float *panel, int64_t depth, float *out,
                int64_t out_stride, int columns, bool is_first) {
    kernel->run(&(tern__gemm_tile){.a = a,
                                   .a_stride = a_stride,
                                   .a_k_stride = a_k_stride,
                                   .b = panel,
                                   .b_k_stride = kernel->panel,
                                   .depth = depth,
                                   .out = out,
                                   .out_stride = out_stride,
                                   .out_j_stride = 1,
                                   .rows = rows,
                                   .columns = columns,
                                   .is_first = is_first});
}

/* One element: the chain of a[k] * b[k], continued from `begin` unless is_first. */
static float scalar_chain(const float *a, const float *b, int64_t n, float begin, bool is_first) {
    float panel[8 * TERN__GEMM_PANEL_MAX], out = begin;
    assert_true(n <= 8);
    twin()->pack_b(b, 1, n, n, 1, panel);
    run(twin(), a, 0, 1, 1, panel, n, &out, 0, 1, is_first);
    return out;
}

static void expect_chain(float got, float expected) {
    test_same_floats(&got, &expected, 1, "chain");
}

static void scalar_chains(void **state) {
    (void)state;
    const float one = 1, zero = 0, tiny = 0x1p-100f;
    expect_chain(scalar_chain((float[]){1, 2, 3}, (float[]){4, -5, 6}, 3, 9, true), 12);
    expect_chain(scalar_chain((float[]){1, 2, 3}, (float[]){4, -5, 6}, 3, 9, false), 21);
    expect_chain(scalar_chain(&one, &one, 0, 9, true), 0);
    expect_chain(scalar_chain(&one, &one, 0, -0.0f, false), -0.0f);
    /* The product is not rounded: (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24. */
    const float near_one = 1 + 0x1p-12f, square = 1 + 0x1p-11f;
    expect_chain(scalar_chain((float[]){square, near_one}, (float[]){-1, near_one}, 2, 0, true),
                 0x1p-24f);
    /* k in order: 1 drowns in 2^24 and is lost. */
    expect_chain(scalar_chain((float[]){0x1p24f, 1, -0x1p24f}, (float[]){1, 1, 1}, 3, 0, true), 0);
    expect_chain(scalar_chain((float[]){0x1p24f, -0x1p24f, 1}, (float[]){1, 1, 1}, 3, 0, true), 1);
    /* Signed zeros: +0 absorbs an exact -0, an underflow keeps its sign. */
    expect_chain(scalar_chain(&one, &(float){-0.0f}, 1, 0, true), 0.0f);
    expect_chain(scalar_chain(&one, &(float){-0.0f}, 1, -0.0f, false), -0.0f);
    expect_chain(scalar_chain(&tiny, &(float){-tiny}, 1, 0, true), -0.0f);
    /* Denormals are kept, infinities and NaN pass. */
    expect_chain(scalar_chain(&(float){0x1p-149f}, &one, 1, 0, true), 0x1p-149f);
    expect_chain(scalar_chain(&(float){INFINITY}, &zero, 1, 0, true), NAN);
    expect_chain(scalar_chain(&(float){INFINITY}, &one, 1, 0, true), INFINITY);
}

/* A matrix the kernel must not read beyond, and a row of results in exact arithmetic's reach. */
static void scalar_against_exact(void **state) {
    (void)state;
    test_random random = {.seed = 71};
    enum { DEPTH = 511, COLUMNS = 5 };
    float a[DEPTH], b[DEPTH * COLUMNS], panel[DEPTH * TERN__GEMM_PANEL_MAX], out[COLUMNS];
    test_random_normal(&random, a, DEPTH);
    test_random_normal(&random, b, DEPTH * COLUMNS);
    twin()->pack_b(b, COLUMNS, 1, DEPTH, COLUMNS, panel);
    run(twin(), a, 0, 1, 1, panel, DEPTH, out, 0, COLUMNS, true);
    for (int j = 0; j < COLUMNS; j++) {
        long double exact = 0, magnitude = 0;
        for (int k = 0; k < DEPTH; k++) {
            long double product = (long double)a[k] * b[k * COLUMNS + j];
            exact += product;
            magnitude += fabsl(product);
        }
        /* n roundings of at most 2^-24 each (Higham, Accuracy and Stability, section 3.1). */
        long double n_u = DEPTH * 0x1p-24L, bound = n_u / (1 - n_u) * magnitude;
        if (!(fabsl(out[j] - exact) <= bound) || out[j] == 0)
            fail_msg("column %d: %.9g, exact %.12Lg, bound %.3Lg", j, (double)out[j], exact, bound);
    }
}

static void facts(void **state) {
    (void)state;
    for (int i = 0; tern__gemm_family[i] != NULL; i++) {
        const tern__gemm_kernel *kernel = tern__gemm_family[i];
        assert_true(kernel->panel >= 1 && kernel->panel <= TERN__GEMM_PANEL_MAX);
        assert_true(kernel->rows >= 1);
        assert_true(kernel->rows <= TERN__GEMM_ROWS_MAX);
        assert_int_equal(kernel->k_unit, 1);
        assert_int_equal(kernel->a_size, sizeof(float));
        assert_int_equal(kernel->b_size, sizeof(float));
        assert_int_equal(kernel->b_tail, 0);
        assert_int_equal(tern__gemm_padded(kernel, 5), 5);
        assert_true(kernel->gemv_f16 == NULL || kernel->gemv_columns <= GEMV_MAX);
    }
    assert_int_equal(twin()->variant.needs, 0);
}

/* ---- every variant against the specification ---- */

/* b (depth, columns) packed as its definition says, for any panel. */
static void check_pack(const tern__gemm_kernel *kernel, test_random *random, int64_t depth,
                       int columns, int layout, bool half) {
    char what[160];
    snprintf(what, sizeof what, "%s pack_%s: depth %d columns %d layout %d, seed %d at %d",
             kernel->variant.name, half ? "f16" : "f32", (int)depth, columns, layout,
             (int)random->seed, (int)random->position);
    int64_t gap = test_random_range(random, 0, 9);
    int64_t k_stride = (int64_t[]){1, columns + gap, 2}[layout];
    int64_t j_stride = (int64_t[]){depth + gap, 1, 2 * depth + gap}[layout];
    int64_t count = depth == 0 ? 0 : (depth - 1) * k_stride + (columns - 1) * j_stride + 1;
    size_t size = half ? sizeof(uint16_t) : sizeof(float);
    test_guarded b = guarded_to_end((size_t)count * size);
    if (half)
        fill_halves(random, TEST_BITS, (uint16_t *)b.data, count);
    else
        test_fill(random, TEST_BITS, (float *)b.data, count);

    test_guarded dst = test_guarded_new((size_t)(depth * kernel->panel) * sizeof(float), 0);
    if (half)
        kernel->pack_b_f16((const uint16_t *)b.data, k_stride, j_stride, depth, columns,
                           (float *)dst.data);
    else
        kernel->pack_b(b.data, k_stride, j_stride, depth, columns, dst.data);
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < kernel->panel; j++) {
            int64_t at = k * k_stride + j * j_stride;
            float expected = 0;
            if (j < columns)
                expected = half ? tern__f32_from_f16(((const uint16_t *)b.data)[at])
                                : ((const float *)b.data)[at];
            test_same_floats((const float *)dst.data + k * kernel->panel + j, &expected, 1, what);
        }
    test_guarded_check(&dst);
    test_guarded_free(&dst);
    test_guarded_free(&b);
}

static void variants_pack(void **state) {
    (void)state;
    test_random random = {.seed = 72};
    const tern__gemm_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__gemm_family, "gemm", &at)) != NULL;)
        for (int d = 0; d < DEPTHS; d++)
            for (int columns = 1; columns <= kernel->panel; columns++)
                for (int layout = 0; layout < 3; layout++) {
                    check_pack(kernel, &random, depths[d], columns, layout, false);
                    if (kernel->pack_b_f16 != NULL)
                        check_pack(kernel, &random, depths[d], columns, layout, true);
                }
}

/* The twin's answer for b (depth, columns), k-major: a (rows, depth) with strides, continued from
 * out (rows, out_stride). */
static void expect(const float *a, int64_t a_stride, int64_t a_k_stride, int rows, const float *b,
                   int64_t depth, float *out, int64_t out_stride, int columns, bool is_first) {
    const tern__gemm_kernel *kernel = twin();
    float *panel = malloc((size_t)(depth + 1) * sizeof(float) * (size_t)kernel->panel);
    assert_non_null(panel);
    for (int j = 0; j < columns; j += kernel->panel) {
        int width = columns - j < kernel->panel ? columns - j : kernel->panel;
        kernel->pack_b(b + j, columns, 1, depth, width, panel);
        for (int i = 0; i < rows; i += kernel->rows)
            run(kernel, a + i * a_stride, a_stride, a_k_stride,
                rows - i < kernel->rows ? rows - i : kernel->rows, panel, depth,
                out + i * out_stride + j, out_stride, width, is_first);
    }
    free(panel);
}

typedef struct run_case {
    int64_t depth;
    int rows, columns, layout, input;
    bool is_first;
} run_case;

static void check_run(const tern__gemm_kernel *kernel, test_random *random, run_case c) {
    char what[200];
    snprintf(what, sizeof what,
             "%s run: depth %d rows %d columns %d layout %d input %d first %d, seed %d at %d",
             kernel->variant.name, (int)c.depth, c.rows, c.columns, c.layout, c.input, c.is_first,
             (int)random->seed, (int)random->position);
    int64_t gap = test_random_range(random, 0, 5), out_stride = c.columns + gap;
    int64_t a_stride = (int64_t[]){c.depth + gap, 1, 3}[c.layout];
    int64_t a_k_stride = (int64_t[]){1, c.rows + gap, 3 * c.rows + gap}[c.layout];
    int64_t a_count = c.depth == 0 ? 0 : (c.rows - 1) * a_stride + (c.depth - 1) * a_k_stride + 1;
    int64_t out_count = (c.rows - 1) * out_stride + c.columns;

    test_guarded a = guarded_to_end((size_t)a_count * sizeof(float));
    test_guarded b = test_floats(random, c.input, c.depth * c.columns);
    test_guarded panel = test_guarded_new((size_t)(c.depth * kernel->panel) * sizeof(float), 0);
    test_guarded out = guarded_to_end((size_t)out_count * sizeof(float));
    test_fill(random, c.input, (float *)a.data, a_count);
    test_fill(random, TEST_NORMAL, (float *)out.data, out_count);
    memset(panel.data, 0, panel.bytes);
    for (int64_t k = 0; k < c.depth; k++)
        memcpy((float *)panel.data + k * kernel->panel, (float *)b.data + k * c.columns,
               (size_t)c.columns * sizeof(float));
    float *expected = malloc(out.bytes);
    assert_non_null(expected);
    memcpy(expected, out.data, out.bytes);

    expect((const float *)a.data, a_stride, a_k_stride, c.rows, (const float *)b.data, c.depth,
           expected, out_stride, c.columns, c.is_first);
    run(kernel, (const float *)a.data, a_stride, a_k_stride, c.rows, (const float *)panel.data,
        c.depth, (float *)out.data, out_stride, c.columns, c.is_first);
    test_same_floats((const float *)out.data, expected, out_count, what);
    test_guarded_check(&out);
    free(expected);
    test_guarded_free(&out);
    test_guarded_free(&panel);
    test_guarded_free(&b);
    test_guarded_free(&a);
}

static void variants_run(void **state) {
    (void)state;
    test_random random = {.seed = 73};
    const tern__gemm_kernel *kernel;
    int turn = 0;
    for (int at = 0; (kernel = test_next_variant(tern__gemm_family, "gemm", &at)) != NULL;)
        for (int d = 0; d < DEPTHS; d++)
            for (int rows = 1; rows <= kernel->rows; rows++)
                for (int columns = 1; columns <= kernel->panel; columns++, turn++)
                    check_run(kernel, &random,
                              (run_case){.depth = depths[d],
                                         .rows = rows,
                                         .columns = columns,
                                         .layout = turn % 3,
                                         .input = turn / 3 % TEST_INPUTS,
                                         .is_first = turn % 2 == 0});
}

static void check_gemv(const tern__gemm_kernel *kernel, test_random *random, int64_t depth,
                       int columns, int input, bool is_first) {
    char what[160];
    snprintf(what, sizeof what, "%s gemv_f16: depth %d columns %d input %d first %d, seed %d at %d",
             kernel->variant.name, (int)depth, columns, input, is_first, (int)random->seed,
             (int)random->position);
    int64_t j_stride = depth + test_random_range(random, 0, 9);
    int64_t count = depth == 0 ? 0 : (columns - 1) * j_stride + depth;
    test_guarded a = guarded_to_end((size_t)depth * sizeof(float));
    test_guarded b = guarded_to_end((size_t)count * sizeof(uint16_t));
    test_guarded out = guarded_to_end((size_t)columns * sizeof(float));
    test_fill(random, input, (float *)a.data, depth);
    fill_halves(random, input, (uint16_t *)b.data, count);
    test_fill(random, TEST_NORMAL, (float *)out.data, columns);
    float *wide = malloc((size_t)(depth * columns + 1) * sizeof(float));
    float expected[GEMV_MAX];
    assert_non_null(wide);
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < columns; j++)
            wide[k * columns + j] = tern__f32_from_f16(((uint16_t *)b.data)[j * j_stride + k]);
    memcpy(expected, out.data, out.bytes);

    expect((const float *)a.data, 0, 1, 1, wide, depth, expected, columns, columns, is_first);
    kernel->gemv_f16((const float *)a.data, (const uint16_t *)b.data, j_stride, depth,
                     (float *)out.data, columns, is_first);
    test_same_floats((const float *)out.data, expected, columns, what);
    test_guarded_check(&out);
    free(wide);
    test_guarded_free(&out);
    test_guarded_free(&b);
    test_guarded_free(&a);
}

static void variants_gemv(void **state) {
    (void)state;
    test_random random = {.seed = 74};
    const tern__gemm_kernel *kernel;
    int turn = 0;
    for (int at = 0; (kernel = test_next_variant(tern__gemm_family, "gemm", &at)) != NULL;)
        for (int d = 0; d < DEPTHS && kernel->gemv_f16 != NULL; d++)
            for (int columns = 1; columns <= kernel->gemv_columns; columns++, turn++) {
                check_gemv(kernel, &random, depths[d], columns, turn % TEST_INPUTS, true);
                check_gemv(kernel, &random, depths[d], columns, turn % TEST_INPUTS, false);
            }
}

/* A depth run in two parts has the bits of the whole, in every variant and for any part. */
static void check_split(const tern__gemm_kernel *kernel, test_random *random, int64_t depth) {
    char what[120];
    int64_t part = test_random_range(random, 0, depth);
    snprintf(what, sizeof what, "%s: depth %d split at %d, seed %d", kernel->variant.name,
             (int)depth, (int)part, (int)random->seed);
    int columns = kernel->panel, rows = kernel->rows;
    test_guarded a = test_floats(random, TEST_NORMAL, rows * depth);
    test_guarded b = test_guarded_new((size_t)(columns * depth) * sizeof(uint16_t), 2);
    test_guarded panel = test_guarded_new((size_t)(columns * depth) * sizeof(float), 0);
    const float *x = (const float *)a.data;
    const uint16_t *y = (const uint16_t *)b.data;
    float *p = (float *)panel.data;
    fill_halves(random, TEST_NORMAL, (uint16_t *)b.data, columns * depth);
    float *whole = calloc((size_t)(2 * rows * columns), sizeof(float));
    assert_non_null(whole);
    float *parts = whole + rows * columns;

    float *wide = malloc((size_t)(columns * depth + 1) * sizeof(float));
    assert_non_null(wide);
    for (int64_t at = 0; at < columns * depth; at++)
        wide[at] = tern__f32_from_f16(y[at]);
    kernel->pack_b(wide, 1, depth, depth, columns, p);
    run(kernel, x, depth, 1, rows, p, depth, whole, columns, columns, true);
    kernel->pack_b(wide, 1, depth, part, columns, p);
    run(kernel, x, depth, 1, rows, p, part, parts, columns, columns, true);
    kernel->pack_b(wide + part, 1, depth, depth - part, columns, p);
    run(kernel, x + part, depth, 1, rows, p, depth - part, parts, columns, columns, false);
    test_same_floats(parts, whole, rows * columns, what);
    if (kernel->gemv_f16 != NULL && columns <= kernel->gemv_columns) {
        kernel->gemv_f16(x, y, depth, part, parts, columns, true);
        kernel->gemv_f16(x + part, y + part, depth, depth - part, parts, columns, false);
        test_same_floats(parts, whole, columns, what);
    }
    free(wide);
    free(whole);
    test_guarded_free(&panel);
    test_guarded_free(&b);
    test_guarded_free(&a);
}

static void splits(void **state) {
    (void)state;
    test_random random = {.seed = 75};
    const tern__gemm_kernel *kernel;
    for (int i = 0; i < 100; i++) {
        check_split(twin(), &random, i * 5);
        for (int at = 0; (kernel = test_next_variant(tern__gemm_family, "gemm", &at)) != NULL;)
            check_split(kernel, &random, i * 5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_packs),         cmocka_unit_test(scalar_chains),
        cmocka_unit_test(scalar_against_exact), cmocka_unit_test(facts),
        cmocka_unit_test(variants_pack),        cmocka_unit_test(variants_run),
        cmocka_unit_test(variants_gemv),        cmocka_unit_test(splits),
    };
    return cmocka_run_group_tests_name("gemm", tests, NULL, NULL);
}
