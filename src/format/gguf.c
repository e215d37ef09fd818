/* SPDX-License-Identifier: MIT */
#include "format/gguf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/os.h"
#include "format/file_map.h"
#include "format/gguf_file.h"

/* -- errors ------------------------------------------------------------------------------------*/

#define SHOWN_NAME_BYTES 100 /* of a name; leaves room for the rest of the detail */

tern_status tern__gguf_fail(tern_status status, const tern__gguf_record *record, uint64_t at,
                            const char *format, ...) {
    char text[320], index[32] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (record->name.length > 0) {
        uint64_t shown = record->name.length;
        if (shown > SHOWN_NAME_BYTES) /* not inside a UTF-8 sequence */
            for (shown = SHOWN_NAME_BYTES; (record->name.bytes[shown] & 0xC0) == 0x80;)
                shown--;
        return tern__fail(status, "gguf: %s \"%.*s\" at byte %llu: %s", record->noun, (int)shown,
                          record->name.bytes, (unsigned long long)at, text);
    }
    if (record->index >= 0)
        snprintf(index, sizeof index, " %lld", (long long)record->index);
    return tern__fail(status, "gguf: %s%s at byte %llu: %s", record->noun, index,
                      (unsigned long long)at, text);
}

/* What files that are no GGUF often are, by their first bytes. */
static const struct {
    size_t at;
    const char *bytes;
    const char *hint;
} lookalikes[] = {
    {0, "version https://git-lfs", "a Git LFS pointer; the file itself was not downloaded"},
    {0, "{", "it looks like JSON"},
    {8, "{", "it looks like safetensors"},
    {0, "PK\003\004", "it looks like a zip archive or a PyTorch checkpoint"},
    {0, "\037\213", "it looks like a gzip archive"},
    {0, "<", "it looks like a web page"},
    {0, "lmgg", "it looks like GGML, the format before GGUF"},
    {0, "fmgg", "it looks like GGMF, a format before GGUF"},
    {0, "tjgg", "it looks like GGJT, a format before GGUF"},
};

static tern_status check_magic(const tern_file *file, const char *path) {
    if (file->size >= 4 && memcmp(file->data, "GGUF", 4) == 0)
        return TERN_OK;
    char start[17];
    size_t shown = file->size < sizeof start - 1 ? (size_t)file->size : sizeof start - 1;
    for (size_t i = 0; i < shown; i++)
        start[i] = file->data[i] >= 0x20 && file->data[i] < 0x7F ? (char)file->data[i] : '.';
    start[shown] = '\0';
    for (size_t i = 0; i < sizeof lookalikes / sizeof lookalikes[0]; i++) {
        size_t at = lookalikes[i].at, length = strlen(lookalikes[i].bytes);
        if (file->size >= at + length && memcmp(file->data + at, lookalikes[i].bytes, length) == 0)
            return tern__fail(TERN_E_FORMAT,
                              "\"%.250s\" is not a GGUF file (begins with \"%s\": %s)", path, start,
                              lookalikes[i].hint);
    }
    return tern__fail(TERN_E_FORMAT, "\"%.250s\" is not a GGUF file (begins with \"%s\")", path,
                      start);
}

/* -- opening and closing -----------------------------------------------------------------------*/

tern_status tern_file_open(const char *path, tern_file **out) {
    if (out == NULL)
        return tern__fail(TERN_E_ARGUMENT, "tern_file_open: file is NULL");
    *out = NULL;
    if (path == NULL)
        return tern__fail(TERN_E_ARGUMENT, "tern_file_open: path is NULL");
    tern_file *file = tern__os()->alloc(sizeof *file);
    if (file == NULL)
        return tern__fail(TERN_E_MEMORY, "gguf: no memory to open \"%.300s\"", path);
    atomic_init(&file->references, 1);
    tern_status status;
    TERN__TRY(tern__file_map(path, &file->data, &file->size));
    TERN__TRY(check_magic(file, path));
    TERN__TRY(tern__gguf_read(file));
    *out = file;
done:
    if (status != TERN_OK)
        tern__gguf_release(file);
    return status;
}

void tern_file_close(tern_file *file) {
    tern__gguf_release(file);
}

void tern__gguf_retain(tern_file *file) {
    atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
}

static void free_table(void *table) {
    if (table != NULL)
        tern__os()->free(table);
}

void tern__gguf_release(tern_file *file) {
    if (file == NULL || atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) > 1)
        return;
    tern__name_index_deinit(&file->tensor_index);
    tern__name_index_deinit(&file->key_index);
    free_table(file->names);
    free_table(file->tensors);
    free_table(file->keys);
    if (file->data != NULL)
        tern__os()->file_unmap(file->data, (size_t)file->size);
    tern__os()->free(file);
}

/* -- facts -------------------------------------------------------------------------------------*/

uint32_t tern_file_version(const tern_file *file) {
    return file->version;
}

uint64_t tern_file_bytes(const tern_file *file) {
    return file->size;
}

int64_t tern_file_key_count(const tern_file *file) {
    return (int64_t)file->key_count;
}

int64_t tern_file_tensor_count(const tern_file *file) {
    return (int64_t)file->tensor_count;
}

tern_file_tensor tern_file_tensor_at(const tern_file *file, int64_t index) {
    const tern__gguf_tensor *tensor = tern__gguf_at(file, index);
    if (tensor == NULL)
        return (tern_file_tensor){.name = "", .type = ""};
    return (tern_file_tensor){.name = tensor->name.bytes,
                              .type = tensor->type_name,
                              .shape = tensor->shape,
                              .offset = tensor->offset,
                              .bytes = tensor->bytes};
}

const tern__gguf_tensor *tern__gguf_at(const tern_file *file, int64_t index) {
    if (index < 0 || (uint64_t)index >= file->tensor_count)
        return NULL;
    return &file->tensors[index];
}

const tern__gguf_tensor *tern__gguf_find(const tern_file *file, const char *name) {
    return tern__gguf_at(
        file, tern__name_index_find(&file->tensor_index, (tern__gguf_string){name, strlen(name)}));
}

void tern__gguf_drop(const tern_file *file, const tern__gguf_tensor *tensor) {
    (void)file; /* the pages belong to its mapping */
    tern__os()->file_drop(tensor->data, (size_t)tensor->bytes);
}
