/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "kernels/inputs.h"
#include "kernels/quantize.h"
#include "kernels/variants.h"

static const tern__quantize_kernel *twin(void) {
    return test_scalar_twin(tern__quantize_family);
}

/* The largest magnitude by what a float is, without the bits. */
static void check_largest(const float *x, int64_t n, int32_t got) {
    float most = 0;
    bool has_nan = false;
    for (int64_t i = 0; i < n; i++) {
        has_nan = has_nan || isnan(x[i]);
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    }
    float value = tern__f32_from_bits((uint32_t)got);
    assert_true(has_nan ? isnan(value) : value == most);
}

/* Codes and sums of one row by the definition. */
static void define(const float *x, int64_t n, float s, float scale, int offset, uint8_t *codes,
                   tern__quantize_sums *sums) {
    for (int64_t i = 0; i < n; i++) {
        double q = rint((double)(x[i] * s));
        float error = fmaf((float)-q, scale, x[i]);
        codes[i] = (uint8_t)(q + offset);
        sums->squares[i % 64] = fmaf(x[i], x[i], sums->squares[i % 64]);
        sums->errors[i % 64] = fmaf(error, error, sums->errors[i % 64]);
    }
}

static void check_codes(const tern__quantize_kernel *kernel, const float *x, int64_t n, int limit,
                        int offset, size_t skew, const char *what) {
    float m = tern__f32_from_bits((uint32_t)kernel->largest(x, n));
    m = m > 0x1p-100f ? m : 0x1p-100f;
    float s = (float)limit / m, scale = m / (float)limit;
    tern__quantize_sums expected_sums = {{0}, {0}}, sums = {{0}, {0}};
    uint8_t *expected = malloc((size_t)n + 1);
    test_guarded codes = test_guarded_new((size_t)n, skew);
    define(x, n, s, scale, offset, expected, &expected_sums);
    int64_t half = n / 128 * 64; /* in two portions */
    kernel->codes(x, half, s, scale, offset, codes.data, &sums);
    kernel->codes(x + half, n - half, s, scale, offset, codes.data + half, &sums);
    test_same_bytes(codes.data, expected, (size_t)n, what);
    test_same_floats(sums.squares, expected_sums.squares, 64, what);
    test_same_floats(sums.errors, expected_sums.errors, 64, what);
    for (int64_t i = 0; i < n; i++)
        assert_in_range(codes.data[i], offset - limit, offset + limit);
    test_guarded_check(&codes);
    test_guarded_free(&codes);
    free(expected);
}

static void check(test_random *random, int input, int64_t n) {
    char what[160];
    snprintf(what, sizeof what, "quantize, input %d, n %lld, seed %llu at %llu", input,
             (long long)n, (unsigned long long)random->seed, (unsigned long long)random->position);
    test_guarded x = test_floats(random, input, n);
    const float *values = (const float *)x.data;
    int32_t largest = twin()->largest(values, n);
    bool is_finite = isfinite(tern__f32_from_bits((uint32_t)largest));
    check_largest(values, n, largest);
    const tern__quantize_kernel *kernel = twin();
    for (int at = 0; kernel != NULL;
         kernel = test_next_variant(tern__quantize_family, "quantize", &at)) {
        assert_int_equal(kernel->largest(values, n), largest);
        if (!is_finite)
            continue;
        check_codes(kernel, values, n, 127, 128, (size_t)test_random_range(random, 0, 63), what);
        check_codes(kernel, values, n, 7, 8, (size_t)test_random_range(random, 0, 63), what);
    }
    test_guarded_check(&x);
    test_guarded_free(&x);
}

static void variants(void **state) {
    (void)state;
    test_random random = {.seed = 71};
    for (int length = 0; length < TEST_LENGTHS; length++)
        for (int input = 0; input < TEST_INPUTS; input++)
            check(&random, input, test_lengths[length]);
}

/* Literal numbers: the largest becomes the limit, halves go to even. */
static void literal(void **state) {
    (void)state;
    const float x[] = {-2, 1, 0.5f, 3.5f, -1.5f, -0.0f, 0.25f};
    const uint8_t expected[] = {4, 10, 9, 15, 5, 8, 8};
    uint8_t codes[7];
    tern__quantize_sums sums = {{0}, {0}};
    float m = tern__f32_from_bits((uint32_t)twin()->largest(x, 7));
    assert_true(m == 3.5f);
    twin()->codes(x, 7, 7 / m, m / 7, 8, codes, &sums);
    test_same_bytes(codes, expected, sizeof codes, "literal");
    assert_true(sums.squares[3] == 12.25f && sums.errors[3] == 0);
    assert_true(sums.squares[6] == 0.0625f && sums.errors[6] == 0.0625f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal),
        cmocka_unit_test(variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
