/* SPDX-License-Identifier: MIT
 *
 * Names to rows of a table: open addressing with linear probing, at most half full. The hash is
 * keyed at random: building is linear in the bytes of the names, whatever the file.
 */
#ifndef TERN__NAME_INDEX_H
#define TERN__NAME_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include <tern/base.h>

#include "base/siphash.h"

/* Bytes of an opened file or a copy of them. */
typedef struct tern__string {
    const char *bytes;
    uint64_t length;
} tern__string;

typedef struct tern__name_index {
    const void *rows; /* each begins with a tern__string, its name */
    size_t row_bytes;
    uint32_t *slots; /* row + 1; 0: free */
    uint32_t mask;   /* slots - 1, a power of two less one */
    tern__siphash_key key;
} tern__name_index;

/* An empty index over `rows`, room for `count` of them. TERN_E_MEMORY, TERN_E_IO (no random key),
 * TERN_E_LIMIT (more than 2^30 rows). */
tern_status tern__name_index_init(tern__name_index *index, const void *rows, size_t row_bytes,
                                  uint64_t count);
void tern__name_index_deinit(tern__name_index *index); /* a zeroed one is fine */

/* Adds row `row`. The row that has the same name already, or -1 when it was added. */
int64_t tern__name_index_insert(tern__name_index *index, uint64_t row);

/* The row of this name, -1 if there is none. */
int64_t tern__name_index_find(const tern__name_index *index, tern__string name);

#endif
