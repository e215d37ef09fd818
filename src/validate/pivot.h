/* SPDX-License-Identifier: MIT
 *
 * Rows of a target whose words have the form "name, column[, rest]", such as "trits4 avx2, N = 4,
 * hot, 1 thread" and "add, 1 Ki, transposed", as a table: a line for each name and rest, a column
 * for each second part. */
#ifndef TERN__VALIDATE_PIVOT_H
#define TERN__VALIDATE_PIVOT_H

#include <tern/validate.h>

enum { TERN__PIVOT_COLUMNS = 8, TERN__PIVOT_WORDS = 64 };

typedef struct tern__pivot {
    const tern_report *report;
    const char *id;
    char family[TERN__PIVOT_WORDS]; /* first word of the names; "": all of them */
    int columns;                    /* further ones are left out */
    char column[TERN__PIVOT_COLUMNS][TERN__PIVOT_WORDS];
} tern__pivot;

/* The columns of a family, in the order of their first rows. */
void tern__pivot_init(tern__pivot *pivot, const tern_report *report, const char *id,
                      const char *family);

/* The next row behind index `after` (-1: the first) that begins a line, in the order of the report;
 * -1: there is none. */
int64_t tern__pivot_next(const tern__pivot *pivot, int64_t after);

/* The row in that column of the line that `line` begins; NULL: there is none. */
const tern_report_row *tern__pivot_cell(const tern__pivot *pivot, int64_t line, int column);

/* Whether any column of the line has a figure. */
bool tern__pivot_has_cells(const tern__pivot *pivot, int64_t line);

/* "trits4 avx2, hot, 1 thread" */
void tern__pivot_label(const tern__pivot *pivot, int64_t line, char *label, size_t size);

/* The families of rows with this id: the next row behind `after` that begins one, or -1. */
int64_t tern__family_next(const tern_report *report, const char *id, int64_t after);
/* The first word of what a row tells. */
void tern__family_of(const tern_report_row *row, char family[TERN__PIVOT_WORDS]);

#endif
