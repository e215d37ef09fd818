/* SPDX-License-Identifier: MIT
 * Operations by index against loops over plain arrays, in random layouts of all types; small cases
 * written out; refusals; overlapping destinations; thread counts. */
#define FIXTURE_THREADS 2
#include "plain_fixture.h"

enum { ROUNDS = 400 };

static const char *describe(const char *name, int round, tern_dtype dtype) {
    static char text[96];
    snprintf(text, sizeof text, "%s, round %d, %s", name, round, tern_dtype_name(dtype));
    return text;
}

/* Small ones of every kind, and now and then one that is worth several threads. */
static tern_shape any_shape(test_random *random, int round, int least_rank, int64_t largest) {
    if (round % 80 == 9)
        return TERN_SHAPE(300, 150);
    return random_shape(random, (int)test_random_range(random, least_rank, 4), largest);
}

static int64_t any_length(test_random *random, int64_t length) {
    return length == 0 ? 0 : length > 100 ? length : test_random_range(random, 0, 9);
}

/* -- references --------------------------------------------------------------------------------*/

static int64_t from_front(const plain *index, int64_t i, int64_t length) {
    int64_t value = plain_integer(index, i);
    return value < 0 ? value + length : value;
}

static void move(plain *to, int64_t i, const plain *from, int64_t j) {
    memcpy(plain_at(to, i), plain_at(from, j), (size_t)to->size);
}

static plain ref_gather(const plain *x, int axis, const plain *index, tern_shape shape) {
    plain out = plain_new(x->dtype, shape);
    for (int64_t i = 0; i < out.count; i++) {
        int64_t at[TERN_MAX_RANK];
        plain_coordinates(&shape, i, at);
        at[axis] =
            from_front(index, plain_position(&index->shape, at, shape.rank), x->shape.dims[axis]);
        /* An axis of one element is not broadcast here, but then the index is 0. */
        move(&out, i, x, plain_position(&x->shape, at, shape.rank));
    }
    return out;
}

/* Adds with the rounding of the type. */
static void add_element(plain *to, int64_t i, const plain *from, int64_t j) {
    if (to->dtype == TERN_I64)
        *(uint64_t *)plain_at(to, i) += *(const uint64_t *)plain_at(from, j);
    else if (to->dtype == TERN_F32)
        *(float *)plain_at(to, i) += *(const float *)plain_at(from, j);
    else
        element_set(to->dtype, plain_at(to, i), plain_number(to, i) + plain_number(from, j));
}

static plain copy_of(const plain *x) {
    plain out = plain_new(x->dtype, x->shape);
    memcpy(out.bytes, x->bytes, (size_t)(x->count * x->size));
    return out;
}

static plain ref_scatter(const plain *x, int axis, const plain *index, const plain *source,
                         bool adds) {
    plain out = copy_of(x);
    tern_shape walked = x->shape;
    walked.dims[axis] = index->shape.dims[axis];
    plain steps = plain_new(TERN_BOOL, walked);
    for (int64_t i = 0; i < steps.count; i++) {
        int64_t at[TERN_MAX_RANK];
        plain_coordinates(&walked, i, at);
        int64_t from = plain_position(&source->shape, at, walked.rank);
        at[axis] =
            from_front(index, plain_position(&index->shape, at, walked.rank), x->shape.dims[axis]);
        int64_t to = plain_position(&x->shape, at, walked.rank);
        if (adds)
            add_element(&out, to, source, from);
        else
            move(&out, to, source, from);
    }
    plain_free(&steps);
    return out;
}

/* Some dimensions of 1, now and then fewer axes: what broadcasts to the shape. */
static tern_shape narrower(test_random *random, tern_shape shape, int kept, bool may_drop) {
    while (may_drop && shape.rank > 0 && one_in(random, 4)) {
        shape.rank--;
        memmove(shape.dims, shape.dims + 1, sizeof(int64_t) * (size_t)shape.rank);
    }
    for (int i = 0; i < shape.rank; i++)
        if (i != kept && one_in(random, 3))
            shape.dims[i] = 1;
    return shape;
}

/* -- gather and its relatives ------------------------------------------------------------------*/

typedef struct arguments {
    tern_tensor *x, *index, *source;
    int axis;
    bool flag;
} arguments;

static tern_status gather_into(void *user, tern_tensor *out) {
    arguments *a = user;
    return tern_gather_into(a->x, a->axis, a->index, out);
}

static void gathers(void **state) {
    (void)state;
    test_random random = {.seed = 11};
    for (int round = 0; round < ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        tern_shape shape = any_shape(&random, round, 1, 6), index_shape = shape;
        int rank = shape.rank;
        arguments a = {.axis = (int)test_random_range(&random, 0, rank - 1)};
        index_shape.dims[a.axis] = any_length(&random, shape.dims[a.axis]);
        tern_shape out_shape = index_shape;
        tern_shape x_shape = shape;
        for (int i = 0; i < rank; i++)
            if (i != a.axis && one_in(&random, 4))
                x_shape.dims[i] = 1;
            else if (i != a.axis && one_in(&random, 4))
                index_shape.dims[i] = 1;
        a.x = random_tensor(&random, dtype, x_shape);
        a.index = random_index(&random, index_shape, shape.dims[a.axis]);
        plain x = plain_of(a.x), index = plain_of(a.index);
        plain expected = ref_gather(&x, a.axis, &index, out_shape);
        tern_tensor *out = NULL;
        test_ok(tern_gather(a.x, a.axis - (one_in(&random, 2) ? rank : 0), a.index, &out));
        check_result(tern_tensor_retain(out), &expected, describe("gather", round, dtype));
        check_into(&random, out, gather_into, &a, describe("gather_into", round, dtype));
        plain_free(&x);
        plain_free(&index);
        tern_tensor_release(a.x);
        tern_tensor_release(a.index);
    }
}

static tern_status index_select_into(void *user, tern_tensor *out) {
    arguments *a = user;
    return tern_index_select_into(a->x, a->axis, a->index, out);
}

static void index_selects(void **state) {
    (void)state;
    test_random random = {.seed = 12};
    for (int round = 0; round < ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        tern_shape shape = any_shape(&random, round, 1, 6), out_shape = shape;
        int rank = shape.rank;
        arguments a = {.axis = (int)test_random_range(&random, 0, rank - 1)};
        int64_t length = any_length(&random, shape.dims[a.axis]);
        a.x = random_tensor(&random, dtype, shape);
        a.index = random_index(&random, TERN_SHAPE(length), shape.dims[a.axis]);
        out_shape.dims[a.axis] = length;
        plain x = plain_of(a.x), index = plain_of(a.index), wide = index;
        wide.shape = (tern_shape){.rank = rank, .dims = {1, 1, 1, 1}};
        wide.shape.dims[a.axis] = length;
        plain expected = ref_gather(&x, a.axis, &wide, out_shape);
        tern_tensor *out = NULL;
        test_ok(tern_index_select(a.x, a.axis, a.index, &out));
        check_result(tern_tensor_retain(out), &expected, describe("index_select", round, dtype));
        check_into(&random, out, index_select_into, &a, "index_select_into");
        plain_free(&x);
        plain_free(&index);
        tern_tensor_release(a.x);
        tern_tensor_release(a.index);
    }
}

static tern_status take_into(void *user, tern_tensor *out) {
    arguments *a = user;
    return tern_take_into(a->x, a->index, out);
}

static void takes(void **state) {
    (void)state;
    test_random random = {.seed = 13};
    for (int round = 0; round < ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        tern_shape shape = any_shape(&random, round, 0, 4);
        arguments a = {.x = random_tensor(&random, dtype, shape)};
        int64_t count = tern_tensor_count(a.x);
        tern_shape index_shape = count == 0 ? TERN_SHAPE(2, 0) : any_shape(&random, round, 0, 7);
        a.index = random_index(&random, index_shape, count);
        plain x = plain_of(a.x), index = plain_of(a.index),
              expected = plain_new(dtype, index_shape);
        for (int64_t i = 0; i < expected.count; i++)
            move(&expected, i, &x, from_front(&index, i, count));
        tern_tensor *out = NULL;
        test_ok(tern_take(a.x, a.index, &out));
        check_result(tern_tensor_retain(out), &expected, describe("take", round, dtype));
        check_into(&random, out, take_into, &a, "take_into");
        plain_free(&x);
        plain_free(&index);
        tern_tensor_release(a.x);
        tern_tensor_release(a.index);
    }
}

/* -- scatter and its relatives -----------------------------------------------------------------*/

static tern_status scatter_into(void *user, tern_tensor *out) {
    arguments *a = user;
    return (a->flag ? tern_scatter_add_into : tern_scatter_into)(a->x, a->axis, a->index, a->source,
                                                                 out);
}

/* In place: x is the destination. */
static void check_in_place(test_random *random, const arguments *a, const plain *x, plain *expected,
                           const char *what) {
    arguments b = *a;
    b.x = random_layout(random, x->dtype, x->shape, false);
    plain_to(x, b.x);
    tern_op_stats before, after;
    int op = 0;
    while (strcmp(tern_op_at(op)->name, b.flag ? "scatter_add" : "scatter") != 0)
        op++;
    tern_stats_op(context, op, &before);
    test_ok(scatter_into(&b, b.x));
    tern_stats_op(context, op, &after);
    assert_int_equal(after.calls[TERN_CLASS_MOVE], before.calls[TERN_CLASS_MOVE] + 1);
    check_result(b.x, expected, what);
}

static void scatters(void **state) {
    (void)state;
    test_random random = {.seed = 14};
    for (int round = 0; round < 2 * ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round / 2 % PLAIN_TYPES);
        tern_shape shape = any_shape(&random, round / 2, 1, 6), walked = shape;
        int rank = shape.rank;
        arguments a = {.axis = (int)test_random_range(&random, 0, rank - 1), .flag = round & 1};
        if (a.flag && dtype == TERN_BOOL)
            continue;
        int64_t length = shape.dims[a.axis];
        walked.dims[a.axis] = any_length(&random, length);
        a.x = random_tensor(&random, dtype, shape);
        a.index = random_index(&random, narrower(&random, walked, a.axis, false), length);
        a.source = random_tensor(&random, dtype, narrower(&random, walked, -1, true));
        plain x = plain_of(a.x), index = plain_of(a.index), source = plain_of(a.source);
        plain expected = ref_scatter(&x, a.axis, &index, &source, a.flag),
              again = copy_of(&expected);
        tern_tensor *out = NULL;
        if (a.flag)
            test_ok(tern_scatter_add(a.x, a.axis, a.index, a.source, &out));
        else
            test_ok(tern_scatter(a.x, a.axis - rank, a.index, a.source, &out));
        const char *what = describe(a.flag ? "scatter_add" : "scatter", round, dtype);
        check_result(tern_tensor_retain(out), &expected, what);
        check_in_place(&random, &a, &x, &again, what);
        check_into(&random, out, scatter_into, &a, what);
        plain_free(&x);
        plain_free(&index);
        plain_free(&source);
        tern_tensor_release(a.x);
        tern_tensor_release(a.index);
        tern_tensor_release(a.source);
    }
}

static tern_status put_into(void *user, tern_tensor *out) {
    arguments *a = user;
    return tern_put_into(a->x, a->index, a->source, out);
}

static void puts_values(void **state) {
    (void)state;
    test_random random = {.seed = 15};
    for (int round = 0; round < ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        tern_shape shape = any_shape(&random, round, 0, 4);
        arguments a = {.x = random_tensor(&random, dtype, shape)};
        int64_t count = tern_tensor_count(a.x);
        tern_shape index_shape = count == 0 ? TERN_SHAPE(2, 0) : any_shape(&random, round, 0, 4);
        a.index = random_index(&random, index_shape, count);
        a.source = random_tensor(&random, dtype, narrower(&random, index_shape, -1, true));
        plain x = plain_of(a.x), index = plain_of(a.index), source = plain_of(a.source);
        plain expected = copy_of(&x);
        for (int64_t i = 0; i < index.count; i++) {
            int64_t at[TERN_MAX_RANK];
            plain_coordinates(&index_shape, i, at);
            move(&expected, from_front(&index, i, count), &source,
                 plain_position(&source.shape, at, index_shape.rank));
        }
        tern_tensor *out = NULL;
        test_ok(tern_put(a.x, a.index, a.source, &out));
        check_result(tern_tensor_retain(out), &expected, describe("put", round, dtype));
        check_into(&random, out, put_into, &a, "put_into");
        plain_free(&x);
        plain_free(&index);
        plain_free(&source);
        tern_tensor_release(a.x);
        tern_tensor_release(a.index);
        tern_tensor_release(a.source);
    }
}

/* -- masks -------------------------------------------------------------------------------------*/

static tern_status masked_select_into(void *user, tern_tensor *out) {
    arguments *a = user;
    return tern_masked_select_into(a->x, a->index, out);
}

static void masked_selects(void **state) {
    (void)state;
    test_random random = {.seed = 16};
    for (int round = 0; round < ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        tern_shape shape = any_shape(&random, round, 0, 9);
        arguments a = {.x = random_tensor(&random, dtype, narrower(&random, shape, -1, true)),
                       .index =
                           random_tensor(&random, TERN_BOOL, narrower(&random, shape, -1, true))};
        plain x = plain_of(a.x), mask = plain_of(a.index);
        tern_shape joined = {0};
        for (int back = 1; back <= 4; back++)
            for (int k = 0; k < 2; k++) {
                const tern_shape *s = k ? &x.shape : &mask.shape;
                joined.rank = s->rank > joined.rank ? s->rank : joined.rank;
            }
        for (int i = 0; i < joined.rank; i++) {
            int xi = i - joined.rank + x.shape.rank, mi = i - joined.rank + mask.shape.rank;
            joined.dims[i] = xi < 0 || x.shape.dims[xi] == 1 ? (mi < 0 ? 1 : mask.shape.dims[mi])
                                                             : x.shape.dims[xi];
        }
        plain all = plain_new(dtype, joined);
        int64_t count = 0;
        for (int64_t i = 0; i < all.count; i++) {
            int64_t at[TERN_MAX_RANK];
            plain_coordinates(&joined, i, at);
            if (*(uint8_t *)plain_at(&mask, plain_position(&mask.shape, at, joined.rank)) != 0)
                move(&all, count++, &x, plain_position(&x.shape, at, joined.rank));
        }
        all.shape = TERN_SHAPE(count);
        all.count = count;
        tern_tensor *out = NULL;
        test_ok(tern_masked_select(a.x, a.index, &out));
        check_result(tern_tensor_retain(out), &all, describe("masked_select", round, dtype));
        check_into(&random, out, masked_select_into, &a, "masked_select_into");
        plain_free(&x);
        plain_free(&mask);
        tern_tensor_release(a.x);
        tern_tensor_release(a.index);
    }
}

static tern_status nonzero_into(void *user, tern_tensor *out) {
    return tern_nonzero_into(((arguments *)user)->x, out);
}

static void nonzeros(void **state) {
    (void)state;
    test_random random = {.seed = 17};
    for (int round = 0; round < ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        tern_shape shape = any_shape(&random, round, 0, 9);
        int rank = shape.rank;
        arguments a = {.x = random_tensor(&random, dtype, shape)};
        plain x = plain_of(a.x), expected = plain_new(TERN_I64, TERN_SHAPE(x.count, rank));
        int64_t count = 0;
        for (int64_t i = 0; i < x.count; i++)
            if (plain_number(&x, i) != 0)
                plain_coordinates(&shape, i, (int64_t *)(void *)expected.bytes + rank * count++);
        expected.shape = TERN_SHAPE(count, rank);
        expected.count = count * rank;
        tern_tensor *out = NULL;
        test_ok(tern_nonzero(a.x, &out));
        check_result(tern_tensor_retain(out), &expected, describe("nonzero", round, dtype));
        check_into(&random, out, nonzero_into, &a, "nonzero_into");
        plain_free(&x);
        tern_tensor_release(a.x);
    }
}

/* -- one-hot, searching ------------------------------------------------------------------------*/

static tern_status one_hot_into(void *user, tern_tensor *out) {
    arguments *a = user;
    return tern_one_hot_into(a->index, a->axis, tern_tensor_dtype(out), out);
}

static void one_hots(void **state) {
    (void)state;
    test_random random = {.seed = 18};
    static const tern_dtype integers[] = {TERN_I8, TERN_U8, TERN_I16, TERN_I32, TERN_I64};
    for (int round = 0; round < ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES), ids = integers[round % 5];
        int rank = (int)test_random_range(&random, 0, 3);
        tern_shape shape = random_shape(&random, rank, 6);
        arguments a = {.axis = (int)test_random_range(&random, 1, 7)};
        a.index = random_layout(&random, ids, shape, true);
        plain p = plain_new(ids, shape);
        for (int64_t i = 0; i < p.count; i++)
            element_set(
                ids, plain_at(&p, i),
                (double)test_random_range(&random, ids == TERN_U8 ? 0 : -a.axis, a.axis - 1));
        plain_to(&p, a.index);
        plain_free(&p);
        p = plain_of(a.index);
        shape.dims[shape.rank++] = a.axis;
        plain expected = plain_new(dtype, shape);
        for (int64_t i = 0; i < p.count; i++)
            element_set(dtype, plain_at(&expected, i * a.axis + from_front(&p, i, a.axis)), 1);
        tern_tensor *out = NULL;
        test_ok(tern_one_hot(a.index, a.axis, dtype, &out));
        check_result(tern_tensor_retain(out), &expected, describe("one_hot", round, dtype));
        check_into(&random, out, one_hot_into, &a, "one_hot_into");
        plain_free(&p);
        tern_tensor_release(a.index);
    }
}

static tern_status search_into(void *user, tern_tensor *out) {
    arguments *a = user;
    return tern_searchsorted_into(a->x, a->source, a->flag, out);
}

/* Below, in the order of sorting; numbers that a double holds. */
static bool is_below(double a, double b) {
    return is_nan(b) ? !is_nan(a) : a < b;
}

static void searches(void **state) {
    (void)state;
    test_random random = {.seed = 19};
    for (int round = 0; round < ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        tern_dtype other =
            one_in(&random, 2) ? dtype : (tern_dtype)test_random_range(&random, 0, 9);
        if (dtype == TERN_I64 || other == TERN_I64)
            dtype = other = TERN_I64; /* with floats they would be rounded */
        arguments a = {.flag = one_in(&random, 2)};
        tern_tensor *unsorted =
            random_tensor(&random, dtype, TERN_SHAPE(test_random_range(&random, 0, 20)));
        test_ok(tern_sort(unsorted, 0, false, &a.x));
        tern_shape shape = random_shape(&random, (int)test_random_range(&random, 0, 3), 6);
        a.source = random_tensor(&random, other, shape);
        plain sorted = plain_of(a.x), values = plain_of(a.source);
        plain expected = plain_new(TERN_I64, shape);
        for (int64_t i = 0; i < values.count; i++) {
            int64_t place = 0;
            double value = plain_number(&values, i);
            int64_t exact = plain_integer(&values, i);
            for (; place < sorted.count; place++) {
                double there = plain_number(&sorted, place);
                int64_t exact_there = plain_integer(&sorted, place);
                bool below = dtype == TERN_I64 ? exact_there < exact : is_below(there, value);
                bool above = dtype == TERN_I64 ? exact < exact_there : is_below(value, there);
                if (!(below || (a.flag && !above)))
                    break;
            }
            *(int64_t *)plain_at(&expected, i) = place;
        }
        tern_tensor *out = NULL;
        test_ok(tern_searchsorted(a.x, a.source, a.flag, &out));
        check_result(tern_tensor_retain(out), &expected, describe("searchsorted", round, dtype));
        check_into(&random, out, search_into, &a, "searchsorted_into");
        plain_free(&sorted);
        plain_free(&values);
        tern_tensor_release(unsorted);
        tern_tensor_release(a.x);
        tern_tensor_release(a.source);
    }
}

/* -- written out -------------------------------------------------------------------------------*/

static void literals(void **state) {
    (void)state;
    tern_tensor *x = tensor_from(TERN_I32, TERN_SHAPE(2, 3), 10, 30, 20, 60, 40, 50);
    tern_tensor *order = tensor_from(TERN_I64, TERN_SHAPE(2, 3), 0, 2, 1, 1, 2, 0);
    tern_tensor *row = tensor_from(TERN_I32, TERN_SHAPE(2), -1, 0);
    tern_tensor *column = tensor_from(TERN_I64, TERN_SHAPE(2, 1), 1, 0), *out = NULL;
    tern_tensor *values = tensor_from(TERN_I32, TERN_SHAPE(2), 7, 8);
    tern_tensor *same = tensor_from(TERN_I64, TERN_SHAPE(1, 3), 1, 1, 1);
    tern_tensor *more = tensor_from(TERN_I32, TERN_SHAPE(3), 1, 2, 3);
    test_ok(tern_gather(x, 1, order, &out));
    check_is(out, TERN_I32, TERN_SHAPE(2, 3), 10, 20, 30, 40, 50, 60);
    test_ok(tern_gather(x, 1, column, &out));
    check_is(out, TERN_I32, TERN_SHAPE(2, 1), 30, 60);
    test_ok(tern_index_select(x, 1, row, &out));
    check_is(out, TERN_I32, TERN_SHAPE(2, 2), 20, 10, 50, 60);
    test_ok(tern_take(x, column, &out));
    check_is(out, TERN_I32, TERN_SHAPE(2, 1), 30, 10);
    test_ok(tern_put(x, row, values, &out));
    check_is(out, TERN_I32, TERN_SHAPE(2, 3), 8, 30, 20, 60, 40, 7);
    test_ok(tern_scatter(x, 1, same, more, &out)); /* the last one wins */
    check_is(out, TERN_I32, TERN_SHAPE(2, 3), 10, 3, 20, 60, 3, 50);
    test_ok(tern_scatter_add(x, 1, same, more, &out));
    check_is(out, TERN_I32, TERN_SHAPE(2, 3), 10, 36, 20, 60, 46, 50);
    tern_tensor *mask = tensor_from(TERN_BOOL, TERN_SHAPE(3), 1, 0, 1);
    test_ok(tern_masked_select(x, mask, &out));
    check_is(out, TERN_I32, TERN_SHAPE(4), 10, 20, 60, 50);
    tern_tensor *sparse = tensor_from(TERN_F32, TERN_SHAPE(2, 2), 0, -0.0, 1e-45, 0.0 / 0.0);
    test_ok(tern_nonzero(sparse, &out));
    check_is(out, TERN_I64, TERN_SHAPE(2, 2), 1, 0, 1, 1);
    test_ok(tern_one_hot(row, 3, TERN_BF16, &out));
    check_is(out, TERN_BF16, TERN_SHAPE(2, 3), 0, 0, 1, 1, 0, 0);
    tern_tensor *sorted = tensor_from(TERN_F32, TERN_SHAPE(5), 1, 2, 2, 3, 0.0 / 0.0);
    tern_tensor *wanted = tensor_from(TERN_F64, TERN_SHAPE(4), 2, 0, 9, 0.0 / 0.0);
    test_ok(tern_searchsorted(sorted, wanted, false, &out));
    check_is(out, TERN_I64, TERN_SHAPE(4), 1, 0, 4, 4);
    test_ok(tern_searchsorted(sorted, wanted, true, &out));
    check_is(out, TERN_I64, TERN_SHAPE(4), 3, 0, 4, 5);
    tern_tensor *const all[] = {x,    order,  row,    column, values, same,
                                more, sparse, sorted, wanted, mask};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tern_tensor_release(all[i]);
}

/* -- refusals ----------------------------------------------------------------------------------*/

static void refuse(tern_status status, tern_status expected, const char *text) {
    test_status(status, expected);
    if (strstr(tern_last_error(), text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", tern_last_error(), text);
}

/* An index outside, also where nothing would be written: the place is named, nothing is changed. */
static void outside(void **state) {
    (void)state;
    tern_tensor *x = tensor_from(TERN_F32, TERN_SHAPE(2, 3), 1, 2, 3, 4, 5, 6), *out = x;
    tern_tensor *high = tensor_from(TERN_I64, TERN_SHAPE(2, 2), 0, 2, 3, -9);
    tern_tensor *low = tensor_from(TERN_I32, TERN_SHAPE(2), -3, -4), *to = NULL;
    tern_tensor *one = tensor_from(TERN_F32, TERN_SHAPE(1), 9), *empty = NULL, *wide = NULL;
    test_ok(tern_clone(x, &to));
    plain before = plain_of(to);
    refuse(tern_gather(x, 1, high, &out), TERN_E_ARGUMENT, "index 3 at (1, 0) is outside of 3");
    assert_null(out);
    refuse(tern_index_select(x, 1, low, &out), TERN_E_ARGUMENT, "index -4 at (1,)");
    refuse(tern_take(x, high, &out), TERN_E_ARGUMENT, "index -9 at (1, 1) is outside of 6");
    refuse(tern_scatter_into(to, 1, high, one, to), TERN_E_ARGUMENT, "index 3 at (1, 0)");
    refuse(tern_scatter_add_into(x, 1, high, one, to), TERN_E_ARGUMENT, "index 3 at (1, 0)");
    refuse(tern_put_into(x, high, one, to), TERN_E_ARGUMENT, "index -9 at (1, 1)");
    refuse(tern_one_hot(low, 3, TERN_F32, &out), TERN_E_ARGUMENT, "index -4 at (1,)");
    refuse(tern_one_hot(low, -1, TERN_F32, &out), TERN_E_ARGUMENT, "-1 classes");
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(3, 0), &empty));
    refuse(tern_index_select(empty, 0, low, &out), TERN_E_ARGUMENT, "index -4 at (1,)");
    refuse(tern_take(empty, low, &out), TERN_E_ARGUMENT, "index -3 at (0,) is outside of 0");
    test_ok(tern_tensor_broadcast(low, TERN_SHAPE(5, 2), &wide));
    refuse(tern_take(one, wide, &out), TERN_E_ARGUMENT, "index -3 at (0, 0)");
    plain_to(&before, x);
    check_result(to, &before, "the destination of refused calls");
    tern_tensor *const all[] = {x, high, low, one, empty, wide};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tern_tensor_release(all[i]);
}

/* One thread finds it, all tell the first. */
static void first_outside(void **state) {
    (void)state;
    tern_tensor *index = NULL, *out = NULL;
    test_ok(tern_tensor_zeros(context, TERN_I32, TERN_SHAPE(300, 1000), &index));
    int32_t *ids = tern_tensor_data(index);
    ids[123456] = 5;
    ids[123457] = 6;
    ids[299999] = 7;
    refuse(tern_take(index, index, &out), TERN_OK, "");
    tern_tensor_release(out);
    tern_tensor *five = tensor_from(TERN_I8, TERN_SHAPE(5), 1, 2, 3, 4, 5);
    refuse(tern_take(five, index, &out), TERN_E_ARGUMENT, "index 5 at (123, 456)");
    tern_tensor_release(five);
    tern_tensor_release(index);
}

static void misfits(void **state) {
    (void)state;
    tern_tensor *x = tensor_from(TERN_F32, TERN_SHAPE(2, 3), 1, 2, 3, 4, 5, 6), *out = NULL;
    tern_tensor *ids = tensor_from(TERN_I32, TERN_SHAPE(2), 0, 0);
    tern_tensor *tall = tensor_from(TERN_I32, TERN_SHAPE(3, 1), 0, 0, 0);
    tern_tensor *pair = tensor_from(TERN_I64, TERN_SHAPE(1, 2), 0, 0);
    tern_tensor *flags = tensor_from(TERN_BOOL, TERN_SHAPE(2), 0, 1);
    tern_tensor *doubles = tensor_from(TERN_F64, TERN_SHAPE(2), 0, 1);
    refuse(tern_gather(x, 0, ids, &out), TERN_E_SHAPE, "(2, 3) and (2,)");
    refuse(tern_gather(x, 1, tall, &out), TERN_E_SHAPE, "(2, 3) and (3, 1)");
    refuse(tern_gather(x, 2, tall, &out), TERN_E_ARGUMENT, "axis 2");
    refuse(tern_gather(x, TERN_FLAT, tall, &out), TERN_E_ARGUMENT, "axis");
    refuse(tern_gather(x, 0, x, &out), TERN_E_DTYPE, "the index is f32");
    refuse(tern_scatter(x, 1, pair, doubles, &out), TERN_E_DTYPE, "f64 into f32");
    refuse(tern_scatter(x, 1, pair, x, &out), TERN_E_SHAPE, "(2, 3)");
    refuse(tern_scatter(x, 1, tall, x, &out), TERN_E_SHAPE, "(3, 1)");
    refuse(tern_scatter_add(flags, 0, ids, flags, &out), TERN_E_DTYPE, "x is bool");
    refuse(tern_index_select(x, 0, pair, &out), TERN_E_SHAPE, "a vector, not (1, 2)");
    refuse(tern_put(x, ids, x, &out), TERN_E_SHAPE, "(2, 3)");
    refuse(tern_put(x, ids, doubles, &out), TERN_E_DTYPE, "f64 into f32");
    refuse(tern_masked_select(x, ids, &out), TERN_E_DTYPE, "the mask is i32");
    refuse(tern_masked_select(x, flags, &out), TERN_E_SHAPE, "(2, 3) and (2,)");
    refuse(tern_one_hot(x, 3, TERN_F32, &out), TERN_E_DTYPE, "the tensor of ids is f32");
    refuse(tern_one_hot(ids, 3, TERN_TQ1_0, &out), TERN_E_DTYPE, "tq1_0");
    refuse(tern_one_hot(ids, INT64_MAX, TERN_F32, &out), TERN_E_SHAPE, "");
    refuse(tern_searchsorted(x, x, false, &out), TERN_E_SHAPE, "a vector, not (2, 3)");
    refuse(tern_take_into(x, ids, doubles), TERN_E_DTYPE, "destination");
    refuse(tern_masked_select_into(ids, flags, ids), TERN_E_SHAPE, "(2,)");
    assert_null(out);
    tern_tensor *const all[] = {x, ids, tall, pair, flags, doubles};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tern_tensor_release(all[i]);
}

/* -- overlapping destinations ------------------------------------------------------------------*/

enum { POOL = 64, OVERLAPS = 3000 };

/* Operands and destination are slices of one vector of I64, whose numbers are valid indices. */
static void overlapping(void **state) {
    (void)state;
    test_random random = {.seed = 20};
    for (int round = 0; round < OVERLAPS; round++) {
        tern_tensor *vector = NULL, *out = NULL;
        test_ok(tern_tensor_zeros(context, TERN_I64, TERN_SHAPE(POOL), &vector));
        int64_t n = test_random_range(&random, 1, 12), m = test_random_range(&random, 1, 12);
        for (int i = 0; i < POOL; i++)
            ((int64_t *)tern_tensor_data(vector))[i] = test_random_range(&random, -n, n - 1);
        tern_tensor *x = random_slice(&random, vector, n),
                    *index = random_slice(&random, vector, m);
        tern_tensor *source = random_slice(&random, vector, m);
        int kind = round % 5;
        tern_tensor *to = random_slice(&random, vector, kind < 2 ? m : n);
        if (one_in(&random, 4) && (kind > 1 || n == m)) {
            tern_tensor_release(to);
            to = tern_tensor_retain(x);
        }
#define BOTH(name, ...)                                                                            \
    (test_ok(tern_##name(__VA_ARGS__, &out)), expected = plain_of(out),                            \
     test_ok(tern_##name##_into(__VA_ARGS__, to)))
        plain expected;
        if (kind == 0)
            BOTH(gather, x, 0, index);
        else if (kind == 1)
            BOTH(take, x, index);
        else if (kind == 2)
            BOTH(scatter, x, 0, index, source);
        else if (kind == 3)
            BOTH(scatter_add, x, 0, index, source);
        else
            BOTH(put, x, index, source);
#undef BOTH
        check_result(to, &expected, describe("overlapping", round, TERN_I64));
        tern_tensor *const all[] = {vector, out, x, index, source};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            tern_tensor_release(all[i]);
    }
}

/* -- threads -----------------------------------------------------------------------------------*/

enum { ROWS = 1200, COLUMNS = 150, THREADED = 10 };

static void run_threaded(tern_context *c, tern_tensor **out) {
    tern_tensor *x = NULL, *ids = NULL, *few = NULL, *index = NULL, *mask = NULL, *vector = NULL;
    tern_tensor *column = NULL, *wide = NULL, *zero = NULL;
    test_ok(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(ROWS, COLUMNS), 1, &x));
    test_ok(tern_tensor_randint(c, TERN_I32, TERN_SHAPE(ROWS, COLUMNS), -100, 100, 2, &ids));
    test_ok(tern_tensor_randint(c, TERN_I64, TERN_SHAPE(ROWS), -50, 50, 3, &few));
    test_ok(tern_tensor_zeros(c, TERN_F32, TERN_SHAPE(), &zero));
    test_ok(tern_less(zero, x, &mask));
    test_ok(tern_tensor_reshape(few, TERN_SHAPE(ROWS, 1), &column));
    test_ok(tern_tensor_broadcast(column, TERN_SHAPE(ROWS, COLUMNS), &index));
    test_ok(tern_tensor_reshape(x, TERN_SHAPE(ROWS * COLUMNS), &vector));
    test_ok(tern_tensor_transpose(x, 0, 1, &wide));
    test_ok(tern_gather(x, 1, ids, &out[0]));
    test_ok(tern_index_select(x, 0, few, &out[1]));
    test_ok(tern_take(wide, ids, &out[2]));
    test_ok(tern_scatter(x, 1, ids, x, &out[3]));
    test_ok(tern_scatter_add(x, 0, index, x, &out[4]));
    test_ok(tern_scatter_add(x, 1, ids, x, &out[5]));
    test_ok(tern_put(wide, ids, x, &out[6]));
    test_ok(tern_masked_select(x, mask, &out[7]));
    test_ok(tern_nonzero(mask, &out[8]));
    test_ok(tern_searchsorted(vector, x, true, &out[9]));
    tern_tensor *const all[] = {x, ids, few, index, mask, vector, column, wide, zero};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tern_tensor_release(all[i]);
}

static void threads(void **state) {
    (void)state;
    plain_same_on_threads(run_threaded, THREADED);
}

/* Views of one element may broadcast to more elements than there are numbers. */
static void too_many(void **state) {
    (void)state;
    tern_tensor *x = NULL, *mask = NULL, *wide = NULL, *high = NULL, *out = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(1), &x));
    test_ok(tern_tensor_zeros(context, TERN_BOOL, TERN_SHAPE(1, 1), &mask));
    test_ok(tern_tensor_broadcast(x, TERN_SHAPE(INT64_C(1) << 40), &wide));
    test_ok(tern_tensor_broadcast(mask, TERN_SHAPE(INT64_C(1) << 30, 1), &high));
    test_status(tern_masked_select(wide, high, &out), TERN_E_SHAPE);
    assert_null(out);
    tern_tensor_release(high);
    tern_tensor_release(wide);
    tern_tensor_release(mask);
    tern_tensor_release(x);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, nothing_alive)
    const struct CMUnitTest tests[] = {
        TEST(gathers),     TEST(index_selects),  TEST(takes),    TEST(scatters),
        TEST(puts_values), TEST(masked_selects), TEST(nonzeros), TEST(one_hots),
        TEST(searches),    TEST(literals),       TEST(outside),  TEST(first_outside),
        TEST(misfits),     TEST(overlapping),    TEST(threads),  TEST(too_many),
    };
#undef TEST
    return cmocka_run_group_tests(tests, open_context, close_context);
}
