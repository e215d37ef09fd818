/* SPDX-License-Identifier: MIT
 *
 * safetensors (github.com/huggingface/safetensors): u64 length, so many bytes of JSON, data.
 *
 *     {"__metadata__": {"key": "value"},
 *      "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
 *
 * Offsets count from the end of the header. The data of all tensors together are the rest of the
 * file, without holes or overlaps, in any order.
 */
#include <jansson.h>
#include <string.h>

#include "base/checked.h"
#include "base/new_file.h"
#include "base/os.h"
#include "base/sort.h"
#include "base/status.h"
#include "format/archive_file.h"
#include "tensor/dtype.h"
#include "tensor/elements.h"
#include "tensor/reach.h"

enum {
    START_BYTES = 8, /* the length of the header */
    MOST_HEADER_BYTES = 100000000,
    ALIGNMENT = 8, /* of a written header's end */
    NAME_SHOWN = 200,
};

static const char metadata_name[] = "__metadata__";

typedef unsigned long long ull;

/* Types that Tern has not are listed for their size; of others nothing is known. In the
 * order of the reference implementation, which writes the last ones first. */
static const struct {
    const char *name;
    int bits;
    bool is_known;
    tern_dtype dtype;
} types[] = {
    {"BOOL", 8, true, TERN_BOOL},  {"U8", 8, true, TERN_U8},    {"I8", 8, true, TERN_I8},
    {"F8_E5M2", 8, false, 0},      {"F8_E4M3", 8, false, 0},    {"F8_E8M0", 8, false, 0},
    {"I16", 16, true, TERN_I16},   {"U16", 16, false, 0},       {"F16", 16, true, TERN_F16},
    {"BF16", 16, true, TERN_BF16}, {"I32", 32, true, TERN_I32}, {"U32", 32, false, 0},
    {"F32", 32, true, TERN_F32},   {"C64", 64, false, 0},       {"F64", 64, true, TERN_F64},
    {"I64", 64, true, TERN_I64},   {"U64", 64, false, 0},
};
enum { TYPES = sizeof types / sizeof types[0] };

/* -- reading: the header -----------------------------------------------------------------------*/

static uint64_t load_length(const uint8_t *data) {
    uint64_t length = 0;
    for (int i = 0; i < START_BYTES; i++)
        length |= (uint64_t)data[i] << 8 * i;
    return length;
}

static bool is_safetensors(const uint8_t *data, uint64_t size) {
    /* The number of tensors of a GGUF file may look like a brace. */
    return size > START_BYTES && data[START_BYTES] == '{' && memcmp(data, "GGUF", 4) != 0;
}

static tern_status malformed(const char *name, const char *what) {
    return tern__fail(TERN_E_FORMAT, "safetensors: tensor \"%.*s\": %s", NAME_SHOWN, name, what);
}

static tern_status read_dims(const char *name, const json_t *list, tern_shape *shape) {
    if (!json_is_array(list))
        return malformed(name, "there is no shape");
    size_t rank = json_array_size(list);
    if (rank > TERN_MAX_RANK)
        return tern__fail(TERN_E_UNSUPPORTED,
                          "safetensors: tensor \"%.*s\" has %zu dimensions, %d are the most",
                          NAME_SHOWN, name, rank, TERN_MAX_RANK);
    shape->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(list, i);
        shape->dims[i] = json_integer_value(dim);
        if (!json_is_integer(dim) || shape->dims[i] < 0)
            return malformed(name, "a dimension is no number");
    }
    return TERN_OK;
}

static tern_status read_place(const char *name, const json_t *list, tern__entry *entry) {
    const json_t *begin = json_array_get(list, 0), *end = json_array_get(list, 1);
    if (json_array_size(list) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(begin) > json_integer_value(end))
        return malformed(name, "data_offsets are no two numbers, begin and end");
    entry->offset = (uint64_t)json_integer_value(begin);
    entry->bytes = (uint64_t)json_integer_value(end) - entry->offset;
    return TERN_OK;
}

static tern_status check_bytes(const char *name, const tern__entry *entry, int bits) {
    int64_t total = bits / 8;
    bool fits = true;
    for (int i = 0; i < entry->shape.rank && fits; i++)
        fits = tern__mul_i64(total, entry->shape.dims[i], &total);
    if (!fits)
        return malformed(name, "the shape has too many elements");
    if ((uint64_t)total == entry->bytes)
        return TERN_OK;
    return tern__fail(TERN_E_FORMAT,
                      "safetensors: tensor \"%.*s\": its shape takes %lld bytes, data_offsets have "
                      "%llu",
                      NAME_SHOWN, name, (long long)total, (ull)entry->bytes);
}

static tern_status read_entry(const char *name, const json_t *facts, tern__entry *entry) {
    const json_t *type = json_object_get(facts, "dtype");
    if (!json_is_object(facts) || json_object_size(facts) != 3 || !json_is_string(type))
        return malformed(name, "it is not described by dtype, shape and data_offsets");
    entry->name = (tern__string){name, strlen(name)};
    entry->type = json_string_value(type);
    tern_status status;
    TERN__TRY(read_dims(name, json_object_get(facts, "shape"), &entry->shape));
    TERN__TRY(read_place(name, json_object_get(facts, "data_offsets"), entry));
    for (int i = 0; i < TYPES; i++) {
        if (strcmp(types[i].name, entry->type) != 0)
            continue;
        entry->is_known = types[i].is_known;
        entry->dtype = types[i].dtype;
        return check_bytes(name, entry, types[i].bits);
    }
done:
    return status;
}

static tern_status read_metadata(tern_archive *archive, json_t *object) {
    if (!json_is_object(object))
        return tern__fail(TERN_E_FORMAT, "safetensors: %s is no object", metadata_name);
    archive->metadata = tern__archive_alloc(json_object_size(object), sizeof *archive->metadata);
    if (archive->metadata == NULL)
        return TERN_E_MEMORY;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (!json_is_string(value))
            return tern__fail(TERN_E_FORMAT, "safetensors: the metadata \"%.*s\" are no text",
                              NAME_SHOWN, key);
        archive->metadata[archive->metadata_count++] =
            (tern_metadata){key, json_string_value(value)};
    }
    return TERN_OK;
}

static tern_status read_entries(tern_archive *archive, json_t *header) {
    json_t *metadata = json_object_get(header, metadata_name), *facts;
    const char *name;
    int64_t i = 0;
    archive->count = (int64_t)json_object_size(header) - (metadata != NULL);
    tern_status status;
    TERN__TRY(tern__archive_make_table(archive));
    if (metadata != NULL)
        TERN__TRY(read_metadata(archive, metadata));
    json_object_foreach(header, name, facts) {
        if (facts == metadata)
            continue;
        TERN__TRY(read_entry(name, facts, &archive->entries[i]));
        TERN__TRY(tern__archive_add_name(archive, i++));
    }
done:
    return status;
}

/* -- reading: the data -------------------------------------------------------------------------*/

/* An empty tensor comes before what begins where it lies. */
static int compare_places(const void *entries, int32_t a, int32_t b) {
    const tern__entry *x = (const tern__entry *)entries + a, *y = (const tern__entry *)entries + b;
    if (x->offset != y->offset)
        return x->offset > y->offset ? 1 : -1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Each tensor begins where the one before ends, the last ends with the file. Offsets become those
 * from the start of the file. */
static tern_status place_data(tern_archive *archive, uint64_t begin) {
    if (archive->count > INT32_MAX)
        return tern__fail(TERN_E_LIMIT, "safetensors: %lld tensors", (long long)archive->count);
    int32_t *order = tern__archive_alloc((uint64_t)archive->count, sizeof *order);
    if (order == NULL)
        return TERN_E_MEMORY;
    for (int64_t i = 0; i < archive->count; i++)
        order[i] = (int32_t)i;
    tern__sort_ids(order, archive->count, compare_places, archive->entries);
    tern_status status = TERN_OK;
    uint64_t end = begin;
    for (int64_t i = 0; i < archive->count && status == TERN_OK; i++) {
        tern__entry *entry = &archive->entries[order[i]];
        if (entry->offset != end - begin)
            status = malformed(entry->name.bytes, entry->offset > end - begin
                                                      ? "there is a hole before its data"
                                                      : "its data overlap those of another");
        else if (entry->bytes > archive->size - end)
            status = malformed(entry->name.bytes, "its data reach beyond the end of the file");
        entry->offset = end;
        end += entry->bytes;
    }
    if (status == TERN_OK && end != archive->size)
        status = tern__fail(TERN_E_FORMAT, "safetensors: %llu bytes behind the last tensor",
                            (ull)(archive->size - end));
    tern__os()->free(order);
    return status;
}

static tern_status open_safetensors(tern_archive *archive) {
    uint64_t length = load_length(archive->data);
    if (length > MOST_HEADER_BYTES || length > archive->size - START_BYTES)
        return tern__fail(TERN_E_FORMAT,
                          "safetensors: a header of %llu bytes; %d are allowed, the file has %llu",
                          (ull)length, MOST_HEADER_BYTES, (ull)(archive->size - START_BYTES));
    json_error_t error;
    json_t *header = archive->private = json_loadb((const char *)archive->data + START_BYTES,
                                                   length, JSON_REJECT_DUPLICATES, &error);
    if (header == NULL &&
        (error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory))
        return tern__fail(TERN_E_MEMORY, "safetensors: no memory for the header");
    if (header == NULL || !json_is_object(header))
        return tern__fail(TERN_E_FORMAT, "safetensors: the header is no JSON object: %.200s",
                          header == NULL ? error.text : "it is something else");
    tern_status status = read_entries(archive, header);
    return status == TERN_OK ? place_data(archive, START_BYTES + length) : status;
}

static void close_safetensors(tern_archive *archive) {
    json_decref(archive->private);
}

static tern_status find_in_file(const tern_archive *archive, const tern__entry *entry,
                                const void **data) {
    *data = archive->data + entry->offset;
    return TERN_OK;
}

const tern__archive_kind tern__archive_safetensors = {.name = "safetensors",
                                                      .is_mine = is_safetensors,
                                                      .open = open_safetensors,
                                                      .close = close_safetensors,
                                                      .find = find_in_file};

/* -- writing -----------------------------------------------------------------------------------*/

static int type_row(const tern_tensor *tensor) {
    int row = 0;
    while (!types[row].is_known || types[row].dtype != (tern_dtype)tensor->dtype)
        row++;
    return row;
}

/* As the reference implementation has it: the widest types first, so that all are aligned, then by
 * name. */
static int compare_written(const void *tensors, int32_t a, int32_t b) {
    const tern_named_tensor *all = tensors;
    int row_a = type_row(all[a].tensor), row_b = type_row(all[b].tensor);
    return row_a != row_b ? row_b - row_a : strcmp(all[a].name, all[b].name);
}

/* Adds what is new to `object`, whose reference it takes; false when there is no memory. */
static bool add(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

static bool add_number(json_t *list, int64_t number) {
    return json_array_append_new(list, json_integer(number)) == 0;
}

static bool describe(json_t *header, const tern_named_tensor *named, uint64_t *offset) {
    const tern_tensor *tensor = named->tensor;
    json_t *facts = json_object(), *shape = json_array(), *place = json_array();
    uint64_t end = *offset + tern_tensor_bytes(tensor);
    bool is_done = facts != NULL && shape != NULL && place != NULL;
    for (int i = 0; i < tensor->rank; i++)
        is_done = is_done && add_number(shape, tern__dims(tensor)[i]);
    is_done = is_done && add_number(place, (int64_t)*offset) && add_number(place, (int64_t)end) &&
              add(facts, "dtype", json_string(types[type_row(tensor)].name)) &&
              json_object_set(facts, "shape", shape) == 0 &&
              json_object_set(facts, "data_offsets", place) == 0 &&
              json_object_set(header, named->name, facts) == 0;
    json_decref(facts);
    json_decref(shape);
    json_decref(place);
    *offset = end;
    return is_done;
}

static bool add_metadata(json_t *header, const tern_metadata *metadata, int64_t count) {
    json_t *object = json_object();
    bool is_done = object != NULL;
    for (int64_t i = 0; i < count && is_done; i++)
        is_done = add(object, metadata[i].key, json_string(metadata[i].value));
    is_done = is_done && (count == 0 || json_object_set(header, metadata_name, object) == 0);
    json_decref(object);
    return is_done;
}

static tern_status check_metadata(const tern_named_tensor *tensors, int64_t count,
                                  const tern_metadata *metadata, int64_t metadata_count) {
    if (metadata_count < 0 || (metadata_count > 0 && metadata == NULL))
        return tern__fail(TERN_E_ARGUMENT, "safetensors: %lld metadata", (long long)metadata_count);
    for (int64_t i = 0; i < metadata_count; i++) {
        const char *key = metadata[i].key, *value = metadata[i].value;
        if (key == NULL || value == NULL || !tern__is_utf8(key, strlen(key)) ||
            !tern__is_utf8(value, strlen(value)))
            return tern__fail(TERN_E_ARGUMENT, "safetensors: metadata %lld are NULL or not UTF-8",
                              (long long)i);
        for (int64_t j = 0; j < i; j++)
            if (strcmp(metadata[j].key, key) == 0)
                return tern__fail(TERN_E_ARGUMENT, "safetensors: metadata \"%.*s\" come twice",
                                  NAME_SHOWN, key);
    }
    for (int64_t i = 0; i < count; i++)
        if (strcmp(tensors[i].name, metadata_name) == 0)
            return tern__fail(TERN_E_ARGUMENT, "safetensors: no tensor can be called %s",
                              metadata_name);
    return TERN_OK;
}

static tern_status write_header(tern__new_file *file, const json_t *header) {
    size_t bytes = json_dumpb(header, NULL, 0, JSON_COMPACT), padded;
    if (bytes == 0)
        return tern__fail(TERN_E_MEMORY, "safetensors: no memory for the header");
    padded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (padded > MOST_HEADER_BYTES)
        return tern__fail(TERN_E_LIMIT, "safetensors: the header takes %zu bytes, %d are allowed",
                          padded, MOST_HEADER_BYTES);
    char *text = tern__archive_alloc(1, START_BYTES + padded);
    if (text == NULL)
        return TERN_E_MEMORY;
    for (int i = 0; i < START_BYTES; i++)
        text[i] = (char)(padded >> 8 * i & 0xff);
    memset(text + START_BYTES, ' ', padded);
    tern_status status = TERN_OK;
    if (json_dumpb(header, text + START_BYTES, bytes, JSON_COMPACT) != bytes)
        status = tern__fail(TERN_E_MEMORY, "safetensors: no memory for the header");
    if (status == TERN_OK)
        status = tern__new_file_append(file, text, START_BYTES + padded);
    tern__os()->free(text);
    return status;
}

static tern_status write_elements(tern__new_file *file, const tern_tensor *tensor) {
    uint8_t scratch[4096];
    tern_tensor *twin = NULL;
    const void *part;
    size_t bytes;
    tern_status status;
    TERN__TRY(tern__host_twin(tensor, &twin));
    tern__elements elements = tern__elements_of(twin);
    while ((part = tern__elements_next(&elements, scratch, sizeof scratch, &bytes)) != NULL)
        TERN__TRY(tern__new_file_append(file, part, bytes));
done:
    tern_tensor_release(twin);
    return status;
}

/* The header in JSON, the caller's; NULL when there is no memory. */
static json_t *make_header(const tern_named_tensor *tensors, const int32_t *order, int64_t count,
                           const tern_metadata *metadata, int64_t metadata_count) {
    json_t *header = json_object();
    uint64_t offset = 0;
    bool is_done = header != NULL && add_metadata(header, metadata, metadata_count);
    for (int64_t i = 0; i < count && is_done; i++)
        is_done = describe(header, &tensors[order[i]], &offset);
    if (is_done)
        return header;
    json_decref(header);
    return NULL;
}

tern_status tern_safetensors_save(const char *path, const tern_named_tensor *tensors, int64_t count,
                                  const tern_metadata *metadata, int64_t metadata_count) {
    tern__new_file file = {0};
    json_t *header = NULL;
    int32_t *order = NULL;
    tern_status status;
    TERN__TRY(tern__check_named("safetensors", tensors, count));
    TERN__TRY(check_metadata(tensors, count, metadata, metadata_count));
    order = tern__archive_alloc((uint64_t)count, sizeof *order);
    if (order == NULL)
        return TERN_E_MEMORY;
    for (int64_t i = 0; i < count; i++)
        order[i] = (int32_t)i; /* fewer than 2^30: their names were indexed */
    tern__sort_ids(order, count, compare_written, tensors);
    header = make_header(tensors, order, count, metadata, metadata_count);
    if (header == NULL)
        status = tern__fail(TERN_E_MEMORY, "safetensors: no memory for the header");
    else
        status = tern__new_file_open(&file, path);
    if (status == TERN_OK)
        status = write_header(&file, header);
    for (int64_t i = 0; i < count && status == TERN_OK; i++)
        status = write_elements(&file, tensors[order[i]].tensor);
    if (status == TERN_OK)
        status = tern__new_file_publish(&file);
done:
    tern__new_file_close(&file);
    json_decref(header);
    tern__os()->free(order);
    return status;
}
