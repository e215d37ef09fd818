/* SPDX-License-Identifier: MIT
 * F16 and BF16 against rules written a second time: decoding by ldexp, narrowing by rounding a
 * double to a multiple of the format's quantum. */
#include "support.h"

#include <math.h>

#include "base/half.h"

typedef struct half_format {
    const char *name;
    int fraction_bits, exponent_bits;
    float (*widen)(uint16_t h);
    uint16_t (*narrow)(float f);
} half_format;

static const half_format formats[] = {
    {"f16", 10, 5, tern__f32_from_f16, tern__f16_from_f32},
    {"bf16", 7, 8, tern__f32_from_bf16, tern__bf16_from_f32},
};

/* The value of the bits without the sign; NaN where they say so. */
static double decode(const half_format *format, int magnitude) {
    int top = (1 << format->exponent_bits) - 1, bias = top / 2;
    int exponent = magnitude >> format->fraction_bits;
    int fraction = magnitude & ((1 << format->fraction_bits) - 1);
    if (exponent == top)
        return fraction == 0 ? INFINITY : NAN;
    if (exponent == 0)
        return ldexp(fraction, 1 - bias - format->fraction_bits);
    return ldexp((1 << format->fraction_bits) + fraction, exponent - bias - format->fraction_bits);
}

/* The bits without the sign of a magnitude that is no NaN. */
static int encode(const half_format *format, double magnitude) {
    int bias = (1 << (format->exponent_bits - 1)) - 1;
    int infinity = ((1 << format->exponent_bits) - 1) << format->fraction_bits;
    if (isinf(magnitude))
        return infinity;
    int exponent = magnitude > 0 ? ilogb(magnitude) : 1 - bias;
    if (exponent < 1 - bias)
        exponent = 1 - bias;
    double quanta = nearbyint(ldexp(magnitude, format->fraction_bits - exponent)); /* to even */
    /* The hidden bit of a normal number adds the last one of the exponent. */
    double bits = quanta + ldexp(exponent - (1 - bias), format->fraction_bits);
    return bits > infinity ? infinity : (int)bits;
}

static void check_narrow(const half_format *format, uint32_t bits, uint64_t seed) {
    float f = tern__f32_from_bits(bits);
    int got = format->narrow(f);
    int top = ((1 << format->exponent_bits) - 1) << format->fraction_bits;
    int quiet = 1 << (format->fraction_bits - 1);
    if (isnan(f)) {
        if ((got & 0x7fff) <= top || (got & quiet) == 0)
            fail_msg("%s: NaN %08x becomes %04x (seed %llu)", format->name, bits, got,
                     (unsigned long long)seed);
        return;
    }
    int expected = encode(format, fabs((double)f)) | (int)(bits >> 16 & 0x8000);
    if (got != expected)
        fail_msg("%s: %a (%08x) becomes %04x, expected %04x (seed %llu)", format->name, (double)f,
                 bits, got, expected, (unsigned long long)seed);
}

static void all_values_widen_and_come_back(void **state) {
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        const half_format *format = &formats[k];
        for (int h = 0; h < 65536; h++) {
            float f = format->widen((uint16_t)h);
            double expected = decode(format, h & 0x7fff);
            if (isnan(expected)) {
                int quiet = 1 << (format->fraction_bits - 1);
                if (!isnan(f) || (format->narrow(f) | quiet) != (h | quiet))
                    fail_msg("%s: NaN %04x widens to %a", format->name, h, (double)f);
                continue;
            }
            if ((double)fabsf(f) != expected || !signbit(f) != (h < 0x8000))
                fail_msg("%s: %04x widens to %a, expected %a", format->name, h, (double)f,
                         expected);
            if (format->narrow(f) != h)
                fail_msg("%s: %04x comes back as %04x", format->name, h, format->narrow(f));
        }
    }
}

/* Between every two neighbours, and at the edge to infinity: the middle and the floats beside it.
 */
static void halfway_cases_go_to_even(void **state) {
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        const half_format *format = &formats[k];
        int infinity = ((1 << format->exponent_bits) - 1) << format->fraction_bits;
        for (int h = 0; h < infinity; h++) {
            double below = decode(format, h);
            double above =
                h + 1 < infinity ? decode(format, h + 1) : below + (below - decode(format, h - 1));
            uint32_t middle = tern__f32_bits((float)((below + above) / 2));
            for (uint32_t bits = middle - 1; bits != middle + 2; bits++) {
                check_narrow(format, bits & 0x7fffffff, 0);
                check_narrow(format, bits | 0x80000000, 0);
            }
        }
    }
}

static void random_bits_narrow_by_the_rule(void **state) {
    (void)state;
    test_random random = {.seed = 11};
    for (int i = 0; i < 1000000; i++) {
        uint32_t bits = test_random_u32(&random);
        check_narrow(&formats[0], bits, random.seed);
        check_narrow(&formats[1], bits, random.seed);
        /* Exponents where F16 is normal, denormal or just too large. */
        uint32_t near = (bits & 0x807fffff) | (100 + (bits >> 23) % 45) << 23;
        check_narrow(&formats[0], near, random.seed);
    }
}

static void literal_values(void **state) {
    (void)state;
    assert_int_equal(tern__f16_from_f32(1.0f), 0x3c00);
    assert_int_equal(tern__f16_from_f32(-2.0f), 0xc000);
    assert_int_equal(tern__f16_from_f32(65504.0f), 0x7bff);
    assert_int_equal(tern__f16_from_f32(65519.996f), 0x7bff);
    assert_int_equal(tern__f16_from_f32(65520.0f), 0x7c00);
    assert_int_equal(tern__f16_from_f32(0x1p-24f), 0x0001);
    assert_int_equal(tern__f16_from_f32(0x1p-25f), 0x0000);
    assert_int_equal(tern__f16_from_f32(-0.0f), 0x8000);
    assert_int_equal(tern__bf16_from_f32(1.0f), 0x3f80);
    assert_int_equal(tern__bf16_from_f32(3.3895313e38f), 0x7f7f);
    assert_int_equal(tern__bf16_from_f32(3.4028235e38f), 0x7f80);
    assert_true(tern__f32_from_bf16(0x4049) == 3.140625f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_values_widen_and_come_back),
        cmocka_unit_test(halfway_cases_go_to_even),
        cmocka_unit_test(random_bits_narrow_by_the_rule),
        cmocka_unit_test(literal_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
