/* SPDX-License-Identifier: MIT
 *
 * Makes GGUF files in memory:
 *
 *     gguf_builder gguf = gguf_begin(3);
 *     gguf_add_u32(&gguf, "llama.block_count", 2);
 *     gguf_add_strings(&gguf, "tokenizer.ggml.tokens", 2, (const char *[]){"a", "b"});
 *     gguf_add_tensor(&gguf, "norm.weight", 0, TERN_SHAPE(64), weights, 256);
 *     gguf_finish(&gguf);                   -> gguf.bytes, gguf.length
 *     tern_file *file = gguf_open(&gguf);   with memory_file_install()
 *     gguf_close(file, &gguf);
 *
 * Keys come before tensors. A fresh builder aligns to 32; set `alignment` (and the key) for
 * another.
 */
#ifndef TERN_TEST_GGUF_BUILDER_H
#define TERN_TEST_GGUF_BUILDER_H

#include <stdlib.h>
#include <string.h>

#include "format/gguf.h"
#include "memory_file.h"
#include "support.h"

typedef struct gguf_builder {
    uint8_t *bytes;
    size_t length, capacity;
    uint8_t *data; /* of the tensors, until gguf_finish puts it behind the descriptions */
    size_t data_length, data_capacity;
    uint64_t keys, tensors;
    size_t alignment;
    size_t last_value;  /* where the last key's value begins, for damaging it */
    size_t last_tensor; /* where the last tensor's description begins */
} gguf_builder;

static inline void gguf_grow(uint8_t **bytes, size_t *capacity, size_t needed) {
    if (needed <= *capacity)
        return;
    while (*capacity < needed)
        *capacity = *capacity > 0 ? 2 * *capacity : 4096;
    *bytes = realloc(*bytes, *capacity);
    assert_non_null(*bytes);
}

static inline void gguf_put(gguf_builder *gguf, const void *bytes, size_t count) {
    gguf_grow(&gguf->bytes, &gguf->capacity, gguf->length + count);
    if (count > 0)
        memcpy(gguf->bytes + gguf->length, bytes, count);
    gguf->length += count;
}

static inline void gguf_put_u32(gguf_builder *gguf, uint32_t value) {
    gguf_put(gguf, &value, sizeof value);
}

static inline void gguf_put_u64(gguf_builder *gguf, uint64_t value) {
    gguf_put(gguf, &value, sizeof value);
}

static inline void gguf_put_string(gguf_builder *gguf, const char *bytes, size_t count) {
    gguf_put_u64(gguf, count);
    gguf_put(gguf, bytes, count);
}

static inline gguf_builder gguf_begin(uint32_t version) {
    gguf_builder gguf = {.alignment = 32};
    gguf_put(&gguf, "GGUF", 4);
    gguf_put_u32(&gguf, version);
    gguf_put_u64(&gguf, 0);
    gguf_put_u64(&gguf, 0);
    return gguf;
}

static inline void gguf_free(gguf_builder *gguf) {
    free(gguf->bytes);
    free(gguf->data);
    *gguf = (gguf_builder){0};
}

/* A key with the bytes of its value as they are. */
static inline void gguf_add(gguf_builder *gguf, const char *key, uint32_t type, const void *value,
                            size_t bytes) {
    assert_int_equal(gguf->tensors, 0);
    gguf->keys++;
    gguf_put_string(gguf, key, strlen(key));
    gguf_put_u32(gguf, type);
    gguf->last_value = gguf->length;
    gguf_put(gguf, value, bytes);
}

static inline void gguf_add_u32(gguf_builder *gguf, const char *key, uint32_t value) {
    gguf_add(gguf, key, TERN__GGUF_U32, &value, sizeof value);
}

static inline void gguf_add_f32(gguf_builder *gguf, const char *key, float value) {
    gguf_add(gguf, key, TERN__GGUF_F32, &value, sizeof value);
}

static inline void gguf_add_bool(gguf_builder *gguf, const char *key, bool value) {
    gguf_add(gguf, key, TERN__GGUF_BOOL, &(uint8_t){value}, 1);
}

static inline void gguf_add_string(gguf_builder *gguf, const char *key, const char *value) {
    gguf_add(gguf, key, TERN__GGUF_STRING, NULL, 0);
    gguf_put_string(gguf, value, strlen(value));
}

/* An array of `count` numbers whose bytes are given. */
static inline void gguf_add_array(gguf_builder *gguf, const char *key, uint32_t element_type,
                                  uint64_t count, const void *elements, size_t bytes) {
    gguf_add(gguf, key, TERN__GGUF_ARRAY, &element_type, sizeof element_type);
    gguf_put_u64(gguf, count);
    gguf_put(gguf, elements, bytes);
}

static inline void gguf_add_strings(gguf_builder *gguf, const char *key, uint64_t count,
                                    const char *const *strings) {
    gguf_add_array(gguf, key, TERN__GGUF_STRING, count, NULL, 0);
    for (uint64_t i = 0; i < count; i++)
        gguf_put_string(gguf, strings[i], strlen(strings[i]));
}

/* A tensor's description only. `shape` is outermost first, as everywhere in Tern. */
static inline void gguf_describe_tensor(gguf_builder *gguf, const char *name, uint32_t type,
                                        tern_shape shape, uint64_t offset) {
    gguf->tensors++;
    gguf->last_tensor = gguf->length;
    gguf_put_string(gguf, name, strlen(name));
    gguf_put_u32(gguf, (uint32_t)shape.rank);
    for (int i = shape.rank; i-- > 0;)
        gguf_put_u64(gguf, (uint64_t)shape.dims[i]);
    gguf_put_u32(gguf, type);
    gguf_put_u64(gguf, offset);
}

/* A tensor and its data, zeros when `data` is NULL, behind those added before. */
static inline void gguf_add_tensor(gguf_builder *gguf, const char *name, uint32_t type,
                                   tern_shape shape, const void *data, size_t bytes) {
    size_t offset = (gguf->data_length + gguf->alignment - 1) & ~(gguf->alignment - 1);
    gguf_describe_tensor(gguf, name, type, shape, offset);
    gguf_grow(&gguf->data, &gguf->data_capacity, offset + bytes + 1);
    memset(gguf->data + gguf->data_length, 0, offset + bytes - gguf->data_length);
    if (data != NULL)
        memcpy(gguf->data + offset, data, bytes);
    gguf->data_length = offset + bytes;
}

/* Writes the counts, the padding and the data. Nothing can be added afterwards. */
static inline void gguf_finish(gguf_builder *gguf) {
    static const uint8_t zeros[65536];
    memcpy(gguf->bytes + 8, &gguf->tensors, 8);
    memcpy(gguf->bytes + 16, &gguf->keys, 8);
    if (gguf->tensors > 0 && gguf->alignment > 0)
        gguf_put(gguf, zeros, (size_t)-gguf->length % gguf->alignment);
    gguf_put(gguf, gguf->data, gguf->data_length);
}

/* Opens what was built; it must be sound. */
static inline tern_file *gguf_open(const gguf_builder *gguf) {
    tern_file *file = NULL;
    memory_file_serve(gguf->bytes, gguf->length);
    test_ok(tern_file_open("built.gguf", &file));
    assert_non_null(file);
    return file;
}

/* Closes the file, checks that nothing is left of it, and frees the builder. */
static inline void gguf_close(tern_file *file, gguf_builder *gguf) {
    tern_file_close(file);
    memory_file_check_empty();
    gguf_free(gguf);
}

#endif
