/* SPDX-License-Identifier: MIT */
#include "validate/plot.h"

#include <math.h>
#include <stdio.h>

#include "base/realmath.h"
#include "validate/figures.h"

enum {
    MOST_POINTS = 400, /* of a line; where there are more, the least and the largest of a few */
    MOST_DECADES = 12, /* with a tick each */
    STEPS = 5,         /* of an axis that is not logarithmic, about */
};

/* Beyond it nothing is drawn: axes have room to be widened. */
#define LARGEST 1e200

/* -- axes --------------------------------------------------------------------------------------*/

static double log_10(double x) {
    return tern__log(x) / 2.302585092994045684;
}

/* 10 to a whole power of at most 300, exactly where that is a double. */
static double power_of_10(double power) {
    double product = 1;
    for (int i = 0; i < fabs(power); i++)
        product *= 10;
    return power < 0 ? 1 / product : product;
}

tern__axis tern__axis_make(bool is_log) {
    return (tern__axis){.is_log = is_log, .low = INFINITY, .high = -INFINITY};
}

static bool can_show(const tern__axis *axis, double value) {
    return fabs(value) < LARGEST && (!axis->is_log || value > 1 / LARGEST);
}

void tern__axis_include(tern__axis *axis, double value) {
    if (!can_show(axis, value))
        return;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

/* 1, 2 or 5 times a power of ten. */
static double step_of(const tern__axis *axis) {
    double rough = (axis->high - axis->low) / STEPS;
    double power = power_of_10(floor(log_10(rough)));
    double digit = rough / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static void settle_log(tern__axis *axis) {
    double low = log_10(axis->low), high = log_10(axis->high);
    /* A decade at least, and ends that are not on the frame. */
    double margin = fmax(0.05 * (high - low), (1 - (high - low)) / 2);
    margin = fmax(margin, 0.05);
    axis->low = tern__pow(10, low - margin);
    axis->high = tern__pow(10, high + margin);
}

void tern__axis_settle(tern__axis *axis) {
    if (axis->low > axis->high) {
        axis->low = axis->is_log ? 1 : 0;
        axis->high = axis->is_log ? 10 : 1;
    }
    if (axis->is_log) {
        settle_log(axis);
        return;
    }
    double size = fmax(fabs(axis->low), fabs(axis->high));
    if (axis->high - axis->low <= fmax(1e-12 * size, 1 / LARGEST)) {
        double room = size > 1 / LARGEST ? size / 2 : 1;
        axis->low -= axis->low != 0 ? room : 0;
        axis->high += room;
    }
    double step = step_of(axis);
    axis->low = floor(axis->low / step) * step;
    axis->high = ceil(axis->high / step) * step;
}

bool tern__axis_has(const tern__axis *axis, double value) {
    return can_show(axis, value);
}

double tern__axis_place(const tern__axis *axis, double value) {
    double place = axis->is_log ? log_10(value / axis->low) / log_10(axis->high / axis->low)
                                : (value - axis->low) / (axis->high - axis->low);
    return isfinite(place) ? fmin(fmax(place, 0), 1) : 0;
}

/* Powers of ten, every n-th where there are many; between them 2 and 5 where there are few. */
static double log_tick(const tern__axis *axis, int index, bool *is_minor) {
    static const double digits[] = {1, 2, 5};
    double first = floor(log_10(axis->low)), decades = log_10(axis->high / axis->low);
    int each = decades < 3 ? 3 : 1;
    double every = fmax(1, ceil(decades / MOST_DECADES));
    double tick = NAN;
    for (int i = 0, found = -1; found < index; i++) {
        tick = power_of_10(first + every * (i / each)) * digits[i % each];
        *is_minor = i % each != 0;
        if (tick > axis->high * (1 + 1e-9))
            return NAN;
        found += tick >= axis->low * (1 - 1e-9);
    }
    return tick;
}

double tern__axis_tick(const tern__axis *axis, int index, bool *is_minor) {
    *is_minor = false;
    if (index >= TERN__TICKS)
        return NAN;
    if (axis->is_log)
        return log_tick(axis, index, is_minor);
    double step = step_of(axis), tick = axis->low + index * step;
    *is_minor = index % 2 == 1;
    return tick > axis->high + step * 1e-9 ? NAN : fabs(tick) < step * 1e-9 ? 0 : tick;
}

/* -- frames ------------------------------------------------------------------------------------*/

double tern__frame_x(const tern__frame *frame, double value) {
    return 100 * tern__axis_place(&frame->x, value);
}

double tern__frame_y(const tern__frame *frame, double value) {
    return frame->height * (1 - tern__axis_place(&frame->y, value));
}

static void add_ticks_x(tern__text *page, const tern__frame *frame) {
    char figure[TERN__FIGURE];
    bool is_minor;
    for (int i = 0; i < TERN__TICKS; i++) {
        double tick = tern__axis_tick(&frame->x, i, &is_minor);
        if (isnan(tick))
            break;
        double x = tern__frame_x(frame, tick);
        tern__text_print(page,
                         "<line class='grid' x1='%.2f%%' x2='%.2f%%' y1='0' y2='%d'/>"
                         "<text class='x%s' x='%.2f%%' y='%d'>%s</text>",
                         x, x, frame->height, is_minor ? " few" : "", x, frame->height + 20,
                         tern__round_quantity(tick, frame->x_unit, figure));
    }
}

static void add_ticks_y(tern__text *page, const tern__frame *frame) {
    char figure[TERN__FIGURE];
    bool is_minor;
    for (int i = 0; i < TERN__TICKS; i++) {
        double tick = tern__axis_tick(&frame->y, i, &is_minor);
        if (isnan(tick))
            break;
        double y = tern__frame_y(frame, tick);
        tern__text_print(page,
                         "<line class='grid' x1='0' x2='100%%' y1='%.1f' y2='%.1f'/>"
                         "<text class='y' x='-8' y='%.1f'>%s</text>",
                         y, y, y + 4, tern__round_quantity(tick, frame->y_unit, figure));
    }
}

void tern__frame_begin(tern__text *page, const tern__frame *frame, const char *label) {
    tern__text_print(page, "<p class='axis'>%s</p><div class='plot%s'>", frame->y_name,
                     frame->has_marks ? " marked" : "");
    tern__text_print(page, "<svg role='img' aria-label='%s' height='%d'>", label,
                     frame->height + 28);
    add_ticks_x(page, frame);
    add_ticks_y(page, frame);
    tern__text_print(page, "<line class='base' x1='0' x2='100%%' y1='%d' y2='%d'/>", frame->height,
                     frame->height);
}

void tern__frame_end(tern__text *page) {
    tern__text_add(page, "</svg></div>\n");
}

void tern__frame_mark(tern__text *page, const tern__frame *frame, double x, const char *words,
                      int row) {
    if (!tern__axis_has(&frame->x, x) || x < frame->x.low || x > frame->x.high)
        return;
    double place = tern__frame_x(frame, x);
    int top = -6 - 17 * row;
    tern__text_print(page,
                     "<line class='mark' x1='%.2f%%' x2='%.2f%%' y1='%d' y2='%d'/>"
                     "<text class='%s' x='%.2f%%' y='%d' dx='%d'>%s</text>",
                     place, place, top - 10, frame->height, place > 60 ? "end" : "start", place,
                     top, place > 60 ? -5 : 5, words);
}

/* -- lines -------------------------------------------------------------------------------------*/

/* In thousandths of the frame. */
static void add_point(tern__text *page, const tern__frame *frame, double x, double y) {
    tern__text_print(page, "%.1f,%.1f ", 1000 * tern__axis_place(&frame->x, x),
                     1000 * (1 - tern__axis_place(&frame->y, y)));
}

/* The points of [begin, end): all of them, or the least and the largest. */
static void add_points(tern__text *page, const tern__frame *frame, const tern_bench_series *series,
                       int64_t begin, int64_t end) {
    int64_t least = -1, largest = -1;
    for (int64_t i = begin; i < end; i++) {
        if (!tern__axis_has(&frame->x, series->x[i]) || !tern__axis_has(&frame->y, series->y[i]))
            continue;
        least = least < 0 || series->y[i] < series->y[least] ? i : least;
        largest = largest < 0 || series->y[i] > series->y[largest] ? i : largest;
    }
    if (least < 0)
        return;
    int64_t first = least < largest ? least : largest, last = least + largest - first;
    add_point(page, frame, series->x[first], series->y[first]);
    if (last != first)
        add_point(page, frame, series->x[last], series->y[last]);
}

void tern__frame_line(tern__text *page, const tern__frame *frame, const tern_bench_series *series,
                      int color, bool is_area) {
    int64_t step = 1 + series->count / MOST_POINTS, first = -1, last = -1;
    for (int64_t i = 0; i < series->count; i++)
        if (tern__axis_has(&frame->x, series->x[i]) && tern__axis_has(&frame->y, series->y[i])) {
            first = first < 0 ? i : first;
            last = i;
        }
    if (first < 0)
        return;
    tern__text_print(page,
                     "<svg class='lines' width='100%%' height='%d' viewBox='0 0 1000 1000' "
                     "preserveAspectRatio='none'><polyline class='line c%d%s' points='",
                     frame->height, color % TERN__COLORS, is_area ? " area" : "");
    if (is_area)
        tern__text_print(page, "%.1f,1000 ", 1000 * tern__axis_place(&frame->x, series->x[first]));
    for (int64_t i = 0; i < series->count; i += step)
        add_points(page, frame, series, i, i + step < series->count ? i + step : series->count);
    if (first == last && !is_area) /* a line of one point is a dot */
        add_point(page, frame, series->x[last], series->y[last]);
    if (is_area)
        tern__text_print(page, "%.1f,1000 ", 1000 * tern__axis_place(&frame->x, series->x[last]));
    tern__text_add(page, "'/></svg>");
}
