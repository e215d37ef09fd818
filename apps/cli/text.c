/* SPDX-License-Identifier: MIT
 * UTF-8 that arrives in pieces, and quoted strings. */
#include <math.h>
#include <string.h>

#include "cli.h"

static const char REPLACEMENT[] = "\xEF\xBF\xBD"; /* U+FFFD */

/* By table 3-7 of the Unicode standard: the second byte's range depends on the first. */
int cli_utf8_length(const char *text, size_t bytes) {
    const unsigned char *s = (const unsigned char *)text;
    unsigned char first = s[0];
    if (first < 0x80)
        return 1;
    int length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4)
        return -1;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    for (int i = 1; i < length; i++) {
        if ((size_t)i == bytes)
            return 0;
        if (s[i] < low || s[i] > high)
            return -1;
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

/* Control characters other than tab and newline could drive the terminal; C1 controls too. */
static bool is_control(const char *text, int length) {
    unsigned char first = (unsigned char)text[0], second = length == 2 ? (unsigned char)text[1] : 0;
    return (first < 0x20 && first != '\n' && first != '\t') || first == 0x7F ||
           (first == 0xC2 && second < 0xA0);
}

/* Writes complete sequences and invalid bytes; returns how many bytes it took. */
static size_t write_complete(const cli_stream *stream, const char *text, size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
        int length = cli_utf8_length(text + done, bytes - done);
        if (length == 0)
            break;
        size_t step = length > 0 ? (size_t)length : 1;
        bool is_text = length > 0 && !is_control(text + done, length);
        if (is_text || !stream->is_terminal)
            fwrite(text + done, 1, step, stream->out);
        else
            fputs(REPLACEMENT, stream->out);
        done += step;
    }
    return done;
}

void cli_stream_write(cli_stream *stream, const char *text, size_t bytes) {
    while (stream->held_bytes > 0 && bytes > 0) {
        stream->held[stream->held_bytes++] = *text++;
        bytes--;
        size_t done = write_complete(stream, stream->held, stream->held_bytes);
        stream->held_bytes -= done;
        memmove(stream->held, stream->held + done, stream->held_bytes);
    }
    size_t done = write_complete(stream, text, bytes);
    if (done < bytes) {
        stream->held_bytes = bytes - done; /* the start of a sequence: at most 3 bytes */
        memcpy(stream->held, text + done, stream->held_bytes);
    }
}

void cli_stream_end(cli_stream *stream) {
    if (stream->held_bytes > 0 && stream->is_terminal)
        fputs(REPLACEMENT, stream->out);
    else
        fwrite(stream->held, 1, stream->held_bytes, stream->out);
    stream->held_bytes = 0;
}

static void print_escaped(FILE *out, const char *text, size_t bytes, bool is_json) {
    fputc('"', out);
    for (size_t i = 0; i < bytes;) {
        int length = cli_utf8_length(text + i, bytes - i);
        unsigned char c = (unsigned char)text[i];
        if (length <= 0)
            is_json ? fputs(REPLACEMENT, out) : fprintf(out, "\\x%02x", c);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n' || c == '\t')
            fputs(c == '\n' ? "\\n" : "\\t", out);
        else if (length == 1 && (c < 0x20 || c == 0x7F))
            fprintf(out, is_json ? "\\u%04x" : "\\x%02x", c);
        else
            fwrite(text + i, 1, (size_t)length, out);
        i += length > 0 ? (size_t)length : 1;
    }
    fputc('"', out);
}

void cli_print_json_string(FILE *out, const char *text, size_t bytes) {
    print_escaped(out, text, bytes, true);
}

void cli_print_quoted(FILE *out, const char *text, size_t bytes) {
    print_escaped(out, text, bytes, false);
}

void cli_print_json_number(FILE *out, double value) {
    if (isfinite(value))
        fprintf(out, "%.9g", value);
    else
        fputs("null", out);
}
