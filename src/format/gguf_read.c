/* SPDX-License-Identifier: MIT
 *
 * The bounded reader. A file is header, keys, tensor descriptions, padding, tensor data:
 *
 *     "GGUF" u32 version, u64 tensors, u64 keys
 *     key:    string name, u32 type, value       string: u64 length, bytes
 *     tensor: string name, u32 rank, u64 dims[rank] (fastest first), u32 type, u64 offset
 *
 * Every byte is fetched by take(), which knows how many are left; every count is compared with the
 * bytes left before anything is allocated for it. What passes needs no further check.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/sort.h"
#include "base/utf8.h"
#include "format/gguf_file.h"
#include "tensor/dtype.h"

#define DEFAULT_ALIGNMENT 32
#define MIN_ALIGNMENT     8 /* the format: a multiple of 8 */
#define MAX_ALIGNMENT     65536

#define MAX_RANK              4
#define MAX_KEY_NAME_BYTES    65535
#define MAX_TENSOR_NAME_BYTES 64

/* The shortest possible records: a name of one byte, a value of one byte, one dimension. */
#define MIN_KEY_BYTES    (8 + 1 + 4 + 1)
#define MIN_TENSOR_BYTES (8 + 1 + 4 + 8 + 4 + 8)

typedef unsigned long long ull; /* what printf calls a uint64_t on every system */

/* Tensor types by id. `is_known` ones can be loaded, the others are named for the reader. Ids that
 * projects use for different types (38, 39) have no name. */
typedef struct tensor_type {
    const char *name;
    bool is_known;
    tern_dtype dtype;
} tensor_type;

static const tensor_type tensor_types[] = {
    [0] = {"F32", true, TERN_F32},        [1] = {"F16", true, TERN_F16},
    [2] = {.name = "Q4_0 (type 2)"},      [3] = {.name = "Q4_1 (type 3)"},
    [6] = {.name = "Q5_0 (type 6)"},      [7] = {.name = "Q5_1 (type 7)"},
    [8] = {"Q8_0", true, TERN_Q8_0},      [9] = {.name = "Q8_1 (type 9)"},
    [10] = {.name = "Q2_K (type 10)"},    [11] = {.name = "Q3_K (type 11)"},
    [12] = {.name = "Q4_K (type 12)"},    [13] = {.name = "Q5_K (type 13)"},
    [14] = {.name = "Q6_K (type 14)"},    [15] = {.name = "Q8_K (type 15)"},
    [16] = {.name = "IQ2_XXS (type 16)"}, [17] = {.name = "IQ2_XS (type 17)"},
    [18] = {.name = "IQ3_XXS (type 18)"}, [19] = {.name = "IQ1_S (type 19)"},
    [20] = {.name = "IQ4_NL (type 20)"},  [21] = {.name = "IQ3_S (type 21)"},
    [22] = {.name = "IQ2_S (type 22)"},   [23] = {.name = "IQ4_XS (type 23)"},
    [24] = {.name = "I8 (type 24)"},      [25] = {.name = "I16 (type 25)"},
    [26] = {.name = "I32 (type 26)"},     [27] = {.name = "I64 (type 27)"},
    [28] = {.name = "F64 (type 28)"},     [29] = {.name = "IQ1_M (type 29)"},
    [30] = {"BF16", true, TERN_BF16},     [34] = {"TQ1_0", true, TERN_TQ1_0},
    [35] = {"TQ2_0", true, TERN_TQ2_0},   [36] = {"I2_S", true, TERN_I2_S},
    [40] = {.name = "NVFP4 (type 40)"},   [41] = {.name = "Q1_0 (type 41)"},
    [42] = {.name = "Q2_0 (type 42)"},
};

#define TYPE_NAME_BYTES 16 /* "type 4294967295" */

static tensor_type tensor_type_of(uint32_t id) {
    if (id < sizeof tensor_types / sizeof tensor_types[0])
        return tensor_types[id];
    return (tensor_type){0};
}

/* -- the bounded reader ------------------------------------------------------------------------*/

typedef struct reader {
    const uint8_t *data;
    uint64_t size, at; /* at <= size, always */
    tern__gguf_record record;
} reader;

/* The next `bytes` bytes; NULL, with the error set (TERN_E_FORMAT), if there are not so many. */
static const uint8_t *take(reader *in, const char *field, uint64_t bytes) {
    uint64_t left = in->size - in->at;
    if (TERN__UNLIKELY(bytes > left)) {
        tern__gguf_fail(TERN_E_FORMAT, &in->record, in->at,
                        "%s takes %llu bytes, the file has %llu left", field, (ull)bytes,
                        (ull)left);
        return NULL;
    }
    const uint8_t *taken = in->data + in->at;
    in->at += bytes;
    return taken;
}

static tern_status take_u32(reader *in, const char *field, uint32_t *out) {
    const uint8_t *bytes = take(in, field, 4);
    if (bytes == NULL)
        return TERN_E_FORMAT;
    *out = tern__gguf_load_u32(bytes);
    return TERN_OK;
}

static tern_status take_u64(reader *in, const char *field, uint64_t *out) {
    const uint8_t *bytes = take(in, field, 8);
    if (bytes == NULL)
        return TERN_E_FORMAT;
    *out = tern__gguf_load_u64(bytes);
    return TERN_OK;
}

static tern_status take_string(reader *in, const char *field, tern__gguf_string *out) {
    uint64_t length;
    if (take_u64(in, field, &length) != TERN_OK)
        return TERN_E_FORMAT;
    const uint8_t *bytes = take(in, field, length);
    if (bytes == NULL)
        return TERN_E_FORMAT;
    *out = (tern__gguf_string){(const char *)bytes, length};
    return TERN_OK;
}

/* The name that a record begins with: at most `limit` bytes of UTF-8 without control characters. */
static tern_status take_name(reader *in, uint64_t limit, tern__gguf_string *name) {
    uint64_t begin = in->at;
    tern_status status = take_string(in, "name", name);
    if (status != TERN_OK)
        return status;
    if (name->length == 0)
        return tern__gguf_fail(TERN_E_FORMAT, &in->record, begin, "the name is empty");
    if (name->length > limit)
        return tern__gguf_fail(TERN_E_FORMAT, &in->record, begin,
                               "the name has %llu bytes, at most %llu are allowed",
                               (ull)name->length, (ull)limit);
    const uint8_t *bytes = (const uint8_t *)name->bytes;
    for (uint64_t i = 0; i < name->length;) {
        uint32_t code;
        size_t length = tern__utf8(bytes + i, name->length - i, &code);
        if (length == 0 || tern__gguf_is_control(code))
            return tern__gguf_fail(TERN_E_FORMAT, &in->record, begin + 8 + i,
                                   length == 0 ? "the name is not UTF-8 (byte 0x%02x)"
                                               : "the name has a control character (0x%02x)",
                                   bytes[i]);
        i += length;
    }
    in->record.name = *name;
    return TERN_OK;
}

/* -- header ------------------------------------------------------------------------------------*/

static tern_status check_version(const reader *in, uint64_t at, uint32_t version) {
    if (version == 2 || version == 3)
        return TERN_OK;
    if (version != 0 && (version & 0xFFFF) == 0)
        return tern__gguf_fail(TERN_E_UNSUPPORTED, &in->record, at,
                               "version %u is byte-swapped: big-endian files are not supported",
                               version);
    return tern__gguf_fail(TERN_E_UNSUPPORTED, &in->record, at,
                           "version is %u, supported are 2 and 3", version);
}

static tern_status read_header(reader *in, tern_file *file) {
    in->record = (tern__gguf_record){.noun = "header", .index = -1};
    uint64_t at = in->at;
    tern_status status;
    TERN__TRY(take_u32(in, "version", &file->version));
    TERN__TRY(check_version(in, at, file->version));
    at = in->at;
    TERN__TRY(take_u64(in, "tensor count", &file->tensor_count));
    TERN__TRY(take_u64(in, "key count", &file->key_count));
    uint64_t left = in->size - in->at;
    if (file->key_count > left / MIN_KEY_BYTES)
        return tern__gguf_fail(TERN_E_FORMAT, &in->record, at + 8,
                               "%llu keys do not fit the %llu bytes left", (ull)file->key_count,
                               (ull)left);
    if (file->tensor_count > (left - file->key_count * MIN_KEY_BYTES) / MIN_TENSOR_BYTES)
        return tern__gguf_fail(TERN_E_FORMAT, &in->record, at,
                               "%llu tensors do not fit the %llu bytes left",
                               (ull)file->tensor_count, (ull)left);
done:
    return status;
}

/* -- keys --------------------------------------------------------------------------------------*/

/* Takes `count` bools or numbers; their bytes do not overflow. */
static tern_status take_numbers(reader *in, uint32_t type, uint64_t count) {
    uint64_t at = in->at;
    const uint8_t *bools = take(in, "value", count * tern__gguf_value_types[type].bytes);
    if (bools == NULL)
        return TERN_E_FORMAT;
    if (type != TERN__GGUF_BOOL)
        return TERN_OK;
    for (uint64_t i = 0; i < count; i++)
        if (bools[i] > 1)
            return tern__gguf_fail(TERN_E_FORMAT, &in->record, at + i, "a bool is %u, not 0 or 1",
                                   bools[i]);
    return TERN_OK;
}

static tern_status check_type(const reader *in, const char *field, uint64_t at, uint32_t type) {
    if (type < TERN__GGUF_TYPES)
        return TERN_OK;
    return tern__gguf_fail(TERN_E_FORMAT, &in->record, at, "%s is %u, known are 0 to %d", field,
                           type, TERN__GGUF_TYPES - 1);
}

static tern_status check_array(reader *in) {
    uint64_t at = in->at, count;
    uint32_t type;
    tern_status status;
    TERN__TRY(take_u32(in, "element type", &type));
    TERN__TRY(check_type(in, "element type", at, type));
    if (type == TERN__GGUF_ARRAY)
        return tern__gguf_fail(TERN_E_UNSUPPORTED, &in->record, at,
                               "arrays of arrays are not supported");
    at = in->at;
    TERN__TRY(take_u64(in, "array count", &count));
    uint64_t minimum = type == TERN__GGUF_STRING ? 8 : tern__gguf_value_types[type].bytes;
    if (count > (in->size - in->at) / minimum)
        return tern__gguf_fail(TERN_E_FORMAT, &in->record, at,
                               "array of %llu %s, the file has %llu bytes left", (ull)count,
                               tern__gguf_value_types[type].plural, (ull)(in->size - in->at));
    if (type == TERN__GGUF_STRING) {
        tern__gguf_string string;
        for (uint64_t i = 0; i < count; i++)
            TERN__TRY(take_string(in, "array element", &string));
    } else {
        status = take_numbers(in, type, count);
    }
done:
    return status;
}

static tern_status read_key(reader *in, tern__gguf_key *key) {
    tern__gguf_string string;
    tern_status status;
    TERN__TRY(take_name(in, MAX_KEY_NAME_BYTES, &key->name));
    uint64_t at = in->at;
    TERN__TRY(take_u32(in, "value type", &key->type));
    TERN__TRY(check_type(in, "value type", at, key->type));
    key->value = in->data + in->at;
    if (key->type == TERN__GGUF_ARRAY) {
        status = check_array(in);
    } else if (key->type == TERN__GGUF_STRING) {
        status = take_string(in, "value", &string);
    } else {
        status = take_numbers(in, key->type, 1);
    }
done:
    return status;
}

/* Names are compared while they still lie in the mapping, which tells where the first one is. */
static tern_status check_unique(const reader *in, tern__name_index *index, uint64_t row,
                                uint64_t at) {
    int64_t first = tern__name_index_insert(index, row);
    if (first < 0)
        return TERN_OK;
    const char *rows = index->rows;
    const tern__gguf_string *name = (const void *)(rows + (size_t)first * index->row_bytes);
    return tern__gguf_fail(TERN_E_FORMAT, &in->record, at,
                           "the name is used twice, first at byte %llu",
                           (ull)((const uint8_t *)name->bytes - 8 - in->data));
}

/* A zeroed table, the caller's. NULL, with the error set (TERN_E_MEMORY), if there is no memory. */
static void *new_table(const char *noun, uint64_t count, size_t row_bytes) {
    size_t bytes;
    void *table = NULL;
    if (tern__mul_size(count > 0 ? (size_t)count : 1, row_bytes, &bytes))
        table = tern__os()->alloc(bytes);
    if (table == NULL)
        tern__fail(TERN_E_MEMORY, "gguf: no memory for a table of %llu %s", (ull)count, noun);
    return table;
}

static tern_status read_keys(reader *in, tern_file *file) {
    tern_status status;
    file->keys = new_table("keys", file->key_count, sizeof *file->keys);
    if (file->keys == NULL)
        return TERN_E_MEMORY;
    TERN__TRY(
        tern__name_index_init(&file->key_index, file->keys, sizeof *file->keys, file->key_count));
    for (uint64_t i = 0; i < file->key_count; i++) {
        uint64_t at = in->at;
        in->record = (tern__gguf_record){.noun = "key", .index = (int64_t)i};
        TERN__TRY(read_key(in, &file->keys[i]));
        TERN__TRY(check_unique(in, &file->key_index, i, at));
    }
done:
    return status;
}

static tern_status read_alignment(const tern_file *file, uint64_t *alignment) {
    static const char name[] = "general.alignment";
    bool found;
    *alignment = DEFAULT_ALIGNMENT;
    tern_status status = tern__gguf_u64(file, name, alignment, &found);
    if (status != TERN_OK || !found)
        return status;
    if (*alignment >= MIN_ALIGNMENT && *alignment <= MAX_ALIGNMENT &&
        (*alignment & (*alignment - 1)) == 0)
        return TERN_OK;
    const tern__gguf_string key_name = {name, sizeof name - 1};
    int64_t row = tern__name_index_find(&file->key_index, key_name);
    return tern__gguf_fail(TERN_E_FORMAT, &(tern__gguf_record){"key", row, key_name},
                           (uint64_t)(file->keys[row].value - file->data),
                           "%llu is not a power of two from %d to %d", (ull)*alignment,
                           MIN_ALIGNMENT, MAX_ALIGNMENT);
}

/* -- tensors -----------------------------------------------------------------------------------*/

static tern_status read_shape(reader *in, tern_shape *shape) {
    uint64_t at = in->at, size;
    uint32_t rank;
    int64_t count = 1;
    tern_status status;
    TERN__TRY(take_u32(in, "rank", &rank));
    if (rank < 1 || rank > MAX_RANK)
        return tern__gguf_fail(TERN_E_FORMAT, &in->record, at, "rank is %u, allowed are 1 to %d",
                               rank, MAX_RANK);
    shape->rank = (int)rank;
    for (uint32_t i = 0; i < rank; i++) {
        at = in->at;
        TERN__TRY(take_u64(in, "dimension", &size));
        if (size == 0)
            return tern__gguf_fail(TERN_E_FORMAT, &in->record, at, "dimension %u is 0", i);
        if (size > INT64_MAX || !tern__mul_i64(count, (int64_t)size, &count))
            return tern__gguf_fail(TERN_E_FORMAT, &in->record, at,
                                   "dimension %u is %llu: too many elements", i, (ull)size);
        shape->dims[rank - 1 - i] = (int64_t)size;
    }
done:
    return status;
}

/* `tensor->offset` is left relative to the data section, which begins behind the last record. */
static tern_status read_tensor(reader *in, uint64_t alignment, tern__gguf_tensor *tensor) {
    tern_status status;
    TERN__TRY(take_name(in, MAX_TENSOR_NAME_BYTES, &tensor->name));
    TERN__TRY(read_shape(in, &tensor->shape));
    uint64_t at = in->at;
    TERN__TRY(take_u32(in, "type", &tensor->type));
    tensor_type type = tensor_type_of(tensor->type);
    tensor->type_name = type.name;
    tensor->is_known = type.is_known;
    if (type.is_known) {
        int64_t columns = tensor->shape.dims[tensor->shape.rank - 1], rows = 1;
        for (int i = 0; i < tensor->shape.rank - 1; i++)
            rows *= tensor->shape.dims[i]; /* read_shape multiplied them all */
        size_t bytes;
        tensor->dtype = type.dtype;
        if (tern__dtype_bytes(type.dtype, rows, columns, &bytes) != TERN_OK)
            return tern__gguf_fail(TERN_E_FORMAT, &in->record, at,
                                   "the shape does not fit the type: %s", tern_last_error());
        tensor->bytes = bytes;
    }
    at = in->at;
    TERN__TRY(take_u64(in, "offset", &tensor->offset));
    if ((tensor->offset & (alignment - 1)) != 0)
        return tern__gguf_fail(TERN_E_FORMAT, &in->record, at,
                               "offset %llu is no multiple of the alignment %llu",
                               (ull)tensor->offset, (ull)alignment);
done:
    return status;
}

static tern_status read_tensors(reader *in, tern_file *file, uint64_t alignment) {
    tern_status status;
    file->tensors = new_table("tensors", file->tensor_count, sizeof *file->tensors);
    if (file->tensors == NULL)
        return TERN_E_MEMORY;
    TERN__TRY(tern__name_index_init(&file->tensor_index, file->tensors, sizeof *file->tensors,
                                    file->tensor_count));
    for (uint64_t i = 0; i < file->tensor_count; i++) {
        uint64_t at = in->at;
        in->record = (tern__gguf_record){.noun = "tensor", .index = (int64_t)i};
        TERN__TRY(read_tensor(in, alignment, &file->tensors[i]));
        TERN__TRY(check_unique(in, &file->tensor_index, i, at));
    }
done:
    return status;
}

/* -- where the data lies -----------------------------------------------------------------------*/

/* Makes offsets absolute. The data section begins at the next multiple of the alignment. */
static tern_status place_data(reader *in, tern_file *file, uint64_t alignment) {
    size_t begin;
    if (!tern__round_up_size((size_t)in->at, (size_t)alignment, &begin))
        begin = SIZE_MAX;
    for (uint64_t i = 0; i < file->tensor_count; i++) {
        tern__gguf_tensor *tensor = &file->tensors[i];
        uint64_t offset;
        if (!tern__add_u64(tensor->offset, begin, &offset) || offset >= in->size) {
            in->record = (tern__gguf_record){"tensor", (int64_t)i, tensor->name};
            return tern__gguf_fail(TERN_E_FORMAT, &in->record, begin,
                                   "its data begins %llu bytes further, the file has %llu bytes",
                                   (ull)tensor->offset, (ull)in->size);
        }
        tensor->offset = offset;
        tensor->data = in->data + offset;
    }
    return TERN_OK;
}

static int compare_offsets(const void *tensors, int32_t a, int32_t b) {
    const tern__gguf_tensor *all = tensors;
    return (all[a].offset > all[b].offset) - (all[a].offset < all[b].offset);
}

/* `next` is the tensor that begins behind this one, NULL for the last. */
static tern_status check_extent(const reader *in, tern__gguf_tensor *tensor,
                                const tern__gguf_tensor *next) {
    const tern__gguf_record record = {"tensor", 0, tensor->name};
    uint64_t limit = next != NULL ? next->offset : in->size, end;
    if (!tensor->is_known)
        tensor->bytes = limit - tensor->offset;
    if (!tern__add_u64(tensor->offset, tensor->bytes, &end))
        end = UINT64_MAX;
    if (end > in->size)
        return tern__gguf_fail(TERN_E_FORMAT, &record, tensor->offset,
                               "ends at byte %llu, the file has %llu", (ull)end, (ull)in->size);
    if (end > limit)
        return tern__gguf_fail(TERN_E_FORMAT, &record, tensor->offset,
                               "ends at byte %llu, tensor \"%.*s\" begins at byte %llu", (ull)end,
                               (int)next->name.length, next->name.bytes, (ull)limit);
    if (tensor->bytes == 0)
        return tern__gguf_fail(TERN_E_FORMAT, &record, tensor->offset,
                               "tensor \"%.*s\" begins at the same byte", (int)next->name.length,
                               next->name.bytes);
    return TERN_OK;
}

/* No two tensors share a byte and none reaches beyond the end. Writers store tensors in the order
 * of their data, so that sorting is the exception. */
static tern_status check_extents(const reader *in, tern_file *file) {
    tern__gguf_tensor *tensors = file->tensors;
    uint64_t count = file->tensor_count, sorted = 1;
    int32_t *order = NULL; /* the index has fewer than 2^31 rows */
    tern_status status = TERN_OK;
    while (sorted < count && tensors[sorted - 1].offset <= tensors[sorted].offset)
        sorted++;
    if (sorted < count) {
        order = new_table("offsets", count, sizeof *order);
        if (order == NULL)
            return TERN_E_MEMORY;
        for (uint64_t i = 0; i < count; i++)
            order[i] = (int32_t)i;
        tern__sort_ids(order, (int64_t)count, compare_offsets, tensors);
    }
    for (uint64_t i = 0; i < count; i++) {
        tern__gguf_tensor *next = NULL;
        if (i + 1 < count)
            next = order != NULL ? &tensors[order[i + 1]] : &tensors[i + 1];
        TERN__TRY(check_extent(in, order != NULL ? &tensors[order[i]] : &tensors[i], next));
    }
done:
    if (order != NULL)
        tern__os()->free(order);
    return status;
}

/* -- names -------------------------------------------------------------------------------------*/

/* Copies `name` to `at` and terminates it; the place behind. */
static char *copy_name(char *at, tern__gguf_string *name) {
    memcpy(at, name->bytes, name->length);
    name->bytes = at; /* the memory is zeroed: terminated */
    return at + name->length + 1;
}

/* The public functions give names as C strings, which the file's are not. The names are disjoint
 * parts of the file, so that their sum does not overflow. */
static tern_status copy_names(tern_file *file) {
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < file->key_count; i++)
        bytes += file->keys[i].name.length + 1;
    for (uint64_t i = 0; i < file->tensor_count; i++)
        bytes += file->tensors[i].name.length + 1 +
                 (file->tensors[i].type_name == NULL ? TYPE_NAME_BYTES : 0);
    file->names = new_table("bytes of names", bytes, 1);
    if (file->names == NULL)
        return TERN_E_MEMORY;
    char *at = file->names;
    for (uint64_t i = 0; i < file->key_count; i++)
        at = copy_name(at, &file->keys[i].name);
    for (uint64_t i = 0; i < file->tensor_count; i++) {
        tern__gguf_tensor *tensor = &file->tensors[i];
        at = copy_name(at, &tensor->name);
        if (tensor->type_name == NULL) {
            snprintf(at, TYPE_NAME_BYTES, "type %u", tensor->type);
            tensor->type_name = at;
            at += TYPE_NAME_BYTES;
        }
    }
    return TERN_OK;
}

tern_status tern__gguf_read(tern_file *file) {
    reader in = {.data = file->data, .size = file->size, .at = 4 /* the magic */};
    uint64_t alignment;
    tern_status status;
    TERN__TRY(read_header(&in, file));
    TERN__TRY(read_keys(&in, file));
    TERN__TRY(read_alignment(file, &alignment));
    TERN__TRY(read_tensors(&in, file, alignment));
    TERN__TRY(place_data(&in, file, alignment));
    TERN__TRY(check_extents(&in, file));
    TERN__TRY(copy_names(file));
done:
    return status;
}
