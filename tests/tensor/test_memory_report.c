/* SPDX-License-Identifier: MIT
 * The report on a context's memory: the page against one written here from the figures, the JSON
 * read back strictly, sites in their order, strange strings, and no memory to report with. */
#include <tern/tensor.h>

#include "json_reader.h"
#include "memory_file.h"
#include "tensor/tensor.h"

/* What a report wrote. */
typedef struct collected {
    char text[1 << 16];
    size_t bytes;
    int calls;
    tern_context *busy; /* the writer makes and releases tensors there; NULL: it does not */
} collected;

static collected got;

static void collect(void *user, const char *text, size_t bytes) {
    collected *c = user;
    assert_true(bytes > 0 && c->bytes + bytes < sizeof c->text);
    memcpy(c->text + c->bytes, text, bytes);
    c->bytes += bytes;
    c->text[c->bytes] = '\0';
    c->calls++;
    tern_tensor *tensor = NULL;
    if (c->busy != NULL)
        test_ok((tern_tensor_empty)(c->busy, TERN_U8, TERN_SHAPE(5000), &tensor));
    tern_tensor_release(tensor);
}

static const char *report(tern_context *context, tern_report_format format) {
    got.bytes = 0;
    got.calls = 0;
    got.text[0] = '\0';
    test_ok(tern_memory_report(context, format, collect, &got));
    assert_true(got.calls > 0);
    return got.text;
}

static json_document *report_json(tern_context *context) {
    report(context, TERN_REPORT_JSON);
    return json_read(got.text, got.bytes);
}

static void no_event(void *user, const tern_memory_event *event) {
    (void)user;
    fail_msg("memory event: %s", event->text);
}

static tern_context *new_context(tern_tracking tracking, size_t max_bytes) {
    tern_context *context = NULL;
    tern_options options = {
        .threads = 1, .tracking = tracking, .max_bytes = max_bytes, .on_memory_event = no_event};
    test_ok(tern_context_create(&options, &context));
    return context;
}

/* As if `call` had been written in that line. */
static tern_tensor *make(tern_context *context, const char *file, int line, const char *call,
                         tern_shape shape) {
    tern_tensor *tensor = NULL;
    tern_site_set(file, line, call);
    test_ok((tern_tensor_empty)(context, TERN_F32, shape, &tensor));
    return tensor;
}

/* Bytes that the tensor of `make` holds. */
static size_t bytes_of(tern_context *context, tern_shape shape) {
    size_t before = tern_context_memory(context).live_bytes;
    tern_tensor *tensor = make(context, NULL, 0, NULL, shape);
    size_t bytes = tern_context_memory(context).live_bytes - before;
    (tern_tensor_release)(tensor);
    return bytes;
}

/* A life with all sorts of blocks, some of them released. */
enum { MIXED = 60 };
static tern_tensor *mixed[MIXED];

static void make_mixture(tern_context *context) {
    test_random random = {.seed = 71};
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < MIXED; i++) {
            (tern_tensor_release)(mixed[i]);
            int64_t rows =
                test_random_range(&random, 0, (int64_t)1 << test_random_range(&random, 0, 16));
            mixed[i] = make(context, "mix.c", 1 + i % 3, "tern_tensor_empty", TERN_SHAPE(rows, 3));
        }
    for (int i = 0; i < MIXED; i += 2) {
        (tern_tensor_release)(mixed[i]);
        mixed[i] = NULL;
    }
}

static void release_mixture(void) {
    for (int i = 0; i < MIXED; i++) {
        (tern_tensor_release)(mixed[i]);
        mixed[i] = NULL;
    }
}

/* -- the page ----------------------------------------------------------------------------------*/

static char expected[1 << 16];
static size_t expected_bytes;

static void expect(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void expect(const char *format, ...) {
    va_list list;
    va_start(list, format);
    expected_bytes += (size_t)vsnprintf(expected + expected_bytes, sizeof expected - expected_bytes,
                                        format, list);
    va_end(list);
    assert_true(expected_bytes < sizeof expected);
}

static void expect_bytes(const char *name, size_t bytes, const char *behind) {
    char text[32];
    bool is_mega = bytes >= 1048525; /* below: at most 1023.9 KiB */
    size_t unit = is_mega ? 1048576 : 1024, tenths = (20 * bytes + unit) / (2 * unit);
    if (bytes < 1024)
        snprintf(text, sizeof text, "%zu B", bytes);
    else
        snprintf(text, sizeof text, "%zu.%zu %s", tenths / 10, tenths % 10,
                 is_mega ? "MiB" : "KiB");
    expect("  %-12s %10s %16zu bytes%s\n", name, text, bytes, behind);
}

static void expect_totals(const tern_memory_figures *f) {
    char behind[100];
    snprintf(behind, sizeof behind, " in %lld tensors, %lld blocks",
             (long long)f->stats.live_tensors, (long long)f->live_blocks);
    expect_bytes("live", f->stats.live_bytes, behind);
    snprintf(behind, sizeof behind, ", at most %lld tensors", (long long)f->stats.peak_tensors);
    expect_bytes("peak", f->stats.peak_bytes, behind);
    expect_bytes("room", f->room_bytes, " that the live blocks take");
    snprintf(behind, sizeof behind, " ready for reuse, %zu of them in one piece",
             f->largest_free_run);
    expect_bytes("free", f->free_bytes, behind);
    expect_bytes("committed", f->stats.committed_bytes, "");
    expect_bytes("mapped", f->stats.mapped_bytes, "");
    expect_bytes("bookkeeping", f->bookkeeping_bytes, "");
    if (f->max_bytes != 0)
        expect_bytes("limit", f->max_bytes, "");
    else
        expect("  limit              none\n");
    expect("\n  fragmentation  internal %.1f %% of the room, external %.1f %% of what is free\n",
           (int)(1e3 * f->internal_fragmentation + 0.5) / 10.0,
           (int)(1e3 * f->external_fragmentation + 0.5) / 10.0);
    expect("  calls          %llu allocations, %llu releases, %llu of them by other threads\n",
           (unsigned long long)f->allocations, (unsigned long long)f->releases,
           (unsigned long long)f->remote_releases);
    expect("                 %llu locks, %llu calls to the system\n", (unsigned long long)f->locks,
           (unsigned long long)f->system_calls);
}

static void expect_classes(const tern_memory_figures *f) {
    expect("\nclasses in use\n        room       live       free    allocations    reused\n");
    for (int i = 0; i < f->class_count; i++) {
        const tern_memory_class *c = &f->classes[i];
        char room[24];
        if (c->live_blocks == 0 && c->free_blocks == 0 && c->calls == 0)
            continue;
        snprintf(room, sizeof room, c->room > 0 ? "%zu" : "larger", c->room);
        uint64_t tenths = c->calls > 0 ? (2000 * c->reused + c->calls) / (2 * c->calls) : 0;
        expect("  %10s %10lld %10lld %14llu   %5.1f %%\n", room, (long long)c->live_blocks,
               (long long)c->free_blocks, (unsigned long long)c->calls, (double)tenths / 10);
    }
}

static void expect_lifetimes(const tern_memory_figures *f) {
    uint64_t most = 0;
    int rows = 0;
    for (int k = 0; k < TERN_MEMORY_LIFETIMES; k++) {
        most = f->lifetimes[k] > most ? f->lifetimes[k] : most;
        rows = f->lifetimes[k] > 0 ? k + 1 : rows;
    }
    expect("\nlifetimes: blocks released after so many further allocations\n");
    if (rows == 0)
        expect("  none was released yet\n");
    for (int k = 0; k < rows; k++) {
        char bar[48] = "";
        for (int i = 0; (uint64_t)i * most < 40 * f->lifetimes[k]; i++)
            strcat(bar, i == 0 ? " #" : "#");
        expect("  %12lld - %-12lld %10llu%s\n", k > 0 ? 1LL << k : 0, (2LL << k) - 1,
               (unsigned long long)f->lifetimes[k], bar);
    }
}

/* Everything above the sites. */
static void expect_page(const tern_memory_figures *f) {
    static const char *const levels[] = {"counts", "sites", "full"};
    expected_bytes = 0;
    expect("memory of the context, tracking level %s\n", levels[f->tracking]);
    expect_totals(f);
    expect_classes(f);
    if (f->tracking != TERN_TRACK_COUNTS)
        expect_lifetimes(f);
    if (f->tracking != TERN_TRACK_COUNTS)
        expect("\nalive by site, most bytes first\n     count          bytes  made by\n");
    else
        expect("\nlifetimes and sites are known from tracking level sites on\n");
}

/* The first `bytes` of `text` are the expected ones; else names the first line that is not. */
static void check_text(const char *text, size_t bytes) {
    size_t line = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != expected[i])
            fail_msg("the report has\n%.*s\nexpected\n%.*s", (int)strcspn(text + line, "\n"),
                     text + line, (int)strcspn(expected + line, "\n"), expected + line);
        if (text[i] == '\n')
            line = i + 1;
    }
}

/* The figures of the report that comes next: to look at them takes a lock. */
static tern_memory_figures next_figures(tern_context *context) {
    tern_memory_figures before, after;
    tern_memory_figures_get(context, &before);
    tern_memory_figures_get(context, &after);
    uint64_t step = after.locks - before.locks;
    before.locks = after.locks;
    test_same_bytes(&before, &after, sizeof after, "figures that are looked at");
    after.locks += step;
    return after;
}

static void check_page(tern_tracking tracking) {
    tern_context *context = new_context(tracking, (size_t)1 << 29);
    make_mixture(context);
    expected_bytes = 0;
    tern_memory_figures figures = next_figures(context);
    assert_int_equal(figures.stats.live_tensors, MIXED / 2);
    assert_int_equal(figures.max_bytes, 1 << 29);
    expect_page(&figures);
    report(context, TERN_REPORT_TEXT);
    check_text(got.text, expected_bytes);
    if (tracking == TERN_TRACK_COUNTS)
        assert_int_equal(got.bytes, expected_bytes);

    /* To report takes no memory of the pool, and no pages. */
    tern_memory_figures after;
    tern_memory_figures_get(context, &after);
    assert_true(after.locks >= figures.locks);
    after.locks = figures.locks;
    test_same_bytes(&after, &figures, sizeof after, "figures after a report");
    release_mixture();
    tern_context_destroy(context);
}

static void page_of_counts(void **state) {
    (void)state;
    check_page(TERN_TRACK_COUNTS);
}

static void page_of_sites(void **state) {
    (void)state;
    check_page(TERN_TRACK_SITES);
}

static void page_of_full(void **state) {
    (void)state;
    check_page(TERN_TRACK_FULL);
}

static void page_of_nothing(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        tern_context *context = new_context((tern_tracking)level, 0);
        tern_memory_figures figures = next_figures(context);
        expect_page(&figures);
        if (level != TERN_TRACK_COUNTS)
            expect("  nothing is alive\n");
        assert_string_equal(report(context, TERN_REPORT_TEXT), expected);
        tern_context_destroy(context);
    }
}

/* Any number of bytes can be a limit. */
static void units(void **state) {
    (void)state;
    static const struct {
        size_t bytes;
        const char *line;
    } rows[] = {
        {1, "\n  limit               1 B                1 bytes\n"},
        {1023, "\n  limit            1023 B             1023 bytes\n"},
        {1024, "\n  limit           1.0 KiB             1024 bytes\n"},
        {1075, "\n  limit           1.0 KiB             1075 bytes\n"},
        {1076, "\n  limit           1.1 KiB             1076 bytes\n"},
        {1048524, "\n  limit        1023.9 KiB          1048524 bytes\n"},
        {1048525, "\n  limit           1.0 MiB          1048525 bytes\n"},
        {(size_t)5 << 29, "\n  limit           2.5 GiB       2684354560 bytes\n"},
        {(size_t)7 << 40, "\n  limit           7.0 TiB    7696581394432 bytes\n"},
        {(size_t)3 << 50, "\n  limit           3.0 PiB 3377699720527872 bytes\n"},
        {SIZE_MAX, "\n  limit          16.0 EiB 18446744073709551615 bytes\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_context *context = new_context(TERN_TRACK_COUNTS, rows[i].bytes);
        if (strstr(report(context, TERN_REPORT_TEXT), rows[i].line) == NULL)
            fail_msg("no%s in\n%s", rows[i].line, got.text);
        tern_context_destroy(context);
    }
}

/* -- sites -------------------------------------------------------------------------------------*/

/* 25 sites, each with its own number of tensors; the page shows the 20 with most bytes. */
enum { SITES = 25, SHOWN = 20 };

typedef struct many_sites {
    tern_context *context;
    tern_tensor *tensors[SITES * 4];
    int count;
    int of[SITES];     /* number of tensors of line i + 1 */
    size_t one[SITES]; /* bytes of one of them */
} many_sites;

static int64_t side_of(int i) {
    return 8 * (i * 7 % SITES + 1); /* in no order */
}

static many_sites make_many_sites(tern_tracking tracking) {
    many_sites m = {.context = new_context(tracking, 0)};
    for (int i = 0; i < SITES; i++) {
        tern_shape shape = TERN_SHAPE(side_of(i), side_of(i));
        m.one[i] = bytes_of(m.context, shape);
        m.of[i] = 1 + i % 4;
        for (int n = 0; n < m.of[i]; n++)
            m.tensors[m.count++] = make(m.context, "many.c", i + 1, "tern_tensor_empty", shape);
    }
    return m;
}

static void release_many_sites(many_sites *m) {
    while (m->count > 0)
        (tern_tensor_release)(m->tensors[--m->count]);
    tern_context_destroy(m->context);
}

static size_t site_bytes(const many_sites *m, int i) {
    return (size_t)m->of[i] * m->one[i];
}

/* The site with the `rank`-th most bytes. */
static int site_of_rank(const many_sites *m, int rank) {
    for (int i = 0; i < SITES; i++) {
        int larger = 0;
        for (int k = 0; k < SITES; k++) {
            assert_true(k == i || site_bytes(m, k) != site_bytes(m, i));
            larger += site_bytes(m, k) > site_bytes(m, i);
        }
        if (larger == rank)
            return i;
    }
    fail_msg("no site has rank %d", rank);
    return -1;
}

static void check_many_sites(tern_tracking tracking) {
    many_sites m = make_many_sites(tracking);
    tern_memory_figures figures = next_figures(m.context);
    expect_page(&figures);
    int count = 0;
    size_t bytes = 0;
    json_document *json = report_json(m.context);
    json_expect(json, "sites", JSON_ARRAY, "25");
    for (int rank = 0; rank < SITES; rank++) {
        int i = site_of_rank(&m, rank);
        char path[64];
        if (rank < SHOWN)
            expect("  %8d %14zu  tern_tensor_empty (many.c:%d, empty f32 (%lld, %lld))\n", m.of[i],
                   site_bytes(&m, i), i + 1, (long long)side_of(i), (long long)side_of(i));
        count += rank < SHOWN ? 0 : m.of[i];
        bytes += rank < SHOWN ? 0 : site_bytes(&m, i);
#define SITE(name) (snprintf(path, sizeof path, "sites[%d].%s", rank, name), path)
        json_expect(json, SITE("shape"), JSON_ARRAY, "2");
        json_expect_number(json, SITE("shape[0]"), (uint64_t)side_of(i));
        json_expect_number(json, SITE("shape[1]"), (uint64_t)side_of(i));
        json_expect_number(json, SITE("count"), (uint64_t)m.of[i]);
        json_expect_number(json, SITE("bytes"), site_bytes(&m, i));
        json_expect_number(json, SITE("line"), (uint64_t)i + 1);
        json_expect_string(json, SITE("file"), "many.c");
        json_expect_string(json, SITE("call"), "tern_tensor_empty");
        json_expect_string(json, SITE("op"), "empty");
        json_expect_string(json, SITE("dtype"), "f32");
        snprintf(path, sizeof path, "sites[%d]", rank);
        json_expect(json, path, JSON_OBJECT, "8");
    }
    json_free(json);
    expect("  %8d %14zu  and 5 more sites\n", count, bytes);
    report(m.context, TERN_REPORT_TEXT);
    /* Both readings of JSON and page come behind the figures: the locks differ. */
    const char *sites = strstr(expected, "\nalive by site");
    const char *shown = strstr(got.text, "\nalive by site");
    assert_non_null(sites);
    assert_non_null(shown);
    assert_string_equal(shown, sites);
    release_many_sites(&m);
}

static void many_sites_in_order(void **state) {
    (void)state;
    check_many_sites(TERN_TRACK_SITES);
    check_many_sites(TERN_TRACK_FULL);
}

/* What is unknown, what is no text, and what is long. */
static void strange_strings(void **state) {
    (void)state;
    static const char file[] = "a \"b\"\\c\n\x1b\x7f\xc3\xa9\xff\xe2\x82\xac.c";
    static const char longer[] = "/0123456789/0123456789/0123456789/0123456789/0123456789/abcde.c";
    tern_context *context = new_context(TERN_TRACK_SITES, 0);
    tern_tensor *scalar = make(context, NULL, 7, NULL, (tern_shape){0});
    tern_tensor *strange = make(context, file, -3, "call\t\"x\"", TERN_SHAPE(100));
    tern_tensor *path = make(context, longer, 2147483647, NULL, TERN_SHAPE(200));
    json_document *json = report_json(context);
    json_expect(json, "sites", JSON_ARRAY, "3");
    json_expect_string(json, "sites[0].file", longer);
    json_expect(json, "sites[0].call", JSON_NULL, "");
    json_expect_number(json, "sites[0].line", 2147483647);
    json_expect_string(json, "sites[1].file",
                       "a \"b\"\\c\n\x1b\x7f\xc3\xa9\xef\xbf\xbd\xe2\x82\xac.c");
    json_expect_string(json, "sites[1].call", "call\t\"x\"");
    json_expect(json, "sites[1].line", JSON_NUMBER, "-3");
    json_expect(json, "sites[2].file", JSON_NULL, "");
    json_expect(json, "sites[2].line", JSON_NULL, "");
    json_expect(json, "sites[2].shape", JSON_ARRAY, "0");
    json_free(json);

    report(context, TERN_REPORT_TEXT);
    assert_int_equal(strlen(longer) > 60, 1);
    static const char *const lines[] = {
        "  an unknown call (...",
        "/0123456789/0123456789/0123456789/0123456789/abcde.c:2147483647, empty f32 (200,))\n",
        "  call?\"x\" (a \"b\"\\c???\xc3\xa9\xff\xe2\x82\xac.c:-3, empty f32 (100,))\n",
        "  an unknown call (empty f32 ())\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strstr(got.text, lines[i]) == NULL)
            fail_msg("no %s in\n%s", lines[i], strstr(got.text, "alive by site"));
    char cut[128];
    snprintf(cut, sizeof cut, "(...%s:", longer + strlen(longer) - 60);
    assert_non_null(strstr(got.text, cut));
    (tern_tensor_release)(scalar);
    (tern_tensor_release)(strange);
    (tern_tensor_release)(path);
    tern_context_destroy(context);
}

/* Longer than any buffer of the writer. */
static void endless_name(void **state) {
    (void)state;
    enum { LENGTH = 3000 };
    static char name[LENGTH + 1], line[LENGTH + 100];
    for (int i = 0; i < LENGTH; i++)
        name[i] = (char)('a' + i % 26);
    tern_context *context = new_context(TERN_TRACK_SITES, 0);
    tern_tensor *tensor = make(context, "long.c", 1, name, TERN_SHAPE(2, 2));
    json_document *json = report_json(context);
    json_expect_string(json, "sites[0].call", name);
    json_free(json);
    snprintf(line, sizeof line, "  %s (long.c:1, empty f32 (2, 2))\n", name);
    assert_non_null(strstr(report(context, TERN_REPORT_TEXT), line));
    (tern_tensor_release)(tensor);
    tern_context_destroy(context);
}

/* -- JSON --------------------------------------------------------------------------------------*/

static void expect_fraction(const json_document *json, const char *path, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.6f", value);
    json_expect(json, path, JSON_NUMBER, text);
}

static void expect_json_classes(const json_document *json, const tern_memory_figures *f) {
    char path[64], text[16];
    int count = 0;
    for (int i = 0; i < f->class_count; i++) {
        const tern_memory_class *c = &f->classes[i];
        if (c->live_blocks == 0 && c->free_blocks == 0 && c->calls == 0)
            continue;
#define CLASS(name) (snprintf(path, sizeof path, "classes[%d]%s", count, name), path)
        json_expect(json, CLASS(""), JSON_OBJECT, "5");
        json_expect_number(json, CLASS(".room"), c->room);
        json_expect_number(json, CLASS(".live_blocks"), (uint64_t)c->live_blocks);
        json_expect_number(json, CLASS(".free_blocks"), (uint64_t)c->free_blocks);
        json_expect_number(json, CLASS(".calls"), c->calls);
        json_expect_number(json, CLASS(".reused"), c->reused);
        count++;
    }
    snprintf(text, sizeof text, "%d", count);
    json_expect(json, "classes", JSON_ARRAY, text);
    for (int k = 0; k < TERN_MEMORY_LIFETIMES; k++) {
        snprintf(path, sizeof path, "lifetimes[%d]", k);
        json_expect_number(json, path, f->lifetimes[k]);
    }
    json_expect(json, "lifetimes", JSON_ARRAY, "40");
}

static void json_of_levels(void **state) {
    (void)state;
    static const char *const levels[] = {"counts", "sites", "full"};
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        tern_context *context = new_context((tern_tracking)level, (size_t)1 << 40);
        make_mixture(context);
        tern_memory_figures f = next_figures(context);
        json_document *json = report_json(context);
        json_expect(json, "", JSON_OBJECT, "23");
        json_expect_string(json, "tracking", levels[level]);
        json_expect_number(json, "live_bytes", f.stats.live_bytes);
        json_expect_number(json, "peak_bytes", f.stats.peak_bytes);
        json_expect_number(json, "committed_bytes", f.stats.committed_bytes);
        json_expect_number(json, "mapped_bytes", f.stats.mapped_bytes);
        json_expect_number(json, "live_tensors", (uint64_t)f.stats.live_tensors);
        json_expect_number(json, "peak_tensors", (uint64_t)f.stats.peak_tensors);
        json_expect_number(json, "max_bytes", (uint64_t)1 << 40);
        json_expect_number(json, "live_blocks", (uint64_t)f.live_blocks);
        json_expect_number(json, "room_bytes", f.room_bytes);
        json_expect_number(json, "free_bytes", f.free_bytes);
        json_expect_number(json, "largest_free_run", f.largest_free_run);
        json_expect_number(json, "bookkeeping_bytes", f.bookkeeping_bytes);
        expect_fraction(json, "internal_fragmentation", f.internal_fragmentation);
        expect_fraction(json, "external_fragmentation", f.external_fragmentation);
        json_expect_number(json, "allocations", f.allocations);
        json_expect_number(json, "releases", f.releases);
        json_expect_number(json, "remote_releases", f.remote_releases);
        json_expect_number(json, "locks", f.locks);
        json_expect_number(json, "system_calls", f.system_calls);
        expect_json_classes(json, &f);
        json_expect(json, "sites", JSON_ARRAY, level == TERN_TRACK_COUNTS ? "0" : "3");
        json_free(json);
        release_mixture();
        json = report_json(context);
        json_expect(json, "sites", JSON_ARRAY, "0");
        json_expect_number(json, "live_bytes", 0);
        json_free(json);
        tern_context_destroy(context);
    }
}

/* The reader that the other tests trust finds every slip. */
static void strict_reader(void **state) {
    (void)state;
    static const char *const good[] = {
        "0", " -1.5e+3 ", "[]", "{}", "[1, [2], {\"a\": null}]", "\"\\u00e9\\n\"", "true",
    };
    static const char *const bad[] = {
        "",         "01",          "1.",         ".5",        "+1",     "1e",  "nan",
        "[1,]",     "[1 2]",       "{\"a\":1,}", "{\"a\" 1}", "{a: 1}", "[1",  "\"a",
        "\"a\nb\"", "\"\\x41\"",   "\"\\u12\"",  "\"\xff\"",  "nul",    "1 2", "{\"a\":1,\"a\":2}",
        "[1]]",     "\"\\ud800\"", "-",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        json_free(json_read(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_document *json = json_try(bad[i], strlen(bad[i]));
        if (json->error == NULL)
            fail_msg("%s is no JSON", bad[i]);
        json_free(json);
    }
    json_document *json = json_read("{\"a\": [1, {\"b\": \"\\u00e9\\t\"}]}", 29);
    json_expect_number(json, "a[0]", 1);
    json_expect_string(json, "a[1].b", "\xc3\xa9\t");
    json_free(json);
}

/* -- rough conditions --------------------------------------------------------------------------*/

static void bad_formats(void **state) {
    (void)state;
    tern_context *context = new_context(TERN_TRACK_COUNTS, 0);
    got.bytes = 0;
    test_status(tern_memory_report(context, (tern_report_format)2, collect, &got), TERN_E_ARGUMENT);
    test_status(tern_memory_report(context, (tern_report_format)-1, collect, &got),
                TERN_E_ARGUMENT);
    assert_non_null(strstr(tern_last_error(), "-1"));
    assert_int_equal(got.bytes, 0);
    tern_context_destroy(context);
}

/* Each allocation of a report fails: all of it or nothing, and nothing is leaked. */
static void no_memory(void **state) {
    (void)state;
    memory_file_install();
    memory_file_serve("", 0);
    many_sites m = make_many_sites(TERN_TRACK_SITES);
    report(m.context, TERN_REPORT_JSON);
    int failures = 0;
    for (int64_t k = 0;; k++) {
        memory_file.fail_at = memory_file.calls + k;
        int64_t before = memory_file.failures, live = memory_file.live;
        got.bytes = 0;
        tern_status status = tern_memory_report(m.context, TERN_REPORT_JSON, collect, &got);
        bool has_failed = memory_file.failures > before;
        memory_file.fail_at = -1;
        assert_int_equal(memory_file.live, live);
        if (status != TERN_OK) {
            test_status(status, TERN_E_MEMORY);
            assert_true(has_failed && got.bytes == 0);
            failures++;
            continue;
        }
        json_free(json_read(got.text, got.bytes));
        if (!has_failed)
            break;
    }
    assert_true(failures > 0);
    release_many_sites(&m);
    memory_file_check_empty();
    memory_file_remove();
}

/* The writer may use the context: no lock is held. */
static void busy_writer(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        many_sites m = make_many_sites((tern_tracking)level);
        got.busy = m.context;
        report(m.context, TERN_REPORT_TEXT);
        assert_true(level == TERN_TRACK_COUNTS || strstr(got.text, "and 5 more sites\n") != NULL);
        json_document *json = report_json(m.context);
        json_expect(json, "sites", JSON_ARRAY, level == TERN_TRACK_COUNTS ? "0" : "25");
        json_free(json);
        got.busy = NULL;
        release_many_sites(&m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_reader),       cmocka_unit_test(page_of_counts),
        cmocka_unit_test(page_of_sites),       cmocka_unit_test(page_of_full),
        cmocka_unit_test(page_of_nothing),     cmocka_unit_test(units),
        cmocka_unit_test(many_sites_in_order), cmocka_unit_test(strange_strings),
        cmocka_unit_test(endless_name),        cmocka_unit_test(json_of_levels),
        cmocka_unit_test(bad_formats),         cmocka_unit_test(no_memory),
        cmocka_unit_test(busy_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
