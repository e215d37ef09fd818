/* SPDX-License-Identifier: MIT
 * Reports from JSON. Everything is checked: a key that is missing, unknown or there twice, types,
 * ranges, words, lengths and the size of it all. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"
#include "validate/report.h"

enum {
    MOST_FILE_BYTES = 256 << 20,
    MOST_ROWS = 10000,
    MOST_FACTS = 10000,
    MOST_ITEMS = 1000,
    MOST_POINTS = 1000000, /* of one series */
    MOST_PASSES = 1000000, /* sums over merged reports stay in range */
    MOST_TEXT = 4096,      /* bytes of a string */
    MOST_FACT_TEXT = 1023, /* of a fact's value */
    PLACE = 128,
    SHOWN = 60, /* bytes of the file's own words in a message */
};

#define MOST_SAMPLES (INT64_C(1) << 53)

/* An object of the file, and where it is: "row 3 (K1, 2560 x 2560)". */
typedef struct reader {
    tern_report *report;
    json_t *object;
    size_t used; /* keys that were asked for */
    char place[PLACE];
} reader;

/* -- values ------------------------------------------------------------------------------------*/

static tern_status malformed(const reader *r, const char *key, const char *what) {
    return tern__fail(TERN_E_FORMAT, "report: %s: \"%s\" %s", r->place, key, what);
}

static tern_status get(reader *r, const char *key, json_t **value) {
    *value = json_object_get(r->object, key);
    r->used++;
    return *value != NULL ? TERN_OK : malformed(r, key, "is missing");
}

/* After all keys were read. */
static tern_status check_keys(const reader *r) {
    if (json_object_size(r->object) == r->used)
        return TERN_OK;
    return tern__fail(TERN_E_FORMAT, "report: %s has %zu keys, %zu are known", r->place,
                      json_object_size(r->object), r->used);
}

/* It has no NUL: the parser does not allow one. */
static tern_status check_text(const reader *r, const char *key, const json_t *value, size_t most) {
    if (!json_is_string(value))
        return malformed(r, key, "is no string");
    return json_string_length(value) <= most ? TERN_OK : malformed(r, key, "is too long");
}

/* Valid as long as the document. */
static tern_status get_text(reader *r, const char *key, size_t most, const char **text) {
    json_t *value;
    tern_status status;
    TERN__TRY(get(r, key, &value));
    TERN__TRY(check_text(r, key, value, most));
    *text = json_string_value(value);
done:
    return status;
}

static tern_status get_name(reader *r, const char *key, const char **text) {
    tern_status status = get_text(r, key, MOST_TEXT, text);
    return status != TERN_OK || (*text)[0] != '\0' ? status : malformed(r, key, "is empty");
}

/* null is NaN. */
static tern_status get_number(reader *r, const char *key, double *number) {
    json_t *value;
    tern_status status;
    TERN__TRY(get(r, key, &value));
    *number = json_is_null(value) ? NAN : json_number_value(value);
    if (!json_is_null(value) && !json_is_number(value))
        return malformed(r, key, "is no number and not null");
done:
    return status;
}

static tern_status get_count(reader *r, const char *key, int64_t most, int64_t *count) {
    json_t *value;
    tern_status status;
    TERN__TRY(get(r, key, &value));
    *count = json_integer_value(value);
    if (!json_is_integer(value))
        return malformed(r, key, "is no integer");
    if (*count < 0 || *count > most)
        return malformed(r, key, "is out of range");
done:
    return status;
}

static tern_status get_flag(reader *r, const char *key, bool *flag) {
    json_t *value;
    tern_status status;
    TERN__TRY(get(r, key, &value));
    *flag = json_is_true(value);
    if (!json_is_boolean(value))
        return malformed(r, key, "is neither true nor false");
done:
    return status;
}

static tern_status get_list(reader *r, const char *key, size_t most, json_t **list) {
    tern_status status;
    TERN__TRY(get(r, key, list));
    if (!json_is_array(*list))
        return malformed(r, key, "is no array");
    if (json_array_size(*list) > most)
        return malformed(r, key, "has too many elements");
done:
    return status;
}

/* Which of the first `count` words it is. */
static tern_status get_word(reader *r, const char *key, const char *(*word)(int), int count,
                            int *index) {
    const char *text;
    tern_status status;
    TERN__TRY(get_text(r, key, MOST_TEXT, &text));
    for (*index = 0; *index < count; ++*index)
        if (strcmp(word(*index), text) == 0)
            return TERN_OK;
    return tern__fail(TERN_E_FORMAT, "report: %s: \"%s\" is an unknown word: %.*s", r->place, key,
                      SHOWN, text);
done:
    return status;
}

static const char *verdict_word(int index) {
    return tern_bench_verdict_name((tern_bench_verdict)index);
}

static const char *grade_word(int index) {
    return tern_grade_name((tern_grade)index);
}

static const char *bound_word(int index) {
    return index == 0 ? "most" : "least";
}

static tern_status get_verdict(reader *r, tern_bench_verdict *verdict) {
    int index = 0;
    tern_status status = get_word(r, "verdict", verdict_word, TERN_BENCH_NO_TARGET + 1, &index);
    *verdict = (tern_bench_verdict)index;
    return status;
}

/* The index-th object of a list. */
static tern_status enter(const reader *outer, json_t *list, size_t index, const char *name,
                         reader *inner) {
    *inner = (reader){.report = outer->report, .object = json_array_get(list, index)};
    snprintf(inner->place, PLACE, "%.*s%s%s %zu", PLACE / 2, outer->place,
             outer->place[0] != '\0' ? ", " : "", name, index);
    return json_is_object(inner->object)
               ? TERN_OK
               : tern__fail(TERN_E_FORMAT, "report: %s is no object", inner->place);
}

/* -- series and peers --------------------------------------------------------------------------*/

static tern_status read_numbers(reader *r, const char *key, json_t *list, bool may_be_null,
                                const double **numbers) {
    size_t count = json_array_size(list);
    double *copy = tern__report_alloc(r->report, count * sizeof *copy);
    if (copy == NULL)
        return TERN_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, i);
        copy[i] = json_is_null(value) ? NAN : json_number_value(value);
        if (!json_is_number(value) && !(may_be_null && json_is_null(value)))
            return malformed(r, key, "has an element that is no number");
    }
    *numbers = copy;
    return TERN_OK;
}

static tern_status read_labels(reader *r, size_t count, const char *const **labels) {
    json_t *list;
    tern_status status;
    TERN__TRY(get(r, "label", &list));
    *labels = NULL;
    if (json_is_null(list))
        return TERN_OK;
    if (!json_is_array(list) || json_array_size(list) != count)
        return malformed(r, "label", "is neither null nor as long as x");
    const char **copy = tern__report_alloc(r->report, count * sizeof *copy);
    if (copy == NULL)
        return TERN_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        TERN__TRY(check_text(r, "label", json_array_get(list, i), MOST_TEXT));
        copy[i] = json_string_value(json_array_get(list, i));
    }
    *labels = copy;
done:
    return status;
}

static tern_status read_series(reader *r, tern_bench_series *series) {
    json_t *x = NULL, *y = NULL;
    tern_status status;
    TERN__TRY(get_name(r, "name", &series->name));
    TERN__TRY(get_text(r, "x_unit", MOST_TEXT, &series->x_unit));
    TERN__TRY(get_text(r, "y_unit", MOST_TEXT, &series->y_unit));
    TERN__TRY(get_list(r, "x", MOST_POINTS, &x));
    TERN__TRY(get_list(r, "y", MOST_POINTS, &y));
    series->count = (int64_t)json_array_size(x);
    if (json_array_size(y) != json_array_size(x))
        return malformed(r, "y", "is not as long as x");
    TERN__TRY(read_numbers(r, "x", x, false, &series->x));
    TERN__TRY(read_numbers(r, "y", y, true, &series->y));
    TERN__TRY(read_labels(r, json_array_size(x), &series->label));
    for (int64_t i = 1; i < series->count; i++)
        if (series->x[i] < series->x[i - 1])
            return malformed(r, "x", "does not ascend");
    TERN__TRY(check_keys(r));
done:
    return status;
}

static tern_status read_peer(reader *r, tern_bench_peer *peer) {
    json_t *reason;
    tern_status status;
    TERN__TRY(get_name(r, "name", &peer->name));
    TERN__TRY(get_number(r, "median", &peer->median));
    TERN__TRY(get_number(r, "p99", &peer->p99));
    TERN__TRY(get(r, "reason", &reason));
    peer->reason = json_string_value(reason);
    if (!json_is_null(reason))
        TERN__TRY(check_text(r, "reason", reason, MOST_TEXT));
    TERN__TRY(check_keys(r));
done:
    return status;
}

static tern_status read_lists(reader *r, tern_bench_row *row) {
    json_t *peers = NULL, *series = NULL;
    reader inner;
    tern_status status;
    TERN__TRY(get_list(r, "peers", TERN_BENCH_PEERS, &peers));
    TERN__TRY(get_list(r, "series", TERN_BENCH_SERIES, &series));
    row->peer_count = (int)json_array_size(peers);
    row->series_count = (int)json_array_size(series);
    for (int i = 0; i < row->peer_count; i++) {
        TERN__TRY(enter(r, peers, (size_t)i, "peer", &inner));
        TERN__TRY(read_peer(&inner, &row->peer[i]));
    }
    for (int i = 0; i < row->series_count; i++) {
        TERN__TRY(enter(r, series, (size_t)i, "series", &inner));
        TERN__TRY(read_series(&inner, &row->series[i]));
    }
done:
    return status;
}

/* -- rows --------------------------------------------------------------------------------------*/

static tern_status read_numbers_of_row(reader *r, tern_bench_row *row) {
    const struct {
        const char *key;
        double *number;
    } numbers[] = {
        {"median", &row->median},
        {"p5", &row->p5},
        {"p95", &row->p95},
        {"p99", &row->p99},
        {"low", &row->low},
        {"high", &row->high},
        {"floor", &row->floor},
        {"goal", &row->goal},
        {"goal_p99", &row->goal_p99},
        {"load", &row->load},
        {"operations", &row->operations},
        {"bytes", &row->bytes},
    };
    tern_status status;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        TERN__TRY(get_number(r, numbers[i].key, numbers[i].number));
    if (row->p5 > row->p95)
        return malformed(r, "p95", "is less than p5");
    if (row->low > row->high)
        return malformed(r, "high", "is less than low");
    if (row->load < 0)
        return malformed(r, "load", "is negative");
    if (row->operations < 0)
        return malformed(r, "operations", "is negative");
    if (row->bytes < 0)
        return malformed(r, "bytes", "is negative");
done:
    return status;
}

static tern_status read_names(reader *r, tern_bench_row *row) {
    const char *detail;
    tern_status status;
    TERN__TRY(get_name(r, "id", &row->id));
    TERN__TRY(get_name(r, "what", &row->what));
    size_t length = strlen(r->place);
    snprintf(r->place + length, PLACE - length, " (%.8s, %.*s)", row->id, SHOWN, row->what);
    TERN__TRY(get_text(r, "unit", MOST_TEXT, &row->unit));
    TERN__TRY(get_text(r, "detail", TERN_BENCH_DETAIL - 1, &detail));
    snprintf(row->detail, TERN_BENCH_DETAIL, "%s", detail);
done:
    return status;
}

static tern_status read_facts_of_row(reader *r, tern_bench_row *row, int64_t *passes) {
    int bound = 0;
    tern_status status;
    TERN__TRY(get_count(r, "samples", MOST_SAMPLES, &row->samples));
    TERN__TRY(get_count(r, "passes", MOST_PASSES, passes));
    TERN__TRY(get_word(r, "bound", bound_word, 2, &bound));
    row->is_least = bound == 1;
    TERN__TRY(get_flag(r, "goal_met", &row->is_goal_met));
    TERN__TRY(get_flag(r, "ratio", &row->is_ratio));
    TERN__TRY(get_flag(r, "noisy", &row->is_noisy));
    TERN__TRY(get_verdict(r, &row->verdict));
    /* A table that did not run to its end fails without one. */
    if (isnan(row->median) && row->verdict != TERN_BENCH_NOT_MEASURED &&
        row->verdict != TERN_BENCH_FAIL)
        return malformed(r, "verdict", "is one about a median, which is null");
done:
    return status;
}

static tern_status read_baseline(reader *outer, tern_report_row *row) {
    reader r = {.report = outer->report};
    int grade = 0;
    tern_status status;
    TERN__TRY(get(outer, "baseline", &r.object));
    if (json_is_null(r.object))
        return TERN_OK;
    if (!json_is_object(r.object))
        return malformed(outer, "baseline", "is neither null nor an object");
    snprintf(r.place, PLACE, "%.110s, baseline", outer->place);
    TERN__TRY(get_number(&r, "median", &row->baseline));
    TERN__TRY(get_number(&r, "low", &row->baseline_low));
    TERN__TRY(get_number(&r, "high", &row->baseline_high));
    TERN__TRY(get_number(&r, "change", &row->change));
    TERN__TRY(get_word(&r, "grade", grade_word, TERN_GRADE_CRITICAL + 1, &grade));
    row->grade = (tern_grade)grade;
    if (row->baseline_low > row->baseline_high)
        return malformed(&r, "high", "is less than low");
    TERN__TRY(check_keys(&r));
done:
    return status;
}

static tern_status read_row(reader *r) {
    tern_bench_row row = {0};
    tern_report_row *added;
    int64_t passes = 0;
    tern_status status;
    TERN__TRY(read_names(r, &row));
    TERN__TRY(read_numbers_of_row(r, &row));
    TERN__TRY(read_facts_of_row(r, &row, &passes));
    TERN__TRY(read_lists(r, &row));
    if (tern__report_find(r->report, row.id, row.what) != NULL)
        return malformed(r, "what", "comes twice in this target");
    TERN__TRY(tern__report_add_row(r->report, &row, &added));
    added->passes = (int)passes;
    TERN__TRY(read_baseline(r, added));
    TERN__TRY(check_keys(r));
done:
    return status;
}

/* -- the document ------------------------------------------------------------------------------*/

static tern_status read_fact(reader *r) {
    const char *group, *name, *value;
    tern_status status;
    TERN__TRY(get_name(r, "group", &group));
    TERN__TRY(get_name(r, "name", &name));
    TERN__TRY(get_text(r, "value", MOST_FACT_TEXT, &value));
    TERN__TRY(tern__report_add_fact(r->report, group, name, "%s", value));
    TERN__TRY(check_keys(r));
done:
    return status;
}

static tern_status read_item(reader *r) {
    const char *text, *found;
    tern_bench_verdict verdict;
    tern_status status;
    TERN__TRY(get_name(r, "text", &text));
    TERN__TRY(get_text(r, "found", MOST_TEXT, &found));
    TERN__TRY(get_verdict(r, &verdict));
    TERN__TRY(tern__report_add_item(r->report, text, found, verdict));
    TERN__TRY(check_keys(r));
done:
    return status;
}

/* A report of a newer version may look in any way, so nothing else is looked at before. */
static tern_status check_version(reader *r) {
    const char *schema;
    int64_t version;
    tern_status status;
    TERN__TRY(get_text(r, "schema", MOST_TEXT, &schema));
    if (strcmp(schema, TERN__REPORT_SCHEMA) != 0)
        return tern__fail(TERN_E_FORMAT, "report: the schema is \"%.*s\", not \"%s\"", SHOWN,
                          schema, TERN__REPORT_SCHEMA);
    TERN__TRY(get_count(r, "version", INT32_MAX, &version));
    if (version < 1)
        return malformed(r, "version", "is out of range");
    if (version > TERN__REPORT_VERSION)
        return tern__fail(TERN_E_UNSUPPORTED, "report: version %lld; this program reads %d",
                          (long long)version, TERN__REPORT_VERSION);
done:
    return status;
}

static tern_status read_list(reader *r, const char *key, size_t most, const char *name,
                             tern_status (*read_one)(reader *)) {
    json_t *list = NULL;
    reader inner;
    tern_status status;
    TERN__TRY(get_list(r, key, most, &list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        TERN__TRY(enter(&(reader){.report = r->report}, list, i, name, &inner));
        TERN__TRY(read_one(&inner));
    }
done:
    return status;
}

static tern_status read_document(json_t *document, tern_report *report) {
    reader r = {.report = report, .object = document, .place = "the document"};
    tern_status status;
    if (!json_is_object(document))
        return tern__fail(TERN_E_FORMAT, "report: it is no JSON object");
    TERN__TRY(check_version(&r));
    TERN__TRY(read_list(&r, "facts", MOST_FACTS, "fact", read_fact));
    TERN__TRY(read_list(&r, "rows", MOST_ROWS, "row", read_row));
    TERN__TRY(read_list(&r, "checklist", MOST_ITEMS, "item", read_item));
    TERN__TRY(check_keys(&r));
done:
    return status;
}

/* -- the file ----------------------------------------------------------------------------------*/

static tern_status parse(const void *data, size_t bytes, tern_report *report) {
    json_error_t error = {0};
    json_t *document = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL &&
        (error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory))
        return tern__fail(TERN_E_MEMORY, "report: no memory for %zu bytes of JSON", bytes);
    if (document == NULL)
        return tern__fail(TERN_E_FORMAT, "report: line %d, column %d: %.150s", error.line,
                          error.column, error.text);
    tern_status status = read_document(document, report);
    json_decref(document);
    return status;
}

static tern_status examine(const char *path, int fd, size_t *bytes) {
    tern__os_file_info info = {0};
    int error = tern__os()->file_info(fd, &info);
    if (error != 0)
        return tern__fail(TERN_E_IO, "cannot examine \"%.300s\": %s", path, strerror(error));
    if (!info.is_regular)
        return tern__fail(TERN_E_IO, "\"%.300s\" is not a regular file", path);
    if (info.size == 0 || info.size > MOST_FILE_BYTES)
        return tern__fail(TERN_E_FORMAT, "report: \"%.300s\" has %llu bytes, of 1 to %d", path,
                          (unsigned long long)info.size, MOST_FILE_BYTES);
    *bytes = (size_t)info.size;
    return TERN_OK;
}

static tern_status read_file(const char *path, tern_report *report) {
    const tern__os_table *os = tern__os();
    const void *data = NULL;
    size_t bytes = 0;
    int fd = -1, error = os->file_open(path, &fd);
    if (error != 0)
        return tern__fail(error == ENOENT || error == ENOTDIR ? TERN_E_NOT_FOUND : TERN_E_IO,
                          "cannot open \"%.300s\": %s", path, strerror(error));
    tern_status status;
    TERN__TRY(examine(path, fd, &bytes));
    if ((error = os->file_map(fd, bytes, &data)) != 0)
        status = tern__fail(error == ENOMEM ? TERN_E_MEMORY : TERN_E_IO,
                            "cannot map \"%.300s\": %s", path, strerror(error));
    else
        status = parse(data, bytes, report);
done:
    if (data != NULL)
        os->file_unmap(data, bytes);
    os->file_close(fd);
    return status;
}

tern_status tern_report_read(const char *path, tern_report **report) {
    tern_report *made = NULL;
    tern_status status;
    if (report == NULL)
        return tern__fail(TERN_E_ARGUMENT, "report: the result pointer is NULL");
    *report = NULL;
    if (path == NULL)
        return tern__fail(TERN_E_ARGUMENT, "report: the path is NULL");
    TERN__TRY(tern__report_create(&made));
    TERN__TRY(read_file(path, made));
    *report = made;
    made = NULL;
done:
    tern_report_destroy(made);
    return status;
}
