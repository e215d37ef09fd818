/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"
#include "base/utf8.h"
#include "format/archive_file.h"
#include "format/file_map.h"
#include "tensor/dtype.h"
#include "tensor/reach.h"

static const tern__archive_kind *const kinds[] = {
    &tern__archive_npy,
    &tern__archive_npz,
    &tern__archive_safetensors,
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* -- opening and closing -----------------------------------------------------------------------*/

static tern_status find_kind(tern_archive *archive, const char *path) {
    for (int i = 0; i < KINDS && archive->kind == NULL; i++)
        if (kinds[i]->is_mine(archive->data, archive->size))
            archive->kind = kinds[i];
    if (archive->kind != NULL)
        return TERN_OK;
    return tern__fail(TERN_E_UNSUPPORTED, "\"%.300s\" is no .npy, .npz or safetensors file", path);
}

static void free_table(void *table) {
    if (table != NULL)
        tern__os()->free(table);
}

static void release(void *user) {
    tern_archive *archive = user;
    if (atomic_fetch_sub_explicit(&archive->references, 1, memory_order_acq_rel) > 1)
        return;
    if (archive->kind != NULL && archive->kind->close != NULL)
        archive->kind->close(archive);
    tern__name_index_deinit(&archive->index);
    free_table(archive->entries);
    free_table(archive->metadata);
    free_table(archive->texts);
    if (archive->data != NULL)
        tern__os()->file_unmap(archive->data, (size_t)archive->size);
    tern__os()->free(archive);
}

tern_status tern_archive_open(const char *path, tern_archive **out) {
    if (out == NULL)
        return tern__fail(TERN_E_ARGUMENT, "tern_archive_open: archive is NULL");
    *out = NULL;
    if (path == NULL)
        return tern__fail(TERN_E_ARGUMENT, "tern_archive_open: path is NULL");
    tern_archive *archive = tern__archive_alloc(1, sizeof *archive);
    if (archive == NULL)
        return TERN_E_MEMORY;
    atomic_init(&archive->references, 1);
    tern_status status;
    TERN__TRY(tern__file_map(path, &archive->data, &archive->size));
    TERN__TRY(find_kind(archive, path));
    TERN__TRY(archive->kind->open(archive));
    *out = archive;
done:
    if (status != TERN_OK)
        release(archive);
    return status;
}

void tern_archive_close(tern_archive *archive) {
    if (archive != NULL)
        release(archive);
}

/* -- what the formats share --------------------------------------------------------------------*/

void *tern__archive_alloc(uint64_t count, size_t bytes) {
    size_t all;
    void *memory = NULL;
    if (count <= SIZE_MAX && tern__mul_size((size_t)count, bytes, &all))
        memory = tern__os()->alloc(all);
    if (memory == NULL)
        tern__fail(TERN_E_MEMORY, "no memory for %llu times %zu bytes about a file",
                   (unsigned long long)count, bytes);
    return memory;
}

tern_status tern__archive_make_table(tern_archive *archive) {
    archive->entries = tern__archive_alloc((uint64_t)archive->count, sizeof *archive->entries);
    if (archive->entries == NULL)
        return TERN_E_MEMORY;
    return tern__name_index_init(&archive->index, archive->entries, sizeof *archive->entries,
                                 (uint64_t)archive->count);
}

tern_status tern__archive_add_name(tern_archive *archive, int64_t i) {
    if (tern__name_index_insert(&archive->index, (uint64_t)i) < 0)
        return TERN_OK;
    return tern__fail(TERN_E_FORMAT, "%s: there are two tensors \"%.200s\"", archive->kind->name,
                      archive->entries[i].name.bytes);
}

bool tern__is_utf8(const char *text, size_t bytes) {
    uint32_t code;
    for (size_t at = 0, length; at < bytes; at += length) {
        length = tern__utf8((const uint8_t *)text + at, bytes - at, &code);
        if (length == 0)
            return false;
    }
    return true;
}

static tern_status check_names(const char *noun, tern__name_index *index, tern__string *names,
                               const tern_named_tensor *tensors, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (tensors[i].name == NULL || tensors[i].tensor == NULL)
            return tern__fail(TERN_E_ARGUMENT, "%s: tensor %lld or its name is NULL", noun,
                              (long long)i);
        tern_dtype dtype = (tern_dtype)tensors[i].tensor->dtype;
        names[i] = (tern__string){tensors[i].name, strlen(tensors[i].name)};
        if (!tern__is_utf8(names[i].bytes, names[i].length))
            return tern__fail(TERN_E_ARGUMENT, "%s: the name of tensor %lld is not UTF-8", noun,
                              (long long)i);
        if (!tern__dtype_is_plain(dtype))
            return tern__fail(TERN_E_DTYPE, "%s: tensor \"%.200s\" is %s, which has no place there",
                              noun, tensors[i].name, tern_dtype_name(dtype));
        if (tern__name_index_insert(index, (uint64_t)i) >= 0)
            return tern__fail(TERN_E_ARGUMENT, "%s: two tensors are called \"%.200s\"", noun,
                              tensors[i].name);
    }
    return TERN_OK;
}

tern_status tern__check_named(const char *noun, const tern_named_tensor *tensors, int64_t count) {
    tern__name_index index = {0};
    if (count < 0 || (count > 0 && tensors == NULL))
        return tern__fail(TERN_E_ARGUMENT, "%s: %lld tensors", noun, (long long)count);
    tern__string *names = tern__archive_alloc((uint64_t)count, sizeof *names);
    if (names == NULL)
        return TERN_E_MEMORY;
    tern_status status = tern__name_index_init(&index, names, sizeof *names, (uint64_t)count);
    if (status == TERN_OK)
        status = check_names(noun, &index, names, tensors, count);
    tern__name_index_deinit(&index);
    tern__os()->free(names);
    return status;
}

/* -- looking -----------------------------------------------------------------------------------*/

const char *tern_archive_format(const tern_archive *archive) {
    return archive->kind->name;
}

uint64_t tern_archive_bytes(const tern_archive *archive) {
    return archive->size;
}

int64_t tern_archive_tensor_count(const tern_archive *archive) {
    return archive->count;
}

tern_archive_entry tern_archive_entry_at(const tern_archive *archive, int64_t index) {
    if (index < 0 || index >= archive->count)
        return (tern_archive_entry){.name = "", .type = ""};
    const tern__entry *entry = &archive->entries[index];
    return (tern_archive_entry){.name = entry->name.bytes,
                                .type = entry->type,
                                .shape = entry->shape,
                                .bytes = entry->bytes,
                                .is_known = entry->is_known,
                                .dtype = entry->dtype};
}

int64_t tern_archive_metadata_count(const tern_archive *archive) {
    return archive->metadata_count;
}

const char *tern_archive_metadata_at(const tern_archive *archive, int64_t index,
                                     const char **value) {
    if (index < 0 || index >= archive->metadata_count)
        return NULL;
    *value = archive->metadata[index].value;
    return archive->metadata[index].key;
}

/* -- tensors -----------------------------------------------------------------------------------*/

static tern_status find_entry(const tern_archive *archive, const char *name,
                              const tern__entry **entry) {
    int64_t row = tern__name_index_find(&archive->index, (tern__string){name, strlen(name)});
    if (row < 0)
        return tern__fail(TERN_E_NOT_FOUND, "%s: there is no tensor \"%.200s\"",
                          archive->kind->name, name);
    *entry = &archive->entries[row];
    if (!(*entry)->is_known)
        return tern__fail(TERN_E_DTYPE,
                          "%s: tensor \"%.200s\" has the type %.60s, which Tern does "
                          "not have",
                          archive->kind->name, name, (*entry)->type);
    return TERN_OK;
}

static tern_status check_bools(const tern_archive *archive, const tern__entry *entry,
                               const uint8_t *bools) {
    uint8_t seen = 0;
    for (uint64_t i = 0; i < entry->bytes; i++)
        seen |= bools[i];
    if (seen <= 1)
        return TERN_OK;
    return tern__fail(TERN_E_FORMAT, "%s: a bool of tensor \"%.200s\" is neither 0 nor 1",
                      archive->kind->name, entry->name.bytes);
}

/* Tensors on the mapping hold a reference of the archive. */
static tern_status borrow(tern_context *context, tern_archive *archive, const tern__entry *entry,
                          const tern_shape *shape, const void *data, tern_tensor **out) {
    tern__tensor_callback callback = {release, archive};
    atomic_fetch_add_explicit(&archive->references, 1, memory_order_relaxed);
    tern_status status =
        tern__tensor_adopt(context, entry->dtype, shape, data, &callback, "archive", out);
    if (status != TERN_OK)
        release(archive);
    return status;
}

static tern_status copy(tern_context *context, tern_archive *archive, const tern__entry *entry,
                        const tern_shape *shape, const void *data, tern_tensor **out) {
    tern_status status = tern__tensor_empty(context, entry->dtype, shape, "archive", out);
    if (status != TERN_OK)
        return status;
    void *room = tern__fill_begin(out);
    if (room != NULL && data != NULL && entry->bytes > 0)
        memcpy(room, data, entry->bytes);
    else if (room != NULL && data == NULL)
        status = archive->kind->read(archive, entry, room);
    if (room != NULL && status == TERN_OK && entry->dtype == TERN_BOOL)
        status = check_bools(archive, entry, room);
    return tern__fill_end(out, room, status);
}

static tern_status reverse_axes(tern_tensor **tensor) {
    int axes[TERN_MAX_RANK], rank = (*tensor)->rank;
    tern_tensor *stored = *tensor;
    for (int i = 0; i < rank; i++)
        axes[i] = rank - 1 - i;
    tern_status status = tern_tensor_permute(stored, axes, tensor);
    tern_tensor_release(stored);
    return status;
}

tern_status tern_archive_tensor(tern_context *context, tern_archive *archive, const char *name,
                                tern_tensor **out) {
    *out = NULL;
    const tern__entry *entry = NULL;
    tern_status status = find_entry(archive, name, &entry);
    if (status != TERN_OK)
        return status;
    tern_shape shape = entry->shape;
    bool is_reversed = entry->is_fortran && shape.rank > 1;
    for (int i = 0; is_reversed && i < shape.rank; i++)
        shape.dims[i] = entry->shape.dims[shape.rank - 1 - i];
    const void *data = NULL;
    TERN__TRY(archive->kind->find(archive, entry, &data));
    size_t alignment = (size_t)tern__dtype(entry->dtype)->block_bytes;
    if (data == NULL || entry->bytes == 0 || (uintptr_t)data % alignment != 0) {
        status = copy(context, archive, entry, &shape, data, out);
    } else {
        if (entry->dtype == TERN_BOOL)
            TERN__TRY(check_bools(archive, entry, data));
        status = borrow(context, archive, entry, &shape, data, out);
    }
    if (status == TERN_OK && is_reversed)
        status = reverse_axes(out);
done:
    return status;
}
