/* SPDX-License-Identifier: MIT
 * Sorting against a stable insertion by comparison, in random layouts of all types; small cases
 * written out; refusals; in place and overlapping; thread counts. */
#define FIXTURE_THREADS 2
#include "plain_fixture.h"

enum { ROUNDS = 300 };

static const char *describe(const char *name, int round, tern_dtype dtype) {
    static char text[96];
    snprintf(text, sizeof text, "%s, round %d, %s", name, round, tern_dtype_name(dtype));
    return text;
}

/* -- references --------------------------------------------------------------------------------*/

/* Negative, 0, positive: NaN is the largest, both zeros are equal. */
static int compare(const plain *x, int64_t i, int64_t j) {
    if (x->dtype == TERN_I64) {
        int64_t a = plain_integer(x, i), b = plain_integer(x, j);
        return (a > b) - (a < b);
    }
    double a = plain_number(x, i), b = plain_number(x, j);
    if (is_nan(a) || is_nan(b))
        return is_nan(a) - is_nan(b);
    return (a > b) - (a < b);
}

/* Merges sorted halves; of equals the left one first. */
static void sort_places(const plain *x, bool descending, int64_t *places, int64_t *spare,
                        int64_t n) {
    if (n < 2)
        return;
    int64_t half = n / 2, i = 0, j = half;
    sort_places(x, descending, places, spare, half);
    sort_places(x, descending, places + half, spare, n - half);
    for (int64_t k = 0; k < n; k++) {
        int order = i == half ? 1 : j == n ? -1 : compare(x, places[i], places[j]);
        if (i < half && j < n && descending)
            order = -order;
        spare[k] = order <= 0 ? places[i++] : places[j++];
    }
    memcpy(places, spare, (size_t)n * sizeof *places);
}

/* Of each row along the axis, the places of its first k elements in sorted order, as positions in
 * x: `found` has the shape of x with k along the axis. */
static int64_t *sorted_places(const plain *x, int axis, bool descending, int64_t k) {
    int64_t n = x->shape.dims[axis], rows = n > 0 ? x->count / n : 0, stride = 1;
    for (int i = axis + 1; i < x->shape.rank; i++)
        stride *= x->shape.dims[i];
    int64_t *found = calloc((size_t)(rows * k + 1), sizeof *found);
    int64_t *places = calloc((size_t)n + 1, sizeof *places), *spare = calloc((size_t)n + 1, 8);
    for (int64_t row = 0; row < rows; row++) {
        int64_t outer = row / stride, inner = row % stride;
        for (int64_t i = 0; i < n; i++)
            places[i] = (outer * n + i) * stride + inner;
        sort_places(x, descending, places, spare, n);
        for (int64_t i = 0; i < k; i++)
            found[(outer * k + i) * stride + inner] = places[i];
    }
    free(places);
    free(spare);
    return found;
}

/* What is expected of values and indices. */
static void expect(const plain *x, int axis, bool descending, int64_t k, plain *values,
                   plain *indices) {
    int64_t *found = sorted_places(x, axis, descending, k), n = x->shape.dims[axis], stride = 1;
    tern_shape shape = x->shape;
    shape.dims[axis] = k;
    for (int i = axis + 1; i < shape.rank; i++)
        stride *= shape.dims[i];
    *values = plain_new(x->dtype, shape);
    *indices = plain_new(TERN_I64, shape);
    for (int64_t i = 0; i < values->count; i++) {
        memcpy(plain_at(values, i), plain_at(x, found[i]), (size_t)x->size);
        *(int64_t *)plain_at(indices, i) = found[i] / stride % n;
    }
    free(found);
}

static plain flattened(const plain *x) {
    plain flat = *x;
    flat.shape = TERN_SHAPE(x->count);
    return flat;
}

/* -- sort, argsort -----------------------------------------------------------------------------*/

typedef struct sorted {
    tern_tensor *x;
    int axis;
    bool descending;
} sorted;

static tern_status sort_into(void *user, tern_tensor *out) {
    sorted *s = user;
    return tern_sort_into(s->x, s->axis, s->descending, out);
}

static tern_status argsort_into(void *user, tern_tensor *out) {
    sorted *s = user;
    return tern_argsort_into(s->x, s->axis, s->descending, out);
}

static void check_sorted(test_random *random, sorted *s, const char *what) {
    plain x = plain_of(s->x), flat = flattened(&x), values, indices;
    bool is_flat = s->axis == TERN_FLAT;
    expect(is_flat ? &flat : &x, is_flat ? 0 : s->axis, s->descending,
           is_flat ? x.count : x.shape.dims[s->axis], &values, &indices);
    tern_tensor *out = NULL;
    test_ok(tern_argsort(s->x, s->axis, s->descending, &out));
    check_result(tern_tensor_retain(out), &indices, what);
    check_into(random, out, argsort_into, s, what);
    test_ok(tern_sort(s->x, s->axis, s->descending, &out));
    plain again = plain_of(out);
    check_result(tern_tensor_retain(out), &values, what);
    check_into(random, out, sort_into, s, what);
    if (!is_flat || x.shape.rank == 1) { /* in place */
        tern_tensor *own = random_layout(random, x.dtype, x.shape, false);
        plain_to(&x, own);
        test_ok(tern_sort_into(own, s->axis, s->descending, own));
        check_result(own, &again, what);
    } else {
        plain_free(&again);
    }
    plain_free(&x);
}

static void sorts(void **state) {
    (void)state;
    test_random random = {.seed = 51};
    for (int round = 0; round < 2 * ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round / 2 % PLAIN_TYPES);
        int rank = (int)test_random_range(&random, 0, 4);
        tern_shape shape = random_shape(&random, rank, rank < 3 ? 40 : 7);
        sorted s = {.x = random_tensor(&random, dtype, shape), .descending = round & 1};
        bool is_flat = rank == 0 || one_in(&random, 3);
        s.axis = is_flat ? TERN_FLAT : (int)test_random_range(&random, 0, rank - 1);
        check_sorted(&random, &s, describe("sort", round, dtype));
        tern_tensor_release(s.x);
    }
}

/* Rows longer than those that are sorted by insertion: all bits, few different, all the same,
 * sorted already. */
static void long_rows(void **state) {
    (void)state;
    test_random random = {.seed = 52};
    for (int round = 0; round < 16 * PLAIN_TYPES; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        int64_t n = test_random_range(&random, 90, 700);
        tern_tensor *t = random_layout(&random, dtype, TERN_SHAPE(n), false);
        plain p = plain_new(dtype, TERN_SHAPE(n));
        int kind = round / PLAIN_TYPES % 4;
        for (int64_t i = 0; i < n; i++) {
            if (kind == 0 && dtype != TERN_BOOL)
                for (int64_t k = 0; k < p.size; k++)
                    ((uint8_t *)plain_at(&p, i))[k] = (uint8_t)test_random_u32(&random);
            else if (kind == 1)
                random_element(&random, dtype, plain_at(&p, i));
            else
                element_set(dtype, plain_at(&p, i), kind == 2 ? 1 : (double)(i / 3));
        }
        plain_to(&p, t);
        plain_free(&p);
        sorted s = {
            .x = t, .axis = one_in(&random, 2) ? 0 : TERN_FLAT, .descending = round / 40 & 1};
        check_sorted(&random, &s, describe("long rows", round, dtype));
        tern_tensor_release(t);
    }
}

/* -- topk, unique ------------------------------------------------------------------------------*/

static void best(void **state) {
    (void)state;
    test_random random = {.seed = 53};
    for (int round = 0; round < 2 * ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round / 2 % PLAIN_TYPES);
        int rank = (int)test_random_range(&random, 1, 4);
        tern_shape shape = random_shape(&random, rank, rank < 3 ? 60 : 7);
        int axis = (int)test_random_range(&random, 0, rank - 1);
        tern_tensor *x = random_tensor(&random, dtype, shape), *values = NULL, *indices = NULL;
        int64_t k = test_random_range(&random, 0, shape.dims[axis]);
        plain p = plain_of(x), wanted, places;
        bool has_indices = one_in(&random, 2);
        expect(&p, axis, round & 1, k, &wanted, &places);
        test_ok(tern_topk(x, k, axis - (one_in(&random, 2) ? rank : 0), round & 1, &values,
                          has_indices ? &indices : NULL));
        check_result(values, &wanted, describe("topk", round, dtype));
        if (has_indices)
            check_result(indices, &places, describe("topk indices", round, dtype));
        else
            plain_free(&places);
        plain_free(&p);
        tern_tensor_release(x);
    }
}

static void uniques(void **state) {
    (void)state;
    test_random random = {.seed = 54};
    for (int round = 0; round < 2 * ROUNDS; round++) {
        tern_dtype dtype = (tern_dtype)(round % PLAIN_TYPES);
        tern_shape shape = random_shape(&random, (int)test_random_range(&random, 0, 3), 12);
        tern_tensor *x = random_tensor(&random, dtype, shape);
        tern_tensor *values = NULL, *inverse = NULL, *counts = NULL;
        plain p = plain_of(x), flat = flattened(&p);
        int64_t *order = sorted_places(&flat, 0, false, p.count), groups = 0;
        plain first = plain_new(dtype, flat.shape), number = plain_new(TERN_I64, flat.shape);
        plain back = plain_new(TERN_I64, shape);
        for (int64_t i = 0; i < p.count; i++) {
            if (i == 0 || compare(&p, order[i - 1], order[i]) != 0)
                memcpy(plain_at(&first, groups++), plain_at(&p, order[i]), (size_t)p.size);
            ++*(int64_t *)plain_at(&number, groups - 1);
            *(int64_t *)plain_at(&back, order[i]) = groups - 1;
        }
        first.shape = number.shape = TERN_SHAPE(groups);
        first.count = number.count = groups;
        bool has_inverse = one_in(&random, 2), has_counts = one_in(&random, 2);
        test_ok(
            tern_unique(x, &values, has_inverse ? &inverse : NULL, has_counts ? &counts : NULL));
        check_result(values, &first, describe("unique", round, dtype));
        if (has_inverse)
            check_result(inverse, &back, describe("unique inverse", round, dtype));
        if (has_counts)
            check_result(counts, &number, describe("unique counts", round, dtype));
        if (!has_inverse)
            plain_free(&back);
        if (!has_counts)
            plain_free(&number);
        free(order);
        plain_free(&p);
        tern_tensor_release(x);
    }
}

/* -- written out -------------------------------------------------------------------------------*/

#define NOT (0.0 / 0.0)

static void literals(void **state) {
    (void)state;
    tern_tensor *x = tensor_from(TERN_F32, TERN_SHAPE(7), 3, NOT, 0.0, -0.0, -1.0 / 0.0, 3, -2);
    tern_tensor *out = NULL, *places = NULL, *counts = NULL;
    test_ok(tern_sort(x, 0, false, &out));
    check_is(out, TERN_F32, TERN_SHAPE(7), -1.0 / 0.0, -2, 0.0, -0.0, 3, 3, NOT);
    test_ok(tern_sort(x, -1, true, &out));
    check_is(out, TERN_F32, TERN_SHAPE(7), NOT, 3, 3, 0.0, -0.0, -2, -1.0 / 0.0);
    test_ok(tern_argsort(x, 0, false, &out));
    check_is(out, TERN_I64, TERN_SHAPE(7), 4, 6, 2, 3, 0, 5, 1);
    test_ok(tern_argsort(x, 0, true, &out)); /* equal ones keep their order */
    check_is(out, TERN_I64, TERN_SHAPE(7), 1, 0, 5, 2, 3, 6, 4);
    test_ok(tern_topk(x, 3, 0, true, &out, &places));
    check_is(out, TERN_F32, TERN_SHAPE(3), NOT, 3, 3);
    check_is(places, TERN_I64, TERN_SHAPE(3), 1, 0, 5);
    test_ok(tern_topk(x, 4, 0, false, &out, &places));
    check_is(out, TERN_F32, TERN_SHAPE(4), -1.0 / 0.0, -2, 0.0, -0.0);
    check_is(places, TERN_I64, TERN_SHAPE(4), 4, 6, 2, 3);
    tern_tensor *many = tensor_from(TERN_F64, TERN_SHAPE(2, 4), 2, NOT, -0.0, 2, 0.0, NOT, 1, 2);
    test_ok(tern_unique(many, &out, &places, &counts));
    check_is(out, TERN_F64, TERN_SHAPE(4), -0.0, 1, 2, NOT);
    check_is(places, TERN_I64, TERN_SHAPE(2, 4), 2, 3, 0, 2, 0, 3, 1, 2);
    check_is(counts, TERN_I64, TERN_SHAPE(4), 2, 1, 3, 2);
    test_ok(tern_sort(many, 0, false, &out));
    check_is(out, TERN_F64, TERN_SHAPE(2, 4), 0.0, NOT, -0.0, 2, 2, NOT, 1, 2);
    test_ok(tern_sort(many, TERN_FLAT, true, &out));
    check_is(out, TERN_F64, TERN_SHAPE(8), NOT, NOT, 2, 2, 2, 1, -0.0, 0.0);
    tern_tensor *flags = tensor_from(TERN_BOOL, TERN_SHAPE(3), 1, 0, 1);
    test_ok(tern_sort(flags, 0, false, &out));
    check_is(out, TERN_BOOL, TERN_SHAPE(3), 0, 1, 1);
    tern_tensor_release(flags);
    tern_tensor_release(many);
    tern_tensor_release(x);
}

static void refuse(tern_status status, tern_status expected, const char *text) {
    test_status(status, expected);
    if (strstr(tern_last_error(), text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", tern_last_error(), text);
}

static void misfits(void **state) {
    (void)state;
    tern_tensor *x = tensor_from(TERN_F32, TERN_SHAPE(2, 2), 1, 2, 3, 4), *out = x, *more = x;
    tern_tensor *number = tensor_from(TERN_F32, TERN_SHAPE(), 1), *blocks = NULL, *rest = x;
    refuse(tern_sort(x, 2, false, &out), TERN_E_ARGUMENT, "axis 2");
    refuse(tern_sort(number, 0, false, &out), TERN_E_ARGUMENT, "axis 0");
    refuse(tern_argsort_into(x, 0, false, x), TERN_E_DTYPE, "destination");
    refuse(tern_sort_into(x, TERN_FLAT, false, x), TERN_E_SHAPE, "(4,)");
    refuse(tern_topk(x, 3, 0, true, &out, &more), TERN_E_ARGUMENT, "3 of 2");
    assert_true(out == NULL && more == NULL);
    refuse(tern_topk(x, -1, 0, true, &out, NULL), TERN_E_ARGUMENT, "-1 of 2");
    refuse(tern_topk(x, 1, -3, true, &out, NULL), TERN_E_ARGUMENT, "axis -3");
    test_ok(tern_tensor_zeros(context, TERN_Q8_0, TERN_SHAPE(32), &blocks));
    refuse(tern_sort(blocks, 0, false, &out), TERN_E_DTYPE, "q8_0");
    out = more = x;
    refuse(tern_unique(blocks, &out, &more, &rest), TERN_E_DTYPE, "q8_0");
    assert_true(out == NULL && more == NULL && rest == NULL);
    tern_tensor_release(blocks);
    tern_tensor_release(number);
    tern_tensor_release(x);
}

/* -- overlapping destinations, threads ---------------------------------------------------------*/

enum { POOL = 48, OVERLAPS = 2000 };

static void overlapping(void **state) {
    (void)state;
    test_random random = {.seed = 55};
    for (int round = 0; round < OVERLAPS; round++) {
        tern_tensor *vector = NULL, *out = NULL;
        test_ok(tern_tensor_randint(context, TERN_I64, TERN_SHAPE(POOL), -9, 9, (uint64_t)round,
                                    &vector));
        int64_t n = test_random_range(&random, 1, 20);
        tern_tensor *x = random_slice(&random, vector, n), *to = random_slice(&random, vector, n);
        bool descending = one_in(&random, 2), is_argsort = round & 1;
        test_ok((is_argsort ? tern_argsort : tern_sort)(x, 0, descending, &out));
        plain expected = plain_of(out);
        test_ok((is_argsort ? tern_argsort_into : tern_sort_into)(x, 0, descending, to));
        check_result(to, &expected, describe("overlapping", round, TERN_I64));
        tern_tensor_release(vector);
        tern_tensor_release(out);
        tern_tensor_release(x);
    }
}

enum { THREADED = 9 };

static void run_threaded(tern_context *c, tern_tensor **out) {
    tern_tensor *x = NULL, *few = NULL, *turned = NULL;
    test_ok(tern_tensor_randn(c, TERN_F32, TERN_SHAPE(300, 400), 1, &x));
    test_ok(tern_tensor_randint(c, TERN_I16, TERN_SHAPE(300, 400), -50, 50, 2, &few));
    test_ok(tern_tensor_transpose(x, 0, 1, &turned));
    test_ok(tern_sort(turned, 1, false, &out[0]));
    test_ok(tern_sort(few, 0, true, &out[1]));
    test_ok(tern_argsort(turned, 0, false, &out[2]));
    test_ok(tern_argsort(few, TERN_FLAT, true, &out[3]));
    test_ok(tern_topk(few, 7, 0, true, &out[4], &out[5]));
    test_ok(tern_unique(few, &out[6], &out[7], &out[8]));
    tern_tensor_release(turned);
    tern_tensor_release(few);
    tern_tensor_release(x);
}

static void threads(void **state) {
    (void)state;
    plain_same_on_threads(run_threaded, THREADED);
}

/* What is searched may have steps. */
static void searched_in_steps(void **state) {
    (void)state;
    const double numbers[] = {1, 9, 3, -9, 5, 9, 7, -9}, wanted[] = {0, 3, 4, 8};
    const int64_t expected[] = {0, 1, 2, 4};
    tern_tensor *whole = tensor_of(TERN_F64, TERN_SHAPE(8), numbers), *steps = NULL, *out = NULL;
    tern_tensor *values = tensor_of(TERN_F64, TERN_SHAPE(4), wanted);
    test_ok(tern_tensor_slice(whole, 0, 0, 8, 2, &steps));
    test_ok(tern_searchsorted(steps, values, false, &out));
    assert_memory_equal(tern_tensor_data(out), expected, sizeof expected);
    tern_tensor_release(out);
    tern_tensor_release(values);
    tern_tensor_release(steps);
    tern_tensor_release(whole);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, nothing_alive)
    const struct CMUnitTest tests[] = {
        TEST(sorts),   TEST(long_rows),   TEST(best),    TEST(uniques),           TEST(literals),
        TEST(misfits), TEST(overlapping), TEST(threads), TEST(searched_in_steps),
    };
#undef TEST
    return cmocka_run_group_tests(tests, open_context, close_context);
}
