/* SPDX-License-Identifier: MIT */
#include "base/new_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/status.h"

enum {
    BUFFER_BYTES = 65536,
    SUFFIX_BYTES = 32, /* ".tern-" and 16 digits */
};

static tern_status write_failed(const tern__new_file *file, int error) {
    return tern__fail(TERN_E_IO, "cannot write \"%.300s\": %s", file->path, strerror(error));
}

/* A name that nobody else takes: writers of the same path do not meet. */
static tern_status make_name(tern__new_file *file) {
    size_t length = strlen(file->path);
    uint64_t number = 0;
    file->temporary = tern__os()->alloc(length + SUFFIX_BYTES);
    if (file->temporary == NULL)
        return tern__fail(TERN_E_MEMORY, "no memory to write \"%.300s\"", file->path);
    int error = tern__os()->random(&number, sizeof number);
    if (error != 0)
        return write_failed(file, error);
    memcpy(file->temporary, file->path, length);
    snprintf(file->temporary + length, SUFFIX_BYTES, ".tern-%016llx", (unsigned long long)number);
    return TERN_OK;
}

static void free_memory(tern__new_file *file) {
    tern__os()->free(file->buffer);
    tern__os()->free(file->temporary);
    *file = (tern__new_file){0};
}

tern_status tern__new_file_open(tern__new_file *file, const char *path) {
    *file = (tern__new_file){.path = path, .fd = -1};
    if (path == NULL)
        return tern__fail(TERN_E_ARGUMENT, "the path of a file to write is NULL");
    tern_status status = make_name(file);
    if (status == TERN_OK && (file->buffer = tern__os()->alloc(BUFFER_BYTES)) == NULL)
        status = tern__fail(TERN_E_MEMORY, "no memory to write \"%.300s\"", path);
    if (status == TERN_OK) {
        int error = tern__os()->file_create(file->temporary, &file->fd);
        if (error != 0)
            status = write_failed(file, error);
    }
    if (status != TERN_OK)
        free_memory(file);
    return status;
}

static tern_status flush(tern__new_file *file) {
    int error =
        tern__os()->file_write(file->fd, file->size - file->buffered, file->buffer, file->buffered);
    if (error != 0)
        return write_failed(file, error);
    file->buffered = 0;
    return TERN_OK;
}

tern_status tern__new_file_append(tern__new_file *file, const void *data, size_t bytes) {
    tern_status status = TERN_OK;
    if (bytes > BUFFER_BYTES - file->buffered)
        status = flush(file);
    if (status != TERN_OK || bytes == 0)
        return status;
    if (bytes > BUFFER_BYTES) {
        int error = tern__os()->file_write(file->fd, file->size, data, bytes);
        if (error != 0)
            return write_failed(file, error);
    } else {
        memcpy(file->buffer + file->buffered, data, bytes);
        file->buffered += bytes;
    }
    file->size += bytes;
    return TERN_OK;
}

tern_status tern__new_file_align(tern__new_file *file, size_t unit) {
    static const uint8_t zeros[4096];
    return tern__new_file_append(file, zeros, (size_t)(-file->size & (unit - 1)));
}

tern_status tern__new_file_patch(tern__new_file *file, uint64_t offset, const void *data,
                                 size_t bytes) {
    tern_status status = flush(file);
    if (status != TERN_OK)
        return status;
    int error = tern__os()->file_write(file->fd, offset, data, bytes);
    return error == 0 ? TERN_OK : write_failed(file, error);
}

tern_status tern__new_file_publish(tern__new_file *file) {
    tern_status status = flush(file);
    if (status != TERN_OK)
        return status;
    int error = tern__os()->file_sync(file->fd);
    if (error == 0)
        error = tern__os()->file_rename(file->temporary, file->path);
    if (error != 0)
        return write_failed(file, error);
    tern__os()->file_close(file->fd);
    free_memory(file);
    return TERN_OK;
}

void tern__new_file_close(tern__new_file *file) {
    if (file->temporary == NULL)
        return;
    tern__os()->file_close(file->fd);
    tern__os()->file_remove(file->temporary);
    free_memory(file);
}
