/* SPDX-License-Identifier: MIT
 *
 * Tokens as raw bytes, in two maps: text tokens by a hash of their bytes, and control and
 * user-defined tokens in a sorted list for the search for the longest one at a place.
 *
 * Vocabularies of the "gpt2" kind write a token's bytes as code points: byte b is the character
 * b where that is printable in Latin-1, else a character from U+0100 on. Here that is undone once,
 * at loading, so that everything else works on bytes.
 */
#ifndef TERN__VOCABULARY_H
#define TERN__VOCABULARY_H

#include "base/siphash.h"
#include "format/gguf.h"

/* Values of tokenizer.ggml.token_type. Text tokens are all but UNKNOWN, CONTROL, USER_DEFINED. */
enum {
    TERN__TOKEN_UNDEFINED = 0,
    TERN__TOKEN_NORMAL = 1,
    TERN__TOKEN_UNKNOWN = 2,
    TERN__TOKEN_CONTROL = 3,
    TERN__TOKEN_USER_DEFINED = 4,
    TERN__TOKEN_UNUSED = 5,
    TERN__TOKEN_BYTE = 6,
};

typedef struct tern__vocabulary_slot {
    uint32_t hash;
    int32_t id; /* -1: free */
} tern__vocabulary_slot;

typedef struct tern__vocabulary {
    int32_t size;
    uint8_t *types;               /* (size) TERN__TOKEN_* */
    uint32_t *offsets;            /* (size + 1) into bytes */
    uint8_t *bytes;               /* all tokens, one behind the other */
    tern__vocabulary_slot *slots; /* (mask + 1), a power of two, at most half full */
    uint32_t mask;
    tern__siphash_key key; /* random: no file can be made whose tokens collide */
    int32_t *specials;     /* (special_count) ids, by their bytes in ascending order */
    int32_t special_count;
    int32_t special_start[257]; /* the first special whose first byte is >= the index */
    int32_t byte_ids[256];      /* the token of each single byte */
} tern__vocabulary;

/* `types` may be NULL: all normal. TERN_E_FORMAT names the first bad token: a text that occurs
 * twice, a byte without a token. A text that is no byte-to-character mapping, or a special token's,
 * stands for its own bytes; the former is never encoded to. TERN_E_IO: no random key. */
tern_status tern__vocabulary_init(tern__vocabulary *vocabulary, const tern__gguf_string *tokens,
                                  const uint8_t *types, size_t count);
void tern__vocabulary_deinit(tern__vocabulary *vocabulary);

static inline const uint8_t *tern__vocabulary_bytes(const tern__vocabulary *vocabulary, int32_t id,
                                                    size_t *count) {
    *count = vocabulary->offsets[id + 1] - vocabulary->offsets[id];
    return vocabulary->bytes + vocabulary->offsets[id];
}

/* Tokens that text does not become unless the caller asks for special tokens. */
static inline bool tern__token_is_special(uint8_t type) {
    return type >= TERN__TOKEN_UNKNOWN && type <= TERN__TOKEN_USER_DEFINED;
}

/* The text token of exactly these bytes, or -1. */
int32_t tern__vocabulary_find(const tern__vocabulary *vocabulary, const uint8_t *bytes,
                              size_t count);

/* The same in steps, so that a caller can have many slots fetched before it looks into one. */
static inline uint32_t tern__vocabulary_hash(const tern__vocabulary *vocabulary,
                                             const uint8_t *bytes, size_t count) {
    return (uint32_t)tern__siphash(&vocabulary->key, bytes, count);
}

int32_t tern__vocabulary_find_hashed(const tern__vocabulary *vocabulary, const uint8_t *bytes,
                                     size_t count, uint32_t hash);

static inline void tern__vocabulary_prefetch(const tern__vocabulary *vocabulary, uint32_t hash) {
    __builtin_prefetch(&vocabulary->slots[hash & vocabulary->mask]);
}

/* The longest special token that `text` starts with, or -1; *length its bytes. Reads at most as
 * many bytes as the longest special token has. */
int32_t tern__vocabulary_special(const tern__vocabulary *vocabulary, const uint8_t *text,
                                 size_t count, size_t *length);

/* Undoes the byte-to-character mapping: writes at most `count` bytes and stores their number in
 * *written. False when `text` is not such a mapping. */
bool tern__bytes_from_text(const char *text, size_t count, uint8_t *bytes, size_t *written);

#endif
