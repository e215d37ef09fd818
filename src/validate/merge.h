/* SPDX-License-Identifier: MIT
 * Several measurements of the same row as one. */
#ifndef TERN__MERGE_H
#define TERN__MERGE_H

#include <tern/validate.h>

enum { TERN__MAX_PASSES = 64 };

/* `rows` (count, 1..TERN__MAX_PASSES) have the same target and words; the last one is the newest.
 * Strings and series of *merged are theirs. */
void tern__rows_merge(const tern_report_row *const *rows, int count, tern_report_row *merged);

/* Adds their merged row, returned in *added (may be NULL), valid until the next one. */
tern_status tern__report_add_merged(tern_report *report, const tern_report_row *const *rows,
                                    int count, tern_report_row **added);

/* Brings the rows into the order of the targets. */
void tern__report_order(tern_report *report);

/* TERN_E_ARGUMENT when figures of the two cannot be compared: another machine, other settings. */
tern_status tern__report_check_same(const tern_report *report, const tern_report *other,
                                    const char *other_name);

/* Baseline, change and grade of one row; `baseline` NULL: none. */
void tern__row_compare(tern_report_row *row, const tern_report_row *baseline);

#endif
