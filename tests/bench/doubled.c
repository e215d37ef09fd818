/* SPDX-License-Identifier: MIT
 * tern_doubled: on the real clock, every ratio of every table halves, or doubles, when the first
 * side takes twice as long: at the end of each of its samples the clock waits as long again as the
 * sample took. A long job for a quiet machine (tools/check_validate); test_ratios has the same on a
 * clock that is simulated. */
#include "support.h"

#include <math.h>

#include "bench/cost_clock.h"
#include "bench/table_fixture.h"

static const double TOLERANCE = 0.25; /* parts of 2 */

static table once, twice;

static void run_at(const tern_bench_table *kind, double factor, table *t) {
    tern__os_table os = slowed_os(NULL, 0, factor);
    tern_bench_table_options options = {.threads = 1, .is_quick = true};
    memset(t, 0, sizeof *t);
    tern__os_set(&os);
    tern_status status = kind->run(&options, collect, t);
    tern__os_set(NULL);
    test_ok(status);
}

static bool has_ratios(const tern_bench_table *kind) {
    tern_bench_table_options options = {.threads = 1, .is_quick = true, .is_listing = true};
    memset(&once, 0, sizeof once);
    test_ok(kind->run(&options, collect, &once));
    for (int i = 0; i < once.count; i++)
        if (once.rows[i].is_ratio)
            return true;
    return false;
}

static void ratios_halve(void **state) {
    (void)state;
    int ratios = 0, noisy = 0, wrong = 0;
    for (int i = 0; i < tern_bench_table_count(); i++) {
        if (!has_ratios(tern_bench_table_at(i)))
            continue;
        run_at(tern_bench_table_at(i), 1, &once);
        run_at(tern_bench_table_at(i), 2, &twice);
        assert_int_equal(once.count, twice.count);
        for (int k = 0; k < once.count; k++) {
            const tern_bench_row *a = &once.rows[k], *b = &twice.rows[k];
            if (!a->is_ratio || isnan(a->median) || isnan(b->median))
                continue;
            double factor = fmax(a->median / b->median, b->median / a->median);
            bool is_noisy = a->is_noisy || b->is_noisy;
            bool is_right = fabs(factor / 2 - 1) <= TOLERANCE;
            print_message("  %-4s %-60s %8.4g, then %8.4g %s: %.2f%s%s\n", a->id, a->what,
                          a->median, b->median, a->unit, factor, is_noisy ? ", noisy" : "",
                          is_right ? "" : " WRONG");
            ratios++;
            noisy += is_noisy;
            wrong += !is_right && !is_noisy;
        }
    }
    print_message("%d ratios, %d noisy, %d of the others wrong\n", ratios, noisy, wrong);
    assert_true(ratios - noisy > 0);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ratios_halve)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
