/* SPDX-License-Identifier: MIT
 * Corners of the ops: memory that was used before, failures on another thread, operands with
 * strides where few have them, sizes beyond one block of a kernel, weights of another machine. */
#define FIXTURE_THREADS 4
#include "context_fixture.h"

#include <math.h>

#include <tern/ops.h>

#include "base/half.h"
#include "kernels/packed.h"
#include "tensor/op_table.h"

static const float *floats(const tern_tensor *t) {
    return tern_tensor_data(t);
}

static void same(const tern_tensor *got, const tern_tensor *expected, const char *what) {
    assert_int_equal(tern_tensor_count(got), tern_tensor_count(expected));
    test_same_floats(floats(got), floats(expected), tern_tensor_count(got), what);
}

/* -- ternary storage ---------------------------------------------------------------------------*/

static void put_half(uint8_t *to, float value) {
    uint16_t half = tern__f16_from_f32(value);
    memcpy(to, &half, sizeof half);
}

/* Random bytes that hold no code of 3; the scale of block b is first + b % 5 * step. */
static uint8_t *random_blocks(tern_dtype dtype, int64_t blocks, float first, float step) {
    size_t bytes = dtype == TERN_TQ1_0 ? 54 : 66;
    uint8_t *data = malloc((size_t)blocks * bytes);
    assert_non_null(data);
    test_random random = {.seed = 61};
    for (int64_t b = 0; b < blocks; b++) {
        uint8_t *block = data + (size_t)b * bytes;
        for (size_t i = 0; i < bytes; i++) {
            block[i] = (uint8_t)test_random_u32(&random);
            if (dtype == TERN_TQ2_0)
                block[i] &= (uint8_t) ~(block[i] << 1 & 0xaa);
        }
        put_half(block + bytes - 2, first + (float)(b % 5) * step);
    }
    return data;
}

static tern_tensor *borrow(tern_dtype dtype, tern_shape shape, const void *data) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_borrow(context, dtype, shape, data, &t));
    return t;
}

static tern_tensor *packed_product(tern_tensor *x, tern_tensor *weight) {
    tern_tensor *packed = NULL, *y = NULL;
    test_ok(tern_tensor_pack(weight, &packed));
    test_ok(tern_linear(x, packed, &y));
    return y;
}

/* Against the decoded weight in double; a row of x in steps of its largest magnitude / 127. */
static void check_product(tern_tensor *x, tern_tensor *weight, const tern_tensor *y) {
    tern_tensor *wide = NULL;
    int64_t rows = tern_tensor_dim(weight, 0), columns = tern_tensor_dim(weight, 1);
    test_ok(tern_cast(weight, TERN_F32, &wide));
    for (int64_t t = 0; t < tern_tensor_dim(x, 0); t++) {
        const float *row = floats(x) + t * columns;
        float most = 0;
        for (int64_t k = 0; k < columns; k++)
            most = fmaxf(most, fabsf(row[k]));
        float s = 127 / most;
        for (int64_t m = 0; m < rows; m++) {
            double sum = 0, size = 0;
            for (int64_t k = 0; k < columns; k++) {
                double part = (double)floats(wide)[m * columns + k] * rintf(row[k] * s) / s;
                sum += part;
                size += fabs(part);
            }
            if (!(fabs(floats(y)[t * rows + m] - sum) <= 1e-6 * size))
                fail_msg("(%lld, %lld): %g, expected %g", (long long)t, (long long)m,
                         (double)floats(y)[t * rows + m], sum);
        }
    }
}

/* More blocks than one round of decoding, more rows than one panel, two types. */
static void long_rows_of_blocks(void **state) {
    (void)state;
    enum { M = 37, BLOCKS = 70 };
    const tern_dtype types[] = {TERN_TQ1_0, TERN_TQ2_0};
    for (int i = 0; i < 2; i++) {
        uint8_t *data = random_blocks(types[i], M * BLOCKS, 0.25f, 0.125f);
        tern_tensor *weight = borrow(types[i], TERN_SHAPE(M, BLOCKS * 256), data);
        tern_tensor *x = normal(TERN_SHAPE(2, BLOCKS * 256), 62);
        check_product(x, weight, packed_product(x, weight));
        free(data);
    }
}

/* A first scale of 0 does not hide that all others are equal: one scale, exact sums. */
static void zero_scale_first(void **state) {
    (void)state;
    enum { M = 20, K = 512 };
    uint8_t *data = random_blocks(TERN_TQ2_0, M * 2, 0.3f, 0);
    put_half(data + 64, 0);
    tern_tensor *weight = borrow(TERN_TQ2_0, TERN_SHAPE(M, K), data), *wide = NULL;
    tern_tensor *x = normal(TERN_SHAPE(1, K), 63), *y = packed_product(x, weight);
    test_ok(tern_cast(weight, TERN_F32, &wide));
    float scale = tern__f32_from_f16(tern__f16_from_f32(0.3f)), most = 0;
    for (int k = 0; k < K; k++)
        most = fmaxf(most, fabsf(floats(x)[k]));
    float s = 127 / most;
    for (int m = 0; m < M; m++) {
        float sum = 0; /* of integers: exact */
        for (int k = 0; k < K; k++) {
            float trit = floats(wide)[m * K + k] / scale;
            sum += trit * rintf(floats(x)[k] * s);
        }
        float expected = sum * (scale / s);
        test_same_floats(&floats(y)[m], &expected, 1, "one scale");
    }
    free(data);
}

/* Fills the blocks that the context will hand out next with ones. */
static void dirty_memory(void) {
    enum { SIZES = 100 };
    tern_tensor *blocks[SIZES];
    int64_t bytes = 64;
    for (int i = 0; i < SIZES; i++, bytes += bytes / 8) {
        test_ok(tern_tensor_empty(context, TERN_U8, TERN_SHAPE(bytes), &blocks[i]));
        memset(tern_tensor_data(blocks[i]), 0xff, (size_t)bytes);
    }
    for (int i = 0; i < SIZES; i++)
        tern_tensor_release(blocks[i]);
}

/* Neither rows nor columns fill the panels: the padding must not depend on what was there. */
static void dirty_padding(void **state) {
    (void)state;
    enum { M = 36, K = 96 }; /* whole blocks of 128, no whole panels */
    uint8_t data[M * K / 4 + 32] = {0};
    test_random random = {.seed = 64};
    float scale = 0.5f;
    for (int i = 0; i < M * K / 4; i++) {
        data[i] = (uint8_t)test_random_u32(&random);
        data[i] &= (uint8_t) ~(data[i] << 1 & 0xaa);
    }
    memcpy(data + M * K / 4, &scale, sizeof scale);
    tern_tensor *x = normal(TERN_SHAPE(3, 100), 65), *cut = NULL, *y[4], *packed = NULL;
    test_ok(tern_tensor_slice(x, 1, 0, K, 1, &cut));
    test_ok(tern_contiguous(cut, &cut));
    uint8_t *blocks = random_blocks(TERN_TQ2_0, M, 0.25f, 0.125f);
    tern_tensor *i2_s = borrow(TERN_I2_S, TERN_SHAPE(M, K), data), *wide = NULL;
    tern_tensor *tq2_0 = borrow(TERN_TQ2_0, TERN_SHAPE(M, 256), blocks);
    tern_tensor *long_x = normal(TERN_SHAPE(3, 256), 66);
    for (int round = 0; round < 2; round++) {
        dirty_memory();
        check_product(cut, i2_s, packed_product(cut, i2_s));
        dirty_memory();
        check_product(long_x, tq2_0, packed_product(long_x, tq2_0));
    }
    test_ok(tern_cast(i2_s, TERN_F32, &wide));
    for (int threads = 1; threads <= 4; threads += 3) {
        tern_context *own = NULL, *outer = context;
        test_ok(tern_context_create(&(tern_options){.threads = threads}, &own));
        context = own;
        for (int dirty = 0; dirty < 2; dirty++) {
            if (dirty)
                dirty_memory();
            test_ok(tern_tensor_pack_random(context, M, 100, 0.5f, 67, &packed));
            test_ok(tern_linear(x, packed, &y[threads / 4 * 2 + dirty]));
            tern_tensor_release(packed);
        }
        context = outer;
        tern_context_destroy(own);
    }
    for (int i = 1; i < 4; i++)
        same(y[i], y[0], "random matrix in used memory");
    free(blocks);
}

/* Threads share neither codes nor scales. */
static void threads_pack_alike(void **state) {
    (void)state;
    enum { M = 3000, K = 512 };
    uint8_t *data = random_blocks(TERN_TQ1_0, M * 2, 0.25f, 0.125f);
    tern_tensor *weight = borrow(TERN_TQ1_0, TERN_SHAPE(M, K), data);
    tern_tensor *x = normal(TERN_SHAPE(1, K), 68), *first = packed_product(x, weight);
    check_product(x, weight, first);
    for (int round = 0; round < 20; round++) {
        tern_scope_begin(context);
        same(packed_product(x, weight), first, "packed by four threads");
        tern_scope_end(context);
    }
    free(data);
}

/* One bad row, found by any thread, is told to the caller's. */
static void threads_fail_packing(void **state) {
    (void)state;
    enum { M = 3000 };
    uint8_t *data = random_blocks(TERN_TQ2_0, M, 0.25f, 0);
    tern_tensor *weight = borrow(TERN_TQ2_0, TERN_SHAPE(M, 256), data), *packed = NULL;
    for (int round = 0; round < 60; round++) {
        int row = M - 1 - 49 * round;
        uint8_t *byte = data + row * 66 + 7, old = *byte;
        char detail[64];
        *byte |= 3;
        snprintf(detail, sizeof detail, "row %d has a tq2_0 code", row);
        size_t live = tern_context_memory(context).live_bytes;
        test_status(tern_tensor_pack(weight, &packed), TERN_E_FORMAT);
        assert_null(packed);
        assert_non_null(strstr(tern_last_error(), detail));
        assert_int_equal(tern_context_memory(context).live_bytes, live);
        *byte = old;
    }
    free(data);
}

static void wrong_weights(void **state) {
    (void)state;
    tern_context *scalar = NULL;
    tern_tensor *packed = NULL, *wide = NULL, *y = NULL, *x = normal(TERN_SHAPE(1, 64), 69);
    test_ok(tern_context_create(&(tern_options){.threads = 1, .cpu = "scalar"}, &scalar));
    test_ok(tern_tensor_pack_random(scalar, 32, 64, 1, 70, &packed));
    if (strstr(tern_context_describe(context), "ternary kernel scalar") == NULL) {
        test_status(tern_linear(x, packed, &y), TERN_E_ARGUMENT);
        assert_null(y);
    }
    tern_tensor_release(packed);
    tern_context_destroy(scalar);
    test_status(tern_tensor_pack_random(context, 1, tern__packings[TERN__PACKING_TRITS4].k_max + 1,
                                        1, 71, &packed),
                TERN_E_LIMIT);
    test_status(tern_tensor_pack_random(context, -1, 4, 1, 71, &packed), TERN_E_SHAPE);
    uint8_t *data = random_blocks(TERN_TQ2_0, 4, 0.25f, 0.5f);
    tern_tensor *line = borrow(TERN_TQ2_0, TERN_SHAPE(1024), data);
    test_status(tern_tensor_pack(line, &packed), TERN_E_SHAPE);
    test_status(tern_tensor_slice(line, 0, 0, 256, 1, &y), TERN_E_DTYPE);
    data[3 * 66 + 5] |= 3;
    test_status(tern_cast(line, TERN_F32, &wide), TERN_E_FORMAT);
    assert_null(wide);
    free(data);
}

/* -- float products ----------------------------------------------------------------------------*/

/* K beyond the depth that is packed at once, in types that are widened first. */
static void long_widened_products(void **state) {
    (void)state;
    enum { N = 70, K = 2080 };
    uint8_t *blocks = malloc(N * K / 32 * 34);
    assert_non_null(blocks);
    test_random random = {.seed = 72};
    for (int b = 0; b < N * K / 32; b++) {
        put_half(blocks + b * 34, 0.01f * (float)(1 + b % 9));
        for (int i = 0; i < 32; i++)
            blocks[b * 34 + 2 + i] = (uint8_t)test_random_u32(&random);
    }
    tern_tensor *x = normal(TERN_SHAPE(9, K), 73), *weights[2], *wide = NULL, *y = NULL, *z = NULL;
    weights[0] = borrow(TERN_Q8_0, TERN_SHAPE(N, K), blocks);
    test_ok(tern_cast(normal(TERN_SHAPE(N, K), 74), TERN_BF16, &weights[1]));
    for (int i = 0; i < 2; i++) {
        test_ok(tern_cast(weights[i], TERN_F32, &wide));
        test_ok(tern_linear(x, weights[i], &y));
        test_ok(tern_linear(x, wide, &z));
        same(y, z, "widened weights");
    }
    free(blocks);
}

/* One row times F16 columns: the fast way for contiguous operands only, with the same bits. */
static void single_rows(void **state) {
    (void)state;
    enum { N = 300, K = 130 };
    tern_tensor *twice = normal(TERN_SHAPE(1, 2 * K), 75), *a = NULL, *flat = NULL, *half = NULL;
    tern_tensor *b = NULL, *part = NULL, *copy = NULL, *y = NULL, *z = NULL;
    test_ok(tern_tensor_slice(twice, 1, 0, 2 * K, 2, &a));
    test_ok(tern_contiguous(a, &flat));
    test_ok(tern_cast(normal(TERN_SHAPE(N, 2 * K), 76), TERN_F16, &half));
    test_ok(tern_tensor_slice(half, 1, 3, 3 + K, 1, &part)); /* rows with a gap between them */
    test_ok(tern_tensor_transpose(part, 0, 1, &b));
    test_ok(tern_cast(b, TERN_F32, &copy)); /* (K, N), the plain way */
    test_ok(tern_matmul(flat, copy, &z));
    test_ok(tern_matmul(flat, b, &y));
    same(y, z, "one row");
    test_ok(tern_matmul(a, b, &y));
    same(y, z, "one row with strides");
    test_ok(tern_linear(a, part, &y));
    same(y, z, "linear of one row with strides");
}

/* Inputs that are no plain rows, of any rank, times packed and float weights. */
static void strided_inputs(void **state) {
    (void)state;
    enum { K = 96 };
    tern_tensor *x = normal(TERN_SHAPE(3, K, 4), 90), *turned = NULL, *flat = NULL;
    tern_tensor *weights[2] = {NULL, normal(TERN_SHAPE(20, K), 91)}, *y = NULL, *z = NULL;
    test_ok(tern_tensor_transpose(x, 1, 2, &turned)); /* (3, 4, K) */
    test_ok(tern_contiguous(turned, &flat));
    test_ok(tern_tensor_pack_random(context, 20, K, 0.5f, 92, &weights[0]));
    for (int i = 0; i < 2; i++) {
        test_ok(tern_linear(turned, weights[i], &y));
        test_ok(tern_linear(flat, weights[i], &z));
        assert_int_equal(tern_tensor_rank(y), 3);
        same(y, z, "an input with strides");
    }
    tern_tensor *column = NULL, *row = NULL; /* (1, K) with a step: a view may make rows of it */
    test_ok(tern_tensor_select(x, 2, 1, &column));
    test_ok(tern_tensor_slice(column, 0, 1, 2, 1, &column));
    test_ok(tern_contiguous(column, &row));
    for (int i = 0; i < 2; i++) {
        test_ok(tern_linear(column, weights[i], &y));
        test_ok(tern_linear(row, weights[i], &z));
        same(y, z, "one row with a step");
    }
}

/* -- attention ---------------------------------------------------------------------------------*/

/* Twelve heads on one: each must be what it is alone. Keys and values with strides of their own. */
static void wide_groups(void **state) {
    (void)state;
    const int64_t T = 3, H = 24, S = 40, K = 20;
    tern_tensor *q = normal(TERN_SHAPE(T, H, K), 77), *together = NULL;
    tern_tensor *keys = normal(TERN_SHAPE(2, S, K + 12), 78), *values = NULL, *turned = NULL;
    test_ok(tern_tensor_transpose(normal(TERN_SHAPE(S, 2, K), 79), 0, 1, &turned));
    test_ok(tern_tensor_slice(keys, 2, 4, 4 + K, 1, &keys));
    values = turned; /* heads of a position lie side by side */
    test_ok(tern_attention(q, keys, values, 0.3f, &together));
    for (int64_t h = 0; h < H; h++) {
        tern_tensor *one = NULL, *key = NULL, *value = NULL, *alone = NULL;
        test_ok(tern_tensor_slice(q, 1, h, h + 1, 1, &one));
        test_ok(tern_tensor_slice(keys, 0, h / 12, h / 12 + 1, 1, &key));
        test_ok(tern_tensor_slice(values, 0, h / 12, h / 12 + 1, 1, &value));
        test_ok(tern_contiguous(key, &key));
        test_ok(tern_contiguous(value, &value));
        test_ok(tern_attention(one, key, value, 0.3f, &alone));
        for (int64_t t = 0; t < T; t++)
            test_same_floats(floats(together) + (t * H + h) * K, floats(alone) + t * K, K, "head");
    }
}

static void wrong_attention(void **state) {
    (void)state;
    tern_tensor *q = normal(TERN_SHAPE(2, 6, 8), 80), *y = NULL, *turned = NULL;
    tern_tensor *kv = normal(TERN_SHAPE(3, 5, 8), 81);
    tern_tensor *four = normal(TERN_SHAPE(4, 5, 8), 82);
    test_status(tern_attention(q, four, four, 1, &y), TERN_E_SHAPE); /* 6 heads on 4 */
    const tern_shape others[] = {TERN_SHAPE(6, 5, 8), TERN_SHAPE(3, 6, 8), TERN_SHAPE(3, 5, 10),
                                 TERN_SHAPE(5, 8)};
    for (int i = 0; i < 4; i++)
        test_status(tern_attention(q, kv, normal(others[i], 83), 1, &y), TERN_E_SHAPE);
    test_ok(tern_tensor_transpose(normal(TERN_SHAPE(3, 8, 5), 84), 1, 2, &turned));
    test_status(tern_attention(q, kv, turned, 1, &y), TERN_E_SHAPE);
    test_status(tern_attention(q, turned, kv, 1, &y), TERN_E_SHAPE);
    test_status(tern_attention(q, normal(TERN_SHAPE(3, 1, 8), 1), kv, 1, &y), TERN_E_SHAPE);
    assert_null(y);
}

/* -- strides -----------------------------------------------------------------------------------*/

static void strided_lookups(void **state) {
    (void)state;
    const int32_t pairs[] = {3, 99, 0, -7, 4, 5};
    tern_tensor *table = normal(TERN_SHAPE(5, 40), 85), *both = NULL, *ids = NULL, *y = NULL;
    test_ok(tern_tensor_from_data(context, TERN_I32, TERN_SHAPE(3, 2), pairs, &both));
    test_ok(tern_tensor_select(both, 1, 0, &ids));
    tern_stats_reset(context);
    test_ok(tern_embedding(table, ids, &y));
    tern_op_stats stats; /* the rows read and written; the three ids are copied beside them */
    tern_stats_op(context, TERN__OP_EMBEDDING, &stats);
    assert_int_equal(stats.bytes[TERN_CLASS_MOVE], (2 * 3 * 40 + 2 * 3) * 4);
    for (int i = 0; i < 3; i++)
        test_same_floats(floats(y) + i * 40, floats(table) + pairs[2 * i] * 40, 40, "row");
    test_ok(tern_tensor_select(both, 1, 1, &ids));
    test_status(tern_embedding(table, ids, &y), TERN_E_ARGUMENT);
    test_ok(tern_tensor_slice(both, 0, 0, 3, 2, &ids)); /* 3, 99; 4, 5 */
    test_ok(tern_tensor_select(ids, 0, 1, &ids));
    test_status(tern_embedding(table, ids, &y), TERN_E_ARGUMENT); /* 5 of 0..4 */
    tern_tensor *rope = NULL, *wide = NULL;
    test_ok(tern_rope_table(context, 10, 8, 100, &rope));
    test_ok(tern_tensor_slice(rope, 0, 0, 10, 2, &wide));
    test_status(tern_rope(normal(TERN_SHAPE(2, 3, 8), 86), wide, 0, &y), TERN_E_ARGUMENT);
}

/* Enough elements for every thread, in one run with a step and in rows. */
static void threaded_strides(void **state) {
    (void)state;
    enum { N = 150000 };
    tern_tensor *pairs = normal(TERN_SHAPE(N, 2), 87), *column = NULL, *y = NULL, *part = NULL;
    test_ok(tern_tensor_select(pairs, 1, 1, &column));
    test_ok(tern_scale(column, 2, &y));
    for (int i = 0; i < N; i++)
        assert_true(floats(y)[i] == 2 * floats(pairs)[2 * i + 1]);
    const tern_dtype types[] = {TERN_F16, TERN_BF16};
    for (int i = 0; i < 2; i++) {
        tern_tensor *half = NULL, *wide = NULL;
        test_ok(tern_cast(pairs, types[i], &half));
        test_ok(tern_cast(half, TERN_F32, &wide));
        test_ok(tern_tensor_select(half, 1, 1, &part));
        test_ok(tern_cast(part, TERN_F32, &y));
        for (int j = 0; j < N; j++)
            assert_true(floats(y)[j] == floats(wide)[2 * j + 1]);
        test_ok(tern_tensor_zeros(context, types[i], TERN_SHAPE(N + 600, 2), &half));
        memset((uint16_t *)tern_tensor_data(half) + 2 * N, 0x3c, 2 * 1200);
        test_ok(tern_tensor_slice(half, 0, 0, N, 1, &part));
        test_ok(tern_tensor_select(part, 1, 0, &part));
        test_ok(tern_copy(y, part));
        test_ok(tern_cast(half, TERN_F32, &y));
        for (int j = 0; j < N; j++)
            assert_true(floats(y)[2 * j] == floats(wide)[2 * j + 1] && floats(y)[2 * j + 1] == 0);
        for (int j = 2 * N; j < 2 * N + 1200; j++)
            assert_true(floats(y)[j] > 0 && floats(y)[j] == floats(y)[2 * N + 1199]); /* behind */
    }
}

/* The results of a softmax in memory that was used before: 0 where nothing exists. */
/* I32 has more digits than F32: a step through that would round numbers beside a tie twice. */
static void wholes_become_halves(void **state) {
    (void)state;
    static const int32_t wholes[] = {(1 << 30) + (1 << 22),          (1 << 30) + (1 << 22) + 1,
                                     (1 << 30) + 3 * (1 << 22) - 1,  -(1 << 30) - (1 << 22) - 1,
                                     -(1 << 30) - 3 * (1 << 22) + 1, INT32_MAX};
    static const float expected[] = {0x1p30f,     0x1.02p30f,  0x1.02p30f,
                                     -0x1.02p30f, -0x1.02p30f, 0x1p31f};
    tern_tensor *x = borrow(TERN_I32, TERN_SHAPE(6), wholes), *half = NULL, *y = NULL;
    test_ok(tern_cast(x, TERN_BF16, &half));
    test_ok(tern_cast(half, TERN_F32, &y));
    test_same_floats(floats(y), expected, 6, "bf16 of i32");
}

static void dirty_causal_softmax(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(50, 50), 88), *y = NULL;
    dirty_memory();
    test_ok(tern_softmax_causal(x, &y));
    for (int t = 0; t < 50; t++)
        for (int s = t + 1; s < 50; s++)
            assert_true(floats(y)[t * 50 + s] == 0);
}

/* -- contexts ----------------------------------------------------------------------------------*/

/* A result lives in the context of what is computed on, never in that of a shared weight. */
static void results_of_two_contexts(void **state) {
    (void)state;
    const int32_t id = 1;
    tern_context *own = NULL;
    tern_tensor *ids = NULL, *x = NULL, *y = NULL, *packed = NULL,
                *one = normal(TERN_SHAPE(64), 93);
    tern_tensor *table = normal(TERN_SHAPE(3, 64), 94);
    test_ok(tern_tensor_pack_random(context, 8, 64, 1, 95, &packed));
    int64_t before = tern_context_memory(context).live_tensors;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &own));
    tern_scope_begin(own);
    test_ok(tern_tensor_borrow(own, TERN_I32, TERN_SHAPE(1), &id, &ids));
    test_ok(tern_embedding(table, ids, &x));
    test_ok(tern_rms_norm(x, one, 1e-5f, &y));
    test_ok(tern_linear(y, packed, &y));
    test_ok(tern_linear(x, table, &y));
    assert_int_equal(tern_context_memory(context).live_tensors, before);
    assert_int_equal(tern_context_memory(own).live_tensors, 5);
    tern_scope_end(own);
    assert_int_equal(tern_context_memory(own).live_tensors, 0);
    tern_context_destroy(own);
}

/* Outside scopes an operation leaves its result and nothing else, also when it had to copy operands
 * or to look at them as matrices. */
static void nothing_besides_the_result(void **state) {
    (void)state;
    tern_context *own = NULL;
    tern_tensor *in[6] = {NULL}, *y[6] = {NULL};
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &own));
    test_ok(tern_tensor_randn(own, TERN_F32, TERN_SHAPE(6, 5, 4), 96, &in[0]));
    test_ok(tern_tensor_transpose(in[0], 0, 2, &in[1])); /* (4, 5, 6), strided */
    test_ok(tern_tensor_randn(own, TERN_F32, TERN_SHAPE(3, 6), 97, &in[2]));
    test_ok(tern_tensor_select(in[0], 2, 1, &in[3])); /* (6, 5), strided */
    test_ok(tern_tensor_select(in[3], 1, 2, &in[4])); /* (6), strided */
    test_ok(tern_rope_table(own, 9, 6, 10000, &in[5]));
    test_ok(tern_linear(in[1], in[2], &y[0]));
    test_ok(tern_linear(in[4], in[2], &y[1]));
    test_ok(tern_rms_norm(in[1], in[4], 1e-5f, &y[2]));
    test_ok(tern_softmax(in[1], -1, &y[3]));
    test_ok(tern_rope(in[1], in[5], 0, &y[4]));
    test_ok(tern_contiguous(in[1], &y[5]));
    assert_int_equal(tern_context_memory(own).live_tensors, 12);
    for (int i = 0; i < 6; i++) {
        tern_tensor_release(in[i]);
        tern_tensor_release(y[i]);
    }
    assert_int_equal(tern_context_memory(own).live_bytes, 0);
    tern_context_destroy(own);
}

static void levels_from_environment(void **state) {
    (void)state;
    char old[64] = "";
    tern_context *own = NULL;
    if (getenv("TERN_CPU") != NULL)
        snprintf(old, sizeof old, "%s", getenv("TERN_CPU"));
    setenv("TERN_CPU", "scalar", 1);
    test_ok(tern_context_create(NULL, &own));
    assert_non_null(strstr(tern_context_describe(own), "ternary kernel scalar"));
    tern_context_destroy(own);
    setenv("TERN_CPU", "no such level", 1);
    test_status(tern_context_create(NULL, &own), TERN_E_ARGUMENT);
    test_ok(tern_context_create(&(tern_options){.threads = 3, .cpu = "scalar"}, &own));
    assert_int_equal(tern_context_threads(own), 3);
    assert_non_null(strstr(tern_context_describe(own), "3 threads"));
    tern_context_destroy(own);
    if (old[0] != '\0')
        setenv("TERN_CPU", old, 1);
    else
        unsetenv("TERN_CPU");
    test_status(tern_context_create(&(tern_options){.threads = 1 << 20}, &own), TERN_E_ARGUMENT);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(long_rows_of_blocks),
        TEST(zero_scale_first),
        TEST(dirty_padding),
        TEST(threads_pack_alike),
        TEST(threads_fail_packing),
        TEST(wrong_weights),
        TEST(long_widened_products),
        TEST(single_rows),
        TEST(wide_groups),
        TEST(wrong_attention),
        TEST(strided_lookups),
        TEST(threaded_strides),
        TEST(dirty_causal_softmax),
        TEST(wholes_become_halves),
        TEST(strided_inputs),
        TEST(results_of_two_contexts),
        TEST(levels_from_environment),
        TEST(nothing_besides_the_result),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
