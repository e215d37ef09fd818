/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "base/status.h"
#include "format/archive_file.h"
#include "format/zip.h"
#include "format/zip_parts.h"

enum {
    ALIGNMENT = 64,     /* of a stored member's bytes */
    PAD_EXTRA = 0xd935, /* id of the extra field that aligns them, as of Android's zipalign */
    PAD_BYTES = 6,      /* id, length, alignment; zeros follow */
    WIDE_BYTES = 20,    /* id, length, two sizes */
    FIRST_DAY = 0x21,   /* 1 January 1980: files do not depend on when they are written */
    VERSION = 20,       /* of the format, that a reader must know */
    WIDE_VERSION = 45,
    PACKED_BYTES = 16384, /* handed to the file at once */
    RECORD_BYTES = 256,   /* more than any record without its name */
};

struct tern__zip_written {
    const char *name;
    uint64_t header, data, packed, bytes;
    uint32_t checksum;
    bool is_wide, is_deflated;
};

/* -- records -----------------------------------------------------------------------------------*/

typedef struct record {
    uint8_t bytes[RECORD_BYTES];
    size_t count;
} record;

static void put(record *out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        out->bytes[out->count++] = (uint8_t)(value >> 8 * i);
}

static unsigned flags_of(const char *name) {
    for (; *name != '\0'; name++)
        if ((unsigned char)*name >= 0x80)
            return TERN__ZIP_FLAG_UTF8;
    return 0;
}

/* Version, flags, method, time, checksum and sizes stand alike in both headers. */
static void put_facts(record *out, const tern__zip_written *m) {
    put(out, m->is_wide ? WIDE_VERSION : VERSION, 2);
    put(out, flags_of(m->name), 2);
    put(out, m->is_deflated ? TERN__ZIP_DEFLATED : TERN__ZIP_STORED, 2);
    put(out, 0, 2);
    put(out, FIRST_DAY, 2);
    put(out, m->checksum, 4);
    put(out, m->is_wide ? TERN__ZIP_WIDE_32 : m->packed, 4);
    put(out, m->is_wide ? TERN__ZIP_WIDE_32 : m->bytes, 4);
    put(out, strlen(m->name), 2);
}

/* A local header is `fixed`, the name, `extra`. */
static void make_local(const tern__zip_written *m, record *fixed, record *extra) {
    *fixed = *extra = (record){0};
    if (m->is_wide) {
        put(extra, TERN__ZIP_WIDE_EXTRA, 2);
        put(extra, WIDE_BYTES - 4, 2);
        put(extra, m->bytes, 8);
        put(extra, m->packed, 8);
    }
    if (!m->is_deflated) {
        uint64_t end = m->header + TERN__ZIP_LOCAL_BYTES + strlen(m->name) + extra->count;
        uint64_t zeros = -(end + PAD_BYTES) & (ALIGNMENT - 1);
        put(extra, PAD_EXTRA, 2);
        put(extra, 2 + zeros, 2);
        put(extra, ALIGNMENT, 2);
        extra->count += zeros;
    }
    put(fixed, TERN__ZIP_LOCAL, 4);
    put_facts(fixed, m);
    put(fixed, extra->count, 2);
}

static tern_status write_central(tern__zip_writer *writer, const tern__zip_written *m) {
    record fixed = {0}, extra = {0};
    bool is_far = m->header >= writer->wide_from;
    if (m->is_wide || is_far) {
        put(&extra, TERN__ZIP_WIDE_EXTRA, 2);
        put(&extra, (m->is_wide ? 16 : 0) + (is_far ? 8 : 0), 2);
    }
    if (m->is_wide) {
        put(&extra, m->bytes, 8);
        put(&extra, m->packed, 8);
    }
    if (is_far)
        put(&extra, m->header, 8);
    put(&fixed, TERN__ZIP_CENTRAL, 4);
    put(&fixed, WIDE_VERSION, 2);
    put_facts(&fixed, m);
    put(&fixed, extra.count, 2);
    put(&fixed, 0, 2);     /* comment */
    put(&fixed, 0, 2 + 6); /* part, attributes */
    put(&fixed, is_far ? TERN__ZIP_WIDE_32 : m->header, 4);
    assert(fixed.count == TERN__ZIP_CENTRAL_BYTES);
    tern_status status;
    TERN__TRY(tern__new_file_append(writer->file, fixed.bytes, fixed.count));
    TERN__TRY(tern__new_file_append(writer->file, m->name, strlen(m->name)));
    TERN__TRY(tern__new_file_append(writer->file, extra.bytes, extra.count));
done:
    return status;
}

/* -- members -----------------------------------------------------------------------------------*/

tern_status tern__zip_writer_init(tern__zip_writer *writer, tern__new_file *file,
                                  int64_t capacity) {
    *writer = (tern__zip_writer){.file = file,
                                 .capacity = capacity,
                                 .wide_from = TERN__ZIP_WIDE_32,
                                 .wide_count = TERN__ZIP_WIDE_16};
    writer->members = tern__archive_alloc((uint64_t)capacity, sizeof *writer->members);
    return writer->members != NULL ? TERN_OK : TERN_E_MEMORY;
}

static void end_deflater(tern__zip_writer *writer) {
    if (writer->deflater == NULL)
        return;
    deflateEnd(writer->deflater);
    tern__os()->free(writer->deflater);
    writer->deflater = NULL;
}

void tern__zip_writer_deinit(tern__zip_writer *writer) {
    end_deflater(writer);
    if (writer->members != NULL)
        tern__os()->free(writer->members);
    *writer = (tern__zip_writer){0};
}

static tern_status begin_deflater(tern__zip_writer *writer) {
    enum { MEMORY_LEVEL = 8 }; /* zlib's default */
    z_stream *deflater = tern__archive_alloc(1, sizeof *deflater);
    if (deflater == NULL)
        return TERN_E_MEMORY;
    deflater->zalloc = tern__zip_alloc;
    deflater->zfree = tern__zip_free;
    if (deflateInit2(deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        tern__os()->free(deflater);
        return tern__fail(TERN_E_MEMORY, "zip: no memory to pack");
    }
    writer->deflater = deflater;
    return TERN_OK;
}

tern_status tern__zip_writer_begin(tern__zip_writer *writer, const char *name, uint64_t bytes,
                                   bool is_deflated) {
    assert(writer->count < writer->capacity && strlen(name) <= TERN__ZIP_WIDE_16);
    /* What deflate cannot pack grows by less than a thousandth and a few bytes. */
    uint64_t most = is_deflated ? bytes + bytes / 1000 + 1000 : bytes;
    tern__zip_written *member = &writer->members[writer->count++];
    *member = (tern__zip_written){.name = name,
                                  .header = writer->file->size,
                                  .is_wide = most >= writer->wide_from,
                                  .is_deflated = is_deflated};
    record fixed, extra;
    make_local(member, &fixed, &extra);
    tern_status status;
    TERN__TRY(tern__new_file_append(writer->file, fixed.bytes, fixed.count));
    TERN__TRY(tern__new_file_append(writer->file, name, strlen(name)));
    TERN__TRY(tern__new_file_append(writer->file, extra.bytes, extra.count));
    member->data = writer->file->size;
    if (is_deflated)
        status = begin_deflater(writer);
done:
    return status;
}

/* Packs what the deflater was given; with Z_FINISH all that it holds. */
static tern_status deflate_all(tern__zip_writer *writer, int flush) {
    uint8_t packed[PACKED_BYTES];
    z_stream *z = writer->deflater;
    int code;
    do {
        z->next_out = packed;
        z->avail_out = sizeof packed;
        code = deflate(z, flush);
        tern_status status =
            tern__new_file_append(writer->file, packed, sizeof packed - z->avail_out);
        if (status != TERN_OK)
            return status;
    } while (code != Z_STREAM_END && z->avail_out == 0);
    return TERN_OK;
}

tern_status tern__zip_writer_append(tern__zip_writer *writer, const void *data, size_t bytes) {
    tern__zip_written *member = &writer->members[writer->count - 1];
    member->checksum = (uint32_t)crc32_z(member->checksum, data, bytes);
    member->bytes += bytes;
    if (writer->deflater == NULL)
        return tern__new_file_append(writer->file, data, bytes);
    tern_status status = TERN_OK;
    for (const uint8_t *at = data; bytes > 0 && status == TERN_OK;) {
        uInt part = (uInt)(bytes < INT32_MAX ? bytes : INT32_MAX);
        writer->deflater->next_in = (Bytef *)(uintptr_t)at;
        writer->deflater->avail_in = part;
        status = deflate_all(writer, Z_NO_FLUSH);
        at += part;
        bytes -= part;
    }
    return status;
}

tern_status tern__zip_writer_end(tern__zip_writer *writer) {
    tern__zip_written *member = &writer->members[writer->count - 1];
    tern_status status = TERN_OK;
    if (writer->deflater != NULL)
        status = deflate_all(writer, Z_FINISH);
    end_deflater(writer);
    if (status != TERN_OK)
        return status;
    member->packed = writer->file->size - member->data;
    record fixed, extra;
    make_local(member, &fixed, &extra);
    status = tern__new_file_patch(writer->file, member->header, fixed.bytes, fixed.count);
    if (status == TERN_OK && member->is_wide)
        status =
            tern__new_file_patch(writer->file, member->header + fixed.count + strlen(member->name),
                                 extra.bytes, extra.count);
    return status;
}

/* -- the end -----------------------------------------------------------------------------------*/

static void put_wide_end(record *out, const tern__zip_writer *writer, uint64_t begin,
                         uint64_t bytes) {
    put(out, TERN__ZIP_WIDE_END, 4);
    put(out, TERN__ZIP_WIDE_END_BYTES - 12, 8);
    put(out, WIDE_VERSION, 2);
    put(out, WIDE_VERSION, 2);
    put(out, 0, 8); /* parts */
    put(out, (uint64_t)writer->count, 8);
    put(out, (uint64_t)writer->count, 8);
    put(out, bytes, 8);
    put(out, begin, 8);
    put(out, TERN__ZIP_WIDE_PLACE, 4);
    put(out, 0, 4);
    put(out, begin + bytes, 8);
    put(out, 1, 4);
}

tern_status tern__zip_writer_finish(tern__zip_writer *writer) {
    uint64_t begin = writer->file->size;
    for (int64_t i = 0; i < writer->count; i++) {
        tern_status status = write_central(writer, &writer->members[i]);
        if (status != TERN_OK)
            return status;
    }
    uint64_t bytes = writer->file->size - begin;
    bool is_wide = begin >= writer->wide_from || bytes >= writer->wide_from ||
                   writer->count >= writer->wide_count;
    record end = {0};
    if (is_wide)
        put_wide_end(&end, writer, begin, bytes);
    put(&end, TERN__ZIP_END, 4);
    put(&end, 0, 4); /* parts */
    put(&end, is_wide ? TERN__ZIP_WIDE_16 : (uint64_t)writer->count, 2);
    put(&end, is_wide ? TERN__ZIP_WIDE_16 : (uint64_t)writer->count, 2);
    put(&end, is_wide ? TERN__ZIP_WIDE_32 : bytes, 4);
    put(&end, is_wide ? TERN__ZIP_WIDE_32 : begin, 4);
    put(&end, 0, 2); /* comment */
    return tern__new_file_append(writer->file, end.bytes, end.count);
}
