/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "validate/figures.h"
#include "validate/html.h"
#include "validate/report.h"

enum { LOG_RATIO = 40 }; /* from which on an interval's drawing is logarithmic */

/* -- figures -----------------------------------------------------------------------------------*/

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Three digits of a longer number. */
static bool is_group(const char *at) {
    return is_digit(at[0]) && is_digit(at[1]) && is_digit(at[2]) && !is_digit(at[3]);
}

/* Whether `at` begins an "x" that stands alone behind a number. */
static bool is_times(const char *at) {
    return at[0] == ' ' && at[1] == 'x' && strchr(" ,;.)", at[2]) != NULL;
}

void tern__html_figure(tern__text *page, const char *figure) {
    for (const char *at = figure; *at != '\0';) {
        size_t length = 1;
        if (strncmp(at, ">=", 2) == 0 || strncmp(at, "<=", 2) == 0) {
            tern__text_add(page, at[0] == '>' ? "&ge;" : "&le;");
            length = 2;
        } else if (strncmp(at, " .. ", 4) == 0) {
            tern__text_add(page, " &ndash; ");
            length = 4;
        } else if (*at == '-' && is_digit(at[1]) && (at == figure || at[-1] == ' ')) {
            tern__text_add(page, "&minus;");
        } else if (is_times(at)) {
            tern__text_add(page, "&nbsp;&times;");
            length = 2;
        } else if (*at == ' ' && at > figure && is_digit(at[-1]) && is_group(at + 1)) {
            tern__text_add(page, "&#8239;");
        } else if (*at == ' ' && at > figure && is_digit(at[-1])) {
            tern__text_add(page, "&nbsp;");
        } else {
            while (strchr(" <>", at[length]) == NULL)
                length++;
            tern__text_escape_some(page, at, length);
        }
        at += length;
    }
}

void tern__html_verdict(tern__text *page, tern_bench_verdict verdict) {
    static const char *const marks[] = {"&#10003;", "&#10007;", "&ndash;"};
    static const char *const classes[] = {"pass", "fail", "none"};
    if (verdict > TERN_BENCH_NOT_MEASURED)
        return;
    tern__text_print(page, "<span class='chip %s'><span aria-hidden='true'>", classes[verdict]);
    tern__text_add(page, marks[verdict]);
    tern__text_print(page, "</span> %s</span>", tern_bench_verdict_name(verdict));
}

/* -- intervals ---------------------------------------------------------------------------------*/

static tern__axis interval_axis(const tern_bench_row *row) {
    const double values[] = {row->median, row->low,   row->high, row->p5,
                             row->p95,    row->floor, row->goal};
    tern__axis axis = tern__axis_make(true);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        tern__axis_include(&axis, values[i]);
    bool is_positive = row->median > 0 && !(row->floor <= 0) && !(row->goal <= 0);
    if (is_positive && axis.high / axis.low > LOG_RATIO) {
        tern__axis_settle(&axis);
        return axis;
    }
    axis = tern__axis_make(false);
    tern__axis_include(&axis, 0);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        tern__axis_include(&axis, values[i]);
    axis.high += axis.high > axis.low ? (axis.high - axis.low) * 0.06 : 1;
    return axis;
}

static void add_range(tern__text *page, const tern__axis *axis, const char *class, double low,
                      double high, int y, int height) {
    if (!tern__axis_has(axis, low) || !tern__axis_has(axis, high))
        return;
    double begin = 100 * tern__axis_place(axis, low), end = 100 * tern__axis_place(axis, high);
    tern__text_print(page, "<rect class='%s' x='%.2f%%' width='%.2f%%' y='%d' height='%d' rx='1'/>",
                     class, begin, fmax(end - begin, 0.6), y, height);
}

static void add_tick(tern__text *page, const tern__axis *axis, const char *class, double value,
                     int y, int height) {
    if (!tern__axis_has(axis, value))
        return;
    double x = 100 * tern__axis_place(axis, value);
    tern__text_print(page, "<line class='%s' x1='%.2f%%' x2='%.2f%%' y1='%d' y2='%d'/>", class, x,
                     x, y, y + height);
}

void tern__html_interval(tern__text *page, const tern_bench_row *row) {
    char measured[TERN__FIGURE], floor[TERN__FIGURE];
    tern__axis axis = interval_axis(row);
    tern__text_print(page,
                     "<svg class='interval' height='22' role='img' aria-label='%s, floor %s'>",
                     tern__measured(row, measured), tern__bound(row, false, floor));
    tern__text_add(page, "<rect class='track' x='0' width='100%' y='9' height='4' rx='2'/>");
    if (tern__axis_has(&axis, row->floor))
        add_range(page, &axis, "zone", row->is_least ? row->floor : axis.low,
                  row->is_least ? axis.high : row->floor, 9, 4);
    add_range(page, &axis, "spread", row->p5, row->p95, 10, 2);
    add_range(page, &axis, "inner", row->low, row->high, 6, 10);
    add_tick(page, &axis, "goal", row->goal, 1, 20);
    add_tick(page, &axis, "floor", row->floor, 1, 20);
    add_tick(page, &axis, "median", row->median, 4, 14);
    tern__text_add(page, "</svg>");
}

void tern__html_interval_key(tern__text *page) {
    tern__text_add(
        page,
        "<p class='key'><span><svg width='36' height='22' aria-hidden='true'>"
        "<rect class='track' x='0' width='36' y='9' height='4' rx='2'/>"
        "<rect class='spread' x='3' width='30' y='10' height='2'/>"
        "<rect class='inner' x='10' width='16' y='6' height='10' rx='1'/>"
        "<line class='median' x1='18' x2='18' y1='4' y2='18'/></svg> median, its 95&nbsp;% "
        "interval, 5th to 95th percentile</span> "
        "<span><svg width='10' height='22' aria-hidden='true'>"
        "<line class='floor' x1='5' x2='5' y1='1' y2='21'/></svg> floor</span> "
        "<span><svg width='10' height='22' aria-hidden='true'>"
        "<line class='goal' x1='5' x2='5' y1='1' y2='21'/></svg> goal</span> "
        "<span><svg width='24' height='22' aria-hidden='true'>"
        "<rect class='zone' x='0' width='24' y='9' height='4' rx='2'/></svg> where the floor is "
        "met</span></p>\n");
}

/* -- rows --------------------------------------------------------------------------------------*/

static void add_peers(tern__text *page, const tern_bench_row *row) {
    char figure[TERN__FIGURE];
    for (int i = 0; i < row->peer_count; i++) {
        const tern_bench_peer *peer = &row->peer[i];
        tern__text_print(page, "<span class='peer'>%s ", peer->name);
        if (peer->reason != NULL)
            tern__text_print(page, "not measured: %s", peer->reason);
        else
            tern__html_figure(page, tern__quantity(peer->median, row->unit, figure));
        if (peer->reason == NULL && !isnan(peer->p99)) {
            tern__text_add(page, " (p99 ");
            tern__html_figure(page, tern__quantity(peer->p99, row->unit, figure));
            tern__text_add(page, ")");
        }
        tern__text_add(page, "</span>");
    }
}

static void add_what(tern__text *page, const tern_bench_row *row) {
    tern__text_print(page, "<th scope='row'>%s", row->what);
    if (row->detail[0] != '\0')
        tern__text_print(page, "<small>%s</small>", row->detail);
    if (row->peer_count > 0) {
        tern__text_add(page, "<small>beside it: ");
        add_peers(page, row);
        tern__text_add(page, "</small>");
    }
    tern__text_add(page, "</th>");
}

static void add_measured(tern__text *page, const tern_bench_row *row) {
    char figure[TERN__FIGURE], other[TERN__FIGURE];
    double divisor;
    tern__text_add(page, "<td class='n' data-label='measured'><span><b>");
    tern__html_figure(page, tern__quantity(row->median, row->unit, figure));
    tern__text_add(page, "</b>");
    if (isfinite(row->median) && isfinite(row->low) && isfinite(row->high)) {
        tern__unit_of(row->median, row->unit, &divisor);
        tern__text_add(page, " <small>");
        tern__html_figure(page, tern__figure(row->low / divisor, figure));
        tern__text_add(page, " &ndash; ");
        tern__html_figure(page, tern__figure(row->high / divisor, other));
        tern__text_add(page, "</small>");
    }
    if (!isnan(row->goal_p99) && !isnan(row->p99)) {
        tern__text_add(page, " <small>p99 ");
        tern__html_figure(page, tern__quantity(row->p99, row->unit, figure));
        tern__text_add(page, "</small>");
    }
    if (row->is_noisy)
        tern__text_add(page, " <small class='noisy'>noisy</small>");
    tern__text_add(page, "</span></td>");
}

static void add_bound(tern__text *page, const tern_bench_row *row, bool is_goal) {
    char figure[TERN__FIGURE];
    tern__bound(row, is_goal, figure);
    tern__text_print(page, "<td class='n%s' data-label='%s'><span>",
                     strcmp(figure, "-") == 0 ? " nil" : "", is_goal ? "goal" : "floor");
    tern__html_figure(page, figure);
    tern__text_add(page, "</span></td>");
}

static void add_row_verdict(tern__text *page, const tern_bench_row *row) {
    bool has_goal = !isnan(row->goal) || !isnan(row->goal_p99);
    tern__text_add(page, "<td data-label='verdict'><span>");
    tern__html_verdict(page, row->verdict);
    if (row->verdict != TERN_BENCH_NOT_MEASURED && has_goal)
        tern__text_print(page, "<small>goal %s</small>", row->is_goal_met ? "met" : "missed");
    else if (row->verdict == TERN_BENCH_NO_TARGET)
        tern__text_add(page, "<small>not judged</small>");
    tern__text_add(page, "</span></td>");
}

static void add_baseline(tern__text *page, const tern_report_row *owner) {
    char figure[TERN__FIGURE];
    if (owner->grade == TERN_GRADE_NONE) {
        tern__text_add(page, "<td class='n nil' data-label='baseline'><span>-</span></td>");
        return;
    }
    tern__text_add(page, "<td class='n' data-label='baseline'><span>");
    tern__html_figure(page, tern__quantity(owner->baseline, owner->row.unit, figure));
    tern__text_print(page, "<small class='grade %s'>%s", tern_grade_name(owner->grade),
                     tern_grade_name(owner->grade));
    if (owner->grade != TERN_GRADE_SAME) {
        tern__text_add(page, ", cost ");
        tern__html_figure(page, tern__change(owner->change, figure));
    }
    tern__text_add(page, "</small></span></td>");
}

static bool has_target(const tern_report_row *row, const char *id) {
    return strcmp(row->row.id, id) == 0;
}

const tern_report_row *tern__html_first(const tern_report *report, const char *id) {
    for (int64_t i = 0; i < report->row_count; i++)
        if (has_target(&report->rows[i], id))
            return &report->rows[i];
    return NULL;
}

void tern__html_rows(tern__text *page, const tern_report *report, const char *id) {
    bool has_baseline = false;
    if (tern__html_first(report, id) == NULL) {
        tern__text_add(page, "<p>The report has no row of this target.</p>\n");
        return;
    }
    for (int64_t i = 0; i < report->row_count; i++)
        has_baseline = has_baseline || (has_target(&report->rows[i], id) &&
                                        report->rows[i].grade != TERN_GRADE_NONE);
    tern__text_print(page,
                     "<table class='rows stack'><caption class='sr'>Rows of %s</caption><thead><tr>"
                     "<th scope='col'>what</th><th scope='col' class='n'>measured</th><th "
                     "scope='col' class='draw'><span class='sr'>interval</span></th><th "
                     "scope='col' class='n'>floor</th><th scope='col' class='n'>goal</th><th "
                     "scope='col'>verdict</th>",
                     id);
    tern__text_add(page, has_baseline ? "<th scope='col' class='n'>baseline</th>" : "");
    tern__text_add(page, "</tr></thead>\n<tbody>\n");
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_report_row *row = &report->rows[i];
        if (!has_target(row, id))
            continue;
        tern__text_add(page, "<tr>");
        add_what(page, &row->row);
        add_measured(page, &row->row);
        tern__text_print(page, "<td class='draw%s'>", isfinite(row->row.median) ? "" : " nil");
        if (isfinite(row->row.median))
            tern__html_interval(page, &row->row);
        tern__text_add(page, "</td>");
        add_bound(page, &row->row, false);
        add_bound(page, &row->row, true);
        add_row_verdict(page, &row->row);
        if (has_baseline)
            add_baseline(page, row);
        tern__text_add(page, "</tr>\n");
    }
    tern__text_add(page, "</tbody></table>\n");
}

void tern__html_command(tern__text *page, const tern_report *report, const tern_report_row *row) {
    char command[TERN__COMMAND];
    tern_report_command(report, row, command, sizeof command);
    tern__text_print(page, "<code class='command'>%s</code>", command);
}
