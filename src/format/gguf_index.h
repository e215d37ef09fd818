/* SPDX-License-Identifier: MIT
 *
 * Names to rows of a table: open addressing with linear probing, at most half full. The hash is
 * keyed at random: building is linear in the bytes of the names, whatever the file.
 */
#ifndef TERN__GGUF_INDEX_H
#define TERN__GGUF_INDEX_H

#include <stddef.h>

#include "base/siphash.h"
#include "format/gguf.h"

typedef struct tern__gguf_index {
    const void *rows; /* each begins with a tern__gguf_string, its name */
    size_t row_bytes;
    uint32_t *slots; /* row + 1; 0: free */
    uint32_t mask;   /* slots - 1, a power of two less one */
    tern__siphash_key key;
} tern__gguf_index;

/* An empty index over `rows`, room for `count` of them. TERN_E_MEMORY, TERN_E_IO (no random key),
 * TERN_E_LIMIT (more than 2^30 rows). */
tern_status tern__gguf_index_init(tern__gguf_index *index, const void *rows, size_t row_bytes,
                                  uint64_t count);
void tern__gguf_index_deinit(tern__gguf_index *index); /* a zeroed one is fine */

/* Adds row `row`. The row that has the same name already, or -1 when it was added. */
int64_t tern__gguf_index_insert(tern__gguf_index *index, uint64_t row);

/* The row of this name, -1 if there is none. */
int64_t tern__gguf_index_find(const tern__gguf_index *index, tern__gguf_string name);

#endif
