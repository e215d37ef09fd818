/* SPDX-License-Identifier: MIT
 * The parts of a report's HTML page. All of them write nothing but well-formed elements, and
 * nothing at all or a sentence where the report has no rows for them. */
#ifndef TERN__VALIDATE_HTML_H
#define TERN__VALIDATE_HTML_H

#include <tern/validate.h>

#include "validate/plot.h"
#include "validate/text.h"

/* The style sheet, html_style.c. */
extern const char tern__html_style[];

/* -- html_rows.c: tables of rows ---------------------------------------------------------------*/

/* A figure of figures.h in good type: signs of comparison and of products, narrow blanks. */
void tern__html_figure(tern__text *page, const char *figure);
/* "PASS" with a sign before it; nothing for rows without a floor. */
void tern__html_verdict(tern__text *page, tern_bench_verdict verdict);
/* How far a row's figure and its interval are from floor and goal, as a small drawing. */
void tern__html_interval(tern__text *page, const tern_bench_row *row);
/* What the drawings of a table mean. */
void tern__html_interval_key(tern__text *page);
/* All rows of a target. */
void tern__html_rows(tern__text *page, const tern_report *report, const char *id);
/* The first row of a target; NULL: it has none. */
const tern_report_row *tern__html_first(const tern_report *report, const char *id);
/* The command that measures a target again. */
void tern__html_command(tern__text *page, const tern_report *report, const tern_report_row *row);

/* -- html_tables.c: other tables ---------------------------------------------------------------*/

void tern__html_zero_copy(tern__text *page, const tern_report *report);
void tern__html_regressions(tern__text *page, const tern_report *report);
void tern__html_limits(tern__text *page, const tern_report *report);
void tern__html_kernels(tern__text *page, const tern_report *report);
void tern__html_operations(tern__text *page, const tern_report *report);
void tern__html_facts(tern__text *page, const tern_report *report);
void tern__html_commands(tern__text *page, const tern_report *report);

/* -- html_roofline.c, html_charts.c ------------------------------------------------------------*/

void tern__html_rooflines(tern__text *page, const tern_report *report);
/* Rows of T2 as bars, a panel for each unit and size. */
void tern__html_speedups(tern__text *page, const tern_report *report);
/* Series of T3, and of T5a. */
void tern__html_latencies(tern__text *page, const tern_report *report);
void tern__html_memory(tern__text *page, const tern_report *report);

#endif
