/* SPDX-License-Identifier: MIT
 * Joining and rearranging against index maps over plain arrays, in random layouts of all types;
 * small cases written out; refusals; overlapping destinations; thread counts. */
#define FIXTURE_THREADS 2
#include "plain_fixture.h"

#include "tensor/op_table.h"

enum { ROUNDS = 400, PARTS = 6 };

static const char *describe(const char *name, int round, tern_dtype dtype) {
    static char text[96];
    snprintf(text, sizeof text, "%s, round %d, %s", name, round, tern_dtype_name(dtype));
    return text;
}

/* -- concat, stack -----------------------------------------------------------------------------*/

typedef struct joined {
    tern_tensor *parts[PARTS];
    int count, axis;
    bool is_stack;
} joined;

static tern_status join_into(void *user, tern_tensor *out) {
    joined *j = user;
    return (j->is_stack ? tern_stack_into : tern_concat_into)(j->parts, j->count, j->axis, out);
}

/* Every part is cast on its own, put where it belongs by an index map. */
static plain ref_join(const joined *j, tern_dtype dtype, tern_shape shape) {
    plain out = plain_new(dtype, shape);
    int64_t begin = 0;
    for (int k = 0; k < j->count; k++) {
        tern_tensor *part = NULL;
        test_ok(tern_cast(j->parts[k], dtype, &part));
        plain p = plain_of(part);
        for (int64_t i = 0; i < p.count; i++) {
            int64_t at[TERN_MAX_RANK + 1] = {0};
            plain_coordinates(&p.shape, i, at);
            if (j->is_stack) {
                memmove(at + j->axis + 1, at + j->axis,
                        sizeof(int64_t) * (size_t)(p.shape.rank - j->axis));
                at[j->axis] = k;
            } else {
                at[j->axis] += begin;
            }
            memcpy(plain_at(&out, plain_position(&shape, at, shape.rank)), plain_at(&p, i),
                   (size_t)p.size);
        }
        begin += j->is_stack ? 1 : p.shape.dims[j->axis];
        plain_free(&p);
        tern_tensor_release(part);
    }
    return out;
}

static void joins(void **state) {
    (void)state;
    test_random random = {.seed = 31};
    for (int round = 0; round < 2 * ROUNDS; round++) {
        joined j = {.count = (int)test_random_range(&random, 1, PARTS), .is_stack = round & 1};
        tern_dtype common = (tern_dtype)(round / 2 % PLAIN_TYPES), promoted = common;
        int rank = (int)test_random_range(&random, !j.is_stack, 4);
        bool is_mixed = one_in(&random, 2);
        tern_shape shape = random_shape(&random, rank, 5), whole = shape;
        j.axis = (int)test_random_range(&random, 0, rank - !j.is_stack);
        int64_t sum = 0;
        for (int k = 0; k < j.count; k++) {
            tern_dtype dtype =
                is_mixed ? (tern_dtype)test_random_range(&random, 0, PLAIN_TYPES - 1) : common;
            promoted = k == 0 ? dtype : tern__promote(promoted, dtype);
            if (!j.is_stack)
                shape.dims[j.axis] = test_random_range(&random, 0, 4);
            sum += j.is_stack ? 1 : shape.dims[j.axis];
            j.parts[k] = random_tensor(&random, dtype, shape);
        }
        if (j.is_stack) {
            memmove(whole.dims + j.axis + 1, whole.dims + j.axis,
                    sizeof(int64_t) * (size_t)(rank - j.axis));
            whole.rank++;
        }
        whole.dims[j.axis] = sum;
        plain expected = ref_join(&j, promoted, whole);
        const char *what = describe(j.is_stack ? "stack" : "concat", round, promoted);
        tern_tensor *out = NULL;
        int axis = j.axis - (one_in(&random, 2) ? whole.rank : 0);
        test_ok((j.is_stack ? tern_stack : tern_concat)(j.parts, j.count, axis, &out));
        check_result(tern_tensor_retain(out), &expected, what);
        check_into(&random, out, join_into, &j, what);
        for (int k = 0; k < j.count; k++)
            tern_tensor_release(j.parts[k]);
    }
}

/* -- one operand -------------------------------------------------------------------------------*/

typedef struct arranged {
    tern_tensor *x;
    int64_t before[TERN_MAX_RANK], after[TERN_MAX_RANK], number;
    tern_shape repeats;
    int axis;
    tern_pad_mode mode;
    double value;
} arranged;

static tern_status pad_into(void *user, tern_tensor *out) {
    arranged *a = user;
    return tern_pad_into(a->x, a->before, a->after, a->mode, a->value, out);
}

/* Where element i of a padded axis comes from; -1: the constant. */
static int64_t padded_from(tern_pad_mode mode, int64_t i, int64_t n) {
    if (mode == TERN_PAD_CONSTANT)
        return i < 0 || i >= n ? -1 : i;
    if (mode == TERN_PAD_EDGE || n == 1)
        return i < 0 ? 0 : i >= n ? n - 1 : i;
    int64_t period = 2 * (n - 1), place = (i % period + period) % period;
    return place < n ? place : period - place;
}

static void pads(void **state) {
    (void)state;
    test_random random = {.seed = 32};
    for (int round = 0; round < 3 * ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round / 3 % PLAIN_TYPES);
        arranged a = {.mode = (tern_pad_mode)(round % 3), .value = 3};
        int rank = (int)test_random_range(&random, 0, 4);
        tern_shape shape = random_shape(&random, rank, 4), wide = shape;
        for (int i = 0; i < rank; i++) {
            bool is_possible = a.mode == TERN_PAD_CONSTANT || shape.dims[i] > 0;
            a.before[i] = is_possible ? test_random_range(&random, 0, 4) : 0;
            a.after[i] = is_possible ? test_random_range(&random, 0, 9) : 0;
            wide.dims[i] += a.before[i] + a.after[i];
        }
        a.x = random_tensor(&random, dtype, shape);
        plain x = plain_of(a.x), expected = plain_new(dtype, wide);
        for (int64_t i = 0; i < expected.count; i++) {
            int64_t at[TERN_MAX_RANK];
            bool is_constant = false;
            plain_coordinates(&wide, i, at);
            for (int k = 0; k < rank; k++) {
                at[k] = padded_from(a.mode, at[k] - a.before[k], shape.dims[k]);
                is_constant |= at[k] < 0;
            }
            if (is_constant)
                element_set(dtype, plain_at(&expected, i), 3);
            else
                memcpy(plain_at(&expected, i), plain_at(&x, plain_position(&shape, at, rank)),
                       (size_t)x.size);
        }
        tern_tensor *out = NULL;
        test_ok(tern_pad(a.x, a.before, a.after, a.mode, a.value, &out));
        check_result(tern_tensor_retain(out), &expected, describe("pad", round, dtype));
        check_into(&random, out, pad_into, &a, "pad_into");
        plain_free(&x);
        tern_tensor_release(a.x);
    }
}

static tern_status tile_into(void *user, tern_tensor *out) {
    arranged *a = user;
    return tern_tile_into(a->x, a->repeats, out);
}

static void tiles(void **state) {
    (void)state;
    test_random random = {.seed = 33};
    for (int round = 0; round < ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        tern_shape shape = random_shape(&random, (int)test_random_range(&random, 0, 3), 4);
        arranged a = {.repeats = random_shape(&random, (int)test_random_range(&random, 0, 3), 7)};
        tern_shape whole = {.rank = shape.rank > a.repeats.rank ? shape.rank : a.repeats.rank};
        for (int back = 1; back <= whole.rank; back++)
            whole.dims[whole.rank - back] =
                (back <= shape.rank ? shape.dims[shape.rank - back] : 1) *
                (back <= a.repeats.rank ? a.repeats.dims[a.repeats.rank - back] : 1);
        a.x = random_tensor(&random, dtype, shape);
        plain x = plain_of(a.x), expected = plain_new(dtype, whole);
        for (int64_t i = 0; i < expected.count; i++) {
            int64_t at[TERN_MAX_RANK];
            plain_coordinates(&whole, i, at);
            for (int k = 0; k < shape.rank; k++)
                at[whole.rank - shape.rank + k] %= shape.dims[k];
            memcpy(plain_at(&expected, i), plain_at(&x, plain_position(&shape, at, whole.rank)),
                   (size_t)x.size);
        }
        tern_tensor *out = NULL;
        test_ok(tern_tile(a.x, a.repeats, &out));
        check_result(tern_tensor_retain(out), &expected, describe("tile", round, dtype));
        check_into(&random, out, tile_into, &a, "tile_into");
        plain_free(&x);
        tern_tensor_release(a.x);
    }
}

static tern_status repeat_into(void *user, tern_tensor *out) {
    arranged *a = user;
    return tern_repeat_into(a->x, a->number, a->axis, out);
}

static tern_status roll_into(void *user, tern_tensor *out) {
    arranged *a = user;
    return tern_roll_into(a->x, a->number, a->axis, out);
}

static plain ref_repeat(const plain *x, int64_t count, int axis) {
    tern_shape shape = axis == TERN_FLAT ? TERN_SHAPE(x->count) : x->shape;
    int at_axis = axis == TERN_FLAT ? 0 : axis;
    tern_shape whole = shape;
    whole.dims[at_axis] *= count;
    plain out = plain_new(x->dtype, whole);
    for (int64_t i = 0; i < out.count; i++) {
        int64_t at[TERN_MAX_RANK];
        plain_coordinates(&whole, i, at);
        at[at_axis] /= count;
        memcpy(plain_at(&out, i), plain_at(x, plain_position(&shape, at, shape.rank)),
               (size_t)x->size);
    }
    return out;
}

static plain ref_roll(const plain *x, int64_t shift, int axis) {
    tern_shape shape = axis == TERN_FLAT ? TERN_SHAPE(x->count) : x->shape;
    int at_axis = axis == TERN_FLAT ? 0 : axis;
    plain out = plain_new(x->dtype, x->shape);
    for (int64_t i = 0; i < out.count; i++) {
        int64_t at[TERN_MAX_RANK], n = shape.dims[at_axis];
        plain_coordinates(&shape, i, at);
        at[at_axis] = ((at[at_axis] + shift % n) % n + n) % n;
        memcpy(plain_at(&out, plain_position(&shape, at, shape.rank)), plain_at(x, i),
               (size_t)x->size);
    }
    return out;
}

/* Ranks up to the highest there is. */
static void repeats_and_rolls(void **state) {
    (void)state;
    test_random random = {.seed = 34};
    for (int round = 0; round < 2 * ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round / 2 % PLAIN_TYPES);
        bool is_roll = round & 1;
        int rank = (int)test_random_range(&random, 0, one_in(&random, 4) ? TERN_MAX_RANK : 4);
        tern_shape shape = random_shape(&random, rank, rank > 4 ? 2 : 5);
        bool is_flat = rank == 0 || one_in(&random, 3);
        arranged a = {.axis = is_flat ? TERN_FLAT : (int)test_random_range(&random, 0, rank - 1),
                      .number = test_random_range(&random, is_roll ? -20 : 0, is_roll ? 20 : 4),
                      .x = random_tensor(&random, dtype, shape)};
        plain x = plain_of(a.x);
        plain expected =
            is_roll ? ref_roll(&x, a.number, a.axis) : ref_repeat(&x, a.number, a.axis);
        const char *what = describe(is_roll ? "roll" : "repeat", round, dtype);
        tern_tensor *out = NULL;
        test_ok(is_roll ? tern_roll(a.x, a.number, a.axis, &out)
                        : tern_repeat(a.x, a.number, a.axis - (is_flat ? 0 : rank), &out));
        check_result(tern_tensor_retain(out), &expected, what);
        check_into(&random, out, is_roll ? roll_into : repeat_into, &a, what);
        plain_free(&x);
        tern_tensor_release(a.x);
    }
}

/* -- written out -------------------------------------------------------------------------------*/

static void literals(void **state) {
    (void)state;
    tern_tensor *x = tensor_from(TERN_I8, TERN_SHAPE(2, 2), 1, 2, 3, 4), *out = NULL;
    tern_tensor *row = tensor_from(TERN_U8, TERN_SHAPE(1, 2), 200, 6);
    tern_tensor *five = tensor_from(TERN_F32, TERN_SHAPE(5), 1, 2, 3, 4, 5);
    test_ok(tern_concat((tern_tensor *const[]){x, row}, 2, 0, &out));
    check_is(out, TERN_I16, TERN_SHAPE(3, 2), 1, 2, 3, 4, 200, 6);
    test_ok(tern_stack((tern_tensor *const[]){x, x}, 2, -1, &out));
    check_is(out, TERN_I8, TERN_SHAPE(2, 2, 2), 1, 1, 2, 2, 3, 3, 4, 4);
    test_ok(tern_pad(five, (const int64_t[]){2}, (const int64_t[]){3}, TERN_PAD_REFLECT, 0, &out));
    check_is(out, TERN_F32, TERN_SHAPE(10), 3, 2, 1, 2, 3, 4, 5, 4, 3, 2);
    test_ok(tern_pad(five, (const int64_t[]){2}, (const int64_t[]){3}, TERN_PAD_EDGE, 0, &out));
    check_is(out, TERN_F32, TERN_SHAPE(10), 1, 1, 1, 2, 3, 4, 5, 5, 5, 5);
    test_ok(tern_pad(x, (const int64_t[]){1, 0}, (const int64_t[]){0, 1}, TERN_PAD_CONSTANT, 7.9,
                     &out)); /* as a cast: truncated */
    check_is(out, TERN_I8, TERN_SHAPE(3, 3), 7, 7, 7, 1, 2, 7, 3, 4, 7);
    test_ok(tern_tile(x, TERN_SHAPE(2), &out));
    check_is(out, TERN_I8, TERN_SHAPE(2, 4), 1, 2, 1, 2, 3, 4, 3, 4);
    test_ok(tern_tile(x, TERN_SHAPE(2, 1), &out));
    check_is(out, TERN_I8, TERN_SHAPE(4, 2), 1, 2, 3, 4, 1, 2, 3, 4);
    test_ok(tern_repeat(x, 2, TERN_FLAT, &out));
    check_is(out, TERN_I8, TERN_SHAPE(8), 1, 1, 2, 2, 3, 3, 4, 4);
    test_ok(tern_repeat(x, 2, 0, &out));
    check_is(out, TERN_I8, TERN_SHAPE(4, 2), 1, 2, 1, 2, 3, 4, 3, 4);
    test_ok(tern_roll(five, 2, 0, &out));
    check_is(out, TERN_F32, TERN_SHAPE(5), 4, 5, 1, 2, 3);
    test_ok(tern_roll(five, INT64_MIN, 0, &out)); /* -2^63 is 2 modulo 5 */
    check_is(out, TERN_F32, TERN_SHAPE(5), 4, 5, 1, 2, 3);
    test_ok(tern_roll(x, 1, TERN_FLAT, &out));
    check_is(out, TERN_I8, TERN_SHAPE(2, 2), 4, 1, 2, 3);
    tern_tensor_release(x);
    tern_tensor_release(row);
    tern_tensor_release(five);
}

/* -- refusals ----------------------------------------------------------------------------------*/

static void refuse(tern_status status, tern_status expected, const char *text) {
    test_status(status, expected);
    if (strstr(tern_last_error(), text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", tern_last_error(), text);
}

static void misfits(void **state) {
    (void)state;
    tern_tensor *x = tensor_from(TERN_F32, TERN_SHAPE(2, 2), 1, 2, 3, 4), *out = NULL;
    tern_tensor *row = tensor_from(TERN_F32, TERN_SHAPE(3), 1, 2, 3), *deep = NULL, *empty = NULL;
    tern_tensor *number = tensor_from(TERN_F32, TERN_SHAPE(), 1), *vast = NULL;
    const int64_t none[] = {0, 0}, one[] = {1, 1}, minus[] = {0, -1}, most[] = {INT64_MAX, 0};
    tern_tensor *const pair[] = {x, row}, *const numbers[] = {number, number};
    refuse(tern_concat(pair, 2, 0, &out), TERN_E_SHAPE, "(2, 2) and (3,)");
    refuse(tern_concat(pair, 1, 2, &out), TERN_E_ARGUMENT, "axis 2");
    refuse(tern_concat(pair, 0, 0, &out), TERN_E_ARGUMENT, "0 tensors");
    refuse(tern_concat(numbers, 2, 0, &out), TERN_E_SHAPE, "rank 0");
    refuse(tern_concat_into(pair, 1, 0, row), TERN_E_SHAPE, "destination");
    refuse(tern_stack(pair, 2, 0, &out), TERN_E_SHAPE, "(2, 2) and (3,)");
    refuse(tern_stack(pair, 1, 3, &out), TERN_E_ARGUMENT, "axis 3");
    test_ok(tern_tensor_zeros(context, TERN_I8, TERN_SHAPE(1, 1, 1, 1, 1, 1, 1, 1), &deep));
    refuse(tern_stack(&deep, 1, 0, &out), TERN_E_SHAPE, "rank 9");
    refuse(tern_pad(x, none, minus, TERN_PAD_EDGE, 0, &out), TERN_E_ARGUMENT, "-1");
    refuse(tern_pad(x, most, one, TERN_PAD_EDGE, 0, &out), TERN_E_SHAPE, "too many");
    refuse(tern_pad(x, one, one, (tern_pad_mode)3, 0, &out), TERN_E_ARGUMENT, "mode 3");
    test_ok(tern_tensor_zeros(context, TERN_I8, TERN_SHAPE(2, 0), &empty));
    refuse(tern_pad(empty, none, one, TERN_PAD_REFLECT, 0, &out), TERN_E_SHAPE, "axis 1");
    refuse(tern_tile(x, TERN_SHAPE(-1), &out), TERN_E_ARGUMENT, "-1 times");
    refuse(tern_tile(x, TERN_SHAPE(INT64_MAX), &out), TERN_E_SHAPE, "too many");
    refuse(tern_tile(x, (tern_shape){.rank = 9}, &out), TERN_E_SHAPE, "rank 9");
    refuse(tern_repeat(x, -1, 0, &out), TERN_E_ARGUMENT, "-1 times");
    refuse(tern_repeat(x, INT64_MAX, TERN_FLAT, &out), TERN_E_SHAPE, "too many");
    refuse(tern_repeat(x, 1, 2, &out), TERN_E_ARGUMENT, "axis 2");
    refuse(tern_roll(number, 1, 0, &out), TERN_E_ARGUMENT, "axis 0");
    test_ok(tern_tensor_broadcast(number, TERN_SHAPE(INT64_MAX / 8), &vast));
    refuse(tern_concat((tern_tensor *const[]){vast, vast, vast, vast, vast, vast, vast, vast, vast},
                       9, 0, &out),
           TERN_E_SHAPE, "too many");
    assert_null(out);
    tern_tensor *const all[] = {x, row, deep, empty, number, vast};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tern_tensor_release(all[i]);
}

/* -- overlapping destinations ------------------------------------------------------------------*/

enum { POOL = 64, OVERLAPS = 3000 };

static void overlapping(void **state) {
    (void)state;
    test_random random = {.seed = 35};
    for (int round = 0; round < OVERLAPS; round++) {
        tern_tensor *vector = NULL, *out = NULL;
        test_ok(tern_tensor_randint(context, TERN_I16, TERN_SHAPE(POOL), -99, 99, (uint64_t)round,
                                    &vector));
        int64_t n = test_random_range(&random, 1, 8), m = test_random_range(&random, 1, 8);
        tern_tensor *x = random_slice(&random, vector, n), *y = random_slice(&random, vector, m);
        tern_tensor *const parts[] = {x, y, x};
        int kind = round % 5;
        int64_t lengths[] = {2 * n + m, n + m, 3 * n, 2 * n, n};
        tern_tensor *to = random_slice(&random, vector, lengths[kind]);
        plain expected;
#define BOTH(name, ...)                                                                            \
    (test_ok(tern_##name(__VA_ARGS__, &out)), expected = plain_of(out),                            \
     test_ok(tern_##name##_into(__VA_ARGS__, to)))
        if (kind == 0)
            BOTH(concat, parts, 3, 0);
        else if (kind == 1)
            BOTH(pad, x, &m, (const int64_t[]){0}, TERN_PAD_REFLECT, 0);
        else if (kind == 2)
            BOTH(tile, x, TERN_SHAPE(3));
        else if (kind == 3)
            BOTH(repeat, x, 2, 0);
        else
            BOTH(roll, x, 3, one_in(&random, 2) ? TERN_FLAT : 0);
#undef BOTH
        check_result(to, &expected, describe("overlapping", round, TERN_I16));
        tern_tensor_release(vector);
        tern_tensor_release(out);
        tern_tensor_release(x);
        tern_tensor_release(y);
    }
}

/* -- counts, threads ---------------------------------------------------------------------------*/

/* No intermediate tensor: the most memory that is in use is that of the result and a view or two.
 */
static void nothing_between(void **state) {
    (void)state;
    tern_tensor *x = NULL, *turned = NULL, *out = NULL;
    tern_context *c = NULL;
    tern_stats stats;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &c));
    test_ok(tern_tensor_zeros(c, TERN_F32, TERN_SHAPE(100, 100), &x));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    tern_stats_reset(c);
    test_ok(tern_concat((tern_tensor *const[]){x, turned, x}, 3, 1, &out));
    tern_stats_get(c, &stats);
    assert_int_equal(stats.total.calls[TERN_CLASS_MOVE], 1);
    assert_int_equal(stats.total.bytes[TERN_CLASS_MOVE], 2 * 3 * 40000);
    assert_int_equal(stats.total.calls[TERN_CLASS_VIEW] + stats.total.calls[TERN_CLASS_COPY], 0);
    assert_true(tern_context_memory(c).peak_bytes < 40000 + 120000 + 2000);
    tern_tensor_release(out);
    tern_tensor_release(turned);
    tern_tensor_release(x);
    tern_context_destroy(c);
}

enum { THREADED = 7 };

static void run_threaded(tern_context *c, tern_tensor **out) {
    tern_tensor *x = NULL, *turned = NULL;
    test_ok(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(300, 400), 1, &x));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    test_ok(tern_concat((tern_tensor *const[]){turned, turned}, 2, 1, &out[0]));
    test_ok(tern_stack((tern_tensor *const[]){turned, turned}, 2, 1, &out[1]));
    test_ok(tern_pad(turned, (const int64_t[]){500, 7}, (const int64_t[]){3, 2}, TERN_PAD_REFLECT,
                     0, &out[2]));
    test_ok(tern_tile(turned, TERN_SHAPE(2, 3), &out[3]));
    test_ok(tern_repeat(turned, 3, 1, &out[4]));
    test_ok(tern_roll(turned, 7777, TERN_FLAT, &out[5]));
    test_ok(tern_roll(turned, -33, 0, &out[6]));
    tern_tensor_release(turned);
    tern_tensor_release(x);
}

static void threads(void **state) {
    (void)state;
    plain_same_on_threads(run_threaded, THREADED);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, nothing_alive)
    const struct CMUnitTest tests[] = {
        TEST(joins),    TEST(pads),    TEST(tiles),       TEST(repeats_and_rolls),
        TEST(literals), TEST(misfits), TEST(overlapping), TEST(nothing_between),
        TEST(threads),
    };
#undef TEST
    return cmocka_run_group_tests(tests, open_context, close_context);
}
