/* SPDX-License-Identifier: MIT
 * Reports as one HTML page: what stands where. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "validate/figures.h"
#include "validate/html.h"
#include "validate/report.h"
#include "validate/report_text.h"

/* -- head --------------------------------------------------------------------------------------*/

static void add_count(tern__text *page, const tern_report *report, tern_bench_verdict verdict,
                      const char *class) {
    tern__text_print(page, "<span class='%s'><b>%lld</b> %s</span>", class,
                     (long long)tern_report_count(report, verdict), tern__verdict_word(verdict));
}

/* The shares of the verdicts as one line. */
static void add_shares(tern__text *page, const tern_report *report) {
    static const char *const classes[] = {"pass", "fail", "none"};
    double total = 0, begin = 0;
    for (int i = 0; i < 3; i++)
        total += (double)tern_report_count(report, (tern_bench_verdict)i);
    if (total == 0)
        return;
    tern__text_add(page, "<svg class='shares' height='10' aria-hidden='true'>");
    for (int i = 0; i < 3; i++) {
        double share = 100 * (double)tern_report_count(report, (tern_bench_verdict)i) / total;
        tern__text_print(page, "<rect class='%s' x='%.3f%%' width='%.3f%%' y='0' height='10'/>",
                         classes[i], begin, fmax(share - 0.3, 0));
        begin += share;
    }
    tern__text_add(page, "</svg>\n");
}

static void add_machine_line(tern__text *page, const tern_report *report) {
    static const char *const names[] = {"processor", "cores", "memory", "level", "date"};
    bool has_any = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = tern_report_fact_value(report, names[i]);
        if (value[0] == '\0')
            continue;
        tern__text_add(page, has_any ? " <span>" : "<p class='machine'><span>");
        if (strcmp(names[i], "cores") == 0)
            tern__text_print(page, "%s cores</span>", value);
        else
            tern__text_print(page, "%s</span>", value);
        has_any = true;
    }
    tern__text_add(page, has_any ? "</p>\n" : "");
}

static void add_head(tern__text *page, const tern_report *report) {
    tern__text_print(page,
                     "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n<meta "
                     "name='viewport' content='width=device-width, initial-scale=1'>\n<meta "
                     "name='color-scheme' content='light dark'>\n<title>Tern: %lld pass, %lld "
                     "fail, %lld not measured</title>\n<style>\n",
                     (long long)tern_report_count(report, TERN_BENCH_PASS),
                     (long long)tern_report_count(report, TERN_BENCH_FAIL),
                     (long long)tern_report_count(report, TERN_BENCH_NOT_MEASURED));
    tern__text_add(page, tern__html_style);
    tern__text_add(page, "</style>\n</head>\n<body>\n<header>\n<p class='over'>Tern &middot; "
                         "performance report</p>\n<h1>");
    add_count(page, report, TERN_BENCH_PASS, "pass");
    tern__text_add(page, ", ");
    add_count(page, report, TERN_BENCH_FAIL, "fail");
    tern__text_add(page, ", ");
    add_count(page, report, TERN_BENCH_NOT_MEASURED, "none");
    tern__text_add(page, "</h1>\n");
    add_shares(page, report);
    tern__text_print(page,
                     "<p class='lead'>Counted are figures, but for measured ones without a floor. "
                     "Of %d targets %d "
                     "pass, %d fail, %d were not measured.</p>\n",
                     tern_target_count(), tern__targets_with(report, TERN_BENCH_PASS),
                     tern__targets_with(report, TERN_BENCH_FAIL),
                     tern__targets_with(report, TERN_BENCH_NOT_MEASURED));
    add_machine_line(page, report);
    tern__text_add(page, "</header>\n");
}

/* -- sections ----------------------------------------------------------------------------------*/

static void add_checklist(tern__text *page, const tern_report *report) {
    if (report->item_count == 0) {
        tern__text_add(page, "<p class='empty'>This report has no checklist.</p>\n");
        return;
    }
    tern__text_add(page, "<table class='stack checklist'><thead><tr><th scope='col'>asked for</th>"
                         "<th scope='col'>found</th><th scope='col'>verdict</th></tr></thead>\n"
                         "<tbody>\n");
    for (int i = 0; i < report->item_count; i++) {
        const tern_report_item *item = &report->items[i];
        tern__text_print(page,
                         "<tr><th scope='row'>%s</th><td data-label='found'>%s</td><td "
                         "data-label='verdict'>",
                         item->text, item->found);
        tern__html_verdict(page, item->verdict);
        tern__text_add(page, "</td></tr>\n");
    }
    tern__text_add(page, "</tbody></table>\n");
}

/* The seed report's five: each is a card for the targets whose ids begin so. */
static const struct {
    const char *id, *title;
} cards[] = {
    {"T1", "Matrix products"},
    {"T2", "Element-wise operations"},
    {"T3", "The time of a tensor"},
    {"T4", "Zero copy"},
    {"T5", "Memory"},
};

static void add_card_line(tern__text *page, const tern_report *report, const tern_target *target) {
    char range[TERN__FIGURE];
    tern__text_print(page, "<li><a href='#%s'><span class='id'>%s</span> <span>%s</span></a>",
                     target->id, target->id, target->title);
    tern__text_add(page, "<span class='range'>");
    tern__html_figure(page, tern__target_range(report, target->id, range));
    tern__text_add(page, "</span>");
    tern__html_verdict(page, tern_report_verdict(report, target->id));
    tern__text_print(page, "<small>floor: %s</small></li>\n", target->floor);
}

static void add_cards(tern__text *page, const tern_report *report) {
    tern__text_add(page, "<div class='cards'>\n");
    for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++) {
        tern__text_print(page, "<section class='card'><h3><span class='id'>%s</span> %s</h3><ul>\n",
                         cards[i].id, cards[i].title);
        for (int j = 0; j < tern_target_count(); j++)
            if (strncmp(tern_target_at(j)->id, cards[i].id, 2) == 0)
                add_card_line(page, report, tern_target_at(j));
        tern__text_add(page, "</ul></section>\n");
    }
    tern__text_add(page, "</div>\n");
}

static void add_summary(tern__text *page, const tern_report *report, int group) {
    char range[TERN__FIGURE];
    tern__text_add(page, "<table class='stack summary'><thead><tr><th scope='col'>target</th><th "
                         "scope='col' class='n'>measured</th><th scope='col'>floor</th><th "
                         "scope='col'>goal</th><th scope='col'>verdict</th></tr></thead>\n<tbody>"
                         "\n");
    for (int i = 0; i < tern_target_count(); i++) {
        const tern_target *target = tern_target_at(i);
        if ((int)target->group != group)
            continue;
        tern__text_print(page,
                         "<tr><th scope='row'><a href='#%s'><span class='id'>%s</span> %s</a></th>"
                         "<td class='n' data-label='measured'><b>",
                         target->id, target->id, target->title);
        tern__html_figure(page, tern__target_range(report, target->id, range));
        tern__text_add(page, "</b></td><td data-label='floor'><span>");
        tern__html_figure(page, target->floor);
        tern__text_add(page, "</span></td><td data-label='goal'><span>");
        tern__html_figure(page, target->goal);
        tern__text_add(page, "</span></td><td data-label='verdict'>");
        tern__html_verdict(page, tern_report_verdict(report, target->id));
        tern__text_add(page, "</td></tr>\n");
    }
    tern__text_add(page, "</tbody></table>\n");
}

static void add_target(tern__text *page, const tern_report *report, const tern_target *target) {
    const tern_report_row *first = tern__html_first(report, target->id);
    tern__text_print(page,
                     "<section class='target' id='%s'><h3><span class='id'>%s</span> %s </h3>\n",
                     target->id, target->id, target->title);
    tern__text_add(page, "<p class='verdict'>");
    tern__html_verdict(page, tern_report_verdict(report, target->id));
    tern__text_add(page, " <span>floor ");
    tern__html_figure(page, target->floor);
    tern__text_add(page, "</span> <span>goal ");
    tern__html_figure(page, target->goal);
    tern__text_print(page, "</span></p>\n<p class='definition'>%s</p>\n", target->definition);
    if (first != NULL)
        tern__html_command(page, report, first);
    tern__html_rows(page, report, target->id);
    tern__text_add(page, "</section>\n");
}

static void add_details(tern__text *page, const tern_report *report) {
    tern__html_interval_key(page);
    for (int i = 0; i < tern_target_count(); i++)
        add_target(page, report, tern_target_at(i));
}

static void add_ternary(tern__text *page, const tern_report *report) {
    tern__text_add(page, "<h3>Ternary kernels</h3>\n");
    add_summary(page, report, TERN_TARGET_TERNARY);
    tern__text_add(page, "<h3>Models</h3>\n");
    add_summary(page, report, TERN_TARGET_MODEL);
}

/* -- the page ----------------------------------------------------------------------------------*/

static const struct {
    const char *id, *title;
    const char *lead; /* one sentence; NULL: none */
    void (*add)(tern__text *page, const tern_report *report);
} sections[] = {
    {"checklist", "The seed report's checklist", NULL, add_checklist},
    {"seed", "The five seed targets", NULL, add_cards},
    {"ternary", "Ternary and model targets", NULL, add_ternary},
    {"regressions", "Against the baseline", NULL, tern__html_regressions},
    {"roofline", "Rooflines",
     "What kernels reach under the limits of this machine. A dot right below a sloped roof is "
     "bound by what it reads, one below a flat roof by arithmetic.",
     tern__html_rooflines},
    {"speedups", "Element-wise operations", NULL, tern__html_speedups},
    {"latency", "The time of a tensor",
     "How long it takes to create and to release one, beside the allocators of this machine.",
     tern__html_latencies},
    {"memory", "Memory over time", NULL, tern__html_memory},
    {"copies", "Zero copy by operation", "Calls of every operation by what became of their data.",
     tern__html_zero_copy},
    {"targets", "Every figure", NULL, add_details},
    {"limits", "Limits of the machine",
     "What shares of a limit refer to. A multiply-add is two operations.", tern__html_limits},
    {"kernels", "Kernels by family",
     "Rates of packed bytes, and of operations where there are many columns: one matrix again and "
     "again (hot), or weights from a working set larger than the caches (streamed).",
     tern__html_kernels},
    {"operations", "Operations", "The time of one call and of the release of its result.",
     tern__html_operations},
    {"machine", "Machine and build", NULL, tern__html_facts},
    {"reproduce", "How to reproduce each figure", NULL, tern__html_commands},
};
enum { SECTIONS = sizeof sections / sizeof sections[0] };

tern_status tern_report_write_html(const tern_report *report, const char *path) {
    tern__text page = {.kind = TERN__TEXT_HTML};
    add_head(&page, report);
    tern__text_add(&page, "<nav aria-label='Contents'><ul>\n");
    for (int i = 0; i < SECTIONS; i++)
        tern__text_print(&page, "<li><a href='#%s'>%s</a></li>\n", sections[i].id,
                         sections[i].title);
    tern__text_add(&page, "</ul></nav>\n<main>\n");
    for (int i = 0; i < SECTIONS; i++) {
        tern__text_print(&page, "<section id='%s'><h2>%s</h2>\n", sections[i].id,
                         sections[i].title);
        if (sections[i].lead != NULL)
            tern__text_print(&page, "<p class='lead'>%s</p>\n", sections[i].lead);
        sections[i].add(&page, report);
        tern__text_add(&page, "</section>\n");
    }
    tern__text_print(&page,
                     "</main>\n<footer><p>A figure is a median; the interval beside it holds it "
                     "with 95&nbsp;%% confidence. Results are checked before anything is timed, "
                     "data are random, what is compared takes turns in one run. Written by tern "
                     "%s.</p></footer>\n</body>\n</html>\n",
                     tern_version());
    return tern__text_publish(&page, path);
}
