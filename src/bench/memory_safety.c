/* SPDX-License-Identifier: MIT
 * Targets T5d and T5e: nothing is left, leaks are found, and what can be served is served. */
#include <math.h>
#include <stdio.h>

#include "base/os.h"
#include "base/philox.h"
#include "base/realmath.h"
#include "base/status.h"
#include "bench/memory_bench.h"
#include "bench/memory_calls.h"
#include "memory/poison.h"
#include "memory/pool.h"

/* -- T5d: leaks --------------------------------------------------------------------------------*/

enum { MIX_ROUNDS = 50, QUICK_MIX_ROUNDS = 10 };

static tern_status show_left(tern__memory_bench *bench) {
    tern_bench_row row = tern__row("T5d", "tensors and bytes alive after the op mix", "");
    tern_context *context = NULL;
    tern_status status = TERN_OK;
    row.floor = row.goal = 0;
    if (tern__row_listed(&bench->table, &row))
        return TERN_OK;
    TERN__TRY(tern_context_create(
        &(tern_options){.device = "cpu", .threads = 1, .cpu = bench->table.options.cpu}, &context));
    TERN__TRY(
        tern__op_mix(context, 3, bench->table.options.is_quick ? QUICK_MIX_ROUNDS : MIX_ROUNDS));
    tern_memory_stats stats = tern_context_memory(context);
    tern__row_count(&row, (double)stats.live_tensors + (double)stats.live_bytes);
    snprintf(row.detail, sizeof row.detail, "%lld tensors, %zu bytes; up to %lld and %zu before",
             (long long)stats.live_tensors, stats.live_bytes, (long long)stats.peak_tensors,
             stats.peak_bytes);
done:
    tern_context_destroy(context);
    if (status != TERN_OK)
        return tern__row_failed(&bench->table, &row, status);
    tern__row_show(&bench->table, &row);
    return TERN_OK;
}

static tern_status show_leaks(tern__memory_bench *bench) {
    tern_bench_row row = tern__row("T5d", "planted leaks not reported with their site", "");
    tern__leaks leaks;
    row.floor = row.goal = 0;
    if (tern__row_listed(&bench->table, &row))
        return TERN_OK;
    tern_status status = tern__plant_leaks(bench->table.options.cpu, &leaks);
    if (status != TERN_OK)
        return tern__row_failed(&bench->table, &row, status);
    tern__row_count(&row, leaks.planted - leaks.found + leaks.wrong);
    snprintf(row.detail, sizeof row.detail,
             "%d of %d found, one at each call that makes a tensor; %d false reports", leaks.found,
             leaks.planted, leaks.wrong);
    tern__row_show(&bench->table, &row);
    return TERN_OK;
}

/* -- T5e: success ------------------------------------------------------------------------------*/

typedef struct success {
    int64_t asked, served, refused, wrong;
    size_t largest; /* served */
} success;

/* A refusal is right when it is a typed error and the system itself has no such range left. */
static bool is_refusal_right(tern_status status, size_t bytes) {
    if (status != TERN_E_MEMORY && status != TERN_E_LIMIT)
        return false;
    size_t page = tern__os_page_size();
    size_t rounded = (bytes + page - 1) / page * page;
    void *pages = tern__os()->pages_map(rounded);
    if (pages != NULL)
        tern__os()->pages_unmap(pages, rounded);
    return pages == NULL;
}

static void try_size(tern_context *context, size_t bytes, success *result) {
    tern_tensor *tensor;
    tern_shape shape = TERN_SHAPE((int64_t)bytes);
    tern_status status = tern_tensor_empty(context, TERN_U8, shape, &tensor);
    result->asked++;
    if (status != TERN_OK) {
        result->refused++;
        result->wrong += tensor != NULL || !is_refusal_right(status, bytes);
        return;
    }
    result->served++;
    result->largest = bytes > result->largest ? bytes : result->largest;
    result->wrong += tern_tensor_bytes(tensor) != bytes ||
                     (uintptr_t)tern_tensor_data(tensor) % 64 != 0 ||
                     tern_context_memory(context).live_bytes < bytes;
    tern_tensor_release(tensor);
}

/* AddressSanitizer touches an eighth of what it is told about: its builds stop early. */
#if defined(TERN__POISONS)
enum { LARGEST_POWER = 30 };
#define LARGEST_NAME "1 GiB"
#else
enum { LARGEST_POWER = 40 };
#define LARGEST_NAME "1 TiB"
#endif

/* 2^k, 2^k - 1, 2^k + 1 and 1.5 * 2^k for all k up to the largest. */
static tern_status show_sizes(tern__memory_bench *bench) {
    tern_bench_row row =
        tern__row("T5e", "1 B to " LARGEST_NAME ": served, or refused rightly", "%");
    tern_context *context;
    success result = {0};
    row.floor = row.goal = 100;
    row.is_least = true;
    if (tern__row_listed(&bench->table, &row))
        return TERN_OK;
    tern_status status = tern_context_create(
        &(tern_options){.device = "cpu", .threads = 1, .cpu = bench->table.options.cpu}, &context);
    if (status != TERN_OK)
        return tern__row_failed(&bench->table, &row, status);
    for (int k = 0; k <= LARGEST_POWER; k++) {
        size_t power = (size_t)1 << k;
        try_size(context, power, &result);
        if (k > 1)
            try_size(context, power - 1, &result);
        if (k > 1 && k < LARGEST_POWER) {
            try_size(context, power + 1, &result);
            try_size(context, power + power / 2, &result);
        }
    }
    result.wrong += tern_context_memory(context).live_bytes != 0;
    tern_context_destroy(context);
    tern__row_count(&row, 100 * (double)(result.asked - result.wrong) / (double)result.asked);
    snprintf(row.detail, sizeof row.detail,
             "%lld sizes: %lld served, %lld refused with a typed error; the largest served has "
             "%.1f GiB",
             (long long)result.asked, (long long)result.served, (long long)result.refused,
             (double)result.largest / 1073741824.0);
    tern__row_show(&bench->table, &row);
    return TERN_OK;
}

enum { LIMITED_OPERATIONS = 100000, QUICK_LIMITED_OPERATIONS = 20000, LIMITED_PLACES = 1024 };
#define LIMIT_BYTES ((size_t)64 << 20)

typedef struct limited {
    tern__pool *pool;
    void *block[LIMITED_PLACES];
    size_t bytes[LIMITED_PLACES];
    size_t live;
} limited;

static void release_place(limited *l, int at) {
    tern__pool_free(l->pool, l->block[at], l->bytes[at], TERN__BLOCK_DATA);
    l->live -= l->block[at] != NULL ? l->bytes[at] : 0;
    l->block[at] = NULL;
}

/* Random sizes under a limit that half of the places reach: a refusal is right only when the limit
 * would be exceeded. */
static void operate_limited(limited *l, int64_t count, success *result) {
    double octaves = tern__log(65536.0);
    for (int64_t i = 0; i < count; i++) {
        tern__philox_block draw = tern__philox(9, (uint64_t)i);
        int at = (int)(draw.word[0] % LIMITED_PLACES);
        if (l->block[at] != NULL) {
            release_place(l, at);
            continue;
        }
        size_t bytes = (size_t)(64 * tern__exp(octaves * (double)tern__uniform_f32(draw.word[1])));
        tern_status status =
            tern__pool_alloc(l->pool, bytes, TERN__BLOCK_DATA, NULL, &l->block[at]);
        bool fits = l->live + bytes <= LIMIT_BYTES;
        result->asked++;
        result->served += status == TERN_OK;
        result->refused += status != TERN_OK;
        result->wrong += status != (fits ? TERN_OK : TERN_E_LIMIT);
        if (status == TERN_OK) {
            l->bytes[at] = bytes;
            l->live += bytes;
        }
    }
}

static tern_status show_limit(tern__memory_bench *bench) {
    tern_bench_row row = tern__row("T5e", "64 MiB limit: only what exceeds it is refused", "%");
    success result = {0};
    tern_status status = TERN_OK;
    row.floor = row.goal = 100;
    row.is_least = true;
    if (tern__row_listed(&bench->table, &row))
        return TERN_OK;
    limited *l = tern__os()->alloc(sizeof *l);
    if (l == NULL)
        TERN__TRY(tern__fail(TERN_E_MEMORY, "bench: no memory for %d places", LIMITED_PLACES));
    TERN__TRY(tern__pool_create(&(tern__pool_options){.max_bytes = LIMIT_BYTES}, &l->pool));
    operate_limited(
        l, bench->table.options.is_quick ? QUICK_LIMITED_OPERATIONS : LIMITED_OPERATIONS, &result);
    for (int at = 0; at < LIMITED_PLACES; at++)
        release_place(l, at);
    result.wrong += tern__pool_stats(l->pool).live_bytes != 0;
    tern__pool_destroy(l->pool);
    tern__row_count(&row, 100 * (double)(result.asked - result.wrong) / (double)result.asked);
    snprintf(row.detail, sizeof row.detail, "%lld allocations: %lld served, %lld refused",
             (long long)result.asked, (long long)result.served, (long long)result.refused);
done:
    tern__os()->free(l);
    if (status != TERN_OK)
        return tern__row_failed(&bench->table, &row, status);
    tern__row_show(&bench->table, &row);
    return TERN_OK;
}

tern_status tern__memory_safety(tern__memory_bench *bench) {
    tern_status status = TERN_OK;
    if (tern__is_asked_for(&bench->table, "T5d")) {
        TERN__TRY(show_left(bench));
        TERN__TRY(show_leaks(bench));
    }
    if (tern__is_asked_for(&bench->table, "T5e")) {
        TERN__TRY(show_sizes(bench));
        TERN__TRY(show_limit(bench));
    }
done:
    return status;
}
