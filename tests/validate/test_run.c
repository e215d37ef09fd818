/* SPDX-License-Identifier: MIT
 * Runs over tables whose rows and times are scripted: passes, what is asked for, progress, ends
 * before the end, and that each target has its row. */
#include "validate/row_fixture.h"

#include "base/os.h"
#include "base/status.h"
#include "validate/merge.h"
#include "validate/run.h"

/* -- scripted tables ---------------------------------------------------------------------------*/

enum { MAX_ROWS = 8, MAX_PASSES = 4 };

typedef struct scripted_row {
    const char *id, *what;
    double seconds;            /* that it takes */
    double median[MAX_PASSES]; /* NaN: the table leaves it out in that pass */
    bool is_noisy[MAX_PASSES];
    bool is_unlisted;
} scripted_row;

typedef struct script {
    scripted_row rows[MAX_ROWS];
    tern_status status; /* of the table in the end */
    int runs, listings; /* so far */
    char only[128];     /* that it was asked for, last */
} script;

static script fast, slow;
static uint64_t clock_now;

static uint64_t scripted_clock(void) {
    return clock_now;
}

static uint64_t scripted_date(void) {
    return 1796254500;
}

static int no_file(const char *path, char *text, size_t size) {
    (void)path, (void)text, (void)size;
    return 2;
}

static tern__os_table os;

static int reset(void **state) {
    (void)state;
    fast = (script){.status = TERN_OK};
    slow = (script){.status = TERN_OK};
    clock_now = 1;
    os = tern__os_default;
    os.clock_ns = scripted_clock;
    os.wall_seconds = scripted_date;
    os.file_text = no_file;
    tern__os_set(&os);
    return 0;
}

static int restore(void **state) {
    (void)state;
    tern__os_set(NULL);
    return 0;
}

static tern_status run_script(script *s, const tern_bench_table_options *o, tern_bench_row_fn visit,
                              void *user) {
    int pass = o->is_listing ? 0 : s->runs;
    if (o->is_listing)
        s->listings++;
    else
        s->runs++;
    snprintf(s->only, sizeof s->only, "%s", o->only != NULL ? o->only : "all");
    for (const scripted_row *r = s->rows; r < s->rows + MAX_ROWS && r->id != NULL; r++) {
        if (!tern__is_listed(o->only, r->id) || (o->is_ended != NULL && *o->is_ended))
            continue;
        tern_bench_row row = timed_row(r->what, r->median[pass], r->median[pass], r->median[pass]);
        row.id = r->id;
        row.is_noisy = r->is_noisy[pass];
        if (o->is_listing) {
            row.median = row.low = row.high = NAN;
            if (r->is_unlisted)
                continue;
        } else if (isnan(r->median[pass])) {
            continue;
        } else {
            clock_now += (uint64_t)(r->seconds * 1e9);
        }
        tern__row_judge(&row);
        visit(user, &row);
    }
    if (!o->is_listing && s->status != TERN_OK)
        return tern__fail(s->status, "the contents are wrong");
    return TERN_OK;
}

static tern_status run_fast(const tern_bench_table_options *options, tern_bench_row_fn visit,
                            void *user) {
    return run_script(&fast, options, visit, user);
}

static tern_status run_slow(const tern_bench_table_options *options, tern_bench_row_fn visit,
                            void *user) {
    return run_script(&slow, options, visit, user);
}

static const tern_bench_table fast_table = {"fast", "", "T3,T4,ROOF", run_fast};
static const tern_bench_table slow_table = {"slow", "", "K1,KERN", run_slow};
static const tern_bench_table odd_table = {"odd", "", "OPS", run_slow};
static const tern_bench_table *const tables[] = {&fast_table, &slow_table};

/* What the callbacks saw. */
typedef struct seen {
    int calls, rows, cancel_at; /* calls of progress; 0: never */
    double fraction, left;
    char order[512];
    bool has_ended;
    tern_validate_progress last;
    tern_grade grades[64]; /* by row */
} seen;

static bool see_progress(void *user, const tern_validate_progress *p) {
    seen *s = user;
    s->calls++;
    assert_true(p->fraction >= s->fraction && p->fraction <= 1);
    assert_true(s->fraction < 1); /* reached once */
    assert_true(p->pass >= 1 && p->pass <= p->passes && p->table != NULL);
    s->fraction = p->fraction;
    s->last = *p;
    return s->cancel_at == 0 || s->calls < s->cancel_at;
}

static void see_row(void *user, const tern_report_row *row) {
    seen *s = user;
    size_t used = strlen(s->order);
    snprintf(s->order + used, sizeof s->order - used, "%s%s", used > 0 ? "," : "", row->row.what);
    s->grades[s->rows++] = row->grade;
}

static tern_validate_options options_of(seen *s) {
    return (tern_validate_options){.table = {.only = "T3,K1", .threads = 2},
                                   .progress = see_progress,
                                   .row = see_row,
                                   .user = s};
}

static tern_report *run(const tern_validate_options *options) {
    tern_report *report;
    test_ok(tern__validate_tables(options, tables, 2, &report));
    return report;
}

static const char left_alive[] = "contexts and tensors alive after all tables";

/* -- tests -------------------------------------------------------------------------------------*/

static void passes(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10, 30, 20}, {false}, false};
    fast.rows[1] = (scripted_row){"T3", "b", 1, {10, 11, 90}, {false, false, true}, false};
    fast.rows[2] = (scripted_row){"T3", "once", 1, {7, NAN, NAN}, {false}, false};
    slow.rows[0] = (scripted_row){"K1", "new", 1, {NAN, 5, 6}, {false}, true};
    seen s = {.calls = 0};
    tern_validate_options options = options_of(&s);
    tern_report *report = run(&options);
    assert_int_equal(tern_report_row_count(report), 4);
    const tern_report_row *a = find_row(report, "T3", "a"), *b = find_row(report, "T3", "b");
    assert_true(a->row.median == 20 && a->passes == 3 && a->row.samples == 63);
    assert_true(b->row.median == 10.5 && !b->row.is_noisy);
    const tern_report_row *once = find_row(report, "T3", "once");
    assert_true(once->row.median == 7 && once->passes == 1);
    assert_true(find_row(report, "K1", "new")->passes == 2);
    /* As they come in the last pass; what that one left out, behind it. */
    assert_string_equal(s.order, "a,b,new,once");
    assert_true(fast.runs == 3 && slow.runs == 3);
    assert_string_equal(tern_report_fact_value(report, "passes"), "3");
    assert_string_equal(tern_report_fact_value(report, "threads"), "2");
    assert_string_equal(tern_report_fact_value(report, "only"), "T3,K1");
    assert_string_equal(tern_report_fact_value(report, "quick"), "no");
    assert_string_equal(tern_report_fact_value(report, "seconds"), "9.0");
    assert_string_equal(tern_report_fact_value(report, "ended"), "");
    tern_report_destroy(report);
}

static void pass_counts(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10, 30, 20}, {false}, false};
    seen s = {.calls = 0};
    tern_validate_options options = options_of(&s);
    options.table.is_quick = true;
    tern_report *report = run(&options);
    assert_int_equal(fast.runs, 1);
    assert_string_equal(tern_report_fact_value(report, "quick"), "yes");
    tern_report_destroy(report);
    fast.runs = 0;
    s = (seen){.calls = 0};
    options.passes = 2;
    report = run(&options);
    assert_int_equal(fast.runs, 2);
    tern_report_destroy(report);
    options.passes = -1;
    test_status(tern__validate_tables(&options, tables, 2, &report), TERN_E_ARGUMENT);
    options.passes = TERN__MAX_PASSES + 1;
    test_status(tern__validate_tables(&options, tables, 2, &report), TERN_E_ARGUMENT);
    assert_null(report);
    test_status(tern__validate_tables(&options, tables, 2, NULL), TERN_E_ARGUMENT);
}

/* The order is that of the targets, the groups without one come last. */
static void order(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"ROOF", "r", 1, {10, 10, 10}, {false}, false};
    fast.rows[1] = (scripted_row){"T4", "t4", 1, {10, 10, 10}, {false}, false};
    fast.rows[2] = (scripted_row){"T3", "t3", 1, {10, 10, 10}, {false}, false};
    slow.rows[0] = (scripted_row){"KERN", "k", 1, {10, 10, 10}, {false}, false};
    slow.rows[1] = (scripted_row){"K1", "k1", 1, {10, 10, 10}, {false}, false};
    tern_validate_options options = {.table = {.only = NULL, .cpu = "scalar"}};
    tern_report *report = run(&options);
    const char *const expected[] = {"T1a", "T1b", "T1c", "T2", "T3", "T4"};
    for (int i = 0; i < 6; i++)
        assert_string_equal(tern_report_row_at(report, i)->row.id, expected[i]);
    int64_t count = tern_report_row_count(report);
    assert_string_equal(tern_report_row_at(report, count - 2)->row.what, "r");
    assert_string_equal(tern_report_row_at(report, count - 1)->row.what, "k");
    assert_int_equal(find_row(report, "T5d", left_alive)->passes, 3);
    assert_string_equal(tern_report_fact_value(report, "level"), "scalar");
    tern_report_destroy(report);
}

/* Nothing is measured for a target that has no row, and it is said so. */
static void missing_targets(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10}, {false}, false};
    seen s = {.calls = 0};
    tern_validate_options options = {.table = {.is_quick = true}, .row = see_row, .user = &s};
    tern_report *report = run(&options);
    for (int i = 0; i < tern_target_count(); i++) {
        const char *id = tern_target_at(i)->id;
        int64_t rows = 0, reasons = 0;
        for (int64_t j = 0; j < tern_report_row_count(report); j++) {
            const tern_bench_row *row = &tern_report_row_at(report, j)->row;
            rows += strcmp(row->id, id) == 0;
            reasons += strcmp(row->id, id) == 0 && row->verdict == TERN_BENCH_NOT_MEASURED &&
                       strstr(row->detail, "has no row of this target") != NULL;
        }
        bool is_known = strcmp(id, "T3") == 0 || strcmp(id, "T5d") == 0; /* what is left alive */
        if (rows != 1 || reasons != !is_known)
            fail_msg("%s has %d rows", id, (int)rows);
    }
    assert_int_equal(s.rows, tern_target_count()); /* all were shown */
    const tern_report_row *left = find_row(report, "T5d", left_alive);
    assert_true(left->row.median == 0 && left->row.verdict == TERN_BENCH_PASS);
    tern_report_destroy(report);
}

/* A table that forgets a tensor is found out; what was alive before is not its fault. */
static tern_tensor *forgotten;

static tern_status run_forgetful(const tern_bench_table_options *o, tern_bench_row_fn visit,
                                 void *user) {
    tern_context *context;
    (void)visit, (void)user;
    if (o->is_listing)
        return TERN_OK;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &context));
    test_ok(tern_tensor_empty(context, TERN_F32, TERN_SHAPE(4), &forgotten));
    tern_context_destroy(context);
    return TERN_OK;
}

static void forgotten_tensors(void **state) {
    (void)state;
    const tern_bench_table forgetful = {"forgetful", "", "T3", run_forgetful};
    const tern_bench_table *const list[] = {&forgetful};
    tern_validate_options options = {.table = {.only = "T3,T5d"}, .passes = 1};
    tern_context *before;
    tern_report *report;
    test_ok(tern_context_create(&(tern_options){.threads = 1}, &before));
    test_ok(tern__validate_tables(&options, list, 1, &report));
    const tern_report_row *left = find_row(report, "T5d", left_alive);
    assert_true(left->row.median == 1 && left->row.verdict == TERN_BENCH_FAIL);
    tern_report_destroy(report);
    tern_tensor_release(forgotten);
    tern_context_destroy(before);
}

/* -- what is asked for -------------------------------------------------------------------------*/

static void expect_only(const char *only, bool is_quick, const char *fast_only,
                        const char *slow_only) {
    reset(NULL);
    tern_validate_options options = {.table = {.only = only, .is_quick = is_quick}};
    tern_report *report = run(&options);
    if (strcmp(fast.only, fast_only) != 0 || strcmp(slow.only, slow_only) != 0)
        fail_msg("only '%s': '%s' and '%s'", only, fast.only, slow.only);
    tern_report_destroy(report);
}

static void only(void **state) {
    (void)state;
    expect_only(NULL, false, "all", "all");
    expect_only(NULL, true, "all", "K1"); /* kernels one by one would take too long */
    expect_only("KERN", true, "", "KERN");
    expect_only("T", false, "T3,T4", "");
    expect_only("T,ROOF", false, "all", "");
    expect_only("T3", false, "T3", "");
    expect_only("K", false, "", "K1"); /* no target begins KERN */
    expect_only("K1,KERN,T4", false, "T4", "all");
}

static void wrong_only(void **state) {
    (void)state;
    static const char *const wrong[] = {"T9", "T3,", ",T3", "t3", "", "T3,,T4", "KER", "T3 "};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tern_validate_options options = {.table = {.only = wrong[i]}};
        tern_report *report;
        tern_status status = tern__validate_tables(&options, tables, 2, &report);
        if (status != TERN_E_ARGUMENT)
            fail_msg("'%s' is taken: %s", wrong[i], tern_status_name(status));
        assert_non_null(strstr(tern_last_error(), "T1a,T1b,T1c,"));
        assert_non_null(strstr(tern_last_error(), "M6,ROOF,KERN"));
        assert_null(report);
    }
    assert_int_equal(fast.runs + fast.listings, 0);
}

/* Operations are no target: the table runs when it is asked for. */
static void operations(void **state) {
    (void)state;
    const tern_bench_table *const list[] = {&odd_table};
    tern_report *report;
    slow.rows[0] = (scripted_row){"OPS", "add", 1, {1, 1, 1}, {false}, false};
    tern_validate_options options = {.passes = 1};
    test_ok(tern__validate_tables(&options, list, 1, &report));
    assert_int_equal(slow.runs, 0);
    tern_report_destroy(report);
    options.table.only = "OPS";
    test_ok(tern__validate_tables(&options, list, 1, &report));
    assert_int_equal(slow.runs, 1);
    assert_string_equal(slow.only, "all"); /* names would be those of operations */
    assert_int_equal(tern_report_row_count(report), 1);
    tern_report_destroy(report);
}

static void listing(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10}, {false}, false};
    seen s = {.calls = 0};
    tern_validate_options options = options_of(&s);
    options.table.is_listing = true;
    tern_report *report = run(&options);
    assert_true(fast.runs == 0 && slow.runs == 0 && s.calls == 0 && s.rows == 0);
    assert_int_equal(tern_report_row_count(report), 2);
    const tern_report_row *row = find_row(report, "T3", "a");
    assert_true(isnan(row->row.median) && row->row.floor == 100);
    assert_string_equal(tern_report_row_at(report, 1)->row.id, "K1");
    assert_true(tern_report_fact_value(report, "fingerprint")[0] != '\0');
    tern_report_destroy(report);
}

/* -- progress ----------------------------------------------------------------------------------*/

/* see_progress checks that the fraction never falls. */
static void progress(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        fast.rows[i] = (scripted_row){"T3", "", 1, {1, 1, 1}, {false}, false};
        slow.rows[i] = (scripted_row){"K1", "", 9, {1, 1, 1}, {false}, false};
        static const char *const names[] = {"a", "b", "c", "d"};
        fast.rows[i].what = slow.rows[i].what = names[i];
    }
    seen s = {.calls = 0};
    tern_validate_options options = options_of(&s);
    tern_report *report = run(&options);
    assert_int_equal(s.calls, 3 * (5 + 5) + 1); /* beginnings and rows, and the end */
    assert_true(s.fraction == 1 && s.last.seconds_left == 0);
    assert_true(s.last.seconds == 120 && s.last.pass == 3 && s.last.passes == 3);
    tern_report_destroy(report);
}

static double left_at[64], fraction_at[64];

static bool keep_progress(void *user, const tern_validate_progress *p) {
    int *calls = user;
    left_at[*calls] = p->seconds_left;
    fraction_at[(*calls)++] = p->fraction;
    return true;
}

/* From the second pass on the time that is left is known, as each pass takes the same. */
static void time_left(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"T3", "a", 10, {1, 1, 1}, {false}, false};
    slow.rows[0] = (scripted_row){"K1", "b", 30, {1, 1, 1}, {false}, false};
    int calls = 0;
    tern_validate_options options = {
        .table = {.only = "T3,K1"}, .progress = keep_progress, .user = &calls};
    tern_report *report = run(&options);
    assert_int_equal(calls, 13);
    assert_true(isnan(left_at[0]) && fraction_at[0] == 0); /* nothing is known yet */
    assert_true(left_at[4] == 80 && fabs(fraction_at[4] - 40 / 120.0) < 1e-9);
    assert_true(left_at[5] == 70 && left_at[6] == 70 && left_at[7] == 40);
    assert_true(left_at[11] == 0 && left_at[12] == 0 && fraction_at[12] == 1);
    /* The first table took 10 s, twice as long as was guessed: so will the second. */
    assert_true(left_at[2] == 10 + 2 * 20);
    tern_report_destroy(report);

    /* It has four rows, of which one is asked for: a quarter of the guess. */
    reset(NULL);
    fast.rows[0] = (scripted_row){"T3", "a", 10, {1, 1, 1}, {false}, false};
    for (int i = 1; i < 4; i++) {
        static const char *const names[] = {"", "b", "c", "d"};
        fast.rows[i] = (scripted_row){"T4", names[i], 10, {1, 1, 1}, {false}, false};
    }
    slow.rows[0] = (scripted_row){"K1", "e", 30, {1, 1, 1}, {false}, false};
    calls = 0;
    report = run(&options);
    assert_true(left_at[2] == 2 * 10 + 3 * 40);
    tern_report_destroy(report);
}

/* -- ends before the end -----------------------------------------------------------------------*/

static void cancelled(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10, 12, 14}, {false}, false};
    fast.rows[1] = (scripted_row){"T3", "b", 1, {20, 22, 24}, {false}, false};
    slow.rows[0] = (scripted_row){"K1", "c", 1, {30, 32, 34}, {false}, false};
    /* Calls: table, a, b, table, c; table, a: in the second pass, behind a. */
    seen s = {.cancel_at = 7};
    tern_validate_options options = options_of(&s);
    tern_report *report = run(&options);
    assert_int_equal(s.calls, 7);
    assert_true(fast.runs == 2 && slow.runs == 1);
    assert_true(find_row(report, "T3", "a")->row.median == 11);
    assert_true(find_row(report, "T3", "b")->row.median == 20);
    assert_true(find_row(report, "K1", "c")->row.median == 30);
    assert_string_equal(s.order, "a,b,c");
    assert_string_equal(tern_report_fact_value(report, "ended"), "before its end, in pass 2 of 3");
    tern_report_destroy(report);

    /* In the first pass: what is not known says so, and is not shown. */
    reset(NULL);
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10}, {false}, false};
    slow.rows[0] = (scripted_row){"K1", "c", 1, {30}, {false}, false};
    s = (seen){.cancel_at = 2};
    report = run(&options);
    assert_string_equal(s.order, "a");
    const tern_report_row *c = find_row(report, "K1", "c");
    assert_int_equal(c->row.verdict, TERN_BENCH_NOT_MEASURED);
    assert_string_equal(c->row.detail, "the run was ended before it was measured");
    tern_report_destroy(report);

    /* At once. */
    reset(NULL);
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10}, {false}, false};
    s = (seen){.cancel_at = 1};
    report = run(&options);
    assert_int_equal(fast.runs, 0);
    assert_int_equal(find_row(report, "T3", "a")->row.verdict, TERN_BENCH_NOT_MEASURED);
    tern_report_destroy(report);
}

/* A table that ends with an error keeps what it had, the others run, and it is told. */
static void failures(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10, 10, 10}, {false}, false};
    fast.rows[1] = (scripted_row){"T3", "lost", 1, {NAN, NAN, NAN}, {false}, false};
    slow.rows[0] = (scripted_row){"K1", "c", 1, {30, 30, 30}, {false}, false};
    fast.status = TERN_E_INTERNAL;
    seen s = {.calls = 0};
    tern_validate_options options = options_of(&s);
    tern_report *report = run(&options);
    assert_true(find_row(report, "T3", "a")->row.median == 10);
    assert_true(find_row(report, "K1", "c")->row.median == 30);
    const tern_report_row *row = find_row(report, "T3", "lost");
    assert_int_equal(row->row.verdict, TERN_BENCH_NOT_MEASURED);
    assert_string_equal(row->row.detail, "tern bench fast ended before: the contents are wrong");
    row = find_row(report, "T3", "tern bench fast runs to its end");
    assert_int_equal(row->row.verdict, TERN_BENCH_FAIL);
    assert_string_equal(row->row.detail, "the contents are wrong");
    /* It stays one when the report is merged. */
    tern_report *merged;
    test_ok(tern_report_merge((const tern_report *const[]){report}, 1, &merged));
    assert_int_equal(tern_report_count(merged, TERN_BENCH_FAIL), 1);
    tern_report_destroy(merged);
    tern_report_destroy(report);

    reset(NULL);
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10, 10, 10}, {false}, false};
    fast.status = TERN_E_IO;
    s = (seen){.calls = 0};
    report = run(&options);
    assert_int_equal(tern_report_count(report, TERN_BENCH_FAIL), 0);
    tern_report_destroy(report);

    fast.status = TERN_E_ARGUMENT; /* the caller's mistake */
    s = (seen){.calls = 0};
    fast.runs = 0;
    test_status(tern__validate_tables(&options, tables, 2, &report), TERN_E_ARGUMENT);
    assert_null(report);
}

static void baseline(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10}, {false}, false};
    seen s = {.calls = 0};
    tern_validate_options options = options_of(&s);
    options.table.only = "T3,T5d,K1"; /* a row, what is left in the end, none of a target */
    options.passes = 1;
    tern_report *before = run(&options);
    fast.runs = 0;
    fast.rows[0].median[0] = 12;
    s = (seen){.calls = 0};
    options.baseline = before;
    tern_report *after = run(&options);
    assert_int_equal(s.grades[0], TERN_GRADE_MODERATE); /* when it was shown */
    assert_int_equal(s.grades[1], TERN_GRADE_SAME);
    assert_int_equal(s.grades[2], TERN_GRADE_NONE);
    assert_true(find_row(after, "T3", "a")->baseline == 10);
    assert_true(find_row(after, "T5d", left_alive)->baseline == 0);
    tern_report_destroy(after);
    options.table.threads = 1;
    fast.listings = 0;
    test_status(tern__validate_tables(&options, tables, 2, &after), TERN_E_ARGUMENT);
    assert_non_null(strstr(tern_last_error(), "threads 2, not 1"));
    assert_int_equal(fast.listings, 0);
    tern_report_destroy(before);
}

/* Each allocation in turn fails: no report then, nothing is left, no crash. */
static int64_t allocations_left;
static int64_t allocations_alive;

static void *failing_alloc(size_t bytes) {
    if (allocations_left-- <= 0)
        return NULL;
    void *pointer = tern__os_default.alloc(bytes);
    allocations_alive += pointer != NULL;
    return pointer;
}

static void counting_free(void *pointer) {
    allocations_alive -= pointer != NULL;
    tern__os_default.free(pointer);
}

static void without_memory(void **state) {
    (void)state;
    fast.rows[0] = (scripted_row){"T3", "a", 1, {10, 10, 10}, {false}, false};
    os.alloc = failing_alloc;
    os.free = counting_free;
    tern_validate_options options = {.table = {.only = "T3"}};
    for (int64_t limit = 0;; limit++) {
        tern_report *report;
        allocations_left = limit;
        fast.runs = 0;
        tern_status status = tern__validate_tables(&options, tables, 2, &report);
        tern_report_destroy(report);
        assert_int_equal(allocations_alive, 0);
        if (status == TERN_OK)
            break;
        assert_int_equal(status, TERN_E_MEMORY);
        assert_true(limit < 1000);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, restore)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(passes),          TEST(pass_counts),       TEST(order),
        TEST(missing_targets), TEST(forgotten_tensors), TEST(only),
        TEST(wrong_only),      TEST(operations),        TEST(listing),
        TEST(progress),        TEST(time_left),         TEST(cancelled),
        TEST(failures),        TEST(baseline),          TEST(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
