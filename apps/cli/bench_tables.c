/* SPDX-License-Identifier: MIT */
#include "bench_tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- for people --------------------------------------------------------------------------------*/

/* Three digits; "-" for what does not exist. */
static const char *number_text(double value, char *buffer, size_t size) {
    double magnitude = fabs(value);
    if (isnan(value))
        snprintf(buffer, size, "-");
    else if (value == floor(value) && magnitude < 1e6)
        snprintf(buffer, size, "%.0f", value);
    else
        snprintf(buffer, size, "%.*f", magnitude < 10 ? 2 : magnitude < 100 ? 1 : 0, value);
    return buffer;
}

/* "<= 20 (100)": of the median and, in parentheses, of the 99th percentile. */
static const char *bound_text(const tern_bench_row *row, double bound, double bound_p99,
                              char *buffer, size_t size) {
    char number[32], number_p99[32];
    if (isnan(bound) && isnan(bound_p99))
        return "-";
    snprintf(buffer, size, "%s %s%s%s%s",
             row->is_least ? ">=" : "<=", number_text(bound, number, sizeof number),
             isnan(bound_p99) ? "" : " (",
             isnan(bound_p99) ? "" : number_text(bound_p99, number_p99, sizeof number_p99),
             isnan(bound_p99) ? "" : ")");
    return buffer;
}

static const char *measured_text(const tern_bench_row *row, char *buffer, size_t size) {
    char median[32], p5[32], p95[32];
    if (isnan(row->median))
        return "-";
    const char *unit = row->unit;
    number_text(row->median, median, sizeof median);
    if (isnan(row->p5))
        snprintf(buffer, size, "%s%s%s", median, unit[0] != '\0' ? " " : "", unit);
    else
        snprintf(buffer, size, "%s %s (%s .. %s)", median, unit,
                 number_text(row->p5, p5, sizeof p5), number_text(row->p95, p95, sizeof p95));
    return buffer;
}

/* Lines below a row: words up to the table's width. */
static void print_below(const char *text) {
    for (size_t length; *text != '\0'; text += length) {
        length = cli_line_length(text, 90);
        printf("       %.*s\n", (int)length, text);
        while (text[length] == ' ')
            length++;
    }
}

static void print_peers(const tern_bench_row *row) {
    char text[TERN_BENCH_PEERS * 256] = "", median[32], p99[32];
    size_t length = 0;
    for (int i = 0; i < row->peer_count && length < sizeof text; i++) {
        const tern_bench_peer *peer = &row->peer[i];
        const char *between = i > 0 ? "; " : "";
        int written;
        if (peer->reason != NULL)
            written = snprintf(text + length, sizeof text - length, "%s%s NOT MEASURED: %s",
                               between, peer->name, peer->reason);
        else
            written = snprintf(text + length, sizeof text - length, "%s%s %s %s%s%s", between,
                               peer->name, number_text(peer->median, median, sizeof median),
                               row->unit, isnan(peer->p99) ? "" : ", p99 ",
                               isnan(peer->p99) ? "" : number_text(peer->p99, p99, sizeof p99));
        length += (size_t)written;
    }
    print_below(text);
}

/* A row without a verdict for it says so itself. */
static void print_noise(const tern_bench_row *row) {
    char text[128], low[32], high[32];
    if (!row->is_noisy || isnan(row->median) || strncmp(row->detail, "noisy: ", 7) == 0)
        return;
    snprintf(text, sizeof text, "noisy: the median is within %s .. %s%s%s",
             number_text(row->low, low, sizeof low), number_text(row->high, high, sizeof high),
             row->unit[0] != '\0' ? " " : "", row->unit);
    print_below(text);
}

static void print_row(const tern_bench_row *row) {
    char measured[128], p99[32], bound[96], goal[96], verdict[48];
    bool has_goal = !isnan(row->goal) || !isnan(row->goal_p99);
    bool is_measured = row->verdict != TERN_BENCH_NOT_MEASURED;
    snprintf(verdict, sizeof verdict, "%s%s", tern_bench_verdict_name(row->verdict),
             !is_measured || !has_goal ? ""
             : row->is_goal_met        ? ", goal met"
                                       : ", goal missed");
    printf("%-4s %-45s %-25s %7s %8s %-12s %s\n", row->id, row->what,
           measured_text(row, measured, sizeof measured), number_text(row->p99, p99, sizeof p99),
           bound_text(row, row->floor, NAN, bound, sizeof bound),
           bound_text(row, row->goal, row->goal_p99, goal, sizeof goal), verdict);
    print_peers(row);
    print_below(row->detail);
    print_noise(row);
}

static void print_head(void) {
    printf("%-4s %-45s %-25s %7s %8s %-12s %s\n", "id", "what", "median (p5 .. p95)", "p99",
           "floor", "goal (p99)", "result");
}

/* -- JSON --------------------------------------------------------------------------------------*/

static void print_value(const char *name, double value) {
    printf(", \"%s\": ", name);
    cli_print_json_number(stdout, value);
}

static void print_string(const char *name, const char *text) {
    printf("\"%s\": ", name);
    cli_print_json_string(stdout, text, strlen(text));
}

static void print_numbers(const char *name, const double *numbers, int64_t count) {
    printf(", \"%s\": [", name);
    for (int64_t i = 0; i < count; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        cli_print_json_number(stdout, numbers[i]);
    }
    putchar(']');
}

static void print_series_json(const tern_bench_series *series) {
    putchar('{');
    print_string("name", series->name);
    printf(", \"x_unit\": \"%s\", \"y_unit\": \"%s\"", series->x_unit, series->y_unit);
    print_numbers("x", series->x, series->count);
    print_numbers("y", series->y, series->count);
    if (series->label != NULL) {
        printf(", \"label\": [");
        for (int64_t i = 0; i < series->count; i++)
            printf("%s\"%s\"", i > 0 ? ", " : "", series->label[i]);
        putchar(']');
    }
    putchar('}');
}

static void print_row_json(const tern_bench_row *row) {
    putchar('{');
    print_string("target", row->id);
    printf(", ");
    print_string("what", row->what);
    printf(", \"unit\": \"%s\", \"samples\": %lld", row->unit, (long long)row->samples);
    print_value("median", row->median);
    print_value("p5", row->p5);
    print_value("p95", row->p95);
    print_value("p99", row->p99);
    print_value("low", row->low);
    print_value("high", row->high);
    print_value("load", row->load);
    print_value("operations", row->operations);
    print_value("bytes", row->bytes);
    printf(", \"ratio\": %s, \"noisy\": %s", row->is_ratio ? "true" : "false",
           row->is_noisy ? "true" : "false");
    printf(", \"bound\": \"%s\"", row->is_least ? "least" : "most");
    print_value("floor", row->floor);
    print_value("goal", row->goal);
    print_value("goal_p99", row->goal_p99);
    printf(", \"verdict\": \"%s\", \"goal_met\": %s, ", tern_bench_verdict_name(row->verdict),
           row->is_goal_met ? "true" : "false");
    print_string("detail", row->detail);
    printf(", \"peers\": [");
    for (int i = 0; i < row->peer_count; i++) {
        const tern_bench_peer *peer = &row->peer[i];
        printf("%s{\"name\": \"%s\"", i > 0 ? ", " : "", peer->name);
        print_value("median", peer->median);
        print_value("p99", peer->p99);
        if (peer->reason != NULL) {
            printf(", ");
            print_string("reason", peer->reason);
        }
        putchar('}');
    }
    printf("], \"series\": [");
    for (int i = 0; i < row->series_count; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        print_series_json(&row->series[i]);
    }
    printf("]}");
}

/* -- the table ---------------------------------------------------------------------------------*/

typedef struct printer {
    bool is_json;
    int rows;
} printer;

static void show_row(void *user, const tern_bench_row *row) {
    printer *t = user;
    if (t->is_json) {
        printf(t->rows > 0 ? ",\n" : "[\n");
        print_row_json(row);
    } else {
        if (t->rows == 0)
            print_head();
        print_row(row);
    }
    t->rows++;
    cli_flush();
}

void cli_restart_with_room(int argc, char **argv) {
    const char *tunable = tern_bench_memory_tunable();
    const char *given = getenv("GLIBC_TUNABLES");
    if (tunable == NULL ||
        (given != NULL && strstr(given, "glibc.rtld.optional_static_tls") != NULL))
        return;
    char value[4096];
    int length = snprintf(value, sizeof value, "%s%s%s", given != NULL ? given : "",
                          given != NULL && given[0] != '\0' ? ":" : "", tunable);
    char **words = calloc((size_t)argc + 2, sizeof *words);
    if (words != NULL && length < (int)sizeof value && setenv("GLIBC_TUNABLES", value, 1) == 0) {
        words[0] = (char[]){"tern"};
        memcpy(words + 1, argv, (size_t)argc * sizeof *words);
        execv("/proc/self/exe", words);
    }
    free(words);
}

int cli_bench_show(const tern_bench_table *table, const tern_bench_table_options *options,
                   bool is_json, int argc, char **argv) {
    printer p = {.is_json = is_json};
    if (table->run == tern_bench_memory)
        cli_restart_with_room(argc, argv);
    tern_status status = table->run(options, show_row, &p);
    if (is_json)
        puts(p.rows > 0 ? "\n]" : "[]");
    return status == TERN_OK ? CLI_OK : cli_fail_library(NULL);
}
