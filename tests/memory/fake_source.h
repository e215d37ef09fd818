/* SPDX-License-Identifier: MIT
 * A source of pages that counts, can be made to fail, and knows on its own which pages have memory
 * behind them: those used since they were mapped or dropped. The pages are real. */
#ifndef TERN_TEST_FAKE_SOURCE_H
#define TERN_TEST_FAKE_SOURCE_H

#include "support.h"

#include "base/os.h"
#include "memory/source.h"

typedef struct fake_range {
    char *begin;
    size_t bytes;
} fake_range;

typedef struct fake_mapping {
    char *base;
    size_t bytes;
    uint8_t *has_memory; /* per page; NULL for mappings too large for that */
    bool is_single;
} fake_mapping;

enum { FAKE_MAPPINGS = 256, FAKE_RECORDS = 64 };

/* The failures count the source's map and the table's alloc and pages_map together. */
typedef struct fake_source {
    fake_mapping mappings[FAKE_MAPPINGS];
    int count;
    size_t mapped, limit;   /* of all mappings; 0: none */
    int64_t calls, fail_at; /* fails call number fail_at; 0: none */
    bool fails_on;          /* and all after it */
    int64_t books;          /* blocks and pages of the books not given back */
    uint64_t system_calls;  /* of the source and for the books' pages */
    int maps, unmaps;       /* of the source, successful */
    int drop_count;         /* the first FAKE_RECORDS are in `drops` */
    fake_range drops[FAKE_RECORDS];
    size_t dropped_bytes;
    int huge_count;
    fake_range last_huge;
} fake_source;

static fake_source fake;

static inline bool fake_refuses(void) {
    int64_t call = ++fake.calls;
    return fake.fail_at != 0 && (call == fake.fail_at || (fake.fails_on && call > fake.fail_at));
}

static inline fake_mapping *fake_mapping_of(const void *address) {
    for (int i = 0; i < fake.count; i++)
        if ((uintptr_t)address - (uintptr_t)fake.mappings[i].base < fake.mappings[i].bytes)
            return &fake.mappings[i];
    return NULL;
}

static inline void *fake_map(void *user, size_t bytes) {
    assert_ptr_equal(user, &fake);
    assert_true(bytes > 0 && bytes % 4096 == 0);
    fake.system_calls++;
    if (fake_refuses() || (fake.limit != 0 && bytes > fake.limit - fake.mapped))
        return NULL;
    assert_true(fake.count < FAKE_MAPPINGS);
    char *base = tern__os_default.pages_map(bytes);
    if (base == NULL)
        return NULL;
    uint8_t *flags = bytes <= (size_t)1 << 30 ? calloc(bytes / 4096, 1) : NULL;
    fake.mappings[fake.count++] = (fake_mapping){base, bytes, flags, bytes > (size_t)16384 * 4096};
    fake.mapped += bytes;
    fake.maps++;
    return base;
}

static inline void fake_unmap(void *user, void *pages, size_t bytes) {
    assert_ptr_equal(user, &fake);
    fake_mapping *mapping = fake_mapping_of(pages);
    assert_non_null(mapping);
    assert_ptr_equal(mapping->base, pages);
    assert_int_equal(mapping->bytes, bytes);
    free(mapping->has_memory);
    *mapping = fake.mappings[--fake.count];
    fake.mapped -= bytes;
    fake.unmaps++;
    fake.system_calls++;
    tern__os_default.pages_unmap(pages, bytes);
}

static inline void fake_set_memory(const void *run, size_t bytes, bool has_memory) {
    fake_mapping *mapping = fake_mapping_of(run);
    assert_non_null(mapping);
    size_t offset = (size_t)((const char *)run - mapping->base);
    assert_true(bytes <= mapping->bytes - offset);
    if (mapping->has_memory != NULL)
        memset(mapping->has_memory + offset / 4096, has_memory, (bytes + 4095) / 4096);
}

static inline void fake_drop(void *user, void *pages, size_t bytes) {
    assert_ptr_equal(user, &fake);
    assert_true(bytes > 0 && bytes % 4096 == 0 && (uintptr_t)pages % 4096 == 0);
    fake_set_memory(pages, bytes, false);
    if (fake.drop_count < FAKE_RECORDS)
        fake.drops[fake.drop_count] = (fake_range){pages, bytes};
    fake.drop_count++;
    fake.dropped_bytes += bytes;
    fake.system_calls++;
    tern__os_default.pages_drop(pages, bytes);
}

static inline void fake_huge(void *user, void *pages, size_t bytes) {
    assert_ptr_equal(user, &fake);
    assert_non_null(fake_mapping_of(pages));
    fake.huge_count++;
    fake.last_huge = (fake_range){pages, bytes};
    fake.system_calls++;
}

static const tern__source fake_dropping = {
    .name = "fake",
    .is_host = true,
    .map = fake_map,
    .unmap = fake_unmap,
    .drop = fake_drop,
    .huge = fake_huge,
    .user = &fake,
};

static const tern__source fake_holding = {
    .name = "holding",
    .is_host = true,
    .map = fake_map,
    .unmap = fake_unmap,
    .huge = fake_huge,
    .user = &fake,
};

/* How many pages of a range have memory behind them. */
static inline size_t fake_memory_of(const void *run, size_t bytes) {
    const fake_mapping *mapping = fake_mapping_of(run);
    assert_non_null(mapping);
    size_t count = 0, first = (size_t)((const char *)run - mapping->base) / 4096;
    for (size_t i = 0; i < (bytes + 4095) / 4096; i++)
        count += mapping->has_memory[first + i];
    return count;
}

static inline size_t fake_committed_bytes(void) {
    size_t bytes = 0;
    for (int i = 0; i < fake.count; i++)
        bytes += 4096 * fake_memory_of(fake.mappings[i].base, fake.mappings[i].bytes);
    return bytes;
}

static inline void *fake_alloc(size_t bytes) {
    if (fake_refuses())
        return NULL;
    fake.books++;
    return tern__os_default.alloc(bytes);
}

static inline void fake_free(void *pointer) {
    fake.books -= pointer != NULL;
    tern__os_default.free(pointer);
}

static inline void *fake_pages_map(size_t bytes) {
    fake.system_calls++;
    if (fake_refuses())
        return NULL;
    fake.books++;
    return tern__os_default.pages_map(bytes);
}

static inline void fake_pages_unmap(void *pages, size_t bytes) {
    fake.system_calls++;
    fake.books--;
    tern__os_default.pages_unmap(pages, bytes);
}

/* Setup and teardown of a test: a fresh source and its table. */
static inline int fake_begin(void **state) {
    (void)state;
    static tern__os_table table;
    table = tern__os_default;
    table.alloc = fake_alloc;
    table.free = fake_free;
    table.pages_map = fake_pages_map;
    table.pages_unmap = fake_pages_unmap;
    tern__os_set(&table);
    fake = (fake_source){0};
    return 0;
}

static inline int fake_end(void **state) {
    (void)state;
    tern__os_set(NULL);
    return fake.count == 0 && fake.mapped == 0 && fake.books == 0 ? 0 : -1;
}

#endif
