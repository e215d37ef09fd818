/* SPDX-License-Identifier: MIT
 * Data types, shapes, views, scopes and lives of tensors. */
#define FIXTURE_THREADS 1
#include "context_fixture.h"

#include <tern/tensor.h>

#include "memory_file.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

/* 0, 1, 2, ... as F32. */
static tern_tensor *counting(tern_shape shape) {
    tern_tensor *t = NULL;
    test_ok(tern_tensor_empty(context, TERN_F32, shape, &t));
    for (int64_t i = 0; i < tern_tensor_count(t); i++)
        ((float *)tern_tensor_data(t))[i] = (float)i;
    return t;
}

/* Elements in row-major order, by the strides alone. */
static void check_elements(const tern_tensor *t, const float *expected, int64_t count) {
    assert_int_equal(tern_tensor_count(t), count);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, at = 0;
        for (int axis = tern_tensor_rank(t) - 1; axis >= 0; axis--) {
            at += rest % tern_tensor_dim(t, axis) * tern_tensor_stride(t, axis);
            rest /= tern_tensor_dim(t, axis);
        }
        float got = ((const float *)tern_tensor_data(t))[at];
        if (got != expected[i])
            fail_msg("element %lld is %g, expected %g", (long long)i, (double)got,
                     (double)expected[i]);
    }
}

#define CHECK(t, ...)                                                                              \
    check_elements((t), (const float[]){__VA_ARGS__},                                              \
                   (int64_t)(sizeof((const float[]){__VA_ARGS__}) / sizeof(float)))

static void dtype_bytes(void **state) {
    (void)state;
    const struct {
        tern_dtype dtype;
        int64_t rows, columns;
        size_t bytes;
    } cases[] = {
        {TERN_F32, 3, 5, 60},     {TERN_F16, 3, 5, 30},    {TERN_BOOL, 2, 2, 4},
        {TERN_Q8_0, 2, 64, 136},  {TERN_I2_S, 2, 128, 96}, {TERN_TQ1_0, 3, 512, 324},
        {TERN_TQ2_0, 1, 256, 66}, {TERN_F64, 0, 7, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes = 1;
        test_ok(tern__dtype_bytes(cases[i].dtype, cases[i].rows, cases[i].columns, &bytes));
        assert_int_equal(bytes, cases[i].bytes);
    }
    size_t bytes = 77;
    test_status(tern__dtype_bytes(TERN_Q8_0, 1, 33, &bytes), TERN_E_SHAPE);
    test_status(tern__dtype_bytes(TERN_TQ2_0, 1, 255, &bytes), TERN_E_SHAPE);
    test_status(tern__dtype_bytes(TERN_I2_S, 3, 64, &bytes), TERN_E_SHAPE);
    test_status(tern__dtype_bytes(TERN_F32, INT64_MAX / 2, 4, &bytes), TERN_E_SHAPE);
    test_status(tern__dtype_bytes(TERN_F32, -1, 4, &bytes), TERN_E_SHAPE);
    test_status(tern__dtype_bytes(TERN_TERNARY, 1, 4, &bytes), TERN_E_DTYPE);
    test_status(tern__dtype_bytes((tern_dtype)15, 1, 4, &bytes), TERN_E_DTYPE);
    assert_int_equal(bytes, 77);
    assert_string_equal(tern_dtype_name(TERN_TQ1_0), "tq1_0");
    assert_string_equal(tern_dtype_name((tern_dtype)200), "?");
}

static void creation(void **state) {
    (void)state;
    tern_tensor *t = NULL;
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(2, 3), &t));
    CHECK(t, 0, 0, 0, 0, 0, 0);
    assert_int_equal((uintptr_t)tern_tensor_data(t) % 64, 0);
    assert_int_equal(tern_tensor_bytes(t), 24);
    tern_tensor_release(t);

    const float data[] = {4, 5, 6};
    test_ok(tern_tensor_from_data(context, TERN_F32, TERN_SHAPE(3), data, &t));
    CHECK(t, 4, 5, 6);
    assert_ptr_not_equal(tern_tensor_data(t), data);
    tern_tensor_release(t);

    test_ok(tern_tensor_borrow(context, TERN_F32, TERN_SHAPE(3), data, &t));
    assert_ptr_equal(tern_tensor_data(t), data);
    tern_tensor_release(t);

    test_ok(tern_tensor_empty(context, TERN_F32, (tern_shape){0}, &t)); /* 0-d: one element */
    assert_int_equal(tern_tensor_count(t), 1);
    tern_tensor_release(t);
    test_ok(tern_tensor_empty(context, TERN_F32, TERN_SHAPE(3, 0, 2), &t));
    assert_int_equal(tern_tensor_count(t), 0);
    assert_int_equal(tern_tensor_bytes(t), 0);
    const int64_t strides[] = {2, 2, 1}; /* a dimension of 0 counts as 1 */
    for (int i = 0; i < 3; i++)
        assert_int_equal(tern_tensor_stride(t, i), strides[i]);
    tern_tensor_release(t);

    t = (tern_tensor *)&context; /* must become NULL */
    test_status(tern_tensor_empty(context, TERN_F32, TERN_SHAPE(2, -1), &t), TERN_E_SHAPE);
    assert_null(t);
    test_status(tern_tensor_empty(context, TERN_F32, TERN_SHAPE(-2, -3), &t), TERN_E_SHAPE);
    test_status(tern_tensor_empty(context, TERN_F64, TERN_SHAPE(1LL << 60), &t), TERN_E_SHAPE);
    test_status(tern_tensor_empty(context, (tern_dtype)15, TERN_SHAPE(1), &t), TERN_E_DTYPE);
    test_status(tern_tensor_empty(context, (tern_dtype)-1, TERN_SHAPE(1), &t), TERN_E_DTYPE);
    test_status(tern_tensor_empty(context, TERN_F32, (tern_shape){.rank = -1}, &t), TERN_E_SHAPE);
    test_status(tern_tensor_empty(context, TERN_F32, TERN_SHAPE(1LL << 40, 1LL << 40), &t),
                TERN_E_SHAPE);
    test_status(tern_tensor_empty(context, TERN_F32, TERN_SHAPE(0, 1LL << 40, 1LL << 40), &t),
                TERN_E_SHAPE);
    test_status(tern_tensor_empty(context, TERN_F32, (tern_shape){.rank = 9}, &t), TERN_E_SHAPE);
    test_status(tern_tensor_borrow(context, TERN_F32, TERN_SHAPE(1), NULL, &t), TERN_E_ARGUMENT);
    test_status(tern_tensor_empty(context, TERN_TERNARY, TERN_SHAPE(1), &t), TERN_E_DTYPE);
}

static void views(void **state) {
    (void)state;
    tern_tensor *t = counting(TERN_SHAPE(2, 3, 4)), *u = NULL, *v = NULL;
    void *data = tern_tensor_data(t);

    test_ok(tern_tensor_transpose(t, 0, -1, &u)); /* (4, 3, 2) */
    CHECK(u, 0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23);
    assert_ptr_equal(tern_tensor_data(u), data);
    assert_false(tern_tensor_is_contiguous(u));
    tern_tensor_release(u);

    test_ok(tern_tensor_permute(t, (const int[]){1, 2, 0}, &u)); /* (3, 4, 2) */
    CHECK(u, 0, 12, 1, 13, 2, 14, 3, 15, 4, 16, 5, 17, 6, 18, 7, 19, 8, 20, 9, 21, 10, 22, 11, 23);
    tern_tensor_release(u);
    test_status(tern_tensor_permute(t, (const int[]){1, 1, 0}, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_permute(t, (const int[]){1, 3, 0}, &u), TERN_E_ARGUMENT);

    test_ok(tern_tensor_slice(t, 2, 1, INT64_MAX, 2, &u)); /* (2, 3, 2): 1, 3 of each row */
    CHECK(u, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23);
    test_ok(tern_tensor_slice(u, 1, -2, -1, 1, &v)); /* (2, 1, 2) */
    CHECK(v, 5, 7, 17, 19);
    tern_tensor_release(v);
    tern_tensor_release(u);
    test_ok(tern_tensor_slice(t, 0, 1, 1, 1, &u));
    assert_int_equal(tern_tensor_count(u), 0);
    tern_tensor_release(u);
    test_status(tern_tensor_slice(t, 0, 0, 3, 1, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_slice(t, 0, -3, 2, 1, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_slice(t, 0, 0, 1, 0, &u), TERN_E_ARGUMENT);
    test_status(tern_tensor_slice(t, 3, 0, 1, 1, &u), TERN_E_ARGUMENT);

    test_ok(tern_tensor_select(t, 1, -1, &u)); /* (2, 4) */
    CHECK(u, 8, 9, 10, 11, 20, 21, 22, 23);
    tern_tensor_release(u);
    test_status(tern_tensor_select(t, 1, 3, &u), TERN_E_ARGUMENT);

    test_ok(tern_tensor_select(t, 0, 0, &u)); /* (3, 4) */
    tern_tensor *row = NULL;
    test_ok(tern_tensor_slice(u, 1, 0, 1, 1, &row)); /* (3, 1) */
    test_ok(tern_tensor_broadcast(row, TERN_SHAPE(2, 3, 2), &v));
    CHECK(v, 0, 0, 4, 4, 8, 8, 0, 0, 4, 4, 8, 8);
    tern_tensor_release(v);
    test_status(tern_tensor_broadcast(row, TERN_SHAPE(2, 4, 2), &v), TERN_E_SHAPE);
    assert_non_null(strstr(tern_last_error(), "(3, 1)"));
    assert_non_null(strstr(tern_last_error(), "(2, 4, 2)"));
    tern_tensor_release(row);
    tern_tensor_release(u);
    tern_tensor_release(t);
}

static void reshapes(void **state) {
    (void)state;
    tern_tensor *t = counting(TERN_SHAPE(4, 6)), *u = NULL, *v = NULL;
    test_ok(tern_tensor_reshape(t, TERN_SHAPE(2, -1, 3), &u));
    assert_int_equal(tern_tensor_dim(u, 1), 4);
    assert_true(tern_tensor_is_contiguous(u));
    tern_tensor_release(u);
    test_ok(tern_tensor_reshape(t, TERN_SHAPE(1, 24, 1), &u));
    tern_tensor_release(u);
    test_status(tern_tensor_reshape(t, TERN_SHAPE(5, 5), &u), TERN_E_SHAPE);
    test_status(tern_tensor_reshape(t, TERN_SHAPE(-1, -1), &u), TERN_E_SHAPE);
    test_status(tern_tensor_reshape(t, TERN_SHAPE(-1, 7), &u), TERN_E_SHAPE);
    test_status(tern_tensor_reshape(t, TERN_SHAPE(0, -1), &u), TERN_E_SHAPE);

    /* Every second column: rows can be split and columns too, but not merged with rows. */
    test_ok(tern_tensor_slice(t, 1, 0, 6, 2, &u)); /* (4, 3), strides 6, 2 */
    test_ok(tern_tensor_reshape(u, TERN_SHAPE(2, 2, 3, 1), &v));
    CHECK(v, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22);
    tern_tensor_release(v);
    test_ok(tern_tensor_reshape(u, TERN_SHAPE(12), &v)); /* 6 = 3 * 2: still even */
    CHECK(v, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22);
    tern_tensor_release(v);
    tern_tensor_release(u);
    test_ok(tern_tensor_slice(t, 1, 0, 4, 1, &u)); /* (4, 4), strides 6, 1 */
    test_status(tern_tensor_reshape(u, TERN_SHAPE(16), &v), TERN_E_SHAPE);
    assert_null(v);
    test_ok(tern_tensor_reshape(u, TERN_SHAPE(4, 2, 2), &v));
    CHECK(v, 0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15, 18, 19, 20, 21);
    tern_tensor_release(v);
    tern_tensor_release(u);
    test_ok(tern_tensor_transpose(t, 0, 1, &u)); /* (6, 4), strides 1, 6 */
    test_status(tern_tensor_reshape(u, TERN_SHAPE(24), &v), TERN_E_SHAPE);
    test_ok(tern_tensor_reshape(u, TERN_SHAPE(3, 2, 4), &v));
    CHECK(v, 0, 6, 12, 18, 1, 7, 13, 19, 2, 8, 14, 20, 3, 9, 15, 21, 4, 10, 16, 22, 5, 11, 17, 23);
    tern_tensor_release(v);
    tern_tensor_release(u);
    tern_tensor_release(t);
}

/* A random chain of views must show the same elements as the same steps on plain index arrays. */
static void random_views(void **state) {
    (void)state;
    test_random random = {.seed = 11};
    for (int round = 0; round < 2000; round++) {
        tern_tensor *t = counting(TERN_SHAPE(3, 4, 5));
        float model[60];
        int64_t dims[3] = {3, 4, 5};
        for (int i = 0; i < 60; i++)
            model[i] = (float)i;
        for (int step = 0; step < 4; step++) {
            float next[60];
            tern_tensor *u = NULL;
            int axis = (int)test_random_range(&random, 0, 2);
            if (test_random_range(&random, 0, 1) == 0) {
                int other = (int)test_random_range(&random, 0, 2);
                test_ok(tern_tensor_transpose(t, axis, other, &u));
                int64_t order[3] = {0, 1, 2};
                order[axis] = other;
                order[other] = axis;
                int64_t turned[3] = {dims[order[0]], dims[order[1]], dims[order[2]]};
                int64_t steps[3] = {dims[1] * dims[2], dims[2], 1};
                int64_t n = 0;
                for (int64_t i = 0; i < turned[0]; i++)
                    for (int64_t j = 0; j < turned[1]; j++)
                        for (int64_t k = 0; k < turned[2]; k++)
                            next[n++] = model[i * steps[order[0]] + j * steps[order[1]] +
                                              k * steps[order[2]]];
                memcpy(dims, turned, sizeof dims);
            } else {
                int64_t begin = test_random_range(&random, 0, dims[axis] - 1);
                int64_t end = test_random_range(&random, begin + 1, dims[axis]);
                int64_t by = test_random_range(&random, 1, 3);
                test_ok(tern_tensor_slice(t, axis, begin, end, by, &u));
                int64_t n = 0, at[3];
                for (at[0] = 0; at[0] < dims[0]; at[0]++)
                    for (at[1] = 0; at[1] < dims[1]; at[1]++)
                        for (at[2] = 0; at[2] < dims[2]; at[2]++)
                            if (at[axis] >= begin && at[axis] < end && (at[axis] - begin) % by == 0)
                                next[n++] = model[(at[0] * dims[1] + at[1]) * dims[2] + at[2]];
                dims[axis] = (end - begin + by - 1) / by;
            }
            memcpy(model, next, sizeof model);
            tern_tensor_release(t);
            t = u;
        }
        check_elements(t, model, dims[0] * dims[1] * dims[2]);
        tern_tensor_release(t);
    }
}

static void views_keep_storage(void **state) {
    (void)state;
    tern_tensor *t = counting(TERN_SHAPE(2, 3)), *u = NULL;
    test_ok(tern_tensor_select(t, 0, 1, &u));
    tern_tensor_release(t);
    CHECK(u, 3, 4, 5);
    assert_int_equal(tern_context_memory(context).live_tensors, 1);
    tern_tensor_release(u);
}

static void scopes(void **state) {
    (void)state;
    tern_tensor *kept = NULL, *early = NULL, *t = NULL;
    tern_scope_begin(context);
    for (int i = 0; i < 10; i++)
        test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(4), &t));
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(4), &kept));
    tern_scope_begin(context);
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(4), &early));
    test_ok(tern_tensor_zeros(context, TERN_F32, TERN_SHAPE(4), &t));
    tern_tensor_release(early);
    assert_int_equal(tern_context_memory(context).live_tensors, 12);
    tern_scope_end(context);
    assert_int_equal(tern_context_memory(context).live_tensors, 11);
    tern_tensor_retain(t = counting(TERN_SHAPE(2))); /* the scope's reference and ours */
    tern_tensor_keep(kept);
    tern_scope_end(context);
    assert_int_equal(tern_context_memory(context).live_tensors, 2);
    CHECK(t, 0, 1);
    tern_tensor_release(t);
    tern_tensor_release(kept);
    tern_scope_end(context); /* one too many: nothing happens */
}

static void random_numbers(void **state) {
    (void)state;
    tern_tensor *a = NULL, *b = NULL;
    test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(100000), 3, &a));
    test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(7), 3, &b)); /* a prefix */
    test_same_floats(tern_tensor_data(b), tern_tensor_data(a), 7, "randn prefix");
    double sum = 0, squares = 0;
    for (int i = 0; i < 100000; i++) {
        double x = ((float *)tern_tensor_data(a))[i];
        sum += x;
        squares += x * x;
    }
    assert_true(sum / 100000 > -0.02 && sum / 100000 < 0.02); /* 6 standard errors */
    assert_true(squares / 100000 > 0.97 && squares / 100000 < 1.03);
    tern_tensor_release(a);
    tern_tensor_release(b);
    test_ok(tern_tensor_rand(context, TERN_F32, TERN_SHAPE(1000), 4, &a));
    for (int i = 0; i < 1000; i++) {
        float x = ((float *)tern_tensor_data(a))[i];
        assert_true(x >= 0 && x < 1);
    }
    tern_tensor_release(a);
    test_status(tern_tensor_rand(context, TERN_I32, TERN_SHAPE(1), 4, &a), TERN_E_DTYPE);
}

/* A context goes when its handle and the last tensor went, in any order. */
static void context_outlived(void **state) {
    (void)state;
    tern_context *other = NULL;
    tern_tensor *t = NULL;
    test_ok(tern_context_create(&(tern_options){.threads = 1, .max_bytes = 4096}, &other));
    test_ok(tern_tensor_zeros(other, TERN_F32, TERN_SHAPE(16), &t));
    tern_tensor *big = NULL;
    test_status(tern_tensor_zeros(other, TERN_F32, TERN_SHAPE(4096), &big), TERN_E_LIMIT);
    tern_context_destroy(other);
    assert_true(((float *)tern_tensor_data(t))[15] == 0);
    tern_tensor_release(t);
    test_status(tern_context_create(&(tern_options){.threads = -1}, &other), TERN_E_ARGUMENT);
    test_status(tern_context_create(&(tern_options){.cpu = "quick"}, &other), TERN_E_ARGUMENT);
    assert_null(other);
}

/* Shapes that have few elements, none, or a step beyond all of them. */
static void odd_views(void **state) {
    (void)state;
    tern_tensor *t = counting(TERN_SHAPE(4, 6)), *u = NULL, *v = NULL;
    test_ok(tern_tensor_slice(t, 0, 1, 2, 1, &u)); /* (1, 6) */
    test_ok(tern_tensor_slice(u, 1, 0, 3, 1, &v)); /* (1, 3), strides 6, 1 */
    assert_true(tern_tensor_is_contiguous(v));
    assert_int_equal(tern_tensor_bytes(v), 12);
    tern_tensor_release(v);
    tern_tensor_release(u);
    test_ok(tern_tensor_slice(t, 0, 1, 4, INT64_MAX, &u));
    CHECK(u, 6, 7, 8, 9, 10, 11);
    assert_int_equal(tern_tensor_stride(u, 0), 6);
    tern_tensor_release(u);
    test_status(tern_tensor_broadcast(t, TERN_SHAPE(6), &u), TERN_E_SHAPE);
    test_status(tern_tensor_broadcast(t, TERN_SHAPE(-1, 4, 6), &u), TERN_E_SHAPE);
    test_status(tern_tensor_broadcast(t, (tern_shape){.rank = 9}, &u), TERN_E_SHAPE);

    test_ok(tern_tensor_slice(t, 0, 2, 2, 1, &u)); /* (0, 6) */
    test_ok(tern_tensor_transpose(u, 0, 1, &v));
    tern_tensor_release(u);
    const tern_shape shapes[] = {TERN_SHAPE(0), TERN_SHAPE(5, 0, 7), TERN_SHAPE(0, 3)};
    for (int i = 0; i < 3; i++) {
        test_ok(tern_tensor_reshape(v, shapes[i], &u));
        assert_int_equal(tern_tensor_rank(u), shapes[i].rank);
        assert_int_equal(tern_tensor_bytes(u), 0);
        assert_true(tern_tensor_is_contiguous(u));
        tern_tensor_release(u);
    }
    test_status(tern_tensor_reshape(v, TERN_SHAPE(1), &u), TERN_E_SHAPE);
    tern_tensor_release(v);
    tern_tensor_release(t);
}

/* Scopes that are open when the context goes take their tensors along. */
static void open_scopes(void **state) {
    (void)state;
    tern_context *other = NULL;
    tern_tensor *t = NULL, *kept = NULL;
    memory_file_install();
    memory_file_serve(NULL, 0);
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &other));
    for (int i = 0; i < 3; i++) {
        tern_scope_begin(other);
        test_ok(tern_tensor_zeros(other, TERN_F32, TERN_SHAPE(4), &t));
        test_ok(tern_tensor_zeros(other, TERN_F32, TERN_SHAPE(4), i == 1 ? &kept : &t));
    }
    tern_tensor_keep(kept);
    tern_context_destroy(other);
    assert_true(((float *)tern_tensor_data(kept))[3] == 0);
    tern_tensor_release(kept);
    memory_file_check_empty();
    memory_file_remove();
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, nothing_alive)
    const struct CMUnitTest tests[] = {
        TEST(dtype_bytes),        TEST(creation),  TEST(views),          TEST(reshapes),
        TEST(random_views),       TEST(scopes),    TEST(random_numbers), TEST(context_outlived),
        TEST(views_keep_storage), TEST(odd_views), TEST(open_scopes),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
