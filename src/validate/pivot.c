/* SPDX-License-Identifier: MIT */
#include "validate/pivot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "validate/report.h"

/* The parts of a row's words, which are not copied. */
typedef struct parts {
    const char *name, *column, *rest;
    int name_bytes, column_bytes;
} parts;

static parts split(const char *what) {
    parts p = {.name = what, .name_bytes = (int)strcspn(what, ",")};
    p.column = what + p.name_bytes;
    p.column += strspn(p.column, ", ");
    p.column_bytes = (int)strcspn(p.column, ",");
    p.rest = p.column + p.column_bytes;
    p.rest += strspn(p.rest, ", ");
    return p;
}

static bool is_same_text(const char *a, int a_bytes, const char *b, int b_bytes) {
    return a_bytes == b_bytes && memcmp(a, b, (size_t)a_bytes) == 0;
}

static bool is_same_line(const char *what, const char *other) {
    parts a = split(what), b = split(other);
    return is_same_text(a.name, a.name_bytes, b.name, b.name_bytes) && strcmp(a.rest, b.rest) == 0;
}

static bool is_mine(const tern__pivot *pivot, int64_t index) {
    const tern_report_row *row = &pivot->report->rows[index];
    char family[TERN__PIVOT_WORDS];
    if (strcmp(row->row.id, pivot->id) != 0)
        return false;
    tern__family_of(row, family);
    return pivot->family[0] == '\0' || strcmp(family, pivot->family) == 0;
}

static bool is_in_column(const tern__pivot *pivot, const char *what, int column) {
    char words[TERN__PIVOT_WORDS];
    parts p = split(what);
    snprintf(words, sizeof words, "%.*s", p.column_bytes, p.column);
    return strcmp(words, pivot->column[column]) == 0;
}

void tern__pivot_init(tern__pivot *pivot, const tern_report *report, const char *id,
                      const char *family) {
    *pivot = (tern__pivot){.report = report, .id = id};
    snprintf(pivot->family, sizeof pivot->family, "%s", family);
    for (int64_t i = 0; i < report->row_count && pivot->columns < TERN__PIVOT_COLUMNS; i++) {
        const char *what = report->rows[i].row.what;
        int column = 0;
        while (column < pivot->columns && !is_in_column(pivot, what, column))
            column++;
        parts p = split(what);
        if (column == pivot->columns && p.column_bytes > 0 && is_mine(pivot, i))
            snprintf(pivot->column[pivot->columns++], TERN__PIVOT_WORDS, "%.*s", p.column_bytes,
                     p.column);
    }
}

int64_t tern__pivot_next(const tern__pivot *pivot, int64_t after) {
    const tern_report *report = pivot->report;
    for (int64_t i = after + 1; i < report->row_count; i++) {
        bool is_new = is_mine(pivot, i);
        for (int64_t j = 0; j < i && is_new; j++)
            is_new = !is_same_line(report->rows[i].row.what, report->rows[j].row.what) ||
                     !is_mine(pivot, j);
        if (is_new)
            return i;
    }
    return -1;
}

const tern_report_row *tern__pivot_cell(const tern__pivot *pivot, int64_t line, int column) {
    const tern_report *report = pivot->report;
    for (int64_t i = line; i < report->row_count; i++)
        if (is_in_column(pivot, report->rows[i].row.what, column) &&
            is_same_line(report->rows[line].row.what, report->rows[i].row.what) &&
            is_mine(pivot, i))
            return &report->rows[i];
    return NULL;
}

bool tern__pivot_has_cells(const tern__pivot *pivot, int64_t line) {
    for (int i = 0; i < pivot->columns; i++) {
        const tern_report_row *cell = tern__pivot_cell(pivot, line, i);
        if (cell != NULL && !isnan(cell->row.median))
            return true;
    }
    return false;
}

void tern__pivot_label(const tern__pivot *pivot, int64_t line, char *label, size_t size) {
    parts p = split(pivot->report->rows[line].row.what);
    snprintf(label, size, "%.*s%s%s", p.name_bytes, p.name, p.rest[0] != '\0' ? ", " : "", p.rest);
}

void tern__family_of(const tern_report_row *row, char family[TERN__PIVOT_WORDS]) {
    snprintf(family, TERN__PIVOT_WORDS, "%.*s", (int)strcspn(row->row.what, " ,"), row->row.what);
}

int64_t tern__family_next(const tern_report *report, const char *id, int64_t after) {
    char family[TERN__PIVOT_WORDS], other[TERN__PIVOT_WORDS];
    for (int64_t i = after + 1; i < report->row_count; i++) {
        bool is_new = strcmp(report->rows[i].row.id, id) == 0;
        tern__family_of(&report->rows[i], family);
        for (int64_t j = 0; j < i && is_new; j++) {
            tern__family_of(&report->rows[j], other);
            is_new = strcmp(report->rows[j].row.id, id) != 0 || strcmp(family, other) != 0;
        }
        if (is_new)
            return i;
    }
    return -1;
}
