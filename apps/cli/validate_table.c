/* SPDX-License-Identifier: MIT */
#include "validate_table.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

enum {
    ID_WIDTH = 4,
    VERDICT_WIDTH = 12,
    MEASURED_WIDTH = 12, /* without the interval */
    INTERVAL_WIDTH = 28, /* with it */
    FLOOR_WIDTH = 8,
    GOAL_WIDTH = 8,
    P99_WIDTH = 14, /* of the goal with that of the 99th percentile */
    GRADE_WIDTH = 16,
    LEAST_WHAT = 30, /* what is told of a row has so much room, if anything can give way */
    MOST_WHAT = 60,
    INDENT = 5,
};

/* -- words -------------------------------------------------------------------------------------*/

/* Three or four digits, thousands as a prefix: "13.2", "1.23 G". "-" for what does not exist. */
static const char *number_text(double value, char *buffer, size_t size) {
    static const char *const prefixes[] = {"", " k", " M", " G", " T", " P"};
    double magnitude = fabs(value);
    int prefix = 0;
    if (!isfinite(value)) {
        snprintf(buffer, size, "%s", isnan(value) ? "-" : value > 0 ? "inf" : "-inf");
        return buffer;
    }
    for (; magnitude >= 99999.5 || (prefix > 0 && magnitude >= 999.5); prefix++) {
        magnitude /= 1000;
        value /= 1000;
        if (prefix == 5)
            break;
    }
    bool is_whole = value == floor(value) && prefix == 0;
    snprintf(buffer, size, "%.*f%s",
             is_whole            ? 0
             : magnitude < 9.995 ? 2
             : magnitude < 99.95 ? 1
                                 : 0,
             value, prefixes[prefix]);
    return buffer;
}

/* "13.2 ns", "1.23 GB/s". */
static const char *figure_text(double value, const char *unit, char *buffer, size_t size) {
    char number[32];
    number_text(value, number, sizeof number);
    bool is_joined = unit[0] == '\0' || strchr(number, ' ') != NULL;
    snprintf(buffer, size, "%s%s%s", number, is_joined ? "" : " ", isnan(value) ? "" : unit);
    return buffer;
}

static const char *bound_text(const tern_bench_row *row, double bound, double bound_p99,
                              char *buffer, size_t size) {
    char number[32], number_p99[32];
    if (isnan(bound) && isnan(bound_p99))
        return "-";
    number_text(bound, number, sizeof number);
    number_text(bound_p99, number_p99, sizeof number_p99);
    const char *sign = row->is_least ? ">=" : "<=";
    if (isnan(bound_p99))
        snprintf(buffer, size, "%s %s", sign, number);
    else
        snprintf(buffer, size, "%s %s (%s)", sign, number, number_p99);
    return buffer;
}

/* "~" stands for a noisy row. */
static const char *measured_text(const tern_bench_row *row, bool has_interval, char *buffer,
                                 size_t size) {
    char figure[64], low[32], high[32];
    const char *noise = row->is_noisy ? "~" : "";
    if (isnan(row->median))
        return "-";
    figure_text(row->median, row->unit, figure, sizeof figure);
    if (isnan(row->low) || !has_interval)
        snprintf(buffer, size, "%s%s", noise, figure);
    else
        snprintf(buffer, size, "%s%s (%s .. %s)", noise, figure,
                 number_text(row->low, low, sizeof low), number_text(row->high, high, sizeof high));
    return buffer;
}

static const char *grade_text(const tern_report_row *row, char *buffer, size_t size) {
    if (row->grade == TERN_GRADE_NONE)
        return isnan(row->baseline) ? "new" : "-";
    if (!isfinite(row->change))
        snprintf(buffer, size, "from 0: %s", tern_grade_name(row->grade));
    else
        snprintf(buffer, size, "%+.*f %% %s", fabs(row->change) < 99.95 ? 1 : 0, row->change,
                 tern_grade_name(row->grade));
    return buffer;
}

static const char *verdict_text(const tern_bench_row *row) {
    if (row->verdict == TERN_BENCH_PASS && row->is_goal_met)
        return "PASS, goal";
    return tern_bench_verdict_name(row->verdict);
}

/* -- colours -----------------------------------------------------------------------------------*/

static const char *verdict_color(tern_bench_verdict verdict) {
    return verdict == TERN_BENCH_PASS           ? "\033[32m"
           : verdict == TERN_BENCH_FAIL         ? "\033[1;31m"
           : verdict == TERN_BENCH_NOT_MEASURED ? "\033[33m"
                                                : "";
}

static const char *grade_color(tern_grade grade) {
    return grade >= TERN_GRADE_MODERATE ? "\033[1;31m"
           : grade == TERN_GRADE_MINOR  ? "\033[33m"
           : grade == TERN_GRADE_BETTER ? "\033[32m"
                                        : "";
}

/* Text of a report, which may have come from anywhere: a "?" for what could drive a terminal. */
void cli_report_text(FILE *out, const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i],
                      next = i + 1 < bytes ? (unsigned char)text[i + 1] : 0;
        bool is_c1 = c == 0xC2 && next >= 0x80 && next < 0xA0;
        fputc(c < ' ' || c == 0x7F || is_c1 ? '?' : c, out);
        i += is_c1;
    }
}

static void print_text(const cli_report_table *t, const char *text) {
    cli_report_text(t->out, text, strlen(text));
}

/* A blank, then the text in a column; no blanks behind the last one of a line. */
static void print_cell(const cli_report_table *t, int width, const char *color, const char *text) {
    bool is_colored = t->has_color && color[0] != '\0';
    fprintf(t->out, " %s", is_colored ? color : "");
    print_text(t, text);
    fputs(is_colored ? "\033[0m" : "", t->out);
    int length = (int)strlen(text);
    if (length < width)
        fprintf(t->out, "%*s", width - length, "");
}

/* The id in its column, and a blank. */
static void print_id(const cli_report_table *t, const char *id) {
    int length = (int)strlen(id);
    print_text(t, id);
    fprintf(t->out, "%*s ", length < ID_WIDTH ? ID_WIDTH - length : 0, "");
}

/* Words in lines up to `width`, each behind `indent` blanks. */
static void print_lines(FILE *out, int indent, int width, const char *text) {
    for (size_t length; *text != '\0'; text += length) {
        text += strspn(text, " ");
        length = cli_line_length(text, (size_t)(width > indent + 20 ? width - indent : 20));
        fprintf(out, "%*s", indent, "");
        cli_report_text(out, text, length);
        fputc('\n', out);
    }
}

/* -- the table ---------------------------------------------------------------------------------*/

static int other_columns(const cli_report_table *t) {
    return ID_WIDTH + 1 + t->measured + 1 + t->floor + 1 + t->goal + 1 + VERDICT_WIDTH +
           (t->grade > 0 ? t->grade + 1 : 0) + 1;
}

static int line_width(const cli_report_table *t) {
    return other_columns(t) + t->what;
}

cli_report_table cli_report_table_open(FILE *out, int width, bool has_baseline, bool has_color,
                                       bool has_details) {
    cli_report_table t = {.out = out,
                          .measured = INTERVAL_WIDTH,
                          .floor = FLOOR_WIDTH,
                          .goal = P99_WIDTH,
                          .grade = has_baseline ? GRADE_WIDTH : 0,
                          .has_color = has_color,
                          .has_details = has_details,
                          .has_interval = true,
                          .has_p99 = true};
    if (width - other_columns(&t) < LEAST_WHAT) {
        t.goal = GOAL_WIDTH;
        t.has_p99 = false;
    }
    if (width - other_columns(&t) < LEAST_WHAT) {
        t.measured = MEASURED_WIDTH;
        t.has_interval = false;
    }
    t.what = width - other_columns(&t);
    t.what = t.what > MOST_WHAT ? MOST_WHAT : t.what < 10 ? 10 : t.what;
    return t;
}

static void print_head(const cli_report_table *t) {
    fprintf(t->out, "%-*s", ID_WIDTH, "id");
    print_cell(t, t->what, "", "what");
    print_cell(t, t->measured, "", t->has_interval ? "measured (95 %)" : "measured");
    print_cell(t, t->floor, "", "floor");
    print_cell(t, t->goal, "", t->has_p99 ? "goal (p99)" : "goal");
    print_cell(t, t->grade > 0 ? VERDICT_WIDTH : 0, "", "verdict");
    if (t->grade > 0)
        print_cell(t, 0, "", "cost");
    fputc('\n', t->out);
}

/* "openblas 0.91; dnnl NOT MEASURED: it is not installed" */
static void print_peers(const cli_report_table *t, const tern_bench_row *row) {
    char text[TERN_BENCH_PEERS * 256] = "", median[64];
    for (int i = 0; i < row->peer_count; i++) {
        const tern_bench_peer *peer = &row->peer[i];
        size_t used = strlen(text);
        const char *between = i > 0 ? "; " : "";
        if (peer->reason != NULL)
            snprintf(text + used, sizeof text - used, "%s%s: not measured, %s", between, peer->name,
                     peer->reason);
        else
            snprintf(text + used, sizeof text - used, "%s%s: %s", between, peer->name,
                     figure_text(peer->median, row->unit, median, sizeof median));
    }
    print_lines(t->out, INDENT, line_width(t), text);
}

static void print_details(const cli_report_table *t, const tern_report_row *row) {
    bool is_explained =
        row->row.verdict == TERN_BENCH_FAIL || row->row.verdict == TERN_BENCH_NOT_MEASURED;
    if (t->has_details)
        print_peers(t, &row->row);
    if (t->has_details || is_explained)
        print_lines(t->out, INDENT, line_width(t), row->row.detail);
}

void cli_report_table_row(cli_report_table *t, const tern_report_row *row) {
    char measured[160], bound[80], goal[80], grade[48];
    const tern_bench_row *r = &row->row;
    if (!t->is_begun)
        print_head(t);
    t->is_begun = true;
    size_t length = cli_line_length(r->what, (size_t)t->what);
    print_id(t, r->id);
    cli_report_text(t->out, r->what, length);
    fprintf(t->out, "%*s", (int)length < t->what ? t->what - (int)length : 0, "");
    print_cell(t, t->measured, "", measured_text(r, t->has_interval, measured, sizeof measured));
    print_cell(t, t->floor, "", bound_text(r, r->floor, NAN, bound, sizeof bound));
    print_cell(t, t->goal, "",
               bound_text(r, r->goal, t->has_p99 ? r->goal_p99 : NAN, goal, sizeof goal));
    print_cell(t, t->grade > 0 ? VERDICT_WIDTH : 0, verdict_color(r->verdict), verdict_text(r));
    if (t->grade > 0)
        print_cell(t, 0, grade_color(row->grade), grade_text(row, grade, sizeof grade));
    fputc('\n', t->out);
    print_lines(t->out, INDENT, t->what + INDENT, r->what + length);
    print_details(t, row);
}

/* -- below it ----------------------------------------------------------------------------------*/

static void print_counts(const cli_report_table *t, const tern_report *report) {
    int64_t goals = 0, noisy = 0;
    for (int64_t i = 0; i < tern_report_row_count(report); i++) {
        const tern_bench_row *row = &tern_report_row_at(report, i)->row;
        goals += row->verdict == TERN_BENCH_PASS && row->is_goal_met;
        noisy += row->is_noisy;
    }
    fprintf(t->out,
            "\n%lld rows: %lld PASS (%lld with the goal), %lld FAIL, %lld NOT MEASURED, %lld "
            "without a floor\n",
            (long long)tern_report_row_count(report),
            (long long)tern_report_count(report, TERN_BENCH_PASS), (long long)goals,
            (long long)tern_report_count(report, TERN_BENCH_FAIL),
            (long long)tern_report_count(report, TERN_BENCH_NOT_MEASURED),
            (long long)tern_report_count(report, TERN_BENCH_NO_TARGET));
    if (noisy > 0)
        fprintf(t->out,
                "%lld rows are noisy (~): this machine was busy with something else, their "
                "intervals are wider\n",
                (long long)noisy);
}

static void print_failures(const cli_report_table *t, const tern_report *report) {
    char figure[160], bound[80];
    if (tern_report_count(report, TERN_BENCH_FAIL) == 0)
        return;
    fprintf(t->out, "\nFAIL:\n");
    for (int64_t i = 0; i < tern_report_row_count(report); i++) {
        const tern_bench_row *row = &tern_report_row_at(report, i)->row;
        if (row->verdict != TERN_BENCH_FAIL)
            continue;
        fputs("  ", t->out);
        print_id(t, row->id);
        print_text(t, row->what);
        fprintf(t->out, ": %s, floor %s\n", measured_text(row, true, figure, sizeof figure),
                bound_text(row, row->floor, NAN, bound, sizeof bound));
    }
}

/* Worst first. */
static void print_changes(const cli_report_table *t, const tern_report *report) {
    char now[64], before[64], change[48];
    if (t->grade == 0)
        return;
    fprintf(t->out, "\ncost against the baseline:");
    for (int grade = TERN_GRADE_CRITICAL; grade > TERN_GRADE_NONE; grade--)
        fprintf(t->out, "%s %lld %s", grade < TERN_GRADE_CRITICAL ? "," : "",
                (long long)tern_report_grades(report, (tern_grade)grade),
                tern_grade_name((tern_grade)grade));
    fputc('\n', t->out);
    for (int grade = TERN_GRADE_CRITICAL; grade >= TERN_GRADE_MINOR; grade--)
        for (int64_t i = 0; i < tern_report_row_count(report); i++) {
            const tern_report_row *row = tern_report_row_at(report, i);
            if (row->grade != (tern_grade)grade)
                continue;
            fprintf(t->out, "  %-19s ", grade_text(row, change, sizeof change));
            print_id(t, row->row.id);
            print_text(t, row->row.what);
            fprintf(t->out, ": %s, before %s\n",
                    figure_text(row->row.median, row->row.unit, now, sizeof now),
                    figure_text(row->baseline, row->row.unit, before, sizeof before));
        }
}

static void print_checklist(const cli_report_table *t, const tern_report *report) {
    fprintf(t->out, "\nchecklist of the first report:\n");
    for (int i = 0; i < tern_report_item_count(report); i++) {
        const tern_report_item *item = tern_report_item_at(report, i);
        fputc(' ', t->out);
        print_cell(t, VERDICT_WIDTH, verdict_color(item->verdict),
                   tern_bench_verdict_name(item->verdict));
        fputc(' ', t->out);
        print_text(t, item->text);
        fputc('\n', t->out);
        print_lines(t->out, VERDICT_WIDTH + 3, line_width(t), item->found);
    }
}

void cli_report_summary(cli_report_table *t, const tern_report *report, bool has_checklist) {
    print_counts(t, report);
    print_failures(t, report);
    print_changes(t, report);
    if (has_checklist)
        print_checklist(t, report);
}

/* -- the list of targets -----------------------------------------------------------------------*/

static int64_t count_rows(const tern_report *report, const char *id) {
    int64_t count = 0;
    for (int64_t i = 0; i < tern_report_row_count(report); i++)
        count += strcmp(tern_report_row_at(report, i)->row.id, id) == 0;
    return count;
}

void cli_report_list(FILE *out, int width, const tern_report *listed) {
    char bounds[512];
    for (int i = 0; i < tern_target_count(); i++) {
        const tern_target *target = tern_target_at(i);
        int64_t rows = count_rows(listed, target->id);
        if (rows == 0)
            continue;
        fprintf(out, "%-*s %s (tern bench %s, %lld row%s)\n", ID_WIDTH, target->id, target->title,
                target->table, (long long)rows, rows == 1 ? "" : "s");
        snprintf(bounds, sizeof bounds, "floor %s; goal %s", target->floor, target->goal);
        print_lines(out, INDENT, width, bounds);
    }
    static const char *const others[] = {"KERN", "ROOF", "OPS"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (count_rows(listed, others[i]) > 0)
            fprintf(out, "%-*s no target (%lld rows)\n", ID_WIDTH, others[i],
                    (long long)count_rows(listed, others[i]));
}
