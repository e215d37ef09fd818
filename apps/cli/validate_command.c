/* SPDX-License-Identifier: MIT
 * tern validate: every target, measured on this machine, judged, compared and reported. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tern/validate.h>

#include "commands.h"
#include "device.h"
#include "validate_table.h"

enum { MAX_FILES = 3, MAX_PEERS = 32, PATH_BYTES = 4096 };

typedef struct validate_values {
    const char *only, *cpu, *model, *json, *html, *markdown, *baseline, *save, *color, *device;
    cli_texts peers, from;
    int64_t threads, passes;
    bool is_quick, is_full, is_list, is_strict, has_details, ignores_baseline;
} validate_values;

#define FIELD(field) offsetof(validate_values, field)
static const cli_option validate_options[] = {
    {"quick", 0, CLI_FLAG, NULL, NULL, NULL,
     "less than a minute: one pass, fewer rounds, smaller cases, a tiny model", FIELD(is_quick)},
    {"full", 0, CLI_FLAG, NULL, NULL, NULL, "three passes, some minutes; this is the default",
     FIELD(is_full)},
    {"only", 0, CLI_TEXT, "ID[,ID...]", NULL, NULL,
     "these targets; the beginning of an id stands for all that begin so (T1: T1a, T1b, T1c); "
     "KERN, ROOF, OPS and DEV are tables without targets",
     FIELD(only)},
    {"threads", 't', CLI_INTEGER, "N", NULL, "1..1024",
     "threads of rows with N threads; all processors by default", FIELD(threads)},
    CLI_OPTION_CPU(validate_values, cpu),
    {"device", 0, CLI_TEXT, "NAME", NULL, NULL,
     "rows about accelerators (T1c, M6, DEV): of this device only; all that are there by default",
     FIELD(device)},
    {"passes", 0, CLI_INTEGER, "N", NULL, "1..64", "over all targets; 3, with --quick 1 by default",
     FIELD(passes)},
    {"model", 0, CLI_FILE, "FILE", NULL, NULL,
     "model of the targets M1 to M4; a random one of the 2b4t shape by default", FIELD(model)},
    {"peer", 0, CLI_TEXTS, "NAME=PATH", NULL, NULL,
     "the library or program to compare with under this name; may be given several times",
     FIELD(peers)},
    {"json", 0, CLI_FILE, "FILE", NULL, NULL, "write the report as JSON; - is standard output",
     FIELD(json)},
    {"html", 0, CLI_FILE, "FILE", NULL, NULL, "write it as one HTML page", FIELD(html)},
    {"md", 0, CLI_FILE, "FILE", NULL, NULL, "write it as Markdown", FIELD(markdown)},
    {"baseline", 0, CLI_FILE, "FILE", NULL, NULL,
     "compare with this report of the same machine; by default with the one that --save-baseline "
     "auto has kept, if there is one",
     FIELD(baseline)},
    {"save-baseline", 0, CLI_FILE, "FILE", NULL, NULL,
     "keep the report for later runs; auto: in the place of this machine", FIELD(save)},
    {"no-baseline", 0, CLI_FLAG, NULL, NULL, NULL, "compare with nothing", FIELD(ignores_baseline)},
    {"from", 0, CLI_FILES, "FILE", NULL, NULL,
     "measure nothing: show, compare and write this saved report; several are merged, as passes "
     "of one run",
     FIELD(from)},
    {"list", 0, CLI_FLAG, NULL, NULL, NULL,
     "list the targets and measure nothing; --json and --md write all rows, without figures",
     FIELD(is_list)},
    {"strict", 0, CLI_FLAG, NULL, NULL, NULL,
     "also fail on what is NOT MEASURED, and on costs that grew by 15 % or more", FIELD(is_strict)},
    {"details", 0, CLI_FLAG, NULL, NULL, NULL,
     "below each row: what else did the same work, and how it was measured", FIELD(has_details)},
    {"color", 0, CLI_CHOICE, "WHEN", "auto", "auto|always|never",
     "colours: auto uses them on a terminal", FIELD(color)},
    {0},
};

/* A file that is written in the end. */
typedef struct output {
    const char *path, *option;
    tern_status (*write)(const tern_report *report, const char *path);
} output;

typedef struct validate_state {
    validate_values values;
    tern_bench_peer_path peers[MAX_PEERS];
    int peer_count;
    output outputs[MAX_FILES];
    int output_count;
    bool is_silent; /* a report goes to standard output: no table */
    char baseline_path[PATH_BYTES];
    tern_report *listed, *baseline, *report;
    cli_report_table table;
    int progress_width; /* of stderr; 0: it is no terminal */
    char last[96];      /* what was measured last */
} validate_state;

static volatile sig_atomic_t is_interrupted;

static void interrupt(int number) {
    static const char text[] =
        "\ntern: ends behind this row; Ctrl-C again: at once, without reports\n";
    (void)number;
    is_interrupted = 1;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        return; /* nobody reads it */
}

/* The first Ctrl-C ends the run behind the row that is being measured; the handler goes with it, so
 * that the second one ends the program at once. */
static void catch_interrupt(void) {
    struct sigaction action = {.sa_flags = SA_RESETHAND | SA_RESTART};
    action.sa_handler = interrupt;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

/* -- misuse ------------------------------------------------------------------------------------*/

static int check_words(const validate_values *v) {
    bool is_measuring = v->is_quick || v->is_full || v->only != NULL || v->threads > 0 ||
                        v->cpu != NULL || v->passes > 0 || v->model != NULL || v->peers.count > 0 ||
                        v->device != NULL;
    if (v->is_quick && v->is_full)
        return cli_usage_error(&cli_validate, "--quick and --full exclude each other");
    if (v->baseline != NULL && v->ignores_baseline)
        return cli_usage_error(&cli_validate, "--baseline and --no-baseline exclude each other");
    if (v->from.count > 0 && (is_measuring || v->is_list))
        return cli_usage_error(
            &cli_validate, "--from measures nothing: it cannot be given with options of measuring");
    int status = cli_check_level(&cli_validate, v->cpu);
    return status == CLI_OK ? cli_check_device(&cli_validate, v->device) : status;
}

/* The names that tern/bench.h knows. */
static const char *const peer_names[] = {"openblas",    "dnnl",        "jemalloc",
                                         "mimalloc",    "ggml",        "bitnet",
                                         "llama-bench", "llama-model", "llama-model-best"};
enum { PEER_NAMES = sizeof peer_names / sizeof *peer_names };

static int unknown_peer(const char *name, size_t length) {
    char known[256] = "";
    for (int i = 0; i < PEER_NAMES; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", peer_names[i]);
    }
    return cli_usage_error(&cli_validate, "--peer: '%.*s' is none of %s", (int)length, name, known);
}

static int read_peers(validate_state *s) {
    const cli_texts *texts = &s->values.peers;
    for (int i = 0; i < texts->count; i++) {
        const char *text = texts->value[i], *path = strchr(text, '=');
        if (path == NULL || path[1] == '\0')
            return cli_usage_error(&cli_validate, "--peer: '%s' is not NAME=PATH", text);
        size_t length = (size_t)(path++ - text);
        int known = 0;
        while (known < PEER_NAMES && (strlen(peer_names[known]) != length ||
                                      strncmp(peer_names[known], text, length) != 0))
            known++;
        if (known == PEER_NAMES)
            return unknown_peer(text, length);
        if (access(path, R_OK) != 0)
            return cli_fail("--peer %s: %s: %s", peer_names[known], path, strerror(errno));
        s->peers[s->peer_count++] = (tern_bench_peer_path){peer_names[known], path};
    }
    if (s->values.model != NULL && access(s->values.model, R_OK) != 0)
        return cli_fail("--model: %s: %s", s->values.model, strerror(errno));
    return CLI_OK;
}

/* -- files -------------------------------------------------------------------------------------*/

static bool is_stdout(const char *path) {
    return strcmp(path, "-") == 0;
}

/* Whether a file can be made there, before minutes of measuring: a file beside it can. What is no
 * file (a device) would be replaced by one. */
static int check_writable(const char *path) {
    char beside[PATH_BYTES];
    struct stat facts;
    if (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode))
        return cli_fail("%s: %s", path, S_ISDIR(facts.st_mode) ? strerror(EISDIR) : "not a file");
    if (snprintf(beside, sizeof beside, "%s.tern-%ld", path, (long)getpid()) >= PATH_BYTES)
        return cli_fail("%s: %s", path, strerror(ENAMETOOLONG));
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return cli_fail("%s: %s", path, strerror(errno));
    close(fd);
    unlink(beside);
    return CLI_OK;
}

static int open_outputs(validate_state *s) {
    const validate_values *v = &s->values;
    const output all[MAX_FILES] = {{v->json, "json", tern_report_write_json},
                                   {v->markdown, "md", tern_report_write_markdown},
                                   {v->html, "html", tern_report_write_html}};
    for (int i = 0; i < MAX_FILES; i++) {
        if (all[i].path == NULL)
            continue;
        for (int k = 0; k < s->output_count; k++)
            if (strcmp(s->outputs[k].path, all[i].path) == 0 && !is_stdout(all[i].path))
                return cli_usage_error(&cli_validate, "--%s and --%s name the same file",
                                       s->outputs[k].option, all[i].option);
        s->outputs[s->output_count++] = all[i];
        if (is_stdout(all[i].path) && s->is_silent)
            return cli_usage_error(&cli_validate,
                                   "standard output takes one report: give the others files");
        if (is_stdout(all[i].path))
            s->is_silent = true;
        else if (check_writable(all[i].path) != CLI_OK)
            return CLI_FAILED;
    }
    if (v->save != NULL && strcmp(v->save, "auto") != 0)
        return check_writable(v->save);
    return CLI_OK;
}

/* The library writes files only: by way of one. */
static int write_to_stdout(const output *o, const tern_report *report) {
    const char *folder = getenv("TMPDIR");
    char path[PATH_BYTES];
    size_t bytes;
    snprintf(path, sizeof path, "%s/tern-report-XXXXXX",
             folder != NULL && folder[0] != '\0' ? folder : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        return cli_fail("%s: %s", path, strerror(errno));
    close(fd);
    int status = o->write(report, path) == TERN_OK ? CLI_OK : cli_fail_library(path);
    char *text = status == CLI_OK ? cli_read_input(path, &bytes) : NULL;
    unlink(path);
    if (text == NULL)
        return CLI_FAILED;
    fwrite(text, 1, bytes, stdout);
    free(text);
    return CLI_OK;
}

static int write_outputs(const validate_state *s) {
    int status = CLI_OK;
    for (int i = 0; i < s->output_count; i++) {
        const output *o = &s->outputs[i];
        if (is_stdout(o->path)) {
            status = write_to_stdout(o, s->report) == CLI_OK ? status : CLI_FAILED;
        } else if (o->write(s->report, o->path) != TERN_OK) {
            status = cli_fail_library(o->path);
        } else if (!s->is_silent) {
            printf("wrote %s\n", o->path);
        }
    }
    return status;
}

/* Every folder above the file. */
static int make_folders(const char *path) {
    char folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *at = strchr(folder + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            return cli_fail("%s: %s", folder, strerror(errno));
        *at = '/';
    }
    return CLI_OK;
}

/* A short run does not take the place of a long one. */
static int check_smaller(const tern_report *report, const char *place) {
    tern_report *before;
    if (access(place, F_OK) != 0 || tern_report_read(place, &before) != TERN_OK)
        return CLI_OK;
    int64_t rows = tern_report_row_count(report), there = tern_report_row_count(before);
    tern_report_destroy(before);
    if (rows >= there)
        return CLI_OK;
    return cli_fail(
        "%s is of %lld rows, and this run has %lld: it is kept; give --save-baseline a FILE", place,
        (long long)there, (long long)rows);
}

static int save_baseline(const validate_state *s) {
    char place[PATH_BYTES];
    const char *path = s->values.save;
    if (path == NULL)
        return CLI_OK;
    if (tern_report_fact_value(s->report, "ended")[0] != '\0')
        return cli_fail("the run was not finished: no baseline is kept");
    if (strcmp(path, "auto") == 0) {
        if (tern_report_baseline_path(s->report, place, sizeof place) != TERN_OK)
            return cli_fail_library(NULL);
        if (make_folders(place) != CLI_OK || check_smaller(s->report, place) != CLI_OK)
            return CLI_FAILED;
        path = place;
    }
    if (tern_report_write_json(s->report, path) != TERN_OK)
        return cli_fail_library(path);
    if (!s->is_silent)
        printf("the baseline is %s\n", path);
    return CLI_OK;
}

/* -- the baseline ------------------------------------------------------------------------------*/

/* One that was found and not asked for is left out where it does not fit. */
static int reject_baseline(validate_state *s) {
    tern_report_destroy(s->baseline);
    s->baseline = NULL;
    if (s->values.baseline != NULL) {
        cli_fail_library(s->baseline_path);
        fprintf(stderr, "Make a new one with 'tern validate --save-baseline FILE'.\n");
        return CLI_FAILED;
    }
    fprintf(stderr, "tern: no comparison with %s: %s\n", s->baseline_path, tern_last_error());
    return CLI_OK;
}

/* Reads what is to be compared with, if anything, and tries it on `report`. */
static int open_baseline(validate_state *s, tern_report *report) {
    char *path = s->baseline_path;
    if (s->values.ignores_baseline)
        return CLI_OK;
    if (s->values.baseline != NULL)
        snprintf(path, PATH_BYTES, "%s", s->values.baseline);
    else if (tern_report_baseline_path(report, path, PATH_BYTES) != TERN_OK ||
             access(path, F_OK) != 0)
        return CLI_OK;
    if (tern_report_read(path, &s->baseline) != TERN_OK ||
        tern_report_compare(report, s->baseline) != TERN_OK)
        return reject_baseline(s);
    return CLI_OK;
}

/* -- measuring ---------------------------------------------------------------------------------*/

static void clear_progress(const validate_state *s) {
    if (s->progress_width > 0)
        fprintf(stderr, "\r%*s\r", s->progress_width - 1, "");
}

/* "3 m 10 s" */
static const char *time_text(double seconds, char *buffer, size_t size) {
    long whole = lround(seconds);
    if (whole >= 60)
        snprintf(buffer, size, "%ld m %02ld s", whole / 60, whole % 60);
    else
        snprintf(buffer, size, "%ld s", whole);
    return buffer;
}

static bool show_progress(void *user, const tern_validate_progress *p) {
    validate_state *s = user;
    char line[256], left[48], time[32];
    if (p->row != NULL)
        snprintf(s->last, sizeof s->last, "%s %s", p->row->id, p->row->what);
    bool goes_on = !is_interrupted && cli_flush();
    if (s->progress_width == 0)
        return goes_on;
    left[0] = '\0';
    if (!isnan(p->seconds_left))
        snprintf(left, sizeof left, "%s left", time_text(p->seconds_left, time, sizeof time));
    snprintf(line, sizeof line, "%3d %%  %-14s pass %d of %d  %s: %s", (int)(100 * p->fraction),
             left, p->pass, p->passes, p->table, s->last);
    fprintf(stderr, "\r%-*.*s", s->progress_width - 1, s->progress_width - 1, line);
    fflush(stderr);
    return goes_on;
}

static void show_row(void *user, const tern_report_row *row) {
    validate_state *s = user;
    clear_progress(s);
    if (!s->is_silent)
        cli_report_table_row(&s->table, row);
    cli_flush();
}

static void open_table(validate_state *s, bool has_baseline) {
    s->table = cli_report_table_open(stdout, cli_table_width(), has_baseline,
                                     cli_has_color(stdout, s->values.color), s->values.has_details);
}

static void print_heading(const validate_state *s, const tern_report *report) {
    if (s->is_silent)
        return;
    char head[512];
    snprintf(head, sizeof head, "%s, %s cores, %s, tern %s",
             tern_report_fact_value(report, "processor"), tern_report_fact_value(report, "cores"),
             tern_report_fact_value(report, "memory"), tern_report_fact_value(report, "version"));
    cli_report_text(stdout, head, strlen(head));
    printf(s->baseline != NULL ? ", compared with %s\n\n" : "\n\n", s->baseline_path);
}

static tern_validate_options run_options(validate_state *s) {
    const validate_values *v = &s->values;
    return (tern_validate_options){
        .table = {.threads = (int)v->threads,
                  .cpu = v->cpu,
                  .device = cli_device_rows(v->device),
                  .is_quick = v->is_quick,
                  .only = v->only,
                  .model = v->model,
                  .story = cli_story_path(),
                  .peers = s->peers,
                  .peer_count = s->peer_count},
        .passes = (int)v->passes,
        .progress = show_progress,
        .row = show_row,
        .user = s,
    };
}

/* Unknown targets are a matter of the command line. */
static int list_rows(validate_state *s) {
    tern_validate_options options = run_options(s);
    options.table.is_listing = true;
    tern_status status = tern_validate(&options, &s->listed);
    if (status == TERN_E_ARGUMENT) {
        const char *text = tern_last_error(), area[] = "validate: ";
        bool has_area = strncmp(text, area, sizeof area - 1) == 0;
        return cli_usage_error(&cli_validate, "%s", text + (has_area ? sizeof area - 1 : 0));
    }
    return status == TERN_OK ? CLI_OK : cli_fail_library(NULL);
}

static int measure(validate_state *s) {
    tern_validate_options options = run_options(s);
    int status = open_baseline(s, s->listed);
    if (status != CLI_OK)
        return status;
    options.baseline = s->baseline;
    open_table(s, s->baseline != NULL);
    catch_interrupt();
    print_heading(s, s->listed);
    cli_flush();
    tern_status measured = tern_validate(&options, &s->report);
    clear_progress(s);
    return measured == TERN_OK ? CLI_OK : cli_fail_library(NULL);
}

/* -- saved reports -----------------------------------------------------------------------------*/

static int read_reports(validate_state *s) {
    const cli_texts *from = &s->values.from;
    tern_report *reports[sizeof from->value / sizeof *from->value] = {NULL};
    int status = CLI_OK;
    for (int i = 0; i < from->count && status == CLI_OK; i++)
        if (tern_report_read(from->value[i], &reports[i]) != TERN_OK)
            status = cli_fail_library(from->value[i]);
    if (status == CLI_OK &&
        tern_report_merge((const tern_report *const *)reports, from->count, &s->report) != TERN_OK)
        status = cli_fail_library(NULL);
    for (int i = 0; i < from->count; i++)
        tern_report_destroy(reports[i]);
    return status;
}

static int show_reports(validate_state *s) {
    int status = read_reports(s);
    if (status == CLI_OK)
        status = open_baseline(s, s->report);
    if (status != CLI_OK)
        return status;
    int64_t compared = tern_report_row_count(s->report) -
                       tern_report_grades(s->report, TERN_GRADE_NONE); /* when it was saved */
    open_table(s, s->baseline != NULL || (compared > 0 && !s->values.ignores_baseline));
    print_heading(s, s->report);
    for (int64_t i = 0; i < tern_report_row_count(s->report); i++)
        show_row(s, tern_report_row_at(s->report, i));
    return CLI_OK;
}

/* -- the command -------------------------------------------------------------------------------*/

static int verdict(const validate_state *s) {
    const tern_report *r = s->report;
    if (tern_report_count(r, TERN_BENCH_FAIL) > 0)
        return CLI_FAILED;
    bool has_grown = tern_report_grades(r, TERN_GRADE_MODERATE) > 0 ||
                     tern_report_grades(r, TERN_GRADE_MAJOR) > 0 ||
                     tern_report_grades(r, TERN_GRADE_CRITICAL) > 0;
    bool is_strict = s->values.is_strict;
    return is_strict && (has_grown || tern_report_count(r, TERN_BENCH_NOT_MEASURED) > 0)
               ? CLI_FAILED
               : CLI_OK;
}

/* The table is there: what it comes to, and the files. */
static int conclude(validate_state *s) {
    bool is_whole = tern_report_fact_value(s->report, "only")[0] == '\0' && !is_interrupted;
    char time[32];
    if (!s->is_silent)
        cli_report_summary(&s->table, s->report, is_whole);
    if (!s->is_silent && s->values.from.count == 0)
        printf("\n%s, took %s\n", is_interrupted ? "interrupted" : "done",
               time_text(strtod(tern_report_fact_value(s->report, "seconds"), NULL), time,
                         sizeof time));
    int status = write_outputs(s);
    if (save_baseline(s) != CLI_OK)
        status = CLI_FAILED;
    if (is_interrupted)
        return CLI_INTERRUPTED;
    return status != CLI_OK ? status : verdict(s);
}

/* Reports of what was listed have every row, and no figure. */
static int show_list(validate_state *s) {
    if (!s->is_silent)
        cli_report_list(stdout, cli_table_width(), s->listed);
    s->report = s->listed;
    s->listed = NULL;
    return write_outputs(s);
}

static int work(validate_state *s, int argc, char **argv) {
    int status = read_peers(s);
    bool is_measuring = s->values.from.count == 0 && !s->values.is_list;
    /* Before libraries are opened: what they do to the process, such as binding it to a processor,
     * would be inherited. */
    if (status == CLI_OK && is_measuring)
        cli_restart_with_room(argc, argv);
    if (status == CLI_OK && s->values.from.count == 0)
        status = list_rows(s);
    if (status == CLI_OK)
        status = open_outputs(s);
    if (status != CLI_OK)
        return status;
    if (s->values.is_list)
        return show_list(s);
    if (!is_measuring) {
        status = show_reports(s);
    } else {
        s->progress_width = cli_width(stderr);
        status = measure(s);
    }
    return status == CLI_OK ? conclude(s) : status;
}

static int validate_run(int argc, char **argv) {
    validate_state s = {.values = {.color = NULL}};
    char **rest;
    int count;
    int status = cli_parse(&cli_validate, argc, argv, &s.values, &rest, &count);
    if (status != CLI_CONTINUE)
        return status;
    if (count > 0)
        return cli_usage_error(&cli_validate, "unexpected argument '%s'", rest[0]);
    status = check_words(&s.values);
    if (status == CLI_OK)
        status = work(&s, argc, argv);
    tern_report_destroy(s.listed);
    tern_report_destroy(s.baseline);
    tern_report_destroy(s.report);
    return status;
}

static const char *const examples[] = {
    "tern validate --quick",
    "tern validate --html report.html --json report.json",
    "tern validate --save-baseline auto",
    "tern validate --only T1,K4 --details --peer openblas=/opt/lib/libopenblas.so",
    "tern validate --only T1c --device mlx",
    "tern validate --from monday.json --from tuesday.json --baseline old.json",
    NULL,
};

const cli_command cli_validate = {
    .name = "validate",
    .usage = "",
    .summary = "measures every performance target on this machine and judges it",
    .details =
        "Measures all targets, each row in several passes, and says for each what was measured "
        "with its 95 % interval, what must be reached (floor), the goal, and PASS, FAIL or NOT "
        "MEASURED with the reason. Rows appear in the last pass. Given a baseline, it tells how "
        "the cost (time, or 1 over a rate) has changed where the intervals do not meet: minor "
        "from 5 %, moderate from 15 %, major from 30 %, critical from 50 %. A ~ stands before what "
        "was measured while the machine was busy; such a row never fails for that. Ctrl-C ends "
        "the run behind the current row, and the reports of what is known are written. With a "
        "report on standard output there is no table. The exit status is 0 unless a row is FAIL; "
        "with --strict, unless anything is FAIL or NOT MEASURED, or graded moderate or worse.",
    .examples = examples,
    .operands = CLI_NO_OPERANDS,
    .options = validate_options,
    .run = validate_run,
};
