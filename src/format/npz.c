/* SPDX-License-Identifier: MIT
 * Arrays in a zip archive: each member is a .npy file of the tensor's name. */
#include <string.h>

#include "base/new_file.h"
#include "base/os.h"
#include "base/status.h"
#include "format/archive_file.h"
#include "format/npy.h"
#include "format/zip.h"
#include "tensor/reach.h"

static const char suffix[] = ".npy";
enum { SUFFIX_BYTES = sizeof suffix - 1, LONGEST_NAME = 65535 - SUFFIX_BYTES };

/* -- reading -----------------------------------------------------------------------------------*/

/* A terminated copy of the member's name without the suffix at *at, which moves behind it. */
static tern_status take_name(const tern__zip_member *member, char **at, tern__string *name) {
    const tern__string *full = &member->name;
    uint64_t length = full->length - SUFFIX_BYTES;
    if (full->length < SUFFIX_BYTES || memcmp(full->bytes + length, suffix, SUFFIX_BYTES) != 0)
        return tern__fail(TERN_E_UNSUPPORTED, "npz: member \"%.*s\" is no .npy file",
                          (int)(full->length < 200 ? full->length : 200), full->bytes);
    memcpy(*at, full->bytes, length);
    *name = (tern__string){*at, length};
    *at += length + 1; /* the memory is zeroed: terminated */
    return TERN_OK;
}

/* The header of a member into `header`, of TERN__NPY_MOST_BYTES. */
static tern_status unpack_header(const tern__zip *zip, const tern__zip_member *member,
                                 const char *name, uint8_t *header, size_t *bytes) {
    tern__zip_stream stream;
    tern_status status;
    TERN__TRY(tern__zip_stream_open(&stream, zip, member));
    TERN__TRY(tern__zip_stream_read(&stream, header, TERN__NPY_START));
    TERN__TRY(tern__npy_header_bytes(name, header, bytes));
    TERN__TRY(tern__zip_stream_read(&stream, header + TERN__NPY_START, *bytes - TERN__NPY_START));
done:
    tern__zip_stream_close(&stream);
    return status;
}

static tern_status read_entry(const tern__zip *zip, const tern__zip_member *member, uint8_t *header,
                              char *type, tern__entry *entry) {
    size_t bytes;
    tern_status status;
    TERN__TRY(unpack_header(zip, member, entry->name.bytes, header, &bytes));
    TERN__TRY(tern__npy_read_header(header, bytes, type, entry));
    entry->type = type;
    entry->offset = bytes;
    if (!entry->is_known && member->bytes >= bytes)
        entry->bytes = member->bytes - bytes;
    if (member->bytes < bytes)
        status = tern__fail(TERN_E_FORMAT,
                            "npz: the header of \"%.200s\" has %zu bytes, the member %llu",
                            entry->name.bytes, bytes, (unsigned long long)member->bytes);
    else if (entry->bytes != member->bytes - bytes)
        status = tern__fail(TERN_E_FORMAT,
                            "npz: the elements of \"%.200s\" take %llu bytes, the member has %llu",
                            entry->name.bytes, (unsigned long long)entry->bytes,
                            (unsigned long long)(member->bytes - bytes));
done:
    return status;
}

static tern_status read_entries(tern_archive *archive, const tern__zip *zip) {
    size_t bytes = 1;
    for (int64_t i = 0; i < zip->count; i++)
        bytes += zip->members[i].name.length + 1 + TERN__NPY_TYPE_BYTES;
    uint8_t *header = tern__archive_alloc(1, TERN__NPY_MOST_BYTES);
    char *at = archive->texts = tern__archive_alloc(1, bytes);
    tern_status status = header != NULL && at != NULL ? TERN_OK : TERN_E_MEMORY;
    for (int64_t i = 0; i < zip->count && status == TERN_OK; i++) {
        tern__entry *entry = &archive->entries[i];
        entry->member = i;
        TERN__TRY(take_name(&zip->members[i], &at, &entry->name));
        TERN__TRY(tern__archive_add_name(archive, i));
        TERN__TRY(read_entry(zip, &zip->members[i], header, at, entry));
        at += TERN__NPY_TYPE_BYTES;
    }
done:
    if (header != NULL)
        tern__os()->free(header);
    return status;
}

static tern_status open_npz(tern_archive *archive) {
    tern__zip *zip = archive->private = tern__archive_alloc(1, sizeof *zip);
    if (zip == NULL)
        return TERN_E_MEMORY;
    tern_status status;
    TERN__TRY(tern__zip_open(zip, archive->data, archive->size));
    archive->count = zip->count;
    TERN__TRY(tern__archive_make_table(archive));
    status = read_entries(archive, zip);
done:
    return status;
}

static void close_npz(tern_archive *archive) {
    if (archive->private == NULL)
        return;
    tern__zip_close(archive->private);
    tern__os()->free(archive->private);
}

static tern_status find_in_member(const tern_archive *archive, const tern__entry *entry,
                                  const void **data) {
    const tern__zip *zip = archive->private;
    const tern__zip_member *member = &zip->members[entry->member];
    *data = NULL;
    if (member->is_deflated)
        return TERN_OK;
    *data = archive->data + member->data + entry->offset;
    return tern__zip_check_stored(zip, member);
}

static tern_status read_member(const tern_archive *archive, const tern__entry *entry,
                               void *elements) {
    const tern__zip *zip = archive->private;
    uint8_t skipped[256];
    tern__zip_stream stream;
    tern_status status;
    TERN__TRY(tern__zip_stream_open(&stream, zip, &zip->members[entry->member]));
    for (size_t left = entry->offset, part; left > 0; left -= part) {
        part = left < sizeof skipped ? left : sizeof skipped;
        TERN__TRY(tern__zip_stream_read(&stream, skipped, part));
    }
    TERN__TRY(tern__zip_stream_read(&stream, elements, entry->bytes));
    status = tern__zip_stream_end(&stream);
done:
    tern__zip_stream_close(&stream);
    return status;
}

const tern__archive_kind tern__archive_npz = {.name = "npz",
                                              .is_mine = tern__zip_is_mine,
                                              .open = open_npz,
                                              .close = close_npz,
                                              .find = find_in_member,
                                              .read = read_member};

/* -- writing -----------------------------------------------------------------------------------*/

static tern_status write_member(tern__zip_writer *writer, const char *name,
                                const tern_tensor *tensor, bool is_deflated) {
    char header[TERN__NPY_WRITTEN_BYTES];
    uint8_t scratch[4096];
    size_t bytes;
    tern_tensor *twin = NULL;
    tern_status status;
    tern__npy_make_header(tensor, header, &bytes);
    TERN__TRY(tern__zip_writer_begin(writer, name, bytes + tern_tensor_bytes(tensor), is_deflated));
    TERN__TRY(tern__zip_writer_append(writer, header, bytes));
    TERN__TRY(tern__host_twin(tensor, &twin));
    tern__elements elements = tern__npy_elements(twin);
    const void *part;
    while ((part = tern__elements_next(&elements, scratch, sizeof scratch, &bytes)) != NULL)
        TERN__TRY(tern__zip_writer_append(writer, part, bytes));
    status = tern__zip_writer_end(writer);
done:
    tern_tensor_release(twin);
    return status;
}

/* The names with their suffixes, one behind the other; the caller's. */
static tern_status make_names(const tern_named_tensor *tensors, int64_t count, char **names) {
    size_t bytes = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t length = strlen(tensors[i].name);
        if (length > LONGEST_NAME)
            return tern__fail(TERN_E_LIMIT,
                              "npz: the name of tensor %lld has %zu bytes, %d are the most",
                              (long long)i, length, LONGEST_NAME);
        bytes += length + sizeof suffix;
    }
    char *at = *names = tern__archive_alloc(1, bytes);
    if (at == NULL)
        return TERN_E_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        size_t length = strlen(tensors[i].name);
        memcpy(at, tensors[i].name, length);
        memcpy(at + length, suffix, sizeof suffix);
        at += length + sizeof suffix;
    }
    return TERN_OK;
}

tern_status tern_npz_save(const char *path, const tern_named_tensor *tensors, int64_t count,
                          bool is_deflated) {
    tern__new_file file = {0};
    tern__zip_writer writer = {0};
    char *names = NULL;
    tern_status status;
    TERN__TRY(tern__check_named("npz", tensors, count));
    TERN__TRY(make_names(tensors, count, &names));
    TERN__TRY(tern__new_file_open(&file, path));
    TERN__TRY(tern__zip_writer_init(&writer, &file, count));
    const char *name = names;
    for (int64_t i = 0; i < count; i++, name += strlen(name) + 1)
        TERN__TRY(write_member(&writer, name, tensors[i].tensor, is_deflated));
    TERN__TRY(tern__zip_writer_finish(&writer));
    status = tern__new_file_publish(&file);
done:
    tern__zip_writer_deinit(&writer);
    tern__new_file_close(&file);
    tern__os()->free(names);
    return status;
}
