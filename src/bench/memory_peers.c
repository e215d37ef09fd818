/* SPDX-License-Identifier: MIT */
#include "bench/memory_peers.h"

#include <stdio.h>
#include <string.h>

#include "base/library.h"
#include "bench/rows.h"

static const struct {
    const char *name, *file, *allocate, *release;
} known[TERN__PEERS] = {
    [TERN__PEER_GLIBC] = {"glibc", "libc.so.6", "malloc", "free"},
    [TERN__PEER_JEMALLOC] = {"jemalloc", "libjemalloc.so.2", "malloc", "free"},
    [TERN__PEER_MIMALLOC] = {"mimalloc", "libmimalloc.so.2", "mi_malloc", "mi_free"},
};

void tern__peers_find(tern__peer peers[TERN__PEERS], const tern_bench_table_options *options) {
    for (int i = 0; i < TERN__PEERS; i++) {
        tern__peer *peer = &peers[i];
        *peer = (tern__peer){.name = known[i].name};
        const char *given = options != NULL ? tern__peer_path(options, peer->name) : NULL;
        const char *file = given != NULL ? given : known[i].file;
        tern__library *library = tern__library_open(file, peer->why, sizeof peer->why);
        if (library == NULL)
            continue;
        void *allocate = tern__library_symbol(library, known[i].allocate);
        void *release = tern__library_symbol(library, known[i].release);
        if (allocate == NULL || release == NULL) {
            snprintf(peer->why, sizeof peer->why, "%s has no %s", file,
                     allocate == NULL ? known[i].allocate : known[i].release);
            tern__library_close(library);
            continue;
        }
        memcpy(&peer->allocate, &allocate, sizeof allocate);
        memcpy(&peer->release, &release, sizeof release);
    }
}

bool tern__peers_need_restart(void) {
    tern__peer peers[TERN__PEERS];
    tern__peers_find(peers, NULL);
    for (int i = 0; i < TERN__PEERS; i++)
        if (strstr(peers[i].why, "static TLS") != NULL)
            return true;
    return false;
}
