/* SPDX-License-Identifier: MIT
 * The thread's current site, and what is said about findings. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "memory/track.h"

static _Thread_local tern_site current;

void tern_site_set(const char *file, int line, const char *call) {
    current = (tern_site){file, line, call};
}

tern_site tern__site_current(void) {
    return current;
}

const char *tern_memory_event_name(tern_memory_event_kind kind) {
    switch (kind) {
#define EVENT_NAME(symbol, value, name)                                                            \
    case TERN_MEMORY_##symbol:                                                                     \
        return name;
        TERN_MEMORY_EVENT_MAP(EVENT_NAME)
#undef EVENT_NAME
    }
    return "?";
}

enum { PATH_SHOWN = 60 }; /* characters of a path: three sites and a shape fit into one text */

/* What does not fit is dropped and counted. */
typedef struct line {
    char *text;
    size_t used, wanted;
} line;

__attribute__((format(printf, 2, 3))) static void append(line *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = TERN__FINDING_TEXT - out->used;
    int written = vsnprintf(out->text + out->used, room, format, arguments);
    va_end(arguments);
    size_t count = written > 0 ? (size_t)written : 0;
    out->wanted += count;
    out->used += count < room ? count : room - 1;
}

static void append_path(line *out, const tern_site *site) {
    size_t length = strlen(site->file);
    bool is_cut = length > PATH_SHOWN;
    append(out, "%s%s:%d", is_cut ? "..." : "", site->file + (is_cut ? length - PATH_SHOWN : 0),
           site->line);
}

/* "add f32 (2, 3)" */
static void append_origin(line *out, const tern_memory_event *event) {
    const char *blank = "";
    if (event->op != NULL) {
        append(out, "%s", event->op);
        blank = " ";
    }
    if (event->dtype != NULL) {
        append(out, "%s%s", blank, event->dtype);
        blank = " ";
    }
    if (event->rank < 0 || event->dims == NULL)
        return;
    append(out, "%s(", blank);
    for (int i = 0; i < event->rank; i++)
        append(out, "%s%" PRId64, i > 0 ? ", " : "", event->dims[i]);
    append(out, event->rank == 1 ? ",)" : ")");
}

/* " made by tern_add (x.c:12, add f32 (2, 3))"; nothing when nothing is known. `event` is NULL for
 * sites without an origin. */
static void append_site(line *out, const char *verb, const tern_site *site,
                        const tern_memory_event *event) {
    bool has_shape = event != NULL && event->rank >= 0 && event->dims != NULL;
    bool has_origin = has_shape || (event != NULL && (event->op != NULL || event->dtype != NULL));
    if (site->call == NULL && site->file == NULL && !has_origin)
        return;
    append(out, "%s %s", verb, site->call != NULL ? site->call : "an unknown call");
    if (site->file == NULL && !has_origin)
        return;
    append(out, " (");
    if (site->file != NULL)
        append_path(out, site);
    if (site->file != NULL && has_origin)
        append(out, ", ");
    if (has_origin)
        append_origin(out, event);
    append(out, ")");
}

static void append_subject(line *out, const tern_memory_event *event) {
    uintptr_t address = (uintptr_t)event->address;
    bool is_known = event->bytes != 0 || event->op != NULL || event->made.call != NULL ||
                    event->made.file != NULL;
    if (event->kind == TERN_MEMORY_LEAK && event->count != 1)
        append(out, "%" PRId64 " times, %zu bytes, one at 0x%" PRIxPTR, event->count, event->bytes,
               address);
    else if (event->kind == TERN_MEMORY_INTERIOR_POINTER && is_known)
        append(out, "0x%" PRIxPTR " inside %zu bytes", address, event->bytes);
    else if (is_known)
        append(out, "%zu bytes at 0x%" PRIxPTR, event->bytes, address);
    else
        append(out, "0x%" PRIxPTR, address);
}

void tern__finding_text(const tern_memory_event *event, char text[TERN__FINDING_TEXT]) {
    line out = {text, 0, 0};
    append(&out, "%s: ", tern_memory_event_name(event->kind));
    append_subject(&out, event);
    append_site(&out, " made by", &event->made, event);
    append_site(&out, ", released by", &event->released, NULL);
    append_site(&out, ", found by", &event->found, NULL);
    if (out.wanted > out.used)
        memcpy(text + TERN__FINDING_TEXT - 4, "...", 4);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = '?';
}
