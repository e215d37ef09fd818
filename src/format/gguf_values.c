/* SPDX-License-Identifier: MIT
 *
 * Typed lookups and printing of key values. The reader has checked all that is walked here. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "format/gguf_file.h"

const tern__gguf_value_type tern__gguf_value_types[TERN__GGUF_TYPES] = {
    [TERN__GGUF_U8] = {"u8", "u8", 1},
    [TERN__GGUF_I8] = {"i8", "i8", 1},
    [TERN__GGUF_U16] = {"u16", "u16", 2},
    [TERN__GGUF_I16] = {"i16", "i16", 2},
    [TERN__GGUF_U32] = {"u32", "u32", 4},
    [TERN__GGUF_I32] = {"i32", "i32", 4},
    [TERN__GGUF_F32] = {"f32", "f32", 4},
    [TERN__GGUF_BOOL] = {"bool", "bools", 1},
    [TERN__GGUF_STRING] = {"string", "strings", 0},
    [TERN__GGUF_ARRAY] = {"array", "arrays", 0},
    [TERN__GGUF_U64] = {"u64", "u64", 8},
    [TERN__GGUF_I64] = {"i64", "i64", 8},
    [TERN__GGUF_F64] = {"f64", "f64", 8},
};

/* -- lookups -----------------------------------------------------------------------------------*/

/* NULL with TERN_OK when the key is absent and the caller asks by `found`. */
static tern_status find_key(const tern_file *file, const char *name, bool *found,
                            const tern__gguf_key **key) {
    int64_t row = tern__name_index_find(&file->key_index, (tern__gguf_string){name, strlen(name)});
    *key = row >= 0 ? &file->keys[row] : NULL;
    if (found != NULL)
        *found = row >= 0;
    else if (row < 0)
        return tern__fail(TERN_E_FORMAT, "gguf: key \"%s\" is missing", name);
    return TERN_OK;
}

static tern_status fail_type(const tern_file *file, const tern__gguf_key *key, const char *wanted) {
    const tern__gguf_record record = {"key", 0, key->name};
    return tern__gguf_fail(TERN_E_FORMAT, &record, (uint64_t)(key->value - file->data),
                           "is of type %s, expected is %s", tern__gguf_value_types[key->type].name,
                           wanted);
}

static bool is_integer(uint32_t type) {
    return tern__gguf_value_types[type].bytes > 0 && type != TERN__GGUF_F32 &&
           type != TERN__GGUF_F64 && type != TERN__GGUF_BOOL;
}

/* Sign extended; a u64 wraps. Also for bool. */
static int64_t load_integer(uint32_t type, const uint8_t *at) {
    uint64_t bits = 0;
    unsigned bytes = tern__gguf_value_types[type].bytes;
    memcpy(&bits, at, bytes);
    bool is_signed = type == TERN__GGUF_I8 || type == TERN__GGUF_I16 || type == TERN__GGUF_I32;
    if (is_signed && (bits >> (8 * bytes - 1)) != 0)
        bits |= UINT64_MAX << (8 * bytes);
    return (int64_t)bits;
}

static double load_float(uint32_t type, const uint8_t *at) {
    float single;
    double twice;
    if (type == TERN__GGUF_F32) {
        memcpy(&single, at, sizeof single);
        return (double)single;
    }
    memcpy(&twice, at, sizeof twice);
    return twice;
}

static tern__gguf_string load_string(const uint8_t *at) {
    return (tern__gguf_string){(const char *)at + 8, tern__gguf_load_u64(at)};
}

tern_status tern__gguf_u64(const tern_file *file, const char *name, uint64_t *out, bool *found) {
    const tern__gguf_key *key;
    tern_status status = find_key(file, name, found, &key);
    if (key == NULL)
        return status;
    if (!is_integer(key->type))
        return fail_type(file, key, "an integer");
    int64_t value = load_integer(key->type, key->value);
    if (value < 0 && key->type != TERN__GGUF_U64) {
        const tern__gguf_record record = {"key", 0, key->name};
        return tern__gguf_fail(TERN_E_FORMAT, &record, (uint64_t)(key->value - file->data),
                               "%lld is negative", (long long)value);
    }
    *out = (uint64_t)value;
    return TERN_OK;
}

tern_status tern__gguf_f64(const tern_file *file, const char *name, double *out, bool *found) {
    const tern__gguf_key *key;
    tern_status status = find_key(file, name, found, &key);
    if (key == NULL)
        return status;
    if (key->type != TERN__GGUF_F32 && key->type != TERN__GGUF_F64)
        return fail_type(file, key, "f32 or f64");
    *out = load_float(key->type, key->value);
    return TERN_OK;
}

tern_status tern__gguf_bool(const tern_file *file, const char *name, bool *out, bool *found) {
    const tern__gguf_key *key;
    tern_status status = find_key(file, name, found, &key);
    if (key == NULL)
        return status;
    if (key->type != TERN__GGUF_BOOL)
        return fail_type(file, key, "bool");
    *out = *key->value != 0;
    return TERN_OK;
}

tern_status tern__gguf_text(const tern_file *file, const char *name, tern__gguf_string *out,
                            bool *found) {
    const tern__gguf_key *key;
    tern_status status = find_key(file, name, found, &key);
    if (key == NULL)
        return status;
    if (key->type != TERN__GGUF_STRING)
        return fail_type(file, key, "string");
    *out = load_string(key->value);
    return TERN_OK;
}

/* -- arrays ------------------------------------------------------------------------------------*/

static tern__gguf_array load_array(const uint8_t *at) {
    return (tern__gguf_array){.type = (tern__gguf_type)tern__gguf_load_u32(at),
                              .count = tern__gguf_load_u64(at + 4),
                              .next = at + TERN__GGUF_ARRAY_HEAD};
}

tern_status tern__gguf_array_find(const tern_file *file, const char *name, tern__gguf_array *out,
                                  bool *found) {
    const tern__gguf_key *key;
    tern_status status = find_key(file, name, found, &key);
    if (key == NULL)
        return status;
    if (key->type != TERN__GGUF_ARRAY)
        return fail_type(file, key, "array");
    *out = load_array(key->value);
    return TERN_OK;
}

tern__gguf_string tern__gguf_next_string(tern__gguf_array *array) {
    assert(array->type == TERN__GGUF_STRING);
    tern__gguf_string string = load_string(array->next);
    array->next += 8 + string.length;
    return string;
}

int64_t tern__gguf_next_integer(tern__gguf_array *array) {
    assert(is_integer(array->type) || array->type == TERN__GGUF_BOOL);
    int64_t value = load_integer(array->type, array->next);
    array->next += tern__gguf_value_types[array->type].bytes;
    return value;
}

/* -- printing ----------------------------------------------------------------------------------*/

#define SHOWN_ELEMENTS 8

/* A text that ends with "..." when not all of it fits. Pieces are put whole or not at all. */
typedef struct printer {
    char *text;
    size_t size, length;
    size_t mark; /* the last length that leaves room for "..." */
    bool is_cut;
} printer;

static void put(printer *out, const char *bytes, size_t count) {
    if (out->is_cut)
        return;
    if (count >= out->size - out->length) { /* one byte for the terminator */
        out->is_cut = true;
        if (out->size >= sizeof "...") {
            memcpy(out->text + out->mark, "...", 3);
            out->length = out->mark + 3;
        }
        return;
    }
    memcpy(out->text + out->length, bytes, count);
    out->length += count;
    if (out->length + sizeof "..." <= out->size)
        out->mark = out->length;
}

static void put_format(printer *out, const char *format, ...) TERN__PRINTF(2, 3);

static void put_format(printer *out, const char *format, ...) {
    char text[64]; /* the longest number has 24 characters */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(out, text, (size_t)length);
}

/* Controls and what is not UTF-8 become escapes; so does the backslash, to be told from them. */
static void put_string(printer *out, tern__gguf_string string) {
    const uint8_t *bytes = (const uint8_t *)string.bytes;
    for (uint64_t i = 0; i < string.length && !out->is_cut;) {
        uint32_t code;
        size_t length = tern__utf8(bytes + i, string.length - i, &code);
        if (length == 0) {
            put_format(out, "\\x%02x", bytes[i]);
            length = 1;
        } else if (code == '\n' || code == '\t' || code == '\r') {
            put(out, code == '\n' ? "\\n" : code == '\t' ? "\\t" : "\\r", 2);
        } else if (tern__gguf_is_control(code)) {
            put_format(out, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
        } else if (code == '\\') {
            put(out, "\\\\", 2);
        } else {
            put(out, string.bytes + i, length);
        }
        i += length;
    }
}

/* A number or bool. */
static void put_number(printer *out, uint32_t type, const uint8_t *at) {
    if (type == TERN__GGUF_F32)
        put_format(out, "%.9g", load_float(type, at));
    else if (type == TERN__GGUF_F64)
        put_format(out, "%.17g", load_float(type, at));
    else if (type == TERN__GGUF_BOOL)
        put_format(out, "%s", *at != 0 ? "true" : "false");
    else if (type == TERN__GGUF_U64)
        put_format(out, "%" PRIu64, tern__gguf_load_u64(at));
    else
        put_format(out, "%" PRId64, load_integer(type, at));
}

static void put_array(printer *out, tern__gguf_array array) {
    put_format(out, "[%" PRIu64 " %s]", array.count, tern__gguf_value_types[array.type].plural);
    for (uint64_t i = 0; i < array.count && !out->is_cut; i++) {
        put(out, i == 0 ? " " : ", ", i == 0 ? 1 : 2);
        if (i == SHOWN_ELEMENTS) {
            put(out, "...", 3);
            return;
        }
        if (array.type == TERN__GGUF_STRING) {
            put(out, "\"", 1);
            put_string(out, tern__gguf_next_string(&array));
            put(out, "\"", 1);
        } else {
            put_number(out, array.type, array.next);
            array.next += tern__gguf_value_types[array.type].bytes;
        }
    }
}

const char *tern_file_key(const tern_file *file, int64_t index, char *value, size_t size) {
    printer out = {.text = value, .size = size};
    const tern__gguf_key *key = NULL;
    if (index >= 0 && (uint64_t)index < file->key_count)
        key = &file->keys[index];
    if (size == 0)
        return key != NULL ? key->name.bytes : NULL;
    if (key == NULL) {
        value[0] = '\0';
        return NULL;
    }
    if (key->type == TERN__GGUF_STRING)
        put_string(&out, load_string(key->value));
    else if (key->type == TERN__GGUF_ARRAY)
        put_array(&out, load_array(key->value));
    else
        put_number(&out, key->type, key->value);
    value[out.length] = '\0';
    return key->name.bytes;
}
