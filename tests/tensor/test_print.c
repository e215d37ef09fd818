/* SPDX-License-Identifier: MIT
 * Tensors as text: what NumPy printed (tests/data/interchange/texts.txt), and what it cannot print.
 */
#include <tern/interchange.h>

#include <locale.h>

#define FIXTURE_THREADS 1
#include "context_fixture.h"

#include "base/half.h"
#include "tensor/decimal.h"

static char *text_of(const tern_tensor *t, const tern_format_options *options) {
    size_t needed = 0;
    (void)tern_tensor_format(t, options, NULL, 0, &needed);
    char *text = malloc(needed);
    assert_non_null(text);
    test_ok(tern_tensor_format(t, options, text, needed, NULL));
    assert_int_equal(strlen(text) + 1, needed);
    return text;
}

static void expect_text(tern_tensor *t, const tern_format_options *options, const char *expected) {
    char *text = text_of(t, options);
    if (strcmp(text, expected) != 0)
        fail_msg("got\n%s\nexpected\n%s", text, expected);
    free(text);
}

/* -- NumPy's texts -----------------------------------------------------------------------------*/

static tern_dtype dtype_named(const char *name) {
    for (int dtype = 0; dtype <= TERN_BOOL; dtype++)
        if (strcmp(tern_dtype_name((tern_dtype)dtype), name) == 0)
            return (tern_dtype)dtype;
    fail_msg("no type %s", name);
    return TERN_F32;
}

/* The next line of *at without its end. */
static char *next_line(char **at) {
    char *line = *at;
    char *end = strchr(line, '\n');
    assert_non_null(end);
    *end = '\0';
    *at = end + 1;
    return line;
}

static tern_tensor *read_case(char **at) {
    char name[16];
    tern_shape shape = {0};
    char *line = next_line(at), *hex = next_line(at);
    int used = 0;
    assert_int_equal(sscanf(line, "%15s %d%n", name, &shape.rank, &used), 2);
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = strtoll(line + used, &line, 10), used = 0;
    size_t bytes = strlen(hex) / 2;
    uint8_t *data = malloc(bytes + 1);
    assert_non_null(data);
    for (size_t i = 0; i < bytes; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        data[i] = (uint8_t)byte;
    }
    tern_tensor *t;
    test_ok(tern_tensor_from_data(context, dtype_named(name), shape, data, &t));
    assert_int_equal(tern_tensor_bytes(t), bytes);
    free(data);
    return t;
}

static int walk_cases(void) {
    char path[1024];
    size_t bytes;
    char *file =
        test_read_file(test_path("tests/data/interchange/texts.txt", path, sizeof path), &bytes);
    int cases = 0;
    for (char *at = file; *at != '\0'; cases++) {
        tern_tensor *t = read_case(&at);
        char *end = strstr(at, "\n.\n");
        assert_non_null(end);
        *end = '\0';
        expect_text(t, NULL, at);
        at = end + 3;
        tern_tensor_release(t);
    }
    free(file);
    return cases;
}

static void test_as_numpy(void **state) {
    (void)state;
    int cases = walk_cases();
    printf("%d texts\n", cases);
    assert_true(cases > 110);
}

/* A comma for the decimal point changes nothing. */
static void test_in_another_locale(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    bool is_set = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !is_set; i++)
        is_set = setlocale(LC_NUMERIC, names[i]) != NULL;
    if (!is_set)
        test_skip("no locale with a decimal comma is installed");
    walk_cases();
    setlocale(LC_NUMERIC, "C");
}

/* -- views and options -------------------------------------------------------------------------*/

static tern_tensor *numbers(tern_dtype dtype, tern_shape shape, const void *data) {
    tern_tensor *t;
    test_ok(tern_tensor_from_data(context, dtype, shape, data, &t));
    return t;
}

static void test_views(void **state) {
    (void)state;
    const int32_t data[] = {1, 2, 3, 4, 5, 600};
    tern_tensor *t = numbers(TERN_I32, TERN_SHAPE(2, 3), data), *view;
    test_ok(tern_tensor_transpose(t, 0, 1, &view));
    expect_text(view, NULL, "[[  1   4]\n [  2   5]\n [  3 600]]");
    test_ok(tern_tensor_slice(t, 1, 0, 3, 2, &view));
    expect_text(view, NULL, "[[  1   3]\n [  4 600]]");
    test_ok(tern_tensor_select(t, 0, 0, &view));
    test_ok(tern_tensor_broadcast(view, TERN_SHAPE(2, 3), &view));
    expect_text(view, NULL, "[[1 2 3]\n [1 2 3]]");
}

static void test_options(void **state) {
    (void)state;
    const float data[] = {1.23456789F, -0.00001F, 3, 4};
    tern_tensor *t = numbers(TERN_F32, TERN_SHAPE(4), data);
    tern_format_options options = tern_format_options_default();
    options.precision = 3;
    expect_text(t, &options, "[ 1.235e+00 -1.000e-05  3.000e+00  4.000e+00]");
    options.suppress_small = true;
    expect_text(t, &options, "[ 1.235 -0.     3.     4.   ]");
    options.line_width = 10;
    expect_text(t, &options, "[ 1.235\n -0.\n  3.\n  4.   ]");
    options = tern_format_options_default();
    options.threshold = 3;
    options.edge_items = 1;
    expect_text(t, &options, "[1.2345679 ... 4.       ]");
    options.precision = 0;
    options.suppress_small = true;
    options.threshold = 4;
    expect_text(t, &options, "[ 1. -0.  3.  4.]");
    for (int i = 0; i < 5; i++) {
        options = tern_format_options_default();
        options.precision = i == 0 ? -1 : i == 1 ? 331 : 8;
        options.threshold = i == 2 ? -1 : 1000;
        options.edge_items = i == 3 ? 0 : 3;
        options.line_width = i == 4 ? 0 : 75;
        test_status(tern_tensor_format(t, &options, NULL, 0, NULL), TERN_E_ARGUMENT);
    }
}

/* Where exponents begin: at a ratio above 1000, not at it. */
static void test_limits(void **state) {
    (void)state;
    const double at_limit[] = {1, 1000}, above[] = {1, 1000.5};
    expect_text(numbers(TERN_F64, TERN_SHAPE(2), at_limit), NULL, "[   1. 1000.]");
    expect_text(numbers(TERN_F64, TERN_SHAPE(2), above), NULL, "[1.0000e+00 1.0005e+03]");
    const float in_single[] = {0.7F, 700}; /* 1000 in F32, more in F64 */
    expect_text(numbers(TERN_F32, TERN_SHAPE(2), in_single), NULL, "[  0.7 700. ]");
    const double scalar = 0.0001, less = 0.000099;
    expect_text(numbers(TERN_F64, TERN_SHAPE(), &scalar), NULL, "0.0001");
    expect_text(numbers(TERN_F64, TERN_SHAPE(), &less), NULL, "9.9e-05");
    const double large = 1e15, larger = 1e16;
    expect_text(numbers(TERN_F64, TERN_SHAPE(), &large), NULL, "1000000000000000.0");
    expect_text(numbers(TERN_F64, TERN_SHAPE(), &larger), NULL, "1e+16");
    const int32_t six[] = {1, 2, 3, 4, 5, 6};
    tern_format_options options = tern_format_options_default();
    options.line_width = 9; /* so many characters, brackets among them */
    expect_text(numbers(TERN_I32, TERN_SHAPE(4), six), &options, "[1 2 3 4]");
    options.line_width = 8;
    expect_text(numbers(TERN_I32, TERN_SHAPE(4), six), &options, "[1 2 3\n 4]");
    options = tern_format_options_default();
    options.threshold = 3;
    options.edge_items = 1; /* of two rows none is left out */
    expect_text(numbers(TERN_I32, TERN_SHAPE(2, 3), six), &options, "[[1 ... 3]\n [4 ... 6]]");
}

/* All precisions of the longest numbers there are. */
static void test_long_words(void **state) {
    (void)state;
    const double data[] = {-1.7976931348623157e308, 5e-324, -2.2250738585072014e-308, 99999999};
    for (int precision = 0; precision <= 330; precision += 5)
        for (int suppress = 0; suppress < 2; suppress++)
            for (int first = 0; first < 4; first++) {
                tern_format_options options = tern_format_options_default();
                options.precision = precision;
                options.suppress_small = suppress;
                tern_tensor *t = numbers(TERN_F64, TERN_SHAPE(4 - first), data + first);
                free(text_of(t, &options));
                tern_tensor_release(t);
            }
}

static void test_buffers(void **state) {
    (void)state;
    const int8_t data[] = {1, -2};
    tern_tensor *t = numbers(TERN_I8, TERN_SHAPE(2), data);
    size_t needed;
    for (size_t size = 0; size <= 9; size++) {
        test_guarded text = test_guarded_new(size, 0);
        tern_status status = tern_tensor_format(t, NULL, (char *)text.data, size, &needed);
        test_status(status, size < 8 ? TERN_E_LIMIT : TERN_OK);
        assert_int_equal(needed, 8);
        if (size > 0)
            assert_int_equal(strncmp((char *)text.data, "[ 1 -2]", size - 1), 0);
        if (size > 0)
            assert_int_equal(text.data[size < 8 ? size - 1 : 7], 0);
        test_guarded_check(&text);
        test_guarded_free(&text);
    }
    test_ok(tern_tensor_zeros(context, TERN_Q8_0, TERN_SHAPE(32), &t));
    test_status(tern_tensor_format(t, NULL, NULL, 0, NULL), TERN_E_DTYPE);
}

/* -- digits ------------------------------------------------------------------------------------*/

/* NumPy has no BF16: every number must read back, and no shorter text may. */
static void test_digits_of_bf16(void **state) {
    (void)state;
    for (unsigned bits = 1; bits < 0x7f80; bits++) {
        double value = (double)tern__f32_from_bf16((uint16_t)bits);
        tern__decimal d = tern__decimal_shortest(value, TERN_BF16);
        assert_in_range(d.count, 1, 4);
        char text[32] = "0.";
        for (int i = 0; i < d.count; i++)
            text[2 + i] = (char)('0' + d.digits[i]);
        snprintf(text + 2 + d.count, sizeof text - 6, "e%d", d.point);
        if (tern__bf16_from_f32(strtof(text, NULL)) != bits)
            fail_msg("%s is not bf16 %04x", text, bits);
        if (d.count == 1)
            continue;
        for (int up = 0; up < 2; up++) { /* both neighbours with one digit less */
            long head = 0;
            for (int i = 0; i < d.count - 1; i++)
                head = 10 * head + d.digits[i];
            snprintf(text, sizeof text, "%lde%d", head + up, d.point - d.count + 1);
            if (tern__bf16_from_f32(strtof(text, NULL)) == bits)
                fail_msg("bf16 %04x: %s is shorter", bits, text);
        }
    }
}

static void test_bf16(void **state) {
    (void)state;
    const uint16_t data[] = {0x3f80, 0xbe4d, 0x7f80, 0x8000};
    tern_tensor *t = numbers(TERN_BF16, TERN_SHAPE(4), data);
    expect_text(t, NULL, "[ 1.  -0.2  inf -0. ]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_numpy, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_in_another_locale, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_views, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_options, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_limits, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_long_words, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_buffers, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_digits_of_bf16, begin_scope, end_scope),
        cmocka_unit_test_setup_teardown(test_bf16, begin_scope, end_scope),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
