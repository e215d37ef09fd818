/* SPDX-License-Identifier: MIT
 * What the tests of the pool share: an OS table that counts and refuses, with a clock of its own,
 * and a pool beside a list of what should be in it. */
#ifndef TERN_TEST_POOL_FIXTURE_H
#define TERN_TEST_POOL_FIXTURE_H

#include "support.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/os.h"
#include "memory/pool.h"
#include "memory/pool_state.h"

enum { HEADER = TERN__BLOCK_HEADER, DATA = TERN__BLOCK_DATA, TENSOR = TERN__BLOCK_TENSOR };

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* Refuses alloc and map call number `refuse_at`, or all from it on, and to map more than
 * `most_mapped` at a time. */
static struct {
    tern__os_table table;
    atomic_llong calls, blocks, mapped;
    long long refuse_at;   /* -1: never */
    long long most_mapped; /* bytes */
    bool refuses_from_then_on;
    _Atomic uint64_t clock;
} os;

static inline bool os_refuses(void) {
    long long call = os.calls++;
    return os.refuse_at >= 0 &&
           (call == os.refuse_at || (os.refuses_from_then_on && call > os.refuse_at));
}

static inline void *os_counted_map(size_t bytes) {
    bool is_refused = os_refuses() || os.mapped + (long long)bytes > os.most_mapped;
    void *pages = is_refused ? NULL : tern__os_default.pages_map(bytes);
    if (pages != NULL)
        os.mapped += (long long)bytes;
    return pages;
}

static inline void os_counted_unmap(void *pages, size_t bytes) {
    os.mapped -= (long long)bytes;
    tern__os_default.pages_unmap(pages, bytes);
}

static inline void *os_counted_alloc(size_t bytes) {
    void *block = os_refuses() ? NULL : tern__os_default.alloc(bytes);
    os.blocks += block != NULL;
    return block;
}

static inline void os_counted_free(void *block) {
    os.blocks -= block != NULL;
    tern__os_default.free(block);
}

static inline uint64_t os_simulated_clock(void) {
    return os.clock;
}

static inline int set_up(void **state) {
    (void)state;
    os.table = tern__os_default;
    os.table.pages_map = os_counted_map;
    os.table.pages_unmap = os_counted_unmap;
    os.table.alloc = os_counted_alloc;
    os.table.free = os_counted_free;
    os.table.clock_ns = os_simulated_clock;
    os.calls = os.blocks = os.mapped = 0;
    os.refuse_at = -1;
    os.most_mapped = INT64_MAX / 2;
    os.clock = UINT64_C(1000000000000);
    tern__os_set(&os.table);
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    tern__os_set(NULL);
    if (os.mapped != 0 || os.blocks != 0)
        print_error("%lld bytes mapped and %lld blocks are left\n", (long long)os.mapped,
                    (long long)os.blocks);
    return os.mapped == 0 && os.blocks == 0 ? 0 : -1;
}

#define POOL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static inline tern__pool *new_pool(const tern__pool_options *options) {
    tern__pool *pool = NULL;
    test_ok(tern__pool_create(options, &pool));
    return pool;
}

static inline tern__pool *plain_pool(void) {
    return new_pool(&(tern__pool_options){.max_bytes = 0});
}

static inline void *new_block(tern__pool *pool, size_t bytes, unsigned kind) {
    void *block = NULL;
    test_ok(tern__pool_alloc(pool, bytes, kind, NULL, &block));
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % ((kind & DATA) != 0 ? 64 : 16), 0);
    return block;
}

/* Makes the peak as high as need be for the bins to bind `bytes`, and hardly more; nothing of it
 * stays. */
static inline void raise_bins_bound(tern__pool *pool, size_t bytes) {
    for (size_t most = 0; tern__bins_bound(pool) < bytes;) {
        most += 4 * MIB;
        tern__pool_free(pool, new_block(pool, most, DATA), most, DATA);
        tern__pool_trim(pool);
    }
    assert_true(tern__bins_bound(pool) < bytes + MIB);
}

/* What the bins of a pool that was not used yet may hold. */
static inline size_t first_bytes(tern__pool *pool) {
    size_t bytes = 0;
    for (int c = 0; c < TERN__CLASSES; c++)
        bytes += pool->bins.bins[c].capacity * tern__class_room(c);
    return bytes;
}

static inline tern_memory_figures verified(tern__pool *pool) {
    tern_memory_figures figures;
    char text[200] = "";
    if (!tern__pool_verify(pool, &figures, text, sizeof text))
        fail_msg("%s", text);
    return figures;
}

#endif
