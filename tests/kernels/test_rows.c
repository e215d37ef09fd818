/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>

#include "support.h"

#include "kernels/inputs.h"
#include "kernels/rows.h"
#include "kernels/variants.h"

static const tern__rows_kernel *twin(void) {
    return test_scalar_twin(tern__rows_family);
}

/* The results of every function of the family on one row. */
typedef struct results {
    float sum, dot, max, scale;
    int32_t total;
    float *norm, *probabilities;
    int8_t *q;
} results;

static void run(const tern__rows_kernel *kernel, const float *x, const float *y, int64_t n,
                int64_t padded, results *out) {
    out->sum = kernel->sum(x, n);
    out->dot = kernel->dot(x, y, n);
    if (n >= 1) {
        out->max = kernel->max(x, n);
        kernel->softmax(x, out->probabilities, n);
    }
    kernel->rms_norm(x, y, 1e-5f, out->norm, n);
    out->scale = kernel->quantize(x, n, out->q, padded, &out->total);
}

static void check_row(const tern__rows_kernel *kernel, const float *x, const float *y, int64_t n,
                      int64_t padded, const results *expected, const char *what) {
    test_guarded norm = test_guarded_new((size_t)n * sizeof(float), (size_t)(n % 7) * 4);
    test_guarded probabilities = test_guarded_new((size_t)n * sizeof(float), (size_t)(n % 5) * 4);
    test_guarded q = test_guarded_new((size_t)padded, (size_t)(n % 11));
    results got = {.max = expected->max,
                   .norm = (float *)norm.data,
                   .probabilities = (float *)probabilities.data,
                   .q = (int8_t *)q.data};
    run(kernel, x, y, n, padded, &got);
    test_same_floats(&got.sum, &expected->sum, 1, what);
    test_same_floats(&got.dot, &expected->dot, 1, what);
    test_same_floats(&got.max, &expected->max, 1, what);
    test_same_floats(&got.scale, &expected->scale, 1, what);
    test_same_bytes(&got.total, &expected->total, sizeof got.total, what);
    test_same_floats(got.norm, expected->norm, n, what);
    test_same_floats(got.probabilities, expected->probabilities, n, what);
    test_same_bytes(got.q, expected->q, (size_t)padded, what);

    memcpy(norm.data, x, norm.bytes); /* in place */
    kernel->rms_norm(got.norm, y, 1e-5f, got.norm, n);
    test_same_floats(got.norm, expected->norm, n, what);
    memcpy(probabilities.data, x, probabilities.bytes);
    if (n >= 1)
        kernel->softmax(got.probabilities, got.probabilities, n);
    test_same_floats(got.probabilities, expected->probabilities, n, what);

    test_guarded_check(&norm);
    test_guarded_check(&probabilities);
    test_guarded_check(&q);
    test_guarded_free(&norm);
    test_guarded_free(&probabilities);
    test_guarded_free(&q);
}

/* `magnitude` stretches the row, for tiny and huge quantisation scales and overflowing sums. */
static void check_variants(test_random *random, int input, int64_t n, float magnitude) {
    char what[160];
    uint64_t position = random->position;
    test_guarded a = test_floats(random, input, n), b = test_floats(random, input, n);
    float *x = (float *)a.data, *y = (float *)b.data;
    for (int64_t i = 0; i < n; i++)
        x[i] *= magnitude;
    int64_t padded = n + test_random_range(random, 0, 70);

    size_t bytes = (size_t)n * sizeof(float) + 1;
    results expected = {
        .norm = malloc(bytes), .probabilities = malloc(bytes), .q = malloc((size_t)padded + 1)};
    run(twin(), x, y, n, padded, &expected);
    const tern__rows_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__rows_family, "rows", &at)) != NULL;) {
        snprintf(what, sizeof what, "%s, n %lld, input %d, magnitude %g, seed %llu at %llu",
                 kernel->variant.name, (long long)n, input, (double)magnitude,
                 (unsigned long long)random->seed, (unsigned long long)position);
        check_row(kernel, x, y, n, padded, &expected, what);
    }
    free(expected.norm);
    free(expected.probabilities);
    free(expected.q);
    test_guarded_check(&a);
    test_guarded_check(&b);
    test_guarded_free(&a);
    test_guarded_free(&b);
}

static void test_variants(void **state) {
    (void)state;
    static const float magnitudes[] = {1, 1, 20, 1e-7f, 1e37f};
    test_random random = {.seed = 21};
    for (int length = 0; length < TEST_LENGTHS; length++)
        for (int input = 0; input < TEST_INPUTS; input++)
            for (size_t m = 0; m < sizeof magnitudes / sizeof *magnitudes; m++)
                check_variants(&random, input, test_lengths[length], magnitudes[m]);
}

/* One NaN, infinity or zero of the other sign at each place of a row. */
static void test_one_special(void **state) {
    (void)state;
    enum { LENGTH = 197 };
    static const float specials[] = {NAN, -NAN, INFINITY, -INFINITY, 0.0f};
    float x[LENGTH], y[LENGTH], norm[LENGTH], probabilities[LENGTH];
    int8_t q[LENGTH];
    results expected = {.norm = norm, .probabilities = probabilities, .q = q};
    for (int i = 0; i < LENGTH; i++)
        y[i] = 1;
    for (size_t s = 0; s < sizeof specials / sizeof *specials; s++)
        for (int place = 0; place < LENGTH; place++) {
            for (int i = 0; i < LENGTH; i++)
                x[i] = specials[s] == 0 ? -0.0f : -1 - (float)i;
            x[place] = specials[s];
            run(twin(), x, y, LENGTH, LENGTH, &expected);
            const tern__rows_kernel *kernel;
            for (int at = 0; (kernel = test_next_variant(tern__rows_family, "rows", &at)) != NULL;)
                check_row(kernel, x, y, LENGTH, LENGTH, &expected, kernel->variant.name);
        }
}

/* Partial sums that underflow to -0 must not meet a +0 that is no part of the row. */
static void test_negative_zero(void **state) {
    (void)state;
    enum { LENGTH = 127 };
    float x[LENGTH], y[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
        x[i] = -1e-30f;
        y[i] = 1e-30f;
    }
    for (int64_t n = 1; n <= LENGTH; n++) {
        float expected = n < 64 ? 0.0f : -0.0f, got = twin()->dot(x, y, n);
        test_same_floats(&got, &expected, 1, "scalar");
        const tern__rows_kernel *kernel;
        for (int at = 0; (kernel = test_next_variant(tern__rows_family, "rows", &at)) != NULL;) {
            got = kernel->dot(x, y, n);
            test_same_floats(&got, &expected, 1, kernel->variant.name);
        }
    }
}

static float sum_of(int64_t n, int64_t at_a, float a, int64_t at_b, float b, int64_t at_c,
                    float c) {
    float x[256] = {0};
    x[at_a] = a;
    x[at_b] = b;
    x[at_c] = c;
    return twin()->sum(x, n);
}

/* 2^24 + 1 rounds to 2^24, 2^24 + 2 is exact: the sum shows what was added first. */
static void test_reduction_rule(void **state) {
    (void)state;
    const float big = 16777216;
    assert_true(sum_of(256, 0, big, 64, 1, 128, 1) == big); /* one partial, in order */
    assert_true(sum_of(256, 0, 1, 64, 1, 128, big) == big + 2);
    assert_true(sum_of(256, 0, big, 65, 1, 129, 1) == big + 2); /* partial 1 sums to 2 */
    assert_true(sum_of(256, 0, big, 32, 1, 16, 1) == big);      /* 0 + 32 before 16 */
    assert_true(sum_of(256, 0, big, 48, 1, 16, 1) == big + 2);  /* 16 + 48 before 0 */
    assert_true(sum_of(256, 0, big, 24, 1, 8, 1) == big + 2);
    assert_true(sum_of(256, 0, big, 12, 1, 4, 1) == big + 2);
    assert_true(sum_of(256, 0, big, 6, 1, 2, 1) == big + 2);
    assert_true(sum_of(256, 0, big, 3, 1, 1, 1) == big + 2);
    assert_true(sum_of(256, 0, big, 2, 1, 1, 1) == big);
    assert_true(sum_of(64, 62, big, 61, 1, 63, 1) == big + 2);

    /* dot rounds once a step: (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24 needs 25 bits. */
    const float x[65] = {[0] = 1, [64] = 1 + 0x1p-12f}, y[65] = {[0] = -1, [64] = 1 + 0x1p-12f};
    assert_true(twin()->dot(x, y, 65) == 0x1p-11f + 0x1p-24f);
}

static void test_literals(void **state) {
    (void)state;
    const tern__rows_kernel *kernel = twin();
    const float x[] = {1, -2, 3.5f, 0}, weight[] = {1, 2, -1, 5};
    assert_true(kernel->sum(x, 4) == 2.5f);
    assert_true(kernel->dot(x, weight, 4) == -6.5f);
    assert_true(kernel->max(x, 4) == 3.5f && kernel->max(x + 1, 1) == -2);
    assert_true(kernel->sum(x, 0) == 0 && kernel->dot(x, x, 0) == 0);

    const float zeros[] = {-0.0f, 0.0f, -0.0f};
    assert_false(signbit(kernel->max(zeros, 3)));
    assert_true(signbit(kernel->max(zeros, 1)));
    const float nan[] = {1, NAN, INFINITY}, low[] = {-INFINITY, -INFINITY};
    assert_true(isnan(kernel->max(nan, 3)));
    assert_true(kernel->max(low, 2) == -INFINITY);

    float out[4];
    const float four[] = {2, -2, 2, 2};
    kernel->rms_norm(four, weight, 0, out, 4);
    test_same_floats(out, (const float[]){1, -2, -1, 5}, 4, "rms_norm");
    kernel->rms_norm(four, weight, 12, out, 4);
    test_same_floats(out, (const float[]){0.5f, -1, -0.5f, 2.5f}, 4, "rms_norm, epsilon 12");
    kernel->softmax(four, out, 1);
    test_same_floats(out, (const float[]){1}, 1, "softmax of one");
    kernel->softmax((const float[]){5, 5, -INFINITY, -500}, out, 4);
    test_same_floats(out, (const float[]){0.5f, 0.5f, 0, 0}, 4, "softmax");
}

static void check_quantize(const float *x, int64_t n, float scale, const int8_t *expected) {
    int8_t q[16];
    int32_t total, sum = 0;
    memset(q, 0x55, sizeof q);
    float s = twin()->quantize(x, n, q, 12, &total);
    test_same_floats(&s, &scale, 1, "scale");
    for (int i = 0; i < 12; i++) {
        assert_int_equal(q[i], i < n ? expected[i] : 0);
        sum += q[i];
    }
    assert_int_equal(q[12], 0x55);
    assert_int_equal(total, sum);
}

static void test_quantize_literals(void **state) {
    (void)state;
    /* Halves go to the even neighbour. */
    check_quantize((const float[]){127, -127, 0.5f, 1.5f, -2.5f, 126.4f}, 6, 1,
                   (const int8_t[]){127, -127, 0, 2, -2, 126});
    check_quantize((const float[]){-2, 1, 0}, 3, 63.5f, (const int8_t[]){-127, 64, 0});
    check_quantize((const float[]){1e-6f, 0}, 2, 127 / 1e-5f, (const int8_t[]){13, 0});
    check_quantize((const float[]){0, -0.0f}, 2, 127 / 1e-5f, (const int8_t[]){0, 0});
    check_quantize((const float[]){1, NAN, INFINITY}, 3, NAN, (const int8_t[]){0, 0, 0});
    check_quantize((const float[]){1, -INFINITY, 2}, 3, 0, (const int8_t[]){0, 0, 0});
    check_quantize((const float[]){FLT_MAX, -FLT_MAX, 1e38f}, 3, 127 / FLT_MAX,
                   (const int8_t[]){127, -127, 37});
    check_quantize(NULL, 0, 127 / 1e-5f, NULL);
}

/* The scalar twin against sums and functions in double. */
static void test_accuracy(void **state) {
    (void)state;
    enum { LENGTH = 2560 };
    static float x[LENGTH], y[LENGTH], norm[LENGTH], probabilities[LENGTH];
    test_random random = {.seed = 22};
    test_random_normal(&random, x, LENGTH);
    test_random_normal(&random, y, LENGTH);
    double sum = 0, dot = 0, squares = 0, exps = 0;
    for (int i = 0; i < LENGTH; i++) {
        sum += (double)x[i];
        dot += (double)x[i] * (double)y[i];
        squares += (double)x[i] * (double)x[i];
        exps += exp((double)x[i]);
    }
    assert_true(fabs((double)twin()->sum(x, LENGTH) - sum) < 1e-4);
    assert_true(fabs((double)twin()->dot(x, y, LENGTH) - dot) < 1e-4);
    twin()->rms_norm(x, y, 1e-5f, norm, LENGTH);
    twin()->softmax(x, probabilities, LENGTH);
    double r = 1 / sqrt(squares / LENGTH + 1e-5);
    for (int i = 0; i < LENGTH; i++) {
        double exact = (double)x[i] * r * (double)y[i];
        assert_true(fabs((double)norm[i] - exact) <= 3e-7 * fabs(exact));
        exact = exp((double)x[i]) / exps;
        assert_true(fabs((double)probabilities[i] - exact) <= 1e-6 * exact);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),       cmocka_unit_test(test_quantize_literals),
        cmocka_unit_test(test_reduction_rule), cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_negative_zero),  cmocka_unit_test(test_one_special),
        cmocka_unit_test(test_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
