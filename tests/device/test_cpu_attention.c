/* SPDX-License-Identifier: MIT
 * How attention is cut may not change a bit: threads, kernel levels, query positions that share
 * keys, and the three steps of few queries over many positions. */
#define FIXTURE_THREADS 3
#include "context_fixture.h"

#include "ops/op_values.h"

typedef struct sizes {
    int64_t queries, heads, kv_heads, positions, head_size;
} sizes;

static const sizes shapes[] = {
    {1, 4, 2, 4100, 20}, {1, 20, 5, 700, 128}, {2, 6, 1, 300, 48}, {3, 4, 4, 4097, 8},
    {9, 6, 3, 257, 33},  {70, 8, 2, 150, 64},  {33, 5, 5, 33, 17}, {8, 40, 1, 64, 32},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, TYPES = 3 };

typedef struct operands {
    tern_tensor *q, *keys, *values, *scales;
} operands;

/* Keys and values as a session has them: (S, H_kv, K), seen by heads. */
static tern_tensor *cached(const sizes *s, tern_dtype type, uint64_t seed, tern_tensor *scales) {
    tern_tensor *x = normal(TERN_SHAPE(s->positions, s->kv_heads, s->head_size), seed), *rows;
    if (type == TERN_I8) {
        test_ok(tern_quantize_scale_into(x, turned(scales, 0, 1)));
        test_ok(tern_quantize(x, turned(scales, 0, 1), &rows));
    } else {
        test_ok(tern_cast(x, type, &rows));
    }
    return turned(rows, 0, 1);
}

static operands make_operands(const sizes *s, int type) {
    static const tern_dtype types[TYPES] = {TERN_F32, TERN_F16, TERN_I8};
    operands o = {.q = normal(TERN_SHAPE(s->queries, s->heads, s->head_size), 41)};
    tern_tensor *of_keys, *of_values;
    test_ok(
        tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(2, s->kv_heads, s->positions), &o.scales));
    test_ok(tern_tensor_select(o.scales, 0, 0, &of_keys));
    test_ok(tern_tensor_select(o.scales, 0, 1, &of_values));
    o.keys = cached(s, types[type], 42, of_keys);
    o.values = cached(s, types[type], 43, of_values);
    return o;
}

static tern_tensor *attend(const operands *o, tern_tensor *q, int64_t seen) {
    tern_tensor *keys, *values, *scales, *y;
    test_ok(tern_tensor_slice(o->keys, 1, 0, seen, 1, &keys));
    test_ok(tern_tensor_slice(o->values, 1, 0, seen, 1, &values));
    test_ok(tern_tensor_slice(o->scales, 2, 0, seen, 1, &scales));
    if (tern_tensor_dtype(keys) == TERN_I8)
        test_ok(tern_attention_int8(q, keys, values, scales, 0.25, &y));
    else
        test_ok(tern_attention(q, keys, values, 0.25, &y));
    return y;
}

static size_t all_shapes(uint8_t *results) {
    size_t bytes = 0;
    for (int i = 0; i < SHAPES; i++)
        for (int type = 0; type < TYPES; type++) {
            operands o = make_operands(&shapes[i], type);
            bytes += put_result(results + bytes, attend(&o, o.q, shapes[i].positions));
        }
    return bytes;
}

static void levels_and_threads(void **state) {
    (void)state;
    check_everywhere(all_shapes, 1 << 20);
}

/* Together, and each query with the positions that it sees. */
static void queries_one_by_one(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++)
        for (int type = 0; type < TYPES; type++) {
            const sizes *s = &shapes[i];
            operands o = make_operands(s, type);
            tern_tensor *all = attend(&o, o.q, s->positions);
            for (int64_t t = 0; t < s->queries; t++) {
                tern_tensor *q, *row;
                test_ok(tern_tensor_slice(o.q, 0, t, t + 1, 1, &q));
                test_ok(tern_tensor_slice(all, 0, t, t + 1, 1, &row));
                check_same_bits(attend(&o, q, s->positions - s->queries + t + 1), row, "a query");
            }
        }
}

/* Scales of other sizes, ranks and strides than those of the rows. */
static void wrong_scales(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(2, 4, 8), 44), *q = normal(TERN_SHAPE(1, 2, 8), 45), *y;
    tern_tensor *scales, *rows, *few;
    test_ok(tern_quantize_scale(x, &scales));
    test_ok(tern_quantize(x, scales, &rows));
    test_ok(tern_tensor_select(scales, 1, 0, &few));
    test_status(tern_quantize(x, few, &y), TERN_E_SHAPE);
    tern_tensor *const wrong[] = {turned(normal(TERN_SHAPE(2, 4, 2), 46), 1, 2),
                                  normal(TERN_SHAPE(2, 2, 5), 47), normal(TERN_SHAPE(3, 2, 4), 48),
                                  normal(TERN_SHAPE(2, 4), 49)};
    for (int i = 0; i < 4; i++)
        test_status(tern_attention_int8(q, rows, rows, wrong[i], 1, &y), TERN_E_SHAPE);
    test_ok(tern_attention_int8(q, rows, rows, normal(TERN_SHAPE(2, 2, 4), 50), 1, &y));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {TEST(levels_and_threads), TEST(queries_one_by_one),
                                       TEST(wrong_scales)};
    return cmocka_run_group_tests(tests, open_context, close_context);
}
