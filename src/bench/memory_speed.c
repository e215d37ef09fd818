/* SPDX-License-Identifier: MIT
 *
 * Target T3 over a live set: the owner thread, N threads with N contexts, and release by a thread
 * that does not own the context. The sides (the pool at two tracking levels, and each allocator
 * that is installed) take turns, round by round. A sample is the time of one batch divided by its
 * 64 tensors; the first batches of a round, which find the caches as another side left them, do not
 * count.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/status.h"
#include "base/threads.h"
#include "bench/bench.h"
#include "bench/memory_bench.h"
#include "bench/memory_churn.h"
#include "bench/statistics.h"

enum { SIDES = 2 + TERN__PEERS, SIDE_COUNTS = 0, SIDE_SITES = 1, SIDE_PEERS = 2 };
/* Every member of the live set is met about three times before a round counts. */
enum { WARM_BATCHES = 512, ROUND_BATCHES = 512, PLAN_BATCHES = 2048 };
/* So long that neither thread spins for much of a time slice when the other one has lost its
 * processor. */
enum { RING = 32 };
static const uint64_t PLAN_SEED = 11;

/* Batches between the thread that creates and the one that releases. */
typedef struct ring {
    void *taken[RING][TERN__CHURN_BATCH];
    _Atomic int64_t made, released;
} ring;

/* What one call of the team does, on each of its lanes at the same time. */
typedef enum churn_phase { PHASE_OPEN, PHASE_RUN, PHASE_HAND_OVER, PHASE_CLOSE } churn_phase;

typedef struct churn_crew {
    tern__team *team;
    int lanes;
    tern__churn_plan *plan;
    tern__churn_side side[SIDES];
    bool is_here[SIDES];
    tern__churn *churns; /* (sides, lanes) */
    double *samples;     /* (sides, lanes, capacity) ns */
    int64_t counts[SIDES];
    int64_t capacity; /* samples of a lane */
    uint64_t *stamps; /* (lanes, WARM_BATCHES + ROUND_BATCHES + 1) */
    double *loops;    /* (rounds + 1) of known length, between the rounds */
    double *medians;  /* (rounds) */
    double *scratch;  /* for one round of all lanes, or for the bootstrap of the medians */
    ring *ring;

    /* Of the call under way. */
    churn_phase phase;
    int at; /* side */
    atomic_int arrived;
    _Atomic tern_status status;
    tern__lock lock; /* guards `text` */
    char text[256];
} churn_crew;

static void note_failure(churn_crew *crew, tern_status status) {
    tern__lock_acquire(&crew->lock);
    if (atomic_load(&crew->status) == TERN_OK) {
        snprintf(crew->text, sizeof crew->text, "%s", tern_last_error());
        atomic_store(&crew->status, status);
    }
    tern__lock_release(&crew->lock);
}

/* -- what a lane does --------------------------------------------------------------------------*/

static uint64_t *stamps_of(const churn_crew *crew, int lane) {
    return crew->stamps + (size_t)lane * (size_t)(WARM_BATCHES + ROUND_BATCHES + 1);
}

static void keep_samples(churn_crew *crew, int lane, const double *ns, int64_t count) {
    int64_t begin = crew->counts[crew->at];
    double *samples =
        crew->samples + ((int64_t)crew->at * crew->lanes + lane) * crew->capacity + begin;
    for (int64_t i = 0; i < count; i++)
        samples[i] = ns[i];
}

static tern_status run_round(churn_crew *crew, int lane) {
    tern__churn *churn = &crew->churns[crew->at * crew->lanes + lane];
    uint64_t *stamps = stamps_of(crew, lane);
    tern_status status = tern__churn_run(churn, WARM_BATCHES + ROUND_BATCHES, stamps);
    double ns[ROUND_BATCHES];
    for (int i = 0; i < ROUND_BATCHES && status == TERN_OK; i++) {
        uint64_t ticks = stamps[WARM_BATCHES + i + 1] - stamps[WARM_BATCHES + i];
        ns[i] = (double)ticks / TERN__CHURN_BATCH;
    }
    if (status == TERN_OK)
        keep_samples(crew, lane, ns, ROUND_BATCHES);
    return status;
}

/* Lane 0 owns the set and makes new members; a failure leaves empty places, so lane 1 always gets
 * its batches. */
static tern_status create_for_other(churn_crew *crew) {
    tern__churn *churn = &crew->churns[crew->at * crew->lanes];
    ring *r = crew->ring;
    tern_status status = TERN_OK;
    for (int64_t b = 0; b < WARM_BATCHES + ROUND_BATCHES; b++) {
        while (b - atomic_load_explicit(&r->released, memory_order_acquire) >= RING)
            ;
        tern__churn_take(churn, r->taken[b % RING]);
        atomic_store_explicit(&r->made, b + 1, memory_order_release);
        tern_status made = tern__churn_refill(churn);
        status = made != TERN_OK ? made : status;
    }
    return status;
}

static tern_status release_for_other(churn_crew *crew) {
    ring *r = crew->ring;
    double ns[ROUND_BATCHES];
    for (int64_t b = 0; b < WARM_BATCHES + ROUND_BATCHES; b++) {
        while (atomic_load_explicit(&r->made, memory_order_acquire) <= b)
            ;
        const tern__churn_side *side = &crew->side[crew->at];
        uint64_t begin = tern__bench_clock(side->number, false);
        tern__churn_release(side, r->taken[b % RING]);
        uint64_t end = tern__bench_clock(side->number, true);
        atomic_store_explicit(&r->released, b + 1, memory_order_release);
        if (b >= WARM_BATCHES)
            ns[b - WARM_BATCHES] = (double)(end - begin) / TERN__CHURN_BATCH;
    }
    keep_samples(crew, 1, ns, ROUND_BATCHES);
    return TERN_OK;
}

static tern_status do_phase(churn_crew *crew, int lane) {
    tern__churn *churn = &crew->churns[crew->at * crew->lanes + lane];
    switch (crew->phase) {
    case PHASE_OPEN: {
        tern_status status = tern__churn_open(crew->plan, &crew->side[crew->at], churn);
        return status == TERN_OK ? tern__churn_check(churn) : status;
    }
    case PHASE_RUN:
        return run_round(crew, lane);
    case PHASE_HAND_OVER:
        return lane == 0 ? create_for_other(crew) : release_for_other(crew);
    case PHASE_CLOSE:
        return tern__churn_close(churn);
    }
    return TERN_OK;
}

/* Every lane waits in its piece until all have one, so each lane gets exactly one: the thread that
 * opened a set is the one that works on it. */
static void work(void *argument, int64_t begin, int64_t end, int lane) {
    (void)begin, (void)end;
    churn_crew *c = argument;
    atomic_fetch_add(&c->arrived, 1);
    while (atomic_load_explicit(&c->arrived, memory_order_relaxed) < c->lanes)
        ;
    tern_status status = do_phase(c, lane);
    if (status != TERN_OK)
        note_failure(c, status);
}

static tern_status call(churn_crew *crew, churn_phase phase, int side) {
    crew->phase = phase;
    crew->at = side;
    atomic_store(&crew->arrived, 0);
    atomic_store(&crew->status, TERN_OK);
    if (crew->ring != NULL) {
        atomic_store(&crew->ring->made, 0);
        atomic_store(&crew->ring->released, 0);
    }
    tern__team_run(crew->team, crew->lanes, 1, work, crew);
    tern_status status = atomic_load(&crew->status);
    return status != TERN_OK ? tern__fail(status, "%s", crew->text) : TERN_OK;
}

/* -- the crew ----------------------------------------------------------------------------------*/

static void add_sides(churn_crew *crew, tern__memory_bench *bench, bool has_sites) {
    const char *cpu = bench->table.options.cpu;
    crew->side[SIDE_COUNTS] =
        (tern__churn_side){.name = "tern", .tracking = TERN_TRACK_COUNTS, .cpu = cpu};
    crew->side[SIDE_SITES] =
        (tern__churn_side){.name = "tern sites", .tracking = TERN_TRACK_SITES, .cpu = cpu};
    crew->is_here[SIDE_COUNTS] = true;
    crew->is_here[SIDE_SITES] = has_sites;
    for (int i = 0; i < TERN__PEERS; i++) {
        const tern__peer *peer = &bench->peers[i];
        crew->side[SIDE_PEERS + i] =
            (tern__churn_side){.name = peer->name, .peer = peer, .number = 1 + i};
        crew->is_here[SIDE_PEERS + i] = peer->allocate != NULL;
    }
}

static tern_status crew_deinit(churn_crew *crew) {
    tern_status status = TERN_OK;
    for (int i = 0; i < SIDES && crew->team != NULL; i++) {
        tern_status closed = crew->is_here[i] ? call(crew, PHASE_CLOSE, i) : TERN_OK;
        status = closed != TERN_OK ? closed : status;
    }
    tern__team_destroy(crew->team);
    tern__churn_plan_destroy(crew->plan);
    tern__os()->free(crew->churns);
    tern__os()->free(crew->samples);
    tern__os()->free(crew->stamps);
    tern__os()->free(crew->loops);
    tern__os()->free(crew->ring);
    tern__lock_deinit(&crew->lock);
    return status;
}

static tern_status crew_init(churn_crew *crew, tern__memory_bench *bench, int lanes,
                             bool has_sites) {
    tern_status status = TERN_OK;
    tern__lock_init(&crew->lock);
    crew->lanes = lanes;
    crew->capacity = (int64_t)bench->table.options.samples * ROUND_BATCHES;
    add_sides(crew, bench, has_sites);
    TERN__TRY(tern__churn_plan_create(PLAN_SEED, TERN__CHURN_LIVE, PLAN_BATCHES, &crew->plan));
    size_t sets = (size_t)SIDES * (size_t)lanes;
    crew->churns = tern__os()->alloc(sets * sizeof *crew->churns);
    crew->samples = tern__os()->alloc(sets * (size_t)crew->capacity * sizeof *crew->samples);
    crew->stamps = tern__os()->alloc((size_t)lanes * (size_t)(WARM_BATCHES + ROUND_BATCHES + 1) *
                                     sizeof *crew->stamps);
    crew->ring = tern__os()->alloc(sizeof *crew->ring);
    int64_t rounds = bench->table.options.samples;
    int64_t room = tern__max_i64(tern__bootstrap_room(1, rounds), (int64_t)lanes * ROUND_BATCHES);
    crew->loops = tern__os()->alloc((size_t)(2 * rounds + 1 + room) * sizeof *crew->loops);
    if (crew->churns == NULL || crew->samples == NULL || crew->stamps == NULL ||
        crew->ring == NULL || crew->loops == NULL)
        TERN__TRY(tern__fail(TERN_E_MEMORY, "bench: no memory for %zu live sets", sets));
    crew->medians = crew->loops + rounds + 1;
    crew->scratch = crew->medians + rounds;
    TERN__TRY(tern__team_create(lanes, &crew->team));
done:
    return status;
}

/* Opens and checks all sides, then lets them take turns. */
static tern_status measure(churn_crew *crew, churn_phase phase, int rounds) {
    tern_status status = TERN_OK;
    for (int i = 0; i < SIDES; i++)
        if (crew->is_here[i])
            TERN__TRY(call(crew, PHASE_OPEN, i));
    crew->loops[0] = tern__noise_loop();
    for (int round = 0; round < rounds; round++) {
        for (int turn = 0; turn < SIDES; turn++) {
            int i = (turn + round) % SIDES;
            if (!crew->is_here[i])
                continue;
            TERN__TRY(call(crew, phase, i));
            crew->counts[i] += ROUND_BATCHES;
        }
        crew->loops[round + 1] = tern__noise_loop();
    }
done:
    return status;
}

/* -- rows --------------------------------------------------------------------------------------*/

static double *side_of(const churn_crew *crew, int side) {
    return crew->samples + (int64_t)side * crew->lanes * crew->capacity;
}

/* The median of each round, over the lanes from `first` on. */
static void find_medians(churn_crew *crew, int side, int first) {
    int64_t rounds = crew->counts[side] / ROUND_BATCHES;
    for (int64_t round = 0; round < rounds; round++) {
        int64_t n = 0;
        for (int lane = first; lane < crew->lanes; lane++)
            for (int64_t i = 0; i < ROUND_BATCHES; i++)
                crew->scratch[n++] =
                    side_of(crew, side)[lane * crew->capacity + round * ROUND_BATCHES + i];
        tern__sort_samples(crew->scratch, n);
        crew->medians[round] = tern__sample_quantile(crew->scratch, n, 0.5);
    }
}

/* Batches of one round are not independent of each other: the interval of the row's median is that
 * of the rounds' medians, or in a noisy row their spread. */
static void set_interval(churn_crew *crew, int side, tern_bench_row *row) {
    const double *samples[] = {crew->medians};
    int64_t n = crew->counts[side] / ROUND_BATCHES;
    tern__interval interval;
    tern__bootstrap(&(tern__rounds){samples, 1, n}, 1, crew->scratch, &interval, NULL);
    tern__sort_samples(crew->medians, n);
    double p5 = tern__sample_quantile(crew->medians, n, 0.05);
    double p95 = tern__sample_quantile(crew->medians, n, 0.95);
    row->is_noisy = p95 - p5 > TERN__NOISY_SPREAD * row->median ||
                    tern__noise_is_slowed(crew->loops, n + 1, tern__noise_fastest());
    row->low = fmin(row->is_noisy ? fmin(p5, interval.low) : interval.low, row->median);
    row->high = fmax(row->is_noisy ? fmax(p95, interval.high) : interval.high, row->median);
}

/* The samples of all lanes of a side, or of its last lane only, put together in place and sorted;
 * returns them. */
static const double *side_samples(churn_crew *crew, int side, bool is_last_lane,
                                  tern_bench_row *row) {
    int64_t n = crew->counts[side], total = 0;
    double *all = side_of(crew, side);
    int first = is_last_lane ? crew->lanes - 1 : 0;
    find_medians(crew, side, first);
    for (int lane = first; lane < crew->lanes; lane++)
        for (int64_t i = 0; i < n; i++)
            all[total++] = all[lane * crew->capacity + i];
    tern__row_samples(row, all, total);
    set_interval(crew, side, row);
    return all;
}

/* Shares of batches, in percent, by time: upper edges of bins that grow by the fourth root of 2;
 * the first and the last bin have what lies beyond. */
enum { BINS = 49 };
#define FIRST_EDGE  4.0
#define EDGE_FACTOR 1.189207115002721

typedef struct histogram {
    double edge[BINS];
    double share[1 + TERN__PEERS][BINS];
} histogram;

static void init_edges(histogram *h) {
    memset(h, 0, sizeof *h);
    h->edge[0] = FIRST_EDGE;
    for (int i = 1; i < BINS; i++)
        h->edge[i] = i % 4 == 0 ? 2 * h->edge[i - 4] : EDGE_FACTOR * h->edge[i - 1];
}

static void add_histogram(tern_bench_row *row, histogram *h, int index, const char *name,
                          const double *sorted, int64_t n) {
    int bin = 0;
    for (int64_t i = 0; i < n; i++) {
        while (bin + 1 < BINS && sorted[i] > h->edge[bin])
            bin++;
        h->share[index][bin] += 100.0 / (double)n;
    }
    tern__row_series(row, &(tern_bench_series){.name = name,
                                               .x_unit = "ns",
                                               .y_unit = "% of batches",
                                               .count = BINS,
                                               .x = h->edge,
                                               .y = h->share[index]});
}

/* With peers and histograms where the side is that of the pool as programs use it. */
static void show(tern__memory_bench *bench, churn_crew *crew, int side, bool is_last_lane,
                 tern_bench_row row) {
    histogram h;
    init_edges(&h);
    const double *sorted = side_samples(crew, side, is_last_lane, &row);
    if (side == SIDE_COUNTS)
        add_histogram(&row, &h, 0, "tern", sorted, row.samples);
    for (int i = 0; i < TERN__PEERS && side == SIDE_COUNTS; i++) {
        if (!crew->is_here[SIDE_PEERS + i]) {
            tern__row_peer_missing(&row, bench->peers[i].name, bench->peers[i].why);
            continue;
        }
        tern_bench_row other = tern__row("", "", "");
        sorted = side_samples(crew, SIDE_PEERS + i, is_last_lane, &other);
        tern__row_peer(&row, bench->peers[i].name, other.median, other.p99);
        add_histogram(&row, &h, 1 + i, bench->peers[i].name, sorted, other.samples);
    }
    tern__row_show(&bench->table, &row);
}

/* `floor` is NAN where the targets name a goal only. */
static tern_bench_row t3_row(const char *what, double floor, double goal, double goal_p99) {
    tern_bench_row row = tern__row("T3", what, "ns");
    row.floor = floor;
    row.goal = goal;
    row.goal_p99 = goal_p99;
    return row;
}

static tern_status show_threads(tern__memory_bench *bench, int lanes, tern_bench_row *row,
                                tern_bench_row *sites) {
    churn_crew crew = {0};
    bool is_list = tern__row_listed(&bench->table, row);
    if (is_list && sites != NULL)
        tern__row_listed(&bench->table, sites);
    if (is_list)
        return TERN_OK;
    tern_status status = crew_init(&crew, bench, lanes, sites != NULL);
    if (status == TERN_OK)
        status = measure(&crew, PHASE_RUN, bench->table.options.samples);
    if (status != TERN_OK) {
        tern_status failed = status;
        status = tern__row_failed(&bench->table, row, failed);
        if (status == TERN_OK && sites != NULL)
            status = tern__row_failed(&bench->table, sites, failed);
    } else {
        show(bench, &crew, SIDE_COUNTS, false, *row);
        if (sites != NULL)
            show(bench, &crew, SIDE_SITES, false, *sites);
    }
    tern_status closed = crew_deinit(&crew);
    return status != TERN_OK ? status : closed;
}

static tern_status show_remote(tern__memory_bench *bench) {
    tern_bench_row row = t3_row("released by another thread", NAN, 60, NAN);
    churn_crew crew = {0};
    if (tern__row_listed(&bench->table, &row))
        return TERN_OK;
    if (tern__os_cpu_count() == 1) { /* the two would wait for each other by time slices */
        snprintf(row.detail, sizeof row.detail, "needs two processors");
        tern__row_show(&bench->table, &row);
        return TERN_OK;
    }
    tern_status status = crew_init(&crew, bench, 2, false);
    if (status == TERN_OK)
        status = measure(&crew, PHASE_HAND_OVER, bench->table.options.samples);
    if (status != TERN_OK)
        status = tern__row_failed(&bench->table, &row, status);
    else
        show(bench, &crew, SIDE_COUNTS, true, row);
    tern_status closed = crew_deinit(&crew);
    return status != TERN_OK ? status : closed;
}

tern_status tern__memory_speed(tern__memory_bench *bench) {
    char what[64];
    tern_bench_row owner = t3_row("created and released, owner thread", 100, 20, 100);
    tern_bench_row sites = t3_row("the same, level sites", NAN, 60, NAN);
    tern_status status = show_threads(bench, 1, &owner, &sites);
    if (status != TERN_OK)
        return status;
    snprintf(what, sizeof what, "%d threads, %d contexts", bench->table.options.threads,
             bench->table.options.threads);
    tern_bench_row threads = t3_row(what, 100, 20, 100);
    status = show_threads(bench, bench->table.options.threads, &threads, NULL);
    return status == TERN_OK ? show_remote(bench) : status;
}
