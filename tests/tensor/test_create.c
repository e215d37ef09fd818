/* SPDX-License-Identifier: MIT
 * Tensors that make up their elements: numbers of every plain type, rows, identities, random
 * numbers. */
#define FIXTURE_THREADS 1
#include "context_fixture.h"

#include <math.h>

#include "base/half.h"
#include "base/philox.h"
#include "base/realmath.h"
#include "tensor/dtype.h"

static const tern_dtype plain[] = {TERN_F32, TERN_F16, TERN_BF16, TERN_F64, TERN_I8,
                                   TERN_U8,  TERN_I16, TERN_I32,  TERN_I64, TERN_BOOL};
enum { PLAIN = sizeof plain / sizeof *plain };

/* Element i of a contiguous tensor, exactly but for large numbers of I64. */
static double number_at(tern_tensor *t, int64_t i) {
    const void *data = tern_tensor_data(t);
    switch (tern_tensor_dtype(t)) {
    case TERN_F32:
        return (double)((const float *)data)[i];
    case TERN_F16:
        return (double)tern__f32_from_f16(((const uint16_t *)data)[i]);
    case TERN_BF16:
        return (double)tern__f32_from_bf16(((const uint16_t *)data)[i]);
    case TERN_F64:
        return ((const double *)data)[i];
    case TERN_I8:
        return ((const int8_t *)data)[i];
    case TERN_I16:
        return ((const int16_t *)data)[i];
    case TERN_I32:
        return ((const int32_t *)data)[i];
    case TERN_I64:
        return (double)((const int64_t *)data)[i];
    default:
        return ((const uint8_t *)data)[i];
    }
}

static bool is_float(tern_dtype dtype) {
    return tern__dtype(dtype)->is_float;
}

/* -- one number --------------------------------------------------------------------------------*/

static void filled(void **state) {
    (void)state;
    const int64_t counts[] = {0, 1, 2, 63, 1000, 4097, 30000};
    tern_tensor *t = NULL;
    for (int d = 0; d < PLAIN; d++)
        for (int c = 0; c < 7; c++)
            for (int value = 0; value < 2; value++) {
                test_ok(tern_tensor_full(context, plain[d], TERN_SHAPE(counts[c]), value, &t));
                assert_int_equal(tern_tensor_dtype(t), plain[d]);
                for (int64_t i = 0; i < counts[c]; i++)
                    assert_true(number_at(t, i) == value);
                tern_tensor_release(t);
            }
    test_ok(tern_tensor_ones(context, TERN_F16, TERN_SHAPE(2, 3), &t));
    for (int i = 0; i < 6; i++)
        assert_int_equal(((uint16_t *)tern_tensor_data(t))[i], 0x3c00);
    tern_tensor_release(t);
    test_ok(tern_tensor_full(context, TERN_F32, TERN_SHAPE(), -0.0, &t));
    assert_true(signbit(*(float *)tern_tensor_data(t)));
    tern_tensor_release(t);
}

/* What each type holds and what it does not. */
static void ranges(void **state) {
    (void)state;
    const struct {
        tern_dtype dtype;
        double value;
        tern_status status;
    } cases[] = {
        {TERN_I8, -128, TERN_OK},
        {TERN_I8, -129, TERN_E_ARGUMENT},
        {TERN_I8, 128, TERN_E_ARGUMENT},
        {TERN_U8, 255, TERN_OK},
        {TERN_U8, 256, TERN_E_ARGUMENT},
        {TERN_U8, -1, TERN_E_ARGUMENT},
        {TERN_U8, 0.5, TERN_E_ARGUMENT},
        {TERN_I16, -32768, TERN_OK},
        {TERN_I16, 32768, TERN_E_ARGUMENT},
        {TERN_I32, 2147483647, TERN_OK},
        {TERN_I32, 2147483648.0, TERN_E_ARGUMENT},
        {TERN_I64, -0x1p63, TERN_OK},
        {TERN_I64, 0x1p63 - 1024, TERN_OK},
        {TERN_I64, 0x1p63, TERN_E_ARGUMENT},
        {TERN_I64, NAN, TERN_E_ARGUMENT},
        {TERN_I64, INFINITY, TERN_E_ARGUMENT},
        {TERN_I32, -INFINITY, TERN_E_ARGUMENT},
        {TERN_BOOL, 1, TERN_OK},
        {TERN_BOOL, 2, TERN_E_ARGUMENT},
        {TERN_F16, 65519, TERN_OK},
        {TERN_F16, 65520, TERN_E_ARGUMENT},
        {TERN_F16, INFINITY, TERN_OK},
        {TERN_F16, NAN, TERN_OK},
        {TERN_BF16, 0x1.FEp127, TERN_OK},
        {TERN_BF16, -0x1.FFp127, TERN_E_ARGUMENT},
        {TERN_F32, 0x1.FFFFFEp127, TERN_OK},
        {TERN_F32, 0x1.FFFFFFp127, TERN_E_ARGUMENT},
        {TERN_F64, 1e308, TERN_OK},
        {TERN_F64, -INFINITY, TERN_OK},
        {TERN_Q8_0, 1, TERN_E_DTYPE},
        {TERN_TERNARY, 1, TERN_E_DTYPE},
        {(tern_dtype)15, 1, TERN_E_DTYPE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_tensor *t = NULL;
        test_status(tern_tensor_full(context, cases[i].dtype, TERN_SHAPE(2), cases[i].value, &t),
                    cases[i].status);
        assert_true((t != NULL) == (cases[i].status == TERN_OK));
        if (t != NULL && !isnan(cases[i].value) && cases[i].value != 65519)
            assert_true(number_at(t, 1) == cases[i].value);
        tern_tensor_release(t);
    }
}

/* The nearest number of 16 bits, the even one of two: by looking at the neighbours. */
static void check_half(double x, uint16_t got, float (*widen)(uint16_t), const char *what) {
    double y = (double)widen(got), error = fabs(x - y);
    for (int way = -1; way <= 1; way += 2) {
        uint16_t other = (uint16_t)(got + way);
        double z = (double)widen(other);
        if (isnan(z) || isinf(z) || (got & 0x7fff) == 0)
            continue;
        if (fabs(x - z) < error || (fabs(x - z) == error && (got & 1) != 0))
            fail_msg("%s: %a became %a, %a is nearer", what, x, y, z);
    }
}

static void rounded_once(void **state) {
    (void)state;
    test_random random = {.seed = 5};
    tern_tensor *t = NULL;
    const struct {
        tern_dtype dtype;
        double value;
        uint16_t bits;
    } cases[] = {
        {TERN_F16, 1 + 0x1p-11 + 0x1p-40, 0x3c01},
        {TERN_F16, 1 + 0x1p-11, 0x3c00},
        {TERN_F16, 1 + 0x3p-11 - 0x1p-40, 0x3c01},
        {TERN_BF16, 1 + 0x1p-8 + 0x1p-40, 0x3f81},
        {TERN_BF16, -1 - 0x3p-8 + 0x1p-45, 0xbf81},
        {TERN_F16, 0x1p-25 + 0x1p-70, 1},
        {TERN_F16, 0x1p-25, 0},
        {TERN_BF16, 0x1p-134 * (1 + 0x1p-50), 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_ok(tern_tensor_full(context, cases[i].dtype, TERN_SHAPE(1), cases[i].value, &t));
        assert_int_equal(*(uint16_t *)tern_tensor_data(t), cases[i].bits);
        tern_tensor_release(t);
    }
    for (int i = 0; i < 20000; i++) {
        int lost = (int)test_random_range(&random, 0, 40),
            shift = (int)test_random_range(&random, -28, 4);
        int64_t whole = (int64_t)test_random_range(&random, 1024, 2047) << 40;
        whole += (INT64_C(1) << 39) + test_random_range(&random, -1, 1) * (INT64_C(1) << lost);
        double x = ldexp((double)whole, shift - 40);
        test_ok(tern_tensor_full(context, TERN_F16, TERN_SHAPE(1), x, &t));
        check_half(x, *(uint16_t *)tern_tensor_data(t), tern__f32_from_f16, "f16");
        tern_tensor_release(t);
        x = -ldexp((double)(whole >> 50 << 50 | (whole & 0xffffffffffff)), 4 * shift - 45);
        test_ok(tern_tensor_full(context, TERN_BF16, TERN_SHAPE(1), x, &t));
        check_half(x, *(uint16_t *)tern_tensor_data(t), tern__f32_from_bf16, "bf16");
        tern_tensor_release(t);
    }
}

static void identities(void **state) {
    (void)state;
    const int64_t sizes[][2] = {{0, 0}, {0, 3}, {1, 1}, {4, 4}, {3, 70}, {90, 2}};
    const int64_t diagonals[] = {0, 1, -1, 2, -89, 69, 70, INT64_MAX, INT64_MIN};
    tern_tensor *t = NULL;
    for (int d = 0; d < PLAIN; d++)
        for (int s = 0; s < 6; s++)
            for (int k = 0; k < 9; k++) {
                int64_t rows = sizes[s][0], columns = sizes[s][1];
                test_ok(tern_tensor_eye(context, plain[d], rows, columns, diagonals[k], &t));
                assert_int_equal(tern_tensor_dim(t, 0), rows);
                assert_int_equal(tern_tensor_dim(t, 1), columns);
                for (int64_t i = 0; i < rows * columns; i++)
                    assert_true(number_at(t, i) ==
                                (i % columns - i / columns == diagonals[k] ? 1 : 0));
                tern_tensor_release(t);
            }
    test_status(tern_tensor_eye(context, TERN_F32, -1, 2, 0, &t), TERN_E_SHAPE);
    test_status(tern_tensor_eye(context, TERN_F32, 1LL << 40, 1LL << 40, 0, &t), TERN_E_SHAPE);
    test_status(tern_tensor_eye(context, TERN_Q8_0, 1, 32, 0, &t), TERN_E_DTYPE);
    assert_null(t);
}

static void like_another(void **state) {
    (void)state;
    tern_tensor *t = NULL, *turned = NULL, *u = NULL;
    static const uint8_t blocks[34];
    test_ok(tern_tensor_zeros(context, TERN_I16, TERN_SHAPE(2, 3), &t));
    test_ok(tern_tensor_transpose(t, 0, 1, &turned));
    const double values[] = {0, 1, -5};
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            test_ok(tern_tensor_zeros_like(turned, &u));
        else if (i == 1)
            test_ok(tern_tensor_ones_like(turned, &u));
        else
            test_ok(tern_tensor_full_like(turned, values[2], &u));
        assert_int_equal(tern_tensor_dtype(u), TERN_I16);
        assert_int_equal(tern_tensor_dim(u, 0), 3);
        assert_true(tern_tensor_is_contiguous(u));
        for (int k = 0; k < 6; k++)
            assert_true(number_at(u, k) == values[i]);
        tern_tensor_release(u);
    }
    test_status(tern_tensor_full_like(turned, 0.5, &u), TERN_E_ARGUMENT);
    assert_null(u);
    test_ok(tern_tensor_empty_like(turned, &u));
    assert_ptr_not_equal(tern_tensor_data(u), tern_tensor_data(t));
    tern_tensor_release(u);
    tern_tensor_release(turned);
    tern_tensor_release(t);
    test_ok(tern_tensor_borrow(context, TERN_Q8_0, TERN_SHAPE(1, 32), blocks, &t));
    test_ok(tern_tensor_empty_like(t, &u));
    assert_int_equal(tern_tensor_bytes(u), 34);
    tern_tensor_release(u);
    test_status(tern_tensor_ones_like(t, &u), TERN_E_DTYPE);
    tern_tensor_release(t);
}

/* -- rows of numbers ---------------------------------------------------------------------------*/

static void ranges_of_integers(void **state) {
    (void)state;
    test_random random = {.seed = 6};
    tern_tensor *t = NULL;
    for (int round = 0; round < 3000; round++) {
        tern_dtype dtype = plain[test_random_range(&random, 0, PLAIN - 1)];
        if (dtype == TERN_BOOL)
            continue;
        int64_t start = test_random_range(&random, 0, 60), stop = test_random_range(&random, 0, 60);
        int64_t step = test_random_range(&random, -7, 7);
        if (step == 0)
            continue;
        test_ok(tern_tensor_arange(context, dtype, (double)start, (double)stop, (double)step, &t));
        int64_t count = 0;
        for (int64_t x = start; step > 0 ? x < stop : x > stop; x += step)
            assert_true(number_at(t, count++) == (double)x);
        assert_int_equal(tern_tensor_count(t), count);
        tern_tensor_release(t);
    }
}

/* Far beyond the whole numbers of F64. */
static void long_integers(void **state) {
    (void)state;
    tern_tensor *t = NULL;
    test_ok(tern_tensor_arange(context, TERN_I64, -1, 0x1p60, 0x1p40, &t));
    assert_int_equal(tern_tensor_count(t), (1 << 20) + 1);
    const int64_t *x = tern_tensor_data(t);
    for (int64_t i = 0; i <= 1 << 20; i++)
        assert_true(x[i] == -1 + i * (INT64_C(1) << 40));
    tern_tensor_release(t);
    test_ok(tern_tensor_arange(context, TERN_I64, -0x1p63, 0x1p63, 0x1p62, &t));
    assert_int_equal(tern_tensor_count(t), 4);
    assert_true(((int64_t *)tern_tensor_data(t))[3] == INT64_C(1) << 62);
    tern_tensor_release(t);
    test_ok(tern_tensor_arange(context, TERN_I64, 0x1p62, -0x1p63, -0x1p63, &t));
    assert_int_equal(tern_tensor_count(t), 2);
    assert_true(((int64_t *)tern_tensor_data(t))[1] == -(INT64_C(1) << 62));
    tern_tensor_release(t);
    test_ok(tern_tensor_arange(context, TERN_I64, 3, 0x1p63, -1, &t));
    assert_int_equal(tern_tensor_count(t), 0);
    tern_tensor_release(t);
    test_ok(tern_tensor_arange(context, TERN_U8, 250, 255.5, 1, &t)); /* 250..255 */
    assert_int_equal(tern_tensor_count(t), 6);
    tern_tensor_release(t);
    test_ok(tern_tensor_arange(context, TERN_BOOL, 0, 2, 1, &t));
    assert_int_equal(tern_tensor_count(t), 2);
    tern_tensor_release(t);
}

static void ranges_of_floats(void **state) {
    (void)state;
    const double cases[][3] = {{0, 1, 0.1},     {1, 0, -0.3},       {0.5, 0.5, 1},
                               {2, 1, 1},       {-3, 400.25, 0.37}, {0, 1, 2},
                               {1e6, 2e6, 999}, {0, -0.0, 1},       {0, 1e-300, 1e-303}};
    const tern_dtype types[] = {TERN_F64, TERN_F32, TERN_BF16};
    tern_tensor *t = NULL;
    for (int d = 0; d < 3; d++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            double start = cases[k][0], stop = cases[k][1], step = cases[k][2];
            test_ok(tern_tensor_arange(context, types[d], start, stop, step, &t));
            double length = ceil((stop - start) / step);
            int64_t count = length > 0 ? (int64_t)length : 0;
            assert_int_equal(tern_tensor_count(t), count);
            for (int64_t i = 0; i < count; i++) {
                double x = fma((double)i, step, start), y = number_at(t, i);
                if (types[d] == TERN_F64)
                    assert_true(y == x);
                else if (types[d] == TERN_F32)
                    assert_true((float)y == (float)x);
                else
                    assert_true(fabs(y - x) <= fabs(x) * 0x1p-8 + 0x1p-134);
            }
            tern_tensor_release(t);
        }
}

static void linear_spaces(void **state) {
    (void)state;
    const double cases[][2] = {{0, 1}, {1, 0}, {-3.7, 12.1}, {5, 5}, {-100, -1.5}, {0, 0.3}};
    const int64_t counts[] = {0, 1, 2, 3, 7, 50, 256, 257, 1000};
    tern_tensor *t = NULL;
    for (int d = 0; d < PLAIN; d++)
        for (size_t k = 0; k < 6; k++)
            for (int c = 0; c < 9; c++) {
                double start = cases[k][0], stop = cases[k][1];
                int64_t count = counts[c];
                bool fits = is_float(plain[d]) || (plain[d] != TERN_BOOL && plain[d] != TERN_U8) ||
                            (start >= 0 && stop >= 0 && (stop < 2 || plain[d] == TERN_U8));
                test_status(tern_tensor_linspace(context, plain[d], start, stop, count, &t),
                            fits ? TERN_OK : TERN_E_ARGUMENT);
                if (!fits)
                    continue;
                assert_int_equal(tern_tensor_count(t), count);
                double step = (stop - start) / (double)(count - 1);
                for (int64_t i = 0; i < count; i++) {
                    double x = i == 0 ? start : i == count - 1 ? stop : start + (double)i * step;
                    double y = number_at(t, i);
                    if (!is_float(plain[d]))
                        assert_true(y == floor(x));
                    else if (plain[d] == TERN_F64)
                        assert_true(y == x);
                    else if (plain[d] == TERN_F32)
                        assert_true((float)y == (float)x);
                    else
                        assert_true(fabs(y - x) <= fabs(x) * 0x1p-8);
                }
                tern_tensor_release(t);
            }
}

static void wrong_rows(void **state) {
    (void)state;
    tern_tensor *t = (tern_tensor *)(void *)&context; /* must become NULL */
    const struct {
        tern_dtype dtype;
        double start, stop, step;
        tern_status status;
    } ranges_[] = {
        {TERN_F32, 0, 1, 0, TERN_E_ARGUMENT},         {TERN_F32, NAN, 1, 1, TERN_E_ARGUMENT},
        {TERN_F32, 0, NAN, 1, TERN_E_ARGUMENT},       {TERN_I32, 0, 1, NAN, TERN_E_ARGUMENT},
        {TERN_F32, 0, INFINITY, 1, TERN_E_SHAPE},     {TERN_I64, 0, INFINITY, 1, TERN_E_ARGUMENT},
        {TERN_I32, 0.5, 4, 1, TERN_E_ARGUMENT},       {TERN_I32, 0, 4, 0.5, TERN_E_ARGUMENT},
        {TERN_I8, 0, 200, 1, TERN_E_ARGUMENT},        {TERN_U8, 3, -3, -1, TERN_E_ARGUMENT},
        {TERN_F16, 0, 1e6, 1e5, TERN_E_ARGUMENT},     {TERN_F64, 0, 1, 1e-300, TERN_E_SHAPE},
        {TERN_F64, -INFINITY, 1, 1, TERN_E_ARGUMENT}, {TERN_I64, -0x1p63, 0x1p63, 1, TERN_E_SHAPE},
        {TERN_Q8_0, 0, 32, 1, TERN_E_DTYPE},          {TERN_I64, 0, 0x1p62, 1, TERN_E_SHAPE},
        {TERN_BOOL, 0, 3, 1, TERN_E_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof ranges_ / sizeof *ranges_; i++) {
        test_status(tern_tensor_arange(context, ranges_[i].dtype, ranges_[i].start, ranges_[i].stop,
                                       ranges_[i].step, &t),
                    ranges_[i].status);
        assert_null(t);
    }
    test_status(tern_tensor_linspace(context, TERN_F32, 0, 1, -1, &t), TERN_E_ARGUMENT);
    test_status(tern_tensor_linspace(context, TERN_F32, 0, NAN, 3, &t), TERN_E_ARGUMENT);
    test_status(tern_tensor_linspace(context, TERN_F32, INFINITY, 1, 3, &t), TERN_E_ARGUMENT);
    test_status(tern_tensor_linspace(context, TERN_F64, -1e308, 1e308, 3, &t), TERN_E_ARGUMENT);
    test_status(tern_tensor_linspace(context, TERN_F32, 0, 1, INT64_MAX, &t), TERN_E_SHAPE);
    test_status(tern_tensor_linspace(context, TERN_I8, 0, 128, 3, &t), TERN_E_ARGUMENT);
    test_status(tern_tensor_linspace(context, TERN_I2_S, 0, 1, 128, &t), TERN_E_DTYPE);
    test_status(tern_tensor_ones(context, TERN_F32, TERN_SHAPE(2, -1), &t), TERN_E_SHAPE);
    test_status(tern_tensor_full(context, TERN_F32, TERN_SHAPE(1LL << 40, 1LL << 40), 1, &t),
                TERN_E_SHAPE);
    assert_null(t);
}

/* -- random numbers ----------------------------------------------------------------------------*/

static uint64_t wide(uint64_t seed, int64_t i) {
    tern__philox_block block = tern__philox(seed, (uint64_t)i / 2);
    int word = (int)(i % 2) * 2;
    return (uint64_t)block.word[word + 1] << 32 | block.word[word];
}

/* Uniform numbers are the upper bits of their words, as many as the type holds: below 1. */
static void uniform_numbers(void **state) {
    (void)state;
    enum { N = 70001 };
    const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_BF16, TERN_F64};
    const int bits[] = {24, 11, 8, 53};
    tern_tensor *t = NULL;
    for (int d = 0; d < 4; d++) {
        double sum = 0, most = 0;
        test_ok(tern_tensor_rand(context, types[d], TERN_SHAPE(N), 8, &t));
        for (int64_t i = 0; i < N; i++) {
            uint64_t word = d == 3 ? wide(8, i) >> 11
                                   : tern__philox(8, (uint64_t)i / 4).word[i % 4] >> (32 - bits[d]);
            double x = number_at(t, i);
            if (x != ldexp((double)word, -bits[d]))
                fail_msg("%s: number %lld is %g", tern_dtype_name(types[d]), (long long)i, x);
            sum += x;
            most = x > most ? x : most;
        }
        assert_true(most < 1 && most > 0.99 && fabs(sum / N - 0.5) < 0.008);
        tern_tensor_release(t);
    }
    test_status(tern_tensor_rand(context, TERN_BOOL, TERN_SHAPE(1), 1, &t), TERN_E_DTYPE);
    test_status(tern_tensor_randint(context, TERN_BOOL, TERN_SHAPE(1), 0, 2, 1, &t), TERN_E_DTYPE);
    test_status(tern_tensor_randn(context, TERN_Q8_0, TERN_SHAPE(1, 32), 1, &t), TERN_E_DTYPE);
    assert_null(t);
}

static void normal_numbers(void **state) {
    (void)state;
    enum { N = 100001 };
    const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_BF16, TERN_F64};
    const double precision[] = {0, 0x1p-11, 0x1p-8};
    tern_tensor *t = NULL, *single = NULL;
    test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(N), 9, &single));
    for (int d = 0; d < 4; d++) {
        test_ok(tern_tensor_randn(context, types[d], TERN_SHAPE(N), 9, &t));
        double sums[5] = {0};
        for (int64_t i = 0; i < N; i++) {
            double x = number_at(t, i), y = number_at(single, i);
            if (d < 3) /* the same numbers, rounded */
                assert_true(fabs(x - y) <= fabs(y) * (precision[d] + 0x1p-23) + 0x1p-25);
            sums[0] += x;
            sums[1] += x * x;
            sums[2] += x * x * x * x;
            sums[3] += i > 0 ? x * number_at(t, i - 1) : 0;
            sums[4] += fabs(x) < 1;
        }
        /* Five to six standard errors of mean, variance, kurtosis, correlation, share in +-1. */
        assert_true(fabs(sums[0] / N) < 0.018 && fabs(sums[1] / N - 1) < 0.025);
        assert_true(fabs(sums[2] / N - 3) < 0.18 && fabs(sums[3] / N) < 0.018);
        assert_true(fabs(sums[4] / N - 0.682689) < 0.0085);
        tern_tensor_release(t);
    }
    tern_tensor_release(single);
}

static void random_integers(void **state) {
    (void)state;
    enum { N = 60001 };
    const struct {
        tern_dtype dtype;
        int64_t low, high;
    } cases[] = {
        {TERN_I64, 0, 10},         {TERN_I8, -128, 128},  {TERN_U8, 3, 4},
        {TERN_I32, -7, 1000000},   {TERN_I16, -300, 301}, {TERN_I64, INT64_MIN, INT64_MAX},
        {TERN_I64, -5, INT64_MAX},
    };
    tern_tensor *t = NULL;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int64_t low = cases[c].low, high = cases[c].high, seen[10] = {0};
        test_ok(tern_tensor_randint(context, cases[c].dtype, TERN_SHAPE(N), low, high, 10, &t));
        uint64_t range = (uint64_t)high - (uint64_t)low;
        for (int64_t i = 0; i < N; i++) {
            __extension__ unsigned __int128 product = (unsigned __int128)wide(10, i) * range;
            int64_t x = (int64_t)((uint64_t)low + (uint64_t)(product >> 64));
            bool is_same = cases[c].dtype == TERN_I64 ? ((int64_t *)tern_tensor_data(t))[i] == x
                                                      : number_at(t, i) == (double)x;
            if (!is_same)
                fail_msg("case %zu: number %lld", c, (long long)i);
            assert_true(x >= low && x < high);
            seen[range <= 10 ? x - low : 0]++;
        }
        for (int64_t k = 0; range <= 10 && k < (int64_t)range; k++)
            assert_true(fabs((double)seen[k] * (double)range / N - 1) < 0.08);
        tern_tensor_release(t);
    }
    test_status(tern_tensor_randint(context, TERN_I32, TERN_SHAPE(1), 4, 4, 1, &t),
                TERN_E_ARGUMENT);
    test_status(tern_tensor_randint(context, TERN_I32, TERN_SHAPE(1), 4, INT64_MIN, 1, &t),
                TERN_E_ARGUMENT);
    test_status(tern_tensor_randint(context, TERN_U8, TERN_SHAPE(1), -1, 4, 1, &t),
                TERN_E_ARGUMENT);
    test_status(tern_tensor_randint(context, TERN_U8, TERN_SHAPE(1), 0, 257, 1, &t),
                TERN_E_ARGUMENT);
    test_status(tern_tensor_randint(context, TERN_F32, TERN_SHAPE(1), 0, 4, 1, &t), TERN_E_DTYPE);
    assert_null(t);
}

static void coins(void **state) {
    (void)state;
    enum { N = 50001 };
    const double chances[] = {0, 1, 0.5, 0.1, 1e-3};
    tern_tensor *t = NULL, *uniform = NULL;
    test_ok(tern_tensor_rand(context, TERN_F64, TERN_SHAPE(N), 11, &uniform));
    for (int d = 0; d < PLAIN; d++)
        for (int c = 0; c < 5; c++) {
            test_ok(tern_tensor_bernoulli(context, plain[d], TERN_SHAPE(N), chances[c], 11, &t));
            double sum = 0;
            for (int64_t i = 0; i < N; i++) {
                double x = number_at(t, i);
                assert_true(x == (number_at(uniform, i) < chances[c] ? 1 : 0));
                sum += x;
            }
            assert_true(fabs(sum / N - chances[c]) < 0.012);
            tern_tensor_release(t);
        }
    tern_tensor_release(uniform);
    const double wrong[] = {-0.1, 1.1, NAN, INFINITY};
    for (int i = 0; i < 4; i++)
        test_status(tern_tensor_bernoulli(context, TERN_BOOL, TERN_SHAPE(1), wrong[i], 1, &t),
                    TERN_E_ARGUMENT);
    test_status(tern_tensor_bernoulli(context, TERN_TQ2_0, TERN_SHAPE(1, 256), 0.5, 1, &t),
                TERN_E_DTYPE);
}

/* A short tensor is the beginning of a long one. */
static void prefixes(void **state) {
    (void)state;
    const tern_dtype types[] = {TERN_F32, TERN_F16, TERN_BF16, TERN_F64};
    const int64_t counts[] = {1, 2, 3, 5, 255, 256, 257, 511, 1027};
    for (int d = 0; d < 4; d++)
        for (int is_normal = 0; is_normal < 2; is_normal++) {
            tern_status (*make)(tern_context *, tern_dtype, tern_shape, uint64_t, tern_tensor **) =
                is_normal ? tern_tensor_randn : tern_tensor_rand;
            tern_tensor *all = NULL, *t = NULL;
            test_ok(make(context, types[d], TERN_SHAPE(3, 400), 12, &all));
            for (int c = 0; c < 9; c++) {
                test_ok(make(context, types[d], TERN_SHAPE(counts[c]), 12, &t));
                test_same_bytes(tern_tensor_data(t), tern_tensor_data(all), tern_tensor_bytes(t),
                                "prefix");
                tern_tensor_release(t);
            }
            tern_tensor_release(all);
        }
}

/* Normal numbers are those of docs/numerics.md, bit by bit: small fractions tell. */
static void normal_bits(void **state) {
    (void)state;
    const double turn = 6.283185307179586477;
    const int64_t n = 1 << 19;
    tern_tensor *single, *wide;
    test_ok(tern_tensor_randn(context, TERN_F32, TERN_SHAPE(n), 9, &single));
    test_ok(tern_tensor_randn(context, TERN_F64, TERN_SHAPE(n), 9, &wide));
    const float *f = tern_tensor_data(single);
    const double *d = tern_tensor_data(wide);
    for (int64_t i = 0; i < n; i += 2) {
        tern__philox_block b = tern__philox(9, (uint64_t)i / 4),
                           pair = tern__philox(9, (uint64_t)i / 2);
        double sine, cosine, r = sqrt(-2 * tern__log((b.word[i % 4] + 0.5) * 0x1p-32));
        tern__sincos(b.word[i % 4 + 1] * 0x1p-32 * turn, &sine, &cosine);
        assert_true(f[i] == (float)(r * cosine) && f[i + 1] == (float)(r * sine));
        uint64_t u = (uint64_t)pair.word[1] << 32 | pair.word[0];
        uint64_t v = (uint64_t)pair.word[3] << 32 | pair.word[2];
        r = sqrt(-2 * tern__log(((double)(u >> 12) + 0.5) * 0x1p-52));
        tern__sincos((double)(v >> 11) * 0x1p-53 * turn, &sine, &cosine);
        assert_true(d[i] == r * cosine && d[i + 1] == r * sine);
    }
    tern_tensor_release(wide);
    tern_tensor_release(single);
}

/* Nothing is written behind the last element, whatever the number of them. */
static void fill_ends(void **state) {
    (void)state;
    for (int64_t n = 4000; n <= 20000; n += 1000) {
        tern_tensor *parts[3], *filled;
        for (int i = 0; i < 3; i++)
            test_ok(tern_tensor_zeros(context, TERN_U8, TERN_SHAPE(n), &parts[i]));
        tern_tensor_release(parts[1]);
        test_ok(tern_tensor_full(context, TERN_U8, TERN_SHAPE(n), 7, &filled));
        for (int i = 0; i < 3; i += 2) {
            const uint8_t *data = tern_tensor_data(parts[i]);
            for (int64_t k = 0; k < n; k++)
                assert_int_equal(data[k], 0);
            tern_tensor_release(parts[i]);
        }
        tern_tensor_release(filled);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, nothing_alive)
    const struct CMUnitTest tests[] = {
        TEST(filled),          TEST(ranges),
        TEST(normal_bits),     TEST(fill_ends),
        TEST(rounded_once),    TEST(identities),
        TEST(like_another),    TEST(ranges_of_integers),
        TEST(long_integers),   TEST(ranges_of_floats),
        TEST(linear_spaces),   TEST(wrong_rows),
        TEST(uniform_numbers), TEST(normal_numbers),
        TEST(random_integers), TEST(coins),
        TEST(prefixes),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
