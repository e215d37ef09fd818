/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/checked.h"

static void sizes_add(void **state) {
    (void)state;
    size_t r = 7;
    assert_true(tern__add_size(SIZE_MAX - 1, 1, &r));
    assert_true(r == SIZE_MAX);
    r = 7;
    assert_false(tern__add_size(SIZE_MAX, 1, &r));
    assert_false(tern__add_size(SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1, &r));
    assert_int_equal(r, 7); /* left alone */
}

static void sizes_multiply(void **state) {
    (void)state;
    size_t r = 7;
    assert_true(tern__mul_size(SIZE_MAX / 3, 3, &r));
    assert_true(r == SIZE_MAX / 3 * 3);
    assert_true(tern__mul_size(0, SIZE_MAX, &r));
    assert_true(r == 0);
    r = 7;
    assert_false(tern__mul_size(SIZE_MAX / 2 + 1, 2, &r));
    assert_false(tern__mul_size((size_t)1 << 32, (size_t)1 << 32, &r));
    assert_int_equal(r, 7);
}

static void sizes_round_up(void **state) {
    (void)state;
    size_t r = 7;
    assert_true(tern__round_up_size(0, 64, &r) && r == 0);
    assert_true(tern__round_up_size(1, 64, &r) && r == 64);
    assert_true(tern__round_up_size(64, 64, &r) && r == 64);
    assert_true(tern__round_up_size(65, 64, &r) && r == 128);
    assert_true(tern__round_up_size(5, 1, &r) && r == 5);
    assert_true(tern__round_up_size(SIZE_MAX - 63, 64, &r) && r == SIZE_MAX - 63);
    r = 7;
    for (size_t k = 0; k < 63; k++)
        assert_false(tern__round_up_size(SIZE_MAX - k, 64, &r));
    assert_int_equal(r, 7);
}

static void words_of_64_bits(void **state) {
    (void)state;
    uint64_t u = 7;
    assert_true(tern__add_u64(UINT64_MAX - 5, 5, &u) && u == UINT64_MAX);
    u = 7;
    assert_false(tern__add_u64(UINT64_MAX - 5, 6, &u));
    assert_int_equal(u, 7);

    int64_t i = 7;
    assert_true(tern__mul_i64(INT64_MIN, 1, &i) && i == INT64_MIN);
    assert_true(tern__mul_i64(INT64_MIN / 2, 2, &i) && i == INT64_MIN);
    i = 7;
    assert_false(tern__mul_i64(INT64_MIN, -1, &i));
    assert_false(tern__mul_i64(INT64_MAX / 2 + 1, 2, &i));
    assert_int_equal(i, 7);
}

static void small_helpers(void **state) {
    (void)state;
    assert_int_equal(tern__round_up_i64(0, 5), 0);
    assert_int_equal(tern__round_up_i64(1, 5), 5);
    assert_int_equal(tern__round_up_i64(10, 5), 10);
    assert_int_equal(tern__min_i64(-3, 2), -3);
    assert_int_equal(tern__max_i64(-3, 2), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_add),      cmocka_unit_test(sizes_multiply),
        cmocka_unit_test(sizes_round_up), cmocka_unit_test(words_of_64_bits),
        cmocka_unit_test(small_helpers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
