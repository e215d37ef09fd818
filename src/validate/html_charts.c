/* SPDX-License-Identifier: MIT
 * Bars of speedups, distributions of latencies, memory over time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "validate/figures.h"
#include "validate/html.h"
#include "validate/pivot.h"
#include "validate/report.h"

enum { MOST_PANELS = 12, PANEL = 96, BAR_HEIGHT = 22, LINE_HEIGHT = 220 };

static bool has_target(const tern_bench_row *row, const char *id) {
    return strcmp(row->id, id) == 0;
}

static void say_nothing(tern__text *page, const char *what) {
    tern__text_print(page, "<p class='empty'>This report has no %s.</p>\n", what);
}

/* -- bars --------------------------------------------------------------------------------------*/

/* What rows of one panel share: the unit and the part of their words between the first two commas.
 */
static void panel_of(const tern_bench_row *row, char panel[PANEL]) {
    const char *begin = strchr(row->what, ',');
    begin = begin != NULL ? begin + strspn(begin, ", ") : "";
    snprintf(panel, PANEL, "%.16s\n%.*s", row->unit,
             (int)strcspn(begin, ",") < PANEL / 2 ? (int)strcspn(begin, ",") : PANEL / 2, begin);
}

static bool is_in_panel(const tern_bench_row *row, const char *id, const char *panel) {
    char own[PANEL];
    panel_of(row, own);
    return has_target(row, id) && !isnan(row->median) && strcmp(own, panel) == 0;
}

/* One scale for all rows of a unit, so that panels can be compared. */
static tern__axis bar_axis(const tern_report *report, const char *id, const char *unit) {
    tern__axis axis = tern__axis_make(false);
    tern__axis_include(&axis, 0);
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (!has_target(row, id) || strcmp(row->unit, unit) != 0)
            continue;
        tern__axis_include(&axis, row->median);
        tern__axis_include(&axis, row->high);
        tern__axis_include(&axis, row->floor);
        tern__axis_include(&axis, row->goal);
    }
    tern__axis_settle(&axis);
    return axis;
}

static void add_bar_line(tern__text *page, const tern__axis *axis, const char *class, double value,
                         int y1, int y2) {
    if (!tern__axis_has(axis, value))
        return;
    double x = 100 * tern__axis_place(axis, value);
    tern__text_print(page, "<line class='%s' x1='%.2f%%' x2='%.2f%%' y1='%d' y2='%d'/>", class, x,
                     x, y1, y2);
}

/* Lines behind a bar, or the numbers below all of them. */
static void add_grid(tern__text *page, const tern__axis *axis, bool has_labels) {
    char figure[TERN__FIGURE];
    bool is_minor;
    for (int i = 0; i < TERN__TICKS; i++) {
        double tick = tern__axis_tick(axis, i, &is_minor);
        if (isnan(tick))
            break;
        double x = 100 * tern__axis_place(axis, tick);
        if (!has_labels)
            add_bar_line(page, axis, "grid", tick, 0, BAR_HEIGHT);
        else
            tern__text_print(page, "<text class='x%s' x='%.2f%%' y='15'>%s</text>",
                             is_minor ? " few" : "", x, tern__round_quantity(tick, "", figure));
    }
}

/* What a row tells behind its second comma. */
static const char *rest_of(const tern_bench_row *row) {
    const char *at = strchr(row->what, ',');
    at = at != NULL ? strchr(at + 1, ',') : NULL;
    return at != NULL ? at + strspn(at, ", ") : "";
}

static void add_bar(tern__text *page, const tern__axis *axis, const tern_report_row *owner,
                    bool has_rest) {
    const tern_bench_row *row = &owner->row;
    char measured[TERN__FIGURE], floor[TERN__FIGURE], goal[TERN__FIGURE];
    int name_bytes = (int)strcspn(row->what, ",");
    tern__text_add(page, "<li><span class='name'>");
    tern__text_escape_some(page, row->what, (size_t)name_bytes);
    tern__text_print(page, "<small>%s</small></span>", has_rest ? rest_of(row) : "");
    tern__text_print(page, "<svg height='%d' role='img' aria-label='%s: %s", BAR_HEIGHT, row->what,
                     tern__measured(row, measured));
    tern__text_print(page, ", floor %s, goal %s'>", tern__bound(row, false, floor),
                     tern__bound(row, true, goal));
    add_grid(page, axis, false);
    tern__text_print(page, "<rect class='bar%s' x='0' width='%.2f%%' y='5' height='12' rx='1'/>",
                     row->verdict == TERN_BENCH_FAIL ? " failed" : "",
                     100 * tern__axis_place(axis, row->median));
    if (tern__axis_has(axis, row->low) && tern__axis_has(axis, row->high)) {
        double begin = 100 * tern__axis_place(axis, row->low);
        double end = 100 * tern__axis_place(axis, row->high);
        tern__text_print(page, "<line class='whisker' x1='%.2f%%' x2='%.2f%%' y1='11' y2='11'/>",
                         begin, end);
        add_bar_line(page, axis, "whisker", row->low, 7, 15);
        add_bar_line(page, axis, "whisker", row->high, 7, 15);
    }
    add_bar_line(page, axis, "floor", row->floor, 1, 21);
    add_bar_line(page, axis, "goal", row->goal, 1, 21);
    tern__text_print(page, "<title>%s: %s</title></svg><span class='value'>", row->what, measured);
    tern__html_figure(page, tern__quantity(row->median, row->unit, measured));
    tern__text_add(page, "</span></li>\n");
}

/* What all rows of a panel tell alike; "" when they differ. */
static const char *common_rest(const tern_report *report, const char *id, const char *panel) {
    const char *rest = NULL;
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (!is_in_panel(row, id, panel))
            continue;
        if (rest != NULL && strcmp(rest, rest_of(row)) != 0)
            return "";
        rest = rest_of(row);
    }
    return rest != NULL ? rest : "";
}

static void add_panel(tern__text *page, const tern_report *report, const char *id,
                      const char *panel) {
    char unit[PANEL];
    snprintf(unit, sizeof unit, "%.*s", (int)strcspn(panel, "\n"), panel);
    const char *size = panel + strlen(unit) + 1;
    tern__axis axis = bar_axis(report, id, unit);
    tern__text_add(page, "<figure class='panel'><figcaption>");
    tern__text_print(page, "%s%s", size, size[0] != '\0' ? " elements: " : "");
    if (strcmp(unit, "x") == 0)
        tern__text_add(page, "times as fast as plain code (&times;)");
    else if (strcmp(unit, "%") == 0)
        tern__text_add(page, "share of the bandwidth (%)");
    else
        tern__text_print(page, "%s", unit);
    const char *rest = common_rest(report, id, panel);
    tern__text_print(page, " <small>%s</small></figcaption><ul class='bars'>\n", rest);
    for (int64_t i = 0; i < report->row_count; i++)
        if (is_in_panel(&report->rows[i].row, id, panel))
            add_bar(page, &axis, &report->rows[i], rest[0] == '\0');
    tern__text_add(page, "<li aria-hidden='true'><span class='name'></span><svg height='22'>");
    add_grid(page, &axis, true);
    tern__text_add(page, "</svg><span class='value'></span></li></ul></figure>\n");
}

void tern__html_speedups(tern__text *page, const tern_report *report) {
    char panels[MOST_PANELS][PANEL], panel[PANEL];
    int count = 0;
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (!has_target(row, "T2") || isnan(row->median))
            continue;
        panel_of(row, panel);
        int at = 0;
        while (at < count && strcmp(panels[at], panel) != 0)
            at++;
        if (at == count && count < MOST_PANELS)
            memcpy(panels[count++], panel, PANEL);
    }
    if (count == 0) {
        say_nothing(page, "measured rows of T2");
        return;
    }
    tern__text_add(page,
                   "<p class='key'><span><svg width='36' height='22' aria-hidden='true'><rect "
                   "class='bar' x='0' width='30' y='5' height='12'/><line class='whisker' x1='25' "
                   "x2='35' y1='11' y2='11'/></svg> median and its 95&nbsp;% interval</span> "
                   "<span><svg width='10' height='22' aria-hidden='true'><line class='floor' "
                   "x1='5' x2='5' y1='1' y2='21'/></svg> floor</span> <span><svg width='10' "
                   "height='22' aria-hidden='true'><line class='goal' x1='5' x2='5' y1='1' "
                   "y2='21'/></svg> goal</span></p>\n<div class='columns'>\n");
    for (int i = 0; i < count; i++)
        add_panel(page, report, "T2", panels[i]);
    tern__text_add(page, "</div>\n");
}

/* -- lines -------------------------------------------------------------------------------------*/

/* The colors and dashes of lines, with the names of their series. */
static void add_line_legend(tern__text *page, const tern_bench_row *row) {
    tern__text_add(page, "<p class='key'>");
    for (int i = 0; i < row->series_count; i++)
        tern__text_print(page,
                         "<span><svg width='36' height='14' aria-hidden='true'><line class='line "
                         "c%d' x1='2' x2='34' y1='7' y2='7'/></svg> %s</span> ",
                         i % TERN__COLORS, row->series[i].name);
    tern__text_add(page, "</p>\n");
}

static void include_series(tern__frame *frame, const tern_bench_series *series) {
    for (int64_t i = 0; i < series->count; i++) {
        tern__axis_include(&frame->x, series->x[i]);
        tern__axis_include(&frame->y, series->y[i]);
    }
}

/* Narrows the horizontal axis to where any series has something. */
static void include_tall(tern__frame *frame, const tern_bench_row *row) {
    double most = 0;
    for (int i = 0; i < row->series_count; i++)
        for (int64_t j = 0; j < row->series[i].count; j++)
            most = row->series[i].y[j] > most ? row->series[i].y[j] : most;
    for (int i = 0; i < row->series_count; i++) {
        const tern_bench_series *series = &row->series[i];
        for (int64_t j = 0; j < series->count; j++) {
            if (!(series->y[j] > 0.002 * most))
                continue;
            tern__axis_include(&frame->x, series->x[j > 0 ? j - 1 : j]);
            tern__axis_include(&frame->x, series->x[j + 1 < series->count ? j + 1 : j]);
            tern__axis_include(&frame->y, series->y[j]);
        }
    }
}

static void add_lines(tern__text *page, const tern_bench_row *row, const tern__frame *frame,
                      const char *label) {
    char figure[TERN__FIGURE], words[TERN__FIGURE + 16];
    tern__text_print(page, "<figure class='panel'><figcaption>%s</figcaption>", row->what);
    tern__frame_begin(page, frame, label);
    for (int i = row->series_count - 1; i >= 0; i--)
        tern__frame_line(page, frame, &row->series[i], i, frame->has_marks && i == 0);
    if (frame->has_marks) {
        snprintf(words, sizeof words, "floor %.80s",
                 tern__round_quantity(row->floor, row->unit, figure));
        tern__frame_mark(page, frame, row->floor, words, 0);
        snprintf(words, sizeof words, "goal %.80s",
                 tern__round_quantity(row->goal, row->unit, figure));
        tern__frame_mark(page, frame, row->goal, words, 1);
    }
    tern__frame_end(page);
    tern__text_print(page, "<p class='axis end'>%s</p>", frame->x_name);
    add_line_legend(page, row);
    tern__text_add(page, "</figure>\n");
}

/* "% of batches" as the name of an axis; a unit of bytes or of time is said by the ticks. */
static const char *axis_name(const char *unit) {
    static const char *const spoken[][2] = {
        {"ns", "time, logarithmic"}, {"s", "time"}, {"B", "memory"}, {"", "number"}};
    for (size_t i = 0; i < sizeof spoken / sizeof spoken[0]; i++)
        if (strcmp(spoken[i][0], unit) == 0)
            return spoken[i][1];
    return unit;
}

/* The unit that the ticks of an axis show. */
static const char *tick_unit(const char *unit) {
    return strcmp(axis_name(unit), unit) == 0 ? "" : unit;
}

static bool has_numbers(const tern_bench_row *row) {
    return row->series_count > 0 && row->series[0].count > 0 && row->series[0].label == NULL;
}

void tern__html_latencies(tern__text *page, const tern_report *report) {
    int count = 0;
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (!has_target(row, "T3") || !has_numbers(row))
            continue;
        tern__frame frame = {.x = tern__axis_make(true),
                             .y = tern__axis_make(false),
                             .height = LINE_HEIGHT,
                             .x_name = axis_name(row->series[0].x_unit),
                             .x_unit = tick_unit(row->series[0].x_unit),
                             .y_name = axis_name(row->series[0].y_unit),
                             .y_unit = tick_unit(row->series[0].y_unit),
                             .has_marks = true};
        tern__axis_include(&frame.y, 0);
        include_tall(&frame, row);
        tern__axis_settle(&frame.x);
        tern__axis_settle(&frame.y);
        tern__text_add(page, count++ == 0 ? "<div class='panels'>\n" : "");
        add_lines(page, row, &frame, "How the times of one tensor are distributed");
    }
    if (count > 0)
        tern__text_add(page, "</div>\n");
    else
        say_nothing(page, "distribution of T3");
}

/* What changes little is shown without the zero, what is of very different sizes on a logarithmic
 * axis; both say so. */
static void settle_memory(tern__frame *frame, const tern_bench_row *row, char name[TERN__FIGURE]) {
    for (int i = 0; i < row->series_count; i++)
        include_series(frame, &row->series[i]);
    bool is_flat = frame->y.high - frame->y.low < 0.3 * frame->y.high;
    frame->y.is_log = frame->y.low > 0 && frame->y.high > 50 * frame->y.low;
    snprintf(name, TERN__FIGURE, "%.48s%s", axis_name(row->series[0].y_unit),
             frame->y.is_log ? ", logarithmic"
             : is_flat       ? "; the axis does not begin at 0"
                             : "");
    if (!is_flat && !frame->y.is_log)
        tern__axis_include(&frame->y, 0);
    tern__axis_settle(&frame->x);
    tern__axis_settle(&frame->y);
}

void tern__html_memory(tern__text *page, const tern_report *report) {
    char name[TERN__FIGURE];
    int count = 0;
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (!has_target(row, "T5a") || !has_numbers(row))
            continue;
        tern__frame frame = {.x = tern__axis_make(false),
                             .y = tern__axis_make(false),
                             .height = LINE_HEIGHT + 40,
                             .x_name = axis_name(row->series[0].x_unit),
                             .x_unit = tick_unit(row->series[0].x_unit),
                             .y_name = name,
                             .y_unit = tick_unit(row->series[0].y_unit)};
        settle_memory(&frame, row, name);
        add_lines(page, row, &frame, "Memory over the course of the run");
        count++;
    }
    if (count == 0)
        say_nothing(page, "course of T5a");
}
