/* SPDX-License-Identifier: MIT */
#include "format/name_index.h"

#include <string.h>

#include "base/os.h"
#include "base/status.h"

#define MAX_ROWS ((uint64_t)1 << 30)

static tern__string row_name(const tern__name_index *index, uint64_t row) {
    const char *rows = index->rows;
    return *(const tern__string *)(const void *)(rows + row * index->row_bytes);
}

/* The slot that holds `name`, or the free one where it belongs. Ends, since half are free. */
static uint32_t *slot_of(const tern__name_index *index, tern__string name) {
    uint32_t at = (uint32_t)tern__siphash(&index->key, name.bytes, name.length) & index->mask;
    while (index->slots[at] != 0) {
        tern__string other = row_name(index, index->slots[at] - 1);
        if (other.length == name.length && memcmp(other.bytes, name.bytes, name.length) == 0)
            break;
        at = (at + 1) & index->mask;
    }
    return &index->slots[at];
}

tern_status tern__name_index_init(tern__name_index *index, const void *rows, size_t row_bytes,
                                  uint64_t count) {
    *index = (tern__name_index){.rows = rows, .row_bytes = row_bytes};
    if (count > MAX_ROWS)
        return tern__fail(TERN_E_LIMIT, "names: %llu, at most %llu can be indexed",
                          (unsigned long long)count, (unsigned long long)MAX_ROWS);
    int error = tern__os()->random(&index->key, sizeof index->key);
    if (error != 0)
        return tern__fail(TERN_E_IO, "names: no random bytes: %s", strerror(error));
    uint64_t slots = 2;
    while (slots < 2 * count)
        slots *= 2;
    index->slots = tern__os()->alloc(slots * sizeof *index->slots);
    if (index->slots == NULL)
        return tern__fail(TERN_E_MEMORY, "names: no memory for an index of %llu names",
                          (unsigned long long)count);
    index->mask = (uint32_t)(slots - 1);
    return TERN_OK;
}

void tern__name_index_deinit(tern__name_index *index) {
    if (index->slots != NULL)
        tern__os()->free(index->slots);
    *index = (tern__name_index){0};
}

int64_t tern__name_index_insert(tern__name_index *index, uint64_t row) {
    uint32_t *slot = slot_of(index, row_name(index, row));
    if (*slot != 0)
        return (int64_t)*slot - 1;
    *slot = (uint32_t)(row + 1);
    return -1;
}

int64_t tern__name_index_find(const tern__name_index *index, tern__string name) {
    return (int64_t)*slot_of(index, name) - 1;
}
