/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "kernels/elementwise.h"
#include "kernels/inputs.h"
#include "kernels/variants.h"

static const tern__elementwise_kernel *twin(void) {
    return test_scalar_twin(tern__elementwise_family);
}

static void check_rope(test_random *random, int input, int64_t half) {
    char what[160];
    snprintf(what, sizeof what, "rope, input %d, seed %llu at %llu", input,
             (unsigned long long)random->seed, (unsigned long long)random->position);
    test_guarded x = test_floats(random, input, 2 * half);
    test_guarded c = test_floats(random, input, half);
    test_guarded s = test_floats(random, input, half);
    const float *cosine = (const float *)c.data, *sine = (const float *)s.data;
    float *expected = malloc(x.bytes + 1);
    twin()->rope((const float *)x.data, cosine, sine, expected, half);

    const tern__elementwise_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__elementwise_family, "elementwise", &at));) {
        test_guarded out = test_guarded_new(x.bytes, 4);
        kernel->rope((const float *)x.data, cosine, sine, (float *)out.data, half);
        test_same_floats((const float *)out.data, expected, 2 * half, what);
        memcpy(out.data, x.data, x.bytes);
        kernel->rope((const float *)out.data, cosine, sine, (float *)out.data, half);
        test_same_floats((const float *)out.data, expected, 2 * half, what);
        test_guarded_check(&out);
        test_guarded_free(&out);
    }
    free(expected);
    test_guarded_check(&x);
    test_guarded_free(&x);
    test_guarded_free(&c);
    test_guarded_free(&s);
}

static void test_rope_variants(void **state) {
    (void)state;
    test_random random = {.seed = 12};
    for (int length = 0; length < TEST_LENGTHS; length++)
        for (int input = 0; input < TEST_INPUTS; input++)
            check_rope(&random, input, test_lengths[length]);
}

/* from_i32 and accumulate_i32; the random bits of an input double as integers. */
static void check_integers(test_random *random, int input, int64_t n) {
    char what[160];
    snprintf(what, sizeof what, "integers, input %d, seed %llu at %llu", input,
             (unsigned long long)random->seed, (unsigned long long)random->position);
    test_guarded x = test_floats(random, TEST_BITS, n);
    test_guarded factors = test_floats(random, input, n);
    test_guarded before = test_floats(random, input, n);
    float factor = n > 0 ? ((const float *)factors.data)[n - 1] : 1;
    float *scaled = malloc(x.bytes + 1), *sums = malloc(x.bytes + 1);
    twin()->from_i32((const int32_t *)x.data, factor, scaled, n);
    memcpy(sums, before.data, before.bytes);
    twin()->accumulate_i32((const int32_t *)x.data, (const float *)factors.data, sums, n);

    const tern__elementwise_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__elementwise_family, "elementwise", &at));) {
        size_t offset = (size_t)test_random_range(random, 0, 15) * sizeof(float);
        test_guarded out = test_guarded_new(x.bytes, offset);
        kernel->from_i32((const int32_t *)x.data, factor, (float *)out.data, n);
        test_same_floats((const float *)out.data, scaled, n, what);
        memcpy(out.data, x.data, x.bytes);
        kernel->from_i32((const int32_t *)out.data, factor, (float *)out.data, n);
        test_same_floats((const float *)out.data, scaled, n, what);
        memcpy(out.data, before.data, before.bytes);
        kernel->accumulate_i32((const int32_t *)x.data, (const float *)factors.data,
                               (float *)out.data, n);
        test_same_floats((const float *)out.data, sums, n, what);
        test_guarded_check(&out);
        test_guarded_free(&out);
    }
    free(scaled);
    free(sums);
    test_guarded_free(&x);
    test_guarded_free(&factors);
    test_guarded_free(&before);
}

static void test_integer_variants(void **state) {
    (void)state;
    test_random random = {.seed = 13};
    for (int length = 0; length < TEST_LENGTHS; length++)
        for (int input = 0; input < TEST_INPUTS; input++)
            check_integers(&random, input, test_lengths[length]);
}

static void test_literals(void **state) {
    (void)state;
    const tern__elementwise_kernel *kernel = twin();
    float out[4];
    const float pair[] = {1, 2, 3, 4}, cosine[] = {0.5f, 0}, sine[] = {0.25f, 1};
    kernel->rope(pair, cosine, sine, out, 2);
    test_same_floats(out, (const float[]){-0.25f, -4, 1.75f, 2}, 4, "rope");

    const int32_t whole[] = {3, -7, 16777217, INT32_MIN};
    kernel->from_i32(whole, 0.5f, out, 4);
    test_same_floats(out, (const float[]){1.5f, -3.5f, 8388608, -1073741824}, 4, "from_i32");
    float sums[] = {1, 1, 1, 0};
    kernel->accumulate_i32(whole, (const float[]){2, 0.5f, 0, 1}, sums, 4);
    test_same_floats(sums, (const float[]){7, -2.5f, 1, -2147483648.0f}, 4, "accumulate_i32");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_rope_variants),
        cmocka_unit_test(test_integer_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
