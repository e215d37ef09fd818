/* SPDX-License-Identifier: MIT
 * Target T3 by size: one tensor created and released at once, or malloc and free, again and again;
 * `touched` writes a word of every page in between. */
/* What is measured is what a program pays: its calls tell their places, see <tern/sites.h>. */
#undef TERN_NO_SITES
#include <math.h>
#include <stdio.h>

#include "base/os.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/memory_bench.h"
#include "bench/statistics.h"

enum { BLOCKS = 32, PAGE = 4096, MAX_BYTES = 1 << 20 };

/* A side of the case: the tensors, or a peer. */
typedef struct sizes_state {
    tern_context *context;
    const tern__peer *peer[TERN_BENCH_SIDES]; /* NULL: tensors */
    int sides;
    int64_t edge; /* an F32 tensor (edge, edge) */
    size_t bytes;
    bool is_touched;
} sizes_state;

static void touch(void *data, size_t bytes) {
    for (size_t at = 0; at < bytes; at += PAGE)
        *(volatile uint64_t *)((char *)data + at) = UINT64_C(0x9E3779B97F4A7C15) * (at + 1);
}

static tern_status run_tensors(const sizes_state *s, int64_t calls) {
    for (int64_t i = 0; i < calls; i++) {
        tern_tensor *tensor;
        tern_status status =
            tern_tensor_empty(s->context, TERN_F32, TERN_SHAPE(s->edge, s->edge), &tensor);
        if (status != TERN_OK)
            return status;
        if (s->is_touched)
            touch(tern_tensor_data(tensor), s->bytes);
        tern_tensor_release(tensor);
    }
    return TERN_OK;
}

static tern_status run_blocks(const sizes_state *s, const tern__peer *peer, int64_t calls) {
    void *(*allocate)(size_t) = peer->allocate;
    void (*release)(void *) = peer->release;
    for (int64_t i = 0; i < calls; i++) {
        void *block = allocate(s->bytes);
        if (block == NULL)
            return tern__fail(TERN_E_MEMORY, "bench: %s has no memory left", peer->name);
        if (s->is_touched)
            touch(block, s->bytes);
        release(block);
    }
    return TERN_OK;
}

static tern_status sizes_run(void *state, int side, int64_t calls) {
    const sizes_state *s = state;
    return s->peer[side] == NULL ? run_tensors(s, calls) : run_blocks(s, s->peer[side], calls);
}

/* -- checks ------------------------------------------------------------------------------------*/

static tern_status take(const sizes_state *s, int side, tern_tensor **tensor, uint64_t **block) {
    *tensor = NULL;
    *block = NULL;
    if (s->peer[side] != NULL) {
        *block = s->peer[side]->allocate(s->bytes);
        return *block != NULL ? TERN_OK : tern__fail(TERN_E_MEMORY, "bench: no memory left");
    }
    tern_shape shape = TERN_SHAPE(s->edge, s->edge);
    tern_status status = tern_tensor_empty(s->context, TERN_F32, shape, tensor);
    if (status == TERN_OK && tern_tensor_bytes(*tensor) != s->bytes)
        status = tern__fail(TERN_E_INTERNAL, "bench: a tensor has another size");
    if (status == TERN_OK)
        *block = tern_tensor_data(*tensor);
    return status;
}

static uint64_t mark(uint64_t block, size_t words, size_t word) {
    return UINT64_C(0x9E3779B97F4A7C15) * (block * words + word + 1);
}

/* Blocks that live at the same time hold what was written into each. */
static tern_status check_side(const sizes_state *s, int side) {
    uint64_t *block[BLOCKS];
    tern_tensor *tensor[BLOCKS];
    size_t words = s->bytes / sizeof(uint64_t);
    tern_status status = TERN_OK;
    bool is_right = true;
    int count = 0;
    while (count < BLOCKS && status == TERN_OK) {
        status = take(s, side, &tensor[count], &block[count]);
        for (size_t w = 0; w < words && status == TERN_OK; w++)
            block[count][w] = mark((uint64_t)count, words, w);
        count++;
    }
    for (int i = 0; i < count; i++) {
        for (size_t w = 0; w < words && status == TERN_OK; w++)
            is_right = is_right && block[i][w] == mark((uint64_t)i, words, w);
        if (s->peer[side] == NULL)
            tern_tensor_release(tensor[i]);
        else
            s->peer[side]->release(block[i]);
    }
    if (status == TERN_OK && !is_right)
        status =
            tern__fail(TERN_E_INTERNAL, "bench: blocks of %zu bytes are not kept apart", s->bytes);
    return status;
}

static tern_status sizes_check(void *state) {
    const sizes_state *s = state;
    for (int side = 0; side < s->sides; side++) {
        tern_status status = check_side(s, side);
        if (status != TERN_OK)
            return status;
    }
    tern_memory_stats stats = tern_context_memory(s->context);
    if (stats.live_tensors != 0 || stats.live_bytes != 0)
        return tern__fail(TERN_E_INTERNAL, "bench: %lld tensors are left",
                          (long long)stats.live_tensors);
    return TERN_OK;
}

/* -- rows --------------------------------------------------------------------------------------*/

typedef struct sized_row {
    const char *what;
    int64_t edge;
    bool is_touched;
    bool must_beat[TERN__PEERS]; /* faster than these is the goal */
} sized_row;

static const sized_row rows[] = {
    {"64 B", 4, false, {0}},
    {"1 KiB", 16, false, {0}},
    {"64 KiB", 128, false, {[TERN__PEER_GLIBC] = true, [TERN__PEER_JEMALLOC] = true}},
    {"1 MiB", 512, false, {true, true, true}},
    {"64 B touched", 4, true, {0}},
    {"1 KiB touched", 16, true, {0}},
    {"64 KiB touched", 128, true, {[TERN__PEER_GLIBC] = true, [TERN__PEER_JEMALLOC] = true}},
    {"1 MiB touched", 512, true, {true, true, true}},
};

/* The goal is the fastest of those that must be beaten; one that is not here cannot be. */
static void add_peers(tern__memory_bench *bench, const sized_row *sized,
                      const tern_bench_result *result, tern_bench_row *row) {
    int side = 1, used = 0;
    const char *missing = NULL;
    for (int i = 0; i < TERN__PEERS; i++) {
        const tern__peer *peer = &bench->peers[i];
        if (peer->allocate == NULL) {
            tern__row_peer_missing(row, peer->name, peer->why);
            missing = sized->must_beat[i] ? peer->name : missing;
            continue;
        }
        double ns = result->side[side++].median * 1e9;
        tern__row_peer(row, peer->name, ns, NAN);
        if (sized->must_beat[i] && !(row->goal <= ns))
            row->goal = ns;
        used += sized->must_beat[i];
    }
    if (missing != NULL && used > 0)
        snprintf(row->detail, sizeof row->detail, "judged without %s, which is not here", missing);
}

static tern_status measure(tern__memory_bench *bench, tern_context *context, const sized_row *sized,
                           tern_bench_row *row) {
    sizes_state state = {.context = context,
                         .sides = 1,
                         .edge = sized->edge,
                         .bytes = (size_t)(sized->edge * sized->edge) * sizeof(float),
                         .is_touched = sized->is_touched};
    tern_bench_case bench_case = {
        .name = "memory", .unit = "call", .side = {"tern"}, .check = sizes_check, .run = sizes_run};
    for (int i = 0; i < TERN__PEERS; i++)
        if (bench->peers[i].allocate != NULL) {
            bench_case.side[state.sides] = bench->peers[i].name;
            state.peer[state.sides++] = &bench->peers[i];
        }
    tern_bench_options harness = {.samples = bench->table.options.samples,
                                  .sample_seconds = bench->table.options.is_quick ? 0.0005 : 0.002};
    tern_bench_result result;
    tern_status status = tern__bench_measure(&bench_case, &state, 1, &harness, &result);
    if (status != TERN_OK)
        return status;
    tern__row_time(row, &result, 0, 1e9);
    add_peers(bench, sized, &result, row);
    return TERN_OK;
}

tern_status tern__memory_sizes(tern__memory_bench *bench) {
    tern_context *context = NULL;
    tern_options options = {.device = "cpu", .threads = 1, .cpu = bench->table.options.cpu};
    tern_status created = TERN_OK, status = TERN_OK;
    if (!bench->table.options.is_listing)
        created = tern_context_create(&options, &context);
    for (size_t i = 0; i < sizeof rows / sizeof *rows && status == TERN_OK; i++) {
        tern_bench_row row = tern__row("T3", rows[i].what, "ns");
        if (tern__row_listed(&bench->table, &row))
            continue;
        status = created == TERN_OK ? measure(bench, context, &rows[i], &row) : created;
        if (status != TERN_OK)
            status = tern__row_failed(&bench->table, &row, status);
        else
            tern__row_show(&bench->table, &row);
    }
    tern_context_destroy(context);
    return status;
}
