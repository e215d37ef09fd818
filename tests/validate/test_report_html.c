/* SPDX-License-Identifier: MIT
 * Pages of reports: they are well-formed, need nothing else, and stand odd data. With TERN_PAGE set
 * to a path the sample's page is written there, to be looked at. */
#include "report_fixture.h"

/* -- a checker of HTML -------------------------------------------------------------------------*/

enum { DEPTH = 64, IDS = 512, NAME = 32 };

/* Where a page is read; every element must be closed but for those that are never. */
typedef struct checker {
    const char *at;
    char open[DEPTH][NAME];
    int depth;
    char ids[IDS][NAME], links[IDS][NAME];
    int id_count, link_count, heading;
} checker;

static bool is_void(const char *name) {
    return strcmp(name, "meta") == 0 || strcmp(name, "br") == 0;
}

static void wrong(const checker *c, const char *what) {
    fail_msg("%s: %.80s", what, c->at);
}

static void read_name(checker *c, char name[NAME]) {
    size_t length =
        strspn(c->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    if (length == 0 || length >= NAME)
        wrong(c, "a name is missing or too long");
    snprintf(name, NAME, "%.*s", (int)length, c->at);
    c->at += length;
}

/* '<' and '&' are escaped in text and attributes. */
static void check_reference(const checker *c, const char *at) {
    size_t length = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz#0123456789");
    if (length == 0 || at[length + 1] != ';')
        wrong(c, "an ampersand is not escaped");
}

static void check_number(const checker *c, const char *name, const char *value, int length) {
    static const char *const numbers[] = {"x",  "y",  "x1", "x2", "y1",     "y2",
                                          "cx", "cy", "r",  "dx", "height", "width"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i], name) != 0)
            continue;
        size_t digits = strspn(value, "-.0123456789");
        if (digits == 0 || digits > 9 ||
            (digits != (size_t)length && (value[digits] != '%' || digits + 1 != (size_t)length)))
            wrong(c, "a coordinate is no number");
    }
}

static void note(char list[IDS][NAME], int *count, const char *value, int length) {
    assert_true(*count < IDS && length < NAME);
    snprintf(list[(*count)++], NAME, "%.*s", length, value);
}

static void read_attribute(checker *c) {
    char name[NAME];
    read_name(c, name);
    if (c->at[0] != '=' || (c->at[1] != '\'' && c->at[1] != '"'))
        wrong(c, "an attribute has no quoted value");
    char quote[] = {c->at[1], '\0'};
    const char *value = c->at + 2;
    int length = (int)strcspn(value, quote);
    for (int i = 0; i < length; i++) {
        if (value[i] == '<' || value[i] == '\0')
            wrong(c, "an attribute does not end");
        if (value[i] == '&')
            check_reference(c, value + i);
    }
    check_number(c, name, value, length);
    if (strcmp(name, "id") == 0)
        note(c->ids, &c->id_count, value, length);
    if (strcmp(name, "src") == 0 || strncmp(name, "on", 2) == 0)
        wrong(c, "a page of its own has no such attribute");
    if (strcmp(name, "href") == 0) {
        if (value[0] != '#')
            wrong(c, "a link leaves the page");
        note(c->links, &c->link_count, value + 1, length - 1);
    }
    c->at = value + length + 1;
}

static void check_heading(checker *c, const char *name) {
    if (name[0] != 'h' || name[1] < '1' || name[1] > '6' || name[2] != '\0')
        return;
    if (name[1] - '0' > c->heading + 1)
        wrong(c, "a level of headings is left out");
    c->heading = name[1] - '0';
}

static void read_element(checker *c) {
    char name[NAME];
    bool is_end = c->at[1] == '/';
    c->at += 1 + is_end;
    read_name(c, name);
    if (is_end) {
        if (c->depth == 0 || strcmp(c->open[c->depth - 1], name) != 0)
            wrong(c, "an end does not match");
        c->depth--;
    } else {
        check_heading(c, name);
        while (*c->at == ' ') {
            c->at++;
            read_attribute(c);
        }
        bool is_closed = *c->at == '/';
        c->at += is_closed;
        assert_true(c->depth < DEPTH);
        if (!is_closed && !is_void(name))
            memcpy(c->open[c->depth++], name, sizeof name);
    }
    if (*c->at++ != '>')
        wrong(c, "an element does not end");
    if (!is_end && strcmp(name, "style") == 0)
        c->at = strstr(c->at, "</style>");
}

static void check_links(const checker *c) {
    for (int i = 0; i < c->id_count; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(c->ids[i], c->ids[j]);
    for (int i = 0; i < c->link_count; i++) {
        int j = 0;
        while (j < c->id_count && strcmp(c->ids[j], c->links[i]) != 0)
            j++;
        if (j == c->id_count)
            fail_msg("#%s leads nowhere", c->links[i]);
    }
}

/* Links of dots to their shapes are many: one of each is enough. */
static void drop_repeated_links(checker *c) {
    int kept = 0;
    for (int i = 0; i < c->link_count; i++) {
        int j = 0;
        while (j < kept && strcmp(c->links[j], c->links[i]) != 0)
            j++;
        if (j == kept)
            memmove(c->links[kept++], c->links[i], NAME);
    }
    c->link_count = kept;
}

static void check_page(const char *text) {
    static checker c;
    static const char *const banned[] = {"http", "<link",   "<script", "<iframe",
                                         "<img", "@import", "url(",    "javascript:"};
    memset(&c, 0, sizeof c);
    assert_int_equal(strncmp(text, "<!DOCTYPE html>\n<html lang='en'>", 32), 0);
    for (size_t i = 0; i < sizeof banned / sizeof banned[0]; i++)
        if (strstr(text, banned[i]) != NULL)
            fail_msg("the page has %s", banned[i]);
    report_has_no_nan(text);
    for (c.at = text + strlen("<!DOCTYPE html>"); *c.at != '\0';) {
        if (*c.at == '<') {
            read_element(&c);
            if (c.link_count > IDS / 2)
                drop_repeated_links(&c);
            continue;
        }
        if (*c.at == '&')
            check_reference(&c, c.at);
        if (*c.at == '>' || ((unsigned char)*c.at < ' ' && *c.at != '\n'))
            wrong(&c, "a character is not escaped");
        c.at++;
    }
    assert_int_equal(c.depth, 0);
    check_links(&c);
    assert_int_equal(report_occurrences(text, "<title>Tern: "), 1);
    assert_int_equal(report_occurrences(text, "<h1>"), 1);
    assert_int_equal(report_occurrences(text, "<main>"), 1);
}

static char *page_of(const tern_report *report) {
    size_t bytes;
    char *text = report_text(tern_report_write_html, report, &bytes);
    assert_int_equal(strlen(text), bytes);
    check_page(text);
    return text;
}

/* -- the sample --------------------------------------------------------------------------------*/

static void sample_page(void **state) {
    (void)state;
    tern_report *report = report_sample();
    char *text = page_of(report);
    static const char *const words[] = {
        "<title>Tern: 50 pass, 5 fail, 21 not measured</title>",
        "AMD EPYC (Zen 5), virtual machine",
        "id='roofline'",
        "id='K6'",
        "tern bench kernels --only K1 --threads 2",
        "tern bench elementwise --only T2 --threads 2",
        "<title>KERN trits5 ",
        "operations for each byte that is read",
        "5th to 95th percentile",
        "<figcaption>created and released, owner thread</figcaption>",
        "MiB; the axis does not begin at 0",
        "<th scope='row'>attention_int8</th>",
        "<span class='grade moderate'>moderate</span>",
        "<dt>processor</dt>",
        "64-bit Arm under qemu is a test",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(text, words[i]) == NULL)
            fail_msg("the page has no %s", words[i]);
    /* Every dot: rows that have a place. */
    int dots = 0;
    for (int64_t i = 0; i < tern_report_row_count(report); i++)
        dots += tern_report_row_at(report, i)->row.operations > 0;
    assert_true(dots > 100);
    assert_int_equal(report_occurrences(text, "operations a byte</title></use>"), dots);
    const char *path = getenv("TERN_PAGE");
    if (path != NULL)
        test_ok(tern_report_write_html(report, path));
    tern_report_destroy(report);
    free(text);
}

static void words_are_escaped(void **state) {
    (void)state;
    tern_report *report = report_small();
    char *text = page_of(report);
    const char *escaped = "a|b`&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;&amp;amp;\\ *x* "
                          "_y_ [z](w)  \xef\xbf\xbd";
    assert_true(report_occurrences(text, escaped) >= 8);
    tern_report_destroy(report);
    free(text);
}

static void empty_page(void **state) {
    (void)state;
    tern_report *report;
    test_ok(tern__report_create(&report));
    char *text = page_of(report);
    static const char *const words[] = {"0 pass, 0 fail, 0 not measured", "No baseline was given.",
                                        "This report has no course of T5a.",
                                        "no row with a place in a roofline"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_non_null(strstr(text, words[i]));
    tern_report_destroy(report);
    free(text);
}

/* -- odd data ----------------------------------------------------------------------------------*/

static const double odd_numbers[] = {0,      1e-9,     1e12,   -5,  1,       1,      NAN, 1e300,
                                     5e-324, INFINITY, -1e300, 1e9, 0.99999, 1e-310, 100, 123456.7};
enum { ODD = sizeof odd_numbers / sizeof odd_numbers[0] };

/* Rows of all charts that are made of these numbers. */
static tern_report *odd_report(const double *numbers, int count, int repeats) {
    static double x[ODD], y[ODD];
    tern_report *report;
    test_ok(tern__report_create(&report));
    for (int i = 0; i < count; i++) {
        x[i] = i == 0 ? 0 : x[i - 1] + 1;
        y[i] = numbers[i];
    }
    for (int i = 0; i < count * repeats; i++) {
        static const char *const ids[] = {"T2", "T3", "T5a", "KERN", "ROOF", "K1", "OPS"};
        for (size_t j = 0; j < sizeof ids / sizeof ids[0]; j++) {
            char what[400];
            snprintf(what, sizeof what, "op %d %s, %d Ki%s, %d threads", i,
                     i % 5 == 4 ? "with a very long label that goes on and on and does not end"
                                : "",
                     i % 3, i % 7 == 6 ? ", and more, and more, and more of it" : "", 1 + i % 2);
            tern_bench_row row = report_measured(ids[j], what, numbers[i % count]);
            row.floor = numbers[(i + 1) % count];
            row.goal = numbers[(i + 2) % count];
            row.goal_p99 = row.p99 = numbers[(i + 4) % count];
            row.operations = numbers[(i + 3) % count];
            row.bytes = numbers[i % count];
            row.unit = i % 2 == 0 ? "x" : j == 4 ? "GB/s" : "%";
            row.verdict =
                isfinite(row.median) ? (tern_bench_verdict)(i % 4) : TERN_BENCH_NOT_MEASURED;
            bool has_series = (j == 1 || j == 2) && i < 3;
            row.series_count = has_series ? 2 : 0;
            row.series[0] = (tern_bench_series){"a", "ns", "B", count, x, y, NULL};
            row.series[1] = (tern_bench_series){"b", "s", "", i, x, y, NULL};
            tern_report_row *added;
            test_ok(tern__report_add_row(report, &row, &added));
            added->grade = (tern_grade)(i % 7);
            added->baseline = numbers[(i + 5) % count];
            added->change = numbers[(i + 6) % count];
        }
    }
    return report;
}

static void odd_numbers_are_drawn(void **state) {
    (void)state;
    /* All of them; each one alone; pairs; 200 bars. */
    tern_report *report = odd_report(odd_numbers, ODD, 1);
    free(page_of(report));
    tern_report_destroy(report);
    for (int i = 0; i < ODD; i++)
        for (int count = 1; count <= 2 && i + count <= ODD; count++) {
            report = odd_report(odd_numbers + i, count, 1);
            free(page_of(report));
            tern_report_destroy(report);
        }
    report = odd_report(odd_numbers, ODD, 13);
    free(page_of(report));
    tern_report_destroy(report);
}

/* A line of many points keeps its peaks and stays small. */
static void long_series_are_thinned(void **state) {
    (void)state;
    enum { POINTS = 200000 };
    double *x = calloc(POINTS, sizeof *x), *y = calloc(POINTS, sizeof *y);
    assert_non_null(x);
    assert_non_null(y);
    for (int i = 0; i < POINTS; i++) {
        x[i] = i;
        y[i] = i == 77777 ? 1000 : 500;
    }
    tern_report *report;
    test_ok(tern__report_create(&report));
    tern_bench_row row = report_measured("T5a", "long", 1);
    row.series_count = 1;
    row.series[0] = (tern_bench_series){"committed", "tokens", "MiB", POINTS, x, y, NULL};
    report_add(report, &row);
    char *text = page_of(report);
    const char *points = strstr(text, "points='");
    assert_non_null(points);
    assert_true(strcspn(points, ">") < 20000);
    assert_non_null(strstr(points, ",0.0 "));
    assert_non_null(strstr(points, ",500.0 "));
    /* What the axis says: nothing at the bottom, 1 000 on top. */
    assert_non_null(strstr(text, "<text class='y' x='-8' y='264.0'>0</text>"));
    assert_non_null(strstr(text, "<text class='y' x='-8' y='4.0'>1000</text>"));
    tern_report_destroy(report);
    free(text);
    free(x);
    free(y);
}

static void expect_words(const char *text, const char *words) {
    if (strstr(text, words) == NULL)
        fail_msg("the page has no %s", words);
}

/* Where things are drawn: a bar of half the axis, a floor, an interval. */
static void bars_have_their_length(void **state) {
    (void)state;
    tern_report *report;
    test_ok(tern__report_create(&report));
    tern_bench_row row = report_measured("T2", "add, 2 Ki, avx2", 10);
    row.low = 8;
    row.high = 12;
    row.floor = 5;
    row.goal = 20;
    row.verdict = TERN_BENCH_PASS;
    report_add(report, &row);
    row = report_measured("T2", "sub, 2 Ki, avx2", 4);
    row.floor = 5;
    row.verdict = TERN_BENCH_FAIL;
    report_add(report, &row);
    char *text = page_of(report);
    expect_words(text, "<line class='whisker' x1='40.00%' x2='40.00%' y1='7'");
    expect_words(text, "<line class='whisker' x1='60.00%' x2='60.00%' y1='7'");
    expect_words(text, "<rect class='bar failed' x='0' width='20.00%' y='5'");
    assert_non_null(strstr(text, "<rect class='bar' x='0' width='50.00%' y='5'"));
    assert_non_null(strstr(text, "<line class='whisker' x1='40.00%' x2='60.00%'"));
    assert_non_null(strstr(text, "<line class='floor' x1='25.00%' x2='25.00%'"));
    assert_non_null(strstr(text, "<line class='goal' x1='100.00%' x2='100.00%'"));
    tern_report_destroy(report);
    free(text);
}

/* A bandwidth of 10 GB/s meets a peak of 1 000 GOP/s at 100 operations a byte, and a kernel that
 * reaches both lies there. */
static void roofs_meet_their_kernels(void **state) {
    (void)state;
    tern_report *report;
    test_ok(tern__report_create(&report));
    tern_bench_row row = report_measured("ROOF", "read, memory (512 MiB), 1 thread", 10);
    row.unit = "GB/s";
    report_add(report, &row);
    row = report_measured("ROOF", "vpdpbusd, 1 thread", 1000);
    row.unit = "GOP/s";
    report_add(report, &row);
    row = report_measured("KERN", "trits4 avx2, N = 8, hot, 1 thread", 10);
    row.operations = 1e12;
    row.bytes = 1e10;
    report_add(report, &row);
    char *text = page_of(report), x[3][16], y[3][16];
    const char *slope = strstr(text, "<line class='roof' "), *flat = strstr(text, "'roof peak' ");
    const char *dot = strstr(text, "<use class='dot f0' href='#s0' x='");
    assert_non_null(slope);
    assert_non_null(flat);
    assert_non_null(dot);
    assert_int_equal(sscanf(strstr(slope, "x2="), "x2='%15[0-9.]%%' y2='%15[0-9.]", x[0], y[0]), 2);
    assert_int_equal(sscanf(strstr(flat, "x1="), "x1='%15[0-9.]%%' y1='%15[0-9.]", x[1], y[1]), 2);
    assert_int_equal(sscanf(strstr(dot, "x="), "x='%15[0-9.]%%' y='%15[0-9.]", x[2], y[2]), 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(x[i], x[i + 1]);
        assert_string_equal(y[i], y[i + 1]);
    }
    expect_words(dot, "1000 GOP/s at 100 operations a byte</title>");
    assert_true(atof(strstr(slope, "y1='") + 4) > atof(y[0])); /* it rises: y counts downwards */
    tern_report_destroy(report);
    free(text);
}

static void add_limit(tern_report *report, const char *what, double rate, const char *unit) {
    tern_bench_row row = report_measured("ROOF", what, rate);
    row.unit = unit;
    report_add(report, &row);
}

/* Each number of threads has a plot of its own; roofs are named from the highest on, bandwidths
 * first, and those that are as good as one have one letter. */
static void roofs_are_named(void **state) {
    (void)state;
    tern_report *report;
    test_ok(tern__report_create(&report));
    add_limit(report, "read, memory, 1 thread", 10, "GB/s");
    add_limit(report, "fma, 1 thread", 1000, "GOP/s");
    add_limit(report, "read, L1, 1 thread", 100, "GB/s");
    add_limit(report, "read, L2, 1 thread", 96, "GB/s");
    add_limit(report, "dot, 1 thread", 1200, "GOP/s");
    add_limit(report, "read, L1, 2 threads", 200, "GB/s");
    for (int threads = 1; threads <= 2; threads++) {
        char what[64];
        snprintf(what, sizeof what, "trits4 avx2, N = 1, hot, %d thread%s", threads,
                 threads > 1 ? "s" : "");
        tern_bench_row row = report_measured("KERN", what, 10);
        row.operations = 1e11 * threads;
        row.bytes = 1e10;
        report_add(report, &row);
    }
    char *text = page_of(report);
    static const char *const roofs[] = {
        "<li><span class='letter'>A</span> <b>100&nbsp;GB/s</b> read, L1; read, L2</li>\n"
        "<li><span class='letter'>B</span> <b>10&nbsp;GB/s</b> read, memory</li>\n"
        "<li><span class='letter'>C</span> <b>1200&nbsp;GOP/s</b> dot</li>\n"
        "<li><span class='letter'>D</span> <b>1000&nbsp;GOP/s</b> fma</li>\n</ul>",
        "<ul class='roofs'>\n<li><span class='letter'>A</span> <b>200&nbsp;GB/s</b> read, L1"};
    for (int i = 0; i < 2; i++)
        expect_words(text, roofs[i]);
    assert_int_equal(report_occurrences(text, "1 thread: 100 GOP/s at 10 operations a byte"), 1);
    assert_int_equal(report_occurrences(text, "2 threads: 200 GOP/s at 20 operations a byte"), 1);
    tern_report_destroy(report);
    free(text);
}

/* -- words and marks of rows -------------------------------------------------------------------*/

/* A time of 50 ns, from 40 to 60, under a floor of 100 and over a goal of 20, on an axis to 106. */
static tern_bench_row interval_row(const char *what) {
    tern_bench_row row = report_measured("T3", what, 50);
    row.unit = "ns";
    row.is_least = false;
    row.low = 40;
    row.high = 60;
    row.p5 = 30;
    row.p95 = 70;
    row.floor = 100;
    row.goal = 20;
    row.verdict = TERN_BENCH_PASS;
    return row;
}

static void intervals_are_drawn(void **state) {
    (void)state;
    tern_report *report;
    test_ok(tern__report_create(&report));
    tern_bench_row row = interval_row("at most");
    report_add(report, &row);
    char *text = page_of(report);
    static const char *const words[] = {
        "<rect class='zone' x='0.00%' width='94.34%' y='9'",
        "<rect class='spread' x='28.30%' width='37.74%' y='10'",
        "<rect class='inner' x='37.74%' width='18.87%' y='6'",
        "<line class='goal' x1='18.87%' x2='18.87%' y1='1'",
        "<line class='floor' x1='94.34%' x2='94.34%' y1='1'",
        "<line class='median' x1='47.17%' x2='47.17%' y1='4'",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        expect_words(text, words[i]);
    free(text);
    tern_report_destroy(report);
    test_ok(tern__report_create(&report));
    row.is_least = true;
    report_add(report, &row);
    text = page_of(report);
    expect_words(text, "<rect class='zone' x='94.34%' width='5.66%' y='9'");
    tern_report_destroy(report);
    free(text);
}

/* Figures, bounds, verdicts and what changed, each in its cell. */
static void rows_are_worded(void **state) {
    (void)state;
    tern_report *report;
    tern_report_row *added;
    test_ok(tern__report_create(&report));
    tern_bench_row row = interval_row("slower");
    test_ok(tern__report_add_row(report, &row, &added));
    added->baseline = 42.5;
    added->baseline_low = 42;
    added->baseline_high = 43;
    added->change = 17.6;
    added->grade = TERN_GRADE_MODERATE;
    row = report_measured("K1", "missed", 12345);
    row.unit = "ns";
    row.low = 9000;
    row.high = 13000;
    row.floor = 20000;
    row.goal = 10000;
    row.is_goal_met = true;
    row.verdict = TERN_BENCH_FAIL;
    report_add(report, &row);
    row.what = "missed, too";
    report_add(report, &row);
    row = report_row("K4", "not here");
    row.floor = 1;
    report_add(report, &row);
    char *text = page_of(report);
    static const char *const words[] = {
        "<h1><span class='pass'><b>1</b> pass</span>, <span class='fail'><b>2</b> fail</span>, "
        "<span class='none'><b>1</b> not measured</span></h1>",
        "<rect class='pass' x='0.000%' width='24.700%'",
        "<rect class='fail' x='25.000%' width='49.700%'",
        "<rect class='none' x='75.000%' width='24.700%'",
        "<b>50&nbsp;ns</b> <small>40 &ndash; 60</small></span></td>",
        "<b>12.3&nbsp;\xc2\xb5s</b> <small>9 &ndash; 13</small></span></td>",
        "data-label='floor'><span>&le; 100&nbsp;ns</span></td><td class='n' data-label='goal'>"
        "<span>&le; 20&nbsp;ns</span></td>",
        "<span class='chip pass'><span aria-hidden='true'>&#10003;</span> PASS</span><small>goal "
        "missed</small>",
        "<span class='chip fail'><span aria-hidden='true'>&#10007;</span> FAIL</span><small>goal "
        "met</small>",
        "<td class='n' data-label='baseline'><span>42.5&nbsp;ns<small class='grade moderate'>"
        "moderate, cost +17.6&nbsp;%</small>",
        "<span class='grade moderate'>moderate</span></td><th scope='row'>T3 slower</th><td "
        "class='n' data-label='cost'><b>+17.6&nbsp;%</b></td><td class='n' data-label='baseline'>"
        "42.5&nbsp;ns</td><td class='n' data-label='now'>50&nbsp;ns (40 &ndash; 60)</td>",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        expect_words(text, words[i]);
    tern_report_destroy(report);
    free(text);
}

/* Floor and goal are marked where they are, and what is hardly anything is still on the plot. */
static void latencies_are_marked(void **state) {
    (void)state;
    static const double x[] = {10, 20, 40, 80, 160}, y[] = {0, 50, 2, 1, 0};
    tern_report *report;
    test_ok(tern__report_create(&report));
    tern_bench_row row = interval_row("created");
    row.series_count = 1;
    row.series[0] = (tern_bench_series){"tern", "ns", "% of batches", 5, x, y, NULL};
    report_add(report, &row);
    char *text = page_of(report);
    const char *floor = strstr(text, "<line class='mark' x1='");
    assert_non_null(floor);
    const char *goal = strstr(floor + 1, "<line class='mark' x1='");
    assert_non_null(goal);
    const char *words = strstr(floor, ">floor 100 ns</text>");
    assert_true(words != NULL && words < goal && strstr(goal, ">goal 20 ns</text>") != NULL);
    /* From 10 to 160 with a margin: log 10, log 2 and log 16 of it. */
    assert_true(fabs(atof(floor + 23) - atof(goal + 23) - 100 * 0.69897 / 1.32453) < 0.1);
    tern_report_destroy(report);
    free(text);
}

/* Copies stand out, zeros stand back. */
static void copies_are_told(void **state) {
    (void)state;
    static const double x[] = {0, 1}, views[] = {3, 0}, copies[] = {0, 2};
    static const char *const labels[] = {"add", "sum"};
    tern_report *report;
    test_ok(tern__report_create(&report));
    tern_bench_row row = report_measured("T4", "operations", 97);
    row.series_count = 2;
    row.series[0] = (tern_bench_series){"view", "", "calls", 2, x, views, labels};
    row.series[1] = (tern_bench_series){"copy", "", "calls", 2, x, copies, labels};
    report_add(report, &row);
    char *text = page_of(report);
    expect_words(text, "add</th><td class='n'>3</td><td class='n zero'>0</td></tr>");
    expect_words(text, "sum</th><td class='n zero'>0</td><td class='n copied'>2</td></tr>");
    tern_report_destroy(report);
    free(text);
}

/* Each of more families than there are shapes has a dot that is drawn, as its legend has it. */
static void dots_have_shapes_and_colors(void **state) {
    (void)state;
    tern_report *report;
    test_ok(tern__report_create(&report));
    for (int i = 0; i < 12; i++) {
        char what[32];
        snprintf(what, sizeof what, "family%d avx2, N = 1", i);
        tern_bench_row row = report_measured("KERN", what, 10);
        row.operations = 1e12;
        row.bytes = 1e10;
        report_add(report, &row);
    }
    char *text = page_of(report);
    int dots = 0, color, other_color, shape, other_shape;
    const char *key = strstr(text, "<p class='key'><span><svg width='16'");
    assert_non_null(key);
    const char *end = key;
    for (const char *at = text; (at = strstr(at, "<use class='dot ")) != NULL && at < end; at++) {
        assert_int_equal(sscanf(at, "<use class='dot f%d' href='#s%d'", &color, &shape), 2);
        assert_true(color < 8 && shape < 8);
        key = strstr(key, "<use class='dot ");
        assert_non_null(key);
        assert_int_equal(
            sscanf(key++, "<use class='dot f%d' href='#s%d'", &other_color, &other_shape), 2);
        assert_true(color == other_color && shape == other_shape);
        dots++;
    }
    assert_int_equal(dots, 12);
    tern_report_destroy(report);
    free(text);
}

static void writing_may_fail_anywhere(void **state) {
    (void)state;
    tern_report *report = report_sample();
    report_failures(tern_report_write_html, report);
    tern_report_destroy(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_page),
        cmocka_unit_test(words_are_escaped),
        cmocka_unit_test(empty_page),
        cmocka_unit_test(odd_numbers_are_drawn),
        cmocka_unit_test(long_series_are_thinned),
        cmocka_unit_test(bars_have_their_length),
        cmocka_unit_test(roofs_meet_their_kernels),
        cmocka_unit_test(dots_have_shapes_and_colors),
        cmocka_unit_test(roofs_are_named),
        cmocka_unit_test(intervals_are_drawn),
        cmocka_unit_test(rows_are_worded),
        cmocka_unit_test(latencies_are_marked),
        cmocka_unit_test(copies_are_told),
        cmocka_unit_test(writing_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
