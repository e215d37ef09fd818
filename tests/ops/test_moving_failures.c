/* SPDX-License-Identifier: MIT
 * Indexing, joining and sorting while memory runs out. */
#include "failure_sweep.h"

#include <tern/ops.h>

enum {
    PLANE,  /* F32 (4, 6) */
    TURNED, /* F32 (4, 6), the transpose of a (6, 4) */
    ROW,    /* F32 (6), every second of 12 */
    IDS,    /* I64 (4, 6), the transpose of a (6, 4): numbers below 4 */
    PLACES, /* I32 (3) */
    MASK,   /* BOOL (4, 6) */
    LONG,   /* F32 (12): ROW lies in it */
    OPERANDS,
    MORE = OPERANDS, /* further results */
    STILL_MORE,
    ALL
};

static tern_tensor *turned(tern_tensor *from) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_transpose(from, 0, 1, &t));
    tern_tensor_release(from);
    return t;
}

static void prepare(sweep_fixture *f) {
    tern_tensor *t = NULL, *zero = NULL;
    sweep_make_context(f);
    tern_context *c = f->context;
    tern_tensor **in = f->in;
    test_ok(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(4, 6), 1, &in[PLANE]));
    test_ok(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(6, 4), 2, &t));
    in[TURNED] = turned(t);
    test_ok(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(12), 3, &in[LONG]));
    test_ok(tern_tensor_slice(in[LONG], 0, 0, INT64_MAX, 2, &in[ROW]));
    test_ok(tern_tensor_randint(c, TERN_I64, TERN_SHAPE(6, 4), -4, 4, 4, &t));
    in[IDS] = turned(t);
    test_ok(tern_tensor_randint(c, TERN_I32, TERN_SHAPE(3), -4, 4, 5, &in[PLACES]));
    test_ok(tern_tensor_zeros(c, TERN_F32, TERN_SHAPE(), &zero));
    test_ok(tern_less(zero, in[PLANE], &in[MASK]));
    tern_tensor_release(zero);
}

static void look(sweep_fixture *f, sweep_view *view) {
    for (int i = 0; i < ALL; i++)
        sweep_put_tensor(view, f->in[i]);
    sweep_put_tensor(view, f->out);
}

static void dispose(sweep_fixture *f) {
    tern_tensor_release(f->out);
    for (int i = 0; i < ALL; i++)
        tern_tensor_release(f->in[i]);
}

/* -- calls -------------------------------------------------------------------------------------*/

static const int64_t low[] = {2, 0}, high[] = {5, 1};

/* Calls that write into an operand: what is there is as it was after a failure, since all memory is
 * found before the first element is written. */
static tern_status no_result(tern_status status, tern_tensor **out) {
    *out = NULL;
    return status;
}

/* The destination is part of an operand. */
static tern_status roll_row(tern_tensor *row, tern_tensor *around, tern_tensor **out) {
    tern_tensor *to = NULL;
    tern_status status;
    *out = NULL;
    TERN__TRY(tern_tensor_slice(around, 0, 1, 7, 1, &to));
    TERN__TRY(tern_roll_into(row, 2, TERN_FLAT, to));
done:
    tern_tensor_release(to);
    return status;
}

/* X(call): with `in` the operands, `out` the result. */
#define CALLS(X)                                                                                   \
    X(tern_gather(in[TURNED], 0, in[IDS], out))                                                    \
    X(tern_scatter(in[TURNED], 0, in[IDS], in[PLANE], out))                                        \
    X(tern_scatter_add(in[PLANE], 0, in[IDS], in[ROW], out))                                       \
    X(no_result(tern_scatter_add_into(in[PLANE], 0, in[IDS], in[PLANE], in[PLANE]), out))          \
    X(tern_index_select(in[TURNED], 1, in[PLACES], out))                                           \
    X(tern_take(in[TURNED], in[PLACES], out))                                                      \
    X(tern_put(in[TURNED], in[IDS], in[ROW], out))                                                 \
    X(tern_masked_select(in[TURNED], in[MASK], out))                                               \
    X(tern_nonzero(in[MASK], out))                                                                 \
    X(tern_one_hot(in[IDS], 5, TERN_F16, out))                                                     \
    X(tern_searchsorted(in[ROW], in[TURNED], true, out))                                           \
    X(tern_concat((tern_tensor *const[]){in[PLANE], in[TURNED], in[IDS]}, 3, 0, out))              \
    X(tern_stack((tern_tensor *const[]){in[PLANE], in[TURNED]}, 2, 1, out))                        \
    X(tern_pad(in[TURNED], low, high, TERN_PAD_CONSTANT, 1, out))                                  \
    X(tern_pad(in[TURNED], low, high, TERN_PAD_REFLECT, 0, out))                                   \
    X(tern_pad(in[TURNED], low, high, TERN_PAD_EDGE, 0, out))                                      \
    X(tern_tile(in[TURNED], TERN_SHAPE(2, 3, 1), out))                                             \
    X(tern_repeat(in[TURNED], 3, TERN_FLAT, out))                                                  \
    X(tern_roll(in[TURNED], 5, 1, out))                                                            \
    X(tern_roll(in[TURNED], 5, TERN_FLAT, out))                                                    \
    X(roll_row(in[ROW], in[LONG], out))                                                            \
    X(tern_sort(in[TURNED], 1, true, out))                                                         \
    X(no_result(tern_sort_into(in[TURNED], 1, true, in[TURNED]), out))                             \
    X(tern_argsort(in[TURNED], TERN_FLAT, false, out))                                             \
    X(tern_topk(in[TURNED], 2, 1, true, out, NULL))                                                \
    X(tern_topk(in[TURNED], 2, 0, true, out, &in[MORE]))                                           \
    X(tern_unique(in[IDS], out, NULL, NULL))                                                       \
    X(tern_unique(in[IDS], out, &in[MORE], &in[STILL_MORE]))

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

static tern_status call_row(sweep_fixture *f) {
    tern_tensor *out = f->in[0];
    tern_status status = run_row(f->flow->row, f->in, &out);
    if (status != TERN_OK && (out != NULL || f->in[MORE] != NULL || f->in[STILL_MORE] != NULL))
        fail_msg("%s: a result after a failure", f->flow->name);
    f->out = out;
    return status;
}

static void every_call(void **state) {
    (void)state;
    int64_t needs = 0, met = 0;
    for (int row = 0; row < CALL_COUNT; row++) {
        sweep_flow flow = {.name = call_texts[row],
                           .prepare = prepare,
                           .call = call_row,
                           .look = look,
                           .dispose = dispose,
                           .row = row};
        memory_file_serve(NULL, 0);
        sweep_counts counts = sweep_flow_all(&flow, &(tern_options){.threads = 1}, 0);
        if (counts.failures + counts.limits == 0)
            fail_msg("%s never failed", flow.name);
        sweep_print(flow.name, &counts);
        needs += counts.needs;
        met += counts.met;
    }
    assert_true(needs > 2 * CALL_COUNT && met == needs);
}

static int install(void **state) {
    (void)state;
    memory_file_install();
    return 0;
}

static int uninstall(void **state) {
    (void)state;
    memory_file_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_call)};
    return cmocka_run_group_tests(tests, install, uninstall);
}
