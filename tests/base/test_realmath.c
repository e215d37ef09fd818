/* SPDX-License-Identifier: MIT
 * Accuracy against the long double functions of the system's library (64 bits or more). The bounds
 * are those that realmath.h promises. */
#include "support.h"

#include <float.h>
#include <math.h>

#include "base/realmath.h"

#if LDBL_MANT_DIG > 64 /* in software */
enum { DRAWS = 8000, STRIDE = 20 };
#else
enum { DRAWS = 200000, STRIDE = 1 };
#endif

static test_random stream = {.seed = 5};

/* Uniform in [low, high). */
static double draw(double low, double high) {
    uint32_t upper = test_random_u32(&stream), lower = test_random_u32(&stream);
    return low + (high - low) * (upper * 0x1p-32 + lower * 0x1p-64);
}

/* Results below DBL_MIN have fewer bits: there one unit of the last place is allowed. */
static void check(const char *name, double x, double got, long double expected, double bound) {
    long double error = fabsl((long double)got - expected);
    long double allowed =
        fmaxl(fabsl(expected) * bound, fabsl(expected) < DBL_MIN ? 0x1p-1074L : 0);
    if (!(error <= allowed))
        fail_msg("%s(%a) is %a, off by %Lg of %Lg (seed %llu)", name, x, got, error, expected,
                 (unsigned long long)stream.seed);
}

static void need_long_double(void) {
#if LDBL_MANT_DIG < 64
    test_skip("long double is no wider than double");
#endif
}

static void exp_is_accurate(void **state) {
    (void)state;
    need_long_double();
    for (int i = 0; i < DRAWS; i++) {
        double x = draw(-708, 709.7), y = draw(-1, 1) * 0.4, z = draw(-745, -708);
        check("exp", x, tern__exp(x), expl(x), 1.7e-16);
        check("exp", y, tern__exp(y), expl(y), 1.7e-16);
        check("exp", z, tern__exp(z), expl(z), 1.7e-16);
    }
    for (int k = -1000; k <= 1000; k++) { /* where the reduction changes over */
        double x = (k + 0.5) * 0.6931471805599453;
        check("exp", x, tern__exp(x), expl(x), 1.7e-16);
    }
}

static void exp_at_the_edges(void **state) {
    (void)state;
    assert_true(tern__exp(0) == 1 && tern__exp(-0.0) == 1);
    assert_true(tern__exp(0x1p-60) == 1);
    assert_true(tern__exp(709.782712893384) < INFINITY);
    assert_true(tern__exp(709.7827128933841) == INFINITY);
    assert_true(tern__exp(1e300) == INFINITY && tern__exp(INFINITY) == INFINITY);
    assert_true(tern__exp(-745.1332191019411) == 0x1p-1074);
    assert_true(tern__exp(-745.1332191019412) == 0);
    assert_true(tern__exp(-1e300) == 0 && tern__exp(-INFINITY) == 0);
    assert_true(isnan(tern__exp(NAN)));
}

static void log_is_accurate(void **state) {
    (void)state;
    need_long_double();
    for (int i = 0; i < DRAWS; i++) {
        double wide = ldexp(draw(1, 2), (int)draw(-1074, 1024));
        double close = 1 + ldexp(draw(-1, 1), -(int)draw(1, 53));
        check("log", wide, tern__log(wide), logl(wide), 1.3e-16);
        check("log", close, tern__log(close), logl(close), 1.3e-16);
    }
    for (int e = -1022; e <= 1023; e++) { /* beside the powers of sqrt(2) */
        double x = ldexp(0x1.6a09e667f3bcdp+0, e);
        check("log", x, tern__log(x), logl(x), 1.3e-16);
        x = nextafter(x, INFINITY);
        check("log", x, tern__log(x), logl(x), 1.3e-16);
    }
}

static void log_at_the_edges(void **state) {
    (void)state;
    assert_true(tern__log(1) == 0 && !signbit(tern__log(1)));
    assert_true(tern__log(0) == -INFINITY && tern__log(-0.0) == -INFINITY);
    assert_true(tern__log(INFINITY) == INFINITY);
    assert_true(isnan(tern__log(-1)) && isnan(tern__log(-INFINITY)) && isnan(tern__log(NAN)));
    assert_true(tern__log(0x1p-1074) == -744.4400719213812);
    assert_true(tern__log(DBL_MAX) == 709.782712893384);
}

static void pow_is_accurate(void **state) {
    (void)state;
    need_long_double();
    for (int i = 0; i < DRAWS; i++) {
        double x = ldexp(draw(1, 2), (int)draw(-300, 300)), y = draw(-700, 700) / log(x);
        if (isfinite(y))
            check("pow", x, tern__pow(x, y), powl(x, y), 3e-15);
        double theta = draw(100, 1e6), part = -draw(0, 1); /* RoPE's frequencies */
        check("pow", theta, tern__pow(theta, part), powl(theta, part), 3e-16);
    }
}

static void pow_at_the_edges(void **state) {
    (void)state;
    assert_true(tern__pow(2, 10) == 1024 && tern__pow(2, -1074) == 0x1p-1074);
    assert_true(tern__pow(10000, 0) == 1 && tern__pow(1, 1e300) == 1);
    assert_true(tern__pow(4, 0.5) == 2 && tern__pow(10000, -0.5) == 0.01);
    assert_true(tern__pow(0.5, 2000) == 0 && tern__pow(0.5, -2000) == INFINITY);
    assert_true(tern__pow(2, 1e300) == INFINITY && tern__pow(2, -1e300) == 0);
    assert_true(tern__pow(0, 2) == 0 && tern__pow(0, -2) == INFINITY);
    assert_true(tern__pow(INFINITY, 2) == INFINITY && tern__pow(INFINITY, -2) == 0);
    assert_true(isnan(tern__pow(-1, 2)) && isnan(tern__pow(NAN, 0)) && isnan(tern__pow(2, NAN)));
}

static void check_sincos(double x) {
    double sine, cosine;
    tern__sincos(x, &sine, &cosine);
    check("sin", x, sine, sinl(x), 1.4e-16);
    check("cos", x, cosine, cosl(x), 1.4e-16);
}

static void sincos_is_accurate(void **state) {
    (void)state;
    need_long_double();
    for (int i = 0; i < DRAWS; i++) {
        check_sincos(draw(-0x1p22, 0x1p22));
        check_sincos(draw(-8, 8));
        check_sincos(ldexp(draw(-1, 1), -(int)draw(0, 60)));
        check_sincos(rint(draw(0, 0x1p22)));
    }
    /* Where sine or cosine nearly vanishes, and where the quarter changes over. */
    for (int k = 1; k <= 2600000; k += STRIDE + k / 200000 * STRIDE)
        check_sincos((double)(k * 1.570796326794896619231321691639751442L));
    for (int k = 1; k <= 2600000; k += 100 * STRIDE)
        check_sincos((k + 0.5) * 1.5707963267948966);
}

static void sincos_at_the_edges(void **state) {
    (void)state;
    double sine, cosine;
    tern__sincos(0, &sine, &cosine);
    assert_true(sine == 0 && !signbit(sine) && cosine == 1);
    tern__sincos(-0.0, &sine, &cosine);
    assert_true(sine == 0 && signbit(sine) && cosine == 1);
    tern__sincos(0x1p-1074, &sine, &cosine);
    assert_true(sine == 0x1p-1074 && cosine == 1);
    tern__sincos(-0x1p22, &sine, &cosine);
    assert_true(isfinite(sine) && isfinite(cosine));
    const double outside[] = {4194304.5, INFINITY, -INFINITY, NAN, 1e300};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        tern__sincos(outside[i], &sine, &cosine);
        assert_true(isnan(sine) && isnan(cosine));
    }
}

/* One constant for every compiler, optimisation and processor. */
static void the_bits_are_fixed(void **state) {
    (void)state;
    uint64_t hash = 0;
    for (int i = 1; i < 5000; i++) {
        double x = i * 0.13, sine, cosine;
        tern__sincos(i * 801.7, &sine, &cosine);
        double values[] = {tern__exp(x),        tern__exp(-x), tern__log(x),
                           tern__pow(x, -0.37), sine,          cosine};
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            uint64_t bits;
            memcpy(&bits, &values[k], sizeof bits);
            hash = (hash ^ bits) * 0x9E3779B97F4A7C15u;
            hash ^= hash >> 29;
        }
    }
    if (hash != UINT64_C(0x37972bbbb66096be))
        fail_msg("the hash is %016llx", (unsigned long long)hash);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_accurate),    cmocka_unit_test(exp_at_the_edges),
        cmocka_unit_test(log_is_accurate),    cmocka_unit_test(log_at_the_edges),
        cmocka_unit_test(pow_is_accurate),    cmocka_unit_test(pow_at_the_edges),
        cmocka_unit_test(sincos_is_accurate), cmocka_unit_test(sincos_at_the_edges),
        cmocka_unit_test(the_bits_are_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
