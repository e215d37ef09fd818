/* SPDX-License-Identifier: MIT
 * Every call of linear algebra while memory runs out. */
#include "failure_sweep.h"

#include <tern/linalg.h>

#include "ops/lapack.h"

enum { TALL, SQUARE, DEFINITE, RIGHT, OPERANDS };

static bool has_lapack;

static int install(void **state) {
    (void)state;
    const tern__lapack *lapack;
    has_lapack = tern__lapack_enter("test", &lapack) == TERN_OK;
    if (has_lapack)
        tern__lapack_leave();
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

/* A batch of two, the last axes swapped. */
static tern_tensor *turned(tern_context *context, tern_shape shape, uint64_t seed) {
    tern_tensor *from = normal(context, shape, seed), *t = NULL;
    test_ok(tern_tensor_transpose(from, 1, 2, &t));
    tern_tensor_release(from);
    return t;
}

static void prepare(sweep_fixture *f) {
    sweep_make_context(f);
    f->in[TALL] = turned(f->context, TERN_SHAPE(2, 5, 7), 1);
    f->in[SQUARE] = normal(f->context, TERN_SHAPE(2, 5, 5), 2);
    f->in[DEFINITE] = normal(f->context, TERN_SHAPE(2, 5, 5), 3);
    float *data = tern_tensor_data(f->in[DEFINITE]);
    for (int i = 0; i < 50; i++)
        data[i] = i % 25 % 6 == 0 ? 20 + data[i] : data[i];
    f->in[RIGHT] = normal(f->context, TERN_SHAPE(7, 3), 4);
}

/* Results lie behind the operands. */
static void look(sweep_fixture *f, sweep_view *view) {
    for (int i = 0; i < OPERANDS + 4; i++)
        sweep_put_tensor(view, f->in[i]);
}

static void dispose(sweep_fixture *f) {
    for (int i = 0; i < OPERANDS + 4; i++)
        tern_tensor_release(f->in[i]);
}

/* X(call): with `in` the operands, `out` four results. */
#define CALLS(X)                                                                                   \
    X(tern_solve(in[SQUARE], in[DEFINITE], &out[0]))                                               \
    X(tern_inv(in[SQUARE], &out[0]))                                                               \
    X(tern_det(in[SQUARE], &out[0]))                                                               \
    X(tern_slogdet(in[SQUARE], &out[0], &out[1]))                                                  \
    X(tern_lstsq(in[TALL], in[RIGHT], -1, &out[0], &out[1], &out[2], &out[3]))                     \
    X(tern_pinv(in[TALL], -1, &out[0]))                                                            \
    X(tern_lu(in[TALL], &out[0], &out[1], &out[2]))                                                \
    X(tern_qr(in[TALL], false, &out[0], &out[1]))                                                  \
    X(tern_cholesky(in[DEFINITE], &out[0]))                                                        \
    X(tern_svd(in[TALL], true, &out[0], &out[1], &out[2]))                                         \
    X(tern_eigh(in[DEFINITE], &out[0], &out[1]))                                                   \
    X(tern_eig(in[SQUARE], &out[0], &out[1], &out[2], &out[3]))                                    \
    X(tern_matrix_rank(in[TALL], -1, &out[0]))                                                     \
    X(tern_cond(in[TALL], &out[0]))                                                                \
    X(tern_matrix_norm(in[TALL], TERN_MATRIX_NUC, &out[0]))                                        \
    X(tern_matrix_norm(in[TALL], TERN_MATRIX_FRO, &out[0]))                                        \
    X(tern_expm(in[SQUARE], &out[0]))

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
    tern_status status = run_row(f->flow->row, f->in, f->in + OPERANDS);
    for (int i = 0; i < 4; i++)
        if (status != TERN_OK && f->in[OPERANDS + i] != NULL)
            fail_msg("%s: a result after a failure", f->flow->name);
    return status;
}

static void sweep_calls_of(const tern_options *options) {
    if (!has_lapack)
        test_skip("%s", tern_last_error());
    for (int row = 0; row < CALL_COUNT; row++) {
        sweep_flow flow = {.name = call_texts[row],
                           .prepare = prepare,
                           .call = call_row,
                           .look = look,
                           .dispose = dispose,
                           .row = row};
        memory_file_serve(NULL, 0);
        sweep_counts counts = sweep_flow_all(&flow, options, 0);
        sweep_print(flow.name, &counts);
        if (counts.failures == 0 || counts.limits == 0)
            fail_msg("%s never failed", flow.name);
    }
}

static void every_call(void **state) {
    (void)state;
    sweep_calls_of(&(tern_options){.threads = 1});
}

static void every_call_tracked(void **state) {
    (void)state;
    sweep_calls_of(&(tern_options){.threads = 1, .tracking = TERN_TRACK_FULL});
}

/* Every call that the header declares stands in the table. */
static void table_is_complete(void **state) {
    (void)state;
    char path[512];
    size_t bytes;
    int found = 0;
    char *text = test_read_file(test_path("include/tern/linalg.h", path, sizeof path), &bytes);
    static const char start[] = "\nTERN_API tern_status ";
    for (char *at = text; (at = strstr(at, start)) != NULL; found++) {
        at += sizeof start - 1;
        size_t length = strcspn(at, "(") + 1;
        bool is_there = false;
        for (int i = 0; i < CALL_COUNT; i++)
            is_there |= strncmp(call_texts[i], at, length) == 0;
        if (!is_there)
            fail_msg("%.*s) is never made to fail", (int)length, at);
    }
    free(text);
    assert_int_equal(found, 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_complete),
        cmocka_unit_test(every_call),
        cmocka_unit_test(every_call_tracked),
    };
    return cmocka_run_group_tests(tests, install, remove_table);
}
