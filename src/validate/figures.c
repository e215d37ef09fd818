/* SPDX-License-Identifier: MIT */
#include "validate/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "validate/report.h"

enum { UNITS = 2 }; /* of one target that are shown */

#define MICROSECONDS "\xc2\xb5s"

/* -- numbers -----------------------------------------------------------------------------------*/

/* Some locales have a decimal comma. */
static void fix_point(char *text) {
    for (; *text != '\0'; text++)
        if (*text == ',')
            *text = '.';
}

/* "12345" becomes "12 345"; four digits stay together. */
static void group_digits(char *text) {
    size_t first = text[0] == '-', length = strlen(text);
    if (length - first < 5)
        return;
    for (size_t i = length; i > first + 3; i -= 3) {
        memmove(text + i - 2, text + i - 3, strlen(text) - (i - 3) + 1);
        text[i - 3] = ' ';
    }
}

/* "1.50e+12" becomes "1.5e12". */
static void shorten_exponent(char *text) {
    char *e = strchr(text, 'e'), *end = e;
    long exponent = strtol(e + 1, NULL, 10);
    while (end[-1] == '0')
        end--;
    if (end[-1] == '.')
        end--;
    snprintf(end, 8, "e%ld", exponent);
}

const char *tern__figure(double value, char text[TERN__FIGURE]) {
    double size = fabs(value);
    if (!isfinite(value)) {
        snprintf(text, TERN__FIGURE, "-");
        return text;
    }
    if (size == floor(size) && size < 1e7) {
        snprintf(text, TERN__FIGURE, "%.0f", size == 0 ? 0 : value);
        group_digits(text);
        return text;
    }
    snprintf(text, TERN__FIGURE, "%.2e", value);
    fix_point(text);
    int exponent = atoi(strchr(text, 'e') + 1);
    if (exponent < -3 || exponent >= 7) {
        shorten_exponent(text);
        return text;
    }
    snprintf(text, TERN__FIGURE, "%.*f", exponent >= 2 ? 0 : 2 - exponent, value);
    fix_point(text);
    if (exponent >= 2)
        group_digits(text);
    return text;
}

/* -- units -------------------------------------------------------------------------------------*/

static const struct {
    const char *unit, *shown;
    double from, divisor; /* used from so much on */
} units[] = {
    {"ns", "s", 1e9, 1e9},
    {"ns", "ms", 1e6, 1e6},
    {"ns", MICROSECONDS, 1e3, 1e3},
    {"s", "s", 1, 1},
    {"s", "ms", 1e-3, 1e-3},
    {"s", MICROSECONDS, 1e-6, 1e-6},
    {"B", "TiB", 1099511627776.0, 1099511627776.0},
    {"B", "GiB", 1073741824.0, 1073741824.0},
    {"B", "MiB", 1048576.0, 1048576.0},
    {"B", "KiB", 10240.0, 1024.0},
};
enum { SIZES = sizeof units / sizeof units[0] };

const char *tern__unit_of(double value, const char *unit, double *divisor) {
    *divisor = 1;
    for (int i = 0; i < SIZES; i++) {
        if (strcmp(units[i].unit, unit) != 0 || fabs(value) < units[i].from)
            continue;
        *divisor = units[i].divisor;
        return units[i].shown;
    }
    return unit;
}

/* A number and the unit behind it, if it has one. */
static const char *join(double value, double divisor, const char *unit, char text[TERN__FIGURE]) {
    tern__figure(value / divisor, text);
    size_t length = strlen(text);
    if (unit[0] != '\0' && isfinite(value))
        snprintf(text + length, TERN__FIGURE - length, " %.16s", unit);
    return text;
}

const char *tern__quantity(double value, const char *unit, char text[TERN__FIGURE]) {
    double divisor;
    const char *shown = tern__unit_of(value, unit, &divisor);
    return join(value, divisor, shown, text);
}

const char *tern__round_quantity(double value, const char *unit, char text[TERN__FIGURE]) {
    tern__quantity(value, unit, text);
    char *point = strchr(text, '.');
    if (point == NULL || strchr(text, 'e') != NULL)
        return text;
    char *end = point + 1 + strspn(point + 1, "0123456789"), *cut = end;
    while (cut[-1] == '0')
        cut--;
    cut -= cut[-1] == '.';
    memmove(cut, end, strlen(end) + 1);
    return text;
}

const char *tern__measured(const tern_bench_row *row, char text[TERN__FIGURE]) {
    char middle[TERN__FIGURE], low[TERN__FIGURE], high[TERN__FIGURE];
    double divisor;
    const char *unit = tern__unit_of(row->median, row->unit, &divisor);
    join(row->median, divisor, unit, middle);
    if (!isfinite(row->median) || !isfinite(row->low) || !isfinite(row->high))
        snprintf(text, TERN__FIGURE, "%.32s", middle);
    else
        snprintf(text, TERN__FIGURE, "%.40s (%.20s .. %.20s)", middle,
                 tern__figure(row->low / divisor, low), tern__figure(row->high / divisor, high));
    return text;
}

const char *tern__bound(const tern_bench_row *row, bool is_goal, char text[TERN__FIGURE]) {
    char bound[TERN__FIGURE], bound_p99[TERN__FIGURE];
    const char *sign = row->is_least ? ">=" : "<=";
    double median = is_goal ? row->goal : row->floor, p99 = is_goal ? row->goal_p99 : NAN;
    tern__round_quantity(median, row->unit, bound);
    tern__round_quantity(p99, row->unit, bound_p99);
    if (isnan(median) && isnan(p99))
        snprintf(text, TERN__FIGURE, "-");
    else if (isnan(p99))
        snprintf(text, TERN__FIGURE, "%s %.40s", sign, bound);
    else if (isnan(median))
        snprintf(text, TERN__FIGURE, "p99 %s %.40s", sign, bound_p99);
    else
        snprintf(text, TERN__FIGURE, "%s %.32s, p99 %s %.32s", sign, bound, sign, bound_p99);
    return text;
}

const char *tern__change(double percent, char text[TERN__FIGURE]) {
    if (!isfinite(percent))
        snprintf(text, TERN__FIGURE, "-");
    else
        snprintf(text, TERN__FIGURE, fabs(percent) < 1e6 ? "%+.1f %%" : "%+.1e %%", percent);
    fix_point(text);
    return text;
}

/* -- over the rows of a target -----------------------------------------------------------------*/

typedef struct span {
    const char *unit;
    double low, high;
} span;

/* Widens the span of this unit; returns how many there are now. */
static int widen(span spans[UNITS], int count, const char *unit, double value) {
    int i = 0;
    while (i < count && strcmp(spans[i].unit, unit) != 0)
        i++;
    if (i == UNITS)
        return count;
    if (i == count)
        spans[count++] = (span){unit, value, value};
    spans[i].low = fmin(spans[i].low, value);
    spans[i].high = fmax(spans[i].high, value);
    return count;
}

const char *tern__target_range(const tern_report *report, const char *id, char text[TERN__FIGURE]) {
    span spans[UNITS];
    int count = 0;
    bool has_floor = false;
    for (int64_t i = 0; i < report->row_count; i++)
        has_floor = has_floor ||
                    (strcmp(report->rows[i].row.id, id) == 0 && !isnan(report->rows[i].row.floor));
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (strcmp(row->id, id) == 0 && isfinite(row->median) && has_floor == !isnan(row->floor))
            count = widen(spans, count, row->unit, row->median);
    }
    snprintf(text, TERN__FIGURE, "-");
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        char low[TERN__FIGURE], high[TERN__FIGURE];
        double divisor;
        const char *unit = tern__unit_of(spans[i].high, spans[i].unit, &divisor);
        bool is_one = spans[i].low == spans[i].high;
        tern__figure(spans[i].low / divisor, low);
        join(spans[i].high, divisor, unit, high);
        length +=
            (size_t)snprintf(text + length, TERN__FIGURE - length, "%s%.16s%s%.28s",
                             i > 0 ? "; " : "", is_one ? "" : low, is_one ? "" : " .. ", high);
    }
    return text;
}

const char *tern__verdict_word(tern_bench_verdict verdict) {
    static const char *const words[] = {"pass", "fail", "not measured", "no floor"};
    return verdict >= TERN_BENCH_PASS && verdict <= TERN_BENCH_NO_TARGET ? words[verdict] : "?";
}

int tern__targets_with(const tern_report *report, tern_bench_verdict verdict) {
    int count = 0;
    for (int i = 0; i < tern_target_count(); i++)
        count += tern_report_verdict(report, tern_target_at(i)->id) == verdict;
    return count;
}
