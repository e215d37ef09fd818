/* SPDX-License-Identifier: MIT */
#include "format/npy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/new_file.h"
#include "base/status.h"
#include "tensor/dtype.h"
#include "tensor/reach.h"

static const char magic[] = "\x93NUMPY";
enum { MAGIC_BYTES = sizeof magic - 1, ALIGNMENT = 64 };

/* NumPy has no BF16: ml_dtypes, which adds it, writes it as raw elements of two bytes. One-byte
 * types have no byte order, which NumPy writes as '|'. */
static const struct {
    tern_dtype dtype;
    const char *type;
} types[] = {
    {TERN_F32, "<f4"}, {TERN_F16, "<f2"}, {TERN_BF16, "<V2"}, {TERN_F64, "<f8"}, {TERN_I8, "|i1"},
    {TERN_U8, "|u1"},  {TERN_I16, "<i2"}, {TERN_I32, "<i4"},  {TERN_I64, "<i8"}, {TERN_BOOL, "|b1"},
};
enum { TYPES = sizeof types / sizeof types[0] };

/* -- the header's text -------------------------------------------------------------------------*/

/* A part of the dictionary that Python would write. */
typedef struct parser {
    const char *at, *end;
    const char *name; /* of the tensor, for errors */
} parser;

static TERN__PRINTF(2, 3) tern_status malformed(const parser *p, const char *format, ...) {
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tern__fail(TERN_E_FORMAT, "npy: tensor \"%.200s\": %s", p->name, text);
}

static void skip_blanks(parser *p) {
    while (p->at < p->end && *p->at == ' ')
        p->at++;
}

/* The character, with blanks before it. */
static bool take(parser *p, char c) {
    skip_blanks(p);
    if (p->at == p->end || *p->at != c)
        return false;
    p->at++;
    return true;
}

static bool take_word(parser *p, const char *word) {
    skip_blanks(p);
    size_t length = strlen(word);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return false;
    p->at += length;
    return true;
}

/* A string in quotes, without escapes. */
static bool take_string(parser *p, tern__string *string) {
    skip_blanks(p);
    if (p->at == p->end || (*p->at != '\'' && *p->at != '"'))
        return false;
    const char *begin = p->at + 1;
    const char *end = memchr(begin, *p->at, (size_t)(p->end - begin));
    if (end == NULL || memchr(begin, '\\', (size_t)(end - begin)) != NULL)
        return false;
    *string = (tern__string){begin, (uint64_t)(end - begin)};
    p->at = end + 1;
    return true;
}

static bool is_string(tern__string string, const char *text) {
    return string.length == strlen(text) && memcmp(string.bytes, text, string.length) == 0;
}

static tern_status take_number(parser *p, int64_t *number) {
    const char *begin = p->at;
    *number = 0;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
        if (!tern__mul_i64(*number, 10, number) ||
            __builtin_add_overflow(*number, *p->at - '0', number))
            return malformed(p, "a dimension is too large");
    return p->at > begin ? TERN_OK : malformed(p, "a dimension is no number");
}

/* (), (2,), (2, 3), (2, 3,) */
static tern_status take_shape(parser *p, tern_shape *shape) {
    shape->rank = 0;
    if (!take(p, '('))
        return malformed(p, "the shape is no tuple");
    for (bool has_comma = true; !take(p, ')');) {
        if (!has_comma)
            return malformed(p, "a comma is missing in the shape");
        if (shape->rank == TERN_MAX_RANK)
            return tern__fail(TERN_E_UNSUPPORTED,
                              "npy: tensor \"%.200s\" has more than %d dimensions", p->name,
                              TERN_MAX_RANK);
        tern_status status = take_number(p, &shape->dims[shape->rank++]);
        if (status != TERN_OK)
            return status;
        has_comma = take(p, ',');
        if (!has_comma && shape->rank == 1)
            return malformed(p, "the shape is no tuple");
    }
    return TERN_OK;
}

static void find_type(tern__string text, tern__entry *entry) {
    for (int i = 0; i < TYPES && !entry->is_known; i++) {
        const char *type = types[i].type;
        /* '<' is right, if needless, for one byte too. */
        entry->is_known = text.length == 3 && memcmp(text.bytes + 1, type + 1, 2) == 0 &&
                          (text.bytes[0] == type[0] || (type[0] == '|' && text.bytes[0] == '<'));
        entry->dtype = types[i].dtype;
    }
}

/* A string, or the list that describes a record, which is kept as it is written. */
static tern_status take_type(parser *p, char type[TERN__NPY_TYPE_BYTES], tern__entry *entry) {
    tern__string text;
    if (!take_string(p, &text)) {
        if (!take(p, '['))
            return malformed(p, "the type is neither a string nor a list");
        int depth = 1;
        text.bytes = p->at - 1;
        for (; p->at < p->end && depth > 0; p->at++)
            depth += (*p->at == '[') - (*p->at == ']');
        if (depth > 0)
            return malformed(p, "the list of the type does not end");
        text.length = (uint64_t)(p->at - text.bytes);
    }
    find_type(text, entry);
    snprintf(type, TERN__NPY_TYPE_BYTES, "%.*s",
             (int)tern__min_i64((int64_t)text.length, TERN__NPY_TYPE_BYTES - 1), text.bytes);
    return TERN_OK;
}

enum { SEEN_TYPE = 1, SEEN_ORDER = 2, SEEN_SHAPE = 4, SEEN_ALL = 7 };

static tern_status take_value(parser *p, tern__string key, unsigned *seen,
                              char type[TERN__NPY_TYPE_BYTES], tern__entry *entry) {
    unsigned bit = is_string(key, "descr")           ? SEEN_TYPE
                   : is_string(key, "fortran_order") ? SEEN_ORDER
                   : is_string(key, "shape")         ? SEEN_SHAPE
                                                     : 0;
    if (bit == 0 || (*seen & bit) != 0)
        return malformed(p, "the key '%.*s' is %s", (int)tern__min_i64((int64_t)key.length, 40),
                         key.bytes, bit == 0 ? "unknown" : "there twice");
    *seen |= bit;
    if (bit == SEEN_TYPE)
        return take_type(p, type, entry);
    if (bit == SEEN_SHAPE)
        return take_shape(p, &entry->shape);
    entry->is_fortran = take_word(p, "True");
    if (!entry->is_fortran && !take_word(p, "False"))
        return malformed(p, "fortran_order is neither True nor False");
    return TERN_OK;
}

static tern_status take_header(parser *p, char type[TERN__NPY_TYPE_BYTES], tern__entry *entry) {
    unsigned seen = 0;
    tern__string key;
    if (!take(p, '{'))
        return malformed(p, "the header is no dictionary");
    for (bool has_comma = true; !take(p, '}'); has_comma = take(p, ',')) {
        if (!has_comma || !take_string(p, &key) || !take(p, ':'))
            return malformed(p, "the header is no dictionary");
        tern_status status = take_value(p, key, &seen, type, entry);
        if (status != TERN_OK)
            return status;
    }
    if (seen != SEEN_ALL)
        return malformed(p, "the header lacks the %s",
                         (seen & SEEN_TYPE) == 0    ? "type"
                         : (seen & SEEN_ORDER) == 0 ? "order"
                                                    : "shape");
    skip_blanks(p);
    if (p->end - p->at != 1 || *p->at != '\n')
        return malformed(p, "the header does not end with a line end");
    return TERN_OK;
}

/* -- the header --------------------------------------------------------------------------------*/

/* Of magic, version and length. */
static size_t start_bytes(const uint8_t *header) {
    return header[MAGIC_BYTES] == 1 ? 10 : 12;
}

tern_status tern__npy_header_bytes(const char *name, const uint8_t *start, size_t *bytes) {
    const parser p = {.name = name};
    if (memcmp(start, magic, MAGIC_BYTES) != 0)
        return malformed(&p, "it is no array of NumPy");
    unsigned major = start[MAGIC_BYTES], minor = start[MAGIC_BYTES + 1];
    if (major < 1 || major > 3 || minor != 0)
        return tern__fail(TERN_E_UNSUPPORTED, "npy: tensor \"%.200s\" has version %u.%u", name,
                          major, minor);
    size_t length = start[8] | (size_t)start[9] << 8;
    if (major > 1)
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    *bytes = start_bytes(start) + length;
    if (*bytes > TERN__NPY_MOST_BYTES || *bytes < TERN__NPY_START)
        return malformed(&p, "a header of %zu bytes", *bytes);
    return TERN_OK;
}

tern_status tern__npy_read_header(const uint8_t *header, size_t bytes,
                                  char type[TERN__NPY_TYPE_BYTES], tern__entry *entry) {
    const char *text = (const char *)header;
    parser p = {text + start_bytes(header), text + bytes, entry->name.bytes};
    entry->is_known = false;
    tern_status status = take_header(&p, type, entry);
    if (status != TERN_OK || !entry->is_known)
        return status;
    int64_t total = tern__dtype(entry->dtype)->block_bytes;
    for (int i = 0; i < entry->shape.rank; i++)
        if (!tern__mul_i64(total, entry->shape.dims[i], &total))
            return malformed(&p, "the shape has too many elements");
    entry->bytes = (uint64_t)total;
    return TERN_OK;
}

/* Each axis steps by all the ones before it, and that is not row-major order too. */
static bool is_fortran(const tern_tensor *tensor) {
    int64_t expected = 1;
    for (int i = 0; i < tensor->rank; i++) {
        if (tern__dims(tensor)[i] != 1 && tern__strides(tensor)[i] != expected)
            return false;
        expected *= tern__dims(tensor)[i];
    }
    return !tern_tensor_is_contiguous(tensor);
}

tern__elements tern__npy_elements(const tern_tensor *tensor) {
    tern__elements elements = tern__elements_of(tensor);
    elements.is_contiguous |= is_fortran(tensor);
    return elements;
}

void tern__npy_make_header(const tern_tensor *tensor, char header[TERN__NPY_WRITTEN_BYTES],
                           size_t *bytes) {
    enum { START = 10, GROWTH_DIGITS = 21 };
    const size_t size = TERN__NPY_WRITTEN_BYTES;
    bool is_reversed = is_fortran(tensor);
    int row = 0, rank = tensor->rank;
    while (types[row].dtype != (tern_dtype)tensor->dtype)
        row++;
    size_t used = START + (size_t)snprintf(header + START, size - START,
                                           "{'descr': '%s', 'fortran_order': %s, 'shape': (",
                                           types[row].type, is_reversed ? "True" : "False");
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(header + used, size - used, i > 0 ? ", %lld" : "%lld",
                                 (long long)tern__dims(tensor)[i]);
    used += (size_t)snprintf(header + used, size - used, rank == 1 ? ",), }" : "), }");
    size_t end = used;
    if (rank > 0) { /* as NumPy leaves room for the slowest axis to grow in place */
        int64_t slowest = tern__dims(tensor)[is_reversed ? rank - 1 : 0];
        end += (size_t)(GROWTH_DIGITS - snprintf(NULL, 0, "%lld", (long long)slowest));
    }
    end += 1 + ALIGNMENT - (end + 1) % ALIGNMENT;
    memset(header + used, ' ', end - used);
    header[end - 1] = '\n';
    memcpy(header, magic, MAGIC_BYTES);
    header[6] = 1;
    header[7] = 0;
    header[8] = (char)((end - START) & 0xff);
    header[9] = (char)((end - START) >> 8);
    *bytes = end;
}

/* -- files of one array ------------------------------------------------------------------------*/

static bool is_npy(const uint8_t *data, uint64_t size) {
    return size >= MAGIC_BYTES && memcmp(data, magic, MAGIC_BYTES) == 0;
}

static tern_status open_npy(tern_archive *archive) {
    static const char name[] = "arr_0";
    size_t header;
    tern_status status;
    archive->count = 1;
    TERN__TRY(tern__archive_make_table(archive));
    tern__entry *entry = archive->entries;
    entry->name = (tern__string){name, sizeof name - 1};
    entry->type = archive->texts = tern__archive_alloc(1, TERN__NPY_TYPE_BYTES);
    if (archive->texts == NULL)
        return TERN_E_MEMORY;
    TERN__TRY(tern__archive_add_name(archive, 0));
    if (archive->size < TERN__NPY_START)
        return tern__fail(TERN_E_FORMAT, "npy: the file has %llu bytes",
                          (unsigned long long)archive->size);
    TERN__TRY(tern__npy_header_bytes(name, archive->data, &header));
    if (header > archive->size)
        return tern__fail(TERN_E_FORMAT, "npy: a header of %zu bytes, the file has %llu", header,
                          (unsigned long long)archive->size);
    TERN__TRY(tern__npy_read_header(archive->data, header, archive->texts, entry));
    entry->offset = header;
    if (!entry->is_known)
        entry->bytes = archive->size - header;
    if (entry->bytes != archive->size - header)
        status = tern__fail(TERN_E_FORMAT, "npy: the elements take %llu bytes, the file has %llu",
                            (unsigned long long)entry->bytes,
                            (unsigned long long)(archive->size - header));
done:
    return status;
}

static tern_status find_in_file(const tern_archive *archive, const tern__entry *entry,
                                const void **data) {
    *data = archive->data + entry->offset;
    return TERN_OK;
}

const tern__archive_kind tern__archive_npy = {
    .name = "npy", .is_mine = is_npy, .open = open_npy, .find = find_in_file};

tern_status tern_npy_load(tern_context *context, const char *path, tern_tensor **out) {
    *out = NULL;
    tern_archive *archive;
    tern_status status = tern_archive_open(path, &archive);
    if (status != TERN_OK)
        return status;
    if (archive->kind == &tern__archive_npy)
        status = tern_archive_tensor(context, archive, archive->entries[0].name.bytes, out);
    else
        status = tern__fail(TERN_E_FORMAT, "\"%.300s\" is a %s file, not .npy", path,
                            archive->kind->name);
    tern_archive_close(archive);
    return status;
}

tern_status tern_npy_save(const char *path, tern_tensor *tensor) {
    char header[TERN__NPY_WRITTEN_BYTES];
    uint8_t scratch[4096];
    size_t bytes;
    tern_tensor *twin = NULL;
    tern__new_file file;
    tern_status status = tern__check_named("npy", &(tern_named_tensor){"arr_0", tensor}, 1);
    if (status == TERN_OK)
        status = tern__new_file_open(&file, path);
    if (status != TERN_OK)
        return status;
    tern__npy_make_header(tensor, header, &bytes);
    TERN__TRY(tern__new_file_append(&file, header, bytes));
    TERN__TRY(tern__host_twin(tensor, &twin));
    tern__elements elements = tern__npy_elements(twin);
    const void *part;
    while ((part = tern__elements_next(&elements, scratch, sizeof scratch, &bytes)) != NULL)
        TERN__TRY(tern__new_file_append(&file, part, bytes));
    status = tern__new_file_publish(&file);
done:
    tern_tensor_release(twin);
    tern__new_file_close(&file);
    return status;
}
