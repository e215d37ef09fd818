/* SPDX-License-Identifier: MIT
 * What all gemm families have in common: every variant packs and runs to the bits of its scalar
 * twin, whatever the strides. test_gemm.c has what only F32 has. */
#include <math.h>

#include "support.h"

#include "kernels/gemm.h"
#include "kernels/inputs.h"
#include "kernels/variants.h"
#include "layouts.h"

typedef struct family {
    const char *name;
    const tern__gemm_kernel *const *kernels;
    size_t in_size, out_size;
} family;

static const family families[] = {
    {"gemm", tern__gemm_family, sizeof(float), sizeof(float)},
    {"gemm_f64", tern__gemm_f64_family, sizeof(double), sizeof(double)},
    {"gemm_i8", tern__gemm_i8_family, sizeof(int8_t), sizeof(int32_t)},
    {"gemm_bf16", tern__gemm_bf16_family, sizeof(float), sizeof(float)},
};
enum { FAMILIES = sizeof families / sizeof *families, F32 = 0, F64 = 1, I8 = 2, BF16 = 3 };

static void *some(size_t bytes) {
    void *data = malloc(bytes + 64);
    assert_non_null(data);
    return data;
}

static void fill(const family *f, test_random *random, int input, void *data, int64_t n) {
    if (f->in_size == sizeof(float)) {
        test_fill(random, input, data, n);
        return;
    }
    float *single = some((size_t)n * sizeof(float));
    test_fill(random, input, single, n);
    for (int64_t i = 0; i < n; i++)
        if (f->in_size == sizeof(double)) {
            uint64_t bits = (uint64_t)test_random_u32(random) << 32 | test_random_u32(random);
            ((double *)data)[i] = single[i] * (1 + (double)(bits >> 32) * 0x1p-40);
            if (input == TEST_BITS)
                memcpy((double *)data + i, &bits, sizeof bits);
            if (input == TEST_DENORMAL)
                ((double *)data)[i] *= 0x1p-530;
        } else {
            int8_t extreme = test_random_range(random, 0, 1) ? 127 : -128;
            int8_t *byte = (int8_t *)data + i;
            if (input == TEST_TERNARY)
                *byte = (int8_t)single[i];
            else
                *byte = input == TEST_BITS ? extreme : (int8_t)test_random_u32(random);
        }
    free(single);
}

/* -- one product, with packed operands or in place ---------------------------------------------*/

typedef struct matrices {
    const uint8_t *a, *b; /* elements 0, 0 */
    int64_t a_stride, a_k_stride, b_k_stride, b_j_stride;
    uint8_t *out;
    int64_t out_stride, out_j_stride;
    int64_t m, n, k, split; /* k is done in two parts; split is a multiple of 32, or k */
    bool accumulates, is_in_place, is_k_major;
} matrices;

static void run_tile(const tern__gemm_kernel *kernel, const family *f, const matrices *x, int64_t i,
                     int64_t j, int64_t k, int64_t depth) {
    int rows = (int)(x->m - i < kernel->rows ? x->m - i : kernel->rows);
    int columns = (int)(x->n - j < kernel->panel ? x->n - j : kernel->panel);
    int64_t padded = tern__gemm_padded(kernel, depth), line = padded + 8, in = (int64_t)f->in_size;
    const uint8_t *a = x->a + (i * x->a_stride + k * x->a_k_stride) * in;
    const uint8_t *b = x->b + (j * x->b_j_stride + k * x->b_k_stride) * in;
    size_t strip_bytes = (size_t)(kernel->rows * line * kernel->a_size);
    size_t panel_bytes = (size_t)(padded * kernel->panel * kernel->b_size + kernel->b_tail);
    test_guarded panel = test_guarded_new((panel_bytes + 63) / 64 * 64, 0);
    test_guarded strip = test_guarded_new((strip_bytes + 63) / 64 * 64, 0);
    tern__gemm_tile tile = {.a = strip.data,
                            .a_stride = line,
                            .a_k_stride = 1,
                            .b = panel.data,
                            .b_k_stride = kernel->panel,
                            .depth = depth,
                            .out = x->out +
                                   (i * x->out_stride + j * x->out_j_stride) * (int64_t)f->out_size,
                            .out_stride = x->out_stride,
                            .out_j_stride = x->out_j_stride,
                            .rows = rows,
                            .columns = columns,
                            .is_first = k == 0 && !x->accumulates};
    bool is_plain = kernel->k_unit == 1;
    kernel->pack_b(b, x->b_k_stride, x->b_j_stride, depth, columns, panel.data);
    if (x->is_k_major && is_plain) {
        tile.a_stride = 1;
        tile.a_k_stride = kernel->rows;
        kernel->pack_a(a, x->a_k_stride, x->a_stride, depth, rows, strip.data, kernel->rows);
    } else {
        kernel->pack_a(a, x->a_stride, x->a_k_stride, rows, depth, strip.data, line);
    }
    if (x->is_in_place && is_plain) {
        tile.a = a;
        tile.a_stride = x->a_stride;
        tile.a_k_stride = x->a_k_stride;
        if (x->b_j_stride == 1 && columns == kernel->panel) {
            tile.b = b;
            tile.b_k_stride = x->b_k_stride;
        }
    }
    kernel->run(&tile);
    test_guarded_check(&panel);
    test_guarded_check(&strip);
    test_guarded_free(&strip);
    test_guarded_free(&panel);
}

static void multiply(const tern__gemm_kernel *kernel, const family *f, const matrices *x) {
    for (int64_t i = 0; i < x->m; i += kernel->rows)
        for (int64_t j = 0; j < x->n; j += kernel->panel) {
            run_tile(kernel, f, x, i, j, 0, x->split);
            if (x->split < x->k)
                run_tile(kernel, f, x, i, j, x->split, x->k - x->split);
        }
}

/* -- against the specification -----------------------------------------------------------------*/

static bool is_same(const family *f, const void *x, const void *y) {
    if (f->out_size == sizeof(double))
        return memcmp(x, y, sizeof(double)) == 0 ||
               (isnan(*(const double *)x) && isnan(*(const double *)y));
    return memcmp(x, y, sizeof(float)) == 0 ||
           (f != &families[I8] && isnan(*(const float *)x) && isnan(*(const float *)y));
}

/* gemm_bf16 may round otherwise inside a pair (gemm_bf16_scalar.c). */
static bool is_near(const matrices *x, const float *got, const float *expected, int64_t i,
                    int64_t j) {
    double magnitude = 0x1p-126;
    for (int64_t k = 0; k < x->k; k++)
        magnitude +=
            fabs((double)((const float *)(const void *)x->a)[i * x->a_stride + k * x->a_k_stride] *
                 ((const float *)(const void *)x->b)[j * x->b_j_stride + k * x->b_k_stride]);
    return fabs((double)*got - *expected) <= (double)(x->k + 1) * 0x1p-23 * (magnitude + 16);
}

typedef struct check_case {
    int64_t m, n, k, split;
    int a_layout, b_layout, out_layout, input, turn;
} check_case;

static void compare(const tern__gemm_kernel *kernel, const family *f, test_random *random,
                    check_case c) {
    char what[220];
    snprintf(what, sizeof what,
             "%s/%s: m %d n %d k %d split %d layouts %d %d %d input %d turn %d, seed %d at %d",
             f->name, kernel->variant.name, (int)c.m, (int)c.n, (int)c.k, (int)c.split, c.a_layout,
             c.b_layout, c.out_layout, c.input, c.turn, (int)random->seed, (int)random->position);
    test_layout a = test_lay_out(random, c.a_layout, c.m, c.k, f->in_size);
    test_layout b = test_lay_out(random, c.b_layout, c.n, c.k, f->in_size);
    test_layout out = test_lay_out(random, c.out_layout, c.m, c.n, f->out_size);
    fill(f, random, c.input, a.buffer.data, (int64_t)(a.buffer.bytes / f->in_size));
    fill(f, random, c.input, b.buffer.data, (int64_t)(b.buffer.bytes / f->in_size));
    uint8_t *expected = some(out.buffer.bytes);
    memcpy(expected, out.buffer.data, out.buffer.bytes);
    matrices x = {.a = a.origin,
                  .b = b.origin,
                  .a_stride = a.outer,
                  .a_k_stride = a.inner,
                  .b_j_stride = b.outer,
                  .b_k_stride = b.inner,
                  .out = out.origin,
                  .out_stride = out.outer,
                  .out_j_stride = out.inner,
                  .m = c.m,
                  .n = c.n,
                  .k = c.k,
                  .split = c.split,
                  .accumulates = c.turn % 3 == 0 && f != &families[BF16],
                  .is_in_place = c.turn % 2 == 0,
                  .is_k_major = c.turn % 4 == 1};
    multiply(kernel, f, &x);
    test_guarded_check(&out.buffer);
    x.out = expected + (out.origin - out.buffer.data);
    x.is_in_place = x.is_k_major = false;
    multiply(test_scalar_twin(f->kernels), f, &x);
    for (int64_t i = 0; i < c.m; i++)
        for (int64_t j = 0; j < c.n; j++) {
            int64_t at = (i * out.outer + j * out.inner) * (int64_t)f->out_size;
            const void *got = out.origin + at, *want = x.out + at;
            if (!is_same(f, got, want) && !(f == &families[BF16] && is_near(&x, got, want, i, j)))
                fail_msg("%s: element %d %d differs", what, (int)i, (int)j);
        }
    free(expected);
    test_guarded_free(&out.buffer);
    test_guarded_free(&b.buffer);
    test_guarded_free(&a.buffer);
}

/* Inputs on which the unit and the specification of bf16 agree but for rounding. */
static int choose_input(const family *f, int turn) {
    static const int tame[] = {TEST_NORMAL, TEST_TERNARY, TEST_ONES, TEST_ZEROS};
    return f == &families[BF16] ? tame[turn % 4] : turn % TEST_INPUTS;
}

static void variants_agree(void **state) {
    (void)state;
    static const int64_t depths[] = {0, 1, 2, 3, 4, 5, 31, 32, 33, 64, 67, 130};
    enum { DEPTHS = sizeof depths / sizeof *depths };
    test_random random = {.seed = 81};
    const tern__gemm_kernel *kernel;
    int turn = 0;
    for (int i = 0; i < FAMILIES; i++)
        for (int at = 0; (kernel = test_next_variant(families[i].kernels, families[i].name, &at));)
            for (int64_t m = 1; m <= kernel->rows + 1; m++)
                for (int64_t n = 1; n <= 2 * kernel->panel + 1;
                     n += n % kernel->panel == 0 ? 1 : kernel->panel / 2 - 1, turn++) {
                    int64_t k = depths[turn % DEPTHS];
                    compare(kernel, &families[i], &random,
                            (check_case){.m = m,
                                         .n = n,
                                         .k = k,
                                         .split = k > 32 && turn % 5 == 0 ? 32 : k,
                                         .a_layout = turn % 5,
                                         .b_layout = turn / 2 % 5,
                                         .out_layout = turn / 3 % 4,
                                         .input = choose_input(&families[i], turn / 7),
                                         .turn = turn});
                }
}

/* Full tiles, long, in both contiguous layouts of both operands. */
static void variants_agree_at_length(void **state) {
    (void)state;
    test_random random = {.seed = 82};
    const tern__gemm_kernel *kernel;
    for (int i = 0; i < FAMILIES; i++)
        for (int at = 0; (kernel = test_next_variant(families[i].kernels, families[i].name, &at));)
            for (int turn = 0; turn < 8; turn++)
                compare(kernel, &families[i], &random,
                        (check_case){.m = kernel->rows,
                                     .n = kernel->panel,
                                     .k = 1009,
                                     .split = 512,
                                     .a_layout = turn % 2,
                                     .b_layout = turn / 2 % 2,
                                     .input = choose_input(&families[i], turn / 4),
                                     .turn = turn});
}

/* -- the specifications against literal vectors ------------------------------------------------*/

/* One element of the twin, from `out`. */
static void one_element(const family *f, const void *a, const void *b, int64_t k, void *out,
                        bool accumulates) {
    multiply(test_scalar_twin(f->kernels), f,
             &(matrices){.a = a,
                         .b = b,
                         .a_stride = k,
                         .a_k_stride = 1,
                         .b_j_stride = k,
                         .b_k_stride = 1,
                         .out = out,
                         .m = 1,
                         .n = 1,
                         .k = k,
                         .split = k,
                         .accumulates = accumulates});
}

static void scalar_f64(void **state) {
    (void)state;
    double out = 9, near_one = 1 + 0x1p-30, square = 1 + 0x1p-29;
    one_element(&families[F64], (double[]){1, 2, 3}, (double[]){4, -5, 6}, 3, &out, true);
    assert_true(out == 21);
    one_element(&families[F64], (double[]){square, near_one}, (double[]){-1, near_one}, 2, &out,
                false);
    assert_true(out == 0x1p-60);
    one_element(&families[F64], (double[]){0x1p53, 1, -0x1p53}, (double[]){1, 1, 1}, 3, &out,
                false);
    assert_true(out == 0);
}

static void scalar_i8(void **state) {
    (void)state;
    int32_t out = 9;
    one_element(&families[I8], (int8_t[]){127, -128, -128}, (int8_t[]){127, -128, 127}, 3, &out,
                true);
    assert_int_equal(out, 9 + 127 * 127 + 128 * 128 - 128 * 127);
    /* The largest sums that int32 has, and the first that wraps. */
    enum { LONG = 1 << 17 };
    int8_t *low = some(LONG), *high = some(LONG);
    memset(low, -128, LONG);
    memset(high, 127, LONG);
    one_element(&families[I8], low, low, LONG - 1, &out, false);
    assert_int_equal(out, INT32_MAX - 16383);
    one_element(&families[I8], low, high, LONG, &out, false);
    assert_int_equal(out, -128 * 127 * LONG);
    one_element(&families[I8], low, low, LONG, &out, false);
    assert_int_equal(out, INT32_MIN);
    free(high);
    free(low);
}

static void scalar_bf16(void **state) {
    (void)state;
    float out = 0;
    /* 1 + 2^-8 is a tie and rounds to 1, 1 + 3 * 2^-8 to 1 + 2^-6. */
    one_element(&families[BF16], (float[]){1 + 0x1p-8f, 2}, (float[]){1 + 0x3p-8f, 3}, 2, &out,
                false);
    assert_true(out == 7 + 0x1p-6f);
    /* The odd step comes first: 2^30 - 2^30 + 1. */
    out = 0x1p30f;
    one_element(&families[BF16], (float[]){1, 0x1p15f}, (float[]){1, -0x1p15f}, 2, &out, true);
    assert_true(out == 1);
}

static void facts(void **state) {
    (void)state;
    for (int i = 0; i < FAMILIES; i++)
        for (int at = 0; families[i].kernels[at] != NULL; at++) {
            const tern__gemm_kernel *kernel = families[i].kernels[at];
            assert_in_range(kernel->panel, 1, TERN__GEMM_PANEL_MAX);
            assert_in_range(kernel->rows, 1, TERN__GEMM_ROWS_MAX);
            assert_true(kernel->k_unit >= 1 && 32 % kernel->k_unit == 0);
            assert_int_equal(tern__gemm_padded(kernel, 0), 0);
            assert_int_equal(tern__gemm_padded(kernel, 1), kernel->k_unit);
            if (kernel->k_unit == 1)
                assert_int_equal(kernel->b_tail, 0);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts),          cmocka_unit_test(scalar_f64),
        cmocka_unit_test(scalar_i8),      cmocka_unit_test(scalar_bf16),
        cmocka_unit_test(variants_agree), cmocka_unit_test(variants_agree_at_length),
    };
    return cmocka_run_group_tests_name("gemm_types", tests, NULL, NULL);
}
