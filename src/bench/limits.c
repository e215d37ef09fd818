/* SPDX-License-Identifier: MIT */
#include "bench/limits.h"

#include <stdatomic.h>
#include <string.h>

#include "base/cpu.h"
#include "base/os.h"
#include "base/philox.h"
#include "base/status.h"
#include "bench/bench.h"
#include "bench/noise.h"

enum {
    DEFAULT_L1 = 32 << 10,
    DEFAULT_L2 = 512 << 10,
    DEFAULT_L3 = 32 << 20,
    MEMORY_PIECE = 1 << 20, /* long enough for the prefetchers, short enough to share evenly */
    CALL_BYTES = 32 << 20,  /* read by each thread in one call: a millisecond or so */
    CALL_PRODUCTS = 100 * 1000 * 1000,
    HUGE_PAGE = 2 << 20,
    SETTLE_STEPS = 1 << 17, /* about 0.1 ms */
    SETTLE_GOOD = 3,
    SETTLE_TRIES = 400,
};

static int64_t known(int64_t bytes, int64_t otherwise) {
    return bytes > 0 ? bytes : otherwise;
}

tern__caches tern__limit_caches(void) {
    const tern__cpu_info *cpu = tern__cpu();
    return (tern__caches){known(cpu->cache_l1d, DEFAULT_L1), known(cpu->cache_l2, DEFAULT_L2),
                          known(cpu->cache_l3, DEFAULT_L3)};
}

int64_t tern__limit_memory_set(int64_t least) {
    int64_t bytes = 4 * tern__limit_caches().l3;
    return bytes > least ? bytes : least;
}

void *tern__limit_pages(size_t bytes) {
    void *pages = tern__os()->pages_map(bytes);
    if (pages == NULL)
        tern__fail(TERN_E_MEMORY, "bench: no memory for %zu bytes", bytes);
    else
        tern__os()->pages_huge(pages, bytes);
    return pages;
}

static void spend_time(void *argument, int64_t begin, int64_t end, int lane) {
    (void)argument;
    (void)lane;
    tern__noise_spend((end - begin) * SETTLE_STEPS);
}

static double time_spent(tern__team *team, int64_t pieces) {
    uint64_t begin = tern__os()->clock_ns();
    tern__team_run(team, pieces, 1, spend_time, NULL);
    return (double)(tern__os()->clock_ns() - begin);
}

void tern__limit_settle(tern__team *team) {
    int good = tern__team_size(team) > 1 ? 0 : SETTLE_GOOD;
    for (int i = 0; i < SETTLE_TRIES && good < SETTLE_GOOD; i++) {
        double alone = time_spent(team, 1);
        double beside = time_spent(team, tern__team_size(team));
        good = beside <= 1.25 * alone ? good + 1 : 0;
    }
}

/* -- reading -----------------------------------------------------------------------------------*/

const tern__reader *tern__limit_readers(uint32_t features) {
    const tern__peaks_kernel *const *kernel = tern__peaks_family;
    while (((*kernel)->variant.needs & ~features) != 0 || (*kernel)->readers[0].name == NULL)
        kernel++;
    return (*kernel)->readers;
}

static void read_pieces(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    tern__read_job *job = argument;
    uint64_t sum = 0;
    for (int64_t repeat = 0; repeat < job->repeats; repeat++)
        sum += job->reader->read(job->data + begin, end - begin);
    atomic_fetch_add_explicit(&job->sum, sum, memory_order_relaxed);
}

uint64_t tern__limit_read(tern__read_job *job) {
    atomic_store(&job->sum, 0);
    tern__team_run(job->team, job->bytes, job->piece, read_pieces, job);
    return atomic_load(&job->sum);
}

/* -- arithmetic --------------------------------------------------------------------------------*/

const tern__peak *tern__limit_peak(uint32_t features, tern__peak_kind kind) {
    for (int k = 0; tern__peaks_family[k] != NULL; k++) {
        const tern__peaks_kernel *kernel = tern__peaks_family[k];
        for (int i = 0; i < TERN__PEAKS && kernel->peaks[i].name != NULL; i++)
            if ((kernel->variant.needs & ~features) == 0 && kernel->peaks[i].kind == kind)
                return &kernel->peaks[i];
    }
    return NULL;
}

tern__peak_job tern__limit_peak_job(tern__team *team, const tern__peak *peak) {
    tern__peak_job job = {.team = team, .peak = peak};
    for (int i = 0; i < TERN__PEAK_OPERANDS; i++) {
        tern__philox_block block = tern__philox(1, (uint64_t)i);
        job.a[i] = (uint8_t)(block.word[0] % 3);
        job.b[i] = (int8_t)(block.word[1] >> 24);
    }
    int64_t products = (int64_t)peak->width * peak->sums * TERN__PEAK_ITERATIONS;
    job.runs = CALL_PRODUCTS / products + 1;
    return job;
}

static void run_peak(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    tern__peak_job *job = argument;
    uint64_t expected = tern__peak_result(job->peak, job->a, job->b, TERN__PEAK_ITERATIONS);
    for (int64_t i = 0; i < (end - begin) * job->runs; i++) {
        uint64_t result = job->peak->run(job->a, job->b, TERN__PEAK_ITERATIONS);
        if (tern__peak_modulo(job->peak, result) != expected)
            atomic_fetch_add_explicit(&job->wrong, 1, memory_order_relaxed);
    }
}

tern_status tern__limit_peak_run(tern__peak_job *job) {
    atomic_store(&job->wrong, 0);
    tern__team_run(job->team, tern__team_size(job->team), 1, run_peak, job);
    if (atomic_load(&job->wrong) > 0)
        return tern__fail(TERN_E_INTERNAL, "bench: %s: a wrong sum", job->peak->name);
    return TERN_OK;
}

double tern__limit_peak_products(const tern__peak_job *job) {
    return (double)job->peak->width * job->peak->sums * TERN__PEAK_ITERATIONS * (double)job->runs *
           tern__team_size(job->team);
}

/* -- rates -------------------------------------------------------------------------------------*/

static tern__limit limit_of(const char *name, const tern_bench_result *result, int side) {
    return (tern__limit){.name = name,
                         .rate = result->work / result->side[side].median,
                         .times = *result,
                         .side = side};
}

typedef struct read_state {
    tern__read_job job;
    const tern__reader *readers;
} read_state;

static tern_status read_run(void *user, int side, int64_t calls) {
    read_state *s = user;
    s->job.reader = &s->readers[side];
    for (int64_t i = 0; i < calls; i++)
        tern__limit_read(&s->job);
    return TERN_OK;
}

/* Every reader finds the sum that the plain one finds. */
static tern_status read_check(void *user) {
    read_state *s = user;
    uint64_t expected =
        tern__limit_readers(0)->read(s->job.data, s->job.bytes) * (uint64_t)s->job.repeats;
    for (int i = 0; i < TERN__READERS; i++) {
        s->job.reader = &s->readers[i];
        if (tern__limit_read(&s->job) != expected)
            return tern__fail(TERN_E_INTERNAL, "bench: reader '%s': a wrong sum",
                              s->readers[i].name);
    }
    return TERN_OK;
}

static void fill_random(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    for (int64_t at = begin; at < end; at += (int64_t)sizeof(tern__philox_block)) {
        tern__philox_block block = tern__philox(2, (uint64_t)at / sizeof block);
        memcpy((uint8_t *)argument + at, &block, sizeof block);
    }
}

/* What a thread keeps in a cache of its own is one piece, read many times over; from memory
 * everything is read once, in pieces that the threads take as they come. */
static read_state plan_read(tern__team *team, uint32_t features, int64_t bytes) {
    int threads = tern__team_size(team);
    int64_t part = bytes / threads / TERN__READ_UNIT * TERN__READ_UNIT;
    part = part < TERN__READ_UNIT ? TERN__READ_UNIT : part;
    bool is_cached = bytes <= tern__limit_caches().l3;
    return (read_state){
        .job = {.team = team,
                .bytes = part * threads,
                .piece = is_cached || part < MEMORY_PIECE ? part : MEMORY_PIECE,
                .repeats = is_cached && part < CALL_BYTES ? CALL_BYTES / part : 1},
        .readers = tern__limit_readers(features),
    };
}

tern_status tern__limit_read_bandwidth(tern__team *team, uint32_t features, int64_t bytes,
                                       int rounds, tern__limit *limit) {
    read_state s = plan_read(team, features, bytes);
    tern_bench_case bench = {.name = "read", .check = read_check, .run = read_run};
    tern_bench_options options = {.samples = rounds, .sample_seconds = 2e-3};
    tern_bench_result result;
    for (int i = 0; i < TERN__READERS; i++)
        bench.side[i] = s.readers[i].name;
    size_t mapped = (size_t)s.job.bytes;
    void *pages = tern__limit_pages(mapped);
    if (pages == NULL)
        return TERN_E_MEMORY;
    s.job.data = pages;
    tern__team_run(team, s.job.bytes, HUGE_PAGE, fill_random, pages);
    tern__limit_settle(team);
    tern_status status = tern__bench_measure(
        &bench, &s, (double)s.job.bytes * (double)s.job.repeats, &options, &result);
    tern__os()->pages_unmap(pages, mapped);
    if (status != TERN_OK)
        return status;
    int best = 0;
    for (int i = 1; i < TERN__READERS; i++)
        if (result.side[i].median < result.side[best].median)
            best = i;
    *limit = limit_of(s.readers[best].name, &result, best);
    return TERN_OK;
}

static tern_status peak_run(void *user, int side, int64_t calls) {
    (void)side;
    tern_status status = TERN_OK;
    for (int64_t i = 0; i < calls && status == TERN_OK; i++)
        status = tern__limit_peak_run(user);
    return status;
}

tern_status tern__limit_peak_rate(tern__team *team, const tern__peak *peak, int rounds,
                                  tern__limit *limit) {
    tern__peak_job job = tern__limit_peak_job(team, peak);
    const tern_bench_case bench = {.name = peak->name, .side = {"peak"}, .run = peak_run};
    tern_bench_options options = {.samples = rounds, .sample_seconds = 2e-3};
    tern_bench_result result;
    tern__limit_settle(team);
    tern_status status =
        tern__bench_measure(&bench, &job, tern__limit_peak_products(&job), &options, &result);
    if (status == TERN_OK)
        *limit = limit_of(peak->name, &result, 0);
    return status;
}

const tern__peak *tern__limit_dot(uint32_t features) {
    const tern__peak *fed = tern__limit_peak(features, TERN__PEAK_FED);
    return fed != NULL ? fed : tern__limit_peak(features, TERN__PEAK_DOT);
}

tern_status tern__limit_dot_rate(tern__team *team, uint32_t features, int rounds,
                                 tern__limit *limit) {
    const tern__peak *peak = tern__limit_dot(features);
    if (peak == NULL)
        return tern__fail(TERN_E_UNSUPPORTED, "bench: no unit for products of bytes");
    return tern__limit_peak_rate(team, peak, rounds, limit);
}
