/* SPDX-License-Identifier: MIT
 *
 * The memory of a context: size classes for small blocks, page runs for large ones.
 *
 * Sizes are rounded up to classes: eight per doubling, so at most 12.5 % apart, and steps of 64
 * bytes up to 512. Small (up to 1 MiB): cut from chunks that the operating system gives; a released
 * block goes on its class's free list. Large: mapped on their own, page aligned, with huge pages
 * asked for from 2 MiB on; the last few released (8 blocks, 64 MiB) are kept for reuse by blocks of
 * the same class. Any thread may call; a lock guards the lists. Under AddressSanitizer free blocks
 * and slack are poisoned.
 */
#ifndef TERN__POOL_H
#define TERN__POOL_H

#include <stddef.h>
#include <stdint.h>

#include <tern/base.h>

typedef struct tern__pool tern__pool;

typedef struct tern__pool_stats {
    size_t live_bytes; /* as requested */
    size_t peak_bytes;
    size_t mapped_bytes; /* from the operating system, now */
    int64_t live_blocks;
} tern__pool_stats;

/* max_bytes: limit on live_bytes, 0 for none. */
tern_status tern__pool_create(size_t max_bytes, tern__pool **pool);

/* Every block must be free. NULL is fine. */
void tern__pool_destroy(tern__pool *pool);

/* 64-byte aligned, contents undefined; bytes >= 0 (0 gives a valid block). TERN_E_MEMORY or
 * TERN_E_LIMIT. `bytes` is told again at free. */
tern_status tern__pool_alloc(tern__pool *pool, size_t bytes, void **block);
void tern__pool_free(tern__pool *pool, void *block, size_t bytes); /* NULL is fine */

tern__pool_stats tern__pool_stats_get(tern__pool *pool);

#endif
