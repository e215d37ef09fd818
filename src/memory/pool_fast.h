/* SPDX-License-Identifier: MIT
 *
 * The owner's path for the blocks of a tensor, laid out in the caller, with what the caller knows
 * already (the class, header and data together): a pair costs a third less than by the functions of
 * pool.h, which everything else calls.
 *
 * True when the owner's bins served; else nothing has changed and the caller takes the way of
 * pool.h. `bytes` are those of the block or of both together. */
#ifndef TERN__POOL_FAST_H
#define TERN__POOL_FAST_H

#include "memory/pool_state.h"

/* Counts a tensor of `bytes` in, unless that makes a new peak or reaches a limit. */
static inline bool tern__pool_count_tensor(tern__pool *pool, size_t bytes) {
    int64_t live = TERN__GET(pool->owner_live) + (int64_t)bytes;
    int64_t tensors = TERN__GET(pool->owner_tensors) + 1;
    if (live > TERN__GET(pool->threshold) || tensors > TERN__GET(pool->tensor_threshold))
        return false;
    TERN__SET(pool->owner_live, live);
    TERN__SET(pool->owner_tensors, tensors);
    return true;
}

static inline bool tern__pool_take_one(tern__pool *pool, size_t c, size_t bytes, void **block) {
    if (TERN__GET(pool->owner) != tern__thread_number)
        return false;
    tern__bin *bin = &pool->bins.bins[c];
    uint32_t count = TERN__GET(bin->count);
    if (count == 0 || !tern__pool_count_tensor(pool, bytes))
        return false;
    *block = tern__bin_pop(bin, count);
    tern__mark_used(pool, *block, bytes, tern__class_room((int)c));
    return true;
}

/* Header and data; `c` is the class of the data, another one than that of the header. */
static inline bool tern__pool_take_two(tern__pool *pool, size_t header_class, size_t c,
                                       size_t header, size_t bytes, void *blocks[2]) {
    if (TERN__GET(pool->owner) != tern__thread_number)
        return false;
    tern__bin *first = &pool->bins.bins[header_class], *second = &pool->bins.bins[c];
    uint32_t headers = TERN__GET(first->count), count = TERN__GET(second->count);
    if (headers == 0 || count == 0 || !tern__pool_count_tensor(pool, header + bytes))
        return false;
    blocks[0] = tern__bin_pop(first, headers);
    blocks[1] = tern__bin_pop(second, count);
    tern__mark_used(pool, blocks[0], header, tern__class_room((int)header_class));
    tern__mark_used(pool, blocks[1], bytes, tern__class_room((int)c));
    return true;
}

static inline void tern__pool_count_out(tern__pool *pool, size_t bytes, int64_t tensors) {
    TERN__SET(pool->owner_live, TERN__GET(pool->owner_live) - (int64_t)bytes);
    TERN__SET(pool->owner_tensors, TERN__GET(pool->owner_tensors) - tensors);
}

/* `tensors`: 1 while the block counts as one. */
static inline bool tern__pool_give_one(tern__pool *pool, size_t c, size_t bytes, int64_t tensors,
                                       void *block) {
    if (TERN__GET(pool->owner) != tern__thread_number)
        return false;
    tern__bin *bin = &pool->bins.bins[c];
    uint32_t count = TERN__GET(bin->count);
    if (count >= bin->capacity)
        return false;
    tern__mark_free(pool, block, tern__class_room((int)c));
    tern__bin_push(bin, count, block);
    tern__pool_count_out(pool, bytes, tensors);
    return true;
}

static inline bool tern__pool_give_two(tern__pool *pool, size_t header_class, size_t c,
                                       size_t bytes, int64_t tensors, void *const blocks[2]) {
    if (TERN__GET(pool->owner) != tern__thread_number)
        return false;
    tern__bin *first = &pool->bins.bins[header_class], *second = &pool->bins.bins[c];
    uint32_t headers = TERN__GET(first->count), count = TERN__GET(second->count);
    if (headers >= first->capacity || count >= second->capacity)
        return false;
    tern__mark_free(pool, blocks[0], tern__class_room((int)header_class));
    tern__mark_free(pool, blocks[1], tern__class_room((int)c));
    tern__bin_push(first, headers, blocks[0]);
    tern__bin_push(second, count, blocks[1]);
    tern__pool_count_out(pool, bytes, tensors);
    return true;
}

#endif
