/* SPDX-License-Identifier: MIT
 * Benchmarks of the ground everything stands on: waking the team of threads, reading
 * memory. */
#include "base/os.h"
#include "base/status.h"
#include "base/threads.h"
#include "bench/bench.h"

static tern_status create_team(const tern_bench_options *options, tern__team **team) {
    int threads = options->threads > 0 ? options->threads : tern__os_cpu_count();
    return tern__team_create(threads > 0 ? threads : 1, team);
}

/* -- team_run ----------------------------------------------------------------------------------*/

enum { TEAM_PIECES = 64 };

typedef struct team_state {
    tern__team *team;
    uint64_t visits[TEAM_PIECES]; /* each counted by the one lane that got the piece */
} team_state;

static tern_status team_setup(const tern_bench_case *self, const tern_bench_options *options,
                              void **state, double *work) {
    (void)self;
    team_state *s = tern__os()->alloc(sizeof *s);
    if (s == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for team_run");
    tern_status status = create_team(options, &s->team);
    if (status != TERN_OK) {
        tern__os()->free(s);
        return status;
    }
    *work = 1;
    *state = s;
    return TERN_OK;
}

static void team_teardown(void *state) {
    team_state *s = state;
    tern__team_destroy(s->team);
    tern__os()->free(s);
}

static void visit(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    team_state *s = argument;
    for (int64_t i = begin; i < end; i++)
        s->visits[i]++;
}

static tern_status team_run(void *state, int side, int64_t calls) {
    (void)side;
    team_state *s = state;
    for (int64_t i = 0; i < calls; i++)
        tern__team_run(s->team, TEAM_PIECES, 1, visit, s);
    return TERN_OK;
}

static tern_status team_check(void *state) {
    team_state *s = state;
    tern_status status = team_run(s, 0, 100);
    for (int i = 0; i < TEAM_PIECES; i++)
        if (s->visits[i] != 100)
            return tern__fail(TERN_E_INTERNAL, "bench: team_run: piece %d ran %llu times of 100", i,
                              (unsigned long long)s->visits[i]);
    return status;
}

const tern_bench_case tern__bench_team_run = {
    .name = "team_run",
    .summary = "an op of 64 tiny pieces shared by all threads: wake, share, wait",
    .unit = "call",
    .side = {"team"},
    .setup = team_setup,
    .check = team_check,
    .run = team_run,
    .teardown = team_teardown,
};

/* -- memory_read -------------------------------------------------------------------------------*/

/* Beyond every cache of a server core's share; 1 MiB pieces keep the threads in step. */
enum { READ_WORDS = 64 << 20, READ_GRAIN = 128 << 10, READ_LANES = 8 };
#define READ_FACTOR UINT64_C(0x9E3779B97F4A7C15) /* odd: no word but the first is zero */

typedef struct read_state {
    tern__team *team;
    uint64_t *words;                        /* (READ_WORDS) word i is i * READ_FACTOR */
    uint64_t sums[READ_WORDS / READ_GRAIN]; /* of each piece */
    uint64_t total;
} read_state;

static void fill_words(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    read_state *s = argument;
    for (int64_t i = begin; i < end; i++)
        s->words[i] = (uint64_t)i * READ_FACTOR;
}

static void sum_words(void *argument, int64_t begin, int64_t end, int lane) {
    (void)lane;
    read_state *s = argument;
    uint64_t sum[READ_LANES] = {0};
    for (int64_t i = begin; i < end; i += READ_LANES)
        for (int j = 0; j < READ_LANES; j++)
            sum[j] += s->words[i + j];
    uint64_t total = 0;
    for (int j = 0; j < READ_LANES; j++)
        total += sum[j];
    s->sums[begin / READ_GRAIN] = total;
}

static void read_teardown(void *state) {
    read_state *s = state;
    if (s->words != NULL)
        tern__os()->pages_unmap(s->words, READ_WORDS * sizeof *s->words);
    tern__team_destroy(s->team);
    tern__os()->free(s);
}

static tern_status read_setup(const tern_bench_case *self, const tern_bench_options *options,
                              void **state, double *work) {
    (void)self;
    tern_status status = TERN_OK;
    size_t bytes = READ_WORDS * sizeof(uint64_t);
    read_state *s = tern__os()->alloc(sizeof *s);
    if (s == NULL)
        return tern__fail(TERN_E_MEMORY, "bench: no memory for memory_read");
    TERN__TRY(create_team(options, &s->team));
    s->words = tern__os()->pages_map(bytes);
    if (s->words == NULL)
        TERN__TRY(tern__fail(TERN_E_MEMORY, "bench: no memory for %zu bytes to read", bytes));
    tern__os()->pages_huge(s->words, bytes);
    tern__team_run(s->team, READ_WORDS, READ_GRAIN, fill_words, s);
    *work = (double)bytes;
    *state = s;
    return TERN_OK;
done:
    read_teardown(s);
    return status;
}

static tern_status read_run(void *state, int side, int64_t calls) {
    (void)side;
    read_state *s = state;
    for (int64_t i = 0; i < calls; i++) {
        tern__team_run(s->team, READ_WORDS, READ_GRAIN, sum_words, s);
        s->total = 0;
        for (int piece = 0; piece < READ_WORDS / READ_GRAIN; piece++)
            s->total += s->sums[piece];
    }
    return TERN_OK;
}

static tern_status read_check(void *state) {
    read_state *s = state;
    tern_status status = read_run(s, 0, 1);
    uint64_t pairs = (uint64_t)READ_WORDS / 2 * (READ_WORDS - 1);
    if (s->total != pairs * READ_FACTOR)
        return tern__fail(TERN_E_INTERNAL, "bench: memory_read: the sum is wrong");
    return status;
}

const tern_bench_case tern__bench_memory_read = {
    .name = "memory_read",
    .summary = "sums 512 MiB of integers, all threads together",
    .unit = "B",
    .side = {"sum"},
    .setup = read_setup,
    .check = read_check,
    .run = read_run,
    .teardown = read_teardown,
};
