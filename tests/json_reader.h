/* SPDX-License-Identifier: MIT
 *
 * A strict reader of JSON (RFC 8259) for tests: any slip of the grammar, a name that comes twice
 * and bytes that are no UTF-8 are errors. What it has read is a flat list of paths:
 *
 *     json_document *json = json_read(text, bytes);        fails the test on an error
 *     json_expect_number(json, "classes[3].room", 80);
 *     json_expect_string(json, "sites[0].call", "tern_add");
 *     json_expect(json, "sites[0].op", JSON_NULL, "");
 *     json_free(json);
 */
#ifndef TERN_TEST_JSON_READER_H
#define TERN_TEST_JSON_READER_H

#include "base/utf8.h"
#include "support.h"

typedef enum json_kind {
    JSON_NULL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NUMBER, /* the value is as written */
    JSON_STRING, /* the value is decoded; U+0000 is an error here */
    JSON_ARRAY,  /* the value is the number of elements */
    JSON_OBJECT  /* the value is the number of members */
} json_kind;

typedef struct json_value {
    char path[128];
    json_kind kind;
    char *text;
} json_value;

typedef struct json_document {
    const uint8_t *at, *end;
    const char *error; /* NULL: none */
    char path[128];
    int depth;
    json_value *values;
    int count, capacity;
} json_document;

static inline void json_free(json_document *json) {
    for (int i = 0; i < json->count; i++)
        free(json->values[i].text);
    free(json->values);
    free(json);
}

static inline const json_value *json_find(const json_document *json, const char *path) {
    for (int i = 0; i < json->count; i++)
        if (strcmp(json->values[i].path, path) == 0)
            return &json->values[i];
    return NULL;
}

static inline bool json_fail(json_document *json, const char *error) {
    json->error = json->error != NULL ? json->error : error;
    return false;
}

/* Returns the index of a new value at the current path. */
static inline int json_add(json_document *json, json_kind kind, const char *text, size_t bytes) {
    if (json->count == json->capacity) {
        json->capacity = 2 * json->capacity + 64;
        json->values = realloc(json->values, (size_t)json->capacity * sizeof *json->values);
        assert_non_null(json->values);
    }
    json_value *value = &json->values[json->count];
    value->kind = kind;
    memcpy(value->path, json->path, sizeof value->path);
    value->text = malloc(bytes + 1);
    assert_non_null(value->text);
    memcpy(value->text, text, bytes);
    value->text[bytes] = '\0';
    return json->count++;
}

static inline int json_peek(const json_document *json) {
    return json->at < json->end ? *json->at : -1;
}

static inline bool json_take(json_document *json, int c) {
    if (json_peek(json) != c)
        return false;
    json->at++;
    return true;
}

static inline void json_blanks(json_document *json) {
    while (json_take(json, ' ') || json_take(json, '\n') || json_take(json, '\t') ||
           json_take(json, '\r'))
        ;
}

/* Behind "\u". Surrogates are refused: no text of ours needs them. */
static inline bool json_escaped_unit(json_document *json, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int c = json_peek(json);
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *digit = c > 0 ? strchr(digits, c) : NULL;
        if (digit == NULL)
            return json_fail(json, "four hexadecimal digits are missing");
        *code = *code * 16 + (uint32_t)((digit - digits) % 16);
        json->at++;
    }
    if (*code == 0 || (*code >= 0xd800 && *code < 0xe000))
        return json_fail(json, "U+0000 or a surrogate");
    return true;
}

static inline bool json_escape(json_document *json, char out[4], size_t *length) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = json_peek(json);
    const char *found = c > 0 ? strchr(from, c) : NULL;
    if (found != NULL) {
        json->at++;
        out[0] = to[found - from];
        *length = 1;
        return true;
    }
    uint32_t code;
    if (!json_take(json, 'u'))
        return json_fail(json, "an unknown escape");
    if (!json_escaped_unit(json, &code))
        return false;
    *length = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
    if (*length == 1)
        out[0] = (char)code;
    else
        out[0] = (char)((*length == 2 ? 0xc0 : 0xe0) | code >> (6 * (*length - 1)));
    for (size_t i = 1; i < *length; i++)
        out[i] = (char)(0x80 | (code >> (6 * (*length - 1 - i)) & 0x3f));
    return true;
}

/* Decodes into `text` of `size` bytes. */
static inline bool json_string(json_document *json, char *text, size_t size, size_t *bytes) {
    *bytes = 0;
    if (!json_take(json, '"'))
        return json_fail(json, "a string is missing");
    while (!json_take(json, '"')) {
        char piece[4];
        size_t length = 0;
        if (json->at == json->end || *json->at < ' ')
            return json_fail(json, "a string that does not end, or a control character");
        if (json_take(json, '\\')) {
            if (!json_escape(json, piece, &length))
                return false;
        } else {
            uint32_t code;
            length = tern__utf8(json->at, (uint64_t)(json->end - json->at), &code);
            if (length == 0)
                return json_fail(json, "no UTF-8");
            memcpy(piece, json->at, length);
            json->at += length;
        }
        if (*bytes + length >= size)
            return json_fail(json, "a string too long for this reader");
        memcpy(text + *bytes, piece, length);
        *bytes += length;
    }
    text[*bytes] = '\0';
    return true;
}

static inline bool json_digits(json_document *json) {
    int count = 0;
    for (; json_peek(json) >= '0' && json_peek(json) <= '9'; count++)
        json->at++;
    return count > 0 || json_fail(json, "a digit is missing");
}

static inline bool json_number(json_document *json) {
    const uint8_t *begin = json->at;
    json_take(json, '-');
    if (!json_take(json, '0') && !json_digits(json))
        return false;
    if (json_take(json, '.') && !json_digits(json))
        return false;
    if (json_take(json, 'e') || json_take(json, 'E')) {
        if (!json_take(json, '+'))
            json_take(json, '-');
        if (!json_digits(json))
            return false;
    }
    json_add(json, JSON_NUMBER, (const char *)begin, (size_t)(json->at - begin));
    return true;
}

static inline bool json_any(json_document *json);

/* The element or member that follows, at `path` behind the current one. */
static inline bool json_inner(json_document *json, const char *path) {
    size_t outer = strlen(json->path);
    if (outer + strlen(path) >= sizeof json->path)
        return json_fail(json, "nested too deep for this reader");
    strcat(json->path, path);
    bool is_new = json_find(json, json->path) == NULL;
    bool is_good = is_new ? json_any(json) : json_fail(json, "a name comes twice");
    json->path[outer] = '\0';
    return is_good;
}

static inline bool json_member(json_document *json) {
    char name[100], path[128];
    size_t bytes;
    json_blanks(json);
    if (!json_string(json, name, sizeof name, &bytes))
        return false;
    json_blanks(json);
    if (!json_take(json, ':'))
        return json_fail(json, "a colon is missing");
    snprintf(path, sizeof path, "%s%s", json->path[0] != '\0' ? "." : "", name);
    return json_inner(json, path);
}

static inline bool json_container(json_document *json, bool is_object) {
    int end = is_object ? '}' : ']', count = 0;
    int index = json_add(json, is_object ? JSON_OBJECT : JSON_ARRAY, "0123456789", 10);
    json->at++;
    json_blanks(json);
    if (!json_take(json, end)) {
        do {
            char path[16];
            snprintf(path, sizeof path, "[%d]", count++);
            if (!(is_object ? json_member(json) : json_inner(json, path)))
                return false;
        } while (json_take(json, ','));
        if (!json_take(json, end))
            return json_fail(json, "a comma or an end is missing");
    }
    snprintf(json->values[index].text, 11, "%d", count);
    return true;
}

static inline bool json_word(json_document *json, const char *word, json_kind kind) {
    size_t length = strlen(word);
    if ((size_t)(json->end - json->at) < length || memcmp(json->at, word, length) != 0)
        return json_fail(json, "an unknown word");
    json->at += length;
    json_add(json, kind, "", 0);
    return true;
}

/* A value with blanks around it. */
static inline bool json_any(json_document *json) {
    char text[4096];
    size_t bytes;
    bool is_good;
    json_blanks(json);
    int c = json_peek(json);
    if (++json->depth > 32)
        return json_fail(json, "nested too deep for this reader");
    if (c == '{' || c == '[') {
        is_good = json_container(json, c == '{');
    } else if (c == '"') {
        is_good = json_string(json, text, sizeof text, &bytes);
        if (is_good)
            json_add(json, JSON_STRING, text, bytes);
    } else if (c == 'n') {
        is_good = json_word(json, "null", JSON_NULL);
    } else if (c == 't' || c == 'f') {
        is_good =
            c == 't' ? json_word(json, "true", JSON_TRUE) : json_word(json, "false", JSON_FALSE);
    } else {
        is_good = json_number(json);
    }
    json->depth--;
    json_blanks(json);
    return is_good;
}

/* Reads all of `text`; json->error says what is wrong with it. */
static inline json_document *json_try(const char *text, size_t bytes) {
    json_document *json = calloc(1, sizeof *json);
    assert_non_null(json);
    json->at = (const uint8_t *)text;
    json->end = json->at + bytes;
    if (json_any(json) && json->at != json->end)
        json_fail(json, "something follows the value");
    return json;
}

static inline json_document *json_read(const char *text, size_t bytes) {
    json_document *json = json_try(text, bytes);
    if (json->error != NULL)
        fail_msg("JSON: %s at byte %td of %zu\n%.*s", json->error, (const char *)json->at - text,
                 bytes, (int)bytes, text);
    return json;
}

static inline void json_expect(const json_document *json, const char *path, json_kind kind,
                               const char *text) {
    const json_value *value = json_find(json, path);
    if (value == NULL)
        fail_msg("JSON: %s is missing", path);
    else if (value->kind != kind || strcmp(value->text, text) != 0)
        fail_msg("JSON: %s is '%s' (kind %d), expected '%s' (kind %d)", path, value->text,
                 (int)value->kind, text, (int)kind);
}

static inline void json_expect_string(const json_document *json, const char *path,
                                      const char *text) {
    json_expect(json, path, JSON_STRING, text);
}

static inline void json_expect_number(const json_document *json, const char *path,
                                      uint64_t number) {
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    json_expect(json, path, JSON_NUMBER, text);
}

#endif
