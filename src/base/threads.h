/* SPDX-License-Identifier: MIT
 *
 * A lock, and a team of threads that shares the work of one op. Workers stay warm between ops: they
 * spin briefly for the next job, then sleep. How a job is cut into pieces never changes a result:
 * every kernel's output depends on its indices only.
 */
#ifndef TERN__THREADS_H
#define TERN__THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <tern/base.h>

/* Held for short sections; not recursive. */
typedef struct tern__lock {
    pthread_mutex_t mutex;
} tern__lock;

static inline void tern__lock_init(tern__lock *lock) {
    pthread_mutex_init(&lock->mutex, NULL); /* plain mutexes cannot fail here */
}

static inline void tern__lock_deinit(tern__lock *lock) {
    pthread_mutex_destroy(&lock->mutex);
}

static inline void tern__lock_acquire(tern__lock *lock) {
    pthread_mutex_lock(&lock->mutex);
}

static inline void tern__lock_release(tern__lock *lock) {
    pthread_mutex_unlock(&lock->mutex);
}

/* A number for each thread: never 0, never used again while the process lives. */
#if defined(__ELF__)
#define TERN__INITIAL_EXEC __attribute__((tls_model("initial-exec")))
#else
#define TERN__INITIAL_EXEC
#endif
extern _Thread_local uint64_t tern__thread_number TERN__INITIAL_EXEC; /* 0 before the first use */
uint64_t tern__thread_number_take(void);

static inline uint64_t tern__thread_id(void) {
    return tern__thread_number != 0 ? tern__thread_number : tern__thread_number_take();
}

typedef struct tern__team tern__team;

/* One piece of a job: the indices [begin, end). `lane` in 0..size-1 names the thread, for
 * per-thread scratch. */
typedef void (*tern__job_fn)(void *argument, int64_t begin, int64_t end, int lane);

#define TERN__TEAM_MAX 1024

/* `threads` counts the caller: 1 starts none. 1..TERN__TEAM_MAX.
 * TERN_E_LIMIT when a thread cannot be started. */
tern_status tern__team_create(int threads, tern__team **team);
void tern__team_destroy(tern__team *team); /* NULL is fine */
int tern__team_size(const tern__team *team);
/* Jobs that were offered to the workers so far, modulo 2^32: each is a barrier. Between jobs. */
uint32_t tern__team_jobs(const tern__team *team);

/* For measuring: keeps the calling thread on the first processor of the process, and worker i of
 * teams that it creates from now on on the i-th, those of contexts among them; or ends both, teams
 * that are there stay as they are. A hint, as thread_pin of the OS table. */
void tern__threads_pin(bool is_pinned);

/* Runs `fn` over [0, count) in pieces of `grain` >= 1 indices (the last may be shorter), each
 * exactly once, the caller taking part, and returns when all are done. Pieces start at multiples of
 * grain. A call from inside a job, or while another thread uses the team, runs on the caller alone,
 * with the lane that the thread has in this team; that is 0 for every thread that is none of its
 * workers, so two threads that call at once must not share scratch by lane.
 * Denormals are handled (FTZ/DAZ off) inside jobs, whatever the caller's floating-point mode;
 * rounding is to nearest even. A job in which the workers have nothing to do costs the caller
 * about 0.1 us, one that a spinning worker joins 0.7 us, waking a sleeping worker 30 to 40 us
 * (2 threads, Xeon with AVX-512). */
void tern__team_run(tern__team *team, int64_t count, int64_t grain, tern__job_fn fn,
                    void *argument);

#endif
