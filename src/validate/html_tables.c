/* SPDX-License-Identifier: MIT
 * Tables that are not about the rows of one target. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "validate/figures.h"
#include "validate/html.h"
#include "validate/pivot.h"
#include "validate/report.h"

static bool has_target(const tern_report_row *row, const char *id) {
    return strcmp(row->row.id, id) == 0;
}

static void add_quantity(tern__text *page, double value, const char *unit) {
    char figure[TERN__FIGURE];
    tern__html_figure(page, tern__quantity(value, unit, figure));
}

/* -- zero copy ---------------------------------------------------------------------------------*/

/* How many series of a row, from the first on, have the labels of the first. */
static int labelled_series(const tern_bench_row *row) {
    int count = 0;
    while (count < row->series_count && row->series[count].label != NULL &&
           row->series[count].count == row->series[0].count)
        count++;
    return count;
}

static void add_labelled(tern__text *page, const tern_bench_row *row, int count) {
    tern__text_print(page,
                     "<figure class='wide'><figcaption>%s</figcaption><div class='scroll tall' "
                     "tabindex='0'><table class='dense'><thead><tr><th scope='col'>operation</th>",
                     row->what);
    for (int i = 0; i < count; i++) {
        const char *unit = row->series[i].y_unit;
        bool has_unit = unit[0] != '\0' && strcmp(unit, "calls") != 0;
        tern__text_print(page, "<th scope='col' class='n'>%s%s%s</th>", row->series[i].name,
                         has_unit ? ", " : "", has_unit ? unit : "");
    }
    tern__text_add(page, "</tr></thead>\n<tbody>\n");
    for (int64_t i = 0; i < row->series[0].count; i++) {
        tern__text_print(page, "<tr><th scope='row'>%s</th>", row->series[0].label[i]);
        for (int j = 0; j < count; j++) {
            double value = row->series[j].y[i];
            bool is_copy = strncmp(row->series[j].name, "cop", 3) == 0 && value > 0;
            tern__text_print(page, "<td class='n%s%s'>", value == 0 ? " zero" : "",
                             is_copy ? " copied" : "");
            add_quantity(page, value, "");
            tern__text_add(page, "</td>");
        }
        tern__text_add(page, "</tr>\n");
    }
    tern__text_add(page, "</tbody></table></div></figure>\n");
}

void tern__html_zero_copy(tern__text *page, const tern_report *report) {
    bool has_any = false;
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        int count = has_target(&report->rows[i], "T4") ? labelled_series(row) : 0;
        if (count > 0)
            add_labelled(page, row, count);
        has_any = has_any || count > 0;
    }
    if (!has_any)
        tern__text_add(page, "<p class='empty'>This report has no counts of T4 by operation.</p>"
                             "\n");
}

/* -- regressions -------------------------------------------------------------------------------*/

static void add_graded(tern__text *page, const tern_report_row *row) {
    char figure[TERN__FIGURE];
    tern__text_print(page, "<tr><td data-label='grade'><span class='grade %s'>%s</span></td>",
                     tern_grade_name(row->grade), tern_grade_name(row->grade));
    tern__text_print(page, "<th scope='row'>%s %s</th>", row->row.id, row->row.what);
    tern__text_add(page, "<td class='n' data-label='cost'><b>");
    tern__html_figure(page, tern__change(row->change, figure));
    tern__text_add(page, "</b></td><td class='n' data-label='baseline'>");
    add_quantity(page, row->baseline, row->row.unit);
    tern__text_add(page, "</td><td class='n' data-label='now'>");
    tern__html_figure(page, tern__measured(&row->row, figure));
    tern__text_add(page, "</td></tr>\n");
}

static void count_grades(tern__text *page, const tern_report *report) {
    static const char *const sentences[] = {[TERN_GRADE_SAME] = "as before",
                                            [TERN_GRADE_BETTER] = "better",
                                            [TERN_GRADE_MINOR] = "minor (5 % or more)",
                                            [TERN_GRADE_MODERATE] = "moderate (15 %)",
                                            [TERN_GRADE_MAJOR] = "major (30 %)",
                                            [TERN_GRADE_CRITICAL] = "critical (50 %)"};
    tern__text_add(page, "<p>Costs against the baseline: ");
    for (int grade = TERN_GRADE_SAME; grade <= TERN_GRADE_CRITICAL; grade++)
        tern__text_print(page, "%lld %s%s",
                         (long long)tern_report_grades(report, (tern_grade)grade), sentences[grade],
                         grade < TERN_GRADE_CRITICAL ? ", " : "");
    tern__text_add(page, ". A figure differs when its interval and that of the baseline do not "
                         "meet; of rates and shares the cost is 1 over the figure.</p>\n");
}

void tern__html_regressions(tern__text *page, const tern_report *report) {
    static const tern_grade shown[] = {TERN_GRADE_CRITICAL, TERN_GRADE_MAJOR, TERN_GRADE_MODERATE,
                                       TERN_GRADE_MINOR, TERN_GRADE_BETTER};
    if (tern_report_grades(report, TERN_GRADE_NONE) == report->row_count) {
        tern__text_add(page, "<p class='empty'>No baseline was given.</p>\n");
        return;
    }
    count_grades(page, report);
    int64_t rows = 0;
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        rows += tern_report_grades(report, shown[i]);
    if (rows == 0)
        return;
    tern__text_add(page, "<table class='stack graded'><thead><tr><th scope='col'>grade</th><th "
                         "scope='col'>what</th><th scope='col' class='n'>cost</th><th scope='col' "
                         "class='n'>baseline</th><th scope='col' class='n'>now</th></tr></thead>\n"
                         "<tbody>\n");
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        for (int64_t j = 0; j < report->row_count; j++)
            if (report->rows[j].grade == shown[i])
                add_graded(page, &report->rows[j]);
    tern__text_add(page, "</tbody></table>\n");
}

/* -- what has no target ------------------------------------------------------------------------*/

void tern__html_limits(tern__text *page, const tern_report *report) {
    char figure[TERN__FIGURE];
    const tern_report_row *first = tern__html_first(report, "ROOF");
    if (first == NULL) {
        tern__text_add(page, "<p class='empty'>They are not in this report: <code>tern validate "
                             "--only ROOF</code> measures them.</p>\n");
        return;
    }
    tern__html_command(page, report, first);
    tern__text_add(page, "<div class='scroll'><table class='dense'><thead><tr><th scope='col'>"
                         "limit</th><th scope='col' class='n'>measured</th><th scope='col'>how</th>"
                         "</tr></thead>\n<tbody>\n");
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (!has_target(&report->rows[i], "ROOF"))
            continue;
        tern__text_print(page, "<tr><th scope='row'>%s</th><td class='n'>", row->what);
        if (isnan(row->median))
            tern__text_add(page, "not measured");
        else
            tern__html_figure(page, tern__measured(row, figure));
        tern__text_print(page, "</td><td>%s</td></tr>\n", row->detail);
    }
    tern__text_add(page, "</tbody></table></div>\n");
}

static void add_pivot(tern__text *page, const tern__pivot *pivot, const char *head) {
    char label[160];
    tern__text_print(page,
                     "<div class='scroll tall' tabindex='0'><table class='dense'><thead><tr><th "
                     "scope='col'>%s</th>",
                     head);
    for (int i = 0; i < pivot->columns; i++)
        tern__text_print(page, "<th scope='col' class='n'>%s</th>", pivot->column[i]);
    tern__text_add(page, "</tr></thead>\n<tbody>\n");
    for (int64_t line = -1; (line = tern__pivot_next(pivot, line)) >= 0;) {
        tern__pivot_label(pivot, line, label, sizeof label);
        tern__text_print(page, "<tr><th scope='row'>%s</th>", label);
        if (!tern__pivot_has_cells(pivot, line)) {
            tern__text_print(page, "<td class='n' colspan='%d'>not measured: %s</td></tr>\n",
                             pivot->columns > 0 ? pivot->columns : 1,
                             pivot->report->rows[line].row.detail);
            continue;
        }
        for (int i = 0; i < pivot->columns; i++) {
            const tern_report_row *cell = tern__pivot_cell(pivot, line, i);
            tern__text_add(page, "<td class='n'>");
            if (cell != NULL)
                add_quantity(page, cell->row.median, cell->row.unit);
            tern__text_add(page, "</td>");
        }
        tern__text_add(page, "</tr>\n");
    }
    tern__text_add(page, "</tbody></table></div>\n");
}

void tern__html_kernels(tern__text *page, const tern_report *report) {
    char family[TERN__PIVOT_WORDS];
    tern__pivot pivot;
    if (tern__html_first(report, "KERN") == NULL)
        tern__text_add(page, "<p class='empty'>They are not in this report: <code>tern validate "
                             "--only KERN</code> measures them.</p>\n");
    for (int64_t i = -1; (i = tern__family_next(report, "KERN", i)) >= 0;) {
        tern__family_of(&report->rows[i], family);
        tern__text_print(page, "<h3>%s</h3>\n", family);
        tern__html_command(page, report, &report->rows[i]);
        tern__pivot_init(&pivot, report, "KERN", family);
        add_pivot(page, &pivot, "kernel");
    }
}

void tern__html_operations(tern__text *page, const tern_report *report) {
    tern__pivot pivot;
    if (tern__html_first(report, "OPS") == NULL) {
        tern__text_add(page, "<p class='empty'>They are not in this report: <code>tern validate "
                             "--only OPS</code> measures them.</p>\n");
        return;
    }
    tern__text_add(page, "<code class='command'>tern bench operations</code>\n");
    tern__pivot_init(&pivot, report, "OPS", "");
    add_pivot(page, &pivot, "operation");
}

/* -- machine and commands ----------------------------------------------------------------------*/

void tern__html_facts(tern__text *page, const tern_report *report) {
    if (report->fact_count == 0) {
        tern__text_add(page, "<p class='empty'>The report has no facts.</p>\n");
        return;
    }
    tern__text_add(page, "<div class='facts'>\n");
    for (int i = 0; i < report->fact_count; i++) {
        const tern_report_fact *fact = &report->facts[i];
        bool is_first = i == 0 || strcmp(report->facts[i - 1].group, fact->group) != 0;
        if (is_first)
            tern__text_print(page, "%s<section><h3>%s</h3><dl>\n", "", fact->group);
        tern__text_print(page, "<div><dt>%s</dt><dd>%s</dd></div>\n", fact->name, fact->value);
        if (i + 1 == report->fact_count || strcmp(report->facts[i + 1].group, fact->group) != 0)
            tern__text_add(page, "</dl></section>\n");
    }
    tern__text_add(page, "</div>\n");
}

static void add_command(tern__text *page, const tern_report *report, const char *id,
                        const char *title) {
    const tern_report_row *row = tern__html_first(report, id);
    if (row == NULL)
        return;
    tern__text_print(page, "<tr><th scope='row'>%s</th><td>%s</td><td>", id, title);
    tern__html_command(page, report, row);
    tern__text_add(page, "</td></tr>\n");
}

void tern__html_commands(tern__text *page, const tern_report *report) {
    tern__text_add(page, "<div class='scroll'><table class='commands'><thead><tr><th scope='col'>"
                         "figures</th><th scope='col'>about</th><th scope='col'>command</th></tr>"
                         "</thead>\n<tbody>\n");
    for (int i = 0; i < tern_target_count(); i++)
        add_command(page, report, tern_target_at(i)->id, tern_target_at(i)->title);
    add_command(page, report, "ROOF", "limits of the machine");
    for (int64_t i = -1; (i = tern__family_next(report, "KERN", i)) >= 0;) {
        char family[TERN__PIVOT_WORDS];
        tern__family_of(&report->rows[i], family);
        tern__text_print(page, "<tr><th scope='row'>KERN</th><td>kernels of %s</td><td>", family);
        tern__html_command(page, report, &report->rows[i]);
        tern__text_add(page, "</td></tr>\n");
    }
    if (tern__html_first(report, "OPS") != NULL)
        tern__text_add(page, "<tr><th scope='row'>OPS</th><td>every operation</td><td><code "
                             "class='command'>tern bench operations</code></td></tr>\n");
    tern__text_add(page, "</tbody></table></div>\n");
}
