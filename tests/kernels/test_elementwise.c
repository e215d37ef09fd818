/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "support.h"

#include "kernels/elementwise.h"
#include "kernels/inputs.h"
#include "kernels/variants.h"

static const tern__elementwise_kernel *twin(void) {
    return test_scalar_twin(tern__elementwise_family);
}

/* The functions whose operands have strides. */
enum { ADD, MUL, SCALE, RELU2, SILU, STRIDED };
static const char *const strided_name[] = {"add", "mul", "scale", "relu2", "silu"};

/* n elements at any stride in a guarded buffer. */
typedef struct operand {
    test_guarded buffer;
    const float *first;
    int64_t stride;
} operand;

static operand operand_new(test_random *random, int input, int64_t n, int64_t stride) {
    int64_t step = stride < 0 ? -stride : stride;
    int64_t span = n == 0 ? 0 : (n - 1) * step + 1;
    operand x = {.buffer = test_floats(random, input, span), .stride = stride};
    x.first = (const float *)x.buffer.data + (stride < 0 && n > 0 ? span - 1 : 0);
    return x;
}

static void operand_free(operand *x) {
    test_guarded_check(&x->buffer);
    test_guarded_free(&x->buffer);
}

static void run_strided(const tern__elementwise_kernel *kernel, int function, const operand *a,
                        const operand *b, float *out, int64_t n) {
    switch (function) {
    case ADD:
        kernel->add(a->first, a->stride, b->first, b->stride, out, n);
        break;
    case MUL:
        kernel->mul(a->first, a->stride, b->first, b->stride, out, n);
        break;
    case SCALE:
        kernel->scale(a->first, a->stride, n > 0 ? b->first[0] : 1, out, n);
        break;
    case RELU2:
        kernel->relu2(a->first, a->stride, out, n);
        break;
    default:
        kernel->silu(a->first, a->stride, out, n);
    }
}

/* One call of one function by every variant, into fresh memory and onto its first operand. */
static void check_strided(test_random *random, int function, int input, int64_t n,
                          const int64_t stride[2]) {
    char what[160];
    uint64_t position = random->position;
    operand a = operand_new(random, input, n, stride[0]);
    operand b = operand_new(random, input, n, stride[1]);
    float *expected = malloc((size_t)n * sizeof(float) + 1);
    run_strided(twin(), function, &a, &b, expected, n);

    const tern__elementwise_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__elementwise_family, "elementwise", &at));) {
        snprintf(what, sizeof what, "%s %s, strides %lld and %lld, input %d, seed %llu at %llu",
                 kernel->variant.name, strided_name[function], (long long)stride[0],
                 (long long)stride[1], input, (unsigned long long)random->seed,
                 (unsigned long long)position);
        size_t offset = (size_t)test_random_range(random, 0, 15) * sizeof(float);
        test_guarded out = test_guarded_new((size_t)n * sizeof(float), offset);
        run_strided(kernel, function, &a, &b, (float *)out.data, n);
        test_same_floats((const float *)out.data, expected, n, what);

        if (stride[0] == 1) { /* in place */
            memcpy(out.data, a.first, out.bytes);
            operand same = {.first = (const float *)out.data, .stride = 1};
            run_strided(kernel, function, &same, &b, (float *)out.data, n);
            test_same_floats((const float *)out.data, expected, n, what);
        }
        test_guarded_check(&out);
        test_guarded_free(&out);
    }
    free(expected);
    operand_free(&a);
    operand_free(&b);
}

static void test_strided_variants(void **state) {
    (void)state;
    static const int64_t strides[][2] = {{1, 1}, {1, 0}, {0, 1},  {0, 0}, {2, 1},
                                         {1, 3}, {3, 2}, {-1, 1}, {1, -1}};
    test_random random = {.seed = 11};
    for (int length = 0; length < TEST_LENGTHS; length++)
        for (int input = 0; input < TEST_INPUTS; input++)
            for (int function = 0; function < STRIDED; function++)
                for (size_t s = 0; s < sizeof strides / sizeof *strides; s++)
                    check_strided(&random, function, input, test_lengths[length], strides[s]);
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
    const float a[] = {1, -2, 0.5f, 16777216, -0.0f, INFINITY}, b[] = {3, 5, -0.25f, 1, -0.0f, -1};
    float out[6];
    kernel->add(a, 1, b, 1, out, 6);
    test_same_floats(out, (const float[]){4, 3, 0.25f, 16777216, -0.0f, INFINITY}, 6, "add");
    kernel->add(a, 2, b + 5, -1, out, 3);
    test_same_floats(out, (const float[]){0, 0.5f, 1}, 3, "add, strides 2 and -1");
    kernel->mul(a, 1, b, 1, out, 6);
    test_same_floats(out, (const float[]){3, -10, -0.125f, 16777216, 0, -INFINITY}, 6, "mul");
    kernel->scale(a, 1, -0.5f, out, 6);
    test_same_floats(out, (const float[]){-0.5f, 1, -0.25f, -8388608, 0, -INFINITY}, 6, "scale");
    kernel->scale(a + 1, 0, 2, out, 3);
    test_same_floats(out, (const float[]){-4, -4, -4}, 3, "scale, stride 0");

    const float x[] = {3, -3, -0.0f, -INFINITY, INFINITY, NAN};
    kernel->relu2(x, 1, out, 6);
    test_same_floats(out, (const float[]){9, 0, 0, 0, INFINITY, NAN}, 6, "relu2");
    const float s[] = {0, -0.0f, 200, -200, -INFINITY, 1};
    kernel->silu(s, 1, out, 6);
    test_same_floats(out, (const float[]){0, -0.0f, 200, -0.0f, NAN, 0x1.764d5p-1f}, 6, "silu");

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
        cmocka_unit_test(test_strided_variants),
        cmocka_unit_test(test_rope_variants),
        cmocka_unit_test(test_integer_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
