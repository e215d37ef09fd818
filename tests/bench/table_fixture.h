/* SPDX-License-Identifier: MIT
 * Rows of a table, kept to be looked at, and a clock that goes on by the same time whenever it is
 * read: what tables state about it is known, however busy the machine is. */
#ifndef TERN_TEST_TABLE_FIXTURE_H
#define TERN_TEST_TABLE_FIXTURE_H

#include "support.h"

#include <math.h>

#include <tern/bench.h>

#include "base/os.h"

enum { MAX_ROWS = 1024 };

typedef struct table {
    int count;
    tern_bench_row rows[MAX_ROWS];
    char what[MAX_ROWS][64];
} table;

/* No two rows of a target say the same. */
static inline void collect(void *user, const tern_bench_row *row) {
    table *t = user;
    assert_true(t->count < MAX_ROWS);
    for (int i = 0; i < t->count; i++)
        assert_false(strcmp(t->rows[i].id, row->id) == 0 && strcmp(t->what[i], row->what) == 0);
    snprintf(t->what[t->count], sizeof t->what[0], "%s", row->what);
    t->rows[t->count] = *row;
    t->rows[t->count].what = t->what[t->count];
    t->count++;
}

static inline const tern_bench_row *row_of(const table *t, const char *what) {
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->what[i], what) == 0)
            return &t->rows[i];
    fail_msg("no row '%s'", what);
    return NULL;
}

enum { TICK_NS = 16000000 }; /* longer than any sample must be: one call each */

/* Each thread's own: workers that wait look at the clock too. */
static _Thread_local uint64_t ticking_ns;
static inline uint64_t ticking_clock(void) {
    return ticking_ns += TICK_NS;
}

static inline int no_file(const char *path, char *text, size_t size) {
    (void)path, (void)text, (void)size;
    return 2; /* ENOENT */
}

/* The default table of the system with this clock, and nobody who tells about other programs; the
 * caller may change more of it and hands it to tern__os_set. */
static inline tern__os_table ticking_os(void) {
    tern__os_table os = tern__os_default;
    os.clock_ns = ticking_clock;
    os.file_text = no_file;
    return os;
}

static inline int restore_os(void **state) {
    (void)state;
    tern__os_set(NULL);
    return 0;
}

#endif
