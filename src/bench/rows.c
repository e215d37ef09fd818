/* SPDX-License-Identifier: MIT
 * Rows of targets: how they are filled and judged. */
#include "bench/rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/os.h"
#include "base/status.h"
#include "base/threads.h"
#include "bench/statistics.h"

enum { MAX_THREADS = 1024 };
/* So long that the system's coarse count of time says something about it. */
static const double WINDOW_SECONDS = 0.2;

/* -- tables ------------------------------------------------------------------------------------*/

tern_status tern__table_open(tern__table *table, const tern_bench_table_options *options,
                             int rounds, int quick_rounds, tern_bench_row_fn visit, void *user) {
    if (visit == NULL)
        return tern__fail(TERN_E_ARGUMENT, "bench: the visit pointer is NULL");
    *table = (tern__table){.visit = visit, .user = user};
    tern_bench_table_options *o = &table->options;
    if (options != NULL)
        *o = *options;
    if (o->threads < 0 || o->threads > MAX_THREADS || o->samples < 0 ||
        o->samples > TERN_BENCH_MAX_SAMPLES)
        return tern__fail(TERN_E_ARGUMENT, "bench: %d threads, %d rounds", o->threads, o->samples);
    if (o->threads == 0)
        o->threads = tern__os_cpu_count() > 0 ? tern__os_cpu_count() : 1;
    if (o->samples == 0)
        o->samples = o->is_quick ? quick_rounds : rounds;
    tern__table_rest(table);
    return TERN_OK;
}

tern_status tern__table_run(const tern__table_kind *kind, const tern_bench_table_options *options,
                            tern_bench_row_fn visit, void *user, void *state) {
    tern__table table;
    uint32_t features;
    tern_status status =
        tern__table_open(&table, options, kind->rounds, kind->quick_rounds, visit, user);
    if (status == TERN_OK)
        status = tern__check_names(table.options.only, kind->names);
    if (status == TERN_OK)
        status = tern__cpu_level(table.options.cpu, &features);
    if (status != TERN_OK)
        return status;
    if (table.options.is_listing)
        return kind->run(&table, state);
    tern__threads_pin(true);
    status = kind->run(&table, state);
    tern__threads_pin(false);
    return status;
}

static void begin_window(tern__table *table) {
    tern__noise_begin(&table->window[++table->begun % TERN__WINDOWS]);
}

void tern__table_rest(tern__table *table) {
    table->oldest = table->begun + 1;
    begin_window(table);
}

/* Since the row before or, where that is too short, over some rows. */
static double find_load(const tern__table *table) {
    for (int64_t i = table->begun; i > table->begun - TERN__WINDOWS && i >= table->oldest; i--)
        if (tern__noise_seconds(&table->window[i % TERN__WINDOWS]) >= WINDOW_SECONDS)
            return tern__noise_end(&table->window[i % TERN__WINDOWS]);
    return NAN;
}

bool tern__is_listed(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == '\0' || at[length] == ','))
            return true;
    }
    return list == NULL;
}

bool tern__is_asked_for(const tern__table *table, const char *id) {
    return tern__is_listed(table->options.only, id);
}

const char *tern__peer_path(const tern_bench_table_options *options, const char *name) {
    for (int i = 0; options->peers != NULL && i < options->peer_count; i++)
        if (strcmp(options->peers[i].name, name) == 0)
            return options->peers[i].path;
    return NULL;
}

/* "K1, K2, ..., int8", cut where there are many. */
static void print_names(const char *names, char *text, size_t size) {
    size_t length = 0;
    for (; *names != '\0' && length + 8 < size; names++) {
        text[length++] = *names;
        if (*names == ',')
            text[length++] = ' ';
    }
    snprintf(text + length, size - length, "%s", *names != '\0' ? "..." : "");
}

tern_status tern__check_names(const char *list, const char *names) {
    char all[300];
    print_names(names, all, sizeof all);
    for (const char *at = list; at != NULL;) {
        char word[64];
        size_t length = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        if (length == 0 || length >= sizeof word || !tern__is_listed(names, word))
            return tern__fail(TERN_E_ARGUMENT, "bench: '%s' is none of %s", word, all);
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return TERN_OK;
}

/* -- rows --------------------------------------------------------------------------------------*/

const char *tern_bench_verdict_name(tern_bench_verdict verdict) {
    switch (verdict) {
    case TERN_BENCH_PASS:
        return "PASS";
    case TERN_BENCH_FAIL:
        return "FAIL";
    case TERN_BENCH_NOT_MEASURED:
        return "NOT MEASURED";
    case TERN_BENCH_NO_TARGET:
        return "-";
    }
    return "?";
}

tern_bench_row tern__row(const char *id, const char *what, const char *unit) {
    return (tern_bench_row){.id = id,
                            .what = what,
                            .unit = unit,
                            .median = NAN,
                            .p5 = NAN,
                            .p95 = NAN,
                            .p99 = NAN,
                            .low = NAN,
                            .high = NAN,
                            .load = NAN,
                            .operations = NAN,
                            .bytes = NAN,
                            .floor = NAN,
                            .goal = NAN,
                            .goal_p99 = NAN,
                            .verdict = TERN_BENCH_NOT_MEASURED};
}

static bool has_ended(const tern__table *table) {
    return table->options.is_ended != NULL && *table->options.is_ended;
}

bool tern__row_listed(tern__table *table, tern_bench_row *row) {
    if (has_ended(table))
        return true;
    if (!table->options.is_listing)
        return false;
    snprintf(row->detail, sizeof row->detail, "listed");
    tern__row_judge(row);
    table->visit(table->user, row);
    return true;
}

void tern__row_count(tern_bench_row *row, double value) {
    row->samples = 1;
    row->median = value;
}

void tern__row_samples(tern_bench_row *row, double *samples, int64_t n) {
    tern__sort_samples(samples, n);
    row->samples = n;
    row->median = tern__sample_quantile(samples, n, 0.5);
    row->p5 = tern__sample_quantile(samples, n, 0.05);
    row->p95 = tern__sample_quantile(samples, n, 0.95);
    row->p99 = tern__sample_quantile(samples, n, 0.99);
}

void tern__row_time(tern_bench_row *row, const tern_bench_result *result, int side, double units) {
    const tern_bench_side *s = &result->side[side];
    row->samples = result->samples;
    row->median = units * s->median;
    row->p5 = units * s->p5;
    row->p95 = units * s->p95;
    row->low = units * s->low;
    row->high = units * s->high;
    row->is_noisy = result->is_noisy;
}

void tern__row_rate(tern_bench_row *row, const tern_bench_result *result, int side, double work) {
    const tern_bench_side *s = &result->side[side];
    row->samples = result->samples;
    row->median = work / s->median;
    row->p5 = work / s->p95;
    row->p95 = work / s->p5;
    row->low = work / s->high;
    row->high = work / s->low;
    row->is_least = true;
    row->is_noisy = result->is_noisy;
}

void tern__row_ratio(tern_bench_row *row, const tern_bench_result *result, int side,
                     double factor) {
    row->samples = result->samples;
    row->median = factor * result->ratios[side];
    row->p5 = factor * result->ratios_p5[side];
    row->p95 = factor * result->ratios_p95[side];
    row->low = factor * result->ratios_low[side];
    row->high = factor * result->ratios_high[side];
    row->is_ratio = true;
    row->is_noisy = result->is_noisy;
}

void tern__row_work(tern_bench_row *row, const tern_bench_result *result, double operations,
                    double bytes) {
    row->operations = operations / result->side[0].median;
    row->bytes = bytes / result->side[0].median;
}

void tern__row_peer(tern_bench_row *row, const char *name, double median, double p99) {
    if (row->peer_count < TERN_BENCH_PEERS)
        row->peer[row->peer_count++] = (tern_bench_peer){name, median, p99, NULL};
}

void tern__row_peer_missing(tern_bench_row *row, const char *name, const char *reason) {
    if (row->peer_count < TERN_BENCH_PEERS)
        row->peer[row->peer_count++] = (tern_bench_peer){name, NAN, NAN, reason};
}

void tern__row_series(tern_bench_row *row, const tern_bench_series *series) {
    if (row->series_count < TERN_BENCH_SERIES)
        row->series[row->series_count++] = *series;
}

/* -- judging -----------------------------------------------------------------------------------*/

/* A bound that does not exist is met. */
static bool meets(double value, double bound, bool is_least) {
    return isnan(bound) || (is_least ? value >= bound : value <= bound);
}

static bool is_count(const tern_bench_row *row) {
    return row->samples == 1 && isnan(row->low);
}

/* Noise alone may have put the figure on its side of the floor: the interval of a noisy row has
 * both sides, or the floor is missed where other programs were at work. */
static bool is_doubtful(const tern_bench_row *row) {
    bool is_busy = row->load > TERN__NOISE_LOAD;
    if (is_count(row) || (!row->is_noisy && !is_busy))
        return false;
    if (is_busy && !meets(row->median, row->floor, row->is_least))
        return true;
    return meets(row->low, row->floor, row->is_least) !=
           meets(row->high, row->floor, row->is_least);
}

/* "noisy: other programs used 0.98 of a processor; 61.2 % is no verdict", and what was there. */
static void explain_doubt(tern_bench_row *row) {
    char before[TERN_BENCH_DETAIL], cause[96];
    const char *blank = row->unit[0] != '\0' ? " " : "";
    if (strstr(row->detail, " is no verdict") != NULL)
        return;
    if (row->load > TERN__NOISE_LOAD)
        snprintf(cause, sizeof cause, "other programs used %.2f of a processor", row->load);
    else
        snprintf(cause, sizeof cause, "%.3g .. %.3g%s%s", row->low, row->high, blank, row->unit);
    memcpy(before, row->detail, sizeof before);
    int length = snprintf(row->detail, sizeof row->detail, "noisy: %s; %.3g%s%s is no verdict%s",
                          cause, row->median, blank, row->unit, before[0] != '\0' ? "; " : "");
    size_t left = sizeof row->detail - (size_t)length;
    memcpy(row->detail + length, before, left);
    row->detail[sizeof row->detail - 1] = '\0';
}

void tern__row_tell(tern_bench_row *row, const char *why) {
    char before[TERN_BENCH_DETAIL];
    memcpy(before, row->detail, sizeof before);
    snprintf(row->detail, sizeof row->detail, "%.3g%s%s, not judged: %s%s%.200s", row->median,
             row->unit[0] != '\0' ? " " : "", row->unit, why, before[0] != '\0' ? "; " : "",
             before);
    row->median = row->p5 = row->p95 = row->p99 = row->low = row->high = NAN;
    row->samples = 0;
}

void tern__row_judge(tern_bench_row *row) {
    bool has_goal = !isnan(row->goal) || !isnan(row->goal_p99);
    row->verdict = TERN_BENCH_NOT_MEASURED;
    row->is_goal_met = false;
    if (isnan(row->median))
        return;
    if (!isnan(row->floor) && is_doubtful(row)) {
        explain_doubt(row);
        return;
    }
    double sure = !row->is_noisy || is_count(row) ? row->median
                  : row->is_least                 ? row->low
                                                  : row->high;
    row->is_goal_met = has_goal && meets(sure, row->goal, row->is_least) &&
                       meets(row->p99, row->goal_p99, row->is_least);
    bool is_met = meets(row->median, row->floor, row->is_least);
    row->verdict = isnan(row->floor) ? TERN_BENCH_NO_TARGET
                   : is_met          ? TERN_BENCH_PASS
                                     : TERN_BENCH_FAIL;
}

void tern__row_show(tern__table *table, tern_bench_row *row) {
    if (isnan(row->load))
        row->load = find_load(table);
    begin_window(table);
    if (row->load > TERN__NOISE_LOAD && !is_count(row) && !isnan(row->median))
        row->is_noisy = true;
    tern__row_judge(row);
    table->visit(table->user, row);
}

tern_status tern__row_failed(tern__table *table, tern_bench_row *row, tern_status status) {
    if (status != TERN_E_MEMORY && status != TERN_E_LIMIT && status != TERN_E_UNSUPPORTED)
        return status;
    row->median = NAN;
    snprintf(row->detail, sizeof row->detail, "%s", tern_last_error());
    tern__row_show(table, row);
    return TERN_OK;
}
