/* SPDX-License-Identifier: MIT
 *
 * Random operations on pools under a checker that shares nothing with them. Every block is known
 * here by address and size: its contents are a pattern of its own, written when it is made and
 * compared before it is released; a bitmap of 16-byte granules knows what is taken, so that two
 * blocks never share one; the pools' figures are compared with sums made here.
 *
 * Every thread owns a pool. It allocates from it, now and then from another's, and passes some of
 * its blocks on for others to release. With one thread: plain churn.
 */
#ifndef TERN_TEST_SOAK_H
#define TERN_TEST_SOAK_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/pool.h"

typedef struct soak_options {
    int64_t operations; /* allocations and releases, of all threads together */
    int threads;        /* 1..SOAK_THREADS */
    uint64_t seed;
    int largest_log2; /* sizes from 1 to 2^this, each octave as often */
    size_t live_max;  /* bytes, of all threads together */
    tern_tracking tracking;
} soak_options;

typedef struct soak_result {
    int64_t operations;
    size_t peak_live, peak_committed; /* sums of the pools' */
    size_t end_live, end_committed;   /* after the last operation, the live set still held */
    char complaint[512];              /* "": nothing is wrong */
} soak_result;

enum {
    SOAK_THREADS = 256,
    SOAK_BLOCKS = 20000, /* live blocks, of all threads together */
    SOAK_MAIL = 256,
    SOAK_SPOTS = 6,
    SOAK_WHOLE = 1024, /* blocks up to here are compared whole */
    SOAK_REGION_LOG2 = 22,
    SOAK_REGIONS = 1 << 14,
};

typedef struct soak_block {
    char *data;
    size_t bytes;
    uint64_t key; /* of the pattern */
    uint32_t kind;
    int pool;
} soak_block;

/* What is taken of 2^SOAK_REGION_LOG2 bytes of address space, a bit for 16 bytes. */
typedef struct soak_region {
    uintptr_t number;
    _Atomic uint64_t taken[((size_t)1 << SOAK_REGION_LOG2) / 16 / 64];
} soak_region;

typedef struct soak_state {
    soak_options options;
    soak_result *result;
    tern__pool *pools[SOAK_THREADS];
    _Atomic(soak_region *) regions[SOAK_REGIONS];
    _Atomic(soak_block *) mail[SOAK_MAIL];
    pthread_barrier_t barrier;
    pthread_mutex_t result_lock;
    atomic_bool is_failed;
    atomic_int empty_pools;
} soak_state;

typedef struct soak_thread {
    soak_state *soak;
    int index;
    uint64_t random;
    soak_block *live; /* (live_cap) */
    int live_count, live_cap;
    int64_t operations;
    size_t live_bytes, live_max; /* asked for, of `live` */
    int64_t live_tensors;
    size_t peak_committed;
} soak_thread;

/* The first complaint counts. Returns false. */
__attribute__((format(printf, 2, 3))) static bool soak_fail(soak_state *soak, const char *format,
                                                            ...) {
    if (!atomic_exchange(&soak->is_failed, true)) {
        va_list arguments;
        va_start(arguments, format);
        pthread_mutex_lock(&soak->result_lock);
        vsnprintf(soak->result->complaint, sizeof soak->result->complaint, format, arguments);
        pthread_mutex_unlock(&soak->result_lock);
        va_end(arguments);
    }
    return false;
}

static uint64_t soak_mix(uint64_t x) { /* splitmix64 */
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static uint64_t soak_random(soak_thread *thread) {
    return soak_mix(thread->random++);
}

/* -- contents ----------------------------------------------------------------------------------*/

/* Writes or compares the bytes of one 8-byte word of the pattern; false when they differ. */
static bool soak_word(const soak_block *block, size_t word, bool is_check) {
    uint64_t pattern = soak_mix(block->key ^ word);
    size_t left = block->bytes - 8 * word, count = left < 8 ? left : 8;
    if (is_check)
        return memcmp(block->data + 8 * word, &pattern, count) == 0;
    memcpy(block->data + 8 * word, &pattern, count);
    return true;
}

/* All of a small block; of others both ends and spots that depend on the key. */
static bool soak_pattern(const soak_block *block, bool is_check) {
    size_t words = (block->bytes + 7) / 8;
    if (block->bytes <= SOAK_WHOLE) {
        for (size_t w = 0; w < words; w++)
            if (!soak_word(block, w, is_check))
                return false;
        return true;
    }
    for (size_t w = 0; w < 8; w++)
        if (!soak_word(block, w, is_check) || !soak_word(block, words - 1 - w, is_check))
            return false;
    for (uint64_t i = 0; i < SOAK_SPOTS; i++)
        if (!soak_word(block, soak_mix(block->key + i) % words, is_check))
            return false;
    return true;
}

/* -- places ------------------------------------------------------------------------------------*/

static soak_region *soak_region_of(soak_state *soak, uintptr_t address) {
    uintptr_t number = address >> SOAK_REGION_LOG2;
    for (size_t i = soak_mix(number) % SOAK_REGIONS;; i = (i + 1) % SOAK_REGIONS) {
        soak_region *region = atomic_load_explicit(&soak->regions[i], memory_order_acquire);
        if (region == NULL) {
            soak_region *made = calloc(1, sizeof *made);
            if (made == NULL)
                abort();
            made->number = number;
            if (atomic_compare_exchange_strong(&soak->regions[i], &region, made))
                return made;
            free(made);
        }
        if (region->number == number)
            return region;
    }
}

/* Sets or clears the bits of `mask`, returns the word as it was. Relaxed, so that the checker
 * orders nothing between threads; a single one need not pay for it. */
static uint64_t soak_flip(_Atomic uint64_t *word, uint64_t mask, bool is_taking, bool is_alone) {
    if (is_alone) {
        uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
        atomic_store_explicit(word, is_taking ? old | mask : old & ~mask, memory_order_relaxed);
        return old;
    }
    return is_taking ? atomic_fetch_or_explicit(word, mask, memory_order_relaxed)
                     : atomic_fetch_and_explicit(word, ~mask, memory_order_relaxed);
}

/* Takes or leaves the granules of a block; false when one was taken already (or was not). */
static bool soak_place(soak_state *soak, const soak_block *block, bool is_taking) {
    const size_t granules = (size_t)1 << (SOAK_REGION_LOG2 - 4); /* of a region */
    uintptr_t at = (uintptr_t)block->data / 16;
    uintptr_t end = ((uintptr_t)block->data + block->bytes + 15) / 16;
    soak_region *region = NULL;
    bool is_good = true;
    while (at < end) {
        if (region == NULL || at % granules == 0)
            region = soak_region_of(soak, at * 16);
        uintptr_t stop = (at | 63) + 1 < end ? (at | 63) + 1 : end;
        uint64_t mask = UINT64_MAX >> (64 - (stop - at)) << at % 64;
        uint64_t old = soak_flip(&region->taken[at % granules / 64], mask, is_taking,
                                 soak->options.threads == 1);
        is_good = is_good && (old & mask) == (is_taking ? 0 : mask);
        at = stop;
    }
    return is_good;
}

/* -- operations --------------------------------------------------------------------------------*/

static size_t soak_draw_size(soak_thread *thread) {
    uint64_t random = soak_random(thread);
    int octave = (int)(random % (uint64_t)thread->soak->options.largest_log2);
    size_t low = (size_t)1 << octave;
    if (random >> 61 == 0) /* where sizes change their class */
        return low + (random >> 59 & 3) - (low > 1);
    return low + (size_t)((random >> 8) & (low - 1));
}

static bool soak_alloc(soak_thread *thread) {
    soak_state *soak = thread->soak;
    soak_block block = {.bytes = soak_draw_size(thread), .key = soak_random(thread)};
    uint64_t random = soak_random(thread);
    block.kind = block.bytes <= 512 && (random & 1) ? TERN__BLOCK_HEADER : TERN__BLOCK_DATA;
    block.kind |= random & 2 ? TERN__BLOCK_TENSOR : 0;
    block.pool = thread->index;
    if (soak->options.threads > 1 && (random >> 2) % 16 == 0)
        block.pool = (int)((random >> 8) % (uint64_t)soak->options.threads);

    void *data;
    tern__note note = {.op = "soak", .rank = -1};
    if (tern__pool_alloc(soak->pools[block.pool], block.bytes, block.kind, &note, &data) != TERN_OK)
        return soak_fail(soak, "%zu bytes: %s", block.bytes, tern_last_error());
    block.data = data;
    size_t alignment = block.kind & TERN__BLOCK_DATA ? 64 : 16;
    if ((uintptr_t)data % alignment != 0)
        return soak_fail(soak, "%zu bytes at %p, not aligned to %zu", block.bytes, data, alignment);
    if (!soak_place(soak, &block, true))
        return soak_fail(soak, "%zu bytes at %p overlap a live block", block.bytes, data);
    soak_pattern(&block, false);
    thread->live[thread->live_count++] = block;
    thread->live_bytes += block.bytes;
    thread->live_tensors += (block.kind & TERN__BLOCK_TENSOR) != 0;
    thread->operations++;
    return true;
}

static bool soak_release(soak_thread *thread, const soak_block *block) {
    soak_state *soak = thread->soak;
    thread->operations++;
    if (!soak_pattern(block, true))
        return soak_fail(soak, "%zu bytes at %p: the contents changed", block->bytes,
                         (void *)block->data);
    if (!soak_place(soak, block, false))
        return soak_fail(soak, "%zu bytes at %p: another block was there", block->bytes,
                         (void *)block->data);
    tern__pool_free(soak->pools[block->pool], block->data, block->bytes, block->kind);
    return true;
}

/* Releases live block `i`, or puts it into the mail and releases what was there. */
static bool soak_drop(soak_thread *thread, int i) {
    soak_state *soak = thread->soak;
    soak_block block = thread->live[i];
    thread->live[i] = thread->live[--thread->live_count];
    thread->live_bytes -= block.bytes;
    thread->live_tensors -= (block.kind & TERN__BLOCK_TENSOR) != 0;
    uint64_t random = soak_random(thread);
    if (soak->options.threads == 1 || random % 4 != 0)
        return soak_release(thread, &block);

    soak_block *letter = malloc(sizeof *letter);
    if (letter == NULL)
        abort();
    *letter = block;
    letter = atomic_exchange_explicit(&soak->mail[(random >> 8) % SOAK_MAIL], letter,
                                      memory_order_acq_rel);
    if (letter == NULL)
        return true;
    bool is_good = soak_release(thread, letter);
    free(letter);
    return is_good;
}

/* The largest of eight at random makes most room: small blocks live longer. */
static int soak_choose_large(soak_thread *thread) {
    int chosen = 0;
    for (int i = 0; i < 8; i++) {
        int at = (int)(soak_random(thread) % (uint64_t)thread->live_count);
        if (i == 0 || thread->live[at].bytes > thread->live[chosen].bytes)
            chosen = at;
    }
    return chosen;
}

/* One allocation, a quarter of them released at once; then releases until the bounds hold. */
static bool soak_step(soak_thread *thread) {
    if (!soak_alloc(thread))
        return false;
    if (soak_random(thread) % 4 == 0)
        return soak_drop(thread, thread->live_count - 1);
    if (thread->live_count == thread->live_cap &&
        !soak_drop(thread, (int)(soak_random(thread) % (uint64_t)thread->live_count)))
        return false;
    while (thread->live_bytes > thread->live_max)
        if (!soak_drop(thread, soak_choose_large(thread)))
            return false;
    return true;
}

/* -- figures -----------------------------------------------------------------------------------*/

/* Compares the running figures of the only thread's pool with the sums made here. */
static bool soak_check_stats(soak_thread *thread) {
    soak_state *soak = thread->soak;
    tern_memory_stats stats = tern__pool_stats(soak->pools[thread->index]);
    if (stats.committed_bytes > thread->peak_committed)
        thread->peak_committed = stats.committed_bytes;
    if (soak->options.threads > 1)
        return true;
    if (stats.live_bytes != thread->live_bytes || stats.live_tensors != thread->live_tensors)
        return soak_fail(soak, "the pool counts %zu bytes, %lld tensors alive; %zu, %lld are",
                         stats.live_bytes, (long long)stats.live_tensors, thread->live_bytes,
                         (long long)thread->live_tensors);
    if (stats.committed_bytes < stats.live_bytes || stats.mapped_bytes < stats.committed_bytes ||
        stats.peak_bytes < stats.live_bytes)
        return soak_fail(soak, "live %zu, peak %zu, committed %zu, mapped %zu", stats.live_bytes,
                         stats.peak_bytes, stats.committed_bytes, stats.mapped_bytes);
    return true;
}

/* No other thread uses the pool. */
static bool soak_verify(soak_thread *thread) {
    char text[256] = "";
    tern_memory_figures figures;
    if (!tern__pool_verify(thread->soak->pools[thread->index], &figures, text, sizeof text))
        return soak_fail(thread->soak, "verify: %s", text);
    if (thread->soak->options.threads == 1 && figures.live_blocks != thread->live_count)
        return soak_fail(thread->soak, "%lld blocks are alive for the pool, really %d",
                         (long long)figures.live_blocks, thread->live_count);
    return true;
}

static void soak_churn(soak_thread *thread) {
    soak_state *soak = thread->soak;
    int64_t quota = soak->options.operations / soak->options.threads;
    int64_t verify_step = quota / 64 + 1, verify_next = verify_step;
    for (int64_t step = 0; thread->operations < quota; step++) {
        if (atomic_load_explicit(&soak->is_failed, memory_order_relaxed) || !soak_step(thread))
            return;
        if (step % 256 == 0 && !soak_check_stats(thread))
            return;
        if (soak->options.threads == 1 && thread->operations >= verify_next) {
            verify_next += verify_step;
            if (!soak_verify(thread))
                return;
        }
    }
    soak_check_stats(thread);
}

static void soak_add_result(soak_thread *thread) {
    soak_result *result = thread->soak->result;
    tern_memory_stats stats = tern__pool_stats(thread->soak->pools[thread->index]);
    pthread_mutex_lock(&thread->soak->result_lock);
    result->operations += thread->operations;
    result->peak_live += stats.peak_bytes;
    result->peak_committed += thread->peak_committed;
    result->end_live += stats.live_bytes;
    result->end_committed += stats.committed_bytes;
    pthread_mutex_unlock(&thread->soak->result_lock);
}

/* -- life --------------------------------------------------------------------------------------*/

static void soak_on_empty(void *user) {
    soak_state *soak = user;
    atomic_fetch_add_explicit(&soak->empty_pools, 1, memory_order_relaxed);
}

/* Leaves the pool in the midst of releasing what is left. After a failure the rest is left alone:
 * the books may be damaged. */
static void soak_end(soak_thread *thread) {
    soak_state *soak = thread->soak;
    int abandon_at = thread->live_count / 2;
    bool is_good = true;
    for (int i = thread->live_count; i >= 0 && is_good; i--) {
        if (i == abandon_at)
            tern__pool_abandon(soak->pools[thread->index], soak_on_empty, soak);
        if (i > 0)
            is_good = soak_release(thread, &thread->live[i - 1]);
    }
    thread->live_count = 0;
    for (int i = 0; i < SOAK_MAIL && is_good; i++) {
        soak_block *letter = atomic_exchange(&soak->mail[i], NULL);
        if (letter != NULL)
            is_good = soak_release(thread, letter);
        free(letter);
    }
}

static void *soak_body(void *argument) {
    soak_thread *thread = argument;
    soak_state *soak = thread->soak;
    tern__pool_options options = {.tracking = soak->options.tracking};
    if (tern__pool_create(&options, &soak->pools[thread->index]) != TERN_OK)
        soak_fail(soak, "tern__pool_create: %s", tern_last_error());
    pthread_barrier_wait(&soak->barrier); /* all pools are there */
    if (!atomic_load(&soak->is_failed))
        soak_churn(thread);
    pthread_barrier_wait(&soak->barrier); /* nobody uses this thread's pool */
    if (!atomic_load(&soak->is_failed)) {
        soak_verify(thread);
        soak_add_result(thread);
    }
    pthread_barrier_wait(&soak->barrier);
    if (!atomic_load(&soak->is_failed))
        soak_end(thread);
    return NULL;
}

static void soak_start(soak_state *soak, soak_thread *thread, int index) {
    int threads = soak->options.threads;
    thread->soak = soak;
    thread->index = index;
    thread->random = soak_mix(soak->options.seed) + ((uint64_t)index << 48);
    thread->live_cap = SOAK_BLOCKS / threads + 1;
    thread->live_max = soak->options.live_max / (size_t)threads;
    thread->live = calloc((size_t)thread->live_cap, sizeof *thread->live);
    if (thread->live == NULL)
        abort();
}

/* `result->complaint` says what was found. */
static void soak_run(const soak_options *options, soak_result *result) {
    static const soak_result nothing;
    *result = nothing;
    soak_state *soak = calloc(1, sizeof *soak);
    soak_thread *threads = calloc((size_t)options->threads, sizeof *threads);
    pthread_t *handles = calloc((size_t)options->threads, sizeof *handles);
    if (soak == NULL || threads == NULL || handles == NULL)
        abort();
    soak->options = *options;
    soak->result = result;
    pthread_barrier_init(&soak->barrier, NULL, (unsigned)options->threads);
    pthread_mutex_init(&soak->result_lock, NULL);
    for (int i = 0; i < options->threads; i++) {
        soak_start(soak, &threads[i], i);
        if (pthread_create(&handles[i], NULL, soak_body, &threads[i]) != 0)
            abort();
    }
    for (int i = 0; i < options->threads; i++) {
        pthread_join(handles[i], NULL);
        free(threads[i].live);
    }
    int empty = atomic_load(&soak->empty_pools);
    if (empty != options->threads)
        soak_fail(soak, "%d of %d pools were freed by their last block", empty, options->threads);
    for (int i = 0; i < SOAK_REGIONS; i++)
        free(atomic_load(&soak->regions[i]));
    pthread_barrier_destroy(&soak->barrier);
    pthread_mutex_destroy(&soak->result_lock);
    free(handles);
    free(threads);
    free(soak);
}

#endif
