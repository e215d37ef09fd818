/* SPDX-License-Identifier: MIT
 * Rows of a report, in columns that fit the terminal, and what is said below them. */
#ifndef TERN_CLI_VALIDATE_TABLE_H
#define TERN_CLI_VALIDATE_TABLE_H

#include <tern/validate.h>

#include "cli.h"

typedef struct cli_report_table {
    FILE *out;
    int what, measured, floor, goal, grade; /* widths of columns; 0: left out */
    bool has_color, has_details;
    bool has_interval, has_p99; /* there is room for them */
    bool is_begun;
} cli_report_table;

/* `width` in columns; `has_baseline` gives a column to what changed. */
cli_report_table cli_report_table_open(FILE *out, int width, bool has_baseline, bool has_color,
                                       bool has_details);
/* One row, with a heading before the first. */
void cli_report_table_row(cli_report_table *table, const tern_report_row *row);

/* Counts, what failed or became slower, the checklist. */
void cli_report_summary(cli_report_table *table, const tern_report *report, bool has_checklist);

/* Text of a report with "?" in place of control characters. */
void cli_report_text(FILE *out, const char *text, size_t bytes);

/* All targets, and how many rows `listed` has of them. */
void cli_report_list(FILE *out, int width, const tern_report *listed);

#endif
