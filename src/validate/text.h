/* SPDX-License-Identifier: MIT
 *
 * A text that grows, of a kind that knows how foreign words must be escaped in it. The first
 * failure stays in `status`; afterwards nothing is added.
 *
 *     tern__text page = {.kind = TERN__TEXT_HTML};
 *     tern__text_print(&page, "<td>%s</td>", row->what);
 *     status = tern__text_publish(&page, path);
 */
#ifndef TERN__VALIDATE_TEXT_H
#define TERN__VALIDATE_TEXT_H

#include <tern/base.h>

#include "base/status.h"

typedef enum tern__text_kind {
    TERN__TEXT_PLAIN,
    TERN__TEXT_JSON,     /* inside of a string */
    TERN__TEXT_MARKDOWN, /* inside of a line, also of a table */
    TERN__TEXT_HTML,     /* inside of an element or a quoted attribute */
} tern__text_kind;

/* Zeroed but for its kind. */
typedef struct tern__text {
    tern__text_kind kind;
    tern_status status;
    char *bytes; /* (count), and a NUL; NULL: empty */
    size_t count, room;
} tern__text;

/* As it is. */
void tern__text_add(tern__text *text, const char *words);
/* Escaped. What is no UTF-8 becomes U+FFFD. */
void tern__text_escape(tern__text *text, const char *words);
void tern__text_escape_some(tern__text *text, const char *words, size_t count);
/* The format as it is, with %s (escaped), %c, %d, %lld and %.3f of printf, where numbers have a
 * decimal point in every locale and what is not finite is 0. */
void tern__text_print(tern__text *text, const char *format, ...) TERN__PRINTF(2, 3);

/* The shortest decimal number that is read as the same double; "null" for what is not finite. */
void tern__text_number(tern__text *text, double value);

/* Writes a file, all or nothing, and clears the text; returns its failure, if it has one. */
tern_status tern__text_publish(tern__text *text, const char *path);
void tern__text_clear(tern__text *text);

#endif
