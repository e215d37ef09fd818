/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <stdbool.h>

#include "json_reader.h"
#include "report_fixture.h"

/* -- reading and writing -----------------------------------------------------------------------*/

static tern_report *read_text(const char *text, size_t bytes) {
    tern_report *report;
    memory_file_install();
    memory_file_serve(text, bytes);
    test_ok(tern_report_read("any", &report));
    memory_file_remove();
    return report;
}

static void sample_round_trip(void **state) {
    (void)state;
    tern_report *sample = report_sample();
    assert_int_equal(tern_report_row_count(sample), 288);
    assert_string_equal(tern_report_fact_value(sample, "cores"), "2");
    assert_true(tern_report_count(sample, TERN_BENCH_PASS) > 40);
    size_t first_bytes, second_bytes;
    char *first = report_text(tern_report_write_json, sample, &first_bytes);
    tern_report_destroy(sample);
    sample = read_text(first, first_bytes);
    char *second = report_text(tern_report_write_json, sample, &second_bytes);
    assert_int_equal(first_bytes, second_bytes);
    assert_string_equal(first, second);
    tern_report_destroy(sample);
    free(first);
    free(second);
}

static void same_number(double a, double b) {
    assert_true(isnan(a) ? isnan(b) : memcmp(&a, &b, sizeof a) == 0);
}

static void same_series(const tern_bench_series *a, const tern_bench_series *b) {
    assert_string_equal(a->x_unit[0] == 'n' ? a->name : "", a->x_unit[0] == 'n' ? b->name : "");
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->label == NULL, b->label == NULL);
    for (int64_t i = 0; i < a->count; i++) {
        same_number(a->x[i], b->x[i]);
        same_number(a->y[i], b->y[i]);
        if (a->label != NULL && strchr(a->label[i], '|') == NULL)
            assert_string_equal(a->label[i], b->label[i]);
    }
}

static tern_report_row *find_named(const tern_report *report, const char *id) {
    for (int64_t i = 0; i < report->row_count; i++)
        if (strcmp(report->rows[i].row.id, id) == 0)
            return &report->rows[i];
    fail_msg("no row of %s", id);
    return NULL;
}

static void everything_is_read_again(void **state) {
    (void)state;
    tern_report *report = report_small();
    find_named(report, "K1")->baseline = 76.5;
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    tern_report *again = read_text(text, bytes);
    const tern_report_row *a = tern_report_row_at(report, 0), *b = tern_report_row_at(again, 0);
    assert_string_equal(b->row.id, "T3");
    assert_string_equal(b->row.what, "created and released");
    assert_string_equal(b->row.unit, "ns");
    const double numbers[][2] = {
        {a->row.median, b->row.median},
        {a->row.p5, b->row.p5},
        {a->row.p95, b->row.p95},
        {a->row.p99, b->row.p99},
        {a->row.low, b->row.low},
        {a->row.high, b->row.high},
        {a->row.floor, b->row.floor},
        {a->row.goal, b->row.goal},
        {a->row.goal_p99, b->row.goal_p99},
        {a->row.load, b->row.load},
        {a->row.operations, b->row.operations},
        {a->row.bytes, b->row.bytes},
        {a->baseline, b->baseline},
        {a->baseline_low, b->baseline_low},
        {a->baseline_high, b->baseline_high},
        {a->change, b->change},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        same_number(numbers[i][0], numbers[i][1]);
    assert_int_equal(b->row.samples, 21);
    assert_int_equal(b->passes, 3);
    assert_int_equal(b->grade, TERN_GRADE_SAME);
    assert_int_equal(b->row.verdict, TERN_BENCH_PASS);
    assert_true(b->row.is_noisy && !b->row.is_least && !b->row.is_ratio);
    assert_int_equal(b->row.peer_count, 2);
    assert_string_equal(b->row.peer[0].name, "glibc");
    same_number(b->row.peer[0].median, 335.03125);
    /* A figure of before stays where there is none now, and so no grade. */
    a = find_named(report, "K1");
    b = find_named(again, "K1");
    assert_true(isnan(a->row.median) && a->grade == TERN_GRADE_NONE);
    same_number(b->baseline, 76.5);
    assert_int_equal(b->grade, TERN_GRADE_NONE);
    a = tern_report_row_at(report, 0);
    b = tern_report_row_at(again, 0);
    assert_null(b->row.peer[0].reason);
    assert_non_null(b->row.peer[1].reason);
    assert_int_equal(b->row.series_count, 2);
    for (int i = 0; i < 2; i++)
        same_series(&a->row.series[i], &b->row.series[i]);
    assert_true(tern_report_row_at(again, 1)->row.is_ratio);
    assert_true(tern_report_row_at(again, 2)->row.is_least);
    assert_int_equal(tern_report_item_at(again, 0)->verdict, TERN_BENCH_FAIL);
    tern_report_destroy(report);
    tern_report_destroy(again);
    free(text);
}

/* A table that did not run to its end fails without a figure. */
static void failures_need_no_figure(void **state) {
    (void)state;
    tern_report *report;
    test_ok(tern__report_create(&report));
    tern_bench_row row = report_row("T3", "tern bench memory runs to its end");
    row.verdict = TERN_BENCH_FAIL;
    report_add(report, &row);
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    tern_report *again = read_text(text, bytes);
    assert_int_equal(tern_report_count(again, TERN_BENCH_FAIL), 1);
    tern_report_destroy(report);
    tern_report_destroy(again);
    free(text);
}

static void numbers_are_exact(void **state) {
    (void)state;
    static const double numbers[] = {0.0,
                                     -0.0,
                                     0.1,
                                     1.0 / 3,
                                     2.0 / 3,
                                     DBL_MAX,
                                     DBL_MIN,
                                     -1e-300,
                                     4.9406564584124654e-324,
                                     1e22,
                                     1e23,
                                     123456789012345680.0,
                                     9007199254740993.0,
                                     5e-5,
                                     -1.5,
                                     1e15,
                                     999999999999999.9};
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    tern_report *report;
    test_ok(tern__report_create(&report));
    for (int i = 0; i < COUNT; i++) {
        char what[32];
        snprintf(what, sizeof what, "row %d", i);
        tern_bench_row row = report_measured("T2", what, numbers[i]);
        row.low = row.high = row.p5 = row.p95 = numbers[i];
        report_add(report, &row);
    }
    tern_bench_row row = report_measured("T2", "infinite", INFINITY);
    row.verdict = TERN_BENCH_NOT_MEASURED;
    report_add(report, &row);
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    tern_report *again = read_text(text, bytes);
    for (int i = 0; i < COUNT; i++)
        same_number(tern_report_row_at(again, i)->row.median, numbers[i]);
    assert_true(isnan(tern_report_row_at(again, COUNT)->row.median));
    tern_report_destroy(report);
    tern_report_destroy(again);
    free(text);
}

static void words_are_escaped(void **state) {
    (void)state;
    tern_report *report = report_small();
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    json_document *json = json_read(text, bytes);
    /* What is no UTF-8 is U+FFFD. */
    const char *expected =
        "a|b`<script>alert(1)</script>\"'>&amp;\\ *x* _y_ [z](w)\n\x01\xef\xbf\xbd";
    json_expect_string(json, "facts[0].value", expected);
    json_expect_string(json, "rows[0].detail", expected);
    json_expect_string(json, "rows[0].peers[1].reason", expected);
    json_expect_string(json, "rows[0].series[1].label[1]", expected);
    json_expect_string(json, "rows[1].what", expected);
    json_expect_string(json, "rows[1].unit", expected);
    json_expect_string(json, "checklist[0].found", expected);
    json_expect(json, "rows[1].median", JSON_NULL, "");
    json_expect(json, "rows[1].baseline", JSON_NULL, "");
    json_expect_string(json, "schema", "tern-validate");
    json_expect_number(json, "version", 1);
    json_free(json);
    tern_report_destroy(report);
    free(text);
}

/* -- malformed files ---------------------------------------------------------------------------*/

/* The status of reading; nothing may leak. */
static tern_status try_read(const char *text, size_t bytes) {
    tern_report *report = (tern_report *)&report;
    memory_file_serve(text, bytes);
    tern_status status = tern_report_read("any", &report);
    if ((status == TERN_OK) != (report != NULL))
        fail_msg("%s, and the report is %p", tern_status_name(status), (void *)report);
    tern_report_destroy(report);
    memory_file_check_empty();
    return status;
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    tern_report *report = report_small();
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    memory_file_install();
    for (size_t i = 0; i + 2 <= bytes; i++) { /* the last byte is a new line */
        test_guarded cut = test_guarded_new(i, 0);
        memcpy(cut.data, text, i);
        test_status(try_read((const char *)cut.data, i), TERN_E_FORMAT);
        test_guarded_free(&cut);
    }
    test_ok(try_read(text, bytes - 1));
    memory_file_remove();
    tern_report_destroy(report);
    free(text);
}

static void changed_bytes_do_no_harm(void **state) {
    (void)state;
    tern_report *report = report_small();
    test_random random = {.seed = 11};
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    int refused = 0;
    enum { TRIES = 4000 / TEST_THINNING };
    memory_file_install();
    for (int i = 0; i < TRIES; i++) {
        size_t at = (size_t)test_random_range(&random, 0, (int64_t)bytes - 1);
        char old = text[at];
        text[at] = "0123456789-e.,:[]{}\"nut x\xff\0"[test_random_range(&random, 0, 25)];
        tern_status status = try_read(text, bytes);
        if (status != TERN_OK && status != TERN_E_FORMAT && status != TERN_E_UNSUPPORTED)
            fail_msg("byte %zu: %s", at, tern_status_name(status));
        refused += status != TERN_OK;
        text[at] = old;
    }
    assert_true(refused > TRIES / 4);
    memory_file_remove();
    tern_report_destroy(report);
    free(text);
}

/* One place of the small report, what stands there instead, and the words of the complaint. */
static const struct {
    const char *from, *to;
    tern_status status;
    const char *detail;
} slips[] = {
    {"\"tern-validate\"", "\"tern-other\"", TERN_E_FORMAT, "the schema is \"tern-other\""},
    {"\"schema\":", "\"scheme\":", TERN_E_FORMAT, "\"schema\" is missing"},
    {"\"version\": 1", "\"version\": 2", TERN_E_UNSUPPORTED, "version 2; this program reads 1"},
    {"\"version\": 1", "\"version\": 0", TERN_E_FORMAT, "\"version\" is out of range"},
    {"\"version\": 1", "\"version\": 1.5", TERN_E_FORMAT, "\"version\" is no integer"},
    {"\"version\": 1", "\"version\": 1, \"more\": 1", TERN_E_FORMAT, "6 keys, 5 are known"},
    {"\"facts\": [", "\"facts\": [3, ", TERN_E_FORMAT, "fact 0 is no object"},
    {"\"group\": \"run\"", "\"group\": \"\"", TERN_E_FORMAT, "fact 1: \"group\" is empty"},
    {"\"value\": \"2\"", "\"value\": 2", TERN_E_FORMAT, "fact 1: \"value\" is no string"},
    {"\"value\": \"2\"", "\"value\": \"2\", \"value\": \"3\"", TERN_E_FORMAT, "duplicate"},
    {"\"value\": \"2\"", "\"value\": \"2\\u0000\"", TERN_E_FORMAT, "is not allowed"},
    {"\"id\": \"T3\"", "\"id\": null", TERN_E_FORMAT, "row 0: \"id\" is no string"},
    {"\"what\": \"created and released\"", "\"what\": \"\"", TERN_E_FORMAT, "\"what\" is empty"},
    {"\"samples\": 21", "\"samples\": -1", TERN_E_FORMAT,
     "row 0 (T3, created and released): \"samples\" is out of range"},
    {"\"samples\": 21", "\"samples\": \"21\"", TERN_E_FORMAT, "\"samples\" is no integer"},
    {"\"samples\": 21", "\"samples\": 9007199254740993", TERN_E_FORMAT, "is out of range"},
    {"\"passes\": 3", "\"passes\": 1000001", TERN_E_FORMAT, "\"passes\" is out of range"},
    {"\"median\": 41.5", "\"median\": true", TERN_E_FORMAT, "\"median\" is no number"},
    {"\"median\": 41.5", "\"median\": null", TERN_E_FORMAT, "a median, which is null"},
    {"\"median\": 41.5", "\"median\": 1e999", TERN_E_FORMAT, "line"},
    {"\"median\": 41.5", "\"Median\": 41.5", TERN_E_FORMAT, "\"median\" is missing"},
    {"\"p5\": 37", "\"p5\": 137", TERN_E_FORMAT, "\"p95\" is less than p5"},
    {"\"low\": 40", "\"low\": 140", TERN_E_FORMAT, "\"high\" is less than low"},
    {"\"load\": 0.25", "\"load\": -0.25", TERN_E_FORMAT, "\"load\" is negative"},
    {"\"operations\": 4", "\"operations\": -4", TERN_E_FORMAT, "\"operations\" is negative"},
    {"\"bytes\": 1", "\"bytes\": -1", TERN_E_FORMAT, "row 2 (KERN, trits4"},
    {"\"bound\": \"most\"", "\"bound\": \"more\"", TERN_E_FORMAT, "an unknown word: more"},
    {"\"noisy\": true", "\"noisy\": 1", TERN_E_FORMAT, "\"noisy\" is neither true nor false"},
    {"\"verdict\": \"PASS\"", "\"verdict\": \"pass\"", TERN_E_FORMAT, "an unknown word: pass"},
    {"\"reason\": null", "\"reason\": 7", TERN_E_FORMAT, "peer 0: \"reason\" is no string"},
    {"\"p99\": 922.5", "\"p98\": 922.5", TERN_E_FORMAT, "peer 0: \"p99\" is missing"},
    {"\"x\": [1, 2", "\"x\": [1, 1, 2", TERN_E_FORMAT, "series 0: \"y\" is not as long as x"},
    {"\"x\": [1, 2", "\"x\": [3, 2", TERN_E_FORMAT, "\"x\" does not ascend"},
    {"\"x\": [1, 2, 4", "\"x\": [1, 4, 2", TERN_E_FORMAT, "\"x\" does not ascend"},
    {"\"x\": [1, 2", "\"x\": [null, 2", TERN_E_FORMAT, "\"x\" has an element that is no number"},
    {"\"y\": [0.5, ", "\"y\": [\"0.5\", ", TERN_E_FORMAT, "\"y\" has an element that is no number"},
    {"\"label\": null", "\"label\": [\"a\"]", TERN_E_FORMAT, "\"label\" is neither null nor"},
    {"\"label\": [\"add\"", "\"label\": [4", TERN_E_FORMAT, "series 1: \"label\" is no string"},
    {"\"grade\": \"same\"", "\"grade\": \"worse\"", TERN_E_FORMAT, "baseline: \"grade\" is an"},
    {"\"low\": 39,", "\"low\": 139,", TERN_E_FORMAT, "baseline: \"high\" is less than low"},
    {"\"baseline\": {", "\"baseline\": [", TERN_E_FORMAT, "line"},
    {"\"baseline\": null", "\"baseline\": 3", TERN_E_FORMAT, "neither null nor an object"},
    {"\"change\": 3.75", "\"change\": 3.75, \"other\": 1", TERN_E_FORMAT, "6 keys, 5 are known"},
    {"\"checklist\": [", "\"checklist\": {", TERN_E_FORMAT, "line"},
    {"\"verdict\": \"FAIL\"}", "\"verdict\": \"-\", \"x\": 1}", TERN_E_FORMAT, "item 0 has 4 keys"},
};

static void slips_are_named(void **state) {
    (void)state;
    tern_report *report = report_small();
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    memory_file_install();
    for (size_t i = 0; i < sizeof slips / sizeof slips[0]; i++) {
        const char *at = strstr(text, slips[i].from);
        if (at == NULL) {
            fail_msg("%s does not occur", slips[i].from);
            return;
        }
        size_t before = (size_t)(at - text), length = bytes + strlen(slips[i].to) + 1;
        char *changed = malloc(length);
        assert_non_null(changed);
        snprintf(changed, length, "%.*s%s%s", (int)before, text, slips[i].to,
                 at + strlen(slips[i].from));
        tern_status status = try_read(changed, strlen(changed));
        if (status != slips[i].status || strstr(tern_last_error(), slips[i].detail) == NULL)
            fail_msg("%s -> %s: %s, %s", slips[i].from, slips[i].to, tern_status_name(status),
                     tern_last_error());
        free(changed);
    }
    memory_file_remove();
    tern_report_destroy(report);
    free(text);
}

static void rows_that_come_twice_are_refused(void **state) {
    (void)state;
    tern_report *report;
    test_ok(tern__report_create(&report));
    for (int i = 0; i < 2; i++) {
        tern_bench_row row = report_measured("K1", "the same", 1 + i);
        report_add(report, &row);
    }
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    memory_file_install();
    test_status(try_read(text, bytes), TERN_E_FORMAT);
    assert_non_null(strstr(tern_last_error(), "comes twice"));
    memory_file_remove();
    tern_report_destroy(report);
    free(text);
}

/* A detail that is longer than a row has room for, and a document nested deeply. */
static void limits_are_kept(void **state) {
    (void)state;
    size_t room = 200000;
    char *text = malloc(room);
    assert_non_null(text);
    memset(text, '[', room);
    memory_file_install();
    test_status(try_read(text, room), TERN_E_FORMAT);
    tern_report *report = report_small();
    size_t bytes;
    memory_file_remove();
    char *whole = report_text(tern_report_write_json, report, &bytes);
    memory_file_install();
    char *at = strstr(whole, "\"detail\": \"");
    assert_non_null(at);
    size_t before = (size_t)(at - whole) + strlen("\"detail\": \"");
    memcpy(text, whole, before);
    memset(text + before, 'x', TERN_BENCH_DETAIL);
    memcpy(text + before + TERN_BENCH_DETAIL, whole + before, bytes - before);
    test_status(try_read(text, bytes + TERN_BENCH_DETAIL), TERN_E_FORMAT);
    assert_non_null(strstr(tern_last_error(), "\"detail\" is too long"));
    memory_file_remove();
    tern_report_destroy(report);
    free(whole);
    free(text);
}

/* -- failures of the system --------------------------------------------------------------------*/

static void reading_may_fail_anywhere(void **state) {
    (void)state;
    tern_report *report = report_small();
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    memory_file_install();
    test_ok(try_read(text, bytes));
    int64_t calls = memory_file.calls;
    assert_true(calls >= 5);
    for (int64_t i = 0; i < calls; i++) {
        memory_file_serve(text, bytes);
        memory_file.fail_at = i;
        tern_report *read = report;
        tern_status status = tern_report_read("any", &read);
        if (status != TERN_E_MEMORY && status != TERN_E_IO)
            fail_msg("call %lld fails: %s", (long long)i, tern_status_name(status));
        assert_null(read);
        memory_file_check_empty();
    }
    memory_file_remove();
    tern_report_destroy(report);
    free(text);
}

static void writing_may_fail_anywhere(void **state) {
    (void)state;
    tern_report *report = report_small();
    report_failures(tern_report_write_json, report);
    tern_report_destroy(report);
    tern_report *sample = report_sample();
    report_failures(tern_report_write_json, sample);
    tern_report_destroy(sample);
}

static void bad_arguments(void **state) {
    (void)state;
    tern_report *report = (tern_report *)&report;
    test_status(tern_report_read("/there/is/no/such/file.json", &report), TERN_E_NOT_FOUND);
    assert_null(report);
    test_status(tern_report_read("/", &report), TERN_E_IO);
    test_status(tern_report_read(NULL, &report), TERN_E_ARGUMENT);
    test_status(tern_report_read("any", NULL), TERN_E_ARGUMENT);
    test_ok(tern__report_create(&report));
    test_status(tern_report_write_json(report, NULL), TERN_E_ARGUMENT);
    test_status(tern_report_write_json(report, "/there/is/no/such/folder/x.json"), TERN_E_IO);
    tern_report_destroy(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_round_trip),
        cmocka_unit_test(everything_is_read_again),
        cmocka_unit_test(failures_need_no_figure),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(words_are_escaped),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(changed_bytes_do_no_harm),
        cmocka_unit_test(slips_are_named),
        cmocka_unit_test(rows_that_come_twice_are_refused),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(reading_may_fail_anywhere),
        cmocka_unit_test(writing_may_fail_anywhere),
        cmocka_unit_test(bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
