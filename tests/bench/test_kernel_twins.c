/* SPDX-License-Identifier: MIT
 * Target K7: the variants of this machine give no other value than the plain ones, and one that
 * does is found. The second half runs the row's code, compiled once more, over families that this
 * test makes. */
#include "bench/table_fixture.h"

#include "bench/kernel_rows.h"

static table rows;

static void run_twins(const char *level, bool is_quick) {
    tern_bench_table_options options = {
        .threads = 1, .cpu = level, .is_quick = is_quick, .only = "K7"};
    memset(&rows, 0, sizeof rows);
    test_ok(tern_bench_kernels(&options, collect, &rows));
    assert_int_equal(rows.count, TERN__PACKING_COUNT);
}

static void test_this_machine(void **state) {
    (void)state;
    run_twins(NULL, TEST_IS_SANITIZED);
    for (int p = 0; p < TERN__PACKING_COUNT; p++) {
        const tern_bench_row *row = &rows.rows[p];
        const tern__packed_kernel *best =
            TERN__PICK(tern__packed_families[p], tern__cpu()->features);
        assert_string_equal(row->id, "K7");
        assert_true(row->floor == 0 && row->goal == 0 && !row->is_least);
        if (best->variant.needs == 0) {
            assert_int_equal(row->verdict, TERN_BENCH_NOT_MEASURED);
            continue;
        }
        assert_int_equal(row->verdict, TERN_BENCH_PASS);
        assert_true(row->median == 0 && row->samples == 1 && row->is_goal_met);
        assert_non_null(strstr(row->detail, best->variant.name));
    }
}

static void test_plain_level(void **state) {
    (void)state;
    run_twins("scalar", true);
    for (int p = 0; p < TERN__PACKING_COUNT; p++) {
        assert_int_equal(rows.rows[p].verdict, TERN_BENCH_NOT_MEASURED);
        assert_non_null(strstr(rows.rows[p].detail, "runs the plain variant only"));
    }
}

/* -- variants that are wrong -------------------------------------------------------------------*/

tern_status test_twins(tern__kernel_table *t);
extern const tern__packed_kernel *const *const test_packed_families[TERN__PACKING_COUNT];

static const tern__packed_kernel *plain;
static enum { IN_A_VALUE, BEHIND_THE_ROWS, WITH_MANY_COLUMNS, NOTHING } fault;

/* The plain product, and something wrong in one place. */
static void run_wrong(const tern__packed_args *args, int64_t begin, int64_t end) {
    plain->run(args, begin, end);
    int32_t *last = args->out + (args->n - 1) * args->out_stride + args->m - 1;
    if (fault == IN_A_VALUE || (fault == WITH_MANY_COLUMNS && args->n == 33))
        *last += 1;
    else if (fault == BEHIND_THE_ROWS)
        last[1] = 0;
}

static void pack_plain(const uint8_t *codes, int64_t k, uint8_t *panel) {
    plain->pack(codes, k, panel);
}

/* Its facts are those of the plain variant of `packing`, filled in by the tests. */
static tern__packed_kernel wrong = {.variant = {"wrong", 1u << 31}};
static const tern__packed_kernel *family[3] = {&wrong}, *plain_family[2];

/* Other packings have the plain variant only, so that nothing of theirs is compared. */
const tern__packed_kernel *const *const test_packed_families[TERN__PACKING_COUNT] = {
    [TERN__PACKING_TRITS4] = family,
    [TERN__PACKING_TRITS5] = plain_family,
    [TERN__PACKING_INT4] = plain_family,
    [TERN__PACKING_INT8] = plain_family};

static void show(void *user, const tern_bench_row *row) {
    collect(user, row);
}

static void run_faulty(tern__packing packing) {
    tern__kernel_table t = {.features = 1u << 31};
    plain = TERN__PICK(tern__packed_families[packing], 0);
    wrong.packing = packing;
    wrong.panel_rows = plain->panel_rows;
    wrong.k_unit = plain->k_unit;
    wrong.pack = pack_plain;
    wrong.run = run_wrong;
    family[1] = plain_family[0] = plain;
    tern_bench_table_options options = {.threads = 1, .is_quick = true};
    memset(&rows, 0, sizeof rows);
    test_ok(tern__table_open(&t.table, &options, 1, 1, show, &rows));
    test_ok(test_twins(&t));
    assert_int_equal(rows.count, TERN__PACKING_COUNT);
}

static void test_faults_are_found(void **state) {
    (void)state;
    enum { SHAPES = 4, FILLINGS = 3, COUNTS = 14 };
    static const int expected[] = {SHAPES * FILLINGS * COUNTS, SHAPES * FILLINGS * COUNTS,
                                   SHAPES * FILLINGS, 0};
    for (int i = IN_A_VALUE; i <= NOTHING; i++) {
        fault = i;
        run_faulty(TERN__PACKING_TRITS4);
        const tern_bench_row *row = &rows.rows[TERN__PACKING_TRITS4];
        assert_true(row->median == expected[i]);
        assert_int_equal(row->verdict, i == NOTHING ? TERN_BENCH_PASS : TERN_BENCH_FAIL);
        assert_true((strstr(row->detail, "; the first is of wrong") != NULL) == (i != NOTHING));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_this_machine, restore_os),
        cmocka_unit_test_teardown(test_plain_level, restore_os),
        cmocka_unit_test_teardown(test_faults_are_found, restore_os),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
