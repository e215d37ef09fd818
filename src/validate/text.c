/* SPDX-License-Identifier: MIT */
#include "validate/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/new_file.h"
#include "base/os.h"
#include "base/utf8.h"

enum { FIRST_ROOM = 16 << 10 };

/* -- growing -----------------------------------------------------------------------------------*/

static bool make_room(tern__text *text, size_t bytes) {
    if (text->status != TERN_OK)
        return false;
    if (bytes < text->room - text->count)
        return true;
    size_t room = 2 * text->room + bytes + FIRST_ROOM;
    char *grown = tern__os()->alloc(room);
    if (grown == NULL) {
        text->status = tern__fail(TERN_E_MEMORY, "report: no memory for a text of %zu bytes", room);
        return false;
    }
    if (text->count > 0)
        memcpy(grown, text->bytes, text->count);
    tern__os()->free(text->bytes);
    text->bytes = grown;
    text->room = room;
    return true;
}

static void add_bytes(tern__text *text, const char *bytes, size_t count) {
    if (!make_room(text, count))
        return;
    memcpy(text->bytes + text->count, bytes, count);
    text->count += count;
    text->bytes[text->count] = '\0';
}

void tern__text_add(tern__text *text, const char *words) {
    add_bytes(text, words, strlen(words));
}

void tern__text_clear(tern__text *text) {
    tern__os()->free(text->bytes);
    *text = (tern__text){.kind = text->kind};
}

tern_status tern__text_publish(tern__text *text, const char *path) {
    tern__new_file file = {0};
    tern_status status = text->status;
    if (status != TERN_OK)
        goto done;
    TERN__TRY(tern__new_file_open(&file, path));
    TERN__TRY(tern__new_file_append(&file, text->bytes, text->count));
    TERN__TRY(tern__new_file_publish(&file));
done:
    tern__new_file_close(&file);
    tern__text_clear(text);
    return status;
}

/* -- escaping ----------------------------------------------------------------------------------*/

static bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static const char *escape_json(char c, char buffer[8]) {
    if (c != '"' && c != '\\' && (unsigned char)c >= ' ')
        return NULL;
    if ((unsigned char)c < ' ')
        snprintf(buffer, 8, "\\u%04x", (unsigned)c);
    else
        snprintf(buffer, 8, "\\%c", c);
    return buffer;
}

static const char *escape_html(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    }
    return (unsigned char)c < ' ' || c == 0x7f ? " " : NULL;
}

/* In Markdown underscores inside of words are text, and so are comparisons. */
static const char *escape_markdown(const char *at, bool is_inside, char buffer[8]) {
    if ((*at == '<' || *at == '>') && (at[1] == '=' || at[1] == ' '))
        return NULL;
    if (*at == '<' || *at == '>' || *at == '&' || (unsigned char)*at < ' ' || *at == 0x7f)
        return escape_html(*at);
    bool is_mark = strchr("\\`*[]|~", *at) != NULL;
    if (!is_mark && (*at != '_' || (is_inside && is_alphanumeric(at[1]))))
        return NULL;
    snprintf(buffer, 8, "\\%c", *at);
    return buffer;
}

void tern__text_escape_some(tern__text *text, const char *words, size_t count) {
    for (size_t i = 0, length; i < count; i += length) {
        char buffer[8];
        uint32_t code;
        const char *escaped = NULL;
        length = tern__utf8((const uint8_t *)words + i, count - i, &code);
        if (length == 0)
            escaped = "\xef\xbf\xbd"; /* U+FFFD */
        else if (code >= 0x80 || text->kind == TERN__TEXT_PLAIN)
            escaped = NULL;
        else if (text->kind == TERN__TEXT_JSON)
            escaped = escape_json(words[i], buffer);
        else if (text->kind == TERN__TEXT_HTML)
            escaped = escape_html(words[i]);
        else
            escaped = escape_markdown(words + i, i > 0 && is_alphanumeric(words[i - 1]), buffer);
        if (escaped != NULL)
            tern__text_add(text, escaped);
        else
            add_bytes(text, words + i, length);
        length += length == 0;
    }
}

void tern__text_escape(tern__text *text, const char *words) {
    tern__text_escape_some(text, words, strlen(words));
}

/* -- printing ----------------------------------------------------------------------------------*/

/* Some locales have a comma. */
static void add_number(tern__text *text, double value, int decimals) {
    char digits[340];
    snprintf(digits, sizeof digits, "%.*f", decimals, isfinite(value) ? value : 0);
    for (char *at = digits; *at != '\0'; at++)
        if (*at != '-' && (*at < '0' || *at > '9'))
            *at = '.';
    tern__text_add(text, digits);
}

/* Adds the argument that the directive at `format`, behind its '%', stands for; returns what
 * follows it. */
static const char *add_argument(tern__text *text, const char *format, va_list *arguments) {
    char digits[32];
    if (*format == 's') {
        tern__text_escape(text, va_arg(*arguments, const char *));
    } else if (*format == 'c') {
        add_bytes(text, (char[]){(char)va_arg(*arguments, int)}, 1);
    } else if (*format == 'd') {
        snprintf(digits, sizeof digits, "%d", va_arg(*arguments, int));
        tern__text_add(text, digits);
    } else if (strncmp(format, "lld", 3) == 0) {
        snprintf(digits, sizeof digits, "%lld", va_arg(*arguments, long long));
        tern__text_add(text, digits);
        return format + 3;
    } else if (*format == '.') {
        add_number(text, va_arg(*arguments, double), format[1] - '0');
        return format + 3;
    } else {
        add_bytes(text, format, 1);
    }
    return format + 1;
}

void tern__text_print(tern__text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    while (*format != '\0') {
        size_t length = strcspn(format, "%");
        add_bytes(text, format, length);
        format += length;
        if (*format == '%')
            format = add_argument(text, format + 1, &arguments);
    }
    va_end(arguments);
}

void tern__text_number(tern__text *text, double value) {
    char digits[40];
    if (!isfinite(value)) {
        tern__text_add(text, "null");
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    for (char *at = digits; *at != '\0'; at++)
        if (strchr("+-0123456789e", *at) == NULL)
            *at = '.';
    tern__text_add(text, digits);
    if (value == 0 && signbit(value))
        tern__text_add(text, ".0");
}
