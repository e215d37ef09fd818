/* SPDX-License-Identifier: MIT
 * Every op against plain loops in double written here, over strides, types and shapes; the same
 * bits at every kernel level and thread count; typed errors. */
#define FIXTURE_THREADS 2
#include "context_fixture.h"

#include <math.h>

#include <tern/ops.h>

#include "base/cpu.h"
#include "base/half.h"
#include "device/cpu/packed.h"
#include "ops/pack.h"
#include "tensor/tensor.h"

/* Element of an F32, F16 or BF16 tensor at up to three indices. */
static double at(const tern_tensor *t, int64_t i, int64_t j, int64_t k) {
    int64_t index[3] = {i, j, k}, offset = 0;
    for (int axis = 0; axis < tern_tensor_rank(t); axis++)
        offset += index[3 - tern_tensor_rank(t) + axis] * tern_tensor_stride(t, axis);
    const void *data = tern_tensor_data(t);
    if (tern_tensor_dtype(t) == TERN_F32)
        return ((const float *)data)[offset];
    uint16_t half = ((const uint16_t *)data)[offset];
    return tern_tensor_dtype(t) == TERN_F16 ? tern__f32_from_f16(half) : tern__f32_from_bf16(half);
}

static void near(double got, double expected, double scale, const char *what) {
    if (!(fabs(got - expected) <= 2e-6 * scale))
        fail_msg("%s: %.9g, expected %.9g", what, got, expected);
}

static void add_and_mul(void **state) {
    (void)state;
    tern_tensor *a = normal(TERN_SHAPE(3, 4, 5), 1), *b = normal(TERN_SHAPE(5, 4), 2);
    tern_tensor *turned = NULL, *column = NULL, *sum = NULL, *product = NULL;
    test_ok(tern_tensor_transpose(b, 0, 1, &turned)); /* (4, 5) */
    test_ok(tern_add(a, turned, &sum));
    test_ok(tern_tensor_slice(a, 2, 2, 3, 1, &column)); /* (3, 4, 1) */
    test_ok(tern_mul(column, turned, &product));        /* (3, 4, 5) */
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 5; k++) {
                float x = (float)at(a, i, j, k), y = (float)at(turned, 0, j, k);
                assert_true((float)at(sum, i, j, k) == x + y);
                assert_true((float)at(product, i, j, k) == (float)at(column, i, j, 0) * y);
            }
    test_status(tern_add(a, b, &sum), TERN_E_SHAPE);
    assert_null(sum);
    assert_non_null(strstr(tern_last_error(), "(3, 4, 5)"));
    assert_non_null(strstr(tern_last_error(), "(5, 4)"));
}

static void large_elementwise(void **state) {
    (void)state;
    tern_tensor *a = normal(TERN_SHAPE(300, 401), 3), *b = normal(TERN_SHAPE(401, 300), 4);
    tern_tensor *turned = NULL, *sum = NULL, *scaled = NULL;
    test_ok(tern_tensor_transpose(b, 0, 1, &turned));
    test_ok(tern_add(a, turned, &sum));
    test_ok(tern_scale(turned, 0.3f, &scaled));
    for (int i = 0; i < 300; i++)
        for (int j = 0; j < 401; j++) {
            assert_true((float)at(sum, 0, i, j) == (float)at(a, 0, i, j) + (float)at(b, 0, j, i));
            assert_true((float)at(scaled, 0, i, j) == (float)at(b, 0, j, i) * 0.3f);
        }
}

static void activations(void **state) {
    (void)state;
    const float data[] = {-2, -0.0f, 0, 0.5f, 3, NAN, -INFINITY, INFINITY};
    tern_tensor *x = NULL, *y = NULL;
    test_ok(tern_tensor_borrow(context, TERN_F32, TERN_SHAPE(8), data, &x));
    test_ok(tern_relu2(x, &y));
    test_same_floats(tern_tensor_data(y), (const float[]){0, 0, 0, 0.25f, 9, NAN, 0, INFINITY}, 8,
                     "relu2");
    test_ok(tern_silu(x, &y));
    for (int i = 0; i < 5; i++)
        near(at(y, 0, 0, i), data[i] / (1 + exp(-(double)data[i])), 1, "silu");
    assert_true(isnan(at(y, 0, 0, 5)));
}

static void norms(void **state) {
    (void)state;
    tern_tensor *wide = normal(TERN_SHAPE(70, 5), 5), *weight = normal(TERN_SHAPE(70), 6);
    tern_tensor *x = NULL, *y = NULL;
    test_ok(tern_tensor_transpose(wide, 0, 1, &x)); /* (5, 70), not contiguous */
    test_ok(tern_rms_norm(x, weight, 1e-5f, &y));
    for (int i = 0; i < 5; i++) {
        double squares = 0;
        for (int j = 0; j < 70; j++)
            squares += at(x, 0, i, j) * at(x, 0, i, j);
        for (int j = 0; j < 70; j++)
            near(at(y, 0, i, j), at(x, 0, i, j) / sqrt(squares / 70 + 1e-5) * at(weight, 0, 0, j),
                 4, "rms_norm");
    }
    test_status(tern_rms_norm(wide, weight, 1e-5f, &y), TERN_E_SHAPE);
}

static void softmaxes(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(2, 3, 7), 7), *y = NULL;
    for (int causal = 0; causal <= 1; causal++) {
        test_ok(causal ? tern_softmax_causal(x, &y) : tern_softmax(x, -1, &y));
        for (int i = 0; i < 2; i++)
            for (int t = 0; t < 3; t++) {
                int length = causal ? 7 - 3 + t + 1 : 7;
                double sum = 0;
                for (int s = 0; s < length; s++)
                    sum += exp(at(x, i, t, s));
                for (int s = 0; s < 7; s++)
                    near(at(y, i, t, s), s < length ? exp(at(x, i, t, s)) / sum : 0, 1, "softmax");
            }
    }
    tern_tensor *tall = normal(TERN_SHAPE(4, 3), 7);
    test_status(tern_softmax_causal(tall, &y), TERN_E_SHAPE);
}

/* A causal row must be what a row cut to its length gives, bit for bit. */
static void causal_rows_are_short(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(90, 100), 8), *y = NULL;
    test_ok(tern_softmax_causal(x, &y));
    for (int t = 0; t < 90; t++) {
        tern_tensor *row = NULL, *cut = NULL, *alone = NULL;
        test_ok(tern_tensor_select(x, 0, t, &row));
        test_ok(tern_tensor_slice(row, 0, 0, 11 + t, 1, &cut));
        test_ok(tern_softmax(cut, -1, &alone));
        test_same_floats((float *)tern_tensor_data(y) + t * 100, tern_tensor_data(alone), 11 + t,
                         "causal softmax");
    }
}

static void rope(void **state) {
    (void)state;
    tern_tensor *table = NULL, *x = normal(TERN_SHAPE(3, 2, 8), 9), *y = NULL;
    test_ok(tern_rope_table(context, 50, 8, 10000, &table));
    test_ok(tern_rope(x, table, 40, &y));
    for (int t = 0; t < 3; t++)
        for (int h = 0; h < 2; h++)
            for (int i = 0; i < 4; i++) {
                double angle = (40 + t) * pow(10000, -2.0 * i / 8);
                double a = at(x, t, h, i), b = at(x, t, h, i + 4);
                near(at(y, t, h, i), a * cos(angle) - b * sin(angle), 4, "rope");
                near(at(y, t, h, i + 4), b * cos(angle) + a * sin(angle), 4, "rope");
            }
    test_status(tern_rope(x, table, 48, &y), TERN_E_ARGUMENT);
    test_status(tern_rope(x, table, -1, &y), TERN_E_ARGUMENT);
    test_status(tern_rope_table(context, 4, 7, 10000, &table), TERN_E_ARGUMENT);
    test_status(tern_rope_table(context, 4, 8, NAN, &table), TERN_E_ARGUMENT);
}

static void casts_and_copies(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(40, 33), 10), *turned = NULL, *half = NULL, *back = NULL;
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    const tern_dtype types[] = {TERN_F16, TERN_BF16, TERN_F32};
    for (int type = 0; type < 3; type++) {
        test_ok(tern_cast(turned, types[type], &half));
        test_ok(tern_cast(half, TERN_F32, &back));
        for (int i = 0; i < 33; i++)
            for (int j = 0; j < 40; j++) {
                float value = (float)at(turned, 0, i, j);
                float expected =
                    types[type] == TERN_F16    ? tern__f32_from_f16(tern__f16_from_f32(value))
                    : types[type] == TERN_BF16 ? tern__f32_from_bf16(tern__bf16_from_f32(value))
                                               : value;
                assert_true((float)at(back, 0, i, j) == expected);
            }
    }
    tern_tensor *target = NULL, *part = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F16, TERN_SHAPE(33, 50), &target));
    test_ok(tern_tensor_slice(target, 1, 5, 45, 1, &part));
    test_ok(tern_copy(turned, part));
    for (int i = 0; i < 33; i++)
        for (int j = 0; j < 50; j++) {
            float expected = j >= 5 && j < 45 ? (float)at(turned, 0, i, j - 5) : 0;
            assert_true((float)at(target, 0, i, j) ==
                        tern__f32_from_f16(tern__f16_from_f32(expected)));
        }
    test_status(tern_copy(x, part), TERN_E_SHAPE);
    tern_tensor *borrowed = NULL;
    test_ok(
        tern_tensor_borrow(context, TERN_F32, TERN_SHAPE(40, 33), tern_tensor_data(x), &borrowed));
    test_status(tern_copy(x, borrowed), TERN_E_ARGUMENT);
}

static void contiguous(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(4, 5), 11), *turned = NULL, *y = NULL;
    test_ok(tern_contiguous(x, &y));
    assert_ptr_equal(tern_tensor_data(y), tern_tensor_data(x));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    test_ok(tern_contiguous(turned, &y));
    assert_true(tern_tensor_is_contiguous(y));
    assert_true(at(y, 0, 3, 2) == at(x, 0, 2, 3));
}

static void embedding(void **state) {
    (void)state;
    tern_tensor *table = normal(TERN_SHAPE(10, 6), 12), *half = NULL, *ids = NULL, *y = NULL;
    const int32_t values[] = {9, 0, 9, 3};
    test_ok(tern_cast(table, TERN_F16, &half));
    test_ok(tern_tensor_borrow(context, TERN_I32, TERN_SHAPE(4), values, &ids));
    test_ok(tern_embedding(half, ids, &y));
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 6; j++)
            assert_true(at(y, 0, i, j) == at(half, 0, values[i], j));
    const int32_t wrong[] = {0, 10}, negative[] = {-1};
    test_ok(tern_tensor_borrow(context, TERN_I32, TERN_SHAPE(2), wrong, &ids));
    test_status(tern_embedding(table, ids, &y), TERN_E_ARGUMENT);
    test_ok(tern_tensor_borrow(context, TERN_I32, TERN_SHAPE(1), negative, &ids));
    test_status(tern_embedding(table, ids, &y), TERN_E_ARGUMENT);
}

/* The stated order: one chain of fused multiply-adds over k. */
static float chain(const tern_tensor *a, const tern_tensor *b, int64_t i, int64_t j) {
    float sum = 0;
    for (int64_t k = 0; k < tern_tensor_dim(a, 1); k++)
        sum = fmaf((float)at(a, 0, i, k), (float)at(b, 0, k, j), sum);
    return sum;
}

static void check_product(tern_tensor *a, tern_tensor *b) {
    tern_tensor *y = NULL;
    test_ok(tern_matmul(a, b, &y));
    for (int64_t i = 0; i < tern_tensor_dim(a, 0); i++)
        for (int64_t j = 0; j < tern_tensor_dim(b, 1); j++) {
            float got = (float)at(y, 0, i, j), expected = chain(a, b, i, j);
            test_same_floats(&got, &expected, 1, "matmul");
        }
    tern_tensor_release(y);
}

static void matmuls(void **state) {
    (void)state;
    const int64_t sizes[][3] = {{1, 1, 1},    {1, 600, 70}, {3, 5, 7},    {17, 1100, 33},
                                {64, 64, 64}, {2, 300, 1},  {130, 31, 9}, {5, 0, 4}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int64_t m = sizes[s][0], k = sizes[s][1], n = sizes[s][2];
        tern_tensor *a = normal(TERN_SHAPE(m, k), 13), *at_ = normal(TERN_SHAPE(k, m), 14);
        tern_tensor *b = normal(TERN_SHAPE(k, n), 15), *bt = normal(TERN_SHAPE(n, k), 16);
        tern_tensor *turned_a = NULL, *turned_b = NULL;
        test_ok(tern_tensor_transpose(at_, 0, 1, &turned_a));
        test_ok(tern_tensor_transpose(bt, 0, 1, &turned_b));
        check_product(a, b);
        check_product(turned_a, b);
        check_product(a, turned_b);
        const tern_dtype types[] = {TERN_F16, TERN_BF16};
        for (int type = 0; type < 2; type++) {
            tern_tensor *narrow = NULL, *narrow_turned = NULL;
            test_ok(tern_cast(bt, types[type], &narrow));
            test_ok(tern_tensor_transpose(narrow, 0, 1, &narrow_turned));
            check_product(a, narrow_turned);
            tern_tensor *plain = NULL;
            test_ok(tern_cast(b, types[type], &plain));
            check_product(a, plain);
        }
    }
    tern_tensor *y = NULL;
    test_status(tern_matmul(normal(TERN_SHAPE(2, 3), 1), normal(TERN_SHAPE(4, 3), 1), &y),
                TERN_E_SHAPE);
}

static void linear_floats(void **state) {
    (void)state;
    uint8_t blocks[5 * 2 * 34]; /* Q8_0 (5, 64) */
    test_random random = {.seed = 17};
    for (int b = 0; b < 10; b++) {
        uint16_t scale = tern__f16_from_f32(0.01f * (float)(b + 1));
        memcpy(blocks + b * 34, &scale, 2);
        for (int i = 0; i < 32; i++)
            blocks[b * 34 + 2 + i] = (uint8_t)test_random_u32(&random);
    }
    tern_tensor *weight = NULL, *wide = NULL, *turned = NULL, *y = NULL, *expected = NULL;
    tern_tensor *x = normal(TERN_SHAPE(2, 3, 64), 18), *rows = NULL;
    test_ok(tern_tensor_borrow(context, TERN_Q8_0, TERN_SHAPE(5, 64), blocks, &weight));
    test_ok(tern_linear(x, weight, &y));
    assert_int_equal(tern_tensor_rank(y), 3);
    test_ok(tern_cast(weight, TERN_F32, &wide));
    for (int i = 0; i < 64; i++)
        near(at(wide, 0, 3, i),
             (double)(int8_t)blocks[(6 + i / 32) * 34 + 2 + i % 32] *
                 tern__f32_from_f16(tern__f16_from_f32(0.01f * (float)(6 + i / 32 + 1))),
             1, "q8_0");
    test_ok(tern_tensor_transpose(wide, 0, 1, &turned));
    test_ok(tern_tensor_reshape(x, TERN_SHAPE(6, 64), &rows));
    test_ok(tern_matmul(rows, turned, &expected));
    test_same_floats(tern_tensor_data(y), tern_tensor_data(expected), 30, "linear q8_0");
    tern_tensor *ids = NULL;
    const int32_t id = 4;
    test_ok(tern_tensor_borrow(context, TERN_I32, TERN_SHAPE(1), &id, &ids));
    test_ok(tern_embedding(weight, ids, &y));
    test_same_floats(tern_tensor_data(y), (float *)tern_tensor_data(wide) + 4 * 64, 64,
                     "embedding q8_0");
}

/* -- ternary -----------------------------------------------------------------------------------*/

enum { ROWS = 37, COLUMNS = 512 };

/* TQ2_0 (37, 512) of random trits with the block scales given by `scale_of`. */
static uint8_t *make_tq2_0(float (*scale_of)(int row, int block), int8_t *trits) {
    uint8_t *data = calloc(ROWS * 2, 66);
    assert_non_null(data);
    test_random random = {.seed = 19};
    for (int b = 0; b < ROWS * 2; b++) {
        uint16_t scale = tern__f16_from_f32(scale_of(b / 2, b % 2));
        memcpy(data + b * 66 + 64, &scale, 2);
        for (int i = 0; i < 256; i++) {
            int code = (int)test_random_range(&random, 0, 2);
            data[b * 66 + 32 * (i / 128) + i % 32] |= (uint8_t)(code << 2 * (i % 128 / 32));
            trits[b * 256 + i] = (int8_t)(scale_of(b / 2, b % 2) == 0 ? 0 : code - 1);
        }
    }
    return data;
}

/* Quantised activations by the definition in design: q and s of a row. */
static float quantize_row(const tern_tensor *x, int64_t row, int32_t *q) {
    float most = 0;
    for (int64_t k = 0; k < COLUMNS; k++)
        most = fmaxf(most, fabsf((float)at(x, 0, row, k)));
    float s = 127.0f / fmaxf(most, 1e-5f);
    for (int64_t k = 0; k < COLUMNS; k++)
        q[k] = (int32_t)fminf(fmaxf(rintf((float)at(x, 0, row, k) * s), -128), 127);
    return s;
}

static void check_ternary(float (*scale_of)(int, int), bool is_uniform, int64_t tokens) {
    static int8_t trits[ROWS * COLUMNS];
    uint8_t *data = make_tq2_0(scale_of, trits);
    tern_tensor *weight = NULL, *packed = NULL, *y = NULL;
    tern_tensor *x = normal(TERN_SHAPE(tokens, COLUMNS), 20);
    test_ok(tern_tensor_borrow(context, TERN_TQ2_0, TERN_SHAPE(ROWS, COLUMNS), data, &weight));
    test_ok(tern_tensor_pack(weight, &packed));
    assert_int_equal(tern__packed_of(packed)->scale_blocks, is_uniform ? 0 : 2);
    test_ok(tern_linear(x, packed, &y));
    for (int64_t t = 0; t < tokens; t++) {
        int32_t q[COLUMNS];
        float s = quantize_row(x, t, q);
        for (int row = 0; row < ROWS; row++) {
            int32_t sums[2] = {0};
            for (int k = 0; k < COLUMNS; k++)
                sums[k / 256] += trits[row * COLUMNS + k] * q[k];
            float expected;
            if (is_uniform) {
                expected = (float)(sums[0] + sums[1]) * (scale_of(0, 0) / s);
            } else {
                float d0 = tern__f32_from_f16(tern__f16_from_f32(scale_of(row, 0)));
                float d1 = tern__f32_from_f16(tern__f16_from_f32(scale_of(row, 1)));
                expected = fmaf((float)sums[1], d1, fmaf((float)sums[0], d0, 0)) * (1 / s);
            }
            float got = (float)at(y, 0, t, row);
            test_same_floats(&got, &expected, 1, "ternary linear");
        }
    }
    free(data);
}

static float one_scale(int row, int block) {
    return row == 5 && block == 1 ? 0 : 0.5f;
}

static float many_scales(int row, int block) {
    return row == 7 ? 0 : 0.25f + 0.01f * (float)(row * 2 + block);
}

/* More blocks in a row than are unpacked at once; trits with block scales take two bits whatever is
 * asked for. x of integers with one 127 is its own quantised row. */
static void many_blocks(void **state) {
    (void)state;
    enum { BLOCKS = 70, LONG = 256 * BLOCKS };
    static uint8_t data[BLOCKS][66];
    test_random random = {.seed = 27};
    tern_tensor *weight = NULL, *packed = NULL, *y = NULL, *x = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(1, LONG), &x));
    float *values = tern_tensor_data(x), expected = 0;
    for (int i = 0; i < LONG; i++)
        values[i] = i == 0 ? 127 : (float)test_random_range(&random, -127, 127);
    for (int b = 0; b < BLOCKS; b++) {
        float number = b % 5 == 3 ? 0 : 0.5f + (float)b / 16;
        uint16_t scale = tern__f16_from_f32(number);
        int32_t sum = 0;
        memcpy(data[b] + 64, &scale, 2);
        for (int i = 0; i < 256; i++) {
            int code = (int)test_random_range(&random, 0, 2);
            data[b][32 * (i / 128) + i % 32] |= (uint8_t)(code << 2 * (i % 128 / 32));
            sum += (code - 1) * (int)values[b * 256 + i];
        }
        expected = fmaf((float)sum, number, expected);
    }
    test_ok(tern_tensor_borrow(context, TERN_TQ2_0, TERN_SHAPE(1, LONG), data, &weight));
    for (int i = 0; i < 2; i++) {
        test_ok(tern__pack(weight->context, weight,
                           i == 0 ? TERN__PACKING_TRITS4 : TERN__PACKING_TRITS5, &packed));
        assert_int_equal(tern__packed_of(packed)->kernel->packing, TERN__PACKING_TRITS4);
        test_ok(tern_linear(x, packed, &y));
        test_same_floats(tern_tensor_data(y), &expected, 1, "many blocks");
    }
}

static void ternary_linear(void **state) {
    (void)state;
    for (int64_t tokens = 1; tokens <= 40; tokens += 13) {
        check_ternary(one_scale, true, tokens);
        check_ternary(many_scales, false, tokens);
    }
}

/* I2_S whose rows straddle its blocks of 128: K = 96. */
static void i2_s_rows_straddle(void **state) {
    (void)state;
    enum { M = 8, K = 96 };
    uint8_t data[M * K / 4 + 32] = {0};
    int trits[M * K];
    float scale = 0.75f, x_values[K];
    test_random random = {.seed = 21};
    for (int i = 0; i < M * K; i++) {
        int code = (int)test_random_range(&random, 0, 2);
        data[32 * (i / 128) + i % 32] |= (uint8_t)(code << (6 - 2 * (i % 128 / 32)));
        trits[i] = code - 1;
    }
    memcpy(data + M * K / 4, &scale, sizeof scale);
    for (int k = 0; k < K; k++)
        x_values[k] = (float)test_random_range(&random, -127, 127);
    x_values[11] = 127; /* so that s is 1 */
    tern_tensor *weight = NULL, *packed = NULL, *x = NULL, *y = NULL, *wide = NULL;
    test_ok(tern_tensor_borrow(context, TERN_I2_S, TERN_SHAPE(M, K), data, &weight));
    test_ok(tern_tensor_pack(weight, &packed));
    test_ok(tern_tensor_borrow(context, TERN_F32, TERN_SHAPE(1, K), x_values, &x));
    test_ok(tern_linear(x, packed, &y));
    test_ok(tern_cast(weight, TERN_F32, &wide));
    for (int m = 0; m < M; m++) {
        int sum = 0;
        for (int k = 0; k < K; k++) {
            sum += trits[m * K + k] * (int)x_values[k];
            assert_true(at(wide, 0, m, k) == trits[m * K + k] * 0.75);
        }
        assert_true(at(y, 0, 0, m) == sum * 0.75);
    }
    data[17] |= 0xc0; /* a code of 3 */
    test_status(tern_tensor_pack(weight, &packed), TERN_E_FORMAT);
    data[17] = 0;
    scale = INFINITY;
    memcpy(data + M * K / 4, &scale, sizeof scale);
    test_status(tern_tensor_pack(weight, &packed), TERN_E_FORMAT);
    test_status(tern_tensor_pack(x, &packed), TERN_E_DTYPE);
}

/* NaN and infinity in one row poison that row only. */
static void ternary_special_values(void **state) {
    (void)state;
    tern_tensor *packed = NULL, *x = normal(TERN_SHAPE(3, 100), 22), *y = NULL;
    test_ok(tern_tensor_pack_random(context, 20, 100, 0.5f, 23, &packed));
    ((float *)tern_tensor_data(x))[105] = NAN;
    ((float *)tern_tensor_data(x))[250] = INFINITY;
    test_ok(tern_linear(x, packed, &y));
    for (int i = 0; i < 20; i++) {
        assert_false(isnan(at(y, 0, 0, i)));
        assert_true(isnan(at(y, 0, 1, i)));
        assert_true(isnan(at(y, 0, 2, i)));
    }
}

/* -- attention ---------------------------------------------------------------------------------*/

static void attention(void **state) {
    (void)state;
    const int64_t T = 5, H = 6, KV = 2, S = 70, K = 48;
    tern_tensor *q = normal(TERN_SHAPE(T, H, K), 24), *keys = NULL, *values = NULL, *y = NULL;
    const tern_dtype types[] = {TERN_F32, TERN_F16};
    for (int type = 0; type < 2; type++) {
        test_ok(tern_cast(normal(TERN_SHAPE(KV, S, K), 25), types[type], &keys));
        test_ok(tern_cast(normal(TERN_SHAPE(KV, S, K), 26), types[type], &values));
        test_ok(tern_attention(q, keys, values, 0.2f, &y));
        for (int64_t t = 0; t < T; t++)
            for (int64_t h = 0; h < H; h++) {
                double p[70], sum = 0;
                int64_t length = S - T + t + 1;
                for (int64_t s = 0; s < length; s++) {
                    double dot = 0;
                    for (int64_t k = 0; k < K; k++)
                        dot += at(q, t, h, k) * at(keys, h / 3, s, k);
                    p[s] = exp(0.2 * dot);
                    sum += p[s];
                }
                for (int64_t k = 0; k < K; k++) {
                    double expected = 0;
                    for (int64_t s = 0; s < length; s++)
                        expected += p[s] / sum * at(values, h / 3, s, k);
                    near(at(y, 0, t, h * K + k), expected, 4, "attention");
                }
            }
    }
    test_status(tern_attention(q, keys, normal(TERN_SHAPE(KV, S, K), 1), 1, &y), TERN_E_DTYPE);
    tern_tensor *short_keys = NULL;
    test_ok(tern_tensor_slice(keys, 1, 0, 4, 1, &short_keys));
    test_status(tern_attention(q, short_keys, short_keys, 1, &y), TERN_E_SHAPE);
}

/* -- refusals ----------------------------------------------------------------------------------*/

/* One tensor of every data type, (2, 256) where that has whole blocks. */
static tern_tensor *of_type(tern_dtype dtype) {
    tern_tensor *t = NULL;
    if (dtype == TERN_TERNARY)
        test_ok(tern_tensor_pack_random(context, 2, 256, 1, 1, &t));
    else if (dtype == TERN_QUANTIZED)
        test_ok(tern_tensor_pack_int(normal(TERN_SHAPE(2, 256), 42), 8, &t));
    else
        test_ok(tern_tensor_zeros(context, dtype, TERN_SHAPE(2, 256), &t));
    return t;
}

/* What is not F32 (or one of the types an operand names) is refused, never read as floats. */
static void types_are_refused(void **state) {
    (void)state;
    const tern_dtype types[] = {
#define TYPE(symbol, value, name, elements, bytes, is_float, is_ternary) TERN_##symbol,
        TERN_DTYPE_MAP(TYPE)
#undef TYPE
    };
    tern_tensor *f = normal(TERN_SHAPE(2, 256), 40), *row = normal(TERN_SHAPE(256), 41), *y = NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        tern_dtype type = types[i];
        bool is_half = type == TERN_F16 || type == TERN_BF16;
        tern_tensor *t = of_type(type);
        if (type == TERN_F32)
            continue;
        test_status(tern_softmax_causal(t, &y), TERN_E_DTYPE);
        test_status(tern_rope(t, f, 0, &y), TERN_E_DTYPE);
        test_status(tern_rope(f, t, 0, &y), TERN_E_DTYPE);
        test_status(tern_linear(t, f, &y), TERN_E_DTYPE);
        test_status(tern_attention(t, f, f, 1, &y), TERN_E_DTYPE);
        test_status(tern_attention(f, f, t, 1, &y), TERN_E_DTYPE);
        test_status(tern_embedding(f, t, &y),
                    type == TERN_I32 || type == TERN_I64 ? TERN_OK : TERN_E_DTYPE);
        bool is_plain = type < TERN_Q8_0;
        bool is_coded = type == TERN_I2_S || type == TERN_TQ1_0 || type == TERN_TQ2_0;
        if (!is_coded && type != TERN_I8)
            test_status(tern_tensor_pack(t, &y), TERN_E_DTYPE);
        if (!is_half && type != TERN_Q8_0)
            test_status(tern_embedding(t, t, &y), TERN_E_DTYPE);
        if (!is_half && type != TERN_Q8_0 && type < TERN_TERNARY)
            test_status(tern_linear(f, t, &y), TERN_E_DTYPE);
        if (is_plain)
            continue;
        test_status(tern_add(t, f, &y), TERN_E_DTYPE);
        test_status(tern_mul(f, t, &y), TERN_E_DTYPE);
        test_status(tern_scale(t, 2, &y), TERN_E_DTYPE);
        test_status(tern_relu2(t, &y), TERN_E_DTYPE);
        test_status(tern_silu(t, &y), TERN_E_DTYPE);
        test_status(tern_rms_norm(t, row, 0, &y), TERN_E_DTYPE);
        test_status(tern_rms_norm(f, t, 0, &y), TERN_E_DTYPE);
        test_status(tern_softmax(t, -1, &y), TERN_E_DTYPE);
        test_status(tern_matmul(t, f, &y), TERN_E_DTYPE);
        test_status(tern_matmul(f, t, &y), TERN_E_DTYPE);
        test_status(tern_copy(t, f), TERN_E_DTYPE);
        test_status(tern_copy(f, t), TERN_E_DTYPE);
        test_status(tern_cast(f, type, &y), TERN_E_DTYPE);
        test_status(tern_cast(t, TERN_F32, &y),
                    is_coded || type == TERN_Q8_0 ? TERN_OK : TERN_E_DTYPE);
    }
}

/* Copies onto elements that are one; a source that overlaps is read before it is written. */
static void copies_over_themselves(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(4, 4), 42), *one = normal(TERN_SHAPE(1, 4), 43);
    tern_tensor *wide = NULL, *turned = NULL, *upper = NULL, *lower = NULL;
    test_ok(tern_tensor_broadcast(one, TERN_SHAPE(4, 4), &wide));
    test_status(tern_copy(x, wide), TERN_E_ARGUMENT);
    test_ok(tern_copy(wide, x));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    tern_tensor *before = NULL, *expected = NULL;
    test_ok(tern_clone(x, &before));
    test_ok(tern_tensor_transpose(before, 0, 1, &expected));
    test_ok(tern_copy(turned, x));
    bool is_equal = false;
    test_ok(tern_array_equal(x, expected, &is_equal));
    assert_true(is_equal);
    test_ok(tern_tensor_slice(x, 0, 0, 2, 1, &upper));
    test_ok(tern_tensor_slice(x, 0, 2, 4, 1, &lower));
    test_ok(tern_copy(upper, lower));
}

/* Sizes that no memory could hold, made without any by broadcasting. */
static void huge_sizes(void **state) {
    (void)state;
    tern_tensor *half = NULL, *keys = NULL, *y = NULL, *empty = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F16, TERN_SHAPE(1, 1, 2), &half));
    test_ok(tern_tensor_broadcast(half, TERN_SHAPE(1, 1LL << 59, 2), &keys));
    test_status(tern_attention(normal(TERN_SHAPE(1, 1, 2), 1), keys, keys, 1, &y), TERN_E_SHAPE);
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(1, 1, 0), &empty));
    test_status(tern_tensor_broadcast(empty, TERN_SHAPE(1LL << 40, 1LL << 40, 0), &y),
                TERN_E_SHAPE);
    assert_true(tern_tensor_pack_random(context, INT64_MAX, 4, 1, 1, &y) != TERN_OK);
    tern_tensor *table = NULL;
    test_ok(tern_rope_table(context, 4, 2, 10, &table));
    test_status(tern_rope(normal(TERN_SHAPE(1, 1, 2), 1), table, INT64_MAX, &y), TERN_E_ARGUMENT);
}

/* -- the same bits -----------------------------------------------------------------------------*/

/* A chain through most ops; its result at one level and thread count. */
static void chain_of_ops(const char *level, int threads, float *result) {
    tern_context *outer = context;
    tern_status status =
        tern_context_create(&(tern_options){.threads = threads, .cpu = level}, &context);
    test_ok(status);
    tern_scope_begin(context);
    tern_tensor *x = normal(TERN_SHAPE(33, 320), 30), *weight = NULL, *y = NULL, *keys = NULL;
    test_ok(tern_tensor_pack_random(context, 256, 320, 0.05f, 31, &weight));
    test_ok(tern_rms_norm(x, normal(TERN_SHAPE(320), 32), 1e-5f, &y));
    test_ok(tern_linear(y, weight, &y));
    test_ok(tern_silu(y, &y));
    test_ok(tern_tensor_reshape(y, TERN_SHAPE(33, 4, 64), &y));
    tern_tensor *table = NULL, *turned = NULL;
    test_ok(tern_rope_table(context, 40, 64, 10000, &table));
    test_ok(tern_rope(y, table, 3, &y));
    test_ok(tern_tensor_transpose(y, 0, 1, &turned));
    test_ok(tern_cast(turned, TERN_F16, &keys));
    test_ok(tern_attention(y, keys, keys, 0.125f, &y));
    test_ok(tern_matmul(y, normal(TERN_SHAPE(256, 100), 33), &y));
    test_ok(tern_softmax(y, -1, &y));
    memcpy(result, tern_tensor_data(y), 3300 * sizeof(float));
    tern_scope_end(context);
    tern_context_destroy(context);
    context = outer;
}

static void same_bits_everywhere(void **state) {
    (void)state;
    static float expected[3300], got[3300];
    chain_of_ops("scalar", 1, expected);
    const char *levels[] = {"scalar", "avx2", "avx512", "neon", "dotprod", NULL};
    for (int i = 0; i < 6; i++) {
        uint32_t features;
        if (tern__cpu_level(levels[i], &features) != TERN_OK) {
            printf("SKIPPED: level %s: %s\n", levels[i], tern_last_error());
            continue;
        }
        for (int threads = 1; threads <= 5; threads += 2) {
            chain_of_ops(levels[i], threads, got);
            test_same_floats(got, expected, 3300, levels[i] != NULL ? levels[i] : "native");
        }
    }
}

/* A failing allocation anywhere leaves nothing behind. */
static void memory_limit(void **state) {
    (void)state;
    for (size_t limit = 0; limit < 300000; limit += 997) {
        tern_context *small = NULL;
        test_ok(tern_context_create(&(tern_options){.threads = 1, .max_bytes = limit + 1}, &small));
        tern_tensor *a = NULL, *b = NULL, *c = NULL;
        tern_status status = tern_tensor_randn(small, TERN_F32, TERN_SHAPE(100, 200), 1, &a);
        if (status == TERN_OK)
            status = tern_tensor_pack_random(small, 300, 200, 1, 2, &b);
        if (status == TERN_OK)
            status = tern_linear(a, b, &c);
        assert_true(status == TERN_OK || status == TERN_E_LIMIT);
        tern_tensor_release(a);
        tern_tensor_release(b);
        tern_tensor_release(c);
        assert_int_equal(tern_context_memory(small).live_bytes, 0);
        tern_context_destroy(small);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(add_and_mul),
        TEST(large_elementwise),
        TEST(activations),
        TEST(norms),
        TEST(softmaxes),
        TEST(causal_rows_are_short),
        TEST(rope),
        TEST(casts_and_copies),
        TEST(contiguous),
        TEST(embedding),
        TEST(matmuls),
        TEST(linear_floats),
        TEST(ternary_linear),
        TEST(many_blocks),
        TEST(i2_s_rows_straddle),
        TEST(ternary_special_values),
        TEST(attention),
        TEST(types_are_refused),
        TEST(copies_over_themselves),
        TEST(huge_sizes),
        TEST(same_bits_everywhere),
        TEST(memory_limit),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
