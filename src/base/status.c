/* SPDX-License-Identifier: MIT */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DETAIL_BYTES = 512 };

static _Thread_local char last_error[DETAIL_BYTES];

static struct {
    tern_log_fn fn;
    void *user;
    tern_log_level level;
} log_sink;

#define JOIN(a, b, c)        #a "." #b "." #c
#define JOIN_VALUES(a, b, c) JOIN(a, b, c)

const char *tern_version(void) {
    return JOIN_VALUES(TERN_VERSION_MAJOR, TERN_VERSION_MINOR, TERN_VERSION_PATCH);
}

const char *tern_status_name(tern_status status) {
    switch (status) {
#define STATUS_NAME(code, value, sentence)                                                         \
    case TERN_##code:                                                                              \
        return "TERN_" #code;
        TERN_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
    }
    return "TERN_E_?";
}

const char *tern_status_string(tern_status status) {
    switch (status) {
#define STATUS_SENTENCE(code, value, sentence)                                                     \
    case TERN_##code:                                                                              \
        return sentence;
        TERN_STATUS_MAP(STATUS_SENTENCE)
#undef STATUS_SENTENCE
    }
    return "unknown status";
}

const char *tern_last_error(void) {
    return last_error;
}

/* Replaces what could steer a terminal: C0 controls, DEL and the C1 controls (C2 80..9F). */
static void hide_controls(char *text) {
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
        else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
            c[0] = c[1] = '?';
    }
}

/* Formats into `text`, cut at DETAIL_BYTES - 1. */
static void format_detail(char text[DETAIL_BYTES], const char *format, va_list arguments) {
    if (vsnprintf(text, DETAIL_BYTES, format, arguments) < 0)
        text[0] = '\0';
    hide_controls(text);
}

tern_status tern__fail(tern_status status, const char *format, ...) {
    char text[DETAIL_BYTES]; /* the arguments may contain tern_last_error() */
    va_list arguments;
    va_start(arguments, format);
    format_detail(text, format, arguments);
    va_end(arguments);
    memcpy(last_error, text, sizeof last_error);
    return status;
}

void tern_log_set(tern_log_fn fn, void *user, tern_log_level level) {
    log_sink.fn = fn;
    log_sink.user = user;
    log_sink.level = level;
}

void tern__message(tern_log_level level, const char *format, ...) {
    if (log_sink.fn == NULL || level > log_sink.level)
        return;
    char text[DETAIL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    format_detail(text, format, arguments);
    va_end(arguments);
    log_sink.fn(log_sink.user, level, text);
}
