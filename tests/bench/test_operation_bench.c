/* SPDX-License-Identifier: MIT
 * Operations as they are timed and counted: one caller for each row of their table, which works on
 * operands of every layout, and the table of times on a clock that ticks. */
#include "bench/table_fixture.h"

#include <tern/ops.h>

#include "bench/operation_calls.h"

/* -- callers -----------------------------------------------------------------------------------*/

static void test_every_row_has_a_caller(void **state) {
    (void)state;
    for (int i = 0; i < tern_op_count(); i++)
        if (tern__op_caller_find(tern_op_at(i)->name) == NULL)
            fail_msg("operation %s has no caller", tern_op_at(i)->name);
    for (int i = 0; i < tern__op_caller_count(); i++) {
        const char *name = tern__op_caller_at(i)->name;
        bool is_row = false;
        for (int op = 0; op < tern_op_count(); op++)
            is_row = is_row || strcmp(tern_op_at(op)->name, name) == 0;
        if (!is_row)
            fail_msg("caller %s has no row", name);
        assert_ptr_equal(tern__op_caller_find(name), tern__op_caller_at(i)); /* no name twice */
    }
    assert_null(tern__op_caller_find("no_such_operation"));
    assert_null(tern__op_caller_at(-1));
    assert_null(tern__op_caller_at(tern__op_caller_count()));
}

/* Which row counts the calls of a caller; calls that create are not counted. */
static void check_counted(const tern_context *context, const char *name) {
    for (int op = 0; op < tern_op_count(); op++) {
        tern_op_stats stats;
        int64_t calls = 0;
        tern_stats_op(context, op, &stats);
        for (int i = 0; i < TERN_CLASSES; i++)
            calls += stats.calls[i];
        if (calls > 0 && strcmp(tern_op_at(op)->name, name) != 0 &&
            strcmp(name, "contiguous") != 0) /* that is a view, or a clone */
            fail_msg("the caller of %s calls %s", name, tern_op_at(op)->name);
    }
}

static void test_callers_work(void **state) {
    (void)state;
    tern_context *context;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    for (int layout = 0; layout < TERN__OPERAND_LAYOUTS; layout++) {
        tern__operands in;
        test_ok(tern__operands_make(context, 32, (tern__operand_layout)layout, &in));
        assert_int_equal(tern_tensor_is_contiguous(in.a), layout == TERN__LAID_CONTIGUOUS);
        int64_t alive = tern_context_memory(context).live_tensors;
        for (int i = 0; i < tern__op_caller_count(); i++) {
            const tern__op_caller *caller = tern__op_caller_at(i);
            tern_tensor *out[TERN__CALL_RESULTS];
            tern_stats_reset(context);
            tern_status status = tern__op_call_once(caller, context, &in, out);
            if (status != TERN_E_UNSUPPORTED) {
                test_status_at((int)status, TERN_OK, caller->name, __FILE__, __LINE__);
                assert_non_null(out[0]);
            }
            check_counted(context, caller->name);
            tern__op_results_release(out);
            if (tern_context_memory(context).live_tensors != alive)
                fail_msg("%s: tensors are left", caller->name);
        }
        tern__operands_release(&in);
    }
    assert_int_equal(tern_context_memory(context).live_tensors, 0);
    tern_context_destroy(context);
}

/* A context with less memory than the operands need, in steps: nothing is left over. */
static void test_operands_without_memory(void **state) {
    (void)state;
    tern_status status = TERN_E_LIMIT;
    int failures = 0;
    for (size_t bytes = 64 << 10; status != TERN_OK; bytes += 32 << 10) {
        tern_context *context;
        tern__operands in;
        test_ok(tern_context_create(&(tern_options){.threads = 1, .max_bytes = bytes}, &context));
        status = tern__operands_make(context, 64, TERN__LAID_STEPPED, &in);
        if (status != TERN_OK) {
            test_status(status, TERN_E_LIMIT);
            assert_null(in.a);
            failures++;
        }
        tern__operands_release(&in);
        assert_int_equal(tern_context_memory(context).live_tensors, 0);
        tern_context_destroy(context);
    }
    assert_true(failures > 3);
}

/* -- the table ---------------------------------------------------------------------------------*/

static tern_status run_table(table *t, const char *only) {
    memset(t, 0, sizeof *t);
    tern_bench_table_options options = {.samples = 2, .is_quick = true, .only = only};
    return tern_bench_operations(&options, collect, t);
}

static void check_row(const tern_bench_row *row, const char *detail) {
    assert_string_equal(row->id, "OPS");
    assert_string_equal(row->unit, "ns");
    assert_int_equal(row->verdict, TERN_BENCH_NO_TARGET);
    assert_int_equal(row->samples, 2);
    if (fabs(row->median - TICK_NS) > 1 || fabs(row->p5 - TICK_NS) > 1)
        fail_msg("%s: %g ns", row->what, row->median);
    if (strcmp(row->detail, detail) != 0)
        fail_msg("%s: '%s', expected '%s'", row->what, row->detail, detail);
}

static void test_table(void **state) {
    (void)state;
    static table t;
    tern__os_table os = ticking_os();
    tern__os_set(&os);
    test_ok(run_table(&t, "add,transpose,empty,sum,linear"));
    assert_int_equal(t.count, 14); /* five, small and large; add and sum transposed too */
    check_row(row_of(&t, "add, 1 Ki"), "0.00 GB/s: 12.0 KiB read and written");
    check_row(row_of(&t, "add, 1 Mi"), "0.79 GB/s: 12288.0 KiB read and written");
    check_row(row_of(&t, "add, 1 Mi, transposed"), "0.79 GB/s: 12288.0 KiB read and written");
    check_row(row_of(&t, "sum, 1 Ki, transposed"), "0.00 GB/s: 4.1 KiB read and written");
    check_row(row_of(&t, "transpose, 1 Ki"), "a view: no byte moves");
    check_row(row_of(&t, "empty, 1 Mi"), "");
    check_row(row_of(&t, "linear, 1 Mi"), "134.22 GFLOP/s"); /* 2^31 in 16 ms */

    test_ok(run_table(&t, "rope"));
    assert_int_equal(t.count, 2);
}

static void test_names(void **state) {
    (void)state;
    static table t;
    const char *const bad[] = {"addd", "ad", "add,", "add,,sum", "", ",add", "sum,nothing"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tern_status status = run_table(&t, bad[i]);
        if (status != TERN_E_ARGUMENT || t.count != 0)
            fail_msg("'%s': status %d, %d rows", bad[i], (int)status, t.count);
        assert_non_null(strstr(tern_last_error(), "' is none of OPS, empty, zeros, "));
    }
    test_status(tern_bench_operations(NULL, NULL, NULL), TERN_E_ARGUMENT);
    tern_bench_table_options options = {.cpu = "no such level"};
    test_status(tern_bench_operations(&options, collect, &t), TERN_E_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_has_a_caller),
        cmocka_unit_test(test_callers_work),
        cmocka_unit_test(test_operands_without_memory),
        cmocka_unit_test_teardown(test_table, restore_os),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
