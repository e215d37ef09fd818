/* SPDX-License-Identifier: MIT
 * Every public call on tensors while memory runs out, alone and inside a scope, and long mixes of
 * them that go on after a failure. */
#include "failure_sweep.h"

#include "base/half.h"

/* -- operands ----------------------------------------------------------------------------------*/

enum {
    CUBE,    /* F32 (3, 4, 8) */
    PLANE,   /* F32 (4, 8) */
    TURNED,  /* F32 (4, 8), the transpose of a (8, 4) */
    ROW,     /* F32 (8) */
    STEPPED, /* F32 (8), every second of 16 */
    RIGHT,   /* F32 (8, 5) */
    DEEP,    /* F32 (1, 1, 1, 1, 1, 3, 2, 8) */
    HALVES,  /* F16 (6, 8) */
    BRAINS,  /* BF16 (5, 8) */
    BLOCKS,  /* Q8_0 (4, 32) */
    WIDE,    /* F32 (3, 32) */
    IDS,     /* I32 (3) */
    QUERIES, /* F32 (2, 4, 8) */
    TWISTED, /* the same as the transpose of a (4, 2, 8) */
    KEYS,    /* F16 (2, 5, 8) */
    VALUES,  /* F16 (2, 5, 8) */
    BYTES,   /* I8 (2, 5, 8) */
    SCALES,  /* F32 (2, 2, 5) */
    FACTORS, /* F32 (2, 4) */
    TABLE,   /* rotary table of 8 positions, heads of 8 */
    TRITS,   /* I2_S (6, 128) */
    TRITS1,  /* TQ1_0 (5, 256), one scale */
    TRITS2,  /* TQ2_0 (5, 512), scales of blocks */
    PACKED,  /* the first of them */
    PACKED2, /* the last of them */
    LONG,    /* F32 (2, 128) */
    LONGER,  /* F32 (2, 512), a transpose */
    NORM,    /* F32 (128) */
    NORM2,   /* F32 (512) */
    SUMS,    /* F32 (2, 6) */
    TARGET,  /* F16 (8, 4) */
    SINGLE,  /* F32, rank 0 */
    OPERANDS
};

static float numbers[512];
static uint8_t i2_s_bytes[6 * 128 / 4 + 32], tq1_bytes[5 * 54], tq2_bytes[10 * 66],
    q8_bytes[4 * 34];

static void put_half(uint8_t *to, float value) {
    uint16_t half = tern__f16_from_f32(value);
    memcpy(to, &half, sizeof half);
}

static int make_data(void **state) {
    (void)state;
    test_random random = {.seed = 77};
    float scale = 0.05f;
    test_random_normal(&random, numbers, 512);
    for (size_t i = 0; i < sizeof tq1_bytes; i++)
        tq1_bytes[i] = (uint8_t)test_random_u32(&random);
    for (size_t i = 0; i < sizeof tq2_bytes; i++) {
        uint8_t byte = (uint8_t)test_random_u32(&random);
        tq2_bytes[i] = byte & (uint8_t) ~(byte << 1 & 0xaa); /* no code of 3 */
    }
    for (size_t i = 0; i < sizeof q8_bytes; i++)
        q8_bytes[i] = (uint8_t)test_random_u32(&random);
    memcpy(i2_s_bytes, tq2_bytes, 192);
    memcpy(i2_s_bytes + 192, &scale, sizeof scale);
    for (int i = 0; i < 5; i++)
        put_half(tq1_bytes + 54 * i + 52, 0.5f);
    for (int i = 0; i < 10; i++)
        put_half(tq2_bytes + 66 * i + 64, 0.25f + 0.125f * (float)(i % 3));
    for (int i = 0; i < 4; i++)
        put_half(q8_bytes + 34 * i, 0.02f);
    memory_file_install();
    return 0;
}

static int remove_table(void **state) {
    (void)state;
    memory_file_remove();
    return 0;
}

static tern_tensor *normal(tern_context *context, tern_shape shape, uint64_t seed) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_randn(context, TERN_F32, shape, seed, &t));
    return t;
}

/* The transpose of the first two axes of a fresh tensor. */
static tern_tensor *turned(tern_context *context, tern_shape shape, uint64_t seed) {
    tern_tensor *from = normal(context, shape, seed), *t = NULL;
    test_ok(tern_tensor_transpose(from, 0, 1, &t));
    tern_tensor_release(from);
    return t;
}

static tern_tensor *halves(tern_context *c, tern_dtype dtype, tern_shape shape, uint64_t seed) {
    tern_tensor *from = normal(c, shape, seed), *t = NULL;
    test_ok(tern_cast(from, dtype, &t));
    tern_tensor_release(from);
    return t;
}

static void prepare(sweep_fixture *f) {
    static const int32_t ids[] = {5, 0, 3};
    sweep_make_context(f);
    tern_context *context = f->context;
    tern_tensor **in = f->in;
    in[CUBE] = normal(context, TERN_SHAPE(3, 4, 8), 1);
    in[PLANE] = normal(context, TERN_SHAPE(4, 8), 2);
    in[TURNED] = turned(context, TERN_SHAPE(8, 4), 3);
    in[ROW] = normal(context, TERN_SHAPE(8), 4);
    tern_tensor *row = normal(context, TERN_SHAPE(16), 5);
    test_ok(tern_tensor_slice(row, 0, 0, INT64_MAX, 2, &in[STEPPED]));
    tern_tensor_release(row);
    in[RIGHT] = normal(context, TERN_SHAPE(8, 5), 6);
    in[DEEP] = normal(context, TERN_SHAPE(1, 1, 1, 1, 1, 3, 2, 8), 7);
    in[HALVES] = halves(context, TERN_F16, TERN_SHAPE(6, 8), 8);
    in[BRAINS] = halves(context, TERN_BF16, TERN_SHAPE(5, 8), 9);
    test_ok(tern_tensor_borrow(context, TERN_Q8_0, TERN_SHAPE(4, 32), q8_bytes, &in[BLOCKS]));
    in[WIDE] = normal(context, TERN_SHAPE(3, 32), 10);
    test_ok(tern_tensor_from_data(context, TERN_I32, TERN_SHAPE(3), ids, &in[IDS]));
    in[QUERIES] = normal(context, TERN_SHAPE(2, 4, 8), 11);
    in[TWISTED] = turned(context, TERN_SHAPE(4, 2, 8), 12);
    in[KEYS] = halves(context, TERN_F16, TERN_SHAPE(2, 5, 8), 13);
    in[VALUES] = halves(context, TERN_F16, TERN_SHAPE(2, 5, 8), 14);
    test_ok(tern_tensor_full(context, TERN_I8, TERN_SHAPE(2, 5, 8), 50, &in[BYTES]));
    in[SCALES] = normal(context, TERN_SHAPE(2, 2, 5), 20);
    in[FACTORS] = normal(context, TERN_SHAPE(2, 4), 21);
    test_ok(tern_rope_table(context, 8, 8, 1000, &in[TABLE]));
    test_ok(tern_tensor_borrow(context, TERN_I2_S, TERN_SHAPE(6, 128), i2_s_bytes, &in[TRITS]));
    test_ok(tern_tensor_borrow(context, TERN_TQ1_0, TERN_SHAPE(5, 256), tq1_bytes, &in[TRITS1]));
    test_ok(tern_tensor_borrow(context, TERN_TQ2_0, TERN_SHAPE(5, 512), tq2_bytes, &in[TRITS2]));
    test_ok(tern_tensor_pack(in[TRITS], &in[PACKED]));
    test_ok(tern_tensor_pack(in[TRITS2], &in[PACKED2]));
    in[LONG] = normal(context, TERN_SHAPE(2, 128), 15);
    in[LONGER] = turned(context, TERN_SHAPE(512, 2), 16);
    in[NORM] = normal(context, TERN_SHAPE(128), 20);
    in[NORM2] = normal(context, TERN_SHAPE(512), 21);
    in[SUMS] = normal(context, TERN_SHAPE(2, 6), 22);
    in[TARGET] = halves(context, TERN_F16, TERN_SHAPE(8, 4), 17);
    in[SINGLE] = normal(context, (tern_shape){.rank = 0}, 19);
}

/* A packed matrix is seen through its product with rows of ones. */
static void look_at_product(tern_context *context, sweep_view *view, tern_tensor *packed) {
    tern_tensor *rows = NULL, *product = NULL;
    tern_shape shape = {2, {2, tern_tensor_dim(packed, 1)}};
    tern_scope_begin(context);
    rows = normal(context, shape, 18);
    test_ok(tern_linear(rows, packed, &product));
    sweep_put_tensor(view, product);
    tern_scope_end(context);
}

static void look(sweep_fixture *f, sweep_view *view) {
    for (int i = 0; i < OPERANDS; i++)
        sweep_put_tensor(view, f->in[i]);
    sweep_put_tensor(view, f->out);
    if (f->out != NULL && tern_tensor_bytes(f->out) > 0 && tern_tensor_data(f->out) == NULL)
        look_at_product(f->context, view, f->out);
}

static void dispose(sweep_fixture *f) {
    tern_tensor_release(f->out);
    for (int i = 0; i < OPERANDS; i++)
        tern_tensor_release(f->in[i]);
}

/* -- calls -------------------------------------------------------------------------------------*/

/* An empty tensor says nothing but its shape: it is filled so that it can be looked at. */
static tern_status make_empty(tern_context *context, tern_dtype dtype, tern_shape shape,
                              tern_tensor **out) {
    tern_status status = tern_tensor_empty(context, dtype, shape, out);
    if (status == TERN_OK)
        memset(tern_tensor_data(*out), 0x33, tern_tensor_bytes(*out));
    return status;
}

static tern_status make_empty_like(tern_tensor *x, tern_tensor **out) {
    tern_status status = tern_tensor_empty_like(x, out);
    if (status == TERN_OK)
        memset(tern_tensor_data(*out), 0x33, tern_tensor_bytes(*out));
    return status;
}

/* The one call without a result. */
static tern_status copy_to(tern_tensor *x, tern_tensor *destination, tern_tensor **out) {
    *out = NULL;
    return tern_copy(x, destination);
}

/* A copy is the last step: the destination is as it was when an earlier one fails. */
static tern_status copy_turned(tern_tensor *x, tern_tensor *destination, tern_tensor **out) {
    tern_tensor *view = NULL, *single = NULL;
    tern_status status;
    *out = NULL;
    TERN__TRY(tern_tensor_transpose(x, 0, 1, &view));
    TERN__TRY(tern_contiguous(view, &single));
    TERN__TRY(tern_copy(single, destination));
done:
    tern_tensor_release(single);
    tern_tensor_release(view);
    return status;
}

/* Three results, of which one is looked at; none is left when the call fails. */
static tern_status norm_linears(tern_tensor *x, tern_tensor *norm, tern_tensor *weight,
                                tern_tensor **out) {
    tern_tensor *const weights[3] = {weight, weight, weight};
    tern_tensor *made[3];
    tern_status status = tern_norm_linear(x, norm, 1e-5, weights, 3, made);
    for (int i = 1; i < 3; i++) {
        assert_true((made[i] != NULL) == (status == TERN_OK));
        tern_tensor_release(made[i]);
    }
    *out = made[0];
    return status;
}

/* Of the destinations the first is fresh, the second lies over x. */
static tern_status norm_linears_into(tern_context *c, tern_tensor *x, tern_tensor *norm,
                                     tern_tensor *weight, tern_tensor **out) {
    tern_tensor *const weights[2] = {weight, weight};
    tern_tensor *copy = NULL, *over = NULL;
    tern_status status;
    *out = NULL;
    TERN__TRY(tern_clone(x, &copy));
    TERN__TRY(tern_tensor_slice(copy, 1, 0, tern_tensor_dim(weight, 0), 1, &over));
    TERN__TRY(tern_tensor_zeros(c, TERN_F32, TERN_SHAPE(2, tern_tensor_dim(weight, 0)), out));
    TERN__TRY(
        tern_norm_linear_into(copy, norm, 1e-5, weights, 2, (tern_tensor *const[]){*out, over}));
done:
    tern_tensor_release(over);
    tern_tensor_release(copy);
    if (status != TERN_OK) {
        tern_tensor_release(*out);
        *out = NULL;
    }
    return status;
}

/* Calls that give a number. */
static tern_status no_tensor(tern_status status, tern_tensor **out) {
    *out = NULL;
    return status;
}

static tern_status make_context(const tern_options *options, tern_tensor **out) {
    tern_context *other = (tern_context *)(void *)out; /* no context: to be overwritten */
    tern_status status = tern_context_create(options, &other);
    *out = NULL;
    assert_true((status == TERN_OK) == (other != NULL));
    tern_context_destroy(other);
    return status;
}

/* X(call): with `c` the context, `in` the operands, `out` the result. */
#define CALLS(X)                                                                                   \
    X(make_context(&(tern_options){.threads = 1}, out))                                            \
    X(make_context(&(tern_options){.threads = 3}, out))                                            \
    X(make_empty(c, TERN_F32, TERN_SHAPE(1500000), out))                                           \
    X(make_empty(c, TERN_F32, TERN_SHAPE(3, 4), out))                                              \
    X(make_empty(c, TERN_U8, TERN_SHAPE(5, 9000), out))                                            \
    X(tern_tensor_zeros(c, TERN_I64, TERN_SHAPE(2, 1, 3), out))                                    \
    X(tern_tensor_zeros(c, TERN_F64, TERN_SHAPE(), out))                                           \
    X(tern_tensor_zeros(c, TERN_F32, TERN_SHAPE(4, 0), out))                                       \
    X(tern_tensor_ones(c, TERN_BF16, TERN_SHAPE(3, 5), out))                                       \
    X(tern_tensor_full(c, TERN_I32, TERN_SHAPE(900), -3, out))                                     \
    X(tern_tensor_arange(c, TERN_I16, 3, -9, -2, out))                                             \
    X(tern_tensor_linspace(c, TERN_F16, -1, 2, 700, out))                                          \
    X(tern_tensor_eye(c, TERN_F64, 9, 30, -2, out))                                                \
    X(make_empty_like(in[TURNED], out))                                                            \
    X(tern_tensor_zeros_like(in[IDS], out))                                                        \
    X(tern_tensor_ones_like(in[HALVES], out))                                                      \
    X(tern_tensor_full_like(in[STEPPED], 0.5, out))                                                \
    X(tern_tensor_from_data(c, TERN_F32, TERN_SHAPE(16, 32), numbers, out))                        \
    X(tern_tensor_borrow(c, TERN_F32, TERN_SHAPE(16, 32), numbers, out))                           \
    X(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(70, 7), 21, out))                                  \
    X(tern_tensor_rand(c, TERN_F32, TERN_SHAPE(7, 3, 11, 2), 22, out))                             \
    X(tern_tensor_randint(c, TERN_U8, TERN_SHAPE(7, 80), 3, 200, 24, out))                         \
    X(tern_tensor_bernoulli(c, TERN_BOOL, TERN_SHAPE(60, 3), 0.3, 25, out))                        \
    X(tern_tensor_reshape(in[CUBE], TERN_SHAPE(2, -1), out))                                       \
    X(tern_tensor_flatten(in[CUBE], 0, 1, out))                                                    \
    X(tern_tensor_squeeze(in[DEEP], TERN_ALL_AXES, out))                                           \
    X(tern_tensor_unsqueeze(in[CUBE], -1, out))                                                    \
    X(tern_tensor_move_axis(in[CUBE], 0, 2, out))                                                  \
    X(tern_tensor_permute(in[CUBE], (const int[]){2, 0, 1}, out))                                  \
    X(tern_tensor_transpose(in[CUBE], 0, 2, out))                                                  \
    X(tern_tensor_slice(in[CUBE], 2, 1, -1, 3, out))                                               \
    X(tern_tensor_select(in[CUBE], 1, -2, out))                                                    \
    X(tern_tensor_flip(in[CUBE], TERN_AXES(0, 2), out))                                            \
    X(tern_tensor_diagonal(in[CUBE], -1, 0, 2, out))                                               \
    X(tern_tensor_unfold(in[CUBE], 2, 3, 2, out))                                                  \
    X(tern_tensor_view_as(in[HALVES], TERN_U8, out))                                               \
    X(tern_tensor_broadcast(in[ROW], TERN_SHAPE(2, 2, 2, 2, 2, 2, 3, 8), out))                     \
    X(tern_contiguous(in[PLANE], out))                                                             \
    X(tern_contiguous(in[TURNED], out))                                                            \
    X(tern_contiguous(in[TRITS], out))                                                             \
    X(tern_cast(in[CUBE], TERN_BF16, out))                                                         \
    X(tern_cast(in[BLOCKS], TERN_F32, out))                                                        \
    X(tern_cast(in[TRITS], TERN_F32, out))                                                         \
    X(tern_cast(in[TRITS1], TERN_F16, out))                                                        \
    X(tern_cast(in[TRITS2], TERN_F32, out))                                                        \
    X(copy_to(in[ROW], in[STEPPED], out))                                                          \
    X(copy_turned(in[PLANE], in[TARGET], out))                                                     \
    X(no_tensor(tern_item(in[SINGLE], &(double){0}), out))                                         \
    X(no_tensor(tern_array_equal(in[PLANE], in[TURNED], &(bool){false}), out))                     \
    X(no_tensor(tern_allclose(in[CUBE], in[TURNED], 0.1, 0, false, &(bool){false}), out))          \
    X(tern_add(in[CUBE], in[TURNED], out))                                                         \
    X(tern_mul(in[ROW], in[CUBE], out))                                                            \
    X(tern_scale(in[TURNED], 0.3f, out))                                                           \
    X(tern_relu2(in[PLANE], out))                                                                  \
    X(tern_silu(in[STEPPED], out))                                                                 \
    X(tern_rms_norm(in[CUBE], in[ROW], 0.01f, out))                                                \
    X(tern_rms_norm(in[TURNED], in[STEPPED], 0.01f, out))                                          \
    X(tern_softmax_causal(in[CUBE], out))                                                          \
    X(tern_softmax(in[TURNED], -1, out))                                                           \
    X(tern_rope(in[QUERIES], in[TABLE], 3, out))                                                   \
    X(tern_rope(in[TWISTED], in[TABLE], 0, out))                                                   \
    X(tern_rope_table(c, 9, 6, 500, out))                                                          \
    X(tern_embedding(in[HALVES], in[IDS], out))                                                    \
    X(tern_matmul(in[TURNED], in[RIGHT], out))                                                     \
    X(tern_linear(in[CUBE], in[BRAINS], out))                                                      \
    X(tern_linear(in[DEEP], in[HALVES], out))                                                      \
    X(tern_linear(in[WIDE], in[BLOCKS], out))                                                      \
    X(tern_linear(in[LONG], in[PACKED], out))                                                      \
    X(tern_linear(in[LONGER], in[PACKED2], out))                                                   \
    X(norm_linears(in[LONG], in[NORM], in[PACKED], out))                                           \
    X(norm_linears(in[LONGER], in[NORM2], in[PACKED2], out))                                       \
    X(norm_linears_into(c, in[LONG], in[NORM], in[PACKED], out))                                   \
    X(tern_norm_linear_add(in[LONG], in[NORM], 1e-5, in[PACKED], in[SUMS], out))                   \
    X(tern_norm_glu(in[LONG], in[NORM], 1e-5, in[PACKED], in[PACKED], TERN_ACTIVATION_SILU, out))  \
    X(tern_norm_glu(in[LONGER], in[NORM2], 1e-5, in[PACKED2], in[PACKED2], TERN_ACTIVATION_RELU2,  \
                    out))                                                                          \
    X(tern_tensor_pack(in[TRITS], out))                                                            \
    X(tern_tensor_pack(in[TRITS1], out))                                                           \
    X(tern_tensor_pack(in[TRITS2], out))                                                           \
    X(tern_tensor_pack_random(c, 9, 100, 0.5f, 23, out))                                           \
    X(tern_tensor_pack_int(in[HALVES], 8, out))                                                    \
    X(tern_tensor_pack_int(in[TURNED], 4, out))                                                    \
    X(tern_attention(in[QUERIES], in[KEYS], in[VALUES], 0.4f, out))                                \
    X(tern_attention(in[TWISTED], in[KEYS], in[VALUES], 0.4f, out))                                \
    X(tern_attention_int8(in[TWISTED], in[BYTES], in[BYTES], in[SCALES], 0.4f, out))               \
    X(tern_quantize_scale(in[TURNED], out))                                                        \
    X(tern_quantize(in[TWISTED], in[FACTORS], out))

enum { HEAVY_CALLS = 3 }; /* the first ones take much time or space: not for mixes */

static const char *const call_texts[] = {
#define CALL_TEXT(call) #call,
    CALLS(CALL_TEXT)
#undef CALL_TEXT
};
enum { CALL_COUNT = sizeof call_texts / sizeof *call_texts };

static tern_status run_row(int row, tern_context *c, tern_tensor **in, tern_tensor **out) {
    int i = 0;
#define CALL_ROW(call)                                                                             \
    if (row == i++)                                                                                \
        return call;
    CALLS(CALL_ROW)
#undef CALL_ROW
    return TERN_E_INTERNAL;
}

/* After a failure the result is NULL, whatever it was. */
static tern_status call_row(sweep_fixture *f) {
    tern_tensor *out = f->in[0];
    tern_status status = run_row(f->flow->row, f->context, f->in, &out);
    if (status != TERN_OK && out != NULL)
        fail_msg("%s: a result after a failure", f->flow->name);
    f->out = out;
    return status;
}

/* The scope is open behind a success, closed behind a failure. */
static tern_status call_in_scope(sweep_fixture *f) {
    tern_scope_begin(f->context);
    tern_status status = call_row(f);
    if (status != TERN_OK)
        tern_scope_end(f->context);
    return status;
}

static void dispose_scope(sweep_fixture *f) {
    tern_scope_end(f->context);
    f->out = NULL;
    dispose(f);
}

/* Every call that the header declares stands in the table. */
static void table_is_complete(void **state) {
    (void)state;
    static const char *const under_other_names[] = {"tern_context_create", "tern_tensor_empty",
                                                    "tern_tensor_empty_like", "tern_copy"};
    char path[512];
    size_t bytes;
    int found = 0;
    char *text = test_read_file(test_path("include/tern/tensor.h", path, sizeof path), &bytes);
    static const char start[] = "\nTERN_API tern_status ";
    for (char *at = text; (at = strstr(at, start)) != NULL; found++) {
        at += sizeof start - 1;
        size_t length = strcspn(at, "(") + 1;
        bool is_there = false;
        for (int i = 0; i < CALL_COUNT; i++)
            is_there |= strncmp(call_texts[i], at, length) == 0;
        for (int i = 0; i < 4; i++)
            is_there |= strncmp(under_other_names[i], at, length - 1) == 0;
        if (!is_there)
            fail_msg("%.*s) is never made to fail", (int)length, at);
    }
    free(text);
    assert_in_range(found, 30, 100);
}

static void add_counts(sweep_counts *sum, const sweep_counts *counts) {
    sum->calls += counts->calls;
    sum->failures += counts->failures;
    sum->made_good += counts->made_good;
    sum->needs += counts->needs;
    sum->met += counts->met;
    sum->limits += counts->limits;
}

static sweep_counts sweep_table(const tern_options *options, unsigned flags, bool in_scope) {
    sweep_counts sum = {0};
    for (int row = 0; row < CALL_COUNT; row += TEST_THINNING) {
        sweep_flow flow = {.name = call_texts[row],
                           .prepare = prepare,
                           .call = in_scope ? call_in_scope : call_row,
                           .look = look,
                           .dispose = in_scope ? dispose_scope : dispose,
                           .row = row};
        memory_file_serve(NULL, 0);
        sweep_counts counts = sweep_flow_all(&flow, options, flags);
        add_counts(&sum, &counts);
        /* Only a copy onto what is there needs nothing. */
        if (flags == 0 && counts.failures + counts.limits == 0 &&
            strncmp(flow.name, "copy_to", 7) != 0)
            fail_msg("%s never failed", flow.name);
    }
    sweep_print("all", &sum);
    return sum;
}

static void check_table(bool in_scope) {
    sweep_counts sum = sweep_table(&(tern_options){.threads = 1}, 0, in_scope);
    const int n = TEST_THINNING;
    assert_true(sum.failures > 300 / n && sum.limits > 60 / n);
    assert_true(sum.needs > 70 / n && sum.met >= sum.needs / 10 * 9);
}

static void every_call(void **state) {
    (void)state;
    check_table(false);
}

static void every_call_in_a_scope(void **state) {
    (void)state;
    check_table(true);
}

static void every_call_tracked(void **state) {
    (void)state;
    sweep_table(&(tern_options){.threads = 1, .tracking = TERN_TRACK_SITES}, SWEEP_BRIEFLY, false);
    sweep_table(&(tern_options){.threads = 1, .tracking = TERN_TRACK_FULL}, 0, false);
}

/* -- crowds ------------------------------------------------------------------------------------*/

enum { CROWD = 500 };

/* More tensors in two scopes than any first guess has room for; the last one is kept. */
static tern_status call_crowd(sweep_fixture *f) {
    tern_tensor *last = NULL;
    int depth = 1;
    tern_scope_begin(f->context);
    tern_status status = tern_scale(f->in[ROW], 1, &last);
    for (int i = 0; i < CROWD && status == TERN_OK; i++) {
        if (i == CROWD / 2) {
            tern_scope_begin(f->context);
            depth++;
        }
        status = tern_add(last, f->in[ROW], &last);
    }
    f->out = tern_tensor_keep(last);
    while (depth-- > 0)
        tern_scope_end(f->context);
    return status;
}

static void crowds(void **state) {
    (void)state;
    static const sweep_flow flow = {"a crowd", prepare, call_crowd, look, dispose, 0};
    memory_file_serve(NULL, 0);
    sweep_counts counts = sweep_flow_all(&flow, &(tern_options){.threads = 1}, 0);
    sweep_print(flow.name, &counts);
    assert_true(counts.failures > 10 && counts.met > CROWD / 2);
}

/* -- mixes -------------------------------------------------------------------------------------*/

enum { SLOTS = 12, STEPS = 150, DEPTH_MAX = 3, FAIL_AGAIN = 1000 };

/* Tensors come, are viewed, combined, kept and released in odd orders, in scopes that open and
 * close. A step that fails is made again once the failure is lifted, and the mix goes on. */
typedef struct mix {
    sweep_fixture *f;
    test_random random, limits;
    tern_tensor *slot[SLOTS];
    int owner[SLOTS]; /* depth of the scope that owns it; 0: the mix */
    int depth;
    bool comes_again; /* further failures after the first */
    bool is_filled;   /* every step meets the limit of the context first */
    int failures;
    sweep_view seen;
} mix;

typedef struct mix_step {
    int kind, row, from, to;
} mix_step;

enum { MIX_ROW, MIX_ADD, MIX_VIEW, MIX_SLICE, MIX_MAKERS };

static tern_status make_step(mix *m, mix_step step, tern_tensor **out) {
    tern_tensor *from = m->slot[step.from];
    bool is_f32 = from != NULL && tern_tensor_dtype(from) == TERN_F32;
    if (step.kind == MIX_ADD && is_f32)
        return tern_add(from, from, out);
    if (step.kind == MIX_VIEW && is_f32)
        return tern_contiguous(from, out);
    if (step.kind == MIX_SLICE && is_f32 && tern_tensor_rank(from) > 0)
        return tern_tensor_slice(from, 0, 0, INT64_MAX, 2, out);
    return run_row(step.row, m->f->context, m->f->in, out);
}

static void take_step(mix *m, mix_step step) {
    tern_tensor *out = m->f->in[0];
    if (m->is_filled)
        sweep_fill(m->f, (size_t)test_random_range(&m->limits, 0, 2000));
    tern_memory_stats before = tern_context_memory(m->f->context);
    tern_status status = make_step(m, step, &out);
    tern_memory_stats after = tern_context_memory(m->f->context);
    int64_t first = memory_file.fail_at, calls = memory_file.calls;
    uint64_t seed = memory_file.fail_seed;
    sweep_lift();
    if (m->is_filled)
        sweep_release_ballast(m->f);
    if (status != TERN_OK) {
        m->failures++;
        sweep_check_typed(m->f->flow, status, m->is_filled);
        assert_null(out);
        assert_int_equal(after.live_bytes, before.live_bytes);
        assert_int_equal(after.live_tensors, before.live_tensors);
        test_ok(make_step(m, step, &out));
    }
    memory_file.fail_seed = seed;
    if (status == TERN_OK || m->comes_again)
        memory_file.fail_at = status == TERN_OK || first >= calls ? first : memory_file.calls;
    sweep_put_tensor(&m->seen, out);
    if (out == NULL)
        return;
    tern_tensor_release(m->slot[step.to]);
    m->slot[step.to] = out;
    m->owner[step.to] = m->depth;
}

static void end_scope(mix *m) {
    for (int i = 0; i < SLOTS; i++)
        m->slot[i] = m->owner[i] == m->depth ? NULL : m->slot[i];
    tern_scope_end(m->f->context);
    m->depth--;
}

/* The rest: keep, early release, scopes. */
static void shuffle(mix *m, int action, int at) {
    tern_context *context = m->f->context;
    if (action == 0) {
        tern_tensor_release(m->slot[at]);
        m->slot[at] = NULL;
    } else if (action == 1 && m->slot[at] != NULL) {
        assert_ptr_equal(tern_tensor_keep(m->slot[at]), m->slot[at]);
        m->owner[at] = 0;
    } else if (action == 2) {
        tern_tensor_release(tern_tensor_retain(m->slot[at]));
    } else if (action == 3 && m->depth < DEPTH_MAX) {
        tern_scope_begin(context);
        m->depth++;
    } else if (action == 4 && m->depth > 0) {
        end_scope(m);
    }
}

static void run_mix(mix *m) {
    for (int i = 0; i < STEPS; i++) {
        int action = (int)test_random_range(&m->random, 0, 13);
        mix_step step = {.kind = (int)test_random_range(&m->random, 0, MIX_MAKERS - 1),
                         .row = (int)test_random_range(&m->random, HEAVY_CALLS, CALL_COUNT - 1),
                         .from = (int)test_random_range(&m->random, 0, SLOTS - 1),
                         .to = (int)test_random_range(&m->random, 0, SLOTS - 1)};
        if (action > 4)
            take_step(m, step);
        else
            shuffle(m, action, step.from);
    }
    while (m->depth > 0)
        end_scope(m);
    for (int i = 0; i < SLOTS; i++)
        tern_tensor_release(m->slot[i]);
}

/* One mix with one kind of failure; returns how many steps failed. */
static int disturb_mix(uint64_t seed, const sweep_disturbance *how, const sweep_view *expected,
                       sweep_view *seen, bool *is_over) {
    static const sweep_flow flow = {
        .name = "mix", .prepare = prepare, .look = look, .dispose = dispose};
    tern_options options = {.threads = 1, .max_bytes = how->first < 0 ? 1 << 20 : 0};
    mix m = {.f = sweep_begin(&flow, &options),
             .random = {.seed = seed},
             .limits = {.seed = seed + how->seed},
             .is_filled = how->first<0, .comes_again = how->count> 0 &&
                          (how->seed != 0 || how->count == FAIL_AGAIN)};
    if (how->spare >= 0)
        sweep_exhaust(m.f, how->spare, 0);
    int64_t failures = memory_file.failures;
    if (how->count != 0) {
        memory_file.fail_at = memory_file.calls + how->first;
        memory_file.fail_count = how->count;
        memory_file.fail_seed = how->seed;
    }
    run_mix(&m);
    sweep_lift();
    *is_over = memory_file.failures == failures;
    if (expected != NULL)
        sweep_same(&m.seen, expected, "the mix");
    sweep_end(m.f);
    *seen = m.seen;
    return m.failures;
}

/* Every failure of the system, at every k. */
static int sweep_mix(uint64_t seed, const sweep_view *expected, int *runs) {
    static const sweep_disturbance kinds[] = {
        {.count = 1, .spare = -1}, {.count = INT64_MAX, .spare = -1},
        {.count = 2, .spare = -1}, {.count = 1},
        {.count = 1, .spare = 1},  {.count = INT64_MAX},
        {.count = 1, .seed = 1},   {.count = INT64_MAX, .spare = 1},
        {.count = FAIL_AGAIN}};
    int failures = 0;
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        sweep_disturbance how = kinds[kind];
        how.seed *= seed;
        for (bool is_over = false; !is_over; how.first++, ++*runs) {
            sweep_view seen;
            failures += disturb_mix(seed, &how, expected, &seen, &is_over);
            sweep_clear(&seen);
        }
    }
    return failures;
}

static void mixes(void **state) {
    (void)state;
    int runs = 0, failures = 0, limits = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        sweep_view expected, seen;
        bool is_over;
        memory_file_serve(NULL, 0);
        disturb_mix(seed, &(sweep_disturbance){.spare = -1}, NULL, &expected, &is_over);
        failures += sweep_mix(seed, &expected, &runs);
        for (uint64_t other = 0; other < 4; other++, runs++) {
            sweep_disturbance how = {.first = -1, .seed = other, .spare = -1};
            limits += disturb_mix(seed, &how, &expected, &seen, &is_over);
            sweep_clear(&seen);
        }
        sweep_clear(&expected);
    }
    printf("%d mixes of %d steps: %d steps failed by the system, %d by a limit\n", runs, STEPS,
           failures, limits);
    assert_true(failures > 30 && limits > 600);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_complete),
        cmocka_unit_test(every_call),
        cmocka_unit_test(every_call_in_a_scope),
        cmocka_unit_test(every_call_tracked),
        cmocka_unit_test(crowds),
        cmocka_unit_test(mixes),
    };
    return cmocka_run_group_tests(tests, make_data, remove_table);
}
