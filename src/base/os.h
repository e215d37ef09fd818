/* SPDX-License-Identifier: MIT
 *
 * Everything the operating system gives, behind one table, so that tests can make each call fail
 * at will. Library code reaches the system only through tern__os; tests install a table of their
 * own with tern__os_set() before the library is used and restore the default afterwards.
 */
#ifndef TERN__OS_H
#define TERN__OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tern__os_file_info {
    uint64_t size; /* bytes; 0 for what is not a regular file */
    bool is_regular;
    bool is_directory;
} tern__os_file_info;

typedef struct tern__os_thread {
    uint64_t opaque;
} tern__os_thread;

/* Calls that return int: 0 on success, else an errno value. */
typedef struct tern__os_table {
    /* Small internal structures, zeroed, aligned to 16; NULL when there is no memory. */
    void *(*alloc)(size_t bytes);
    void (*free)(void *pointer);
    /* Anonymous pages, zeroed and committed lazily; NULL when there is no memory. */
    void *(*pages_map)(size_t bytes);
    void (*pages_unmap)(void *pages, size_t bytes);
    /* Asks for huge pages behind a range of pages_map; a hint, may do nothing. */
    void (*pages_huge)(void *pages, size_t bytes);
    /* Gives back the memory behind the whole pages inside a range of pages_map, whose contents are
     * undefined from now on; the addresses stay valid. A hint, may do nothing. */
    void (*pages_drop)(void *pages, size_t bytes);

    int (*file_open)(const char *path, int *fd); /* for reading */
    int (*file_info)(int fd, tern__os_file_info *info);
    int (*file_map)(int fd, size_t bytes, const void **data); /* read only, private */
    void (*file_unmap)(const void *data, size_t bytes);
    /* Tells that the pages inside [data, data+bytes) will not be read again soon: drops them from
     * this process's resident set. They stay valid. */
    void (*file_drop)(const void *data, size_t bytes);
    void (*file_close)(int fd);

    /* A new file for writing; EEXIST when there is one of this name. */
    int (*file_create)(const char *path, int *fd);
    /* All of [data, data+bytes), from byte `offset` of the file on. */
    int (*file_write)(int fd, uint64_t offset, const void *data, size_t bytes);
    int (*file_sync)(int fd); /* what was written is on the disk afterwards */
    /* Replaces `to` when it exists; everybody sees the one or the other. */
    int (*file_rename)(const char *from, const char *to);
    void (*file_remove)(const char *path);
    int (*directory_create)(const char *path); /* EEXIST when there is one */

    /* The beginning of a file that may have no size (/proc, /sys): up to size - 1 bytes, and a NUL.
     */
    int (*file_text)(const char *path, char *text, size_t size);

    uint64_t (*clock_ns)(void);   /* monotonic */
    uint64_t (*process_ns)(void); /* processor time of all threads of this process */
    /* Keeps the calling thread on the index-th processor that the process may use (modulo their
     * number), or lets it go where it may (-1). A hint, may do nothing. */
    void (*thread_pin)(int index);
    int (*thread_start)(tern__os_thread *thread, void (*body)(void *), void *argument);
    void (*thread_join)(tern__os_thread thread);
    int (*random)(void *bytes, size_t count); /* unpredictable bytes, for seeds */

    /* Runs the program argv[0], looked for along PATH when it has no slash, with the environment
     * and the processors of the caller, and waits for its end. `output` gets the beginning of what
     * it prints, up to size - 1 bytes, and a NUL; its messages for people are dropped and it reads
     * nothing. *exit_status is 128 and the signal's number when one ended it, as in a shell. */
    int (*program_run)(const char *const argv[], char *output, size_t size, int *exit_status);
} tern__os_table;

extern const tern__os_table tern__os_default;

/* The table in force. Never NULL. */
const tern__os_table *tern__os(void);

/* Installs `table`, or the default when it is NULL. Not thread safe: for tests, before use. */
void tern__os_set(const tern__os_table *table);

/* Facts that cannot fail; 0 where the system does not tell. */
int tern__os_cpu_count(void);       /* processors this process may run on (affinity) */
bool tern__os_cpu_allowed(int cpu); /* by its number in /proc/stat; true where nobody tells */
size_t tern__os_page_size(void);
uint64_t tern__os_resident_bytes(void); /* resident set now */
uint64_t tern__os_peak_bytes(void);     /* largest resident set so far */

#endif
