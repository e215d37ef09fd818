/* SPDX-License-Identifier: MIT
 * Pools and threads: blocks that wander, owners that leave, pools that outlive their users. Threads
 * count what is wrong; cmocka hears of it on its own thread. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "memory/pool.h"
#include "memory/pool_state.h"
#include "memory/remote.h"

enum { MAX_THREADS = 8 };

static const tern_tracking levels[] = {TERN_TRACK_COUNTS, TERN_TRACK_SITES, TERN_TRACK_FULL};
enum { LEVELS = 3 };

static void silent_event(void *user, const tern_memory_event *event) {
    (void)event;
    atomic_fetch_add((atomic_int *)user, 1);
}

static tern__pool *create(tern_tracking level, size_t max_bytes, atomic_int *events) {
    tern__pool_options options = {.tracking = level,
                                  .max_bytes = max_bytes,
                                  .on_event = events == NULL ? NULL : silent_event,
                                  .user = events};
    tern__pool *pool;
    test_ok(tern__pool_create(&options, &pool));
    return pool;
}

/* The pool is whole and has `blocks` live blocks of `bytes` bytes together. */
static void check_pool(tern__pool *pool, int64_t blocks, size_t bytes) {
    char text[256] = "";
    tern_memory_figures figures;
    if (!tern__pool_verify(pool, &figures, text, sizeof text))
        fail_msg("verify: %s", text);
    assert_int_equal(figures.live_blocks, blocks);
    assert_int_equal(figures.stats.live_bytes, bytes);
}

static void run_threads(int count, void *(*body)(void *), void **arguments) {
    pthread_t threads[MAX_THREADS];
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, arguments[i]), 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* Runs `body` on a thread that is over when this returns. */
static void run_thread(void *(*body)(void *), void *argument) {
    run_threads(1, body, &argument);
}

/* -- blocks that wander through one pool
 * ---------------------------------------------------------*/

enum { SLOTS = 64 };

typedef struct wander {
    tern__pool *pool;
    _Atomic(uint32_t *) slots[SLOTS];
    int rounds;
    atomic_int allocations, releases, failures;
} wander;

typedef struct wanderer {
    wander *shared;
    int index;
} wanderer;

/* The first word of a block is its number of words, the others count up from it. */
static bool is_intact(const uint32_t *words) {
    for (uint32_t i = 1; i < words[0]; i++)
        if (words[i] != words[0] + i)
            return false;
    return true;
}

static void release_words(wander *shared, uint32_t *words) {
    if (!is_intact(words))
        atomic_fetch_add(&shared->failures, 1);
    size_t bytes = words[0] * sizeof *words;
    memset(words, 0xEE, bytes);
    tern__pool_free(shared->pool, words, bytes, TERN__BLOCK_DATA);
    atomic_fetch_add_explicit(&shared->releases, 1, memory_order_relaxed);
}

static void *wander_body(void *argument) {
    wander *shared = ((wanderer *)argument)->shared;
    test_random random = {.seed = (uint64_t)((wanderer *)argument)->index + 1};
    for (int i = 0; i < shared->rounds; i++) {
        uint32_t count = 1u << test_random_range(&random, 2, 11);
        count += (uint32_t)test_random_range(&random, 0, count - 1);
        void *block;
        if (tern__pool_alloc(shared->pool, count * sizeof(uint32_t), TERN__BLOCK_DATA, NULL,
                             &block) != TERN_OK) {
            atomic_fetch_add(&shared->failures, 1);
            return NULL;
        }
        atomic_fetch_add_explicit(&shared->allocations, 1, memory_order_relaxed);
        uint32_t *words = block;
        words[0] = count;
        for (uint32_t w = 1; w < count; w++)
            words[w] = count + w;
        words = atomic_exchange_explicit(&shared->slots[test_random_range(&random, 0, SLOTS - 1)],
                                         words, memory_order_acq_rel);
        if (words != NULL)
            release_words(shared, words);
    }
    return NULL;
}

/* The owner takes part as the last of the threads. */
static void wander_round(tern_tracking level, int others, int rounds) {
    atomic_int events = 0;
    wander shared = {.pool = create(level, 0, &events), .rounds = rounds};
    wanderer wanderers[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    for (int i = 0; i <= others; i++)
        wanderers[i] = (wanderer){&shared, i};
    for (int i = 0; i < others; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wander_body, &wanderers[i]), 0);
    wander_body(&wanderers[others]);
    for (int i = 0; i < others; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&shared.failures), 0);

    int left = 0;
    size_t bytes = 0;
    for (int i = 0; i < SLOTS; i++) {
        uint32_t *words = atomic_load(&shared.slots[i]);
        left += words != NULL;
        bytes += words == NULL ? 0 : words[0] * sizeof *words;
    }
    assert_int_equal(atomic_load(&shared.allocations) - atomic_load(&shared.releases), left);
    check_pool(shared.pool, left, bytes);
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&shared.slots[i]) != NULL)
            release_words(&shared, atomic_load(&shared.slots[i]));
    assert_int_equal(atomic_load(&shared.failures), 0);
    check_pool(shared.pool, 0, 0);
    assert_int_equal(tern__pool_check(shared.pool), 0);
    tern_memory_figures figures;
    tern__pool_figures(shared.pool, &figures);
    assert_int_equal(figures.allocations, (others + 1) * rounds);
    assert_int_equal(figures.releases, (others + 1) * rounds);
    assert_true(figures.remote_releases > 0);
    assert_true(figures.remote_releases < figures.releases);
    assert_int_equal(atomic_load(&events), 0);
    tern__pool_destroy(shared.pool);
}

static void test_blocks_wander(void **state) {
    (void)state;
    for (int level = 0; level < LEVELS; level++)
        for (int others = 1; others <= 7; others += 2)
            wander_round(levels[level], others, 8000 / TEST_THINNING);
}

/* -- threads that leave
 * --------------------------------------------------------------------------*/

enum { KEPT = 300 }; /* more than the remote stack holds */

typedef struct batch {
    tern__pool *pool;
    void *blocks[KEPT];
    size_t bytes;
    int failures;
} batch;

static void *alloc_batch(void *argument) {
    batch *work = argument;
    for (int i = 0; i < KEPT; i++) {
        if (tern__pool_alloc(work->pool, work->bytes, TERN__BLOCK_DATA | TERN__BLOCK_TENSOR, NULL,
                             &work->blocks[i]) != TERN_OK)
            work->failures++;
        else
            memset(work->blocks[i], i & 0xFF, work->bytes);
    }
    return NULL;
}

typedef struct batch_part {
    batch *work;
    int count;
} batch_part;

static void *free_part(void *argument) {
    batch *work = ((batch_part *)argument)->work;
    int count = ((batch_part *)argument)->count;
    for (int i = 0; i < count; i++) {
        const uint8_t *bytes = work->blocks[i];
        for (size_t b = 0; b < work->bytes; b++)
            work->failures += bytes[b] != (i & 0xFF);
        tern__pool_free(work->pool, work->blocks[i], work->bytes,
                        TERN__BLOCK_DATA | TERN__BLOCK_TENSOR);
    }
    return NULL;
}

static void *free_batch(void *argument) {
    return free_part(&(batch_part){argument, KEPT});
}

static uint64_t locks_of(tern__pool *pool) {
    tern_memory_figures figures;
    tern__pool_figures(pool, &figures);
    return figures.locks;
}

/* Threads allocate and exit; others, or the owner, release what they left. */
static void test_threads_exit_with_live_blocks(void **state) {
    (void)state;
    for (int level = 0; level < LEVELS; level++)
        for (int is_owner = 0; is_owner < 2; is_owner++) {
            tern__pool *pool = create(levels[level], 0, NULL);
            batch batches[4];
            size_t sum = 0;
            void *arguments[4];
            for (int i = 0; i < 4; i++) {
                batches[i] = (batch){.pool = pool, .bytes = (size_t)(100 + 1000 * i)};
                arguments[i] = &batches[i];
                sum += KEPT * batches[i].bytes;
            }
            run_threads(4, alloc_batch, arguments);
            check_pool(pool, 4 * KEPT, sum);
            assert_int_equal(tern__pool_stats(pool).live_tensors, 4 * KEPT);
            if (is_owner)
                for (int i = 0; i < 4; i++)
                    free_batch(&batches[i]);
            else
                run_threads(4, free_batch, arguments);
            for (int i = 0; i < 4; i++)
                assert_int_equal(batches[i].failures, 0);
            check_pool(pool, 0, 0);
            assert_int_equal(tern__pool_stats(pool).live_tensors, 0);
            tern__pool_destroy(pool);
        }
}

/* What others release while the owner sleeps comes back all the same, more than the remote stack
 * holds; and it is counted as what it is. */
static void test_release_while_the_owner_sleeps(void **state) {
    (void)state;
    tern__pool *pool = create(TERN_TRACK_COUNTS, 0, NULL);
    assert_true(KEPT > TERN__REMOTE_MAX);
    for (int round = 1; round <= 5; round++) {
        batch work = {.pool = pool, .bytes = 640};
        alloc_batch(&work);
        run_thread(free_batch, &work);
        assert_int_equal(work.failures, 0);
        check_pool(pool, 0, 0);
        tern_memory_figures figures;
        tern__pool_figures(pool, &figures);
        assert_int_equal(figures.remote_releases, round * KEPT);
        assert_int_equal(figures.releases, round * KEPT);
    }
    tern__pool_destroy(pool);
}

/* Releases go to the remote stack without the lock, and the owner finds them there when its bin is
 * empty. */
static void test_refill_takes_the_remote_stack(void **state) {
    (void)state;
    tern__pool *pool = create(TERN_TRACK_COUNTS, 0, NULL);
    enum { COUNT = 200, MORE = 2000 };
    assert_true(COUNT < TERN__REMOTE_MAX);
    batch work = {.pool = pool, .bytes = 640};
    batch_part part = {&work, COUNT};
    void *large = NULL; /* a peak that lets the bin hold all of it */
    test_ok(tern__pool_alloc(pool, (size_t)64 << 20, TERN__BLOCK_DATA, NULL, &large));
    tern__pool_free(pool, large, (size_t)64 << 20, TERN__BLOCK_DATA);
    assert_true(tern__bins_bound(pool) > 2 * MORE * 640);
    uint64_t before = locks_of(pool), cost = locks_of(pool) - before;
    for (int round = 0; round < 2; round++) {
        alloc_batch(&work);
        for (int i = COUNT; i < KEPT; i++)
            tern__pool_free(pool, work.blocks[i], 640, TERN__BLOCK_DATA | TERN__BLOCK_TENSOR);
        if (round == 0)
            before = locks_of(pool);
        run_thread(free_part, &part);
        if (round == 0) /* this takes the stack; the next round leaves it to the owner's refill */
            assert_int_equal(locks_of(pool) - before, cost);
    }

    static void *blocks[MORE];
    for (int i = 0; i < MORE; i++)
        test_ok(tern__pool_alloc(pool, 640, TERN__BLOCK_DATA, NULL, &blocks[i]));
    assert_int_equal(tern__pool_stats(pool).live_bytes, MORE * 640);
    int again = 0;
    for (int i = 0; i < MORE; i++)
        for (int k = 0; k < COUNT; k++)
            again += blocks[i] == work.blocks[k];
    assert_int_equal(again, COUNT);
    for (int i = 0; i < MORE; i++)
        tern__pool_free(pool, blocks[i], 640, TERN__BLOCK_DATA);
    check_pool(pool, 0, 0);
    tern__pool_destroy(pool);
}

static void *create_and_alloc(void *argument) {
    batch *work = argument;
    tern__pool_options options = {.tracking = TERN_TRACK_COUNTS};
    if (tern__pool_create(&options, &work->pool) != TERN_OK)
        work->failures++;
    else
        alloc_batch(work);
    return NULL;
}

/* Who adopts a pool owns it: the path of the new owner takes no lock. */
static void test_owner_exits_another_adopts(void **state) {
    (void)state;
    for (int generation = 0; generation < 3; generation++) {
        batch work = {.bytes = 1000};
        run_thread(create_and_alloc, &work);
        assert_int_equal(work.failures, 0);
        check_pool(work.pool, KEPT, KEPT * work.bytes);
        tern__pool_adopt(work.pool);
        void *block;
        test_ok(tern__pool_alloc(work.pool, 1000, TERN__BLOCK_DATA, NULL, &block));
        tern__pool_free(work.pool, block, 1000, TERN__BLOCK_DATA);
        uint64_t before = locks_of(work.pool), cost = locks_of(work.pool) - before;
        for (int i = 0; i < 1000; i++) {
            test_ok(tern__pool_alloc(work.pool, 1000, TERN__BLOCK_DATA, NULL, &block));
            tern__pool_free(work.pool, block, 1000, TERN__BLOCK_DATA);
        }
        assert_int_equal(locks_of(work.pool) - before, 2 * cost);
        if (generation == 1) { /* the pool is gone before the blocks of its first owner */
            tern__pool_abandon(work.pool, NULL, NULL);
            run_thread(free_batch, &work);
        } else {
            free_batch(&work);
            check_pool(work.pool, 0, 0);
            tern__pool_destroy(work.pool);
        }
        assert_int_equal(work.failures, 0);
    }
}

/* The owner makes and others release: what comes back is used again, so little memory serves. */
typedef struct pipeline {
    tern__pool *pool;
    _Atomic(void *) slots[SLOTS];
    atomic_bool is_over;
} pipeline;

static void *consume(void *argument) {
    pipeline *pipe = argument;
    for (bool is_over = false; !is_over;) {
        is_over = atomic_load(&pipe->is_over); /* then one more time through the slots */
        for (int i = 0; i < SLOTS; i++)
            tern__pool_free(pipe->pool, atomic_exchange(&pipe->slots[i], NULL), 1024,
                            TERN__BLOCK_DATA);
    }
    return NULL;
}

static void test_released_elsewhere_is_used_again(void **state) {
    (void)state;
    pipeline pipe = {.pool = create(TERN_TRACK_COUNTS, 0, NULL)};
    pthread_t consumer;
    assert_int_equal(pthread_create(&consumer, NULL, consume, &pipe), 0);
    int made = 0;
    for (int i = 0; i < 100000 / TEST_THINNING; i++) {
        void *block;
        test_ok(tern__pool_alloc(pipe.pool, 1024, TERN__BLOCK_DATA, NULL, &block));
        memset(block, 1, 1024);
        made++;
        void *left = atomic_exchange(&pipe.slots[i % SLOTS], block);
        tern__pool_free(pipe.pool, left, 1024, TERN__BLOCK_DATA); /* the consumer was late */
    }
    atomic_store(&pipe.is_over, true);
    pthread_join(consumer, NULL);
    check_pool(pipe.pool, 0, 0);
    tern_memory_stats stats = tern__pool_stats(pipe.pool);
    /* Alive at a time: the slots, the remote stack, one each in hand. */
    assert_true(stats.peak_bytes <= (SLOTS + TERN__REMOTE_MAX + 2) * 1024);
    assert_true(stats.committed_bytes <= (size_t)4 << 20);
    tern__pool_destroy(pipe.pool);
}

/* -- pools without a user
 * ------------------------------------------------------------------------*/

typedef struct orphan {
    tern__pool *pool;
    void *blocks[MAX_THREADS][KEPT];
    pthread_barrier_t barrier;
    atomic_int begun;   /* releases */
    atomic_int empty;   /* calls of on_empty */
    int begun_at_empty; /* releases begun by then */
} orphan;

typedef struct orphan_thread {
    orphan *shared;
    int index;
} orphan_thread;

static void on_empty(void *user) {
    orphan *shared = user;
    shared->begun_at_empty = atomic_load(&shared->begun);
    atomic_fetch_add(&shared->empty, 1);
}

static size_t orphan_bytes(int index, int i) {
    return 16 + 40 * (size_t)i + 5000 * (size_t)(index == 0 && i % 50 == 0);
}

static void release_orphans(orphan *shared, int index, int count) {
    for (int i = 0; i < count; i++) {
        atomic_fetch_add_explicit(&shared->begun, 1, memory_order_relaxed);
        tern__pool_free(shared->pool, shared->blocks[index][i], orphan_bytes(index, i),
                        TERN__BLOCK_DATA);
    }
}

static void *orphan_body(void *argument) {
    orphan_thread *thread = argument;
    pthread_barrier_wait(&thread->shared->barrier);
    release_orphans(thread->shared, thread->index, KEPT);
    return NULL;
}

/* `threads` release while the owner, who releases its own blocks too, abandons after `own` of
 * them. */
static void orphan_round(tern_tracking level, int threads, int own) {
    orphan *shared = calloc(1, sizeof *shared);
    assert_non_null(shared);
    shared->pool = create(level, 0, NULL);
    for (int t = 0; t <= threads; t++)
        for (int i = 0; i < KEPT; i++)
            test_ok(tern__pool_alloc(shared->pool, orphan_bytes(t, i), TERN__BLOCK_DATA, NULL,
                                     &shared->blocks[t][i]));
    pthread_barrier_init(&shared->barrier, NULL, (unsigned)threads + 1);
    pthread_t handles[MAX_THREADS];
    orphan_thread arguments[MAX_THREADS];
    for (int t = 0; t < threads; t++) {
        arguments[t] = (orphan_thread){shared, t};
        assert_int_equal(pthread_create(&handles[t], NULL, orphan_body, &arguments[t]), 0);
    }
    pthread_barrier_wait(&shared->barrier);
    release_orphans(shared, threads, own);
    tern__pool_abandon(shared->pool, on_empty, shared);
    if (own < KEPT)
        assert_int_equal(atomic_load(&shared->empty), 0); /* the owner's blocks are alive */
    for (int i = own; i < KEPT; i++) {
        atomic_fetch_add_explicit(&shared->begun, 1, memory_order_relaxed);
        tern__pool_free(shared->pool, shared->blocks[threads][i], orphan_bytes(threads, i),
                        TERN__BLOCK_DATA);
    }
    for (int t = 0; t < threads; t++)
        pthread_join(handles[t], NULL);
    assert_int_equal(atomic_load(&shared->empty), 1);
    assert_int_equal(shared->begun_at_empty, (threads + 1) * KEPT);
    pthread_barrier_destroy(&shared->barrier);
    free(shared);
}

static void test_abandon_while_others_release(void **state) {
    (void)state;
    for (int level = 0; level < LEVELS; level++)
        for (int round = 0; round < (level == 0 ? 60 : 12) / (TEST_THINNING > 1 ? 2 : 1); round++)
            orphan_round(levels[level], 1 + round % 4, (round * 37) % (KEPT + 1));
    for (int round = 0; round < 20; round++)
        orphan_round(TERN_TRACK_COUNTS, 3, KEPT); /* nothing is left to the owner */
}

static void test_abandon_alone(void **state) {
    (void)state;
    tern__pool_abandon(NULL, NULL, NULL);
    for (int level = 0; level < LEVELS; level++) {
        orphan shared = {.pool = create(levels[level], 0, NULL)};
        tern__pool_abandon(shared.pool, on_empty, &shared); /* nothing is alive */
        assert_int_equal(atomic_load(&shared.empty), 1);

        shared = (orphan){.pool = create(levels[level], 0, NULL)};
        void *blocks[2];
        for (int i = 0; i < 2; i++)
            test_ok(tern__pool_alloc(shared.pool, 100, TERN__BLOCK_DATA, NULL, &blocks[i]));
        tern__pool_abandon(shared.pool, on_empty, &shared);
        assert_int_equal(atomic_load(&shared.empty), 0);
        tern__pool_free(shared.pool, blocks[0], 100, TERN__BLOCK_DATA);
        assert_int_equal(atomic_load(&shared.empty), 0);
        tern__pool_free(shared.pool, blocks[1], 100, TERN__BLOCK_DATA);
        assert_int_equal(atomic_load(&shared.empty), 1);
    }
}

/* -- limits
 * --------------------------------------------------------------------------------------*/

enum { LIMIT_THREADS = 6, LIMIT_BLOCK = 4096, LIMIT_BLOCKS = 256, LIMIT_HELD = 100 };

typedef struct limit {
    tern__pool *pool;
    pthread_barrier_t barrier;
    atomic_long held, most_held; /* bytes */
    atomic_int refusals, pressures, failures;
} limit;

static void on_pressure(void *user, size_t bytes) {
    limit *shared = user;
    if (bytes != LIMIT_BLOCK)
        atomic_fetch_add(&shared->failures, 1);
    atomic_fetch_add(&shared->pressures, 1);
}

static void note_held(limit *shared) {
    long held = atomic_fetch_add(&shared->held, LIMIT_BLOCK) + LIMIT_BLOCK;
    long most = atomic_load(&shared->most_held);
    while (held > most && !atomic_compare_exchange_weak(&shared->most_held, &most, held))
        ;
}

/* Takes what there is, until refused; all threads hold theirs; then gives it back; again. */
static void *limit_body(void *argument) {
    limit *shared = argument;
    void *blocks[LIMIT_HELD];
    for (int round = 0; round < 20; round++) {
        int count = 0;
        for (; count < LIMIT_HELD; count++) {
            tern_status status =
                tern__pool_alloc(shared->pool, LIMIT_BLOCK, TERN__BLOCK_DATA, NULL, &blocks[count]);
            if (status != TERN_OK) {
                atomic_fetch_add(&shared->refusals, 1);
                if (status != TERN_E_LIMIT || blocks[count] != NULL)
                    atomic_fetch_add(&shared->failures, 1);
                break;
            }
            note_held(shared);
        }
        pthread_barrier_wait(&shared->barrier); /* together they asked for more than there is */
        if (atomic_load(&shared->held) < LIMIT_BLOCKS * LIMIT_BLOCK)
            atomic_fetch_add(&shared->failures, 1);
        pthread_barrier_wait(&shared->barrier);
        while (count > 0) {
            atomic_fetch_sub(&shared->held, LIMIT_BLOCK);
            tern__pool_free(shared->pool, blocks[--count], LIMIT_BLOCK, TERN__BLOCK_DATA);
        }
        pthread_barrier_wait(&shared->barrier);
    }
    return NULL;
}

static void limit_round(tern_tracking level) {
    limit shared = {.pool = NULL};
    tern__pool_options options = {.max_bytes = LIMIT_BLOCKS * LIMIT_BLOCK,
                                  .tracking = level,
                                  .on_pressure = on_pressure,
                                  .user = &shared};
    test_ok(tern__pool_create(&options, &shared.pool));
    pthread_barrier_init(&shared.barrier, NULL, LIMIT_THREADS);
    pthread_t threads[LIMIT_THREADS - 1];
    for (int i = 0; i < LIMIT_THREADS - 1; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, limit_body, &shared), 0);
    limit_body(&shared); /* the owner */
    for (int i = 0; i < LIMIT_THREADS - 1; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&shared.failures), 0);
    assert_true(atomic_load(&shared.refusals) > 0);
    assert_true(atomic_load(&shared.pressures) >= atomic_load(&shared.refusals));
    assert_true(atomic_load(&shared.most_held) <= (LIMIT_BLOCKS + LIMIT_THREADS - 1) * LIMIT_BLOCK);

    /* Nothing of the limit was lost. */
    check_pool(shared.pool, 0, 0);
    void *block;
    test_ok(tern__pool_alloc(shared.pool, options.max_bytes, TERN__BLOCK_DATA, NULL, &block));
    tern__pool_free(shared.pool, block, options.max_bytes, TERN__BLOCK_DATA);
    tern__pool_destroy(shared.pool);
    pthread_barrier_destroy(&shared.barrier);
}

static void test_limit_under_contention(void **state) {
    (void)state;
    for (int level = 0; level < LEVELS; level++)
        limit_round(levels[level]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_wander),
        cmocka_unit_test(test_threads_exit_with_live_blocks),
        cmocka_unit_test(test_release_while_the_owner_sleeps),
        cmocka_unit_test(test_refill_takes_the_remote_stack),
        cmocka_unit_test(test_owner_exits_another_adopts),
        cmocka_unit_test(test_released_elsewhere_is_used_again),
        cmocka_unit_test(test_abandon_while_others_release),
        cmocka_unit_test(test_abandon_alone),
        cmocka_unit_test(test_limit_under_contention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
