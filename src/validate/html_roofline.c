/* SPDX-License-Identifier: MIT
 * Rooflines: every row that tells its operations and bytes a second is a dot, the limits of the
 * machine are the roofs above them. A plot for each number of threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "validate/figures.h"
#include "validate/html.h"
#include "validate/pivot.h"
#include "validate/report.h"

enum { MOST_ROOFS = 26, ROOF_NAMES = 200, MOST_PLOTS = 4, MOST_FAMILIES = 16, PLOT_HEIGHT = 400 };

/* Limits this near to each other are one roof. */
#define SAME_ROOF 1.06

typedef struct roof {
    bool is_bandwidth;
    double rate; /* billion bytes or operations a second */
    char names[ROOF_NAMES];
} roof;

typedef struct plot {
    const tern_report *report;
    int threads;
    tern__frame frame;
    int roofs, families;
    roof roof[MOST_ROOFS];
    char family[MOST_FAMILIES][TERN__PIVOT_WORDS];
    bool is_here[MOST_FAMILIES];
} plot;

/* -- rows --------------------------------------------------------------------------------------*/

/* "..., 2 threads"; rows that do not say have one. */
static int threads_of(const tern_bench_row *row) {
    const char *at = strstr(row->what, " thread");
    if (at == NULL)
        return 1;
    while (at > row->what && at[-1] >= '0' && at[-1] <= '9')
        at--;
    int threads = atoi(at);
    return threads > 0 ? threads : 1;
}

static bool is_dot(const tern_bench_row *row) {
    return row->operations > 0 && row->bytes > 0 && isfinite(row->operations) &&
           isfinite(row->bytes) && strcmp(row->id, "ROOF") != 0;
}

static double intensity(const tern_bench_row *row) {
    return row->operations / row->bytes;
}

/* In billions a second. */
static double height(const tern_bench_row *row) {
    return 1e-9 * row->operations;
}

/* The family of a kernel, the target of other rows. */
static void name_family(const tern_report_row *row, char family[TERN__PIVOT_WORDS]) {
    if (strcmp(row->row.id, "KERN") == 0)
        tern__family_of(row, family);
    else
        snprintf(family, TERN__PIVOT_WORDS, "%s", row->row.id);
}

static int find_family(plot *p, const tern_report_row *row) {
    char family[TERN__PIVOT_WORDS];
    int i = 0;
    name_family(row, family);
    while (i < p->families && strcmp(p->family[i], family) != 0)
        i++;
    if (i == p->families && i < MOST_FAMILIES)
        memcpy(p->family[p->families++], family, sizeof family);
    return i < MOST_FAMILIES ? i : MOST_FAMILIES - 1;
}

/* Shapes come round after eight families, with other colors. */
static int color_of(int family) {
    return (family + family / TERN__COLORS) % TERN__COLORS;
}

/* -- roofs -------------------------------------------------------------------------------------*/

/* "read, L1 (24 KiB each), 1 thread" without its end. */
static int name_bytes(const tern_bench_row *row) {
    const char *at = strstr(row->what, " thread");
    size_t bytes = strlen(row->what);
    if (at != NULL)
        for (bytes = (size_t)(at - row->what); bytes > 0 && row->what[bytes] != ',';)
            bytes--;
    return (int)bytes;
}

static void add_roof(plot *p, const tern_bench_row *row) {
    bool is_bandwidth = strcmp(row->unit, "GB/s") == 0;
    double rate = row->median;
    if (!(rate > 0) || !isfinite(rate) || strncmp(row->unit, "G", 1) != 0)
        return;
    for (int i = 0; i < p->roofs; i++) {
        roof *r = &p->roof[i];
        if (r->is_bandwidth != is_bandwidth || r->rate > rate * SAME_ROOF ||
            rate > r->rate * SAME_ROOF)
            continue;
        size_t length = strlen(r->names);
        snprintf(r->names + length, ROOF_NAMES - length, "; %.*s", name_bytes(row), row->what);
        return;
    }
    if (p->roofs == MOST_ROOFS)
        return;
    roof *r = &p->roof[p->roofs++];
    *r = (roof){.is_bandwidth = is_bandwidth, .rate = rate};
    snprintf(r->names, ROOF_NAMES, "%.*s", name_bytes(row), row->what);
}

/* Bandwidths before peaks, the highest first: in this order they are named. */
static bool is_before(const roof *a, const roof *b) {
    return a->is_bandwidth != b->is_bandwidth ? a->is_bandwidth : a->rate > b->rate;
}

static void sort_roofs(plot *p) {
    for (int i = 1; i < p->roofs; i++) {
        roof moved = p->roof[i];
        int at = i;
        for (; at > 0 && is_before(&moved, &p->roof[at - 1]); at--)
            p->roof[at] = p->roof[at - 1];
        p->roof[at] = moved;
    }
}

static void find_all(plot *p) {
    for (int64_t i = 0; i < p->report->row_count; i++)
        if (is_dot(&p->report->rows[i].row)) /* the same in all plots */
            find_family(p, &p->report->rows[i]);
    for (int64_t i = 0; i < p->report->row_count; i++) {
        const tern_report_row *row = &p->report->rows[i];
        if (threads_of(&row->row) != p->threads)
            continue;
        if (strcmp(row->row.id, "ROOF") == 0)
            add_roof(p, &row->row);
        if (!is_dot(&row->row))
            continue;
        p->is_here[find_family(p, row)] = true;
        tern__axis_include(&p->frame.x, intensity(&row->row));
        tern__axis_include(&p->frame.y, height(&row->row));
    }
    sort_roofs(p);
}

/* All peaks are on the plot, and where the slowest bandwidth meets the highest of them. */
static void settle_axes(plot *p) {
    double peak = 0, slowest = INFINITY;
    for (int i = 0; i < p->roofs; i++) {
        if (p->roof[i].is_bandwidth)
            slowest = fmin(slowest, p->roof[i].rate);
        else
            peak = fmax(peak, p->roof[i].rate);
        if (!p->roof[i].is_bandwidth)
            tern__axis_include(&p->frame.y, p->roof[i].rate);
    }
    tern__axis_include(&p->frame.x, peak / slowest);
    if (p->frame.x.low < INFINITY)
        tern__axis_include(&p->frame.x, p->frame.x.low / 2);
    tern__axis_settle(&p->frame.x);
    tern__axis_settle(&p->frame.y);
}

/* -- drawing -----------------------------------------------------------------------------------*/

static void add_roof_line(tern__text *page, const plot *p, const roof *r, double x1, double x2) {
    const tern__frame *f = &p->frame;
    double y1 = r->is_bandwidth ? r->rate * x1 : r->rate, y2 = r->is_bandwidth ? r->rate * x2 : y1;
    tern__text_print(page, "<line class='roof%s' x1='%.2f%%' y1='%.1f' x2='%.2f%%' y2='%.1f'/>",
                     r->is_bandwidth ? "" : " peak", tern__frame_x(f, x1), tern__frame_y(f, y1),
                     tern__frame_x(f, x2), tern__frame_y(f, y2));
}

/* A letter in a circle on the line, which the list below explains. */
static void add_roof_letter(tern__text *page, const plot *p, int index, double x, double y) {
    double left = tern__frame_x(&p->frame, x), top = tern__frame_y(&p->frame, y);
    tern__text_print(page,
                     "<circle class='badge' cx='%.2f%%' cy='%.1f' r='10'/><text class='x badge' "
                     "x='%.2f%%' y='%.1f'>%c</text>",
                     left, top, left, top + 4.5, 'A' + index);
}

/* Whether a roof crosses the frame. */
static bool is_seen(const plot *p, const roof *r) {
    const tern__axis *x = &p->frame.x, *y = &p->frame.y;
    return !r->is_bandwidth || (r->rate * x->low < y->high && r->rate * x->high > y->low);
}

/* Bandwidths rise from the left or the bottom to the highest peak, peaks begin at the highest
 * bandwidth. */
static void add_roofs(tern__text *page, const plot *p) {
    const tern__axis *x = &p->frame.x, *y = &p->frame.y;
    double peak = y->high, fastest = INFINITY;
    for (int i = p->roofs - 1; i >= 0; i--) {
        if (p->roof[i].is_bandwidth)
            fastest = p->roof[i].rate;
        else
            peak = p->roof[i].rate;
    }
    for (int i = 0; i < p->roofs; i++) {
        const roof *r = &p->roof[i];
        if (!is_seen(p, r))
            continue;
        double begin = r->is_bandwidth ? y->low / r->rate : r->rate / fastest;
        double end = r->is_bandwidth ? peak / r->rate : x->high;
        begin = fmin(fmax(x->low, begin), x->high);
        end = fmin(x->high, end);
        if (begin < end)
            add_roof_line(page, p, r, begin, end);
    }
}

/* The value at a share of a logarithmic axis. */
static double at_share(const tern__axis *axis, double share) {
    double low = axis->low, high = axis->high;
    for (int i = 0; i < 40; i++) {
        double middle = sqrt(low) * sqrt(high);
        if (tern__axis_place(axis, middle) < share)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Letters of bandwidths stand one behind the other, so that neighbours do not meet; so do those of
 * peaks that are near to each other. */
static void add_letters(tern__text *page, const plot *p) {
    const tern__axis *x = &p->frame.x, *y = &p->frame.y;
    int peaks = 0;
    double last_top = -100;
    for (int i = 0; i < p->roofs; i++) {
        const roof *r = &p->roof[i];
        if (!is_seen(p, r))
            continue;
        if (r->is_bandwidth) {
            double begin = fmax(x->low, y->low / r->rate);
            double at = at_share(x, tern__axis_place(x, begin) + 0.03 + 0.06 * (i % 3));
            if (at * r->rate < y->high)
                add_roof_letter(page, p, i, at, at * r->rate);
            continue;
        }
        double top = tern__frame_y(&p->frame, r->rate);
        peaks = top - last_top < 22 ? peaks + 1 : 0;
        last_top = top;
        add_roof_letter(page, p, i, at_share(x, 0.97 - 0.07 * (peaks % 4)), r->rate);
    }
}

static void add_dots(tern__text *page, plot *p) {
    char operations[TERN__FIGURE], per_byte[TERN__FIGURE];
    for (int64_t i = 0; i < p->report->row_count; i++) {
        const tern_report_row *row = &p->report->rows[i];
        if (!is_dot(&row->row) || threads_of(&row->row) != p->threads)
            continue;
        int family = find_family(p, row);
        tern__text_print(
            page,
            "<use class='dot f%d' href='#s%d' x='%.2f%%' y='%.1f'><title>%s %s: ", color_of(family),
            family % TERN__COLORS, tern__frame_x(&p->frame, intensity(&row->row)),
            tern__frame_y(&p->frame, height(&row->row)), row->row.id, row->row.what);
        tern__text_print(page, "%s GOP/s at %s operations a byte</title></use>",
                         tern__figure(height(&row->row), operations),
                         tern__figure(intensity(&row->row), per_byte));
    }
}

/* -- legends -----------------------------------------------------------------------------------*/

static void add_families(tern__text *page, const plot *p) {
    tern__text_add(page, "<p class='key'>");
    for (int i = 0; i < p->families; i++) {
        if (!p->is_here[i])
            continue;
        tern__text_print(page,
                         "<span><svg width='16' height='16' aria-hidden='true'><use class='dot "
                         "f%d' href='#s%d' x='8' y='8'/></svg> %s</span> ",
                         color_of(i), i % TERN__COLORS, p->family[i]);
    }
    tern__text_add(page, "</p>\n");
}

static void add_roof_list(tern__text *page, const plot *p) {
    char figure[TERN__FIGURE];
    if (p->roofs == 0)
        return;
    tern__text_add(page, "<ul class='roofs'>\n");
    for (int i = 0; i < p->roofs; i++) {
        tern__text_print(page, "<li><span class='letter'>%c</span> <b>", 'A' + i);
        tern__html_figure(page, tern__quantity(p->roof[i].rate,
                                               p->roof[i].is_bandwidth ? "GB/s" : "GOP/s", figure));
        tern__text_print(page, "</b> %s%s</li>\n", p->roof[i].names,
                         is_seen(p, &p->roof[i]) ? "" : " (beyond the plot)");
    }
    tern__text_add(page, "</ul>\n");
}

static void add_plot(tern__text *page, const tern_report *report, int threads) {
    plot p = {.report = report,
              .threads = threads,
              .frame = {.x = tern__axis_make(true),
                        .y = tern__axis_make(true),
                        .height = PLOT_HEIGHT,
                        .x_name = "operations for each byte that is read, logarithmic",
                        .x_unit = "",
                        .y_name = "billion operations a second (GOP/s), logarithmic",
                        .y_unit = ""}};
    find_all(&p);
    settle_axes(&p);
    tern__text_print(page, "<figure class='wide'><figcaption>%d thread%s</figcaption>\n", threads,
                     threads > 1 ? "s" : "");
    tern__frame_begin(page, &p.frame, "Rates of all kernels under the limits of the machine");
    add_roofs(page, &p);
    add_dots(page, &p);
    add_letters(page, &p);
    tern__frame_end(page);
    tern__text_print(page, "<p class='axis end'>%s</p>", p.frame.x_name);
    add_families(page, &p);
    add_roof_list(page, &p);
    tern__text_add(page, "</figure>\n");
}

/* Shapes that differ without their colors. */
static void add_shapes(tern__text *page) {
    static const char *const shapes[TERN__COLORS] = {
        "<circle r='5'/>",
        "<rect x='-4.5' y='-4.5' width='9' height='9'/>",
        "<path d='M0-6.5 6.5 0 0 6.5-6.5 0z'/>",
        "<path d='M0-6 6 5H-6z'/>",
        "<path d='M0 6 6-5H-6z'/>",
        "<path d='M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2z'/>",
        "<rect x='-7' y='-3' width='14' height='6'/>",
        "<rect x='-3' y='-7' width='6' height='14'/>",
    };
    tern__text_add(page, "<svg class='shapes' width='0' height='0' aria-hidden='true'><defs>");
    for (int i = 0; i < TERN__COLORS; i++) {
        tern__text_print(page, "<g id='s%d'>", i);
        tern__text_add(page, shapes[i]);
        tern__text_add(page, "</g>");
    }
    tern__text_add(page, "</defs></svg>\n");
}

void tern__html_rooflines(tern__text *page, const tern_report *report) {
    int threads[MOST_PLOTS], count = 0;
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        int at = 0;
        while (at < count && threads[at] != threads_of(row))
            at++;
        if (is_dot(row) && at == count && count < MOST_PLOTS)
            threads[count++] = threads_of(row);
    }
    if (count == 0) {
        tern__text_add(page, "<p class='empty'>This report has no row with a place in a "
                             "roofline.</p>\n");
        return;
    }
    add_shapes(page);
    for (int i = 0; i < count; i++)
        add_plot(page, report, threads[i]);
}
