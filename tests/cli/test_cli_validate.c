/* SPDX-License-Identifier: MIT
 * `tern validate`: the table, files, saved reports, baselines, exit statuses, misuse, Ctrl-C. What
 * it measures here takes milliseconds: targets that are counts. */
#include "cli/child.h"
#include "json_reader.h"

#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static char folder[] = "/tmp/tern-test-XXXXXX";

static const char *in_folder(const char *name) {
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state) {
    if (mkdtemp(folder) == NULL || child_clean_environment(state) != 0)
        return 1;
    unsetenv("COLUMNS");
    return setenv("XDG_STATE_HOME", in_folder("state"), 1);
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static void expect_words(const child_result *r, const char *text, const char *words) {
    if (strstr(text, words) == NULL)
        fail_msg("no '%s'\nstatus %d\nstdout: %s\nstderr: %s", words, r->status, r->out, r->err);
}

#define QUICK "validate", "--quick", "--only"

/* Runs once, keeps the JSON. */
static void save_report(const char *only, const char *path) {
    child_result r = child_run(QUICK, only, "--json", path);
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    child_free(&r);
}

/* A copy of a file with all of `from` replaced. */
static void write_edited(const char *source, const char *from, const char *to, const char *path) {
    char *text = test_read_file(source, NULL);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    int count = 0;
    char *at = text;
    for (char *found; (found = strstr(at, from)) != NULL; at = found + strlen(from), count++)
        fprintf(file, "%.*s%s", (int)(found - at), at, to);
    fputs(at, file);
    assert_int_equal(fclose(file), 0);
    assert_true(count > 0);
    free(text);
}

/* -- the table and the files -------------------------------------------------------------------*/

static void table(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("one thread's work: not under the thread sanitizer");
    child_result r = child_run(QUICK, "T5e");
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    expect_words(&r, r.out, "\nid   what ");
    expect_words(&r, r.out, "\nT5e  64 MiB limit: only what exceeds it is refused ");
    expect_words(&r, r.out, " 100 % ");
    expect_words(&r, r.out, " >= 100 ");
    expect_words(&r, r.out, " PASS, goal\n");
    expect_words(&r, r.out,
                 "\n2 rows: 2 PASS (2 with the goal), 0 FAIL, 0 NOT MEASURED, 0 without");
    expect_words(&r, r.out, "\ndone, took ");
    child_expect(&r, strstr(r.out, "checklist") == NULL && strchr(r.out, '\033') == NULL);
    child_free(&r);
    r = child_run(QUICK, "T5e", "--details", "--color", "always");
    expect_words(&r, r.out, "\033[32mPASS, goal\033[0m\n");
    expect_words(&r, r.out, "\n     11117 allocations: ");
    child_free(&r);
    /* What is not measured says why. */
    r = child_run(QUICK, "T1c");
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, " NOT MEASURED\n     cuda: absent (");
    child_free(&r);
}

/* Every line of the table fits; texts that are cut go on in the next line. */
static void widths(void **state) {
    (void)state;
    if (TEST_IS_SANITIZED)
        test_skip("lines of texts: not under sanitizers");
    static const char *const widths[] = {"80", "100", "120", "200"};
    for (int i = 0; i < 4; i++)
        for (int has_baseline = 0; has_baseline < 2; has_baseline++) {
            setenv("COLUMNS", widths[i], 1);
            const char *path = in_folder("width.json");
            save_report("T5d,T5e", path);
            child_result r =
                child_run("validate", "--from", path, has_baseline ? "--baseline" : "--no-baseline",
                          has_baseline ? path : NULL);
            char *line = strstr(r.out, "\nid ");
            assert_non_null(line);
            char *end = strstr(line, "\n\n");
            assert_non_null(end);
            child_expect(&r, has_baseline == (strstr(line, " +0.0 % same\n") != NULL));
            for (line++; line < end; line += strcspn(line, "\n") + 1)
                child_expect(&r, strcspn(line, "\n") <= (size_t)atoi(widths[i]));
            child_free(&r);
        }
    unsetenv("COLUMNS");
}

static void files(void **state) {
    (void)state;
    const char *json = in_folder("a.json"), *page = in_folder("a.html"), *text = in_folder("a.md");
    child_result r = child_run(QUICK, "T5e", "--json", json, "--html", page, "--md", text);
    child_expect(&r, r.status == 0);
    char wrote[600];
    snprintf(wrote, sizeof wrote, "\nwrote %s\nwrote %s\nwrote %s\n", json, text, page);
    expect_words(&r, r.out, wrote);
    child_free(&r);
    size_t bytes;
    char *content = test_read_file(json, &bytes);
    json_document *document = json_read(content, bytes);
    json_expect_string(document, "schema", "tern-validate");
    json_expect_string(document, "rows[1].id", "T5e");
    json_free(document);
    free(content);
    content = test_read_file(page, NULL);
    assert_non_null(strstr(content, "<html"));
    assert_non_null(strstr(content, "64 MiB limit"));
    free(content);
    content = test_read_file(text, NULL);
    assert_non_null(strstr(content, "64 MiB limit"));
    free(content);
}

static void standard_output(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("one thread's work: not under the thread sanitizer");
    child_result r = child_run(QUICK, "T5e", "--json", "-", "--md", in_folder("b.md"));
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    json_document *document = json_read(r.out, r.out_bytes); /* and nothing else */
    json_expect_string(document, "rows[0].verdict", "PASS");
    json_free(document);
    child_free(&r);
    r = child_run(QUICK, "T5e", "--md", "-");
    child_expect(&r, r.status == 0 && strstr(r.out, "\nid ") == NULL);
    expect_words(&r, r.out, "64 MiB limit");
    child_free(&r);
    r = child_run(QUICK, "T5e", "--md", "-", "--json", "-");
    child_expect(&r, r.status == 2);
    expect_words(&r, r.err, "standard output takes one report");
    child_free(&r);
}

static void list(void **state) {
    (void)state;
    child_result r = child_run("validate", "--list");
    child_expect(&r, r.status == 0 && r.err[0] == '\0');
    expect_words(&r, r.out, "T1a  ");
    expect_words(&r, r.out, "\nM6   the same bits everywhere (tern bench models, 4 rows)\n");
    expect_words(&r, r.out,
                 "\nT5e  allocations that succeed (tern bench memory, 2 rows)\n     floor");
    expect_words(&r, r.out, "\nKERN no target (");
    expect_words(&r, r.out, "\nROOF no target (");
    child_free(&r);
    r = child_run("validate", "--list", "--only", "T5");
    child_expect(&r, r.status == 0 && strncmp(r.out, "T5a ", 4) == 0);
    child_expect(&r, strstr(r.out, "K1") == NULL);
    child_free(&r);
    r = child_run("validate", "--list", "--only", "T5e", "--json", "-");
    child_expect(&r, r.status == 0 && r.out[0] == '{' && strstr(r.out, "\"id\": \"K1\"") == NULL);
    expect_words(&r, r.out, "\"id\": \"T5e\", \"what\": \"64 MiB limit");
    expect_words(&r, r.out, "\"median\": null");
    child_free(&r);
    /* What the run is told is in its facts. */
    r = child_run("validate", "--list", "--only", "T5e", "--json", "-", "--cpu", "scalar",
                  "--model", "README.md", "--peer", "ggml=LICENSE", "--peer", "dnnl=README.md");
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, "\"level\", \"value\": \"scalar\"");
    expect_words(&r, r.out, "\"model\", \"value\": \"README.md\"");
    expect_words(&r, r.out, "\"peers\", \"value\": \"ggml=LICENSE, dnnl=README.md\"");
    child_free(&r);
}

/* -- saved reports -----------------------------------------------------------------------------*/

static void from(void **state) {
    (void)state;
    const char *path = in_folder("from.json"), *merged = in_folder("merged.json");
    save_report("T5e", path);
    child_result r = child_run("validate", "--from", path, "--from", path, "--json", merged);
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, "\nT5e  64 MiB limit");
    child_expect(&r, strstr(r.out, "took") == NULL);
    child_free(&r);
    size_t bytes;
    char *content = test_read_file(merged, &bytes);
    json_document *document = json_read(content, bytes);
    json_expect_number(document, "rows[0].passes", 2);
    json_free(document);
    free(content);

    /* Reports of two machines are not merged. */
    const char *other = in_folder("other.json");
    write_edited(path, "\"fingerprint\", \"value\": \"", "\"fingerprint\", \"value\": \"f", other);
    r = child_run("validate", "--from", path, "--from", other);
    child_expect(&r, r.status == 1);
    expect_words(&r, r.err, "is of another machine");
    child_free(&r);
    r = child_run("validate", "--from", in_folder("none.json"));
    child_expect(&r, r.status == 1);
    expect_words(&r, r.err, "none.json");
    child_free(&r);
    r = child_run("validate", "--from", "README.md");
    child_expect(&r, r.status == 1);
    expect_words(&r, r.err, "README.md");
    child_free(&r);
}

/* Figures are judged anew, whatever the file says. */
/* What somebody else wrote into a report does not drive the terminal. */
static void foreign_text(void **state) {
    (void)state;
    const char *path = in_folder("from.json"), *hostile = in_folder("hostile.json");
    save_report("T5e", path);
    write_edited(path, "64 MiB limit", "\\u001b[2J\\u0007\\u009b1m limit\\u007f", hostile);
    child_result r = child_run("validate", "--from", hostile, "--details");
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, "\nT5e  ?[2J??1m limit?: only what exceeds it is refused ");
    for (const char *c = r.out; *c != '\0'; c++)
        child_expect(&r, (unsigned char)*c >= ' ' || *c == '\n');
    child_expect(&r, strstr(r.out, "\xc2\x9b") == NULL && strchr(r.out, 0x7f) == NULL);
    child_free(&r);
}

static void statuses(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("one thread's work: not under the thread sanitizer");
    const char *path = in_folder("good.json"), *bad = in_folder("bad.json");
    save_report("T5e", path);
    write_edited(path, "\"median\": 100,", "\"median\": 50,", bad);
    child_result r = child_run("validate", "--from", bad);
    child_expect(&r, r.status == 1);
    expect_words(&r, r.out, "\nFAIL:\n  T5e  1 B");
    child_free(&r);
    /* A cost that doubled is a failure when --strict is given. */
    write_edited(path, "\"median\": 100,", "\"median\": 200,", bad);
    r = child_run("validate", "--from", path, "--baseline", bad);
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, " +100 % critical\n");
    expect_words(&r, r.out, "\ncost against the baseline: 2 critical, 0 major,");
    child_free(&r);
    const char *compared = in_folder("compared.json");
    r = child_run("validate", "--from", path, "--baseline", bad, "--strict", "--json", compared);
    child_expect(&r, r.status == 1);
    expect_words(&r, r.out, "\n  +100 % critical     T5e  1 B to ");
    expect_words(&r, r.out, ": 100 %, before 200 %\n");
    child_free(&r);
    /* From 15 % on, and not below. */
    static const struct {
        const char *median;
        int status;
        const char *words;
    } costs[] = {{"\"median\": 107,", 0, "\n  +7.0 % minor        T5e  1 B to "},
                 {"\"median\": 120,", 1, "\n  +20.0 % moderate    T5e  1 B to "},
                 {"\"median\": 135,", 1, "\n  +35.0 % major       T5e  1 B to "}};
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        const char *other = in_folder("other.json");
        write_edited(path, "\"median\": 100,", costs[i].median, other);
        r = child_run("validate", "--from", path, "--baseline", other, "--strict");
        child_expect(&r, r.status == costs[i].status);
        expect_words(&r, r.out, costs[i].words);
        child_free(&r);
    }
    /* It is kept in the file. */
    r = child_run("validate", "--from", compared);
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, " +100 % critical\n");
    child_free(&r);
    r = child_run("validate", "--from", bad, "--baseline", path, "--strict");
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, " better\n");
    child_free(&r);
    /* So is what is not measured. */
    r = child_run(QUICK, "T1c", "--strict");
    child_expect(&r, r.status == 1);
    child_free(&r);
}

/* Intervals, noise, a goal of two parts, rows without a floor, and rows that are new. */
static void figures(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("one thread's work: not under the thread sanitizer");
    const char *path = in_folder("plain.json"), *a = in_folder("a.json"), *b = in_folder("b.json");
    save_report("T5d,T5e", path);
    write_edited(path, "\"low\": null, \"high\": null", "\"low\": 90, \"high\": 110", a);
    write_edited(a, "\"noisy\": false", "\"noisy\": true", b);
    write_edited(b, "\"floor\": 100, \"goal\": 100, \"goal_p99\": null",
                 "\"floor\": 100, \"goal\": 100, \"goal_p99\": 105", a);
    child_result r = child_run("validate", "--from", a);
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, " ~100 % (90 .. 110) ");
    expect_words(&r, r.out, " >= 100 (105) ");
    expect_words(&r, r.out, " rows are noisy (~): ");
    child_free(&r);
    write_edited(path, "\"floor\": 100,", "\"floor\": null,", a);
    save_report("T5e", b);
    r = child_run("validate", "--from", a, "--baseline", b);
    child_expect(&r, r.status == 0 && strstr(r.out, "noisy") == NULL);
    expect_words(&r, r.out, ", 2 without a floor\n");
    expect_words(&r, r.out, " new\n");
    expect_words(&r, r.out, " same\n");
    child_free(&r);
    write_edited(b, "\"floor\": 100,", "\"floor\": null,", a);
    r = child_run("validate", "--from", a);
    expect_words(&r, r.out, "\n2 rows: 0 PASS (0 with the goal), 0 FAIL, 0 NOT MEASURED, 2 with");
    child_free(&r);
}

/* A report that could be opened and not be written, and a place for baselines that is none: the run
 * has failed, whatever it measured, and leaves no part of a file. */
static void unwritten(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("one thread's work: not under the thread sanitizer");
    const char *path = in_folder("good.json"), *page = in_folder("large.html");
    save_report("T5e", path);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 16 << 10; /* the page is larger */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    child_result r = child_run("validate", "--from", path, "--html", page);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    child_expect(&r, r.status == 1 && strstr(r.out, "\nwrote ") == NULL);
    expect_words(&r, r.err, "large.html");
    assert_int_equal(access(page, F_OK), -1);
    child_free(&r);
    setenv("TMPDIR", in_folder("none"), 1);
    r = child_run("validate", "--from", path, "--json", "-");
    unsetenv("TMPDIR");
    child_expect(&r, r.status == 1 && r.out[0] == '\0');
    expect_words(&r, r.err, "/none/tern-report-");
    child_free(&r);
    setenv("XDG_STATE_HOME", path, 1); /* a file */
    r = child_run("validate", "--from", path, "--save-baseline", "auto");
    setenv("XDG_STATE_HOME", in_folder("state"), 1);
    child_expect(&r, r.status == 1);
    expect_words(&r, r.err, "good.json");
    child_free(&r);
}

/* -- baselines ---------------------------------------------------------------------------------*/

static void baselines(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("one thread's work: not under the thread sanitizer");
    const char *given = in_folder("baseline.json");
    child_result r = child_run(QUICK, "T5e", "--save-baseline", given);
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, "\nthe baseline is /tmp/tern-test-");
    child_free(&r);
    r = child_run(QUICK, "T5e", "--baseline", given);
    child_expect(&r, r.status == 0);
    expect_words(&r, r.out, ", compared with /tmp/tern-test-");
    expect_words(&r, r.out, " +0.0 % same\n");
    child_free(&r);
    /* None is kept yet. */
    r = child_run(QUICK, "T5e");
    child_expect(&r, r.status == 0 && strstr(r.out, "compared") == NULL);
    child_free(&r);
    r = child_run(QUICK, "T5e", "--save-baseline", "auto");
    expect_words(&r, r.out, "/state/tern/baseline-");
    child_free(&r);
    r = child_run(QUICK, "T5e");
    expect_words(&r, r.out, "/state/tern/baseline-");
    expect_words(&r, r.out, " +0.0 % same\n");
    child_free(&r);
    /* A shorter run does not take its place. */
    r = child_run(QUICK, "T1c", "--save-baseline", "auto");
    child_expect(&r, r.status == 1 && strstr(r.out, "the baseline is") == NULL);
    expect_words(&r, r.err, " is of 2 rows, and this run has 1: it is kept");
    child_free(&r);
    r = child_run(QUICK, "T5e", "--no-baseline");
    child_expect(&r, r.status == 0 && strstr(r.out, "compared") == NULL);
    child_free(&r);
    /* One that does not fit: left out, or, when it was asked for, an error before measuring. */
    r = child_run(QUICK, "T5e", "--threads", "1");
    child_expect(&r, r.status == 0 && strstr(r.out, "compared") == NULL);
    expect_words(&r, r.err, "tern: no comparison with ");
    child_free(&r);
    r = child_run(QUICK, "T5e", "--threads", "1", "--baseline", given);
    child_expect(&r, r.status == 1 && r.out[0] == '\0');
    expect_words(&r, r.err, "was made with threads ");
    expect_words(&r, r.err, "\nMake a new one with 'tern validate --save-baseline FILE'.\n");
    child_free(&r);
    const char *other = in_folder("other.json");
    write_edited(given, "\"fingerprint\", \"value\": \"", "\"fingerprint\", \"value\": \"f", other);
    r = child_run(QUICK, "T5e", "--baseline", other);
    child_expect(&r, r.status == 1 && r.out[0] == '\0');
    expect_words(&r, r.err, "the baseline is of another machine: f");
    child_free(&r);
    r = child_run(QUICK, "T5e", "--baseline", "README.md");
    child_expect(&r, r.status == 1 && r.out[0] == '\0');
    expect_words(&r, r.err, "README.md");
    child_free(&r);
}

/* -- misuse ------------------------------------------------------------------------------------*/

static void misuse(void **state) {
    (void)state;
    const struct {
        const char *arguments[6];
        int status;
        const char *message;
    } cases[] = {
        {{"model.gguf"}, 2, "unexpected argument 'model.gguf'"},
        {{"--quick", "--full"}, 2, "--quick and --full exclude each other"},
        {{"--threads", "0"}, 2, "--threads: '0' is not a whole number within 1..1024"},
        {{"--passes", "0"}, 2, "--passes: '0' is not a whole number within 1..64"},
        {{"--only", "T9"}, 2, "there is no target 'T9'; there are T1a,T1b,"},
        {{"--only", ""}, 2, "no target is named"},
        {{"--cpu", "6502"}, 2, "--cpu: "},
        {{"--peer", "openblas"}, 2, "--peer: 'openblas' is not NAME=PATH"},
        {{"--peer", "openblas="}, 2, "--peer: 'openblas=' is not NAME=PATH"},
        {{"--peer", "blas=/lib"}, 2, "--peer: 'blas' is none of openblas, dnnl, jemalloc,"},
        {{"--peer", "=x"}, 2, "--peer: '' is none of"},
        {{"--peer", "openblas=/no/such/file"}, 1, "openblas: /no/such/file: No such file"},
        {{"--model", "/no/such/file"}, 1, "--model: /no/such/file: No such file"},
        {{"--json", "/no/such/folder/a.json"}, 1, "/no/such/folder/a.json: No such file"},
        {{"--html", "/tmp"}, 1, "/tmp: Is a directory"},
        {{"--md", "/dev/null"}, 1, "/dev/null: not a file"},
        {{"--save-baseline", "/no/such/folder/a.json"}, 1, "/no/such/folder/a.json: No such file"},
        {{"--baseline", "/no/such/file"}, 1, "/no/such/file"},
        {{"--baseline", "a", "--no-baseline"}, 2, "exclude each other"},
        {{"--from", "a.json", "--quick"}, 2, "--from measures nothing"},
        {{"--from", "a.json", "--only", "T1"}, 2, "--from measures nothing"},
        {{"--from", "a.json", "--cpu", "scalar"}, 2, "--from measures nothing"},
        {{"--from", "a.json", "--list"}, 2, "--from measures nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *words[8] = {"validate"};
        memcpy(words + 1, cases[i].arguments, sizeof cases[i].arguments);
        child_result r = child_run_in(child_source_folder(), child_program(), "", words);
        child_expect(&r, r.status == cases[i].status && r.out[0] == '\0');
        expect_words(&r, r.err, cases[i].message);
        child_free(&r);
    }
}

/* Nothing is left beside the files that were asked for. */
static void no_leftovers(void **state) {
    (void)state;
    DIR *open_folder = opendir(folder);
    assert_non_null(open_folder);
    for (struct dirent *entry; (entry = readdir(open_folder)) != NULL;)
        if (strstr(entry->d_name, ".tern-") != NULL)
            fail_msg("%s was left", entry->d_name);
    closedir(open_folder);
}

/* An option that may come often, too often. */
static void too_many(void **state) {
    (void)state;
    const char *words[70] = {"validate"};
    for (int i = 0; i < 33; i++)
        words[1 + i] = "--from=a.json";
    child_result r = child_run_in(child_source_folder(), child_program(), "", words);
    child_expect(&r, r.status == 2);
    expect_words(&r, r.err, "--from: it is given too often");
    child_free(&r);
}

/* -- a terminal, and Ctrl-C --------------------------------------------------------------------*/

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Starts a run whose stdout goes to a file and whose stderr is a terminal of 100 columns, when
 * `master` is given. */
static pid_t start(FILE *out, int *master, const char *const *arguments) {
    const char *slave = NULL;
    if (master != NULL) {
        *master = posix_openpt(O_RDWR | O_NOCTTY);
        if (*master < 0 || grantpt(*master) != 0 || unlockpt(*master) != 0 ||
            (slave = ptsname(*master)) == NULL)
            test_skip("there is no terminal to be had here");
        struct winsize size = {.ws_col = 100, .ws_row = 30};
        ioctl(*master, TIOCSWINSZ, &size);
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid != 0)
        return pid;
    int terminal = open(slave != NULL ? slave : "/dev/null", O_RDWR | O_NOCTTY);
    dup2(fileno(out), 1);
    dup2(terminal, 2);
    if (chdir(child_source_folder()) != 0)
        _exit(126);
    child_exec(child_program(), arguments);
    return 0;
}

static void wait_for_output(FILE *out) {
    for (int i = 0; i < 3000; i++) {
        struct stat facts;
        assert_int_equal(fstat(fileno(out), &facts), 0);
        if (facts.st_size > 0)
            return;
        pause_ms(10);
    }
    fail_msg("the run does not begin");
}

/* The first Ctrl-C ends the run behind the current row, and what is known is written. */
static void interrupted(void **state) {
    (void)state;
    const char *path = in_folder("interrupted.json"), *place = in_folder("interrupted-base.json");
    const char *const words[] = {"validate", "--only",          "T5c", "--passes", "64", "--json",
                                 path,       "--save-baseline", place, NULL};
    FILE *out = tmpfile();
    assert_non_null(out);
    pid_t pid = start(out, NULL, words);
    wait_for_output(out);
    pause_ms(200);
    kill(pid, SIGINT);
    assert_int_equal(child_wait(pid), 130);
    lseek(fileno(out), 0, SEEK_SET);
    char *text = child_read_all(fileno(out), NULL);
    if (strstr(text, "\ninterrupted, took ") == NULL)
        fail_msg("%s", text);
    free(text);
    fclose(out);
    size_t bytes;
    text = test_read_file(path, &bytes);
    json_document *document = json_read(text, bytes);
    assert_non_null(json_find(document, "rows[0].id"));
    assert_non_null(strstr(text, "\"ended\", \"value\": \"before its end, in pass "));
    json_free(document);
    free(text);
    assert_int_equal(access(place, F_OK), -1); /* half a run is no baseline */
}

/* When the reader of the table goes away the run ends too. */
static void broken_pipe(void **state) {
    (void)state;
    const char *place = in_folder("broken-base.json");
    const char *const words[] = {"validate", "--only",          "T5c", "--passes",
                                 "4",        "--save-baseline", place, NULL};
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    FILE *out = fdopen(ends[1], "w");
    assert_non_null(out);
    pid_t pid = start(out, NULL, words);
    fclose(out);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    assert_int_equal(child_wait(pid), 141);
    assert_int_equal(access(place, F_OK), -1); /* half a run is no baseline */
}

/* Progress is shown on a terminal, in one line that is wiped out. */
static void progress(void **state) {
    (void)state;
    if (TEST_THINNING > 1)
        test_skip("one thread's work: not under the thread sanitizer");
    const char *const words[] = {"validate", "--quick", "--only", "T5e", "--passes", "2", NULL};
    FILE *out = tmpfile();
    int master;
    char shown[8192];
    size_t used = 0;
    assert_non_null(out);
    pid_t pid = start(out, &master, words);
    for (ssize_t got; used + 1 < sizeof shown; used += (size_t)got)
        if ((got = read(master, shown + used, sizeof shown - 1 - used)) <= 0)
            break; /* the other end is closed */
    shown[used] = '\0';
    assert_int_equal(child_wait(pid), 0);
    close(master);
    fclose(out);
    if (strstr(shown, " %  ") == NULL || strstr(shown, "pass 2 of 2  memory: T5e 64 MiB") == NULL)
        fail_msg("'%s'", shown);
    assert_null(strchr(shown, '\n'));
    char wiped[101];
    snprintf(wiped, sizeof wiped, "\r%99s", "");
    assert_true(used > 101 && shown[used - 1] == '\r');
    assert_memory_equal(shown + used - 101, wiped, 100);
    for (char *line = shown; line != NULL; line = strchr(line, '\r')) {
        line += *line == '\r';
        assert_true(strcspn(line, "\r") < 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),        cmocka_unit_test(widths),
        cmocka_unit_test(files),        cmocka_unit_test(standard_output),
        cmocka_unit_test(list),         cmocka_unit_test(from),
        cmocka_unit_test(foreign_text), cmocka_unit_test(statuses),
        cmocka_unit_test(figures),      cmocka_unit_test(unwritten),
        cmocka_unit_test(baselines),    cmocka_unit_test(misuse),
        cmocka_unit_test(too_many),     cmocka_unit_test(interrupted),
        cmocka_unit_test(broken_pipe),  cmocka_unit_test(progress),
        cmocka_unit_test(no_leftovers),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
