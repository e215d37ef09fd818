/* SPDX-License-Identifier: MIT
 *
 * What the parts of the GGUF reader share: the opened file, its tables and how errors name a place.
 *
 *     gguf.c         opening, closing, plain facts
 *     gguf_read.c    the bounded reader: the only code that looks at bytes not yet checked
 *     gguf_values.c  typed lookups and printing
 */
#ifndef TERN__GGUF_FILE_H
#define TERN__GGUF_FILE_H

#include <stdatomic.h>
#include <string.h>

#include "base/status.h"
#include "format/gguf.h"
#include "format/name_index.h"

typedef struct tern__gguf_key {
    tern__gguf_string name; /* first: the index reads it */
    const uint8_t *value;   /* in the mapping; an array begins with element type and count */
    uint32_t type;
} tern__gguf_key;

struct tern_file {
    atomic_int references;
    uint32_t version;
    const uint8_t *data; /* the mapping; NULL until there is one */
    uint64_t size;       /* its bytes */
    uint64_t key_count, tensor_count;
    tern__gguf_key *keys;
    tern__gguf_tensor *tensors;
    char *names; /* terminated copies of all names */
    tern__name_index key_index, tensor_index;
};

/* Facts about a value type; `bytes` is 0 for strings and arrays. */
typedef struct tern__gguf_value_type {
    const char *name;   /* "u32" */
    const char *plural; /* "strings" */
    uint8_t bytes;
} tern__gguf_value_type;

#define TERN__GGUF_TYPES 13
extern const tern__gguf_value_type tern__gguf_value_types[TERN__GGUF_TYPES];

/* Bytes of an array's element type and count, before its elements. */
#define TERN__GGUF_ARRAY_HEAD 12

/* What an error is about. */
typedef struct tern__gguf_record {
    const char *noun;       /* "header", "key", "tensor" */
    int64_t index;          /* -1: there is only one */
    tern__gguf_string name; /* length 0: not known yet */
} tern__gguf_record;

/* Fails with `gguf: tensor "blk.0.attn_q.weight" at byte 12345: ` and the formatted text. */
tern_status tern__gguf_fail(tern_status status, const tern__gguf_record *record, uint64_t at,
                            const char *format, ...) TERN__PRINTF(4, 5);

/* Checks all of the mapping behind the magic and fills the tables. After a failure the tables that
 * were made still belong to the file. */
tern_status tern__gguf_read(tern_file *file);

/* ASCII, DEL and Latin-1 control characters: what could steer a terminal. */
static inline bool tern__gguf_is_control(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

/* Machine and file are little endian. */
static inline uint32_t tern__gguf_load_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t tern__gguf_load_u64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

#endif
