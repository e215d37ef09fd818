/* SPDX-License-Identifier: MIT
 * How a report is built: it owns copies of everything that is added to it, in an arena that goes
 * with it. */
#ifndef TERN__REPORT_H
#define TERN__REPORT_H

#include <tern/validate.h>

/* Of the JSON. */
#define TERN__REPORT_SCHEMA "tern-validate"
enum { TERN__REPORT_VERSION = 1 };

enum { TERN__COMMAND = 1024 }; /* bytes of the command that measures a row again, with paths */

/* Lists that grow; the pointers move when they do. */
struct tern_report {
    tern_report_row *rows;
    tern_report_fact *facts;
    tern_report_item *items;
    int64_t row_count, row_room;
    int fact_count, fact_room, item_count, item_room;
    void *chunks; /* of the arena: each begins with the address of the one before */
    size_t used;  /* of the newest */
};

tern_status tern__report_create(tern_report **report);

/* Zeroed memory and copied text that live as long as the report; NULL with an error set when there
 * is no memory. */
void *tern__report_alloc(tern_report *report, size_t bytes);
const char *tern__report_text(tern_report *report, const char *text);

/* Copies of all that they point to are added; an added row is returned in *added (may be NULL),
 * valid until the next one. Baseline and grade are none. */
tern_status tern__report_add_row(tern_report *report, const tern_bench_row *row,
                                 tern_report_row **added);
tern_status tern__report_add_fact(tern_report *report, const char *group, const char *name,
                                  const char *format, ...) __attribute__((format(printf, 4, 5)));
tern_status tern__report_add_item(tern_report *report, const char *text, const char *found,
                                  tern_bench_verdict verdict);

/* The row of that target with those words; NULL: there is none. */
tern_report_row *tern__report_find(const tern_report *report, const char *id, const char *what);

/* Facts about this machine and this build (machine.c). */
tern_status tern__report_add_machine(tern_report *report, const tern_bench_table_options *options);
/* The seed report's checklist, from the rows (checklist.c). */
tern_status tern__report_add_checklist(tern_report *report);

#endif
