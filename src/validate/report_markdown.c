/* SPDX-License-Identifier: MIT
 * Reports as Markdown: docs/benchmarks.md is one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "validate/figures.h"
#include "validate/pivot.h"
#include "validate/report.h"
#include "validate/report_text.h"

/* -- rows --------------------------------------------------------------------------------------*/

/* What is missed stands out. */
static void add_verdict(tern__text *page, tern_bench_verdict verdict) {
    const char *mark = verdict == TERN_BENCH_FAIL ? "**" : "";
    tern__text_add(page, mark);
    tern__text_add(page, tern_bench_verdict_name(verdict));
    tern__text_add(page, mark);
}

static void add_row_verdict(tern__text *page, const tern_bench_row *row) {
    bool has_goal = !isnan(row->goal) || !isnan(row->goal_p99);
    bool is_measured = row->verdict != TERN_BENCH_NOT_MEASURED;
    if (row->verdict != TERN_BENCH_NO_TARGET)
        add_verdict(page, row->verdict);
    if (has_goal && is_measured) {
        tern__text_add(page, row->verdict != TERN_BENCH_NO_TARGET ? ", " : "");
        tern__text_add(page, row->is_goal_met ? "goal met" : "goal missed");
    } else if (row->verdict == TERN_BENCH_NO_TARGET) {
        tern__text_add(page, "-");
    }
}

static void add_row(tern__text *page, const tern_report_row *owner, bool has_baseline) {
    const tern_bench_row *row = &owner->row;
    char figure[TERN__FIGURE];
    tern__text_print(page, "| %s | %s", row->what, tern__measured(row, figure));
    if (!isnan(row->goal_p99) && !isnan(row->p99))
        tern__text_print(page, ", p99 %s", tern__quantity(row->p99, row->unit, figure));
    tern__text_add(page, row->is_noisy ? ", noisy" : "");
    tern__text_print(page, " | %s", tern__bound(row, false, figure));
    tern__text_print(page, " | %s | ", tern__bound(row, true, figure));
    add_row_verdict(page, row);
    if (has_baseline) {
        tern__text_print(page, " | %s", tern__quantity(owner->baseline, row->unit, figure));
        tern__text_print(page, " | %s | %s", tern__change(owner->change, figure),
                         tern_grade_name(owner->grade));
    }
    tern__text_add(page, " |\n");
}

static bool has_target(const tern_report_row *row, const char *id) {
    return strcmp(row->row.id, id) == 0;
}

/* Rows of a target; nothing when it has none. */
static void add_rows(tern__text *page, const tern_report *report, const char *id) {
    bool has_rows = false, has_baseline = false;
    for (int64_t i = 0; i < report->row_count; i++) {
        bool is_mine = has_target(&report->rows[i], id);
        has_rows = has_rows || is_mine;
        has_baseline = has_baseline || (is_mine && report->rows[i].grade != TERN_GRADE_NONE);
    }
    if (!has_rows)
        return;
    tern__text_add(page, has_baseline
                             ? "| what | measured | floor | goal | verdict | baseline | cost | "
                               "grade |\n|---|---|---|---|---|---|---|---|\n"
                             : "| what | measured | floor | goal | verdict |\n|---|---|---|---|---|"
                               "\n");
    for (int64_t i = 0; i < report->row_count; i++)
        if (has_target(&report->rows[i], id))
            add_row(page, &report->rows[i], has_baseline);
    tern__text_add(page, "\n");
}

/* "; beside it glibc 335 ns, jemalloc: not installed" */
static void add_peers(tern__text *page, const tern_bench_row *row) {
    char figure[TERN__FIGURE];
    for (int i = 0; i < row->peer_count; i++) {
        const tern_bench_peer *peer = &row->peer[i];
        tern__text_add(page, i > 0 ? ", " : row->detail[0] != '\0' ? "; beside it " : "beside it ");
        tern__text_print(page, "%s", peer->name);
        if (peer->reason != NULL) {
            tern__text_print(page, ": %s", peer->reason);
            continue;
        }
        tern__text_print(page, " %s", tern__quantity(peer->median, row->unit, figure));
        if (!isnan(peer->p99))
            tern__text_print(page, " (p99 %s)", tern__quantity(peer->p99, row->unit, figure));
    }
}

static void add_details(tern__text *page, const tern_report *report, const char *id) {
    bool has_details = false;
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (!has_target(&report->rows[i], id) || (row->detail[0] == '\0' && row->peer_count == 0))
            continue;
        tern__text_print(page, "- *%s*: %s", row->what, row->detail);
        add_peers(page, row);
        tern__text_add(page, "\n");
        has_details = true;
    }
    tern__text_add(page, has_details ? "\n" : "");
}

/* -- targets -----------------------------------------------------------------------------------*/

static void add_summary(tern__text *page, const tern_report *report) {
    char range[TERN__FIGURE];
    tern__text_add(page,
                   "## Summary\n\n<!-- summary -->\n| target | what | floor | goal | measured "
                   "| verdict |\n|---|---|---|---|---|---|\n");
    for (int i = 0; i < tern_target_count(); i++) {
        const tern_target *target = tern_target_at(i);
        tern__text_print(page, "| %s | %s | %s | %s | ", target->id, target->title, target->floor,
                         target->goal);
        tern__text_print(page, "%s | ", tern__target_range(report, target->id, range));
        add_verdict(page, tern_report_verdict(report, target->id));
        tern__text_add(page, " |\n");
    }
    tern__text_add(page, "<!-- /summary -->\n\n");
}

static const tern_report_row *first_row(const tern_report *report, const char *id) {
    for (int64_t i = 0; i < report->row_count; i++)
        if (has_target(&report->rows[i], id))
            return &report->rows[i];
    return NULL;
}

static void add_command(tern__text *page, const tern_report *report, const char *id) {
    char command[TERN__COMMAND];
    const tern_report_row *row = first_row(report, id);
    if (row == NULL)
        return;
    tern_report_command(report, row, command, sizeof command);
    tern__text_print(page, "`%s`\n\n", command);
}

static void add_target(tern__text *page, const tern_report *report, const tern_target *target) {
    tern__text_print(page, "### %s: %s\n\n%s\n\n", target->id, target->title, target->definition);
    tern__text_print(page, "Floor: %s. Goal: %s. ", target->floor, target->goal);
    tern__text_add(page, "Verdict: ");
    add_verdict(page, tern_report_verdict(report, target->id));
    tern__text_add(page, ".\n\n");
    add_command(page, report, target->id);
    add_rows(page, report, target->id);
    add_details(page, report, target->id);
}

static void add_targets(tern__text *page, const tern_report *report) {
    static const char *const titles[] = {"The seed report's targets", "Ternary kernels", "Models"};
    for (int group = TERN_TARGET_SEED; group <= TERN_TARGET_MODEL; group++) {
        tern__text_print(page, "## %s\n\n", titles[group]);
        for (int i = 0; i < tern_target_count(); i++)
            if ((int)tern_target_at(i)->group == group)
                add_target(page, report, tern_target_at(i));
    }
}

/* -- what has no target ------------------------------------------------------------------------*/

static void add_limits(tern__text *page, const tern_report *report) {
    char measured[TERN__FIGURE];
    if (first_row(report, "ROOF") == NULL)
        return;
    tern__text_add(page, "## Limits of the machine\n\nWhat shares of a limit refer to: read "
                         "bandwidths and the rates of multiply-adds, each of which is two "
                         "operations.\n\n");
    add_command(page, report, "ROOF");
    tern__text_add(page, "| limit | measured | |\n|---|---|---|\n");
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (!has_target(&report->rows[i], "ROOF"))
            continue;
        tern__text_print(page, "| %s | %s", row->what,
                         row->verdict == TERN_BENCH_NOT_MEASURED ? "NOT MEASURED"
                                                                 : tern__measured(row, measured));
        tern__text_print(page, " | %s |\n", row->detail);
    }
    tern__text_add(page, "\n");
}

static void add_pivot(tern__text *page, const tern__pivot *pivot, const char *head) {
    char label[160], figure[TERN__FIGURE];
    tern__text_print(page, "| %s |", head);
    for (int i = 0; i < pivot->columns; i++)
        tern__text_print(page, " %s |", pivot->column[i]);
    tern__text_add(page, "\n|---|");
    for (int i = 0; i < pivot->columns; i++)
        tern__text_add(page, "---|");
    tern__text_add(page, "\n");
    for (int64_t line = -1; (line = tern__pivot_next(pivot, line)) >= 0;) {
        tern__pivot_label(pivot, line, label, sizeof label);
        tern__text_print(page, "| %s |", label);
        for (int i = 0; i < pivot->columns; i++) {
            const tern_report_row *cell = tern__pivot_cell(pivot, line, i);
            tern__text_print(
                page, " %s |",
                cell == NULL ? "" : tern__quantity(cell->row.median, cell->row.unit, figure));
        }
        tern__text_add(page, "\n");
    }
    tern__text_add(page, "\n");
}

static void add_kernels(tern__text *page, const tern_report *report) {
    char family[TERN__PIVOT_WORDS];
    tern__pivot pivot;
    if (first_row(report, "KERN") != NULL)
        tern__text_add(page, "## Kernels by family\n\nRates of packed bytes, and of operations "
                             "where there are many columns: one matrix again and again (hot), or "
                             "weights from a working set larger than the caches (streamed).\n\n");
    for (int64_t i = -1; (i = tern__family_next(report, "KERN", i)) >= 0;) {
        char command[TERN__COMMAND];
        tern__family_of(&report->rows[i], family);
        tern_report_command(report, &report->rows[i], command, sizeof command);
        tern__text_print(page, "### %s\n\n`%s`\n\n", family, command);
        tern__pivot_init(&pivot, report, "KERN", family);
        add_pivot(page, &pivot, "kernel");
    }
}

static void add_operations(tern__text *page, const tern_report *report) {
    tern__pivot pivot;
    if (first_row(report, "OPS") == NULL)
        return;
    tern__text_add(page, "## Operations\n\nThe time of one call and of the release of its result, "
                         "one thread.\n\n`tern bench operations`\n\n");
    tern__pivot_init(&pivot, report, "OPS", "");
    add_pivot(page, &pivot, "operation");
}

/* -- the page ----------------------------------------------------------------------------------*/

static void add_counts(tern__text *page, const tern_report *report) {
    tern__text_print(page, "**%lld pass, %lld fail, %lld not measured**",
                     (long long)tern_report_count(report, TERN_BENCH_PASS),
                     (long long)tern_report_count(report, TERN_BENCH_FAIL),
                     (long long)tern_report_count(report, TERN_BENCH_NOT_MEASURED));
    tern__text_print(
        page, ", measured figures without a floor left out. Of %d targets %d pass, %d fail, ",
        tern_target_count(), tern__targets_with(report, TERN_BENCH_PASS),
        tern__targets_with(report, TERN_BENCH_FAIL));
    tern__text_print(page, "%d were not measured.\n\n",
                     tern__targets_with(report, TERN_BENCH_NOT_MEASURED));
}

static void add_facts(tern__text *page, const tern_report *report) {
    if (report->fact_count == 0)
        return;
    tern__text_add(page, "## Machine and build\n\n| | | |\n|---|---|---|\n");
    for (int i = 0; i < report->fact_count; i++) {
        const tern_report_fact *fact = &report->facts[i];
        bool is_first = i == 0 || strcmp(report->facts[i - 1].group, fact->group) != 0;
        tern__text_print(page, "| %s | %s | %s |\n", is_first ? fact->group : "", fact->name,
                         fact->value);
    }
    tern__text_add(page, "\n");
}

static void add_checklist(tern__text *page, const tern_report *report) {
    if (report->item_count == 0)
        return;
    tern__text_add(page,
                   "## The seed report's checklist\n\n| item | found | verdict |\n|---|---|---"
                   "|\n");
    for (int i = 0; i < report->item_count; i++) {
        const tern_report_item *item = &report->items[i];
        tern__text_print(page, "| %s | %s | ", item->text, item->found);
        add_verdict(page, item->verdict);
        tern__text_add(page, " |\n");
    }
    tern__text_add(page, "\n");
}

tern_status tern_report_write_markdown(const tern_report *report, const char *path) {
    tern__text page = {.kind = TERN__TEXT_MARKDOWN};
    tern__text_add(
        &page,
        "# Benchmarks\n\nEvery performance target of Tern, measured on one machine by "
        "`tern validate`, which wrote this page, and judged. A figure is a median; in parentheses "
        "is the interval that holds it with 95 % confidence. Results are checked before anything "
        "is timed, data are random, and what is compared takes turns in one run. PASS needs the "
        "floor; the goal is what we are after. What a machine has no unit, library or memory for "
        "is NOT MEASURED, and says why.\n\n");
    add_counts(&page, report);
    add_summary(&page, report);
    add_facts(&page, report);
    add_checklist(&page, report);
    add_targets(&page, report);
    add_limits(&page, report);
    add_kernels(&page, report);
    add_operations(&page, report);
    while (page.count > 1 && page.bytes[page.count - 2] == '\n')
        page.bytes[--page.count] = '\0';
    return tern__text_publish(&page, path);
}
