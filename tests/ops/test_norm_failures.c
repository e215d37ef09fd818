/* SPDX-License-Identifier: MIT
 * Softmax, norms, losses, convolutions, einsum and backward forms while memory runs out. */
#include "failure_sweep.h"

enum {
    CUBE,    /* F32 (3, 4, 8) */
    PLANE,   /* F64 (4, 8) */
    TURNED,  /* F32 (4, 8), a transpose */
    ROW,     /* F32 (8) */
    HALVES,  /* F16 (8, 6) */
    TARGETS, /* I32 (4) */
    ONE,     /* F32 () */
    IMAGE,   /* F32 (2, 4, 8, 8) */
    FILTER,  /* F32 (4, 4, 3, 3) */
    BIAS,    /* F32 (4) */
    DEST,    /* F32 (4, 8), stepped */
    OPERANDS
};

static tern_tensor *numbers(tern_context *c, tern_dtype dtype, tern_shape shape, uint64_t seed) {
    tern_tensor *x = NULL, *t = NULL;
    test_ok(tern_tensor_randn(c, TERN_F32, shape, seed, &x));
    test_ok(tern_cast(x, dtype, &t));
    tern_tensor_release(x);
    return t;
}

static void prepare(sweep_fixture *f) {
    static const int32_t targets[] = {7, 0, 3, 3};
    sweep_make_context(f);
    tern_context *c = f->context;
    tern_tensor **in = f->in;
    in[CUBE] = numbers(c, TERN_F32, TERN_SHAPE(3, 4, 8), 1);
    in[PLANE] = numbers(c, TERN_F64, TERN_SHAPE(4, 8), 2);
    tern_tensor *tall = numbers(c, TERN_F32, TERN_SHAPE(8, 4), 3);
    test_ok(tern_tensor_transpose(tall, 0, 1, &in[TURNED]));
    tern_tensor_release(tall);
    in[ROW] = numbers(c, TERN_F32, TERN_SHAPE(8), 4);
    in[HALVES] = numbers(c, TERN_F16, TERN_SHAPE(8, 6), 5);
    test_ok(tern_tensor_from_data(c, TERN_I32, TERN_SHAPE(4), targets, &in[TARGETS]));
    in[ONE] = numbers(c, TERN_F32, TERN_SHAPE(), 6);
    in[IMAGE] = numbers(c, TERN_F32, TERN_SHAPE(2, 4, 8, 8), 7);
    in[FILTER] = numbers(c, TERN_F32, TERN_SHAPE(4, 4, 3, 3), 8);
    in[BIAS] = numbers(c, TERN_F32, TERN_SHAPE(4), 9);
    tern_tensor *wide = numbers(c, TERN_F32, TERN_SHAPE(4, 16), 10);
    test_ok(tern_tensor_slice(wide, 1, 0, INT64_MAX, 2, &in[DEST]));
    tern_tensor_release(wide);
}

static void look(sweep_fixture *f, sweep_view *view) {
    for (int i = 0; i < OPERANDS; i++)
        sweep_put_tensor(view, f->in[i]);
    for (int i = OPERANDS; i < OPERANDS + 2; i++)
        sweep_put_tensor(view, f->in[i]);
    sweep_put_tensor(view, f->out);
}

static void dispose(sweep_fixture *f) {
    tern_tensor_release(f->out);
    for (int i = 0; i < OPERANDS + 2; i++)
        tern_tensor_release(f->in[i]);
}

/* `in[OPERANDS]` and the one behind it are further results. */
#define CALLS(X)                                                                                   \
    X(tern_softmax(in[TURNED], 0, out))                                                            \
    X(tern_softmax_into(in[TURNED], 1, in[DEST]))                                                  \
    X(tern_softmax_causal(in[CUBE], out))                                                          \
    X(tern_log_softmax(in[HALVES], 1, out))                                                        \
    X(tern_softmax_backward(in[CUBE], in[CUBE], 2, out))                                           \
    X(tern_log_softmax_backward(in[TURNED], in[TURNED], 1, out))                                   \
    X(tern_rms_norm(in[TURNED], in[ROW], 0.1, out))                                                \
    X(tern_layer_norm(in[PLANE], in[ROW], NULL, 0.1, out))                                         \
    X(tern_rms_norm_backward(in[CUBE], in[CUBE], in[ROW], 0.1, out, &in[OPERANDS]))                \
    X(tern_layer_norm_backward(in[CUBE], in[CUBE], NULL, 0.1, out, &in[OPERANDS],                  \
                               &in[OPERANDS + 1]))                                                 \
    X(tern_cross_entropy(in[TURNED], in[TARGETS], out))                                            \
    X(tern_cross_entropy_backward(in[ONE], in[TURNED], in[TARGETS], out))                          \
    X(tern_gelu_backward(in[TURNED], in[ROW], out))                                                \
    X(tern_conv2d(in[IMAGE], in[FILTER], in[BIAS], NULL, out))                                     \
    X(tern_conv2d_into(in[IMAGE], in[FILTER], NULL, &padded, in[IMAGE]))                           \
    X(tern_einsum("ij,kj->ki", in[TURNED], in[PLANE], out))                                        \
    X(tern_einsum("ij,ik->kj", in[HALVES], in[HALVES], out))

static const tern_conv_options padded = {{1, 1}, {1, 1}, {1, 1}, 1};

static const char *const call_texts[] = {
#define CALL_TEXT(call) #call,
    CALLS(CALL_TEXT)
#undef CALL_TEXT
};
enum { CALL_COUNT = sizeof call_texts / sizeof *call_texts };

static tern_status run_row(int row, tern_tensor **in, tern_tensor **out) {
    int i = 0;
#define CALL_ROW(call)                                                                             \
    if (row == i++)                                                                                \
        return call;
    CALLS(CALL_ROW)
#undef CALL_ROW
    return TERN_E_INTERNAL;
}

/* After a failure there is no result, whatever there was. */
static tern_status call_row(sweep_fixture *f) {
    tern_status status = run_row(f->flow->row, f->in, &f->out);
    if (status != TERN_OK && (f->out != NULL || f->in[OPERANDS] != NULL))
        fail_msg("%s: a result after a failure", f->flow->name);
    return status;
}

static void every_call(void **state) {
    (void)state;
    const tern_options options = {.threads = 1};
    for (int row = 0; row < CALL_COUNT; row++) {
        const sweep_flow flow = {call_texts[row], prepare, call_row, look, dispose, row};
        sweep_counts counts = sweep_flow_all(&flow, &options, 0);
        assert_int_equal(counts.met, counts.needs);
    }
}

static int install(void **state) {
    (void)state;
    memory_file_install();
    return 0;
}

static int restore(void **state) {
    (void)state;
    memory_file_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_call)};
    return cmocka_run_group_tests(tests, install, restore);
}
