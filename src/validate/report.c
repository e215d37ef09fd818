/* SPDX-License-Identifier: MIT */
#include "validate/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"

enum { CHUNK_BYTES = 64 << 10, ALIGNMENT = 16 };

/* -- the arena ---------------------------------------------------------------------------------*/

/* What is larger than a chunk gets one of its own. */
void *tern__report_alloc(tern_report *report, size_t bytes) {
    size_t need = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (report->chunks == NULL || need > CHUNK_BYTES - report->used) {
        size_t room = need > CHUNK_BYTES - ALIGNMENT ? need + ALIGNMENT : CHUNK_BYTES;
        void *chunk = tern__os()->alloc(room);
        if (chunk == NULL) {
            tern__fail(TERN_E_MEMORY, "report: no memory for %zu bytes", bytes);
            return NULL;
        }
        memcpy(chunk, &report->chunks, sizeof report->chunks);
        report->chunks = chunk;
        report->used = ALIGNMENT;
    }
    void *memory = (char *)report->chunks + report->used;
    report->used = report->used + need < CHUNK_BYTES ? report->used + need : CHUNK_BYTES;
    return memory;
}

const char *tern__report_text(tern_report *report, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = tern__report_alloc(report, bytes);
    return copy != NULL ? memcpy(copy, text, bytes) : NULL;
}

tern_status tern__report_create(tern_report **report) {
    *report = tern__os()->alloc(sizeof **report);
    return *report != NULL ? TERN_OK : tern__fail(TERN_E_MEMORY, "report: no memory");
}

void tern_report_destroy(tern_report *report) {
    if (report == NULL)
        return;
    for (void *chunk = report->chunks, *before; chunk != NULL; chunk = before) {
        memcpy(&before, chunk, sizeof before);
        tern__os()->free(chunk);
    }
    tern__os()->free(report);
}

/* A list with room for one more: the old one stays in the arena. */
static tern_status make_room(tern_report *report, void *list, int64_t count, int64_t room,
                             size_t size, void **grown) {
    *grown = list;
    if (count < room)
        return TERN_OK;
    *grown = tern__report_alloc(report, (size_t)(2 * room + 16) * size);
    if (*grown == NULL)
        return TERN_E_MEMORY;
    if (count > 0)
        memcpy(*grown, list, (size_t)count * size);
    return TERN_OK;
}

/* -- rows --------------------------------------------------------------------------------------*/

static tern_status copy_text(tern_report *report, const char **text) {
    if (*text == NULL)
        return TERN_OK;
    *text = tern__report_text(report, *text);
    return *text != NULL ? TERN_OK : TERN_E_MEMORY;
}

static tern_status copy_numbers(tern_report *report, const double **numbers, int64_t count) {
    double *copy = tern__report_alloc(report, (size_t)count * sizeof *copy);
    if (copy == NULL)
        return TERN_E_MEMORY;
    if (count > 0)
        memcpy(copy, *numbers, (size_t)count * sizeof *copy);
    *numbers = copy;
    return TERN_OK;
}

static tern_status copy_series(tern_report *report, tern_bench_series *series) {
    tern_status status;
    TERN__TRY(copy_text(report, &series->name));
    TERN__TRY(copy_text(report, &series->x_unit));
    TERN__TRY(copy_text(report, &series->y_unit));
    TERN__TRY(copy_numbers(report, &series->x, series->count));
    TERN__TRY(copy_numbers(report, &series->y, series->count));
    if (series->label == NULL)
        return TERN_OK;
    const char **label = tern__report_alloc(report, (size_t)series->count * sizeof *label);
    if (label == NULL)
        return TERN_E_MEMORY;
    for (int64_t i = 0; i < series->count; i++) {
        label[i] = series->label[i];
        TERN__TRY(copy_text(report, &label[i]));
    }
    series->label = label;
done:
    return status;
}

tern_status tern__report_add_row(tern_report *report, const tern_bench_row *row,
                                 tern_report_row **added) {
    tern_report_row copy = {.row = *row,
                            .passes = isnan(row->median) ? 0 : 1,
                            .baseline = NAN,
                            .baseline_low = NAN,
                            .baseline_high = NAN,
                            .change = NAN};
    void *rows = NULL;
    tern_status status;
    TERN__TRY(copy_text(report, &copy.row.id));
    TERN__TRY(copy_text(report, &copy.row.what));
    TERN__TRY(copy_text(report, &copy.row.unit));
    for (int i = 0; i < row->peer_count; i++) {
        TERN__TRY(copy_text(report, &copy.row.peer[i].name));
        TERN__TRY(copy_text(report, &copy.row.peer[i].reason));
    }
    for (int i = 0; i < row->series_count; i++)
        TERN__TRY(copy_series(report, &copy.row.series[i]));
    TERN__TRY(
        make_room(report, report->rows, report->row_count, report->row_room, sizeof copy, &rows));
    if (rows != report->rows)
        report->row_room = 2 * report->row_room + 16;
    report->rows = rows;
    report->rows[report->row_count] = copy;
    if (added != NULL)
        *added = &report->rows[report->row_count];
    report->row_count++;
done:
    return status;
}

tern_report_row *tern__report_find(const tern_report *report, const char *id, const char *what) {
    for (int64_t i = 0; i < report->row_count; i++)
        if (strcmp(report->rows[i].row.id, id) == 0 && strcmp(report->rows[i].row.what, what) == 0)
            return &report->rows[i];
    return NULL;
}

/* -- facts and items ---------------------------------------------------------------------------*/

tern_status tern__report_add_fact(tern_report *report, const char *group, const char *name,
                                  const char *format, ...) {
    char value[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    tern_report_fact fact = {group, name, value};
    void *facts = NULL;
    tern_status status;
    TERN__TRY(copy_text(report, &fact.group));
    TERN__TRY(copy_text(report, &fact.name));
    TERN__TRY(copy_text(report, &fact.value));
    TERN__TRY(make_room(report, report->facts, report->fact_count, report->fact_room, sizeof fact,
                        &facts));
    if (facts != report->facts)
        report->fact_room = 2 * report->fact_room + 16;
    report->facts = facts;
    report->facts[report->fact_count++] = fact;
done:
    return status;
}

tern_status tern__report_add_item(tern_report *report, const char *text, const char *found,
                                  tern_bench_verdict verdict) {
    tern_report_item item = {text, found, verdict};
    void *items = NULL;
    tern_status status;
    TERN__TRY(copy_text(report, &item.text));
    TERN__TRY(copy_text(report, &item.found));
    TERN__TRY(make_room(report, report->items, report->item_count, report->item_room, sizeof item,
                        &items));
    if (items != report->items)
        report->item_room = 2 * report->item_room + 16;
    report->items = items;
    report->items[report->item_count++] = item;
done:
    return status;
}

/* -- what it holds -----------------------------------------------------------------------------*/

int64_t tern_report_row_count(const tern_report *report) {
    return report->row_count;
}

const tern_report_row *tern_report_row_at(const tern_report *report, int64_t index) {
    return index >= 0 && index < report->row_count ? &report->rows[index] : NULL;
}

int tern_report_fact_count(const tern_report *report) {
    return report->fact_count;
}

const tern_report_fact *tern_report_fact_at(const tern_report *report, int index) {
    return index >= 0 && index < report->fact_count ? &report->facts[index] : NULL;
}

const char *tern_report_fact_value(const tern_report *report, const char *name) {
    for (int i = 0; i < report->fact_count; i++)
        if (strcmp(report->facts[i].name, name) == 0)
            return report->facts[i].value;
    return "";
}

int tern_report_item_count(const tern_report *report) {
    return report->item_count;
}

const tern_report_item *tern_report_item_at(const tern_report *report, int index) {
    return index >= 0 && index < report->item_count ? &report->items[index] : NULL;
}

int64_t tern_report_count(const tern_report *report, tern_bench_verdict verdict) {
    int64_t count = 0;
    for (int64_t i = 0; i < report->row_count; i++)
        count += report->rows[i].row.verdict == verdict;
    return count;
}

int64_t tern_report_grades(const tern_report *report, tern_grade grade) {
    int64_t count = 0;
    for (int64_t i = 0; i < report->row_count; i++)
        count += report->rows[i].grade == grade;
    return count;
}

tern_bench_verdict tern_report_verdict(const tern_report *report, const char *id) {
    int64_t count[TERN_BENCH_NO_TARGET + 1] = {0}, floors = 0, doubtful = 0;
    for (int64_t i = 0; i < report->row_count; i++) {
        const tern_bench_row *row = &report->rows[i].row;
        if (strcmp(row->id, id) != 0)
            continue;
        count[row->verdict]++;
        floors += !isnan(row->floor);
        doubtful += row->verdict == TERN_BENCH_NOT_MEASURED && !isnan(row->median);
    }
    return count[TERN_BENCH_FAIL] > 0                       ? TERN_BENCH_FAIL
           : doubtful > 0                                   ? TERN_BENCH_NOT_MEASURED
           : count[TERN_BENCH_PASS] > 0                     ? TERN_BENCH_PASS
           : count[TERN_BENCH_NO_TARGET] > 0 && floors == 0 ? TERN_BENCH_NO_TARGET
                                                            : TERN_BENCH_NOT_MEASURED;
}
