/* SPDX-License-Identifier: MIT
 * The way from a call to its result: how each call is counted (its class, its bytes), which
 * destinations are reached through a temporary tensor, and the rates made of all that. */
#define FIXTURE_THREADS 2
#include "context_fixture.h"

#include "ops/op_values.h"
#include "tensor/tensor.h"

/* Since the last reset the operation was called once, in this class, and counted these bytes; the
 * next case begins. */
static void expect_one(tern__op op, tern_op_class op_class, int64_t bytes) {
    tern_op_stats stats;
    tern_stats_op(context, (int)op, &stats);
    for (int i = 0; i < TERN_CLASSES; i++)
        if (stats.calls[i] != (i == (int)op_class) ||
            stats.bytes[i] != (i == (int)op_class ? bytes : 0))
            fail_msg("%s: %lld calls and %lld bytes of class %d", tern_op_at((int)op)->name,
                     (long long)stats.calls[i], (long long)stats.bytes[i], i);
    tern_stats_reset(context);
}

static tern_tensor *range(int64_t begin, int64_t end) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_arange(context, TERN_F32, (double)begin, (double)end, 1, &t));
    return t;
}

/* Elements first, first + step, ... of a vector. */
static tern_tensor *part(tern_tensor *t, int64_t first, int64_t end, int64_t step) {
    tern_tensor *out = NULL;
    test_ok(tern_tensor_slice(t, 0, first, end, step, &out));
    return out;
}

/* -- classes and bytes -------------------------------------------------------------------------*/

static void computed(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(3, 4), 1), *row = normal(TERN_SHAPE(4), 2), *y = NULL;
    tern_tensor *repeated = NULL;
    tern_stats_reset(context);
    test_ok(tern_neg(x, &y));
    expect_one(TERN__OP_NEG, TERN_CLASS_COMPUTE, 48 + 48);
    test_ok(tern_add(x, row, &y));
    expect_one(TERN__OP_ADD, TERN_CLASS_COMPUTE, 48 + 16 + 48);
    test_ok(tern_neg_into(x, y));
    expect_one(TERN__OP_NEG, TERN_CLASS_COMPUTE, 48 + 48);
    test_ok(tern_neg_into(x, x));
    expect_one(TERN__OP_NEG, TERN_CLASS_IN_PLACE, 48 + 48);
    test_ok(tern_add_into(row, x, x));
    expect_one(TERN__OP_ADD, TERN_CLASS_IN_PLACE, 16 + 48 + 48);
    test_ok(tern_tensor_broadcast(row, TERN_SHAPE(3, 4), &repeated));
    tern_stats_reset(context);
    test_ok(tern_less(x, repeated, &y));
    expect_one(TERN__OP_LESS, TERN_CLASS_COMPUTE, 48 + 48 + 12);
    test_ok(tern_neg(normal(TERN_SHAPE(0, 4), 3), &y));
    expect_one(TERN__OP_NEG, TERN_CLASS_COMPUTE, 0);
    tern_tensor *grads[3] = {NULL};
    test_ok(tern_layer_norm_backward(x, x, row, 1, &grads[0], &grads[1], &grads[2]));
    expect_one(TERN__OP_LAYER_NORM_BACKWARD, TERN_CLASS_COMPUTE, 48 + 48 + 16 + 48 + 16 + 16);
}

/* The step of an axis of one element says nothing. */
static void in_place_by_other_steps(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(3, 4), 4), *first = NULL, *row = NULL;
    test_ok(tern_tensor_slice(x, 0, 0, 1, 1, &first));
    test_ok(tern_tensor_select(x, 0, 0, &row));
    test_ok(tern_tensor_unsqueeze(row, 0, &row));
    tern_stats_reset(context);
    test_ok(tern_neg_into(row, first));
    expect_one(TERN__OP_NEG, TERN_CLASS_IN_PLACE, 16 + 16);
}

/* Of what was staged or went through a temporary tensor, the bytes that were moved. */
static void copied(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(4, 4), 5), *y = NULL, *turned_x = turned(x, 0, 1);
    tern_tensor *stepped_y = stepped(TERN_F32, TERN_SHAPE(4, 4), 6);
    tern_tensor *wide = numbers_of(TERN_F64, TERN_SHAPE(2, 4), 7);
    tern_tensor *weight = normal(TERN_SHAPE(3, 4), 8);
    tern_stats_reset(context);
    test_ok(tern_neg_into(x, turned_x));
    expect_one(TERN__OP_NEG, TERN_CLASS_COPY, 64);
    test_ok(tern_dropout_into(x, 0.5, 1, stepped_y));
    expect_one(TERN__OP_DROPOUT, TERN_CLASS_COPY, 64);
    test_ok(tern_matmul(wide, x, &y));
    expect_one(TERN__OP_MATMUL, TERN_CLASS_COPY, 16 * 8);
    test_ok(tern_einsum("ij,jk", wide, x, &y));
    expect_one(TERN__OP_EINSUM, TERN_CLASS_COPY, 16 * 8);
    test_ok(tern_linear(turned_x, weight, &y));
    expect_one(TERN__OP_LINEAR, TERN_CLASS_COPY, 64);
    tern_tensor *to = stepped(TERN_F32, TERN_SHAPE(4, 3), 9);
    tern_stats_reset(context);
    test_ok(tern_linear_into(turned_x, weight, to));
    expect_one(TERN__OP_LINEAR, TERN_CLASS_COPY, 64 + 48);
    test_ok(tern_copy(x, stepped_y));
    expect_one(TERN__OP_COPY, TERN_CLASS_COPY, 64);
    test_ok(tern_copy(x, turned_x)); /* by a detour */
    expect_one(TERN__OP_COPY, TERN_CLASS_COPY, 64);
    test_ok(tern_clone(turned_x, &y));
    expect_one(TERN__OP_CLONE, TERN_CLASS_COPY, 64);
    test_ok(tern_copy(wide, stepped(TERN_F32, TERN_SHAPE(2, 4), 10)));
    expect_one(TERN__OP_CAST, TERN_CLASS_COMPUTE, 64 + 32);
}

/* Operations that are there to move data stay what they are, also by a detour; views move none. */
static void moved_and_viewed(void **state) {
    (void)state;
    const int64_t places[] = {3, 1};
    tern_tensor *x = range(0, 5), *index = integers_of(TERN_SHAPE(2), places), *y = NULL;
    tern_stats_reset(context);
    test_ok(tern_take(x, index, &y));
    expect_one(TERN__OP_TAKE, TERN_CLASS_MOVE, 8 + 16 + 8);
    y = part(x, 2, 4, 1);
    tern_stats_reset(context);
    test_ok(tern_take_into(x, index, y));
    expect_one(TERN__OP_TAKE, TERN_CLASS_MOVE, 8 + 16 + 8);
    test_ok(tern_contiguous(x, &y));
    expect_one(TERN__OP_CONTIGUOUS, TERN_CLASS_VIEW, 0);
    test_ok(tern_tensor_reshape(x, TERN_SHAPE(5, 1), &y));
    expect_one(TERN__OP_RESHAPE, TERN_CLASS_VIEW, 0);
}

/* -- overlaps ----------------------------------------------------------------------------------*/

/* neg of elements of one vector into others of it: right whatever both share, and a copy exactly
 * when they share memory. */
static void check_overlap(const int64_t from[3], const int64_t to[3], bool is_copy) {
    tern_tensor *x = range(0, 12), *source = part(x, from[0], from[1], from[2]), *expected = NULL;
    tern_tensor *target = part(x, to[0], to[1], to[2]), *got = NULL;
    bool is_equal = false;
    test_ok(tern_neg(source, &expected));
    tern_stats_reset(context);
    test_ok(tern_neg_into(source, target));
    int64_t bytes = (int64_t)tern_tensor_bytes(target);
    expect_one(TERN__OP_NEG, is_copy ? TERN_CLASS_COPY : TERN_CLASS_COMPUTE,
               is_copy ? bytes : 2 * bytes);
    test_ok(tern_clone(target, &got));
    test_ok(tern_array_equal(got, expected, &is_equal));
    assert_true(is_equal);
}

static void overlaps_are_seen(void **state) {
    (void)state;
    const int64_t low = INT64_MIN;
    check_overlap((const int64_t[]){0, 4, 1}, (const int64_t[]){4, 8, 1}, false);
    check_overlap((const int64_t[]){0, 4, 1}, (const int64_t[]){3, 7, 1}, true);
    check_overlap((const int64_t[]){3, 7, 1}, (const int64_t[]){0, 4, 1}, true);
    check_overlap((const int64_t[]){3, low, -1}, (const int64_t[]){4, 8, 1}, false);
    check_overlap((const int64_t[]){4, 8, 1}, (const int64_t[]){3, low, -1}, false);
    check_overlap((const int64_t[]){6, 2, -1}, (const int64_t[]){0, 4, 1}, true);
    check_overlap((const int64_t[]){6, 3, -1}, (const int64_t[]){2, 5, 1}, true);
    check_overlap((const int64_t[]){2, 5, 1}, (const int64_t[]){6, 3, -1}, true);
    check_overlap((const int64_t[]){0, 7, 2}, (const int64_t[]){6, 10, 1}, true);
    check_overlap((const int64_t[]){0, 6, 2}, (const int64_t[]){5, 8, 1}, false);
}

/* A destination without elements has none that share memory. */
static void empty_destination(void **state) {
    (void)state;
    tern_tensor *one = range(0, 1), *to = NULL;
    test_ok(tern_tensor_broadcast(one, TERN_SHAPE(3), &to));
    test_status(tern_neg_into(range(0, 3), to), TERN_E_ARGUMENT);
    test_ok(tern_tensor_broadcast(one, TERN_SHAPE(0, 3), &to));
    test_ok(tern_neg_into(normal(TERN_SHAPE(0, 3), 11), to));
}

/* -- statistics --------------------------------------------------------------------------------*/

static void rates(void **state) {
    (void)state;
    tern_tensor *x = normal(TERN_SHAPE(4, 4), 12), *y = NULL, *turned_x = turned(x, 0, 1);
    const int64_t places[] = {3, 1};
    tern_tensor *index = integers_of(TERN_SHAPE(2), places);
    tern_stats stats;
    tern_stats_reset(context);
    tern_stats_get(context, &stats);
    assert_true(stats.zero_copy_rate == 1 && stats.zero_copy_no_views == 1 &&
                stats.zero_copy_byte_rate == 1 && stats.packed_bytes == 0);
    test_ok(tern_neg(x, &y));          /* 128 bytes */
    test_ok(tern_neg_into(x, x));      /* 128 */
    test_ok(tern_clone(turned_x, &y)); /* 64, the copy */
    test_ok(tern_tensor_reshape(x, TERN_SHAPE(16), &y));
    test_ok(tern_take(x, index, &y)); /* moves data: apart */
    tern_stats_get(context, &stats);
    assert_true(stats.zero_copy_rate == 1 - 1.0 / 4);
    assert_true(stats.zero_copy_no_views == 1 - 1.0 / 3);
    assert_true(stats.zero_copy_byte_rate == 1 - 64.0 / 320);
    assert_int_equal(stats.total.calls[TERN_CLASS_MOVE], 1);
    assert_int_equal(stats.total.bytes[TERN_CLASS_MOVE], 8 + 16 + 8);
    test_ok(tern_matmul(normal(TERN_SHAPE(64, 64), 13), normal(TERN_SHAPE(64, 64), 14), &y));
    tern_stats_get(context, &stats);
    assert_true(stats.packed_bytes >= 64 * 64 * 4);
    tern_stats_reset(context);
    tern_stats_get(context, &stats);
    assert_int_equal(stats.packed_bytes, 0);
    for (int i = 0; i < TERN_CLASSES; i++)
        assert_true(stats.total.calls[i] == 0 && stats.total.bytes[i] == 0);
}

/* Numbers that are no operation's have no statistics. */
static void no_operation(void **state) {
    (void)state;
    const int numbers[] = {-1, tern_op_count(), INT32_MAX};
    for (int k = 0; k < 3; k++) {
        tern_op_stats stats;
        memset(&stats, 1, sizeof stats);
        tern_stats_op(context, numbers[k], &stats);
        for (int i = 0; i < TERN_CLASSES; i++)
            assert_true(stats.calls[i] == 0 && stats.bytes[i] == 0);
        assert_null(tern_op_at(numbers[k]));
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_scope, end_scope)
    const struct CMUnitTest tests[] = {
        TEST(computed),
        TEST(in_place_by_other_steps),
        TEST(copied),
        TEST(moved_and_viewed),
        TEST(overlaps_are_seen),
        TEST(empty_destination),
        TEST(rates),
        TEST(no_operation),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
