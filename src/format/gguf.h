/* SPDX-License-Identifier: MIT
 *
 * GGUF files, version 2 and 3, little endian (ggml docs/gguf.md). The whole structure is checked at
 * opening: afterwards every string, array and tensor lies inside the mapping. Lookups by name are
 * hashed; opening is linear in the number of keys and tensors.
 */
#ifndef TERN__GGUF_H
#define TERN__GGUF_H

#include <tern/model.h>

#include "format/name_index.h"

/* Value types of keys. */
typedef enum tern__gguf_type {
    TERN__GGUF_U8 = 0,
    TERN__GGUF_I8 = 1,
    TERN__GGUF_U16 = 2,
    TERN__GGUF_I16 = 3,
    TERN__GGUF_U32 = 4,
    TERN__GGUF_I32 = 5,
    TERN__GGUF_F32 = 6,
    TERN__GGUF_BOOL = 7,
    TERN__GGUF_STRING = 8,
    TERN__GGUF_ARRAY = 9,
    TERN__GGUF_U64 = 10,
    TERN__GGUF_I64 = 11,
    TERN__GGUF_F64 = 12,
} tern__gguf_type;

/* Bytes that live with the file. Values lie in the mapping and are not terminated; the names of
 * keys and tensors are terminated copies. */
typedef tern__string tern__gguf_string;

typedef struct tern__gguf_tensor {
    tern__gguf_string name;
    tern_shape shape;      /* outermost first, rank 1..4 */
    uint32_t type;         /* the file's type id */
    const char *type_name; /* "I2_S"; "Q4_0 (type 2)" or "type 39" for one Tern cannot read */
    bool is_known;         /* Tern can read it: dtype and bytes are set */
    tern_dtype dtype;
    const void *data; /* in the mapping */
    uint64_t offset;  /* from the start of the file */
    uint64_t bytes;   /* for an unknown type: up to the next tensor or the end */
} tern__gguf_tensor;

/* Typed lookups. Absent key: *found = false (out untouched) and TERN_OK when found != NULL;
 * TERN_E_FORMAT "gguf: key X is missing" when found == NULL. A key of another type, or a number
 * that does not fit: TERN_E_FORMAT naming key and type. Integer keys accept every integer type. */
tern_status tern__gguf_u64(const tern_file *file, const char *key, uint64_t *out, bool *found);
tern_status tern__gguf_f64(const tern_file *file, const char *key, double *out, bool *found);
tern_status tern__gguf_bool(const tern_file *file, const char *key, bool *out, bool *found);
tern_status tern__gguf_text(const tern_file *file, const char *key, tern__gguf_string *out,
                            bool *found);

/* Arrays are walked by an iterator, since strings have no fixed size. */
typedef struct tern__gguf_array {
    tern__gguf_type type;
    uint64_t count;
    const uint8_t *next; /* position of the iterator */
} tern__gguf_array;

tern_status tern__gguf_array_find(const tern_file *file, const char *key, tern__gguf_array *out,
                                  bool *found);
/* The next element of a string/integer array of `count` elements; call at most count times. */
tern__gguf_string tern__gguf_next_string(tern__gguf_array *array);
int64_t tern__gguf_next_integer(tern__gguf_array *array); /* U8..I64 (U64 wraps), BOOL */

/* NULL when absent, or when the index is outside 0..count-1. Tensors lie one behind the other in
 * one array: the difference of two pointers is that of their indices. */
const tern__gguf_tensor *tern__gguf_find(const tern_file *file, const char *name);
const tern__gguf_tensor *tern__gguf_at(const tern_file *file, int64_t index);

/* A file outlives its handle while tensors borrow from it. */
void tern__gguf_retain(tern_file *file);
void tern__gguf_release(tern_file *file);

/* Drops the pages of this tensor's data from memory (they are read again when needed). */
void tern__gguf_drop(const tern_file *file, const tern__gguf_tensor *tensor);

#endif
