/* SPDX-License-Identifier: MIT
 * What is written satisfies docs/validate.schema.json. */
#include <jansson.h>

#include "report_fixture.h"

/* As much of JSON Schema as ours uses; another keyword fails the test. */
typedef struct schema_check {
    json_t *document; /* of the schema */
    char path[512];
} schema_check;

static void check_value(schema_check *check, json_t *schema, json_t *value);

static const char *type_name(const json_t *value) {
    static const char *const names[] = {
        [JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",   [JSON_NULL] = "null"};
    return names[json_typeof(value)];
}

static bool has_type(json_t *value, const char *type) {
    return strcmp(type_name(value), type) == 0 ||
           (json_is_integer(value) && strcmp(type, "number") == 0);
}

static void check_type(schema_check *check, json_t *types, json_t *value) {
    bool fits = json_is_string(types) && has_type(value, json_string_value(types));
    for (size_t i = 0; i < json_array_size(types); i++)
        fits = fits || has_type(value, json_string_value(json_array_get(types, i)));
    if (!fits)
        fail_msg("%s is of the type %s", check->path, type_name(value));
}

static void check_members(schema_check *check, json_t *schema, json_t *object) {
    json_t *properties = json_object_get(schema, "properties"), *member, *name;
    const char *key;
    size_t i, length = strlen(check->path);
    json_array_foreach(json_object_get(schema, "required"), i, name) {
        if (json_object_get(object, json_string_value(name)) == NULL)
            fail_msg("%s lacks %s", check->path, json_string_value(name));
    }
    json_object_foreach(object, key, member) {
        snprintf(check->path + length, sizeof check->path - length, ".%s", key);
        if (json_object_get(properties, key) == NULL)
            fail_msg("%s is unknown", check->path);
        check_value(check, json_object_get(properties, key), member);
        check->path[length] = '\0';
    }
}

static void check_elements(schema_check *check, json_t *items, json_t *array) {
    size_t i, length = strlen(check->path);
    json_t *element;
    json_array_foreach(array, i, element) {
        snprintf(check->path + length, sizeof check->path - length, "[%zu]", i);
        check_value(check, items, element);
        check->path[length] = '\0';
    }
}

static void check_keyword(schema_check *check, const char *key, json_t *rule, json_t *value) {
    bool is_good = true;
    if (strcmp(key, "type") == 0) {
        check_type(check, rule, value);
    } else if (strcmp(key, "$ref") == 0) {
        const char *name = json_string_value(rule) + strlen("#/$defs/");
        json_t *target = json_object_get(json_object_get(check->document, "$defs"), name);
        assert_non_null(target);
        check_value(check, target, value);
    } else if (strcmp(key, "const") == 0) {
        is_good = json_equal(rule, value) != 0;
    } else if (strcmp(key, "enum") == 0) {
        is_good = false;
        for (size_t i = 0; i < json_array_size(rule); i++)
            is_good = is_good || json_equal(json_array_get(rule, i), value);
    } else if (strcmp(key, "minLength") == 0) {
        is_good = json_string_length(value) >= (size_t)json_integer_value(rule);
    } else if (strcmp(key, "maxItems") == 0) {
        is_good = json_array_size(value) <= (size_t)json_integer_value(rule);
    } else if (strcmp(key, "minimum") == 0) {
        is_good = !json_is_number(value) || json_number_value(value) >= json_number_value(rule);
    } else if (strcmp(key, "items") == 0) {
        check_elements(check, rule, value);
    } else if (strcmp(key, "properties") != 0 && strcmp(key, "required") != 0 &&
               strcmp(key, "additionalProperties") != 0 && strcmp(key, "description") != 0 &&
               strcmp(key, "title") != 0 && strcmp(key, "$schema") != 0 &&
               strcmp(key, "$id") != 0 && strcmp(key, "$defs") != 0) {
        fail_msg("the schema has a keyword that this test does not know: %s", key);
    }
    if (!is_good)
        fail_msg("%s breaks the rule %s", check->path, key);
}

static void check_value(schema_check *check, json_t *schema, json_t *value) {
    const char *key;
    json_t *rule;
    assert_true(json_is_object(schema));
    json_object_foreach(schema, key, rule) {
        check_keyword(check, key, rule, value);
    }
    if (json_object_get(schema, "properties") != NULL && json_is_object(value)) {
        assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
        check_members(check, schema, value);
    }
}

static void check_report(json_t *schema, const tern_report *report) {
    size_t bytes;
    char *text = report_text(tern_report_write_json, report, &bytes);
    json_t *document = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    schema_check check = {.document = schema, .path = "$"};
    check_value(&check, schema, document);
    json_decref(document);
    free(text);
}

static void reports_satisfy_the_schema(void **state) {
    (void)state;
    char path[512];
    size_t bytes;
    test_path("docs/validate.schema.json", path, sizeof path);
    char *text = test_read_file(path, &bytes);
    json_t *schema = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(schema);
    tern_report *small = report_small(), *sample = report_sample(), *empty;
    test_ok(tern__report_create(&empty));
    check_report(schema, small);
    check_report(schema, sample);
    check_report(schema, empty);
    tern_report_destroy(small);
    tern_report_destroy(sample);
    tern_report_destroy(empty);
    json_decref(schema);
    free(text);
}

/* The check itself sees what is wrong. */
static void wrong_values_are_seen(void **state) {
    (void)state;
    json_t *values = json_loads("[3, \"3\", null, true, 3.5, [], {}]", 0, NULL);
    assert_non_null(values);
    static const char *const types[] = {"integer", "string", "null",  "boolean",
                                        "number",  "array",  "object"};
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 7; j++)
            assert_int_equal(has_type(json_array_get(values, i), types[j]),
                             i == j || (i == 0 && j == 4));
    json_decref(values);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_satisfy_the_schema),
        cmocka_unit_test(wrong_values_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
