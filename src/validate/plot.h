/* SPDX-License-Identifier: MIT
 *
 * Axes of charts. Charts are SVG without a view box: what is horizontal is in percent of the width,
 * what is vertical in pixels, so that they take the width there is and letters keep their size.
 */
#ifndef TERN__VALIDATE_PLOT_H
#define TERN__VALIDATE_PLOT_H

#include <tern/validate.h>

#include "validate/text.h"

/* What a chart's axis shows. Numbers that do not exist, and on a logarithmic axis those that are
 * not positive, have no place on it. */
typedef struct tern__axis {
    bool is_log;
    double low, high; /* low < high after tern__axis_settle */
} tern__axis;

/* An axis of nothing yet. */
tern__axis tern__axis_make(bool is_log);
void tern__axis_include(tern__axis *axis, double value);
/* Widens the axis to ends that read well: whole powers of ten, or whole steps; of what is all equal
 * or not there at all something that can be drawn. */
void tern__axis_settle(tern__axis *axis);

/* Whether the value can be drawn, and where: 0 at the low end, 1 at the high one. */
bool tern__axis_has(const tern__axis *axis, double value);
double tern__axis_place(const tern__axis *axis, double value);

/* The index-th tick; NaN behind the last one, of which there are at most TERN__TICKS. A minor one
 * may go without a label where there is little room. */
enum { TERN__TICKS = 24 };
double tern__axis_tick(const tern__axis *axis, int index, bool *is_minor);

/* The frame of a chart of `height` pixels: grid lines, labels of ticks. Units are those of
 * tern_bench_row; names are what the axes are about. */
typedef struct tern__frame {
    tern__axis x, y;
    const char *x_name, *x_unit, *y_name, *y_unit;
    int height;
    bool has_marks;
} tern__frame;

/* "<figure ...><div><svg ...>" with the axes; `label` is what the chart shows, in one sentence. */
void tern__frame_begin(tern__text *page, const tern__frame *frame, const char *label);
/* The closing tags of the drawing; the figure stays open for a legend. */
void tern__frame_end(tern__text *page);

/* Percent from the left, pixels from the top. */
double tern__frame_x(const tern__frame *frame, double value);
double tern__frame_y(const tern__frame *frame, double value);

/* A line through the points of a series that can be drawn, of the class "line cN"; closed down to
 * the bottom where it is an area. */
void tern__frame_line(tern__text *page, const tern__frame *frame, const tern_bench_series *series,
                      int color, bool is_area);
/* A vertical line with words above the frame, in row 0 or 1 of those that has_marks makes room for.
 */
void tern__frame_mark(tern__text *page, const tern__frame *frame, double x, const char *words,
                      int row);

/* Colors and shapes of charts, which come round. */
enum { TERN__COLORS = 8 };

#endif
