/* SPDX-License-Identifier: MIT
 *
 * Byte-pair encoding of one piece of text: starts from single bytes and merges, again and again,
 * the adjacent pair of lowest rank, the leftmost one among equals, until no pair is left
 * (Sennrich et al. 2016, section 3.2; ranks as in GPT-2).
 */
#ifndef TERN__BPE_H
#define TERN__BPE_H

#include "model/vocabulary.h"

/* A pair of tokens and what it becomes. */
typedef struct tern__bpe_merge {
    uint64_t key;   /* 1 + (left id << 32 | right id); 0: free slot */
    uint32_t rank;  /* lower ones are merged first */
    int32_t merged; /* id */
} tern__bpe_merge;

typedef struct tern__bpe {
    tern__bpe_merge *slots; /* (mask + 1), a power of two, at most half full */
    uint32_t mask;
    uint64_t factors[2]; /* of the hash: odd, random, so that no file can make its pairs collide */
    const int32_t *byte_ids; /* (256) borrowed from the vocabulary */
} tern__bpe;

/* Each merge is "left right", best first, both and their concatenation tokens. One that takes or
 * makes a special token is left out, because text must not become one. Of equal pairs the first
 * counts. TERN_E_FORMAT names the first bad merge. Borrows from `vocabulary`. */
tern_status tern__bpe_init(tern__bpe *bpe, const tern__vocabulary *vocabulary,
                           const tern__gguf_string *merges, size_t count);
void tern__bpe_deinit(tern__bpe *bpe);

/* Where ids go. Those beyond `capacity` are counted only. */
typedef struct tern__id_sink {
    int32_t *ids; /* (capacity) */
    size_t capacity;
    size_t count;
} tern__id_sink;

static inline void tern__id_sink_put(tern__id_sink *sink, int32_t id) {
    if (sink->count < sink->capacity)
        sink->ids[sink->count] = id;
    sink->count++;
}

/* Working memory for long pieces, kept from piece to piece; starts as zeros. */
typedef struct tern__bpe_scratch {
    void *memory;
    size_t piece_bytes; /* longest piece it is good for */
} tern__bpe_scratch;

/* Encodes 1 <= count < 2^32 - 1 bytes: O(n log n) time, 36 bytes of scratch per byte for long
 * pieces. TERN_E_MEMORY. */
tern_status tern__bpe_encode(const tern__bpe *bpe, const uint8_t *piece, size_t count,
                             tern__bpe_scratch *scratch, tern__id_sink *sink);
void tern__bpe_scratch_deinit(tern__bpe_scratch *scratch);

#endif
