/* SPDX-License-Identifier: MIT
 * Quantised weights against plain loops, and the largest products against all of them: the same
 * bits with a screen and without, for ordinary tables and such as are meant to mislead. */
#define FIXTURE_THREADS 2
#include "context_fixture.h"

#include <math.h>

#include <tern/ops.h>

#include "base/cpu.h"
#include "base/half.h"
#include "device/cpu/packed.h"
#include "tensor/op_table.h"
#include "tensor/tensor.h"

/* -- quantised weights -------------------------------------------------------------------------*/

/* Integers and scale of a row, by the definition. */
static float quantize_row(const float *w, int64_t k, int limit, int *q) {
    float m = 0x1p-100f;
    for (int64_t i = 0; i < k; i++) {
        if (!isfinite(w[i])) {
            memset(q, 0, (size_t)k * sizeof *q);
            return NAN;
        }
        m = fmaxf(m, fabsf(w[i]));
    }
    for (int64_t i = 0; i < k; i++)
        q[i] = (int)rintf(w[i] * ((float)limit / m));
    return m / (float)limit;
}

/* One row of x as docs/numerics.md quantises activations; NaN when a number is not finite. */
static float quantize_x(const float *x, int64_t k, int *q) {
    float m = 1e-5f;
    for (int64_t i = 0; i < k; i++) {
        if (!isfinite(x[i])) {
            memset(q, 0, (size_t)k * sizeof *q);
            return NAN;
        }
        m = fmaxf(m, fabsf(x[i]));
    }
    float s = 127 / m;
    for (int64_t i = 0; i < k; i++)
        q[i] = (int)rintf(x[i] * s);
    return s;
}

static void check_quantized(tern_tensor *table, tern_tensor *x, int bits) {
    tern_tensor *packed = NULL, *wide = NULL, *y = NULL;
    int64_t rows = tern_tensor_dim(table, 0), k = tern_tensor_dim(table, 1);
    int64_t n = tern_tensor_dim(x, 0);
    test_ok(tern_tensor_pack_int(table, bits, &packed));
    assert_int_equal(tern_tensor_dtype(packed), TERN_QUANTIZED);
    assert_null(tern_tensor_data(packed));
    test_ok(tern_cast(table, TERN_F32, &wide));
    test_ok(tern_linear(x, packed, &y));
    int *q = calloc((size_t)(2 * k + 1), sizeof *q);
    const float *w = tern_tensor_data(wide), *values = tern_tensor_data(x);
    float *expected = malloc((size_t)(n * rows + 1) * sizeof *expected);
    for (int64_t t = 0; t < n; t++)
        for (int64_t r = 0; r < rows; r++) {
            float scale = quantize_row(w + r * k, k, bits == 8 ? 127 : 7, q);
            float s = quantize_x(values + t * k, k, q + k);
            int64_t sum = 0;
            for (int64_t i = 0; i < k; i++)
                sum += q[i] * q[k + i];
            expected[t * rows + r] = fmaf((float)sum, scale, 0) * (1 / s);
        }
    test_same_floats(tern_tensor_data(y), expected, n * rows, "quantized");
    free(expected);
    free(q);
}

/* A table of normal numbers in any of the types. */
static tern_tensor *table_of(tern_dtype dtype, int64_t rows, int64_t k, uint64_t seed) {
    tern_tensor *table = NULL;
    if (dtype != TERN_Q8_0) {
        test_ok(tern_tensor_randn(context, dtype, TERN_SHAPE(rows, k), seed, &table));
        return table;
    }
    test_random random = {.seed = seed};
    test_ok(tern_tensor_empty(context, dtype, TERN_SHAPE(rows, k), &table));
    uint8_t *data = tern_tensor_data(table);
    for (size_t i = 0; i < tern_tensor_bytes(table); i++)
        data[i] = (uint8_t)test_random_u32(&random);
    for (int64_t block = 0; block < rows * k / 32; block++) {
        uint16_t scale = tern__f16_from_f32(0.01f * (float)(1 + block % 3));
        memcpy(data + block * 34, &scale, 2);
    }
    return table;
}

static const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_BF16, TERN_Q8_0};

static void quantized_linear(void **state) {
    (void)state;
    for (int type = 0; type < 4; type++)
        for (int bits = 4; bits <= 8; bits += 4) {
            check_quantized(table_of(types[type], 37, 96, 81), normal(TERN_SHAPE(1, 96), 82), bits);
            check_quantized(table_of(types[type], 5, 320, 83), normal(TERN_SHAPE(7, 320), 84),
                            bits);
            if (types[type] != TERN_Q8_0) {
                check_quantized(table_of(types[type], 70, 17, 85), normal(TERN_SHAPE(3, 17), 86),
                                bits);
                check_quantized(table_of(types[type], 3, 4099, 87), normal(TERN_SHAPE(2, 4099), 88),
                                bits);
            }
        }
}

static void quantized_views(void **state) {
    (void)state;
    tern_tensor *base = table_of(TERN_F16, 40, 50, 89), *turned = NULL, *part = NULL;
    test_ok(tern_tensor_transpose(base, 0, 1, &turned));
    test_ok(tern_tensor_slice(turned, 1, 39, 0, -2, &part));
    check_quantized(part, normal(TERN_SHAPE(2, 20), 90), 8);
}

/* Rows of zeros, of the smallest and the largest numbers, with a NaN and an infinity. */
static void quantized_corners(void **state) {
    (void)state;
    tern_tensor *table = normal(TERN_SHAPE(9, 64), 91), *x = normal(TERN_SHAPE(4, 64), 92);
    float *w = tern_tensor_data(table);
    for (int i = 0; i < 64; i++) {
        w[i] = i % 2 == 0 ? 0.0f : -0.0f;
        w[64 + i] *= 1e-42f;
        w[128 + i] = i % 3 == 0 ? 3.4e38f : -1e38f;
        w[192 + i] *= 0x1p-100f;
        w[448 + i] = 1;
    }
    w[256 + 3] = NAN;
    w[320 + 63] = -INFINITY;
    float *values = tern_tensor_data(x);
    values[70] = NAN;
    values[140] = INFINITY;
    memset(values + 192, 0, 64 * sizeof *values);
    check_quantized(table, x, 8);
    check_quantized(table, x, 4);
}

static void quantized_nothing(void **state) {
    (void)state;
    tern_tensor *table = NULL, *packed = NULL, *y = NULL;
    for (int64_t rows = 0; rows <= 3; rows += 3) {
        test_ok(tern_tensor_zeros(context, TERN_F16, TERN_SHAPE(rows, 3 - rows), &table));
        test_ok(tern_tensor_pack_int(table, 8, &packed));
        test_ok(tern_linear(normal(TERN_SHAPE(2, 3 - rows), 93), packed, &y));
        for (int64_t i = 0; i < tern_tensor_count(y); i++)
            assert_true(((const float *)tern_tensor_data(y))[i] == 0);
    }
}

static void refusals(void **state) {
    (void)state;
    tern_tensor *table = normal(TERN_SHAPE(9, 8), 94), *x = normal(TERN_SHAPE(8), 95), *out = NULL;
    tern_tensor *screen = NULL, *other = NULL, *half = NULL, *wide = NULL, *places = NULL;
    test_ok(tern_tensor_pack_int(table, 8, &screen));
    test_ok(tern_tensor_pack_int(normal(TERN_SHAPE(8, 8), 96), 8, &other));
    test_ok(tern_cast(x, TERN_F16, &half));
    test_status(tern_tensor_pack_int(table, 5, &out), TERN_E_ARGUMENT);
    test_status(tern_tensor_pack_int(x, 8, &out), TERN_E_SHAPE);
    test_status(tern_tensor_pack_int(screen, 8, &out), TERN_E_DTYPE);
    test_ok(tern_tensor_zeros(context, TERN_F16, TERN_SHAPE(1, 1 << 16), &wide));
    test_ok(tern_tensor_pack_int(wide, 8, &out));
    test_ok(tern_tensor_zeros(context, TERN_F16, TERN_SHAPE(1, (1 << 16) + 1), &wide));
    test_status(tern_tensor_pack_int(wide, 8, &out), TERN_E_LIMIT);
    test_status(tern_linear_topk(x, table, screen, 10, &out, &places), TERN_E_ARGUMENT);
    test_status(tern_linear_topk(x, table, screen, -1, &out, &places), TERN_E_ARGUMENT);
    test_status(tern_linear_topk(x, table, other, 1, &out, &places), TERN_E_SHAPE);
    test_status(tern_linear_topk(x, table, table, 1, &out, &places), TERN_E_DTYPE);
    test_status(tern_linear_topk(x, screen, screen, 1, &out, &places), TERN_E_DTYPE);
    test_status(tern_linear_topk(half, table, screen, 1, &out, &places), TERN_E_DTYPE);
    test_status(tern_linear_topk(table, table, screen, 1, &out, &places), TERN_OK);
    test_status(tern_linear_topk(normal(TERN_SHAPE(7), 97), table, NULL, 1, &out, &places),
                TERN_E_SHAPE);
    assert_null(out);
    assert_null(places);
}

/* -- the largest products ----------------------------------------------------------------------*/

/* Screened, and without a screen, against the best of all products. Returns the candidates. */
static int64_t check_best(tern_tensor *x, tern_tensor *table, tern_tensor *screen, int64_t k,
                          const char *what) {
    tern_tensor *all = NULL, *values = NULL, *places = NULL, *got = NULL, *found = NULL;
    tern_stats before, after;
    test_ok(tern_linear(x, table, &all));
    test_ok(tern_topk(all, k, tern_tensor_rank(x) - 1, true, &values, &places));
    tern_stats_get(context, &before);
    for (int pass = 0; pass < 2; pass++) {
        test_ok(tern_linear_topk(x, table, pass == 0 ? screen : NULL, k, &got, &found));
        test_same_floats(tern_tensor_data(got), tern_tensor_data(values), tern_tensor_count(got),
                         what);
        test_same_bytes(tern_tensor_data(found), tern_tensor_data(places), tern_tensor_bytes(found),
                        what);
        tern_tensor_release(found);
        tern_tensor_release(got);
    }
    tern_stats_get(context, &after);
    tern_tensor_release(places);
    tern_tensor_release(values);
    tern_tensor_release(all);
    return after.screen_candidates - before.screen_candidates;
}

static const int64_t sizes[] = {1, 2, 8, 40};

static void check_table(tern_tensor *table, tern_tensor *x, const char *what) {
    int64_t rows = tern_tensor_dim(table, 0);
    for (int bits = 8; bits >= 4; bits -= 4) {
        tern_tensor *screen = NULL;
        test_ok(tern_tensor_pack_int(table, bits, &screen));
        for (int i = 0; i < 4; i++)
            if (sizes[i] <= rows)
                check_best(x, table, screen, sizes[i], what);
        check_best(x, table, screen, rows, what);
        check_best(x, table, screen, 0, what);
        tern_tensor_release(screen);
    }
}

static void random_tables(void **state) {
    (void)state;
    const int64_t heights[] = {1, 7, 64, 1000, 5000};
    for (int type = 0; type < 4; type++)
        for (int h = 0; h < 5; h++)
            check_table(table_of(types[type], heights[h], 256, 100), normal(TERN_SHAPE(256), 101),
                        tern_dtype_name(types[type]));
    check_table(table_of(TERN_F16, 3000, 31, 102), normal(TERN_SHAPE(3, 31), 103), "three rows");
}

static void turned_table(void **state) {
    (void)state;
    tern_tensor *turned = NULL;
    test_ok(tern_tensor_transpose(table_of(TERN_BF16, 64, 900, 104), 0, 1, &turned));
    check_table(turned, normal(TERN_SHAPE(64), 105), "turned");
}

/* Nothing is left of the copy that an x with strides needs. */
static void turned_x(void **state) {
    (void)state;
    tern_tensor *table = table_of(TERN_F16, 500, 64, 133), *turned = NULL, *screen = NULL;
    test_ok(tern_tensor_pack_int(table, 8, &screen));
    test_ok(tern_tensor_transpose(normal(TERN_SHAPE(64, 3), 134), 0, 1, &turned));
    check_best(turned, table, screen, 4, "turned x");
    tern_tensor *values = NULL, *places = NULL;
    int64_t before = tern_context_memory(context).live_tensors;
    test_ok(tern_linear_topk(turned, table, screen, 4, &values, &places));
    assert_int_equal(tern_context_memory(context).live_tensors, before + 2);
}

/* Few rows of an ordinary table are read in full. */
static void few_candidates(void **state) {
    (void)state;
    tern_tensor *table = table_of(TERN_F16, 5000, 256, 98), *screen = NULL;
    test_ok(tern_tensor_pack_int(table, 8, &screen));
    for (uint64_t seed = 200; seed < 210; seed++) {
        tern_tensor *x = normal(TERN_SHAPE(256), seed);
        assert_in_range(check_best(x, table, screen, 1, "one"), 1, 40);
        assert_in_range(check_best(x, table, screen, 40, "forty"), 40, 200);
    }
}

/* As many candidates as there is room for, an eighth of the rows, and one more: then all products
 * are computed. */
static void room_for_candidates(void **state) {
    (void)state;
    enum { ROWS = 80, K = 64, ROOM = ROWS / 8 };
    for (int64_t best = 1; best <= ROOM + 1; best++) {
        tern_tensor *table = NULL, *screen = NULL, *x = NULL;
        tern_stats before, after;
        test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(ROWS, K), &table));
        test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(K), 1, &x));
        float *w = tern_tensor_data(table);
        for (int64_t i = 0; i < best * K; i++)
            w[i] = 1;
        test_ok(tern_tensor_pack_int(table, 8, &screen));
        bool fits = best <= ROOM;
        tern_stats_get(context, &before);
        assert_int_equal(check_best(x, table, screen, 1, "one"), fits ? best : ROWS);
        assert_int_equal(check_best(x, table, screen, best, "all"), fits ? best : 0);
        tern_stats_get(context, &after);
        assert_int_equal(after.screen_failures - before.screen_failures, !fits);
    }
}

/* The bytes of a pass are those of the screen where there is one, else of the table. */
static void counted_bytes(void **state) {
    (void)state;
    tern_tensor *table = table_of(TERN_F32, 500, 64, 131), *x = normal(TERN_SHAPE(64), 132);
    tern_tensor *screen = NULL, *values = NULL, *places = NULL;
    tern_op_stats stats;
    tern_stats_reset(context);
    test_ok(tern_tensor_pack_int(table, 8, &screen));
    tern_stats_op(context, TERN__OP_PACK_INT, &stats);
    const int64_t sizes_of[] = {(int64_t)tern_tensor_bytes(table),
                                (int64_t)tern_tensor_bytes(screen)};
    assert_int_equal(stats.bytes[TERN_CLASS_MOVE], sizes_of[0] + sizes_of[1]);
    int64_t bytes[2];
    for (int i = 0; i < 2; i++) {
        tern_stats_reset(context);
        test_ok(tern_linear_topk(x, table, i == 0 ? NULL : screen, 1, &values, &places));
        tern_stats_op(context, TERN__OP_LINEAR_TOPK, &stats);
        bytes[i] = stats.bytes[TERN_CLASS_COMPUTE];
    }
    assert_int_equal(bytes[0] - bytes[1], sizes_of[0] - sizes_of[1]);
}

/* Rows that all but equal one another, in groups, and some that do. */
static void near_equal_rows(void **state) {
    (void)state;
    tern_tensor *table = table_of(TERN_F16, 4000, 128, 106);
    uint16_t *w = tern_tensor_data(table);
    test_random random = {.seed = 107};
    for (int64_t row = 1; row < 4000; row++) {
        if (row % 500 == 0)
            continue;
        memcpy(w + row * 128, w + row / 500 * 500 * 128, 256);
        if (row % 3 != 0)
            w[row * 128 + test_random_range(&random, 0, 127)] ^= 1;
    }
    for (uint64_t seed = 0; seed < 6; seed++)
        check_table(table, normal(TERN_SHAPE(128), 108 + seed), "near-equal rows");
}

/* All products are equal, or of two values: ties go to the lowest places. */
static void ties(void **state) {
    (void)state;
    tern_tensor *table = NULL, *x = normal(TERN_SHAPE(64), 120);
    test_ok(tern_tensor_zeros(context, TERN_F16, TERN_SHAPE(2000, 64), &table));
    check_table(table, x, "zeros");
    uint16_t *w = tern_tensor_data(table);
    for (int64_t row = 0; row < 2000; row++)
        for (int i = 0; i < 64; i++)
            w[row * 64 + i] = row % 97 == 5 ? 0x3c00 : 0x3800;
    check_table(table, x, "two values");
    memset(tern_tensor_data(x), 0, 256);
    check_table(table, x, "x of zeros");
    for (int i = 0; i < 64; i++)
        ((float *)tern_tensor_data(x))[i] = -0.0f;
    check_table(table, x, "x of -0");
}

/* Columns of x and of the table a thousand times larger than the rest. */
static void outlier_columns(void **state) {
    (void)state;
    tern_tensor *table = table_of(TERN_F16, 4000, 256, 121), *x = normal(TERN_SHAPE(256), 122);
    ((float *)tern_tensor_data(x))[17] *= 1000;
    check_table(table, x, "outlier in x");
    uint16_t *w = tern_tensor_data(table);
    for (int64_t row = 0; row < 4000; row++)
        w[row * 256 + 99] = tern__f16_from_f32(100 * tern__f32_from_f16(w[row * 256 + 99]));
    check_table(table, x, "outliers in both");
    ((float *)tern_tensor_data(x))[17] /= 1000;
    check_table(table, x, "outliers in the rows");
}

/* Tiny and huge numbers, chains that overflow, NaN and infinities in x and in the table. */
static void extremes(void **state) {
    (void)state;
    const float factors[] = {1e-44f, 1e-38f, 1e-30f, 1e-12f, 1e12f, 1e30f, 3e37f};
    for (int i = 0; i < 7; i++) {
        tern_tensor *table = normal(TERN_SHAPE(600, 64), 123), *x = normal(TERN_SHAPE(64), 124);
        test_ok(tern_scale_into(table, (double)factors[i], table));
        check_table(table, x, "scaled table");
        test_ok(tern_scale_into(x, (double)factors[6 - i], x));
        check_table(table, x, "scaled both");
        ((float *)tern_tensor_data(table))[64 * 77 + 3] = NAN;
        check_table(table, x, "a NaN in the table");
        ((float *)tern_tensor_data(x))[5] = INFINITY;
        check_table(table, x, "an infinity in x");
    }
}

/* A head of quantised weights takes its best the same way, without a screen. */
static void best_of_quantized(void **state) {
    (void)state;
    for (int bits = 4; bits <= 8; bits += 4) {
        tern_tensor *packed = NULL;
        test_ok(tern_tensor_pack_int(table_of(TERN_F16, 500, 96, 125), bits, &packed));
        for (int i = 0; i < 4; i++)
            check_best(normal(TERN_SHAPE(2, 96), 126), packed, NULL, sizes[i], "quantized");
    }
}

/* -- levels and threads ------------------------------------------------------------------------*/

typedef struct answer {
    float values[3][8], linear[2][3 * 700];
    int64_t places[3][8];
    int64_t candidates;
} answer;

static void answer_with(const char *level, int threads, answer *a) {
    tern_context *own = NULL;
    tern_tensor *x = NULL, *table = NULL, *screen = NULL, *small = NULL, *values = NULL,
                *places = NULL, *y = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = threads, .cpu = level}, &own));
    test_ok(tern_tensor_randn(own, TERN_F32, TERN_SHAPE(3, 100), 127, &x));
    test_ok(tern_tensor_randn(own, TERN_F16, TERN_SHAPE(700, 100), 128, &table));
    test_ok(tern_tensor_pack_int(table, 8, &screen));
    test_ok(tern_tensor_pack_int(table, 4, &small));
    test_ok(tern_linear_topk(x, table, screen, 8, &values, &places));
    memcpy(a->values, tern_tensor_data(values), sizeof a->values);
    memcpy(a->places, tern_tensor_data(places), sizeof a->places);
    for (int i = 0; i < 2; i++) {
        test_ok(tern_linear(x, i == 0 ? screen : small, &y));
        memcpy(a->linear[i], tern_tensor_data(y), sizeof a->linear[i]);
        tern_tensor_release(y);
    }
    tern_stats stats;
    tern_stats_get(own, &stats);
    a->candidates = stats.screen_candidates;
    assert_int_equal(stats.screen_rows, 3);
    tern_tensor_release(places);
    tern_tensor_release(values);
    tern_tensor_release(small);
    tern_tensor_release(screen);
    tern_tensor_release(table);
    tern_tensor_release(x);
    tern_context_destroy(own);
}

static void same_everywhere(void **state) {
    (void)state;
    static const char *const levels[] = {"scalar", "avx2", "avxvnni", "avx512", "neon", "dotprod"};
    static answer first, a;
    answer_with(NULL, 1, &first);
    for (int level = 0; level < 6; level++) {
        uint32_t features;
        if (tern__cpu_level(levels[level], &features) != TERN_OK)
            continue;
        for (int threads = 1; threads <= 5; threads += 2) {
            memset(&a, 0, sizeof a);
            answer_with(levels[level], threads, &a);
            test_same_bytes(&a, &first, sizeof a, levels[level]);
        }
    }
}

/* A screen is read by the kernels that it was made for. */
static void other_kernels(void **state) {
    (void)state;
    tern_context *own = NULL;
    tern_tensor *table = NULL, *screen = NULL, *values = NULL, *places = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1, .cpu = "scalar"}, &own));
    test_ok(tern_tensor_randn(own, TERN_F16, TERN_SHAPE(9, 8), 129, &table));
    test_ok(tern_tensor_pack_int(table, 8, &screen));
    tern_status status =
        tern_linear_topk(normal(TERN_SHAPE(8), 130), table, screen, 1, &values, &places);
    bool is_ours = tern__packed_of(screen)->kernel ==
                   tern__cpu_of(context->device)->packed[TERN__PACKING_INT8];
    test_status(status, is_ours ? TERN_OK : TERN_E_ARGUMENT);
    tern_tensor_release(screen);
    tern_tensor_release(table);
    tern_context_destroy(own);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(quantized_linear),
        TEST(quantized_views),
        TEST(quantized_corners),
        TEST(quantized_nothing),
        TEST(refusals),
        TEST(random_tables),
        TEST(few_candidates),
        TEST(turned_table),
        TEST(near_equal_rows),
        TEST(ties),
        TEST(outlier_columns),
        TEST(extremes),
        TEST(best_of_quantized),
        TEST(same_everywhere),
        TEST(room_for_candidates),
        TEST(counted_bytes),
        TEST(turned_x),
        TEST(other_kernels),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
