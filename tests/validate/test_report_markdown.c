/* SPDX-License-Identifier: MIT */
#include "report_fixture.h"

/* Cells of a line of a table: pipes that are not escaped, but for the first. */
static int cells(const char *line, size_t length) {
    int count = -1;
    for (size_t i = 0; i < length; i++)
        count += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
    return count;
}

/* All lines of a table have as many cells, and a table begins with a line of names and a rule. */
static void check_tables(const char *text) {
    int columns = 0, row = 0;
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        row = line[0] == '|' ? row + 1 : 0;
        if (row == 1)
            columns = cells(line, length);
        if (row >= 1 && cells(line, length) != columns)
            fail_msg("%d cells, not %d: %.*s", cells(line, length), columns, (int)length, line);
        if (row == 2 && strncmp(line, "|---", 4) != 0)
            fail_msg("a table without a rule: %.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static void check_page(const char *text) {
    check_tables(text);
    report_has_no_nan(text);
    assert_int_equal(strncmp(text, "# Benchmarks\n", 13), 0);
    assert_null(strstr(text, "\n\n\n"));
    assert_int_equal(report_occurrences(text, "<!-- summary -->\n"), 1);
    assert_int_equal(report_occurrences(text, "<!-- /summary -->\n"), 1);
    /* A line for every target in the summary, and a section. */
    const char *summary = strstr(text, "<!-- summary -->"), *end = strstr(text, "<!-- /summary");
    for (int i = 0; i < tern_target_count(); i++) {
        char words[160];
        snprintf(words, sizeof words, "\n| %s | %s |", tern_target_at(i)->id,
                 tern_target_at(i)->title);
        const char *at = strstr(summary, words);
        if (at == NULL || at > end)
            fail_msg("%s is not in the summary", tern_target_at(i)->id);
        snprintf(words, sizeof words, "\n### %s: ", tern_target_at(i)->id);
        assert_int_equal(report_occurrences(text, words), 1);
    }
}

static void sample_page(void **state) {
    (void)state;
    tern_report *report = report_sample();
    size_t bytes;
    char *text = report_text(tern_report_write_markdown, report, &bytes);
    check_page(text);
    assert_non_null(strstr(text, "| K4 | prefill with AMX | 50 % | 80 % | - | NOT MEASURED |"));
    assert_non_null(strstr(text, "`tern bench kernels --only K1 --threads 2`"));
    assert_non_null(strstr(text, "\n### trits5\n"));
    assert_non_null(strstr(text, "| kernel | N = 1 | N = 4 | N = 8 | N = 16 | N = 64 |"));
    assert_non_null(strstr(text, "| read, L1 (24 KiB each), 1 thread | 402 GB/s ("));
    assert_non_null(strstr(text, "| machine | processor | AMD EPYC"));
    /* Every row of a target, and every fact and item is there. */
    for (int64_t i = 0; i < tern_report_row_count(report); i++) {
        const tern_bench_row *row = &tern_report_row_at(report, i)->row;
        if (tern_target_find(row->id) != NULL && strstr(text, row->what) == NULL)
            fail_msg("%s %s is missing", row->id, row->what);
    }
    for (int i = 0; i < tern_report_item_count(report); i++)
        assert_non_null(strstr(text, tern_report_item_at(report, i)->text));
    tern_report_destroy(report);
    free(text);
}

static void words_are_escaped(void **state) {
    (void)state;
    tern_report *report = report_small();
    size_t bytes;
    char *text = report_text(tern_report_write_markdown, report, &bytes);
    check_page(text);
    assert_null(strstr(text, "<script"));
    const char *escaped =
        "a\\|b\\`&lt;script&gt;alert(1)&lt;/script&gt;\"'&gt;&amp;amp;\\\\ \\*x\\* "
        "\\_y\\_ \\[z\\](w)  \xef\xbf\xbd";
    assert_true(report_occurrences(text, escaped) >= 6);
    tern_report_destroy(report);
    free(text);
}

/* A figure of each kind, in its words. */
static void figures_are_worded(void **state) {
    (void)state;
    tern_report *report = report_small();
    size_t bytes;
    tern_bench_row other = report_measured("K2", "slow", 1);
    other.floor = 2;
    other.verdict = TERN_BENCH_FAIL;
    report_add(report, &other);
    other = report_row("ROOF", "tiles");
    snprintf(other.detail, sizeof other.detail, "lacks amx");
    report_add(report, &other);
    char *text = report_text(tern_report_write_markdown, report, &bytes);
    const char *row =
        "| created and released | 41.5 ns (40.7 .. 42.3), p99 88 ns, noisy | <= 100 ns "
        "| <= 20 ns, p99 <= 100 ns | PASS, goal missed | 40 ns | +3.8 % | same |\n";
    if (strstr(text, row) == NULL)
        fail_msg("not there: %s", row);
    assert_non_null(strstr(text, "| add, 2 Ki, avx2 | 9 x (8.82 .. 9.18) | >= 10 x | - | **FAIL** "
                                 "|\n"));
    assert_non_null(strstr(text, "\n| trits4 avx2, hot, 1 thread | 12.5 GB/s |\n"));
    assert_non_null(strstr(text, "\n| tiles | NOT MEASURED | lacks amx |\n"));
    assert_non_null(strstr(text, "; beside it glibc 335 ns (p99 922 ns), "));
    assert_non_null(strstr(text, "**1 pass, 2 fail, 2 not measured**"));
    assert_non_null(strstr(text, "Of 25 targets 1 pass, 2 fail, 22 were not measured"));
    tern_report_destroy(report);
    free(text);
}

static void empty_page(void **state) {
    (void)state;
    tern_report *report;
    size_t bytes;
    test_ok(tern__report_create(&report));
    char *text = report_text(tern_report_write_markdown, report, &bytes);
    check_page(text);
    assert_non_null(strstr(text, "**0 pass, 0 fail, 0 not measured**"));
    assert_null(strstr(text, "## Kernels by family"));
    tern_report_destroy(report);
    free(text);
}

static void writing_may_fail_anywhere(void **state) {
    (void)state;
    tern_report *report = report_sample();
    report_failures(tern_report_write_markdown, report);
    tern_report_destroy(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_page),
        cmocka_unit_test(words_are_escaped),
        cmocka_unit_test(figures_are_worded),
        cmocka_unit_test(empty_page),
        cmocka_unit_test(writing_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
