/* SPDX-License-Identifier: MIT
 * Where a pool's pages come from: host memory, pinned host memory, the memory of a device. The pool
 * keeps its books apart, so the bytes need not be reachable by the CPU. */
#ifndef TERN__SOURCE_H
#define TERN__SOURCE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tern__source {
    const char *name; /* "host" */
    bool is_host;     /* the CPU may read and write the bytes */
    /* `bytes` is a multiple of TERN__PAGE, the result aligned to it; NULL: there is none. */
    void *(*map)(void *user, size_t bytes);
    void (*unmap)(void *user, void *pages, size_t bytes);
    /* Gives the memory of a range inside a mapping back and keeps the addresses, whose contents are
     * undefined from now on. NULL: the source cannot, its pages stay committed until unmapped. */
    void (*drop)(void *user, void *pages, size_t bytes);
    /* Asks for huge pages behind a range; a hint. May be NULL. */
    void (*huge)(void *user, void *pages, size_t bytes);
    void *user;
} tern__source;

/* Anonymous pages of the operating system, through the OS table. */
extern const tern__source tern__host_source;

#endif
