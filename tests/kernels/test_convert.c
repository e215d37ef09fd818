/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "support.h"

#include "base/half.h"
#include "kernels/convert.h"
#include "kernels/inputs.h"
#include "kernels/variants.h"

static const tern__convert_kernel *twin(void) {
    return test_scalar_twin(tern__convert_family);
}

typedef void narrow_function(const float *x, uint16_t *out, int64_t n);
typedef void widen_function(const uint16_t *x, float *out, int64_t n);

/* A type of 16 bits: 10 or 7 bits of fraction behind 5 or 8 of exponent. */
typedef struct half_type {
    const char *name;
    uint16_t infinity;
    int fraction, lowest_exponent;
} half_type;

static const half_type f16 = {"f16", 0x7c00, 10, -14}, bf16 = {"bf16", 0x7f80, 7, -126};

static narrow_function *narrow_of(const tern__convert_kernel *kernel, const half_type *type) {
    return type == &f16 ? kernel->f16_from_f32 : kernel->bf16_from_f32;
}

static widen_function *widen_of(const tern__convert_kernel *kernel, const half_type *type) {
    return type == &f16 ? kernel->f32_from_f16 : kernel->f32_from_bf16;
}

/* x rounded to the type, in doubles: to a whole number of the last places at its exponent. */
static double rounded(const half_type *type, double x) {
    int exponent;
    frexp(x, &exponent);
    exponent = exponent - 1 < type->lowest_exponent ? type->lowest_exponent : exponent - 1;
    double unit = ldexp(1, exponent - type->fraction);
    return rint(x / unit) * unit;
}

/* The value of a bit pattern below infinity; for infinity the next power of two. */
static double value_of(const half_type *type, uint16_t h) {
    int exponent = (h & 0x7fff) >> type->fraction;
    int fraction = h & ((1 << type->fraction) - 1);
    if (exponent > 0)
        fraction += 1 << type->fraction;
    else
        exponent = 1;
    double value = ldexp(fraction, exponent - 1 + type->lowest_exponent - type->fraction);
    return h & 0x8000 ? -value : value;
}

static void same_halves(const half_type *type, const uint16_t *got, const uint16_t *expected,
                        int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++) {
        int both_nan =
            (got[i] & 0x7fff) > type->infinity && (expected[i] & 0x7fff) > type->infinity;
        if (got[i] != expected[i] && !both_nan)
            fail_msg("%s: element %lld of %lld is %04x, expected %04x", what, (long long)i,
                     (long long)n, got[i], expected[i]);
    }
}

/* Every pattern, and its way back. */
static void check_widening(const half_type *type) {
    static uint16_t all[65536], back[65536];
    static float expected[65536], got[65536];
    for (int h = 0; h < 65536; h++)
        all[h] = (uint16_t)h;
    widen_of(twin(), type)(all, expected, 65536);
    narrow_of(twin(), type)(expected, back, 65536);
    same_halves(type, back, all, 65536, "there and back");
    for (int h = 0; h < 65536; h++) {
        if ((h & 0x7fff) > type->infinity)
            assert_true(isnan(expected[h]));
        else if ((h & 0x7fff) == type->infinity)
            assert_true(isinf(expected[h]) && !signbit(expected[h]) == (h < 0x8000));
        else
            assert_true((double)expected[h] == value_of(type, (uint16_t)h) &&
                        !signbit(expected[h]) == (h < 0x8000));
    }
    const tern__convert_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__convert_family, "convert", &at)) != NULL;) {
        widen_of(kernel, type)(all, got, 65536);
        test_same_floats(got, expected, 65536, type->name);
    }
}

/* x, and the floats beside it, against the reference and by every variant. */
static void check_narrowing(const half_type *type, const float *x, int n) {
    uint16_t got[64], expected[64];
    double limit = value_of(type, type->infinity);
    assert_in_range(n, 0, 64);
    narrow_of(twin(), type)(x, expected, n);
    for (int i = 0; i < n; i++) {
        double exact = rounded(type, (double)x[i]);
        uint16_t sign = signbit(x[i]) ? 0x8000 : 0, h = expected[i];
        if (isnan(x[i]))
            assert_true((h & 0x7fff) > type->infinity);
        else if (fabs(exact) >= limit)
            assert_int_equal(h, sign | type->infinity);
        else if (value_of(type, h) != exact || (h & 0x8000) != sign)
            fail_msg("%s of %.9g is %04x", type->name, (double)x[i], h);
    }
    const tern__convert_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__convert_family, "convert", &at)) != NULL;) {
        narrow_of(kernel, type)(x, got, n);
        same_halves(type, got, expected, n, kernel->variant.name);
    }
}

/* The middle between each two neighbours, the floats beside it, and a sample of all floats. */
static void check_rounding(const half_type *type) {
    float x[64];
    for (int h = 0; h < type->infinity; h++) {
        double middle = (value_of(type, (uint16_t)h) + value_of(type, (uint16_t)(h + 1))) / 2;
        uint32_t bits = tern__f32_bits((float)middle);
        for (uint32_t i = 0; i < 8; i++) {
            x[i] = tern__f32_from_bits(bits - 2 + i % 4 + (bits < 2 ? 2 : 0));
            x[i] = i < 4 ? x[i] : -x[i];
        }
        check_narrowing(type, x, 8);
    }
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32;) {
        for (int i = 0; i < 64; i++, bits += 4099)
            x[i] = tern__f32_from_bits((uint32_t)bits);
        check_narrowing(type, x, 64);
    }
}

static void test_f16(void **state) {
    (void)state;
    check_widening(&f16);
    check_rounding(&f16);
}

static void test_bf16(void **state) {
    (void)state;
    check_widening(&bf16);
    check_rounding(&bf16);
}

static void check_lengths(test_random *random, const half_type *type, int input, int64_t n) {
    char what[160];
    snprintf(what, sizeof what, "%s, n %lld, input %d, seed %llu at %llu", type->name, (long long)n,
             input, (unsigned long long)random->seed, (unsigned long long)random->position);
    test_guarded x = test_floats(random, input, n);
    size_t bytes = (size_t)n * sizeof(uint16_t);
    uint16_t *halves = malloc(bytes + 1);
    float *wide = malloc(x.bytes + 1);
    narrow_of(twin(), type)((const float *)x.data, halves, n);
    widen_of(twin(), type)(halves, wide, n);

    const tern__convert_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__convert_family, "convert", &at)) != NULL;) {
        test_guarded narrow = test_guarded_new(bytes, (size_t)test_random_range(random, 0, 31) * 2);
        test_guarded back = test_guarded_new(x.bytes, (size_t)test_random_range(random, 0, 15) * 4);
        narrow_of(kernel, type)((const float *)x.data, (uint16_t *)narrow.data, n);
        same_halves(type, (const uint16_t *)narrow.data, halves, n, what);
        widen_of(kernel, type)((const uint16_t *)narrow.data, (float *)back.data, n);
        test_same_floats((const float *)back.data, wide, n, what);
        test_guarded_check(&narrow);
        test_guarded_check(&back);
        test_guarded_free(&narrow);
        test_guarded_free(&back);
    }
    free(halves);
    free(wide);
    test_guarded_free(&x);
}

static void test_lengths_of_halves(void **state) {
    (void)state;
    test_random random = {.seed = 31};
    for (int length = 0; length < TEST_LENGTHS; length++)
        for (int input = 0; input < TEST_INPUTS; input++) {
            check_lengths(&random, &f16, input, test_lengths[length]);
            check_lengths(&random, &bf16, input, test_lengths[length]);
        }
}

static void test_q8_0(void **state) {
    (void)state;
    uint8_t two[68] = {0x00, 0x38, 1, 0xff, 127, 0x80}; /* 0.5 and 1, -1, 127, -128, 0, ... */
    two[34] = 0x00, two[35] = 0xc0;                     /* -2 */
    two[67] = 3;
    const float expected[64] = {0.5f, -0.5f, 63.5f, -64, [63] = -6};
    float out[64];
    twin()->f32_from_q8_0(two, out, 64);
    for (int i = 0; i < 64; i++)
        assert_true(out[i] == expected[i]);

    test_random random = {.seed = 32};
    for (int64_t blocks = 0; blocks <= 80; blocks = blocks < 9 ? blocks + 1 : blocks * 3) {
        test_guarded x = test_guarded_new((size_t)blocks * 34, (size_t)blocks % 5);
        for (size_t i = 0; i < x.bytes; i++)
            x.data[i] = (uint8_t)test_random_u32(&random);
        float *values = malloc((size_t)blocks * 32 * sizeof(float) + 1);
        twin()->f32_from_q8_0(x.data, values, blocks * 32);
        const tern__convert_kernel *kernel;
        for (int at = 0;
             (kernel = test_next_variant(tern__convert_family, "convert", &at)) != NULL;) {
            test_guarded got = test_guarded_new((size_t)blocks * 32 * sizeof(float), 4);
            kernel->f32_from_q8_0(x.data, (float *)got.data, blocks * 32);
            test_same_floats((const float *)got.data, values, blocks * 32, kernel->variant.name);
            test_guarded_check(&got);
            test_guarded_free(&got);
        }
        free(values);
        test_guarded_free(&x);
    }
}

static void test_literals(void **state) {
    (void)state;
    /* 65520 is the first that rounds to infinity; 2^-25 the middle of 0 and the least denormal. */
    const float x[] = {1,        -2,           65504,        65519.996f,
                       65520,    0x1p-24f,     0x1p-25f,     0x1.000002p-25f,
                       0x1p-14f, 0x1.ff8p-15f, 0x1.ffcp-15f, 2049,
                       2051,     INFINITY,     -0.0f,        NAN};
    const uint16_t h[] = {0x3c00, 0xc000, 0x7bff, 0x7bff, 0x7c00, 1,      0,      1,
                          0x0400, 0x03ff, 0x0400, 0x6800, 0x6802, 0x7c00, 0x8000, 0x7e00};
    uint16_t got[16];
    twin()->f16_from_f32(x, got, 16);
    same_halves(&f16, got, h, 16, "f16");
    /* 1.00390625 lies between 1 and 1.0078125. */
    const float y[] = {1, -2, 1.00390625f, 1.01171875f, 3.4e38f, 0x1p-133f, 0x1p-134f, -INFINITY};
    const uint16_t b[] = {0x3f80, 0xc000, 0x3f80, 0x3f82, 0x7f80, 1, 0, 0xff80};
    twin()->bf16_from_f32(y, got, 8);
    same_halves(&bf16, got, b, 8, "bf16");
}

/* -- int8 rows ---------------------------------------------------------------------------------*/

static void scalar_int8(void **state) {
    (void)state;
    const float x[] = {-127, 63.5f, 0.5f, 1.5f, -2.5f, 0};
    int8_t q[6];
    assert_true(twin()->i8_scale(x, 6) == 1);
    twin()->i8_from_f32(x, 1, q, 6);
    test_same_bytes(q, (int8_t[]){-127, 64, 0, 2, -2, 0}, 6, "ties go to even");
    twin()->i8_from_f32(x, 0.25f, q, 6);
    test_same_bytes(q, (int8_t[]){-127, 127, 2, 6, -10, 0}, 6, "clamped on both sides");
    twin()->i8_from_f32(x, 0, q, 6);
    test_same_bytes(q, (int8_t[]){-127, 127, 127, 127, -127, 0}, 6, "by zero");
    twin()->i8_from_f32(x, NAN, q, 6);
    test_same_bytes(q, (int8_t[6]){0}, 6, "by what is no number");
    assert_true(twin()->i8_scale(x + 5, 1) == 1e-5f / 127 && twin()->i8_scale(x, 0) == 1e-5f / 127);
    assert_true(isnan(twin()->i8_scale((float[]){1, NAN, INFINITY, 2}, 4)));
    assert_true(isinf(twin()->i8_scale((float[]){1, -INFINITY, 2}, 3)));
}

/* The largest magnitude becomes 127 whatever it is: the clamp has nothing to do. */
static void int8_uses_its_range(void **state) {
    (void)state;
    test_random random = {.seed = 86};
    for (int i = 0; i < 100000; i++) {
        float x;
        int8_t q;
        test_random_bits(&random, &x, 1);
        if (!isfinite(x) || fabsf(x) < 1e-5f)
            continue;
        float scale = twin()->i8_scale(&x, 1);
        twin()->i8_from_f32(&x, scale, &q, 1);
        assert_int_equal(q, x < 0 ? -127 : 127);
        assert_true(fabsf(rintf(x / scale)) == 127);
    }
}

static void int8_variants(void **state) {
    (void)state;
    test_random random = {.seed = 87};
    const tern__convert_kernel *kernel;
    for (int at = 0; (kernel = test_next_variant(tern__convert_family, "convert", &at)) != NULL;)
        for (int l = 0; l < TEST_LENGTHS; l++)
            for (int input = 0; input < TEST_INPUTS; input++) {
                int64_t n = test_lengths[l];
                test_guarded x = test_floats(&random, input, n);
                test_guarded got = test_guarded_new((size_t)n, (size_t)l % 64);
                test_guarded expected = test_guarded_new((size_t)n, (size_t)l % 64);
                float scales[3] = {twin()->i8_scale((float *)x.data, n), 0.01f, -0.0f};
                float scale = kernel->i8_scale((float *)x.data, n);
                test_same_floats(&scale, scales, 1, kernel->variant.name);
                for (int i = 0; i < 3; i++) {
                    twin()->i8_from_f32((float *)x.data, scales[i], (int8_t *)expected.data, n);
                    kernel->i8_from_f32((float *)x.data, scales[i], (int8_t *)got.data, n);
                    test_same_bytes(got.data, expected.data, (size_t)n, kernel->variant.name);
                    test_guarded_check(&got);
                }
                test_guarded_free(&expected);
                test_guarded_free(&got);
                test_guarded_free(&x);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),       cmocka_unit_test(test_f16),
        cmocka_unit_test(test_bf16),           cmocka_unit_test(test_lengths_of_halves),
        cmocka_unit_test(test_q8_0),           cmocka_unit_test(scalar_int8),
        cmocka_unit_test(int8_uses_its_range), cmocka_unit_test(int8_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
