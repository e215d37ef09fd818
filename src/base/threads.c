/* SPDX-License-Identifier: MIT
 *
 * One atomic word, the gate, says everything about the job of the moment: its number, whether
 * threads may still join it, and how many workers are in it. A worker joins by counting itself in
 * while the gate is open, takes pieces from a shared counter until none is left, and counts itself
 * out. The caller opens the gate, takes pieces too, closes the gate and waits for the count to fall
 * to zero. So a job never waits for a worker that sleeps: one that wakes late finds the gate
 * closed.
 *
 * Invariants: only the caller that holds `busy` changes the job fields, and only while the gate is
 * closed and its count is zero; the count changes only by joining an open gate or by leaving.
 */
#include "base/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/os.h"
#include "base/status.h"

_Thread_local uint64_t tern__thread_number TERN__INITIAL_EXEC;

uint64_t tern__thread_number_take(void) {
    static _Atomic uint64_t last;
    tern__thread_number = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    return tern__thread_number;
}

/* The gate: bit 0 open, bit 1 stop, bits 2..31 workers inside, bits 32..63 number of the job. */
#define GATE_OPEN      UINT64_C(1)
#define GATE_STOP      UINT64_C(2)
#define GATE_WORKER    UINT64_C(4)
#define GATE_INSIDE    (UINT64_C(0xffffffff) & ~(GATE_WORKER - 1))
#define GATE_JOB(gate) ((uint32_t)((gate) >> 32))

/* How long a thread looks for work before it sleeps: longer than the gaps between the ops of a
 * forward pass (a few microseconds), and than waking a sleeping thread takes (30 to 40). */
#define SPIN_NS 60000u

/* Two cache lines: processors fetch lines in pairs. */
enum { APART = 128 };

typedef struct worker {
    struct tern__team *team;
    int lane;
    tern__os_thread thread;
} worker;

struct tern__team {
    int size;
    bool spins;     /* false when there are more threads than processors */
    bool is_pinned; /* each worker stays on a processor of its own */
    atomic_bool busy;

    tern__job_fn fn;
    void *argument;
    int64_t count, grain, pieces;

    /* The rest is shared while a job runs. Sleeping: a thread announces itself in `sleepers` or
     * `caller_sleeps`, then looks at the gate once more; the other side changes the gate, then
     * looks at the announcement. Both are sequentially consistent, so one sees the other. */
    char apart_1[APART];
    atomic_uint_fast64_t gate;
    char apart_2[APART];
    _Atomic int64_t next_piece;
    char apart_3[APART];
    atomic_int sleepers;
    atomic_bool caller_sleeps;
    pthread_mutex_t mutex;
    pthread_cond_t opened; /* or stop */
    pthread_cond_t emptied;

    worker workers[]; /* size - 1, lanes 1..size-1 */
};

/* The team and lane that this thread works for; NULL and 0 outside the library's threads. */
static _Thread_local const tern__team *own_team;
static _Thread_local int own_lane;
/* Teams that this thread creates are pinned. */
static _Thread_local bool pins_teams;

/* Floating-point mode: rounding to nearest even, denormals handled, exceptions masked. */
#if defined(__x86_64__)

enum { MODE_PLAIN = 0x1f80, MODE_FLAGS = 0x3f };

/* Makes the mode plain and returns the one before. Flags of past exceptions do not matter. */
static uint64_t mode_enter(void) {
    unsigned before = __builtin_ia32_stmxcsr();
    if ((before & ~(unsigned)MODE_FLAGS) != MODE_PLAIN)
        __builtin_ia32_ldmxcsr(MODE_PLAIN);
    return before;
}

static void mode_leave(uint64_t before) {
    if (((unsigned)before & ~(unsigned)MODE_FLAGS) != MODE_PLAIN)
        __builtin_ia32_ldmxcsr((unsigned)before);
}

static void pause_briefly(void) {
    __builtin_ia32_pause();
}

#elif defined(__aarch64__)

static uint64_t mode_enter(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    if (before != 0)
        __asm__ volatile("msr fpcr, %0" : : "r"(UINT64_C(0)) : "memory");
    return before;
}

static void mode_leave(uint64_t before) {
    if (before != 0)
        __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
}

static void pause_briefly(void) {
    __asm__ volatile("isb" : : : "memory"); /* yield does nothing on most processors */
}

#else

static uint64_t mode_enter(void) {
    return 0;
}

static void mode_leave(uint64_t before) {
    (void)before;
}

static void pause_briefly(void) {}

#endif

/* What a thread waits for. */
typedef bool (*gate_test)(uint64_t gate, uint32_t last_job);

static bool has_news(uint64_t gate, uint32_t last_job) {
    return (gate & GATE_STOP) != 0 || ((gate & GATE_OPEN) != 0 && GATE_JOB(gate) != last_job);
}

static bool is_empty(uint64_t gate, uint32_t last_job) {
    (void)last_job;
    return (gate & GATE_INSIDE) == 0;
}

/* Looks at the gate until `test` holds or the spinning time is over; the last value seen. */
static uint64_t spin(tern__team *team, gate_test test, uint32_t last_job) {
    uint64_t gate = atomic_load_explicit(&team->gate, memory_order_acquire);
    if (test(gate, last_job) || !team->spins)
        return gate;
    uint64_t begin = tern__os()->clock_ns();
    do {
        for (int i = 0; i < 32; i++) {
            pause_briefly();
            gate = atomic_load_explicit(&team->gate, memory_order_acquire);
            if (test(gate, last_job))
                return gate;
        }
    } while (tern__os()->clock_ns() - begin < SPIN_NS);
    return gate;
}

/* Worker: waits for a job other than `last_job`, or for the end. */
static uint64_t await_news(tern__team *team, uint32_t last_job) {
    uint64_t gate = spin(team, has_news, last_job);
    if (has_news(gate, last_job))
        return gate;
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleepers, 1);
    while (!has_news(gate = atomic_load(&team->gate), last_job))
        pthread_cond_wait(&team->opened, &team->mutex);
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->mutex);
    return gate;
}

/* Caller: waits until the last worker has left the closed gate. */
static void await_empty(tern__team *team) {
    if (is_empty(spin(team, is_empty, 0), 0))
        return;
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->caller_sleeps, true);
    while (!is_empty(atomic_load(&team->gate), 0))
        pthread_cond_wait(&team->emptied, &team->mutex);
    atomic_store(&team->caller_sleeps, false);
    pthread_mutex_unlock(&team->mutex);
}

/* After the gate changed. */
static void wake_workers(tern__team *team) {
    if (atomic_load(&team->sleepers) == 0)
        return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->opened);
    pthread_mutex_unlock(&team->mutex);
}

static bool join_job(tern__team *team, uint64_t gate) {
    uint32_t job = GATE_JOB(gate);
    while ((gate & GATE_OPEN) != 0 && GATE_JOB(gate) == job)
        if (atomic_compare_exchange_weak_explicit(&team->gate, &gate, gate + GATE_WORKER,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

static void leave_job(tern__team *team) {
    uint64_t before = atomic_fetch_sub(&team->gate, GATE_WORKER);
    if ((before & GATE_INSIDE) != GATE_WORKER || !atomic_load(&team->caller_sleeps))
        return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_signal(&team->emptied);
    pthread_mutex_unlock(&team->mutex);
}

static void run_piece(int64_t piece, int64_t count, int64_t grain, tern__job_fn fn, void *argument,
                      int lane) {
    int64_t begin = piece * grain;
    fn(argument, begin, count - begin > grain ? begin + grain : count, lane);
}

static void share_job(tern__team *team, int lane) {
    uint64_t mode = mode_enter();
    for (;;) {
        int64_t piece = atomic_fetch_add_explicit(&team->next_piece, 1, memory_order_relaxed);
        if (piece >= team->pieces)
            break;
        run_piece(piece, team->count, team->grain, team->fn, team->argument, lane);
    }
    mode_leave(mode);
}

static void worker_main(void *argument) {
    worker *self = argument;
    tern__team *team = self->team;
    own_team = team;
    own_lane = self->lane;
    if (team->is_pinned)
        tern__os()->thread_pin(self->lane);
    uint32_t last_job = 0;
    for (;;) {
        uint64_t gate = await_news(team, last_job);
        if ((gate & GATE_STOP) != 0)
            return;
        last_job = GATE_JOB(gate);
        if (join_job(team, gate)) {
            share_job(team, self->lane);
            leave_job(team);
        }
    }
}

/* Ends and joins the first `started` workers and frees the team. */
static void dismiss(tern__team *team, int started) {
    atomic_fetch_or(&team->gate, GATE_STOP);
    wake_workers(team);
    for (int i = 0; i < started; i++)
        tern__os()->thread_join(team->workers[i].thread);
    pthread_cond_destroy(&team->emptied);
    pthread_cond_destroy(&team->opened);
    pthread_mutex_destroy(&team->mutex);
    tern__os()->free(team);
}

tern_status tern__team_create(int threads, tern__team **team_out) {
    *team_out = NULL;
    if (threads < 1 || threads > TERN__TEAM_MAX)
        return tern__fail(TERN_E_ARGUMENT, "threads: %d is not in 1..%d", threads, TERN__TEAM_MAX);
    size_t bytes = sizeof(tern__team) + (size_t)(threads - 1) * sizeof(worker);
    tern__team *team = tern__os()->alloc(bytes);
    if (team == NULL)
        return tern__fail(TERN_E_MEMORY, "threads: no memory for a team of %d", threads);
    team->size = threads;
    team->spins = threads <= tern__os_cpu_count();
    team->is_pinned = pins_teams;
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->opened, NULL);
    pthread_cond_init(&team->emptied, NULL);
    for (int i = 0; i < threads - 1; i++) {
        team->workers[i].team = team;
        team->workers[i].lane = i + 1;
        int error =
            tern__os()->thread_start(&team->workers[i].thread, worker_main, &team->workers[i]);
        if (error != 0) {
            dismiss(team, i);
            return tern__fail(TERN_E_LIMIT, "threads: cannot start thread %d of %d (error %d)",
                              i + 1, threads, error);
        }
    }
    *team_out = team;
    return TERN_OK;
}

void tern__team_destroy(tern__team *team) {
    if (team != NULL)
        dismiss(team, team->size - 1);
}

int tern__team_size(const tern__team *team) {
    return team->size;
}

void tern__threads_pin(bool is_pinned) {
    pins_teams = is_pinned;
    tern__os()->thread_pin(is_pinned ? 0 : -1);
}

uint32_t tern__team_jobs(const tern__team *team) {
    return GATE_JOB(atomic_load_explicit(&team->gate, memory_order_relaxed));
}

static void run_alone(tern__team *team, int64_t count, int64_t grain, tern__job_fn fn,
                      void *argument) {
    int lane = own_team == team ? own_lane : 0;
    uint64_t mode = mode_enter();
    for (int64_t piece = 0, left = count; left > 0; piece++, left -= grain)
        run_piece(piece, count, grain, fn, argument, lane);
    mode_leave(mode);
}

void tern__team_run(tern__team *team, int64_t count, int64_t grain, tern__job_fn fn,
                    void *argument) {
    if (team->size == 1 || count <= grain || atomic_exchange(&team->busy, true)) {
        run_alone(team, count, grain, fn, argument);
        return;
    }
    team->fn = fn;
    team->argument = argument;
    team->count = count;
    team->grain = grain;
    team->pieces = count / grain + (count % grain != 0);
    atomic_store_explicit(&team->next_piece, 0, memory_order_relaxed);
    uint64_t last = atomic_load_explicit(&team->gate, memory_order_relaxed);
    atomic_store(&team->gate, (uint64_t)(GATE_JOB(last) + 1) << 32 | GATE_OPEN);
    wake_workers(team);
    share_job(team, 0);
    atomic_fetch_and(&team->gate, ~GATE_OPEN);
    await_empty(team);
    atomic_store_explicit(&team->busy, false, memory_order_release);
}
