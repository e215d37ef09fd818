/* SPDX-License-Identifier: MIT */
#include "base/sort.h"
#include "base/status.h"
#include "format/archive_file.h"
#include "format/zip.h"
#include "format/zip_parts.h"

/* Nothing is packed tighter by deflate: a length of 258 takes at least two bits. */
enum { MOST_RATIO = 1032 };

typedef unsigned long long ull;

static uint16_t load_16(const uint8_t *at) {
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t load_32(const uint8_t *at) {
    return load_16(at) | (uint32_t)load_16(at + 2) << 16;
}

static uint64_t load_64(const uint8_t *at) {
    return load_32(at) | (uint64_t)load_32(at + 4) << 32;
}

static tern_status malformed(uint64_t at, const char *what) {
    return tern__fail(TERN_E_FORMAT, "zip: at byte %llu: %s", (ull)at, what);
}

bool tern__zip_is_mine(const uint8_t *data, uint64_t size) {
    return size >= 4 && (load_32(data) == TERN__ZIP_LOCAL || load_32(data) == TERN__ZIP_END);
}

/* -- the end -----------------------------------------------------------------------------------*/

/* Where the directory lies. */
typedef struct directory {
    uint64_t offset, bytes, count;
    uint64_t end; /* of what follows it, the first byte */
} directory;

/* The end record is found from behind: a comment of up to 65535 bytes may follow it. */
static bool find_end(const tern__zip *zip, uint64_t *at) {
    for (uint64_t comment = 0; comment <= TERN__ZIP_WIDE_16; comment++) {
        if (zip->size < TERN__ZIP_END_BYTES + comment)
            return false;
        *at = zip->size - TERN__ZIP_END_BYTES - comment;
        const uint8_t *end = zip->data + *at;
        if (load_32(end) == TERN__ZIP_END && load_16(end + 20) == comment)
            return true;
    }
    return false;
}

/* A narrow field says what the wide one says, or that it cannot. */
static bool agrees(uint64_t narrow, uint64_t unknown, uint64_t wide) {
    return narrow == wide || narrow == unknown;
}

/* The wide form of the end record, if there is one before the narrow one at `end`. */
static tern_status read_wide_end(const tern__zip *zip, uint64_t end, directory *out) {
    const uint8_t *narrow = zip->data + end, *place = narrow - TERN__ZIP_WIDE_PLACE_BYTES;
    if (end < TERN__ZIP_WIDE_END_BYTES + TERN__ZIP_WIDE_PLACE_BYTES ||
        load_32(place) != TERN__ZIP_WIDE_PLACE)
        return TERN_OK;
    uint64_t limit = end - TERN__ZIP_WIDE_PLACE_BYTES, at = load_64(place + 8);
    if (at > limit - TERN__ZIP_WIDE_END_BYTES || load_32(place + 16) != 1)
        return malformed(limit, "the wide end record is not there");
    const uint8_t *wide = zip->data + at;
    if (load_32(wide) != TERN__ZIP_WIDE_END || load_64(wide + 4) != limit - at - 12 ||
        load_32(wide + 16) != 0 || load_32(wide + 20) != 0 ||
        load_64(wide + 24) != load_64(wide + 32))
        return malformed(at, "the wide end record is malformed");
    *out = (directory){.count = load_64(wide + 32),
                       .bytes = load_64(wide + 40),
                       .offset = load_64(wide + 48),
                       .end = at};
    if (!agrees(load_16(narrow + 10), TERN__ZIP_WIDE_16, out->count) ||
        !agrees(load_32(narrow + 12), TERN__ZIP_WIDE_32, out->bytes) ||
        !agrees(load_32(narrow + 16), TERN__ZIP_WIDE_32, out->offset))
        return malformed(at, "the two end records disagree");
    return TERN_OK;
}

static tern_status read_end(const tern__zip *zip, directory *out) {
    uint64_t end;
    if (!find_end(zip, &end))
        return malformed(zip->size,
                         "there is no end record: the file is cut off or no zip archive");
    const uint8_t *narrow = zip->data + end;
    if (load_16(narrow + 4) != 0 || load_16(narrow + 6) != 0 ||
        load_16(narrow + 8) != load_16(narrow + 10))
        return tern__fail(TERN_E_UNSUPPORTED, "zip: the archive is one of several parts");
    *out = (directory){.count = load_16(narrow + 10),
                       .bytes = load_32(narrow + 12),
                       .offset = load_32(narrow + 16),
                       .end = end};
    tern_status status = read_wide_end(zip, end, out);
    if (status != TERN_OK)
        return status;
    if (out->offset > out->end || out->bytes != out->end - out->offset)
        return malformed(end, "the directory does not lie right before its end");
    if (out->count > out->bytes / TERN__ZIP_CENTRAL_BYTES)
        return malformed(end, "the directory is too small for its members");
    return TERN_OK;
}

/* -- the directory -----------------------------------------------------------------------------*/

/* Wide values for the narrow fields that say so, in the order of the format. */
static bool read_wide_fields(const uint8_t *extra, size_t bytes, tern__zip_member *member) {
    uint64_t *const fields[] = {&member->bytes, &member->packed, &member->header};
    const uint8_t *end = extra + bytes, *wide = NULL;
    size_t wide_bytes = 0;
    while (end - extra >= 4) {
        size_t length = load_16(extra + 2);
        if (length > (size_t)(end - extra) - 4)
            return false;
        if (load_16(extra) == TERN__ZIP_WIDE_EXTRA) {
            wide = extra + 4;
            wide_bytes = length;
        }
        extra += 4 + length;
    }
    for (int i = 0; i < 3; i++) {
        if (*fields[i] != TERN__ZIP_WIDE_32 || wide == NULL)
            continue;
        if (wide_bytes < 8)
            return false;
        *fields[i] = load_64(wide);
        wide += 8;
        wide_bytes -= 8;
    }
    return true;
}

static tern_status check_features(uint64_t at, unsigned flags, unsigned method) {
    const unsigned known = TERN__ZIP_FLAG_OPTIONS | TERN__ZIP_FLAG_LATER | TERN__ZIP_FLAG_UTF8;
    if ((flags & ~known) != 0)
        return tern__fail(TERN_E_UNSUPPORTED, "zip: at byte %llu: a member with flags 0x%x%s",
                          (ull)at, flags, (flags & 1u) != 0 ? " (encrypted)" : "");
    if (method != TERN__ZIP_STORED && method != TERN__ZIP_DEFLATED)
        return tern__fail(TERN_E_UNSUPPORTED,
                          "zip: at byte %llu: a member is packed by method %u, known are stored "
                          "(0) and deflated (8)",
                          (ull)at, method);
    return TERN_OK;
}

/* The local header must be there and agree with the directory's record. */
static tern_status check_local(const tern__zip *zip, const uint8_t *central, uint64_t limit,
                               tern__zip_member *member) {
    uint64_t end;
    if (member->header > limit || limit - member->header < TERN__ZIP_LOCAL_BYTES)
        return malformed(member->header, "a member lies behind the directory");
    const uint8_t *local = zip->data + member->header;
    if (load_32(local) != TERN__ZIP_LOCAL || load_16(local + 6) != load_16(central + 8) ||
        load_16(local + 8) != load_16(central + 10) || load_16(local + 26) != member->name.length)
        return malformed(member->header, "a local header disagrees with the directory");
    member->data =
        member->header + TERN__ZIP_LOCAL_BYTES + load_16(local + 26) + load_16(local + 28);
    if (!tern__add_u64(member->data, member->packed, &end) || end > limit)
        return malformed(member->header, "a member reaches into the directory");
    if (memcmp(local + TERN__ZIP_LOCAL_BYTES, member->name.bytes, member->name.length) != 0)
        return malformed(member->header, "a local header has another name than the directory");
    bool is_later = (load_16(local + 6) & TERN__ZIP_FLAG_LATER) != 0;
    if (!is_later && (load_32(local + 14) != member->checksum ||
                      !agrees(load_32(local + 18), TERN__ZIP_WIDE_32, member->packed) ||
                      !agrees(load_32(local + 22), TERN__ZIP_WIDE_32, member->bytes)))
        return malformed(member->header, "a local header disagrees with the directory");
    return TERN_OK;
}

/* The record at *at, which moves behind it. */
static tern_status read_member(const tern__zip *zip, const directory *where, uint64_t *at,
                               tern__zip_member *member) {
    const uint8_t *central = zip->data + *at;
    uint64_t left = where->end - *at;
    if (left < TERN__ZIP_CENTRAL_BYTES || load_32(central) != TERN__ZIP_CENTRAL)
        return malformed(*at, "a member's record is not there");
    size_t name = load_16(central + 28), extra = load_16(central + 30);
    size_t all = TERN__ZIP_CENTRAL_BYTES + name + extra + load_16(central + 32);
    if (left < all)
        return malformed(*at, "a member's record does not fit the directory");
    tern_status status = check_features(*at, load_16(central + 8), load_16(central + 10));
    if (status != TERN_OK)
        return status;
    const char *name_bytes = (const char *)central + TERN__ZIP_CENTRAL_BYTES;
    *member = (tern__zip_member){.name = {name_bytes, name},
                                 .header = load_32(central + 42),
                                 .packed = load_32(central + 20),
                                 .bytes = load_32(central + 24),
                                 .checksum = load_32(central + 16),
                                 .is_deflated = load_16(central + 10) == TERN__ZIP_DEFLATED};
    if (!read_wide_fields(central + TERN__ZIP_CENTRAL_BYTES + name, extra, member))
        return malformed(*at, "a member's extra fields are malformed");
    if (!tern__is_utf8(name_bytes, name) || memchr(name_bytes, 0, name) != NULL)
        return malformed(*at, "a member's name is not UTF-8");
    if (member->is_deflated ? member->bytes / MOST_RATIO > member->packed
                            : member->bytes != member->packed)
        return malformed(*at, "a member's two sizes do not fit together");
    *at += all;
    return check_local(zip, central, where->offset, member);
}

static int compare_places(const void *members, int32_t a, int32_t b) {
    const tern__zip_member *all = members;
    return (all[a].header > all[b].header) - (all[a].header < all[b].header);
}

static tern_status check_overlaps(const tern__zip *zip) {
    int32_t *order = tern__archive_alloc((uint64_t)zip->count, sizeof *order);
    if (order == NULL)
        return TERN_E_MEMORY;
    for (int64_t i = 0; i < zip->count; i++)
        order[i] = (int32_t)i;
    tern__sort_ids(order, zip->count, compare_places, zip->members);
    tern_status status = TERN_OK;
    for (int64_t i = 1; i < zip->count && status == TERN_OK; i++) {
        const tern__zip_member *last = &zip->members[order[i - 1]], *next = &zip->members[order[i]];
        if (last->data + last->packed > next->header)
            status = malformed(next->header, "two members overlap");
    }
    tern__os()->free(order);
    return status;
}

tern_status tern__zip_open(tern__zip *zip, const uint8_t *data, uint64_t size) {
    *zip = (tern__zip){.data = data, .size = size};
    directory where = {0};
    tern_status status = read_end(zip, &where);
    if (status != TERN_OK)
        return status;
    if (where.count > INT32_MAX)
        return tern__fail(TERN_E_LIMIT, "zip: %llu members", (ull)where.count);
    zip->members = tern__archive_alloc(where.count, sizeof *zip->members);
    if (zip->members == NULL)
        return TERN_E_MEMORY;
    uint64_t at = where.offset;
    for (; zip->count < (int64_t)where.count; zip->count++)
        TERN__TRY(read_member(zip, &where, &at, &zip->members[zip->count]));
    if (at != where.end)
        return malformed(at, "the directory has bytes behind its last member");
    status = check_overlaps(zip);
done:
    return status;
}

void tern__zip_close(tern__zip *zip) {
    if (zip->members != NULL)
        tern__os()->free(zip->members);
    *zip = (tern__zip){0};
}

/* -- bytes -------------------------------------------------------------------------------------*/

static tern_status check_sum(const tern__zip_member *member, uint32_t got) {
    if (got == member->checksum)
        return TERN_OK;
    return tern__fail(TERN_E_FORMAT, "zip: member \"%.*s\" has the checksum %08x, not %08x",
                      (int)tern__min_i64((int64_t)member->name.length, 200), member->name.bytes,
                      got, member->checksum);
}

tern_status tern__zip_check_stored(const tern__zip *zip, const tern__zip_member *member) {
    return check_sum(member, (uint32_t)crc32_z(0, zip->data + member->data, member->packed));
}

tern_status tern__zip_stream_open(tern__zip_stream *stream, const tern__zip *zip,
                                  const tern__zip_member *member) {
    *stream = (tern__zip_stream){
        .member = member, .at = zip->data + member->data, .packed_left = member->packed};
    if (!member->is_deflated)
        return TERN_OK;
    z_stream *inflater = tern__archive_alloc(1, sizeof *inflater);
    if (inflater == NULL)
        return TERN_E_MEMORY;
    inflater->zalloc = tern__zip_alloc;
    inflater->zfree = tern__zip_free;
    if (inflateInit2(inflater, -MAX_WBITS) != Z_OK) {
        tern__os()->free(inflater);
        return tern__fail(TERN_E_MEMORY, "zip: no memory to unpack");
    }
    stream->inflater = inflater;
    return TERN_OK;
}

static tern_status bad_data(const tern__zip_stream *stream, const char *what) {
    const tern__string *name = &stream->member->name;
    return tern__fail(TERN_E_FORMAT, "zip: member \"%.*s\": %s",
                      (int)tern__min_i64((int64_t)name->length, 200), name->bytes, what);
}

/* One call of inflate for up to `room` bytes, fewer than 2^31; *made of them came. */
static tern_status inflate_some(tern__zip_stream *stream, void *to, uInt room, size_t *made) {
    z_stream *z = stream->inflater;
    z->next_in = (Bytef *)(uintptr_t)stream->at;
    z->avail_in = (uInt)(stream->packed_left < INT32_MAX ? stream->packed_left : INT32_MAX);
    z->next_out = to;
    z->avail_out = room;
    uInt given = z->avail_in;
    int code = inflate(z, Z_NO_FLUSH);
    uInt taken = given - z->avail_in;
    stream->at += taken;
    stream->packed_left -= taken;
    *made = room - z->avail_out;
    stream->is_ended = code == Z_STREAM_END;
    if (code == Z_MEM_ERROR)
        return tern__fail(TERN_E_MEMORY, "zip: no memory to unpack");
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return bad_data(stream, "the packed data are malformed");
    if (taken == 0 && *made == 0 && code != Z_STREAM_END)
        return bad_data(stream, "the packed data end too early");
    return TERN_OK;
}

tern_status tern__zip_stream_read(tern__zip_stream *stream, void *destination, size_t bytes) {
    uint8_t *to = destination;
    while (bytes > 0) {
        size_t made = bytes < INT32_MAX ? bytes : INT32_MAX;
        if (stream->is_ended || (stream->inflater == NULL && stream->packed_left < made))
            return bad_data(stream, "the data end too early");
        if (stream->inflater != NULL) {
            tern_status status = inflate_some(stream, to, (uInt)made, &made);
            if (status != TERN_OK)
                return status;
        } else {
            memcpy(to, stream->at, made);
            stream->at += made;
            stream->packed_left -= made;
        }
        stream->checksum = (uint32_t)crc32_z(stream->checksum, to, made);
        to += made;
        bytes -= made;
    }
    return TERN_OK;
}

tern_status tern__zip_stream_end(tern__zip_stream *stream) {
    uint8_t more;
    size_t made = 0;
    tern_status status = TERN_OK;
    if (stream->inflater != NULL && !stream->is_ended)
        status = inflate_some(stream, &more, 1, &made);
    if (status != TERN_OK)
        return status;
    if (made > 0 || stream->packed_left > 0 || (stream->inflater != NULL && !stream->is_ended))
        return bad_data(stream, "there are more data than the directory says");
    return check_sum(stream->member, stream->checksum);
}

void tern__zip_stream_close(tern__zip_stream *stream) {
    if (stream->inflater == NULL)
        return;
    inflateEnd(stream->inflater);
    tern__os()->free(stream->inflater);
    stream->inflater = NULL;
}
