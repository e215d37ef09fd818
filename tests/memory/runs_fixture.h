/* SPDX-License-Identifier: MIT
 * What the tests of page runs share. */
#ifndef TERN_TEST_RUNS_FIXTURE_H
#define TERN_TEST_RUNS_FIXTURE_H

#include "fake_source.h"

#include "memory/runs.h"

#define PAGES(n) ((size_t)(n)*TERN__PAGE)
#define MIB      ((size_t)1 << 20)
#define ARENA    PAGES(TERN__ARENA_PAGES)

/* As runs.h says. */
enum { SPARE_SHARE = 32, SPARE_BYTES = 64 << 10 };

/* What runs in use and dirty ones together may be once clean pages were taken, unless those in use
 * alone are more. `peak`: the most bytes of runs in use when clean pages were taken. */
static inline size_t allowed_bytes(size_t peak) {
    return peak + peak / SPARE_SHARE + SPARE_BYTES;
}

/* How much of the dirty runs is given back for that, `live` being what is in use then. */
static inline size_t price(size_t live, size_t dirty, size_t peak) {
    size_t allowed = allowed_bytes(peak);
    size_t excess = live + dirty > allowed ? live + dirty - allowed : 0;
    excess = (excess + TERN__PAGE - 1) / TERN__PAGE * TERN__PAGE;
    return excess < dirty ? excess : dirty;
}

/* The audit must agree; returns the figures. */
static inline tern__runs_figures check(const tern__runs *runs) {
    char text[200] = "";
    tern__runs_figures walked, running = tern__runs_figures_get(runs);
    if (!tern__runs_verify(runs, &walked, text, sizeof text))
        fail_msg("%s", text);
    assert_memory_equal(&walked, &running, sizeof walked);
    assert_int_equal(running.mapped_bytes, fake.mapped);
    assert_int_equal(running.system_calls, fake.system_calls);
    return running;
}

static inline char *take(tern__runs *runs, size_t bytes, bool is_reused) {
    bool reused = !is_reused;
    char *run = tern__runs_take(runs, bytes, &reused);
    assert_non_null(run);
    assert_int_equal((uintptr_t)run % TERN__PAGE, 0);
    assert_int_equal(reused, is_reused);
    fake_set_memory(run, bytes, true);
    return run;
}

static inline void refuse(tern__runs *runs, size_t bytes) {
    bool reused = true;
    assert_null(tern__runs_take(runs, bytes, &reused));
    assert_false(reused);
    check(runs);
}

static inline tern__runs *create(const tern__source *source) {
    fake.system_calls = 0;
    tern__runs *runs = tern__runs_create(source);
    assert_non_null(runs);
    return runs;
}

/* Runs of `pages`, all taken, with one page in use between them. */
static inline void take_apart(tern__runs *runs, char **run, const int *pages, int count) {
    for (int i = 0; i < count; i++) {
        run[i] = take(runs, PAGES(pages[i]), false);
        (void)take(runs, 1, false);
    }
}

#define RUNS_TEST(test) cmocka_unit_test_setup_teardown(test, fake_begin, fake_end)

#endif
