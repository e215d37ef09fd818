/* SPDX-License-Identifier: MIT
 * A pool and several threads, its life, and what it reports. */
#include "memory/pool_fixture.h"

#include "memory/remote.h"
#include "memory/size_class.h"

#include "base/threads.h"

/* -- threads -----------------------------------------------------------------------------------*/

/* Runs `body` on a thread of its own, to its end. */
static void elsewhere(void (*body)(void *), void *argument) {
    tern__os_thread thread;
    assert_int_equal(tern__os()->thread_start(&thread, body, argument), 0);
    tern__os()->thread_join(thread);
}

static void note_id(void *argument) {
    *(uint64_t *)argument = tern__thread_id();
    if (tern__thread_id() != *(uint64_t *)argument)
        *(uint64_t *)argument = 0;
}

static void thread_ids_are_never_used_again(void **state) {
    (void)state;
    uint64_t ids[20];
    ids[0] = tern__thread_id();
    for (int i = 1; i < 20; i++)
        elsewhere(note_id, &ids[i]);
    for (int i = 0; i < 20; i++) {
        assert_int_not_equal(ids[i], 0);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(ids[i], ids[k]);
    }
}

/* Blocks for another thread to release, or to make. */
typedef struct parcel {
    tern__pool *pool;
    void *blocks[600];
    int count;
    size_t bytes;
    unsigned kind;
    tern_status status;
} parcel;

static void pack(parcel *p, tern__pool *pool, int count, size_t bytes, unsigned kind) {
    *p = (parcel){.pool = pool, .count = count, .bytes = bytes, .kind = kind};
    for (int i = 0; i < count; i++) {
        p->blocks[i] = new_block(pool, bytes, kind);
        memset(p->blocks[i], i, bytes);
    }
}

static void release_all(void *argument) {
    parcel *p = argument;
    for (int i = 0; i < p->count; i++)
        tern__pool_free(p->pool, p->blocks[i], p->bytes, p->kind);
}

static void make_all(void *argument) {
    parcel *p = argument;
    for (int i = 0; i < p->count && p->status == TERN_OK; i++) {
        p->status = tern__pool_alloc(p->pool, p->bytes, p->kind, NULL, &p->blocks[i]);
        if (p->status == TERN_OK)
            memset(p->blocks[i], i, p->bytes);
    }
}

static void others_release_without_a_lock(void **state) {
    (void)state;
    static parcel p;
    tern__pool *pool = plain_pool();
    pack(&p, pool, TERN__REMOTE_MAX, 200, DATA | TENSOR);
    uint64_t locks = verified(pool).locks;
    elsewhere(release_all, &p);
    tern_memory_figures figures = verified(pool); /* drains */
    assert_int_equal(figures.stats.live_bytes, 0);
    assert_int_equal(figures.stats.live_tensors, 0);
    assert_int_equal(figures.remote_releases, TERN__REMOTE_MAX);
    assert_int_equal(figures.live_blocks, 0);
    assert_in_range(figures.locks - locks, 0, 1); /* a bin may have been full */
    tern__pool_destroy(pool);
}

static void a_full_stack_is_taken_under_the_lock(void **state) {
    (void)state;
    static parcel p;
    tern__pool *pool = plain_pool();
    pack(&p, pool, TERN__REMOTE_MAX + 1, 200, HEADER);
    uint64_t locks = verified(pool).locks;
    elsewhere(release_all, &p);
    tern_memory_figures figures = verified(pool);
    assert_int_equal(figures.locks, locks + 1);
    assert_int_equal(figures.remote_releases, TERN__REMOTE_MAX + 1);
    assert_int_equal(figures.live_blocks, 0);
    pack(&p, pool, 600, 200, HEADER);
    elsewhere(release_all, &p);
    assert_int_equal(verified(pool).live_blocks, 0);
    assert_int_equal(verified(pool).stats.live_bytes, 0);
    tern__pool_destroy(pool); /* the rest of the stack is taken then too */
    pool = plain_pool();
    pack(&p, pool, 10, 200, HEADER);
    elsewhere(release_all, &p);
    tern__pool_destroy(pool);
}

/* The owner's refill takes what came back before it looks elsewhere. */
static void refills_take_what_came_back(void **state) {
    (void)state;
    static parcel p;
    tern__pool *pool = plain_pool();
    pack(&p, pool, 1, 20000, DATA);
    void *block = p.blocks[0];
    uint64_t locks = verified(pool).locks;
    elsewhere(release_all, &p);
    assert_ptr_equal(new_block(pool, 20000, DATA), block);
    assert_int_equal(verified(pool).locks, locks);
    tern__pool_free(pool, block, 20000, DATA);
    tern__pool_destroy(pool);
}

static void others_allocate_and_release_large_blocks(void **state) {
    (void)state;
    static parcel p;
    const size_t sizes[] = {100, 50000, 5 * MIB};
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++)
        for (size_t k = 0; k < 3; k++) {
            tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
            void *own = new_block(pool, 100, DATA | TENSOR);
            p = (parcel){.pool = pool, .count = 4, .bytes = sizes[k], .kind = DATA | TENSOR};
            elsewhere(make_all, &p);
            test_ok(p.status);
            tern_memory_figures figures = verified(pool);
            assert_int_equal(figures.stats.live_bytes, 100 + 4 * sizes[k]);
            assert_int_equal(figures.stats.peak_bytes, 100 + 4 * sizes[k]);
            assert_int_equal(figures.stats.peak_tensors, 5);
            assert_int_equal(figures.live_blocks, 5);
            /* The next peak of the owner stands on theirs. */
            tern__pool_free(pool, own, 100, DATA | TENSOR);
            own = new_block(pool, 128, DATA | TENSOR);
            figures = verified(pool);
            assert_int_equal(figures.stats.peak_bytes, 128 + 4 * sizes[k]);
            assert_int_equal(figures.stats.peak_tensors, 5);
            void *own2 = new_block(pool, 128, DATA | TENSOR); /* fast, if there is a fast path */
            figures = verified(pool);
            assert_int_equal(figures.stats.peak_bytes, 256 + 4 * sizes[k]);
            assert_int_equal(figures.stats.peak_tensors, 6);
            tern__pool_free(pool, own2, 128, DATA | TENSOR);
            release_all(&p);
            assert_int_equal(verified(pool).stats.live_bytes, 128);
            /* Nothing of it was fast knowledge: theirs first, then what the owner had before. */
            tern__pool_free(pool, own, 128, DATA | TENSOR);
            p.count = 5;
            elsewhere(make_all, &p);
            own = new_block(pool, 128, DATA | TENSOR);
            own2 = new_block(pool, 64, DATA | TENSOR);
            figures = verified(pool);
            assert_int_equal(figures.stats.peak_bytes, 192 + 5 * sizes[k]);
            assert_int_equal(figures.stats.peak_tensors, 7);
            tern__pool_free(pool, own2, 64, DATA | TENSOR);
            tern__pool_free(pool, p.blocks[4], sizes[k], DATA | TENSOR);
            p.count = 4;
            elsewhere(release_all, &p);
            figures = verified(pool);
            assert_int_equal(figures.stats.live_tensors, 1);
            assert_int_equal(figures.remote_releases, 4);
            tern__pool_free(pool, own, 128, DATA | TENSOR);
            assert_int_equal(verified(pool).live_blocks, 0);
            tern__pool_destroy(pool);
        }
}

static void the_limit_holds_for_all(void **state) {
    (void)state;
    static parcel p, q;
    tern__pool *pool = new_pool(&(tern__pool_options){.max_bytes = 10000});
    pack(&p, pool, 50, 100, DATA);
    q = (parcel){.pool = pool, .count = 60, .bytes = 100, .kind = DATA};
    elsewhere(make_all, &q);
    test_status(q.status, TERN_E_LIMIT);
    q.count = 50;
    void *none = &p;
    test_status(tern__pool_alloc(pool, 1, DATA, NULL, &none), TERN_E_LIMIT);
    assert_null(none);
    assert_int_equal(verified(pool).stats.peak_bytes, 10000);
    /* What lies in the remote stack is taken before the limit refuses: by others, by the owner. */
    elsewhere(release_all, &p);
    p.bytes = 200, p.count = 25;
    elsewhere(make_all, &p);
    test_ok(p.status);
    elsewhere(release_all, &p);
    for (int i = 0; i < 25; i++)
        p.blocks[i] = new_block(pool, 200, DATA);
    release_all(&p);
    release_all(&q);
    assert_int_equal(verified(pool).live_blocks, 0);
    tern__pool_destroy(pool);
}

static void work_as_owner(void *argument) {
    parcel *p = argument;
    tern__pool_adopt(p->pool);
    for (int round = 0; round < 3; round++) {
        uint64_t locks = verified(p->pool).locks;
        make_all(p);
        release_all(p);
        if (round > 0 && verified(p->pool).locks != locks)
            p->status = TERN_E_INTERNAL;
    }
    make_all(p);
}

/* A thread makes the pool its own, ends with blocks alive, and another one takes over. */
static void owners_come_and_go(void **state) {
    (void)state;
    static parcel p, q;
    tern__pool *pool = plain_pool();
    pack(&q, pool, 100, 300, DATA);
    p = (parcel){.pool = pool, .count = 40, .bytes = 1000, .kind = HEADER | TENSOR};
    elsewhere(work_as_owner, &p);
    test_ok(p.status);
    tern_memory_figures figures = verified(pool);
    assert_int_equal(figures.live_blocks, 140);
    assert_int_equal(figures.remote_releases, 0);
    release_all(&p); /* this thread is a stranger now */
    elsewhere(release_all, &q);
    figures = verified(pool);
    assert_int_equal(figures.remote_releases, 140);
    assert_int_equal(figures.live_blocks, 0);
    tern__pool_adopt(pool);
    tern__pool_free(pool, new_block(pool, 1000, HEADER), 1000, HEADER);
    uint64_t locks = verified(pool).locks;
    tern__pool_free(pool, new_block(pool, 1000, HEADER), 1000, HEADER);
    assert_int_equal(verified(pool).locks, locks);
    assert_int_equal(verified(pool).remote_releases, 140);
    tern__pool_destroy(pool);
}

/* -- end of life -------------------------------------------------------------------------------*/

static void count_end(void *user) {
    ++*(int *)user;
}

static void abandoned_pools_end_with_their_last_block(void **state) {
    (void)state;
    static parcel p;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++)
        for (int count = 0; count <= 3; count++) {
            int ends = 0;
            tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
            pack(&p, pool, count, 3000, DATA | TENSOR);
            void *remote = count != 0 ? new_block(pool, 70, HEADER) : NULL;
            static parcel q;
            q = (parcel){.pool = pool, .blocks = {remote}, .count = 1, .bytes = 70};
            elsewhere(release_all, &q); /* lies in the stack; nothing when it is NULL */
            tern__pool_abandon(pool, count_end, &ends);
            assert_int_equal(ends, count == 0);
            for (int i = 0; i < count; i++) {
                assert_int_equal(ends, 0);
                static parcel one;
                one = (parcel){.pool = pool, .blocks = {p.blocks[i]}, .count = 1};
                one.bytes = 3000, one.kind = DATA | TENSOR;
                if (i % 2 == 0)
                    release_all(&one);
                else
                    elsewhere(release_all, &one);
            }
            assert_int_equal(ends, 1);
            assert_int_equal(os.mapped, 0);
        }
    tern__pool_abandon(NULL, NULL, NULL);
    tern__pool_abandon(plain_pool(), NULL, NULL);
}

enum { CROWD = 4 };

/* Four threads release the last blocks of an abandoned pool at once. */
static void a_crowd_ends_a_pool_once(void **state) {
    (void)state;
    static parcel parts[CROWD];
    for (int round = 0; round < 60 / TEST_THINNING; round++) {
        int ends = 0;
        tern__pool *pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)(round % 3)});
        for (int t = 0; t < CROWD; t++)
            pack(&parts[t], pool, 100, 64u << t, DATA);
        tern__os_thread threads[CROWD];
        for (int t = 0; t < CROWD; t++)
            assert_int_equal(tern__os()->thread_start(&threads[t], release_all, &parts[t]), 0);
        tern__pool_abandon(pool, count_end, &ends); /* while they do */
        for (int t = 0; t < CROWD; t++)
            tern__os()->thread_join(threads[t]);
        assert_int_equal(ends, 1);
        assert_int_equal(os.mapped, 0);
    }
}

/* -- traffic -----------------------------------------------------------------------------------*/

enum { SLOTS = 64 };

/* Blocks travel between threads through the slots; their first and last word hold the size. */
typedef struct traffic {
    tern__pool *pool;
    _Atomic(size_t *) slots[SLOTS];
    atomic_int errors;
} traffic;

typedef struct driver {
    traffic *traffic;
    uint64_t seed;
    bool is_owner;
} driver;

static void take_away(traffic *t, size_t *block) {
    if (block == NULL)
        return;
    size_t bytes = block[0];
    if (block[bytes / sizeof(size_t) - 1] != bytes)
        atomic_fetch_add(&t->errors, 1);
    tern__pool_free(t->pool, block, bytes, bytes % 32 == 0 ? DATA | TENSOR : HEADER);
}

static void drive(void *argument) {
    driver *d = argument;
    traffic *t = d->traffic;
    test_random random = {.seed = d->seed};
    if (d->is_owner)
        tern__pool_adopt(t->pool);
    for (int step = 0; step < 6000 / TEST_THINNING; step++) {
        size_t top = (size_t)1 << test_random_range(&random, 6, step % 50 == 0 ? 23 : 14);
        size_t bytes = (size_t)test_random_range(&random, (int64_t)top / 2, (int64_t)top) / 16 * 16;
        void *block = NULL;
        if (tern__pool_alloc(t->pool, bytes, bytes % 32 == 0 ? DATA | TENSOR : HEADER, NULL,
                             &block) != TERN_OK) {
            atomic_fetch_add(&t->errors, 1);
            continue;
        }
        size_t *words = block;
        words[bytes / sizeof(size_t) - 1] = bytes;
        words[0] = bytes;
        int64_t slot = test_random_range(&random, 0, SLOTS - 1);
        take_away(t, atomic_exchange(&t->slots[slot], words));
        if (step % 100 == 0)
            (void)tern__pool_stats(t->pool);
        if (step % 1000 == 7)
            tern__pool_tick(t->pool);
        if (step % 3000 == 11)
            tern__pool_trim(t->pool);
    }
}

static void threads_share_a_pool(void **state) {
    (void)state;
    for (int level = TERN_TRACK_COUNTS; level <= TERN_TRACK_FULL; level++) {
        static traffic t;
        memset(&t, 0, sizeof t);
        t.pool = new_pool(&(tern__pool_options){.tracking = (tern_tracking)level});
        driver drivers[CROWD];
        tern__os_thread threads[CROWD];
        for (int i = 0; i < CROWD; i++)
            drivers[i] = (driver){&t, 100 + (uint64_t)i, false};
        for (int i = 1; i < CROWD; i++)
            assert_int_equal(tern__os()->thread_start(&threads[i], drive, &drivers[i]), 0);
        drive(&drivers[0]); /* the owner */
        for (int i = 1; i < CROWD; i++)
            tern__os()->thread_join(threads[i]);
        for (int i = 0; i < SLOTS; i++)
            take_away(&t, t.slots[i]);
        assert_int_equal(t.errors, 0);
        tern_memory_figures figures = verified(t.pool);
        assert_int_equal(figures.live_blocks, 0);
        assert_int_equal(figures.stats.live_bytes, 0);
        assert_int_equal(figures.stats.live_tensors, 0);
        assert_int_equal(figures.allocations, CROWD * (6000 / TEST_THINNING));
        assert_int_equal(figures.releases, figures.allocations);
        tern__pool_destroy(t.pool);
    }
}

/* -- events ------------------------------------------------------------------------------------*/

enum { EVENTS = 20 };

typedef struct events {
    int count;
    tern_memory_event list[EVENTS];
    int64_t first_dim[EVENTS];
    char text[EVENTS][512];
    tern__pool *pool;
} events;

static void on_event(void *user, const tern_memory_event *event) {
    events *e = user;
    assert_true(e->count < EVENTS);
    assert_non_null(event->text);
    e->list[e->count] = *event;
    e->first_dim[e->count] = event->rank > 0 ? event->dims[0] : -1;
    snprintf(e->text[e->count++], sizeof e->text[0], "%s", event->text);
    if (e->pool != NULL) /* no lock is held: the library may be called */
        (void)tern__pool_stats(e->pool);
}

static void *noted_block(tern__pool *pool, size_t bytes, unsigned kind, const char *op, int line) {
    const int64_t dims[1] = {line};
    tern_site_set("maker.c", line, "tern_make");
    const tern__note note = {op, "f32", 1, dims};
    void *block = NULL;
    test_ok(tern__pool_alloc(pool, bytes, kind, &note, &block));
    tern_site_set("other.c", 1, "tern_other");
    return block;
}

static tern__pool *watched_pool(events *e, tern_tracking tracking) {
    tern__pool *pool =
        new_pool(&(tern__pool_options){.tracking = tracking, .on_event = on_event, .user = e});
    e->pool = pool;
    return pool;
}

static void expect_event(const events *e, int index, tern_memory_event_kind kind,
                         const void *address, size_t bytes, int line) {
    assert_true(index < e->count);
    const tern_memory_event *event = &e->list[index];
    assert_string_equal(tern_memory_event_name(event->kind), tern_memory_event_name(kind));
    assert_ptr_equal(event->address, address);
    assert_int_equal(event->bytes, bytes);
    assert_int_equal(event->made.line, line);
    assert_int_equal(e->first_dim[index], line > 0 ? line : -1);
    assert_non_null(strstr(e->text[index], tern_memory_event_name(kind)));
}

static void misuse_is_reported(void **state) {
    (void)state;
    static events e, e2;
    for (int level = TERN_TRACK_SITES; level <= TERN_TRACK_FULL; level++) {
        memset(&e, 0, sizeof e);
        memset(&e2, 0, sizeof e2);
        tern__pool *pool = watched_pool(&e, (tern_tracking)level);
        tern__pool *second = watched_pool(&e2, TERN_TRACK_SITES);
        char *a = noted_block(pool, 100, DATA | TENSOR, "add", 11);
        char *b = noted_block(second, 5000, DATA, "mul", 12);
        char local[64];
        tern__pool_free(pool, a, 101, DATA | TENSOR);
        expect_event(&e, 0, TERN_MEMORY_WRONG_SIZE, a, 100, 11);
        tern__pool_free(pool, a + 8, 100, DATA | TENSOR);
        expect_event(&e, 1, TERN_MEMORY_INTERIOR_POINTER, a + 8, 100, 11);
        tern__pool_free(pool, b, 5000, DATA);
        expect_event(&e, 2, TERN_MEMORY_WRONG_POOL, b, 5000, 12);
        tern__pool_free(pool, local, 64, DATA);
        expect_event(&e, 3, TERN_MEMORY_FOREIGN_POINTER, local, 0, 0);
        tern__pool_free(pool, b + 64, 5000, DATA);
        expect_event(&e, 4, TERN_MEMORY_FOREIGN_POINTER, b + 64, 0, 0);
        assert_int_equal(verified(pool).stats.live_bytes, 100); /* all were refused */
        assert_int_equal(verified(second).stats.live_bytes, 5000);
        tern__pool_free(pool, a, 100, DATA | TENSOR);
        assert_int_equal(e.count, 5);
        tern__pool_free(pool, a, 100, DATA | TENSOR);
        expect_event(&e, 5, TERN_MEMORY_DOUBLE_RELEASE, a, 100, 11);
        assert_int_equal(e.list[5].released.line, 1);
        tern__pool_report_double(pool, a);
        expect_event(&e, 6, TERN_MEMORY_DOUBLE_RELEASE, a, 100, 11);
        tern__pool_report_double(pool, local);
        expect_event(&e, 7, TERN_MEMORY_DOUBLE_RELEASE, local, 0, 0);
        assert_int_equal(verified(pool).live_blocks, 0);
        tern__pool_free(second, b, 5000, DATA);
        assert_int_equal(e2.count, 0);
        tern__pool_destroy(second);
        tern__pool_destroy(pool);
        assert_int_equal(e.count, 8);
    }
}

static void damage_is_reported(void **state) {
    (void)state;
    static events e;
    memset(&e, 0, sizeof e);
    tern__pool *pool = watched_pool(&e, TERN_TRACK_FULL);
    char *a = noted_block(pool, 100, DATA, "add", 21);
    char *b = noted_block(pool, 5 * MIB, DATA, "mul", 22);
    char *c = noted_block(pool, 300, HEADER, "view", 23);
    assert_int_equal(tern__pool_check(pool), 0);
    a[100] ^= 1;
    assert_int_equal(tern__pool_check(pool), 1);
    expect_event(&e, 0, TERN_MEMORY_OVERRUN, a, 100, 21);
    assert_int_equal(tern__pool_check(pool), 0);
    b[-1] ^= 1;
    tern__pool_free(pool, b, 5 * MIB, DATA);
    expect_event(&e, 1, TERN_MEMORY_UNDERRUN, b, 5 * MIB, 22);
    assert_int_equal(verified(pool).live_blocks, 2);
    char *many[10];
    for (int i = 0; i < 10; i++)
        many[i] = noted_block(pool, 64, DATA, "many", 24);
    tern__pool_free(pool, c, 300, HEADER);
    c[5] ^= 1;
    for (int i = 0; i < 10; i++) {
        tern__pool_free(pool, many[i], 64, DATA);
        many[i][i] ^= 1;
    }
    tern__pool_free(pool, a, 100, DATA);
    assert_int_equal(e.count, 2);
    e.pool = NULL;
    tern__pool_destroy(pool); /* looks at what was held back */
    assert_int_equal(e.count, 13);
    expect_event(&e, 2, TERN_MEMORY_WRITE_AFTER_RELEASE, c, 300, 23);
    for (int i = 0; i < 10; i++)
        expect_event(&e, 3 + i, TERN_MEMORY_WRITE_AFTER_RELEASE, many[i], 64, 24);

    /* A pool that keeps no records finds nothing. */
    pool = plain_pool();
    assert_int_equal(tern__pool_check(pool), 0);
    assert_false(tern__pool_keeps_notes(pool));
    tern__pool_destroy(pool);
}

/* What is held back at level FULL is used again before memory runs out. */
static void held_blocks_serve_in_need(void **state) {
    (void)state;
    static parcel p;
    tern__pool *pool = new_pool(&(tern__pool_options){.tracking = TERN_TRACK_FULL});
    pack(&p, pool, 12, 4 * MIB, DATA);
    release_all(&p);
    assert_int_equal(verified(pool).live_blocks, 0);
    os.refuse_at = os.calls;
    os.refuses_from_then_on = true;
    make_all(&p);
    test_ok(p.status);
    os.refuse_at = -1;
    release_all(&p);
    (void)verified(pool);
    tern__pool_destroy(pool);
}

static void leaks_are_reported_by_site(void **state) {
    (void)state;
    static events e;
    void *blocks[9];
    for (int level = TERN_TRACK_SITES; level <= TERN_TRACK_FULL; level++) {
        memset(&e, 0, sizeof e);
        tern__pool *pool = watched_pool(&e, (tern_tracking)level);
        assert_int_equal(tern__pool_report_leaks(pool), 0);
        for (int i = 0; i < 3; i++) {
            blocks[2 * i + 1] = noted_block(pool, 1000, DATA, "add", 31);
            blocks[2 * i] = noted_block(pool, 80, HEADER | TENSOR, "add", 31);
        }
        blocks[6] = noted_block(pool, 70, HEADER | TENSOR, "view", 31); /* another op */
        blocks[7] = noted_block(pool, 200000, DATA, "add", 32);         /* another line */
        blocks[8] = NULL;
        assert_int_equal(tern__pool_report_leaks(pool), 5);
        assert_int_equal(e.count, 3);
        expect_event(&e, 0, TERN_MEMORY_LEAK, blocks[7], 200000, 32);
        assert_int_equal(e.list[0].count, 1);
        assert_int_equal(e.list[1].bytes, 3 * 1080);
        assert_int_equal(e.list[1].count, 3);
        assert_int_equal(e.list[1].made.line, 31);
        assert_true(e.list[1].address == blocks[0] || e.list[1].address == blocks[2] ||
                    e.list[1].address == blocks[4]); /* a tensor */
        assert_string_equal(e.list[1].op, "add");
        assert_string_equal(e.list[1].dtype, "f32");
        expect_event(&e, 2, TERN_MEMORY_LEAK, blocks[6], 70, 31);
        static events by_site;
        memset(&by_site, 0, sizeof by_site);
        test_ok(tern__pool_sites(pool, on_event, &by_site));
        assert_int_equal(by_site.count, 3);
        assert_int_equal(by_site.list[0].bytes, 200000);
        os.refuse_at = os.calls;
        test_status(tern__pool_sites(pool, on_event, &by_site), TERN_E_MEMORY);
        assert_int_equal(by_site.count, 3);
        /* Without memory the sum at least. */
        os.refuse_at = os.calls;
        assert_int_equal(tern__pool_report_leaks(pool), 4);
        assert_int_equal(e.count, 4);
        assert_int_equal(e.list[3].bytes, 203310);
        os.refuse_at = -1;
        for (int i = 0; i < 8; i++)
            tern__pool_free(pool, blocks[i],
                            i == 7   ? 200000
                            : i == 6 ? 70
                            : i % 2  ? 1000
                                     : 80,
                            i == 7 || (i < 6 && i % 2) ? DATA : HEADER | TENSOR);
        assert_int_equal(tern__pool_report_leaks(pool), 0);
        tern__pool_destroy(pool);
    }
}

static void many_sites_are_told_apart(void **state) {
    (void)state;
    static void *blocks[500];
    tern__pool *pool = new_pool(&(tern__pool_options){.tracking = TERN_TRACK_SITES});
    for (int i = 0; i < 500; i++)
        blocks[i] = noted_block(pool, 100 + (size_t)(i % 250), DATA, "add", i % 250);
    static events e;
    memset(&e, 0, sizeof e);
    assert_int_equal(tern__pool_report_leaks(pool), 500); /* to the log: nobody listens */
    for (int i = 0; i < 490; i++)
        tern__pool_free(pool, blocks[i], 100 + (size_t)(i % 250), DATA);
    test_ok(tern__pool_sites(pool, on_event, &e));
    assert_int_equal(e.count, 10);
    for (int i = 0; i < 10; i++)
        expect_event(&e, i, TERN_MEMORY_LEAK, blocks[499 - i], 349 - (size_t)i, 249 - i);
    for (int i = 490; i < 500; i++)
        tern__pool_free(pool, blocks[i], 100 + (size_t)(i % 250), DATA);
    tern__pool_destroy(pool);
}

static void count_group(void *user, const tern_memory_event *event) {
    assert_int_equal(event->count, 1);
    ++*(int *)user;
}

static void ops_of_one_line_are_told_apart(void **state) {
    (void)state;
    static char ops[250][16];
    static void *blocks[250];
    tern__pool *pool = new_pool(&(tern__pool_options){.tracking = TERN_TRACK_SITES});
    for (int i = 0; i < 250; i++) {
        snprintf(ops[i], sizeof ops[i], "op%d", i);
        blocks[i] = noted_block(pool, 64, DATA, ops[i], 7);
    }
    int count = 0;
    test_ok(tern__pool_sites(pool, count_group, &count));
    assert_int_equal(count, 250);
    for (int i = 0; i < 250; i++)
        tern__pool_free(pool, blocks[i], 64, DATA);
    tern__pool_destroy(pool);
}

static void counts_report_leaks_as_a_sum(void **state) {
    (void)state;
    static events e;
    memset(&e, 0, sizeof e);
    tern__pool *pool = watched_pool(&e, TERN_TRACK_COUNTS);
    assert_int_equal(tern__pool_report_leaks(pool), 0);
    assert_int_equal(e.count, 0);
    void *a = new_block(pool, 100, HEADER), *b = new_block(pool, 50, DATA);
    assert_int_equal(tern__pool_report_leaks(pool), 2);
    void *c = new_block(pool, 7, DATA | TENSOR);
    assert_int_equal(tern__pool_report_leaks(pool), 1);
    expect_event(&e, 0, TERN_MEMORY_LEAK, NULL, 150, 0);
    assert_int_equal(e.list[0].count, 2);
    assert_int_equal(e.list[1].bytes, 157);
    assert_int_equal(e.list[1].rank, -1);
    test_ok(tern__pool_sites(pool, on_event, &e));
    assert_int_equal(e.count, 2);
    tern__pool_report_double(pool, a);
    assert_int_equal(e.list[2].kind, TERN_MEMORY_DOUBLE_RELEASE);
    assert_ptr_equal(e.list[2].address, a);
    tern__pool_free(pool, a, 100, HEADER);
    tern__pool_free(pool, b, 50, DATA);
    tern__pool_free(pool, c, 7, DATA | TENSOR);
    tern__pool_destroy(pool);
}

/* After the user has gone findings go to the log. */
static char logged[600];

static void on_log(void *user, tern_log_level level, const char *message) {
    (void)user;
    assert_int_equal(level, TERN_LOG_ERROR);
    snprintf(logged, sizeof logged, "%s", message);
}

static void abandoned_pools_report_to_the_log(void **state) {
    (void)state;
    static events e;
    memset(&e, 0, sizeof e);
    int ends = 0;
    tern__pool *pool = watched_pool(&e, TERN_TRACK_SITES);
    void *a = noted_block(pool, 100, DATA, "add", 41), *b = noted_block(pool, 64, DATA, "add", 42);
    tern__pool_abandon(pool, count_end, &ends);
    tern_log_set(on_log, NULL, TERN_LOG_ERROR);
    tern__pool_free(pool, a, 100, DATA);
    assert_string_equal(logged, "");
    tern__pool_free(pool, a, 100, DATA);
    assert_non_null(strstr(logged, "double release"));
    assert_int_equal(e.count + ends, 0);
    tern__pool_free(pool, b, 64, DATA);
    tern_log_set(NULL, NULL, TERN_LOG_ERROR);
    assert_int_equal(ends, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(thread_ids_are_never_used_again),
        POOL_TEST(others_release_without_a_lock),
        POOL_TEST(a_full_stack_is_taken_under_the_lock),
        POOL_TEST(refills_take_what_came_back),
        POOL_TEST(others_allocate_and_release_large_blocks),
        POOL_TEST(the_limit_holds_for_all),
        POOL_TEST(owners_come_and_go),
        POOL_TEST(abandoned_pools_end_with_their_last_block),
        POOL_TEST(a_crowd_ends_a_pool_once),
        POOL_TEST(threads_share_a_pool),
        POOL_TEST(misuse_is_reported),
        POOL_TEST(damage_is_reported),
        POOL_TEST(held_blocks_serve_in_need),
        POOL_TEST(leaks_are_reported_by_site),
        POOL_TEST(many_sites_are_told_apart),
        POOL_TEST(ops_of_one_line_are_told_apart),
        POOL_TEST(counts_report_leaks_as_a_sum),
        POOL_TEST(abandoned_pools_report_to_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
