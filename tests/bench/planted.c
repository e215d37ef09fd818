/* SPDX-License-Identifier: MIT
 * tern_planted [PERCENT [RUNS [TARGETS]]]: whether a kernel that became slower is found. The linker
 * puts the structs of this file in the place of those of the kernels for 2-bit weights; their run()
 * does PERCENT (20) more work, or none, and then what it should. A first report is the baseline;
 * RUNS (10) with more work must be graded "moderate" in every row of TARGETS (K5) that these
 * kernels have, as many without at most "minor". Takes minutes: tools/check_validate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/validate.h>

#include "kernels/packed.h"

/* Percent of the columns that are multiplied twice. */
static int planted;

/* Sums of the first columns only, which the true ones then replace. */
static void run_more(const tern__packed_kernel *kernel, const tern__packed_args *args,
                     int64_t panel_begin, int64_t panel_end) {
    tern__packed_args more = *args;
    int64_t columns = (args->k_end - args->k_begin) * planted / 100;
    more.k_end = args->k_begin + (columns + kernel->k_unit - 1) / kernel->k_unit * kernel->k_unit;
    if (more.k_end > more.k_begin)
        kernel->run(&more, panel_begin, panel_end);
    kernel->run(args, panel_begin, panel_end);
}

/* For the linker's --wrap: `real` is the kernel, `wrap` what the family has in its place. */
#define VARIANTS(X) X(amx) X(avx512vnni) X(avxvnni) X(avx2)
#define WRAP(isa)                                                                                  \
    extern const tern__packed_kernel __real_tern__trits4_##isa;                                    \
    tern__packed_kernel __wrap_tern__trits4_##isa;                                                 \
    static void run_##isa(const tern__packed_args *args, int64_t begin, int64_t end) {             \
        run_more(&__real_tern__trits4_##isa, args, begin, end);                                    \
    }
VARIANTS(WRAP)

static void wrap_kernels(void) {
#define FILL(isa)                                                                                  \
    __wrap_tern__trits4_##isa = __real_tern__trits4_##isa;                                         \
    __wrap_tern__trits4_##isa.run = run_##isa;
    VARIANTS(FILL)
#undef FILL
}

static tern_status measure(const char *targets, int percent, tern_report **report) {
    const tern_validate_options options = {.table = {.threads = 1, .only = targets}};
    planted = percent;
    return tern_validate(&options, report);
}

/* Prints every row, and returns how many are not graded as they should be. */
static int count_wrong(const tern_report *report, bool is_slowed) {
    int wrong = 0, graded = 0;
    for (int64_t i = 0; i < tern_report_row_count(report); i++) {
        const tern_report_row *row = tern_report_row_at(report, i);
        if (row->grade == TERN_GRADE_NONE)
            continue;
        bool is_right =
            is_slowed ? row->grade == TERN_GRADE_MODERATE : row->grade <= TERN_GRADE_MINOR;
        printf("  %s %s: %.3g %s (%.3g .. %.3g)%s, before %.3g (%.3g .. %.3g): %+.1f %%, %s%s\n",
               row->row.id, row->row.what, row->row.median, row->row.unit, row->row.low,
               row->row.high, row->row.is_noisy ? " noisy" : "", row->baseline, row->baseline_low,
               row->baseline_high, row->change, tern_grade_name(row->grade),
               is_right ? "" : " - WRONG");
        graded++;
        wrong += !is_right;
    }
    fflush(stdout);
    return graded > 0 ? wrong : 1;
}

/* Returns how many runs had a wrong grade; -1 on failure. */
static int compare(const char *targets, const tern_report *baseline, int percent, int runs) {
    int wrong = 0;
    for (int run = 0; run < runs; run++) {
        tern_report *report = NULL;
        tern_status status = measure(targets, percent, &report);
        if (status == TERN_OK)
            status = tern_report_compare(report, baseline);
        printf("%d %% more work, run %d of %d\n", percent, run + 1, runs);
        if (status == TERN_OK)
            wrong += count_wrong(report, percent > 0) > 0;
        tern_report_destroy(report);
        if (status != TERN_OK)
            return -1;
    }
    printf("%d %% more work: %d of %d runs graded as they should be\n", percent, runs - wrong,
           runs);
    return wrong;
}

int main(int argc, char **argv) {
    int percent = argc > 1 ? atoi(argv[1]) : 20, runs = argc > 2 ? atoi(argv[2]) : 10;
    const char *targets = argc > 3 ? argv[3] : "K5";
    tern_report *baseline = NULL;
    if (percent < 1 || runs < 1) {
        fprintf(stderr, "usage: tern_planted [PERCENT [RUNS [TARGETS]]]\n");
        return 2;
    }
    wrap_kernels();
    tern_status status = measure(targets, 0, &baseline);
    int slowed = status == TERN_OK ? compare(targets, baseline, percent, runs) : -1;
    int same = slowed >= 0 ? compare(targets, baseline, 0, runs) : -1;
    tern_report_destroy(baseline);
    if (slowed < 0 || same < 0)
        fprintf(stderr, "tern_planted: %s\n", tern_last_error());
    return slowed == 0 && same == 0 ? 0 : 1;
}
