/* SPDX-License-Identifier: MIT
 *
 * An OS table for tests: every path opens one file that lies in memory, allocations are counted,
 * and any one call can be made to fail.
 *
 *     memory_file_install();
 *     memory_file_serve(bytes, size);
 *     memory_file.fail_at = 3;          the fourth call that can fail does
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
    int64_t calls;     /* that can fail, so far */
    int64_t fail_at;   /* this one fails; -1: none */
    int64_t live;      /* allocations, open files and mappings that were not given back */
    int64_t allocated; /* bytes asked for since memory_file_serve */
} memory_file;

static inline bool memory_file_fails(void) {
    return memory_file.calls++ == memory_file.fail_at;
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
    if (memory_file_fails())
        return NULL;
    void *pages = tern__os_default.pages_map(bytes);
    memory_file.live += pages != NULL;
    return pages;
}

static inline void memory_file_pages_unmap(void *pages, size_t bytes) {
    memory_file.live--;
    tern__os_default.pages_unmap(pages, bytes);
}

static inline int memory_file_open(const char *path, int *fd) {
    (void)path;
    if (memory_file_fails())
        return EMFILE;
    memory_file.live++;
    *fd = 1000;
    return 0;
}

static inline int memory_file_info(int fd, tern__os_file_info *info) {
    assert_int_equal(fd, 1000);
    if (memory_file_fails())
        return EIO;
    *info = (tern__os_file_info){.size = memory_file.size, .is_regular = true};
    return 0;
}

static inline int memory_file_map(int fd, size_t bytes, const void **data) {
    assert_int_equal(fd, 1000);
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
    assert_int_equal(fd, 1000);
    memory_file.live--;
}

static inline int memory_file_random(void *bytes, size_t count) {
    if (memory_file_fails())
        return EIO;
    return tern__os_default.random(bytes, count);
}

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
    table.random = memory_file_random;
    tern__os_set(&table);
}

static inline void memory_file_remove(void) {
    tern__os_set(NULL);
}

/* What every path opens from now on. Resets the counters and the failure. */
static inline void memory_file_serve(const void *bytes, size_t size) {
    memory_file.bytes = bytes;
    memory_file.size = size;
    memory_file.calls = 0;
    memory_file.fail_at = -1;
    memory_file.live = 0;
    memory_file.allocated = 0;
}

static inline void memory_file_check_empty(void) {
    if (memory_file.live != 0)
        fail_msg("%lld allocations, files or mappings are leaked", (long long)memory_file.live);
}

#endif
