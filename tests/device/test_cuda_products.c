/* SPDX-License-Identifier: MIT
 * The kernels of the CUDA plug-in for products, attention and output heads, in the emulation: the
 * CPU's bits, whatever the shapes and strides. */
#include "cuda_pairs.h"

static pair_contexts contexts;

static int open_contexts(void **state) {
    (void)state;
    pair_open(&contexts);
    return 0;
}

static int close_contexts(void **state) {
    (void)state;
    pair_close(&contexts);
    return 0;
}

/* -- products ----------------------------------------------------------------------------------*/

typedef enum layout { PLAIN, TURNED, FLIPPED, SPACED, LAYOUTS } layout;

/* The last two axes of a pair of (..., rows, columns): TURNED is made of (..., columns, rows). */
static pair laid_out(pair p, layout way) {
    pair to;
    for (int i = 0; i < 2; i++) {
        tern_tensor *x = p.of[i];
        int rank = tern_tensor_rank(x);
        if (way == TURNED && rank > 1)
            test_ok(tern_tensor_transpose(x, -1, -2, &to.of[i]));
        else if (way == FLIPPED)
            test_ok(tern_tensor_flip(x, TERN_AXES(-1), &to.of[i]));
        else if (way == SPACED)
            test_ok(tern_tensor_slice(x, -1, 0, tern_tensor_dim(x, -1), 2, &to.of[i]));
        else
            to.of[i] = tern_tensor_retain(x);
    }
    pair_drop(p);
    return to;
}

/* (rows, columns) by a layout, in a batch of `batch` unless that is 0. */
static pair matrix(tern_dtype dtype, int64_t batch, int64_t rows, int64_t columns, layout way,
                   test_random *random, int special) {
    tern_shape shape = {.rank = batch > 0 ? 3 : 2, .dims = {batch, rows, columns}};
    int64_t *last = &shape.dims[shape.rank - 2];
    last[0] = way == TURNED ? columns : rows;
    last[1] = way == TURNED ? rows : way == SPACED ? 2 * columns : columns;
    return laid_out(pair_numbers(&contexts, dtype, shape, random, special), way);
}

typedef struct product_case {
    tern_dtype a, b;
    int64_t batch_a, batch_b, m, n, k;
    layout way_a, way_b;
    int special;
} product_case;

static void run_product(const product_case *c, int index, test_random *random) {
    char what[100];
    snprintf(what, sizeof what, "product %d of (%lld, %lld) (%lld, %lld)", index, (long long)c->m,
             (long long)c->k, (long long)c->k, (long long)c->n);
    pair a = matrix(c->a, c->batch_a, c->m, c->k, c->way_a, random, c->special);
    pair b = matrix(c->b, c->batch_b, c->k, c->n, c->way_b, random, c->special);
    pair out;
    for (int i = 0; i < 2; i++)
        test_ok(tern_matmul(a.of[i], b.of[i], &out.of[i]));
    pair_check(out, what);
    pair_drop(a);
    pair_drop(b);
}

static void test_matmul(void **state) {
    (void)state;
    static const product_case cases[] = {
        {TERN_F32, TERN_F32, 0, 0, 129, 131, 37, PLAIN, PLAIN, 0},
        {TERN_F32, TERN_F16, 0, 0, 385, 300, 11, PLAIN, TURNED, 0},
        {TERN_F32, TERN_F32, 0, 0, 128, 256, 16, PLAIN, TURNED, 0},
        {TERN_F32, TERN_F32, 0, 0, 17, 200, 70, TURNED, TURNED, 60},
        {TERN_F32, TERN_F32, 0, 0, 40, 33, 9, FLIPPED, SPACED, 0},
        {TERN_F32, TERN_F32, 3, 0, 20, 18, 11, PLAIN, PLAIN, 0},
        {TERN_F32, TERN_F32, 0, 4, 20, 18, 5, PLAIN, FLIPPED, 0},
        {TERN_F32, TERN_F32, 2, 2, 1, 70, 65, PLAIN, PLAIN, 0},
        {TERN_F32, TERN_F32, 0, 0, 1, 300, 96, PLAIN, TURNED, 0},
        {TERN_F32, TERN_F32, 0, 0, 200, 3, 100, PLAIN, PLAIN, 40},
        {TERN_F32, TERN_F32, 0, 0, 200, 2, 104, PLAIN, TURNED, 40},
        {TERN_F32, TERN_F32, 0, 0, 5, 7, 0, PLAIN, PLAIN, 0},
        {TERN_F16, TERN_F32, 0, 0, 33, 140, 24, PLAIN, PLAIN, 80},
        {TERN_F16, TERN_F16, 0, 0, 33, 140, 24, PLAIN, TURNED, 80},
        {TERN_BF16, TERN_F16, 0, 0, 33, 20, 24, TURNED, PLAIN, 80},
        {TERN_BF16, TERN_BF16, 0, 0, 4, 150, 24, PLAIN, TURNED, 80},
        {TERN_F64, TERN_F64, 0, 0, 65, 70, 19, PLAIN, PLAIN, 50},
        {TERN_F64, TERN_F64, 2, 1, 3, 70, 19, TURNED, SPACED, 50},
        {TERN_I8, TERN_I8, 0, 0, 65, 70, 33, PLAIN, PLAIN, 0},
        {TERN_I8, TERN_I8, 0, 0, 66, 64, 40, TURNED, TURNED, 0},
        {TERN_I8, TERN_I8, 0, 0, 131, 150, 80, PLAIN, TURNED, 0},
        {TERN_I8, TERN_I8, 3, 0, 17, 129, 208, PLAIN, TURNED, 0},
        {TERN_I8, TERN_I8, 2, 2, 20, 16, 16, PLAIN, TURNED, 0},
        {TERN_I8, TERN_I8, 0, 0, 2, 64, 200, PLAIN, TURNED, 0},
    };
    test_random random = {.seed = 11};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_product(&cases[i], (int)i, &random);
    assert_int_equal(pair_calls(&contexts, "matmul", false), 0);
}

/* A GPU whose tensor cores have no such operation. */
static void test_without_tensor_cores(void **state) {
    (void)state;
    static const product_case wide = {TERN_I8, TERN_I8, 0, 0, 131, 150, 80, PLAIN, TURNED, 0};
    test_random random = {.seed = 12};
    tern_context *usual = contexts.of[1];
    setenv("TERN_EMULATION_SM", "75", 1);
    test_ok(
        tern_context_create(&(tern_options){.threads = 1, .device = "cudaemu"}, &contexts.of[1]));
    unsetenv("TERN_EMULATION_SM");
    run_product(&wide, 0, &random);
    assert_int_equal(pair_calls(&contexts, "matmul", false), 0);
    tern_context_destroy(contexts.of[1]);
    contexts.of[1] = usual;
}

/* Products so small that a chain ends at -0, which one step too many would turn into +0. */
static void test_underflow(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{20, 20, 9}, {1, 20, 9}, {1, 130, 24}, {130, 130, 3}};
    for (int i = 0; i < 4; i++) {
        tern_shape of_a = {2, {sizes[i][0], sizes[i][2]}}, of_b = {2, {sizes[i][2], sizes[i][1]}};
        pair out;
        for (int j = 0; j < 2; j++) {
            tern_tensor *a, *b;
            test_ok(tern_tensor_full(contexts.of[j], TERN_F32, of_a, 1e-30, &a));
            test_ok(tern_tensor_full(contexts.of[j], TERN_F32, of_b, -1e-30, &b));
            test_ok(tern_matmul(a, b, &out.of[j]));
            tern_tensor_release(b);
            tern_tensor_release(a);
        }
        const float *first = tern_tensor_data(out.of[0]);
        assert_true(*first == 0 && signbit(*first));
        pair_check(out, "underflow");
    }
}

/* Vectors on either side, and a result with strides of its own. */
static void test_matmul_shapes(void **state) {
    (void)state;
    test_random random = {.seed = 12};
    pair a = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(3, 50, 24), &random, 0);
    pair x = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(24), &random, 0);
    pair y = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(50), &random, 0);
    pair room = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(50, 3, 50), &random, 0);
    pair out[3];
    for (int i = 0; i < 2; i++) {
        tern_tensor *turned, *to;
        test_ok(tern_matmul(a.of[i], x.of[i], &out[0].of[i]));
        test_ok(tern_matmul(y.of[i], a.of[i], &out[1].of[i]));
        test_ok(tern_tensor_transpose(a.of[i], 1, 2, &turned));
        test_ok(tern_tensor_transpose(room.of[i], 0, 1, &to));
        test_ok(tern_matmul_into(a.of[i], turned, to));
        tern_tensor_release(to);
        tern_tensor_release(turned);
        out[2].of[i] = room.of[i];
    }
    for (int i = 0; i < 3; i++)
        pair_check(out[i], "vectors and strides");
    pair_drop(y);
    pair_drop(x);
    pair_drop(a);
    assert_int_equal(pair_calls(&contexts, "matmul", false), 0);
}

/* A table of Q8_0 (n, k): random scales, numbers of all kinds. */
static pair table_q8_0(int64_t n, int64_t k, test_random *random) {
    size_t blocks = (size_t)(n * k / 32);
    uint8_t *data = malloc(blocks * 34);
    for (size_t i = 0; i < blocks; i++) {
        data[34 * i] = (uint8_t)test_random_u32(random);
        data[34 * i + 1] = (uint8_t)(0x20 + (test_random_u32(random) & 0x9f));
        for (int j = 2; j < 34; j++)
            data[34 * i + (size_t)j] = (uint8_t)test_random_u32(random);
    }
    tern_tensor *x;
    test_ok(tern_tensor_from_data(contexts.of[0], TERN_Q8_0, TERN_SHAPE(n, k), data, &x));
    free(data);
    return pair_of(&contexts, x);
}

static void test_linear(void **state) {
    (void)state;
    static const struct {
        tern_dtype dtype;
        int64_t rows, n, k;
        int special;
    } cases[] = {
        {TERN_F16, 1, 130, 72, 0},    {TERN_F16, 1, 515, 256, 200}, {TERN_F16, 16, 128, 136, 0},
        {TERN_F16, 3, 300, 64, 0},    {TERN_F16, 20, 150, 40, 0},   {TERN_F16, 2, 140, 33, 0},
        {TERN_BF16, 1, 200, 136, 50}, {TERN_BF16, 7, 129, 16, 0},   {TERN_F32, 1, 257, 104, 0},
        {TERN_F32, 5, 128, 32, 30},   {TERN_F32, 40, 20, 33, 0},    {TERN_Q8_0, 1, 140, 64, 0},
        {TERN_Q8_0, 18, 40, 96, 0},
    };
    test_random random = {.seed = 13};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t n = cases[i].n, k = cases[i].k;
        pair x = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(1, cases[i].rows, k), &random,
                              cases[i].special);
        pair table = cases[i].dtype == TERN_Q8_0
                         ? table_q8_0(n, k, &random)
                         : pair_numbers(&contexts, cases[i].dtype, TERN_SHAPE(n, k), &random, 0);
        pair out;
        for (int j = 0; j < 2; j++)
            test_ok(tern_linear(x.of[j], table.of[j], &out.of[j]));
        char what[60];
        snprintf(what, sizeof what, "linear %d", (int)i);
        pair_check(out, what);
        pair_drop(table);
        pair_drop(x);
    }
    assert_int_equal(pair_calls(&contexts, "linear", false), 0);
}

/* -- the output head ---------------------------------------------------------------------------*/

static void run_head(int64_t rows, int64_t n, int64_t k, int64_t best, bool has_ties) {
    test_random random = {.seed = 14};
    pair x = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(rows, k), &random, 0);
    tern_tensor *table, *few;
    test_ok(tern_tensor_randn(contexts.of[0], TERN_F16, TERN_SHAPE(has_ties ? 1 : n, k), 3, &few));
    test_ok(tern_tensor_broadcast(few, TERN_SHAPE(n, k), &table));
    tern_tensor_release(few);
    test_ok(tern_clone(table, &few));
    tern_tensor_release(table);
    pair head = pair_of(&contexts, few), values, indices;
    for (int i = 0; i < 2; i++)
        test_ok(tern_linear_topk(x.of[i], head.of[i], NULL, best, &values.of[i], &indices.of[i]));
    pair_check(values, "largest logits");
    pair_check(indices, "their places");
    pair_drop(head);
    pair_drop(x);
}

static void test_linear_topk(void **state) {
    (void)state;
    run_head(1, 5000, 16, 1, false);
    run_head(1, 4100, 16, 40, true);
    run_head(2, 3000, 24, 1000, false);
    run_head(18, 200, 16, 200, false);
    assert_int_equal(pair_calls(&contexts, "linear_topk", false), 0);
}

/* -- attention ---------------------------------------------------------------------------------*/

typedef struct attention_case {
    tern_dtype type;
    int64_t queries, heads, kv_heads, seen, size;
    bool is_cache; /* keys and values are parts of a longer cache (S, H, K) */
    int special;
} attention_case;

/* (H, S, K), of a cache as a session has it where asked for. */
static pair kept_rows(const attention_case *c, test_random *random) {
    if (!c->is_cache)
        return pair_numbers(&contexts, c->type, TERN_SHAPE(c->kv_heads, c->seen, c->size), random,
                            c->special);
    tern_shape shape = {3, {c->seen + 3, c->kv_heads, c->size}};
    pair all = pair_numbers(&contexts, c->type, shape, random, c->special), to;
    for (int i = 0; i < 2; i++) {
        tern_tensor *part;
        test_ok(tern_tensor_slice(all.of[i], 0, 0, c->seen, 1, &part));
        test_ok(tern_tensor_transpose(part, 0, 1, &to.of[i]));
        tern_tensor_release(part);
    }
    pair_drop(all);
    return to;
}

static void run_attention(const attention_case *c, int index, test_random *random) {
    tern_shape shape = {3, {c->queries, c->heads, c->size}};
    pair q = pair_numbers(&contexts, TERN_F32, shape, random, c->special);
    pair keys = kept_rows(c, random), values = kept_rows(c, random), out;
    shape = (tern_shape){3, {2, c->kv_heads, c->seen}};
    pair scales = pair_numbers(&contexts, TERN_F32, shape, random, c->special);
    for (int i = 0; i < 2; i++) {
        if (c->type == TERN_I8)
            test_ok(tern_attention_int8(q.of[i], keys.of[i], values.of[i], scales.of[i], 0.01,
                                        &out.of[i]));
        else
            test_ok(tern_attention(q.of[i], keys.of[i], values.of[i], 0.125, &out.of[i]));
    }
    char what[60];
    snprintf(what, sizeof what, "attention %d", index);
    pair_check(out, what);
    pair all[] = {q, keys, values, scales};
    for (int i = 0; i < 4; i++)
        pair_drop(all[i]);
}

static void test_attention(void **state) {
    (void)state;
    static const attention_case cases[] = {
        {TERN_F32, 1, 1, 1, 1, 16, false, 0},    {TERN_F32, 1, 4, 1, 70, 64, true, 0},
        {TERN_F32, 1, 6, 2, 600, 80, true, 0},   {TERN_F32, 1, 2, 2, 4200, 32, true, 0},
        {TERN_F32, 3, 10, 2, 130, 128, true, 0}, {TERN_F32, 40, 4, 2, 40, 32, true, 0},
        {TERN_F32, 35, 8, 2, 100, 64, true, 0},  {TERN_F32, 5, 3, 1, 20, 22, false, 0},
        {TERN_F32, 2, 2, 1, 33, 200, true, 0},   {TERN_F32, 4, 4, 2, 50, 32, true, 400},
        {TERN_F32, 40, 4, 2, 70, 32, true, 900}, {TERN_F16, 1, 5, 1, 300, 128, true, 0},
        {TERN_F16, 33, 4, 2, 90, 64, true, 0},   {TERN_F16, 2, 3, 3, 65, 21, false, 300},
        {TERN_I8, 1, 4, 2, 200, 64, true, 0},    {TERN_I8, 37, 4, 2, 80, 32, true, 0},
        {TERN_I8, 3, 4, 2, 80, 18, true, 0},     {TERN_F32, 70, 3, 3, 200, 16, true, 0},
        {TERN_F32, 40, 64, 32, 45, 16, true, 0},
    };
    test_random random = {.seed = 15};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_attention(&cases[i], (int)i, &random);
    assert_int_equal(pair_calls(&contexts, "attention", false), 0);
    assert_int_equal(pair_calls(&contexts, "attention_int8", false), 0);
}

/* Positions behind what a query sees have no part in its result, whatever they hold. */
static void test_what_is_not_seen(void **state) {
    (void)state;
    static const int64_t queries[] = {3, 40};
    enum { HEADS = 2, SEEN = 64, SIZE = 16 };
    test_random random = {.seed = 19};
    for (int round = 0; round < 2; round++) {
        tern_shape shape = {3, {queries[round], 2 * HEADS, SIZE}};
        pair q = pair_numbers(&contexts, TERN_F32, shape, &random, 0);
        pair keys = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(HEADS, SEEN, SIZE), &random, 0);
        tern_tensor *x;
        test_ok(tern_tensor_ones(contexts.of[0], TERN_F32, TERN_SHAPE(HEADS, SEEN, SIZE), &x));
        float *data = tern_tensor_data(x);
        const int first = round == 0 ? SEEN - 1 : 44;
        for (int i = 0; i < HEADS * SEEN * SIZE; i++)
            data[i] = i / SIZE % SEEN < first ? 1 : INFINITY;
        pair values = pair_of(&contexts, x), out;
        for (int i = 0; i < 2; i++)
            test_ok(tern_attention(q.of[i], keys.of[i], values.of[i], 0.25, &out.of[i]));
        pair_check(out, "behind what is seen");
        pair_drop(values);
        pair_drop(keys);
        pair_drop(q);
    }
    assert_int_equal(pair_calls(&contexts, "attention", false), 0);
}

/* Rows that begin at odd places, and that are longer than what is read of them. */
static void test_parts_of_rows(void **state) {
    (void)state;
    static const tern_dtype types[] = {TERN_F32, TERN_F16};
    static const int64_t columns[][3] = {{1, 17, 24}, {0, 20, 24}, {0, 16, 18}}; /* of so many */
    test_random random = {.seed = 20};
    for (int round = 0; round < 6; round++) {
        const int64_t *part = columns[round / 2], k = part[1] - part[0];
        tern_shape shape = {3, {2, 200, part[2]}};
        pair wide = pair_numbers(&contexts, types[round % 2], shape, &random, 0), out, mixed;
        pair x = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(2, k), &random, 0);
        pair q = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(3, 4, k), &random, 0);
        for (int i = 0; i < 2; i++) {
            tern_tensor *rows, *table;
            test_ok(tern_tensor_slice(wide.of[i], 2, part[0], part[1], 1, &rows));
            test_ok(tern_tensor_select(rows, 0, 1, &table));
            test_ok(tern_attention(q.of[i], rows, rows, 0.25, &mixed.of[i]));
            tern_tensor_release(rows);
            test_ok(tern_tensor_transpose(table, 0, 1, &rows));
            test_ok(tern_matmul(x.of[i], rows, &out.of[i]));
            tern_tensor_release(rows);
            tern_tensor_release(table);
        }
        pair_check(out, "parts of rows");
        pair_check(mixed, "parts of rows, mixed");
        pair_drop(q);
        pair_drop(x);
        pair_drop(wide);
    }
}

static void test_rope(void **state) {
    (void)state;
    test_random random = {.seed = 16};
    tern_tensor *table;
    test_ok(tern_rope_table(contexts.of[0], 40, 22, 1e4, &table));
    pair angles = pair_of(&contexts, table), out;
    pair x = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(7, 5, 22), &random, 100);
    for (int i = 0; i < 2; i++)
        test_ok(tern_rope(x.of[i], angles.of[i], 33, &out.of[i]));
    pair_check(out, "rope");
    pair_drop(x);
    pair_drop(angles);
    assert_int_equal(pair_calls(&contexts, "rope", false), 0);
}

/* Many operations before anything is read: graphs of launches, scratch memory that grows while one
 * is collected, and the same again with other operations at the same places. */
static void test_graphs(void **state) {
    (void)state;
    test_random random = {.seed = 17};
    static const int64_t seen[] = {40, 1100, 300};
    pair w = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(48, 48), &random, 0), ids;
    for (int i = 0; i < 2; i++)
        test_ok(tern_tensor_arange(contexts.of[i], TERN_I64, -5, 5, 1, &ids.of[i]));
    for (int round = 0; round < 3; round++) {
        tern_shape cache = {3, {8, seen[round], 16}};
        pair x = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(30, 48), &random, 0);
        pair q = pair_numbers(&contexts, TERN_F32, TERN_SHAPE(40, 8, 16), &random, 0);
        pair keys = pair_numbers(&contexts, TERN_F32, cache, &random, 0), mixed, rows;
        for (int i = 0; i < 2; i++) {
            tern_tensor *large;
            test_ok(tern_tensor_empty(contexts.of[i], TERN_F32, TERN_SHAPE(24 << 20), &large));
            for (int step = 0; step < 45; step++) {
                tern_tensor *next;
                if (step % (20 + round) == 0)
                    test_ok(tern_scale(x.of[i], 0.25, &next));
                else
                    test_ok(tern_matmul(x.of[i], w.of[i], &next));
                tern_tensor_release(x.of[i]);
                test_ok(tern_scale(next, 0.125, &x.of[i]));
                tern_tensor_release(next);
                if (step == 25)
                    test_ok(tern_attention(q.of[i], keys.of[i], keys.of[i], 0.25, &mixed.of[i]));
                if (step == 30) /* which looks at the ids */
                    test_ok(tern_index_select(x.of[i], 0, ids.of[i], &rows.of[i]));
                if (step != 40)
                    continue;
                tern_tensor_release(large); /* pages go back meanwhile */
                tern_memory_trim(contexts.of[i]);
            }
        }
        pair_check(x, "a long program");
        pair_check(mixed, "its attention");
        pair_check(rows, "its rows");
        pair_drop(keys);
        pair_drop(q);
    }
    pair_drop(ids);
    pair_drop(w);
}

/* Both zeros are equal, and the first of equal ones comes first, in short rows and in long ones. */
static void test_topk_of_zeros(void **state) {
    (void)state;
    static const int64_t lengths[] = {3000, 9000, 9000};
    for (int round = 0; round < 3; round++) {
        tern_tensor *x;
        test_ok(tern_tensor_zeros(contexts.of[0], TERN_F32, TERN_SHAPE(1, lengths[round]), &x));
        float *data = tern_tensor_data(x);
        for (int64_t i = 0; i < lengths[round]; i++)
            data[i] = round == 2      ? (float)i
                      : i % 1000 == 7 ? 1
                      : i % 3 == 0    ? -0.0f
                      : i % 2 == 0    ? 0.0f
                                      : -1;
        pair rows = pair_of(&contexts, x), values, indices;
        for (int i = 0; i < 2; i++)
            test_ok(tern_topk(rows.of[i], 400, 1, true, &values.of[i], &indices.of[i]));
        pair_check(values, "the largest");
        pair_check(indices, "where they are");
        pair_drop(rows);
    }
    assert_int_equal(pair_calls(&contexts, "topk", false), 0);
}

/* As much scratch as a call needs, when there is none yet and when there is too little. */
static void test_scratch(void **state) {
    (void)state;
    static const int64_t rows[] = {3, 18};
    test_random random = {.seed = 21};
    pair_contexts fresh;
    pair_open(&fresh);
    for (int round = 0; round < 2; round++) {
        pair x = pair_numbers(&fresh, TERN_F32, TERN_SHAPE(rows[round], 8192), &random, 0);
        pair values, indices;
        for (int i = 0; i < 2; i++)
            test_ok(tern_topk(x.of[i], 1024, 1, true, &values.of[i], &indices.of[i]));
        pair_check(values, "the largest of many rows");
        pair_check(indices, "where they are");
        pair_drop(x);
    }
    pair_close(&fresh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_underflow),
        cmocka_unit_test(test_matmul_shapes),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_linear_topk),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_graphs),
        cmocka_unit_test(test_topk_of_zeros),
        cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_what_is_not_seen),
        cmocka_unit_test(test_parts_of_rows),
        cmocka_unit_test(test_without_tensor_cores),
    };
    return cmocka_run_group_tests(tests, open_contexts, close_contexts);
}
