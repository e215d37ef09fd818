/* SPDX-License-Identifier: MIT
 * Pages for a pool that counts: a source which knows its mappings and can say what the system holds
 * of them, and an OS table that counts the pages of the books. For one pool at a time. */
#ifndef TERN_TEST_COUNTED_SOURCE_H
#define TERN_TEST_COUNTED_SOURCE_H

#include <sys/mman.h>

#include "base/os.h"
#include "memory/runs.h"
#include "support.h"

enum { GROUND_MAPPINGS = 4096 };

/* Guarded by the pool's lock. */
static struct {
    struct {
        char *pages;
        size_t bytes;
    } mapping[GROUND_MAPPINGS];
    int count;
    size_t mapped_bytes;
    uint64_t source_calls, book_calls; /* for pages */
    size_t book_bytes;                 /* that the OS table gave and did not get back */
    tern__os_table table;
} ground;

static inline void *ground_map(void *user, size_t bytes) {
    (void)user;
    assert_int_equal(bytes % TERN__PAGE, 0);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    madvise(pages, bytes, MADV_NOHUGEPAGE); /* or one touch would make 2 MiB resident */
    assert_true(ground.count < GROUND_MAPPINGS);
    ground.mapping[ground.count].pages = pages;
    ground.mapping[ground.count++].bytes = bytes;
    ground.mapped_bytes += bytes;
    ground.source_calls++;
    return pages;
}

static inline void ground_unmap(void *user, void *pages, size_t bytes) {
    (void)user;
    for (int i = 0; i < ground.count; i++)
        if (ground.mapping[i].pages == pages) {
            assert_int_equal(ground.mapping[i].bytes, bytes);
            assert_int_equal(munmap(pages, bytes), 0);
            ground.mapping[i] = ground.mapping[--ground.count];
            ground.mapped_bytes -= bytes;
            ground.source_calls++;
            return;
        }
    fail_msg("%p was not mapped", pages);
}

static inline void ground_drop(void *user, void *pages, size_t bytes) {
    (void)user;
    assert_int_equal((uintptr_t)pages % TERN__PAGE + bytes % TERN__PAGE, 0);
    assert_int_equal(madvise(pages, bytes, MADV_DONTNEED), 0);
    ground.source_calls++;
}

static const tern__source ground_source = {.name = "ground",
                                           .is_host = true,
                                           .map = ground_map,
                                           .unmap = ground_unmap,
                                           .drop = ground_drop};

/* What the system holds of all mappings. */
static inline size_t ground_resident_bytes(void) {
    size_t pages = 0;
    for (int i = 0; i < ground.count; i++) {
        size_t count = ground.mapping[i].bytes / TERN__PAGE;
        unsigned char *is_resident = malloc(count);
        assert_non_null(is_resident);
        assert_int_equal(mincore(ground.mapping[i].pages, ground.mapping[i].bytes, is_resident), 0);
        for (size_t p = 0; p < count; p++)
            pages += is_resident[p] & 1;
        free(is_resident);
    }
    return pages * TERN__PAGE;
}

static inline void *ground_books_map(size_t bytes) {
    void *pages = tern__os_default.pages_map(bytes);
    ground.book_calls++;
    ground.book_bytes += pages != NULL ? bytes : 0;
    return pages;
}

static inline void ground_books_unmap(void *pages, size_t bytes) {
    ground.book_calls++;
    ground.book_bytes -= bytes;
    tern__os_default.pages_unmap(pages, bytes);
}

/* The size stands in the 16 bytes in front. */
static inline void *ground_alloc(size_t bytes) {
    char *memory = tern__os_default.alloc(bytes + 16);
    if (memory == NULL)
        return NULL;
    memcpy(memory, &bytes, sizeof bytes);
    ground.book_bytes += bytes;
    return memory + 16;
}

static inline void ground_free(void *pointer) {
    size_t bytes;
    if (pointer == NULL)
        return;
    memcpy(&bytes, (char *)pointer - 16, sizeof bytes);
    ground.book_bytes -= bytes;
    tern__os_default.free((char *)pointer - 16);
}

/* Before the pool is made, and after it is gone. */
static inline void ground_begin(void) {
    memset(&ground, 0, sizeof ground);
    ground.table = tern__os_default;
    ground.table.pages_map = ground_books_map;
    ground.table.pages_unmap = ground_books_unmap;
    ground.table.alloc = ground_alloc;
    ground.table.free = ground_free;
    tern__os_set(&ground.table);
}

static inline void ground_end(void) {
    tern__os_set(NULL);
    if (ground.count != 0 || ground.mapped_bytes != 0 || ground.book_bytes != 0)
        fail_msg("%zu bytes of pages and %zu of books are left", ground.mapped_bytes,
                 ground.book_bytes);
}

#endif
