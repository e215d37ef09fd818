/* SPDX-License-Identifier: MIT
 *
 * An OS table for tests: every path opens one file that lies in memory, what is written stays in
 * memory, allocations are counted, and calls can be made to fail.
 *
 *     memory_file_install();
 *     memory_file_serve(bytes, size);
 *     memory_file.fail_at = 3;          the fourth call that can fail does
 *     memory_file.fail_count = 2;       and the fifth
 *     ... tern_file_open("any", &file) ...
 *     memory_file_check_empty();        nothing is leaked
 *     memory_file_remove();
 */
#ifndef TERN_TEST_MEMORY_FILE_H
#define TERN_TEST_MEMORY_FILE_H

#include <errno.h>

#include "base/os.h"
#include "support.h"

static struct {
    const void *bytes; /* the caller's */
    size_t size;
    int64_t calls;      /* that can fail, so far */
    int64_t fail_at;    /* the first one that fails; -1: none */
    int64_t fail_count; /* as many fail from there on; INT64_MAX: all */
    uint64_t fail_seed; /* not 0: from fail_at on one call in four fails, drawn with this seed */
    int64_t failures;   /* calls that failed */
    size_t largest_map; /* pages_map has no more than this at once; 0: no limit */
    int64_t live;       /* allocations, files, mappings, threads that were not given back */
    int64_t page_bytes; /* of pages_map, not given back */
    int64_t allocated;  /* bytes asked for since memory_file_serve */
    /* The file that is being written, and what the last one that got its name holds. */
    uint8_t *draft, *published;
    size_t draft_size, published_size;
} memory_file;

enum { MEMORY_FILE_READ = 1000, MEMORY_FILE_WRITTEN = 1001 };

static inline bool memory_file_fails(void) {
    int64_t call = memory_file.calls++;
    if (memory_file.fail_at < 0 || call < memory_file.fail_at)
        return false;
    bool fails = memory_file.fail_seed != 0
                     ? tern__philox(memory_file.fail_seed, (uint64_t)call).word[0] % 4 == 0
                     : call - memory_file.fail_at < memory_file.fail_count;
    memory_file.failures += fails;
    return fails;
}

static inline void *memory_file_alloc(size_t bytes) {
    if (memory_file_fails())
        return NULL;
    void *pointer = calloc(1, bytes > 0 ? bytes : 1);
    memory_file.live += pointer != NULL;
    memory_file.allocated += (int64_t)bytes;
    return pointer;
}

static inline void memory_file_free(void *pointer) {
    memory_file.live -= pointer != NULL;
    free(pointer);
}

static inline void *memory_file_pages_map(size_t bytes) {
    bool is_too_large = memory_file.largest_map != 0 && bytes > memory_file.largest_map;
    memory_file.failures += is_too_large;
    if (memory_file_fails() || is_too_large)
        return NULL;
    void *pages = tern__os_default.pages_map(bytes);
    memory_file.page_bytes += pages != NULL ? (int64_t)bytes : 0;
    return pages;
}

static inline void memory_file_pages_unmap(void *pages, size_t bytes) {
    memory_file.page_bytes -= (int64_t)bytes;
    tern__os_default.pages_unmap(pages, bytes);
}

static inline int memory_file_open(const char *path, int *fd) {
    (void)path;
    if (memory_file_fails())
        return EMFILE;
    memory_file.live++;
    *fd = MEMORY_FILE_READ;
    return 0;
}

static inline int memory_file_info(int fd, tern__os_file_info *info) {
    assert_int_equal(fd, MEMORY_FILE_READ);
    if (memory_file_fails())
        return EIO;
    *info = (tern__os_file_info){.size = memory_file.size, .is_regular = true};
    return 0;
}

static inline int memory_file_map(int fd, size_t bytes, const void **data) {
    assert_int_equal(fd, MEMORY_FILE_READ);
    assert_int_equal(bytes, memory_file.size);
    if (memory_file_fails())
        return ENOMEM;
    memory_file.live++;
    *data = memory_file.bytes;
    return 0;
}

static inline void memory_file_unmap(const void *data, size_t bytes) {
    assert_ptr_equal(data, memory_file.bytes);
    assert_int_equal(bytes, memory_file.size);
    memory_file.live--;
}

static inline void memory_file_drop(const void *data, size_t bytes) {
    const uint8_t *begin = memory_file.bytes, *dropped = data;
    assert_true(dropped >= begin && bytes <= memory_file.size - (size_t)(dropped - begin));
}

static inline void memory_file_close(int fd) {
    assert_true(fd == MEMORY_FILE_READ || fd == MEMORY_FILE_WRITTEN);
    memory_file.live--;
}

/* A draft and its open descriptor are one live thing each. */
static inline int memory_file_create(const char *path, int *fd) {
    assert_non_null(strstr(path, ".tern-"));
    assert_null(memory_file.draft);
    if (memory_file_fails())
        return EACCES;
    memory_file.draft = calloc(1, 1);
    memory_file.draft_size = 0;
    memory_file.live += 2;
    *fd = MEMORY_FILE_WRITTEN;
    return 0;
}

/* What fails has written a half. */
static inline int memory_file_write(int fd, uint64_t offset, const void *data, size_t bytes) {
    assert_int_equal(fd, MEMORY_FILE_WRITTEN);
    bool fails = memory_file_fails();
    size_t end = (size_t)offset + (fails ? bytes / 2 : bytes);
    if (end > memory_file.draft_size) {
        memory_file.draft = realloc(memory_file.draft, end + 1);
        assert_non_null(memory_file.draft);
        assert_true(offset <= memory_file.draft_size);
        memory_file.draft_size = end;
    }
    if (end > offset)
        memcpy(memory_file.draft + offset, data, end - (size_t)offset);
    return fails ? ENOSPC : 0;
}

static inline int memory_file_sync(int fd) {
    assert_int_equal(fd, MEMORY_FILE_WRITTEN);
    return memory_file_fails() ? EIO : 0;
}

static inline int memory_file_rename(const char *from, const char *to) {
    assert_non_null(memory_file.draft);
    assert_true(strncmp(from, to, strlen(to)) == 0);
    if (memory_file_fails())
        return EACCES;
    free(memory_file.published);
    memory_file.published = memory_file.draft;
    memory_file.published_size = memory_file.draft_size;
    memory_file.draft = NULL;
    memory_file.live--;
    return 0;
}

static inline void memory_file_unlink(const char *path) {
    assert_non_null(strstr(path, ".tern-"));
    assert_non_null(memory_file.draft);
    free(memory_file.draft);
    memory_file.draft = NULL;
    memory_file.live--;
}

static inline int memory_file_random(void *bytes, size_t count) {
    if (memory_file_fails())
        return EIO;
    return tern__os_default.random(bytes, count);
}

static inline int memory_file_thread_start(tern__os_thread *thread, void (*body)(void *),
                                           void *argument) {
    if (memory_file_fails())
        return EAGAIN;
    memory_file.live++;
    return tern__os_default.thread_start(thread, body, argument);
}

static inline void memory_file_thread_join(tern__os_thread thread) {
    memory_file.live--;
    tern__os_default.thread_join(thread);
}

/* What is not listed is the real thing. */
static inline void memory_file_install(void) {
    static tern__os_table table;
    table = tern__os_default;
    table.alloc = memory_file_alloc;
    table.free = memory_file_free;
    table.pages_map = memory_file_pages_map;
    table.pages_unmap = memory_file_pages_unmap;
    table.file_open = memory_file_open;
    table.file_info = memory_file_info;
    table.file_map = memory_file_map;
    table.file_unmap = memory_file_unmap;
    table.file_drop = memory_file_drop;
    table.file_close = memory_file_close;
    table.file_create = memory_file_create;
    table.file_write = memory_file_write;
    table.file_sync = memory_file_sync;
    table.file_rename = memory_file_rename;
    table.file_remove = memory_file_unlink;
    table.thread_start = memory_file_thread_start;
    table.thread_join = memory_file_thread_join;
    table.random = memory_file_random;
    tern__os_set(&table);
}

/* What was published is gone. */
static inline void memory_file_forget(void) {
    free(memory_file.published);
    memory_file.published = NULL;
    memory_file.published_size = 0;
}

static inline void memory_file_remove(void) {
    memory_file_forget();
    tern__os_set(NULL);
}

/* What every path opens from now on. Resets the counters and the failure, and what was written. */
static inline void memory_file_serve(const void *bytes, size_t size) {
    memory_file_forget();
    memset(&memory_file, 0, sizeof memory_file);
    memory_file.bytes = bytes;
    memory_file.size = size;
    memory_file.fail_at = -1;
    memory_file.fail_count = 1;
}

static inline void memory_file_check_empty(void) {
    if (memory_file.live != 0 || memory_file.page_bytes != 0)
        fail_msg("%lld allocations, files, mappings or threads and %lld bytes of pages are leaked",
                 (long long)memory_file.live, (long long)memory_file.page_bytes);
}

#endif
