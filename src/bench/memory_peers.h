/* SPDX-License-Identifier: MIT
 * The allocators that the pool is measured beside, where they are installed: opened at run time, so
 * that all of them serve one process in the same run. */
#ifndef TERN__MEMORY_PEERS_H
#define TERN__MEMORY_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#include <tern/bench.h>

enum { TERN__PEER_GLIBC, TERN__PEER_JEMALLOC, TERN__PEER_MIMALLOC, TERN__PEERS };

typedef struct tern__peer {
    const char *name;               /* "jemalloc" */
    void *(*allocate)(size_t size); /* NULL: it is not here */
    void (*release)(void *block);
    char why[192]; /* why it is not here */
} tern__peer;

/* Where the options name a path for one it is that. They stay open for the life of the process. */
void tern__peers_find(tern__peer peers[TERN__PEERS], const tern_bench_table_options *options);

/* One is installed, but a running process has too little room left for its thread-local variables:
 * it can be opened after a start with more (TERN__PEERS_TUNABLE). */
bool tern__peers_need_restart(void);

/* For GLIBC_TUNABLES: bytes that the dynamic linker sets aside for libraries opened later. */
#define TERN__PEERS_TUNABLE "glibc.rtld.optional_static_tls=16384"

#endif
