/* SPDX-License-Identifier: MIT
 * Transcendental functions: every variant has the bits of the scalar one, and those are held to the
 * system's double functions. */
#include <math.h>

#include "support.h"

#include "kernels/function_cases.h"
#include "kernels/inputs.h"
#include "kernels/variants.h"

/* Every SAMPLE_STEP-th F32 bit pattern, 16.7 million of them; elsewhere than on x86-64, where the
 * tests may run in an emulator, fewer. */
#if defined(__x86_64__)
enum { SAMPLE_STEP = 257, BATCH = 8192 };
#else
enum { SAMPLE_STEP = 257 * 64 + 1, BATCH = 8192 };
#endif

static const tern__functions_kernel *twin(void) {
    return test_scalar_twin(tern__functions_family);
}

/* -- accuracy ----------------------------------------------------------------------------------*/

static void f32_results_are_close(void **state) {
    (void)state;
    static float x[BATCH], y[BATCH];
    const tern__functions_kernel *kernel =
        TERN__PICK(tern__functions_family, tern__cpu()->features);
    uint64_t step = (uint64_t)SAMPLE_STEP * (TEST_IS_SANITIZED ? 64 : 1);
    for (int f = 0; f < TERN__FUNCTIONS; f++) {
        double largest = 0;
        float where = 0;
        for (uint64_t bits = 0; bits <= UINT32_MAX;) {
            int n = 0;
            for (; n < BATCH && bits <= UINT32_MAX; n++, bits += step)
                x[n] = tern__f32_from_bits((uint32_t)bits);
            kernel->f32[f](x, 1, y, n);
            for (int i = 0; i < n; i++) {
                double error = error_f32(y[i], function_case[f].reference((double)x[i]));
                if (error > largest) {
                    largest = error;
                    where = x[i];
                }
            }
        }
        printf("%-10s f32 %.5f ulp at %a\n", function_case[f].name, largest, (double)where);
        if (!(largest <= function_case[f].max_f32))
            fail_msg("%s(%a) is off by %g ulp", function_case[f].name, (double)where, largest);
    }
}

/* Arguments that are neither tiny nor huge, where the result is. */
static void f64_results_are_close(void **state) {
    (void)state;
    static double x[BATCH], y[BATCH];
    const tern__functions_kernel *kernel =
        TERN__PICK(tern__functions_family, tern__cpu()->features);
    test_random random = {.seed = 11};
    for (int f = 0; f < TERN__FUNCTIONS; f++) {
        double largest = 0, where = 0;
        for (int round = 0; round < (SAMPLE_STEP > 257 ? 2 : 24); round++) {
            for (int i = 0; i < BATCH; i++) {
                double unit = (test_random_u32(&random) + 0.5) * 0x1p-31 - 1;
                x[i] = ldexp(unit, (int)test_random_range(&random, -40, 4));
            }
            kernel->f64[f](x, 1, y, BATCH);
            for (int i = 0; i < BATCH; i++) {
                double error = error_ulp(y[i], function_case[f].reference(x[i]), 53, -1074);
                if (error > largest) {
                    largest = error;
                    where = x[i];
                }
            }
        }
        printf("%-10s f64 %.2f ulp at %a\n", function_case[f].name, largest, where);
        /* The system's own functions are good to about one ulp. */
        if (!(largest <= function_case[f].max_f64 + 1))
            fail_msg("%s(%a) is off by %g ulp", function_case[f].name, where, largest);
    }
}

static void large_angles_are_reduced(void **state) {
    (void)state;
    test_random random = {.seed = 12};
    static double x[BATCH], s[BATCH], c[BATCH], t[BATCH];
    for (int i = 0; i < BATCH; i++) {
        double unit = (test_random_u32(&random) + 0.5) * 0x1p-31 - 1;
        x[i] = ldexp(unit, (int)test_random_range(&random, 15, 1023));
    }
    /* The double that lies closest to a multiple of pi/2 (Kahan), and round the switch. */
    const double hard[] = {6381956970095103.0 * 0x1p797, 0x1p20, 0x1.0000000000001p20,
                           1.5707963267948966 * 1048575, 0x1.fffffffffffffp1023};
    memcpy(x, hard, sizeof hard);
    const tern__functions_kernel *kernel = twin();
    kernel->f64[TERN__FUNCTION_SIN](x, 1, s, BATCH);
    kernel->f64[TERN__FUNCTION_COS](x, 1, c, BATCH);
    kernel->f64[TERN__FUNCTION_TAN](x, 1, t, BATCH);
    for (int i = 0; i < BATCH; i++) {
        /* The system's double functions are off by 8 ulp at the first of them. */
        double sine = (double)sinl(x[i]), cosine = (double)cosl(x[i]), tangent = (double)tanl(x[i]);
        if (!(error_ulp(s[i], sine, 53, -1074) <= 3 && error_ulp(c[i], cosine, 53, -1074) <= 3 &&
              error_ulp(t[i], tangent, 53, -1074) <= 5))
            fail_msg("x = %a: sin %a, cos %a, tan %a", x[i], s[i], c[i], t[i]);
    }
}

static float pow_one(float x, float y) {
    float out;
    twin()->pow_f32(&x, 1, &y, 1, &out, 1);
    return out;
}

static double pow_one_f64(double x, double y) {
    double out;
    twin()->pow_f64(&x, 1, &y, 1, &out, 1);
    return out;
}

static double atan2_one(double y, double x) {
    double out;
    twin()->atan2_f64(&y, 1, &x, 1, &out, 1);
    return out;
}

static const float edges[] = {0.0f,   -0.0f,     1.0f,        -1.0f,       0.5f,   -0.5f,
                              2.0f,   -2.0f,     3.0f,        -3.0f,       2.5f,   -2.5f,
                              1e-40f, -1e-40f,   16777215.0f, 16777217.0f, -3e38f, 3e38f,
                              1e-3f,  0.999999f, INFINITY,    -INFINITY,   NAN};
enum { EDGES = sizeof edges / sizeof *edges };

static void binary_functions_know_the_edges(void **state) {
    (void)state;
    for (int i = 0; i < EDGES; i++)
        for (int j = 0; j < EDGES; j++) {
            double x = (double)edges[i], y = (double)edges[j];
            float power = pow_one(edges[i], edges[j]);
            if (!(error_f32(power, pow(x, y)) <= 0.50001))
                fail_msg("pow(%g, %g) = %g, not %g", x, y, (double)power, pow(x, y));
            double power_f64 = pow_one_f64(x, y);
            if (!(error_ulp(power_f64, pow(x, y), 53, -1074) <= 3))
                fail_msg("pow(%g, %g) = %a, not %a", x, y, power_f64, pow(x, y));
            double angle = atan2_one(x, y);
            if (!(error_ulp(angle, atan2(x, y), 53, -1074) <= 2))
                fail_msg("atan2(%g, %g) = %g, not %g", x, y, angle, atan2(x, y));
        }
}

static void binary_functions_are_the_nearest(void **state) {
    (void)state;
    static float x[BATCH], y[BATCH], p[BATCH], a[BATCH];
    const tern__functions_kernel *kernel =
        TERN__PICK(tern__functions_family, tern__cpu()->features);
    test_random random = {.seed = 13};
    for (int round = 0; round < (SAMPLE_STEP > 257 ? 4 : 50); round++) {
        test_random_bits(&random, x, BATCH);
        test_random_bits(&random, y, BATCH);
        for (int i = 0; i < BATCH / 2; i++) { /* where a power is neither 0 nor infinity */
            x[i] = fabsf(ldexpf((float)test_random_u32(&random), (int)(i % 60) - 60));
            y[i] = ldexpf((float)test_random_range(&random, -1000000, 1000000), -(i % 18));
        }
        kernel->pow_f32(x, 1, y, 1, p, BATCH);
        kernel->atan2_f32(x, 1, y, 1, a, BATCH);
        for (int i = 0; i < BATCH; i++) {
            double power = pow((double)x[i], (double)y[i]);
            double angle = atan2((double)x[i], (double)y[i]);
            if (!(error_f32(p[i], power) <= 0.50001 && error_f32(a[i], angle) <= 0.50001))
                fail_msg("x = %a, y = %a: pow %a, atan2 %a", (double)x[i], (double)y[i],
                         (double)p[i], (double)a[i]);
        }
    }
}

/* Bases of every size and near 1, exponents up to where the power leaves the numbers. */
static void powers_are_close(void **state) {
    (void)state;
    static double x[BATCH], y[BATCH], p[BATCH];
    const tern__functions_kernel *kernel =
        TERN__PICK(tern__functions_family, tern__cpu()->features);
    test_random random = {.seed = 16};
    double largest = 0, where[2] = {0};
    for (int round = 0; round < (SAMPLE_STEP > 257 ? 2 : 24); round++) {
        for (int i = 0; i < BATCH; i++) {
            double unit = (test_random_u32(&random) + 0.5) * 0x1p-32;
            x[i] = i % 2 == 0 ? ldexp(1 + unit, (int)test_random_range(&random, -1074, 1023))
                              : 1 + ldexp(unit - 0.5, (int)test_random_range(&random, -30, 0));
            double size = 745 / fabs(log(x[i]));
            y[i] = size * ((test_random_u32(&random) + 0.5) * 0x1p-31 - 1);
        }
        kernel->pow_f64(x, 1, y, 1, p, BATCH);
        for (int i = 0; i < BATCH; i++) {
            double error = error_ulp(p[i], (double)powl(x[i], y[i]), 53, -1074);
            if (error > largest) {
                largest = error;
                where[0] = x[i];
                where[1] = y[i];
            }
        }
    }
    printf("%-10s f64 %.2f ulp at %a, %a\n", "pow", largest, where[0], where[1]);
    if (!(largest <= 2))
        fail_msg("pow(%a, %a) is off by %g ulp", where[0], where[1], largest);
}

/* C11 annex F, by the bits. */
static void unary_functions_know_the_edges(void **state) {
    (void)state;
    for (int f = 0; f < TERN__FUNCTIONS; f++)
        for (int i = 0; i < EDGES; i++) {
            float y;
            twin()->f32[f](&edges[i], 1, &y, 1);
            double want = function_case[f].reference((double)edges[i]);
            if (!(error_f32(y, want) <= function_case[f].max_f32))
                fail_msg("%s(%g) = %g, not %g", function_case[f].name, (double)edges[i], (double)y,
                         want);
        }
}

static void exp_knows_its_edges(void **state) {
    (void)state;
    const float x[] = {0,
                       -0.0f,
                       INFINITY,
                       -INFINITY,
                       NAN,
                       0x1p-149f,
                       -0x1p-149f,
                       1,
                       -1,
                       0x1.62e42ep+6f,
                       0x1.62e43p+6f, /* 88.7228: the last finite result */
                       1000,
                       -1000,
                       3.4e38f,
                       -3.4e38f,
                       -0x1.9d1d9ep+6f,
                       -0x1.9fe368p+6f, /* the last 2^-149 and the first 0 */
                       -0x1.9fe36ap+6f,
                       -0x1.5d589ep+6f,
                       -0x1.5d58ap+6f};
    const float y[] = {1,
                       1,
                       INFINITY,
                       0,
                       NAN,
                       1,
                       1,
                       0x1.5bf0a8p+1f,
                       0x1.78b564p-2f,
                       0x1.ffff08p+127f,
                       INFINITY,
                       INFINITY,
                       0,
                       INFINITY,
                       0,
                       0x1p-149f,
                       0x1p-149f,
                       0,
                       0x1.00004cp-126f,
                       0x1.ffff98p-127f};
    float got[sizeof x / sizeof *x];
    twin()->f32[TERN__FUNCTION_EXP](x, 1, got, sizeof x / sizeof *x);
    test_same_floats(got, y, sizeof x / sizeof *x, "exp");
}

/* Softmax and SiLU, and with them the hash of the story model, are made of this exponential: the
 * digest (FNV-1a) of every 16 411th result ties its bits to the ones that were measured. */
static void exp_has_its_bits(void **state) {
    (void)state;
    enum { STEP = 16411 };
    static float x[1024], y[1024];
    uint32_t digest = 2166136261u;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32;) {
        for (int i = 0; i < 1024; i++, bits += STEP)
            x[i] = tern__f32_from_bits((uint32_t)bits);
        twin()->f32[TERN__FUNCTION_EXP](x, 1, y, 1024);
        for (int i = 0; i < 1024; i++)
            digest = (digest ^ (isnan(x[i]) ? 0 : tern__f32_bits(y[i]))) * 16777619u;
    }
    assert_int_equal(digest, 0x462022edu);
}

/* -- every variant ------------------------------------------------------------------------------*/

/* Bit patterns of every kind, and numbers where the functions do something. */
static void fill(test_random *random, int kind, double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = (uint64_t)test_random_u32(random) << 32 | test_random_u32(random);
        if (kind == 0)
            memcpy(&x[i], &bits, sizeof bits);
        else if (kind == 1)
            x[i] = ldexp((double)(int64_t)bits, (int)test_random_range(random, -100, -56));
        else
            x[i] = (double)edges[bits % EDGES];
    }
}

static void check_bits(const void *got, const void *expected, bool is_double, int64_t n,
                       const char *what) {
    for (int64_t i = 0; i < n; i++) {
        double g = is_double ? ((const double *)got)[i] : (double)((const float *)got)[i];
        double e = is_double ? ((const double *)expected)[i] : (double)((const float *)expected)[i];
        if (!(isnan(g) && isnan(e)) && memcmp(&g, &e, sizeof g) != 0)
            fail_msg("%s: element %lld is %a, not %a", what, (long long)i, g, e);
    }
}

typedef struct call {
    const double *x, *y;
    const float *xf, *yf;
    int64_t x_stride, y_stride, n;
} call;

/* Functions f < TERN__FUNCTIONS, then atan2 and pow. */
static void run(const tern__functions_kernel *k, int f, bool is_double, const call *c, void *out) {
    if (f < TERN__FUNCTIONS && is_double)
        k->f64[f](c->x, c->x_stride, out, c->n);
    else if (f < TERN__FUNCTIONS)
        k->f32[f](c->xf, c->x_stride, out, c->n);
    else if (is_double)
        (f == TERN__FUNCTIONS ? k->atan2_f64 : k->pow_f64)(c->x, c->x_stride, c->y, c->y_stride,
                                                           out, c->n);
    else
        (f == TERN__FUNCTIONS ? k->atan2_f32 : k->pow_f32)(c->xf, c->x_stride, c->yf, c->y_stride,
                                                           out, c->n);
}

static void compare(const tern__functions_kernel *kernel, int f, bool is_double, const call *c) {
    size_t size = is_double ? sizeof(double) : sizeof(float);
    void *expected = malloc((size_t)c->n * size + 1);
    test_guarded out = test_guarded_new((size_t)c->n * size, 3 * size);
    run(twin(), f, is_double, c, expected);
    char what[128];
    snprintf(what, sizeof what, "%s function %d f%d n %lld strides %lld %lld", kernel->variant.name,
             f, is_double ? 64 : 32, (long long)c->n, (long long)c->x_stride,
             (long long)c->y_stride);
    run(kernel, f, is_double, c, out.data);
    check_bits(out.data, expected, is_double, c->n, what);
    test_guarded_check(&out);
    test_guarded_free(&out);
    free(expected);
}

static void variants_have_the_bits_of_the_twin(void **state) {
    (void)state;
    enum { SPAN = 3 * 300 };
    static double x[SPAN], y[SPAN];
    static float xf[SPAN], yf[SPAN];
    static const int64_t strides[] = {1, 0, 2, -1, 3};
    test_random random = {.seed = 14};
    for (int kind = 0; kind < 3; kind++) {
        fill(&random, kind, x, SPAN);
        fill(&random, (kind + 1) % 3, y, SPAN);
        for (int i = 0; i < SPAN; i++) {
            uint32_t bits = test_random_u32(&random);
            xf[i] = kind == 0 ? tern__f32_from_bits(bits) : (float)x[i];
            yf[i] = (float)y[i];
        }
        for (int64_t n = 0; n < 300; n += n < 20 ? 1 : 93)
            for (int s = 0; s < 5; s++) {
                int64_t xs = strides[s], ys = strides[(s + n) % 5];
                int64_t x0 = xs < 0 && n > 0 ? n - 1 : 0, y0 = ys < 0 && n > 0 ? n - 1 : 0;
                call c = {x + x0, y + y0, xf + x0, yf + y0, xs, ys, n};
                const tern__functions_kernel *kernel;
                for (int at = 0;
                     (kernel = test_next_variant(tern__functions_family, "functions", &at));)
                    for (int f = 0; f < TERN__FUNCTIONS + 2; f++) {
                        compare(kernel, f, false, &c);
                        compare(kernel, f, true, &c);
                    }
            }
    }
}

static void results_may_replace_operands(void **state) {
    (void)state;
    float x[37], y[37], expected[37];
    test_random random = {.seed = 15};
    test_random_normal(&random, x, 37);
    test_random_normal(&random, y, 37);
    const tern__functions_kernel *kernel =
        TERN__PICK(tern__functions_family, tern__cpu()->features);
    twin()->f32[TERN__FUNCTION_TANH](x, 1, expected, 37);
    kernel->f32[TERN__FUNCTION_TANH](x, 1, x, 37);
    test_same_floats(x, expected, 37, "tanh in place");
    twin()->atan2_f32(x, 1, y, 1, expected, 37);
    kernel->atan2_f32(x, 1, y, 1, y, 37);
    test_same_floats(y, expected, 37, "atan2 onto the second operand");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_results_are_close),
        cmocka_unit_test(f64_results_are_close),
        cmocka_unit_test(large_angles_are_reduced),
        cmocka_unit_test(unary_functions_know_the_edges),
        cmocka_unit_test(exp_knows_its_edges),
        cmocka_unit_test(exp_has_its_bits),
        cmocka_unit_test(binary_functions_know_the_edges),
        cmocka_unit_test(binary_functions_are_the_nearest),
        cmocka_unit_test(powers_are_close),
        cmocka_unit_test(variants_have_the_bits_of_the_twin),
        cmocka_unit_test(results_may_replace_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
