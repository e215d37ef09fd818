/* SPDX-License-Identifier: MIT
 * Measuring all targets: the rows are listed first, then the tables run as often as there are
 * passes. A row is settled when the last pass has measured it, from what all passes found. */
#include "validate/run.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "bench/rows.h"
#include "memory/pool.h"
#include "validate/machine.h"
#include "validate/merge.h"
#include "validate/report.h"

enum { PASSES = 3, QUICK_PASSES = 1, NAMES_BYTES = 512 };

/* A table that has something to do in this run. */
typedef struct task {
    const tern_bench_table *table;
    tern_bench_table_options options;
    char only[NAMES_BYTES];
    int64_t first, rows; /* of the listed ones */
    double expected;     /* seconds of a pass: a guess, later those of the pass before */
    bool is_known;       /* expected is measured */
    tern_status failure; /* that ended it, in any pass */
    const char *reason;
} task;

typedef struct run {
    tern_validate_options options;
    task tasks[TERN__MAX_TABLES];
    int task_count;
    tern_report *listed, *report;
    tern_report *pass[TERN__MAX_PASSES];
    int passes, current;      /* pass, from 0 */
    int task;                 /* that is being measured */
    int64_t seen;             /* rows of it in this pass */
    double begin, task_begin; /* seconds */
    double guessed, took;     /* by the tasks of the first pass that are done */
    double fraction;
    bool is_ended;
    tern_status status; /* of what the visitor did */
    int64_t alive;      /* pools, before */
} run;

static double now_seconds(void) {
    return (double)tern__os()->clock_ns() * 1e-9;
}

/* -- what is asked for -------------------------------------------------------------------------*/

/* What a table has without being asked: rows of kernels are no targets and would take half of a
 * quick run; the tables of operations and devices judge nothing. */
static bool is_default(const char *id, bool is_quick) {
    return strcmp(id, "OPS") != 0 && strcmp(id, "DEV") != 0 &&
           (!is_quick || strcmp(id, "KERN") != 0);
}

/* A word stands for the id, or for all targets that begin with it. */
static bool does_match(const char *word, size_t length, const char *id) {
    if (length == 0 || strncmp(word, id, length) != 0)
        return false;
    return id[length] == '\0' || tern_target_find(id) != NULL;
}

static bool is_asked_for(const run *r, const char *id) {
    const tern_bench_table_options *o = &r->options.table;
    if (o->only == NULL)
        return is_default(id, o->is_quick);
    for (const char *at = o->only; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (does_match(at, strcspn(at, ","), id))
            return true;
    }
    return false;
}

/* Copies the next of the names with commas between and moves on; false at the end. */
static bool next_name(const char **names, char *name, size_t size) {
    if (*names == NULL || **names == '\0')
        return false;
    size_t length = strcspn(*names, ",");
    snprintf(name, size, "%.*s", (int)length, *names);
    *names += length + ((*names)[length] == ',');
    return true;
}

/* Every id once: of targets, then of what tables have besides. */
static void add_name(char *list, size_t size, const char *name) {
    size_t used = strlen(list);
    if (used > 0 && tern__is_listed(list, name))
        return;
    snprintf(list + used, size - used, "%s%s", used > 0 ? "," : "", name);
}

static void list_names(const tern_bench_table *const *tables, int count, char *list, size_t size) {
    list[0] = '\0';
    for (int i = 0; i < tern_target_count(); i++)
        add_name(list, size, tern_target_at(i)->id);
    for (int i = 0; i < count; i++) {
        const char *names = tables[i]->targets;
        for (char name[32]; next_name(&names, name, sizeof name);)
            add_name(list, size, name);
    }
}

static tern_status check_only(const char *only, const tern_bench_table *const *tables, int count) {
    char known[NAMES_BYTES], word[64];
    list_names(tables, count, known, sizeof known);
    if (only != NULL && (only[0] == '\0' || only[strlen(only) - 1] == ','))
        return tern__fail(TERN_E_ARGUMENT, "validate: no target is named; there are %s", known);
    while (next_name(&only, word, sizeof word)) {
        const char *names = known;
        bool is_known = false;
        for (char name[32]; !is_known && next_name(&names, name, sizeof name);)
            is_known = does_match(word, strlen(word), name);
        if (!is_known)
            return tern__fail(TERN_E_ARGUMENT, "validate: there is no target '%s'; there are %s",
                              word, known);
    }
    return TERN_OK;
}

static tern_status check_options(const tern_validate_options *o,
                                 const tern_bench_table *const *tables, int count) {
    if (o->passes < 0 || o->passes > TERN__MAX_PASSES)
        return tern__fail(TERN_E_ARGUMENT, "validate: %d passes, allowed are 1..%d", o->passes,
                          TERN__MAX_PASSES);
    if (count > TERN__MAX_TABLES)
        return tern__fail(TERN_E_INTERNAL, "validate: %d tables", count);
    return check_only(o->table.only, tables, count);
}

/* Seconds of a pass over the whole table, on 2 cores. */
static double guess_seconds(const char *table, bool is_quick) {
    static const struct {
        const char *table;
        double full, quick;
    } guesses[] = {
        {"roofline", 5, 3},    {"kernels", 50, 12},    {"matmul", 20, 4},
        {"elementwise", 7, 3}, {"memory", 17, 5},      {"zero-copy", 3, 1},
        {"models", 45, 10},    {"operations", 60, 20}, {"devices", 60, 5},
    };
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++)
        if (strcmp(guesses[i].table, table) == 0)
            return is_quick ? guesses[i].quick : guesses[i].full;
    return 5;
}

/* A task for the table, unless it has nothing that is asked for. */
static void add_task(run *r, const tern_bench_table *table) {
    task *t = &r->tasks[r->task_count];
    const char *names = table->targets;
    bool has_all = true;
    *t = (task){.table = table, .options = r->options.table};
    for (char name[32]; next_name(&names, name, sizeof name);) {
        if (is_asked_for(r, name))
            add_name(t->only, sizeof t->only, name);
        else
            has_all = false;
    }
    if (t->only[0] == '\0')
        return;
    t->options.only = has_all ? NULL : t->only;
    t->options.is_ended = &r->is_ended;
    r->task_count++;
}

/* -- listing -----------------------------------------------------------------------------------*/

static void listed(void *user, const tern_bench_row *row) {
    run *r = user;
    if (r->status == TERN_OK && tern__report_find(r->listed, row->id, row->what) == NULL)
        r->status = tern__report_add_row(r->listed, row, NULL);
}

static void counted(void *user, const tern_bench_row *row) {
    (void)row;
    ++*(int64_t *)user;
}

static tern_status list_task(run *r, task *t) {
    tern_bench_table_options o = t->options;
    int64_t all = 0;
    o.is_listing = true;
    t->first = r->listed->row_count;
    tern_status status = t->table->run(&o, listed, r);
    if (status == TERN_OK)
        status = r->status;
    if (status != TERN_OK)
        return status;
    t->rows = r->listed->row_count - t->first;
    t->expected = guess_seconds(t->table->name, o.is_quick);
    if (o.only == NULL)
        return TERN_OK;
    o.only = NULL;
    status = t->table->run(&o, counted, &all);
    if (all > t->rows)
        t->expected *= (double)t->rows / (double)all;
    return status;
}

/* -- progress ----------------------------------------------------------------------------------*/

/* Seconds that the rest takes: guesses, by the speed of what is done, give way to what the tables
 * took in the pass before. */
static double seconds_left(const run *r, double now) {
    double speed = r->guessed > 0 ? r->took / r->guessed : 1, left = 0;
    for (int i = 0; i < r->task_count; i++) {
        const task *t = &r->tasks[i];
        double expected = t->is_known ? t->expected : t->expected * speed;
        if (i == r->task)
            expected = fmax(expected, now - r->task_begin);
        int after = r->passes - 1 - r->current; /* passes */
        left += expected * (after + (i > r->task));
        if (i != r->task)
            continue;
        double share = t->rows > 0 ? (double)r->seen / (double)t->rows : 0;
        left += share < 1 ? expected * (1 - share) : 0;
    }
    return left;
}

static void tell(run *r, const tern_bench_row *row, bool is_done) {
    if (r->options.progress == NULL)
        return;
    double now = now_seconds(), left = is_done ? 0 : seconds_left(r, now), spent = now - r->begin;
    double fraction = spent + left > 0 ? spent / (spent + left) : 0;
    r->fraction = is_done ? 1 : fmin(fmax(r->fraction, fraction), 0.999);
    bool is_first = r->seen == 0 && r->guessed == 0;
    tern_validate_progress progress = {.fraction = r->fraction,
                                       .seconds = spent,
                                       .seconds_left = is_first && !is_done ? NAN : left,
                                       .pass = r->current + 1,
                                       .passes = r->passes,
                                       .row = row,
                                       .table = r->tasks[r->task].table->name};
    if (!r->options.progress(r->options.user, &progress) && !is_done)
        r->is_ended = true;
}

/* -- measuring ---------------------------------------------------------------------------------*/

/* From all passes so far. */
static tern_status settle(run *r, const tern_bench_row *key) {
    const tern_report_row *rows[TERN__MAX_PASSES];
    int count = 0;
    if (tern__report_find(r->report, key->id, key->what) != NULL)
        return TERN_OK;
    for (int i = 0; i <= r->current; i++) {
        rows[count] = tern__report_find(r->pass[i], key->id, key->what);
        count += rows[count] != NULL;
    }
    tern_report_row *row = NULL;
    tern_status status = tern__report_add_merged(r->report, rows, count, &row);
    if (status != TERN_OK)
        return status;
    if (r->options.baseline != NULL)
        tern__row_compare(row, tern__report_find(r->options.baseline, key->id, key->what));
    if (r->options.row != NULL)
        r->options.row(r->options.user, row);
    return TERN_OK;
}

static void measured(void *user, const tern_bench_row *row) {
    run *r = user;
    if (r->is_ended || r->status != TERN_OK)
        return;
    r->seen++;
    r->status = tern__report_add_row(r->pass[r->current], row, NULL);
    if (r->status == TERN_OK && r->current == r->passes - 1)
        r->status = settle(r, row);
    tell(r, row, false);
}

static tern_status measure_task(run *r, task *t) {
    r->seen = 0;
    r->task_begin = now_seconds();
    tell(r, NULL, false);
    if (r->is_ended)
        return TERN_OK;
    tern_status status = t->table->run(&t->options, measured, r);
    if (r->status != TERN_OK || status == TERN_E_ARGUMENT)
        return r->status != TERN_OK ? r->status : status;
    if (status != TERN_OK && t->failure == TERN_OK) {
        t->failure = status;
        t->reason = tern__report_text(r->report, tern_last_error());
        if (t->reason == NULL)
            return TERN_E_MEMORY;
    }
    double took = now_seconds() - r->task_begin;
    if (!t->is_known) {
        r->guessed += t->expected;
        r->took += took;
    }
    t->expected = took;
    t->is_known = true;
    return TERN_OK;
}

static tern_status measure_all(run *r) {
    tern_status status = TERN_OK;
    for (r->current = 0; r->current < r->passes && !r->is_ended; r->current++) {
        TERN__TRY(tern__report_create(&r->pass[r->current]));
        for (r->task = 0; r->task < r->task_count && !r->is_ended; r->task++)
            TERN__TRY(measure_task(r, &r->tasks[r->task]));
    }
    r->current--;
    r->task -= r->task > 0;
    for (int pass = 0; pass <= r->current; pass++)
        for (int64_t i = 0; i < r->pass[pass]->row_count; i++)
            TERN__TRY(settle(r, &r->pass[pass]->rows[i].row));
done:
    return status;
}

/* -- what could not be measured ----------------------------------------------------------------*/

static tern_status add_missing(run *r, tern_bench_row row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static tern_status add_missing(run *r, tern_bench_row row, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(row.detail, sizeof row.detail, format, arguments);
    va_end(arguments);
    tern_report_row *added = NULL;
    tern_status status = tern__report_add_row(r->report, &row, &added);
    if (status == TERN_OK && r->options.baseline != NULL)
        tern__row_compare(added, tern__report_find(r->options.baseline, row.id, row.what));
    if (status == TERN_OK && r->options.row != NULL && !r->is_ended)
        r->options.row(r->options.user, added);
    return status;
}

/* A table that found a wrong result ends there: that is a failure, and not of one row only. */
static tern_status add_failure(run *r, const task *t) {
    char id[32], what[96];
    const char *names = t->only;
    next_name(&names, id, sizeof id);
    snprintf(what, sizeof what, "tern bench %s runs to its end", t->table->name);
    tern_bench_row row = tern__row(id, what, "");
    if (t->failure == TERN_E_INTERNAL)
        row.verdict = TERN_BENCH_FAIL;
    return add_missing(r, row, "%s", t->reason);
}

static tern_status add_missing_rows(run *r, const task *t) {
    tern_status status = TERN_OK;
    for (int64_t i = t->first; i < t->first + t->rows; i++) {
        const tern_bench_row *row = &r->listed->rows[i].row;
        if (tern__report_find(r->report, row->id, row->what) != NULL)
            continue;
        if (r->is_ended)
            TERN__TRY(add_missing(r, *row, "the run was ended before it was measured"));
        else if (t->failure != TERN_OK)
            TERN__TRY(
                add_missing(r, *row, "tern bench %s ended before: %s", t->table->name, t->reason));
        else
            TERN__TRY(add_missing(r, *row, "tern bench %s listed it and did not measure it",
                                  t->table->name));
    }
    if (t->failure != TERN_OK && !r->is_ended)
        TERN__TRY(add_failure(r, t));
done:
    return status;
}

static bool has_rows(const tern_report *report, const char *id) {
    for (int64_t i = 0; i < report->row_count; i++)
        if (strcmp(report->rows[i].row.id, id) == 0)
            return true;
    return false;
}

static tern_status add_missing_targets(run *r) {
    tern_status status = TERN_OK;
    for (int i = 0; i < tern_target_count(); i++) {
        const tern_target *target = tern_target_at(i);
        if (!is_asked_for(r, target->id) || has_rows(r->report, target->id))
            continue;
        TERN__TRY(add_missing(r, tern__row(target->id, target->title, ""),
                              "tern bench %s has no row of this target", target->table));
    }
done:
    return status;
}

/* Of everything that the tables made: a pool ends with its last tensor. */
static tern_status add_left(run *r) {
    tern_bench_row row = tern__row("T5d", "contexts and tensors alive after all tables", "");
    row.floor = row.goal = 0;
    if (!is_asked_for(r, row.id))
        return TERN_OK;
    if (!r->options.table.is_listing) {
        int64_t left = tern__pools_alive() - r->alive;
        tern__row_count(&row, (double)left);
        tern__row_judge(&row);
        snprintf(row.detail, sizeof row.detail,
                 "%lld contexts are alive, or tensors of theirs, that were not before",
                 (long long)left);
    }
    tern_report_row *added = NULL;
    tern_status status = tern__report_add_row(r->report, &row, &added);
    if (status != TERN_OK)
        return status;
    added->passes = r->current + 1;
    if (r->options.baseline != NULL)
        tern__row_compare(added, tern__report_find(r->options.baseline, row.id, row.what));
    if (r->options.row != NULL)
        r->options.row(r->options.user, added);
    return TERN_OK;
}

/* -- facts of the run --------------------------------------------------------------------------*/

static tern_status add_peers(tern_report *report, const tern_bench_table_options *o) {
    char text[1024] = "";
    for (int i = 0; i < o->peer_count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s=%s", i > 0 ? ", " : "", o->peers[i].name,
                 o->peers[i].path);
    }
    return o->peer_count > 0 ? tern__report_add_fact(report, "run", "peers", "%s", text) : TERN_OK;
}

static tern_status add_run(const run *r) {
    const tern_bench_table_options *o = &r->options.table;
    tern_report *report = r->report;
    char text[128];
    tern_status status;
    int threads = o->threads > 0 ? o->threads : tern__os_cpu_count();
    uint64_t date = tern__os()->wall_seconds();
    tern__date_text(date, text, sizeof text);
    TERN__TRY(tern__report_add_fact(report, "run", "date", "%s", date > 0 ? text : "not told"));
    TERN__TRY(tern__report_add_fact(report, "run", "threads", "%d", threads > 0 ? threads : 1));
    if (tern__level_name(o)[0] != '\0')
        TERN__TRY(tern__report_add_fact(report, "run", "level", "%s", tern__level_name(o)));
    if (o->device != NULL)
        TERN__TRY(tern__report_add_fact(report, "run", "device", "%s", o->device));
    TERN__TRY(tern__report_add_fact(report, "run", "quick", "%s", o->is_quick ? "yes" : "no"));
    if (o->samples > 0)
        TERN__TRY(tern__report_add_fact(report, "run", "rounds", "%d", o->samples));
    if (o->only != NULL)
        TERN__TRY(tern__report_add_fact(report, "run", "only", "%s", o->only));
    if (o->model != NULL)
        TERN__TRY(tern__report_add_fact(report, "run", "model", "%s", o->model));
    TERN__TRY(add_peers(report, o));
    bool is_told = tern__os()->file_text("/proc/loadavg", text, sizeof text) == 0;
    TERN__TRY(tern__report_add_fact(report, "run", "load at start", "%.*s",
                                    is_told ? (int)strcspn(text, " \n") : 8,
                                    is_told ? text : "not told"));
done:
    return status;
}

static tern_status add_ending(const run *r) {
    tern_status status;
    TERN__TRY(tern__report_add_fact(r->report, "run", "passes", "%d", r->current + 1));
    TERN__TRY(tern__report_add_fact(r->report, "run", "seconds", "%.1f", now_seconds() - r->begin));
    if (r->is_ended)
        TERN__TRY(tern__report_add_fact(r->report, "run", "ended",
                                        "before its end, in pass %d of %d", r->current + 1,
                                        r->passes));
done:
    return status;
}

/* -- the whole ---------------------------------------------------------------------------------*/

static tern_status open_run(run *r, const tern_bench_table *const *tables, int count) {
    const tern_validate_options *o = &r->options;
    tern_status status;
    TERN__TRY(check_options(o, tables, count));
    r->passes = o->passes > 0 ? o->passes : o->table.is_quick ? QUICK_PASSES : PASSES;
    r->begin = now_seconds();
    r->alive = tern__pools_alive();
    TERN__TRY(tern__report_create(&r->listed));
    TERN__TRY(tern__report_create(&r->report));
    TERN__TRY(tern__report_add_machine(r->report, &o->table));
    TERN__TRY(add_run(r));
    if (o->baseline != NULL)
        TERN__TRY(tern__report_check_same(r->report, o->baseline, "the baseline"));
    for (int i = 0; i < count; i++)
        add_task(r, tables[i]);
    for (int i = 0; i < r->task_count; i++)
        TERN__TRY(list_task(r, &r->tasks[i]));
done:
    return status;
}

/* Copies what was listed: then nothing is measured. */
static tern_status keep_listed(run *r) {
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < r->listed->row_count; i++)
        TERN__TRY(tern__report_add_row(r->report, &r->listed->rows[i].row, NULL));
    TERN__TRY(add_left(r));
    TERN__TRY(add_missing_targets(r));
    tern__report_order(r->report);
done:
    return status;
}

static tern_status complete(run *r) {
    tern_status status = TERN_OK;
    for (int i = 0; i < r->task_count; i++)
        TERN__TRY(add_missing_rows(r, &r->tasks[i]));
    TERN__TRY(add_left(r));
    TERN__TRY(add_missing_targets(r));
    tern__report_order(r->report);
    TERN__TRY(add_ending(r));
    TERN__TRY(tern__report_add_checklist(r->report));
    if (r->task_count > 0 && !r->is_ended)
        tell(r, NULL, true);
done:
    return status;
}

tern_status tern__validate_tables(const tern_validate_options *options,
                                  const tern_bench_table *const *tables, int count,
                                  tern_report **report) {
    if (report == NULL)
        return tern__fail(TERN_E_ARGUMENT, "validate: the pointer for the report is NULL");
    *report = NULL;
    run *r = tern__os()->alloc(sizeof *r);
    if (r == NULL)
        return tern__fail(TERN_E_MEMORY, "validate: no memory for a run");
    tern_status status;
    if (options != NULL)
        r->options = *options;
    if (r->options.table.is_listing)
        r->options.row = NULL;
    TERN__TRY(open_run(r, tables, count));
    if (r->options.table.is_listing) {
        TERN__TRY(keep_listed(r));
    } else {
        TERN__TRY(measure_all(r));
        TERN__TRY(complete(r));
    }
    *report = r->report;
    r->report = NULL;
done:
    for (int i = 0; i < TERN__MAX_PASSES; i++)
        tern_report_destroy(r->pass[i]);
    tern_report_destroy(r->listed);
    tern_report_destroy(r->report);
    tern__os()->free(r);
    return status;
}

/* In the order of the list, which begins with memory: allocators are slower in a process that has
 * worked. */
tern_status tern_validate(const tern_validate_options *options, tern_report **report) {
    const tern_bench_table *tables[TERN__MAX_TABLES];
    int count = 0;
    for (; count < tern_bench_table_count() && count < TERN__MAX_TABLES; count++)
        tables[count] = tern_bench_table_at(count);
    return tern__validate_tables(options, tables, count, report);
}
