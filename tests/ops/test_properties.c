/* SPDX-License-Identifier: MIT
 * What holds for any operands: broadcasting is repeating, a view is as good as its copy, pairs of
 * operations undo each other, integers may be reduced axis by axis. Random shapes and views. */
#define FIXTURE_THREADS 2
#include "context_fixture.h"

#include <math.h>

#include <tern/ops.h>

#include "op_lists.h"
#include "tensor/dtype.h"

enum { ROUNDS = 500 };

static const tern_dtype types[] = {TERN_F32, TERN_F64, TERN_F16, TERN_BF16, TERN_I8,
                                   TERN_U8,  TERN_I32, TERN_I64, TERN_BOOL};

/* -- random operands ---------------------------------------------------------------------------*/

static tern_shape random_shape(test_random *random, int lowest_rank, int highest_rank) {
    tern_shape shape = {.rank = (int)test_random_range(random, lowest_rank, highest_rank)};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = test_random_range(random, 1, 6);
    return shape;
}

/* Numbers of about one, positive and negative. */
static tern_tensor *random_tensor(test_random *random, tern_dtype dtype, tern_shape shape) {
    tern_tensor *t = NULL, *other = NULL;
    uint64_t seed = test_random_u32(random);
    bool is_signed = dtype != TERN_U8 && dtype != TERN_BOOL;
    if (tern__dtype(dtype)->is_float)
        test_ok(tern_tensor_randn(context, dtype, shape, seed, &t));
    else
        test_ok(tern_tensor_randint(context, TERN_I64, shape, is_signed ? -7 : 0,
                                    dtype == TERN_BOOL ? 2 : 9, seed, &other));
    if (other != NULL)
        test_ok(tern_cast(other, dtype, &t));
    return t;
}

/* One step from a tensor to a view of it. */
static tern_tensor *random_step(test_random *random, tern_tensor *t) {
    int rank = tern_tensor_rank(t), axis = (int)test_random_range(random, 0, rank - 1);
    int64_t n = tern_tensor_dim(t, axis), begin = test_random_range(random, 0, n - 1);
    tern_tensor *view = NULL;
    switch (test_random_u32(random) % 5) {
    case 0:
        test_ok(tern_tensor_transpose(t, axis, 0, &view));
        break;
    case 1:
        test_ok(tern_tensor_flip(t, TERN_AXES(axis), &view));
        break;
    case 2:
        test_ok(tern_tensor_slice(t, axis, begin, n, test_random_range(random, 1, 3), &view));
        break;
    case 3:
        test_ok(tern_tensor_slice(t, axis, begin, begin + 1, 1, &view));
        tern_shape shape = tern_tensor_shape(t);
        test_ok(tern_tensor_broadcast(view, shape, &view));
        break;
    default:
        test_ok(tern_tensor_unfold(t, axis, n > 1 ? 2 : 1, 1, &view));
        break;
    }
    return view;
}

static tern_tensor *random_view(test_random *random, tern_dtype dtype) {
    tern_tensor *t = random_tensor(random, dtype, random_shape(random, 1, 4));
    int steps = (int)test_random_range(random, 1, 3);
    for (int i = 0; i < steps; i++)
        t = random_step(random, t);
    return t;
}

static tern_tensor *copy_of(tern_tensor *t) {
    tern_tensor *copy = NULL;
    test_ok(tern_clone(t, &copy));
    return copy;
}

/* The same type, shape and bits; any NaN equals any. */
static void same(tern_tensor *got, tern_tensor *expected, const char *what, uint64_t seed) {
    tern_tensor *a = NULL, *b = NULL;
    assert_int_equal(tern_tensor_dtype(got), tern_tensor_dtype(expected));
    assert_int_equal(tern_tensor_rank(got), tern_tensor_rank(expected));
    for (int i = 0; i < tern_tensor_rank(got); i++)
        assert_int_equal(tern_tensor_dim(got, i), tern_tensor_dim(expected, i));
    test_ok(tern_contiguous(got, &a));
    test_ok(tern_contiguous(expected, &b));
    if (tern_tensor_bytes(a) == 0 ||
        memcmp(tern_tensor_data(a), tern_tensor_data(b), tern_tensor_bytes(a)) == 0)
        return;
    bool is_equal = false;
    if (tern__dtype(tern_tensor_dtype(a))->is_float)
        test_ok(tern_allclose(a, b, 0, 0, true, &is_equal)); /* zeros of both signs too */
    if (!is_equal)
        fail_msg("%s of %s, seed %llu", what, tern_dtype_name(tern_tensor_dtype(a)),
                 (unsigned long long)seed);
}

/* -- operations by name ------------------------------------------------------------------------*/

typedef tern_status (*unary)(tern_tensor *x, tern_tensor **out);
typedef tern_status (*binary)(tern_tensor *a, tern_tensor *b, tern_tensor **out);
typedef tern_status (*reduction)(tern_tensor *x, tern_axes axes, bool keepdims, tern_tensor **out);
typedef tern_status (*along)(tern_tensor *x, int axis, tern_tensor **out);

#define ENTRY(name) {#name, (tern_##name)},

static const struct {
    const char *name;
    unary call;
} unaries[] = {OP_UNARY(ENTRY)};

static const struct {
    const char *name;
    binary call;
} binaries[] = {OP_BINARY(ENTRY)};

static const struct {
    const char *name;
    reduction call;
} reductions[] = {OP_REDUCTION(ENTRY)};

static const struct {
    const char *name;
    along call;
} alongs[] = {OP_ALONG(ENTRY)};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* Both calls are refused alike, or their results are the same. */
static void alike(tern_status a, tern_tensor *got, tern_status b, tern_tensor *expected,
                  const char *what, uint64_t seed) {
    if (a != b)
        fail_msg("%s: %s and %s, seed %llu", what, tern_status_name(a), tern_status_name(b),
                 (unsigned long long)seed);
    if (a == TERN_OK)
        same(got, expected, what, seed);
}

/* -- views -------------------------------------------------------------------------------------*/

static void views_are_their_copies(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        test_random random = {.seed = seed};
        tern_scope_begin(context);
        tern_dtype dtype = types[seed % COUNT(types)];
        tern_tensor *x = random_view(&random, dtype), *copy = copy_of(x), *a = NULL, *b = NULL;
        int axis = (int)test_random_range(&random, 0, tern_tensor_rank(x) - 1);
        for (size_t i = 0; i < COUNT(unaries); i++) {
            tern_status got = unaries[i].call(x, &a), expected = unaries[i].call(copy, &b);
            alike(got, a, expected, b, unaries[i].name, seed);
        }
        for (size_t i = 0; i < COUNT(reductions); i++) {
            tern_status got = reductions[i].call(x, TERN_AXES(axis), false, &a);
            tern_status expected = reductions[i].call(copy, TERN_AXES(axis), false, &b);
            alike(got, a, expected, b, reductions[i].name, seed);
            got = reductions[i].call(x, TERN_ALL_AXES, true, &a);
            expected = reductions[i].call(copy, TERN_ALL_AXES, true, &b);
            alike(got, a, expected, b, reductions[i].name, seed);
        }
        for (size_t i = 0; i < COUNT(alongs); i++) {
            tern_status got = alongs[i].call(x, axis, &a),
                        expected = alongs[i].call(copy, axis, &b);
            alike(got, a, expected, b, alongs[i].name, seed);
        }
        tern_scope_end(context);
    }
}

/* -- broadcasting ------------------------------------------------------------------------------*/

/* A tensor whose shape broadcasts to `shape`. */
static tern_tensor *random_part(test_random *random, tern_dtype dtype, const tern_shape *shape) {
    int dropped = (int)test_random_range(random, 0, shape->rank);
    tern_shape part = {.rank = shape->rank - dropped};
    for (int i = 0; i < part.rank; i++)
        part.dims[i] = test_random_u32(random) % 3 == 0 ? 1 : shape->dims[dropped + i];
    return random_tensor(random, dtype, part);
}

static bool is_commutative(const char *name) {
    const char *names[] = {"add",     "mul",        "minimum",     "maximum",
                           "equal",   "not_equal",  "bit_or",      "bit_and",
                           "bit_xor", "logical_or", "logical_and", "logical_xor"};
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void broadcasting_repeats(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        test_random random = {.seed = seed};
        tern_scope_begin(context);
        tern_dtype first = types[seed % COUNT(types)];
        tern_dtype second = types[test_random_u32(&random) % COUNT(types)];
        tern_shape shape = random_shape(&random, 1, 4);
        tern_tensor *a = random_part(&random, first, &shape), *whole_a = NULL;
        tern_tensor *b = random_part(&random, second, &shape), *whole_b = NULL;
        tern_tensor *got = NULL, *expected = NULL, *joined = NULL;
        test_ok(tern_equal(a, b, &joined)); /* has the shape of both together */
        test_ok(tern_tensor_broadcast(a, tern_tensor_shape(joined), &whole_a));
        test_ok(tern_tensor_broadcast(b, tern_tensor_shape(joined), &whole_b));
        for (size_t i = 0; i < COUNT(binaries); i++) {
            tern_status got_status = binaries[i].call(a, b, &got);
            tern_status status = binaries[i].call(whole_a, whole_b, &expected);
            alike(got_status, got, status, expected, binaries[i].name, seed);
            status = binaries[i].call(copy_of(whole_a), copy_of(whole_b), &expected);
            alike(got_status, got, status, expected, binaries[i].name, seed);
            if (!is_commutative(binaries[i].name))
                continue;
            status = binaries[i].call(b, a, &expected);
            alike(got_status, got, status, expected, binaries[i].name, seed);
        }
        tern_scope_end(context);
    }
}

/* -- pairs that undo each other ----------------------------------------------------------------*/

static void functions_and_inverses(void **state) {
    (void)state;
    const struct {
        const char *name;
        unary there, back;
    } pairs[] = {{"log exp", tern_exp, tern_log},
                 {"log1p expm1", tern_expm1, tern_log1p},
                 {"asin sin", tern_sin, tern_asin},
                 {"atan tan", tern_tan, tern_atan},
                 {"neg neg", tern_neg, tern_neg},
                 {"square sqrt", tern_square, tern_sqrt},
                 {"1 / 1 / x", tern_reciprocal, tern_reciprocal}};
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        tern_scope_begin(context);
        tern_tensor *x = NULL, *there = NULL, *back = NULL;
        test_ok(tern_tensor_rand(context, TERN_F64, TERN_SHAPE(50), seed, &x));
        for (size_t i = 0; i < COUNT(pairs); i++) {
            bool is_close = false;
            test_ok(pairs[i].there(x, &there));
            test_ok(pairs[i].back(there, &back));
            /* Numbers in [0, 1): the slopes of these inverses are below 2. */
            test_ok(tern_allclose(back, x, 0x1p-49, 0x1p-50, false, &is_close));
            if (!is_close)
                fail_msg("%s, seed %llu", pairs[i].name, (unsigned long long)seed);
        }
        tern_scope_end(context);
    }
}

static void moves_and_moves_back(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        test_random random = {.seed = seed};
        tern_scope_begin(context);
        tern_tensor *x = random_view(&random, types[seed % COUNT(types)]), *y = NULL, *z = NULL;
        int rank = tern_tensor_rank(x), axis = (int)test_random_range(&random, 0, rank - 1);
        int64_t n = tern_tensor_dim(x, axis), shift = test_random_range(&random, -9, 9);
        test_ok(tern_roll(x, shift, axis, &y));
        test_ok(tern_roll(y, -shift, axis, &z));
        same(z, x, "roll back", seed);
        int order[TERN_MAX_RANK], inverse[TERN_MAX_RANK];
        for (int i = 0; i < rank; i++)
            order[i] = (i + axis) % rank;
        for (int i = 0; i < rank; i++)
            inverse[order[i]] = i;
        test_ok(tern_tensor_permute(x, order, &y));
        test_ok(tern_tensor_permute(y, inverse, &z));
        same(z, x, "permute back", seed);
        int64_t before[TERN_MAX_RANK] = {0}, after[TERN_MAX_RANK] = {0};
        before[axis] = test_random_range(&random, 0, 3);
        after[axis] = test_random_range(&random, 0, 3);
        test_ok(tern_pad(x, before, after, TERN_PAD_EDGE, 0, &y));
        test_ok(tern_tensor_slice(y, axis, before[axis], before[axis] + n, 1, &z));
        same(z, x, "pad and slice", seed);
        int64_t cut = test_random_range(&random, 0, n);
        tern_tensor *parts[2] = {NULL};
        test_ok(tern_split(x, (const int64_t[]){cut, n - cut}, 2, axis, parts));
        test_ok(tern_concat(parts, 2, axis, &z));
        same(z, x, "split and concat", seed);
        test_ok(tern_repeat(x, 3, axis, &y));
        test_ok(tern_tensor_slice(y, axis, 0, INT64_MAX, 3, &z));
        same(z, x, "repeat and slice", seed);
        tern_scope_end(context);
    }
}

static void order_and_places(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        test_random random = {.seed = seed};
        tern_scope_begin(context);
        tern_tensor *x = random_view(&random, types[seed % COUNT(types)]), *sorted = NULL;
        tern_tensor *order = NULL, *y = NULL, *z = NULL, *empty = NULL;
        int axis = (int)test_random_range(&random, 0, tern_tensor_rank(x) - 1);
        bool descending = seed % 2 != 0;
        test_ok(tern_sort(x, axis, descending, &sorted));
        test_ok(tern_argsort(x, axis, descending, &order));
        test_ok(tern_gather(x, axis, order, &y));
        same(y, sorted, "gather by argsort", seed);
        test_ok(tern_tensor_zeros_like(copy_of(x), &empty));
        test_ok(tern_scatter(empty, axis, order, sorted, &z));
        same(z, x, "scatter by argsort", seed);
        tern_tensor *values = NULL, *inverse = NULL, *counts = NULL;
        test_ok(tern_unique(x, &values, &inverse, &counts));
        test_ok(tern_take(values, inverse, &y));
        same(y, x, "unique and its inverse", seed);
        tern_scope_end(context);
    }
}

/* -- integers in any order ---------------------------------------------------------------------*/

static void integers_axis_by_axis(void **state) {
    (void)state;
    const struct {
        const char *name;
        reduction call;
    } exact[] = {{"sum", tern_sum}, {"prod", tern_prod}, {"min", tern_min},
                 {"max", tern_max}, {"any", tern_any},   {"all", tern_all}};
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        test_random random = {.seed = seed};
        tern_scope_begin(context);
        tern_tensor *x = random_tensor(&random, types[4 + seed % 5], random_shape(&random, 2, 4));
        tern_tensor *at_once = NULL, *first = NULL, *second = NULL;
        int rank = tern_tensor_rank(x), low = (int)test_random_range(&random, 0, rank - 2);
        int high = (int)test_random_range(&random, low + 1, rank - 1);
        x = random_step(&random, x);
        for (size_t i = 0; i < COUNT(exact); i++) {
            test_ok(exact[i].call(x, TERN_AXES(low, high), false, &at_once));
            test_ok(exact[i].call(x, TERN_AXES(high), false, &first));
            test_ok(exact[i].call(first, TERN_AXES(low), false, &second));
            same(second, at_once, exact[i].name, seed);
        }
        /* Differences of running sums are the elements. */
        int64_t n = tern_tensor_dim(x, low);
        tern_tensor *wide = NULL, *running = NULL, *front = NULL, *behind = NULL, *rest = NULL;
        test_ok(tern_cast(x, TERN_I64, &wide));
        test_ok(tern_cumsum(wide, low, &running));
        test_ok(tern_tensor_slice(running, low, 0, n - 1, 1, &front));
        test_ok(tern_tensor_slice(running, low, 1, n, 1, &behind));
        test_ok(tern_sub(behind, front, &first));
        test_ok(tern_tensor_slice(wide, low, 1, n, 1, &rest));
        same(first, rest, "differences of cumsum", seed);
        tern_scope_end(context);
    }
}

/* -- random matrices ---------------------------------------------------------------------------*/

/* Row r depends on seed and r only, and has trits of all three kinds. */
static void packed_rows_of_their_own(void **state) {
    (void)state;
    enum { COLUMNS = 96 };
    tern_tensor *eye = NULL, *few = NULL, *many = NULL, *a = NULL, *b = NULL, *cut = NULL;
    tern_scope_begin(context);
    test_ok(tern_tensor_eye(context, TERN_F32, COLUMNS, COLUMNS, 0, &eye));
    test_ok(tern_scale_into(eye, 127, eye));
    test_ok(tern_tensor_pack_random(context, 5, COLUMNS, 0.5f, 7, &few));
    test_ok(tern_tensor_pack_random(context, 40, COLUMNS, 0.5f, 7, &many));
    test_ok(tern_linear(eye, few, &a));
    test_ok(tern_linear(eye, many, &b));
    test_ok(tern_tensor_slice(b, 1, 0, 5, 1, &cut));
    same(a, cut, "rows of a random matrix", 7);
    const float *x = tern_tensor_data(b);
    int counts[3] = {0};
    for (int i = 0; i < 40 * COLUMNS; i++) {
        int trit = (int)(x[i] / 63.5f);
        assert_true(x[i] == (float)trit * 63.5f && trit >= -1 && trit <= 1);
        counts[trit + 1]++;
    }
    for (int i = 0; i < 3; i++) /* 1280 each, give or take five deviations of 29 */
        assert_in_range(counts[i], 1135, 1425);
    tern_scope_end(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(views_are_their_copies, nothing_alive),
        cmocka_unit_test_teardown(broadcasting_repeats, nothing_alive),
        cmocka_unit_test_teardown(functions_and_inverses, nothing_alive),
        cmocka_unit_test_teardown(moves_and_moves_back, nothing_alive),
        cmocka_unit_test_teardown(order_and_places, nothing_alive),
        cmocka_unit_test_teardown(integers_axis_by_axis, nothing_alive),
        cmocka_unit_test_teardown(packed_rows_of_their_own, nothing_alive),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
