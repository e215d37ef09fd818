/* SPDX-License-Identifier: MIT
 * Reports as JSON: docs/validate.schema.json is its schema, report_read.c the other way. */
#include <math.h>

#include "validate/report.h"
#include "validate/text.h"

/* What separates the i-th element of a list from the one before, on a line of its own. */
static void begin_line(tern__text *json, int64_t i) {
    tern__text_add(json, i > 0 ? ",\n  " : "\n  ");
}

static void add_string(tern__text *json, const char *key, const char *value) {
    tern__text_print(json, "\"%s\": \"%s\"", key, value);
}

/* Not the first key of its object. */
static void add_value(tern__text *json, const char *key, double value) {
    tern__text_print(json, ", \"%s\": ", key);
    tern__text_number(json, value);
}

static void add_flag(tern__text *json, const char *key, bool is_set) {
    tern__text_print(json, ", \"%s\": ", key);
    tern__text_add(json, is_set ? "true" : "false");
}

static void add_numbers(tern__text *json, const char *key, const double *numbers, int64_t count) {
    tern__text_print(json, ", \"%s\": [", key);
    for (int64_t i = 0; i < count; i++) {
        tern__text_add(json, i > 0 ? ", " : "");
        tern__text_number(json, numbers[i]);
    }
    tern__text_add(json, "]");
}

static void add_peer(tern__text *json, const tern_bench_peer *peer) {
    tern__text_add(json, "{");
    add_string(json, "name", peer->name);
    add_value(json, "median", peer->median);
    add_value(json, "p99", peer->p99);
    if (peer->reason != NULL)
        tern__text_print(json, ", \"reason\": \"%s\"}", peer->reason);
    else
        tern__text_add(json, ", \"reason\": null}");
}

static void add_series(tern__text *json, const tern_bench_series *series) {
    tern__text_print(json, "{\"name\": \"%s\", \"x_unit\": \"%s\", \"y_unit\": \"%s\"",
                     series->name, series->x_unit, series->y_unit);
    add_numbers(json, "x", series->x, series->count);
    add_numbers(json, "y", series->y, series->count);
    if (series->label == NULL) {
        tern__text_add(json, ", \"label\": null}");
        return;
    }
    tern__text_add(json, ", \"label\": [");
    for (int64_t i = 0; i < series->count; i++) {
        tern__text_add(json, i > 0 ? ", " : "");
        tern__text_print(json, "\"%s\"", series->label[i]);
    }
    tern__text_add(json, "]}");
}

static void add_baseline(tern__text *json, const tern_report_row *row) {
    if (row->grade == TERN_GRADE_NONE && isnan(row->baseline)) {
        tern__text_add(json, ", \"baseline\": null");
        return;
    }
    tern__text_add(json, ", \"baseline\": {");
    add_string(json, "grade", tern_grade_name(row->grade));
    add_value(json, "median", row->baseline);
    add_value(json, "low", row->baseline_low);
    add_value(json, "high", row->baseline_high);
    add_value(json, "change", row->change);
    tern__text_add(json, "}");
}

static void add_figures(tern__text *json, const tern_bench_row *row) {
    add_value(json, "median", row->median);
    add_value(json, "p5", row->p5);
    add_value(json, "p95", row->p95);
    add_value(json, "p99", row->p99);
    add_value(json, "low", row->low);
    add_value(json, "high", row->high);
    add_value(json, "floor", row->floor);
    add_value(json, "goal", row->goal);
    add_value(json, "goal_p99", row->goal_p99);
    tern__text_print(json, ", \"bound\": \"%s\"", row->is_least ? "least" : "most");
    add_flag(json, "goal_met", row->is_goal_met);
    add_flag(json, "ratio", row->is_ratio);
    add_flag(json, "noisy", row->is_noisy);
    add_value(json, "load", row->load);
    add_value(json, "operations", row->operations);
    add_value(json, "bytes", row->bytes);
}

static void add_row(tern__text *json, const tern_report_row *owner) {
    const tern_bench_row *row = &owner->row;
    tern__text_print(json, "{\"id\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\"", row->id,
                     row->what, row->unit);
    tern__text_print(json, ", \"samples\": %lld, \"passes\": %d", (long long)row->samples,
                     owner->passes);
    add_figures(json, row);
    tern__text_print(json, ", \"verdict\": \"%s\", \"detail\": \"%s\", \"peers\": [",
                     tern_bench_verdict_name(row->verdict), row->detail);
    for (int i = 0; i < row->peer_count; i++) {
        tern__text_add(json, i > 0 ? ", " : "");
        add_peer(json, &row->peer[i]);
    }
    tern__text_add(json, "], \"series\": [");
    for (int i = 0; i < row->series_count; i++) {
        tern__text_add(json, i > 0 ? ", " : "");
        add_series(json, &row->series[i]);
    }
    tern__text_add(json, "]");
    add_baseline(json, owner);
    tern__text_add(json, "}");
}

tern_status tern_report_write_json(const tern_report *report, const char *path) {
    tern__text json = {.kind = TERN__TEXT_JSON};
    tern__text_print(&json, "{\"schema\": \"%s\",\n \"version\": %d,\n \"facts\": [",
                     TERN__REPORT_SCHEMA, TERN__REPORT_VERSION);
    for (int i = 0; i < report->fact_count; i++) {
        const tern_report_fact *fact = &report->facts[i];
        begin_line(&json, i);
        tern__text_print(&json, "{\"group\": \"%s\", \"name\": \"%s\", \"value\": \"%s\"}",
                         fact->group, fact->name, fact->value);
    }
    tern__text_add(&json, "],\n \"rows\": [");
    for (int64_t i = 0; i < report->row_count; i++) {
        begin_line(&json, i);
        add_row(&json, &report->rows[i]);
    }
    tern__text_add(&json, "],\n \"checklist\": [");
    for (int i = 0; i < report->item_count; i++) {
        const tern_report_item *item = &report->items[i];
        begin_line(&json, i);
        tern__text_print(&json, "{\"text\": \"%s\", \"found\": \"%s\", \"verdict\": \"%s\"}",
                         item->text, item->found, tern_bench_verdict_name(item->verdict));
    }
    tern__text_add(&json, "]}\n");
    return tern__text_publish(&json, path);
}
