/* SPDX-License-Identifier: MIT
 * Figures in words, the same in every kind of report. */
#ifndef TERN__VALIDATE_FIGURES_H
#define TERN__VALIDATE_FIGURES_H

#include <tern/validate.h>

enum { TERN__FIGURE = 96 }; /* bytes that any of these takes at most */

/* Three significant digits, integers below ten million in full: "31.2", "10 000", "1.5e12"; "-" for
 * what does not exist. */
const char *tern__figure(double value, char text[TERN__FIGURE]);

/* With its unit, of a size that reads well: 12 345 ns are "12.3 us", 20 480 B are "20 KiB". */
const char *tern__quantity(double value, const char *unit, char text[TERN__FIGURE]);

/* Of a number that was chosen, not measured: "1.8 x", not "1.80 x". */
const char *tern__round_quantity(double value, const char *unit, char text[TERN__FIGURE]);

/* The median and its interval: "31.2 x (30.1 .. 32.0)", "208 B", "-". */
const char *tern__measured(const tern_bench_row *row, char text[TERN__FIGURE]);

/* Of floor (is_goal false) or goal: ">= 75 %", "<= 20 ns, p99 <= 100 ns", "-". */
const char *tern__bound(const tern_bench_row *row, bool is_goal, char text[TERN__FIGURE]);

/* "+12.3 %"; "-" for NaN. */
const char *tern__change(double percent, char text[TERN__FIGURE]);

/* The medians of a target's rows that have a floor, or of all where none has: "3.07 .. 31.2 x", one
 * range for each of at most two units; "-". */
const char *tern__target_range(const tern_report *report, const char *id, char text[TERN__FIGURE]);

/* Words around a number: the unit in which `value` reads well, and by how much it is divided. */
const char *tern__unit_of(double value, const char *unit, double *divisor);

/* In lower case, for classes and sentences: "pass", "fail", "not measured", "no floor". */
const char *tern__verdict_word(tern_bench_verdict verdict);

/* Counts of targets, not of rows, with that verdict. */
int tern__targets_with(const tern_report *report, tern_bench_verdict verdict);

#endif
