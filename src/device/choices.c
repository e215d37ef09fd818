/* SPDX-License-Identifier: MIT
 * The file begins with a line that names its format; then lines of a key, a tabulator and a number,
 * the newest first. */
#include "device/choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/new_file.h"
#include "base/os.h"

enum { MAX_PATH = 4096, MAX_FILE = 16384, MAX_LINES = 32, MAX_NUMBER = 1000000 };
static const char first_line[] = "tern choices 2\n";

const char *tern__choices_directory(const char *asked, char *buffer, size_t size) {
    if (asked != NULL)
        return asked[0] != '\0' ? asked : NULL;
    const char *base = getenv("XDG_CACHE_HOME"), *below = "tern";
    if (base == NULL || base[0] != '/') { /* relative paths are to be ignored, as XDG says */
        base = getenv("HOME");
        below = ".cache/tern";
    }
    if (base == NULL || base[0] != '/')
        return NULL;
    int length = snprintf(buffer, size, "%s/%s", base, below);
    return length > 0 && (size_t)length < size ? buffer : NULL;
}

static bool make_path(const char *directory, char path[MAX_PATH]) {
    if (directory == NULL)
        return false;
    int length = snprintf(path, MAX_PATH, "%s/choices", directory);
    return length > 0 && length < MAX_PATH;
}

/* The lines behind the first, as a string; "" when there is no such file or it is of another kind.
 */
static void read_lines(const char *path, char text[MAX_FILE]) {
    const size_t head = sizeof first_line - 1;
    const tern__os_table *os = tern__os();
    tern__os_file_info info;
    const void *data = NULL;
    int fd;
    text[0] = '\0';
    if (os->file_open(path, &fd) != 0)
        return;
    if (os->file_info(fd, &info) == 0 && info.is_regular && info.size >= head &&
        info.size < MAX_FILE && os->file_map(fd, (size_t)info.size, &data) == 0) {
        size_t bytes = (size_t)info.size;
        if (memcmp(data, first_line, head) == 0 && memchr(data, '\0', bytes) == NULL) {
            memcpy(text, (const char *)data + head, bytes - head);
            text[bytes - head] = '\0';
        }
        os->file_unmap(data, bytes);
    }
    os->file_close(fd);
}

/* The line at `at` is `key`, a tabulator and a number: that one, else 0. */
static int number_of(const char *at, const char *end, const char *key) {
    size_t length = strlen(key);
    if ((size_t)(end - at) <= length || memcmp(at, key, length) != 0 || at[length] != '\t')
        return 0;
    int number = 0;
    for (at += length + 1; at < end; at++) {
        if (*at < '0' || *at > '9' || number > MAX_NUMBER)
            return 0;
        number = 10 * number + (*at - '0');
    }
    return number <= MAX_NUMBER ? number : 0;
}

static const char *line_end(const char *at) {
    const char *end = strchr(at, '\n');
    return end != NULL ? end : at + strlen(at);
}

int tern__choice_read(const char *directory, const char *key) {
    char path[MAX_PATH], text[MAX_FILE];
    if (!make_path(directory, path))
        return 0;
    read_lines(path, text);
    for (const char *at = text, *end; *at != '\0'; at = *end == '\0' ? end : end + 1) {
        end = line_end(at);
        int number = number_of(at, end, key);
        if (number > 0)
            return number;
    }
    return 0;
}

/* The directory and what is above it, as far as it can be made. */
static void make_directories(const char *directory) {
    char path[MAX_PATH];
    size_t length = strlen(directory);
    if (length >= sizeof path)
        return;
    for (size_t i = 1; i <= length; i++)
        if (directory[i] == '/' || directory[i] == '\0') {
            memcpy(path, directory, i);
            path[i] = '\0';
            tern__os()->directory_create(path);
        }
}

static tern_status write_lines(tern__new_file *file, const char *text, const char *key,
                               int number) {
    char line[TERN__CHOICE_KEY + 16];
    int length = snprintf(line, sizeof line, "%s\t%d\n", key, number);
    tern_status status = tern__new_file_append(file, first_line, sizeof first_line - 1);
    if (status == TERN_OK)
        status = tern__new_file_append(file, line, (size_t)length);
    int lines = 1;
    for (const char *at = text, *end; *at != '\0' && lines < MAX_LINES && status == TERN_OK;
         at = *end == '\0' ? end : end + 1) {
        end = line_end(at);
        if (*end == '\0' || number_of(at, end, key) > 0)
            continue;
        status = tern__new_file_append(file, at, (size_t)(end + 1 - at));
        lines++;
    }
    return status;
}

bool tern__choice_write(const char *directory, const char *key, int number) {
    char path[MAX_PATH], text[MAX_FILE];
    if (!make_path(directory, path))
        return false;
    make_directories(directory);
    read_lines(path, text);
    tern__new_file file;
    tern_status status = tern__new_file_open(&file, path);
    if (status != TERN_OK)
        return false;
    status = write_lines(&file, text, key, number);
    if (status == TERN_OK)
        status = tern__new_file_publish(&file);
    tern__new_file_close(&file);
    return status == TERN_OK;
}
