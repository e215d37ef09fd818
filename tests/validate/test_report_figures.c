/* SPDX-License-Identifier: MIT */
#include "report_fixture.h"

#include <locale.h>

#include "validate/figures.h"
#include "validate/pivot.h"
#include "validate/plot.h"
#include "validate/report_text.h"

static void numbers(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {31.24, "31.2"},
        {3.14159, "3.14"},
        {9.996, "10.0"},
        {99.96, "100"},
        {999.6, "1000"},
        {15.04, "15.0"},
        {1234, "1234"},
        {12345, "12 345"},
        {1234567, "1 234 567"},
        {-12345, "-12 345"},
        {-1234, "-1234"},
        {0.00870, "0.00870"},
        {0.5, "0.500"},
        {1e7, "1e7"},
        {1.5e12, "1.5e12"},
        {1e-9, "1e-9"},
        {0.000123456, "1.23e-4"},
        {-2.5e-7, "-2.5e-7"},
        {9999999, "9 999 999"},
        {9999999.9, "1e7"},
        {12345.6, "12 346"},
        {1e300, "1e300"},
        {NAN, "-"},
        {INFINITY, "-"},
    };
    char text[TERN__FIGURE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(tern__figure(cases[i].value, text), cases[i].text);
}

static void quantities(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *unit, *text;
    } cases[] = {
        {41.5, "ns", "41.5 ns"},  {1500, "ns", "1.50 \xc2\xb5s"},
        {2.5e6, "ns", "2.50 ms"}, {3e9, "ns", "3 s"},
        {0.873, "s", "873 ms"},   {12, "s", "12 s"},
        {208, "B", "208 B"},      {10239, "B", "10 239 B"},
        {20480, "B", "20 KiB"},   {1.5 * 1048576, "B", "1.50 MiB"},
        {-20480, "B", "-20 KiB"}, {75, "%", "75 %"},
        {0, "ns", "0 ns"},        {7, "", "7"},
        {NAN, "ns", "-"},         {1e15, "GB/s", "1e15 GB/s"},
    };
    char text[TERN__FIGURE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(tern__quantity(cases[i].value, cases[i].unit, text), cases[i].text);
}

static void rows_in_words(void **state) {
    (void)state;
    char text[TERN__FIGURE];
    tern_bench_row row = report_row("K1", "x");
    assert_string_equal(tern__measured(&row, text), "-");
    assert_string_equal(tern__bound(&row, false, text), "-");
    row.unit = "ns";
    row.median = 12345;
    assert_string_equal(tern__measured(&row, text), "12.3 \xc2\xb5s");
    row.low = 9000;
    row.high = 13000;
    assert_string_equal(tern__measured(&row, text), "12.3 \xc2\xb5s (9 .. 13)");
    row.floor = 1.80;
    assert_string_equal(tern__bound(&row, false, text), "<= 1.8 ns");
    row.is_least = true;
    assert_string_equal(tern__bound(&row, false, text), ">= 1.8 ns");
    row.goal_p99 = 100;
    assert_string_equal(tern__bound(&row, true, text), "p99 >= 100 ns");
    row.goal = 20;
    assert_string_equal(tern__bound(&row, true, text), ">= 20 ns, p99 >= 100 ns");
    assert_string_equal(tern__change(12.34, text), "+12.3 %");
    assert_string_equal(tern__change(-5, text), "-5.0 %");
    assert_string_equal(tern__change(NAN, text), "-");
    assert_string_equal(tern__change(INFINITY, text), "-");
}

/* Whatever the numbers and the unit are, nothing is written beyond its room. */
static void widest_words_fit(void **state) {
    (void)state;
    char text[TERN__FIGURE];
    tern_bench_row row = report_measured("K1", "x", -1.23456e-300);
    row.unit =
        "a unit of a hundred letters that nobody would ever choose, but a file may well have it";
    row.low = row.high = row.floor = row.goal = row.goal_p99 = -1.23456e-300;
    assert_true(strlen(tern__measured(&row, text)) < TERN__FIGURE);
    assert_true(strlen(tern__bound(&row, true, text)) < TERN__FIGURE);
    assert_true(strlen(tern__quantity(-1.7e308, row.unit, text)) < TERN__FIGURE);
    assert_true(strlen(tern__change(-1.7e308, text)) < TERN__FIGURE);
    tern_report *report;
    test_ok(tern__report_create(&report));
    report_add(report, &row);
    row.what = "y";
    row.unit = "another unit, as long as the other one";
    row.median = -9.87e-299;
    report_add(report, &row);
    row.what = "z";
    row.median = 1.23e-299;
    report_add(report, &row);
    assert_true(strlen(tern__target_range(report, "K1", text)) < TERN__FIGURE);
    tern_report_destroy(report);
}

static void ranges_of_targets(void **state) {
    (void)state;
    char text[TERN__FIGURE];
    tern_report *report;
    test_ok(tern__report_create(&report));
    assert_string_equal(tern__target_range(report, "K1", text), "-");
    tern_bench_row row = report_measured("K1", "a", 8);
    report_add(report, &row);
    assert_string_equal(tern__target_range(report, "K1", text), "8 x");
    row = report_measured("K1", "b", 12.5);
    report_add(report, &row);
    assert_string_equal(tern__target_range(report, "K1", text), "8 .. 12.5 x");
    /* Where one row has a floor only such rows count. */
    row = report_row("K1", "c");
    row.floor = 10;
    report_add(report, &row);
    assert_string_equal(tern__target_range(report, "K1", text), "-");
    assert_int_equal(tern_report_verdict(report, "K1"), TERN_BENCH_NOT_MEASURED);
    row = report_measured("K1", "d", 2048);
    row.unit = "ns";
    row.floor = 1;
    row.verdict = TERN_BENCH_PASS;
    report_add(report, &row);
    row = report_measured("K1", "e", 50);
    row.unit = "%";
    row.floor = 1;
    report_add(report, &row);
    assert_string_equal(tern__target_range(report, "K1", text), "2.05 \xc2\xb5s; 50 %");
    assert_int_equal(tern__targets_with(report, TERN_BENCH_PASS), 1);
    assert_int_equal(tern__targets_with(report, TERN_BENCH_NOT_MEASURED), tern_target_count() - 1);
    /* A floor that was missed in noise leaves the target open, whatever else passes. */
    row = report_measured("K1", "f", 0.5);
    row.floor = 1;
    row.verdict = TERN_BENCH_NOT_MEASURED;
    report_add(report, &row);
    assert_int_equal(tern_report_verdict(report, "K1"), TERN_BENCH_NOT_MEASURED);
    row.what = "g";
    row.verdict = TERN_BENCH_FAIL;
    report_add(report, &row);
    assert_int_equal(tern_report_verdict(report, "K1"), TERN_BENCH_FAIL);
    tern_report_destroy(report);
}

/* What a run was given is a part of the command that measures a row again. */
static void commands(void **state) {
    (void)state;
    char text[TERN__COMMAND];
    tern_report *report;
    test_ok(tern__report_create(&report));
    tern_bench_row row = report_measured("K2", "against TQ2_0", 2);
    report_add(report, &row);
    row = report_measured("KERN", "trits4 avx2, N = 1", 2);
    report_add(report, &row);
    test_ok(tern__report_add_fact(report, "run", "threads", "2"));
    tern_report_command(report, tern_report_row_at(report, 0), text, sizeof text);
    assert_string_equal(text, "tern bench kernels --only K2 --threads 2");
    test_ok(tern__report_add_fact(report, "run", "model", "m.gguf"));
    test_ok(tern__report_add_fact(report, "run", "peers", "ggml=/a/b.so, bitnet=c.so"));
    tern_report_command(report, tern_report_row_at(report, 0), text, sizeof text);
    assert_string_equal(text, "tern validate --only K2 --threads 2 --model m.gguf "
                              "--peer ggml=/a/b.so --peer bitnet=c.so");
    tern_report_command(report, tern_report_row_at(report, 1), text, sizeof text);
    assert_string_equal(text, "tern bench kernels --only trits4 --threads 2");
    tern_report_command(report, tern_report_row_at(report, 0), text, 20);
    assert_string_equal(text, "tern validate --onl");
    tern_report_destroy(report);
}

static void lines_and_columns(void **state) {
    (void)state;
    static const char *const words[] = {"trits4 amx",
                                        "trits4 avx2, N = 1, hot, 1 thread",
                                        "trits4 avx2, N = 4, hot, 1 thread",
                                        "trits4 avx2, N = 4, streamed, 2 threads",
                                        "trits5 avx2, N = 8, hot, 1 thread",
                                        "trits4 avx512, N = 1, hot, 1 thread"};
    tern_report *report;
    tern__pivot pivot;
    char label[64], family[TERN__PIVOT_WORDS];
    test_ok(tern__report_create(&report));
    for (int i = 0; i < 6; i++) {
        bool is_missing = i == 0 || i == 5;
        tern_bench_row row = report_measured("KERN", words[i], is_missing ? (double)NAN : i);
        report_add(report, &row);
    }
    tern__pivot_init(&pivot, report, "KERN", "trits4");
    assert_int_equal(pivot.columns, 2);
    assert_string_equal(pivot.column[0], "N = 1");
    assert_string_equal(pivot.column[1], "N = 4");
    static const int64_t lines[] = {0, 1, 3, 5, -1};
    static const char *const labels[] = {"trits4 amx", "trits4 avx2, hot, 1 thread",
                                         "trits4 avx2, streamed, 2 threads",
                                         "trits4 avx512, hot, 1 thread"};
    int64_t line = -1;
    for (int i = 0; i < 5; i++) {
        line = tern__pivot_next(&pivot, line);
        assert_int_equal(line, lines[i]);
        if (line < 0)
            break;
        tern__pivot_label(&pivot, line, label, sizeof label);
        assert_string_equal(label, labels[i]);
        assert_int_equal(tern__pivot_has_cells(&pivot, line), i == 1 || i == 2);
    }
    assert_ptr_equal(tern__pivot_cell(&pivot, 1, 1), tern_report_row_at(report, 2));
    assert_null(tern__pivot_cell(&pivot, 3, 0));
    assert_int_equal(tern__family_next(report, "KERN", -1), 0);
    assert_int_equal(tern__family_next(report, "KERN", 0), 4);
    assert_int_equal(tern__family_next(report, "KERN", 4), -1);
    tern__family_of(tern_report_row_at(report, 4), family);
    assert_string_equal(family, "trits5");
    tern_report_destroy(report);
}

static void axes_have_ticks(void **state) {
    (void)state;
    static const struct {
        tern__axis axis;
        int minor; /* how often: every n-th is none; 0: none is */
        double ticks[9];
    } cases[] = {
        {{.is_log = false, .low = 0, .high = 10}, 2, {0, 2, 4, 6, 8, 10, NAN}},
        {{.is_log = false, .low = -1, .high = 1}, 2, {-1, -0.5, 0, 0.5, 1, NAN}},
        {{.is_log = true, .low = 10, .high = 1000}, 3, {10, 20, 50, 100, 200, 500, 1000, NAN}},
        {{.is_log = true, .low = 1, .high = 1e5}, 0, {1, 10, 100, 1e3, 1e4, 1e5, NAN}},
        {{.is_log = true, .low = 1, .high = 1e14}, 0, {1, 1e2, 1e4, 1e6, 1e8, 1e10, 1e12, 1e14}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int tick = 0; tick < 8; tick++) {
            bool is_minor;
            double expected = cases[i].ticks[tick];
            double got = tern__axis_tick(&cases[i].axis, tick, &is_minor);
            if (isnan(expected) ? !isnan(got) : !(fabs(got - expected) <= 1e-12 * fabs(expected)))
                fail_msg("axis %zu, tick %d: %g, not %g", i, tick, got, expected);
            if (isnan(expected))
                break;
            assert_int_equal(is_minor, cases[i].minor > 0 && tick % cases[i].minor != 0);
        }
}

/* The command that measures a row again, in the way of the run. */
static void commands_by_kind(void **state) {
    (void)state;
    static const struct {
        const char *id, *what, *command;
    } cases[] = {
        {"K1", "2560 x 2560", "tern bench kernels --only K1"},
        {"T1b", "2560 x 2560", "tern bench kernels --only T1b"},
        {"KERN", "trits4 avx2, N = 4", "tern bench kernels --only trits4"},
        {"OPS", "add, large", "tern bench operations --only add"},
        {"ROOF", "read, L1", "tern bench roofline"},
        {"X1", "of a later version", "tern validate --only X1"},
    };
    char text[256], expected[256];
    for (int is_quick = 0; is_quick < 2; is_quick++) {
        tern_report *report;
        test_ok(tern__report_create(&report));
        test_ok(tern__report_add_fact(report, "machine", "threads", "96")); /* not of the run */
        test_ok(tern__report_add_fact(report, "run", "quick", is_quick ? "yes" : "no"));
        if (is_quick) {
            test_ok(tern__report_add_fact(report, "run", "level", "avx2"));
            test_ok(tern__report_add_fact(report, "run", "threads", "2"));
        }
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            tern_report_row row = {.row = report_row(cases[i].id, cases[i].what)};
            tern_report_command(report, &row, text, sizeof text);
            snprintf(expected, sizeof expected, "%s%s", cases[i].command,
                     is_quick ? " --quick --cpu avx2 --threads 2" : "");
            assert_string_equal(text, expected);
        }
        tern_report_destroy(report);
    }
}

/* -- texts -------------------------------------------------------------------------------------*/

static void expect(tern__text *text, const char *expected) {
    assert_int_equal(text->status, TERN_OK);
    assert_string_equal(text->bytes, expected);
    tern__text_clear(text);
}

static void texts_escape_by_kind(void **state) {
    (void)state;
    static const struct {
        tern__text_kind kind;
        const char *words, *escaped;
    } cases[] = {
        {TERN__TEXT_PLAIN, "a<b>\"\n|", "a<b>\"\n|"},
        {TERN__TEXT_JSON, "a\"b\\c\n\x1f/\x7f", "a\\\"b\\\\c\\u000a\\u001f/\x7f"},
        {TERN__TEXT_HTML, "<a href='x'>&\"\n", "&lt;a href=&#39;x&#39;&gt;&amp;&quot; "},
        {TERN__TEXT_MARKDOWN, "a_b _c_ 1|2 <= 3 -> <b>", "a_b \\_c\\_ 1\\|2 <= 3 -> &lt;b&gt;"},
        {TERN__TEXT_MARKDOWN, "*`[x]~\\&\n", "\\*\\`\\[x\\]\\~\\\\&amp; "},
        {TERN__TEXT_HTML, "\xc2\xb5s \xff\xc3", "\xc2\xb5s \xef\xbf\xbd\xef\xbf\xbd"},
        {TERN__TEXT_JSON, "\xf0\x9f\x90\xa6", "\xf0\x9f\x90\xa6"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tern__text text = {.kind = cases[i].kind};
        tern__text_print(&text, "%s", cases[i].words);
        expect(&text, cases[i].escaped);
    }
}

static void texts_print(void **state) {
    (void)state;
    tern__text text = {.kind = TERN__TEXT_HTML};
    tern__text_print(&text, "<%d %lld %.2f%% %c %s>", -3, 1LL << 40, 2.345, 'A', "<");
    expect(&text, "<-3 1099511627776 2.35% A &lt;>");
    tern__text_print(&text, "%.1f %.0f %.3f", (double)NAN, 1.6, -(double)INFINITY);
    expect(&text, "0.0 2 0.000");
    static const double numbers[] = {0.1, 1e22, -0.0, 3, 1.0 / 3};
    static const char *const written[] = {"0.1", "1e+22", "-0.0", "3", "0.3333333333333333"};
    for (int i = 0; i < 5; i++) {
        tern__text_number(&text, numbers[i]);
        expect(&text, written[i]);
    }
    tern__text_number(&text, NAN);
    expect(&text, "null");
}

/* Where the decimal point is a comma, reports look the same. */
static void locales_change_nothing(void **state) {
    (void)state;
    char figure[TERN__FIGURE];
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL &&
        setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL)
        test_skip("no locale with a decimal comma is installed");
    tern__text text = {.kind = TERN__TEXT_JSON};
    tern__text_number(&text, 0.5);
    tern__text_print(&text, " %.2f", 1.25);
    assert_string_equal(text.bytes, "0.5 1.25");
    tern__text_clear(&text);
    assert_string_equal(tern__figure(3.14159, figure), "3.14");
    assert_string_equal(tern__figure(1.5e12, figure), "1.5e12");
    setlocale(LC_NUMERIC, "C");
}

static void the_first_failure_stays(void **state) {
    (void)state;
    memory_file_install();
    memory_file_serve(NULL, 0);
    tern__text text = {.kind = TERN__TEXT_PLAIN};
    tern__text_add(&text, "begin");
    memory_file.fail_at = memory_file.calls;
    for (int i = 0; i < 5000; i++)
        tern__text_add(&text, "0123456789");
    assert_int_equal(text.status, TERN_E_MEMORY);
    test_status(tern__text_publish(&text, "any"), TERN_E_MEMORY);
    assert_null(memory_file.published);
    assert_null(text.bytes);
    memory_file_check_empty();
    memory_file_remove();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(quantities),
        cmocka_unit_test(rows_in_words),
        cmocka_unit_test(widest_words_fit),
        cmocka_unit_test(ranges_of_targets),
        cmocka_unit_test(commands),
        cmocka_unit_test(lines_and_columns),
        cmocka_unit_test(axes_have_ticks),
        cmocka_unit_test(commands_by_kind),
        cmocka_unit_test(texts_escape_by_kind),
        cmocka_unit_test(texts_print),
        cmocka_unit_test(locales_change_nothing),
        cmocka_unit_test(the_first_failure_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
