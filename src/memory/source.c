/* SPDX-License-Identifier: MIT */
#include "memory/source.h"

#include "base/os.h"

static void *host_map(void *user, size_t bytes) {
    (void)user;
    return tern__os()->pages_map(bytes);
}

static void host_unmap(void *user, void *pages, size_t bytes) {
    (void)user;
    tern__os()->pages_unmap(pages, bytes);
}

static void host_drop(void *user, void *pages, size_t bytes) {
    (void)user;
    tern__os()->pages_drop(pages, bytes);
}

static void host_huge(void *user, void *pages, size_t bytes) {
    (void)user;
    tern__os()->pages_huge(pages, bytes);
}

const tern__source tern__host_source = {
    .name = "host",
    .is_host = true,
    .map = host_map,
    .unmap = host_unmap,
    .drop = host_drop,
    .huge = host_huge,
};
